package story

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/kernel"
	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/ecs"
)

// What the judge reads in the world's record of an operator's word.
const (
	wordSaid   = "word"
	wordUnsaid = "word taken back"
)

// say puts an operator's word on a host, as ebb drain does: For is how long it may take, Result what becomes of it then, and End what
// becomes of it once it is drained. With a scope it also says so to whoever works for that.
func say(r *run, s Step) error {
	ci, now := r.container(s), r.w.Now()
	w := fleet.Word{
		Deadline: now.Add(cmp.Or(s.For, time.Hour)).Truncate(time.Second), Late: fleet.Late(cmp.Or(s.Result, string(fleet.LateLeave))),
		End: fleet.End(cmp.Or(s.End, string(fleet.EndKeep))), Reason: "story",
	}
	r.cover["word"]++
	r.said = now
	r.w.Log(core.Entry{Kind: core.EntryNote, Instance: r.host(s.Host), To: wordSaid, Text: w.String()})
	err := r.w.PutAttributes(clusterOf(ci), []ecs.Attribute{{Name: fleet.WordAttribute, Value: w.String(), Target: ci}})
	if err != nil || s.Scope == "" {
		return err
	}
	return r.write(func([]journal.Record) journal.Batch {
		remark := kernel.Remark{Instance: fleet.InstanceID(r.host(s.Host)), Cluster: clusterOf(ci), By: "operator@story", Message: s.Body}
		scope := s.Scope
		if g, ok := r.s.Ebb.group(groupOf(s)); ok && g.Cluster == "" {
			scope = kernel.Managed{Match: g.Match}.Scope()
		}
		return journal.Batch{Forwarded: []journal.Forwarded{remark.Say(scope, now)}}
	})
}

// unsay takes an operator's word back, as ebb cancel does.
func unsay(r *run, s Step) error {
	ci := r.container(s)
	r.cover["word taken back"]++
	r.said = r.w.Now()
	r.w.Log(core.Entry{Kind: core.EntryNote, Instance: r.host(s.Host), To: wordUnsaid})
	if err := r.w.DeleteAttributes(clusterOf(ci), []ecs.Attribute{{Name: fleet.WordAttribute, Target: ci}}); err != nil {
		return err
	}
	return setState(r, s, "ACTIVE")
}

// said is what the record says of operators' words about a host.
type said struct {
	word  fleet.Word
	at    time.Time // when it was said last; zero: never
	until time.Time // when it was taken back; zero: it stands
}

// words follows operators' words.
func words(p *past, e core.Entry) {
	h := p.host(e.Instance)
	switch e.To {
	case wordSaid:
		h.said.word, _ = fleet.ParseWord(e.Text)
		h.said.at, h.said.until = e.At, time.Time{}
	case wordUnsaid:
		if h.said.until.IsZero() {
			h.said.until = e.At
		}
	}
}

// mayTouch reports whether Ebb may do something to a host: it has come to wait in Ebb's hook, an operator's word stands on it, or EC2 ends it. What was
// on its way when the word was taken back may still come, and reads lag behind.
func mayTouch(p *past, h *hostPast, at time.Time) bool {
	stands := !h.said.at.IsZero() && (h.said.until.IsZero() || at.Sub(h.said.until) < 30*time.Second+p.handOver())
	if g, _ := p.Ebb.group(h.group); h.said.word.Rehearses() && !g.AllowRehearsal {
		stands = false
	}
	return h.ours || stands || noticedByEC2(p, h) || goesOn(p, h, at)
}

// terminated is invariant 15, at the moment Ebb lets Auto Scaling terminate a host: an operator has asked for that, and its tasks have
// stopped, or the operator's deadline is over.
func terminated(p *past, e core.Entry) {
	h := p.host(e.Instance)
	w := h.said.word
	g, _ := p.Ebb.group(e.Group)
	risk := !h.risk.IsZero() && g.Rebalance == "drain"
	if risk && h.said.at.IsZero() {
		w.End = fleet.EndTerminate
	}
	if !mayTouch(p, h, e.At) || w.End == fleet.EndKeep || h.said.at.IsZero() && !risk {
		p.blame(15, "Ebb let %s be terminated, which nobody has asked for", p.name(e.Instance))
		return
	}
	if w.Late == fleet.LateTerminate && !e.At.Before(w.Deadline.Add(-p.Ebb.Skew)) || h.machine != "running" {
		return
	}
	for _, t := range h.tasks {
		if t.live && !t.daemon && !(h.status == "ACTIVE" && e.At.Sub(h.changed) < time.Minute) {
			p.blame(15, "Ebb let %s be terminated although task %s had not stopped", p.name(e.Instance), t.id)
			return
		}
	}
}

// obeyedOnce is a further part of invariant 15: a word makes one drain, which ends as cancelled only if an operator has taken it back.
func obeyedOnce(p *past) {
	type about struct {
		instance string
		word     fleet.Word
	}
	made := map[about]int{}
	for _, d := range p.drains {
		if d.Word == (fleet.Word{}) {
			continue
		}
		h, of := p.host(d.Target.ID), about{d.Target.ID, d.Word}
		if made[of]++; made[of] == 2 && !h.letGo {
			p.blame(15, "an operator's word about %s made more than one drain", p.name(d.Target.ID))
		}
		if d.Final != nil && d.Final.Outcome == drain.Overdue && d.Word != h.said.word && d.Ended.Sub(h.said.at) > putOff+p.Ebb.Skew &&
			!strings.Contains(d.Final.Reason, "could not be seen") {
			p.blame(15, "the drain of %s ended as overdue, although an operator had put its deadline off", p.name(d.Target.ID))
		}
		if d.Final != nil && d.Final.Outcome == drain.Cancelled && h.said.until.IsZero() {
			p.blame(15, "the drain of %s ended as cancelled, and the operator's word stands", p.name(d.Target.ID))
		}
	}
}

// putOff is how long before it ends a drain must see that an operator has put off its deadline: reads lag behind.
const putOff = 12 * time.Second

// obeyed is the other half of invariant 15, at the end: a word that stands long after its deadline has its drain in the journal.
func obeyed(p *past) {
	const seldom = 12 * time.Minute // one who is busy looks every ten
	if !slices.ContainsFunc(p.Ebb.Groups, func(g Group) bool { return g.Cluster == "prod" }) {
		return // nobody looks without being told
	}
	for id, h := range p.hosts { //ebb:any-order each by itself
		s := h.said
		if s.at.IsZero() || !s.until.IsZero() || h.ours || h.letGo || !h.gone.IsZero() || s.word.Deadline.Sub(s.at) < seldom+p.slack() {
			continue
		}
		from := p.calm(s.at)
		by := from.Add(seldom + p.slack())
		if by.After(s.word.Deadline) || by.After(p.End) || !p.upAll(from, by) || h.status == "INACTIVE" || len(h.registered) != 1 {
			continue
		}
		if !slices.ContainsFunc(p.drains, func(d drain.Drain) bool { return d.Target.ID == id && d.Word != fleet.Word{} }) {
			p.blame(15, "the operator's word about %s, of %s, was not obeyed", p.name(id), s.at.Sub(p.Start).Round(time.Second))
		}
	}
}

// words lets operators say of some hosts that they are to leave, and think better of it. Auto Scaling may be of the same mind.
func (g *maker) words() {
	if !g.percent(12) {
		return
	}
	if g.percent(50) {
		g.fault(Fault{Op: "ecs.DescribeContainerInstances", How: "stale", Percent: 40, Lag: g.between(4*time.Second, 8*time.Second), Until: 15 * time.Minute})
	}
	for range 1 + g.n(2) {
		host, ok := g.anyHost()
		if !ok {
			return
		}
		at := time.Minute + g.between(0, 5*time.Minute)
		if g.percent(20) && !strings.HasPrefix(host, "theirs/") {
			for i := range g.s.Ebb.Groups {
				g.s.Ebb.Groups[i].AllowRehearsal = g.percent(80)
			}
			g.step(Step{At: at, Do: "rehearse", Host: host, Result: pick(g, "", "", "forged")})
			continue
		}
		s := Step{At: at, Do: "say", Host: host, For: pick(g, 2*time.Minute, 20*time.Minute, time.Hour), End: pick(g, "keep", "terminate", "decrement")}
		if strings.HasPrefix(host, "theirs/") {
			s.End = "keep" // Ebb may not terminate it
		}
		if s.End != "keep" {
			s.Result = pick(g, "leave", "terminate")
		}
		if g.percent(50) {
			s.Scope = "cluster/prod"
		}
		g.rounds++
		n := g.n(100)
		if last := n >= 60 && n < 80 && s.End != "keep"; last { // the deadline is put off in its last moment
			s.For, s.Result, s.Scope = 2*time.Minute, pick(g, "leave", "leave", "terminate"), "cluster/prod"
		}
		g.step(s)
		switch {
		case n < 35:
			g.step(Step{At: at + g.between(0, 5*time.Minute), Do: "unsay", Host: host})
		case n < 60:
			g.leave(host, at+g.between(0, 3*time.Minute))
		case n < 80:
			s.At, s.For, s.Scope = at+s.For-g.between(16*time.Second, 55*time.Second), 10*time.Minute, ""
			g.step(s)
		}
	}
}
