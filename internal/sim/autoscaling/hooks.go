package autoscaling

import (
	"slices"
	"time"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// The transitions that hooks have.
const (
	TransitionLaunching   = "autoscaling:EC2_INSTANCE_LAUNCHING"
	TransitionTerminating = "autoscaling:EC2_INSTANCE_TERMINATING"
)

// maxWait is the longest global timeout of a lifecycle action.
const maxWait = 48 * time.Hour

func hookDefaults(h Hook) *Hook {
	if h.Heartbeat == 0 {
		h.Heartbeat = time.Hour
	}
	if h.DefaultResult == "" {
		h.DefaultResult = "ABANDON"
	}
	if h.Transition == "" {
		h.Transition = TransitionTerminating
	}
	return &h
}

// GlobalTimeout is how long an action of the hook can last with heartbeats: 100 times the heartbeat timeout, at most 48 h.
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_LifecycleHook.html
func (h Hook) GlobalTimeout() time.Duration { return min(maxWait, 100*h.Heartbeat) }

// openActions starts the wait of an instance: one action for each hook of the transition, all at the same time. It reports
// whether there was one.
func (w *AutoScaling) openActions(m *groupInstance, transition, state string) bool {
	m.Actions = nil
	var hooks []*Hook
	for _, h := range m.g.Hooks {
		if h.Transition == transition {
			hooks = append(hooks, h)
		}
	}
	if len(hooks) == 0 {
		return false
	}
	w.setLife(m, state)
	for _, h := range hooks {
		a := &HookAction{
			Hook: h.Name, Token: w.UUID(), Opened: w.Now(), Expires: w.Now().Add(h.Heartbeat), GlobalAt: w.Now().Add(h.GlobalTimeout()),
			heartbeat: h.Heartbeat, fallback: h.DefaultResult,
		}
		m.Actions = append(m.Actions, a)
		w.logHook(m, a, "opened")
		w.At(a.Expires, func() { w.expire(m, a) })
		w.notify(m, a, h)
		w.Clusters.HookOpened(m.h, m.g.Name, h.Name, a.Token)
	}
	return true
}

func (w *AutoScaling) logHook(m *groupInstance, a *HookAction, to string) {
	w.Log(core.Entry{
		Kind: core.EntryHook, Group: m.g.Name, Hook: a.Hook, Instance: m.ID, Cluster: m.g.Launch.Cluster, ContainerInstance: m.h.ContainerInstance,
		From: m.State, To: to, Text: a.Token,
	})
}

// expire ends an action whose time is up: with the hook's default result after a missed heartbeat, as abandoned at the global
// timeout.
func (w *AutoScaling) expire(m *groupInstance, a *HookAction) {
	if a.Result != "" {
		return
	}
	if w.Now().Before(a.Expires) {
		w.At(a.Expires, func() { w.expire(m, a) })
		return
	}
	if w.Now().Before(a.GlobalAt) {
		w.logHook(m, a, "expired")
		w.answered(m, a, a.fallback)
		return
	}
	w.logHook(m, a, "global-timeout")
	w.answered(m, a, "ABANDON")
}

// answered gives an action its result. ABANDON ends the other actions too; otherwise the instance waits for all.
// https://docs.aws.amazon.com/autoscaling/ec2/userguide/lifecycle-hooks.html
func (w *AutoScaling) answered(m *groupInstance, a *HookAction, result string) {
	a.Result = result
	if result == "ABANDON" {
		w.cancelActions(m)
	}
	for _, other := range m.Actions {
		if other.Result == "" {
			return
		}
	}
	if m.State == "Pending:Wait" {
		if result == "ABANDON" {
			w.terminateInGroup(m, "At "+core.ISO(w.Now())+" an instance was taken out of service in response to a launch lifecycle hook that was abandoned.")
			return
		}
		w.setLife(m, "Pending:Proceed")
		w.After(time.Second, func() {
			if m.State == "Pending:Proceed" {
				w.inService(m)
			}
		})
		return
	}
	if m.State == "ReplacingRootVolume:Wait" {
		if result == "ABANDON" && w.Switches.RootVolumeAbandon {
			w.terminateInGroup(m, healthCause(w.Now()))
			return
		}
		w.replaceVolume(m)
		return
	}
	if result == "ABANDON" && m.g.Retain {
		w.setLife(m, "Terminating:Retained")
		w.endActivity(m, "Cancelled")
		return
	}
	w.proceed(m)
}

// cancelActions ends the open actions of an instance without an answer.
func (w *AutoScaling) cancelActions(m *groupInstance) {
	for _, a := range m.Actions {
		if a.Result == "" {
			a.Result = "ABANDON"
			w.logHook(m, a, "cancelled")
		}
	}
}

// findGroup returns a group or AWS's refusal.
func (w *AutoScaling) findGroup(name string) (*group, error) {
	if g := w.group[name]; g != nil {
		return g, nil
	}
	return nil, core.Refuse("ValidationError", "AutoScalingGroup name not found - AutoScalingGroup '%s' not found", name)
}

// findAction returns the open action of a hook that a token, or else an instance id, names.
func (w *AutoScaling) findAction(groupName, hook, token, instance string) (*groupInstance, *HookAction, error) {
	g, err := w.findGroup(groupName)
	if err != nil {
		return nil, nil, err
	}
	if token == "" && instance == "" {
		return nil, nil, core.Refuse("ValidationError", "Either a lifecycle action token or an instance ID must be given.")
	}
	for _, m := range g.members {
		if instance != "" && m.ID != instance {
			continue
		}
		for _, a := range m.Actions {
			if a.Hook == hook && a.Result == "" && (token == "" || a.Token == token) {
				return m, a, nil
			}
		}
	}
	if token != "" {
		return nil, nil, core.Refuse("ValidationError", "No active Lifecycle Action found with token %s", token)
	}
	return nil, nil, core.Refuse("ValidationError", "No active Lifecycle Action found with instance ID %s", instance)
}

// CompleteLifecycleAction answers an open action.
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_CompleteLifecycleAction.html
func (w *AutoScaling) CompleteLifecycleAction(group, hook, token, instance, result string) error {
	if result != "CONTINUE" && result != "ABANDON" {
		return core.Refuse("ValidationError", "Invalid lifecycle action result %q: it must be CONTINUE or ABANDON.", result)
	}
	m, a, err := w.findAction(group, hook, token, instance)
	if err != nil {
		return err
	}
	w.logHook(m, a, result)
	w.answered(m, a, result)
	return nil
}

// RecordLifecycleActionHeartbeat restarts the timeout of an open action from now, never beyond the global timeout.
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_RecordLifecycleActionHeartbeat.html
func (w *AutoScaling) RecordLifecycleActionHeartbeat(group, hook, token, instance string) error {
	m, a, err := w.findAction(group, hook, token, instance)
	if err != nil {
		return err
	}
	until := w.Now().Add(a.heartbeat)
	if until.After(a.GlobalAt) {
		if w.Switches.LateHeartbeatRefused {
			return core.Refuse("ValidationError", "The lifecycle action cannot be extended beyond its global timeout at %s.", core.ISO(a.GlobalAt))
		}
		until = a.GlobalAt
	}
	a.Expires = until
	w.logHook(m, a, "heartbeat")
	return nil
}

// PutLifecycleHook makes or changes a hook. What an update leaves empty stays as it is, but for Target: "-" removes it. A
// target that is set gets a test notification.
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_PutLifecycleHook.html
func (w *AutoScaling) PutLifecycleHook(group string, h Hook) error {
	g, err := w.findGroup(group)
	if err != nil {
		return err
	}
	if h.Heartbeat != 0 && (h.Heartbeat < 30*time.Second || h.Heartbeat > 7200*time.Second) {
		return core.Refuse("ValidationError",
			"1 validation error detected: heartbeatTimeout must be between 30 and 7200 seconds, and is %d.", int(h.Heartbeat.Seconds()))
	}
	i := slices.IndexFunc(g.Hooks, func(x *Hook) bool { return x.Name == h.Name })
	if i < 0 {
		if len(g.Hooks) >= 50 {
			return core.Refuse("LimitExceeded", "Lifecycle hook limit exceeded for group %s: 50", group)
		}
		if h.Transition == "" {
			return core.Refuse("ValidationError", "LifecycleTransition is required for a new lifecycle hook.")
		}
		if h.Target == "-" {
			h.Target = ""
		}
		g.Hooks = append(g.Hooks, hookDefaults(h))
	} else {
		w.editHook(g, g.Hooks[i], h)
	}
	if h.Target != "" && h.Target != "-" {
		w.notifyTest(g, h.Target)
	}
	return nil
}

func (w *AutoScaling) editHook(g *group, old *Hook, h Hook) {
	set := func(field *string, value string) {
		if value != "" {
			*field = value
		}
	}
	set(&old.Transition, h.Transition)
	set(&old.DefaultResult, h.DefaultResult)
	set(&old.Target, h.Target)
	set(&old.Role, h.Role)
	set(&old.Metadata, h.Metadata)
	if old.Target == "-" {
		old.Target = ""
	}
	if h.Heartbeat != 0 {
		old.Heartbeat = h.Heartbeat
	}
	if !w.Switches.HookEditApplies {
		return
	}
	for _, m := range g.members {
		for _, a := range m.Actions {
			if a.Hook == old.Name && a.Result == "" {
				a.Expires = a.Expires.Add(old.Heartbeat - a.heartbeat)
				a.GlobalAt = a.Opened.Add(old.GlobalTimeout())
				a.heartbeat, a.fallback = old.Heartbeat, old.DefaultResult
				w.At(a.Expires, func() { w.expire(m, a) })
			}
		}
	}
}

// DeleteLifecycleHook removes a hook and completes its open actions: terminating ones with CONTINUE, launching ones with ABANDON.
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DeleteLifecycleHook.html
func (w *AutoScaling) DeleteLifecycleHook(group, hook string) error {
	g, err := w.findGroup(group)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(g.Hooks, func(x *Hook) bool { return x.Name == hook })
	if i < 0 {
		return core.Refuse("ValidationError", "No Lifecycle Hook found with name %s for AutoScalingGroup %s", hook, group)
	}
	result := "CONTINUE"
	if g.Hooks[i].Transition == TransitionLaunching {
		result = "ABANDON"
	}
	g.Hooks = slices.Delete(g.Hooks, i, i+1)
	for _, m := range slices.Clone(g.members) {
		for _, a := range m.Actions {
			if a.Hook == hook && a.Result == "" {
				w.logHook(m, a, result)
				w.answered(m, a, result)
			}
		}
	}
	return nil
}
