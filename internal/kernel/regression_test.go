package kernel

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/event"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/plan"
)

// drive runs a kernel in steps of a second; each order is answered at once by f.
func drive(k *Kernel, from time.Time, d time.Duration, f func(plan.Request, time.Time) plan.Done) (recs []journal.Record,
	lines []journal.Line, orders []plan.Request) {
	for now := from; now.Before(from.Add(d)); now = now.Add(time.Second) {
		for range 20 {
			o := k.Next(now)
			recs, lines, orders = append(recs, o.Batch.Records...), append(lines, o.Batch.Lines...), append(orders, o.Do...)
			if len(o.Do) == 0 {
				break
			}
			for _, x := range o.Do {
				done := f(x, now)
				done.Request, done.Started = x, now
				k.Did(done, now)
			}
		}
	}
	return
}

// full answers looks about instances of group web in a state; their tasks run when listed and have stopped when looked at again.
func full(state fleet.LifecycleState) func(o plan.Request, now time.Time) plan.Done {
	return func(o plan.Request, now time.Time) plan.Done {
		var d plan.Done
		d.Result.Calls, d.Outcome.Calls = 1, 1
		if o.Action != nil {
			return d
		}
		v := &d.Result.View
		arn := func(id fleet.InstanceID) fleet.ARN { return fleet.ARN("arn/prod/" + string(id)) }
		for _, s := range o.Look.Subjects {
			id, a := fleet.InstanceID(s.ID), fleet.ARN(s.ID)
			switch o.Look.Kind {
			case plan.GroupInstances:
				v.GroupInstances = append(v.GroupInstances, fleet.GroupInstance{ID: id, Group: "web", State: state, Healthy: true})
			case plan.FindContainerInstances:
				v.ContainerInstances = append(v.ContainerInstances, fleet.ContainerInstance{ARN: arn(id), Cluster: "prod", Instance: id,
					Status: fleet.Active, Connected: true})
			case plan.Instances:
				v.Instances = append(v.Instances, plan.InstanceStatus{ID: id, State: fleet.StateRunning})
			case plan.ContainerInstances:
				id := fleet.InstanceID(strings.TrimPrefix(s.ID, "arn/prod/"))
				v.ContainerInstances = append(v.ContainerInstances, fleet.ContainerInstance{ARN: a, Cluster: "prod", Instance: id, Status: fleet.Draining, Connected: true})
			case plan.ListRunning:
				for n := range 10 {
					v.Listed = append(v.Listed, plan.Listed{Task: fleet.ARN(fmt.Sprintf("%s/t%d", a, n)), On: a})
				}
			case plan.Tasks:
				v.Tasks = append(v.Tasks, fleet.Task{ARN: a, Group: "family:x", LastStatus: fleet.Stopped, DesiredStatus: fleet.Stopped})
			}
		}
		switch o.Look.Kind {
		case plan.Hooks:
			v.Hooks = []fleet.Hook{{Name: "ebb-drain", Group: o.Look.In, Transition: fleet.TerminatingTransit, Heartbeat: 15 * time.Minute, Global: 25 * time.Hour}}
		case plan.Groups:
			g := fleet.Group{Name: "web"}
			v.Groups = []fleet.Group{g}
		}
		return d
	}
}

// stillRunning changes answers so that no task ever stops.
func stillRunning(f func(plan.Request, time.Time) plan.Done) func(plan.Request, time.Time) plan.Done {
	return func(o plan.Request, now time.Time) plan.Done {
		d := f(o, now)
		for i := range d.Result.View.Tasks {
			d.Result.View.Tasks[i].LastStatus = "RUNNING"
		}
		return d
	}
}

// What was asked for drains that ended is forgotten.
func TestAskedDoesNotGrow(t *testing.T) {
	k := newKernel(t, Config{Sweep: 100 * time.Hour, Rates: Rates{plan.AutoScaling: {1e6, 1e6}, plan.ECSRead: {1e6, 1e6}, plan.ECSModify: {1e6, 1e6}}})
	for i := range 50 {
		at := t0.Add(time.Duration(i) * 5 * time.Minute)
		h := termination(i)
		h.Event.Time = at
		k.Hear(h, at)
		drive(k, at, 2*time.Minute, full(fleet.TerminatingWait))
	}
	if k.Open() != 0 {
		t.Fatalf("%d open", k.Open())
	}
	if len(k.asked) > 10 || len(k.facts) > 10 || len(k.ownerOf) > 0 {
		t.Errorf("asked holds %d subjects, %d are known, %d belong to a target, and no drain is open", len(k.asked), len(k.facts), len(k.ownerOf))
	}
}

// Of two open drains of one instance the older one is doubled; a kernel is given the other only.
func TestTwoOpenDrainsOfOneInstance(t *testing.T) {
	k := newKernel(t, Config{})
	k.Hear(termination(1), t0)
	first := k.Next(t0).Batch.Records
	k = newKernel(t, Config{})
	h := termination(1)
	h.Event.Token = "another-token"
	k.Hear(h, t0.Add(time.Second))
	both := append(first, k.Next(t0.Add(time.Second)).Batch.Records...)
	for _, open := range [][]journal.Record{both, {both[1], both[0]}} {
		if got := Doubled(open); len(got) != 1 || !got[both[0].Key] {
			t.Errorf("doubled: %v, want %s", got, both[0].Key)
		}
	}
	_, err := New(Config{Hook: "ebb-drain"}, both, nil)
	if err == nil || !strings.Contains(err.Error(), "two open drains of i-0001") {
		t.Errorf("got %v", err)
	}
}

// A sweep is not ordered again while it is under way, the first one neither.
func TestOneSweepAtATime(t *testing.T) {
	k := newKernel(t, Config{})
	n := 0
	for i := range 20 {
		n += kinds(k.Next(t0.Add(time.Duration(i) * time.Second)).Do)[plan.Groups.String()]
	}
	if n != 1 {
		t.Errorf("%d sweeps ordered while the first had not come back", n)
	}
}

// A group that was deleted is not asked for its hooks any more.
func TestDeletedGroupIsForgotten(t *testing.T) {
	k := newKernel(t, Config{Groups: []Managed{{Match: "web-*", Cluster: "prod", Policy: drain.Defaults()}}})
	alive := true
	calls := 0
	f := func(o plan.Request, now time.Time) plan.Done {
		var d plan.Done
		d.Result.Calls = 1
		switch o.Look.Kind {
		case plan.Groups:
			if alive {
				for i := range 100 {
					d.Result.View.Groups = append(d.Result.View.Groups, fleet.Group{Name: fmt.Sprintf("web-%d", i)})
				}
			}
		case plan.Hooks:
			if !alive {
				calls++
				d.Result.Err = &plan.Failure{Class: plan.Gone, Code: "ValidationError", Message: "AutoScalingGroup name not found"}
				return d
			}
			d.Result.View.Hooks = []fleet.Hook{{Name: "ebb-drain", Transition: fleet.TerminatingTransit, Heartbeat: time.Minute}}
		}
		return d
	}
	drive(k, t0, time.Minute, f)
	alive = false
	drive(k, t0.Add(time.Minute), 2*time.Hour, f)
	if calls > 0 {
		t.Errorf("%d calls for the hooks of groups that every sweep of two hours found deleted", calls)
	}
}

// A duplicate after the sweep saw the instance proceed makes no second record with the same key, which the journal would refuse.
func TestLateDuplicateDoesNotReuseAKey(t *testing.T) {
	k := newKernel(t, Config{})
	k.Hear(termination(1), t0)
	recs, _, _ := drive(k, t0, 2*time.Minute, full(fleet.TerminatingWait))
	if k.Open() != 0 {
		t.Fatal("still open")
	}
	key := recs[0].Key
	sweep := func(o plan.Request, now time.Time) plan.Done {
		d := full(fleet.TerminatingProceed)(o, now)
		if o.Look != nil && o.Look.Kind == plan.Groups {
			d.Result.View.Groups = []fleet.Group{{Name: "web", Instances: []fleet.GroupInstance{{ID: "i-0001", Group: "web", State: fleet.TerminatingProceed}}}}
		}
		return d
	}
	drive(k, t0.Add(2*time.Minute), 2*time.Minute, sweep)
	h := termination(1)
	h.ID = "m-again"
	k.Hear(h, t0.Add(4*time.Minute))
	for _, r := range k.Next(t0.Add(4 * time.Minute)).Batch.Records {
		if r.Key == key && r.Rev == 1 {
			t.Errorf("record %s with revision 1 again: the journal refuses it as a conflict, and Ebb forgets everything", key)
		}
	}
}

// DescribeAutoScalingGroups does not list the instances of a warm pool: not to be in a sweep is not to be gone.
func TestWarmPoolReturnIsNotAbsent(t *testing.T) {
	k := newKernel(t, Config{})
	h := termination(1)
	h.Event.Destination = "WarmPool"
	f := full(fleet.WarmedPendingWait)
	drive(k, t0, 7*time.Second, f) // the first sweep
	k.Hear(h, t0.Add(7*time.Second))
	_, lines, orders := drive(k, t0.Add(7*time.Second), 3*time.Minute, stillRunning(f))
	for _, l := range lines {
		if l.Kind == "ended" {
			t.Errorf("ended after %s: %s (%v)", l.At.Sub(t0), l.Text, kinds(orders))
		}
	}
}

// The message of a new wait, heard while the drain of the last one is still open, does not inherit its deadline.
func TestSecondGenerationHasItsOwnDeadline(t *testing.T) {
	k := newKernel(t, Config{})
	k.Hear(termination(1), t0)
	rec := k.Next(t0).Batch.Records // and then Ebb was away for two hours; the record is open in the journal
	k, _ = New(Config{Hook: "ebb-drain", Groups: k.cfg.Groups}, rec, nil)
	later := t0.Add(2 * time.Hour)
	h := termination(1)
	h.ID, h.Event.Token, h.Event.Time, h.Sent = "m-2", "token-of-the-next-wait", later, later
	k.Hear(h, later)
	_, lines, _ := drive(k, later, 30*time.Second, stillRunning(full(fleet.TerminatingWait)))
	for _, l := range lines {
		t.Logf("%s %s", l.Kind, l.Text)
		if l.Kind == "answer" {
			t.Errorf("answered %s after the new wait began: %s", l.At.Sub(later), l.Text)
		}
	}
}

// An agent that lost its state registers again; the old container instance is disconnected and empty, and does not count.
func TestTheLiveRegistrationCounts(t *testing.T) {
	k := newKernel(t, Config{})
	k.Hear(termination(1), t0)
	f := full(fleet.TerminatingWait)
	_, _, orders := drive(k, t0, 60*time.Second, func(o plan.Request, now time.Time) plan.Done {
		d := f(o, now)
		if o.Look == nil {
			return d
		}
		switch o.Look.Kind {
		case plan.FindContainerInstances:
			live := d.Result.View.ContainerInstances[0]
			ghost := live
			ghost.ARN, ghost.Connected = "arn/prod/i-000g", false
			d.Result.View.ContainerInstances = []fleet.ContainerInstance{ghost, live}
		case plan.ListRunning, plan.ContainerInstances:
			if o.Look.Subjects[0].ID == "arn/prod/i-000g" {
				d.Result.View.Listed = nil // the tasks are on the live one
				for i := range d.Result.View.ContainerInstances {
					d.Result.View.ContainerInstances[i].Instance, d.Result.View.ContainerInstances[i].Connected = "i-0001", false
				}
			}
		}
		return d
	})
	for _, o := range orders {
		if o.Action != nil && o.Action.Kind == plan.SetDraining && o.Action.State.ContainerInstances[0] == "arn/prod/i-0001" {
			return
		}
	}
	t.Error("the live container instance was never set DRAINING")
}

// What the budget does not let through is not written into the journal again at every pass.
func TestDrainingIsNotedOnce(t *testing.T) {
	k := newKernel(t, Config{})
	for i := range 500 {
		k.Hear(termination(i), t0)
	}
	_, lines, _ := drive(k, t0, 10*time.Second, func(o plan.Request, now time.Time) plan.Done { return full(fleet.TerminatingWait)(o, now) })
	n := 0
	for _, l := range lines {
		if l.Kind == "draining" {
			n++
		}
	}
	if n > 500 {
		t.Errorf("%d lines \"draining\" for 500 drains", n)
	}
}

// The message of an adopted drain may come after the drain has ended, and starts nothing.
func TestLateMessageOfAnAdoptedDrain(t *testing.T) {
	k := newKernel(t, Config{})
	waits := true
	f := full(fleet.TerminatingWait)
	g := func(o plan.Request, now time.Time) plan.Done {
		d := f(o, now)
		if o.Look != nil && o.Look.Kind == plan.Groups && waits {
			d.Result.View.Groups = []fleet.Group{{Name: "web", Instances: []fleet.GroupInstance{{ID: "i-0001", Group: "web",
				State: fleet.TerminatingWait, Healthy: true}}}}
		}
		return d
	}
	drive(k, t0, 50*time.Second, g)
	if k.Open() != 0 || k.Counts["adopted"] != 1 {
		t.Fatalf("open %d, %v", k.Open(), k.Counts)
	}
	h := termination(1)
	h.Event.Kind = event.TerminateAction
	k.Hear(h, t0.Add(50*time.Second))
	if k.Open() != 0 {
		t.Error("a message from before the end of the adopted drain opened a second one")
	}
}

// A deregistered container instance that ECS does not know any more, with a task that ECS never hears of again, is lost after
// LostAfter like any other that ECS cannot reach.
func TestADeregisteredInstanceWithAnOrphanedTaskIsLost(t *testing.T) {
	k := newKernel(t, Config{})
	k.Hear(termination(1), t0)
	f := stillRunning(full(fleet.TerminatingWait))
	_, lines, _ := drive(k, t0, 10*time.Minute, func(o plan.Request, now time.Time) plan.Done {
		d := f(o, now)
		if o.Look == nil {
			return d
		}
		if now.Sub(t0) > time.Minute && (o.Look.Kind == plan.ContainerInstances || o.Look.Kind == plan.FindContainerInstances) {
			d.Result.View.ContainerInstances = nil
		}
		return d
	})
	for _, l := range lines {
		if l.Kind == "answer" && l.At.Sub(t0) > 5*time.Minute && l.At.Sub(t0) < 8*time.Minute {
			return
		}
	}
	t.Errorf("not answered in time: %v", lines)
}
