package cloudwatch

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// TestMissingData: the two tables of the guide, where X breaches, 0 does not, and - is missing; the oldest comes first. The columns are missing,
// ignore, breaching and notBreaching; retain is the state that the alarm has.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
func TestMissingData(t *testing.T) {
	for _, c := range []struct {
		data string
		m    int
		want string
	}{
		{"0-X-X", 3, "OK OK OK OK"},
		{"0----", 3, "OK OK OK OK"},
		{"-----", 3, "INSUFFICIENT_DATA retain ALARM OK"},
		{"0XX-X", 3, "ALARM ALARM ALARM ALARM"},
		{"--X--", 3, "ALARM retain ALARM OK"},
		{"0-X-X", 2, "ALARM ALARM ALARM ALARM"},
		{"00X0X", 2, "ALARM ALARM ALARM ALARM"},
		{"0-X--", 2, "OK OK ALARM OK"},
		{"----0", 2, "OK OK ALARM OK"},
		{"---X-", 2, "ALARM retain ALARM OK"},
	} {
		var got []string
		for _, treat := range []string{"missing", "ignore", "breaching", "notBreaching"} {
			a := &Alarm{Metric: &cloudwatch.PutMetricAlarmInput{Threshold: new(0.5), ComparisonOperator: types.ComparisonOperatorGreaterThanThreshold,
				TreatMissingData: &treat, EvaluationPeriods: new(int32(3)), DatapointsToAlarm: new(int32(c.m))}}
			var samples []sample
			for _, r := range c.data {
				samples = append([]sample{{value: map[rune]float64{'X': 1}[r], known: r != '-'}}, samples...)
			}
			state := a.judge(samples, 3, c.m).State
			if state == "" {
				state = "retain"
			}
			got = append(got, state)
		}
		if text := strings.Join(got, " "); text != c.want {
			t.Errorf("%s, %d of 3: %s, want %s", c.data, c.m, text, c.want)
		}
	}
}

// quiet is whoever is told nothing.
type quiet struct{}

func (quiet) Wants(string, string) bool                             { return false }
func (quiet) Emit(core.Entry, string, string, []string, any)        {}
func (quiet) Send(string, string, string, core.Entry)               {}
func (quiet) Begin()                                                {}
func (quiet) Breached(policy string, threshold float64, at float64) {}

func newWatch() *CloudWatch {
	return New(core.New(core.Config{}), Others{Bus: quiet{}, Actions: quiet{}, Policies: quiet{}, Sources: quiet{}})
}

// TestExpressions: what metric math says of one period in which m1 is 12, m2 is 5, and m3 has no data.
func TestExpressions(t *testing.T) {
	w := newWatch()
	ask := func(expression string) (float64, bool, error) {
		queries := []types.MetricDataQuery{{Id: new("e1"), Expression: &expression}}
		for id, value := range map[string]float64{"m1": 12, "m2": 5, "m3": 0} {
			if value > 0 {
				if err := w.PutMetric(Datum{Metric: Metric{Namespace: "T", Name: id}, Values: []float64{value}}); err != nil {
					t.Fatal(err)
				}
			}
			queries = append(queries, types.MetricDataQuery{Id: &id, ReturnData: new(false), MetricStat: &types.MetricStat{Period: new(int32(60)),
				Stat: new("Average"), Metric: &types.Metric{Namespace: new("T"), MetricName: &id}}})
		}
		q, err := w.read(queries)
		if err != nil {
			return 0, false, err
		}
		v, ok := q.value("e1", w.Now().Truncate(time.Minute))
		return v, ok, nil
	}
	for text, want := range map[string]float64{
		"m1/m2": 2.4, "m1 + m2*2": 22, "(m1+m2)*2": 34, "-m1": -12, "2^3^1": 8, "10-2-3": 5, "CEIL(m1/m2)": 3, "FLOOR(m1/m2)": 2, "ABS(-m2)": 5,
		"FILL(m3, 7)": 7, "m1 / FILL(m3, 2)": 6, "MAX([m1, m2, m3])": 12, "MIN([m1,m2])": 5, "SUM([m1,m2,m3])": 17, "AVG([m1,m2])": 8.5,
		"IF(m1 > 10, 1, 0)": 1, "IF(m1 <= 10 OR m2 == 4, 1, 0)": 0, "IF(m1 > 10 AND m2 != 4, m1, m2)": 12, "m1/PERIOD(m1)": 0.2, "m1>=12 && m2<6": 1,
	} {
		if got, ok, err := ask(text); err != nil || !ok || got != want {
			t.Errorf("%s = %v %v %v, want %v", text, got, ok, err, want)
		}
	}
	for _, text := range []string{"m1/m3", "m1/0", "m3", "MAX([m3])", "IF(m3, 1, 2)"} {
		if got, ok, err := ask(text); err != nil || ok {
			t.Errorf("%s = %v %v, want no data", text, got, err)
		}
	}
	for _, text := range []string{"", "m1 +", "m1 m2", "(m1", "m9", "RATE(m1)", "MAX(m1)", "[m1]", "M1",
		"e1", "IF(m1)", "MAX([m1)", "?", strings.Repeat("(", 3000)} {
		if got, ok, err := ask(text); err == nil {
			t.Errorf("%s = %v %v, want an error", text, got, ok)
		}
	}
}

// TestRules: rules of composite alarms while a is in ALARM, b is OK, and c has insufficient data.
func TestRules(t *testing.T) {
	w := newWatch()
	for _, name := range []string{"a", "b", "c d"} {
		in := cloudwatch.PutMetricAlarmInput{AlarmName: &name, Namespace: new("T"), MetricName: new("m"), Statistic: "Sum", Period: new(int32(60)),
			EvaluationPeriods: new(int32(1)), Threshold: new(1.0), ComparisonOperator: "GreaterThanThreshold"}
		if err := w.PutMetricAlarm(in); err != nil {
			t.Fatal(err)
		}
	}
	w.FindAlarm("a").Now.State, w.FindAlarm("b").Now.State = InAlarm, OK
	state := func(id string) string { return w.FindAlarm(id).Now.State }
	for text, want := range map[string]bool{
		"ALARM(a)": true, `ALARM("a") AND OK('b')`: true, "ALARM(b) OR INSUFFICIENT_DATA(\"c d\")": true, "NOT ALARM(a)": false, "TRUE": true,
		"NOT (ALARM(b) OR OK(a))": true, "ALARM(a) AND NOT TRUE": false, "AT_LEAST(2, ALARM, (a, b))": false, "AT_LEAST(1, OK, (a, b))": true,
		"AT_LEAST(50%, ALARM, (a, b))": true, "AT_LEAST(51%, ALARM, (a, b))": false,
		"ALARM(" + w.FindAlarm("a").ARN + ")": true, "ALARM(b) OR ALARM(a) AND OK(b)": true,
	} {
		r, err := w.parseRule(text, "new")
		if err != nil || r.holds(state) != want {
			t.Errorf("%s: %v, want %v", text, err, want)
		}
	}
	for _, text := range []string{"", "ALARM", "ALARM(", "ALARM(z)", "ALARM(a", "ALARM(a) ALARM(b)", "ALARM(a, b)", "AND", "(TRUE", "AT_LEAST(0, OK, (a))",
		"AT_LEAST(1, a, (a))", `ALARM("a`, "NOT", "TRUE AND"} {
		if _, err := w.parseRule(text, "new"); err == nil {
			t.Errorf("%s: want an error", text)
		}
	}
	put := func(name, text string) error {
		return w.PutCompositeAlarm(cloudwatch.PutCompositeAlarmInput{AlarmName: &name, AlarmRule: &text})
	}
	if err := put("x", "ALARM(a)"); err != nil {
		t.Fatal(err)
	}
	if err := put("y", "ALARM(x)"); err != nil {
		t.Fatal(err)
	}
	if err := put("x", "ALARM(y)"); err == nil {
		t.Error("x follows y, which follows x: want an error")
	}
	w.Advance(w.Now().Add(time.Second))
	if got := w.FindAlarm("y").Now.State; got != InAlarm {
		t.Errorf("y is %s, want it to follow x, which follows a", got)
	}
}

// TestMuteSchedules: when mute rules are active. The world begins on Saturday, 21 November 2026, 09:00 UTC.
func TestMuteSchedules(t *testing.T) {
	for _, c := range []struct {
		expression, duration, zone string
		active                     bool
	}{
		{"cron(0 9 * * *)", "PT1H", "", true},
		{"cron(59 8 * * SAT)", "PT2M", "", true},
		{"cron(59 8 * * SAT)", "PT1M", "", false},
		{"cron(0 8 * * *)", "PT1H", "UTC", false}, // it has just ended
		{"cron(0 8,9 1-21 NOV 5-6)", "PT1M", "", true},
		{"cron(0 9 * * MON-FRI)", "PT1H", "", false},
		{"cron(0 9 15 * *)", "P7D", "", true},
		{"at(2026-11-21T08:30)", "PT31M", "", true},
		{"at(2026-11-21T09:01)", "PT1H", "", false},
	} {
		w := newWatch()
		in := cloudwatch.PutAlarmMuteRuleInput{Name: new("m"), MuteTargets: &types.MuteTargets{AlarmNames: []string{"a"}}, Rule: &types.Rule{
			Schedule: &types.Schedule{Expression: &c.expression, Duration: &c.duration, Timezone: core.Optional(c.zone)}}}
		if err := w.PutMute(in); err != nil {
			t.Fatal(c, err)
		}
		if got := w.muting(&Alarm{Name: "a"}) != nil; got != c.active {
			t.Errorf("%s for %s in %q: %v, want %v", c.expression, c.duration, c.zone, got, c.active)
		}
		if w.muting(&Alarm{Name: "b"}) != nil {
			t.Errorf("%s mutes an alarm that it does not name", c.expression)
		}
	}
	for _, c := range [][3]string{
		{"cron(0 9 * *)", "PT1H", ""}, {"cron(60 9 * * *)", "PT1H", ""}, {"cron(0 9 * * FRI-MON)", "PT1H", ""},
		{"rate(1 day)", "PT1H", ""},
		{"at(2026-11-21)", "PT1H", ""}, {"cron(0 9 * * *)", "1h", ""}, {"cron(0 9 * * *)", "P16D", ""},
		{"cron(0 9 * * *)", "PT1H", "Nowhere"}, {"cron(0 9 * * *)", "P", ""},
	} {
		err := newWatch().PutMute(cloudwatch.PutAlarmMuteRuleInput{Name: new("m"), MuteTargets: &types.MuteTargets{AlarmNames: []string{"a"}}, Rule: &types.Rule{
			Schedule: &types.Schedule{Expression: &c[0], Duration: &c[1], Timezone: core.Optional(c[2])}}})
		if err == nil {
			t.Errorf("%v: want an error", c)
		}
	}
}

// TestNumbers: as CloudWatch writes them.
func TestNumbers(t *testing.T) {
	for want, n := range map[string]number{"100.0": 100, "0.1": 0.1, "-3.5": -3.5, "0.0": 0, "1.0E7": 1e7, "1.25E12": 1.25e12, "9999999.0": 9999999} {
		if got := n.String(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
