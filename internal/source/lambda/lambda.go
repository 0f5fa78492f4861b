// Package lambda hears as an AWS Lambda function does: it turns the event of one invocation into messages, and what became of them into
// the function's answer.
//
// It never waits, never calls AWS, and never drops a record that it does not know: that is a message which nobody understands.
package lambda

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/ebbhq/ebb/internal/event"
)

// Invocation is the event of one invocation.
type Invocation struct {
	Messages []event.Message
	Clock    bool // the schedule invoked it: a minute has passed
	Queue    bool // an event source mapping invoked it: what failed is told message by message
}

// envelope is what tells the kinds of events apart.
// https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html
// https://docs.aws.amazon.com/lambda/latest/dg/services-cloudwatchevents.html
type envelope struct {
	Records    []record `json:"Records"`
	ID         string   `json:"id"`
	DetailType string   `json:"detail-type"`
	Source     string   `json:"source"`
}

// record is one of SQS or SNS.
type record struct {
	MessageID  string `json:"messageId"`
	Body       string `json:"body"`
	Attributes struct {
		Receives string `json:"ApproximateReceiveCount"`
		Sent     string `json:"SentTimestamp"` // milliseconds since 1970
	} `json:"attributes"`
	Source    string          `json:"eventSource"`
	SNSSource string          `json:"EventSource"` // so that it is not taken for the one of SQS
	SNS       json.RawMessage `json:"Sns"`
}

// Parse reads the event of an invocation. It does not fail: an event of a kind that it does not know is one message, which nobody will
// understand.
func Parse(payload []byte) Invocation {
	var e envelope
	if err := json.Unmarshal(payload, &e); err == nil {
		switch {
		case e.DetailType == "Scheduled Event" && e.Source == "aws.events":
			return Invocation{Clock: true}
		case len(e.Records) == 0:
		case !slices.ContainsFunc(e.Records, func(r record) bool { return r.Source != "aws:sqs" || r.MessageID == "" }):
			return fromQueue(e.Records)
		case !slices.ContainsFunc(e.Records, func(r record) bool { return len(r.SNS) == 0 }):
			return fromTopic(e.Records)
		}
	}
	id := or(e.ID, payload) // of an event of EventBridge
	return Invocation{Messages: []event.Message{{ID: id, Body: string(payload), Receives: 1}}}
}

// or is an id, or one made of what was said: the same event, when it is tried again, is the same message.
func or(id string, said []byte) string {
	sum := sha256.Sum256(said)
	return cmp.Or(id, hex.EncodeToString(sum[:16]))
}

func fromQueue(rs []record) Invocation {
	in := Invocation{Queue: true}
	for _, r := range rs {
		m := event.Message{ID: r.MessageID, Body: r.Body, Receives: 1}
		if n, err := strconv.Atoi(r.Attributes.Receives); err == nil {
			m.Receives = n
		}
		if ms, err := strconv.ParseInt(r.Attributes.Sent, 10, 64); err == nil {
			m.Sent = time.UnixMilli(ms).UTC()
		}
		in.Messages = append(in.Messages, m)
	}
	return in
}

// fromTopic keeps the notification of SNS as it is, which is the form that a queue would have got.
func fromTopic(rs []record) Invocation {
	var in Invocation
	for _, r := range rs {
		var sns events.SNSEntity
		_ = json.Unmarshal(r.SNS, &sns) // without them it is a message all the same
		in.Messages = append(in.Messages, event.Message{ID: or(sns.MessageID, r.SNS), Body: string(r.SNS), Sent: sns.Timestamp, Receives: 1})
	}
	return in
}

// Reply is what the function answers when the messages of these ids were taken, and all others not. To an event source mapping it names
// those that are to come again. Where messages cannot be told apart, because no queue holds them, the error makes Lambda invoke the
// function again with the same event.
// https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
func (in Invocation) Reply(taken map[string]bool, why error) (any, error) {
	failed := []events.SQSBatchItemFailure{}
	for _, m := range in.Messages {
		if !taken[m.ID] {
			failed = append(failed, events.SQSBatchItemFailure{ItemIdentifier: m.ID})
		}
	}
	if in.Queue {
		return events.SQSEventResponse{BatchItemFailures: failed}, nil // also when the journal failed: what was taken before is taken
	}
	if why == nil && len(failed) > 0 {
		why = fmt.Errorf("%d of %d messages were not taken: Lambda tries again; the log says why", len(failed), len(in.Messages))
	}
	return nil, why
}
