package story

import (
	"time"

	"github.com/ebbhq/ebb/internal/event"
	"github.com/ebbhq/ebb/internal/source/sqs"
)

// nextMessage is when its long poll would return: when a message is visible, and not more often than a poll takes.
func (e *ebb) nextMessage() time.Time {
	if e.core == nil {
		return never
	}
	return latest(e.visible(never), e.polled.Add(e.breath))
}

// pollPause is how long a poll takes at least.
const pollPause = 200 * time.Millisecond

// visible is when a message of Ebb's queue is visible, but no later than at.
func (r *run) visible(at time.Time) time.Time {
	if q, err := r.w.Queue(r.s.Ebb.queue()); err == nil {
		for _, m := range q.Messages {
			at = earliest(at, m.VisibleAt)
		}
	}
	return at
}

func (e *ebb) poll() {
	now := e.w.Now()
	if e.nextMessage().After(now) {
		return
	}
	e.polled, e.breath = now, pollPause
	ms, err := e.queue.Receive(e.ctx)
	if len(ms) > 0 {
		e.breath = sqs.Breath
	}
	if err != nil {
		e.polled = now.Add(time.Second)
		return
	}
	e.remember(ms)
	e.core.Hear(ms)
}

// flush lets the source tell SQS soon what was settled, as it does itself.
func (e *ebb) flush() {
	e.queue.Return(e.ctx)
	life := e.life
	if e.flushes == life {
		return
	}
	e.flushes = life
	e.later(e.w.Now().Add(sqs.Linger), func() {
		if life == e.life {
			e.flushes = 0
			e.queue.Flush(e.ctx)
		}
	})
}

// remember keeps what messages say, for the judge and for messages that come again.
func (r *run) remember(ms []event.Message) {
	for _, m := range ms {
		ev, again := r.messages[m.ID]
		if !again {
			ev = event.Parse([]byte(m.Body))
			r.messages[m.ID] = ev
		}
		if ev.Kind == event.TerminateAction {
			r.bodies[string(ev.Instance)] = m.Body
		}
	}
}
