package drain

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

// A drain that has just ended sends nothing more, though a heartbeat is due and the group still says that the instance waits.
func TestAnEndedDrainSendsNoHeartbeat(t *testing.T) {
	s := emptyHost()
	s.at(6 * time.Minute)
	s.fresh()
	delete(s.o.Tried, plan.Beat)
	s.d.Intent = &Answer{At: t0, Outcome: Drained, Reason: "no task was on it"}
	s.tried(plan.Answer, plan.OK, time.Second)
	if do, _, _ := spell(s.decide(), s.now); do != "" {
		t.Errorf("does %q", do)
	}
}

func TestItWakesAtTheEarliestTime(t *testing.T) {
	c := &decider{}
	for _, x := range []struct{ at, want time.Duration }{{2, 2}, {1, 1}, {3, 1}} {
		if c.wake(t0.Add(x.at)); !c.out.Wake.Equal(t0.Add(x.want)) {
			t.Errorf("after one at %d it wakes at %d, want %d", x.at, c.out.Wake.Sub(t0), x.want)
		}
	}
}

// A failed action waits for the retry interval and up to half of it more, each drain and each attempt for a time of its own.
func TestRetriesAreSpread(t *testing.T) {
	waits := func(key string, fails int) time.Duration {
		s := emptyHost()
		s.d.Key = key
		s.o.Tried[plan.Answer] = Try{At: s.now, Class: plan.Throttled, Fails: fails}
		c := &decider{seen: s, p: s.p, now: s.now, out: Decision{Drain: s.d}}
		if c.ready(plan.Answer) {
			t.Errorf("%s, failure %d: ready at once", key, fails)
		}
		c.now = c.out.Wake
		if !c.ready(plan.Answer) {
			t.Errorf("%s, failure %d: not ready when it said", key, fails)
		}
		return c.out.Wake.Sub(s.now)
	}
	var byKey, byCount []time.Duration
	for i := range 200 {
		byKey = append(byKey, waits(fmt.Sprintf("web/i-%d/1", i), 1))
		byCount = append(byCount, waits("web/i-0/1", 1+i*100))
	}
	retry := Defaults().Retry
	for name, all := range map[string][]time.Duration{"200 drains": byKey, "200 attempts": byCount} {
		slices.Sort(all)
		if all[0] < retry || all[0] > retry+retry/20 || all[199] > retry+retry/2 || all[199] < retry+retry*9/20 {
			t.Errorf("%s wait from %s to %s, want from %s to %s", name, all[0], all[199], retry, retry+retry/2)
		}
		if n := len(slices.Compact(all)); n < 190 {
			t.Errorf("%s wait for only %d different times", name, n)
		}
	}
	var shares []time.Duration // heartbeats of a hook of 15 minutes are spread over more than a minute
	for i := range 200 {
		shares = append(shares, jitter(fmt.Sprintf("web/i-%d/1", i), 0, 75*time.Second))
	}
	slices.Sort(shares)
	if shares[0] > 4*time.Second || shares[100] < 30*time.Second || shares[100] > 45*time.Second || shares[199] < 71*time.Second {
		t.Errorf("shares of 75 s: from %s over %s to %s", shares[0], shares[100], shares[199])
	}
	if got := jitter("web/i-0/1", 1, 0); got != 0 {
		t.Errorf("a share of nothing is %s", got)
	}
}

func TestTheLastLineSaysWhatWasCutOff(t *testing.T) {
	for want, cut := range map[string][]string{
		"forced: the end": nil, "forced: the end; cut off: a": {"a"}, "forced: the end; cut off: a, b": {"a", "b"},
	} {
		lost := "host ends with work on it, as far as is known: " + cmp.Or(strings.Join(cut, ", "), "nothing")
		c := &decider{now: t0}
		c.out.Drain.Target.ID = "host"
		c.close(Forced, "the end", cut)
		if got := c.out.Lines; len(got) != 2 || got[0] != (Line{"cut-off", lost}) || got[1] != (Line{"ended", want}) {
			t.Errorf("got %+v, want %s", got, want)
		}
	}
}

func TestAnswersAreComparedByWhatTheySay(t *testing.T) {
	one, other := Drain{Final: &Answer{At: t0, CutOff: []string{"a"}}}, Drain{Final: &Answer{At: t0, CutOff: []string{"a"}}}
	if !one.Same(&other) || one.Same(&Drain{}) || (&Drain{}).Same(&one) {
		t.Error("two drains with the same answer are not the same, or one without is")
	}
}

func TestTheTimeOfDaemonTasksDoesNotBeginBeforeTheTasksAreListed(t *testing.T) {
	s := emptyHost()
	s.o.Running = nil
	if dec := s.decide(); !dec.Drain.EmptySince.IsZero() || dec.Waiting != "to list the tasks on it" {
		t.Errorf("empty since %s, waits %s", dec.Drain.EmptySince, dec.Waiting)
	}
}

func TestOfSeveralListsTheFirstThatHasSettledCounts(t *testing.T) {
	after := func(seconds ...int) (times []time.Time) {
		for _, s := range seconds {
			times = append(times, t0.Add(time.Duration(s)*time.Second))
		}
		return times
	}
	run(t, []decideCase{ // it is DRAINING since 5 s, and reads settle within 10 s
		{name: "the first list came too early", set: func(s *scene) { s.o.Running, s.o.Stopped = after(1, 15), after(27) },
			do: "answer", notes: "answer", intent: "drained"},
		{name: "and the list of the others followed only that one", set: func(s *scene) { s.o.Running, s.o.Stopped = after(1, 15), after(14) },
			looks: "list-stopped-tasks", waiting: "once more"},
		{name: "a later list makes no difference", set: func(s *scene) { s.o.Running, s.o.Stopped = after(15, 40), after(27) },
			do: "answer", notes: "answer", intent: "drained"},
		{name: "one that was never seen DRAINING counts from the message", set: func(s *scene) {
			s.o.Container.Value.Status, s.d.DrainingSince = fleet.Inactive, time.Time{}
			s.o.Running, s.o.Stopped = after(9), nil
		}, looks: "list-running-tasks", waiting: "to list the tasks on it"},
		{name: "as far as its reads have settled", set: func(s *scene) {
			s.o.Container.Value.Status, s.d.DrainingSince = fleet.Inactive, time.Time{}
			s.o.Running, s.o.Stopped = after(10), after(22)
		}, do: "answer", notes: "answer", intent: "drained"},
		{name: "clocks that differ make it wait longer", set: func(s *scene) {
			s.p.Skew = 5 * time.Second
			s.o.Running, s.o.Stopped = after(19), nil
		}, looks: "list-running-tasks", waiting: "to list the tasks on it"},
		{name: "and no longer than that", set: func(s *scene) {
			s.p.Skew = 5 * time.Second
			s.o.Running, s.o.Stopped = after(20), after(37)
		}, do: "answer", notes: "answer", intent: "drained"},
	})
}

// Shortly before the deadline there is no time left for the second list to be a proof; it is made at once, for the names of what is cut off.
func TestBeforeTheDeadlineTheSecondListIsMadeAtOnce(t *testing.T) {
	run(t, []decideCase{
		{name: "there is no time", set: func(s *scene) {
			s.at(s.p.Deadline - 15*time.Second)
			s.fresh()
			s.o.Running, s.o.Stopped = []time.Time{s.now.Add(-time.Second)}, nil
			s.d.DrainingSince = s.now.Add(-20 * time.Second)
		}, looks: "list-stopped-tasks", waiting: "once more"},
		{name: "it has been made", set: func(s *scene) {
			s.at(s.p.Deadline - 15*time.Second)
			s.fresh()
			s.o.Running, s.o.Stopped = []time.Time{s.now.Add(-time.Second)}, []time.Time{s.now}
			s.d.DrainingSince = s.now.Add(-20 * time.Second)
		}, waiting: "once more"},
		{name: "there is time", set: func(s *scene) {
			s.at(s.p.Deadline - 23*time.Second)
			s.fresh()
			s.o.Running, s.o.Stopped = []time.Time{s.now.Add(-time.Second)}, nil
			s.d.DrainingSince = s.now.Add(-20 * time.Second)
		}, waiting: "once more"},
	})
}

// What the pages of a cluster's list show is held against the count of a host that is DRAINING, and of no other.
func TestOnlyTheCountOfAHostThatDrainsIsAskedFor(t *testing.T) {
	paged := func(s *scene) {
		s.o.Paged, s.o.Whole, s.o.Stopped = true, s.now.Add(-15*time.Second), nil
		s.o.Container.At, s.o.Container.Value.Running = s.o.Whole.Add(-time.Second), 1
	}
	run(t, []decideCase{
		{name: "it drains", set: paged, looks: "container-instances", waiting: "once more"},
		{name: "its list has no pages", set: func(s *scene) { paged(s); s.o.Paged = false }, looks: "list-stopped-tasks", waiting: "once more"},
		{name: "it was deregistered", set: func(s *scene) { paged(s); s.o.Container.Value.Status = fleet.Inactive },
			looks: "list-stopped-tasks", waiting: "once more"},
		{name: "the cluster does not know it", set: func(s *scene) { paged(s); absent(&s.o.Container) },
			looks: "find-container-instances list-stopped-tasks", waiting: "once more"},
	})
}

func TestHowManyTasksWereToRunWhenECSCounted(t *testing.T) {
	s := emptyHost()
	counted := s.o.Container.At
	for _, x := range []struct {
		is      fleet.Knowledge
		desired string
		after   time.Duration // of the look, after the count
	}{
		{fleet.Seen, "RUNNING", 1},                           // certain
		{fleet.Seen, "RUNNING", 2},                           // certain
		{fleet.Seen, "RUNNING", -1},                          // possible
		{fleet.Seen, "STOPPED", 1},                           // possible: it may have come to stop since
		{fleet.Seen, "STOPPED", -1},                          // not
		{fleet.Absent, "RUNNING", 1}, {fleet.Absent, "", -1}, // possible; not
		{fleet.Unknown, "STOPPED", -1}, {fleet.Unknown, "", 1}, // possible: nothing is known but that they were listed
	} {
		f := s.task(fmt.Sprint(len(s.o.Tasks)), "", "RUNNING", x.desired)
		f.Is, f.At = x.is, counted.Add(x.after*time.Second)
	}
	c := &decider{seen: s, p: s.p, now: s.now, out: Decision{Drain: s.d}}
	c.read()
	if sure, possible := desiredToRun(c); sure != 2 || possible != 7 {
		t.Errorf("for certain %d, at most %d; want 2 and 7", sure, possible)
	}
	c.lookAfter(counted)
	var asked []string
	for _, w := range c.out.Want {
		asked = append(asked, fleet.ARN(w.ID).Name())
	}
	if !slices.Equal(asked, []string{"2", "7"}) {
		t.Errorf("looks again at %v, want those that may be desired to run and were not seen since the count", asked)
	}
}

func TestACountIsBelievedWhenItsReadHasSettled(t *testing.T) {
	counts := func(empty time.Duration) func(s *scene) {
		return func(s *scene) {
			s.o.Container.Value.Running, s.o.Container.At = 2, s.now.Add(-time.Second)
			s.d.EmptySince = s.o.Container.At.Add(-empty)
			s.task("agent", "agent", "RUNNING", "RUNNING")
			s.service("agent", true, "")
			s.p.DaemonGrace = 0
			s.d.Left = []string{"agent:1/agent RUNNING"}
		}
	}
	run(t, []decideCase{
		{name: "it may lag", set: counts(10 * time.Second), waiting: "for ECS to count no running task on it"},
		{name: "it does not", set: counts(10*time.Second + 1), looks: "list-running-tasks", waiting: "for 1 tasks that ECS counts and does not list"},
	})
}

// The last look before the answer is not old, and says that the host is still DRAINING.
func TestBeforeTheAnswerTheHostIsSeenOnceMore(t *testing.T) {
	run(t, []decideCase{
		{name: "the look is old", set: func(s *scene) {
			s.at(5 * time.Minute)
			s.fresh()
			s.o.Container.At = s.now.Add(-2*s.p.LookSlow - 1)
		}, looks: "container-instances", waiting: "to see once more how many tasks ECS counts on it"},
		{name: "it is not", set: func(s *scene) {
			s.at(5 * time.Minute)
			s.fresh()
			s.o.Container.At = s.now.Add(-2 * s.p.LookSlow)
		}, looks: "container-instances", do: "answer", notes: "answer", intent: "drained"},
		{name: "it is from before the tasks were listed", set: func(s *scene) { s.o.Container.At = t0.Add(15*time.Second - 1) },
			looks: "container-instances", waiting: "to see once more how many tasks ECS counts on it"},
	})
}

func TestWhatIsRemembered(t *testing.T) {
	for name, x := range map[string]struct {
		set  func(*scene)
		want func(s *scene, d Drain) bool
	}{
		"a host that was found is not absent any more": {func(s *scene) { s.d.AbsentSince = t0 },
			func(_ *scene, d Drain) bool { return d.AbsentSince.IsZero() }},
		"the cluster in which it was found": {func(s *scene) { s.d.Cluster = "" },
			func(_ *scene, d Drain) bool { return d.Cluster == "prod" }},
		"the cluster that was configured stays": {func(s *scene) { s.o.Container.Value.Cluster = "other" },
			func(_ *scene, d Drain) bool { return d.Cluster == "prod" }},
		"nothing of a host in another cluster": {func(s *scene) { s.o.Container.Value.Cluster, s.o.Container.Value.ARN = "other", "c9" },
			func(_ *scene, d Drain) bool {
				return d.ContainerInstance == ci && d.DrainingSince.Equal(t0.Add(5*time.Second))
			}},
		"the request has been fulfilled": {func(s *scene) { s.d.Asked = t0 },
			func(_ *scene, d Drain) bool { return d.Asked.IsZero() }},
		"the request stands while it is ACTIVE": {func(s *scene) { s.d.Asked, s.o.Container.Value.Status = t0, fleet.Active },
			func(_ *scene, d Drain) bool { return d.Asked.Equal(t0) }},
		"a host that was deregistered is not reached": {func(s *scene) { s.o.Container.Value.Status = fleet.Inactive },
			func(s *scene, d Drain) bool { return d.UnreachedFrom.Equal(s.o.Container.At) }},
		"nor is one that the cluster does not know": {func(s *scene) { absent(&s.o.Container) },
			func(s *scene, d Drain) bool {
				return d.UnreachedFrom.Equal(s.o.Container.At) && d.AbsentSince.Equal(s.o.Container.At)
			}},
		"one that is reached is": {func(s *scene) { s.d.UnreachedFrom = t0 },
			func(_ *scene, d Drain) bool { return d.UnreachedFrom.IsZero() }},
		"a gap between looks does not count": {func(s *scene) {
			s.o.Container.Value.Connected, s.d.UnreachedFrom = false, t0
			s.o.Container.Before = s.o.Container.At.Add(-2*s.p.LookSlow - 1)
		}, func(s *scene, d Drain) bool { return d.UnreachedFrom.Equal(s.o.Container.At) }},
		"nor does a gap before it is reached": {func(s *scene) { s.o.Container.Before = s.o.Container.At.Add(-2*s.p.LookSlow - 1) },
			func(_ *scene, d Drain) bool { return d.UnreachedFrom.IsZero() }},
		"what a clock that is ahead has noted stays": {func(s *scene) {
			s.o.Container.Value.Connected, s.d.UnreachedFrom = false, s.now
			s.o.Container.Before = s.o.Container.At.Add(-2*s.p.LookSlow - 1)
		}, func(s *scene, d Drain) bool { return d.UnreachedFrom.Equal(s.now) }},
		"one that is leaving does not stay": {func(s *scene) { s.state(fleet.Terminating) },
			func(_ *scene, d Drain) bool { return d.StayingSince.IsZero() && d.WaitingSince.IsZero() }},
		"nor does one that has left": {func(s *scene) { s.state(fleet.TerminatingProceed) },
			func(_ *scene, d Drain) bool { return d.StayingSince.IsZero() }},
		"looks at their pace leave no gap": {func(s *scene) {
			s.o.Container.Value.Connected, s.d.UnreachedFrom = false, t0
			s.o.Container.Before = s.o.Container.At.Add(-2 * s.p.LookSlow)
		}, func(_ *scene, d Drain) bool { return d.UnreachedFrom.Equal(t0) }},
		"since when it waits": {func(s *scene) { s.d.WaitingSince, s.d.StayingSince = time.Time{}, t0 },
			func(s *scene, d Drain) bool { return d.WaitingSince.Equal(s.o.Instance.At) && d.StayingSince.IsZero() }},
		"since when it stays": {func(s *scene) { s.state(fleet.InService) },
			func(s *scene, d Drain) bool { return d.StayingSince.Equal(s.o.Instance.At) && d.WaitingSince.IsZero() }},
		"a failed look changes neither": {func(s *scene) { s.d.StayingSince = t0; unknown(&s.o.Instance) },
			func(_ *scene, d Drain) bool { return d.WaitingSince.Equal(t0) && d.StayingSince.Equal(t0) }},
		"a token that AWS does not know": {func(s *scene) { s.o.Tried[plan.Answer] = Try{Class: plan.Gone, Token: token} },
			func(_ *scene, d Drain) bool { return d.ByID && d.Doubt }},
		"what is said of an attempt before is nothing while the next is under way": {func(s *scene) {
			s.o.Tried[plan.Answer] = Try{Class: plan.Gone, Token: token, Flying: true}
		}, func(_ *scene, d Drain) bool { return !d.ByID && !d.Doubt }},
	} {
		t.Run(name, func(t *testing.T) {
			s := emptyHost()
			x.set(s)
			if d := s.decide().Drain; !x.want(s, d) {
				t.Errorf("it remembers %+v", d)
			}
		})
	}
}

// The time in a message is checked against the termination activity when there is a doubt.
func TestTheZeroOfTheDeadline(t *testing.T) {
	minute := func(n float64) time.Time { return t0.Add(time.Duration(n * float64(time.Minute))) }
	began := func(at time.Time) fleet.Fact[time.Time] {
		return fleet.Fact[time.Time]{Is: fleet.Seen, At: minute(1), Value: at}
	}
	for name, x := range map[string]struct {
		set         func(*scene)
		zero, doubt float64 // minutes; doubt 1 or 0
	}{
		"a message is believed":                  {func(s *scene) { s.o.Began = began(minute(0.5)) }, 0, 0},
		"one from before the wait is not":        {func(s *scene) { s.d.WaitingSince = time.Time{}; s.state(fleet.Terminating) }, 0, 1},
		"the group has not been looked at":       {func(s *scene) { s.d.WaitingSince = time.Time{}; unknown(&s.o.Instance) }, 0, 0},
		"the first look sees it wait":            {func(s *scene) { s.d.WaitingSince = time.Time{} }, 0, 0},
		"it waited at the look before":           {func(s *scene) { s.o.Instance.Is = fleet.Absent }, 0, 0},
		"the activity began later":               {func(s *scene) { s.d.Doubt, s.o.Began = true, began(minute(0.5)) }, 0.5, 1},
		"it began earlier than a message says":   {func(s *scene) { s.d.Doubt, s.o.Began = true, began(minute(-1)) }, 0, 1},
		"it began earlier than it was adopted":   {func(s *scene) { s.d.Adopted, s.o.Began = true, began(minute(-1)) }, -1, 0},
		"it began later than it was adopted":     {func(s *scene) { s.d.Adopted, s.o.Began = true, began(minute(0.5)) }, 0, 0},
		"AWS's clock is ahead":                   {func(s *scene) { s.d.Doubt, s.o.Began = true, began(minute(2)) }, 1, 1},
		"load balancers of the group came first": {func(s *scene) { s.d.Adopted, s.d.NotBefore, s.o.Began = true, minute(-1), began(minute(-5)) }, -1, 0},
		"the look was before the wait":           {func(s *scene) { s.d.Doubt, s.d.WaitingSince, s.o.Began = true, minute(1.1), began(minute(0.5)) }, 0, 1},
		"there is no activity": {func(s *scene) {
			s.d.Doubt, s.d.WaitingSince, s.o.Began = true, minute(0.5), fleet.Fact[time.Time]{Is: fleet.Absent, At: minute(1)}
		}, 0.5, 1},
		"there is none, and no doubt": {func(s *scene) {
			s.d.Adopted, s.d.WaitingSince, s.o.Began = true, minute(0.5), fleet.Fact[time.Time]{Is: fleet.Absent, At: minute(1)}
		}, 0, 0},
		"there is none, and the wait was before": {func(s *scene) {
			s.d.Doubt, s.d.WaitingSince, s.o.Began = true, minute(-0.5), fleet.Fact[time.Time]{Is: fleet.Absent, At: minute(1)}
		}, 0, 1},
		"that there was none before the wait is no news": {func(s *scene) {
			s.d.Doubt, s.d.WaitingSince, s.o.Began = true, minute(1.1), fleet.Fact[time.Time]{Is: fleet.Absent, At: minute(1)}
		}, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := emptyHost()
			x.set(s)
			if d := s.decide().Drain; !d.Zero.Equal(minute(x.zero)) || d.Doubt != (x.doubt == 1) {
				t.Errorf("zero is after %s, doubt %t", d.Zero.Sub(t0), d.Doubt)
			}
		})
	}
}

// An answer that AWS took is the end, whatever is known of the group.
func TestATakenAnswerIsTheEnd(t *testing.T) {
	run(t, []decideCase{{name: "the group could not be looked at since", set: func(s *scene) {
		s.d.Intent = &Answer{At: t0, Outcome: Drained, Reason: "no task was on it"}
		s.tried(plan.Answer, plan.OK, time.Second)
		unknown(&s.o.Instance)
	}, notes: "ended", intent: "drained", ended: "drained"}})
}

// "No active lifecycle action" ends a drain between two looks that saw the instance wait, and at no other time.
func TestWhenAWSKnowsNoActionAnyMore(t *testing.T) {
	gone := func(ago time.Duration) Try {
		at := t0.Add(time.Minute - ago)
		return Try{Class: plan.Gone, Started: at, At: at, Fails: 1}
	}
	busy := func(set func(*scene)) func(*scene) {
		return func(s *scene) {
			s.d.ByID = true
			s.task("web", "", "RUNNING", "RUNNING")
			s.d.Left = []string{"web:1/web RUNNING"}
			set(s)
		}
	}
	run(t, []decideCase{
		{name: "of an answer, too", set: busy(func(s *scene) { s.o.Tried[plan.Answer] = gone(20 * time.Second) }),
			notes: "cut-off ended", ended: "ended-elsewhere"},
		{name: "of the later of two", set: busy(func(s *scene) {
			s.o.Tried[plan.Beat], s.o.Tried[plan.Answer] = gone(2*time.Second), gone(20*time.Second)
		}), looks: "group-instances", waiting: "for 1 of 1 tasks"},
		{name: "not of one that is sent again", set: busy(func(s *scene) {
			try := gone(20 * time.Second)
			try.Flying = true
			s.o.Tried[plan.Beat] = try
		}), waiting: "for 1 of 1 tasks"},
		{name: "not before the instance waits", set: busy(func(s *scene) {
			s.state(fleet.Terminating)
			s.d.WaitingSince, s.o.Tried[plan.Beat] = time.Time{}, gone(20*time.Second)
		}), waiting: "the hook is not open yet"},
	})
	s := emptyHost()
	absent(&s.o.Instance)
	absent(&s.o.Machine)
	if got := s.decide().Drain.Final; got == nil || got.Reason != "the hook ended without Ebb's answer; the group says that the instance is not in it" {
		t.Errorf("got %+v", got)
	}
}
