package sim

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/ecs"
)

// hosts is a world of hosts that differ; change adds to it.
func hosts(t *testing.T, all []core.HostSpec, change func(*Spec)) bench {
	t.Helper()
	return small(t, len(all), func(s *Spec) {
		s.Groups[0].Hosts = all
		if change != nil {
			change(s)
		}
	})
}

// spread says how many tasks of a service each host has.
func (b bench) spread(service string) []int {
	var n []int
	for i := range b.Instances() {
		n = append(n, 0)
		for _, t := range b.on(i) {
			if t.Service == service {
				n[len(n)-1]++
			}
		}
	}
	return n
}

// TestPlacementRules places a service under each rule and looks at where its tasks are.
func TestPlacementRules(t *testing.T) {
	member := func(expression string) []ecs.Constraint {
		return []ecs.Constraint{{Type: "memberOf", Expression: expression}}
	}
	by := func(pairs ...string) (all []ecs.PlacementStrategy) {
		for i := 0; i < len(pairs); i += 2 {
			all = append(all, ecs.PlacementStrategy{Type: pairs[i], Field: pairs[i+1]})
		}
		return all
	}
	three := []core.HostSpec{{}, {}, {}} // zones a, b and c
	rows := []struct {
		name    string
		hosts   []core.HostSpec
		task    ecs.TaskDefinition
		service ServiceSpec
		want    []int
		event   string // part of the newest event of a service that does not find enough place
	}{
		{"spread over zones without a strategy", []core.HostSpec{{}, {}, {}, {}}, ecs.TaskDefinition{}, ServiceSpec{Desired: 3}, []int{1, 1, 1, 0}, ""},
		{"distinctInstance", three, ecs.TaskDefinition{}, ServiceSpec{Desired: 4, Constraints: []ecs.Constraint{{Type: "distinctInstance"}}},
			[]int{1, 1, 1}, `encountered error "DistinctInstance placement constraint unsatisfied."`},
		{"memberOf of the service", []core.HostSpec{{}, {Attributes: map[string]string{"stack": "blue"}}, {}}, ecs.TaskDefinition{},
			ServiceSpec{Desired: 2, Constraints: member("attribute:stack == blue")}, []int{0, 2, 0}, ""},
		{"memberOf of the task definition", three, ecs.TaskDefinition{Constraints: member("attribute:ecs.availability-zone in " +
			"[eu-west-1b,eu-west-1c]")}, ServiceSpec{Desired: 2}, []int{0, 1, 1}, ""},
		{"memberOf that nothing meets", three, ecs.TaskDefinition{}, ServiceSpec{Desired: 1, Constraints: member("attribute:stack == blue")},
			[]int{0, 0, 0}, `encountered error "MemberOf placement constraint unsatisfied."`},
		{"anti-affinity by task:group", three, ecs.TaskDefinition{}, ServiceSpec{Desired: 3, Constraints: member("not(task:group == service:x)"),
			Placement: by("binpack", "cpu")}, []int{1, 1, 1}, ""},
		{"instance type", []core.HostSpec{{}, {Type: "g5.xlarge"}, {}}, ecs.TaskDefinition{},
			ServiceSpec{Desired: 2, Constraints: member("attribute:ecs.instance-type =~ g5.*")}, []int{0, 2, 0}, ""},
		{"binpack by cpu", []core.HostSpec{{}, {CPU: 1024}, {}}, ecs.TaskDefinition{}, ServiceSpec{Desired: 5, Placement: by("binpack", "cpu")}, []int{1, 4, 0}, ""},
		{"binpack by memory", []core.HostSpec{{}, {}, {Memory: 600}}, ecs.TaskDefinition{},
			ServiceSpec{Desired: 3, Placement: by("binpack", "memory")}, []int{1, 0, 2}, ""},
		{"spread by instanceId", []core.HostSpec{{}, {}, {}, {}}, ecs.TaskDefinition{},
			ServiceSpec{Desired: 4, Placement: by("spread", "instanceId")}, []int{1, 1, 1, 1}, ""},
		{"spread by a custom attribute", []core.HostSpec{{Attributes: map[string]string{"rack": "1"}},
			{Attributes: map[string]string{"rack": "1"}}, {Attributes: map[string]string{"rack": "2"}}}, ecs.TaskDefinition{},
			ServiceSpec{Desired: 4, Placement: by("spread", "attribute:rack")}, []int{1, 1, 2}, ""},
		{"spread over zones, then binpack", []core.HostSpec{{}, {}, {}, {CPU: 1024}}, ecs.TaskDefinition{},
			ServiceSpec{Desired: 3, Placement: by("spread", "attribute:ecs.availability-zone", "binpack", "cpu")}, []int{0, 1, 1, 1}, ""},
		{"GPU", []core.HostSpec{{}, {GPU: 2}, {GPU: 1}}, ecs.TaskDefinition{GPU: 1}, ServiceSpec{Desired: 4}, []int{0, 2, 1}, `encountered error "RESOURCE:GPU"`},
		{"memory reservation instead of the limit", []core.HostSpec{{Memory: 1000}}, ecs.TaskDefinition{Memory: 800, Reservation: 300},
			ServiceSpec{Desired: 4}, []int{3}, "has insufficient memory available."},
		{"several fixed ports", []core.HostSpec{{}, {}}, ecs.TaskDefinition{Port: 80, HostPort: 80,
			Ports: []ecs.Port{{Port: 443, HostPort: 443}}}, ServiceSpec{Desired: 3}, []int{1, 1}, "is already using a port required by your task."},
		{"reserved port", []core.HostSpec{{}}, ecs.TaskDefinition{Ports: []ecs.Port{{HostPort: 51678}}}, ServiceSpec{Desired: 1}, []int{0},
			"is already using a port required by your task."},
		{"UDP ports are not TCP ports", []core.HostSpec{{}}, ecs.TaskDefinition{Ports: []ecs.Port{{HostPort: 51678, UDP: true}}},
			ServiceSpec{Desired: 2}, []int{1}, "is already using a port required by your task."},
		{"network interfaces", []core.HostSpec{{Interfaces: 3}, {Interfaces: 2}}, ecs.TaskDefinition{Network: "awsvpc"}, ServiceSpec{Desired: 4},
			[]int{2, 1}, `encountered error "RESOURCE:ENI"`},
		{"a trunk has no limit", []core.HostSpec{{}}, ecs.TaskDefinition{Network: "awsvpc"}, ServiceSpec{Desired: 8}, []int{8}, ""},
		{"required attribute", []core.HostSpec{{}, {Attributes: map[string]string{"disk": "nvme"}},
			{Attributes: map[string]string{"disk": "ebs"}}}, ecs.TaskDefinition{Requires: []string{"disk=nvme"}}, ServiceSpec{Desired: 1}, []int{0, 1, 0}, ""},
		{"required attribute that is nowhere", three, ecs.TaskDefinition{Requires: []string{"disk"}}, ServiceSpec{Desired: 1}, []int{0, 0, 0},
			"is missing an attribute required by your task."},
		{"a daemon runs where its constraint allows", []core.HostSpec{{}, {Attributes: map[string]string{"stack": "blue"}}, {}},
			ecs.TaskDefinition{}, ServiceSpec{Daemon: true, Constraints: member("attribute:stack exists")}, []int{0, 1, 0}, ""},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			b := hosts(t, row.hosts, func(s *Spec) {
				row.task.Family = "x"
				s.TaskDefinitions = append(s.TaskDefinitions, row.task)
				row.service.Name, row.service.Task = "x", "x"
				addService(s, row.service)
			})
			b.pass(time.Minute)
			if got := b.spread("x"); !slices.Equal(got, row.want) {
				t.Errorf("tasks by host: %v, want %v", got, row.want)
			}
			events := b.service("x").Events
			if row.event != "" && (len(events) == 0 || !strings.Contains(events[0].Text, "The closest matching (container-instance ") ||
				!strings.Contains(events[0].Text, row.event)) {
				t.Errorf("events %+v, want %q", events, row.event)
			}
			if d := b.service("x").Desired; row.service.Daemon && d != 1 {
				t.Errorf("the daemon wants %d tasks, want 1", d)
			}
		})
	}
}

// TestRandomPlacement: the same seed places the same, and not everything in one place.
func TestRandomPlacement(t *testing.T) {
	place := func(seed uint64) []int {
		b := hosts(t, make([]core.HostSpec, 4), func(s *Spec) {
			s.Seed = seed
			addService(s, ServiceSpec{Name: "x", Task: "job", Desired: 8, Placement: []ecs.PlacementStrategy{{Type: "random"}}})
		})
		return b.spread("x")
	}
	seen := map[string]bool{}
	for seed := range uint64(10) {
		one := place(seed)
		if !slices.Equal(one, place(seed)) {
			t.Errorf("seed %d places differently the second time", seed)
		}
		key := ""
		for _, n := range one {
			key += strconv.Itoa(n)
		}
		seen[key] = true
	}
	if len(seen) < 5 {
		t.Errorf("10 seeds place in %d ways only", len(seen))
	}
}

// TestResourcesComeBack: what a task takes is free again when it has stopped.
func TestResourcesComeBack(t *testing.T) {
	b := hosts(t, []core.HostSpec{{GPU: 2, Interfaces: 2}}, func(s *Spec) {
		s.TaskDefinitions = append(s.TaskDefinitions,
			ecs.TaskDefinition{Family: "gpu", GPU: 2, Memory: 500, Reservation: 100, Port: 53, HostPort: 53, Ports: []ecs.Port{{HostPort: 53, UDP: true}}},
			ecs.TaskDefinition{Family: "eni", Network: "awsvpc"})
		s.Tasks = []TaskSpec{{Cluster: "prod", Task: "gpu"}, {Cluster: "prod", Task: "eni"}}
	})
	ci := b.host(0)
	if len(ci.FreeGPUs) != 0 || !slices.Equal(ci.UDP, []int{53}) || !slices.Contains(ci.Ports, 53) || ci.FreeMemory != 7680-100-256 {
		t.Fatalf("taken: %+v", ci)
	}
	if _, failures, err := b.RunTask("prod", "eni", "", 1); err != nil || len(failures) != 1 || failures[0].Reason != "RESOURCE:ENI" {
		t.Errorf("there is an interface more than there should be: %v %v", failures, err)
	}
	if gpus := b.on(0)[0].GPUs; len(gpus) != 2 || gpus[0] == gpus[1] {
		t.Errorf("the task has the devices %v", gpus)
	}
	for _, task := range b.on(0) {
		_, err := b.StopTask("prod", task.ARN, "")
		b.must(err)
	}
	b.pass(2 * time.Minute)
	ci = b.host(0)
	if len(ci.FreeGPUs) != 2 || len(ci.UDP) != 0 || len(ci.Ports) != len(ecs.ReservedPorts()) || ci.FreeMemory != 7680 {
		t.Errorf("given back: %+v", ci)
	}
	if _, failures, err := b.RunTask("prod", "eni", "", 1); err != nil || len(failures) > 0 {
		t.Errorf("the interface is not given back: %v %v", failures, err)
	}
}

// TestRunTasksByGroup: constraints and strategies of standalone tasks count those of the same task group.
func TestRunTasksByGroup(t *testing.T) {
	b := small(t, 3, nil)
	run := ecs.TaskRun{Definition: "job", Group: "databases", Count: 4, Constraints: []ecs.Constraint{{Type: "distinctInstance"}}}
	started, failures, err := b.RunTasks("prod", run)
	if err != nil || len(started) != 3 || len(failures) != 1 || failures[0].Reason != "DistinctInstance placement constraint unsatisfied." ||
		failures[0].ARN == "" {
		t.Fatalf("%d started, failures %+v, %v", len(started), failures, err)
	}
	if started[0].Group != "databases" {
		t.Errorf("the group is %s", started[0].Group)
	}
	run.Constraints = []ecs.Constraint{{Type: "memberOf", Expression: "task:group == databases"}}
	run.Group, run.Count = "web", 1
	if _, failures, err := b.RunTasks("prod", run); err != nil || len(failures) > 0 {
		t.Errorf("%+v %v", failures, err)
	}
	run.Constraints[0].Expression = "task:group == other"
	if _, failures, err := b.RunTasks("prod", run); err != nil || len(failures) != 1 || failures[0].Reason != "MemberOf placement constraint unsatisfied." {
		t.Errorf("%+v %v", failures, err)
	}
}

// TestBadPlacement: what AWS refuses is an error of the build that says where it is.
func TestBadPlacement(t *testing.T) {
	for want, change := range map[string]func(*Spec){
		`service "x": InvalidParameterException: Invalid filter expression`: func(s *Spec) {
			addService(s, ServiceSpec{Name: "x", Task: "job", Constraints: []ecs.Constraint{{Type: "memberOf", Expression: "attribute:a ~ b"}}})
		},
		`service "x": InvalidParameterException: The placement strategy "binpack"`: func(s *Spec) {
			addService(s, ServiceSpec{Name: "x", Task: "job", Placement: []ecs.PlacementStrategy{{Type: "binpack", Field: "disk"}}})
		},
		`task definition "y": the placement constraint is of type "distinctInstance"`: func(s *Spec) {
			s.TaskDefinitions = append(s.TaskDefinitions, ecs.TaskDefinition{Family: "y", Constraints: []ecs.Constraint{{Type: "distinctInstance"}}})
		},
		`task definition "y": the memory reservation`: func(s *Spec) {
			s.TaskDefinitions = append(s.TaskDefinitions, ecs.TaskDefinition{Family: "y", Memory: 100, Reservation: 200})
		},
		`service "x": InvalidParameterException: The specified capacity provider 'no'`: func(s *Spec) {
			addService(s, ServiceSpec{Name: "x", Task: "job", Providers: []ecs.StrategyItem{{Provider: "no", Weight: 1}}})
		},
		"the Auto Scaling group must have instance protection": func(s *Spec) {
			s.Providers = []ecs.CapacityProvider{{Name: "p", Group: "web-asg", ManagedScaling: true, TerminationProtection: true}}
		},
		"it needs managed scaling": func(s *Spec) {
			s.Providers = []ecs.CapacityProvider{{Name: "p", Group: "web-asg", TerminationProtection: true}}
		},
		`cluster "prod": the default strategy`: func(s *Spec) { s.Clusters[0].DefaultStrategy = []ecs.StrategyItem{{Provider: "no", Weight: 1}} },
	} {
		s := Spec{
			Clusters: []ClusterSpec{{Name: "prod"}}, TaskDefinitions: []ecs.TaskDefinition{{Family: "job"}},
			Groups: []GroupSpec{{Name: "web-asg", Desired: 1, Launch: core.HostSpec{Cluster: "prod"}}},
		}
		change(&s)
		if _, err := Build(s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// TestFilterLanguage asks the cluster query language about one instance.
func TestFilterLanguage(t *testing.T) {
	b := hosts(t, []core.HostSpec{{Attributes: map[string]string{"stack": "blue", "size": "12"}, AgentVersion: "1.9.0"}}, func(s *Spec) {
		s.Tasks = []TaskSpec{{Cluster: "prod", Task: "job"}}
	})
	b.pass(time.Minute)
	for expression, want := range map[string]bool{
		"attribute:stack == blue":            true,
		"attribute:stack equals blue":        true,
		"attribute:stack != blue":            false,
		"attribute:stack in [red, blue]":     true,
		"attribute:stack !in [red]":          true,
		"attribute:stack not_in ['blue']":    false,
		"attribute:stack =~ bl.*":            true,
		"attribute:stack =~ bl":              false,
		"attribute:stack !~ r.*":             true,
		"attribute:stack exists":             true,
		"attribute:none !exists":             true,
		"attribute:none not_exists":          true,
		"attribute:size > 9":                 true,
		"attribute:size >= 12":               true,
		"attribute:size < 12":                false,
		"attribute:size less_than_equal 12":  true,
		"attribute:none > 1":                 false,
		"agentVersion < 1.105.1":             true,
		"agentVersion >= 1.10":               false,
		"runningTasksCount == 1":             true,
		"task:group == family:job":           true,
		"task:group == service:job":          false,
		"ec2InstanceId in [" + b.id(0) + "]": true,
		"attribute:stack == red or (attribute:size > 9 and not attribute:none exists)": true,
		"attribute:stack == red && attribute:size > 9":                                 false,
	} {
		found, err := b.ListContainerInstances("prod", "", expression)
		if err != nil || (len(found) == 1) != want {
			t.Errorf("%s: %v %v, want %v", expression, found, err, want)
		}
	}
}
