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
// added: why then knows what AWS shows. It returns the open records.
func askEbb(ctx context.Context, cfg config.Config, seen *inventory.Inventory, q *diagnose.Question) (open []journal.Record, err error) {
	if file := cfg.JournalFile(); file != "" {
		if _, err := os.Stat(file); errors.Is(err, os.ErrNotExist) {
			return nil, nil
		}
	}
	store, err := readJournal(ctx, cfg)
	if errors.Is(err, errNoJournal) {
		return nil, nil
	}
	if err == nil {
		defer store.Close()
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
	q.Lines = []diagnose.Line{}
	if len(cfg.Groups) > 0 {
		q.Ebb = &diagnose.Ebb{Grace: cfg.DaemonGrace, Lost: cfg.LostAfter}
	}
	group, hook := "", fleet.Fact[fleet.Hook]{}
	if g, _ := seen.Member(id); g != nil {
		group = g.Name
		for _, h := range g.Hooks {
			if h.Name == cfg.Hook {
				hook = fleet.Fact[fleet.Hook]{Is: fleet.Seen, Value: h}
			}
		}
	}
	man, managed := cfg.Group(group)
	if q.Ebb != nil && managed {
		atWork(q.Ebb, man, leases, q.Now)
	}
	for _, r := range slices.Concat(open, past) {
		d, err := kernel.Read(r)
		if err != nil || d.Instance() != id {
			continue
		}
		if q.Ebb != nil && managed && d.Open() && !d.Observed {
			ofDrain(q.Ebb, d, kernel.Waiting(r), drain.Deadline(d, hook, drain.Policy{Deadline: man.Deadline}))
		}
		q.Lines, err = history(ctx, store, d.Key)
		return err
	}
	return nil
}

// atWork says whether an Ebb works for the scope of a group, and how many of the group may leave at once.
func atWork(e *diagnose.Ebb, man config.Group, leases []journal.Lease, now time.Time) {
	e.Manages = man.Mode != config.Observe // what Ebb only watches it does not let go
	e.Cluster = man.Cluster
	switch m := man.MaxUnavailable; {
	case m.Count > 0:
		e.Limit = fmt.Sprint(m.Count)
	case m.Percent > 0:
		e.Limit = fmt.Sprintf("%d%%", m.Percent)
	}
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
	e.Unreached, e.Empty = d.UnreachedFrom, d.EmptySince
	if !e.Queued {
		e.Deadline = deadline
	}
}

func history(ctx context.Context, store journal.Store, key string) ([]diagnose.Line, error) {
	found, err := store.History(ctx, journal.Query{Key: key, Limit: 50})
	lines := make([]diagnose.Line, len(found))
	for i, l := range found {
		lines[i] = diagnose.Line{At: l.At, Kind: l.Kind, Text: l.Text}
	}
	return lines, err
}
