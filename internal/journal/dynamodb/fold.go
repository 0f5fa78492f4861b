package dynamodb

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/ebbhq/ebb/internal/journal"
)

// The limits of a transaction, with room for what is counted roughly here: 100 items, 4 MB together, 400 KB each.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
const (
	maxItems     = 100
	maxBytes     = 3 << 20
	maxLineBytes = 350_000 // of all lines in one item
	maxLines     = 1000    // in one item: as many numbers of lines as there are to a microsecond
	rough        = 200     // bytes of attribute names, keys and numbers
)

// change is what a batch does to one subject. A transaction cannot touch an item twice, so what it does one after the other is one change.
type change struct {
	subject string
	was     state    // what must be stored as the subject's open record
	key     string   // held: its key
	rev     int64    // held: its revision
	not     []string // unknown: keys that it must not have
	open    *journal.Record
	ended   []journal.Record
}

// state is what must be stored in the place of the open record.
type state int

const (
	unknown state = iota // nothing is known of it, and nothing is changed
	free                 // there is none
	held                 // it has this key and this revision
)

// fold makes one change for each subject, in the order in which they come first. A batch that contradicts itself is a conflict.
func fold(records []journal.Record) ([]*change, error) {
	var out []*change
	of := map[string]*change{}
	for _, r := range records {
		c := of[r.Subject()]
		if c == nil {
			c = &change{subject: r.Subject()}
			of[c.subject], out = c, append(out, c)
		}
		if !c.add(r) {
			return nil, fmt.Errorf("record %s revision %d: %w", r.Key, r.Rev, journal.ErrConflict)
		}
	}
	return out, nil
}

// add reports false if the record cannot follow what the batch has done to the subject so far.
func (c *change) add(r journal.Record) bool {
	switch {
	case r.Rev < 1 || slices.ContainsFunc(c.ended, func(e journal.Record) bool { return e.Key == r.Key }):
		return false
	case c.open != nil && c.open.Key == r.Key:
		if r.Rev != c.open.Rev+1 {
			return false
		}
	case r.Rev > 1:
		if c.was != unknown {
			return false
		}
		c.was, c.key, c.rev = held, r.Key, r.Rev-1
	case !r.Open: // it ends without having been open
		c.not, c.ended = append(c.not, r.Key), append(c.ended, r)
		return true
	case c.open != nil:
		return false
	case c.was == unknown:
		c.was = free
	}
	c.open = &r
	if !r.Open {
		c.open, c.ended = nil, append(c.ended, r)
	}
	return true
}

// part is what one transaction writes.
type part struct {
	leases    []journal.Lease
	changes   []*change
	lines     []placed
	forwarded []journal.Forwarded
}

// placed is a line and its place in the batch.
type placed struct {
	place int
	journal.Line
}

// split divides a batch into as few transactions as it takes: one unless the limits are passed. Each subject goes with the lines of its
// keys and under the leases of its records' scopes. Leases of other scopes and forwarded messages come first; lines that belong to no subject
// come last.
func split(b journal.Batch) ([]part, error) {
	units, err := units(b)
	if err != nil || len(units) == 0 {
		return nil, err
	}
	parts := units[:1]
	for _, u := range units[1:] {
		if last := &parts[len(parts)-1]; fit(*last, u) {
			last.join(u)
		} else {
			parts = append(parts, u)
		}
	}
	for _, p := range parts {
		slices.SortFunc(p.lines, func(a, b placed) int { return cmp.Compare(a.place, b.place) })
	}
	return parts, nil
}

// units are the smallest parts of a batch.
func units(b journal.Batch) ([]part, error) {
	changes, err := fold(b.Records)
	if err != nil {
		return nil, err
	}
	var out []part
	for _, l := range b.Under {
		if !slices.ContainsFunc(b.Records, func(r journal.Record) bool { return r.Scope == l.Scope }) {
			out = append(out, part{leases: []journal.Lease{l}})
		}
	}
	for _, n := range b.Forwarded { // before the records, as journal.Batch promises
		out = append(out, part{forwarded: []journal.Forwarded{n}})
	}
	of := map[string]int{}
	for _, c := range changes {
		u := part{changes: []*change{c}}
		for _, r := range c.records() {
			of[r.Key] = len(out)
			u.join(part{leases: leasesOf(b.Under, r.Scope)})
		}
		out = append(out, u)
	}
	for i, l := range b.Lines {
		if n, ok := of[l.Key]; ok {
			out[n].lines = append(out[n].lines, placed{i, l})
		} else {
			out = append(out, part{lines: []placed{{i, l}}})
		}
	}
	return out, nil
}

func leasesOf(leases []journal.Lease, scope string) []journal.Lease {
	return slices.DeleteFunc(slices.Clone(leases), func(l journal.Lease) bool { return l.Scope != scope })
}

// records are those that the change writes.
func (c *change) records() []journal.Record {
	if c.open == nil {
		return c.ended
	}
	return append(slices.Clip(c.ended), *c.open)
}

// join adds another part. A lease or forwarded message that both have is there once.
func (p *part) join(q part) {
	for _, l := range q.leases {
		same := func(o journal.Lease) bool { return o.Scope == l.Scope && o.Holder == l.Holder && o.Fence == l.Fence }
		if !slices.ContainsFunc(p.leases, same) {
			p.leases = append(p.leases, l)
		}
	}
	for _, n := range q.forwarded {
		if !slices.ContainsFunc(p.forwarded, n.Same) {
			p.forwarded = append(p.forwarded, n)
		}
	}
	p.changes = append(p.changes, q.changes...)
	p.lines = append(p.lines, q.lines...)
}

// fit reports whether two parts go into one transaction. It counts no less than there is.
func fit(p, q part) bool {
	items, bytes := 0, 0
	lines, lineBytes := 0, 0
	for _, x := range []part{p, q} {
		items += len(x.leases) + len(x.forwarded)
		for _, c := range x.changes {
			items += 1 + len(c.ended)
			for _, r := range c.records() {
				bytes += len(r.Body) + 2*len(r.Key) + len(r.Scope) + rough
			}
		}
		for _, n := range x.forwarded {
			bytes += len(n.Body) + len(n.Scope) + len(n.ID) + rough
		}
		for _, l := range x.lines {
			lines, lineBytes = lines+1, lineBytes+l.size()
		}
	}
	if lines > 0 { // an item of lines is closed when the next line, of MaxBody at most, does not go into it
		items += 1 + lines/maxLines + lineBytes/(maxLineBytes-journal.MaxBody-rough)
	}
	return items <= maxItems && bytes+lineBytes <= maxBytes
}

func (l placed) size() int { return len(l.Key) + len(l.Kind) + len(l.Text) + len(l.Data) + rough }

// packed divides lines among as few items as it takes, in their order.
func packed(lines []placed) [][]placed {
	var out [][]placed
	bytes := 0
	for _, l := range lines {
		if bytes += l.size(); len(out) == 0 || bytes > maxLineBytes || len(out[len(out)-1]) == maxLines {
			out, bytes = append(out, nil), l.size()
		}
		out[len(out)-1] = append(out[len(out)-1], l)
	}
	return out
}
