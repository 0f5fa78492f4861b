package story

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/kernel"
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
	g.journal()
	g.observe()
	g.exclude()
	g.pause()
	g.slowCalls()
	g.notify()
	g.words()
	g.more()
	g.s.World.Seed = seed
	g.s.Until = g.last + time.Duration(g.rounds)*g.deadline + 45*time.Minute
	return g.s
}

// maker makes one random scenario.
type maker struct {
	dice
	s        Scenario
	hosts    int
	mass     bool           // nearly all hosts leave at once
	bare     bool           // some hosts never join the cluster
	tight    bool           // Auto Scaling allows few calls
	idle     bool           // few tasks run, most hosts are empty
	rounds   int            // one after another in which a group can leave
	deadline time.Duration  // the longest
	last     time.Duration  // of the steps
	left     map[string]int // hosts that no step has touched yet, by group
}

func pick[T any](g *maker, from ...T) T { return from[g.n(len(from))] }

// sometimes picks in p of 100 cases. Otherwise it is zero.
func sometimes[T any](g *maker, p int, from ...T) (picked T) {
	if g.percent(p) {
		picked = pick(g, from...)
	}
	return picked
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
	name := pick(g, groups...)
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
		g.step(Step{
			At: 2*time.Minute + g.between(0, 5*time.Minute), Do: "send",
			Body: pick(g, "{", "[1,2]", `{"LifecycleTransition":7}`, "garbage 300000", `{"Event":"autoscaling:TEST_NOTIFICATION"}`),
		})
	}
	if first := g.s.World.Groups[0]; g.percent(5) && first.Hooks[0].Heartbeat >= 5*time.Minute {
		beat := first.Hooks[0].Heartbeat
		g.step(Step{At: 3*time.Minute + g.between(0, 5*time.Minute), Do: "put-hook", Group: first.Name, For: pick(g, 2*beat, 2*beat/3)})
	}
	if g.percent(15) {
		g.step(Step{At: g.between(0, time.Minute), Do: "protect", Cluster: "prod", Service: "svc-0", For: pick(g, 2*time.Minute, 2*time.Hour)})
	}
	if g.percent(8) { // a message that lies: the host serves, or is somebody else's, or its wait began long ago
		host := fmt.Sprintf("web-0/%d", g.n(g.s.World.Groups[0].Desired))
		if _, foreign := g.left["theirs"]; foreign && g.percent(50) {
			host = "theirs/0"
		}
		const body = `{"LifecycleTransition":"autoscaling:EC2_INSTANCE_TERMINATING","AutoScalingGroupName":"web-0",` +
			`"LifecycleHookName":"ebb-drain","EC2InstanceId":"$HOST",` +
			`"LifecycleActionToken":"00000000-0000-4000-8000-%012d","Time":"%s"}`
		g.step(Step{
			At: g.between(0, 6*time.Minute), Do: "send", Host: host,
			Body: fmt.Sprintf(body, g.n(1000), pick(g, "2026-11-21T09:01:00Z", "2026-11-21T03:00:00Z", "2027-01-01T00:00:00Z")),
		})
	}
	if g.percent(10) {
		g.s.Ebb.Late = g.between(0, 5*time.Minute)
	}
}

func (g *maker) step(s Step) {
	g.s.At = append(g.s.At, s)
	g.last = max(g.last, s.At)
}

func (g *maker) fault(f Fault) { g.s.Faults = append(g.s.Faults, f) }

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
	do := pick(g, "disconnect", "reconnect", "ec2-terminate", "activate", "answer", "answer other", "deregister", "again", "ec2-stop")
	s := Step{At: at, Do: do, Host: host}
	switch do {
	case "reconnect":
		g.step(Step{At: at, Do: "disconnect", Host: host})
		s.At += pick(g, 30*time.Second, 2*time.Minute, 6*time.Minute)
	case "answer other":
		s.Do, s.Hook = "answer", "other-hook"
	}
	g.step(s)
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
			Op: pick(g, "*", "autoscaling.*", "ecs.*", "ecs.ListTasks", "ecs.Describe*", "sqs.*", "ec2.*", "elasticloadbalancing.*",
				"autoscaling.RecordLifecycleActionHeartbeat", "autoscaling.CompleteLifecycleAction", "ecs.UpdateContainerInstancesState"),
			How: pick(g, "throttle", "throttle", "error", "error-after", "timeout", "timeout-after", "stale", "stale", "drop-page",
				"stale-token", "item"),
			Percent: pick(g, 5, 20, 50, 100),
			From:    from, Until: from + g.between(time.Second, 10*time.Minute),
		}
		if f.How == "stale" {
			f.Lag = g.between(time.Second, 8*time.Second)
		}
		g.fault(f)
	}
	if g.mass {
		g.massFault()
	}
	if g.percent(8) { // a task that comes to be stopped between two lists, of which the later shows an earlier time
		g.fault(Fault{Op: "ecs.ListTasks", How: "stale", Percent: 50, Lag: g.between(5*time.Second, 8*time.Second), Until: window})
	}
	if g.percent(12) { // HTTP 200, and yet not done
		g.fault(Fault{Op: "ecs.UpdateContainerInstancesState", How: "item", Percent: pick(g, 50, 100), Times: 1 + g.n(5)})
	}
	if g.percent(40) {
		for range 1 + g.n(3) {
			g.fault(Fault{
				Op: "crash", How: pick(g, beforeWrite, afterWrite, afterSettle, afterSend), Nth: 1 + g.n(6+3*g.hosts), Times: 1,
				For: pick(g, time.Second, 10*time.Second, time.Minute, 10*time.Minute),
			})
		}
	}
	if g.percent(15) {
		g.fault(Fault{Op: "journal", How: pick(g, "error", "error-after", "conflict"), Percent: 30, Times: 1 + g.n(4), Until: window})
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
	g.fault(f)
}

// budgets bound how many of a group leave at once.
func (g *maker) budgets() {
	if !g.percent(25) || g.hosts > 40 {
		return
	}
	for i := range g.s.Ebb.Groups {
		switch g.n(3) {
		case 0:
			g.s.Ebb.Groups[i].MaxUnavailable.Percent = pick(g, 1, 20, 50, 100)
		case 1:
			g.s.Ebb.Groups[i].MaxUnavailable.Count = 1 + g.n(3)
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
	for _, group := range g.s.World.Groups {
		for i := range group.Hooks {
			group.Hooks[i].Heartbeat = max(group.Hooks[i].Heartbeat, shortest)
		}
	}
	for i := range g.s.At {
		if st := &g.s.At[i]; st.Do == "put-hook" && g.s.Ebb.Function {
			st.For = max(st.For, shortest)
		}
	}
	for range g.n(5) {
		s := Step{At: time.Minute + g.between(0, 15*time.Minute), Do: "crash"}
		if !g.s.Ebb.Function {
			s.Do, s.Ebb = pick(g, "crash", "hang", "hang", "cut-off", "cut-off"), 1+g.n(3)
			s.For = pick(g, time.Second, 8*time.Second, 20*time.Second, 2*time.Minute)
		}
		g.step(s)
	}
	if g.percent(40) {
		g.fault(Fault{
			Op: "lease", How: pick(g, "error", "error-after"), Percent: pick(g, 10, 50),
			From: g.between(0, 5*time.Minute), Until: 5*time.Minute + g.between(0, 10*time.Minute),
		})
	}
}

// journal makes the journal itself the trouble: away for minutes, slow, or one that never takes a record or a line.
func (g *maker) journal() {
	from := time.Minute + g.between(0, 4*time.Minute)
	switch n := g.n(100); {
	case n < 6 && !g.s.Ebb.Function: // a function that is invoked anew knows no hook without its journal
		g.fault(Fault{Op: "journal", How: "away", From: from, Until: from + g.between(time.Minute, 20*time.Minute)})
	case n < 10:
		g.fault(Fault{Op: "journal", How: "refuse", From: from, Percent: pick(g, 5, 50), Times: 1 + g.n(2)})
	case n < 14:
		g.fault(Fault{Op: "journal", How: "refuse-line", Percent: 20, Times: 1 + g.n(3)})
	case n < 20:
		how := pick(g, "slow", "slow", "hang")
		g.fault(Fault{Op: "journal", How: how, From: from, Until: from + g.between(time.Minute, 10*time.Minute), Percent: pick(g, 20, 100)})
	}
}

// slowCalls makes AWS slow while the journal fails, so that what an earlier kernel asked for comes back to a later one.
func (g *maker) slowCalls() {
	if !g.percent(20) || g.hosts > 40 {
		return
	}
	until := g.last + 3*time.Minute
	g.fault(Fault{Op: "calls", How: "slow", Percent: pick(g, 60, 100), Until: until})
	broken := Fault{Op: "journal", How: pick(g, "error", "error-after"), Percent: 60, Times: 6 + g.n(10), Until: until}
	if g.s.Ebb.Function { // each failure costs it a minute
		broken.Times = 1
	}
	g.fault(broken)
}

// notify lets Ebb tell people, who cannot always be reached.
func (g *maker) notify() {
	if !g.percent(40) {
		return
	}
	g.s.Ebb.Notify = true
	from := time.Minute + g.between(0, 5*time.Minute)
	switch g.n(5) {
	case 0:
		g.fault(Fault{Op: "notify", How: "error", From: from, Until: from + g.between(time.Minute, time.Hour)})
	case 1:
		g.fault(Fault{Op: "notify", How: pick(g, "error", "error-after"), Percent: 40, Times: 1 + g.n(6)})
	case 2:
		g.fault(Fault{Op: "discard", How: "error", Percent: 40, Times: 1 + g.n(4)})
	}
}

// pause lets an operator pause Ebb for a while.
func (g *maker) pause() {
	if !g.percent(5) {
		return
	}
	s := Step{At: g.between(30*time.Second, 8*time.Minute), Do: "pause", For: pick(g, time.Minute, 10*time.Minute, time.Hour)}
	g.step(s)
	over := s.At + s.For
	if g.percent(60) {
		over = s.At + g.between(time.Second, 15*time.Minute)
		g.step(Step{At: over, Do: "unpause"})
	}
	g.last = max(g.last, over)
}

// exclude gives a group the tag that keeps Ebb from draining its instances. Where the group cannot be read, Ebb cannot know of it.
func (g *maker) exclude() {
	if !g.percent(5) || g.tight {
		return
	}
	for _, f := range g.s.Faults {
		if unread, _ := path.Match(f.Op, "autoscaling.DescribeAutoScalingGroups"); unread {
			return
		}
	}
	group := &g.s.World.Groups[g.n(len(g.s.Ebb.Groups))]
	group.Tags = map[string]string{fleet.ExcludeTag: "true"}
}

// observe lets Ebb only watch some groups, while somebody else drains most of what leaves.
func (g *maker) observe() {
	if !g.percent(5) {
		return
	}
	for i := range g.s.Ebb.Groups {
		if i == 0 || g.percent(50) {
			g.s.Ebb.Groups[i].Mode = "observe"
		}
	}
	for _, s := range slices.Clone(g.s.At) {
		group, _, _ := strings.Cut(s.Host, "/")
		if s.Do != "terminate" || !g.s.Ebb.observes(group) || g.percent(30) {
			continue
		}
		drained := s.At + g.between(time.Second, time.Minute)
		g.step(Step{At: drained, Do: "drain-by-hand", Host: s.Host})
		g.step(Step{At: drained + g.between(time.Second, 10*time.Minute), Do: "answer", Host: s.Host})
	}
}
