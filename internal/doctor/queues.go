package doctor

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/advice"
	"github.com/ebbhq/ebb/internal/inventory"
)

func queueChecks() []Check {
	return []Check{
		{"no-redrive", "A queue without a dead-letter queue", each((*Input).listened, noRedrive)},
		{"queue-settings", "Queue settings that lose or repeat messages", queueSettings},
		{"dead-letters", "Messages in a dead-letter queue", each((*Input).deadLetterQueues, deadLetters)},
	}
}

// listened are the queues that receive lifecycle actions: from a hook, from a rule, or because Ebb reads them.
func (in *Input) listened() []inventory.Queue {
	s := in.Inventory
	told := map[string]bool{}
	for _, g := range s.Groups {
		for _, h := range g.Hooks {
			told[string(h.Target)] = true
		}
	}
	for _, r := range s.Rules {
		for _, arn := range r.Targets {
			told[arn] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(s.Queues), func(q inventory.Queue) bool {
		return !queueRead(in, q) || !told[q.ARN] && !in.isEbbs(q)
	})
}

// queueRead reports whether a queue is there and its attributes are known.
func queueRead(in *Input, q inventory.Queue) bool {
	return !q.Absent && q.ARN != "" && q.URL != "" && in.read("queue "+q.URL, "sqs:GetQueueAttributes")
}

func (in *Input) deadLetterQueues() []inventory.Queue {
	return slices.DeleteFunc(slices.Clone(in.Inventory.Queues), func(q inventory.Queue) bool {
		return q.ARN == "" || !slices.ContainsFunc(in.Inventory.Queues, func(other inventory.Queue) bool { return other.Redrive == q.ARN })
	})
}

func noRedrive(in *Input, q inventory.Queue) *Finding {
	if q.Redrive != "" {
		return nil
	}
	name := q.ARN[strings.LastIndexByte(q.ARN, ':')+1:]
	return &Finding{
		Severity: Warn, Subject: "queue " + q.URL, Finding: "the queue has no redrive policy",
		Impact: "a message that no reader understands is delivered again and again until it expires; Ebb writes it to its journal and deletes it after 5 receives",
		Advice: advice.Of(in.At.Messaging().CreateQueue(name+"-dlq", map[string]string{"MessageRetentionPeriod": "1209600"}).
			For("first a queue for what no reader understands"),
			in.At.Messaging().SetQueue(q.URL, map[string]string{"RedrivePolicy": advice.Redrive(q.ARN + "-dlq")}).For("then its redrive policy")),
	}
}

// shortRetention is how long a reader must be able to be away without losing messages about terminations.
const shortRetention = time.Hour

func queueSettings(in *Input) (found []Finding) {
	for _, q := range in.listened() {
		set := func(what, ifLeft, attribute, value string) {
			found = append(found, Finding{
				Severity: Warn, Subject: "queue " + q.URL, Finding: what, Impact: ifLeft,
				Advice: advice.Of(in.At.Messaging().SetQueue(q.URL, map[string]string{attribute: value}).For("")),
			})
		}
		if q.Retention < shortRetention {
			set("the queue keeps messages for "+span(q.Retention)+" only", "if its reader is away for longer, messages about terminations are lost",
				"MessageRetentionPeriod", "345600")
		}
		if q.Visibility == 0 && !in.isEbbs(q) { // Ebb asks for a time of its own at each receive
			set("a received message becomes visible again at once (visibility timeout 0)",
				"every message is handled several times at the same time", "VisibilityTimeout", "60")
		}
		if q.Redrive != "" && q.MaxReceives > 0 && q.MaxReceives < 3 {
			set(fmt.Sprintf("a message goes to the dead-letter queue after %d receives", q.MaxReceives),
				"a reader that is restarted in the middle loses the message to the dead-letter queue",
				"RedrivePolicy", advice.Redrive(q.Redrive))
		}
	}
	return found
}

func deadLetters(in *Input, q inventory.Queue) *Finding {
	if q.Visible == 0 {
		return nil
	}
	return &Finding{
		Severity: Warn, Subject: "queue " + q.URL, Finding: fmt.Sprintf("this dead-letter queue holds messages: about %d", q.Visible),
		Impact: "nobody acted on them: instances may have left undrained, or a reader does not understand its messages",
		Advice: advice.Of(in.At.Messaging().ReadQueue(q.URL).For("shows some of them"), in.At.Messaging().SendBack(q.ARN).For("sends them back"),
			in.At.Messaging().Purge(q.URL).For("drops them")),
	}
}
