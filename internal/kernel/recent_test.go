package kernel

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/event"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/plan"
)

// endedAt is the record of a drain of instance i-1 that has ended.
func endedAt(t *testing.T, key, token string, at time.Time) journal.Record {
	t.Helper()
	d := drain.Drain{Key: key, Target: fleet.HostTarget("i-1"), Hold: drain.Hold{Group: "web", Hook: "ebb-drain", Token: token}, Ended: at,
		Final: &drain.Answer{Outcome: drain.HostGone}}
	body, err := json.Marshal(stored{Drain: d, Instance: d.Instance()})
	if err != nil {
		t.Fatal(err)
	}
	return journal.Record{Key: key, Scope: "cluster/prod", Rev: 2, Body: body}
}

// A sweep found an instance and a message came later, so one wait has two drains that ended, by clocks that differ. When the message comes
// once more it starts neither again.
func TestAMessageOfAnEarlierDrainIsLate(t *testing.T) {
	at := time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)
	const token = "71514b9d-6a40-4b26-8523-05e7eEXAMPLE"
	ended := []journal.Record{ // the newest first
		endedAt(t, "web/i-1/71514b9d", token, at.Add(-20*time.Second)),
		endedAt(t, "web/i-1/t20261121T090000", "", at),
	}
	k, err := New(Config{Hook: "ebb-drain", Groups: []Managed{{Match: "web", Cluster: "prod", Policy: drain.Defaults()}}}, nil, ended)
	if err != nil {
		t.Fatal(err)
	}
	hear := func(token string, when time.Time) Output {
		e := event.Event{Kind: event.TerminateAction, Group: "web", Hook: "ebb-drain", Instance: "i-1", Token: token, Time: when}
		k.Hear(Heard{Event: e, Message: event.Message{ID: "m", Sent: when}}, when)
		return k.Next(when)
	}
	if o := hear(token, at.Add(time.Second)); k.Open() != 0 || len(o.Batch.Records) != 0 || len(o.Settle) != 1 || !o.Settle[0].Delete {
		t.Errorf("a message of a drain that ended: %d open, batch %+v, verdicts %+v", k.Open(), o.Batch, o.Settle)
	}
	o := hear("71514b9d-another-wait-of-the-instance", at.Add(2*time.Second))
	if k.Open() != 1 || len(o.Batch.Records) != 1 || o.Batch.Records[0].Key != "web/i-1/71514b9d-2" {
		t.Errorf("a message of a new wait whose token begins as that of an ended one: %d open, records %+v", k.Open(), o.Batch.Records)
	}
}

// After a drain an instance that still waits is left alone: another hook holds it. How the drain ended may say that it had left the hook, and
// that the next wait is a new one.
func TestWhoIsAdoptedAfterADrain(t *testing.T) {
	final := func(o drain.Outcome) func(*drain.Drain) {
		return func(d *drain.Drain) { d.Final = &drain.Answer{Outcome: o} }
	}
	for name, x := range map[string]struct {
		change func(*drain.Drain)
		want   int
	}{
		"drained":             {final(drain.Drained), 0},
		"without a word":      {func(d *drain.Drain) { d.Final = nil }, 0},
		"it was not leaving":  {final(drain.NotLeaving), 1},
		"nobody could read":   {final(drain.Unreadable), 1},
		"in its warm pool":    {func(d *drain.Drain) { d.WarmPool = true }, 1},
		"it left its group":   {func(d *drain.Drain) { d.MissingSince = t0 }, 1},
		"ended by the other":  {final(drain.Elsewhere), 0},
		"cut off, by its end": {final(drain.Forced), 0},
		"an operator's":       {func(d *drain.Drain) { d.Word = saidOf("i-0001").Word }, 1},
		"one that a hook took over from an operator": {func(d *drain.Drain) { d.Word, d.Hook = saidOf("i-0001").Word, "ebb-drain" }, 0},
	} {
		d := drain.Drain{Key: "web/i-0001/a", Target: fleet.HostTarget("i-0001"), Hold: drain.Hold{Group: "web"}, Ended: t0}
		x.change(&d)
		cfg := budgeted(MaxUnavailable{})
		cfg.Hook = "ebb-drain"
		k, err := New(cfg, nil, []journal.Record{recordOf(&entry{d: d})})
		if err != nil {
			t.Fatal(err)
		}
		drive(k, t0.Add(time.Minute), 3*time.Second, waiting)
		if got := k.Counts["adopted"]; got != x.want || k.Open() != x.want {
			t.Errorf("%s: %d adopted, want %d", name, got, x.want)
		}
	}
}

// waiting answers for a group with one instance, which waits.
func waiting(o plan.Request, _ time.Time) plan.Done {
	done := cloud{fleet.Active}.answer(o)
	if o.Look != nil && o.Look.Kind == plan.Groups {
		i := fleet.GroupInstance{ID: "i-0001", Group: "web", State: fleet.TerminatingWait}
		done.Result.View.Groups = []fleet.Group{{Name: "web", Instances: []fleet.GroupInstance{i}}}
	}
	return done
}

// A message is late if it may be about any drain of its instance that has ended in the last two days, except those of operators' words.
func TestWhichMessagesAreLate(t *testing.T) {
	const hour = time.Hour
	for name, x := range map[string]struct {
		token string
		said  time.Duration // after the start; negative: it says nothing
		heard time.Duration
		want  string // the drain that has ended; empty: it begins a new one
	}{
		"of the newest drain":          {"b", 3 * hour, 3 * hour, "web/i-1/b"},
		"of the one before":            {"a", 3 * hour, 3 * hour, "web/i-1/a"},
		"of a new wait":                {"c", 3 * hour, 3 * hour, ""},
		"of a new wait, without time":  {"c", -1, 3 * hour, ""},
		"without a token":              {"", 3 * hour, 3 * hour, "web/i-1/b"},
		"from before the newest ended": {"c", 2*hour - 1, 3 * hour, "web/i-1/b"},
		"from when the newest ended":   {"c", 2 * hour, 3 * hour, ""},
		"two days later":               {"a", 49 * hour, 49 * hour, "web/i-1/a"},
		"longer after the first":       {"a", 49*hour + 1, 49*hour + 1, ""},
		"but of the newest":            {"b", 49*hour + 1, 49*hour + 1, "web/i-1/b"},
		"two days after both":          {"b", 50*hour + 1, 50*hour + 1, ""},
	} {
		word := drain.Drain{Key: "web/i-1/w", Target: fleet.HostTarget("i-1"), Ended: t0.Add(2 * hour)}
		word.Word = saidOf("i-1").Word
		ended := []journal.Record{
			recordOf(&entry{d: word}), endedAt(t, "web/i-1/b", "b", t0.Add(2*hour)), endedAt(t, "web/i-1/a", "a", t0.Add(hour)),
		}
		k, err := New(Config{Hook: "ebb-drain", Groups: []Managed{{Match: "web", Cluster: "prod", Policy: drain.Defaults()}}}, nil, ended)
		if err != nil {
			t.Fatal(err)
		}
		drive(k, t0.Add(x.heard), time.Second, full(fleet.InService)) // a sweep
		e := event.Event{Kind: event.TerminateAction, Group: "web", Hook: "ebb-drain", Instance: "i-1", Token: x.token}
		if x.said >= 0 {
			e.Time = t0.Add(x.said)
		}
		v := verdict(t, k, Heard{Event: e, Message: event.Message{ID: "m", Sent: t0.Add(x.heard)}}, t0.Add(x.heard))
		why, open, late := "", 1, 0
		if x.want != "" {
			why, open, late = "drain "+x.want+" has ended", 0, 1
		}
		if !v.Delete || v.Why != why || k.Open() != open || k.Counts["late"] != late {
			t.Errorf("%s: %+v, %d open, counted %v", name, v, k.Open(), k.Counts)
		}
	}
}

// Two days after its drain nothing is kept of an instance, and one that waits then is adopted as any other.
func TestAnInstanceThatWaitsDaysAfterItsDrain(t *testing.T) {
	d := drain.Drain{Key: "web/i-0001/a", Target: fleet.HostTarget("i-0001"), Hold: drain.Hold{Group: "web"}, Ended: t0}
	cfg := budgeted(MaxUnavailable{})
	cfg.Hook = "ebb-drain"
	k, err := New(cfg, nil, []journal.Record{recordOf(&entry{d: d})})
	if err != nil {
		t.Fatal(err)
	}
	drive(k, t0.Add(49*time.Hour), time.Second, full(fleet.InService)) // a sweep that finds no instance
	drive(k, t0.Add(50*time.Hour), 3*time.Second, waiting)
	if k.Counts["adopted"] != 1 || k.Open() != 1 {
		t.Errorf("%d open, counted %v", k.Open(), k.Counts)
	}
}
