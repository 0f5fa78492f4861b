package drain

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

// TestWhatFollowsForTheHookOfAnAgent: see testdata/agent.txt.
func TestWhatFollowsForTheHookOfAnAgent(t *testing.T) {
	hooked := func(s *scene) {
		s.d.Agent, s.d.Hook = true, AgentHook
		s.state(fleet.TerminatingWait)
		s.o.Instance.At, s.o.Instance.Value.Healthy = s.now, true
		s.d.WaitingSince = s.now
	}
	stopped := machineIs(fleet.StateStopped)
	aged := func(d time.Duration) func(*scene) { return func(s *scene) { s.o.Machine.At = s.now.Add(-d) } }
	inState := func(st fleet.LifecycleState) func(*scene) {
		return func(s *scene) { s.state(st); s.d.WaitingSince = time.Time{} }
	}
	sick := func(s *scene) { s.o.Instance.Value.Healthy = false }
	follows(t, "agent.txt", []wholeCase{
		of("it runs", hooked),
		of("it runs, and its group says that it is not healthy", hooked, sick),
		of("it runs, and its group was not asked", hooked, sick, func(s *scene) { s.o.Instance.Is = fleet.Unknown }),
		of("it runs again", hooked, intended(HostGone)),
		of("EC2 was not asked", hooked, machineUnknown),
		of("EC2 was not asked, and the answer is decided", hooked, machineUnknown, intended(HostGone)),
		of("its token is not known to AWS", hooked, func(s *scene) { s.tried(plan.Answer, plan.Gone, time.Second) }),
		of("EC2 does not know it", hooked, machineIs("")),
		of("EC2 says that it has stopped", hooked, stopped),
		of("EC2 said so, at the last moment", hooked, stopped, aged(agentFresh)),
		of("EC2 said so a moment too long ago", hooked, stopped, aged(agentFresh+moment)),
		of("EC2 says that it has stopped, which was decided", hooked, stopped, intended(HostGone)),
		of("the hook is not open", hooked, inState(fleet.Terminating), stopped),
		of("its group is not known", hooked, stopped, func(s *scene) { unknown(&s.o.Instance) }),
		of("the hook has ended", hooked, inState("Terminated"), stopped),
		of("the hook has ended as was decided", hooked, inState("Terminated"), stopped, intended(HostGone)),
		of("no agent answers its hook, and it has ended", inState("Terminated"), listedNow),
		of("it stays", hooked, inState(fleet.InService), func(s *scene) { s.d.StayingSince = s.now.Add(-stayingFor) }),
		of("only observed", hooked, stopped, func(s *scene) { s.d.Observed, s.p.Observe = true, true }),
	})
}

// TestWhatFollowsWhenTrafficLeavesFirst: see testdata/first.txt.
func TestWhatFollowsWhenTrafficLeavesFirst(t *testing.T) {
	as := func(name string, s crowded, changes ...func(*crowded)) wholeCase {
		for _, change := range changes {
			change(&s)
		}
		return wholeCase{name, s.d, s, s.p, s.now}
	}
	rule := func(change func(*TrafficFirst)) func(*crowded) {
		return func(s *crowded) { change(&s.p.TrafficFirst[0]) }
	}
	// two tasks of two services, each in a target group of its own.
	two := func(s *crowded) {
		s.task("api", "api", "RUNNING", "RUNNING").At = s.now
		s.services["api"] = fleet.Fact[fleet.Service]{Is: fleet.Seen, At: s.now, Value: fleet.Service{Name: "api", Cluster: "prod",
			LoadBalancers: []fleet.LoadBalancer{{TargetGroup: admin, Container: "app", ContainerPort: 80}}}}
		s.health[fleet.TargetID{ID: string(host), Port: 32769}] = fleet.Fact[fleet.Health]{Is: fleet.Seen, At: s.now, Value: fleet.Health{State: "healthy"}}
		s.p.TrafficFirst = append(s.p.TrafficFirst, TrafficFirst{Cluster: "prod", Service: "api", Wait: 2 * time.Minute, Quiet: "http://{id}/"})
	}
	stops := func(s *crowded) { s.o.Tasks[0].Value.DesiredStatus = "STOPPED" }
	state := func(st string) func(*crowded) {
		return func(s *crowded) {
			id := fleet.TargetID{ID: string(host), Port: 32768}
			s.health[id] = fleet.Fact[fleet.Health]{Is: fleet.Seen, At: s.now, Value: fleet.Health{State: st}}
		}
	}
	seenAgo := func(d time.Duration) func(*crowded) {
		return func(s *crowded) {
			id := fleet.TargetID{ID: string(host), Port: 32768}
			s.health[id] = fleet.Fact[fleet.Health]{Is: fleet.Seen, At: s.now.Add(-d), Value: fleet.Health{State: "draining"}}
		}
	}
	cloudMap := func(s *crowded) {
		v := s.services["web"]
		v.Value.Registries = []fleet.ARN{"arn:aws:servicediscovery:eu-west-1:111122223333:service/srv-1"}
		s.services["web"] = v
	}
	sick := func(s *crowded) { s.o.Tasks[0].Value.Addresses = nil }
	allAt := func(d time.Duration) func(*crowded) { return func(s *crowded) { s.all.At = s.now.Add(-d) } }
	took := func(s *crowded) { s.d.Taken = []Taken{{group, string(host), 32768}} }
	from := func(d time.Duration) func(*crowded) { return func(s *crowded) { s.d.EarlyFrom = s.now.Add(-d) } }
	zero := func(s *crowded) { s.d.Zero = s.now.Add(-20 * time.Minute) }
	quiet := rule(func(f *TrafficFirst) { f.Quiet = "http://{id}/" })
	manyPorts := func(n int) func(*crowded) {
		return func(s *crowded) {
			a := &s.o.Tasks[0].Value
			a.Addresses = nil
			for i := range n {
				id := fleet.TargetID{ID: string(host), Port: 40000 + i}
				a.Addresses = append(a.Addresses, fleet.Address{Container: "app", ContainerPort: 80, HostPort: id.Port})
				s.health[id] = fleet.Fact[fleet.Health]{Is: fleet.Seen, At: s.now, Value: fleet.Health{State: "healthy"}}
			}
		}
	}
	follows(t, "first.txt", []wholeCase{
		as("it begins", before(), func(s *crowded) { s.d.EarlyFrom = time.Time{} }),
		as("there is room", before()),
		as("it was begun", before(), took),
		as("it is over", before(), func(s *crowded) { s.d.EarlyOver = s.now }),
		as("ECS has been asked", before(), func(s *crowded) { s.d.Asked = s.now.Add(-time.Second) }),
		as("an interruption is rehearsed", before(), func(s *crowded) { s.d.Hold, s.noHook = Hold{}, true; s.state(fleet.InService); rehearsedHost(s.scene) }),
		as("one target is of another kind", before(), cloudMap, func(s *crowded) { s.ttl = ttlOf(s.now, time.Minute) }),
		as("half of the time is over in a moment", before(), zero, from(10*time.Minute-4*moment), func(s *crowded) { s.taken = []Taken{{group, "i-1", 1}} }),
		as("half of the time is just over", before(), zero, from(10*time.Minute), func(s *crowded) { s.taken = []Taken{{group, "i-1", 1}} }),
		as("its tasks were listed just lately enough", before(), from(time.Hour), func(s *crowded) { s.o.Running = []time.Time{s.now.Add(-2 * s.p.LookSlow)} }),
		as("its tasks were listed too long ago", before(), from(time.Hour), func(s *crowded) { s.o.Running = []time.Time{s.now.Add(-2*s.p.LookSlow - moment)} }),
		as("a task was not looked at", before(), func(s *crowded) { s.o.Tasks[0].Is = fleet.Unknown }),
		as("there is no task", before(), func(s *crowded) { s.o.Tasks = nil }),
		as("its task stops", before(), stops),
		as("its first task stops, and another runs", before(), two, stops),
		as("no rule is about its service", before(), rule(func(f *TrafficFirst) { f.Service = "other" })),
		as("a rule is about another service, and one about its own", before(), two, func(s *crowded) { s.p.TrafficFirst = s.p.TrafficFirst[1:] }),
		as("its service is not known", before(), func(s *crowded) { delete(s.services, "web") }),
		as("the second service is known, and the first is not", before(), two, func(s *crowded) { delete(s.services, "web") }),
		as("its task has no target", before(), sick),
		as("two services", before(), two),
		as("two services, both out", out(2*time.Minute), two, func(s *crowded) {
			s.health[fleet.TargetID{ID: string(host), Port: 32769}] = fleet.Fact[fleet.Health]{Is: fleet.Seen, At: s.now, Value: fleet.Health{State: "draining"}}
			s.count = fleet.Fact[int]{Is: fleet.Seen, At: s.now}
		}),
		as("two services, one comes back", out(2*time.Minute), two),
		as("two ports of one target group", before(), manyPorts(2), quiet),
		as("it was out, and is registered again", out(30*time.Second), state("initial")),
		as("it was out, and serves again", out(30*time.Second), state("healthy"), func(s *crowded) { s.d.QuietSince = s.now }),
		as("it was out, and nobody has looked", out(30*time.Second), func(s *crowded) { clear(s.health) }),
		as("it is out for the first time", out(30*time.Second), func(s *crowded) { s.d.EarlyOut = time.Time{} }),
		as("the wait is over, and the look was before", out(61*time.Second), seenAgo(2*time.Second)),
		as("the wait is over, and the look was just then", out(61*time.Second), seenAgo(time.Second)),
		as("connections: not counted", out(time.Minute), quiet),
		as("connections: counted before it was out", out(time.Minute), counted(0, -time.Minute-moment, 0)),
		as("connections: counted when it was out", out(time.Minute), counted(0, -time.Minute, 0)),
		as("connections: one is left, after none", out(time.Minute), counted(1, 0, time.Second)),
		as("connections: none for nearly long enough", out(time.Minute), counted(0, -time.Second, quietFor)),
		as("connections: none for long enough", out(time.Minute), counted(0, 0, quietFor)),
		as("room: it is another's", before(), func(s *crowded) { s.taken = []Taken{{group, "i-1", 1}} }),
		as("room: that was told", before(), func(s *crowded) { s.taken = []Taken{{group, "i-1", 1}}; s.d.Crowded = true }),
		as("room: another's, which serves no more", before(), func(s *crowded) { s.taken = []Taken{{group, "i-1", 1}}; s.all.Value[1].State = "draining" }),
		as("room: one drains", before(), func(s *crowded) { s.all.Value[1].State = "draining" }),
		as("room: its own drains", before(), func(s *crowded) { s.all.Value[0].State, s.all.Value[1].State = "draining", "unhealthy" }),
		as("room: the group was seen just lately enough", before(), allAt(30*time.Second)),
		as("room: the group was seen too long ago", before(), allAt(30*time.Second+moment)),
		as("room: the group was not seen", before(), func(s *crowded) { s.all.Is = fleet.Unknown; troubled(s.scene) }),
		as("room: what must be healthy is not known", before(), func(s *crowded) { s.delay.Is = fleet.Unknown }),
		as("room: as many as must be by both", before(), func(s *crowded) {
			s.all.Value[1].State = "unhealthy"
			s.delay.Value = fleet.Delay{LeastHealthy: 2, LeastPercent: 90}
		}),
	})
}

// TestWhatFollowsElsewhere: see testdata/else.txt.
func TestWhatFollowsElsewhere(t *testing.T) {
	asks := func(late fleet.Late, end fleet.End) func(*scene) { return func(s *scene) { asked(s, late, end) } }
	word := asks(fleet.LateLeave, fleet.EndTerminate)
	wordGone := func(d time.Duration) func(*scene) {
		return func(s *scene) { s.o.Container.Value.Word, s.d.WordGone = fleet.Word{}, s.o.Container.At.Add(-d) }
	}
	active := func(s *scene) { s.d.DrainingSince, s.o.Container.Value.Status = time.Time{}, fleet.Active }
	took := func(s *scene) { s.d.Taken = []Taken{{group, string(host), 32768}} }
	overdue := func(s *scene) { s.at(20 * time.Minute); s.o.Container.At = s.now.Add(time.Second) }
	unheardOf := func(d time.Duration) func(*scene) {
		return func(s *scene) { s.at(20*time.Minute + d); s.o.Container.At = s.now.Add(-d) }
	}
	passes := func(d time.Duration) func(*scene) { return func(s *scene) { s.p.Tick = d } }
	since := func(d time.Duration) func(*scene) { return func(s *scene) { s.since = s.now.Add(-d) } }
	stays := func(d time.Duration) func(*scene) {
		return func(s *scene) {
			s.p.Skew = 3 * time.Second
			s.state(fleet.InService)
			s.d.WaitingSince, s.d.StayingSince = time.Time{}, s.o.Instance.At.Add(-d)
		}
	}
	warned := func(s *scene) {
		s.d.Notice = Notice{Noticed: Interruption, NoticedAt: s.now.Add(-2 * time.Second), Verified: s.now.Add(-time.Second), Ends: s.now.Add(time.Minute)}
	}
	delayed := func(d time.Duration) func(*scene) {
		return func(s *scene) {
			s.service("web", false, "draining")
			s.task("web", "web", "RUNNING", "RUNNING")
			s.delay = fleet.Fact[fleet.Delay]{Is: fleet.Seen, At: s.now, Value: fleet.Delay{Delay: d}}
			listedNow(s)
		}
	}
	const left = 29*time.Minute + 55*time.Second // from DRAINING to the deadline
	second := func(s *scene) {                   // a task of a service without a load balancer, before the one with a delay
		s.task("job", "", "RUNNING", "RUNNING").Value.Addresses = nil
		s.o.Tasks[0], s.o.Tasks[1] = s.o.Tasks[1], s.o.Tasks[0]
	}
	firstRule := func(cluster, service string) func(*scene) {
		return func(s *scene) {
			s.p.TrafficFirst, s.d.EarlyOut = []TrafficFirst{{Cluster: cluster, Service: service}}, s.d.DrainingSince.Add(-time.Minute)
			s.d.EarlyOver = s.d.DrainingSince
		}
	}
	lost := func(ago time.Duration) func(*scene) {
		return func(s *scene) {
			s.task("job", "", "RUNNING", "RUNNING")
			s.unreached()
			s.d.UnreachedFrom = s.now.Add(-s.p.LostAfter - time.Second - ago)
		}
	}
	unread := func(s *scene) { s.unread = true }
	follows(t, "else.txt", []wholeCase{
		of("the word is gone, at the last moment", word, wordGone(10*time.Second-moment)),
		of("the word is gone", word, wordGone(10*time.Second)),
		of("the word is gone, and traffic has left", word, wordGone(10*time.Second), took, active, listedNow),
		of("the word is gone, and nothing was taken out", word, wordGone(10*time.Second), active, listedNow),
		of("the word is gone, and it is DRAINING", word, wordGone(10*time.Second), took),
		of("a word of a host that EC2 takes back", word, warned),
		of("overdue, never DRAINING", word, active, overdue),
		of("overdue, never DRAINING, and traffic has left", word, active, took, overdue),
		of("overdue, with a task", word, overdue, func(s *scene) { s.task("job", "", "RUNNING", "RUNNING"); listedNow(s) }),
		of("the word was not heard, at the last moment", word, unheardOf(2*time.Minute-moment)),
		of("the word was not heard", word, unheardOf(2*time.Minute)),
		of("the word was not heard, by this run", word, unheardOf(2*time.Minute), since(time.Minute)),
		of("the word was not heard, by many runs", word, unheardOf(10*time.Minute-moment), since(time.Minute)),
		of("the word was not heard, by many passes, at the last moment", word, unheardOf(10*time.Minute-moment), since(time.Minute), passes(moment)),
		of("the word was not heard, by many passes", word, unheardOf(10*time.Minute), since(time.Minute), passes(moment)),
		of("the word was not heard, by the first pass", word, unheardOf(2*time.Minute), passes(time.Minute)),
		of("drained, and it is kept", asks(fleet.LateLeave, fleet.EndKeep), listedNow),
		of("drained, and it is to be terminated", word, listedNow, func(s *scene) { s.o.Stopped = []time.Time{s.now.Add(-20 * time.Second)} }),
		of("drained, to be terminated, word and group seen", word, intended(Drained), func(s *scene) { s.o.Instance.At, s.o.Container.At = s.now, s.now }),
		of("drained, to be terminated, word not seen", word, intended(Drained), func(s *scene) { s.o.Instance.At = s.now }),
		of("it stays, at the last moment", stays(stayingFor+3*time.Second-moment)),
		of("it stays", stays(stayingFor+3*time.Second)),
		of("it stays, and EC2 ends it, at the last moment", stays(stayingFor+3*time.Second-moment), warned),
		of("it stays, and EC2 ends it", stays(stayingFor+3*time.Second), warned),
		of("it stays, and an operator lets it leave", stays(stayingFor+3*time.Second), func(s *scene) {
			s.d.Word = fleet.Word{Deadline: t0.Add(time.Hour), Late: fleet.LateLeave, End: fleet.EndKeep, Reason: "operator"}
			s.o.Container.Value.Word = s.d.Word
		}),
		of("its delay is too long", delayed(left)),
		of("its delay is not too long", delayed(left-moment)),
		of("its delay is too long, of the second task", delayed(left), second),
		of("its delay is too long, which was told", delayed(left), func(s *scene) { s.d.DelayTold = true }),
		of("its delay is too long, and it is DRAINING for two minutes", delayed(time.Hour), drainingFor(2*time.Minute)),
		of("its delay is too long, and it is DRAINING for longer", delayed(time.Hour), drainingFor(2*time.Minute+moment)),
		of("its delay is too long for passes", delayed(time.Hour), drainingFor(4*time.Minute), passes(time.Minute)),
		of("its delay is too long for passes, for longer", delayed(time.Hour), drainingFor(4*time.Minute+moment), passes(time.Minute)),
		of("its delay is not known", delayed(time.Hour), func(s *scene) { s.delay.Is = fleet.Unknown }),
		of("its delay is too long for an early start", delayed(left+time.Minute-moment), firstRule("prod", "web")),
		of("its delay is too long even for an early start", delayed(left+time.Minute), firstRule("prod", "web")),
		of("its delay is too long, and another service was early", delayed(left), firstRule("prod", "other")),
		of("its delay is too long, and another cluster was early", delayed(left), firstRule("other", "web")),
		of("its delay is too long, and nothing was early", delayed(left), firstRule("prod", "web"), func(s *scene) { s.d.EarlyOut = time.Time{} }),
		of("lost, the net not read, at the last moment", lost(netFor-2*time.Second), unread),
		of("lost, the net not read", lost(netFor), unread),
		of("lost, the net not read, by passes, at the last moment", lost(netFor+time.Minute), unread, since(0), passes(time.Minute)),
		of("lost, the net not read, by passes", lost(netFor+2*time.Minute), unread, since(0), passes(time.Minute)),
		of("lost, the net not read, by the first pass", lost(netFor), unread, passes(time.Minute)),
		of("lost, the net not read, by a run that began now", lost(netFor+2*time.Minute), unread, since(0)),
		of("lost, its tasks known just now", lost(netFor), unread, func(s *scene) { s.o.Stopped = []time.Time{s.now.Add(-time.Second)} }),
		of("lost, in a VPC that is not known", lost(0), func(s *scene) { s.vpc = fleet.Fact[string]{} }),
		of("lost, in no VPC", lost(0), func(s *scene) { s.vpc = fleet.Fact[string]{Is: fleet.Absent} }),
		of("lost, a task that listens nowhere", lost(0), func(s *scene) { s.o.Tasks[0].Value.Addresses, s.vpc = nil, fleet.Fact[string]{} }),
		of("lost, a task with two ports and a target at each", lost(0), func(s *scene) {
			a := &s.o.Tasks[0].Value.Addresses
			*a = append(*a, fleet.Address{Container: "app", ContainerPort: 81, HostPort: 40000}, fleet.Address{Container: "x", IP: "10.0.0.9"})
			for _, x := range *a {
				if x.IP == "" {
					s.net = append(s.net, fleet.Health{TargetGroup: byHand, Target: fleet.TargetID{ID: string(host), Port: x.HostPort}, State: "healthy"})
				}
			}
		}),
		of("lost, two tasks, and the net read for neither", lost(0), unread, func(s *scene) { s.task("two", "", "RUNNING", "RUNNING").At = s.now }),
		of("lost, two tasks, of which the first listens nowhere, and the net not read", lost(netFor), unread, func(s *scene) {
			s.task("two", "", "RUNNING", "RUNNING").At = s.now
			s.o.Tasks[0].Value.Addresses = nil
		}),
		of("not admitted: traffic has left", took, active, func(s *scene) { s.o.Turn.Unread, s.d.Heard = true, s.now }),
		of("for its turn", active, func(s *scene) { s.o.Turn = Slot{Limited: true, Leave: 1, Limit: 1} }),
		of("for its turn, and traffic has left", active, took, func(s *scene) { s.o.Turn = Slot{Limited: true, Leave: 1, Limit: 1} }),
		of("EC2 ends it before its hook is open", warned, func(s *scene) { s.state(fleet.Terminating); s.d.WaitingSince = time.Time{} }),
		of("EC2 ends it, and its hook is not open", warned, active, func(s *scene) { s.state(fleet.InService); s.d.WaitingSince = time.Time{} }),
	})
}

// What a target is, and what it belongs to.
func TestWhatADrainIsOf(t *testing.T) {
	for _, c := range []struct {
		d    Drain
		want string
	}{
		{Drain{Target: fleet.HostTarget(host), Hold: Hold{Group: "web"}, Host: Host{Cluster: "prod"}}, "web " + string(host) + " "},
		{Drain{Target: fleet.HostTarget(host), Host: Host{Cluster: "prod"}}, "cluster prod " + string(host) + " "},
		{Drain{Target: fleet.TaskTarget("prod", spotTask)}, "  " + string(spotTask)},
	} {
		if got := fmt.Sprintf("%s %s %s", c.d.Of(), c.d.Instance(), c.d.TaskARN()); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

func TestOfManyNamesTheFirstAreTold(t *testing.T) {
	names := strings.Split("a b c d e f g h i j", " ")
	if got := someNames(names); got != "a, b, c, d, e, f, g, h, i, j" {
		t.Errorf("of ten: %s", got)
	}
	if got := someNames(append(names, "k", "l")); got != "a, b, c, d, e, f, g, h, i, j, and 2 more" {
		t.Errorf("of twelve: %s", got)
	}
}
