// Package journal says what a journal is: the records of open drains and an append-only history, written together or not at
// all; the leases that say which Ebb works for a scope, and the notes that Ebbs leave for each other. Its sub-packages keep one: in
// memory, in SQLite and in DynamoDB.
//
// It never decides, and nothing that is only in the journal is needed to end a drain safely.
package journal

import (
	"context"
	"errors"
	"strings"
	"time"
)

// Schema is the version of the layout of a store: its tables, items and keys. A newer one is refused at start, an older one is brought to this
// one. What is in the body of a record has a version of its own, which its owner writes and reads.
const Schema = 2

// ErrConflict: a record or lease was changed by somebody else since it was read. Forget, load, decide again.
var ErrConflict = errors.New("journal: changed by another writer")

// ErrNewer: the journal was written by a newer Ebb.
var ErrNewer = errors.New("journal: written by a newer version of Ebb")

// ErrGone: the journal is not where it was any more; what is written is lost. Only opening it anew helps.
var ErrGone = errors.New("journal: removed or replaced while it was open")

// Record is the remembered part of one drain.
type Record struct {
	// Key is the stable name of the drain: its subject, a slash, and which drain of that subject it is. The subject of a host is its group, a
	// slash, and its instance. That of another kind begins with the kind and a colon, which no group has in its name.
	Key   string
	Scope string // to which lease it belongs
	Rev   int64  // 1 for a new record, then one more with each write
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

// Line is one line of history: something that was heard, decided, done or told.
type Line struct {
	Seq  int64 // set by the store, rising
	At   time.Time
	Key  string // the drain, or empty
	Kind string // heard, draining, waiting, answer, answered, ended, foreign, ...
	Text string // one sentence for people
	Data []byte // JSON with the details, or nil
}

// Lease says which Ebb works for a scope. It is told from another by Scope, Fence and Beat.
type Lease struct {
	Scope  string
	Holder string        // name of the process; empty: nobody
	Fence  int64         // rises with each holder and never falls
	Beat   int64         // rises each time the holder says that it lives
	For    time.Duration // how long the holder means to live after a beat
	At     time.Time     // of the beat, by the holder's clock
}

// Forwarded is a message that one Ebb has heard for the holder of a scope.
type Forwarded struct {
	Scope string
	ID    string // of the message, so that hearing it twice leaves one note
	Body  string
	Sent  time.Time
}

// Batch is one atomic write. If one of these rules is broken, nothing at all is written and the error is ErrConflict:
//
//   - A record with Rev n > 1 replaces the open record of its key with Rev n-1. A record that has ended has no further revision.
//   - A record with Rev 1 is new: there is no open record of its key. There may be one that has ended, unless this batch ended it. The new
//     record takes its place; until the new one ends as well, a store may still show the old one among those that ended.
//   - No two open records have the same subject: two writers may learn of one leaving instance in different ways, and name its drain
//     differently.
//   - Each lease in Under has the Holder and Fence that are stored: a holder may have been replaced without knowing it.
//
// A store that cannot write many records at once writes a batch of more than MaxAtomic records in parts, each record with the lines of its
// key. Then a failure may leave some parts written, as if the writer had died between them.
type Batch struct {
	Under     []Lease
	Records   []Record
	Lines     []Line
	Forwarded []Forwarded // for the holders of other scopes
}

// MaxAtomic is how many records every store writes at once, each with a lease and together with lines of 1 MB. A transaction of DynamoDB
// takes 100 items, and a record that ends is two.
const MaxAtomic = 30

// MaxBody is how many bytes the body of a record, the data of a line and the body of a note may have in every store.
const MaxBody = 128 << 10

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
	// Write writes the batch, all of it or nothing.
	Write(ctx context.Context, b Batch) error
	// History returns lines, oldest first.
	History(ctx context.Context, q Query) ([]Line, error)
	// Leases returns the leases of all scopes that ever had one, by scope.
	Leases(ctx context.Context) ([]Lease, error)
	// Claim stores a lease in place of the one that was read; that is the zero Lease where there was none. If another is stored by now
	// the error is ErrConflict.
	Claim(ctx context.Context, was, is Lease) error
	// Forwarded returns the notes for some scopes, the oldest first.
	Forwarded(ctx context.Context, scopes []string) ([]Forwarded, error)
	// Discard removes notes; one that is not there is no error.
	Discard(ctx context.Context, notes []Forwarded) error
	// Close releases the journal.
	Close() error
}
