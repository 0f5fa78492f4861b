package sim

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/ecs"
)

// spotShare is the strategy with a base of so many tasks on FARGATE, and by weight.
func spotShare(base, weight, spot int) []ecs.StrategyItem {
	return []ecs.StrategyItem{{Provider: "FARGATE", Base: base, Weight: weight}, {Provider: "FARGATE_SPOT", Weight: spot}}
}

// onFargate is a cluster "prod" without instances, with a service "web" of n tasks behind the target group "tg" with a delay of 30 s, all
// on FARGATE_SPOT, and a queue "q" that gets the events of ECS; change adds to it.
func onFargate(t *testing.T, n int, change func(*Spec)) bench {
	t.Helper()
	s := Spec{
		Seed:     7,
		Clusters: []ClusterSpec{{Name: "prod", Providers: []string{"FARGATE", "FARGATE_SPOT"}}},
		Queues:   []QueueSpec{{Name: "q"}},
		Rules:    []RuleSpec{{Name: "ecs", Pattern: `{"source":["aws.ecs"]}`, Targets: []string{"q"}}},
		TargetGroups: []TargetGroupSpec{
			{Name: "tg", Delay: 30 * time.Second},
		},
		TaskDefinitions: []ecs.TaskDefinition{
			{Family: "web", Compatible: []string{"FARGATE"}, Port: 8080, Exit: 5 * time.Second, Stop: 2 * time.Minute},
			{Family: "job", Compatible: []string{"FARGATE"}, CPU: 512, Memory: 1024, Exit: 5 * time.Second},
		},
		Services: []ServiceSpec{{Name: "web", Cluster: "prod", Task: "web", Desired: n, TargetGroup: "tg", Providers: spotShare(0, 0, 1)}},
	}
	if change != nil {
		change(&s)
	}
	w, err := Build(s)
	if err != nil {
		t.Fatal(err)
	}
	return bench{w, t}
}

// by counts the live tasks of a service by capacity provider.
func (b bench) by(service string) map[string]int {
	count := map[string]int{}
	for _, t := range b.of(service) {
		if t.DesiredStatus == "RUNNING" {
			count[t.CapacityProvider]++
		}
	}
	return count
}

// events are the details of the events of a type in the queue, in order, as they would be received.
func (b bench) events(detailType string) []map[string]any {
	b.t.Helper()
	var all []map[string]any
	for {
		got, err := b.ReceiveMessage("q", 10, nil)
		b.must(err)
		if len(got) == 0 {
			return all
		}
		for _, m := range got {
			var e struct {
				Type   string         `json:"detail-type"`
				Detail map[string]any `json:"detail"`
			}
			b.must(json.Unmarshal([]byte(m.Body), &e))
			b.must(b.DeleteMessage("q", m.Handle))
			if e.Type == detailType {
				all = append(all, e.Detail)
			}
		}
	}
}

func TestFargateStrategy(t *testing.T) {
	for name, row := range map[string]struct {
		service        ServiceSpec
		onDemand, spot int
		none           int // tasks without a capacity provider
	}{
		"launch type":           {ServiceSpec{LaunchType: "FARGATE"}, 0, 0, 10},
		"spot only":             {ServiceSpec{Providers: spotShare(0, 0, 1)}, 0, 10, 0},
		"base, then by weight":  {ServiceSpec{Providers: spotShare(2, 1, 3)}, 4, 6, 0},
		"the cluster's default": {ServiceSpec{}, 5, 5, 0},
	} {
		t.Run(name, func(t *testing.T) {
			b := onFargate(t, 1, func(s *Spec) {
				s.Clusters[0].DefaultStrategy = spotShare(0, 1, 1)
				row.service.Name, row.service.Task, row.service.Desired = "x", "job", 10
				addService(s, row.service)
			})
			if got := b.by("x"); got["FARGATE"] != row.onDemand || got["FARGATE_SPOT"] != row.spot || got[""] != row.none {
				t.Errorf("%v, want %d on FARGATE, %d on FARGATE_SPOT and %d without provider", got, row.onDemand, row.spot, row.none)
			}
			zones := map[string]int{}
			for _, task := range b.of("x") {
				zones[task.Zone]++
				if task.LaunchType != "FARGATE" || task.ContainerInstance != "" || task.IP == "" || task.Subnet != core.SubnetID("", task.Zone) {
					t.Errorf("the task is %+v", task)
				}
			}
			if len(zones) != 3 || zones["eu-west-1a"] != 4 {
				t.Errorf("by zone: %v, want 4, 3 and 3", zones)
			}
		})
	}
}

// TestFargateSubnets: tasks stay in the subnets that are named.
func TestFargateSubnets(t *testing.T) {
	b := onFargate(t, 4, func(s *Spec) { s.Services[0].Zones = []string{"eu-west-1b", "eu-west-1c"} })
	zones := map[string]int{}
	for _, task := range b.of("web") {
		zones[task.Zone]++
	}
	if zones["eu-west-1b"] != 2 || zones["eu-west-1c"] != 2 {
		t.Errorf("by zone: %v", zones)
	}
}

// TestFargateRefusals: what AWS does not let run on Fargate.
func TestFargateRefusals(t *testing.T) {
	for want, change := range map[string]func(*Spec){
		"the valid values for Fargate are 2-120 seconds": func(s *Spec) { s.TaskDefinitions[0].Stop = 121 * time.Second },
		"of container log is 1s: the valid values for Fargate are 2-120 seconds": func(s *Spec) {
			s.TaskDefinitions[0].Containers = []ecs.Container{{Name: "log", Stop: time.Second}}
		},
		"No Fargate configuration exists for given values":           func(s *Spec) { s.TaskDefinitions[0].CPU = 300 },
		"No Fargate configuration exists for given values: 256 CPU":  func(s *Spec) { s.TaskDefinitions[0].Memory = 4096 },
		"Fargate only supports network mode 'awsvpc'":                func(s *Spec) { s.TaskDefinitions[0].Network = "bridge" },
		"host ports and container ports in port mappings must match": func(s *Spec) { s.TaskDefinitions[0].HostPort = 80 },
		"Task definition does not support launch_type FARGATE":       unfit,
		"Placement strategies are not supported with FARGATE":        placed,
		"Placement constraints are not supported with FARGATE":       constrained,
		"' does not exist": func(s *Spec) { s.Services[0].Zones = []string{"eu-west-1z"} },
		"do not support the DAEMON scheduling strategy":               func(s *Spec) { s.Services[0].Daemon = true },
		"The launch type \"FARGATE_SPOT\" must be EC2 or FARGATE":     func(s *Spec) { s.Services[0].LaunchType = "FARGATE_SPOT" },
		"is not associated with the cluster prod":                     func(s *Spec) { s.Clusters[0].Providers = nil },
		"\"gpu\" is not FARGATE or FARGATE_SPOT":                      func(s *Spec) { s.Clusters[0].Providers = []string{"gpu"} },
		"is named twice":                                              func(s *Spec) { s.Clusters[0].Providers[1] = "FARGATE" },
		"The compatibility \"LAMBDA\" must be EC2 or FARGATE":         func(s *Spec) { s.TaskDefinitions[0].Compatible = []string{"LAMBDA"} },
		"cannot contain a mix of capacity providers using Auto Scali": mixed,
	} {
		s := Spec{
			Clusters:        []ClusterSpec{{Name: "prod", Providers: []string{"FARGATE", "FARGATE_SPOT"}}},
			TargetGroups:    []TargetGroupSpec{{Name: "tg"}},
			TaskDefinitions: []ecs.TaskDefinition{{Family: "web", Compatible: []string{"FARGATE"}, Port: 8080}},
			Services: []ServiceSpec{{Name: "web", Cluster: "prod", Task: "web", Desired: 1, TargetGroup: "tg",
				Providers: spotShare(0, 1, 1)}},
		}
		if _, err := Build(s); err != nil {
			t.Fatalf("the world itself: %v", err)
		}
		change(&s)
		if _, err := Build(s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func unfit(s *Spec)       { s.TaskDefinitions[0].Compatible, s.TargetGroups[0].Type = nil, "instance" }
func placed(s *Spec)      { s.Services[0].Placement = []ecs.PlacementStrategy{{Type: "random"}} }
func constrained(s *Spec) { s.Services[0].Constraints = []ecs.Constraint{{Type: "distinctInstance"}} }

func mixed(s *Spec) {
	s.Groups = []GroupSpec{{Name: "asg", Desired: 1, Launch: core.HostSpec{Cluster: "prod"}}}
	s.Providers = []ecs.CapacityProvider{{Name: "cp", Group: "asg"}}
	s.Services[0].Providers = []ecs.StrategyItem{{Provider: "FARGATE", Weight: 1}, {Provider: "cp", Weight: 1}}
}

// TestFargateSizes are the sizes of AWS's table, and some beside it.
func TestFargateSizes(t *testing.T) {
	for size, ok := range map[[2]int]bool{
		{256, 512}: true, {256, 1024}: true, {256, 2048}: true, {256, 1536}: false, {256, 3072}: false, {512, 512}: false, {512, 1024}: true,
		{512, 4096}: true, {512, 5120}: false, {1024, 2048}: true, {1024, 8192}: true, {1024, 8500}: false, {2048, 4096}: true,
		{2048, 16384}: true,
		{4096, 8192}:  true, {4096, 30720}: true, {4096, 31744}: false, {8192, 16384}: true, {8192, 17408}: false, {8192, 61440}: true,
		{16384, 32768}: true, {16384, 122880}: true, {16384, 36864}: false, {128, 512}: false,
	} {
		err := ecs.CheckDefinition(ecs.TaskDefinition{Family: "x", Compatible: []string{"FARGATE"}, CPU: size[0], Memory: size[1]})
		if (err == nil) != ok {
			t.Errorf("%v: %v", size, err)
		}
	}
}

// TestNoFargateCapacity: a service without capacity says so in AWS's words, tries again, and leaves FARGATE alone.
func TestNoFargateCapacity(t *testing.T) {
	b := onFargate(t, 4, func(s *Spec) {
		s.Switches.NoSpotCapacity, s.Switches.Notify = true, time.Second
		s.Services[0].Providers = spotShare(1, 0, 1)
	})
	if got := b.by("web"); got["FARGATE"] != 1 || got["FARGATE_SPOT"] != 0 {
		t.Fatalf("without Spot capacity: %v", got)
	}
	b.pass(2 * time.Minute)
	want := "(service web) was unable to place a task. Reason: Capacity is unavailable at this time. Please try again later or in a " +
		"different availability zone. For more information, see the Troubleshooting section of the Amazon ECS Developer Guide."
	if events := b.service("web").Events; len(events) != 1 || events[0].Text != want {
		t.Errorf("events of the service: %+v", events)
	}
	failures := b.events("ECS Service Action")
	if len(failures) < 3 || len(failures) > 6 {
		t.Errorf("%d events in two minutes; want one for each try, with longer and longer waits", len(failures))
	}
	for _, f := range failures {
		arns := fmt.Sprint(f["capacityProviderArns"])
		if f["eventType"] != "ERROR" || f["eventName"] != "SERVICE_TASK_PLACEMENT_FAILURE" || f["reason"] != "RESOURCE:FARGATE" ||
			arns != "["+b.ARN("ecs", "capacity-provider/FARGATE_SPOT")+"]" || f["clusterArn"] != b.ARN("ecs", "cluster/prod") ||
			f["createdAt"] == nil {
			t.Errorf("the event is %v", f)
		}
	}
	_, failed, err := b.RunTasks("prod", ecs.TaskRun{Definition: "job", Count: 2, Providers: spotShare(0, 1, 0)[1:]})
	if err != nil || len(failed) != 2 ||
		failed[0].Reason != "Capacity is unavailable at this time. Please try again later or in a different availability zone" {
		t.Errorf("RunTask: %+v %v", failed, err)
	}
	b.must(b.SetFargateCapacity("FARGATE_SPOT", true))
	b.pass(6 * time.Minute)
	if got := b.by("web"); got["FARGATE"] != 1 || got["FARGATE_SPOT"] != 3 {
		t.Errorf("with Spot capacity: %v", got)
	}
	if done := b.events("ECS Service Action"); len(done) == 0 || done[len(done)-1]["eventName"] != "SERVICE_STEADY_STATE" {
		t.Errorf("at the end: %v", done)
	}
	b.wantError(b.SetFargateCapacity("spot", true), "InvalidParameterException", `"spot"`)
}

// TestFargateLaunchTypes: lists by launch type, and a cluster counts the tasks that are on no instance.
func TestFargateLaunchTypes(t *testing.T) {
	b := onFargate(t, 2, func(s *Spec) {
		s.Groups = []GroupSpec{{Name: "asg", Desired: 1, Launch: core.HostSpec{Cluster: "prod"}}}
		s.TaskDefinitions = append(s.TaskDefinitions, ecs.TaskDefinition{Family: "old"})
		s.Tasks = []TaskSpec{{Cluster: "prod", Task: "old", LaunchType: "EC2"}, {Cluster: "prod", Task: "job", LaunchType: "FARGATE"}}
	})
	for launch, want := range map[string]int{"": 4, "EC2": 1, "FARGATE": 3, "EXTERNAL": 0} {
		got, err := b.ListTasks("prod", ecs.TaskQuery{LaunchType: launch})
		if err != nil || len(got) != want {
			t.Errorf("%q: %d tasks, want %d (%v)", launch, len(got), want, err)
		}
	}
}

// TestFargateTaskStops: by hand, as anywhere: targets first, then SIGTERM, then STOPPED, and the service replaces it.
func TestFargateTaskStops(t *testing.T) {
	b := onFargate(t, 2, nil)
	task := b.of("web")[0]
	_, err := b.StopTask("prod", task.ARN, "")
	b.must(err)
	b.pass(29 * time.Second)
	if task.LastStatus != "DEACTIVATING" || !task.SignalledAt.IsZero() {
		t.Errorf("during the delay: %s, SIGTERM at %v", task.LastStatus, task.SignalledAt)
	}
	b.pass(time.Minute)
	b.wantCourse(core.EntryTask, isTask(task.ARN), "PROVISIONING RUNNING DEACTIVATING STOPPING DEPROVISIONING STOPPED")
	if got := b.by("web"); got["FARGATE_SPOT"] != 2 {
		t.Errorf("afterwards: %v", got)
	}
}

// TestChangedStrategy: a changed strategy moves no task. AWS wants a new deployment with it, unless the switch says otherwise.
func TestChangedStrategy(t *testing.T) {
	b := onFargate(t, 4, nil)
	before := ids(copies(b.of("web")))
	err := b.SetStrategy("prod", "web", spotShare(2, 1, 1), false)
	b.wantError(err, "InvalidParameterException", "you must force a new deployment")
	b.StrategyInPlace = true
	b.must(b.SetStrategy("prod", "web", spotShare(2, 1, 1), false))
	b.pass(time.Minute)
	if after := ids(copies(b.of("web"))); !slices.Equal(before, after) {
		t.Error("a changed strategy has replaced tasks")
	}
	six := 6
	_, err = b.UpdateService("prod", "web", &six, "")
	b.must(err)
	b.pass(time.Minute)
	if got := b.by("web"); got["FARGATE"] != 2 || got["FARGATE_SPOT"] != 4 {
		t.Errorf("two tasks more: %v, want them on FARGATE, whose base is 2", got)
	}
	b.must(b.SetStrategy("prod", "web", spotShare(6, 1, 1), true))
	b.must(b.ForceNewDeployment("prod", "web", ""))
	b.pass(5 * time.Minute)
	if got := b.by("web"); got["FARGATE"] != 6 || got["FARGATE_SPOT"] != 0 || len(b.service("web").Deployments) != 1 {
		t.Errorf("after a new deployment: %v, %+v", got, b.service("web").Deployments)
	}
}

func copies(tasks []*ecs.Task) []ecs.Task {
	return core.Mapped(tasks, func(t *ecs.Task) ecs.Task { return *t })
}

// TestFargateRetriesByItself: that another task stops gives Fargate no capacity, so a service without place does not try again for it.
func TestFargateRetriesByItself(t *testing.T) {
	b := onFargate(t, 1, func(s *Spec) {
		s.Switches.NoSpotCapacity, s.Switches.Notify = true, time.Second
		s.Tasks = []TaskSpec{{Cluster: "prod", Task: "job", LaunchType: "FARGATE"}}
	})
	b.pass(80 * time.Second) // it has tried after 10, 30 and 70 s, and tries again after 150 s
	b.events("")
	_, err := b.StopTask("prod", b.Tasks("prod")[0].ARN, "")
	b.must(err)
	b.pass(30 * time.Second)
	if tries := b.events("ECS Service Action"); len(tries) != 0 {
		t.Errorf("it has tried again: %v", tries)
	}
	b.pass(60 * time.Second)
	if tries := b.events("ECS Service Action"); len(tries) != 1 {
		t.Errorf("after its wait it has tried %d times", len(tries))
	}
}
