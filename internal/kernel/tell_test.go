package kernel

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/notice"
)

// outbox are the entries of the outbox in a batch.
func outbox(b journal.Batch) []string {
	var all []string
	for _, f := range b.Forwarded {
		all = append(all, f.Scope+" "+f.ID)
	}
	return all
}

// People are told with the record of a drain that it has begun and that it has ended, each once, on the routes that take it.
func TestWhenPeopleAreTold(t *testing.T) {
	ends := []notice.Event{notice.Forced, notice.Done}
	routes := []notice.Route{{Name: "all"}, {Name: "db", Groups: []string{"db"}}, {Name: "ends", Events: ends}}
	const of = "outbox/cluster/prod "
	for name, x := range map[string]struct {
		routes      []notice.Route
		begun, ends []string
	}{
		"nobody is told": {nil, nil, nil},
		"one route":      {routes[:1], []string{of + "all|web/i-0001/token-00/started"}, []string{of + "all|web/i-0001/token-00/done"}},
		"three routes": {routes, []string{of + "all|web/i-0001/token-00/started"},
			[]string{of + "all|web/i-0001/token-00/done", of + "ends|web/i-0001/token-00/done"}},
	} {
		k := newKernel(t, Config{Routes: x.routes})
		k.Hear(termination(1), t0)
		heard := outbox(k.Next(t0).Batch)
		e := k.sorted[0]
		e.d.Asked, k.swept, e.dirty = t0, t0, true // it has begun, in a group that is not excluded
		begun := outbox(k.Next(plus(time.Second)).Batch)
		e.dirty, e.fresh = true, true
		again := outbox(k.Next(plus(time.Second)).Batch)
		quietly(k, e)
		e.dirty = true
		ends := outbox(k.Next(plus(2 * time.Second)).Batch)
		if d := cmp.Diff([][]string{nil, x.begun, nil, x.ends}, [][]string{heard, begun, again, ends}); d != "" {
			t.Errorf("%s (-want +got)\n%s", name, d)
		}
	}
}

// What keeps a drain that comes no further is asked after ten minutes, and every half an hour after that, where people want to know.
func TestWhenItIsAskedWhatKeepsADrain(t *testing.T) {
	all := []notice.Route{{Name: "ends", Events: []notice.Event{notice.Done}}, {Name: "all"}}
	const never = time.Duration(0)
	same := func(*entry) {}
	for name, x := range map[string]struct {
		routes []notice.Route
		given  func(*entry)
		want   time.Duration
	}{
		"it is asked":                       {all, same, 10 * time.Minute},
		"nobody is told anything":           {nil, same, never},
		"nobody is told that":               {all[:1], same, never},
		"nobody is told of the group":       {[]notice.Route{{Name: "db", Groups: []string{"db"}}}, same, never},
		"it came further":                   {all, func(e *entry) { e.telling.Moved = plus(5 * time.Minute) }, 15 * time.Minute},
		"it was asked":                      {all, func(e *entry) { e.telling.Asked = plus(time.Minute) }, 31 * time.Minute},
		"it was asked and came further":     {all, func(e *entry) { e.telling.Asked, e.telling.Moved = plus(1), plus(2) }, 10*time.Minute + 2},
		"it is only observed":               {all, func(e *entry) { e.d.Observed, e.man.Policy.Observe = true, true }, never},
		"it is about to end":                {all, func(e *entry) { e.d.Intent = &drain.Answer{Outcome: drain.Drained} }, never},
		"it waits for its turn":             {all, func(e *entry) { e.d.Queued = t0 }, never},
		"it has had its turn after waiting": {all, func(e *entry) { e.d.Queued, e.d.Slot = t0, t0 }, 10 * time.Minute},
	} {
		k := newKernel(t, Config{Routes: x.routes})
		k.Hear(termination(1), t0)
		k.Next(t0)
		e := k.sorted[0]
		x.given(e)
		at := x.want
		if at == never {
			at = 2 * time.Hour
		}
		early := k.Next(plus(at - 1))
		due := e.telling
		o := k.Next(plus(at))
		var want []Ask
		if x.want != never {
			want = []Ask{{Target: fleet.HostTarget("i-0001"), Group: "web", Cluster: "prod"}}
		}
		if d := cmp.Diff(want, o.Ask); d != "" || early.Ask != nil {
			t.Errorf("%s: asked before: %v; after %s (-want +got)\n%s", name, early.Ask, at, d)
		}
		if x.want == never {
			continue
		}
		s, err := read(o.Batch.Records[0])
		if err != nil || s.Telling == nil || !s.Telling.Asked.Equal(plus(at)) || !s.Telling.Moved.Equal(due.Moved) {
			t.Errorf("%s: its record says %+v, error %v", name, s.Telling, err)
		}
		for n, minutes := range []int{1, 29, 30} {
			o := k.Next(plus(at + time.Duration(minutes)*time.Minute))
			if len(o.Ask) != n/2 {
				t.Errorf("%s: %d minutes after it was asked: %v", name, minutes, o.Ask)
			}
		}
	}
}

// Several drains are asked about at once, and the kernel is called again for the next.
func TestTheNextQuestionWakesTheKernel(t *testing.T) {
	k := newKernel(t, Config{Routes: []notice.Route{{Name: "all"}}})
	for i := range 3 {
		k.Hear(termination(i), t0)
	}
	k.Next(t0)
	k.sorted[1].telling.Moved = plus(30 * time.Second)
	for _, e := range k.sorted {
		e.wake, e.wants, e.dirty = time.Time{}, nil, false
	}
	if at := k.wake(plus(9 * time.Minute)); !at.Equal(plus(10 * time.Minute)) {
		t.Errorf("the kernel is called at %s", at)
	}
	if o := k.Next(plus(10 * time.Minute)); len(o.Ask) != 2 || o.Ask[1].Target.ID != "i-0002" {
		t.Errorf("asked %+v", o.Ask)
	}
}

// A drain comes further when it finds its host, gets its slot, sets DRAINING, or has other tasks left.
func TestWhenADrainComesFurther(t *testing.T) {
	for name, change := range map[string]func(*drain.Drain){
		"its tasks": func(d *drain.Drain) { d.Left = []string{"a"} }, "its host": func(d *drain.Drain) { d.ContainerInstance = "arn" },
		"DRAINING": func(d *drain.Drain) { d.DrainingSince = t0 }, "its slot": func(d *drain.Drain) { d.Slot = t0 },
		"empty": func(d *drain.Drain) { d.EmptySince = t0 }, "its end": func(d *drain.Drain) { d.Cutting = t0 },
	} {
		for routes, want := range map[int]time.Time{0: {}, 1: plus(time.Minute)} {
			k := newKernel(t, Config{Routes: make([]notice.Route, routes)})
			e := &entry{}
			next := e.d
			next.Doubt = true
			moves(k, e, &next, plus(time.Second))
			change(&next)
			moves(k, e, &next, plus(time.Minute))
			if !e.telling.Moved.Equal(want) {
				t.Errorf("%s, %d routes: it came further at %s", name, routes, e.telling.Moved)
			}
		}
	}
	k := newKernel(t, Config{Routes: []notice.Route{{Name: "all"}}})
	k.Hear(termination(1), t0)
	settle(k, cloud{fleet.Active}, plus(time.Second))
	if e := k.sorted[0]; !e.telling.Moved.Equal(plus(time.Second)) {
		t.Errorf("its host was found, and it came further at %s", e.telling.Moved)
	}
}

// People are told once of each thing that keeps a drain.
func TestWhatKeepsADrainIsToldOnce(t *testing.T) {
	k := newKernel(t, Config{Routes: []notice.Route{{Name: "all"}}})
	k.Hear(termination(1), t0)
	k.Next(t0)
	one := fleet.HostTarget("i-0001")
	var got []string
	for i, x := range []struct {
		target fleet.Target
		code   string
	}{{one, ""}, {fleet.HostTarget("i-0002"), "a"}, {one, "a"}, {one, "a"}, {one, "b"}, {one, "a"}} {
		k.Blocked(Ask{Target: x.target}, Answer{Blocker: notice.Blocker{Code: x.code, Text: "it is " + x.code}}, plus(time.Second))
		o := k.Next(plus(time.Second))
		for _, l := range o.Batch.Lines {
			if len(o.Batch.Records) != 1 {
				t.Errorf("%d: %d records are written", i, len(o.Batch.Records))
			}
			got = append(got, fmt.Sprintf("%d: %s %s: %s %q", i, l.Key, l.Kind, l.Text, outbox(o.Batch)))
		}
	}
	want := []string{
		`2: web/i-0001/token-00 stuck: it is a ["outbox/cluster/prod all|web/i-0001/token-00/stuck-a"]`,
		`4: web/i-0001/token-00 stuck: it is b ["outbox/cluster/prod all|web/i-0001/token-00/stuck-b"]`,
	}
	if d := cmp.Diff(want, got); d != "" || k.Counts["stuck"] != 2 {
		t.Errorf("counted %v (-want +got)\n%s", k.Counts, d)
	}
}

// That a drain is let go is told of that drain alone, on the routes of its scope, and not of one that is only observed.
func TestWhoseLettingGoIsTold(t *testing.T) {
	k := newKernel(t, Config{Routes: []notice.Route{{Name: "all"}}})
	for i := range 3 {
		k.Hear(termination(i), t0)
	}
	k.Next(t0)
	k.sorted[2].d.Observed = true
	const of = "outbox/cluster/prod all|"
	for key, want := range map[string][]string{
		"web/i-0000/token-00": {of + "web/i-0000/token-00/let-go"},
		"web/i-0001/token-00": {of + "web/i-0001/token-00/let-go"},
		"web/i-0002/token-00": nil,
		"web/i-0003/token-00": nil,
	} {
		if d := cmp.Diff(want, outbox(journal.Batch{Forwarded: Abandoned(k, key, "it is too large", t0)})); d != "" {
			t.Errorf("%s (-want +got)\n%s", key, d)
		}
	}
}
