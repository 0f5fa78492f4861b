package cloud

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

// saying answers each operation with a text of JSON.
func saying(answers map[string]string) func(any) (any, error) {
	return func(in any) (any, error) {
		_, operation, _ := strings.Cut(in.(plainAsk).operation, ":")
		text, ok := answers[operation]
		if !ok {
			return nil, errBroken
		}
		return &text, nil
	}
}

const someAlarms = `{"MetricAlarms": [
 {"AlarmName": "up", "StateValue": "ALARM", "StateTransitionedTimestamp": 1764406800.5, "ActionsEnabled": true, "EvaluationState": "PARTIAL_DATA",
  "StateReasonData": "{\"recentDatapoints\":[70.0,85.5],\"threshold\":80.0}"},
 {"AlarmName": "off", "StateValue": "ALARM", "StateTransitionedTimestamp": 1764406800, "ActionsEnabled": false}],
 "CompositeAlarms": [{"AlarmName": "both", "StateValue": "OK", "StateTransitionedTimestamp": 1764406800, "ActionsEnabled": true}]}`

func TestAlarms(t *testing.T) {
	since := time.Unix(1764406800, 0).UTC()
	want := []fleet.Alarm{
		{Name: "up", State: "ALARM", Since: since.Add(500 * time.Millisecond), Trouble: "PARTIAL_DATA", Breach: new(5.5), Muted: true},
		{Name: "off", State: "ALARM", Since: since, Muted: true}, {Name: "both", State: "OK", Since: since},
	}
	look := plan.LookFor(plan.Alarms, "", "up", "off", "both", "none")
	c, f := newFake(saying(map[string]string{"DescribeAlarms": someAlarms, "ListAlarmMuteRules": `{"AlarmMuteRuleSummaries": [{"Status": "ACTIVE"}]}`}))
	s := c.Look(t.Context(), look)
	if s.Err != nil || s.Calls != 3 || len(s.Failed) > 0 || !cmp.Equal(s.View.Alarms, want) {
		t.Errorf("%+v\n%s", s, cmp.Diff(want, s.View.Alarms))
	}
	if asked := f.asked[0].(plainAsk).names[0]; !strings.Contains(asked, `"CompositeAlarm"`) || !strings.Contains(asked, `"none"`) {
		t.Errorf("asked %s", asked)
	}
	c, _ = newFake(saying(map[string]string{"DescribeAlarms": someAlarms, "ListAlarmMuteRules": `{"AlarmMuteRuleSummaries": []}`}))
	if s = c.Look(t.Context(), look); s.Calls != 2 || s.View.Alarms[0].Muted {
		t.Errorf("no rule is active, and one call says so for all alarms: %+v", s)
	}
	if s = c.Look(t.Context(), plan.LookFor(plan.Alarms, "", numbered(500)...)); s.Calls != 6 || s.Calls != plan.Alarms.Spec().Calls {
		t.Errorf("500 alarms take %d calls, want five of 100 and one about mute rules", s.Calls)
	}
	c, _ = newFake(saying(map[string]string{"DescribeAlarms": someAlarms})) // whether it is muted cannot be read
	if s = c.Look(t.Context(), look); len(s.Failed) != 1 || s.Failed[0].ID != "up" || len(s.View.Alarms) != 2 {
		t.Errorf("an alarm of which nobody knows whether it is muted: %+v", s)
	}
}

func numbered(n int) (names []string) {
	for i := range n {
		names = append(names, fmt.Sprint("alarm-", i))
	}
	return names
}

func TestBacklogs(t *testing.T) {
	look := plan.LookFor(plan.Backlogs, "", "https://sqs/jobs")
	const all = `{"Attributes": {"ApproximateNumberOfMessages": "7", "ApproximateNumberOfMessagesNotVisible": "2", "ApproximateNumberOfMessagesDelayed": "1"}}`
	c, _ := newFake(saying(map[string]string{"GetQueueAttributes": all}))
	want := []fleet.Backlog{{Queue: "https://sqs/jobs", Visible: 7, InFlight: 2, Delayed: 1}}
	if s := c.Look(t.Context(), look); s.Err != nil || !slices.Equal(s.View.Backlogs, want) {
		t.Errorf("%+v", s)
	}
	for _, bad := range []string{`{}`, strings.Replace(all, "7", "-7", 1), strings.Replace(all, `"2"`, `"many"`, 1)} {
		c, _ := newFake(saying(map[string]string{"GetQueueAttributes": bad}))
		if s := c.Look(t.Context(), look); s.Err == nil || len(s.View.Backlogs) > 0 {
			t.Errorf("%s is read as %+v", bad, s.View.Backlogs)
		}
	}
}

func TestMetrics(t *testing.T) {
	a := fleet.Metric{Namespace: "App", Name: "rps", Dimensions: map[string]string{"z": "1", "a": "2"}, Stat: "Sum", Period: 10 * time.Second}
	b, none := a, a
	b.Name, none.Name = "lag", "none"
	look := plan.LookFor(plan.Metrics, "", plan.MetricID(a), plan.MetricID(b), plan.MetricID(none))
	look.Until = time.Unix(1764406805, 0)
	c, f := newFake(saying(map[string]string{"GetMetricData": `{"MetricDataResults": [
	 {"Id": "m0", "StatusCode": "Complete", "Timestamps": [1764406800, 1764406790, 1764406780], "Values": [3, 12.5, 11]},
	 {"Id": "m1", "StatusCode": "Forbidden", "Timestamps": [], "Values": []}, {"Id": "m2", "StatusCode": "Complete", "Timestamps": [], "Values": []},
	 {"Id": "m9", "Timestamps": [1764406790], "Values": [1]}]}`}))
	s := c.Look(t.Context(), look)
	want := []fleet.Datapoint{{Metric: plan.MetricID(a), From: time.Unix(1764406790, 0).UTC(), Value: 12.5}}
	if s.Err != nil || !cmp.Equal(s.View.Datapoints, want) || len(s.Failed) != 1 || s.Failed[0].ID != plan.MetricID(b) {
		t.Errorf("%+v", s)
	}
	if asked := f.asked[0].(plainAsk).names[0]; !strings.Contains(asked, `[{"Name":"a","Value":"2"},{"Name":"z","Value":"1"}]`) {
		t.Errorf("asked %s", asked)
	}
}
