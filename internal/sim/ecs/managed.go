package ecs

import (
	"time"

	"github.com/ebbhq/ebb/internal/sim/core"
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
func (w *ECS) addManagedDraining(group string) {
	w.Groups.EnsureHook(group, managedHook, time.Hour, "CONTINUE") // ECS leaves one alone that is there
	w.Bus.EnsureRule(managedRule, `{"source":["aws.autoscaling"],"detail-type":["EC2 Instance-terminate Lifecycle Action"]}`, "ecs.amazonaws.com")
}

// wait is an instance that waits in the hook of managed draining.
type wait struct {
	h           *core.Instance
	group, hook string
	token       string
	beat        time.Time // of the last heartbeat
}

// HookOpened is ECS hearing that an instance waits in a lifecycle hook: it drains those that wait in the hook of managed draining.
func (w *ECS) HookOpened(h *core.Instance, group, hook, token string) {
	if p := w.providing[group]; hook != managedHook || p == nil || !p.ManagedDraining {
		return
	}
	w.After(w.Between(time.Second, 5*time.Second), func() {
		w.As("ecs", func() { w.watchManaged(&wait{h: h, group: group, hook: hook, token: token, beat: w.Now()}) })
	})
}

// watchManaged sets an instance DRAINING, waits until all its tasks have stopped, and answers the hook. If the instance is registered
// several times in the cluster, that goes for all registrations; AWS says nothing of it. The hook's global timeout, 48 hours, is
// the longest that it waits.
func (w *ECS) watchManaged(m *wait) {
	if !w.Groups.Waits(m.group, m.hook, m.token) {
		return
	}
	tasks := 0
	for _, ci := range w.on[m.h.ID] {
		if ci.CapacityProvider == "" { // it is registered in another cluster
			continue
		}
		if ci.Status == "ACTIVE" {
			w.setInstance(ci, "DRAINING")
			w.drainingChanged(ci)
		}
		tasks += len(ci.tasks)
	}
	if tasks == 0 {
		_ = w.Groups.CompleteLifecycleAction(m.group, m.hook, m.token, "", "CONTINUE") // it waits, as was just seen
		return
	}
	if w.Now().Sub(m.beat) >= managedBeat && w.Groups.RecordLifecycleActionHeartbeat(m.group, m.hook, m.token, "") == nil {
		m.beat = w.Now()
	}
	w.After(managedLook, func() {
		w.As("ecs", func() { w.watchManaged(m) })
	})
}
