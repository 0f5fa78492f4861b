package cli

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// A probe counts what fails, by kind, and refuses a URL that fails before anything leaves.
func TestProbe(t *testing.T) {
	var n atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		switch n.Add(1) {
		case 3:
			w.WriteHeader(http.StatusBadGateway)
		case 4:
			w.WriteHeader(http.StatusNotFound)
		case 5:
			panic(http.ErrAbortHandler)
		}
	}))
	defer server.Close()
	p, err := startProbe(t.Context(), server.URL, 100)
	if err != nil {
		t.Fatal(err)
	}
	for n.Load() < 10 {
		time.Sleep(time.Millisecond)
	}
	p.end()
	if p.Failed != 2 || p.ByKind["502"] != 1 || p.ByKind["connection"] != 1 || p.Sent != int(n.Load())-1 {
		t.Errorf("%+v of %d", p, n.Load())
	}
	if text := p.text(); !strings.HasSuffix(text, ", 2 failed, 502: 1, connection: 1") {
		t.Error(text)
	}
	n.Store(2)
	if p, err := startProbe(t.Context(), server.URL, 1); err == nil || p != nil || !strings.Contains(err.Error(), "502: it answers 502 Bad Gateway") {
		t.Errorf("%v, %v", p, err)
	}
	if p, err := startProbe(t.Context(), "", 1); p != nil || err != nil {
		t.Errorf("without a URL: %v, %v", p, err)
	}
}
