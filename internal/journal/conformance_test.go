package journal_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/journal/memory"
	"github.com/ebbhq/ebb/internal/journal/sqlite"
)

// start is the time of the first line of each test. All tests of a process have the same, by the clock of the store.
var start time.Time

// TestConformance is the one suite that every journal.Store has to pass. It never looks into a store: it uses the interface alone. That in
// DynamoDB is tested in dynamodb_test.go.
func TestConformance(t *testing.T) {
	t.Run("memory", func(t *testing.T) {
		conforms(t, time.Now(), func(*testing.T) journal.Store { return memory.New() }, nil)
	})
	t.Run("sqlite", func(t *testing.T) {
		paths := map[journal.Store]string{}
		open := func(t *testing.T, path string) journal.Store {
			t.Helper()
			s, err := sqlite.Open(path, sqlite.Options{})
			if err != nil {
				t.Fatal(err)
			}
			paths[s] = path
			return s
		}
		fresh := func(t *testing.T) journal.Store {
			t.Helper()
			return open(t, filepath.Join(t.TempDir(), "journal with ? and % and #.db"))
		}
		conforms(t, time.Now(), fresh, func(t *testing.T, s journal.Store) journal.Store { t.Helper(); return open(t, paths[s]) })
	})
}

// conforms tests a kind of store. Now is the time by the store's clock. Open makes a new, empty journal. Again opens one more handle on the
// same journal; it is nil where a journal has one handle only and ends with it.
func conforms(t *testing.T, now time.Time, open func(*testing.T) journal.Store, again func(*testing.T, journal.Store) journal.Store) {
	start = now.UTC().Truncate(time.Second).Add(1) // the nanosecond must survive
	one := map[string]func(*testing.T, journal.Store){
		"empty": empty, "round trip": roundTrip, "revisions": revisions, "atomic": allOrNothing, "twice in one batch": twice,
		"a key used again":       usedAgain,
		"one open for a subject": oneOpen, "order": order, "query": query, "large": large, "no aliasing": noAliasing, "cancelled": cancelled,
		"closed": closed, "refused": refused, "at the bounds": bounds,
		"leases": leases, "first leases": firsts, "under": under, "forwarded messages": forwarded, "many": many, "steered": steered,
		"writers race": func(t *testing.T, s journal.Store) { race(t, s, s) },
	}
	for name, test := range one {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			defer s.Close()
			test(t, s)
		})
	}
	if again == nil {
		return
	}
	t.Run("handles race", func(t *testing.T) {
		s := open(t)
		defer s.Close()
		other := again(t, s)
		defer other.Close()
		race(t, s, other)
		claims(t, s, other)
	})
	t.Run("reopen", func(t *testing.T) { reopen(t, open, again) })
}

func record(key string, rev int64, open bool) journal.Record {
	return journal.Record{Key: key, Scope: "prod", Rev: rev, Open: open, Body: []byte(`{"rev":` + fmt.Sprint(rev) + `}`)}
}

func line(n int, key string) journal.Line {
	at := start.Add(time.Duration(n) * time.Minute)
	return journal.Line{At: at, Key: key, Kind: "heard", Text: fmt.Sprintf("line %d", n), Data: []byte(`{}`)}
}

func write(t *testing.T, s journal.Store, b journal.Batch) {
	t.Helper()
	if err := s.Write(t.Context(), b); err != nil {
		t.Fatalf("write: %v", err)
	}
}

func same[T any](t *testing.T, what string, want T) func(T, error) {
	t.Helper()
	return func(got T, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: (-want +got)\n%s", what, d)
		}
	}
}

func records(rs ...journal.Record) []journal.Record { return rs }

// history reads lines, sees that their numbers rise, and takes the numbers off: which they are is the store's affair.
func history(t *testing.T, s journal.Store, q journal.Query) ([]journal.Line, error) {
	t.Helper()
	ls, err := s.History(t.Context(), q)
	last := q.After
	for i := range ls {
		if ls[i].Seq <= last {
			t.Errorf("line %d has number %d, after %d", i, ls[i].Seq, last)
		}
		last, ls[i].Seq = ls[i].Seq, 0
	}
	return ls, err
}

func lines(ls ...journal.Line) []journal.Line { return ls }

func empty(t *testing.T, s journal.Store) {
	write(t, s, journal.Batch{})
	same(t, "open records", records())(s.Open(t.Context()))
	same(t, "recent records", records())(s.Recent(t.Context(), 10))
	same(t, "history", lines())(history(t, s, journal.Query{}))
}

func roundTrip(t *testing.T, s journal.Store) {
	r, l := record("a", 1, true), line(0, "a")
	bare := journal.Line{At: start, Kind: "told"}
	write(t, s, journal.Batch{Records: records(r), Lines: []journal.Line{l, bare}})
	same(t, "open records", records(r))(s.Open(t.Context()))
	same(t, "history", lines(l, bare))(history(t, s, journal.Query{}))
}

func revisions(t *testing.T, s journal.Store) {
	for _, wrong := range []int64{0, -1, 2, 7} {
		conflict(t, s, journal.Batch{Records: records(record("a", wrong, true))})
	}
	write(t, s, journal.Batch{Records: records(record("a", 1, true))})
	for _, wrong := range []int64{0, 1, 3} {
		conflict(t, s, journal.Batch{Records: records(record("a", wrong, true))})
	}
	write(t, s, journal.Batch{Records: records(record("a", 2, true))})
	same(t, "open records", records(record("a", 2, true)))(s.Open(t.Context()))
	write(t, s, journal.Batch{Records: records(record("a", 3, false))})
	same(t, "open records after the end", records())(s.Open(t.Context()))
	same(t, "recent records", records(record("a", 3, false)))(s.Recent(t.Context(), 10))
}

// usedAgain: a record that has ended has no further revision, but its key may be used for a new record, in a later batch.
func usedAgain(t *testing.T, s journal.Store) {
	write(t, s, journal.Batch{Records: records(record("web/i-1/a", 1, true), record("web/i-2/a", 1, false))})
	write(t, s, journal.Batch{Records: records(record("web/i-1/a", 2, false))})
	for _, wrong := range []journal.Record{record("web/i-1/a", 3, true), record("web/i-1/a", 3, false), record("web/i-2/a", 2, true)} {
		conflict(t, s, journal.Batch{Records: records(wrong)})
	}
	again := record("web/i-1/a", 1, true)
	again.Body = []byte(`{"again":true}`)
	write(t, s, journal.Batch{Records: records(again)})
	same(t, "open records", records(again))(s.Open(t.Context()))
	conflict(t, s, journal.Batch{Records: records(record("web/i-1/b", 1, true))})
	conflict(t, s, journal.Batch{Records: records(record("web/i-1/a", 2, false), record("web/i-1/a", 1, true))})
	conflict(t, s, journal.Batch{Records: records(record("web/i-3/a", 1, false), record("web/i-3/a", 1, false))})
	conflict(t, s, journal.Batch{Records: records(record("web/i-3/a", 1, false), record("web/i-3/a", 2, true))})
	again.Rev, again.Open = 2, false
	write(t, s, journal.Batch{Records: records(again)})
	same(t, "open records", records())(s.Open(t.Context()))
	same(t, "recent records", records(again, record("web/i-2/a", 1, false)))(s.Recent(t.Context(), 0))
	same(t, "the most recent", records(again, record("web/i-2/a", 1, false)))(s.Recent(t.Context(), 2))
	write(t, s, journal.Batch{Records: records(record("web/i-2/a", 1, false))})
	same(t, "recent records", records(record("web/i-2/a", 1, false), again))(s.Recent(t.Context(), 0))
}

// oneOpen: a second drain of the same subject has to wait until the first has ended, whatever it is called.
func oneOpen(t *testing.T, s journal.Store) {
	write(t, s, journal.Batch{Records: records(record("web/i-1/a", 1, true), record("web/i-2/a", 1, true), record("web/i-1/a/a", 1, true))})
	conflict(t, s, journal.Batch{Records: records(record("web/i-1/b", 1, true)), Lines: []journal.Line{line(0, "web/i-1/b")}})
	conflict(t, s, journal.Batch{Records: records(record("web/i-3/a", 1, true), record("web/i-3/b", 1, true))})
	write(t, s, journal.Batch{Records: records(record("web/i-1/c", 1, false), record("web/i-1/a", 2, true), record("web/i-10/a", 1, true))})
	write(t, s, journal.Batch{Records: records(record("web/i-1/a", 3, false), record("web/i-1/b", 1, true))})
	left := records(record("web/i-1/a/a", 1, true), record("web/i-1/b", 1, true), record("web/i-10/a", 1, true), record("web/i-2/a", 1, true))
	conflict(t, s, journal.Batch{Records: records(record("web/i-1/d", 1, false), record("web/i-1/b", 1, false))})
	same(t, "open records", left)(s.Open(t.Context()))
	same(t, "history", lines())(history(t, s, journal.Query{}))
	write(t, s, journal.Batch{Records: records(record("web/i-4/a", 1, false), record("web/i-4/b", 1, false))})
	if ended, err := s.Recent(t.Context(), 2); err != nil || len(ended) != 2 || ended[0].Subject() != "web/i-4" || ended[1].Subject() != "web/i-4" {
		t.Errorf("two that ended at once: %v, error %v", ended, err)
	}
	for _, key := range []string{"task:prod/1/a", "task:prod/2/a", "odd", "even"} {
		write(t, s, journal.Batch{Records: records(record(key, 1, true))})
	}
	for _, beside := range []string{"task:prod/1/b", "odd/a"} {
		conflict(t, s, journal.Batch{Records: records(record(beside, 1, true))})
	}
	write(t, s, journal.Batch{Records: records(record("x/a", 1, true))})
	conflict(t, s, journal.Batch{Records: records(record("x", 1, true))})
}

func conflict(t *testing.T, s journal.Store, b journal.Batch) {
	t.Helper()
	if err := s.Write(t.Context(), b); !errors.Is(err, journal.ErrConflict) {
		t.Errorf("write of revision %d: error %v, want ErrConflict", b.Records[0].Rev, err)
	}
}

func allOrNothing(t *testing.T, s journal.Store) {
	write(t, s, journal.Batch{Records: records(record("b", 1, true))})
	conflict(t, s, journal.Batch{
		Records: records(record("a", 1, true), record("b", 1, true), record("c", 1, true)),
		Lines:   []journal.Line{line(0, "a")},
	})
	same(t, "open records", records(record("b", 1, true)))(s.Open(t.Context()))
	same(t, "history", lines())(history(t, s, journal.Query{}))
	write(t, s, journal.Batch{Records: records(record("a", 1, true)), Lines: []journal.Line{line(0, "a")}})
}

func twice(t *testing.T, s journal.Store) {
	write(t, s, journal.Batch{Records: records(record("a", 1, true), record("a", 2, true))})
	same(t, "open records", records(record("a", 2, true)))(s.Open(t.Context()))
	conflict(t, s, journal.Batch{Records: records(record("a", 3, true), record("a", 3, true))})
	same(t, "open records after a conflict", records(record("a", 2, true)))(s.Open(t.Context()))
}

func order(t *testing.T, s journal.Store) {
	for i, key := range []string{"c", "a", "b"} {
		write(t, s, journal.Batch{Records: records(record(key, 1, true)), Lines: []journal.Line{line(-i, key)}})
	}
	same(t, "open records by key", records(record("a", 1, true), record("b", 1, true), record("c", 1, true)))(s.Open(t.Context()))
	for _, key := range []string{"b", "c", "a"} {
		write(t, s, journal.Batch{Records: records(record(key, 2, false))})
	}
	same(t, "recent records, newest first", records(record("a", 2, false), record("c", 2, false)))(s.Recent(t.Context(), 2))
	same(t, "the newest", records(record("a", 2, false)))(s.Recent(t.Context(), 1))
	same(t, "history as written", lines(line(0, "c"), line(-1, "a"), line(-2, "b")))(history(t, s, journal.Query{}))
}

func query(t *testing.T, s journal.Store) {
	var ls []journal.Line
	for n, key := range []string{"a", "b", "a", "", "a"} {
		ls = append(ls, line(n, key))
	}
	write(t, s, journal.Batch{Lines: ls})
	all := lines(ls...)
	stored, err := s.History(t.Context(), journal.Query{})
	if err != nil || len(stored) != len(all) {
		t.Fatalf("%d lines, error %v", len(stored), err)
	}
	for _, c := range []struct {
		name string
		q    journal.Query
		want []journal.Line
	}{
		{"all", journal.Query{}, all},
		{"key", journal.Query{Key: "a"}, []journal.Line{all[0], all[2], all[4]}},
		{"since is inclusive", journal.Query{Since: all[2].At}, all[2:]},
		{"since the nanosecond after", journal.Query{Since: all[2].At.Add(1)}, all[3:]},
		{"since in another zone", journal.Query{Since: all[2].At.In(time.FixedZone("", 7200))}, all[2:]},
		{"after is exclusive", journal.Query{After: stored[1].Seq}, all[2:]},
		{"limit keeps the newest", journal.Query{Limit: 2}, all[3:]},
		{"limit of a key", journal.Query{Key: "a", Limit: 2}, []journal.Line{all[2], all[4]}},
		{"all at once", journal.Query{Key: "a", Since: all[1].At, After: stored[0].Seq, Limit: 1}, all[4:]},
		{"none", journal.Query{Key: "z"}, nil},
	} {
		same(t, c.name, c.want)(history(t, s, c.q))
	}
}

func large(t *testing.T, s journal.Store) {
	r, l := record("a", 1, true), line(0, "a")
	r.Body, l.Data = bytes.Repeat([]byte("x"), journal.MaxBody), bytes.Repeat([]byte{0, 255}, journal.MaxBody/2)
	write(t, s, journal.Batch{Records: records(r), Lines: []journal.Line{l}})
	got, err := s.Open(t.Context())
	if err != nil || len(got) != 1 || !bytes.Equal(got[0].Body, r.Body) {
		t.Errorf("a large body came back as %d records, error %v", len(got), err)
	}
	lines, err := history(t, s, journal.Query{})
	if err != nil || len(lines) != 1 || !bytes.Equal(lines[0].Data, l.Data) {
		t.Errorf("large data came back as %d lines, error %v", len(lines), err)
	}
}

func noAliasing(t *testing.T, s journal.Store) {
	r, l := record("a", 1, true), line(0, "a")
	write(t, s, journal.Batch{Records: records(r), Lines: []journal.Line{l}})
	r.Body[0], l.Data[0] = '!', '!'
	got, _ := s.Open(t.Context())
	told, _ := history(t, s, journal.Query{})
	got[0].Body[0], told[0].Data[0] = '?', '?'
	same(t, "open records", records(record("a", 1, true)))(s.Open(t.Context()))
	same(t, "history", lines(line(0, "a")))(history(t, s, journal.Query{}))
}

// calls are all calls of a store, by name.
func calls(ctx context.Context, s journal.Store) map[string]error {
	errs := map[string]error{"write": s.Write(ctx, journal.Batch{Records: records(record("a", 1, true))})}
	_, errs["open records"] = s.Open(ctx)
	_, errs["recent records"] = s.Recent(ctx, 0)
	_, errs["history"] = s.History(ctx, journal.Query{})
	_, errs["leases"] = s.Leases(ctx)
	errs["claim"] = s.Claim(ctx, journal.Lease{}, lease("a", "x", 1, 1))
	_, errs["forwarded messages"] = s.Forwarded(ctx, []string{"a"})
	errs["discard"] = s.Discard(ctx, []journal.Forwarded{{Scope: "a", ID: "1"}})
	return errs
}

func cancelled(t *testing.T, s journal.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, err := range calls(ctx, s) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s with a cancelled context: error %v", name, err)
		}
	}
	same(t, "open records", records())(s.Open(t.Context()))
}

func closed(t *testing.T, s journal.Store) {
	if err := s.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
	for name, err := range calls(t.Context(), s) {
		if err == nil {
			t.Errorf("%s of a closed journal: no error", name)
		}
	}
}

// onlyOne lets eight writers on two handles raise one record: for each revision exactly one must win.
func race(t *testing.T, a, b journal.Store) {
	const writers, rounds = 8, 10
	for rev := int64(1); rev <= rounds; rev++ {
		onlyOne(t, writers, fmt.Sprintf("revision %d", rev), func(i int) error {
			batch := journal.Batch{Records: records(record("a", rev, true)), Lines: []journal.Line{line(int(rev), "a")}}
			return []journal.Store{a, b}[i%2].Write(t.Context(), batch)
		})
	}
	lines, err := history(t, b, journal.Query{})
	if err != nil || len(lines) != rounds {
		t.Errorf("%d lines after %d writes, error %v", len(lines), rounds, err)
	}
}

func reopen(t *testing.T, open func(*testing.T) journal.Store, again func(*testing.T, journal.Store) journal.Store) {
	s := open(t)
	write(t, s, journal.Batch{
		Records: records(record("a", 1, true), record("b", 1, false)), Lines: []journal.Line{line(0, "a"), line(1, "b")},
	})
	if err := s.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
	s = again(t, s)
	defer s.Close()
	same(t, "open records", records(record("a", 1, true)))(s.Open(t.Context()))
	same(t, "recent records", records(record("b", 1, false)))(s.Recent(t.Context(), 0))
	stored, err := s.History(t.Context(), journal.Query{})
	if err != nil || len(stored) != 2 {
		t.Fatalf("%d lines, error %v", len(stored), err)
	}
	same(t, "history", lines(line(0, "a"), line(1, "b")))(history(t, s, journal.Query{}))
	write(t, s, journal.Batch{Lines: []journal.Line{line(2, "a")}})
	same(t, "history goes on", lines(line(2, "a")))(history(t, s, journal.Query{After: stored[1].Seq}))
}

// many: a batch of more records than a store may be able to write at once is written whole when nothing stands in its way.
func many(t *testing.T, s journal.Store) {
	var b journal.Batch
	for i := range 5 * journal.MaxAtomic {
		key := fmt.Sprintf("web/i-%04d/a", i)
		b.Records = append(b.Records, record(key, 1, true))
		b.Lines = append(b.Lines, line(i, key), line(i, key))
	}
	write(t, s, b)
	same(t, "open records", b.Records)(s.Open(t.Context()))
	ls, err := history(t, s, journal.Query{})
	if err != nil || len(ls) != len(b.Lines) {
		t.Errorf("%d lines, want %d, error %v", len(ls), len(b.Lines), err)
	}
	for i := range b.Records {
		b.Records[i] = record(b.Records[i].Key, 2, false)
	}
	write(t, s, b)
	same(t, "open records", records())(s.Open(t.Context()))
	ended, err := s.Recent(t.Context(), 0)
	if err != nil || len(ended) != len(b.Records) {
		t.Errorf("%d records that ended, want %d, error %v", len(ended), len(b.Records), err)
	}
}
