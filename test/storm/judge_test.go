package storm

import (
	"cmp"
	"encoding/json"
	"maps"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/event"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/kernel"
	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/story"
)

// judge says what did not hold: what must always hold, as the stories judge it, and what a storm asks beyond that. In a storm nothing
// fails but the serves, so that every drain must come to its good end.
func judge(r remains) []string {
	r.blames = slices.Clone(r.blames)
	if r.o.fault == garbageFault { // the journal is lost: the cloud's own record says all
		r.hooks()
		return r.blames
	}
	for _, v := range story.Judge(evidence(r)) {
		r.blame("%s", v)
	}
	r.hooks()
	r.journaled()
	return r.blames
}

// evidence is what the stories' judge wants to see.
func evidence(r remains) story.Evidence {
	e := story.Evidence{
		Record: merged(r), Ended: r.ended, Open: r.open, Messages: map[string]event.Event{}, Heartbeat: map[string]time.Duration{},
		Names: r.names, Start: r.start, End: r.end, LastFault: r.quiet, Running: true, Speed: r.o.speed,
		Ebb: story.Ebb{Hook: hook, Replicas: r.o.processes, Function: r.o.shape == lambdaShape},
	}
	for _, g := range r.o.groups() {
		e.Ebb.Groups = append(e.Ebb.Groups, story.Group{Match: g.name, Cluster: g.cluster, Deadline: deadline, MaxUnavailable: g.maxUnavailable})
		e.Heartbeat[g.name] = g.heartbeat
	}
	for _, m := range r.record {
		if m.Kind == core.EntryMessage && m.Hook != "" {
			e.Messages[m.Message] = event.Event{
				Kind: event.TerminateAction, Group: m.Group, Hook: m.Hook, Instance: fleet.InstanceID(m.Instance), Token: m.Text,
			}
		}
	}
	return e
}

// merged is the cloud's record with what it cannot know: when an Ebb began - with its first call, at the latest -, when it was struck,
// and when a drain, or a note of it, came into the journal. The Ebbs' clocks are never ahead of the cloud's, so the lines are not either.
// Messages that Lambda deletes for a function it deletes at its word.
func merged(r remains) []core.Entry {
	var all []core.Entry
	known := map[string]bool{}
	for _, e := range r.record {
		if e.Kind == core.EntryMessage && e.To == "deleted" && e.By == "lambda" {
			e.By = function
		}
		if byEbb(e.By) && !known[e.By] {
			known[e.By] = true
			all = append(all, core.Entry{At: e.At, Kind: core.EntryController, By: e.By, To: "started"})
		}
		all = append(all, e)
	}
	all = append(append(all, r.told...), r.noted...)
	for _, l := range r.lines {
		if l.Kind == "heard" {
			instance := path.Base(path.Dir(l.Key)) // the key is group/instance/generation
			all = append(all, core.Entry{At: l.At, Kind: core.EntryJournal, Instance: instance, To: "open", Message: l.Key})
		}
	}
	slices.SortStableFunc(all, func(a, b core.Entry) int { return a.At.Compare(b.At) })
	return all
}

// byEbb reports whether a name in the record is that of a serve or of the function.
func byEbb(name string) bool { return strings.HasPrefix(name, function) }

// take takes in a drain of the journal. None may be open at the end.
func (r *remains) take(rec journal.Record) {
	switch d, err := kernel.Read(rec); {
	case err != nil:
		r.blame("%v", err)
	case d.Open():
		r.open = append(r.open, d)
		r.blame("the drain of %s is open at the end; it waits %s", r.name(d.Target.ID), kernel.Waiting(rec))
	default:
		r.ended = append(r.ended, d)
	}
}

// hooks looks at how each wait of each instance that left ended: once, by Ebb, with CONTINUE, and with no task killed.
func (r *remains) hooks() {
	ends := map[string][]string{}
	for _, e := range r.record {
		switch {
		case e.Kind == core.EntryHook && e.Hook == hook && e.To != "opened" && e.To != "heartbeat":
			by := e.By
			if byEbb(by) {
				by = "ebb"
			}
			ends[e.Instance] = append(ends[e.Instance], e.To+" by "+by)
		case e.Kind == core.EntryTask && strings.Contains(e.Text, "killed"):
			r.blame("task %s on %s: %s", e.Task, r.name(e.Instance), e.Text)
		}
	}
	for _, id := range r.leavers {
		if got := strings.Join(ends[id], ", "); got != "CONTINUE by ebb" {
			r.blame("the hook of %s ended %q and not once with CONTINUE by ebb", r.name(id), got)
		}
	}
}

// journaled compares the journal with who left: one drain each, all tasks stopped, and nobody else's; and no message about an instance
// was deleted of which the journal knows nothing.
func (r *remains) journaled() {
	of := map[string][]string{}
	for _, d := range r.ended {
		of[d.Target.ID] = append(of[d.Target.ID], string(d.Final.Outcome))
	}
	for _, id := range r.leavers {
		if got := strings.Join(of[id], ", "); got != string(drain.Drained) {
			r.blame("the journal says of %s %q and not once drained", r.name(id), got)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(of)) {
		if !slices.Contains(r.leavers, id) && id != stranger {
			r.blame("the journal has a drain of %s, which was not to leave", r.name(id))
		}
	}
	for _, e := range r.record {
		if e.Kind == core.EntryMessage && e.To == "deleted" && e.Instance != "" && len(of[e.Instance]) == 0 {
			r.blame("a message about %s was deleted, and the journal knows no drain of it", r.name(e.Instance))
		}
	}
}

func (r remains) name(instance string) string { return cmp.Or(r.names[instance], instance) }

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
