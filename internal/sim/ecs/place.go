package ecs

import (
	"slices"
	"time"
)

// place is where a task runs: a container instance, or what else there may be. A task and the scheduler know nothing more of it.
type place interface {
	zone() string
	launchType() string                                // EC2, FARGATE
	status() string                                    // ACTIVE, DRAINING or INACTIVE; what does not drain is ACTIVE
	provider() string                                  // capacity provider; empty: none
	attribute(name string) string                      // empty: it has none of that name
	host() (containerInstance, instance, group string) // ARN, id and Auto Scaling group; empty where it has none
	running() []*task                                  // not STOPPED
	take(*task)                                        // a task comes, with the resources that it needs
	give(*task)                                        // it has stopped
	do(t *task, f func())                              // what the agent must do or report: now, or as soon as it is reached
	changed()                                          // a task on it has another state
	stopTimeout() time.Duration                        // of containers that name none
}

func (ci *containerInstance) zone() string                 { return ci.Zone }
func (ci *containerInstance) launchType() string           { return "EC2" }
func (ci *containerInstance) status() string               { return ci.Status }
func (ci *containerInstance) provider() string             { return ci.CapacityProvider }
func (ci *containerInstance) attribute(name string) string { return ci.Attributes[name] }
func (ci *containerInstance) running() []*task             { return ci.tasks }

func (ci *containerInstance) host() (containerInstance, instance, group string) {
	return ci.ARN, ci.Instance, ci.h.Group
}

func (ci *containerInstance) take(t *task) {
	def := t.def
	ci.FreeCPU -= def.CPU
	ci.FreeMemory -= def.memory()
	t.GPUs, ci.FreeGPUs = slices.Clone(ci.FreeGPUs[:def.GPU]), ci.FreeGPUs[def.GPU:]
	t.Bindings = def.hostPorts()
	for i := range t.Bindings {
		p := &t.Bindings[i]
		if p.HostPort == 0 {
			ci.port++
			p.HostPort = ci.port
		}
		*ci.portsOf(*p) = append(*ci.portsOf(*p), p.HostPort)
	}
	if def.Port != 0 && len(t.Bindings) > 0 {
		t.HostPort = t.Bindings[0].HostPort
	}
	ci.tasks = append(ci.tasks, t)
	ci.w.protectSoon(ci)
}

func (ci *containerInstance) give(t *task) {
	ci.free(t)
	ci.tasks = slices.DeleteFunc(ci.tasks, func(x *task) bool { return x == t })
	ci.w.protectSoon(ci)
}

// free counts as free what a task has.
func (ci *containerInstance) free(t *task) {
	if t.freed {
		return
	}
	t.freed = true
	ci.FreeCPU += t.def.CPU
	ci.FreeMemory += t.def.memory()
	ci.FreeGPUs = slices.Concat(ci.FreeGPUs, t.GPUs)
	for _, p := range t.Bindings {
		*ci.portsOf(p) = slices.DeleteFunc(*ci.portsOf(p), func(n int) bool { return n == p.HostPort })
	}
}

// overBooked reports whether tasks that still stop have what was counted as free and given to another.
func (ci *containerInstance) overBooked() bool {
	cpu, memory, ports := ci.CPU, ci.Memory, map[Port]bool{}
	for _, t := range ci.tasks {
		cpu, memory = cpu-t.def.CPU, memory-t.def.memory()
		for _, b := range t.Bindings {
			p := Port{HostPort: b.HostPort, UDP: b.UDP}
			if ports[p] {
				return true
			}
			ports[p] = true
		}
	}
	return cpu < 0 || memory < 0
}

func (ci *containerInstance) do(t *task, f func()) {
	if ci.Connected && ci.h.Alive() {
		f()
		return
	}
	turn := t.turn
	ci.held = append(ci.held, func() {
		if t.turn == turn {
			f()
		}
	})
}

func (ci *containerInstance) changed() {
	ci.Version++
	ci.w.emitInstance(ci)
}
