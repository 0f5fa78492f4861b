package story

import (
	"time"

	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/cloudwatch"
	"github.com/ebbhq/ebb/internal/sim/ecs"
)

// scaling lets Ebb scale a service by alarms that come and go; their messages may be lost, doubled or late, as others may.
func scaling(g *maker) {
	if !g.percent(8) {
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
	if g.percent(30) { // on hosts, of which there may be too few
		def.Compatible, def.CPU, def.Memory, service.Providers = nil, 256, pick(g, 1024, 4096), nil
		for i := range g.s.Ebb.Groups {
			g.s.Ebb.Groups[i].Cluster, g.s.Ebb.Groups[i].Capacity = "prod", sometimes(g, 70, "raise")
		}
	}
	w.TaskDefinitions, w.Services = append(w.TaskDefinitions, def), append(w.Services, service)
	w.Topics = append(w.Topics, sim.TopicSpec{Name: "load", Subscriptions: []sim.SubscriptionSpec{{Queue: "ebb", Raw: g.percent(30)}}})
	s := Scaled{Cluster: "prod", Service: "jobs", Min: g.n(desired + 1), Max: desired + g.n(10), Once: g.percent(30), Observe: g.percent(5)}
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
