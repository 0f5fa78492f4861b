package dynamodb

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/ebbhq/ebb/internal/journal"
)

// several are n open records of as many subjects, each with a new revision and a body of so many bytes.
func several(n, body int) []journal.Record {
	var out []journal.Record
	for i := range n {
		out = append(out, journal.Record{Key: fmt.Sprintf("web/i-%d/a", i), Scope: "prod", Rev: 2, Open: true, Body: make([]byte, body)})
	}
	return out
}

// linesOf are n lines of no drain, each with so many bytes of data.
func linesOf(n, bytes int) []journal.Line {
	var out []journal.Line
	for i := range n {
		out = append(out, journal.Line{Text: fmt.Sprint(i), Data: make([]byte, bytes)})
	}
	return out
}

// messages are n messages with a body of so many bytes.
func messages(n, body int) []journal.Forwarded {
	var out []journal.Forwarded
	for i := range n {
		out = append(out, journal.Forwarded{Scope: "prod", ID: fmt.Sprint(i), Body: strings.Repeat("x", body)})
	}
	return out
}

// A batch is one transaction as long as DynamoDB takes it as one: 100 items. All lines together are one item where they are few.
func TestAsFewTransactionsAsItTakes(t *testing.T) {
	ended := several(51, 0) // what ends is two items: one is removed, and one is written
	for i := range ended {
		ended[i].Open = false
	}
	for name, c := range map[string]struct {
		b    journal.Batch
		want int
	}{
		"nothing":                      {journal.Batch{}, 0},
		"100 records":                  {journal.Batch{Records: several(100, 0)}, 1},
		"101 records":                  {journal.Batch{Records: several(101, 0)}, 2},
		"50 that end":                  {journal.Batch{Records: ended[:50]}, 1},
		"51 that end":                  {journal.Batch{Records: ended}, 2},
		"100 messages":                 {journal.Batch{Forwarded: messages(100, 0)}, 1},
		"101 messages":                 {journal.Batch{Forwarded: messages(101, 0)}, 2},
		"a message twice":              {journal.Batch{Forwarded: append(messages(100, 0), messages(1, 5)...)}, 2},
		"99 records and a line":        {journal.Batch{Records: several(99, 0), Lines: linesOf(1, 0)}, 1},
		"99 records and 999 lines":     {journal.Batch{Records: several(99, 0), Lines: linesOf(999, 0)}, 1},
		"100 records and a line":       {journal.Batch{Records: several(100, 0), Lines: linesOf(1, 0)}, 2},
		"99 records and large lines":   {journal.Batch{Records: several(99, 0), Lines: linesOf(7, journal.MaxBody)}, 2},
		"98 records under a lease":     {journal.Batch{Records: several(98, 0), Under: []journal.Lease{{Scope: "prod", Holder: "x", Fence: 1}}}, 1},
		"100 records under a lease":    {journal.Batch{Records: several(100, 0), Under: []journal.Lease{{Scope: "prod", Holder: "x", Fence: 1}}}, 2},
		"23 of the largest records":    {journal.Batch{Records: several(23, journal.MaxBody)}, 1},
		"all lines of a batch":         {journal.Batch{Lines: linesOf(journal.MaxLines, 900)}, 1},
		"23 of the largest messages":   {journal.Batch{Forwarded: messages(23, journal.MaxBody)}, 1},
		"15 records and a MB of lines": {journal.Batch{Records: several(15, journal.MaxBody), Lines: linesOf(7, journal.MaxBody)}, 1},
	} {
		parts, err := split(c.b)
		if len(parts) != c.want || err != nil {
			t.Errorf("%s: %d transactions, want %d, error %v", name, len(parts), c.want, err)
		}
		for _, p := range parts {
			if items, _, largest := measured(p); items > 100 || largest > 400_000 {
				t.Errorf("%s: a transaction of %d items, the largest of %d bytes", name, items, largest)
			}
		}
	}
}

// measured are the items of a transaction, the bytes of them all and those of the largest one, as DynamoDB counts them.
func measured(p part) (items, bytes, largest int) {
	for _, o := range ops(p, 1, start) {
		w := o.in("t")
		n := 0
		switch {
		case w.Put != nil:
			n = size(w.Put.Item)
		case w.Update != nil:
			n = size(w.Update.Key) + size(w.Update.ExpressionAttributeValues)
		}
		items, bytes, largest = items+1, bytes+n, max(largest, n)
	}
	return items, bytes, largest
}

// No transaction is larger than it may be, whatever makes the batch large: what is estimated is never less than there is.
func TestNoTransactionIsTooLarge(t *testing.T) {
	long := strings.Repeat("k", journal.MaxKey-10)
	key := func(i int) string { return fmt.Sprintf("%s%d/a", long, i) }
	for name, fill := range map[string]func(b *journal.Batch, i, bytes int){
		"records with long keys": func(b *journal.Batch, i, bytes int) {
			b.Records = append(b.Records, journal.Record{Key: key(i), Rev: 2, Open: true, Body: make([]byte, bytes)})
		},
		"records with long scopes": func(b *journal.Batch, i, bytes int) {
			b.Records = append(b.Records, journal.Record{Key: fmt.Sprint(i), Scope: long, Rev: 2, Open: true, Body: make([]byte, bytes)})
		},
		"small names": func(b *journal.Batch, i, bytes int) {
			b.Records = append(b.Records, journal.Record{Key: fmt.Sprint(i), Rev: 2, Open: true, Body: make([]byte, bytes)})
		},
		"one ends and the next opens": func(b *journal.Batch, i, bytes int) {
			subject := fmt.Sprint(i / 2)
			r := journal.Record{Key: subject + "/a", Rev: 2, Body: make([]byte, bytes)}
			if i%2 == 1 {
				r = journal.Record{Key: subject + "/b", Rev: 1, Open: true, Body: make([]byte, bytes)}
			}
			b.Records = append(b.Records, r)
		},
		"messages with long scopes": func(b *journal.Batch, i, bytes int) {
			b.Forwarded = append(b.Forwarded, journal.Forwarded{Scope: long, ID: fmt.Sprint(i), Body: strings.Repeat("x", bytes)})
		},
		"messages with long names": func(b *journal.Batch, i, bytes int) {
			b.Forwarded = append(b.Forwarded, journal.Forwarded{Scope: "prod", ID: key(i), Body: strings.Repeat("x", bytes)})
		},
		"small messages": func(b *journal.Batch, i, bytes int) {
			b.Forwarded = append(b.Forwarded, journal.Forwarded{ID: fmt.Sprint(i), Body: strings.Repeat("x", bytes)})
		},
		"records with lines": func(b *journal.Batch, i, bytes int) {
			if b.Records = append(b.Records, several(90, bytes)[min(i, 89)]); i >= 30 {
				b.Records = b.Records[:len(b.Records)-1]
				b.Lines = append(b.Lines, journal.Line{Key: fmt.Sprintf("web/i-%d/a", i%30), Data: make([]byte, bytes)})
			}
		},
	} {
		for _, bytes := range []int{31_000, 32_000, 32_500, maxBytes / 96, 33_000} { // of 96: a little less than a transaction holds, and more
			var b journal.Batch
			for i := range 96 {
				fill(&b, i, bytes)
			}
			parts, err := split(b)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range parts {
				if items, n, _ := measured(p); items > maxItems || n > maxBytes {
					t.Errorf("%s of %d bytes: a transaction of %d items and %d bytes", name, bytes, items, n)
				}
			}
		}
	}
}

// No item is larger than it may be, whatever makes the lines in it large, and no line is lost or moved.
func TestNoItemOfLinesIsTooLarge(t *testing.T) {
	long := strings.Repeat("x", journal.MaxKey)
	for name, l := range map[string]journal.Line{
		"keys":  {Key: long},
		"kinds": {Kind: long[:journal.MaxKind], Data: make([]byte, 300)},
		"texts": {Text: strings.Repeat("x", 30_000)},
		"data":  {Data: make([]byte, 30_000)},
		"small": {Data: make([]byte, 500)},
		"bare":  {},
	} {
		l.At = start
		b := journal.Batch{}
		for range min(journal.MaxLines, journal.MaxLineBytes/(len(l.Key)+len(l.Kind)+len(l.Text)+len(l.Data)+1)) {
			b.Lines = append(b.Lines, l)
		}
		if err := journal.Check(b); err != nil {
			t.Fatal(err)
		}
		parts, err := split(b)
		if len(parts) != 1 || err != nil {
			t.Fatalf("%s: %d transactions, error %v", name, len(parts), err)
		}
		lines := 0
		for _, o := range ops(parts[0], 1, start) {
			lines += len(o.put["lines"].(*types.AttributeValueMemberL).Value)
		}
		if _, _, largest := measured(parts[0]); largest > maxLineBytes+rough || lines != len(b.Lines) {
			t.Errorf("long %s: an item of %d bytes, %d lines of %d", name, largest, lines, len(b.Lines))
		}
	}
}

// The lines of each transaction stand in the order of the batch, and so do the items that they are divided among.
func TestLinesKeepTheirOrderInEachTransaction(t *testing.T) {
	b := batch(150, 0, 0)
	slices.Reverse(b.Lines)
	parts, err := split(b)
	if len(parts) < 2 || err != nil {
		t.Fatalf("%d transactions, error %v", len(parts), err)
	}
	for i, p := range parts {
		if !slices.IsSortedFunc(p.lines, func(a, b placed) int { return cmp.Compare(a.place, b.place) }) {
			t.Errorf("the lines of transaction %d are out of order", i)
		}
	}
}

// A drain that follows another one of its subject is written under the lease of its own scope as well, and its lines go with it.
func TestTheNextDrainOfASubject(t *testing.T) {
	b := journal.Batch{Under: []journal.Lease{{Scope: "old", Holder: "x", Fence: 1}, {Scope: "new", Holder: "x", Fence: 1}}, Records: several(150, 0)}
	b.Records = append(b.Records, journal.Record{Key: "s/a", Scope: "old", Rev: 2}, journal.Record{Key: "s/b", Scope: "new", Rev: 1, Open: true})
	b.Lines = []journal.Line{{Key: "s/a"}, {Key: "s/b"}}
	parts, err := split(b)
	if err != nil {
		t.Fatal(err)
	}
	last := parts[len(parts)-1]
	if len(parts) != 2 || len(last.leases) != 2 || len(last.lines) != 2 {
		t.Errorf("%d transactions, %d leases and %d lines in the last", len(parts), len(last.leases), len(last.lines))
	}
}

// A message that a batch has twice is written once: DynamoDB refuses a transaction that touches an item twice.
func TestAMessageThatABatchHasTwice(t *testing.T) {
	parts, err := split(journal.Batch{Forwarded: append(messages(2, 0), messages(2, 9)...)})
	if err != nil || len(parts) != 1 || len(parts[0].forwarded) != 2 || parts[0].forwarded[0].Body != "" {
		t.Errorf("%d transactions, %v, error %v", len(parts), parts, err)
	}
}

// Leases that contradict each other are both asked for, so that whoever has lost one of them writes nothing; the same one is asked for once.
func TestEachLeaseIsAskedForOnce(t *testing.T) {
	x := journal.Lease{Scope: "prod", Holder: "x", Fence: 1, Beat: 1}
	beaten, later, other, y := x, x, x, x
	beaten.Beat, later.Fence, other.Scope, y.Holder = 2, 2, "test", "y"
	for what, c := range map[string]struct {
		second journal.Lease
		want   int
	}{"the same": {x, 1}, "another beat": {beaten, 1}, "another fence": {later, 2}, "another scope": {other, 2}, "another holder": {y, 2}} {
		for _, records := range [][]journal.Record{nil, several(2, 0)} {
			parts, err := split(journal.Batch{Under: []journal.Lease{x, c.second}, Records: records})
			if err != nil || len(parts) != 1 || len(parts[0].leases) != c.want {
				t.Errorf("%s, %d records: %d transactions, error %v; want %d leases", what, len(records), len(parts), err, c.want)
			}
		}
	}
}
