package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/ebbhq/ebb/internal/scale"
)

// Scaling says how the desired count of one ECS service follows its load.
type Scaling struct {
	Cluster, Service string // no other entry has both
	Policy           scale.Policy
	Every            time.Duration // how often its queue or metric is read
	of               string        // the service as it is written
	mode             string
	queue            scale.Queue
	tracking         scale.Tracking
}

// rule is one entry of alarms, and window one of windows, as they are written.
type rule struct{ name, change, brake string }
type window struct {
	start, zone string
	lasts       time.Duration
	lo, hi      *int
}

// scalingSettings are the keys of one entry of scaling, for s.
func scalingSettings(s *Scaling) []setting {
	p, q, t := &s.Policy, &s.queue, &s.tracking
	*p = scale.Defaults()
	p.Min, p.Max = -1, -1
	return []setting{
		{"service", nil, "", text(&s.of, like(`[A-Za-z0-9_-]{1,255}/[A-Za-z0-9_-]{1,255}`, "write CLUSTER/SERVICE, like prod/web"))},
		{"min", nil, "", whole(&p.Min, "tasks, like 2")},
		{"max", nil, "", whole(&p.Max, "tasks, like 20")},
		{"mode", nil, Scale, text(&s.mode, oneOf(Scale, Observe))},
		{"out_cooldown", nil, "1m", duration(&p.OutCooldown, 0)},
		{"in_cooldown", nil, "5m", duration(&p.InCooldown, 0)},
		{"repeat", nil, "1m", orOff(&p.Repeat, duration(&p.Repeat, 10*time.Second))},
		{"window", nil, "5m", duration(&p.Window, 0)},
		{"every", nil, "15s", duration(&s.Every, 10*time.Second)},
		{"queue", nil, "", text(&q.URL, checkQueue)},
		{"finish_within", nil, "", duration(&q.FinishWithin, time.Second)},
		{"takes", nil, "", duration(&q.Takes, time.Millisecond)},
		{"protected", nil, "false", yesOrNo(&q.Protected)},
		{"fallback", nil, "", func(key, s string) error { q.Fallback = new(int); return whole(q.Fallback, "tasks, like 4")(key, s) }},
		{"namespace", nil, "", text(&t.Metric.Namespace, like(`[\x21-\x7e]{1,255}`, "write the namespace of the metric, like MyApp"))},
		{"metric", nil, "", text(&t.Metric.Name, like(`[\x20-\x7e]{1,255}`, "write the name of a CloudWatch metric"))},
		{"dimensions", nil, "", func(key, s string) (err error) { t.Metric.Dimensions, err = dimensions(key, s); return err }},
		{"stat", nil, "Average", text(&t.Metric.Stat, like(`[A-Za-z][A-Za-z0-9.():%]{0,30}`, "write a statistic of CloudWatch, like Average, Sum or p99"))},
		{"period", nil, "1m", duration(&t.Metric.Period, 10*time.Second)},
		{"target", nil, "", positive(&t.Target)},
		{"per_task", nil, "false", yesOrNo(&t.PerTask)},
	}
}

// Scale is the mode of a service whose desired count is set.
const Scale = "scale"

func (d *document) readScaling(node *yaml.Node) {
	how := `scaling must be a list; write each service on a line of its own, like "- {service: prod/web, min: 2, max: 20}", with its alarms below`
	entries(d, node, "a scaled service", how, scalingSettings, func(entry *yaml.Node, s Scaling, values map[string]value, good bool) {
		s.Policy.Alarms, s.Policy.Windows, d.rules, d.windows = d.rules, d.windows, nil, nil
		if !good {
			return
		}
		s.Cluster, s.Service, _ = strings.Cut(s.of, "/")
		s.Policy.Observe = s.mode == Observe
		if s.queue.URL != "" {
			s.Policy.Queue = &s.queue
		}
		for key, to := range map[string]*time.Duration{"window": &s.Policy.Window, "in_cooldown": &s.Policy.InCooldown} {
			if _, set := values[key]; !set && s.queue.Protected {
				*to = scale.Idle
			}
		}
		if s.tracking.Metric.Name != "" {
			s.Policy.Tracking = &s.tracking
		}
		twice := slices.ContainsFunc(d.scaling, func(o Scaling) bool { return o.of == s.of })
		if why := s.wrong(values); why != "" {
			d.problem(entry, "%s", why)
		} else if twice {
			d.problem(entry, "service %s stands under scaling twice; remove one of the two", s.of)
		}
		d.scaling = append(d.scaling, s)
	})
}

// wrong is what is wrong with the entry as a whole; empty: nothing is.
func (s *Scaling) wrong(values map[string]value) string {
	p := &s.Policy
	for _, key := range []string{"finish_within", "takes", "protected", "fallback"} {
		if _, set := values[key]; set && p.Queue == nil {
			return fmt.Sprintf("%s is for a service that follows a queue; write queue: with its URL, or remove %s", key, key)
		}
	}
	for _, key := range []string{"namespace", "dimensions", "stat", "period", "target", "per_task"} {
		if _, set := values[key]; set && p.Tracking == nil {
			return fmt.Sprintf("%s is for a service that follows a metric; write metric: with its name, or remove %s", key, key)
		}
	}
	switch period := s.tracking.Metric.Period; {
	case s.of == "":
		return "the entry has no service; write service: CLUSTER/SERVICE, like service: prod/web"
	case p.Min < 0 || p.Max < 0:
		return "the entry has no min or no max; write how many tasks the service has at least and at most, like min: 2 and max: 20"
	case p.Min > p.Max:
		return fmt.Sprintf("min is %d, which is above max, %d; write a min that is not higher", p.Min, p.Max)
	case len(p.Alarms) == 0 && p.Queue == nil && p.Tracking == nil:
		return "nothing says when the service is to have more tasks or fewer; write alarms:, queue: or metric:"
	case p.Queue != nil && p.Tracking != nil:
		return "the service has a queue and a metric; write one of the two, and alarms beside it if needed"
	case p.Queue != nil && p.Queue.FinishWithin == 0:
		return "the queue has no finish_within; write within which time a message is to be begun, like finish_within: 5m"
	case p.Tracking != nil && (s.tracking.Metric.Namespace == "" || p.Tracking.Target <= 0):
		return "the metric has no namespace or no target; write both, like namespace: MyApp and target: 100"
	case p.Tracking != nil && period != 10*time.Second && period != 20*time.Second && period != 30*time.Second && period%time.Minute != 0:
		return fmt.Sprintf("period is %s; CloudWatch has periods of 10s, 20s, 30s and whole minutes", period)
	}
	return ""
}

func (d *document) readRules(node *yaml.Node) {
	how := `alarms must be a list; write each alarm on a line of its own, like "- {name: web-cpu-high, change: +1}"`
	settings := func(r *rule) []setting {
		return []setting{
			{"name", nil, "", text(&r.name, like(`[^\x00-\x1f]{1,255}`, "write the name of a CloudWatch alarm, not its ARN"))},
			{"change", nil, "", text(&r.change, func(_, s string) error { _, _, err := changes(s); return err })},
			{"brake", nil, "false", text(&r.brake, oneOf("true", "false"))},
		}
	}
	entries(d, node, "an alarm", how, settings, func(entry *yaml.Node, r rule, _ map[string]value, good bool) {
		if !good {
			return
		}
		is := scale.Rule{Alarm: r.name, Brake: r.brake == "true"}
		if r.change != "" {
			is.Change, is.Bands, _ = changes(r.change)
		}
		switch twice := slices.ContainsFunc(d.rules, func(o scale.Rule) bool { return o.Alarm == r.name }); {
		case r.name == "":
			d.problem(entry, "the alarm has no name; write name: with the name of a CloudWatch alarm")
		case strings.HasPrefix(r.name, "arn:"):
			d.problem(entry, "%q is an ARN; write the alarm's name", r.name)
		case r.change == "" && !is.Brake:
			d.problem(entry, "the alarm has no change; write what follows when it is in ALARM, like change: +1, or brake: true")
		case is.Brake && (is.Change.Exact || is.Change.By > 0 || is.Bands != nil):
			d.problem(entry, "a brake takes tasks away or forbids the service to grow; write a change like -1, or none")
		case twice:
			d.problem(entry, "alarm %q stands in the list twice; remove one of the two", r.name)
		}
		d.rules = append(d.rules, is)
	})
}

// changes reads a change, or one for each size of the breach: "+1, 20: +50%".
func changes(s string) (one scale.Change, bands []scale.Band, err error) {
	for i, part := range strings.Split(s, ",") {
		at, change, banded := strings.Cut(part, ":")
		var b scale.Band
		if !banded {
			at, change = "0", part
		}
		if b.From, err = strconv.ParseFloat(strings.TrimSpace(at), 64); err != nil || !(b.From >= 0 && b.From <= 1e15) || i > 0 && b.From <= bands[i-1].From {
			return one, nil, fmt.Errorf("change is %q; write one like +1, or sizes of the breach that rise, like +1, 20: +50%%", s)
		}
		if b.Change, err = scale.ParseChange(strings.TrimSpace(change)); err != nil {
			return one, nil, fmt.Errorf("change is %q: %w", s, err)
		}
		bands = append(bands, b)
	}
	if len(bands) == 1 && bands[0].From == 0 {
		return bands[0].Change, nil, nil
	}
	return one, bands, nil
}

func (d *document) readWindows(node *yaml.Node) {
	how := `windows must be a list; write each on a line of its own, like "- {start: 0 19 * * 1-5, timezone: Europe/Berlin, for: 13h, min: 0, max: 0}"`
	settings := func(w *window) []setting {
		bound := func(to **int) func(key, s string) error {
			return func(key, s string) error { *to = new(int); return whole(*to, "tasks, like 2")(key, s) }
		}
		return []setting{
			{"start", nil, "", text(&w.start, func(string, string) error { return nil })},
			{"timezone", nil, "", text(&w.zone, func(string, string) error { return nil })},
			{"for", nil, "", durationUpTo(&w.lasts, time.Minute, scale.LongestWindow)},
			{"min", nil, "", bound(&w.lo)},
			{"max", nil, "", bound(&w.hi)},
		}
	}
	entries(d, node, "a window", how, settings, func(entry *yaml.Node, w window, _ map[string]value, good bool) {
		if !good {
			return
		}
		is, err := scale.NewWindow(w.start, w.zone, w.lasts, w.lo, w.hi)
		switch {
		case err != nil:
			d.problem(entry, "%v", err)
		case w.lo == nil && w.hi == nil:
			d.problem(entry, "the window has neither min nor max; write at least one")
		case w.lo != nil && w.hi != nil && *w.lo > *w.hi:
			d.problem(entry, "min is %d, which is above max, %d; write a min that is not higher", *w.lo, *w.hi)
		}
		d.windows = append(d.windows, is)
	})
}

// whole stores a number that is not negative.
func whole(to *int, what string) func(key, value string) error {
	return func(key, s string) error {
		n, err := strconv.Atoi(s)
		if err != nil || n < 0 || n > 100_000 {
			return fmt.Errorf("%s is %q; write a number of %s", key, s, what)
		}
		*to = n
		return nil
	}
}

func positive(to *float64) func(key, value string) error {
	return func(key, s string) error {
		v, err := strconv.ParseFloat(s, 64)
		if err != nil || !(v > 0 && v < 1e15) {
			return fmt.Errorf("%s is %q; write a number above 0, like 100", key, s)
		}
		*to = v
		return nil
	}
}

// orOff takes off for a duration of 0.
func orOff(to *time.Duration, set func(key, value string) error) func(key, value string) error {
	return func(key, s string) error {
		if s == "off" {
			*to = 0
			return nil
		}
		return set(key, s)
	}
}

// dimensions reads Name=value, Name=value.
func dimensions(key, s string) (map[string]string, error) {
	all := map[string]string{}
	for part := range strings.SplitSeq(s, ",") {
		name, v, ok := strings.Cut(strings.TrimSpace(part), "=")
		if !ok || name == "" || v == "" || all[name] != "" || len(all) == 30 {
			return nil, fmt.Errorf("%s is %q; write Name=value, with commas between several", key, s)
		}
		all[name] = v
	}
	return all, nil
}
