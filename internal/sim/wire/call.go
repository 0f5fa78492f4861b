package wire

import (
	"context"
	"errors"
	"reflect"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// call is the way of every operation: it names the caller to the world, counts, limits, authorizes, injects faults, answers, and writes the
// call into the world's record. A call over HTTP may wait for a better answer.
func (a *API) call(ctx context.Context, o *operation, in any) (any, error) {
	out, err := a.once(ctx, o, in)
	if _, ok := webOf(ctx); ok && err == nil && o.Poll != nil {
		return a.wait(ctx, o, in, out)
	}
	return out, err
}

func (a *API) once(ctx context.Context, o *operation, in any) (any, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	defer a.lock()()
	if a.clock != nil {
		a.clock.CatchUp()
	}
	req := a.arrive(ctx, o, in)
	out, err := a.perform(ctx, &req)
	if err != nil {
		out, err = nil, a.sorry(req, err)
	}
	a.note(req, err)
	a.wake()
	return out, err
}

// arrive counts a call and tells the world who makes it.
func (a *API) arrive(ctx context.Context, o *operation, in any) Request {
	a.seq++
	req := Request{
		Service: o.of.Name, Operation: o.Name, Caller: callerOf(ctx),
		At: a.World.Now(), Number: a.seq, Input: in, Page: o.Token(in) != "", row: o,
	}
	a.counts[tally{req.Name(), req.Caller}]++
	a.World.SetCaller(req.Caller)
	return req
}

func (a *API) perform(ctx context.Context, req *Request) (any, error) {
	if !a.admit(*req) {
		return nil, &req.row.of.Errors.Throttled
	}
	if err := a.authorize(*req); err != nil {
		return nil, err
	}
	var fault Fault
	if a.Faults != nil {
		fault = a.Faults(*req)
	}
	if err := fault.before(*req); err != nil {
		return nil, err
	}
	if fault.Kind == Denied {
		anything := core.Resource{ARN: "*"}
		return nil, denied(req.row.of.Errors.Denied, req.Service+":"+req.Operation, a.World.UserARN(req.Caller), anything, false)
	}
	if fault.Kind == Stale {
		a.World.SetLag(fault.Lag)
		defer a.World.SetLag(0)
	}
	if fault.Kind == ItemFailure {
		req.partly = true
		return a.withoutItem(ctx, fault, *req)
	}
	out, err := a.answer(ctx, req.row, req.Input)
	if err != nil {
		return nil, err
	}
	return out, fault.after(*req)
}

// answer lets the operation answer, if the request has all that it must have and is one that AWS's model allows.
func (a *API) answer(ctx context.Context, o *operation, in any) (any, error) {
	if name := missing(o.Needs(in)); name != "" {
		return nil, o.of.Errors.Missing(name)
	}
	if broken := o.broken(in); len(broken) > 0 && !o.of.Errors.Own {
		return nil, o.of.Broken(broken)
	}
	w, _ := webOf(ctx)
	return o.Run(&core.Call{Caller: callerOf(ctx), Endpoint: w.endpoint, PageSize: a.PageSize, Lagging: a.World.Lagging()}, in)
}

// missing returns the name of the first member that a request lacks, empty if there is none.
func missing(members []core.Member) string {
	for _, m := range members {
		v := reflect.ValueOf(m.Value)
		if v.Kind() == reflect.Pointer && !v.IsNil() && v.Elem().Kind() == reflect.String {
			v = v.Elem()
		}
		if v.IsZero() || v.Kind() == reflect.Slice && v.Len() == 0 {
			return m.Name
		}
	}
	return ""
}

// note writes the call into the world's record.
func (a *API) note(req Request, err error) {
	e := req.row.Subject(req.Input)
	e.Kind, e.By, e.Text, e.To = core.EntryCall, req.Caller, req.Name(), "ok"
	var refusal *Error
	switch {
	case err == nil && req.partly:
		e.From = "partly"
	case err == nil:
	case errors.As(err, &refusal):
		e.To = refusal.Code
	default:
		e.To = "timeout"
	}
	a.World.Log(e)
}
