package wire

import (
	"context"
	"fmt"
	"time"
)

// FaultKind is a way for a call to go wrong.
type FaultKind uint8

// The kinds of fault. The zero value is none.
const (
	NoFault FaultKind = iota
	// Throttle refuses the call with the service's own throttling error.
	Throttle
	// ErrorBefore answers 500; the call had no effect.
	ErrorBefore
	// ErrorAfter answers 500 although the call had its effect.
	ErrorAfter
	// TimeoutBefore gives no answer; the call had no effect. Over HTTP the connection is closed.
	TimeoutBefore
	// TimeoutAfter gives no answer although the call had its effect.
	TimeoutAfter
	// Stale answers with the world as it was Lag ago.
	Stale
	// DropPage answers 500 when the call asks for a later page of an answer.
	DropPage
	// StaleToken refuses the token of a later page, as if it were too old. No page of AWS says how long one holds.
	StaleToken
	// ItemFailure moves one item of a batch call into its failures, with a reason that does not mean that it is missing.
	ItemFailure
	// Denied refuses the call as IAM does where no policy allows it.
	Denied
)

// Fault is what goes wrong with one call.
type Fault struct {
	Kind FaultKind
	Lag  time.Duration // of Stale
	Item int           // of ItemFailure: which item, modulo their number
}

func (f Fault) before(req Request) error {
	switch f.Kind {
	case Throttle:
		return &req.row.of.Errors.Throttled
	case ErrorBefore:
		return &req.row.of.Errors.Internal
	case TimeoutBefore:
		return unanswered(req)
	case DropPage:
		if req.Page {
			return &req.row.of.Errors.Internal
		}
	case StaleToken:
		if req.Page {
			return &req.row.of.Errors.StaleToken
		}
	}
	return nil
}

func (f Fault) after(req Request) error {
	switch f.Kind {
	case ErrorAfter:
		return &req.row.of.Errors.Internal
	case TimeoutAfter:
		return unanswered(req)
	}
	return nil
}

// unanswered is what a client sees of a call without an answer: its own timeout.
func unanswered(req Request) error {
	return fmt.Errorf("operation error %s: %s, no answer: %w", req.Service, req.Operation, context.DeadlineExceeded)
}

// withoutItem answers a batch call as if the service had failed on one of its items.
func (a *API) withoutItem(ctx context.Context, f Fault, req Request) (any, error) {
	o := req.row
	rest, out := o.Copy(req.Input), o.Output()
	ids, _ := o.Batch(rest, out)
	if ids == nil || len(*ids) == 0 {
		return a.answer(ctx, o, req.Input)
	}
	i := f.Item % len(*ids)
	id := (*ids)[i]
	*ids = append(append([]string{}, (*ids)[:i]...), (*ids)[i+1:]...)
	if len(*ids) > 0 {
		var err error
		if out, err = a.answer(ctx, o, rest); err != nil {
			return nil, err
		}
	}
	_, fail := o.Batch(rest, out)
	fail(id, "INTERNAL_ERROR", "injected by the simulated cloud")
	return out, nil
}
