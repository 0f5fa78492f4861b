package engine

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/notice"
	"github.com/ebbhq/ebb/internal/plain"
)

// Teller tells people. A call ends by itself in bounded time. What it returns is nil once the notice has arrived; a *notice.Undeliverable if
// no further try can help; a *notice.Later if the receiver said when to try again; or another error, after which it is tried again.
type Teller interface {
	Tell(ctx context.Context, route string, n notice.Notice) error
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
// afterwards. A route that fails holds up its own notices only. One goroutine uses it.
type Outbox struct {
	store  journal.Store
	teller Teller
	now    func() time.Time // the clock of the cloud
	log    *slog.Logger
	routes map[string]*resting
}

// resting is a route that has failed: how often since it last worked, and when it is tried again.
type resting struct {
	fails int
	again time.Time
}

// NewOutbox returns the outbox of an Ebb.
func NewOutbox(cfg Config) *Outbox {
	cfg = cfg.withDefaults()
	return &Outbox{store: cfg.Store, teller: cfg.Teller, now: cfg.Now, log: cfg.Log, routes: map[string]*resting{}}
}

// Step sends what waits for some scopes, and says when to call it again, by the clock of the cloud.
func (o *Outbox) Step(ctx context.Context, scopes []string) (again time.Time) {
	again = o.now().Add(tellPause)
	if len(scopes) == 0 {
		return again
	}
	boxes := make([]string, len(scopes))
	for i, s := range scopes {
		boxes[i] = notice.Outbox(s)
	}
	all, err := o.read(ctx, boxes)
	if err != nil {
		o.log.Warn("the notices in the journal cannot be read; nobody is told meanwhile", "err", err)
		return again
	}
	for _, f := range all {
		if ctx.Err() != nil {
			return again
		}
		if at := o.send(ctx, f); !at.IsZero() && at.Before(again) {
			again = at
		}
	}
	return again
}

func (o *Outbox) read(ctx context.Context, boxes []string) ([]journal.Forwarded, error) {
	ctx, cancel := context.WithTimeout(ctx, journalTimeout)
	defer cancel()
	return o.store.Forwarded(ctx, boxes)
}

// send sends one notice and removes it, unless its route rests. It says when to try again; zero: there is nothing to try.
func (o *Outbox) send(ctx context.Context, f journal.Forwarded) time.Time {
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
		return o.remove(ctx, f)
	}
	err = o.teller.Tell(ctx, route, n)
	never, is := errors.AsType[*notice.Undeliverable](err)
	switch {
	case err == nil:
		r.fails = 0
		return o.remove(ctx, f)
	case is:
		o.log.Error("a notice cannot be sent and is discarded", "route", route, "notice", plain.Text(n.Key, plain.Short), "title", n.Title, "err", never)
		return o.remove(ctx, f)
	}
	r.fails++
	r.again = now.Add(min(tellAgain<<min(r.fails-1, 20), tellRest))
	if later, is := errors.AsType[*notice.Later](err); is {
		r.again = now.Add(max(later.For, time.Second))
	}
	o.log.Warn("a notice cannot be sent; it is tried again", "route", route, "notice", plain.Text(n.Key, plain.Short), "again", r.again, "err", err)
	return r.again
}

// remove removes a notice that needs not be sent any more. If that fails, it is sent again.
func (o *Outbox) remove(ctx context.Context, f journal.Forwarded) time.Time {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), journalTimeout)
	defer cancel()
	if err := o.store.Discard(ctx, []journal.Forwarded{f}); err != nil {
		o.log.Warn("a notice that was sent cannot be removed from the journal; it is sent again", "err", err)
		return o.now().Add(tellAgain)
	}
	return time.Time{}
}
