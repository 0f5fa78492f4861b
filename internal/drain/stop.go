package drain

import (
	"slices"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

// A task may leave because an operator says so: he rehearses an interruption, which stands in AWS, as a tag of the task, or he replaces it. Its
// targets go as with a notice. Then Ebb stops the task, because nobody else does: a task that runs without its targets is lost capacity.

// stopFor is how long one run of Ebb tries to stop a task once its time is over.
const stopFor = 5 * time.Minute

// stopUntil is when Ebb gives up. Each run of Ebb tries: the one before may have died. The passes of a function are runs of their own.
func stopUntil(c *decider) time.Time {
	d := c.d()
	if c.p.Tick > 0 {
		return d.StopBy.Add(12 * stopFor)
	}
	return Later(d.StopBy, c.seen.Since()).Add(stopFor)
}

// toStop reports whether an operator lets the task leave.
func (d *Drain) toStop() bool { return !d.StopBy.IsZero() }

// rehearsed takes in the word of an operator who rehearses the interruption of a task: the event alone stops nothing. A rehearsal has as long as a
// notice has.
func rehearsed(c *decider, f *fleet.Fact[fleet.Task]) {
	d := c.d()
	if !d.Rehearsed || d.toStop() || c.p.Observe || f.Is != fleet.Seen || !c.now.Before(f.Value.RehearsedUntil) {
		return
	}
	d.StopBy = d.Zero.Add(noticeFor)
	c.note("word", "its tag %s says so too: its targets go, and then it is stopped, at %s at the latest", fleet.RehearsalTag,
		d.StopBy.UTC().Format("15:04:05 UTC"))
}

// outInTime takes the targets out. At the deadline of an operator's word the task is stopped with what is in use still; if nothing was taken out, it
// is left as it is.
func outInTime(c *decider) bool {
	d, was := c.d(), c.d().Accepted
	if !d.toStop() {
		return takenOut(c)
	}
	over := !c.now.Before(d.StopBy)
	if over && !touched(c) {
		named, more, known, _ := ownTargets(c)
		if targets := slices.Concat(named, more); !known || !allSeen(c, targets) {
			c.out.Waiting = "to see whether its targets are in use"
			for _, s := range targets {
				c.want(s, healthOf(c, s).Is, healthOf(c, s).At, c.p.LookFast)
			}
			return false
		}
		c.close(Overdue, "its time is over before AWS was asked to take a target out; it was left as it is", nil)
		return false
	}
	c.wake(d.StopBy)
	out := takenOut(c)
	if was.IsZero() && !d.Accepted.IsZero() {
		c.note("out", "AWS has accepted the deregistration of its targets")
	}
	return out || over
}

// touched reports whether a target of the task was taken out, or may have been: also by a run of Ebb that died before it noted that.
func touched(c *decider) bool {
	for _, by := range outBy {
		if t := c.seen.Tried(by.act); t.Flying || !t.Started.IsZero() {
			return true
		}
	}
	named, more, known, _ := ownTargets(c)
	targets := slices.Concat(named, more)
	inUse := func(s plan.Subject) bool {
		h := healthOf(c, s)
		return h.Is == fleet.Unknown || h.Is == fleet.Seen && h.Value.InUse()
	}
	out := func(s plan.Subject) bool { return !inUse(s) }
	return !c.d().Accepted.IsZero() || known && (len(targets) == 0 || slices.ContainsFunc(targets, out))
}

// quiet reports whether no target drains any more: the load balancer sends no request and has closed its connections.
func quiet(c *decider) bool {
	named, more, _, _ := ownTargets(c)
	is := true
	for _, s := range slices.Concat(named, more) {
		h := healthOf(c, s)
		if h.Is == fleet.Absent || h.Is == fleet.Seen && !h.Value.InUse() && h.Value.State != fleet.TargetDraining {
			continue
		}
		is = false
		c.want(s, h.Is, h.At, 2*c.p.LookFast)
	}
	return is
}

// stops waits until the targets of the task have drained, but no longer than the deadline, and stops it.
func stops(c *decider) bool {
	d, f := c.d(), own(c)
	if !d.toStop() || f.Value.Leaves() {
		return true
	}
	if d.Quiet.IsZero() && quiet(c) {
		d.Quiet = c.now
		c.note("quiet", "no target drains any more")
	}
	if c.out.Waiting = "for its targets to drain"; d.Quiet.IsZero() && c.now.Before(d.StopBy) {
		c.wake(d.StopBy)
		return false
	}
	c.out.Waiting = "for ECS to stop it"
	lookAtTask(c, c.p.LookFast)
	if t := c.seen.Tried(plan.StopTask); c.ready(plan.StopTask) && (t.OK.IsZero() || f.At.After(t.OK.Add(c.p.Settle))) {
		if t.Started.IsZero() {
			c.note("stop", "ECS is asked to stop it")
		}
		why := "an operator replaces this task"
		if d.Rehearsed {
			why = "an operator rehearses the interruption of this task"
		}
		c.do(plan.Action{Kind: plan.StopTask, Why: why, Stop: &plan.TaskStop{Cluster: d.Cluster, Task: d.TaskARN(), Reason: "Ebb: " + why}})
	}
	return false
}

// notStopped ends the drain of a task that runs on.
func notStopped(c *decider) {
	why := ""
	if t := c.seen.Tried(plan.StopTask); t.Fails > 0 {
		why = ": " + t.Message
	}
	c.close(Forced, "it could not be stopped, and runs without its targets"+why+"; stop it: aws ecs stop-task --cluster "+c.d().Cluster+
		" --task "+c.d().Target.ID, nil)
}

// stopText says how a task was stopped, as the end of a sentence.
func stopText(d *Drain) string {
	switch {
	case !d.toStop():
		return ""
	case d.Quiet.IsZero():
		return "; its targets still drained when it was stopped"
	}
	return "; they had drained before it was stopped"
}
