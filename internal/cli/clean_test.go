package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/advice"
	"github.com/ebbhq/ebb/internal/diagnose"
	"github.com/ebbhq/ebb/internal/doctor"
	"github.com/ebbhq/ebb/internal/inventory"
	"github.com/ebbhq/ebb/internal/placement"
	"github.com/ebbhq/ebb/internal/plain"
)

// nasty is a name that writes over what stands on a terminal, turns text around, makes a row of its own, and is long.
var nasty = "web\x1b[2J\x1b]0;x\x07\u009b31m\u202e\u2066\u200b\u2028\r\nfalse\trow" + strings.Repeat("x", 100_000)

// cleanLines reports what of a text must not be shown. The newlines that are expected, and no more, end its lines.
func cleanLines(t *testing.T, what, text string, lines int) {
	t.Helper()
	if n := strings.Count(text, "\n"); n != lines {
		t.Errorf("%s has %d lines, not %d", what, n, lines)
	}
	for line := range strings.Lines(text) {
		if line = strings.ReplaceAll(strings.TrimSuffix(line, "\n"), "\t", ""); !plain.Shown(line) {
			t.Errorf("%s shows %.200q", what, line)
		}
		if len(line) > 40_000 && !strings.HasSuffix(what, "json") && !strings.HasSuffix(what, "jsonl") {
			t.Errorf("%s has a line of %d bytes", what, len(line))
		}
	}
}

func TestStatusShowsWhatComesFromOutsideClean(t *testing.T) {
	for form, lines := range map[string]int{"table": 11, "tsv": 2, "jsonl": 1} {
		r := report{
			drains:  []statusLine{{Key: nasty, Group: nasty, Instance: nasty, State: "open", Since: time.Unix(0, 0), Text: nasty, CutOff: []string{nasty}}},
			holders: []holderLine{{Scope: nasty, Holder: nasty}}, unknown: []unknownLine{{Scope: nasty, Kind: nasty}},
			counts: []countLine{{Cluster: nasty, Service: nasty, Raised: []raiseLine{{Who: nasty, By: 1}}}},
		}
		var b bytes.Buffer
		must(t, statusForms[form](&b, r))
		cleanLines(t, form, b.String(), lines)
	}
	var b bytes.Buffer
	must(t, statusForms["json"](&b, report{drains: []statusLine{{Group: nasty}}}))
	var back struct{ Drains []statusLine }
	must(t, json.Unmarshal(b.Bytes(), &back))
	if text := b.String(); !plain.Shown(strings.ReplaceAll(text, "\n", "")) || back.Drains[0].Group != nasty {
		t.Errorf("json: shown %v, the same %v", plain.Shown(strings.ReplaceAll(text, "\n", "")), back.Drains[0].Group == nasty)
	}
}

func TestAnswersShowWhatComesFromOutsideClean(t *testing.T) {
	fix := advice.Of(advice.At{Region: "eu-west-1"}.DeleteHook(nasty, "h").For(nasty), advice.Say("%s", nasty))
	var b bytes.Buffer
	r := diagnose.Report{Target: nasty, Headline: nasty, Wait: nasty, Notes: []string{nasty}, Group: nasty, Instance: nasty,
		Next: []diagnose.Next{{Text: nasty}}, Blockers: []diagnose.Blocker{{Message: nasty, Advice: fix}, {Message: nasty}}}
	must(t, write(&lookFlags{output: "table"}, &b, r, whyText))
	cleanLines(t, "why", b.String(), 15)
	if strings.Contains(b.String(), "> aws") {
		t.Error("why shows a command whose name it cannot show")
	}
	b.Reset()
	must(t, write(&lookFlags{output: "table"}, &b, []doctor.Finding{{Subject: nasty, Finding: nasty, Impact: nasty, Advice: fix}},
		func(f []doctor.Finding) string { return findingsText(f, inventory.Inventory{}) }))
	cleanLines(t, "doctor", b.String(), 13)
	b.Reset()
	must(t, write(&lookFlags{output: "table"}, &b, diagnose.Forecast{Headline: nasty, Notes: []string{nasty}, Steps: []diagnose.Step{{Service: nasty,
		Instance: nasty, Where: []string{nasty}, Because: []placement.Reason{{Message: nasty}}}}}, planText))
	cleanLines(t, "plan", b.String(), 9)
	b.Reset()
	must(t, write(&lookFlags{output: "json"}, &b, r, whyText))
	if !plain.Shown(strings.ReplaceAll(b.String(), "\n", "")) {
		t.Error("the JSON of why shows what must not be shown")
	}
}

func TestTheLogShowsWhatComesFromOutsideClean(t *testing.T) {
	for _, format := range []string{"text", "json"} {
		var b bytes.Buffer
		log := logger(Process{Stderr: &b}, "debug", format)
		log.With("with", nasty).WithGroup("group").Warn(nasty, "group", nasty, "error", errors.New(nasty), "names", []string{nasty},
			"inner", slog.GroupValue(slog.String("a", nasty)))
		cleanLines(t, format, b.String(), 1)
		if format == "json" && !json.Valid(b.Bytes()) {
			t.Error("it is not JSON")
		}
		if len(b.String()) > 60_000 {
			t.Errorf("%s: a line of %d bytes", format, len(b.String()))
		}
	}
}
