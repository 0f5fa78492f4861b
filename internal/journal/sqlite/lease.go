package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"github.com/ebbhq/ebb/internal/journal"
)

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
