package sqs

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"
)

// The pause after an error, doubling from the first to the last.
const (
	firstPause = time.Second
	lastPause  = 30 * time.Second
)

// Run receives until ctx is done, and hands each batch to hear. From then on the messages are kept invisible until Delete or
// Return is called for them, or the 12 hours that SQS allows are over. When hear fails they are let go, and come again after
// the visibility time-out. Run returns nil when ctx is done, after all it started has ended.
func (q *Queue) Run(ctx context.Context, hear func(context.Context, []Message) error) error {
	done := make(chan struct{})
	go func() {
		defer close(done)
		q.keep(ctx)
	}()
	defer func() { <-done }()
	pause := firstPause
	for ctx.Err() == nil {
		err := q.once(ctx, hear)
		if err == nil {
			pause = firstPause
			continue
		}
		if ctx.Err() != nil {
			break
		}
		q.cfg.Log.Warn("no messages heard", "error", err, "again_in", pause)
		wait(ctx, pause/2+rand.N(pause/2))
		pause = min(2*pause, lastPause)
	}
	return nil
}

func (q *Queue) once(ctx context.Context, hear func(context.Context, []Message) error) error {
	ms, err := q.Receive(ctx)
	if err != nil || len(ms) == 0 {
		return err
	}
	q.hold(ms)
	if err := hear(ctx, ms); err != nil {
		q.release(ms)
		return err
	}
	return nil
}

// keep extends what is held, at half of the visibility time-out.
func (q *Queue) keep(ctx context.Context) {
	for wait(ctx, q.cfg.VisibilityTimeout/2) {
		ms := q.extendable()
		var part *PartialError
		if err := q.Extend(ctx, ms, q.cfg.VisibilityTimeout); errors.As(err, &part) && ctx.Err() == nil {
			q.cfg.Log.Warn("some messages may come again before they are acknowledged", "count", len(part.Left), "error", part.Err)
		}
	}
}

// wait reports whether d has passed before ctx was done.
func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

func (q *Queue) hold(ms []Message) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, m := range ms {
		q.held[m.Handle] = m
	}
}

func (q *Queue) release(ms []Message) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, m := range ms {
		delete(q.held, m.Handle)
	}
}

// extendable returns what is held, the oldest first, and lets go of what SQS would not extend by a whole time-out.
func (q *Queue) extendable() []Message {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := q.cfg.Now()
	var out []Message
	for handle, m := range q.held {
		if left(m, now) < q.cfg.VisibilityTimeout {
			delete(q.held, handle)
			continue
		}
		out = append(out, m)
	}
	slices.SortFunc(out, func(a, b Message) int { return cmp.Or(a.Received.Compare(b.Received), cmp.Compare(a.Handle, b.Handle)) })
	return out
}
