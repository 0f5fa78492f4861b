package story

import (
	"slices"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/core"
)

// FirstOut is a service of which traffic leaves first.
type FirstOut struct {
	Cluster string        `yaml:"cluster"`
	Service string        `yaml:"service"`
	Wait    time.Duration `yaml:"wait"`
	Quiet   string        `yaml:"quiet,omitempty"`
}

// crowd is a target group as the record shows it, by target.
type crowd map[string]*member

type member struct {
	state string
	since time.Time
}

// crowdIn is the crowd of a target group.
func crowdIn(p *past, group string) crowd {
	if p.crowds[group] == nil {
		p.crowds[group] = crowd{}
	}
	return p.crowds[group]
}

// serving is since when a target has been healthy, and until when it was before; zero: it is not, and was not.
type serving struct{ from, until time.Time }

// briefly is for how long a target that was registered again may be healthy before Ebb must see it.
const briefly = 25 * time.Second

// last is until when it has served, as far as Ebb must know.
func (s serving) last(at time.Time) time.Time {
	if s.from.IsZero() || !s.until.IsZero() && at.Sub(s.from) < briefly {
		return s.until
	}
	return at
}

// served keeps until when each target of a task has served, as far as ECS has registered it.
func served(p *past, e core.Entry) {
	key := e.TargetGroup + " " + e.Target
	if t := p.tasks[e.Task]; t != nil {
		s, has := t.served[key]
		switch {
		case e.To == "healthy" && t.inUse[key]:
			t.served[key] = serving{e.At, s.until}
		case has && !s.from.IsZero():
			t.served[key] = serving{until: s.last(e.At)}
		}
	}
	if e.Kind != core.EntryTarget {
		return
	}
	if byEbb(e.By) && e.From == "healthy" && e.To == "draining" && !p.outOnce[e.TargetGroup+" "+e.Target] {
		p.outOnce[e.TargetGroup+" "+e.Target] = true
		crosses(p, e)
	}
	crowdIn(p, e.TargetGroup)[e.Target] = &member{e.To, e.At}
}

// stale is how old what Ebb goes by may be: two looks, reads that lag behind, and calls on their way.
const stale = 45 * time.Second

// crosses is invariant 24, at the moment Ebb takes a healthy target out: if traffic leaves first, as many stay healthy as must be. What has changed
// lately Ebb need not know.
func crosses(p *past, e core.Entry) {
	least := p.Least[e.TargetGroup]
	healthy, there := 0, 0
	for target, m := range crowdIn(p, e.TargetGroup) { //ebb:any-order counts
		fresh := e.At.Sub(m.since) < stale+p.handOver()
		switch {
		case target == e.Target, m.state == "unused":
		case m.state == "healthy" || fresh && m.state != "initial":
			healthy, there = healthy+1, there+1
		case m.state != "draining" && !fresh:
			there++
		}
	}
	if h := p.host(e.Instance); h.status != fleet.Active || !h.warned.IsZero() || healthy >= max(least.Count, 1) && healthy*100 >= least.Percent*there {
		return
	}
	if d, ok := earlyDrain(p, e.Instance, e.At); ok && slices.ContainsFunc(d.Taken, func(t drain.Taken) bool { return strings.HasPrefix(e.Target, t.ID+":") }) {
		p.blame(24, "Ebb took target %s out of %s before %s was DRAINING, and %d of %d were left healthy", e.Target, e.TargetGroup,
			p.name(e.Instance), healthy, there)
	}
}

// earlyDrain is the drain that takes targets on a host out at a time, before it is DRAINING.
func earlyDrain(p *past, instance string, at time.Time) (drain.Drain, bool) {
	for i := range p.drains {
		d := &p.drains[i]
		if d.EarlyFrom.IsZero() || d.Target.ID != instance {
			continue
		}
		from, over := d.EarlyFrom.Add(-p.Ebb.Skew), d.EarlyOver.Add(p.Ebb.Skew)
		if !at.Before(from) && (d.EarlyOver.IsZero() || !at.After(over)) {
			return *d, d.Ended.IsZero() || d.Ended.After(at)
		}
	}
	return drain.Drain{}, false
}

// goesOn reports whether a drain goes on although an operator has taken the word back that began it: targets on the host are out.
func goesOn(p *past, h *hostPast, at time.Time) bool {
	return slices.ContainsFunc(p.drains, func(d drain.Drain) bool {
		return len(d.Taken) > 0 && d.Word != fleet.Word{} && p.hosts[d.Target.ID] == h && !d.EarlyFrom.After(at.Add(p.Ebb.Skew)) &&
			(d.Ended.IsZero() || at.Before(d.Ended.Add(p.Ebb.Skew+time.Minute)))
	})
}

// leftFirst is invariant 23, at the moment Ebb sets a host DRAINING for the first time: the targets of services whose traffic leaves first have not
// served for as long as that is to take, or half of the time is over.
func leftFirst(p *past, h *hostPast, e core.Entry) {
	if !h.firstSet.IsZero() {
		return
	}
	h.firstSet = e.At
	var d drain.Drain
	for _, x := range p.drains {
		if x.Target.ID == e.Instance && !x.EarlyFrom.IsZero() && !x.EarlyFrom.After(e.At.Add(p.Ebb.Skew)) {
			d = x
		}
	}
	lost := !h.lost.IsZero() && (h.back.IsZero() || e.At.Sub(h.back) < time.Minute)
	half := (d.Hook != "" || d.Noticed != "") && halfOver(p, d)
	if half || lost || !h.warned.IsZero() || len(h.registered) != 1 || d.Word != (fleet.Word{}) || h.said.word.Rehearses() {
		return
	}
	decided := e.At // the call may have failed for a while, and ECS may have registered the target again meanwhile
	if !d.EarlyOver.IsZero() {
		decided = earliest(decided, d.EarlyOver)
	}
	for _, f := range p.Ebb.TrafficFirst {
		for _, t := range h.tasks {
			if !t.runs || t.service != f.Service || t.cluster != f.Cluster || e.At.Sub(t.created) < 5*time.Minute && !t.created.Equal(p.Start) {
				continue
			}
			for target, s := range t.served { //ebb:any-order one is enough
				if out := decided.Sub(s.last(decided)); out < f.Wait-p.Ebb.Skew-12*time.Second { // reads lag behind
					p.blame(23, "%s was set DRAINING when target %s of service %s had been out for %s, and it was to be %s",
						p.name(e.Instance), target, f.Service, out.Round(time.Second), f.Wait)
					return
				}
			}
		}
	}
}

// halfOver reports whether a drain waited for traffic to leave until half of its time was over.
func halfOver(p *past, d drain.Drain) bool {
	g, _ := p.Ebb.group(d.Group)
	left := drain.Later(d.Zero, d.Slot).Add(p.Ebb.policy(g).Deadline).Sub(d.EarlyFrom)
	if beat, ok := p.Heartbeat[d.Group]; ok {
		global := min(48*time.Hour, 100*beat)
		left = min(left, d.Zero.Add(global-global/20).Sub(d.EarlyFrom))
	}
	return d.EarlyOver.Sub(d.EarlyFrom) >= left/2
}

// Least is how many targets of a target group must be healthy, by count and by percentage.
type Least struct{ Count, Percent int }

func leastOf(groups []sim.TargetGroupSpec) map[string]Least {
	all := map[string]Least{}
	for _, g := range groups {
		all[g.Name] = Least{g.LeastHealthy, g.LeastPercent}
	}
	return all
}

// trafficFirst lets the traffic of some services leave before their hosts are set DRAINING.
func trafficFirst(g *maker) {
	if !g.percent(14) || g.hosts > 40 {
		return
	}
	w := &g.s.World
	w.Switches.RegistersAgain = sometimes(g, 40, 5*time.Second, 20*time.Second, time.Minute)
	for i := range g.s.Ebb.Groups { // one scope: how many may leave a target group is counted in one place
		g.s.Ebb.Groups[i].Cluster = "prod"
	}
	for i := range w.Services {
		s := &w.Services[i]
		if s.Cluster != "prod" || s.Daemon || s.TargetGroup == "" && len(s.Names) == 0 || !g.percent(70) {
			continue
		}
		f := FirstOut{Cluster: "prod", Service: s.Name, Wait: pick(g, 30*time.Second, 130*time.Second, 130*time.Second, 4*time.Minute)}
		if g.percent(30) {
			f.Quiet = "http://connections/{id}:{port}"
		}
		g.s.Ebb.TrafficFirst = append(g.s.Ebb.TrafficFirst, f)
		for n := range w.TargetGroups {
			if tg := &w.TargetGroups[n]; tg.Name == s.TargetGroup {
				tg.LeastHealthy, tg.LeastPercent = sometimes(g, 60, 1+g.n(s.Desired+1)), sometimes(g, 30, 30, 60, 90)
				tg.Protocol = pick(g, "HTTP", "TCP")
			}
		}
	}
	if g.percent(30) {
		g.fault(Fault{Op: "connections", How: "error", Percent: pick(g, 20, 100), From: time.Minute, Until: pick(g, 3*time.Minute, 20*time.Minute)})
	}
}
