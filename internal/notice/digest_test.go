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

// of is a drain of the nth instance of a group that began at a time and, if it has an outcome, ended so much later.
func of(group string, n int, began time.Time, took time.Duration, outcome drain.Outcome, cut ...string) drain.Drain {
	id := fmt.Sprint("i-", n)
	d := drain.Drain{Key: group + "/" + id + "/t", Target: fleet.HostTarget(fleet.InstanceID(id)), Heard: began, Zero: began, Hold: drain.Hold{Group: group}}
	if outcome != "" {
		d.Ended = began.Add(took)
		d.Final = &drain.Answer{At: d.Ended, Outcome: outcome, CutOff: cut}
	}
	return d
}

func watched(d drain.Drain) drain.Drain { d.Observed = true; return d }

// What a digest says.
func TestDigest(t *testing.T) {
	const fromTo = "\nFrom 2026-11-27 09:00 UTC to 2026-11-28 09:00 UTC:\n"
	yesterday := t0.Add(-20 * time.Hour)
	for _, tt := range []struct {
		name string
		day  Day
		want string
	}{
		{"a quiet day", Day{}, "Digest: no instance left from 2026-11-27 09:00 UTC to 2026-11-28 09:00 UTC\n"},
		{"drains that ended", Day{Ended: []drain.Drain{
			of("web", 1, yesterday, time.Minute, drain.Drained), of("web", 2, yesterday, 90*time.Second, drain.Drained),
			of("web", 3, yesterday, 30*time.Minute, drain.Forced, "api", "batch"), of("api", 4, yesterday, time.Minute, drain.Elsewhere),
		}}, "Digest of 2026-11-28: 4 drains ended, 0 open" + fromTo + "drained: 2\nforced: 1, with 2 tasks cut off\nended-elsewhere: 1\n" +
			"The longest took 30m0s: i-3 of web, forced."},
		{"one drain", Day{Ended: []drain.Drain{of("web", 1, yesterday, time.Minute, drain.Lost, "api")}},
			"Digest of 2026-11-28: 1 drain ended, 0 open" + fromTo + "lost: 1, with 1 task cut off\nThe longest took 1m0s: i-1 of web, lost."},
		{"drains that are open", Day{Open: []drain.Drain{of("web", 1, t0.Add(-time.Minute), 0, ""), of("web", 2, yesterday, 0, "")},
			Stuck: map[string][]string{"web/i-2/t": {"sigterm", "daemon"}, "web/i-9/t": {"sigterm"}}},
			"Digest of 2026-11-28: 0 drains ended, 2 open" + fromTo + "People were told what kept drains: sigterm 2, daemon 1.\n" +
				"Open: i-2 of web, since 2026-11-27 13:00 UTC, kept by sigterm, daemon.\nOpen: i-1 of web, since 2026-11-28 08:59 UTC."},
		{"groups that are left alone", Day{Ended: []drain.Drain{
			of("api", 1, yesterday, 0, drain.Excluded), of("web", 2, yesterday, 0, drain.Excluded), of("web", 3, yesterday, 0, drain.Excluded),
			watched(of("db", 4, yesterday, time.Hour, drain.Forced, "x")),
		}, Open: []drain.Drain{watched(of("db", 5, yesterday, 0, ""))}, Pauses: []string{"cluster/prod is paused by ops", "cluster/dev is paused by me"}},
			"Digest of 2026-11-28: 0 drains ended, 0 open" + fromTo + "Left alone, because their groups are excluded: web 2, api 1.\n" +
				"Only observed: db 2.\ncluster/prod is paused by ops; cluster/dev is paused by me."},
		{"what is missing", Day{SetAside: 2, More: true}, "Digest of 2026-11-28: 0 drains ended, 0 open" + fromTo +
			"The journal refused something for good: 2 times; see ebb status.\nThere was more than is counted here: see ebb history."},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.day.Since, tt.day.Until = t0.Add(-24*time.Hour), t0
			n := Route{Name: "r", Digest: "09:00"}.About(tt.day)
			if d := cmp.Diff(tt.want, n.Title+"\n"+n.Text); d != "" {
				t.Error(d)
			}
			if n.Key != "digest/2026-11-28/r" || n.Event != Digest || !n.At.Equal(t0) || n.Warning() || !n.Last() {
				t.Errorf("%+v", n)
			}
		})
	}
}

// A digest tells of the groups of its route only.
func TestADigestOfSomeGroups(t *testing.T) {
	day := Day{
		Since: t0.Add(-24 * time.Hour), Until: t0,
		Ended: []drain.Drain{of("web", 1, t0, time.Minute, drain.Drained), of("db", 2, t0, time.Hour, drain.Lost)},
		Open:  []drain.Drain{of("db", 3, t0, 0, ""), of("web", 4, t0, 0, "")}, Stuck: map[string][]string{"db/i-3/t": {"daemon"}, "web/i-4/t": {"sigterm"}},
	}
	got := Route{Name: "r", Digest: "09:00", Groups: []string{"we*"}, Events: []Event{Forced}}.About(day)
	want := "From 2026-11-27 09:00 UTC to 2026-11-28 09:00 UTC:\ndrained: 1\nThe longest took 1m0s: i-1 of web, drained.\n" +
		"People were told what kept drains: sigterm 1.\nOpen: i-4 of web, since 2026-11-28 09:00 UTC, kept by sigterm."
	if d := cmp.Diff(want, got.Text); d != "" || len(day.Ended) != 2 || len(day.Open) != 2 || len(day.Stuck) != 2 {
		t.Error(d)
	}
}

// Whatever happened, a digest has no more than twenty lines, and none of them is long or has more in it than can be shown.
func TestADigestHasTwentyLines(t *testing.T) {
	day := Day{
		Since: t0.Add(-24 * time.Hour), Until: t0, Stuck: map[string][]string{}, SetAside: 1, More: true,
		Pauses: []string{strings.Repeat("p", 900)},
	}
	for n := range 500 {
		group := fmt.Sprintf("group-%s-%03d\x1b[31m", strings.Repeat("g", 200), n)
		outcomes := drain.Outcomes()
		day.Ended = append(day.Ended, of(group, n, t0, time.Minute, outcomes[n%len(outcomes)], "task"), watched(of(group, n, t0, time.Minute, drain.Drained)))
		d := of(group, n, t0.Add(time.Duration(-n)*time.Minute), 0, "")
		day.Open, day.Stuck[d.Key] = append(day.Open, d), []string{fmt.Sprint("code-", n)}
	}
	for open := range 12 {
		for _, outcomes := range []int{0, 1, 5, len(day.Ended)} {
			some := day
			some.Open, some.Ended = day.Open[:open*open], day.Ended[:outcomes]
			n := Route{Name: "r", Digest: "09:00"}.About(some)
			lines := strings.Split(n.Title+"\n"+n.Text, "\n")
			if len(lines) > 20 || open == 11 && len(lines) != 20 {
				t.Errorf("%d open, %d ended: %d lines:\n%s", open*open, outcomes, len(lines), n.Text)
			}
			if last := lines[len(lines)-1]; open == 11 && !strings.HasSuffix(last, " more are open.") {
				t.Errorf("it ends with %q", last)
			}
			for _, line := range lines {
				if len(line) > 170 || strings.Contains(line, "\x1b") {
					t.Errorf("%d: %q", len(line), line)
				}
			}
			if len(n.Text) > 2800 {
				t.Errorf("it has %d characters", len(n.Text))
			}
		}
	}
}

// A digest is due from a minute after its time, for half a day.
func TestDue(t *testing.T) {
	day := time.Date(2026, 11, 28, 0, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		digest string
		now    time.Duration // since midnight
		want   string
	}{
		{"", 9 * time.Hour, ""}, {"9", 9 * time.Hour, ""}, {"08:00", 8 * time.Hour, ""}, {"08:00", 8*time.Hour + 59*time.Second, ""},
		{"08:00", 8*time.Hour + time.Minute, "28 08:00"}, {"08:00", 20*time.Hour + 59*time.Second, "28 08:00"}, {"08:00", 20*time.Hour + time.Minute, ""},
		{"08:00", 0, ""}, {"23:59", 0, "27 23:59"}, {"23:59", -time.Second, ""}, {"23:59", 3 * time.Hour, "27 23:59"}, {"00:00", time.Minute, "28 00:00"},
		{"00:00", 59 * time.Second, ""}, {"13:30", time.Hour, "27 13:30"}, {"13:30", 2 * time.Hour, ""},
	} {
		for _, zone := range []*time.Location{time.UTC, time.FixedZone("", 5*3600+1800)} {
			got := ""
			if until, due := (Route{Digest: tt.digest}).Due(day.Add(tt.now).In(zone)); due {
				got = until.Format("02 15:04")
			}
			if got != tt.want {
				t.Errorf("%q at %s: due until %q, want %q", tt.digest, tt.now, got, tt.want)
			}
		}
	}
}

// A digest tells from where the one before ended, of at most two days, and its mark says that it was made.
func TestSince(t *testing.T) {
	r := Route{Name: "r", Digest: "09:00"}
	mark := func(name string, ago time.Duration) journal.Forwarded { return Route{Name: name}.Mark(t0.Add(-ago)) }
	for _, tt := range []struct {
		name  string
		marks []journal.Forwarded
		ago   time.Duration
		old   int
		made  bool
	}{
		{"the first one", nil, 24 * time.Hour, 0, false},
		{"others", []journal.Forwarded{mark("q", time.Hour), mark("rr", 0)}, 24 * time.Hour, 0, false},
		{"the day before", []journal.Forwarded{mark("r", 24*time.Hour), mark("q", 0)}, 24 * time.Hour, 1, false},
		{"another time of day", []journal.Forwarded{mark("r", 20*time.Hour)}, 20 * time.Hour, 1, false},
		{"two days before", []journal.Forwarded{mark("r", 47*time.Hour)}, 47 * time.Hour, 1, false},
		{"long before", []journal.Forwarded{mark("r", 100*time.Hour), mark("r", 80*time.Hour)}, 48 * time.Hour, 2, false},
		{"the newest counts", []journal.Forwarded{mark("r", 20*time.Hour), mark("r", 40*time.Hour)}, 20 * time.Hour, 2, false},
		{"made", []journal.Forwarded{mark("r", 24*time.Hour), mark("r", 0)}, 24 * time.Hour, 1, true},
		{"made under another time of day", []journal.Forwarded{mark("r", time.Hour)}, 24 * time.Hour, 0, true},
	} {
		since, old, made := r.Since(tt.marks, t0)
		if got := t0.Sub(since); got != tt.ago || len(old) != tt.old || made != tt.made {
			t.Errorf("%s: from %s before, %d old, made %t", tt.name, got, len(old), made)
		}
	}
}

// A digest takes the route that it was made for, whatever else that takes.
func TestADigestTakesItsRoute(t *testing.T) {
	for _, tt := range []struct {
		r    Route
		want bool
	}{
		{Route{}, false}, {Route{Digest: "09:00"}, true}, {Route{Digest: "09:00", Events: []Event{Forced}, Groups: []string{"db"}}, true},
		{Route{Events: []Event{Digest}}, false},
	} {
		if got := tt.r.Takes(Notice{Event: Digest}); got != tt.want {
			t.Errorf("%+v takes it: %t", tt.r, got)
		}
	}
	if (Route{Digest: "09:00", Events: []Event{Digest}}).Takes(Notice{Event: Done, Group: "web"}) {
		t.Error("a route for the digest only takes the end of a drain")
	}
}
