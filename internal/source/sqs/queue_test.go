package sqs

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"github.com/ebbhq/ebb/internal/event"
)

func TestReceive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, f := newQueue(12, 20*time.Second)
		ms := receive(t, q)
		want := event.Message{ID: "m0", Body: "body of m0", Receives: 1, Sent: time.UnixMilli(1795251600123).UTC()}
		if d := cmp.Diff(want, ms[0]); d != "" || len(ms) != 10 {
			t.Errorf("%d messages, the first one (-want +got)\n%s", len(ms), d)
		}
		if f.asked.WaitTimeSeconds != 20 || f.asked.VisibilityTimeout != 60 || len(f.asked.MessageSystemAttributeNames) != 2 {
			t.Errorf("asked for %+v", f.asked)
		}
		if ms := receive(t, q); len(ms) != 2 {
			t.Errorf("%d messages the second time, want 2", len(ms))
		}
	})
}

func TestDeleteSaysWhatIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, f := newQueue(12, 0)
		receive(t, q)
		receive(t, q)
		ms := q.extendable()
		f.refuse["m3/1"], f.refuse["m11/1"] = true, true
		left, err := q.delete(t.Context(), ms)
		if len(left) != 2 || !f.refuse[left[0].handle] || !f.refuse[left[1].handle] || !strings.Contains(err.Error(), "it is stale") {
			t.Errorf("left %v, error %v, want m3 and m11 left", left, err)
		}
		if len(f.deleted) != 10 {
			t.Errorf("%d deleted, want 10", len(f.deleted))
		}
		f.fails = errors.New("no connection")
		if left, err := q.delete(t.Context(), ms); len(left) != 12 || !errors.Is(err, f.fails) {
			t.Errorf("left %v, error %v, want all left", left, err)
		}
		if left, err := q.delete(t.Context(), nil); len(left) != 0 || err != nil {
			t.Errorf("nothing to delete: %v, %v", left, err)
		}
	})
}

func TestWhatIsNotDeletedComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, f := newQueue(3, 0)
		receive(t, q)
		q.Settle("m0", true)
		q.Settle("m1", false)
		q.Settle("unheard of", true)
		if q.Held() != 1 || len(f.deleted) != 0 {
			t.Errorf("%d held, %v deleted, want one held, and nothing sent before Flush", q.Held(), f.deleted)
		}
		again := func(after time.Duration, id string, receives int) {
			t.Helper()
			if q.Held() != 0 || !slices.Equal(f.deleted, []string{"m0/1"}) {
				t.Errorf("%d held, %v deleted, want none held and m0 deleted", q.Held(), f.deleted)
			}
			if after > 0 {
				time.Sleep(after - time.Second)
				if ms := receive(t, q); len(ms) != 0 {
					t.Errorf("got %v before its time", ms)
				}
				time.Sleep(time.Second)
			}
			if ms := receive(t, q); len(ms) != 1 || ms[0].ID != id || ms[0].Receives != receives {
				t.Errorf("got %v after %s, want %s for the %d. time", ms, after, id, receives)
			}
		}
		q.LetGo() // m2
		q.Flush(t.Context())
		again(0, "m2", 2)
		q.Settle("m2", true)
		again(30*time.Second, "m1", 2)
	})
}

func TestExtendStaysWithinTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, f := newQueue(1, 0)
		receive(t, q)
		ms := q.extendable()
		time.Sleep(11*time.Hour + 50*time.Minute)
		for _, d := range []time.Duration{time.Minute, time.Hour} {
			if _, err := q.extend(t.Context(), ms, d); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Hour)
		if _, err := q.extend(t.Context(), ms, time.Hour); err != nil {
			t.Fatal(err)
		}
		if want := []int{60, 9 * 60, 0}; !slices.Equal(f.changes["m0/1"], want) {
			t.Errorf("extended by %v s, want %v", f.changes["m0/1"], want)
		}
	})
}

func TestBackoff(t *testing.T) {
	for receives, want := range map[int]time.Duration{
		0: 30 * time.Second, 1: 30 * time.Second, 2: time.Minute, 5: 8 * time.Minute, 6: 15 * time.Minute, 1 << 40: 15 * time.Minute,
	} {
		if got := Backoff(receives); got != want {
			t.Errorf("after %d receives %v, want %v", receives, got, want)
		}
	}
}

func TestCheck(t *testing.T) {
	q, f := newQueue(0, 0)
	f.facts = map[string]string{"RedrivePolicy": `{"deadLetterTargetArn":"arn:aws:sqs:eu-west-1:111122223333:dead","maxReceiveCount":"5"}`}
	if redrive, err := q.Check(t.Context()); err != nil || !redrive {
		t.Errorf("got %v, error %v; want a dead-letter queue", redrive, err)
	}
	f.facts = map[string]string{"RedriveAllowPolicy": `{"redrivePermission":"allowAll"}`, "VisibilityTimeout": "30"}
	if redrive, err := q.Check(t.Context()); err != nil || redrive {
		t.Errorf("without a redrive policy: got %v, error %v", redrive, err)
	}
}

func TestCheckSaysWhatToDo(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{&types.QueueDoesNotExist{Message: aws.String("The specified queue does not exist.")}, "check the URL"},
		{&smithy.GenericAPIError{Code: "AccessDenied", Message: "no"}, "allow sqs:ReceiveMessage"},
		{errors.New("get identity: get credentials: no EC2 IMDS role found"), "IAM role"},
		{errors.New("connection refused"), "connection refused"},
	} {
		q, f := newQueue(0, 0)
		f.fails = c.err
		_, err := q.Check(t.Context())
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), url) || !errors.Is(err, c.err) {
			t.Errorf("error %v, want the queue and %q", err, c.want)
		}
	}
}
