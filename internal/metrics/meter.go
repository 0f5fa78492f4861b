package metrics

import (
	"cmp"
	"encoding/json"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/ebbhq/ebb/internal/engine"
	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/kernel"
	"github.com/ebbhq/ebb/internal/plan"
)

// Meter fills the table. It is an engine.Meter, and safe for concurrent use.
type Meter struct {
	now      func() time.Time
	registry *prometheus.Registry

	mu       sync.Mutex // guards the rest, so that nobody reads what is half written
	counters map[string]*prometheus.CounterVec
	gauges   map[string]*prometheus.GaugeVec
	seconds  *prometheus.HistogramVec
	turned   time.Time // when the loop last turned, or New
	facts    *engine.Facts
	took     []float64          // seconds of the drains that ended since the last line, no more than it may hold
	lined    map[string]float64 // by name in a line: what the counter had counted then
}

// New returns the meter of an Ebb of this version. Now is the clock of processes.
func New(version string, now func() time.Time) *Meter {
	m := &Meter{
		now: now, registry: prometheus.NewRegistry(), turned: now(),
		counters: map[string]*prometheus.CounterVec{}, gauges: map[string]*prometheus.GaugeVec{},
		lined: map[string]float64{},
	}
	for _, row := range Table() {
		var c prometheus.Collector
		switch row.Type {
		case counter:
			v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: row.Name, Help: row.Help}, row.Labels)
			m.counters[row.Name], c = v, v
			if len(row.Labels) == 0 {
				v.WithLabelValues()
			}
		case gauge:
			v := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: row.Name, Help: row.Help}, row.Labels)
			m.gauges[row.Name], c = v, v
			if len(row.Labels) == 0 {
				v.WithLabelValues()
			}
		case histogram:
			m.seconds = prometheus.NewHistogramVec(prometheus.HistogramOpts{
				Name: row.Name, Help: row.Help, Buckets: []float64{30, 60, 120, 300, 600, 1200, 1800, 3600, 2 * 3600, 6 * 3600, 24 * 3600},
			}, row.Labels)
			c = m.seconds
		}
		m.registry.MustRegister(c)
	}
	m.gauges[buildInfo].WithLabelValues(version).Set(1)
	return m
}

// count adds one to a counter.
func (m *Meter) count(name string, labels ...string) {
	m.counters[name].WithLabelValues(labels...).Inc()
}

// Gather is prometheus.Gatherer.
func (m *Meter) Gather() ([]*dto.MetricFamily, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.registry.Gather()
}

// Wrote counts what is durable now.
func (m *Meter) Wrote(b journal.Batch) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range b.Records {
		if r.Open {
			continue
		}
		d, err := kernel.Read(r)
		if err != nil || d.Final == nil { // a pause, or a record that nobody reads
			continue
		}
		m.count(drainsEnded, string(d.Final.Outcome))
		if d.First != "" && !d.Observed {
			m.count(tasksOut, string(d.First))
		}
		took := max(d.Ended.Sub(d.Zero), 0).Seconds()
		m.seconds.WithLabelValues(string(d.Final.Outcome)).Observe(took)
		if len(m.took) < mostValues {
			m.took = append(m.took, took)
		}
	}
	for _, l := range b.Lines {
		switch l.Kind {
		case kernel.StuckLine:
			var blocker struct{ Code string }
			_ = json.Unmarshal(l.Data, &blocker) // the kernel wrote it
			m.count(blockers, blocker.Code)
		case kernel.CountLine:
			var c kernel.CountChange
			if json.Unmarshal(l.Data, &c) == nil && c.Raised > 0 {
				m.counters[tasksRaised].WithLabelValues(c.For).Add(float64(c.Raised))
			}
		case journal.SetAside:
			m.count(setAside)
		}
	}
}

// Turned takes in what holds at a turn of the loop.
func (m *Meter) Turned(f engine.Facts) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.turned, m.facts = m.now(), &f
	m.gauges[drainsOpen].Reset()
	for scope, n := range f.Open {
		m.gauges[drainsOpen].WithLabelValues(scope).Set(float64(n))
	}
	m.gauges[oldest].WithLabelValues().Set(f.Oldest.Seconds())
	m.gauges[leases].WithLabelValues().Set(float64(f.Leases))
}

// JournalFailed counts a failure of the journal.
func (m *Meter) JournalFailed() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.count(journalFailed)
}

// Told counts an attempt to send a notice.
func (m *Meter) Told(route string, o engine.Telling) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.count(notices, route, string(o))
}

// Waiting takes in how many notices wait, by route.
func (m *Meter) Waiting(routes map[string]int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.gauges[noticesWaiting].Reset()
	for route, n := range routes {
		m.gauges[noticesWaiting].WithLabelValues(route).Set(float64(n))
	}
}

// Called counts an AWS call.
func (m *Meter) Called(service, operation string, c plan.Class) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.count(calls, service, operation, cmp.Or(string(c), "ok"))
}
