package sim

import (
	"strings"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/ecs"
	"github.com/ebbhq/ebb/internal/sim/vpclattice"
)

// ECS makes a task an instance of Cloud Map when it runs and takes it out when it begins to stop; nothing waits for clients that still
// know it.
func TestTaskInCloudMap(t *testing.T) {
	for _, network := range []string{"awsvpc", "bridge"} {
		b := small(t, 1, func(s *Spec) {
			s.Registries = []RegistrySpec{{Name: "app", Namespace: "internal", TTL: 30 * time.Second}}
			s.TaskDefinitions = append(s.TaskDefinitions, ecs.TaskDefinition{Family: "app", Network: network, Port: 8080, Exit: 10 * time.Second})
			addService(s, ServiceSpec{Name: "app", Task: "app", Desired: 1, Min: 0, Max: 100, Names: []NamedSpec{{Registry: "app", Port: 8080}}})
			s.Traffic = []TrafficSpec{{Service: "app", Registry: "app", Rate: 10}}
		})
		arn := b.service("app").Names[0].ARN
		task := b.Tasks("prod")[0]
		ip, port := task.IP, 8080
		if network == "bridge" {
			ip, port = b.Instances()[0].PrivateIP, task.HostPort
		}
		seen, _, ok := b.Registry(arn)
		if !ok || len(seen.Instances) != 1 {
			t.Fatalf("%s: %+v, want one instance", network, seen.Instances)
		}
		if i := seen.Instances[0]; i.ID != core.LastPart(task.ARN) || i.IP != ip || i.Port != port || i.Attributes["AWS_INSTANCE_IPV4"] != ip ||
			i.Attributes["ECS_SERVICE_NAME"] != "app" {
			t.Errorf("%s: %+v, want %s:%d", network, i, ip, port)
		}
		b.SetCaller("somebody")
		_, err := b.StopTask("prod", task.ARN, "")
		b.must(err)
		b.SetCaller("aws")
		b.pass(11 * time.Second)
		b.wantCourse(core.EntryRegistry, isTask(task.ARN), "registered deregistered")
		out := b.entries(core.EntryRegistry, func(e core.Entry) bool { return e.Task == task.ARN && e.To == "deregistered" })[0]
		if !out.At.Equal(b.Start()) || out.By != "ecs" || out.TargetGroup != "app" {
			t.Errorf("%s: it left %+v; want ECS to take it out at once", network, out)
		}
		// It exits after 10 s, and clients use what they know for 30 s; a new one runs a few seconds later.
		b.pass(time.Minute)
		got := b.TrafficCounts()[0]
		if got.NotServing == 0 || got.Last.Sub(b.Start()) != 30*time.Second || got.First.Sub(b.Start()) > 10*time.Second {
			t.Errorf("%s: %+v; want failures until 30 s after the stop", network, got)
		}
	}
}

// A target of VPC Lattice drains for a minute, and the task gets SIGTERM after that.
func TestTaskInLattice(t *testing.T) {
	b := small(t, 1, func(s *Spec) {
		s.Lattice = []LatticeSpec{{Name: "app-lattice", Check: 3 * time.Second}, {Name: "other"}}
		s.TaskDefinitions = append(s.TaskDefinitions, edge("awsvpc"))
		addService(s, ServiceSpec{Name: "edge", Task: "edge", Desired: 1, Min: 0, Max: 100,
			Lattice: []BalancerSpec{{TargetGroup: "app-lattice", Alternate: "other", Port: 9901, Container: "envoy"}}})
	})
	entry := b.service("edge").Lattice[0]
	task := b.Tasks("prod")[0]
	targets, err := b.LatticeTargets(entry.ARN)
	want := vpclattice.Target{ID: task.IP, Port: 9901, State: "healthy", Since: b.Start(), Task: task.ARN}
	if err != nil || len(targets) != 1 || targets[0] != want {
		t.Fatalf("targets %+v %v, want %+v", targets, err, want)
	}
	if other, err := b.LatticeTargets(entry.Alternate); err != nil || len(other) != 0 || entry.Alternate == entry.ARN {
		t.Errorf("the alternate group has %+v %v", other, err)
	}
	_, err = b.StopTask("prod", task.ARN, "")
	b.must(err)
	b.pass(2 * time.Minute)
	b.wantCourse(core.EntryTarget, isTask(task.ARN), "initial healthy draining unused")
	at := b.at(core.EntryTask, func(e core.Entry) bool { return e.Task == task.ARN && e.To == "STOPPING" })
	if at.Sub(b.Start()) != time.Minute {
		t.Errorf("SIGTERM after %s, want a minute", at.Sub(b.Start()))
	}
	// The next task of the service dies with its host.
	next := b.Tasks("prod")[1]
	b.must(b.TerminateInstances([]string{next.Instance}))
	b.pass(5 * time.Second)
	b.wantCourse(core.EntryTarget, isTask(next.ARN), "initial healthy unhealthy draining") // ECS replaces it
}

func TestNamesThatCannotBe(t *testing.T) {
	for want, change := range map[string]func(*Spec){
		`service_registries: there is no registry "x"`:  func(s *Spec) { s.Services[0].Names = []NamedSpec{{Registry: "x"}} },
		`wants port 9 of the container`:                 func(s *Spec) { s.Services[0].Names = []NamedSpec{{Registry: "r", Port: 9}} },
		`add it to lattice`:                             func(s *Spec) { s.Services[0].Lattice = []BalancerSpec{{TargetGroup: "x"}} },
		`does not fit`:                                  func(s *Spec) { s.Services[0].Lattice = []BalancerSpec{{TargetGroup: "ip"}} },
		`it must be IP or INSTANCE`:                     func(s *Spec) { s.Lattice[0].Type = "ALB" },
		`traffic of service "web": there is no registr`: func(s *Spec) { s.Traffic = []TrafficSpec{{Service: "web", Rate: 1, Registry: "x"}} },
	} {
		s := Spec{
			Clusters: []ClusterSpec{{Name: "prod"}}, Registries: []RegistrySpec{{Name: "r"}}, Lattice: []LatticeSpec{{Name: "ip"}},
			TaskDefinitions: []ecs.TaskDefinition{{Family: "web", Port: 80}}, Services: []ServiceSpec{{Name: "web", Cluster: "prod", Task: "web"}},
		}
		change(&s)
		if _, err := Build(s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
