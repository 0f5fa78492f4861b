package story

import (
	"maps"
	"slices"
	"time"

	"github.com/ebbhq/ebb/internal/kernel"
	"github.com/ebbhq/ebb/internal/sim/core"
)

// size is how many instances a group has from some time on.
type size struct {
	at time.Time
	n  int
}

// resize follows how many instances a group has.
func (p *past) resize(e core.Entry) {
	n := p.size(e.Group)
	switch {
	case e.From == "":
		n++
	case e.To == "Terminated" || e.To == "Detached":
		n--
	default:
		return
	}
	p.sizes[e.Group] = append(p.sizes[e.Group], size{e.At, n})
}

func (p *past) size(group string) int {
	if s := p.sizes[group]; len(s) > 0 {
		return s[len(s)-1].n
	}
	return 0
}

// largest is the most instances that a group has had lately: Ebb may not know yet that it has shrunk. Where calls have failed it may not
// know for long.
func (p *past) largest(group string, at time.Time) int {
	const lately = 5 * time.Minute
	most := 0
	for _, s := range slices.Backward(p.sizes[group]) {
		most = max(most, s.n)
		if s.at.Before(at.Add(-lately)) && p.LastFault.Before(at.Add(-lately)) {
			break
		}
	}
	return most
}

// limit is how many of a group of some size may leave.
func limit(l kernel.MaxUnavailable, size int) int {
	if l.Percent > 0 {
		return max(1, size*l.Percent/100)
	}
	return l.Count
}

// slotOf is when Ebb gave an instance the slot by which it leaves at a time.
func slotOf(p *past, instance string, at time.Time) time.Time {
	slot := at
	for _, d := range p.drains {
		if d.Target.ID == instance && !d.Slot.IsZero() && !d.Slot.After(at.Add(p.Ebb.Skew)) {
			slot = d.Slot.Add(-p.Ebb.Skew)
		}
	}
	return slot
}

// letLeave is invariant 5, at the moment Ebb lets one more instance leave.
func (p *past) letLeave(instance string, at time.Time) {
	group := p.host(instance).asked
	for _, w := range p.open { //ebb:any-order an instance waits in one hook of ours at most
		if w.ours && w.instance == instance {
			w.host.drained, group = at, w.group
		}
	}
	if group == "" {
		return
	}
	p.begun(instance, group, at)
	g, _ := p.Ebb.group(group)
	if g.MaxUnavailable == (kernel.MaxUnavailable{}) || slices.Contains(p.leaves[group], instance) {
		return
	}
	p.leaves[group] = append(p.leaves[group], instance)
	p.host(instance).letLeave = at
	n, slot := 0, slotOf(p, instance, at)
	for _, other := range p.leaves[group] {
		if h := p.host(other); h.warned.IsZero() || h.letLeave.Before(slot) { // what EC2 ends waits for no slot, and may come after one was given
			n++
		}
	}
	if n > limit(g.MaxUnavailable, p.largest(group, at)) && p.host(instance).warned.IsZero() {
		p.blame(5, "%s was set DRAINING as number %d of group %s at a time, of which %s may leave", p.name(instance), n, group, g.MaxUnavailable)
	}
}

// byOperator follows the drains that operators asked for: each counts as one that leaves until it ends, and longer if Auto Scaling has begun to
// terminate its instance: until that has left.
func byOperator(p *past, h *hostPast, e core.Entry) {
	switch {
	case e.To == "open" && e.Hook == "":
		h.asked = e.Group
	case e.To == "ended": // a hook that holds the drain from then on may be that of a false message
		h.asked = ""
		if e.Hook == "" {
			if h.lingers = e.Group; h.leaving.IsZero() {
				leavesNoMore(p, e.Group, e.Instance)
			}
		}
	}
}

func leavesNoMore(p *past, group, instance string) {
	p.leaves[group] = slices.DeleteFunc(p.leaves[group], func(i string) bool { return i == instance })
}

// queues is the other half of invariant 5: while fewer leave than may, nobody waits for long. It is checked at each change of the world,
// and at the end.
func (p *past) queues(at time.Time) {
	waiting, away, waits := map[string]bool{}, map[string]int{}, map[string]bool{}
	for _, w := range p.open { //ebb:any-order one that waits is enough
		serves := w.host.status == "ACTIVE" && w.host.gone.IsZero() && w.host.lost.IsZero() &&
			!slices.Contains(p.leaves[w.group], w.instance)
		if serves {
			_, early := earlyDrain(p, w.instance, at)
			serves = !early // it has its slot
		}
		waits[w.instance] = true
		switch {
		case !serves: // in whichever hook
			away[w.group]++
		case w.ours && !w.host.letGo:
			waiting[w.group] = true
		}
	}
	for id, h := range p.hosts { //ebb:any-order each by itself
		if !waits[id] && h.asked != "" && h.status != "ACTIVE" {
			away[h.asked]++ // by an operator's drain
		}
	}
	idle := func(group string) bool {
		g, _ := p.Ebb.group(group)
		// The limit is 0 where any number may leave.
		return waiting[group] && len(p.pausesOf(group)) == 0 && away[group] < limit(g.MaxUnavailable, p.size(group))
	}
	for _, group := range slices.Sorted(maps.Keys(p.idle)) {
		if idle(group) && !at.Equal(p.End) {
			continue
		}
		from := p.calm(p.idle[group])
		delete(p.idle, group)
		if at.Sub(from) > p.slack() && p.upAll(from, at) {
			p.blame(5, "for %s somebody of group %s waited for a slot that was free", at.Sub(from).Round(time.Second), group)
		}
	}
	for group := range waiting { //ebb:any-order each by itself
		if idle(group) && p.idle[group].IsZero() {
			p.idle[group] = at
		}
	}
}

// begun is invariant 13, at the moment Ebb lets one more instance leave: no pause of its scope lasts.
func (p *past) begun(instance, group string, at time.Time) {
	obeyed := 12 * time.Second // five, and a call that is slow
	if p.Ebb.Function {
		obeyed += invocationFor // one that is at work obeys with the next pass
	}
	for _, pause := range p.pausesOf(group) {
		if at.After(pause.From.Add(obeyed)) && at.Before(pause.Until) {
			p.blame(13, "%s was set DRAINING %s after %s was paused", p.name(instance), at.Sub(pause.From).Round(time.Second), pause.Scope)
		}
	}
}

// pausesOf are the pauses of the scope of a group.
func (p *past) pausesOf(group string) []Pause {
	g, ok := p.Ebb.group(group)
	scope := kernel.Managed{Match: g.Match, Cluster: g.Cluster}.Scope()
	return slices.DeleteFunc(slices.Clone(p.Pauses), func(pause Pause) bool { return !ok || pause.Scope != scope })
}
