package load

import (
	"maps"
	"slices"
	"time"
)

// batch is messages that arrived in one second.
type batch struct {
	at    time.Time // when they arrived
	n     int
	ready time.Time // when they have been worked on, or can be seen again
	again bool      // they were begun before
}

// hand is what a task has in flight.
type hand struct {
	held []batch // in the order in which they end
	n    int
}

// slots are how many messages a task has in flight, and how long; those that take less than a second are taken as many as fit into one.
func (k *work) slots() (int, time.Duration) {
	if k.Work >= time.Second {
		return k.Concurrency, (k.Work + time.Second - 1).Truncate(time.Second)
	}
	return max(1, int(float64(k.Concurrency)/k.Work.Seconds())), time.Second
}

// collect finds what tasks that are there no more had in flight: a task that lives extends the visibility of its messages, so they can be seen
// again one timeout after it has ended.
func (k *work) collect(workers []Worker, visibility time.Duration) {
	for _, task := range slices.Sorted(maps.Keys(k.hands)) {
		if slices.ContainsFunc(workers, func(v Worker) bool { return v.Task == task }) {
			continue
		}
		for _, b := range k.hands[task].held {
			if !b.ready.After(k.last) {
				k.finished(b.n)
				continue
			}
			k.report.Cut += float64(b.n)
			b.ready, b.again = k.last.Add(visibility), true
			k.returning = append(k.returning, b)
		}
		delete(k.hands, task)
	}
}

// receive is a second of messages, of which whole ones arrive. It returns how many.
func (k *work) receive(arrived float64, workers []Worker) float64 {
	at, r := k.last, &k.report
	whole := int(arrived)
	k.carry = arrived - float64(whole)
	if whole > 0 {
		k.visible = append(k.visible, batch{at: at, n: whole})
		r.Waiting += float64(whole)
	}
	back := len(k.visible)
	k.returning = slices.DeleteFunc(k.returning, func(b batch) bool {
		if b.ready.After(at) {
			return false
		}
		k.visible = append(k.visible, b)
		r.Waiting, r.InFlight = r.Waiting+float64(b.n), r.InFlight-float64(b.n)
		return true
	})
	if len(k.visible) > back {
		slices.SortStableFunc(k.visible, func(a, b batch) int { return a.at.Compare(b.at) })
	}
	for i := range workers { // one begins, and each second another
		k.turn(workers[(i+int(at.Unix()))%len(workers)])
	}
	return float64(whole)
}

// turn lets a task finish what is done, and take more.
func (k *work) turn(v Worker) {
	at, h := k.last, k.hands[v.Task]
	if h == nil {
		h = &hand{}
		k.hands[v.Task] = h
	}
	done := 0
	for done < len(h.held) && !h.held[done].ready.After(at) {
		k.finished(h.held[done].n)
		h.n -= h.held[done].n
		done++
	}
	h.held = h.held[done:]
	slots, lasts := k.slots()
	if !k.works(v, at) {
		k.busy(v, h.n, slots)
		return
	}
	for free := slots - h.n; free > 0 && len(k.visible) > 0; {
		first := &k.visible[0]
		n := min(free, first.n)
		k.begun(*first, n)
		h.held = append(h.held, batch{at: first.at, n: n, ready: at.Add(lasts)})
		h.n, free, first.n = h.n+n, free-n, first.n-n
		if first.n == 0 {
			k.visible = k.visible[1:]
		}
	}
	k.busy(v, h.n, slots)
}

// busy counts what a task has in flight in a second.
func (k *work) busy(v Worker, n, slots int) {
	if v.Running {
		k.report.Busy += float64(n) / float64(slots)
	}
}

func (k *work) finished(n int) {
	k.report.Done += float64(n)
	k.report.InFlight -= float64(n)
}

// begun counts messages that are taken for the first time.
func (k *work) begun(b batch, n int) {
	k.report.Taken += float64(n)
	k.report.Waiting, k.report.InFlight = k.report.Waiting-float64(n), k.report.InFlight+float64(n)
	if b.again {
		return
	}
	wait := k.last.Sub(b.at)
	k.report.Worst = max(k.report.Worst, wait)
	if wait > k.Late {
		k.report.Late += float64(n)
	}
}
