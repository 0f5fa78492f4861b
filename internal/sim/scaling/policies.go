package scaling

import (
	"context"
	"math"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/appautoscaling"
	"github.com/ebbhq/ebb/internal/sim/baseline"
	"github.com/ebbhq/ebb/internal/sim/client"
	"github.com/ebbhq/ebb/internal/sim/cloudwatch"
	"github.com/ebbhq/ebb/internal/sim/story"
	"github.com/ebbhq/ebb/internal/sim/wire"
)

// The names of the policies that are asked about.
const (
	Recipe    = "recipe (home-made Lambda)"
	EbbMetric = "Ebb, `metric` at 10 s"
	EbbQueue  = "Ebb, `queue`, `takes`, `window: 1m`"
	Oracle    = "oracle"
)

// policies are those that a load is played with.
func (k Load) policies() []policy {
	all := []policy{
		{name: "fixed at the mean", spec: fixed(Load.mean)},
		{name: "fixed at the peak", spec: fixed(Load.most)},
		{name: Recipe, spec: recipeAlarms, tick: recipe},
		{name: "Ebb, `alarms`, `repeat: off`", spec: recipeAlarms, ebb: withAlarms(true, "+1", "-1")},
		{name: "Ebb, `alarms`, `repeat: 1m`", spec: recipeAlarms, ebb: withAlarms(false, "+1", "-1")},
		{name: "Application Auto Scaling, steps", spec: steps},
	}
	if !k.Queue {
		return append(all,
			policy{name: "Ebb, `alarms` by percent", spec: recipeAlarms, ebb: withAlarms(false, "+50%", "-20%")},
			policy{name: "Application Auto Scaling, CPU, 60 s", spec: tracks("cpu")},
			policy{name: "Application Auto Scaling, CPU, 20 s", spec: tracks("cpu-20s")},
			policy{name: EbbMetric, ebb: withMetric},
			policy{name: Oracle, every: 10 * time.Second, tick: knows},
		)
	}
	return append(all,
		policy{name: "Application Auto Scaling, backlog per task", spec: tracksBacklog, every: time.Minute, tick: publishes},
		policy{name: "KEDA, 75 messages a task", every: 15 * time.Second, tick: keda(backlog)},
		policy{name: "KEDA, 37 messages a task", every: 15 * time.Second, tick: keda(backlog / 2)},
		policy{name: "KEDA, its default of 5", every: 15 * time.Second, tick: keda(5)},
		policy{name: "Ebb, `queue`, measured, `window: 5m`", ebb: withQueue(0, 5*time.Minute)},
		policy{name: "Ebb, `queue`, `takes`, `window: 5m`", ebb: withQueue(takes, 5*time.Minute)},
		policy{name: EbbQueue, ebb: withQueue(takes, time.Minute)},
		policy{name: Oracle, every: 10 * time.Second, tick: knows},
	)
}

func fixed(count func(Load) int) func(*sim.Spec, Load) {
	return func(s *sim.Spec, k Load) { s.Services[0].Desired = count(k) }
}

func recipeAlarms(s *sim.Spec, k Load) { s.Alarms = k.alarms("alarms", "alarms") }

// set sets the desired count, within the bounds.
func (k Load) set(w *sim.World, n int) error {
	if have, _, _, _ := w.Capacity("prod", "web"); have == n {
		return nil
	}
	_, err := w.UpdateService("prod", "web", new(max(k.least(), min(n, most))), "")
	return err
}

// recipe is the write-up's own function: SNS calls it for an alarm, and it sets the desired count one higher, or one lower.
func recipe(k Load) func(*sim.World, time.Duration) error {
	var r *baseline.Recipe
	return func(w *sim.World, _ time.Duration) error {
		q, err := w.Queue("ebb")
		if err != nil || len(q.Messages) == 0 {
			return err
		}
		if r == nil {
			api := wire.New(wire.Config{World: w})
			r = baseline.NewRecipe(baseline.RecipeConfig{
				ECS: client.ECS(api), SQS: client.SQS(api), Queue: q.URL, Cluster: "prod", Service: "web", Out: "high", In: "low",
				Min: int32(k.least()), Max: most,
			})
		}
		_, err = r.Tick(wire.WithCaller(context.Background(), baseline.HomeMade), w.Now())
		return err
	}
}

// steps is step scaling by the alarms of the recipe.
func steps(s *sim.Spec, k Load) {
	s.Alarms = k.alarms("policy:out", "policy:in")
	out := appautoscaling.PolicySpec{Name: "out", Adjustment: "percent", Magnitude: 1, Cooldown: time.Minute, Steps: []appautoscaling.StepSpec{
		{From: new(0.0), To: new(1.0), By: 20}, {From: new(1.0), To: new(3.0), By: 50}, {From: new(3.0), By: 100}}}
	if k.Queue {
		out.Adjustment, out.Magnitude = "", 0
		out.Steps = []appautoscaling.StepSpec{{From: new(0.0), To: new(2 * backlog), By: 2}, {From: new(2 * backlog), To: new(8 * backlog), By: 5},
			{From: new(8 * backlog), By: 10}}
	}
	in := appautoscaling.PolicySpec{Name: "in", Adjustment: "percent", Magnitude: 1, Steps: []appautoscaling.StepSpec{{To: new(0.0), By: -20}}}
	s.Scaling = []appautoscaling.Spec{{Service: "web", Cluster: "prod", Min: k.least(), Max: most, Policies: []appautoscaling.PolicySpec{out, in}}}
}

// tracks is target tracking of CPU.
func tracks(what string) func(*sim.Spec, Load) {
	return func(s *sim.Spec, k Load) {
		s.Load[0].Fine = what == "cpu-20s"
		p := appautoscaling.PolicySpec{Name: "track", Tracks: what, Target: 100 * target / rate, OutCooldown: time.Minute}
		s.Scaling = []appautoscaling.Spec{{Service: "web", Cluster: "prod", Min: k.least(), Max: most, Policies: []appautoscaling.PolicySpec{p}}}
	}
}

// tracksBacklog is target tracking of the backlog for each task, half of which may wait, as publishes publishes it.
func tracksBacklog(s *sim.Spec, k Load) {
	m := appautoscaling.Query{ID: "m"}
	m.Namespace, m.Name, m.Statistic = "Shop", "Backlog", "Average"
	p := appautoscaling.PolicySpec{Name: "track", Tracks: "math", Math: []appautoscaling.Query{m}, Target: backlog / 2, OutCooldown: time.Minute}
	s.Scaling = []appautoscaling.Spec{{Service: "web", Cluster: "prod", Min: k.least(), Max: most, Policies: []appautoscaling.PolicySpec{p}}}
}

// publishes is the function that teams write for that: once a minute, how many messages wait for each task.
func publishes(Load) func(*sim.World, time.Duration) error {
	return func(w *sim.World, _ time.Duration) error {
		_, running, _, _ := w.Capacity("prod", "web")
		visible, _ := w.QueueCounts("jobs")
		each := float64(visible) / float64(max(1, running))
		return w.PutMetric(cloudwatch.Datum{Metric: cloudwatch.Metric{Namespace: "Shop", Name: "Backlog"}, Values: []float64{each}})
	}
}

// keda is what KEDA and the autoscaler of Kubernetes would do, for there is no KEDA for ECS: it polls every 30 s, counts messages in flight too,
// grows by 4 tasks or by 100 % in 15 s, shrinks to the most that was wanted in 5 minutes, and to nothing after 5 minutes without messages.
// https://keda.sh/docs/latest/scalers/aws-sqs/, https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/
func keda(each float64) func(Load) func(*sim.World, time.Duration) error {
	return func(k Load) func(*sim.World, time.Duration) error {
		messages, active := 0, -time.Hour
		type wanted struct {
			at time.Duration
			n  int
		}
		var wants []wanted
		return func(w *sim.World, t time.Duration) error {
			if t%(30*time.Second) == 0 {
				visible, hidden := w.QueueCounts("jobs")
				if messages = visible + hidden; messages > 0 {
					active = t
				}
			}
			have, _, _, _ := w.Capacity("prod", "web")
			switch {
			case have == 0 && messages > 0:
				return k.set(w, 1)
			case have == 0 || t-active >= 5*time.Minute:
				return k.set(w, 0)
			}
			want := max(1, int(math.Ceil(float64(messages)/each)))
			if share := float64(messages) / (each * float64(have)); math.Abs(share-1) <= 0.1 {
				want = have
			}
			wants = append(wants, wanted{t, want})
			stable := want
			for _, v := range wants[max(0, len(wants)-20):] {
				stable = max(stable, v.n)
			}
			switch {
			case want > have:
				return k.set(w, min(want, max(2*have, have+4)))
			case stable < have:
				return k.set(w, stable)
			}
			return nil
		}
	}
}

// knows is an oracle: it has looked at the load of the next minute, and asks for tasks so early that they run in time.
func knows(k Load) func(*sim.World, time.Duration) error {
	return func(w *sim.World, t time.Duration) error {
		ahead := starts + 12*time.Second // 10 s until a load balancer sends to it, and a little
		if k.Queue {
			ahead = starts + 2*time.Second
		}
		now, soon := k.needs(t, 10*time.Second), k.needs(t+ahead, time.Minute)
		n := int(math.Ceil(max(now, soon) - 1e-9))
		if visible, hidden := w.QueueCounts("jobs"); k.Queue && n == 0 && visible+hidden > 0 {
			return nil // what is left is finished
		}
		return k.set(w, max(n, k.least()))
	}
}

func withAlarms(once bool, out, in string) func(Load) story.Scaled {
	return func(k Load) story.Scaled {
		return story.Scaled{Cluster: "prod", Service: "web", Min: k.least(), Max: most, Once: once,
			Alarms: []story.Rule{{Name: "high", Change: out}, {Name: "low", Change: in}}}
	}
}

func withQueue(each, window time.Duration) func(Load) story.Scaled {
	return func(k Load) story.Scaled {
		return story.Scaled{Cluster: "prod", Service: "web", Min: 0, Max: most, Queue: "jobs", FinishWithin: within, Takes: each, Protected: !k.Unguarded,
			Every: 10 * time.Second, Window: window, InCooldown: window}
	}
}

func withMetric(k Load) story.Scaled {
	m := fleet.Metric{Namespace: "Shop", Name: "PerTask", Dimensions: map[string]string{"Service": "web"}, Stat: "Average", Period: 10 * time.Second}
	return story.Scaled{Cluster: "prod", Service: "web", Min: k.least(), Max: most, Metric: &m, Target: target, PerTask: true, Every: 10 * time.Second}
}
