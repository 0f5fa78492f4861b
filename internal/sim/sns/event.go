package sns

import "github.com/ebbhq/ebb/internal/sim/core"

// topicRecord is a message of a topic as a function gets it: its URLs are spelled otherwise than in the envelope for queues.
// https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html
type topicRecord struct {
	EventSource          string
	EventVersion         string
	EventSubscriptionArn string
	Sns                  topicMessage
}

type topicMessage struct {
	Type              string
	MessageID         string `json:"MessageId"`
	TopicArn          string
	Subject           *string
	Message           string
	Timestamp         string
	SignatureVersion  string
	Signature         string
	SigningCertURL    string `json:"SigningCertUrl"`
	UnsubscribeURL    string `json:"UnsubscribeUrl"`
	MessageAttributes map[string]any
}

// event is what a function gets of a message.
func event(e envelope, subscription string) []byte {
	m := topicMessage{
		Type: e.Type, MessageID: e.MessageID, TopicArn: e.TopicArn, Message: e.Message, Timestamp: e.Timestamp, SignatureVersion: e.SignatureVersion,
		Signature: e.Signature, SigningCertURL: e.SigningCertURL, UnsubscribeURL: e.UnsubscribeURL, MessageAttributes: map[string]any{},
	}
	if e.Subject != "" {
		m.Subject = &e.Subject
	}
	return []byte(core.JSON(map[string]any{"Records": []topicRecord{{EventSource: "aws:sns", EventVersion: "1.0", EventSubscriptionArn: subscription, Sns: m}}}))
}
