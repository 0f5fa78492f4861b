package lease

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/journal"
)

func at(seconds float64) time.Time { return start.Add(time.Duration(seconds * float64(time.Second))) }

// holding is a keeper named x that has looked at the start and has then claimed each scope at its second.
func holding(scopes map[string]float64) *Keeper {
	var names []string
	for scope := range scopes {
		names = append(names, scope)
	}
	slices.Sort(names)
	k := New("x", names, Serve())
	k.Read(nil, start)
	for _, scope := range names {
		claim := Claim{Is: journal.Lease{Scope: scope, Holder: "x", Fence: 1, Beat: 1, For: 10 * time.Second, At: at(scopes[scope])}}
		k.Claimed(claim, at(scopes[scope]), nil, at(scopes[scope]))
	}
	return k
}

// due is what a keeper wants to do: when it asks again, and the scopes that it claims.
func due(k *Keeper, second float64) (look bool, scopes []string, again time.Duration) {
	look, claims, next := k.Due(at(second))
	for _, c := range claims {
		scopes = append(scopes, c.Is.Scope)
	}
	return look, scopes, next.Sub(start)
}

func TestThePacesAreThoseOfTheDocuments(t *testing.T) {
	if got, want := Serve(), (Pace{For: 10 * time.Second, Beat: 3 * time.Second, Look: 2 * time.Second}); got != want {
		t.Errorf("serve: %+v", got)
	}
	if got, want := Pass(), (Pace{For: 12 * time.Second, Beat: 3 * time.Second, Look: time.Hour}); got != want {
		t.Errorf("pass: %+v", got)
	}
}

func TestWhenTheScopesChangeTheLeasesAreLookedAtFirst(t *testing.T) {
	k := holding(map[string]float64{"a": 0, "b": 0})
	k.Concern([]string{"a", "b"})
	if look, _, _ := due(k, 1); look {
		t.Error("the same scopes: it looks again")
	}
	k.Concern([]string{"a", "c"})
	if look, claims, _ := due(k, 1); !look || claims != nil {
		t.Errorf("other scopes: look %t, claims %v", look, claims)
	}
	k.Read(nil, at(1))
	if _, claims, _ := due(k, 1); !slices.Equal(claims, []string{"a", "c"}) {
		t.Errorf("other scopes: claims %v", claims)
	}
}

func TestAfterAFailureItLooksAgainAfterHalfThePauseBetweenLooks(t *testing.T) {
	k := holding(map[string]float64{"a": 0})
	claim := Claim{Is: journal.Lease{Scope: "a", Holder: "x"}}
	k.Claimed(claim, at(4), errors.New("no answer"), at(5))
	if look, claims, again := due(k, 5.9); look || claims != nil || again != 6*time.Second {
		t.Errorf("look %t, claims %v, again after %s", look, claims, again)
	}
	if look, claims, _ := due(k, 6); !look || claims != nil {
		t.Errorf("look %t, claims %v", look, claims)
	}
}

func TestWhatIsDue(t *testing.T) {
	other := journal.Lease{Scope: "z", Holder: "y", Fence: 3, Beat: 7, For: 10 * time.Second, At: start}
	type since = map[string]float64
	others := []journal.Lease{other}
	for name, test := range map[string]struct {
		scopes since
		others []journal.Lease
		second float64
		look   bool
		claims []string
		again  time.Duration
	}{
		"our leases are renewed after the pause":             {scopes: since{"a": 0}, second: 3, claims: []string{"a"}, again: 6 * time.Second},
		"a lease is not renewed earlier":                     {scopes: since{"a": 1}, second: 3, again: 4 * time.Second},
		"the first renewal counts":                           {scopes: since{"a": 2, "b": 1, "c": 3}, second: 3, again: 4 * time.Second},
		"without leases of others there is no look":          {scopes: since{"a": 9}, second: 10, again: 12 * time.Second},
		"leases of others are looked at after their pause":   {others: others, second: 1, again: 2 * time.Second},
		"and then at once":                                   {others: others, second: 2, look: true, again: 2 * time.Second},
		"a look comes before a later renewal":                {scopes: since{"a": 1}, others: others, second: 1, again: 2 * time.Second},
		"a renewal that is due comes before a look":          {scopes: since{"a": 0}, others: others, second: 3, claims: []string{"a"}, again: 2 * time.Second},
		"a renewal before the look leaves the look its time": {scopes: since{"a": -3}, others: others, second: 1, claims: []string{"a"}, again: 2 * time.Second},
	} {
		k := holding(test.scopes)
		for _, l := range test.others {
			k.scopes = append(k.scopes, l.Scope)
			k.stored[l.Scope] = seen{lease: l, since: start}
		}
		look, claims, again := due(k, test.second)
		if look != test.look || !slices.Equal(claims, test.claims) || again != test.again {
			t.Errorf("%s: look %t, claims %v, again after %s", name, look, claims, again)
		}
	}
}

func TestWhatIsStored(t *testing.T) {
	was := journal.Lease{Scope: "a", Holder: "y", Fence: 3, Beat: 7, For: 12 * time.Second, At: at(-100)}
	k := New("x", []string{"a"}, Serve())
	k.Read([]journal.Lease{was}, start)
	want := journal.Lease{Scope: "a", Holder: "x", Fence: 4, Beat: 8, For: 10 * time.Second, At: at(1)}
	_, claims, _ := k.Due(at(1))
	if len(claims) != 1 || claims[0] != (Claim{was, want}) {
		t.Fatalf("taken over: %+v", claims)
	}
	k.Claimed(claims[0], at(1), nil, at(1))
	renewed := want
	renewed.Beat, renewed.At = 9, at(4)
	if _, claims, _ = k.Due(at(4)); len(claims) != 1 || claims[0] != (Claim{want, renewed}) {
		t.Errorf("renewed: %+v", claims)
	}
	given := renewed
	given.Holder, given.At = "", at(4)
	if claims = k.Release(at(4)); len(claims) != 1 || claims[0] != (Claim{want, given}) {
		t.Errorf("given up: %+v", claims)
	}
}

func TestOnlyOurOwnLeasesAreGivenUp(t *testing.T) {
	k := New("x", []string{"a", "b"}, Serve())
	k.Read([]journal.Lease{{Scope: "a", Holder: "y", For: 10 * time.Second, At: start}}, start)
	if claims := k.Release(start); claims != nil {
		t.Errorf("gives up %+v", claims)
	}
}

func TestWhenALeaseIsFree(t *testing.T) {
	lease := journal.Lease{Scope: "a", Holder: "y", Fence: 3, Beat: 7, For: 10 * time.Second, At: start}
	for name, test := range map[string]struct {
		change func(*journal.Lease) // between the first look, at the start, and the second
		second float64              // of the second look
		asked  float64
		free   bool
	}{
		"the same beat for the lifetime is not enough":        {second: 5, asked: 10},
		"the same beat for longer is":                         {second: 5, asked: 10.001, free: true},
		"another beat counts from when it was seen":           {change: func(l *journal.Lease) { l.Beat++ }, second: 5, asked: 15},
		"and then for its lifetime":                           {change: func(l *journal.Lease) { l.Beat++ }, second: 5, asked: 15.001, free: true},
		"another fence counts from when it was seen":          {change: func(l *journal.Lease) { l.Fence++ }, second: 5, asked: 15},
		"another holder counts from when it was seen":         {change: func(l *journal.Lease) { l.Holder = "z" }, second: 5, asked: 15},
		"nobody holds it":                                     {change: func(l *journal.Lease) { l.Holder = "" }, second: 5, asked: 5, free: true},
		"its own clock says so, as far as clocks may differ":  {change: func(l *journal.Lease) { l.Beat, l.At = 8, at(-35) }, second: 5, asked: 5},
		"its own clock says so, and clocks do not explain it": {change: func(l *journal.Lease) { l.Beat, l.At = 8, at(-35.001) }, second: 5, asked: 5, free: true},
	} {
		k := New("x", []string{"a"}, Serve())
		k.Read([]journal.Lease{lease}, start)
		l := lease
		if test.change != nil {
			test.change(&l)
		}
		k.Read([]journal.Lease{l}, at(test.second))
		if free := k.free(k.stored["a"], at(test.asked)); free != test.free {
			t.Errorf("%s: free is %t", name, free)
		}
	}
}

func TestALeaseThatAnotherTookIsNotHeldAnyMore(t *testing.T) {
	k := holding(map[string]float64{"a": 0, "b": 0})
	mine := k.stored["b"].lease
	k.Read([]journal.Lease{{Scope: "a", Holder: "y", Fence: 2, Beat: 2, For: 10 * time.Second, At: at(1)}, mine}, at(1))
	if got := Text(k.Held(at(1))); got != "b" {
		t.Errorf("holds %q", got)
	}
}

func TestHeldForTwoThirdsOfALifetime(t *testing.T) {
	for range 20 { // of maps
		heldForTwoThirds(t, holding(map[string]float64{"a": 0, "b": 2, "c": 1}))
	}
}

func heldForTwoThirds(t *testing.T, k *Keeper) {
	t.Helper()
	both := Serve().For * 2 / 3
	for after, want := range map[time.Duration]string{both - 1: "a, b, c", both: "b, c", both + time.Second: "b", both + 2*time.Second: ""} {
		if got := Text(k.Held(start.Add(after))); got != want {
			t.Errorf("after %s it holds %q, want %q", after, got, want)
		}
	}
	for after, want := range map[time.Duration]time.Duration{0: both, both: both + time.Second, both + time.Second: both + 2*time.Second} {
		if got := k.Until(start.Add(after)); !got.Equal(start.Add(want)) {
			t.Errorf("after %s the first ends after %s, want %s", after, got.Sub(start), want)
		}
	}
	if got := k.Until(at(60)); !got.IsZero() {
		t.Errorf("nothing is held, but until %s", got)
	}
}

// What is held is compared with what a kernel works under: each with its fence, as long as it is certain.
func TestHolds(t *testing.T) {
	under := func(fence int64, scopes ...string) map[string]journal.Lease {
		some := map[string]journal.Lease{}
		for _, s := range scopes {
			some[s] = journal.Lease{Scope: s, Fence: fence}
		}
		return some
	}
	for _, tt := range []struct {
		name      string
		some      map[string]journal.Lease
		second    float64
		all, more bool
	}{
		{"the same", under(1, "a", "b"), 6, true, false},
		{"one of them", under(1, "a"), 6, true, true},
		{"none", nil, 6, true, true},
		{"one more than is held", under(1, "a", "b", "c"), 6, false, false},
		{"another", under(1, "c"), 6, false, true},
		{"under another fence", under(2, "a", "b"), 6, false, true},
		{"the first is not certain any more", under(1, "a", "b"), 7, false, false},
		{"only the other is asked for", under(1, "b"), 7, true, false},
		{"none is certain any more", under(1, "b"), 9, false, false},
	} {
		k := holding(map[string]float64{"a": 0, "b": 2})
		if all, more := k.Holds(tt.some, at(tt.second)); all != tt.all || more != tt.more {
			t.Errorf("%s: all %t, more %t", tt.name, all, more)
		}
	}
	k := holding(map[string]float64{"a": 0, "b": 2})
	for second, want := range map[float64]time.Time{6: at(0).Add(20 * time.Second / 3), 7: at(2).Add(20 * time.Second / 3), 9: {}} {
		if got := k.Until(at(second)); !got.Equal(want) {
			t.Errorf("at %v s: certain until %s, want %s", second, got, want)
		}
	}
}

// Elsewhere is what another Ebb holds and has not given up or lost.
func TestElsewhere(t *testing.T) {
	k := New("x", []string{"mine", "theirs", "free", "old"}, Serve())
	lease := func(scope, holder string, ago time.Duration) journal.Lease {
		return journal.Lease{Scope: scope, Holder: holder, Fence: 1, Beat: 1, For: 10 * time.Second, At: start.Add(-ago)}
	}
	k.Read([]journal.Lease{lease("mine", "x", 0), lease("theirs", "y", 0), lease("free", "", 0), lease("old", "y", time.Hour)}, start)
	for scope, want := range map[string]bool{"mine": false, "theirs": true, "free": false, "old": false, "unknown": false} {
		if got := k.Elsewhere(scope, at(1)); got != want {
			t.Errorf("%s is held elsewhere: %t", scope, got)
		}
	}
	if k.Elsewhere("theirs", at(11)) {
		t.Error("a lease that has run out is held elsewhere")
	}
}
