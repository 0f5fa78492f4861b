package kernel

import (
	"encoding/json"
	"time"

	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/notice"
	"github.com/ebbhq/ebb/internal/plain"
)

// Day is what the journal says of a time: its open records, those that ended, and its lines, each as far as it was read. Records that this
// Ebb cannot read are left out: somebody else tells of them.
func Day(open, ended []journal.Record, lines []journal.Line, since, until time.Time) notice.Day {
	day := notice.Day{Since: since, Until: until, Stuck: map[string][]string{}}
	in := func(at time.Time) bool { return at.After(since) && !at.After(until) }
	for _, r := range ended {
		if d, err := Read(r); err == nil && d.Final != nil && !d.Agent && in(d.Ended) {
			day.Ended = append(day.Ended, d)
		}
	}
	for _, r := range open {
		if p, is := ReadPause(r); is {
			day.Pauses = append(day.Pauses, p.Scope+" is "+p.String())
		} else if d, err := Read(r); err == nil && d.Open() && !d.Agent {
			day.Open = append(day.Open, d)
		}
	}
	for _, l := range lines {
		switch {
		case !in(l.At):
		case l.Kind == journal.SetAside:
			day.SetAside++
		case l.Kind == StuckLine:
			var blocker struct{ Code string }
			_ = json.Unmarshal(l.Data, &blocker) // the kernel wrote it
			day.Stuck[l.Key] = append(day.Stuck[l.Key], plain.Text(blocker.Code, plain.Short))
		}
	}
	return day
}
