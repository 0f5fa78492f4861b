package ecs

import (
	"slices"
	"time"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// newest is the last registration of an instance, or nil.
func (w *ECS) newest(instance string) *containerInstance {
	if all := w.on[instance]; len(all) > 0 {
		return all[len(all)-1]
	}
	return nil
}

// Registrations are the ARNs of the container instances that an EC2 instance is or was, in order of registration.
func (w *ECS) Registrations(instance string) []string {
	return core.Mapped(w.on[instance], func(ci *containerInstance) string { return ci.ARN })
}

// RegisterAgain is an agent that has lost its state: it registers the instance as if it were new. The registration before stays as it is,
// ACTIVE or DRAINING, but no agent speaks for it any more: its containers go on, and ECS takes its tasks for running for ever.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-agent-config.html (ECS_DATADIR, ECS_CHECKPOINT)
func (w *ECS) RegisterAgain(instance string, how core.Again) error {
	before := w.newest(instance)
	switch {
	case before == nil:
		return core.Refuse("ClientException", "Instance %s is not registered, so it cannot register again.", instance)
	case !before.h.Alive():
		return core.Refuse("ClientException", "Instance %s is %s, so no agent runs on it.", instance, before.h.State)
	}
	c := before.c
	if how.Cluster != "" {
		var err error
		if c, err = w.findCluster(how.Cluster); err != nil {
			return err
		}
	}
	if how.Empty {
		w.emptied(before)
	}
	w.register(before.h, c)
	if !how.Connected {
		before.alone = true
		w.setConnected(before, false)
	}
	return nil
}

// emptied ends all tasks of a container instance at once.
func (w *ECS) emptied(ci *containerInstance) {
	for _, t := range slices.Clone(ci.tasks) {
		if t.Process {
			w.killProcess(t)
		}
		t.StopCode = "EssentialContainerExited"
		w.taskLost(t, "Essential container in task exited")
	}
}

// InstanceStarted is an instance that was stopped and is started again: its agent finds its state, and comes back as the container instance
// that it was, unless that was deregistered meanwhile. Then it cannot register: its state names a container instance that is INACTIVE.
func (w *ECS) InstanceStarted(h *core.Instance) {
	for _, ci := range w.on[h.ID] {
		if ci.alone || ci.Status == "INACTIVE" {
			continue
		}
		for _, t := range slices.Clone(ci.tasks) {
			if !t.Process {
				w.taskLost(t, "Essential container in task exited")
			}
		}
		ci.lost = false
		w.ReconnectAgent(ci.ARN)
	}
}

// RootVolumeReplaced is an instance that restarts with a new root volume: all its containers are gone, and the state of its agent with them.
// ECS hears nothing of that.
func (w *ECS) RootVolumeReplaced(h *core.Instance) {
	for _, ci := range w.on[h.ID] {
		for _, t := range ci.tasks {
			w.taskDies(t)
		}
		ci.alone = true
		w.After(w.Between(2*time.Second, 5*time.Second), func() { w.setConnected(ci, false) })
	}
}
