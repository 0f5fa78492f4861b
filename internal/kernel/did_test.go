package kernel

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/plan"
)

// swept is a kernel after a sweep that found the groups web and db, whose hooks nobody has looked at; the next sweep is an hour away.
func swept(t *testing.T, cfg Config) *Kernel {
	t.Helper()
	cfg.Sweep = time.Hour
	if cfg.Groups == nil {
		cfg.Groups = []Managed{{Match: "web", Cluster: "prod", Policy: drain.Defaults()}, {Match: "db", Policy: drain.Defaults()}}
	}
	k := newKernel(t, cfg)
	for _, r := range k.Next(t0).Do {
		d := plan.Done{Request: r, Started: t0}
		if r.Look.Kind == plan.Groups {
			d.Result.View.Groups = []fleet.Group{{Name: "web"}, {Name: "db"}}
		}
		k.Did(d, t0)
	}
	return k
}

// An instance that a sweep found waiting is adopted once it is known that its group has Ebb's hook, unless another drain is or was about it.
func TestWhoIsAdopted(t *testing.T) {
	hook := func(is fleet.Knowledge) func(*Kernel) {
		return func(k *Kernel) { put(k.facts, hooksOf("web"), is, t0, fleet.Hook{Heartbeat: 2 * time.Hour}) }
	}
	both := func(fs ...func(*Kernel)) func(*Kernel) {
		return func(k *Kernel) {
			for _, f := range fs {
				f(k)
			}
		}
	}
	i1 := fleet.HostTarget("i-0001")
	ended := func(k *Kernel) {
		k.remember(&drain.Drain{Target: i1, Key: "web/i-0001/x", Ended: t0, Final: &drain.Answer{Outcome: drain.Drained}})
	}
	open := func(k *Kernel) { k.Hear(termination(1), t0) }
	newer := func(k *Kernel) { k.newer["web/i-0001"] = &UnknownRecord{} }
	aside := func(k *Kernel) { k.aside["web/i-0001"] = true }
	unmanaged := func(k *Kernel) { k.cfg.Groups = k.cfg.Groups[1:] }
	const adopted, waits, dropped = "adopted", "waits for its hook", "is not adopted"
	for name, x := range map[string]struct {
		cfg   Config
		given func(*Kernel)
		after time.Duration
		want  string
	}{
		"its hook is seen":                   {Config{}, hook(fleet.Seen), time.Minute, adopted},
		"its hook was seen long ago":         {Config{}, hook(fleet.Seen), 9 * time.Minute, adopted},
		"its hook is not known":              {Config{}, func(*Kernel) {}, time.Minute, waits},
		"it has no hook":                     {Config{}, hook(fleet.Absent), time.Minute, dropped},
		"it had no hook five minutes ago":    {Config{}, hook(fleet.Absent), 5 * time.Minute, dropped},
		"it had no hook longer ago":          {Config{}, hook(fleet.Absent), 5*time.Minute + 1, waits},
		"its drain has ended":                {Config{}, both(hook(fleet.Seen), ended), time.Minute, dropped},
		"its drain has ended, hook unknown":  {Config{}, ended, time.Minute, dropped},
		"its drain is open":                  {Config{}, both(hook(fleet.Seen), open), time.Minute, dropped},
		"its drain is open, hook unknown":    {Config{}, open, time.Minute, dropped},
		"a newer Ebb's":                      {Config{}, both(hook(fleet.Seen), newer), time.Minute, dropped},
		"a newer Ebb's, hook unknown":        {Config{}, newer, time.Minute, dropped},
		"set aside":                          {Config{}, both(hook(fleet.Seen), aside), time.Minute, dropped},
		"set aside, hook unknown":            {Config{}, aside, time.Minute, dropped},
		"its group is managed no more":       {Config{}, both(hook(fleet.Seen), unmanaged), time.Minute, dropped},
		"another Ebb works for its scope":    {Config{Held: map[string]journal.Lease{"group/db": {}}}, hook(fleet.Seen), time.Minute, dropped},
		"this Ebb works for its scope alone": {Config{Held: map[string]journal.Lease{"cluster/prod": {}}}, hook(fleet.Seen), time.Minute, adopted},
	} {
		k := swept(t, x.cfg)
		x.given(k)
		put(k.facts, hooksOf("db"), fleet.Seen, t0, fleet.Hook{Heartbeat: 2 * time.Hour})
		k.toAdopt[i1], k.leaving[i1] = "web", t0
		k.leaving[fleet.HostTarget("i-0002")] = plus(time.Second)
		k.toAdopt[fleet.HostTarget("i-0002")] = "db"
		at := plus(x.after)
		o := k.Next(at)
		var got []string
		for _, r := range o.Batch.Records {
			if d, err := Read(r); err != nil || d.Adopted {
				got = append(got, fmt.Sprintf("%s %s %s %s", r.Key, d.Hook, d.Zero.Sub(t0), d.NotBefore.Sub(t0)))
			}
		}
		var want []string
		if x.want == adopted {
			want = append(want, fmt.Sprintf("web/i-0001/t%s ebb-drain %s 0s", at.Format("20060102T150405"), x.after))
		}
		if k.cfg.mine("group/db") {
			want = append(want, fmt.Sprintf("db/i-0002/t%s ebb-drain %s 1s", at.Format("20060102T150405"), x.after))
		}
		_, still := k.toAdopt[i1]
		if d := cmp.Diff(want, got); d != "" || k.Counts["adopted"] != len(want) || still != (x.want == waits) {
			t.Errorf("%s: still to be adopted: %t, counted %v (-want +got)\n%s", name, still, k.Counts, d)
		}
		if x.want == waits && kinds(o.Do)[plan.Hooks.String()] == 0 {
			t.Errorf("%s: nobody looks for its hook: %v", name, kinds(o.Do))
		}
	}
}

// What came of a request is taken in once, and by the drains that it was for, as long as they are open.
func TestWhoseResultItIs(t *testing.T) {
	k := newKernel(t, budgeted(MaxUnavailable{}))
	k.Hear(termination(1), t0)
	k.Hear(termination(2), t0)
	settle(k, cloud{fleet.Active}, t0)
	one, two := k.sorted[0], k.sorted[1]
	sent := func(a plan.Action, out plan.Outcome) {
		done := plan.Done{Request: k.request(plan.Request{Action: &a}), Started: plus(time.Second), Outcome: out}
		k.Did(done, plus(2*time.Second))
		done.Outcome.Err = &plan.Failure{Class: plan.Invalid}
		k.Did(done, plus(3*time.Second)) // nobody waits for it any more
	}
	answer := func(e *entry, key string) plan.Action {
		return plan.Action{Kind: plan.Answer, Drain: key, Target: e.d.Target, Hook: &plan.HookCall{Token: "t"}}
	}
	sent(answer(one, "web/i-0001/an-earlier-one"), plan.Outcome{Calls: 1})
	if o := k.Next(plus(4 * time.Second)); k.Open() != 2 || len(linesOf(o)) != 0 {
		t.Errorf("the answer of an earlier drain ended another: %q", linesOf(o))
	}
	k.LetGo(two.d.Key, nil, plus(5*time.Second))
	sent(answer(two, two.d.Key), plan.Outcome{Calls: 1})
	arn := func(e *entry) fleet.ARN { return e.d.ContainerInstance }
	sent(set("prod", arn(two), "unheard-of", arn(one)), plan.Outcome{Calls: 1, Err: &plan.Failure{Class: plan.Unclear, Message: "no answer"}})
	sent(answer(one, one.d.Key), plan.Outcome{Calls: 1})
	if o := k.Next(plus(6 * time.Second)); k.Open() != 0 || !slices.Equal(linesOf(o), []string{"i-0001 failed", "i-0001 ended"}) {
		t.Errorf("%d open, told %q", k.Open(), linesOf(o))
	}
	k.Did(plan.Done{Request: plan.Request{ID: 9999, Look: &plan.Look{Kind: plan.Groups}}}, plus(7*time.Second))
	k.Did(plan.Done{Request: plan.Request{ID: 9999}}, plus(7*time.Second))
}

// Of a call for several container instances each fails or not by itself.
func TestOneContainerInstanceOfACallFails(t *testing.T) {
	k := newKernel(t, budgeted(MaxUnavailable{}))
	for i := range 3 {
		k.Hear(termination(i), t0)
	}
	_, lines, orders := drive(k, t0, 20*time.Second, func(o plan.Request, now time.Time) plan.Done {
		d := cloud{fleet.Active}.answer(o)
		if o.Action != nil && o.Action.Kind == plan.SetDraining && now.Equal(t0) {
			d.Outcome.Failed = []plan.ItemFailure{
				{ID: "arn/prod/i-0000", Class: plan.Conflict, Reason: "busy"}, {ID: "arn/prod/i-0001", Class: plan.Denied, Reason: "no"},
			}
		}
		return d
	})
	var got []string
	for _, l := range lines {
		if l.Kind == "failed" {
			got = append(got, l.Key+": "+l.Text)
		}
	}
	want := []string{
		"web/i-0000/token-00: set-draining failed: conflict: busy; it is tried again",
		"web/i-0001/token-00: set-draining failed: denied: no; it is tried again",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	times := map[fleet.ARN]int{}
	for _, o := range orders {
		if o.Action != nil && o.Action.Kind == plan.SetDraining {
			for _, arn := range o.Action.State.ContainerInstances {
				times[arn]++
			}
		}
	}
	if times["arn/prod/i-0000"] < 2 || times["arn/prod/i-0001"] < 2 || times["arn/prod/i-0002"] != 1 {
		t.Errorf("set DRAINING %v times", times)
	}
}

// Failures in a row are told when they begin and each twelfth time; after a success they begin anew.
func TestFailuresInARow(t *testing.T) {
	k := newKernel(t, Config{})
	k.Hear(termination(1), t0)
	settle(k, cloud{fleet.Active}, t0)
	e := k.sorted[0]
	n, told := 0, []int{}
	classes := append(slices.Repeat([]plan.Class{plan.Unclear}, 25), plan.OK, plan.Gone, plan.OK, plan.Denied, plan.Denied)
	for _, class := range classes {
		n++
		out := plan.Outcome{Calls: 1}
		if class != plan.OK {
			out.Err = &plan.Failure{Class: class, Code: "Code", Message: "why"}
		}
		a := plan.Action{Kind: plan.Deregister, Drain: e.d.Key, Target: e.d.Target}
		k.Did(plan.Done{Request: k.request(plan.Request{Action: &a}), Started: plus(time.Second), Outcome: out}, plus(time.Second))
		for _, l := range k.Next(plus(time.Second)).Batch.Lines {
			if l.Kind == "failed" && l.Text == fmt.Sprintf("deregister failed: %s: Code: why; it is tried again", class) {
				told = append(told, n)
			} else {
				t.Errorf("%s %s", l.Kind, l.Text)
			}
		}
	}
	if want := []int{1, 12, 24, 29}; !slices.Equal(told, want) {
		t.Errorf("told of the failures %v, want %v", told, want)
	}
}

// A token that AWS does not know is given up; what had no token says nothing about one.
func TestATokenThatAWSDoesNotKnow(t *testing.T) {
	for kind, want := range map[plan.ActionKind]bool{plan.Beat: true, plan.Answer: true, plan.SetDraining: false} {
		k := newKernel(t, Config{})
		k.Hear(termination(1), t0)
		settle(k, cloud{fleet.Active}, t0)
		e := k.sorted[0]
		a := plan.Action{Kind: kind, Drain: e.d.Key, Target: e.d.Target, Hook: &plan.HookCall{Token: e.d.Token}}
		if kind == plan.SetDraining {
			a = set("prod", e.d.ContainerInstance)
		}
		out := plan.Outcome{Calls: 1, Err: &plan.Failure{Class: plan.Gone, Message: "No active Lifecycle Action found"}}
		k.Did(plan.Done{Request: k.request(plan.Request{Action: &a}), Started: plus(time.Second), Outcome: out}, plus(time.Second))
		k.Next(plus(time.Second))
		if hooks, _ := k.Hooks(); len(hooks) != 1 || (hooks[0].Call.Token == "") != want {
			t.Errorf("%s: %+v", kind, hooks)
		}
	}
}

// That ECS took SET DRAINING makes no container instance of one that nobody sees: two looks a minute apart say that there is none.
func TestSettingDrainingIsNoLook(t *testing.T) {
	k := newKernel(t, Config{})
	k.Hear(termination(1), t0)
	settle(k, cloud{fleet.Draining}, t0)
	e := k.sorted[0]
	put(k.facts, containerOf(e.d.Target), fleet.Absent, plus(time.Second), fleet.ContainerInstance{})
	for range 2 {
		a := set("prod", e.d.ContainerInstance)
		k.Did(plan.Done{Request: k.request(plan.Request{Action: &a}), Started: plus(time.Minute), Outcome: plan.Outcome{Calls: 1}}, plus(time.Minute))
		if ci := k.container(e.d.Target); ci.Is != fleet.Unknown && !ci.At.Equal(plus(time.Second)) {
			t.Errorf("what was seen: %+v", ci)
		}
		delete(k.facts, containerOf(e.d.Target))
	}
}

// Urgent calls that AWS throttles are counted; those of other priorities, and other failures, are not.
func TestUrgentCallsThatAreThrottledAreCounted(t *testing.T) {
	throttled, unclear := &plan.Failure{Class: plan.Throttled}, &plan.Failure{Class: plan.Unclear}
	for _, x := range []struct {
		a    plan.Action
		err  *plan.Failure
		want int
	}{
		{hookAction(plan.Beat, true), throttled, 1}, {hookAction(plan.Answer, false), throttled, 1}, {hookAction(plan.Beat, false), throttled, 0},
		{set("prod", "a"), throttled, 0}, {hookAction(plan.Answer, false), unclear, 0}, {hookAction(plan.Beat, true), nil, 0},
	} {
		k := newKernel(t, Config{})
		k.Did(plan.Done{Request: k.request(plan.Request{Action: &x.a}), Outcome: plan.Outcome{Calls: 1, Err: x.err}}, t0)
		if got := k.Counts["urgent calls throttled"]; got != x.want {
			t.Errorf("%s %v: counted %d, want %d", x.a.Kind, x.err, got, x.want)
		}
	}
}

// What a request took more than one call is spent, too, and AWS's throttling of one holds up the others.
func TestCallsThatWereMadeAreSpent(t *testing.T) {
	for name, x := range map[string]struct {
		calls int
		err   *plan.Failure
		want  int // so many calls of five are left
	}{
		"as expected": {1, nil, 4}, "more": {3, nil, 2}, "none": {0, nil, 5}, "throttled": {1, &plan.Failure{Class: plan.Throttled}, 0},
	} {
		k := newKernel(t, Config{Rates: Rates{plan.ECSModify: {Burst: 5, PerSecond: 0.001}, plan.EC2: {Burst: 5, PerSecond: 0.001}}})
		a, l := set("prod", "a"), plan.LookFor(plan.Instances, "", "i-0001")
		for _, r := range []plan.Request{{Action: &a}, {Look: &l}} {
			b, p := plan.ECSModify, plan.Draining
			if r.Look != nil {
				b, p = plan.EC2, plan.Looking
			}
			if !k.rates.take(b, 1, p, t0) {
				t.Fatal("not even one call may be made")
			}
			d := plan.Done{Request: k.request(r), Started: t0, Outcome: plan.Outcome{Calls: x.calls, Err: x.err}}
			d.Result.Calls, d.Result.Err = x.calls, x.err
			k.Did(d, t0)
			left := 0
			for ; left < 10 && k.rates.take(b, 1, p, t0); left++ {
			}
			if left != x.want {
				t.Errorf("%s, %s: %d calls are left, want %d", name, b, left, x.want)
			}
		}
	}
}

// When the kernel is to be called again: at the earliest time at which something is due, but no sooner than in a Moment.
func TestWhenTheKernelIsToBeCalledAgain(t *testing.T) {
	want := func(due time.Duration) wanted { return wanted{a: &ask{}, due: plus(due)} }
	begun := func(k *Kernel, e ...*entry) { k.sorted = append(k.sorted, e...) }
	for name, x := range map[string]struct {
		given func(*Kernel)
		want  time.Duration
	}{
		"the sweep":            {func(*Kernel) {}, time.Hour},
		"a sweep that is late": {func(k *Kernel) { k.swept = plus(-2 * time.Hour) }, time.Second},
		"who waits for a hook": {func(k *Kernel) { k.toAdopt[fleet.HostTarget("i-0001")] = "web" }, 5 * time.Second},
		"the end of a pause": {func(k *Kernel) {
			k.paused = map[string]paused{"a": {over: plus(2 * time.Minute)}, "b": {over: plus(time.Minute)}, "c": {over: plus(3 * time.Minute)}}
		}, time.Minute},
		"a drain": {func(k *Kernel) {
			begun(k, &entry{}, &entry{wake: plus(3 * time.Minute)}, &entry{wake: plus(time.Minute)}, &entry{wake: plus(2 * time.Minute)})
		}, time.Minute},
		"a drain that is late":     {func(k *Kernel) { begun(k, &entry{}, &entry{wake: plus(-time.Minute)}) }, time.Second},
		"a drain just now":         {func(k *Kernel) { begun(k, &entry{wake: t0}) }, time.Second},
		"a drain in half a second": {func(k *Kernel) { begun(k, &entry{wake: plus(time.Second / 2)}) }, time.Second / 2},
		"a drain with news":        {func(k *Kernel) { begun(k, &entry{}, &entry{dirty: true}) }, time.Second},
		"drains without":           {func(k *Kernel) { begun(k, &entry{}, &entry{}) }, time.Hour},
		"a look": {func(k *Kernel) {
			begun(k, &entry{}, &entry{wants: []wanted{want(3 * time.Minute), want(time.Minute), want(2 * time.Minute)}})
		}, time.Minute},
		"a look under way": {func(k *Kernel) {
			w := want(time.Minute)
			w.a.flying = true
			begun(k, &entry{wants: []wanted{w, want(2 * time.Minute)}})
		}, 2 * time.Minute},
		"lists of clusters": {func(k *Kernel) {
			k.listings["a"] = &listing{failures: failures{1, plus(-2 * time.Second)}}
			k.listings["b"] = &listing{failures: failures{1, plus(-4 * time.Second)}}
		}, time.Second},
		"a list that failed": {func(k *Kernel) {
			k.listings["a"] = &listing{failures: failures{1, plus(-2 * time.Second)}}
		}, 3 * time.Second},
		"a list under way": {func(k *Kernel) { k.listings["a"] = &listing{page: 1} }, time.Hour},
		"a list to go on":  {func(k *Kernel) { k.listings["a"] = &listing{} }, time.Second},
	} {
		k := newKernel(t, Config{Sweep: time.Hour})
		k.swept = t0
		x.given(k)
		if got := k.wake(t0).Sub(t0); got != x.want {
			t.Errorf("%s: in %s, want %s", name, got, x.want)
		}
	}
}
