package story

import (
	"strings"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// TestJudgeTellsEbbsApart: with several Ebbs at work, each answers for itself. What one has looked at, and how long one has been there,
// says nothing of another.
func TestJudgeTellsEbbsApart(t *testing.T) {
	start := time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)
	entry := func(minutes int, kind core.EntryKind, by, to string) core.Entry {
		return core.Entry{At: start.Add(time.Duration(minutes) * time.Minute), Kind: kind, Group: "web", Hook: "ebb-drain", Instance: "i-1",
			By: by, To: to, Text: "ecs.ListTasks"}
	}
	lives := func(minutes int, by, to string) core.Entry { return entry(minutes, core.EntryController, by, to) }
	looks := func(minutes int, by string) core.Entry { return entry(minutes, core.EntryCall, by, "ok") }
	hook := func(minutes int, by, to string) core.Entry { return entry(minutes, core.EntryHook, by, to) }
	known := entry(0, core.EntryJournal, "", "open")
	known.Text = ""
	for name, c := range map[string]struct {
		record []core.Entry
		want   string // empty: nothing is wrong
	}{
		"the other one has just started": {
			[]core.Entry{lives(0, "ebb-1", "started"), looks(0, "ebb-1"), hook(1, "aws", "opened"), lives(2, "ebb-2", "started"), hook(2, "ebb-1", "CONTINUE")}, "",
		},
		"it has not looked, only the other has": {
			[]core.Entry{lives(0, "ebb-1", "started"), looks(0, "ebb-1"), hook(1, "aws", "opened"), lives(2, "ebb-2", "started"),
				hook(2, "ebb-2", "CONTINUE")}, "had not looked",
		},
		"it has looked, but in a life before": {
			[]core.Entry{lives(0, "ebb", "started"), looks(0, "ebb"), hook(1, "aws", "opened"), lives(2, "ebb", "crashed"),
				lives(2, "ebb", "started"), hook(2, "ebb", "CONTINUE")}, "had not looked",
		},
		"it has looked before it was paused": {
			[]core.Entry{lives(0, "ebb", "started"), looks(0, "ebb"), hook(1, "aws", "opened"), lives(2, "ebb", "paused"),
				lives(3, "ebb", "resumed"), hook(3, "ebb", "CONTINUE")}, "",
		},
		"one is there all the time and does not send heartbeats": {
			[]core.Entry{lives(0, "ebb-1", "started"), known, lives(0, "ebb-2", "started"), hook(1, "aws", "opened"), lives(3, "ebb-2", "crashed"),
				hook(11, "aws", "expired")}, "although Ebb was there",
		},
		"none is there all the time": {
			[]core.Entry{lives(0, "ebb-1", "started"), known, hook(1, "aws", "opened"), lives(3, "ebb-2", "started"), lives(4, "ebb-1", "crashed"),
				hook(11, "aws", "expired")}, "",
		},
		"it was paused": {
			[]core.Entry{lives(0, "ebb", "started"), known, hook(1, "aws", "opened"), lives(2, "ebb", "paused"), lives(10, "ebb", "resumed"),
				hook(11, "aws", "expired")}, "",
		},
		"somebody whose name begins like an Ebb's": {
			[]core.Entry{lives(0, "ebb", "started"), hook(1, "aws", "opened"), hook(2, "ebbets", "ABANDON")}, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			bad := Judge(Evidence{
				Ebb: Ebb{Groups: []Group{{Match: "web", Cluster: "prod"}}}, Record: c.record, Heartbeat: map[string]time.Duration{"web": 10 * time.Minute},
				Start: start, End: start.Add(12 * time.Minute), LastFault: start.Add(11 * time.Minute),
			})
			var text []string
			for _, v := range bad {
				text = append(text, v.String())
			}
			got := strings.Join(text, "; ")
			if c.want == "" && got != "" || !strings.Contains(got, c.want) {
				t.Errorf("found %q, want %q", got, c.want)
			}
		})
	}
}
