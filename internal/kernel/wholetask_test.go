package kernel

import (
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/event"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/plan"
)

var tasking = []string{"stopping", "tasks of", "record ", "line ", "forwards", "settle", "services"}

// TestWhatFollowsForTasksThatStop: see testdata/tasks.txt.
func TestWhatFollowsForTasksThatStop(t *testing.T) {
	edge := func(more ...func(*Config)) Config {
		c := Config{Groups: []Managed{{Cluster: "edge", Policy: drain.Defaults()}}}
		for _, f := range more {
			f(&c)
		}
		return c
	}
	held := func(scopes ...string) func(*Config) {
		return func(c *Config) {
			c.Held = map[string]journal.Lease{}
			for _, s := range scopes {
				c.Held[s] = journal.Lease{}
			}
		}
	}
	// stops is a task that ECS stops, or a few of them.
	stops := func(a *account, change func(*fleet.Task), arns ...fleet.ARN) {
		for _, arn := range arns {
			x := fleet.Task{ARN: arn, Cluster: "edge", Family: "web", Group: "family:web", LastStatus: "RUNNING", DesiredStatus: "STOPPED",
				StopCode: "SpotInterruption", StoppingAt: t0.Add(-5 * time.Second), CapacityProvider: fleet.FargateSpot}
			if change != nil {
				change(&x)
			}
			a.tasks = append(a.tasks, x)
			a.stopping = append(a.stopping, arn)
		}
	}
	tells := func(a *account, k *Kernel, at time.Duration, change func(*Heard)) {
		a.at[at] = func() {
			h := Heard{Message: event.Message{ID: "m", Sent: t0.Add(at)}, Event: event.Event{Kind: event.TaskStops, Cluster: "edge", Task: "task/t1",
				Time: t0.Add(at)}}
			if change != nil {
				change(&h)
			}
			k.Hear(h, t0.Add(at))
		}
	}
	one := func(change func(*fleet.Task)) func(*account, *Kernel) {
		return func(a *account, _ *Kernel) { stops(a, change, "task/t1") }
	}
	recorded(t, "tasks.txt", []scene{
		{name: "no message tells of it", cfg: edge(), lasts: 3 * time.Minute, only: tasking, setup: one(nil)},
		{name: "two, in two clusters, of which one is only scaled", cfg: edge(func(c *Config) {
			c.Groups = append(c.Groups, Managed{Cluster: "only", OnlyScaled: true}, Managed{Cluster: "far"})
		}), lasts: 70 * time.Second, only: tasking, setup: one(nil)},
		{name: "two of one cluster", cfg: edge(), lasts: 70 * time.Second, only: tasking, setup: func(a *account, _ *Kernel) {
			stops(a, nil, "task/t2", "task/t1")
		}},
		{name: "it is not interrupted", cfg: edge(), lasts: 70 * time.Second, only: tasking, setup: one(func(x *fleet.Task) { x.StopCode = "UserInitiated" })},
		{name: "it has stopped", cfg: edge(), lasts: 70 * time.Second, only: tasking, setup: one(func(x *fleet.Task) { x.LastStatus = fleet.Stopped })},
		{name: "reads lag, and it is described again with the next list", cfg: edge(), lasts: 3 * time.Minute, only: tasking,
			setup: func(a *account, _ *Kernel) {
				stops(a, func(x *fleet.Task) { x.DesiredStatus = "RUNNING" }, "task/t1")
				a.at[30*time.Second] = func() { a.tasks[0].DesiredStatus = fleet.Stopped }
			}},
		{name: "it cannot be described at first", cfg: edge(), lasts: 2 * time.Minute, only: tasking, setup: func(a *account, _ *Kernel) {
			stops(a, nil, "task/t1")
			a.silent["tasks task/t1"] = plan.Unclear
			a.at[20*time.Second] = func() { delete(a.silent, "tasks task/t1") }
		}},
		{name: "the list cannot be read at first", cfg: edge(), lasts: 2 * time.Minute, only: tasking, setup: func(a *account, _ *Kernel) {
			stops(a, nil, "task/t1")
			a.fails["stopping-tasks"] = &plan.Failure{Class: plan.Throttled, Message: "slowly"}
			a.at[20*time.Second] = func() { delete(a.fails, "stopping-tasks") }
		}},
		{name: "another Ebb works for the cluster", cfg: edge(held("cluster/x")), lasts: 2 * time.Minute, only: tasking, setup: one(nil)},
		{name: "a message tells of it", cfg: edge(), lasts: time.Minute, only: tasking, setup: func(a *account, k *Kernel) {
			stops(a, nil, "task/t1")
			a.stopping = nil
			tells(a, k, time.Second, nil)
		}},
		{name: "a message and then another", cfg: edge(), lasts: 20 * time.Second, only: tasking, setup: func(a *account, k *Kernel) {
			stops(a, func(x *fleet.Task) { x.Group = "service:web" }, "task/t1")
			a.stopping = nil
			a.silent["services web"] = plan.Unclear
			tells(a, k, time.Second, func(h *Heard) { h.Event.Service = "web" })
			tells(a, k, 2*time.Second, nil)
		}},
		{name: "a message after its drain has ended", cfg: edge(), lasts: 20 * time.Second, only: tasking, setup: func(a *account, k *Kernel) {
			stops(a, nil, "task/t1")
			a.stopping = nil
			tells(a, k, time.Second, nil)
			tells(a, k, 10*time.Second, nil)
		}},
		{name: "a message without a time", cfg: edge(), lasts: 5 * time.Second, only: tasking, setup: func(a *account, k *Kernel) {
			stops(a, nil, "task/t1")
			a.stopping = nil
			tells(a, k, time.Second, func(h *Heard) { h.Event.Time, h.Sent = time.Time{}, time.Time{} })
		}},
		{name: "a message of the future", cfg: edge(), lasts: 5 * time.Second, only: tasking, setup: func(a *account, k *Kernel) {
			stops(a, nil, "task/t1")
			a.stopping = nil
			tells(a, k, time.Second, func(h *Heard) { h.Event.Time = t0.Add(time.Hour) })
		}},
		{name: "a message of a notice long ago, at the last moment", cfg: edge(), lasts: 5 * time.Second, only: tasking, setup: func(a *account, k *Kernel) {
			tells(a, k, time.Second, func(h *Heard) { h.Event.Time = t0.Add(time.Second - longAgo) })
		}},
		{name: "a message of a notice long ago", cfg: edge(), lasts: 5 * time.Second, only: tasking, setup: func(a *account, k *Kernel) {
			tells(a, k, time.Second, func(h *Heard) { h.Event.Time = t0.Add(time.Second - longAgo - 1) })
		}},
		{name: "a message of what a newer Ebb has", cfg: edge(), lasts: 5 * time.Second, only: tasking, setup: func(a *account, k *Kernel) {
			k.newer[taskSubject(fleet.TaskTarget("edge", "task/t1"))] = &UnknownRecord{}
			tells(a, k, time.Second, nil)
		}},
		{name: "a message of what the journal does not take", cfg: edge(), lasts: 5 * time.Second, only: tasking, setup: func(a *account, k *Kernel) {
			k.aside[taskSubject(fleet.TaskTarget("edge", "task/t1"))] = true
			tells(a, k, time.Second, nil)
		}},
		{name: "the same, handed on", cfg: edge(), lasts: 5 * time.Second, only: tasking, setup: func(a *account, k *Kernel) {
			k.aside[taskSubject(fleet.TaskTarget("edge", "task/t1"))] = true
			tells(a, k, time.Second, func(h *Heard) { h.Noted = true })
		}},
		{name: "a rehearsal that is not allowed", cfg: edge(), lasts: 5 * time.Second, only: tasking, setup: func(a *account, k *Kernel) {
			tells(a, k, time.Second, func(h *Heard) { h.Event.Rehearsal = true })
		}},
		{name: "a rehearsal", cfg: edge(func(c *Config) { c.Groups[0].Rehearsals = true }), lasts: 30 * time.Second, only: tasking,
			setup: func(a *account, k *Kernel) {
				stops(a, func(x *fleet.Task) { x.DesiredStatus = "RUNNING" }, "task/t1")
				a.stopping = nil
				tells(a, k, time.Second, func(h *Heard) { h.Event.Rehearsal = true })
			}},
	})
}
