package loadtest

import (
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/ecs"
)

// Processes are the processes of a world's tasks: each is an HTTP server on a port of its own. On SIGTERM it stops to listen at once,
// finishes what it has begun and exits; when it is killed its connections are reset.
type Processes struct {
	world World

	mu      sync.Mutex // guards the rest; taken with the world locked, so never held while locking the world
	running map[string]*process
	stopped map[string]*process // got SIGTERM, and have not ended yet
	closed  bool
	ended   sync.WaitGroup
}

// NewProcesses is the runtime of a world: see sim.World.UseRuntime.
func NewProcesses(world World) *Processes {
	return &Processes{world: world, running: map[string]*process{}, stopped: map[string]*process{}}
}

// process is one server.
type process struct {
	address string
	server  *http.Server
	cancel  context.CancelFunc // lets a shutdown wait no longer

	mu    sync.Mutex
	conns map[net.Conn]bool
}

// Start listens on a free port, which does not block, and serves. A process that cannot listen exits.
func (p *Processes) Start(t ecs.Task) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		p.stopped[t.ARN] = &process{cancel: func() {}, server: &http.Server{}}
		p.ended.Go(func() { p.exited(t.ARN) })
		return
	}
	s := &process{address: l.Addr().String(), conns: map[net.Conn]bool{}, cancel: func() {}}
	// It has no timeouts: the load balancer gives idle connections up first, as it must be with an Application Load Balancer too.
	s.server = &http.Server{Handler: http.HandlerFunc(answer), ConnState: s.connection, ErrorLog: silent()}
	p.running[t.ARN] = s
	p.ended.Go(func() { _ = s.server.Serve(l) }) // ends with ErrServerClosed
}

// Terminate is SIGTERM.
func (p *Processes) Terminate(t ecs.Task) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.running[t.ARN]
	if s == nil {
		return
	}
	delete(p.running, t.ARN)
	p.stopped[t.ARN] = s
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	p.ended.Go(func() {
		defer cancel()
		_ = s.server.Shutdown(ctx) // it fails only when the process is killed
		p.exited(t.ARN)
	})
}

// Kill is SIGKILL: every connection is reset.
func (p *Processes) Kill(t ecs.Task) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, set := range []map[string]*process{p.running, p.stopped} {
		if s := set[t.ARN]; s != nil {
			delete(set, t.ARN)
			s.cancel()
			p.ended.Go(s.kill)
		}
	}
}

// Address is where the process of a task listens; false: nothing does any more.
func (p *Processes) Address(task string) (string, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := p.running[task]; s != nil {
		return s.address, true
	}
	return "", false
}

// Close kills all processes and waits for their end. The world must not be locked.
func (p *Processes) Close() {
	p.mu.Lock()
	p.closed = true
	for _, set := range []map[string]*process{p.running, p.stopped} {
		for arn, s := range set { //ebb:any-order each is killed
			delete(set, arn)
			s.cancel()
			p.ended.Go(s.kill)
		}
	}
	p.mu.Unlock()
	p.ended.Wait()
}

// exited reports to the world that a process has ended by itself, unless it was killed before.
func (p *Processes) exited(arn string) {
	p.mu.Lock()
	s := p.stopped[arn]
	delete(p.stopped, arn)
	p.mu.Unlock()
	if s != nil {
		p.world(func(w *sim.World) { w.Exited(arn) })
	}
}

// connection keeps count of the server's connections.
func (s *process) connection(c net.Conn, state http.ConnState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch state {
	case http.StateNew:
		s.conns[c] = true
	case http.StateClosed, http.StateHijacked:
		delete(s.conns, c)
	case http.StateActive, http.StateIdle:
	}
}

// kill closes all connections with a reset, as a kernel does for a process that is gone.
func (s *process) kill() {
	s.mu.Lock()
	for c := range s.conns { //ebb:any-order each is closed
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
	}
	s.mu.Unlock()
	_ = s.server.Close()
}

// whole is the body of an answer; its first byte is sent at once, the rest after the time that the request asks for.
const whole = "done"

// answer is what the task does for a request: it takes the time that the query parameter take says.
func answer(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	take, err := time.ParseDuration(r.URL.Query().Get("take"))
	if err != nil {
		http.Error(w, "the parameter take must be a duration, such as take=5ms", http.StatusBadRequest)
		return
	}
	_, _ = io.WriteString(w, whole[:1])
	_ = http.NewResponseController(w).Flush()
	select {
	case <-time.After(take):
	case <-r.Context().Done(): // the client has gone
		return
	}
	_, _ = io.WriteString(w, whole[1:])
}
