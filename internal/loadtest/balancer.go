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
	"time"

	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/elb"
)

// The settings of an Application Load Balancer.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-load-balancer-attributes.html
const (
	idleTimeout    = 60 * time.Second // of connections, to clients and to targets
	connectTimeout = 10 * time.Second // to a target
)

// cutEvery is how often the balancer looks whether the deregistration delay of a target with open requests is over.
const cutEvery = 100 * time.Millisecond

// Balancer is a load balancer: a reverse proxy with kept connections on both sides. It sends a request to one healthy target after the
// other, and for as long as the news has not reached it also to targets that are no longer healthy (core.Switches.Propagation). When a
// deregistration delay is over it cuts what is left. It tries each request once.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-target-group-attributes.html
type Balancer struct {
	world     World
	group     string // ARN of the target group
	address   func(task string) (string, bool)
	transport *http.Transport

	mu   sync.Mutex // guards the rest
	turn int
	open map[*flight]bool
}

// flight is a request that a target works on.
type flight struct {
	task string // its ARN
	cut  context.CancelCauseFunc
}

// errDelayOver is why a request is cut whose target is no longer registered.
var errDelayOver = errors.New("the deregistration delay is over")

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

// Run cuts what is left when a deregistration delay is over, until ctx ends.
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

// targets are the registered targets, and whether each is sent requests.
func (b *Balancer) targets() (all []elb.Target, routed []bool) {
	b.world(func(w *sim.World) {
		all, _ = w.DescribeTargetHealth(b.group, nil) // no target group: no targets
		for _, t := range all {
			routed = append(routed, t.State == "healthy" || w.Now().Before(t.RoutedUntil))
		}
	})
	return all, routed
}

func (b *Balancer) cut() {
	all, _ := b.targets()
	b.mu.Lock()
	defer b.mu.Unlock()
	for f := range b.open { //ebb:any-order each is cut
		if !slices.ContainsFunc(all, func(t elb.Target) bool { return t.Task == f.task }) {
			f.cut(errDelayOver)
		}
	}
}

// pick chooses the target of a request, by its task, and counts the request; false: no target is healthy.
func (b *Balancer) pick(f *flight) bool {
	all, routed := b.targets()
	b.mu.Lock()
	defer b.mu.Unlock()
	for range all {
		b.turn++
		if i := b.turn % len(all); routed[i] {
			f.task = all[i].Task
			b.open[f] = true
			return true
		}
	}
	return false
}

func (b *Balancer) done(f *flight) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.open, f)
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
		http.Error(w, "the target refuses connections", http.StatusBadGateway)
		return
	}
	// Else the server discards the rest of the request when an answer begins, under the eyes of the transport that is still sending it,
	// and that closes its connection to the target.
	_ = http.NewResponseController(w).EnableFullDuplex()
	target := &url.URL{Scheme: "http", Host: address}
	proxy := httputil.ReverseProxy{
		Transport: b.transport, ErrorLog: silent(),
		Rewrite:      func(p *httputil.ProxyRequest) { p.SetURL(target) },
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) { http.Error(w, err.Error(), gatewayError(err)) },
	}
	proxy.ServeHTTP(w, r.WithContext(ctx))
}

func gatewayError(err error) int {
	if late, ok := errors.AsType[net.Error](err); ok && late.Timeout() {
		return http.StatusGatewayTimeout
	}
	return http.StatusBadGateway
}
