// Package engine is the loop around the kernel in real time: it makes what the kernel notes durable, then settles messages and
// carries out orders with a bounded number of workers, and brings back what came of them.
//
// It never decides anything, only its one goroutine touches the kernel, and it never acts for a scope whose lease it does not hold.
package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/ebbhq/ebb/internal/event"
	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/kernel"
	"github.com/ebbhq/ebb/internal/plan"
)

// Cloud looks and acts. Both calls end by themselves in bounded time and tell failures in their results.
type Cloud interface {
	Look(ctx context.Context, l plan.Look) plan.LookResult
	Do(ctx context.Context, a plan.Action) plan.Outcome
}

// Message is a message as a source hands it over.
type Message struct {
	ID       string
	Body     string
	Sent     time.Time
	Receives int
}

// Source hears. Run hands messages over until ctx ends; a message stays out of others' sight until it is settled. Settle only
// takes note and returns at once; a delete that fails is harmless, for the message comes again and is known then.
type Source interface {
	Run(ctx context.Context, hear func(context.Context, []Message) error) error
	Settle(id string, del bool)
}

// Config is what an engine needs.
type Config struct {
	Kernel kernel.Config
	Store  journal.Store
	Cloud  Cloud
	Me     string           // name of this process among all that ever share the journal; empty: ebb
	Source Source           // nil: nothing is heard, the sweep alone finds what waits
	Now    func() time.Time // nil: time.Now
	Speed  float64          // of Now against real time; 0: 1
	Log    *slog.Logger
	Tell   func(journal.Line) // called for each line once it is durable; nil: nobody
}

// rest is how long the engine waits after the journal failed.
const rest = time.Second

// loaded is how many ended drains are read at start, to know late messages by.
const loaded = 1000

type result struct {
	done plan.Done
	run  int
}

// Engine runs one kernel after another: a new one whenever the journal refused a batch.
type Engine struct {
	cfg     Config
	heard   chan []Message
	results chan result
	held    map[string]bool              // messages handed over and not settled
	notes   map[string]journal.Forwarded // notes handed over and not settled, by message
	noted   time.Time                    // when notes were last looked for, in real time
	told    time.Time                    // when it last told how many hooks are open
	holder  *holder
	under   map[string]journal.Lease // the leases under which the kernel works
	run     int                      // number of the current kernel; results for an earlier one are forgotten
	workers sync.WaitGroup
}

// New returns an engine; Run starts it.
func New(cfg Config) *Engine {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Speed == 0 {
		cfg.Speed = 1
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Me == "" {
		cfg.Me = "ebb"
	}
	return &Engine{
		cfg: cfg, heard: make(chan []Message), results: make(chan result), held: map[string]bool{}, notes: map[string]journal.Forwarded{},
		holder: newHolder(cfg.Me, kernel.Scopes(cfg.Kernel.Groups, nil), cfg.Store, cfg.Log),
	}
}

// Run works until ctx ends. It returns an error when it cannot start: the journal cannot be read, or does not fit the configuration; and
// when the journal is gone, for then nothing can be made durable any more.
func (e *Engine) Run(ctx context.Context) error {
	defer e.holder.release() // last: when nothing is under way any more
	k, err := e.start(ctx)
	if ctx.Err() != nil {
		return nil
	}
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	var sides sync.WaitGroup
	defer sides.Wait()
	defer e.workers.Wait()
	defer cancel()
	sides.Go(func() { e.holder.run(ctx) })
	if e.cfg.Source != nil {
		sides.Go(func() { e.listen(ctx) })
	}
	for ctx.Err() == nil {
		err := e.loop(ctx, k)
		if ctx.Err() != nil {
			return nil
		}
		pause := rest
		switch {
		case errors.Is(err, journal.ErrGone):
			return fmt.Errorf("%w; start ebb serve again: instances that wait in a hook are found by the sweep", err)
		case errors.Is(err, errLeases):
			pause = 0
		case errors.Is(err, journal.ErrConflict):
			e.cfg.Log.Warn("another ebb wrote the journal; reading it again", "err", err)
		default:
			e.cfg.Log.Error("journal refused a batch; forgetting everything and reading it again", "err", err)
		}
		if k = e.reload(ctx, pause); k == nil {
			return nil
		}
	}
	return nil
}

// errLeases: other scopes are held than this kernel works for.
var errLeases = errors.New("other leases are held")

// start claims what is free and reads the journal.
func (e *Engine) start(ctx context.Context) (*kernel.Kernel, error) {
	if _, err := e.holder.step(ctx); err != nil {
		return nil, fmt.Errorf("read the leases: %w", err)
	}
	return e.load(ctx)
}

func (e *Engine) load(ctx context.Context) (*kernel.Kernel, error) {
	held := e.holder.take() // before the journal is read: nobody else writes of these scopes from here on
	open, err := e.cfg.Store.Open(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the open drains: %w", err)
	}
	ended, err := e.cfg.Store.Recent(ctx, loaded)
	if err != nil {
		return nil, fmt.Errorf("read the ended drains: %w", err)
	}
	e.holder.concern(kernel.Scopes(e.cfg.Kernel.Groups, open))
	cfg := e.cfg.Kernel
	cfg.Held, e.under = held, held
	return kernel.New(cfg, open, ended)
}

// reload starts over from the journal. Messages whose effect may not be durable are let go, so that the queue brings them back.
func (e *Engine) reload(ctx context.Context, pause time.Duration) *kernel.Kernel {
	e.run++
	clear(e.notes) // they are still in the journal
	for id := range e.held {
		e.release(kernel.Verdict{Message: id})
	}
	clear(e.held)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
			pause = rest
		case <-e.results:
			continue // of the kernel that was forgotten
		}
		k, err := e.load(ctx)
		if err == nil {
			return k
		}
		e.cfg.Log.Error("journal cannot be read; trying again", "err", err)
	}
}

// loop drives one kernel until the journal fails, other leases are held, or ctx ends.
func (e *Engine) loop(ctx context.Context, k *kernel.Kernel) error {
	for {
		if err := e.hearNotes(ctx, k); err != nil {
			return err
		}
		o := k.Next(e.cfg.Now())
		if !e.holder.certain(e.under) {
			return errLeases
		}
		if !o.Batch.Empty() {
			if err := e.cfg.Store.Write(ctx, o.Batch); err != nil {
				return err
			}
			e.tell(o.Batch.Lines)
		}
		e.settle(ctx, o.Settle)
		if !e.holder.certain(e.under) {
			return errLeases // the write took long
		}
		for _, order := range o.Do {
			e.send(ctx, order)
		}
		e.tellOpen(k)
		if err := e.wait(ctx, k, o.Wake); err != nil {
			return err
		}
	}
}

// hearPause is how often notes of other Ebbs are looked for.
const hearPause = 2 * time.Second

// hearNotes takes in what other Ebbs have heard for the scopes of this one.
func (e *Engine) hearNotes(ctx context.Context, k *kernel.Kernel) error {
	now := time.Now()
	if len(e.under) == 0 || now.Sub(e.noted) < hearPause {
		return nil
	}
	e.noted = now
	notes, err := e.cfg.Store.Forwarded(ctx, slices.Sorted(maps.Keys(e.under)))
	if err != nil {
		return fmt.Errorf("read the notes of other ebbs: %w", err)
	}
	for _, n := range notes {
		id := "note/" + n.Scope + "/" + n.ID
		e.notes[id] = n
		k.Hear(kernel.Heard{Event: event.Parse([]byte(n.Body)), Message: id, Body: n.Body, Sent: n.Sent, Noted: true}, e.cfg.Now())
	}
	return nil
}

// settle lets go of messages and notes whose effect is durable.
func (e *Engine) settle(ctx context.Context, vs []kernel.Verdict) {
	var heard []journal.Forwarded
	for _, v := range vs {
		n, note := e.notes[v.Message]
		switch {
		case !note:
			delete(e.held, v.Message)
			e.release(v)
		case v.Delete:
			heard = append(heard, n)
		}
		delete(e.notes, v.Message)
	}
	if len(heard) == 0 {
		return
	}
	if err := e.cfg.Store.Discard(ctx, heard); err != nil {
		e.cfg.Log.Warn("notes cannot be removed; they are heard again", "err", err)
	}
}

// tellOpen says once a minute how many hooks are open, and for how long the oldest has been: an alarm can watch it.
func (e *Engine) tellOpen(k *kernel.Kernel) {
	now := e.cfg.Now()
	if len(e.under) == 0 || now.Sub(e.told) < time.Minute {
		return
	}
	e.told = now
	open, oldest := k.Oldest(now)
	e.cfg.Log.Info("hooks", "open", open, "oldest_s", int(oldest.Seconds()))
}

func (e *Engine) tell(lines []journal.Line) {
	if e.cfg.Tell == nil {
		return
	}
	for _, l := range lines {
		e.cfg.Tell(l)
	}
}

// longest bounds a wait: a wake that is centuries away would overflow and come at once.
const longest = time.Hour

// wait takes in what is heard and what came of orders, at least one thing or until wake. The error is that of ctx, or says that other leases
// are held.
func (e *Engine) wait(ctx context.Context, k *kernel.Kernel, wake time.Time) error {
	d := time.Duration(min(float64(wake.Sub(e.cfg.Now()))/e.cfg.Speed, float64(longest)))
	if len(e.under) > 0 {
		d = min(d, hearPause-time.Since(e.noted))
	}
	timer := time.NewTimer(max(d, time.Millisecond))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-e.holder.changed:
		return errLeases
	case <-timer.C:
	case ms := <-e.heard:
		e.hear(k, ms)
	case r := <-e.results:
		e.did(k, r)
	}
	for { // what else is there already goes into the same pass
		select {
		case ms := <-e.heard:
			e.hear(k, ms)
		case r := <-e.results:
			e.did(k, r)
		default:
			return nil
		}
	}
}

func (e *Engine) hear(k *kernel.Kernel, ms []Message) {
	for _, m := range ms {
		e.held[m.ID] = true
		k.Hear(kernel.Heard{Event: event.Parse([]byte(m.Body)), Message: m.ID, Body: m.Body, Sent: m.Sent, Receives: m.Receives}, e.cfg.Now())
	}
}

func (e *Engine) did(k *kernel.Kernel, r result) {
	if r.run == e.run {
		k.Did(r.done, e.cfg.Now())
	}
}

// send carries out one order in a worker of its own; the kernel bounds how many are under way.
func (e *Engine) send(ctx context.Context, o plan.Request) {
	run := e.run
	e.workers.Go(func() {
		r := result{run: run, done: plan.Done{Request: o, Started: e.cfg.Now()}}
		if o.Action != nil {
			e.cfg.Log.Debug("act", "kind", o.Action.Kind.String(), "target", o.Action.Instance, "why", o.Action.Why)
			r.done.Outcome = e.cfg.Cloud.Do(ctx, *o.Action)
		} else {
			r.done.Result = e.cfg.Cloud.Look(ctx, *o.Look)
		}
		select {
		case e.results <- r:
		case <-ctx.Done():
		}
	})
}

func (e *Engine) release(v kernel.Verdict) {
	if !v.Delete && v.Why != "" {
		e.cfg.Log.Warn("message left to the queue", "message", v.Message, "why", v.Why)
	} else if v.Why != "" {
		e.cfg.Log.Info("message acknowledged", "message", v.Message, "kind", v.Kind, "why", v.Why)
	}
	e.cfg.Source.Settle(v.Message, v.Delete)
}

// listen runs the source and starts it again should it end.
func (e *Engine) listen(ctx context.Context) {
	hear := func(ctx context.Context, ms []Message) error {
		select {
		case e.heard <- ms:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	for ctx.Err() == nil {
		if err := e.cfg.Source.Run(ctx, hear); err != nil && ctx.Err() == nil {
			e.cfg.Log.Error("source ended; starting it again", "err", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(rest):
		}
	}
}
