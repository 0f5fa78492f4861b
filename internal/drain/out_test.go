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

// cutting is a drain whose deadline is over, with a task in a load balancer; ago is for how long it has been taken out of that.
func cutting(target string, ago time.Duration, set func(*scene)) func(*scene) {
	return func(s *scene) {
		s.task("web", "web", "RUNNING", "RUNNING")
		s.d.Left = []string{"web:1/web RUNNING"}
		s.deadlineOver()
		s.service("web", false, target)
		s.d.Cutting = s.now.Add(-ago)
		set(s)
	}
}

func TestHowLongTargetsMayTakeAtTheDeadline(t *testing.T) {
	passes := func(began time.Duration) func(*scene) {
		return func(s *scene) { s.p.Tick, s.since = time.Minute, s.now.Add(-began) }
	}
	const waiting = "for 1 of 1 tasks to stop"
	forced := func(d decideCase) decideCase {
		d.do, d.notes, d.intent, d.cut = "answer", "answer", "forced", "web:1/web RUNNING"
		return d
	}
	run(t, []decideCase{
		{name: "twenty seconds", set: cutting("healthy", outFor-1, func(*scene) {}), do: "deregister", waiting: waiting},
		forced(decideCase{name: "and no more", set: cutting("healthy", outFor, func(*scene) {})}),
		forced(decideCase{name: "a pass that began before gives them no more", set: cutting("healthy", outFor, passes(time.Hour))}),
		{name: "one that began since gives them their time", set: cutting("healthy", outFor, passes(time.Second)), do: "deregister", waiting: waiting},
		{name: "also the second one", set: cutting("healthy", outFor+2*time.Minute-1, passes(time.Second)), do: "deregister", waiting: waiting},
		forced(decideCase{name: "but not one two minutes later", set: cutting("healthy", outFor+2*time.Minute, passes(time.Second))}),
		{name: "what was decided on before the deadline is no answer to it", set: cutting("healthy", time.Second, func(s *scene) {
			s.d.Intent = &Answer{At: t0, Outcome: Lost, Reason: "ECS has not reached the instance for 5m0s"}
		}), do: "deregister", intent: "lost", waiting: waiting},
		{name: "once the answer is decided on, a target that is back does not hold it up", set: cutting("healthy", time.Second, func(s *scene) {
			s.d.Intent = &Answer{At: s.now.Add(-time.Second), Outcome: Forced, Reason: "the deadline of 30m0s is over"}
		}), do: "answer", intent: "forced", waiting: "to take the answer"},
		{name: "heartbeats go on for so long", set: cutting("healthy", time.Second, func(s *scene) { delete(s.o.Tried, plan.Beat) }),
			do: "deregister heartbeat", waiting: waiting},
		{name: "also of a host that could never be set DRAINING", set: cutting("healthy", time.Second, func(s *scene) {
			s.o.Container.Value.Status, s.d.DrainingSince, s.d.Asked = fleet.Active, time.Time{}, t0
			s.o.Tried[plan.SetDraining] = Try{Flying: true}
		}), do: "deregister", waiting: "for ECS to set DRAINING"},
		forced(decideCase{name: "which is answered afterwards", set: cutting("healthy", outFor, func(s *scene) {
			s.o.Container.Value.Status, s.d.DrainingSince, s.d.Asked = fleet.Active, time.Time{}, t0
			s.o.Tried[plan.SetDraining] = Try{Flying: true}
		})}),
		{name: "the tasks of a standalone one have no targets", set: cutting("healthy", time.Second, func(s *scene) {
			s.o.Tasks[0].Value.Addresses[0].HostPort = 32768
			s.task("job", "", "RUNNING", "RUNNING")
			s.o.Tasks[0], s.o.Tasks[1] = s.o.Tasks[1], s.o.Tasks[0]
			s.d.Left = []string{"job:1/job RUNNING", "web:1/web RUNNING"}
		}), do: "deregister", waiting: "for 2 of 2 tasks to stop"},
	})
	s := emptyHost()
	cutting("healthy", time.Second, func(*scene) {})(s)
	if got := s.decide().Wake; !got.Equal(s.now.Add(outFor - time.Second)) {
		t.Errorf("decides again in %s", got.Sub(s.now))
	}
}

// At the deadline of a host of which no container instance is known there is nothing to list.
func TestTheDeadlineOfAHostThatWasNotFound(t *testing.T) {
	notFound := func(set func(*scene)) func(*scene) {
		return func(s *scene) {
			s.deadlineOver()
			s.d.Host, s.o.Running, s.o.Stopped = Host{Cluster: "prod"}, nil, nil
			set(s)
		}
	}
	run(t, []decideCase{
		{name: "no cluster could be looked at", set: notFound(func(s *scene) { unknown(&s.o.Container) }), looks: "find-container-instances",
			waiting: "to find the container instance"},
		{name: "no cluster knows it", set: notFound(func(s *scene) { absent(&s.o.Container); s.o.Container.At = s.now }), do: "answer", notes: "answer",
			intent: "forced"},
	})
}

// Each task that was listed and not described is looked at before anything is said of targets, and no other.
func TestWhatWasListedAtTheDeadlineIsLookedAt(t *testing.T) {
	s := emptyHost()
	cutting("draining", 0, func(s *scene) {
		s.o.Container.Value.Status, s.d.DrainingSince, s.o.Stopped = fleet.Active, time.Time{}, nil
		s.o.Tried[plan.SetDraining] = Try{Flying: true}
		for _, id := range []string{"a", "b"} {
			f := s.task(id, "", "", "")
			f.Is, f.At = fleet.Unknown, time.Time{}
		}
	})(s)
	var asked []string
	for _, w := range s.decide().Want {
		if w.Kind == plan.Tasks {
			asked = append(asked, fleet.ARN(w.ID).Name())
		}
	}
	if !slices.Equal(asked, []string{"a", "b"}) {
		t.Errorf("looks at %v", asked)
	}
}

// After a deregistration each target is looked at before the call is repeated, not only the last of them.
func TestADeregistrationIsRepeatedWhenAllTargetsWereLookedAt(t *testing.T) {
	for want, ago := range map[string][2]time.Duration{"": {10 * time.Second, time.Second}, "deregister": {time.Second, time.Second}} {
		s := emptyHost()
		s.task("web", "web", "RUNNING", "RUNNING")
		s.task("web", "web", "RUNNING", "RUNNING")
		s.unreached()
		s.service("web", false, "healthy")
		for i, ago := range ago {
			s.healthOf("healthy", 32768+i)
			id := fleet.TargetID{ID: string(host), Port: 32768 + i}
			f := s.health[id]
			f.At = s.now.Add(-ago)
			s.health[id] = f
		}
		at := s.now.Add(-5 * time.Second)
		s.o.Tried[plan.Deregister] = Try{Started: at, At: at, OK: at}
		if do, _, _ := spell(s.decide(), s.now); do != want {
			t.Errorf("looked at %v ago, it does %q, want %q", ago, do, want)
		}
	}
}

// A reason says of which ways Ebb knows that it does not close them: each once, and no more than a record holds.
func TestTheWaysThatALostHostIsStillReachedBy(t *testing.T) {
	const none = "ECS has not reached the instance for 5m0s; of its tasks none is in a target group, as far as is known"
	const out = "ECS has not reached the instance for 5m0s; of its tasks none is in use in a target group any more"
	const not = "; Ebb does not take them out of "
	many := make([]string, mostNames+20)
	var first []string
	for i := range many {
		many[i] = fmt.Sprintf("way %d", i)
		if i < mostNames {
			first = append(first, many[i]+" (service api)")
		}
	}
	for name, x := range map[string]struct {
		tasks  []string // services; empty: a standalone task
		target string   // state of the target of web
		ways   []string // of api
		want   string
	}{
		"no service":                    {[]string{""}, "", nil, none},
		"a service without a target":    {[]string{"web"}, "", nil, none},
		"a service with a target":       {[]string{"web"}, "draining", nil, out},
		"and another without":           {[]string{"web", "api"}, "draining", nil, out},
		"one way":                       {[]string{"api"}, "", []string{"Cloud Map"}, none + not + "Cloud Map (service api)"},
		"after a standalone task":       {[]string{"", "api"}, "", []string{"Cloud Map"}, none + not + "Cloud Map (service api)"},
		"the same way of two tasks":     {[]string{"api", "api"}, "", []string{"Cloud Map"}, none + not + "Cloud Map (service api)"},
		"more ways than a record holds": {[]string{"api"}, "", many, none + not + strings.Join(first, ", ")},
	} {
		s := emptyHost()
		for _, service := range x.tasks {
			s.task("t", service, "RUNNING", "RUNNING")
		}
		s.unreached()
		s.service("web", false, x.target)
		s.service("api", false, "")
		api := s.services["api"]
		api.Value.OtherWays = x.ways
		s.services["api"] = api
		if got := s.decide().Drain.Intent; got == nil || got.Reason != x.want {
			t.Errorf("%s: answers %+v, want %s", name, got, x.want)
		}
	}
}

// An adopted drain does not know for how long its hook has been open. Where nobody can say, a heartbeat is due at once.
func TestTheFirstHeartbeatOfAnAdoptedDrain(t *testing.T) {
	for name, x := range map[string]struct {
		set  func(*scene)
		want string
	}{
		"nobody can say":             {func(*scene) {}, "heartbeat"},
		"somebody may, and is asked": {func(s *scene) { s.o.Trouble = nil }, ""},
		"other looks fail": {func(s *scene) {
			s.o.Trouble = func(k plan.LookKind) string { return map[plan.LookKind]string{plan.Hooks: "access denied"}[k] }
		}, ""},
		"it was told": {func(s *scene) { s.d.Adopted = false }, ""},
		"it is known": {func(s *scene) { s.o.Began = fleet.Fact[time.Time]{Is: fleet.Seen, At: s.now, Value: t0} }, ""},
		"it was sent": {func(s *scene) { s.tried(plan.Beat, plan.OK, time.Second) }, ""},
		"it was told, and known": {func(s *scene) {
			s.d.Adopted, s.o.Began = false, fleet.Fact[time.Time]{Is: fleet.Seen, At: s.now, Value: t0}
		}, ""},
	} {
		s := busy(time.Minute)
		s.d.Adopted = true
		s.o.Trouble = func(k plan.LookKind) string { return map[plan.LookKind]string{plan.Activities: "access denied"}[k] }
		x.set(s)
		if do, _, _ := spell(s.decide(), s.now); do != x.want {
			t.Errorf("%s: does %q, want %q", name, do, x.want)
		}
	}
}

// What was counted before the tasks were looked at again is counted anew at the pace of looks, not of a host that nothing is wanted of.
func TestACountThatMayBeRightIsLookedAtAgain(t *testing.T) {
	s := emptyHost()
	s.task("web", "", "STOPPED", "STOPPED")
	s.o.Paged, s.o.Whole, s.o.Stopped = true, s.now.Add(-15*time.Second), nil
	s.o.Container.At, s.o.Container.Value.Running = s.o.Whole.Add(time.Second), 1
	if got := soonest(s.decide(), plan.ContainerInstances); !got.Equal(s.o.Container.At.Add(s.p.Look)) {
		t.Errorf("looks again after %s", got.Sub(s.o.Container.At))
	}
}

// soonest is when the first look of a kind is wanted; zero: none is.
func soonest(dec Decision, k plan.LookKind) (at time.Time) {
	for _, w := range dec.Want {
		if w.Kind == k && (at.IsZero() || w.Due.Before(at)) {
			at = w.Due
		}
	}
	return at
}
