package sqs

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ebbhq/ebb/internal/event"
)

// running runs a queue in the background for the length of a test of synctest.
func running(t *testing.T, q *Queue, hear func(context.Context, []event.Message) error) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- q.Run(ctx, hear) }()
	return func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("run ended with %v", err)
		}
	}
}

// keeps collects what is heard.
type keeps struct{ ms []event.Message }

func (k *keeps) hear(_ context.Context, ms []event.Message) error {
	k.ms = append(k.ms, ms...)
	return nil
}

func TestRunKeepsMessagesInvisibleUntilTheyAreDeleted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, f := newQueue(12, 20*time.Second)
		k := &keeps{}
		stop := running(t, q, k.hear)
		time.Sleep(time.Hour + time.Second)
		synctest.Wait()
		if len(k.ms) != 12 {
			t.Fatalf("heard %d messages in an hour, want each of 12 once", len(k.ms))
		}
		if n := len(f.changes["m0/1"]); n != 120 {
			t.Errorf("extended %d times in an hour, want every 30 s", n)
		}
		for i, m := range k.ms[:7] {
			q.Settle(m.ID, i < 6)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if len(f.changes["m0/1"]) != 120 || len(f.changes["m11/1"]) != 240 {
			t.Errorf("deleted ones were extended %d times, held ones %d, want 120 and 240", len(f.changes["m0/1"]), len(f.changes["m11/1"]))
		}
		if len(k.ms) != 13 || k.ms[12].ID != "m6" {
			t.Errorf("heard %d, want the returned one once more", len(k.ms))
		}
		stop()
	})
}

func TestRunLetsGoAfterTwelveHours(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, f := newQueue(1, 20*time.Second)
		k := &keeps{}
		stop := running(t, q, k.hear)
		time.Sleep(12*time.Hour + time.Minute)
		synctest.Wait()
		if len(k.ms) != 2 {
			t.Errorf("heard %d times, want once more when SQS allows no extension", len(k.ms))
		}
		for _, d := range f.changes["m0/1"] {
			if d != 60 {
				t.Errorf("extended by %d s, want whole timeouts only", d)
			}
		}
		stop()
	})
}

func TestRunGivesBackWhatWasNotTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, f := newQueue(1, 20*time.Second)
		heard := 0
		stop := running(t, q, func(context.Context, []event.Message) error {
			heard++
			if heard == 1 {
				return errors.New("the journal is full")
			}
			return nil
		})
		time.Sleep(90 * time.Second)
		synctest.Wait()
		if heard != 2 || len(f.changes["m0/1"]) != 0 {
			t.Errorf("heard %d times, extended %d times; want it again and not kept", heard, len(f.changes["m0/1"]))
		}
		stop()
	})
}

func TestRunDoesNotInsistOnAStaleHandle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, f := newQueue(2, 20*time.Second)
		k := &keeps{}
		f.refuse["m0/1"] = true
		stop := running(t, q, k.hear)
		time.Sleep(31 * time.Second)
		synctest.Wait()
		if left := q.extendable(); len(left) != 1 || left[0].ID != "m1" {
			t.Errorf("held: %v, want m1 alone", left)
		}
		stop()
	})
}

func TestRunBacksOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, f := newQueue(0, 20*time.Second)
		f.fails = errors.New("no connection")
		k := &keeps{}
		stop := running(t, q, k.hear)
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		f.mu.Lock()
		polls := f.polls
		f.fails = nil
		f.mu.Unlock()
		for i := 1; i < len(polls); i++ {
			pause, most := polls[i].Sub(polls[i-1]), min(lastPause, firstPause<<min(i-1, 10))
			if pause < most/2 || pause > most {
				t.Errorf("pause %d is %v, want between %v and %v", i, pause, most/2, most)
			}
		}
		if len(polls) < 20 {
			t.Errorf("%d polls in ten minutes, want at least two a minute", len(polls))
		}
		f.add("late")
		time.Sleep(lastPause)
		synctest.Wait()
		if len(k.ms) != 1 {
			t.Errorf("heard %d messages after the connection came back, want 1", len(k.ms))
		}
		stop()
	})
}

func TestRunEndsDuringALongPoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, _ := newQueue(0, 20*time.Second)
		stop := running(t, q, (&keeps{}).hear)
		time.Sleep(5 * time.Second)
		began := time.Now()
		stop()
		if d := time.Since(began); d != 0 {
			t.Errorf("it took %v to end", d)
		}
	})
}
