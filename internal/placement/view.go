package placement

import (
	"slices"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
)

// view is a cluster as one question needs it.
type view struct {
	s       *inventory.Inventory
	c       *inventory.Cluster
	on      map[fleet.ARN][]*inventory.Task // live tasks by host
	live    map[string]int                  // tasks by service that are meant to run
	target  map[fleet.ARN]bool
	leaving map[fleet.ARN]bool // targets, and what leaves already
	rooms   []room
	demands []*demand
}

func look(s *inventory.Inventory, c *inventory.Cluster, targets []fleet.InstanceID) *view {
	v := &view{
		s: s, c: c, on: map[fleet.ARN][]*inventory.Task{}, live: map[string]int{},
		target: map[fleet.ARN]bool{}, leaving: map[fleet.ARN]bool{},
	}
	for _, h := range c.Hosts {
		v.target[h.ARN] = slices.Contains(targets, h.Instance)
		v.leaving[h.ARN] = v.target[h.ARN] || h.Status == fleet.Draining || v.departs(h.Instance)
	}
	for _, t := range c.Tasks {
		if !t.Live() {
			continue
		}
		v.on[t.ContainerInstance] = append(v.on[t.ContainerInstance], t)
		if t.DesiredStatus != fleet.Stopped {
			v.live[t.Service()]++
		}
	}
	for _, h := range c.Hosts {
		if h.Status == fleet.Active && h.Connected && !v.leaving[h.ARN] {
			v.rooms = append(v.rooms, v.room(h))
		}
	}
	for _, s := range c.Services {
		v.demands = append(v.demands, v.demandsOf(s)...)
	}
	return v
}

// departs reports whether an instance is on its way out of its group, or is not running.
func (v *view) departs(id fleet.InstanceID) bool {
	if m := v.s.Instance(id); m != nil && m.State.Gone() {
		return true
	}
	state := v.s.States[id]
	if _, in := v.s.Member(id); in != nil {
		state = in.State
	}
	return state.Waiting() || state.Leaving() || state.Over()
}
