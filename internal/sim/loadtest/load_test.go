package loadtest

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestALoadIsTheSameForTheSameSeed(t *testing.T) {
	first := func(seed uint64) []request {
		next := Load{Seed: seed, PerSecond: 200, SlowPercent: 5, Quick: time.Millisecond, Slow: time.Second}.requests()
		var all []request
		for range 20000 {
			all = append(all, next())
		}
		return all
	}
	all := first(1)
	if !reflect.DeepEqual(all, first(1)) || reflect.DeepEqual(all, first(2)) {
		t.Error("want the same requests for the same seed only")
	}
	slow := 0
	for _, r := range all {
		if r.slow != (r.take == time.Second) {
			t.Fatalf("%+v", r)
		}
		if r.slow {
			slow++
		}
	}
	if last := all[len(all)-1].at.Seconds(); slow < 900 || slow > 1100 || last < 97 || last > 103 {
		t.Errorf("%d of 20000 slow, the last after %.1f s; want 5 %% and 100 s", slow, last)
	}
}

func TestALoadMayBeEven(t *testing.T) {
	next := Load{Evenly: true, PerSecond: 100}.requests()
	for i := range 500 {
		if r, want := next(), time.Duration(i+1)*10*time.Millisecond; r.at != want {
			t.Fatalf("request %d comes after %s, want %s", i, r.at, want)
		}
	}
}

// Every request is sent once, by every client, and each failure is counted by its kind.
func TestEveryFailureIsCounted(t *testing.T) {
	const each = 30
	var n atomic.Int64
	stop := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		k := n.Add(1)
		if k == 5*each {
			close(stop)
		}
		switch {
		case k > 5*each || k%5 == 0:
			answer(w, r)
		case k%5 == 1:
			w.WriteHeader(http.StatusBadGateway)
		case k%5 == 2:
			panic(http.ErrAbortHandler)
		case k%5 == 3:
			_, _ = io.WriteString(w, whole[:1])
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		case k%5 == 4:
			_, _ = io.WriteString(w, whole[:1]) // an answer that is not whole
		}
	}))
	defer server.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	c, refused := NewClient(server.URL, false), NewClient("http://"+l.Addr().String(), false)
	defer c.Close()
	Load{PerSecond: 5000, Quick: time.Millisecond, Slow: time.Hour}.Run(t.Context(), stop, c, refused)
	got := c.Tally()
	if got.Requests != int(n.Load()) || got.Failed != 4*each || !reflect.DeepEqual(got.ByKind, map[string]int{"502": each, "reset": 3 * each}) {
		t.Errorf("%+v of %d requests", got, n.Load())
	}
	if got.P99 < time.Millisecond || got.P99 > patience {
		t.Errorf("the 99th percentile is %s", got.P99)
	}
	if r := refused.Tally(); r.Requests != got.Requests || r.ByKind["refused"] != r.Requests || r.Failed != r.Requests || r.P99 != 0 {
		t.Errorf("where nobody listens: %+v", r)
	}
}

func TestTheEndOfTheContextIsNoFailure(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // else the server does not notice that the client has gone
		cancel()
		<-r.Context().Done()
	}))
	defer server.Close()
	c := NewClient(server.URL, false)
	Load{PerSecond: 5000}.Run(ctx, nil, c)
	if got := c.Tally(); got.Requests != 0 || got.Failed != 0 {
		t.Errorf("%+v, want nothing counted", got)
	}
}

// A task that works on one request at a time lets three wait, and refuses what comes beyond; what is answered too late has failed.
func TestATaskCanBeBusy(t *testing.T) {
	server := httptest.NewServer(limited(1))
	defer server.Close()
	c := NewClient(server.URL, false)
	c.Late = 250 * time.Millisecond
	var sent sync.WaitGroup
	for range 6 {
		sent.Go(func() { c.send(t.Context(), request{take: 100 * time.Millisecond}, time.Now()) })
	}
	sent.Wait()
	if got := c.Tally(); got.Requests != 6 || got.ByKind["503"] != 2 || got.ByKind["late"] != 2 {
		t.Errorf("%+v, want 2 refused and 2 late", got)
	}
}

// A crowd comes at its time.
func TestALoadThatGrows(t *testing.T) {
	next := Load{Seed: 1, PerSecond: 100, Times: func(at time.Duration) float64 {
		if at < 10*time.Second {
			return 1
		}
		return 5
	}}.requests()
	counts := [2]int{}
	for r := next(); r.at < 20*time.Second; r = next() {
		counts[r.at/(10*time.Second)]++
	}
	if counts[0] < 900 || counts[0] > 1100 || counts[1] < 4700 || counts[1] > 5300 {
		t.Errorf("%v, want about 1000 and 5000", counts)
	}
}
