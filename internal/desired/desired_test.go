package desired

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ebbhq/ebb/internal/fleet"
)

var policy = Policy{Lag: 10 * time.Second, Limit: 5 * time.Second, Fresh: 5 * time.Second, Skew: 30 * time.Second}

func after(seconds int) time.Time { return t0.Add(time.Duration(seconds) * time.Second) }

// seen is a look that began at a second and saw a count.
func seen(second, count int) fleet.Fact[int] {
	return fleet.Fact[int]{Is: fleet.Seen, At: after(second), Value: count}
}

// raised is a service whose count of 10 is raised by 1 for a minute, and the call has been answered at second 2.
func raised() Entry {
	e := Entry{}.Raise(Raise{Who: "a", By: 1, Until: after(60)})
	e, _ = e.Decide(seen(0, 10), policy, after(1))
	return e.Did(e.Write, Done, policy, after(2))
}

func TestARaiseIsSetAndPutBack(t *testing.T) {
	e, s := Entry{}.Decide(fleet.Fact[int]{}, policy, t0)
	if s.Set || !s.Look.IsZero() || !e.Over(t0) {
		t.Fatalf("nothing is wanted: %+v, %+v", e, s)
	}
	e = e.Raise(Raise{Who: "a", By: 1, Until: after(60)})
	if _, s = e.Decide(fleet.Fact[int]{}, policy, t0); s.Set || !s.Look.Equal(t0) {
		t.Fatalf("unknown is never zero: %+v", s)
	}
	e, s = e.Decide(seen(0, 10), policy, after(1))
	if !s.Set || e.Write.To != 11 || !s.Again.Equal(after(60)) {
		t.Fatalf("%+v, %+v", e, s)
	}
	e = e.Did(e.Write, Done, policy, after(2))
	if e, s = e.Decide(seen(0, 10), policy, after(3)); s.Set || s.Adopted || e.Count != 11 {
		t.Fatalf("an old look: %+v, %+v", e, s)
	}
	e, s = e.Decide(seen(0, 10), policy, after(60))
	if s.Set || !slices.Equal(s.Back, []string{"a"}) || !s.Look.Equal(after(60)) || len(e.Raises) > 0 || e.Over(after(60)) {
		t.Fatalf("it is put back on a new look only: %+v, %+v", e, s)
	}
	e, s = e.Decide(seen(61, 11), policy, after(61))
	if !s.Set || e.Write.To != 10 {
		t.Fatalf("%+v, %+v", e, s)
	}
	e = e.Did(e.Write, Done, policy, after(62))
	if e.Over(after(71)) || !e.Over(after(72)) {
		t.Error("it is remembered until a look can show the count as it is")
	}
}

// Two hosts get their notices within seconds, and no look can show the first raise yet.
func TestASecondRaiseNeedsNotWaitForALook(t *testing.T) {
	e := raised().Raise(Raise{Who: "b", By: 2})
	e, s := e.Decide(seen(3, 10), policy, after(4))
	if !s.Set || e.Write.To != 13 {
		t.Fatalf("%+v, %+v", e, s)
	}
	e = e.Did(e.Write, Done, policy, after(5))
	e, s = e.Decide(seen(60, 13), policy, after(60))
	if !s.Set || e.Write.To != 12 || !slices.Equal(s.Back, []string{"a"}) {
		t.Fatalf("%+v, %+v", e, s)
	}
	e = e.Did(e.Write, Done, policy, after(61)).Drop("b", after(62))
	if e, s = e.Decide(seen(60, 13), policy, after(62)); !s.Set || e.Write.To != 10 {
		t.Fatalf("%+v, %+v", e, s)
	}
}

// What became of a call is looked at, late enough, before anything else is set.
func TestAnUnclearCall(t *testing.T) {
	e := Entry{}.Raise(Raise{Who: "a", By: 1})
	e, _ = e.Decide(seen(0, 10), policy, after(1))
	e = e.Did(e.Write, Unclear, policy, after(6))
	for name, x := range map[string]struct {
		look    fleet.Fact[int]
		want    Entry
		set     bool
		adopted bool
	}{
		"no look":        {fleet.Fact[int]{At: after(20)}, e, false, false},
		"a look too old": {seen(15, 7), e, false, false},
		"it was done":    {seen(16, 11), Entry{Base: 10, Count: 11, Sure: after(16), Raises: e.Raises}, false, false},
		"it was not": {seen(16, 10), Entry{
			Base: 10, Count: 10, Sure: after(16), Write: Write{To: 11, At: after(20)}, Raises: []Raise{{Who: "a", By: 1, In: after(20)}},
		}, true, false},
		"somebody else": {seen(16, 3), Entry{
			Base: 3, Count: 3, Sure: after(16), Raises: []Raise{{Who: "a", By: 1, In: after(1), Void: true}},
		}, false, true},
		"it is gone": {fleet.Fact[int]{Is: fleet.Absent, At: after(16)}, Entry{}, false, false},
	} {
		got, s := e.Decide(x.look, policy, after(20))
		if diff := cmp.Diff(x.want, got); diff != "" || s.Set != x.set || s.Adopted != x.adopted || s.Gone != (name == "it is gone") {
			t.Errorf("%s: %+v\n%s", name, s, diff)
		}
		if open := !got.Write.At.IsZero() && !s.Set; open != s.Look.Equal(after(16)) {
			t.Errorf("%s: the next look is at %v", name, s.Look)
		}
	}
}

func TestWhatSomebodyElseSetsStands(t *testing.T) {
	for _, count := range []int{0, 1, 9, 10, 12, 50} {
		e, s := raised().Raise(Raise{Who: "late", By: 3}).Decide(seen(20, count), policy, after(21))
		want := count + 3
		if count == 0 {
			want = 0 // somebody has stopped it
		}
		if !s.Adopted || !slices.Equal(s.Void, []string{"a"}) || e.Base != count || s.Set != (count > 0) || s.Set && e.Write.To != want {
			t.Fatalf("%d: %+v, %+v", count, e, s)
		}
		e = e.Did(e.Write, Done, policy, after(22)).Raise(Raise{Who: "a", By: 1}).Drop("late", after(70))
		e, s = e.Decide(seen(70, want), policy, after(70))
		if s.Set != (count > 0) || s.Set && e.Write.To != count || slices.Contains(s.Back, "a") {
			t.Errorf("%d: %+v, %+v", count, e, s)
		}
		if e = e.Did(e.Write, Done, policy, after(71)); e.Count != count || !e.Over(after(90)) {
			t.Errorf("%d: %+v", count, e)
		}
	}
}

// An Ebb that lives for a pass of seconds each minute resumes its own entry: what was known a minute ago need not be waited for again.
func TestAnEntryOfAMinuteAgo(t *testing.T) {
	p := policy
	p.Skew = 0
	e := raised().Resume(p, after(60))
	if e, s := e.Decide(seen(60, 11), p, after(61)); !s.Set || e.Write.To != 10 {
		t.Errorf("it is put back at once: %+v, %+v", e, s)
	}
	noted, _ := raised().Raise(Raise{Who: "b", By: 2}).Decide(seen(3, 10), p, after(4))
	if e, s := noted.Resume(p, after(62)).Decide(seen(62, 13), p, after(62)); !e.Write.At.IsZero() && !s.Set || e.Count != 13 {
		t.Errorf("what became of the call is known: %+v, %+v", e, s)
	}
}

// What is missing on Spot changes, and the raise with it.
func TestARaiseThatGrowsAndShrinks(t *testing.T) {
	p := policy
	p.FromZero = true
	e := Entry{}
	for i, by := range []int{2, 5, 5, 3} {
		at := 20 * i
		before := e.Count
		var s Step
		e, s = e.Raise(Raise{Who: "spot/web", By: by}).Decide(seen(at, before), p, after(at))
		if s.Set != (before != by) || s.Adopted || e.Raised() != by {
			t.Fatalf("%d: %+v, %+v", by, e, s)
		}
		e = e.Did(e.Write, Done, p, after(at+1))
	}
	e, s := e.Drop("spot/web", after(80)).Decide(seen(80, 3), p, after(80))
	if !s.Set || e.Write.To != 0 {
		t.Errorf("%+v, %+v", e, s)
	}
	if e, s = (Entry{}).Raise(Raise{Who: "a", By: 1}).Decide(seen(0, 0), policy, after(0)); s.Set {
		t.Errorf("somebody has stopped it: %+v, %+v", e, s)
	}
}

// A call that was refused is sent again, on a look that counts.
func TestARefusedCall(t *testing.T) {
	e := Entry{}.Raise(Raise{Who: "a", By: 1})
	e, _ = e.Decide(seen(0, 10), policy, after(1))
	first := e.Write
	e = e.Did(first, Refused, policy, after(2))
	if next, s := e.Decide(seen(0, 10), policy, after(3)); !s.Set || next.Write.To != 11 || next.Write.At.Equal(first.At) {
		t.Errorf("%+v, %+v", next, s)
	} else if again := next.Did(first, Done, policy, after(4)); !cmp.Equal(again, next) {
		t.Errorf("the result of another call: %s", cmp.Diff(next, again))
	}
	if next, s := e.Decide(seen(0, 10), policy, after(5)); !s.Set {
		t.Errorf("on a look that is just new enough: %+v, %+v", next, s)
	}
	if next, s := e.Decide(seen(0, 10), policy, after(6)); s.Set || !s.Look.Equal(after(6)) {
		t.Errorf("on an old look: %+v, %+v", next, s)
	}
	// Somebody else sets the count: this raise was never in it, so it is still made.
	if next, s := e.Decide(seen(7, 4), policy, after(7)); !s.Set || next.Write.To != 5 || len(s.Void) > 0 {
		t.Errorf("%+v, %+v", next, s)
	}
}

// A second raise that was refused leaves the first as it was.
func TestARefusedCallOfTwoRaises(t *testing.T) {
	e, _ := raised().Raise(Raise{Who: "b", By: 2}).Decide(seen(3, 10), policy, after(4))
	e = e.Did(e.Write, Refused, policy, after(5))
	e, s := e.Decide(seen(20, 6), policy, after(20))
	if !s.Adopted || !slices.Equal(s.Void, []string{"a"}) || !s.Set || e.Write.To != 8 {
		t.Errorf("%+v, %+v", e, s)
	}
}

// A look that may lag behind our own call says nothing of what somebody else has set since.
func TestALookThatDoesNotCountIsNoReasonToSet(t *testing.T) {
	e := raised().Drop("a", after(13))
	if e, s := e.Decide(seen(11, 11), policy, after(13)); s.Set || !s.Look.Equal(after(13)) {
		t.Errorf("%+v, %+v", e, s)
	}
}

// The Ebb that stored the entry was ahead of the one that reads it, or behind it, and its call may still be under way.
func TestAnEntryOfAnotherEbb(t *testing.T) {
	for _, now := range []int{-28, 3, 32} {
		e := raised().Raise(Raise{Who: "b", By: 2}).Resume(policy, after(now))
		if e, s := e.Decide(seen(now+9, 10), policy, after(now+9)); s.Set || s.Adopted || s.Look.IsZero() {
			t.Errorf("%d: a look that may lag: %+v, %+v", now, e, s)
		}
		if e, s := e.Decide(seen(now+10, 11), policy, after(now+10)); !s.Set || e.Write.To != 13 {
			t.Errorf("%d: %+v, %+v", now, e, s)
		}
		noted, _ := raised().Raise(Raise{Who: "b", By: 2}).Decide(seen(3, 10), policy, after(4))
		e, s := noted.Resume(policy, after(now)).Decide(seen(now+14, 11), policy, after(now+14))
		if s.Set || !s.Look.Equal(after(now+15)) {
			t.Errorf("%d: the call may be under way: %+v, %+v", now, e, s)
		}
		e, s = e.Decide(seen(now+15, 6), policy, after(now+15))
		if !slices.Equal(s.Void, []string{"a", "b"}) || s.Set {
			t.Errorf("%d: %+v, %+v", now, e, s)
		}
		e, s = noted.Resume(policy, after(now)).Did(Write{To: 13, At: after(now)}, Refused, policy, after(now+1)).Decide(
			seen(now+15, 6), policy, after(now+15))
		if !slices.Equal(s.Void, []string{"a"}) || !s.Set || e.Write.To != 8 {
			t.Errorf("%d: %+v, %+v", now, e, s)
		}
	}
	if e := (Entry{}).Raise(Raise{Who: "a", By: 1}); !cmp.Equal(e, e.Resume(policy, after(5))) {
		t.Errorf("%+v", e.Resume(policy, after(5)))
	}
}

func TestLimitsOfARaise(t *testing.T) {
	for _, x := range []struct{ base, by, most, want int }{
		{10, 1, 0, 11}, {10, 5, 12, 12}, {10, 5, 10, 10}, {10, 5, 8, 10}, {0, 3, 0, 0}, {10, 0, 0, 10}, {10, -4, 0, 10},
	} {
		p := policy
		p.Max = x.most
		e, s := Entry{}.Raise(Raise{Who: "a", By: x.by}).Decide(seen(0, x.base), p, after(1))
		if (len(e.Raises) > 0) != (x.by > 0) {
			t.Errorf("%+v: %+v", x, e)
		}
		if s.Set != (x.want != x.base) || s.Set && e.Write.To != x.want {
			t.Errorf("%+v: %+v, %+v", x, e, s)
		}
	}
}

// Two raises of one call are void together, once.
func TestTwoRaisesInOneCall(t *testing.T) {
	e, s := Entry{}.Raise(Raise{Who: "a", By: 1}).Raise(Raise{Who: "b", By: 1}).Decide(seen(0, 10), policy, after(1))
	if !s.Set || e.Write.To != 12 {
		t.Fatalf("%+v, %+v", e, s)
	}
	e, s = e.Did(e.Write, Done, policy, after(2)).Decide(seen(20, 5), policy, after(20))
	if !s.Adopted || !slices.Equal(s.Void, []string{"a", "b"}) || s.Set {
		t.Fatalf("%+v, %+v", e, s)
	}
	e, s = e.Decide(seen(30, 7), policy, after(30))
	if !s.Adopted || len(s.Void) > 0 || e.Base != 7 || s.Set {
		t.Fatalf("%+v, %+v", e, s)
	}
}

func TestWhenTheNextRaiseEnds(t *testing.T) {
	for _, x := range []struct{ untils, want []int }{
		{nil, nil}, {[]int{0}, nil}, {[]int{0, 50}, []int{50}}, {[]int{50, 0}, []int{50}}, {[]int{50, 40}, []int{40}}, {[]int{40, 50}, []int{40}},
		{[]int{10, 50}, []int{50}},
	} {
		var e Entry
		for i, until := range x.untils {
			r := Raise{Who: string(rune('a' + i)), By: 1}
			if until > 0 {
				r.Until = after(until)
			}
			e = e.Raise(r)
		}
		_, s := e.Decide(fleet.Fact[int]{}, policy, after(10))
		if s.Again.IsZero() != (x.want == nil) || x.want != nil && !s.Again.Equal(after(x.want[0])) {
			t.Errorf("%v: %v", x.untils, s.Again)
		}
		if len(s.Back) > 0 {
			t.Errorf("%v: what was never made is taken back: %v", x.untils, s.Back)
		}
	}
}

func TestWhenAnEntryIsOver(t *testing.T) {
	rest := Entry{Base: 10, Count: 10, Sure: after(5)}
	for name, x := range map[string]struct {
		change func(*Entry)
		want   bool
	}{
		"at rest":           {func(*Entry) {}, true},
		"a raise":           {func(e *Entry) { e.Raises = []Raise{{Who: "a", By: 1, Void: true}} }, false},
		"an open call":      {func(e *Entry) { e.Write = Write{To: 10, At: after(4)} }, false},
		"not put back yet":  {func(e *Entry) { e.Count = 11 }, false},
		"looks may lag yet": {func(e *Entry) { e.Sure = after(6) }, false},
	} {
		e := rest
		x.change(&e)
		if e.Over(after(5)) != x.want {
			t.Errorf("%s: %v", name, !x.want)
		}
	}
}

func TestAResultOfNoCall(t *testing.T) {
	for _, e := range []Entry{{}, raised()} {
		if got := e.Did(Write{}, Done, policy, after(9)); !cmp.Equal(got, e) {
			t.Errorf("%+v", got)
		}
	}
	e, _ := Entry{}.Raise(Raise{Who: "a", By: 1}).Decide(seen(0, 10), policy, after(1))
	for _, w := range []Write{{To: 12, At: e.Write.At}, {To: 11, At: after(2)}, {}} {
		if got := e.Did(w, Done, policy, after(9)); !cmp.Equal(got, e) {
			t.Errorf("%+v: %+v", w, got)
		}
	}
}

// Whoever holds an entry keeps it as it was.
func TestAnEntryIsNotChangedByWhatIsDecided(t *testing.T) {
	e := raised().Raise(Raise{Who: "b", By: 2})
	e.Raises = slices.Grow(e.Raises, 4)
	before, _ := json.Marshal(e)
	e.Drop("a", after(9))
	e.Raise(Raise{Who: "c", By: 1})
	noted, _ := e.Decide(seen(3, 10), policy, after(4))
	kept, _ := json.Marshal(noted)
	noted.Did(noted.Write, Refused, policy, after(5))
	noted.Resume(policy, after(50))
	if now, _ := json.Marshal(noted); string(now) != string(kept) {
		t.Errorf("it was\n%s\nand is\n%s", kept, now)
	}
	e.Decide(seen(20, 3), policy, after(70))
	if now, _ := json.Marshal(e); string(now) != string(before) {
		t.Errorf("it was\n%s\nand is\n%s", before, now)
	}
}

// The names of the fields are in journals.
func TestTheFormInTheJournal(t *testing.T) {
	e := raised().Drop("a", after(30))
	e.Write, e.Raises[0].Void = Write{To: 10, At: after(31)}, true
	const want = `{"base":10,"count":11,"sure":"2026-11-21T09:00:12Z","told":"2026-11-21T09:00:02Z",` +
		`"write":{"to":10,"at":"2026-11-21T09:00:31Z"},` +
		`"raises":[{"who":"a","by":1,"until":"2026-11-21T09:00:30Z","in":"2026-11-21T09:00:01Z","void":true}]}`
	body, err := json.Marshal(e)
	if err != nil || string(body) != want {
		t.Errorf("%v, got\n%s\nwant\n%s", err, body, want)
	}
	var back Entry
	if err := json.Unmarshal(body, &back); err != nil || !cmp.Equal(back, e) {
		t.Errorf("%v, %s", err, cmp.Diff(e, back))
	}
	if body, _ = json.Marshal(Entry{}); string(body) != `{"base":0,"count":0}` {
		t.Errorf("%s", body)
	}
}
