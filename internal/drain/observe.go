package drain

import (
	"fmt"
	"slices"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
)

// A drain that is only observed decides as any other, but asks for nothing but looks. What it would have done it notes, each thing once.
// It goes on as far as somebody else takes the host out of service, and ends when the group says that the hook is over.

// watchOrDo follows the configuration: a drain is observed or carried out as the mode of its group says now.
func watchOrDo(c *decider) {
	d := c.d()
	if d.Observed == c.p.Observe {
		return
	}
	if d.Observed {
		d.Intent = nil // it is decided again, and done this time
		c.note("mode", "the mode of group %s is drain now: from here on Ebb drains %s", d.Group, d.Target.ID)
	} else {
		c.note("mode", "the mode of group %s is observe: Ebb only watches %s, and calls nothing but reads", d.Group, d.Target.ID)
	}
	d.Observed, d.Would, d.Asked = c.p.Observe, nil, time.Time{}
}

// would notes once what Ebb would do if it did more than watch.
func would(c *decider, format string, args ...any) {
	d, what := c.d(), fmt.Sprintf(format, args...)
	if slices.Contains(d.Would, what) || len(d.Would) >= mostNames {
		return
	}
	d.Would = append(slices.Clone(d.Would), what)
	c.note("would", "would %s", what)
}

// queued notes that the drain has to wait before it begins.
func queued(c *decider) {
	if c.d().Observed {
		would(c, "wait %s", c.out.Waiting)
		return
	}
	c.note("queued", "waits %s", c.out.Waiting)
}

// paused waits until an operator's pause is over. Its host is not DRAINING, so its deadline counts from when it begins. A call that was to
// be made, or that failed, is not made meanwhile.
func paused(c *decider, t Slot) {
	d := c.d()
	c.out.Waiting, d.Slot, d.Asked = "because "+t.Paused, time.Time{}, time.Time{}
	c.wake(t.Until)
	if d.Queued.IsZero() {
		d.Queued = c.now
		queued(c)
	}
}

// wouldSetDraining waits for somebody else to set DRAINING.
func wouldSetDraining(c *decider, ci fleet.ContainerInstance) {
	if d := c.d(); d.Asked.IsZero() {
		d.Asked = c.now
	}
	would(c, "set %s DRAINING in cluster %s", ci.ARN.Name(), ci.Cluster)
	c.out.Waiting = "for somebody else to set DRAINING: Ebb only watches"
	c.lookAtContainer(c.p.Look)
}

// watched: Ebb would have answered the hook. What it would have done afterwards nobody can know, so it only waits for the end.
func watched(c *decider) bool {
	if !c.d().Observed || c.d().Intent == nil {
		return false
	}
	answeredElsewhere(c)
	return true
}

// answeredElsewhere waits until the group says that the hook is over.
func answeredElsewhere(c *decider) {
	c.out.Waiting = "for the hook to end: Ebb only watches, and would have answered at " + c.d().Intent.At.UTC().Format("15:04:05 UTC")
	c.lookAtGroup(c.p.Look)
}

// notSeen reports whether the deadline of a drain that is only observed says nothing: nobody has set DRAINING, so what would have become
// of its tasks by now cannot be seen.
func notSeen(c *decider) bool {
	d := c.d()
	if !d.Observed || d.Asked.IsZero() || d.onlyNoticed() {
		return false
	}
	c.out.Waiting = "for the hook to end: nobody has set DRAINING, so Ebb cannot see what it would have done"
	c.lookAtGroup(c.p.Look)
	return true
}

// unasked says, for the reason of an ending, that nobody did what Ebb would have done first.
func unasked(c *decider) string {
	if c.d().Asked.IsZero() {
		return ""
	}
	return ", and nobody had set it DRAINING"
}
