package scale

import (
	"fmt"
	"math"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
)

// Tracking says how a service follows a metric: as many tasks as keep it at Target for each.
type Tracking struct {
	Metric  fleet.Metric
	Target  float64 // of each task; more than 0
	PerTask bool    // the metric is an average over the tasks; otherwise it is the load of all of them
	Every   time.Duration
}

// tolerance is by how much the load may differ from what the tasks are there for, as a share, before their number is changed.
const tolerance = 0.1

// Load is what is remembered of the tasks: how many ran when. A metric that is an average over them says something about the load
// only together with the number of tasks at that time; times today's number it would count each task that has started since as load.
type Load struct {
	Ran []Ran `json:"ran,omitempty"` // the oldest first
}

// Ran is how many tasks ran from a time on.
type Ran struct {
	From  time.Time `json:"from"`
	Tasks int       `json:"tasks"`
}

// kept is for how long numbers of tasks are remembered.
const kept = 10 * time.Minute

// track is the vote of the metric.
func (d *decider) track() vote {
	have, f, p := d.Desired.Value, d.Seen.Tracking, d.Policy.Tracking
	d.ran()
	value := f.Value.Value
	late := f.Value.From.Add(p.Metric.Period + stale)
	if f.Is != fleet.Seen || d.now.After(late) || math.IsNaN(value) || math.IsInf(value, 0) || value < 0 {
		return vote{to: have, code: NoData, why: fmt.Sprintf("metric %s has no datapoint that is new and makes sense", p.Metric.Name)}
	}
	load, text := value, fmt.Sprintf("%s is %.4g", p.Metric.Name, value)
	if p.PerTask {
		then := d.tasksAt(f.Value.From.Add(p.Metric.Period / 2))
		if d.To == have && d.Lost == 0 && f.Value.From.Add(p.Metric.Period).After(d.Changed) {
			then = min(then, have) // tasks leave before it is seen that they have: for each of the others the metric is higher already
		}
		load, text = value*float64(then), fmt.Sprintf("%s, with %d tasks", text, then)
	}
	text += fmt.Sprintf(", and %.4g for each task is the target", p.Target)
	share := load / (p.Target * float64(max(1, have)))
	need := int(math.Ceil(min(load/p.Target, 1e6) - 1e-9))
	switch {
	case have > 0 && math.Abs(share-1) <= tolerance:
		need = have
	case need > have:
		d.Calm = Calm{}
		return vote{to: need, code: TrackOut, why: text}
	}
	return d.calm(need, TrackIn, text, "")
}

// ran remembers how many tasks run.
func (d *decider) ran() {
	at, running := d.Service.At, d.Service.Value.Running
	all := d.Load.Ran
	if n := len(all); n == 0 || all[n-1].Tasks != running && at.After(all[n-1].From) {
		all = append(all[:n:n], Ran{at, running})
	}
	for len(all) > 1 && d.now.Sub(all[1].From) > kept {
		all = all[1:]
	}
	d.Load.Ran = all
}

// taskTime is for how long tasks ran in a time, all together, as far as that is remembered.
func (d *decider) taskTime(from, to time.Time) (sum time.Duration) {
	for i, r := range d.Load.Ran {
		end := to
		if i+1 < len(d.Load.Ran) && d.Load.Ran[i+1].From.Before(to) {
			end = d.Load.Ran[i+1].From
		}
		if begin := later(r.From, from); begin.Before(end) {
			sum += time.Duration(r.Tasks) * end.Sub(begin)
		}
	}
	return sum
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// tasksAt is how many tasks ran at a time, as far as that is remembered.
func (d *decider) tasksAt(at time.Time) int {
	tasks := 0
	for i, r := range d.Load.Ran {
		if i == 0 || !r.From.After(at) {
			tasks = r.Tasks
		}
	}
	return tasks
}
