// Package desired is the ledger of the desired count of ECS services: who has raised the count of a service, by how much and until when,
// and what is to be set so that all of it is put back exactly once.
//
// It is pure. It never calls ECS and never stores anything: Decide returns the entry as it is to be stored, and the count that may be set
// once it is. It knows nothing of why a count is raised.
//
// The rules:
//
//   - What is set is always the base, which is the count without what is raised, plus all that is raised now: an absolute value, so that
//     what is set twice is set once. A raise ends when its time is over or when it is dropped. Then the sum is smaller: that is how it
//     is put back.
//   - A count is noted before it is set. While it is not known what became of it, nothing else is set: a look comes first. It begins so
//     late that the call has taken effect, or never will.
//   - ECS's reads lag behind its writes. A look counts only if it began Lag after what is known from our own calls.
//   - Somebody else has set the count when a look that counts shows neither the count that was known nor the one that was noted. What
//     they set stands: it is the new base, whether it is higher or lower than before. It may have been chosen with our raises in it or
//     without; to take them out of it would undo a part of what somebody wanted. So nothing of these raises is taken back any more, and
//     none of them is made again: they are void.
//   - Nothing is raised on a base of 0, for somebody has stopped the service; unless the service is there only to be raised (FromZero). A
//     raise never brings the count above Max; a base that is higher is left as it is.
//   - Unknown is never zero: what was not seen changes nothing. A service that is absent has no entry.
//
// What it cannot do: ECS has no conditional write. What somebody else sets within Lag and Fresh before our own call is lost, as with any
// two that write; and a count that somebody sets to the very value that is there, or that stood before a call of which the outcome is
// unclear, cannot be told from ours.
package desired

import (
	"slices"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
)

// Policy says what is possible and allowed for a service.
type Policy struct {
	Max      int           // no raise brings the count above it; 0: there is none
	FromZero bool          // a base of 0 is raised too
	Lag      time.Duration // how long reads may lag behind writes
	Limit    time.Duration // the longest time from a call's beginning to its effect
	Fresh    time.Duration // how old the look may be on which a count is set
	Skew     time.Duration // how far apart the clocks of two Ebbs may be: another one may have stored the entry
}

// Raise is one reason for which the count is higher than its base.
type Raise struct {
	Who   string    `json:"who"` // its only name: who asks again changes By, and adds nothing
	By    int       `json:"by"`
	Until time.Time `json:"until,omitzero"` // zero: until it is dropped
	In    time.Time `json:"in,omitzero"`    // when the first count was noted that has it in; zero: none has
	Void  bool      `json:"void,omitempty"` // somebody else has set the count since: it is neither taken back nor made again
}

// Write is a count that was noted and may have been set.
type Write struct {
	To int       `json:"to"`
	At time.Time `json:"at"` // when it was noted; the call begins afterwards
}

// Entry is what is remembered of one service. The zero entry knows nothing. Fields may be added; the record that holds it has the version.
type Entry struct {
	Base   int       `json:"base"`
	Count  int       `json:"count"`          // as far as is known, before Write
	Sure   time.Time `json:"sure,omitzero"`  // looks that began earlier may show an older count; zero: Base and Count are not known
	Told   time.Time `json:"told,omitzero"`  // when Count was the answer to our own call
	Write  Write     `json:"write,omitzero"` // zero: there is none of which the outcome is open
	Raises []Raise   `json:"raises,omitempty"`
}

// Step is what is to be done.
type Step struct {
	Set     bool      // set the count of Write, once the entry is stored
	Look    time.Time // from when on a look at the count is needed; zero: none is
	Again   time.Time // when the next raise ends; zero: none does by itself
	Adopted bool      // somebody else has set the count: Base
	Void    []string  // whose raises are void by that
	Back    []string  // whose raises have ended, and are taken back by the next count that is set
	Gone    bool      // the service is not there any more: the entry is zero
}

// Outcome is what became of a call.
type Outcome uint8

// The outcomes.
const (
	Unclear Outcome = iota // it may have had an effect
	Done
	Refused // it had no effect
)

// Raise asks for a raise. If the same one has asked before, the amount changes and the end does not. An amount of 0 changes nothing.
func (e Entry) Raise(r Raise) Entry {
	if r.By <= 0 {
		return e
	}
	e.Raises = slices.Clone(e.Raises)
	if i := slices.IndexFunc(e.Raises, func(x Raise) bool { return x.Who == r.Who }); i >= 0 {
		e.Raises[i].By = r.By
		return e
	}
	e.Raises = append(e.Raises, Raise{Who: r.Who, By: r.By, Until: r.Until})
	return e
}

// Raised is by how much the count is raised now, or is to be.
func (e Entry) Raised() (by int) {
	for _, r := range e.Raises {
		if !r.Void {
			by += r.By
		}
	}
	return by
}

// Aim changes the base: the count that a service is to have without what is raised.
func (e Entry) Aim(to int) Entry {
	e.Base = to
	return e
}

// Busy reports whether the count that is wanted has not been set yet, or what became of that is not known.
func (e Entry) Busy(p Policy) bool { return !e.Write.At.IsZero() || e.want(p) != e.Count }

// Drop ends a raise at a time, unless it ends earlier.
func (e Entry) Drop(who string, at time.Time) Entry {
	e.Raises = slices.Clone(e.Raises)
	for i, r := range e.Raises {
		if r.Who == who && !r.ended(at) {
			e.Raises[i].Until = at
		}
	}
	return e
}

func (r Raise) ended(now time.Time) bool { return !r.Until.IsZero() && !now.Before(r.Until) }

// Resume is an entry that was read from the journal. Another Ebb may have stored it, by a clock that differs by up to Skew, and its call may
// be under way: its times are taken for as late as they can have been.
func (e Entry) Resume(p Policy, now time.Time) Entry {
	e.Raises = slices.Clone(e.Raises)
	late := func(at, latest time.Time) time.Time {
		if at = at.Add(p.Skew); at.After(latest) {
			return latest
		}
		return at
	}
	if was := e.Write.At; !was.IsZero() {
		e.Write.At = late(was, now)
		for i, r := range e.Raises {
			if r.In.Equal(was) {
				e.Raises[i].In = e.Write.At
			}
		}
	}
	if !e.Sure.IsZero() {
		e.Sure, e.Told = late(e.Sure, now.Add(p.Lag)), time.Time{}
	}
	return e
}

// Over reports whether there is nothing left to remember. A look that begins from now on shows the count as it is.
func (e Entry) Over(now time.Time) bool {
	return len(e.Raises) == 0 && e.Write.At.IsZero() && e.Count == e.Base && !now.Before(e.Sure)
}

// Did takes in what became of the call that set w. It may be told late and twice.
func (e Entry) Did(w Write, o Outcome, p Policy, now time.Time) Entry {
	if w.At.IsZero() || e.Write.To != w.To || !e.Write.At.Equal(w.At) {
		return e
	}
	switch o {
	case Done:
		e.Count, e.Write, e.Sure, e.Told = w.To, Write{}, now.Add(p.Lag), now
	case Refused:
		e = e.unmade()
	case Unclear:
	}
	return e
}

// unmade is the entry after a write without effect, if there was one.
func (e Entry) unmade() Entry {
	e.Raises = slices.Clone(e.Raises)
	for i, r := range e.Raises {
		if r.In.Equal(e.Write.At) {
			e.Raises[i].In = time.Time{}
		}
	}
	e.Write = Write{}
	return e
}

// Decide says what is to be done about a service of which seen is the count that ECS shows. Its result depends on nothing else.
func (e Entry) Decide(seen fleet.Fact[int], p Policy, now time.Time) (Entry, Step) {
	e, s := e.learn(seen, p)
	e = e.end(now, &s)
	want := e.want(p)
	switch {
	case !e.Write.At.IsZero():
		s.Look = e.from(p)
	case want == e.Count && (len(e.Raises) == 0 || !e.Sure.IsZero()):
	case e.fresh(seen, p, now):
		e.Write, s.Set = Write{To: want, At: now}, true
		for i, r := range e.Raises {
			if r.In.IsZero() {
				e.Raises[i].In = now
			}
		}
	default:
		s.Look = now
	}
	return e, s
}

// learn takes in a look that says something new.
func (e Entry) learn(seen fleet.Fact[int], p Policy) (Entry, Step) {
	if seen.Is == fleet.Unknown || seen.At.Before(e.from(p)) {
		return e, Step{}
	}
	if seen.Is == fleet.Absent {
		return Entry{}, Step{Gone: true}
	}
	var s Step
	switch {
	case e.Sure.IsZero():
		e.Base, e.Count = seen.Value, seen.Value
	case !e.Write.At.IsZero() && seen.Value == e.Write.To:
		e.Count, e.Write = seen.Value, Write{}
	case seen.Value == e.Count:
		e = e.unmade()
	default:
		e, s = e.adopt(seen.Value)
	}
	e.Sure = seen.At
	return e, s
}

// adopt takes a count that somebody else has set for the base.
func (e Entry) adopt(count int) (Entry, Step) {
	s := Step{Adopted: true}
	e.Base, e.Count, e.Write, e.Raises = count, count, Write{}, slices.Clone(e.Raises)
	for i, r := range e.Raises {
		if !r.In.IsZero() && !r.Void {
			e.Raises[i].Void = true
			s.Void = append(s.Void, r.Who)
		}
	}
	return e, s
}

// end removes the raises that have ended, and says when the next one does.
func (e Entry) end(now time.Time, s *Step) Entry {
	var rest []Raise
	for _, r := range e.Raises {
		switch {
		case !r.ended(now):
			rest = append(rest, r)
			if !r.Until.IsZero() && (s.Again.IsZero() || r.Until.Before(s.Again)) {
				s.Again = r.Until
			}
		case !r.In.IsZero() && !r.Void:
			s.Back = append(s.Back, r.Who)
		}
	}
	e.Raises = rest
	return e
}

// want is the count that the service is to have.
func (e Entry) want(p Policy) int {
	want := e.Base
	if e.Base > 0 || p.FromZero {
		want += e.Raised()
	}
	if p.Max > 0 {
		want = max(e.Base, min(want, p.Max))
	}
	return want
}

// from is when a look may begin that says something new.
func (e Entry) from(p Policy) time.Time {
	if !e.Write.At.IsZero() {
		return e.Write.At.Add(p.Limit + p.Lag)
	}
	return e.Sure
}

// fresh reports whether the count is known well enough to be set: by a look that counts, or by the answer to our own call, which no look
// can contradict yet.
func (e Entry) fresh(seen fleet.Fact[int], p Policy, now time.Time) bool {
	return now.Before(e.Told.Add(p.Lag)) || seen.Is == fleet.Seen && !seen.At.Before(e.Sure) && now.Sub(seen.At) <= p.Fresh
}
