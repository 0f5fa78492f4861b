package ecs

import (
	"slices"
	"time"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// How a Fargate Spot task is interrupted. AWS documents the two minutes; the seconds between its parts are nobody's promise.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-capacity-providers.html
const (
	spotNotice     = 2 * time.Minute  // from the notice to the end at the latest
	spotBegins     = time.Second      // until the task is DEACTIVATING
	spotAccepted   = time.Second      // that DeregisterTargets takes
	spotDeregister = 10 * time.Second // until ECS deregisters in the order of 2025
)

// spotReason is AWS's.
const spotReason = "Your Spot Task was interrupted."

// InterruptTask takes the capacity of a task on FARGATE_SPOT back: a notice as a task state change event, SIGTERM, deregistration by ECS
// in the order of the switch spot_order, SIGKILL at the stop timeout and at the latest two minutes after the notice. AWS has no such call.
func (w *ECS) InterruptTask(cluster, id string) error {
	c, err := w.findCluster(cluster)
	if err != nil {
		return err
	}
	switch t := w.findTask(c, id); {
	case t == nil || t.LastStatus == "STOPPED":
		return core.Refuse("InvalidParameterException", "The referenced task was not found.")
	case t.CapacityProvider != onSpot:
		return core.Refuse("InvalidParameterException", "Task %s is not on FARGATE_SPOT, so AWS does not interrupt it.", t.ARN)
	case !t.live():
		return core.Refuse("InvalidParameterException", "Task %s is stopping already.", t.ARN)
	default:
		w.As("ecs", func() { w.interrupt(t) })
	}
	return nil
}

// SpotTasks are the tasks on FARGATE_SPOT that are meant to run, by ARN in order of creation: of a service, of a family, or all.
func (w *ECS) SpotTasks(cluster, service, family string) ([]string, error) {
	return w.tasksThat(cluster, TaskQuery{Service: service, Family: family}, func(t *task) bool { return t.CapacityProvider == onSpot })
}

// interrupt is the notice. What comes after it is the order's.
func (w *ECS) interrupt(t *task) {
	t.turn++
	t.interrupted = true
	t.DesiredStatus, t.StopCode, t.StoppedReason, t.StoppingAt, t.Healthy = "STOPPED", w.spotCode(), spotReason, w.Now(), false
	about := t.About()
	about.Kind, about.To = core.EntryNotice, core.NoticeInterrupted
	w.Log(about)
	w.changed(t, w.emitNotice)
	switch {
	case t.LastStatus != "RUNNING":
		w.step(t, 0, func() { w.deprovision(t) })
	case w.SpotOrder == core.SpotBefore2023:
		w.sigterm(t, spotNotice)
		w.step(t, spotBegins, func() { w.setTask(t, "DEACTIVATING", t.StopCode); w.spotStopping(t) })
	case w.SpotOrder == core.Spot2025:
		w.sigterm(t, spotNotice)
		w.step(t, spotBegins, func() { w.setTask(t, "DEACTIVATING", t.StopCode) })
		w.step(t, w.spotDeregisters(), func() { w.deregister(t); w.spotStopping(t) })
	default:
		w.step(t, spotBegins, func() { w.setTask(t, "DEACTIVATING", t.StopCode); w.deregister(t) })
		w.step(t, spotBegins+spotAccepted, func() {
			if t.Process {
				w.sigterm(t, spotNotice-spotBegins-spotAccepted)
			}
			w.spotStopping(t)
		})
	}
}

// spotDeregisters is when ECS deregisters after it has sent SIGTERM.
func (w *ECS) spotDeregisters() time.Duration {
	if w.SpotDeregister > 0 {
		return min(w.SpotDeregister, spotNotice)
	}
	return spotDeregister
}

// spotStopping is when ECS has done what it does for the targets of an interrupted task: only its process is left.
func (w *ECS) spotStopping(t *task) {
	w.setTask(t, "STOPPING", t.StopCode)
	if !t.Process {
		w.step(t, 0, func() { w.deprovision(t) })
	}
}

// spotCode is the stop code of an interruption, as the switch has it.
func (w *ECS) spotCode() string {
	switch w.SpotStopCode {
	case "":
		return "SpotInterruption"
	case core.SpotNoCode:
		return ""
	}
	return w.SpotStopCode
}

// deregister is ECS taking the targets of a task out, as far as it has registered them. The record says that it was ECS: others do so too.
func (w *ECS) deregister(t *task) {
	w.As("ecs", func() {
		w.unnameTask(t)
		for _, target := range slices.Clone(t.targets) {
			target.Deregister()
		}
	})
}

// note writes what became of the process of a task on Fargate into the record: no last status tells it there.
func (w *ECS) note(t *task, text string) {
	if t.LaunchType == onDemand {
		about := t.About()
		about.Kind, about.Text = core.EntryNote, text
		w.Log(about)
	}
}
