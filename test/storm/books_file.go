package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/journal/sqlite"
)

// file is a journal in SQLite. Its witness is a trigger, which belongs to the transaction of the Ebb that writes.
type file struct {
	*sqlite.Store
	path    string
	witness *sql.DB
}

// trigger keeps each note, and when it was stored, in a table of its own.
const trigger = `
CREATE TABLE storm_note (at TEXT NOT NULL, body TEXT NOT NULL);
CREATE TRIGGER storm_noted AFTER INSERT ON note BEGIN
	INSERT INTO storm_note VALUES (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), NEW.body);
END`

func openFile(ctx context.Context, o options) (*file, error) {
	f := &file{path: filepath.Join(o.dir, "journal.db")}
	var err error
	if f.Store, err = sqlite.Open(f.path); err != nil {
		return nil, err
	}
	f.witness, err = sql.Open("sqlite", f.path) // the driver is that of the journal
	if err == nil {
		_, err = f.witness.ExecContext(ctx, trigger)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("set a witness to %s: %w", f.path, err), f.close())
	}
	return f, nil
}

func (f *file) url() string          { return "sqlite://" + f.path }
func (f *file) env() []string        { return nil }
func (f *file) store() journal.Store { return f.Store }
func (f *file) requests() int        { return 0 }
func (f *file) close() error         { return errors.Join(f.Close(), f.witness.Close()) }

func (f *file) noted() ([]note, error) {
	rows, err := f.witness.Query("SELECT at, body FROM storm_note ORDER BY at")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []note
	for rows.Next() {
		var at string
		var n note
		if err := rows.Scan(&at, &n.body); err != nil {
			return nil, err
		}
		if n.at, err = time.Parse(time.RFC3339Nano, at); err != nil {
			return nil, err
		}
		all = append(all, n)
	}
	return all, rows.Err()
}
