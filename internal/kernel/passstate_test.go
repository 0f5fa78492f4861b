package kernel

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/plan"
)

// seenBefore is a drain after a look at everything, in an Ebb that lives for one pass or on.
func seenBefore(t *testing.T, onePass bool) (*Kernel, *entry) {
	cfg := budgeted(MaxUnavailable{})
	cfg.OnePass = onePass
	k := newKernel(t, cfg)
	k.Hear(termination(1), t0)
	k.Next(t0)
	e := k.sorted[0]
	host := crowd{1, 2}.host("i-0001")
	e.d.ContainerInstance, e.d.Cluster, e.d.DrainingSince, e.d.UnreachedFrom, e.d.Agreed = host.ARN, "prod", t0, t0, t0.Add(time.Minute)
	put(k.facts, containerOf(e.d.Target), fleet.Seen, t0.Add(2*time.Minute), host)
	e.running.Starts, e.stopped.Starts = []time.Time{t0.Add(time.Minute)}, []time.Time{t0.Add(2 * time.Minute)}
	e.running.Whole, e.running.Paged = t0.Add(61*time.Second), true
	e.tried[plan.Beat] = drain.Try{OK: t0.Add(time.Second), Started: t0.Add(time.Second)}
	for id, last := range map[fleet.ARN]string{taskARN + "live": "RUNNING", taskARN + "done": "STOPPED", taskARN + "gone": "STOPPED",
		"arn:aws:ecs:eu-west-1:111122223333:task/old": "RUNNING"} {
		k.listed(id, fleet.HostTarget("i-0001"))
		k.putTask(e, id, fleet.Seen, t0, fleet.Task{ARN: id, LastStatus: last})
	}
	k.listed(taskARN+"new", fleet.HostTarget("i-0001"))
	e.state = k.passState(e)
	return k, e
}

// The next pass knows what it could see only by waiting, and looks at all else.
func TestAPassHandsOnWhatTheNextOneNeeds(t *testing.T) {
	k, e := seenBefore(t, true)
	next, err := New(Config{Hook: "ebb-drain", Groups: k.cfg.Groups, OnePass: true}, []journal.Record{recordOf(e)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	got := next.sorted[0]
	if !slices.Equal(got.running.Starts, e.running.Starts) || !slices.Equal(got.stopped.Starts, e.stopped.Starts) {
		t.Errorf("lists %v, want %v", got.running, e.running)
	}
	if !got.running.Whole.Equal(e.running.Whole) || !got.running.Paged || !next.container(got.d.Target).Before.Equal(t0.Add(2*time.Minute)) ||
		!got.d.UnreachedFrom.Equal(t0) || !got.d.Agreed.Equal(e.d.Agreed) {
		t.Errorf("%+v", got)
	}
	if beat := got.tried[plan.Beat]; !beat.OK.Equal(t0.Add(time.Second)) {
		t.Errorf("heartbeat %+v", beat)
	}
	var known []string
	for _, task := range got.tasks {
		known = append(known, string(task.Value.ARN)+" "+string(task.Is))
	}
	var want []string
	for _, task := range e.tasks {
		is := fleet.Unknown
		if task.Value.LastStatus == "STOPPED" {
			is = fleet.Absent
		}
		want = append(want, string(task.Value.ARN)+" "+string(is))
	}
	if !slices.Equal(known, want) {
		t.Errorf("tasks %q, want %q", known, want)
	}
	if again := next.passState(got); !again.same(e.state) {
		t.Errorf("a pass that saw nothing hands on %+v, want %+v", again, e.state)
	}
}

// Who lives on starts with nothing but what is remembered, and leaves nothing behind that would be old when passes follow.
func TestWhoLivesOnTakesNothingFromAPass(t *testing.T) {
	k, e := seenBefore(t, true)
	serve, err := New(Config{Hook: "ebb-drain", Groups: k.cfg.Groups}, []journal.Record{recordOf(e)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	got := serve.sorted[0]
	if len(got.running.Starts)+len(got.stopped.Starts) > 0 || len(got.tasks) > 0 || !got.d.UnreachedFrom.IsZero() || !got.d.Agreed.IsZero() ||
		!got.d.DrainingSince.Equal(t0) {
		t.Errorf("%+v", got)
	}
	s, err := read(recordOf(got))
	if err != nil || s.Known != nil {
		t.Errorf("it hands on %+v, %v", s.Known, err)
	}
}

// What is handed on of tasks is the id alone, where the rest is as in the container instance's ARN, and of looks what is of use.
func TestWhatAPassHandsOn(t *testing.T) {
	k, e := seenBefore(t, true)
	at := func(n int) time.Time { return t0.Add(time.Duration(n) * time.Second) }
	want := passState{
		Running: []time.Time{at(60)}, Stopped: []time.Time{at(120)}, Whole: at(61), Paged: true, Looked: at(120), Beaten: at(1),
		Live: []string{"arn:aws:ecs:eu-west-1:111122223333:task/old", "live", "new"}, Done: []string{"done", "gone"},
	}
	s, err := read(recordOf(e))
	if d := cmp.Diff(&want, s.Known); d != "" || err != nil {
		t.Errorf("error %v (-want +got)\n%s", err, d)
	}
	e.d.UnreachedFrom, want.Looked = time.Time{}, time.Time{} // ECS reaches it: its next look counts like any other
	if d := cmp.Diff(&want, k.passState(e)); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

// A pass that learns nothing writes nothing.
func TestAPassThatLearnsNothingWritesNothing(t *testing.T) {
	k, e := seenBefore(t, true)
	e.d.Queued, e.d.Slot, e.d.Admitted = time.Time{}, time.Time{}, true
	next, err := New(Config{Hook: "ebb-drain", Groups: k.cfg.Groups, OnePass: true}, []journal.Record{recordOf(e)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if recs := next.Next(t0.Add(2 * time.Minute)).Batch.Records; len(recs) != 0 {
		t.Errorf("it writes %s", recs[0].Body)
	}
}

func TestWhatTwoPassesKnow(t *testing.T) {
	full := func() *passState {
		return &passState{
			Running: []time.Time{t0}, Stopped: []time.Time{t0}, Whole: t0, Paged: true, Looked: t0, Beaten: t0,
			Live: []string{"a"}, Done: []string{"b"},
		}
	}
	if !full().same(full()) {
		t.Error("the same differs")
	}
	later := t0.Add(time.Second)
	for name, change := range map[string]func(*passState){
		"running":     func(c *passState) { c.Running = []time.Time{later} },
		"a list more": func(c *passState) { c.Running = append(c.Running, later) },
		"stopped":     func(c *passState) { c.Stopped = nil }, "whole": func(c *passState) { c.Whole = later },
		"paged":  func(c *passState) { c.Paged = false },
		"looked": func(c *passState) { c.Looked = later }, "beaten": func(c *passState) { c.Beaten = later },
		"live": func(c *passState) { c.Live = []string{"a", "c"} }, "done": func(c *passState) { c.Done = []string{"c"} },
	} {
		c := full()
		change(c)
		if c.same(full()) || full().same(c) {
			t.Errorf("%s: what differs is the same", name)
		}
	}
	var none *passState
	if !none.same(nil) || none.same(full()) || full().same(none) {
		t.Error("nothing is something")
	}
}

// A task that died with its host is looked at again by the next pass: the answer has to name it, and must not say that it was drained.
func TestTheNextPassKnowsWhatDiedWithItsHost(t *testing.T) {
	k, e := seenBefore(t, true)
	const reason = "Host EC2 (instance i-0a1b2c3d4e5f60718) terminated."
	k.putTask(e, taskARN+"done", fleet.Seen, t0, fleet.Task{ARN: taskARN + "done", LastStatus: fleet.Stopped, StoppedReason: reason})
	e.state = k.passState(e)
	next, err := New(Config{Hook: "ebb-drain", Groups: k.cfg.Groups, OnePass: true}, []journal.Record{recordOf(e)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for task, want := range map[fleet.ARN]fleet.Knowledge{taskARN + "done": fleet.Unknown, taskARN + "gone": fleet.Absent} {
		i, ok := next.sorted[0].task(task)
		if got := next.sorted[0].tasks[i].Is; !ok || got != want {
			t.Errorf("%s is %q, want %q", task.Name(), got, want)
		}
	}
}
