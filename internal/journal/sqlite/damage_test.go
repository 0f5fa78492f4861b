package sqlite

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/journal"
)

// A table that is missing is an error of each call that needs it, and no conflict: the engine would read the journal again for ever.
func TestADamagedFileIsAnErrorOfEachCall(t *testing.T) {
	mine := journal.Lease{Scope: "a", Holder: "x", Fence: 1, Beat: 1}
	calls := map[string]func(s *Store) error{
		"a record": func(s *Store) error { return s.Write(t.Context(), journal.Batch{Records: one.Records}) },
		"a line":   func(s *Store) error { return s.Write(t.Context(), journal.Batch{Lines: one.Lines}) },
		"a message": func(s *Store) error {
			return s.Write(t.Context(), journal.Batch{Forwarded: []journal.Forwarded{{Scope: "a", ID: "2"}}})
		},
		"under a lease": func(s *Store) error {
			return s.Write(t.Context(), journal.Batch{Under: []journal.Lease{mine}, Lines: one.Lines})
		},
		"claim":          func(s *Store) error { return s.Claim(t.Context(), mine, mine) },
		"discard":        func(s *Store) error { return s.Discard(t.Context(), []journal.Forwarded{{Scope: "a", ID: "1"}}) },
		"open records":   func(s *Store) error { _, err := s.Open(t.Context()); return err },
		"recent records": func(s *Store) error { _, err := s.Recent(t.Context(), 0); return err },
		"history":        func(s *Store) error { _, err := s.History(t.Context(), journal.Query{}); return err },
		"leases":         func(s *Store) error { _, err := s.Leases(t.Context()); return err },
		"messages":       func(s *Store) error { _, err := s.Forwarded(t.Context(), []string{"a"}); return err },
	}
	for table, need := range map[string][]string{
		"record": {"a record", "a line", "a message", "under a lease", "open records", "recent records"}, // the number of a write is in it
		"line":   {"a line", "under a lease", "history"},
		"note":   {"a message", "discard", "messages"},
		"lease":  {"under a lease", "claim", "leases"},
	} {
		for _, name := range need {
			s := fresh(t).(*Store)
			if err := s.Claim(t.Context(), journal.Lease{}, mine); err != nil {
				t.Fatal(err)
			}
			if _, err := s.db.Exec("DROP TABLE " + table); err != nil {
				t.Fatal(err)
			}
			if err := calls[name](s); err == nil || errors.Is(err, journal.ErrConflict) || !strings.Contains(err.Error(), s.path) {
				t.Errorf("%s without the table %s: error %v", name, table, err)
			}
			works(t, s) // in a new journal
			s.Close()
		}
	}
}

// A value that cannot be read is an error and not a zero: a lease without a holder would be free.
func TestAValueThatCannotBeReadIsAnError(t *testing.T) {
	b := one
	b.Forwarded = []journal.Forwarded{{Scope: "a", ID: "1", Sent: time.Now()}}
	for table, read := range map[string]func(s *Store) error{
		"record": func(s *Store) error { _, err := s.Open(t.Context()); return err },
		"line":   func(s *Store) error { _, err := s.History(t.Context(), journal.Query{}); return err },
		"lease":  func(s *Store) error { _, err := s.Leases(t.Context()); return err },
		"note":   func(s *Store) error { _, err := s.Forwarded(t.Context(), []string{"a"}); return err },
	} {
		s := fresh(t).(*Store)
		if err := errors.Join(s.Write(t.Context(), b), s.Claim(t.Context(), journal.Lease{}, journal.Lease{Scope: "a", Fence: 1, Beat: 1})); err != nil {
			t.Fatal(err)
		}
		spoilt := map[string]string{
			// a table that takes anything, with the same in it but for a revision that is no number
			"record": "CREATE TABLE loose (key, scope, rev, open, body, written); " +
				"INSERT INTO loose SELECT key, scope, 'many', open, body, written FROM record; " +
				"DROP TABLE record; ALTER TABLE loose RENAME TO record",
			"line": "UPDATE line SET at = 'yesterday'", "lease": "UPDATE lease SET at = 'yesterday'", "note": "UPDATE note SET sent = 'yesterday'",
		}
		if _, err := s.db.Exec(spoilt[table]); err != nil {
			t.Fatal(err)
		}
		if err := read(s); err == nil {
			t.Errorf("a value of %s that is none: no error", table)
		}
		s.Close()
	}
}

// A step that fails leaves the file as it was, and says to which version it was to be brought.
func TestAStepThatFailsIsTold(t *testing.T) {
	path := old(t)
	run(t, path, "CREATE TABLE lease (scope TEXT)")
	for range 2 {
		if s, err := openPlain(path); err == nil || !strings.Contains(err.Error(), "bring it to version 2") {
			t.Fatalf("got %v, %v", s, err)
		}
	}
}

func TestOpenWantsADirectory(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openPlain(filepath.Join(file, "journal.db")); err == nil || !strings.Contains(err.Error(), "there is no directory "+file) {
		t.Errorf("got %v", err)
	}
}

// What cannot be opened is not kept open.
func TestAFailedOpenLeavesNoFileOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "holiday.db")
	foreign(t, path)
	for name, open := range map[string]func(string) (*Store, error){"for writing": openPlain, "for reading": OpenReader} {
		if _, err := open(path); err == nil {
			t.Fatalf("%s: a database of something else was opened", name)
		}
	}
	if names := opened(t, path); len(names) > 0 {
		t.Errorf("still open: %q", names)
	}
}

// Whatever else has marked a file as its own, also if there is nothing in it yet.
func TestAFileWithTheMarkOfSomethingElseIsRefused(t *testing.T) {
	for _, mark := range []string{"PRAGMA application_id = 5", "PRAGMA user_version = 5"} {
		path := filepath.Join(t.TempDir(), "other.db")
		run(t, path, mark)
		if _, err := openPlain(path); err == nil || !strings.Contains(err.Error(), "of something else") {
			t.Errorf("%s: got %v", mark, err)
		}
	}
}
