package kernel

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/journal"
)

// Of a day counts what ended and was said in it, and what is open now.
func TestDay(t *testing.T) {
	record := func(id string, ended time.Duration) journal.Record { // since t0; 0: it is open
		d := drain.Drain{Key: "web/" + id + "/t", Target: fleet.HostTarget(fleet.InstanceID(id)), Zero: t0, Hold: drain.Hold{Group: "web"}}
		if ended != 0 {
			d.Ended, d.Final = plus(ended), &drain.Answer{Outcome: drain.Drained}
		}
		return recordOf(&entry{d: d, scope: "cluster/prod"})
	}
	unread := journal.Record{Key: "web/i-9/t", Body: []byte("garbage")}
	pause := Pause{Scope: "cluster/prod", By: "ops", Since: t0, Until: plus(time.Hour)}.record(0, true)
	line := func(at time.Duration, key, kind, data string) journal.Line {
		return journal.Line{At: plus(at), Key: key, Kind: kind, Data: []byte(data)}
	}
	day := Day([]journal.Record{record("i-1", 0), pause, unread, record("i-2", 0)},
		[]journal.Record{record("i-3", 2*time.Hour), record("i-4", 2*time.Hour+1), record("i-5", time.Hour), record("i-6", time.Hour+1), unread, pause},
		[]journal.Line{
			line(time.Hour, "a", StuckLine, `{"code":"before"}`), line(90*time.Minute, "a", StuckLine, `{"code":"sigterm"}`),
			line(91*time.Minute, "a", StuckLine, `{"code":"daemon\u001b"}`), line(2*time.Hour, "b", StuckLine, `{"code":"sigterm"}`),
			line(2*time.Hour, "b", "ended", `{"code":"no"}`), line(2*time.Hour, "", journal.SetAside, ""), line(3*time.Hour, "c", StuckLine, `{"code":"after"}`),
			line(3*time.Hour, "", journal.SetAside, ""), line(time.Hour, "", journal.SetAside, ""),
		}, plus(time.Hour), plus(2*time.Hour))
	names := func(ds []drain.Drain) (out []string) {
		for _, d := range ds {
			out = append(out, d.Target.ID)
		}
		return out
	}
	want := "[i-3 i-6] [i-1 i-2] map[a:[sigterm daemon\\u001b] b:[sigterm]] [cluster/prod is paused by ops until 2026-11-21 10:00:00 UTC] 1"
	got := fmt.Sprint(names(day.Ended), names(day.Open), day.Stuck, day.Pauses, day.SetAside)
	if d := cmp.Diff(want, got); d != "" || !day.Since.Equal(plus(time.Hour)) || !day.Until.Equal(plus(2*time.Hour)) {
		t.Error(d)
	}
}
