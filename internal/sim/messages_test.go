package sim

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/sim/autoscaling"
	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/events"
	"github.com/ebbhq/ebb/internal/sim/sqs"
)

func (b bench) receive(queue string, limit int) []sqs.Message {
	b.t.Helper()
	got, err := b.ReceiveMessage(queue, limit, nil)
	b.must(err)
	return got
}

func (b bench) send(queue, body string) sqs.Message {
	b.t.Helper()
	m, err := b.SendMessage(queue, body, nil, -1)
	b.must(err)
	return m
}

func fieldsOf(t *testing.T, body string) map[string]any {
	t.Helper()
	var f map[string]any
	if err := json.Unmarshal([]byte(body), &f); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return f
}

func wantFields(t *testing.T, f map[string]any, want ...string) {
	t.Helper()
	var names []string
	for name := range f { //ebb:any-order sorted below
		names = append(names, name)
	}
	slices.Sort(names)
	slices.Sort(want)
	if !slices.Equal(names, want) {
		t.Errorf("fields %v, want %v", names, want)
	}
}

func lifecycleFields(more ...string) []string {
	return append(more, "LifecycleActionToken", "AutoScalingGroupName", "LifecycleHookName", "EC2InstanceId", "LifecycleTransition", "Origin", "Destination")
}

func TestNotificationToQueue(t *testing.T) {
	b := small(t, 1, func(s *Spec) {
		s.Groups[0].Hooks[0].Target, s.Groups[0].Hooks[0].Metadata = "q", "cluster=prod"
	})
	b.terminate(0)
	b.pass(time.Second)
	if got := b.receive("q", 10); len(got) != 0 {
		t.Errorf("there is a message without any delay: %v", got)
	}
	b.pass(5 * time.Second)
	got := b.receive("q", 10)
	if len(got) != 1 {
		t.Fatalf("%d messages, want 1", len(got))
	}
	f := fieldsOf(t, got[0].Body)
	wantFields(t, f, lifecycleFields("AccountId", "RequestId", "Service", "Time", "NotificationMetadata")...)
	if f["EC2InstanceId"] != b.id(0) || f["LifecycleTransition"] != "autoscaling:EC2_INSTANCE_TERMINATING" ||
		f["Service"] != "AWS Auto Scaling" || f["Time"] != "2026-11-21T09:00:01.000Z" {
		t.Errorf("message %v", f)
	}
	sent := b.entries(core.EntryMessage, func(e core.Entry) bool { return e.To == "sent" })[0]
	if sent.Instance != b.id(0) || sent.Hook != "drain" || sent.Group != "web-asg" || sent.Text != f["LifecycleActionToken"] || sent.Message != got[0].ID {
		t.Errorf("the record says %+v", sent)
	}
}

func TestNotificationToTopic(t *testing.T) {
	for _, raw := range []bool{false, true} {
		b := small(t, 1, func(s *Spec) {
			s.Topics = []TopicSpec{{Name: "hooks", Subscriptions: []SubscriptionSpec{{Queue: "q", Raw: raw}}}}
			s.Groups[0].Hooks[0].Target = "hooks"
		})
		b.terminate(0)
		b.pass(10 * time.Second)
		body := b.receive("q", 10)[0].Body
		if !raw {
			f := fieldsOf(t, body)
			wantFields(t, f, "Type", "MessageId", "TopicArn", "Subject", "Message", "Timestamp", "SignatureVersion", "Signature", "SigningCertURL", "UnsubscribeURL")
			if want := "Auto Scaling:  Lifecycle action 'TERMINATING' for instance " + b.id(0) + " in progress."; f["Subject"] != want || f["Type"] != "Notification" {
				t.Errorf("envelope %v", f)
			}
			body = f["Message"].(string)
		}
		wantFields(t, fieldsOf(t, body), lifecycleFields("AccountId", "RequestId", "Service", "Time")...)
	}
}

func TestNotificationThroughEventBridge(t *testing.T) {
	b := small(t, 1, func(s *Spec) {
		s.Topics = []TopicSpec{{Name: "bus", Subscriptions: []SubscriptionSpec{{Queue: "q"}}}}
		s.Rules = []RuleSpec{{Name: "r", Pattern: `{"source":["aws.autoscaling"],"detail":{"LifecycleHookName":["drain"]}}`, Targets: []string{"q", "bus"}}}
	})
	b.terminate(0)
	b.pass(10 * time.Second)
	got := b.receive("q", 10)
	if len(got) != 2 {
		t.Fatalf("%d messages, want the event itself and the one through the topic", len(got))
	}
	through := fieldsOf(t, got[1].Body)
	if through["Message"] != got[0].Body || through["Subject"] != nil {
		t.Errorf("through the topic: %v", through)
	}
	f := fieldsOf(t, got[0].Body)
	wantFields(t, f, "version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail")
	if f["detail-type"] != "EC2 Instance-terminate Lifecycle Action" || f["time"] != "2026-11-21T09:00:01Z" || f["version"] != "0" {
		t.Errorf("event %v", f)
	}
	wantFields(t, f["detail"].(map[string]any), lifecycleFields()...)
}

func TestTestNotification(t *testing.T) {
	b := small(t, 1, nil)
	q, err := b.Queue("q")
	b.must(err)
	b.must(b.PutLifecycleHook("web-asg", autoscaling.Hook{Name: "drain", Target: q.ARN}))
	b.pass(time.Second)
	f := fieldsOf(t, b.receive("q", 1)[0].Body)
	wantFields(t, f, "AccountId", "RequestId", "AutoScalingGroupARN", "AutoScalingGroupName", "Service", "Event", "Time")
	if f["Event"] != "autoscaling:TEST_NOTIFICATION" {
		t.Errorf("message %v", f)
	}
	b.must(b.PutLifecycleHook("web-asg", autoscaling.Hook{Name: "drain", Target: "-"}))
	if hooks, _ := b.DescribeLifecycleHooks("web-asg", nil); hooks[0].Target != "" {
		t.Errorf("the target %q was not removed", hooks[0].Target)
	}
}

func TestLostDuplicateAndLateNotifications(t *testing.T) {
	notified := func(sw core.Switches) (sent, lost int, latest time.Duration) {
		b := small(t, 20, func(s *Spec) {
			s.Groups[0].Hooks[0].Target, s.Groups[0].Hooks[0].Heartbeat, s.Switches = "q", time.Hour, sw
		})
		for i := range 20 {
			b.terminate(i)
		}
		b.pass(20 * time.Minute)
		for _, e := range b.entries(core.EntryMessage, nil) {
			switch e.To {
			case "sent":
				sent++
				latest = max(latest, e.At.Sub(b.Start()))
			case "lost":
				lost++
			}
		}
		return sent, lost, latest
	}
	if sent, lost, latest := notified(core.Switches{}); sent != 20 || lost != 0 || latest > 6*time.Second {
		t.Errorf("as usual: %d sent, %d lost, the last after %s", sent, lost, latest)
	}
	if sent, lost, _ := notified(core.Switches{LostPercent: 100}); sent != 0 || lost != 20 {
		t.Errorf("all lost: %d sent, %d lost", sent, lost)
	}
	if sent, _, _ := notified(core.Switches{Duplicate: 100}); sent != 40 {
		t.Errorf("all twice: %d sent", sent)
	}
	if sent, _, latest := notified(core.Switches{LatePercent: 100}); sent != 20 || latest < time.Minute || latest > 11*time.Minute {
		t.Errorf("all late: %d sent, the last after %s", sent, latest)
	}
	if sent, lost, _ := notified(core.Switches{LostPercent: 50}); sent+lost != 20 || sent < 3 || lost < 3 {
		t.Errorf("half lost: %d sent, %d lost", sent, lost)
	}
}

func TestVisibilityAndRedelivery(t *testing.T) {
	b := small(t, 1, nil)
	b.send("q", "hi")
	first := b.receive("q", 1)
	if len(first) != 1 || first[0].Receives != 1 || len(b.receive("q", 1)) != 0 {
		t.Fatalf("received %+v", first)
	}
	b.pass(29 * time.Second)
	b.must(b.ChangeMessageVisibility("q", first[0].Handle, time.Minute))
	b.pass(59 * time.Second)
	if got := b.receive("q", 1); len(got) != 0 {
		t.Fatalf("visible before its time: %+v", got)
	}
	b.pass(time.Second)
	again := b.receive("q", 1)
	if len(again) != 1 || again[0].Receives != 2 || again[0].Handle == first[0].Handle || !again[0].FirstReceived.Equal(first[0].FirstReceived) {
		t.Fatalf("received again: %+v", again)
	}
	b.pass(30 * time.Second) // the change held for one receive only
	b.wantError(b.ChangeMessageVisibility("q", again[0].Handle, time.Minute), "MessageNotInflight", "")
	b.must(b.DeleteMessage("q", first[0].Handle)) // stale: succeeds and deletes nothing
	third := b.receive("q", 1)
	if len(third) != 1 {
		t.Fatal("a stale handle deleted the message")
	}
	b.wantError(b.ChangeMessageVisibility("q", first[0].Handle, 0), "InvalidParameterValue", "not available for visibility timeout change")
	b.must(b.DeleteMessage("q", third[0].Handle))
	b.must(b.DeleteMessage("q", third[0].Handle))
	b.wantError(b.DeleteMessage("q", "nonsense"), "ReceiptHandleIsInvalid", "nonsense")
	b.wantCourse(core.EntryMessage, nil, "sent received received received deleted")
}

func TestVisibilityEndsAfter12Hours(t *testing.T) {
	b := small(t, 1, nil)
	b.send("q", "hi")
	m := b.receive("q", 1)[0]
	b.must(b.ChangeMessageVisibility("q", m.Handle, 11*time.Hour))
	b.pass(time.Hour)
	b.wantError(b.ChangeMessageVisibility("q", m.Handle, 11*time.Hour+time.Second), "InvalidParameterValue",
		"Value 39601 for parameter VisibilityTimeout is invalid. Reason: Total VisibilityTimeout for the message is beyond the limit [43200 seconds]")
	b.must(b.ChangeMessageVisibility("q", m.Handle, 11*time.Hour))
	b.wantError(b.ChangeMessageVisibility("q", m.Handle, 13*time.Hour), "InvalidParameterValue", "<= 43200")
}

// A message moves to the dead-letter queue when the receives exceed the limit, and keeps the time it was sent.
func TestRedrive(t *testing.T) {
	b := small(t, 1, func(s *Spec) {
		s.Queues = []QueueSpec{{Name: "q", Redrive: "dlq", MaxReceives: 3, Visibility: 10 * time.Second}, {Name: "dlq"}}
	})
	sent := b.send("q", "poison")
	for range 3 {
		if got := b.receive("q", 1); len(got) != 1 {
			t.Fatal("moved too early")
		}
		b.pass(10 * time.Second)
	}
	if got := b.receive("dlq", 1); len(got) != 0 {
		t.Fatal("moved before a receive exceeded the limit")
	}
	if got := b.receive("q", 1); len(got) != 0 {
		t.Fatalf("received a fourth time: %+v", got)
	}
	got := b.receive("dlq", 1)
	if len(got) != 1 || got[0].ID != sent.ID || !got[0].Sent.Equal(sent.Sent) || got[0].Receives != 1 {
		t.Errorf("dead letters: %+v", got)
	}
	b.wantCourse(core.EntryMessage, nil, "sent received received received redriven received")
}

func TestDelayRetentionAndDuplicates(t *testing.T) {
	b := small(t, 1, func(s *Spec) {
		s.Queues = []QueueSpec{{Name: "q", Delay: 10 * time.Second, Retention: time.Minute}}
		s.Switches.Duplicate = 100
	})
	b.send("q", "hi")
	if len(b.receive("q", 1)) != 0 {
		t.Error("received before its delay")
	}
	b.pass(10 * time.Second)
	if first, again := len(b.receive("q", 1)), len(b.receive("q", 1)); first != 1 || again != 1 {
		t.Error("with duplicates a received message comes again at once")
	}
	b.pass(50 * time.Second)
	if len(b.receive("q", 1)) != 0 {
		t.Error("received after its retention")
	}
	b.wantCourse(core.EntryMessage, nil, "sent received received expired")
}

func TestQueueRefusals(t *testing.T) {
	b := small(t, 1, nil)
	_, err := b.Queue("https://sqs.eu-west-1.amazonaws.com/111122223333/nope")
	b.wantError(err, "QueueDoesNotExist", "The specified queue does not exist.")
	_, err = b.ReceiveMessage("q", 11, nil)
	b.wantError(err, "InvalidParameterValue", "MaxNumberOfMessages")
	_, err = b.SendMessage("q", strings.Repeat("x", 1<<20+1), nil, -1)
	b.wantError(err, "InvalidParameterValue", "shorter than")
	q, err := b.Queue("arn:aws:sqs:eu-west-1:111122223333:q")
	b.must(err)
	if q.URL != "https://sqs.eu-west-1.amazonaws.com/111122223333/q" {
		t.Errorf("URL %s", q.URL)
	}
	b.send("q", "hi")
	b.must(b.DeleteQueue(q.URL))
	if len(b.Queues()) != 0 {
		t.Errorf("queues %v, want none", b.Queues())
	}
	b.wantError(b.PurgeQueue("q"), "QueueDoesNotExist", "")
}

func TestPatternRefusals(t *testing.T) {
	b := small(t, 1, nil)
	for _, pattern := range []string{`{`, `[]`, `{}`, `{"source":"aws.ec2"}`, `{"source":[]}`, `{"source":{}}`, `{"source":[["x"]]}`,
		`{"source":[{"suffix":"x"}]}`, `{"source":[{"anything-but":{"prefix":"x"}}]}`} {
		_, err := b.PutRule(events.Rule{Name: "r", Pattern: pattern})
		b.wantError(err, "InvalidEventPatternException", "Event pattern is not valid")
	}
	_, err := b.PutRule(events.Rule{Name: "r"})
	b.wantError(err, "ValidationException", "must be specified")
}

func TestRulesAndTheirTargets(t *testing.T) {
	b := small(t, 1, nil)
	_, err := b.PutRule(events.Rule{Name: "r", Pattern: `{"source":["me"]}`})
	b.must(err)
	q, _ := b.Queue("q")
	b.must(b.PutTargets("r", []events.RuleTarget{{ID: "1", ARN: q.ARN}, {ID: "2", ARN: q.ARN, InputPath: "$.detail.a"}, {ID: "3", ARN: q.ARN, Input: "constant"}}))
	if _, err := b.PutEvent("me", "x", nil, `{"a":{"b":1}}`); err != nil {
		t.Fatal(err)
	}
	got := b.receive("q", 10)
	if len(got) != 3 || got[1].Body != `{"b":1}` || got[2].Body != "constant" || !strings.Contains(got[0].Body, `"resources":[]`) {
		t.Errorf("delivered %+v", got)
	}
	if _, err := b.PutEvent("you", "x", nil, `{}`); err != nil || len(b.receive("q", 10)) != 0 {
		t.Errorf("an event of another source was delivered, or %v", err)
	}
	_, err = b.PutEvent("me", "x", nil, "[]")
	b.wantError(err, "MalformedDetail", "malformed")
	b.wantError(b.DeleteRule("r"), "ValidationException", "has targets")
	b.must(b.RemoveTargets("r", []string{"1", "2", "3"}))
	b.must(b.DeleteRule("r"))
	b.wantError(b.PutTargets("r", nil), "ResourceNotFoundException", "Rule r does not exist")
	for name, state := range map[string]string{"r": "DISABLED", "on": "ENABLED"} { //ebb:any-order both are there in the end
		_, err = b.PutRule(events.Rule{Name: name, Pattern: `{"source":["me"]}`, State: state})
		b.must(err)
		b.must(b.PutTargets(name, []events.RuleTarget{{ID: "1", ARN: q.ARN, Input: name}}))
	}
	_, err = b.PutEvent("me", "x", nil, `{}`)
	b.must(err)
	if got := b.receive("q", 10); len(got) != 1 || got[0].Body != "on" {
		t.Errorf("delivered %+v, want only what the enabled rule sends", got)
	}
}

func TestServiceEventsOfAWS(t *testing.T) {
	b := small(t, 2, func(s *Spec) {
		web(2, 100, 200)(s)
		s.Rules = []RuleSpec{{Name: "all", Pattern: `{"source":[{"prefix":"aws."}]}`, Targets: []string{"q"}}}
	})
	b.terminate(0)
	b.pass(time.Second)
	b.drain(0)
	b.pass(50 * time.Second)
	b.must(b.CompleteLifecycleAction("web-asg", "drain", "", b.id(0), "CONTINUE"))
	b.pass(2 * time.Minute)
	seen := map[string]int{}
	q, _ := b.Queue("q")
	for _, m := range q.Messages {
		f := fieldsOf(t, m.Body)
		seen[f["detail-type"].(string)]++
		if d := f["detail"].(map[string]any); f["detail-type"] == "ECS Task State Change" && (d["version"].(float64) < 1 || d["lastStatus"] == "") {
			t.Errorf("task event %v", d)
		}
	}
	for _, want := range []string{
		"EC2 Instance State-change Notification", "EC2 Instance Terminate Successful", "EC2 Instance-terminate Lifecycle Action",
		"ECS Task State Change", "ECS Container Instance State Change",
	} {
		if seen[want] == 0 {
			t.Errorf("no %s among %v", want, seen)
		}
	}
}

func TestTopicRefusals(t *testing.T) {
	b := small(t, 1, nil)
	_, err := b.Publish("arn:aws:sns:eu-west-1:111122223333:nope", "", "x")
	b.wantError(err, "NotFound", "Topic does not exist")
	topic := b.CreateTopic("t")
	if b.CreateTopic("t") != topic || len(b.Topics()) != 1 {
		t.Error("the same name made two topics")
	}
	_, err = b.Subscribe(topic.ARN, "email", "x@example.com", false)
	b.wantError(err, "InvalidParameter", "email")
	_, err = b.Subscribe(topic.ARN, "sqs", b.ARN("sqs", "gone"), false)
	b.must(err)
	_, err = b.Publish(topic.ARN, "", "x")
	b.must(err)
	b.wantCourse(core.EntryMessage, nil, "lost")
}
