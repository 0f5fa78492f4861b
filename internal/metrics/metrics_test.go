package metrics

import (
	"errors"
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/ebbhq/ebb/internal/engine"
	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/plan"
)

var update = flag.Bool("update", false, "write docs/reference/metrics.md anew")

const page = "../../docs/reference/metrics.md"

func TestPage(t *testing.T) {
	if *update {
		if err := os.WriteFile(page, []byte(written()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(page)
	if err != nil || string(text) != written() {
		t.Errorf("docs/reference/metrics.md is stale (%v); run: go test ./internal/metrics -run TestPage -update", err)
	}
}

// ended is a batch in which a drain of seven minutes has ended.
func ended() journal.Batch {
	body := `{"v":1,"kind":"host","instance":"i-0","group":"web","scope":"x","zero":"2026-11-21T09:00:00Z","ended":"2026-11-21T09:07:00Z",` +
		`"final":{"at":"2026-11-21T09:07:00Z","outcome":"forced","reason":"the deadline is over"}}`
	return journal.Batch{Records: []journal.Record{{Key: "host:web/i-0/1", Scope: "cluster/prod", Rev: 2, Body: []byte(body)}}}
}

// filled is a meter that was told something of everything, by a clock that stands still.
func filled(t *testing.T) (*Meter, *time.Time) {
	t.Helper()
	now := time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)
	m := New("v1.2.3", func() time.Time { return now })
	body := ended().Records[0].Body
	m.Wrote(journal.Batch{
		Records: []journal.Record{
			{Key: "host:web/i-0/1", Scope: "cluster/prod", Rev: 2, Body: body},
			{Key: "host:web/i-0/1", Scope: "cluster/prod", Rev: 1, Open: true, Body: body}, // has not ended
			{Key: "task/prod/0123/1", Scope: "cluster/prod", Rev: 2, Body: []byte(`{"kind":"task","task":"arn:aws:ecs:eu-west-1:111122223333:task/prod/0123",` +
				`"zero":"2026-11-21T09:00:00Z","ended":"2026-11-21T09:00:02Z","first":"ecs","final":{"outcome":"drained"}}`)},
			{Key: "pause", Scope: "cluster/prod", Body: []byte(`{"v":1,"kind":"pause"}`)}, // is no drain
		},
		Lines: []journal.Line{
			{Kind: "stuck", Data: []byte(`{"code":"protected-task"}`)}, {Kind: journal.SetAside}, {Kind: "ended"},
			{Kind: "desired-count", Data: []byte(`{"raised":4,"for":"spot"}`)}, {Kind: "desired-count", Data: []byte(`{"raised":-4,"for":"spot"}`)},
			{Kind: "desired-count"},
		},
	})
	m.Called("ECS", "ListTasks", plan.OK)
	m.Called("ECS", "ListTasks", plan.Throttled)
	m.Told("slack", engine.Sent)
	m.Told("pager", engine.Failed)
	m.Waiting(map[string]int{"gone": 4})
	m.Waiting(map[string]int{"pager": 2})
	m.JournalFailed()
	m.Turned(engine.Facts{Loaded: true, Leases: 9, Open: map[string]int{"cluster/old": 1}})
	m.Turned(engine.Facts{Loaded: true, Leases: 2, Open: map[string]int{"cluster/prod": 3}, Oldest: 90 * time.Second})
	return m, &now
}

func get(t *testing.T, m *Meter, path string) (int, string) {
	t.Helper()
	s := httptest.NewServer(m.Handler())
	defer s.Close()
	r, err := http.Get(s.URL + path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, string(text)
}

// What was told is what Prometheus reads; every row of the table is filled, and its linter finds nothing.
func TestMetrics(t *testing.T) {
	m, _ := filled(t)
	_, text := get(t, m, "/metrics")
	want := []string{
		`ebb_aws_calls_total{operation="ListTasks",outcome="ok",service="ECS"} 1`,
		`ebb_aws_calls_total{operation="ListTasks",outcome="throttled",service="ECS"} 1`,
		`ebb_blockers_total{code="protected-task"} 1`,
		`ebb_build_info{version="v1.2.3"} 1`,
		`ebb_drain_duration_seconds_bucket{outcome="forced",le="300"} 0`,
		`ebb_drain_duration_seconds_bucket{outcome="forced",le="600"} 1`,
		`ebb_drain_duration_seconds_sum{outcome="forced"} 420`,
		`ebb_drain_duration_seconds_count{outcome="forced"} 1`,
		`ebb_drain_duration_seconds_sum{outcome="drained"} 2`,
		`ebb_drain_duration_seconds_count{outcome="drained"} 1`,
		`ebb_drains_ended_total{outcome="drained"} 1`,
		`ebb_drains_ended_total{outcome="forced"} 1`,
		`ebb_spot_tasks_total{first="ecs"} 1`,
		`ebb_drains_in_progress{scope="cluster/prod"} 3`,
		`ebb_journal_failures_total 1`,
		`ebb_leases_held 2`,
		`ebb_notices_total{outcome="failed",route="pager"} 1`,
		`ebb_notices_total{outcome="sent",route="slack"} 1`,
		`ebb_notices_waiting{route="pager"} 2`,
		`ebb_oldest_hook_age_seconds 90`,
		`ebb_desired_count_raised_total{for="spot"} 4`,
		`ebb_set_aside_total 1`,
	}
	var got []string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if strings.Contains(line, "_bucket{") && !slices.Contains(want, line) || strings.HasPrefix(line, "#") {
			continue
		}
		got = append(got, line)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for _, row := range Table() {
		if !strings.Contains(text, "# TYPE "+row.Name+" "+row.Type+"\n") {
			t.Errorf("nothing fills %s", row.Name)
		}
	}
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil || len(problems) > 0 {
		t.Errorf("the linter of Prometheus finds %v %v", problems, err)
	}
}

func TestHealth(t *testing.T) {
	m, now := filled(t)
	fresh := New("", func() time.Time { return *now })
	for _, c := range []struct {
		name, path string
		facts      *engine.Facts // nil: no turn yet
		later      time.Duration
		status     int
		says       string
	}{
		{"starts", "/livez", nil, time.Minute, 200, "live"},
		{"starts", "/livez", nil, time.Minute + time.Second, 503, "has not turned for 1m1s; restart ebb serve"},
		{"turns", "/livez", &engine.Facts{}, time.Minute, 200, "live"},
		{"hangs", "/livez", &engine.Facts{Loaded: true, Leases: 1}, 2 * time.Minute, 503, "has not turned for 2m0s"},
		{"starts", "/readyz", nil, 0, 503, "the journal was not read yet"},
		{"reads again", "/readyz", &engine.Facts{}, 0, 503, "read again"},
		{"away", "/readyz", &engine.Facts{Loaded: true, Away: errors.New("secret")}, 0, 503, "who holds the leases"},
		{"stands by", "/readyz", &engine.Facts{Loaded: true}, 0, 200, "stands by"},
		{"works", "/readyz", &engine.Facts{Loaded: true, Leases: 2}, 0, 200, "works, with 2 of the leases"},
	} {
		began, of := *now, m
		if c.facts == nil {
			of = fresh
		} else {
			m.Turned(*c.facts)
		}
		*now = began.Add(c.later)
		status, text := get(t, of, c.path)
		if status != c.status || !strings.Contains(text, c.says) || strings.Contains(text, "secret") {
			t.Errorf("%s %s after %s: %d %q; want %d with %q", c.name, c.path, c.later, status, text, c.status, c.says)
		}
		*now = began
	}
}
