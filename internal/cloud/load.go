package cloud

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

// Asker is one service of AWS that speaks JSON, asked without a client of the SDK.
type Asker interface {
	// Ask carries out one operation. in and out are what encoding/json makes of its request and its answer.
	Ask(ctx context.Context, operation string, in, out any) error
}

// asker is a service as AWS has it.
type asker struct {
	cfg                  aws.Config
	host, target, called string // of its endpoint; before the operation; for Count
	version              string // of the protocol; empty: 1.0
	count                Count  // nil: nobody counts
}

// Ask speaks the protocol awsJson1.0 or 1.1.
// https://smithy.io/2.0/aws/protocols/aws-json-1_0-protocol.html
func (a asker) Ask(ctx context.Context, operation string, in, out any) error {
	err := askJSON(ctx, a.cfg, a.host, "", map[string]string{
		"Content-Type": "application/x-amz-json-" + cmp.Or(a.version, "1.0"), "X-Amz-Target": a.target + "." + operation,
	}, in, out)
	a.count.tell(a.called, operation, err)
	return err
}

func newCloudWatch(cfg aws.Config) asker {
	return asker{cfg: cfg, host: "monitoring", target: "GraniteServiceVersion20100801", called: "CloudWatch"}
}

func newQueues(cfg aws.Config) asker {
	return asker{cfg: cfg, host: "sqs", target: "AmazonSQS", called: "SQS"}
}

// newScalers is Application Auto Scaling, which has its name for signing, and the version of its protocol, to itself.
func newScalers(cfg aws.Config) asker {
	return asker{cfg: cfg, host: "application-autoscaling", target: "AnyScaleFrontendService", called: "Application Auto Scaling", version: "1.1"}
}

// seconds is a time as AWS's JSON has it: since 1970.
type seconds float64

func secondsOf(t time.Time) seconds { return seconds(float64(t.UnixMilli()) / 1000) }

func (s seconds) time() time.Time {
	if s == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(math.Round(float64(s) * 1000))).UTC()
}

// alarm is an alarm of any type.
type alarm struct {
	AlarmName                  string
	StateValue                 string
	StateTransitionedTimestamp seconds
	StateReasonData            string
	EvaluationState            string
	ActionsEnabled             *bool
}

// alarms describes alarms of all types, and asks of those that are in ALARM whether they are muted. Mostly no rule is active, and one call
// says so for all of them.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html
func (s *lookup) alarms(ctx context.Context, l plan.Look) error {
	active := sync.OnceValues(func() (int, error) { return mutedBy(ctx, s, nil) })
	return chunks(l.IDs(), maxAlarms, s.fail, func(chunk []string) error {
		in := map[string]any{"AlarmNames": chunk, "AlarmTypes": []string{"MetricAlarm", "CompositeAlarm", "LogAlarm"}, "MaxRecords": maxAlarms}
		return Pages(func(token *string) (*string, error) {
			var out struct {
				MetricAlarms, CompositeAlarms, LogAlarms []alarm
				NextToken                                *string
			}
			if err := askOf(ctx, s, s.CloudWatch, "DescribeAlarms", in, token, &out); err != nil {
				return nil, err
			}
			for _, a := range slices.Concat(out.MetricAlarms, out.CompositeAlarms, out.LogAlarms) {
				keepAlarm(ctx, s, a, active)
			}
			return out.NextToken, nil
		})
	})
}

// maxAlarms is how many alarms one call describes.
const maxAlarms = 100

// askOf sends a request and counts it. Where it is a map, a token is laid into it.
func askOf(ctx context.Context, s *lookup, of Asker, operation string, in map[string]any, token *string, out any) error {
	if token != nil {
		in["NextToken"] = *token
	}
	return count(&s.Calls)(ctx, func() error { return of.Ask(ctx, operation, in, out) })
}

// keepAlarm keeps an alarm. A mute rule keeps the actions of an alarm from being carried out, and leaves its state as it is.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_ListAlarmMuteRules.html
func keepAlarm(ctx context.Context, s *lookup, a alarm, active func() (int, error)) {
	is := fleet.Alarm{
		Name: a.AlarmName, State: a.StateValue, Since: a.StateTransitionedTimestamp.time(), Trouble: a.EvaluationState, Breach: breach(a.StateReasonData),
		Muted: a.ActionsEnabled != nil && !*a.ActionsEnabled,
	}
	if a.mayBeMuted() {
		n, err := active()
		if err == nil && n > 0 {
			n, err = mutedBy(ctx, s, &is.Name)
		}
		if err != nil {
			s.fail(itemFailures([]string{is.Name}, err))
			return
		}
		is.Muted = n > 0
	}
	s.View.Alarms = append(s.View.Alarms, is)
}

// mayBeMuted reports whether it matters whether a rule mutes the alarm.
func (a alarm) mayBeMuted() bool {
	return a.StateValue == fleet.Alarming && (a.ActionsEnabled == nil || *a.ActionsEnabled)
}

// mutedBy is how many mute rules are active for an alarm, or at all; of many, some.
func mutedBy(ctx context.Context, s *lookup, alarm *string) (int, error) {
	var out struct{ AlarmMuteRuleSummaries []struct{} }
	in := map[string]any{"Statuses": []string{"ACTIVE"}}
	if alarm != nil {
		in["AlarmName"] = *alarm
	}
	err := askOf(ctx, s, s.CloudWatch, "ListAlarmMuteRules", in, nil, &out)
	return len(out.AlarmMuteRuleSummaries), err
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
	names := []string{"ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed"}
	return chunks(l.IDs(), 1, s.fail, func(chunk []string) error {
		var out struct{ Attributes map[string]string }
		in := map[string]any{"QueueUrl": chunk[0], "AttributeNames": names}
		if err := askOf(ctx, s, s.Queues, "GetQueueAttributes", in, nil, &out); err != nil {
			return err
		}
		b := fleet.Backlog{Queue: chunk[0]}
		for i, to := range []*int{&b.Visible, &b.InFlight, &b.Delayed} {
			n, err := strconv.Atoi(out.Attributes[names[i]])
			if err != nil || n < 0 {
				return fmt.Errorf("queue %s: %s is %q, which is no number of messages", chunk[0], names[i], out.Attributes[names[i]])
			}
			*to = n
		}
		s.View.Backlogs = append(s.View.Backlogs, b)
		return nil
	})
}

// lookback is how old the datapoints may be that are asked for; some metrics come minutes late.
const lookback = 5 * time.Minute

// series is a metric as GetMetricData answers for it.
type series struct {
	ID         string `json:"Id"`
	StatusCode string
	Timestamps []seconds
	Values     []float64
}

// metrics reads the newest datapoint of each metric that is complete: the period that has not ended yet counts as little as is in it so far.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html
func (s *lookup) metrics(ctx context.Context, l plan.Look) error {
	var queries []any
	metrics := map[string]fleet.Metric{}
	longest := time.Minute
	for i, id := range l.IDs() {
		var m fleet.Metric
		if err := json.Unmarshal([]byte(id), &m); err != nil {
			return fmt.Errorf("read metric %q: %w", id, err)
		}
		var dimensions []map[string]string
		for _, name := range slices.Sorted(maps.Keys(m.Dimensions)) {
			dimensions = append(dimensions, map[string]string{"Name": name, "Value": m.Dimensions[name]})
		}
		longest = max(longest, m.Period)
		metrics[fmt.Sprintf("m%d", i)] = m
		queries = append(queries, map[string]any{"Id": fmt.Sprintf("m%d", i), "MetricStat": map[string]any{
			"Metric": map[string]any{"Namespace": m.Namespace, "MetricName": m.Name, "Dimensions": dimensions}, "Stat": m.Stat, "Period": int(m.Period.Seconds()),
		}})
	}
	in := map[string]any{
		"MetricDataQueries": queries, "ScanBy": "TimestampDescending", "EndTime": secondsOf(l.Until),
		"StartTime": secondsOf(l.Until.Add(-lookback - longest).Truncate(time.Minute)),
	}
	return Pages(func(token *string) (*string, error) {
		var out struct {
			MetricDataResults []series
			NextToken         *string
		}
		if err := askOf(ctx, s, s.CloudWatch, "GetMetricData", in, token, &out); err != nil {
			return nil, err
		}
		for _, r := range out.MetricDataResults {
			if m, ok := metrics[r.ID]; ok && newest(s, m, r, l.Until) {
				delete(metrics, r.ID)
			}
		}
		return out.NextToken, nil
	})
}

// newest keeps the newest complete datapoint of a metric, if a page has one.
func newest(s *lookup, m fleet.Metric, r series, until time.Time) bool {
	id := plan.MetricID(m)
	if r.StatusCode == "InternalError" || r.StatusCode == "Forbidden" {
		s.fail([]plan.ItemFailure{{ID: id, Class: plan.Denied, Reason: "CloudWatch says " + r.StatusCode}})
		return true
	}
	for i, at := range r.Timestamps {
		if from := at.time(); i < len(r.Values) && !from.Add(m.Period).After(until) {
			s.View.Datapoints = append(s.View.Datapoints, fleet.Datapoint{Metric: id, From: from, Value: r.Values[i]})
			return true
		}
	}
	return false
}

// scalers asks which services are scalable targets of Application Auto Scaling.
// https://docs.aws.amazon.com/autoscaling/application/APIReference/API_DescribeScalableTargets.html
func (s *lookup) scalers(ctx context.Context, l plan.Look) error {
	return chunks(l.IDs(), l.Kind.Spec().Batch, s.fail, func(chunk []string) error {
		ids := make([]string, len(chunk))
		for i, service := range chunk {
			ids[i] = "service/" + l.In + "/" + service
		}
		in := map[string]any{"ServiceNamespace": "ecs", "ScalableDimension": "ecs:service:DesiredCount", "ResourceIds": ids}
		return Pages(func(token *string) (*string, error) {
			var out struct {
				ScalableTargets []struct {
					ResourceID     string `json:"ResourceId"`
					SuspendedState struct{ DynamicScalingInSuspended, DynamicScalingOutSuspended, ScheduledScalingSuspended bool }
				}
				NextToken *string
			}
			if err := askOf(ctx, s, s.Scalers, "DescribeScalableTargets", in, token, &out); err != nil {
				return nil, err
			}
			for _, t := range out.ScalableTargets {
				by := t.SuspendedState
				s.View.Scalers = append(s.View.Scalers, fleet.Scaler{
					Service: fleet.ARN(t.ResourceID).Name(), Suspended: by.DynamicScalingInSuspended && by.DynamicScalingOutSuspended && by.ScheduledScalingSuspended,
				})
			}
			return out.NextToken, nil
		})
	})
}
