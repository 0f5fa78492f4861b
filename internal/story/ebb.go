package story

import (
	"errors"
	"fmt"
	"time"

	"github.com/ebbhq/ebb/internal/event"
	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/kernel"
	"github.com/ebbhq/ebb/internal/plan"
	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/source/sqs"
)

// nextMessage is when Ebb's long poll would return: when a message is visible, and not more often than a poll takes.
func (r *run) nextMessage() time.Time {
	at := r.start.Add(1000 * time.Hour)
	q, err := r.w.Queue(r.s.Ebb.queue())
	if err != nil {
		return at
	}
	for _, m := range q.Messages {
		if m.VisibleAt.Before(at) {
			at = m.VisibleAt
		}
	}
	if floor := r.polled.Add(200 * time.Millisecond); at.Before(floor) {
		return floor
	}
	return at
}

func (r *run) poll() {
	now := r.w.Now()
	if r.nextMessage().After(now) {
		return
	}
	r.polled = now
	ms, err := r.queue.Receive(r.ctx)
	if err != nil {
		r.polled = now.Add(time.Second)
		return
	}
	for _, m := range ms {
		e := event.Parse([]byte(m.Body))
		r.held[m.ID], r.messages[m.ID] = m, e
		if e.Kind == event.TerminateAction {
			r.bodies[string(e.Instance)] = m.Body
		}
		r.k.Hear(kernel.Heard{Event: e, Message: m.ID, Body: m.Body, Sent: m.Sent, Receives: m.Receives}, now)
		r.stir = true
	}
}

// boot starts an Ebb from the journal.
func (r *run) boot() {
	open, err := r.store.Open(r.ctx)
	must(err)
	ended, err := r.store.Recent(r.ctx, 1000)
	must(err)
	k, err := kernel.New(r.kernelConfig(), open, ended)
	must(err)
	r.life++
	r.k, r.wake, r.stir, r.held = k, r.w.Now(), true, map[string]sqs.Message{}
	r.w.Log(sim.Entry{Kind: sim.EntryController, By: caller, To: "started"})
	if r.life > 1 {
		r.tell("ebb", "", fmt.Sprintf("starts again with %d open drains from its journal", len(open)))
	}
}

func (r *run) kernelConfig() kernel.Config {
	q, err := r.w.Queue(r.s.Ebb.queue())
	cfg := kernel.Config{Hook: r.s.Ebb.hook(), LeaveForeign: r.s.Ebb.LeaveForeign, Redrive: err == nil && q.RedriveARN != ""}
	for _, g := range r.s.Ebb.Groups {
		cfg.Groups = append(cfg.Groups, kernel.Managed{Match: g.Match, Cluster: g.Cluster, Policy: r.s.Ebb.policy(g)})
	}
	return cfg
}

// crash takes Ebb away at once: what it had in its head is lost, what it had sent may or may not arrive.
func (r *run) crash(where string, away time.Duration) {
	if r.k == nil {
		return
	}
	r.counted()
	r.k, r.held = nil, map[string]sqs.Message{}
	r.life++
	r.lastFault = r.w.Now()
	r.w.Log(sim.Entry{Kind: sim.EntryController, By: caller, To: "crashed", Text: where})
	r.tell("ebb", "", "is killed ("+where+")")
	r.cover["crash "+where]++
	r.later(r.w.Now().Add(max(away, time.Second)), r.boot)
}

// counted keeps what the kernel counted before it is forgotten.
func (r *run) counted() {
	for name, n := range r.k.Counts { //ebb:any-order sums
		r.cover["kernel "+name] += n
	}
}

// pass lets the kernel decide, makes its batch durable, and only then settles messages and sends orders.
func (r *run) pass() {
	r.stir = false
	o := r.k.Next(r.w.Now())
	r.wake = o.Wake
	var where string
	var away time.Duration
	if !o.Batch.Empty() {
		r.writes++
		if where, away = r.crashPoint(); where == beforeWrite {
			r.crash(where, away)
			return
		}
		if !r.write(o.Batch) {
			return
		}
	}
	if where == afterWrite {
		r.crash(where, away)
		return
	}
	r.settle(o.Settle)
	if where == afterSettle {
		r.crash(where, away)
		return
	}
	for _, order := range o.Do {
		r.send(order)
	}
	if where == afterSend {
		r.crash(where, away)
	}
}

var errJournal = errors.New("injected: the journal failed")

// write makes a batch durable. When that fails Ebb forgets everything and reads its journal again, as the engine does.
func (r *run) write(b journal.Batch) bool {
	var err error
	switch r.journalFault() {
	case "":
		err = r.store.Write(r.ctx, b)
	case "conflict":
		err = journal.ErrConflict
	case "error":
		err = errJournal
	case "error-after":
		if err = r.store.Write(r.ctx, b); err == nil {
			r.durable(b)
			err = errJournal
		}
	}
	if err != nil {
		r.tell("ebb", "", "could not write its journal, reads it again: "+err.Error())
		for _, m := range r.held { //ebb:any-order each goes back by itself
			_ = r.queue.Return(r.ctx, m, 0)
		}
		r.counted()
		r.k = nil
		r.later(r.w.Now().Add(time.Second), r.boot)
		return false
	}
	r.durable(b)
	return true
}

// durable writes into the world's own record what the journal now holds, so that the order of things can be checked.
func (r *run) durable(b journal.Batch) {
	for _, rec := range b.Records {
		d, err := kernel.Read(rec)
		must(err)
		to := "open"
		if !rec.Open {
			to = "ended"
		}
		r.w.Log(sim.Entry{Kind: sim.EntryJournal, Instance: string(d.Instance), Group: d.Group, Hook: d.Hook, Text: d.Token, To: to, Message: rec.Key})
	}
	for _, l := range b.Lines {
		r.lines = append(r.lines, Line{l.At.Sub(r.start), l.Kind, r.hostOfKey(l.Key), l.Text})
		r.cover["line "+l.Kind]++
		if l.Kind == "unreadable" {
			r.w.Log(sim.Entry{Kind: sim.EntryJournal, To: "unreadable", Text: l.Text})
		}
	}
}

func (r *run) settle(vs []kernel.Verdict) {
	var done []sqs.Message
	for _, v := range vs {
		m, ok := r.held[v.Message]
		if !ok {
			continue
		}
		delete(r.held, v.Message)
		if v.Delete {
			done = append(done, m)
			continue
		}
		_ = r.queue.Return(r.ctx, m, sqs.Backoff(m.Receives))
	}
	if len(done) > 0 {
		_ = r.queue.Delete(r.ctx, done) // a message that stays comes again and is known then
	}
}

// send carries out an order after some time on the way, and brings its result back after some more. A crash in between loses the
// result, and half of the orders that were still on their way there.
func (r *run) send(o plan.Order) {
	life, sent := r.life, r.w.Now()
	there, back := r.latency(), r.latency()
	lost := r.dice.percent(50)
	r.later(sent.Add(there), func() {
		if life != r.life && lost {
			return
		}
		done := plan.Done{Order: o, Started: sent}
		if o.Action != nil {
			done.Outcome = r.cloud.Do(r.ctx, *o.Action)
		} else {
			done.Sight = r.cloud.Look(r.ctx, *o.Look)
		}
		r.later(r.w.Now().Add(back), func() {
			if life == r.life && r.k != nil {
				r.k.Did(done, r.w.Now())
				r.stir = true
			}
		})
	})
}

func (r *run) latency() time.Duration {
	if r.dice.percent(2) {
		return r.dice.between(time.Second, 5*time.Second)
	}
	return r.dice.between(5*time.Millisecond, 150*time.Millisecond)
}
