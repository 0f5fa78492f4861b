package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/journal/memory"
	"github.com/ebbhq/ebb/internal/kernel"
	"github.com/ebbhq/ebb/internal/notice"
)

// receiver takes notices as its function says.
type receiver func(ctx context.Context, route string, n notice.Notice, message string) (string, error)

func (r receiver) Tell(ctx context.Context, route string, n notice.Notice, message string) (string, error) {
	return r(ctx, route, n, message)
}

// telling makes a rig tell people by two routes.
func (r *rig) telling(take receiver) {
	r.cfg.Teller = receiver(func(ctx context.Context, route string, n notice.Notice, message string) (string, error) {
		name, err := take(ctx, route, n, message)
		how := "told"
		if err != nil {
			how = "not told"
		}
		r.note("%s %s %s", how, route, n.Key[strings.LastIndexByte(n.Key, '/')+1:])
		return name, err
	})
	r.cfg.Kernel.Routes = []notice.Route{{Name: "all"}, {Name: "alarm", Events: []notice.Event{notice.Forced, notice.Stuck}}}
}

func allWell(context.Context, string, notice.Notice, string) (string, error) { return "", nil }

// People are told of a drain once it is durable, by the routes that want to know, in serve and in the function.
func TestPeopleAreTold(t *testing.T) {
	eachShape(t, func(t *testing.T, r *rig, hear func(...fleet.InstanceID)) {
		r.telling(allWell)
		hear(host)
		if len(r.times("told all started")) != 1 || len(r.times("told all done")) != 1 || len(r.times("told alarm")) != 0 {
			t.Errorf("told:%s", r)
		}
		if left, err := r.store.Forwarded(t.Context(), []string{notice.Outbox("cluster/prod"), notice.Messages("cluster/prod")}); err != nil || len(left) > 0 {
			t.Errorf("left in the journal: %v %v", left, err)
		}
	})
}

// A receiver that never answers delays no drain.
func TestAReceiverThatHangsDelaysNoDrain(t *testing.T) {
	ended := func(r *rig) time.Duration {
		at := r.times("told ended")
		if len(at) != 1 {
			t.Fatalf("it did not end:%s", r)
		}
		return at[0]
	}
	var took [2]time.Duration
	for i, take := range []receiver{allWell, func(ctx context.Context, _ string, _ notice.Notice, _ string) (string, error) {
		<-ctx.Done() // the limit of the call is the teller's own; here it has none
		return "", ctx.Err()
	}} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig()
			r.telling(take)
			r.run(t, func() {
				r.terminate(host)
				pass(30 * time.Minute)
			})
			took[i] = ended(r)
		})
	}
	if took[0] != took[1] {
		t.Errorf("the drain took %s, and %s with a receiver that hangs", took[0], took[1])
	}
}

// A receiver that is down for an hour gets everything once it is back, and no other waits for it.
func TestAReceiverThatIsDownForAnHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		up := time.Now().Add(time.Hour)
		r.telling(func(_ context.Context, route string, _ notice.Notice, _ string) (string, error) {
			if route == "all" && time.Now().Before(up) {
				return "", errors.New("connection refused")
			}
			return "", nil
		})
		r.cfg.Kernel.Routes = append(r.cfg.Kernel.Routes, notice.Route{Name: "other"})
		r.run(t, func() {
			r.terminate(host)
			pass(2 * time.Hour)
		})
		for _, want := range []string{"told all started", "told all done"} {
			if at := r.times(want); len(at) != 1 || at[0] < time.Hour || at[0] > time.Hour+tellRest+time.Second {
				t.Errorf("%s at %v", want, at)
			}
		}
		if at := r.times("told other started"); len(at) != 1 || at[0] > time.Minute {
			t.Errorf("the other route was told at %v", at)
		}
		if tries := r.times("not told all"); len(tries) > 30 {
			t.Errorf("it was tried %d times", len(tries))
		}
	})
}

// x is a scope whose lease is held.
var x = map[string]journal.Lease{"x": {Scope: "x"}}

// putNotices puts notices of a route into the outbox of a scope.
func putNotices(t *testing.T, s journal.Store, route string, at time.Time, keys ...string) {
	t.Helper()
	for _, key := range keys {
		n := notice.Notice{Key: "web/i-1/t/" + key, Event: notice.Event(key), At: at, Drain: "web/i-1/t"}
		if err := s.Write(t.Context(), journal.Batch{Forwarded: notice.Put(n, "x", []notice.Route{{Name: route}})}); err != nil {
			t.Fatal(err)
		}
	}
}

// What becomes of a notice follows from what its receiver says.
func TestWhatTheReceiverSays(t *testing.T) {
	start := time.Date(2026, 11, 28, 9, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name  string
		err   error
		again time.Duration // from now
		left  int
		tried int // of two
	}{
		{"it takes it", nil, tellPause, 0, 2},
		{"never", &notice.Undeliverable{Why: "too long"}, tellPause, 0, 2},
		{"later", &notice.Later{For: 40 * time.Second}, 40 * time.Second, 2, 1},
		{"later, but no time", &notice.Later{}, time.Second, 2, 1},
		{"it fails", errors.New("away"), tellAgain, 2, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := memory.New()
			putNotices(t, s, "r", start, "started", "done")
			tried := 0
			box := NewOutbox(Config{Store: s, Now: func() time.Time { return start }, Teller: receiver(
				func(context.Context, string, notice.Notice, string) (string, error) {
					tried++
					return "", tt.err
				})})
			again := box.Step(t.Context(), x)
			left, err := s.Forwarded(t.Context(), []string{notice.Outbox("x")})
			if again.Sub(start) != tt.again || len(left) != tt.left || tried != tt.tried || err != nil {
				t.Errorf("again in %s, %d left, tried %d, %v", again.Sub(start), len(left), tried, err)
			}
		})
	}
}

// A route that fails is tried less and less often, and at once again when it has worked.
func TestHowOftenItIsTried(t *testing.T) {
	s, now, works := memory.New(), time.Date(2026, 11, 28, 9, 0, 0, 0, time.UTC), false
	putNotices(t, s, "r", now, "started")
	box := NewOutbox(Config{Store: s, Now: func() time.Time { return now }, Teller: receiver(func(context.Context, string, notice.Notice, string) (string, error) {
		if works {
			return "", nil
		}
		return "", errors.New("away")
	})})
	var waits []string
	for range 9 {
		last := now
		for { // it is also called each minute, and then only looks
			now = box.Step(t.Context(), x)
			if r := box.routes["r"]; !now.Before(r.again) {
				break
			}
		}
		waits = append(waits, now.Sub(last).String())
	}
	if d := cmp.Diff("2s 4s 8s 16s 32s 1m4s 2m8s 4m16s 5m0s", strings.Join(waits, " ")); d != "" {
		t.Error(d)
	}
	works = true
	box.Step(t.Context(), x)
	works = false
	putNotices(t, s, "r", now, "done")
	if again := box.Step(t.Context(), x); again.Sub(now) != tellAgain {
		t.Errorf("after it had worked it is tried again in %s", again.Sub(now))
	}
}

// A notice that nobody took for a day is discarded, and so is one that cannot be read; the log says so.
func TestWhatIsDiscarded(t *testing.T) {
	now := time.Date(2026, 11, 28, 9, 0, 0, 0, time.UTC)
	var log strings.Builder
	s := memory.New()
	putNotices(t, s, "r", now.Add(-tellFor-time.Second), "started")
	putNotices(t, s, "r", now.Add(-tellFor), "done")
	bad := journal.Forwarded{Scope: notice.Outbox("x"), ID: "r|k", Body: "garbage", Sent: now}
	if err := s.Write(t.Context(), journal.Batch{Forwarded: []journal.Forwarded{bad}}); err != nil {
		t.Fatal(err)
	}
	var told []string
	box := NewOutbox(Config{Store: s, Log: slog.New(slog.NewTextHandler(&log, nil)), Now: func() time.Time { return now }, Teller: receiver(
		func(_ context.Context, _ string, n notice.Notice, _ string) (string, error) {
			told = append(told, string(n.Event))
			return "", nil
		})})
	box.Step(t.Context(), x)
	left, err := s.Forwarded(t.Context(), []string{notice.Outbox("x")})
	if fmt.Sprint(told) != "[done]" || len(left) > 0 || err != nil {
		t.Errorf("told %v, left %v, %v", told, left, err)
	}
	for _, want := range []string{"could not be sent for a day", "read notice r|k of outbox/x"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("%q is not in the log:\n%s", want, log.String())
		}
	}
}

// The name of the message that a receiver shows of a drain comes back with its next notice, also to another process, until the drain ends.
func TestAMessageKeepsItsName(t *testing.T) {
	now := time.Date(2026, 11, 28, 9, 0, 0, 0, time.UTC)
	s := memory.New()
	var got []string
	for _, key := range []string{"started", "stuck", "forced", "started"} {
		putNotices(t, s, "r", now, key)
		box := NewOutbox(Config{Store: s, Now: func() time.Time { return now }, Teller: receiver(
			func(_ context.Context, _ string, n notice.Notice, message string) (string, error) {
				got = append(got, string(n.Event)+" in "+message)
				return "m1", nil
			})})
		box.Step(t.Context(), x)
	}
	if d := cmp.Diff([]string{"started in ", "stuck in m1", "forced in m1", "started in "}, got); d != "" {
		t.Error(d)
	}
}

// A notice that the journal refuses costs its drain nothing.
func TestANoticeThatTheJournalRefuses(t *testing.T) {
	eachShape(t, func(t *testing.T, r *rig, hear func(...fleet.InstanceID)) {
		r.telling(allWell)
		r.store.refuse = func(b journal.Batch) error {
			for i, f := range b.Forwarded {
				if notice.IsOutbox(f.Scope) {
					return &journal.Refused{Part: journal.ForwardedPart, Index: i, Name: f.ID, Why: "injected"}
				}
			}
			return nil
		}
		hear(host)
		ended, err := r.store.Recent(t.Context(), 0)
		if err != nil || len(ended) != 1 {
			t.Fatalf("%d ended, %v", len(ended), err)
		}
		if d, err := kernel.Read(ended[0]); err != nil || d.Final.Outcome != "drained" {
			t.Errorf("%+v %v", d.Final, err)
		}
		if len(r.times("told all")) > 0 || len(asides(t, r)) != 2 {
			t.Errorf("%v:%s", asides(t, r), r)
		}
	})
}
