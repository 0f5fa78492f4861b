package ecs

import (
	"slices"
	"time"
)

// memory is how much of the instance's memory a task takes: the reservation, or else the limit.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html
func (d *TaskDefinition) memory() int {
	if d.Reservation > 0 && !d.TaskSize {
		return d.Reservation
	}
	return d.Memory
}

// PortMappings are the ports of a task's container, with their places on the host as the definition says them; 0: dynamic.
func (d *TaskDefinition) PortMappings() []Port {
	all := slices.Clone(d.Ports)
	if d.Port != 0 || d.HostPort != 0 {
		all = slices.Insert(all, 0, Port{Port: d.Port, HostPort: d.HostPort})
	}
	for i := range all {
		switch p := &all[i]; {
		case p.HostPort == 0 && (d.Network == "host" || d.Network == "awsvpc"):
			p.HostPort = p.Port
		case p.Port == 0:
			p.Port = p.HostPort
		}
	}
	return all
}

// hostPorts are the ports that a task takes on its host; 0: any that is free. With awsvpc it takes none.
func (d *TaskDefinition) hostPorts() []Port {
	if d.Network == "awsvpc" {
		return nil
	}
	return d.PortMappings()
}

// portsOf is where an instance notes the ports of a protocol.
func (ci *containerInstance) portsOf(p Port) *[]int {
	if p.UDP {
		return &ci.UDP
	}
	return &ci.Ports
}

// clock notes when a task reached the parts of its course that its last status tells.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Task.html
func (t *task) clock(now time.Time) {
	once := func(at *time.Time) {
		if at.IsZero() {
			*at = now
		}
	}
	switch t.LastStatus {
	case "PENDING":
		if !t.waits {
			once(&t.PullStartedAt)
		}
	case "ACTIVATING", "RUNNING":
		once(&t.PullStartedAt)
		once(&t.PullStoppedAt)
	case "DEPROVISIONING", "STOPPED":
		if !t.StartedAt.IsZero() {
			once(&t.ExecutionStopped)
		}
	}
}
