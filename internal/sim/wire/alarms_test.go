package wire

import (
	"cmp"
	"errors"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwschemas "github.com/aws/aws-sdk-go-v2/service/cloudwatch/schemas"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/transport/http/protocol/awsjson"
	"github.com/aws/smithy-go/transport/http/protocol/awsquery"

	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/core"
)

// watches are the SDK's clients of CloudWatch in the protocols that it has, of one world.
func watches(t *testing.T) (*sim.World, map[string]*cloudwatch.Client) {
	t.Helper()
	world := sim.New(core.Config{})
	cfg := config(New(Config{World: world, Strict: true}).Handler())
	in := func(set func(*cloudwatch.Options)) *cloudwatch.Client { return cloudwatch.NewFromConfig(cfg, set) }
	return world, map[string]*cloudwatch.Client{
		"CBOR":  in(func(*cloudwatch.Options) {}),
		"JSON":  in(func(o *cloudwatch.Options) { o.Protocol = awsjson.New10(cwschemas.GraniteServiceVersion20100801) }),
		"query": in(func(o *cloudwatch.Options) { o.Protocol = awsquery.New(cwschemas.GraniteServiceVersion20100801) }),
	}
}

func putAlarm(name string) *cloudwatch.PutMetricAlarmInput {
	return &cloudwatch.PutMetricAlarmInput{
		AlarmName: &name, Namespace: new("Shop"), MetricName: new("Jobs"), Statistic: types.StatisticSum, Period: new(int32(60)),
		EvaluationPeriods: new(int32(1)), Threshold: new(10.5), ComparisonOperator: types.ComparisonOperatorGreaterThanThreshold,
	}
}

// TestMetricsOverHTTP: data and alarms, in each protocol.
func TestMetricsOverHTTP(t *testing.T) {
	world, clients := watches(t)
	for protocol, c := range clients {
		metric := &types.Metric{Namespace: new("Shop"), MetricName: &protocol, Dimensions: []types.Dimension{{Name: new("Queue"), Value: new("jobs")}}}
		begin := world.Now()
		for _, v := range []float64{1, 2.5, -3} {
			_, err := c.PutMetricData(t.Context(), &cloudwatch.PutMetricDataInput{Namespace: metric.Namespace, MetricData: []types.MetricDatum{
				{MetricName: metric.MetricName, Dimensions: metric.Dimensions, Value: &v}, {MetricName: new("Other"), Values: []float64{1, 2}, Counts: []float64{3, 4}}}})
			if err != nil {
				t.Fatal(protocol, err)
			}
			world.Advance(world.Now().Add(time.Minute))
		}
		in := &cloudwatch.GetMetricDataInput{StartTime: &begin, EndTime: new(world.Now()), ScanBy: types.ScanByTimestampAscending, MaxDatapoints: new(int32(2)),
			MetricDataQueries: []types.MetricDataQuery{{Id: new("m1"), MetricStat: &types.MetricStat{Metric: metric, Period: new(int32(60)), Stat: new("Sum")}},
				{Id: new("e1"), Expression: new("m1*2"), Label: new("twice")}}}
		var values, twice []float64
		pages := cloudwatch.NewGetMetricDataPaginator(c, in)
		for pages.HasMorePages() {
			out, err := pages.NextPage(t.Context())
			if err != nil {
				t.Fatal(protocol, err)
			}
			values, twice = append(values, out.MetricDataResults[0].Values...), append(twice, out.MetricDataResults[1].Values...)
		}
		if !slices.Equal(values, []float64{1, 2.5, -3}) || !slices.Equal(twice, []float64{2, 5, -6}) {
			t.Errorf("%s: %v %v", protocol, values, twice)
		}
		for _, name := range []string{"b-" + protocol, "a-" + protocol} {
			if _, err := c.PutMetricAlarm(t.Context(), putAlarm(name)); err != nil {
				t.Fatal(protocol, err)
			}
		}
		_, err := c.PutCompositeAlarm(t.Context(), &cloudwatch.PutCompositeAlarmInput{AlarmName: new("c-" + protocol), AlarmRule: new("ALARM(a-" + protocol + ")")})
		if err != nil {
			t.Fatal(protocol, err)
		}
		_, err = c.SetAlarmState(t.Context(), &cloudwatch.SetAlarmStateInput{AlarmName: new("a-" + protocol), StateValue: "ALARM", StateReason: new("a test")})
		if err != nil {
			t.Fatal(protocol, err)
		}
		out, err := c.DescribeAlarms(t.Context(), &cloudwatch.DescribeAlarmsInput{AlarmNames: []string{"a-" + protocol, "c-" + protocol, "none"},
			AlarmTypes: []types.AlarmType{"MetricAlarm", "CompositeAlarm"}, StateValue: "ALARM"})
		if err != nil || len(out.MetricAlarms) != 1 || len(out.CompositeAlarms) != 1 {
			t.Fatalf("%s: %+v %v", protocol, out, err)
		}
		if a := out.MetricAlarms[0]; *a.Threshold != 10.5 || *a.StateReason != "a test" || !a.StateTransitionedTimestamp.Equal(world.Now()) ||
			*a.DatapointsToAlarm != 1 {
			t.Errorf("%s: %+v", protocol, a)
		}
	}
}

// TestAlarmPages: all alarms, page by page; composite ones only if they are asked for.
func TestAlarmPages(t *testing.T) {
	_, clients := watches(t)
	c := clients["CBOR"]
	for i := range 120 {
		if _, err := c.PutMetricAlarm(t.Context(), putAlarm("alarm-"+strconv.Itoa(1000+i))); err != nil {
			t.Fatal(err)
		}
	}
	_, err := c.PutCompositeAlarm(t.Context(), &cloudwatch.PutCompositeAlarmInput{AlarmName: new("all"), AlarmRule: new("FALSE")})
	if err != nil {
		t.Fatal(err)
	}
	count := func(in cloudwatch.DescribeAlarmsInput) (n, pages int) {
		p := cloudwatch.NewDescribeAlarmsPaginator(c, &in)
		for p.HasMorePages() {
			out, err := p.NextPage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			n, pages = n+len(out.MetricAlarms)+len(out.CompositeAlarms), pages+1
		}
		return n, pages
	}
	for _, q := range []struct {
		in       cloudwatch.DescribeAlarmsInput
		n, pages int
	}{
		{cloudwatch.DescribeAlarmsInput{}, 120, 3},
		{cloudwatch.DescribeAlarmsInput{AlarmTypes: []types.AlarmType{"CompositeAlarm", "MetricAlarm"}, MaxRecords: new(int32(100))}, 121, 2},
		{cloudwatch.DescribeAlarmsInput{AlarmNamePrefix: new("alarm-110")}, 10, 1},
		{cloudwatch.DescribeAlarmsInput{StateValue: "OK"}, 0, 1},
	} {
		if n, pages := count(q.in); n != q.n || pages != q.pages {
			t.Errorf("%+v: %d in %d pages, want %d in %d", q.in, n, pages, q.n, q.pages)
		}
	}
}

// TestStaleAlarm: a read that lags shows the state that an alarm had, and since when.
func TestStaleAlarm(t *testing.T) {
	world := sim.New(core.Config{})
	stale := false
	api := New(Config{World: world, Faults: func(r Request) Fault {
		if stale && r.Operation == "DescribeAlarms" {
			return Fault{Kind: Stale, Lag: 2 * time.Second}
		}
		return Fault{}
	}})
	c := cloudwatch.NewFromConfig(config(api.Handler()))
	if _, err := c.PutMetricAlarm(t.Context(), putAlarm("a")); err != nil {
		t.Fatal(err)
	}
	made := world.Now()
	world.Advance(made.Add(2 * time.Second))
	if err := world.SetAlarmState("a", "ALARM", "a test", ""); err != nil {
		t.Fatal(err)
	}
	world.Advance(made.Add(3 * time.Second))
	for _, stale = range []bool{true, false} {
		out, err := c.DescribeAlarms(t.Context(), &cloudwatch.DescribeAlarmsInput{})
		want := map[bool]types.StateValue{true: "INSUFFICIENT_DATA", false: "ALARM"}[stale]
		if err != nil || out.MetricAlarms[0].StateValue != want || out.MetricAlarms[0].StateTransitionedTimestamp.After(made) == stale {
			t.Errorf("stale %v: %+v %v", stale, out.MetricAlarms, err)
		}
	}
}

// TestCloudWatchRefuses: the codes that the SDK and boto3 see, in each protocol.
func TestCloudWatchRefuses(t *testing.T) {
	world, clients := watches(t)
	put := func(change func(*types.MetricDatum)) *cloudwatch.PutMetricDataInput {
		d := types.MetricDatum{MetricName: new("Jobs"), Value: new(1.0)}
		change(&d)
		return &cloudwatch.PutMetricDataInput{Namespace: new("Shop"), MetricData: []types.MetricDatum{d}}
	}
	for protocol, c := range clients {
		refuses := func(what, code string, err error) {
			t.Helper()
			if protocol == "query" { // in which the SDK names errors by their types
				code = cmp.Or(map[string]string{"InvalidParameterValue": "InvalidParameterValueException", "ValidationError": "ValidationException",
					"MissingParameter": "MissingRequiredParameterException"}[code], code)
			}
			if e, ok := errors.AsType[smithy.APIError](err); !ok || e.ErrorCode() != code {
				t.Errorf("%s: %s: %v, want %s", protocol, what, err, code)
			}
		}
		_, err := c.SetAlarmState(t.Context(), &cloudwatch.SetAlarmStateInput{AlarmName: new("none"), StateValue: "OK", StateReason: new("x")})
		refuses("an alarm that is not there", "ResourceNotFound", err)
		if _, ok := errors.AsType[*types.ResourceNotFound](err); !ok {
			t.Errorf("%s: %v is not of the SDK's type", protocol, err)
		}
		for name, change := range map[string]func(*types.MetricDatum){
			"infinity": func(d *types.MetricDatum) { d.Value = new(math.Ldexp(1, 361)) },
			"old":      func(d *types.MetricDatum) { d.Timestamp = new(world.Now().Add(-15 * 24 * time.Hour)) },
			"future":   func(d *types.MetricDatum) { d.Timestamp = new(world.Now().Add(3 * time.Hour)) },
			"counts":   func(d *types.MetricDatum) { d.Value, d.Values, d.Counts = nil, []float64{1}, []float64{1, 2} },
		} {
			_, err := c.PutMetricData(t.Context(), put(change))
			refuses(name, "InvalidParameterValue", err)
		}
		_, err = c.PutMetricData(t.Context(), put(func(d *types.MetricDatum) { d.Value = nil }))
		refuses("no value", "MissingParameter", err)
		_, err = c.PutMetricData(t.Context(), &cloudwatch.PutMetricDataInput{Namespace: new("AWS/SQS"), MetricData: put(func(*types.MetricDatum) {}).MetricData})
		refuses("AWS's own namespace", "InvalidParameterValue", err)
		bad := putAlarm("bad")
		bad.Period = new(int32(45))
		_, err = c.PutMetricAlarm(t.Context(), bad)
		refuses("a period of 45 s", "ValidationError", err)
		_, err = c.DescribeAlarms(t.Context(), &cloudwatch.DescribeAlarmsInput{NextToken: new("nonsense")})
		refuses("a token", "InvalidNextToken", err)
	}
	// NaN is a number in CBOR only: JSON has none, and spells it.
	_, err := clients["CBOR"].PutMetricData(t.Context(), put(func(d *types.MetricDatum) { d.Value = new(math.NaN()) }))
	if e, ok := errors.AsType[smithy.APIError](err); !ok || e.ErrorCode() != "InvalidParameterValue" {
		t.Errorf("NaN: %v", err)
	}
}

// TestBadCBOR: bodies that are no requests are refused in CBOR.
func TestBadCBOR(t *testing.T) {
	h := New(Config{World: sim.New(core.Config{}), Strict: true}).Handler()
	for _, body := range []string{"\xff", "\xa1", "\xbf\x69AlarmName", "\x81\x01", "{}", strings.Repeat("\x81", 1000)} {
		r := httptest.NewRequest(http.MethodPost, "http://sim.invalid/service/GraniteServiceVersion20100801/operation/DescribeAlarms", strings.NewReader(body))
		r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=operator/20261121/eu-west-1/monitoring/aws4_request, SignedHeaders=host, Signature=0")
		r.Header.Set("Smithy-Protocol", "rpc-v2-cbor")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != http.StatusBadRequest || w.Header().Get("Smithy-Protocol") != "rpc-v2-cbor" || !strings.Contains(w.Body.String(), "SerializationException") {
			t.Errorf("%q: %d %q", body, w.Code, w.Body)
		}
	}
}
