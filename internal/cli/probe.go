package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ebbhq/ebb/internal/plain"
)

// probed is what came of a probe; its JSON keys are stable.
type probed struct {
	URL    string         `json:"url"`
	Rate   int            `json:"rate"` // requests in a second of this machine
	Sent   int            `json:"requests"`
	Failed int            `json:"failed"`
	ByKind map[string]int `json:"failed_by_kind,omitempty"` // a status, timeout, or connection
}

// probe sends requests to a URL at an even rate, and counts those that fail: no answer within probeTimeout, or a status of 500 or more.
type probe struct {
	probed
	mu     sync.Mutex // guards the counts
	client *http.Client
	stop   context.CancelFunc
	ended  sync.WaitGroup
}

const (
	probeTimeout = 10 * time.Second
	mostProbes   = 1000 // in a second
)

// startProbe begins to send. It refuses a URL that fails already. Without a URL there is no probe, and none is nil.
func startProbe(ctx context.Context, url string, rate int) (*probe, error) {
	if url == "" {
		return nil, nil
	}
	// A connection for each request: on one that is used again Go repeats a request that was cut, and it would not be counted.
	p := &probe{probed: probed{URL: url, Rate: rate, ByKind: map[string]int{}}, client: &http.Client{
		Timeout: probeTimeout, Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true},
	}}
	if err := p.request(ctx); err != nil {
		return nil, fmt.Errorf("probe %s: %w; nothing was changed, because it fails before anything leaves", url, err)
	}
	ctx, p.stop = context.WithCancel(ctx)
	p.ended.Go(func() { p.run(ctx) })
	return p, nil
}

func (p *probe) run(ctx context.Context) {
	tick := time.NewTicker(time.Second / time.Duration(p.Rate))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			p.ended.Go(func() { p.count(p.request(context.WithoutCancel(ctx))) })
		}
	}
}

// request sends one request. The error begins with its kind.
func (p *probe) request(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.URL, nil)
	if err != nil {
		return err
	}
	res, err := p.client.Do(req)
	if err != nil {
		kind := "connection"
		if slow, ok := errors.AsType[net.Error](err); ok && slow.Timeout() {
			kind = "timeout"
		}
		return fmt.Errorf("%s: %w", kind, err)
	}
	defer res.Body.Close()
	if res.StatusCode >= http.StatusInternalServerError {
		return fmt.Errorf("%d: it answers %s", res.StatusCode, res.Status)
	}
	return nil
}

func (p *probe) count(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.Sent++
	if err != nil {
		kind, _, _ := strings.Cut(err.Error(), ":")
		p.Failed++
		p.ByKind[kind]++
	}
}

// end waits for the answers that are due, and is what was counted; nil without a probe.
func (p *probe) end() *probed {
	if p == nil {
		return nil
	}
	p.stop()
	p.ended.Wait()
	return &p.probed
}

// text says what was counted, for people.
func (p *probed) text() string {
	text := fmt.Sprintf("%s to %s, %d failed", plain.Count(p.Sent, "request"), p.URL, p.Failed)
	for _, kind := range slices.Sorted(maps.Keys(p.ByKind)) {
		text += fmt.Sprintf(", %s: %d", kind, p.ByKind[kind])
	}
	return text
}
