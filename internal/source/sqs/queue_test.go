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
)

func TestReceive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, f := newQueue(12, 20*time.Second)
		ms := receive(t, q)
		want := Message{
			ID: "m0", Handle: "m0/1", Body: "body of m0", Receives: 1,
			Sent: time.UnixMilli(1795251600123).UTC(), Received: time.Now(),
		}
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
		ms := append(receive(t, q), receive(t, q)...)
		f.refuse["m3/1"], f.refuse["m11/1"] = true, true
		err := q.Delete(t.Context(), ms)
		var part *PartialError
		if !errors.As(err, &part) || !slices.Equal(part.Left, []Message{ms[3], ms[11]}) || !strings.Contains(err.Error(), "it is stale") {
			t.Errorf("error %v, want m3 and m11 left", err)
		}
		if len(f.deleted) != 10 {
			t.Errorf("%d deleted, want 10", len(f.deleted))
		}
		f.fails = errors.New("no connection")
		if err := q.Delete(t.Context(), ms); !errors.As(err, &part) || len(part.Left) != 12 || !errors.Is(err, f.fails) {
			t.Errorf("error %v, want all left", err)
		}
		if err := q.Delete(t.Context(), nil); err != nil {
			t.Errorf("nothing to delete: %v", err)
		}
	})
}

func TestReturn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, _ := newQueue(1, 0)
		m := receive(t, q)[0]
		if err := q.Return(t.Context(), m, Backoff(m.Receives)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(29 * time.Second)
		if ms := receive(t, q); len(ms) != 0 {
			t.Error("it came before its time")
		}
		time.Sleep(time.Second)
		if ms := receive(t, q); len(ms) != 1 || ms[0].Receives != 2 {
			t.Errorf("got %v after 30 s, want it for the second time", ms)
		}
	})
}

func TestExtendStaysWithinTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, f := newQueue(1, 0)
		ms := receive(t, q)
		time.Sleep(11*time.Hour + 50*time.Minute)
		for _, d := range []time.Duration{time.Minute, time.Hour} {
			if err := q.Extend(t.Context(), ms, d); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Hour)
		if err := q.Extend(t.Context(), ms, time.Hour); err != nil {
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
	f.facts = map[string]string{
		"VisibilityTimeout": "30", "MessageRetentionPeriod": "345600", "ApproximateNumberOfMessages": "7",
		"RedrivePolicy": `{"deadLetterTargetArn":"arn:aws:sqs:eu-west-1:111122223333:dead","maxReceiveCount":"5"}`,
	}
	want := Facts{Redrive: true, MaxReceives: 5, Visibility: 30 * time.Second, Retention: 96 * time.Hour, Waiting: 7}
	if got, err := q.Check(t.Context()); err != nil || got != want {
		t.Errorf("got %+v, error %v; want %+v", got, err, want)
	}
	f.facts["RedrivePolicy"] = `{"deadLetterTargetArn":"arn:aws:sqs:eu-west-1:111122223333:dead","maxReceiveCount":5}`
	if got, err := q.Check(t.Context()); err != nil || got != want {
		t.Errorf("with a number: got %+v, error %v; want %+v", got, err, want)
	}
	delete(f.facts, "RedrivePolicy")
	want.Redrive, want.MaxReceives = false, 0
	if got, err := q.Check(t.Context()); err != nil || got != want {
		t.Errorf("without a redrive policy: got %+v, error %v; want %+v", got, err, want)
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
