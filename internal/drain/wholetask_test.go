package drain

import (
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

// lone is a task that leaves, its drain, and when it is decided.
type lone struct {
	leftAlone
	d   Drain
	p   Policy
	now time.Time
	did map[plan.ActionKind]Try
}

func (s *lone) Tried(k plan.ActionKind) Try {
	if t, ok := s.did[k]; ok {
		return t
	}
	return s.leftAlone.Tried(k)
}

// theTask is the case that a task on Fargate is after some changes, some seconds after its notice.
func theTask(name string, second float64, changes ...func(*lone)) wholeCase {
	s := &lone{leftAlone: leftAlone{spot: interrupted(nil), since: t0}, p: TaskPolicy(), now: at(second), did: map[plan.ActionKind]Try{}}
	s.d = Drain{Key: "k", Target: fleet.TaskTarget("prod", spotTask), Heard: t0, Zero: t0}
	s.d.Cluster = "prod"
	s.p.Skew = 3 * time.Second
	s.task.At = s.now
	for _, change := range changes {
		change(s)
	}
	return wholeCase{name, s.d, s, s.p, s.now}
}

// healthy and so on are the states of its two targets now.
func states(inWeb, inAdmin string) func(*lone) {
	return func(s *lone) { s.health(inWeb, inAdmin, s.now.Sub(t0).Seconds()) }
}

func lastStatus(st string) func(*lone) { return func(s *lone) { s.task.Value.LastStatus = st } }

func seenAt(second float64) func(*lone) { return func(s *lone) { s.task.At = at(second) } }

func runsOn(s *lone) { s.task.Value.DesiredStatus = "RUNNING" }

func taskUnknown(s *lone) { s.task.Is = fleet.Unknown }

func noServiceOf(s *lone) { s.task.Value.Group = "family:job" }

func inSubnet(s *lone) {
	s.task.Value.Subnet = "subnet-1"
	s.facts[plan.Subject{Kind: plan.VPCs, ID: "subnet-1"}] = &fleet.Fact[string]{Is: fleet.Seen, At: s.now, Value: "vpc-1"}
}

// netHas makes the net known: read so long ago, with these in it.
func netHas(ago time.Duration, found ...fleet.Health) func(*lone) {
	return func(s *lone) {
		inSubnet(s)
		s.facts[plan.Subject{Kind: plan.Registered, In: "vpc-1", ID: "10.0.1.17"}] = &fleet.Fact[[]fleet.Health]{
			Is: fleet.Seen, At: s.now.Add(-ago), Value: found}
	}
}

func denied(s *lone) {
	s.why = map[plan.LookKind]string{}
	for k := range plan.LookKind(60) {
		s.why[k] = "denied: " + k.String()
	}
}

func accepted(s *lone) { s.tried = Try{Started: at(1.2), At: at(1.4), OK: at(1.2)} }

func acceptedBefore(s *lone) { accepted(s); s.d.Accepted = at(1.4) }

// stopBy makes it a task that an operator lets leave, by some second.
func stopBy(second float64) func(*lone) {
	return func(s *lone) { s.d.Rehearsed, s.d.StopBy = true, at(second) }
}

func rehearsal(s *lone) {
	s.d.Rehearsed = true
	s.task.Value.RehearsedUntil = s.now.Add(time.Second)
	runsOn(s)
}

func inCloudMap(s *lone) {
	f := s.facts[plan.Subject{Kind: plan.Services, In: "prod", ID: "web"}].(*fleet.Fact[fleet.Service])
	f.Value.Registries = []fleet.ARN{"arn:aws:servicediscovery:eu-west-1:111122223333:service/srv-1"}
}

func inLattice(s *lone) {
	f := s.facts[plan.Subject{Kind: plan.Services, In: "prod", ID: "web"}].(*fleet.Fact[fleet.Service])
	f.Value.Lattice = []fleet.ARN{"arn:aws:vpc-lattice:eu-west-1:111122223333:targetgroup/tg-1"}
}

func onlyIn(place func(*lone)) func(*lone) {
	return func(s *lone) {
		place(s)
		s.facts[plan.Subject{Kind: plan.Services, In: "prod", ID: "web"}].(*fleet.Fact[fleet.Service]).Value.LoadBalancers = nil
	}
}

// theOther is the state of the target that is not in a target group of a load balancer.
func theOther(k plan.LookKind, in, id, state string) func(*lone) {
	return func(s *lone) {
		f := &fleet.Fact[fleet.Health]{Is: fleet.Seen, At: s.now, Value: fleet.Health{State: state}}
		s.facts[plan.Subject{Kind: k, In: in, ID: id}] = f
	}
}

func unseenTargets(s *lone) { delete(s.facts, onPort(web, 8080)); delete(s.facts, onPort(admin, 9090)) }

func stopTried(t Try) func(*lone) { return func(s *lone) { s.stop = t } }

const moment = time.Nanosecond

// TestWhatFollowsForATask: see testdata/task.txt.
func TestWhatFollowsForATask(t *testing.T) {
	cloudMap := func(state string) func(*lone) {
		return theOther(plan.Names, "arn:aws:servicediscovery:eu-west-1:111122223333:service/srv-1", "0123456789abcdef0123456789abcdef", state)
	}
	lattice := func(state string) func(*lone) {
		return theOther(plan.LatticeTargets, "arn:aws:vpc-lattice:eu-west-1:111122223333:targetgroup/tg-1", "10.0.1.17", state)
	}
	gone := lastStatus("STOPPED")
	other := func(s *lone) { s.task.Value.ARN = "arn:aws:ecs:eu-west-1:111122223333:task/prod/other" }
	first := func(f First) func(*lone) { return func(s *lone) { s.d.First = f } }
	onHost := func(s *lone) { s.task.Value.ContainerInstance = ci }
	hand := fleet.Health{TargetGroup: byHand, Target: fleet.TargetID{ID: "10.0.1.17", Port: 7777}, State: "healthy"}
	inHand := func(state string) func(*lone) {
		return func(s *lone) {
			s.facts[plan.Subject{Kind: plan.Targets, In: byHand, ID: "10.0.1.17", Port: 7777}] = &fleet.Fact[fleet.Health]{
				Is: fleet.Seen, At: s.now, Value: fleet.Health{State: state}}
		}
	}
	noService := func(s *lone) { clear(s.facts) }
	twoAddresses := func(s *lone) {
		s.task.Value.Addresses = append(s.task.Value.Addresses, fleet.Address{Container: "app", IP: "2001:db8::1"})
		for _, port := range []plan.Subject{onPort(web, 8080), onPort(admin, 9090)} {
			port.ID = "2001:db8::1"
			s.facts[port] = &fleet.Fact[fleet.Health]{Is: fleet.Absent, At: s.now}
		}
	}
	follows(t, "task.txt", []wholeCase{
		theTask("nobody has looked", 0.5, taskUnknown),
		theTask("nobody has looked, and the event names no service", 0.5, taskUnknown, noServiceOf),
		theTask("only another task was seen", 0.5, other),
		theTask("the cluster does not know it", 0.5, func(s *lone) { s.task.Is = fleet.Absent }),
		theTask("it is on a container instance", 0.5, onHost),
		theTask("it is on a container instance, as an event says", 0.5, onHost, taskUnknown),
		theTask("it is on a container instance, and is replaced", 0.5, onHost, stopBy(60), func(s *lone) { s.d.On = host }),
		theTask("it was seen a moment too long ago", 12, func(s *lone) { s.task.At = s.now.Add(-2*s.p.Look - moment) }),
		theTask("it was just seen lately enough", 12, func(s *lone) { s.task.At = s.now.Add(-2 * s.p.Look) }),
		theTask("it is to run, at the last moment", 14, runsOn, seenAt(13)),
		theTask("it is to run, a moment later", 14, runsOn, seenAt(13.1)),
		theTask("it was to run, and was not seen since", 14, runsOn, taskUnknown),
		theTask("its service is not known", 1, noService),
		theTask("its service is not known, and it has gone", 1, noService, gone),
		theTask("its targets are in use", 1),
		theTask("its targets are not seen", 1, unseenTargets),
		theTask("its targets are not seen for too long, at the last moment", 2-1e-9, unseenTargets),
		theTask("its targets are not seen for too long", 2, unseenTargets),
		theTask("one target is not seen, and another is out", 2, states("draining", "healthy"), func(s *lone) { delete(s.facts, onPort(admin, 9090)) }),
		theTask("ECS was first", 1, states("draining", "unused")),
		theTask("ECS was first with one", 1, states("draining", "healthy")),
		theTask("Ebb had tried before they were seen out", 1, states("draining", "unused"), func(s *lone) { s.tried = Try{Started: at(0.5), At: at(0.6)} }),
		theTask("AWS has accepted it", 2, accepted, states("draining", "draining")),
		theTask("AWS has accepted it, as is remembered", 3, acceptedBefore, first(FirstEbb), states("draining", "draining"), func(s *lone) { s.tried.At = at(2.5) }),
		theTask("AWS has accepted it, and one is in use", 3, acceptedBefore, first(FirstEbb), states("draining", "healthy")),
		theTask("AWS has accepted it, and who was first is not known", 3, acceptedBefore, first(FirstUnseen), states("draining", "draining")),
		theTask("it was asked without being seen, and not accepted", 3, first(FirstUnseen), states("draining", "draining")),
		theTask("AWS has accepted it before the notice by its clock", 2, accepted, states("draining", "draining"), func(s *lone) { s.tried.At = at(-1) }),
		theTask("it belongs to no service, and has no subnet", 1, noServiceOf),
		theTask("it belongs to no service, and has no address", 1, noServiceOf, func(s *lone) { s.task.Value.Addresses = nil }),
		theTask("it has no subnet yet and no address", 1, states("draining", "draining"), func(s *lone) { s.task.Value.Addresses = nil }),
		theTask("it is in Cloud Map, too", 1, inCloudMap, cloudMap("healthy"), states("draining", "draining")),
		theTask("it is in Cloud Map only", 1, onlyIn(inCloudMap), cloudMap("healthy")),
		theTask("it was in Cloud Map only", 1, onlyIn(inCloudMap), cloudMap("unused")),
		theTask("it was in Cloud Map only, and AWS has taken it", 2, onlyIn(inCloudMap), cloudMap("unused"), func(s *lone) {
			s.did[plan.LeaveNames] = Try{Started: at(1.2), At: at(1.4), OK: at(1.2)}
		}),
		theTask("it was in Cloud Map only, and AWS has taken something else", 2, onlyIn(inCloudMap), cloudMap("unused"), accepted),
		theTask("it is in VPC Lattice, too", 1, inLattice, lattice("healthy"), states("draining", "draining")),
		theTask("it was everywhere", 1, inLattice, lattice("unused"), inCloudMap, cloudMap("unused"), states("draining", "draining")),
		theTask("it is everywhere", 1, inLattice, lattice("healthy"), inCloudMap, cloudMap("healthy")),
		theTask("it was everywhere, and its time is over", 124, inLattice, lattice("healthy"), inCloudMap, cloudMap("healthy"), states("draining", "draining"),
			denied, func(s *lone) {
				s.did[plan.LeaveNames] = Try{Class: plan.Denied, Message: "no", Fails: 3, Started: at(1), At: at(122)}
			}),
		theTask("the net was read", 1, states("draining", "draining"), netHas(time.Second)),
		theTask("the net was read two minutes ago", 119, states("draining", "draining"), netHas(netAge)),
		theTask("the net was read too long ago", 119, states("draining", "draining"), netHas(netAge+moment)),
		theTask("the net has another target", 1, states("draining", "draining"), netHas(time.Second, hand), inHand("healthy")),
		theTask("the net has another target, with one still in use", 1, states("draining", "healthy"), netHas(time.Second, hand), inHand("healthy")),
		theTask("the net has another target, one is in use, and AWS has accepted it", 3, acceptedBefore, states("draining", "healthy"),
			netHas(time.Second, hand), inHand("healthy")),
		theTask("the net had another target, and it has gone", 1, states("draining", "draining"), netHas(time.Second, hand), inHand("draining"), gone),
		theTask("the net cannot be read, at the last moment", 20, states("draining", "draining"), inSubnet, denied),
		theTask("the net cannot be read, a moment later", 20+1e-9, states("draining", "draining"), inSubnet, denied),
		theTask("the net was not read, and it has gone", 1, states("draining", "draining"), inSubnet, gone),
		theTask("the net was read under its second address only", 1, states("draining", "draining"), inSubnet, twoAddresses, func(s *lone) {
			s.facts[plan.Subject{Kind: plan.Registered, In: "vpc-1", ID: "2001:db8::1"}] = &fleet.Fact[[]fleet.Health]{Is: fleet.Seen, At: s.now}
		}),
		theTask("the net was read under its first address only", 1, states("draining", "draining"), netHas(time.Second), twoAddresses),
		theTask("the net has what its service names, in use", 3, acceptedBefore, states("draining", "healthy"),
			netHas(time.Second, fleet.Health{TargetGroup: admin, Target: fleet.TargetID{ID: "10.0.1.17", Port: 9090}, State: "healthy"})),
		theTask("the net has what its service names at whatever port, in use", 3, acceptedBefore, func(s *lone) {
			f := s.facts[plan.Subject{Kind: plan.Services, In: "prod", ID: "web"}].(*fleet.Fact[fleet.Service])
			f.Value.LoadBalancers = []fleet.LoadBalancer{{TargetGroup: web}}
			s.facts[onPort(web, 0)] = &fleet.Fact[fleet.Health]{Is: fleet.Seen, At: s.now, Value: fleet.Health{State: "healthy"}}
		}, netHas(time.Second, fleet.Health{TargetGroup: web, Target: fleet.TargetID{ID: "10.0.1.17", Port: 8080}, State: "healthy"})),
		theTask("the VPC is not known", 1, states("draining", "draining"), func(s *lone) { s.task.Value.Subnet = "subnet-1" }),
		theTask("there is no such subnet", 1, states("draining", "draining"), func(s *lone) {
			inSubnet(s)
			s.facts[plan.Subject{Kind: plan.VPCs, ID: "subnet-1"}] = &fleet.Fact[string]{Is: fleet.Absent, At: s.now}
		}),
		theTask("it gives its address back", 1, lastStatus("DEPROVISIONING")),
		theTask("it is stopping", 1, lastStatus("STOPPING")),
		theTask("it is deleted", 1, lastStatus("DELETED")),
		theTask("it has stopped, as an event says", 1, gone, taskUnknown),
		theTask("it has stopped, and its target is unknown", 1, gone, unseenTargets),
		theTask("it has stopped, and a deregistration is not known", 1, gone, states("draining", "draining"), func(s *lone) {
			s.facts[onPort(web, 8080)] = &fleet.Fact[fleet.Health]{Is: fleet.Absent, At: s.now}
		}),
		theTask("its time is over, at the last moment", 123-1e-9),
		theTask("its time is over", 123),
		theTask("its time is over, and it runs", 123, runsOn),
		theTask("its time is over, and nobody could look", 123, taskUnknown, denied),
		theTask("its time is over, and its targets are out", 123, states("draining", "draining")),
		theTask("its service has two target groups with one port, under two addresses", 1, states("draining", "draining"), twoAddresses),
		theTask("only observed", 1, func(s *lone) { s.p.Observe = true }),
	})
}

// TestWhatFollowsForATaskThatAnOperatorLetsLeave: see testdata/stop.txt.
func TestWhatFollowsForATaskThatAnOperatorLetsLeave(t *testing.T) {
	out, used, drains := states("unused", "unused"), states("healthy", "healthy"), states("draining", "draining")
	stops := func(s *lone) { s.task.Value.DesiredStatus = "STOPPED" }
	word := stopBy(60)
	tried := func(k plan.ActionKind, try Try) func(*lone) { return func(s *lone) { s.did[k] = try } }
	oneGone := func(s *lone) { s.facts[onPort(web, 8080)] = &fleet.Fact[fleet.Health]{Is: fleet.Absent, At: s.now} }
	oneUnseen := func(s *lone) { delete(s.facts, onPort(web, 8080)) }
	quiet := func(s *lone) { s.d.Quiet = s.now.Add(-time.Second) }
	passes := func(s *lone) { s.p.Tick = time.Nanosecond }
	replaced := func(s *lone) { s.d.Rehearsed = false }
	follows(t, "stop.txt", []wholeCase{
		theTask("the task has the word", 1, rehearsal),
		theTask("the task has the word, and nobody rehearses", 1, rehearsal, func(s *lone) { s.d.Rehearsed = false }),
		theTask("the task has the word, and that is known", 10, rehearsal, word),
		theTask("the task has the word, and is only observed", 14, rehearsal, seenAt(13.5), func(s *lone) { s.p.Observe = true }),
		theTask("the task is only observed, and nobody rehearses", 14, runsOn, seenAt(13.5), func(s *lone) { s.p.Observe = true }),
		theTask("the task has the word, as an event says", 1, rehearsal, taskUnknown),
		theTask("the word is over", 1, rehearsal, func(s *lone) { s.task.Value.RehearsedUntil = s.now }),
		theTask("there is no word", 14, rehearsal, seenAt(13.5), func(s *lone) { s.task.Value.RehearsedUntil = time.Time{} }),
		theTask("its targets are in use", 10, word, runsOn, used),
		theTask("its targets are not seen", 10, word, runsOn, unseenTargets),
		theTask("AWS has just accepted", 10, word, runsOn, drains, accepted),
		theTask("one target is gone, the other drains", 10, word, runsOn, acceptedBefore, drains, oneGone),
		theTask("one target drains, the other is out", 10, word, runsOn, acceptedBefore, states("unused", "draining")),
		theTask("one target is out, the other is not seen", 10, word, runsOn, acceptedBefore, out, oneUnseen),
		theTask("both are out", 10, word, runsOn, acceptedBefore, out),
		theTask("both are out, as is known", 10, word, runsOn, acceptedBefore, out, quiet),
		theTask("both were out, and one drains again", 10, word, runsOn, acceptedBefore, drains, quiet),
		theTask("it is replaced", 10, word, replaced, runsOn, acceptedBefore, out),
		theTask("it has no targets", 10, word, runsOn, noServiceOf),
		theTask("it was asked to stop", 10, word, runsOn, acceptedBefore, out, quiet, stopTried(Try{Started: at(5), At: at(5), OK: at(5)})),
		theTask("it was asked to stop, and was seen just too early", 20, word, runsOn, acceptedBefore, out, quiet, seenAt(15),
			stopTried(Try{Started: at(5), At: at(5), OK: at(5)})),
		theTask("it was asked to stop, and was seen later", 20, word, runsOn, acceptedBefore, out, quiet, seenAt(15.1),
			stopTried(Try{Started: at(5), At: at(5), OK: at(5)})),
		theTask("it is being asked to stop", 20, word, runsOn, acceptedBefore, out, quiet, stopTried(Try{Started: at(19), Flying: true})),
		theTask("the request has failed just now", 20, word, runsOn, acceptedBefore, out, quiet,
			stopTried(Try{Started: at(19), At: at(19.5), Fails: 1, Class: plan.Denied})),
		theTask("ECS stops it", 10, word, stops, acceptedBefore, out, quiet),
		theTask("ECS stops it while they drain", 10, word, stops, acceptedBefore, drains),
		theTask("ECS stops it, and its service is not known", 10, word, stops, acceptedBefore, func(s *lone) { clear(s.facts) }),
		theTask("ECS stops it although a target is in use", 61, word, stops, acceptedBefore, used),
		theTask("ECS stops a task without an operator, its targets out", 10, stops, acceptedBefore, out),

		theTask("its time is over in a moment, nothing was done", 60-1e-9, word, runsOn, used),
		theTask("its time is over, nothing was done", 60, word, runsOn, used),
		theTask("its time is over, a call is under way", 60, word, runsOn, used, tried(plan.Deregister, Try{Flying: true})),
		theTask("its time is over, a call was begun", 60, word, runsOn, used, tried(plan.LeaveLattice, Try{Started: at(50)})),
		theTask("its time is over, it was accepted once", 60, word, runsOn, used, func(s *lone) { s.d.Accepted = at(5) }),
		theTask("its time is over, one target is gone", 60, word, runsOn, used, oneGone),
		theTask("its time is over, one target is out", 60, word, runsOn, states("unused", "healthy")),
		theTask("its time is over, one target is not seen", 60, word, runsOn, used, oneUnseen),
		theTask("its time is over, neither is seen", 60, word, runsOn, unseenTargets),
		theTask("its time is over, its service is not known", 60, word, runsOn, func(s *lone) { clear(s.facts) }),
		theTask("its time is over, it has no targets", 60, word, runsOn, noServiceOf),
		theTask("its time is over, they drain", 60, word, runsOn, acceptedBefore, drains),

		theTask("it does not stop, at the last moment", 360-1e-9, word, runsOn, acceptedBefore, out, quiet),
		theTask("it does not stop", 360, word, runsOn, acceptedBefore, out, quiet),
		theTask("it does not stop, and AWS refuses", 360, word, runsOn, acceptedBefore, out, quiet,
			stopTried(Try{Started: at(359), At: at(359), Fails: 1, Message: "no rights", Class: plan.Denied})),
		theTask("it does not stop, and AWS has refused once", 360, word, runsOn, acceptedBefore, out, quiet,
			stopTried(Try{Started: at(359), At: at(359), OK: at(359), Message: "as before"})),
		theTask("it does not stop, and this run began later", 360, word, runsOn, acceptedBefore, out, quiet, func(s *lone) { s.since = at(100) }),
		theTask("it does not stop, and Ebb runs in passes, at the last moment", 3660-1e-9, word, runsOn, acceptedBefore, out, quiet, passes),
		theTask("it does not stop, and Ebb runs in passes", 3660, word, runsOn, acceptedBefore, out, quiet, passes),
		theTask("it does not stop, nobody could look", 360, word, taskUnknown, denied),
		theTask("it stops too late, a target in use", 360, word, stops, acceptedBefore, used),
	})
}
