package spot

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/ecs"
	"github.com/ebbhq/ebb/internal/sim/story"
	"github.com/ebbhq/ebb/internal/sim/traffic"
)

// What every cell has in common.
const (
	tasks       = 10
	interrupted = 3
	rate        = 200.0                  // requests per second
	lasts       = 100 * time.Millisecond // each
	delay       = time.Minute            // deregistration
	begins      = 90 * time.Second       // when the tasks are interrupted
	until       = 8 * time.Minute
	// ends is how long a process goes on after it has stopped to serve, so that it finishes what it has begun.
	ends = time.Second
)

// who takes the targets of interrupted tasks out, before ECS does.
type who int

const (
	nobody who = iota
	homeMade
	ebb
)

// cell is one situation.
type cell struct {
	protocol            string // HTTP, TCP
	order               string
	propagation, serves time.Duration

	change func(*story.Scenario)
	home   func(*setUp) // how the home-made function is set up
}

func (c cell) String() string {
	return fmt.Sprintf("%s, %s, propagation %.0f s, serves %.0f s", short[c.protocol], c.order, c.propagation.Seconds(), c.serves.Seconds())
}

var (
	balancers = map[string]string{"HTTP": "Application Load Balancer", "TCP": "Network Load Balancer"}
	short     = map[string]string{"HTTP": "ALB", "TCP": "NLB"}
)

// orNone is a duration as worlds write it, in which zero means the default.
func orNone(d time.Duration) time.Duration {
	if d == 0 {
		return -1
	}
	return d
}

// scenario is the world of a cell, in which tasks are interrupted, with an Ebb that has another cluster.
func (c cell) scenario(seed uint64) story.Scenario {
	s := story.Scenario{Name: "spot", Seed: seed, Until: until}
	s.World = sim.Spec{
		Seed:         seed,
		Clusters:     []sim.ClusterSpec{{Name: "prod", Providers: []string{"FARGATE", "FARGATE_SPOT"}}, {Name: "other"}},
		Queues:       []sim.QueueSpec{{Name: "ebb"}},
		TargetGroups: []sim.TargetGroupSpec{{Name: "web-tg", Protocol: c.protocol, Delay: delay, Propagation: orNone(c.propagation)}},
		TaskDefinitions: []ecs.TaskDefinition{{
			Family: "web", Compatible: []string{"FARGATE"}, Port: 8080, Exit: c.serves + ends, Serves: orNone(c.serves), Stop: 2 * time.Minute,
		}},
		Services: []sim.ServiceSpec{{
			Name: "web", Cluster: "prod", Task: "web", Desired: tasks, TargetGroup: "web-tg", Providers: []ecs.StrategyItem{{Provider: "FARGATE_SPOT", Weight: 1}},
		}},
		Rules: []sim.RuleSpec{{Name: "spot", Targets: []string{"ebb"},
			Pattern: `{"source":["aws.ecs"],"detail-type":["ECS Task State Change"],"detail":{"desiredStatus":["STOPPED"],"lastStatus":["RUNNING"]}}`}},
		Traffic: []sim.TrafficSpec{{Service: "web", Rate: rate, Connection: lasts}},
	}
	s.World.Switches.SpotOrder, s.World.Switches.Notify = c.order, time.Second
	s.Ebb.Clusters = []story.Cluster{{Name: "other"}}
	s.At = []story.Step{{At: begins, Do: "interrupt", Cluster: "prod", Service: "web", Count: interrupted}}
	if c.change != nil {
		c.change(&s)
	}
	return s
}

// interrupt takes the capacity of so many tasks back.
func interrupt(w *sim.World) error {
	all, err := w.SpotTasks("prod", "web", "")
	for _, task := range all[:min(len(all), interrupted)] {
		if err == nil {
			err = w.InterruptTask("prod", task)
		}
	}
	return err
}

// atHome is how the home-made function of a cell is set up.
func (c cell) atHome() setUp {
	t := setUp{Cluster: "prod", TargetGroup: "web-tg", Container: "web", Port: 8080}
	if c.home != nil {
		c.home(&t)
	}
	return t
}

// computed is what becomes of requests in one run of a cell in virtual time.
func (c cell) computed(seed uint64, by who) (traffic.Counts, error) {
	s := c.scenario(seed)
	if by == homeMade {
		w, err := takeOutAtHome(s.World, c.atHome(), interrupt, begins, until)
		if err != nil {
			return traffic.Counts{}, fmt.Errorf("%s: %w", c, err)
		}
		return w.TrafficCounts()[0], nil
	}
	if by == ebb {
		s.Ebb.Clusters = []story.Cluster{{Name: "prod"}}
	}
	res, err := story.Run(s)
	if err != nil {
		return traffic.Counts{}, fmt.Errorf("%s: %w", c, err)
	}
	for _, v := range res.Violations {
		return traffic.Counts{}, fmt.Errorf("%s, %d: invariant %d: %s", c, by, v.Invariant, v.Text)
	}
	return res.Traffic[0], nil
}

// runs are how many requests fail in each of the runs of a cell, the fewest first.
func (c cell) runs(by who) ([]float64, error) {
	var all []float64
	for seed := range uint64(seeds) {
		n, err := c.computed(seed+1, by)
		if err != nil {
			return nil, err
		}
		all = append(all, n.Failed())
	}
	slices.Sort(all)
	return all, nil
}

// figures are how many requests fail in the mean: alone, with the home-made function, and with Ebb.
type figures [ebb + 1]float64

// means are the figures of cells.
func means(cells []cell) ([]figures, error) {
	all, errs := make([]figures, len(cells)), make([]error, len(cells))
	var busy sync.WaitGroup
	slots := make(chan struct{}, runtime.NumCPU())
	for i, c := range cells {
		slots <- struct{}{}
		busy.Go(func() {
			defer func() { <-slots }()
			for by := range all[i] {
				runs, err := c.runs(who(by))
				errs[i] = errors.Join(errs[i], err)
				for _, n := range runs {
					all[i][by] += n / seeds
				}
			}
		})
	}
	busy.Wait()
	return all, errors.Join(errs...)
}

// situation is a cell with a name.
type situation struct {
	name string
	cell cell
}

// worse are the situations in which a function that was written for one service meets something else.
func worse() []situation {
	base := cell{protocol: "HTTP", order: core.SpotBefore2023, propagation: 4 * time.Second, serves: 20 * time.Second}
	with := func(change func(*story.Scenario), home func(*setUp)) cell {
		c := base
		c.change, c.home = change, home
		return c
	}
	return []situation{
		{"as it was written for", base},
		{"the service has a second target group, through which the clients come", with(func(s *story.Scenario) {
			s.World.TargetGroups = append(s.World.TargetGroups, s.World.TargetGroups[0])
			s.World.TargetGroups[1].Name = "admin-tg"
			web := &s.World.Services[0]
			web.TargetGroup, web.Balancers = "", []sim.BalancerSpec{{TargetGroup: "web-tg"}, {TargetGroup: "admin-tg"}}
			s.World.Traffic[0].TargetGroup = "admin-tg"
		}, nil)},
		{"a blue/green deployment has left the tasks in the alternate target group", with(func(s *story.Scenario) {
			s.World.TargetGroups = append(s.World.TargetGroups, s.World.TargetGroups[0])
			s.World.TargetGroups[1].Name = "green-tg"
			s.World.Services[0].Alternate, s.World.Services[0].InAlternate = "green-tg", true
		}, nil)},
		{"the port is not set; the target group has another one than the tasks", with(nil, func(t *setUp) { t.Port = 0 })},
		{"the event has the older stop code, TerminationNotice", with(func(s *story.Scenario) {
			s.World.Switches.SpotStopCode = "TerminationNotice"
		}, nil)},
		{"the event has no stop code", with(func(s *story.Scenario) { s.World.Switches.SpotStopCode = core.SpotNoCode }, nil)},
		{"the event never comes", with(func(s *story.Scenario) { s.World.Switches.SpotEventLost = 100 }, nil)},
		{"the event never comes, and the application serves for 90 s", with(func(s *story.Scenario) {
			s.World.Switches.SpotEventLost = 100
			s.World.TaskDefinitions[0].Serves, s.World.TaskDefinitions[0].Exit = 90*time.Second, 90*time.Second+ends
		}, nil)},
		{"AWS throttles 3 of 4 deregistrations", with(func(s *story.Scenario) {
			s.Faults = []story.Fault{{Op: "elasticloadbalancing.DeregisterTargets", How: "throttle", Percent: 75}}
		}, func(t *setUp) { t.Throttled = 75 })},
	}
}
