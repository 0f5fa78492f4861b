package journal_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/journal"
)

// lease is held by somebody.
func lease(scope, holder string, fence, beat int64) journal.Lease {
	at := start.Add(time.Duration(beat) * time.Second)
	return journal.Lease{Scope: scope, Holder: holder, Fence: fence, Beat: beat, For: 10 * time.Second, At: at}
}

func claim(t *testing.T, s journal.Store, was, is journal.Lease) {
	t.Helper()
	if err := s.Claim(t.Context(), was, is); err != nil {
		t.Fatalf("claim: %v", err)
	}
}

func leases(t *testing.T, s journal.Store) {
	var none journal.Lease
	same(t, "leases", []journal.Lease(nil))(s.Leases(t.Context()))
	b, a1, a2, a3, free := lease("b", "x", 1, 1), lease("a", "x", 1, 1), lease("a", "x", 1, 2), lease("a", "y", 2, 3), lease("a", "", 2, 4)
	claim(t, s, none, b)
	claim(t, s, none, a1)
	same(t, "leases", []journal.Lease{a1, b})(s.Leases(t.Context()))
	claim(t, s, a1, a2)
	for name, was := range map[string]journal.Lease{
		"none": none, "an older beat": a1, "a newer beat": lease("a", "x", 1, 3), "another fence": lease("a", "x", 2, 2),
	} {
		if err := s.Claim(t.Context(), was, a3); !errors.Is(err, journal.ErrConflict) {
			t.Errorf("claim over %s: error %v, want ErrConflict", name, err)
		}
	}
	if err := s.Claim(t.Context(), a2, lease("c", "x", 1, 1)); !errors.Is(err, journal.ErrConflict) {
		t.Errorf("claim of a scope without a lease over one: error %v, want ErrConflict", err)
	}
	claim(t, s, a2, a3)
	claim(t, s, a3, free)
	same(t, "leases", []journal.Lease{free, b})(s.Leases(t.Context()))
}

// firsts: a lease may begin with the fence 0 or the beat 0. It is another one than none, and both numbers count.
func firsts(t *testing.T, s journal.Store) {
	for _, first := range []journal.Lease{lease("a", "x", 1, 0), lease("b", "x", 0, 1)} {
		refused := func(what string, was, is journal.Lease) {
			t.Helper()
			if err := s.Claim(t.Context(), was, is); !errors.Is(err, journal.ErrConflict) {
				t.Errorf("fence %d, beat %d: claim over %s: error %v, want ErrConflict", first.Fence, first.Beat, what, err)
			}
		}
		next := lease(first.Scope, "y", 2, 2)
		refused("one that is not there", first, next)
		claim(t, s, journal.Lease{}, first)
		refused("none", journal.Lease{}, next)
		claim(t, s, first, next)
		refused("one that was there", first, lease(first.Scope, "z", 3, 3))
	}
	same(t, "leases", []journal.Lease{lease("a", "y", 2, 2), lease("b", "y", 2, 2)})(s.Leases(t.Context()))
}

// under: a holder that has been replaced writes nothing any more, and one that has only beaten does.
func under(t *testing.T, s journal.Store) {
	a, b := lease("a", "x", 1, 1), lease("b", "x", 3, 1)
	batch := func(under ...journal.Lease) journal.Batch {
		return journal.Batch{
			Under: under, Records: records(record("r", 1, true)), Lines: lines(line(0, "r")),
			Forwarded: []journal.Forwarded{{Scope: "c", ID: "m"}},
		}
	}
	conflict(t, s, batch(a))
	claim(t, s, journal.Lease{}, a)
	claim(t, s, journal.Lease{}, b)
	claim(t, s, a, lease("a", "x", 1, 2))
	conflict(t, s, batch(a, lease("b", "y", 3, 1)))
	conflict(t, s, batch(a, lease("b", "x", 2, 1)))
	conflict(t, s, batch(a, lease("b", "x", 4, 1)))
	conflict(t, s, batch(lease("c", "x", 1, 1)))
	for _, b := range []journal.Batch{{Under: []journal.Lease{a, lease("b", "y", 3, 1)}}, {Under: []journal.Lease{lease("b", "y", 3, 1)}}} {
		if err := s.Write(t.Context(), b); !errors.Is(err, journal.ErrConflict) {
			t.Errorf("a batch of nothing but %d leases: error %v, want ErrConflict", len(b.Under), err)
		}
	}
	same(t, "open records", records())(s.Open(t.Context()))
	same(t, "history", lines())(history(t, s, journal.Query{}))
	same(t, "forwarded messages", []journal.Forwarded(nil))(s.Forwarded(t.Context(), []string{"c"}))
	write(t, s, batch(a, b))
	same(t, "open records", records(record("r", 1, true)))(s.Open(t.Context()))
}

func forwarded(t *testing.T, s journal.Store) {
	n := func(scope, id string) journal.Forwarded {
		return journal.Forwarded{Scope: scope, ID: id, Body: "body of " + id, Sent: start}
	}
	write(t, s, journal.Batch{Forwarded: []journal.Forwarded{n("a", "2"), n("b", "1")}})
	write(t, s, journal.Batch{Forwarded: []journal.Forwarded{n("a", "1"), n("a", "2")}})
	write(t, s, journal.Batch{Forwarded: []journal.Forwarded{n("c", "2"), n("a", "3"), n("c", "1"), n("c", "2")}})
	same(t, "messages of one batch", []journal.Forwarded{n("c", "2"), n("c", "1")})(s.Forwarded(t.Context(), []string{"c"}))
	same(t, "messages for one scope", []journal.Forwarded{n("a", "2"), n("a", "1"), n("a", "3")})(s.Forwarded(t.Context(), []string{"a"}))
	same(t, "messages for no scope", []journal.Forwarded(nil))(s.Forwarded(t.Context(), nil))
	got, err := s.Forwarded(t.Context(), []string{"a", "b"})
	if err != nil || len(got) != 4 {
		t.Errorf("messages for two scopes: %v, error %v", got, err)
	}
	if err := s.Discard(t.Context(), []journal.Forwarded{n("a", "1"), n("a", "2"), n("b", "3"), n("a", "1")}); err != nil {
		t.Fatalf("discard: %v", err)
	}
	same(t, "messages that are left", []journal.Forwarded{n("a", "3")})(s.Forwarded(t.Context(), []string{"a"}))
	if err := s.Discard(t.Context(), nil); err != nil {
		t.Errorf("discard nothing: %v", err)
	}
	same(t, "messages for another scope", []journal.Forwarded{n("b", "1")})(s.Forwarded(t.Context(), []string{"b"}))
	write(t, s, journal.Batch{Forwarded: []journal.Forwarded{n("a", "1")}})
	same(t, "a message that came again", []journal.Forwarded{n("a", "3"), n("a", "1")})(s.Forwarded(t.Context(), []string{"a"}))
}

// claims lets eight holders on two handles claim one scope: for each fence exactly one must win.
func claims(t *testing.T, a, b journal.Store) {
	const holders, rounds = 8, 10
	var was journal.Lease
	for fence := int64(1); fence <= rounds; fence++ {
		onlyOne(t, holders, fmt.Sprintf("fence %d", fence), func(i int) error {
			return []journal.Store{a, b}[i%2].Claim(t.Context(), was, lease("raced", fmt.Sprint(i), fence, 1))
		})
		was = lease("raced", "", fence, 1)
	}
}

// onlyOne lets n writers try the same at once: one must win, and each other one must be refused with ErrConflict.
func onlyOne(t *testing.T, n int, what string, try func(i int) error) {
	t.Helper()
	var wg sync.WaitGroup
	errs := make(chan error, n)
	for i := range n {
		wg.Go(func() { errs <- try(i) })
	}
	wg.Wait()
	close(errs)
	won := 0
	for err := range errs {
		if err == nil {
			won++
		} else if !errors.Is(err, journal.ErrConflict) {
			t.Errorf("%s: error %v, want ErrConflict", what, err)
		}
	}
	if won != 1 {
		t.Errorf("%s: %d writers won, want 1", what, won)
	}
}

// steered is a word of an operator for whoever works for a scope, such as a pause: the command line writes it under no lease, with a
// message that says so, and replaces it, takes it back and gives it again.
func steered(t *testing.T, s journal.Store) {
	const scope, subject = "cluster/prod", "pause:cluster/prod"
	held := journal.Lease{Scope: scope, Holder: "a", Fence: 1, Beat: 1, For: time.Minute, At: start}
	if err := s.Claim(t.Context(), journal.Lease{}, held); err != nil {
		t.Fatal(err)
	}
	word := func(rev int64, open bool) journal.Record {
		return journal.Record{Key: subject + "/1", Scope: scope, Rev: rev, Open: open, Body: fmt.Appendf(nil, `{"kind":"pause","rev":%d}`, rev)}
	}
	said := journal.Forwarded{Scope: scope, ID: "pause", Sent: start}
	write(t, s, journal.Batch{Records: []journal.Record{word(1, true)}, Lines: []journal.Line{line(1, "")}, Forwarded: []journal.Forwarded{said}})
	write(t, s, journal.Batch{Records: []journal.Record{word(2, true)}, Lines: []journal.Line{line(2, "")}, Forwarded: []journal.Forwarded{said}})
	same(t, "the word", []journal.Record{word(2, true)})(s.Open(t.Context()))
	same(t, "what is said of it", []journal.Forwarded{said})(s.Forwarded(t.Context(), []string{scope}))
	for what, r := range map[string]journal.Record{"one that others replaced": word(2, false), "a second one": word(1, true)} {
		if err := s.Write(t.Context(), journal.Batch{Records: []journal.Record{r}}); !errors.Is(err, journal.ErrConflict) {
			t.Errorf("%s: %v, want a conflict", what, err)
		}
	}
	if err := s.Discard(t.Context(), []journal.Forwarded{said}); err != nil {
		t.Fatal(err)
	}
	write(t, s, journal.Batch{Under: []journal.Lease{held}, Records: []journal.Record{word(3, false)}}) // whoever works for the scope ends it
	same(t, "none", []journal.Record(nil))(s.Open(t.Context()))
	write(t, s, journal.Batch{Records: []journal.Record{word(1, true)}, Forwarded: []journal.Forwarded{said}})
	same(t, "the word, given again", []journal.Record{word(1, true)})(s.Open(t.Context()))
	same(t, "what is said of it again", []journal.Forwarded{said})(s.Forwarded(t.Context(), []string{scope}))
}
