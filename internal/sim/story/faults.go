package story

import (
	"path"
	"slices"
	"time"

	"github.com/ebbhq/ebb/internal/sim/wire"
)

// hows are the ways in which a call goes wrong.
var hows = map[string]wire.FaultKind{
	"throttle": wire.Throttle, "error": wire.ErrorBefore, "error-after": wire.ErrorAfter, "timeout": wire.TimeoutBefore,
	"timeout-after": wire.TimeoutAfter, "stale": wire.Stale, "drop-page": wire.DropPage, "stale-token": wire.StaleToken,
	"item": wire.ItemFailure,
}

// The places at which a crash or a journal failure strikes.
const (
	beforeWrite = "before-write" // nothing of the batch is durable
	afterWrite  = "after-write"  // durable, but no message settled and no order sent
	afterSettle = "after-settle" // messages settled, no order sent
	afterSend   = "after-send"   // orders sent, their results lost
)

func knownHow(f Fault) bool {
	switch f.Op {
	case "crash":
		return f.How == beforeWrite || f.How == afterWrite || f.How == afterSettle || f.How == afterSend
	case "calls":
		return f.How == "slow"
	case "discard":
		return f.How == "error"
	case "lease", "notify":
		return f.How == "error" || f.How == "error-after"
	case "journal":
		return slices.Contains([]string{"error", "error-after", "conflict", "away", "slow", "hang", "refuse", "refuse-line"}, f.How)
	}
	_, ok := hows[f.How]
	return ok
}

// dice are numbers that depend on the seed and on how often they were thrown, and on nothing else.
type dice struct{ state uint64 }

func (d *dice) next() uint64 {
	d.state += 0x9e3779b97f4a7c15
	z := d.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// newDice makes dice for a seed. Neighbouring seeds must not share numbers, so the seed is mixed first.
func newDice(seed uint64) dice {
	d := dice{seed ^ 0x5851f42d4c957f2d}
	return dice{d.next() ^ d.next()<<1}
}

// n is a number from 0 to max-1.
func (d *dice) n(max int) int {
	if max <= 0 {
		return 0
	}
	return int(d.next() % uint64(max))
}

// percent reports true in p of 100 throws.
func (d *dice) percent(p int) bool { return d.n(100) < p }

// between is a duration in [a, b), in milliseconds.
func (d *dice) between(a, b time.Duration) time.Duration {
	return a + time.Duration(d.n(int((b-a)/time.Millisecond)))*time.Millisecond
}

// strikes reports whether a fault hits now, and counts it.
func (r *run) strikes(i int, name string) bool {
	f := r.s.Faults[i]
	since := r.w.Now().Sub(r.start)
	if since < f.From || f.Until > 0 && since >= f.Until || f.Times > 0 && r.struck[i] >= f.Times {
		return false
	}
	if ok, _ := path.Match(f.Op, name); !ok || f.Percent > 0 && !r.dice.percent(f.Percent) {
		return false
	}
	r.struck[i]++
	r.cover["fault "+f.Op+" "+f.How]++
	r.cover["any "+f.How]++
	r.lastFault = r.w.Now()
	return true
}

// fault says what goes wrong with one of Ebb's calls.
func (r *run) fault(req wire.Request) wire.Fault {
	for i, f := range r.s.Faults {
		if r.strikes(i, req.Name()) {
			return wire.Fault{Kind: hows[f.How], Lag: f.Lag, Item: r.dice.n(100)}
		}
	}
	return wire.Fault{}
}

// faultOf is the fault that hits the journal, a claim or, in its nth step, the process; zero: none.
func (r *run) faultOf(op string, nth int) Fault {
	for i, f := range r.s.Faults {
		if f.Op == op && f.Nth == nth && r.strikes(i, op) {
			return f
		}
	}
	return Fault{}
}
