package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/config"
	"github.com/ebbhq/ebb/internal/diagnose"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/journal/memory"
)

// TestWhyWithConfigurationKnowsWhatStatusKnows: who works, how many may leave at once, whose turn it is, and when Ebb lets go of what is left.
// Without that, why tells people to set a host DRAINING that waits for its turn.
func TestWhyWithConfigurationKnowsWhatStatusKnows(t *testing.T) {
	now := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	at := func(minutes int) string { return now.Add(time.Duration(minutes) * time.Minute).Format(time.RFC3339) }
	idle := diagnose.Ebb{Manages: true, Works: true, Who: "host/7", Seen: now.Add(-10 * time.Second), Cluster: "prod",
		Grace: 2 * time.Minute, Lost: 5 * time.Minute}
	working := func(edit func(*diagnose.Ebb)) diagnose.Ebb {
		e := idle
		e.Open, e.Waiting, e.Deadline = true, "for 2 tasks", now.Add(20*time.Minute)
		edit(&e)
		return e
	}
	for _, c := range []struct {
		name     string
		group    string // of the configuration, beside its name and cluster
		record   string // of the drain, beside what names it; empty: there is none
		lastSeen time.Duration
		want     diagnose.Ebb
	}{
		{"it leaves", "", `"admitted":true`, 10 * time.Second, working(func(*diagnose.Ebb) {})},
		{"two may leave", "max_unavailable: 2", `"admitted":true`, 10 * time.Second, working(func(e *diagnose.Ebb) { e.Limit = "2" })},
		{"a fifth may leave", "max_unavailable: 20%", `"admitted":true`, 10 * time.Second, working(func(e *diagnose.Ebb) { e.Limit = "20%" })},
		{"it waits for its turn", "max_unavailable: 1", fmt.Sprintf(`"queued":%q`, at(-9)), 10 * time.Second, working(func(e *diagnose.Ebb) {
			e.Limit, e.Queued, e.Deadline = "1", true, time.Time{}
		})},
		{"its turn came", "max_unavailable: 1", fmt.Sprintf(`"queued":%q,"turn":%q`, at(-9), at(-4)), 10 * time.Second, working(func(e *diagnose.Ebb) {
			e.Limit, e.Begun, e.Deadline = "1", now.Add(-4*time.Minute), now.Add(26*time.Minute) // the deadline counts from it
		})},
		{"no Ebb was seen for long", "", `"admitted":true`, time.Hour, working(func(e *diagnose.Ebb) { e.Works, e.Seen = false, now.Add(-time.Hour) })},
		{"a function was seen a minute ago", "", `"admitted":true`, time.Minute, working(func(e *diagnose.Ebb) { e.Seen = now.Add(-time.Minute) })},
		{"ECS does not reach it, and only daemons are left", "", fmt.Sprintf(`"unreached_from":%q,"empty_since":%q`, at(-2), at(-3)), 10 * time.Second,
			working(func(e *diagnose.Ebb) { e.Unreached, e.Empty = now.Add(-2*time.Minute), now.Add(-3*time.Minute) })},
		{"it is only watched", "mode: observe", `"observed":true`, 10 * time.Second, func() diagnose.Ebb {
			e := idle
			e.Manages = false
			return e
		}()},
		{"it has ended", "", fmt.Sprintf(`"ended":%q,"final":{"at":%[1]q,"outcome":"drained"}`, at(-1)), 10 * time.Second, idle},
		{"it has no drain", "", "", 10 * time.Second, idle},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "ebb.yaml")
			must(t, os.WriteFile(file, []byte("groups:\n  - match: web\n    cluster: prod\n    deadline: 30m\n    "+c.group+"\n"), 0o600))
			cfg, err := config.Load(file, func(string) string { return "" }, map[string]string{"region": "eu-west-1"})
			must(t, err)
			const id = "i-0123456789abcdef0"
			store := memory.New()
			must(t, store.Claim(t.Context(), journal.Lease{}, journal.Lease{Scope: "cluster/prod", Holder: "host/7", Fence: 1, Beat: 1, At: now.Add(-c.lastSeen)}))
			if c.record != "" {
				body := fmt.Sprintf(`{"key":"web/%[1]s/a","instance":"%[1]s","group":"web","hook":"ebb-drain","heard":%[2]q,"zero":%[2]q,`+
					`"waiting":"for 2 tasks",%[3]s}`, id, at(-10), c.record)
				must(t, store.Write(t.Context(), journal.Batch{Records: []journal.Record{
					{Key: "web/" + id + "/a", Scope: "cluster/prod", Rev: 1, Open: c.name != "it has ended", Body: []byte(body)},
				}}))
			}
			g := &inventory.Group{}
			g.Name, g.Instances = "web", []fleet.GroupInstance{{ID: id, Group: "web", State: fleet.TerminatingWait}}
			g.Hooks = []fleet.Hook{{Name: "ebb-drain", Group: "web", Heartbeat: time.Hour, Global: 48 * time.Hour}}
			seen := &inventory.Inventory{Groups: []*inventory.Group{g}}
			q := diagnose.Question{Target: id, Now: now}
			_, err = askJournal(t.Context(), store, nil, cfg, seen, &q)
			must(t, err)
			if q.Ebb == nil || *q.Ebb != c.want {
				t.Errorf("got  %+v\nwant %+v", q.Ebb, c.want)
			}
		})
	}
}
