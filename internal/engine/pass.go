package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/ebbhq/ebb/internal/event"
	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/kernel"
	"github.com/ebbhq/ebb/internal/lease"
	"github.com/ebbhq/ebb/internal/plan"
)

// wakeNote is the ID of the note that only asks for one more pass.
const wakeNote = "wake"

// remembered is how many ended drains a pass reads, to know late messages by.
const remembered = 200

// mostPasses bounds the passes of one invocation.
const mostPasses = 5

// Function is an Ebb that lives for one invocation at a time. Between two it knows only which leases it has seen, and since when.
type Function struct {
	cfg    Config
	keeper *lease.Keeper
}

// NewFunction returns what handles one invocation after another in a process.
func NewFunction(cfg Config) *Function {
	cfg = New(cfg).cfg
	return &Function{cfg, lease.New(cfg.Me, nil, lease.Pass())}
}

// Pass is what an Ebb does in one invocation: it hears the messages, goes as far as it can without waiting for
// anything but answers, and returns what becomes of each message. Scopes for which another invocation works it leaves a note for. The clock
// tells that a minute has passed and everything is to be looked at; without it a pass is made only if there is something to be done.
//
// A message without a verdict has no durable effect. The error is that of the journal.
func (f *Function) Pass(ctx context.Context, heard []Message, clock bool) ([]kernel.Verdict, error) {
	p := &invocation{cfg: f.cfg, keeper: f.keeper, wake: slices.ContainsFunc(heard, wakes)}
	open, err := f.cfg.Store.Open(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the open drains: %w", err)
	}
	if !clock && len(open) == 0 && !slices.ContainsFunc(heard, func(m Message) bool { return !wakes(m) }) {
		return p.idle(heard), nil
	}
	p.scopes = kernel.Scopes(f.cfg.Kernel.Groups, open)
	p.keeper.Concern(p.scopes)
	defer p.release(ctx)
	work, cancel := p.bound(ctx)
	defer cancel()
	if err := p.claim(work, p.scopes); err != nil {
		return nil, err
	}
	err = p.once(work, heard)
	for n := 1; err == nil && n < mostPasses && p.early(); n++ {
		var more bool
		if more, err = p.more(work); err != nil || !more {
			break
		}
		err = p.once(work, nil)
	}
	return p.settled, err
}

// invocation is a pass, or some, at work.
type invocation struct {
	cfg     Config
	scopes  []string
	keeper  *lease.Keeper
	wake    bool // something only wakes it, and would wake the others
	settled []kernel.Verdict
	until   time.Time // it begins nothing more then; zero: never
}

// bound leaves some of the time that is given for an end in good order: after two thirds of it nothing more is begun, and after five sixths
// calls are broken off. One that is killed keeps its leases until they have run out.
func (p *invocation) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	end, ok := ctx.Deadline()
	if !ok {
		return ctx, func() {}
	}
	now := time.Now()
	p.until = now.Add(end.Sub(now) * 2 / 3)
	return context.WithDeadline(ctx, now.Add(end.Sub(now)*5/6))
}

// early reports whether there is time to begin something.
func (p *invocation) early() bool { return p.until.IsZero() || time.Now().Before(p.until) }

// wakes reports whether a message does no more than wake.
func wakes(m Message) bool { return event.Parse([]byte(m.Body)).Wakes() }

// idle is what becomes of messages that would only wake somebody, when nothing leaves.
func (p *invocation) idle(heard []Message) []kernel.Verdict {
	for _, m := range heard {
		p.settled = append(p.settled, kernel.Verdict{Message: m.ID, Delete: true, Kind: event.Ignored, Why: "nothing leaves"})
	}
	return p.settled
}

// claim takes the leases of those of some scopes that are free.
func (p *invocation) claim(ctx context.Context, scopes []string) error {
	started := time.Now()
	all, err := p.cfg.Store.Leases(ctx)
	if err != nil {
		return fmt.Errorf("read the leases: %w", err)
	}
	p.keeper.Read(all, started)
	return p.store(ctx, scopes)
}

// store stores the claims on some scopes that are due.
func (p *invocation) store(ctx context.Context, scopes []string) error {
	_, claims, _ := p.keeper.Due(time.Now())
	for _, c := range claims {
		if !slices.Contains(scopes, c.Is.Scope) {
			continue
		}
		started := time.Now()
		err := p.cfg.Store.Claim(ctx, c.Was, c.Is)
		p.keeper.Claimed(c, started, err, time.Now())
		if err != nil && !errors.Is(err, journal.ErrConflict) {
			return fmt.Errorf("claim %s: %w", c.Is.Scope, err)
		}
	}
	return nil
}

// release gives up what is held: nobody need wait until it has run out.
func (p *invocation) release(ctx context.Context) {
	for _, c := range p.keeper.Release(time.Now()) {
		started := time.Now()
		err := p.cfg.Store.Claim(ctx, c.Was, c.Is)
		p.keeper.Claimed(c, started, err, time.Now())
	}
}

// more lets go of everything and reports whether there is a reason to go on: notes that somebody left meanwhile, for a scope that is free.
// Whoever leaves a note looks for a free lease afterwards, and whoever frees a lease looks for notes afterwards, so one of them sees it.
func (p *invocation) more(ctx context.Context) (bool, error) {
	p.release(ctx)
	notes, err := p.cfg.Store.Forwarded(ctx, p.scopes)
	if err != nil {
		return false, fmt.Errorf("read the notes: %w", err)
	}
	var noted []string
	for _, n := range notes {
		noted = append(noted, n.Scope)
	}
	if len(noted) == 0 {
		return false, nil
	}
	err = p.claim(ctx, noted)
	return err == nil && len(p.keeper.Held(time.Now())) > 0, err
}

// once makes a pass over the scopes that are held.
func (p *invocation) once(ctx context.Context, heard []Message) error {
	held := p.keeper.Held(time.Now())
	k, err := p.load(ctx, held)
	if err != nil {
		return err
	}
	notes, err := p.hearNotes(ctx, k, held)
	if err != nil {
		return err
	}
	for _, m := range heard {
		k.Hear(kernel.Heard{Event: event.Parse([]byte(m.Body)), Message: m.ID, Body: m.Body, Sent: m.Sent, Receives: m.Receives}, p.cfg.Now())
	}
	for {
		if err := p.store(ctx, slices.Sorted(maps.Keys(held))); err != nil { // it still lives
			return err
		}
		o := k.Next(p.cfg.Now())
		if len(heard) > 0 && p.wake {
			o.Batch.Forwarded = append(o.Batch.Forwarded, p.wakeOthers(held)...)
		}
		if !p.sure(held) {
			return nil // the next one goes on
		}
		if !o.Batch.Empty() {
			if err := p.cfg.Store.Write(ctx, o.Batch); err != nil {
				return fmt.Errorf("write the journal: %w", err)
			}
			p.tell(o.Batch.Lines)
		}
		heard = nil
		p.settle(ctx, o.Settle, notes)
		notes = nil
		if !p.sure(held) || len(o.Do) == 0 && !p.soon(ctx, o.Wake) {
			p.tellOpen(k)
			return nil
		}
		for _, done := range p.carryOut(ctx, o.Do) {
			k.Did(done, p.cfg.Now())
		}
	}
}

// soon waits for more calls to be allowed, or for what the ending of one drain lets another do, if that is a moment away; else the pass is over.
func (p *invocation) soon(ctx context.Context, wake time.Time) bool {
	d := wake.Sub(p.cfg.Now())
	if d > kernel.Moment {
		return false
	}
	select {
	case <-ctx.Done():
		return false
	case <-time.After(max(d, time.Millisecond)):
		return true
	}
}

func (p *invocation) load(ctx context.Context, held map[string]journal.Lease) (*kernel.Kernel, error) {
	cfg := p.cfg.Kernel
	cfg.Held, cfg.OnePass = held, true
	if len(held) == 0 {
		return kernel.New(cfg, nil, nil)
	}
	open, err := p.cfg.Store.Open(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the open drains: %w", err)
	}
	ended, err := p.cfg.Store.Recent(ctx, remembered)
	if err != nil {
		return nil, fmt.Errorf("read the ended drains: %w", err)
	}
	return kernel.New(cfg, open, ended)
}

func (p *invocation) hearNotes(ctx context.Context, k *kernel.Kernel, held map[string]journal.Lease) (map[string]journal.Forwarded, error) {
	if len(held) == 0 {
		return nil, nil
	}
	notes, err := p.cfg.Store.Forwarded(ctx, slices.Sorted(maps.Keys(held)))
	if err != nil {
		return nil, fmt.Errorf("read the notes: %w", err)
	}
	by := map[string]journal.Forwarded{}
	for _, n := range notes {
		id := "note/" + n.Scope + "/" + n.ID
		by[id] = n
		k.Hear(kernel.Heard{Event: event.Parse([]byte(n.Body)), Message: id, Body: n.Body, Sent: n.Sent, Noted: true}, p.cfg.Now())
	}
	return by, nil
}

// wakeOthers are notes for those who work for the other scopes: what they look at may have changed.
func (p *invocation) wakeOthers(held map[string]journal.Lease) []journal.Forwarded {
	var notes []journal.Forwarded
	for _, scope := range p.scopes {
		if _, ours := held[scope]; !ours {
			notes = append(notes, journal.Forwarded{Scope: scope, ID: wakeNote, Sent: p.cfg.Now()})
		}
	}
	return notes
}

// sure reports whether everything that was held is, and there is time to go on.
func (p *invocation) sure(held map[string]journal.Lease) bool {
	return p.early() && len(p.keeper.Held(time.Now())) == len(held)
}

func (p *invocation) tell(lines []journal.Line) {
	if p.cfg.Tell == nil {
		return
	}
	for _, l := range lines {
		p.cfg.Tell(l)
	}
}

func (p *invocation) tellOpen(k *kernel.Kernel) {
	if len(p.keeper.Held(time.Now())) > 0 {
		open, oldest := k.Oldest(p.cfg.Now())
		p.cfg.Log.Info("hooks", "open", open, "oldest_s", int(oldest.Seconds()))
	}
}

func (p *invocation) settle(ctx context.Context, vs []kernel.Verdict, notes map[string]journal.Forwarded) {
	var heard []journal.Forwarded
	for _, v := range vs {
		n, note := notes[v.Message]
		switch {
		case !note:
			p.settled = append(p.settled, v)
		case v.Delete:
			heard = append(heard, n)
		}
	}
	if len(heard) == 0 {
		return
	}
	if err := p.cfg.Store.Discard(ctx, heard); err != nil {
		p.cfg.Log.Warn("notes cannot be removed; they are heard again", "err", err)
	}
}

// carryOut carries out orders at once and waits for all of them.
func (p *invocation) carryOut(ctx context.Context, orders []plan.Request) []plan.Done {
	done := make([]plan.Done, len(orders))
	var all sync.WaitGroup
	for i, o := range orders {
		done[i] = plan.Done{Request: o, Started: p.cfg.Now()}
		all.Go(func() {
			if o.Action != nil {
				done[i].Outcome = p.cfg.Cloud.Do(ctx, *o.Action)
			} else {
				done[i].Result = p.cfg.Cloud.Look(ctx, *o.Look)
			}
		})
	}
	all.Wait()
	return done
}
