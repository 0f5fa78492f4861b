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

	"github.com/ebbhq/ebb/internal/event"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/kernel"
	"github.com/ebbhq/ebb/internal/plan"
)

const second fleet.InstanceID = "i-0fedcba9876543210"

// beside is another Ebb on the same journal and the same cloud, with a queue of its own.
func (r *rig) beside(name string) *rig {
	o := *r
	o.queue = &queue{trail: r.trail, in: make(chan event.Message, 100), held: map[string]event.Message{}}
	o.store = &store{Store: r.store.Store, trail: r.trail}
	o.cfg.Source, o.cfg.Store, o.cfg.Me = o.queue, o.store, name
	o.cfg.OnLine = func(l journal.Line) { r.note("%s told %s %s", name, l.Kind, l.Key) }
	return &o
}

// start runs an Ebb until the returned function is called.
func (r *rig) start(t *testing.T) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- New(r.cfg).Run(ctx) }()
	return func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("run: %v", err)
		}
	}
}

// Whoever hears what is another's to do leaves a note, and lets the message go when that is durable; it asks AWS nothing.
func TestOneOfTwoWorksAndTheOtherNotes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newRig().beside("a")
		b := a.beside("b")
		b.cfg.Cloud = refusing{t}
		defer a.start(t)()
		pass(time.Second)
		defer b.start(t)()
		pass(time.Second)
		b.terminate(host)
		pass(5 * time.Minute)
		if a.index("a told ended") < 0 || a.index("deleted m-") < 0 || a.index("b told") >= 0 {
			t.Errorf("a was to drain what b heard:%s", a)
		}
		if notes, err := a.store.Forwarded(t.Context(), []string{"cluster/prod"}); err != nil || len(notes) != 0 {
			t.Errorf("notes are left: %v, %v", notes, err)
		}
	})
}

// refusing is a cloud that must not be asked.
type refusing struct{ t *testing.T }

func (r refusing) Look(_ context.Context, l plan.Look) plan.LookResult {
	r.t.Errorf("looked at %s", l.Kind)
	return plan.LookResult{}
}

func (r refusing) Do(_ context.Context, a plan.Action) plan.Outcome {
	r.t.Errorf("did %s", a.Kind)
	return plan.Outcome{}
}

func TestAnotherGoesOnAtOnceWhenOneIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newRig().beside("a")
		b := a.beside("b")
		stop := a.start(t)
		pass(time.Second)
		defer b.start(t)()
		a.terminate(host)
		pass(2 * time.Second)
		stop()
		told := time.Since(a.trail.start)
		pass(5 * time.Minute)
		at := a.times("b told")
		if len(at) == 0 || a.index("b told ended") < 0 || a.index("a told ended") >= 0 {
			t.Fatalf("b was to go on:%s", a)
		}
		if looks := after(a.times("open"), told); len(looks) == 0 || looks[0]-told > 3*time.Second {
			t.Errorf("b read the journal at %v, want within 3s of %s:%s", looks, told, a)
		}
	})
}

func after(at []time.Duration, from time.Duration) []time.Duration {
	for len(at) > 0 && at[0] <= from {
		at = at[1:]
	}
	return at
}

// An Ebb that does not reach its journal any more stops before another takes over, and that is within 15 s.
func TestAnotherTakesOverFromOneThatIsCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newRig().beside("a")
		b := a.beside("b")
		cut := &away{Store: a.store}
		a.cfg.Store = cut
		defer a.start(t)()
		pass(time.Second)
		defer b.start(t)()
		a.terminate(host)
		pass(3 * time.Second)
		cut.away.Store(true)
		from := time.Since(a.trail.start)
		pass(20 * time.Second)
		taken := after(a.times("open"), from)
		if len(taken) == 0 || taken[0]-from > 15*time.Second {
			t.Errorf("the journal was read at %v, want within 15s of %s:%s", taken, from, a)
		}
		pass(5 * time.Minute)
		if a.index("b told ended") < 0 || len(a.times("do answer")) != 1 {
			t.Errorf("b was to answer, once:%s", a)
		}
	})
}

// away is a journal that cannot be reached for a while.
type away struct {
	journal.Store
	away     atomic.Bool
	readable atomic.Bool // all the same, as on a full disk
}

var errAway = errors.New("the table is away")

func (s *away) Leases(ctx context.Context) ([]journal.Lease, error) {
	if s.away.Load() && !s.readable.Load() {
		return nil, errAway
	}
	return s.Store.Leases(ctx)
}

func (s *away) Claim(ctx context.Context, was, is journal.Lease) error {
	if s.away.Load() {
		return errAway
	}
	return s.Store.Claim(ctx, was, is)
}

func (s *away) Open(ctx context.Context) ([]journal.Record, error) {
	if s.away.Load() && !s.readable.Load() {
		return nil, errAway
	}
	return s.Store.Open(ctx)
}

func (s *away) Write(ctx context.Context, b journal.Batch) error {
	if s.away.Load() {
		return errAway
	}
	return s.Store.Write(ctx, b)
}

func message(id fleet.InstanceID) event.Message {
	return event.Message{ID: "m-" + string(id), Sent: time.Now(), Receives: 1, Body: fmt.Sprintf(`{"LifecycleTransition":"autoscaling:EC2_INSTANCE_TERMINATING",
		"AutoScalingGroupName":"web","LifecycleHookName":"ebb-drain","EC2InstanceId":%q,"LifecycleActionToken":"71514b9d-6a40-4b26-8523-05e7eEXAMPLE"}`, id)}
}

// taskStopped is what ECS tells of a task.
var taskStopped = event.Message{ID: "m-task", Receives: 1, Body: `{"detail-type":"ECS Task State Change","source":"aws.ecs","id":"1",` +
	`"time":"2026-11-21T09:00:00Z","account":"111122223333","region":"eu-west-1","detail":{"lastStatus":"STOPPED"}}`}

// function invokes passes, each in a process of its own.
type function struct {
	*rig
	n int
}

func (f *function) invoke(ctx context.Context, clock bool, ms ...event.Message) ([]kernel.Verdict, error) {
	f.n++
	cfg := f.cfg
	cfg.Me = fmt.Sprintf("pass-%d", f.n)
	return NewFunction(cfg).Pass(ctx, ms, clock)
}

func newFunction() *function {
	r := newRig()
	r.cfg.Source, r.cfg.Kernel.Skew = nil, 30*time.Second
	return &function{rig: r}
}

func (f *function) wait(id fleet.InstanceID) {
	f.cloud.mu.Lock()
	defer f.cloud.mu.Unlock()
	f.cloud.waiting = append(f.cloud.waiting, id)
}

func TestPassesOfAMinuteDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFunction()
		f.wait(host)
		vs, err := f.invoke(t.Context(), false, message(host))
		if err != nil || len(vs) != 1 || !vs[0].Delete {
			t.Fatalf("verdicts %+v, error %v", vs, err)
		}
		took := time.Since(f.trail.start)
		for i := 0; i < 6 && f.index("told ended") < 0; i++ {
			pass(time.Minute)
			if _, err := f.invoke(t.Context(), true); err != nil {
				t.Fatal(err)
			}
		}
		if f.index("told ended") < 0 || f.index("do set-draining") < 0 || took > 0 {
			t.Errorf("the first pass took %s; the drain was to end in six more:%s", took, f)
		}
		if open, err := f.store.Store.Open(t.Context()); err != nil || len(open) != 0 {
			t.Errorf("open: %v, %v", open, err)
		}
	})
}

// While one works the others leave a note and end; what they left is done before the first one ends.
func TestAPassDoesWhatOthersNotedMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFunction()
		f.wait(host)
		var slow atomic.Bool
		slow.Store(true)
		f.cloud.look = func(ctx context.Context, l plan.Look, _ *plan.LookResult) {
			if l.Kind == plan.Groups && slow.Swap(false) {
				wait(ctx, 5*time.Second)
			}
		}
		ended := make(chan error)
		go func() {
			_, err := f.invoke(t.Context(), false, message(host))
			ended <- err
		}()
		pass(time.Second)
		f.wait(second)
		vs, err := f.invoke(t.Context(), false, message(second))
		if err != nil || len(vs) != 1 || !vs[0].Delete || time.Since(f.trail.start) > 2*time.Second {
			t.Errorf("verdicts %+v, error %v after %s, want the message taken at once", vs, err, time.Since(f.trail.start))
		}
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		if f.index("do set-draining "+string(host)) < 0 || f.index("do set-draining "+string(second)) < 0 {
			t.Errorf("both were to be set DRAINING:%s", f)
		}
	})
}

// One that is killed leaves its lease behind; when that has run out the next one goes on.
func TestAKilledPassHoldsItsScopeForAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFunction()
		f.wait(host)
		ctx, kill := context.WithCancel(t.Context())
		f.cloud.look = func(ctx context.Context, _ plan.Look, _ *plan.LookResult) { <-ctx.Done() }
		ended := make(chan struct{})
		go func() {
			_, _ = f.invoke(ctx, false, message(host))
			close(ended)
		}()
		pass(time.Second)
		kill()
		<-ended
		f.cloud.look = nil
		looks := len(f.times("look"))
		pass(20 * time.Second)
		if _, err := f.invoke(t.Context(), true); err != nil || len(f.times("look")) != looks {
			t.Errorf("error %v; another pass worked while the lease ran:%s", err, f)
		}
		pass(time.Minute)
		if _, err := f.invoke(t.Context(), true); err != nil || f.index("do set-draining") < 0 {
			t.Errorf("error %v; the next one was to go on:%s", err, f)
		}
	})
}

// What only wakes costs one read when nothing leaves, and a pass when something does.
func TestWhatOnlyWakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFunction()
		vs, err := f.invoke(t.Context(), false, taskStopped)
		if err != nil || len(vs) != 1 || !vs[0].Delete || len(f.times("look")) != 0 || len(f.times("open")) != 1 {
			t.Errorf("verdicts %+v, error %v:%s", vs, err, f)
		}
		f.wait(host)
		if _, err := f.invoke(t.Context(), false, message(host)); err != nil {
			t.Fatal(err)
		}
		looks := len(f.times("look"))
		pass(50 * time.Second)
		if vs, err = f.invoke(t.Context(), false, taskStopped); err != nil || len(vs) != 1 || len(f.times("look")) == looks {
			t.Errorf("verdicts %+v, error %v; it was to look:%s", vs, err, f)
		}
	})
}

// A message whose effect is not durable has no verdict, so that it comes again.
func TestAPassWhoseJournalFailsTakesNoMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFunction()
		f.wait(host)
		f.store.refuse = once(errAway)
		vs, err := f.invoke(t.Context(), false, message(host))
		if len(vs) != 0 || !errors.Is(err, errAway) {
			t.Errorf("verdicts %+v, error %v", vs, err)
		}
		vs, err = f.invoke(t.Context(), false, message(host))
		if len(vs) != 1 || err != nil || !vs[0].Delete {
			t.Errorf("the lease of the one that failed was to be free: %+v, %v", vs, err)
		}
	})
}

// A hook that passes of a minute cannot keep alive is refused, with what to do.
func TestAShortHookIsRefusedByPasses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFunction()
		f.wait(host)
		f.cloud.look = func(_ context.Context, l plan.Look, s *plan.LookResult) {
			if l.Kind == plan.Hooks {
				s.View.Hooks[0].Heartbeat = 2 * time.Minute
			}
		}
		if _, err := f.invoke(t.Context(), false, message(host)); err != nil {
			t.Fatal(err)
		}
		ended, err := f.store.Recent(t.Context(), 0)
		if err != nil || len(ended) != 1 {
			t.Fatalf("ended: %v, %v:%s", ended, err, f)
		}
		d, err := kernel.Read(ended[0])
		if err != nil || d.Final == nil || d.Final.Outcome != "refused" || !strings.Contains(d.Final.Reason, "3m0s or more, or run ebb serve") {
			t.Errorf("%+v, %v", d.Final, err)
		}
		if f.index("do ") >= 0 {
			t.Errorf("it did something:%s", f)
		}
	})
}
