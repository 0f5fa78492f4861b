package cloudwatch

import (
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// snsMessage is what a topic gets of an alarm. The dimensions begin with small letters, and the Region is its name for people.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html
// https://github.com/aws/aws-lambda-go/blob/main/events/sns.go
type snsMessage struct {
	AlarmName                          string
	AlarmDescription                   *string
	AWSAccountID                       string `json:"AWSAccountId"`
	AlarmConfigurationUpdatedTimestamp string
	NewStateValue                      string
	NewStateReason                     string
	StateChangeTime                    string
	Region                             string
	AlarmArn                           string
	OldStateValue                      string
	OKActions                          []string
	AlarmActions                       []string
	InsufficientDataActions            []string

	Trigger            *snsTrigger `json:",omitempty"` // of metric alarms
	AlarmRule          string      `json:",omitempty"` // of composite alarms, as what follows
	TriggeringChildren *[]snsChild `json:",omitempty"`
}

type snsTrigger struct {
	MetricName                       string         `json:",omitempty"`
	Namespace                        string         `json:",omitempty"`
	StatisticType                    string         `json:",omitempty"`
	Statistic                        string         `json:",omitempty"`
	ExtendedStatistic                string         `json:",omitempty"`
	Unit                             *string        // null
	Dimensions                       []snsDimension `json:",omitempty"`
	Period                           int32
	EvaluationPeriods                int32
	DatapointsToAlarm                int32
	ComparisonOperator               string
	Threshold                        number
	TreatMissingData                 string
	EvaluateLowSampleCountPercentile string
	Metrics                          []snsQuery `json:",omitempty"` // of metric math, instead of a metric
}

type snsDimension struct {
	Value string `json:"value"`
	Name  string `json:"name"`
}

type snsQuery struct {
	Expression string   `json:",omitempty"`
	ID         string   `json:"Id"`
	Label      string   `json:",omitempty"`
	MetricStat *snsStat `json:",omitempty"`
	ReturnData bool
}

type snsStat struct {
	Metric struct {
		Dimensions []snsDimension
		MetricName string
		Namespace  string
	}
	Period int32
	Stat   string
}

type snsChild struct {
	Arn   string
	State struct{ Value, Timestamp string }
}

// regionNames are the names of Regions for people.
// https://docs.aws.amazon.com/general/latest/gr/rande.html
var regionNames = map[string]string{
	"eu-west-1": "EU (Ireland)", "eu-central-1": "EU (Frankfurt)", "us-east-1": "US East (N. Virginia)", "us-west-2": "US West (Oregon)",
}

func (w *CloudWatch) regionName() string {
	if name, ok := regionNames[w.Region]; ok {
		return name
	}
	return w.Region
}

// snsMessage spells the last transition of an alarm, with the subject of its mail.
func (w *CloudWatch) snsMessage(a *Alarm) (subject, body string) {
	ok, alarm, insufficient := a.lists()
	m := snsMessage{
		AlarmName: a.Name, AlarmDescription: a.description(), AWSAccountID: w.Account, AlarmConfigurationUpdatedTimestamp: stamp(a.Configured),
		NewStateValue: a.Now.State, NewStateReason: a.Now.Reason, StateChangeTime: stamp(a.Now.At), Region: w.regionName(), AlarmArn: a.ARN,
		OldStateValue: a.Before.State, OKActions: list(ok), AlarmActions: list(alarm), InsufficientDataActions: list(insufficient),
	}
	if a.Metric != nil {
		m.Trigger = a.snsTrigger()
	} else {
		m.AlarmRule = *a.Composite.AlarmRule
		m.TriggeringChildren = new(core.Mapped(a.Now.triggers, func(t trigger) snsChild {
			c := snsChild{Arn: t.arn}
			c.State.Value, c.State.Timestamp = t.State, stamp(t.At)
			return c
		}))
	}
	return a.Now.State + `: "` + a.Name + `" in ` + w.regionName(), core.JSON(m)
}

func list(all []string) []string { return append([]string{}, all...) }

func (a *Alarm) snsTrigger() *snsTrigger {
	in := a.Metric
	t := &snsTrigger{
		Period: core.Deref(in.Period), EvaluationPeriods: *in.EvaluationPeriods, DatapointsToAlarm: *in.DatapointsToAlarm,
		ComparisonOperator: string(in.ComparisonOperator), Threshold: number(*in.Threshold), TreatMissingData: core.Deref(in.TreatMissingData),
		EvaluateLowSampleCountPercentile: core.Deref(in.EvaluateLowSampleCountPercentile),
	}
	if in.MetricName != nil {
		t.MetricName, t.Namespace, t.Dimensions = *in.MetricName, core.Deref(in.Namespace), snsDimensions(in.Dimensions)
		t.StatisticType, t.Statistic = "Statistic", strings.ToUpper(string(in.Statistic))
		if in.ExtendedStatistic != nil {
			t.StatisticType, t.Statistic, t.ExtendedStatistic = "ExtendedStatistic", "", *in.ExtendedStatistic
		}
		return t
	}
	_, period := a.watched()
	t.Period = core.Seconds(period)
	for _, q := range in.Metrics {
		out := snsQuery{Expression: core.Deref(q.Expression), ID: *q.Id, Label: core.Deref(q.Label), ReturnData: q.ReturnData == nil || *q.ReturnData}
		if s := q.MetricStat; s != nil {
			out.MetricStat = &snsStat{Period: *s.Period, Stat: *s.Stat}
			out.MetricStat.Metric.Dimensions = snsDimensions(s.Metric.Dimensions)
			out.MetricStat.Metric.MetricName, out.MetricStat.Metric.Namespace = core.Deref(s.Metric.MetricName), core.Deref(s.Metric.Namespace)
		}
		t.Metrics = append(t.Metrics, out)
	}
	return t
}

func snsDimensions(all []types.Dimension) []snsDimension {
	return core.Mapped(all, func(d types.Dimension) snsDimension { return snsDimension{core.Deref(d.Value), core.Deref(d.Name)} })
}

// The event of a transition, and what a function gets that is an action of the alarm, say the same of the alarm.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-and-eventbridge.html
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-actions-Lambda.html
type alarmData struct {
	AlarmName     string        `json:"alarmName"`
	State         stateData     `json:"state"`
	PreviousState stateData     `json:"previousState"`
	Configuration configuration `json:"configuration"`
	MuteDetail    *muteDetail   `json:"muteDetail,omitempty"` // of events only
}

type stateData struct {
	Value      string `json:"value"`
	Reason     string `json:"reason"`
	ReasonData string `json:"reasonData,omitempty"` // JSON
	Timestamp  string `json:"timestamp"`

	ActionsSuppressedBy     string `json:"actionsSuppressedBy,omitempty"`
	ActionsSuppressedReason string `json:"actionsSuppressedReason,omitempty"`
}

type configuration struct {
	Description *string     `json:"description,omitempty"`
	Metrics     []queryData `json:"metrics,omitempty"`
	AlarmRule   string      `json:"alarmRule,omitempty"`

	ActionsSuppressor                *string `json:"actionsSuppressor,omitempty"`
	ActionsSuppressorWaitPeriod      *int32  `json:"actionsSuppressorWaitPeriod,omitempty"`
	ActionsSuppressorExtensionPeriod *int32  `json:"actionsSuppressorExtensionPeriod,omitempty"`
}

type queryData struct {
	ID         string    `json:"id"`
	Expression string    `json:"expression,omitempty"`
	Label      string    `json:"label,omitempty"`
	MetricStat *statData `json:"metricStat,omitempty"`
	ReturnData bool      `json:"returnData"`
}

type statData struct {
	Metric metricData `json:"metric"`
	Period int32      `json:"period"`
	Stat   string     `json:"stat"`
}

type metricData struct {
	Namespace  string            `json:"namespace"`
	Name       string            `json:"name"`
	Dimensions map[string]string `json:"dimensions"`
}

type muteDetail struct {
	MutedByARN      string `json:"mutedByArn"`
	MuteWindowStart string `json:"muteWindowStart"`
	MuteWindowEnd   string `json:"muteWindowEnd"`
}

func (a *Alarm) data() alarmData {
	state := func(c Condition) stateData {
		return stateData{c.State, c.Reason, c.Data, stamp(c.At), c.by, c.suppressedReason()}
	}
	d := alarmData{AlarmName: a.Name, State: state(a.Now), PreviousState: state(a.Before), Configuration: configuration{Description: a.description()}}
	if a.Composite != nil {
		in := a.Composite
		d.Configuration = configuration{Description: a.description(), AlarmRule: *in.AlarmRule, ActionsSuppressor: in.ActionsSuppressor,
			ActionsSuppressorWaitPeriod: in.ActionsSuppressorWaitPeriod, ActionsSuppressorExtensionPeriod: in.ActionsSuppressorExtensionPeriod}
		return d
	}
	for _, id := range a.queries.order {
		q := a.queries.all[id]
		out := queryData{ID: id, Expression: core.Deref(q.Expression), Label: core.Deref(q.Label), ReturnData: q.ReturnData == nil || *q.ReturnData}
		if q.MetricStat != nil {
			out.MetricStat = &statData{metricData{q.metric.Namespace, q.metric.Name, q.metric.Dimensions}, core.Seconds(q.period), q.stat}
		}
		d.Configuration.Metrics = append(d.Configuration.Metrics, out)
	}
	return d
}

func (c Condition) suppressedReason() string {
	if c.by == "" {
		return ""
	}
	return "Actions suppressed by " + c.by
}

// functionEvent is what a function gets.
type functionEvent struct {
	Source    string    `json:"source"`
	AlarmARN  string    `json:"alarmArn"`
	AccountID string    `json:"accountId"`
	Time      string    `json:"time"`
	Region    string    `json:"region"`
	AlarmData alarmData `json:"alarmData"`
}

// emit puts the event of a transition on the bus. Actions that are not enabled or muted change nothing about that.
func (w *CloudWatch) emit(a *Alarm, mute *window) {
	const source, detailType = "aws.cloudwatch", "CloudWatch Alarm State Change"
	if !w.others.Bus.Wants(source, detailType) {
		return
	}
	d := a.data()
	if mute != nil {
		d.MuteDetail = &muteDetail{mute.by, stamp(mute.start), stamp(mute.end)}
	}
	w.others.Bus.Emit(core.Entry{Alarm: a.Name}, source, detailType, []string{a.ARN}, d)
}

// act does what an alarm is to do in the state that it has come into: each action on its own way, with its own luck.
func (w *CloudWatch) act(a *Alarm) {
	if !a.ActionsEnabled {
		return
	}
	for _, arn := range a.actions(a.Now.State) {
		if isPolicy(arn) {
			continue
		}
		subject, body := w.snsMessage(a)
		if strings.HasPrefix(arn, "arn:aws:lambda:") {
			subject, body = "", core.JSON(functionEvent{"aws.cloudwatch", a.ARN, w.Account, stamp(a.Now.At), w.Region, a.data()})
		}
		w.Deliver(core.Entry{Alarm: a.Name}, func() { w.others.Actions.Send(arn, subject, body, core.Entry{Alarm: a.Name}) })
	}
	if a.Metric != nil {
		a.acted = w.Now()
		w.scale(a, a.Now.value)
	}
}

// isPolicy reports whether an ARN is that of a scaling policy.
func isPolicy(arn string) bool { return strings.Contains(arn, ":scalingPolicy:") }
