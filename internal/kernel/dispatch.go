package kernel

import (
	"cmp"
	"slices"
	"time"

	"github.com/ebbhq/ebb/internal/plan"
)

// intent is an action that a drain wants done.
type intent struct {
	e *entry
	a plan.Action
}

// crowdMax is how many drains decide again at each pass while too many orders are under way; the others do so in a moment.
const crowdMax = 200

// dispatch turns actions and due looks into orders, the most urgent first, as far as the budget and the number of orders under
// way allow. What it leaves is decided again in a moment.
func (k *Kernel) dispatch(acts []intent, now time.Time) []plan.Request {
	slices.SortStableFunc(acts, func(a, b intent) int {
		if c := cmp.Compare(a.a.Priority(), b.a.Priority()); c != 0 {
			return c
		}
		return a.e.tried[a.a.Kind].Started.Compare(b.e.tried[b.a.Kind].Started) // whoever was tried last waits longest
	})
	var orders []plan.Request
	crowd := 0
	for _, group := range merge(acts) {
		a, p := group.action, group.action.Priority()
		if !k.room(p) && crowd < crowdMax {
			crowd++
			for _, e := range group.entries {
				e.dirty = true // as soon as one of those under way comes back
			}
			continue
		}
		if k.queued(p, now) || !k.gathered(a, now) || !k.room(p) || !k.budget.take(a.Kind.Spec().Bucket, 1, p, now) {
			again := now.Add(Moment)
			if p <= plan.Answering && k.room(p) {
				k.Counts["urgent calls paced"]++
				again = k.queue(p, again, now)
			}
			for _, e := range group.entries {
				if e.wake.IsZero() || e.wake.After(again) {
					e.wake = again
				}
			}
			continue
		}
		for _, e := range group.entries {
			t := e.tried[a.Kind]
			t.Flying = true
			e.tried[a.Kind] = t
		}
		orders = append(orders, k.order1(plan.Request{Action: &a}))
	}
	return append(orders, k.look(now)...)
}

// queued reports whether urgent calls of a priority wait for their turn: all of them then wait for the same moment, so that whoever has waited
// longest comes first, and not whoever happens to decide when a call is allowed.
func (k *Kernel) queued(p plan.Priority, now time.Time) bool {
	return p <= plan.Answering && now.Before(k.turn[p])
}

// queue is the moment for which urgent calls of a priority wait.
func (k *Kernel) queue(p plan.Priority, again, now time.Time) time.Time {
	if !now.Before(k.turn[p]) {
		k.turn[p] = again
	}
	return k.turn[p]
}

// look orders the due looks. When there are too few calls for one it waits, and those behind it that draw on the same API wait too: small
// ones would take for ever what it waits for.
func (k *Kernel) look(now time.Time) []plan.Request {
	var orders []plan.Request
	short := map[plan.Bucket]bool{}
	for _, due := range k.dueLooks(now) {
		l, b := due.Look, due.Kind.Spec().Bucket
		if (l.Kind == plan.Clusters || l.Kind == plan.Hooks) && k.ask(l.Subjects[0]).flying {
			continue // it is wanted for two reasons
		}
		if short[b] || !k.room(plan.Looking) || !k.budget.take(b, float64(l.Calls()), plan.Looking, now) {
			short[b] = true
			k.unsent(l)
			continue
		}
		for _, s := range asksOf(l) {
			k.ask(s).flying = true
		}
		o := k.order1(plan.Request{Look: &l})
		k.sent(l, o.ID)
		orders = append(orders, o)
	}
	return orders
}

// gathered reports whether a batch is full, or none of its kind was sent a moment ago: then others may want the same soon.
func (k *Kernel) gathered(a plan.Action, now time.Time) bool {
	if a.Kind != plan.SetDraining || k.cfg.OnePass {
		return true
	}
	c := a.State.Cluster
	if len(a.State.ContainerInstances) < a.Kind.Spec().Batch && now.Sub(k.set[c]) < spacing {
		return false
	}
	k.set[c] = now
	return true
}

func (k *Kernel) order1(o plan.Request) plan.Request {
	k.nextID++
	o.ID = k.nextID
	k.flying[o.ID] = o
	return o
}

// room keeps some of the orders that may be under way for what is urgent.
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

type merged struct {
	action  plan.Action
	entries []*entry
}

// merge puts container instances of one cluster that are to be set DRAINING into one call, up to AWS's limit.
func merge(acts []intent) []merged {
	var out []merged
	at := map[string]int{} // cluster to its open batch
	for _, i := range acts {
		if s := i.a.State; s != nil {
			if n, ok := at[s.Cluster]; ok && len(out[n].action.State.ContainerInstances) < i.a.Kind.Spec().Batch {
				batch := out[n].action.State
				batch.ContainerInstances = append(batch.ContainerInstances, s.ContainerInstances...)
				out[n].entries = append(out[n].entries, i.e)
				continue
			}
			at[s.Cluster] = len(out)
		} else {
			i.a.Drain = i.e.d.Key
		}
		out = append(out, merged{i.a, []*entry{i.e}})
	}
	return out
}
