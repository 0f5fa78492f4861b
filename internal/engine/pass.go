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

// wakeID is the ID of a forwarded message that only asks for one more pass.
const wakeID = "wake"

// mostPasses bounds the passes of one invocation.
const mostPasses = 5

// Function is an Ebb that lives for one invocation at a time. Between two it knows only which leases it has seen, and since when; and which
// hooks were open in the last pass, should the journal be away in the next.
type Function struct {
	cfg    Config
	leases *Leases
	beats  *beats
	box    *Outbox // nil: nobody is told anything
}

// NewFunction returns what handles one invocation after another in a process.
func NewFunction(cfg Config) *Function {
	cfg = cfg.withDefaults()
	cfg.Kernel.OnePass = true
	f := &Function{cfg: cfg, leases: newLeases(cfg, lease.Pass()), beats: newBeats(kernel.Tick)}
	if cfg.Teller != nil {
		f.box = NewOutbox(cfg)
	}
	return f
}

// Pass handles one invocation: it hears the messages, goes as far as it can without waiting for anything but answers, and returns what
// becomes of each message. For scopes whose lease another invocation holds it forwards messages. clock is true on the scheduled invocation,
// when everything is checked; without it a pass is made only if there is something to be done.
//
// A message without a verdict has no durable effect. The error is that of the journal.
func (f *Function) Pass(ctx context.Context, heard []event.Message, clock bool) ([]kernel.Verdict, error) {
	work, until, cancel := f.bound(ctx)
	defer cancel()
	i, err := f.Begin(work, heard, clock, until)
	defer i.End(ctx)
	for err == nil && !i.Over {
		do, again, failed := i.Round(work)
		switch {
		case failed != nil:
			err = failed
		case len(do) > 0:
			for _, done := range f.carryOut(work, do) {
				i.Did(done)
			}
		case again.IsZero() || !pause(work, again.Sub(f.cfg.Now())):
			err = i.More(work)
		}
	}
	f.cfg.Meter.Turned(i.Core.facts())
	if i.Away(heard, err) {
		for due := i.Core.Beats(); len(due) > 0; due = i.Core.Beats() {
			for _, done := range f.carryOut(ctx, due) {
				i.Core.Did(nil, done)
			}
		}
	}
	return i.Settled, err
}

// bound leaves some of the time that is given for an end in good order: after two thirds of it nothing more is begun, and after five sixths
// calls are broken off. An invocation that is killed keeps its leases until they have run out.
func (f *Function) bound(ctx context.Context) (work context.Context, until time.Time, cancel context.CancelFunc) {
	end, ok := ctx.Deadline()
	if !ok {
		return ctx, until, func() {}
	}
	given, now := time.Until(end), time.Now()
	work, cancel = context.WithDeadline(ctx, now.Add(given*5/6))
	return work, f.cfg.Clock().Add(given * 2 / 3), cancel
}

// carryOut carries out requests at once and waits for all of them.
func (f *Function) carryOut(ctx context.Context, requests []plan.Request) []plan.Done {
	results := make(chan plan.Done)
	for _, r := range requests {
		started := f.cfg.Now()
		go func() { results <- CarryOut(ctx, f.cfg.Cloud, r, started) }()
	}
	var all []plan.Done
	for range requests {
		all = append(all, <-results)
	}
	return all
}

// pause waits, and reports whether the time has passed before ctx ended.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(max(d, time.Millisecond)):
		return true
	}
}

// Invocation is one invocation at work. Its driver calls Round, carries out what is asked for and calls Did for each result, then Round
// again; More when a round asks for nothing; and End when it is over, or after an error.
type Invocation struct {
	Core    *Core
	Over    bool             // there is nothing more to do but End
	Settled []kernel.Verdict // what becomes of the messages; one without a verdict has no durable effect
	scopes  []string
	others  []journal.Forwarded // to be written with the first batch
	box     *Outbox             // nil: nobody is told anything
	asked   []kernel.Ask
	passes  int
}

// Begin reads the journal, claims the leases that are free, and hears. The invocation begins nothing more after a time by cfg.Clock; zero:
// it may at any time.
func (f *Function) Begin(ctx context.Context, heard []event.Message, clock bool, until time.Time) (*Invocation, error) {
	i := &Invocation{Core: newCore(f.cfg, f.leases), box: f.box}
	i.Core.until, i.Core.beats = until, f.beats
	i.Core.OnAsk = func(a kernel.Ask) { i.asked = append(i.asked, a) }
	i.Core.settled = func(v kernel.Verdict) { i.Settled = append(i.Settled, v) }
	open, err := i.Core.open(ctx)
	if err != nil {
		return i, err
	}
	wakes := 0 // messages that do no more than wake
	for _, m := range heard {
		if event.Parse([]byte(m.Body)).Wakes() {
			wakes++
		}
	}
	if i.Over = !clock && len(open) == 0 && wakes == len(heard); i.Over {
		for _, m := range heard {
			i.Settled = append(i.Settled, kernel.Verdict{Message: m.ID, Delete: true, Kind: event.Ignored, Why: "nothing leaves"})
		}
		return i, nil
	}
	i.scopes = kernel.Scopes(f.cfg.Kernel.Groups, open)
	f.leases.Concern(i.scopes)
	if err := i.claim(ctx, i.scopes); err != nil {
		return i, err
	}
	if err := i.pass(ctx); err != nil {
		return i, err
	}
	i.Core.Hear(heard)
	if wakes > 0 {
		i.wakeOthers()
	}
	return i, nil
}

// claim takes the leases of those of some scopes that are free.
func (i *Invocation) claim(ctx context.Context, scopes []string) error {
	if err := i.Core.Leases.read(ctx); err != nil {
		return fmt.Errorf("read the leases: %w", err)
	}
	return i.Core.Leases.claimDue(ctx, scopes)
}

// pass begins a pass over the scopes that are held.
func (i *Invocation) pass(ctx context.Context) error {
	i.passes++
	if err := i.Core.Load(ctx); err != nil {
		return err
	}
	return i.Core.hearForwarded(ctx)
}

// wakeOthers forwards to those who work for the other scopes that what they look at may have changed.
func (i *Invocation) wakeOthers() {
	for _, scope := range i.scopes {
		if _, ours := i.Core.under[scope]; !ours {
			i.others = append(i.others, journal.Forwarded{Scope: scope, ID: wakeID, Sent: i.Core.cfg.Now()})
		}
	}
}

// Round lets the kernel decide once, and says what is to be done before the next round: carry out requests, or else wait. If there is
// neither, the pass is over. It beats the leases too, to show that it still lives.
func (i *Invocation) Round(ctx context.Context) (do []plan.Request, again time.Time, err error) {
	if err := i.Core.Leases.claimDue(ctx, slices.Sorted(maps.Keys(i.Core.under))); err != nil {
		return nil, again, err
	}
	do, err = i.Core.decide(ctx, i.others)
	i.others = nil
	switch {
	case errors.Is(err, ErrLeases): // the next invocation goes on
		do = nil
	case err != nil:
		return nil, again, err
	case len(do) == 0 && i.Core.wake.Sub(i.Core.cfg.Now()) <= kernel.Moment: // more calls are allowed, or one drain lets another go on
		return nil, i.Core.wake, nil
	}
	if len(do) == 0 {
		i.Core.logOpen()
	}
	return do, again, nil
}

// Away ends the work after an error of Begin or Round, and reports whether heartbeats may go on: the journal is away, and a hook must not run
// out because of that. Its driver then carries out what Core.Beats asks for until there is nothing: for the hooks of the last pass of this
// process, for those of which a message tells, and for those that a look at the groups shows.
func (i *Invocation) Away(heard []event.Message, err error) bool {
	if !isAway(err) {
		return false
	}
	i.Core.cfg.Meter.JournalFailed()
	i.Core.Forget(err)
	for _, m := range heard {
		i.Core.keepAlive(m)
	}
	return true
}

// Did takes in what came of a request.
func (i *Invocation) Did(done plan.Done) { i.Core.Did(i.Core.Kernel, done) }

// mostAnswers is how many questions a pass answers; the others are asked again later.
const mostAnswers = 3

// answer answers questions of the kernel, and makes what follows durable.
func (i *Invocation) answer(ctx context.Context) error {
	asked := i.asked
	i.asked = nil
	if len(asked) == 0 || i.Core.cfg.Why == nil {
		return nil
	}
	for _, a := range asked[:min(len(asked), mostAnswers)] {
		if b, ok := i.Core.cfg.blocker(ctx, a); ok {
			i.Core.Blocked(a, b)
		}
	}
	_, err := i.Core.decide(ctx, nil) // what it wants done now, the next pass wants too
	if errors.Is(err, ErrLeases) {
		return nil
	}
	return err
}

// More ends a pass: it sends what waits in the outbox, gives up all leases and begins another pass if there is a reason to, which is a
// message that was forwarded meanwhile for a scope that is free. Who forwards a message looks for a free lease afterwards, and who frees a
// lease looks for forwarded messages afterwards, so one of them sees it.
func (i *Invocation) More(ctx context.Context) error {
	i.Over = true
	if !i.Core.Early() {
		return nil
	}
	if err := i.answer(ctx); err != nil {
		return err
	}
	if i.box != nil {
		i.box.Step(ctx, i.Core.Leases.Held())
	}
	if i.passes >= mostPasses || !i.Core.Early() {
		return nil
	}
	i.Core.Leases.Release(ctx)
	all, err := i.Core.cfg.Store.Forwarded(ctx, i.scopes)
	if err != nil {
		return fmt.Errorf("read the messages that other ebbs forwarded: %w", err)
	}
	var scopes []string
	for _, f := range all {
		scopes = append(scopes, f.Scope)
	}
	if len(scopes) == 0 {
		return nil
	}
	if err := i.claim(ctx, scopes); err != nil || len(i.Core.Leases.Held()) == 0 {
		return err
	}
	i.Over = false
	return i.pass(ctx)
}

// End gives up what is held, so that nobody need wait until it has run out, and keeps in mind which hooks are open.
func (i *Invocation) End(ctx context.Context) {
	i.Core.beats.keep(i.Core.remember()...)
	i.Core.Leases.Release(ctx)
}
