package lambda

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ebbhq/ebb/internal/event"
)

const hook = `{"LifecycleTransition":"autoscaling:EC2_INSTANCE_TERMINATING"}`

func TestParse(t *testing.T) {
	quoted, _ := json.Marshal(hook)
	for name, c := range map[string]struct {
		event string
		want  Invocation
	}{
		"schedule": {`{"version":"0","id":"a1","detail-type":"Scheduled Event","source":"aws.events","account":"111122223333","detail":{}}`, Invocation{Clock: true}},
		"queue": {`{"Records":[{"messageId":"m1","receiptHandle":"h","body":` + string(quoted) + `,` +
			`"attributes":{"ApproximateReceiveCount":"3","SentTimestamp":"1795251600123"},"eventSource":"aws:sqs"},
			{"messageId":"m2","body":"x","attributes":{},"eventSource":"aws:sqs"}]}`, Invocation{Queue: true, Messages: []event.Message{
			{ID: "m1", Body: hook, Sent: time.UnixMilli(1795251600123).UTC(), Receives: 3}, {ID: "m2", Body: "x", Receives: 1}}}},
		"topic": {`{"Records":[{"EventSource":"aws:sns","EventVersion":"1.0","Sns":{"MessageId":"s1","Timestamp":"2026-11-21T09:00:00.000Z","Message":"x"}}]}`,
			Invocation{Messages: []event.Message{{ID: "s1", Body: `{"MessageId":"s1","Timestamp":"2026-11-21T09:00:00.000Z","Message":"x"}`,
				Sent: time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC), Receives: 1}}}},
		"rule": {`{"id":"e1","detail-type":"EC2 Instance-terminate Lifecycle Action","source":"aws.autoscaling"}`,
			Invocation{Messages: []event.Message{{ID: "e1", Body: `{"id":"e1","detail-type":"EC2 Instance-terminate Lifecycle Action","source":"aws.autoscaling"}`,
				Receives: 1}}}},
	} {
		t.Run(name, func(t *testing.T) {
			if d := cmp.Diff(c.want, Parse([]byte(c.event))); d != "" {
				t.Error(d)
			}
		})
	}
}

// What has no id of its own has the same each time it comes, and another than anything else.
func TestAnEventWithoutAnIDHasOneOfItsOwn(t *testing.T) {
	a, again, b := Parse([]byte(hook)), Parse([]byte(hook)), Parse([]byte("{"))
	if len(a.Messages) != 1 || a.Messages[0].ID == "" || a.Messages[0].ID != again.Messages[0].ID || a.Messages[0].ID == b.Messages[0].ID ||
		a.Messages[0].Body != hook {
		t.Errorf("%+v, %+v, %+v", a, again, b)
	}
}

// Two events that differ are never one message: the second would be taken for the first one, come again.
func TestEventsThatDifferHaveOtherIDs(t *testing.T) {
	seen := map[string]bool{}
	for i := range 2000 {
		for _, form := range []string{`{"EC2InstanceId":"i-%08x"}`, `{"Records":[{"Sns":{"Message":"i-%08x"}}]}`} {
			seen[Parse(fmt.Appendf(nil, form, i)).Messages[0].ID] = true
		}
	}
	if len(seen) != 4000 {
		t.Errorf("4000 events have %d ids", len(seen))
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{hook, "{", "null", `{"Records":[]}`, `{"Records":[{"eventSource":"aws:sqs"}]}`, `{"Records":[{"Sns":1}]}`, `{"Records":[null]}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, event []byte) {
		in := Parse(event)
		if !in.Clock && len(in.Messages) == 0 {
			t.Errorf("%q: nothing was heard", event)
		}
		for _, m := range in.Messages {
			if m.ID == "" {
				t.Errorf("%q: a message has no id", event)
			}
		}
	})
}

func TestReply(t *testing.T) {
	away := errors.New("the journal is away")
	two := []event.Message{{ID: "a"}, {ID: "b"}}
	for name, c := range map[string]struct {
		in    Invocation
		taken string
		err   error
		want  string
		fails string
	}{
		"queue, all taken":        {Invocation{Queue: true, Messages: two}, "a b", nil, `{"batchItemFailures":[]}`, ""},
		"queue, one not":          {Invocation{Queue: true, Messages: two}, "a", nil, `{"batchItemFailures":[{"itemIdentifier":"b"}]}`, ""},
		"queue, the journal away": {Invocation{Queue: true, Messages: two}, "", away, `{"batchItemFailures":[{"itemIdentifier":"a"},{"itemIdentifier":"b"}]}`, ""},
		"rule":                    {Invocation{Messages: two[:1]}, "a", nil, `null`, ""},
		"rule, not taken":         {Invocation{Messages: two[:1]}, "", nil, `null`, "1 of 1 messages were not taken"},
		"clock, the journal away": {Invocation{Clock: true}, "", away, `null`, "the journal is away"},
	} {
		t.Run(name, func(t *testing.T) {
			taken := map[string]bool{}
			for id := range strings.FieldsSeq(c.taken) {
				taken[id] = true
			}
			got, err := c.in.Reply(taken, c.err)
			b, _ := json.Marshal(got)
			if string(b) != c.want || (err == nil) != (c.fails == "") || err != nil && !strings.Contains(err.Error(), c.fails) {
				t.Errorf("%s, %v", b, err)
			}
		})
	}
}
