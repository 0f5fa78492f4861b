package lambda

import (
	"errors"
	"strings"
	"testing"
)

// What is not wholly of a kind that is known is one message, so that nothing is lost.
func TestWhatEventsAreTakenFor(t *testing.T) {
	for event, want := range map[string]struct {
		clock, queue bool
		messages     int
	}{
		`{"detail-type":"Scheduled Event","source":"aws.events"}`:                                           {true, false, 0},
		`{"detail-type":"Scheduled Event","source":"mine"}`:                                                 {false, false, 1},
		`{"detail-type":"Another Event","source":"aws.events"}`:                                             {false, false, 1},
		`{"detail-type":"Scheduled Event","source":"aws.events"`:                                            {false, false, 1},
		`{"Records":[{"eventSource":"aws:sqs","messageId":"1"},{"eventSource":"aws:sqs","messageId":"2"}]}`: {false, true, 2},
		`{"Records":[{"eventSource":"aws:sqs","messageId":"1"},{"eventSource":"aws:sqs"}]}`:                 {false, false, 1},
		`{"Records":[{"eventSource":"aws:kinesis","messageId":"1"}]}`:                                       {false, false, 1},
		`{"Records":[{"Sns":{"MessageId":"1"}},{"Sns":{"MessageId":"2"}}]}`:                                 {false, false, 2},
		`{"Records":[{"Sns":{"MessageId":"1"}},{"EventSource":"aws:sns"}]}`:                                 {false, false, 1},
		`{"detail-type":"Scheduled Event","source":"aws.events","Records":5}`:                               {false, false, 1},
		`{"Records":[]}`: {false, false, 1},
	} {
		in := Parse([]byte(event))
		if in.Clock != want.clock || in.Queue != want.queue || len(in.Messages) != want.messages {
			t.Errorf("%s: %+v", event, in)
		}
		seen := map[string]bool{}
		for _, m := range in.Messages {
			if m.ID == "" || seen[m.ID] {
				t.Errorf("%s: the id %q", event, m.ID)
			}
			seen[m.ID] = true
		}
	}
}

func TestAReplyWithoutAQueue(t *testing.T) {
	in := Parse([]byte(`{"Records":[{"Sns":{"MessageId":"1"}},{"Sns":{"MessageId":"2"}}]}`))
	why := errors.New("the journal is away")
	if _, err := in.Reply(map[string]bool{"1": true, "2": true}, why); !errors.Is(err, why) {
		t.Errorf("got %v, want what went wrong", err)
	}
	if _, err := in.Reply(map[string]bool{"1": true}, why); !errors.Is(err, why) {
		t.Errorf("got %v, want what went wrong", err)
	}
	if _, err := in.Reply(map[string]bool{"1": true}, nil); err == nil || !strings.HasPrefix(err.Error(), "1 of 2 messages were not taken") {
		t.Errorf("got %v", err)
	}
	if _, err := in.Reply(map[string]bool{"1": true, "2": true}, nil); err != nil {
		t.Errorf("got %v", err)
	}
}
