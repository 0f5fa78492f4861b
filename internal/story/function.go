package story

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/ebbhq/ebb/internal/event"
	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/kernel"
	"github.com/ebbhq/ebb/internal/lease"
	"github.com/ebbhq/ebb/internal/plan"
	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/wire"
	"github.com/ebbhq/ebb/internal/source/sqs"
)

// function is Ebb as a Lambda function: what invokes it, in virtual time. Each invocation does what engine.Function does.
type function struct {
	*run
	queue *sqs.Queue
	ctx   context.Context
	busy  []*invocation
	next  time.Time // when the clock invokes it
	poll  time.Time // when the event source mapping last polled
	count int
}

// invocation is one pass, or some, at work. Its name is its own: another process, with another clock.
type invocation struct {
	f      *function
	name   string
	ctx    context.Context
	skew   time.Duration
	until  time.Time // Lambda ends it then, in true time
	dead   bool
	keeper *lease.Keeper
	scopes []string
	k      *kernel.Kernel
	heard  []sqs.Message
	wake   bool
	notes  map[string]journal.Forwarded
	held   map[string]journal.Lease
	taken  map[string]bool
	flying int
	passes int
}

const (
	invocationFor = 30 * time.Second // the function's time-out in the templates
	mostAtOnce    = 20               // invocations
	mostPasses    = 5                // as in engine
)

func (r *run) newFunction(queueURL string) *function {
	f := &function{run: r, next: r.start.Add(r.s.Ebb.Late), ctx: wire.WithCaller(context.Background(), caller)}
	f.queue = sqs.New(r.api.SQS(), sqs.Config{URL: queueURL, Now: r.w.Now})
	r.later(f.next, func() { r.w.Log(core.Entry{Kind: core.EntryController, By: caller, To: "started"}) })
	return f
}

// due is when something invokes it.
func (f *function) due() time.Time {
	at := f.next
	if len(f.busy) >= mostAtOnce {
		return at
	}
	if q, err := f.w.Queue(f.s.Ebb.queue()); err == nil {
		for _, m := range q.Messages {
			if m.VisibleAt.Before(at) {
				at = m.VisibleAt
			}
		}
	}
	if floor := f.poll.Add(200 * time.Millisecond); at.Before(floor) {
		return floor
	}
	if started := f.start.Add(f.s.Ebb.Late); at.Before(started) {
		return started
	}
	return at
}

// turn invokes it by the clock and for the messages of the queue.
func (f *function) turn() {
	now := f.w.Now()
	if now.Before(f.start.Add(f.s.Ebb.Late)) {
		return
	}
	if !f.next.After(now) {
		f.next = f.next.Add(time.Minute)
		f.invoke(nil, true)
	}
	if f.due().After(now) || len(f.busy) >= mostAtOnce {
		return
	}
	f.poll = now
	ms, err := f.queue.Receive(f.ctx)
	if err != nil || len(ms) == 0 {
		f.poll = now.Add(time.Second)
		return
	}
	for _, m := range ms {
		f.heardOf(m)
	}
	f.invoke(ms, false)
}

func (f *function) invoke(ms []sqs.Message, clock bool) {
	f.count++
	f.cover["invocation"]++
	i := &invocation{
		f: f, name: fmt.Sprintf("%s/%d", caller, f.count), ctx: f.ctx, until: f.w.Now().Add(invocationFor), heard: ms,
		skew: f.dice.between(-f.s.Ebb.Skew/2, f.s.Ebb.Skew/2+time.Millisecond), taken: map[string]bool{},
	}
	f.busy = append(f.busy, i)
	f.later(i.until, func() { i.kill("time-out") })
	i.begin(clock)
}

// now is the time by its clock.
func (i *invocation) now() time.Time { return i.f.w.Now().Add(i.skew) }

func wakes(m sqs.Message) bool { return event.Parse([]byte(m.Body)).Wakes() }

// begin is what engine.Function does first.
func (i *invocation) begin(clock bool) {
	open, err := i.f.store.Open(i.ctx)
	must(err)
	real := slices.ContainsFunc(i.heard, func(m sqs.Message) bool { return !wakes(m) })
	if !clock && !real && len(open) == 0 {
		for _, m := range i.heard {
			i.taken[m.ID] = true
		}
		i.end()
		return
	}
	i.wake = slices.ContainsFunc(i.heard, wakes)
	i.scopes = kernel.Scopes(i.f.kernelConfig().Groups, open)
	i.keeper = lease.New(i.name, i.scopes, lease.Pass())
	i.claim(i.scopes)
	i.pass(i.heard)
}

func (i *invocation) claim(scopes []string) {
	all, err := i.f.store.Leases(i.ctx)
	must(err)
	i.keeper.Read(all, i.now())
	i.store(scopes)
}

// store stores the claims on some scopes that are due.
func (i *invocation) store(scopes []string) {
	_, claims, _ := i.keeper.Due(i.now())
	for _, c := range claims {
		if slices.Contains(scopes, c.Is.Scope) {
			if c.Was.Holder != "" && c.Was.Holder != i.name {
				i.f.cover["lease taken over"]++
			}
			i.keeper.Claimed(c, i.now(), i.f.store.Claim(i.ctx, c.Was, c.Is), i.now())
		}
	}
}

func (i *invocation) release() {
	for _, c := range i.keeper.Release(i.now()) {
		i.keeper.Claimed(c, i.now(), i.f.store.Claim(i.ctx, c.Was, c.Is), i.now())
	}
}

// pass begins a pass over what is held.
func (i *invocation) pass(heard []sqs.Message) {
	i.passes++
	i.held = i.keeper.Held(i.now())
	cfg := i.f.kernelConfig()
	cfg.Held, cfg.OnePass, cfg.Redrive, cfg.Skew = i.held, true, true, lease.Skew
	open, err := i.f.store.Open(i.ctx)
	must(err)
	ended, err := i.f.store.Recent(i.ctx, 200)
	must(err)
	i.k, err = kernel.New(cfg, open, ended)
	must(err)
	notes, err := i.f.store.Forwarded(i.ctx, slices.Sorted(maps.Keys(i.held)))
	must(err)
	i.notes = map[string]journal.Forwarded{}
	for _, n := range notes {
		id := "note/" + n.Scope + "/" + n.ID
		i.notes[id] = n
		i.k.Hear(kernel.Heard{Event: event.Parse([]byte(n.Body)), Message: id, Body: n.Body, Sent: n.Sent, Noted: true}, i.now())
	}
	for _, m := range heard {
		i.k.Hear(kernel.Heard{Event: event.Parse([]byte(m.Body)), Message: m.ID, Body: m.Body, Sent: m.Sent, Receives: m.Receives}, i.now())
	}
	i.round(heard)
}

func (i *invocation) sure() bool { return i.early() && len(i.keeper.Held(i.now())) == len(i.held) }

// early reports whether there is time to begin something, as in engine.
func (i *invocation) early() bool { return i.f.w.Now().Before(i.until.Add(-invocationFor / 3)) }

// round lets the kernel decide once, and ends the pass when there is nothing more to do without waiting.
func (i *invocation) round(heard []sqs.Message) {
	i.store(slices.Sorted(maps.Keys(i.held))) // it still lives
	o := i.k.Next(i.now())
	if len(heard) > 0 && i.wake {
		for _, scope := range i.scopes {
			if _, ours := i.held[scope]; !ours {
				o.Batch.Forwarded = append(o.Batch.Forwarded, journal.Forwarded{Scope: scope, ID: "wake", Sent: i.now()})
			}
		}
	}
	if !i.sure() {
		i.finish()
		return
	}
	i.f.alone(i.name, i.held)
	i.f.writes++
	where, _ := i.f.crashPoint(i.f.writes)
	if where == beforeWrite {
		i.kill(where)
		return
	}
	if !o.Batch.Empty() && !i.write(o.Batch) {
		i.fail()
		return
	}
	if where == afterWrite {
		i.kill(where)
		return
	}
	i.settle(o.Settle)
	if where == afterSettle {
		i.kill(where)
		return
	}
	switch soon := o.Wake.Sub(i.now()); {
	case !i.sure() || len(o.Do) == 0 && soon > kernel.Moment:
		i.more()
		return
	case len(o.Do) == 0:
		i.f.later(i.f.w.Now().Add(max(soon, time.Millisecond)), func() {
			if !i.dead {
				i.round(nil)
			}
		})
		return
	}
	i.flying = len(o.Do)
	for _, order := range o.Do {
		i.send(order)
	}
	if where == afterSend {
		i.kill(where)
	}
}

// send carries out an order; when all of a round are back there is another.
func (i *invocation) send(o plan.Request) {
	started := i.now()
	e := &ebb{run: i.f.run, ctx: i.ctx}
	e.carryOut(o, started, func() bool { return !i.dead }, func(done plan.Done) {
		if i.dead {
			return
		}
		i.k.Did(done, i.now())
		if i.flying--; i.flying == 0 {
			i.round(nil)
		}
	})
}

func (i *invocation) write(b journal.Batch) bool {
	i.f.under(i.name, b)
	var err error
	fault := i.f.journalFault()
	if fault == "conflict" || fault == "error" {
		err = errJournal
	} else {
		err = i.f.store.Write(i.ctx, b)
	}
	if err == nil {
		i.f.durable(b, i.skew)
		if fault == "error-after" {
			err = errJournal
		}
	}
	return err == nil
}

func (i *invocation) settle(vs []kernel.Verdict) {
	var heard []journal.Forwarded
	for _, v := range vs {
		if n, ok := i.notes[v.Message]; ok {
			if v.Delete {
				heard = append(heard, n)
			}
			continue
		}
		i.taken[v.Message] = v.Delete
	}
	_ = i.f.store.Discard(i.ctx, heard)
}

// more lets go, and goes on if somebody has left a note meanwhile.
func (i *invocation) more() {
	i.finish1()
	if i.passes >= mostPasses || !i.early() {
		i.end()
		return
	}
	i.release()
	notes, err := i.f.store.Forwarded(i.ctx, i.scopes)
	must(err)
	var noted []string
	for _, n := range notes {
		noted = append(noted, n.Scope)
	}
	if len(noted) > 0 {
		i.claim(noted)
	}
	if len(noted) == 0 || len(i.keeper.Held(i.now())) == 0 {
		i.end()
		return
	}
	i.f.cover["pass for a note"]++
	i.pass(nil)
}

// fail ends it when the journal does not take a batch.
func (i *invocation) fail() {
	i.f.tell(i.name, "", "could not write its journal, and ends")
	i.finish()
}

func (i *invocation) finish() {
	i.finish1()
	i.end()
}

// finish1 keeps what the kernel counted.
func (i *invocation) finish1() {
	for name, n := range i.k.Counts { //ebb:any-order sums
		i.f.cover["kernel "+name] += n
	}
	i.k.Counts = nil
}

// end gives its answer: the event source mapping deletes what was taken.
func (i *invocation) end() {
	if i.keeper != nil {
		i.release()
	}
	var done []sqs.Message
	for _, m := range i.heard {
		if i.taken[m.ID] {
			done = append(done, m)
		}
	}
	if len(done) > 0 {
		_ = i.f.queue.Delete(i.ctx, done)
	}
	i.gone()
}

// kill ends it without an answer. What it holds it holds until that runs out, and no message is deleted.
func (i *invocation) kill(where string) {
	if i.dead {
		return
	}
	i.f.lastFault = i.f.w.Now()
	i.f.w.Log(core.Entry{Kind: core.EntryController, By: i.name, To: "crashed", Text: where})
	i.f.tell(i.name, "", "is killed ("+where+")")
	i.f.cover["crash "+where]++
	i.gone()
}

func (i *invocation) gone() {
	i.dead = true
	i.f.busy = slices.DeleteFunc(i.f.busy, func(o *invocation) bool { return o == i })
}
