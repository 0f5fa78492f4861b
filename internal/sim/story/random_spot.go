package story

import (
	"fmt"
	"time"

	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/ecs"
)

// spotRule lets the events of tasks through that stop, with notice or without.
const spotRule = `{"source":["aws.ecs"],"detail-type":["ECS Task State Change"],"detail":{"desiredStatus":["STOPPED"],"lastStatus":["RUNNING"]}}`

// spot adds tasks on Fargate Spot to some worlds, and lets AWS take them back.
func (g *maker) spot() {
	if !g.percent(12) {
		return
	}
	w, sw := &g.s.World, &g.s.World.Switches
	sw.SpotOrder = pick(g, core.SpotPromised, core.Spot2025, core.SpotBefore2023)
	sw.SpotDeregister = sometimes(g, 50, 3*time.Second, time.Minute, 2*time.Minute)
	sw.SpotStopCode = sometimes(g, 40, "TerminationNotice", core.SpotNoCode)
	sw.SpotEventNoProvider = g.percent(30)
	sw.SpotEventLate = sometimes(g, 30, 5*time.Second, 90*time.Second)
	sw.SpotEventLost = sometimes(g, 30, 30, 100)
	w.Clusters[0].Providers = []string{"FARGATE", "FARGATE_SPOT"}
	w.Rules = append(w.Rules, sim.RuleSpec{Name: "spot", Pattern: spotRule, Targets: []string{"ebb"}})
	for i := range 1 + g.n(2) {
		g.edge(fmt.Sprintf("edge-%d", i))
	}
	if g.percent(75) {
		g.s.Ebb.Clusters = []Cluster{{Name: "prod"}}
		if g.percent(10) {
			g.s.Ebb.Clusters[0].Mode = "observe"
		}
		g.s.Ebb.Clusters[0].AllowRehearsal = g.percent(80)
	}
	if g.percent(40) {
		for range 1 + g.n(2) {
			g.step(Step{At: g.between(time.Minute, 10*time.Minute), Do: "rehearse", Cluster: "prod", Service: "edge-0", Result: pick(g, "", "", "forged")})
		}
	}
}

// edge is a service on Fargate, of which tasks are interrupted.
func (g *maker) edge(name string) {
	w := &g.s.World
	w.TaskDefinitions = append(w.TaskDefinitions, ecs.TaskDefinition{
		Family: name, Compatible: []string{"FARGATE"}, Port: 8080, Ports: []ecs.Port{{Port: 9090}},
		Exit: pick(g, time.Second, 20*time.Second, 110*time.Second), Stop: 2 * time.Minute,
	})
	s := sim.ServiceSpec{
		Name: name, Cluster: "prod", Task: name, Desired: 1 + g.n(8), Providers: []ecs.StrategyItem{{Provider: "FARGATE_SPOT", Weight: 1}},
	}
	for _, port := range []int{8080, 9090}[:g.n(3)] {
		group := fmt.Sprintf("%s-%d", name, port)
		w.TargetGroups = append(w.TargetGroups, sim.TargetGroupSpec{Name: group, Delay: pick(g, 10*time.Second, time.Minute, 5*time.Minute)})
		b := sim.BalancerSpec{TargetGroup: group, Port: port}
		if g.percent(30) {
			b.Alternate = group + "-b"
			w.TargetGroups = append(w.TargetGroups, sim.TargetGroupSpec{Name: b.Alternate, Delay: time.Minute})
			s.InAlternate = s.InAlternate || g.percent(50)
		}
		s.Balancers = append(s.Balancers, b)
	}
	g.places(&s, true)
	w.Services = append(w.Services, s)
	for at, left := time.Minute+g.between(0, 5*time.Minute), s.Desired; left > 0 && g.percent(70); at += g.between(0, 2*time.Minute) {
		n := 1 + g.n(left)
		g.step(Step{At: at, Do: "interrupt", Cluster: "prod", Service: name, Count: n})
		left -= n
	}
	if g.percent(30) { // an event that lies: the task is to run, or there is none
		const body = `{"source":"aws.ecs","detail-type":"ECS Task State Change","account":"111122223333","time":"%s","detail":{` +
			`"clusterArn":"arn:aws:ecs:eu-west-1:111122223333:cluster/prod","taskArn":"$TASK","desiredStatus":"STOPPED","lastStatus":"RUNNING",` +
			`"stopCode":"SpotInterruption","launchType":"FARGATE","capacityProviderName":"FARGATE_SPOT"}}`
		g.step(Step{
			At: g.between(0, 10*time.Minute), Do: "send", Cluster: "prod", Service: name,
			Body: fmt.Sprintf(body, pick(g, "2026-11-21T09:05:00Z", "2026-11-21T09:00:01Z", "2027-01-01T00:00:00Z")),
		})
	}
}
