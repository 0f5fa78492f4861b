//go:build dynamodb

package dynamodb

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/ebbhq/ebb/internal/journal"
)

// What has expired is not shown, though DynamoDB has not deleted it yet; what is open never expires, nor do leases.
func TestWhatHasExpiredIsNotShown(t *testing.T) {
	var c clock
	name := table(t, &c)
	s := openAt(t, name, start)
	lease := journal.Lease{Scope: "s", Holder: "x", Fence: 1, Beat: 1, At: start}
	if err := s.Claim(t.Context(), journal.Lease{}, lease); err != nil {
		t.Fatal(err)
	}
	note := journal.Forwarded{Scope: "s", ID: "m", Body: "old", Sent: start}
	write(t, s, journal.Batch{
		Records: []journal.Record{{Key: "s/a", Rev: 1, Open: true}, {Key: "s/b", Rev: 1}},
		Lines:   []journal.Line{{Key: "s/a", At: start}}, Forwarded: []journal.Forwarded{note},
	})
	for _, x := range []struct {
		after                     time.Duration
		open, ended, lines, noted int
	}{
		{keepForwarded - time.Minute, 1, 1, 1, 1},
		{keepForwarded + time.Minute, 1, 1, 1, 0},
		{keepHistory - time.Minute, 1, 1, 1, 0},
		{keepHistory + time.Minute, 1, 0, 0, 0},
	} {
		s := openAt(t, name, start.Add(x.after))
		open, errOpen := s.Open(t.Context())
		ended, errEnded := s.Recent(t.Context(), 0)
		lines, errLines := s.History(t.Context(), journal.Query{})
		notes, errForwarded := s.Forwarded(t.Context(), []string{"s"})
		leases, errLeases := s.Leases(t.Context())
		if err := errors.Join(errOpen, errEnded, errLines, errForwarded, errLeases); err != nil {
			t.Fatal(err)
		}
		if len(open) != x.open || len(ended) != x.ended || len(lines) != x.lines || len(notes) != x.noted || len(leases) != 1 {
			t.Errorf("after %s: %d open, %d ended, %d lines, %d notes, %d leases", x.after, len(open), len(ended), len(lines), len(notes), len(leases))
		}
	}
	again := openAt(t, name, start.Add(keepForwarded+time.Minute))
	write(t, again, journal.Batch{Forwarded: []journal.Forwarded{note}})
	if got, err := again.Forwarded(t.Context(), []string{"s"}); len(got) != 1 || err != nil {
		t.Errorf("a note that came again after it had expired: %v, error %v", got, err)
	}
}

// History goes over the days, whichever Ebb wrote it, and its numbers lead on from any line.
func TestHistoryOverDays(t *testing.T) {
	var c clock
	name := table(t, &c)
	var want []journal.Line
	for i := range 12 { // every 12 hours: over midnight, and over the end of a month
		when := start.Add(time.Duration(i) * 12 * time.Hour)
		l := journal.Line{At: when.Add(-time.Minute), Key: []string{"s/a", "s/b"}[i%2], Text: when.String()}
		write(t, openAt(t, name, when), journal.Batch{Lines: []journal.Line{l, l}})
		want = append(want, l, l)
	}
	s := openAt(t, name, start.Add(6*day))
	all, err := s.History(t.Context(), journal.Query{})
	if err != nil || len(all) != len(want) {
		t.Fatalf("%d lines, want %d, error %v", len(all), len(want), err)
	}
	for i, l := range all {
		want[i].Seq = l.Seq
		if i > 0 && l.Seq <= all[i-1].Seq {
			t.Errorf("line %d has number %d after %d", i, l.Seq, all[i-1].Seq)
		}
	}
	for i, l := range all {
		after, errAfter := s.History(t.Context(), journal.Query{After: l.Seq})
		newest, errNewest := s.History(t.Context(), journal.Query{Limit: i + 1})
		since, errSince := s.History(t.Context(), journal.Query{Since: l.At})
		if err := errors.Join(errAfter, errNewest, errSince); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want[i+1:], after, cmpopts.EquateEmpty()) + cmp.Diff(want[len(want)-i-1:], newest) + cmp.Diff(want[i/2*2:], since); d != "" {
			t.Errorf("line %d: %s", i, d)
		}
	}
	ofA, err := s.History(t.Context(), journal.Query{Key: "s/a", Limit: 3})
	if d := cmp.Diff([]journal.Line{want[17], want[20], want[21]}, ofA); d != "" || err != nil {
		t.Errorf("error %v, %s", err, d)
	}
}

// Clocks differ, and around midnight that must not hide a line.
func TestHistoryOfClocksThatDiffer(t *testing.T) {
	var c clock
	name, midnight := table(t, &c), start.Truncate(day).Add(day)
	ahead := openAt(t, name, midnight.Add(20*time.Minute))
	write(t, ahead, journal.Batch{Lines: []journal.Line{{Text: "written ahead", At: midnight.Add(-10 * time.Minute)}}})
	s := openAt(t, name, midnight.Add(-10*time.Minute))
	write(t, s, journal.Batch{Lines: []journal.Line{{Text: "of tomorrow", At: midnight.Add(10 * time.Minute)}}})
	for _, q := range []struct {
		journal.Query
		want []string
	}{
		{journal.Query{}, []string{"of tomorrow", "written ahead"}},
		{journal.Query{Since: midnight.Add(5 * time.Minute)}, []string{"of tomorrow"}},
	} {
		var got []string
		lines, err := s.History(t.Context(), q.Query)
		for _, l := range lines {
			got = append(got, l.Text)
		}
		if d := cmp.Diff(q.want, got); d != "" || err != nil {
			t.Errorf("since %s: error %v, %s", q.Since, err, d)
		}
	}
}

// A page holds 1 MB.
func TestAllPagesAreRead(t *testing.T) {
	var c clock
	s := open(t, table(t, &c), &c)
	const n = 20
	for i := range n {
		write(t, s, journal.Batch{
			Records: []journal.Record{{Key: fmt.Sprintf("s/%02d/a", i), Rev: 1, Open: true, Body: make([]byte, 100<<10)},
				{Key: fmt.Sprintf("s/%02d/b", i), Rev: 1, Body: make([]byte, 100<<10)}},
			Lines: []journal.Line{{At: start, Data: make([]byte, 100<<10)}}, Forwarded: []journal.Forwarded{{Scope: "s", ID: fmt.Sprint(i),
				Body: strings.Repeat("x", 100<<10)}},
		})
	}
	open, errOpen := s.Open(t.Context())
	ended, errEnded := s.Recent(t.Context(), n)
	lines, errLines := s.History(t.Context(), journal.Query{})
	notes, errForwarded := s.Forwarded(t.Context(), []string{"s"})
	if err := errors.Join(errOpen, errEnded, errLines, errForwarded); err != nil || len(open) != n || len(ended) != n || len(lines) != n || len(notes) != n {
		t.Errorf("%d open, %d ended, %d lines, %d notes, error %v; want %d of each", len(open), len(ended), len(lines), len(notes), err, n)
	}
}

// Two Ebbs whose clocks stand still take the same stamps; no line is lost for that, and no two have one number.
func TestLinesOfTheSameMoment(t *testing.T) {
	var c clock
	name := table(t, &c)
	a, b := openAt(t, name, start), openAt(t, name, start)
	for range 3 {
		write(t, a, journal.Batch{Lines: []journal.Line{{Key: "a", At: start}}})
		write(t, b, journal.Batch{Lines: []journal.Line{{Key: "b", At: start}}})
	}
	got, err := a.History(t.Context(), journal.Query{})
	seqs := map[int64]bool{}
	for _, l := range got {
		seqs[l.Seq] = true
	}
	if len(got) != 6 || len(seqs) != 6 || err != nil {
		t.Errorf("%d lines with %d numbers, error %v", len(got), len(seqs), err)
	}
}
