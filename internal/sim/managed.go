package sim

import (
	"slices"
	"time"
)

// The names of what ECS makes for managed draining. The hook's is known from many accounts. Of the rule's only the beginning is: ECS's
// service-linked role may touch rules named ecs-managed-*.
// https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AmazonECSServiceRolePolicy.html
const (
	managedHook = "ecs-managed-draining-termination-hook"
	managedRule = "ecs-managed-draining-rule"
)

// How ECS drains: it looks at an instance now and then, and keeps its hook alive. AWS gives no numbers.
const (
	managedLook = 10 * time.Second
	managedBeat = 30 * time.Minute
)

// addManagedDraining gives a group the hook of managed draining, and EventBridge the rule by which ECS hears of it. Where the rule's
// events go is ECS's own and not shown.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/managed-instance-draining.html
func (w *World) addManagedDraining(g *group) {
	if !slices.ContainsFunc(g.Hooks, func(h *Hook) bool { return h.Name == managedHook }) { // ECS leaves one alone that is there
		g.Hooks = append(g.Hooks, hookDefaults(Hook{Name: managedHook, Heartbeat: time.Hour, DefaultResult: "CONTINUE"}))
	}
	if w.findRule(managedRule) != nil {
		return
	}
	made := Rule{Name: managedRule, ManagedBy: "ecs.amazonaws.com", Pattern: `{"source":["aws.autoscaling"],"detail-type":["EC2 Instance-terminate Lifecycle Action"]}`}
	if _, err := w.PutRule(made); err != nil {
		panic(err) // the pattern is a constant
	}
}

// drainManaged is ECS hearing that an instance waits in the hook of managed draining.
func (w *World) drainManaged(m *groupInstance, a *HookAction) {
	w.After(w.Between(time.Second, 5*time.Second), func() {
		w.As("ecs", func() { w.watchManaged(m, a, w.Now()) })
	})
}

// watchManaged sets an instance DRAINING, waits until all its tasks have stopped, and answers the hook; beat is when its last
// heartbeat was. The hook's global time-out, 48 hours, is the longest that it waits.
func (w *World) watchManaged(m *groupInstance, a *HookAction, beat time.Time) {
	if a.Result != "" {
		return
	}
	ci := m.h.ci
	if ci != nil && ci.Status == "ACTIVE" {
		w.setMachine(ci, "DRAINING")
		w.drainingChanged(ci)
	}
	if ci == nil || len(ci.tasks) == 0 {
		w.logHook(m, a, "CONTINUE")
		w.answered(m, a, "CONTINUE")
		return
	}
	if w.Now().Sub(beat) >= managedBeat && w.RecordLifecycleActionHeartbeat(m.g.Name, a.Hook, a.Token, "") == nil {
		beat = w.Now()
	}
	w.After(managedLook, func() {
		w.As("ecs", func() { w.watchManaged(m, a, beat) })
	})
}
