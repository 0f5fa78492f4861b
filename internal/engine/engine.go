package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ebbhq/ebb/internal/event"
	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/kernel"
	"github.com/ebbhq/ebb/internal/lease"
	"github.com/ebbhq/ebb/internal/plan"
)

// errorPause is how long the engine waits after the source failed, and after the first failure of the journal.
const errorPause = time.Second

// leaseTimeout is how long one call of the journal may take on behalf of a lease.
const leaseTimeout = 3 * time.Second

// longestWait bounds a wait: until a time that is centuries away, the duration would overflow and the wait end at once.
const longestWait = time.Hour

// mostAsked is how many questions may wait for their answer; what is asked then is asked again later.
const mostAsked = 200

// result is what came of a request of a kernel, or what keeps a target.
type result struct {
	kernel  *kernel.Kernel // that made the request
	done    plan.Done
	about   kernel.Ask
	blocker *kernel.Answer // nil: it is the result of a request
}

// Engine drives a core in real time: one goroutine for the core, one that renews the leases, so that a pass that takes long costs no lease,
// one that listens to the source, and one for each request.
type Engine struct {
	cfg     Config
	core    *Core
	heard   chan []event.Message
	results chan result
	renewed chan struct{} // the leases may have changed
	told    chan struct{} // the outbox has something in it
	asked   chan kernel.Ask
	metered time.Time // when the facts were last told
	logged  time.Time // when it last said how many hooks are open
	workers sync.WaitGroup
}

// New returns an engine; Run starts it.
func New(cfg Config) *Engine {
	cfg = cfg.withDefaults()
	if cfg.Dead == nil {
		here := place()
		cfg.Dead = func(holder string) bool { return dead(holder, here) }
	}
	core := NewCore(cfg)
	core.Leases.limit = leaseTimeout
	e := &Engine{
		cfg: cfg, core: core,
		heard: make(chan []event.Message), results: make(chan result), renewed: make(chan struct{}, 1), told: make(chan struct{}, 1),
		asked: make(chan kernel.Ask, mostAsked),
	}
	core.OnNotice = func() { wake(e.told) }
	if cfg.Why != nil {
		core.OnAsk = e.ask
	}
	return e
}

// wake lets whoever waits for a channel of one place go on.
func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Run works until ctx ends. It returns an error when it cannot start: the journal cannot be read, or does not fit the configuration; and
// when the journal is gone, for then nothing can be made durable any more.
func (e *Engine) Run(ctx context.Context) error {
	defer e.core.Leases.Release(context.WithoutCancel(ctx)) // last: when nothing is under way any more
	err := e.start(ctx)
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
	sides.Go(func() { e.renew(ctx) })
	if e.cfg.Source != nil {
		sides.Go(func() { e.listen(ctx) })
	}
	if e.cfg.Teller != nil {
		sides.Go(func() { e.tell(ctx) })
	}
	if e.cfg.Why != nil {
		sides.Go(func() { e.answer(ctx) })
	}
	for {
		err := e.work(ctx)
		if ctx.Err() != nil {
			return nil
		}
		pause := time.Duration(0)
		switch {
		case errors.Is(err, journal.ErrGone):
			return gone(err)
		case errors.Is(err, ErrLeases):
		case errors.Is(err, journal.ErrConflict):
			pause = e.core.Pause()
			e.cfg.Log.Warn("another ebb wrote the journal; reading it again", "err", err)
		default:
			pause = e.core.Pause()
			e.cfg.Log.Error("the journal failed; forgetting everything and reading it again", "err", err)
		}
		if err := e.reload(ctx, pause, err); err != nil {
			return gone(err)
		}
	}
}

// gone says what to do about a journal that is gone.
func gone(err error) error {
	return fmt.Errorf("%w; start ebb serve again: instances that wait in a hook are found by the sweep", err)
}

// start claims the leases that are free and reads the journal.
func (e *Engine) start(ctx context.Context) error {
	if _, err := e.core.Leases.Step(ctx); err != nil {
		return fmt.Errorf("read the leases: %w", err)
	}
	return e.load(ctx)
}

func (e *Engine) load(ctx context.Context) error {
	was := lease.Text(e.core.under)
	if err := e.core.Load(ctx); err != nil {
		return err
	}
	switch is := lease.Text(e.core.under); is {
	case was:
	case "":
		if err := e.core.Leases.Err(); err != nil {
			e.core.Away(err)
		} else {
			e.cfg.Log.Info("stands by: another ebb works", "had", was)
		}
	default:
		e.cfg.Log.Info("works", "for", is)
	}
	return nil
}

// reload starts over from the journal, until it can be read or ctx ends. Meanwhile heartbeats go on, and messages go back to the queue. The
// error is that the journal is gone.
func (e *Engine) reload(ctx context.Context, pause time.Duration, why error) error {
	e.core.Forget(why)
	for again := time.After(pause); ; {
		e.beat(ctx)
		select {
		case <-ctx.Done():
			return nil
		case r := <-e.results: // of the kernel that was forgotten, or of a heartbeat
			e.take(r)
			continue
		case ms := <-e.heard:
			e.core.Hear(ms)
			continue
		case <-time.After(e.until(e.core.BeatsDue())):
			continue
		case <-again:
		}
		err := e.load(ctx)
		if err == nil || ctx.Err() != nil {
			return nil
		}
		if errors.Is(err, journal.ErrGone) {
			return err
		}
		e.cfg.Log.Debug("the journal cannot be read; trying again", "err", err)
		e.core.Away(err)
		again = time.After(e.core.Pause())
	}
}

// beat sends the heartbeats that are due whatever the journal does. Each turn of the loop begins with it.
func (e *Engine) beat(ctx context.Context) {
	e.meter()
	for _, r := range e.core.Beats() {
		e.send(ctx, r, nil)
	}
}

// work drives one kernel until the journal fails, other leases are held, or ctx ends.
func (e *Engine) work(ctx context.Context) error {
	for ctx.Err() == nil {
		if e.core.Outdated() {
			return ErrLeases
		}
		e.beat(ctx)
		requests, err := e.core.Step(ctx)
		if err != nil {
			return err
		}
		for _, r := range requests {
			e.send(ctx, r, e.core.Kernel)
		}
		if now := e.cfg.Now(); now.Sub(e.logged) >= time.Minute {
			e.logged = now
			e.core.logOpen()
		}
		e.wait(ctx, e.timeout())
	}
	return ctx.Err()
}

// timeout is how long there is nothing to do unless something comes.
func (e *Engine) timeout() time.Duration {
	wake, forwarded := e.core.Due()
	d := min(e.until(wake), e.until(e.core.BeatsDue()))
	if !forwarded.IsZero() {
		d = min(d, forwarded.Sub(e.cfg.Clock()))
	}
	return max(d, time.Millisecond)
}

// until is how long it is until a time by the clock of the cloud; zero is never.
func (e *Engine) until(at time.Time) time.Duration {
	if at.IsZero() {
		return longestWait
	}
	return max(time.Duration(min(float64(at.Sub(e.cfg.Now()))/e.cfg.Speed, float64(longestWait))), time.Millisecond)
}

// wait takes in messages and results: at least one thing, unless there is none in time or the leases were renewed.
func (e *Engine) wait(ctx context.Context, timeout time.Duration) {
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return
	case <-e.renewed:
	case <-timer.C:
	case ms := <-e.heard:
		e.core.Hear(ms)
	case r := <-e.results:
		e.take(r)
	}
	for { // what else is there already is decided about at once
		select {
		case ms := <-e.heard:
			e.core.Hear(ms)
		case r := <-e.results:
			e.take(r)
		default:
			return
		}
	}
}

// send carries out one request in a worker of its own; who made it bounds how many are under way. K is the kernel that made it, if one did.
func (e *Engine) send(ctx context.Context, r plan.Request, k *kernel.Kernel) {
	if a := r.Action; a != nil {
		e.cfg.Log.Debug("act", "kind", a.Kind.String(), "target", a.Target.ID, "why", a.Why)
	}
	e.workers.Go(func() {
		done := CarryOut(ctx, e.cfg.Cloud, r, e.cfg.Now())
		select {
		case e.results <- result{kernel: k, done: done}:
		case <-ctx.Done():
		}
	})
}

// renew renews the leases and claims those that are free, until ctx ends.
func (e *Engine) renew(ctx context.Context) {
	for ctx.Err() == nil {
		again, _ := e.core.Leases.Step(ctx)
		wake(e.renewed)
		pause(ctx, again.Sub(e.cfg.Clock()))
	}
}

// tell sends what waits in the outbox, until ctx ends. It has a goroutine of its own: a receiver that is slow or away delays no drain.
func (e *Engine) tell(ctx context.Context) {
	box := NewOutbox(e.cfg)
	for ctx.Err() == nil {
		again := box.Step(ctx, e.core.Leases.Held())
		select {
		case <-ctx.Done():
		case <-e.told:
		case <-time.After(e.until(again)):
		}
	}
}

// take takes in a result.
func (e *Engine) take(r result) {
	if r.blocker != nil {
		e.core.Blocked(r.about, *r.blocker)
		return
	}
	e.core.Did(r.kernel, r.done)
}

func (e *Engine) ask(a kernel.Ask) {
	select {
	case e.asked <- a:
	default:
	}
}

// answer answers the questions of the kernel, one after the other: each takes a look at much of the account.
func (e *Engine) answer(ctx context.Context) {
	for {
		var a kernel.Ask
		select {
		case <-ctx.Done():
			return
		case a = <-e.asked:
		}
		b, ok := e.cfg.blocker(ctx, a)
		if !ok {
			continue
		}
		select {
		case e.results <- result{about: a, blocker: &b}:
		case <-ctx.Done():
		}
	}
}

// listen runs the source and starts it again should it end.
func (e *Engine) listen(ctx context.Context) {
	hear := func(ctx context.Context, ms []event.Message) error {
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
		pause(ctx, errorPause)
	}
}
