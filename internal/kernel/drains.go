package kernel

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/fleet"
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

	man     Managed
	own     [3]any // facts of the target itself, as they are in the table; see view
	d       drain.Drain
	scope   string
	rev     int64
	tried   [plan.ActionKinds]drain.Try
	tasks   []*fleet.Fact[fleet.Task] // every task ever listed on it, by ARN; each is among the facts
	running drain.Lists               // of its tasks with desired status RUNNING
	stopped drain.Lists               // of those with desired status STOPPED
	opened  time.Time                 // the deadline's zero when the drain was opened; it does not follow when that is corrected
	since   time.Time                 // looks that were started before it may tell of an earlier life of the target; zero: none can
	state   *passState                // as it is in the journal
	waiting string
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
	newer  map[string]bool // subjects (journal.Record.Subject) of the open records that only a newer Ebb reads
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
