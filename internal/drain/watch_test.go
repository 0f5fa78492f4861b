package drain

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

// asActive makes the host one that nobody has set DRAINING yet.
func asActive(s *scene) {
	s.o.Container.Value.Status, s.d.DrainingSince, s.o.Running, s.o.Stopped = fleet.Active, time.Time{}, nil, nil
}

func TestAModeThatChangesIsTold(t *testing.T) {
	s := busy(2 * time.Minute)
	s.p.Observe = true
	s.d.Intent = &Answer{At: t0.Add(50 * time.Second), Outcome: Drained, Reason: "no task was on it"}
	dec := s.decide()
	if want := (Line{"mode", "the mode of group web is observe: Ebb only watches i-0a1b2c3d4e5f60718, and calls nothing but reads"}); dec.Lines[0] != want ||
		dec.Drain.Intent == nil {
		t.Errorf("says %+v, intent %+v", dec.Lines, dec.Drain.Intent)
	}
	s.d, s.p.Observe = dec.Drain, false
	dec = s.decide()
	if want := (Line{"mode", "the mode of group web is drain now: from here on Ebb drains i-0a1b2c3d4e5f60718"}); dec.Lines[0] != want || dec.Drain.Intent != nil {
		t.Errorf("says %+v, intent %+v", dec.Lines, dec.Drain.Intent)
	}
}

// What Ebb would do is noted once each, and so often that a record holds it.
func TestHowMuchIsNotedOfWhatEbbWouldDo(t *testing.T) {
	s := watchedHost()
	s.task("web", "web", "RUNNING", "RUNNING")
	s.deadlineOver()
	s.service("web", false, "healthy")
	svc := s.services["web"]
	for i := range 2 * mostNames {
		other := fleet.LoadBalancer{TargetGroup: fleet.ARN(fmt.Sprint("tg-", i)), Container: "app", ContainerPort: 80}
		svc.Value.LoadBalancers = append(svc.Value.LoadBalancers, other)
	}
	s.services["web"] = svc
	dec := s.decide()
	if n := len(dec.Drain.Would); n != mostNames || dec.Drain.Would[0] != "deregister 1 targets from "+string(group) ||
		dec.Drain.Would[n-1] != "deregister 1 targets from tg-98" {
		t.Errorf("%d are noted: %q", n, dec.Drain.Would)
	}
}

// A drain that only watches goes on looking at the pace of looks: somebody else acts meanwhile.
func TestAWatchedHostIsLookedAt(t *testing.T) {
	for name, x := range map[string]struct {
		set   func(*scene)
		kind  plan.LookKind
		asked time.Duration // since when it would have been asked to be DRAINING, after t0; negative: it would not
	}{
		"that would be set DRAINING":          {asActive, plan.ContainerInstances, time.Minute},
		"that would have been set before":     {func(s *scene) { asActive(s); s.d.Asked = t0 }, plan.ContainerInstances, 0},
		"that would be answered":              {func(*scene) {}, plan.GroupInstances, -1},
		"that would have been answered":       {func(s *scene) { s.d = s.decide().Drain }, plan.GroupInstances, -1},
		"at a deadline that nobody waits for": {func(s *scene) { s.deadlineOver(); asActive(s); s.d.Asked = t0 }, plan.GroupInstances, 0},
	} {
		s := watchedHost()
		x.set(s)
		dec := s.decide()
		at := s.o.Instance.At
		if x.kind == plan.ContainerInstances {
			at = s.o.Container.At
		}
		if got := soonest(dec, x.kind); !got.Equal(at.Add(s.p.Look)) {
			t.Errorf("%s: the next %s is wanted after %s", name, x.kind, got.Sub(at))
		}
		if got := dec.Drain.Asked; x.asked < 0 != got.IsZero() || x.asked >= 0 && !got.Equal(t0.Add(x.asked)) {
			t.Errorf("%s: asked since %s", name, got)
		}
	}
}

// A pause ends by itself: the drain decides again then, and knows since when it has waited.
func TestAPauseIsWaitedOut(t *testing.T) {
	s := emptyHost()
	asActive(s)
	s.o.Turn = Slot{Paused: "prod is paused", Until: s.now.Add(10 * time.Second)}
	dec := s.decide()
	if !dec.Wake.Equal(s.o.Turn.Until) || !dec.Drain.Queued.Equal(s.now) {
		t.Errorf("decides again at %s, waits since %s", dec.Wake, dec.Drain.Queued)
	}
	s.d = dec.Drain
	s.at(time.Minute + 5*time.Second)
	if dec = s.decide(); len(dec.Lines) > 0 || !dec.Drain.Queued.Equal(t0.Add(time.Minute)) {
		t.Errorf("says %+v, waits since %s", dec.Lines, dec.Drain.Queued)
	}
}

// While the tags of a group are not read the drain decides again when they are no longer waited for, and before its hook may run out.
func TestWhenTagsThatAreNotReadAreNotWaitedForAnyMore(t *testing.T) {
	for name, x := range map[string]struct {
		heard    time.Duration // ago
		excluded bool          // as an earlier kernel saw it
		wake     time.Duration // after it was heard
	}{
		"it was just heard":                      {0, false, 15 * time.Second},
		"it has sent its heartbeat":              {15 * time.Second, false, tagsFor},
		"an earlier kernel saw that it excludes": {0, true, tagsFor},
	} {
		s := emptyHost()
		asActive(s)
		s.d.Heard, s.o.Turn = s.now.Add(-x.heard), Slot{Unread: true, Excluded: x.excluded}
		dec := s.decide()
		if got := dec.Wake.Sub(s.d.Heard); got != x.wake || dec.Waiting != "to read the tags of the group" {
			t.Errorf("%s: decides again %s after it was heard, waits %q", name, got, dec.Waiting)
		}
	}
}

// What has begun goes on, whatever is said of its group later; and its heartbeats do not wait for the tags.
func TestWhatHasBegunIsNotExcluded(t *testing.T) {
	for name, set := range map[string]func(*scene){
		"it is DRAINING":              func(*scene) {},
		"ECS was asked":               func(s *scene) { asActive(s) },
		"its host was found dead":     func(s *scene) { asActive(s); s.o.Machine.Value = fleet.StateTerminated },
		"it was admitted in the past": func(s *scene) { s.d.Admitted, s.d.Heard, s.o.Turn = true, s.now, Slot{Unread: true} },
	} {
		s := busy(6 * time.Minute)
		set(s)
		if s.d = s.decide().Drain; !s.d.Admitted {
			t.Errorf("%s: it has not begun", name)
		}
		s.d.Heard, s.o.Turn = s.now, Slot{Unread: true}
		if do, _, _ := spell(s.decide(), s.now); !strings.HasSuffix(do, "heartbeat") {
			t.Errorf("%s: while the tags are not read it does %q", name, do)
		}
		s.o.Turn = Slot{Excluded: true}
		if dec := s.decide(); !dec.Drain.Open() {
			t.Errorf("%s: it has ended: %+v", name, dec.Drain.Final)
		}
	}
}
