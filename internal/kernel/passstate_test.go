package kernel

import (
	"slices"
	"testing"
	"time"

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
	for id, last := range map[fleet.ARN]string{taskARN + "live": "RUNNING", taskARN + "done": "STOPPED",
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
	next, err := New(Config{Hook: "ebb-drain", Groups: k.cfg.Groups, OnePass: true}, []journal.Record{k.record(e)}, nil)
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
	serve, err := New(Config{Hook: "ebb-drain", Groups: k.cfg.Groups}, []journal.Record{k.record(e)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	got := serve.sorted[0]
	if len(got.running.Starts)+len(got.stopped.Starts) > 0 || len(got.tasks) > 0 || !got.d.UnreachedFrom.IsZero() || !got.d.Agreed.IsZero() ||
		!got.d.DrainingSince.Equal(t0) {
		t.Errorf("%+v", got)
	}
	s, err := read(serve.record(got))
	if err != nil || s.Known != nil {
		t.Errorf("it hands on %+v, %v", s.Known, err)
	}
}
