package sim

import (
	"time"

	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/ecs"
)

// Demo is the world of ebb sim unless it is given another: one cluster of four instances with two services behind target groups, a terminating hook that
// tells a queue, and short but legal settings, so that a whole drain takes about a minute.
func Demo() Spec {
	return Spec{
		Seed:     1,
		Clusters: []ClusterSpec{{Name: "demo"}},
		Queues: []QueueSpec{
			{Name: "ebb", Redrive: "ebb-dlq", MaxReceives: 5},
			{Name: "ebb-dlq", Retention: 14 * 24 * time.Hour},
		},
		TargetGroups: []TargetGroupSpec{
			{Name: "web-tg", Delay: 5 * time.Second, Check: 10 * time.Second},
			{Name: "api-tg", Delay: 5 * time.Second, Check: 10 * time.Second},
		},
		TaskDefinitions: []ecs.TaskDefinition{
			{Family: "web", CPU: 256, Memory: 512, Port: 8080, Start: 3 * time.Second, Exit: 2 * time.Second},
			{Family: "api", CPU: 512, Memory: 1024, Port: 9090, Start: 3 * time.Second, Exit: 2 * time.Second},
		},
		Groups: []GroupSpec{{
			Name: "demo-asg", Min: 2, Max: 8, Desired: 4,
			Hooks:  []HookSpec{{Name: "ebb-drain", Heartbeat: 30 * time.Second, DefaultResult: "CONTINUE", Target: "ebb"}},
			Launch: core.HostSpec{Cluster: "demo", Boot: 10 * time.Second},
		}},
		Services: []ServiceSpec{
			{Name: "web", Cluster: "demo", Task: "web", Desired: 4, Min: 100, Max: 200, TargetGroup: "web-tg"},
			{Name: "api", Cluster: "demo", Task: "api", Desired: 2, Min: 100, Max: 200, TargetGroup: "api-tg"},
		},
	}
}
