package loadtest

import (
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/ecs"
)

// Processes are the processes of a world's tasks: each is an HTTP server on a port of its own. After SIGTERM it takes requests for as long
// as its task definition says, finishes what it has begun, and exits, at the earliest when the definition says. When it is killed its
// connections are reset.
type Processes struct {
	world World
	speed float64 // seconds of the world per second

	atOnce int // requests that one works on; 0: no limit

	mu     sync.Mutex // guards the rest; taken with the world locked, so never held while locking the world
	alive  map[string]*process
	closed bool
	ended  sync.WaitGroup
}

// NewProcesses is the runtime of a world that goes so many of its seconds per second: see sim.World.UseRuntime.
func NewProcesses(world World, speed float64) *Processes {
	return &Processes{world: world, speed: speed, alive: map[string]*process{}}
}

// process is one server and its listener.
type process struct {
	*net.TCPListener
	address string // empty: it takes no new connections
	server  *http.Server
	killed  atomic.Bool
	signal  sync.Once
	gone    chan struct{} // closed when it is killed
}

// connection is closed with a reset when its process is killed, as a kernel does for a process that is gone.
type connection struct {
	*net.TCPConn
	of *process
}

// Accept makes the connections of a process.
func (p *process) Accept() (net.Conn, error) {
	c, err := p.AcceptTCP()
	if err != nil {
		return nil, err
	}
	return connection{c, p}, nil
}

func (c connection) Close() error {
	if c.of.killed.Load() {
		_ = c.SetLinger(0)
	}
	return c.TCPConn.Close()
}

// Start listens on a free port, which does not block, and serves. A process that cannot listen exits.
func (p *Processes) Start(t ecs.Task) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	// It has no timeouts: the load balancer gives idle connections up first, as it must be with an Application Load Balancer too.
	s := &process{gone: make(chan struct{}), server: &http.Server{Handler: limited(p.atOnce), ErrorLog: silent()}}
	p.alive[t.ARN] = s
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		p.ended.Go(func() { p.exited(t.ARN) })
		return
	}
	s.TCPListener, s.address = l, l.Addr().String()
	p.ended.Go(func() { _ = s.server.Serve(s) }) // ends with ErrServerClosed
}

// Terminate is SIGTERM. A definition that says nothing is that of a process that stops to listen at once.
func (p *Processes) Terminate(t ecs.Task, d ecs.TaskDefinition) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.alive[t.ARN]
	if s == nil || s.address == "" {
		return
	}
	serves := max(d.Serves, 0)
	if d.Serves == 0 {
		serves = d.Exit
	}
	s.signal.Do(func() {
		exits := time.After(p.real(d.Exit))
		if serves == 0 {
			s.address = ""
		}
		p.ended.Go(func() {
			if !s.wait(time.After(p.real(serves))) {
				return
			}
			p.mu.Lock()
			s.address = ""
			p.mu.Unlock()
			_ = s.server.Shutdown(context.Background()) // it returns when all is answered, or when the process is killed
			if s.wait(exits) {
				p.exited(t.ARN)
			}
		})
	})
}

// real is how long a duration of the world takes.
func (p *Processes) real(d time.Duration) time.Duration { return time.Duration(float64(d) / p.speed) }

// wait waits until a time has come; false: the process was killed before.
func (s *process) wait(until <-chan time.Time) bool {
	select {
	case <-until:
		return true
	case <-s.gone:
		return false
	}
}

// Kill is SIGKILL: every connection is reset.
func (p *Processes) Kill(t ecs.Task) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.kill(t.ARN)
}

// kill ends a process, if it is alive. The processes must be locked.
func (p *Processes) kill(arn string) {
	s := p.alive[arn]
	if s == nil {
		return
	}
	delete(p.alive, arn)
	s.killed.Store(true)
	close(s.gone)
	p.ended.Go(func() { _ = s.server.Close() })
}

// Address is where the process of a task listens; false: nothing does any more.
func (p *Processes) Address(task string) (string, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := p.alive[task]; s != nil {
		return s.address, s.address != ""
	}
	return "", false
}

// Close kills all processes and waits for their end. The world must not be locked.
func (p *Processes) Close() {
	p.mu.Lock()
	p.closed = true
	for arn := range p.alive { //ebb:any-order each is killed
		p.kill(arn)
	}
	p.mu.Unlock()
	p.ended.Wait()
}

// exited reports to the world that a process has ended by itself, unless it was killed before.
func (p *Processes) exited(arn string) {
	p.mu.Lock()
	s := p.alive[arn]
	delete(p.alive, arn)
	p.mu.Unlock()
	if s != nil {
		p.world(func(w *sim.World) { w.Exited(arn) })
	}
}

// waiting is how many requests may wait for each that a process works on; more are refused.
const waiting = 3

// limited answers as a process does that works on so many requests at once.
func limited(atOnce int) http.Handler {
	if atOnce == 0 {
		return http.HandlerFunc(answer)
	}
	taken, at := make(chan struct{}, atOnce*(1+waiting)), make(chan struct{}, atOnce)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case taken <- struct{}{}:
		default:
			http.Error(w, "too many requests wait", http.StatusServiceUnavailable)
			return
		}
		defer func() { <-taken }()
		select {
		case at <- struct{}{}:
		case <-r.Context().Done(): // nobody waits for it
			return
		}
		defer func() { <-at }()
		answer(w, r)
	})
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
	case <-r.Context().Done(): // nobody waits for it
		return
	}
	_, _ = io.WriteString(w, whole[1:])
}
