package sim

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/ec2"
	"github.com/ebbhq/ebb/internal/sim/ecs"
)

// provided is a world of two groups in one cluster, web-asg with n hosts and spot-asg with m, and a capacity provider for each, od and
// spot.
func provided(t *testing.T, n, m int, change func(*Spec)) bench {
	t.Helper()
	return small(t, n, func(s *Spec) {
		s.Groups[0].ProtectNew = true
		s.Groups = append(s.Groups, GroupSpec{Name: "spot-asg", Desired: m, Max: m + 1, Launch: core.HostSpec{Cluster: "prod", Boot: 20 * time.Second, Spot: true}})
		s.Providers = []ecs.CapacityProvider{{Name: "od", Group: "web-asg"}, {Name: "spot", Group: "spot-asg"}}
		if change != nil {
			change(s)
		}
	})
}

func TestCapacityProviderStrategy(t *testing.T) {
	for name, row := range map[string]struct {
		strategy []ecs.StrategyItem
		desired  int
		od, spot int
	}{
		"one provider":          {[]ecs.StrategyItem{{Provider: "spot", Weight: 1}}, 3, 0, 3},
		"base, then by weight":  {[]ecs.StrategyItem{{Provider: "od", Base: 2, Weight: 1}, {Provider: "spot", Weight: 3}}, 10, 4, 6},
		"weights alone":         {[]ecs.StrategyItem{{Provider: "od", Weight: 1}, {Provider: "spot", Weight: 1}}, 4, 2, 2},
		"no weight but a base":  {[]ecs.StrategyItem{{Provider: "od", Base: 1}, {Provider: "spot", Weight: 1}}, 4, 1, 3},
		"launch type, anywhere": {nil, 4, 2, 2},
	} {
		t.Run(name, func(t *testing.T) {
			b := provided(t, 2, 2, func(s *Spec) {
				addService(s, ServiceSpec{Name: "x", Task: "job", Desired: row.desired, Providers: row.strategy})
			})
			count := map[string]int{}
			for _, task := range b.of("x") {
				at, _, err := b.DescribeContainerInstances("prod", []string{task.ContainerInstance})
				b.must(err)
				count[at[0].CapacityProvider]++
				if (task.CapacityProvider != "") != (row.strategy != nil) {
					t.Errorf("the task names the provider %q", task.CapacityProvider)
				}
			}
			if count["od"] != row.od || count["spot"] != row.spot {
				t.Errorf("od %d, spot %d; want %d and %d", count["od"], count["spot"], row.od, row.spot)
			}
		})
	}
}

// TestNoFailover: what a provider has no place for does not go to another one.
func TestNoFailover(t *testing.T) {
	b := provided(t, 1, 0, func(s *Spec) {
		s.Clusters[0].DefaultStrategy = []ecs.StrategyItem{{Provider: "spot", Weight: 1}}
		addService(s, ServiceSpec{Name: "x", Task: "job", Desired: 1})
		addService(s, ServiceSpec{Name: "y", Task: "job", Desired: 1, LaunchType: "EC2"})
	})
	if now := b.service("x"); now.Running != 0 || len(now.Providers) != 1 || !strings.Contains(now.Events[0].Text,
		"No Container Instances were found in your capacity provider") {
		t.Errorf("by the cluster's default strategy: %+v", now)
	}
	if now := b.service("y"); now.Running != 1 || now.Providers != nil {
		t.Errorf("with launch type EC2: %+v", now)
	}
	b.must(b.SetDesiredCapacity("spot-asg", 1))
	b.pass(time.Minute)
	if now := b.service("x"); now.Running != 1 {
		t.Errorf("%d running when the provider has an instance", now.Running)
	}
}

func TestDescribeCapacityProviders(t *testing.T) {
	b := provided(t, 1, 1, nil)
	all, _, err := b.DescribeCapacityProviders("", nil)
	if err != nil || len(all) != 4 || all[0].Name != "FARGATE" {
		t.Errorf("all: %+v %v", all, err)
	}
	own, failures, err := b.DescribeCapacityProviders("prod", []string{"spot", "FARGATE"})
	if err != nil || len(own) != 1 || own[0].GroupARN != b.DescribeAutoScalingGroups([]string{"spot-asg"})[0].ARN || len(failures) != 1 ||
		failures[0].Reason != "MISSING" {
		t.Errorf("of the cluster: %+v %+v %v", own, failures, err)
	}
}

// protectedHosts says which hosts are protected from scale-in.
func (b bench) protectedHosts() []bool {
	var all []bool
	for i := range b.Instances() {
		all = append(all, b.DescribeAutoScalingInstances([]string{b.id(i)})[0].Protected)
	}
	return all
}

func TestManagedTerminationProtection(t *testing.T) {
	world := func(stuck bool) bench {
		return provided(t, 2, 0, func(s *Spec) {
			s.Switches.ProtectionStuck = stuck
			s.Providers[0].ManagedScaling, s.Providers[0].TerminationProtection = true, true
			addService(s, ServiceSpec{Name: "agent", Task: "job", Daemon: true})
			host := 0
			s.Tasks = []TaskSpec{{Cluster: "prod", Task: "job", Host: &host}}
		})
	}
	b := world(false)
	if got := b.protectedHosts(); !slices.Equal(got, []bool{true, false}) {
		t.Fatalf("protected: %v; want the host with a task, and not the one with a daemon's only", got)
	}
	_, err := b.RunTaskOn("prod", "job", b.containerInstance(1), "")
	b.must(err)
	if !b.protectedHosts()[1] {
		t.Error("a task has arrived, and the host is not protected")
	}
	for _, task := range b.on(0) {
		if !task.Daemon {
			_, err := b.StopTask("prod", task.ARN, "")
			b.must(err)
		}
	}
	b.pass(30 * time.Second)
	if !b.protectedHosts()[0] {
		t.Error("the protection was lifted at once")
	}
	b.pass(2 * time.Minute)
	if got := b.protectedHosts(); !slices.Equal(got, []bool{false, true}) {
		t.Errorf("protected: %v after the task has gone", got)
	}
	b.must(b.SetDesiredCapacity("web-asg", 3))
	b.pass(30 * time.Second)
	if !b.protectedHosts()[2] {
		t.Error("a new host is not protected")
	}
	b.pass(2 * time.Minute)
	if b.protectedHosts()[2] {
		t.Error("a new host without tasks stays protected")
	}
	b = world(true)
	b.pass(10 * time.Minute)
	if got := b.protectedHosts(); !slices.Equal(got, []bool{true, true}) {
		t.Errorf("protected: %v with protection_stuck", got)
	}
}

// managed is a world in which ECS drains the instances of web-asg.
func managed(t *testing.T, change func(*Spec)) bench {
	t.Helper()
	return provided(t, 2, 0, func(s *Spec) {
		s.Groups[0].Hooks = nil
		s.Providers[0].ManagedDraining = true
		if change != nil {
			change(s)
		}
	})
}

func TestManagedDraining(t *testing.T) {
	b := managed(t, web(2, 100, 200))
	hooks, err := b.DescribeLifecycleHooks("web-asg", nil)
	if err != nil || len(hooks) != 1 || hooks[0].Name != "ecs-managed-draining-termination-hook" || hooks[0].Heartbeat != time.Hour ||
		hooks[0].DefaultResult != "CONTINUE" {
		t.Fatalf("hooks: %+v %v", hooks, err)
	}
	if rules := b.Rules(); len(rules) != 1 || rules[0].ManagedBy != "ecs.amazonaws.com" || !strings.HasPrefix(rules[0].Name, "ecs-managed-") {
		t.Errorf("rules: %+v", rules)
	}
	b.terminate(0)
	b.pass(10 * time.Second)
	b.wantState(0, "Terminating:Wait")
	b.pass(10 * time.Minute)
	b.wantState(0, "gone")
	b.wantCourse(core.EntryHook, isInstance(b.id(0)), "opened CONTINUE")
	b.wantCourse(core.EntryContainer, isInstance(b.id(0)), "ACTIVE DRAINING INACTIVE")
	answer := b.entries(core.EntryHook, func(e core.Entry) bool { return e.To == "CONTINUE" })[0]
	draining := b.entries(core.EntryContainer, func(e core.Entry) bool { return e.To == "DRAINING" })[0]
	if answer.By != "ecs" || draining.By != "ecs" {
		t.Errorf("drained by %s, answered by %s", draining.By, answer.By)
	}
	if killed := b.entries(core.EntryTask, func(e core.Entry) bool { return strings.Contains(e.Text, "killed") }); len(killed) > 0 {
		t.Errorf("killed: %+v", killed)
	}
	if now := b.service("web"); now.Running != 2 {
		t.Errorf("%d tasks run", now.Running)
	}
}

// TestManagedDrainingWaits: a standalone task is not stopped, and holds its instance until the hook's global timeout.
func TestManagedDrainingWaits(t *testing.T) {
	host := 0
	b := managed(t, func(s *Spec) { s.Tasks = []TaskSpec{{Cluster: "prod", Task: "job", Host: &host}} })
	b.terminate(0)
	b.pass(47*time.Hour + 55*time.Minute)
	b.wantState(0, "Terminating:Wait")
	b.pass(10 * time.Minute)
	b.wantState(0, "gone")
	if got := b.course(core.EntryHook, isInstance(b.id(0))); !strings.HasSuffix(got, "heartbeat global-timeout") {
		t.Errorf("the course of the hook ends with %q", got[max(0, len(got)-60):])
	}
}

func TestManagedDrainingWithoutContainerInstance(t *testing.T) {
	b := managed(t, func(s *Spec) { s.Groups[0].Launch.NoAgent = true })
	b.terminate(0)
	b.pass(time.Minute)
	b.wantCourse(core.EntryHook, isInstance(b.id(0)), "opened CONTINUE")
}

// TestManagedDrainingWithAnotherHook: the instance waits for both hooks.
func TestManagedDrainingWithAnotherHook(t *testing.T) {
	b := managed(t, func(s *Spec) {
		s.Groups[0].Hooks = []HookSpec{{Name: "drain", Heartbeat: 10 * time.Minute, DefaultResult: "CONTINUE"}}
	})
	b.terminate(0)
	b.pass(time.Minute)
	b.wantState(0, "Terminating:Wait")
	b.must(b.CompleteLifecycleAction("web-asg", "drain", "", b.id(0), "CONTINUE"))
	b.pass(time.Minute)
	b.wantState(0, "gone")
}

func TestDeployments(t *testing.T) {
	b := small(t, 2, func(s *Spec) {
		s.TaskDefinitions = append(s.TaskDefinitions, ecs.TaskDefinition{Family: "bad", Fails: true})
		addService(s, ServiceSpec{Name: "x", Task: "job", Desired: 2, CircuitBreaker: true})
	})
	d := b.service("x").Deployments
	if len(d) != 1 || d[0].Status != "PRIMARY" || d[0].Rollout != "COMPLETED" || d[0].Running != 2 || d[0].ID != b.on(0)[0].StartedBy {
		t.Fatalf("settled: %+v", d)
	}
	_, err := b.UpdateService("prod", "x", nil, "bad")
	b.must(err)
	b.pass(7 * time.Second)
	if d = b.service("x").Deployments; len(d) != 2 || d[0].Rollout != "IN_PROGRESS" || d[0].Definition != "bad:1" || d[1].Status != "ACTIVE" || d[1].Running != 2 {
		t.Fatalf("updated: %+v", d)
	}
	b.pass(10 * time.Minute)
	if d = b.service("x").Deployments; d[0].Rollout != "FAILED" || d[0].Failed < 3 || d[1].Running != 2 {
		t.Fatalf("failing: %+v", d)
	}
	failed := d[0].Failed
	b.pass(time.Hour)
	if d = b.service("x").Deployments; d[0].Failed != failed {
		t.Errorf("%d more tasks were started", d[0].Failed-failed)
	}
	_, err = b.UpdateService("prod", "x", nil, "job")
	b.must(err)
	b.pass(10 * time.Minute)
	if d = b.service("x").Deployments; len(d) != 1 || d[0].Rollout != "COMPLETED" || d[0].Running != 2 {
		t.Errorf("mended: %+v", d)
	}
}

func TestAttributes(t *testing.T) {
	b := small(t, 2, nil)
	put := []ecs.Attribute{{Name: "stack", Value: "blue", Target: b.containerInstance(1)}}
	b.must(b.PutAttributes("prod", put))
	found, err := b.ListAttributes("prod", "stack", "blue")
	if err != nil || !slices.Equal(found, put) {
		t.Errorf("%+v %v", found, err)
	}
	b.must(b.DeleteAttributes("prod", []ecs.Attribute{{Name: "stack", Target: b.containerInstance(1)}}))
	if found, _ := b.ListAttributes("prod", "stack", ""); len(found) > 0 {
		t.Errorf("still there: %+v", found)
	}
	b.wantError(b.PutAttributes("prod", []ecs.Attribute{{Name: "x", Target: "no"}}), "TargetNotFoundException", "no")
	b.wantError(b.PutAttributes("prod", []ecs.Attribute{{Name: "ecs.ami-id", Target: b.containerInstance(0)}}), "InvalidParameterException", "reserved")
	b.wantError(b.PutAttributes("prod", make([]ecs.Attribute, 11)), "InvalidParameterException", "11")
}

func TestDescribeInstanceTypes(t *testing.T) {
	b := hosts(t, []core.HostSpec{{}, {Type: "c7g.xlarge", Interfaces: 4}, {Type: "x9.huge"}}, nil)
	found, err := b.DescribeInstanceTypes([]string{"x9.huge", "c7g.xlarge", "m7i.large"})
	if err != nil || !slices.Equal(found, []ec2.InstanceType{{Name: "x9.huge"}, {Name: "c7g.xlarge", Interfaces: 4}, {Name: "m7i.large", Interfaces: 3}}) {
		t.Errorf("%+v %v", found, err)
	}
	_, err = b.DescribeInstanceTypes([]string{"m7i.large", "t0.none"})
	b.wantError(err, "InvalidInstanceType", "[t0.none]")
}
