package story

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/event"
	"github.com/ebbhq/ebb/internal/kernel"
	"github.com/ebbhq/ebb/internal/sim/core"
)

func (p *past) hook(e core.Entry) {
	key := e.Group + "|" + e.Hook + "|" + e.Instance
	switch e.To {
	case "opened":
		h := p.host(e.Instance)
		g, managed := p.Ebb.group(e.Group)
		w := &wait{
			group: e.Group, hook: e.Hook, instance: e.Instance, token: e.Text, opened: e.At, leaving: cmp.Or(h.leaving, e.At), host: h,
			policy: p.Ebb.policy(g), most: g.MaxUnavailable, ours: managed && !g.observed() && !p.Excluded[e.Group] && e.Hook == p.Ebb.hook(),
		}
		h.ours, w.agent = h.ours || w.ours, ofAgent(p, e.Group, e.Hook)
		p.open[key] = w
		p.waits = append(p.waits, w)
	case "heartbeat":
		// An Ebb that started while its journal was away has seen no group: it cannot know which are excluded. What it saw takes its time back.
		at := p.swept[e.By]
		blind := p.Excluded[e.Group] && (at.IsZero() || e.At.Sub(at) < 10*time.Second)
		if w := p.open[key]; (w == nil || !w.ours) && byEbb(e.By) && !blind {
			p.blame(4, "Ebb beat hook %s of %s, which is not its own", e.Hook, p.name(e.Instance))
		}
	default:
		w := p.open[key]
		if w == nil {
			return
		}
		delete(p.open, key)
		w.closed, w.end, w.by, w.downAt = e.At, e.To, e.By, w.host.down
		if w.ours {
			leavesNoMore(p, w.group, w.instance)
		}
		w.since = p.conditions(w)
		p.judge(w)
	}
}

// judge checks one closed wait at the moment it closed.
func (p *past) judge(w *wait) {
	if byEbb(w.by) && (w.end == "CONTINUE" || w.end == "ABANDON") {
		if w.agent {
			agentAnswered(p, w)
			return
		}
		if !w.ours {
			p.blame(4, "Ebb answered hook %s of %s, which is not its own", w.hook, p.name(w.instance))
			return
		}
		if w.end == "ABANDON" {
			p.blame(1, "Ebb answered ABANDON for %s", p.name(w.instance))
		}
		if why := p.tooEarly(w); why != "" {
			after := w.closed.Sub(w.opened).Round(time.Second)
			p.blame(1, "the hook of %s was answered too early, %s after it opened: %s", p.name(w.instance), after, why)
		}
		if target := p.reachable(w); target != "" {
			p.blame(1, "%s was cut off while target %s was in use: it had not been taken out first", p.name(w.instance), target)
		}
		if !p.looked[w.by] && !p.Posthumous[w.instance].Equal(w.closed) {
			p.blame(7, "the hook of %s was answered by an Ebb that had not looked since it started", p.name(w.instance))
		}
		return
	}
	if w.ours && (w.end == "expired" || w.end == "global-timeout") {
		p.lostHook(w)
	}
}

// deadline is when what is left is cut off. In a group of which only so many may leave at once, it counts from when
// the instance got its slot, which only the journal knows.
func (p *past) deadline(w *wait) time.Time {
	at := p.slot(w).Add(w.policy.Deadline)
	if beat, ok := p.Heartbeat[w.group]; ok {
		global := min(48*time.Hour, 100*beat)
		at = earliest(at, w.leaving.Add(global-global/20))
	}
	return at
}

// slot is when an instance that had to wait for a slot got one, and of another when it began to leave.
func (p *past) slot(w *wait) time.Time {
	for _, d := range p.drains {
		if d.Target.ID != w.instance || d.Hook != w.hook || d.Ended.Before(w.leaving) && !d.Ended.IsZero() {
			continue
		}
		switch {
		case !d.Slot.IsZero():
			return d.Slot
		case !d.Queued.IsZero() && w.host.status == "ACTIVE":
			return never
		case !d.Queued.IsZero(): // somebody else set it DRAINING
			return w.host.changed
		}
	}
	return w.leaving
}

// slow reports whether calls of AWS were slow in some time.
func (p *past) slow(from, to time.Time) bool {
	return slices.ContainsFunc(p.Slow, func(f Fault) bool {
		return p.Start.Add(f.From).Before(to) && (f.Until == 0 || p.Start.Add(f.Until).After(from))
	})
}

// reachable is a target in use of a live task whose host was cut off at its deadline. It is no fault of an Ebb that tried, that could not
// try because calls failed or took long, or that was not there.
func (p *past) reachable(w *wait) string {
	const while = 3 * time.Minute
	h, from := w.host, w.closed.Add(-while)
	if w.closed.Before(p.deadline(w).Add(-p.Ebb.Skew)) || h.machine != "" && h.machine != "running" || p.tried.After(from) || p.failed.After(from) ||
		!p.upAll(from, w.closed) || p.slow(from, w.closed) {
		return ""
	}
	g, _ := p.Ebb.group(w.group)
	for _, t := range h.tasks {
		if w.closed.Sub(t.created) < while {
			continue // somebody set the host ACTIVE: Ebb need not have seen it yet
		}
		if !t.live || g.Cluster != "" && !strings.Contains(t.id, "/"+g.Cluster+"/") { // Ebb touches nothing in other clusters
			continue
		}
		for target := range t.inUse { //ebb:any-order one of them is enough
			return target
		}
	}
	return ""
}

// tooEarly is invariant 1: it says why an answer came too early, or nothing.
func (p *past) tooEarly(w *wait) string {
	h := w.host
	if !w.closed.Before(p.mayCut(w).Add(-p.Ebb.Skew)) || h.machine != "" && h.machine != "running" && h.machine != "pending" {
		return ""
	}
	var others, daemons []*taskPast
	var lastOther time.Time
	used := ""
	for _, t := range h.tasks {
		if h.status == "ACTIVE" && w.closed.Sub(h.changed) < time.Minute && !t.created.Before(h.changed) {
			continue // somebody set it ACTIVE while the answer was on its way
		}
		if t.live {
			for target := range t.inUse { //ebb:any-order one of them is enough
				used = target
			}
		}
		switch {
		case t.live && t.daemon:
			daemons = append(daemons, t)
		case t.live:
			others = append(others, t)
		case t.stopped.After(lastOther) && !t.daemon:
			lastOther = t.stopped
		}
	}
	if len(others)+len(daemons) == 0 {
		if h.status == "ACTIVE" && w.closed.Sub(h.changed) > 2*time.Minute && h.lost.IsZero() {
			return "the container instance was ACTIVE: a task could still land on it"
		}
		return ""
	}
	if !h.lost.IsZero() && w.closed.Sub(h.lost) >= w.policy.LostAfter-10*time.Second && used == "" &&
		(h.back.IsZero() || w.closed.Sub(h.back) < time.Minute) {
		return ""
	}
	if len(others) > 0 {
		return fmt.Sprintf("%d tasks had not stopped, such as %s", len(others), others[0].id)
	}
	begun := w.opened
	if !h.said.at.IsZero() { // an operator's drain began before the hook opened
		begun = earliest(begun, h.changed)
	}
	if grace := w.closed.Sub(latest(lastOther, begun)); grace < w.policy.DaemonGrace {
		return fmt.Sprintf("daemon task %s had only %s", daemons[0].id, grace)
	}
	if used != "" {
		return "target " + used + " of a live daemon task was still in use"
	}
	return ""
}

// deleted is invariant 6, at the moment Ebb deletes a message.
func (p *past) deleted(e core.Entry) {
	m, ok := p.Messages[e.Message]
	if !ok || p.deletions[e.Message] {
		return
	}
	p.deletions[e.Message] = true
	if m.Kind == event.InstanceEnds || m.Kind == event.Rebalance {
		noticeDeleted(p, e, m)
	}
	switch {
	case m.Kind == event.Unknown && p.unread == 0:
		p.blame(6, "message %s was deleted although nobody understood it and it is not in the journal", e.Message)
	case m.Kind == event.TerminateAction && p.Ebb.manages(m.Group) && m.Hook == p.Ebb.hook() && !p.Excluded[m.Group] && !p.durable(m):
		p.blame(6, "the message about %s was deleted before its drain was in the journal", p.name(string(m.Instance)))
	case m.Kind == event.TerminateAction && p.Ebb.LeaveForeign && (!p.Ebb.manages(m.Group) || p.Ebb.observes(m.Group)):
		p.blame(4, "a message about group %s was deleted although it was to be left to others", m.Group)
	}
}

func (p *past) durable(m event.Event) bool {
	journal := p.host(string(m.Instance)).journal
	return slices.ContainsFunc(journal, func(e core.Entry) bool {
		return e.Text == m.Token || e.To == "open" || e.Text == "" // the sweep was first, and no token is known
	})
}

// answeredInTime is invariant 3: nothing hangs. A wait that is still open long after its deadline, or whose host has been gone for
// minutes while Ebb was there and nothing failed, should have been answered.
func (p *past) answeredInTime() {
	for _, w := range p.waits {
		if !w.ours || w.host.letGo {
			continue
		}
		p.retried(w)
		end := cmp.Or(w.closed, p.End)
		since := w.since
		if since == nil {
			since = p.conditions(w)
		}
		for _, why := range slices.Sorted(maps.Keys(since)) {
			if from := p.calm(since[why], w.opened); end.Sub(from) > p.slack() {
				p.blame(3, "the hook of %s hung for %s %s", p.name(w.instance), end.Sub(from).Round(time.Second), why)
			}
		}
	}
}

// slack is two minutes of the invariant, the pace of looks, and messages and answers on their way.
func (p *past) slack() time.Duration { return 4*time.Minute + 2*p.handOver() }

// handOver is how long it may take until another Ebb goes on, and as much more as it waits for clocks that differ.
func (p *past) handOver() time.Duration {
	leases := func(d time.Duration) time.Duration { return time.Duration(float64(d) * cmp.Or(p.Speed, 1)) }
	switch {
	case p.Ebb.Function: // one that was killed holds its lease for a minute, and the next look is a minute after that
		return leases(time.Minute) + 2*time.Minute
	case p.Ebb.Replicas > 1: // one follows another only after a while
		return leases(15*time.Second) + 2*p.Ebb.Skew
	}
	return 0
}

// conditions are what ends a wait, and since when they have held without a break.
func (p *past) conditions(w *wait) map[string]time.Time {
	h := w.host
	since := map[string]time.Time{"after its deadline": p.deadline(w)}
	if !h.down.IsZero() { // one that was started again is there
		since["although its host was gone"] = h.down
	}
	if h.status == "" {
		since["although its host never joined a cluster"] = w.opened
	}
	begun := w.opened
	if w.most != (kernel.MaxUnavailable{}) || len(p.pausesOf(w.group)) > 0 {
		if begun = h.drained; begun.IsZero() {
			return since // it waits for a slot, or for the end of a pause
		}
	}
	if !h.lost.IsZero() && h.back.IsZero() {
		since["although ECS had lost its host"] = p.calm(h.lost, begun, w.opened).Add(w.policy.LostAfter) // as seen by Ebb
	}
	last, live := latest(begun, h.changed), false
	for _, t := range h.tasks {
		last, live = latest(last, t.stopped), live || t.live
	}
	if !live {
		since["although every task on it had stopped"] = last
	}
	return since
}

// calm is the time from which Ebb can be held to act on what has been so since some times: the last fault and the last start of Ebb are
// over as well.
func (p *past) calm(since ...time.Time) time.Time {
	since = append(since, p.LastFault, p.Start.Add(p.Ebb.Late))
	for _, s := range p.up {
		since = append(since, s.from)
	}
	return latest(since...)
}

// endedWell is invariant 8: every drain ends in the journal with an outcome and a reason, and a forced ending names what was cut
// off.
func (p *past) endedWell() {
	byInstance := map[string][]drain.Drain{}
	for _, d := range p.Ended {
		byInstance[d.Target.ID] = append(byInstance[d.Target.ID], d)
		switch {
		case d.Final == nil || d.Final.Outcome == "" || d.Final.Reason == "":
			p.blame(8, "the drain of %s ended without a reason", p.name(d.Target.ID))
		case d.Final.Outcome == drain.Forced && len(d.Final.CutOff) == 0 && p.leftAt(d) &&
			!strings.Contains(d.Final.Reason, "could not") && !strings.Contains(d.Final.Reason, "not looked at"):
			p.blame(8, "the drain of %s was forced but names nothing that was cut off", p.name(d.Target.ID))
		}
	}
	for _, w := range p.waits {
		calm := p.End.Sub(latest(w.closed, p.LastFault)) > time.Minute
		if w.ours && !w.host.letGo && byEbb(w.by) && p.Running && calm && len(byInstance[w.instance]) == 0 {
			p.blame(8, "the hook of %s was answered but no drain of it ended in the journal", p.name(w.instance))
		}
	}
}

// leftAt reports whether a task lived on the host when its drain was answered, and for long enough before to be known.
func (p *past) leftAt(d drain.Drain) bool {
	at := d.Final.At.Add(p.Ebb.Skew) // by the clock of the Ebb that answered
	h := p.host(d.Target.ID)
	return h.gone.After(at) && slices.ContainsFunc(h.tasks, func(t *taskPast) bool {
		return t.created.Before(at.Add(-time.Minute-2*p.Ebb.Skew)) && (t.live || t.stopped.After(at))
	})
}
