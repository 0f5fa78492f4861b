// Package loadtest is real traffic through a simulated cloud: tasks that are HTTP servers on loopback, a load balancer in front of them
// that obeys the world's target states as an Application Load Balancer does, and a generator of requests that counts what its users
// would see.
//
// It changes the world only by reporting that a process has ended. It never retries or hides a failed request.
package loadtest

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync"

	"github.com/ebbhq/ebb/internal/sim"
)

// World gives a function the world between two of its changes, under the lock that guards it.
type World func(func(*sim.World))

// Site is the service of one world behind one load balancer.
type Site struct {
	URL string // of the load balancer

	processes *Processes
	balancer  *Balancer
	server    *http.Server
	stop      context.CancelFunc
	ended     sync.WaitGroup
}

// Open gives the world's tasks real processes and puts a load balancer in front of a target group's targets.
func Open(world World, targetGroup string) (*Site, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for the load balancer: %w", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	s := &Site{URL: "http://" + l.Addr().String(), processes: NewProcesses(world), stop: stop}
	world(func(w *sim.World) { w.UseRuntime(s.processes) })
	s.balancer = NewBalancer(world, targetGroup, s.processes.Address)
	// No timeout of its own: a connection that a client keeps is never closed just when a request is on its way.
	s.server = &http.Server{Handler: s.balancer, ErrorLog: silent()}
	s.ended.Go(func() { _ = s.server.Serve(l) }) // ends with ErrServerClosed
	s.ended.Go(func() { s.balancer.Run(ctx) })
	return s, nil
}

// Close ends the load balancer and all processes at once. The world must not be locked.
func (s *Site) Close() {
	s.stop()
	_ = s.server.Close()
	s.ended.Wait()
	s.balancer.transport.CloseIdleConnections()
	s.processes.Close()
}

// silent is where servers write of connections that broke: the generator counts those.
func silent() *log.Logger { return log.New(io.Discard, "", 0) }
