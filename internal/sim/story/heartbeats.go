package story

import (
	"cmp"
	"slices"
	"time"
)

// lostHook is invariant 2. A hook ran out before the deadline while Ebb was there and knew of it. That is only the cloud's doing if it
// refused every heartbeat, and Ebb sent them as it should: the first by a third of the timeout after the last success, and
// after a failure again at the retry interval, each with some time for calls that are slow.
func (p *past) lostHook(w *wait) {
	timeout, ok := p.Heartbeat[w.group]
	if w.host.letGo {
		return
	}
	if !ok || !w.closed.Before(p.mayCut(w)) {
		return
	}
	const again = 18 * time.Second                        // the retry interval with its jitter, and 5 s there and 5 s back
	slow := min(20*time.Second+p.handOver(), timeout*2/5) // a call may take some seconds there and back
	if p.Ebb.Function {
		slow = timeout/2 - 10*time.Second // one pass may be killed, and the next is a minute after that
	}
	from := w.closed.Add(-timeout)
	if !p.upAll(from.Add(-slow), w.closed) || !w.heardOf(from) || p.Ebb.Function && p.brokenOff(w, from) ||
		p.forgotten(w) {
		return
	}
	last, next := from, from.Add(timeout/2+slow) // due at a third; at half it is sent whatever the budget says
	for _, b := range w.host.beats {
		if b.at.Before(from) || b.at.After(w.closed) {
			continue
		}
		if b.at.After(next) {
			break
		}
		last, next = b.at, b.at.Add(max(slow, again))
		switch half := from.Add(timeout / 2); {
		case b.ok:
			next = b.at.Add(slow + timeout/2)
		case b.throttled && b.at.Before(half): // it may wait for its turn until it is urgent
			next = half.Add(slow)
		}
	}
	if next.Before(w.closed) {
		p.blame(2, "the hook of %s ran out at %s although Ebb was there; it sent no heartbeat after %s", p.name(w.instance),
			w.closed.Sub(p.Start).Round(time.Second), last.Sub(p.Start).Round(time.Second))
	}
}

// forgotten reports whether an Ebb died while the journal was away: what it alone knew of open hooks is lost until the journal is back.
func (p *past) forgotten(w *wait) bool {
	return slices.ContainsFunc(p.Away, func(f Fault) bool {
		from, until := p.Start.Add(f.From), p.Start.Add(f.Until)
		return slices.ContainsFunc(p.up, func(s span) bool { return s.to.After(from) && s.to.Before(until) && s.to.Before(w.closed) })
	})
}

// brokenOff reports whether so much happened to passes that none could send a heartbeat in time: one that is killed costs two minutes, its
// own and the next, which finds the lease still there; a heartbeat that fails is sent again by the next pass.
func (p *past) brokenOff(w *wait, from time.Time) bool {
	cost := 2 * time.Minute
	for _, at := range p.killed {
		if at.After(from) && at.Before(w.closed) {
			cost += 2 * time.Minute
		}
	}
	for _, b := range w.host.beats {
		if !b.ok && b.at.After(from) && b.at.Before(w.closed) {
			cost += time.Minute
		}
	}
	return cost > w.closed.Sub(from)
}

// retried is the other half of invariant 2: a heartbeat that failed is sent again soon, whether or not the hook is lost by it.
func (p *past) retried(w *wait) {
	soon := 25*time.Second + p.handOver() // the retry interval, and calls that are slow there and back
	end := earliest(cmp.Or(w.closed, p.End), p.mayCut(w))
	timeout, known := p.Heartbeat[w.group]
	if !known {
		return
	}
	beats, last := w.host.beats, w.opened
	if j := w.host.journal; len(j) > 0 {
		last = latest(last, j[0].At) // Ebb learnt of it later
	}
	for i, b := range beats {
		by := b.at.Add(soon)
		if b.ok {
			last = b.at
		}
		if since := b.at.Sub(last); since < timeout/3 || b.throttled && since < timeout/2 {
			continue // it was early, as after a restart, and need not be repeated; or it may wait for its turn
		}
		if b.ok || b.at.Before(w.opened) || by.After(end) || !p.upAll(b.at, by) {
			continue
		}
		if i+1 == len(beats) || beats[i+1].at.After(by) {
			p.blame(2, "a heartbeat for %s failed at %s and was not sent again soon", p.name(w.instance), b.at.Sub(p.Start).Round(time.Second))
		}
	}
}
