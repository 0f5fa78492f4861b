package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/ebbhq/ebb/internal/event"
	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/kernel"
	"github.com/ebbhq/ebb/internal/lease"
	"github.com/ebbhq/ebb/internal/plan"
)

// ErrLeases: this Ebb does not certainly hold the leases any more under which its kernel works. Forget the kernel and load it again.
var ErrLeases = errors.New("other leases are held")

// forwardedPause is how often an Ebb that lives on looks for messages that other Ebbs have forwarded to it.
const forwardedPause = 2 * time.Second

// How many ended drains are read, to recognise late messages by.
const (
	recentDrains        = 1000
	recentDrainsOnePass = 200
)

// Core is one Ebb in one thread. Its driver brings messages and results, calls Step when it is due, carries out the requests that it hands
// out, and after an error calls Forget and Load. It never waits, except for the journal.
type Core struct {
	Leases  *Leases
	cfg     Config
	settled func(kernel.Verdict) // called when the effect of a message is durable

	Kernel    *kernel.Kernel               // nil: not loaded; a new one each time, so that results of an earlier one are known by it
	under     map[string]journal.Lease     // those under which the kernel works: held before the journal was read for it
	forwarded map[string]journal.Forwarded // what the kernel has heard of the journal's, and is not discarded there yet; by message id
	OnNotice  func()                       // called when a notice for people is durable; nil: nobody wants to know
	OnAsk     func(kernel.Ask)             // called for each question of the kernel once that is durable; nil: nobody answers
	changed   bool                         // something was heard or came back since the kernel decided
	wake      time.Time                    // when the kernel wants to decide again, by cfg.Now
	looked    time.Time                    // when forwarded messages were last looked for, by cfg.Clock
	until     time.Time                    // it begins nothing from then on, by cfg.Clock; zero: never
	aside     int                          // how often the journal refused something for good

	beats  *beats        // of the hooks that no kernel knows, while the journal is away
	away   time.Time     // since when the journal is away, by cfg.Clock; zero: it is not
	said   time.Time     // when the log last said so
	failed time.Time     // when the journal last failed, by cfg.Clock
	pause  time.Duration // before it is read again
}

// NewCore returns the core of an Ebb that lives on, not loaded yet. Each message that it settles it settles with cfg.Source.
func NewCore(cfg Config) *Core {
	cfg = cfg.withDefaults()
	c := newCore(cfg, newLeases(cfg, lease.Serve()))
	c.settled = c.settleSource
	return c
}

func newCore(cfg Config, leases *Leases) *Core {
	tick := time.Duration(0)
	if cfg.Kernel.OnePass {
		tick = kernel.Tick
	}
	return &Core{cfg: cfg, Leases: leases, forwarded: map[string]journal.Forwarded{}, beats: newBeats(tick)}
}

// Load starts a new kernel from the journal, for the scopes whose leases are held.
func (c *Core) Load(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, journalTimeout)
	defer cancel()
	cfg, onePass := c.cfg.Kernel, c.cfg.Kernel.OnePass
	if !onePass { // a pass sweeps before it decides
		cfg.Excluded = c.beats.excluded
	}
	cfg.Held = c.Leases.Held() // before the journal is read: from here on nobody else writes of these scopes
	var open []journal.Record
	var err error
	read := len(cfg.Held) > 0 || !onePass
	if read {
		if open, err = c.open(ctx); err != nil {
			return err
		}
	}
	k, err := c.newKernel(ctx, cfg, open, read)
	if doubled := kernel.Doubled(open); errors.Is(err, errUnread) || err == nil && len(doubled) > 0 {
		if open, err = c.endUnread(ctx, open, doubled, cfg.Held); err == nil {
			k, err = c.newKernel(ctx, cfg, open, read)
		}
	}
	if err != nil {
		return err
	}
	c.cfg.leftAlone.warn(c.cfg.Log, k.Newer())
	if !onePass {
		c.Leases.Concern(kernel.Scopes(c.cfg.Kernel.Groups, open))
	}
	c.Kernel, c.under = k, cfg.Held
	c.changed = true
	c.handOver()
	if !onePass {
		c.logPauses()
	}
	return nil
}

// errUnread: a record cannot be worked with, see endUnread.
var errUnread = errors.New("an open record cannot be worked with")

// newKernel makes a kernel of open drains, and of the ended ones if they are to be read.
func (c *Core) newKernel(ctx context.Context, cfg kernel.Config, open []journal.Record, read bool) (*kernel.Kernel, error) {
	limit := recentDrains
	if cfg.OnePass {
		limit = recentDrainsOnePass
	}
	var ended []journal.Record
	if read {
		var err error
		if ended, err = c.cfg.Store.Recent(ctx, limit); err != nil {
			return nil, fmt.Errorf("read the ended drains: %w", err)
		}
	}
	k, err := kernel.New(cfg, open, ended)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUnread, err)
	}
	return k, nil
}

// open reads the open drains.
func (c *Core) open(ctx context.Context) ([]journal.Record, error) {
	ctx, cancel := context.WithTimeout(ctx, journalTimeout)
	defer cancel()
	open, err := c.cfg.Store.Open(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the open drains: %w", err)
	}
	return open, nil
}

// Forget drops the kernel and what it heard, because of an error. Messages whose effect may not be durable go back to the source; forwarded
// ones are still in the journal. Heartbeats of its hooks go on until a kernel knows of them again.
func (c *Core) Forget(why error) {
	c.beats.keep(c.remember()...)
	c.Kernel = nil
	clear(c.forwarded)
	if c.cfg.Source != nil {
		c.cfg.Source.LetGo()
	}
	if isAway(why) {
		c.Away(why)
	}
}

// Works reports whether there is a scope for which it works.
func (c *Core) Works() bool { return c.Kernel != nil && len(c.under) > 0 }

// Outdated reports whether other leases are held than those under which the kernel works.
func (c *Core) Outdated() bool {
	all, more := c.Leases.Holds(c.under)
	return !all || more
}

// Due says when to call Step: by the clock of the cloud for what the kernel waits for, and by that of processes for forwarded messages,
// where zero is never. When to call Beats is for BeatsDue to say.
func (c *Core) Due() (wake, forwarded time.Time) {
	if len(c.under) > 0 {
		forwarded = c.looked.Add(forwardedPause)
	}
	if c.changed {
		return c.cfg.Now(), forwarded
	}
	return c.wake, forwarded
}

// Hear takes in messages of the source. Without a kernel it only keeps the hooks alive of which they tell, and leaves them to the queue.
func (c *Core) Hear(ms []event.Message) {
	for _, m := range ms {
		if c.Kernel == nil || c.Leases.Err() != nil {
			c.keepAlive(m)
		}
		if c.Kernel != nil {
			c.hear(m, false)
		} else {
			c.cfg.Source.Settle(m.ID, false)
		}
	}
}

func (c *Core) hear(m event.Message, forwarded bool) {
	c.Kernel.Hear(kernel.Heard{Message: m, Event: event.Parse([]byte(m.Body)), Noted: forwarded}, c.cfg.Now())
	c.changed = true
}

// Did takes in what came of a request that a kernel made, or that Beats returned, which no kernel made. That of an earlier kernel is ignored,
// but for a heartbeat that AWS accepted: where kernels do not live long, others need that call more.
func (c *Core) Did(k *kernel.Kernel, done plan.Done) {
	a := done.Request.Action
	if k == nil || k != c.Kernel && a != nil && a.Kind == plan.Beat && done.Outcome.Err == nil {
		c.beaten(done)
	}
	if k == c.Kernel && k != nil {
		c.Kernel.Did(done, c.cfg.Now())
		c.changed = true
	}
}

// Blocked takes in the answer to a question of a kernel. That of an earlier kernel counts too: what keeps a target has not changed with it.
func (c *Core) Blocked(a kernel.Ask, b kernel.Answer) {
	if c.Kernel != nil {
		c.Kernel.Blocked(a, b, c.cfg.Now())
		c.changed = true
	}
}

// Step does what is due, and returns the requests to be carried out. After an error nothing of it counts: call Forget and Load.
func (c *Core) Step(ctx context.Context) ([]plan.Request, error) {
	if len(c.under) > 0 && !c.looked.Add(forwardedPause).After(c.cfg.Clock()) {
		c.looked = c.cfg.Clock()
		if err := c.hearForwarded(ctx); err != nil {
			return nil, err
		}
	}
	if !c.changed && c.wake.After(c.cfg.Now()) {
		return nil, nil
	}
	return c.decide(ctx, nil)
}

// hearForwarded takes in what other Ebbs have heard for the scopes of this one.
func (c *Core) hearForwarded(ctx context.Context) error {
	if len(c.under) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, journalTimeout)
	defer cancel()
	all, err := c.cfg.Store.Forwarded(ctx, slices.Sorted(maps.Keys(c.under)))
	if err != nil {
		return fmt.Errorf("read the messages that other ebbs forwarded: %w", err)
	}
	var pauses, words []journal.Forwarded
	for _, f := range all {
		if kernel.IsWord(f) {
			words = append(words, f)
			continue
		}
		if f.ID == kernel.PauseID {
			pauses = append(pauses, f)
			continue
		}
		id := "note/" + f.Scope + "/" + f.ID
		c.forwarded[id] = f
		c.hear(event.Message{ID: id, Body: f.Body, Sent: f.Sent}, true)
	}
	if len(words) > 0 {
		hearWords(ctx, c, words)
	}
	if len(pauses) == 0 {
		return nil
	}
	return c.readPauses(ctx, pauses)
}

// hearWords lets the kernel look at what operators have said. Should the message be lost with the kernel, it looks a little later.
func hearWords(ctx context.Context, c *Core, words []journal.Forwarded) {
	for _, w := range words {
		c.Kernel.HearWord(w)
	}
	c.changed = true
	if err := c.cfg.Store.Discard(ctx, words); err != nil {
		c.cfg.Log.Warn("a message about an operator's word cannot be removed from the journal; it is heard again", "err", err)
	}
}

// readPauses reads the pauses of the journal anew, because somebody has said that they have changed. What was said is discarded first: what
// is said from now on, of a change after this, is heard the next time.
func (c *Core) readPauses(ctx context.Context, said []journal.Forwarded) error {
	if err := c.cfg.Store.Discard(ctx, said); err != nil {
		c.cfg.Log.Warn("a message about a pause cannot be removed from the journal; the pauses are read again", "err", err)
	}
	open, err := c.cfg.Store.Open(ctx)
	if err != nil {
		return fmt.Errorf("read the pauses: %w", err)
	}
	c.Kernel.SetPauses(open)
	c.changed = true
	if len(c.Kernel.Paused()) == 0 {
		c.cfg.Log.Info("resumed: no scope of this ebb is paused")
	}
	c.logPauses()
	return nil
}

// logPauses says which scopes are paused.
func (c *Core) logPauses() {
	for _, p := range c.Kernel.Paused() {
		c.cfg.Log.Warn("paused: no instance begins to leave", "scope", p.Scope, "by", p.By, "until", p.Until, "message", p.Message)
	}
}

// decide lets the kernel decide, makes its batch durable together with messages for others, and only then settles what was heard. Leases
// are checked before the write, and after it, because it may have taken long.
func (c *Core) decide(ctx context.Context, others []journal.Forwarded) ([]plan.Request, error) {
	c.changed = false
	out := c.Kernel.Next(c.cfg.Now())
	c.wake = out.Wake
	out.Batch.Forwarded = append(out.Batch.Forwarded, others...)
	if !c.mayAct() {
		return nil, ErrLeases
	}
	if err := c.write(ctx, &out); err != nil {
		return nil, err
	}
	if len(c.beats.hooks) > 0 {
		c.handOver()
	}
	c.settle(ctx, out.Settle)
	if !c.mayAct() {
		return nil, ErrLeases
	}
	if c.OnAsk != nil {
		for _, a := range out.Ask {
			c.OnAsk(a)
		}
	}
	return out.Do, nil
}

// mayAct reports whether there is time to begin something, and every lease is certainly held under which the kernel works.
func (c *Core) mayAct() bool {
	all, _ := c.Leases.Holds(c.under)
	return all && c.Early()
}

// Early reports whether there is time to begin something.
func (c *Core) Early() bool { return c.until.IsZero() || c.cfg.Clock().Before(c.until) }

// settle settles messages whose effect is durable, and discards forwarded ones.
func (c *Core) settle(ctx context.Context, vs []kernel.Verdict) {
	var heard []journal.Forwarded
	for _, v := range vs {
		f, ok := c.forwarded[v.Message]
		switch {
		case !ok:
			c.settled(v)
		case v.Delete:
			heard = append(heard, f)
		}
		delete(c.forwarded, v.Message)
	}
	if len(heard) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, journalTimeout)
	defer cancel()
	if err := c.cfg.Store.Discard(ctx, heard); err != nil {
		c.cfg.Log.Warn("forwarded messages cannot be removed from the journal; they are heard again", "err", err)
	}
}

func (c *Core) settleSource(v kernel.Verdict) {
	switch {
	case v.Why == "":
	case v.Delete:
		c.cfg.Log.Info("message acknowledged", "message", v.Message, "kind", v.Kind, "why", v.Why)
	default:
		c.cfg.Log.Warn("message left to the queue", "message", v.Message, "why", v.Why)
	}
	c.cfg.Source.Settle(v.Message, v.Delete)
}

// logOpen says how many hooks are open, for how long the oldest has been, and how much was set aside: an alarm can watch it.
func (c *Core) logOpen() {
	if c.Works() {
		_, oldest := c.Kernel.Oldest(c.cfg.Now())
		c.cfg.Log.Info("hooks", "open", c.Kernel.Open(), "oldest_s", int(oldest.Seconds()), "set_aside", c.aside)
	}
}
