package kernel

import (
	"fmt"
	"slices"
	"time"

	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

// MaxUnavailable is how many instances of a group may leave at once. The zero MaxUnavailable means unlimited.
type MaxUnavailable struct {
	Count   int
	Percent int // of the instances that the group has, those that leave included; rounded down, but at least one
}

// String spells the limit as it is configured.
func (l MaxUnavailable) String() string {
	if l.Percent > 0 {
		return fmt.Sprintf("%d%%", l.Percent)
	}
	return fmt.Sprint(l.Count)
}

// of is how many may leave of a group of this size.
func (l MaxUnavailable) of(size int) int {
	if l.Percent > 0 {
		return max(1, size*l.Percent/100)
	}
	return l.Count
}

// pool is what a limit counts: the targets of one group in one scope.
type pool struct{ scope, group string }

func (e *entry) pool() pool { return pool{e.scope, e.d.Group} }

// lingering is a host that leaves although its drain was let go, or ended as Auto Scaling began to terminate it: until its hook must have run
// out, or its group does not have it any more, it counts all the same.
type lingering struct {
	pool   pool
	target fleet.Target
	until  time.Time
}

// lingers counts a host on whose drain has ended, if Auto Scaling terminates it because Ebb has asked for that.
func (k *Kernel) lingers(scope string, d *drain.Drain) {
	const longest = 2 * time.Hour // that a sweep may not have told whether it has left
	man, ok := k.cfg.managed(d.Group)
	asked := unheld(d) && (d.Noticed == "" || d.Noticed == drain.Rebalance) && d.Intent != nil && d.Final.Outcome == d.Intent.Outcome
	if ok && man.MaxUnavailable != (MaxUnavailable{}) && asked && !d.Final.Stays {
		k.lingering = append(k.lingering, lingering{pool{scope, d.Group}, d.Target, d.Ended.Add(longest)})
	}
}

// isLeaving reports whether a drain counts against the limit: it has a slot, or somebody else set it DRAINING.
func (k *Kernel) isLeaving(e *entry) bool {
	ci := k.container(e.d.Target)
	return !e.d.Slot.IsZero() || len(e.d.Taken) > 0 || !e.d.DrainingSince.IsZero() || ci.Is == fleet.Seen && ci.Value.Status == fleet.Draining
}

// leaves reports whether the host of a drain is DRAINING, or may be: it was asked of ECS. A slot alone is given back. sent says that a call
// under way is not one of those that are about to be dropped.
func (e *entry) leaves(ci fleet.Fact[fleet.ContainerInstance], sent bool) bool {
	try := e.tried[plan.SetDraining]
	return !e.d.DrainingSince.IsZero() || ci.Is == fleet.Seen && ci.Value.Status == fleet.Draining || !try.Started.IsZero() || try.Flying && sent
}

// countLeaving counts how many of each pool with a limit leave, before anything is decided.
func (k *Kernel) countLeaving(now time.Time) {
	k.leave = map[pool]int{}
	k.lingering = slices.DeleteFunc(k.lingering, func(l lingering) bool {
		if now.After(l.until) || k.open[l.target] != nil && k.container(l.target).Is != fleet.Unknown { // then its drain counts
			k.wakeQueued(l.pool)
			return true
		}
		k.leave[l.pool]++
		return false
	})
	for _, e := range k.sorted {
		if e.few && k.isLeaving(e) {
			k.leave[e.pool()]++
		}
	}
}

// countSlot keeps the count right while drains decide one after another.
func countSlot(k *Kernel, e *entry, now *drain.Drain) {
	if e.few && e.d.Slot.IsZero() && !now.Slot.IsZero() {
		k.leave[e.pool()]++
	}
}

// slot says whether a drain of a pool with a limit may begin to leave. Of a group whose size is not known, one may: a sweep that fails for
// ever must not hold all.
func (k *Kernel) slot(e *entry) drain.Slot {
	s := k.pauseOf(e)
	s.Excluded, s.Unread = k.excluded[e.d.Group], k.swept.IsZero()
	if e.few {
		s.Limited, s.Leave, s.Limit = true, k.leave[e.pool()], e.man.MaxUnavailable.of(k.groups[e.d.Group])
	}
	return s
}

// wakeQueued lets the drains of a pool that wait for a slot decide again.
func (d *drains) wakeQueued(p pool) {
	for _, e := range d.sorted {
		if e.few && e.pool() == p && e.d.Slot.IsZero() {
			e.dirty = true
		}
	}
}
