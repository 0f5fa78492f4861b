package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/kernel"
	"github.com/ebbhq/ebb/internal/notice"
)

// How much of the journal a digest reads: the newest. It says so if there was more.
const (
	digestDrains  = 5000
	digestHistory = 10000
)

// digests puts the digests that are due into the outbox: those of all scopes together, by whoever holds the first. That it is there is kept
// beside it, so that no other Ebb and no later process puts it there again.
func (o *Outbox) digests(ctx context.Context, held map[string]journal.Lease) {
	l, ours := held[o.first]
	if !ours {
		return
	}
	for _, r := range o.daily {
		until, due := r.Due(o.now())
		if !due || o.digested[r.Name].Equal(until) {
			continue
		}
		if err := o.digest(ctx, r, l, until); err != nil {
			if !errors.Is(err, journal.ErrConflict) { // another Ebb has the lease by now
				o.log.Warn("the digest cannot be made; it is tried again", "route", r.Name, "err", err)
			}
			return
		}
		o.digested[r.Name] = until
	}
}

// digest puts the digest of a route into the outbox, unless it was there before.
func (o *Outbox) digest(ctx context.Context, r notice.Route, l journal.Lease, until time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, journalTimeout)
	defer cancel()
	marks, err := o.store.Forwarded(ctx, []string{notice.Digests})
	if err != nil {
		return fmt.Errorf("read which digests were made: %w", err)
	}
	since, old, made := r.Since(marks, until)
	if !made {
		day, err := o.day(ctx, since, until)
		if err != nil {
			return err
		}
		b := journal.Batch{Under: []journal.Lease{l}, Forwarded: notice.Put(r.About(day), l.Scope, []notice.Route{r})}
		b.Forwarded = append(b.Forwarded, r.Mark(until))
		if err := o.store.Write(ctx, b); err != nil {
			return fmt.Errorf("write the digest: %w", err)
		}
	}
	if len(old) == 0 {
		return nil
	}
	if err := o.store.Discard(ctx, old); err != nil {
		o.log.Debug("the marks of earlier digests cannot be removed from the journal; the next digest does it", "err", err)
	}
	return nil
}

// day reads what the journal says of a time.
func (o *Outbox) day(ctx context.Context, since, until time.Time) (day notice.Day, err error) {
	open, err := o.store.Open(ctx)
	if err != nil {
		return day, fmt.Errorf("read the open drains: %w", err)
	}
	ended, err := o.store.Recent(ctx, digestDrains)
	if err != nil {
		return day, fmt.Errorf("read the ended drains: %w", err)
	}
	lines, err := o.store.History(ctx, journal.Query{Since: since, Limit: digestHistory})
	if err != nil {
		return day, fmt.Errorf("read the history: %w", err)
	}
	day = kernel.Day(open, ended, lines, since, until)
	day.More = len(ended) == digestDrains && len(day.Ended) == len(ended) || len(lines) == digestHistory
	return day, nil
}
