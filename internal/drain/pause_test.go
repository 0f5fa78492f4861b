package drain

import (
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

func TestPaused(t *testing.T) {
	for _, tt := range []decideCase{
		{name: "what has not begun waits", set: func(*scene) {}, notes: "queued", waiting: "because prod is paused"},
		{name: "which is said once", set: func(s *scene) { s.d.Queued = t0 }, waiting: "because prod is paused"},
		{name: "a call that was to be made is not", set: func(s *scene) { s.d.Asked = t0 }, notes: "queued", waiting: "because prod is paused"},
		{name: "nor is one that failed", set: func(s *scene) {
			s.d.Asked = t0
			s.tried(plan.SetDraining, plan.Throttled, time.Minute)
		}, notes: "queued", waiting: "because prod is paused"},
		{name: "one that is under way may have its effect", set: func(s *scene) {
			s.d.Asked, s.o.Tried[plan.SetDraining] = t0, Try{Flying: true}
		}, waiting: "for ECS to set DRAINING"},
		{name: "what is DRAINING is answered", set: func(s *scene) { s.o.Container.Value.Status = fleet.Draining }, do: "answer", notes: "answer",
			intent: "drained"},
		{name: "a heartbeat is sent", set: func(s *scene) {
			s.at(14 * time.Minute)
			s.fresh()
			s.d.Queued = t0
			delete(s.o.Tried, plan.Beat)
		}, do: "heartbeat", waiting: "because prod is paused"},
		{name: "the deadline does not count", set: func(s *scene) { s.d.Queued = t0; s.deadlineOver() }, waiting: "because prod is paused"},
		{name: "what is only observed would wait", set: func(s *scene) { s.p.Observe, s.d.Observed = true, true }, notes: "would",
			waiting: "because prod is paused"},
		{name: "afterwards it begins", set: func(s *scene) { s.d.Queued = t0; s.o.Turn = Slot{} }, do: "set-draining", notes: "draining",
			waiting: "for ECS to set DRAINING"},
		{name: "when it has a slot again", set: func(s *scene) { s.d.Queued = t0; s.o.Turn = Slot{Limited: true, Leave: 1, Limit: 1} },
			waiting: "for its turn"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := emptyHost()
			s.o.Container.Value.Status, s.d.DrainingSince = fleet.Active, time.Time{}
			s.o.Turn = Slot{Paused: "prod is paused", Until: s.now.Add(time.Hour)}
			if tt.name == "what is DRAINING is answered" {
				s.d.DrainingSince = emptyHost().d.DrainingSince
			}
			tt.check(t, s)
		})
	}
}

func TestAPauseTakesTheSlotOfWhatHasNotBegun(t *testing.T) {
	s := emptyHost()
	s.o.Container.Value.Status, s.d.DrainingSince = fleet.Active, time.Time{}
	s.o.Turn = Slot{Limited: true, Limit: 1, Paused: "prod is paused", Until: s.now.Add(time.Hour)}
	s.d.Queued, s.d.Slot = t0, t0
	dec := s.decide()
	if !dec.Drain.Slot.IsZero() || len(dec.Do) > 0 || dec.Wake.IsZero() || dec.Wake.After(s.o.Turn.Until) {
		t.Fatalf("slot %s, does %v, decides again at %s", dec.Drain.Slot, dec.Do, dec.Wake)
	}
	s.d, s.o.Turn = dec.Drain, Slot{Limited: true, Limit: 1}
	if dec = s.decide(); !dec.Drain.Slot.Equal(s.now) {
		t.Errorf("slot %s after the pause", dec.Drain.Slot)
	}
}
