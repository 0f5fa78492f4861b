package sqlite

import (
	"context"
	"database/sql"
	_ "embed" // the migration steps
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"modernc.org/sqlite"
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

// Open opens the journal at path for reading and writing, and creates it where there is none. The directory must exist and
// lie on a local disk. A journal of a newer Ebb is refused with journal.ErrNewer.
func Open(path string) (*Store, error) {
	dir := filepath.Dir(path)
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("open journal %s: there is no directory %s: create it, or set journal to another path", path, dir)
	}
	s, err := connect(path, "rwc")
	if err != nil {
		return nil, err
	}
	if err := s.prepare(context.Background()); err != nil {
		s.db.Close()
		return nil, s.explain("open", err)
	}
	s.schema = journal.Schema
	if s.file, err = os.Stat(path); err != nil {
		s.db.Close()
		return nil, fmt.Errorf("open journal %s: %w", path, err)
	}
	return s, nil
}

// OpenReader opens an existing journal for reading only, also while another process writes it, and also one of the version before. Writing
// fails.
func OpenReader(path string) (*Store, error) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("open journal %s: there is no such file: run this on the host of ebb serve, with the same journal setting", path)
	}
	s, err := connect(path, "ro")
	if err != nil {
		return nil, err
	}
	s.reader = true
	s.schema, err = s.version(context.Background(), s.db)
	if err == nil && s.schema == 0 {
		err = errors.New("the file is empty: ebb serve has not written it yet")
	}
	if err != nil {
		s.db.Close()
		return nil, s.explain("open", err)
	}
	return s, nil
}

// connect opens the file with one connection. A write is durable when it is committed: the write-ahead log is synced each time.
// Transactions take the write lock at once, so that two writers queue up instead of failing half-way.
// https://www.sqlite.org/wal.html https://www.sqlite.org/pragma.html#pragma_synchronous
func connect(path, mode string) (*Store, error) {
	full, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("open journal %s: %w", path, err)
	}
	q := url.Values{"mode": {mode}, "_txlock": {"immediate"}, "_pragma": {"busy_timeout(10000)", "synchronous(FULL)"}}
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: full}).EscapedPath()+"?"+q.Encode())
	if err != nil {
		return nil, fmt.Errorf("open journal %s: %w", path, err)
	}
	db.SetMaxOpenConns(1)
	return &Store{db: db, path: path}, nil
}

// prepare brings the journal to this version, in one transaction. It looks before it writes: a file of something else stays as
// it is.
func (s *Store) prepare(ctx context.Context) error {
	if _, err := s.version(ctx, s.db); err != nil {
		return err
	}
	mode, err := s.writeAhead(ctx)
	if err != nil {
		return err
	}
	if mode != "wal" {
		return fmt.Errorf("SQLite cannot keep a write-ahead log here (journal mode %q): put the journal on a local disk", mode)
	}
	return s.transact(ctx, func(tx *sql.Tx) error {
		version, err := s.version(ctx, tx)
		if err != nil || version == journal.Schema {
			return err
		}
		for _, step := range steps[version:] {
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
func (s *Store) writeAhead(ctx context.Context) (mode string, err error) {
	for range 200 {
		err = s.db.QueryRowContext(ctx, "PRAGMA journal_mode = WAL").Scan(&mode)
		var failed *sqlite.Error
		if !errors.As(err, &failed) || failed.Code() != sqlite3.SQLITE_BUSY {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	return mode, err
}

type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// version reads the version of the journal, 0 for an empty file, and refuses what this code does not write.
func (s *Store) version(ctx context.Context, q querier) (int, error) {
	var version, id, tables int
	err := q.QueryRowContext(ctx, "SELECT (SELECT user_version FROM pragma_user_version), "+
		"(SELECT application_id FROM pragma_application_id), (SELECT count(*) FROM sqlite_schema)").
		Scan(&version, &id, &tables)
	switch {
	case err != nil:
		return 0, err
	case id != applicationID && (id != 0 || version != 0 || tables != 0):
		return 0, errors.New("the file is an SQLite database of something else: set journal to another path")
	case version > journal.Schema:
		return 0, fmt.Errorf("%w (version %d, this one reads up to %d): run that Ebb or a later one, or set journal to another path",
			journal.ErrNewer, version, journal.Schema)
	}
	return version, nil
}
