package story

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/cloud"
	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/event"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/journal/memory"
	"github.com/ebbhq/ebb/internal/kernel"
	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/autoscaling"
	"github.com/ebbhq/ebb/internal/sim/client"
	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/load"
	"github.com/ebbhq/ebb/internal/sim/traffic"
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
	Traffic    []traffic.Counts   // what became of requests, of each entry of the world's traffic
	Load       []load.Report      // what became of the work of services, of each entry of the world's load
	Minutes    [][]load.Minute    // the same, minute by minute
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

// pending is something in the future of the driver: a result that comes back, a restart, a step.
type pending struct {
	at  time.Time
	run func()
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
	said  time.Time // when an operator last said something of a host

	ebbs     []*ebb    // none where Ebb is a function
	fn       *function // nil where it is not
	queueURL string
	agenda   []pending // in order of time

	ids      map[string]string // group/index to instance, as the story began
	names    map[string]string // and the reverse
	bodies   map[string]string // instance to the body of the latest message about it
	messages map[string]event.Event

	posthumous map[string]time.Time // see Evidence
	struck     map[int]int
	lastFault  time.Time
	both       map[string]bool   // scopes that two held at a time
	refuses    map[string]bool   // keys of records, and lines, that the journal never takes
	openKeys   map[string]string // of the open record of an instance
	bad        []Violation
	pauses     []Pause
	overrides  []Overriding
	people     *people
	steps      int // still to come
	lines      []Line
	cover      map[string]int
}

// Run tells a story and checks it. Policies are what Ebb may do; without any it may do everything. The error is about the scenario itself;
// what did not hold is in the result.
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
	end := r.start.Add(cmp.Or(s.Until, time.Hour))
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
		ids: map[string]string{}, names: map[string]string{}, bodies: map[string]string{},
		messages: map[string]event.Event{}, posthumous: map[string]time.Time{}, struck: map[int]int{}, both: map[string]bool{},
		refuses: map[string]bool{}, openKeys: map[string]string{}, cover: map[string]int{}, steps: len(s.At),
	}
	r.people = r.newPeople()
	r.api = wire.New(wire.Config{World: w, Limits: wire.Limits(w), Faults: r.fault, PageSize: s.World.Switches.PageSize})
	r.cloud = cloud.New(cloud.Clients{
		AutoScaling: client.AutoScaling(r.api), ECS: client.ECS(r.api), ELB: client.ELB(r.api), EC2: sdkless{r.api},
		Names: sdkless{r.api}, Lattice: sdkless{r.api}, Get: r.connections,
		CloudWatch: client.JSON{API: r.api, Service: "cloudwatch"}, Queues: client.JSON{API: r.api, Service: "sqs"},
		Scalers: client.JSON{API: r.api, Service: "application-autoscaling"},
	})
	q, err := w.Queue(s.Ebb.queue())
	if err != nil {
		return nil, fmt.Errorf("the world has no queue %q for Ebb: %w", s.Ebb.queue(), err)
	}
	r.queueURL = q.URL
	if s.Ebb.Function {
		r.fn = r.newFunction()
	} else {
		for i := range max(1, s.Ebb.Replicas) {
			r.ebbs = append(r.ebbs, r.newEbb(i))
		}
	}
	for _, g := range w.DescribeAutoScalingGroups(nil) {
		for i, in := range g.Instances {
			name := fmt.Sprintf("%s/%d", g.Name, i)
			r.ids[name], r.names[in.ID] = in.ID, name
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

// later does something at a time, after what is already to be done at the same time.
func (r *run) later(at time.Time, f func()) {
	i := sort.Search(len(r.agenda), func(i int) bool { return r.agenda[i].at.After(at) })
	r.agenda = slices.Insert(r.agenda, i, pending{at, f})
}

// advance moves to the next moment at which something happens, in the world or to Ebb, and lets it happen.
func (r *run) advance(end time.Time) {
	next := end
	if t, ok := r.w.Next(); ok {
		next = earliest(next, t)
	}
	if len(r.agenda) > 0 {
		next = earliest(next, r.agenda[0].at)
	}
	for _, e := range r.ebbs {
		next = earliest(next, e.next())
	}
	if r.fn != nil {
		next = earliest(next, r.fn.due())
	}
	next = latest(next, r.w.Now())
	r.w.Advance(next)
	for len(r.agenda) > 0 && !r.agenda[0].at.After(next) {
		p := r.agenda[0]
		r.agenda = slices.Delete(r.agenda, 0, 1)
		p.run()
	}
	for _, e := range r.ebbs {
		e.act()
	}
	if r.fn != nil {
		r.fn.act()
	}
}

// quiet reports whether nothing can happen any more that concerns Ebb. Where requests are counted, they are to the end.
func (r *run) quiet() bool {
	if r.steps > 0 || len(r.s.World.Traffic)+len(r.s.World.Load) > 0 || r.w.Now().Sub(r.start) < time.Minute {
		return false
	}
	for _, e := range r.ebbs {
		if !e.loaded() || e.core.Kernel.Open() > 0 || e.queue.Held() > 0 {
			return false
		}
	}
	if r.fn != nil && len(r.fn.busy) > 0 {
		return false
	}
	if open, err := r.store.Open(context.Background()); err != nil || len(open) > 0 {
		return false
	}
	if q, err := r.w.Queue(r.s.Ebb.queue()); err == nil && len(q.Messages) > 0 {
		return false
	}
	return r.w.Now().Sub(r.lastChange()) > 3*time.Minute && !r.anyLeaving() && !r.people.waiting() && r.w.Now().Sub(r.said) > wordsKnown
}

// wordsKnown is how long it takes at most until an Ebb that is not busy knows of an operator's word.
const wordsKnown = 2 * time.Minute

// anyLeaving reports whether some instance of a managed group is on its way out.
func (r *run) anyLeaving() bool {
	return slices.ContainsFunc(r.w.DescribeAutoScalingInstances(nil), func(i autoscaling.GroupInstance) bool {
		s := fleet.LifecycleState(i.State)
		return s.Leaving() || s.Waiting() && r.s.Ebb.manages(i.Group)
	})
}

// lastChange is when the world last did something with a host.
func (r *run) lastChange() time.Time {
	for _, e := range slices.Backward(r.w.Record()) {
		switch e.Kind {
		case core.EntryLifecycle, core.EntryHook, core.EntryInstance:
			return e.At
		}
	}
	return r.start
}

// hostOfKey is what a story calls the instance of a drain: its key is group/instance/token.
func (r *run) hostOfKey(key string) string {
	parts := strings.Split(key, "/")
	return r.hostName(parts[min(1, len(parts)-1)])
}

func (r *run) tell(kind, host, text string) {
	r.lines = append(r.lines, Line{r.w.Now().Sub(r.start), kind, host, text})
}

// drains reads what is in the journal: drains that ended, and those that have not.
func (r *run) drains() (ended, open []drain.Drain) {
	read := func(recs []journal.Record, err error) []drain.Drain {
		must(err)
		var ds []drain.Drain
		for _, rec := range recs {
			if !kernel.OfDrain(rec) {
				continue
			}
			d, err := kernel.Read(rec)
			must(err)
			ds = append(ds, d)
		}
		return ds
	}
	return read(r.store.Recent(context.Background(), 0)), read(r.store.Open(context.Background()))
}

func (r *run) finish() Result {
	for _, e := range r.ebbs {
		e.counted()
	}
	ended, open := r.drains()
	if r.s.Ebb.Notify {
		r.people.missed(ended)
	}
	for _, t := range r.w.TrafficCounts() {
		r.tell("traffic", "", fmt.Sprintf("%s: %.0f of %.0f failed", t.Service, t.Failed(), t.Requests))
	}
	return Result{
		Cover: r.cover, Ended: ended, Calls: r.api.Counts(), Checks: r.api.Checks(), Record: r.w.Record(), End: r.w.Now(),
		Traffic:    r.w.TrafficCounts(),
		Load:       core.Mapped(r.w.Loads(), func(l load.Spec) load.Report { rep, _ := r.w.LoadReport(l.Service); return rep }),
		Minutes:    core.Mapped(r.w.Loads(), func(l load.Spec) []load.Minute { return r.w.LoadMinutes(l.Service) }),
		Violations: slices.Concat(r.bad, Judge(r.evidence(ended, open)), r.expectations()), Lines: r.transcript(),
	}
}

// evidence is what the story leaves behind, for the judge.
func (r *run) evidence(ended, open []drain.Drain) Evidence {
	heartbeat, excluded := map[string]time.Duration{}, map[string]bool{}
	for _, g := range r.w.DescribeAutoScalingGroups(nil) {
		excluded[g.Name] = g.Tags[fleet.ExcludeTag] == "true"
		for _, h := range g.Hooks {
			if h.Name == r.s.Ebb.hook() {
				heartbeat[g.Name] = h.Heartbeat
			}
		}
	}
	faults := func(op, how string) []Fault {
		return slices.DeleteFunc(slices.Clone(r.s.Faults), func(f Fault) bool { return f.Op != op || f.How != how })
	}
	records, err := r.store.Open(context.Background())
	must(err)
	raised := slices.ContainsFunc(records, func(rec journal.Record) bool { _, is := kernel.ReadCount(rec); return is })
	return Evidence{
		Raised: raised, Least: leastOf(r.s.World.TargetGroups), Ebb: leftAlone(r.s), Record: r.w.Record(), Ended: ended, Open: open,
		Messages: r.messages, Names: r.names,
		Heartbeat: heartbeat, Excluded: excluded, Away: faults("journal", "away"), Slow: faults("calls", "slow"), Pauses: r.pauses, Overrides: r.overrides,
		Posthumous: r.posthumous, SpotStatusLate: r.s.World.Switches.SpotStatusLate, Start: r.start, End: r.w.Now(), LastFault: r.lastFault,
		Running: r.fn != nil || slices.ContainsFunc(r.ebbs, func(e *ebb) bool { return e.loaded() && e.core.Works() }),
	}
}

// must is for what cannot fail here, such as the memory journal and the driver's own records.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

// never is later than everything.
var never = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

func earliest(times ...time.Time) time.Time { return slices.MinFunc(times, time.Time.Compare) }
func latest(times ...time.Time) time.Time   { return slices.MaxFunc(times, time.Time.Compare) }
