package engine

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ebbhq/ebb/internal/event"
	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/kernel"
	"github.com/ebbhq/ebb/internal/plan"
)

// sluggish is a journal of which one call fails and the next takes long.
type sluggish struct {
	journal.Store
	claims, leases atomic.Bool
}

func (s *sluggish) Claim(ctx context.Context, was, is journal.Lease) error {
	if s.claims.Swap(false) {
		wait(ctx, 1900*time.Millisecond)
		return errors.New("the connection broke")
	}
	return s.Store.Claim(ctx, was, is)
}

func (s *sluggish) Leases(ctx context.Context) ([]journal.Lease, error) {
	if s.leases.Swap(false) {
		wait(ctx, 2500*time.Millisecond)
	}
	return s.Store.Leases(ctx)
}

// A lease that is not certain for a second, and is then renewed before anybody was told, is worked for again.
func TestALeaseThatWasUncertainForAMomentIsWorkedForAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newRig().beside("a")
		s := &sluggish{Store: a.store}
		a.cfg.Store = s
		defer a.start(t)()
		pass(20 * time.Second)
		s.claims.Store(true)
		s.leases.Store(true)
		pass(20 * time.Second)
		if s.claims.Load() || s.leases.Load() {
			t.Fatal("nothing went wrong")
		}
		a.terminate(host)
		pass(5 * time.Minute)
		if a.index("a told ended") < 0 {
			t.Errorf("it was to go on:%s", a)
		}
	})
}

// failing is a journal that refuses to store some claims.
type failing struct {
	journal.Store
	refuse func(is journal.Lease) bool
}

func (s failing) Claim(ctx context.Context, was, is journal.Lease) error {
	if s.refuse(is) {
		return errAway
	}
	return s.Store.Claim(ctx, was, is)
}

// A warm environment of a function is one process for many invocations. When it could not give up its leases at the end of one, the next
// still works.
func TestAnEnvironmentThatCouldNotGiveUpItsLeaseGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFunction()
		f.cfg.Me = "environment"
		away := true
		f.cfg.Store = failing{f.store, func(is journal.Lease) bool { return away && is.Holder == "" }}
		f.wait(host)
		if _, err := NewFunction(f.cfg).Pass(t.Context(), []event.Message{message(host)}, false); err != nil {
			t.Fatal(err)
		}
		away = false
		looks := len(f.times("look"))
		pass(time.Minute)
		if _, err := NewFunction(f.cfg).Pass(t.Context(), nil, true); err != nil || len(f.times("look")) == looks {
			t.Errorf("error %v; it was to go on:%s", err, f)
		}
	})
}

// What was claimed is given up too when the claim after it fails.
func TestAPassThatCannotClaimGivesUpWhatItClaimed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFunction()
		f.cfg.Kernel.Groups = append(f.cfg.Kernel.Groups, f.cfg.Kernel.Groups[0])
		f.cfg.Kernel.Groups[1].Cluster = "test"
		f.cfg.Store = failing{f.store, func(is journal.Lease) bool { return is.Scope == "cluster/test" }}
		if _, err := f.invoke(t.Context(), true); !errors.Is(err, errAway) {
			t.Fatalf("error %v", err)
		}
		if ls, err := f.store.Leases(t.Context()); err != nil || len(ls) != 1 || ls[0].Holder != "" {
			t.Errorf("leases %+v, %v", ls, err)
		}
	})
}

// An invocation ends before Lambda ends it, whatever it is given: one that is killed keeps its leases for a minute.
func TestAPassEndsBeforeItsTime(t *testing.T) {
	for _, given := range []time.Duration{6 * time.Second, 30 * time.Second, 15 * time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			f := newFunction()
			f.wait(host)
			f.cloud.look = func(ctx context.Context, l plan.Look, _ *plan.LookResult) { wait(ctx, 4*time.Second) }
			ctx, cancel := context.WithTimeout(t.Context(), given)
			defer cancel()
			if err := f.store.Store.Write(t.Context(), journal.Batch{Forwarded: []journal.Forwarded{{Scope: "cluster/prod", ID: wakeID}}}); err != nil {
				t.Fatal(err)
			}
			f.cloud.do = func(context.Context, plan.Action) { // there is always a note left, and so another pass to be made
				if err := f.store.Store.Write(t.Context(), journal.Batch{Forwarded: []journal.Forwarded{{Scope: "cluster/prod", ID: wakeID}}}); err != nil {
					t.Error(err)
				}
			}
			_, err := f.invoke(ctx, false, message(host))
			if took := time.Since(f.trail.start); took >= given || took > 2*time.Minute {
				t.Errorf("it took %s of %s:%s", took, given, f)
			}
			if ls, _ := f.store.Leases(t.Context()); err != nil || len(ls) != 1 || ls[0].Holder != "" {
				t.Errorf("error %v, leases %+v", err, ls)
			}
		})
	}
}

// A pass that may make few calls waits for more of them, as long as it has time.
func TestAPassWaitsForCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFunction()
		f.wait(host)
		f.cfg.Kernel.Rates = kernel.Rates{plan.AutoScaling: {Burst: 2, PerSecond: 1}}
		if _, err := f.invoke(t.Context(), false, message(host)); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(f.trail.start); f.index("do set-draining") < 0 || took == 0 || took > 15*time.Second {
			t.Errorf("it took %s; the host was to be set DRAINING:%s", took, f)
		}
	})
}
