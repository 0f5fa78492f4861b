// Package vpclattice is Amazon VPC Lattice in a simulated cloud: target groups and their targets.
//
// It never routes a request, and knows neither services nor listeners: a target group is used as soon as it has targets.
package vpclattice

import (
	"slices"
	"strconv"
	"time"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// Lattice are the target groups of a world.
type Lattice struct {
	*core.Core
	groups []*group
}

// TargetGroup is a target group of VPC Lattice.
type TargetGroup struct {
	ID, ARN, Name, Type, VPC string // Type: IP (default), INSTANCE
	Port                     int    // 0: 80
	// Delay is how long a target that is deregistered drains; 0: 1 minute, negative: not at all.
	Delay time.Duration
	Check time.Duration // from registration to healthy, and from death to unhealthy; 0: 10 s
}

// Target is one registration. States are written small here, as with Elastic Load Balancing.
type Target struct {
	ID    string // address, or id of an instance
	Port  int
	State string // initial, healthy, unhealthy, draining; unused: it is not registered
	Since time.Time
	Task  string // ARN, when ECS registered it
}

type group struct {
	TargetGroup
	targets []*target
}

// target is one registration at work.
type target struct {
	Target
	g     *group
	w     *Lattice
	owner core.TargetOwner // nil: not registered by ECS
	turn  int              // rises with every change, so that what was scheduled before does not apply
}

// Health is the state of a registration.
func (t *target) Health() string { return t.State }

// Deregister starts the deregistration.
func (t *target) Deregister() { t.w.deregister(t) }

// Dies lets the health checks fail from now on.
func (t *target) Dies() {
	turn := t.turn
	t.w.After(t.g.Check, func() {
		if t.turn == turn && t.State == "healthy" {
			t.w.set(t, "unhealthy")
		}
	})
}

// New makes VPC Lattice without target groups.
func New(c *core.Core) *Lattice { return &Lattice{Core: c} }

// AddLatticeGroup makes a target group and returns a copy with its ARN.
func (w *Lattice) AddLatticeGroup(spec TargetGroup) TargetGroup {
	g := &group{TargetGroup: spec}
	g.ID = "tg-0" + w.Hex(16)
	g.ARN = w.ARN("vpc-lattice", "targetgroup/"+g.ID)
	if g.Type == "" {
		g.Type = "IP"
	}
	if g.VPC == "" {
		g.VPC = core.DefaultVPC
	}
	if g.Port == 0 {
		g.Port = 80
	}
	if g.Check == 0 {
		g.Check = 10 * time.Second
	}
	if g.Delay == 0 {
		g.Delay = time.Minute
	}
	g.Delay = max(g.Delay, 0)
	w.groups = append(w.groups, g)
	return g.TargetGroup
}

// find is the target group of an id or ARN.
func (w *Lattice) find(id string) (*group, error) {
	for _, g := range w.groups {
		if g.ID == id || g.ARN == id {
			return g, nil
		}
	}
	return nil, &core.Error{Code: "ResourceNotFoundException", Message: "Target group " + id + " does not exist", Status: 404}
}

func (g *group) find(id string, port int) *target {
	for _, t := range g.targets {
		if t.ID == id && t.Port == port {
			return t
		}
	}
	return nil
}

// set moves a target to another state.
func (w *Lattice) set(t *target, state string) {
	w.Changing()
	e := core.Entry{}
	if t.owner != nil {
		e = t.owner.About()
	}
	e.Kind, e.TargetGroup, e.Target, e.Text = core.EntryTarget, t.g.Name, t.ID+":"+strconv.Itoa(t.Port), "vpc-lattice"
	e.From, e.To = t.State, state
	w.Log(e)
	t.turn++
	t.State, t.Since = state, w.Now()
	if t.owner != nil {
		t.owner.TargetChanged()
	}
}

// RegisterTask registers a task with a target group, by its instance or its own address as the group has it; nil if there is no such group.
func (w *Lattice) RegisterTask(arn string, at core.Address, owner core.TargetOwner) core.Target {
	g, err := w.find(arn)
	if err != nil {
		return nil
	}
	if g.Type == "INSTANCE" {
		return w.register(g, at.Instance, at.HostPort, owner)
	}
	return w.register(g, at.IP, at.Port, owner)
}

func (w *Lattice) register(g *group, id string, port int, owner core.TargetOwner) *target {
	t := g.find(id, port)
	if t == nil {
		t = &target{Target: Target{ID: id, Port: port}, g: g, w: w}
		g.targets = append(g.targets, t)
	}
	if before := t.owner; before != nil && before != owner {
		before.Forget(t)
	}
	if t.owner = owner; owner != nil {
		t.Task = owner.About().Task
	}
	w.set(t, "initial")
	turn := t.turn
	w.After(g.Check, func() {
		switch {
		case t.turn != turn:
		case t.owner == nil || t.owner.Answers():
			w.set(t, "healthy")
		default:
			w.set(t, "unhealthy")
		}
	})
	return t
}

// deregister lets a target drain, and then be gone.
// https://docs.aws.amazon.com/vpc-lattice/latest/ug/target-group-register-targets.html
func (w *Lattice) deregister(t *target) {
	if t.State == "draining" {
		return
	}
	w.set(t, "draining")
	turn := t.turn
	w.After(t.g.Delay, func() {
		if t.turn != turn {
			return
		}
		t.g.targets = slices.DeleteFunc(t.g.targets, func(x *target) bool { return x == t })
		if t.owner != nil {
			t.owner.Forget(t)
		}
		w.set(t, "unused")
	})
}

// LatticeTargets are the targets of a target group as they are now, by its ARN or id.
func (w *Lattice) LatticeTargets(id string) ([]Target, error) {
	g, err := w.find(id)
	if err != nil {
		return nil, err
	}
	return core.Mapped(g.targets, func(t *target) Target { return t.Target }), nil
}

// Settle makes all targets healthy, as if they had been there for a while.
func (w *Lattice) Settle() {
	for _, g := range w.groups {
		for _, t := range g.targets {
			if t.State == "initial" {
				w.set(t, "healthy")
			}
		}
	}
}
