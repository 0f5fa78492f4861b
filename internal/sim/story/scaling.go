package story

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/kernel"
	"github.com/ebbhq/ebb/internal/scale"
	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/appautoscaling"
	"github.com/ebbhq/ebb/internal/sim/cloudwatch"
	"github.com/ebbhq/ebb/internal/sim/core"
)

// Scaled is a service that follows its load; what is left out has Ebb's own defaults.
type Scaled struct {
	Cluster      string        `yaml:"cluster"`
	Service      string        `yaml:"service"`
	Min          int           `yaml:"min,omitempty"`
	Max          int           `yaml:"max"`
	Alarms       []Rule        `yaml:"alarms,omitempty"`
	Once         bool          `yaml:"once,omitempty"`  // a step is not repeated while the state holds
	Queue        string        `yaml:"queue,omitempty"` // name
	FinishWithin time.Duration `yaml:"finish_within,omitempty"`
	Takes        time.Duration `yaml:"takes,omitempty"`
	Protected    bool          `yaml:"protected,omitempty"`
	Metric       *fleet.Metric `yaml:"metric,omitempty"`
	Target       float64       `yaml:"target,omitempty"`
	PerTask      bool          `yaml:"per_task,omitempty"`
	Every        time.Duration `yaml:"every,omitempty"` // 0: 15 s
	Observe      bool          `yaml:"observe,omitempty"`
	Window       time.Duration `yaml:"window,omitempty"`
	InCooldown   time.Duration `yaml:"in_cooldown,omitempty"`
	Windows      []Window      `yaml:"windows,omitempty"`
}

// Window is other bounds from each time that a cron expression names.
type Window struct {
	Start    string        `yaml:"start"`
	Timezone string        `yaml:"timezone"`
	For      time.Duration `yaml:"for"`
	Min      *int          `yaml:"min,omitempty"`
	Max      *int          `yaml:"max,omitempty"`
}

// Rule is what follows from the state ALARM of an alarm.
type Rule struct {
	Name   string `yaml:"name"`
	Change string `yaml:"change,omitempty"` // as the configuration has it
	Brake  bool   `yaml:"brake,omitempty"`
}

// policy is how Ebb scales it. queue finds the URL of a queue.
func (s Scaled) policy(queue func(string) string) (scale.Policy, error) {
	p := scale.Defaults()
	p.Min, p.Max, p.Observe = s.Min, s.Max, s.Observe
	if s.Protected {
		p.Window, p.InCooldown = scale.Idle, scale.Idle
	}
	p.Window, p.InCooldown = cmp.Or(s.Window, p.Window), cmp.Or(s.InCooldown, p.InCooldown)
	if s.Once {
		p.Repeat = 0
	}
	for _, w := range s.Windows {
		window, err := scale.NewWindow(w.Start, w.Timezone, w.For, w.Min, w.Max)
		if err != nil {
			return p, err
		}
		p.Windows = append(p.Windows, window)
	}
	for _, r := range s.Alarms {
		rule := scale.Rule{Alarm: r.Name, Brake: r.Brake}
		if r.Change != "" {
			c, err := scale.ParseChange(r.Change)
			if err != nil {
				return p, err
			}
			rule.Change = c
		}
		p.Alarms = append(p.Alarms, rule)
	}
	if s.Queue != "" {
		p.Queue = &scale.Queue{URL: queue(s.Queue), FinishWithin: s.FinishWithin, Takes: s.Takes, Protected: s.Protected}
	}
	if s.Metric != nil {
		p.Tracking = &scale.Tracking{Metric: *s.Metric, Target: s.Target, PerTask: s.PerTask}
	}
	return p, nil
}

// scaled are the services that the story's Ebb scales, in a cluster each.
func scaledIn(r *run, groups []kernel.Managed) []kernel.Managed {
	for _, s := range r.s.Ebb.Scaling {
		p, err := s.policy(func(name string) string {
			q, err := r.w.Queue(name)
			must(err)
			return q.URL
		})
		must(err) // check has read it
		i := slices.IndexFunc(groups, func(m kernel.Managed) bool { return m.Match == "" && m.Cluster == s.Cluster })
		if i < 0 {
			i, groups = len(groups), append(groups, kernel.Managed{Cluster: s.Cluster, OnlyScaled: true, Policy: drain.Policy{}})
		}
		groups[i].Scaled = append(groups[i].Scaled, kernel.Scaled{Service: s.Service, Policy: p, Every: cmp.Or(s.Every, 15*time.Second)})
	}
	return groups
}

// setAlarm sets the state of an alarm, as SetAlarmState does.
func setAlarm(r *run, s Step) error {
	return r.w.SetAlarmState(s.Alarm, cmp.Or(s.Result, fleet.Alarming), "the story says so", "")
}

// putMetric publishes a value of a metric.
func putMetric(r *run, s Step) error {
	if s.Metric == nil {
		return fmt.Errorf("the step has no metric")
	}
	for _, c := range r.s.Ebb.Scaling {
		if c.Metric != nil && c.Metric.Name == s.Metric.Name {
			r.w.Log(core.Entry{Kind: core.EntryController, To: "metric", Cluster: c.Cluster, Service: c.Service, Text: strconv.Itoa(int(s.Value))})
		}
	}
	return r.w.PutMetric(cloudwatch.Datum{Metric: cloudwatch.Metric{Namespace: s.Metric.Namespace, Name: s.Metric.Name, Dimensions: s.Metric.Dimensions},
		Values: []float64{s.Value}, Fine: true})
}

// inFlight writes into the record how many messages of the queues that services follow are in flight, when Ebb has looked.
func inFlight(r *run) {
	for _, c := range r.s.Ebb.Scaling {
		if c.Queue != "" {
			_, hidden := r.w.QueueCounts(c.Queue)
			r.w.Log(core.Entry{Kind: core.EntryController, To: "backlog", Cluster: c.Cluster, Service: c.Service, Text: strconv.Itoa(hidden)})
		}
	}
}

// overrideBounds gives a service other bounds for a while, as ebb scale does; without a duration it ends them.
func overrideBounds(r *run, s Step) error {
	o := kernel.Override{Cluster: s.Cluster, Service: s.Service, By: "operator@story", Message: s.Body, Since: r.w.Now(), Until: r.w.Now().Add(s.For)}
	o.Min, o.Max, o.Hold = s.Min, s.Max, s.Result == "hold"
	key := s.Cluster + "/" + s.Service
	for i, w := range r.overrides {
		if w.On == key && w.Until.After(r.w.Now()) {
			r.overrides[i].Until = r.w.Now()
		}
	}
	if s.For > 0 {
		r.overrides = append(r.overrides, Overriding{key, o})
	}
	r.cover["override"]++
	return r.write(func(open []journal.Record) journal.Batch {
		if s.For > 0 {
			return o.Begin(open)
		}
		b, _, _ := kernel.EndOverride(open, s.Cluster, s.Service, o.By, r.w.Now())
		return b
	})
}

// Overriding is what an operator has said about the bounds of a service.
type Overriding struct {
	On string // CLUSTER/SERVICE
	kernel.Override
}

// leftAlone is a story's Ebb as the judge sees it: what Application Auto Scaling has, or a tag excludes, it only observes.
func leftAlone(s Scenario) Ebb {
	e := s.Ebb
	e.Scaling = slices.Clone(e.Scaling)
	for i, c := range e.Scaling {
		if slices.ContainsFunc(s.World.Scaling, func(t appautoscaling.Spec) bool { return t.Cluster == c.Cluster && t.Service == c.Service }) {
			e.Scaling[i].Observe = true
		}
		if slices.ContainsFunc(s.World.Services, func(v sim.ServiceSpec) bool { return v.Name == c.Service && v.Tags[fleet.ExcludeTag] == "true" }) {
			e.Scaling[i].Observe = true
		}
	}
	return e
}

// scaledBy is the entry of the configuration for a service, if Ebb scales it.
func (e Ebb) scaledBy(cluster, service string) (Scaled, bool) {
	i := slices.IndexFunc(e.Scaling, func(s Scaled) bool { return s.Cluster == cluster && s.Service == service })
	if i < 0 {
		return Scaled{}, false
	}
	s := e.Scaling[i]
	s.Observe = s.Observe || slices.ContainsFunc(e.Clusters, func(c Cluster) bool { return c.Name == cluster && c.Mode == "observe" })
	return s, true
}

// alarmPast is what the record says of an alarm: its states, each from a time on.
type alarmPast struct{ states []stateFrom }

type stateFrom struct {
	at    time.Time
	state string
}

// was reports whether the alarm was in a state at some moment of a time.
func (a *alarmPast) was(state string, from, to time.Time) bool {
	for i, s := range a.states {
		if s.state == state && !s.at.After(to) && (i+1 == len(a.states) || !a.states[i+1].at.Before(from)) {
			return true
		}
	}
	return false
}

// always reports whether it was in a state for the whole of a time.
func (a *alarmPast) always(state string, from, to time.Time) bool {
	for i, s := range a.states {
		end := to
		if i+1 < len(a.states) {
			end = a.states[i+1].at
		}
		if s.state == state && !s.at.After(from) && !end.Before(to) {
			return true
		}
	}
	return false
}

// since is since when the alarm was in its state at a time.
func (a *alarmPast) since(at time.Time) (from time.Time) {
	for _, s := range a.states {
		if !s.at.After(at) {
			from = s.at
		}
	}
	return from
}

// alarmed takes in a change of an alarm.
func alarmed(p *past, e core.Entry) {
	if p.alarms[e.Alarm] == nil {
		p.alarms[e.Alarm] = &alarmPast{}
	}
	p.alarms[e.Alarm].states = append(p.alarms[e.Alarm].states, stateFrom{e.At, e.To})
}

// blindScale is how old what Ebb knows of an alarm may be when a count is set by it.
const blindScale = 60 * time.Second

// scaledCount is invariant 9, at the moment Ebb sets the count of a service that it scales.
func scaledCount(p *past, c *countPast, s Scaled, was, to int) {
	name := s.Cluster + "/" + s.Service
	lag := blindScale + p.handOver()
	lo, hi, held := boundsOf(p, s, name, lag)
	surelyLo, surelyHi := p.windowed(s, p.now.Add(-lag), p.now, false)
	switch {
	case s.Observe:
		p.blame(9, "Ebb set the desired count of %s to %d, and is only to observe it", name, to)
	case held:
		p.blame(9, "Ebb set the desired count of %s to %d, and its scaling was paused", name, to)
	case to < lo || to > hi:
		p.blame(9, "Ebb set the desired count of %s to %d, which is not from %d to %d", name, to, lo, hi)
	}
	if to == was || was < surelyLo || was > surelyHi || len(overridesOf(p, name)) > 0 || c.foreignWithin(p.now, 15*time.Minute) {
		return
	}
	byLoad(p, c, s, name, was, to)
	if len(s.Alarms) == 0 {
		return
	}
	var asked bool
	for _, r := range s.Alarms {
		a, change := p.alarms[r.Name], must2(scale.ParseChange(cmp.Or(r.Change, "+1")))
		if a == nil || r.Brake {
			asked = asked || a != nil && to < was && a.was(fleet.Alarming, p.now.Add(-lag), p.now)
			continue
		}
		grows := change.By > 0
		asked = asked || grows == (to > was) && a.was(fleet.Alarming, p.now.Add(-lag), p.now)
		if grows && to < was && (a.always(fleet.Alarming, p.now.Add(-lag), p.now) || a.always("INSUFFICIENT_DATA", p.now.Add(-lag), p.now)) {
			p.blame(9, "Ebb lowered %s from %d to %d while alarm %s asked for more, or had no data", name, was, to, r.Name)
		}
		if grows && to > was {
			oneStep(p, c, s, r, change, was, to)
		}
	}
	if !asked {
		p.blame(9, "Ebb set the desired count of %s from %d to %d, and no alarm asked for it", name, was, to)
	}
}

// oneStep counts the steps that Ebb takes for one state of an alarm: one, and one more for each repeat.
func oneStep(p *past, c *countPast, s Scaled, r Rule, change scale.Change, was, to int) {
	a := p.alarms[r.Name]
	if !a.was(fleet.Alarming, p.now.Add(-time.Second), p.now) {
		return
	}
	since := a.since(p.now)
	if c.stepsSince != since {
		c.stepsSince, c.steps = since, 0
	}
	c.steps += float64(to-was) / float64(max(1, change.By))
	most := 1.0
	if !s.Once {
		most += float64(p.now.Sub(since)/time.Minute) + 1
	}
	if c.steps > most+0.001 && !change.Percent && !change.Exact {
		p.blame(9, "Ebb took %s steps on %s/%s, %s after alarm %s changed: more than %.0f", strconv.FormatFloat(c.steps, 'g', 3, 64), s.Cluster, s.Service,
			p.now.Sub(since).Round(time.Second), r.Name, most)
	}
}

func overridesOf(p *past, name string) (all []kernel.Override) {
	for _, o := range p.Overrides {
		if o.On == name {
			all = append(all, o.Override)
		}
	}
	return all
}

func (c *countPast) foreignWithin(now time.Time, within time.Duration) bool {
	return !c.foreign.IsZero() && now.Sub(c.foreign) < within
}

// scales is the other half of invariant 9, at the end: a service grows while its alarm asks for it, and is within its bounds.
func scales(p *past) {
	for _, s := range p.Ebb.Scaling {
		s, _ = p.Ebb.scaledBy(s.Cluster, s.Service)
		name := s.Cluster + "/" + s.Service
		c := p.counts[name]
		calm := p.calm()
		if c == nil || c.count == 0 && c.at.IsZero() || s.Observe || !p.Running || p.countAside {
			continue
		}
		calm = latest(calm, c.at)
		for _, o := range overridesOf(p, name) {
			calm = latest(calm, earliest(o.Until, p.End))
		}
		patience := 5*time.Minute + 2*p.handOver()
		if p.End.Sub(calm) < patience {
			continue
		}
		lo, hi := p.windowed(s, p.End.Add(-patience), p.End, true)
		if c.count < lo || c.count > hi {
			p.blame(9, "the desired count of %s is %d at the end, which is not from %d to %d", name, c.count, lo, hi)
		}
		_, hi = p.windowed(s, p.End.Add(-patience), p.End, false)
		braked := slices.ContainsFunc(s.Alarms, func(r Rule) bool { return r.Brake })
		for _, r := range s.Alarms {
			a := p.alarms[r.Name]
			if a == nil || r.Brake || braked || !must2(scale.ParseChange(r.Change)).Grows() {
				continue
			}
			since := a.since(p.End)
			if a.always(fleet.Alarming, since, p.End) && p.End.Sub(latest(since, calm)) > patience && c.count < hi && c.own.Before(since) && !c.blind {
				p.blame(9, "alarm %s has asked for more of %s for %s, and Ebb has not raised its count of %d", r.Name, name,
					p.End.Sub(since).Round(time.Second), c.count)
			}
		}
	}
}

func must2[T any](v T, err error) T {
	must(err)
	return v
}
