package kernel

import (
	"slices"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

// passState is what one pass knows of a drain and the next one needs, and could see only by waiting: an Ebb that lives for one pass keeps
// it in the journal. Everything else is looked at anew.
type passState struct {
	Running []time.Time `json:"running,omitempty"` // as entry.running
	Stopped []time.Time `json:"stopped,omitempty"`
	Whole   time.Time   `json:"whole,omitzero"`
	Paged   bool        `json:"paged,omitempty"`
	Looked  time.Time   `json:"looked,omitzero"` // start of the latest look at a container instance that ECS does not reach
	Beaten  time.Time   `json:"beaten,omitzero"` // start of the latest heartbeat that AWS accepted
	Live    []string    `json:"live,omitempty"`  // tasks ever listed: the id, if the rest of the ARN is as in the container instance's
	Done    []string    `json:"done,omitempty"`  // tasks that have stopped, but not those that died with their host
}

// same reports whether two passes know the same.
func (c *passState) same(o *passState) bool {
	if c == nil || o == nil {
		return c == o
	}
	return slices.EqualFunc(c.Running, o.Running, time.Time.Equal) && slices.EqualFunc(c.Stopped, o.Stopped, time.Time.Equal) &&
		c.Whole.Equal(o.Whole) && c.Paged == o.Paged && c.Looked.Equal(o.Looked) && c.Beaten.Equal(o.Beaten) &&
		slices.Equal(c.Live, o.Live) && slices.Equal(c.Done, o.Done)
}

// passState gathers what the next pass is to know of a drain; nil for an Ebb that lives on.
func (k *Kernel) passState(e *entry) *passState {
	if !k.cfg.OnePass || e.d.Target.Kind == fleet.OneTask { // a task leaves in one look or two
		return nil
	}
	c := &passState{
		Running: e.running.Starts, Stopped: e.stopped.Starts, Whole: e.running.Whole, Paged: e.running.Paged,
		Beaten: e.tried[plan.Beat].OK,
	}
	if !e.d.UnreachedFrom.IsZero() {
		ci := k.container(e.d.Target)
		c.Looked = drain.Later(ci.At, ci.Before)
	}
	for _, t := range e.tasks {
		id := strings.TrimPrefix(string(t.Value.ARN), taskPrefix(e.d.ContainerInstance))
		// The answer names the tasks that died with their host, so those are looked at again.
		if t.Is == fleet.Absent || t.Is == fleet.Seen && !t.Value.Live() && !t.Value.Killed() {
			c.Done = append(c.Done, id)
		} else {
			c.Live = append(c.Live, id)
		}
	}
	return c
}

// taskPrefix is what the ARNs of tasks have in common with that of the container instance they run on.
func taskPrefix(ci fleet.ARN) string {
	s := strings.Replace(string(ci), ":container-instance/", ":task/", 1)
	return s[:strings.LastIndexByte(s, '/')+1]
}

// recall gives a drain what the pass before knew.
func (k *Kernel) recall(e *entry, c *passState) {
	if c == nil {
		return
	}
	e.state = c
	e.running = drain.Lists{Starts: slices.Clone(c.Running), Whole: c.Whole, Paged: c.Paged}
	e.stopped.Starts = slices.Clone(c.Stopped)
	if !c.Looked.IsZero() {
		k.facts[containerOf(e.d.Target)] = &fleet.Fact[fleet.ContainerInstance]{Before: c.Looked}
	}
	if !c.Beaten.IsZero() {
		e.tried[plan.Beat] = drain.Try{OK: c.Beaten}
	}
	prefix := taskPrefix(e.d.ContainerInstance)
	arn := func(id string) fleet.ARN {
		if strings.HasPrefix(id, "arn:") {
			return fleet.ARN(id)
		}
		return fleet.ARN(prefix + id)
	}
	for _, id := range c.Live {
		k.listed(arn(id), e.d.Target)
	}
	for _, id := range c.Done {
		k.listed(arn(id), e.d.Target)
		i, _ := e.task(arn(id))
		e.tasks[i].Is = fleet.Absent
	}
}
