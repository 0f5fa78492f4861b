package sim

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/events"
	"github.com/ebbhq/ebb/internal/sim/lambda"
)

// hands is a runtime whose invocations the test answers.
type hands struct {
	given   []lambda.Invocation
	stopped []int
}

func (h *hands) Invoke(_ lambda.Function, v lambda.Invocation) { h.given = append(h.given, v) }
func (h *hands) Stop(v lambda.Invocation)                      { h.stopped = append(h.stopped, v.Number) }

// last is the latest invocation.
func (h *hands) last(t *testing.T) lambda.Invocation {
	t.Helper()
	if len(h.given) == 0 {
		t.Fatal("the function was not invoked")
	}
	return h.given[len(h.given)-1]
}

// withFunction is a small world with the function "fn" and somebody who runs it.
func withFunction(t *testing.T, change func(*Spec)) (bench, *hands) {
	t.Helper()
	b := small(t, 1, func(s *Spec) {
		s.Functions = []FunctionSpec{{Name: "fn", Timeout: 3 * time.Second, Concurrency: 2}}
		if change != nil {
			change(s)
		}
	})
	h := &hands{}
	b.UseFunctions(h)
	return b, h
}

var failure = lambda.FunctionError("Oops", "it broke")

func (b bench) outcomes() string { return b.course(core.EntryInvocation, nil) }

func (b bench) wantOutcomes(want string) {
	b.t.Helper()
	if got := b.outcomes(); got != want {
		b.t.Fatalf("the invocations went\n  %s\nwant\n  %s", got, want)
	}
}

func TestScheduleInvokesEveryMinute(t *testing.T) {
	b, h := withFunction(t, func(s *Spec) {
		s.Rules = []RuleSpec{{Name: "clock", Schedule: "rate(1 minute)", Targets: []string{"function:fn"}}}
		s.Switches.Notify = time.Second
		s.Functions[0].Timeout = 5 * time.Minute
	})
	b.pass(59 * time.Second)
	b.wantOutcomes("")
	for n := 1; n <= 3; n++ {
		b.pass(time.Minute)
		if len(h.given) != n {
			t.Fatalf("%d invocations after %d minutes", len(h.given), n)
		}
		b.FinishInvocation(h.last(t).Number, lambda.Answer{})
	}
	f := fieldsOf(t, string(h.given[0].Payload))
	wantFields(t, f, "version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail")
	if f["detail-type"] != "Scheduled Event" || f["source"] != "aws.events" || f["time"] != core.ISO(b.Start().Add(time.Minute)) ||
		fmt.Sprint(f["resources"]) != "[arn:aws:events:eu-west-1:111122223333:rule/clock]" || fmt.Sprint(f["detail"]) != "map[]" {
		t.Errorf("the event is %s", h.given[0].Payload)
	}
	if _, err := b.PutRule(events.Rule{Name: "clock", Schedule: "rate(2 hours)"}); err != nil {
		t.Fatal(err)
	}
	b.pass(2*time.Hour - time.Second)
	if len(h.given) != 3 {
		t.Errorf("%d invocations although the schedule is another", len(h.given))
	}
	b.pass(3 * time.Second)
	if len(h.given) != 4 {
		t.Errorf("%d invocations, want one more by the new schedule", len(h.given))
	}
	b.FinishInvocation(h.last(t).Number, lambda.Answer{})
	if _, err := b.PutRule(events.Rule{Name: "clock", Schedule: "rate(2 hours)", State: "DISABLED"}); err != nil {
		t.Fatal(err)
	}
	b.pass(5 * time.Hour)
	if len(h.given) != 4 {
		t.Errorf("%d invocations although the rule is disabled", len(h.given))
	}
}

func TestScheduleExpressions(t *testing.T) {
	b := small(t, 1, nil)
	for _, text := range []string{"rate(1 minute)", "rate(5 minutes)", "rate(1 hour)", "rate(7 days)"} {
		_, err := b.PutRule(events.Rule{Name: "r", Schedule: text})
		b.must(err)
	}
	for _, text := range []string{"rate(1 minutes)", "rate(2 minute)", "rate(0 minutes)", "rate(1 second)", "rate( 1 minute)", "cron(0 12 * * ? *)", "1 minute"} {
		_, err := b.PutRule(events.Rule{Name: "r", Schedule: text})
		b.wantError(err, "ValidationException", "ScheduleExpression is not valid")
	}
}

// TestScheduleIsOnNoBus: a rule with a schedule and no pattern takes no events, and the event of a schedule goes to its own targets only.
func TestScheduleIsOnNoBus(t *testing.T) {
	b, h := withFunction(t, func(s *Spec) {
		s.Rules = []RuleSpec{
			{Name: "clock", Schedule: "rate(1 minute)", Targets: []string{"q"}},
			{Name: "all", Pattern: `{"source":["aws.events","mine"]}`, Targets: []string{"function:fn"}},
		}
	})
	if _, err := b.PutEvent("mine", "x", nil, "{}"); err != nil {
		t.Fatal(err)
	}
	b.pass(70 * time.Second)
	if got := b.receive("q", 10); len(got) != 1 || !strings.Contains(got[0].Body, "Scheduled Event") {
		t.Errorf("the queue got %v", got)
	}
	for _, v := range h.given {
		if !strings.Contains(string(v.Payload), `"mine"`) {
			t.Errorf("the function got %s", v.Payload)
		}
	}
}

func TestEventsOfRulesHooksAndTopicsReachAFunction(t *testing.T) {
	b, h := withFunction(t, func(s *Spec) {
		s.Functions[0].Concurrency = 10
		s.Rules = []RuleSpec{{Name: "r", Pattern: `{"detail-type":["EC2 Instance-terminate Lifecycle Action"]}`, Targets: []string{"function:fn"}}}
		s.Groups[0].Hooks[0].Target = "function:fn"
		s.Topics = []TopicSpec{{Name: "t", Subscriptions: []SubscriptionSpec{{Function: "fn"}, {Queue: "q"}}}}
	})
	b.terminate(0)
	b.pass(10 * time.Second)
	if len(h.given) != 2 {
		t.Fatalf("%d invocations for a hook with a target and a rule", len(h.given))
	}
	var direct, ruled map[string]any
	for _, v := range h.given {
		if f := fieldsOf(t, string(v.Payload)); f["detail"] != nil {
			ruled = f
		} else {
			direct = f
		}
	}
	wantFields(t, direct, lifecycleFields("AccountId", "RequestId", "Service", "Time")...)
	if ruled["source"] != "aws.autoscaling" {
		t.Errorf("the rule sent %v", ruled)
	}
	if started := b.entries(core.EntryInvocation, isInstance(b.id(0))); len(started) < 2 || started[0].Function != "fn" || started[0].From != "async" {
		t.Errorf("the record does not say what the invocations were about: %+v", started)
	}
	if _, err := b.Publish(b.Topics()[0].ARN, "", "hello"); err != nil {
		t.Fatal(err)
	}
	b.pass(0)
	records := fieldsOf(t, string(h.last(t).Payload))["Records"].([]any)
	record := records[0].(map[string]any)
	wantFields(t, record, "EventSource", "EventVersion", "EventSubscriptionArn", "Sns")
	message := record["Sns"].(map[string]any)
	wantFields(t, message, "Type", "MessageId", "TopicArn", "Subject", "Message", "Timestamp", "SignatureVersion", "Signature",
		"SigningCertUrl", "UnsubscribeUrl", "MessageAttributes")
	if message["Message"] != "hello" || message["Subject"] != nil || record["EventSource"] != "aws:sns" {
		t.Errorf("the record is %v", record)
	}
	if got := b.receive("q", 10); len(got) != 1 {
		t.Errorf("the topic's queue got %d messages", len(got))
	}
}

func TestAsynchronousInvocationIsRetriedTwice(t *testing.T) {
	b, h := withFunction(t, nil)
	id, err := b.InvokeAsync("fn", []byte(`{"n":1}`))
	b.must(err)
	b.pass(0)
	b.FinishInvocation(h.last(t).Number, failure)
	b.pass(59 * time.Second)
	b.wantOutcomes("started failed")
	b.pass(time.Second)
	b.wantOutcomes("started failed started")
	b.pass(3 * time.Second) // it never answers
	b.wantOutcomes("started failed started timed-out")
	if !slices.Equal(h.stopped, []int{2}) {
		t.Errorf("stopped were %v", h.stopped)
	}
	b.FinishInvocation(2, lambda.Answer{}) // too late
	b.pass(2 * time.Minute)
	b.FinishInvocation(h.last(t).Number, lambda.Answer{Error: "Runtime.ExitError", Killed: true})
	b.pass(10 * time.Minute)
	b.wantOutcomes("started failed started timed-out started killed dropped")
	for _, v := range h.given {
		if v.ID != id || string(v.Payload) != `{"n":1}` {
			t.Errorf("a retry is another event: %+v", v)
		}
	}
}

func TestThrottledEventsWaitAndAreDroppedAfterSixHours(t *testing.T) {
	b, h := withFunction(t, func(s *Spec) { s.Functions[0].Concurrency, s.Functions[0].Timeout = 1, 15*time.Minute })
	for range 2 {
		_, err := b.InvokeAsync("fn", nil)
		b.must(err)
	}
	b.pass(6 * time.Second) // tried at 0 s, 1 s and 3 s
	b.wantOutcomes("started throttled throttled throttled")
	b.FinishInvocation(h.last(t).Number, lambda.Answer{})
	b.pass(time.Second)
	b.wantOutcomes("started throttled throttled throttled succeeded started")
	b.FinishInvocation(h.last(t).Number, lambda.Answer{})
	// The only place is taken again as soon as it is free.
	b, h = withFunction(t, func(s *Spec) { s.Functions[0].Concurrency, s.Functions[0].Timeout = 1, 15*time.Minute })
	place := func() { _, _ = b.Invoke("fn", nil, func(lambda.Answer) {}) } // is refused unless it is free
	place()
	last, err := b.InvokeAsync("fn", nil)
	b.must(err)
	for b.Now().Before(b.Start().Add(7 * time.Hour)) {
		place()
		b.pass(time.Second)
	}
	dropped := b.entries(core.EntryInvocation, func(e core.Entry) bool { return e.To == "dropped" && e.Message == last })
	if len(dropped) != 1 || dropped[0].At.Sub(b.Start()) < 6*time.Hour || dropped[0].At.Sub(b.Start()) > 6*time.Hour+6*time.Minute {
		t.Errorf("dropped were %+v", dropped)
	}
	if h.given[0].From != "invoke" {
		t.Errorf("the first was %+v", h.given[0])
	}
}

func TestInvoke(t *testing.T) {
	b, h := withFunction(t, nil)
	var answers []string
	done := func(a lambda.Answer) { answers = append(answers, a.Error+string(a.Payload)) }
	for range 2 {
		_, err := b.Invoke("arn:aws:lambda:eu-west-1:111122223333:function:fn", []byte(`{}`), done)
		b.must(err)
	}
	_, err := b.Invoke("fn", nil, done)
	b.wantError(err, "TooManyRequestsException", "Rate Exceeded")
	_, err = b.Invoke("other", nil, done)
	b.wantError(err, "ResourceNotFoundException", "function:other")
	_, err = b.InvokeAsync("fn", []byte("{"))
	b.wantError(err, "InvalidRequestContentException", "json")
	b.FinishInvocation(h.given[0].Number, lambda.Answer{Payload: []byte(`"a"`)})
	b.pass(3 * time.Second)
	want := `Sandbox.Timedout{"errorType":"Sandbox.Timedout","errorMessage":"RequestId: ` + h.given[1].ID + ` Error: Task timed out after 3.00 seconds"}`
	if !slices.Equal(answers, []string{`"a"`, want}) {
		t.Errorf("the answers are %q", answers)
	}
}

func TestEventsWaitForARuntime(t *testing.T) {
	b := small(t, 1, func(s *Spec) {
		s.Functions = []FunctionSpec{{Name: "fn", Sources: []SourceSpec{{Queue: "q"}}}}
	})
	_, err := b.InvokeAsync("fn", nil)
	b.must(err)
	b.send("q", "hi")
	b.pass(time.Hour)
	b.wantOutcomes("")
	h := &hands{}
	b.UseFunctions(h)
	b.pass(0)
	if len(h.given) != 2 || h.given[0].From != "async" || h.given[1].From != "sqs:q" {
		t.Errorf("given were %+v", h.given)
	}
}

// fromQueue is a world whose function has the queue "q" as its source.
func fromQueue(t *testing.T, source SourceSpec, change func(*Spec)) (bench, *hands) {
	t.Helper()
	source.Queue = "q"
	return withFunction(t, func(s *Spec) {
		s.Queues[0].Visibility = 20 * time.Second
		s.Functions[0].Sources = []SourceSpec{source}
		if change != nil {
			change(s)
		}
	})
}

type sqsEvent struct {
	Records []struct {
		MessageID  string `json:"messageId"`
		Body       string `json:"body"`
		MD5        string `json:"md5OfBody"`
		Source     string `json:"eventSource"`
		ARN        string `json:"eventSourceARN"`
		Region     string `json:"awsRegion"`
		Attributes map[string]string
	}
}

func batchOf(t *testing.T, v lambda.Invocation) sqsEvent {
	t.Helper()
	var e sqsEvent
	if err := json.Unmarshal(v.Payload, &e); err != nil {
		t.Fatalf("%s: %v", v.Payload, err)
	}
	return e
}

func TestQueueInvokes(t *testing.T) {
	b, h := fromQueue(t, SourceSpec{}, nil)
	m := b.send("q", "hi")
	b.pass(time.Second)
	wantFields(t, fieldsOf(t, string(h.last(t).Payload))["Records"].([]any)[0].(map[string]any),
		"messageId", "receiptHandle", "body", "attributes", "messageAttributes", "md5OfBody", "eventSource", "eventSourceARN", "awsRegion")
	r := batchOf(t, h.last(t)).Records[0]
	if r.MessageID != m.ID || r.Body != "hi" || r.MD5 != "49f68a5c8493ec2c0bf489821c21fc3b" || r.Source != "aws:sqs" || r.Region != "eu-west-1" ||
		r.ARN != "arn:aws:sqs:eu-west-1:111122223333:q" || r.Attributes["ApproximateReceiveCount"] != "1" || len(r.Attributes) != 4 {
		t.Errorf("the record is %s", h.last(t).Payload)
	}
	b.FinishInvocation(h.last(t).Number, lambda.Answer{Payload: []byte("null")})
	b.wantCourse(core.EntryMessage, nil, "sent received deleted")
	if by := b.entries(core.EntryMessage, nil)[2].By; by != "lambda" {
		t.Errorf("deleted by %s", by)
	}
}

// TestReports answers a batch of two messages, a and b, in every way that AWS documents.
func TestReports(t *testing.T) {
	for _, c := range []struct {
		name, answer string
		left         string
	}{
		{"nothing", ``, ""},
		{"null", `null`, ""},
		{"an empty object", `{}`, ""},
		{"an empty list", `{"batchItemFailures":[]}`, ""},
		{"a null list", `{"batchItemFailures":null}`, ""},
		{"one", `{"batchItemFailures":[{"itemIdentifier":"$b"}]}`, "b"},
		{"both", `{"batchItemFailures":[{"itemIdentifier":"$b"},{"itemIdentifier":"$a"}]}`, "a b"},
		{"no JSON", `{`, "a b"},
		{"no object", `"done"`, "a b"},
		{"no list", `{"batchItemFailures":{}}`, "a b"},
		{"an empty id", `{"batchItemFailures":[{"itemIdentifier":""}]}`, "a b"},
		{"a null id", `{"batchItemFailures":[{"itemIdentifier":null}]}`, "a b"},
		{"an unknown id", `{"batchItemFailures":[{"itemIdentifier":"$b"},{"itemIdentifier":"x"}]}`, "a b"},
		{"another key", `{"batchItemFailures":[{"ItemIdentifier":"$b"}]}`, "a b"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, h := fromQueue(t, SourceSpec{Report: true}, nil)
			first, second := b.send("q", "a"), b.send("q", "b")
			b.pass(time.Second)
			answer := strings.NewReplacer("$a", first.ID, "$b", second.ID).Replace(c.answer)
			b.FinishInvocation(h.last(t).Number, lambda.Answer{Payload: []byte(answer)})
			b.pass(18 * time.Second)
			if len(h.given) != 1 {
				t.Fatal("it comes again before the visibility timeout is over")
			}
			b.pass(2 * time.Second)
			var left []string
			if len(h.given) == 2 {
				for _, r := range batchOf(t, h.last(t)).Records {
					left = append(left, r.Body)
				}
			}
			if got := strings.Join(left, " "); got != c.left {
				t.Errorf("left are %q, want %q", got, c.left)
			}
		})
	}
}

func TestAFailedBatchStaysWhole(t *testing.T) {
	for _, report := range []bool{false, true} {
		b, h := fromQueue(t, SourceSpec{Report: report}, func(s *Spec) {
			s.Queues[0].Redrive, s.Queues[0].MaxReceives = "dead", 2
			s.Queues = append(s.Queues, QueueSpec{Name: "dead"})
		})
		b.send("q", "hi")
		b.pass(time.Second)
		b.FinishInvocation(h.last(t).Number, failure)
		b.pass(25 * time.Second) // the second is not answered at all
		b.pass(20 * time.Second)
		b.wantOutcomes("started failed started timed-out")
		b.wantCourse(core.EntryMessage, nil, "sent received received redriven")
	}
	// Without ReportBatchItemFailures the answer does not count.
	b, h := fromQueue(t, SourceSpec{}, nil)
	m := b.send("q", "hi")
	b.pass(time.Second)
	b.FinishInvocation(h.last(t).Number, lambda.Answer{Payload: []byte(`{"batchItemFailures":[{"itemIdentifier":"` + m.ID + `"}]}`)})
	b.wantCourse(core.EntryMessage, nil, "sent received deleted")
}

func TestBatchesAndConcurrency(t *testing.T) {
	b, h := fromQueue(t, SourceSpec{Batch: 3, MaxConcurrency: 2}, func(s *Spec) { s.Functions[0].Concurrency = 10 })
	for i := range 8 {
		b.send("q", strconv.Itoa(i))
	}
	b.pass(time.Second)
	if len(h.given) != 2 || len(batchOf(t, h.given[0]).Records) != 3 {
		t.Fatalf("%d invocations, the first of %d messages", len(h.given), len(batchOf(t, h.given[0]).Records))
	}
	b.FinishInvocation(h.given[0].Number, lambda.Answer{})
	b.pass(0)
	if len(h.given) != 3 || len(batchOf(t, h.given[2]).Records) != 2 {
		t.Fatalf("%d invocations after one has ended", len(h.given))
	}
}

func TestWindowGathers(t *testing.T) {
	b, h := fromQueue(t, SourceSpec{Batch: 12, Window: 5 * time.Second}, nil)
	b.send("q", "0")
	b.pass(4 * time.Second)
	b.send("q", "1")
	if len(h.given) != 0 {
		t.Fatal("the window is not over")
	}
	b.pass(time.Second)
	if len(h.given) != 1 || len(batchOf(t, h.given[0]).Records) != 2 {
		t.Fatalf("given were %d invocations", len(h.given))
	}
	b.FinishInvocation(h.last(t).Number, lambda.Answer{})
	for i := range 13 {
		b.send("q", strconv.Itoa(i))
	}
	b.pass(0)
	if len(h.given) != 2 || len(batchOf(t, h.given[1]).Records) != 12 {
		t.Fatalf("a full batch waits for its window: %d invocations", len(h.given))
	}
}

func TestAThrottledBatchIsTriedUntilItsMessagesShowAgain(t *testing.T) {
	b, h := fromQueue(t, SourceSpec{}, func(s *Spec) { s.Functions[0].Concurrency, s.Functions[0].Timeout = 1, 20*time.Second })
	_, err := b.Invoke("fn", nil, func(lambda.Answer) {})
	b.must(err)
	b.send("q", "hi")
	b.pass(5 * time.Second) // tried at 0 s, 1 s and 3 s
	b.wantOutcomes("started throttled throttled throttled")
	b.FinishInvocation(h.last(t).Number, lambda.Answer{})
	b.pass(2 * time.Second)
	b.wantOutcomes("started throttled throttled throttled succeeded started")
	b.FinishInvocation(h.last(t).Number, lambda.Answer{})
	b.wantCourse(core.EntryMessage, nil, "sent received deleted")
}

func TestWrongFunctionsAreRefused(t *testing.T) {
	for _, c := range []struct {
		want   string
		change func(*Spec)
	}{
		{"a name of its own", func(s *Spec) { s.Functions = append(s.Functions, FunctionSpec{Name: "fn"}) }},
		{"from 1s to 15m", func(s *Spec) { s.Functions[0].Timeout = time.Hour }},
		{`no queue "x"`, func(s *Spec) { s.Functions[0].Sources = []SourceSpec{{Queue: "x"}} }},
		{"no shorter", func(s *Spec) {
			s.Functions[0].Timeout, s.Functions[0].Sources = time.Minute, []SourceSpec{{Queue: "q"}}
		}},
		{"window of at least 1s", func(s *Spec) { s.Functions[0].Sources = []SourceSpec{{Queue: "q", Batch: 11}} }},
		{"from 0s to 5m", func(s *Spec) { s.Functions[0].Sources = []SourceSpec{{Queue: "q", Window: time.Hour}} }},
		{"from 2 to 1000", func(s *Spec) { s.Functions[0].Sources = []SourceSpec{{Queue: "q", MaxConcurrency: 1}} }},
		{`no function "x"`, func(s *Spec) {
			s.Rules = []RuleSpec{{Name: "r", Schedule: "rate(1 minute)", Targets: []string{"function:x"}}}
		}},
		{"RawMessageDelivery", func(s *Spec) {
			s.Topics = []TopicSpec{{Name: "t", Subscriptions: []SubscriptionSpec{{Function: "fn", Raw: true}}}}
		}},
	} {
		s := Spec{Queues: []QueueSpec{{Name: "q"}}, Functions: []FunctionSpec{{Name: "fn"}}}
		c.change(&s)
		if _, err := Build(s); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
}
