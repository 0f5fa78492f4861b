package sqlite

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/journal"
)

// What is old is removed a little with each write, and a drain that has ended with its last line; what is open stays.
func TestHistoryIsPruned(t *testing.T) {
	s := fresh(t).(*Store)
	defer s.Close()
	day := func(n int) time.Time { return time.Now().Add(time.Duration(n) * 24 * time.Hour) }
	put := func(b journal.Batch) {
		t.Helper()
		if err := s.Write(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 50 {
		key := fmt.Sprintf("web/i-%02d/a", i)
		put(journal.Batch{
			Records: []journal.Record{{Key: key, Rev: 1, Open: i == 7}},
			Lines:   []journal.Line{{At: day(-100), Key: key, Kind: "heard"}, {At: day(-100 + i), Key: key, Kind: "ended"}},
		})
	}
	left := func() (lines, ended, open int) {
		t.Helper()
		ls, errL := s.History(t.Context(), journal.Query{})
		rs, errR := s.Recent(t.Context(), 0)
		os, errO := s.Open(t.Context())
		if err := errors.Join(errL, errR, errO); err != nil {
			t.Fatal(err)
		}
		return len(ls), len(rs), len(os)
	}
	before, _, _ := left()
	put(journal.Batch{Lines: []journal.Line{{At: day(1000), Kind: "told"}}}) // a clock that is wrong removes nothing more
	if after, _, _ := left(); before-after > pruneStep {
		t.Errorf("one write removed %d lines", before-after)
	}
	for range 20 {
		put(journal.Batch{Lines: []journal.Line{{At: day(0), Kind: "told"}}})
	}
	lines, ended, open := left()
	old := 0
	ls, _ := s.History(t.Context(), journal.Query{})
	for _, l := range ls {
		if l.At.Before(day(-91)) {
			old++
		}
	}
	if old > 40 || open != 1 || ended < 39 || ended > 42 || lines < 60 {
		t.Errorf("%d lines are left, %d of them old; %d drains that ended, %d open", lines, old, ended, open)
	}
}

// The earliest of what is written says what time it is, wherever it stands in its batch, and a time in the future does not count.
func TestWhatTimeItIsForPruning(t *testing.T) {
	day := func(n int) time.Time { return time.Now().Add(time.Duration(n) * 24 * time.Hour) }
	for name, x := range map[string]struct {
		days []int // of the lines that are written
		left int   // of three lines, a hundred days old
	}{
		"no line":                {nil, 3},
		"today":                  {[]int{0}, 0},
		"the future":             {[]int{1000}, 0},
		"long ago":               {[]int{-50}, 3},
		"first long ago":         {[]int{-50, 0}, 3},
		"last long ago":          {[]int{0, -50}, 3},
		"long ago in the middle": {[]int{0, -50, 1000}, 3},
	} {
		s := fresh(t).(*Store)
		b := journal.Batch{Records: []journal.Record{{Key: "new", Rev: 1, Open: true}}}
		var old journal.Batch
		for i := range 3 {
			old.Lines = append(old.Lines, journal.Line{Key: "old", At: day(-100), Kind: fmt.Sprint(i)})
		}
		for _, n := range x.days {
			b.Lines = append(b.Lines, journal.Line{Key: "new", At: day(n)})
		}
		if err := errors.Join(s.Write(t.Context(), old), s.Write(t.Context(), b)); err != nil {
			t.Fatal(err)
		}
		if left, err := s.History(t.Context(), journal.Query{Key: "old"}); err != nil || len(left) != x.left {
			t.Errorf("%s: %d old lines are left, error %v; want %d", name, len(left), err, x.left)
		}
		s.Close()
	}
	s := fresh(t).(*Store)
	defer s.Close()
	for _, n := range []int{-1, 1000} { // a clock that is wrong makes nothing of today old
		if err := s.Write(t.Context(), journal.Batch{Lines: []journal.Line{{Key: "a", At: day(n)}}}); err != nil {
			t.Fatal(err)
		}
	}
	if left, err := s.History(t.Context(), journal.Query{}); err != nil || len(left) != 2 {
		t.Errorf("%d lines are left, error %v; want 2", len(left), err)
	}
}

// A batch of which a part cannot be written, or that cannot make room for itself, is not written at all.
func TestAPartThatFailsFailsTheBatch(t *testing.T) {
	old := journal.Batch{
		Records: []journal.Record{{Key: "old", Rev: 1}}, Lines: []journal.Line{{Key: "old", At: time.Now().Add(-2 * keepHistory)}},
	}
	b := journal.Batch{
		Records: []journal.Record{{Key: "a", Rev: 1, Open: true}}, Lines: []journal.Line{{Key: "a", At: time.Now()}},
		Forwarded: []journal.Forwarded{{Scope: "web", ID: "1"}},
	}
	for _, part := range []string{"INSERT ON record", "INSERT ON line", "INSERT ON note", "DELETE ON line", "DELETE ON record"} {
		s := fresh(t).(*Store)
		if err := s.Write(t.Context(), old); err != nil {
			t.Fatal(err)
		}
		if _, err := s.db.Exec("CREATE TRIGGER fails BEFORE " + part + " BEGIN SELECT RAISE(ABORT, 'it is full'); END"); err != nil {
			t.Fatal(err)
		}
		if err := s.Write(t.Context(), b); err == nil || errors.Is(err, journal.ErrConflict) || !strings.Contains(err.Error(), "it is full") {
			t.Errorf("%s fails: error %v", part, err)
		}
		open, errOpen := s.Open(t.Context())
		lines, errLines := s.History(t.Context(), journal.Query{})
		sent, errSent := s.Forwarded(t.Context(), []string{"web"})
		if err := errors.Join(errOpen, errLines, errSent); err != nil || len(open) != 0 || len(lines) != 1 || len(sent) != 0 {
			t.Errorf("%s fails: %d records, %d lines, %d messages, error %v; want one line, which was there before",
				part, len(open), len(lines), len(sent), err)
		}
		s.Close()
	}
}
