package kernel

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/fleet"
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

// Of groups that were looked at while no kernel could be made, each instance that waits has a hook to be kept open, in the groups that Ebb
// drains.
func TestWhoWaitsInItsGroups(t *testing.T) {
	c := Config{Hook: "ebb-drain", Groups: []Managed{
		{Match: "web-*", Cluster: "prod", Policy: drain.Policy{Deadline: time.Hour}}, {Match: "seen", Policy: drain.Policy{Deadline: time.Hour, Observe: true}},
	}}
	group := func(name string, excluded bool, states ...fleet.LifecycleState) fleet.Group {
		g := fleet.Group{Name: name, Excluded: excluded}
		for i, state := range states {
			g.Instances = append(g.Instances, fleet.GroupInstance{ID: termination(i).Event.Instance, Group: name, State: state})
		}
		return g
	}
	hook := func(name string, i int) Hook {
		id := termination(i).Event.Instance
		return Hook{
			Scope: "cluster/prod", Target: fleet.HostTarget(id), Timeout: 30 * time.Second, Until: t0.Add(time.Hour),
			Call: plan.HookCall{Group: name, Hook: "ebb-drain", Instance: id},
		}
	}
	got := c.Waiting([]fleet.Group{
		group("db", false, fleet.TerminatingWait), group("seen", false, fleet.TerminatingWait), group("web-a", true, fleet.TerminatingWait),
		group("web-b", false, fleet.InService, fleet.TerminatingWait, fleet.Terminating, fleet.WarmedPendingWait), group("web-c", false, fleet.TerminatingWait),
	}, t0)
	if d := cmp.Diff([]Hook{hook("web-b", 1), hook("web-b", 3), hook("web-c", 0)}, got); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}
