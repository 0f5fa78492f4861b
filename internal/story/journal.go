package story

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/ebbhq/ebb/internal/event"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/journal/memory"
	"github.com/ebbhq/ebb/internal/kernel"
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
	ebb  *ebb  // whose process it is; nil: an invocation of a function
	at   Fault // where the process is killed in the step that is under way; zero: nowhere
}

// reach is why the journal cannot be reached, if it cannot.
func (f *faulty) reach() error {
	if f.ebb != nil && f.ebb.cut.After(f.run.w.Now()) {
		return errJournal
	}
	return nil
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
	return reads(ctx, f, f.Store.Open)
}
func (f *faulty) Leases(ctx context.Context) ([]journal.Lease, error) {
	return reads(ctx, f, f.Store.Leases)
}

func (f *faulty) Forwarded(ctx context.Context, scopes []string) ([]journal.Forwarded, error) {
	return reads(ctx, f, func(ctx context.Context) ([]journal.Forwarded, error) { return f.Store.Forwarded(ctx, scopes) })
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
	f.alone()
	if f.ebb != nil {
		f.ebb.queue.Flush(f.ebb.ctx) // which the source may do at any moment
		f.ebb.writes++
		f.at = f.run.faultOf("crash", f.ebb.writes)
	}
	if f.killed(beforeWrite) {
		return errKilled
	}
	f.run.under(f.name, b)
	if err := f.write(ctx, b); err != nil {
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
	switch fault {
	case "conflict":
		return journal.ErrConflict
	case "error":
		return errJournal
	}
	if err := f.Store.Write(ctx, b); err != nil {
		return err
	}
	f.run.durable(b, f.skew)
	if fault != "" {
		return errJournal
	}
	return nil
}

// durable writes into the world's own record what the journal now holds, so that the order of things can be checked.
func (r *run) durable(b journal.Batch, skew time.Duration) {
	for _, rec := range b.Records {
		d, err := kernel.Read(rec)
		must(err)
		to, believed := "open", ""
		if !rec.Open {
			to = "ended"
		}
		if !d.DrainingSince.IsZero() {
			believed = fleet.Draining
		}
		r.w.Log(core.Entry{
			Kind: core.EntryJournal, Instance: d.Target.ID, Group: d.Group, Hook: d.Hook, Text: d.Token, To: to, From: believed, Message: rec.Key,
		})
	}
	for _, n := range b.Forwarded {
		ev := event.Parse([]byte(n.Body))
		r.w.Log(core.Entry{
			Kind: core.EntryJournal, Instance: string(ev.Instance), Group: ev.Group, Hook: ev.Hook, Text: ev.Token, To: "noted", Message: n.ID,
		})
		r.cover["noted"]++
	}
	for _, l := range b.Lines {
		r.lines = append(r.lines, Line{l.At.Add(-skew).Sub(r.start), l.Kind, r.hostOfKey(l.Key), l.Text})
		r.cover["line "+l.Kind]++
		if l.Kind == "unreadable" {
			r.w.Log(core.Entry{Kind: core.EntryJournal, To: "unreadable", Text: l.Text})
		}
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
