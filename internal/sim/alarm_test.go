package sim

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	awscw "github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/ebbhq/ebb/internal/sim/cloudwatch"
	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/lambda"
	"github.com/ebbhq/ebb/internal/sim/sqs"
)

// queueAlarm watches a metric that only the test puts.
var queueAlarm = cloudwatch.AlarmSpec{Name: "jobs-high", Namespace: "Shop", Metric: "Jobs", Dimensions: map[string]string{"Queue": "jobs"}, Threshold: 100,
	Comparison: ">", Periods: 2, Actions: []string{"wrapped", "raw", "function:fn"}, OKActions: []string{"raw"}, MissingData: "notBreaching"}

// withAlarm is a small world with queues that hear of the alarm in three ways, and a function that it invokes.
func withAlarm(t *testing.T, change func(*Spec)) (bench, *hands) {
	t.Helper()
	return withFunction(t, func(s *Spec) {
		s.Queues = append(s.Queues, QueueSpec{Name: "wrapped-q"}, QueueSpec{Name: "raw-q"}, QueueSpec{Name: "bus-q"})
		s.Topics = append(s.Topics, TopicSpec{Name: "wrapped", Subscriptions: []SubscriptionSpec{{Queue: "wrapped-q"}}},
			TopicSpec{Name: "raw", Subscriptions: []SubscriptionSpec{{Queue: "raw-q", Raw: true}}})
		s.Rules = append(s.Rules, RuleSpec{Name: "alarms", Targets: []string{"bus-q"},
			Pattern: `{"source":["aws.cloudwatch"],"detail-type":["CloudWatch Alarm State Change"]}`})
		s.Alarms = []cloudwatch.AlarmSpec{queueAlarm}
		if change != nil {
			change(s)
		}
	})
}

func (b bench) put(value float64) {
	b.t.Helper()
	metric := cloudwatch.Metric{Namespace: "Shop", Name: "Jobs", Dimensions: map[string]string{"Queue": "jobs"}}
	b.must(b.PutMetric(cloudwatch.Datum{Metric: metric, Values: []float64{value}}))
}

// minutes puts a value at the beginning of each of some minutes, and lets them pass.
func (b bench) minutes(values ...float64) {
	b.t.Helper()
	for _, v := range values {
		b.put(v)
		b.pass(time.Minute)
	}
}

// taken are the messages of a queue, which are deleted.
func (b bench) taken(queue string) []string {
	b.t.Helper()
	got := b.receive(queue, 10)
	for _, m := range got {
		b.must(b.DeleteMessage(queue, m.Handle))
	}
	return core.Mapped(got, func(m sqs.Message) string { return m.Body })
}

func (b bench) alarms(name string) string {
	return b.course(core.EntryAlarm, func(e core.Entry) bool { return e.Alarm == name })
}

// TestAlarmActsOnChangesOnly: two of two minutes over the threshold, then an hour of it: one message; and one more when it is over.
func TestAlarmActsOnChangesOnly(t *testing.T) {
	b, h := withAlarm(t, nil)
	b.minutes(50, 50, 150)
	if got := b.FindAlarm("jobs-high").Now.State; got != "OK" {
		t.Errorf("after one minute over the threshold: %s", got)
	}
	for range 60 {
		b.minutes(150)
	}
	other := func(v lambda.Invocation) bool { return v.ID != h.given[0].ID } // the same one is tried again
	if len(b.taken("raw-q")) != 2 || slices.ContainsFunc(h.given, other) {   // OK from the beginning, and ALARM
		t.Errorf("an alarm that lasts is told again: %s", b.alarms("jobs-high"))
	}
	b.minutes(50, 50, 50)
	if got, want := b.alarms("jobs-high"), "OK ALARM OK"; got != want {
		t.Errorf("the alarm went %s, want %s", got, want)
	}
}

// TestAlarmEnvelopes: the same transition in its four forms.
func TestAlarmEnvelopes(t *testing.T) {
	b, h := withAlarm(t, nil)
	b.minutes(50, 50, 50)
	for _, q := range []string{"raw-q", "bus-q", "wrapped-q"} {
		b.taken(q)
	}
	b.minutes(120, 120.5, 120, 120)
	a := b.FindAlarm("jobs-high")
	raw := fieldsOf(t, b.taken("raw-q")[0])
	wantFields(t, raw, "AlarmName", "AlarmDescription", "AWSAccountId", "AlarmConfigurationUpdatedTimestamp", "NewStateValue", "NewStateReason", "StateChangeTime",
		"Region", "AlarmArn", "OldStateValue", "OKActions", "AlarmActions", "InsufficientDataActions", "Trigger")
	trigger := raw["Trigger"].(map[string]any)
	wantFields(t, trigger, "MetricName", "Namespace", "StatisticType", "Statistic", "Unit", "Dimensions", "Period", "EvaluationPeriods", "DatapointsToAlarm",
		"ComparisonOperator", "Threshold", "TreatMissingData", "EvaluateLowSampleCountPercentile")
	at := a.Now.At.Format("2006-01-02T15:04:05.000") + "+0000"
	reason := "Threshold Crossed: 2 out of the last 2 datapoints [120.5 (21/11/26 09:04:00), 120.0 (21/11/26 09:03:00)] were greater than the threshold (100.0) " +
		"(minimum 2 datapoints for OK -> ALARM transition)."
	if raw["NewStateValue"] != "ALARM" || raw["OldStateValue"] != "OK" || raw["StateChangeTime"] != at || raw["Region"] != "EU (Ireland)" ||
		raw["AlarmArn"] != "arn:aws:cloudwatch:eu-west-1:111122223333:alarm:jobs-high" || raw["NewStateReason"] != reason || trigger["Statistic"] != "AVERAGE" {
		t.Errorf("raw %v", raw)
	}
	wrapped := fieldsOf(t, b.taken("wrapped-q")[0])
	if wrapped["Subject"] != `ALARM: "jobs-high" in EU (Ireland)` || !strings.Contains(wrapped["Message"].(string), `"Threshold":100.0,`) ||
		fieldsOf(t, wrapped["Message"].(string))["NewStateReason"] != reason {
		t.Errorf("wrapped %v", wrapped)
	}
	event := fieldsOf(t, b.taken("bus-q")[0])
	detail := event["detail"].(map[string]any)
	wantFields(t, detail, "alarmName", "state", "previousState", "configuration")
	state := detail["state"].(map[string]any)
	data := state["reasonData"].(string)
	if event["detail-type"] != "CloudWatch Alarm State Change" || event["resources"].([]any)[0] != a.ARN || state["value"] != "ALARM" ||
		state["timestamp"] != at || state["reason"] != reason || !strings.Contains(data, `"recentDatapoints":[120.0,120.5],"threshold":100.0`) ||
		detail["previousState"].(map[string]any)["value"] != "OK" {
		t.Errorf("event %v", event)
	}
	metric := detail["configuration"].(map[string]any)["metrics"].([]any)[0].(map[string]any)["metricStat"].(map[string]any)["metric"].(map[string]any)
	if metric["dimensions"].(map[string]any)["Queue"] != "jobs" || metric["namespace"] != "Shop" || metric["name"] != "Jobs" {
		t.Errorf("metric %v", metric)
	}
	direct := fieldsOf(t, string(h.last(t).Payload))
	wantFields(t, direct, "source", "alarmArn", "accountId", "time", "region", "alarmData")
	if same, _ := json.Marshal(direct["alarmData"]); string(same) != core.JSON(detail) || direct["alarmArn"] != a.ARN || direct["time"] != at {
		t.Errorf("direct %v\nwant the detail of the event %v", direct, detail)
	}
}

// TestSetAlarmState lasts until the next evaluation, acts only on a change, and is seen late by reads that lag.
func TestSetAlarmState(t *testing.T) {
	b, _ := withAlarm(t, nil)
	b.minutes(50, 50, 50)
	b.taken("raw-q")
	set := func(state string) { b.must(b.SetAlarmState("jobs-high", state, "by hand", "")) }
	set("ALARM")
	set("ALARM")
	b.pass(5 * time.Second)
	if got := b.taken("raw-q"); len(got) != 1 {
		t.Errorf("%d messages of one change", len(got))
	}
	b.put(50)
	b.pass(time.Minute)
	if got, want := b.alarms("jobs-high"), "OK ALARM OK"; got != want {
		t.Errorf("the alarm went %s, want %s", got, want)
	}
	if b.SetAlarmState("none", "OK", "x", "") == nil || b.SetAlarmState("jobs-high", "FINE", "x", "") == nil {
		t.Error("an unknown alarm or state is taken")
	}
	b.EnableAlarmActions([]string{"jobs-high"}, false)
	b.taken("raw-q")
	set("ALARM")
	b.pass(10 * time.Second)
	if len(b.taken("raw-q")) != 0 || len(b.taken("bus-q")) == 0 {
		t.Error("actions that are disabled are sent, or the event is not")
	}
}

// TestAlarmComesTwice: of one transition there may be two messages, which say the same.
func TestAlarmComesTwice(t *testing.T) {
	b, _ := withAlarm(t, func(s *Spec) { s.Switches.Duplicate = 100 })
	b.minutes(50, 50, 50)
	var states []any
	for range 20 {
		for _, text := range b.taken("raw-q") {
			states = append(states, fieldsOf(t, text)["StateChangeTime"])
		}
	}
	if len(states) < 2 || states[0] != states[1] {
		t.Errorf("transitions %v", states)
	}
}

// TestMissingMetric: data that come late, or not at all.
func TestMissingMetric(t *testing.T) {
	b, _ := withAlarm(t, func(s *Spec) {
		s.Alarms[0].MissingData = ""
		s.Switches.MetricLate = 2 * time.Minute
	})
	b.minutes(150, 150, 150, 150)
	if got := b.FindAlarm("jobs-high").Now; got.State != "ALARM" || !strings.Contains(got.Reason, "1 out of the last 2") {
		t.Errorf("data that are two minutes late: %+v", got)
	}
	b.pass(10 * time.Minute)
	if got := b.FindAlarm("jobs-high").Now; got.State != "INSUFFICIENT_DATA" || got.Reason != "Insufficient Data: 2 datapoints were unknown." {
		t.Errorf("no data: %+v", got)
	}
}

// TestFineAlarm: a period of ten seconds is evaluated every ten seconds, and finds only data of that resolution.
func TestFineAlarm(t *testing.T) {
	b, _ := withAlarm(t, func(s *Spec) {
		s.Alarms[0].Period, s.Alarms[0].Periods, s.Alarms[0].MissingData = 10*time.Second, 3, ""
		again := s.Alarms[0]
		again.Name, again.Metric = "coarse", "Coarse"
		s.Alarms = append(s.Alarms, again)
	})
	began := b.Now()
	for range 9 {
		for name, fine := range map[string]bool{"Jobs": true, "Coarse": false} {
			b.must(b.PutMetric(cloudwatch.Datum{Metric: cloudwatch.Metric{Namespace: "Shop", Name: name, Dimensions: map[string]string{"Queue": "jobs"}},
				Values: []float64{150}, Fine: fine}))
		}
		b.pass(10 * time.Second)
	}
	if got := b.FindAlarm("jobs-high").Now; got.State != "ALARM" || got.At.Sub(began) > 40*time.Second {
		t.Errorf("after %v: %+v", got.At.Sub(began), got)
	}
	if got := b.FindAlarm("coarse").Now; got.State == "ALARM" && strings.Contains(got.Reason, "3 out of") {
		t.Errorf("an alarm that looks at tens of seconds takes the data of minutes: %+v", got)
	}
}

// TestMuteRule: what happens while the actions are muted is told as an event that says so, and done afterwards if it still holds.
func TestMuteRule(t *testing.T) {
	for _, over := range []bool{false, true} {
		b, _ := withAlarm(t, nil)
		b.minutes(50, 50, 50)
		b.taken("raw-q")
		b.taken("bus-q")
		b.must(b.PutMute(awscw.PutAlarmMuteRuleInput{Name: new("roll"), MuteTargets: &types.MuteTargets{AlarmNames: []string{"jobs-high"}}, Rule: &types.Rule{
			Schedule: &types.Schedule{Expression: new("at(2026-11-21T09:00)"), Duration: new("PT10M")}}}))
		b.minutes(150, 150, 150)
		if len(b.taken("raw-q")) != 0 || b.FindAlarm("jobs-high").Now.State != "ALARM" {
			t.Fatalf("a muted alarm acts, or does not change: %s", b.alarms("jobs-high"))
		}
		detail := fieldsOf(t, b.taken("bus-q")[0])["detail"].(map[string]any)["muteDetail"].(map[string]any)
		if detail["mutedByArn"] != "arn:aws:cloudwatch:eu-west-1:111122223333:alarm-mute-rule:roll" ||
			detail["muteWindowStart"] != "2026-11-21T09:00:00.000+0000" ||
			detail["muteWindowEnd"] != "2026-11-21T09:10:00.000+0000" {
			t.Errorf("mute detail %v", detail)
		}
		if over {
			b.minutes(50, 50, 50)
		}
		for b.Now().Before(b.Start().Add(11 * time.Minute)) {
			b.minutes(map[bool]float64{true: 50, false: 150}[over])
		}
		want := map[bool]string{true: "OK", false: "ALARM"}[over] // what it has become in the window, and still is
		if got := b.taken("raw-q"); len(got) != 1 || fieldsOf(t, got[0])["NewStateValue"] != want {
			t.Errorf("over %v: after the window %v", over, got)
		}
	}
}

// TestCompositeAlarm follows its children and says which one moved it.
func TestCompositeAlarm(t *testing.T) {
	b, _ := withAlarm(t, func(s *Spec) {
		other := s.Alarms[0]
		s.Alarms[0].Actions, s.Alarms[0].OKActions = nil, nil
		other.Name, other.Metric, other.Actions, other.OKActions = "other", "Other", nil, nil
		s.Alarms = append(s.Alarms, other, cloudwatch.AlarmSpec{Name: "both", Rule: "ALARM(jobs-high) AND NOT ALARM(other)", Actions: []string{"raw"}})
	})
	b.minutes(50, 50, 150, 150, 150)
	raw := fieldsOf(t, b.taken("raw-q")[0])
	child := raw["TriggeringChildren"].([]any)[0].(map[string]any)
	if raw["AlarmRule"] == nil || raw["Trigger"] != nil || child["Arn"] != b.FindAlarm("jobs-high").ARN ||
		child["State"].(map[string]any)["Value"] != "ALARM" ||
		!strings.HasPrefix(raw["NewStateReason"].(string), b.FindAlarm("jobs-high").ARN+" transitioned to ALARM at Saturday 21 November, 2026 09:") {
		t.Errorf("composite %v", raw)
	}
	b.must(b.SetAlarmState("other", "ALARM", "by hand", ""))
	if got := b.FindAlarm("both").Now.State; got != "OK" {
		t.Errorf("it does not follow its other child: %s", got)
	}
}

// TestSuppressor: a composite alarm does not act while its suppressor is in ALARM, may yet come into it, or has just left it. Once that is over it acts,
// and an event says so whose states are the same.
func TestSuppressor(t *testing.T) {
	for _, comes := range []bool{false, true} {
		b, _ := withAlarm(t, func(s *Spec) {
			s.Alarms[0].Actions, s.Alarms[0].OKActions, s.Alarms[0].MissingData = nil, nil, "ignore"
			other := s.Alarms[0]
			other.Name, other.Metric = "roll", "Other"
			s.Alarms = append(s.Alarms, other, cloudwatch.AlarmSpec{Name: "both", Rule: "ALARM(jobs-high)", Actions: []string{"raw"}, Suppressor: "roll",
				Wait: 20 * time.Second, Extension: 15 * time.Second})
		})
		b.pass(10 * time.Second)
		b.taken("bus-q")
		b.must(b.SetAlarmState("jobs-high", "ALARM", "a test", ""))
		b.pass(10 * time.Second)
		if comes {
			b.must(b.SetAlarmState("roll", "ALARM", "a test", ""))
		}
		b.pass(5 * time.Second)
		if len(b.taken("raw-q")) != 0 {
			t.Fatal("it acts at once")
		}
		b.pass(10 * time.Second)
		if got := len(b.taken("raw-q")); got != map[bool]int{true: 0, false: 1}[comes] {
			t.Errorf("the suppressor comes %v: %d messages after the wait", comes, got)
		}
		if !comes {
			continue
		}
		b.must(b.SetAlarmState("roll", "OK", "a test", ""))
		b.pass(10 * time.Second)
		if len(b.taken("raw-q")) != 0 {
			t.Error("it acts before the extension is over")
		}
		b.taken("bus-q")
		b.pass(15 * time.Second)
		if got := len(b.taken("raw-q")); got != 1 {
			t.Errorf("%d messages after the extension", got)
		}
		detail := fieldsOf(t, b.taken("bus-q")[0])["detail"].(map[string]any)
		was, is := detail["previousState"].(map[string]any), detail["state"].(map[string]any)
		if was["value"] != "ALARM" || is["value"] != "ALARM" || was["actionsSuppressedBy"] != "ExtensionPeriod" || is["actionsSuppressedBy"] != nil {
			t.Errorf("event %v", detail)
		}
	}
}

// TestMathAlarm: the value of an expression, and how the message says so.
func TestMathAlarm(t *testing.T) {
	b, _ := withAlarm(t, func(s *Spec) {
		s.Alarms[0].Math = []cloudwatch.MathSpec{
			{ID: "m1", Namespace: "Shop", Metric: "Jobs", Dimensions: map[string]string{"Queue": "jobs"}}, {ID: "e1", Expression: "m1*2"},
		}
	})
	b.minutes(10, 10, 60, 60, 60)
	got := b.taken("raw-q")
	raw := fieldsOf(t, got[len(got)-1])
	trigger := raw["Trigger"].(map[string]any)
	if raw["NewStateValue"] != "ALARM" || !strings.Contains(raw["NewStateReason"].(string), "[120.0 ") || trigger["MetricName"] != nil ||
		len(trigger["Metrics"].([]any)) != 2 {
		t.Errorf("%v", raw)
	}
}
