package kernel

import (
	"strings"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/plan"
)

// A kernel that has read no tags yet goes by what an earlier one saw: the host may be another drainer's, and so may its hook.
func TestAGroupThatAnEarlierKernelSawExcludedIsLeftAlone(t *testing.T) {
	for _, excluded := range []bool{true, false} {
		k := newKernel(t, Config{Excluded: map[string]bool{"web": excluded}})
		k.Hear(termination(1), t0)
		_, _, orders := drive(k, t0, 29*time.Second, func(plan.Request, time.Time) plan.Done {
			return plan.Done{Result: plan.LookResult{Err: &plan.Failure{Class: plan.Unclear, Message: "no answer"}}}
		})
		if n := kinds(orders)["heartbeat"]; n > 0 == excluded {
			t.Errorf("excluded %t: %d heartbeats", excluded, n)
		}
	}
}

// Who waits for a slot hears of a pause when it is set, and not when something else happens.
func TestAPauseIsTakenInAtOnce(t *testing.T) {
	k := newKernel(t, budgeted(MaxUnavailable{Count: 1}))
	k.Hear(termination(1), t0)
	k.Hear(termination(2), t0)
	if n := setDraining(k, t0, 5*time.Second, 10); n != 1 {
		t.Fatalf("%d were set DRAINING", n)
	}
	k.Next(t0.Add(5 * time.Second))
	k.SetPauses(pauseFor(time.Hour).Begin(nil, []string{"cluster/prod"}).Records)
	k.Next(t0.Add(5 * time.Second))
	if e := k.sorted[1]; !strings.HasPrefix(e.waiting, "because cluster/prod is paused") {
		t.Errorf("it waits %q", e.waiting)
	}
	k.SetPauses(nil)
	k.Next(t0.Add(5 * time.Second))
	if e := k.sorted[1]; !strings.HasPrefix(e.waiting, "for its turn") {
		t.Errorf("after the pause it waits %q", e.waiting)
	}
}
