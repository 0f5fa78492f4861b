package kernel

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/journal"
)

func pauseFor(lasts time.Duration) Pause {
	return Pause{By: "o@h", Message: "moving", Since: t0, Until: t0.Add(lasts)}
}

func letBegin(k *Kernel, now time.Time) int {
	return kinds(settle(k, cloud{fleet.Active}, now))["set-draining"]
}

func TestAPauseLetsNoDrainBegin(t *testing.T) {
	open := pauseFor(time.Hour).Begin(nil, []string{"cluster/prod"}).Records
	k := newKernel(t, Config{Skew: 30 * time.Second})
	k.Hear(termination(1), t0)
	k.SetPauses(open)
	if n := letBegin(k, t0); n != 0 {
		t.Fatalf("%d were set DRAINING", n)
	}
	e := k.sorted[0]
	if e.d.Queued.IsZero() || !e.d.Slot.IsZero() || e.waiting != "because cluster/prod is paused by o@h until 2026-11-21 10:00:00 UTC: moving" {
		t.Errorf("it waits %q, %+v", e.waiting, e.d)
	}
	if at := drain.Deadline(e.d, fleet.Fact[fleet.Hook]{}, e.man.Policy); !at.After(t0.Add(24 * time.Hour)) {
		t.Errorf("its deadline is %s: it counts from when it begins", at)
	}
	if ended := k.endPauses(t0.Add(time.Hour + 29*time.Second)); len(ended) > 0 {
		t.Error("the pause ended before it was surely over")
	}
	over := t0.Add(time.Hour + 30*time.Second)
	out := k.Next(over)
	if i := slices.IndexFunc(out.Batch.Records, func(r journal.Record) bool { return r.Key == "pause:cluster/prod/1" }); i < 0 ||
		out.Batch.Records[i].Open || out.Batch.Records[i].Rev != 2 {
		t.Errorf("the pause was to end: %+v", out.Batch.Records)
	}
	if n := kinds(out.Do)["set-draining"]; n != 1 || !k.sorted[0].d.Slot.Equal(over) {
		t.Errorf("%d were set DRAINING, slot %s", n, k.sorted[0].d.Slot)
	}
}

func TestWhatHasBegunIsNotPaused(t *testing.T) {
	k := newKernel(t, Config{})
	k.Hear(termination(1), t0)
	if n := letBegin(k, t0); n != 1 {
		t.Fatalf("%d were set DRAINING", n)
	}
	k.SetPauses(pauseFor(time.Hour).Begin(nil, []string{"cluster/prod"}).Records)
	k.Hear(termination(2), t0)
	settle(k, cloud{fleet.Active}, t0.Add(time.Minute))
	if was, is := k.sorted[0].d, k.sorted[1].d; !was.Queued.IsZero() || was.DrainingSince.IsZero() || is.Queued.IsZero() {
		t.Errorf("the one that has begun %+v, the other %+v", was, is)
	}
}

func TestAPauseOfAnotherScopeIsNoPause(t *testing.T) {
	k := newKernel(t, Config{})
	k.Hear(termination(1), t0)
	k.SetPauses(pauseFor(time.Hour).Begin(nil, []string{"cluster/other"}).Records)
	if n := letBegin(k, t0); n != 1 {
		t.Errorf("%d were set DRAINING, want 1", n)
	}
}

func TestAPauseSurvivesARestartAndIsNoDrain(t *testing.T) {
	open := pauseFor(time.Hour).Begin(nil, []string{"cluster/prod"}).Records
	k, err := New(Config{Hook: "ebb-drain", Groups: []Managed{{Match: "web", Cluster: "prod", Policy: drain.Defaults()}}}, open, open)
	if err != nil || k.Open() != 0 || len(k.Newer()) != 0 || len(k.Paused()) != 1 {
		t.Fatalf("%v, %d open, %v newer, paused %v", err, k.Open(), k.Newer(), k.Paused())
	}
	if got := Scopes(k.cfg.Groups, open); !slices.Equal(got, []string{"cluster/prod"}) {
		t.Errorf("scopes %v", got)
	}
	if _, err := Read(open[0]); err == nil {
		t.Error("it was read as a drain")
	}
}

func TestAPauseIsBoundedAndClean(t *testing.T) {
	p := Pause{
		By: "o@h\x1b[2J", Message: "a\u202eb\n" + strings.Repeat("é", 500), Since: t0, Until: t0.Add(1000 * time.Hour), Scope: "cluster/prod",
	}
	r := p.record(4, true)
	got, ok := ReadPause(r)
	if !ok || r.Rev != 5 || got.By != `o@h\u001b[2J` || !strings.HasPrefix(got.Message, `a\u202eb\néé`) || len([]rune(got.Message)) > 240 ||
		!got.Until.Equal(t0.Add(24*time.Hour)) || len(r.Body) > 2000 {
		t.Errorf("%v: %+v, %d bytes", ok, got, len(r.Body))
	}
	for what, wrong := range map[string]journal.Record{
		"another kind":   {Key: "pause:x/1", Scope: "cluster/prod", Body: []byte(`{"kind":"task"}`)},
		"a newer form":   {Key: "pause:cluster/prod/1", Scope: "cluster/prod", Body: []byte(`{"kind":"pause","v":2,"scope":"cluster/prod"}`)},
		"garbage":        {Key: "pause:cluster/prod/1", Scope: "cluster/prod", Body: []byte(`{`)},
		"of another one": {Key: "pause:cluster/prod/1", Scope: "cluster/b", Body: []byte(`{"kind":"pause","scope":"cluster/prod"}`)},
		"a drain":        {Key: "web/i-1/a", Scope: "cluster/prod", Body: []byte(`{"kind":"pause","scope":"cluster/prod"}`)},
	} {
		if p, ok := ReadPause(wrong); ok {
			t.Errorf("%s was read as a pause: %+v", what, p)
		}
	}
}

func TestResumeSaysWhatWasPaused(t *testing.T) {
	open := pauseFor(time.Hour).Begin(nil, []string{"cluster/a", "cluster/b"}).Records
	again := pauseFor(2*time.Hour).Begin(open, []string{"cluster/a"})
	if again.Records[0].Rev != 2 || !again.Records[0].Open || again.Forwarded[0].Scope != "cluster/a" || again.Lines[0].Kind != "paused" {
		t.Errorf("paused again: %+v", again)
	}
	b, was := Resume(open, []string{"cluster/a", "cluster/c"}, "p@h", t0)
	if len(was) != 1 || was[0].Scope != "cluster/a" || len(b.Records) != 1 || b.Records[0].Open || b.Records[0].Rev != 2 || len(b.Forwarded) != 1 {
		t.Errorf("resumed %+v: %+v", was, b)
	}
	if b, was := Resume(nil, []string{"cluster/a"}, "p@h", t0); len(was) != 0 || !b.Empty() {
		t.Errorf("resumed %+v: %+v", was, b)
	}
}

// What Ebb does not drain may be for another consumer of the queue: with foreign: leave its messages are left, once the journal has them.
func TestMessagesAboutWhatIsOnlyWatchedOrExcluded(t *testing.T) {
	for name, c := range map[string]struct {
		observe, excluded, leave, noted bool
		ack                             bool
		why                             string
	}{
		"drained":                        {ack: true},
		"drained, leaving what is not":   {leave: true, ack: true},
		"observed":                       {observe: true, ack: true, why: "group web is only observed"},
		"observed, for others":           {observe: true, leave: true, why: "group web is only observed"},
		"observed, forwarded":            {observe: true, leave: true, noted: true, ack: true, why: "group web is only observed"},
		"excluded":                       {excluded: true, ack: true, why: "group web has the tag ebb:exclude=true"},
		"excluded, for others":           {excluded: true, leave: true, why: "group web has the tag ebb:exclude=true"},
		"excluded, for others, observed": {excluded: true, observe: true, leave: true, why: "group web has the tag ebb:exclude=true"},
	} {
		t.Run(name, func(t *testing.T) {
			policy := drain.Defaults()
			policy.Observe = c.observe
			k := newKernel(t, Config{LeaveForeign: c.leave, Groups: []Managed{{Match: "web", Cluster: "prod", Policy: policy}}})
			k.swept = t0
			if c.excluded {
				k.excluded["web"] = true
			}
			h := termination(1)
			h.Noted = c.noted
			k.Hear(h, t0)
			out := k.Next(t0)
			if len(out.Settle) != 1 || out.Settle[0].Delete != c.ack || out.Settle[0].Why != c.why {
				t.Errorf("settled %+v", out.Settle)
			}
			if len(out.Batch.Records) != 1 || out.Batch.Records[0].Open == c.excluded {
				t.Errorf("in the journal: %+v", out.Batch.Records)
			}
		})
	}
}
