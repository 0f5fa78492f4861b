// Package kernel decides for all drains of one Ebb at once: it hears events, takes in what looks and actions brought, and says what is to
// be written, acknowledged, done and looked at next.
//
// It is pure and single-threaded: it never acts, looks, writes or waits by itself. engine.Core calls it, makes its batch durable first,
// and only then settles messages and carries out requests.
//
// Its parts: what is open and what has ended (drains.go, recent.go), what was seen and is to be looked at (observer.go and its files), how
// many calls may be made (rates.go), how many may leave (slots.go), the desired counts that Ebb raises (counts.go, raises.go, shortage.go),
// and the pass in which all drains decide (pass.go, dispatch.go). Scaling services will be a second user of the observer, the call rates,
// the records, the leases and the desired counts, beside drain and not a kind of it.
package kernel

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/notice"
	"github.com/ebbhq/ebb/internal/plan"
)

// Managed says which groups Ebb manages, and how; or of which cluster it takes the tasks out of their target groups that ECS stops with notice.
type Managed struct {
	Match          string // group name or glob (path.Match); empty: no group, but the tasks of Cluster
	Cluster        string // of its container instances; empty: every cluster is asked
	Policy         drain.Policy
	MaxUnavailable MaxUnavailable // of each group that matches
	Rebalance      bool           // an instance leaves when EC2 says that it is likely to be interrupted
	ReplaceFirst   bool           // replacements for the tasks on a host that leaves are started before they stop; Cluster is set
	RaiseCapacity  bool           // its desired capacity is raised for tasks of Scaled services of Cluster that find no place
	Agent          bool           // its instances have a second hook, drain.AgentHook, which ebb-agent on them answers
	StandIns       []StandIn      // of a cluster without a group
	Scaled         []Scaled       // of a cluster without a group
	OnlyScaled     bool           // the cluster stands here for Scaled alone
	Rehearsals     bool           // of interruptions are allowed
}

// Config is how a kernel works.
type Config struct {
	Hook         string // the name of the hook that Ebb owns
	Groups       []Managed
	LeaveForeign bool // leave messages about other groups and hooks to other consumers of the queue
	Redrive      bool // the queue has a redrive policy, so what is not understood need not be deleted here
	Sweep        time.Duration
	Rates        Rates
	InFlight     int                      // requests under way at once; 0: 16
	Held         map[string]journal.Lease // the leases under which it works, by scope; nil: it works for every scope, under none
	Skew         time.Duration            // how far the clock of whoever wrote the journal may differ from this one
	Routes       []notice.Route           // to people; none: nobody is told anything
	TrafficFirst []drain.TrafficFirst     // in all clusters
	Excluded     map[string]bool          // groups that an operator had excluded when an earlier kernel last saw them

	// OnePass: the kernel runs one invocation and is started again within Tick. The driver must return all results before it calls Next
	// again, and stops when there are no requests and none is due within Moment. What the next pass has to know goes into the journal, and no
	// look waits for others to share a call with.
	OnePass bool
}

// Tick is the longest time between the starts of two passes.
const Tick = time.Minute

// Moment is how long to wait before calls are tried again that our own rate limit refused.
const Moment = time.Second

// Output is what follows from what was heard, seen and done. The driver makes Batch durable first; if that fails it must
// forget this kernel and start a new one from the journal.
type Output struct {
	Batch  journal.Batch
	Settle []Verdict
	Do     []plan.Request
	Ask    []Ask
	Wake   time.Time // call Next again no later than this
}

// Scope is the unit of work to which its groups belong: whoever holds its lease works for all of them, so that calls are shared and how
// many leave is counted in one place.
func (m Managed) Scope() string {
	if m.Cluster != "" {
		return clusterScope(m.Cluster)
	}
	return "group/" + m.Match
}

// mine reports whether this Ebb works for a scope.
func (c *Config) mine(scope string) bool {
	_, held := c.Held[scope]
	return held || c.Held == nil
}

func clusterScope(cluster string) string { return "cluster/" + cluster }

func (c *Config) managed(group string) (Managed, bool) {
	if group == "" {
		return Managed{}, false
	}
	return fleet.FirstMatch(c.Groups, group, func(m Managed) string { return m.Match })
}

// tasksOf is how the tasks of a cluster are taken care of: as its own entry says, or with the groups of which it is the cluster.
func (c *Config) tasksOf(cluster string) (man Managed, ok bool) {
	for _, m := range c.Groups {
		if m.Cluster == cluster && !m.OnlyScaled && (!ok || m.Match == "") {
			man, ok = m, true
		}
	}
	observe := man.Policy.Observe
	man = Managed{Cluster: cluster, Policy: drain.TaskPolicy(), Rehearsals: man.Rehearsals}
	man.Policy.Observe = observe
	return man, ok && cluster != ""
}

// Sweeps reports whether there is a group to sweep.
func (c *Config) Sweeps() bool {
	return slices.ContainsFunc(c.Groups, func(m Managed) bool { return m.Match != "" })
}

// log collects what is to be written and counted.
type log struct {
	lines  []journal.Line
	Counts map[string]int // messages by kind and by what became of them, sweeps, adoptions, listings, endings
}

func (l *log) line(now time.Time, key, kind, text string) {
	l.lines = append(l.lines, journal.Line{At: now, Key: key, Kind: kind, Text: text})
}

// Kernel holds all drains of one Ebb.
type Kernel struct {
	*observer
	cfg       Config
	rates     *rates
	pacedTo   [plan.Answering + 1]time.Time // by priority: until when the urgent calls that wait are held back
	lastSet   map[string]time.Time          // by cluster: when container instances were last set DRAINING
	flying    map[int]plan.Request          // sent, no result yet; by id
	nextID    int
	leave     map[pool]int          // how many leave; only while deciding
	paused    map[string]paused     // by scope
	overrides map[string]overridden // by the key of the record
	view      view                  // of the drain that decides
	replaces  bool                  // some group has ReplaceFirst
	settle    []Verdict
	forwarded []journal.Forwarded
	unplaced  []unplaced      // notices about instances whose group is not known yet
	noted     map[string]bool // entries of the calendar, by ID
	pretends  bool            // what is decided about services that are scaled is not done
}

// New starts a kernel from the journal's open records and those that ended lately, as journal.Store returns them: the newest first. It
// requests nothing by itself: what was true before a restart is looked at again first. An open record that cannot be read is an error that
// names it; see Unread. One that has ended is left out.
func New(cfg Config, open, ended []journal.Record) (*Kernel, error) {
	cfg.InFlight, cfg.Sweep = cmp.Or(cfg.InFlight, 16), cmp.Or(cfg.Sweep, time.Minute)
	k := &Kernel{
		cfg: cfg, rates: newRates(cfg.Rates), lastSet: map[string]time.Time{}, flying: map[int]plan.Request{}, paused: map[string]paused{},
		noted: map[string]bool{},
	}
	all := &drains{open: map[fleet.Target]*entry{}, recent: map[fleet.Target]*history{}, newer: map[string]*UnknownRecord{}, aside: map[string]bool{}}
	k.observer = newObserver(all, &log{Counts: map[string]int{}}, &k.cfg)
	k.view.k = k
	k.replaces = slices.ContainsFunc(cfg.Groups, func(m Managed) bool { return m.ReplaceFirst })
	maps.Copy(k.excluded, cfg.Excluded)
	for _, r := range slices.Backward(ended) {
		if d, err := Read(r); err == nil {
			k.remember(&d)
			k.lingers(r.Scope, &d)
		}
	}
	for _, r := range open {
		if !OfDrain(r) {
			continue
		}
		if err := k.load(r); err != nil {
			return nil, err
		}
	}
	k.SetPauses(open)
	loadCounts(k, open)
	return k, nil
}

// Open is the number of open drains.
func (k *Kernel) Open() int { return len(k.open) }

// Oldest is the number of open drains, by scope, and how long the oldest has been.
func (k *Kernel) Oldest(now time.Time) (open map[string]int, oldest time.Duration) {
	open = map[string]int{}
	for _, e := range k.sorted {
		open[e.scope]++
		oldest = max(oldest, now.Sub(e.d.Zero))
	}
	return open, oldest
}
