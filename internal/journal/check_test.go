package journal

import (
	"errors"
	"strings"
	"testing"
)

// What every store takes, and what none does: the first thing at fault is named.
func TestWhatNoStoreTakes(t *testing.T) {
	long := strings.Repeat("x", MaxKey)
	body := make([]byte, MaxBody)
	good := Batch{
		Records:   []Record{{Key: "k"}, {Key: long, Scope: long, Body: body}},
		Lines:     []Line{{}, {Key: long, Kind: strings.Repeat("x", MaxKind), Text: strings.Repeat("x", MaxText), Data: body}},
		Forwarded: []Forwarded{{Scope: "s", ID: "1"}, {Scope: long, ID: long, Body: string(body)}},
	}
	if err := Check(good); err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		part Part
		bad  any
		why  string
	}{
		{RecordPart, Record{}, "its key is empty"},
		{RecordPart, Record{Key: long + "x"}, "its key has 901 bytes; a journal takes at most 900"},
		{RecordPart, Record{Key: "a\x00"}, "its key has a NUL"},
		{RecordPart, Record{Key: "\xff"}, "its key is not UTF-8"},
		{RecordPart, Record{Key: "k", Scope: long + "x"}, "its scope has 901 bytes"},
		{RecordPart, Record{Key: "k", Body: append(body, 0)}, "its body has 131073 bytes"},
		{LinePart, Line{Key: long + "x"}, "its key has 901 bytes"},
		{LinePart, Line{Kind: strings.Repeat("x", MaxKind+1)}, "its kind has 101 bytes"},
		{LinePart, Line{Kind: "\xff"}, "its kind is not UTF-8"},
		{LinePart, Line{Text: strings.Repeat("x", MaxText+1)}, "its text has 65537 bytes"},
		{LinePart, Line{Key: "k", Text: "\xff"}, "its text is not UTF-8"},
		{LinePart, Line{Data: append(body, 0)}, "its data has 131073 bytes"},
		{ForwardedPart, Forwarded{Scope: "s"}, "its id is empty"},
		{ForwardedPart, Forwarded{ID: "1"}, "its scope is empty"},
		{ForwardedPart, Forwarded{Scope: "s", ID: "1", Body: string(body) + "x"}, "its body has 131073 bytes"},
		{ForwardedPart, Forwarded{Scope: "s", ID: "1", Body: "\xff"}, "its body is not UTF-8"},
	} {
		b, at := good, 2
		switch bad := x.bad.(type) {
		case Record:
			b.Records = append(b.Records[:2:2], bad)
		case Line:
			b.Lines = append(b.Lines[:2:2], bad)
		case Forwarded:
			b.Forwarded = append(b.Forwarded[:2:2], bad)
		}
		var r *Refused
		if err := Check(b); !errors.As(err, &r) || r.Part != x.part || r.Index != at || !strings.HasPrefix(r.Why, x.why) {
			t.Errorf("%s: %v, want %s", x.part, err, x.why)
		}
	}
}

// Every name is bounded in the same way: it becomes a part of a key, which no store takes when it is too long, has a NUL or is no text.
func TestEveryNameIsBounded(t *testing.T) {
	for what, batch := range map[string]func(name string) Batch{
		"the key of a record":   func(name string) Batch { return Batch{Records: []Record{{Key: name}}} },
		"the scope of a record": func(name string) Batch { return Batch{Records: []Record{{Key: "k", Scope: name}}} },
		"the key of a line":     func(name string) Batch { return Batch{Lines: []Line{{Key: name}}} },
		"the id of a message":   func(name string) Batch { return Batch{Forwarded: []Forwarded{{Scope: "s", ID: name}}} },
		"the scope of one":      func(name string) Batch { return Batch{Forwarded: []Forwarded{{Scope: name, ID: "1"}}} },
	} {
		for name, why := range map[string]string{strings.Repeat("x", MaxKey+1): "has 901 bytes", "a\x00b": "has a NUL", "\xff": "is not UTF-8"} {
			if err := Check(batch(name)); err == nil || !strings.Contains(err.Error(), why) {
				t.Errorf("%s: %v, want that it %s", what, err, why)
			}
		}
		if err := Check(batch(strings.Repeat("ä", MaxKey/2))); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// The lines of one key are bounded together; those that belong to no drain are not.
func TestHowManyLinesOfOneKeyABatchMayHave(t *testing.T) {
	lines := func(key string, n, bytes int) (ls []Line) {
		for range n {
			ls = append(ls, Line{Key: key, Text: strings.Repeat("x", bytes/2), Data: make([]byte, bytes-bytes/2)})
		}
		return ls
	}
	for name, x := range map[string]struct {
		lines []Line
		why   string
	}{
		"as many as may be":         {lines("k", MaxLines, 0), ""},
		"one more":                  {lines("k", MaxLines+1, 0), "more than 1000 lines"},
		"one more of another":       {append(lines("k", MaxLines, 0), lines("l", 1, 0)...), ""},
		"one more of no key":        {lines("", MaxLines+1, 0), ""},
		"one more, at fault itself": {append(lines("k", MaxLines, 0), Line{Key: "k", Text: "\xff"}), "its text is not UTF-8"},
		"as large as may be":        {lines("k", 16, MaxLineBytes/16), ""},
		"a little larger":           {append(lines("k", 16, MaxLineBytes/16), lines("k", 1, 1)...), "more than 1048576 bytes"},
		"a little larger, another":  {append(lines("k", 16, MaxLineBytes/16), lines("l", 1, 1)...), ""},
	} {
		err := Check(Batch{Lines: x.lines})
		if (err == nil) != (x.why == "") || err != nil && !strings.Contains(err.Error(), x.why) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestARefusalIsTold(t *testing.T) {
	long := strings.Repeat("n", 101)
	for want, r := range map[string]*Refused{
		"the journal can never take this: no":                                           {Why: "no"},
		`the journal can never take record "k": no`:                                     {Part: RecordPart, Name: "k", Why: "no"},
		`the journal can never take line "` + long[:100] + `": no`:                      {Part: LinePart, Name: long[:100], Why: "no"},
		`the journal can never take line "` + long[:100] + `"... (101 bytes): no`:       {Part: LinePart, Name: long, Why: "no"},
		`the journal can never take forwarded message "` + `m` + `": it is not allowed`: {Part: ForwardedPart, Name: "m", Why: "it is not allowed"},
	} {
		if got := r.Error(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
