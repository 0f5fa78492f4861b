package kernel

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/event"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/plan"
)

// budgeted is group web, of which only so many may leave.
func budgeted(l MaxUnavailable) Config {
	return Config{InFlight: 1000, Groups: []Managed{{Match: "web", Cluster: "prod", Policy: drain.Defaults(), MaxUnavailable: l}}}
}

// setDraining answers all orders for a while and counts the container instances that were set DRAINING. The sweep finds a group of some
// size, or fails when that is negative.
func setDraining(k *Kernel, from time.Time, d time.Duration, size int) int {
	c := cloud{fleet.Active}
	_, _, orders := drive(k, from, d, func(o plan.Request, now time.Time) plan.Done {
		done := c.answer(o)
		switch {
		case o.Look != nil && o.Look.Kind == plan.ContainerInstances:
			for _, id := range o.Look.IDs() {
				arn := fleet.ARN(id)
				ci := fleet.ContainerInstance{ARN: arn, Cluster: "prod", Instance: fleet.InstanceID(strings.TrimPrefix(string(arn), "arn/prod/")),
					Status: c.status, Connected: true}
				done.Result.View.ContainerInstances = append(done.Result.View.ContainerInstances, ci)
			}
		case o.Look == nil || o.Look.Kind != plan.Groups:
		case size < 0:
			done.Result.Err = &plan.Failure{Class: plan.Denied, Message: "not allowed"}
		default:
			done.Result.View.Groups = []fleet.Group{{Name: "web", Instances: make([]fleet.GroupInstance, size)}}
		}
		return done
	})
	hosts := map[fleet.ARN]bool{}
	for _, o := range orders {
		if o.Action != nil && o.Action.Kind == plan.SetDraining {
			for _, arn := range o.Action.State.ContainerInstances {
				hosts[arn] = true
			}
		}
	}
	return len(hosts)
}

func TestABudgetBoundsHowManyLeave(t *testing.T) {
	for name, c := range map[string]struct {
		limit MaxUnavailable
		size  int
		want  int
	}{
		"a number":                              {MaxUnavailable{Count: 3}, 20, 3},
		"a number, and the sweep fails":         {MaxUnavailable{Count: 3}, -1, 3},
		"a share":                               {MaxUnavailable{Percent: 20}, 20, 4},
		"a share of few is one":                 {MaxUnavailable{Percent: 20}, 3, 1},
		"a share of what is not known is one":   {MaxUnavailable{Percent: 50}, -1, 1},
		"none":                                  {MaxUnavailable{}, 20, 10},
		"a share of more than there are leaves": {MaxUnavailable{Percent: 100}, 20, 10},
	} {
		t.Run(name, func(t *testing.T) {
			k := newKernel(t, budgeted(c.limit))
			for i := range 10 {
				k.Hear(termination(i), t0)
			}
			if got := setDraining(k, t0, 3*time.Minute, c.size); got != c.want {
				t.Errorf("%d leave, want %d", got, c.want)
			}
		})
	}
}

// records are ten drains of a group with a budget of two, when a few have begun, as they are in the journal.
func records(t *testing.T) []journal.Record {
	k := newKernel(t, budgeted(MaxUnavailable{Count: 2}))
	for i := range 10 {
		k.Hear(termination(i), t0)
	}
	setDraining(k, t0, time.Minute, 10)
	var recs []journal.Record
	for _, e := range k.sorted {
		recs = append(recs, recordOf(e))
	}
	return recs
}

func TestWhoLeavesIsCountedAfterARestart(t *testing.T) {
	for name, c := range map[string]struct {
		groups []Managed
		want   int
	}{
		"the same":                       {budgeted(MaxUnavailable{Count: 2}).Groups, 2},
		"one more may":                   {budgeted(MaxUnavailable{Count: 3}).Groups, 3},
		"all may":                        {budgeted(MaxUnavailable{}).Groups, 10},
		"the group is managed no more":   {[]Managed{{Match: "other", Cluster: "prod", Policy: drain.Defaults()}}, 2},
		"the budget is smaller than was": {budgeted(MaxUnavailable{Count: 1}).Groups, 2},
	} {
		t.Run(name, func(t *testing.T) {
			k, err := New(Config{Hook: "ebb-drain", InFlight: 1000, Groups: c.groups}, records(t), nil)
			if err != nil {
				t.Fatal(err)
			}
			if got := setDraining(k, t0.Add(2*time.Minute), 3*time.Minute, 10); got != c.want {
				t.Errorf("%d leave, want %d", got, c.want)
			}
		})
	}
}

// A host that somebody else has set DRAINING leaves, also before it is looked at again after a restart.
func TestWhatWasSetDrainingByOthersIsCountedAfterARestart(t *testing.T) {
	recs := records(t)
	k, err := New(Config{Hook: "ebb-drain", InFlight: 1000, Groups: budgeted(MaxUnavailable{Count: 3}).Groups}, recs, nil)
	if err != nil {
		t.Fatal(err)
	}
	k.sorted[9].d.DrainingSince = t0
	k.countLeaving(t0)
	if got := k.leave[pool{"cluster/prod", "web"}]; got != 3 {
		t.Errorf("%d leave, want 3", got)
	}
}

// A note is heard once, whatever becomes of it: nobody else reads it.
func TestANoteIsHeardOnce(t *testing.T) {
	other := termination(1)
	other.Event.Group = "other"
	passedOn := termination(2)
	passedOn.Event.Group = "moved"
	for name, c := range map[string]struct {
		h     Heard
		notes []journal.Forwarded
	}{
		"of ours":                       {termination(0), nil},
		"of a group nobody manages now": {other, nil},
		"of a group of another scope":   {passedOn, []journal.Forwarded{{Scope: "group/moved", ID: "m1", Body: "b", Sent: t0}}},
		"that only wakes":               {Heard{Event: event.Event{Kind: event.Unknown}}, nil},
		"that nobody needs":             {Heard{Event: event.Event{Kind: event.ScalingNotification}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := budgeted(MaxUnavailable{})
			cfg.Groups = append(cfg.Groups, Managed{Match: "moved", Policy: drain.Defaults()})
			cfg.LeaveForeign, cfg.Held = true, map[string]journal.Lease{"cluster/prod": {Scope: "cluster/prod"}}
			k := newKernel(t, cfg)
			h := c.h
			h.ID, h.Body, h.Noted = "note/cluster/prod/m1", "b", true
			k.Hear(h, t0)
			o := k.Next(t0)
			if len(o.Settle) != 1 || !o.Settle[0].Delete {
				t.Errorf("verdicts %+v, want one that deletes", o.Settle)
			}
			if len(o.Batch.Forwarded) != len(c.notes) || len(c.notes) > 0 && o.Batch.Forwarded[0] != c.notes[0] {
				t.Errorf("notes %+v, want %+v", o.Batch.Forwarded, c.notes)
			}
		})
	}
}

// Who has seen an instance leave is not always there to see it come back: an hour after its drain one that waits is taken for a new one.
func TestAnInstanceThatWaitsLongAfterItsDrainIsAdopted(t *testing.T) {
	for after, want := range map[time.Duration]int{10 * time.Minute: 0, 2 * time.Hour: 1, 100 * time.Hour: 1} {
		d := drain.Drain{Key: "web/i-0001/token-00", Target: fleet.HostTarget("i-0001"), Hold: drain.Hold{Group: "web"}, Ended: t0,
			Final: &drain.Answer{Outcome: drain.Drained}}
		rec := recordOf(&entry{d: d})
		cfg := budgeted(MaxUnavailable{})
		cfg.Hook, cfg.OnePass = "ebb-drain", true
		k, err := New(cfg, nil, []journal.Record{rec})
		if err != nil {
			t.Fatal(err)
		}
		c := cloud{fleet.Active}
		drive(k, t0.Add(after), time.Second, func(o plan.Request, now time.Time) plan.Done {
			done := c.answer(o)
			if o.Look != nil && o.Look.Kind == plan.Groups {
				done.Result.View.Groups = []fleet.Group{{Name: "web", Instances: []fleet.GroupInstance{{ID: "i-0001", Group: "web", State: fleet.TerminatingWait}}}}
			}
			return done
		})
		if got := k.Counts["adopted"]; got != want {
			t.Errorf("after %s: %d adopted, want %d", after, got, want)
		}
	}
}

// A host whose drain was let go leaves all the same: it counts until its hook must have run out, and then another has its slot.
func TestADrainThatWasLetGoCountsUntilItsHookHasEnded(t *testing.T) {
	k, err := New(Config{Hook: "ebb-drain", InFlight: 1000, Groups: budgeted(MaxUnavailable{Count: 3}).Groups}, records(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	k.countLeaving(t0)
	was, n := k.leave[pool{"cluster/prod", "web"}], len(k.sorted)
	var gone *entry
	for _, e := range k.sorted {
		if k.isLeaving(e) {
			gone = e
		}
	}
	put(k.facts, hooksOf("web"), fleet.Seen, t0, fleet.Hook{Name: "ebb-drain", Heartbeat: 10 * time.Minute})
	arn := gone.d.ContainerInstance
	act := func(id int, a plan.Action) plan.Request {
		k.flying[id] = plan.Request{ID: id, Action: &a}
		return k.flying[id]
	}
	left := k.LetGo(gone.d.Key, []plan.Request{
		act(1, plan.Action{Kind: plan.Beat, Drain: gone.d.Key, Hook: &plan.HookCall{}}),
		act(2, plan.Action{Kind: plan.SetDraining, State: &plan.StateChange{ContainerInstances: []fleet.ARN{"other", arn}}}),
		act(3, plan.Action{Kind: plan.SetDraining, State: &plan.StateChange{ContainerInstances: []fleet.ARN{arn}}}),
		act(4, plan.Action{Kind: plan.Beat, Drain: "another", Hook: &plan.HookCall{}}), {ID: 5, Look: &plan.Look{}},
	}, t0)
	if len(left) != 3 || left[0].ID != 2 || len(left[0].Action.State.ContainerInstances) != 1 || left[1].ID != 4 || left[2].ID != 5 || len(k.flying) != 2 {
		t.Errorf("left %+v, under way %v", left, k.flying)
	}
	if len(k.sorted) != n-1 || k.open[gone.d.Target] != nil {
		t.Error("it is still open")
	}
	for i, at := range []time.Duration{10 * time.Minute, 10*time.Minute + 1} {
		k.countLeaving(t0.Add(at))
		if got := k.leave[pool{"cluster/prod", "web"}]; got != was-i {
			t.Errorf("after %s %d leave, want %d", at, got, was-i)
		}
	}
	msg := Heard{Message: event.Message{ID: "m"}, Event: event.Event{
		Kind: event.TerminateAction, Group: "web", Hook: "ebb-drain", Instance: gone.d.Instance(), Token: "another",
	}}
	k.Hear(msg, t0)
	if v := k.settle[len(k.settle)-1]; v.Delete || len(k.sorted) != n-1 {
		t.Errorf("a message about it: %+v", v)
	}
}

// A drain that was let go before its host was set DRAINING gives its slot back.
// A host that Auto Scaling terminates because an operator has asked for it leaves, although that drain has ended: until its hook's drain
// knows it, or its group does not have it any more; after a restart too.
func TestWhoIsTerminatedForAnOperatorLeavesUntilItHasLeft(t *testing.T) {
	target := fleet.HostTarget("i-0001")
	for name, x := range map[string]struct {
		set  func(d *drain.Drain)
		then func(k *Kernel)
		want int
	}{
		"terminated":          {want: 1},
		"with what was on it": {set: func(d *drain.Drain) { d.Intent.Outcome, d.Final.Outcome = drain.Forced, drain.Forced }, want: 1},
		"kept":                {set: func(d *drain.Drain) { d.Intent = nil }},
		"not terminated":      {set: func(d *drain.Drain) { d.Final.Stays = true }},
		"its host is gone":    {set: func(d *drain.Drain) { d.Final.Outcome = drain.HostGone }},
		"by its hook":         {set: func(d *drain.Drain) { d.Hook = "ebb-drain" }},
		"its group has it not any more": {then: func(k *Kernel) {
			sweeping(k, minute(5), groupWith("web", fleet.InService, "i-0002"))
		}},
		"its group has it": {then: func(k *Kernel) {
			sweeping(k, minute(5), groupWith("web", fleet.TerminatingProceed, "i-0001", "i-0002"))
		}, want: 1},
		"its hook's drain has not seen it": {then: func(k *Kernel) {
			k.Hear(termination(1), minute(5))
		}, want: 1},
		"its hook's drain knows it": {then: func(k *Kernel) {
			k.Hear(termination(1), minute(5))
			put(k.facts, containerOf(target), fleet.Seen, minute(5), fleet.ContainerInstance{Status: fleet.Draining})
		}, want: 1},
		"somebody has set it ACTIVE": {then: func(k *Kernel) {
			k.Hear(termination(1), minute(5))
			put(k.facts, containerOf(target), fleet.Seen, minute(5), fleet.ContainerInstance{Status: fleet.Active})
		}},
		"no sweep tells for hours": {then: func(k *Kernel) { k.countLeaving(minute(3 + 121)) }},
	} {
		for _, restarted := range []bool{false, true} {
			cfg := budgeted(MaxUnavailable{Count: 1})
			cfg.Hook = "ebb-drain"
			d := byWord(saidOf("i-0001"), "web", t0)
			d.Word.End = fleet.EndTerminate
			k, err := New(cfg, []journal.Record{recordOf(&entry{d: d, scope: cfg.Groups[0].Scope()})}, nil)
			if err != nil {
				t.Fatal(err)
			}
			e := k.open[target]
			e.d.Ended = minute(3)
			e.d.Intent, e.d.Final = &drain.Answer{Outcome: drain.Drained}, &drain.Answer{Outcome: drain.Drained, Reason: "its task has stopped"}
			if x.set != nil {
				x.set(&e.d)
			}
			if restarted {
				if k, err = New(cfg, nil, []journal.Record{recordOf(e)}); err != nil {
					t.Fatal(err)
				}
			} else {
				k.forgetEnded()
			}
			if x.then != nil {
				x.then(k)
			}
			k.countLeaving(minute(6))
			if got := k.leave[pool{cfg.Groups[0].Scope(), "web"}]; got != x.want {
				t.Errorf("%s, restarted %t: %d leave, want %d", name, restarted, got, x.want)
			}
		}
	}
	k, err := New(budgeted(MaxUnavailable{}), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	d := byWord(saidOf("i-0001"), "web", t0)
	d.Intent, d.Final = &drain.Answer{}, &drain.Answer{}
	if k.lingers("group/web", &d); len(k.lingering) > 0 {
		t.Errorf("counted in a group without a limit: %+v", k.lingering)
	}
}

func TestWhoIsLetGoWithASlotAloneDoesNotLeave(t *testing.T) {
	active, draining := fleet.ContainerInstance{Status: fleet.Active}, fleet.ContainerInstance{Status: fleet.Draining}
	for name, x := range map[string]struct {
		set  func(*entry)
		ci   fleet.ContainerInstance
		sent bool
		want bool
	}{
		"a slot alone":           {func(e *entry) { e.d.Slot = t0 }, active, true, false},
		"it was DRAINING":        {func(e *entry) { e.d.DrainingSince = t0 }, active, true, true},
		"others set it DRAINING": {func(*entry) {}, draining, true, true},
		"ECS was asked":          {func(e *entry) { e.tried[plan.SetDraining].Started = t0 }, active, true, true},
		"ECS is asked":           {func(e *entry) { e.tried[plan.SetDraining].Flying = true }, active, true, true},
		"it was about to ask":    {func(e *entry) { e.tried[plan.SetDraining].Flying = true }, active, false, false},
	} {
		e := &entry{}
		x.set(e)
		if got := e.leaves(fleet.Fact[fleet.ContainerInstance]{Is: fleet.Seen, Value: x.ci}, x.sent); got != x.want {
			t.Errorf("%s: leaves %v", name, got)
		}
	}
}

func TestHowManyMayLeaveOfAGroup(t *testing.T) {
	for _, x := range []struct {
		l          MaxUnavailable
		size, want int
		text       string
	}{
		{MaxUnavailable{Count: 3}, 300, 3, "3"}, {MaxUnavailable{Percent: 1}, 300, 3, "1%"}, {MaxUnavailable{Percent: 50}, 198, 99, "50%"},
		{MaxUnavailable{Percent: 50}, 3, 1, "50%"}, {MaxUnavailable{Percent: 33}, 2, 1, "33%"}, {MaxUnavailable{Percent: 100}, 7, 7, "100%"},
	} {
		if got := x.l.of(x.size); got != x.want || x.l.String() != x.text {
			t.Errorf("%s: %d of %d, want %d", x.l, got, x.size, x.want)
		}
	}
}

// A host that others have just set DRAINING takes the slot, though its drain decides after those that have waited for one.
func TestWhoLeavesAlreadyIsCountedFirst(t *testing.T) {
	for others, want := range map[string]int{fleet.Draining: 0, fleet.Active: 1} {
		k := newKernel(t, budgeted(MaxUnavailable{Count: 1}))
		k.Hear(termination(1), t0)
		k.Hear(termination(2), t0)
		n := 0
		drive(k, t0, 5*time.Second, func(o plan.Request, now time.Time) plan.Done {
			d := cloud{fleet.Active}.answer(o)
			for i := range d.Result.View.ContainerInstances {
				if ci := &d.Result.View.ContainerInstances[i]; ci.Instance == "i-0002" {
					ci.Status = others
				}
			}
			if o.Action != nil && o.Action.Kind == plan.SetDraining {
				n += len(o.Action.State.ContainerInstances)
			}
			return d
		})
		if n != want {
			t.Errorf("the other is %s: %d set DRAINING, want %d", others, n, want)
		}
	}
}

// A drain that only decides, and gets no slot, takes none from those that decide after it.
func TestWhoGetsNoSlotTakesNone(t *testing.T) {
	k := newKernel(t, budgeted(MaxUnavailable{Count: 1}))
	k.Hear(termination(1), t0)
	k.Hear(termination(2), t0)
	drive(k, t0, 5*time.Second, func(o plan.Request, now time.Time) plan.Done {
		d := cloud{fleet.Active}.answer(o)
		if cis := d.Result.View.ContainerInstances; len(cis) > 0 && cis[0].Instance == "i-0001" {
			d.Result.View.ContainerInstances = cis[1:] // it has not joined yet
		}
		return d
	})
	if one, two := k.sorted[0].d, k.sorted[1].d; !one.Slot.IsZero() || two.Slot.IsZero() || !two.Queued.IsZero() {
		t.Errorf("%+v and %+v", one, two)
	}
}

// A slot that is free wakes those who wait for one of their group, and nobody else.
func TestWhoIsWokenByAFreeSlot(t *testing.T) {
	limit := MaxUnavailable{Count: 1}
	cfg := Config{InFlight: 1000}
	for _, name := range []string{"web", "db"} {
		cfg.Groups = append(cfg.Groups, Managed{Match: name, Cluster: "prod", Policy: drain.Defaults(), MaxUnavailable: limit})
	}
	cfg.Groups = append(cfg.Groups, Managed{Match: "app", Cluster: "prod", Policy: drain.Defaults()})
	for name, free := range map[string]func(*Kernel, *entry){
		"it ends":      func(k *Kernel, e *entry) { e.dirty = true },
		"it is let go": func(k *Kernel, e *entry) { k.LetGo(e.d.Key, nil, plus(-time.Hour)) },
	} {
		k := newKernel(t, cfg)
		for i, group := range []string{"web", "web", "web", "db", "db", "app"} {
			h := termination(i)
			h.Event.Group = group
			k.Hear(h, t0)
		}
		drive(k, t0, 10*time.Second, func(o plan.Request, now time.Time) plan.Done {
			d := cloud{fleet.Active}.answer(o)
			for i := range d.Result.View.GroupInstances {
				in := &d.Result.View.GroupInstances[i]
				in.Group = k.open[fleet.HostTarget(in.ID)].d.Group
			}
			return d
		})
		k.sorted[2].d.Slot = t0
		for _, e := range k.sorted {
			e.wake = plus(time.Hour)
		}
		quietly(k, k.sorted...)
		free(k, k.sorted[0])
		var got []string
		for n := range 3 {
			got = append(got, linesOf(k.Next(plus(time.Duration(n)*time.Second)))...)
		}
		if got = slices.DeleteFunc(got, func(l string) bool { return l == "i-0000 ended" }); !slices.Equal(got, []string{"i-0001 ended"}) {
			t.Errorf("%s: %q have decided, want i-0001 alone", name, got)
		}
	}
}
