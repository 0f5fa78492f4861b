package story

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/ebbhq/ebb/internal/engine"
	"github.com/ebbhq/ebb/internal/event"
	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/plan"
	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/wire"
	"github.com/ebbhq/ebb/internal/source/sqs"
)

// function is what invokes engine.Function, in virtual time.
type function struct {
	*run
	ctx   context.Context
	busy  []*invocation
	next  time.Time // when the clock invokes it
	poll  time.Time // when the event source mapping last polled
	count int
	steps int // rounds of all invocations
}

// invocation drives an engine.Invocation. Its name is its own: another process, with another clock.
type invocation struct {
	f       *function
	journal *faulty
	ctx     context.Context
	die     context.CancelFunc
	skew    time.Duration
	heard   []event.Message
	queue   *sqs.Queue // as the event source mapping knows it: the messages of this invocation and no others
	at      *engine.Invocation
	flying  int // requests under way
	dead    bool
}

const (
	invocationFor = 30 * time.Second // the function's timeout in the templates
	mostAtOnce    = 20               // invocations
)

func (r *run) newFunction() *function {
	f := &function{run: r, next: r.start.Add(r.s.Ebb.Late), ctx: wire.WithCaller(context.Background(), caller)}
	r.later(f.next, func() { r.w.Log(core.Entry{Kind: core.EntryController, By: caller, To: "started"}) })
	return f
}

// due is when something invokes it.
func (f *function) due() time.Time {
	if len(f.busy) >= mostAtOnce {
		return f.next
	}
	return latest(f.visible(f.next), f.poll.Add(pollPause), f.start.Add(f.s.Ebb.Late))
}

// act invokes it by the clock and for the messages of the queue.
func (f *function) act() {
	now := f.w.Now()
	if !f.next.After(now) {
		f.next = f.next.Add(time.Minute)
		f.invoke(f.newQueue(f.w.Now), nil, true)
	}
	if f.due().After(now) || len(f.busy) >= mostAtOnce {
		return
	}
	f.poll = now
	queue := f.newQueue(f.w.Now)
	ms, err := queue.Receive(f.ctx)
	if err != nil || len(ms) == 0 {
		f.poll = now.Add(time.Second)
		return
	}
	f.remember(ms)
	f.invoke(queue, ms, false)
}

func (f *function) invoke(queue *sqs.Queue, ms []event.Message, clock bool) {
	f.count++
	f.cover["invocation"]++
	i := &invocation{
		f: f, queue: queue, heard: ms,
		skew: f.dice.between(-f.s.Ebb.Skew/2, f.s.Ebb.Skew/2+time.Millisecond),
	}
	name := fmt.Sprintf("%s/%d", caller, f.count)
	i.journal = &faulty{Store: f.store, run: f.run, name: name, skew: i.skew, kill: func(where string, _ time.Duration) { i.kill(where) }}
	i.journal.dead = func() bool { return i.dead }
	i.journal.held = func() map[string]journal.Lease { return nil } // see below
	i.ctx, i.die = context.WithCancel(f.ctx)
	cfg := engine.Config{Kernel: f.kernelConfig(), Store: i.journal, Me: name, Now: i.now, Clock: i.now, Teller: f.teller(), Why: f.why}
	f.later(f.w.Now().Add(invocationFor), func() { i.kill("timeout") })
	var err error
	i.at, err = engine.NewFunction(cfg).Begin(f.ctx, ms, clock, i.now().Add(invocationFor*2/3))
	f.busy = append(f.busy, i)
	if err != nil { // it has failed before it began: what it heard comes again
		f.tell(name, "", "could not use its journal: "+err.Error())
		i.away(err)
		return
	}
	i.journal.held = i.at.Core.Leases.Held
	i.journal.alone() // also for what it wrote at once: it ends records that nobody can read
	i.round()
}

// away keeps hooks alive without a journal, if it is that, and ends.
func (i *invocation) away(err error) {
	if i.at.Away(i.heard, err) {
		i.beat()
	} else {
		i.end()
	}
}

func (i *invocation) beat() {
	due := i.at.Core.Beats()
	if len(due) == 0 {
		i.end()
		return
	}
	i.f.cover["beat without a journal"]++
	i.flying = len(due)
	for _, req := range due {
		i.send(req, func(done plan.Done) { i.at.Core.Did(nil, done) }, i.beat)
	}
}

// now is the time by its clock.
func (i *invocation) now() time.Time { return i.f.w.Now().Add(i.skew) }

// round goes on until requests are under way or there is nothing to do for a moment, and is where an invocation is killed.
func (i *invocation) round() {
	for !i.dead && !i.at.Over {
		i.journal.at = Fault{}
		if i.at.Core.Early() {
			i.f.steps++
			i.journal.at = i.f.faultOf("crash", i.f.steps)
		}
		do, again, err := i.at.Round(i.f.ctx)
		switch {
		case i.dead || i.journal.killed(beforeWrite) || i.journal.killed(afterWrite) || i.journal.killed(afterSettle):
			return
		case err != nil:
			i.f.tell(i.journal.name, "", "could not write its journal")
			i.f.run.count(i.at.Core.Kernel.Counts)
			i.away(err)
			return
		case len(do) > 0:
			i.journal.alone()
			i.flying = len(do)
			for _, req := range do {
				i.send(req, i.at.Did, i.round)
			}
			i.journal.killed(afterSend)
			return
		case !again.IsZero():
			i.f.later(latest(again.Add(-i.skew), i.f.w.Now().Add(time.Millisecond)), i.round)
			return
		}
		i.f.run.count(i.at.Core.Kernel.Counts)
		if err := i.at.More(i.ctx); !i.dead {
			must(err)
		}
		if !i.at.Over {
			i.f.cover["pass for a note"]++
		}
	}
	if !i.dead {
		i.end()
	}
}

// send carries out a request; when all of them are back, it goes on with the next.
func (i *invocation) send(r plan.Request, did func(plan.Done), next func()) {
	i.f.carryOut(i.f.ctx, r, i.now(), func() bool { return !i.dead }, func(done plan.Done) {
		if i.dead {
			return
		}
		did(done)
		if i.flying--; i.flying == 0 {
			next()
		}
	})
}

// end gives its answer: the event source mapping deletes the messages that were taken.
func (i *invocation) end() {
	i.at.End(i.f.ctx)
	for _, v := range i.at.Settled {
		if v.Delete {
			i.queue.Settle(v.Message, true)
		}
	}
	i.queue.Flush(i.f.ctx)
	i.gone()
}

// kill ends it without an answer. What it holds it holds until that runs out, and no message is deleted.
func (i *invocation) kill(where string) {
	if i.dead {
		return
	}
	i.f.lastFault = i.f.w.Now()
	i.f.w.Log(core.Entry{Kind: core.EntryController, By: i.journal.name, To: "crashed", Text: where})
	i.f.tell(i.journal.name, "", "is killed ("+where+")")
	i.f.cover["crash "+where]++
	i.gone()
}

func (i *invocation) gone() {
	i.dead = true
	i.die()
	i.f.busy = slices.DeleteFunc(i.f.busy, func(o *invocation) bool { return o == i })
}
