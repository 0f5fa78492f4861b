package cloudwatch

import (
	"hash/fnv"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// extra is how many periods more than its evaluation periods CloudWatch looks at, as in the examples of its guide: it takes real data that
// are older rather than to fill in what is missing.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
const extra = 2

// watched checks what an alarm is to watch.
func (w *CloudWatch) watched(in cloudwatch.PutMetricAlarmInput) (*queries, error) {
	m := core.Deref(in.DatapointsToAlarm)
	switch {
	case in.EvaluationCriteria != nil, in.ThresholdMetricId != nil, in.EvaluationWindow != nil:
		return nil, refuse("The simulated cloud has no alarms on PromQL or on anomaly detection, and no wall clock windows.")
	case (in.MetricName == nil) == (len(in.Metrics) == 0):
		return nil, refuse("MetricName and Metrics are mutually exclusive, and one of them must be there.")
	case in.Threshold == nil || !finite(*in.Threshold):
		return nil, refuse("The parameter Threshold must be a number.")
	case core.Deref(in.EvaluationPeriods) < 1 || in.DatapointsToAlarm != nil && (m < 1 || m > *in.EvaluationPeriods):
		return nil, refuse("EvaluationPeriods must be at least 1, and DatapointsToAlarm from 1 to EvaluationPeriods.")
	case crosses(in.ComparisonOperator) == nil:
		return nil, refuse("1 validation error detected: Value '%s' at 'comparisonOperator' failed to satisfy constraint: Member must satisfy enum value set",
			in.ComparisonOperator)
	case !slices.Contains([]string{"", "breaching", "notBreaching", "ignore", "missing"}, core.Deref(in.TreatMissingData)):
		return nil, refuse("Option %s is not supported for parameter TreatMissingData", *in.TreatMissingData)
	}
	ask := in.Metrics
	if in.MetricName != nil {
		stat := string(in.Statistic)
		if in.ExtendedStatistic != nil {
			stat = *in.ExtendedStatistic
		}
		ask = []types.MetricDataQuery{{Id: new("m1"), MetricStat: &types.MetricStat{Period: in.Period, Stat: &stat,
			Metric: &types.Metric{Namespace: in.Namespace, MetricName: in.MetricName, Dimensions: in.Dimensions}}}}
	}
	q, err := w.read(ask)
	if err != nil {
		return nil, err
	}
	ids := q.returned()
	if len(ids) != 1 {
		return nil, refuse("Exactly one element of the metrics list should return data.")
	}
	period := q.all[ids[0]].period
	span := period * time.Duration(*in.EvaluationPeriods)
	if period < 10*time.Second || span > 7*24*time.Hour || period < time.Hour && span > 24*time.Hour {
		return nil, refuse("Metrics cannot be checked across more than a day (EvaluationPeriods * Period must be <= 86400), or every %v.", period)
	}
	return q, nil
}

// crosses is how values are compared with the threshold, or nil.
func crosses(op types.ComparisonOperator) func(value, threshold float64) bool {
	return map[types.ComparisonOperator]func(value, threshold float64) bool{
		types.ComparisonOperatorGreaterThanThreshold:          func(v, t float64) bool { return v > t },
		types.ComparisonOperatorGreaterThanOrEqualToThreshold: func(v, t float64) bool { return v >= t },
		types.ComparisonOperatorLessThanThreshold:             func(v, t float64) bool { return v < t },
		types.ComparisonOperatorLessThanOrEqualToThreshold:    func(v, t float64) bool { return v <= t },
	}[op]
}

// watched is the id and the period of what an alarm watches.
func (a *Alarm) watched() (string, time.Duration) {
	id := a.queries.returned()[0]
	return id, a.queries.all[id].period
}

// watch evaluates an alarm from now on: each minute, or every ten seconds if its period is shorter than a minute. At which second an alarm
// is evaluated is its own.
func (w *CloudWatch) watch(a *Alarm) {
	w.others.Sources.Begin()
	every := time.Minute
	if _, period := a.watched(); period < time.Minute {
		every = 10 * time.Second
	}
	hash := fnv.New32a()
	hash.Write([]byte(a.ARN)) // a hash takes everything
	offset := time.Duration(hash.Sum32()%uint32(every/time.Second)) * time.Second
	put := a.put
	var turn func()
	turn = func() {
		if a.put != put || w.FindAlarm(a.Name) != a {
			return
		}
		w.evaluate(a)
		w.After(every, turn)
	}
	next := w.Now().Truncate(every).Add(offset)
	if !next.After(w.Now()) {
		next = next.Add(every)
	}
	w.At(next, turn)
}

// sample is what an alarm finds in one period.
type sample struct {
	at    time.Time
	value float64
	known bool
}

// evaluate looks at the data of an alarm and changes its state, and lets scaling policies act for as long as the state lasts.
func (w *CloudWatch) evaluate(a *Alarm) {
	id, period := a.watched()
	end := w.Now().Truncate(min(period, time.Minute))
	n := int(*a.Metric.EvaluationPeriods)
	var samples []sample // the newest first
	for i := range n + extra {
		s := sample{at: end.Add(-time.Duration(i+1) * period)}
		s.value, s.known = a.queries.value(id, s.at)
		samples = append(samples, s)
	}
	next := a.judge(samples, n, int(*a.Metric.DatapointsToAlarm))
	if next.State == "" || next.State == a.Now.State {
		w.repeat(a, next.value)
		return
	}
	next.Data = a.reasonData(w.Now(), period, samples[:n])
	w.change(a, next)
}

// judge says what state the samples mean; no state is that the alarm keeps its own.
//
// Real data of the whole range come first. If there are fewer than n, what is missing is treated as the alarm says. Missing data that are
// treated as missing do not keep an alarm from going off: it does if all that there is breaches, and began to at least m periods ago.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
func (a *Alarm) judge(samples []sample, n, m int) Condition {
	cross := crosses(a.Metric.ComparisonOperator)
	var breaching, fine []sample
	oldest := 0 // how many periods ago the oldest breach began
	for i, s := range samples {
		switch {
		case len(breaching)+len(fine) == n || !s.known:
		case cross(s.value, *a.Metric.Threshold):
			breaching, oldest = append(breaching, s), i+1
		default:
			fine = append(fine, s)
		}
	}
	filled := n - len(breaching) - len(fine)
	treat := core.Deref(a.Metric.TreatMissingData)
	over := len(breaching)
	if treat == "breaching" {
		over += filled
	}
	onlyBreaches := len(fine) == 0 && filled > 0
	switch {
	case over >= m:
		return a.crossed(InAlarm, breaching, filled)
	case treat == "notBreaching" || !onlyBreaches:
		return a.crossed(OK, fine, filled)
	case treat == "ignore":
		return Condition{}
	case len(breaching) == 0:
		return Condition{State: Insufficient, Reason: insufficient(n)}
	case oldest >= m:
		return a.crossed(InAlarm, breaching, filled)
	}
	return a.crossed(OK, nil, filled)
}

// change brings an alarm into a state, tells about it, and lets those alarms follow that look at it.
func (w *CloudWatch) change(a *Alarm, next Condition) {
	if next.State == a.Now.State {
		return
	}
	next.At = w.Now()
	a.Before, a.Now = a.Now, next
	a.trail.Mark(w.Now(), next.State, next.Reason)
	about := core.Entry{Alarm: a.Name, Kind: core.EntryAlarm, From: a.Before.State, To: next.State, Text: next.Reason}
	w.Log(about)
	a.Now.by = w.suppressed(a)
	mute := w.muting(a)
	w.emit(a, mute)
	a.muted = mute != nil
	switch {
	case a.muted:
		w.resumeAfter(a, mute)
	case a.Now.by == "":
		w.act(a)
	case a.Now.by == byWait:
		wait, _ := a.suppression()
		w.After(wait, func() { w.resume(a) })
	}
	w.suppresses(a)
	for _, c := range w.alarms {
		if c.Composite != nil {
			w.follow(c, trigger{a.ARN, next})
		}
	}
}

// repeat invokes scaling policies again, once a minute, while a state lasts. No other action is repeated.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-actions.html
func (w *CloudWatch) repeat(a *Alarm, value float64) {
	if a.ActionsEnabled && w.muting(a) == nil && w.Now().Sub(a.acted) >= time.Minute {
		a.acted = w.Now()
		w.scale(a, value)
	}
}

// scale invokes the scaling policies that are actions of an alarm's state.
func (w *CloudWatch) scale(a *Alarm, value float64) {
	for _, arn := range a.actions(a.Now.State) {
		if isPolicy(arn) {
			w.others.Policies.Breached(arn, *a.Metric.Threshold, value)
		}
	}
}
