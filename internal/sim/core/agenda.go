package core

import (
	"container/heap"
	"time"
)

// Next is when the next scheduled change is due; false if none is.
func (c *Core) Next() (time.Time, bool) {
	if len(c.agenda) == 0 {
		return time.Time{}, false
	}
	return c.agenda[0].at, true
}

// Advance runs every scheduled change up to and including to, in order, and moves the time there. A time in the past changes
// nothing.
func (c *Core) Advance(to time.Time) {
	by := c.by
	for len(c.agenda) > 0 && !c.agenda[0].at.After(to) {
		e := heap.Pop(&c.agenda).(change)
		c.now, c.by = e.at, "aws"
		e.f()
	}
	c.by = by
	if to.After(c.now) {
		c.now = to.UTC()
	}
}

// At schedules a change of the world for a story; in the past means now. The change runs with AWS as the caller unless it
// calls SetCaller.
func (c *Core) At(t time.Time, f func()) {
	if t.Before(c.now) {
		t = c.now
	}
	c.seq++
	heap.Push(&c.agenda, change{at: t.UTC(), seq: c.seq, f: f})
}

// After schedules a change d from now.
func (c *Core) After(d time.Duration, f func()) { c.At(c.now.Add(d), f) }

// change is one scheduled change.
type change struct {
	at  time.Time
	seq uint64
	f   func()
}

// agenda is a heap by time, then by sequence.
type agenda []change

func (a agenda) Len() int { return len(a) }
func (a agenda) Less(i, j int) bool {
	if c := a[i].at.Compare(a[j].at); c != 0 {
		return c < 0
	}
	return a[i].seq < a[j].seq
}
func (a agenda) Swap(i, j int) { a[i], a[j] = a[j], a[i] }
func (a *agenda) Push(x any)   { *a = append(*a, x.(change)) }
func (a *agenda) Pop() any {
	old := *a
	last := old[len(old)-1]
	old[len(old)-1] = change{}
	*a = old[:len(old)-1]
	return last
}
