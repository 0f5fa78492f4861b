// Package sns is Amazon SNS in a simulated cloud: topics that deliver to queues and functions.
//
// It never keeps a message: what has nowhere to go is lost.
package sns

import (
	"slices"
	"strings"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// SNS are the topics of a world.
type SNS struct {
	*core.Core
	queues    Queues
	functions Functions
	topics    []*Topic
}

// Queues are what topics deliver to.
type Queues interface {
	Deliver(arn, body string, about core.Entry) bool // false: there is no such queue
}

// Functions are what topics invoke.
type Functions interface {
	Deliver(arn string, payload []byte, about core.Entry) bool // false: there is no such function
}

// New makes SNS without topics.
func New(c *core.Core, queues Queues, functions Functions) *SNS {
	return &SNS{Core: c, queues: queues, functions: functions}
}

// CreateTopic makes a topic, or returns the one of that name.
// https://docs.aws.amazon.com/sns/latest/api/API_CreateTopic.html
func (w *SNS) CreateTopic(name string) *Topic {
	arn := w.ARN("sns", name)
	if t := w.findTopic(arn); t != nil {
		return t
	}
	t := &Topic{Name: name, ARN: arn}
	w.topics = append(w.topics, t)
	return t
}

// Topics returns the live topics, in the order in which they were made.
func (w *SNS) Topics() []*Topic { return slices.Clone(w.topics) }

func (w *SNS) findTopic(arn string) *Topic {
	for _, t := range w.topics {
		if t.ARN == arn {
			return t
		}
	}
	return nil
}

// Subscribe delivers a topic to a queue (protocol sqs) or a function (protocol lambda); the endpoint is its ARN. Raw leaves the envelope
// out, for queues.
// https://docs.aws.amazon.com/sns/latest/api/API_Subscribe.html
func (w *SNS) Subscribe(topicARN, protocol, endpoint string, raw bool) (*Subscription, error) {
	t := w.findTopic(topicARN)
	if t == nil {
		return nil, &core.Error{Code: "NotFound", Message: "Topic does not exist", Status: 404}
	}
	if protocol != "sqs" && protocol != "lambda" {
		return nil, core.Refuse("InvalidParameter", "Invalid parameter: Protocol %s is not one that the simulator delivers to: use sqs or lambda", protocol)
	}
	if protocol == "lambda" && (raw || !strings.HasPrefix(endpoint, "arn:aws:lambda:")) {
		return nil, core.Refuse("InvalidParameter",
			"Invalid parameter: a subscription of protocol lambda has the ARN of a function as endpoint, and no RawMessageDelivery")
	}
	for _, s := range t.Subscriptions {
		if s.Endpoint == endpoint {
			return s, nil
		}
	}
	s := &Subscription{ARN: t.ARN + ":" + w.UUID(), Protocol: protocol, Endpoint: endpoint, Raw: raw}
	t.Subscriptions = append(t.Subscriptions, s)
	return s, nil
}

// Publish sends a message to the subscribers of a topic and returns its id.
// https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
func (w *SNS) Publish(topicARN, subject, message string) (string, error) {
	t := w.findTopic(topicARN)
	if t == nil {
		return "", &core.Error{Code: "NotFound", Message: "Topic does not exist", Status: 404}
	}
	if message == "" {
		return "", core.Refuse("InvalidParameter", "Invalid parameter: Empty message")
	}
	return w.publish(t, subject, message, core.Entry{}), nil
}

// envelope is how SNS wraps a message.
// https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html
type envelope struct {
	Type             string
	MessageID        string `json:"MessageId"`
	TopicArn         string
	Subject          string `json:",omitempty"`
	Message          string
	Timestamp        string
	SignatureVersion string
	Signature        string
	SigningCertURL   string
	UnsubscribeURL   string
}

func (w *SNS) publish(t *Topic, subject, message string, about core.Entry) string {
	host := "https://sns." + w.Region + ".amazonaws.com/"
	e := envelope{
		Type: "Notification", MessageID: w.UUID(), TopicArn: t.ARN, Subject: subject, Message: message, Timestamp: core.ISOMillis(w.Now()),
		SignatureVersion: "1", Signature: "c2ltdWxhdGVk", SigningCertURL: host + "SimpleNotificationService-0123abcd.pem",
	}
	for _, s := range t.Subscriptions {
		e.UnsubscribeURL = host + "?Action=Unsubscribe&SubscriptionArn=" + s.ARN
		if !w.deliver(s, e, about) {
			lost := about
			lost.Kind, lost.To, lost.Queue = core.EntryMessage, "lost", core.LastPart(s.Endpoint)
			w.Log(lost)
		}
	}
	return e.MessageID
}

// Deliver publishes a message of another service of AWS; false if there is no such topic.
func (w *SNS) Deliver(arn, subject, body string, about core.Entry) bool {
	t := w.findTopic(arn)
	if t != nil {
		w.publish(t, subject, body, about)
	}
	return t != nil
}

func (w *SNS) deliver(s *Subscription, e envelope, about core.Entry) bool {
	switch {
	case s.Protocol == "lambda":
		return w.functions.Deliver(s.Endpoint, event(e, s.ARN), about)
	case s.Raw:
		return w.queues.Deliver(s.Endpoint, e.Message, about)
	}
	return w.queues.Deliver(s.Endpoint, core.JSON(e), about)
}
