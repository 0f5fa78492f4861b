// Package journal says what a journal is: the records of open drains and an append-only history, written together or not at
// all. Its sub-packages keep one: in memory and in SQLite.
//
// It never decides, and nothing that is only in the journal is needed to end a drain safely.
package journal

import (
	"context"
	"errors"
	"strings"
	"time"
)

// Schema is the version of the stored form that this code writes. A newer one is refused, the previous one is read.
const Schema = 1

// ErrConflict: a record was changed by somebody else since it was read. Forget, load, decide again.
var ErrConflict = errors.New("journal: the record was changed by another writer")

// ErrNewer: the journal was written by a newer Ebb.
var ErrNewer = errors.New("journal: written by a newer version of Ebb")

// ErrGone: the journal is not where it was any more; what is written is lost. Only opening it anew helps.
var ErrGone = errors.New("journal: removed or replaced while it was open")

// Record is the remembered part of one drain.
type Record struct {
	Key   string // stable name of the drain: its subject, a slash, and which drain of that subject it is
	Scope string // cluster or group; a scope's records are read together
	Rev   int64  // 1 for a new record, then one more with each write
	Open  bool   // false once the drain has ended
	Body  []byte // JSON, the core's own form
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

// Batch is one atomic write. A record with Rev n replaces the stored one with Rev n-1, and no two open records have the same subject;
// else nothing at all is written and the error is ErrConflict. The second rule is for two writers that learn of the same leaving
// instance in different ways, and so name its drain differently.
type Batch struct {
	Records []Record
	Lines   []Line
}

// Empty reports whether there is nothing to write.
func (b Batch) Empty() bool { return len(b.Records) == 0 && len(b.Lines) == 0 }

// Query selects history.
type Query struct {
	Key   string    // of one drain; empty: all
	Since time.Time // zero: from the beginning
	After int64     // only lines with a higher Seq
	Limit int       // at most this many, the newest; 0: all
}

// Store keeps a journal. When Write has returned nil the batch is durable. It is safe for concurrent use.
type Store interface {
	// Open returns all open records, by key.
	Open(ctx context.Context) ([]Record, error)
	// Recent returns the records of drains that ended, the newest first, at most limit.
	Recent(ctx context.Context, limit int) ([]Record, error)
	// Write writes the batch, all of it or nothing.
	Write(ctx context.Context, b Batch) error
	// History returns lines, oldest first.
	History(ctx context.Context, q Query) ([]Line, error)
	// Close releases the journal.
	Close() error
}
