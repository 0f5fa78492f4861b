package cloudwatch

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// AlarmSpec is an alarm of CloudWatch: of a metric, of metric math, or with a rule a composite one.
type AlarmSpec struct {
	Name        string            `yaml:"name,omitempty"`
	Namespace   string            `yaml:"namespace,omitempty"`
	Metric      string            `yaml:"metric,omitempty"`
	Dimensions  map[string]string `yaml:"dimensions,omitempty"`
	Statistic   string            `yaml:"statistic,omitempty"`  // Average (default), Sum, Minimum, Maximum, SampleCount, p99
	Period      time.Duration     `yaml:"period,omitempty"`     // 10s, 20s, 30s or whole minutes; 0: 1m
	Periods     int               `yaml:"periods,omitempty"`    // that are evaluated; 0: 1
	Datapoints  int               `yaml:"datapoints,omitempty"` // of them that must breach; 0: all
	Threshold   float64           `yaml:"threshold,omitempty"`
	Comparison  string            `yaml:"comparison,omitempty"`   // >= (default), >, <=, <
	MissingData string            `yaml:"missing_data,omitempty"` // missing (default), breaching, notBreaching, ignore
	Math        []MathSpec        `yaml:"math,omitempty"`         // instead of namespace, metric, dimensions, statistic and period
	Rule        string            `yaml:"rule,omitempty"`         // of a composite alarm, instead of all of this

	Suppressor string        `yaml:"suppressor,omitempty"` // of a composite alarm: an alarm in whose ALARM it does not act
	Wait       time.Duration `yaml:"wait,omitempty"`       // for the suppressor
	Extension  time.Duration `yaml:"extension,omitempty"`  // after the suppressor

	Actions             []string `yaml:"actions,omitempty"` // in the state ALARM: names of topics, function:NAME, or policy:NAME of scaling
	OKActions           []string `yaml:"ok_actions,omitempty"`
	InsufficientActions []string `yaml:"insufficient_data_actions,omitempty"`
}

// MathSpec is a metric, or an expression, of an alarm of metric math. The one whose values count is the last.
type MathSpec struct {
	ID         string            `yaml:"id,omitempty"`
	Expression string            `yaml:"expression,omitempty"`
	Namespace  string            `yaml:"namespace,omitempty"`
	Metric     string            `yaml:"metric,omitempty"`
	Dimensions map[string]string `yaml:"dimensions,omitempty"`
	Statistic  string            `yaml:"statistic,omitempty"` // empty: Average
	Period     time.Duration     `yaml:"period,omitempty"`    // 0: 1m
}

var operators = map[string]types.ComparisonOperator{
	"": types.ComparisonOperatorGreaterThanOrEqualToThreshold, ">=": types.ComparisonOperatorGreaterThanOrEqualToThreshold,
	">": types.ComparisonOperatorGreaterThanThreshold, "<=": types.ComparisonOperatorLessThanOrEqualToThreshold,
	"<": types.ComparisonOperatorLessThanThreshold,
}

// AddAlarm makes an alarm. arn finds the topic or function of a name.
func (w *CloudWatch) AddAlarm(a AlarmSpec, arn func(name string) (string, error)) error {
	if a.Name == "" || w.FindAlarm(a.Name) != nil {
		return fmt.Errorf("every alarm needs a name of its own")
	}
	var lists [3][]string
	for i, names := range [3][]string{a.Actions, a.OKActions, a.InsufficientActions} {
		for _, name := range names {
			found, err := arn(name)
			if err == nil && strings.HasPrefix(found, "arn:aws:sqs:") {
				err = fmt.Errorf("%q is a queue; actions are topics or functions", name)
			}
			if err != nil {
				return err
			}
			lists[i] = append(lists[i], found)
		}
	}
	if a.Rule != "" {
		return w.PutCompositeAlarm(cloudwatch.PutCompositeAlarmInput{AlarmName: &a.Name, AlarmRule: &a.Rule, AlarmActions: lists[0], OKActions: lists[1],
			InsufficientDataActions: lists[2], ActionsSuppressor: core.Optional(a.Suppressor),
			ActionsSuppressorWaitPeriod: new(core.Seconds(a.Wait)), ActionsSuppressorExtensionPeriod: new(core.Seconds(a.Extension))})
	}
	op, ok := operators[a.Comparison]
	if !ok {
		return fmt.Errorf("the comparison is %q; it must be >=, >, <= or <", a.Comparison)
	}
	in := cloudwatch.PutMetricAlarmInput{
		AlarmName: &a.Name, AlarmActions: lists[0], OKActions: lists[1], InsufficientDataActions: lists[2], Threshold: &a.Threshold, ComparisonOperator: op,
		EvaluationPeriods: new(int32(max(a.Periods, 1))), TreatMissingData: core.Optional(a.MissingData),
	}
	if a.Datapoints > 0 {
		in.DatapointsToAlarm = new(int32(a.Datapoints))
	}
	math := a.Math
	if len(math) == 0 {
		math = []MathSpec{{ID: "m1", Namespace: a.Namespace, Metric: a.Metric, Dimensions: a.Dimensions, Statistic: a.Statistic, Period: a.Period}}
	}
	for i, m := range math {
		in.Metrics = append(in.Metrics, m.query(i == len(math)-1))
	}
	if one := in.Metrics[0].MetricStat; len(math) == 1 && one != nil {
		in.Metrics, in.Namespace, in.MetricName, in.Dimensions, in.Period = nil, one.Metric.Namespace, one.Metric.MetricName, one.Metric.Dimensions, one.Period
		if strings.HasPrefix(*one.Stat, "p") {
			in.ExtendedStatistic = one.Stat
		} else {
			in.Statistic = types.Statistic(*one.Stat)
		}
	}
	return w.PutMetricAlarm(in)
}

func (m MathSpec) query(counts bool) types.MetricDataQuery {
	q := types.MetricDataQuery{Id: &m.ID, ReturnData: &counts}
	if m.Expression != "" {
		q.Expression = &m.Expression
		return q
	}
	q.MetricStat = &types.MetricStat{
		Metric: &types.Metric{Namespace: &m.Namespace, MetricName: &m.Metric}, Stat: new(cmp.Or(m.Statistic, "Average")),
		Period: new(core.Seconds(cmp.Or(m.Period, time.Minute))),
	}
	for _, name := range slices.Sorted(maps.Keys(m.Dimensions)) {
		q.MetricStat.Metric.Dimensions = append(q.MetricStat.Metric.Dimensions, types.Dimension{Name: &name, Value: new(m.Dimensions[name])})
	}
	return q
}
