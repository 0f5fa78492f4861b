package story

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ebbhq/ebb/internal/cloud"
	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/event"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/journal/memory"
	"github.com/ebbhq/ebb/internal/kernel"
	"github.com/ebbhq/ebb/internal/plan"
	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/wire"
	"github.com/ebbhq/ebb/internal/source/sqs"
)

// caller is Ebb's name in the world's record.
const caller = "ebb"

// Result is what came of a story.
type Result struct {
	Lines      []Line         // the transcript
	Violations []Violation    // invariants that did not hold, and expectations that were not met
	Cover      map[string]int // how often each rule, fault and outcome was reached
	Drains     int            // finished drains
	Calls      map[string]int // Ebb's API calls by operation
	End        time.Time
}

// Line is one line of a transcript.
type Line struct {
	At   time.Duration // since the start
	Kind string
	Host string
	Text string
}

// Violation is something that must always hold and did not.
type Violation struct {
	Invariant int // number in ARCHITECTURE.md; 0: an expectation of the story
	Text      string
}

// String spells the violation.
func (v Violation) String() string {
	if v.Invariant == 0 {
		return "expected " + v.Text
	}
	return fmt.Sprintf("invariant %d: %s", v.Invariant, v.Text)
}

// event in the future of the driver: a result that comes back, a restart, a step.
type pending struct {
	at  time.Time
	seq int
	run func()
}

type agenda []pending

func (a agenda) Len() int { return len(a) }
func (a agenda) Less(i, j int) bool {
	return a[i].at.Before(a[j].at) || a[i].at.Equal(a[j].at) && a[i].seq < a[j].seq
}
func (a agenda) Swap(i, j int) { a[i], a[j] = a[j], a[i] }
func (a *agenda) Push(x any)   { *a = append(*a, x.(pending)) }
func (a *agenda) Pop() any {
	old := *a
	p := old[len(old)-1]
	*a = old[:len(old)-1]
	return p
}

// run is one story being told.
type run struct {
	s     Scenario
	w     *sim.World
	api   *wire.API
	cloud *cloud.Cloud
	queue *sqs.Queue
	store *memory.Store
	ctx   context.Context
	dice  dice
	start time.Time

	k      *kernel.Kernel // nil while Ebb is away
	life   int            // number of the current Ebb
	wake   time.Time
	stir   bool // something was heard or came back since the last pass
	agenda agenda
	seq    int
	held   map[string]sqs.Message // received and not settled, by message id
	writes int
	polled time.Time

	hosts     map[string][]string // group to its instances, as the story began
	names     map[string]string   // instance to group/index
	bodies    map[string]string   // instance to the body of the latest message about it
	messages  map[string]event.Event
	struck    map[int]int
	lastFault time.Time
	refused   int
	steps     int // still to come
	lines     []Line
	cover     map[string]int
}

// Run tells a story and checks it. The error is about the scenario itself; what did not hold is in the result.
func Run(s Scenario) (Result, error) {
	r, err := newRun(s)
	if err != nil {
		return Result{}, err
	}
	end := r.start.Add(s.until())
	for r.w.Now().Before(end) && !r.quiet() {
		r.advance(end)
	}
	return r.finish(), nil
}

func newRun(s Scenario) (*run, error) {
	w, err := sim.Build(s.World)
	if err != nil {
		return nil, err
	}
	r := &run{
		s: s, w: w, store: memory.New(), ctx: wire.WithCaller(context.Background(), caller), dice: newDice(s.Seed ^ 0xebb), start: w.Now(),
		held: map[string]sqs.Message{}, hosts: map[string][]string{}, names: map[string]string{}, bodies: map[string]string{},
		messages: map[string]event.Event{}, struck: map[int]int{}, cover: map[string]int{}, steps: len(s.At),
	}
	r.api = wire.New(wire.Config{World: w, Limits: wire.Limits(s.World.Switches), Faults: r.fault, PageSize: s.World.Switches.PageSize})
	ec2 := r.api.EC2()
	r.cloud = cloud.New(cloud.Clients{AutoScaling: r.api.AutoScaling(), ECS: r.api.ECS(), ELB: r.api.ELB(), EC2: ec2States(ec2)})
	q, err := w.Queue(s.Ebb.queue())
	if err != nil {
		return nil, fmt.Errorf("the world has no queue %q for Ebb: %w", s.Ebb.queue(), err)
	}
	r.queue = sqs.New(r.api.SQS(), sqs.Config{URL: q.URL, Now: w.Now})
	for _, g := range w.DescribeAutoScalingGroups(nil) {
		for i, in := range g.Instances {
			r.hosts[g.Name] = append(r.hosts[g.Name], in.ID)
			r.names[in.ID] = fmt.Sprintf("%s/%d", g.Name, i)
		}
	}
	for _, st := range s.At {
		r.later(r.start.Add(st.At), func() { r.steps--; r.doStep(st) })
	}
	r.later(r.start.Add(s.Ebb.Late), r.boot)
	return r, nil
}

// ec2States adapts the simulated DescribeInstances to the one that cloud uses.
func ec2States(ec2 wire.EC2) cloud.DescribeInstances {
	return func(ctx context.Context, ids []string) ([]plan.InstanceStatus, error) {
		return describe(ctx, ec2, ids)
	}
}

func (r *run) later(at time.Time, f func()) {
	r.seq++
	heap.Push(&r.agenda, pending{at, r.seq, f})
}

// advance moves to the next moment at which something happens, in the world or to Ebb, and lets it happen.
func (r *run) advance(end time.Time) {
	next := end
	sooner := func(t time.Time) {
		if t.Before(next) {
			next = t
		}
	}
	if t, ok := r.w.Next(); ok {
		sooner(t)
	}
	if len(r.agenda) > 0 {
		sooner(r.agenda[0].at)
	}
	if r.k != nil {
		sooner(r.wake)
		sooner(r.nextMessage())
	}
	if next.Before(r.w.Now()) {
		next = r.w.Now()
	}
	r.w.Advance(next)
	for len(r.agenda) > 0 && !r.agenda[0].at.After(next) {
		heap.Pop(&r.agenda).(pending).run()
	}
	if r.k == nil {
		return
	}
	r.poll()
	if r.stir || !r.wake.After(next) {
		r.pass()
	}
}

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
	r.w.Log(sim.Entry{Kind: sim.EntryController, To: "started"})
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
	r.w.Log(sim.Entry{Kind: sim.EntryController, To: "crashed", Text: where})
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
	for _, v := range vs {
		m, ok := r.held[v.Message]
		if !ok {
			continue
		}
		delete(r.held, v.Message)
		if v.Delete {
			_ = r.queue.Delete(r.ctx, []sqs.Message{m}) // a message that stays comes again and is known then
			continue
		}
		_ = r.queue.Return(r.ctx, m, sqs.Backoff(m.Receives))
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

// quiet reports whether nothing can happen any more that concerns Ebb.
func (r *run) quiet() bool {
	if r.k == nil || r.steps > 0 || r.k.Open() > 0 || len(r.held) > 0 || r.w.Now().Sub(r.start) < time.Minute {
		return false
	}
	for _, q := range r.w.Queues() {
		if q.Name == r.s.Ebb.queue() && len(q.Messages) > 0 {
			return false
		}
	}
	return r.w.Now().Sub(r.lastChange()) > 3*time.Minute && !r.anyLeaving()
}

// anyLeaving reports whether some instance of a managed group is on its way out.
func (r *run) anyLeaving() bool {
	for _, i := range r.w.DescribeAutoScalingInstances(nil) {
		if s := fleet.LifecycleState(i.State); s.Leaving() || s.Waiting() && r.manages(i.Group) {
			return true
		}
	}
	return false
}

func (r *run) manages(group string) bool {
	_, ok := (&past{r: r}).group(group)
	return ok
}

// lastChange is when the world last did something with a host.
func (r *run) lastChange() time.Time {
	rec := r.w.Record()
	for _, r := range slices.Backward(rec) {
		switch r.Kind {
		case sim.EntryLifecycle, sim.EntryHook, sim.EntryInstance:
			return r.At
		}
	}
	return r.start
}

func (r *run) hostOfKey(key string) string {
	id := key
	for i := 0; i < len(key); i++ {
		if key[i] == '/' {
			id = key[i+1:]
			break
		}
	}
	for i := 0; i < len(id); i++ {
		if id[i] == '/' {
			id = id[:i]
			break
		}
	}
	return r.hostName(id)
}

func (r *run) tell(kind, host, text string) {
	r.lines = append(r.lines, Line{r.w.Now().Sub(r.start), kind, host, text})
}

// ended reads every drain that ended.
func (r *run) ended() []drain.Drain {
	recs, err := r.store.Recent(r.ctx, 0)
	must(err)
	ds := make([]drain.Drain, len(recs))
	for i, rec := range recs {
		ds[i], err = kernel.Read(rec)
		must(err)
	}
	return ds
}

func (r *run) finish() Result {
	if r.k != nil {
		r.counted()
	}
	ended := r.ended()
	res := Result{Cover: r.cover, Drains: len(ended), Calls: r.api.CountsBy(caller), End: r.w.Now()}
	res.Violations = append(r.invariants(ended), r.expectations()...)
	res.Lines = r.transcript()
	return res
}

// must is for what cannot fail here: the memory journal and the driver's own records.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

// describe asks the simulated EC2 and keeps what cloud needs.
func describe(ctx context.Context, ec2 wire.EC2, ids []string) ([]plan.InstanceStatus, error) {
	found, err := ec2.DescribeInstances(ctx, ids)
	if err != nil {
		return nil, err
	}
	out := make([]plan.InstanceStatus, len(found))
	for i, in := range found {
		out[i] = plan.InstanceStatus{ID: fleet.InstanceID(in.ID), State: fleet.InstanceState(in.State)}
	}
	return out, nil
}
