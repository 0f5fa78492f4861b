package drain

import (
	"cmp"
	"fmt"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

// listed wants a list of the tasks that are desired to run, made late enough after DRAINING that a task placed just before cannot be
// missing from it. The list of the others is made while they stop.
func listed(c *decider) bool {
	if !c.listAfter(c.settled(), plan.ListRunning) {
		c.out.Waiting = "to list the tasks on it"
		return false
	}
	c.allListed()
	return true
}

// allListed lists the tasks with desired status STOPPED, at least the read lag after the RUNNING list. A task that had left the RUNNING
// list is in the STOPPED one by then, because a desired status never returns to RUNNING.
func (c *decider) allListed() bool {
	for _, at := range c.running.Starts {
		if at.Before(c.settled()) {
			continue
		}
		agreed := agrees(c)
		// The same for all container instances that were listed at once, so that they share calls.
		second := Later(at.Add(atOnce), Later(c.running.Whole, c.d().Agreed)).Add(c.settle())
		if over := Deadline(*c.d(), c.hook, c.p); len(c.stopped.Starts) == 0 && over.Before(second.Add(c.p.Settle)) {
			return c.listAfter(at, plan.ListStopped) // only to learn the names of what will be cut off
		}
		return agreed && c.listAfter(second, plan.ListStopped)
	}
	return false
}

// atOnce: lists that take no longer than this do not put off the next one.
const atOnce = 2 * time.Second

// agrees checks a list of the whole cluster, which comes in pages, against ECS's own count: AWS does not promise that no task is skipped
// when others go between two pages. Before the STOPPED list is begun, as many tasks must have been seen with desired status RUNNING after
// the count as were counted: they had it at the count too, so no other was counted.
func agrees(c *decider) bool {
	ci, d := c.container, c.d()
	if !c.running.Paged || ci.Is != fleet.Seen || ci.Value.Status != fleet.Draining || !d.Agreed.Before(c.running.Whole) {
		return true
	}
	if !c.countedSince(c.running.Whole.Add(c.p.Skew)) {
		return false
	}
	switch sure, possible := desiredToRun(c); {
	case c.counted() <= sure:
		d.Agreed = ci.At
		return true
	case c.counted() > possible:
		recount(c, c.running.Whole)
	default:
		c.lookAtContainer(c.p.Look)
		c.lookAfter(ci.At)
	}
	return false
}

// desiredToRun is how many of the known tasks were desired to run, for certain and at most, when ECS counted.
func desiredToRun(c *decider) (sure, possible int) {
	at := c.container.At
	for _, f := range c.tasks {
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
	for _, f := range c.tasks {
		if f.Is != fleet.Absent && (f.Is != fleet.Seen || f.Value.DesiredStatus != fleet.Stopped) && !f.At.After(at) {
			c.wantAt(plan.Subject{Kind: plan.Tasks, In: c.d().Cluster, ID: string(f.Value.ARN)}, c.now)
		}
	}
}

// countedSince reports whether the count was seen at or after a time, and wants it seen if not.
func (c *decider) countedSince(from time.Time) bool {
	if !c.container.At.Before(from) {
		return true
	}
	c.wantAt(c.d().registered(plan.ContainerInstances), Later(c.now, from))
	return false
}

func (c *decider) counted() int { return c.container.Value.Running + c.container.Value.Pending }

// recount wants to see the count again, and, once the count cannot be a read that lags, the list too.
func recount(c *decider, from time.Time) {
	if !c.countedSince(from) {
		return
	}
	c.lookAtContainer(c.p.LookFast)
	if c.container.At.Sub(from) > c.settle() {
		c.out.Uncounted = true
		c.wantAt(c.d().registered(plan.ListRunning), Later(c.now, c.running.Starts[len(c.running.Starts)-1].Add(c.p.Look)))
	}
}

// confirmed compares the lists with what ECS counts. ECS counts tasks with desired status RUNNING and says nothing of those that still
// stop; but if it counts more than are known to live, there is a task that the lists do not show.
func confirmed(c *decider) bool {
	if !c.allListed() {
		c.out.Waiting = "to list the tasks on it once more"
		return false
	}
	ci, counted := c.container, c.counted()
	if ci.Is != fleet.Seen || ci.Value.Status != fleet.Draining {
		return true
	}
	if counted <= len(c.liveTasks()) {
		c.out.Waiting = "to see once more how many tasks ECS counts on it"
		return c.countedSince(Later(c.settled(), c.now.Add(-2*c.p.LookSlow))) // and that it is still DRAINING
	}
	recount(c, c.d().EmptySince)
	c.out.Waiting = "for ECS to count no running task on it"
	if c.out.Uncounted {
		c.out.Waiting = fmt.Sprintf("for %d tasks that ECS counts and does not list", counted-len(c.liveTasks()))
	}
	return false
}

// Later is the later of two times.
func Later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// settled is the time from which a list cannot miss a task that was placed before DRAINING.
func (c *decider) settled() time.Time {
	// One that was deregistered and never seen DRAINING had nothing placed on it since Ebb heard of it.
	return cmp.Or(c.d().DrainingSince, c.d().Heard).Add(c.settle())
}

// settle is the longest read lag, as seen by any of the clocks.
func (c *decider) settle() time.Duration { return c.p.Settle + c.p.Skew }

// listAfter reports whether there is a list made at or after a time, and wants one if not.
func (c *decider) listAfter(from time.Time, kind plan.LookKind) bool {
	if lists := c.seen.Lists(kind).Starts; len(lists) > 0 && !lists[len(lists)-1].Before(from) {
		return true
	}
	c.wantAt(c.d().registered(kind), Later(c.now, from))
	return false
}

// untilWhen says until when the tasks are waited for at most, and how many of them ECS has not asked to stop.
func untilWhen(c *decider) string {
	text := ""
	if n := notAsked(c); n > 0 && !c.d().DrainingSince.IsZero() && c.now.Sub(c.d().DrainingSince) > stayingFor {
		text = fmt.Sprintf(", %d of which ECS has not asked to stop yet", n)
	}
	return text + ", until " + Deadline(*c.d(), c.hook, c.p).UTC().Format("2006-01-02 15:04:05 UTC") + " at the latest"
}

// notAsked counts the tasks of services that ECS still wants to run here.
func notAsked(c *decider) (n int) {
	for _, t := range c.liveTasks() {
		if t.Service() != "" && t.DesiredStatus == "RUNNING" {
			n++
		}
	}
	return n
}
