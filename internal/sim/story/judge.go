package story

import (
	"slices"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/event"
	"github.com/ebbhq/ebb/internal/sim/core"
)

// Evidence is what a run of Ebb leaves behind, in virtual or in real time: all that the invariants are judged by.
//
// The record is the world's own. The driver writes into it what the world cannot know: EntryController when an Ebb started, crashed
// (or was paused) or resumed, By the name that this Ebb calls under; EntryJournal when a drain became durable. The name of an Ebb is
// "ebb", or begins so and goes on with a hyphen or a digit.
type Evidence struct {
	Ebb       Ebb                      // how Ebb was set up
	Record    []core.Entry             // in order of time
	Ended     []drain.Drain            // the drains of the journal that have ended
	Open      []drain.Drain            // and those that have not
	Messages  map[string]event.Event   // what the messages of the queue said, by message id
	Heartbeat map[string]time.Duration // timeout of the hook that Ebb owns, by group
	Excluded  map[string]bool          // groups with the tag that excludes them
	Away      []Fault                  // those that took the journal away, with From and Until
	Slow      []Fault                  // those that made calls of AWS slow, with From and Until
	Names     map[string]string        // what people call an instance; where there is none it is its id

	// Posthumous says, by instance, when an answer arrived whose process had died after it sent it. The next process, of the same name, did
	// not send it.
	Posthumous map[string]time.Time

	Pauses    []Pause      // of Ebb by an operator
	Overrides []Overriding // of bounds, by an operator

	SpotStatusLate time.Duration    // see the switch
	Least          map[string]Least // of target groups
	Raised         bool             // the journal has an open record about a desired count

	Start, End time.Time // of the run
	LastFault  time.Time // when something was last made to fail; what is promised in time counts from then
	Running    bool      // an Ebb ran at the end

	Speed float64 // of the world against the clock of leases, which is real time for processes; 0: 1
}

// Pause is a time in which an operator lets no instance of a scope begin to leave.
type Pause struct {
	Scope       string
	From, Until time.Time
}

// Judge checks what must always hold, as functions over the evidence. The numbers are those of docs/ARCHITECTURE.md.
func Judge(e Evidence) []Violation {
	p := &past{
		Evidence: e, hosts: map[string]*hostPast{}, tasks: map[string]*taskPast{}, open: map[string]*wait{}, looked: map[string]bool{}, swept: map[string]time.Time{},
		deletions: map[string]bool{}, sizes: map[string][]size{}, idle: map[string]time.Time{}, leaves: map[string][]string{},
		counts: map[string]*countPast{}, alarms: map[string]*alarmPast{}, capacity: true, crowds: map[string]crowd{}, outOnce: map[string]bool{},
	}
	p.drains = append(slices.Clone(p.Ended), p.Open...)
	for _, e := range p.Record {
		if counting(p, e) {
			continue
		}
		p.take(e)
		switch e.Kind {
		case core.EntryContainer, core.EntryHook, core.EntryLifecycle, core.EntryInstance, core.EntryAgent:
			p.queues(e.At)
		case core.EntryJournal:
			if e.To == "let go" {
				p.queues(e.At)
			}
		}
	}
	p.queues(p.End)
	p.answeredInTime()
	agentsAnswered(p)
	obeyed(p)
	obeyedOnce(p)
	p.endedWell()
	outInTime(p)
	leavesInTime(p)
	rehearsedToTheEnd(p)
	oneDrain(p)
	p.now = p.End
	putBack(p)
	scales(p)
	return p.bad
}

// byEbb reports whether a caller in the record is an Ebb.
func byEbb(name string) bool {
	rest, ok := strings.CutPrefix(name, caller)
	return ok && (rest == "" || rest[0] == '-' || rest[0] >= '0' && rest[0] <= '9')
}
