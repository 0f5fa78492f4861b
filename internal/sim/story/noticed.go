package story

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/event"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/sim/core"
)

// announced is what EC2 has given notice of, about one instance.
type announced struct {
	group  string
	warned time.Time // when it said that it takes the capacity back; zero: it has not
	ends   time.Time // when that ends the instance
	risk   time.Time // when it said that the instance is likely to be interrupted
	used   []*taskPast
}

// instanceNoticed takes in a notice about an instance.
func instanceNoticed(p *past, e core.Entry) {
	h := p.host(e.Instance)
	switch e.To {
	case core.NoticeRebalance:
		h.risk = e.At
	case core.NoticeInterrupted:
		h.warned, h.ends = e.At, e.At.Add(fleet.SpotNotice)
		if e.Text == fleet.Hibernates {
			h.ends = e.At
		}
		for _, t := range h.tasks {
			if !t.live {
				continue
			}
			t.out = map[string]time.Time{}
			for target := range t.inUse { //ebb:any-order a set
				t.out[target] = time.Time{}
			}
			h.used = append(h.used, t)
		}
	}
}

// noticedByEC2 reports whether Ebb may do something to a host because of what EC2 says of it: it takes it back, it is likely to, or it has ended it.
func noticedByEC2(p *past, h *hostPast) bool {
	g, managed := p.Ebb.group(h.group)
	down := h.machine != "" && h.machine != "running" && h.machine != "pending"
	says := !h.warned.IsZero() || !h.risk.IsZero() && g.Rebalance == "drain" || down
	return managed && !g.observed() && !p.Excluded[h.group] && says
}

// mayCut is when what is left on a host is cut off: at its deadline, or when EC2 ends it.
func (p *past) mayCut(w *wait) time.Time {
	at := p.deadline(w)
	if e := w.host.ends; !e.IsZero() && e.Before(at) {
		return e
	}
	return at
}

// noticeDeleted is invariant 6 for a notice, at the moment Ebb deletes its message: the journal has its drain, or the note for another Ebb.
func noticeDeleted(p *past, e core.Entry, m event.Event) {
	h := p.host(string(m.Instance))
	g, managed := p.Ebb.group(h.group)
	heeds := m.Kind == event.InstanceEnds || m.Kind == event.Rebalance && g.Rebalance == "drain"
	if !managed || !heeds || m.Rehearsal || p.Excluded[h.group] || h.machine != "running" || e.At.Sub(m.Time) > 9*time.Minute || len(h.journal) > 0 || h.letGo {
		return
	}
	p.blame(6, "the notice about %s was deleted before its drain was in the journal", p.name(string(m.Instance)))
}

// leavesInTime is invariant 20: every target of a task on a host that EC2 takes back is asked to leave soon after Ebb has heard of it, or the
// journal says why not.
func leavesInTime(p *past) {
	of := map[string]drain.Drain{}
	for _, d := range p.drains {
		if d.Noticed == drain.Interruption {
			of[d.Target.ID] = d
		}
	}
	for _, id := range slices.Sorted(maps.Keys(p.hosts)) {
		h := p.hosts[id]
		d, drained := of[id]
		if h.warned.IsZero() || !drained || d.Observed || h.letGo || h.status == "" || len(p.pausesOf(h.group)) > 0 || d.WrongCluster != "" {
			continue
		}
		from := p.calm(h.warned, d.NoticedAt.Add(p.Ebb.Skew), h.warned.Add(p.SpotStatusLate))
		for _, t := range h.used {
			for _, target := range slices.Sorted(maps.Keys(t.out)) {
				at := t.out[target]
				if at.IsZero() || !h.gone.IsZero() && at.After(h.gone) {
					at = h.gone
				}
				if !t.stopped.IsZero() && t.stopped.Before(at) {
					at = t.stopped
				}
				why := d.Final != nil && (strings.Contains(d.Final.Reason, "could not") || d.Final.Outcome == drain.Excluded)
				if !at.IsZero() && at.Sub(from) > p.outSoon() && p.upAll(from, at) && !p.slow(h.warned, at) && !why {
					p.blame(20, "target %s of %s was in use for %s after Ebb had heard that EC2 takes it back", target, p.name(id),
						at.Sub(from).Round(time.Second))
				}
			}
		}
	}
}

// outSoon is how long a target may be in use after Ebb has heard of the notice: looks at the request, the host, its tasks, their services and
// targets, one after the other.
func (p *past) outSoon() time.Duration { return 15*time.Second + p.handOver() }

// oneDrain is a further part of invariant 20: what EC2 confirms is one drain, and what it does not confirm changes nothing.
func oneDrain(p *past) {
	made := map[string]int{}
	for _, d := range p.drains {
		h := p.host(d.Target.ID)
		if d.Noticed == drain.Interruption && !d.Verified.IsZero() && h.warned.IsZero() {
			p.blame(20, "the drain of %s says that EC2 takes it back, and EC2 has not said so", p.name(d.Target.ID))
		}
		waits := func(w *wait) bool { // its hook opened while it was not over, and made another drain
			return w.ours && w.instance == d.Target.ID && d.Hook == "" && !d.Ended.IsZero() && w.opened.After(d.Heard) && w.opened.Before(d.Ended.Add(-p.slack()))
		}
		if d.Noticed == drain.Interruption && !d.Verified.IsZero() && slices.ContainsFunc(p.waits, waits) && p.calm(d.Heard).Before(d.Ended.Add(-p.slack())) {
			p.blame(20, "notice and hook of %s made two drains", p.name(d.Target.ID))
		}
		if d.Noticed == drain.Interruption && !d.Verified.IsZero() {
			if made[d.Target.ID]++; made[d.Target.ID] == 2 && !h.letGo {
				p.blame(20, "the interruption of %s made more than one drain", p.name(d.Target.ID))
			}
		}
	}
}
