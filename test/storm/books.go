package main

import (
	"context"
	"fmt"
	"time"

	"github.com/ebbhq/ebb/internal/event"
	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/sim/core"
)

// books is the journal that the Ebbs of a run share, and a witness of what they write into it: a note that one Ebb leaves for another
// is gone once it was heard, so that no history tells of it.
type books interface {
	url() string            // as a configuration has it
	env() []string          // what an Ebb needs to reach it
	store() journal.Store   // for reading, once they have begun
	requests() int          // by Ebbs so far; 0 where there is no service to ask
	noted() ([]note, error) // the notes that were stored so far
	close() error
}

// note is what the witness saw of a note.
type note struct {
	at   time.Time // in real time, when it was stored for certain
	body string
}

// openBooks makes an empty journal.
func openBooks(ctx context.Context, o options) (books, error) {
	if o.journal == "dynamodb" {
		return openTable(ctx, o)
	}
	return openFile(ctx, o)
}

// entries are notes as a run's evidence: the drain that a note names counts as in the journal.
func entries(ns []note, world func(time.Time) time.Time) []core.Entry {
	var all []core.Entry
	for _, n := range ns {
		if e := event.Parse([]byte(n.body)); e.Kind == event.TerminateAction {
			all = append(all, core.Entry{At: world(n.at), Kind: core.EntryJournal, Group: e.Group, Hook: e.Hook, Instance: string(e.Instance),
				Text: e.Token, To: "noted"})
		}
	}
	return all
}

// readBooks reads what the journal says in the end.
func readBooks(ctx context.Context, b books) (drains []journal.Record, lines []journal.Line, err error) {
	s := b.store()
	open, err := s.Open(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("read the open drains: %w", err)
	}
	ended, err := s.Recent(ctx, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("read the ended drains: %w", err)
	}
	lines, err = s.History(ctx, journal.Query{})
	return append(open, ended...), lines, err
}
