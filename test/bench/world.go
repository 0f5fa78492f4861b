package main

import (
	"fmt"
	"time"

	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/story"
)

// worldW is the world of the cost table: n hosts leave at once, of a group twice as large; 4 replica tasks and 1 daemon task on each
// host, replicas behind target groups in services of 20, and room for as many again.
func worldW(n int, delay time.Duration) sim.Spec {
	const perHost, perService = 4, 20
	hosts := max(2*n, 10)
	w := sim.Spec{
		Seed:     1,
		Clusters: []sim.ClusterSpec{{Name: "prod"}},
		Queues:   []sim.QueueSpec{{Name: "ebb", Redrive: "ebb-dlq"}, {Name: "ebb-dlq"}},
		TaskDefinitions: []sim.TaskDefinition{
			{Family: "web", CPU: 200, Memory: 512, Port: 8080, Start: 10 * time.Second, Exit: 10 * time.Second, Stop: 30 * time.Second},
			{Family: "agent", CPU: 100, Memory: 128, Start: 5 * time.Second, Exit: 10 * time.Second, Stop: 30 * time.Second},
		},
		Groups: []sim.GroupSpec{{
			Name: "prod-asg", Desired: hosts,
			Hooks:  []sim.HookSpec{{Name: "ebb-drain", Heartbeat: 15 * time.Minute, DefaultResult: "CONTINUE", Target: "ebb"}},
			Launch: sim.HostSpec{Cluster: "prod"},
		}},
		Services: []sim.ServiceSpec{{Name: "agent", Cluster: "prod", Task: "agent", Daemon: true}},
	}
	for i := range hosts * perHost / perService {
		name := fmt.Sprintf("web%d", i)
		w.TargetGroups = append(w.TargetGroups, sim.TargetGroupSpec{Name: name, Delay: delay, Check: 10 * time.Second})
		w.Services = append(w.Services, sim.ServiceSpec{Name: name, Cluster: "prod", Task: "web", Desired: perService, Min: 100, Max: 200, TargetGroup: name})
	}
	return w
}

// scenario lets n hosts leave at once.
func scenario(n int, delay time.Duration, throttle int) story.Scenario {
	s := story.Scenario{
		Name: fmt.Sprintf("%d hosts leave at once", n), Seed: 1, World: worldW(n, delay), Until: 4 * time.Hour,
		Ebb: story.Ebb{Groups: []story.Group{{Match: "prod-asg", Cluster: "prod"}}},
	}
	for i := range n {
		s.At = append(s.At, story.Step{At: time.Second, Do: "terminate", Host: fmt.Sprintf("prod-asg/%d", i), Decrement: true})
	}
	if throttle > 0 {
		s.Faults = []story.Fault{{Op: "*.*", How: "throttled", Percent: throttle}}
	}
	return s
}
