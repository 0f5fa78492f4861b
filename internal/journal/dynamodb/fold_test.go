package dynamodb

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ebbhq/ebb/internal/journal"
)

// rec reads "web/i-1/a 2 open" or "web/i-1/a 3".
func rec(t *testing.T, s string) journal.Record {
	t.Helper()
	var r journal.Record
	s, r.Open = strings.CutSuffix(s, " open")
	if _, err := fmt.Sscan(s, &r.Key, &r.Rev); err != nil {
		t.Fatal(err)
	}
	r.Scope = "prod"
	return r
}

// told says what a change asks and does.
func told(c *change) string {
	var out []string
	switch c.was {
	case free:
		out = append(out, "if none is open")
	case held:
		out = append(out, fmt.Sprintf("if %s %d is open", c.key, c.rev))
	}
	for _, k := range c.not {
		out = append(out, "unless "+k+" is open")
	}
	if c.open != nil {
		out = append(out, fmt.Sprintf("open %s %d", c.open.Key, c.open.Rev))
	}
	for _, r := range c.ended {
		out = append(out, fmt.Sprintf("end %s %d", r.Key, r.Rev))
	}
	return c.subject + ": " + strings.Join(out, ", ")
}

func TestFold(t *testing.T) {
	for _, c := range []struct {
		name    string
		records []string
		want    []string // nil: conflict
	}{
		{"the first revision", []string{"s/a 1 open"}, []string{"s: if none is open, open s/a 1"}},
		{"a later one", []string{"s/a 7 open"}, []string{"s: if s/a 6 is open, open s/a 7"}},
		{"the end", []string{"s/a 7"}, []string{"s: if s/a 6 is open, end s/a 7"}},
		{"ended at once", []string{"s/a 1"}, []string{"s: unless s/a is open, end s/a 1"}},
		{"ended at once beside the open one", []string{"s/c 1", "s/a 2 open"}, []string{"s: if s/a 1 is open, unless s/c is open, open s/a 2, end s/c 1"}},
		{"two revisions", []string{"s/a 3 open", "s/a 4 open"}, []string{"s: if s/a 2 is open, open s/a 4"}},
		{"opened and ended", []string{"s/a 1 open", "s/a 2"}, []string{"s: if none is open, end s/a 2"}},
		{"one ends, the next opens", []string{"s/a 3", "s/b 1 open"}, []string{"s: if s/a 2 is open, open s/b 1, end s/a 3"}},
		{"opened, ended, the next opens and ends", []string{"s/a 1 open", "s/a 2", "s/b 1 open", "s/b 2"}, []string{"s: if none is open, end s/a 2, end s/b 2"}},
		{"two subjects", []string{"s/a 1 open", "r/a 2", "s/a 2 open"}, []string{"s: if none is open, open s/a 2", "r: if r/a 1 is open, end r/a 2"}},
		{"no revision", []string{"s/a 0 open"}, nil},
		{"the same revision twice", []string{"s/a 3 open", "s/a 3 open"}, nil},
		{"a revision left out", []string{"s/a 3 open", "s/a 5 open"}, nil},
		{"two open", []string{"s/a 1 open", "s/b 1 open"}, nil},
		{"two that were open", []string{"s/a 2", "s/b 2"}, nil},
		{"the next opens before the first ends", []string{"s/b 1 open", "s/a 2"}, nil},
		{"opened again after its end", []string{"s/a 2", "s/a 3 open"}, nil},
		{"ended at once and then opened", []string{"s/a 1", "s/a 2 open"}, nil},
		{"ended at once while open", []string{"s/a 4 open", "s/a 1"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			var records []journal.Record
			for _, s := range c.records {
				records = append(records, rec(t, s))
			}
			changes, err := fold(records)
			if conflict := errors.Is(err, journal.ErrConflict); conflict != (c.want == nil) || !conflict && err != nil {
				t.Fatalf("error %v", err)
			}
			var got []string
			for _, x := range changes {
				got = append(got, told(x))
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

// batch has n subjects that end, each with a line, each in a scope of its own with a lease.
func batch(n int, body, data int) journal.Batch {
	var b journal.Batch
	for i := range n {
		r := journal.Record{Key: fmt.Sprintf("web/i-%d/a", i), Scope: fmt.Sprint("scope ", i), Rev: 3, Body: make([]byte, body)}
		b.Records = append(b.Records, r)
		b.Lines = append(b.Lines, journal.Line{Key: r.Key, Text: fmt.Sprint(i), Data: make([]byte, data)})
		b.Under = append(b.Under, journal.Lease{Scope: r.Scope, Holder: "x", Fence: 1})
	}
	return b
}

// What every store writes at once is one transaction here too, and one that DynamoDB takes.
func TestMaxAtomicIsOneTransaction(t *testing.T) {
	for _, b := range []journal.Batch{batch(journal.MaxAtomic, 4<<10, 1<<10), batch(journal.MaxAtomic, 32<<10, 32<<10)} {
		parts, err := split(b)
		if err != nil || len(parts) != 1 {
			t.Fatalf("%d parts, error %v", len(parts), err)
		}
		if n := len(ops(parts[0], 1, start)); n > 100 {
			t.Errorf("%d items", n)
		}
	}
}

func TestSplit(t *testing.T) {
	large := batch(200, 4<<10, 1<<10)
	large.Lines = append(large.Lines, journal.Line{Text: "of nobody"})
	large.Under = append(large.Under, journal.Lease{Scope: "of nobody", Holder: "x", Fence: 1})
	for i := range 300 {
		large.Forwarded = append(large.Forwarded, journal.Forwarded{Scope: "s", ID: fmt.Sprint(i)})
	}
	parts, err := split(large)
	if err != nil || len(parts) < 2 {
		t.Fatalf("%d parts, error %v", len(parts), err)
	}
	if first := parts[0].leases[0].Scope; first != "of nobody" {
		t.Errorf("the first lease is that of %s", first)
	}
	last := 0 // part with something that is forwarded
	for i, p := range parts {
		if len(p.forwarded) > 0 {
			last = i
		}
	}
	for i, p := range parts[:last] {
		if len(p.changes) > 0 {
			t.Errorf("part %d has records, and part %d has something that is forwarded", i, last)
		}
	}
	changes, lines, notes := 0, 0, 0
	for _, p := range parts {
		changes, lines, notes = changes+len(p.changes), lines+len(p.lines), notes+len(p.forwarded)
		here := map[string]bool{}
		for _, c := range p.changes {
			here[c.subject+"/a"] = true
			for _, r := range c.records() {
				if len(leasesOf(p.leases, r.Scope)) != 1 {
					t.Errorf("%s is not written under the lease of its scope", r.Key)
				}
			}
		}
		for _, l := range p.lines {
			if l.Key != "" && !here[l.Key] {
				t.Errorf("a line of %s is written without its record", l.Key)
			}
		}
		if n := len(ops(p, 1, start)); n > 100 {
			t.Errorf("%d items in a transaction", n)
		}
	}
	if changes != 200 || lines != 201 || notes != 300 {
		t.Errorf("%d changes, %d lines, %d notes", changes, lines, notes)
	}
}

// The lines of a transaction stand in the order of the batch, whatever the order of the records.
func TestLinesKeepTheirOrder(t *testing.T) {
	b := journal.Batch{Records: []journal.Record{rec(t, "s/a 2 open"), rec(t, "r/b 2 open")}}
	for i, k := range []string{"", "r/b", "s/a", "", "s/a", "r/b"} {
		b.Lines = append(b.Lines, journal.Line{Key: k, Text: fmt.Sprint(i)})
	}
	parts, err := split(b)
	if err != nil || len(parts) != 1 || len(parts[0].lines) != 6 {
		t.Fatalf("%d parts, error %v", len(parts), err)
	}
	for i, l := range parts[0].lines {
		if l.Text != fmt.Sprint(i) {
			t.Errorf("line %s is in place %d", l.Text, i)
		}
	}
}

func TestPacked(t *testing.T) {
	line := func(bytes int) placed { return placed{Line: journal.Line{Data: make([]byte, bytes)}} }
	many := make([]placed, 2*maxLines+1)
	for _, c := range []struct {
		name  string
		lines []placed
		want  []int
	}{
		{"none", nil, nil},
		{"small ones", []placed{line(1), line(2)}, []int{2}},
		{"large ones", []placed{line(journal.MaxBody), line(journal.MaxBody), line(journal.MaxBody), line(1)}, []int{2, 2}},
		{"many", many, []int{maxLines, maxLines, 1}},
	} {
		var got []int
		for _, p := range packed(c.lines) {
			got = append(got, len(p))
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s: %s", c.name, d)
		}
	}
}
