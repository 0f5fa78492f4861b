package story

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/engine"
	"github.com/ebbhq/ebb/internal/kernel"
	"github.com/ebbhq/ebb/internal/lease"
	"github.com/ebbhq/ebb/internal/plan"
	"github.com/ebbhq/ebb/internal/sim/client"
	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/wire"
	"github.com/ebbhq/ebb/internal/source/sqs"
)

// ebb drives engine.Core in virtual time: it is a host with a clock, on which one process runs after another. Its times are true times.
type ebb struct {
	*run
	name string // under which it calls
	ctx  context.Context
	skew time.Duration // of its clock

	life    int          // number of its process
	reads   int          // the life that reads its journal again in a moment; 0: none does
	core    *engine.Core // nil while it is away, as the next two
	queue   *sqs.Queue
	journal *faulty
	polled  time.Time
	breath  time.Duration // after its latest poll
	flushes int           // the life that lets SQS know in a moment; 0: none does
	leased  time.Time     // when its leases are due
	box     *engine.Outbox
	boxed   time.Time // when its outbox is due
	alive   context.Context
	die     context.CancelFunc
	hangs   time.Time     // until then it does nothing and knows nothing of it
	cut     time.Time     // until then it does not reach its journal
	lag     time.Duration // for which the journal has held up the step that is under way
	writes  int
}

func (r *run) newEbb(i int) *ebb {
	e := &ebb{run: r, name: caller}
	if r.s.Ebb.Replicas > 1 {
		e.name = fmt.Sprintf("%s-%d", caller, i+1)
		e.skew = r.dice.between(-r.s.Ebb.Skew/2, r.s.Ebb.Skew/2+time.Millisecond)
	}
	e.ctx = wire.WithCaller(context.Background(), e.name)
	return e
}

// now is the time by its own clock.
func (e *ebb) now() time.Time { return e.w.Now().Add(e.skew) }

// loaded reports whether it runs and has read its journal.
func (e *ebb) loaded() bool { return e.core != nil && e.core.Kernel != nil }

// boot starts a process.
func (e *ebb) boot() {
	e.life++
	me := fmt.Sprintf("%s/%d", e.name, e.life)
	e.journal = &faulty{Store: e.store, run: e.run, name: e.name, skew: e.skew, kill: e.crash, ebb: e}
	mine := e.journal
	e.journal.dead = func() bool { return e.journal != mine }
	e.queue = e.newQueue(e.now)
	cfg := engine.Config{
		Kernel: e.kernelConfig(), Store: e.journal, Source: e.queue, Me: me, Now: e.now, Clock: e.now, Teller: e.teller(),
		Dead: func(holder string) bool { return holder != me && strings.HasPrefix(holder, e.name+"/") }, // a host knows its processes
	}
	e.core = engine.NewCore(cfg)
	e.box, e.boxed = engine.NewOutbox(cfg), e.w.Now()
	e.alive, e.die = context.WithCancel(e.ctx)
	e.core.OnNotice = func() { e.boxed = e.w.Now() }
	e.core.OnAsk = e.ask
	e.journal.held = e.core.Leases.Held
	e.w.Log(core.Entry{Kind: core.EntryController, By: e.name, To: "started"})
	e.renew()
	if !e.loaded() {
		e.load()
	}
	if e.life > 1 && e.loaded() {
		e.tell(e.name, "", fmt.Sprintf("starts again with %d open drains from its journal", e.core.Kernel.Open()))
	}
}

// ask answers a question of the kernel after a while.
func (e *ebb) ask(a kernel.Ask) {
	core, life := e.core, e.life
	e.later(e.w.Now().Add(e.dice.between(time.Second, 5*time.Second)), func() {
		if b, err := e.why(e.ctx, a); err == nil && life == e.life {
			core.Blocked(a, b)
		}
	})
}

func (r *run) newQueue(now func() time.Time) *sqs.Queue {
	return sqs.New(client.SQS(r.api), sqs.Config{URL: r.queueURL, Now: now, Log: slog.New(slog.DiscardHandler)})
}

func (r *run) kernelConfig() kernel.Config {
	q, err := r.w.Queue(r.s.Ebb.queue())
	cfg := kernel.Config{
		Hook: r.s.Ebb.hook(), Routes: r.s.Ebb.routes(), LeaveForeign: r.s.Ebb.LeaveForeign, Redrive: err == nil && q.RedriveARN != "" || r.fn != nil,
	}
	for _, f := range r.s.Ebb.TrafficFirst {
		cfg.TrafficFirst = append(cfg.TrafficFirst, drain.TrafficFirst(f))
	}
	if r.s.Ebb.Replicas > 1 || r.fn != nil {
		cfg.Skew = lease.Skew
	}
	for _, g := range r.s.Ebb.Groups {
		cfg.Groups = append(cfg.Groups, kernel.Managed{
			Match: g.Match, Cluster: g.Cluster, Policy: r.s.Ebb.policy(g), MaxUnavailable: g.MaxUnavailable, Rebalance: g.Rebalance == "drain",
			ReplaceFirst: g.ReplaceFirst, RaiseCapacity: g.Capacity == "raise", Rehearsals: g.AllowRehearsal, Agent: g.Agent,
		})
	}
	for _, c := range r.s.Ebb.Clusters {
		cfg.Groups = append(cfg.Groups, kernel.Managed{
			Cluster: c.Name, Policy: drain.Policy{Observe: c.Mode == "observe"}, StandIns: c.Services, Rehearsals: c.AllowRehearsal,
		})
	}
	cfg.Groups = scaledIn(r, cfg.Groups)
	return cfg
}

// next is when it has something to do, or never.
func (e *ebb) next() time.Time {
	if e.core == nil {
		return never
	}
	at := earliest(e.leased, e.nextMessage())
	if e.s.Ebb.Notify {
		at = earliest(at, e.boxed)
	}
	if due := e.core.BeatsDue(); !due.IsZero() {
		at = earliest(at, due.Add(-e.skew))
	}
	if e.loaded() {
		wake, forwarded := e.core.Due()
		at = earliest(at, wake.Add(-e.skew))
		if !forwarded.IsZero() {
			at = earliest(at, forwarded.Add(-e.skew))
		}
	}
	return latest(at, e.hangs)
}

// act does what is due now.
func (e *ebb) act() {
	now := e.w.Now()
	if e.core == nil || e.hangs.After(now) {
		return
	}
	if !e.leased.After(now) {
		e.renew()
	}
	if e.core != nil {
		for _, r := range e.core.Beats() { // which decide nothing, whoever holds the lease
			e.cover["beat without a journal"]++
			e.sendFrom(nil, r)
		}
	}
	if e.core != nil {
		e.poll() // also while its journal is away: it keeps the hooks alive of which it hears
	}
	if e.loaded() {
		e.step()
	} else if e.core != nil {
		e.queue.Flush(e.ctx)
	}
	if e.core != nil && e.s.Ebb.Notify && !e.boxed.After(now) && !e.hangs.After(now) {
		e.boxed = never // unless there is a notice meanwhile
		e.boxed = earliest(e.boxed, e.box.Step(e.alive, e.core.Leases.Held()).Add(-e.skew))
	}
}

// renew sees to its leases, and loads anew when other leases are held than before.
func (e *ebb) renew() {
	again, _ := e.core.Leases.Step(e.ctx)
	e.leased = again.Add(-e.skew)
	if e.core.Outdated() {
		e.forget(engine.ErrLeases)
		e.load()
	}
}

// load reads the journal, now or in a while.
func (e *ebb) load() {
	if err := e.core.Load(e.ctx); err != nil {
		e.core.Away(err)
		e.loadLater()
	}
}

func (e *ebb) loadLater() {
	life := e.life
	if e.reads == life {
		return
	}
	e.reads = life
	e.later(latest(e.w.Now(), e.hangs).Add(e.core.Pause()), func() {
		if life != e.life {
			return
		}
		e.reads = 0
		if !e.loaded() {
			e.load()
		}
	})
}

// forget lets the core forget everything; messages that are not settled go back.
func (e *ebb) forget(why error) {
	e.counted()
	e.core.Forget(why)
	e.queue.Flush(e.ctx)
}

// step lets the core do what is due, and is where a process is killed.
func (e *ebb) step() {
	e.journal.at, e.lag = Fault{}, 0
	requests, err := e.core.Step(e.ctx)
	switch {
	case e.core == nil: // killed
		return
	case errors.Is(err, engine.ErrLeases):
		e.forget(err)
		e.load()
		return
	case err != nil:
		e.tell(e.name, "", "could not use its journal, reads it again: "+err.Error())
		e.hangs = latest(e.hangs, e.w.Now().Add(e.lag))
		e.forget(err)
		e.loadLater()
		return
	}
	e.flush()
	if e.journal.killed(afterSettle) {
		return
	}
	if len(requests) > 0 && len(e.ebbs) > 1 {
		e.journal.alone()
	}
	if e.lag > 0 { // what was decided is sent only then, and nothing is done meanwhile
		e.hangs = latest(e.hangs, e.w.Now().Add(e.lag))
	}
	for _, r := range requests {
		e.send(r)
	}
	e.journal.killed(afterSend)
}

// send carries out a request. While the process hangs, its result waits.
func (e *ebb) send(r plan.Request) { e.sendFrom(e.core.Kernel, r) }

// sendFrom carries out a request of a kernel, or of none.
func (e *ebb) sendFrom(k *kernel.Kernel, r plan.Request) {
	core, life := e.core, e.life
	if e.lag > 0 {
		e.later(e.w.Now().Add(e.lag), func() {
			if life == e.life {
				e.carry(core, k, r)
			}
		})
		return
	}
	e.carry(core, k, r)
}

func (e *ebb) carry(core *engine.Core, k *kernel.Kernel, r plan.Request) {
	life := e.life
	e.carryOut(e.ctx, r, e.now(), func() bool { return life == e.life }, func(done plan.Done) {
		if e.hangs.After(e.w.Now()) {
			e.later(e.hangs, func() { core.Did(k, done) })
			return
		}
		core.Did(k, done)
	})
}

// crash takes a process away at once: what it had in its head is lost, what it had sent may or may not arrive.
func (e *ebb) crash(where string, away time.Duration) {
	if e.core == nil {
		return
	}
	e.counted()
	e.die()
	e.core, e.queue, e.journal = nil, nil, nil
	e.life++
	e.lastFault = e.w.Now()
	e.w.Log(core.Entry{Kind: core.EntryController, By: e.name, To: "crashed", Text: where})
	e.tell(e.name, "", "is killed ("+where+")")
	e.cover["crash "+where]++
	e.later(e.w.Now().Add(max(away, time.Second)), e.boot)
}

// counted keeps what the kernel counted before it is forgotten.
func (e *ebb) counted() {
	if e.loaded() {
		e.count(e.core.Kernel.Counts)
	}
}

func (r *run) count(counts map[string]int) {
	for name, n := range counts { //ebb:any-order sums
		r.cover["kernel "+name] += n
	}
}

// carryOut sends a request, which takes some time on the way, and brings its result back after some more. When the process has died by
// then, its result is lost, and half of the requests that were still on their way.
func (r *run) carryOut(ctx context.Context, req plan.Request, started time.Time, alive func() bool, back func(plan.Done)) {
	there, thence := r.latency(), r.latency()
	lost := r.dice.percent(50)
	asks(r, req)
	r.later(r.w.Now().Add(there), func() {
		if !alive() && lost {
			return
		}
		if !alive() && req.Action != nil && req.Action.Kind == plan.Answer {
			r.posthumous[req.Action.Target.ID] = r.w.Now()
		}
		done := engine.CarryOut(ctx, r.cloud, req, started)
		at := r.w.Now()
		r.later(at.Add(thence), func() { shown(r, done, at); back(done) })
	})
}

func (r *run) latency() time.Duration {
	if r.faultOf("calls", 0).How == "slow" { // what has to be done in 20 s at a deadline takes three calls
		return r.dice.between(500*time.Millisecond, 2500*time.Millisecond)
	}
	if r.dice.percent(2) {
		return r.dice.between(time.Second, 5*time.Second)
	}
	return r.dice.between(5*time.Millisecond, 150*time.Millisecond)
}
