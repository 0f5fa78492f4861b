package wire

import (
	"context"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	eb "github.com/aws/aws-sdk-go-v2/service/eventbridge"
	ebtypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/ec2"
)

// TestQueue sends and receives with the SDK's client, which checks the digests of bodies and attributes.
func TestQueue(t *testing.T) {
	api := demoAPI(t, nil)
	q := sqs.NewFromConfig(config(api.Handler()))
	made := must[*sqs.CreateQueueOutput](t)(q.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: new("other"),
		Attributes: map[string]string{"VisibilityTimeout": "45"}}))
	if *made.QueueUrl != "http://sim.invalid/111122223333/other" {
		t.Errorf("its URL is %s", *made.QueueUrl)
	}
	attributes := map[string]sqstypes.MessageAttributeValue{
		"text": {DataType: new("String"), StringValue: new("x")}, "bytes": {DataType: new("Binary"), BinaryValue: []byte{0, 1}},
	}
	must[*sqs.SendMessageOutput](t)(q.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: made.QueueUrl, MessageBody: new("hi"),
		MessageAttributes: attributes}))
	receive := &sqs.ReceiveMessageInput{QueueUrl: made.QueueUrl, MessageAttributeNames: []string{"All"},
		MessageSystemAttributeNames: []sqstypes.MessageSystemAttributeName{"All"}}
	got := must[*sqs.ReceiveMessageOutput](t)(q.ReceiveMessage(t.Context(), receive)).Messages
	if len(got) != 1 || *got[0].Body != "hi" || got[0].Attributes["ApproximateReceiveCount"] != "1" ||
		string(got[0].MessageAttributes["bytes"].BinaryValue) != "\x00\x01" {
		t.Fatalf("received %+v", got)
	}
	ask := &sqs.GetQueueAttributesInput{QueueUrl: made.QueueUrl, AttributeNames: []sqstypes.QueueAttributeName{"All"}}
	facts := must[*sqs.GetQueueAttributesOutput](t)(q.GetQueueAttributes(t.Context(), ask)).Attributes
	if facts["VisibilityTimeout"] != "45" || facts["ApproximateNumberOfMessagesNotVisible"] != "1" {
		t.Errorf("attributes %v", facts)
	}
	batch := &sqs.DeleteMessageBatchInput{QueueUrl: made.QueueUrl, Entries: []sqstypes.DeleteMessageBatchRequestEntry{
		{Id: new("b"), ReceiptHandle: new("nonsense")}, {Id: new("a"), ReceiptHandle: got[0].ReceiptHandle}}} // one that fails ends no batch
	deleted := must[*sqs.DeleteMessageBatchOutput](t)(q.DeleteMessageBatch(t.Context(), batch))
	if len(deleted.Successful) != 1 || len(deleted.Failed) != 1 || *deleted.Failed[0].Code != "ReceiptHandleIsInvalid" {
		t.Errorf("deleted %+v, failed %+v", deleted.Successful, deleted.Failed)
	}
	facts = must[*sqs.GetQueueAttributesOutput](t)(q.GetQueueAttributes(t.Context(), ask)).Attributes
	if facts["ApproximateNumberOfMessagesNotVisible"] != "0" {
		t.Errorf("after the deletion: %v", facts)
	}
}

func TestSetQueueAttributes(t *testing.T) {
	api := demoAPI(t, nil)
	set := func(attributes map[string]string) error {
		_, err := Call[sqs.SetQueueAttributesOutput](t.Context(), api, &sqs.SetQueueAttributesInput{QueueUrl: new("ebb"), Attributes: attributes})
		return err
	}
	redrive := `{"deadLetterTargetArn":"arn:aws:sqs:eu-west-1:111122223333:ebb-dlq","maxReceiveCount":"3"}`
	if err := set(map[string]string{"VisibilityTimeout": "77", "RedrivePolicy": redrive}); err != nil {
		t.Fatal(err)
	}
	wantCode(t, set(map[string]string{"VisibilityTimeout": "43201"}), "InvalidAttributeValue", "VisibilityTimeout")
	wantCode(t, set(map[string]string{"VisibilityTimeout": "1", "Colour": "red"}), "InvalidAttributeName", "Colour")
	wantCode(t, set(map[string]string{"RedrivePolicy": "{}"}), "InvalidAttributeValue", "RedrivePolicy")
	out := must[*sqs.GetQueueAttributesOutput](t)(Call[sqs.GetQueueAttributesOutput](t.Context(), api,
		&sqs.GetQueueAttributesInput{QueueUrl: new("ebb"), AttributeNames: []sqstypes.QueueAttributeName{"VisibilityTimeout", "RedrivePolicy"}}))
	if out.Attributes["VisibilityTimeout"] != "77" || !strings.Contains(out.Attributes["RedrivePolicy"], `"maxReceiveCount":3`) || len(out.Attributes) != 2 {
		t.Errorf("attributes %v", out.Attributes)
	}
}

func TestBatchRefusals(t *testing.T) {
	api := demoAPI(t, nil)
	send := func(ids ...string) error {
		in := &sqs.SendMessageBatchInput{QueueUrl: new("ebb")}
		for _, id := range ids {
			in.Entries = append(in.Entries, sqstypes.SendMessageBatchRequestEntry{Id: &id, MessageBody: new("x")})
		}
		_, err := Call[sqs.SendMessageBatchOutput](t.Context(), api, in)
		return err
	}
	wantCode(t, send(), "AWS.SimpleQueueService.EmptyBatchRequest", "")
	wantCode(t, send(strings.Split("abcdefghijk", "")...), "AWS.SimpleQueueService.TooManyEntriesInBatchRequest", "11")
	wantCode(t, send("a", "a"), "AWS.SimpleQueueService.BatchEntryIdsNotDistinct", "a")
	wantCode(t, send("a b"), "AWS.SimpleQueueService.InvalidBatchEntryId", "")
	_, err := Call[sqs.ReceiveMessageOutput](t.Context(), api, &sqs.ReceiveMessageInput{QueueUrl: new("no-such")})
	if _, ok := errors.AsType[*sqstypes.QueueDoesNotExist](err); !ok {
		t.Errorf("unknown queue: %v", err)
	}
}

// TestTopicAndRule sends an event by way of a rule and a topic into a queue.
func TestTopicAndRule(t *testing.T) {
	api := demoAPI(t, nil)
	cfg := config(api.Handler())
	events, topics := eb.NewFromConfig(cfg), sns.NewFromConfig(cfg)
	topic := must[*sns.CreateTopicOutput](t)(topics.CreateTopic(t.Context(), &sns.CreateTopicInput{Name: new("hooks")})).TopicArn
	api.World.Advance(api.World.Now().Add(time.Minute))
	must[*sqs.PurgeQueueOutput](t)(Call[sqs.PurgeQueueOutput](t.Context(), api, &sqs.PurgeQueueInput{QueueUrl: new("ebb")}))
	must[*sns.SubscribeOutput](t)(topics.Subscribe(t.Context(), &sns.SubscribeInput{TopicArn: topic, Protocol: new("sqs"),
		Endpoint: new("arn:aws:sqs:eu-west-1:111122223333:ebb")}))
	must[*eb.PutRuleOutput](t)(events.PutRule(t.Context(), &eb.PutRuleInput{Name: new("mine"), EventPattern: new(`{"source":["mine"]}`)}))
	must[*eb.PutTargetsOutput](t)(events.PutTargets(t.Context(), &eb.PutTargetsInput{Rule: new("mine"), Targets: []ebtypes.Target{{Id: new("t"), Arn: topic}}}))
	put := must[*eb.PutEventsOutput](t)(events.PutEvents(t.Context(), &eb.PutEventsInput{Entries: []ebtypes.PutEventsRequestEntry{
		{Source: new("mine"), DetailType: new("x"), Detail: new(`{"answer":42}`)}, {Source: new("mine")},
	}}))
	if put.FailedEntryCount != 1 || put.Entries[0].EventId == nil || *put.Entries[1].ErrorCode != "InvalidArgument" {
		t.Errorf("put %+v", put)
	}
	api.World.Advance(api.World.Now().Add(time.Minute))
	got := must[*sqs.ReceiveMessageOutput](t)(Call[sqs.ReceiveMessageOutput](t.Context(), api, &sqs.ReceiveMessageInput{QueueUrl: new("ebb")})).Messages
	if len(got) != 1 || !strings.Contains(*got[0].Body, `"Type":"Notification"`) || !strings.Contains(*got[0].Body, "answer") {
		t.Errorf("received %d messages: %+v", len(got), got)
	}
}

// TestLongPoll waits for a message in a world that is moved by its clock: 20 s of the world are 2 s at speed 10.
func TestLongPoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := demoAPI(t, nil)
		h := api.Handler()
		stop := startClock(t, api, 10)
		q := sqs.NewFromConfig(config(h))
		receive := &sqs.ReceiveMessageInput{QueueUrl: new("ebb-dlq"), WaitTimeSeconds: 20}

		start := time.Now()
		if got := must[*sqs.ReceiveMessageOutput](t)(q.ReceiveMessage(t.Context(), receive)).Messages; len(got) != 0 {
			t.Errorf("an empty queue gave %+v", got)
		}
		if took := time.Since(start); took < 2*time.Second || took > 2100*time.Millisecond {
			t.Errorf("the poll took %s, want 2s", took)
		}

		start = time.Now()
		must[*sqs.SendMessageOutput](t)(q.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: new("ebb-dlq"), MessageBody: new("late"), DelaySeconds: 10}))
		if got := must[*sqs.ReceiveMessageOutput](t)(q.ReceiveMessage(t.Context(), receive)).Messages; len(got) != 1 {
			t.Errorf("received %d messages", len(got))
		}
		if took := time.Since(start); took < time.Second || took > 1100*time.Millisecond {
			t.Errorf("the message came after %s, want 1s", took)
		}
		if n := api.Counts()["sqs.ReceiveMessage"]; n != 2 {
			t.Errorf("two polls were counted as %d", n)
		}
		stop()
	})
}

func startClock(t *testing.T, api *API, speed float64) (stop func()) {
	t.Helper()
	c := NewClock(api, speed)
	done := make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer close(done)
		c.Run(ctx)
	}()
	return func() {
		cancel()
		<-done
	}
}

func TestOwnPages(t *testing.T) {
	api := demoAPI(t, nil)
	h := api.Handler()
	ask := func(method, path string) (int, string) {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(method, "http://sim.invalid"+path, http.NoBody))
		return w.Code, w.Body.String()
	}
	start := api.World.Now()
	for _, tt := range []struct {
		method, path string
		status       int
		contains     string
	}{
		{"GET", "/_sim/clock", 200, `{"now":"` + start.Format(time.RFC3339Nano) + `","speed":0}`},
		{"POST", "/_sim/advance?by=90s", 200, start.Add(90 * time.Second).Format(time.RFC3339Nano)},
		{"POST", "/_sim/advance?to=" + start.Format(time.RFC3339Nano), 400, "not before"},
		{"POST", "/_sim/advance", 400, "by=90s"},
		{"GET", "/_sim/record?after=0", 200, `"kind":`},
		{"GET", "/_sim/record?after=99999999", 200, ""},
		{"GET", "/_sim/record?after=x", 400, "after"},
		{"GET", "/_sim/counts", 200, "{}"},
	} {
		if status, body := ask(tt.method, tt.path); status != tt.status || !strings.Contains(body, tt.contains) {
			t.Errorf("%s %s: %d %.200s", tt.method, tt.path, status, body)
		}
	}
	NewClock(api, 1)
	if status, _ := ask("POST", "/_sim/advance?by=1s"); status != http.StatusBadRequest {
		t.Errorf("a world that moves by itself was moved by hand: %d", status)
	}
}

// TestEC2 reads the XML of EC2, for which there is no client of the SDK here.
func TestEC2(t *testing.T) {
	api := demoAPI(t, func(c *Config) { c.PageSize = 3 })
	h := api.Handler()
	all, err := api.World.(*sim.World).DescribeInstances(nil)
	if err != nil || len(all) != 4 {
		t.Fatalf("%d instances, %v", len(all), err)
	}
	var page struct {
		XMLName xml.Name
		ec2.DescribeInstancesOutput
	}
	w := post(h, "ec2", "", "Action=DescribeInstances&Version=2016-11-15&Filter.1.Name=instance-state-name&Filter.1.Value.1=running")
	read(t, w.Body, &page)
	first := page.Reservations[0].Instances[0]
	if page.XMLName.Local != "DescribeInstancesResponse" || len(page.Reservations) != 3 || page.NextToken == nil {
		t.Errorf("%s with %d reservations, next token %v", page.XMLName.Local, len(page.Reservations), page.NextToken)
	}
	if first.ID != all[0].ID || first.State.Code != 16 || first.State.Name != "running" || first.Zone != all[0].Zone || len(first.Tags) != 1 ||
		first.Tags[0].Value != group {
		t.Errorf("first instance %+v, want %+v", first, all[0])
	}
	var change struct{ ec2.ChangeInstancesOutput }
	read(t, post(h, "ec2", "", "Action=TerminateInstances&InstanceId.1="+first.ID).Body, &change)
	if len(change.Changes) != 1 || change.Changes[0].Previous.Name != "running" || change.Changes[0].Current.Name == "running" {
		t.Errorf("terminated: %+v", change.Changes)
	}
	_, err = Call[ec2.DescribeInstancesOutput](t.Context(), api, &ec2.DescribeInstancesInput{InstanceIds: []string{"i-0123456789abcdef0"}})
	wantCode(t, err, "InvalidInstanceID.NotFound", "i-0123456789abcdef0")
	if _, err := Call[ec2.ChangeInstancesOutput](t.Context(), api, &ec2.StopInstancesInput{}); err == nil {
		t.Error("no instances were stopped without a word")
	}
}

func read(t *testing.T, body io.Reader, to any) {
	t.Helper()
	text, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	if err := xml.Unmarshal(text, to); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
}
