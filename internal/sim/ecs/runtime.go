package ecs

import (
	"time"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// Runtime runs the processes of tasks for real. A world without one models them: a process exits a while after SIGTERM, as its task
// definition says. With one, a process exits when Exited says so.
//
// The world calls it in the middle of its changes, under whatever lock guards the world: a method must return at once, and must
// not call the world.
type Runtime interface {
	// Start starts the process of a task. It is there for health checks and requests from now on.
	Start(Task)
	// Terminate is SIGTERM: the process serves and ends as the definition says, or in its own time, and Exited tells when.
	Terminate(Task, TaskDefinition)
	// Kill is SIGKILL, or the end of the host: the process is gone, and nobody tells.
	Kill(Task)
}

// UseRuntime gives the tasks of the world real processes from now on, those that run already included. How long health checks take
// stays modelled: TargetGroup.Check.
func (w *ECS) UseRuntime(r Runtime) {
	w.runtime = r
	for _, c := range w.clusters {
		for _, t := range c.tasks {
			if t.Process {
				r.Start(t.Task)
			}
		}
	}
}

// Exited is how a runtime tells that the process of a task has ended by itself, after SIGTERM or without one. Of a process that was
// killed, or a task that is not known, it takes no notice.
func (w *ECS) Exited(arn string) {
	t := w.tasks[arn]
	if t == nil || !t.Process {
		return
	}
	w.Changing()
	t.Process = false
	if t.live() {
		w.step(t, 0, func() { w.stopTask(t, "EssentialContainerExited", "Essential container in task exited") })
		return
	}
	w.step(t, 0, func() { w.exit(t, false) })
}

// startProcess is the start of a task's containers.
func (w *ECS) startProcess(t *task) {
	w.Changing()
	t.Process = true
	if w.runtime != nil {
		w.runtime.Start(t.Task)
		return
	}
	if t.def.Run > 0 {
		w.step(t, t.def.Run, func() {
			w.Changing()
			t.Process = false
			w.stopTask(t, "EssentialContainerExited", "Essential container in task exited")
		})
	}
}

// forever is longer than any process takes to exit.
const forever = 1 << 62

// sigterm asks a task's containers to exit, one after the other where they depend on each other; at the stop timeout each is killed, and
// all of them when the time within which the task must have stopped is over.
func (w *ECS) sigterm(t *task, within time.Duration) {
	w.Changing()
	t.SignalledAt, t.within = w.Now(), within
	w.note(t, core.NoteSIGTERM)
	if w.runtime == nil {
		last := lastOf(t.def.stops(t.at.stopTimeout()))
		w.step(t, min(last.Ends, within), func() { w.exit(t, last.Killed || last.Ends > within) })
		return
	}
	w.runtime.Terminate(t.Task, *t.def)
	w.step(t, min(t.def.limit(t.at.stopTimeout()), within), func() {
		if t.Process {
			w.runtime.Kill(t.Task)
			w.exit(t, true)
		}
	})
}

// killProcess is the end of a task's process with its host.
func (w *ECS) killProcess(t *task) {
	w.Changing()
	t.Process, t.Killed = false, true
	if w.runtime != nil {
		w.runtime.Kill(t.Task)
	}
}
