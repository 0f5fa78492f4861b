package metrics

import (
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// stillFor is how long the loop may stand still: the leases alone make it turn every few seconds.
const stillFor = time.Minute

// Handler answers /metrics, /livez and /readyz.
func (m *Meter) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m, promhttp.HandlerOpts{}))
	for path, check := range map[string]func() (bool, string){"GET /livez": m.live, "GET /readyz": m.ready} {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			ok, text := check()
			if !ok {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
			fmt.Fprintln(w, text)
		})
	}
	return mux
}

// live reports whether the loop turns.
func (m *Meter) live() (bool, string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	still := m.now().Sub(m.turned)
	if still > stillFor {
		return false, fmt.Sprintf("the loop has not turned for %s; restart ebb serve: open drains are in the journal, or found by the sweep",
			still.Round(time.Second))
	}
	return true, "live: the loop turns"
}

// ready reports whether Ebb can do its work, or can take it over.
func (m *Meter) ready() (bool, string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch f := m.facts; {
	case f == nil:
		return false, "not ready: the journal was not read yet; wait, and read the log if it stays so"
	case f.Away != nil:
		return false, "not ready: the journal does not say who holds the leases; the log says why: check that it can be reached"
	case !f.Loaded:
		return false, "not ready: the journal failed and is read again; the log says why: check that it can be reached"
	case f.Leases == 0:
		return true, "ready: stands by, another Ebb works; this one takes over when that one ends"
	default:
		return true, fmt.Sprintf("ready: works, with %d of the leases", f.Leases)
	}
}
