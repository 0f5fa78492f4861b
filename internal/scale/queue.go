package scale

import (
	"fmt"
	"math"
	"path"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
)

// Queue says how a service follows an SQS queue.
type Queue struct {
	URL          string
	FinishWithin time.Duration // a message is to be begun within this time
	Takes        time.Duration // of one task for one message, on average; 0: measured. A task that works on four at once: a quarter of it
	Protected    bool          // tasks protect themselves while they work, so ECS stops idle ones only
	Fallback     *int          // the count when the queue could not be read for FallbackAfter; nil: as it is
}

// Deleted is the metric of SQS by which it is measured how many messages a task works off.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
func (q *Queue) Deleted() fleet.Metric {
	name := map[string]string{"QueueName": path.Base(q.URL)}
	return fleet.Metric{Namespace: "AWS/SQS", Name: "NumberOfMessagesDeleted", Dimensions: name, Stat: "Sum", Period: time.Minute}
}

// FallbackAfter is for how long the queue must have been unreadable.
const FallbackAfter = 5 * time.Minute

// stale is how old what was read of the load may be.
const stale = 2 * time.Minute

// Measured is what is remembered of a queue.
type Measured struct {
	At       time.Time `json:"at,omitzero"` // of the last sample
	Work     int       `json:"work,omitempty"`
	Visible  int       `json:"visible,omitempty"`
	Running  int       `json:"running,omitempty"`
	Full     time.Time `json:"full,omitzero"`      // since when there was always a message to take
	Rate     float64   `json:"rate,omitempty"`     // messages that one task works off in a second; 0: not measured yet
	RateAt   time.Time `json:"rate_at,omitzero"`   // the datapoint that it was last measured by
	Each     float64   `json:"each,omitempty"`     // messages in flight for each task that is busy
	Arrivals float64   `json:"arrivals,omitempty"` // a second, smoothed over a minute
}

// queue is the vote of the queue: as many tasks as keep pace with what arrives, and work off what waits in half of the time that is allowed.
// The other half is for the start of the tasks.
func (d *decider) queue() vote {
	have, f := d.Desired.Value, d.Seen.Queue
	if f.At.IsZero() {
		return vote{to: have, code: Unknown, why: "the queue has not been read yet"}
	}
	if f.Is != fleet.Seen || d.now.Sub(f.At) > stale {
		at := f.At.Add(FallbackAfter)
		if n := d.Policy.Queue.Fallback; n != nil && *n != have && !d.now.Before(at) {
			return vote{to: *n, code: Fallback, why: fmt.Sprintf("the queue could not be read for %s, and the fallback is %d", FallbackAfter, *n)}
		}
		return vote{to: have, code: NoData, why: "the queue could not be read"}
	}
	d.measure(f)
	q, m := f.Value, d.Memory.Queue
	work, rate := q.Visible+q.InFlight, m.Rate
	if d.Policy.Queue.Takes > 0 {
		rate = 1 / d.Policy.Queue.Takes.Seconds()
	}
	switch {
	case work == 0 && q.Delayed == 0:
		return d.calm(0, QueueIn, "the queue is empty", "")
	case q.Visible > 0 && have == 0:
		return vote{to: max(1, d.need(q, rate)), code: QueueOut, why: fmt.Sprintf("%d messages wait, and no task runs", q.Visible)}
	case rate == 0:
		return d.learn(q)
	}
	need, text := d.need(q, rate), fmt.Sprintf("%d messages wait and %d are in flight, %.3g arrive in a second and a task works off %.3g", q.Visible, q.InFlight,
		m.Arrivals, rate)
	busy := ""
	if !d.Policy.Queue.Protected {
		busy = "tasks work on messages, and without task protection (protected: true) nothing says which of them are idle"
	}
	if need > have {
		d.Calm = Calm{}
		return vote{to: need, code: QueueOut, why: text}
	}
	return d.calm(need, QueueIn, text, busy)
}

// need is how many tasks the queue needs. rate is what one works off in a second; 0: unknown.
func (d *decider) need(q fleet.Backlog, rate float64) int {
	m := d.Memory.Queue
	if rate == 0 {
		return 0
	}
	pace := 1.1 * m.Arrivals / rate
	if q.Visible == 0 { // the tasks keep pace: what is in flight says how many of them are busy
		pace = float64(q.InFlight) / max(1, m.Each)
	}
	backlog := float64(q.Visible) / (rate * d.Policy.Queue.FinishWithin.Seconds() / 2)
	return int(math.Ceil(pace + backlog - 1e-9))
}

// learnEvery is how long one look at what twice as many tasks do waits.
const learnEvery = 30 * time.Second

// learn is the vote while it is not known how long a message takes: twice as many tasks as long as the queue does not get shorter.
func (d *decider) learn(q fleet.Backlog) vote {
	have, running := d.Desired.Value, d.Service.Value.Running
	end := d.Out.Add(learnEvery)
	if q.Visible == 0 || running < have || d.now.Before(end) {
		d.again(end)
		return vote{to: have, code: Learning, why: "it is not known yet how long a message takes; takes: in the configuration says it at once"}
	}
	why := fmt.Sprintf("%d messages wait while all %d tasks run, and it is not known yet how long a message takes", q.Visible, have)
	return vote{to: 2 * have, code: QueueOut, why: why}
}

// measure takes in a new sample.
func (d *decider) measure(f fleet.Fact[fleet.Backlog]) {
	m, q, running := &d.Memory.Queue, f.Value, d.Service.Value.Running
	if !f.At.After(m.At) {
		return
	}
	last := *m
	m.At, m.Work, m.Visible, m.Running = f.At, q.Visible+q.InFlight, q.Visible, running
	if d.ran(); q.Visible == 0 {
		m.Full = time.Time{}
	} else if m.Full.IsZero() {
		m.Full = f.At
	}
	if v := d.Deleted; v.Is == fleet.Seen && v.Value.From.After(m.RateAt) && v.Value.Value > 0 {
		if busy := d.busyTime(v.Value.From, q); busy > 0 {
			m.RateAt, m.Rate = v.Value.From, smooth(m.Rate, v.Value.Value/busy.Seconds(), 0.4)
		}
	}
	if q.Visible > 0 && running > 0 && q.InFlight > 0 {
		m.Each = smooth(m.Each, float64(q.InFlight)/float64(running), 0.3)
	}
	dt := f.At.Sub(last.At).Seconds()
	if last.At.IsZero() || dt > stale.Seconds() {
		m.Arrivals = 0
		return
	}
	rate := m.Rate
	if d.Policy.Queue.Takes > 0 {
		rate = 1 / d.Policy.Queue.Takes.Seconds()
	}
	busy := float64(min(running, last.Running))
	if last.Visible == 0 || q.Visible == 0 {
		busy = min(busy, float64(q.InFlight)/max(1, m.Each))
	}
	arrived := max(0, float64(m.Work-last.Work)/dt+rate*busy)
	m.Arrivals = smooth(m.Arrivals, arrived, min(1, dt/60))
}

// busyTime is for how long tasks worked in a minute, all together. While messages wait all do, and while none waits as many as have some in
// flight. Zero: it is not known.
func (d *decider) busyTime(from time.Time, q fleet.Backlog) time.Duration {
	m := d.Memory.Queue
	switch {
	case !m.Full.IsZero() && !from.Before(m.Full):
		return d.taskTime(from, from.Add(time.Minute))
	case q.Visible == 0:
		return time.Duration(float64(q.InFlight) / max(1, m.Each) * float64(time.Minute))
	}
	return 0
}

// smooth is an average in which a new value has a weight.
func smooth(was, is, weight float64) float64 {
	if was == 0 {
		return is
	}
	return was + weight*(is-was)
}

// calm is the vote for a count that is not above the present one: it must be enough for the whole window. busy is why no task may be taken
// away meanwhile; empty: it may.
func (d *decider) calm(need int, code Code, why, busy string) vote {
	have := d.Desired.Value
	if need >= have {
		d.Calm = Calm{}
		return vote{to: have, code: Steady, why: why}
	}
	if d.Calm.Since.IsZero() || busy != "" {
		d.Calm = Calm{Since: d.now}
	}
	d.Calm.Most = max(d.Calm.Most, need)
	if busy != "" {
		return vote{to: have, code: InFlight, why: why + "; " + busy}
	}
	if end := d.Calm.Since.Add(d.Window); d.now.Before(end) {
		d.again(end)
		return vote{to: have, code: Settling, why: fmt.Sprintf("%s: %d tasks are enough, since %s", why, d.Calm.Most, d.Calm.Since.UTC().Format("15:04:05"))}
	}
	return vote{to: d.Calm.Most, code: code, why: why}
}
