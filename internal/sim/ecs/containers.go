package ecs

import (
	"fmt"
	"regexp"
	"slices"
	"time"
)

// agentStop is the stop timeout of the agent for containers that name none, unless it is configured.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-agent-config.html
const agentStop = 30 * time.Second

// stopSetting is how the user data of an instance configures it.
var stopSetting = regexp.MustCompile(`ECS_CONTAINER_STOP_TIMEOUT=["']?([0-9.a-z]+)`)

// stopTimeout is the agent's, as the user data of its instance sets it; the last setting counts. The agent takes what is shorter than a
// second for a second, and what it cannot read for nothing.
func (ci *containerInstance) stopTimeout() time.Duration {
	all := stopSetting.FindAllStringSubmatch(ci.h.Host.UserData, -1)
	if len(all) == 0 {
		return agentStop
	}
	set, err := time.ParseDuration(all[len(all)-1][1])
	if err != nil || set == 0 {
		return agentStop
	}
	return max(set, time.Second)
}

// all are the containers of a task: that of the family first.
func (d *TaskDefinition) all() []Container {
	first := Container{Name: d.Family, Exit: d.Exit, Stop: d.Stop, DependsOn: d.DependsOn}
	if d.AgentStop {
		first.Stop = 0
	}
	return slices.Insert(slices.Clone(d.Containers), 0, first)
}

// hasContainer reports whether a container of a name is one of the task's.
func (d *TaskDefinition) hasContainer(name string) bool {
	return slices.ContainsFunc(d.all(), func(c Container) bool { return c.Name == name })
}

// portsOf are the ports of one of the containers of a task.
func portsOf(all []Port, family, container string) []Port {
	var own []Port
	for _, p := range all {
		if p.Container == container || p.Container == "" && container == family {
			own = append(own, p)
		}
	}
	return own
}

// stops is when each container gets SIGTERM and when it has ended, from the SIGTERM to the first: a container is stopped as soon as all that
// depend on it have ended, so that containers that depend on each other stop one after the other.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDependency.html
func (d *TaskDefinition) stops(agent time.Duration) []TaskContainer {
	all := d.all()
	done := map[string]TaskContainer{}
	var stop func(c Container) TaskContainer
	stop = func(c Container) TaskContainer {
		if known, ok := done[c.Name]; ok {
			return known
		}
		t := TaskContainer{Name: c.Name}
		for _, other := range all {
			if slices.Contains(other.DependsOn, c.Name) {
				t.Signal = max(t.Signal, stop(other).Ends)
			}
		}
		limit := c.Stop
		if limit == 0 {
			limit = agent
		}
		t.Ends, t.Killed = t.Signal+min(c.Exit, limit), c.Exit > limit
		done[c.Name] = t
		return t
	}
	ends := make([]TaskContainer, len(all))
	for i, c := range all {
		ends[i] = stop(c)
	}
	return ends
}

// limit is the longest that a task takes to stop once it has got SIGTERM.
func (d *TaskDefinition) limit(agent time.Duration) time.Duration {
	patient := *d
	patient.Exit, patient.Containers = 1<<62, slices.Clone(d.Containers)
	for i := range patient.Containers {
		patient.Containers[i].Exit = 1 << 62
	}
	return lastOf(patient.stops(agent)).Ends
}

// lastOf is the end of a task: that of the container that ends last. It was killed if one of its containers was.
func lastOf(all []TaskContainer) TaskContainer {
	last := TaskContainer{}
	for _, c := range all {
		last.Ends, last.Killed = max(last.Ends, c.Ends), last.Killed || c.Killed
	}
	return last
}

// checkContainers says what is wrong with the containers of a task definition.
func checkContainers(d TaskDefinition) error {
	all := d.all()
	names := map[string]bool{}
	for _, c := range all {
		if c.Name == "" || names[c.Name] {
			return fmt.Errorf("the container %q needs a name of its own; the first is named as the family", c.Name)
		}
		names[c.Name] = true
	}
	ready := map[string]bool{}
	for range all { // each round finds at least one more, unless some depend on each other in a circle
		for _, c := range all {
			for _, name := range c.DependsOn {
				if !names[name] {
					return fmt.Errorf("the container %q depends on %q, which is none of its containers", c.Name, name)
				}
			}
			if !slices.ContainsFunc(c.DependsOn, func(name string) bool { return !ready[name] }) {
				ready[c.Name] = true
			}
		}
	}
	if len(ready) < len(all) {
		return fmt.Errorf("its containers depend on each other in a circle")
	}
	return nil
}
