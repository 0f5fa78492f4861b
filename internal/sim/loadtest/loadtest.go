// Package loadtest is real traffic through a simulated cloud: tasks that are HTTP servers on loopback, a load balancer in front of them
// that obeys the world's target states as an Application Load Balancer or a Network Load Balancer does, and a generator of requests that
// counts what its users would see.
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

	network   bool // it is a Network Load Balancer: each request has a connection of its own
	processes *Processes
	balancer  *Balancer
	end       func()
	stop      context.CancelFunc
	ended     sync.WaitGroup
}

// Open gives the tasks of a world that goes at a speed real processes, and puts a load balancer in front of a target group's targets: the
// kind that the group is for. A task works on so many requests at once, and refuses what comes while three times as many wait; 0: there is no limit.
func Open(world World, speed float64, targetGroup string, atOnce int) (*Site, error) {
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, fmt.Errorf("listen for the load balancer: %w", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	s := &Site{URL: "http://" + l.Addr().String(), processes: NewProcesses(world, speed), stop: stop}
	s.processes.atOnce = atOnce
	world(func(w *sim.World) {
		w.UseRuntime(s.processes)
		group, _ := w.Routes(targetGroup)
		s.network = group.Network()
	})
	s.balancer = NewBalancer(world, targetGroup, s.processes.Address)
	s.ended.Go(func() { s.balancer.Run(ctx) })
	if s.network {
		s.end = func() { _ = l.Close() }
		s.ended.Go(func() { s.balancer.Serve(ctx, l) })
		return s, nil
	}
	// No timeout of its own: a connection that a client keeps is never closed just when a request is on its way.
	server := &http.Server{Handler: s.balancer, ErrorLog: silent()}
	s.end = func() { _ = server.Close() }
	s.ended.Go(func() { _ = server.Serve(l) }) // ends with ErrServerClosed
	return s, nil
}

// Client returns a new client of the site.
func (s *Site) Client() *Client { return NewClient(s.URL, s.network) }

// Lost is what the load balancer saw fail.
func (s *Site) Lost() Lost { return s.balancer.Lost() }

// Close ends the load balancer and all processes at once. The world must not be locked.
func (s *Site) Close() {
	s.stop()
	s.end()
	s.ended.Wait()
	s.balancer.transport.CloseIdleConnections()
	s.processes.Close()
}

// silent is where servers write of connections that broke: the generator counts those.
func silent() *log.Logger { return log.New(io.Discard, "", 0) }
