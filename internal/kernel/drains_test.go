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

// queue is group web of which one may leave: i-0001 has its slot, and ECS is asked to set it DRAINING; i-0002 waits for its turn.
func queue(t *testing.T) (k *Kernel, first, second *entry) {
	t.Helper()
	k = newKernel(t, budgeted(MaxUnavailable{Count: 1}))
	k.Hear(termination(1), t0)
	k.Hear(termination(2), t0)
	settle(k, cloud{fleet.Active}, t0)
	first, second = k.sorted[0], k.sorted[1]
	if first.d.Slot.IsZero() || second.d.Queued.IsZero() || !second.d.Slot.IsZero() {
		t.Fatalf("%+v and %+v", first.d, second.d)
	}
	return k, first, second
}

// A drain that is let go gives back a slot that it has not used. If its host leaves, or may leave, it keeps it until its hook must have
// ended.
func TestTheSlotOfADrainThatIsLetGo(t *testing.T) {
	alone := func(_ *Kernel, e *entry) { e.d.DrainingSince, e.tried[plan.SetDraining] = time.Time{}, drain.Try{} }
	active := func(k *Kernel, e *entry) {
		alone(k, e)
		ci := k.container(e.d.Target).Value
		ci.Status = fleet.Active
		put(k.facts, containerOf(e.d.Target), fleet.Seen, plus(time.Second), ci)
	}
	flying := func(k *Kernel, e *entry) {
		active(k, e)
		e.tried[plan.SetDraining].Flying = true
	}
	request := func(arns ...fleet.ARN) []plan.Request {
		look, beat, a := plan.LookFor(plan.Instances, "", "i-0009"), hookAction(plan.Beat, false), set("prod", arns...)
		return []plan.Request{{ID: 1001, Look: &look}, {ID: 1002, Action: &beat}, {ID: 1003, Action: &a}}
	}
	const mine = "arn/prod/i-0001"
	for name, x := range map[string]struct {
		given func(*Kernel, *entry)
		do    []plan.Request
		until time.Duration // its slot is free then
	}{
		"it has only its slot":    {active, request("other"), 0},
		"its host is DRAINING":    {func(*Kernel, *entry) {}, nil, 15 * time.Minute},
		"others set it DRAINING":  {alone, nil, 15 * time.Minute},
		"ECS was to be asked":     {flying, request("other", mine), 0},
		"ECS is asked":            {flying, nil, 15 * time.Minute},
		"ECS is asked of another": {flying, request("other"), 15 * time.Minute},
		"its hook was never seen": {func(k *Kernel, _ *entry) { delete(k.facts, hooksOf("web")) }, nil, 2 * time.Hour},
		"it is gone": {func(k *Kernel, e *entry) {
			put(k.facts, groupInstance(e.d.Target), fleet.Absent, plus(time.Second), fleet.GroupInstance{})
		}, nil, 0},
	} {
		k, first, second := queue(t)
		x.given(k, first)
		k.LetGo(first.d.Key, x.do, t0)
		if k.Open() != 1 || k.sorted[0] != second {
			t.Fatalf("%s: %d are open", name, k.Open())
		}
		begins := func(at time.Time) bool {
			k.Next(at)
			return !second.d.Slot.IsZero()
		}
		if x.until > 0 {
			for _, at := range []time.Time{plus(time.Second), plus(2 * time.Second), plus(x.until)} {
				if second.dirty = true; begins(at) {
					t.Errorf("%s: the next begins after %s", name, at.Sub(t0))
				}
			}
		}
		if !begins(plus(x.until + 1)) {
			t.Errorf("%s: the next does not begin after %s", name, x.until)
		}
	}
}

// A key that no open drain has lets none go.
func TestWhoIsLetGo(t *testing.T) {
	for i := range 3 {
		k := newKernel(t, Config{})
		for n := range 3 {
			k.Hear(termination(n), t0)
		}
		left := slices.Clone(k.sorted)
		k.LetGo(left[i].d.Key, nil, t0)
		if !slices.Equal(k.sorted, slices.Delete(left, i, i+1)) || k.Counts["set aside drain"] != 1 {
			t.Errorf("%d is let go: %d are open, counted %v", i, k.Open(), k.Counts)
		}
		a := hookAction(plan.Beat, false)
		do := k.LetGo("web/i-0009/token-00", []plan.Request{{ID: 7, Action: &a}}, t0)
		if len(do) != 1 || k.Open() != 2 || k.Counts["set aside drain"] != 1 {
			t.Errorf("a drain that is not open: %+v, %d are open, counted %v", do, k.Open(), k.Counts)
		}
	}
}

// How many are open, and how long the oldest of them has been; a drain may turn out to be older than it was taken for.
func TestTheOldestDrain(t *testing.T) {
	k := newKernel(t, Config{})
	if n, oldest := k.Oldest(plus(time.Minute)); len(n) != 0 || oldest != 0 {
		t.Errorf("none is open: %v, %s", n, oldest)
	}
	for i := range 3 {
		k.Hear(termination(i), t0)
	}
	for i, x := range []time.Duration{time.Minute, 4 * time.Minute, 2 * time.Minute} {
		k.sorted[i].d.Zero = plus(-x)
	}
	if n, oldest := k.Oldest(plus(time.Minute)); n["cluster/prod"] != 3 || oldest != 5*time.Minute {
		t.Errorf("%v, the oldest for %s, want 3 and 5m", n, oldest)
	}
}

// Pauses and drains are read whatever comes first, and what cannot be read of what has ended is left out.
func TestPausesAndDrainsAmongOpenRecords(t *testing.T) {
	pause := pauseFor(time.Hour).Begin(nil, []string{"cluster/prod"}).Records[0]
	garbage := journal.Record{Key: "web/i-0003/x", Body: []byte("{")}
	one, two := openRecord("web/i-0001/a", t0, nil), openRecord("web/i-0002/a", t0, nil)
	cfg := Config{Hook: "ebb-drain", Groups: []Managed{{Match: "web", Cluster: "prod", Policy: drain.Defaults()}}}
	k, err := New(cfg, []journal.Record{one, pause, two}, []journal.Record{garbage})
	if err != nil || k.Open() != 2 || len(k.Paused()) != 1 {
		t.Errorf("%d are open, paused %v, error %v", k.Open(), k.Paused(), err)
	}
	k.Hear(termination(3), t0)
	if k.Open() != 3 {
		t.Error("what cannot be read of a drain that has ended holds up a new one")
	}
}

// What was remembered for those who are told about a drain goes from one Ebb to the next.
func TestWhatIsToldOfADrainIsRemembered(t *testing.T) {
	cfg := Config{Hook: "ebb-drain", Groups: []Managed{{Match: "web", Cluster: "prod", Policy: drain.Defaults()}}}
	for body, want := range map[string]*telling{
		``: nil,
		`,"telling":{"moved":"2026-11-21T09:00:00Z"}`:              {Moved: t0},
		`,"telling":{"asked":"2026-11-21T09:00:00Z","told":["a"]}`: {Asked: t0, Told: []string{"a"}},
	} {
		body = `{"key":"web/i-0001/a","group":"web","instance":"i-0001","heard":"2026-11-21T09:00:00Z"` + body + `}`
		k, err := New(cfg, []journal.Record{{Key: "web/i-0001/a", Scope: "cluster/prod", Rev: 1, Open: true, Body: []byte(body)}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		k.sorted[0].fresh = true
		r := k.Next(t0).Batch.Records[0]
		got, err := read(r)
		if d := cmp.Diff(want, got.Telling); d != "" || err != nil {
			t.Errorf("%s became %s: error %v (-want +got)\n%s", body, r.Body, err, d)
		}
	}
}
