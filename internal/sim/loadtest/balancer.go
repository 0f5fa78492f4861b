package loadtest

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/traffic"
)

// The settings of an Application Load Balancer.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-load-balancer-attributes.html
const (
	idleTimeout    = 60 * time.Second // of connections, to clients and to targets
	connectTimeout = 10 * time.Second // to a target
)

// cutEvery is how often the balancer looks whether the deregistration delay of a target with open requests is over.
const cutEvery = 100 * time.Millisecond

// Balancer is a load balancer: it sends a request, or a connection, to one target after the other of those that the world says
// (sim.World.Route), which are also targets that are no longer healthy for as long as the news has not reached it. It closes what the
// world says that it closes, and tries each target once.
//
// As an http.Handler it is an Application Load Balancer: a reverse proxy with kept connections on both sides. Serve is a Network Load
// Balancer, for which a connection is bytes.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-target-group-attributes.html
// https://docs.aws.amazon.com/elasticloadbalancing/latest/network/edit-target-group-attributes.html
type Balancer struct {
	world     World
	group     string // ARN of the target group
	address   func(task string) (string, bool)
	transport *http.Transport

	mu   sync.Mutex // guards the rest
	turn int
	open map[*flight]bool
	lost Lost
}

// Lost is what the load balancer saw fail, by who was at fault. A client sees a status or a reset.
type Lost struct {
	NoTarget   int // there was no target
	NotServing int // the target refused the connection: its process no longer listens
	Died       int // the target broke off: its process ended
	Cut        int // the load balancer closed the connection itself
}

// Sum is how many failed.
func (l Lost) Sum() int { return l.NoTarget + l.NotServing + l.Died + l.Cut }

// flight is a request, or a connection, that a target works on.
type flight struct {
	endpoint string // its id
	task     string // its ARN
	began    time.Time
	cut      context.CancelCauseFunc
}

// errClosed is why a request is cut whose target is no longer registered, or no longer healthy.
var errClosed = errors.New("the load balancer has closed the connection")

// NewBalancer returns the load balancer of a target group; address says where the process of a task listens.
func NewBalancer(world World, targetGroup string, address func(task string) (string, bool)) *Balancer {
	return &Balancer{
		world: world, group: targetGroup, address: address, open: map[*flight]bool{},
		transport: &http.Transport{
			DialContext:         (&net.Dialer{Timeout: connectTimeout}).DialContext,
			MaxIdleConnsPerHost: 1000, IdleConnTimeout: idleTimeout, ResponseHeaderTimeout: idleTimeout, DisableCompression: true,
		},
	}
}

// Run closes what the world says that a load balancer closes, until ctx ends.
func (b *Balancer) Run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(cutEvery):
			b.cut()
		}
	}
}

// Lost is what was lost so far.
func (b *Balancer) Lost() Lost {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.lost
}

// count counts a loss.
func (b *Balancer) count(of *int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	*of++
}

// route is where the world sends clients to.
func (b *Balancer) route() (r traffic.Route, now time.Time) {
	b.world(func(w *sim.World) { r, now = w.Route(b.group), w.Now() })
	return r, now
}

func (b *Balancer) cut() {
	r, _ := b.route()
	b.mu.Lock()
	defer b.mu.Unlock()
	for f := range b.open { //ebb:any-order each is cut
		i := slices.IndexFunc(r.Endpoints, func(e traffic.Endpoint) bool { return e.ID == f.endpoint })
		if i < 0 || r.Endpoints[i].Closed.After(f.began) {
			f.cut(errClosed)
		}
	}
}

// pick chooses the target of a request and counts the request among the open ones; false: there is no target. AWS's load balancers choose
// by chance, or by a hash of the addresses, which comes to the same in the mean.
func (b *Balancer) pick(f *flight) bool {
	r, now := b.route()
	routed := r.Routed(now)
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(routed) == 0 {
		b.lost.NoTarget++
		return false
	}
	b.turn++
	e := routed[b.turn%len(routed)]
	f.endpoint, f.task, f.began = e.ID, e.Task, now
	b.open[f] = true
	return true
}

func (b *Balancer) done(f *flight) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.open, f)
}

// blame counts a request that a target did not answer to the end, unless its client has left it.
func (b *Balancer) blame(ctx context.Context, err error) {
	switch {
	case errors.Is(context.Cause(ctx), errClosed):
		b.count(&b.lost.Cut)
	case ctx.Err() != nil: // nobody waits for it
	case errors.Is(err, syscall.ECONNREFUSED):
		b.count(&b.lost.NotServing)
	default:
		b.count(&b.lost.Died)
	}
}

// ServeHTTP passes a request on. Without a target it answers 503; when the target does not answer 502, or 504 if that took too long.
// When a target breaks off in the middle of an answer, so does the balancer.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-troubleshooting.html
func (b *Balancer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, cut := context.WithCancelCause(r.Context())
	defer cut(nil)
	f := &flight{cut: cut}
	if !b.pick(f) {
		http.Error(w, "there is no target to send this to", http.StatusServiceUnavailable)
		return
	}
	defer b.done(f)
	address, ok := b.address(f.task)
	if !ok {
		b.count(&b.lost.NotServing)
		http.Error(w, "the target refuses connections", http.StatusBadGateway)
		return
	}
	// Else the server discards the rest of the request when an answer begins, under the eyes of the transport that is still sending it,
	// and that closes its connection to the target.
	_ = http.NewResponseController(w).EnableFullDuplex()
	target := &url.URL{Scheme: "http", Host: address}
	proxy := httputil.ReverseProxy{
		Transport: b.transport, ErrorLog: silent(),
		Rewrite: func(p *httputil.ProxyRequest) { p.SetURL(target) },
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			b.blame(ctx, err)
			http.Error(w, err.Error(), gatewayError(err))
		},
	}
	defer func() {
		if broken := recover(); broken != nil { // that is how the proxy breaks off in the middle of an answer
			b.blame(ctx, nil)
			panic(broken)
		}
	}()
	proxy.ServeHTTP(w, r.WithContext(ctx))
}

func gatewayError(err error) int {
	if late, ok := errors.AsType[net.Error](err); ok && late.Timeout() {
		return http.StatusGatewayTimeout
	}
	return http.StatusBadGateway
}
