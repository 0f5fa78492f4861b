package kernel

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/desired"
	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/event"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/plan"
	"github.com/ebbhq/ebb/internal/scale"
)

// TestWhoseMessagesAreHeard: messages of four kinds, about what is managed here, about what another Ebb works for, and about what is nobody's.
func TestWhoseMessagesAreHeard(t *testing.T) {
	kinds := map[string]func(of string) event.Event{
		"steps":    func(of string) event.Event { return event.Event{Kind: event.HostSteps, Instance: "i-0001", Group: of} },
		"an alarm": func(of string) event.Event { return event.Event{Kind: event.AlarmState, Alarm: of} },
		"a task":   func(of string) event.Event { return event.Event{Kind: event.TaskStops, Cluster: of, Task: "task/x"} },
		"rehearsal": func(of string) event.Event {
			return event.Event{Kind: event.InstanceEnds, Rehearsal: true, Instance: "i-1", Cluster: of}
		},
	}
	for kind, about := range kinds {
		for _, c := range []struct {
			of             string // the group, alarm or cluster
			noted, foreign bool   // it was handed on; others read the queue
			deleted        bool
			to             string // the scope that it is handed on to
		}{
			{"mine", false, false, true, ""}, {"mine", false, true, true, ""}, {"mine", true, true, true, ""},
			{"theirs", false, false, true, "cluster/theirs"}, {"theirs", false, true, true, "cluster/theirs"},
			{"nobody's", false, false, true, ""}, {"nobody's", false, true, false, ""}, {"nobody's", true, true, true, ""},
		} {
			var groups []Managed
			for _, of := range []string{"mine", "theirs"} {
				p := scale.Defaults()
				p.Alarms = []scale.Rule{{Alarm: "another of " + of}, {Alarm: of}}
				groups = append(groups, Managed{Match: of, Cluster: of, Policy: drain.Defaults()},
					Managed{Cluster: of, Scaled: []Scaled{{Service: "s", Policy: scale.Policy{}}, {Service: "s2", Policy: p}}, OnlyScaled: true})
			}
			k := newKernel(t, Config{Groups: groups, LeaveForeign: c.foreign, Held: map[string]journal.Lease{"cluster/mine": {}}})
			e := about(c.of)
			k.Hear(Heard{Message: event.Message{ID: "q/m", Sent: t0}, Event: e, Noted: c.noted}, t0)
			to := ""
			for _, f := range k.forwarded {
				if f.ID == "m" && f.Sent.Equal(t0) {
					to = f.Scope
				}
			}
			foreign := k.Counts["foreign"]
			if len(k.settle) != 1 || k.settle[0].Delete != c.deleted || to != c.to || (foreign == 1) != (c.of == "nobody's") || foreign > 1 ||
				k.Counts[string(e.Kind)] != 1 || k.settle[0].Why == "" && kind != "steps" && kind != "a task" {
				t.Errorf("%s, %+v: %+v, to %q, %v", kind, c, k.settle, to, k.Counts)
			}
		}
	}
}

// TestWhereStepsAreWrittenDown: beside the drain that is open, beside the one that has ended, or by themselves.
func TestWhereStepsAreWrittenDown(t *testing.T) {
	h, target := reported("i-0a1b2c3d4e5f60718", "web"), fleet.HostTarget("i-0001")
	for want, set := range map[string]func(*Kernel){
		"host/i-0001/steps": func(*Kernel) {},
		"open": func(k *Kernel) {
			k.open[target] = &entry{d: drain.Drain{Key: "open"}}
			k.recent[target] = &history{drains: []past{{key: "ended"}}}
		},
		"ended": func(k *Kernel) { k.recent[target] = &history{drains: []past{{key: "before"}, {key: "ended"}}} },
	} {
		k := hearing(t, Config{})
		set(k)
		h.Event.Instance = "i-0001"
		if ack, why := hearSteps(k, h, t0); !ack || why != "" || k.lines[0].Key != want || len(k.lines[0].Data) == 0 || k.lines[0].At != t0 {
			t.Errorf("%s: %t, %q, %+v", want, ack, why, k.lines)
		}
	}
}

func TestHowTheTasksOfAClusterAreTakenCareOf(t *testing.T) {
	observed := drain.Policy{Observe: true}
	for name, c := range map[string]struct {
		groups             []Managed
		observe, rehearses bool
		ok                 bool
	}{
		"a group":                   {[]Managed{{Match: "web", Cluster: "c", Rehearsals: true}}, false, true, true},
		"an observed one":           {[]Managed{{Match: "web", Cluster: "c", Policy: observed}}, true, false, true},
		"the first group":           {[]Managed{{Match: "web", Cluster: "c"}, {Match: "db", Cluster: "c", Policy: observed}}, false, false, true},
		"its own entry before all":  {[]Managed{{Match: "web", Cluster: "c"}, {Cluster: "c", Policy: observed}}, true, false, true},
		"another cluster":           {[]Managed{{Match: "web", Cluster: "d"}}, false, false, false},
		"an entry for scaling only": {[]Managed{{Cluster: "c", OnlyScaled: true}}, false, false, false},
	} {
		cfg := Config{Groups: c.groups}
		man, ok := cfg.tasksOf("c")
		if man.Policy.Observe != c.observe || man.Rehearsals != c.rehearses || ok != c.ok || man.Policy.Look != drain.TaskPolicy().Look || man.Cluster != "c" {
			t.Errorf("%s: %+v, %t", name, man, ok)
		}
	}
	cfg := Config{Groups: []Managed{{Match: "*"}}}
	if _, ok := cfg.tasksOf(""); ok {
		t.Error("no cluster has tasks")
	}
	if _, ok := cfg.managed(""); ok {
		t.Error("no group is managed")
	}
}

// Targets of one target group that leave within minutes share a call, up to the limit; those of others, and those that have time, do not.
func TestTargetsShareACall(t *testing.T) {
	one := func(group fleet.ARN, n int, soon bool, drains string) batch {
		ids := make([]fleet.TargetID, n)
		for i := range ids {
			ids[i] = fleet.TargetID{ID: fmt.Sprint(drains, i)}
		}
		target := fleet.TaskTarget("c", fleet.ARN(drains))
		return batch{plan.Action{Kind: plan.Deregister, Soon: soon, Target: target, Targets: &plan.TargetChange{Group: group, Targets: ids}},
			[]*entry{{d: drain.Drain{Key: drains}}}}
	}
	for name, c := range map[string]struct {
		in   []batch
		want string // of each call: targets, drains, and the drain that it is of
	}{
		"two that hurry":   {[]batch{one("g", 1, true, "a"), one("g", 2, true, "b")}, "[3 of 2 of 2 ]"},
		"two that do not":  {[]batch{one("g", 1, false, "a"), one("g", 2, false, "b")}, "[1 of 1 of 0 a][2 of 1 of 0 b]"},
		"one that hurries": {[]batch{one("g", 1, false, "a"), one("g", 2, true, "b"), one("g", 1, true, "c")}, "[1 of 1 of 0 a][3 of 2 of 2 ]"},
		"of two groups":    {[]batch{one("g", 1, true, "a"), one("h", 2, true, "b"), one("g", 1, true, "c")}, "[2 of 2 of 2 ][2 of 1 of 1 ]"},
		"as many as may":   {[]batch{one("g", plan.MaxDeregister-1, true, "a"), one("g", 1, true, "b")}, fmt.Sprintf("[%d of 2 of 2 ]", plan.MaxDeregister)},
		"one more than may": {[]batch{one("g", plan.MaxDeregister-1, true, "a"), one("g", 2, true, "b")},
			fmt.Sprintf("[%d of 1 of 1 ][2 of 1 of 1 ]", plan.MaxDeregister-1)},
		"and again some more": {[]batch{one("g", plan.MaxDeregister, true, "a"), one("g", 2, true, "b"), one("g", 3, true, "c")},
			fmt.Sprintf("[%d of 1 of 1 ][5 of 2 of 2 ]", plan.MaxDeregister)},
	} {
		got := ""
		for _, b := range batchActions(c.in) {
			got += fmt.Sprintf("[%d of %d of %d %s]", len(b.action.Targets.Targets), len(b.entries), len(b.action.Targets.Of), b.action.Drain)
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// TestWhatARecordIsAbout: the record of a desired count or of an override is read only if it says so itself, in a version that is known, and under
// its own key and scope.
func TestWhatARecordIsAbout(t *testing.T) {
	o := Override{Cluster: "prod", Service: "a", By: "ann@host", Since: t0, Until: t0.Add(time.Hour)}
	over := o.record(0, true)
	count := raisedBefore(t, "web/i-9/x", t0.Add(time.Hour))
	with := func(r journal.Record, key string, value any) journal.Record {
		var m map[string]any
		if json.Unmarshal(r.Body, &m) != nil {
			t.Fatal(string(r.Body))
		}
		m[key] = value
		r.Body, _ = json.Marshal(m)
		return r
	}
	for name, c := range map[string]struct {
		change          func(journal.Record) journal.Record
		count, override bool
	}{
		"as it is":          {func(r journal.Record) journal.Record { return r }, true, true},
		"version 1":         {func(r journal.Record) journal.Record { return with(r, "v", 1) }, true, true},
		"version 2":         {func(r journal.Record) journal.Record { return with(r, "v", 2) }, true, false},
		"version 3":         {func(r journal.Record) journal.Record { return with(r, "v", 3) }, false, false},
		"another kind":      {func(r journal.Record) journal.Record { return with(r, "kind", "x") }, false, false},
		"another service":   {func(r journal.Record) journal.Record { return with(r, "service", "b") }, false, false},
		"another scope":     {func(r journal.Record) journal.Record { r.Scope = "cluster/x"; return r }, false, false},
		"another key":       {func(r journal.Record) journal.Record { r.Key = "x" + r.Key; return r }, false, false},
		"what is no record": {func(r journal.Record) journal.Record { r.Body = []byte("{"); return r }, false, false},
	} {
		x, y := c.change(count), c.change(over)
		_, is := ReadCount(x)
		_, has := ReadOverride(y)
		if is != c.count || has != c.override || OfDrain(x) == c.count || OfDrain(y) == c.override {
			t.Errorf("%s: a count %t, an override %t", name, is, has)
		}
		k, err := New(Config{Groups: managed("web", "prod"), Held: map[string]journal.Lease{}}, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		loadCounts(k, []journal.Record{x})
		if setOverrides(k, []journal.Record{y}); len(k.counts)+len(k.overrides) != 0 {
			t.Errorf("%s: another Ebb's is taken up", name)
		}
	}
	long := o
	long.Until, long.Hold, long.Min, long.Max, long.Message = t0.Add(LongestOverride+time.Hour), true, new(1), new(2), "tests"
	if got := long.bounded(); got.String() != "paused, min 1, max 2 by ann@host until 2026-12-22 09:00:00 UTC: tests" {
		t.Errorf("%s", got)
	}
	b := o.Begin([]journal.Record{count, {Key: over.Key, Rev: 7}, {Key: "x", Rev: 9}})
	if r := b.Records[0]; r.Rev != 8 || !r.Open || len(b.Lines) != 1 ||
		b.Lines[0].Text != "service a in cluster prod has  by ann@host until 2026-11-21 10:00:00 UTC" {
		t.Errorf("%+v", b)
	}
	for _, x := range []struct {
		cluster, service string
		had              bool
	}{{"prod", "a", true}, {"prod", "b", false}, {"x", "a", false}} {
		b, was, had := EndOverride([]journal.Record{count, over}, x.cluster, x.service, "bob@host", t0)
		if had != x.had || had && (was.By != "ann@host" || b.Records[0].Open || b.Records[0].Rev != 2 || len(b.Lines) != 1) || !had && len(b.Records) != 0 {
			t.Errorf("%+v: %t, %+v, %+v", x, had, was, b)
		}
	}
}

// TestARaisedCountIsDropped: what was raised for hosts, and when that is taken back.
func TestARaisedCountIsDropped(t *testing.T) {
	for name, c := range map[string]struct {
		who                 string
		in                  bool
		write               bool
		open                bool
		deploying, replaced bool
		left                int
		until               time.Duration
	}{
		"its tasks are not replaced":    {who: "d", in: true, open: true, left: 1, until: time.Hour},
		"its tasks are replaced":        {who: "d", in: true, open: true, replaced: true},
		"they are, and it is not known": {who: "d", open: true, replaced: true, left: 1, until: time.Hour},
		"they are, and a call is made":  {who: "d", in: true, write: true, open: true, replaced: true, left: 1, until: time.Hour},
		"they are, in a deployment":     {who: "d", in: true, open: true, replaced: true, deploying: true, left: 1, until: time.Hour},
		"its drain has ended":           {who: "d", in: true, left: 1, until: raiseGrace},
		"it has, in a deployment":       {who: "d", in: true, deploying: true, left: 1, until: time.Hour},
		"it is for Spot":                {who: "spot/s", in: true, replaced: true, left: 1, until: time.Hour},
	} {
		is := &count{}
		is.Entry = desired.Entry{Base: 4, Count: 6, Sure: t0, Raises: []desired.Raise{{Who: c.who, By: 2, Until: t0.Add(time.Hour)}}}
		if c.in {
			is.Raises[0].In = t0.Add(-time.Minute)
		}
		if c.write {
			is.Write.At, is.Write.To = t0, 6
		}
		is.dropRaises(map[string]bool{"d": c.open}, c.deploying, c.replaced, t0)
		left := slices.DeleteFunc(slices.Clone(is.Raises), func(r desired.Raise) bool { return !r.Until.After(t0) })
		if len(left) != c.left || c.left > 0 && left[0].Until != t0.Add(c.until) {
			t.Errorf("%s: %+v", name, is.Raises)
		}
	}
}
