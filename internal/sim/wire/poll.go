package wire

import (
	"context"
	"time"
)

// wait is the rest of a long poll: until its time is over, in the time of the world, it looks again each time the world has changed. It holds no
// lock while it waits. Without a clock nothing would ever end the wait.
func (a *API) wait(ctx context.Context, o *operation, in, out any) (any, error) {
	var until time.Time
	for {
		var change <-chan struct{}
		var err error
		if out, change, err = a.again(ctx, o, in, out, &until); err != nil || change == nil {
			return out, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-change:
		}
	}
}

// again looks once more, but not the first time. The poll is over when it returns no channel.
func (a *API) again(ctx context.Context, o *operation, in, out any, until *time.Time) (any, <-chan struct{}, error) {
	defer a.lock()()
	first := until.IsZero()
	if first && a.clock == nil {
		return out, nil, nil
	}
	if !first {
		a.World.SetCaller(callerOf(ctx))
		var err error
		if out, err = a.answer(ctx, o, in); err != nil {
			return nil, nil, a.sorry(Request{Service: o.of.Name, Operation: o.Name, row: o}, err)
		}
	}
	left := o.Poll(in, out)
	if first {
		*until = a.World.Now().Add(left)
	}
	if left == 0 || !a.World.Now().Before(*until) {
		return out, nil, nil
	}
	return out, a.change(), nil
}
