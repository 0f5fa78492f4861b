package sqlite

import (
	"context"
	"database/sql"
	"time"

	"github.com/ebbhq/ebb/internal/journal"
)

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
