package kernel

import (
	"fmt"

	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/fleet"
)

// MaxUnavailable is the budget of a group: how many of its instances may leave at once. The zero MaxUnavailable is none at all.
type MaxUnavailable struct {
	Count   int
	Percent int // of the instances that the group has, those that leave included; rounded down, but never less than one
}

// String spells the limit as it is configured.
func (l MaxUnavailable) String() string {
	if l.Percent > 0 {
		return fmt.Sprintf("%d%%", l.Percent)
	}
	return fmt.Sprint(l.Count)
}

// of is how many may leave of a group of some size.
func (l MaxUnavailable) of(size int) int {
	if l.Percent > 0 {
		return max(1, size*l.Percent/100)
	}
	return l.Count
}

// budgeted reports whether only so many of a drain's group may leave at once.
func (e *entry) budgeted() bool { return e.man.MaxUnavailable != MaxUnavailable{} }

// isLeaving reports whether a drain counts against the budget of its group: its turn has come, or somebody else set it DRAINING.
func (k *Kernel) isLeaving(e *entry) bool {
	ci := k.facts.containers[e.d.Instance]
	return !e.d.Slot.IsZero() || !e.d.DrainingSince.IsZero() || ci.Is == fleet.Seen && ci.Value.Status == fleet.Draining
}

// countLeaves counts how many of each group with a budget leave, before anything is decided.
func (k *Kernel) countLeaves() {
	k.leaves = map[string]int{}
	for _, e := range k.order {
		if e.budgeted() && k.isLeaving(e) {
			k.leaves[e.d.Group]++
		}
	}
}

// counted keeps the count true while drains decide one after another.
func (k *Kernel) counted(e *entry, now *drain.Drain) {
	if e.budgeted() && e.d.Slot.IsZero() && !now.Slot.IsZero() {
		k.leaves[e.d.Group]++
	}
}

// turn1 says whether a drain of a group with a budget may begin. One may of a group whose size is not known: a sweep that fails for ever must
// not hold all.
func (k *Kernel) turn1(e *entry) drain.Slot {
	if !e.budgeted() {
		return drain.Slot{}
	}
	return drain.Slot{Limited: true, Leave: k.leaves[e.d.Group], Limit: e.man.MaxUnavailable.of(k.groups[e.d.Group])}
}

// wakeQueued lets those decide who wait for their turn in a group.
func (k *Kernel) wakeQueued(group string) {
	for _, e := range k.order {
		if e.d.Group == group && e.budgeted() && e.d.Slot.IsZero() {
			e.dirty = true
		}
	}
}
