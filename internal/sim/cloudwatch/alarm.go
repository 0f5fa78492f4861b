package cloudwatch

import (
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// The states of an alarm.
const (
	OK           = "OK"
	InAlarm      = "ALARM"
	Insufficient = "INSUFFICIENT_DATA"
)

// Alarm is a metric alarm or a composite one.
type Alarm struct {
	Name, ARN       string
	Metric          *cloudwatch.PutMetricAlarmInput    // as it was put; nil: it is composite
	Composite       *cloudwatch.PutCompositeAlarmInput // as it was put; nil: it watches metrics
	ActionsEnabled  bool
	Now, Before     Condition // Before: until the last transition
	EvaluationState string    // PARTIAL_DATA, EVALUATION_ERROR, EVALUATION_FAILURE; empty: it is evaluated as it should be
	Configured      time.Time

	queries *queries
	rule    rule
	put     int        // how often it was put
	trail   core.Trail // of its states
	muted   bool       // the actions of the last transition were muted
	acted   time.Time  // when its scaling policies were last invoked
}

// Condition is the state of an alarm, and why and since when.
type Condition struct {
	State, Reason, Data string // Data: JSON
	At                  time.Time
	value               float64 // that brought it there
	triggers            []trigger
	by                  string // what keeps the alarm from acting; empty: nothing
}

// trigger is a child that brought a composite alarm into a state.
type trigger struct {
	arn string
	Condition
}

// Alarms are the alarms in the order of their names.
func (w *CloudWatch) Alarms() []*Alarm { return slices.Clone(w.alarms) }

// FindAlarm is the alarm of a name or ARN, or nil.
func (w *CloudWatch) FindAlarm(id string) *Alarm {
	for _, a := range w.alarms {
		if a.Name == id || a.ARN == id {
			return a
		}
	}
	return nil
}

// PutMetricAlarm makes or changes an alarm. A new one has insufficient data; one that is there keeps its state until it is evaluated.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
func (w *CloudWatch) PutMetricAlarm(in cloudwatch.PutMetricAlarmInput) error {
	q, err := w.watched(in)
	if err != nil {
		return err
	}
	if in.DatapointsToAlarm == nil {
		in.DatapointsToAlarm = in.EvaluationPeriods
	}
	a := w.set(*in.AlarmName, in.ActionsEnabled)
	a.Metric, a.Composite, a.queries, a.rule = &in, nil, q, rule{}
	w.watch(a)
	return nil
}

// PutCompositeAlarm makes or changes an alarm that follows others.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutCompositeAlarm.html
func (w *CloudWatch) PutCompositeAlarm(in cloudwatch.PutCompositeAlarmInput) error {
	if err := w.checkSuppressor(in); err != nil {
		return err
	}
	if slices.ContainsFunc(slices.Concat(in.AlarmActions, in.OKActions, in.InsufficientDataActions), isPolicy) {
		return refuse("Composite alarms cannot have Auto Scaling actions.")
	}
	r, err := w.parseRule(*in.AlarmRule, *in.AlarmName)
	if err != nil {
		return err
	}
	a := w.set(*in.AlarmName, in.ActionsEnabled)
	a.Composite, a.Metric, a.rule, a.queries = &in, nil, r, nil
	w.After(0, func() { w.follow(a, trigger{}) })
	return nil
}

// set is the alarm of a name, which is made if there is none.
func (w *CloudWatch) set(name string, enabled *bool) *Alarm {
	a := w.FindAlarm(name)
	if a == nil {
		a = &Alarm{Name: name, ARN: w.ARN("cloudwatch", "alarm:"+name),
			Now: Condition{State: Insufficient, Reason: "Unchecked: Initial alarm creation", At: w.Now()}}
		a.trail.Mark(w.Now(), Insufficient, "")
		i, _ := slices.BinarySearchFunc(w.alarms, name, func(a *Alarm, name string) int { return strings.Compare(a.Name, name) })
		w.alarms = slices.Insert(w.alarms, i, a)
	}
	a.ActionsEnabled, a.Configured = enabled == nil || *enabled, w.Now()
	a.put++
	return a
}

// DeleteAlarms removes alarms; if one is not there, none.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DeleteAlarms.html
func (w *CloudWatch) DeleteAlarms(names []string) error {
	for _, name := range names {
		if w.FindAlarm(name) == nil {
			return notFound()
		}
	}
	w.alarms = slices.DeleteFunc(w.alarms, func(a *Alarm) bool { return slices.Contains(names, a.Name) })
	return nil
}

func notFound() error {
	return &core.Error{Code: "ResourceNotFound", Message: "Unknown alarm", Status: 404}
}

// SetAlarmState sets a state until the next evaluation. If it is another one the alarm acts.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_SetAlarmState.html
func (w *CloudWatch) SetAlarmState(name, state, reason, data string) error {
	a := w.FindAlarm(name)
	switch {
	case a == nil || a.Name != name:
		return notFound()
	case !slices.Contains(types.StateValue("").Values(), types.StateValue(state)):
		return refuse("1 validation error detected: Value '%s' at 'stateValue' failed to satisfy constraint: Member must satisfy enum value set: "+
			"[INSUFFICIENT_DATA, ALARM, OK]", state)
	}
	w.change(a, Condition{State: state, Reason: reason, Data: data})
	return nil
}

// EnableAlarmActions lets alarms act, or not. Names that are not there are left out.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_EnableAlarmActions.html
func (w *CloudWatch) EnableAlarmActions(names []string, enable bool) {
	for _, name := range names {
		if a := w.FindAlarm(name); a != nil {
			a.ActionsEnabled = enable
		}
	}
}

// SetEvaluationState lets a story say that CloudWatch cannot evaluate an alarm as it should; empty: it can.
func (w *CloudWatch) SetEvaluationState(name, state string) error {
	a := w.FindAlarm(name)
	if a == nil {
		return notFound()
	}
	a.EvaluationState = state
	return nil
}

// description is what an alarm was told to say of itself.
func (a *Alarm) description() *string {
	if a.Metric != nil {
		return a.Metric.AlarmDescription
	}
	return a.Composite.AlarmDescription
}

// actions are the ARNs of what is to be done in a state.
func (a *Alarm) actions(state string) []string {
	ok, alarm, insufficient := a.lists()
	return map[string][]string{OK: ok, InAlarm: alarm, Insufficient: insufficient}[state]
}

func (a *Alarm) lists() (ok, alarm, insufficient []string) {
	if a.Metric != nil {
		return a.Metric.OKActions, a.Metric.AlarmActions, a.Metric.InsufficientDataActions
	}
	return a.Composite.OKActions, a.Composite.AlarmActions, a.Composite.InsufficientDataActions
}

// seen is the condition that a read shows, which may lag.
func (a *Alarm) seen(then time.Time) Condition {
	if m := a.trail.At(then); m.State != "" && m.Since.Before(a.Now.At) {
		return Condition{State: m.State, Reason: m.Second, At: m.Since}
	}
	return a.Now
}
