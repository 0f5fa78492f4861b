package lease

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/journal/memory"
)

var start = time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)

// ebb is one Ebb with a clock of its own.
type ebb struct {
	*Keeper
	skew  time.Duration
	next  time.Time // when it asks again, in true time
	dead  bool
	cut   bool // the journal cannot be reached
	after bool // what it writes arrives, but it never learns so
}

// turn does what is due at a time.
func (e *ebb) turn(t *testing.T, s journal.Store, now time.Time) {
	if e.dead || e.next.After(now) {
		return
	}
	mine := now.Add(e.skew)
	for range 10 {
		look, claims, again := e.Due(mine)
		e.next = again.Add(-e.skew)
		switch {
		case look && e.cut:
			e.Failed(mine)
		case look:
			all, err := s.Leases(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			e.Read(all, mine)
		case len(claims) == 0:
			return
		}
		for _, c := range claims {
			err := errors.New("the journal is away")
			if !e.cut || e.after {
				err = s.Claim(t.Context(), c.Was, c.Is)
				if e.after && err == nil {
					err = errors.New("no answer")
				}
			}
			if e.Claimed(c, mine, err, mine); err != nil {
				break
			}
		}
	}
}

func names(es []*ebb, scope string, now time.Time) []string {
	var holders []string
	for _, e := range es {
		if _, ok := e.Held(now.Add(e.skew))[scope]; ok {
			holders = append(holders, e.me)
		}
	}
	return holders
}

// Whatever happens to three Ebbs whose clocks are up to 30 s apart, no scope has two at a time; and when nothing has happened for 15 s,
// each has one that lives and reaches the journal.
func TestAScopeHasOneHolder(t *testing.T) {
	const calm = 15 * time.Second
	handed := 0
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		s := memory.New()
		scopes := []string{"cluster/prod", "group/web-*"}[:1+r.IntN(2)]
		var es []*ebb
		for i := range 3 {
			es = append(es, &ebb{Keeper: New(fmt.Sprintf("ebb-%d", i), scopes, Serve()), skew: time.Duration(r.IntN(30000)) * time.Millisecond})
		}
		last, since := "", start
		for now := start; now.Before(start.Add(5 * time.Minute)); now = now.Add(time.Duration(50+r.IntN(200)) * time.Millisecond) {
			if e := es[r.IntN(3)]; r.IntN(200) == 0 {
				since = later(since, now)
				switch r.IntN(5) {
				case 0, 1:
					e.dead = !e.dead
				case 2:
					e.cut = !e.cut
				case 3:
					e.after = !e.after
				case 4:
					e.next = now.Add(time.Duration(r.IntN(30)) * time.Second) // it hangs
					since = e.next
				}
			}
			well := false
			for _, e := range es {
				e.turn(t, s, now)
				well = well || !e.dead && !e.cut && !e.after
			}
			for _, scope := range scopes {
				holders := names(es, scope, now)
				if len(holders) > 1 {
					t.Fatalf("seed %d, %s: %s is held by %v", seed, now.Sub(start), scope, holders)
				}
				if well && len(holders) == 0 && now.Sub(since) > calm {
					t.Fatalf("seed %d, %s: %s is held by nobody %s after the latest trouble", seed, now.Sub(start), scope, now.Sub(since))
				}
				if len(holders) == 1 && holders[0] != last {
					last = holders[0]
					handed++
				}
			}
		}
	}
	if handed < 600 {
		t.Errorf("leases changed hands %d times, too seldom for a test of that", handed)
	}
}

func TestFencesRise(t *testing.T) {
	s := memory.New()
	var last int64
	for i := range 5 {
		e := &ebb{Keeper: New(fmt.Sprintf("ebb-%d", i), []string{"a"}, Serve())}
		now := start.Add(time.Duration(i) * time.Hour)
		e.turn(t, s, now)
		held := e.Held(now)
		if l := held["a"]; l.Holder != e.me || l.Fence <= last {
			t.Fatalf("holder %d: %+v after fence %d", i, l, last)
		}
		last = held["a"].Fence
	}
}

// What is given up is taken at the next look, and the fence rises all the same.
func TestReleaseHandsOverAtOnce(t *testing.T) {
	s := memory.New()
	scopes := []string{"a", "b"}
	x, y := &ebb{Keeper: New("x", scopes, Serve())}, &ebb{Keeper: New("y", scopes, Serve())}
	x.turn(t, s, start)
	y.turn(t, s, start)
	if got := Text(x.Held(start)); got != "a, b" || len(y.Held(start)) != 0 {
		t.Fatalf("x holds %q, y %q", got, Text(y.Held(start)))
	}
	for _, c := range x.Release(start.Add(time.Second)) {
		err := s.Claim(t.Context(), c.Was, c.Is)
		if err != nil {
			t.Fatal(err)
		}
		x.Claimed(c, start.Add(time.Second), nil, start.Add(time.Second))
	}
	x.dead = true
	at := start.Add(3 * time.Second)
	y.turn(t, s, at)
	if held := y.Held(at); Text(held) != "a, b" || held["a"].Fence != 2 || len(x.Held(at)) != 0 {
		t.Errorf("y holds %q, x %q", Text(held), Text(x.Held(at)))
	}
}

// With the pace of serve nobody waits longer than 15 s for a dead holder.
func TestADeadHolderIsFollowedWithin15Seconds(t *testing.T) {
	var took []time.Duration
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 2))
		s := memory.New()
		x, y := &ebb{Keeper: New("x", []string{"a"}, Serve())}, &ebb{Keeper: New("y", []string{"a"}, Serve()), skew: -20 * time.Second}
		died := start.Add(time.Duration(5000+r.IntN(10000)) * time.Millisecond)
		for now := start; ; now = now.Add(time.Duration(10+r.IntN(50)) * time.Millisecond) {
			x.dead = now.After(died)
			x.turn(t, s, now)
			y.turn(t, s, now)
			if len(names([]*ebb{y}, "a", now)) == 1 {
				took = append(took, now.Sub(died))
				break
			}
		}
	}
	slices.Sort(took)
	if took[0] < 0 || took[len(took)-1] > 15*time.Second {
		t.Errorf("it took %s to %s, want at most 15s", took[0], took[len(took)-1])
	}
	t.Logf("median %s, longest %s", took[len(took)/2], took[len(took)-1])
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
