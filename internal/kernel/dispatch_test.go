package kernel

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/event"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

// wish is an action that one drain wants done, tried for the last time some seconds after the start; negative: never.
func wish(key string, tried int, a plan.Action) batch {
	e := &entry{d: drain.Drain{Key: key}}
	if tried >= 0 {
		e.tried[a.Kind].Started = t0.Add(time.Duration(tried) * time.Second)
	}
	return batch{a, []*entry{e}}
}

func hookAction(kind plan.ActionKind, expiring bool) plan.Action {
	return plan.Action{Kind: kind, Hook: &plan.HookCall{Expiring: expiring}}
}

// asked are the drains for which requests were made, in order.
func asked(requests []plan.Request) (keys []string) {
	for _, r := range requests {
		if r.Action != nil {
			keys = append(keys, r.Action.Drain)
		}
	}
	return keys
}

func TestTheMostUrgentComesFirstAndThenWhoWasTriedLongestAgo(t *testing.T) {
	k := newKernel(t, Config{})
	acts := []batch{
		wish("beat", 5, hookAction(plan.Beat, false)), wish("answer late", 9, hookAction(plan.Answer, false)),
		wish("late", 30, hookAction(plan.Beat, true)), wish("answer", 7, hookAction(plan.Answer, false)), wish("first beat", -1, hookAction(plan.Beat, false)),
		wish("expiring", 20, hookAction(plan.Beat, true)),
	}
	got := k.dispatch(acts, t0.Add(time.Minute))
	if want := []string{"expiring", "late", "answer", "answer late", "first beat", "beat"}; !slices.Equal(asked(got), want) {
		t.Errorf("got %q, want %q", asked(got), want)
	}
	for _, b := range acts {
		if !b.entries[0].tried[b.action.Kind].Flying {
			t.Errorf("%s is not known to be under way", b.entries[0].d.Key)
		}
	}
	ids := map[int]bool{}
	for _, r := range got {
		if ids[r.ID] || r.ID <= 0 || k.flying[r.ID].ID != r.ID {
			t.Errorf("the request %d is there twice, or not known", r.ID)
		}
		ids[r.ID] = true
	}
}

func TestEveryDrainOfACallIsUnderWay(t *testing.T) {
	k := newKernel(t, Config{})
	acts := []batch{wish("a", -1, set("prod", "a")), wish("b", -1, set("prod", "b"))}
	if got := k.dispatch(acts, t0); len(got) == 0 || len(got[0].Action.State.ContainerInstances) != 2 {
		t.Fatalf("got %+v", got)
	}
	for _, b := range acts {
		if !b.entries[0].tried[plan.SetDraining].Flying {
			t.Errorf("%s is not known to be under way", b.entries[0].d.Key)
		}
	}
	late := []batch{wish("c", -1, set("prod", "c")), wish("d", -1, set("prod", "d"))}
	if got := asked(k.dispatch(late, t0.Add(spacing/2))); got != nil {
		t.Errorf("others are not waited for: %q", got)
	}
	for _, b := range late {
		if e := b.entries[0]; e.tried[plan.SetDraining].Flying || !e.wake.Equal(t0.Add(spacing/2+Moment)) {
			t.Errorf("%s wakes at %s", e.d.Key, e.wake)
		}
	}
}

// While too many requests are under way, a crowd decides again with the next answer, and the others a moment later. What is more urgent is
// not kept back by it.
func TestWhoWaitsForRoom(t *testing.T) {
	k := newKernel(t, Config{InFlight: 4})
	for range 4 {
		k.request(plan.Request{})
	}
	var acts []batch
	for i := range crowdMax + 2 {
		acts = append(acts, wish(fmt.Sprintf("%03d", i), -1, hookAction(plan.Beat, false)))
	}
	waiting := slices.Clone(acts)
	acts = append(acts, wish("answer", -1, hookAction(plan.Answer, false)), wish("late", -1, hookAction(plan.Beat, true)))
	if got := asked(k.dispatch(acts, t0)); !slices.Equal(got, []string{"late", "answer"}) {
		t.Errorf("got %q", got)
	}
	for i, b := range waiting {
		e := b.entries[0]
		if dirty := i < crowdMax; e.dirty != dirty || e.wake.IsZero() != dirty || !dirty && !e.wake.Equal(t0.Add(Moment)) {
			t.Fatalf("%d: decides with the next answer %t, wakes at %s", i, e.dirty, e.wake)
		}
	}
}

// Urgent calls that AWS throttles are held back together until one moment. What is asked for earlier than that stays so.
func TestUrgentCallsAreHeldBackTogether(t *testing.T) {
	k := newKernel(t, Config{})
	for range 20 {
		k.rates.settle(plan.AutoScaling, plan.Answering, 0, &plan.Failure{Class: plan.Throttled}, t0)
	}
	now := t0.Add(time.Millisecond)
	one, soon, later := wish("a", -1, hookAction(plan.Answer, false)), wish("b", 1, hookAction(plan.Answer, false)), wish("c", 2, hookAction(plan.Answer, false))
	soon.entries[0].wake, later.entries[0].wake = now.Add(1), now.Add(time.Hour)
	beat := wish("beat", -1, hookAction(plan.Beat, false))
	if got := asked(k.dispatch([]batch{one, soon, later, beat}, now)); !slices.Equal(got, []string{"beat"}) {
		t.Fatalf("got %q: only the answers are held back", got)
	}
	at := now.Add(Moment)
	for i, want := range []time.Time{at, now.Add(1), at} {
		if got := []batch{one, soon, later}[i].entries[0].wake; !got.Equal(want) {
			t.Errorf("%d wakes after %s, want %s", i, got.Sub(now), want.Sub(now))
		}
	}
	if !k.pacedTo[plan.Answering].Equal(at) || k.Counts["urgent calls paced"] != 3 {
		t.Errorf("held back until %s, counted %d", k.pacedTo[plan.Answering], k.Counts["urgent calls paced"])
	}
	last := wish("d", -1, hookAction(plan.Answer, false))
	if got := asked(k.dispatch([]batch{last}, at.Add(-1))); got != nil || !last.entries[0].wake.Equal(at) {
		t.Errorf("got %q, one that comes later wakes at %s, want %s", got, last.entries[0].wake, at)
	}
}

func TestAVerdictNamesTheDrainThatItBegan(t *testing.T) {
	k := newKernel(t, Config{})
	if v := verdict(t, k, termination(1), t0); v.Drain != "web/i-0001/token-00" {
		t.Errorf("got %+v", v)
	}
	for _, kind := range []event.Kind{event.LaunchAction, event.Ignored} {
		for _, x := range []struct{ leave, noted, del bool }{{false, false, true}, {true, false, false}, {true, true, true}} {
			k := newKernel(t, Config{LeaveForeign: x.leave})
			h := Heard{Event: event.Event{Kind: kind}, Message: event.Message{ID: "m"}, Noted: x.noted}
			if v := verdict(t, k, h, t0); v.Delete != x.del || v.Drain != "" {
				t.Errorf("%s, left %t, forwarded %t: %+v", kind, x.leave, x.noted, v)
			}
		}
	}
}

// A drain of which the journal takes no record is let go with the requests that act for it, and is not begun again.
func TestADrainThatIsLetGo(t *testing.T) {
	k := newKernel(t, Config{})
	for i := range 3 {
		k.Hear(termination(i), t0)
	}
	keys := map[string]string{}
	for _, e := range k.sorted {
		e.d.ContainerInstance = fleet.ARN("ci/" + e.d.Target.ID)
		keys[e.d.Target.ID] = e.d.Key
	}
	both, alone := set("prod", "ci/i-0000", "ci/i-0001"), set("prod", "ci/i-0001")
	mine, other := hookAction(plan.Beat, false), hookAction(plan.Beat, false)
	mine.Drain, other.Drain = keys["i-0001"], keys["i-0000"]
	var do []plan.Request
	for _, r := range []plan.Request{{Action: &both}, {Action: &alone}, {Action: &mine}, {Action: &other}, {Look: &plan.Look{}}} {
		do = append(do, k.request(r))
	}
	if got := k.LetGo("unheard of", slices.Clone(do), t0); len(got) != 5 {
		t.Errorf("%d requests are left", len(got))
	}
	got := k.LetGo(keys["i-0001"], slices.Clone(do), t0)
	if len(got) != 3 || got[0].ID != do[0].ID || got[1].ID != do[3].ID || got[2].ID != do[4].ID || len(k.flying) != 3 {
		t.Errorf("left %+v, %d are under way", got, len(k.flying))
	}
	if left := both.State.ContainerInstances; !slices.Equal(left, []fleet.ARN{"ci/i-0000"}) {
		t.Errorf("sets %v", left)
	}
	if k.Open() != 2 || len(k.sorted) != 2 || k.sorted[0].d.Key != keys["i-0000"] || k.sorted[1].d.Key != keys["i-0002"] {
		t.Errorf("%d are open", k.Open())
	}
	k.settle = nil
	if v := verdict(t, k, termination(1), t0); v.Delete || v.Why != "the journal takes no record of its drain" || k.Open() != 2 {
		t.Errorf("heard again: %+v", v)
	}
	if k.Counts["set aside drain"] != 1 {
		t.Errorf("counted %v", k.Counts)
	}
}

func TestADrainThatIsBegun(t *testing.T) {
	for _, pass := range []bool{false, true} {
		k := newKernel(t, Config{OnePass: pass})
		for i, id := range []string{"i-2", "i-1", "i-3"} {
			e := &entry{d: drain.Drain{Target: fleet.Target{Kind: fleet.Host, ID: id}, Zero: t0.Add(-time.Duration(i/2) * time.Second)}}
			if id == "i-1" {
				e.d.ContainerInstance = "ci/1"
			}
			k.begun(e)
			if tick := e.man.Policy.Tick; pass && tick != Tick || !pass && tick != 0 {
				t.Errorf("one pass %t: tick %s", pass, tick)
			}
		}
		var order []string
		for _, e := range k.sorted {
			order = append(order, e.d.Target.ID)
		}
		if want := []string{"i-3", "i-1", "i-2"}; !slices.Equal(order, want) {
			t.Errorf("got %v, want the oldest first", order)
		}
		if len(k.ownerOf) != 1 || k.ownerOf["ci/1"] != fleet.HostTarget("i-1") {
			t.Errorf("owners %v", k.ownerOf)
		}
	}
}

// Of a call for several hosts that has to wait, each of them decides again.
func TestEachDrainOfACallWaitsForRoom(t *testing.T) {
	k := newKernel(t, Config{InFlight: 1})
	k.request(plan.Request{})
	acts := []batch{wish("a", -1, set("prod", "a")), wish("b", -1, set("prod", "b"))}
	if got := k.dispatch(acts, t0); len(got) > 0 || !acts[0].entries[0].dirty || !acts[1].entries[0].dirty {
		t.Errorf("got %+v", got)
	}
}

// What is urgent and waits for room is not paced: it was not AWS that held it back.
func TestWaitingForRoomIsNoPace(t *testing.T) {
	k := newKernel(t, Config{InFlight: 1})
	k.request(plan.Request{})
	k.request(plan.Request{})
	var acts []batch
	for i := range crowdMax + 1 {
		acts = append(acts, wish(fmt.Sprintf("%03d", i), -1, hookAction(plan.Answer, false)))
	}
	last := acts[crowdMax].entries[0]
	if got := k.dispatch(acts, t0); len(got) > 0 || !last.wake.Equal(t0.Add(Moment)) || k.Counts["urgent calls paced"] != 0 {
		t.Errorf("got %d requests, the last wakes at %s, counted %v", len(got), last.wake, k.Counts)
	}
	clear(k.flying)
	again := wish("again", -1, hookAction(plan.Answer, false))
	if got := asked(k.dispatch([]batch{again}, t0)); !slices.Equal(got, []string{"again"}) {
		t.Errorf("when there is room again: %q", got)
	}
}

// Looks for which there are too few calls wait, with those behind them; looks at another API do not.
func TestLooksAtAnotherAPIDoNotWait(t *testing.T) {
	for name, x := range map[string]struct {
		inFlight, have int
		want           []string
	}{
		"enough calls":         {100, 50, []string{"groups: web", "tasks of prod: a", "instances: i-1", "tasks of test: b"}},
		"too few of ECS":       {100, 0, []string{"groups: web", "instances: i-1"}},
		"one of ECS":           {100, 1, []string{"groups: web", "tasks of prod: a", "instances: i-1"}},
		"room for two":         {3, 50, []string{"groups: web", "tasks of prod: a"}},
		"room for one at most": {1, 50, []string{"groups: web"}},
	} {
		k := newKernel(t, Config{InFlight: x.inFlight})
		k.rates.looking[plan.ECSRead] = &tokens{rate: Rate{Burst: 100}, have: float64(x.have)}
		e := &entry{}
		k.sorted = []*entry{e}
		for i, s := range []plan.Subject{
			{Kind: plan.Tasks, In: "prod", ID: "a"}, {Kind: plan.Instances, ID: "i-1"}, {Kind: plan.Tasks, In: "test", ID: "b"},
		} {
			e.wants = append(e.wants, wanted{a: k.ask(s), due: t0.Add(time.Duration(i) * time.Millisecond)})
		}
		var got []string
		for _, r := range k.look(t0.Add(sec)) {
			got = append(got, spelt(r))
		}
		if !slices.Equal(got, x.want) {
			t.Errorf("%s: %q, want %q", name, got, x.want)
		}
	}
}
