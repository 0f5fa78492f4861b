package metrics

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"
)

// namespace is that of the metrics in CloudWatch.
const namespace = "Ebb"

// mostValues is how many values of one metric a line may hold.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
const mostValues = 100

// series is one metric of CloudWatch, added up over the labels of a row of the table.
type series struct {
	name, of     string
	unit         string
	label, value string // only those with this value; no label: all
}

// emf are the metrics in a line. Those of a counter are what was added since the line before.
func emf() []series {
	return []series{
		{name: drainsOpen, of: drainsOpen, unit: "Count"},
		{name: drainSeconds, of: drainSeconds, unit: "Seconds"},
		{name: drainsEnded, of: drainsEnded, unit: "Count"},
		{name: "ebb_drains_forced_total", of: drainsEnded, unit: "Count", label: "outcome", value: "forced"},
		{name: blockers, of: blockers, unit: "Count"},
		{name: calls, of: calls, unit: "Count"},
		{name: "ebb_aws_calls_throttled_total", of: calls, unit: "Count", label: "outcome", value: "throttled"},
		{name: oldest, of: oldest, unit: "Seconds"},
		{name: leases, of: leases, unit: "Count"},
		{name: noticesWaiting, of: noticesWaiting, unit: "Count"},
		{name: "ebb_notices_failed_total", of: notices, unit: "Count", label: "outcome", value: "failed"},
		{name: journalFailed, of: journalFailed, unit: "Count"},
		{name: setAside, of: setAside, unit: "Count"},
	}
}

// definition and directive are what CloudWatch reads, in its words.
type (
	definition struct{ Name, Unit string }
	directive  struct {
		Namespace  string
		Dimensions [][]string
		Metrics    []definition
	}
	metadata struct {
		Timestamp         int64
		CloudWatchMetrics []directive
	}
)

// Line is one line in CloudWatch's embedded metric format, for the Ebb that answers a hook. What it tells of counters and durations the
// next line does not tell again.
func (m *Meter) Line(hook string) ([]byte, error) {
	families, err := m.Gather()
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	about := directive{Namespace: namespace, Dimensions: [][]string{{"hook"}}}
	line := map[string]any{"hook": hook}
	for _, s := range emf() {
		if s.of == drainSeconds {
			if len(m.took) == 0 {
				continue
			}
			line[s.name], m.took = m.took, nil
		} else {
			line[s.name] = m.since(s, sum(families, s))
		}
		about.Metrics = append(about.Metrics, definition{s.name, s.unit})
	}
	line["_aws"] = metadata{m.now().UnixMilli(), []directive{about}}
	text, err := json.Marshal(line)
	return append(text, '\n'), err
}

// since is what a counter has counted since it was last asked; a gauge is as it is.
func (m *Meter) since(s series, now float64) float64 {
	if m.counters[s.of] == nil {
		return now
	}
	d := now - m.lined[s.name]
	m.lined[s.name] = now
	return d
}

// sum adds up a metric over its labels.
func sum(families []*dto.MetricFamily, s series) (total float64) {
	for _, f := range families {
		if f.GetName() != s.of {
			continue
		}
		for _, one := range f.GetMetric() {
			fits := s.label == ""
			for _, l := range one.GetLabel() {
				fits = fits || l.GetName() == s.label && l.GetValue() == s.value
			}
			if fits {
				total += one.GetCounter().GetValue() + one.GetGauge().GetValue()
			}
		}
	}
	return total
}

// Lines writes a line each minute until ctx ends, and then a last one.
func (m *Meter) Lines(ctx context.Context, to io.Writer, hook string) error {
	minute := time.NewTicker(time.Minute)
	defer minute.Stop()
	for {
		ended := false
		select {
		case <-ctx.Done():
			ended = true
		case <-minute.C:
		}
		text, err := m.Line(hook)
		if err == nil {
			_, err = to.Write(text)
		}
		if err != nil || ended {
			return err
		}
	}
}

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
