// Package scaling plays one service under a load with one policy of scaling after another, in virtual time in the simulated cloud, and compares what
// became of its requests or messages, and what its tasks cost.
//
// It never speaks to AWS, and no policy but the oracle knows what will come.
package scaling

import (
	"cmp"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/cloudwatch"
	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/ecs"
	"github.com/ebbhq/ebb/internal/sim/load"
	"github.com/ebbhq/ebb/internal/sim/story"
)

// What all services have in common.
const (
	starts = 23 * time.Second // a task, from its launch on: what AWS has measured
	rate   = 10.0             // requests that a task serves in a second, with all of its CPU
	target = 6.0              // that it is to serve
	takes  = 4 * time.Second  // a task works so long on a message, one at a time
	within = 5 * time.Minute  // a message is to be begun
	most   = 40               // tasks
	peak   = 20               // tasks that the peak of a synthetic load needs
)

// Load is a load for one service.
type Load struct {
	Name      string // of its shape, or of the file of its trace
	Queue     bool   // it is of messages; else of requests
	shape     load.Shape
	Unguarded bool // the tasks do not protect themselves while they work on a message
	begins    time.Duration
	lasts     time.Duration
}

// Title says what it is of.
func (k Load) Title() string {
	what := " of requests"
	if k.Queue {
		what = " of messages"
	}
	if k.Unguarded {
		what += ", of tasks that do not protect themselves"
	}
	return k.Name + what
}

// per is what one task is there for in a second.
func (k Load) per() float64 {
	if k.Queue {
		return 1 / takes.Seconds()
	}
	return target
}

// needs is how many tasks the load needs from a time on, for so long; each second, or of messages, which may wait, in the mean.
func (k Load) needs(from, lasts time.Duration) float64 {
	sum, high := 0.0, 0.0
	for t := from; t < from+lasts; t += time.Second {
		v := k.shape.At(max(t, 0))
		sum, high = sum+v, max(high, v)
	}
	if k.Queue {
		return sum / lasts.Seconds() / k.per()
	}
	return high / k.per()
}

// least is the fewest tasks a service has.
func (k Load) least() int {
	if k.Queue {
		return 0
	}
	return 2
}

func (k Load) mean() int { return max(1, int(math.Ceil(k.sum()/k.lasts.Seconds()/k.per()))) }

func (k Load) sum() (sum float64) {
	for t := time.Duration(0); t < k.lasts; t += time.Second {
		sum += k.shape.At(t)
	}
	return sum
}

func (k Load) most() int {
	high := 0.0
	for t := time.Duration(0); t < k.lasts; t += time.Minute {
		high = max(high, k.needs(t, time.Minute))
	}
	return int(math.Ceil(high - 1e-9))
}

// spec is the world of a load.
func (k Load) spec() sim.Spec {
	s := sim.Spec{
		Seed:            1,
		Clusters:        []sim.ClusterSpec{{Name: "prod", Providers: []string{"FARGATE"}}},
		Queues:          []sim.QueueSpec{{Name: "ebb"}, {Name: "jobs", Visibility: 2 * time.Minute}},
		Topics:          []sim.TopicSpec{{Name: "alarms", Subscriptions: []sim.SubscriptionSpec{{Queue: "ebb"}}}},
		TargetGroups:    []sim.TargetGroupSpec{{Name: "web-tg", Delay: 10 * time.Second}},
		TaskDefinitions: []ecs.TaskDefinition{{Family: "web", Compatible: []string{"FARGATE"}, Port: 8080, Start: starts, Exit: 10 * time.Second}},
	}
	v := sim.ServiceSpec{Name: "web", Cluster: "prod", Task: "web", LaunchType: "FARGATE", Desired: max(k.least(), int(math.Ceil(k.needs(0, time.Minute))))}
	l := load.Spec{Service: "web", Rate: rate, Arrivals: k.shape, Namespace: "Shop"}
	if k.Queue {
		l = load.Spec{Service: "web", Queue: "jobs", Work: takes, Late: within, Protects: !k.Unguarded, Arrivals: k.shape}
		if s.TaskDefinitions[0].Exit = takes; k.Unguarded {
			s.TaskDefinitions[0].Exit = time.Second // in the middle of a message
		}
		v.Desired = 0
	} else {
		v.TargetGroup = "web-tg"
	}
	s.Services, s.Load = []sim.ServiceSpec{v}, []load.Spec{l}
	return s
}

// backlog is how many messages may wait for each task: so many as it works off within the time. AWS calls it the acceptable backlog.
// https://docs.aws.amazon.com/autoscaling/ec2/userguide/as-using-sqs-queue.html
const backlog = float64(within / takes)

// alarms are those of the recipe, and of step scaling, by the minute: on the requests in a second for each task, which the tasks publish, or on
// the messages that wait.
func (k Load) alarms(out, in string) []cloudwatch.AlarmSpec {
	a := cloudwatch.AlarmSpec{Name: "high", Namespace: "Shop", Metric: "PerTask", Dimensions: map[string]string{"Service": "web"}, Threshold: 7,
		MissingData: "ignore"}
	if k.Queue {
		a.Namespace, a.Metric, a.Dimensions = "AWS/SQS", "ApproximateNumberOfMessagesVisible", map[string]string{"QueueName": "jobs"}
		a.Threshold = backlog
	}
	b := a
	b.Name, b.Threshold, b.Comparison, b.Periods = "low", 5, "<", 5
	if k.Queue {
		b.Threshold = 1
	}
	a.Actions, b.Actions = []string{out}, []string{in}
	return []cloudwatch.AlarmSpec{a, b}
}

// Row is what came of a load with a policy.
type Row struct {
	Policy  string
	Report  load.Report
	minutes []load.Minute // for the picture
	actions int           // changes of the desired count
	turns   int           // of them, those that went the other way than the one before
	First   time.Duration // from the beginning of the load until more tasks were asked for
	Asked   bool          // they were
}

// Hours are of tasks.
func (r Row) Hours() float64 { return r.Report.TaskTime.Hours() }

// Missed is the share of requests that were not served, or of messages that were not begun in time.
func (r Row) Missed() float64 {
	missed := r.Report.Unserved + r.Report.Late
	if r.Report.Oldest > within {
		missed += r.Report.Waiting
	}
	return missed / max(1, r.Report.Arrived)
}

// rowOf reads the record of the world.
func (k Load) rowOf(policy string, start time.Time, record []core.Entry, report load.Report, minutes []load.Minute) Row {
	r := Row{Policy: policy, Report: report, minutes: minutes}
	up, from := 0, k.begins
	if policy == Oracle {
		from -= 100 * time.Second
	}
	for _, e := range record {
		if e.Kind != core.EntryService || e.From == "" || e.From == e.To {
			continue
		}
		was, _ := strconv.Atoi(e.From)
		is, _ := strconv.Atoi(e.To)
		way := cmp.Compare(is, was)
		r.actions++
		if up != 0 && way != up {
			r.turns++
		}
		if up = way; way > 0 && !r.Asked && k.begins > 0 && e.At.Sub(start) >= from {
			r.First, r.Asked = e.At.Sub(start)-k.begins, true
		}
	}
	return r
}

// policy sets the desired count. One of ebb and tick may be there.
type policy struct {
	name  string
	spec  func(*sim.Spec, Load)
	ebb   func(Load) story.Scaled
	every time.Duration
	tick  func(Load) func(w *sim.World, t time.Duration) error
}

// play plays a load with a policy.
func (k Load) play(p policy) (Row, error) {
	s := k.spec()
	if p.spec != nil {
		p.spec(&s, k)
	}
	if p.ebb != nil {
		return k.withEbb(p, s)
	}
	w, err := sim.Build(s)
	if err != nil {
		return Row{}, fmt.Errorf("%s, %s: %w", k.Name, p.name, err)
	}
	tick := func(*sim.World, time.Duration) error { return nil }
	if p.tick != nil {
		tick = p.tick(k)
	}
	start := w.Now()
	for t := time.Duration(0); t < k.lasts; t += time.Second {
		if t%cmp.Or(p.every, time.Second) == 0 {
			if err := tick(w, t); err != nil {
				return Row{}, fmt.Errorf("%s, %s, at %s: %w", k.Name, p.name, t, err)
			}
		}
		w.Advance(start.Add(t + time.Second))
	}
	report, _ := w.LoadReport("web")
	return k.rowOf(p.name, start, w.Record(), report, w.LoadMinutes("web")), nil
}

func (k Load) withEbb(p policy, s sim.Spec) (Row, error) {
	sc := story.Scenario{Name: p.name, Seed: 1, World: s, Until: k.lasts}
	sc.Ebb.Scaling = []story.Scaled{p.ebb(k)}
	w, err := sim.Build(s) // for its start
	if err != nil {
		return Row{}, fmt.Errorf("%s, %s: %w", k.Name, p.name, err)
	}
	res, err := story.Run(sc)
	if err != nil {
		return Row{}, fmt.Errorf("%s, %s: %w", k.Name, p.name, err)
	}
	if len(res.Violations) > 0 {
		all := core.Mapped(res.Violations, story.Violation.String)
		return Row{}, fmt.Errorf("%s, %s: %s", k.Name, p.name, strings.Join(all[:min(5, len(all))], "; "))
	}
	return k.rowOf(p.name, w.Now(), res.Record, res.Load[0], res.Minutes[0]), nil
}
