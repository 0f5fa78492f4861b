package engine

import (
	"time"

	"github.com/ebbhq/ebb/internal/journal"
)

// Meter is told what happens, to count it. Its methods return at once, may be called from any goroutine, and change nothing for Ebb.
type Meter interface {
	Wrote(b journal.Batch)          // a batch is durable
	Turned(f Facts)                 // the loop has turned, or a pass is over
	JournalFailed()                 // or another Ebb has written it meanwhile
	Told(route string, o Telling)   // it was tried to send a notice
	Waiting(notices map[string]int) // what is left in the outbox, by route
}

// Telling is what came of an attempt to send a notice.
type Telling string

// What can come of it.
const (
	Sent      Telling = "sent"
	Failed    Telling = "failed" // it is tried again
	Discarded Telling = "discarded"
)

// Facts are what holds at one turn of the loop.
type Facts struct {
	Loaded bool           // the journal was read, and is not forgotten
	Away   error          // why the journal cannot say who holds the leases; nil: it can
	Leases int            // under which the kernel works
	Open   map[string]int // drains in progress, by scope
	Oldest time.Duration  // how long the oldest of them has been
}

// meterEvery bounds how often the loop tells its facts: they cost a walk over all drains.
const meterEvery = time.Second

// facts are those of now.
func (c *Core) facts() Facts {
	f := Facts{Loaded: c.Kernel != nil, Away: c.Leases.Err()}
	if c.Works() {
		f.Leases = len(c.under)
		f.Open, f.Oldest = c.Kernel.Oldest(c.cfg.Now())
	}
	return f
}

// meter tells the facts.
func (e *Engine) meter() {
	if now := e.cfg.Clock(); now.Sub(e.metered) >= meterEvery {
		e.metered = now
		e.cfg.Meter.Turned(e.core.facts())
	}
}

// unmetered counts nothing.
type unmetered struct{}

func (unmetered) Wrote(journal.Batch)    {}
func (unmetered) Turned(Facts)           {}
func (unmetered) JournalFailed()         {}
func (unmetered) Told(string, Telling)   {}
func (unmetered) Waiting(map[string]int) {}
