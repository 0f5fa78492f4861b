package placement_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/survey"
)

func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

// randomSpec makes a cluster that is filled to anything between a third and its brim.
func randomSpec(r *rand.Rand) sim.Spec {
	s := sim.Spec{Seed: r.Uint64(), Clusters: []sim.ClusterSpec{{Name: "prod"}}}
	free := 0
	for i := range 1 + r.IntN(3) {
		g := sim.GroupSpec{Name: fmt.Sprintf("g%d", i), Desired: 2 + r.IntN(3), Max: 10}
		g.Launch = sim.HostSpec{Cluster: "prod", CPU: pick(r, 1024, 2048, 4096), Memory: pick(r, 2048, 4096, 8192)}
		free += g.Desired * g.Launch.CPU
		s.Groups = append(s.Groups, g)
	}
	free = free * (10 + r.IntN(55)) / 100
	for i := 0; i < 6 && free > 0; i++ {
		free -= addService(r, &s, i)
	}
	if r.IntN(3) == 0 {
		s.TaskDefinitions = append(s.TaskDefinitions, sim.TaskDefinition{Family: "agent", CPU: 64, Memory: 64})
		s.Services = append(s.Services, sim.ServiceSpec{Name: "agent", Cluster: "prod", Task: "agent", Daemon: true})
	}
	if r.IntN(12) == 0 {
		s.TaskDefinitions = append(s.TaskDefinitions, sim.TaskDefinition{Family: "job", CPU: 1, Memory: 1})
		s.Tasks = append(s.Tasks, sim.TaskSpec{Cluster: "prod", Task: "job", Host: new(int)})
	}
	return s
}

// addService adds a service and returns how much CPU it takes.
func addService(r *rand.Rand, s *sim.Spec, i int) int {
	name := fmt.Sprintf("s%d", i)
	d := sim.TaskDefinition{Family: name, CPU: pick(r, 64, 128, 256, 512, 768, 1024), Memory: pick(r, 128, 256, 512, 1024, 2048), Network: pick(r, "bridge", "bridge", "host", "awsvpc")}
	if r.IntN(4) == 0 {
		d.Port, d.HostPort = 80, 8000+r.IntN(3)
	}
	v := sim.ServiceSpec{Name: name, Cluster: "prod", Task: name, Desired: r.IntN(6), DistinctInstance: r.IntN(5) == 0}
	b := pick(r, bounds()...)
	v.Min, v.Max = b[0], b[1]
	s.TaskDefinitions, s.Services = append(s.TaskDefinitions, d), append(s.Services, v)
	return d.CPU * v.Desired
}

// bounds are minimum and maximum percent, the usual ones more often.
func bounds() [][2]int {
	usual := [2]int{100, 200}
	return [][2]int{usual, usual, usual, usual, usual, usual, usual, usual, {100, 150}, {100, 150}, {100, 110}, {50, 100}, {50, 100}, {50, 200}, {50, 200}, {0, 100}, {100, 100}, {75, 125}}
}

func allHosts(t *testing.T, w *sim.World) []sim.ContainerInstance {
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

func allTasks(t *testing.T, w *sim.World) []sim.Task {
	t.Helper()
	var ids []string
	for _, desired := range []string{"RUNNING", "STOPPED"} {
		more, err := w.ListTasks("prod", sim.TaskQuery{DesiredStatus: desired})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, more...)
	}
	var all []sim.Task
	for batch := range slices.Chunk(ids, 100) {
		tasks, _, err := w.DescribeTasks("prod", batch)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, tasks...)
	}
	return all
}

func allServices(t *testing.T, w *sim.World) []sim.Service {
	t.Helper()
	arns, err := w.ListServices("prod")
	if err != nil {
		t.Fatal(err)
	}
	var all []sim.Service
	for batch := range slices.Chunk(arns, 10) {
		services, _, err := w.DescribeServices("prod", batch)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, services...)
	}
	return all
}

// surveyOf is what a survey of the world's one cluster shows.
func surveyOf(t *testing.T, w *sim.World) *survey.Survey {
	t.Helper()
	c := survey.Cluster{Name: "prod", ARN: "arn:aws:ecs:eu-west-1:111122223333:cluster/prod"}
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
	return &survey.Survey{At: w.Now(), Clusters: []survey.Cluster{c}}
}

func hostOf(h sim.ContainerInstance) survey.Host {
	return survey.Host{
		ContainerInstance: fleet.ContainerInstance{
			ARN: fleet.ARN(h.ARN), Cluster: h.Cluster, Instance: fleet.InstanceID(h.Instance), Status: h.Status, Connected: h.Connected,
		},
		Zone: h.Zone, CPU: h.CPU, Memory: h.Memory, Attributes: h.Attributes,
		Free: survey.Resources{CPU: h.FreeCPU, Memory: h.FreeMemory, Ports: h.Ports},
	}
}

func taskOf(k sim.Task) survey.Task {
	return survey.Task{
		Task: fleet.Task{
			ARN: fleet.ARN(k.ARN), Cluster: k.Cluster, ContainerInstance: fleet.ARN(k.ContainerInstance), Family: k.Definition, Group: k.Group,
			LastStatus: k.LastStatus, DesiredStatus: k.DesiredStatus, CreatedAt: k.CreatedAt,
		},
		StartedBy: k.StartedBy, StartedAt: k.StartedAt, StoppingAt: k.StoppingAt, CPU: k.CPU, Memory: k.Memory, Protected: k.Protected,
	}
}

func serviceOf(s sim.Service) survey.Service {
	v := survey.Service{
		Service: fleet.Service{Name: s.Name, Cluster: s.Cluster, Daemon: s.Daemon, Desired: s.Desired, Running: s.Running, MinPercent: s.Min, MaxPercent: s.Max},
		Status:  s.Status, LaunchType: "EC2", Controller: "ECS", TaskDefinition: s.Definition,
	}
	if s.DistinctInstance {
		v.Constraints = []survey.Constraint{{Type: "distinctInstance"}}
	}
	return v
}

func definitionOf(d sim.TaskDefinition) survey.TaskDefinition {
	v := survey.TaskDefinition{Name: fmt.Sprintf("%s:%d", d.Family, d.Revision), Network: d.Network, CPU: d.CPU, Memory: d.Memory}
	switch {
	case d.Network == "awsvpc" || d.Port == 0:
	case d.HostPort != 0:
		v.HostPorts = []survey.Port{{Number: d.HostPort}}
	case d.Network == "host":
		v.HostPorts = []survey.Port{{Number: d.Port}}
	}
	return v
}
