package lambda

import (
	"fmt"
	"slices"
	"time"
)

// EventSource is an event source mapping: Lambda polls a queue for a function.
// https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
type EventSource struct {
	UUID, QueueARN string
	Queue          string        // name
	Batch          int           // most messages of an invocation; 0: 10
	Window         time.Duration // how long a batch is gathered after its first message; up to 300 s
	Report         bool          // ReportBatchItemFailures: the function names the messages that failed
	MaxConcurrency int           // batches at once, 2 to 1000; 0: the 5 with which AWS begins, and the simulated cloud stays
}

// eventSource is a mapping and what it does.
type eventSource struct {
	EventSource
	f       *function
	batches int // that are in the hands of the function, or wait for it
}

// batch is messages on their way to a function.
type batch struct {
	s        *eventSource
	messages []Message
	until    time.Time     // when the queue shows them again
	pause    time.Duration // after the next throttling
}

func (w *Lambda) addSource(f *function, s EventSource) error {
	arn, visibility, ok := w.queues.Find(s.Queue)
	if !ok {
		return fmt.Errorf("there is no queue %q for its event source; add it to queues", s.Queue)
	}
	if s.Batch == 0 {
		s.Batch = 10
	}
	switch {
	case visibility < f.Timeout:
		return fmt.Errorf("queue %q hides messages for %v, and the function may take %v; AWS wants the visibility timeout to be no shorter",
			s.Queue, visibility, f.Timeout)
	case s.Batch < 1 || s.Batch > 10000 || s.Batch > 10 && s.Window < time.Second:
		return fmt.Errorf("the batch of queue %q is %d; it must be from 1 to 10, or up to 10000 with a window of at least 1s", s.Queue, s.Batch)
	case s.Window < 0 || s.Window > 300*time.Second:
		return fmt.Errorf("the window of queue %q is %v; it must be from 0s to 5m", s.Queue, s.Window)
	case s.MaxConcurrency != 0 && (s.MaxConcurrency < 2 || s.MaxConcurrency > 1000):
		return fmt.Errorf("the maximum concurrency of queue %q is %d; it must be from 2 to 1000, or 0 for none", s.Queue, s.MaxConcurrency)
	}
	s.UUID, s.QueueARN = w.UUID(), arn
	f.Sources = append(f.Sources, s)
	f.sources = append(f.sources, &eventSource{EventSource: s, f: f})
	return nil
}

// Poll lets the mappings of a queue look at it.
func (w *Lambda) Poll(queueARN string) {
	for _, f := range w.functions {
		for _, s := range f.sources {
			if s.QueueARN == queueARN {
				w.poll(s)
			}
		}
	}
}

// Polls reports whether a queue has mappings.
func (w *Lambda) Polls(queueARN string) bool {
	return slices.ContainsFunc(w.functions, func(f *function) bool {
		return slices.ContainsFunc(f.sources, func(s *eventSource) bool { return s.QueueARN == queueARN })
	})
}

// poll takes batches for as long as there are messages and the mapping may have more of them in hand.
func (w *Lambda) poll(s *eventSource) {
	if w.runtime == nil {
		return
	}
	w.As("lambda", func() {
		for w.ready(s) && w.take(s) {
		}
	})
}

// ready reports whether a batch is there: a full one, or one whose window is over.
func (w *Lambda) ready(s *eventSource) bool {
	limit := s.MaxConcurrency
	if limit == 0 {
		limit = 5
	}
	if s.batches >= limit {
		return false
	}
	visible, first := w.queues.Waiting(s.Queue)
	if over := first.Add(s.Window); visible > 0 && visible < s.Batch && over.After(w.Now()) {
		w.At(over, func() { w.poll(s) })
		return false
	}
	return visible > 0
}

// take receives a batch and hands it to the function.
func (w *Lambda) take(s *eventSource) bool {
	_, visibility, _ := w.queues.Find(s.Queue)
	b := &batch{s: s, until: w.Now().Add(visibility), pause: firstThrottle}
	for len(b.messages) < s.Batch {
		got := w.queues.Receive(s.Queue, min(10, s.Batch-len(b.messages)))
		if len(got) == 0 {
			break
		}
		b.messages = append(b.messages, got...)
	}
	if len(b.messages) == 0 {
		return false
	}
	s.batches++
	w.invokeBatch(b)
	return true
}

// invokeBatch invokes the function with a batch. A throttled batch is tried again until the queue shows its messages anyhow. That the
// mapping takes fewer batches at once after failures, as AWS says without numbers, is not modelled.
// https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
func (w *Lambda) invokeBatch(b *batch) {
	f, from := b.s.f, "sqs:"+b.s.Queue
	about := b.messages[0].About
	if f.running < f.Concurrency {
		v := Invocation{ID: w.UUID(), From: from, Payload: queueEvent(b.messages, b.s.QueueARN, w.Region)}
		w.begin(f, v, about, func(a Answer) { w.batchEnded(b, a) })
		return
	}
	w.logInvocation(f, "", from, "throttled", "", about)
	if !w.Now().Add(b.pause).Before(b.until) {
		b.s.batches--
		return
	}
	w.After(b.pause, func() { w.invokeBatch(b) })
	b.pause *= 2
}

// batchEnded deletes the messages that the function has done with. The others come again when their visibility timeout is over.
func (w *Lambda) batchEnded(b *batch, a Answer) {
	b.s.batches--
	if a.Error != "" {
		return
	}
	failed := map[string]bool{}
	if b.s.Report {
		var ok bool
		if failed, ok = failures(a.Payload, b.messages); !ok {
			return
		}
	}
	w.As("lambda", func() {
		for _, m := range b.messages {
			if !failed[m.ID] {
				w.queues.Delete(b.s.Queue, m.Handle)
			}
		}
	})
}
