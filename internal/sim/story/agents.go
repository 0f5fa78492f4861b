package story

import (
	"slices"
	"time"

	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/core"
)

// Invariant 21 is about the hook of a host's agent: Ebb answers it only where EC2 says that the host does not run, and then soon.

// ofAgent reports whether a hook is that of a host's agent, and may be Ebb's to answer.
func ofAgent(p *past, group, hook string) bool {
	g, managed := p.Ebb.group(group)
	return managed && g.Agent && !g.observed() && !p.Excluded[group] && hook == drain.AgentHook
}

// becomes follows the state of an instance in EC2.
func (h *hostPast) becomes(e core.Entry) {
	h.machine, h.group, h.since = e.To, e.Group, e.At
	if h.runs() {
		h.down = time.Time{}
		return
	}
	if h.gone.IsZero() {
		h.gone = e.At
	}
	if h.down.IsZero() {
		h.down = e.At
	}
}

func (h *hostPast) runs() bool {
	return h.machine == "" || h.machine == "running" || h.machine == "pending"
}

// agentAnswered judges an answer of Ebb for the agent of a host. What was started again in these seconds Ebb need not have seen.
func agentAnswered(p *past, w *wait) {
	const seen = 30 * time.Second
	switch {
	case w.end == "ABANDON":
		p.blame(1, "Ebb answered ABANDON for %s", p.name(w.instance))
	case w.host.runs() && w.closed.Sub(w.host.since) > seen && !p.slow(w.host.since, w.closed):
		p.blame(21, "Ebb answered hook %s of %s, whose host runs: its agent may still work", w.hook, p.name(w.instance))
	}
}

// agentsAnswered: the hook of an agent whose host is down hangs no longer than it takes to find out, once Ebb's own hook has ended.
func agentsAnswered(p *past) {
	for _, w := range p.waits {
		if !w.agent || w.host.letGo {
			continue
		}
		end, from := w.closed, w.downAt
		if end.IsZero() {
			end, from = p.End, w.host.down
		}
		if from.IsZero() {
			continue
		}
		for _, own := range p.waits {
			if own.ours && own.instance == w.instance && !own.opened.After(end) {
				if own.closed.IsZero() || own.closed.After(end) {
					from = end
				}
				from = latest(from, own.closed)
			}
		}
		if from = p.calm(from, w.opened); end.Sub(from) > p.slack() {
			p.blame(21, "the hook of the agent of %s hung for %s although its host was gone", p.name(w.instance), end.Sub(from).Round(time.Second))
		}
	}
}

// agents gives the hosts of some groups an agent, with a hook of its own: it answers after a while, or its host dies first.
func agents(g *maker) {
	if !g.percent(10) || g.tight || g.hosts > 60 {
		return
	}
	for i := range g.s.Ebb.Groups {
		w := &g.s.World.Groups[i]
		w.Hooks = append(w.Hooks, sim.HookSpec{
			Name: drain.AgentHook, Heartbeat: pick(g, 10*time.Minute, 20*time.Minute, 30*time.Minute), DefaultResult: "CONTINUE",
		})
		g.s.Ebb.Groups[i].Agent = true
	}
	for _, s := range slices.Clone(g.s.At) {
		group := groupOf(s)
		if s.Do != "terminate" || !g.s.Ebb.manages(group) {
			continue
		}
		at := s.At + g.between(time.Second, 15*time.Minute)
		switch n := g.n(100); {
		case n < 55:
			g.step(Step{At: at, Do: "answer", Host: s.Host, Hook: drain.AgentHook})
		case n < 80:
			g.step(Step{At: at, Do: pick(g, "ec2-terminate", "ec2-stop"), Host: s.Host})
		case n < 85:
			g.step(Step{At: at, Do: "ec2-stop", Host: s.Host})
			g.step(Step{At: at + g.between(time.Second, 4*time.Minute), Do: "ec2-start", Host: s.Host})
		}
	}
}
