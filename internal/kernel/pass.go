package kernel

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/plan"
)

// Next says what is to be done now. Every drain decides of which something was learnt, or whose time has come.
func (k *Kernel) Next(now time.Time) Output {
	k.observer.began = cmp.Or(k.observer.began, now)
	placeNotices(k, now)
	k.adopt(now)
	obey(k, now)
	findTasks(k, now)
	k.countLeaving(now)
	var out Output
	out.Batch.Records, out.Ask = k.endPauses(now), asks(k, now)
	var acts []batch
	ended := false
	for _, e := range k.sorted {
		if e.dirty || !e.wake.IsZero() && !e.wake.After(now) {
			acts = append(acts, k.decide(e, now, &out)...)
			ended = ended || !e.d.Open()
		}
	}
	if ended {
		k.forgetEnded()
	}
	out.Do = setCounts(k, &out, now)
	out.Do = append(out.Do, k.dispatch(acts, now)...)
	out.Batch.Lines, out.Batch.Forwarded, out.Settle = k.lines, k.forwarded, k.settle
	k.lines, k.forwarded, k.settle = nil, nil, nil
	out.Batch.Under = k.under(out.Batch.Records)
	out.Wake = k.wake(now)
	return out
}

// decide lets one drain decide, keeps what it remembers and returns what it wants done.
func (k *Kernel) decide(e *entry, now time.Time, out *Output) []batch {
	k.view.e = e
	e.decided = cmp.Or(e.decided, now)
	policy := e.man.Policy
	policy.TrafficFirst = k.cfg.TrafficFirst
	dec := drain.Decide(e.d, &k.view, policy, now)
	if dec.Uncounted {
		k.Counts["counts that disagree"]++
	}
	changed := e.fresh || !e.d.Same(&dec.Drain)
	countSlot(k, e, &dec.Drain)
	if arn := dec.Drain.ContainerInstance; arn != e.d.ContainerInstance {
		k.ownerOf[arn] = e.d.Target
		e.running, e.stopped = drain.Lists{}, drain.Lists{} // they were of another registration
	}
	moves(k, e, &dec.Drain, now)
	began := !e.d.Admitted && dec.Drain.Admitted
	e.d, e.wake, e.waiting, e.dirty = dec.Drain, dec.Wake, dec.Waiting, false
	e.wants = k.wants(e.wants, append(dec.Want, countWants(k, e, now)...), e.man.Policy, now)
	if state := k.passState(e); !state.same(e.state) {
		e.state, changed = state, true
	}
	for _, n := range dec.Lines {
		k.line(now, e.d.Key, n.Kind, n.Text)
	}
	if changed {
		notify(k, e, began, now)
		out.Batch.Records = append(out.Batch.Records, recordOf(e))
	}
	acts := make([]batch, len(dec.Do))
	for i, a := range dec.Do {
		acts[i] = batch{a, []*entry{e}}
	}
	return acts
}

// under are the leases under which records are written.
func (k *Kernel) under(records []journal.Record) []journal.Lease {
	var under []journal.Lease
	for _, r := range records {
		l, ok := k.cfg.Held[r.Scope]
		if ok && !slices.ContainsFunc(under, func(o journal.Lease) bool { return o.Scope == l.Scope }) {
			under = append(under, l)
		}
	}
	return under
}

// forgetEnded moves drains that have ended out of the way.
func (k *Kernel) forgetEnded() {
	kept := k.sorted[:0]
	for _, e := range k.sorted {
		if e.d.Open() {
			kept = append(kept, e)
			continue
		}
		k.remember(&e.d)
		k.lingers(e.scope, &e.d)
		if e.man.Agent && !e.d.Agent && e.d.Final.Outcome == drain.HostGone {
			k.toAdopt[e.d.Target] = e.d.Group // its agent is gone too: no sweep is waited for
		}
		k.Counts["ended "+string(e.d.Final.Outcome)]++
		k.forget(e)
		delete(k.open, e.d.Target)
		k.wakeQueued(e.pool())
	}
	clear(k.sorted[len(kept):])
	k.sorted = kept
}

// view is drain.Seen for the drain that decides.
type view struct {
	k *Kernel
	e *entry
}

// Fact keeps the facts that every decision reads beside the drain. The table replaces facts in place, and drops those of a target only with
// its drain.
func (v *view) Fact(s plan.Subject) any {
	var own *any
	if s.In == "" && s.ID == v.e.d.Target.ID {
		switch s.Kind {
		case plan.GroupInstances:
			own = &v.e.own[0]
		case plan.Instances:
			own = &v.e.own[1]
		case plan.FindContainerInstances:
			own = &v.e.own[2]
		}
	}
	if own != nil && *own != nil {
		return *own
	}
	f := v.k.facts[s]
	if own != nil {
		*own = f
	}
	return f
}

func (v *view) Tasks() []*fleet.Fact[fleet.Task]  { return v.e.tasks }
func (v *view) Lists(k plan.LookKind) drain.Lists { return *v.e.lists(k) }
func (v *view) Tried(k plan.ActionKind) drain.Try { return v.e.tried[k] }
func (v *view) Slot() drain.Slot                  { return v.k.slot(v.e) }
func (v *view) Since() time.Time                  { return v.e.decided }

func (v *view) Taken(group fleet.ARN) (taken []drain.Taken) {
	for _, e := range v.k.sorted {
		for _, t := range e.d.Taken {
			if t.In == group && e.d.Open() {
				taken = append(taken, t)
			}
		}
	}
	return taken
}

func (v *view) Trouble(k plan.LookKind) (why string) { return v.k.trouble[k].why }

// hookless is how long a look that found no hook of Ebb's in a group counts.
const hookless = 5 * time.Minute

// adopt opens drains for the instances that the sweep found waiting, once their group is known to have our hook.
func (k *Kernel) adopt(now time.Time) {
	byID := func(a, b fleet.Target) int { return strings.Compare(a.ID, b.ID) }
	for _, t := range slices.SortedFunc(maps.Keys(k.toAdopt), byID) {
		group := k.toAdopt[t]
		h := k.hook(group)
		if h.Is == fleet.Absent && now.Sub(h.At) > hookless {
			h.Is = fleet.Unknown // the hook may have been created since
		}
		e, open := k.open[t]
		if followsAgent(k, t, group, h, now) {
			delete(k.toAdopt, t)
			continue
		}
		held := open && e.d.Hook != ""
		done := k.recent[t].holds() || k.newer[group+"/"+t.ID] != nil || k.aside[group+"/"+t.ID]
		if h.Is == fleet.Unknown && !held && !done {
			continue
		}
		delete(k.toAdopt, t)
		man, ok := k.cfg.managed(group)
		if held || done || !ok || !k.cfg.mine(man.Scope()) || h.Is != fleet.Seen {
			continue
		}
		if open && k.spared(group, man) != "" {
			continue
		}
		k.Counts["adopted"]++
		hold := drain.Hold{Group: group, Hook: k.cfg.Hook, Adopted: true, NotBefore: k.leaving[t]}
		if open {
			takeOver(k, e, man, hold, now, now)
			continue
		}
		k.begin(drain.Drain{Target: t, Zero: now, Hold: hold}, man, now)
	}
}

// Did takes in what came of a request.
func (k *Kernel) Did(done plan.Done, now time.Time) {
	request, ok := k.flying[done.Request.ID]
	if !ok {
		return
	}
	delete(k.flying, done.Request.ID)
	if request.Action != nil {
		k.acted(*request.Action, done, now)
		return
	}
	l, calls := *request.Look, done.Result.Calls
	k.rates.settle(l.Kind.Spec().Bucket, plan.Looking, calls-l.Calls(), done.Result.Err, now)
	k.looked(l, done, now)
}

func (k *Kernel) acted(a plan.Action, done plan.Done, now time.Time) {
	out := done.Outcome
	if p := a.Priority(); p <= plan.Answering && out.Err != nil && out.Err.Class == plan.Throttled {
		k.Counts["urgent calls throttled"]++
	}
	k.rates.settle(a.Kind.Spec().Bucket, a.Priority(), out.Calls-1, out.Err, now)
	if a.Kind == plan.SetDesired {
		countSet(k, a, out.Err, now)
		return
	}
	if a.Kind == plan.SetCapacity {
		raised(k, a, out.Err, now)
		return
	}
	for _, e := range k.entriesOf(a) {
		fail := out.Err
		for _, item := range out.Failed {
			if item.ID == string(e.d.ContainerInstance) {
				fail = &plan.Failure{Class: item.Class, Message: item.Reason}
			}
		}
		k.tried(e, a, done.Started, fail, now)
		e.dirty = true
	}
}

func (k *Kernel) tried(e *entry, a plan.Action, started time.Time, fail *plan.Failure, now time.Time) {
	t := &e.tried[a.Kind]
	t.Flying, t.Started, t.At, t.Class, t.Message, t.Token = false, started, now, plan.OK, "", ""
	if a.Hook != nil {
		t.Token = a.Hook.Token
	}
	if fail != nil {
		t.Class, t.Message, t.Fails = fail.Class, fail.Message, t.Fails+1
	} else {
		t.OK, t.Fails = started, 0
		ci, ok := k.facts[containerOf(e.d.Target)].(*fleet.Fact[fleet.ContainerInstance])
		if a.Kind == plan.SetDraining && ok && ci.Is == fleet.Seen {
			ci.Value.Status, ci.At = fleet.Draining, started // looks that were started before this are older
		}
	}
	if fail != nil && (t.Fails == 1 || t.Fails%12 == 0) && fail.Class != plan.Gone {
		k.line(now, e.d.Key, "failed", a.Kind.String()+" failed: "+fail.Error()+"; it is tried again")
	}
}

// entriesOf finds the open drains that an action was for.
func (k *Kernel) entriesOf(a plan.Action) []*entry {
	if a.Targets != nil && len(a.Targets.Of) > 0 {
		var es []*entry
		for _, t := range a.Targets.Of {
			if e, ok := k.open[t]; ok {
				es = append(es, e)
			}
		}
		return es
	}
	if a.Kind != plan.SetDraining {
		if e, ok := k.open[a.Target]; ok && e.d.Key == a.Drain {
			return []*entry{e}
		}
		return nil
	}
	var es []*entry
	for _, arn := range a.State.ContainerInstances {
		if e, ok := k.open[k.ownerOf[arn]]; ok {
			es = append(es, e)
		}
	}
	return es
}

// wake is when something has to be decided, looked at or sent next.
func (k *Kernel) wake(now time.Time) time.Time {
	at := k.sweepDue(now)
	for _, cluster := range k.wordClusters() {
		if due := k.wordsDue(cluster, now); due.Before(at) {
			at = due
		}
	}
	sooner := func(t time.Time) {
		if !t.IsZero() && t.Before(at) {
			at = t
		}
	}
	sooner(spotDue(k.observer, now))
	sooner(countsDue(k.observer))
	if len(k.toAdopt) > 0 {
		sooner(now.Add(5 * time.Second))
	}
	for _, p := range k.paused { //ebb:any-order the earliest
		sooner(p.over)
	}
	for _, o := range k.overrides { //ebb:any-order the earliest
		sooner(o.over)
	}
	for _, l := range k.listings { //ebb:any-order the earliest
		if l.stalled() {
			sooner(drain.Later(now, l.again()))
		}
	}
	floor := now.Add(Moment)
	for _, e := range k.sorted {
		if e.hurries() {
			floor = now.Add(hurry)
		}
		sooner(e.wake)
		sooner(askedNext(k, e))
		if e.dirty {
			sooner(now)
		}
		for _, w := range e.wants {
			sooner(w.at())
		}
	}
	if !at.After(now) {
		return floor
	}
	return at
}
