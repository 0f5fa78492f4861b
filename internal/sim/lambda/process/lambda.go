// Package process runs the functions of a simulated cloud as AWS Lambda does: execution environments with the Lambda Runtime API, each a
// process of the function's command or, in tests, a Go function; one invocation at a time each, and warm ones are used again.
//
// It never decides what is invoked, when, how often or for how long: the world does (package lambda), and this package tells it how
// invocations have ended. It never gives a process the credentials or the environment of its own.
package process

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/lambda"
)

// Handler is a Go function in the place of a process. Its context ends at the invocation's deadline.
type Handler func(ctx context.Context, payload []byte) ([]byte, error)

// Config says what functions run on.
type Config struct {
	// World gives a function the world between two of its changes, under the lock that guards it.
	World func(func(*sim.World))

	// Endpoint is the URL of the simulated cloud; processes get it as AWS_ENDPOINT_URL. Empty: they get none.
	Endpoint string

	// Speed is how many seconds of the world pass in a real one; 0: it stands still. An invocation is ended by the world's clock, so
	// that at speed 60 a timeout of 30 s leaves a process half a second. The deadline that a process is told is that moment on its own clock.
	Speed float64

	// Logs gets what processes write to their standard output and error. Nil: nobody does.
	Logs io.Writer

	// Handlers are Go functions by the name of the function whose environments they are.
	Handlers map[string]Handler
}

// Service runs the functions of one world.
type Service struct {
	cfg  Config
	logs io.Writer

	mu      sync.Mutex                // guards the rest, and environments; taken with the world locked, so never held while locking the world
	idle    map[string][]*environment // by function, the one used last at the end
	busy    map[int]*environment      // by number of the invocation
	alive   map[*environment]bool
	started map[string]int // environments by function
	closed  bool
	ended   sync.WaitGroup
}

// Counts are what became of invocations, and how many environments were started for them.
type Counts struct {
	Environments int
	Invocations  map[string]int // started, succeeded, failed, killed, timed-out, throttled, dropped: as in the world's record
}

// Start runs the functions of a world from now on. Each needs a command or a handler.
func Start(cfg Config) (*Service, error) {
	s := &Service{
		cfg: cfg, logs: &lockedWriter{to: cfg.Logs}, idle: map[string][]*environment{}, busy: map[int]*environment{},
		alive: map[*environment]bool{}, started: map[string]int{},
	}
	var err error
	cfg.World(func(w *sim.World) {
		for _, f := range w.Functions() {
			if len(f.Command) == 0 && cfg.Handlers[f.Name] == nil {
				err = fmt.Errorf("run the function %q: nothing says which program it is; give it a command, such as command: [./bootstrap]", f.Name)
				return
			}
		}
		w.UseFunctions(s)
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Close kills all environments; what runs in them gets no answer. The world must not be locked.
func (s *Service) Close() {
	s.cfg.World(func(w *sim.World) { w.UseFunctions(nil) })
	s.mu.Lock()
	s.closed = true
	for e := range s.alive {
		e.current = nil
		s.bury(e)
	}
	s.mu.Unlock()
	s.ended.Wait()
}

// Invoke is how the world begins an invocation: see lambda.Runtime.
func (s *Service) Invoke(f lambda.Function, v lambda.Invocation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	e := s.environment(f)
	e.current, e.delivered, e.answer = &v, false, nil
	s.busy[v.Number] = e
	e.work <- job{v, time.Now().Add(s.real(v.Deadline.Sub(v.Started)))}
}

// real is how long a time of the world is for processes. While the world stands still nobody can say; then it is as long.
func (s *Service) real(d time.Duration) time.Duration {
	if s.cfg.Speed <= 0 {
		return d
	}
	return time.Duration(float64(d) / s.cfg.Speed)
}

// environment is the warm environment of a function that was used last, or a new one. The service must be locked.
func (s *Service) environment(f lambda.Function) *environment {
	if warm := s.idle[f.Name]; len(warm) > 0 {
		e := warm[len(warm)-1]
		s.idle[f.Name] = warm[:len(warm)-1]
		return e
	}
	e := newEnvironment(s, f)
	s.started[f.Name]++
	s.alive[e] = true
	run := e.runProcess
	if h := s.cfg.Handlers[f.Name]; h != nil {
		run = func() { e.runHandler(h) }
	}
	s.ended.Go(run)
	return e
}

// Stop is how the world ends an invocation whose time is up, and its environment with it: see lambda.Runtime.
func (s *Service) Stop(v lambda.Invocation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.busy[v.Number]; e != nil {
		s.bury(e)
	}
}

// Kill kills the environment of a function that has been busy for longest, as kill -9 does; false if none is busy.
func (s *Service) Kill(function string) bool {
	s.mu.Lock()
	var oldest *environment
	for _, e := range s.busy {
		if e.f.Name == function && (oldest == nil || e.current.Number < oldest.current.Number) {
			oldest = e
		}
	}
	var v *lambda.Invocation
	if oldest != nil {
		v, _ = s.bury(oldest)
	}
	s.mu.Unlock()
	if v == nil {
		return false
	}
	a := exited(v.ID, "Runtime exited with error: signal: killed")
	a.Killed = true
	s.finish(*v, a)
	return true
}

// Counts returns the counts of a function since the world's start.
func (s *Service) Counts(function string) Counts {
	c := Counts{Invocations: map[string]int{}}
	s.cfg.World(func(w *sim.World) {
		for _, e := range w.Record() {
			if e.Kind == core.EntryInvocation && e.Function == function {
				c.Invocations[e.To]++
			}
		}
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	c.Environments = s.started[function]
	return c
}

// finish tells the world how an invocation has ended. The service must not be locked.
func (s *Service) finish(v lambda.Invocation, a lambda.Answer) {
	s.cfg.World(func(w *sim.World) { w.FinishInvocation(v.Number, a) })
}

// exited is the answer of an invocation whose process has ended.
func exited(id, how string) lambda.Answer {
	return lambda.FunctionError("Runtime.ExitError", "RequestId: "+id+" Error: "+how)
}

// lockedWriter is a writer for many processes.
type lockedWriter struct {
	mu sync.Mutex
	to io.Writer
}

// Write writes, if there is anywhere to write to.
func (l *lockedWriter) Write(p []byte) (int, error) {
	if l.to == nil {
		return len(p), nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.to.Write(p)
}
