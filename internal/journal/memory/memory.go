// Package memory keeps a journal in the memory of one process: for demo, stories and one-shot commands.
//
// It never outlives the process, and it never shares its bytes with the caller.
package memory

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/ebbhq/ebb/internal/journal"
)

// Store is a journal in memory; New makes one.
type Store struct {
	mu        sync.Mutex
	records   map[string]entry
	lines     []journal.Line // by Seq, which is the index plus one
	leases    map[string]journal.Lease
	forwarded []journal.Forwarded // the oldest first
	writes    int64
	closed    bool
}

// entry is a record and the number of the write that stored it, which orders records by age.
type entry struct {
	record journal.Record
	write  int64
}

// New returns an empty journal.
func New() *Store { return &Store{records: map[string]entry{}, leases: map[string]journal.Lease{}} }

// Open returns all open records, by key.
func (s *Store) Open(ctx context.Context) ([]journal.Record, error) {
	entries, err := s.pick(ctx, true)
	slices.SortFunc(entries, func(a, b entry) int { return cmp.Compare(a.record.Key, b.record.Key) })
	return copies(entries), err
}

// Recent returns the records of drains that ended, the newest first, at most limit; limit 0 means all.
func (s *Store) Recent(ctx context.Context, limit int) ([]journal.Record, error) {
	entries, err := s.pick(ctx, false)
	slices.SortFunc(entries, func(a, b entry) int {
		return cmp.Or(cmp.Compare(b.write, a.write), cmp.Compare(a.record.Key, b.record.Key))
	})
	if limit > 0 && len(entries) > limit {
		entries = entries[:limit]
	}
	return copies(entries), err
}

// pick returns the entries that are open, or the ended ones, in no order.
func (s *Store) pick(ctx context.Context, open bool) ([]entry, error) {
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	var out []entry
	for _, e := range s.records { //ebb:any-order the callers sort
		if e.record.Open == open {
			out = append(out, e)
		}
	}
	return out, nil
}

// Write writes the batch, all of it or nothing.
func (s *Store) Write(ctx context.Context, b journal.Batch) error {
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	if err := journal.Check(b); err != nil {
		return err
	}
	if err := s.under(b.Under); err != nil {
		return err
	}
	staged, err := s.stage(b.Records)
	if err != nil {
		return err
	}
	maps.Copy(s.records, staged)
	s.writes++
	for _, l := range b.Lines {
		l.Seq = int64(len(s.lines)) + 1
		l.Data = slices.Clone(l.Data)
		s.lines = append(s.lines, l)
	}
	for _, n := range b.Forwarded {
		if !slices.ContainsFunc(s.forwarded, n.Same) {
			s.forwarded = append(s.forwarded, n)
		}
	}
	return nil
}

// stage checks the revisions and returns what is to replace the stored entries; the store itself stays as it is.
func (s *Store) stage(records []journal.Record) (map[string]entry, error) {
	staged := map[string]entry{}
	for _, r := range records {
		old, again := staged[r.Key]
		if !again {
			old = s.records[r.Key]
		}
		rev := old.record.Rev
		if !again && !old.record.Open {
			rev = 0 // it has ended, or never was: only a first revision may follow
		}
		if r.Rev != rev+1 || again && !old.record.Open {
			return nil, fmt.Errorf("write record %s revision %d over revision %d: %w", r.Key, r.Rev, rev, journal.ErrConflict)
		}
		if r.Rev == 1 && r.Open {
			if other := s.rival(r, staged); other != "" {
				return nil, fmt.Errorf("write record %s beside %s, which is open: %w", r.Key, other, journal.ErrConflict)
			}
		}
		staged[r.Key] = entry{copied(r), s.writes + 1}
	}
	return staged, nil
}

// rival is another open record of the same subject, or nothing.
func (s *Store) rival(r journal.Record, staged map[string]entry) string {
	for _, records := range []map[string]entry{staged, s.records} {
		for key, e := range records { //ebb:any-order there is one at most
			if now, again := staged[key]; again {
				e = now
			}
			if key != r.Key && e.record.Open && e.record.Subject() == r.Subject() {
				return key
			}
		}
	}
	return ""
}

// History returns lines, oldest first.
func (s *Store) History(ctx context.Context, q journal.Query) ([]journal.Line, error) {
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	var out []journal.Line
	for i := len(s.lines) - 1; i >= 0 && s.lines[i].Seq > q.After; i-- {
		l := s.lines[i]
		if (q.Key != "" && l.Key != q.Key) || l.At.Before(q.Since) {
			continue
		}
		l.Data = slices.Clone(l.Data)
		out = append(out, l)
		if len(out) == q.Limit {
			break
		}
	}
	slices.Reverse(out)
	return out, nil
}

// under checks that leases are still held.
func (s *Store) under(leases []journal.Lease) error {
	for _, l := range leases {
		if is := s.leases[l.Scope]; is.Holder != l.Holder || is.Fence != l.Fence {
			return fmt.Errorf("write under lease %d of %s, which %q has with %d: %w", l.Fence, l.Scope, is.Holder, is.Fence, journal.ErrConflict)
		}
	}
	return nil
}

// Leases returns the leases of all scopes that ever had one, by scope.
func (s *Store) Leases(ctx context.Context) ([]journal.Lease, error) {
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	return slices.SortedFunc(maps.Values(s.leases), func(a, b journal.Lease) int { return cmp.Compare(a.Scope, b.Scope) }), nil
}

// Claim stores a lease in place of the one that was read.
func (s *Store) Claim(ctx context.Context, was, is journal.Lease) error {
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	if now := s.leases[is.Scope]; now.Fence != was.Fence || now.Beat != was.Beat {
		return fmt.Errorf("claim %s: %w", is.Scope, journal.ErrConflict)
	}
	s.leases[is.Scope] = is
	return nil
}

// Forwarded returns the messages that were forwarded to some scopes, the oldest first.
func (s *Store) Forwarded(ctx context.Context, scopes []string) ([]journal.Forwarded, error) {
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	var out []journal.Forwarded
	for _, n := range s.forwarded {
		if slices.Contains(scopes, n.Scope) {
			out = append(out, n)
		}
	}
	return out, nil
}

// Discard removes forwarded messages. A message that is not there is no error.
func (s *Store) Discard(ctx context.Context, messages []journal.Forwarded) error {
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	s.forwarded = slices.DeleteFunc(s.forwarded, func(n journal.Forwarded) bool {
		return slices.ContainsFunc(messages, n.Same)
	})
	return nil
}

// lock takes the journal for one call, unless that is cancelled or the journal is closed.
func (s *Store) lock(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return errors.New("journal in memory: already closed")
	}
	return nil
}

// Close ends the journal; what it held is gone, and later calls fail.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return nil
}

func copied(r journal.Record) journal.Record {
	r.Body = slices.Clone(r.Body)
	return r
}

func copies(entries []entry) []journal.Record {
	var out []journal.Record
	for _, e := range entries {
		out = append(out, copied(e.record))
	}
	return out
}
