package agent

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/steps"
)

// metadata is an instance metadata service whose tokens can be refused.
type metadata struct {
	mu     sync.Mutex
	token  string // the one that is taken; empty: none is
	puts   int
	fails  int // so many PUTs fail
	target string
	only1  bool // it knows version 1 only
	busy   int  // so many GETs answer 503
	gets   int
}

func (m *metadata) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case r.Method == http.MethodPut && m.only1:
		http.Error(w, "", http.StatusMethodNotAllowed)
	case r.Method == http.MethodPut:
		if m.puts++; m.fails > 0 {
			m.fails--
			http.Error(w, "", http.StatusInternalServerError)
			return
		}
		m.token = fmt.Sprintf("token-%d", m.puts)
		fmt.Fprint(w, m.token)
	case !m.only1 && r.Header.Get("X-aws-ec2-metadata-token") != m.token:
		m.gets++
		http.Error(w, "", http.StatusUnauthorized)
	case m.busy > 0:
		m.gets++
		m.busy--
		http.Error(w, "", http.StatusServiceUnavailable)
	case strings.HasSuffix(r.URL.Path, "target-lifecycle-state") && m.target != "":
		m.gets++
		fmt.Fprint(w, m.target)
	default:
		m.gets++
		http.NotFound(w, r)
	}
}

// A token that is refused is replaced at once, and the look is repeated. A token that cannot be had is asked for again with the next look.
func TestARefusedTokenIsReplacedAtOnce(t *testing.T) {
	m := &metadata{target: "InService"}
	s := httptest.NewServer(m)
	defer s.Close()
	c := NewIMDS(s.URL)
	hear := func() (Heard, error) { return c.Hear(t.Context(), false, false) }
	if h, err := hear(); err != nil || h.Target != "InService" || m.puts != 1 {
		t.Fatalf("first look: %+v, %v, %d tokens", h, err, m.puts)
	}
	if _, err := hear(); err != nil || m.puts != 1 {
		t.Fatalf("second look: %v, %d tokens", err, m.puts)
	}
	m.token, m.target, m.fails = "other", "Terminated", 2
	for range 2 {
		if h, err := hear(); err == nil || h.Target != "" {
			t.Fatalf("while there is no token: %+v, %v", h, err)
		}
	}
	if h, err := hear(); err != nil || h.Target != "Terminated" {
		t.Fatalf("with the new token: %+v, %v", h, err)
	}
}

// A service that knows no tokens is asked without.
func TestVersionOneOnly(t *testing.T) {
	s := httptest.NewServer(&metadata{target: "InService", only1: true})
	defer s.Close()
	if h, err := NewIMDS(s.URL).Hear(t.Context(), false, false); err != nil || h.Target != "InService" {
		t.Fatalf("%+v, %v", h, err)
	}
}

// An agent that hears nothing for a minute says so once, asks Auto Scaling instead, and says when it hears again.
func TestABlindAgentSaysSo(t *testing.T) {
	var log strings.Builder
	a := New(Config{Plan: steps.Plan{Instance: "i-0a1b2c3d4e5f60718", Hook: "ebb-host"}, Store: &memory{}, Log: slog.New(slog.NewTextHandler(&log, nil))})
	now := a.heard
	for i := range 20 {
		a.hear(Heard{}, status(401), now.Add(time.Duration(i)*10*time.Second), false)
	}
	if n := strings.Count(log.String(), "the agent is blind"); n != 1 || !strings.Contains(log.String(), "--http-put-response-hop-limit 2") {
		t.Errorf("told %d times that it is blind:\n%s", n, log.String())
	}
	reqs, _, _ := a.core.Next(now.Add(200 * time.Second))
	if len(reqs) != 1 || reqs[0].Look == nil || reqs[0].Look.Kind != steps.LookGroup {
		t.Errorf("it asks %+v", reqs)
	}
	a.hear(Heard{Target: "InService"}, nil, now.Add(210*time.Second), false)
	if !strings.Contains(log.String(), "answers again") {
		t.Errorf("not told that it hears again:\n%s", log.String())
	}
}
