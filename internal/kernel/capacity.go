package kernel

import (
	"fmt"
	"time"

	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

// When it is asked whether the tasks of a scaled service find a place, while fewer run than are to: at once after a change and every placeSoon
// where a group may be made larger for them; otherwise placeAfter a change and every stuckAgain. An answer costs about ten calls.
const (
	placeAfter = time.Minute
	placeSoon  = 5 * time.Minute
	raiseLasts = 3 * time.Minute // what could not be done for so long is not done: it is asked again
)

// room is what is remembered of the places for the tasks of a service that is scaled.
type room struct {
	Asked time.Time `json:"asked,omitzero"`  // when it was last asked about them
	Said  string    `json:"said,omitempty"`  // why they lack, as the journal last said
	Group string    `json:"group,omitempty"` // it is to have a desired capacity of To, at least
	To    int       `json:"to,omitempty"`
	At    time.Time `json:"at,omitzero"` // when that was decided
	Due   bool      `json:"due,omitempty"`
}

// places is what a kernel knows of them besides.
type places struct {
	ask     time.Time // when it is asked about them; zero: it is not
	raising bool      // the desired capacity of the group is being set
}

// MayRaise reports whether the desired capacity of a group may be raised for the tasks of services in a cluster.
func (c *Config) MayRaise(cluster, group string) bool {
	m, ok := c.managed(group)
	return ok && m.RaiseCapacity && m.Cluster == cluster && !m.Policy.Observe
}

// askPlace asks whether the tasks of a service find a place, if that is due.
func askPlace(k *Kernel, c *count, now time.Time) []Ask {
	f := known[fleet.Service](k.facts, serviceIn(c.Cluster, c.Service))
	c.ask = time.Time{}
	_, paused := overrideOf(k, c.Cluster, c.Service)
	to := c.Count
	if !c.Write.At.IsZero() {
		to = c.Write.To
	}
	switch {
	case c.scaled == nil || c.observed || c.scaled.Policy.Observe || paused != "" || f.Is != fleet.Seen || f.Value.Daemon || f.Value.Excluded:
		return nil
	case f.Value.Running >= to:
		c.Room.Said = ""
		return nil
	}
	first, again, changed := placeAfter, stuckAgain, c.Scaling.Changed
	for _, m := range k.cfg.Groups {
		if m.RaiseCapacity && m.Cluster == c.Cluster {
			first, again = 0, placeSoon
		}
	}
	if c.ask = drain.Later(changed.Add(first), c.Room.Asked.Add(placeAfter)); !c.Room.Asked.Before(changed) {
		c.ask = c.Room.Asked.Add(again)
	}
	if c.ask.After(now) {
		return nil
	}
	c.Room.Asked, c.ask = now, now.Add(again)
	return []Ask{{Cluster: c.Cluster, Service: c.Service, Tasks: to}}
}

// noPlace takes in whether the tasks of a service find a place.
func noPlace(k *Kernel, a Ask, b Answer, now time.Time) {
	c := k.counts[countKey(a.Cluster, a.Service)]
	if c == nil || c.scaled == nil || b.Text == "" {
		return
	}
	if c.Room.Said != b.Code {
		c.Room.Said = b.Code
		k.line(now, c.key(), ScaleLine, fmt.Sprintf("service %s in cluster %s: %s (%s)", c.Service, c.Cluster, b.Text, b.Code))
		tellScaled(k, c.Cluster, c.Service, "its tasks find no place", b.Text, now)
	}
	if b.Group != "" && k.cfg.MayRaise(a.Cluster, b.Group) && !k.excluded[b.Group] {
		c.Room.Group, c.Room.To, c.Room.At, c.Room.Due, c.raising = b.Group, b.Capacity, now, true, false
		k.line(now, c.key(), ScaleLine, fmt.Sprintf("the desired capacity of group %s is to be %d, for tasks of service %s in cluster %s that find no place",
			b.Group, b.Capacity, c.Service, c.Cluster))
	}
}

// raise sets the desired capacity of a group, as the record of the count says since the batch before.
func raise(k *Kernel, c *count, now time.Time) []plan.Request {
	spec := plan.SetCapacity.Spec()
	switch {
	case !c.Room.Due || c.raising:
		return nil
	case c.scaled == nil || now.Sub(c.Room.At) > raiseLasts || !k.cfg.MayRaise(c.Cluster, c.Room.Group):
		c.Room.Due = false
		return nil
	case !k.room(spec.Priority) || !k.rates.take(spec.Bucket, 1, spec.Priority, now):
		c.wake = now.Add(Moment)
		return nil
	}
	c.raising = true
	return []plan.Request{k.request(plan.Request{Action: &plan.Action{
		Kind: plan.SetCapacity, Drain: c.key(), Why: "tasks of service " + c.Service + " find no place", Size: &plan.GroupSize{Group: c.Room.Group, To: c.Room.To},
	}})}
}

// raised takes in what came of that.
func raised(k *Kernel, a plan.Action, fail *plan.Failure, now time.Time) {
	c := k.counts[a.Drain]
	if c == nil || *a.Size != (plan.GroupSize{Group: c.Room.Group, To: c.Room.To}) {
		return
	}
	c.raising, c.Room.Due = false, false
	text := fmt.Sprintf("the desired capacity of group %s is at least %d", a.Size.Group, a.Size.To)
	kind := ScaleLine
	if fail != nil {
		kind, text = "failed", a.Kind.String()+" of group "+a.Size.Group+" failed: "+fail.Error()+"; it is asked again whether the tasks find a place"
	}
	k.line(now, c.key(), kind, text)
}
