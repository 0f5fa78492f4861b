package engine

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/kernel"
	"github.com/ebbhq/ebb/internal/plan"
)

// beats sends the heartbeats of hooks of which no kernel knows, because the journal is away: they decide nothing, so that they need none.
// It is pure, as a kernel is: it has no clock and sends nothing itself. A hook ends for it when AWS says so, at the deadline of its drain, or
// when a kernel knows of it again.
type beats struct {
	hooks map[fleet.Target]*beaten
	tick  time.Duration // how much earlier than a third of the timeout they are sent, where nobody looks in between
	calm  bool          // it is about to be seen which groups are excluded: hooks wait for that while they can

	swept    time.Time // when it last looked for that, or last tried
	sweeping bool      // a look is under way

	excluded map[string]bool // groups that an operator has excluded, as the last kernel or look saw them
}

// beaten is a hook and what came of its heartbeats.
type beaten struct {
	kernel.Hook
	flying bool
	again  time.Time // when a failed one is sent again
}

const (
	// beatsAtOnce bounds the heartbeats under way.
	beatsAtOnce = 40
	// beatAgain is how soon a failed one is sent again.
	beatAgain = 5 * time.Second
)

func newBeats(tick time.Duration) *beats {
	return &beats{hooks: map[fleet.Target]*beaten{}, tick: tick}
}

// keep takes up hooks. Of one that is known already it keeps what came of its heartbeats.
func (b *beats) keep(hooks ...kernel.Hook) {
	for _, h := range hooks {
		old, known := b.hooks[h.Target]
		switch {
		case !known:
			b.hooks[h.Target] = &beaten{Hook: h}
		case h.Drain != "" || old.Drain == "": // the kernel knows more than a message
			switch { // what a message says of the time moves no heartbeat back
			case old.Beaten && h.Last.Before(old.Last):
				h.Last, h.Beaten = old.Last, true
			case h.Drain == "" && !h.Beaten && old.Last.Before(h.Last):
				h.Last = old.Last
			}
			old.Hook = h
		}
	}
}

// saw takes in which hooks may be open, as a look at the groups has shown. Of one that is known already it says nothing new.
func (b *beats) saw(hooks []kernel.Hook) {
	b.sweeping = false
	for _, h := range hooks {
		if _, known := b.hooks[h.Target]; !known {
			b.keep(h)
		}
	}
}

// drop forgets the hooks of which a function says so.
func (b *beats) drop(which func(*beaten) bool) {
	maps.DeleteFunc(b.hooks, func(_ fleet.Target, h *beaten) bool { return which(h) })
}

// sorted are the hooks, the one that was beaten longest ago first.
func (b *beats) sorted() []*beaten {
	return slices.SortedFunc(maps.Values(b.hooks), func(x, y *beaten) int {
		if c := x.Last.Compare(y.Last); c != 0 {
			return c
		}
		return strings.Compare(x.Target.ID, y.Target.ID)
	})
}

// at is when the next heartbeat of a hook is due.
func (b *beats) at(h *beaten) time.Time {
	if !h.again.IsZero() {
		return h.again
	}
	if b.calm && !h.Begun {
		return h.Last.Add(h.Timeout / 2)
	}
	return h.Last.Add(max(h.Timeout/12, h.Timeout/3-b.tick))
}

// waits reports whether a hook waits for a look that is under way, which shows whether its group is excluded. In a pass that comes back at
// once; else a hook may need its heartbeat before.
func (b *beats) waits(h *beaten) bool { return b.tick > 0 && b.sweeping && !h.Begun }

// flying is how many heartbeats are under way.
func (b *beats) flying() (n int) {
	for _, h := range b.hooks { //ebb:any-order a count
		if h.flying {
			n++
		}
	}
	return n
}

// sweepDue is when to look which hooks are open: as often as a kernel does. Messages come late, or are lost.
func (b *beats) sweepDue() time.Time {
	every := time.Minute
	for _, h := range b.hooks { //ebb:any-order only the shortest timeout is taken
		every = max(min(every, h.Timeout/3), kernel.SweepFloor)
	}
	return b.swept.Add(every)
}

// next is when there is something to do before one of those under way comes back; zero: never. While the journal is away, nobody else looks
// which hooks are open.
func (b *beats) next(away bool) (at time.Time) {
	if away && !b.sweeping {
		at = b.sweepDue()
	}
	if b.flying() >= beatsAtOnce {
		return at
	}
	for _, h := range b.hooks { //ebb:any-order the earliest
		if due := b.at(h); !h.flying && !b.waits(h) && (at.IsZero() || due.Before(at)) {
			at = due
		}
	}
	return at
}

// due are the heartbeats to be sent now. Hooks whose deadline is over are forgotten.
func (b *beats) due(now time.Time) []plan.Request {
	b.drop(func(h *beaten) bool { return !now.Before(h.Until) })
	if at := b.next(false); at.IsZero() || at.After(now) {
		return nil
	}
	flying := b.flying()
	var out []plan.Request
	for _, h := range b.sorted() {
		if flying >= beatsAtOnce {
			break
		}
		if h.flying || b.waits(h) || b.at(h).After(now) {
			continue
		}
		h.flying = true
		flying++
		call := h.Call
		call.Expiring = true
		out = append(out, plan.Request{Action: &plan.Action{
			Kind: plan.Beat, Drain: h.Drain, Target: h.Target, Hook: &call, Why: "the journal is away, and the hook would run out",
		}})
	}
	return out
}

// did takes in what came of a heartbeat.
func (b *beats) did(done plan.Done, now time.Time) {
	h, ok := b.hooks[done.Request.Action.Target]
	if !ok {
		return
	}
	h.flying = false
	switch err := done.Outcome.Err; {
	case err == nil:
		h.Last, h.Beaten, h.again = done.Started, true, time.Time{}
	case err.Class == plan.Gone || err.Class == plan.Invalid: // AWS knows of no such hook, and will not
		delete(b.hooks, h.Target)
	default:
		h.again = now.Add(beatAgain)
	}
}
