package ecs

import (
	"slices"
	"time"
)

// Serving is how long something answers behind a port.
type Serving struct {
	Up    bool
	Until time.Time // it takes new requests until then; zero: no end is known
	Ends  time.Time // its process ends then, and what it works on is cut off; zero: no end is known
}

// Serving says how the process of a task behind a port of the task or of its host does.
func (w *ECS) Serving(arn string, port int) Serving {
	t := w.tasks[arn]
	if t == nil || !t.Process {
		return Serving{}
	}
	s := Serving{Up: true}
	if t.SignalledAt.IsZero() {
		return s
	}
	signal := time.Duration(0)
	if w.runtime == nil {
		c := t.stops(t.containerAt(port))
		signal, s.Ends = c.Signal, t.SignalledAt.Add(min(c.Ends, t.within))
	}
	if s.Until = s.Ends; t.def.Serves != 0 {
		if last := t.SignalledAt.Add(signal + max(t.def.Serves, 0)); s.Until.IsZero() || last.Before(s.Until) {
			s.Until = last
		}
	}
	return s
}

// stops is when one of the containers of a task stops.
func (t *task) stops(container string) TaskContainer {
	all := t.def.stops(t.at.stopTimeout())
	return all[max(0, slices.IndexFunc(all, func(c TaskContainer) bool { return c.Name == container }))]
}

// containerAt is the container that has a port, on the host or in the task.
func (t *task) containerAt(port int) string {
	for _, p := range slices.Concat(t.Bindings, t.def.PortMappings()) {
		if (p.HostPort == port || p.Port == port) && p.Container != "" {
			return p.Container
		}
	}
	return t.def.Family
}

// Process is a task of a service whose containers run.
type Process struct {
	Task      string
	Since     time.Time
	Signalled bool // it has got SIGTERM
	Running   bool // ECS counts it as running
}

// Processes are the tasks of a service whose containers run, in the order in which they were placed.
func (w *ECS) Processes(cluster, service string) []Process {
	c := w.cluster[cluster]
	if c == nil {
		return nil
	}
	s := w.findService(c, service)
	if s == nil {
		return nil
	}
	var all []Process
	for _, part := range s.parts() {
		for _, t := range part.tasks {
			if t.Process {
				all = append(all, Process{t.ARN, t.StartedAt, !t.SignalledAt.IsZero(), t.live() && t.LastStatus == "RUNNING"})
			}
		}
	}
	return all
}

// Recheck lets ECS look at a service again: tasks that had protected themselves may have finished their work.
func (w *ECS) Recheck(cluster, service string) {
	if c := w.cluster[cluster]; c != nil {
		if s := w.findService(c, service); s != nil {
			for _, part := range s.parts() {
				w.checkSoon(part, 0)
			}
		}
	}
}

// Capacity is the desired count of a service, how many of its tasks run, and whether a deployment is in progress; false if there is none.
func (w *ECS) Capacity(cluster, service string) (desired, running int, deploying, ok bool) {
	c := w.cluster[cluster]
	if c == nil {
		return 0, 0, false, false
	}
	s := w.findService(c, service)
	if s == nil {
		return 0, 0, false, false
	}
	for _, part := range s.parts() {
		n, _ := part.count()
		running += n
		deploying = deploying || len(part.deploys) > 0 && part.deploys[0].Rollout == "IN_PROGRESS"
	}
	return s.Desired, running, deploying, true
}
