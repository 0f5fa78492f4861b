package kernel

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

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
		"another kind":              {Key: "pause:x/1", Scope: "cluster/prod", Body: []byte(`{"kind":"task"}`)},
		"another kind of its scope": {Key: "pause:cluster/prod/1", Scope: "cluster/prod", Body: []byte(`{"kind":"task","scope":"cluster/prod"}`)},
		"a newer form":              {Key: "pause:cluster/prod/1", Scope: "cluster/prod", Body: []byte(`{"kind":"pause","v":2,"scope":"cluster/prod"}`)},
		"garbage":                   {Key: "pause:cluster/prod/1", Scope: "cluster/prod", Body: []byte(`{`)},
		"of another one":            {Key: "pause:cluster/prod/1", Scope: "cluster/b", Body: []byte(`{"kind":"pause","scope":"cluster/prod"}`)},
		"a drain":                   {Key: "web/i-1/a", Scope: "cluster/prod", Body: []byte(`{"kind":"pause","scope":"cluster/prod"}`)},
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

// openPauses are open records: a drain, a pause of two scopes each, in different revisions, and what a newer Ebb paused.
func openPauses() []journal.Record {
	a, b := pauseFor(time.Hour), pauseFor(2*time.Hour)
	a.Scope, b.Scope = "cluster/a", "cluster/b"
	return []journal.Record{
		{Key: "web/i-0001/a", Scope: "cluster/b", Rev: 7, Open: true, Body: []byte(`{"instance":"i-0001","group":"web"}`)},
		b.record(1, true), a.record(3, true),
		{Key: "pause:cluster/n/1", Scope: "cluster/n", Rev: 9, Open: true, Body: []byte(`{"kind":"pause","v":2,"scope":"cluster/n"}`)},
	}
}

func TestThePausesAmongOpenRecords(t *testing.T) {
	a, b := pauseFor(time.Hour), pauseFor(2*time.Hour)
	a.Scope, b.Scope = "cluster/a", "cluster/b"
	if d := cmp.Diff([]Pause{b, a}, Pauses(openPauses())); d != "" {
		t.Error(d)
	}
	r := journal.Record{Key: "pause:cluster/a/1", Scope: "cluster/a", Body: []byte(`{"kind":"pause","v":1,"scope":"cluster/a"}`)}
	if got := Pauses([]journal.Record{r}); len(got) != 1 || got[0].Scope != "cluster/a" {
		t.Errorf("a pause that names its version is %+v", got)
	}
}

// What a pause, and its end, write: a record of the next revision, a line and a message for whoever works for the scope, for each scope.
func TestWhatAPauseWrites(t *testing.T) {
	p := Pause{By: strings.Repeat("b", 150), Message: strings.Repeat("m", 250), Since: t0, Until: t0.Add(time.Hour)}
	by, message := strings.Repeat("b", 100)+"... (50 bytes more)", strings.Repeat("m", 200)+"... (50 bytes more)"
	body := func(scope string) []byte {
		return []byte(`{"kind":"pause","scope":"` + scope + `","by":"` + by + `","message":"` + message +
			`","since":"2026-11-21T09:00:00Z","until":"2026-11-21T10:00:00Z"}`)
	}
	var want journal.Batch
	for _, x := range []struct {
		scope string
		rev   int64
	}{{"cluster/a", 5}, {"cluster/n", 1}, {"cluster/b", 3}, {"cluster/c", 1}} {
		r := journal.Record{Key: "pause:" + x.scope + "/1", Scope: x.scope, Rev: x.rev, Open: true, Body: body(x.scope)}
		want.Records = append(want.Records, r)
		text := x.scope + " is paused by " + by + " until 2026-11-21 10:00:00 UTC: " + message
		want.Lines = append(want.Lines, journal.Line{At: t0, Kind: "paused", Text: text})
		want.Forwarded = append(want.Forwarded, journal.Forwarded{Scope: x.scope, ID: "pause", Sent: t0})
	}
	if d := cmp.Diff(want, p.Begin(openPauses(), []string{"cluster/a", "cluster/n", "cluster/b", "cluster/c"})); d != "" {
		t.Errorf("paused (-want +got)\n%s", d)
	}

	now := t0.Add(time.Minute)
	want = journal.Batch{}
	var paused []Pause
	for _, x := range []struct {
		scope string
		rev   int64
		until int
	}{{"cluster/b", 3, 11}, {"cluster/a", 5, 10}} {
		was := Pause{Scope: x.scope, By: "o@h", Message: "moving", Since: t0, Until: t0.Add(time.Duration(x.until-9) * time.Hour)}
		r := was.record(x.rev-1, false)
		if r.Open || r.Rev != x.rev {
			t.Fatalf("%+v", r)
		}
		paused, want.Records = append(paused, was), append(want.Records, r)
		text := fmt.Sprintf("%s is resumed by %s; it was paused by o@h until 2026-11-21 %d:00:00 UTC: moving", x.scope, by, x.until)
		want.Lines = append(want.Lines, journal.Line{At: now, Kind: "resumed", Text: text})
		want.Forwarded = append(want.Forwarded, journal.Forwarded{Scope: x.scope, ID: "pause", Sent: now})
	}
	b, was := Resume(openPauses(), []string{"cluster/a", "cluster/b", "cluster/n"}, strings.Repeat("b", 150), now)
	if d := cmp.Diff(want, b) + cmp.Diff(paused, was); d != "" {
		t.Errorf("resumed (-want +got)\n%s", d)
	}
}

// A kernel knows the pauses of its own scopes as they were read last, and no others.
func TestAKernelKnowsThePausesOfItsScopes(t *testing.T) {
	k := newKernel(t, Config{Held: map[string]journal.Lease{"cluster/a": {}, "cluster/b": {}}})
	all := openPauses()
	other := pauseFor(time.Hour)
	other.Scope = "cluster/other"
	all = append([]journal.Record{all[0], other.record(0, true)}, all[1:]...)
	a, b := pauseFor(time.Hour), pauseFor(2*time.Hour)
	a.Scope, b.Scope = "cluster/a", "cluster/b"
	for _, x := range []struct {
		open []journal.Record
		want []Pause
	}{{all, []Pause{a, b}}, {all[:3], []Pause{b}}, {nil, nil}} {
		k.SetPauses(x.open)
		if d := cmp.Diff(x.want, k.Paused()); d != "" {
			t.Error(d)
		}
	}
}

// When a pause is taken back every drain of its scope begins at once; what was just heard is not forgotten by a look at the pauses.
func TestDrainsBeginWhenAPauseIsTakenBack(t *testing.T) {
	groups := []Managed{{Match: "web", Cluster: "prod", Policy: drain.Defaults()}, {Match: "db", Policy: drain.Defaults()}}
	k := newKernel(t, Config{Groups: groups})
	open := pauseFor(time.Hour).Begin(nil, []string{"cluster/prod", "group/db"}).Records
	k.SetPauses(open)
	k.Hear(termination(1), t0)
	k.Hear(termination(2), t0)
	k.SetPauses(open)
	first := k.Next(t0)
	if n := len(first.Batch.Records); n != 2 {
		t.Errorf("%d drains were written, want both that were heard", n)
	}
	for _, r := range first.Do {
		k.Did(cloud{fleet.Active}.answer(r), t0)
	}
	if n := letBegin(k, t0.Add(time.Second)); n != 0 {
		t.Fatalf("%d were set DRAINING", n)
	}
	k.SetPauses(open[1:])
	o := k.Next(t0.Add(2 * time.Second))
	if len(o.Do) == 0 || o.Do[0].Action == nil || len(o.Do[0].Action.State.ContainerInstances) != 2 || len(o.Batch.Records) != 2 {
		t.Errorf("both were to begin at once: %+v, %d records", o.Do, len(o.Batch.Records))
	}
}

// Of several pauses those end whose time is over, each with its line.
func TestPausesEndEachAtItsTime(t *testing.T) {
	var open []journal.Record
	for i, scope := range []string{"cluster/a", "cluster/b", "cluster/c"} {
		open = append(open, pauseFor(time.Duration(3-i)*time.Hour).Begin(nil, []string{scope}).Records...)
	}
	k := newKernel(t, Config{})
	k.SetPauses(open)
	var got []string
	for _, at := range []time.Duration{time.Hour - 1, time.Hour, 3*time.Hour - 1, 3 * time.Hour} {
		o := k.Next(t0.Add(at))
		for i, r := range o.Batch.Records {
			got = append(got, fmt.Sprintf("%s: %s %d %t", at, r.Key, r.Rev, r.Open), o.Batch.Lines[i].Text)
		}
	}
	want := []string{
		"1h0m0s: pause:cluster/c/1 2 false",
		"the pause of cluster/c is over; it was paused by o@h until 2026-11-21 10:00:00 UTC: moving",
		"2h59m59.999999999s: pause:cluster/b/1 2 false",
		"the pause of cluster/b is over; it was paused by o@h until 2026-11-21 11:00:00 UTC: moving",
		"3h0m0s: pause:cluster/a/1 2 false",
		"the pause of cluster/a is over; it was paused by o@h until 2026-11-21 12:00:00 UTC: moving",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}
