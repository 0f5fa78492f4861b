package main

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/ecs"
)

// clusters are those of the function's world. Each is a scope of its own, for which one process works at a time.
var clusters = []string{"prod-1", "prod-2", "prod-3"}

// functionGroups are the managed groups, one in each cluster.
func functionGroups() []group {
	var all []group
	for _, c := range clusters {
		all = append(all, group{name: c + "-asg", cluster: c, heartbeat: 15 * time.Minute})
	}
	return all
}

// functionWorld is the world of the function: a fifth more hosts than leave, evenly in all clusters, with services that move with and
// without load balancers, a daemon, and tasks that nobody replaces. Some notifications come twice or late, but none is lost, so that a
// drainer that never looks by itself has the same work. Hooks notify a queue; the name of the queue of a cluster is its prefix and the
// cluster's. Without a prefix they notify EventBridge only.
func functionWorld(seed uint64, hosts int, queues string) sim.Spec {
	w := sim.Spec{
		Seed: seed, Switches: core.Switches{Duplicate: 10, LatePercent: 5},
		TaskDefinitions: []ecs.TaskDefinition{
			{Family: "web", CPU: 128, Memory: 256, Port: 8080, Start: 5 * time.Second, Exit: 10 * time.Second, Stop: 60 * time.Second},
			{Family: "api", CPU: 256, Memory: 512, Port: 9090, Network: "awsvpc", Start: 8 * time.Second, Exit: 5 * time.Second, Stop: 60 * time.Second},
			{Family: "worker", CPU: 128, Memory: 256, Start: 3 * time.Second, Exit: 45 * time.Second, Stop: 90 * time.Second},
			{Family: "log", CPU: 64, Memory: 128, Start: 2 * time.Second, Exit: 2 * time.Second, Stop: 30 * time.Second},
			{Family: "job", CPU: 256, Memory: 512, Run: 6 * time.Minute},
		},
	}
	n := hosts / len(clusters)
	n += (n + 4) / 5
	for _, g := range functionGroups() {
		c := g.cluster
		h := sim.HookSpec{Name: hook, Heartbeat: g.heartbeat, DefaultResult: "ABANDON"}
		if queues != "" {
			h.Target = queues + c
			w.Queues = append(w.Queues, sim.QueueSpec{Name: h.Target})
		}
		w.Clusters = append(w.Clusters, sim.ClusterSpec{Name: c})
		w.Groups = append(w.Groups, sim.GroupSpec{Name: g.name, Desired: n, Hooks: []sim.HookSpec{h}, Launch: core.HostSpec{Cluster: c, Boot: 20 * time.Second}})
		w.TargetGroups = append(w.TargetGroups,
			sim.TargetGroupSpec{Name: c + "-web", Delay: time.Minute, Check: 10 * time.Second},
			sim.TargetGroupSpec{Name: c + "-api", Delay: 30 * time.Second, Check: 5 * time.Second})
		w.Services = append(w.Services,
			sim.ServiceSpec{Name: c + "-web", Cluster: c, Task: "web", Desired: 2 * n, Min: 100, Max: 200, TargetGroup: c + "-web"},
			sim.ServiceSpec{Name: c + "-api", Cluster: c, Task: "api", Desired: n, Min: 50, Max: 200, TargetGroup: c + "-api"},
			sim.ServiceSpec{Name: c + "-worker", Cluster: c, Task: "worker", Desired: n, Min: 100, Max: 150},
			sim.ServiceSpec{Name: c + "-log", Cluster: c, Task: "log", Daemon: true})
		w.Tasks = append(w.Tasks, sim.TaskSpec{Cluster: c, Task: "job", Count: n / 3})
	}
	return w
}

// asFunction adds the function to its world, with what ebb init sets up around it, but for 20 processes at once.
func asFunction(w *sim.Spec, program string, env map[string]string) {
	const atOnce = 20
	w.Queues = append(w.Queues,
		sim.QueueSpec{Name: "ebb", Visibility: 3 * time.Minute, Redrive: "ebb-dead-letters", MaxReceives: 5},
		sim.QueueSpec{Name: "ebb-dead-letters", Retention: 14 * 24 * time.Hour})
	w.Functions = append(w.Functions, sim.FunctionSpec{
		Name: function, Timeout: 30 * time.Second, Concurrency: atOnce, Command: []string{program}, Env: env,
		Sources: []sim.SourceSpec{{Queue: "ebb", Batch: 10, Report: true, MaxConcurrency: atOnce}},
	})
	w.Rules = append(w.Rules,
		sim.RuleSpec{Name: "clock", Schedule: "rate(1 minute)", Targets: []string{"function:" + function}},
		sim.RuleSpec{Name: "leaving", Pattern: `{"source":["aws.autoscaling"],"detail-type":["EC2 Instance-terminate Lifecycle Action"]}`, Targets: []string{"ebb"}},
		sim.RuleSpec{Name: "stopped", Pattern: `{"source":["aws.ecs"],"detail-type":["ECS Task State Change"],` +
			`"detail":{"lastStatus":["STOPPED"]}}`, Targets: []string{"ebb"}})
}

// namesOf are what people call the instances of a world.
func namesOf(w *sim.World) map[string]string {
	names := map[string]string{}
	for _, g := range w.DescribeAutoScalingGroups(nil) {
		for i, in := range g.Instances {
			names[in.ID] = fmt.Sprintf("%s/%d", g.Name, i)
		}
	}
	return names
}

// leaveAtOnce terminates so many hosts, as many in each cluster, at this moment. Every other one is replaced.
func leaveAtOnce(w *sim.World, hosts int, dice *rand.Rand) (ids []string, err error) {
	w.SetCaller("operator")
	for _, g := range w.DescribeAutoScalingGroups(nil) {
		instances := g.Instances
		dice.Shuffle(len(instances), func(i, j int) { instances[i], instances[j] = instances[j], instances[i] })
		for i, in := range instances[:hosts/len(clusters)] {
			if _, err := w.TerminateInstanceInAutoScalingGroup(in.ID, i%2 == 0); err != nil {
				return nil, fmt.Errorf("terminate %s: %w", in.ID, err)
			}
			ids = append(ids, in.ID)
		}
	}
	return ids, nil
}
