// Package elb is Elastic Load Balancing in a simulated cloud: target groups, health checks, and deregistration with its delay.
//
// It never routes a request: load balancers are shown only, one for each target group.
package elb

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// ELB are the target groups of a world.
type ELB struct {
	*core.Core
	instances Instances
	balanced  []*targetGroup
	balancer  map[string]*targetGroup // by ARN
}

// Instances are what is registered by instance id.
type Instances interface {
	Find(id string) *core.Instance // nil: there is none
}

// New makes Elastic Load Balancing without target groups.
func New(c *core.Core, instances Instances) *ELB {
	return &ELB{Core: c, instances: instances, balancer: map[string]*targetGroup{}}
}

// targetGroup is a target group at work.
type targetGroup struct {
	TargetGroup
	targets []*target
	left    []*target // for lagging reads
}

// target is one registration at work.
type target struct {
	Target
	tg    *targetGroup
	lb    *ELB
	owner core.TargetOwner // nil: not registered by ECS
	trail core.Trail
	turn  int // rises with every change, so that what was scheduled before does not apply
}

// Health is the state of a registration.
func (t *target) Health() string { return t.State }

// Deregister starts the deregistration.
func (t *target) Deregister() { t.lb.deregisterTarget(t.tg, t) }

// Dies lets the health checks fail from now on.
func (t *target) Dies() { t.lb.targetDies(t) }

// AddTargetGroup makes a target group and returns a copy with its ARN.
func (w *ELB) AddTargetGroup(spec TargetGroup) *TargetGroup {
	tg := &targetGroup{TargetGroup: spec}
	tg.Targets = nil
	tg.ARN = w.ARN("elasticloadbalancing", "targetgroup/"+tg.Name+"/"+w.Hex(16))
	if tg.Type == "" {
		tg.Type = "instance"
	}
	if tg.Protocol == "" {
		tg.Protocol = "HTTP"
	}
	if tg.Port == 0 {
		tg.Port = 80
	}
	if tg.VPC == "" {
		tg.VPC = core.DefaultVPC
	}
	if tg.Check == 0 {
		tg.Check = 10 * time.Second
	}
	if tg.Delay == 0 {
		tg.Delay = 300 * time.Second
	}
	tg.Delay = max(tg.Delay, 0)
	w.balanced = append(w.balanced, tg)
	w.balancer[tg.ARN] = tg
	c := tg.TargetGroup
	return &c
}

func (tg *targetGroup) find(id string, port int) *target {
	for _, t := range tg.targets {
		if t.ID == id && t.Port == port {
			return t
		}
	}
	return nil
}

// setTarget moves a target to another state. Load balancers obey a change some seconds later.
func (w *ELB) setTarget(t *target, state, reason string) {
	e := core.Entry{Kind: core.EntryTarget, TargetGroup: t.tg.Name, Target: t.ID + ":" + strconv.Itoa(t.Port), From: t.State, To: state, Task: t.Task}
	if t.owner != nil {
		a := t.owner.About()
		e.Service, e.Cluster, e.ContainerInstance, e.Instance = a.Service, a.Cluster, a.ContainerInstance, a.Instance
	} else if h := w.instances.Find(t.ID); h != nil {
		e.Instance, e.ContainerInstance, e.Group = h.ID, h.ContainerInstance, h.Group
	}
	w.Changing()
	w.Log(e)
	t.turn++
	switch {
	case t.State == "healthy":
		t.RoutedUntil = w.Now().Add(w.propagation(t.tg, state))
	case state != "unused":
		t.RoutedUntil = time.Time{}
	}
	t.State, t.Reason, t.Since = state, reason, w.Now()
	if state == "unused" {
		state = ""
	}
	t.trail.Mark(w.Now(), state, reason)
	if t.owner != nil {
		t.owner.TargetChanged()
	}
}

// registerTarget registers a target, or takes one back that is draining. It is healthy after the check time if it answers then.
func (w *ELB) registerTarget(tg *targetGroup, id string, port int, owner core.TargetOwner) *target {
	t := tg.find(id, port)
	switch {
	case t == nil:
		t = &target{Target: Target{ID: id, Port: port}, tg: tg, lb: w}
		tg.targets = append(tg.targets, t)
	case t.State != "draining":
		if owner != nil {
			w.own(t, owner)
		}
		return t
	}
	w.own(t, owner)
	w.setTarget(t, "initial", "Elb.InitialHealthChecking")
	turn := t.turn
	w.After(tg.Check, func() {
		switch {
		case t.turn != turn:
		case w.answers(t):
			w.setTarget(t, "healthy", "")
		default:
			w.sick(t)
		}
	})
	return t
}

// own makes a target that of a task, or of nobody; the task that had it before waits for it no longer.
func (w *ELB) own(t *target, owner core.TargetOwner) {
	before := t.owner
	t.owner, t.Task = owner, ""
	if owner != nil {
		t.Task = owner.About().Task
	}
	if before != nil && before != owner {
		before.Forget(t)
		before.TargetChanged()
	}
}

// deregisterTarget starts the deregistration of a target, which reads draining for the whole delay, whether or not there are
// connections.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-target-group-attributes.html
func (w *ELB) deregisterTarget(tg *targetGroup, t *target) {
	if t.State == "draining" {
		return
	}
	w.setTarget(t, "draining", "Target.DeregistrationInProgress")
	turn := t.turn
	w.After(tg.Delay, func() {
		if t.turn != turn {
			return
		}
		tg.targets = slices.DeleteFunc(tg.targets, func(x *target) bool { return x == t })
		tg.left = slices.DeleteFunc(tg.left, func(x *target) bool { return w.Now().Sub(x.Since) > core.KeepTrail })
		tg.left = append(tg.left, t)
		if t.owner != nil {
			t.owner.Forget(t)
		}
		w.setTarget(t, "unused", "Target.NotRegistered")
	})
}

func (w *ELB) findTargetGroup(arn string) (*targetGroup, error) {
	if tg := w.balancer[arn]; tg != nil {
		return tg, nil
	}
	return nil, core.Refuse("TargetGroupNotFound", "Target groups '%s' not found", arn)
}

// DescribeTargetGroups answers for ARNs or names, or for all if there are neither; an unknown one fails the call. Their targets
// are not included.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeTargetGroups.html
func (w *ELB) DescribeTargetGroups(arns, names []string) ([]TargetGroup, error) {
	var found []TargetGroup
	for _, arn := range arns {
		tg, err := w.findTargetGroup(arn)
		if err != nil {
			return nil, err
		}
		found = append(found, tg.TargetGroup)
	}
	known := 0
	for _, tg := range w.balanced {
		if named := slices.Contains(names, tg.Name); named || len(arns)+len(names) == 0 {
			found = append(found, tg.TargetGroup)
			known++
		}
	}
	if len(names) > known {
		return nil, core.Refuse("TargetGroupNotFound", "One or more target groups not found: %s", strings.Join(names, ", "))
	}
	return found, nil
}

// SetDeregistrationDelay sets the attribute deregistration_delay.timeout_seconds, 0 to 3600 s, for deregistrations from now on.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TargetGroupAttribute.html
func (w *ELB) SetDeregistrationDelay(arn string, d time.Duration) error {
	tg, err := w.findTargetGroup(arn)
	if err != nil {
		return err
	}
	if d < 0 || d > time.Hour {
		return core.Refuse("ValidationError", "'deregistration_delay.timeout_seconds' must be between '0' and '3600'")
	}
	tg.Delay = d
	return nil
}

// DescribeTargetHealth answers for the named targets, or for all that are registered or draining. A target that is named and
// not registered reads unused. Port zero is the target group's own.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeTargetHealth.html
func (w *ELB) DescribeTargetHealth(arn string, targets []Target) ([]Target, error) {
	tg, err := w.findTargetGroup(arn)
	if err == nil {
		err = tg.checkTargets(targets)
	}
	if err != nil {
		return nil, err
	}
	there := tg.targets
	if w.Lagging() {
		there = slices.Concat(tg.left, tg.targets)
	}
	var found []Target
	for _, t := range there {
		if then := t.trail.At(w.Then()); then.State != "" {
			c := t.Target
			c.State, c.Reason = then.State, then.Second
			found = append(found, c)
		}
	}
	if len(targets) == 0 {
		return found, nil
	}
	answer := make([]Target, len(targets))
	for i, asked := range targets {
		if asked.Port == 0 {
			asked.Port = tg.Port
		}
		answer[i] = Target{ID: asked.ID, Port: asked.Port, State: "unused", Reason: "Target.NotRegistered"}
		for _, t := range found {
			if t.ID == asked.ID && t.Port == asked.Port {
				answer[i] = t
			}
		}
	}
	return answer, nil
}

// RegisterTargets registers targets; an instance must be running, and an address that is being deregistered has to wait until that is over.
// AWS does not say how it refuses such an address.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-register-targets.html
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_RegisterTargets.html
func (w *ELB) RegisterTargets(arn string, targets []Target) error {
	tg, err := w.findTargetGroup(arn)
	if err == nil {
		err = tg.checkTargets(targets)
	}
	if err != nil {
		return err
	}
	for _, t := range targets {
		if old := tg.find(t.ID, cmp.Or(t.Port, tg.Port)); tg.Type == "ip" && old != nil && old.State == "draining" {
			return core.Refuse("InvalidTarget",
				"The following targets are being deregistered and cannot be registered before that is over: '%s'", t.ID)
		}
		if h := w.instances.Find(t.ID); tg.Type == "instance" && (h == nil || h.State != "running") {
			return core.Refuse("InvalidTarget", "The following targets are not in a running state and cannot be registered: '%s'", t.ID)
		}
	}
	for _, t := range targets {
		if t.Port == 0 {
			t.Port = tg.Port
		}
		w.registerTarget(tg, t.ID, t.Port, nil)
	}
	return nil
}

// DeregisterTargets starts the deregistration of targets; those that are not registered are passed over.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DeregisterTargets.html
func (w *ELB) DeregisterTargets(arn string, targets []Target) error {
	tg, err := w.findTargetGroup(arn)
	if err == nil {
		err = tg.checkTargets(targets)
	}
	if err != nil {
		return err
	}
	for _, asked := range targets {
		if asked.Port == 0 {
			asked.Port = tg.Port
		}
		if t := tg.find(asked.ID, asked.Port); t != nil {
			w.deregisterTarget(tg, t)
		}
	}
	return nil
}

// RegisterTask registers a task with a target group, by its instance or its own address as the group has it; nil if there is no such group.
func (w *ELB) RegisterTask(arn string, at core.Address, owner core.TargetOwner) core.Target {
	tg := w.balancer[arn]
	if tg == nil {
		return nil
	}
	old := tg.find(at.IP, at.Port)
	switch {
	case tg.Type != "ip":
	case old != nil && old.owner == owner && old.State == "draining":
		return nil // see RegisterTargets
	case !tg.IPv6:
		return w.registerTarget(tg, at.IP, at.Port, owner)
	case at.IPv6 != "":
		return w.registerTarget(tg, at.IPv6, at.Port, owner)
	default:
		return nil
	}
	return w.registerTarget(tg, at.Instance, at.HostPort, owner)
}

// Settle makes all targets healthy, as if they had been there for a while.
func (w *ELB) Settle() {
	for _, tg := range w.balanced {
		for _, t := range tg.targets {
			if t.State == "initial" {
				w.setTarget(t, "healthy", "")
			}
			t.trail.Settle()
		}
	}
}
