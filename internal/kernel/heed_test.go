package kernel

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/plan"
)

// What an operator says to a word is in the line that tells of it, once, and no longer than people read; also if another program wrote it.
func TestWhatAnOperatorSaysToAWord(t *testing.T) {
	const does = "an operator lets i-0001 leave cluster prod: once it is drained it stays DRAINING; if tasks still run at 2026-11-21 09:20:00 UTC, " +
		"it stays as it is (operator)"
	long := strings.Repeat("x", 300)
	cutBy, cutMessage := long[:100]+"... (200 bytes more)", long[:200]+"... (100 bytes more)"
	raw := func(r Remark) journal.Forwarded {
		body, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		return journal.Forwarded{Scope: "cluster/prod", ID: WordID + "-x", Body: string(body)}
	}
	for name, x := range map[string]struct {
		heard []journal.Forwarded
		want  string
	}{
		"nothing":   {nil, does},
		"who it is": {[]journal.Forwarded{Remark{Instance: "i-0001", Cluster: "prod", By: "o@h"}.Say("cluster/prod", t0)}, does + "; by o@h"},
		"why": {[]journal.Forwarded{Remark{Instance: "i-0001", Cluster: "prod", By: "o@h", Message: "patch"}.Say("cluster/prod", t0)},
			does + "; by o@h: patch"},
		"of another one": {[]journal.Forwarded{Remark{Instance: "i-0002", Cluster: "prod", By: "o@h"}.Say("cluster/prod", t0)}, does},
		"of no instance": {[]journal.Forwarded{raw(Remark{Cluster: "prod", By: "o@h"})}, does},
		"of no cluster":  {[]journal.Forwarded{raw(Remark{Instance: "i-0001", By: "o@h"})}, does},
		"no remark": {[]journal.Forwarded{{Scope: "cluster/prod", ID: WordID + "-x", Body: `{"instance":"i-0001","cluster":"prod","by":1}`}},
			does},
		"more than is read": {[]journal.Forwarded{raw(Remark{Instance: "i-0001", Cluster: "prod", By: long, Message: long})},
			does + "; by " + cutBy + ": " + cutMessage},
		"more than is read, from an operator": {
			[]journal.Forwarded{Remark{Instance: "i-0001", Cluster: "prod", By: long, Message: long}.Say("cluster/prod", t0)},
			does + "; by " + cutBy + ": " + cutMessage},
		"what is hidden": {
			[]journal.Forwarded{Remark{Instance: "i-0001", Cluster: "prod", By: "o\n@h", Message: "a\x1bb"}.Say("cluster/prod", t0)},
			does + `; by o\n@h: a\u001bb`},
	} {
		k := hearing(t, Config{})
		for _, f := range x.heard {
			k.HearWord(f)
		}
		lookedForWords(k, t0, saidOf("i-0001"))
		lines := k.Next(t0).Batch.Lines
		i := slices.IndexFunc(lines, func(l journal.Line) bool { return l.Kind == "heard" })
		if i < 0 || lines[i].Text != x.want {
			t.Errorf("%s: lines %+v\nwant %s", name, lines, x.want)
		}
		if _, again := k.said.remarks["i-0001"]; again {
			t.Errorf("%s: it is kept for the next word", name)
		}
	}
	said := Remark{Instance: "i-0001", Cluster: "prod"}.Say("cluster/prod", t0)
	if !IsWord(said) || IsWord(journal.Forwarded{ID: "m-1"}) {
		t.Errorf("%q is not told from a message", said.ID)
	}
}

// A drain that is open hears of a changed word at once: its container instance is looked at again.
func TestAnOpenDrainHearsOfAWord(t *testing.T) {
	for id, want := range map[fleet.InstanceID]int{"i-0001": 1, "i-0009": 0} {
		k := newKernel(t, Config{})
		k.Hear(termination(1), t0)
		settle(k, cloud{fleet.Active}, t0)
		settle(k, cloud{fleet.Draining}, t0.Add(time.Second))
		k.HearWord(Remark{Instance: id, Cluster: "other"}.Say("cluster/prod", t0))
		n := 0
		for _, r := range k.Next(t0.Add(2 * time.Second)).Do {
			if r.Look != nil && (r.Look.Kind == plan.ContainerInstances || r.Look.Kind == plan.FindContainerInstances) {
				n++
			}
		}
		if n != want {
			t.Errorf("of %s: %d looks, want %d", id, n, want)
		}
	}
}

// Every cluster is looked at, and each once; who leaves already is left to its drain, and those after it are not forgotten.
func TestEveryClusterIsLookedAtForWords(t *testing.T) {
	p := drain.Defaults()
	k := hearing(t, Config{Groups: []Managed{
		{Match: "web", Cluster: "prod", Policy: p}, {Match: "api", Cluster: "prod", Policy: p}, {Match: "db", Cluster: "data", Policy: p}, {Match: "x", Policy: p},
	}})
	k.HearWord(Remark{Instance: "i-1", Cluster: "a"}.Say("group/x", t0))
	k.HearWord(Remark{Instance: "i-2", Cluster: "b"}.Say("group/x", t0))
	if n := lookedForWords(k, t0); n != 4 {
		t.Errorf("%d looks, want prod, data, a and b", n)
	}
	k = hearing(t, Config{})
	k.Hear(termination(1), t0)
	k.Next(t0)
	k.said.now["prod"] = "cluster/prod"
	lookedForWords(k, t0, saidOf("i-0001"), saidOf("i-0002"))
	k.Next(t0)
	if e := k.open[fleet.HostTarget("i-0001")]; e == nil || e.d.Hook != "ebb-drain" || k.open[fleet.HostTarget("i-0002")] == nil || k.Open() != 2 {
		t.Errorf("%d open, the first %+v", k.Open(), e)
	}
}

// A drain that an operator asks for goes as the group of the instance is configured, whose scope need not be that of the cluster.
func TestTheGroupOfAnOperatorsDrain(t *testing.T) {
	p := drain.Defaults()
	p.DaemonGrace = time.Hour
	for name, x := range map[string]struct {
		man   Managed
		group string // of the instance, as a sweep saw it
		want  string
		scope string
		grace time.Duration
	}{
		"of the cluster":     {Managed{Match: "web", Cluster: "prod", Policy: p}, "web", "web", "cluster/prod", time.Hour},
		"of none":            {Managed{Match: "web", Cluster: "prod", Policy: p}, "", "", "cluster/prod", drain.Defaults().DaemonGrace},
		"of one not managed": {Managed{Match: "web", Cluster: "prod", Policy: p}, "db", "", "cluster/prod", drain.Defaults().DaemonGrace},
		"of another scope":   {Managed{Match: "db", Policy: p}, "db", "db", "group/db", time.Hour},
	} {
		k := hearing(t, Config{Skew: 7 * time.Second, Groups: []Managed{x.man, {Match: "other", Cluster: "prod", Policy: p}}})
		if x.group != "" {
			k.groupOf[fleet.HostTarget("i-0001")] = x.group
		}
		lookedForWords(k, t0, saidOf("i-0001"))
		k.Next(t0)
		e := k.open[fleet.HostTarget("i-0001")]
		if e == nil || e.d.Group != x.want || e.scope != x.scope || e.man.Policy.DaemonGrace != x.grace || e.man.Policy.Skew != 7*time.Second {
			t.Errorf("%s: %+v", name, e)
		}
	}
}

// What stands on an instance of a group for which another Ebb works is for that Ebb, which may not look into the cluster by itself.
func TestAWordOnAnInstanceOfAnotherEbbsGroup(t *testing.T) {
	p := drain.Defaults()
	groups := []Managed{{Match: "web", Policy: p}, {Match: "db", Cluster: "prod", Policy: p}}
	k := newKernel(t, Config{Groups: groups, Held: map[string]journal.Lease{"cluster/prod": {}}})
	for _, r := range k.Next(t0).Do {
		if r.Look != nil && r.Look.Kind == plan.Groups {
			if asked := r.Look.Subjects; len(asked) != 2 || asked[0].ID != "web" || asked[1].ID != "db" {
				t.Errorf("the sweep asks for %v", asked)
			}
			k.Did(plan.Done{Request: r, Started: t0, Result: plan.LookResult{View: plan.View{Groups: []fleet.Group{
				{Name: "web", Instances: []fleet.GroupInstance{{ID: "i-0001", State: fleet.InService}}},
				{Name: "db", Instances: []fleet.GroupInstance{{ID: "i-0002", State: fleet.InService}}},
			}}}}, t0)
		}
	}
	clear(k.said.looked)
	lookedForWords(k, t0, saidOf("i-0001"), saidOf("i-0002"))
	out := k.Next(t0)
	if k.Open() != 1 || k.open[fleet.HostTarget("i-0002")] == nil {
		t.Errorf("%d open", k.Open())
	}
	if len(out.Batch.Forwarded) != 1 || out.Batch.Forwarded[0].Scope != "group/web" {
		t.Fatalf("forwarded %+v", out.Batch.Forwarded)
	}
	theirs := newKernel(t, Config{Groups: groups, Held: map[string]journal.Lease{"group/web": {}}})
	theirs.swept, theirs.groupOf[fleet.HostTarget("i-0001")] = t0, "web"
	theirs.HearWord(Remark{Instance: "i-0001", Cluster: "prod", By: "o@h", Message: "disk errors"}.Say("group/web", t0))
	theirs.HearWord(out.Batch.Forwarded[0])
	lookedForWords(theirs, t0, saidOf("i-0001"))
	lines := theirs.Next(t0).Batch.Lines
	if e := theirs.open[fleet.HostTarget("i-0001")]; e == nil || e.scope != "group/web" || e.d.Group != "web" {
		t.Errorf("opened %+v", e)
	}
	if len(lines) == 0 || !strings.Contains(lines[0].Text, "; by o@h: disk errors") {
		t.Errorf("lines %+v", lines)
	}
}

// From when a hook holds the instance, its group's configuration counts, and the time of the termination as far as it can be believed.
func TestWhatAHookBringsToAnOperatorsDrain(t *testing.T) {
	for name, x := range map[string]struct {
		said  time.Time // in the message
		now   time.Time
		zero  time.Time
		doubt bool
	}{
		"now":            {minute(1), minute(1), minute(1), false},
		"a moment ago":   {minute(1).Add(-doubtful), minute(1), minute(1).Add(-doubtful), false},
		"long ago":       {minute(1).Add(-doubtful - 1), minute(1), minute(1).Add(-doubtful - 1), true},
		"in the future":  {minute(2), minute(1), minute(1), false},
		"without a time": {time.Time{}, minute(1), minute(1), false},
	} {
		for _, onePass := range []bool{false, true} {
			cfg := budgeted(MaxUnavailable{Count: 1})
			cfg.Groups[0].Policy.DaemonGrace, cfg.Skew, cfg.OnePass = time.Hour, 7*time.Second, onePass
			cfg.Hook = "ebb-drain"
			k, err := New(cfg, []journal.Record{ByWord(saidOf("i-0001"), t0)}, nil)
			if err != nil {
				t.Fatal(err)
			}
			k.Next(t0)
			k.swept = x.now
			h := termination(1)
			h.Event.Time, h.Sent = x.said, x.said
			k.Hear(h, x.now)
			e := k.open[fleet.HostTarget("i-0001")]
			if !e.d.Zero.Equal(x.zero) || e.d.Doubt != x.doubt || !e.few || e.man.Policy.DaemonGrace != time.Hour || e.man.Policy.Skew != 7*time.Second ||
				(e.man.Policy.Tick == Tick) != onePass {
				t.Errorf("%s: %+v, policy %+v, few %t", name, e.d, e.man.Policy, e.few)
			}
			if recs := k.Next(x.now).Batch.Records; !slices.ContainsFunc(recs, func(r journal.Record) bool { return r.Key == e.d.Key }) {
				t.Errorf("%s: it is not written", name)
			}
		}
	}
}

// A message about an instance that an operator lets leave is taken in: its hook takes over, or the next sweep says whether it may.
func TestAMessageAboutAnOperatorsDrain(t *testing.T) {
	for name, x := range map[string]struct {
		set  func(*Kernel)
		hook string
		why  string
	}{
		"after a sweep": {func(k *Kernel) { k.swept = minute(1) }, "ebb-drain",
			"a drain that was open already, which Auto Scaling's hook holds from now on"},
		"before one": {func(k *Kernel) { k.swept = time.Time{} }, "", "a drain without a hook goes on; whether its hook is Ebb's to answer the next sweep says"},
		"of what is spared": {func(k *Kernel) { k.swept, k.excluded["web"] = minute(1), true }, "",
			"a drain without a hook goes on; whether its hook is Ebb's to answer the next sweep says"},
	} {
		k := hearing(t, Config{})
		lookedForWords(k, t0, saidOf("i-0001"))
		k.Next(t0)
		x.set(k)
		k.Hear(termination(1), minute(1))
		settled := k.Next(minute(1)).Settle
		if got := k.open[fleet.HostTarget("i-0001")].d.Hook; got != x.hook || len(settled) != 1 || !settled[0].Delete || settled[0].Why != x.why {
			t.Errorf("%s: hook %q, verdicts %+v", name, got, settled)
		}
	}
}
