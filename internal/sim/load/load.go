// Package load is work for the services of a simulated cloud: requests, or messages of a queue, arrive second by second, and the tasks of a
// service work them off.
//
// It computes, for whole seconds, and never changes the world or asks for chance. Between two changes of the world the same tasks work.
package load

import (
	"fmt"
	"slices"
	"time"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// Load is the work of a world.
type Load struct {
	*core.Core
	source Source
	works  []*work
}

// Source knows who works.
type Source interface {
	// Workers are the tasks of a service whose processes run, in the order in which they were started. With a target group they are those that
	// it sends requests to.
	Workers(cluster, service, targetGroup string) []Worker
	// Visibility is the visibility timeout of a queue.
	Visibility(queue string) time.Duration
}

// Worker is a task.
type Worker struct {
	Task    string
	Since   time.Time // its process has run since then
	Leaves  bool      // it has got SIGTERM, and takes nothing more
	Routed  bool      // its target group sends requests to it; without a target group always
	Running bool      // ECS counts it as running
}

// Spec is the work of one service.
type Spec struct {
	Service     string        `yaml:"service,omitempty"`
	Cluster     string        `yaml:"cluster,omitempty"`
	TargetGroup string        `yaml:"target_group,omitempty"`    // that requests come through; empty: all its tasks serve as soon as they run
	Queue       string        `yaml:"queue,omitempty"`           // messages of this queue arrive, instead of requests
	Arrivals    Shape         `yaml:"arrivals,omitempty"`        // per second
	Rate        float64       `yaml:"rate,omitempty"`            // of requests: so many a task serves in a second, with all of its CPU
	Base        time.Duration `yaml:"base_latency,omitempty"`    // of requests: what one takes that does not wait; 0: 50 ms
	Work        time.Duration `yaml:"work,omitempty"`            // of messages: how long a task works on one
	Concurrency int           `yaml:"concurrency,omitempty"`     // of messages: so many a task has in flight; 0: 1
	WarmUp      time.Duration `yaml:"warm_up,omitempty"`         // from RUNNING until a task takes anything
	Late        time.Duration `yaml:"late,omitempty"`            // clients give up after that, 0: 10 s; a message is late that is not begun by then, 0: 60 s
	Memory      float64       `yaml:"memory,omitempty"`          // percent of its memory that a task uses; 0: no metric says
	Protects    bool          `yaml:"protects,omitempty"`        // tasks protect themselves from scale-in while they have messages in flight
	Fine        bool          `yaml:"high_resolution,omitempty"` // ECS publishes the service's CPU and memory every 20 s
	Namespace   string        `yaml:"namespace,omitempty"`       // of the metric PerTask that the tasks publish every 10 s; empty: they do not
}

// Report is what became of the work of a service. Requests are computed, hence fractions.
type Report struct {
	Service string
	Arrived float64
	Done    float64

	Unserved float64       // requests whose clients gave up
	Late     float64       // messages that were not begun in time
	Cut      float64       // messages that a task had in flight when it ended; they come again after the visibility timeout
	Worst    time.Duration // the longest wait, of a message until it was begun

	Waiting, InFlight float64       // now
	Oldest            time.Duration // how long the oldest message has been waiting

	Overload time.Duration // in which more arrived than 90 % of what the tasks could do
	TaskTime time.Duration // of all tasks that ran
	Surplus  time.Duration // of tasks beyond those that the load of the moment needs at 60 % of what they can do

	// What metrics are made of, in the sum of all seconds.

	Busy   float64 // tasks that worked
	Queued float64 // requests that waited
	Routed float64 // tasks that requests were sent to
	Taken  float64 // messages received
}

// Minute is one minute of the work of a service, for pictures.
type Minute struct {
	At                time.Time
	Arrived, Capacity float64 // per second, in the mean; Capacity: what the tasks could do
	Unserved, Waiting float64 // Unserved: requests in this minute, or messages that were begun late; Waiting: at its end
	Tasks             int     // that ran at its end
}

// New makes a world without work.
func New(c *core.Core, source Source) *Load { return &Load{Core: c, source: source} }

// work is the work of one service.
type work struct {
	Spec
	begin   time.Time
	last    time.Time // all is computed up to here
	report  Report
	minutes []Minute
	carry   float64 // of a message that has not arrived whole

	visible   []batch // messages, the oldest first
	returning []batch // that come back when their visibility timeout is over
	hands     map[string]*hand
}

// AddLoad lets the work of a service begin now. Its errors say what is wrong with the arrivals.
func (w *Load) AddLoad(s Spec) error {
	var err error
	if s.Arrivals, err = s.Arrivals.resolved(); err != nil {
		return fmt.Errorf("arrivals: %w", err)
	}
	if s.Base == 0 {
		s.Base = 50 * time.Millisecond
	}
	if s.Late == 0 && s.Queue == "" {
		s.Late = 10 * time.Second
	} else if s.Late == 0 {
		s.Late = time.Minute
	}
	s.Concurrency = max(s.Concurrency, 1)
	w.works = append(w.works, &work{Spec: s, begin: w.Now(), last: w.Now(), report: Report{Service: s.Service}, hands: map[string]*hand{}})
	if len(w.works) == 1 {
		w.Measure(w.settle)
	}
	return nil
}

// Loads are the works of the world, in the order in which they began.
func (w *Load) Loads() []Spec { return core.Mapped(w.works, func(k *work) Spec { return k.Spec }) }

// SetLoad changes what arrives for a service from now on; its time begins anew.
func (w *Load) SetLoad(service string, arrivals Shape) error {
	w.settle()
	k := w.find(service)
	if k == nil {
		return fmt.Errorf("service %q has no load; add it to load", service)
	}
	arrivals, err := arrivals.resolved()
	if err != nil {
		return fmt.Errorf("load of service %q: arrivals: %w", service, err)
	}
	k.Arrivals, k.begin = arrivals, k.last
	return nil
}

// AddWork lets so many requests or messages arrive for a service at once.
func (w *Load) AddWork(service string, n int) error {
	w.settle()
	k := w.find(service)
	if k == nil {
		return fmt.Errorf("service %q has no load; add it to load", service)
	}
	k.carry += float64(n)
	return nil
}

func (w *Load) find(service string) *work {
	if i := slices.IndexFunc(w.works, func(k *work) bool { return k.Service == service }); i >= 0 {
		return w.works[i]
	}
	return nil
}

// LoadReport is what became of the work of a service up to now. False: it has none.
func (w *Load) LoadReport(service string) (Report, bool) {
	w.settle()
	k := w.find(service)
	if k == nil {
		return Report{}, false
	}
	return k.seen(w.Now()), true
}

// LoadMinutes is the work of a service minute by minute, up to now; the last minute may not be whole.
func (w *Load) LoadMinutes(service string) []Minute {
	w.settle()
	if k := w.find(service); k != nil {
		return slices.Clone(k.minutes)
	}
	return nil
}

func (k *work) seen(now time.Time) Report {
	r := k.report
	if len(k.visible) > 0 {
		r.Oldest = now.Sub(k.visible[0].at)
	}
	return r
}

// QueueCounts are the messages of a queue that wait and that are in flight.
func (w *Load) QueueCounts(queue string) (visible, hidden int) {
	w.settle()
	for _, k := range w.works {
		if k.Queue == queue {
			r := k.seen(w.Now())
			visible, hidden = visible+int(r.Waiting)-k.unknown(w.Now().Add(-w.QueueLate)), hidden+int(r.InFlight)
		}
	}
	return visible, hidden
}

// unknown are the waiting messages that arrived after a time.
func (k *work) unknown(since time.Time) int {
	n := 0
	for _, b := range slices.Backward(k.visible) {
		if !b.at.After(since) {
			break
		}
		n += b.n
	}
	return n
}

// Busy reports whether a task has protected itself, because it has messages in flight.
func (w *Load) Busy(task string) bool {
	if len(w.works) == 0 {
		return false
	}
	w.settle()
	for _, k := range w.works {
		if h := k.hands[task]; k.Protects && h != nil && h.n > 0 {
			return true
		}
	}
	return false
}

// settle computes up to now. Since the time before the same tasks have worked.
func (w *Load) settle() {
	for _, k := range w.works {
		if w.Now().Sub(k.last) < time.Second {
			continue
		}
		workers := w.source.Workers(k.Cluster, k.Service, k.TargetGroup)
		if k.Queue != "" {
			k.collect(workers, w.source.Visibility(k.Queue))
		}
		for !k.last.Add(time.Second).After(w.Now()) {
			k.second(workers)
		}
	}
}

// second computes one second.
func (k *work) second(workers []Worker) {
	at := k.last
	arrived := k.Arrivals.At(at.Sub(k.begin)) + k.carry
	k.carry = 0
	before := k.report
	capacity, running := 0.0, 0
	for _, v := range workers {
		if v.Running {
			running++
		}
		if k.works(v, at) {
			capacity += k.perSecond()
		}
	}
	if k.Queue == "" {
		k.serve(arrived, capacity, workers)
	} else {
		arrived = k.receive(arrived, workers)
	}
	r := &k.report
	r.Arrived += arrived
	r.TaskTime += time.Duration(running) * time.Second
	if arrived > 0.9*capacity {
		r.Overload += time.Second
	}
	needed := int(arrived/(0.6*k.perSecond()) + 0.999999)
	r.Surplus += time.Duration(max(0, running-needed)) * time.Second
	k.last = at.Add(time.Second)
	k.note(arrived, capacity, r.Unserved+r.Late-before.Unserved-before.Late, running)
}

// works reports whether a task takes something in a second.
func (k *work) works(v Worker, at time.Time) bool {
	return !v.Leaves && v.Routed && !at.Before(v.Since.Add(k.WarmUp))
}

// perSecond is what one task can do.
func (k *work) perSecond() float64 {
	if k.Queue == "" {
		return k.Rate
	}
	return float64(k.Concurrency) / k.Work.Seconds()
}

// serve is a second of requests: what cannot be served waits, as far as it can be served before the clients give up.
func (k *work) serve(arrived, capacity float64, workers []Worker) {
	r := &k.report
	waiting := r.Waiting + arrived
	done := min(waiting, capacity)
	waiting -= done
	if most := capacity * k.Late.Seconds(); waiting > most {
		r.Unserved += waiting - most
		waiting = most
	}
	r.Done, r.Waiting = r.Done+done, waiting
	r.Busy += done / k.Rate
	r.Queued += waiting
	for _, v := range workers {
		if v.Routed && !v.Leaves {
			r.Routed++
		}
	}
}

// note keeps the second for the picture.
func (k *work) note(arrived, capacity, missed float64, running int) {
	minute := k.last.Add(-time.Second).Truncate(time.Minute)
	if n := len(k.minutes); n == 0 || !k.minutes[n-1].At.Equal(minute) {
		k.minutes = append(k.minutes, Minute{At: minute})
	}
	m := &k.minutes[len(k.minutes)-1]
	m.Arrived += arrived / 60
	m.Capacity += capacity / 60
	m.Unserved += missed
	m.Tasks, m.Waiting = running, k.report.Waiting
}
