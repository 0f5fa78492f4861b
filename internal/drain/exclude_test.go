package drain

import (
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
)

func TestExcluded(t *testing.T) {
	fresh := func(s *scene) {
		s.o.Container.Value.Status, s.d.DrainingSince = fleet.Active, time.Time{}
		s.d.Heard = s.now
	}
	run(t, []decideCase{
		{name: "a drain that has not begun ends", set: func(s *scene) { fresh(s); s.o.Turn.Excluded = true }, notes: "excluded ended", ended: "excluded"},
		{name: "also one that waits for its turn", set: func(s *scene) { fresh(s); s.d.Queued, s.o.Turn.Excluded = t0, true }, notes: "excluded ended",
			ended: "excluded"},
		{name: "also one that somebody else has set DRAINING", set: func(s *scene) { s.o.Turn.Excluded = true }, notes: "excluded ended",
			ended: "excluded"},
		{name: "one that Ebb has begun goes on", set: func(s *scene) { s.d.Admitted, s.o.Turn.Excluded = true, true }, do: "answer", notes: "answer",
			intent: "drained"},
		{name: "nothing begins before the tags are read", set: func(s *scene) { fresh(s); s.o.Turn.Unread = true }, waiting: "to read the tags of the group"},
		{name: "nor is a heartbeat sent at once", set: func(s *scene) {
			fresh(s)
			s.d.Zero, s.o.Turn.Unread = t0.Add(-10*time.Minute), true
		}, waiting: "to read the tags of the group"},
		{name: "but before the hook may run out", set: func(s *scene) {
			fresh(s)
			s.d.Zero, s.d.Heard, s.o.Turn.Unread = t0.Add(-10*time.Minute), s.now.Add(-15*time.Second), true
		}, do: "heartbeat", waiting: "to read the tags of the group"},
		{name: "nor then, where an earlier kernel saw the tag", set: func(s *scene) {
			fresh(s)
			s.d.Zero, s.d.Heard, s.o.Turn.Unread, s.o.Turn.Excluded = t0.Add(-10*time.Minute), s.now.Add(-59*time.Second), true, true
		}, waiting: "to read the tags of the group"},
		{name: "nor is a host answered that another drainer has drained", set: func(s *scene) { s.d.Heard, s.o.Turn.Unread = s.now, true },
			waiting: "to read the tags of the group"},
		{name: "but not for ever", set: func(s *scene) { fresh(s); s.d.Heard, s.o.Turn.Unread = s.now.Add(-tagsFor), true }, do: "set-draining",
			notes: "draining"},
	})
}

func TestADrainIsAdmittedWhenItBegins(t *testing.T) {
	s := emptyHost()
	s.o.Container.Value.Status, s.d.DrainingSince = fleet.Active, time.Time{}
	s.o.Turn = Slot{Limited: true, Leave: 1, Limit: 1}
	if s.d = s.decide().Drain; s.d.Admitted {
		t.Fatal("it waits for its turn")
	}
	s.o.Turn = Slot{}
	if s.d = s.decide().Drain; !s.d.Admitted || s.d.Asked.IsZero() {
		t.Fatalf("it has begun: %+v", s.d)
	}
	s.d = emptyHost().d
	s.d.Heard, s.o.Turn, s.o.Container.Value.Status = s.now, Slot{Unread: true}, fleet.Draining
	if s.decide().Drain.Admitted {
		t.Error("somebody else has drained it, and the tags are not known")
	}
}
