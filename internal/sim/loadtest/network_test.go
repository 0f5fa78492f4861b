package loadtest

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/sim"
)

// openNetwork is a site behind a network load balancer.
func openNetwork(t *testing.T, group sim.TargetGroupSpec) (*scene, *Site) {
	t.Helper()
	group.Protocol = "TCP"
	s := sceneWith(t, group)
	site, err := Open(s.world, 1, s.group, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(site.Close)
	return s, site
}

// tries makes requests, each over a connection of its own, and counts what comes of them.
func tries(t *testing.T, site *Site, n int) Tally {
	t.Helper()
	c := site.Client()
	for range n {
		c.send(t.Context(), request{take: time.Millisecond}, time.Now())
	}
	return c.Tally()
}

// TestANetworkLoadBalancerSendsNewConnectionsForTwoMinutes: for that long a target that is deregistered gets new connections, and where its
// process no longer listens they are reset.
func TestANetworkLoadBalancerSendsNewConnectionsForTwoMinutes(t *testing.T) {
	s, site := openNetwork(t, sim.TargetGroupSpec{})
	if got := tries(t, site, 10); got.Failed != 0 || got.Requests != 10 {
		t.Fatalf("%+v before", got)
	}
	s.stop(s.tasks[0])
	s.pass(19 * time.Second) // it still serves: SIGTERM comes with the end of the delay
	if got := tries(t, site, 10); got.Failed != 0 {
		t.Errorf("%+v while it serves", got)
	}
	s.pass(100 * time.Second) // its replacement is healthy by now
	if got := tries(t, site, 9); got.Failed != 3 || got.ByKind["reset"] != 3 || site.Lost() != (Lost{NotServing: 3}) {
		t.Errorf("%+v, %+v; want each third connection refused by the target that is gone", got, site.Lost())
	}
	s.pass(2 * time.Second)
	if got := tries(t, site, 10); got.Failed != 0 {
		t.Errorf("%+v after two minutes", got)
	}
}

// TestWhoCutsConnections: at the end of the deregistration delay a network load balancer closes connections only where it is set up to.
func TestWhoCutsConnections(t *testing.T) {
	for name, c := range map[string]struct {
		group sim.TargetGroupSpec
		unfit bool // the host dies instead of the deregistration
		want  Lost
	}{
		"they stay":               {sim.TargetGroupSpec{}, false, Lost{}},
		"it closes them":          {sim.TargetGroupSpec{ConnectionTermination: true}, false, Lost{Cut: 1}},
		"the process is killed":   {sim.TargetGroupSpec{}, true, Lost{Died: 1}},
		"the process is killed 2": {sim.TargetGroupSpec{ConnectionTermination: true}, true, Lost{Died: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, site := openNetwork(t, c.group)
			open := []*http.Response{ask(t, site.URL, "1h"), ask(t, site.URL, "1h")} // one on each target
			if c.unfit {
				s.world(func(w *sim.World) { _ = w.TerminateInstances([]string{s.tasks[0].Instance}) })
			} else {
				s.stop(s.tasks[0])
			}
			s.pass(25 * time.Second)
			ended := make(chan error)
			for _, res := range open {
				go func() {
					_, err := io.ReadAll(res.Body)
					ended <- err
				}()
			}
			if c.want != (Lost{}) {
				if err := <-ended; !errors.Is(err, syscall.ECONNRESET) {
					t.Errorf("%v, want a reset", err)
				}
			}
			time.Sleep(3 * cutEvery)
			if got := site.Lost(); got != c.want {
				t.Errorf("%+v, want %+v", got, c.want)
			}
			select {
			case err := <-ended:
				t.Errorf("the connection to the other target ended too: %v", err)
			default:
			}
			go site.Close()
			for range len(open) - c.want.Sum() {
				if err := <-ended; err == nil {
					t.Error("a connection that is cut ends without an error")
				}
			}
		})
	}
}

// TestUnhealthyTargetsKeepTheirConnectionsForAWhile where the target group says so.
func TestUnhealthyTargetsKeepTheirConnectionsForAWhile(t *testing.T) {
	s := sceneWith(t, sim.TargetGroupSpec{Protocol: "TCP", KeepUnhealthy: true, UnhealthyDraining: 5 * time.Second, Check: 10 * time.Second})
	still := httptest.NewServer(http.HandlerFunc(answer)) // it goes on when the hosts are gone, so that nobody else closes the connection
	defer still.Close()
	b := NewBalancer(s.world, s.group, func(string) (string, bool) { return strings.TrimPrefix(still.URL, "http://"), true })
	open := ask(t, serve(t, b), "1h")
	s.world(func(w *sim.World) {
		for _, task := range s.tasks {
			_ = w.TerminateInstances([]string{task.Instance})
		}
	})
	s.pass(14 * time.Second)
	time.Sleep(2 * cutEvery)
	if got := b.Lost(); got != (Lost{}) {
		t.Fatalf("%+v in the draining interval", got)
	}
	s.pass(2 * time.Second)
	if _, err := io.ReadAll(open.Body); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("%v, want a reset", err)
	}
	time.Sleep(cutEvery) // it counts once it has closed
	if b.Lost() != (Lost{Cut: 1}) {
		t.Errorf("%+v, want it closed by the load balancer", b.Lost())
	}
}

// serve lets a network load balancer work and returns its URL.
func serve(t *testing.T, b *Balancer) string {
	t.Helper()
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go b.Run(t.Context())
	go b.Serve(t.Context(), l)
	return "http://" + l.Addr().String()
}

func TestWithoutATargetConnectionsAreReset(t *testing.T) {
	b := NewBalancer(newScene(t).world, "no such target group", nil)
	c := NewClient(serve(t, b), true)
	for range 3 {
		c.send(t.Context(), request{}, time.Now())
	}
	if got := c.Tally(); got.ByKind["reset"] != 3 || b.Lost() != (Lost{NoTarget: 3}) {
		t.Errorf("%+v, %+v", got, b.Lost())
	}
}
