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

// maxAtOnce is how many requests are under way at a time. It is far below the bursts that AWS publishes for reads, so that a
// inventory does not slow down what else works in the account.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/request-throttling.html
const maxAtOnce = 8

// look is one inventory being taken.
type look struct {
	Clients
	slots  chan struct{} // one per request under way
	pauses []time.Duration
	mu     sync.Mutex
	unread []inventory.Unread
}

func (s *Collector) newLook() *look {
	return &look{Clients: s.Clients, slots: make(chan struct{}, maxAtOnce), pauses: s.pauses}
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
func (l *look) try(ctx context.Context, send func() error) error {
	select {
	case l.slots <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-l.slots }()
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

// read runs a part of the inventory and notes it as unread when it fails. What names the operation and what it is to read.
func (l *look) read(what string, part func() error) {
	if err := part(); err != nil {
		l.miss(what, err)
	}
}

func (l *look) miss(what string, err error) {
	f := cloud.Classify(err)
	text := f.Message
	if f.Code != "" {
		text = f.Code + ": " + f.Message
	}
	l.missed(what, text)
}

func (l *look) missed(what, text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.unread = append(l.unread, inventory.Unread{What: what, Error: text})
}

// unreadSorted are the parts that could not be read, in an order that does not depend on which answer came first.
func (l *look) unreadSorted() []inventory.Unread {
	slices.SortFunc(l.unread, func(a, b inventory.Unread) int {
		if c := strings.Compare(a.What, b.What); c != 0 {
			return c
		}
		return strings.Compare(a.Error, b.Error)
	})
	return slices.Compact(l.unread)
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

// short is the last part of an ARN: the name of a cluster or service, family:revision of a task definition, or the name of a group.
func short(arn string) string { return arn[strings.LastIndexByte(arn, '/')+1:] }
