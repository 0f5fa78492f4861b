package engine

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ebbhq/ebb/internal/event"
	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/kernel"
)

// steer writes into the journal what follows from its open records, as the command line does.
func (r *rig) steer(t *testing.T, batch func([]journal.Record) journal.Batch) {
	t.Helper()
	open, err := r.store.Store.Open(t.Context())
	if err = errors.Join(err, r.store.Store.Write(t.Context(), batch(open))); err != nil {
		t.Fatal(err)
	}
}

func (r *rig) pause(t *testing.T, lasts time.Duration) {
	t.Helper()
	p := kernel.Pause{By: "o@h", Since: time.Now(), Until: time.Now().Add(lasts)}
	r.steer(t, func(open []journal.Record) journal.Batch { return p.Begin(open, []string{"cluster/prod"}) })
}

func (r *rig) resume(t *testing.T) {
	t.Helper()
	r.steer(t, func(open []journal.Record) journal.Batch {
		b, _ := kernel.Resume(open, []string{"cluster/prod"}, "o@h", time.Now())
		return b
	})
}

// A process that runs obeys within five seconds, without reading everything anew, and keeps alive what waits.
func TestAPauseIsObeyedWithinFiveSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		r.run(t, func() {
			pass(time.Minute)
			r.pause(t, time.Hour)
			pass(5 * time.Second)
			r.terminate(host)
			pass(20 * time.Minute)
			if r.index("do set-draining") >= 0 || r.index("do heartbeat") < 0 || r.index("deleted m-") < 0 {
				t.Errorf("while paused:%s", r)
			}
			r.resume(t)
			pass(5 * time.Second)
			if r.index("do set-draining") < 0 {
				t.Errorf("after it was resumed:%s", r)
			}
			pass(10 * time.Minute)
		})
		if n := len(r.times("open")); n != 3 || r.index("durable ended") < 0 {
			t.Errorf("the journal was read %d times, want at the start and after each word:%s", n, r)
		}
	})
}

func TestAPauseEndsByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		r.pause(t, 10*time.Minute) // before it starts
		r.run(t, func() {
			r.terminate(host)
			pass(20 * time.Minute)
		})
		at := r.times("do set-draining")
		if len(at) != 1 || at[0] < 10*time.Minute || at[0] > 10*time.Minute+5*time.Second {
			t.Errorf("set DRAINING at %v, want once the pause is over:%s", at, r)
		}
		open, err := r.store.Store.Open(t.Context())
		if err != nil || len(open) > 0 || r.index("durable resumed") < 0 {
			t.Errorf("the pause is still in the journal: %v, %v", open, err)
		}
	})
}

// A word that cannot be read is no reason to go on as before: everything is read anew.
func TestAPauseThatCannotBeReadIsReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		opened := 0
		r.store.opening = func() error {
			if opened++; opened == 2 {
				return errors.New("the disk is away")
			}
			return nil
		}
		r.run(t, func() {
			pass(time.Minute)
			r.pause(t, time.Hour)
			pass(5 * time.Second)
			r.terminate(host)
			pass(5 * time.Minute)
		})
		if r.index("do set-draining") >= 0 || opened != 3 {
			t.Errorf("the journal was read %d times:%s", opened, r)
		}
	})
}

func TestAFunctionObeysAPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFunction()
		f.pause(t, time.Hour)
		f.wait(host)
		ms := []event.Message{message(host)}
		for range 10 {
			if _, err := f.invoke(t.Context(), true, ms...); err != nil {
				t.Fatal(err)
			}
			ms = nil
			pass(time.Minute)
		}
		if f.index("do set-draining") >= 0 || f.index("do heartbeat") < 0 {
			t.Errorf("while paused:%s", f.rig)
		}
		f.resume(t)
		if _, err := f.invoke(t.Context(), true); err != nil || f.index("do set-draining") < 0 {
			t.Errorf("after it was resumed (%v):%s", err, f.rig)
		}
	})
}
