package demo

import (
	"context"
	"fmt"
	"time"

	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/kernel"
	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/ecs"
	"github.com/ebbhq/ebb/internal/sim/loadtest"
)

// plot is what happens in a demonstration: it is played three times, without help, with what people write themselves, and with Ebb.
type plot struct {
	name     string // of the flag --story
	about    string // in a line of at most 64 characters, for the help and the board
	intro    string
	sides    []string      // what the three are called, in at most 20 characters each
	what     string        // of which the board has a row: host, task
	leaving  int           // how many leave
	progress string        // what the board calls how far it is
	speed    float64       // seconds of the world per second
	lasts    time.Duration // of this machine: the story is over then; 0: when all that leaves is gone
	begins   string        // what you do, in the past tense
	losers   int           // so many sides lose something on any machine that keeps up
	figures  []figure      // of the table
	notes    string        // below the table
	moral    string        // with the three counts of what was lost

	world    func() sim.Spec
	hooks    map[string][]sim.HookSpec // by the name of the drainer, if they differ
	leave    func(*sim.World) error
	gone     func(core.Entry) bool // one of what leaves has gone
	first    func(core.Entry) bool // the first of what leaves begins to leave
	id       func(core.Entry) string
	news     func(core.Entry) string // what there is to say of it, or nothing
	homemade func(context.Context, *side, *Screen) error
	managed  kernel.Managed

	open func(*side) (service, error)              // starts what its users lose something of; nil: a web service
	rows func(*side, *sim.World, *Result) []string // of the board; it may complete the result

	// What its tasks and its users do.

	atOnce int           // requests that a task works on; 0: no limit
	late   time.Duration // what is answered later is lost; 0: nothing is
	load   loadtest.Load // what its users do
}

// ofRequests explains the table of requests.
const ofRequests = "p99 is of the quick requests that were answered. AWS calls are the drainer's, without polls of its queue that brought nothing."

// next is what to do after most demonstrations.
const next = `

ebb demo --keep leaves this cloud running for your own aws command.
ebb serve --help says how to run the controller.`

// plots are what can be played; the first is played unless another is asked for.
func plots() []*plot {
	return []*plot{scaleInPlot(), fargateSpotPlot(), networkPlot(), hostSpotPlot(), hostPlot(), scalePlot()}
}

// The size of the world in which hosts leave.
const (
	allHosts     = 10
	leavingHosts = 5
	allTasks     = 20
)

// scaleInPlot: five of ten hosts leave. Each drainer has the hook that it comes with: the home-made one sends no heartbeats, so the sample that
// it copies gives it 900 s.
func scaleInPlot() *plot {
	return &plot{
		name: "scale-in", about: "five of ten hosts leave because their group is made smaller",
		intro: "Ten hosts run the 20 tasks of a web service behind a load balancer; 200 requests a second go to it, 5 % of them take 3 s. Five " +
			"hosts leave at once, in three clouds at the same time: without a drainer, with a home-made one, with Ebb. You are told what happens " +
			"to the first host in Ebb's cloud.",
		sides: []string{"no drainer", "home-made", "Ebb"},
		what:  "host", leaving: leavingHosts, progress: "gone", speed: 1, losers: 2, figures: figuresOf("host"), notes: ofRequests, rows: hostRows, load: users,
		begins: fmt.Sprintf("set the desired capacity from %d to %d", allHosts, allHosts-leavingHosts),
		moral: "Of the same requests %d were lost without a drainer, %d with the home-made one, which answers its hook as soon as tasks begin to stop, and %d with " +
			"Ebb, which waits until they have STOPPED." + next,
		world: hostWorld,
		hooks: map[string][]sim.HookSpec{
			"homemade": {{Name: "drain", Heartbeat: 900 * time.Second, DefaultResult: "ABANDON", Target: "ebb"}},
			"ebb":      {{Name: "ebb-drain", Heartbeat: 30 * time.Second, DefaultResult: "CONTINUE", Target: "ebb"}},
		},
		leave:    func(w *sim.World) error { return w.SetDesiredCapacity("demo-asg", allHosts-leavingHosts) },
		gone:     func(e core.Entry) bool { return e.Kind == core.EntryInstance && e.To == "terminated" },
		first:    func(e core.Entry) bool { return e.Kind == core.EntryLifecycle && e.To == "Terminating" },
		id:       func(e core.Entry) string { return e.Instance },
		news:     hostNews,
		homemade: homemadeHosts,
		managed:  kernel.Managed{Match: "demo-asg", Cluster: "demo", Policy: drain.Defaults()},
	}
}

// hostWorld is a cluster of hosts, without hooks. The settings are as short as makes sense. The deregistration delay must be longer than the
// load balancer takes to obey (4 s) and the slowest answer takes (3 s) together: else the load balancer itself cuts requests, whoever drains.
// The 8 s above that are for a machine that has other things to do.
func hostWorld() sim.Spec {
	return sim.Spec{
		Seed: 1, Start: time.Now().UTC().Truncate(time.Millisecond),
		Switches:        core.Switches{Propagation: 4 * time.Second},
		Clusters:        []sim.ClusterSpec{{Name: "demo"}},
		Queues:          []sim.QueueSpec{{Name: "ebb", Redrive: "ebb-dlq", MaxReceives: 5}, {Name: "ebb-dlq", Retention: 14 * 24 * time.Hour}},
		TargetGroups:    []sim.TargetGroupSpec{{Name: "web-tg", Delay: 15 * time.Second, Check: 10 * time.Second}},
		TaskDefinitions: []ecs.TaskDefinition{{Family: "web", CPU: 256, Memory: 512, Port: 8080, Start: 3 * time.Second}},
		Groups: []sim.GroupSpec{{
			Name: "demo-asg", Min: 1, Max: allHosts, Desired: allHosts, Launch: core.HostSpec{Cluster: "demo", Boot: 10 * time.Second},
		}},
		Services: []sim.ServiceSpec{{Name: "web", Cluster: "demo", Task: "web", Desired: allTasks, Min: 100, Max: 200, TargetGroup: "web-tg"}},
	}
}

// hostSpotPlot: EC2 takes three of ten Spot Instances back. The world is the first plot's at twice the speed, so that two minutes are one.
func hostSpotPlot() *plot {
	p := scaleInPlot()
	p.name, p.about = "spot", "EC2 takes back three of ten Spot Instances"
	p.intro = "Ten Spot Instances run the 20 tasks of a web service behind a load balancer; 200 requests a second go to it, 5 % of them take 1.5 s. " +
		"EC2 takes three instances back, with two minutes' notice, in three clouds at the same time: without a drainer, with a home-made one, with " +
		"Ebb. The clouds go at twice the speed of real time, so that you need not wait two minutes: the seconds that you see are theirs. You are " +
		"told what happens to the first host in Ebb's cloud."
	p.leaving, p.speed = interrupted, 2
	p.load.Slow /= 2
	p.begins = fmt.Sprintf("let EC2 take %d of %d instances back", interrupted, allHosts)
	p.moral = "Of the same requests %d were lost without a drainer, %d with the home-made one, which hears of its hook only, and that opens when the host has " +
		"gone, and %d with Ebb, which drains the host when EC2 gives notice." + next
	p.world = func() sim.Spec {
		s := hostWorld()
		s.Groups[0].Launch.Spot = true
		s.Rules = []sim.RuleSpec{{Name: "ec2", Pattern: `{"source":["aws.ec2"],"detail-type":["EC2 Spot Instance Interruption Warning"]}`, Targets: []string{"ebb"}}}
		return s
	}
	p.leave = interruptHosts
	p.first = func(e core.Entry) bool { return e.Kind == core.EntryNotice && e.To == core.NoticeInterrupted }
	return p
}

// interruptHosts takes the capacity of Spot Instances back.
func interruptHosts(w *sim.World) error {
	for _, i := range w.DescribeAutoScalingGroups([]string{"demo-asg"})[0].Instances[:interrupted] {
		if err := w.Interrupt(i.ID, ""); err != nil {
			return err
		}
	}
	return nil
}

// The size of the worlds in which tasks are interrupted.
const (
	spotTasks   = 10
	interrupted = 3
)

// fargateSpotPlot: three of ten tasks on Fargate Spot are interrupted behind an Application Load Balancer.
func fargateSpotPlot() *plot {
	return spotPlot(plot{
		name: "fargate-spot", about: "AWS takes back three of ten tasks on Fargate Spot, behind an ALB",
		intro: "Ten tasks on Fargate Spot run a web service behind an Application Load Balancer (ALB), which sends requests for 4 s more to a target " +
			"that is taken out; 200 requests a second go to it, 5 % of them take 3 s. AWS takes three tasks back, in three clouds at the same time: " +
			"with nobody's help, with a function that people write themselves, with Ebb. ECS does as users saw in 2025: it sends SIGTERM at once and " +
			"takes the target out 10 s later. The application serves for 10 s after SIGTERM. You are told what happens to the first task in Ebb's cloud.",
	}, sim.TargetGroupSpec{Propagation: 4 * time.Second}, 10*time.Second)
}

// networkPlot is the same behind a Network Load Balancer.
func networkPlot() *plot {
	return spotPlot(plot{
		name: "nlb", about: "AWS takes back three of ten tasks behind a Network Load Balancer",
		intro: "Ten tasks on Fargate Spot run a service behind a Network Load Balancer; 200 connections a second are made, 5 % of them last 3 s. AWS " +
			"takes three tasks back, in three clouds at the same time: with nobody's help, with a function that people write themselves, with Ebb. " +
			"ECS does as users saw in 2025: it sends SIGTERM at once and takes the target out 10 s later. New connections still go to a target that " +
			"is taken out: at AWS for two minutes, here for 20 s, so that you need not wait. The application serves for 26 s after SIGTERM; at AWS it " +
			"would have to for its whole two minutes. You are told what happens to the first task in Ebb's cloud.",
	}, sim.TargetGroupSpec{Protocol: "TCP", Propagation: 20 * time.Second}, 26*time.Second)
}

// spotPlot completes a demonstration of interrupted tasks that serve so long after SIGTERM.
func spotPlot(p plot, group sim.TargetGroupSpec, serves time.Duration) *plot {
	p.sides, p.what, p.leaving, p.progress, p.speed = []string{"no help", "home-made", "Ebb"}, "task", interrupted, "gone", 1
	p.losers, p.figures, p.notes, p.rows, p.load = 1, figuresOf("task"), ofRequests, taskRows, users
	p.begins = fmt.Sprintf("let AWS take %d of %d tasks back", interrupted, spotTasks)
	p.moral = "Of the same requests %d were lost without help, %d with the home-made function, which takes one address out of the one target group that it " +
		"knows, and %d with Ebb, which asks ECS where the targets of a task are. docs/spot.md says where the function does worse, and where nobody can help." + next
	group.Name, group.Delay, group.Check = "web-tg", 60*time.Second, 10*time.Second
	p.world = func() sim.Spec {
		return sim.Spec{
			Seed: 1, Start: time.Now().UTC().Truncate(time.Millisecond),
			Switches:     core.Switches{SpotOrder: core.Spot2025, Notify: time.Second},
			Clusters:     []sim.ClusterSpec{{Name: "demo", Providers: []string{"FARGATE", "FARGATE_SPOT"}}},
			Queues:       []sim.QueueSpec{{Name: "ebb", Redrive: "ebb-dlq", MaxReceives: 5}, {Name: "ebb-dlq", Retention: 14 * 24 * time.Hour}},
			TargetGroups: []sim.TargetGroupSpec{group},
			TaskDefinitions: []ecs.TaskDefinition{{ // it finishes what it has begun: 3 s, and 1 s for a machine that has other things to do
				Family: "web", Compatible: []string{"FARGATE"}, Port: 8080, Start: 3 * time.Second, Serves: serves, Exit: serves + 4*time.Second,
				Stop: 2 * time.Minute,
			}},
			Services: []sim.ServiceSpec{{
				Name: "web", Cluster: "demo", Task: "web", Desired: spotTasks, Min: 100, Max: 200, TargetGroup: "web-tg",
				Providers: []ecs.StrategyItem{{Provider: "FARGATE_SPOT", Weight: 1}},
			}},
			Rules: []sim.RuleSpec{{Name: "spot", Targets: []string{"ebb"}, Pattern: `{"source":["aws.ecs"],"detail-type":["ECS Task State Change"],` +
				`"detail":{"desiredStatus":["STOPPED"],"lastStatus":["RUNNING"]}}`}},
		}
	}
	p.leave = interruptTasks
	p.gone = func(e core.Entry) bool { return e.Kind == core.EntryTask && e.To == "STOPPED" }
	p.first = func(e core.Entry) bool { return e.Kind == core.EntryNotice && e.To == core.NoticeInterrupted }
	p.id = func(e core.Entry) string { return core.LastPart(e.Task) }
	p.news, p.homemade = taskNews, homemadeTasks
	p.managed = kernel.Managed{Cluster: "demo"}
	return &p
}

// interruptTasks takes the capacity of tasks on Fargate Spot back.
func interruptTasks(w *sim.World) error {
	all, err := w.SpotTasks("demo", "web", "")
	if err != nil {
		return err
	}
	for _, task := range all[:interrupted] {
		if err := w.InterruptTask("demo", task); err != nil {
			return err
		}
	}
	return nil
}
