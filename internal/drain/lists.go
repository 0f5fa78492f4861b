package drain

import (
	"fmt"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

// listed wants a list of the tasks that are desired to run, made late enough after DRAINING that a task placed just before cannot be
// missing from it. The list of the others is made while they stop.
func listed(c *decider) bool {
	if !c.listAfter(c.settled(), plan.ListRunning, c.o.Running) {
		c.out.Waiting = "to list the tasks on it"
		return false
	}
	c.allListed()
	return true
}

// allListed wants the list of the tasks that are desired to stop, later than that of the others by as much as reads may lag: whatever was
// not in the one any more is in the other by then, for what is desired to stop stays so.
func (c *decider) allListed() bool {
	for _, at := range c.o.Running {
		if at.Before(c.settled()) {
			continue
		}
		agreed := c.agrees()
		second := later(at.Add(atOnce), later(c.o.Whole, c.d().Agreed)).Add(c.settle()) // the same for all that were listed at once, so that they share calls
		if over := Deadline(*c.d(), c.o.Hook, c.p); len(c.o.Stopped) == 0 && over.Before(second.Add(c.p.Settle)) {
			return c.listAfter(at, plan.ListStopped, c.o.Stopped) // there is no time for more than to learn the names of what will be cut off
		}
		return agreed && c.listAfter(second, plan.ListStopped, c.o.Stopped)
	}
	return false
}

// atOnce is how long a list may take without putting off the next.
const atOnce = 2 * time.Second

// agrees holds a list of the whole cluster against what ECS counts: AWS does not say that no task is skipped when others go between two
// pages. Before the list of those that stop is begun, as many tasks must have been seen to be desired to run, after the count, as were counted:
// what is desired to run then was so at the count too, so no other was counted.
func (c *decider) agrees() bool {
	ci, d := c.o.Container, c.d()
	if !c.o.Paged || ci.Is != fleet.Seen || ci.Value.Status != fleet.Draining || !d.Agreed.Before(c.o.Whole) {
		return true
	}
	if !c.countedSince(c.o.Whole.Add(c.p.Skew)) {
		return false
	}
	switch sure, possible := c.desiredToRun(); {
	case c.counted() <= sure:
		d.Agreed = ci.At
		return true
	case c.counted() > possible:
		c.recount(c.o.Whole)
	default:
		c.lookAtContainer(c.p.Look)
		c.lookAfter(ci.At)
	}
	return false
}

// desiredToRun is how many of the known tasks were desired to run, for certain and at most, when ECS counted.
func (c *decider) desiredToRun() (sure, possible int) {
	at := c.o.Container.At
	for i := range c.o.Tasks {
		f := &c.o.Tasks[i]
		stopping := f.Is == fleet.Absent || f.Is == fleet.Seen && f.Value.DesiredStatus == fleet.Stopped
		switch {
		case f.Is == fleet.Seen && !stopping && f.At.After(at):
			sure++
			possible++
		case !stopping || f.At.After(at):
			possible++
		}
	}
	return sure, possible
}

// lookAfter wants the tasks that may be desired to run looked at after a time.
func (c *decider) lookAfter(at time.Time) {
	for i := range c.o.Tasks {
		if f := &c.o.Tasks[i]; f.Is != fleet.Absent && (f.Is != fleet.Seen || f.Value.DesiredStatus != fleet.Stopped) && !f.At.After(at) {
			c.wantAt(plan.Subject{Kind: plan.Tasks, In: c.d().Cluster, ID: string(f.Value.ARN)}, c.now)
		}
	}
}

// countedSince reports whether the count was seen at or after a time, and wants it seen if not.
func (c *decider) countedSince(from time.Time) bool {
	if !c.o.Container.At.Before(from) {
		return true
	}
	c.wantAt(plan.Subject{Kind: plan.ContainerInstances, In: c.d().Cluster, ID: string(c.d().ContainerInstance)}, later(c.now, from))
	return false
}

func (c *decider) counted() int { return c.o.Container.Value.Running + c.o.Container.Value.Pending }

// recount wants to see the count again, and once it is no read that lags, the list.
func (c *decider) recount(from time.Time) {
	if !c.countedSince(from) {
		return
	}
	c.lookAtContainer(c.p.LookFast)
	if c.o.Container.At.Sub(from) > c.settle() {
		c.out.Uncounted = true
		c.wantAt(plan.Subject{Kind: plan.ListRunning, In: c.d().Cluster, ID: string(c.d().ContainerInstance)}, later(c.now, c.o.Running[len(c.o.Running)-1].Add(c.p.Look)))
	}
}

// confirmed holds the lists against what ECS counts. Its count is of tasks that are desired to run: it says nothing of those that still
// stop, but should it be more than are known to live there is a task that the lists do not show.
func confirmed(c *decider) bool {
	if !c.allListed() {
		c.out.Waiting = "to list the tasks on it once more"
		return false
	}
	ci, counted := c.o.Container, c.counted()
	if ci.Is != fleet.Seen || ci.Value.Status != fleet.Draining {
		return true
	}
	if counted <= len(c.liveTasks()) {
		c.out.Waiting = "to see once more how many tasks ECS counts on it"
		return c.countedSince(later(c.settled(), c.now.Add(-2*c.p.LookSlow))) // and that it is still DRAINING
	}
	c.recount(c.d().EmptySince)
	c.out.Waiting = "for ECS to count no running task on it"
	if c.out.Uncounted {
		c.out.Waiting = fmt.Sprintf("for %d tasks that ECS counts and does not list", counted-len(c.liveTasks()))
	}
	return false
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// settled is when a list cannot miss a task that was placed before DRAINING any more.
func (c *decider) settled() time.Time {
	from := c.d().DrainingSince
	if from.IsZero() {
		from = c.d().Heard // deregistered, never seen DRAINING: nothing can have been placed since
	}
	return from.Add(c.settle())
}

// settle is how much later, by any clock, a read shows what was true before.
func (c *decider) settle() time.Duration { return c.p.Settle + c.p.Skew }

// after reports whether the newest list was made at or after a time.
func after(lists []time.Time, from time.Time) bool {
	return len(lists) > 0 && !lists[len(lists)-1].Before(from)
}

// listAfter reports whether there is a list made at or after a time, and wants one if not.
func (c *decider) listAfter(from time.Time, kind plan.LookKind, lists []time.Time) bool {
	if after(lists, from) {
		return true
	}
	c.wantAt(plan.Subject{Kind: kind, In: c.d().Cluster, ID: string(c.d().ContainerInstance)}, later(c.now, from))
	return false
}
