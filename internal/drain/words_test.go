package drain

import (
	"slices"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

// drained is a host that is to be terminated because an operator has said so, and on which nothing runs any more.
func drained(ago time.Duration, set func(*scene)) func(*scene) {
	return func(s *scene) {
		asked(s, fleet.LateTerminate, fleet.EndTerminate)
		s.d.Intent = &Answer{At: s.now.Add(-ago), Outcome: Drained, Reason: "no task was on it"}
		set(s)
	}
}

func TestBeforeAnOperatorsHostIsTerminated(t *testing.T) {
	const waiting = "for Auto Scaling to terminate it"
	refused := func(class plan.Class, fails int) func(*scene) {
		return func(s *scene) { s.o.Tried[plan.Terminate] = Try{Class: class, Fails: fails, Message: "no"} }
	}
	run(t, []decideCase{
		{name: "a group that lets it go was not looked at since", set: drained(time.Second, func(s *scene) { s.state(fleet.TerminatingWait) }),
			looks: "group-instances", intent: "drained", waiting: waiting},
		{name: "nor was one that does not have it", set: drained(time.Second, func(s *scene) { absent(&s.o.Instance) }),
			looks: "group-instances", intent: "drained", waiting: waiting},
		{name: "it is not asked for twice", set: drained(time.Minute, func(s *scene) { s.o.Tried[plan.Terminate] = Try{Flying: true} }),
			intent: "drained", waiting: waiting},
		{name: "what was denied again and again is believed", set: drained(time.Minute, refused(plan.Denied, terminateFor)), notes: "ended",
			intent: "drained", ended: "drained"},
		{name: "what was throttled is not refused", set: drained(time.Minute, refused(plan.Throttled, terminateFor)), do: "terminate",
			intent: "drained", waiting: waiting},
		{name: "what was decided on before the deadline is decided anew", set: drained(10*time.Minute, func(s *scene) {
			s.task("job", "", "RUNNING", "RUNNING")
			s.at(20 * time.Minute)
			s.fresh()
			s.d.Cutting = s.now.Add(-outFor)
			s.o.Container.At = s.now.Add(time.Second)
		}), looks: "group-instances", notes: "terminate", intent: "forced", cut: "job:1/job RUNNING", waiting: waiting},
	})
}

// A word is heeded only of a host that nothing else lets leave, and only where it was seen.
func TestWhichWordIsHeeded(t *testing.T) {
	first := fleet.Word{Deadline: t0.Add(20 * time.Minute), Late: fleet.LateLeave, End: fleet.EndKeep, Reason: "operator"}
	later := first
	later.Deadline = t0.Add(time.Hour)
	for name, x := range map[string]struct {
		set  func(*scene)
		word fleet.Word
		gone bool // it is noted that it was not seen
		said string
	}{
		"it stands":                  {func(*scene) {}, first, false, ""},
		"it was changed":             {func(s *scene) { s.o.Container.Value.Word = later }, later, false, "word"},
		"it was taken back":          {func(s *scene) { s.o.Container.Value.Word = fleet.Word{} }, first, true, ""},
		"its host is not in ECS":     {func(s *scene) { absent(&s.o.Container) }, first, false, ""},
		"its host was not looked at": {func(s *scene) { unknown(&s.o.Container) }, first, false, ""},
		"a hook holds its host":      {func(s *scene) { s.d.Hold, s.noHook = emptyHost().d.Hold, false; s.o.Container.Value.Word = later }, first, false, ""},
		"a hook does, and it is no more": {func(s *scene) {
			s.d.Hold, s.noHook = emptyHost().d.Hold, false
			s.o.Container.Value.Word = fleet.Word{}
		},
			first, false, ""},
		"nobody said anything": {func(s *scene) { s.d.Word = fleet.Word{}; s.d.Hold, s.noHook = emptyHost().d.Hold, false }, fleet.Word{}, false, ""},
	} {
		s := busy(2 * time.Minute)
		asked(s, first.Late, first.End)
		s.d.Cutting = t0
		x.set(s)
		dec := s.decide()
		var said []string
		for _, l := range dec.Lines {
			said = append(said, l.Kind)
		}
		if got := dec.Drain; got.Word != x.word || got.WordGone.IsZero() == x.gone || slices.Contains(said, "word") != (x.said != "") || !got.Open() {
			t.Errorf("%s: remembers %+v, since %s; says %q", name, got.Word, got.WordGone, said)
		}
		if x.gone && !dec.Drain.WordGone.Equal(s.o.Container.At) {
			t.Errorf("%s: not seen since %s", name, dec.Drain.WordGone)
		}
	}
}

// What has to do with hooks does not concern a host that an operator lets leave.
func TestAnOperatorsDrainHasNoHook(t *testing.T) {
	s := busy(2 * time.Minute)
	asked(s, fleet.LateLeave, fleet.EndKeep)
	s.p.Tick, s.o.Hook.Value.Heartbeat = time.Minute, 30*time.Second
	s.o.Tried[plan.Beat] = Try{Class: plan.Gone, Token: token}
	if d := s.decide().Drain; !d.Open() || d.Doubt || d.ByID {
		t.Errorf("%+v", d)
	}
	for want, set := range map[string]func(*scene){
		"an operator has asked for it":   func(*scene) {},
		"Auto Scaling is terminating it": func(s *scene) { s.d.Hold, s.noHook = emptyHost().d.Hold, false; s.state(fleet.TerminatingWait) },
	} {
		s := emptyHost()
		asked(s, fleet.LateLeave, fleet.EndKeep)
		asActive(s)
		set(s)
		if do := s.decide().Do; len(do) != 1 || do[0].Why != want {
			t.Errorf("does %+v, want it because %s", do, want)
		}
	}
}

// A word that is not seen is looked for once more, and a deadline is not over before the word has been looked at.
func TestWhenAWordIsLookedAtAgain(t *testing.T) {
	s := busy(2 * time.Minute)
	asked(s, fleet.LateLeave, fleet.EndKeep)
	s.o.Container.Value.Word, s.p.Skew = fleet.Word{}, 5*time.Second
	s.d.WordGone = s.o.Container.At.Add(-s.p.Settle)
	over := s.d.WordGone.Add(s.p.Settle + s.p.Skew)
	dec := s.decide()
	if !dec.Drain.Open() || !dec.Wake.Equal(over) || !soonest(dec, plan.ContainerInstances).Equal(over) {
		t.Errorf("decides again at %s, looks at %s, want %s; ended %+v", dec.Wake, soonest(dec, plan.ContainerInstances), over, dec.Drain.Final)
	}
	s = busy(20 * time.Minute)
	asked(s, fleet.LateTerminate, fleet.EndTerminate)
	s.o.Container.At = s.now
	dec = s.decide()
	if !dec.Drain.Open() || !dec.Wake.Equal(s.now.Add(unheard)) || !soonest(dec, plan.ContainerInstances).Equal(s.now) {
		t.Errorf("at the deadline it decides again at %s, looks at %s; ended %+v", dec.Wake, soonest(dec, plan.ContainerInstances), dec.Drain.Final)
	}
}

func TestWhatIsOverAtAnOperatorsDeadline(t *testing.T) {
	const over = "the operator's deadline, 09:20:00 UTC, is over"
	late := func(late fleet.Late, end fleet.End, set func(*scene)) func(*scene) {
		return func(s *scene) {
			asked(s, late, end)
			s.at(20 * time.Minute)
			s.fresh()
			s.o.Container.At = s.now.Add(time.Second)
			s.d.Cutting = s.now.Add(-outFor)
			set(s)
		}
	}
	for _, x := range []struct {
		set     func(*scene)
		outcome Outcome
		want    string
	}{
		{late(fleet.LateLeave, fleet.EndKeep, func(*scene) {}), Overdue, over + "; it stays DRAINING; no task is known to be left"},
		{late(fleet.LateLeave, fleet.EndKeep, func(s *scene) { s.task("job", "", "RUNNING", "RUNNING") }), Overdue,
			over + "; it stays DRAINING; 1 of 1 tasks are left: job:1/job RUNNING"},
		{late(fleet.LateLeave, fleet.EndKeep, func(s *scene) { s.task("job", "", "RUNNING", "RUNNING"); s.o.Running = nil }), Overdue,
			over + "; it stays DRAINING; its tasks could not be listed"},
		{late(fleet.LateTerminate, fleet.EndTerminate, func(s *scene) {
			s.task("job", "", "RUNNING", "RUNNING")
			s.o.Tried[plan.Terminate] = Try{OK: s.now}
		}), Forced, over + "; Auto Scaling terminates it"},
		{func(s *scene) { // a hook has taken over since: the word says nothing any more
			s.task("job", "", "RUNNING", "RUNNING")
			s.d.Word = fleet.Word{Deadline: t0.Add(20 * time.Minute), Late: fleet.LateLeave, End: fleet.EndKeep, Reason: "operator"}
			s.deadlineOver()
			s.d.Cutting = s.now.Add(-outFor)
		}, Forced, "the deadline of 30m0s is over"},
	} {
		s := emptyHost()
		x.set(s)
		d := s.decide().Drain
		a := d.Final
		if a == nil {
			a = d.Intent
		}
		if a == nil || a.Outcome != x.outcome || a.Reason != x.want {
			t.Errorf("%+v, want %s: %s", a, x.outcome, x.want)
		}
	}
}

func TestWordsForPeople(t *testing.T) {
	for want, w := range map[string]fleet.Word{
		"once it is drained it stays DRAINING; if tasks still run at 2026-11-21 09:00:00 UTC, it stays as it is (patch)": {
			Late: fleet.LateLeave, End: fleet.EndKeep},
		"once it is drained it is terminated; if tasks still run at 2026-11-21 09:00:00 UTC, it is terminated with what is on it (patch)": {
			Late: fleet.LateTerminate, End: fleet.EndTerminate},
		"once it is drained it is terminated, and its group gets smaller; if tasks still run at 2026-11-21 09:00:00 UTC, it stays as it is (patch)": {
			Late: fleet.LateLeave, End: fleet.EndDecrement},
	} {
		w.Deadline, w.Reason = t0, "patch"
		if got := WordText(w); got != want {
			t.Errorf("got %s\nwant %s", got, want)
		}
	}
}
