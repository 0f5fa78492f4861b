package kernel

import (
	"cmp"
	"time"

	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/journal"
)

// hearTask opens the drain of a task that ECS is said to stop.
func hearTask(k *Kernel, h Heard, now time.Time) (ack bool, why string) {
	e := h.Event
	man, ok := k.cfg.tasksOf(e.Cluster)
	if !ok {
		k.Counts["foreign"]++
		return h.Noted || !k.cfg.LeaveForeign, "cluster " + e.Cluster + " is not managed here" // a forwarded message has no other reader
	}
	if !k.cfg.mine(man.Scope()) {
		return forward(k, h, man.Scope()), "noted for the Ebb that works for " + man.Scope()
	}
	t, zero := fleet.TaskTarget(e.Cluster, e.Task), cmp.Or(e.Time, h.Sent, now)
	switch why := notBegun(k, t); {
	case why != "":
		return h.Noted || !k.aside[taskSubject(t)], why
	case e.Rehearsal && !man.Rehearsals:
		k.Counts["refused rehearsals"]++
		return true, "it is a rehearsal, and the configuration does not say allow_rehearsal for cluster " + e.Cluster
	case now.Sub(zero) > longAgo:
		k.Counts["late"]++
		return true, "its notice is older than " + longAgo.String()
	}
	how := "ECS stops " + t.Name() + " of cluster " + e.Cluster + " with notice"
	if e.Rehearsal {
		how = "an operator rehearses that " + how
	}
	beginTask(k, t, man, e.Service, zero, now, how)
	k.open[t].d.Rehearsed = e.Rehearsal
	return true, ""
}

// notBegun is why no drain is to be opened of a task; empty: one is.
func notBegun(k *Kernel, t fleet.Target) string {
	_, host := k.ownerOf[fleet.ARN(t.ID)]
	switch {
	case k.open[t] != nil:
		k.Counts["duplicate"]++
		return "its targets are being taken out already"
	case host:
		return "it leaves with its host"
	case k.newer[taskSubject(t)] != nil:
		k.Counts["left alone"]++
		return "its record in the journal is open, and only a newer version of Ebb reads it"
	case k.aside[taskSubject(t)]:
		return "the journal takes no record of its drain"
	case k.recent[t] != nil && !k.recent[t].newest().stayed: // a task leaves once
		k.Counts["late"]++
		return "drain " + k.recent[t].newest().key + " has ended"
	}
	return ""
}

// beginTask opens a drain. Its zero never lies in the future: clocks differ. Service is the name that the event gives, or empty: Ebb looks at
// the service at the same time as at the task, and does not wait for the one before the other.
func beginTask(k *Kernel, t fleet.Target, man Managed, service string, zero, now time.Time, how string) {
	if zero.After(now) {
		zero = now
	}
	key := k.recent[t].unused(taskSubject(t) + "/t" + zero.UTC().Format("20060102T150405"))
	d := drain.Drain{Key: key, Target: t, Zero: zero, Heard: now}
	d.Cluster = t.Scope
	man.Policy.Skew = k.cfg.Skew
	e := &entry{d: d, man: man, scope: man.Scope(), since: now, dirty: true, fresh: true}
	begunTask(k, e)
	if service != "" {
		e.tasks[0].Value.Group = "service:" + service
	}
	k.line(now, d.Key, "heard", how)
}

// ToStop is the record of a drain of a task that an operator replaces, for an Ebb that has no journal but one of its own. Its targets are those
// of an EC2 instance, unless the instance is empty.
func ToStop(t fleet.Task, on fleet.InstanceID, by, now time.Time) journal.Record {
	target := fleet.TaskTarget(t.Cluster, t.ARN)
	d := drain.Drain{Key: taskSubject(target) + "/w" + now.UTC().Format("20060102T150405"), Target: target, Zero: now, Heard: now}
	d.Cluster, d.StopBy, d.On = t.Cluster, by, on
	return recordOf(&entry{d: d, scope: clusterScope(t.Cluster)})
}

// longAgo: of a notice that is older the task has gone: it was to last two minutes.
const longAgo = 10 * time.Minute

// taskSubject is what the key of a drain of a task begins with. No group and instance is called so: an instance id has no slash.
func taskSubject(t fleet.Target) string { return "task/" + t.Scope + "/" + fleet.ARN(t.ID).Name() }

// begunTask adds the drain of a task: of its tasks it is the only one.
func begunTask(k *Kernel, e *entry) {
	k.begun(e)
	k.listed(fleet.ARN(e.d.Target.ID), e.d.Target)
}

func sawTasks(o *observer, a answer) {
	seen := map[string]bool{}
	for _, t := range a.Result.View.Tasks {
		seen[string(t.ARN)] = true
		if e := o.open[o.ownerOf[t.ARN]]; e != nil {
			o.putTask(e, t.ARN, fleet.Seen, a.Started, t)
		}
	}
	sawStopped(o, a)
	for _, s := range a.Subjects {
		arn := fleet.ARN(s.ID)
		if e := o.open[o.ownerOf[arn]]; e != nil && !seen[s.ID] && !a.failed[s.ID] {
			o.putTask(e, arn, fleet.Absent, a.Started, fleet.Task{ARN: arn})
		}
	}
}
