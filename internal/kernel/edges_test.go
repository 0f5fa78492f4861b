package kernel

import (
	"fmt"
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

// verdict hears one message and returns what becomes of it.
func verdict(t *testing.T, k *Kernel, h Heard, now time.Time) Verdict {
	t.Helper()
	k.Hear(h, now)
	o := k.Next(now)
	if len(o.Settle) != 1 {
		t.Fatalf("%d verdicts", len(o.Settle))
	}
	return o.Settle[0]
}

func TestWhatBecomesOfAMessage(t *testing.T) {
	note := Heard{Message: event.Message{ID: "m"}, Event: event.Event{Kind: event.Unknown}}
	for name, x := range map[string]struct {
		cfg   Config
		hear  func(h *Heard)
		del   bool
		why   string // in its reason
		count string // that has risen to 1
	}{
		"it begins a drain":        {Config{}, func(*Heard) {}, true, "", string(event.TerminateAction)},
		"another hook":             {Config{}, func(h *Heard) { h.Event.Hook = "logs" }, true, "hook logs of group web is not ours", "foreign"},
		"another group":            {Config{}, func(h *Heard) { h.Event.Group = "theirs" }, true, "group theirs is not managed here", "foreign"},
		"another group, left":      {Config{LeaveForeign: true}, func(h *Heard) { h.Event.Group = "theirs" }, false, "not managed here", "foreign"},
		"another group, forwarded": {Config{LeaveForeign: true}, func(h *Heard) { h.Event.Group, h.Noted = "theirs", true }, true, "not managed", "foreign"},
		"another Ebb's":            {Config{Held: map[string]journal.Lease{}}, func(*Heard) {}, true, "noted for the Ebb that works for cluster/prod", "noted"},
		"a test":                   {Config{}, func(h *Heard) { h.Event.Kind = event.TestNotification }, true, "of group web: its messages reach Ebb", ""},
		"not understood":           {Config{}, func(h *Heard) { *h = note; h.Receives = 4 }, false, "", ""},
		"for the fifth time":       {Config{}, func(h *Heard) { *h = note; h.Receives = 5 }, true, "", ""},
		"with a redrive policy":    {Config{Redrive: true}, func(h *Heard) { *h = note; h.Receives = 50 }, false, "", ""},
		"forwarded":                {Config{Redrive: true}, func(h *Heard) { *h = note; h.Noted = true }, true, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			k, h := newKernel(t, x.cfg), termination(1)
			x.hear(&h)
			v := verdict(t, k, h, t0)
			if v.Delete != x.del || !strings.Contains(v.Why, x.why) || x.why == "" && v.Why != "" {
				t.Errorf("got %+v", v)
			}
			if x.count != "" && k.Counts[x.count] != 1 {
				t.Errorf("counted %v, want one %s", k.Counts, x.count)
			}
		})
	}
	k := newKernel(t, Config{})
	k.Hear(Heard{Event: event.Event{Kind: event.TestNotification}}, t0)
	if o := k.Next(t0); len(o.Settle) != 0 {
		t.Errorf("a message without an id has the verdict %+v", o.Settle)
	}
}

func TestAMessageThatComesAgain(t *testing.T) {
	for name, x := range map[string]struct {
		had, comes string // tokens
		byID       bool   // already
		token      string
		doubt      bool
	}{
		"the same":                        {"a", "a", false, "a", false},
		"the first with a token":          {"", "a", false, "a", false},
		"one without a token":             {"a", "", false, "a", false},
		"another wait":                    {"a", "b", false, "a", true},
		"another wait, known by instance": {"a", "b", true, "a", false},
	} {
		k := newKernel(t, Config{})
		h := termination(1)
		h.Event.Token = x.had
		k.Hear(h, t0)
		e := k.open[fleet.HostTarget("i-0001")]
		e.d.ByID = x.byID
		h.Event.Token = x.comes
		k.Hear(h, t0)
		if e.d.Token != x.token || e.d.Doubt != x.doubt || e.d.ByID != (x.doubt || x.byID) || k.Counts["duplicate"] != 1 {
			t.Errorf("%s: token %q, doubt %t, by id %t, counted %v", name, e.d.Token, e.d.Doubt, e.d.ByID, k.Counts)
		}
		for _, v := range k.Next(t0).Settle[1:] {
			if !v.Delete || v.Why != "already draining" || v.Drain != e.d.Key {
				t.Errorf("%s: %+v", name, v)
			}
		}
	}
}

func TestFromWhenADrainCounts(t *testing.T) {
	ago := func(d time.Duration) time.Time { return t0.Add(-d) }
	for name, x := range map[string]struct {
		said, sent time.Time
		zero       time.Time
		doubt      bool
	}{
		"as the message says":         {ago(time.Minute), ago(time.Second), ago(time.Minute), false},
		"from when it was sent":       {time.Time{}, ago(time.Second), ago(time.Second), false},
		"from now":                    {time.Time{}, time.Time{}, t0, false},
		"AWS's clock is ahead":        {ago(-time.Minute), ago(0), t0, false},
		"two minutes are believed":    {ago(2 * time.Minute), ago(0), ago(2 * time.Minute), false},
		"more than that is looked up": {ago(2*time.Minute + 1), ago(0), ago(2*time.Minute + 1), true},
	} {
		k, h := newKernel(t, Config{}), termination(1)
		h.Event.Time, h.Sent = x.said, x.sent
		k.Hear(h, t0)
		d := k.open[fleet.HostTarget("i-0001")].d
		if !d.Zero.Equal(x.zero) || d.Doubt != x.doubt || !d.Heard.Equal(t0) || d.Cluster != "prod" {
			t.Errorf("%s: zero %s, doubt %t, heard %s, cluster %q", name, d.Zero, d.Doubt, d.Heard, d.Cluster)
		}
	}
	for _, x := range []struct {
		d    drain.Drain
		want string
	}{
		{drain.Drain{}, "Auto Scaling terminates i-1 of group web"},
		{drain.Drain{Hold: drain.Hold{WarmPool: true}}, "Auto Scaling returns i-1 of group web to its warm pool"},
		{drain.Drain{Hold: drain.Hold{Adopted: true}}, "found i-1 of group web waiting in its hook; no message was heard"},
	} {
		k := newKernel(t, Config{})
		x.d.Target, x.d.Group = fleet.HostTarget("i-1"), "web"
		k.begin(x.d, k.cfg.Groups[0], t0)
		if got := k.lines[0]; got.Kind != "heard" || got.Text != x.want || got.Key != "web/i-1/t20261121T090000" {
			t.Errorf("got %+v, want %s", got, x.want)
		}
	}
}

func TestHowManyRequestsMayBeUnderWay(t *testing.T) {
	for p, want := range map[plan.Priority]int{plan.Urgent: 32, plan.Answering: 32, plan.Answering + 1: 16, plan.Looking: 12} {
		k := newKernel(t, Config{})
		n := 0
		for ; k.room(p) && n < 100; n++ {
			k.request(plan.Request{})
		}
		if n != want || len(k.flying) != want {
			t.Errorf("priority %d: %d are, %d are known; want %d", p, n, len(k.flying), want)
		}
	}
	k := newKernel(t, Config{InFlight: 1})
	if !k.room(plan.Looking) {
		t.Error("where one may be under way, none may look")
	}
}

func set(cluster string, instances ...fleet.ARN) plan.Action {
	return plan.Action{Kind: plan.SetDraining, State: &plan.StateChange{Cluster: cluster, ContainerInstances: instances}}
}

func TestSettingDrainingIsGathered(t *testing.T) {
	k := newKernel(t, Config{})
	full := set("prod", slices.Repeat([]fleet.ARN{"a"}, plan.SetDraining.Spec().Batch)...)
	for i, x := range []struct {
		after time.Duration
		a     plan.Action
		want  bool
	}{
		{0, set("prod", "a"), true}, {spacing - 1, set("prod", "a"), false}, {spacing - 1, set("test", "a"), true}, {spacing, set("prod", "a"), true},
		{spacing + 1, set("prod", "a"), false}, {spacing + 1, full, true}, {spacing + 1, plan.Action{Kind: plan.Beat}, true},
	} {
		if got := k.gathered(x.a, t0.Add(x.after)); got != x.want {
			t.Errorf("%d: after %s %t", i, x.after, got)
		}
	}
	k.cfg.OnePass = true
	if !k.gathered(set("prod", "a"), t0.Add(spacing+2)) {
		t.Error("a pass waits for others")
	}
}

func TestContainerInstancesOfOneClusterShareACall(t *testing.T) {
	var acts []batch
	most := plan.SetDraining.Spec().Batch
	for i := range most + 2 {
		acts = append(acts, batch{set("prod", fleet.ARN(fmt.Sprint(i))), []*entry{{}}})
	}
	beat := &entry{d: drain.Drain{Key: "k"}}
	acts = append(acts, batch{set("test", "x"), []*entry{{}}}, batch{plan.Action{Kind: plan.Beat}, []*entry{beat}})
	var got []string
	for _, b := range batchActions(acts) {
		n := 0
		if b.action.State != nil {
			n = len(b.action.State.ContainerInstances)
		}
		got = append(got, fmt.Sprintf("%s %d of %d %s", b.action.Kind, n, len(b.entries), b.action.Drain))
	}
	want := []string{fmt.Sprintf("set-draining %d of %d ", most, most), "set-draining 2 of 2 ", "set-draining 1 of 1 ", "heartbeat 0 of 1 k"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestWhenAWholeClusterIsListed(t *testing.T) {
	for _, x := range []struct {
		running, pending, hosts int
		cheaper                 bool
	}{{0, 0, 3, false}, {0, 0, 4, true}, {99, 0, 4, true}, {100, 0, 6, false}, {100, 0, 7, true}, {50, 50, 6, false}, {50, 50, 7, true}} {
		if got := cheaper(fleet.Cluster{Running: x.running, Pending: x.pending}, x.hosts); got != x.cheaper {
			t.Errorf("%+v: %t", x, got)
		}
	}
	arns := []fleet.ARN{"a"}
	for i, x := range []struct {
		l    listing
		want bool
	}{
		{listing{}, true}, {listing{page: 1}, false}, {listing{listed: true}, false}, {listing{listed: true, homeless: arns}, true},
		{listing{homeless: arns, page: 1}, false}, {listing{listed: true, page: 1}, false},
	} {
		if got := x.l.stalled(); got != x.want {
			t.Errorf("%d: stalled is %t", i, got)
		}
	}
	subjects := make([]plan.Subject, 20)
	most := 2*20 + plan.ListPages
	for i, x := range []struct {
		l    listing
		want bool
	}{
		{listing{subjects: subjects, calls: most, restarts: listingRestarts, failures: failures{fails: listingFails - 1}}, false},
		{listing{subjects: subjects, calls: most + 1}, true}, {listing{subjects: subjects, restarts: listingRestarts + 1}, true},
		{listing{subjects: subjects, failures: failures{fails: listingFails}}, true},
	} {
		if got := x.l.hopeless(); got != x.want {
			t.Errorf("%d: hopeless is %t", i, got)
		}
	}
	var l listing
	for i, x := range []struct{ started, fails int }{{0, 1}, {0, 1}, {1, 1}, {3, 2}, {5, 3}} { // seconds; each fails a second after its start
		l.failed(t0.Add(time.Duration(x.started)*time.Second), t0.Add(time.Duration(x.started+1)*time.Second))
		if l.fails != x.fails {
			t.Errorf("%d: %d failures in a row, want %d", i, l.fails, x.fails)
		}
	}
}
