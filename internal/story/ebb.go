package story

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
	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/wire"
	"github.com/ebbhq/ebb/internal/source/sqs"
)

// ebb is one Ebb of a story: a host with a clock, on which one process runs after another.
type ebb struct {
	*run
	name  string // under which it calls
	ctx   context.Context
	skew  time.Duration // of its clock
	queue *sqs.Queue

	life   int            // number of its process
	k      *kernel.Kernel // nil while it is away or reads its journal
	keeper *lease.Keeper  // nil while it is away
	under  map[string]journal.Lease
	wake   time.Time // in true time, as all below
	stir   bool      // something was heard or came back since the last pass
	held   map[string]sqs.Message
	notes  map[string]journal.Forwarded
	polled time.Time
	noted  time.Time
	leased time.Time // when its leases are due
	hangs  time.Time // until then it does nothing and knows nothing of it
	cut    time.Time // until then it does not reach its journal
	writes int
}

func (r *run) newEbb(i int, queueURL string) *ebb {
	e := &ebb{run: r, name: caller}
	if r.s.Ebb.Replicas > 1 {
		e.name = fmt.Sprintf("%s-%d", caller, i+1)
		e.skew = r.dice.between(-r.s.Ebb.Skew/2, r.s.Ebb.Skew/2+time.Millisecond)
	}
	e.ctx = wire.WithCaller(context.Background(), e.name)
	e.queue = sqs.New(r.api.SQS(), sqs.Config{URL: queueURL, Now: e.now})
	return e
}

// now is the time by its own clock.
func (e *ebb) now() time.Time { return e.w.Now().Add(e.skew) }

// next is when it has something to do, or never.
func (e *ebb) next() (time.Time, bool) {
	if e.keeper == nil {
		return time.Time{}, false
	}
	at := e.leased
	sooner := func(t time.Time) {
		if t.Before(at) {
			at = t
		}
	}
	sooner(e.nextMessage())
	if e.k != nil {
		sooner(e.wake)
		if len(e.under) > 0 {
			sooner(e.noted.Add(hearPause))
		}
	}
	if at.Before(e.hangs) {
		at = e.hangs
	}
	return at, true
}

// hearPause is how often notes are looked for, as in engine.
const hearPause = 2 * time.Second

// turn does what is due now.
func (e *ebb) turn() {
	now := e.w.Now()
	if e.keeper == nil || e.hangs.After(now) {
		return
	}
	if !e.leased.After(now) {
		e.lease()
	}
	if e.k == nil {
		return
	}
	e.poll()
	if len(e.under) > 0 && !e.noted.Add(hearPause).After(now) {
		e.hearNotes()
	}
	if e.k != nil && (e.stir || !e.wake.After(now)) {
		e.pass()
	}
}

// nextMessage is when its long poll would return: when a message is visible, and not more often than a poll takes.
func (e *ebb) nextMessage() time.Time {
	at := e.start.Add(1000 * time.Hour)
	q, err := e.w.Queue(e.s.Ebb.queue())
	if err != nil || e.k == nil {
		return at
	}
	for _, m := range q.Messages {
		if m.VisibleAt.Before(at) {
			at = m.VisibleAt
		}
	}
	if floor := e.polled.Add(200 * time.Millisecond); at.Before(floor) {
		return floor
	}
	return at
}

func (e *ebb) poll() {
	now := e.w.Now()
	if e.nextMessage().After(now) {
		return
	}
	e.polled = now
	ms, err := e.queue.Receive(e.ctx)
	if err != nil {
		e.polled = now.Add(time.Second)
		return
	}
	for _, m := range ms {
		ev := e.heardOf(m)
		e.held[m.ID] = m
		e.k.Hear(kernel.Heard{Event: ev, Message: m.ID, Body: m.Body, Sent: m.Sent, Receives: m.Receives}, e.now())
		e.stir = true
	}
}

// heardOf keeps what a message says, for the judge and for messages that come again.
func (r *run) heardOf(m sqs.Message) event.Event {
	ev := event.Parse([]byte(m.Body))
	r.messages[m.ID] = ev
	if ev.Kind == event.TerminateAction {
		r.bodies[string(ev.Instance)] = m.Body
	}
	return ev
}

// hearNotes takes in what the others have heard.
func (e *ebb) hearNotes() {
	e.noted = e.w.Now()
	if e.cutOff() != nil {
		e.fail(errJournal)
		return
	}
	notes, err := e.store.Forwarded(e.ctx, slices.Sorted(maps.Keys(e.under)))
	must(err)
	for _, n := range notes {
		id := "note/" + n.ID
		e.notes[id] = n
		e.k.Hear(kernel.Heard{Event: event.Parse([]byte(n.Body)), Message: id, Body: n.Body, Sent: n.Sent, Noted: true}, e.now())
		e.stir = true
	}
}

// boot starts a process.
func (e *ebb) boot() {
	e.life++
	e.keeper = lease.New(fmt.Sprintf("%s/%d", e.name, e.life), kernel.Scopes(e.kernelConfig().Groups, nil), lease.Serve())
	e.w.Log(core.Entry{Kind: core.EntryController, By: e.name, To: "started"})
	e.lease()
	if e.k == nil {
		e.load()
	}
	if e.life > 1 && e.k != nil {
		e.tell(e.name, "", fmt.Sprintf("starts again with %d open drains from its journal", e.k.Open()))
	}
}

// load starts a kernel from the journal, for the scopes of which it holds the lease.
func (e *ebb) load() {
	e.k, e.held, e.notes = nil, map[string]sqs.Message{}, map[string]journal.Forwarded{}
	if e.keeper == nil {
		return
	}
	if e.cutOff() != nil {
		e.again()
		return
	}
	held := e.keeper.Held(e.now())
	open, err := e.store.Open(e.ctx)
	must(err)
	ended, err := e.store.Recent(e.ctx, 1000)
	must(err)
	cfg := e.kernelConfig()
	cfg.Held, e.under = held, held
	e.k, err = kernel.New(cfg, open, ended)
	must(err)
	e.keeper.Concern(kernel.Scopes(cfg.Groups, open))
	e.wake, e.stir = e.w.Now(), true
}

// again loads in a while.
func (e *ebb) again() {
	life := e.life
	e.later(e.w.Now().Add(time.Second), func() {
		if life == e.life && e.k == nil {
			e.load()
		}
	})
}

func (r *run) kernelConfig() kernel.Config {
	q, err := r.w.Queue(r.s.Ebb.queue())
	cfg := kernel.Config{Hook: r.s.Ebb.hook(), LeaveForeign: r.s.Ebb.LeaveForeign, Redrive: err == nil && q.RedriveARN != ""}
	if r.s.Ebb.Replicas > 1 {
		cfg.Skew = lease.Skew
	}
	for _, g := range r.s.Ebb.Groups {
		cfg.Groups = append(cfg.Groups, kernel.Managed{Match: g.Match, Cluster: g.Cluster, Policy: r.s.Ebb.policy(g), MaxUnavailable: g.Budget})
	}
	return cfg
}

// lease does what its keeper wants done with the journal, and loads anew when other leases are held than before.
func (e *ebb) lease() {
	for {
		look, claims, again := e.keeper.Due(e.now())
		switch {
		case look && e.cutOff() != nil:
			e.keeper.Failed(e.now())
			continue
		case look:
			all, err := e.store.Leases(e.ctx)
			must(err)
			e.keeper.Read(e.unburied(all), e.now())
			continue
		case len(claims) == 0:
			e.leased = again.Add(-e.skew)
			if until := e.keeper.Until(e.now()); !until.IsZero() && until.Before(again) {
				e.leased = until.Add(-e.skew)
			}
			if !e.certain() {
				e.letGo()
				e.load()
			}
			return
		}
		e.claim(claims)
	}
}

func (e *ebb) claim(claims []lease.Claim) {
	for _, c := range claims {
		fault := e.leaseFault()
		err := e.cutOff()
		if err == nil && fault != "error" {
			err = e.store.Claim(e.ctx, c.Was, c.Is)
		}
		if fault != "" {
			err = errJournal
		}
		if err == nil && c.Was.Holder != c.Is.Holder {
			e.cover["lease taken"]++
			if c.Was.Holder != "" {
				e.cover["lease taken over"]++
			}
		}
		if e.keeper.Claimed(c, e.now(), err, e.now()); err != nil {
			return
		}
	}
}

// unburied shows the leases of dead processes of this host as free: a host knows which of its processes live.
func (e *ebb) unburied(all []journal.Lease) []journal.Lease {
	for i, l := range all {
		for life := 1; life < e.life; life++ {
			if l.Holder == fmt.Sprintf("%s/%d", e.name, life) {
				all[i].Holder = ""
			}
		}
	}
	return all
}

// certain reports whether it certainly holds what its kernel works under, and no more.
func (e *ebb) certain() bool {
	return maps.EqualFunc(e.under, e.keeper.Held(e.now()), func(a, b journal.Lease) bool { return a.Fence == b.Fence })
}

// cutOff is why the journal cannot be reached, if it cannot.
func (e *ebb) cutOff() error {
	if e.cut.After(e.w.Now()) {
		return errJournal
	}
	return nil
}

// crash takes a process away at once: what it had in its head is lost, what it had sent may or may not arrive.
func (e *ebb) crash(where string, away time.Duration) {
	if e.keeper == nil {
		return
	}
	e.counted()
	e.k, e.keeper, e.under, e.held = nil, nil, nil, map[string]sqs.Message{}
	e.life++
	e.lastFault = e.w.Now()
	e.w.Log(core.Entry{Kind: core.EntryController, By: e.name, To: "crashed", Text: where})
	e.tell(e.name, "", "is killed ("+where+")")
	e.cover["crash "+where]++
	e.later(e.w.Now().Add(max(away, time.Second)), e.boot)
}

// counted keeps what the kernel counted before it is forgotten.
func (e *ebb) counted() {
	if e.k == nil {
		return
	}
	for name, n := range e.k.Counts { //ebb:any-order sums
		e.cover["kernel "+name] += n
	}
}

// letGo forgets the kernel; messages that are not settled go back.
func (e *ebb) letGo() {
	for _, id := range slices.Sorted(maps.Keys(e.held)) { // in order: each call may meet a fault
		_ = e.queue.Return(e.ctx, e.held[id], 0)
	}
	e.counted()
	e.k, e.held = nil, map[string]sqs.Message{}
}

// pass lets the kernel decide, makes its batch durable, and only then settles messages and sends orders.
func (e *ebb) pass() {
	e.stir = false
	o := e.k.Next(e.now())
	e.wake = o.Wake.Add(-e.skew)
	if !e.certain() {
		e.letGo()
		e.load()
		return
	}
	e.alone(e.name, e.under)
	var where string
	var away time.Duration
	if !o.Batch.Empty() {
		e.writes++
		if where, away = e.crashPoint(e.writes); where == beforeWrite {
			e.crash(where, away)
			return
		}
		if !e.write(o.Batch) {
			return
		}
	}
	if where == afterWrite {
		e.crash(where, away)
		return
	}
	e.settle(o.Settle)
	if where == afterSettle {
		e.crash(where, away)
		return
	}
	for _, order := range o.Do {
		e.send(order)
	}
	if where == afterSend {
		e.crash(where, away)
	}
}

var errJournal = errors.New("injected: the journal failed")

// write makes a batch durable. When that fails Ebb forgets everything and reads its journal again, as the engine does.
func (e *ebb) write(b journal.Batch) bool {
	e.run.under(e.name, b)
	err := e.cutOff()
	if err == nil {
		switch e.journalFault() {
		case "":
			err = e.store.Write(e.ctx, b)
		case "conflict":
			err = journal.ErrConflict
		case "error":
			err = errJournal
		case "error-after":
			if err = e.store.Write(e.ctx, b); err == nil {
				e.durable(b, e.skew)
				err = errJournal
			}
		}
	}
	if err != nil {
		e.fail(err)
		return false
	}
	e.durable(b, e.skew)
	return true
}

func (e *ebb) fail(err error) {
	e.tell(e.name, "", "could not use its journal, reads it again: "+err.Error())
	e.letGo()
	e.again()
}

// durable writes into the world's own record what the journal now holds, so that the order of things can be checked.
func (r *run) durable(b journal.Batch, skew time.Duration) {
	for _, rec := range b.Records {
		d, err := kernel.Read(rec)
		must(err)
		to := "open"
		if !rec.Open {
			to = "ended"
		}
		r.w.Log(core.Entry{Kind: core.EntryJournal, Instance: string(d.Instance), Group: d.Group, Hook: d.Hook, Text: d.Token, To: to, Message: rec.Key})
	}
	for _, n := range b.Forwarded {
		ev := event.Parse([]byte(n.Body))
		r.w.Log(core.Entry{Kind: core.EntryJournal, Instance: string(ev.Instance), Group: ev.Group, Hook: ev.Hook, Text: ev.Token, To: "noted", Message: n.ID})
		r.cover["noted"]++
	}
	for _, l := range b.Lines {
		r.lines = append(r.lines, Line{l.At.Add(-skew).Sub(r.start), l.Kind, r.hostOfKey(l.Key), l.Text})
		r.cover["line "+l.Kind]++
		if l.Kind == "unreadable" {
			r.w.Log(core.Entry{Kind: core.EntryJournal, To: "unreadable", Text: l.Text})
		}
	}
}

func (e *ebb) settle(vs []kernel.Verdict) {
	var done []sqs.Message
	var heard []journal.Forwarded
	for _, v := range vs {
		if n, ok := e.notes[v.Message]; ok {
			delete(e.notes, v.Message)
			if v.Delete {
				heard = append(heard, n)
			}
			continue
		}
		m, ok := e.held[v.Message]
		if !ok {
			continue
		}
		delete(e.held, v.Message)
		if v.Delete {
			done = append(done, m)
			continue
		}
		_ = e.queue.Return(e.ctx, m, sqs.Backoff(m.Receives))
	}
	if len(done) > 0 {
		_ = e.queue.Delete(e.ctx, done) // a message that stays comes again and is known then
	}
	if len(heard) > 0 {
		_ = e.store.Discard(e.ctx, heard) // the same
	}
}

// send carries out an order after some time on the way, and brings its result back after some more. A crash in between loses the
// result, and half of the orders that were still on their way there.
func (e *ebb) send(o plan.Request) {
	k, life, started := e.k, e.life, e.now()
	e.carryOut(o, started, func() bool { return life == e.life }, func(done plan.Done) {
		if e.hangs.After(e.w.Now()) {
			e.later(e.hangs, func() { e.did(k, done) })
			return
		}
		e.did(k, done)
	})
}

// did brings a result to the kernel that ordered it.
func (e *ebb) did(k *kernel.Kernel, done plan.Done) {
	if k == e.k && k != nil {
		k.Did(done, e.now())
		e.stir = true
	}
}

// carryOut carries an order out for somebody who may have died when it arrives.
func (e *ebb) carryOut(o plan.Request, started time.Time, alive func() bool, back func(plan.Done)) {
	there, return1 := e.latency(), e.latency()
	lost := e.dice.percent(50)
	e.later(e.w.Now().Add(there), func() {
		if !alive() && lost {
			return
		}
		done := plan.Done{Request: o, Started: started}
		if o.Action != nil {
			done.Outcome = e.cloud.Do(e.ctx, *o.Action)
		} else {
			done.Result = e.cloud.Look(e.ctx, *o.Look)
		}
		e.later(e.w.Now().Add(return1), func() { back(done) })
	})
}

func (r *run) latency() time.Duration {
	if r.dice.percent(2) {
		return r.dice.between(time.Second, 5*time.Second)
	}
	return r.dice.between(5*time.Millisecond, 150*time.Millisecond)
}
