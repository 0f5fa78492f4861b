package kernel

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/plan"
)

// entry is one open drain with what this run of Ebb knows beside it.
type entry struct {
	// Read for each drain at each pass, so side by side.
	dirty bool // decide again
	fresh bool // not in the journal yet
	wake  time.Time
	wants []wanted
	few   bool // only so many of its pool may leave at once

	weighed bool // what is to be raised for its tasks has been raised

	man     Managed
	own     [3]any // facts of the target itself, as they are in the table; see view
	d       drain.Drain
	scope   string
	rev     int64
	tried   [plan.ActionKinds]drain.Try
	tasks   []*fleet.Fact[fleet.Task] // every task ever listed on it, by ARN
	running drain.Lists               // of its tasks with desired status RUNNING
	stopped drain.Lists               // of those with desired status STOPPED
	opened  time.Time                 // the deadline's zero when the drain was opened; it does not follow when that is corrected
	since   time.Time                 // looks that were started before it may tell of an earlier life of the target; zero: none can
	decided time.Time                 // when this kernel first decided about it
	state   *passState                // as it is in the journal
	waiting string
	telling telling
}

// lists are the complete lists of its tasks, for ListRunning or ListStopped.
func (e *entry) lists(k plan.LookKind) *drain.Lists {
	if k == plan.ListStopped {
		return &e.stopped
	}
	return &e.running
}

// drains are those that are open, and what is kept of those that have ended. Of a target one drain is open at most.
type drains struct {
	open   map[fleet.Target]*entry
	sorted []*entry // those that are open, by opened, then by the id of the target
	recent map[fleet.Target]*history
	newer  map[string]*UnknownRecord // open records that only a newer Ebb reads, by subject (journal.Record.Subject)
	aside  map[string]bool           // subjects of the drains that were let go, because the journal takes no record of them

	lingering []lingering
}

// Newer are the open records that only a newer Ebb reads, in the order of their keys. The kernel leaves them and what they are about alone.
func (d *drains) Newer() []*UnknownRecord {
	byKey := func(a, b *UnknownRecord) int { return strings.Compare(a.Key, b.Key) }
	return slices.SortedFunc(maps.Values(d.newer), byKey)
}

// begun adds a drain to those that are open.
func (k *Kernel) begun(e *entry) {
	if k.cfg.OnePass {
		e.man.Policy.Tick = Tick
	}
	k.open[e.d.Target] = e
	if e.d.ContainerInstance != "" {
		k.ownerOf[e.d.ContainerInstance] = e.d.Target
	}
	e.opened, e.few = e.d.Zero, e.man.MaxUnavailable != MaxUnavailable{}
	at, _ := slices.BinarySearchFunc(k.sorted, e, func(a, b *entry) int {
		return cmp.Or(a.opened.Compare(b.opened), strings.Compare(a.d.Target.ID, b.d.Target.ID))
	})
	k.sorted = slices.Insert(k.sorted, at, e)
}

// LetGo forgets an open drain of which the journal takes no record: nothing is done about its target any more. Of the requests of the last
// Next it returns those that do not act for it.
func (k *Kernel) LetGo(key string, do []plan.Request, now time.Time) []plan.Request {
	if k.counts[key] != nil {
		return letCountGo(k, key, do)
	}
	i := slices.IndexFunc(k.sorted, func(e *entry) bool { return e.d.Key == key })
	if i < 0 {
		return do
	}
	e := k.sorted[i]
	mine := func(arn fleet.ARN) bool { return arn == e.d.ContainerInstance }
	first := slices.ContainsFunc(do, func(r plan.Request) bool {
		return r.Action != nil && r.Action.State != nil && slices.ContainsFunc(r.Action.State.ContainerInstances, mine)
	})
	gone := known[fleet.GroupInstance](k.facts, groupInstance(e.d.Target)).Is == fleet.Absent
	if e.few && !gone && e.leaves(k.container(e.d.Target), !first) {
		timeout := 2 * time.Hour // the longest that AWS allows
		if h := k.hook(e.d.Group); h.Is == fleet.Seen {
			timeout = h.Value.Heartbeat
		}
		k.lingering = append(k.lingering, lingering{e.pool(), e.d.Target, now.Add(timeout)})
	}
	k.sorted = slices.Delete(k.sorted, i, i+1)
	k.forget(e)
	delete(k.open, e.d.Target)
	k.wakeQueued(e.pool())
	k.aside[journal.Record{Key: key}.Subject()] = true
	k.Counts["set aside drain"]++
	return slices.DeleteFunc(do, func(r plan.Request) bool {
		a := r.Action
		if a == nil {
			return false
		}
		if a.State != nil {
			a.State.ContainerInstances = slices.DeleteFunc(a.State.ContainerInstances, mine)
		}
		over := a.Drain == key || a.State != nil && len(a.State.ContainerInstances) == 0
		if over {
			delete(k.flying, r.ID)
		}
		return over
	})
}
