package drain

import (
	"slices"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

// A task may leave because an operator says so: he rehearses an interruption, which stands in AWS, as a tag of the task, or he replaces it. Its
// targets go as with a notice. Then Ebb stops the task, because nobody else does: a task that runs without its targets is lost capacity.

// stopFor is how long Ebb tries to stop a task after the deadline of an operator's word.
const stopFor = 5 * time.Minute

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
	out := takenOut(c)
	if !d.toStop() {
		return out
	}
	if was.IsZero() && !d.Accepted.IsZero() {
		c.note("out", "AWS has accepted the deregistration of its targets")
	}
	if out {
		return true
	}
	c.wake(d.StopBy)
	if c.now.Before(d.StopBy) {
		return false
	}
	touched := func(act plan.ActionKind) bool { return !c.seen.Tried(act).Started.IsZero() }
	if d.Accepted.IsZero() && !touched(plan.Deregister) && !touched(plan.LeaveLattice) && !touched(plan.LeaveNames) && !someDrain(c) {
		c.close(Overdue, "its time is over before AWS was asked to take a target out"+c.trouble(plan.Services, plan.Targets)+"; it was left as it is", nil)
		return false
	}
	return true
}

// someDrain reports whether a target of the task has been taken out, and drains.
func someDrain(c *decider) bool {
	named, more, _, _ := ownTargets(c)
	return slices.ContainsFunc(slices.Concat(named, more), func(s plan.Subject) bool { return healthOf(c, s).Value.State == fleet.TargetDraining })
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
	c.close(Forced, "it was not stopped within "+stopFor.String()+" of its deadline, and runs without its targets"+failed(c.seen.Tried(plan.StopTask))+
		"; stop it: aws ecs stop-task --cluster "+c.d().Cluster+" --task "+c.d().Target.ID, nil)
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
