package sim

import (
	"strings"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/ecs"
)

// A service with another controller than ECS has its tasks in task sets, each with its own definition, target group and share.
func TestTaskSets(t *testing.T) {
	b := small(t, 2, func(s *Spec) {
		addBalancer(s, "blue", 20*time.Second)
		addBalancer(s, "green", 20*time.Second)
		s.TaskDefinitions = append(s.TaskDefinitions, ecs.TaskDefinition{Family: "next", Port: 8080, Exit: 2 * time.Second})
		addService(s, ServiceSpec{Name: "web", Task: "web", TargetGroup: "blue", Desired: 4, Min: 100, Max: 100, Controller: "CODE_DEPLOY",
			TaskSets: []TaskSetSpec{{Task: "web", TargetGroup: "blue"}, {Task: "next", TargetGroup: "green", Scale: new(30)}}})
	})
	seen := b.service("web")
	if len(seen.TaskSets) != 2 || seen.Running != 6 || seen.Desired != 4 || len(seen.Deployments) != 0 {
		t.Fatalf("service %+v, want 4 and 2 tasks in two sets, and no deployments", seen)
	}
	for i, want := range []ecs.TaskSet{
		{Status: "PRIMARY", Definition: "web:1", Desired: 4}, {Status: "ACTIVE", Definition: "next:1", Desired: 2},
	} {
		got := seen.TaskSets[i]
		if got.Status != want.Status || got.Definition != want.Definition || got.Desired != want.Desired || got.Running != want.Desired ||
			!got.Steady {
			t.Errorf("task set %+v, want %+v", got, want)
		}
		if targets, err := b.DescribeTargetHealth(got.TargetGroups[0].ARN, nil); err != nil || len(targets) != want.Desired {
			t.Errorf("%s has targets %+v %v, want %d", got.Definition, targets, err, want.Desired)
		}
		if listed, err := b.ListTasks("prod", ecs.TaskQuery{StartedBy: got.ID}); err != nil || len(listed) != want.Desired {
			t.Errorf("tasks started by %s: %v %v", got.ID, listed, err)
		}
	}
	// On a draining instance its tasks are replaced by 100 and 200 percent, whatever the service says: min = max = 100 would never do so.
	b.drain(0)
	b.pass(3 * time.Minute)
	if on := b.on(0); len(on) != 0 {
		t.Errorf("%d tasks are still on the draining host", len(on))
	}
	if now := b.service("web"); now.Running != 6 {
		t.Errorf("%d tasks run, want 6", now.Running)
	}
	two := 2
	after, err := b.UpdateService("prod", "web", &two, "")
	if err != nil || after.TaskSets[0].Desired != 2 || after.TaskSets[1].Desired != 1 {
		t.Errorf("scaled: %+v %v", after.TaskSets, err)
	}
	_, err = b.UpdateService("prod", "web", nil, "next")
	b.wantError(err, "InvalidParameterException", "CODE_DEPLOY")
	if said := b.service("web").Events; !strings.Contains(said[0].Text, "(service web, taskSet ecs-svc/") {
		t.Errorf("events %+v", said)
	}
}

// The tasks of a blue/green service of ECS are in one of two target groups, and with each deployment in the other one.
func TestAlternateTargetGroup(t *testing.T) {
	b := small(t, 2, func(s *Spec) {
		addBalancer(s, "blue", 20*time.Second)
		addBalancer(s, "green", 20*time.Second)
		s.TaskDefinitions = append(s.TaskDefinitions, ecs.TaskDefinition{Family: "next", Port: 8080})
		addService(s, ServiceSpec{Name: "web", Task: "web", TargetGroup: "blue", Alternate: "green", InAlternate: true, Desired: 2})
	})
	entry := b.service("web").TargetGroups[0]
	count := func(arn string) int {
		targets, err := b.DescribeTargetHealth(arn, nil)
		b.must(err)
		return len(targets)
	}
	if count(entry.ARN) != 0 || count(entry.Alternate) != 2 {
		t.Errorf("targets %d and %d, want both tasks in the alternate group", count(entry.ARN), count(entry.Alternate))
	}
	_, err := b.UpdateService("prod", "web", nil, "next")
	b.must(err)
	b.pass(5 * time.Minute)
	if count(entry.ARN) != 2 || count(entry.Alternate) != 0 {
		t.Errorf("after a deployment: targets %d and %d, want both tasks in the first group", count(entry.ARN), count(entry.Alternate))
	}
}

func TestServicesThatCannotBe(t *testing.T) {
	for want, change := range map[string]func(*ServiceSpec){
		"it must be ECS, CODE_DEPLOY or EXTERNAL": func(v *ServiceSpec) { v.Controller = "MINE" },
		"its controller is ECS":                   func(v *ServiceSpec) { v.TaskSets = []TaskSetSpec{{Task: "web"}} },
		`no task definition "none"`:               func(v *ServiceSpec) { v.Controller, v.TaskSets = "EXTERNAL", []TaskSetSpec{{Task: "none"}} },
		"from 0 to 100": func(v *ServiceSpec) {
			v.Controller, v.TaskSets = "EXTERNAL", []TaskSetSpec{{Task: "web", Scale: new(101)}}
		},
		"neither be a daemon":    func(v *ServiceSpec) { v.Controller, v.Daemon = "EXTERNAL", true },
		"but no target_group":    func(v *ServiceSpec) { v.Alternate = "tg" },
		`no target group "none"`: func(v *ServiceSpec) { v.TargetGroup, v.Alternate = "tg", "none" },
		"it is in_alternate":     func(v *ServiceSpec) { v.TargetGroup, v.InAlternate = "tg", true },
	} {
		v := ServiceSpec{Name: "web", Cluster: "prod", Task: "web", Desired: 1}
		change(&v)
		_, err := Build(Spec{Clusters: []ClusterSpec{{Name: "prod"}}, TargetGroups: []TargetGroupSpec{{Name: "tg"}},
			TaskDefinitions: []ecs.TaskDefinition{{Family: "web", Port: 80}}, Services: []ServiceSpec{v}})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", v, err, want)
		}
	}
}

// stopped is how long a task took from its SIGTERM to its end.
func (b bench) stopped(definition string) (took time.Duration, killed bool) {
	b.t.Helper()
	i := 0
	for ; b.Tasks("prod")[i].Definition != definition; i++ {
	}
	task := b.Tasks("prod")[i]
	from := b.Now()
	_, err := b.StopTask("prod", task.ARN, "")
	b.must(err)
	b.pass(5 * time.Hour)
	return b.at(core.EntryTask, func(e core.Entry) bool { return e.Task == task.ARN && e.To == "DEPROVISIONING" }).Sub(from), task.Killed
}

// Containers that depend on each other stop one after the other, and each has its own stop timeout; one that names none has the agent's.
func TestContainersStopInOrder(t *testing.T) {
	const config = "#!/bin/bash\necho ECS_CLUSTER=prod >> /etc/ecs/ecs.config\necho ECS_CONTAINER_STOP_TIMEOUT=2h >> /etc/ecs/ecs.config\n"
	for _, c := range []struct {
		def    ecs.TaskDefinition
		data   string
		took   time.Duration
		killed bool
	}{
		{ecs.TaskDefinition{Exit: 90 * time.Second, Stop: 2 * time.Minute, DependsOn: []string{"envoy"},
			Containers: []ecs.Container{{Name: "envoy", Exit: time.Hour, Stop: 2 * time.Minute}}}, "", 90*time.Second + 2*time.Minute, true},
		{ecs.TaskDefinition{Exit: 90 * time.Second, Stop: 2 * time.Minute,
			Containers: []ecs.Container{{Name: "envoy", Exit: time.Minute, Stop: 2 * time.Minute}}}, "", 90 * time.Second, false},
		{ecs.TaskDefinition{Exit: 5 * time.Second, DependsOn: []string{"a", "b"}, Containers: []ecs.Container{
			{Name: "a", Exit: 7 * time.Second, DependsOn: []string{"b"}}, {Name: "b", Exit: 11 * time.Second}}}, "", 23 * time.Second, false},
		{ecs.TaskDefinition{Exit: time.Hour}, config, time.Hour, false},
		{ecs.TaskDefinition{Exit: 3 * time.Hour}, config, 2 * time.Hour, true},
		{ecs.TaskDefinition{Exit: 3 * time.Hour, Stop: time.Minute}, config, time.Minute, true},
		{ecs.TaskDefinition{Exit: time.Hour}, "ECS_CONTAINER_STOP_TIMEOUT=100ms", time.Second, true},
		{ecs.TaskDefinition{Exit: time.Hour}, "ECS_CONTAINER_STOP_TIMEOUT=soon", 30 * time.Second, true},
	} {
		c.def.Family = "app"
		b := small(t, 1, func(s *Spec) {
			s.TaskDefinitions, s.Groups[0].Launch.UserData = []ecs.TaskDefinition{c.def}, c.data
			s.Tasks = []TaskSpec{{Cluster: "prod", Task: "app"}}
		})
		if took, killed := b.stopped("app:1"); took != c.took || killed != c.killed {
			t.Errorf("%+v with %q: %s, killed %v; want %s, %v", c.def, c.data, took, killed, c.took, c.killed)
		}
	}
}

func TestContainersThatCannotBe(t *testing.T) {
	for want, d := range map[string]ecs.TaskDefinition{
		"needs a name of its own":    {Containers: []ecs.Container{{Name: "app"}}},
		"which is none of its":       {DependsOn: []string{"x"}},
		"depend on each other in a ": {DependsOn: []string{"x"}, Containers: []ecs.Container{{Name: "x", DependsOn: []string{"app"}}}},
	} {
		d.Family = "app"
		if err := ecs.CheckDefinition(d); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", d, err, want)
		}
	}
}
