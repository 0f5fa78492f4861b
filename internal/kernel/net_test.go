package kernel

import (
	"fmt"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

// The net is read once for all tasks that leave, after the targets that are named, and without the target groups that services name. The calls
// are with the list of tasks that stop, which is made each minute anyway.
func TestTheNetIsReadOnce(t *testing.T) {
	for _, x := range []struct {
		tasks, groups, others int
		standalone            bool
		each                  float64 // calls
		read                  int     // target groups
	}{
		{1, 1, 0, false, 8, 0}, {1, 1, 1, false, 9, 1}, {1000, 1, 0, false, 3, 0}, {1000, 20, 200, false, 3, 200}, {10, 1, 3, true, 8, 4},
	} {
		name := fmt.Sprintf("%d tasks, %d target groups and %d others", x.tasks, x.groups, x.others)
		k, c := spotKernel(t), &spotCloud{groups: x.groups, out: map[plan.Subject]bool{}, calls: map[string]int{}}
		c.change = func(f *fleet.Task) {
			if f.Subnet = "subnet-1"; x.standalone {
				f.Group = "family:job"
			}
		}
		for i := range x.groups {
			c.balanced = append(c.balanced, fleet.TargetGroup{ARN: fleet.ARN(fmt.Sprintf("arn:tg/web-%d", i)), VPC: "vpc-1", Type: "ip"})
		}
		for i := range x.others {
			c.balanced = append(c.balanced, fleet.TargetGroup{ARN: fleet.ARN(fmt.Sprintf("arn:tg/hand-%d", i)), VPC: "vpc-1", Type: "ip"})
		}
		c.balanced = append(c.balanced, fleet.TargetGroup{ARN: "arn:tg/far", VPC: "vpc-2", Type: "ip"},
			fleet.TargetGroup{ARN: "arn:tg/function", VPC: "vpc-1", Type: "lambda"})
		for i := range x.tasks {
			h := spotNotice(i)
			h.Event.Service = fmt.Sprintf("web-%d", i%x.groups)
			if x.standalone {
				h.Event.Service = ""
			}
			k.Hear(h, t0)
		}
		accepted := takeOut(t, k, c)
		n := 0
		for kind, calls := range c.calls {
			if kind != plan.Registered.String() {
				n += calls
			}
		}
		n += c.read
		each := float64(n) / float64(x.tasks)
		t.Logf("%s: %.2f calls each: %v, %d target groups read", name, each, c.calls, c.read)
		if k.Counts["ended drained"] != x.tasks || each > x.each || c.read != x.read {
			t.Errorf("%s: ended %v; %.2f calls each, want at most %.0f; %d target groups were read, want %d", name, k.Counts, each, x.each, c.read, x.read)
		}
		if n := len(accepted); n > 0 && accepted[n*99/100] > 2*time.Second {
			t.Errorf("%s: accepted after %s", name, accepted[n*99/100])
		}
	}
}
