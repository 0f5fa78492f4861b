package kernel

import (
	"fmt"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/desired"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/notice"
	"github.com/ebbhq/ebb/internal/plan"
)

// roomFor is a kernel that scales service s0 in a cluster of which group web-asg may be raised, and the count of s0.
func roomFor(t *testing.T) (*Kernel, *count) {
	k := growing(t, 6, func(*Managed) {})
	scaleServices(k)
	return k, k.counts[countKey("prod", "s0")]
}

// TestWhatAnAnswerAboutPlacesChanges: what is told of it, and whether a group is to be raised.
func TestWhatAnAnswerAboutPlacesChanges(t *testing.T) {
	lacks := Answer{Blocker: notice.Blocker{Code: "no-cpu", Text: "no place"}, Group: "web-asg", Capacity: 7}
	for name, c := range map[string]struct {
		service string
		set     func(*Kernel, *count, *Answer)
		lines   int
		due     bool
	}{
		"a group has no room":           {"s0", func(*Kernel, *count, *Answer) {}, 2, true},
		"that was told":                 {"s0", func(_ *Kernel, c *count, _ *Answer) { c.Room.Said = "no-cpu" }, 1, true},
		"no group would help":           {"s0", func(_ *Kernel, _ *count, a *Answer) { a.Group = "" }, 1, false},
		"the group is excluded":         {"s0", func(k *Kernel, _ *count, _ *Answer) { k.excluded = map[string]bool{"web-asg": true} }, 1, false},
		"the group is not to be raised": {"s0", func(k *Kernel, _ *count, _ *Answer) { k.cfg.Groups[1].RaiseCapacity = false }, 1, false},
		"there is room":                 {"s0", func(_ *Kernel, _ *count, a *Answer) { a.Text = "" }, 0, false},
		"it is scaled no more":          {"s0", func(_ *Kernel, c *count, _ *Answer) { c.scaled = nil }, 0, false},
		"of another service":            {"s9", func(*Kernel, *count, *Answer) {}, 0, false},
	} {
		k, of := roomFor(t)
		is := lacks
		of.raising = true
		c.set(k, of, &is)
		noPlace(k, Ask{Cluster: "prod", Service: c.service, Tasks: 6}, is, t0)
		want := room{}
		if c.due {
			want = room{Group: "web-asg", To: 7, At: t0, Due: true, Said: "no-cpu"}
		}
		if c.lines == 1 && !c.due {
			want.Said = "no-cpu"
		}
		if len(k.lines) != c.lines || of.Room != want || of.raising == c.due {
			t.Errorf("%s: %+v, %+v", name, of.Room, k.lines)
		}
	}
}

// TestWhenAGroupIsRaised: as long as that is due, allowed, and not under way.
func TestWhenAGroupIsRaised(t *testing.T) {
	for name, c := range map[string]struct {
		set    func(*Kernel, *count)
		raises bool
		due    bool // afterwards
	}{
		"it is due":                       {func(*Kernel, *count) {}, true, true},
		"it is not":                       {func(_ *Kernel, c *count) { c.Room.Due = false }, false, false},
		"it is under way":                 {func(_ *Kernel, c *count) { c.raising = true }, false, true},
		"it has been for long enough":     {func(_ *Kernel, c *count) { c.Room.At = t0.Add(-raiseLasts) }, true, true},
		"it has been for too long":        {func(_ *Kernel, c *count) { c.Room.At = t0.Add(-raiseLasts - 1) }, false, false},
		"the service is scaled no more":   {func(_ *Kernel, c *count) { c.scaled = nil }, false, false},
		"the group is not to be raised":   {func(k *Kernel, _ *count) { k.cfg.Groups[1].RaiseCapacity = false }, false, false},
		"too many calls are under way":    {func(k *Kernel, _ *count) { k.cfg.InFlight = 0 }, false, true},
		"too many calls were made lately": {func(k *Kernel, _ *count) { k.rates.take(plan.AutoScaling, 1000, plan.Urgent, t0); drained(k) }, false, true},
	} {
		k, of := roomFor(t)
		of.Room = room{Group: "web-asg", To: 7, At: t0, Due: true}
		c.set(k, of)
		was := of.raising
		got := raise(k, of, t0)
		if (len(got) == 1) != c.raises || of.Room.Due != c.due || of.raising != (c.raises || was) || (of.wake.Equal(t0.Add(Moment))) != (c.due && !c.raises && !was) {
			t.Errorf("%s: %+v, due %t, raising %t, wake %s", name, got, of.Room.Due, of.raising, of.wake)
		}
		if len(got) == 1 && fmt.Sprintf("%v %s", *got[0].Action.Size, got[0].Action.Drain) != "{web-asg 7} count:prod/s0/1" {
			t.Errorf("%s: %+v", name, got[0].Action)
		}
	}
}

// drained takes all calls that may be made now.
func drained(k *Kernel) {
	for range 1000 {
		if !k.rates.take(plan.SetCapacity.Spec().Bucket, 1, plan.SetCapacity.Spec().Priority, t0) {
			return
		}
	}
}

// TestWhatComesOfARaise: it counts only for what is due.
func TestWhatComesOfARaise(t *testing.T) {
	size := &plan.GroupSize{Group: "web-asg", To: 7}
	for name, c := range map[string]struct {
		drain string
		size  *plan.GroupSize
		fail  *plan.Failure
		kind  string // of the line; empty: there is none
	}{
		"it is done":               {"count:prod/s0/1", size, nil, ScaleLine},
		"it has failed":            {"count:prod/s0/1", size, &plan.Failure{Class: plan.Denied, Message: "no"}, "failed"},
		"another size is due":      {"count:prod/s0/1", &plan.GroupSize{Group: "web-asg", To: 8}, nil, ""},
		"another group's is due":   {"count:prod/s0/1", &plan.GroupSize{Group: "db-asg", To: 7}, nil, ""},
		"of a count that has gone": {"count:prod/s9/1", size, nil, ""},
	} {
		k, of := roomFor(t)
		of.Room, of.raising = room{Group: "web-asg", To: 7, At: t0, Due: true}, true
		raised(k, plan.Action{Kind: plan.SetCapacity, Drain: c.drain, Size: c.size}, c.fail, t0)
		kind := ""
		if len(k.lines) > 0 {
			kind = k.lines[0].Kind
		}
		if kind != c.kind || of.Room.Due != (c.kind == "") || of.raising != (c.kind == "") {
			t.Errorf("%s: %+v, %+v", name, of.Room, k.lines)
		}
	}
}

// TestTheFirstLookSaysWhatTheBaseIs: a look that is too old to say what a service has now begins nothing.
func TestTheFirstLookSaysWhatTheBaseIs(t *testing.T) {
	for age, base := range map[time.Duration]int{countFresh: 4, countFresh + 1: 0} {
		k := newKernel(t, replacing())
		c := countOf(k, "prod", "a")
		c.Entry = c.Raise(desired.Raise{Who: "x", By: 1, Until: t0.Add(time.Hour)})
		put(k.facts, serviceIn("prod", "a"), fleet.Seen, t0.Add(-age), fleet.Service{Name: "a", Cluster: "prod", Desired: 4, Running: 4})
		setCount(k, c, t0)
		if c.Base != base {
			t.Errorf("after %s: base %d", age, c.Base)
		}
		k = newKernel(t, replacing())
		c = countOf(k, "prod", "a")
		c.Entry = desired.Entry{Base: 4, Count: 4, Sure: t0.Add(-time.Hour)}
		put(k.facts, serviceIn("prod", "a"), fleet.Seen, t0.Add(-time.Minute), fleet.Service{Name: "a", Cluster: "prod", Desired: 4, Running: 4})
		if setCount(k, c, t0); c.Sure != t0.Add(-time.Minute) {
			t.Errorf("a later look may be older: sure since %s", c.Sure)
		}
	}
}

// TestCountsOfTheJournal: all of them are taken up, and what an earlier Ebb was about to set is not known to be set.
func TestCountsOfTheJournal(t *testing.T) {
	var records []journal.Record
	for _, name := range []string{"a", "b"} {
		k := newKernel(t, replacing())
		c := countOf(k, "prod", name)
		c.Base, c.Entry.Count, c.Sure = 4, 4, t0.Add(-time.Minute)
		c.Raises = []desired.Raise{{Who: "web/i-1/x", By: 1, Until: t0.Add(time.Hour)}, {Who: "web/i-2/x", By: 2, Until: t0.Add(time.Hour)}}
		c.Write.At, c.Write.To = t0.Add(-time.Minute), 7
		var out Output
		keepCount(k, c, &out, t0)
		records = append(records, out.Batch.Records...)
	}
	k, err := New(replacing(), records, nil)
	if err != nil || len(k.counts) != 2 {
		t.Fatalf("%d counts: %v", len(k.counts), err)
	}
	c := k.counts[countKey("prod", "a")]
	if c.by("web/i-1/x") != 1 || c.by("web/i-2/x") != 2 || c.by("web/i-3/x") != 0 || c.policy(k).Max != 8 {
		t.Errorf("%+v, at most %d", c.Raises, c.policy(k).Max)
	}
	var out Output
	setCounts(k, &out, t0)
	if !c.resumed || !k.counts[countKey("prod", "b")].resumed {
		t.Errorf("it is not resumed: %+v", c.Entry)
	}
	if k := newKernel(t, standingIn(0)); k.cfg.Groups[0].StandIns[0].OnDemand != "od" || countOf(k, "prod", "od").policy(k).Max != 0 {
		t.Error("what stands in for Spot has no most")
	}
}

// TestACountThatTheJournalDoesNotTake: it is forgotten, and its own call is not made.
func TestACountThatTheJournalDoesNotTake(t *testing.T) {
	k, of := roomFor(t)
	sets := func(service string) *plan.Action {
		return &plan.Action{Kind: plan.SetDesired, Count: &plan.CountChange{Cluster: "prod", Service: service, To: 6}}
	}
	look := plan.LookAt(serviceIn("prod", "s0"))
	var do []plan.Request
	for _, r := range []plan.Request{{Look: &look}, {Action: &plan.Action{Kind: plan.SetDraining}}, {Action: sets("s9")}, {Action: sets("s0")}} {
		do = append(do, k.request(r))
	}
	own := do[3].ID
	left := letCountGo(k, of.key(), do)
	if _, flies := k.flying[own]; len(left) != 3 || left[2].Action.Count.Service != "s9" || flies || len(k.flying) != 3 || !k.aside[of.subject()] ||
		k.counts[of.key()] != nil {
		t.Errorf("left %+v, %d under way", left, len(k.flying))
	}
}

// TestWhatComesOfACallThatIsNoCounts: one that is not awaited changes nothing.
func TestWhatComesOfACallThatIsNoCounts(t *testing.T) {
	for _, x := range []struct {
		service string
		to      int
		sure    bool
	}{{"s0", 6, true}, {"s0", 7, false}, {"s9", 6, false}, {"s9", 0, false}} {
		k, of := roomFor(t)
		of.Entry = desired.Entry{Base: 6, Count: 4, Sure: t0.Add(-time.Minute)}
		of.Write.At, of.Write.To = t0.Add(-time.Second), 6
		countSet(k, plan.Action{Kind: plan.SetDesired, Count: &plan.CountChange{Cluster: "prod", Service: x.service, To: x.to}}, nil, t0)
		if got := of.Write.At.IsZero(); got != x.sure || (of.Count == 6) != x.sure || (len(k.lines) == 1) != x.sure {
			t.Errorf("%+v: %+v, %+v", x, of.Entry, k.lines)
		}
	}
}
