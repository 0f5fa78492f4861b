package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/ebbhq/ebb/internal/config"
	"github.com/ebbhq/ebb/internal/diagnose"
	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/kernel"
)

// lately is how long ago an Ebb must have been seen to count as at work: a function is seen once a minute.
const lately = 3 * time.Minute

// askEbb adds to a question what Ebb's configuration and journal say. Where there is no configuration, or no journal to read, nothing is
// added: why then knows what AWS shows. It returns the open records, and what the steps on the host did.
func askEbb(
	ctx context.Context, cfg config.Config, seen *inventory.Inventory, q *diagnose.Question,
) (open []journal.Record, steps []transcript, err error) {
	if file := cfg.JournalFile(); file != "" {
		if _, err := os.Stat(file); errors.Is(err, os.ErrNotExist) {
			return nil, nil, nil
		}
	}
	store, err := readJournal(ctx, cfg)
	if errors.Is(err, errNoJournal) {
		return nil, nil, nil
	}
	if err == nil {
		defer store.Close()
	}
	open, err = askJournal(ctx, store, err, cfg, seen, q)
	if err == nil {
		steps, err = transcripts(ctx, store, string(diagnose.Instance(seen, q.Target)))
	}
	return open, steps, err
}

// askJournal adds what the configuration and a journal say. What of the journal could not be read, or not be opened, is unknown.
func askJournal(
	ctx context.Context, store journal.Store, unopened error, cfg config.Config, seen *inventory.Inventory, q *diagnose.Question,
) (open []journal.Record, err error) {
	man, managed := managedOf(cfg, seen, q.Target)
	if len(cfg.Groups) > 0 {
		q.Ebb = &diagnose.Ebb{Grace: cfg.DaemonGrace, Lost: cfg.LostAfter, Unread: true}
	}
	if q.Ebb != nil && managed {
		configured(q.Ebb, man)
	}
	if err = unopened; err == nil {
		open, err = store.Open(ctx)
	}
	if err == nil {
		err = readEbb(ctx, store, open, cfg, seen, q)
	}
	if err != nil {
		return open, fmt.Errorf("read Ebb's journal: %w", err)
	}
	return open, nil
}

// managedOf is what the configuration says of the group of a target.
func managedOf(cfg config.Config, seen *inventory.Inventory, target string) (config.Group, bool) {
	if g, _ := seen.Member(diagnose.Instance(seen, target)); g != nil {
		return cfg.Group(g.Name)
	}
	return config.Group{}, false
}

// pausesOf are the pauses of the scope to which a group belongs.
func pausesOf(group string, cfg config.Config, paused []pausedLine) []pausedLine {
	g, ok := cfg.Group(group)
	scope := kernel.Managed{Match: g.Match, Cluster: g.Cluster}.Scope()
	return slices.DeleteFunc(paused, func(l pausedLine) bool { return !ok || l.Scope != scope })
}

// readEbb reads the leases, the newest drain of the target and its history.
func readEbb(
	ctx context.Context, store journal.Store, open []journal.Record, cfg config.Config, seen *inventory.Inventory, q *diagnose.Question,
) error {
	id := diagnose.Instance(seen, q.Target)
	past, err := store.Recent(ctx, 100)
	if err != nil {
		return err
	}
	leases, err := store.Leases(ctx)
	if err != nil {
		return err
	}
	if q.Ebb != nil {
		q.Ebb.Unread = false
	}
	hook := fleet.Fact[fleet.Hook]{}
	if g, _ := seen.Member(id); g != nil {
		for _, h := range g.Hooks {
			if h.Name == cfg.Hook {
				hook = fleet.Fact[fleet.Hook]{Is: fleet.Seen, Value: h}
			}
		}
	}
	man, managed := managedOf(cfg, seen, q.Target)
	if q.Ebb != nil && managed {
		atWork(q.Ebb, man, leases, q.Now)
	}
	lines := []diagnose.Line{} // the journal has none about it, if all its open records can be read
	for _, r := range slices.Concat(open, past) {
		d, err := kernel.Read(r)
		if err != nil && r.Open && kernel.OfDrain(r) {
			lines = nil
		}
		if err != nil || d.Instance() != id {
			continue
		}
		if q.Ebb != nil && managed && d.Open() && !d.Observed {
			ofDrain(q.Ebb, d, kernel.Waiting(r), drain.Deadline(d, hook, drain.Policy{Deadline: man.Deadline}))
		}
		q.Lines, err = history(ctx, store, d.Key)
		return err
	}
	q.Lines = lines
	return nil
}

// configured says what the configuration says of a group, such as how many of it may leave at once.
func configured(e *diagnose.Ebb, man config.Group) {
	e.Manages = man.Mode != config.Observe // what Ebb only watches it does not let go
	e.Cluster = man.Cluster
	switch m := man.MaxUnavailable; {
	case m.Count > 0:
		e.Limit = fmt.Sprint(m.Count)
	case m.Percent > 0:
		e.Limit = fmt.Sprintf("%d%%", m.Percent)
	}
}

// atWork says whether an Ebb works for the scope of a group.
func atWork(e *diagnose.Ebb, man config.Group, leases []journal.Lease, now time.Time) {
	scope := kernel.Managed{Match: man.Match, Cluster: man.Cluster}.Scope()
	for _, l := range leases {
		if l.Scope == scope {
			e.Who, e.Seen, e.Works = who(l.Holder), l.At, now.Sub(l.At) < lately
		}
	}
}

// ofDrain says how an open drain goes.
func ofDrain(e *diagnose.Ebb, d drain.Drain, waiting string, deadline time.Time) {
	e.Open, e.Waiting, e.Queued = true, waiting, !d.Queued.IsZero() && d.Slot.IsZero()
	e.Traffic = !d.EarlyFrom.IsZero() && d.EarlyOver.IsZero() && d.DrainingSince.IsZero()
	e.Unreached, e.Empty, e.Begun = d.UnreachedFrom, d.EmptySince, drain.Later(d.Slot, d.Asked)
	if !e.Queued {
		e.Deadline = deadline
	}
}

func history(ctx context.Context, store journal.Store, key string) ([]diagnose.Line, error) {
	found, err := store.History(ctx, journal.Query{Key: key, Limit: 50})
	if err != nil {
		return nil, err
	}
	lines := make([]diagnose.Line, len(found))
	for i, l := range found {
		lines[i] = diagnose.Line{At: l.At, Kind: l.Kind, Text: l.Text}
	}
	return lines, nil
}
