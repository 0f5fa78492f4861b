package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	_ "embed" // the migration steps
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/ebbhq/ebb/internal/journal"
)

var (
	//go:embed 1.sql
	version1 string
	//go:embed 2.sql
	version2 string
)

// steps bring a journal from one version to the next: the first makes version 1 out of an empty file.
var steps = []string{version1, version2}

// applicationID marks an SQLite file as a journal of Ebb: "Ebbj".
// https://www.sqlite.org/pragma.html#pragma_application_id
const applicationID = 0x4562626a

// Options are what a journal may be opened with.
type Options struct {
	Log *slog.Logger // is told when a damaged journal is kept aside; nil: nobody is
}

// Open opens the journal at path for reading and writing, and creates it where there is none, for its owner alone. The directory must exist
// and lie on a local disk. A journal of a newer Ebb is refused with journal.ErrNewer. One that is damaged is kept aside, and a new one begun,
// then and later.
func Open(path string, o Options) (*Store, error) {
	dir := filepath.Dir(path)
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("open journal %s: there is no directory %s: create it, or set journal to another path", path, dir)
	}
	s := &Store{path: path, log: cmp.Or(o.Log, slog.New(slog.DiscardHandler)), schema: journal.Schema}
	if err := s.open(); err != nil {
		return nil, s.explain("open", err)
	}
	return s, nil
}

// OpenReader opens an existing journal for reading only, also while another process writes it, and also one of the version before. Writing
// fails.
func OpenReader(path string) (*Store, error) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("open journal %s: there is no such file: run this on the host of ebb serve, with the same journal setting", path)
	}
	s := &Store{path: path, reader: true}
	err := s.read(url.Values{"mode": {"ro"}})
	if unwritable(err) && filesOf(path)[1] == nil {
		err = s.read(url.Values{"mode": {"ro"}, "immutable": {"1"}}) // nobody has it open: there is no log beside it
	}
	if err != nil {
		return nil, s.explain("open", asOwner(path, err))
	}
	return s, nil
}

// read opens the file for reading only.
func (s *Store) read(q url.Values) error {
	db, err := connect(s.path, q)
	if err != nil {
		return err
	}
	s.schema, err = version(context.Background(), db)
	if err == nil && s.schema == 0 {
		err = errors.New("the file is empty: ebb serve has not written it yet")
	}
	if err != nil {
		db.Close()
		return err
	}
	s.db = db
	return nil
}

// unwritable reports whether SQLite could not open a file, or not make the index of the write-ahead log that a reader needs too.
func unwritable(err error) bool {
	is := code(err)
	return is == sqlite3.SQLITE_READONLY || is == sqlite3.SQLITE_CANTOPEN
}

// asOwner says what a reader lacks that may not use the files.
func asOwner(path string, err error) error {
	if !unwritable(err) {
		return err
	}
	owner := "the user of ebb serve"
	if name := ownerOf(path); name != "" {
		owner = name
	}
	return fmt.Errorf("this user may not read it: it is for %s alone, and so are %s-wal and %s-shm; run this as %s, such as with sudo -u: %w",
		owner, filepath.Base(path), filepath.Base(path), owner, err)
}

// connect opens the file with one connection. A write is durable when it is committed: the write-ahead log is synced each time.
// Transactions take the write lock at once, so that two writers queue up instead of failing half-way. They wait for 5 s: one connection makes
// a decision wait behind a lease, and the shortest hook allows 20 s between heartbeats.
// https://www.sqlite.org/wal.html https://www.sqlite.org/pragma.html#pragma_synchronous
func connect(path string, q url.Values) (*sql.DB, error) {
	full, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	q["_txlock"], q["_pragma"] = []string{"immediate"}, []string{"busy_timeout(5000)", "synchronous(FULL)"}
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: full}).EscapedPath()+"?"+q.Encode())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	return db, nil
}

// prepare brings the journal to this version, in one transaction. It looks before it writes: a file of something else stays as
// it is.
func prepare(ctx context.Context, db *sql.DB) error {
	if _, err := version(ctx, db); err != nil {
		return err
	}
	mode, err := writeAhead(ctx, db)
	if err != nil {
		return err
	}
	if mode != "wal" {
		return fmt.Errorf("SQLite cannot keep a write-ahead log here (journal mode %q): put the journal on a local disk", mode)
	}
	return transact(ctx, db, func(tx *sql.Tx) error {
		is, err := version(ctx, tx)
		if err != nil || is == journal.Schema {
			return err
		}
		for _, step := range steps[is:] {
			if _, err := tx.ExecContext(ctx, step); err != nil {
				return fmt.Errorf("bring it to version %d: %w", journal.Schema, err)
			}
		}
		_, err = tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d; PRAGMA application_id = %d", journal.Schema, applicationID))
		return err
	})
}

// writeAhead turns the write-ahead log on and returns the mode that SQLite came to. The first time it needs the file alone, and
// SQLite does not apply the busy timeout to that, so two processes that start together would fail.
func writeAhead(ctx context.Context, db *sql.DB) (mode string, err error) {
	for range 200 {
		err = db.QueryRowContext(ctx, "PRAGMA journal_mode = WAL").Scan(&mode)
		if code(err) != sqlite3.SQLITE_BUSY {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	return mode, err
}

type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// version reads the version of the journal, 0 for an empty file, and refuses what this code does not write.
func version(ctx context.Context, q querier) (int, error) {
	var is, id, tables int
	err := q.QueryRowContext(ctx, "SELECT (SELECT user_version FROM pragma_user_version), "+
		"(SELECT application_id FROM pragma_application_id), (SELECT count(*) FROM sqlite_schema)").
		Scan(&is, &id, &tables)
	switch {
	case err != nil:
		return is, err
	case id != applicationID && (id != 0 || is != 0 || tables != 0):
		return is, errors.New("the file is an SQLite database of something else: set journal to another path")
	case is > journal.Schema:
		return is, fmt.Errorf("%w (version %d, this one reads up to %d): run that Ebb or a later one, or set journal to another path",
			journal.ErrNewer, is, journal.Schema)
	}
	return is, nil
}

// ownerOf names the user to whom a file belongs, or is empty.
func ownerOf(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return ""
	}
	id := strconv.Itoa(int(info.Sys().(*syscall.Stat_t).Uid))
	if u, err := user.LookupId(id); err == nil {
		return "user " + u.Username
	}
	return "the user with number " + id
}
