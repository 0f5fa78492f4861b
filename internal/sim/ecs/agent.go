package ecs

import (
	"slices"
	"time"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// setInstance moves a container instance to another status.
func (w *ECS) setInstance(ci *containerInstance, status string) {
	w.Log(core.Entry{Kind: core.EntryContainer, Cluster: ci.Cluster, ContainerInstance: ci.ARN, Instance: ci.Instance, Group: ci.h.Group,
		From: ci.Status, To: status})
	ci.Status = status
	w.instanceChanged(ci)
}

func (w *ECS) setConnected(ci *containerInstance, connected bool) {
	if ci.Connected == connected || ci.Status == "INACTIVE" {
		return
	}
	ci.Connected = connected
	from, to := "connected", "disconnected"
	if connected {
		from, to = to, from
	}
	w.Log(core.Entry{Kind: core.EntryAgent, Cluster: ci.Cluster, ContainerInstance: ci.ARN, Instance: ci.Instance, Group: ci.h.Group, From: from, To: to})
	w.instanceChanged(ci)
}

func (w *ECS) instanceChanged(ci *containerInstance) {
	ci.Version++
	connected := ""
	if ci.Connected {
		connected = "connected"
	}
	ci.trail.Mark(w.Now(), ci.Status, connected)
	w.emitInstance(ci)
}

// setInactive deregisters a container instance. Its tasks are none of ECS's any more.
func (w *ECS) setInactive(ci *containerInstance) {
	if ci.Status == "INACTIVE" {
		return
	}
	ci.Connected, ci.InactiveAt = false, w.Now()
	w.setInstance(ci, "INACTIVE")
	ci.c.instances = slices.DeleteFunc(ci.c.instances, func(x *containerInstance) bool { return x == ci })
	ci.c.inactive = append(ci.c.inactive, ci)
	w.capacityChanged(ci.c)
}

// InstanceDown is the moment at which everything on an instance is dead.
func (w *ECS) InstanceDown(h *core.Instance) {
	for _, ci := range w.on[h.ID] {
		ci.lost = !ci.Connected
		for _, t := range ci.tasks {
			w.taskDies(t)
		}
		w.After(w.Between(2*time.Second, 5*time.Second), func() {
			if !h.Alive() {
				w.setConnected(ci, false)
			}
		})
	}
}

// InstanceStopping lets the container instance of a stopped instance be, and its tasks stop half a minute later. When the instance is
// terminated after that, a ghost stays.
func (w *ECS) InstanceStopping(h *core.Instance) {
	for _, ci := range w.on[h.ID] {
		ci.lost = true
		w.After(30*time.Second, func() { w.tasksLost(ci) })
	}
}

// InstanceTerminated deregisters the container instance of an instance that EC2 has terminated, but only if the agent was connected when it went
// down; otherwise a ghost stays. Each registration of the instance is judged by itself.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeregisterContainerInstance.html
func (w *ECS) InstanceTerminated(h *core.Instance) {
	for _, ci := range w.on[h.ID] {
		if ci.lost {
			w.After(ghostFor, func() { w.tasksLost(ci) })
			continue
		}
		w.After(w.Between(2*time.Second, 20*time.Second), func() {
			w.tasksLost(ci)
			w.setInactive(ci)
		})
	}
}

// ghostFor is how long ECS takes the tasks of a dead host for running when it had lost the agent before.
const ghostFor = 15 * time.Minute

// tasksLost is when ECS notices that the tasks of a dead host are dead.
func (w *ECS) tasksLost(ci *containerInstance) {
	if ci.h.Alive() {
		return
	}
	for _, t := range slices.Clone(ci.tasks) {
		w.taskLost(t, "Host EC2 (instance "+ci.Instance+") stopped/terminated.")
	}
}

// DisconnectAgent cuts the agent of a container instance (ARN or id) off; tasks there go on, but ECS neither hears of them nor
// reaches them.
func (w *ECS) DisconnectAgent(containerInstance string) {
	if ci := w.findInstanceAnywhere(containerInstance); ci != nil {
		w.setConnected(ci, false)
	}
}

// ReconnectAgent lets the agent back, if its host still runs and it has not registered anew; what waited for it happens now.
func (w *ECS) ReconnectAgent(containerInstance string) {
	ci := w.findInstanceAnywhere(containerInstance)
	if ci == nil || !ci.h.Alive() || ci.Connected || ci.alone {
		return
	}
	w.setConnected(ci, true)
	held := ci.held
	ci.held = nil
	for _, f := range held {
		f()
	}
	w.capacityChanged(ci.c)
}

func (w *ECS) findInstanceAnywhere(id string) *containerInstance {
	if ci := w.instance[id]; ci != nil {
		return ci
	}
	for _, c := range w.clusters {
		if ci := w.instance[w.ARN("ecs", "container-instance/"+c.Name+"/"+id)]; ci != nil {
			return ci
		}
	}
	return nil
}
