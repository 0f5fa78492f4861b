package kernel

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/event"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

// hookOf is the hook that holds the i-th instance, as its message tells of it.
func hookOf(i int) Hook {
	e := termination(i).Event
	return Hook{
		Scope: "cluster/prod", Drain: "web/" + string(e.Instance) + "/token-00", Target: fleet.HostTarget(e.Instance), Timeout: 30 * time.Second,
		Last: t0, Until: t0.Add(30 * time.Minute),
		Call: plan.HookCall{Group: "web", Hook: "ebb-drain", Instance: e.Instance, Token: e.Token},
	}
}

// Whoever sends heartbeats is told of each hook that may be open, and of none that is over or not Ebb's to keep open.
func TestWhichHooksAreKeptOpen(t *testing.T) {
	after := func(n int) time.Time { return t0.Add(time.Duration(n) * time.Minute) }
	in := func(k *Kernel, e *entry, state fleet.LifecycleState) {
		put(k.facts, groupInstance(e.d.Target), fleet.Seen, t0, fleet.GroupInstance{Group: "web", State: state})
	}
	none := func(*Hook) bool { return false }
	same := func(*Hook) bool { return true }
	seen := fleet.Fact[fleet.Hook]{Is: fleet.Seen, At: after(1)}
	seen.Value = fleet.Hook{Name: "ebb-drain", Heartbeat: 15 * time.Minute, Global: 20 * time.Minute}
	for name, x := range map[string]struct {
		given func(*Kernel, *entry)
		want  func(*Hook) bool // changes what was heard; false: there is none
	}{
		"heard":                                 {func(*Kernel, *entry) {}, same},
		"waits":                                 {func(k *Kernel, e *entry) { in(k, e, fleet.TerminatingWait) }, same},
		"proceeds":                              {func(k *Kernel, e *entry) { in(k, e, fleet.TerminatingProceed) }, none},
		"in service when it was last looked at": {func(k *Kernel, e *entry) { in(k, e, fleet.InService) }, same},
		"being terminated":                      {func(k *Kernel, e *entry) { in(k, e, fleet.TerminatingProceed) }, none},
		"not in a group": {func(k *Kernel, e *entry) {
			put(k.facts, groupInstance(e.d.Target), fleet.Absent, t0, fleet.GroupInstance{})
		}, none},
		"held by nothing": {func(_ *Kernel, e *entry) { e.d.Hook = "" }, none},
		"observed":        {func(_ *Kernel, e *entry) { e.d.Observed = true }, none},
		"to be observed":  {func(_ *Kernel, e *entry) { e.man.Policy.Observe = true }, none},
		"excluded":        {func(k *Kernel, _ *entry) { k.excluded["web"] = true }, none},
		"another group":   {func(k *Kernel, _ *entry) { k.excluded["db"] = true }, same},
		"begun":           {func(_ *Kernel, e *entry) { e.d.Admitted = true }, func(h *Hook) bool { h.Begun = true; return true }},
		"begun, excluded since": {func(k *Kernel, e *entry) { k.excluded["web"], e.d.Admitted = true, true },
			func(h *Hook) bool { h.Begun = true; return true }},
		"answered":       {func(_ *Kernel, e *entry) { e.tried[plan.Answer].OK = t0 }, none},
		"answer refused": {func(_ *Kernel, e *entry) { e.tried[plan.Answer].Started = t0 }, same},
		"beaten": {func(_ *Kernel, e *entry) { e.tried[plan.Beat].OK = after(2) },
			func(h *Hook) bool { h.Last, h.Beaten = after(2), true; return true }},
		"beat refused":     {func(_ *Kernel, e *entry) { e.tried[plan.Beat].Started = after(2) }, same},
		"found by a sweep": {func(_ *Kernel, e *entry) { e.d.Adopted = true }, func(h *Hook) bool { h.Last = time.Time{}; return true }},
		"found by a sweep, and when it opened": {func(k *Kernel, e *entry) {
			e.d.Adopted = true
			put(k.facts, began(e.d.Target, "web"), fleet.Seen, t0, t0)
		}, same},
		"found by a sweep, and beaten": {func(_ *Kernel, e *entry) { e.d.Adopted, e.tried[plan.Beat].OK = true, after(2) },
			func(h *Hook) bool { h.Last, h.Beaten = after(2), true; return true }},
		"named by instance": {func(_ *Kernel, e *entry) { e.d.ByID = true }, func(h *Hook) bool { h.Call.Token = ""; return true }},
		"looked at": {func(k *Kernel, _ *entry) { put(k.facts, hooksOf("web"), seen.Is, seen.At, seen.Value) },
			func(h *Hook) bool { h.Timeout, h.Seen, h.Until = 15*time.Minute, seen, after(19); return true }},
		"not found":    {func(k *Kernel, _ *entry) { put(k.facts, hooksOf("web"), fleet.Absent, after(1), fleet.Hook{}) }, same},
		"has its slot": {func(_ *Kernel, e *entry) { e.d.Slot = after(5) }, func(h *Hook) bool { h.Until = after(35); return true }},
	} {
		k := newKernel(t, Config{})
		k.Hear(termination(1), t0)
		other := termination(2)
		other.Event.Group = "other"
		k.cfg.Groups = append(k.cfg.Groups, Managed{Match: "other", Policy: drain.Defaults()})
		k.Hear(other, t0)
		x.given(k, k.sorted[0])
		second := hookOf(2)
		second.Scope, second.Drain, second.Call.Group = "group/other", "other/i-0002/token-00", "other"
		want, h := []Hook{second}, hookOf(1)
		if x.want(&h) {
			want = []Hook{h, second}
		}
		got, excluded := k.Hooks()
		if d := cmp.Diff(want, got); d != "" || excluded != nil || k.Swept() {
			t.Errorf("%s: swept %t, excluded %v (-want +got)\n%s", name, k.Swept(), excluded, d)
		}
	}
}

// After a sweep the excluded groups are known, also that there are none.
func TestHooksNameTheExcludedGroupsAfterASweep(t *testing.T) {
	for _, tagged := range []bool{true, false} {
		k := newKernel(t, Config{Groups: []Managed{{Match: "web"}, {Match: "db"}}})
		want := map[string]bool{}
		if tagged {
			want["db"] = true
		}
		drive(k, t0, time.Second, func(o plan.Request, now time.Time) plan.Done {
			d := cloud{}.answer(o)
			if o.Look.Kind == plan.Groups {
				d.Result.View.Groups = []fleet.Group{{Name: "web"}, {Name: "db", Excluded: tagged}}
			}
			return d
		})
		hooks, excluded := k.Hooks()
		if len(hooks) != 0 || excluded == nil || cmp.Diff(want, excluded) != "" || !k.Swept() {
			t.Errorf("hooks %+v, excluded %v, want %v", hooks, excluded, want)
		}
		excluded["web"] = true
		if _, again := k.Hooks(); again["web"] {
			t.Error("who was told of the excluded groups can change them")
		}
	}
}

// A message tells of a hook of Ebb's before any kernel has taken it in. One that says it comes from the future is not believed.
func TestAMessageTellsOfAHook(t *testing.T) {
	c := Config{Hook: "ebb-drain", Groups: []Managed{
		{Match: "web", Cluster: "prod", Policy: drain.Policy{Deadline: time.Hour}}, {Match: "seen", Policy: drain.Policy{Observe: true}},
	}}
	ago := func(n int) time.Time { return t0.Add(time.Duration(-n) * time.Second) }
	for name, x := range map[string]struct {
		said, sent time.Time
		change     func(*event.Event)
		last       time.Time // zero: it is none of Ebb's
	}{
		"ours":                     {ago(20), ago(10), func(*event.Event) {}, ago(20)},
		"without a time":           {time.Time{}, ago(10), func(*event.Event) {}, ago(10)},
		"without any time":         {time.Time{}, time.Time{}, func(*event.Event) {}, t0},
		"from the future":          {ago(-20), ago(10), func(*event.Event) {}, t0},
		"of another hook":          {ago(20), ago(10), func(e *event.Event) { e.Hook = "logs" }, time.Time{}},
		"of another group":         {ago(20), ago(10), func(e *event.Event) { e.Group = "theirs" }, time.Time{}},
		"of a group only observed": {ago(20), ago(10), func(e *event.Event) { e.Group = "seen" }, time.Time{}},
		"a test":                   {ago(20), ago(10), func(e *event.Event) { e.Kind = event.TestNotification }, time.Time{}},
	} {
		e := termination(1).Event
		e.Time = x.said
		x.change(&e)
		var want Hook
		if !x.last.IsZero() {
			want = hookOf(1)
			want.Drain, want.Last, want.Until = "", x.last, x.last.Add(time.Hour)
		}
		got, ok := c.Opened(e, x.sent, t0)
		if d := cmp.Diff(want, got); d != "" || ok == x.last.IsZero() {
			t.Errorf("%s: %t (-want +got)\n%s", name, ok, d)
		}
	}
}

// A kernel that starts anew is told of the heartbeats that were sent without it; what it knows better itself stays.
func TestAKernelIsToldOfHeartbeats(t *testing.T) {
	after := func(n int) time.Time { return t0.Add(time.Duration(n) * time.Minute) }
	hook := func(at time.Time, timeout time.Duration) fleet.Fact[fleet.Hook] {
		return fleet.Fact[fleet.Hook]{Is: fleet.Seen, At: at, Value: fleet.Hook{Name: "ebb-drain", Heartbeat: timeout}}
	}
	type told struct {
		last   time.Time
		beaten bool
		seen   fleet.Fact[fleet.Hook]
	}
	var nothing fleet.Fact[fleet.Hook]
	hour := hook(after(1), time.Hour)
	for name, x := range map[string]struct {
		beat  time.Time              // that the kernel knows of
		knows fleet.Fact[fleet.Hook] // what it knows of the hook
		told  told
		want  told
	}{
		"a heartbeat":            {time.Time{}, nothing, told{after(3), true, hour}, told{after(3), true, hour}},
		"of a hook nobody saw":   {time.Time{}, nothing, told{after(3), true, nothing}, told{after(3), true, nothing}},
		"of a hook it has seen":  {time.Time{}, hour, told{after(3), true, hook(after(2), time.Minute)}, told{after(3), true, hour}},
		"a newer one":            {after(2), nothing, told{after(3), true, nothing}, told{after(3), true, nothing}},
		"the same":               {after(3), nothing, told{after(3), true, hour}, told{after(3), true, nothing}},
		"an older one":           {after(4), nothing, told{after(3), true, hour}, told{after(4), true, nothing}},
		"only when it was heard": {time.Time{}, nothing, told{after(3), false, hour}, told{t0, false, nothing}},
	} {
		k := newKernel(t, Config{})
		k.Hear(termination(1), t0)
		k.sorted[0].tried[plan.Beat].OK = x.beat
		if x.knows.Is == fleet.Seen {
			put(k.facts, hooksOf("web"), x.knows.Is, x.knows.At, x.knows.Value)
		}
		h := hookOf(1)
		h.Last, h.Beaten, h.Seen = x.told.last, x.told.beaten, x.told.seen
		if !k.Beaten(h) {
			t.Errorf("%s: it does not know the drain", name)
		}
		hooks, _ := k.Hooks()
		if got := (told{hooks[0].Last, hooks[0].Beaten, hooks[0].Seen}); cmp.Diff(x.want, got, cmp.AllowUnexported(told{})) != "" {
			t.Errorf("%s: got %+v, want %+v", name, got, x.want)
		}
		// Among many that are due, it comes after those that were beaten longer ago.
		if try := k.sorted[0].tried[plan.Beat]; x.told.beaten && x.told.last.After(x.beat) && !try.Started.Equal(x.told.last) {
			t.Errorf("%s: tried at %s", name, try.Started)
		}
		h.Target = fleet.HostTarget("i-0002")
		if k.Beaten(h) {
			t.Errorf("%s: it knows a drain that is not open", name)
		}
	}
}
