package kernel

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/notice"
	"github.com/ebbhq/ebb/internal/plan"
	"github.com/ebbhq/ebb/internal/scale"
)

// Scaled is a service of the cluster whose desired count follows its load.
type Scaled struct {
	Service string
	Policy  scale.Policy
	Every   time.Duration // how often its queue or metric is read
}

// ScaleLine is the kind of a line about the scaling of a service.
const ScaleLine = "scaling"

// How often is looked.
const (
	scalerEvery  = 10 * time.Minute // whether Application Auto Scaling has the service too
	alarmEvery   = 30 * time.Second // at the state of an alarm of which no message tells
	scaledEvery  = time.Minute      // at a service whose count does not change
	aimLasts     = 30 * time.Second // a count that was decided and could not be set
	deletedEvery = time.Minute      // at how many messages are deleted from a queue
)

// scaleServices finds which desired counts follow a load, and how many tasks of each are on hosts that leave.
func scaleServices(k *Kernel) {
	scaled := false
	for _, c := range k.counts { //ebb:any-order each for itself
		c.scaled, c.leaving = nil, 0
	}
	for _, m := range k.cfg.Groups {
		for i := range m.Scaled {
			if c := countOf(k, m.Cluster, m.Scaled[i].Service); k.cfg.mine(m.Scope()) && c != nil {
				c.scaled, c.observed, scaled = &m.Scaled[i], m.Policy.Observe, true
			}
		}
	}
	for _, c := range k.counts { //ebb:any-order each for itself
		if c.scaled == nil {
			c.Scaling = scale.Memory{}
		}
	}
	for _, e := range k.sorted {
		if scaled && e.emptying() {
			of, _ := onHost(e)
			for service, n := range of { //ebb:any-order sums
				if c := k.counts[countKey(e.d.Cluster, service)]; c != nil {
					c.leaving += n
				}
			}
		}
	}
}

// decideScale decides about one service, and reports whether its count is to be changed.
func decideScale(k *Kernel, c *count, now time.Time) bool {
	if c.Busy(c.policy(k)) {
		return false
	}
	p := c.scaled.Policy
	p.Observe = p.Observe || c.observed
	s := scale.Seen{
		Service: known[fleet.Service](k.facts, serviceIn(c.Cluster, c.Service)), Leaving: c.leaving,
		Alarms: make(map[string]fleet.Fact[fleet.Alarm], len(p.Alarms)),
	}
	if !c.Sure.IsZero() {
		s.Desired = fleet.Fact[int]{Is: fleet.Seen, At: c.Sure, Value: c.Base}
	}
	for _, r := range p.Alarms {
		s.Alarms[r.Alarm] = known[fleet.Alarm](k.facts, alarmOf(r.Alarm))
	}
	if q := p.Queue; q != nil {
		s.Queue = known[fleet.Backlog](k.facts, plan.Subject{Kind: plan.Backlogs, ID: q.URL})
		s.Deleted = known[fleet.Datapoint](k.facts, metricOf(q.Deleted()))
	}
	s.Other = known[fleet.Scaler](k.facts, scalerOf(c.Cluster, c.Service))
	if p.Tracking != nil {
		s.Tracking = known[fleet.Datapoint](k.facts, metricOf(p.Tracking.Metric))
	}
	s.Override, s.Paused = overrideOf(k, c.Cluster, c.Service)
	d := scale.Decide(p, c.Scaling, s, now)
	if c.scaling = d; k.pretends {
		return false
	}
	c.Scaling = d.Memory
	if d.Tell {
		text := fmt.Sprintf("service %s in cluster %s stays at %d: ", c.Service, c.Cluster, c.Base)
		if d.Set {
			text = fmt.Sprintf("service %s in cluster %s goes from %d to %d: ", c.Service, c.Cluster, c.Base, d.To)
		}
		k.line(now, c.key(), ScaleLine, text+d.Why+" ("+string(d.Code)+")")
		if d.Code.Tells() {
			tellScaled(k, c.Cluster, c.Service, d.Code.Means(), d.Why, now)
		}
	}
	if d.Set {
		c.Entry = c.Aim(d.To)
	}
	return d.Set
}

// undoScale takes back what was decided, if it could not be set for a while, or if the service, which has been looked at since, may not shrink
// any more. Then it is decided anew. It reports whether there was something.
func undoScale(c *count, s fleet.Service, now time.Time) bool {
	before, from, ok := c.Scaling.Undone()
	if !ok || c.scaled == nil || c.Base != c.Scaling.To || c.Base == from {
		return false
	}
	if no, _ := scale.NoShrink(s, c.leaving); now.Sub(c.Scaling.Changed) <= aimLasts && (c.Base > from || no == "") {
		return false
	}
	c.Entry, c.Scaling = c.Aim(from), before
	return true
}

// adoptScale takes in that somebody else has set the count of a service that is scaled.
func adoptScale(k *Kernel, c *count, was int, now time.Time) {
	c.Scaling = c.Scaling.Foreign(was, c.Base, now)
	k.line(now, c.key(), ScaleLine, fmt.Sprintf("somebody else has set service %s in cluster %s from %d to %d", c.Service, c.Cluster, was, c.Base))
}

// tellScaled puts into the outbox what people are told of the scaling of a service, in the batch of the record that follows from it.
func tellScaled(k *Kernel, cluster, service, what, why string, now time.Time) {
	if len(k.cfg.Routes) == 0 {
		return
	}
	id := cluster + "/" + service + "/" + now.UTC().Format("20060102T150405.000")
	n := notice.IsScaled(id, cluster, service, what, why, now)
	k.forwarded = append(k.forwarded, notice.Put(n, clusterScope(cluster), k.cfg.Routes)...)
}

func alarmOf(name string) plan.Subject { return plan.Subject{Kind: plan.Alarms, ID: name} }

func metricOf(m fleet.Metric) plan.Subject {
	return plan.Subject{Kind: plan.Metrics, ID: plan.MetricID(m)}
}

// eachScaleLook names what is to be looked at for a service that is scaled, and when.
func eachScaleLook(o *observer, c *count, look func(plan.Subject, time.Time)) {
	after := func(s plan.Subject, pace time.Duration) {
		at := time.Time{}
		if f := o.facts[s]; f != nil {
			at = f.When().Add(pace)
		}
		look(s, at)
	}
	p, pace := &c.scaled.Policy, scaledEvery
	if !c.Scaling.Changed.IsZero() && c.Sure.Sub(c.Scaling.Changed) < scale.StartLimit {
		pace = countPace // its tasks start, or somebody is at work on it
	}
	after(serviceIn(c.Cluster, c.Service), pace)
	after(scalerOf(c.Cluster, c.Service), scalerEvery)
	for _, r := range p.Alarms {
		s := alarmOf(r.Alarm)
		if f := known[fleet.Alarm](o.facts, s); f.At.Before(o.alarmed[r.Alarm]) {
			look(s, o.alarmed[r.Alarm])
		} else {
			after(s, alarmEvery)
		}
	}
	if p.Queue != nil {
		s := plan.Subject{Kind: plan.Backlogs, ID: p.Queue.URL}
		after(s, c.scaled.Every)
		if b := known[fleet.Backlog](o.facts, s); p.Queue.Takes == 0 && b.Value.Visible+b.Value.InFlight > 0 {
			after(metricOf(p.Queue.Deleted()), deletedEvery)
		}
	}
	if p.Tracking != nil {
		after(metricOf(p.Tracking.Metric), c.scaled.Every)
	}
}

// hearAlarm takes in that the state of an alarm has changed: it is looked at at once. A message may be late, false or doubled, so nothing
// follows from what it says.
func hearAlarm(k *Kernel, h Heard, now time.Time) (ack bool, why string) {
	scope := ""
	for _, m := range k.cfg.Groups {
		for _, s := range m.Scaled {
			if !slices.ContainsFunc(s.Policy.Alarms, func(r scale.Rule) bool { return r.Alarm == h.Event.Alarm }) {
				continue
			}
			if k.cfg.mine(m.Scope()) {
				k.alarmed[h.Event.Alarm] = now
				return true, "alarm " + h.Event.Alarm + " is looked at"
			}
			scope = cmp.Or(scope, m.Scope())
		}
	}
	if scope != "" {
		return forward(k, h, scope), "noted for the Ebb that works for " + scope
	}
	k.Counts["foreign"]++
	return h.Noted || !k.cfg.LeaveForeign, "no service here is scaled by alarm " + h.Event.Alarm
}

func sawAlarms(o *observer, a answer) {
	keep(o, a, a.Result.View.Alarms, func(x fleet.Alarm) (plan.Subject, fleet.Alarm) { return alarmOf(x.Name), x })
}

func sawBacklogs(o *observer, a answer) {
	keep(o, a, a.Result.View.Backlogs, func(b fleet.Backlog) (plan.Subject, fleet.Backlog) {
		return plan.Subject{Kind: plan.Backlogs, ID: b.Queue}, b
	})
}

func scalerOf(cluster, service string) plan.Subject {
	return plan.Subject{Kind: plan.Scalers, In: cluster, ID: service}
}

func sawScalers(o *observer, a answer) {
	keep(o, a, a.Result.View.Scalers, func(s fleet.Scaler) (plan.Subject, fleet.Scaler) { return scalerOf(a.In, s.Service), s })
}

func sawMetrics(o *observer, a answer) {
	keep(o, a, a.Result.View.Datapoints, func(d fleet.Datapoint) (plan.Subject, fleet.Datapoint) {
		return plan.Subject{Kind: plan.Metrics, ID: d.Metric}, d
	})
}

// Forecast is what is decided about one service now.
type Forecast struct {
	Cluster, Service        string
	Desired, Running, Wants *int // nil: not known
	Override                string
	Missing                 []string // alarms of its policy that do not exist
	scale.Decision
}

// Preview lets a kernel decide about the services that are scaled, from the journal's open records and what look finds, and says what it would
// do. Nothing is done, and nothing is written.
func Preview(cfg Config, open []journal.Record, now func() time.Time, look func(plan.Look) plan.Done) ([]Forecast, error) {
	var counts []journal.Record
	for _, r := range open {
		if !OfDrain(r) {
			counts = append(counts, r)
		}
	}
	k, err := New(cfg, counts, nil)
	if err != nil {
		return nil, err
	}
	k.pretends = true
	for done := false; !done; {
		done = true
		for _, r := range k.Next(now()).Do {
			d := look(*r.Look)
			d.Request, done = r, false
			k.Did(d, now())
		}
	}
	var all []Forecast
	for _, key := range slices.Sorted(maps.Keys(k.counts)) {
		c := k.counts[key]
		if c.scaled == nil {
			continue
		}
		f := Forecast{Cluster: c.Cluster, Service: c.Service, Decision: c.scaling}
		if s := known[fleet.Service](k.facts, serviceIn(c.Cluster, c.Service)); s.Is == fleet.Seen {
			f.Desired, f.Running, f.Wants = new(s.Value.Desired), new(s.Value.Running), new(s.Value.Desired)
			if c.scaling.Set {
				f.Wants = new(c.scaling.To)
			}
		}
		for _, r := range c.scaled.Policy.Alarms {
			if known[fleet.Alarm](k.facts, alarmOf(r.Alarm)).Is == fleet.Absent {
				f.Missing = append(f.Missing, r.Alarm)
			}
		}
		if o, ok := k.overrides[overrideKey(c.Cluster, c.Service)]; ok {
			f.Override = o.String()
		}
		all = append(all, f)
	}
	return all, nil
}
