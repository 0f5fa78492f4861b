package process

import (
	"context"
	"slices"
	"time"

	"github.com/ebbhq/ebb/internal/sim/lambda"
)

// job is an invocation on its way to an environment.
type job struct {
	lambda.Invocation
	deadline time.Time // on the clock of processes
}

// environment is an execution environment: a process or a Go function that takes one invocation after the other.
// https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
type environment struct {
	s    *Service
	f    lambda.Function
	work chan job        // what it is to do next; never more than one
	gone context.Context // done when it is to end, or has ended
	end  context.CancelFunc

	// Guarded by Service.mu.
	current   *lambda.Invocation // nil: idle, or it has not begun
	delivered bool               // it has taken the current one, or an earlier one, and so has begun
	answer    *lambda.Answer     // to the current one; the invocation lasts until it asks for the next
	dead      bool
}

func newEnvironment(s *Service, f lambda.Function) *environment {
	e := &environment{s: s, f: f, work: make(chan job, 1)}
	e.gone, e.end = context.WithCancel(context.Background())
	return e
}

// bury ends an environment and returns what it leaves, the invocation and the answer to it; nil if somebody else has. The service
// must be locked.
func (s *Service) bury(e *environment) (*lambda.Invocation, *lambda.Answer) {
	if e.dead {
		return nil, nil
	}
	e.dead = true
	e.end()
	delete(s.alive, e)
	s.idle[e.f.Name] = slices.DeleteFunc(s.idle[e.f.Name], func(x *environment) bool { return x == e })
	if e.current != nil {
		delete(s.busy, e.current.Number)
	}
	return e.current, e.answer
}

// over is the end of an environment by itself: an invocation in it that has no answer fails with the one given. AWS does not say what
// becomes of one that was answered when the process ends before it asks for the next; here the answer counts.
func (e *environment) over(otherwise func(id string) lambda.Answer) {
	e.s.mu.Lock()
	v, a := e.s.bury(e)
	e.s.mu.Unlock()
	switch {
	case v == nil:
	case a != nil:
		e.s.finish(*v, *a)
	default:
		e.s.finish(*v, otherwise(v.ID))
	}
}

// refusal is why the Runtime API refuses a request.
type refusal struct {
	status        int
	kind, message string
}

var (
	wrongID    = &refusal{400, "InvalidRequestID", "Invalid request ID"}
	wrongState = &refusal{403, "InvalidStateTransition", "State transition is not allowed"}
)

// reply takes the answer to the current invocation.
func (e *environment) reply(id string, a lambda.Answer) *refusal {
	e.s.mu.Lock()
	defer e.s.mu.Unlock()
	switch {
	case e.dead || e.current == nil || !e.delivered || e.current.ID != id:
		return wrongID
	case e.answer != nil:
		return wrongState
	}
	e.answer = &a
	return nil
}

// next ends the invocation that was answered, if there is one, and waits for another. It returns false if the environment, or the
// request, has ended.
func (e *environment) next(ctx context.Context) (job, bool, *refusal) {
	if why := e.free(); why != nil {
		return job{}, false, why
	}
	select {
	case j := <-e.work:
		e.s.mu.Lock()
		defer e.s.mu.Unlock()
		e.delivered = true
		return j, !e.dead, nil
	case <-ctx.Done():
	case <-e.gone.Done():
	}
	return job{}, false, nil
}

// free makes an environment that has answered ready for another invocation.
func (e *environment) free() *refusal {
	e.s.mu.Lock()
	if e.current != nil && e.delivered && e.answer == nil {
		e.s.mu.Unlock()
		return wrongState
	}
	v, a := e.current, e.answer
	if a != nil && !e.dead {
		e.current, e.answer = nil, nil
		delete(e.s.busy, v.Number)
		e.s.idle[e.f.Name] = append(e.s.idle[e.f.Name], e)
	}
	e.s.mu.Unlock()
	if a != nil {
		e.s.finish(*v, *a)
	}
	return nil
}

// runHandler is the life of an environment that is a Go function.
func (e *environment) runHandler(h Handler) {
	for {
		j, ok, why := e.next(e.gone)
		if !ok || why != nil {
			return
		}
		ctx, cancel := context.WithDeadline(e.gone, j.deadline)
		out, err := h(ctx, j.Payload)
		cancel()
		a := lambda.Answer{Payload: out}
		if err != nil {
			a = lambda.FunctionError("Handler.Error", err.Error())
		}
		if e.reply(j.ID, a) != nil {
			return // its time was up, or it was killed
		}
	}
}
