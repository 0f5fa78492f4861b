package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/kernel"
	"github.com/ebbhq/ebb/internal/notice"
	"github.com/ebbhq/ebb/internal/plain"
)

// Teller tells people. A call ends by itself in bounded time. The error is nil once the notice has arrived; a *notice.Undeliverable if no
// further try can help; a *notice.Later if the receiver said when to try again; or another one, after which it is tried again.
//
// A message is the name that the receiver gave to what it was told of the same drain first, empty if there is none. The next notice of that
// drain comes with it, so that a receiver can show the newest in the same place.
type Teller interface {
	Tell(ctx context.Context, route string, n notice.Notice, message string) (string, error)
}

// How long a notice that could not be sent waits until it is tried again: twice as long after each failure of its route. One that is older
// than tellFor is of no use any more. DynamoDB keeps it for two days.
const (
	tellAgain = 2 * time.Second
	tellRest  = 5 * time.Minute
	tellFor   = 24 * time.Hour
	// tellPause is how often the outbox is read when nothing says that there is something in it: another Ebb may have died before it sent.
	tellPause = time.Minute
)

// Outbox sends the notices that wait in the journal: each at least once, and no notice before it is durable. What it sends it removes
// afterwards. A route that fails holds up its own notices only. It also puts the daily digests there. One goroutine uses it.
type Outbox struct {
	store  journal.Store
	teller Teller
	now    func() time.Time // the clock of the cloud
	log    *slog.Logger
	routes map[string]*resting
	meter  Meter

	daily    []notice.Route
	first    string               // the scope whose holder makes the digests
	digested map[string]time.Time // until when the newest digest tells that is known to be made, by route
}

// resting is a route that has failed: how often since it last worked, and when it is tried again.
type resting struct {
	fails int
	again time.Time
}

// NewOutbox returns the outbox of an Ebb.
func NewOutbox(cfg Config) *Outbox {
	cfg = cfg.withDefaults()
	o := &Outbox{
		store: cfg.Store, teller: cfg.Teller, now: cfg.Now, log: cfg.Log, meter: cfg.Meter, routes: map[string]*resting{},
		daily: cfg.Kernel.Routes, digested: map[string]time.Time{},
	}
	if scopes := kernel.Scopes(cfg.Kernel.Groups, nil); len(scopes) > 0 {
		o.first = scopes[0]
	}
	return o
}

// Step sends what waits for the scopes whose leases are held, and says when to call it again, by the clock of the cloud.
func (o *Outbox) Step(ctx context.Context, held map[string]journal.Lease) (again time.Time) {
	again = o.now().Add(tellPause)
	if len(held) == 0 {
		return again
	}
	o.digests(ctx, held)
	scopes := slices.Sorted(maps.Keys(held))
	all, messages, err := o.read(ctx, scopes)
	if err != nil {
		o.log.Warn("the notices in the journal cannot be read; nobody is told meanwhile", "err", err)
		return again
	}
	waits := map[string]int{}
	for _, f := range all {
		if ctx.Err() != nil {
			return again
		}
		at := o.send(ctx, f, messages)
		if at.IsZero() {
			continue
		}
		if route, _, err := notice.Read(f); err == nil {
			waits[route]++
		}
		if at.Before(again) {
			again = at
		}
	}
	o.meter.Waiting(waits)
	return again
}

// read reads what waits for some scopes, and the messages that it belongs to.
func (o *Outbox) read(ctx context.Context, scopes []string) (all []journal.Forwarded, messages map[string]journal.Forwarded, err error) {
	ctx, cancel := context.WithTimeout(ctx, journalTimeout)
	defer cancel()
	boxes, shown := make([]string, len(scopes)), make([]string, len(scopes))
	for i, s := range scopes {
		boxes[i], shown[i] = notice.Outbox(s), notice.Messages(s)
	}
	if all, err = o.store.Forwarded(ctx, boxes); err != nil || len(all) == 0 {
		return nil, nil, err
	}
	said, err := o.store.Forwarded(ctx, shown)
	messages = map[string]journal.Forwarded{}
	for _, m := range said {
		messages[m.ID] = m
	}
	return all, messages, err
}

// send sends one notice and removes it, unless its route rests. It says when to try again; zero: there is nothing to try.
func (o *Outbox) send(ctx context.Context, f journal.Forwarded, messages map[string]journal.Forwarded) time.Time {
	route, n, err := notice.Read(f)
	if err != nil {
		o.log.Error("a notice is discarded", "err", err)
		return o.remove(ctx, f)
	}
	r := o.routes[route]
	if r == nil {
		r = &resting{}
		o.routes[route] = r
	}
	now := o.now()
	if now.Before(r.again) {
		return r.again
	}
	if now.Sub(f.Sent) > tellFor {
		o.log.Error("a notice could not be sent for a day and is discarded", "route", route, "notice", plain.Text(n.Key, plain.Short), "title", n.Title)
		o.meter.Told(route, Discarded)
		return o.remove(ctx, f)
	}
	shown, err := o.tell(ctx, route, f, n, messages)
	never, is := errors.AsType[*notice.Undeliverable](err)
	switch {
	case err == nil:
		r.fails = 0
		o.meter.Told(route, Sent)
		return o.remove(ctx, append([]journal.Forwarded{f}, shown...)...)
	case is:
		o.log.Error("a notice cannot be sent and is discarded", "route", route, "notice", plain.Text(n.Key, plain.Short), "title", n.Title, "err", never)
		o.meter.Told(route, Discarded)
		return o.remove(ctx, f)
	}
	r.fails++
	o.meter.Told(route, Failed)
	r.again = now.Add(min(tellAgain<<min(r.fails-1, 20), tellRest))
	if later, is := errors.AsType[*notice.Later](err); is {
		r.again = now.Add(max(later.For, time.Second))
	}
	o.log.Warn("a notice cannot be sent; it is tried again", "route", route, "notice", plain.Text(n.Key, plain.Short), "again", r.again, "err", err)
	return r.again
}

// tell tells a notice, and keeps the name of the message until the drain has ended. What it returns is of no use any more.
func (o *Outbox) tell(
	ctx context.Context, route string, f journal.Forwarded, n notice.Notice, messages map[string]journal.Forwarded,
) ([]journal.Forwarded, error) {
	m := notice.Message(f, n)
	was, is := messages[m.ID]
	name, err := o.teller.Tell(ctx, route, n, was.Body)
	switch {
	case err != nil:
		return nil, err
	case n.Last() && is:
		return []journal.Forwarded{was}, nil
	case n.Last() || name == "" || name == was.Body:
		return nil, nil
	}
	m.Body = name
	messages[m.ID] = m
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), journalTimeout)
	defer cancel()
	if err := o.store.Write(ctx, journal.Batch{Forwarded: []journal.Forwarded{m}}); err != nil {
		o.log.Warn("the name of a message cannot be kept; what comes of this drain is a message of its own", "route", route, "err", err)
	}
	return nil, nil
}

// remove removes a notice from the outbox, and what belongs to it. If that fails, the notice is sent again.
func (o *Outbox) remove(ctx context.Context, all ...journal.Forwarded) time.Time {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), journalTimeout)
	defer cancel()
	if err := o.store.Discard(ctx, all); err != nil {
		o.log.Warn("a notice that was sent cannot be removed from the journal; it is sent again", "err", err)
		return o.now().Add(tellAgain)
	}
	return time.Time{}
}

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
