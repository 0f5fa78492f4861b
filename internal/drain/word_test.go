package drain

import (
	"strings"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

// asked makes the host one that nothing but an operator's word lets leave, in service in its group.
func asked(s *scene, late fleet.Late, end fleet.End) {
	s.d.Hold, s.noHook = Hold{}, true
	s.d.Word = fleet.Word{Deadline: t0.Add(20 * time.Minute), Late: late, End: end, Reason: "operator"}
	s.o.Container.Value.Word = s.d.Word
	s.state(fleet.InService)
}

func TestAnOperatorsWord(t *testing.T) {
	kept := func(s *scene) { asked(s, fleet.LateLeave, fleet.EndKeep) }
	ended := func(s *scene) { asked(s, fleet.LateLeave, fleet.EndTerminate) }
	over := func(s *scene, late fleet.Late, end fleet.End) {
		asked(s, late, end)
		s.at(20 * time.Minute)
		s.o.Container.At = s.now.Add(time.Second) // so that it was looked at after the deadline
		s.task("job", "", "RUNNING", "RUNNING")
	}
	run(t, []decideCase{
		{name: "sets it DRAINING", set: func(s *scene) {
			kept(s)
			s.o.Container.Value.Status, s.d.DrainingSince = fleet.Active, time.Time{}
		}, do: "set-draining", notes: "draining"},
		{name: "although its group is excluded", set: func(s *scene) {
			kept(s)
			s.o.Container.Value.Status, s.d.DrainingSince, s.o.Turn.Excluded = fleet.Active, time.Time{}, true
		}, do: "set-draining", notes: "draining"},
		{name: "but not during a pause", set: func(s *scene) {
			kept(s)
			s.o.Container.Value.Status, s.d.DrainingSince = fleet.Active, time.Time{}
			s.o.Turn.Paused, s.o.Turn.Until = "somebody has paused it", t0.Add(time.Hour)
		}, notes: "queued", waiting: "somebody has paused it"},
		{name: "ends when it is drained", set: kept, notes: "ended", ended: "drained"},
		{name: "that is changed is noted", set: func(s *scene) { kept(s); s.o.Container.Value.Word.Reason = "other" }, notes: "word ended", ended: "drained"},

		{name: "that is not seen stops everything", set: func(s *scene) { ended(s); s.o.Container.Value.Word = fleet.Word{} },
			waiting: "whether the operator's word stands"},
		{name: "and after a second look ends it", set: func(s *scene) {
			ended(s)
			s.o.Container.Value.Word = fleet.Word{}
			s.d.WordGone = s.o.Container.At.Add(-s.p.Settle)
		}, notes: "ended", ended: "cancelled"},
		{name: "that somebody has made unreadable counts as it was", set: func(s *scene) {
			kept(s)
			s.o.Container.Value.Word, s.o.Container.Value.BadWord = fleet.Word{}, "it has 1 words"
		}, notes: "ended", ended: "drained"},
		{name: "that is seen again goes on", set: func(s *scene) { kept(s); s.d.WordGone = t0 }, notes: "ended", ended: "drained"},
		{name: "means nothing once a hook holds it", set: func(s *scene) {
			s.d.Word, s.d.WordGone = fleet.Word{Deadline: t0, End: fleet.EndKeep, Late: fleet.LateLeave, Reason: "x"}, t0
		}, do: "answer", notes: "answer", intent: "drained"},

		{name: "lets its group terminate it after a look", set: ended, looks: "group-instances", notes: "terminate", intent: "drained",
			waiting: "for Auto Scaling to terminate it"},
		{name: "and then terminates it", set: func(s *scene) {
			ended(s)
			s.d.Intent = &Answer{At: t0, Outcome: Drained, Reason: "no task was on it"}
		}, do: "terminate", intent: "drained", waiting: "for Auto Scaling to terminate it"},
		{name: "not if the word was not looked at since", set: func(s *scene) {
			ended(s)
			s.d.Intent = &Answer{At: s.o.Container.At, Outcome: Drained, Reason: "no task was on it"}
			s.o.Instance.At = s.now
		}, looks: "container-instances", intent: "drained", waiting: "whether the operator's word still stands"},
		{name: "once only", set: func(s *scene) {
			ended(s)
			s.d.Intent = &Answer{At: t0, Outcome: Drained, Reason: "no task was on it"}
			s.state(fleet.TerminatingWait)
		}, notes: "ended", intent: "drained", ended: "drained"},
		{name: "and looks after a call of which nothing is known", set: func(s *scene) {
			ended(s)
			s.d.Intent = &Answer{At: t0, Outcome: Drained, Reason: "no task was on it"}
			s.tried(plan.Terminate, plan.Unclear, time.Second)
			s.o.Tried[plan.Terminate] = Try{Started: s.now.Add(-time.Second), At: s.now, Class: plan.Unclear, Fails: 1}
		}, looks: "group-instances", intent: "drained"},
		{name: "ends when Auto Scaling has taken it", set: func(s *scene) {
			ended(s)
			s.d.Intent = &Answer{At: t0, Outcome: Drained, Reason: "no task was on it"}
			s.o.Tried[plan.Terminate] = Try{OK: t0}
		}, notes: "ended", intent: "drained", ended: "drained"},
		{name: "ends where there is no group", set: func(s *scene) {
			ended(s)
			s.d.Intent = &Answer{At: t0, Outcome: Drained, Reason: "no task was on it"}
			absent(&s.o.Instance)
		}, notes: "ended", intent: "drained", ended: "drained"},
		{name: "ends when Auto Scaling refuses", set: func(s *scene) {
			ended(s)
			s.d.Intent = &Answer{At: t0, Outcome: Drained, Reason: "no task was on it"}
			s.o.Tried[plan.Terminate] = Try{Class: plan.Denied, Fails: terminateFor, Message: "no"}
		}, notes: "ended", intent: "drained", ended: "drained"},
		{name: "tries again before that", set: func(s *scene) {
			ended(s)
			s.d.Intent = &Answer{At: t0, Outcome: Drained, Reason: "no task was on it"}
			s.o.Tried[plan.Terminate] = Try{Class: plan.Invalid, Fails: terminateFor - 1, At: t0}
		}, do: "terminate", intent: "drained"},

		{name: "is only watched in a group that is observed", set: func(s *scene) { ended(s); s.p.Observe, s.d.Observed = true, true }, notes: "would ended",
			ended: "drained"},
		{name: "leaves it at the deadline", set: func(s *scene) { over(s, fleet.LateLeave, fleet.EndTerminate) }, looks: "instances",
			notes: "ended", ended: "overdue"},
		{name: "or cuts off what is on it", set: func(s *scene) { over(s, fleet.LateTerminate, fleet.EndTerminate) },
			looks: "group-instances instances", notes: "terminate", intent: "forced", cut: "job:1/job RUNNING"},
		{name: "is looked at once more first", set: func(s *scene) {
			over(s, fleet.LateTerminate, fleet.EndTerminate)
			s.o.Container.At = s.d.Word.Deadline
		}, looks: "container-instances instances", waiting: "whether the operator's word still stands"},
		{name: "is looked at by an Ebb that was away until long after it", set: func(s *scene) {
			over(s, fleet.LateLeave, fleet.EndKeep)
			s.at(time.Hour)
			s.since, s.o.Container.At = s.now.Add(-time.Second), t0
		}, looks: "container-instances instances", waiting: "whether the operator's word still stands"},
		{name: "cuts nothing off if it cannot be seen", set: func(s *scene) {
			over(s, fleet.LateTerminate, fleet.EndTerminate)
			s.at(20*time.Minute + unheard)
			s.o.Container.At = s.d.Word.Deadline
		}, looks: "container-instances instances", notes: "ended", ended: "overdue"},
	})
}

func TestAnOperatorsHostThatIsLostIsNotTerminated(t *testing.T) {
	s := emptyHost()
	s.unreached()
	asked(s, fleet.LateLeave, fleet.EndTerminate)
	if dec := s.decide(); outcome(dec.Drain.Final) != "lost" || len(dec.Do) > 0 {
		t.Errorf("%+v, does %v", dec.Drain.Final, dec.Do)
	}
}

func TestWhatTheReasonsOfAnOperatorsDrainSay(t *testing.T) {
	s := emptyHost()
	asked(s, fleet.LateLeave, fleet.EndDecrement)
	s.d.Intent = &Answer{At: t0, Outcome: Drained, Reason: "no task was on it"}
	if do := s.decide().Do; len(do) != 1 || !do[0].End.Decrement || do[0].End.Instance != host {
		t.Errorf("does %+v", do)
	}
	s.o.Tried[plan.Terminate] = Try{Class: plan.Invalid, Fails: terminateFor, Message: "it would violate the minimum"}
	if f := s.decide().Drain.Final; !strings.Contains(f.Reason, "Auto Scaling does not terminate it: it would violate the minimum") || !f.Stays {
		t.Errorf("%+v", f)
	}
	s.o.Tried[plan.Terminate] = Try{}
	absent(&s.o.Instance)
	if f := s.decide().Drain.Final; f == nil || !strings.HasSuffix(f.Reason, "Auto Scaling does not terminate it: it is in no Auto Scaling group") || !f.Stays {
		t.Errorf("%+v", f)
	}
	s.o.Tried[plan.Terminate] = Try{Class: plan.OK, OK: s.now}
	if f := s.decide().Drain.Final; !strings.HasSuffix(f.Reason, "; Auto Scaling terminates it") || f.Stays {
		t.Errorf("%+v", f)
	}
	s = emptyHost()
	asked(s, fleet.LateLeave, fleet.EndKeep)
	s.at(20 * time.Minute)
	s.o.Container.At = s.now.Add(time.Second)
	s.task("job", "", "RUNNING", "RUNNING")
	want := "the operator's deadline, 09:20:00 UTC, is over; it stays DRAINING; 1 of 1 tasks are left: job:1/job RUNNING"
	if f := s.decide().Drain.Final; f.Reason != want || f.CutsOff() {
		t.Errorf("%q, cuts off: %v", f.Reason, f.CutsOff())
	}
	s.d.DrainingSince, s.o.Container.Value.Status, s.d.Queued = time.Time{}, fleet.Active, t0
	if r := s.decide().Drain.Final.Reason; !strings.Contains(r, "it was not set DRAINING") {
		t.Error(r)
	}
}
