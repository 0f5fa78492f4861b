package sqs

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"

	"github.com/ebbhq/ebb/internal/event"
)

func TestARequestOutlivesALongPollAndNotMuchMore(t *testing.T) {
	c, ok := NewClient(aws.Config{Region: "eu-west-1", HTTPClient: awshttp.NewBuildableClient()}).(*awssqs.Client)
	if !ok {
		t.Fatal("it is no client of the SDK")
	}
	if got := c.Options().HTTPClient.(*awshttp.BuildableClient).GetTimeout(); got != 30*time.Second {
		t.Errorf("a request ends after %s", got)
	}
	own := http.DefaultClient
	if c := NewClient(aws.Config{Region: "eu-west-1", HTTPClient: own}).(*awssqs.Client); c.Options().HTTPClient != own {
		t.Error("a client of somebody else is replaced")
	}
}

func TestWhatIsNotSetHasADefault(t *testing.T) {
	q := New(nil, Config{})
	if q.cfg.VisibilityTimeout != time.Minute || q.cfg.Now == nil || q.cfg.Log != slog.Default() {
		t.Errorf("%+v", q.cfg)
	}
	log, now := slog.New(slog.DiscardHandler), func() time.Time { return time.Unix(1, 0) }
	q = New(nil, Config{VisibilityTimeout: time.Hour, Now: now, Log: log})
	if q.cfg.VisibilityTimeout != time.Hour || !q.cfg.Now().Equal(time.Unix(1, 0)) || q.cfg.Log != log {
		t.Errorf("%+v", q.cfg)
	}
}

func TestALongPollIsNoLongerThanSQSAllows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, f := newQueue(1, time.Minute)
		receive(t, q)
		if f.asked.WaitTimeSeconds != 20 {
			t.Errorf("waits %d s", f.asked.WaitTimeSeconds)
		}
	})
}

func TestAMessageWithoutAttributes(t *testing.T) {
	for _, attributes := range []map[string]string{nil, {"ApproximateReceiveCount": "many", "SentTimestamp": "yesterday"}} {
		m := message(types.Message{MessageId: aws.String("m"), Body: aws.String("b"), Attributes: attributes})
		if m.ID != "m" || m.Body != "b" || m.Receives != 1 || !m.Sent.IsZero() {
			t.Errorf("%v: %+v", attributes, m)
		}
	}
}

// What comes again and again stays away for longer each time, also when all is let go.
func TestLettingGoOfWhatHasComeBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, f := newQueue(2, 0)
		for range 2 {
			receive(t, q)
			q.LetGo()
			q.Flush(t.Context())
			if q.Held() != 0 {
				t.Errorf("%d are held", q.Held())
			}
		}
		receive(t, q)
		if q.Held() != 0 {
			t.Errorf("after the second time %d came again at once", q.Held())
		}
		time.Sleep(30 * time.Second)
		receive(t, q)
		q.LetGo()
		q.Flush(t.Context())
		want := map[string][]int{"m0/1": {0}, "m1/1": {0}, "m0/2": {30}, "m1/2": {30}, "m0/3": {60}, "m1/3": {60}}
		for handle, seconds := range want {
			if !slices.Equal(f.changes[handle], seconds) {
				t.Errorf("%s is away for %v s, want %v", handle, f.changes[handle], seconds)
			}
		}
		if q.Flush(t.Context()); len(f.changes["m0/2"]) != 1 {
			t.Errorf("it is returned %d times", len(f.changes["m0/2"]))
		}
	})
}

func TestWhatIsSettledTwiceIsSettledOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, f := newQueue(1, 0)
		receive(t, q)
		q.Settle("m0", true)
		q.Settle("m0", false)
		q.Settle("unheard of", true)
		if len(q.deleted) != 1 || len(q.returned) != 0 {
			t.Errorf("to be deleted %v, to be returned %v", q.deleted, q.returned)
		}
		q.Flush(t.Context())
		q.Flush(t.Context())
		if !slices.Equal(f.deleted, []string{"m0/1"}) || len(f.changes) != 0 {
			t.Errorf("deleted %v, changed %v", f.deleted, f.changes)
		}
	})
}

// A handle that SQS refuses is forgotten, and with it its message; one that was received again since, or that only failed, is kept.
func TestWhatIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, f := newQueue(3, 0)
		receive(t, q)
		old := q.extendable()
		for _, m := range old {
			f.refuse[m.handle] = true
		}
		time.Sleep(time.Minute)
		f.mu.Lock()
		f.messages[0].gone = true
		f.mu.Unlock()
		receive(t, q) // m1 and m2 once more, with other handles
		left, err := q.extend(t.Context(), old, time.Minute)
		if len(left) != 3 || err == nil || !strings.Contains(err.Error(), "ReceiptHandleIsInvalid") {
			t.Errorf("left %v, error %v", left, err)
		}
		if held := q.extendable(); len(held) != 2 || held[0].handle != "m1/2" || held[1].handle != "m2/2" {
			t.Errorf("held %+v", held)
		}
		f.fails = errors.New("no connection")
		if left, err := q.extend(t.Context(), old, time.Minute); len(left) != 3 || !errors.Is(err, f.fails) || q.Held() != 2 {
			t.Errorf("without a connection: left %v, error %v, %d held", left, err, q.Held())
		}
	})
}

func TestWhichMessageAFailureIsAbout(t *testing.T) {
	batch := []received{{event.Message{ID: "a"}, "a", time.Time{}}, {event.Message{ID: "b"}, "b", time.Time{}}}
	for id, want := range map[string]string{"0": "a", "1": "b", "2": "", "-1": "", "x": "", "": ""} {
		for _, fault := range []bool{true, false} {
			f := types.BatchResultErrorEntry{Id: aws.String(id), SenderFault: fault}
			got := named(batch, f)
			if len(got) > 1 || (len(got) == 1) != (want != "") || len(got) == 1 && got[0].handle != want {
				t.Errorf("failure %q is about %+v", id, got)
			}
			q := New(nil, Config{})
			for _, m := range batch {
				q.held[m.ID] = m
			}
			q.drop(batch, []types.BatchResultErrorEntry{f})
			gone := fault && want != ""
			if _, kept := q.held[want]; gone && (kept || q.Held() != 1) || !gone && q.Held() != 2 {
				t.Errorf("failure %q, sender's fault %t: %d are held", id, fault, q.Held())
			}
		}
	}
}

// What was settled just before the end is still told to SQS.
func TestTheEndOfARunTellsWhatWasSettled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, f := newQueue(2, 20*time.Second)
		k := &keeps{}
		stop := running(t, q, k.hear)
		time.Sleep(time.Second)
		q.mu.Lock() // what was settled too late to be told at once
		q.deleted, q.returned = []received{q.held["m0"]}, []returned{{q.held["m1"], 30 * time.Second}}
		q.mu.Unlock()
		stop()
		if !slices.Equal(f.deleted, []string{"m0/1"}) || !slices.Equal(f.changes["m1/1"], []int{30}) {
			t.Errorf("deleted %v, changed %v", f.deleted, f.changes)
		}
	})
}

func TestWhatIsHeldIsExtendedInTheOrderOfItsReceipt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, f := newQueue(0, 0)
		for _, id := range []string{"c", "b", "a"} {
			f.add(id)
			receive(t, q)
			time.Sleep(time.Second)
		}
		for range 20 { // of maps
			var ids []string
			for _, m := range q.extendable() {
				ids = append(ids, m.ID)
			}
			if !slices.Equal(ids, []string{"c", "b", "a"}) {
				t.Fatalf("got %v", ids)
			}
		}
	})
}

func TestAMessageIsKeptAsLongAsAWholeTimeoutIsLeft(t *testing.T) {
	for after, want := range map[time.Duration]int{12*time.Hour - 2*time.Minute: 1, 12*time.Hour - 2*time.Minute + 1: 0} {
		synctest.Test(t, func(t *testing.T) {
			q, _ := newQueue(1, 0)
			receive(t, q)
			time.Sleep(after)
			if got := len(q.extendable()); got != want || q.Held() != want {
				t.Errorf("after %s: %d are extended, %d held; want %d", after, got, q.Held(), want)
			}
		})
	}
}

// The 12 hours begin anew when a message is received again: counted from the first receive it would come again while it is worked on.
func TestAMessageThatCameAgainIsKeptFromItsLastReceive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, _ := newQueue(1, 0)
		receive(t, q)
		time.Sleep(time.Hour)
		receive(t, q)
		time.Sleep(11*time.Hour + 30*time.Minute)
		if got := q.extendable(); len(got) != 1 || got[0].handle != "m0/2" {
			t.Errorf("%+v is extended, want the second receive", got)
		}
	})
}

func TestWhatAnErrorSaysToDo(t *testing.T) {
	for _, c := range []struct {
		err       error
		want, not string
	}{
		{&smithy.GenericAPIError{Code: "AccessDeniedException"}, "allow sqs:ReceiveMessage", "IAM role"},
		{&smithy.GenericAPIError{Code: "KMS.AccessDenied"}, "allow sqs:ReceiveMessage", "IAM role"},
		{&smithy.GenericAPIError{Code: "InternalError", Message: "try again"}, "try again", ";"},
	} {
		q, f := newQueue(0, 0)
		f.fails = c.err
		redrive, err := q.Check(t.Context())
		if redrive || err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), c.not) {
			t.Errorf("%v: %t, %v", c.err, redrive, err)
		}
		if _, err := q.Receive(t.Context()); err == nil || !errors.Is(err, c.err) {
			t.Errorf("receive: %v", err)
		}
	}
}

func TestARefusedHandOverIsForgottenWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, _ := newQueue(3, 0)
		full := errors.New("the journal is full")
		err := q.once(t.Context(), func(context.Context, []event.Message) error { return full })
		if !errors.Is(err, full) || q.Held() != 0 {
			t.Errorf("error %v, %d are held", err, q.Held())
		}
	})
}

// As long as there are messages there is no pause, and after a success the pause begins small again.
func TestThePauseIsOnlyForErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, f := newQueue(25, 20*time.Second)
		k := &keeps{}
		stop := running(t, q, k.hear)
		time.Sleep(time.Millisecond)
		synctest.Wait()
		if len(k.ms) != 25 {
			t.Errorf("heard %d of 25 at once", len(k.ms))
		}
		fail := func(err error) {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.fails = err
		}
		fail(errors.New("no connection"))
		time.Sleep(5 * time.Minute)
		fail(nil)
		time.Sleep(lastPause + 20*time.Second)
		f.mu.Lock()
		n := len(f.polls)
		f.mu.Unlock()
		fail(errors.New("no connection"))
		time.Sleep(25 * time.Second) // until the long poll has ended, and a pause
		f.mu.Lock()
		if got := f.polls[n+1].Sub(f.polls[n]); got > firstPause {
			t.Errorf("after a success the first pause is %s", got)
		}
		f.mu.Unlock()
		stop()
	})
}

func TestOnlyWhatIsTooOldIsLetGo(t *testing.T) {
	for range 20 { // of maps
		q := New(nil, Config{})
		for i, id := range []string{"a", "b", "c", "d"} {
			at := q.cfg.Now()
			if i%2 == 0 {
				at = at.Add(-12 * time.Hour)
			}
			q.held[id] = received{event.Message{ID: id}, id, at}
		}
		if got := q.extendable(); len(got) != 2 || q.Held() != 2 {
			t.Fatalf("%d are extended, %d held", len(got), q.Held())
		}
	}
}

func TestAllRefusedHandlesAreForgotten(t *testing.T) {
	q := New(nil, Config{})
	batch := []received{{event.Message{ID: "a"}, "a", time.Time{}}, {event.Message{ID: "b"}, "b", time.Time{}}}
	for _, m := range batch {
		q.held[m.ID] = m
	}
	q.drop(batch, []types.BatchResultErrorEntry{{Id: aws.String("0"), SenderFault: true}, {Id: aws.String("1"), SenderFault: true}})
	if q.Held() != 0 {
		t.Errorf("%d are held", q.Held())
	}
}
