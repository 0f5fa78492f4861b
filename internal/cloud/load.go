package cloud

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

// CloudWatch is what is used of the CloudWatch client.
type CloudWatch interface {
	DescribeAlarms(context.Context, *cloudwatch.DescribeAlarmsInput, ...func(*cloudwatch.Options)) (*cloudwatch.DescribeAlarmsOutput, error)
	ListAlarmMuteRules(context.Context, *cloudwatch.ListAlarmMuteRulesInput, ...func(*cloudwatch.Options)) (*cloudwatch.ListAlarmMuteRulesOutput, error)
	GetMetricData(context.Context, *cloudwatch.GetMetricDataInput, ...func(*cloudwatch.Options)) (*cloudwatch.GetMetricDataOutput, error)
}

// Queues is what is used of the SQS client.
type Queues interface {
	GetQueueAttributes(context.Context, *sqs.GetQueueAttributesInput, ...func(*sqs.Options)) (*sqs.GetQueueAttributesOutput, error)
}

// alarms describes alarms of all types, and asks of each that is in ALARM whether it is muted.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html
func (s *lookup) alarms(ctx context.Context, l plan.Look) error {
	return chunks(l.IDs(), l.Kind.Spec().Batch, s.fail, func(chunk []string) error {
		in := &cloudwatch.DescribeAlarmsInput{AlarmNames: chunk, MaxRecords: aws.Int32(100),
			AlarmTypes: []types.AlarmType{types.AlarmTypeMetricAlarm, types.AlarmTypeCompositeAlarm, types.AlarmTypeLogAlarm}}
		var found []fleet.Alarm
		for first := true; first || in.NextToken != nil; first = false {
			out, err := Ask(ctx, count(&s.Calls), s.CloudWatch.DescribeAlarms, in)
			if err != nil {
				return err
			}
			found = append(found, readAlarms(out)...)
			in.NextToken = out.NextToken
		}
		for _, a := range found {
			if a.State == fleet.Alarming && !a.Muted {
				muted, err := s.muted(ctx, a.Name)
				if err != nil {
					s.fail(itemFailures([]string{a.Name}, err))
					continue
				}
				a.Muted = muted
			}
			s.View.Alarms = append(s.View.Alarms, a)
		}
		return nil
	})
}

// muted reports whether a mute rule is active for an alarm. Such a rule keeps its actions from being carried out, and leaves its state as it is.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_ListAlarmMuteRules.html
func (s *lookup) muted(ctx context.Context, alarm string) (bool, error) {
	out, err := Ask(ctx, count(&s.Calls), s.CloudWatch.ListAlarmMuteRules, &cloudwatch.ListAlarmMuteRulesInput{
		AlarmName: aws.String(alarm), Statuses: []types.AlarmMuteRuleStatus{types.AlarmMuteRuleStatusActive},
	})
	if err != nil {
		return false, err
	}
	return len(out.AlarmMuteRuleSummaries) > 0, nil
}

func readAlarms(out *cloudwatch.DescribeAlarmsOutput) (all []fleet.Alarm) {
	add := func(name *string, state types.StateValue, since *time.Time, enabled *bool, trouble types.EvaluationState, data *string) {
		all = append(all, fleet.Alarm{
			Name: aws.ToString(name), State: string(state), Since: aws.ToTime(since), Muted: enabled != nil && !*enabled, Trouble: string(trouble),
			Breach: breach(aws.ToString(data)),
		})
	}
	for _, a := range out.MetricAlarms {
		add(a.AlarmName, a.StateValue, a.StateTransitionedTimestamp, a.ActionsEnabled, a.EvaluationState, a.StateReasonData)
	}
	for _, a := range out.CompositeAlarms {
		add(a.AlarmName, a.StateValue, a.StateTransitionedTimestamp, a.ActionsEnabled, "", nil)
	}
	for _, a := range out.LogAlarms {
		add(a.AlarmName, a.StateValue, a.StateTransitionedTimestamp, a.ActionsEnabled, a.EvaluationState, nil)
	}
	return all
}

// breach is how far the newest datapoint of an alarm is from its threshold, by the data of its state; nil: they do not say.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-and-eventbridge.html
func breach(data string) *float64 {
	var d struct {
		Recent    []*float64 `json:"recentDatapoints"`
		Threshold *float64   `json:"threshold"`
	}
	if json.Unmarshal([]byte(data), &d) != nil || d.Threshold == nil || len(d.Recent) == 0 || d.Recent[len(d.Recent)-1] == nil {
		return nil
	}
	by := math.Abs(*d.Recent[len(d.Recent)-1] - *d.Threshold)
	return &by
}

// backlogs reads the counters of queues. A queue that does not exist fails: its name may be wrong, and that is not an empty queue.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_GetQueueAttributes.html
func (s *lookup) backlogs(ctx context.Context, l plan.Look) error {
	return chunks(l.IDs(), 1, s.fail, func(chunk []string) error {
		names := []sqstypes.QueueAttributeName{sqstypes.QueueAttributeNameApproximateNumberOfMessages,
			sqstypes.QueueAttributeNameApproximateNumberOfMessagesNotVisible, sqstypes.QueueAttributeNameApproximateNumberOfMessagesDelayed}
		out, err := Ask(ctx, count(&s.Calls), s.Queues.GetQueueAttributes, &sqs.GetQueueAttributesInput{QueueUrl: aws.String(chunk[0]), AttributeNames: names})
		if err != nil {
			return err
		}
		b := fleet.Backlog{Queue: chunk[0]}
		for i, to := range []*int{&b.Visible, &b.InFlight, &b.Delayed} {
			text, ok := out.Attributes[string(names[i])]
			if *to, err = strconv.Atoi(text); !ok || err != nil || *to < 0 {
				return fmt.Errorf("queue %s: %s is %q, which is no number of messages", chunk[0], names[i], text)
			}
		}
		s.View.Backlogs = append(s.View.Backlogs, b)
		return nil
	})
}

// lookback is how old the datapoints may be that are asked for; some metrics come minutes late.
const lookback = 5 * time.Minute

// metrics reads the newest datapoint of each metric that is complete: the period that has not ended yet counts as little as is in it so far.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html
func (s *lookup) metrics(ctx context.Context, l plan.Look) error {
	in := &cloudwatch.GetMetricDataInput{ScanBy: types.ScanByTimestampDescending}
	longest := time.Minute
	for i, id := range l.IDs() {
		var m fleet.Metric
		if err := json.Unmarshal([]byte(id), &m); err != nil {
			return fmt.Errorf("read metric %q: %w", id, err)
		}
		longest = max(longest, m.Period)
		stat := &types.MetricStat{Metric: &types.Metric{Namespace: aws.String(m.Namespace), MetricName: aws.String(m.Name)}, Stat: aws.String(m.Stat),
			Period: aws.Int32(int32(m.Period / time.Second))}
		for name, v := range m.Dimensions {
			stat.Metric.Dimensions = append(stat.Metric.Dimensions, types.Dimension{Name: aws.String(name), Value: aws.String(v)})
		}
		in.MetricDataQueries = append(in.MetricDataQueries, types.MetricDataQuery{Id: aws.String(fmt.Sprintf("m%d", i)), MetricStat: stat})
	}
	in.EndTime, in.StartTime = aws.Time(l.Until), aws.Time(l.Until.Add(-lookback-longest).Truncate(time.Minute))
	seen := map[string]bool{}
	for first := true; first || in.NextToken != nil; first = false {
		out, err := Ask(ctx, count(&s.Calls), s.CloudWatch.GetMetricData, in)
		if err != nil {
			return err
		}
		for _, r := range out.MetricDataResults {
			i, err := strconv.Atoi(aws.ToString(r.Id)[min(1, len(aws.ToString(r.Id))):])
			if err != nil || i < 0 || i >= len(l.Subjects) || seen[l.Subjects[i].ID] {
				continue
			}
			s.newest(l.Subjects[i].ID, r, l.Until, seen)
		}
		in.NextToken = out.NextToken
	}
	return nil
}

// newest keeps the newest complete datapoint of a metric.
func (s *lookup) newest(id string, r types.MetricDataResult, until time.Time, seen map[string]bool) {
	var m fleet.Metric
	if json.Unmarshal([]byte(id), &m) != nil {
		return
	}
	if r.StatusCode == types.StatusCodeInternalError || r.StatusCode == types.StatusCodeForbidden {
		seen[id] = true
		s.fail([]plan.ItemFailure{{ID: id, Class: plan.Denied, Reason: "CloudWatch says " + string(r.StatusCode)}})
		return
	}
	for i, at := range r.Timestamps {
		if i < len(r.Values) && !at.Add(m.Period).After(until) {
			seen[id] = true
			s.View.Datapoints = append(s.View.Datapoints, fleet.Datapoint{Metric: id, From: at, Value: r.Values[i]})
			return
		}
	}
}
