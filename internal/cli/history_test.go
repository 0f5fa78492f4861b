package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/journal/memory"
	"github.com/ebbhq/ebb/internal/journal/sqlite"
	"github.com/ebbhq/ebb/internal/kernel"
)

var endedAt = time.Date(2026, 11, 21, 9, 15, 2, 0, time.UTC)

// endedBatch is a drain of i-2 that ended, and what the journal has of it.
func endedBatch(key, instance, group string, took time.Duration, final string) journal.Batch {
	at := endedAt.Add(took)
	body := fmt.Sprintf(`{"key":%q,"instance":%q,"group":%q,"cluster":"prod","hook":"ebb-drain","heard":%q,"zero":%[4]q,"ended":%q,"final":{"at":%[5]q,%s}}`,
		key, instance, group, endedAt.Format(time.RFC3339), at.Format(time.RFC3339), final)
	return journal.Batch{
		Records: []journal.Record{{Key: key, Scope: "cluster/prod", Rev: 1, Body: []byte(body)}},
		Lines: []journal.Line{
			{At: endedAt, Key: key, Kind: "heard", Text: "instance " + instance + " leaves"}, {At: at, Key: key, Kind: "ended", Text: "it has ended"},
		},
	}
}

const forcedEnd = `"outcome":"forced","reason":"the deadline is over","cut_off":["app:4/t1","app:4/t2"]`

// fillEnded writes the drains of which the tests tell.
func fillEnded(store journal.Store) error {
	pause := kernel.Pause{By: "ann@host", Since: endedAt, Until: endedAt.Add(time.Hour)}.Begin(nil, []string{"cluster/prod"})
	pause.Records[0].Open = false
	var errs []error
	for _, b := range []journal.Batch{
		endedBatch("web/i-1/a", "i-1", "web", 5*time.Minute, `"outcome":"drained","reason":"all 2 tasks have stopped"`),
		pause,
		{Records: []journal.Record{{Key: "task:prod/0123/1", Scope: "cluster/prod", Rev: 1, Body: []byte(`{"v":9,"kind":"task"}`)}}},
		endedBatch("job/i-2/a", "i-2", "job", 30*time.Minute, forcedEnd),
		{
			Records: []journal.Record{{Key: "job/i-2/b", Scope: "cluster/prod", Rev: 1, Open: true, Body: []byte(`{"instance":"i-2","group":"job"}`)}},
			Lines:   []journal.Line{{At: endedAt.Add(time.Hour), Key: "job/i-2/b", Kind: "heard", Text: "instance i-2 leaves again"}},
		},
	} {
		errs = append(errs, store.Write(context.Background(), b))
	}
	return errors.Join(errs...)
}

func endedDrains(ts *testscript.TestScript, _ bool, args []string) {
	store, err := sqlite.Open(ts.MkAbs(args[0]), sqlite.Options{})
	ts.Check(err)
	ts.Check(errors.Join(fillEnded(store), store.Close()))
}

// asked is what history prints, on standard output and on standard error.
func asked(t *testing.T, store journal.Store, q historyQuery, now time.Time) (out, notes string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	q.most, q.output = max(q.most, 1), "jsonl"
	must(t, q.answer(t.Context(), store, Process{Stdout: &stdout, Stderr: &stderr}, now))
	return stdout.String(), stderr.String()
}

func TestHistoryFindsTheNewestThatAreAskedForAmongManyOthers(t *testing.T) {
	store := memory.New()
	for i := range 400 { // the only forced one is older than what one read brings
		final := `"outcome":"drained","reason":"r"`
		if i == 0 {
			final = forcedEnd
		}
		must(t, store.Write(t.Context(), endedBatch(fmt.Sprintf("web/i-%d/a", i), fmt.Sprintf("i-%d", i), "web", time.Duration(i)*time.Minute, final)))
	}
	now := endedAt.Add(400 * time.Minute)
	for name, c := range map[string]struct {
		q     historyQuery
		ids   string
		notes string
	}{
		"the newest last":         {historyQuery{most: 2}, "i-398 i-399", "ebb: there are earlier ones than these 2; ask for more with -n\n"},
		"by outcome":              {historyQuery{outcome: "forced"}, "i-0", ""},
		"since":                   {historyQuery{most: 9, since: 2 * time.Minute}, "i-398 i-399", ""},
		"none since":              {historyQuery{since: 30 * time.Second}, "", "ebb: the journal has no drain that ended in the last 30s\n"},
		"of another group":        {historyQuery{group: "job*"}, "", "ebb: the journal has no drain that ended in a group job*\n"},
		"of a group that matches": {historyQuery{group: "w*", most: 400, since: time.Minute}, "i-399", ""},
	} {
		out, notes := asked(t, store, c.q, now)
		var ids []string
		for line := range strings.Lines(out) {
			var l struct{ Instance string }
			must(t, json.Unmarshal([]byte(line), &l))
			ids = append(ids, l.Instance)
		}
		if got := strings.Join(ids, " "); got != c.ids || notes != c.notes {
			t.Errorf("%s: %q, want %q; notes %q, want %q", name, got, c.ids, notes, c.notes)
		}
	}
}

func TestHistoryDoesNotKnowHowLongADrainTookWhoseBeginningItDoesNotKnow(t *testing.T) {
	store := memory.New()
	must(t, store.Write(t.Context(), journal.Batch{Records: []journal.Record{
		{Key: "web/i-1/a", Rev: 1, Body: []byte(`{"instance":"i-1","ended":"2026-11-21T09:15:02Z","final":{"outcome":"unreadable","reason":"r"}}`)},
		{Key: "web/i-2/a", Rev: 1, Body: []byte(`{"instance":"i-2","ended":"2026-11-21T09:15:02Z"}`)},
	}}))
	must(t, store.Write(t.Context(), journal.Batch{Lines: []journal.Line{{At: endedAt, Key: "web/i-3/a", Kind: journal.SetAside, Text: "no record"}}}))
	if out, _ := asked(t, store, historyQuery{target: "i-3"}, endedAt); !strings.Contains(out, "no record") {
		t.Errorf("of a drain without a record: %q", out)
	}
	out, notes := asked(t, store, historyQuery{most: 9}, endedAt)
	if !strings.Contains(out, `"ended":"2026-11-21T09:15:02Z","seconds":null,`) || strings.Contains(out, "since") || strings.Count(out, "\n") != 1 ||
		!strings.HasPrefix(notes, "ebb: 1 records are not shown") {
		t.Errorf("%s%s", out, notes)
	}
}

func TestHistoryShowsWhatComesFromOutsideClean(t *testing.T) {
	for _, form := range []string{"table", "jsonl"} {
		var b bytes.Buffer
		must(t, writeHistory(&b, form, "drains", []endedLine{{Instance: nasty, Group: nasty, Outcome: nasty, Reason: nasty, CutOff: []string{nasty}}}, writeEnded))
		must(t, writeHistory(&b, form, "lines", []historyLine{{Key: nasty, Kind: nasty, Text: nasty}}, writeLines))
		cleanLines(t, form, b.String(), map[string]int{"table": 3, "jsonl": 2}[form])
	}
}

func TestOutcomesAreAllOutcomes(t *testing.T) {
	code, err := os.ReadFile("../drain/drain.go")
	must(t, err)
	var declared []drain.Outcome
	for _, m := range regexp.MustCompile(`Outcome = "(.*)"`).FindAllSubmatch(code, -1) {
		declared = append(declared, drain.Outcome(m[1]))
	}
	if !slices.Equal(declared, drain.Outcomes()) {
		t.Errorf("declared %v, listed %v", declared, drain.Outcomes())
	}
}

// late is a journal in which the lines have numbers that do not come in order, as where the clocks of two Ebbs differ.
type late struct {
	journal.Store
	lines []journal.Line
	err   error
}

func (l *late) History(_ context.Context, q journal.Query) (found []journal.Line, err error) {
	for _, x := range l.lines {
		if x.Seq > q.After && (q.Key == "" || x.Key == q.Key) {
			found = append(found, x)
		}
	}
	if q.Limit > 0 {
		found = found[max(0, len(found)-q.Limit):]
	}
	return found, l.err
}

func TestFollowPrintsEachLineOnceAlsoOneThatComesLate(t *testing.T) {
	for target, want := range map[string]string{"": "two three nine eight ten", "i-1": "three nine ten"} {
		synctest.Test(t, func(t *testing.T) {
			store := &late{Store: memory.New()}
			add := func(seq int64, key, text string) {
				store.lines = append(store.lines, journal.Line{Seq: seq, At: endedAt, Key: key, Kind: "note", Text: text})
				slices.SortFunc(store.lines, func(a, b journal.Line) int { return int(a.Seq - b.Seq) })
			}
			add(1, "web/i-1/a", "one")
			add(2, "web/i-2/a", "two")
			add(3, "web/i-1/a", "three")
			most := 2
			if target != "" {
				most = 1
			}
			ctx, cancel := context.WithCancel(t.Context())
			var stdout, stderr bytes.Buffer
			done := make(chan error, 1)
			q := historyQuery{target: target, most: most, output: "table", follow: true}
			go func() { done <- q.answer(ctx, store, Process{Stdout: &stdout, Stderr: &stderr}, endedAt) }()
			step := func(wait time.Duration) { time.Sleep(wait); synctest.Wait() }
			step(time.Second)
			add(9, "web/i-1/a", "nine")
			step(followed)
			store.err = errors.New("no network")
			step(3 * followed)
			store.err = nil
			add(8, "web/i-2/a", "eight")
			step(followed)
			add(10, "web/i-1/a", "ten")
			step(10 * time.Minute)
			cancel()
			if err := <-done; err != nil {
				t.Errorf("Ctrl-C: %v", err)
			}
			var got []string
			for line := range strings.Lines(stdout.String()) {
				got = append(got, line[strings.LastIndex(line, " ")+1:len(line)-1])
			}
			if strings.Join(got, " ") != want || stderr.String() != "ebb: no network; it is tried again every 2s\n" {
				t.Errorf("of %q: %v, want %s; told %q", target, got, want, stderr.String())
			}
		})
	}
}

func TestWatchPrintsAnewOnlyWhatHasChangedWhereThereIsNoTerminal(t *testing.T) {
	for name, screen := range map[string]bool{"elsewhere": false, "on a terminal": true} {
		var b bytes.Buffer
		w := watcher{out: &b, screen: screen, form: "table", every: 2 * time.Second}
		r := report{holders: []holderLine{{Scope: "cluster/prod", Holder: "host/1"}}, aside: asideLine{Lines: 1}}
		shown := func(change func()) bool {
			change()
			b.Reset()
			must(t, w.show(r, endedAt))
			if cleared := strings.HasPrefix(b.String(), "\x1b[H\x1b[2JAt "); b.Len() > 0 && cleared != screen {
				t.Errorf("%s the screen is cleared: %v", name, cleared)
			}
			return b.Len() > 0
		}
		if !shown(func() {}) || shown(func() {}) != screen ||
			shown(func() { r.holders[0].Beat, r.aside.Lines = endedAt, 2 }) != screen ||
			!strings.Contains(func() string { shown(func() { r.holders[0].Holder = "host/2" }); return b.String() }(), "host/2") ||
			!shown(func() { r.drains = []statusLine{{Instance: "i-1\n"}} }) || shown(func() { r.drains = []statusLine{{Instance: "i-1\n"}} }) != screen ||
			!shown(func() { r.drains = []statusLine{{Instance: "i-1\n", Text: "b"}} }) {
			t.Errorf("%s: shown when nothing has changed, or not shown when something has; last: %q", name, b.String())
		}
	}
}
