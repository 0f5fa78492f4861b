package sim

import (
	"container/heap"
	"time"
)

// World is a simulated cloud. Its methods are AWS's operations, the building of a world, and the passing of time. It is not
// safe for concurrent use. Lists are answered whole, in a fixed order, and as copies; paging is the wire's.
type World struct {
	cfg    Config
	sw     Switches
	now    time.Time
	events events
	seq    uint64 // of scheduled changes: those of the same time run in the order in which they were scheduled
	ids    uint64 // how many random numbers became ids
	rolls  uint64 // how many became chance
	record []Entry
	by     string
	lag    time.Duration

	runtime Runtime         // nil: processes are modelled
	invoker FunctionRuntime // nil: functions do not run

	hosts     []*host
	host      map[string]*host // by instance id
	groups    []*group
	group     map[string]*group // by name
	members   map[string]*groupInstance
	clusters  []*cluster
	providers []*CapacityProvider
	cluster   map[string]*cluster
	machine   map[string]*containerInstance // by ARN
	tasks     map[string]*task              // by ARN
	families  map[string][]*TaskDefinition  // revisions in order
	balanced  []*targetGroup
	balancer  map[string]*targetGroup // by ARN
	queues    []*Queue
	queue     map[string]*Queue // by name
	receipts  map[string]receipt
	topics    []*Topic
	rules     []*rule
	networks  int // addresses given to awsvpc tasks

	functions   []*function
	underway    map[int]*running // invocations by number
	invocations int              // how many were begun
}

// New makes an empty world at its start time.
func New(cfg Config) *World {
	if cfg.Start.IsZero() {
		cfg.Start = time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)
	}
	if cfg.Account == "" {
		cfg.Account = "111122223333"
	}
	if cfg.Region == "" {
		cfg.Region = "eu-west-1"
	}
	return &World{
		cfg: cfg, sw: cfg.Switches, now: cfg.Start.UTC(), by: "aws",
		host: map[string]*host{}, group: map[string]*group{}, members: map[string]*groupInstance{},
		cluster: map[string]*cluster{}, machine: map[string]*containerInstance{}, tasks: map[string]*task{},
		families: map[string][]*TaskDefinition{}, balancer: map[string]*targetGroup{}, queue: map[string]*Queue{},
		receipts: map[string]receipt{}, underway: map[int]*running{},
	}
}

// Config returns what the world was started with, defaults filled in.
func (w *World) Config() Config { return w.cfg }

// Now is the time in the world.
func (w *World) Now() time.Time { return w.now }

// Next is when the next scheduled change is due; false if none is.
func (w *World) Next() (time.Time, bool) {
	if len(w.events) == 0 {
		return time.Time{}, false
	}
	return w.events[0].at, true
}

// Advance runs every scheduled change up to and including to, in order, and moves the time there. A time in the past changes
// nothing.
func (w *World) Advance(to time.Time) {
	by := w.by
	for len(w.events) > 0 && !w.events[0].at.After(to) {
		e := heap.Pop(&w.events).(event)
		w.now, w.by = e.at, "aws"
		e.f()
	}
	w.by = by
	if to.After(w.now) {
		w.now = to.UTC()
	}
}

// At schedules a change of the world for a story; in the past means now. The change runs with AWS as the caller unless it
// calls SetCaller.
func (w *World) At(t time.Time, f func()) {
	if t.Before(w.now) {
		t = w.now
	}
	w.seq++
	heap.Push(&w.events, event{at: t.UTC(), seq: w.seq, f: f})
}

// after schedules a change d from now.
func (w *World) after(d time.Duration, f func()) { w.At(w.now.Add(d), f) }

// Record is what has happened so far. Callers do not change it.
func (w *World) Record() []Entry { return w.record }

// Log appends an entry to the record, with the time now, and the caller if the entry names none.
func (w *World) Log(e Entry) {
	e.At = w.now
	if e.By == "" {
		e.By = w.by
	}
	w.record = append(w.record, e)
}

// SetCaller names who makes the calls that follow; it is written into the record.
func (w *World) SetCaller(name string) { w.by = name }

// SetLag makes the reads that follow answer with the state as it was d ago, as eventually consistent reads may; zero is fresh.
// It applies to container instances, tasks, instances of groups and target health. What did not exist then is left out.
func (w *World) SetLag(d time.Duration) { w.lag = d }

// Lagging reports whether reads show the world as it was some time ago.
func (w *World) Lagging() bool { return w.lag > 0 }

// then is the time that reads see.
func (w *World) then() time.Time { return w.now.Add(-w.lag) }

// event is one scheduled change.
type event struct {
	at  time.Time
	seq uint64
	f   func()
}

// events is a heap by time, then by sequence.
type events []event

func (e events) Len() int { return len(e) }
func (e events) Less(i, j int) bool {
	if c := e[i].at.Compare(e[j].at); c != 0 {
		return c < 0
	}
	return e[i].seq < e[j].seq
}
func (e events) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)   { *e = append(*e, x.(event)) }
func (e *events) Pop() any {
	old := *e
	last := old[len(old)-1]
	old[len(old)-1] = event{}
	*e = old[:len(old)-1]
	return last
}
