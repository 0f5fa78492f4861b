package lambda

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// Asynchronous invocation: two retries after errors, and retries for six hours when throttled.
// https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
const (
	maxAge        = 6 * time.Hour
	maxRetries    = 2
	firstThrottle = time.Second
	lastThrottle  = 5 * time.Minute
)

// asyncEvent is an event that waits in, or has been taken from, the queue that Lambda keeps for a function.
type asyncEvent struct {
	id      string
	payload []byte
	about   core.Entry
	queued  time.Time
	failed  int           // how many runs of it have failed
	pause   time.Duration // after the next throttling
}

// InvokeAsync hands an event to a function, by name or ARN, as a caller that does not wait, and returns the request id.
// https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
func (w *Lambda) InvokeAsync(function string, payload []byte) (string, error) {
	f, err := w.invocable(function, payload)
	if err != nil {
		return "", err
	}
	return w.enqueue(f, payload, core.Entry{}), nil
}

// invocable finds a function by name or ARN, and refuses what it cannot be given.
func (w *Lambda) invocable(function string, payload []byte) (*function, error) {
	arn := function
	if !strings.HasPrefix(arn, "arn:") {
		arn = w.ARN("lambda", "function:"+function)
	}
	f := w.findFunction(arn)
	if f == nil {
		return nil, &core.Error{Code: "ResourceNotFoundException", Message: "Function not found: " + arn, Status: 404}
	}
	if len(payload) > 0 && !json.Valid(payload) {
		return nil, core.Refuse("InvalidRequestContentException", "Could not parse request body into json.")
	}
	return f, nil
}

// enqueue puts an event into a function's queue, from which it comes at least once.
func (w *Lambda) enqueue(f *function, payload []byte, about core.Entry) string {
	id, times := w.UUID(), 1
	if w.Chance(w.Switches.Duplicate) {
		times = 2
	}
	for range times {
		e := &asyncEvent{id: id, payload: payload, about: about, queued: w.Now(), pause: firstThrottle}
		w.After(0, func() { w.tryAsync(f, e) })
	}
	return id
}

// tryAsync runs an event if there is free concurrency, and else tries again.
func (w *Lambda) tryAsync(f *function, e *asyncEvent) {
	switch {
	case w.Now().Sub(e.queued) >= maxAge:
		w.logInvocation(f, e.id, "async", "dropped", "it is older than 6 hours", e.about)
	case w.runtime == nil:
		f.parked = append(f.parked, e)
	case f.running >= f.Concurrency:
		w.logInvocation(f, e.id, "async", "throttled", "", e.about)
		w.After(e.pause, func() { w.tryAsync(f, e) })
		e.pause = min(2*e.pause, lastThrottle)
	default:
		w.begin(f, Invocation{ID: e.id, From: "async", Payload: e.payload}, e.about, func(a Answer) { w.asyncEnded(f, e, a) })
	}
}

// asyncEnded tries a failed event again after one minute, and then after two.
func (w *Lambda) asyncEnded(f *function, e *asyncEvent, a Answer) {
	if a.Error == "" {
		return
	}
	e.failed++
	if e.failed > maxRetries {
		w.logInvocation(f, e.id, "async", "dropped", "it has failed 3 times", e.about)
		return
	}
	w.After(time.Duration(e.failed)*time.Minute, func() { w.tryAsync(f, e) })
}

// Deliver hands an event of another service of AWS to a function; false if there is none of that ARN.
func (w *Lambda) Deliver(arn string, payload []byte, about core.Entry) bool {
	f := w.findFunction(arn)
	if f != nil {
		w.enqueue(f, payload, about)
	}
	return f != nil
}
