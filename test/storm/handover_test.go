package storm

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"
)

// fate is something that happened to a serve, in real time, or a line in its log: for which scopes it works from then on.
type fate struct {
	at     time.Time
	server int
	life   string   // empty: it is that of this time
	what   string   // started, crashed, ended, paused, resumed, works
	scopes []string // none: it stands by
}

// handOver is how one Ebb went on for another.
type handOver struct {
	scope    string
	from, to string        // names of lives
	took     time.Duration // since the one was gone, or, if that was later, since the other was there
}

// mostHandOver is how long a hand-over may take.
const mostHandOver = 15 * time.Second

// worksIn reads the log of a serve.
func worksIn(server int, log []byte) []fate {
	var all []fate
	for line := range bytes.Lines(log) {
		var l struct {
			Time     time.Time
			Msg, For string
		}
		switch err := json.Unmarshal(line, &l); {
		case err != nil: // a line that a kill has cut off
		case l.Msg == "works":
			all = append(all, fate{at: l.Time, server: server, what: "works", scopes: strings.Split(l.For, ", ")})
		case strings.HasPrefix(l.Msg, "stands by"):
			all = append(all, fate{at: l.Time, server: server, what: "works"})
		}
	}
	return all
}

// handOvers follows who works for which scope. A serve that is killed, ended or put to sleep while it works has to be followed by
// another; if it is resumed before one has, it is there again.
func handOvers(fates []fate) []handOver {
	type hold struct {
		life string
		lost time.Time // since when this life is gone or asleep; zero: it is there
	}
	var (
		found []handOver
		life  = map[int]string{}       // by server
		awake = map[string]time.Time{} // since when, by life
		holds = map[string]*hold{}     // by scope
	)
	happens := func(f fate) {
		lost := f.at
		if f.what == "started" || f.what == "resumed" {
			life[f.server], awake[f.life], lost = f.life, f.at, time.Time{}
		}
		for _, h := range holds {
			if h.life == f.life && (lost.IsZero() || h.lost.IsZero()) {
				h.lost = lost
			}
		}
	}
	goesOn := func(w fate) {
		me := life[w.server]
		for scope, h := range holds {
			if h.life == me && h.lost.IsZero() && !slices.Contains(w.scopes, scope) {
				delete(holds, scope)
			}
		}
		for _, scope := range w.scopes {
			if h := holds[scope]; h != nil && h.life != me && !h.lost.IsZero() {
				from := slices.MaxFunc([]time.Time{h.lost, awake[me]}, time.Time.Compare)
				found = append(found, handOver{scope, h.life, me, w.at.Sub(from)})
			}
			holds[scope] = &hold{life: me}
		}
	}
	for _, f := range slices.SortedStableFunc(slices.Values(fates), func(a, b fate) int { return a.at.Compare(b.at) }) {
		if f.what == "works" {
			goesOn(f)
		} else {
			happens(f)
		}
	}
	return found
}

// TestHandOversAreSeen: another goes on for a serve that is killed, and none for one that is awake again before that.
func TestHandOversAreSeen(t *testing.T) {
	log := []byte(`{"time":"2026-11-21T09:00:01Z","msg":"works","for":"prod, web"}` + "\n" + `{"time":"2026-11-21T09:00:3`)
	worked := worksIn(1, log)
	worked = append(worked, worksIn(2, []byte(`{"time":"2026-11-21T09:00:02Z","msg":"stands by: another works"}`+"\n"+
		`{"time":"2026-11-21T09:00:20Z","msg":"works","for":"prod, web"}`+"\n"))...)
	got := handOvers(append(worked,
		fate{at: at(0), server: 1, life: "ebb1x1", what: "started"}, fate{at: at(0), server: 2, life: "ebb2x1", what: "started"},
		fate{at: at(5), server: 1, life: "ebb1x1", what: "paused"}, fate{at: at(6), server: 1, life: "ebb1x1", what: "resumed"},
		fate{at: at(10), server: 1, life: "ebb1x1", what: "crashed"}, fate{at: at(12), server: 1, life: "ebb1x2", what: "started"},
	))
	want := []handOver{{"prod", "ebb1x1", "ebb2x1", 10 * time.Second}, {"web", "ebb1x1", "ebb2x1", 10 * time.Second}}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
