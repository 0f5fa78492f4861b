package autoscaling

import (
	"slices"
	"strconv"
	"time"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// copyGroup copies a group as it was at the time that reads see; its activities are left out.
func (w *AutoScaling) copyGroup(g *group) Group {
	c := g.Group
	c.Activities = nil
	c.Hooks = make([]*Hook, len(g.Hooks))
	for i, h := range g.Hooks {
		hook := *h
		c.Hooks[i] = &hook
	}
	c.Refreshes = slices.Clone(g.Refreshes)
	c.TargetGroups, c.Suspended = slices.Clone(g.TargetGroups), slices.Clone(g.Suspended)
	c.Instances = make([]*GroupInstance, 0, len(g.members))
	if w.Lagging() {
		for _, m := range g.left {
			if seen, ok := w.seeMember(m); ok {
				c.Instances = append(c.Instances, &seen)
			}
		}
	}
	for _, m := range g.members {
		if seen, ok := w.seeMember(m); ok {
			c.Instances = append(c.Instances, &seen)
		}
	}
	return c
}

// seeMember copies an instance of a group as reads see it; false if it is not there.
func (w *AutoScaling) seeMember(m *groupInstance) (GroupInstance, bool) {
	then := m.trail.At(w.Then())
	if then.State == "" {
		return GroupInstance{}, false
	}
	c := m.GroupInstance
	c.State = then.State
	c.Actions = make([]*HookAction, len(m.Actions))
	for i, a := range m.Actions {
		action := *a
		c.Actions[i] = &action
	}
	return c, true
}

// DescribeAutoScalingGroups answers for the named groups, or for all if there are no names; unknown names are left out.
// Activities are not included.
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DescribeAutoScalingGroups.html
func (w *AutoScaling) DescribeAutoScalingGroups(names []string) []Group {
	var found []Group
	for _, g := range w.groups {
		if len(names) == 0 || slices.Contains(names, g.Name) {
			found = append(found, w.copyGroup(g))
		}
	}
	return found
}

// DescribeAutoScalingInstances answers for the ids, or for all instances if there are none; unknown ids are left out.
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DescribeAutoScalingInstances.html
func (w *AutoScaling) DescribeAutoScalingInstances(ids []string) []GroupInstance {
	var found []GroupInstance
	if len(ids) > 0 {
		for i, id := range ids {
			if m := w.members[id]; m != nil && !slices.Contains(ids[:i], id) {
				if seen, ok := w.seeMember(m); ok {
					found = append(found, seen)
				}
			}
		}
		return found
	}
	for _, g := range w.groups {
		for _, m := range w.copyGroup(g).Instances {
			found = append(found, *m)
		}
	}
	return found
}

// DescribeLifecycleHooks answers for the named hooks of a group, or for all of them.
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DescribeLifecycleHooks.html
func (w *AutoScaling) DescribeLifecycleHooks(group string, names []string) ([]Hook, error) {
	g, err := w.findGroup(group)
	if err != nil {
		return nil, err
	}
	var found []Hook
	for _, h := range g.Hooks {
		if len(names) == 0 || slices.Contains(names, h.Name) {
			found = append(found, *h)
		}
	}
	return found, nil
}

// DescribeInstanceRefreshes answers with the instance refreshes of a group, newest first.
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DescribeInstanceRefreshes.html
func (w *AutoScaling) DescribeInstanceRefreshes(group string) ([]Refresh, error) {
	g, err := w.findGroup(group)
	if err != nil {
		return nil, err
	}
	return slices.Clone(g.Refreshes), nil
}

// DescribeScalingActivities answers with the activities of a group, or of all groups if it is empty, newest first.
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DescribeScalingActivities.html
func (w *AutoScaling) DescribeScalingActivities(group string) ([]Activity, error) {
	if group != "" {
		if _, err := w.findGroup(group); err != nil {
			return nil, err
		}
	}
	var found []Activity
	for _, g := range w.groups {
		if group != "" && g.Name != group {
			continue
		}
		for _, a := range slices.Backward(g.Activities) {
			found = append(found, *a)
		}
	}
	slices.SortStableFunc(found, func(a, b Activity) int { return b.Start.Compare(a.Start) })
	return found, nil
}

// SetDesiredCapacity changes the desired capacity within the group's bounds.
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_SetDesiredCapacity.html
func (w *AutoScaling) SetDesiredCapacity(group string, desired int) error {
	g, err := w.findGroup(group)
	if err != nil {
		return err
	}
	if desired > g.Max {
		return core.Refuse("ValidationError", "New SetDesiredCapacity value %d is above max value %d for the AutoScalingGroup.", desired, g.Max)
	}
	if desired < g.Min {
		return core.Refuse("ValidationError", "New SetDesiredCapacity value %d is below min value %d for the AutoScalingGroup.", desired, g.Min)
	}
	w.Log(core.Entry{Kind: core.EntryCapacity, Group: g.Name, From: strconv.Itoa(g.Desired), To: strconv.Itoa(desired)})
	g.Desired = desired
	w.reconcileSoon(g)
	return nil
}

// UpdateAutoScalingGroup changes the bounds and the desired capacity; nil leaves a value as it is. A desired capacity outside
// new bounds follows them.
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_UpdateAutoScalingGroup.html
func (w *AutoScaling) UpdateAutoScalingGroup(group string, minimum, maximum, desired *int) error {
	g, err := w.findGroup(group)
	if err != nil {
		return err
	}
	low, high, want := g.Min, g.Max, g.Desired
	for _, field := range []struct{ value, to *int }{{minimum, &low}, {maximum, &high}, {desired, &want}} {
		if field.value != nil {
			*field.to = *field.value
		}
	}
	if low > high {
		return core.Refuse("ValidationError", "Max bound, %d, must be greater than or equal to min bound, %d", high, low)
	}
	if desired == nil {
		want = min(max(want, low), high)
	}
	if want < low || want > high {
		return core.Refuse("ValidationError", "Desired capacity:%d must be between the specified min size:%d and max size:%d", want, low, high)
	}
	g.Min, g.Max, g.Desired = low, high, want
	w.reconcileSoon(g)
	return nil
}

// SetInstanceProtection protects instances from scale-in, or no longer.
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_SetInstanceProtection.html
func (w *AutoScaling) SetInstanceProtection(group string, ids []string, protected bool) error {
	g, err := w.findGroup(group)
	if err != nil {
		return err
	}
	if len(ids) > 50 {
		return core.Refuse("ValidationError", "The number of instances (%d) exceeds the limit of 50.", len(ids))
	}
	for _, id := range ids {
		m := w.members[id]
		if m == nil || m.g != g || m.State == "Terminated" {
			return core.Refuse("ValidationError", "The instance %s is not part of Auto Scaling group %s.", id, group)
		}
		if m.State != "InService" {
			return core.Refuse("ValidationError", "The instance %s is not in InService or EnteringStandby or Standby.", id)
		}
	}
	for _, id := range ids {
		w.members[id].Protected = protected
	}
	return nil
}

// SetInstanceHealth sets the health of an instance; an unhealthy one is replaced some seconds later, through its hooks.
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_SetInstanceHealth.html
func (w *AutoScaling) SetInstanceHealth(instance, health string) error {
	m := w.members[instance]
	if m == nil || m.State == "Terminated" {
		return core.Refuse("ValidationError", "Instance not found - %s", instance)
	}
	if health != "Healthy" && health != "Unhealthy" {
		return core.Refuse("ValidationError", "Valid instance health states are: [Healthy, Unhealthy].")
	}
	m.Health = health
	if health == "Unhealthy" {
		w.After(w.Between(5*time.Second, 15*time.Second), func() { w.replaceUnhealthy(m) })
	}
	return nil
}

// Launching says into which cluster a group launches, and whether it protects new instances from scale-in.
func (w *AutoScaling) Launching(group string) (arn, cluster string, protectNew bool, err error) {
	g, err := w.findGroup(group)
	if err != nil {
		return "", "", false, err
	}
	return g.ARN, g.Launch.Cluster, g.ProtectNew, nil
}

// EnsureHook gives a group a terminating hook, if it has none of that name, and tells nobody.
func (w *AutoScaling) EnsureHook(group, name string, heartbeat time.Duration, result string) {
	g := w.group[group]
	if g != nil && !slices.ContainsFunc(g.Hooks, func(h *Hook) bool { return h.Name == name }) {
		g.Hooks = append(g.Hooks, hookDefaults(Hook{Name: name, Heartbeat: heartbeat, DefaultResult: result}))
	}
}

// Waits reports whether an action of a hook is open.
func (w *AutoScaling) Waits(group, hook, token string) bool {
	_, _, err := w.findAction(group, hook, token, "")
	return err == nil
}

// Protect sets the scale-in protection of an instance, whatever its state, without a call.
func (w *AutoScaling) Protect(instance string, on bool) {
	if m := w.members[instance]; m != nil {
		m.Protected = on
	}
}

// IsInService reports whether an instance is in service in a group.
func (w *AutoScaling) IsInService(instance string) bool {
	m := w.members[instance]
	return m != nil && m.State == "InService"
}
