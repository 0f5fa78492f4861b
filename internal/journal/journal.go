// Package journal says what a journal is: the records of open drains and an append-only history, which are written together or not at all;
// the leases, which say which Ebb works for a scope; and the messages that Ebbs forward to each other. Its sub-packages keep a journal in
// memory, in SQLite and in DynamoDB.
//
// It never decides, and nothing that is only in the journal is needed to end a drain safely.
package journal

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// Schema is the version of the layout of a store: its tables, items and keys. A newer one is refused at start, an older one is brought to
// this one. What is in the body of a record has a version of its own, which its owner writes and reads.
const Schema = 2

// ErrConflict: another writer changed a record or lease since it was read. Forget what was read, load it again, and decide again.
var ErrConflict = errors.New("journal: changed by another writer")

// ErrNewer: the journal was written by a newer Ebb.
var ErrNewer = errors.New("journal: written by a newer version of Ebb")

// ErrGone: the journal was removed or replaced, and what is written to it is lost. It must be opened again.
var ErrGone = errors.New("journal: removed or replaced while it was open")

// Record is the remembered part of one drain.
type Record struct {
	// Key is the stable name of the drain: its subject, a slash, and which drain of that subject it is. The subject of a host is its group, a
	// slash, and its instance. That of another kind begins with the kind and a colon, which no group has in its name.
	Key   string
	Scope string // to which lease it belongs
	Rev   int64  // 1 for a new record; it rises by one with each write
	Open  bool   // false once the drain has ended
	Body  []byte // JSON, the core's own form; it says its kind and version
}

// Subject is what the drain is about, such as group and instance: the key without its last part. A key of one part is its own subject.
func (r Record) Subject() string {
	if i := strings.LastIndexByte(r.Key, '/'); i >= 0 {
		return r.Key[:i]
	}
	return r.Key
}

// Line is one line of history: what was heard, decided or done.
type Line struct {
	Seq  int64 // set by the store: higher than those of the lines that the same Ebb wrote before
	At   time.Time
	Key  string // the drain, or empty
	Kind string // heard, draining, waiting, answer, answered, ended, foreign, ...
	Text string // one sentence for people
	Data []byte // JSON with the details, or nil
}

// Lease says which Ebb works for a scope. Scope, Fence and Beat identify it.
type Lease struct {
	Scope  string
	Holder string        // name of the process; empty: nobody
	Fence  int64         // rises by one with each new holder, and never falls
	Beat   int64         // rises by one each time the lease is claimed, renewed or given up, and never falls
	For    time.Duration // how long the lease lasts after a beat
	At     time.Time     // of the beat, by the holder's clock
}

// Forwarded is a message that one Ebb received and another, the holder of a scope, is to handle.
type Forwarded struct {
	Scope string
	ID    string // of the message; Scope and ID identify it, so that a message that comes twice is forwarded once
	Body  string
	Sent  time.Time
}

// Same reports whether two are the same message for the same scope.
func (f Forwarded) Same(o Forwarded) bool { return f.Scope == o.Scope && f.ID == o.ID }

// Batch is one atomic write. If one of these rules is broken, nothing at all is written and the error is ErrConflict:
//
//   - A record with Rev n > 1 replaces the open record of its key with Rev n-1. A record that has ended has no further revision.
//   - A record with Rev 1 is new: there is no open record of its key. There may be one that has ended, unless this batch ended it. The new
//     record takes its place; until the new one ends as well, a store may still show the old one among those that ended.
//   - No two open records have the same subject: two writers may learn of one leaving instance in different ways, and name its drain
//     differently.
//   - Each lease in Under has the Holder and Fence that are stored: a holder may have been replaced without knowing it.
//
// A store that cannot write many records at once writes a batch of more than MaxAtomic records in parts: what is forwarded first, then each
// record with the lines of its key. Then a failure may leave some parts written, as if the writer had died between them.
type Batch struct {
	Under     []Lease
	Records   []Record
	Lines     []Line
	Forwarded []Forwarded // for the holders of other scopes
}

// MaxAtomic is how many records every store writes at once, each with a lease and together with lines of 1 MB. A transaction of DynamoDB
// takes 100 items, and a record that ends is two.
const MaxAtomic = 30

// Empty reports whether there is nothing to write.
func (b Batch) Empty() bool { return len(b.Records) == 0 && len(b.Lines) == 0 && len(b.Forwarded) == 0 }

// Query selects history.
type Query struct {
	Key   string    // of one drain; empty: all
	Since time.Time // zero: from the beginning
	After int64     // only lines with a higher Seq
	Limit int       // at most this many, the newest; 0: all
}

// Store keeps a journal. When Write has returned nil the batch is durable. It is safe for concurrent use, also by several processes where
// the store itself can be shared.
type Store interface {
	// Open returns all open records, by key.
	Open(ctx context.Context) ([]Record, error)
	// Recent returns the records of drains that ended, the newest first, at most limit; limit 0 means all that are kept. Newest is by the
	// order of the writes and not by any clock. Of a key that was used again it has the newest record only.
	Recent(ctx context.Context, limit int) ([]Record, error)
	// Write writes the batch, all of it or nothing. Of a batch that the store will never take the error is a *Refused; see Check.
	Write(ctx context.Context, b Batch) error
	// History returns lines, oldest first.
	History(ctx context.Context, q Query) ([]Line, error)
	// Leases returns the leases of all scopes that ever had one, by scope.
	Leases(ctx context.Context) ([]Lease, error)
	// Claim replaces the lease that was read; that is the zero Lease where there was none. If another lease is stored by now, the error is
	// ErrConflict.
	Claim(ctx context.Context, was, is Lease) error
	// Forwarded returns the messages that were forwarded to some scopes, the oldest first.
	Forwarded(ctx context.Context, scopes []string) ([]Forwarded, error)
	// Discard removes forwarded messages. A message that is not there is no error.
	Discard(ctx context.Context, messages []Forwarded) error
	// Close releases the journal.
	Close() error
}

// What every store takes. DynamoDB sets most of the limits: a sort key has 1,024 bytes at most, and of a drain that ended it holds a number
// beside the key.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
const (
	// MaxBody is how many bytes the body of a record, the data of a line and the body of a forwarded message may have.
	MaxBody = 128 << 10
	// MaxKey is how many bytes the key of a record or line, a scope and the id of a forwarded message may have.
	MaxKey = 900
	// MaxKind is how many bytes the kind of a line may have.
	MaxKind = 100
	// MaxText is how many bytes the text of a line may have.
	MaxText = 64 << 10
	// MaxLines is how many lines of one key a batch may have, and MaxLineBytes how many bytes they may have together.
	MaxLines     = 1000
	MaxLineBytes = 1 << 20
)

// SetAside is the kind of the line that stands in place of what a store never takes.
const SetAside = "set-aside"

// HostLine is the kind of the line that says what the steps on a host did; its data is an event.Transcript.
const HostLine = "host"

// Part is a kind of thing that a batch is made of.
type Part string

// The parts of a batch.
const (
	RecordPart    Part = "record"
	LinePart      Part = "line"
	ForwardedPart Part = "forwarded message"
)

// Refused is the error of a batch that the store will never take, however often it is tried. Nothing of the batch was written.
type Refused struct {
	Part  Part   // what is at fault; empty: the store did not say
	Index int    // which of its kind
	Name  string // key of the record or line, id of the message
	Why   string
}

// Error names what is at fault.
func (r *Refused) Error() string {
	if r.Part == "" {
		return "the journal can never take this: " + r.Why
	}
	return fmt.Sprintf("the journal can never take %s %s: %s", r.Part, short(r.Name), r.Why)
}

// short is a name as an error shows it.
func short(name string) string {
	const most = 100
	if len(name) <= most {
		return fmt.Sprintf("%q", name)
	}
	return fmt.Sprintf("%q... (%d bytes)", name[:most], len(name))
}

// Check reports what no store takes of a batch: the error is a *Refused, which names the first record, line or forwarded message at fault.
// Every store calls it before it writes.
func Check(b Batch) error {
	for i, r := range b.Records {
		why := first(name("key", r.Key, 1), name("scope", r.Scope, 0), size("body", len(r.Body), MaxBody))
		if why != "" {
			return &Refused{RecordPart, i, r.Key, why}
		}
	}
	count, bytes := map[string]int{}, map[string]int{}
	for i, l := range b.Lines {
		count[l.Key]++
		bytes[l.Key] += len(l.Text) + len(l.Data)
		why := first(name("key", l.Key, 0), size("kind", len(l.Kind), MaxKind), words("kind", l.Kind),
			size("text", len(l.Text), MaxText), words("text", l.Text), size("data", len(l.Data), MaxBody))
		switch {
		case why != "" || l.Key == "":
		case count[l.Key] > MaxLines:
			why = fmt.Sprintf("the batch has more than %d lines of it", MaxLines)
		case bytes[l.Key] > MaxLineBytes:
			why = fmt.Sprintf("the batch has more than %d bytes of lines of it", MaxLineBytes)
		}
		if why != "" {
			return &Refused{LinePart, i, l.Key, why}
		}
	}
	for i, f := range b.Forwarded {
		why := first(name("id", f.ID, 1), name("scope", f.Scope, 1), size("body", len(f.Body), MaxBody), words("body", f.Body))
		if why != "" {
			return &Refused{ForwardedPart, i, f.ID, why}
		}
	}
	return nil
}

// first is the first that is not empty.
func first(whys ...string) string {
	for _, why := range whys {
		if why != "" {
			return why
		}
	}
	return ""
}

// name says what is wrong with what identifies something.
func name(what, s string, least int) string {
	if len(s) < least {
		return "its " + what + " is empty"
	}
	if strings.ContainsRune(s, 0) {
		return "its " + what + " has a NUL"
	}
	return first(size(what, len(s), MaxKey), words(what, s))
}

func size(what string, n, most int) string {
	if n <= most {
		return ""
	}
	return fmt.Sprintf("its %s has %d bytes; a journal takes at most %d", what, n, most)
}

func words(what, s string) string {
	if utf8.ValidString(s) {
		return ""
	}
	return "its " + what + " is not UTF-8"
}
