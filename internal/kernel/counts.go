package kernel

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/desired"
	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/plan"
	"github.com/ebbhq/ebb/internal/scale"
)

// CountLine is the kind of a line about a desired count. Its data are a CountChange, if the count has changed.
const CountLine = "desired-count"

// CountChange is what came of a desired count that Ebb has set.
type CountChange struct {
	Raised int    `json:"raised"` // by how many tasks; less than zero: put back
	For    string `json:"for"`    // ForHosts, ForSpot or ForLoad
}

// Why Ebb raises a desired count.
const (
	ForHosts = "hosts" // they leave, and ECS starts no replacements before
	ForSpot  = "spot"  // Fargate Spot has no capacity
	ForLoad  = "load"  // the service follows its load
)

// How the ledger is kept. A call begins up to 15 s after it was decided on, if the journal is slow, and takes 10 s at most.
const (
	countLimit = 30 * time.Second
	countFresh = 15 * time.Second
	countPace  = 15 * time.Second // of looks at a service whose count is raised
	lookLasts  = 30 * time.Second // a look that began earlier has come back
)

// countKind is the kind of a record that is about a desired count, and newestCount its newest version that this Ebb reads. Version 2 has the
// memory of a service that is scaled.
const (
	countKind   = "count"
	newestCount = 2
)

// ServiceCount is the desired count of one service, as far as Ebb has raised it or is about to. It is a record of its own, open until all that was
// raised is put back.
type ServiceCount struct {
	Cluster string `json:"cluster"`
	Service string `json:"service"`
	desired.Entry
	Shortage shortage     `json:"shortage,omitzero"`
	Scaling  scale.Memory `json:"scaling,omitzero"`
	Room     room         `json:"room,omitzero"`
}

// storedCount is the form of its body.
type storedCount struct {
	form
	ServiceCount
}

// ReadCount reads the desired count in a record; false: the record is about something else.
func ReadCount(r journal.Record) (ServiceCount, bool) {
	var s storedCount
	if !strings.HasPrefix(r.Key, countKind+":") || json.Unmarshal(r.Body, &s) != nil {
		return ServiceCount{}, false
	}
	ok := s.Kind == countKind && s.Version <= newestCount && r.Key == countKey(s.Cluster, s.Service) && r.Scope == clusterScope(s.Cluster)
	return s.ServiceCount, ok
}

// OfDrain reports whether a record is that of a drain, as far as this Ebb can tell, and not of a pause or a desired count.
func OfDrain(r journal.Record) bool {
	_, pause := ReadPause(r)
	_, count := ReadCount(r)
	_, override := ReadOverride(r)
	return !pause && !count && !override
}

// count is a ServiceCount as this kernel knows it.
type count struct {
	ServiceCount
	rev      int64        // of its open record; 0: there is none
	stored   ServiceCount // what that says
	resumed  bool
	failures                // of the call
	lookAt   time.Time      // from when on a look is needed; zero: none is
	wake     time.Time      // decide again
	seen     time.Time      // the newest look at the Spot service that was considered
	scaled   *Scaled        // nil: nothing scales it
	observed bool           // its cluster is
	leaving  int            // tasks of it that are on hosts that leave
	scaling  scale.Decision // the latest
	places
}

func countKey(cluster, service string) string {
	return countKind + ":" + cluster + "/" + service + "/1"
}

func serviceIn(cluster, name string) plan.Subject {
	return plan.Subject{Kind: plan.Services, In: cluster, ID: name}
}

func (c *count) key() string     { return countKey(c.Cluster, c.Service) }
func (c *count) subject() string { return (journal.Record{Key: c.key()}).Subject() }

// loadCounts takes up the desired counts of its scopes among the open records of the journal.
func loadCounts(k *Kernel, open []journal.Record) {
	for _, r := range open {
		if c, ok := ReadCount(r); ok && k.cfg.mine(r.Scope) {
			k.counts[r.Key] = &count{ServiceCount: c, rev: r.Rev, stored: c}
		}
	}
}

// countOf is the desired count of a service, which may be new; nil: Ebb must leave it alone, because the journal takes no record of it or a
// newer Ebb has one.
func countOf(k *Kernel, cluster, service string) *count {
	key := countKey(cluster, service)
	if c := k.counts[key]; c != nil {
		return c
	}
	c := &count{ServiceCount: ServiceCount{Cluster: cluster, Service: service}, resumed: true}
	if k.newer[c.subject()] != nil || k.aside[c.subject()] {
		return nil
	}
	k.counts[key] = c
	return c
}

// setCounts decides about all desired counts. What is to be set is in the batch, which is durable before the calls are made.
func setCounts(k *Kernel, out *Output, now time.Time) (do []plan.Request) {
	for _, c := range k.counts { //ebb:any-order each for itself
		if !c.resumed {
			c.Entry, c.resumed = c.Resume(c.policy(k), now), true
		}
	}
	raiseForHosts(k, now)
	raiseForSpot(k, now)
	scaleServices(k)
	for _, key := range slices.Sorted(maps.Keys(k.counts)) {
		c := k.counts[key]
		set := setCount(k, c, now)
		if !set && c.scaled != nil && decideScale(k, c, now) {
			set = setCount(k, c, now)
		}
		if set {
			why := fmt.Sprintf("the desired count of service %s in cluster %s is to be %d", c.Service, c.Cluster, c.Write.To)
			to := &plan.CountChange{Cluster: c.Cluster, Service: c.Service, To: c.Write.To}
			do = append(do, k.request(plan.Request{Action: &plan.Action{Kind: plan.SetDesired, Why: why, Count: to}}))
		}
		do = append(do, raise(k, c, now)...)
		out.Ask = append(out.Ask, askPlace(k, c, now)...)
		keepCount(k, c, out, now)
	}
	return do
}

// by is by how much somebody raises it.
func (c *count) by(who string) int {
	for _, r := range c.Raises {
		if r.Who == who {
			return r.By
		}
	}
	return 0
}

func (c *count) policy(k *Kernel) desired.Policy {
	p := desired.Policy{Lag: drain.Defaults().Settle, Limit: countLimit, Fresh: countFresh, Skew: k.cfg.Skew}
	if _, p.FromZero = k.cfg.standIn(c.Cluster, c.Service); !p.FromZero {
		p.Max = 2 * c.Base // no more tasks can leave than there are
	}
	return p
}

// setCount lets one desired count decide, and reports whether what it has noted is to be set now.
func setCount(k *Kernel, c *count, now time.Time) bool {
	f := known[fleet.Service](k.facts, serviceIn(c.Cluster, c.Service))
	if c.Sure.IsZero() && now.Sub(f.At) > countFresh {
		f = fleet.Fact[fleet.Service]{} // the first look says what the base is
	}
	seen := fleet.Fact[int]{Is: f.Is, At: f.At, Value: f.Value.Desired}
	next, step := c.Decide(seen, c.policy(k), now)
	if step.Set && undoScale(c, f.Value, now) {
		next, step = c.Decide(seen, c.policy(k), now)
	}
	spec := plan.SetDesired.Spec()
	if step.Set && (c.again().After(now) || !k.room(spec.Priority) || !k.rates.take(spec.Bucket, 1, spec.Priority, now)) {
		c.wake = drain.Later(c.again(), now.Add(Moment))
		return false
	}
	was := c.Entry
	c.Entry, c.lookAt, c.wake = next, step.Look, step.Again
	switch {
	case step.Gone && len(was.Raises) == 0:
	case step.Gone:
		k.line(now, c.key(), CountLine, "service "+c.Service+" is not in cluster "+c.Cluster+" any more; nothing of its desired count is put back")
	case step.Adopted && c.scaled != nil:
		adoptScale(k, c, was.Base, now)
	case step.Adopted:
		text := fmt.Sprintf("somebody else has set the desired count of service %s in cluster %s to %d: it stands", c.Service, c.Cluster, next.Base)
		if len(step.Void) > 0 {
			text += ", and what Ebb had raised before is not put back"
		}
		k.line(now, c.key(), CountLine, text)
	default:
		tellCount(k, c, was, now)
	}
	return step.Set
}

// tellCount writes down that a count that Ebb has set is known to be in effect.
func tellCount(k *Kernel, c *count, was desired.Entry, now time.Time) {
	if was.Sure.IsZero() || was.Count == c.Count {
		return
	}
	change := CountChange{Raised: c.Count - was.Count, For: ForHosts}
	if _, spot := k.cfg.standIn(c.Cluster, c.Service); spot {
		change.For = ForSpot
	}
	text := fmt.Sprintf("the desired count of service %s in cluster %s is %d: ", c.Service, c.Cluster, c.Count)
	by := c.Count - c.Base
	switch {
	case c.scaled != nil && by == 0:
		change.For = ForLoad
		text += "it follows its load"
	case by > 0:
		text += fmt.Sprintf("%d, and %d raised for %s", c.Base, by, strings.Join(whose(c.Raises), ", "))
	default:
		text += "what was raised is put back"
	}
	k.line(now, c.key(), CountLine, text)
	k.lines[len(k.lines)-1].Data, _ = json.Marshal(change) // a struct of a text and a number always marshals
}

// whose are who raises a count, the first few.
func whose(raises []desired.Raise) []string {
	var who []string
	for _, r := range raises {
		if !r.Void {
			who = append(who, r.Who)
		}
	}
	return someNames(who)
}

// keepCount writes what has changed, and forgets what is over.
func keepCount(k *Kernel, c *count, out *Output, now time.Time) {
	open := !c.Over(now.Add(-lookLasts)) || c.Shortage != shortage{} || c.scaled != nil && (c.rev > 0 || !c.Scaling.Changed.IsZero() || c.Scaling.Said != "")
	if !open && c.scaled == nil {
		delete(k.counts, c.key())
		delete(k.facts, serviceIn(c.Cluster, c.Service)) // it may be of a time before the last call
	} else if over := c.Sure.Add(lookLasts); c.scaled == nil && len(c.Raises) == 0 && c.Write.At.IsZero() && over.After(now) {
		c.wake = over
	}
	is := c.ServiceCount
	is.Sure, is.Told = c.stored.Sure, c.stored.Told // of a look alone nothing is stored
	if !k.cfg.OnePass {
		is.Scaling.Queue, is.Scaling.Load = c.stored.Scaling.Queue, c.stored.Scaling.Load // they are learnt again
	}
	blank := c.rev == 0 && (!open || c.Sure.IsZero() && c.Shortage == shortage{} && c.Scaling.Said == "")
	if blank || open && c.rev > 0 && reflect.DeepEqual(is, c.stored) {
		return
	}
	c.rev, c.stored = c.rev+1, c.ServiceCount
	body, err := json.Marshal(storedCount{form{Kind: countKind, Version: c.version()}, c.ServiceCount})
	if err != nil {
		panic(err) // a struct of strings, numbers and times always marshals
	}
	out.Batch.Records = append(out.Batch.Records, journal.Record{Key: c.key(), Scope: clusterScope(c.Cluster), Rev: c.rev, Open: open, Body: body})
}

// version is that of the record: an Ebb from before would lose the memory of a service that is scaled.
func (c *count) version() int {
	if c.scaled != nil {
		return newestCount
	}
	return 0
}

// countSet takes in what came of a call that set a desired count.
func countSet(k *Kernel, a plan.Action, fail *plan.Failure, now time.Time) {
	c := k.counts[countKey(a.Count.Cluster, a.Count.Service)]
	if c == nil || c.Write.To != a.Count.To {
		return
	}
	outcome := desired.Done
	c.failures = failures{fails: c.fails + 1, failedAt: now}
	switch {
	case fail == nil:
		c.failures = failures{}
	case fail.Class == plan.Unclear:
		outcome = desired.Unclear
	default:
		outcome = desired.Refused
	}
	if c.fails == 1 || c.fails > 0 && c.fails%stubborn == 0 {
		k.line(now, c.key(), "failed", a.Kind.String()+" of service "+c.Service+" failed: "+fail.Error()+"; it is tried again")
	}
	was := c.Entry
	c.Entry = c.Did(c.Write, outcome, c.policy(k), now)
	tellCount(k, c, was, now)
}

// letCountGo forgets a desired count of which the journal takes no record, and the call that would set it.
func letCountGo(k *Kernel, key string, do []plan.Request) []plan.Request {
	c := k.counts[key]
	delete(k.counts, key)
	k.aside[c.subject()] = true
	return slices.DeleteFunc(do, func(r plan.Request) bool {
		mine := r.Action != nil && r.Action.Count != nil && countKey(r.Action.Count.Cluster, r.Action.Count.Service) == key
		if mine {
			delete(k.flying, r.ID)
		}
		return mine
	})
}

// countLooks asks for the services of which a desired count is to be known.
func countLooks(o *observer, now time.Time) []dueLook {
	due, soon := map[place][]dueSubject{}, now
	collect := func(s plan.Subject, at time.Time) {
		p := place{s.Kind, s.In}
		if o.ask(s).free(now) && !at.After(soon) && (soon.Equal(now) || len(due[p]) > 0 && s.Kind != plan.Backlogs) {
			due[p] = append(due[p], dueSubject{s, at})
		}
	}
	eachCountLook(o, collect)
	if len(due) == 0 {
		return nil
	}
	soon = now.Add(countPace / 2) // what is nearly due comes along
	eachCountLook(o, collect)
	var looks []dueLook
	for _, p := range slices.SortedFunc(maps.Keys(due), func(a, b place) int { return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.where, b.where)) }) {
		slices.SortFunc(due[p], func(a, b dueSubject) int { return strings.Compare(a.ID, b.ID) })
		looks = append(looks, chunked(slices.CompactFunc(due[p], func(a, b dueSubject) bool { return a.ID == b.ID }))...)
	}
	for i := range looks {
		if looks[i].Kind == plan.Metrics {
			looks[i].Until = now
		}
	}
	return looks
}

// eachCountLook names the services that are to be looked at, and when.
func eachCountLook(o *observer, look func(plan.Subject, time.Time)) {
	for _, c := range o.counts { //ebb:any-order they are sorted, or the earliest is taken
		s := serviceIn(c.Cluster, c.Service)
		at := known[fleet.Service](o.facts, s).At
		switch {
		case !c.lookAt.IsZero():
			look(s, c.lookAt)
		case len(c.Raises) > 0:
			look(s, at.Add(countPace))
		}
		if c.scaled != nil {
			eachScaleLook(o, c, look)
		}
	}
	for _, m := range o.cfg.Groups {
		for _, in := range m.StandIns {
			if !o.cfg.mine(m.Scope()) || m.Policy.Observe {
				continue
			}
			pace := spotEvery
			if c := o.counts[countKey(m.Cluster, in.OnDemand)]; c != nil {
				pace = countPace
			}
			s := serviceIn(m.Cluster, in.Spot)
			look(s, known[fleet.Service](o.facts, s).At.Add(pace))
		}
	}
}
