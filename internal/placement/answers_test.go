package placement_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ebbhq/ebb/internal/diagnose"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/placement"
	"github.com/ebbhq/ebb/internal/sim/ecs"
)

// TestPlanAndWhyAgainstTheSimulatedScheduler holds the answers of ebb plan and ebb why against what became of the same random clusters:
// nothing that plan calls movable stays, and why names every task that does, with a reason that is true then.
func TestPlanAndWhyAgainstTheSimulatedScheduler(t *testing.T) {
	stayed, movable := 0, 0
	for seed := *firstSeed; seed < *firstSeed+uint64(*seedCount); seed++ {
		o := drained(t, seed)
		stayed += len(o.left)
		plan := o.wrongPlan(&movable)
		for _, wrong := range append(plan, o.wrongWhy()...) {
			t.Errorf("seed %d, %v: %s", seed, o.targets, wrong)
		}
	}
	t.Logf("%d tasks stayed, %d were called movable", stayed, movable)
	if *seedCount >= 200 && (stayed < 100 || movable < 200) {
		t.Errorf("%d tasks stayed and %d were called movable: too few to show anything", stayed, movable)
	}
}

func (o *outcome) wrongPlan(movable *int) (wrong []string) {
	targets := make([]string, len(o.targets))
	for i, id := range o.targets {
		targets[i] = string(id)
	}
	f := diagnose.Plan(o.before, targets, o.before.At)
	if f.Verdict == "unknown" || (f.Verdict == "moves" || f.Verdict == "shrinks") && len(o.left) > 0 {
		wrong = append(wrong, fmt.Sprintf("plan says %s, and %d tasks stay", f.Verdict, len(o.left)))
	}
	what := map[string]string{}
	for _, s := range f.Steps {
		what[s.Task] = s.Outcome
		if s.Outcome == diagnose.Replaced || s.Outcome == diagnose.StopsFirst || s.Outcome == diagnose.StopsOnly {
			*movable++
		}
	}
	for _, k := range o.left {
		switch said := what[idOf(k)]; said {
		case diagnose.Stays, diagnose.MayStay, diagnose.NotTouched, diagnose.StopsLast: // a daemon's task stays with the others
		default:
			wrong = append(wrong, fmt.Sprintf("plan says %q of task %s of service %s, and it stays", said, idOf(k), k.Service))
		}
	}
	return wrong
}

func idOf(k ecs.Task) string { return k.ARN[strings.LastIndexByte(k.ARN, '/')+1:] }

// wrongWhy asks about each target when nothing has moved for hours.
func (o *outcome) wrongWhy() (wrong []string) {
	for _, id := range o.targets {
		r := diagnose.Why(o.after, diagnose.Question{Target: string(id), Now: o.after.At})
		for _, k := range o.left {
			if k.Instance != string(id) {
				continue
			}
			if !slices.ContainsFunc(r.Blockers, func(b diagnose.Blocker) bool { return o.holds(k, b) }) {
				wrong = append(wrong, fmt.Sprintf("why has no true reason for task %s of service %q: %+v", idOf(k), k.Service, r.Blockers))
			}
		}
	}
	return wrong
}

// holds reports whether a blocker is about a task and true, by the test's own arithmetic.
func (o *outcome) holds(k ecs.Task, b diagnose.Blocker) bool {
	s, ok := o.services[k.Service]
	switch {
	case !ok:
		return b.Code == placement.Standalone && strings.Contains(b.Message, idOf(k))
	case s.Daemon:
		return b.Code == diagnose.DaemonLast && strings.Contains(b.Message, idOf(k))
	case !strings.HasPrefix(b.Message, "service "+k.Service+" keeps "):
		return false
	case b.Code == placement.PercentArithmetic:
		return (s.Desired*s.Min+99)/100 >= s.Desired*s.Max/100
	case b.Code == placement.NoHost:
		return len(o.blocked[k.Service]) == 0
	}
	// Each host that is left must refuse the service, and one of them for this reason.
	hosts := o.blocked[k.Service]
	return hosts != nil && slices.ContainsFunc(hosts, func(codes []placement.Code) bool { return slices.Contains(codes, b.Code) })
}

// Hosts that are left out of what is asked keep their tasks out of the answer.
func TestPlanSpeaksOfTheTargetsOnly(t *testing.T) {
	o := drained(t, *firstSeed)
	f := diagnose.Plan(o.before, []string{string(o.targets[0])}, o.before.At)
	if len(f.Instances) != 1 {
		t.Fatalf("instances %v", f.Instances)
	}
	for _, s := range f.Steps {
		if fleet.InstanceID(s.Instance) != o.targets[0] {
			t.Errorf("%+v is not on %s", s, o.targets[0])
		}
	}
}
