package cli

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/config"
	"github.com/ebbhq/ebb/internal/event"
	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/journal/memory"
	"github.com/ebbhq/ebb/internal/kernel"
)

// What the steps on a host did is shown when the host is long gone: as its agent told it last, clean, and one table for each departure.
func TestStatusShowsTheStepsOnAHost(t *testing.T) {
	const id = "i-0a1b2c3d4e5f60718"
	at := time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)
	store, ctx := memory.New(), context.Background()
	k, err := kernel.New(kernel.Config{Groups: []kernel.Managed{{Match: "web"}}}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, runs := range []string{
		`"cause":"replace-root-volume","runs":[{"step":"early","attempt":1,"outcome":"ok"}],"result":"CONTINUE","why":"done"`,
		`"cause":"terminate","runs":[{"step":"flush","attempt":1,"began":"2026-11-21T09:00:00Z"}]`,
		`"cause":"terminate","runs":[{"step":"flush","attempt":2,"began":"2026-11-21T09:00:00Z","ended":"2026-11-21T09:00:03.5Z","outcome":"ok",` +
			`"text":"first\n42 lines\u001b[2J"},{"step":"zabbix","outcome":"skipped","text":"no time"}],"result":"CONTINUE","why":"every step has ended"`,
	} {
		body := `{"ebb":"ebb-host-steps","version":1,"instance":"` + id + `","group":"web",` + runs + `}`
		k.Hear(kernel.Heard{Message: event.Message{ID: "m", Body: body}, Event: event.Parse([]byte(body))}, at.Add(time.Duration(i)*time.Hour))
	}
	out := k.Next(at)
	lines := append(out.Batch.Lines, journal.Line{At: at, Key: "web/" + id + "/x", Kind: journal.HostLine, Text: "of another version", Data: []byte(`"?"`)})
	if err := store.Write(ctx, journal.Batch{Lines: lines}); err != nil {
		t.Fatal(err)
	}
	c := newStatus(Process{})
	c.SetContext(ctx)
	show := func(form, instance string) string {
		t.Helper()
		r, err := statusOf(c, Process{}, store, config.Config{}, 10, instance)
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := statusForms[form](&b, r); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	table := show("table", id)
	for _, want := range []string{
		"Steps on the host, because of replace-root-volume, as of ", "early  ok      -        1", "Steps on the host, because of terminate, as of ",
		"flush   ok       3.5      2        42 lines\\u001b[2J", "zabbix  skipped  -        -        no time", "answer: CONTINUE, because every step has ended",
	} {
		if !strings.Contains(table, want) {
			t.Errorf("%q is missing", want)
		}
	}
	if n := strings.Count(table, "Steps on the host"); n != 2 || t.Failed() {
		t.Errorf("%d departures:\n%s", n, table)
	}
	if json := show("json", id); !strings.Contains(json, `"host_steps": [`) || !strings.Contains(json, `"seconds": 3.5`) {
		t.Errorf("%s", json)
	}
	for _, other := range []string{"", "i-0000000000000000f"} {
		if text := show("table", other); strings.Contains(text, "flush") {
			t.Errorf("%q: %s", other, text)
		}
	}
}
