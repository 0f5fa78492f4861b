package cli

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/ebbhq/ebb/internal/engine"
	"github.com/ebbhq/ebb/internal/source/sqs"
)

// feed is a queue as the engine's source: it remembers the receipts of what it handed over, and settles in batches.
type feed struct {
	queue *sqs.Queue
	log   *slog.Logger

	mu     sync.Mutex // guards the rest; never held across a request
	held   map[string]sqs.Message
	delete []sqs.Message
	give   []sqs.Message
	stir   chan struct{}
}

func newFeed(q *sqs.Queue, log *slog.Logger) *feed {
	return &feed{queue: q, log: log, held: map[string]sqs.Message{}, stir: make(chan struct{}, 1)}
}

// Run hands over what the queue brings, and settles what the engine has done with, until ctx ends. What is still to be settled then
// gets a moment more.
func (f *feed) Run(ctx context.Context, hear func(context.Context, []engine.Message) error) error {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.settleAll(ctx)
	}()
	defer func() { <-done }()
	return f.queue.Run(ctx, func(ctx context.Context, ms []sqs.Message) error {
		out := make([]engine.Message, len(ms))
		f.mu.Lock()
		for i, m := range ms {
			f.held[m.ID] = m
			out[i] = engine.Message{ID: m.ID, Body: m.Body, Sent: m.Sent, Receives: m.Receives}
		}
		f.mu.Unlock()
		return hear(ctx, out)
	})
}

// Settle takes note of what becomes of a message.
func (f *feed) Settle(id string, del bool) {
	f.mu.Lock()
	m, ok := f.held[id]
	delete(f.held, id)
	if ok && del {
		f.delete = append(f.delete, m)
	} else if ok {
		f.give = append(f.give, m)
	}
	f.mu.Unlock()
	select {
	case f.stir <- struct{}{}:
	default:
	}
}

func (f *feed) settleAll(ctx context.Context) {
	for {
		select {
		case <-f.stir:
			f.settle(ctx)
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
			defer cancel()
			f.settle(last)
			return
		}
	}
}

func (f *feed) settle(ctx context.Context) {
	f.mu.Lock()
	del, give := f.delete, f.give
	f.delete, f.give = nil, nil
	f.mu.Unlock()
	if len(del) > 0 {
		if err := f.queue.Delete(ctx, del); err != nil {
			f.log.Warn("messages could not be acknowledged; they come again and are known then", "err", err)
		}
	}
	for _, m := range give {
		if err := f.queue.Return(ctx, m, sqs.Backoff(m.Receives)); err != nil {
			f.log.Debug("message could not be returned; it comes again after its visibility time-out", "err", err)
		}
	}
}
