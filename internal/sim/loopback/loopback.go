// Package loopback is a simulated cloud that listens on this machine: a world, AWS's protocols in front of it, and a clock that moves it by
// real time.
//
// It never changes the world but by its clock and by the requests that come in, and never chooses an address: the caller listens.
package loopback

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/lambda/process"
	"github.com/ebbhq/ebb/internal/sim/wire"
)

// Cloud is a simulated cloud at work.
type Cloud struct {
	API       *wire.API
	Endpoint  string           // its URL
	Functions *process.Service // nil: the world's functions do not run

	mu     sync.Mutex // guards the world
	world  *sim.World
	clock  *wire.Clock
	speed  float64
	server *http.Server
	stop   context.CancelFunc
	ended  sync.WaitGroup

	metadata metadata
}

// Endpoint is the URL of a cloud that listens there.
func Endpoint(l net.Listener) string { return "http://" + l.Addr().String() }

// Serve builds a world and lets it go, at so many of its seconds per second. The listener is closed with the cloud, and at once when there
// is an error, which is about the specification.
func Serve(l net.Listener, spec sim.Spec, speed float64) (*Cloud, error) {
	world, err := sim.Build(spec)
	if err != nil {
		_ = l.Close() // nobody has connected
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	c := &Cloud{Endpoint: Endpoint(l), world: world, speed: speed, stop: stop}
	limits := wire.Limits(world)
	if speed == 0 { // AWS's buckets fill with time, and this world has none
		limits = nil
	}
	c.API = wire.New(wire.Config{World: world, Lock: &c.mu, Limits: limits, PageSize: spec.Switches.PageSize})
	c.clock = wire.NewClock(c.API, speed)
	c.server = &http.Server{Handler: c.handler(), ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(io.Discard, "", 0)}
	c.ended.Go(func() { c.clock.Run(ctx) })
	c.ended.Go(func() { _ = c.server.Serve(l) }) // ends with ErrServerClosed
	return c, nil
}

// Run runs the world's functions, if it has any, as processes of this machine until the cloud is closed. What they print goes to logs.
func (c *Cloud) Run(logs io.Writer) (err error) {
	some := false
	c.Read(func(w *sim.World) { some = len(w.Functions()) > 0 })
	if some {
		c.Functions, err = process.Start(process.Config{World: c.Read, Endpoint: c.Endpoint, Speed: c.speed, Logs: logs})
	}
	return err
}

// Read gives f the world as it is now, between two of its changes.
func (c *Cloud) Read(f func(*sim.World)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clock.CatchUp()
	f(c.world)
}

// At is the world's time at a real one, as its clock has it.
func (c *Cloud) At(real time.Time) time.Time { return c.clock.At(real) }

// Close ends the functions, the clock and the server, and waits for that.
func (c *Cloud) Close() {
	if c.Functions != nil {
		c.Functions.Close()
	}
	c.stop()
	_ = c.server.Close()
	c.metadata.close()
	c.ended.Wait()
}
