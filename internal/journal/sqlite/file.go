package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"strings"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/ebbhq/ebb/internal/journal"
)

// sides are what the names of the files end in that belong to a journal: its own, the write-ahead log and the index of that.
var sides = [...]string{"", "-wal", "-shm"}

// files are the files of a journal as they were at some time; nil: it was not there.
type files [len(sides)]os.FileInfo

// filesOf looks at the files of the journal at path.
func filesOf(path string) (f files) {
	for i, side := range sides {
		f[i], _ = os.Stat(path + side) // nil where there is none
	}
	return f
}

// gone names the first file that is removed or replaced; SQLite would go on in a file without a name, unseen by others.
func (f files) gone(path string) (name string, gone bool) {
	for i, now := range filesOf(path) {
		if !os.SameFile(f[i], now) {
			return path + sides[i], true
		}
	}
	return "", false
}

// private makes the file of a new journal for its owner alone, and takes an older one away from those who are neither owner nor group.
// SQLite gives its side files the same permissions. The directory stays as it is.
func private(path string) error {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer file.Close()
	for _, side := range sides {
		info, err := os.Stat(path + side)
		if err == nil && info.Mode().Perm()&0o007 != 0 {
			err = os.Chmod(path+side, info.Mode().Perm()&^0o007)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
			return err
		}
	}
	return nil
}

// errDamaged is what is wrong with a value that Ebb never writes.
var errDamaged = errors.New("something else than Ebb has changed it")

// code is the primary code of an error of SQLite, and that of success for any other.
// https://www.sqlite.org/rescode.html
func code(err error) int {
	failed, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return sqlite3.SQLITE_OK
	}
	return failed.Code() & 0xff
}

// damaged reports whether an error says that the file is not in order: no other try helps.
func damaged(err error) bool {
	switch code(err) {
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return true
	case sqlite3.SQLITE_ERROR:
		return strings.Contains(err.Error(), "no such table: ") // the file was cut
	}
	return errors.Is(err, errDamaged)
}

// ours reports whether a file that cannot be read has been a journal of Ebb: it has side files, or its first bytes say so. Another file may
// only have been named by mistake, and stays where it is.
func ours(path string) bool {
	if f := filesOf(path); f[1] != nil || f[2] != nil {
		return true
	}
	file, _ := os.Open(path) // nil if it cannot be read, and then it has no first bytes
	defer file.Close()
	head, _ := io.ReadAll(io.LimitReader(file, 64<<10))
	const mark = 68 // https://www.sqlite.org/fileformat2.html#the_database_header
	return bytes.HasPrefix(head[min(mark, len(head)):], []byte("Ebbj")) || bytes.Contains(head, []byte("CREATE TABLE record ("))
}

// keepAside renames the files of a damaged journal, the side files first: a new journal must not find the log of the old one. It returns the
// name under which the old one is kept.
func keepAside(path string) (kept string, err error) {
	kept = path + ".damaged-" + time.Now().UTC().Format("20060102T150405.000Z")
	if _, err := os.Lstat(kept); err == nil {
		return "", fmt.Errorf("keep the damaged journal as %s: there is such a file already", kept)
	}
	for _, side := range []string{"-wal", "-shm", ""} {
		if err := os.Rename(path+side, kept+side); err != nil && !(side != "" && errors.Is(err, fs.ErrNotExist)) {
			return "", fmt.Errorf("keep the damaged journal as %s: %w", kept, err)
		}
	}
	return kept, nil
}

// open opens the journal for writing. One that is damaged it keeps aside, and begins a new one: what waits in a hook is found by the sweep.
func (s *Store) open() error {
	err := s.connect()
	if !damaged(err) || !ours(s.path) {
		return err
	}
	if bad := s.beginAnew(err); bad != nil {
		return errors.Join(err, bad)
	}
	return nil
}

// beginAnew keeps the files aside, which are damaged, and begins a new journal. What is open is closed before there are new side files,
// which it would take for its own.
func (s *Store) beginAnew(why error) error {
	kept, err := keepAside(s.path)
	if err != nil {
		return err
	}
	_ = s.close() // what it says is of no use any more
	if err := s.connect(); err != nil {
		return err
	}
	s.log.Error("the journal is damaged: it is kept aside, and a new one is begun; instances that wait in a hook are found by the sweep",
		"journal", s.path, "kept", kept, "err", why)
	return nil
}

// connect opens the files and brings them to this version.
func (s *Store) connect() error {
	if err := private(s.path); err != nil {
		return err
	}
	db, err := connect(s.path, url.Values{"mode": {"rw"}})
	if err != nil {
		return err
	}
	err = prepare(context.Background(), db)
	if err == nil {
		err = s.watch()
	}
	if err != nil {
		db.Close()
		return err
	}
	s.db, s.files = db, filesOf(s.path)
	return nil
}

// watch opens the file once more, for nothing but that its side files stay: a call that is broken off closes its connection, and the last one
// to close removes them.
func (s *Store) watch() error {
	guard, err := connect(s.path, url.Values{"mode": {"ro"}})
	if err != nil {
		return err
	}
	if _, err := version(context.Background(), guard); err != nil {
		guard.Close()
		return err
	}
	s.guard = guard
	return nil
}

// close closes what is open of the files.
func (s *Store) close() (err error) {
	for _, db := range []*sql.DB{s.guard, s.db} {
		if db != nil {
			err = errors.Join(err, db.Close())
		}
	}
	return err
}

// handle is the open file. The error is journal.ErrGone once any of its files is removed or replaced.
func (s *Store) handle() (*sql.DB, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.reader {
		if name, gone := s.files.gone(s.path); gone {
			return nil, fmt.Errorf("%s: %w", name, journal.ErrGone)
		}
	}
	return s.db, nil
}

// failed explains an error of a call on a file. If the file is damaged a new journal is begun, and the call is to be made again: what was
// read before is forgotten with it.
func (s *Store) failed(db *sql.DB, doing string, err error) error {
	if !damaged(err) || s.reader {
		return s.explain(doing, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.db != db { // somebody else has met it too
		return s.explain(doing, err)
	}
	if name, gone := s.files.gone(s.path); gone { // another process has begun a new one
		return s.explain(doing, fmt.Errorf("%s: %w", name, journal.ErrGone))
	}
	return s.explain(doing, errors.Join(err, s.beginAnew(err)))
}
