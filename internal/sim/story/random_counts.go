package story

import (
	"slices"
	"time"

	"github.com/ebbhq/ebb/internal/kernel"
	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/ecs"
)

// more makes what worlds have that use further parts of Ebb.
func (g *maker) more() {
	g.spot()
	g.notices()
	g.counts()
	scaling(g)
	trafficFirst(g)
	agents(g)
}

// counts lets Ebb raise desired counts, and somebody else set them too.
func (g *maker) counts() {
	if g.percent(12) {
		g.replaceFirst()
	}
	if g.percent(6) {
		g.standIn()
	}
}

// killed kills Ebb around the moment at which it sets a count.
func (g *maker) killed() {
	if !g.percent(50) {
		return
	}
	for range 4 {
		g.fault(Fault{Op: "crash", How: pick(g, afterWrite, afterSettle, afterSend), Nth: 2 + g.n(8+g.hosts), Times: 1, For: pick(g, time.Second, 20*time.Second)})
	}
}

// replaceFirst lets Ebb start replacements before tasks stop; some services may have no more tasks than are desired.
func (g *maker) replaceFirst() {
	for i := range g.s.Ebb.Groups {
		g.s.Ebb.Groups[i].Cluster, g.s.Ebb.Groups[i].ReplaceFirst = "prod", true
	}
	for i := range g.s.World.Services {
		s := &g.s.World.Services[i]
		if s.Daemon || len(s.Providers) > 0 {
			continue
		}
		if g.percent(70) {
			s.Min, s.Max = pick(g, 100, 100, 50), 100
		}
		for g.percent(25) {
			g.set(s.Name, s.Desired)
		}
	}
	g.killed()
}

// set lets somebody set the desired count of a service.
func (g *maker) set(service string, desired int) {
	to := max(0, desired+g.n(7)-3)
	if g.percent(15) {
		to = 0
	}
	g.step(Step{At: time.Minute + g.between(0, 12*time.Minute), Do: "update-service", Cluster: "prod", Service: service, Count: to})
}

// standIn lets a service on demand stand in for one on Fargate Spot, whose capacity goes and comes back.
func (g *maker) standIn() {
	w := &g.s.World
	w.Clusters[0].Providers = []string{"FARGATE", "FARGATE_SPOT"}
	def := ecs.TaskDefinition{
		Family: "burst", Compatible: []string{"FARGATE"}, Exit: pick(g, time.Second, 20*time.Second), Stop: time.Minute,
		Start: pick(g, 2*time.Second, 20*time.Second),
	}
	w.TaskDefinitions = append(w.TaskDefinitions, def)
	spot := sim.ServiceSpec{
		Name: "burst", Cluster: "prod", Task: "burst", Desired: 1 + g.n(8), Providers: []ecs.StrategyItem{{Provider: "FARGATE_SPOT", Weight: 1}},
	}
	other := spot
	other.Name, other.Desired, other.Providers = "burst-od", g.n(3), []ecs.StrategyItem{{Provider: "FARGATE", Weight: 1}}
	w.Services = append(w.Services, spot, other)
	in := kernel.StandIn{Spot: "burst", OnDemand: "burst-od", After: pick(g, time.Minute, 2*time.Minute, 5*time.Minute), Floor: g.n(spot.Desired + 1)}
	i := slices.IndexFunc(g.s.Ebb.Clusters, func(c Cluster) bool { return c.Name == "prod" })
	if i < 0 {
		g.s.Ebb.Clusters, i = append(g.s.Ebb.Clusters, Cluster{Name: "prod"}), len(g.s.Ebb.Clusters)
	}
	g.s.Ebb.Clusters[i].Services = []kernel.StandIn{in}
	at := time.Minute
	for range 1 + g.n(2) {
		away := pick(g, 30*time.Second, 4*time.Minute, 10*time.Minute, 25*time.Minute)
		g.step(Step{At: at, Do: "no-capacity", For: away})
		for left := spot.Desired; left > 0 && g.percent(80); {
			n := 1 + g.n(left)
			g.step(Step{At: at + g.between(0, away), Do: "interrupt", Cluster: "prod", Service: "burst", Count: n})
			left -= n
		}
		at += away + g.between(0, 15*time.Minute)
	}
	g.last = max(g.last, at)
	if g.percent(25) {
		g.set(pick(g, "burst", "burst-od"), spot.Desired)
	}
}
