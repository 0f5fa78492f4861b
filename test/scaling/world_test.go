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

// work is a load for one service.
type work struct {
	name      string
	shape     load.Shape
	queue     bool // of messages
	unguarded bool // the tasks do not protect themselves while they work on a message
	begins    time.Duration
	lasts     time.Duration
}

func (k work) title() string {
	what := " of requests"
	if k.queue {
		what = " of messages"
	}
	if k.unguarded {
		what += ", of tasks that do not protect themselves"
	}
	return k.name + what
}

// per is what one task is there for in a second.
func (k work) per() float64 {
	if k.queue {
		return 1 / takes.Seconds()
	}
	return target
}

// needs is how many tasks the load needs from a time on, for so long; each second, or of messages, which may wait, in the mean.
func (k work) needs(from, lasts time.Duration) float64 {
	sum, high := 0.0, 0.0
	for t := from; t < from+lasts; t += time.Second {
		v := k.shape.At(max(t, 0))
		sum, high = sum+v, max(high, v)
	}
	if k.queue {
		return sum / lasts.Seconds() / k.per()
	}
	return high / k.per()
}

// least is the fewest tasks a service has.
func (k work) least() int {
	if k.queue {
		return 0
	}
	return 2
}

func (k work) mean() int { return max(1, int(math.Ceil(k.sum()/k.lasts.Seconds()/k.per()))) }

func (k work) sum() (sum float64) {
	for t := time.Duration(0); t < k.lasts; t += time.Second {
		sum += k.shape.At(t)
	}
	return sum
}

func (k work) most() int {
	high := 0.0
	for t := time.Duration(0); t < k.lasts; t += time.Minute {
		high = max(high, k.needs(t, time.Minute))
	}
	return int(math.Ceil(high - 1e-9))
}

// spec is the world of a load.
func (k work) spec() sim.Spec {
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
	if k.queue {
		l = load.Spec{Service: "web", Queue: "jobs", Work: takes, Late: within, Protects: !k.unguarded, Arrivals: k.shape}
		if s.TaskDefinitions[0].Exit = takes; k.unguarded {
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
func (k work) alarms(out, in string) []cloudwatch.AlarmSpec {
	a := cloudwatch.AlarmSpec{Name: "high", Namespace: "Shop", Metric: "PerTask", Dimensions: map[string]string{"Service": "web"}, Threshold: 7,
		MissingData: "ignore"}
	if k.queue {
		a.Namespace, a.Metric, a.Dimensions = "AWS/SQS", "ApproximateNumberOfMessagesVisible", map[string]string{"QueueName": "jobs"}
		a.Threshold = backlog
	}
	b := a
	b.Name, b.Threshold, b.Comparison, b.Periods = "low", 5, "<", 5
	if k.queue {
		b.Threshold = 1
	}
	a.Actions, b.Actions = []string{out}, []string{in}
	return []cloudwatch.AlarmSpec{a, b}
}

// row is what came of a load with a policy.
type row struct {
	policy  string
	report  load.Report
	minutes []load.Minute
	actions int           // changes of the desired count
	turns   int           // of them, those that went the other way than the one before
	first   time.Duration // from the beginning of the load until more tasks were asked for
	asked   bool          // they were
}

// hours are of tasks.
func (r row) hours() float64 { return r.report.TaskTime.Hours() }

// missed is the share of requests that were not served, or of messages that were not begun in time.
func (r row) missed() float64 {
	missed := r.report.Unserved + r.report.Late
	if r.report.Oldest > within {
		missed += r.report.Waiting
	}
	return missed / max(1, r.report.Arrived)
}

// rowOf reads the record of the world.
func (k work) rowOf(policy string, start time.Time, record []core.Entry, report load.Report, minutes []load.Minute) row {
	r := row{policy: policy, report: report, minutes: minutes}
	up, from := 0, k.begins
	if policy == oracle {
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
		if up = way; way > 0 && !r.asked && k.begins > 0 && e.At.Sub(start) >= from {
			r.first, r.asked = e.At.Sub(start)-k.begins, true
		}
	}
	return r
}

// policy sets the desired count. One of ebb and tick may be there.
type policy struct {
	name  string
	spec  func(*sim.Spec, work)
	ebb   func(work) story.Scaled
	every time.Duration
	tick  func(work) func(w *sim.World, t time.Duration) error
}

// play plays a load with a policy.
func (k work) play(p policy) (row, error) {
	s := k.spec()
	if p.spec != nil {
		p.spec(&s, k)
	}
	if p.ebb != nil {
		return k.withEbb(p, s)
	}
	w, err := sim.Build(s)
	if err != nil {
		return row{}, fmt.Errorf("%s, %s: %w", k.name, p.name, err)
	}
	tick := func(*sim.World, time.Duration) error { return nil }
	if p.tick != nil {
		tick = p.tick(k)
	}
	start := w.Now()
	for t := time.Duration(0); t < k.lasts; t += time.Second {
		if t%cmp.Or(p.every, time.Second) == 0 {
			if err := tick(w, t); err != nil {
				return row{}, fmt.Errorf("%s, %s, at %s: %w", k.name, p.name, t, err)
			}
		}
		w.Advance(start.Add(t + time.Second))
	}
	report, _ := w.LoadReport("web")
	return k.rowOf(p.name, start, w.Record(), report, w.LoadMinutes("web")), nil
}

func (k work) withEbb(p policy, s sim.Spec) (row, error) {
	sc := story.Scenario{Name: p.name, Seed: 1, World: s, Until: k.lasts}
	sc.Ebb.Scaling = []story.Scaled{p.ebb(k)}
	w, err := sim.Build(s) // for its start
	if err != nil {
		return row{}, fmt.Errorf("%s, %s: %w", k.name, p.name, err)
	}
	res, err := story.Run(sc)
	if err != nil {
		return row{}, fmt.Errorf("%s, %s: %w", k.name, p.name, err)
	}
	if len(res.Violations) > 0 {
		all := core.Mapped(res.Violations, story.Violation.String)
		return row{}, fmt.Errorf("%s, %s: %s", k.name, p.name, strings.Join(all[:min(5, len(all))], "; "))
	}
	return k.rowOf(p.name, w.Now(), res.Record, res.Load[0], res.Minutes[0]), nil
}
