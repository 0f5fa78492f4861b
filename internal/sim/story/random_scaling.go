package story

import (
	"fmt"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/cloudwatch"
	"github.com/ebbhq/ebb/internal/sim/ecs"
	"github.com/ebbhq/ebb/internal/sim/load"
)

// scaling lets Ebb scale a service by alarms that come and go, whose messages may be lost, doubled or late, as others may; or by a queue, or a metric.
func scaling(g *maker) {
	if !g.percent(12) {
		return
	}
	w := &g.s.World
	if len(w.Clusters[0].Providers) == 0 {
		w.Clusters[0].Providers = []string{"FARGATE", "FARGATE_SPOT"}
	}
	def := ecs.TaskDefinition{
		Family: "jobs", Compatible: []string{"FARGATE"}, Exit: pick(g, time.Second, 20*time.Second), Start: pick(g, 2*time.Second, 20*time.Second, 2*time.Minute),
	}
	desired := 1 + g.n(8)
	service := sim.ServiceSpec{
		Name: "jobs", Cluster: "prod", Task: "jobs", Desired: desired, Providers: []ecs.StrategyItem{{Provider: "FARGATE", Weight: 1}},
	}
	s := Scaled{Cluster: "prod", Service: "jobs", Min: g.n(desired + 1), Max: desired + g.n(10), Once: g.percent(30), Observe: g.percent(5)}
	if g.percent(4) {
		service.Tags = map[string]string{fleet.ExcludeTag: "true"}
	}
	switch n := g.n(100); {
	case n < 25:
		byQueue(g, &s)
	case n < 35:
		byMetric(g, &s)
	default:
		if g.percent(30) { // on hosts, of which there may be too few
			def.Compatible, def.CPU, def.Memory, service.Providers = nil, 256, pick(g, 1024, 4096), nil
			for i := range g.s.Ebb.Groups {
				g.s.Ebb.Groups[i].Cluster, g.s.Ebb.Groups[i].Capacity = "prod", sometimes(g, 70, "raise")
			}
		}
		byAlarms(g, &s)
	}
	w.TaskDefinitions, w.Services = append(w.TaskDefinitions, def), append(w.Services, service)
	if g.percent(25) { // the world begins at 9:00
		s.Windows = []Window{{Start: fmt.Sprintf("%d 9 * * *", 2+g.n(40)), Timezone: "UTC", For: pick(g, 3*time.Minute, 15*time.Minute)}}
		if to := g.n(s.Max + 6); g.percent(50) {
			s.Windows[0].Min = &to
		} else {
			s.Windows[0].Max = &to
		}
		g.last = max(g.last, time.Hour)
	}
	g.s.Ebb.Scaling = append(g.s.Ebb.Scaling, s)
	if g.percent(30) {
		g.set("jobs", desired)
	}
	if g.percent(30) {
		o := Step{At: time.Minute + g.between(0, 20*time.Minute), Do: "override", Cluster: "prod", Service: "jobs", For: pick(g, time.Minute, 12*time.Minute)}
		switch g.n(3) {
		case 0:
			o.Min = new(s.Max + g.n(4))
		case 1:
			o.Max = new(g.n(s.Max + 1))
		case 2:
			o.Result = "hold"
		}
		g.step(o)
		g.last = max(g.last, o.At+o.For)
	}
	g.killed()
}

func byAlarms(g *maker, s *Scaled) {
	w := &g.s.World
	w.Topics = append(w.Topics, sim.TopicSpec{Name: "load", Subscriptions: []sim.SubscriptionSpec{{Queue: "ebb", Raw: g.percent(30)}}})
	for _, r := range []Rule{{Name: "up", Change: pick(g, "+1", "+3", "+50%", "+1")}, {Name: "down", Change: pick(g, "-1", "-2", "-25%")}} {
		w.Alarms = append(w.Alarms, cloudwatch.AlarmSpec{Name: r.Name, Namespace: "Shop", Metric: r.Name, Threshold: 100, MissingData: "ignore",
			Actions: []string{"load"}, OKActions: []string{"load"}})
		s.Alarms = append(s.Alarms, r)
		g.step(Step{At: time.Second, Do: "alarm", Alarm: r.Name, Result: "OK"})
		for at := time.Minute; g.percent(75) && at < 40*time.Minute; {
			at += g.between(0, 8*time.Minute)
			g.step(Step{At: at, Do: "alarm", Alarm: r.Name})
			at += pick(g, 20*time.Second, 3*time.Minute, 15*time.Minute)
			g.step(Step{At: at, Do: "alarm", Alarm: r.Name, Result: pick(g, "OK", "OK", "INSUFFICIENT_DATA")})
			g.last = max(g.last, at)
		}
	}
}

// byQueue lets messages come for a while, and then a few for long, so that some are in flight while fewer tasks would do.
func byQueue(g *maker, s *Scaled) {
	g.s.World.Queues = append(g.s.World.Queues, sim.QueueSpec{Name: "jobs", Visibility: 30 * time.Minute})
	work, most := pick(g, 2*time.Second, 20*time.Second, 3*time.Minute), 0.8*float64(s.Max)
	trace := []load.Point{{}}
	for at := time.Duration(0); at < 30*time.Minute; {
		at += g.between(time.Minute, 10*time.Minute)
		trace = append(trace, load.Point{At: at, Rate: pick(g, 0, 0.1, 0.1, 0.5, 1) * most / work.Seconds()})
	}
	trace[len(trace)-1].Rate = 0
	g.last = max(g.last, trace[len(trace)-1].At)
	s.Queue, s.Protected, s.FinishWithin, s.Every = "jobs", g.percent(30), pick(g, time.Minute, 10*time.Minute), pick(g, 10*time.Second, 15*time.Second)
	s.Takes = sometimes(g, 60, work)
	g.s.World.Load = append(g.s.World.Load, load.Spec{
		Service: "jobs", Cluster: "prod", Queue: "jobs", Work: work, Protects: s.Protected, Arrivals: load.Shape{Trace: trace},
	})
}

// byMetric publishes a metric each minute, at different heights, and for a while not at all.
func byMetric(g *maker, s *Scaled) {
	s.Metric, s.Target = &fleet.Metric{Namespace: "Shop", Name: "load", Stat: "Sum", Period: time.Minute}, 10
	height := 5.0
	for at := 10 * time.Second; at < 40*time.Minute; at += time.Minute {
		if g.percent(20) {
			height = pick(g, 0, 0.3, 1.2) * 10 * float64(s.Max)
		}
		if g.percent(10) {
			at += pick(g, time.Minute, 12*time.Minute)
		}
		g.step(Step{At: at, Do: "metric", Metric: s.Metric, Value: height})
	}
}
