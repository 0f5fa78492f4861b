package placement_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/ecs"
)

func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

// randomSpec makes a cluster that is filled to anything between a third and its brim.
func randomSpec(r *rand.Rand) sim.Spec {
	s := sim.Spec{Seed: r.Uint64(), Clusters: []sim.ClusterSpec{{Name: "prod"}}}
	free := 0
	for i := range 1 + r.IntN(3) {
		g := sim.GroupSpec{Name: fmt.Sprintf("g%d", i), Desired: 2 + r.IntN(3), Max: 10}
		g.Launch = core.HostSpec{Cluster: "prod", CPU: pick(r, 1024, 2048, 4096), Memory: pick(r, 2048, 4096, 8192)}
		free += g.Desired * g.Launch.CPU
		s.Groups = append(s.Groups, g)
	}
	if r.IntN(2) == 0 {
		refine(r, &s)
	}
	free = free * (10 + r.IntN(55)) / 100
	for i := 0; i < 6 && free > 0; i++ {
		free -= addService(r, &s, i)
	}
	if r.IntN(3) == 0 {
		s.TaskDefinitions = append(s.TaskDefinitions, ecs.TaskDefinition{Family: "agent", CPU: 64, Memory: 64})
		s.Services = append(s.Services, sim.ServiceSpec{Name: "agent", Cluster: "prod", Task: "agent", Daemon: true})
	}
	if r.IntN(12) == 0 {
		s.TaskDefinitions = append(s.TaskDefinitions, ecs.TaskDefinition{Family: "job", CPU: 1, Memory: 1})
		s.Tasks = append(s.Tasks, sim.TaskSpec{Cluster: "prod", Task: "job", Host: new(int)})
	}
	return s
}

// addService adds a service and returns how much CPU it takes.
func addService(r *rand.Rand, s *sim.Spec, i int) int {
	name := fmt.Sprintf("s%d", i)
	d := ecs.TaskDefinition{Family: name, CPU: pick(r, 64, 128, 256, 512, 768, 1024), Memory: pick(r, 128, 256, 512, 1024, 2048),
		Network: pick(r, "bridge", "bridge", "host", "awsvpc")}
	if r.IntN(4) == 0 {
		d.Port, d.HostPort = 80, 8000+r.IntN(3)
	}
	v := sim.ServiceSpec{Name: name, Cluster: "prod", Task: name, Desired: r.IntN(6), DistinctInstance: r.IntN(5) == 0}
	b := pick(r, bounds()...)
	v.Min, v.Max = b[0], b[1]
	if len(s.Providers) > 0 {
		demanding(r, s, &d, &v)
	}
	s.TaskDefinitions, s.Services = append(s.TaskDefinitions, d), append(s.Services, v)
	return d.CPU * v.Desired
}

// refine gives the hosts what they can differ in besides their size: GPUs, network interfaces, attributes, capacity providers.
func refine(r *rand.Rand, s *sim.Spec) {
	for i := range s.Groups {
		g := &s.Groups[i]
		for range g.Desired {
			h := core.HostSpec{GPU: pick(r, 0, 0, 0, 1, 4), Interfaces: pick(r, 0, 0, 2, 3, 4)}
			h.Attributes = map[string]string{"disk": pick(r, "ssd", "ssd", "hdd")}
			if r.IntN(4) > 0 {
				h.Attributes["tier"] = pick(r, "1", "2", "3")
			}
			g.Hosts = append(g.Hosts, h)
		}
		s.Providers = append(s.Providers, ecs.CapacityProvider{Name: "p-" + g.Name, Group: g.Name})
	}
}

// demanding gives a service needs of the kinds that refine makes hosts differ in.
func demanding(r *rand.Rand, s *sim.Spec, d *ecs.TaskDefinition, v *sim.ServiceSpec) {
	if r.IntN(6) == 0 {
		d.GPU = 1
	}
	if d.Network != "awsvpc" && r.IntN(5) == 0 {
		d.Ports = []ecs.Port{{HostPort: 9000 + r.IntN(2), UDP: r.IntN(2) == 0}}
	}
	if r.IntN(6) == 0 {
		d.Requires = []string{pick(r, "disk=ssd", "tier")}
	}
	if r.IntN(5) == 0 {
		v.Constraints = []ecs.Constraint{{Type: "memberOf", Expression: pick(r, expressions()...).text}}
	}
	if r.IntN(3) == 0 {
		v.Placement = []ecs.PlacementStrategy{pick(r, ecs.PlacementStrategy{Type: "binpack", Field: "memory"}, ecs.PlacementStrategy{Type: "random"},
			ecs.PlacementStrategy{Type: "spread", Field: "instanceId"}, ecs.PlacementStrategy{Type: "spread", Field: "attribute:disk"})}
	}
	if r.IntN(4) > 0 {
		return
	}
	for range 1 + r.IntN(2) {
		item := ecs.StrategyItem{Provider: pick(r, s.Providers...).Name, Weight: 1 + r.IntN(2)}
		if !slices.ContainsFunc(v.Providers, func(i ecs.StrategyItem) bool { return i.Provider == item.Provider }) {
			v.Providers = append(v.Providers, item)
		}
	}
}

// expression is a memberOf expression and what the test itself holds it to mean.
type expression struct {
	text  string
	holds func(attributes map[string]string) bool
}

func expressions() []expression {
	return []expression{
		{"attribute:disk == ssd", func(a map[string]string) bool { return a["disk"] == "ssd" }},
		{"attribute:tier in [1, 2]", func(a map[string]string) bool { return a["tier"] == "1" || a["tier"] == "2" }},
		{"attribute:disk =~ s.* or attribute:tier >= 2", func(a map[string]string) bool { return a["disk"] == "ssd" || a["tier"] >= "2" }},
		{"not (attribute:disk == hdd and attribute:tier exists)", func(a map[string]string) bool { return a["disk"] != "hdd" || a["tier"] == "" }},
		{"attribute:ecs.instance-type == m7i.large && attribute:tier !exists", func(a map[string]string) bool { return a["tier"] == "" }},
	}
}

// bounds are minimum and maximum percent, the usual ones more often.
func bounds() [][2]int {
	usual := [2]int{100, 200}
	return [][2]int{usual, usual, usual, usual, usual, usual, usual, usual, {100, 150}, {100, 150}, {100, 110}, {50, 100}, {50, 100},
		{50, 200}, {50, 200}, {0, 100}, {100, 100}, {75, 125}}
}

func allHosts(t *testing.T, w *sim.World) []ecs.ContainerInstance {
	t.Helper()
	arns, err := w.ListContainerInstances("prod", "", "")
	if err != nil {
		t.Fatal(err)
	}
	hosts, _, err := w.DescribeContainerInstances("prod", arns)
	if err != nil {
		t.Fatal(err)
	}
	return hosts
}

func allTasks(t *testing.T, w *sim.World) []ecs.Task {
	t.Helper()
	var ids []string
	for _, desired := range []string{"RUNNING", "STOPPED"} {
		more, err := w.ListTasks("prod", ecs.TaskQuery{DesiredStatus: desired})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, more...)
	}
	var all []ecs.Task
	for batch := range slices.Chunk(ids, 100) {
		tasks, _, err := w.DescribeTasks("prod", batch)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, tasks...)
	}
	return all
}

func allServices(t *testing.T, w *sim.World) []ecs.Service {
	t.Helper()
	arns, err := w.ListServices("prod")
	if err != nil {
		t.Fatal(err)
	}
	var all []ecs.Service
	for batch := range slices.Chunk(arns, 10) {
		services, _, err := w.DescribeServices("prod", batch)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, services...)
	}
	return all
}

// inventoryOf is what an inventory of the world's one cluster shows.
func inventoryOf(t *testing.T, w *sim.World) *inventory.Inventory {
	t.Helper()
	c := &inventory.Cluster{Name: "prod", ARN: "arn:aws:ecs:eu-west-1:111122223333:cluster/prod"}
	for _, h := range allHosts(t, w) {
		c.Hosts = append(c.Hosts, hostOf(h))
	}
	for _, k := range allTasks(t, w) {
		if k.LastStatus != "STOPPED" {
			c.Tasks = append(c.Tasks, taskOf(k))
		}
	}
	for _, s := range allServices(t, w) {
		c.Services = append(c.Services, serviceOf(s))
		d, err := w.DescribeTaskDefinition(s.Definition)
		if err != nil {
			t.Fatal(err)
		}
		c.TaskDefinitions = append(c.TaskDefinitions, definitionOf(d))
	}
	return &inventory.Inventory{At: w.Now(), Clusters: []*inventory.Cluster{c}}
}

func hostOf(h ecs.ContainerInstance) *inventory.Host {
	return &inventory.Host{
		ContainerInstance: fleet.ContainerInstance{
			ARN: fleet.ARN(h.ARN), Cluster: h.Cluster, Instance: fleet.InstanceID(h.Instance), Status: h.Status, Connected: h.Connected,
		},
		CPU: h.CPU, Memory: h.Memory, GPU: len(h.GPUs), Attributes: h.Attributes, AgentVersion: h.AgentVersion,
		CapacityProvider: h.CapacityProvider, Trunk: h.Interfaces == 0, Interfaces: h.Interfaces,
		Free: inventory.Resources{CPU: h.FreeCPU, Memory: h.FreeMemory, GPU: len(h.FreeGPUs), Ports: h.Ports, UDP: h.UDP},
	}
}

func taskOf(k ecs.Task) *inventory.Task {
	return &inventory.Task{
		Task: fleet.Task{
			ARN: fleet.ARN(k.ARN), Cluster: k.Cluster, ContainerInstance: fleet.ARN(k.ContainerInstance), Family: k.Definition, Group: k.Group,
			LastStatus: k.LastStatus, DesiredStatus: k.DesiredStatus, CreatedAt: k.CreatedAt, StoppingAt: k.StoppingAt,
		},
		StartedBy: k.StartedBy, StartedAt: k.StartedAt, CPU: k.CPU, Memory: k.Memory, GPU: len(k.GPUs), Protected: k.Protected,
	}
}

func serviceOf(s ecs.Service) *inventory.Service {
	v := &inventory.Service{
		Service: fleet.Service{Name: s.Name, Cluster: s.Cluster, Daemon: s.Daemon, Desired: s.Desired, Running: s.Running, MinPercent: s.Min, MaxPercent: s.Max},
		Status:  s.Status, Controller: "ECS", TaskDefinition: s.Definition,
	}
	for _, item := range s.Providers {
		v.Strategy = append(v.Strategy, inventory.StrategyItem{Provider: item.Provider, Base: item.Base, Weight: item.Weight})
	}
	if len(v.Strategy) == 0 {
		v.LaunchType = "EC2"
	}
	if s.DistinctInstance {
		v.Constraints = append(v.Constraints, inventory.Constraint{Type: "distinctInstance"})
	}
	for _, c := range s.Constraints {
		v.Constraints = append(v.Constraints, inventory.Constraint{Type: c.Type, Expression: c.Expression})
	}
	for _, d := range s.Deployments {
		v.Deployments = append(v.Deployments, inventory.Deployment{
			ID: d.ID, Status: d.Status, TaskDefinition: d.Definition, Rollout: d.Rollout, Desired: d.Desired, Running: d.Running, Pending: d.Pending, Failed: d.Failed,
		})
	}
	return v
}

func definitionOf(d ecs.TaskDefinition) *inventory.TaskDefinition {
	v := &inventory.TaskDefinition{Name: fmt.Sprintf("%s:%d", d.Family, d.Revision), Network: d.Network, CPU: d.CPU, Memory: d.Memory,
		GPU: d.GPU, Requires: d.Attributes()}
	if d.Network == "awsvpc" {
		return v
	}
	for _, p := range append([]ecs.Port{{Port: d.Port, HostPort: d.HostPort}}, d.Ports...) {
		if p.HostPort == 0 && d.Network == "host" {
			p.HostPort = p.Port
		}
		if p.HostPort != 0 {
			v.HostPorts = append(v.HostPorts, inventory.Port{Number: p.HostPort, UDP: p.UDP})
		}
	}
	return v
}
