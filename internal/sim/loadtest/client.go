package loadtest

import (
	"context"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// patience is how long a client waits for an answer: far longer than any takes, so that a slow machine makes no failures.
const patience = 30 * time.Second

// Client sends requests to one site, over kept connections or each over one of its own, and counts what comes of them.
type Client struct {
	Late time.Duration // what is answered later after it was due has failed, as "late"; 0: nothing has

	url   string
	http  http.Client
	slots chan struct{}

	mu    sync.Mutex // guards the rest
	tally Tally
	quick []time.Duration // how long the answered quick requests took
}

// Tally is what came of the requests so far.
type Tally struct {
	Requests int            // that ended, well or not
	Failed   int            // that did not end with a whole answer and status 200
	ByKind   map[string]int // failures: 502 and other statuses, reset (the connection ended first), refused, timeout (30 s), late
	P99      time.Duration  // of the quick requests that were answered, from the moment they were due
}

// NewClient returns a client of the site at a URL; each: every request has a connection of its own.
func NewClient(url string, each bool) *Client {
	// The load balancer never closes an idle connection, so none is closed while a request is under way to it.
	transport := &http.Transport{MaxIdleConnsPerHost: most, DisableCompression: true, DisableKeepAlives: each}
	return &Client{
		url: url, http: http.Client{Transport: transport, Timeout: patience}, slots: make(chan struct{}, most), tally: Tally{ByKind: map[string]int{}},
	}
}

// Close gives up the client's connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Tally returns the counts so far.
func (c *Client) Tally() Tally {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.tally
	t.ByKind = maps.Clone(t.ByKind)
	if len(c.quick) > 0 {
		sorted := slices.Sorted(slices.Values(c.quick))
		t.P99 = sorted[len(sorted)*99/100]
	}
	return t
}

// send makes one request and counts it. One that the end of ctx cut short is not counted.
func (c *Client) send(ctx context.Context, r request, due time.Time) {
	kind := c.try(ctx, r.take)
	if ctx.Err() != nil {
		return
	}
	if kind == "" && c.Late > 0 && time.Since(due) > c.Late {
		kind = "late"
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tally.Requests++
	switch {
	case kind != "":
		c.tally.Failed++
		c.tally.ByKind[kind]++
	case !r.slow:
		c.quick = append(c.quick, time.Since(due))
	}
}

// try makes one request and returns the kind of its failure, or nothing. It is a POST whose body cannot be read twice, so that neither
// the client nor the load balancer may send it a second time.
func (c *Client) try(ctx context.Context, take time.Duration) string {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url+"/?take="+take.String(), io.NopCloser(strings.NewReader("work")))
	if err != nil {
		return "unsent"
	}
	req.ContentLength = int64(len("work"))
	res, err := c.http.Do(req)
	if err != nil {
		return kindOf(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	switch {
	case err != nil:
		return kindOf(err)
	case res.StatusCode != http.StatusOK:
		return strconv.Itoa(res.StatusCode)
	case string(body) != whole:
		return "reset"
	}
	return ""
}

func kindOf(err error) string {
	if late, ok := errors.AsType[net.Error](err); ok && late.Timeout() {
		return "timeout"
	}
	if errors.Is(err, syscall.ECONNREFUSED) {
		return "refused"
	}
	return "reset"
}
