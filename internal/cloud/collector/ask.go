package collector

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ebbhq/ebb/internal/cloud"
	"github.com/ebbhq/ebb/internal/inventory"
	"github.com/ebbhq/ebb/internal/plan"
)

// maxAtOnce is how many requests are under way at a time. It is far below the bursts that AWS publishes for reads, so that an
// inventory does not slow down what else works in the account.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/request-throttling.html
const maxAtOnce = 8

// look is one inventory being taken.
type look struct {
	*Collector
	slots  chan struct{} // one per request under way
	calls  atomic.Int32  // requests, each once
	mu     sync.Mutex
	unread []inventory.Unread
}

func (s *Collector) newLook() *look {
	s.pace.begin()
	return &look{Collector: s, slots: make(chan struct{}, maxAtOnce)}
}

// try is the one place of retries: the SDK's own do not know Auto Scaling's RateExceeded, nor the requests that are made by hand. What
// is unclear, such as a connection that broke, is sent again once: it only reads.
func (l *look) try(ctx context.Context, send func() error) error {
	select {
	case l.slots <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-l.slots }()
	l.calls.Add(1)
	broken := 0
	for _, pause := range l.pauses {
		err := send()
		if err == nil {
			return nil
		}
		switch cloud.Classify(err).Class {
		case plan.Throttled:
		case plan.Unclear:
			if broken++; broken > 1 {
				return err
			}
		default:
			return err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return err
		}
	}
	return send()
}

// read reads a part of the inventory and notes it as unread when that fails. What names the operation and what it is to read.
func read[T any](l *look, what string, part func() (T, error)) T {
	found, err := part()
	l.note(what, err)
	return found
}

// ask reads by one request. It returns an empty answer when that fails.
func ask[I, O, P any](ctx context.Context, l *look, what string, f func(context.Context, *I, ...func(*P)) (*O, error), in *I) *O {
	return cmp.Or(read(l, what, func() (*O, error) { return cloud.Ask(ctx, l.try, f, in) }), new(O))
}

// list reads every page; see cloud.All.
func list[I, O, P, T any](
	ctx context.Context, l *look, what string, f func(context.Context, *I, ...func(*P)) (*O, error), in *I, token **string,
	page func(*O) ([]T, *string),
) []T {
	return read(l, what, func() ([]T, error) { return cloud.All(ctx, l.try, f, in, token, page) })
}

// note notes a part as unread when an error says that it could not be read.
func (l *look) note(what string, err error) {
	if err != nil {
		l.missed(what, cloud.Reason(cloud.Classify(err)))
	}
}

func (l *look) missed(what, text string) { addUnread(l, inventory.Unread{What: what, Error: text}) }

// absent notes a part that was asked for by its name and does not exist.
func (l *look) absent(what, text string) {
	addUnread(l, inventory.Unread{What: what, Error: text, Absent: true})
}

func addUnread(l *look, u inventory.Unread) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.unread = append(l.unread, u)
}

// each does something with every item at the same time, and returns when all is done. The slots limit the requests.
func each[T any](items []T, do func(i int, item T)) {
	var all sync.WaitGroup
	for i, item := range items {
		all.Go(func() { do(i, item) })
	}
	all.Wait()
}

// parallel does something with every item at the same time, and returns what came of each, in their order.
func parallel[A, B any](items []A, do func(A) B) []B {
	out := make([]B, len(items))
	each(items, func(i int, item A) { out[i] = do(item) })
	return out
}

// inChunks reads some ids by each request, and keeps their order.
func inChunks[T any](ids []string, size int, ask func(chunk []string) []T) []T {
	return slices.Concat(parallel(slices.Collect(slices.Chunk(ids, size)), ask)...)
}

// together does several things at the same time, and returns when all is done.
func together(things ...func()) { each(things, func(_ int, do func()) { do() }) }

// unique are the items that are not empty, each once, sorted.
func unique(items []string) []string {
	items = slices.Compact(slices.Sorted(slices.Values(items)))
	return slices.DeleteFunc(items, func(s string) bool { return s == "" })
}
