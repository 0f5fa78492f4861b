package event

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func at(s string) time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		panic(err)
	}
	return t
}

// terminating is the lifecycle action that most files in testdata carry.
func terminating(via string, change func(*Event)) Event {
	e := Event{
		Kind: TerminateAction, Account: "111122223333", Group: "web", Hook: "ebb-drain", Instance: "i-0a1b2c3d4e5f60718",
		Token: "0b5f1c9e-7a43-4b0e-8c55-3f2f1f9f7e10", Destination: "EC2", Time: at("2026-11-21T09:15:02.904Z"),
	}
	if strings.HasPrefix(via, "eventbridge") {
		e.Time = at("2026-11-21T09:15:02Z")
	}
	if change != nil {
		change(&e)
	}
	return e
}

// group is an event about the group web that is not a lifecycle action.
func group(kind Kind, when string, change func(*Event)) Event {
	e := Event{Kind: kind, Account: "111122223333", Group: "web", Time: at(when)}
	if change != nil {
		change(&e)
	}
	return e
}

func documented() map[string]Event {
	instance := func(e *Event) { e.Instance = "i-0a1b2c3d4e5f60718" }
	noGroup := func(e *Event) { e.Group = "" }
	warm := func(e *Event) { e.Destination = "WarmPool" }
	all := map[string]Event{
		"sqs-terminate.json": terminating("sqs", nil),
		"sqs-terminate-minimal.json": {
			Kind: TerminateAction, Group: "web", Hook: "ebb-drain", Instance: "i-0a1b2c3d4e5f60718",
		},
		"sqs-terminate-to-warm-pool.json": terminating("sqs", warm),
		"sqs-launch.json": terminating("sqs", func(e *Event) {
			e.Kind, e.Destination = LaunchAction, "AutoScalingGroup"
		}),
		"sqs-test.json":                  group(TestNotification, "2026-11-21T08:59:10.332Z", nil),
		"sqs-test-transition.json":       group(TestNotification, "2026-11-21T08:59:10.332Z", nil),
		"sns-test.json":                  group(TestNotification, "2026-11-21T08:59:10.332Z", nil),
		"sqs-scaling-terminate.json":     group(ScalingNotification, "2026-11-21T09:21:44.1Z", instance),
		"sns-scaling-launch-error.json":  group(ScalingNotification, "2026-11-21T09:21:44.1Z", nil),
		"sns-terminate.json":             terminating("sns", nil),
		"sns-terminate-lines.json":       terminating("sns", nil),
		"terminate.txt":                  terminating("sqs", nil),
		"eventbridge-terminate.json":     terminating("eventbridge", nil),
		"eventbridge-sns-terminate.json": terminating("eventbridge+sns", nil),
		"eventbridge-terminate-plain.json": terminating("eventbridge", func(e *Event) {
			e.Destination = ""
		}),
		"eventbridge-terminate-to-warm-pool.json": terminating("eventbridge", warm),
		"eventbridge-launch-into-warm-pool.json": terminating("eventbridge", func(e *Event) {
			e.Kind, e.Destination = LaunchAction, "WarmPool"
		}),
		"eventbridge-terminate-successful.json": group(ScalingNotification, "2026-11-21T09:21:44Z", instance),
		"eventbridge-launch-unsuccessful.json":  group(ScalingNotification, "2026-11-21T09:21:44Z", nil),
		"eventbridge-refresh-checkpoint.json":   group(Ignored, "2026-11-21T09:15:02Z", noGroup),
		"sns-subscription-confirmation.json": group(Ignored, "2026-11-21T08:45:57.165Z", func(e *Event) {
			e.Account, e.Group = "", ""
		}),
	}
	maps.Copy(all, notices())
	return all
}

func TestParseDocumentedShapes(t *testing.T) {
	files, err := filepath.Glob("testdata/*.*")
	if err != nil || len(files) != len(documented()) {
		t.Fatalf("testdata has %d files and the table %d (%v)", len(files), len(documented()), err)
	}
	for name, want := range documented() {
		t.Run(name, func(t *testing.T) {
			body, err := os.ReadFile(filepath.Join("testdata", name))
			if err != nil {
				t.Fatal(err)
			}
			got := Parse(body)
			if (got.Why != "") != (got.Kind == Ignored) {
				t.Errorf("Why is %q for a message of kind %s", got.Why, got.Kind)
			}
			got.Why = ""
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("wrong event (-want +got):\n%s", diff)
			}
			if got.ToWarmPool() != strings.Contains(name, "warm-pool") {
				t.Errorf("ToWarmPool is %v", got.ToWarmPool())
			}
		})
	}
}

func TestSubscriptionConfirmationSaysWhatToDo(t *testing.T) {
	body, err := os.ReadFile("testdata/sns-subscription-confirmation.json")
	if err != nil {
		t.Fatal(err)
	}
	if why := Parse(body).Why; !strings.Contains(why, "arn:aws:sns:eu-west-1:111122223333:hooks") || !strings.Contains(why, "subscribe the queue from") {
		t.Errorf("Why = %q", why)
	}
}

// sns wraps a message in the least envelope.
func sns(t *testing.T, message string) string {
	t.Helper()
	quoted, err := json.Marshal(message)
	if err != nil {
		t.Fatal(err)
	}
	return `{"Type":"Notification","TopicArn":"arn:aws:sns:eu-west-1:111122223333:hooks","Message":` + string(quoted) + `}`
}

func TestParseUnknown(t *testing.T) {
	const action = `"AutoScalingGroupName":"web","LifecycleHookName":"h","LifecycleTransition":"autoscaling:EC2_INSTANCE_TERMINATING"`
	const bridge = `"source":"aws.autoscaling","detail-type":"EC2 Instance-terminate Lifecycle Action"`
	valid := `{` + action + `,"EC2InstanceId":"i-0a1b2c3d4e5f60718"}`
	tests := []struct{ name, body, why string }{
		{"empty", " \n", "the body is empty"},
		{"text", "hello", "neither a JSON object nor"},
		{"array", "[1,2]", "neither a JSON object nor"},
		{"cut off", valid[:40], "not valid JSON: unexpected end"},
		{"two objects", valid + valid, "not valid JSON: invalid character '{' after"},
		{"no known field", `{"Records":[]}`, `none of the fields "LifecycleTransition"`},
		{"other case", `{"lifecycletransition":"x"}`, `none of the fields "LifecycleTransition"`},
		{"null transition", `{"LifecycleTransition":null}`, `none of the fields "LifecycleTransition"`},
		{"no instance", `{` + action + `}`, `the field "EC2InstanceId" is missing or empty`},
		{"number", `{` + action + `,"EC2InstanceId":17}`, `the field "EC2InstanceId" is a number, not a string`},
		{"array value", `{` + action + `,"EC2InstanceId":["i-0a1b2c3d4e5f60718"]}`, `"EC2InstanceId" is an array, not a string`},
		{"wrong token", `{` + action + `,"EC2InstanceId":"i-0a1b2c3d4e5f60718","LifecycleActionToken":{}}`, `"LifecycleActionToken" is an object, not a string`},
		{"wrong time", `{` + action + `,"EC2InstanceId":"i-0a1b2c3d4e5f60718","Time":1763715302}`, `"Time" is a number, not a string`},
		{"no instance id", `{` + action + `,"EC2InstanceId":"web-1"}`, `"EC2InstanceId" is "web-1", which is no instance id`},
		{"id too long", `{` + action + `,"EC2InstanceId":"i-` + strings.Repeat("0", 3000) + `"}`, "which is no instance id"},
		{"id of 18 digits", `{` + action + `,"EC2InstanceId":"i-0123456789abcdef01"}`, "which is no instance id"},
		{"id of 7 digits", `{` + action + `,"EC2InstanceId":"i-0123456"}`, "which is no instance id"},
		{"id in capitals", `{` + action + `,"EC2InstanceId":"i-0A1B2C3D4E5F60718"}`, "which is no instance id"},
		{"line break in id", `{` + action + `,"EC2InstanceId":"i-0a1b2c3d\n"}`, "which is no instance id"},
		{"long group", `{"AutoScalingGroupName":"` + strings.Repeat("é", 256) + `","LifecycleTransition":"autoscaling:EC2_INSTANCE_TERMINATING"}`,
			`the field "AutoScalingGroupName" has 256 characters, and AWS allows 255`},
		{"long hook", `{"LifecycleHookName":"` + strings.Repeat("h", 256) + `","LifecycleTransition":"autoscaling:EC2_INSTANCE_TERMINATING"}`,
			`the field "LifecycleHookName" has 256 characters`},
		{"all at once", `{"LifecycleTransition":"x"}`, `"AutoScalingGroupName" is missing or empty; the field "LifecycleHookName" is missing or ` +
			`empty; the field "EC2`},
		{"transition", `{"LifecycleTransition":"autoscaling:X"}`, `"autoscaling:X", which is no transition that Ebb knows`},
		{"boolean event", `{"Event":true}`, `the field "Event" is a boolean, not a string`},
		{"other event", `{"Event":"autoscaling:X"}`, `"autoscaling:X", which is no notification that Ebb knows`},
		{"bad test", `{"Event":"autoscaling:TEST_NOTIFICATION","AccountId":1}`, `the field "AccountId" is a number`},
		{"no detail", `{` + bridge + `}`, `the field "detail" is missing`},
		{"detail is text", `{` + bridge + `,"detail":"{}"}`, `the field "detail" is a string, not an object`},
		{"detail field", `{` + bridge + `,"detail":{` + action + `,"EC2InstanceId":false}}`, `"detail.EC2InstanceId" is a boolean, not a string`},
		{"contradiction", `{` + bridge + `,"detail":{"LifecycleTransition":"autoscaling:EC2_INSTANCE_LAUNCHING"}}`,
			`but the detail-type means autoscaling:EC2_INSTANCE_TERMINATING`},
		{"not from AWS", `{"source":"me","detail-type":"EC2 Instance-terminate Lifecycle Action","detail":{}}`, `has source "me" and detail-type`},
		{"new detail-type", `{"source":"aws.autoscaling","detail-type":"X"}`, `detail-type "X" of aws.autoscaling`},
		{"account", `{` + bridge + `,"account":1,"detail":{` + action + `,"EC2InstanceId":"i-0a1b2c3d4e5f60718"}}`, `the field "account" is a number`},
		{"line twice", "LifecycleTransition: x\nEC2InstanceId: i-1\nEC2InstanceId: i-2\n", `the line "EC2InstanceId" comes twice`},
		{"envelope in lines", "Event: x\nType: Notification\nTopicArn: t\n", `the field "Event" is "x"`},
		{"SNS type", `{"Type":"X","TopicArn":"t"}`, `the field "Type" is "X", which is no SNS message type`},
		{"SNS message", `{"Type":"Notification","TopicArn":"t","Message":{}}`, `the field "Message" is an object, not a string`},
		{"in SNS", sns(t, `{`+action+`}`), `in the SNS message: the field "EC2InstanceId" is missing`},
		{"three envelopes", sns(t, sns(t, sns(t, valid))), "wrapped more than 2 times"},
		{"too large", strings.Repeat(" ", MaxBody) + valid, "bytes; AWS sends at most 1048576"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := Parse([]byte(tt.body))
			if got.Kind != Unknown || !strings.Contains(got.Why, tt.why) {
				t.Errorf("got %s, %q; want unknown, with %q", got.Kind, got.Why, tt.why)
			}
			if got.Instance != "" || got.Group != "" {
				t.Errorf("an unknown message names %q in %q", got.Instance, got.Group)
			}
		})
	}
}

// AWS refuses a token that has not 36 characters for ever, and the hook would run out. The instance id names the action too.
func TestATokenThatCannotBeAWSsIsLeftOut(t *testing.T) {
	body := func(id, token string) []byte {
		return []byte(`{"AutoScalingGroupName":"web","LifecycleHookName":"h","LifecycleTransition":"autoscaling:EC2_INSTANCE_TERMINATING",` +
			`"EC2InstanceId":"` + id + `","LifecycleActionToken":"` + token + `"}`)
	}
	const good = "71514b9d-6a40-4b26-8523-05e7ee35fa40"
	for token, want := range map[string]string{good: good, good + "0": "", good[1:]: "", "": "", strings.Repeat("x", 5000): ""} {
		for _, id := range []string{"i-0a1b2c3d", "i-0a1b2c3d4e5f60718"} {
			if e := Parse(body(id, token)); e.Kind != TerminateAction || e.Token != want || string(e.Instance) != id {
				t.Errorf("token %.40q: got %s, %q of %s", token, e.Kind, e.Token, e.Instance)
			}
		}
	}
}

func TestParseTwoEnvelopes(t *testing.T) {
	body, err := os.ReadFile("testdata/sqs-terminate.json")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(terminating("sns", nil), Parse([]byte(sns(t, sns(t, string(body)))))); diff != "" {
		t.Error(diff)
	}
}

func TestParseTimeOfEnvelope(t *testing.T) {
	message := `{"AutoScalingGroupName":"web","LifecycleHookName":"h","LifecycleTransition":"autoscaling:EC2_INSTANCE_TERMINATING",` +
		`"EC2InstanceId":"i-0a1b2c3d4e5f60718","Time":"noon"}`
	body := strings.Replace(sns(t, message), "{", `{"Timestamp":"2026-11-21T10:15:03+01:00",`, 1)
	got := Parse([]byte(body))
	if got.Kind != TerminateAction || !got.Time.Equal(at("2026-11-21T09:15:03Z")) || got.Time.Location() != time.UTC {
		t.Errorf("got %s at %v", got.Kind, got.Time)
	}
}

func TestLongValuesAreCut(t *testing.T) {
	body := `{"LifecycleTransition":"` + strings.Repeat("x", 10_000) + `"}`
	if why := Parse([]byte(body)).Why; len(why) > 500 {
		t.Errorf("Why has %d bytes", len(why))
	}
}

func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/*.*")
	if err != nil || len(files) == 0 {
		f.Fatalf("no seeds: %v", err)
	}
	for _, name := range files {
		body, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
	}
	f.Add([]byte("Event: x\nEvent: y"))
	f.Add([]byte(`{"LifecycleTransition":[]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		before := bytes.Clone(body)
		e := Parse(body)
		if !cmp.Equal(e, Parse(before)) || !bytes.Equal(body, before) {
			t.Fatal("the same body gave two events, or was changed")
		}
		checkEvent(t, e)
	})
}

// checkEvent holds for whatever comes in.
func checkEvent(t *testing.T, e Event) {
	t.Helper()
	switch e.Kind {
	case TerminateAction, LaunchAction:
		if e.Group == "" || e.Hook == "" || !strings.HasPrefix(string(e.Instance), "i-") || e.Why != "" {
			t.Fatalf("an action without group, hook or instance: %+v", e)
		}
	case Unknown:
		if e.Why == "" || len(e.Why) > 4000 || !cmp.Equal(e, Event{Kind: Unknown, Why: e.Why}) {
			t.Fatalf("unknown, but why? %+v", e)
		}
	case Ignored:
		if e.Why == "" {
			t.Fatalf("ignored without a reason: %+v", e)
		}
	case TaskStops:
		if !taskForm.MatchString(string(e.Task)) || !nameForm.MatchString(e.Cluster) || len(e.Service) > 255 || e.Why != "" {
			t.Fatalf("a notice without task or cluster: %+v", e)
		}
	case InstanceEnds, Rebalance, InstanceState:
		if !instanceForm.MatchString(string(e.Instance)) || (e.Kind == InstanceState) != (e.State != "") || e.Why != "" {
			t.Fatalf("a notice without instance or state: %+v", e)
		}
	case ScheduledChange:
		if c := e.Change; c.Service == "" || c.Code == "" || len(c.Entities) > mostEntities || e.Why != "" {
			t.Fatalf("a scheduled change of what? %+v", e)
		}
	case TestNotification, ScalingNotification:
	default:
		t.Fatalf("kind %q", e.Kind)
	}
}
