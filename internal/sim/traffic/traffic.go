// Package traffic is the clients of the services of a simulated cloud: so many requests, or connections, each second. It counts how many
// fail, and why.
//
// It counts by computing, and never changes the world or asks for chance, so that a world is the same with clients and without.
package traffic

import (
	"math"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// Traffic are the clients of a world.
type Traffic struct {
	*core.Core
	source  Source
	clients []*clients
	last    time.Time // up to here all is counted
}

// Source is where clients find what they are sent to.
type Source interface {
	// Route is what a load balancer, or a name, sends clients to at this time.
	Route(name string) Route
}

// Route is where requests go, and by which rule.
type Route struct {
	Endpoints []Endpoint
	// LeastHealthy and LeastPercent are how many registered endpoints must be healthy; with fewer, requests go to all of them.
	LeastHealthy, LeastPercent int
}

// Endpoint is one place that requests are sent to.
type Endpoint struct {
	ID          string
	Task        string    // ARN, when it is that of a task
	Registered  bool      // requests go there when too few are healthy
	Healthy     bool      // requests go there
	RoutedUntil time.Time // they still go there until then, although it is not healthy or not registered any more
	Up          bool      // its process is there
	Serves      time.Time // it takes new requests until then; zero: no end is known
	Ends        time.Time // its process ends then; zero: no end is known
	Closed      time.Time // the load balancer has closed the connections that it had then; zero: it has closed none
}

// Clients are those of one service.
type Clients struct {
	Service    string
	Routes     []string      // names that Source knows: requests go to the endpoints of all
	Rate       float64       // requests, or new connections, per second
	Connection time.Duration // how long each lasts
}

// Counts is what became of the requests, or connections, of one service. They are computed and not drawn, hence fractions.
type Counts struct {
	Service  string
	Requests float64

	NoTarget   float64 // there was no target to send them to
	NotServing float64 // they were sent to a target that no longer took requests, or not yet
	Died       float64 // they were cut off in the middle: the process ended
	Cut        float64 // they were cut off in the middle: the load balancer closed the connection

	First, Last time.Time // when the first and the last one failed; zero: none did
}

// Failed is how many failed, for whatever reason.
func (c Counts) Failed() float64 { return c.NoTarget + c.NotServing + c.Died + c.Cut }

// New makes a world without clients.
func New(c *core.Core, source Source) *Traffic { return &Traffic{Core: c, source: source} }

// AddClients lets clients of a service begin now.
func (w *Traffic) AddClients(c Clients) {
	w.settle()
	w.clients = append(w.clients, &clients{Clients: c, counts: Counts{Service: c.Service}, open: map[string][]opened{}})
	if len(w.clients) == 1 {
		w.Measure(w.settle)
	}
}

// TrafficCounts are the counts of all services that have clients, up to now, in the order in which their clients began.
func (w *Traffic) TrafficCounts() []Counts {
	w.settle()
	return core.Mapped(w.clients, func(c *clients) Counts { return c.counts })
}

// Connections are how many connections a target has, of all clients, by its id and port.
func (w *Traffic) Connections(target string) int {
	w.settle()
	n := 0.0
	for _, c := range w.clients {
		for _, id := range c.ids {
			if strings.Contains(id, " "+target+" ") {
				n += c.opened(id, w.Now())
			}
		}
	}
	return int(math.Ceil(n))
}

// settle counts up to now. The world has been as it is since the time before, apart from what was known then to happen at a time.
func (w *Traffic) settle() {
	if !w.Now().After(w.last) {
		return
	}
	for _, c := range w.clients {
		c.pass(w.route(c.Routes), w.last, w.Now())
	}
	w.last = w.Now()
}

// route is where the endpoints of several routes are; each route has its own rule.
func (w *Traffic) route(names []string) []Route {
	return core.Mapped(names, w.source.Route)
}
