package event

import (
	"bytes"
	"fmt"
)

// MaxBody is the size in bytes above which a body is not read. SQS itself takes messages up to 1 MiB.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
const MaxBody = 1 << 20

// maxEnvelopes is how many wrappers a message may have: an EventBridge event sent through an SNS topic has two.
const maxEnvelopes = 2

// Parse reads the body of one queue message. It takes what Auto Scaling sends to a queue or topic, the SNS envelope,
// EventBridge events and EventBridge events in the SNS envelope; a body that SNS delivered raw is the inner message. It always returns an
// event: Unknown, with Why, when the body cannot be understood.
// https://docs.aws.amazon.com/autoscaling/ec2/userguide/prepare-for-lifecycle-notifications.html
func Parse(body []byte) Event {
	if len(body) > MaxBody {
		return unknown("the body has %d bytes; AWS sends at most %d", len(body), MaxBody)
	}
	return open(body, 0)
}

// open recognises the shape of a body by the fields that only this shape has.
func open(body []byte, envelopes int) Event {
	body = bytes.TrimSpace(bytes.TrimPrefix(body, []byte("\ufeff")))
	if len(body) == 0 {
		return unknown("the body is empty")
	}
	read := readLines
	if body[0] == '{' {
		read = readObject
	}
	f, problem := read(body)
	if problem != "" {
		return unknown("%s", problem)
	}
	sns, bridge := f.has("Type") && f.has("TopicArn"), f.has("detail-type")
	if (sns || bridge) && envelopes >= maxEnvelopes {
		return unknown("the message is wrapped more than %d times", maxEnvelopes)
	}
	switch {
	case sns:
		return parseSNS(f, envelopes+1)
	case bridge:
		return parseEventBridge(f)
	case f.word("ebb") == hostSteps:
		return parseHost(f)
	case f.has("NewStateValue"):
		return parseAlarm(f)
	case f.has("alarmData"):
		return parseAlarmAction(f)
	case f.has("Event"):
		return parseNotification(f)
	case f.has("LifecycleTransition"):
		return parseLifecycle(f, f.str("LifecycleTransition"))
	}
	return unknown(`not a message of Auto Scaling, EventBridge or SNS: it has none of the fields "LifecycleTransition", "Event", ` +
		`"NewStateValue", ` +
		`"detail-type", and not "Type" with "TopicArn"`)
}

func unknown(format string, args ...any) Event {
	return Event{Kind: Unknown, Why: fmt.Sprintf(format, args...)}
}

// quote quotes a value of the message for people, cut so that a body never ends up in a log as a whole.
func quote(s string) string {
	const most = 80
	if r := []rune(s); len(r) > most {
		s = string(r[:most]) + "..."
	}
	return fmt.Sprintf("%q", s)
}
