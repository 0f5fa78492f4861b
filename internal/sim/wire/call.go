package wire

import (
	"context"
	"errors"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// call is the way of every operation: it names the caller to the world, counts, limits, authorizes, injects faults, answers, and writes the
// call into the world's record.
func call[In, Out any](ctx context.Context, a *API, service, operation string, in *In, answer func(*In) (*Out, error)) (*Out, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if in == nil {
		in = new(In)
	}
	defer a.lock()()
	if a.clock != nil {
		a.clock.catchUp()
	}
	req := a.arrive(ctx, service, operation, in)
	out, err := perform(a, req, in, answer)
	if err != nil {
		out, err = nil, a.sorry(req, err)
	}
	a.note(req, err)
	a.wake()
	return out, err
}

// arrive counts a call and tells the world who makes it.
func (a *API) arrive(ctx context.Context, service, operation string, in any) Request {
	a.seq++
	req := Request{
		Service: service, Operation: operation, Caller: callerOf(ctx),
		At: a.World.Now(), Number: a.seq, Input: in, Page: tokenOf(in) != "",
	}
	a.counts[tally{req.Name(), req.Caller}]++
	a.World.SetCaller(req.Caller)
	return req
}

func perform[In, Out any](a *API, req Request, in *In, answer func(*In) (*Out, error)) (*Out, error) {
	if !a.admit(req) {
		return nil, throttled(req)
	}
	if err := a.authorize(req); err != nil {
		return nil, err
	}
	var fault Fault
	if a.Faults != nil {
		fault = a.Faults(req)
	}
	if err := fault.before(req); err != nil {
		return nil, err
	}
	if fault.Kind == Stale {
		a.World.SetLag(fault.Lag)
		defer a.World.SetLag(0)
	}
	if fault.Kind == ItemFailure {
		return withoutItem(fault, in, answer)
	}
	out, err := answer(in)
	if err != nil {
		return nil, err
	}
	return out, fault.after(req)
}

// note writes the call into the world's record.
func (a *API) note(req Request, err error) {
	e := subject(req.Input)
	e.Kind, e.By, e.Text, e.To = core.EntryCall, req.Caller, req.Name(), "ok"
	var refusal *Error
	switch {
	case err == nil:
	case errors.As(err, &refusal):
		e.To = refusal.Code
	default:
		e.To = "timeout"
	}
	a.World.Log(e)
}
