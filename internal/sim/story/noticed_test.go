package story

import (
	"strings"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// TestSpotInstancesThatStopOrHibernate: whatever EC2 does with the instance, it is DRAINING within five seconds of the warning, its targets are
// out before ECS stops a task, notice and hook are one drain, and of one that comes back it is said that it is still DRAINING. The agent's
// first version heard of terminations only.
// https://github.com/aws/amazon-ecs-agent/pull/2199 https://github.com/aws/containers-roadmap/issues/190
func TestSpotInstancesThatStopOrHibernate(t *testing.T) {
	for _, action := range []string{"terminate", "stop", "hibernate"} {
		for _, hook := range []bool{false, true} { // of a group with Capacity Rebalancing, which terminates it at the notice
			s := read(t, "testdata/stories/a-spot-instance-leaves-its-target-groups-when-ec2-takes-it-back.yaml")
			s.At[0].Result, s.Expect, s.Never = action, nil, nil
			s.World.Groups[0].Rebalance = hook
			res, err := Run(s)
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range res.Violations {
				t.Errorf("%s, with a hook %v: %s", action, hook, v)
			}
			notice, draining, out, stopped := when(res)
			if d := draining.Sub(notice); draining.IsZero() || d > 5*time.Second {
				t.Errorf("%s, with a hook %v: DRAINING %s after the warning", action, hook, d)
			}
			if d := out.Sub(notice); out.IsZero() || d > 10*time.Second || !stopped.IsZero() && stopped.Before(out) {
				t.Errorf("%s, with a hook %v: the last target out %s after the warning, the first task stopped %s after it", action, hook, d, stopped.Sub(notice))
			}
			first := res.Ended[len(res.Ended)-1]
			if len(res.Ended) != 1 || first.Noticed != "interruption" {
				t.Errorf("%s, with a hook %v: %d drains, the first of %q", action, hook, len(res.Ended), first.Noticed)
			}
			var told strings.Builder
			res.Print(&told)
			if back := strings.Contains(told.String(), "set it ACTIVE then"); !hook && back != (action != "terminate") {
				t.Errorf("%s:\n%s", action, told.String())
			}
		}
	}
}

// when says when the host of a story got its notice, was DRAINING, had its last target out, and when its first task stopped.
func when(res Result) (notice, draining, out, stopped time.Time) {
	var id string
	for _, e := range res.Record {
		switch {
		case e.Kind == core.EntryNotice && e.To == core.NoticeInterrupted:
			id, notice = e.Instance, e.At
		case id == "" || e.Instance != id:
		case e.Kind == core.EntryContainer && e.To == "DRAINING" && draining.IsZero():
			draining = e.At
		case e.Kind == core.EntryTarget && e.To == "draining":
			out = e.At
		case e.Kind == core.EntryTask && (e.To == "STOPPING" || e.To == "STOPPED") && stopped.IsZero():
			stopped = e.At
		}
	}
	return notice, draining, out, stopped
}
