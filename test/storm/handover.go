package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// fate is something that happened to a serve, in real time.
type fate struct {
	at     time.Time
	server int
	life   string
	what   string // started, crashed, ended, paused, resumed
}

// works is a line in the log of a serve: for which scopes it works from then on. None: it stands by.
type works struct {
	at     time.Time
	server int
	scopes []string
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
func worksIn(server int, log []byte) []works {
	var all []works
	for line := range bytes.Lines(log) {
		var l struct {
			Time     time.Time
			Msg, For string
		}
		switch err := json.Unmarshal(line, &l); {
		case err != nil: // a line that a kill has cut off
		case l.Msg == "works":
			all = append(all, works{l.Time, server, strings.Split(l.For, ", ")})
		case strings.HasPrefix(l.Msg, "stands by"):
			all = append(all, works{at: l.Time, server: server})
		}
	}
	return all
}

// handOvers follows who works for which scope. A serve that is killed, ended or put to sleep while it works has to be followed by
// another; if it is resumed before one has, it is there again.
func handOvers(fates []fate, worked []works) []handOver {
	type loss struct {
		life string
		at   time.Time
	}
	var (
		found []handOver
		life  = map[int]string{}       // by server
		awake = map[string]time.Time{} // since when, by life
		holds = map[string]string{}    // life by scope
		lost  = map[string]loss{}      // by scope
	)
	happens := func(f fate) {
		switch f.what {
		case "started", "resumed":
			life[f.server], awake[f.life] = f.life, f.at
			for scope, l := range lost {
				if l.life == f.life {
					delete(lost, scope)
				}
			}
		default:
			for scope, holder := range holds {
				if _, already := lost[scope]; holder == f.life && !already {
					lost[scope] = loss{f.life, f.at}
				}
			}
		}
	}
	goesOn := func(w works) {
		me := life[w.server]
		for scope, holder := range holds {
			if holder == me && !slices.Contains(w.scopes, scope) && lost[scope].life != me {
				delete(holds, scope)
			}
		}
		for _, scope := range w.scopes {
			if l, ok := lost[scope]; ok && l.life != me {
				from := l.at
				if awake[me].After(from) {
					from = awake[me]
				}
				found = append(found, handOver{scope, l.life, me, w.at.Sub(from)})
			}
			delete(lost, scope)
			holds[scope] = me
		}
	}
	type moment struct {
		at   time.Time
		then func()
	}
	var all []moment
	for _, w := range worked {
		all = append(all, moment{w.at, func() { goesOn(w) }})
	}
	for _, f := range fates {
		all = append(all, moment{f.at, func() { happens(f) }})
	}
	slices.SortStableFunc(all, func(a, b moment) int { return a.at.Compare(b.at) })
	for _, m := range all {
		m.then()
	}
	return found
}

// handedOver blames hand-overs that took too long.
func handedOver(r remains) []string {
	var bad []string
	for _, h := range r.handed {
		if h.took > mostHandOver {
			bad = append(bad, fmt.Sprintf("%s went on for %s with %s only after %s", h.to, h.from, h.scope, h.took.Round(time.Millisecond)))
		}
	}
	return bad
}

// slowest is the hand-over that took longest.
func slowest(hs []handOver) time.Duration {
	if len(hs) == 0 {
		return 0
	}
	return slices.MaxFunc(hs, func(a, b handOver) int { return cmp.Compare(a.took, b.took) }).took
}
