package drain

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

// busy has a task that runs and was told of, and no heartbeat was sent yet.
func busy(sinceT0 time.Duration) *scene {
	s := emptyHost()
	s.task("web", "", "RUNNING", "RUNNING")
	s.d.Left = []string{"web:1/web RUNNING"}
	s.at(sinceT0)
	s.fresh()
	delete(s.o.Tried, plan.Beat)
	return s
}

func TestAHookThatTimesOutTooSoonForAFunctionIsRefused(t *testing.T) {
	tick := func(heartbeat time.Duration) func(*scene) {
		return func(s *scene) {
			s.p.Tick, s.o.Hook.Value.Heartbeat = time.Minute, heartbeat
			s.task("web", "", "RUNNING", "RUNNING")
			s.d.Left = []string{"web:1/web RUNNING"}
			s.o.Tried[plan.Beat] = Try{Started: s.now, At: s.now, OK: s.now}
		}
	}
	run(t, []decideCase{
		{name: "three minutes are enough for one pass a minute", set: tick(3 * time.Minute), waiting: "for 1 of 1 tasks"},
		{name: "less is not", set: tick(3*time.Minute - 1), notes: "cut-off ended", ended: "refused"},
		{name: "though nothing is on it", set: func(s *scene) { s.p.Tick, s.o.Hook.Value.Heartbeat = time.Minute, time.Minute },
			notes: "cut-off ended", ended: "refused"},
		{name: "a hook that was not looked at is not refused", set: func(s *scene) {
			tick(time.Minute)(s)
			unknown(&s.o.Hook)
		}, looks: "hooks", waiting: "for 1 of 1 tasks"},
	})
}

func TestHowOftenEC2IsAsked(t *testing.T) {
	slow, fast := Defaults().LookSlow, Defaults().Look
	for name, x := range map[string]struct {
		set  func(*scene)
		pace time.Duration // after the latest look; 0: at once
	}{
		"ECS reaches the host":             {func(*scene) {}, 5 * slow},
		"ECS does not":                     {func(s *scene) { s.o.Container.Value.Connected = false }, fast},
		"it is not known whether ECS does": {func(s *scene) { unknown(&s.o.Container) }, slow},
		"ECS reached it a while ago":       {func(s *scene) { s.o.Container.At = s.now.Add(-2 * slow) }, slow},
		"and just before that":             {func(s *scene) { s.o.Container.At = s.now.Add(-2*slow + 1) }, 5 * slow},
		"its registration is not active":   {func(s *scene) { s.o.Container.Value.Status = fleet.Inactive }, fast},
		"it was not reached before":        {func(s *scene) { s.d.UnreachedFrom = t0; unknown(&s.o.Container) }, fast},
		"nor was EC2 ever asked":           {func(s *scene) { s.d.UnreachedFrom = t0; unknown(&s.o.Container); unknown(&s.o.Machine) }, 0},
		"nor was it ever, and Ebb has just heard": {func(s *scene) {
			s.d.UnreachedFrom, s.d.Heard = t0, s.now
			unknown(&s.o.Container)
			unknown(&s.o.Machine)
		}, 0},
		"the group says that it is unhealthy":   {func(s *scene) { s.o.Instance.Value.Healthy = false }, fast},
		"nothing was looked at":                 {func(s *scene) { unknown(&s.o.Instance); unknown(&s.o.Container) }, slow},
		"the instance is not in its group, say": {func(s *scene) { s.d.Hold = Hold{}; s.noHook = true; absent(&s.o.Instance) }, 5 * slow},
	} {
		t.Run(name, func(t *testing.T) {
			s := busy(5 * time.Minute)
			x.set(s)
			want := s.o.Machine.At.Add(x.pace)
			if x.pace == 0 {
				want = s.now
			}
			if got := dueOf(t, s.decide(), plan.Instances); !got.Equal(want) {
				t.Errorf("looks after %s, want %s", got.Sub(s.o.Machine.At), want.Sub(s.o.Machine.At))
			}
		})
	}
}

// An answer that was decided on says why; a host that then dies is gone all the same, once the group has been looked at.
func TestAHostThatDiesBeforeTheAnswerIsGone(t *testing.T) {
	s := emptyHost()
	s.d.Intent = &Answer{At: t0, Outcome: Drained, Reason: "all 4 tasks have stopped"}
	s.o.Machine.Value = fleet.StateTerminated
	if got := outcome(s.decide().Drain.Intent); got != "host-gone" {
		t.Errorf("answers %q", got)
	}
}

func TestWhenTheDeadlineIs(t *testing.T) {
	p := Defaults()
	hook := func(global time.Duration) fleet.Fact[fleet.Hook] {
		return fleet.Fact[fleet.Hook]{Is: fleet.Seen, Value: fleet.Hook{Global: global}}
	}
	for name, x := range map[string]struct {
		d    Drain
		hook fleet.Fact[fleet.Hook]
		want time.Duration
	}{
		"of the policy":              {Drain{Zero: t0}, hook(25 * time.Hour), p.Deadline},
		"the hook is not known":      {Drain{Zero: t0}, fleet.Fact[fleet.Hook]{}, p.Deadline},
		"the hook has no global end": {Drain{Zero: t0}, hook(0), p.Deadline},
		"before that of the hook":    {Drain{Zero: t0}, hook(20 * time.Minute), 19 * time.Minute},
		"from when it got its slot":  {Drain{Zero: t0, Queued: t0, Slot: t0.Add(time.Hour)}, hook(25 * time.Hour), time.Hour + p.Deadline},
		"while it has none":          {Drain{Zero: t0, Queued: t0}, hook(0), longestHook},
		"and before that of a hook":  {Drain{Zero: t0, Queued: t0}, hook(20 * time.Minute), 19 * time.Minute},
	} {
		if got := Deadline(x.d, x.hook, p); !got.Equal(t0.Add(x.want)) {
			t.Errorf("%s: %s, want %s", name, got.Sub(t0), x.want)
		}
	}
	s := busy(10 * time.Minute)
	s.o.Tried[plan.Beat] = Try{OK: t0.Add(10 * time.Hour)}
	if got := s.decide().Wake; !got.Equal(t0.Add(p.Deadline)) {
		t.Errorf("wakes after %s", got.Sub(t0))
	}
}

func TestAtTheDeadline(t *testing.T) {
	over := func(set func(*scene)) func(*scene) {
		return func(s *scene) {
			s.task("web", "", "RUNNING", "RUNNING")
			s.d.Left = []string{"web:1/web RUNNING"}
			s.deadlineOver()
			set(s)
		}
	}
	doubt := func(set func(*scene)) func(*scene) {
		return over(func(s *scene) {
			s.d.Doubt, s.d.WaitingSince = true, s.now.Add(-time.Minute)
			s.o.Began = fleet.Fact[time.Time]{}
			set(s)
		})
	}
	began := func(s *scene, at time.Time) { s.o.Began = fleet.Fact[time.Time]{Is: fleet.Seen, At: at, Value: t0} }
	run(t, []decideCase{
		{name: "a hook that is not open is not answered", set: over(func(s *scene) { s.state(fleet.Terminating) }), waiting: "the hook is not open yet"},
		{name: "a host without a hook is let go, whatever is known of groups", set: over(func(s *scene) {
			s.d.Hold, s.noHook = Hold{}, true
			unknown(&s.o.Instance)
		}), notes: "cut-off ended", ended: "forced"},
		{name: "after a restart nothing else is looked at first", set: over(func(s *scene) {
			unknown(&s.o.Instance)
			s.o.Running = nil
		}), looks: "group-instances", waiting: "to look at the group"},
		{name: "the time of the message is in doubt", set: doubt(func(*scene) {}), looks: "activities", waiting: "for 1 of 1 tasks"},
		{name: "the doubt has been answered", set: doubt(func(s *scene) { began(s, s.now) }), do: "answer", notes: "answer", intent: "forced"},
		{name: "it was answered before the instance waited", set: doubt(func(s *scene) { began(s, s.d.WaitingSince.Add(-1)) }), looks: "activities",
			waiting: "for 1 of 1 tasks"},
		{name: "as far as clocks tell", set: doubt(func(s *scene) {
			s.p.Skew = time.Second
			began(s, s.d.WaitingSince.Add(-time.Second))
		}), do: "answer", notes: "answer", intent: "forced"},
		{name: "nobody waits longer than two minutes for that", set: doubt(func(s *scene) { s.d.WaitingSince = s.now.Add(-2 * time.Minute) }),
			do: "answer", looks: "activities", notes: "answer", intent: "forced"},
		{name: "which count from when the doubt came", set: doubt(func(s *scene) {
			s.d.WaitingSince = t0
			s.o.Tried[plan.Answer] = Try{Class: plan.Gone, Token: token, Started: s.now.Add(-2 * time.Minute), At: s.now.Add(-2*time.Minute + 1), Fails: 1}
		}), looks: "activities", waiting: "for 1 of 1 tasks"},
		{name: "and not from another attempt", set: doubt(func(s *scene) { s.d.WaitingSince = t0 }), do: "answer", looks: "activities", notes: "answer",
			intent: "forced"},
		{name: "what is not in doubt is not waited for", set: over(func(s *scene) { s.d.WaitingSince = s.now.Add(-time.Minute) }), do: "answer",
			notes: "answer", intent: "forced"},
	})
}

func TestTheReasonOfAForcedEnding(t *testing.T) {
	trouble := func(kind plan.LookKind) func(plan.LookKind) string {
		return func(k plan.LookKind) string {
			if k == kind {
				return "access denied"
			}
			return ""
		}
	}
	for _, x := range []struct {
		want string
		set  func(*scene)
	}{
		{"the deadline of 30m0s is over", func(*scene) {}},
		{"the deadline of 1m4s is over", func(s *scene) { s.o.Hook.Value.Global = 67 * time.Second }},
		{"the deadline of 30m0s is over", func(s *scene) { s.d.Queued, s.d.Slot = t0, t0 }},
		{"the hook ends before its turn came to leave", func(s *scene) { s.d.Queued, s.o.Hook.Value.Global = t0, 30*time.Minute }},
		{"the deadline of 30m0s is over; the instance is in cluster other and not in prod, so its tasks were not looked at",
			func(s *scene) { s.o.Container.Value.Cluster = "other" }},
		{"the deadline of 30m0s is over", func(s *scene) { absent(&s.o.Container); s.o.Running = nil }},
		{"the deadline of 30m0s is over; the container instance could not be looked at", func(s *scene) { unknown(&s.o.Container) }},
		{"the deadline of 30m0s is over; the container instance could not be looked at: access denied",
			func(s *scene) { unknown(&s.o.Container); s.o.Trouble = trouble(plan.ContainerInstances) }},
		{"the deadline of 30m0s is over; its tasks could not be listed", func(s *scene) { s.o.Stopped = nil }},
		{"the deadline of 30m0s is over; its tasks could not be listed: access denied",
			func(s *scene) { s.o.Running = nil; s.o.Trouble = trouble(plan.ListStopped) }},
	} {
		s := emptyHost()
		s.task("web", "", "RUNNING", "RUNNING")
		s.deadlineOver()
		s.d.Cutting = s.now.Add(-outFor)
		x.set(s)
		if got := s.decide().Drain.Intent; got == nil || got.Reason != x.want {
			t.Errorf("got %+v, want %s", got, x.want)
		}
	}
}

func TestALostHost(t *testing.T) {
	lost := func(set func(*scene)) func(*scene) {
		return func(s *scene) {
			s.task("web", "", "RUNNING", "RUNNING")
			s.d.Left = []string{"web:1/web RUNNING"}
			s.unreached()
			s.o.Container.At = s.now
			s.d.UnreachedFrom = s.now.Add(-s.p.LostAfter)
			set(s)
		}
	}
	run(t, []decideCase{
		{name: "is lost after exactly the time", set: lost(func(*scene) {}), do: "answer", notes: "answer", intent: "lost"},
		{name: "not before", set: lost(func(s *scene) { s.d.UnreachedFrom = s.d.UnreachedFrom.Add(1) }), waiting: "for 1 of 1 tasks"},
		{name: "later, if clocks may differ", set: lost(func(s *scene) {
			s.p.Skew, s.o.Running[0], s.o.Stopped[0] = 1, s.o.Running[0].Add(1), s.o.Stopped[0].Add(time.Second)
		}), waiting: "for 1 of 1 tasks"},
		{name: "not when it never joined a cluster", set: lost(func(s *scene) {
			s.d.ContainerInstance = ""
			absent(&s.o.Container)
			s.d.AbsentSince = s.now
		}), waiting: "to find the container instance"},
		{name: "not while a task was listed and not described", set: lost(func(s *scene) {
			s.o.Tasks = append(s.o.Tasks, fleet.Fact[fleet.Task]{Value: fleet.Task{ARN: "arn:aws:ecs:eu-west-1:111122223333:task/prod/t1"}})
		}), looks: "tasks", waiting: "for 2 of 2 tasks"},
		{name: "if the last look is new enough", set: lost(func(s *scene) {
			s.d.UnreachedFrom, s.o.Container.At = t0, s.now.Add(-2*s.p.Look)
		}), do: "answer", looks: "find-container-instances", notes: "answer", intent: "lost"},
	})
	s := emptyHost()
	s.o.Hook.Value.Heartbeat = time.Hour // its heartbeat comes later
	lost(func(s *scene) { s.d.UnreachedFrom = s.now.Add(-time.Minute) })(s)
	if got := s.decide().Wake; !got.Equal(s.now.Add(s.p.LostAfter - time.Minute)) {
		t.Errorf("wakes in %s", got.Sub(s.now))
	}
}

func TestAfterAnAnswerThatMayHaveBeenTakenTheGroupIsLookedAt(t *testing.T) {
	tried := func(class plan.Class, ago time.Duration) func(*scene) {
		return func(s *scene) {
			s.d.ByID, s.d.WaitingSince = true, s.now
			s.tried(plan.Answer, class, ago)
			s.o.Instance.At = s.o.Tried[plan.Answer].Started
		}
	}
	retry := Defaults().Retry
	run(t, []decideCase{
		{name: "it is not known whether it was taken", set: tried(plan.Unclear, 6*retry-1), looks: "group-instances", notes: "answer", intent: "drained"},
		{name: "but not for ever", set: tried(plan.Unclear, 6*retry), do: "answer", notes: "answer", intent: "drained"},
		{name: "AWS knows no such action", set: tried(plan.Gone, 2*retry), looks: "group-instances", notes: "answer", intent: "drained"},
		{name: "a throttled one was not taken", set: tried(plan.Throttled, 2*retry), do: "answer", notes: "answer", intent: "drained"},
	})
	s := emptyHost()
	tried(plan.Unclear, time.Second)(s)
	if got := s.decide().Wake; !got.Equal(s.now.Add(retry)) {
		t.Errorf("wakes in %s", got.Sub(s.now))
	}
}

func TestWhenHeartbeatsAreDue(t *testing.T) {
	due := func(timeout, tick time.Duration, key string) time.Duration {
		s := busy(2 * time.Second)
		s.d.Key, s.p.Tick, s.o.Hook.Value.Heartbeat = key, tick, timeout
		dec := s.decide()
		if len(dec.Do) > 0 {
			t.Errorf("%s: sends %s at once", key, dec.Do[0].Kind)
		}
		return dec.Wake.Sub(t0)
	}
	for _, x := range []struct{ timeout, tick, from, to time.Duration }{
		{48 * time.Second, 0, 12 * time.Second, 16 * time.Second},
		{48 * time.Second, 8 * time.Second, 4 * time.Second, 8 * time.Second},
		{36 * time.Second, 0, 9 * time.Second, 12 * time.Second},
		{3 * time.Minute, time.Minute, 15 * time.Second, 15 * time.Second}, // not again and again in one pass
	} {
		var all []time.Duration
		for i := range 200 {
			all = append(all, due(x.timeout, x.tick, fmt.Sprintf("web/i-%d/1", i)))
		}
		slices.Sort(all)
		near := (x.to - x.from) / 20
		if all[0] < x.from || all[199] > x.to || all[0] > x.from+near || all[199] < x.to-near {
			t.Errorf("time-out %s, tick %s: due after %s to %s, want %s to %s", x.timeout, x.tick, all[0], all[199], x.from, x.to)
		}
	}
}

func TestHeartbeatsOfHooksThatAreNotKnown(t *testing.T) {
	run(t, []decideCase{
		{name: "the shortest time-out has a third, too", set: func(s *scene) { *s = *busy(7 * time.Second); unknown(&s.o.Hook) }, looks: "hooks"},
		{name: "a pass looks first", set: func(s *scene) { *s = *busy(20 * time.Second); s.p.Tick = 1; unknown(&s.o.Hook) }, looks: "hooks"},
		{name: "unless looks fail", set: func(s *scene) {
			*s = *busy(20 * time.Second)
			s.p.Tick = 1
			unknown(&s.o.Hook)
			s.o.Trouble = func(k plan.LookKind) string { return map[plan.LookKind]string{plan.Hooks: "access denied"}[k] }
		}, do: "heartbeat", looks: "hooks"},
		{name: "a pass sends it when it has looked", set: func(s *scene) { *s = *busy(6 * time.Minute); s.p.Tick = 1 }, do: "heartbeat"},
		{name: "a pass that cannot look at hooks that do not exist sends it", set: func(s *scene) {
			*s = *busy(20 * time.Second)
			s.p.Tick = 1
			absent(&s.o.Hook)
		}, do: "heartbeat"},
		{name: "without a hook no hook is looked at", set: func(s *scene) {
			*s = *busy(6 * time.Minute)
			s.d.Hold, s.noHook = Hold{}, true
			s.o.Instance, s.o.Hook = fleet.Fact[fleet.GroupInstance]{}, fleet.Fact[fleet.Hook]{}
		}},
	})
	s := busy(6 * time.Minute)
	s.d.ByID = true
	s.o.Tried[plan.Beat] = Try{Class: plan.Gone, Started: s.now, At: s.now, Fails: 1}
	dec := s.decide()
	if !dec.Wake.Equal(s.now.Add(s.p.Retry)) || len(dec.Do) > 0 || !slices.Contains(dec.Want, Want{Subject: s.d.subject(plan.GroupInstances, ""), Due: s.now}) {
		t.Errorf("after AWS knew no such action it wakes in %s and does %v", dec.Wake.Sub(s.now), dec.Do)
	}
}

func TestWhichHeartbeatsExpire(t *testing.T) {
	for name, x := range map[string]struct {
		set  func(*scene)
		want bool
	}{
		"one that is due":                          {func(s *scene) { s.o.Tried[plan.Beat] = Try{OK: s.now.Add(-6 * time.Minute)} }, false},
		"half of the time-out is over":             {func(s *scene) { s.o.Tried[plan.Beat] = Try{OK: s.now.Add(-450 * time.Second)} }, false},
		"more than half":                           {func(s *scene) { s.o.Tried[plan.Beat] = Try{OK: s.now.Add(-450*time.Second - 1)} }, true},
		"every one of a pass":                      {func(s *scene) { s.p.Tick = 1; s.o.Tried[plan.Beat] = Try{OK: s.now.Add(-6 * time.Minute)} }, true},
		"one that failed":                          {func(s *scene) { s.tried(plan.Beat, plan.Denied, time.Minute) }, true},
		"one that was throttled":                   {func(s *scene) { s.tried(plan.Beat, plan.Throttled, time.Minute) }, false},
		"one after another, long ago, that failed": {func(s *scene) { s.tried(plan.Beat, plan.Denied, time.Minute); reset(s) }, false},
	} {
		s := busy(7 * time.Minute)
		x.set(s)
		dec := s.decide()
		if len(dec.Do) != 1 || dec.Do[0].Hook.Expiring != x.want {
			t.Errorf("%s: %+v, want expiring %t", name, dec.Do, x.want)
		}
	}
}

// reset is what a success leaves of a failure.
func reset(s *scene) {
	try := s.o.Tried[plan.Beat]
	try.Fails, try.Class = 0, plan.OK
	s.o.Tried[plan.Beat] = try
}

func TestAHostInAnotherClusterIsOnlyWatched(t *testing.T) {
	s := emptyHost()
	s.o.Container.Value.Cluster, s.o.Container.Value.Status = "other", fleet.Active
	dec := s.decide()
	if do, _, _ := spell(dec, s.now); do != "" || dec.Waiting != "for the deadline: the instance is in cluster other, but its group is configured for prod" {
		t.Errorf("does %q, waits %s", do, dec.Waiting)
	}
	if due := dueOf(t, dec, plan.FindContainerInstances); !due.Equal(s.o.Container.At.Add(s.p.LookSlow)) {
		t.Errorf("looks again after %s", due.Sub(s.o.Container.At))
	}
}

func TestWhereAContainerInstanceIsLookedFor(t *testing.T) {
	find := func(s *scene) plan.Subject {
		s.d.ContainerInstance = ""
		absent(&s.o.Container)
		dec := s.decide()
		dueOf(t, dec, plan.FindContainerInstances)
		return dec.Want[slices.IndexFunc(dec.Want, func(w Want) bool { return w.Kind == plan.FindContainerInstances })].Subject
	}
	s := emptyHost()
	unknown(&s.o.Container)
	s.d.ContainerInstance = ""
	if dec := s.decide(); dec.Want[slices.IndexFunc(dec.Want, func(w Want) bool { return w.Kind == plan.FindContainerInstances })].In != "prod" {
		t.Errorf("first it looks at %+v", dec.Want)
	}
	if got := find(emptyHost()); got.In != "" {
		t.Errorf("then in %q, want all clusters", got.In)
	}
}

func TestLooksAtTheContainerInstance(t *testing.T) {
	for name, x := range map[string]struct {
		set  func(*scene)
		pace time.Duration
	}{
		"reached":          {func(*scene) {}, Defaults().LookSlow},
		"not reached":      {func(s *scene) { s.o.Container.Value.Connected = false }, Defaults().Look},
		"still registers":  {func(s *scene) { s.o.Container.Value.Status = "REGISTERING" }, Defaults().Look},
		"deregistered now": {func(s *scene) { absent(&s.o.Container) }, Defaults().Look},
	} {
		s := busy(2 * time.Minute)
		x.set(s)
		dec := s.decide()
		soonest := s.now.Add(time.Hour)
		for _, w := range dec.Want {
			if (w.Kind == plan.ContainerInstances || w.Kind == plan.FindContainerInstances) && w.Due.Before(soonest) {
				soonest = w.Due
			}
		}
		if !soonest.Equal(s.o.Container.At.Add(x.pace)) || strings.Contains(dec.Waiting, "to look at the container") {
			t.Errorf("%s: looks after %s, waits %s", name, soonest.Sub(s.o.Container.At), dec.Waiting)
		}
	}
}

func TestSettingDraining(t *testing.T) {
	active := func(set func(*scene)) func(*scene) {
		return func(s *scene) { s.o.Container.Value.Status = fleet.Active; set(s) }
	}
	limited := func(leave int) Slot { return Slot{Limited: true, Leave: leave, Limit: 2} }
	run(t, []decideCase{
		{name: "one whose registration failed is not set DRAINING", set: func(s *scene) {
			s.o.Container.Value.Status, s.o.Running = fleet.RegistrationFailed, nil
		}, looks: "list-running-tasks", waiting: "to list the tasks on it"},
		{name: "one that somebody set ACTIVE again is set DRAINING at once", set: active(func(s *scene) { s.tried(plan.SetDraining, plan.OK, time.Second) }),
			do: "set-draining", notes: "draining"},
		{name: "after a failure and a look it is not looked at again", set: active(func(s *scene) {
			s.tried(plan.SetDraining, plan.Unclear, time.Second)
			s.o.Container.At = s.now
		}), waiting: "for ECS to set DRAINING"},
		{name: "without its slot it waits", set: active(func(s *scene) { s.o.Turn = limited(2) }), notes: "queued", waiting: "for its turn: 2 of group web"},
		{name: "which is told once", set: active(func(s *scene) { s.o.Turn, s.d.Queued = limited(2), t0 }), waiting: "for its turn: 2 of group web"},
		{name: "with one more to leave it goes", set: active(func(s *scene) { s.o.Turn = limited(1) }), do: "set-draining", notes: "draining"},
		{name: "a slot is kept", set: active(func(s *scene) { s.o.Turn, s.d.Queued, s.d.Slot = limited(2), t0, t0 }), do: "set-draining", notes: "draining"},
	})
	for name, x := range map[string]struct {
		turn         Slot
		queued, slot time.Time
		wantSlot     time.Duration // after the start; negative: none
	}{
		"without a limit there is none":       {Slot{}, time.Time{}, time.Time{}, -1},
		"whoever waited gets one":             {Slot{}, t0, time.Time{}, time.Minute},
		"whoever may leave gets one":          {limited(0), time.Time{}, time.Time{}, time.Minute},
		"it stays as old as it is":            {limited(2), t0, t0.Add(time.Second), time.Second},
		"also when there is no limit anymore": {Slot{}, t0, t0.Add(time.Second), time.Second},
		"nobody gets one too many":            {limited(2), time.Time{}, time.Time{}, -1},
	} {
		s := emptyHost()
		s.o.Container.Value.Status, s.o.Turn, s.d.Queued, s.d.Slot = fleet.Active, x.turn, x.queued, x.slot
		d := s.decide().Drain
		if x.wantSlot < 0 != d.Slot.IsZero() || x.wantSlot >= 0 && !d.Slot.Equal(t0.Add(x.wantSlot)) {
			t.Errorf("%s: slot %s", name, d.Slot)
		}
		if gone := x.wantSlot >= 0 || !x.turn.Limited; gone != d.Asked.Equal(s.now) || gone == d.Queued.Equal(s.now) {
			t.Errorf("%s: asked %s, queued %s", name, d.Asked, d.Queued)
		}
	}
}

func TestClocksThatDifferMakeItWaitLonger(t *testing.T) {
	skew := 10 * time.Second
	run(t, []decideCase{
		{name: "for the second look that finds nothing", set: func(s *scene) {
			s.p.Skew, s.d.ContainerInstance = skew, ""
			absent(&s.o.Container)
			s.d.AbsentSince = s.o.Container.At.Add(-absentFor - skew + 1)
		}, waiting: "to find the container instance"},
		{name: "for daemon tasks", set: func(s *scene) {
			s.daemonLeft("")
			s.o.Running[0], s.o.Stopped[0] = s.now.Add(-2*time.Minute), s.now
			s.p.Skew, s.d.EmptySince = skew, s.now.Add(-s.p.DaemonGrace-skew+1)
			s.d.Left = []string{"agent:1/agent RUNNING"}
		}, waiting: "for 1 daemon tasks to stop"},
		{name: "for a message that is not true", set: func(s *scene) {
			s.state(fleet.InService)
			s.p.Skew, s.d.StayingSince = skew, s.o.Instance.At.Add(-stayingFor-skew+1)
		}, waiting: "it says that the instance is InService"},
	})
}
