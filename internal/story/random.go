package story

import (
	"fmt"
	"math"
	"time"

	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/kernel"
	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/core"
)

// Random makes the scenario of a seed: a world (half of them with 5 hosts or fewer, one in twenty with 50 or more), a story and
// faults. The same seed makes the same scenario for ever on the same code.
func Random(seed uint64) Scenario {
	g := &maker{dice: newDice(seed), rounds: 1, s: Scenario{Name: fmt.Sprintf("seed %d", seed), Seed: seed}}
	g.switches()
	g.queues()
	g.groups()
	g.services()
	g.story()
	g.faults()
	g.budgets()
	g.many()
	g.s.World.Seed = seed
	g.s.Until = g.last + time.Duration(g.rounds)*g.deadline + 45*time.Minute
	return g.s
}

// maker makes one random scenario.
type maker struct {
	dice
	s        Scenario
	hosts    int
	mass     bool          // nearly all hosts leave at once
	bare     bool          // some hosts never join the cluster
	tight    bool          // Auto Scaling allows few calls
	idle     bool          // few tasks run, most hosts are empty
	rounds   int           // one after another in which a group can leave
	deadline time.Duration // the longest
	last     time.Duration // of the steps
	perGroup map[string]int
	left     map[string]int // hosts that no step has touched yet, by group
}

// size is how many hosts a world has: log-normal with median 5 and 5 % above 50.
func (g *maker) size() int {
	var sum float64
	for range 12 { // the sum of twelve even numbers is nearly normal
		sum += float64(g.n(1_000_000)) / 1e6
	}
	return max(1, min(int(math.Round(5*math.Exp((sum-6)*1.4))), 120))
}

func pick[T any](g *maker, from ...T) T { return from[g.n(len(from))] }

func (g *maker) switches() {
	g.s.World.Switches = core.Switches{
		ProtectionHonoured: g.percent(20), SilentEC2Terminate: g.percent(20), HookEditApplies: g.percent(20),
		LateHeartbeatRefused: g.percent(20), SigtermFirst: g.percent(20), LaunchBeforeTerm: g.percent(20),
	}
	sw := &g.s.World.Switches
	if g.percent(30) {
		sw.Duplicate = pick(g, 10, 50, 100)
	}
	if g.percent(20) {
		sw.LostPercent = pick(g, 10, 50, 100)
	}
	if g.percent(20) {
		sw.LatePercent = pick(g, 10, 50)
	}
	if g.percent(15) {
		g.tight = true
	}
	if g.percent(10) {
		sw.InactiveFor = pick(g, time.Minute, 10*time.Minute)
	}
	if g.percent(20) {
		sw.Notify = pick(g, 10*time.Millisecond, 20*time.Second)
	}
	if g.percent(40) {
		sw.PageSize = pick(g, 1, 2, 3, 10)
	}
	if g.percent(30) {
		sw.Propagation = pick(g, 4*time.Second, 17*time.Second, 2*time.Minute)
	}
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
	g.perGroup, g.left = map[string]int{}, map[string]int{}
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
		Launch: sim.HostSpec{Cluster: "prod", CPU: pick(g, 1024, 2048, 4096), Memory: 8192, Boot: pick(g, 20*time.Second, time.Minute, 3*time.Minute)},
		Hooks:  []sim.HookSpec{{Name: "ebb-drain", Heartbeat: beat, DefaultResult: pick(g, "CONTINUE", "CONTINUE", "ABANDON"), Target: g.route(name)}},
	}
	if g.percent(4) {
		spec.Launch.NoAgent, g.bare = true, true
	}
	if g.percent(20) {
		spec.Hooks = append(spec.Hooks, sim.HookSpec{Name: "other-hook", Heartbeat: pick(g, 30*time.Second, 2*time.Minute, 10*time.Minute), DefaultResult: "CONTINUE"})
	}
	if g.percent(15) {
		spec.Retain = true
	}
	g.s.World.Groups = append(g.s.World.Groups, spec)
	deadline := pick(g, 5*time.Minute, 10*time.Minute, 20*time.Minute, 40*time.Minute)
	if g.percent(4) {
		deadline = 2 * time.Hour // for hooks of 30 s this lies behind the global time-out
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
	g.perGroup[name], g.left[name] = hosts, hosts
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
		Name: "theirs", Desired: 2, Max: 4, Launch: sim.HostSpec{Cluster: "prod", Boot: time.Minute},
		Hooks: []sim.HookSpec{{Name: pick(g, "ebb-drain", "their-hook"), Heartbeat: 2 * time.Minute, DefaultResult: "CONTINUE", Target: "ebb"}},
	})
	g.s.Ebb.LeaveForeign = g.percent(30)
	g.perGroup["theirs"] = 2
	g.left["theirs"] = 2
}

func (g *maker) services() {
	g.idle = g.percent(15)
	for i := range 1 + g.n(4) {
		g.service(i)
	}
	w := &g.s.World
	if g.percent(50) {
		w.TaskDefinitions = append(w.TaskDefinitions, sim.TaskDefinition{Family: "agent", CPU: 32, Memory: 64, Exit: g.exit(), Stop: g.stop()})
		s := sim.ServiceSpec{Name: "agent", Cluster: "prod", Task: "agent", Daemon: true}
		if g.percent(15) {
			s.TargetGroup = g.targetGroup("agent")
			w.TaskDefinitions[len(w.TaskDefinitions)-1].Port = 9000
		}
		w.Services = append(w.Services, s)
	}
	if g.percent(30) && !g.bare {
		w.TaskDefinitions = append(w.TaskDefinitions, sim.TaskDefinition{
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
	def := sim.TaskDefinition{
		Family: name, CPU: pick(g, 64, 128, 256, 512), Memory: pick(g, 64, 256), Port: 8080, Start: pick(g, 2*time.Second, 10*time.Second, 40*time.Second),
		Exit: g.exit(), Stop: g.stop(), Network: pick(g, "bridge", "bridge", "awsvpc"),
	}
	if g.percent(10) {
		def.HostPort, def.Network = 8000+i, "bridge"
	}
	if g.percent(4) && g.s.World.Switches.PageSize == 0 { // its stopped tasks are many, and fill many pages
		def.Fails = true
	}
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
	w.TaskDefinitions = append(w.TaskDefinitions, def)
	w.Services = append(w.Services, s)
}

func (g *maker) targetGroup(name string) string {
	tg := sim.TargetGroupSpec{
		Name: name + "-tg", Delay: pick(g, -1, 10*time.Second, time.Minute, 5*time.Minute), Check: pick(g, 5*time.Second, 10*time.Second, time.Minute),
	}
	g.s.World.TargetGroups = append(g.s.World.TargetGroups, tg)
	return tg.Name
}

// anyHost names a host that no step has touched, or false when there is none.
func (g *maker) anyHost() (string, bool) {
	var groups []string
	for _, spec := range g.s.World.Groups {
		if g.left[spec.Name] > 0 {
			groups = append(groups, spec.Name)
		}
	}
	if len(groups) == 0 {
		return "", false
	}
	name := groups[g.n(len(groups))]
	g.left[name]--
	return fmt.Sprintf("%s/%d", name, g.left[name]), true
}

// story lets hosts leave, in different ways, and things happen to them on the way.
func (g *maker) story() {
	leaving := 1 + g.n(max(1, g.hosts*2/3))
	spread := pick(g, 0, time.Minute, 10*time.Minute)
	if g.hosts >= 24 && g.percent(50) { // enough to list the cluster as a whole
		g.mass, leaving, spread = true, g.hosts-g.n(4), pick(g, 0, 15*time.Second)
		g.s.World.Switches.PageSize = pick(g, 0, 10, 10)
	}
	for range leaving {
		host, ok := g.anyHost()
		if !ok {
			break
		}
		at := time.Minute + g.between(0, spread+time.Millisecond)
		g.leave(host, at)
		if g.percent(25) {
			g.trouble(host, at)
		}
	}
	if g.percent(15) {
		g.step(Step{At: 2*time.Minute + g.between(0, 5*time.Minute), Do: "send", Body: pick(g, "{", "[1,2]", `{"LifecycleTransition":7}`, "garbage 300000", `{"Event":"autoscaling:TEST_NOTIFICATION"}`)})
	}
	if first := g.s.World.Groups[0]; g.percent(5) && first.Hooks[0].Heartbeat >= 5*time.Minute {
		beat := first.Hooks[0].Heartbeat
		g.step(Step{At: 3*time.Minute + g.between(0, 5*time.Minute), Do: "put-hook", Group: first.Name, For: pick(g, 2*beat, 2*beat/3)})
	}
	if g.percent(15) {
		g.step(Step{At: g.between(0, time.Minute), Do: "protect", Cluster: "prod", Service: "svc-0", For: pick(g, 2*time.Minute, 2*time.Hour)})
	}
	if g.percent(8) { // a message that lies: the host serves, or is somebody else's, or its wait began long ago
		host, group := fmt.Sprintf("web-0/%d", g.n(g.perGroup["web-0"])), "web-0"
		if g.perGroup["theirs"] > 0 && g.percent(50) {
			host = "theirs/0"
		}
		g.step(Step{At: g.between(0, 6*time.Minute), Do: "send", Host: host, Body: fmt.Sprintf(`{"LifecycleTransition":"autoscaling:EC2_INSTANCE_TERMINATING",`+
			`"AutoScalingGroupName":"%s","LifecycleHookName":"ebb-drain","EC2InstanceId":"$HOST","LifecycleActionToken":"00000000-0000-4000-8000-%012d","Time":"%s"}`,
			group, g.n(1000), pick(g, "2026-11-21T09:01:00Z", "2026-11-21T03:00:00Z", "2027-01-01T00:00:00Z"))})
	}
	if g.percent(10) {
		g.s.Ebb.Late = g.between(0, 5*time.Minute)
	}
}

func (g *maker) step(s Step) {
	g.s.At = append(g.s.At, s)
	g.last = max(g.last, s.At)
}

func (g *maker) leave(host string, at time.Duration) {
	switch n := g.n(100); {
	case n < 70:
		g.step(Step{At: at, Do: "terminate", Host: host, Decrement: g.percent(60)})
	case n < 80:
		g.step(Step{At: at, Do: "ec2-terminate", Host: host})
	case n < 85:
		g.step(Step{At: at, Do: "ec2-stop", Host: host})
	case n < 90:
		g.step(Step{At: at, Do: "unhealthy", Host: host})
	case n < 95:
		g.step(Step{At: max(0, at-time.Minute), Do: "disconnect", Host: host})
		g.step(Step{At: at, Do: "terminate", Host: host})
	default:
		g.step(Step{At: max(0, at-time.Minute), Do: "drain-by-hand", Host: host})
		g.step(Step{At: at, Do: "terminate", Host: host})
	}
}

func (g *maker) trouble(host string, at time.Duration) {
	at += g.between(0, 5*time.Minute)
	switch g.n(9) {
	case 0:
		g.step(Step{At: at, Do: "disconnect", Host: host})
	case 1:
		g.step(Step{At: at, Do: "disconnect", Host: host})
		g.step(Step{At: at + pick(g, 30*time.Second, 2*time.Minute, 6*time.Minute), Do: "reconnect", Host: host})
	case 2:
		g.step(Step{At: at, Do: "ec2-terminate", Host: host})
	case 3:
		g.step(Step{At: at, Do: "activate", Host: host})
	case 4:
		g.step(Step{At: at, Do: "answer", Host: host})
	case 5:
		g.step(Step{At: at, Do: "answer", Host: host, Hook: "other-hook"})
	case 6:
		g.step(Step{At: at, Do: "deregister", Host: host})
	case 7:
		g.step(Step{At: at, Do: "again", Host: host})
	case 8:
		g.step(Step{At: at, Do: "ec2-stop", Host: host})
	}
}

// faults break a part of Ebb's calls for a while, its journal, and Ebb itself.
func (g *maker) faults() {
	if g.percent(25) {
		return
	}
	window := g.last + pick(g, time.Minute, 5*time.Minute, 15*time.Minute)
	for range 1 + g.n(3) {
		from := g.between(0, window)
		f := Fault{
			Op:  pick(g, "*", "autoscaling.*", "ecs.*", "ecs.ListTasks", "ecs.Describe*", "sqs.*", "ec2.*", "elasticloadbalancing.*", "autoscaling.RecordLifecycleActionHeartbeat", "autoscaling.CompleteLifecycleAction", "ecs.UpdateContainerInstancesState"),
			How: pick(g, "throttle", "throttle", "error", "error-after", "timeout", "timeout-after", "stale", "stale", "drop-page", "stale-token", "item"), Percent: pick(g, 5, 20, 50, 100),
			From: from, Until: from + g.between(time.Second, 10*time.Minute),
		}
		if f.How == "stale" {
			f.Lag = g.between(time.Second, 8*time.Second)
		}
		g.s.Faults = append(g.s.Faults, f)
	}
	if g.mass {
		g.massFault()
	}
	if g.percent(8) { // a task that comes to be stopped between two lists, of which the later shows an earlier time
		g.s.Faults = append(g.s.Faults, Fault{Op: "ecs.ListTasks", How: "stale", Percent: 50, Lag: g.between(5*time.Second, 8*time.Second), Until: window})
	}
	if g.percent(12) { // HTTP 200, and yet not done
		g.s.Faults = append(g.s.Faults, Fault{Op: "ecs.UpdateContainerInstancesState", How: "item", Percent: pick(g, 50, 100), Times: 1 + g.n(5)})
	}
	if g.percent(40) {
		for range 1 + g.n(3) {
			g.s.Faults = append(g.s.Faults, Fault{Op: "crash", How: pick(g, beforeWrite, afterWrite, afterSettle, afterSend), Nth: 1 + g.n(6+3*g.hosts), Times: 1,
				For: pick(g, time.Second, 10*time.Second, time.Minute, 10*time.Minute)})
		}
	}
	if g.percent(15) {
		g.s.Faults = append(g.s.Faults, Fault{Op: "journal", How: pick(g, "error", "error-after", "conflict"), Percent: 30, Times: 1 + g.n(4), Until: window})
	}
}

// massFault breaks what lists of a whole cluster need.
func (g *maker) massFault() {
	f := Fault{Percent: pick(g, 20, 50, 100), From: time.Minute, Until: time.Minute + g.between(10*time.Second, 4*time.Minute)}
	switch g.n(5) {
	case 0:
		f.Op, f.How = "ecs.ListTasks", pick(g, "throttle", "error", "timeout-after")
	case 1:
		f.Op, f.How = "ecs.DescribeTasks", pick(g, "throttle", "error", "item", "item")
	case 2:
		f.Op, f.How = "ecs.DescribeClusters", pick(g, "throttle", "error", "item")
	case 3:
		f.Op, f.How = "ecs.ListTasks", "stale-token"
	default:
		return
	}
	g.s.Faults = append(g.s.Faults, f)
}

// budgets bound how many of a group leave at once.
func (g *maker) budgets() {
	if !g.percent(25) || g.hosts > 40 {
		return
	}
	for i := range g.s.Ebb.Groups {
		switch g.n(3) {
		case 0:
			g.s.Ebb.Groups[i].Budget.Percent = pick(g, 1, 20, 50, 100)
		case 1:
			g.s.Ebb.Groups[i].Budget.Count = 1 + g.n(3)
		}
	}
	g.rounds = min(6, 1+g.hosts/2)
	if g.percent(40) { // a long queue, and little else, so that it can be seen to move
		g.s.Faults = nil
		for range 8 {
			if host, ok := g.anyHost(); ok {
				g.step(Step{At: time.Minute + g.between(0, time.Minute), Do: "terminate", Host: host, Decrement: g.percent(60)})
			}
		}
	}
}

// many lets two or three Ebbs share the work, with clocks that differ, and troubles of their own.
func (g *maker) many() {
	if !g.percent(45) {
		return
	}
	g.s.Ebb.Replicas, g.s.Ebb.Skew = pick(g, 2, 3), pick(g, 0, 10*time.Second, 30*time.Second)
	if g.percent(40) {
		g.s.Ebb.Replicas, g.s.Ebb.Function = 0, true
		// All that is due is sent in the same moment: it cannot wait for a limit that lets little through at once.
		g.s.World.Switches.AutoScalingBurst, g.s.World.Switches.AutoScalingRate = 0, 0
		for i := range g.s.Faults { // and each failure of its journal costs it a minute
			if g.s.Faults[i].Op == "journal" {
				g.s.Faults[i].Times = 1
			}
		}
	}
	shortest := 5 * time.Minute // with a shorter hook there is no time for another Ebb to take over
	if g.s.Ebb.Function {
		shortest = drain.ShortestFor(kernel.Tick)
		if g.s.Ebb.Skew > 0 {
			shortest += kernel.Tick // the lease of one that is killed lasts longer for a clock that is behind
		}
	}
	for i := range g.s.World.Groups {
		for j := range g.s.World.Groups[i].Hooks {
			h := &g.s.World.Groups[i].Hooks[j]
			h.Heartbeat = max(h.Heartbeat, shortest)
		}
	}
	for i := range g.s.At {
		if st := &g.s.At[i]; st.Do == "put-hook" && g.s.Ebb.Function {
			st.For = max(st.For, shortest)
		}
	}
	for range g.n(5) {
		if g.s.Ebb.Function {
			g.step(Step{At: time.Minute + g.between(0, 15*time.Minute), Do: "crash"})
			continue
		}
		at := time.Minute + g.between(0, 15*time.Minute)
		g.step(Step{At: at, Do: pick(g, "crash", "hang", "hang", "cut-off", "cut-off"), Ebb: 1 + g.n(3), For: pick(g, time.Second, 8*time.Second, 20*time.Second, 2*time.Minute)})
	}
	if g.percent(40) {
		g.s.Faults = append(g.s.Faults, Fault{Op: "lease", How: pick(g, "error", "error-after"), Percent: pick(g, 10, 50), From: g.between(0, 5*time.Minute), Until: 5*time.Minute + g.between(0, 10*time.Minute)})
	}
}
