package kernel

import (
	"slices"
	"time"

	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/plan"
)

// Next says what is to be done now. It decides anew for every drain that something was learnt about or whose time has come.
func (k *Kernel) Next(now time.Time) Output {
	k.adopt(now)
	k.countLeaves()
	var out Output
	var acts []intent
	for _, e := range k.order {
		if e.dirty || !e.wake.IsZero() && !e.wake.After(now) {
			acts = append(acts, k.decide(e, now, &out)...)
		}
	}
	k.forgetEnded()
	out.Do = k.dispatch(acts, now)
	out.Batch.Lines, out.Batch.Forwarded, out.Settle = k.lines, k.notes, k.settle
	k.lines, k.notes, k.settle = nil, nil, nil
	out.Batch.Under = k.under(out.Batch.Records)
	out.Wake = k.wake(now)
	return out
}

// decide lets one drain decide, keeps what it remembers and returns what it wants done.
func (k *Kernel) decide(e *entry, now time.Time, out *Output) []intent {
	dec := drain.Decide(e.d, k.observe(e), e.man.Policy, now)
	if dec.Uncounted {
		k.Counts["counts that disagree"]++
	}
	changed := e.fresh || !e.d.Same(&dec.Drain)
	k.counted(e, &dec.Drain)
	e.d, e.wants, e.wake, e.waiting, e.dirty = dec.Drain, k.wants(e.wants, dec.Want, e.man.Policy, now), dec.Wake, dec.Waiting, false
	if known := k.carry(e); !known.same(e.known) {
		e.known, changed = known, true
	}
	for _, n := range dec.Lines {
		k.line(now, e.d.Key, n.Kind, n.Text)
	}
	if changed {
		out.Batch.Records = append(out.Batch.Records, k.record(e))
	}
	acts := make([]intent, len(dec.Do))
	for i, a := range dec.Do {
		acts[i] = intent{e, a}
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
	kept := k.order[:0]
	for _, e := range k.order {
		if e.d.Open() {
			kept = append(kept, e)
			continue
		}
		id := e.d.Instance
		k.remember(&e.d)
		k.Counts["ended "+string(e.d.Final.Outcome)]++
		k.forget(e)
		delete(k.open, id)
		k.wakeQueued(e.d.Group)
	}
	clear(k.order[len(kept):])
	k.order = kept
}

// forget drops what is known and was asked for one drain alone.
func (k *Kernel) forget(e *entry) {
	k.facts.forget(e)
	id, cluster := string(e.d.Instance), e.d.Cluster
	own := []plan.Subject{
		{Kind: plan.GroupInstances, ID: id}, {Kind: plan.Instances, ID: id}, {Kind: plan.Activities, In: e.d.Group, ID: id},
		{Kind: plan.FindContainerInstances, ID: id}, {Kind: plan.FindContainerInstances, In: cluster, ID: id},
		{Kind: plan.ContainerInstances, In: cluster, ID: string(e.d.ContainerInstance)},
		{Kind: plan.ListRunning, In: cluster, ID: string(e.d.ContainerInstance)},
		{Kind: plan.ListStopped, In: cluster, ID: string(e.d.ContainerInstance)},
	}
	for i := range e.tasks {
		own = append(own, plan.Subject{Kind: plan.Tasks, In: cluster, ID: string(e.tasks[i].Value.ARN)})
	}
	for _, s := range own {
		delete(k.asked, s)
	}
}

// observe cuts one drain's part out of all that is known.
func (k *Kernel) observe(e *entry) drain.Observation {
	f := &k.facts
	return drain.Observation{
		Instance: f.instances[e.d.Instance], Hook: f.hook(e.d.Group), Machine: f.machines[e.d.Instance],
		Began: f.began[e.d.Instance], Turn: k.turn1(e), Container: f.containers[e.d.Instance], Before: e.before, Running: e.lists[plan.ListRunning], Whole: e.whole, Paged: e.paged, Stopped: e.lists[plan.ListStopped], Tasks: e.tasks, Tried: e.tried,
		Service: func(name string) fleet.Fact[fleet.Service] { return f.services[e.d.Cluster+"/"+name] },
		Delay:   func(tg fleet.ARN) fleet.Fact[time.Duration] { return f.delays[tg] },
		Trouble: func(l plan.LookKind) string { return k.trouble[l].why },
		Health:  func(tg fleet.ARN, t fleet.TargetID) fleet.Fact[fleet.Health] { return f.health[targetKey{tg, t}] },
	}
}

// hookless is how long Ebb believes that a group does not have its hook.
const hookless = 5 * time.Minute

// adopt opens drains for the instances that the sweep found waiting, once their group is known to have our hook.
func (k *Kernel) adopt(now time.Time) {
	ids := make([]fleet.InstanceID, 0, len(k.toAdopt))
	for id := range k.toAdopt { //ebb:any-order sorted below
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		group := k.toAdopt[id]
		h := k.facts.hook(group)
		if h.Is == fleet.Absent && now.Sub(h.At) > hookless {
			h.Is = fleet.Unknown // it may have been put since
		}
		_, open := k.open[id]
		done := k.recent[id].holds() || k.newer[group+"/"+string(id)]
		if h.Is == fleet.Unknown && !open && !done {
			continue
		}
		delete(k.toAdopt, id)
		man, ok := k.managed(group)
		if open || done || !ok || !k.mine(man.Scope()) || h.Is != fleet.Seen {
			continue
		}
		k.Counts["adopted"]++
		k.begin(drain.Drain{Group: group, Hook: k.cfg.Hook, Instance: id, Adopted: true, Zero: now, NotBefore: k.leaving[id]}, man, now)
	}
}

// Did takes in what came of an order.
func (k *Kernel) Did(done plan.Done, now time.Time) {
	order, ok := k.flying[done.Request.ID]
	if !ok {
		return
	}
	delete(k.flying, done.Request.ID)
	if order.Action != nil {
		k.acted(*order.Action, done, now)
		return
	}
	k.looked(*order.Look, done, now)
}

func (k *Kernel) acted(a plan.Action, done plan.Done, now time.Time) {
	out := done.Outcome
	if p := a.Priority(); p <= plan.Answering && out.Err != nil && out.Err.Class == plan.Throttled {
		k.Counts["urgent calls throttled"]++
	}
	k.budget.settle(a.Kind.Spec().Bucket, a.Priority(), out.Calls-1, out.Err, now)
	for _, e := range k.entriesOf(a) {
		fail := out.Err
		for _, item := range out.Failed {
			if a.Kind == plan.SetDraining && item.ID == string(e.d.ContainerInstance) {
				fail = &plan.Failure{Class: item.Class, Message: item.Reason}
			}
		}
		k.tried(e, a, done.Started, fail, now)
		e.dirty = true
	}
}

func (k *Kernel) tried(e *entry, a plan.Action, started time.Time, fail *plan.Failure, now time.Time) {
	t := e.tried[a.Kind]
	t.Flying, t.Started, t.At, t.Class, t.Message, t.Token = false, started, now, plan.OK, "", ""
	if a.Hook != nil {
		t.Token = a.Hook.Token
	}
	if fail != nil {
		t.Class, t.Message, t.Fails = fail.Class, fail.Message, t.Fails+1
	} else {
		t.OK, t.Fails = started, 0
		if ci := k.facts.containers[e.d.Instance]; a.Kind == plan.SetDraining && ci.Is == fleet.Seen {
			ci.Value.Status, ci.At = fleet.Draining, started // looks that were under way then say nothing
			k.facts.containers[e.d.Instance] = ci
		}
	}
	if fail != nil && (t.Fails == 1 || t.Fails%12 == 0) && fail.Class != plan.Gone {
		k.line(now, e.d.Key, "failed", a.Kind.String()+" failed: "+fail.Error()+"; it is tried again")
	}
	e.tried[a.Kind] = t
}

// entriesOf finds the open drains that an action was for.
func (k *Kernel) entriesOf(a plan.Action) []*entry {
	if a.Kind != plan.SetDraining {
		if e, ok := k.open[a.Instance]; ok && e.d.Key == a.Drain {
			return []*entry{e}
		}
		return nil
	}
	var es []*entry
	for _, arn := range a.State.ContainerInstances {
		if e, ok := k.open[k.facts.hostOf[arn]]; ok {
			es = append(es, e)
		}
	}
	return es
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// wake is when something has to be decided, looked at or sent next.
func (k *Kernel) wake(now time.Time) time.Time {
	at := k.sweepDue(now)
	sooner := func(t time.Time) {
		if !t.IsZero() && t.Before(at) {
			at = t
		}
	}
	if len(k.toAdopt) > 0 {
		sooner(now.Add(5 * time.Second))
	}
	for _, l := range k.listings { //ebb:any-order the earliest
		if l.stalled() {
			sooner(later(now, l.failedAt.Add(backoff(l.fails))))
		}
	}
	for _, e := range k.order {
		sooner(e.wake)
		if e.dirty {
			sooner(now)
		}
		for _, w := range e.wants {
			sooner(w.at())
		}
	}
	if floor := now.Add(Moment); !at.After(now) {
		return floor
	}
	return at
}
