package story

import (
	"fmt"
	"math"
	"time"

	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/ecs"
)

// size is how many hosts a world has: log-normal with median 5 and 5 % above 50.
func (g *maker) size() int {
	var sum float64
	for range 12 { // the sum of twelve even numbers is nearly normal
		sum += float64(g.n(1_000_000)) / 1e6
	}
	return max(1, min(int(math.Round(5*math.Exp((sum-6)*1.4))), 120))
}

func (g *maker) switches() {
	g.s.World.Switches = core.Switches{
		ProtectionHonoured: g.percent(20), SilentEC2Terminate: g.percent(20), HookEditApplies: g.percent(20),
		LateHeartbeatRefused: g.percent(20), SigtermFirst: g.percent(20), LaunchBeforeTerm: g.percent(20),
	}
	sw := &g.s.World.Switches
	sw.Duplicate = sometimes(g, 30, 10, 50, 100)
	sw.LostPercent = sometimes(g, 20, 10, 50, 100)
	sw.LatePercent = sometimes(g, 20, 10, 50)
	g.tight = g.percent(15)
	sw.InactiveFor = sometimes(g, 10, time.Minute, 10*time.Minute)
	sw.Notify = sometimes(g, 20, 10*time.Millisecond, 20*time.Second)
	sw.CloudMap = sometimes(g, 30, 2*time.Second, 20*time.Second)
	sw.PageSize = sometimes(g, 40, 1, 2, 3, 10)
	sw.Propagation = sometimes(g, 30, 4*time.Second, 17*time.Second, 2*time.Minute)
}

func (g *maker) queues() {
	q := sim.QueueSpec{Name: "ebb", Visibility: pick(g, 10*time.Second, 30*time.Second, time.Minute, 5*time.Minute)}
	if g.percent(70) {
		q.Redrive, q.MaxReceives = "ebb-dlq", pick(g, 3, 5, 20)
		g.s.World.Queues = append(g.s.World.Queues, sim.QueueSpec{Name: "ebb-dlq"})
	}
	g.s.World.Queues = append(g.s.World.Queues, q)
}

func (g *maker) groups() {
	g.left = map[string]int{}
	total := g.size()
	if sw := &g.s.World.Switches; total > 20 && sw.PageSize > 0 {
		sw.PageSize = 10 // with a page for each task, hundreds of tasks take longer to list than the call budget gives
	}
	groups := 1
	if total > 3 && g.percent(30) {
		groups = 2
	}
	g.s.World.Clusters = append(g.s.World.Clusters, sim.ClusterSpec{Name: "prod"})
	if g.percent(20) {
		g.s.World.Clusters = append(g.s.World.Clusters, sim.ClusterSpec{Name: "other"})
	}
	for i := range groups {
		g.group(fmt.Sprintf("web-%d", i), max(1, total/groups))
	}
	if g.tight { // as tight as can be if every hook has to be kept alive
		sw := &g.s.World.Switches
		sw.AutoScalingBurst, sw.AutoScalingRate = 5+total/4, 1+float64(total)/10
	}
	if g.percent(20) { // somebody else's
		g.foreign()
	}
}

func (g *maker) group(name string, hosts int) {
	beat := pick(g, 30*time.Second, time.Minute, 5*time.Minute, 15*time.Minute, time.Hour)
	spec := sim.GroupSpec{
		Name: name, Min: 0, Desired: hosts, Max: hosts*2 + 2,
		Launch: core.HostSpec{
			Cluster: "prod", CPU: pick(g, 1024, 2048, 4096), Memory: 8192, Boot: pick(g, 20*time.Second, time.Minute, 3*time.Minute),
		},
		Hooks: []sim.HookSpec{{
			Name: "ebb-drain", Heartbeat: beat, DefaultResult: pick(g, "CONTINUE", "CONTINUE", "ABANDON"), Target: g.route(name),
		}},
	}
	if g.percent(4) {
		spec.Launch.NoAgent, g.bare = true, true
	}
	if g.percent(20) {
		spec.Hooks = append(spec.Hooks, sim.HookSpec{
			Name: "other-hook", Heartbeat: pick(g, 30*time.Second, 2*time.Minute, 10*time.Minute), DefaultResult: "CONTINUE",
		})
	}
	spec.Retain = g.percent(15)
	g.s.World.Groups = append(g.s.World.Groups, spec)
	deadline := pick(g, 5*time.Minute, 10*time.Minute, 20*time.Minute, 40*time.Minute)
	if g.percent(4) {
		deadline = 2 * time.Hour // for hooks of 30 s this lies behind the global timeout
	}
	g.deadline = max(g.deadline, deadline)
	managed := Group{Match: name, Cluster: "prod", Deadline: deadline}
	if g.percent(30) {
		managed.Cluster = ""
	}
	if g.percent(20) {
		managed.Match = name + "*"
	}
	g.s.Ebb.Groups = append(g.s.Ebb.Groups, managed)
	g.hosts += hosts
	g.left[name] = hosts
}

// route is how the hook's notification reaches the queue; with none but EventBridge the hook has no target.
func (g *maker) route(group string) string {
	w := &g.s.World
	target := ""
	switch g.n(4) {
	case 0, 1:
		target = "ebb"
	case 2:
		topic := sim.TopicSpec{Name: "hooks-" + group, Subscriptions: []sim.SubscriptionSpec{{Queue: "ebb", Raw: g.percent(30)}}}
		w.Topics = append(w.Topics, topic)
		target = topic.Name
	}
	if target == "" || g.percent(20) { // both wired: duplicates
		w.Rules = append(w.Rules, sim.RuleSpec{
			Name: "to-ebb-" + group, Pattern: `{"source":["aws.autoscaling"],"detail":{"AutoScalingGroupName":["` + group + `"]}}`,
			Targets: []string{"ebb"},
		})
	}
	return target
}

func (g *maker) foreign() {
	g.s.World.Groups = append(g.s.World.Groups, sim.GroupSpec{
		Name: "theirs", Desired: 2, Max: 4, Launch: core.HostSpec{Cluster: "prod", Boot: time.Minute},
		Hooks: []sim.HookSpec{{Name: pick(g, "ebb-drain", "their-hook"), Heartbeat: 2 * time.Minute, DefaultResult: "CONTINUE", Target: "ebb"}},
	})
	g.s.Ebb.LeaveForeign = g.percent(30)
	g.left["theirs"] = 2
}

func (g *maker) services() {
	g.idle = g.percent(15)
	for i := range 1 + g.n(4) {
		g.service(i)
	}
	w := &g.s.World
	if g.percent(50) {
		w.TaskDefinitions = append(w.TaskDefinitions, ecs.TaskDefinition{Family: "agent", CPU: 32, Memory: 64, Exit: g.exit(), Stop: g.stop()})
		s := sim.ServiceSpec{Name: "agent", Cluster: "prod", Task: "agent", Daemon: true}
		if g.percent(15) {
			s.TargetGroup = g.targetGroup("agent")
			w.TaskDefinitions[len(w.TaskDefinitions)-1].Port = 9000
		}
		w.Services = append(w.Services, s)
	}
	if g.percent(30) && !g.bare {
		w.TaskDefinitions = append(w.TaskDefinitions, ecs.TaskDefinition{
			Family: "batch", CPU: 128, Memory: 256, Exit: g.exit(), Stop: g.stop(), Run: pick(g, time.Minute, 5*time.Minute, 0),
		})
		w.Tasks = append(w.Tasks, sim.TaskSpec{Task: "batch", Cluster: "prod", Count: 1 + g.n(g.hosts)})
	}
}

func (g *maker) exit() time.Duration {
	return pick(g, 0, time.Second, 5*time.Second, 20*time.Second, 50*time.Second, 10*time.Minute)
}

func (g *maker) stop() time.Duration { return pick(g, 0, 10*time.Second, time.Minute, 2*time.Minute) }

func (g *maker) service(i int) {
	w := &g.s.World
	name := fmt.Sprintf("svc-%d", i)
	def := ecs.TaskDefinition{
		Family: name, CPU: pick(g, 64, 128, 256, 512), Memory: pick(g, 64, 256), Port: 8080,
		Start: pick(g, 2*time.Second, 10*time.Second, 40*time.Second),
		Exit:  g.exit(), Stop: g.stop(), Network: pick(g, "bridge", "bridge", "awsvpc"),
	}
	if g.percent(10) {
		def.HostPort, def.Network = 8000+i, "bridge"
	}
	def.Fails = g.percent(4) && w.Switches.PageSize == 0 // its stopped tasks are many, and fill many pages
	s := sim.ServiceSpec{
		Name: name, Cluster: "prod", Task: name, Desired: 1 + g.n(2*g.hosts+1),
		Min: pick(g, 100, 100, 50, 0), Max: pick(g, 200, 200, 150, 100),
	}
	if g.idle {
		s.Desired = g.n(3)
	}
	if g.percent(60) {
		s.TargetGroup = g.targetGroup(name)
	}
	g.places(&s, def.Network == "awsvpc")
	w.TaskDefinitions = append(w.TaskDefinitions, def)
	w.Services = append(w.Services, s)
}

func (g *maker) targetGroup(name string) string {
	tg := sim.TargetGroupSpec{
		Name: name + "-tg", Delay: pick(g, -1, 10*time.Second, time.Minute, 5*time.Minute),
		Check: pick(g, 5*time.Second, 10*time.Second, time.Minute),
	}
	g.s.World.TargetGroups = append(g.s.World.TargetGroups, tg)
	return tg.Name
}

// places registers the tasks of some services where their target groups do not show: by hand, in Cloud Map, with VPC Lattice.
func (g *maker) places(s *sim.ServiceSpec, own bool) {
	w := &g.s.World
	if g.percent(4) {
		s.ByHand = []sim.BalancerSpec{{TargetGroup: g.targetGroup(s.Name + "-hand")}}
		s.IPv6 = own && g.percent(30)
		w.TargetGroups[len(w.TargetGroups)-1].IPv6 = s.IPv6
	}
	if g.percent(4) {
		w.Registries = append(w.Registries, sim.RegistrySpec{Name: s.Name, Namespace: "prod.local", TTL: pick(g, 10*time.Second, time.Minute)})
		s.Names = []sim.NamedSpec{{Registry: s.Name, Port: 8080}}
	}
	if g.percent(4) {
		l := sim.LatticeSpec{Name: s.Name + "-lattice", Delay: pick(g, -1, 10*time.Second, time.Minute)}
		if !own {
			l.Type = "INSTANCE"
		}
		w.Lattice = append(w.Lattice, l)
		s.Lattice = []sim.BalancerSpec{{TargetGroup: l.Name}}
	}
}
