package cloudwatch

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/ebbhq/ebb/internal/sim/core"
)

func (s api) putMetricData(_ *core.Call, in *cloudwatch.PutMetricDataInput) (*cloudwatch.PutMetricDataOutput, error) {
	all := slices.Clone(in.MetricData)
	for _, e := range in.EntityMetricData {
		all = append(all, e.MetricData...)
	}
	switch {
	case strings.HasPrefix(*in.Namespace, "AWS/"):
		return nil, invalid("The value AWS/ for parameter Namespace is invalid.")
	case len(all) == 0 || len(all) > 1000:
		return nil, invalid("The parameter MetricData must have from 1 to 1000 members.")
	}
	for _, d := range all {
		if err := s.PutMetric(datum(*in.Namespace, d)); err != nil {
			return nil, err
		}
	}
	return &cloudwatch.PutMetricDataOutput{}, nil
}

func datum(namespace string, d types.MetricDatum) Datum {
	out := Datum{
		Metric: Metric{namespace, core.Deref(d.MetricName), dimensions(d.Dimensions)}, At: core.Deref(d.Timestamp), Values: d.Values, Counts: d.Counts,
		Fine: core.Deref(d.StorageResolution) == 1,
	}
	if d.Value != nil {
		out.Values = append(slices.Clone(d.Values), *d.Value)
	}
	if v := d.StatisticValues; v != nil {
		out.Set = &Set{core.Deref(v.SampleCount), core.Deref(v.Sum), core.Deref(v.Minimum), core.Deref(v.Maximum)}
	}
	return out
}

// found is one value of a query.
type found struct {
	query int
	at    time.Time
	value float64
}

func (s api) getMetricData(c *core.Call, in *cloudwatch.GetMetricDataInput) (*cloudwatch.GetMetricDataOutput, error) {
	if len(in.MetricDataQueries) > 500 {
		return nil, refuse("The collection MetricDataQueries must not have a size greater than 500.")
	}
	if !in.StartTime.Before(*in.EndTime) {
		return nil, refuse("The parameter EndTime must be greater than StartTime.")
	}
	q, err := s.read(in.MetricDataQueries)
	if err != nil {
		return nil, err
	}
	ids := q.returned()
	var all []found
	for i, id := range ids {
		values := q.between(id, *in.StartTime, *in.EndTime)
		if in.ScanBy != types.ScanByTimestampAscending {
			slices.Reverse(values)
		}
		for _, v := range values {
			all = append(all, found{i, v.at, v.value})
		}
	}
	p := core.Paging{Operation: "GetMetricData", Asked: in.MaxDatapoints, Fallback: 100800, Most: 100800, Token: in.NextToken}
	page, next, ok := core.Page(c, p, all, func(f found) string { return strconv.Itoa(f.query) + " " + f.at.String() })
	if !ok {
		return nil, badToken()
	}
	out := &cloudwatch.GetMetricDataOutput{NextToken: next, Messages: []types.MessageData{}}
	for i, id := range ids {
		r := types.MetricDataResult{Id: &id, Label: new(q.label(id)), Timestamps: []time.Time{}, Values: []float64{}, StatusCode: types.StatusCodeComplete}
		for _, f := range page {
			if f.query == i {
				r.Timestamps, r.Values = append(r.Timestamps, f.at), append(r.Values, f.value)
			}
			if f.query == i && next != nil {
				r.StatusCode = types.StatusCodePartialData
			}
		}
		out.MetricDataResults = append(out.MetricDataResults, r)
	}
	return out, nil
}

func badToken() error { return core.Refuse("InvalidNextToken", "The next token specified is invalid.") }

// between are the values of a query from a time, rounded down, until another, the oldest first. CloudWatch keeps data by the second for three
// hours, and by the minute for 15 days.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_concepts.html#metrics-retention
func (q *queries) between(id string, from, to time.Time) []sample {
	var all []sample
	period := q.all[id].period
	kept := 15 * 24 * time.Hour
	if period < time.Minute {
		kept = 3 * time.Hour
	}
	if oldest := q.w.Now().Add(-kept); from.Before(oldest) {
		from = oldest
	}
	if newest := q.w.Now().Add(tooNew); to.After(newest) {
		to = newest
	}
	for t := from.UTC().Truncate(min(period, time.Minute)); t.Before(to); t = t.Add(period) {
		if v, ok := q.value(id, t); ok {
			all = append(all, sample{t, v, true})
		}
	}
	return all
}

// label is the name of a query for people.
func (q *queries) label(id string) string {
	one := q.all[id]
	switch {
	case one.Label != nil:
		return *one.Label
	case one.math != nil:
		return id
	}
	return one.metric.Name
}

func (s api) putMetricAlarm(_ *core.Call, in *cloudwatch.PutMetricAlarmInput) (*cloudwatch.PutMetricAlarmOutput, error) {
	return &cloudwatch.PutMetricAlarmOutput{}, s.PutMetricAlarm(*in)
}

func (s api) putCompositeAlarm(_ *core.Call, in *cloudwatch.PutCompositeAlarmInput) (*cloudwatch.PutCompositeAlarmOutput, error) {
	return &cloudwatch.PutCompositeAlarmOutput{}, s.PutCompositeAlarm(*in)
}

func (s api) deleteAlarms(_ *core.Call, in *cloudwatch.DeleteAlarmsInput) (*cloudwatch.DeleteAlarmsOutput, error) {
	return &cloudwatch.DeleteAlarmsOutput{}, s.DeleteAlarms(in.AlarmNames)
}

func (s api) setAlarmState(_ *core.Call, in *cloudwatch.SetAlarmStateInput) (*cloudwatch.SetAlarmStateOutput, error) {
	return &cloudwatch.SetAlarmStateOutput{}, s.SetAlarmState(*in.AlarmName, string(in.StateValue), *in.StateReason, core.Deref(in.StateReasonData))
}

func (s api) enable(_ *core.Call, in *cloudwatch.EnableAlarmActionsInput) (*cloudwatch.EnableAlarmActionsOutput, error) {
	s.EnableAlarmActions(in.AlarmNames, true)
	return &cloudwatch.EnableAlarmActionsOutput{}, nil
}

func (s api) disable(_ *core.Call, in *cloudwatch.DisableAlarmActionsInput) (*cloudwatch.DisableAlarmActionsOutput, error) {
	s.EnableAlarmActions(in.AlarmNames, false)
	return &cloudwatch.DisableAlarmActionsOutput{}, nil
}

// describeAlarms shows metric alarms, and composite ones only if they are asked for. A page is of all of them together.
func (s api) describeAlarms(c *core.Call, in *cloudwatch.DescribeAlarmsInput) (*cloudwatch.DescribeAlarmsOutput, error) {
	switch {
	case len(in.AlarmNames) > 0 && in.AlarmNamePrefix != nil:
		return nil, refuse("AlarmNamePrefix and AlarmNames are mutually exclusive.")
	case len(in.AlarmNames) > 100:
		return nil, refuse("AlarmNames must have at most 100 members.")
	case in.ChildrenOfAlarmName != nil || in.ParentsOfAlarmName != nil:
		return nil, refuse("The simulated cloud does not look for children and parents of alarms.")
	case core.Deref(in.MaxRecords) < 0 || core.Deref(in.MaxRecords) > 100:
		return nil, refuse("MaxRecords must be from 1 to 100.")
	}
	p := core.Paging{Operation: "DescribeAlarms", Asked: in.MaxRecords, Fallback: 50, Most: 100, Token: in.NextToken}
	if len(in.AlarmNames) > 0 && in.MaxRecords == nil {
		p.Fallback = 100
	}
	wanted := slices.DeleteFunc(s.Alarms(), func(a *Alarm) bool { return !s.wanted(a, in) })
	page, next, ok := core.Page(c, p, wanted, func(a *Alarm) string { return a.Name })
	if !ok {
		return nil, badToken()
	}
	out := &cloudwatch.DescribeAlarmsOutput{NextToken: next, MetricAlarms: []types.MetricAlarm{}, CompositeAlarms: []types.CompositeAlarm{}}
	for _, a := range page {
		if a.Metric != nil {
			out.MetricAlarms = append(out.MetricAlarms, s.metricAlarm(a))
		} else {
			out.CompositeAlarms = append(out.CompositeAlarms, s.compositeAlarm(a))
		}
	}
	return out, nil
}

// wanted reports whether a request asks for an alarm.
func (s api) wanted(a *Alarm, in *cloudwatch.DescribeAlarmsInput) bool {
	kind := types.AlarmTypeMetricAlarm
	if a.Composite != nil {
		kind = types.AlarmTypeCompositeAlarm
	}
	kinds := in.AlarmTypes
	if len(kinds) == 0 {
		kinds = []types.AlarmType{types.AlarmTypeMetricAlarm}
	}
	ok, alarm, insufficient := a.lists()
	acts := func(arn string) bool { return strings.HasPrefix(arn, core.Deref(in.ActionPrefix)) }
	return slices.Contains(kinds, kind) && (len(in.AlarmNames) == 0 || slices.Contains(in.AlarmNames, a.Name)) &&
		strings.HasPrefix(a.Name, core.Deref(in.AlarmNamePrefix)) &&
		(in.ActionPrefix == nil || slices.ContainsFunc(slices.Concat(ok, alarm, insufficient), acts)) &&
		(in.StateValue == "" || string(in.StateValue) == a.seen(s.Then()).State)
}

func (s api) metricAlarm(a *Alarm) types.MetricAlarm {
	in, now := a.Metric, a.seen(s.Then())
	return types.MetricAlarm{
		AlarmName: &a.Name, AlarmArn: &a.ARN, ActionsEnabled: &a.ActionsEnabled, AlarmConfigurationUpdatedTimestamp: &a.Configured,
		StateValue: types.StateValue(now.State), StateReason: &now.Reason, StateReasonData: core.Optional(now.Data), StateUpdatedTimestamp: &now.At,
		StateTransitionedTimestamp: &now.At, EvaluationState: types.EvaluationState(a.EvaluationState),
		AlarmDescription: in.AlarmDescription, AlarmActions: list(in.AlarmActions), OKActions: list(in.OKActions),
		InsufficientDataActions: list(in.InsufficientDataActions), ComparisonOperator: in.ComparisonOperator, DatapointsToAlarm: in.DatapointsToAlarm,
		Dimensions: append([]types.Dimension{}, in.Dimensions...), EvaluateLowSampleCountPercentile: in.EvaluateLowSampleCountPercentile,
		EvaluationPeriods: in.EvaluationPeriods, ExtendedStatistic: in.ExtendedStatistic, MetricName: in.MetricName, Metrics: in.Metrics,
		Namespace: in.Namespace, Period: in.Period, Statistic: in.Statistic, Threshold: in.Threshold, TreatMissingData: in.TreatMissingData,
		Unit: in.Unit,
	}
}

func (s api) compositeAlarm(a *Alarm) types.CompositeAlarm {
	in, now := a.Composite, a.seen(s.Then())
	return types.CompositeAlarm{
		AlarmName: &a.Name, AlarmArn: &a.ARN, ActionsEnabled: &a.ActionsEnabled, AlarmConfigurationUpdatedTimestamp: &a.Configured,
		StateValue: types.StateValue(now.State), StateReason: &now.Reason, StateReasonData: core.Optional(now.Data), StateUpdatedTimestamp: &now.At,
		StateTransitionedTimestamp: &now.At, AlarmDescription: in.AlarmDescription, AlarmRule: in.AlarmRule, AlarmActions: list(in.AlarmActions),
		OKActions: list(in.OKActions), InsufficientDataActions: list(in.InsufficientDataActions),
		ActionsSuppressor: in.ActionsSuppressor, ActionsSuppressorWaitPeriod: in.ActionsSuppressorWaitPeriod,
		ActionsSuppressorExtensionPeriod: in.ActionsSuppressorExtensionPeriod, ActionsSuppressedBy: types.ActionsSuppressedBy(now.by),
		ActionsSuppressedReason: core.Optional(now.suppressedReason()),
	}
}

func (s api) putMute(_ *core.Call, in *cloudwatch.PutAlarmMuteRuleInput) (*cloudwatch.PutAlarmMuteRuleOutput, error) {
	return &cloudwatch.PutAlarmMuteRuleOutput{}, s.PutMute(*in)
}

func (s api) deleteMute(_ *core.Call, in *cloudwatch.DeleteAlarmMuteRuleInput) (*cloudwatch.DeleteAlarmMuteRuleOutput, error) {
	s.DeleteMute(*in.AlarmMuteRuleName)
	return &cloudwatch.DeleteAlarmMuteRuleOutput{}, nil
}

func (s api) listMutes(c *core.Call, in *cloudwatch.ListAlarmMuteRulesInput) (*cloudwatch.ListAlarmMuteRulesOutput, error) {
	wanted := slices.DeleteFunc(slices.Clone(s.mutes), func(m *Mute) bool {
		return in.AlarmName != nil && !slices.Contains(m.MuteTargets.AlarmNames, *in.AlarmName) ||
			len(in.Statuses) > 0 && !slices.Contains(in.Statuses, types.AlarmMuteRuleStatus(m.status(s.Now())))
	})
	p := core.Paging{Operation: "ListAlarmMuteRules", Asked: in.MaxRecords, Fallback: 50, Most: 100, Token: in.NextToken}
	page, next, ok := core.Page(c, p, wanted, func(m *Mute) string { return *m.Name })
	if !ok {
		return nil, badToken()
	}
	return &cloudwatch.ListAlarmMuteRulesOutput{NextToken: next, AlarmMuteRuleSummaries: core.Mapped(page, func(m *Mute) types.AlarmMuteRuleSummary {
		return types.AlarmMuteRuleSummary{AlarmMuteRuleArn: &m.ARN, ExpireDate: m.ExpireDate, LastUpdatedTimestamp: &m.Updated,
			MuteType: new(m.kind()), Status: types.AlarmMuteRuleStatus(m.status(s.Now()))}
	})}, nil
}

func (s api) getMute(_ *core.Call, in *cloudwatch.GetAlarmMuteRuleInput) (*cloudwatch.GetAlarmMuteRuleOutput, error) {
	i := slices.IndexFunc(s.mutes, func(m *Mute) bool { return *m.Name == *in.AlarmMuteRuleName })
	if i < 0 {
		return nil, &core.Error{Code: "ResourceNotFoundException", Message: "The alarm mute rule " + *in.AlarmMuteRuleName + " does not exist.", Status: 404}
	}
	m := s.mutes[i]
	return &cloudwatch.GetAlarmMuteRuleOutput{AlarmMuteRuleArn: &m.ARN, Name: m.Name, Description: m.Description, Rule: m.Rule, MuteTargets: m.MuteTargets,
		StartDate: m.StartDate, ExpireDate: m.ExpireDate, LastUpdatedTimestamp: &m.Updated, MuteType: new(m.kind()),
		Status: types.AlarmMuteRuleStatus(m.status(s.Now()))}, nil
}

func (m *Mute) kind() string { return either(m.once, "ONE_TIME", "RECURRING") }
