package kernel

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/plain"
)

// Pause is an operator's word that no instance of a scope begins to leave for a while. What has begun goes on: heartbeats and answers that
// are due are sent. It is a record of its own in the journal, open until somebody takes it back or its time is over. The command line
// writes it under no lease.
type Pause struct {
	Scope   string    `json:"scope"`
	By      string    `json:"by"` // user@host
	Message string    `json:"message,omitempty"`
	Since   time.Time `json:"since"` // by the clock of whoever wrote it
	Until   time.Time `json:"until"` // no later than LongestPause after Since
}

// LongestPause is how long a pause lasts at most.
const LongestPause = 24 * time.Hour

// PauseID is the ID of a forwarded message that says only that the pause of a scope has changed.
const PauseID = "pause"

// newestPause is the newest version of the record of a pause that this Ebb reads.
const newestPause = 1

// pauseKind is the kind of a record that is a pause.
const pauseKind = "pause"

// storedPause is the form of a pause's body.
type storedPause struct {
	form
	Pause
}

// ReadPause reads the pause in a record; false: the record is about something else.
func ReadPause(r journal.Record) (Pause, bool) {
	var s storedPause
	if !strings.HasPrefix(r.Key, pauseKind+":") || json.Unmarshal(r.Body, &s) != nil {
		return Pause{}, false
	}
	return s.bounded(plain.Short, plain.Short), s.Kind == pauseKind && s.Version <= newestPause && s.Scope == r.Scope
}

// Pauses reads the pauses among open records, by scope.
func Pauses(open []journal.Record) []Pause {
	var all []Pause
	for _, r := range open {
		if p, ok := ReadPause(r); ok {
			all = append(all, p)
		}
	}
	return all
}

// bounded is the pause with texts that may be shown, of so many characters at most, and no longer than a pause lasts.
func (p Pause) bounded(by, message int) Pause {
	p.By, p.Message = plain.Text(p.By, by), plain.Text(p.Message, message)
	if most := p.Since.Add(LongestPause); p.Until.After(most) {
		p.Until = most
	}
	return p
}

// String says who has paused it, until when, and why.
func (p Pause) String() string {
	text := "paused by " + p.By + " until " + p.Until.UTC().Format("2006-01-02 15:04:05 UTC")
	if p.Message != "" {
		text += ": " + p.Message
	}
	return text
}

// record is the pause as a record of the revision after another. One that is not open was taken back, or is over.
func (p Pause) record(after int64, open bool) journal.Record {
	body, err := json.Marshal(storedPause{form{Kind: pauseKind}, p.bounded(100, 200)})
	if err != nil {
		panic(err) // a struct of strings and times always marshals
	}
	return journal.Record{Key: pauseKind + ":" + p.Scope + "/1", Scope: p.Scope, Rev: after + 1, Open: open, Body: body}
}

// Begin is what to write so that some scopes are paused as p says, whether or not they are now. open are the open records of the journal.
func (p Pause) Begin(open []journal.Record, scopes []string) (b journal.Batch) {
	for _, scope := range scopes {
		var after int64
		for _, r := range open {
			if was, ok := ReadPause(r); ok && was.Scope == scope {
				after = r.Rev
			}
		}
		p.Scope = scope
		add(&b, p.record(after, true), "paused", scope+" is "+p.bounded(100, 200).String(), p.Since)
	}
	return b
}

// Resume is what to write so that some scopes are not paused any more, and which of them were.
func Resume(open []journal.Record, scopes []string, by string, now time.Time) (b journal.Batch, was []Pause) {
	for _, r := range open {
		if p, ok := ReadPause(r); ok && slices.Contains(scopes, p.Scope) {
			was = append(was, p)
			add(&b, p.record(r.Rev, false), "resumed", p.Scope+" is resumed by "+plain.Text(by, 100)+"; it was "+p.String(), now)
		}
	}
	return b, was
}

// add adds a change of a pause: its record, the line that tells of it, and the message that makes whoever works for the scope read it.
func add(b *journal.Batch, r journal.Record, kind, text string, now time.Time) {
	b.Records = append(b.Records, r)
	b.Lines = append(b.Lines, journal.Line{At: now, Kind: kind, Text: text})
	b.Forwarded = append(b.Forwarded, journal.Forwarded{Scope: r.Scope, ID: PauseID, Sent: now})
}

// paused is a pause as this kernel knows it.
type paused struct {
	Pause
	rev  int64
	over time.Time // by the clock of this Ebb
}

// SetPauses takes over the pauses and overrides of its scopes among the open records of the journal.
func (k *Kernel) SetPauses(open []journal.Record) {
	setOverrides(k, open)
	was := k.paused
	k.paused = map[string]paused{}
	for _, r := range open {
		p, ok := ReadPause(r)
		if !ok || !k.cfg.mine(p.Scope) {
			continue
		}
		k.paused[p.Scope] = paused{p, r.Rev, p.Until.Add(k.cfg.Skew)}
	}
	for _, e := range k.sorted {
		e.dirty = e.dirty || was[e.scope] != k.paused[e.scope]
	}
}

// Paused are the pauses of its scopes, by scope.
func (k *Kernel) Paused() []Pause {
	var all []Pause
	for _, scope := range slices.Sorted(maps.Keys(k.paused)) {
		all = append(all, k.paused[scope].Pause)
	}
	return all
}

// pauseOf is the pause of the scope of a drain, as a decision reads it.
func (k *Kernel) pauseOf(e *entry) (s drain.Slot) {
	if p, ok := k.paused[e.scope]; ok {
		s.Paused, s.Until = e.scope+" is "+p.String(), p.over
	}
	return s
}

// endPauses ends the pauses whose time is over.
func (k *Kernel) endPauses(now time.Time) (ended []journal.Record) {
	for _, scope := range slices.Sorted(maps.Keys(k.paused)) {
		p := k.paused[scope]
		if now.Before(p.over) {
			continue
		}
		ended = append(ended, p.record(p.rev, false))
		k.line(now, "", "resumed", "the pause of "+scope+" is over; it was "+p.String())
		delete(k.paused, scope) // the drains that wait for it wake at its end by themselves
	}
	return append(ended, endOverrides(k, now)...)
}
