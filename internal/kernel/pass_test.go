package kernel

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/plan"
)

func plus(d time.Duration) time.Time { return t0.Add(d) }

// quietly makes it true that instances have left their hook, without a word to the kernel: whoever decides finds it and ends.
func quietly(k *Kernel, entries ...*entry) {
	for _, e := range entries {
		i := fleet.GroupInstance{Group: e.d.Group, State: fleet.TerminatingProceed}
		put(k.facts, groupInstance(e.d.Target), fleet.Seen, plus(time.Hour), i)
	}
}

// linesOf are the kinds of the lines of an output, by instance.
func linesOf(o Output) []string {
	var all []string
	for _, l := range o.Batch.Lines {
		all = append(all, l.Key[strings.IndexByte(l.Key, '/')+1:strings.LastIndexByte(l.Key, '/')]+" "+l.Kind)
	}
	return all
}

// A drain decides when something was learnt of it or when its time has come, and not before.
func TestWhenADrainDecides(t *testing.T) {
	for name, x := range map[string]struct {
		given   func(*entry)
		decides bool
	}{
		"nothing was learnt":  {func(e *entry) { e.wake = time.Time{} }, false},
		"its time comes soon": {func(e *entry) { e.wake = plus(time.Minute + 1) }, false},
		"its time has come":   {func(e *entry) { e.wake = plus(time.Minute) }, true},
		"it is late":          {func(e *entry) { e.wake = plus(time.Second) }, true},
		"something was":       {func(e *entry) { e.wake, e.dirty = time.Time{}, true }, true},
	} {
		k := newKernel(t, Config{})
		k.Hear(termination(1), t0)
		settle(k, cloud{fleet.Active}, t0)
		quietly(k, k.sorted[0])
		x.given(k.sorted[0])
		if got := len(k.Next(plus(time.Minute)).Batch.Records) > 0; got != x.decides {
			t.Errorf("%s: it decides: %t", name, got)
		}
	}
}

// Drains that end are forgotten and counted, and the others stay.
func TestWhoEndsIsForgotten(t *testing.T) {
	for _, ends := range [][]int{{0}, {1}, {2}, {0, 1, 2}, {0, 2}} {
		k := newKernel(t, Config{})
		for i := range 3 {
			k.Hear(termination(i), t0)
		}
		settle(k, cloud{fleet.Active}, t0)
		var want []string
		for _, i := range ends {
			quietly(k, k.sorted[i])
			want = append(want, fmt.Sprintf("i-%04d ended", i))
		}
		for _, e := range k.sorted {
			e.dirty = true
		}
		o := k.Next(plus(time.Second))
		if d := cmp.Diff(want, linesOf(o)); d != "" {
			t.Errorf("%v end: %s", ends, d)
		}
		if k.Open() != 3-len(ends) || len(k.sorted) != k.Open() || k.Counts["ended ended-elsewhere"] != len(ends) {
			t.Errorf("%v end: %d are open, counted %v", ends, k.Open(), k.Counts)
		}
	}
}

// The slot of a drain that ends is another's at once.
func TestWhoEndsMakesRoom(t *testing.T) {
	k := newKernel(t, budgeted(MaxUnavailable{Count: 1}))
	k.Hear(termination(1), t0)
	k.Hear(termination(2), t0)
	settle(k, cloud{fleet.Active}, t0)
	quietly(k, k.sorted[0])
	k.sorted[0].dirty = true
	at := plus(2 * time.Second)
	if o := k.Next(at); len(linesOf(o)) != 1 || kinds(o.Do)["set-draining"] != 0 {
		t.Fatalf("%q, %v", linesOf(o), kinds(o.Do))
	}
	if got := kinds(k.Next(at).Do)["set-draining"]; got != 1 {
		t.Errorf("%d set DRAINING when the first had ended", got)
	}
}

// Records are written under the leases of their scopes, each lease once; without leases under none.
func TestUnderWhichLeasesRecordsAreWritten(t *testing.T) {
	groups := []Managed{{Match: "web", Cluster: "prod", Policy: drain.Defaults()}, {Match: "db", Policy: drain.Defaults()}}
	prod, db := journal.Lease{Scope: "cluster/prod", Fence: 3}, journal.Lease{Scope: "group/db", Fence: 5}
	for name, x := range map[string]struct {
		held map[string]journal.Lease
		want []journal.Lease
	}{
		"both":     {map[string]journal.Lease{"cluster/prod": prod, "group/db": db}, []journal.Lease{prod, db}},
		"one":      {map[string]journal.Lease{"cluster/prod": prod}, []journal.Lease{prod}},
		"no lease": {nil, nil},
	} {
		k := newKernel(t, Config{Groups: groups, Held: x.held})
		for i, group := range []string{"web", "db", "web", "db"} {
			h := termination(i)
			h.Event.Group = group
			k.Hear(h, t0)
		}
		if d := cmp.Diff(x.want, k.Next(t0).Batch.Under); d != "" {
			t.Errorf("%s (-want +got)\n%s", name, d)
		}
		if under := k.Next(t0).Batch.Under; len(under) != 0 {
			t.Errorf("%s: nothing is written under %v", name, under)
		}
	}
}

// What a pass hands on is written when it has changed, and only then; an Ebb that lives on writes nothing of it.
func TestWhenAPassWritesWhatItHandsOn(t *testing.T) {
	for _, onePass := range []bool{true, false} {
		cfg := budgeted(MaxUnavailable{})
		cfg.OnePass = onePass
		k := newKernel(t, cfg)
		k.Hear(termination(1), t0)
		settle(k, cloud{fleet.Draining}, t0)
		e := k.sorted[0]
		beat := plan.Action{Kind: plan.Beat, Drain: e.d.Key, Target: e.d.Target, Hook: &plan.HookCall{}}
		sent := plan.Done{Request: k.request(plan.Request{Action: &beat}), Started: plus(time.Second), Outcome: plan.Outcome{Calls: 1}}
		k.Did(sent, plus(time.Second))
		recs := k.Next(plus(2 * time.Second)).Batch.Records
		e.dirty = true
		again := k.Next(plus(3 * time.Second)).Batch.Records
		if want := map[bool]int{true: 1}[onePass]; len(recs) != want || len(again) != 0 {
			t.Errorf("one pass %t: %d records after a heartbeat, want %d, and %d when nothing was learnt", onePass, len(recs), want, len(again))
		}
		for _, r := range recs {
			if !strings.Contains(string(r.Body), `"beaten":"2026-11-21T09:00:01Z"`) {
				t.Errorf("it hands on %s", r.Body)
			}
		}
	}
}

// All that a decision says is told.
func TestAllLinesOfADecisionAreTold(t *testing.T) {
	policy := drain.Defaults()
	policy.Deadline = 2 * time.Minute
	k := newKernel(t, Config{Groups: []Managed{{Match: "web", Cluster: "prod", Policy: policy}}})
	k.Hear(termination(1), t0)
	_, lines, _ := drive(k, t0, 5*time.Minute, stillRunning(full(fleet.TerminatingWait)))
	var got []string
	for _, l := range lines {
		if l.Key != "web/i-0001/token-00" {
			t.Errorf("a line of %q: %s", l.Key, l.Text)
		}
		got = append(got, l.Kind)
	}
	if n := len(got); n < 3 || !slices.Equal(got[n-3:], []string{"answer", "cut-off", "ended"}) {
		t.Errorf("told %q", got)
	}
}

// Decisions that find that ECS counts tasks which no list shows are counted.
func TestCountsThatDisagreeAreCounted(t *testing.T) {
	for _, counted := range []int{0, 2} {
		k := newKernel(t, Config{})
		k.Hear(termination(1), t0)
		f := full(fleet.TerminatingWait)
		drive(k, t0, 2*time.Minute, func(o plan.Request, now time.Time) plan.Done {
			d := f(o, now)
			d.Result.View.Listed = nil
			for i := range d.Result.View.ContainerInstances {
				ci := &d.Result.View.ContainerInstances[i]
				ci.Status, ci.Running = fleet.Draining, counted
			}
			return d
		})
		if got := k.Counts["counts that disagree"]; got > 0 != (counted > 0) || got < 0 {
			t.Errorf("ECS counts %d tasks that are not listed: counted %d times", counted, got)
		}
	}
}

// With a new registration of a host its lists begin anew.
func TestANewRegistrationHasNoLists(t *testing.T) {
	k, e := seenBefore(t, true)
	host := crowd{1, 2}.host("i-0001")
	host.ARN += "-again"
	put(k.facts, containerOf(e.d.Target), fleet.Seen, plus(3*time.Minute), host)
	e.dirty = true
	recs := k.Next(plus(3 * time.Minute)).Batch.Records
	if len(recs) != 1 {
		t.Fatalf("%d records", len(recs))
	}
	s, err := read(recs[0])
	if err != nil || s.ContainerInstance != host.ARN || len(s.Known.Running)+len(s.Known.Stopped) > 0 || !s.Known.Whole.IsZero() {
		t.Errorf("error %v, registration %s, lists %+v", err, s.ContainerInstance, s.Known)
	}
}

// A second registration of a host that ECS does not list any more, when the first has been drained: its tasks are listed once more, and
// nobody waits for it until the deadline, or asks for it every second.
func TestASecondRegistrationThatIsGone(t *testing.T) {
	k := newKernel(t, Config{})
	k.Hear(termination(1), t0)
	f := full(fleet.TerminatingWait)
	recs, _, orders := drive(k, t0, 2*time.Minute, func(o plan.Request, now time.Time) plan.Done {
		d := f(o, now)
		switch {
		case o.Look == nil:
		case o.Look.Kind == plan.FindContainerInstances && now.Before(plus(10*time.Second)):
			second := d.Result.View.ContainerInstances[0]
			second.ARN, second.Connected = "arn/prod/i-000g", false
			d.Result.View.ContainerInstances = append(d.Result.View.ContainerInstances, second)
		case o.Look.Kind == plan.ListRunning || o.Look.Kind == plan.ListStopped:
			d.Result.View.Listed = nil
		}
		return d
	})
	d, err := Read(recs[len(recs)-1])
	if err != nil || d.Final == nil || d.Final.Outcome != drain.Drained || !slices.Equal(d.Emptied, []fleet.ARN{"arn/prod/i-0001"}) {
		t.Errorf("error %v, ended as %+v, emptied %q", err, d.Final, d.Emptied)
	}
	listed := map[string]int{}
	for _, o := range orders {
		if o.Look != nil && (o.Look.Kind == plan.ListRunning || o.Look.Kind == plan.ListStopped) {
			listed[o.Look.Subjects[0].ID]++
		}
	}
	if n := kinds(orders)["find-container-instances"]; n > 5 || listed["arn/prod/i-000g"] != 2 {
		t.Errorf("%d looks for the container instance, lists %v", n, listed)
	}
}

// After a restart there is time to take targets out before the answer of a drain that is cut off, however long ago its deadline was.
func TestARestartHasTimeBeforeItCutsOff(t *testing.T) {
	r := openRecord("web/i-0001/a", plus(-2*time.Hour), func(d *drain.Drain) { d.Cutting, d.Cluster = plus(-time.Hour), "prod" })
	cfg := Config{Hook: "ebb-drain", Groups: []Managed{{Match: "web", Cluster: "prod", Policy: drain.Defaults()}}}
	k, err := New(cfg, []journal.Record{r}, nil)
	if err != nil {
		t.Fatal(err)
	}
	c := cloud{fleet.Draining}
	_, lines, _ := drive(k, t0, time.Minute, func(o plan.Request, now time.Time) plan.Done { return c.answer(o) })
	i := slices.IndexFunc(lines, func(l journal.Line) bool { return l.Kind == "answer" })
	if i < 0 || lines[i].At.Before(plus(20*time.Second)) || lines[i].At.After(plus(25*time.Second)) {
		t.Errorf("answered %d: %+v", i, lines)
	}
}

// A drain is shown what is known of just what it asks for, also when it asks again.
func TestAFactIsThatOfItsSubject(t *testing.T) {
	k := newKernel(t, Config{})
	k.Hear(termination(1), t0)
	k.view.e = k.sorted[0]
	var subjects []plan.Subject
	for _, kind := range []plan.LookKind{plan.GroupInstances, plan.Instances, plan.FindContainerInstances, plan.Hooks} {
		for _, in := range []string{"", "prod", "test"} {
			for _, id := range []string{"i-0001", "i-0002", "i-0003"} {
				subjects = append(subjects, plan.Subject{Kind: kind, In: in, ID: id})
			}
		}
	}
	for _, s := range subjects {
		if got := k.view.Fact(s); got != nil {
			t.Errorf("%+v is known: %v", s, got)
		}
	}
	for _, s := range subjects {
		put(k.facts, s, fleet.Seen, t0, s.In+s.ID)
	}
	for range 2 {
		for _, s := range subjects {
			if got := k.view.Fact(s); got != any(k.facts[s]) {
				t.Errorf("of %+v it is told %v", s, got)
			}
		}
	}
}
