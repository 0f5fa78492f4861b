package kernel

import (
	"cmp"
	"slices"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

// crowdMax is how many drains decide again at each pass while too many requests are under way; the others wait for a Moment.
const crowdMax = 200

// dispatch turns actions and due looks into requests, the most urgent first, as far as the call rates and the number of requests under
// way allow. What it leaves is decided again in a moment.
func (k *Kernel) dispatch(acts []batch, now time.Time) []plan.Request {
	tried := func(b batch) time.Time { return b.entries[0].tried[b.action.Kind].Started }
	slices.SortStableFunc(acts, func(a, b batch) int {
		if c := cmp.Compare(a.action.Priority(), b.action.Priority()); c != 0 {
			return c
		}
		return tried(a).Compare(tried(b)) // whoever was tried last waits longest
	})
	var requests []plan.Request
	crowd := 0
	for _, group := range batchActions(acts) {
		a, p := group.action, group.action.Priority()
		if !k.room(p) && crowd < crowdMax {
			crowd++
			for _, e := range group.entries {
				e.dirty = true // as soon as one of those under way comes back
			}
			continue
		}
		// Urgent calls that are held back are all released at one moment, longest waiting first, so a drain that decides late cannot overtake.
		urgent := p <= plan.Answering
		held := urgent && now.Before(k.pacedTo[p])
		if held || !k.gathered(a, now) || !k.room(p) || !k.rates.take(a.Kind.Spec().Bucket, 1, p, now) {
			again := now.Add(Moment)
			if urgent && k.room(p) {
				k.Counts["urgent calls paced"]++
				if !held {
					k.pacedTo[p] = again
				}
				again = k.pacedTo[p]
			}
			for _, e := range group.entries {
				if e.wake.IsZero() || e.wake.After(again) {
					e.wake = again
				}
			}
			continue
		}
		for _, e := range group.entries {
			e.tried[a.Kind].Flying = true
		}
		requests = append(requests, k.request(plan.Request{Action: &a}))
	}
	return append(requests, k.look(now)...)
}

// look requests the due looks. A look for which there are too few calls waits, and so do those behind it that draw on the same bucket:
// otherwise small looks would always take the calls that a large one waits for.
func (k *Kernel) look(now time.Time) []plan.Request {
	var requests []plan.Request
	short := map[plan.Bucket]bool{}
	for _, due := range k.dueLooks(now) {
		l, b := due.Look, due.Kind.Spec().Bucket
		if (l.Kind == plan.Clusters || l.Kind == plan.Hooks) && k.ask(l.Subjects[0]).flying {
			continue // a drain and the kernel itself want it
		}
		if l.Kind.Spec().Spare && !k.rates.spares(b, now) {
			continue
		}
		if short[b] || !k.room(plan.Looking) || !k.rates.take(b, float64(l.Calls()), plan.Looking, now) {
			short[b] = true
			k.unsent(l)
			continue
		}
		for _, s := range asksOf(l) {
			k.ask(s).flying = true
		}
		o := k.request(plan.Request{Look: &l})
		k.sent(l, o.ID)
		requests = append(requests, o)
	}
	return requests
}

// gathered reports whether a batch need not wait: it is full, or none was sent within the last spacing, in which others may have decided
// on the same.
func (k *Kernel) gathered(a plan.Action, now time.Time) bool {
	if a.Kind != plan.SetDraining || k.cfg.OnePass {
		return true
	}
	c := a.State.Cluster
	if len(a.State.ContainerInstances) < a.Kind.Spec().Batch && now.Sub(k.lastSet[c]) < spacing {
		return false
	}
	k.lastSet[c] = now
	return true
}

func (k *Kernel) request(o plan.Request) plan.Request {
	k.nextID++
	o.ID = k.nextID
	k.flying[o.ID] = o
	return o
}

// room keeps some of the requests that may be under way for what is urgent.
func (k *Kernel) room(p plan.Priority) bool {
	limit := k.cfg.InFlight
	switch p {
	case plan.Urgent, plan.Answering:
		limit *= 2
	case plan.Looking:
		limit = max(1, limit*3/4)
	}
	return len(k.flying) < limit
}

// batch is one action that one drain wants done, or several do.
type batch struct {
	action  plan.Action
	entries []*entry
}

// batchActions puts container instances of one cluster that are to be set DRAINING, and targets of one group that leave within minutes, into one
// call, up to the limit.
func batchActions(acts []batch) []batch {
	var out []batch
	at := map[string]int{} // cluster or target group to its open batch
	for _, i := range acts {
		most := i.action.Kind.Spec().Batch
		switch s, t := i.action.State, i.action.Targets; {
		case s != nil:
			if n, ok := at[s.Cluster]; ok && len(out[n].action.State.ContainerInstances) < most {
				open := out[n].action.State
				open.ContainerInstances = append(open.ContainerInstances, s.ContainerInstances...)
				out[n].entries = append(out[n].entries, i.entries...)
				continue
			}
			at[s.Cluster] = len(out)
		case t != nil && i.action.Soon:
			if n, ok := at[string(t.Group)]; ok && len(out[n].action.Targets.Targets)+len(t.Targets) <= most {
				open := out[n].action.Targets
				open.Targets, open.Of = append(open.Targets, t.Targets...), append(open.Of, i.action.Target)
				out[n].entries = append(out[n].entries, i.entries...)
				continue
			}
			t.Of = []fleet.Target{i.action.Target}
			at[string(t.Group)] = len(out)
		default:
			i.action.Drain = i.entries[0].d.Key
		}
		out = append(out, i)
	}
	return out
}
