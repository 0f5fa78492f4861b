package storm

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/kernel"
	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/ecs"
)

// What the world and the controller are called.
const (
	hook     = "ebb-drain"
	deadline = time.Hour
)

// group is a managed group.
type group struct {
	name, cluster  string
	hosts          int           // at the start
	heartbeat      time.Duration // timeout of its hook
	maxUnavailable kernel.MaxUnavailable
}

// functionClusters are those of the function's world. Each is a scope of its own, for which one process works at a time.
var functionClusters = []string{"prod-1", "prod-2", "prod-3"}

// groups are the managed groups. They have a fifth more hosts than leave. A run keeps every serve from its heartbeats for less than the
// shortest timeout: see lots. Where another Ebb goes on only after a while, that while is real time, so the timeouts are longer; and
// there the groups have max_unavailable. The function has a group in each cluster.
func (o options) groups() (all []group) {
	more := func(leave int) int { return leave + (leave+4)/5 }
	if o.shape == lambdaShape {
		for _, c := range functionClusters {
			all = append(all, group{name: c + "-asg", cluster: c, hosts: more(o.hosts / len(functionClusters)), heartbeat: 15 * time.Minute})
		}
		return all
	}
	n := more(o.hosts)
	all = []group{
		{name: "web-asg", cluster: "prod", hosts: n - n*2/5, heartbeat: 10 * time.Minute},
		{name: "batch-asg", cluster: "prod", hosts: n * 2 / 5, heartbeat: 5 * time.Minute},
	}
	if o.fault != "" {
		all[0].heartbeat, all[1].heartbeat = faultBeat, faultBeat
		return all
	}
	if o.journal == dynamodbJournal {
		all[0].heartbeat, all[0].maxUnavailable.Count = 15*time.Minute, 8
		all[1].heartbeat, all[1].maxUnavailable.Percent = 10*time.Minute, 30
	}
	return all
}

// job is a task that nobody replaces.
type job struct {
	family string
	run    time.Duration
	hosts  int // one task for so many hosts
}

// world is the world of a storm: services that move with and without load balancers, a daemon, tasks that nobody replaces, and
// notifications that get lost, come twice or come late. In the function's world none is lost, so that a drainer that never looks by itself
// has the same work, and hooks notify EventBridge only.
func (o options) world() sim.Spec {
	jobs := []job{{"short", 4 * time.Minute, 2}, {"long", 11 * time.Minute, 4}}
	target, lost, webDelay, apiDelay, visibility := "ebb", 5, 30*time.Second, 10*time.Second, 30*time.Second
	switch {
	case o.shape == lambdaShape:
		jobs = []job{{"job", 6 * time.Minute, 3}}
		target, lost, webDelay, apiDelay, visibility = "", 0, time.Minute, 30*time.Second, 3*time.Minute
	case o.journal == dynamodbJournal:
		jobs[1].run = 5 * time.Minute // some wait until others have left
	}
	w := sim.Spec{
		Seed: o.seed, Switches: core.Switches{LostPercent: lost, Duplicate: 10, LatePercent: 5},
		Queues: []sim.QueueSpec{
			{Name: "ebb", Visibility: visibility, Redrive: "ebb-dlq", MaxReceives: 5},
			{Name: "ebb-dlq", Retention: 14 * 24 * time.Hour},
		},
		TaskDefinitions: []ecs.TaskDefinition{
			{Family: "web", CPU: 128, Memory: 256, Port: 8080, Start: 5 * time.Second, Exit: 10 * time.Second, Stop: time.Minute},
			{Family: "api", CPU: 256, Memory: 512, Port: 9090, Network: "awsvpc", Start: 8 * time.Second, Exit: 5 * time.Second, Stop: time.Minute},
			{Family: "worker", CPU: 128, Memory: 256, Start: 3 * time.Second, Exit: 45 * time.Second, Stop: 90 * time.Second},
			{Family: "log", CPU: 64, Memory: 128, Start: 2 * time.Second, Exit: 2 * time.Second, Stop: 30 * time.Second},
		},
	}
	for _, j := range jobs {
		w.TaskDefinitions = append(w.TaskDefinitions, ecs.TaskDefinition{Family: j.family, CPU: 256, Memory: 512, Run: j.run})
	}
	hosts := map[string]int{}
	for _, g := range o.groups() {
		if hosts[g.cluster] == 0 {
			w.Clusters = append(w.Clusters, sim.ClusterSpec{Name: g.cluster})
		}
		hosts[g.cluster] += g.hosts
		w.Groups = append(w.Groups, sim.GroupSpec{
			Name: g.name, Desired: g.hosts, Launch: core.HostSpec{Cluster: g.cluster, Boot: 20 * time.Second},
			Hooks: []sim.HookSpec{{Name: hook, Heartbeat: g.heartbeat, DefaultResult: "ABANDON", Target: target}},
		})
	}
	for _, cluster := range w.Clusters {
		c, n := cluster.Name, hosts[cluster.Name]
		w.TargetGroups = append(w.TargetGroups,
			sim.TargetGroupSpec{Name: c + "-web", Delay: webDelay, Check: 10 * time.Second},
			sim.TargetGroupSpec{Name: c + "-api", Delay: apiDelay, Check: 5 * time.Second})
		w.Services = append(w.Services,
			sim.ServiceSpec{Name: c + "-web", Cluster: c, Task: "web", Desired: 2 * n, Min: 100, Max: 200, TargetGroup: c + "-web"},
			sim.ServiceSpec{Name: c + "-api", Cluster: c, Task: "api", Desired: n, Min: 50, Max: 200, TargetGroup: c + "-api"},
			sim.ServiceSpec{Name: c + "-worker", Cluster: c, Task: "worker", Desired: n, Min: 100, Max: 150},
			sim.ServiceSpec{Name: c + "-log", Cluster: c, Task: "log", Daemon: true})
		for _, j := range jobs {
			w.Tasks = append(w.Tasks, sim.TaskSpec{Cluster: c, Task: j.family, Count: n / j.hosts})
		}
	}
	if o.fault == largeFault {
		w = crowd(w, o.hosts)
	}
	return w
}

// configuration is the configuration of all Ebbs of a run. They share the queue and the journal in it.
func configuration(endpoint, journal string, groups []group) string {
	var text strings.Builder
	fmt.Fprintf(&text, "queue: %s/111122223333/ebb\nregion: eu-west-1\nendpoint: %s\njournal: %s\nhook: %s\nlog_format: json\nlog_level: debug\ngroups:\n",
		endpoint, endpoint, journal, hook)
	for _, g := range groups {
		fmt.Fprintf(&text, "  - {match: %s, cluster: %s, deadline: %s", g.name, g.cluster, deadline)
		if g.maxUnavailable != (kernel.MaxUnavailable{}) {
			fmt.Fprintf(&text, ", max_unavailable: %s", g.maxUnavailable)
		}
		text.WriteString("}\n")
	}
	return text.String()
}

// leavers draws the hosts that are to leave, as many of each cluster, and says what people call the hosts.
func leavers(w *sim.World, hosts int, dice *rand.Rand) (ids []string, names map[string]string) {
	names = map[string]string{}
	of := map[string][]string{}
	for _, g := range w.DescribeAutoScalingGroups(nil) {
		for i, in := range g.Instances {
			of[g.Launch.Cluster] = append(of[g.Launch.Cluster], in.ID)
			names[in.ID] = fmt.Sprintf("%s/%d", g.Name, i)
		}
	}
	for _, c := range slices.Sorted(maps.Keys(of)) {
		all := of[c]
		dice.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		ids = append(ids, all[:hosts/len(of)]...)
	}
	return ids, names
}

// terminate takes some of the hosts that leave out of their groups. Every other one is replaced.
func terminate(w *sim.World, leavers []string, from, to int) error {
	w.SetCaller("operator")
	for i := from; i < to; i++ {
		if _, err := w.TerminateInstanceInAutoScalingGroup(leavers[i], i%2 == 0); err != nil {
			return fmt.Errorf("terminate %s: %w", leavers[i], err)
		}
	}
	return nil
}

// deed is what happens to a serve.
type deed string

const (
	killed deed = "crashed" // SIGKILL
	ended  deed = "ended"   // SIGTERM
	paused deed = "paused"  // SIGSTOP, later SIGCONT
)

// lot is the fate of one life of a serve. The times are the world's.
type lot struct {
	after time.Duration // from its start
	deed  deed
	away  time.Duration // until the next start, or until it is resumed
}

// pace is how long the lives of a serve are, in the world's time.
type pace struct {
	shortLife time.Duration // at most
	longLife  time.Duration // at least; at most twice as long
	longAway  time.Duration // between two lives, or asleep, at most
}

// lots draws fates. Lives are often too short to do anything, but after three such lives comes one that is long enough to send
// heartbeats: three times the longest away and the longest short life is less than the shortest heartbeat timeout.
type lots struct {
	pace
	dice   *rand.Rand
	shorts int
}

const maxShorts = 3

// pace is how long lives are. Where a serve that dies is not known for dead at once, leases count in real time: then the short lives are
// too short to take over a lease, and the long ones are not.
func (o options) pace() pace {
	if o.journal == dynamodbJournal {
		real := func(d time.Duration) time.Duration { return time.Duration(float64(d) * o.speed) }
		return pace{shortLife: real(8 * time.Second), longLife: real(25 * time.Second), longAway: real(20 * time.Second)}
	}
	return pace{shortLife: 10 * time.Second, longLife: 20 * time.Second, longAway: time.Minute}
}

func (l *lots) draw() lot {
	f := lot{after: l.longLife + l.upTo(l.longLife), deed: killed}
	if l.shorts < maxShorts && l.dice.IntN(2) == 0 {
		f.after = l.upTo(l.shortLife)
		l.shorts++
	} else {
		l.shorts = 0
	}
	switch l.dice.IntN(10) {
	case 0:
		f.deed = ended
	case 1:
		f.deed = paused
	}
	if l.dice.IntN(10) < 3 {
		f.away = l.upTo(l.longAway)
	}
	return f
}

func (l *lots) upTo(d time.Duration) time.Duration {
	return time.Duration(l.dice.Int64N(int64(d/time.Millisecond))) * time.Millisecond
}
