package placement_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
	"github.com/ebbhq/ebb/internal/placement"
)

// pair is a cluster of two hosts with one service of two tasks, one on each; the tests change it and ask about the first host.
func pair() *inventory.Inventory {
	c := &inventory.Cluster{Name: "prod"}
	for i := range 2 {
		c.Hosts = append(c.Hosts, &inventory.Host{
			ContainerInstance: fleet.ContainerInstance{ARN: fleet.ARN(fmt.Sprintf("ci/%d", i)), Instance: fleet.InstanceID(fmt.Sprintf("i-%d", i)),
				Status: fleet.Active, Connected: true},
			CPU: 2048, Memory: 4096, Free: inventory.Resources{CPU: 1024, Memory: 2048}, Trunk: true, AgentVersion: "1.68.2",
			Attributes: map[string]string{"ecs.instance-type": "m7i.large", "tier": "2"},
		})
		c.Tasks = append(c.Tasks, &inventory.Task{Task: fleet.Task{
			ARN: fleet.ARN(fmt.Sprintf("task/%d", i)), ContainerInstance: c.Hosts[i].ARN, Family: "web:1", Group: "service:web",
			LastStatus: "RUNNING", DesiredStatus: "RUNNING",
		}})
	}
	c.TaskDefinitions = []*inventory.TaskDefinition{{Name: "web:1", Network: "bridge", CPU: 512, Memory: 512}}
	c.Services = []*inventory.Service{{
		Service: fleet.Service{Name: "web", Desired: 2, MinPercent: 100, MaxPercent: 200}, LaunchType: "EC2", Controller: "ECS",
		TaskDefinition: "web:1", Status: "ACTIVE",
	}}
	return &inventory.Inventory{Clusters: []*inventory.Cluster{c}}
}

func leave(s *inventory.Inventory) placement.Result {
	return placement.Leave(s, s.Clusters[0], []fleet.InstanceID{"i-0"})
}

func TestRules(t *testing.T) {
	for name, c := range map[string]struct {
		change  func(p parts)
		verdict placement.Verdict
		code    placement.Code
		words   string
	}{
		"there is room": {func(parts) {}, placement.Moves, "", ""},
		"cpu": {func(p parts) { p.rest.Free.CPU = 511 }, placement.Stuck, placement.NoCPU,
			"needs 512 CPU units, and at most 511 are free on the only other host (i-1)"},
		"memory": {func(p parts) { p.rest.Free.Memory = 500 }, placement.Stuck, placement.NoMemory, "needs 512 MiB of memory"},
		"gpu":    {func(p parts) { p.def.GPU = 1 }, placement.Stuck, placement.NoGPU, "needs 1 GPU"},
		"a tcp port": {func(p parts) { p.def.HostPorts, p.rest.Free.Ports = []inventory.Port{{Number: 80}}, []int{22, 80} },
			placement.Stuck, placement.NoPort, "host port 80/tcp"},
		"the same port of udp": {func(p parts) { p.def.HostPorts, p.rest.Free.UDP = []inventory.Port{{Number: 80}}, []int{80} }, placement.Moves, "", ""},
		"no network interface": {func(p parts) { p.def.Network, p.rest.Trunk, p.rest.Interfaces = "awsvpc", false, 2 }, placement.Stuck,
			placement.NoInterface, "needs 1 network interface, and none is free"},
		"a network interface": {func(p parts) { p.def.Network, p.rest.Trunk, p.rest.Interfaces = "awsvpc", false, 3 }, placement.Moves, "", ""},
		"a trunk":             {func(p parts) { p.def.Network, p.rest.Interfaces = "awsvpc", 2 }, placement.Moves, "", ""},
		"an attribute":        {func(p parts) { p.def.Requires = []string{"tier=3"} }, placement.Stuck, placement.NoAttribute, "tier=3"},
		"attributes not read": {func(p parts) { p.def.Requires, p.rest.Attributes = []string{"tier=3"}, nil }, placement.Uncertain, placement.Order, ""},
		"memberOf":            {func(p parts) { member(p.web, "attribute:tier > 2") }, placement.Stuck, placement.ConstraintUnmet, "attribute:tier > 2"},
		"memberOf of a definition": {func(p parts) {
			p.def.Constraints = []inventory.Constraint{{Type: "memberOf", Expression: "agentVersion < 1.60"}}
		}, placement.Stuck, placement.ConstraintUnmet, "agentVersion < 1.60"},
		"memberOf that is met":    {func(p parts) { member(p.web, "attribute:ecs.instance-type =~ m7i.*") }, placement.Moves, "", ""},
		"memberOf of task groups": {func(p parts) { member(p.web, "task:group == service:db") }, placement.Uncertain, placement.Order, ""},
		"memberOf not understood": {func(p parts) { member(p.web, "attribute:tier is 2") }, placement.Uncertain, placement.Order, ""},
		"distinctInstance": {func(p parts) { p.web.Constraints = []inventory.Constraint{{Type: "distinctInstance"}} }, placement.Stuck,
			placement.DistinctInstance, "on the only other host"},
		"another capacity provider": {func(p parts) {
			p.web.LaunchType, p.web.Strategy = "", []inventory.StrategyItem{{Provider: "spot", Weight: 1}}
		}, placement.Stuck, placement.NoProviderHost, "capacity provider"},
		"the default strategy": {func(p parts) {
			p.web.LaunchType, p.c.DefaultStrategy = "", []inventory.StrategyItem{{Provider: "spot", Weight: 1}}
		}, placement.Stuck, placement.NoProviderHost, ""},
		"a provider that scales": {func(p parts) {
			p.web.LaunchType, p.web.Strategy = "", []inventory.StrategyItem{{Provider: "spot", Weight: 1}}
			p.c.CapacityProviders = []inventory.CapacityProvider{{Name: "spot", Group: "spot-asg", ManagedScaling: true}}
			p.s.Groups = []*inventory.Group{{Group: fleet.Group{Name: "spot-asg", Desired: 1, Max: 2}}}
		}, placement.Uncertain, placement.Scaling, "spot-asg"},
		"a provider at its end": {func(p parts) {
			p.web.LaunchType, p.web.Strategy = "", []inventory.StrategyItem{{Provider: "spot", Weight: 1}}
			p.c.CapacityProviders = []inventory.CapacityProvider{{Name: "spot", Group: "spot-asg", ManagedScaling: true}}
			p.s.Groups = []*inventory.Group{{Group: fleet.Group{Name: "spot-asg", Desired: 2, Max: 2}}}
		}, placement.Stuck, placement.NoProviderHost, ""},
		"no host":           {func(p parts) { p.rest.Status = fleet.Draining }, placement.Stuck, placement.NoHost, ""},
		"no connected host": {func(p parts) { p.rest.Connected = false }, placement.Stuck, placement.NoHost, ""},
		"a host that EC2 has stopped": {func(p parts) { p.s.Instances = []*inventory.Instance{{ID: "i-1", State: fleet.StateStopped}} },
			placement.Stuck, placement.NoHost, ""},
		"100 and 100": {func(p parts) { p.web.MaxPercent = 100 }, placement.Stuck, placement.PercentArithmetic,
			"at least 2 healthy (rounded up), maximumPercent 100 allows at most 2 (rounded down)"},
		"a maximum that rounds down": {func(p parts) { p.web.MaxPercent = 149 }, placement.Stuck, placement.PercentArithmetic, "at most 2"},
		"a minimum that rounds up": {func(p parts) { p.web.MinPercent, p.web.MaxPercent = 51, 100 }, placement.Stuck,
			placement.PercentArithmetic, "at least 2"},
		"stop first": {func(p parts) { p.web.MinPercent, p.web.MaxPercent = 50, 100 }, placement.Moves, "", ""},
		"stop first and no room": {func(p parts) { p.web.MinPercent, p.web.MaxPercent, p.rest.Free.CPU = 50, 100, 0 },
			placement.Shrinks, placement.NoCPU, ""},
		"CODE_DEPLOY counts its own": {func(p parts) { p.web.MaxPercent, p.web.Controller = 100, "CODE_DEPLOY" }, placement.Moves, "", ""},
		"none is wanted":             {func(p parts) { p.web.Desired, p.rest.Free.CPU = 0, 0 }, placement.Moves, "", ""},
		"one more than wanted":       {func(p parts) { p.web.Desired, p.rest.Free.CPU = 1, 0 }, placement.Moves, "", ""},
		"a protected task":           {func(p parts) { p.here.Protected = true }, placement.Uncertain, placement.Protected, ""},
		"an agent that is away":      {func(p parts) { p.c.Hosts[0].Connected = false }, placement.Uncertain, placement.AgentGone, "i-0"},
		"a deployment": {func(p parts) { p.web.Deployments = []inventory.Deployment{{Status: "ACTIVE", Running: 1}} },
			placement.Uncertain, placement.Deployment, ""},
		"unhealthy tasks elsewhere": {func(p parts) { p.away.HealthStatus, p.web.MinPercent = "UNHEALTHY", 100 }, placement.Uncertain,
			placement.NotHealthy, ""},
		"a definition that is missing": {func(p parts) { p.c.TaskDefinitions = nil }, placement.Uncertain, placement.Unjudged, "web:1"},
		"a service that is missing":    {func(p parts) { p.c.Services = nil }, placement.Uncertain, placement.Unjudged, "web"},
		"a standalone task":            {func(p parts) { p.here.Group = "family:web" }, placement.Stuck, placement.Standalone, ""},
		"room that a stopping task will free": {func(p parts) { p.rest.Free.CPU, p.away.DesiredStatus, p.web.Desired = 0, fleet.Stopped, 1 },
			placement.Uncertain, placement.Order, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := pair()
			c.change(partsOf(s))
			r := leave(s)
			if r.Verdict != c.verdict {
				t.Fatalf("verdict %s, want %s:%s", r.Verdict, c.verdict, told(r))
			}
			var codes []placement.Code
			var words []string
			for _, f := range r.Fates {
				for _, reason := range f.Reasons {
					codes, words = append(codes, reason.Code), append(words, reason.Message)
				}
			}
			if c.code == "" && len(codes) > 0 || c.code != "" && (len(codes) == 0 || codes[0] != c.code) {
				t.Errorf("reasons %v, want %q first", codes, c.code)
			}
			if !strings.Contains(strings.Join(words, "\n"), c.words) {
				t.Errorf("words %q do not say %q", words, c.words)
			}
		})
	}
}

func member(s *inventory.Service, expression string) {
	s.Constraints = []inventory.Constraint{{Type: "memberOf", Expression: expression}}
}

// rival adds a service of one task of so many CPU units that has no place yet.
func rival(s *inventory.Inventory, name string, cpu int) {
	c := s.Clusters[0]
	c.TaskDefinitions = append(c.TaskDefinitions, &inventory.TaskDefinition{Name: name + ":1", Network: "bridge", CPU: cpu})
	c.Services = append(c.Services, &inventory.Service{Service: fleet.Service{Name: name, Desired: 1, MinPercent: 100, MaxPercent: 200},
		LaunchType: "EC2", TaskDefinition: name + ":1"})
}

func TestWhatAnotherServiceMayTakeIsNotPromised(t *testing.T) {
	s := pair()
	rival(s, "db", 600)
	r := leave(s)
	if r.Verdict != placement.Uncertain || r.Fates[0].Reasons[0].Code != placement.Order || !strings.Contains(r.Fates[0].Reasons[0].Message,
		"db may be placed first") {
		t.Fatalf("%s%s", r.Verdict, told(r))
	}
	s = pair()
	rival(s, "db", 512)
	if r := leave(s); r.Verdict != placement.Moves {
		t.Errorf("there is room for both, whoever comes first: %s%s", r.Verdict, told(r))
	}
}

func TestTwoServicesThatFitAloneAndNotTogether(t *testing.T) {
	s := pair()
	rival(s, "db", 600)
	c := s.Clusters[0]
	c.Tasks = append(c.Tasks, &inventory.Task{Task: fleet.Task{ARN: "task/db", ContainerInstance: "ci/0", Family: "db:1", Group: "service:db",
		LastStatus: "RUNNING", DesiredStatus: "RUNNING"}})
	r := leave(s)
	if r.Verdict != placement.Stuck || len(r.Fates) != 2 || r.Fates[0].Reasons[0].Code != placement.Together || r.Fates[1].Reasons[0].Code != placement.Together {
		t.Errorf("%s%s", r.Verdict, told(r))
	}
}

func TestPlacesAndNumbersAreReported(t *testing.T) {
	f := leave(pair()).Fates[0]
	if !slices.Equal(f.Places, []fleet.InstanceID{"i-1"}) || f.Desired != 2 || f.Min != 2 || f.Max != 4 || f.Missing != 1 || f.StopsFirst ||
		!slices.Equal(f.Tasks, []fleet.ARN{"task/0"}) {
		t.Errorf("%+v", f)
	}
}

func TestUnknownInterfacesAreNoLimitAndNoPromise(t *testing.T) {
	s := pair()
	c := s.Clusters[0]
	c.TaskDefinitions[0].Network, c.Hosts[1].Trunk = "awsvpc", false
	r := leave(s)
	if why := r.Fates[0].Reasons; r.Verdict != placement.Uncertain || len(why) != 1 || !strings.Contains(why[0].Message, "network interfaces") {
		t.Errorf("%s%s", r.Verdict, told(r))
	}
}
