package kernel

import (
	"cmp"
	"maps"
	"time"

	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/event"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

// Hook is a lifecycle action that holds an instance for Ebb: what its heartbeats need, and no more.
type Hook struct {
	Scope   string
	Drain   string // key; empty: it is not in the journal yet
	Target  fleet.Target
	Begun   bool // it goes on although an operator has excluded the group since
	Call    plan.HookCall
	Timeout time.Duration // it ends so long after the last heartbeat
	Seen    fleet.Fact[fleet.Hook]
	Last    time.Time // when the hook opened, or Beaten: start of the latest heartbeat that AWS accepted; zero: nobody knows
	Beaten  bool
	Until   time.Time // the deadline: no heartbeat is sent from then on
}

// Hooks are those that may be open, in the order of their drains, and the groups that an operator has excluded, as the latest sweep saw them;
// nil: there was no sweep.
func (k *Kernel) Hooks() (out []Hook, excluded map[string]bool) {
	if k.Swept() {
		excluded = maps.Clone(k.excluded)
	}
	for _, e := range k.sorted {
		d, i := e.d, known[fleet.GroupInstance](k.facts, groupInstance(e.d.Target))
		over := i.Is == fleet.Absent || i.Is == fleet.Seen && i.Value.State.Over() // that it is not open yet may be an old look
		left := d.Observed || e.man.Policy.Observe || k.excluded[d.Group] && !d.Admitted
		if d.Hook == "" || d.Agent || over || left || !e.tried[plan.Answer].OK.IsZero() {
			continue
		}
		h := Hook{
			Scope: e.scope, Drain: d.Key, Target: d.Target, Begun: d.Admitted, Timeout: drain.ShortestHook, Last: e.tried[plan.Beat].OK,
			Call: plan.HookCall{Group: d.Group, Hook: d.Hook, Instance: d.Instance(), Token: d.Token},
		}
		h.Beaten = !h.Last.IsZero()
		if !h.Beaten && !(d.Adopted && known[time.Time](k.facts, began(d.Target, d.Group)).Is == fleet.Unknown) {
			h.Last = d.Zero
		}
		if d.ByID {
			h.Call.Token = ""
		}
		hook := k.hook(d.Group)
		if hook.Is == fleet.Seen {
			h.Timeout, h.Seen = hook.Value.Heartbeat, hook
		}
		h.Until = drain.Deadline(d, hook, e.man.Policy)
		out = append(out, h)
	}
	return out, excluded
}

// Opened is the hook of which a message tells, if it is Ebb's. Nobody has looked whether it is true.
func (c Config) Opened(e event.Event, sent, now time.Time) (Hook, bool) {
	man, ok := c.managed(e.Group)
	if !ok || man.Policy.Observe || e.Kind.Use() != event.Drains || e.Hook != c.Hook {
		return Hook{}, false
	}
	zero := cmp.Or(e.Time, sent, now)
	if zero.After(now) {
		zero = now // nobody has looked whether it is true
	}
	return Hook{
		Scope: man.Scope(), Target: fleet.HostTarget(e.Instance), Timeout: drain.ShortestHook, Last: zero, Until: zero.Add(man.Policy.Deadline),
		Call: plan.HookCall{Group: e.Group, Hook: e.Hook, Instance: e.Instance, Token: e.Token},
	}, true
}

// Waiting are the hooks that may be open of the instances that wait in some groups. Nobody has looked whose hook it is.
func (c Config) Waiting(groups []fleet.Group, now time.Time) (out []Hook) {
	for _, g := range groups {
		man, ok := c.managed(g.Name)
		if !ok || man.Policy.Observe || g.Excluded {
			continue
		}
		for _, i := range g.Instances {
			if !i.State.Waiting() {
				continue
			}
			out = append(out, Hook{
				Scope: man.Scope(), Target: fleet.HostTarget(i.ID), Timeout: drain.ShortestHook, Until: now.Add(man.Policy.Deadline),
				Call: plan.HookCall{Group: g.Name, Hook: c.Hook, Instance: i.ID},
			})
		}
	}
	return out
}

// Swept reports whether every group has been looked at since the kernel was made, so that it knows of each instance that waits.
func (o *observer) Swept() bool { return !o.swept.IsZero() }

// Beaten notes that AWS accepted the latest heartbeat of a hook while no kernel knew of its drain, and how the hook was seen last, so that
// its heartbeat is not sent again before it is due. It reports whether the kernel knows of the drain.
func (k *Kernel) Beaten(h Hook) bool {
	e, ok := k.open[h.Target]
	if !ok {
		return false
	}
	if !h.Beaten || !h.Last.After(e.tried[plan.Beat].OK) {
		return true
	}
	e.tried[plan.Beat].OK = h.Last
	e.tried[plan.Beat].Started = drain.Later(e.tried[plan.Beat].Started, h.Last) // the hook with the oldest heartbeat is sent first
	if now := k.hook(e.d.Group); h.Seen.Is == fleet.Seen && now.Is == fleet.Unknown {
		put(k.facts, hooksOf(e.d.Group), fleet.Seen, h.Seen.At, h.Seen.Value)
	}
	return true
}
