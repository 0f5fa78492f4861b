package drain

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

// leftAlone is a task that runs and of which ECS says nothing else, with what came of an attempt to stop it.
type leftAlone struct {
	spot
	stop  Try
	since time.Time
}

func (s leftAlone) Tried(k plan.ActionKind) Try {
	if k == plan.StopTask {
		return s.stop
	}
	return s.spot.Tried(k)
}

func (s leftAlone) Since() time.Time { return s.since }

func TestATaskThatAnOperatorLetsLeave(t *testing.T) {
	accepted := func(s *leftAlone) { s.tried = Try{Started: at(1.2), At: at(1.4), OK: at(1.2)} }
	runs := func(change func(*leftAlone)) leftAlone {
		s := leftAlone{spot: interrupted(func(s *spot) { s.task.Value.DesiredStatus, s.task.Value.RehearsedUntil = "RUNNING", at(120) }), since: t0}
		if change != nil {
			change(&s)
		}
		return s
	}
	late := func(second float64, inWeb string, change func(*leftAlone)) leftAlone {
		return runs(func(s *leftAlone) {
			accepted(s)
			s.task.At = at(second - 1)
			s.health(inWeb, inWeb, second-1)
			if change != nil {
				change(s)
			}
		})
	}
	for _, c := range []struct {
		name  string
		seen  leftAlone
		after float64           // seconds
		do    []plan.ActionKind // what is done
		ended Outcome
		text  string // of the reason, or of what it waits for
	}{
		{"the task has the operator's word", runs(nil), 1, []plan.ActionKind{plan.Deregister, plan.Deregister}, "", "to leave its target group"},
		{"only the event says so", runs(func(s *leftAlone) { s.task.Value.RehearsedUntil = time.Time{} }), 1, nil, "", "for ECS to say that the task is to stop"},
		{"still only the event", runs(func(s *leftAlone) { s.task.Value.RehearsedUntil = time.Time{}; s.task.At = at(11) }), 12, nil, NotLeaving,
			"no operator has said in its tag ebb.rehearsal that its interruption is rehearsed"},
		{"the word is old", runs(func(s *leftAlone) { s.task.Value.RehearsedUntil = at(10); s.task.At = at(11) }), 12, nil, NotLeaving, "no operator has said"},
		{"it is on a host", runs(func(s *leftAlone) { s.task.Value.ContainerInstance = ci }), 1, nil, NotLeaving, "on a container instance"},
		{"its targets drain", late(20, "draining", nil), 20, nil, "", "for its targets to drain"},
		{"one cannot be seen", late(20, "unused", func(s *leftAlone) { delete(s.facts, onPort(web, 8080)) }), 20, []plan.ActionKind{}, "", ""},
		{"they have drained", late(20, "unused", nil), 20, []plan.ActionKind{plan.StopTask}, "", "for ECS to stop it"},
		{"asked, not yet seen", late(20, "unused", func(s *leftAlone) { s.stop = Try{Started: at(18), At: at(18), OK: at(18)} }), 20, nil, "", "for ECS to stop it"},
		{"asked in vain", late(40, "unused", func(s *leftAlone) { s.stop = Try{Started: at(18), At: at(18), OK: at(18)} }), 40, []plan.ActionKind{plan.StopTask}, "",
			"for ECS to stop it"},
		{"ECS stops it", late(20, "unused", func(s *leftAlone) { s.task.Value.DesiredStatus = "STOPPED" }), 20, nil, Drained,
			"2 targets out of web-8080, admin-9090; accepted after 1.4 s; its targets still drained when it was stopped"},
		{"two minutes are over, they drain", late(121, "draining", nil), 121, []plan.ActionKind{plan.StopTask}, "", "for ECS to stop it"},
		{"two minutes are over, one is in use", late(121, "healthy", nil), 121,
			[]plan.ActionKind{plan.Deregister, plan.Deregister, plan.StopTask}, "", "for ECS to stop it"},
		{"and it is stopped", late(121, "healthy", func(s *leftAlone) { s.task.Value.DesiredStatus = "STOPPED" }), 121,
			[]plan.ActionKind{plan.Deregister, plan.Deregister}, Forced,
			"it was stopped before its targets were seen to leave"},
		{"two minutes are over, and nothing was done", late(121, "healthy", func(s *leftAlone) { s.tried = Try{} }), 121, nil, Overdue,
			"before AWS was asked to take a target out; it was left as it is"},
		{"two minutes are over, and its targets are not known", late(121, "healthy", func(s *leftAlone) { s.tried = Try{}; delete(s.facts, onPort(web, 8080)) }),
			121, nil, "", "to see whether its targets are in use"},
		{"two minutes are over, and another Ebb has taken one out", late(121, "healthy", func(s *leftAlone) {
			s.tried = Try{}
			s.facts[onPort(web, 8080)] = &fleet.Fact[fleet.Health]{Is: fleet.Absent, At: at(120)}
		}), 121, []plan.ActionKind{plan.Deregister, plan.StopTask}, "", "for ECS to stop it"},
		{"AWS does not stop it", late(421, "unused", func(s *leftAlone) {
			s.stop = Try{Class: plan.Denied, Message: "not authorized", Fails: 99, Started: at(420), At: at(420)}
		}), 421, nil, Forced, "it could not be stopped, and runs without its targets: not authorized; stop it: aws ecs stop-task"},
		{"another Ebb tries again", late(421, "unused", func(s *leftAlone) { s.since = at(420) }), 421, []plan.ActionKind{plan.StopTask}, "", "for ECS to stop it"},
		{"it is gone by itself", late(20, "unused", func(s *leftAlone) {
			s.task.Value.LastStatus, s.task.Value.DesiredStatus = "STOPPED", "STOPPED"
		}), 20, nil, Drained, "2 targets out"},
	} {
		d := Drain{Key: "k", Target: fleet.TaskTarget("prod", spotTask), Heard: t0, Zero: t0}
		d.Cluster, d.Rehearsed = "prod", true
		if c.after > 15 {
			d.StopBy = at(120)
		}
		dec := Decide(d, c.seen, TaskPolicy(), at(c.after))
		var ended Outcome
		text := dec.Waiting
		if f := dec.Drain.Final; f != nil {
			ended, text = f.Outcome, f.Reason
		}
		var did []plan.ActionKind
		for _, a := range dec.Do {
			did = append(did, a.Kind)
			if a.Kind == plan.StopTask && (a.Stop.Task != spotTask || a.Stop.Cluster != "prod" || !strings.Contains(a.Stop.Reason, "rehearses")) {
				t.Errorf("%s: stops %+v", c.name, a.Stop)
			}
		}
		stops := slices.Contains(did, plan.StopTask)
		if c.do != nil && len(c.do) == 0 { // whatever is done, it is not stopped
			if stops {
				t.Errorf("%s: it is stopped", c.name)
			}
			continue
		}
		if !slices.Equal(did, c.do) || ended != c.ended || !strings.Contains(text, c.text) {
			t.Errorf("%s: does %v, ended %q, %q; want %v, %q, %q", c.name, did, ended, text, c.do, c.ended, c.text)
		}
		if d := dec.Drain; !d.StopBy.IsZero() && (d.StopBy != at(120) || d.First != "") {
			t.Errorf("%s: it is stopped by %s, first %q", c.name, d.StopBy, d.First)
		}
	}
}

// What is only observed is not rehearsed.
func TestARehearsalThatIsOnlyObserved(t *testing.T) {
	d := Drain{Key: "k", Target: fleet.TaskTarget("prod", spotTask), Heard: t0, Zero: t0}
	d.Cluster, d.Rehearsed = "prod", true
	p := TaskPolicy()
	p.Observe = true
	seen := interrupted(func(s *spot) {
		s.task.Value.DesiredStatus, s.task.Value.RehearsedUntil, s.task.At = "RUNNING", at(120), at(11)
	})
	if dec := Decide(d, seen, p, at(12)); len(dec.Do) > 0 || len(dec.Drain.Would) > 0 || dec.Drain.Final == nil || dec.Drain.Final.Outcome != NotLeaving ||
		!strings.Contains(dec.Drain.Final.Reason, "only observed") {
		t.Errorf("does %v, would %v, ended %+v", dec.Do, dec.Drain.Would, dec.Drain.Final)
	}
}

// A host of which an operator rehearses that EC2 takes it back has two minutes: it waits for no slot, and its targets go at once. One that an operator
// lets leave in another way waits, and its targets go with its tasks.
func TestAHostWhoseInterruptionIsRehearsed(t *testing.T) {
	for reason, hurries := range map[string]bool{fleet.RehearsalReason: true, "operator": false} {
		begin := func() *scene {
			s := emptyHost()
			asked(s, fleet.LateTerminate, fleet.EndTerminate)
			s.d.Word.Reason, s.o.Container.Value.Word.Reason = reason, reason
			s.task("t", "web", "RUNNING", "RUNNING")
			s.service("web", false, "healthy")
			return s
		}
		s := begin()
		s.d.DrainingSince, s.o.Container.Value.Status = time.Time{}, fleet.Active
		s.o.Turn = Slot{Limited: true, Leave: 1, Limit: 1}
		var did []plan.ActionKind
		for _, a := range Decide(s.d, s, s.p, s.now).Do {
			did = append(did, a.Kind)
			if !a.Soon {
				t.Errorf("%s: %s is not soon", reason, a.Kind)
			}
		}
		if slices.Contains(did, plan.SetDraining) != hurries {
			t.Errorf("%s: without a slot it does %v", reason, did)
		}
		s = begin()
		did = nil
		for _, a := range Decide(s.d, s, s.p, s.now).Do {
			did = append(did, a.Kind)
		}
		if slices.Contains(did, plan.Deregister) != hurries {
			t.Errorf("%s: once it is DRAINING it does %v", reason, did)
		}
	}
}
