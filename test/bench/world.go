package main

import (
	"fmt"
	"time"

	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/ecs"
)

// What things are called in the world of the report.
const (
	cluster = "prod"
	group   = "prod-asg"
	hook    = "ebb-drain"
	queue   = "ebb"
)

// worldW is the world of the report: n hosts are to leave a group of twice as many; 4 replica tasks and 1 daemon task on each host, the
// replicas behind target groups in services of 20, and room for as many again.
func worldW(n int, delay time.Duration) sim.Spec {
	return fleetOf(max(2*n, 10), delay, 10*time.Second)
}

// fleetOf is a group of hosts whose tasks exit so long after SIGTERM.
func fleetOf(hosts int, delay, exit time.Duration) sim.Spec {
	const perHost, perService = 4, 20
	stop := exit + 20*time.Second
	w := sim.Spec{
		Seed:     1,
		Clusters: []sim.ClusterSpec{{Name: cluster}},
		Queues:   []sim.QueueSpec{{Name: queue, Redrive: "ebb-dlq"}, {Name: "ebb-dlq"}},
		TaskDefinitions: []ecs.TaskDefinition{
			{Family: "web", CPU: 200, Memory: 512, Port: 8080, Start: 10 * time.Second, Exit: exit, Stop: stop},
			{Family: "agent", CPU: 100, Memory: 128, Start: 5 * time.Second, Exit: exit, Stop: stop},
		},
		Groups: []sim.GroupSpec{{
			Name: group, Desired: hosts,
			Hooks:  []sim.HookSpec{{Name: hook, Heartbeat: 15 * time.Minute, DefaultResult: "CONTINUE", Target: queue}},
			Launch: core.HostSpec{Cluster: cluster},
		}},
		Services: []sim.ServiceSpec{{Name: "agent", Cluster: cluster, Task: "agent", Daemon: true}},
	}
	for i := range hosts * perHost / perService {
		name := fmt.Sprintf("web%d", i)
		w.TargetGroups = append(w.TargetGroups, sim.TargetGroupSpec{Name: name, Delay: delay, Check: 10 * time.Second})
		w.Services = append(w.Services, sim.ServiceSpec{Name: name, Cluster: cluster, Task: "web", Desired: perService, Min: 100, Max: 200, TargetGroup: name})
	}
	return w
}
