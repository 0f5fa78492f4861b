package story

import (
	"container/heap"
	"context"
	"fmt"
	"maps"
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
	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/wire"
)

// caller is Ebb's name in the world's record.
const caller = "ebb"

// Result is what came of a story.
type Result struct {
	Lines      []Line             // the transcript
	Violations []Violation        // invariants that did not hold, and expectations that were not met
	Cover      map[string]int     // how often each rule, fault and outcome was reached
	Ended      []drain.Drain      // finished drains
	Calls      map[string]int     // Ebb's API calls by operation
	Checks     map[wire.Check]int // what the policies of Run were asked; none without a policy
	Record     []core.Entry       // the world's own record
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

func (a *agenda) Push(x any) { *a = append(*a, x.(pending)) }

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
	store *memory.Store
	dice  dice
	start time.Time

	ebbs   []*ebb    // none where Ebb is a function
	fn     *function // nil where it is not
	writes int       // of all its invocations
	agenda agenda
	seq    int

	hosts     map[string][]string // group to its instances, as the story began
	names     map[string]string   // instance to group/index
	bodies    map[string]string   // instance to the body of the latest message about it
	messages  map[string]event.Event
	struck    map[int]int
	lastFault time.Time
	refused   int
	both      map[string]bool // scopes that two held at a time
	bad       []Violation
	steps     int // still to come
	lines     []Line
	cover     map[string]int
}

// Run tells a story and checks it. Policies are what Ebb may do; without any it may do everything. The error is about the scenario itself; what did
// not hold is in the result.
func Run(s Scenario, policies ...*wire.Policy) (Result, error) {
	r, err := newRun(s)
	if err != nil {
		return Result{}, err
	}
	for _, p := range policies {
		r.api.Attach(caller, p)
		for _, e := range r.ebbs {
			r.api.Attach(e.name, p)
		}
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
		s: s, w: w, store: memory.New(), dice: newDice(s.Seed ^ 0xebb), start: w.Now(),
		hosts: map[string][]string{}, names: map[string]string{}, bodies: map[string]string{},
		messages: map[string]event.Event{}, struck: map[int]int{}, both: map[string]bool{}, cover: map[string]int{}, steps: len(s.At),
	}
	r.api = wire.New(wire.Config{World: w, Limits: wire.Limits(s.World.Switches), Faults: r.fault, PageSize: s.World.Switches.PageSize})
	ec2 := r.api.EC2()
	r.cloud = cloud.New(cloud.Clients{AutoScaling: r.api.AutoScaling(), ECS: r.api.ECS(), ELB: r.api.ELB(), EC2: ec2States(ec2)})
	q, err := w.Queue(s.Ebb.queue())
	if err != nil {
		return nil, fmt.Errorf("the world has no queue %q for Ebb: %w", s.Ebb.queue(), err)
	}
	if s.Ebb.Function {
		r.fn = r.newFunction(q.URL)
	}
	for i := range max(1, s.Ebb.Replicas) {
		if s.Ebb.Function {
			break
		}
		r.ebbs = append(r.ebbs, r.newEbb(i, q.URL))
	}
	for _, g := range w.DescribeAutoScalingGroups(nil) {
		for i, in := range g.Instances {
			r.hosts[g.Name] = append(r.hosts[g.Name], in.ID)
			r.names[in.ID] = fmt.Sprintf("%s/%d", g.Name, i)
		}
	}
	for _, st := range s.At {
		r.later(r.start.Add(st.At), func() { r.steps--; r.doStep(st) })
	}
	for _, e := range r.ebbs {
		r.later(r.start.Add(s.Ebb.Late), e.boot)
	}
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
	for _, e := range r.ebbs {
		if at, ok := e.next(); ok {
			sooner(at)
		}
	}
	if r.fn != nil {
		sooner(r.fn.due())
	}
	if next.Before(r.w.Now()) {
		next = r.w.Now()
	}
	r.w.Advance(next)
	for len(r.agenda) > 0 && !r.agenda[0].at.After(next) {
		heap.Pop(&r.agenda).(pending).run()
	}
	for _, e := range r.ebbs {
		e.turn()
	}
	if r.fn != nil {
		r.fn.turn()
	}
}

// quiet reports whether nothing can happen any more that concerns Ebb.
func (r *run) quiet() bool {
	if r.steps > 0 || r.w.Now().Sub(r.start) < time.Minute {
		return false
	}
	for _, e := range r.ebbs {
		if e.k == nil || e.k.Open() > 0 || len(e.held) > 0 {
			return false
		}
	}
	if r.fn != nil && len(r.fn.busy) > 0 {
		return false
	}
	if open, err := r.store.Open(context.Background()); err != nil || len(open) > 0 {
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
	_, ok := r.s.Ebb.group(group)
	return ok
}

// lastChange is when the world last did something with a host.
func (r *run) lastChange() time.Time {
	rec := r.w.Record()
	for _, r := range slices.Backward(rec) {
		switch r.Kind {
		case core.EntryLifecycle, core.EntryHook, core.EntryInstance:
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

// drains reads what is in the journal: drains that ended, and those that have not.
func (r *run) drains() (ended, open []drain.Drain) {
	read := func(recs []journal.Record, err error) []drain.Drain {
		must(err)
		ds := make([]drain.Drain, len(recs))
		for i, rec := range recs {
			ds[i], err = kernel.Read(rec)
			must(err)
		}
		return ds
	}
	return read(r.store.Recent(context.Background(), 0)), read(r.store.Open(context.Background()))
}

func (r *run) finish() Result {
	calls := map[string]int{}
	for _, e := range r.ebbs {
		e.counted()
		for name, n := range r.api.CountsBy(e.name) { //ebb:any-order sums
			calls[name] += n
		}
	}
	if r.fn != nil {
		calls = r.api.CountsBy(caller)
	}
	ended, open := r.drains()
	res := Result{Cover: r.cover, Ended: ended, Calls: calls, Checks: r.api.Checks(), Record: r.w.Record(), End: r.w.Now()}
	res.Violations = slices.Concat(r.bad, Judge(r.evidence(ended, open)), r.expectations())
	res.Lines = r.transcript()
	return res
}

// evidence is what the story leaves behind, for the judge.
func (r *run) evidence(ended, open []drain.Drain) Evidence {
	heartbeat := map[string]time.Duration{}
	for _, g := range r.w.DescribeAutoScalingGroups(nil) {
		for _, h := range g.Hooks {
			if h.Name == r.s.Ebb.hook() {
				heartbeat[g.Name] = h.Heartbeat
			}
		}
	}
	return Evidence{
		Ebb: r.s.Ebb, Record: r.w.Record(), Ended: ended, Open: open, Messages: r.messages, Heartbeat: heartbeat, Names: r.names,
		Start: r.start, End: r.w.Now(), LastFault: r.lastFault, Running: r.runs(), Skew: r.s.Ebb.Skew, Many: len(r.ebbs) > 1, Function: r.fn != nil,
	}
}

// alone is invariant 11, at the moment an Ebb acts for some scopes: no other is certain to hold one of them.
func (r *run) alone(name string, held map[string]journal.Lease) {
	other := func(who string, theirs map[string]journal.Lease) {
		for _, scope := range slices.Sorted(maps.Keys(held)) {
			if _, too := theirs[scope]; too && who != name && !r.both[scope] {
				r.both[scope] = true
				r.bad = append(r.bad, Violation{11, fmt.Sprintf("%s acts for %s, and so does %s", name, scope, who)})
			}
		}
	}
	for _, e := range r.ebbs {
		if e.keeper != nil {
			other(e.name, e.keeper.Held(e.now()))
		}
	}
	if r.fn == nil {
		return
	}
	for _, i := range r.fn.busy {
		if i.keeper != nil {
			other(i.name, i.keeper.Held(i.now()))
		}
	}
}

// under is the other half of invariant 11, at each write: records are written under the lease of their scope.
func (r *run) under(name string, b journal.Batch) {
	for _, rec := range b.Records {
		if !slices.ContainsFunc(b.Under, func(l journal.Lease) bool { return l.Scope == rec.Scope }) {
			r.bad = append(r.bad, Violation{11, fmt.Sprintf("%s writes %s without the lease of %s", name, rec.Key, rec.Scope)})
		}
	}
}

// runs reports whether an Ebb works.
func (r *run) runs() bool {
	if r.fn != nil {
		return true
	}
	for _, e := range r.ebbs {
		if e.k != nil && len(e.under) > 0 {
			return true
		}
	}
	return false
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
