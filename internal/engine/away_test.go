package engine

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ebbhq/ebb/internal/event"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/kernel"
	"github.com/ebbhq/ebb/internal/plan"
)

// gaps are the longest time between two moments, from a beginning to an end.
func longest(from, to time.Duration, at []time.Duration) (gap time.Duration) {
	for _, a := range append(at, to) {
		if a > from && a <= to {
			gap, from = max(gap, a-from), a
		}
	}
	return gap
}

// A journal that is away, or takes nothing, costs no hook: the one that is known is kept alive until its deadline, and so is one of which
// only a message tells. No hook is answered, nothing is set DRAINING, and the log says what is wrong again and again.
func TestHeartbeatsGoOnWhileTheJournalIsAway(t *testing.T) {
	for name, readable := range map[string]bool{"away": false, "full": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig()
				cut := &away{Store: r.store}
				cut.readable.Store(readable)
				var log bytes.Buffer
				r.cfg.Store, r.cfg.Log = cut, slog.New(slog.NewTextHandler(&log, nil))
				defer r.start(t)()
				pass(time.Second)
				r.terminate(host)
				pass(3 * time.Second)
				if r.index("durable heard") < 0 || r.index("do answer") >= 0 {
					t.Fatalf("it was to have begun:%s", r)
				}
				cut.away.Store(true)
				from := time.Since(r.trail.start)
				pass(10 * time.Minute)
				r.terminate(second)
				pass(14 * time.Minute)
				to := time.Since(r.trail.start)
				for _, what := range []string{"do answer", "do set-draining " + string(second), "deleted m-" + string(second)} {
					if r.index(what) >= 0 {
						t.Errorf("%q while the journal is away:%s", what, r)
					}
				}
				if gap := longest(from, to, r.times("do heartbeat "+string(host))); gap > 6*time.Minute {
					t.Errorf("%s without a heartbeat:%s", gap, r)
				}
				if gap := longest(from+10*time.Minute, to, r.times("do heartbeat "+string(second))); gap > 30*time.Second {
					t.Errorf("%s without a heartbeat of a hook of which only a message tells, and whose timeout is not known:%s", gap, r)
				}
				if n := strings.Count(log.String(), "the journal cannot be used"); n < 23 || n > 26 || !strings.Contains(log.String(), "level=WARN") {
					t.Errorf("the log said so %d times in 24 minutes:\n%s", n, log.String())
				}
				if strings.Contains(log.String(), "stands by") || !strings.Contains(log.String(), "instances="+string(host)) {
					t.Errorf("log:\n%s", log.String())
				}
				cut.away.Store(false)
				pass(2 * time.Second)
				if n := len(after(r.times("do heartbeat "+string(host)), to)); n > 0 {
					t.Errorf("the kernel that was loaded sent %d heartbeats at once:%s", n, r)
				}
				pass(30 * time.Minute)
				for _, id := range []fleet.InstanceID{host, second} {
					if r.index("do answer "+string(id)) < 0 {
						t.Errorf("the drain of %s was to end:%s", id, r)
					}
				}
				if !strings.Contains(log.String(), "the journal is back") {
					t.Errorf("log:\n%s", log.String())
				}
			})
		})
	}
}

// After the deadline of its drain a hook is let run out, whatever the journal does.
func TestNoHeartbeatAfterTheDeadlineWhileTheJournalIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		cut := &away{Store: r.store}
		r.cfg.Store = cut
		defer r.start(t)()
		r.terminate(host)
		pass(3 * time.Second)
		cut.away.Store(true)
		pass(2 * time.Hour)
		at := r.times("do heartbeat")
		if len(at) < 4 || at[len(at)-1] > 30*time.Minute {
			t.Errorf("heartbeats at %v, want some, and none after 30 minutes", at)
		}
	})
}

// A journal that takes for ever to answer is one that is away.
func TestACallOfTheJournalThatHangsCostsNoHook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		slow := &hanging{away: away{Store: r.store}}
		r.cfg.Store = slow
		defer r.start(t)()
		r.terminate(host)
		pass(3 * time.Second)
		slow.away.away.Store(true)
		from := time.Since(r.trail.start)
		pass(25 * time.Minute)
		if gap := longest(from, from+25*time.Minute, r.times("do heartbeat "+string(host))); gap > 7*time.Minute {
			t.Errorf("%s without a heartbeat:%s", gap, r)
		}
	})
}

// hanging is a journal that does not answer while it is away.
type hanging struct{ away }

func (h *hanging) Open(ctx context.Context) ([]journal.Record, error) {
	if h.away.away.Load() {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return h.Store.Open(ctx)
}

func (h *hanging) Write(ctx context.Context, b journal.Batch) error {
	if h.away.away.Load() {
		<-ctx.Done()
		return ctx.Err()
	}
	return h.Store.Write(ctx, b)
}

// A warm environment of a function keeps the hooks of its last pass alive, and one that is new those of which its messages tell.
func TestAPassWithoutAJournalSendsHeartbeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFunction()
		cut := &away{Store: f.store}
		f.cfg.Store = cut
		f.cfg.Me = "environment"
		warm := NewFunction(f.cfg)
		f.wait(host)
		if _, err := warm.Pass(t.Context(), []event.Message{message(host)}, false); err != nil {
			t.Fatal(err)
		}
		cut.away.Store(true)
		from := time.Since(f.trail.start)
		for range 25 {
			pass(time.Minute)
			if vs, err := warm.Pass(t.Context(), nil, true); !errors.Is(err, errAway) || len(vs) > 0 {
				t.Fatalf("verdicts %v, error %v", vs, err)
			}
		}
		if gap := longest(from, from+25*time.Minute, f.times("do heartbeat "+string(host))); gap > 5*time.Minute {
			t.Errorf("%s without a heartbeat:%s", gap, f)
		}
		if vs, err := f.invoke(t.Context(), false, message(second)); !errors.Is(err, errAway) || len(vs) > 0 {
			t.Errorf("verdicts %v, error %v", vs, err)
		}
		pass(15 * time.Second)
		if vs, err := f.invoke(t.Context(), false, sentBefore(message(second), 15*time.Second)); !errors.Is(err, errAway) || len(vs) > 0 {
			t.Errorf("verdicts %v, error %v", vs, err)
		}
		if f.index("do heartbeat "+string(second)) < 0 || f.index("do answer") >= 0 {
			t.Errorf("the hook of which a message tells was to be kept alive:%s", f)
		}
		cut.away.Store(false)
		for range 5 {
			if _, err := warm.Pass(t.Context(), nil, true); err != nil {
				t.Fatal(err)
			}
			pass(time.Minute)
		}
		if f.index("do answer "+string(host)) < 0 {
			t.Errorf("the drain was to end:%s", f)
		}
	})
}

// A pass that has no journal looks which groups are excluded before it sends a heartbeat for what a message tells, however late it is; the
// next pass of the environment knows it still.
func TestAPassWithoutAJournalBeatsNothingOfAnExcludedGroup(t *testing.T) {
	for _, excluded := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			f := newFunction()
			cut := &away{Store: f.store}
			cut.away.Store(true)
			f.cfg.Store = cut
			f.cfg.Me = "environment"
			f.wait(host)
			f.cloud.look = func(_ context.Context, l plan.Look, s *plan.LookResult) {
				if l.Kind == plan.Groups {
					s.View.Groups[0].Excluded = excluded
				}
			}
			warm := NewFunction(f.cfg)
			for i, late := range []time.Duration{time.Minute, 2 * time.Minute, 3 * time.Minute} {
				if _, err := warm.Pass(t.Context(), []event.Message{sentBefore(message(host), late)}, false); !errors.Is(err, errAway) {
					t.Fatalf("pass %d: %v", i, err)
				}
				pass(5 * time.Second)
			}
			if beat := f.index("do heartbeat "+string(host)) >= 0; beat == excluded {
				t.Errorf("excluded %t, and its hook is beaten %t:%s", excluded, beat, f)
			}
		})
	}
}

func sentBefore(m event.Message, d time.Duration) event.Message {
	m.Sent = m.Sent.Add(-d)
	return m
}

func TestBeats(t *testing.T) {
	start := time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)
	at := func(d time.Duration) time.Time { return start.Add(d) }
	hook := func(id string, timeout time.Duration, last time.Duration) kernel.Hook {
		return kernel.Hook{
			Scope: "s", Drain: "web/" + id, Target: fleet.HostTarget(fleet.InstanceID(id)), Timeout: timeout, Last: at(last), Until: at(time.Hour),
			Call: plan.HookCall{Group: "web", Hook: "h", Instance: fleet.InstanceID(id), Token: "t"},
		}
	}
	b := newBeats(0)
	b.keep(hook("i-1", 15*time.Minute, 0), hook("i-2", 3*time.Minute, 0))
	due := func(now time.Duration) (ids string) {
		for _, r := range b.due(at(now)) {
			ids += r.Action.Target.ID + " "
		}
		return ids
	}
	answer := func(id string, now time.Duration, class plan.Class) {
		done := plan.Done{Started: at(now), Request: plan.Request{Action: &plan.Action{Kind: plan.Beat, Target: fleet.HostTarget(fleet.InstanceID(id))}}}
		if class != plan.OK {
			done.Outcome.Err = &plan.Failure{Class: class}
		}
		b.did(done, at(now))
	}
	for _, step := range []struct {
		now  time.Duration
		want string
		id   string
		came plan.Class
	}{
		{59 * time.Second, "", "", ""},
		{60 * time.Second, "i-2 ", "i-2", plan.Throttled},
		{64 * time.Second, "", "", ""},
		{65 * time.Second, "i-2 ", "i-2", plan.OK},
		{2 * time.Minute, "", "", ""},
		{125 * time.Second, "i-2 ", "", ""}, // under way
		{5 * time.Minute, "i-1 ", "i-1", plan.Unclear},
		{6 * time.Minute, "i-1 ", "i-1", plan.Gone}, // it has ended
		{20 * time.Minute, "", "i-2", plan.OK},
		{59 * time.Minute, "i-2 ", "i-2", plan.Denied},
		{time.Hour, "", "", ""}, // the deadline
	} {
		if got := due(step.now); got != step.want {
			t.Errorf("at %s: %q, want %q", step.now, got, step.want)
		}
		if step.id != "" {
			answer(step.id, step.now, step.came)
		}
	}
	if !b.next(false).IsZero() || len(b.hooks) > 0 {
		t.Errorf("something is left: %v", b.hooks)
	}
	for i := range 3 * beatsAtOnce {
		b.keep(hook("i-"+string(rune('a'+i)), time.Minute, 0))
	}
	if n := len(b.due(at(time.Minute))); n != beatsAtOnce || !b.next(false).IsZero() {
		t.Errorf("%d at once, the next at %s", n, b.next(false))
	}
}

// While the journal is away, looks at the groups show hooks of which no message tells. They say nothing new of one that is known.
func TestWhatALookShowsIsKeptAlive(t *testing.T) {
	b := newBeats(0)
	at := time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)
	b.swept, b.sweeping = at, true
	if !b.next(true).IsZero() {
		t.Error("a look is under way")
	}
	hook := func(id fleet.InstanceID, timeout time.Duration) kernel.Hook {
		return kernel.Hook{Target: fleet.HostTarget(id), Timeout: timeout, Until: at.Add(time.Hour)}
	}
	known := hook("i-1", 3*time.Minute)
	known.Drain, known.Last, known.Beaten = "web/i-1/1", at, true
	b.keep(known)
	b.saw([]kernel.Hook{hook("i-1", 30*time.Second), hook("i-2", 30*time.Second)})
	due := b.due(at)
	if len(due) != 1 || due[0].Action.Target.ID != "i-2" {
		t.Fatalf("due at once: %+v", due)
	}
	b.did(plan.Done{Request: due[0], Started: at}, at)
	if got := b.sweepDue(); !got.Equal(at.Add(10 * time.Second)) {
		t.Errorf("the next look is due at %s: a third of the shortest timeout", got)
	}
	if got := b.next(true); !got.Equal(at.Add(10 * time.Second)) {
		t.Errorf("there is something to do at %s", got)
	}
	delete(b.hooks, fleet.HostTarget("i-2"))
	if got := b.next(true); !got.Equal(at.Add(time.Minute)) {
		t.Errorf("with longer timeouts there is something to do at %s", got)
	}
	if b.hooks[fleet.HostTarget("i-1")].Drain != "web/i-1/1" {
		t.Error("what is known was forgotten")
	}
}

// What the kernel says of a hook counts more than a message, and an accepted heartbeat more than either. The time in a message is nobody's word:
// it moves no heartbeat back.
func TestBeatsKeepTheLatest(t *testing.T) {
	start := time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)
	target := fleet.HostTarget(host)
	heard := func(s time.Duration) kernel.Hook {
		return kernel.Hook{Target: target, Timeout: 30 * time.Second, Last: start.Add(s)}
	}
	known := func(s time.Duration, beaten bool) kernel.Hook {
		return kernel.Hook{Target: target, Drain: "web/i/a", Timeout: time.Minute, Last: start.Add(s), Beaten: beaten}
	}
	for name, c := range map[string]struct {
		hooks []kernel.Hook
		want  kernel.Hook
	}{
		"a drain after a message":                 {[]kernel.Hook{heard(0), known(-time.Second, false)}, known(-time.Second, false)},
		"a message after a drain":                 {[]kernel.Hook{known(-time.Second, false), heard(0)}, known(-time.Second, false)},
		"a later message":                         {[]kernel.Hook{heard(0), heard(time.Hour)}, heard(0)},
		"a drain after an accepted heartbeat":     {[]kernel.Hook{known(time.Minute, true), known(0, false)}, known(time.Minute, true)},
		"a drain with a later accepted heartbeat": {[]kernel.Hook{known(0, true), known(time.Minute, true)}, known(time.Minute, true)},
		"a drain of unknown age after a message":  {[]kernel.Hook{heard(0), {Target: target, Drain: "d"}}, kernel.Hook{Target: target, Drain: "d"}},
	} {
		b := newBeats(0)
		for _, h := range c.hooks {
			b.keep(h)
		}
		if got := b.hooks[target].Hook; got != c.want {
			t.Errorf("%s: got %+v, want %+v", name, got, c.want)
		}
	}
}

// A heartbeat that AWS accepted counts, although the kernel that sent it is forgotten: where kernels do not live long, hooks are many and calls
// fail, another hook needs the call more. What failed counts for nothing.
func TestAnAcceptedHeartbeatOfAForgottenKernelCounts(t *testing.T) {
	at := time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)
	target := fleet.HostTarget(host)
	for _, fail := range []bool{false, true} {
		c := &Core{cfg: Config{Now: func() time.Time { return at }}.withDefaults(), beats: newBeats(0)}
		c.beats.keep(kernel.Hook{Target: target, Drain: "web/i/a", Timeout: time.Minute, Last: at.Add(-30 * time.Second), Beaten: true})
		done := plan.Done{Request: plan.Request{Action: &plan.Action{Kind: plan.Beat, Target: target, Hook: &plan.HookCall{}}}, Started: at}
		if fail {
			done.Outcome.Err = &plan.Failure{Class: plan.Unclear}
		}
		c.Did(&kernel.Kernel{}, done)
		if h := c.beats.hooks[target]; h.Last.Equal(at) == fail {
			t.Errorf("failed: %t; the last heartbeat that counts is of %s", fail, h.Last)
		}
	}
}
