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

// Daemon tasks that are cut off after everything else has stopped are no loss, and nobody is woken for them.
func TestWhichEndingsLoseWork(t *testing.T) {
	left := []string{"web:1/web RUNNING"}
	for _, x := range []struct {
		outcome    Outcome
		with, none bool // with tasks that are cut off, and without
	}{
		{Drained, false, false}, {HostGone, true, false}, {Lost, true, false}, {Elsewhere, true, false}, {Forced, true, true}, {Refused, true, true},
	} {
		if with, none := (&Answer{Outcome: x.outcome, CutOff: left}).CutsOff(), (&Answer{Outcome: x.outcome}).CutsOff(); with != x.with || none != x.none {
			t.Errorf("%s: with tasks %t, without %t; want %t and %t", x.outcome, with, none, x.with, x.none)
		}
	}
	s := emptyHost()
	s.daemonLeft("")
	s.d.Intent = s.decide().Drain.Intent
	s.tried(plan.Answer, plan.OK, time.Second)
	dec := s.decide()
	if _, _, notes := spell(dec, s.now); notes != "ended" || len(dec.Drain.Final.CutOff) != 1 {
		t.Errorf("notes %q, ended %+v", notes, dec.Drain.Final)
	}
}

// The last line of a drain says how it ended; of one that was only observed, also what Ebb would have done, if it had come so far.
func TestTheLastLine(t *testing.T) {
	intent := &Answer{At: t0.Add(50 * time.Second), Outcome: Drained, Reason: "no task was on it"}
	stays := func(s *scene) {
		s.state(fleet.InService)
		s.d.StayingSince = s.o.Instance.At.Add(-stayingFor)
	}
	for _, x := range []struct {
		set  func(*scene)
		want string
		at   time.Duration // of the answer, after t0
	}{
		{func(s *scene) { s.d.Intent = intent; s.state(fleet.TerminatingProceed) },
			"observed, drained: no task was on it; Ebb would have answered at 09:00:50 UTC", 50 * time.Second},
		{func(s *scene) { s.state(fleet.TerminatingProceed) },
			"observed-incomplete: the hook ended before Ebb would have answered it; the group says that the instance is Terminating:Proceed", time.Minute},
		{func(s *scene) {
			s.state(fleet.TerminatingProceed)
			s.d.Asked, s.o.Container.Value.Status = t0, fleet.Active
		},
			"observed-incomplete: the hook ended before Ebb would have answered it, and nobody had set it DRAINING; the group says that the instance is " +
				"Terminating:Proceed", time.Minute},
		{func(s *scene) { s.d.Intent = intent; stays(s) },
			"observed, not-leaving: the group says that the instance is InService: nothing is to be drained", time.Minute},
		{func(s *scene) {
			s.p.Observe, s.d.Observed, s.d.Intent = false, false, intent
			s.state(fleet.TerminatingProceed)
		},
			"drained: no task was on it", time.Minute},
		{func(s *scene) { s.p.Observe, s.d.Observed = false, false; stays(s) },
			"not-leaving: the group says that the instance is InService: nothing is to be drained", time.Minute},
	} {
		s := watchedHost()
		x.set(s)
		dec := s.decide()
		if last := dec.Lines[len(dec.Lines)-1]; last != (Line{"ended", x.want}) || !dec.Drain.Final.At.Equal(t0.Add(x.at)) {
			t.Errorf("says %q at %s\nwant %q after %s", last.Text, dec.Drain.Final.At, x.want, x.at)
		}
	}
}

// A host that no hook holds leaves because somebody said so: what its group says of it ends nothing.
func TestWhatTheGroupSaysOfAHostWithoutAHook(t *testing.T) {
	for _, state := range []fleet.LifecycleState{fleet.InService, fleet.TerminatingProceed} {
		s := busy(10 * time.Minute)
		s.d.Hold, s.noHook = Hold{StayingSince: t0, MissingSince: t0}, true
		s.state(state)
		if dec := s.decide(); !dec.Drain.Open() || !strings.HasPrefix(dec.Waiting, "for 1 of 1 tasks to stop") {
			t.Errorf("%s: ended %+v, waits %q", state, dec.Drain.Final, dec.Waiting)
		}
	}
}

// One look at the group that does not find the instance proves nothing by itself.
func TestWhenAMissingInstanceIsGone(t *testing.T) {
	missing := func(since, intent time.Duration, set func(*scene)) func(*scene) {
		return func(s *scene) {
			absent(&s.o.Instance)
			s.d.MissingSince = s.o.Instance.At.Add(-since)
			s.d.Intent = &Answer{At: s.d.MissingSince.Add(intent), Outcome: Drained, Reason: "no task was on it"}
			set(s)
		}
	}
	run(t, []decideCase{
		{name: "an answer was on its way", set: missing(time.Second, -1, func(*scene) {}), notes: "ended", intent: "drained", ended: "drained"},
		{name: "what was decided on later is not why", set: missing(time.Second, 0, func(*scene) {}), intent: "drained", waiting: "is not in it"},
		{name: "a minute later it is gone all the same", set: missing(time.Minute, 0, func(*scene) {}), notes: "ended", intent: "drained", ended: "drained"},
		{name: "as far as clocks tell", set: missing(time.Minute, 0, func(s *scene) { s.p.Skew = time.Second }), intent: "drained", waiting: "is not in it"},
	})
	s := emptyHost()
	s.d.MissingSince = t0
	unknown(&s.o.Instance)
	if got := s.decide().Drain.MissingSince; !got.Equal(t0) {
		t.Errorf("after a failed look it is missing since %s", got)
	}
}

// Only what AWS has refused as invalid again and again, by the instance id, is refused for ever.
func TestWhatAWSRefusesForEver(t *testing.T) {
	bad := Try{Class: plan.Invalid, Fails: invalidFor, Started: t0, At: t0, Message: "no such id"}
	of := func(k plan.ActionKind, change func(*scene, *Try)) func(*scene) {
		return func(s *scene) {
			*s = *busy(2 * time.Minute)
			s.d.ByID, s.d.WaitingSince = true, s.now
			try := bad
			change(s, &try)
			s.o.Tried[k] = try
		}
	}
	blind := func(change func(*Try)) func(*scene, *Try) {
		return func(s *scene, try *Try) { unknown(&s.o.Instance); change(try) }
	}
	const open = "for 1 of 1 tasks"
	run(t, []decideCase{
		{name: "the answer", set: of(plan.Answer, func(*scene, *Try) {}), notes: "cut-off ended", ended: "refused"},
		{name: "the answer, while the group cannot be looked at", set: of(plan.Answer, blind(func(*Try) {})), notes: "cut-off ended", ended: "refused"},
		{name: "heartbeats then, too", set: of(plan.Beat, blind(func(*Try) {})), notes: "cut-off ended", ended: "refused"},
		{name: "not one that is sent again", set: of(plan.Answer, func(_ *scene, try *Try) { try.Flying = true }), waiting: open},
		{name: "not one with a token, which may be at fault", set: of(plan.Answer, func(_ *scene, try *Try) { try.Token = token }), looks: "activities",
			waiting: open},
		{name: "not one that was denied", set: of(plan.Answer, func(_ *scene, try *Try) { try.Class = plan.Denied }), waiting: open},
	})
}

// While the lists are not complete, what was left when it was last looked at counts, if that is more.
func TestWhatIsLostWithAHostThatIsGone(t *testing.T) {
	for name, x := range map[string]struct {
		left, tasks int
		set         func(*scene)
		want        string
	}{
		"nothing is known of its tasks":   {2, 0, func(*scene) {}, "left-0 left-1"},
		"the first list is missing":       {2, 1, func(s *scene) { s.o.Running = nil }, "left-0 left-1"},
		"the second list is missing":      {2, 1, func(s *scene) { s.o.Stopped = nil }, "left-0 left-1"},
		"both are there":                  {2, 1, func(*scene) {}, "0:1/0 RUNNING"},
		"as many are known":               {1, 1, func(s *scene) { s.o.Stopped = nil }, "0:1/0 RUNNING"},
		"more are known":                  {1, 2, func(s *scene) { s.o.Stopped = nil }, "0:1/0 RUNNING 1:1/1 RUNNING"},
		"some were given up before":       {2, 0, func(s *scene) { s.d.Lost = []string{"lost"} }, "lost left-0 left-1"},
		"one of the tasks has died first": {0, 2, func(s *scene) { killedTask(&s.o.Tasks[1].Value, s.now) }, "0:1/0 RUNNING 1:1/1 died with its host"},
	} {
		s := emptyHost()
		s.o.Machine.Value = fleet.StateTerminated
		for i := range x.left {
			s.d.Left = append(s.d.Left, fmt.Sprint("left-", i))
		}
		for i := range x.tasks {
			s.task(fmt.Sprint(i), "", "RUNNING", "RUNNING")
		}
		x.set(s)
		if got := s.decide().Drain.Intent; got == nil || strings.Join(got.CutOff, " ") != x.want {
			t.Errorf("%s: cuts off %+v, want %s", name, got, x.want)
		}
	}
}

func killedTask(t *fleet.Task, at time.Time) {
	t.LastStatus, t.DesiredStatus, t.StoppedAt = fleet.Stopped, fleet.Stopped, at
	t.StoppedReason = "Host EC2 (instance i-0a1b2c3d4e5f60718) terminated."
}

// A task that came to its end during the drain has not died with its host.
func TestATaskThatStopsIsNotKilled(t *testing.T) {
	s := emptyHost()
	s.task("web", "", "STOPPED", "STOPPED").Value.StoppedAt = s.now
	if got := s.decide().Drain.Intent; got == nil || got.Outcome != Drained || got.Reason != "its task has stopped" {
		t.Errorf("answers %+v", got)
	}
}

// How many tasks of services ECS has not asked to stop is told while it is waited for them, and when the deadline cuts them off.
func TestTasksThatECSHasNotAskedToStop(t *testing.T) {
	const until = ", until 2026-11-21 09:30:00 UTC at the latest"
	const replacements = "; ECS had not asked %d of its tasks to stop, most likely because their replacements do not run"
	for name, x := range map[string]struct {
		desired  []string      // of tasks of a service; a standalone one is there, too
		draining time.Duration // for how long; negative: it is not
		waits    string
		reason   string
	}{
		"none of a service": {nil, 10 * time.Minute, "for 1 of 1 tasks to stop" + until, ""},
		"one": {[]string{"RUNNING"}, 10 * time.Minute, "for 2 of 2 tasks to stop, 1 of which ECS has not asked to stop yet" + until,
			fmt.Sprintf(replacements, 1)},
		"two of three": {[]string{"RUNNING", "STOPPED", "RUNNING"}, 10 * time.Minute,
			"for 4 of 4 tasks to stop, 2 of which ECS has not asked to stop yet" + until, fmt.Sprintf(replacements, 2)},
		"it may do so yet": {[]string{"RUNNING"}, stayingFor, "for 2 of 2 tasks to stop" + until, fmt.Sprintf(replacements, 1)},
		"it had time for it": {[]string{"RUNNING"}, stayingFor + 1, "for 2 of 2 tasks to stop, 1 of which ECS has not asked to stop yet" + until,
			fmt.Sprintf(replacements, 1)},
		"it was deregistered, so ECS will not": {[]string{"RUNNING"}, -1, "for 2 of 2 tasks to stop" + until,
			fmt.Sprintf(replacements, 1)},
	} {
		s := busy(10 * time.Minute)
		s.service("web", false, "")
		for i, desired := range x.desired {
			s.task(fmt.Sprint(i), "web", "RUNNING", desired)
		}
		s.d.DrainingSince = s.now.Add(-x.draining)
		s.o.Running, s.o.Stopped = []time.Time{s.now.Add(-time.Second)}, []time.Time{s.now}
		s.d.Heard = t0.Add(-time.Hour)
		if x.draining < 0 {
			s.d.DrainingSince, s.o.Container.Value.Status = time.Time{}, fleet.Inactive
		}
		if got := s.decide().Waiting; got != x.waits {
			t.Errorf("%s: waits %q, want %q", name, got, x.waits)
		}
		s.deadlineOver()
		s.d.Cutting = s.now.Add(-outFor)
		if got := s.decide().Drain.Intent; got == nil || got.Reason != "the deadline of 30m0s is over"+x.reason {
			t.Errorf("%s: answers %+v", name, got)
		}
	}
}

// A third registration: what is drained is not drained again, what is found twice is kept once, and each has its own tasks.
func TestThreeRegistrations(t *testing.T) {
	third := fleet.ARN("arn:aws:ecs:eu-west-1:111122223333:container-instance/prod/c3")
	at := func(arn fleet.ARN) fleet.Registration { return fleet.Registration{Cluster: "prod", ARN: arn} }
	s := busy(2 * time.Minute)
	s.o.Container.Value.Others = []fleet.Registration{at(stale), at(third)}
	for range 2 {
		if s.d = s.decide().Drain; !slices.Equal(s.d.Others, []fleet.Registration{at(stale), at(third)}) || s.d.ContainerInstance != ci {
			t.Fatalf("the first is drained: %+v", s.d)
		}
	}
	s.o.Tasks[0].Value.LastStatus, s.o.Tasks[0].Value.DesiredStatus = fleet.Stopped, fleet.Stopped
	dec := s.decide()
	if s.d = dec.Drain; s.d.ContainerInstance != stale || !slices.Equal(s.d.Others, []fleet.Registration{at(third)}) ||
		dec.Waiting != "to look at another registration of the instance" {
		t.Fatalf("the first is empty: %+v, waits %q", s.d, dec.Waiting)
	}
	s.o.Container.Value = fleet.ContainerInstance{ARN: stale, Cluster: "prod", Instance: host, Status: fleet.Draining, Connected: true,
		Others: []fleet.Registration{at(third), at(ci)}}
	s.d.DrainingSince = s.d.Zero
	s.o.Tasks[0].Value.LastStatus = "RUNNING" // of the first: it counts no more
	listed := fleet.ARN("arn:aws:ecs:eu-west-1:111122223333:task/prod/t2")
	s.o.Tasks = append(s.o.Tasks, fleet.Fact[fleet.Task]{Value: fleet.Task{ARN: listed}})
	dec = s.decide()
	if s.d = dec.Drain; !slices.Equal(s.d.Others, []fleet.Registration{at(third)}) || !slices.Equal(s.d.Emptied, []fleet.ARN{ci}) ||
		!strings.HasPrefix(dec.Waiting, "for 1 of 1 tasks to stop") {
		t.Errorf("the second is drained: %+v, waits %q", s.d, dec.Waiting)
	}
	if want := (Want{Subject: plan.Subject{Kind: plan.Tasks, In: "prod", ID: string(listed)}, Due: s.now}); !slices.Contains(dec.Want, want) {
		t.Errorf("a task that was listed on it is not looked at: %+v", dec.Want)
	}
}

// ECS may reach another registration first than the one that Ebb has begun with: it is not drained twice, and none is forgotten.
func TestARegistrationThatIsReachedFirst(t *testing.T) {
	others := func(arns ...fleet.ARN) (list []fleet.Registration) {
		for _, arn := range arns {
			list = append(list, fleet.Registration{Cluster: "prod", ARN: arn})
		}
		return list
	}
	for name, x := range map[string]struct{ seen, want []fleet.Registration }{
		"a search finds all": {others(ci, "c3"), others("c3", ci)},
		"a look at it alone": {nil, others("c3")},
	} {
		s := busy(2 * time.Minute)
		s.d.Others = others(stale, "c3")
		s.o.Container.Value.ARN, s.o.Container.Value.Others = stale, x.seen
		if d := s.decide().Drain; d.ContainerInstance != stale || !slices.Equal(d.Others, x.want) {
			t.Errorf("%s: drains %s, and then %+v", name, d.ContainerInstance, d.Others)
		}
	}
}

// Where only one registration was ever found, every task that was listed counts, whatever it says of where it runs.
func TestTasksOfAnEarlierRegistrationAreWaitedFor(t *testing.T) {
	s := busy(2 * time.Minute)
	s.o.Tasks[0].Value.ContainerInstance = stale
	if dec := s.decide(); !strings.HasPrefix(dec.Waiting, "for 1 of 1 tasks to stop") {
		t.Errorf("waits %q", dec.Waiting)
	}
}

// What was given up with a registration is lost once, and not again with what was last noted of it.
func TestWhatIsGivenUpIsNamedOnce(t *testing.T) {
	s := twice()
	s.task("old", "", "RUNNING", "RUNNING").Value.ContainerInstance = ci
	s.d.Left = []string{"old:1/old RUNNING"}
	s.unreached()
	dec := s.decide()
	if dec.Waiting != "to look at another registration of the instance" {
		t.Errorf("waits %q", dec.Waiting)
	}
	s.d = dec.Drain
	s.o.Tasks, s.o.Running, s.o.Stopped, s.o.Machine.Value = nil, nil, nil, fleet.StateTerminated
	if got := s.decide().Drain.Intent; got == nil || !slices.Equal(got.CutOff, []string{"old:1/old RUNNING"}) {
		t.Errorf("cuts off %+v", got)
	}
}

// ECS reaches the host by another registration: which one is the newest only a search says.
func TestARegistrationThatIsNotReachedIsSearchedFor(t *testing.T) {
	s := busy(2 * time.Minute)
	s.o.Container.Value.Connected, s.o.Container.Value.Reached = false, true
	kinds := lookKinds(s.decide())
	if !slices.Contains(kinds, plan.FindContainerInstances) || slices.Contains(kinds, plan.ContainerInstances) {
		t.Errorf("looks at %v", kinds)
	}
}
