package journal_test

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/ebbhq/ebb/internal/journal"
)

// refused: what no store takes is refused whole, by name, and as something that no other try helps.
func refused(t *testing.T, s journal.Store) {
	good, long, notText := record("web/i-1/a", 1, true), strings.Repeat("k", journal.MaxKey+1), "a\xff"
	large := bytes.Repeat([]byte("x"), journal.MaxBody+1)
	of := func(change func(*journal.Record)) journal.Batch {
		r := record("web/i-2/a", 1, true)
		change(&r)
		return journal.Batch{Records: records(good, r), Lines: lines(line(0, "web/i-1/a"))}
	}
	told := func(change func(*journal.Line)) journal.Batch {
		l := line(1, "web/i-1/a")
		change(&l)
		return journal.Batch{Records: records(good), Lines: lines(line(0, "web/i-1/a"), l)}
	}
	sent := func(change func(*journal.Forwarded)) journal.Batch {
		f := journal.Forwarded{Scope: "c", ID: "m", Body: "body", Sent: start}
		change(&f)
		return journal.Batch{Records: records(good), Forwarded: []journal.Forwarded{{Scope: "c", ID: "good"}, f}}
	}
	many, much := journal.Batch{Records: records(good)}, journal.Batch{Records: records(good)}
	for i := range journal.MaxLines + 1 {
		many.Lines = append(many.Lines, line(i, good.Key))
	}
	for i := range journal.MaxLineBytes/journal.MaxBody + 1 {
		l := line(i, good.Key)
		l.Data = large[1:]
		much.Lines = append(much.Lines, l)
	}
	for name, c := range map[string]struct {
		b     journal.Batch
		part  journal.Part
		index int
	}{
		"a long key":          {of(func(r *journal.Record) { r.Key = long }), journal.RecordPart, 1},
		"no key":              {of(func(r *journal.Record) { r.Key = "" }), journal.RecordPart, 1},
		"a key with NUL":      {of(func(r *journal.Record) { r.Key = "a\x00b" }), journal.RecordPart, 1},
		"a key of bytes":      {of(func(r *journal.Record) { r.Key = notText }), journal.RecordPart, 1},
		"a long scope":        {of(func(r *journal.Record) { r.Scope = long }), journal.RecordPart, 1},
		"a scope of bytes":    {of(func(r *journal.Record) { r.Scope = notText }), journal.RecordPart, 1},
		"a large body":        {of(func(r *journal.Record) { r.Body = large }), journal.RecordPart, 1},
		"a line's long key":   {told(func(l *journal.Line) { l.Key = long }), journal.LinePart, 1},
		"a line's bytes":      {told(func(l *journal.Line) { l.Text = notText }), journal.LinePart, 1},
		"a long text":         {told(func(l *journal.Line) { l.Text = string(large[:journal.MaxText+1]) }), journal.LinePart, 1},
		"large data":          {told(func(l *journal.Line) { l.Data = large }), journal.LinePart, 1},
		"a long kind":         {told(func(l *journal.Line) { l.Kind = strings.Repeat("k", journal.MaxKind+1) }), journal.LinePart, 1},
		"too many lines":      {many, journal.LinePart, journal.MaxLines},
		"too much in lines":   {much, journal.LinePart, journal.MaxLineBytes/journal.MaxBody - 1}, // their texts count too
		"a message's long id": {sent(func(f *journal.Forwarded) { f.ID = long }), journal.ForwardedPart, 1},
		"a message's no id":   {sent(func(f *journal.Forwarded) { f.ID = "" }), journal.ForwardedPart, 1},
		"a message's scope":   {sent(func(f *journal.Forwarded) { f.Scope = long }), journal.ForwardedPart, 1},
		"a large message":     {sent(func(f *journal.Forwarded) { f.Body = string(large) }), journal.ForwardedPart, 1},
		"a message of bytes":  {sent(func(f *journal.Forwarded) { f.Body = notText }), journal.ForwardedPart, 1},
	} {
		err := s.Write(t.Context(), c.b)
		r, ok := errors.AsType[*journal.Refused](err)
		if !ok || r.Part != c.part || r.Index != c.index || errors.Is(err, journal.ErrConflict) || len(err.Error()) > 1000 {
			t.Errorf("%s: error %v, want that %s %d is refused", name, err, c.part, c.index)
		}
	}
	same(t, "open records", records())(s.Open(t.Context()))
	same(t, "history", lines())(history(t, s, journal.Query{}))
	same(t, "forwarded messages", []journal.Forwarded(nil))(s.Forwarded(t.Context(), []string{"c"}))
}

// bounds: what is just within the bounds is written, read and found again.
func bounds(t *testing.T, s journal.Store) {
	key := strings.Repeat("k", journal.MaxKey/2) + "/" + strings.Repeat("é", journal.MaxKey/4-1)
	r, scope := record(key, 1, true), strings.Repeat("s", journal.MaxKey)
	r.Scope = scope
	r.Body = bytes.Repeat([]byte("<"), journal.MaxBody)
	b := journal.Batch{Records: records(r), Forwarded: []journal.Forwarded{
		{Scope: scope, ID: strings.Repeat("i", journal.MaxKey), Body: strings.Repeat("<", journal.MaxBody), Sent: start},
	}}
	for i := range journal.MaxLines {
		b.Lines = append(b.Lines, line(i, key))
	}
	b.Lines[0].Text, b.Lines[0].Data = strings.Repeat("<", journal.MaxText), bytes.Repeat([]byte{0}, journal.MaxBody)
	b.Lines[1].Text = "\x00 \u202e \u2028"
	write(t, s, b)
	ended := r
	ended.Rev, ended.Open = 2, false
	open, errOpen := s.Open(t.Context())
	write(t, s, journal.Batch{Records: records(ended)})
	recent, errRecent := s.Recent(t.Context(), 0)
	sent, errSent := s.Forwarded(t.Context(), []string{scope})
	told, errTold := history(t, s, journal.Query{})
	if err := errors.Join(errOpen, errRecent, errSent, errTold); err != nil || len(told) != journal.MaxLines {
		t.Fatalf("%d lines, error %v", len(told), err)
	}
	// A difference of so many bytes would take cmp long to show.
	if !reflect.DeepEqual(open, records(r)) || !reflect.DeepEqual(recent, records(ended)) || !reflect.DeepEqual(sent, b.Forwarded) ||
		told[0].Text != b.Lines[0].Text || !bytes.Equal(told[0].Data, b.Lines[0].Data) || told[1].Text != b.Lines[1].Text {
		t.Error("what came back is not what was written")
	}
	if err := s.Discard(t.Context(), b.Forwarded); err != nil {
		t.Errorf("discard: %v", err)
	}
	same(t, "forwarded messages that are left", []journal.Forwarded(nil))(s.Forwarded(t.Context(), []string{scope}))
	write(t, s, journal.Batch{Records: records(record("web/"+fmt.Sprint(len(key))+"/a", 1, true))})
}
