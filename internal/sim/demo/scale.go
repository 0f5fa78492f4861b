package demo

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/kernel"
	"github.com/ebbhq/ebb/internal/scale"
	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/baseline"
	"github.com/ebbhq/ebb/internal/sim/cloudwatch"
	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/ecs"
	"github.com/ebbhq/ebb/internal/sim/load"
	"github.com/ebbhq/ebb/internal/sim/loadtest"
)

// The measures of the flash crowd. A task serves 10 requests a second; 12 a second come, and then 60.
const (
	crowdSpeed = 8 // an alarm's period of 60 s takes 7.5 s
	crowdLasts = 60 * time.Second
	crowdTask  = 100 * time.Millisecond // that a task works on a request, one at a time
	crowdLate  = 500 * time.Millisecond
	before     = 12 // requests a second
	crowd      = 5  // times as many come then
	fewest     = 2  // tasks
	mostTasks  = 12
	tooMany    = 60 // requests for each task in a minute of the cloud, from which the alarm rings
)

// minute is what was of a side at the end of a minute of its cloud: how many tasks ran, and how many requests there were and were lost so far.
type minute struct{ tasks, requests, lost int }

// scalePlot: five times as many requests come to a service, for as long as the story lasts. The same alarm calls the recipe's function and Ebb.
func scalePlot() *plot {
	p := &plot{
		name: "scale", about: "five times as many requests come, and they stay",
		intro: "Two tasks on Fargate serve 12 requests a second; each works on one at a time, for 100 ms. Then 60 a second come. The same alarm, on the " +
			"load balancer's requests for each target, rings in three clouds: for nobody; for the recipe, a function behind SNS that adds one task " +
			"for each change of the alarm's state; for Ebb with `change: +100%`, which looks at the alarm again while it lasts. A request is lost if " +
			"it is answered after more than 0.5 s, or refused. The clouds go at eight times the speed of real time, all three alike: a period of " +
			"60 s of the alarm takes 7.5 s, and metrics come a minute late, as at AWS. Requests are real, and so are their times. A row is a minute " +
			"of the clouds: ● is a task that runs, ✗ a tenth of the minute's requests that was lost.",
		sides: []string{"nobody scales", "recipe", "Ebb"},
		what:  "minute", progress: "tasks", speed: crowdSpeed, lasts: crowdLasts, losers: 2,
		begins: "let five times as many requests come",
		figures: []figure{
			{"requests", func(r Result) string { return fmt.Sprint(r.Requests) }},
			{"lost", func(r Result) string { return fmt.Sprint(r.Failed) }},
			{"of all", func(r Result) string {
				return fmt.Sprintf("%.0f %%", 100*float64(r.Failed)/float64(max(1, r.Requests)))
			}},
			{"actions", func(r Result) string { return fmt.Sprint(*cmp.Or(r.Actions, new(int))) }},
			{"task-seconds", func(r Result) string { return fmt.Sprint(*cmp.Or(r.Seconds, new(int))) }},
		},
		notes: "late: answered after more than 0.5 s; 503: refused. Actions are changes of the desired count; task-seconds are of the clouds' time.",
		moral: "Of the same requests %d were lost where nobody scales, %d with the recipe, and %d with Ebb. Until the alarm rings all three lose the " +
			"same: a metric of the load balancer is a minute late. The recipe adds one task for the whole crowd, because CloudWatch publishes a " +
			"change of state once. Ebb costs more task-seconds, for it runs the tasks that the crowd needs. Step scaling of Application Auto Scaling " +
			"would do as Ebb does here; docs/scaling.md compares them, and says where Ebb is not better.\n\ndocs/reference/scaling.md says how it is set up.",
		atOnce: 1, late: crowdLate,
		load: loadtest.Load{Seed: 1, PerSecond: before, Quick: crowdTask, Times: func(at time.Duration) float64 {
			if at < warmUp {
				return 1
			}
			return crowd
		}},
		world: crowdWorld,
		leave: func(w *sim.World) error { return w.SetLoad("web", load.Shape{Base: before * crowd / crowdSpeed}) },
		gone:  func(core.Entry) bool { return false },
		first: func(e core.Entry) bool { return e.Kind == core.EntryAlarm && e.To == "ALARM" },
		id:    func(core.Entry) string { return "web" },
		news:  crowdNews, homemade: recipe, rows: minuteRows,
	}
	policy := scale.Defaults()
	policy.Min, policy.Max = fewest, mostTasks
	policy.Alarms = []scale.Rule{{Alarm: "requests-high", Change: scale.Change{By: 100, Percent: true}}}
	p.managed = kernel.Managed{Cluster: "demo", OnlyScaled: true, Scaled: []kernel.Scaled{{Service: "web", Policy: policy}}}
	return p
}

func crowdWorld() sim.Spec {
	spec := sim.Spec{
		Seed: 1, Start: time.Now().UTC().Truncate(time.Minute), // so that the alarm's periods are the same each time
		Clusters:     []sim.ClusterSpec{{Name: "demo", Providers: []string{"FARGATE"}}},
		Queues:       []sim.QueueSpec{{Name: "ebb", Redrive: "ebb-dlq", MaxReceives: 5}, {Name: "ebb-dlq", Retention: 14 * 24 * time.Hour}},
		Topics:       []sim.TopicSpec{{Name: "alarms", Subscriptions: []sim.SubscriptionSpec{{Queue: "ebb"}}}},
		TargetGroups: []sim.TargetGroupSpec{{Name: "web-tg", Delay: 10 * time.Second}},
		TaskDefinitions: []ecs.TaskDefinition{{ // a task on Fargate runs 23 s after its launch, as AWS has measured
			Family: "web", Compatible: []string{"FARGATE"}, Port: 8080, Start: 23 * time.Second, Exit: 10 * time.Second,
		}},
		Services: []sim.ServiceSpec{{
			Name: "web", Cluster: "demo", Task: "web", LaunchType: "FARGATE", Desired: fewest, Min: 100, Max: 200, TargetGroup: "web-tg",
		}},
		Load: []load.Spec{{ // of which the metrics of the load balancer are made; the requests of the story are real
			Service: "web", Cluster: "demo", TargetGroup: "web-tg", Rate: 1 / crowdTask.Seconds() / crowdSpeed, Arrivals: load.Shape{Base: before / float64(crowdSpeed)},
		}},
	}
	group := ""
	if w, err := sim.Build(spec); err == nil { // else whoever builds it again learns why
		all, _ := w.DescribeTargetGroups(nil, nil)
		group = all[0].ARN[strings.LastIndex(all[0].ARN, ":")+1:]
	}
	spec.Alarms = []cloudwatch.AlarmSpec{{
		Name: "requests-high", Namespace: "AWS/ApplicationELB", Metric: "RequestCountPerTarget", Dimensions: map[string]string{"TargetGroup": group},
		Statistic: "Sum", Threshold: tooMany, Actions: []string{"alarms"},
	}}
	return spec
}

// crowdNews is what there is to say of a service that is scaled.
func crowdNews(e core.Entry) string {
	switch {
	case e.Kind == core.EntryAlarm:
		return "the alarm is " + e.To
	case e.Kind == core.EntryService && e.From != "":
		return "the desired count is " + e.To
	}
	return ""
}

// recipe is the function behind SNS that people write themselves.
func recipe(ctx context.Context, s *side, out *Screen) error {
	cfg := baseline.RecipeConfig{Queue: s.queue(), Cluster: "demo", Service: "web", Out: "requests-high", Min: fewest, Max: mostTasks}
	return s.homemade(ctx, out, baseline.NewRecipe(cfg.Connect(s.awsConfig())).Tick)
}

// minuteRows are the minutes so far.
func minuteRows(s *side, w *sim.World, r *Result) []string {
	r.Actions, r.Seconds = new(int), new(int)
	for _, e := range w.Record() {
		if e.Kind == core.EntryService && e.From != "" && e.From != e.To {
			*r.Actions++
		}
	}
	running := 0
	for _, t := range w.Tasks("demo") {
		if t.StartedAt.IsZero() {
			continue
		}
		end := t.StoppedAt
		if end.IsZero() {
			end, running = w.Now(), running+1
		}
		*r.Seconds += int(max(0, end.Sub(s.from(t.StartedAt))).Seconds())
	}
	desired, _, _, _ := w.Capacity("demo", "web")
	r.stands = fmt.Sprintf("%d of %d run", running, desired)
	if s.began.IsZero() {
		return []string{strings.Repeat(runs, running)}
	}
	n := int(w.Now().Sub(s.began) / time.Minute)
	for len(s.minutes) <= n {
		s.minutes = append(s.minutes, minute{})
	}
	s.minutes[n] = minute{running, r.Requests, r.Failed}
	var rows []string
	var last minute
	for _, m := range s.minutes {
		share := float64(m.lost-last.lost) / float64(max(1, m.requests-last.requests))
		rows = append(rows, strings.Repeat(runs, m.tasks)+" "+strings.Repeat(killed, int(math.Round(10*share))))
		last = m
	}
	return rows
}

// from is a time, or that at which the story began, if it is later.
func (s *side) from(t time.Time) time.Time {
	if t.Before(s.began) {
		return s.began
	}
	return t
}
