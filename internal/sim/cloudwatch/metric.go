package cloudwatch

import (
	"maps"
	"math"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// Metric is what CloudWatch knows a metric by.
type Metric struct {
	Namespace, Name string
	Dimensions      map[string]string
}

func (m Metric) key() string {
	parts := []string{m.Namespace, m.Name}
	for _, name := range slices.Sorted(maps.Keys(m.Dimensions)) {
		parts = append(parts, name, m.Dimensions[name])
	}
	return strings.Join(parts, "\x00")
}

// Datum is what was measured of a metric at one time.
type Datum struct {
	Metric Metric
	At     time.Time // zero: now
	Values []float64
	Counts []float64 // how often each value was measured; none: once each
	Set    *Set      // instead of values
	Fine   bool      // stored by the second; else by the minute
}

// Set is what CloudWatch keeps of many values.
type Set struct{ Count, Sum, Min, Max float64 }

// series is a metric's data.
type series struct {
	Metric
	points []point // by time
}

// point is the data of one second or one minute.
type point struct {
	at     time.Time
	set    Set
	values []weighed // what of it is known value by value, for percentiles
}

type weighed struct{ value, count float64 }

// PutMetric takes data in. They show at once, or as late as the switch MetricLate says.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html
func (w *CloudWatch) PutMetric(d Datum) error {
	if d.At.IsZero() {
		d.At = w.Now()
	}
	if d.Metric.Name == "" || d.Metric.Namespace == "" {
		return core.Refuse("MissingRequiredParameterException", "The parameter MetricData.member.1.MetricName and Namespace are required.")
	}
	if age := w.Now().Sub(d.At); age > tooOld || age < -tooNew {
		return invalid("The parameter MetricData.member.1.Timestamp must specify a time within the past two weeks, and at most two hours in the future.")
	}
	p, err := d.point()
	if err != nil {
		return err
	}
	if w.MetricLate > 0 {
		w.After(w.MetricLate, func() { w.add(d.Metric, p) })
		return nil
	}
	w.add(d.Metric, p)
	return nil
}

func invalid(message string) error {
	return core.Refuse("InvalidParameterValueException", "%s", message)
}

// point is the data as they are stored.
func (d Datum) point() (point, error) {
	resolution := time.Minute
	if d.Fine {
		resolution = time.Second
	}
	p := point{at: d.At.UTC().Truncate(resolution)}
	switch {
	case d.Set != nil && len(d.Values) > 0:
		return point{}, core.Refuse("InvalidParameterCombinationException",
			"The parameters MetricData.member.1.Value and MetricData.member.1.StatisticValues are mutually exclusive and you have specified both.")
	case d.Set == nil && len(d.Values) == 0:
		return point{}, core.Refuse("MissingRequiredParameterException", "At least one of the parameters must be specified: Value, Values, StatisticValues.")
	case len(d.Counts) > 0 && len(d.Counts) != len(d.Values):
		return point{}, invalid("The parameters MetricData.member.1.Values and MetricData.member.1.Counts must be of the same size.")
	case d.Set != nil:
		p.set = *d.Set
		if !finite(p.set.Count, p.set.Sum, p.set.Min, p.set.Max) || p.set.Count <= 0 || p.set.Min > p.set.Max {
			return point{}, invalid("The value of the parameter MetricData.member.1.StatisticValues is invalid.")
		}
	}
	for i, v := range d.Values {
		count := 1.0
		if len(d.Counts) > 0 {
			count = d.Counts[i]
		}
		if !finite(v, count) || count <= 0 {
			return point{}, invalid("The value " + number(v).String() + " for parameter MetricData.member.1.Value is invalid.")
		}
		p.set.add(Set{count, v * count, v, v})
		p.values = append(p.values, weighed{v, count})
	}
	return p, nil
}

// finite reports whether CloudWatch takes the values: from -2^360 to 2^360, and numbers at all.
func finite(values ...float64) bool {
	return !slices.ContainsFunc(values, func(v float64) bool { return math.IsNaN(v) || math.Abs(v) > math.Ldexp(1, 360) })
}

func (w *CloudWatch) add(m Metric, p point) {
	s := w.series[m.key()]
	if s == nil {
		s = &series{Metric: m}
		w.series[m.key()] = s
	}
	i := s.from(p.at)
	if i < len(s.points) && s.points[i].at.Equal(p.at) {
		s.points[i].set.add(p.set)
		s.points[i].values = append(s.points[i].values, p.values...)
		return
	}
	s.points = slices.Insert(s.points, i, p)
}

// from is the index of the first point at or after a time.
func (s *series) from(t time.Time) int {
	return sort.Search(len(s.points), func(i int) bool { return !s.points[i].at.Before(t) })
}

func (s *Set) add(t Set) {
	if s.Count == 0 {
		*s = t
		return
	}
	*s = Set{s.Count + t.Count, s.Sum + t.Sum, min(s.Min, t.Min), max(s.Max, t.Max)}
}

// Statistic is a statistic of a metric over the time from a time on; false if there are no data.
func (w *CloudWatch) Statistic(m Metric, stat string, from time.Time, period time.Duration) (float64, bool) {
	return w.series[m.key()].statistic(stat, from, period)
}

func (s *series) statistic(stat string, from time.Time, period time.Duration) (float64, bool) {
	if s == nil {
		return 0, false
	}
	var all Set
	var values []weighed
	for _, p := range s.points[s.from(from):s.from(from.Add(period))] {
		all.add(p.set)
		values = append(values, p.values...)
	}
	if all.Count == 0 {
		return 0, false
	}
	switch stat {
	case "Average":
		return all.Sum / all.Count, true
	case "Sum":
		return all.Sum, true
	case "SampleCount":
		return all.Count, true
	case "Minimum":
		return all.Min, true
	case "Maximum":
		return all.Max, true
	}
	rank, _ := percentile(stat)
	return at(values, rank)
}

// percentile reads p99 or p99.9.
func percentile(stat string) (float64, bool) {
	text, ok := strings.CutPrefix(stat, "p")
	rank, err := strconv.ParseFloat(text, 64)
	return rank, ok && err == nil && rank >= 0 && rank <= 100
}

// knownStat reports whether the simulated cloud has a statistic.
func knownStat(stat string) bool {
	_, is := percentile(stat)
	return is || slices.Contains([]string{"Average", "Sum", "SampleCount", "Minimum", "Maximum"}, stat)
}

// at is the value below which so many percent of the values are.
func at(values []weighed, rank float64) (float64, bool) {
	if len(values) == 0 { // they were put as sets
		return 0, false
	}
	slices.SortFunc(values, func(a, b weighed) int {
		switch {
		case a.value < b.value:
			return -1
		case a.value > b.value:
			return 1
		}
		return 0
	})
	total := 0.0
	for _, v := range values {
		total += v.count
	}
	for _, v := range values {
		if rank -= 100 * v.count / total; rank <= 0 {
			return v.value, true
		}
	}
	return values[len(values)-1].value, true
}
