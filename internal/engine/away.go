package engine

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/event"
	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/kernel"
	"github.com/ebbhq/ebb/internal/plan"
)

// journalTimeout is how long one call of the journal may take: a hook must not run out while one is waited for.
const journalTimeout = 15 * time.Second

// sayAgain is how often the log says that the journal is away.
const sayAgain = time.Minute

// longestPause is how long it waits at most before it reads a journal again that failed again and again. Each kernel begins with a sweep,
// and one that cannot write ends with its first decision.
const longestPause = 15 * time.Second

// Pause is how long to wait before Load after the journal failed: twice as long each time, until something was written, or a minute is over.
func (c *Core) Pause() time.Duration {
	now := c.cfg.Clock()
	if now.Sub(c.failed) > time.Minute {
		c.pause = 0
	}
	c.failed = now
	c.cfg.Meter.JournalFailed()
	c.pause = min(max(2*c.pause, errorPause), longestPause)
	return c.pause
}

// isAway reports whether an error says that the journal cannot be used, and not that another Ebb has written it or that it refused something.
func isAway(err error) bool {
	return err != nil && !errors.Is(err, ErrLeases) && !errors.Is(err, journal.ErrConflict) && !refused(err)
}

// Beats are the heartbeats that are due for hooks of which no kernel knows. They may be sent whatever the journal does.
func (c *Core) Beats() []plan.Request {
	if len(c.beats.hooks) == 0 && c.away.IsZero() && len(c.under) > 0 {
		return nil
	}
	c.beats.drop(func(h *beaten) bool { return c.Leases.Elsewhere(h.Scope) })
	switch err := c.Leases.Err(); {
	case c.Works():
	case err != nil:
		c.Away(err)
	case c.Kernel != nil && !c.away.IsZero():
		c.back("stands by: another ebb works")
	}
	now := c.cfg.Now()
	var due []plan.Request
	if !c.away.IsZero() && c.cfg.Kernel.Sweeps() && !c.beats.sweeping && !c.beats.sweepDue().After(now) {
		look := c.cfg.Kernel.SweepLook(func(scope string) bool { return !c.Leases.Elsewhere(scope) })
		c.beats.swept, c.beats.sweeping = now, true
		due = append(due, plan.Request{Look: &look})
	}
	c.beats.calm = c.beats.sweeping || c.Works() && !c.Kernel.Swept()
	return append(due, c.beats.due(now)...)
}

// BeatsDue says when to call Beats, by the clock of the cloud; zero: not for now.
func (c *Core) BeatsDue() time.Time { return c.beats.next(!c.away.IsZero() && c.cfg.Kernel.Sweeps()) }

// keepAlive keeps the hook alive of which a message tells.
func (c *Core) keepAlive(m event.Message) {
	now := c.cfg.Now()
	c.remember()
	if h, ours := c.cfg.Kernel.Opened(event.Parse([]byte(m.Body)), m.Sent, now); ours && !c.left(h) {
		c.beats.keep(h)
	}
}

// remember keeps what a kernel knows that heartbeats need: its hooks, and the groups that an operator has excluded.
func (c *Core) remember() []kernel.Hook {
	if c.Kernel == nil {
		return nil
	}
	hooks, excluded := c.Kernel.Hooks()
	if excluded != nil {
		c.beats.excluded = excluded
		c.beats.drop(func(h *beaten) bool { return c.left(h.Hook) })
	}
	return slices.DeleteFunc(hooks, c.left)
}

// left reports whether an operator has excluded the group of a hook, as far as is known.
func (c *Core) left(h kernel.Hook) bool { return c.beats.excluded[h.Call.Group] && !h.Begun }

// beaten takes in what came of a heartbeat of Beats. Its kernel may be there again by now.
func (c *Core) beaten(done plan.Done) {
	if done.Request.Look != nil {
		if done.Result.Err == nil {
			c.beats.excluded = map[string]bool{}
			for _, g := range done.Result.View.Groups {
				c.beats.excluded[g.Name] = g.Excluded
			}
			c.beats.drop(func(h *beaten) bool { return c.left(h.Hook) })
		}
		c.beats.saw(c.cfg.Kernel.Waiting(done.Result.View.Groups, c.cfg.Now()))
		return
	}
	c.beats.did(done, c.cfg.Now())
	if c.Kernel != nil && done.Outcome.Err == nil {
		c.Kernel.Beaten(kernel.Hook{Target: done.Request.Action.Target, Last: done.Started, Beaten: true})
	}
}

// handOver tells a kernel of the heartbeats that were sent meanwhile, so that it does not send them all again. Hooks of its scopes that it
// does not know are kept until its sweep: until then it can be forgotten again, and nobody else keeps them alive.
func (c *Core) handOver() {
	c.beats.drop(func(h *beaten) bool {
		_, ours := c.under[h.Scope]
		return ours && (c.Kernel.Beaten(h.Hook) || c.Kernel.Swept())
	})
	if c.Works() && !c.away.IsZero() {
		c.back("works again")
	}
}

func (c *Core) back(what string) {
	c.cfg.Log.Info("the journal is back; "+what, "after", c.cfg.Clock().Sub(c.away).Round(time.Second).String())
	c.away, c.said = time.Time{}, time.Time{}
}

// Away says in the log that the journal is away, at once and then each minute, with what is known to be held.
func (c *Core) Away(err error) {
	now := c.cfg.Clock()
	if c.away.IsZero() {
		c.away = now
	}
	if !c.said.IsZero() && now.Sub(c.said) < sayAgain {
		return
	}
	c.said = now
	var names []string
	for _, h := range c.beats.sorted() {
		names = append(names, h.Target.ID)
	}
	const most = 20
	shown := strings.Join(names[:min(len(names), most)], ", ")
	if len(names) > most {
		shown += ", ..."
	}
	c.cfg.Log.Warn("the journal cannot be used: nothing new is begun, and no hook is answered; heartbeats of the hooks that are known go on, "+
		"each until the deadline of its drain", "since", c.away.UTC().Format(time.RFC3339), "hooks", len(names), "instances", shown, "err", err)
}
