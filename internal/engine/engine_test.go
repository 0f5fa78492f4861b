package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/plan"
)

const host fleet.InstanceID = "i-0123456789abcdef0"

// A bubble of synctest fails when a goroutine outlives the test, so each of these also says that the engine leaves none behind.

func TestNothingIsSettledOrderedOrToldBeforeItsBatchIsDurable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		r.store.slow = 7 * time.Second
		r.run(t, func() {
			pass(time.Minute)
			r.terminate(host)
			pass(10 * time.Minute)
		})
		durable := r.index("durable heard")
		for _, later := range []string{"deleted m-" + string(host), "told heard", "look group-instances", "do set-draining"} {
			if at := r.index(later); durable < 0 || at < durable {
				t.Errorf("%q is at place %d, but the journal had it at place %d:%s", later, at, durable, r)
			}
		}
		if r.index("durable ended") < 0 {
			t.Errorf("the drain did not end:%s", r)
		}
	})
}

func TestARefusedBatchIsForgottenAndEverythingReadAgain(t *testing.T) {
	for name, refusal := range map[string]error{
		"disk full": errors.New("disk is full"), "conflict": fmt.Errorf("record: %w", journal.ErrConflict),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig()
				r.store.refuse = once(refusal)
				r.run(t, func() {
					r.terminate(host)
					pass(30 * time.Second)
					if r.index("let go m-") < 0 || r.index("deleted m-") >= 0 || r.index("told") >= 0 || r.index("look group-instances") >= 0 {
						t.Errorf("after the refusal the message is to be let go, and nothing else done about it:%s", r)
					}
					if n := len(r.times("open")); n != 2 {
						t.Errorf("the journal was read %d times, want once at the start and once after the refusal:%s", n, r)
					}
					pass(10 * time.Minute) // the message comes again
				})
				if r.index("deleted m-") < r.index("durable heard") || r.index("durable ended") < 0 {
					t.Errorf("the drain did not end, or the message was deleted too early:%s", r)
				}
			})
		})
	}
}

// A write may be durable although it failed, such as when the disk answers too late. What is read then counts.
func TestABatchThatIsDurableAlthoughItWasRefusedIsNotWrittenTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		r.store.fail = once(errors.New("no answer from the disk"))
		r.run(t, func() {
			r.terminate(host)
			pass(10 * time.Minute)
		})
		records, err := r.store.Recent(t.Context(), 0)
		if err != nil || len(records) != 1 || r.index("deleted m-") < 0 {
			t.Errorf("%d drains ended (%v), want 1, and its message deleted:%s", len(records), err, r)
		}
	})
}

func TestAJournalThatCannotBeReadIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		opened := 0
		r.store.opening = func() error {
			if opened++; opened >= 2 && opened <= 4 {
				return errors.New("the disk is away")
			}
			return nil
		}
		r.store.refuse = once(errors.New("the disk is away"))
		r.run(t, func() {
			r.terminate(host)
			pass(10 * time.Minute)
		})
		if opened != 5 || r.index("durable ended") < 0 {
			t.Errorf("the journal was opened %d times, want 5, and the drain to end:%s", opened, r)
		}
	})
}

// Without its journal Ebb can make nothing durable: it ends, no message is deleted, and whoever watches it starts it again.
func TestAJournalThatIsGoneEndsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		r.store.refuse = once(fmt.Errorf("write: %w", journal.ErrGone))
		r.terminate(host)
		err := New(r.cfg).Run(t.Context())
		if !errors.Is(err, journal.ErrGone) || !strings.Contains(err.Error(), "start ebb serve again") || r.index("deleted m-") >= 0 {
			t.Errorf("got %v%s", err, r)
		}
	})
}

func TestAJournalThatCannotBeReadAtTheStartIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		r.store.opening = func() error { return errors.New("the disk is away") }
		err := New(r.cfg).Run(t.Context())
		if err == nil || !strings.Contains(err.Error(), "read the open drains: the disk is away") {
			t.Errorf("got %v", err)
		}
	})
}

func TestShutdownBeforeTheJournalIsReadIsNoError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		ctx, cancel := context.WithCancel(t.Context())
		r.store.opening = func() error { cancel(); return ctx.Err() }
		if err := New(r.cfg).Run(ctx); err != nil {
			t.Errorf("got %v", err)
		}
	})
}

// The numbers of orders start anew with each kernel, so a late result would be taken for that of another order.
func TestAResultForAForgottenKernelIsIgnored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		var sweeps atomic.Int32
		r.cloud.look = func(ctx context.Context, l plan.Look, s *plan.LookResult) {
			if l.Kind != plan.Groups {
				return
			}
			if sweeps.Add(1) == 1 { // it comes back with what is not true any more, after the new kernel has made the same order
				wait(ctx, 10*time.Second)
				s.View.Groups[0].Instances = []fleet.GroupInstance{{ID: host, Group: "web", State: fleet.TerminatingWait, Healthy: true}}
				return
			}
			wait(ctx, 20*time.Second)
		}
		r.store.refuse = once(errors.New("disk is full"))
		r.run(t, func() {
			pass(time.Second) // the first order is under way
			r.tell("i-0fedcba9876543210")
			pass(5 * time.Minute)
		})
		if len(r.times("look groups")) < 2 || len(r.times("open")) != 2 {
			t.Fatalf("there was no second kernel:%s", r)
		}
		if at := r.times("look group-instances [" + string(host)); len(at) > 0 {
			t.Errorf("the result of the first kernel opened a drain in the second:%s", r)
		}
	})
}

func TestShutdownEndsCallsThatAreUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		r.cloud.look = func(ctx context.Context, _ plan.Look, _ *plan.LookResult) { wait(ctx, time.Hour) }
		r.terminate(host)
		took := r.run(t, func() { pass(time.Minute) })
		if n := len(r.times("look")); n < 2 {
			t.Errorf("%d calls were under way, want some:%s", n, r)
		}
		if took > 0 {
			t.Errorf("it took %s to end", took)
		}
	})
}

func TestRunOutlivesTheCallsThatItMade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		r.cloud.look = func(ctx context.Context, _ plan.Look, _ *plan.LookResult) {
			<-ctx.Done()
			<-time.After(time.Second) // such as the end of a request that was on its way
			r.note("look ended")
		}
		took := r.run(t, func() { pass(time.Minute) })
		if took != time.Second || len(r.times("look ended")) == 0 {
			t.Errorf("it ended after %s, with %d of its calls ended, want 1s and all:%s", took, len(r.times("look ended")), r)
		}
	})
}

func TestShutdownWhileTheJournalIsAwayEndsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		r.store.refuse = func(journal.Batch) error { return errors.New("disk is full") }
		opened := 0
		r.store.opening = func() error {
			if opened++; opened > 1 {
				return errors.New("the disk is away")
			}
			return nil
		}
		r.terminate(host)
		if took := r.run(t, func() { pass(time.Minute) }); took > 0 || opened < 6 {
			t.Errorf("it took %s to end, after %d attempts to read", took, opened)
		}
	})
}

func TestASourceThatEndsIsStartedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		r.queue.ends = 3
		r.run(t, func() {
			r.terminate(host)
			pass(10 * time.Minute)
		})
		at := r.times("listen")
		if len(at) != 4 || at[3] > 10*time.Second || at[3] < 3*time.Second {
			t.Errorf("the source was started at %v, want 4 times with pauses between:%s", at, r)
		}
		if r.index("deleted m-") < 0 {
			t.Errorf("the message was not heard:%s", r)
		}
	})
}

func TestACallThatIsNotAnsweredHoldsNothingElseUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		const slow fleet.InstanceID = "i-0fedcba9876543210"
		r.cloud.do = func(ctx context.Context, a plan.Action) {
			if a.Target == fleet.HostTarget(slow) && a.Kind == plan.Answer {
				wait(ctx, 10*time.Minute)
			}
		}
		var sweeps atomic.Int32
		r.cloud.look = func(ctx context.Context, l plan.Look, _ *plan.LookResult) {
			if l.Kind == plan.Groups && sweeps.Add(1) > 1 {
				wait(ctx, 20*time.Minute)
			}
		}
		r.run(t, func() {
			pass(90 * time.Second)
			r.terminate(slow)
			pass(2 * time.Second)
			r.terminate(host)
			pass(5 * time.Minute)
			if n := len(r.times("durable ended")); n != 1 {
				t.Errorf("%d drains ended while the answer for the other one is under way, want 1:%s", n, r)
			}
			pass(10 * time.Minute)
			if n := len(r.times("durable ended")); n != 2 {
				t.Errorf("%d drains ended, want 2:%s", n, r)
			}
		})
	})
}

func TestASweepThatIsUnderWayIsNotMadeAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		r.cloud.look = func(ctx context.Context, l plan.Look, _ *plan.LookResult) {
			if l.Kind == plan.Groups {
				wait(ctx, 10*time.Second)
			}
		}
		r.run(t, func() {
			r.terminate(host)
			pass(8 * time.Second)
		})
		if n := len(r.times("look groups")); n != 1 {
			t.Errorf("%d sweeps at once, want 1:%s", n, r)
		}
	})
}

func TestAWakeThatIsCenturiesAwayIsNotNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := New(Config{})
		e.core.wake = time.Now().AddDate(10_000, 0, 0)
		if d := e.timeout(); d < time.Minute {
			t.Errorf("woken after %s", d)
		}
	})
}

// At speed 10 of the clock, a minute of the world is six seconds here: the sweep is made that often.
func TestWakeFollowsTheClockAtItsSpeed(t *testing.T) {
	for speed, want := range map[float64]time.Duration{0: time.Minute, 1: time.Minute, 10: 6 * time.Second} {
		t.Run(fmt.Sprint(speed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig()
				began := time.Now()
				r.cfg.Speed = speed
				r.cfg.Now = func() time.Time {
					return began.Add(time.Duration(float64(time.Since(began)) * max(speed, 1)))
				}
				r.run(t, func() { pass(10 * want) })
				at := r.times("look groups")
				if len(at) < 10 || len(at) > 11 {
					t.Fatalf("%d sweeps in %s, want 10 or 11: %v", len(at), 10*want, at)
				}
				for i := 1; i < len(at); i++ {
					if gap := at[i] - at[i-1]; gap < want || gap > want+100*time.Millisecond {
						t.Errorf("%s between two sweeps, want %s: %v", gap, want, at)
					}
				}
			})
		})
	}
}
