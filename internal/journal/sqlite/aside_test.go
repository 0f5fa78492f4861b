package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/journal"
)

// A part that is damaged is never read as if it were not there: what is read is an error, or all of it. A reader moves nothing.
func TestADamagedPartIsNoShorterList(t *testing.T) {
	const page = 4096
	path := filepath.Join(t.TempDir(), "journal.db")
	full(t, path)
	run(t, path, "DELETE FROM lease; "+
		"INSERT INTO lease SELECT key, hex(substr(body, 1, 100)), 1, 1, 1, '2026-11-21T09:00:00.000000000Z' FROM record")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	met := 0
	for from := page; from < len(whole); from += page {
		if err := os.WriteFile(path, whole, 0o600); err != nil {
			t.Fatal(err)
		}
		spoil(t, path, from, page)
		r, err := OpenReader(path)
		if err != nil {
			t.Fatal(err)
		}
		records, errRecords := r.Open(t.Context())
		lines, errLines := r.History(t.Context(), journal.Query{})
		sent, errSent := r.Forwarded(t.Context(), []string{"web"})
		leases, errLeases := r.Leases(t.Context())
		for what, x := range map[string]struct {
			n   int
			err error
		}{
			"records": {len(records), errRecords}, "lines": {len(lines), errLines}, "messages": {len(sent), errSent},
			"leases": {len(leases), errLeases},
		} {
			if x.err == nil && x.n != 200 || x.err != nil && (x.n > 0 || errors.Is(x.err, journal.ErrGone)) {
				t.Errorf("with page %d spoilt %d %s are read, error %v", from/page, x.n, what, x.err)
			}
			if x.err != nil {
				met++
			}
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		if err := r.Close(); err != nil {
			t.Errorf("the second time: %v", err)
		}
	}
	if met < 10 || len(kept(t, filepath.Dir(path))) > 0 {
		t.Errorf("the damage was met %d times; kept aside: %q", met, kept(t, filepath.Dir(path)))
	}
}

// However many calls meet the damage at once, one new journal is begun.
func TestCallsThatMeetTheSameDamageBeginOneJournal(t *testing.T) {
	for range 2 {
		path := filepath.Join(t.TempDir(), "journal.db")
		full(t, path)
		s, log := logged(t, path)
		if _, err := s.db.Exec("DROP TABLE record"); err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() { _, _ = s.Open(t.Context()) })
		}
		wg.Wait()
		works(t, s)
		if n := strings.Count(log.String(), "level=ERROR"); n != 1 {
			t.Errorf("%d journals are begun:\n%s", n, log)
		}
	}
}

// A call that has met the damage before another one began the new journal leaves that alone.
func TestDamageThatIsMetLateIsNotThatOfTheNewJournal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	full(t, path)
	s, log := logged(t, path)
	err := s.change(t.Context(), func(*sql.Tx) error {
		_ = s.failed(s.db, "read", errDamaged) // another call
		return errDamaged
	})
	if !errors.Is(err, errDamaged) || strings.Count(log.String(), "level=ERROR") != 1 {
		t.Errorf("error %v, log:\n%s", err, log)
	}
	works(t, s)
}

// Damage that another process has seen to, while this one met it, is that process's affair.
func TestAJournalThatAnotherHasBegunAnewIsLeftAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	full(t, path)
	s, log := logged(t, path)
	err := s.change(t.Context(), func(*sql.Tx) error {
		if _, err := keepAside(path); err != nil {
			t.Fatal(err)
		}
		touch(t, path)
		return errDamaged
	})
	if !errors.Is(err, journal.ErrGone) || log.Len() > 0 {
		t.Errorf("error %v, log:\n%s", err, log)
	}
	if now, err := os.ReadFile(path); err != nil || len(now) > 0 {
		t.Errorf("the file of the other one has %d bytes, error %v", len(now), err)
	}
}

// What cannot be kept aside stays as it is, with its log, and the error says both what is damaged and why it cannot be kept.
func TestWhatCannotBeKeptAsideStays(t *testing.T) {
	const suffix = ".damaged-20060102T150405.000Z"
	name := strings.Repeat("j", 255-len(suffix)) // the name that it is kept under is as long as can be, and that of its log is too long
	path := filepath.Join(t.TempDir(), name)
	full(t, path)
	spoil(t, path, 0, 60)
	touch(t, path+"-wal")
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s, err := openPlain(path)
	if err == nil {
		s.Close()
	}
	if !errors.Is(err, syscall.ENAMETOOLONG) || !strings.Contains(err.Error(), "not a database") ||
		!strings.Contains(err.Error(), "keep the damaged journal") {
		t.Errorf("error %v", err)
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) || filesOf(path)[1] == nil {
		t.Errorf("the journal was moved or changed: %v", err)
	}
	if _, err := keepAside(filepath.Join(t.TempDir(), "journal.db")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("of no file: error %v", err)
	}
}

// While it is open, too: the call says why no new journal could be begun.
func TestAnOpenJournalThatCannotBeKeptAside(t *testing.T) {
	path := filepath.Join(t.TempDir(), strings.Repeat("j", 230))
	s := open(t, path)
	defer s.Close()
	if _, err := s.db.Exec("DROP TABLE record"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Open(t.Context()); !errors.Is(err, syscall.ENAMETOOLONG) || !strings.Contains(err.Error(), "no such table") {
		t.Errorf("error %v", err)
	}
	if f := filesOf(path); f[0] == nil || f[1] == nil {
		t.Error("its files were moved")
	}
}

// A file that is kept is never overwritten by another, however soon that one comes.
func TestWhatIsKeptIsNotOverwritten(t *testing.T) {
	path, moved := filepath.Join(t.TempDir(), "journal.db"), 0
	for range 200 {
		touch(t, path)
		if _, err := keepAside(path); err == nil {
			moved++
		} else if _, gone := os.Stat(path); gone != nil {
			t.Errorf("error %v, but the file was moved", err)
		}
	}
	if names := kept(t, filepath.Dir(path)); len(names) != moved {
		t.Errorf("%d files were kept aside, %d are there", moved, len(names))
	}
}

// A query that is broken off closes its connection, and the last one to close removes the side files, if nothing is left in the log: this
// must not be the last one.
func TestAQueryThatIsBrokenOffLeavesTheFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	full(t, path)
	s := open(t, path)
	defer s.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := s.db.ExecContext(ctx, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"); err == nil {
		t.Fatal("it was not broken off")
	}
	if got, err := s.Open(t.Context()); err != nil || len(got) != 200 {
		t.Errorf("%d records, error %v; want 200", len(got), err)
	}
}

// The calls of one Ebb wait for each other, so that the lease is not renewed in the middle of a write.
func TestCallsWaitForEachOther(t *testing.T) {
	s := fresh(t).(*Store)
	defer s.Close()
	err := s.change(t.Context(), func(*sql.Tx) error {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if _, err := s.Open(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a read beside a write: error %v", err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	works(t, s)
}

// A journal of this version is opened without a change to it.
func TestOpeningChangesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	full(t, path)
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := open(t, path).Close(); err != nil {
		t.Fatal(err)
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the file has changed, error %v", err)
	}
}

// The write-ahead log is turned on once nobody else is about to write, such as another Ebb that starts.
func TestOpenWaitsForAnotherThatStarts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	if _, err := db.Exec("BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() {
		time.Sleep(200 * time.Millisecond)
		_, err := db.Exec("ROLLBACK")
		done <- errors.Join(err, db.Close())
	}()
	s, err := openPlain(path)
	if err := errors.Join(err, <-done); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	works(t, s)
}
