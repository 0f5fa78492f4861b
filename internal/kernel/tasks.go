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
	t := fleet.TaskTarget(e.Cluster, e.Task)
	d := drain.Drain{Target: t, Zero: cmp.Or(e.Time, h.Sent), Heard: now}
	d.Cluster = e.Cluster
	if d.Zero.IsZero() || d.Zero.After(now) {
		d.Zero = now
	}
	d.Key = taskSubject(t) + "/t" + d.Zero.UTC().Format("20060102T150405")
	subject := journal.Record{Key: d.Key}.Subject()
	switch _, host := k.ownerOf[e.Task]; {
	case k.open[t] != nil:
		k.Counts["duplicate"]++
		return true, "its targets are being taken out already"
	case host:
		return true, "it leaves with its host"
	case k.newer[subject] != nil:
		k.Counts["left alone"]++
		return true, "its record in the journal is open, and only a newer version of Ebb reads it"
	case k.aside[subject]:
		return h.Noted, "the journal takes no record of its drain"
	case k.recent[t] != nil: // a task leaves once
		k.Counts["late"]++
		return true, "drain " + k.recent[t].newest().key + " has ended"
	case now.Sub(d.Zero) > longAgo:
		k.Counts["late"]++
		return true, "its notice is older than " + longAgo.String()
	}
	man.Policy.Skew = k.cfg.Skew
	begunTask(k, &entry{d: d, man: man, scope: man.Scope(), since: now, dirty: true, fresh: true})
	k.line(now, d.Key, "heard", "ECS stops "+t.Name()+" of cluster "+e.Cluster+" with notice")
	return true, ""
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
