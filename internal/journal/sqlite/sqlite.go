// Package sqlite keeps a journal in one SQLite file on a local disk: for the controllers of one host, with any number of readers beside
// them.
//
// It never shares the file over a network, and it never reports a write before it is on disk.
package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/ebbhq/ebb/internal/journal"
)

// Store is a journal in an SQLite file.
type Store struct {
	path   string
	reader bool
	schema int // the version of the file
	log    *slog.Logger

	mu    sync.Mutex // guards the rest, which changes when a damaged journal is kept aside
	db    *sql.DB
	guard *sql.DB // keeps the side files; nil: of a reader
	files files   // as they were opened for writing
}

// stamp is a time as it is stored: UTC, of fixed length, so that it sorts as text.
type stamp time.Time

const stampForm = "2006-01-02T15:04:05.000000000Z"

// Value spells the time.
func (s stamp) Value() (driver.Value, error) { return time.Time(s).UTC().Format(stampForm), nil }

// Scan reads what Value has spelt.
func (s *stamp) Scan(v any) error {
	text, _ := v.(string)
	t, err := time.Parse(stampForm, text)
	if err != nil {
		return fmt.Errorf("a time is stored as %.100q: %w", fmt.Sprint(v), errDamaged)
	}
	*s = stamp(t)
	return nil
}

// Open returns all open records, by key.
func (s *Store) Open(ctx context.Context) ([]journal.Record, error) {
	return s.records(ctx, "SELECT key, scope, rev, open, body FROM record WHERE open = 1 ORDER BY key")
}

// Recent returns the records of drains that ended, the newest first, at most limit; limit 0 means all.
func (s *Store) Recent(ctx context.Context, limit int) ([]journal.Record, error) {
	return s.records(ctx, "SELECT key, scope, rev, open, body FROM record WHERE open = 0 ORDER BY written DESC, key LIMIT ?",
		cmp.Or(limit, all))
}

// all is SQLite's word for no limit.
const all = -1

func (s *Store) records(ctx context.Context, query string, args ...any) ([]journal.Record, error) {
	return gather(ctx, s, func(rows *sql.Rows) (journal.Record, error) {
		var r journal.Record
		err := rows.Scan(&r.Key, &r.Scope, &r.Rev, &r.Open, &r.Body)
		return r, err
	}, query, args...)
}

// gather runs a query and scans all of its rows.
func gather[T any](ctx context.Context, s *Store, scan func(*sql.Rows) (T, error), query string, args ...any) ([]T, error) {
	db, err := s.handle()
	if err != nil {
		return nil, s.explain("read", err)
	}
	out, err := rowsOf(ctx, db, scan, query, args...)
	if err != nil {
		return nil, s.failed(db, "read", err)
	}
	return out, nil
}

func rowsOf[T any](ctx context.Context, q querier, scan func(*sql.Rows) (T, error), query string, args ...any) ([]T, error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, rows.Err()
}

// Write writes the batch, all of it or nothing. When it returns nil the batch is on disk.
func (s *Store) Write(ctx context.Context, b journal.Batch) error {
	if err := journal.Check(b); err != nil {
		return s.explain("write", err)
	}
	return s.change(ctx, func(tx *sql.Tx) error { return write(ctx, tx, b) })
}

func write(ctx context.Context, tx *sql.Tx, b journal.Batch) error {
	if err := held(ctx, tx, b.Under); err != nil {
		return err
	}
	var number int64
	if err := tx.QueryRowContext(ctx, "SELECT coalesce(max(written), 0) + 1 FROM record").Scan(&number); err != nil {
		return err
	}
	for _, r := range b.Records {
		if err := writeRecord(ctx, tx, r, number); err != nil {
			return err
		}
	}
	for _, l := range b.Lines {
		_, err := tx.ExecContext(ctx, "INSERT INTO line (at, key, kind, text, data) VALUES (?, ?, ?, ?, ?)",
			stamp(l.At), l.Key, l.Kind, l.Text, l.Data)
		if err != nil {
			return err
		}
	}
	if err := prune(ctx, tx, b.Lines); err != nil {
		return err
	}
	for _, n := range b.Forwarded {
		_, err := tx.ExecContext(ctx, "INSERT INTO note (scope, id, body, sent) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
			n.Scope, n.ID, n.Body, stamp(n.Sent))
		if err != nil {
			return err
		}
	}
	return nil
}

// writeRecord replaces the revision before r's, which is open, or inserts the first one, also in place of a record that ended in an earlier
// write.
func writeRecord(ctx context.Context, tx *sql.Tx, r journal.Record, number int64) error {
	query := "INSERT INTO record (scope, rev, open, body, written, key) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO UPDATE SET " +
		"scope = excluded.scope, rev = excluded.rev, open = excluded.open, body = excluded.body, written = excluded.written " +
		"WHERE record.open = 0 AND record.written < excluded.written"
	args := []any{r.Scope, r.Rev, r.Open, r.Body, number, r.Key}
	if r.Rev != 1 {
		query = "UPDATE record SET scope = ?, rev = ?, open = ?, body = ?, written = ? WHERE key = ? AND rev = ? - 1 AND open = 1"
		args = append(args, r.Rev)
	}
	if err := changeOne(ctx, tx, fmt.Sprintf("record %s revision %d", r.Key, r.Rev), query, args...); err != nil {
		return err
	}
	if r.Rev == 1 && r.Open {
		return alone(ctx, tx, r)
	}
	return nil
}

// changeOne runs a statement that changes one row; that it changes none is a conflict.
func changeOne(ctx context.Context, tx *sql.Tx, what, query string, args ...any) error {
	res, err := tx.ExecContext(ctx, query, args...)
	if err != nil {
		return err
	}
	if n, _ := res.RowsAffected(); n != 1 { // SQLite always knows
		return fmt.Errorf("%s: %w", what, journal.ErrConflict)
	}
	return nil
}

// alone refuses a new record beside another open one of the same subject. The keys of a subject are the subject itself, if it has no slash,
// and those between it with a slash and it with the next character, which is a zero.
func alone(ctx context.Context, tx *sql.Tx, r journal.Record) error {
	var other string
	err := tx.QueryRowContext(ctx, "SELECT key FROM record WHERE open = 1 AND key != ?1 AND (key = ?2 AND instr(?2, '/') = 0 OR "+
		"key > ?2 || '/' AND key < ?2 || '0' AND instr(substr(key, length(?2) + 2), '/') = 0)", r.Key, r.Subject()).Scan(&other)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err == nil {
		err = fmt.Errorf("record %s beside %s, which is open: %w", r.Key, other, journal.ErrConflict)
	}
	return err
}

// change runs f in one transaction on a file that may be written and is still there.
func (s *Store) change(ctx context.Context, f func(*sql.Tx) error) error {
	if s.reader {
		return fmt.Errorf("write journal %s: it was opened for reading only", s.path)
	}
	db, err := s.handle()
	if err != nil {
		return s.explain("write", err)
	}
	return s.failed(db, "write", transact(ctx, db, f))
}

// transact runs f in one transaction, which holds the write lock from its start.
func transact(ctx context.Context, db *sql.DB, f func(*sql.Tx) error) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err = f(tx); err == nil {
		return tx.Commit()
	}
	_ = tx.Rollback() // where it fails the error that led to it, or a cancelled context, has ended the transaction already
	return err
}

// History returns lines, oldest first.
func (s *Store) History(ctx context.Context, q journal.Query) ([]journal.Line, error) {
	where, args := []string{"seq > ?", "at >= ?"}, []any{q.After, stamp(q.Since)}
	if q.Key != "" {
		where, args = append(where, "key = ?"), append(args, q.Key)
	}
	newest := "SELECT seq, at, key, kind, text, data FROM line WHERE " + strings.Join(where, " AND ") + " ORDER BY seq DESC LIMIT ?"
	return gather(ctx, s, func(rows *sql.Rows) (journal.Line, error) {
		var l journal.Line
		err := rows.Scan(&l.Seq, (*stamp)(&l.At), &l.Key, &l.Kind, &l.Text, &l.Data)
		return l, err
	}, "SELECT * FROM ("+newest+") ORDER BY seq", append(args, cmp.Or(q.Limit, all))...)
}

// Close releases the file.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.explain("close", s.close())
}

// explain names the journal in an error.
func (s *Store) explain(doing string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s journal %s: %w", doing, s.path, err)
}

// Leases returns the leases of all scopes that ever had one, by scope.
func (s *Store) Leases(ctx context.Context) ([]journal.Lease, error) {
	if s.schema < 2 { // ebb serve, which brings the file to this version, has not opened it yet
		return nil, nil
	}
	return gather(ctx, s, func(rows *sql.Rows) (journal.Lease, error) {
		var l journal.Lease
		err := rows.Scan(&l.Scope, &l.Holder, &l.Fence, &l.Beat, &l.For, (*stamp)(&l.At))
		return l, err
	}, "SELECT scope, holder, fence, beat, lasts, at FROM lease ORDER BY scope")
}

// Claim stores a lease in place of the one that was read.
func (s *Store) Claim(ctx context.Context, was, is journal.Lease) error {
	return s.change(ctx, func(tx *sql.Tx) error {
		query := "INSERT INTO lease (holder, fence, beat, lasts, at, scope) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
		args := []any{is.Holder, is.Fence, is.Beat, is.For, stamp(is.At), is.Scope}
		if was.Fence != 0 || was.Beat != 0 {
			query = "UPDATE lease SET holder = ?, fence = ?, beat = ?, lasts = ?, at = ? WHERE scope = ? AND fence = ? AND beat = ?"
			args = append(args, was.Fence, was.Beat)
		}
		return changeOne(ctx, tx, "lease of "+is.Scope, query, args...)
	})
}

// held checks that leases are still held.
func held(ctx context.Context, tx *sql.Tx, leases []journal.Lease) error {
	for _, l := range leases {
		var n int
		err := tx.QueryRowContext(ctx, "SELECT count(*) FROM lease WHERE scope = ? AND holder = ? AND fence = ?",
			l.Scope, l.Holder, l.Fence).Scan(&n)
		if err != nil {
			return err
		}
		if n != 1 {
			return fmt.Errorf("%q has lease %d of %s no more: %w", l.Holder, l.Fence, l.Scope, journal.ErrConflict)
		}
	}
	return nil
}

// Forwarded returns the messages that were forwarded to some scopes, the oldest first.
func (s *Store) Forwarded(ctx context.Context, scopes []string) ([]journal.Forwarded, error) {
	if s.schema < 2 { // ebb serve, which brings the file to this version, has not opened it yet
		return nil, nil
	}
	list, _ := json.Marshal(scopes) // any strings can be spelt
	return gather(ctx, s, func(rows *sql.Rows) (journal.Forwarded, error) {
		var n journal.Forwarded
		err := rows.Scan(&n.Scope, &n.ID, &n.Body, (*stamp)(&n.Sent))
		return n, err
	}, "SELECT scope, id, body, sent FROM note WHERE scope IN (SELECT value FROM json_each(?)) ORDER BY seq", string(list))
}

// Discard removes forwarded messages. A message that is not there is no error.
func (s *Store) Discard(ctx context.Context, messages []journal.Forwarded) error {
	return s.change(ctx, func(tx *sql.Tx) error {
		for _, n := range messages {
			if _, err := tx.ExecContext(ctx, "DELETE FROM note WHERE scope = ? AND id = ?", n.Scope, n.ID); err != nil {
				return err
			}
		}
		return nil
	})
}

// keepHistory is how long lines, and drains that have ended, are kept.
const keepHistory = 90 * 24 * time.Hour

// pruneStep is how many lines one write removes at most. It is more than a write adds in the long run, and little beside it.
const pruneStep = 20

// prune removes the oldest lines if they are older than keepHistory, and with the last line of a drain that has ended its record. What is
// being written says what time it is; a time in the future does not count.
func prune(ctx context.Context, tx *sql.Tx, written []journal.Line) error {
	if len(written) == 0 {
		return nil
	}
	now := time.Now()
	for _, l := range written {
		if l.At.Before(now) {
			now = l.At
		}
	}
	keys, err := rowsOf(ctx, tx, func(rows *sql.Rows) (key string, err error) {
		err = rows.Scan(&key)
		return key, err
	}, "DELETE FROM line WHERE seq IN (SELECT seq FROM (SELECT seq, at FROM line ORDER BY seq LIMIT ?) WHERE at < ?) RETURNING key",
		pruneStep, stamp(now.Add(-keepHistory)))
	if err != nil {
		return err
	}
	for _, key := range keys {
		_, err := tx.ExecContext(ctx, "DELETE FROM record WHERE key = ?1 AND open = 0 AND NOT EXISTS (SELECT 1 FROM line WHERE key = ?1)", key)
		if err != nil {
			return err
		}
	}
	return nil
}
