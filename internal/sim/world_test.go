package sim

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/ecs"
	"github.com/ebbhq/ebb/internal/sim/elb"
)

func TestEventsRunInOrderOfTimeThenOfScheduling(t *testing.T) {
	w := New(core.Config{})
	start := w.Now()
	var ran []string
	at := func(d time.Duration, name string) {
		w.At(start.Add(d), func() { ran = append(ran, name+"@"+w.Now().Sub(start).String()) })
	}
	at(2*time.Second, "c")
	at(time.Second, "a")
	at(time.Second, "b")
	at(-time.Hour, "past")
	w.At(start.Add(time.Second), func() { at(time.Second, "nested") })
	at(3*time.Second, "later")
	w.Advance(start.Add(2 * time.Second))
	if want := []string{"past@0s", "a@1s", "b@1s", "nested@1s", "c@2s"}; !slices.Equal(ran, want) {
		t.Errorf("ran %v, want %v", ran, want)
	}
	if next, ok := w.Next(); !ok || !next.Equal(start.Add(3*time.Second)) || !w.Now().Equal(start.Add(2*time.Second)) {
		t.Errorf("next %v %v, now %v", next, ok, w.Now())
	}
	w.Advance(start)
	if !w.Now().Equal(start.Add(2 * time.Second)) {
		t.Error("the time ran backwards")
	}
}

func TestCallerIsRecorded(t *testing.T) {
	w := New(core.Config{})
	w.SetCaller("ebb")
	w.Log(core.Entry{Kind: core.EntryNote, Text: "mine"})
	w.At(w.Now(), func() { w.Log(core.Entry{Kind: core.EntryNote, Text: "aws'"}) })
	w.At(w.Now(), func() { w.SetCaller("operator"); w.Log(core.Entry{Kind: core.EntryNote, Text: "theirs"}) })
	w.Advance(w.Now())
	w.Log(core.Entry{Kind: core.EntryNote, Text: "mine again"})
	var by []string
	for _, e := range w.Record() {
		by = append(by, e.By)
	}
	if want := []string{"ebb", "aws", "operator", "ebb"}; !slices.Equal(by, want) {
		t.Errorf("by %v, want %v", by, want)
	}
}

// busy runs a world with everything in it.
func busy(t testing.TB, seed uint64, hosts int) *World {
	s := Spec{
		Seed:         seed,
		Clusters:     []ClusterSpec{{Name: "prod"}},
		Queues:       []QueueSpec{{Name: "q", Redrive: "dlq"}, {Name: "dlq"}},
		Rules:        []RuleSpec{{Name: "r", Pattern: `{"source":["aws.autoscaling"]}`, Targets: []string{"q"}}},
		TargetGroups: []TargetGroupSpec{{Name: "a-tg", Delay: 20 * time.Second}, {Name: "b-tg", Delay: 5 * time.Second}},
		TaskDefinitions: []ecs.TaskDefinition{
			{Family: "a", Port: 80, CPU: 128, Memory: 256, Exit: time.Second}, {Family: "b", Port: 81, Network: "awsvpc", Exit: time.Minute},
			{Family: "c"}, {Family: "d", CPU: 10, Memory: 10},
		},
		Groups: []GroupSpec{{
			Name: "g", Desired: hosts, Max: 2 * hosts, Launch: core.HostSpec{Cluster: "prod"},
			Hooks: []HookSpec{{Name: "h", Heartbeat: 5 * time.Minute, DefaultResult: "CONTINUE", Target: "q"}},
		}},
		Services: []ServiceSpec{
			{Name: "a", Cluster: "prod", Task: "a", Desired: 2 * hosts, TargetGroup: "a-tg"}, {Name: "b", Cluster: "prod", Task: "b", Desired: hosts,
				TargetGroup: "b-tg"},
			{Name: "c", Cluster: "prod", Task: "c", Desired: hosts, Min: 50, Max: 150}, {Name: "d", Cluster: "prod", Task: "d", Daemon: true},
		},
		Switches: core.Switches{Duplicate: 20, LostPercent: 10, LatePercent: 10},
	}
	w, err := Build(s)
	if err != nil {
		t.Fatal(err)
	}
	for i := range hosts / 2 {
		h := w.Instances()[i]
		if _, err := w.TerminateInstanceInAutoScalingGroup(h.ID, i%2 == 0); err != nil {
			t.Fatal(err)
		}
		if _, _, err := w.UpdateContainerInstancesState("prod", []string{h.ContainerInstance}, "DRAINING"); err != nil {
			t.Fatal(err)
		}
	}
	for range 40 {
		w.Advance(w.Now().Add(30 * time.Second))
		if _, err := w.ReceiveMessage("q", 10, nil); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

func TestSameSeedSameRecord(t *testing.T) {
	spell := func(seed uint64) string {
		b, err := json.Marshal(busy(t, seed, 12).Record())
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	one, two := spell(5), spell(5)
	if one != two {
		t.Error("the same seed gave two records")
	}
	if one == spell(6) {
		t.Error("another seed gave the same record")
	}
}

// Whatever happens, what the world keeps beside its lists agrees with them.
func TestBooksBalance(t *testing.T) {
	for seed := range uint64(10) {
		w := busy(t, seed, 7)
		var arns []string
		for _, e := range w.Record() {
			if e.Kind == core.EntryContainer && e.To == "ACTIVE" && !slices.Contains(arns, e.ContainerInstance) {
				arns = append(arns, e.ContainerInstance)
			}
		}
		instances, _, err := w.DescribeContainerInstances("prod", arns)
		if err != nil || len(instances) < 7 {
			t.Fatalf("seed %d: %d container instances, %v", seed, len(instances), err)
		}
		for _, ci := range instances {
			cpu, memory, ports := ci.CPU, ci.Memory, len(ecs.ReservedPorts())
			for _, task := range w.Tasks("prod") {
				if task.ContainerInstance != ci.ARN || task.LastStatus == "STOPPED" {
					continue
				}
				cpu, memory = cpu-task.CPU, memory-task.Memory
				if task.HostPort != 0 {
					ports++
				}
			}
			if cpu != ci.FreeCPU || memory != ci.FreeMemory || ports != len(ci.Ports) || cpu < 0 || memory < 0 {
				t.Fatalf("seed %d: %s has %d CPU, %d MiB free and %d ports in use; by its tasks %d, %d, %d", seed, ci.Instance, ci.FreeCPU,
					ci.FreeMemory, len(ci.Ports), cpu, memory, ports)
			}
		}
		services, _, err := w.DescribeServices("prod", []string{"a", "b", "c", "d"})
		if err != nil || len(services) != 4 {
			t.Fatalf("seed %d: %d services, %v", seed, len(services), err)
		}
		for _, seen := range services {
			if seen.Running != seen.Desired && !seen.Daemon || seen.Pending != 0 {
				t.Errorf("seed %d: service %s has %d of %d running and %d pending after 20 minutes", seed, seen.Name, seen.Running, seen.Desired, seen.Pending)
			}
		}
		if g := w.DescribeAutoScalingGroups([]string{"g"})[0]; len(g.Instances) != g.Desired {
			t.Errorf("seed %d: the group has %d of %d instances", seed, len(g.Instances), g.Desired)
		}
	}
}

func TestIDsComeFromTheSeed(t *testing.T) {
	one, same, other := New(core.Config{Seed: 1}), New(core.Config{Seed: 1}), New(core.Config{Seed: 2})
	id := one.UUID()
	if id != same.UUID() || id == other.UUID() || id == one.UUID() || len(id) != 36 {
		t.Errorf("id %s: the same seed must give the same, another seed or a second call another", id)
	}
}

// Every entry continues where the entry before it of the same thing ended.
func TestRecordIsContinuous(t *testing.T) {
	last := map[string]string{}
	for _, e := range busy(t, 3, 12).Record() {
		var key string
		switch e.Kind {
		case core.EntryTask:
			key = e.Task
		case core.EntryInstance, core.EntryLifecycle:
			key = string(e.Kind) + e.Instance
		case core.EntryContainer:
			key = e.ContainerInstance
		case core.EntryTarget:
			key = e.TargetGroup + e.Target
		default:
			continue
		}
		if e.From != last[key] && (last[key] != "unused" || e.From != "") {
			t.Fatalf("%+v does not continue %q", e, last[key])
		}
		last[key] = e.To
	}
	if len(last) < 50 {
		t.Errorf("only %d things in the record", len(last))
	}
}

func TestAnswersAreCopies(t *testing.T) {
	b := small(t, 1, web(1, 100, 200))
	g := b.DescribeAutoScalingGroups(nil)[0]
	g.Instances[0].State, g.Hooks[0].Name = "Broken", "broken"
	s := b.service("web")
	s.TargetGroups[0].ARN, s.Name = "broken", "broken"
	machines, _, _ := b.DescribeContainerInstances("prod", []string{b.containerInstance(0)})
	machines[0].Ports[0], machines[0].Attributes["ecs.os-type"] = 1, "broken"
	again, _, _ := b.DescribeContainerInstances("prod", []string{b.containerInstance(0)})
	if b.state(0) != "InService" || b.DescribeAutoScalingGroups(nil)[0].Hooks[0].Name != "drain" || b.service("web").TargetGroups[0].ARN == "broken" ||
		again[0].Ports[0] == 1 || again[0].Attributes["ecs.os-type"] != "linux" {
		t.Error("an answer shares memory with the world")
	}
}

func TestTargets(t *testing.T) {
	b := small(t, 1, func(s *Spec) { addBalancer(s, "tg", 30*time.Second) })
	tg, err := b.DescribeTargetGroups(nil, []string{"tg"})
	b.must(err)
	arn, target := tg[0].ARN, []elb.Target{{ID: b.id(0)}}
	state := func() string {
		found, err := b.DescribeTargetHealth(arn, target)
		b.must(err)
		return found[0].State + " " + found[0].Reason
	}
	wantState := func(want string) {
		t.Helper()
		if got := state(); got != want {
			t.Errorf("the target is %q, want %q", got, want)
		}
	}
	b.must(b.DeregisterTargets(arn, target)) // not registered: no error
	wantState("unused Target.NotRegistered")
	b.must(b.RegisterTargets(arn, target))
	wantState("initial Elb.InitialHealthChecking")
	b.pass(10 * time.Second)
	wantState("healthy ")
	b.must(b.DeregisterTargets(arn, target))
	wantState("draining Target.DeregistrationInProgress")
	if all, _ := b.DescribeTargetHealth(arn, nil); !all[0].RoutedUntil.Equal(b.Now().Add(4 * time.Second)) {
		t.Errorf("routed until %s, want 4 s from now", all[0].RoutedUntil)
	}
	b.pass(29 * time.Second)
	b.must(b.RegisterTargets(arn, target)) // taken back
	b.pass(10 * time.Second)
	wantState("healthy ")
	b.must(b.SetDeregistrationDelay(arn, 0))
	b.must(b.DeregisterTargets(arn, target))
	b.pass(0)
	wantState("unused Target.NotRegistered")
	if all, _ := b.DescribeTargetHealth(arn, nil); len(all) != 0 {
		t.Errorf("registered: %+v, want none", all)
	}
	_, err = b.DescribeTargetHealth("nope", nil)
	b.wantError(err, "TargetGroupNotFound", "nope")
	_, err = b.DescribeTargetGroups(nil, []string{"nope"})
	b.wantError(err, "TargetGroupNotFound", "nope")
	b.wantError(b.RegisterTargets(arn, []elb.Target{{ID: "i-0000feed"}}), "InvalidTarget", "i-0000feed")
	b.wantError(b.RegisterTargets(arn, []elb.Target{{ID: "10.0.0.1"}}), "ValidationError", "Instance ID '10.0.0.1' is not valid")
	b.wantError(b.DeregisterTargets(arn, []elb.Target{{ID: "i-0feed"}}), "ValidationError", "Instance ID 'i-0feed' is not valid")
	_, err = b.DescribeTargetHealth(arn, []elb.Target{{ID: b.id(0)}, {ID: ""}})
	b.wantError(err, "ValidationError", "Instance ID '' is not valid")
	b.wantError(b.SetDeregistrationDelay(arn, 2*time.Hour), "ValidationError", "3600")
}

// A task whose draining target somebody else takes over does not wait for it for ever.
func TestTargetTakenFromStoppingTask(t *testing.T) {
	b := small(t, 1, web(1, 0, 100))
	task := b.Tasks("prod")[0]
	_, err := b.StopTask("prod", task.ARN, "")
	b.must(err)
	groups, err := b.DescribeTargetGroups(nil, nil)
	b.must(err)
	b.must(b.RegisterTargets(groups[0].ARN, []elb.Target{{ID: b.id(0), Port: task.HostPort}}))
	b.pass(10 * time.Second)
	if task.LastStatus != "STOPPED" {
		t.Errorf("%s, want STOPPED", task.LastStatus)
	}
}

func TestDemo(t *testing.T) {
	w, err := Build(Demo())
	if err != nil {
		t.Fatal(err)
	}
	b := bench{w, t}
	services, _, err := w.DescribeServices("demo", []string{"web", "api"})
	if err != nil || services[0].Running != 4 || services[1].Running != 2 {
		t.Errorf("%+v %v, want 4 and 2 running", services, err)
	}
	if _, err := w.TerminateInstanceInAutoScalingGroup(b.id(0), false); err != nil {
		t.Fatal(err)
	}
	b.pass(10 * time.Second)
	if got := b.receive("ebb", 10); len(got) != 1 || !strings.Contains(got[0].Body, b.id(0)) {
		t.Errorf("the queue has %+v, want the notification", got)
	}
}

func TestBuildRefusals(t *testing.T) {
	one := func(change func(*Spec)) error {
		s := Demo()
		change(&s)
		_, err := Build(s)
		return err
	}
	host := 9
	for want, change := range map[string]func(*Spec){ //ebb:any-order each stands alone
		`service "web": there is no task definition "nope"`: func(s *Spec) { s.Services[0].Task = "nope" },
		`service "web": there is no target group "nope"`:    func(s *Spec) { s.Services[0].TargetGroup = "nope" },
		`service "web": there is no cluster "nope"`:         func(s *Spec) { s.Services[0].Cluster = "nope" },
		`has no port`:                                       func(s *Spec) { s.TaskDefinitions[0].Port = 0 },
		`need type ip`:                                      func(s *Spec) { s.TargetGroups[0].Type = "ip" },
		`must be instance or ip`:                            func(s *Spec) { s.TargetGroups[0].Type = "alb" },
		`neither a queue nor a topic "nope"`:                func(s *Spec) { s.Groups[0].Hooks[0].Target = "nope" },
		`from 30s to 2h`:                                    func(s *Spec) { s.Groups[0].Hooks[0].Heartbeat = time.Second },
		`must be CONTINUE or ABANDON`:                       func(s *Spec) { s.Groups[0].Hooks[0].DefaultResult = "MAYBE" },
		`must be terminating or launching`:                  func(s *Spec) { s.Groups[0].Hooks[0].Transition = "flying" },
		`group "demo-asg": there is no target group "nope"`: func(s *Spec) { s.Groups[0].TargetGroups = []string{"nope"} },
		`a name of its own`:                                 func(s *Spec) { s.Groups = append(s.Groups, s.Groups[0]) },
		`no queue "nope" for dead letters`:                  func(s *Spec) { s.Queues[0].Redrive = "nope" },
		`topic "t": there is no queue "nope"`: func(s *Spec) {
			s.Topics = []TopicSpec{{Name: "t",
				Subscriptions: []SubscriptionSpec{{Queue: "nope"}}}}
		},
		`rule "r": InvalidEventPatternException`: func(s *Spec) { s.Rules = []RuleSpec{{Name: "r", Pattern: "{"}} },
		`rule "r": there is neither`: func(s *Spec) {
			s.Rules = []RuleSpec{{Name: "r", Pattern: `{"source":["x"]}`, Targets: []string{"nope"}}}
		},
		`bridge, host or awsvpc`: func(s *Spec) { s.TaskDefinitions[0].Network = "mesh" },
		`has no family`:          func(s *Spec) { s.TaskDefinitions[0].Family = "" },
		`task "web": there is no host 9 in cluster "demo"; it has 4,`: func(s *Spec) { s.Tasks = []TaskSpec{{Cluster: "demo", Task: "web", Host: &host}} },
		`there is no place for it`: func(s *Spec) {
			s.TaskDefinitions[0].CPU, s.Tasks = 9999, []TaskSpec{{Cluster: "demo", Task: "web"}}
		},
		`Cluster not found`: func(s *Spec) { s.Tasks = []TaskSpec{{Cluster: "nope", Task: "web"}} },
	} {
		if err := one(change); err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "build the world: ") {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func BenchmarkBusyWorld(b *testing.B) {
	for b.Loop() {
		busy(b, 1, 50)
	}
}
