package main

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/sim/core"
)

var nine = time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)

const host = "i-0123456789abcdef0"

func at(seconds int) time.Time { return nine.Add(time.Duration(seconds) * time.Second) }

// stored is a drain as the journal has it.
func stored(t *testing.T, d drain.Drain) journal.Record {
	t.Helper()
	body, err := json.Marshal(struct {
		drain.Drain
		Instance string `json:"instance"`
	}{d, d.Target.ID})
	if err != nil {
		t.Fatal(err)
	}
	return journal.Record{Key: d.Key, Rev: 1, Open: d.Open(), Body: body}
}

// drained is a drain that ended well.
func drained(instance string) drain.Drain {
	return drain.Drain{
		Key: "web-asg/" + instance + "/00000000", Target: fleet.HostTarget(fleet.InstanceID(instance)), Heard: at(12), Ended: at(121),
		Hold:  drain.Hold{Group: "web-asg", Hook: hook},
		Final: &drain.Answer{At: at(121), Outcome: drain.Drained, Reason: "its task has stopped"},
	}
}

// good is what remains of a small run in which all held: one host left, and its serve was killed once on the way.
func good() remains {
	e := func(seconds int, kind core.EntryKind, to, by string) core.Entry {
		return core.Entry{At: at(seconds), Kind: kind, Instance: host, Group: "web-asg", To: to, By: by}
	}
	with := func(e core.Entry, set func(*core.Entry)) core.Entry { set(&e); return e }
	task := func(seconds int, to string) core.Entry {
		return with(e(seconds, core.EntryTask, to, "aws"), func(e *core.Entry) { e.Task, e.Service = "task-1", "web" })
	}
	target := func(seconds int, to string) core.Entry {
		return with(e(seconds, core.EntryTarget, to, "aws"), func(e *core.Entry) { e.Task, e.TargetGroup, e.Target = "task-1", "web-tg", host+":8080" })
	}
	waits := func(seconds int, to, by string) core.Entry {
		return with(e(seconds, core.EntryHook, to, by), func(e *core.Entry) { e.Hook, e.Text = hook, "00000000-0000-4000-8000-000000000001" })
	}
	message := func(seconds int, to, by string) core.Entry {
		return with(waits(seconds, to, by), func(e *core.Entry) { e.Kind, e.Message, e.Queue = core.EntryMessage, "m-1", "ebb" })
	}
	call := func(seconds int, op, by string) core.Entry {
		return with(e(seconds, core.EntryCall, "ok", by), func(e *core.Entry) { e.Text = op })
	}
	const first, second = "ebb1x1", "ebb1x2"
	return remains{
		o:       options{shape: serveShape, speed: 20, processes: 1},
		leavers: []string{host}, names: map[string]string{host: "web-asg/0"}, start: at(0), end: at(300), quiet: at(70),
		ended: []drain.Drain{drained(host)},
		lines: []journal.Line{{At: at(12), Key: drained(host).Key, Kind: "heard"}},
		told:  []core.Entry{{At: at(70), Kind: core.EntryController, By: first, To: "crashed"}},
		record: []core.Entry{
			e(0, core.EntryContainer, "ACTIVE", "aws"), task(0, "RUNNING"), target(0, "healthy"),
			call(5, "autoscaling.DescribeAutoScalingGroups", first),
			e(10, core.EntryLifecycle, "Terminating:Wait", "aws"), waits(10, "opened", "aws"), message(11, "sent", "aws"),
			message(12, "received", first), message(13, "deleted", first),
			with(e(20, core.EntryContainer, "DRAINING", first), func(e *core.Entry) { e.From = "ACTIVE" }),
			task(30, "DEACTIVATING"), target(30, "draining"), target(60, "unused"), task(60, "STOPPING"),
			call(75, "ecs.ListTasks", second), task(80, "STOPPED"), waits(110, "heartbeat", second), waits(120, "CONTINUE", second),
			e(121, core.EntryLifecycle, "Terminated", "aws"),
		},
	}
}

// entry finds an entry of the record.
func entry(t *testing.T, r *remains, kind core.EntryKind, to string) *core.Entry {
	t.Helper()
	i := slices.IndexFunc(r.record, func(e core.Entry) bool { return e.Kind == kind && e.To == to })
	if i < 0 {
		t.Fatalf("there is no entry %s %s", kind, to)
	}
	return &r.record[i]
}

func TestWhatHeldIsGood(t *testing.T) {
	if bad := judge(good()); len(bad) > 0 {
		t.Errorf("%q", bad)
	}
}

// TestPlantedWrongsAreFound: the judge finds whatever is wrong in what remains of a run.
func TestPlantedWrongsAreFound(t *testing.T) {
	drop := func(t *testing.T, r *remains, kind core.EntryKind, to string) {
		gone := *entry(t, r, kind, to)
		r.record = slices.DeleteFunc(r.record, func(e core.Entry) bool { return e == gone })
	}
	for name, c := range map[string]struct {
		plant func(*testing.T, *remains)
		want  string
	}{
		"a hook answered before the task had stopped": {
			func(t *testing.T, r *remains) { entry(t, r, core.EntryTask, "STOPPED").At = at(125) }, "tasks had not stopped",
		},
		"a hook answered while a daemon's target was in use": {
			func(t *testing.T, r *remains) {
				for i := range r.record {
					r.record[i].Daemon = r.record[i].Kind == core.EntryTask
				}
				drop(t, r, core.EntryTask, "STOPPED")
				drop(t, r, core.EntryTarget, "draining")
				drop(t, r, core.EntryTarget, "unused")
				entry(t, r, core.EntryHook, "CONTINUE").At = at(280)
			}, "still in use",
		},
		"a hook that ran out": {
			func(t *testing.T, r *remains) {
				e := entry(t, r, core.EntryHook, "CONTINUE")
				e.To, e.By = "expired", "aws"
			}, `ended "expired by aws"`,
		},
		"a hook that is still open": {
			func(t *testing.T, r *remains) { drop(t, r, core.EntryHook, "CONTINUE") }, `ended ""`,
		},
		"a hook that hung": {
			func(t *testing.T, r *remains) { entry(t, r, core.EntryHook, "CONTINUE").At, r.end = at(1000), at(1200) }, "hung for",
		},
		"an answer by somebody else": {
			func(t *testing.T, r *remains) { entry(t, r, core.EntryHook, "CONTINUE").By = "operator" }, `"CONTINUE by operator"`,
		},
		"ABANDON": {
			func(t *testing.T, r *remains) { entry(t, r, core.EntryHook, "CONTINUE").To = "ABANDON" }, "ABANDON",
		},
		"an answer by a serve that had not looked": {
			func(t *testing.T, r *remains) { drop(t, r, core.EntryCall, "ok"); drop(t, r, core.EntryCall, "ok") }, "had not looked",
		},
		"a foreign hook that was beaten": {
			func(t *testing.T, r *remains) { entry(t, r, core.EntryHook, "heartbeat").Hook = "other-hook" }, "not its own",
		},
		"a host set DRAINING that did not leave": {
			func(t *testing.T, r *remains) { entry(t, r, core.EntryContainer, "DRAINING").Instance = "i-1" }, "does not wait in its hook",
		},
		"a killed task": {
			func(t *testing.T, r *remains) { entry(t, r, core.EntryTask, "STOPPED").Text = "killed: host gone" }, "killed",
		},
		"a message deleted before its drain was durable": {
			func(_ *testing.T, r *remains) { r.lines[0].At = at(15) }, "was deleted before its drain was in the journal",
		},
		"a drain that was lost": {
			func(_ *testing.T, r *remains) { r.ended = nil }, "the journal knows no drain of it",
		},
		"a drain that is open": {
			func(t *testing.T, r *remains) {
				d := drained(host)
				d.Ended, d.Final = time.Time{}, nil
				r.ended = nil
				r.take(stored(t, d))
			}, "is open at the end",
		},
		"two drains of one host": {
			func(_ *testing.T, r *remains) { r.ended = append(r.ended, r.ended[0]) }, `"drained, drained"`,
		},
		"a drain that was forced": {
			func(_ *testing.T, r *remains) { r.ended[0].Final.Outcome = drain.Forced }, `"forced"`,
		},
		"a drain without a reason": {
			func(_ *testing.T, r *remains) { r.ended[0].Final.Reason = "" }, "without a reason",
		},
		"a drain of a host that stayed": {
			func(t *testing.T, r *remains) { r.take(stored(t, drained("i-1"))) }, "which was not to leave",
		},
		"a serve that ended by itself": {
			func(_ *testing.T, r *remains) { r.blames = []string{"ebb1x2 ended by itself"} }, "by itself",
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := good()
			c.plant(t, &r)
			if bad := strings.Join(judge(r), "\n"); !strings.Contains(bad, c.want) {
				t.Errorf("found %q, want %q", bad, c.want)
			}
		})
	}
}

// TestLotsLeaveTimeForHeartbeats: however the lots fall, a serve is not kept from a long life for as long as a hook waits.
func TestLotsLeaveTimeForHeartbeats(t *testing.T) {
	for _, o := range []options{{journal: "sqlite", speed: 20}, {journal: "dynamodb", speed: tableSpeed}} {
		shortest := slices.MinFunc(o.groups(), func(a, b group) int { return int(a.heartbeat - b.heartbeat) }).heartbeat
		seen := map[deed]int{}
		for seed := range uint64(200) {
			l := lots{pace: o.pace(), dice: rand.New(rand.NewPCG(seed, 2))}
			var without time.Duration
			for range 100 {
				f := l.draw()
				seen[f.deed]++
				if f.after >= l.longLife {
					without = 0
				} else {
					without += f.after
				}
				without += f.away
				if without > shortest*9/10 {
					t.Fatalf("%s, seed %d: no long life for %s", o.journal, seed, without)
				}
			}
		}
		if seen[ended] == 0 || seen[paused] == 0 || seen[killed] < seen[ended]+seen[paused] {
			t.Errorf("the deeds are %v", seen)
		}
	}
}
