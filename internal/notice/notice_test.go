package notice

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/journal"
)

var t0 = time.Date(2026, 11, 28, 9, 0, 0, 0, time.UTC)

func leaving(set func(*drain.Drain)) *drain.Drain {
	d := &drain.Drain{
		Key: "web/i-1/abc", Target: fleet.HostTarget("i-1"), Heard: t0, Zero: t0, Hold: drain.Hold{Group: "web", Hook: "ebb-drain"},
		Host: drain.Host{Cluster: "prod"},
	}
	set(d)
	return d
}

func ends(outcome drain.Outcome, reason string, cut ...string) func(*drain.Drain) {
	return func(d *drain.Drain) {
		d.Ended = t0.Add(90 * time.Second)
		d.Final = &drain.Answer{At: d.Ended, Outcome: outcome, Reason: reason, CutOff: cut}
	}
}

// What people read about a drain.
func TestOf(t *testing.T) {
	many := make([]string, 23)
	for i := range many {
		many[i] = fmt.Sprint("task ", i)
	}
	for _, tt := range []struct {
		name  string
		set   func(*drain.Drain)
		first bool
		want  string
	}{
		{"it begins", func(*drain.Drain) {}, true, "started at 09:00:05: i-1 of web leaves. Auto Scaling terminates i-1. Ebb drains it, and completes its hook by " +
			"2026-11-28 09:30:00 UTC at the latest."},
		{"to the warm pool", func(d *drain.Drain) { d.WarmPool = true }, true, "started at 09:00:05: i-1 of web leaves. Auto Scaling returns i-1 to its warm " +
			"pool. Ebb drains it, and completes its hook by 2026-11-28 09:30:00 UTC at the latest."},
		{"it goes on", func(*drain.Drain) {}, false, ""},
		{"it ends", ends(drain.Drained, "all 3 tasks have stopped"), false, "done at 09:01:30: i-1 of web: drained after 1m30s. All 3 tasks have stopped."},
		{"it ends at once", ends(drain.NotLeaving, "the group says so."), true, "done at 09:01:30: i-1 of web: not-leaving after 1m30s. The group says so."},
		{"it is forced", ends(drain.Forced, "the deadline passed", "api", "batch"), false,
			"forced at 09:01:30: i-1 of web: tasks were cut off (forced) after 1m30s. The deadline passed. [api batch]"},
		{"a lost host", ends(drain.Lost, "", "api"), false, "forced at 09:01:30: i-1 of web: tasks were cut off (lost) after 1m30s.  [api]"},
		{"a lost host without tasks", ends(drain.Lost, "x"), false, "done at 09:01:30: i-1 of web: lost after 1m30s. X."},
		{"many", ends(drain.Forced, "x", many...), false, "forced at 09:01:30: i-1 of web: tasks were cut off (forced) after 1m30s. X. [" +
			strings.Join(many[:20], " ") + " and 3 more]"},
		{"only observed", func(d *drain.Drain) { d.Observed = true; ends(drain.Forced, "x", "api")(d) }, false, ""},
		{"only observed, at its begin", func(d *drain.Drain) { d.Observed = true }, true, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := ""
			for _, n := range Of(leaving(tt.set), tt.first, t0.Add(30*time.Minute), t0.Add(5*time.Second)) {
				got += fmt.Sprintf("%s at %s: %s. %s", n.Event, n.At.Format("15:04:05"), n.Title, n.Text)
				if len(n.CutOff) > 0 {
					got += fmt.Sprintf(" %v", n.CutOff)
				}
				if n.Key != "web/i-1/abc/"+string(n.Event) || n.Drain != "web/i-1/abc" || n.Cluster != "prod" || n.Group != "web" || n.Instance != "i-1" {
					t.Errorf("%+v", n)
				}
				if n.Warning() != (n.Event == Forced) || n.Last() != (n.Event != Started) {
					t.Errorf("%s: warning %t, last %t", n.Event, n.Warning(), n.Last())
				}
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestIsStuck(t *testing.T) {
	d := leaving(func(*drain.Drain) {})
	n := IsStuck(d, Blocker{"sigterm", "its tasks ignore SIGTERM", "aws ecs stop-task"}, t0)
	want := Notice{
		Key: "web/i-1/abc/stuck-sigterm", Event: Stuck, At: t0, Drain: "web/i-1/abc", Cluster: "prod", Group: "web", Instance: "i-1", Blocker: "sigterm",
		Title: "i-1 of web does not leave: sigterm", Text: "Its tasks ignore SIGTERM.", Fix: "aws ecs stop-task",
	}
	if d := cmp.Diff(want, n); d != "" || !n.Warning() || n.Last() {
		t.Error(d)
	}
}

func TestIsLetGo(t *testing.T) {
	n, tell := IsLetGo(leaving(func(*drain.Drain) {}), "it is too large\x1b", t0)
	want := Notice{
		Key: "web/i-1/abc/let-go", Event: LetGo, At: t0, Drain: "web/i-1/abc", Cluster: "prod", Group: "web", Instance: "i-1",
		Title: "i-1 of web is let go: Ebb does nothing more about it",
		Text: "The journal takes no record of this drain. Its hook runs out, and what still runs is cut off then, unless somebody drains the instance " +
			`and answers the hook. The journal says: It is too large\u001b.`,
	}
	if d := cmp.Diff(want, n); d != "" || !n.Warning() || !n.Last() || !tell {
		t.Error(d)
	}
	if _, tell := IsLetGo(leaving(func(d *drain.Drain) { d.Observed = true }), "", t0); tell {
		t.Error("people are told of a drain that is only observed")
	}
}

// What is from outside is cleaned and bounded before it is kept.
func TestWhatIsFromOutsideIsCleaned(t *testing.T) {
	d := leaving(ends(drain.Forced, strings.Repeat("x", 9000)+"\x1b[31m", "task\u202e"+strings.Repeat("y", 900)))
	d.Group, d.Cluster = "web\x1b[2J", strings.Repeat("p", 900)
	n := Of(d, false, t0, t0)[0]
	for _, s := range append(n.CutOff, n.Group, n.Cluster, n.Title, n.Text) {
		if strings.ContainsAny(s, "\x1b\u202e") || len(s) > 1000 {
			t.Errorf("%d: %q", len(s), s)
		}
	}
}

func TestRoutes(t *testing.T) {
	n := Of(leaving(ends(drain.Forced, "x")), false, t0, t0)[0]
	for _, tt := range []struct {
		r    Route
		want bool
	}{
		{Route{}, true}, {Route{Events: []Event{Forced}}, true}, {Route{Events: []Event{Started, Done}}, false}, {Route{Groups: []string{"api", "we*"}}, true},
		{Route{Groups: []string{"api"}}, false}, {Route{Events: []Event{Done}, Groups: []string{"web"}}, false},
	} {
		if got := tt.r.Takes(n); got != tt.want {
			t.Errorf("%+v takes it: %t", tt.r, got)
		}
	}
}

// What is put into the outbox is read again, for each route that takes it; what is not whole is an error.
func TestPutAndRead(t *testing.T) {
	n := Of(leaving(ends(drain.Forced, "x", "api")), false, t0, t0)[0]
	all := Put(n, "cluster/prod", []Route{{Name: "a"}, {Name: "b", Events: []Event{Started}}, {Name: "c"}})
	var routes []string
	for _, f := range all {
		route, got, err := Read(f)
		if d := cmp.Diff(n, got); d != "" || err != nil {
			t.Errorf("%v %s", err, d)
		}
		routes = append(routes, route)
		if f.Scope != "outbox/cluster/prod" || !IsOutbox(f.Scope) || Drain(f) != "web/i-1/abc" || !f.Sent.Equal(n.At) {
			t.Errorf("%+v of drain %s", f, Drain(f))
		}
		if m := Message(f, n); m.Scope != Messages("cluster/prod") || m.ID != route+"|web/i-1/abc" || IsOutbox(m.Scope) {
			t.Errorf("its message is kept in %+v", m)
		}
	}
	if d := cmp.Diff([]string{"a", "c"}, routes); d != "" {
		t.Error(d)
	}
	if key := Drain(journal.Forwarded{Scope: "cluster/prod", ID: "a|b/c"}); key != "" {
		t.Errorf("another message is about drain %s", key)
	}
	for _, f := range []journal.Forwarded{
		{Scope: "outbox/x", ID: "a|k", Body: "garbage"}, {Scope: "outbox/x", ID: "k", Body: `{"key":"k"}`}, {Scope: "outbox/x", ID: "a|other", Body: `{"key":"k"}`},
		{Scope: "outbox/x", ID: "a|k", Body: `{}`},
	} {
		if _, _, err := Read(f); err == nil || !strings.HasPrefix(err.Error(), "read notice "+f.ID+" of outbox/x in the journal: ") {
			t.Errorf("%+v: %v", f, err)
		}
	}
}
