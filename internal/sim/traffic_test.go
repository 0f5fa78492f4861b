package sim

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/ecs"
	"github.com/ebbhq/ebb/internal/sim/elb"
	"github.com/ebbhq/ebb/internal/sim/traffic"
)

// requested is ten tasks behind one target group, with 200 requests per second.
func requested(t *testing.T, tg TargetGroupSpec, def ecs.TaskDefinition, change func(*Spec)) bench {
	t.Helper()
	return small(t, 5, func(s *Spec) {
		tg.Name, def.Family, def.Port = "tg", "app", 8080
		s.TargetGroups = append(s.TargetGroups, tg)
		s.TaskDefinitions = append(s.TaskDefinitions, def)
		addService(s, ServiceSpec{Name: "app", Task: "app", Desired: 10, TargetGroup: "tg"})
		s.Traffic = []TrafficSpec{{Service: "app", Rate: 200}}
		if change != nil {
			change(s)
		}
	})
}

// stop stops so many tasks, lets ten minutes pass, and says what became of the requests.
func (b bench) stop(n int) traffic.Counts {
	b.t.Helper()
	for _, task := range b.Tasks("prod")[:n] {
		_, err := b.StopTask("prod", task.ARN, "")
		b.must(err)
	}
	b.pass(10 * time.Minute)
	return b.TrafficCounts()[0]
}

// near compares what was computed.
func near(a, b float64) bool { return math.Abs(a-b) < 1e-6*math.Max(1, math.Abs(b)) }

// What fails when ECS stops 3 of 10 tasks follows from the times: new requests go to them for as long as the propagation takes, and they are
// answered for as long as the process serves. The replacements start after a second and are healthy 15 s later, so that a share of 3 in 13 is on
// the old ones from then on, and 3 in 10 before.
func TestRequestsThatFail(t *testing.T) {
	const rate, ready = 200.0, 16.0
	share := func(from, to float64) float64 { // of requests from one time to another, in seconds after the stop
		if to <= from {
			return 0
		}
		early := math.Min(to, ready) - math.Min(from, ready)
		late := math.Max(to, ready) - math.Max(from, ready)
		return rate * (early*3/10 + late*3/13)
	}
	for _, protocol := range []string{"HTTP", "TCP"} {
		for _, propagation := range []time.Duration{0, 4 * time.Second, 17 * time.Second, 120 * time.Second} {
			for _, serves := range []time.Duration{0, 10 * time.Second, 20 * time.Second, 30 * time.Second, 120 * time.Second} {
				for _, first := range []bool{false, true} {
					name := fmt.Sprintf("%s, propagation %s, serves %s, SIGTERM first %v", protocol, propagation, serves, first)
					tg := TargetGroupSpec{Protocol: protocol, Delay: 60 * time.Second, Propagation: propagation}
					if propagation == 0 {
						tg.Propagation = -1
					}
					b := requested(t, tg, ecs.TaskDefinition{Start: 5 * time.Second, Exit: serves, Stop: 2 * time.Minute}, func(s *Spec) {
						s.Switches.SigtermFirst = first
						s.Traffic[0].Connection = 100 * time.Millisecond
					})
					got := b.stop(3)
					dead := serves.Seconds()
					if !first {
						dead += 60
					}
					if want := share(dead, propagation.Seconds()); !near(got.NotServing, want) {
						t.Errorf("%s: %.3f requests to tasks that no longer served, want %.3f", name, got.NotServing, want)
					}
					closed := 0.0 // an application load balancer closes what is open at the end of the delay
					if protocol == "HTTP" && propagation > time.Minute && dead >= 60 {
						closed = share(59.9, 60)
					}
					if !near(got.Requests, rate*600) || got.NoTarget != 0 || !near(got.Cut, closed) {
						t.Errorf("%s: %+v, want %.3f closed", name, got, closed)
					}
					// A request of the last 100 ms before the end of a process that still gets some is cut off.
					died := share(dead-0.1, math.Min(dead, propagation.Seconds()))
					if dead == 0 || closed > 0 && dead == 60 { // there was none before, or the load balancer has just closed them
						died = 0
					}
					if !near(got.Died, died) {
						t.Errorf("%s: %.3f requests cut off, want %.3f", name, got.Died, died)
					}
				}
			}
		}
	}
}

// Connections of a network load balancer outlive the deregistration, unless they are to be closed; what is open when the process ends is cut.
func TestConnectionsThatAreCut(t *testing.T) {
	for _, c := range []struct {
		name      string
		tg        TargetGroupSpec
		lasts     time.Duration
		died, cut float64
	}{
		// 20 new connections per second and task; until 60 s after the stop none is new (propagation: none). Those of 30 s are over then.
		{"short ones", TargetGroupSpec{Propagation: -1}, 30 * time.Second, 0, 0},
		// Those of 90 s that were opened in the 22 s and more before the stop are open when the process ends, 62 s after it.
		{"long ones", TargetGroupSpec{Propagation: -1}, 90 * time.Second, 3 * 20 * 28, 0},
		{"long ones, closed", TargetGroupSpec{Propagation: -1, ConnectionTermination: true}, 90 * time.Second, 0, 3 * 20 * 30},
	} {
		c.tg.Protocol, c.tg.Delay = "TCP", 60*time.Second
		b := requested(t, c.tg, ecs.TaskDefinition{Exit: 2 * time.Second}, func(s *Spec) { s.Traffic[0].Connection = c.lasts })
		b.pass(5 * time.Minute)
		if got := b.stop(3); !near(got.Died, c.died) || !near(got.Cut, c.cut) || got.NotServing != 0 {
			t.Errorf("%s: %+v, want %.0f that died and %.0f that were closed", c.name, got, c.died, c.cut)
		}
	}
}

// A network load balancer needs two minutes to send no new connection; an application load balancer needs what the switch says.
func TestPropagation(t *testing.T) {
	for _, c := range []struct {
		tg   TargetGroupSpec
		sw   time.Duration
		want time.Duration
	}{
		{TargetGroupSpec{Protocol: "TCP"}, 0, 2 * time.Minute}, {TargetGroupSpec{Protocol: "TCP"}, 17 * time.Second, 2 * time.Minute},
		{TargetGroupSpec{}, 0, 4 * time.Second}, {TargetGroupSpec{}, 17 * time.Second, 17 * time.Second},
		{TargetGroupSpec{Propagation: time.Minute}, 17 * time.Second, time.Minute}, {TargetGroupSpec{Protocol: "TCP", Propagation: -1}, 0, 0},
	} {
		c.tg.Delay = -1
		b := requested(t, c.tg, ecs.TaskDefinition{}, func(s *Spec) { s.Switches.Propagation = c.sw })
		stopped := b.Now()
		got := b.stop(3)
		if want := c.want > 0; want == (got.NotServing == 0) || want && got.Last.Sub(stopped) != c.want {
			t.Errorf("%+v with the switch %s: %+v after %s, want %s", c.tg, c.sw, got, got.Last.Sub(stopped), c.want)
		}
	}
}

// With too few healthy targets a load balancer sends requests to all that are registered, dead ones too.
func TestFailOpen(t *testing.T) {
	for _, c := range []struct {
		name string
		tg   TargetGroupSpec
		dead int
		open bool
	}{
		{"one is left", TargetGroupSpec{}, 9, false},
		{"none is left", TargetGroupSpec{}, 10, true},
		{"as many as there must be", TargetGroupSpec{LeastHealthy: 6}, 4, false},
		{"too few", TargetGroupSpec{LeastHealthy: 6}, 5, true},
		{"half", TargetGroupSpec{LeastPercent: 50}, 5, false},
		{"less than half", TargetGroupSpec{LeastPercent: 50}, 6, true},
	} {
		c.tg.Propagation, c.tg.Check = -1, 10*time.Second
		b := requested(t, c.tg, ecs.TaskDefinition{}, func(s *Spec) {
			s.TaskDefinitions[len(s.TaskDefinitions)-1].Start = time.Hour // nothing replaces them in time
			s.Services[0].TargetGroup, s.Services[0].ByHand = "", []BalancerSpec{{TargetGroup: "tg"}}
		})
		for _, task := range b.Tasks("prod")[:c.dead] {
			b.Exited(task.ARN) // the process ends
		}
		b.pass(9 * time.Second)
		before := b.TrafficCounts()[0].NotServing
		if want := 200.0 * 9 * float64(c.dead) / 10; !near(before, want) {
			t.Errorf("%s: %.1f failed before the health checks did, want %.1f", c.name, before, want)
		}
		b.pass(time.Second)
		at := b.TrafficCounts()[0].NotServing
		b.pass(time.Second)
		if failed := b.TrafficCounts()[0].NotServing > at; failed != c.open {
			t.Errorf("%s: requests fail %v, want %v", c.name, failed, c.open)
		}
	}
}

// Without clients nothing is measured, and with clients the world is the same.
func TestClientsChangeNothing(t *testing.T) {
	record := func(clients bool) string {
		b := requested(t, TargetGroupSpec{}, ecs.TaskDefinition{Exit: time.Second}, func(s *Spec) {
			if !clients {
				s.Traffic = nil
			}
		})
		if n := len(b.TrafficCounts()); (n > 0) != clients {
			t.Errorf("%d services have clients", n)
		}
		_, err := b.StopTask("prod", b.Tasks("prod")[0].ARN, "")
		b.must(err)
		b.must(b.TerminateInstances([]string{b.id(0)}))
		b.pass(10 * time.Minute)
		return fmt.Sprint(b.Record())
	}
	if record(true) != record(false) {
		t.Error("the record is another one with clients")
	}
}

// A host that dies cuts off what is on it, and requests to it fail until the health checks do.
func TestHostDies(t *testing.T) {
	b := requested(t, TargetGroupSpec{Check: 10 * time.Second}, ecs.TaskDefinition{}, func(s *Spec) { s.Traffic[0].Connection = time.Second })
	b.pass(time.Minute)
	died := b.Now()
	b.must(b.TerminateInstances([]string{b.id(0)}))
	b.pass(time.Minute)
	got := b.TrafficCounts()[0]
	if !near(got.Died, 200.0*2/10) || got.First != died || got.NotServing < 200*2/10*14 || got.Last.Sub(died) != 14*time.Second {
		t.Errorf("%+v, last after %s; want 40 cut off at once, and failures for the 10 s of the health checks and 4 s of propagation", got, got.Last.Sub(died))
	}
}

func TestTrafficThatCannotBe(t *testing.T) {
	for want, change := range map[string]func(*Spec){
		`there is no service "x"`:     func(s *Spec) { s.Traffic[0].Service = "x" },
		"it must be more than 0":      func(s *Spec) { s.Traffic[0].Rate = 0 },
		"has no target group":         func(s *Spec) { s.Services[0].TargetGroup = "" },
		`there is no target group "x`: func(s *Spec) { s.Traffic[0].TargetGroup = "x" },
	} {
		s := Spec{
			Clusters: []ClusterSpec{{Name: "prod"}}, TargetGroups: []TargetGroupSpec{{Name: "tg"}}, TaskDefinitions: []ecs.TaskDefinition{{Family: "web", Port: 80}},
			Services: []ServiceSpec{{Name: "web", Cluster: "prod", Task: "web", TargetGroup: "tg"}}, Traffic: []TrafficSpec{{Service: "web", Rate: 1}},
		}
		change(&s)
		if _, err := Build(s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// An unhealthy target of a network load balancer can keep its connections for a while.
func TestUnhealthyDraining(t *testing.T) {
	for _, c := range []struct {
		keep bool
		want string
	}{{true, "initial healthy unhealthy.draining unhealthy"}, {false, "initial healthy unhealthy"}} {
		b := requested(t, TargetGroupSpec{Protocol: "TCP", KeepUnhealthy: c.keep, UnhealthyDraining: 5 * time.Second}, ecs.TaskDefinition{}, nil)
		task := b.Tasks("prod")[0]
		b.must(b.TerminateInstances([]string{task.Instance}))
		b.pass(20 * time.Second)
		isTarget := func(e core.Entry) bool { return e.Task == task.ARN }
		b.wantCourse(core.EntryTarget, isTarget, c.want)
		if !c.keep {
			continue
		}
		from := b.at(core.EntryTarget, func(e core.Entry) bool { return isTarget(e) && e.To == "unhealthy.draining" })
		if to := b.at(core.EntryTarget, func(e core.Entry) bool { return isTarget(e) && e.To == "unhealthy" }); to.Sub(from) != 5*time.Second {
			t.Errorf("it took %s, want 5 s", to.Sub(from))
		}
	}
}

// A process takes requests until it exits, or for as long as its definition says after SIGTERM; a container that others depend on gets its
// SIGTERM later.
func TestServes(t *testing.T) {
	for _, c := range []struct {
		serves        time.Duration
		port          int
		serves1, ends time.Duration
	}{
		{0, 8080, 20 * time.Second, 20 * time.Second}, {7 * time.Second, 8080, 7 * time.Second, 20 * time.Second},
		{-1, 8080, 0, 20 * time.Second}, {time.Minute, 8080, 20 * time.Second, 20 * time.Second},
		{0, 9901, 25 * time.Second, 25 * time.Second}, {-1, 9901, 20 * time.Second, 25 * time.Second},
	} {
		b := small(t, 1, func(s *Spec) {
			s.TaskDefinitions = []ecs.TaskDefinition{{Family: "app", Port: 8080, Exit: 20 * time.Second, Serves: c.serves, DependsOn: []string{"envoy"},
				Ports: []ecs.Port{{Port: 9901, Container: "envoy"}}, Containers: []ecs.Container{{Name: "envoy", Exit: 5 * time.Second}}}}
			s.Tasks = []TaskSpec{{Cluster: "prod", Task: "app"}}
		})
		task := b.Tasks("prod")[0]
		if s := b.Serving(task.ARN, c.port); s != (ecs.Serving{Up: true}) {
			t.Errorf("%+v: before the stop %+v", c, s)
		}
		_, err := b.StopTask("prod", task.ARN, "")
		b.must(err)
		b.pass(time.Second)
		s := b.Serving(task.ARN, c.port)
		if got, want := s.Until.Sub(task.SignalledAt), c.serves1; got != want {
			t.Errorf("%+v: serves for %s, want %s", c, got, want)
		}
		if got := s.Ends.Sub(task.SignalledAt); got != c.ends || !s.Up {
			t.Errorf("%+v: ends after %s, want %s", c, got, c.ends)
		}
		b.pass(time.Minute)
		if s := b.Serving(task.ARN, c.port); s != (ecs.Serving{}) {
			t.Errorf("%+v: after the end %+v", c, s)
		}
	}
}

// The same address cannot be registered before its deregistration is over.
func TestAddressThatIsBeingDeregistered(t *testing.T) {
	b := small(t, 1, func(s *Spec) { s.TargetGroups = []TargetGroupSpec{{Name: "tg", Type: "ip", Delay: 30 * time.Second}} })
	groups, err := b.DescribeTargetGroups(nil, nil)
	b.must(err)
	arn, target := groups[0].ARN, []elb.Target{{ID: "10.1.0.9"}}
	b.must(b.RegisterTargets(arn, target))
	b.pass(time.Minute)
	b.must(b.DeregisterTargets(arn, target))
	b.wantError(b.RegisterTargets(arn, target), "InvalidTarget", "10.1.0.9")
	b.pass(30 * time.Second)
	b.must(b.RegisterTargets(arn, target))
}

// Three of ten Fargate Spot tasks are interrupted. Whether requests fail depends on the order in which AWS goes about it, unless somebody
// deregisters the targets at the notice and the processes serve for longer than that takes to propagate.
func TestRequestsOfInterruptedTasks(t *testing.T) {
	for _, c := range []struct {
		order  string
		exit   time.Duration
		helped bool
		fail   bool
	}{
		{"", 20 * time.Second, false, false}, {"", 2 * time.Second, false, true}, {core.SpotBefore2023, 20 * time.Second, false, true},
		{core.SpotBefore2023, 20 * time.Second, true, false}, {core.Spot2025, 20 * time.Second, false, false}, {core.Spot2025, 10 * time.Second, false, true},
		{core.Spot2025, 10 * time.Second, true, false}, {core.Spot2025, 3 * time.Second, true, true}, {"", 2 * time.Hour, false, false},
	} {
		b := onFargate(t, 10, func(s *Spec) {
			s.Switches.SpotOrder = c.order
			s.TaskDefinitions[0].Exit = c.exit
			s.Traffic = []TrafficSpec{{Service: "web", Rate: 200}}
		})
		group := b.service("web").TargetGroups[0].ARN
		for _, task := range b.Tasks("prod")[:3] {
			b.must(b.InterruptTask("prod", task.ARN))
			if c.helped {
				b.must(b.DeregisterTargets(group, []elb.Target{{ID: task.IP, Port: 8080}}))
			}
		}
		b.pass(3 * time.Second)
		if s := b.Serving(b.Tasks("prod")[0].ARN, 8080); c.exit == 2*time.Hour && !s.Ends.Equal(b.Start().Add(2*time.Minute)) {
			t.Errorf("it ends at %s, want two minutes after the notice, although its stop timeout is not over", s.Ends)
		}
		b.pass(5 * time.Minute)
		if got := b.TrafficCounts()[0]; (got.NotServing > 0) != c.fail || !near(got.Requests, 200*b.Now().Sub(b.Start()).Seconds()) {
			t.Errorf("%+v: %+v", c, got)
		}
	}
}

// Counting costs little, however many requests there are.
func TestCountingIsCheap(t *testing.T) {
	b := requested(t, TargetGroupSpec{Protocol: "TCP"}, ecs.TaskDefinition{Exit: 20 * time.Second}, func(s *Spec) { s.Traffic[0].Rate = 1e6 })
	if n := testing.AllocsPerRun(1, func() { b.pass(10 * time.Minute) }); n > 20000 {
		t.Errorf("ten minutes take %.0f allocations", n)
	}
	if got := b.TrafficCounts()[0]; got.Requests < 1e6*600 || got.Failed() != 0 {
		t.Errorf("%+v", got)
	}
}
