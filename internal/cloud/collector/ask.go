package collector

import (
	"context"
	"slices"
	"strings"
	"sync"
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
	Clients
	requests
}

// requests sends requests, and notes what could not be read.
type requests struct {
	slots  chan struct{} // one per request under way
	pauses []time.Duration
	mu     sync.Mutex
	unread []inventory.Unread
}

func (s *Collector) newLook() *look {
	return &look{s.Clients, requests{slots: make(chan struct{}, maxAtOnce), pauses: s.pauses}}
}

// ask sends one request, and again after a pause when AWS throttles it.
func ask[I, O, P any](ctx context.Context, l *look, f func(context.Context, *I, ...func(*P)) (*O, error), in *I) (out *O, err error) {
	err = l.try(ctx, func() error {
		out, err = f(ctx, in)
		return err
	})
	return out, err
}

// try is the one place of retries: the SDK's own do not know Auto Scaling's RateExceeded, nor the requests that are made by hand. What
// is unclear, such as a connection that broke, is sent again once: it only reads.
func (r *requests) try(ctx context.Context, send func() error) error {
	select {
	case r.slots <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-r.slots }()
	broken := 0
	for _, pause := range r.pauses {
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

// read runs a part of the inventory and notes it as unread when it fails. What names the operation and what it is to read.
func (r *requests) read(what string, part func() error) {
	if err := part(); err != nil {
		r.miss(what, err)
	}
}

func (r *requests) miss(what string, err error) {
	f := cloud.Classify(err)
	text := f.Message
	if f.Code != "" {
		text = f.Code + ": " + f.Message
	}
	r.missed(what, text)
}

func (r *requests) missed(what, text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.unread = append(r.unread, inventory.Unread{What: what, Error: text})
}

// unreadSorted are the parts that could not be read, in an order that does not depend on which answer came first.
func (r *requests) unreadSorted() []inventory.Unread {
	slices.SortFunc(r.unread, func(a, b inventory.Unread) int {
		if c := strings.Compare(a.What, b.What); c != 0 {
			return c
		}
		return strings.Compare(a.Error, b.Error)
	})
	return slices.Compact(r.unread)
}

// each does something with every item at the same time, and returns when all is done. The slots limit the requests.
func each[T any](items []T, do func(i int, item T)) {
	var all sync.WaitGroup
	for i, item := range items {
		all.Go(func() { do(i, item) })
	}
	all.Wait()
}

// together does several things at the same time, and returns when all is done.
func together(things ...func()) { each(things, func(_ int, do func()) { do() }) }

// unique are the items that are not empty, each once, sorted.
func unique(items []string) []string {
	items = slices.Compact(slices.Sorted(slices.Values(items)))
	return slices.DeleteFunc(items, func(s string) bool { return s == "" })
}
