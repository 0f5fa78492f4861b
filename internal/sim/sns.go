package sim

import (
	"slices"
	"strings"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// CreateTopic makes a topic, or returns the one of that name.
// https://docs.aws.amazon.com/sns/latest/api/API_CreateTopic.html
func (w *World) CreateTopic(name string) *Topic {
	arn := w.ARN("sns", name)
	if t := w.findTopic(arn); t != nil {
		return t
	}
	t := &Topic{Name: name, ARN: arn}
	w.topics = append(w.topics, t)
	return t
}

// Topics returns the live topics, in the order in which they were made.
func (w *World) Topics() []*Topic { return slices.Clone(w.topics) }

func (w *World) findTopic(arn string) *Topic {
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
func (w *World) Subscribe(topicARN, protocol, endpoint string, raw bool) (*Subscription, error) {
	t := w.findTopic(topicARN)
	if t == nil {
		return nil, &core.Error{Code: "NotFound", Message: "Topic does not exist", Status: 404}
	}
	if protocol != "sqs" && protocol != "lambda" {
		return nil, core.Refuse("InvalidParameter", "Invalid parameter: Protocol %s is not one that the simulator delivers to: use sqs or lambda", protocol)
	}
	if protocol == "lambda" && (raw || !strings.HasPrefix(endpoint, "arn:aws:lambda:")) {
		return nil, core.Refuse("InvalidParameter", "Invalid parameter: a subscription of protocol lambda has the ARN of a function as endpoint, and no RawMessageDelivery")
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
func (w *World) Publish(topicARN, subject, message string) (string, error) {
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

func (w *World) publish(t *Topic, subject, message string, about core.Entry) string {
	host := "https://sns." + w.Region + ".amazonaws.com/"
	e := envelope{
		Type: "Notification", MessageID: w.UUID(), TopicArn: t.ARN, Subject: subject, Message: message, Timestamp: core.ISOMillis(w.Now()),
		SignatureVersion: "1", Signature: "c2ltdWxhdGVk", SigningCertURL: host + "SimpleNotificationService-0123abcd.pem",
	}
	for _, s := range t.Subscriptions {
		e.UnsubscribeURL = host + "?Action=Unsubscribe&SubscriptionArn=" + s.ARN
		q, f := w.queue[core.LastPart(s.Endpoint)], w.findFunction(s.Endpoint)
		switch {
		case s.Protocol == "lambda" && f != nil:
			w.enqueue(f, topicEvent(e, s.ARN), about)
		case s.Protocol == "sqs" && q != nil && s.Raw:
			w.send(q, message, nil, q.Delay, about)
		case s.Protocol == "sqs" && q != nil:
			w.send(q, core.JSON(e), nil, q.Delay, about)
		default:
			lost := about
			lost.Kind, lost.To, lost.Queue = core.EntryMessage, "lost", core.LastPart(s.Endpoint)
			w.Log(lost)
		}
	}
	return e.MessageID
}
