package story

import (
	"fmt"
	"time"

	"github.com/ebbhq/ebb/internal/kernel"
	"github.com/ebbhq/ebb/internal/sim"
)

// ec2Rule lets the events of EC2 through.
const ec2Rule = `{"source":["aws.ec2"],"detail-type":["EC2 Spot Instance Interruption Warning","EC2 Instance Rebalance Recommendation",` +
	`"EC2 Instance State-change Notification"]}`

// notices makes the hosts of some worlds Spot Instances, and lets EC2 take some of them back.
func (g *maker) notices() {
	if !g.percent(15) || g.hosts > 60 {
		return
	}
	w, sw := &g.s.World, &g.s.World.Switches
	sw.SpotMarked = g.percent(30)
	sw.SpotStatusLate = sometimes(g, 25, 3*time.Second, 20*time.Second, time.Minute)
	w.Rules = append(w.Rules, sim.RuleSpec{Name: "ec2", Pattern: ec2Rule, Targets: []string{"ebb"}})
	for i := range w.Groups {
		w.Groups[i].Launch.Spot = i == 0 || g.percent(70)
		w.Groups[i].Rebalance = g.percent(25)
		if g.percent(20) {
			w.Groups[i].Launch.UserData = "#!/bin/sh\necho ECS_ENABLE_SPOT_INSTANCE_DRAINING=true >> /etc/ecs/ecs.config"
		}
	}
	for i := range g.s.Ebb.Groups {
		managed := &g.s.Ebb.Groups[i]
		if !g.percent(40) {
			continue
		}
		managed.Rebalance = "drain"
		if managed.MaxUnavailable == (kernel.MaxUnavailable{}) {
			managed.MaxUnavailable.Count = 1 + g.n(3)
		}
		g.rounds = max(g.rounds, min(6, 1+g.hosts/2))
	}
	at := time.Minute + g.between(0, 5*time.Minute)
	for range 1 + g.n(3) {
		if host, ok := g.anyHost(); ok {
			g.takeBack(host, at+g.between(0, pick(g, 0, 5*time.Second, time.Minute)))
		}
	}
	if g.percent(40) { // an event that lies: the host serves, or is somebody else's
		host := fmt.Sprintf("web-0/%d", g.n(w.Groups[0].Desired))
		if _, foreign := g.left["theirs"]; foreign && g.percent(50) {
			host = "theirs/0"
		}
		const body = `{"source":"aws.ec2","detail-type":"%s","account":"111122223333","time":"%s","detail":{"instance-id":"$HOST",%s}}`
		what := pick(g, [2]string{"EC2 Spot Instance Interruption Warning", `"instance-action":"terminate"`},
			[2]string{"EC2 Spot Instance Interruption Warning", `"instance-action":"hibernate"`},
			[2]string{"EC2 Instance State-change Notification", `"state":"shutting-down"`})
		s := Step{At: g.between(0, 10*time.Minute), Do: "send", Host: host}
		s.Body = fmt.Sprintf(body, what[0], pick(g, "2026-11-21T09:05:00Z", "2026-11-21T09:00:01Z", "2027-01-01T00:00:00Z"), what[1])
		g.step(s)
	}
}

// takeBack lets EC2 interrupt a host, or say that it may. Auto Scaling or EC2 may end it meanwhile.
func (g *maker) takeBack(host string, at time.Duration) {
	if g.percent(35) {
		g.step(Step{At: max(0, at-g.between(0, 4*time.Minute)), Do: "rebalance", Host: host})
	}
	switch n := g.n(100); {
	case n < 70:
		g.step(Step{At: at, Do: "interrupt", Host: host, Result: pick(g, "terminate", "terminate", "terminate", "stop", "hibernate")})
	case n < 85:
		g.step(Step{At: at, Do: "rebalance", Host: host})
		return
	default:
		g.step(Step{At: at, Do: pick(g, "ec2-terminate", "ec2-stop"), Host: host})
		return
	}
	if g.percent(35) {
		g.leave(host, max(0, at+g.between(0, 4*time.Minute)-2*time.Minute))
	}
}
