package event

import "fmt"

// parseSNS opens the envelope that SNS puts around a message unless raw delivery is on.
// https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html
func parseSNS(f *fields, envelopes int) Event {
	kind, topic := f.str("Type"), f.str("TopicArn")
	var e Event
	switch kind {
	case "Notification":
		e = parseInner(f, envelopes)
	case "SubscriptionConfirmation":
		e = Event{Kind: Ignored, Why: fmt.Sprintf("SNS asks whether the queue may be subscribed to the topic %s, and sends nothing until "+
			"that is confirmed; subscribe the queue from the account that owns it, then SNS does not ask", quote(topic))}
	case "UnsubscribeConfirmation":
		e = Event{Kind: Ignored, Why: fmt.Sprintf("the queue is no longer subscribed to the topic %s; if that was "+
			"not meant, subscribe it again", quote(topic))}
	default:
		e = unknown(`the field "Type" is %s, which is no SNS message type`, quote(kind))
	}
	if e.Time.IsZero() && e.Kind != Unknown {
		e.Time = f.time("Timestamp")
		e.Ends = ends(e)
	}
	return f.or(e)
}

// parseInner reads the message in the envelope.
func parseInner(f *fields, envelopes int) Event {
	message := f.need("Message")
	if len(f.problems) > 0 {
		return Event{}
	}
	e := open([]byte(message), envelopes)
	if e.Kind == Unknown {
		e.Why = "in the SNS message: " + e.Why
	}
	return e
}
