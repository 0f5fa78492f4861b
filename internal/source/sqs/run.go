package sqs

import (
	"cmp"
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/ebbhq/ebb/internal/event"
)

// The pause after an error, doubling from the first to the last.
const (
	firstPause = time.Second
	lastPause  = 30 * time.Second
)

// lastFlush is how long Run takes at its end to make SQS know what was settled.
const lastFlush = 2 * time.Second

// Run receives until ctx is done, and hands each batch to hear. From then on the messages are kept invisible until they are settled, or the
// 12 hours that SQS allows are over. When hear fails they come again after the visibility timeout. Run returns nil when ctx is done, after
// all it started has ended.
func (q *Queue) Run(ctx context.Context, hear func(context.Context, []event.Message) error) error {
	var attending sync.WaitGroup
	attending.Go(func() { q.attend(ctx) })
	defer attending.Wait()
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

func (q *Queue) once(ctx context.Context, hear func(context.Context, []event.Message) error) error {
	ms, err := q.Receive(ctx)
	if err != nil || len(ms) == 0 {
		return err
	}
	if err := hear(ctx, ms); err != nil {
		q.mu.Lock()
		defer q.mu.Unlock()
		for _, m := range ms {
			delete(q.held, m.ID)
		}
		return err
	}
	if len(ms) < maxBatch {
		q.pause(ctx, Breath)
	}
	return nil
}

// Breath is how long Ebb waits after messages before it receives more, so that those that follow one another share a call. The kernel makes looks
// of one kind a second apart, so that hardly anything is looked at later for it.
const Breath = 750 * time.Millisecond

// Linger is how long a message that is to be deleted waits for others, so that they share a call. It has half of its visibility timeout at least.
const Linger = 3 * time.Second

// attend makes SQS know what was settled, and at half of the visibility timeout extends what is held.
func (q *Queue) attend(ctx context.Context) {
	half := time.NewTicker(q.cfg.VisibilityTimeout / 2)
	defer half.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastFlush)
			defer cancel()
			q.Flush(last)
			return
		case <-q.stir:
			q.Return(ctx)
			q.pause(ctx, Linger)
			q.Flush(context.WithoutCancel(ctx))
		case <-half.C:
			if left, err := q.extend(ctx, q.extendable(), q.cfg.VisibilityTimeout); err != nil && ctx.Err() == nil {
				q.cfg.Log.Warn("some messages may come again before they are acknowledged", "count", len(left), "error", err)
			}
		}
	}
}

// pause waits for d of the queue's own time.
func (q *Queue) pause(ctx context.Context, d time.Duration) {
	wait(ctx, time.Duration(float64(d)/cmp.Or(q.cfg.Speed, 1)))
}

// wait reports whether d has passed before ctx was done.
func wait(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// extendable returns what is held, the oldest first, and lets go of what SQS would not extend by a whole timeout.
func (q *Queue) extendable() []received {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := q.cfg.Now()
	var out []received
	for id, m := range q.held {
		if extensible(m, now) < q.cfg.VisibilityTimeout {
			delete(q.held, id)
			continue
		}
		out = append(out, m)
	}
	slices.SortFunc(out, func(a, b received) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.handle, b.handle)) })
	return out
}
