package story

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/event"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/journal/memory"
	"github.com/ebbhq/ebb/internal/kernel"
	"github.com/ebbhq/ebb/internal/notice"
	"github.com/ebbhq/ebb/internal/sim/core"
)

var (
	errJournal = errors.New("injected: the journal failed")
	errKilled  = errors.New("injected: the process is killed")
)

// faulty is the journal of a story as one process reaches it: writes fail as the story says, may be the last thing that the process does,
// and what they made durable is written into the world's own record.
type faulty struct {
	*memory.Store
	run  *run
	name string
	skew time.Duration
	held func() map[string]journal.Lease
	kill func(where string, away time.Duration)
	ebb  *ebb // whose process it is; nil: an invocation of a function
	dead func() bool
	at   Fault  // where the process is killed in the step that is under way; zero: nowhere
	owed string // the beginning of a line that it has refused, by itself, and that nothing stands for yet
}

// reach is why the journal cannot be reached, if it cannot.
func (f *faulty) reach() error {
	if f.dead() {
		return errKilled
	}
	if f.ebb != nil && f.ebb.cut.After(f.run.w.Now()) {
		return errJournal
	}
	for i, fault := range f.run.s.Faults {
		if fault.Op == "journal" && fault.How == "away" && f.run.strikes(i, "journal") {
			return errJournal
		}
	}
	return nil
}

// refusal is why the journal will never take a batch, if it will not: it once refused a record of this key, or this line.
func (f *faulty) refusal(b journal.Batch) error {
	for _, r := range b.Records {
		if f.run.refuses[r.Key] {
			return &journal.Refused{Part: journal.RecordPart, Name: r.Key, Why: "injected"}
		}
	}
	for _, l := range b.Lines {
		if f.run.refuses["line "+l.Text] {
			return &journal.Refused{Part: journal.LinePart, Name: l.Key, Why: "injected"}
		}
	}
	return nil
}

// replaced is the part of invariant 8 about a line that the journal refused: the next thing that is written says so.
func (f *faulty) replaced(b journal.Batch) {
	says := func(l journal.Line) bool { return l.Kind == journal.SetAside && strings.Contains(l.Text, f.owed) }
	if f.owed != "" && !slices.ContainsFunc(b.Lines, says) {
		f.run.bad = append(f.run.bad, Violation{8, "the journal refused a line, and no other says so: " + f.owed})
	}
	f.owed = ""
}

// killed kills the process if it is to be killed at this place.
func (f *faulty) killed(where string) bool {
	if f.at.How != where {
		return false
	}
	f.kill(where, f.at.For)
	return true
}

// reads reads from the journal, if it can be reached.
func reads[T any](ctx context.Context, f *faulty, read func(context.Context) (T, error)) (none T, err error) {
	if err := f.reach(); err != nil {
		return none, err
	}
	return read(ctx)
}

func (f *faulty) Open(ctx context.Context) ([]journal.Record, error) {
	f.owed = "" // it has forgotten everything
	return reads(ctx, f, f.Store.Open)
}
func (f *faulty) Recent(ctx context.Context, limit int) ([]journal.Record, error) {
	return reads(ctx, f, func(ctx context.Context) ([]journal.Record, error) { return f.Store.Recent(ctx, limit) })
}
func (f *faulty) Leases(ctx context.Context) ([]journal.Lease, error) {
	return reads(ctx, f, f.Store.Leases)
}

func (f *faulty) Forwarded(ctx context.Context, scopes []string) ([]journal.Forwarded, error) {
	return reads(ctx, f, func(ctx context.Context) ([]journal.Forwarded, error) { return f.Store.Forwarded(ctx, scopes) })
}

func (f *faulty) Discard(ctx context.Context, messages []journal.Forwarded) error {
	if err := f.reach(); err != nil {
		return err
	}
	if f.run.faultOf("discard", 0).How != "" {
		return errJournal
	}
	f.run.people.discarded(messages)
	return f.Store.Discard(ctx, messages)
}

func (f *faulty) Claim(ctx context.Context, was, is journal.Lease) error {
	fault := ""
	if f.ebb != nil { // a function claims too seldom for that to be a story
		fault = f.run.faultOf("lease", 0).How
	}
	err := f.reach()
	if err == nil && fault != "error" {
		err = f.Store.Claim(ctx, was, is)
	}
	if fault != "" {
		err = errJournal
	}
	if err == nil && is.Holder != "" && was.Holder != is.Holder {
		f.run.cover["lease taken"]++
		if was.Holder != "" {
			f.run.cover["lease taken over"]++
		}
	}
	return err
}

func (f *faulty) Write(ctx context.Context, b journal.Batch) error {
	if f.dead() {
		return errKilled
	}
	f.alone()
	if f.ebb != nil {
		if len(f.run.s.Faults) > 0 {
			f.ebb.queue.Flush(f.ebb.ctx) // which the source may do at any moment
		}
		f.ebb.writes++
		f.at = f.run.faultOf("crash", f.ebb.writes)
	}
	if f.killed(beforeWrite) {
		return errKilled
	}
	f.run.under(f.name, b)
	if err := f.write(ctx, b); err != nil {
		if _, refused := errors.AsType[*journal.Refused](err); !refused {
			f.owed = "" // it forgets everything
		}
		return err
	}
	if f.killed(afterWrite) {
		return errKilled
	}
	return nil
}

func (f *faulty) write(ctx context.Context, b journal.Batch) error {
	if err := f.reach(); err != nil {
		return err
	}
	fault := f.run.faultOf("journal", 0).How
	switch {
	case fault == "conflict":
		return journal.ErrConflict
	case fault == "error":
		return errJournal
	case fault == "refuse" && len(b.Records) > 0:
		f.run.refuses[b.Records[f.run.dice.n(len(b.Records))].Key] = true
	case fault == "refuse-line" && len(b.Lines) > 0 && b.Lines[0].Kind != journal.SetAside:
		f.run.refuses["line "+b.Lines[0].Text] = true
	case fault == "hang": // as SQLite waits while another program holds the lock: the write fails in the end, and meanwhile nothing is done
		if f.ebb != nil {
			f.ebb.lag += 5 * time.Second
		}
		return errJournal
	case fault == "slow" && f.ebb != nil:
		f.ebb.lag += f.run.dice.between(100*time.Millisecond, 2*time.Second)
	}
	if err := f.refusal(b); err != nil {
		if len(b.Lines) == 1 && len(b.Records) == 0 {
			f.owed = b.Lines[0].Text[:min(len(b.Lines[0].Text), 200)]
		}
		return err
	}
	if err := f.Store.Write(ctx, b); err != nil {
		return err
	}
	f.replaced(b)
	f.run.durable(b, f.skew)
	if fault == "error-after" {
		return errJournal
	}
	return nil
}

// durable writes into the world's own record what the journal now holds, so that the order of things can be checked.
func (r *run) durable(b journal.Batch, skew time.Duration) {
	for _, rec := range b.Records {
		if !kernel.OfDrain(rec) {
			continue
		}
		d, err := kernel.Read(rec)
		must(err)
		to, believed := "open", ""
		if !rec.Open {
			to = "ended"
		}
		if !d.DrainingSince.IsZero() {
			believed = fleet.Draining
		}
		single(r, rec, d.Target.ID)
		r.w.Log(core.Entry{
			Kind: core.EntryJournal, Instance: d.Target.ID, Group: d.Group, Hook: d.Hook, Text: d.Token, To: to, From: believed, Message: rec.Key,
		})
	}
	for _, n := range b.Forwarded {
		if notice.IsOutbox(n.Scope) || n.Scope == kernel.Calendar {
			continue
		}
		ev := event.Parse([]byte(n.Body))
		r.w.Log(core.Entry{
			Kind: core.EntryJournal, Instance: string(ev.Instance), Group: ev.Group, Hook: ev.Hook, Text: ev.Token, To: "noted", Message: n.ID,
		})
		r.cover["noted"]++
	}
	for _, l := range b.Lines {
		r.lines = append(r.lines, Line{l.At.Add(-skew).Sub(r.start), l.Kind, r.hostOfKey(l.Key), l.Text})
		r.cover["line "+l.Kind]++
		if l.Kind == "unreadable" || l.Kind == journal.SetAside && strings.Contains(l.Text, `"unreadable"`) {
			r.w.Log(core.Entry{Kind: core.EntryJournal, To: "unreadable", Text: l.Text})
		}
		if l.Kind == journal.SetAside && strings.Contains(l.Text, "this desired count") {
			r.w.Log(core.Entry{Kind: core.EntryJournal, To: "count aside", Text: l.Text})
		}
		if parts := strings.Split(l.Key, "/"); l.Kind == journal.SetAside && len(parts) > 1 && strings.Contains(l.Text, "let go") {
			r.w.Log(core.Entry{Kind: core.EntryJournal, Instance: parts[len(parts)-2], To: "let go", Text: l.Text})
		}
	}
}

// single is the part of invariant 11 about records: of an instance one drain is open at most.
func single(r *run, rec journal.Record, instance string) {
	other, open := r.openKeys[instance]
	switch {
	case rec.Open && open && other != rec.Key:
		r.bad = append(r.bad, Violation{11, fmt.Sprintf("drain %s of %s is open, and so is %s", rec.Key, r.hostName(instance), other)})
	case rec.Open:
		r.openKeys[instance] = rec.Key
	case other == rec.Key:
		delete(r.openKeys, instance)
	}
}

// alone is invariant 11, at the moment an Ebb acts for some scopes: no other is certain to hold one of them.
func (f *faulty) alone() {
	var all []*faulty
	for _, e := range f.run.ebbs {
		if e.core != nil {
			all = append(all, e.journal)
		}
	}
	if f.run.fn != nil {
		for _, i := range f.run.fn.busy {
			all = append(all, i.journal)
		}
	}
	scopes := slices.Sorted(maps.Keys(f.held()))
	for _, other := range all {
		theirs := other.held()
		for _, scope := range scopes {
			if _, too := theirs[scope]; too && other != f && !f.run.both[scope] {
				f.run.both[scope] = true
				f.run.bad = append(f.run.bad, Violation{11, fmt.Sprintf("%s acts for %s, and so does %s", f.name, scope, other.name)})
			}
		}
	}
}

// under is the other half of invariant 11, at each write: records are written under the lease of their scope.
func (r *run) under(name string, b journal.Batch) {
	for _, rec := range b.Records {
		if !slices.ContainsFunc(b.Under, func(l journal.Lease) bool { return l.Scope == rec.Scope }) {
			r.bad = append(r.bad, Violation{11, fmt.Sprintf("%s writes %s without the lease of %s", name, rec.Key, rec.Scope)})
		}
	}
}
