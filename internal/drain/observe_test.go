package drain

import (
	"strings"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

// watchedHost is emptyHost in a group of which Ebb only watches.
func watchedHost() *scene {
	s := emptyHost()
	s.p.Observe, s.d.Observed = true, true
	return s
}

func TestObserve(t *testing.T) {
	active := func(s *scene) {
		s.o.Container.Value.Status, s.d.DrainingSince = fleet.Active, time.Time{}
		s.o.Running, s.o.Stopped = nil, nil
	}
	wouldAnswer := func(s *scene) {
		s.d.Intent = &Answer{At: t0.Add(50 * time.Second), Outcome: Drained, Reason: "no task was on it"}
	}
	for _, tt := range []decideCase{
		{name: "it says so at once", set: func(s *scene) { s.d.Observed = false; active(s) }, notes: "mode would",
			waiting: "for somebody else to set DRAINING"},
		{name: "an ACTIVE host would be set DRAINING", set: active, notes: "would", waiting: "for somebody else to set DRAINING"},
		{name: "which is said once", set: func(s *scene) { active(s); s.d = s.decide().Drain }, waiting: "for somebody else to set DRAINING"},
		{name: "one that has no slot would wait", set: func(s *scene) { active(s); s.o.Turn = Slot{Limited: true, Leave: 1, Limit: 1} }, notes: "would",
			waiting: "for its turn"},
		{name: "one that somebody else has drained would be answered", set: func(*scene) {}, notes: "would", intent: "drained",
			waiting: "would have answered at 09:01:00 UTC"},
		{name: "then it waits for the end, whatever else happens", set: func(s *scene) {
			wouldAnswer(s)
			s.o.Machine.Value = fleet.StateTerminated
			s.task("web", "", "RUNNING", "RUNNING")
		}, intent: "drained", waiting: "would have answered at 09:00:50 UTC"},
		{name: "ended after Ebb would have answered", set: func(s *scene) { wouldAnswer(s); s.state(fleet.TerminatingProceed) }, notes: "ended",
			intent: "drained", ended: "drained"},
		{name: "ended before that", set: func(s *scene) {
			s.task("web", "", "RUNNING", "RUNNING")
			s.state(fleet.TerminatingProceed)
		}, notes: "ended", ended: "observed-incomplete", cut: "web:1/web RUNNING"},
		{name: "at the deadline what is left would be cut off, its targets would be out, and no alarm is raised", set: func(s *scene) {
			s.task("web", "web", "RUNNING", "RUNNING")
			s.deadlineOver()
			s.service("web", false, "healthy")
		}, notes: "would would", intent: "forced", cut: "web:1/web RUNNING"},
		{name: "at the deadline of a host that nobody has set DRAINING nothing can be said", set: func(s *scene) {
			s.deadlineOver()
			active(s)
			s.d.Asked = t0
		}, waiting: "nobody has set DRAINING"},
		{name: "a heartbeat is not sent", set: func(s *scene) {
			s.at(14 * time.Minute)
			s.fresh()
			s.task("web", "", "RUNNING", "RUNNING")
			delete(s.o.Tried, plan.Beat)
		}, notes: "waiting", waiting: "for 1 of 1 tasks"},
		{name: "a hook that is too short for a function is refused without an alarm", set: func(s *scene) {
			s.p.Tick, s.o.Hook.Value.Heartbeat = time.Minute, time.Minute
		}, notes: "ended", ended: "refused"},
		{name: "when the mode is drain again, what was decided is decided again and done", set: func(s *scene) {
			wouldAnswer(s)
			s.p.Observe = false
		}, do: "answer", notes: "mode answer", intent: "drained"},
	} {
		t.Run(tt.name, func(t *testing.T) { tt.check(t, watchedHost()) })
	}
}

func TestAnObservedDrainSaysWhenEbbWouldHaveAnswered(t *testing.T) {
	s := watchedHost()
	s.d = s.decide().Drain
	s.at(10 * time.Minute)
	s.fresh()
	s.state(fleet.TerminatingProceed)
	dec := s.decide()
	if f := dec.Drain.Final; f == nil || !f.At.Equal(t0.Add(time.Minute)) || !dec.Drain.Ended.Equal(s.now) {
		t.Fatalf("ended %+v at %s", f, dec.Drain.Ended)
	}
	if text := dec.Lines[0].Text; !strings.Contains(text, "observed, drained: no task was on it; Ebb would have answered at 09:01:00 UTC") {
		t.Errorf("says %q", text)
	}
	s.d = watchedHost().d
	s.o.Container.Value.Status, s.d.Asked, s.d.DrainingSince = fleet.Active, t0, time.Time{}
	if dec := s.decide(); !strings.Contains(dec.Drain.Final.Reason, "nobody had set it DRAINING") {
		t.Errorf("says %q", dec.Drain.Final.Reason)
	}
}
