// Package kernel is the one place where everything comes together: it hears events, sees views, learns what was done, and
// orders what is next, for all drains at once.
//
// It is pure and single-threaded: it never acts, looks, writes or waits by itself. engine.Core
// calls it, makes its batch durable first, and only then settles messages and carries out orders.
package kernel

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/event"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/plan"
)

// Managed says which groups Ebb manages, and how.
type Managed struct {
	Match          string // group name or glob (path.Match)
	Cluster        string // of its container instances; empty: every cluster is asked
	Policy         drain.Policy
	MaxUnavailable MaxUnavailable // of each group that matches
}

// Config is what a kernel works by.
type Config struct {
	Hook         string // the name of the hook that Ebb owns
	Groups       []Managed
	LeaveForeign bool // leave messages about other groups and hooks to other consumers of the queue
	Redrive      bool // the queue has a redrive policy, so what is not understood need not be deleted here
	Sweep        time.Duration
	Rates        Rates
	InFlight     int                      // orders under way at once; 0: 16
	Held         map[string]journal.Lease // the leases under which it works, by scope; nil: it works for every scope, under none
	Skew         time.Duration            // how far the clock may be off by which the journal's times were taken

	// OnePass: it lives for one pass, and the next one comes within Tick. The driver brings back what came of all orders before it calls Next
	// again, and ends when there are none and none will come in a Moment. What the next pass has to know goes into the journal, and nothing
	// waits for more to do it with.
	OnePass bool
}

// Tick is how far apart passes are at most.
const Tick = time.Minute

// Moment is how long it may take until calls are allowed again that were too many.
const Moment = time.Second

// Heard is a message as it came from a source.
type Heard struct {
	Event    event.Event
	Message  string // the source's name for it; empty: nothing is to be settled
	Body     string
	Sent     time.Time
	Receives int
	Noted    bool // another Ebb heard it and left a note
}

// Verdict says what becomes of a message.
type Verdict struct {
	Message string
	Delete  bool // acknowledge it; otherwise it is left to come again, later and later
	Kind    event.Kind
	Why     string
}

// Output is what follows from what was heard, seen and done. The driver makes Batch durable first; if that fails it must
// forget this kernel and start a new one from the journal.
type Output struct {
	Batch  journal.Batch
	Settle []Verdict
	Do     []plan.Request
	Wake   time.Time // call Next again no later than this
}

// entry is one open drain with what this run of Ebb knows beside it.
type entry struct {
	d       drain.Drain
	man     Managed
	scope   string
	rev     int64
	tried   map[plan.ActionKind]drain.Try
	tasks   []fleet.Fact[fleet.Task]      // every task ever listed, by ARN
	lists   map[plan.LookKind][]time.Time // starts of complete task lists, oldest first: by desired status
	whole   time.Time                     // when the newest list of those that run had come in full
	paged   bool                          // that was one of the whole cluster
	opened  time.Time                     // the deadline's zero as it was then
	since   time.Time                     // looks that were started earlier may tell of the instance's earlier life
	before  time.Time                     // start of the look at the container instance before the latest
	known   *carried                      // as it is in the journal
	wants   []wanted
	wake    time.Time
	waiting string
	dirty   bool // decide again
	fresh   bool // not in the journal yet
}

// trouble is why looks of a kind fail, and how many have in a row.
type trouble struct {
	why   string
	times int
}

// Kernel holds all drains of one Ebb.
type Kernel struct {
	cfg      Config
	open     map[fleet.InstanceID]*entry
	order    []*entry // those that are open, by the deadline zero with which they were opened, then id
	recent   map[fleet.InstanceID]*history
	newer    map[string]bool // subjects of the open records that only a newer Ebb reads
	facts    facts
	asked    map[plan.Subject]*ask
	trouble  map[plan.LookKind]trouble
	leaving  map[fleet.InstanceID]time.Time // when a sweep last saw the instance leaving, its hook not open yet
	turn     [plan.Answering + 1]time.Time  // by priority: when the urgent calls that wait may be sent
	flying   map[int]plan.Request
	listings map[string]*listing  // lists of whole clusters that are being made
	spaced   map[place]time.Time  // when a look of this kind and place was last sent
	set      map[string]time.Time // by cluster: when container instances were last set DRAINING
	nextID   int
	budget   *ledger
	swept    time.Time                   // start of the latest successful sweep
	groups   map[string]int              // managed groups that exist, and how many instances they have
	leaves   map[string]int              // by group: how many leave; only while deciding
	toAdopt  map[fleet.InstanceID]string // waits in the named group, whose hook is not known yet
	settle   []Verdict
	lines    []journal.Line
	notes    []journal.Forwarded
	Counts   map[string]int // messages by what became of them, sweeps, adoptions
}

// New starts a kernel from the journal's open records and those that ended lately, as journal.Store returns them: the newest first. It orders nothing by itself: what was true
// before a restart is looked at again first. A record that cannot be read is an error that names it.
func New(cfg Config, open, ended []journal.Record) (*Kernel, error) {
	if cfg.InFlight == 0 {
		cfg.InFlight = 16
	}
	if cfg.Sweep == 0 {
		cfg.Sweep = time.Minute
	}
	k := &Kernel{
		cfg: cfg, open: map[fleet.InstanceID]*entry{}, recent: map[fleet.InstanceID]*history{}, newer: map[string]bool{}, facts: newFacts(),
		asked: map[plan.Subject]*ask{}, trouble: map[plan.LookKind]trouble{}, leaving: map[fleet.InstanceID]time.Time{},
		flying: map[int]plan.Request{}, budget: newLedger(cfg.Rates), listings: map[string]*listing{},
		spaced: map[place]time.Time{}, set: map[string]time.Time{},
		groups: map[string]int{}, toAdopt: map[fleet.InstanceID]string{}, Counts: map[string]int{},
	}
	for _, r := range slices.Backward(ended) {
		d, err := Read(r)
		if _, unknown := errors.AsType[*UnknownRecord](err); unknown {
			continue
		}
		if err != nil {
			return nil, err
		}
		k.remember(&d)
	}
	for _, r := range open {
		if err := k.load(r); err != nil {
			return nil, err
		}
	}
	return k, nil
}

// Scope is the unit of work to which its groups belong: whoever holds its lease works for all of them, so that calls are shared and budgets
// are kept whole.
func (m Managed) Scope() string {
	if m.Cluster != "" {
		return "cluster/" + m.Cluster
	}
	return "group/" + m.Match
}

// mine reports whether this Ebb works for a scope.
func (k *Kernel) mine(scope string) bool {
	_, held := k.cfg.Held[scope]
	return held || k.cfg.Held == nil
}

// policy is that of a group, as this Ebb can keep it.
func (k *Kernel) policy(man Managed) drain.Policy {
	p := man.Policy
	if k.cfg.OnePass {
		p.Tick = Tick
	}
	return p
}

func (k *Kernel) managed(group string) (Managed, bool) {
	return fleet.FirstMatch(k.cfg.Groups, group, func(m Managed) string { return m.Match })
}

func (k *Kernel) add(e *entry) {
	e.tried, e.lists = map[plan.ActionKind]drain.Try{}, map[plan.LookKind][]time.Time{}
	k.open[e.d.Instance] = e
	if e.d.ContainerInstance != "" {
		k.facts.hostOf[e.d.ContainerInstance] = e.d.Instance
	}
	e.opened = e.d.Zero
	at, _ := slices.BinarySearchFunc(k.order, e, func(a, b *entry) int {
		return cmp.Or(a.opened.Compare(b.opened), cmp.Compare(a.d.Instance, b.d.Instance))
	})
	k.order = slices.Insert(k.order, at, e)
}

// Open is the number of open drains.
func (k *Kernel) Open() int { return len(k.open) }

// Oldest is the number of open drains and how long the oldest has been.
func (k *Kernel) Oldest(now time.Time) (open int, oldest time.Duration) {
	for _, e := range k.order {
		oldest = max(oldest, now.Sub(e.d.Zero))
	}
	return len(k.open), oldest
}

// Hear takes in a message. What becomes of it is among the verdicts of the next Next, after the batch that makes it durable.
func (k *Kernel) Hear(h Heard, now time.Time) {
	v := Verdict{Message: h.Message, Delete: true, Kind: h.Event.Kind, Why: h.Event.Why}
	switch h.Event.Kind.Use() { //exhaustive:enforce
	case event.Drains:
		v.Delete, v.Why = k.hearTermination(h, now)
	case event.Nothing, event.Wakes:
		v.Delete = h.Noted || !k.cfg.LeaveForeign
	case event.Answers:
		v.Why = "a test notification of group " + h.Event.Group + ": its messages reach Ebb"
	case event.Unread:
		v.Delete = k.hearUnknown(h, now)
	}
	k.Counts[string(h.Event.Kind)]++
	if h.Message != "" {
		k.settle = append(k.settle, v)
	}
}

func (k *Kernel) hearUnknown(h Heard, now time.Time) bool {
	if h.Noted {
		return true // it was only to wake somebody
	}
	const giveUp = 5 // receives; with a redrive policy the queue itself moves the message away
	if k.cfg.Redrive || h.Receives < giveUp {
		return false
	}
	body := h.Body
	if len(body) > 64<<10 {
		body = body[:64<<10]
	}
	data, _ := json.Marshal(map[string]string{"message": h.Message, "body": body})
	k.lines = append(k.lines, journal.Line{At: now, Kind: "unreadable", Data: data,
		Text: fmt.Sprintf("deleted message %s after %d receives: %s; the queue has no redrive policy to keep it", h.Message, h.Receives, h.Event.Why)})
	return true
}

func (k *Kernel) hearTermination(h Heard, now time.Time) (ack bool, why string) {
	e := h.Event
	man, ok := k.managed(e.Group)
	if !ok || e.Hook != k.cfg.Hook {
		k.Counts["foreign"]++
		why = fmt.Sprintf("group %s is not managed here", e.Group)
		if ok {
			why = fmt.Sprintf("hook %s of group %s is not ours", e.Hook, e.Group)
		}
		return h.Noted || !k.cfg.LeaveForeign, why // nobody else reads a note
	}
	if !k.mine(man.Scope()) { // a note too, when its group is of another scope by now
		k.Counts["noted"]++
		id := h.Message[strings.LastIndexByte(h.Message, '/')+1:] // a note that is passed on keeps its name
		k.notes = append(k.notes, journal.Forwarded{Scope: man.Scope(), ID: id, Body: h.Body, Sent: h.Sent})
		return true, "noted for the Ebb that works for " + man.Scope()
	}
	if o, ok := k.open[e.Instance]; ok {
		if o.d.Token == "" {
			o.d.Token = e.Token
		} else if e.Token != "" && e.Token != o.d.Token && !o.d.ByID {
			// Another wait of the same instance, or an untrue message. Auto Scaling knows which wait it is.
			o.d.ByID, o.d.Doubt, o.dirty, o.fresh = true, true, true, true
			delete(k.facts.began, e.Instance)
		}
		k.Counts["duplicate"]++
		return true, "already draining"
	}
	if k.newer[e.Group+"/"+string(e.Instance)] {
		k.Counts["left alone"]++
		return true, "its record in the journal is open, and only a newer version of Ebb reads it"
	}
	if key, late := k.recent[e.Instance].late(e); late {
		k.Counts["late"]++
		return true, "drain " + key + " has ended"
	}
	zero := e.Time
	if zero.IsZero() {
		zero = h.Sent
	}
	k.begin(drain.Drain{Group: e.Group, Hook: e.Hook, Instance: e.Instance, Token: e.Token, WarmPool: e.ToWarmPool(), Zero: zero}, man, now)
	return true, ""
}

// doubtful is how old a message may say to be before Auto Scaling is asked when the termination really began.
const doubtful = 2 * time.Minute

// begin opens a drain. Its zero never lies in the future: clocks differ.
func (k *Kernel) begin(d drain.Drain, man Managed, now time.Time) {
	if d.Zero.IsZero() || d.Zero.After(now) {
		d.Zero = now
	}
	d.Heard, d.Cluster = now, man.Cluster
	d.Doubt = now.Sub(d.Zero) > doubtful
	gen := d.Token
	if gen == "" {
		gen = "t" + d.Zero.UTC().Format("20060102T150405")
	}
	if len(gen) > 8 && d.Token != "" {
		gen = gen[:8]
	}
	d.Key = k.recent[d.Instance].unused(d.Group + "/" + string(d.Instance) + "/" + gen)
	man.Policy = k.policy(man)
	k.add(&entry{d: d, man: man, scope: man.Scope(), since: now, dirty: true, fresh: true})
	how := "Auto Scaling terminates " + string(d.Instance) + " of group " + d.Group
	if d.WarmPool {
		how = "Auto Scaling returns " + string(d.Instance) + " of group " + d.Group + " to its warm pool"
	}
	if d.Adopted {
		how = "found " + string(d.Instance) + " of group " + d.Group + " waiting in its hook; no message was heard"
	}
	k.line(now, d.Key, "heard", how)
}

func (k *Kernel) line(now time.Time, key, kind, text string) {
	k.lines = append(k.lines, journal.Line{At: now, Key: key, Kind: kind, Text: text})
}
