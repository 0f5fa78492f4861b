package drain

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write what follows from the cases into testdata, to be read and judged")

// wholeCase is a case of which everything that follows stands in a file: what is done, looked at and when, remembered, told.
type wholeCase struct {
	name string
	d    Drain
	seen Seen
	p    Policy
	now  time.Time
}

// of is the case that a scene is after some changes.
func of(name string, changes ...func(*scene)) wholeCase {
	s := emptyHost()
	for _, change := range changes {
		change(s)
	}
	return wholeCase{name, s.d, s, s.p, s.now}
}

// follows compares what follows from the cases with testdata/FILE. A case says there what is so in it, in the form of whole.
func follows(t *testing.T, file string, cases []wholeCase) {
	t.Helper()
	var text strings.Builder
	for _, c := range cases {
		fmt.Fprintf(&text, "%s\n%s\n", c.name, whole(c.d, Decide(c.d, c.seen, c.p, c.now), c.now))
	}
	file = "testdata/" + file
	if *update {
		if err := os.WriteFile(file, []byte(text.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	got, should := strings.Split(text.String(), "\n\n"), strings.Split(string(want), "\n\n")
	for i := range max(len(got), len(should)) {
		if i >= len(got) || i >= len(should) {
			t.Fatalf("%d cases, and %s has %d", len(got), file, len(should))
		}
		if got[i] != should[i] {
			t.Errorf("%s\nwant, as in %s:\n%s", got[i], file, should[i])
		}
	}
}

// whole is a decision in words. Times are relative to it.
func whole(before Drain, dec Decision, now time.Time) string {
	rel := func(at time.Time) string {
		if d := at.Sub(now); d != 0 {
			return fmt.Sprintf("%+.9gs", d.Seconds())
		}
		return "now"
	}
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, "    "+format+"\n", args...) }
	for _, a := range dec.Do {
		soon, what := "", ""
		if a.Soon {
			soon = " soon"
		}
		if a.Targets != nil {
			what = fmt.Sprintf(" in %s %v", last(string(a.Targets.Group)), a.Targets.Targets)
		}
		if a.End != nil {
			what = fmt.Sprintf(" %+v", *a.End)
		}
		line("does %s%s%s: %s", a.Kind, soon, what, a.Why)
	}
	var looks []string
	for _, w := range dec.Want {
		text := w.Kind.String()
		if w.In != "" && w.In != before.Cluster && w.In != before.Group {
			text += " in " + last(w.In)
		}
		if w.ID == before.Target.ID {
			text += " of it"
		} else if w.ID != "" {
			text += " of " + last(w.ID)
		}
		if w.Port != 0 {
			text += fmt.Sprintf(":%d", w.Port)
		}
		if text += " " + rel(w.Due); w.Needed {
			text += " needed"
		}
		looks = append(looks, text)
	}
	if len(looks) > 0 {
		line("looks at %s", strings.Join(looks, ", "))
	}
	for _, n := range dec.Lines {
		line("notes %s: %s", n.Kind, n.Text)
	}
	was, is := remembered(before), remembered(dec.Drain)
	for _, key := range slices.Sorted(maps.Keys(was)) {
		if _, ok := is[key]; !ok {
			line("forgets %s", key)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(is)) {
		text := is[key]
		if at, err := time.Parse(time.RFC3339Nano, strings.Trim(text, `"`)); err == nil {
			text = rel(at)
		}
		if was[key] != is[key] && key != "ended" { // final says so
			line("remembers %s %s", key, text)
		}
	}
	if !dec.Wake.IsZero() {
		line("wakes %s", rel(dec.Wake))
	}
	if dec.Waiting != "" && dec.Drain.Open() {
		line("waits %s", dec.Waiting)
	}
	return b.String()
}

// remembered is what is remembered, by the names of the journal.
func remembered(d Drain) map[string]string {
	fields, text := map[string]json.RawMessage{}, map[string]string{}
	b, _ := json.Marshal(d)
	_ = json.Unmarshal(b, &fields)
	for key, value := range fields {
		if text[key] = string(value); key == "intent" || key == "final" {
			a := d.Intent
			if key == "final" {
				a = d.Final
			}
			text[key] = fmt.Sprintf("%s: %s; cut off %q", a.Outcome, a.Reason, a.CutOff)
		}
	}
	return text
}

// last is the last part of an ARN.
func last(arn string) string { return arn[strings.LastIndexAny(arn, "/:")+1:] }
