package kernel

import (
	"slices"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/journal"
)

// A digest tells of the drains that can be read: garbage in the journal, and what has no end, keeps no other out of it.
func TestADayWithGarbageInIt(t *testing.T) {
	written := func(change func(*entry)) journal.Record {
		_, e := seenBefore(t, false)
		change(e)
		return recordOf(e)
	}
	end := func(e *entry) { e.d.Ended, e.d.Final = t0, &drain.Answer{At: t0, Outcome: drain.Drained} }
	good, ended := written(func(*entry) {}), written(end)
	endless := written(func(e *entry) { e.d.Ended = t0 })
	garbage := good
	garbage.Body = []byte(`{`)
	day := Day([]journal.Record{garbage, ended, good}, []journal.Record{garbage, endless, ended}, nil, t0.Add(-time.Hour), t0.Add(time.Hour))
	keys := func(drains []drain.Drain) (out []string) {
		for _, d := range drains {
			out = append(out, d.Key)
		}
		return out
	}
	if !slices.Equal(keys(day.Open), []string{good.Key}) || !slices.Equal(keys(day.Ended), []string{ended.Key}) {
		t.Errorf("open %q, ended %q", keys(day.Open), keys(day.Ended))
	}
}
