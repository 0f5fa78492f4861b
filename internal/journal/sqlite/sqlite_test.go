package sqlite

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ebbhq/ebb/internal/journal"
)

func fresh(t *testing.T) journal.Store {
	t.Helper()
	return open(t, filepath.Join(t.TempDir(), "journal with ? and % and #.db"))
}

func open(t *testing.T, path string) *Store {
	t.Helper()
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var one = journal.Batch{
	Records: []journal.Record{{Key: "a", Rev: 1, Open: true}},
	Lines:   []journal.Line{{Key: "a", Kind: "heard"}},
}

// A file that is removed, or replaced, must not be written as if nothing had happened: what is in it is lost with the process.
func TestAFileThatIsGoneIsNotWritten(t *testing.T) {
	for name, lose := range map[string]func(path string) error{
		"removed": os.Remove,
		"replaced": func(path string) error {
			return errors.Join(os.Rename(path, path+".old"), os.WriteFile(path, nil, 0o600))
		},
		"its log removed":           func(path string) error { return os.Remove(path + "-wal") },
		"the index of its log":      func(path string) error { return os.Remove(path + "-shm") },
		"its log replaced":          func(path string) error { return replace(path + "-wal") },
		"the index of its log, too": func(path string) error { return replace(path + "-shm") },
	} {
		t.Run(name, func(t *testing.T) {
			s := fresh(t).(*Store)
			defer s.Close()
			if err := lose(s.path); err != nil {
				t.Fatal(err)
			}
			if err := s.Write(t.Context(), one); !errors.Is(err, journal.ErrGone) {
				t.Errorf("got %v", err)
			}
			if _, err := s.Open(t.Context()); !errors.Is(err, journal.ErrGone) {
				t.Errorf("what is read is of a file without a name: error %v", err)
			}
			if err := s.Claim(t.Context(), journal.Lease{}, journal.Lease{Scope: "web", Fence: 1}); !errors.Is(err, journal.ErrGone) {
				t.Errorf("claim: error %v", err)
			}
		})
	}
}

// replace makes another file of the same name, with the same in it.
func replace(path string) error {
	b, err := os.ReadFile(path)
	return errors.Join(err, os.Remove(path), os.WriteFile(path, b, 0o600))
}

// A reader sees what was committed, while the writer holds the file, in the middle of a transaction too.
func TestReaderBesideWriter(t *testing.T) {
	s := fresh(t).(*Store)
	defer s.Close()
	if err := s.Write(t.Context(), one); err != nil {
		t.Fatal(err)
	}
	tx, err := s.db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if _, err := tx.Exec("DELETE FROM record"); err != nil {
		t.Fatal(err)
	}
	r, err := OpenReader(s.path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if got, err := r.Open(t.Context()); err != nil || len(got) != 1 {
		t.Errorf("the reader sees %d records, error %v; want the committed one", len(got), err)
	}
	if err := r.Write(t.Context(), one); err == nil || !strings.Contains(err.Error(), "reading only") {
		t.Errorf("write by a reader: error %v", err)
	}
	if err := r.Claim(t.Context(), journal.Lease{}, journal.Lease{Scope: "web", Fence: 1}); err == nil || !strings.Contains(err.Error(), "reading only") {
		t.Errorf("claim by a reader: error %v", err)
	}
	if _, err := r.db.Exec("DELETE FROM line"); err == nil {
		t.Error("the file of a reader is open for writing")
	}
}

// The writer's side files are gone after it has closed; a reader must manage without.
func TestReaderAfterWriter(t *testing.T) {
	s := fresh(t).(*Store)
	if err := s.Write(t.Context(), one); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := OpenReader(s.path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if got, err := r.History(t.Context(), journal.Query{}); err != nil || len(got) != 1 {
		t.Errorf("the reader sees %d lines, error %v; want 1", len(got), err)
	}
}

// Each write must be synced: the settings that promise it are per connection.
func TestDurableSettings(t *testing.T) {
	s := fresh(t).(*Store)
	defer s.Close()
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "busy_timeout": "5000", "user_version": fmt.Sprint(journal.Schema)} {
		var got string
		if err := s.db.QueryRow("PRAGMA " + pragma).Scan(&got); err != nil || got != want {
			t.Errorf("%s is %s, error %v; want %s", pragma, got, err, want)
		}
	}
}

// A service manager may start two at once: both must find a whole journal.
func TestOpenTogether(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			s, err := Open(path, Options{})
			if err != nil {
				t.Errorf("open: %v", err)
				return
			}
			defer s.Close()
			b := journal.Batch{Records: []journal.Record{{Key: fmt.Sprint(i), Rev: 1, Open: true}}}
			if err := s.Write(t.Context(), b); err != nil {
				t.Errorf("write: %v", err)
			}
		})
	}
	wg.Wait()
	s := open(t, path)
	defer s.Close()
	if got, err := s.Open(t.Context()); err != nil || len(got) != 8 {
		t.Errorf("%d records, error %v; want 8", len(got), err)
	}
}

func openPlain(path string) (*Store, error) { return Open(path, Options{}) }

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	change(t, path("newer"), fmt.Sprintf("PRAGMA user_version = %d", journal.Schema+1))
	foreign(t, path("foreign"))
	if err := os.WriteFile(path("text"), []byte(strings.Repeat("not a database\n", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path("empty"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(
		os.WriteFile(path("short"), []byte("no database"), 0o600), os.Mkdir(path("directory"), 0o700),
		os.Symlink("loop-wal", path("loop-wal")),
	); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(path("foreign"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		open func(string) (*Store, error)
		want string
	}{
		{"newer", openPlain, "run that Ebb or a later one"},
		{"newer", OpenReader, "run that Ebb or a later one"},
		{"foreign", openPlain, "database of something else"},
		{"foreign", OpenReader, "database of something else"},
		{"text", openPlain, "not a database"},
		{"text", OpenReader, "not a database"},
		{"short", openPlain, "not a database"},
		{"directory", openPlain, "is a directory"},
		{"loop", openPlain, "too many levels of symbolic links"},
		{"no/such/dir/journal.db", openPlain, "create it, or set journal to another path"},
		{"absent", OpenReader, "run this on the host of ebb serve"},
		{"empty", OpenReader, "has not written it yet"},
	} {
		s, err := c.open(path(c.name))
		if err == nil {
			s.Close()
			t.Errorf("%s: opened", c.name)
			continue
		}
		if !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path(c.name)) {
			t.Errorf("%s: error %q, want the path and %q", c.name, err, c.want)
		}
		if newer := errors.Is(err, journal.ErrNewer); newer != (c.name == "newer") {
			t.Errorf("%s: is ErrNewer: %v", c.name, newer)
		}
	}
	if after, err := os.ReadFile(path("foreign")); err != nil || !bytes.Equal(before, after) {
		t.Errorf("a database of something else was changed, error %v", err)
	}
	if _, err := os.Stat(path("absent")); err == nil {
		t.Error("a reader made a file")
	}
}

// old makes a journal of version 1 with an open drain, one that has ended and a line.
func old(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "old.db")
	run(t, path, "PRAGMA journal_mode = WAL;"+version1+`
		INSERT INTO record VALUES ('web/i-1/a', 'web', 3, 1, CAST('{"a":1}' AS BLOB), 7), ('web/i-2/a', 'web', 9, 0, CAST('{"b":1}' AS BLOB), 6);
		INSERT INTO line (at, key, kind, text, data) VALUES ('2026-11-21T09:00:00.000000001Z', 'web/i-1/a', 'heard', 'of it', NULL);
		PRAGMA user_version = 1; PRAGMA application_id = `+fmt.Sprint(applicationID))
	return path
}

var (
	oldOpen  = []journal.Record{{Key: "web/i-1/a", Scope: "web", Rev: 3, Open: true, Body: []byte(`{"a":1}`)}}
	oldEnded = []journal.Record{{Key: "web/i-2/a", Scope: "web", Rev: 9, Body: []byte(`{"b":1}`)}}
	oldLines = []journal.Line{{Seq: 1, At: time.Date(2026, 11, 21, 9, 0, 0, 1, time.UTC), Key: "web/i-1/a", Kind: "heard", Text: "of it"}}
)

func compare(t *testing.T, s *Store) {
	t.Helper()
	open, errOpen := s.Open(t.Context())
	ended, errEnded := s.Recent(t.Context(), 0)
	lines, errLines := s.History(t.Context(), journal.Query{})
	if err := errors.Join(errOpen, errEnded, errLines); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(oldOpen, open) + cmp.Diff(oldEnded, ended) + cmp.Diff(oldLines, lines); d != "" {
		t.Error(d)
	}
}

// A reader of a journal that ebb serve has not brought to this version yet sees what is in it, and leaves it as it is.
func TestAReaderReadsTheVersionBefore(t *testing.T) {
	path := old(t)
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	r, err := OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	compare(t, r)
	leases, errLeases := r.Leases(t.Context())
	notes, errForwarded := r.Forwarded(t.Context(), []string{"web"})
	if err := errors.Join(errLeases, errForwarded); err != nil || len(leases)+len(notes) > 0 {
		t.Errorf("leases %v, notes %v, error %v", leases, notes, err)
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
		t.Errorf("a reader has changed the file, error %v", err)
	}
}

// What is in a journal of the version before stays in it, and goes on.
func TestTheVersionBeforeIsBroughtToThisOne(t *testing.T) {
	path := old(t)
	s := open(t, path)
	compare(t, s)
	mine := journal.Lease{Scope: "web", Holder: "x", Fence: 1, Beat: 1}
	if err := s.Claim(t.Context(), journal.Lease{}, mine); err != nil {
		t.Fatal(err)
	}
	next := oldOpen[0]
	next.Rev++
	b := journal.Batch{Under: []journal.Lease{mine}, Records: []journal.Record{next}, Forwarded: []journal.Forwarded{{Scope: "web", ID: "1"}}}
	if err := s.Write(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	rival := journal.Batch{Records: []journal.Record{{Key: "web/i-1/b", Rev: 1, Open: true}}}
	if err := s.Write(t.Context(), rival); !errors.Is(err, journal.ErrConflict) {
		t.Errorf("a second drain of an instance that was being drained before: error %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, path) // a second time there is nothing to bring anywhere
	defer s.Close()
	if got, err := s.Open(t.Context()); err != nil || len(got) != 1 || got[0].Rev != 4 {
		t.Errorf("open records %v, error %v", got, err)
	}
}

// Two open drains of one instance may come from the version before. One of them can be gone on with, and ended.
func TestOneOfTwoDrainsOfTheVersionBeforeGoesOn(t *testing.T) {
	path := old(t)
	run(t, path, "INSERT INTO record VALUES ('web/i-1/b', 'web', 1, 1, NULL, 8)")
	s := open(t, path)
	defer s.Close()
	next := oldOpen[0]
	for _, open := range []bool{true, false} {
		next.Rev, next.Open = next.Rev+1, open
		if err := s.Write(t.Context(), journal.Batch{Records: []journal.Record{next}}); err != nil {
			t.Errorf("revision %d: %v", next.Rev, err)
		}
	}
	if got, err := s.Open(t.Context()); err != nil || len(got) != 1 || got[0].Key != "web/i-1/b" {
		t.Errorf("open records %v, error %v", got, err)
	}
}

// Drains that ended in one batch are told by key, after those that ended later.
func TestWhatEndedTogetherIsToldByKey(t *testing.T) {
	s := fresh(t).(*Store)
	defer s.Close()
	for _, keys := range [][]string{{"c", "a", "b"}, {"d"}} {
		var b journal.Batch
		for _, key := range keys {
			b.Records = append(b.Records, journal.Record{Key: key, Rev: 1})
		}
		if err := s.Write(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	var got string
	recent, err := s.Recent(t.Context(), 0)
	for _, r := range recent {
		got += r.Key
	}
	if got != "dabc" || err != nil {
		t.Errorf("got %s, error %v", got, err)
	}
}

// change runs a statement on a fresh journal.
func change(t *testing.T, path, statement string) {
	t.Helper()
	s := open(t, path)
	defer s.Close()
	if _, err := s.db.Exec(statement); err != nil {
		t.Fatal(err)
	}
}

// foreign makes a database of something else.
func foreign(t *testing.T, path string) {
	t.Helper()
	run(t, path, "CREATE TABLE holiday (day TEXT)")
}

// run runs statements on a database of any kind.
func run(t *testing.T, path, statements string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(statements); err != nil {
		t.Fatal(err)
	}
}
