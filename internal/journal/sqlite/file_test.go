package sqlite

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/journal"
)

// spoil writes garbage over a part of a file.
func spoil(t *testing.T, path string, from, n int) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b := make([]byte, n)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range b {
		b[i] = byte(random.UintN(256))
	}
	if _, err := f.WriteAt(b, int64(from)); err != nil {
		t.Fatal(err)
	}
}

// kept are the files that were kept aside, in dir.
func kept(t *testing.T, dir string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.damaged-*"))
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// logged opens a journal that tells what it does.
func logged(t *testing.T, path string) (*Store, *bytes.Buffer) {
	t.Helper()
	var b bytes.Buffer
	s, err := Open(path, Options{Log: slog.New(slog.NewTextHandler(&b, nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s, &b
}

// works sees that a journal is empty and takes what it is given.
func works(t *testing.T, s *Store) {
	t.Helper()
	if got, err := s.Open(t.Context()); err != nil || len(got) > 0 {
		t.Errorf("the new journal has %d records, error %v", len(got), err)
	}
	if err := s.Write(t.Context(), one); err != nil {
		t.Errorf("write: %v", err)
	}
	if got, err := s.Open(t.Context()); err != nil || len(got) != 1 {
		t.Errorf("%d records, error %v; want 1", len(got), err)
	}
}

// full makes a journal whose pages are all in the file itself, as after a checkpoint.
func full(t *testing.T, path string) {
	t.Helper()
	s := open(t, path)
	var b journal.Batch
	for i := range 200 {
		b.Records = append(b.Records, journal.Record{Key: fmt.Sprint(i), Rev: 1, Open: true, Body: bytes.Repeat([]byte("x"), 1000)})
		b.Lines = append(b.Lines, journal.Line{Key: fmt.Sprint(i), At: time.Now(), Text: "text"})
		b.Forwarded = append(b.Forwarded, journal.Forwarded{Scope: "web", ID: fmt.Sprint(i), Body: strings.Repeat("x", 100)})
	}
	if err := s.Write(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	if err := s.Claim(t.Context(), journal.Lease{}, journal.Lease{Scope: "web", Holder: "x", Fence: 1, Beat: 1}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// A journal that is damaged when it is opened is kept, and another begun.
func TestADamagedJournalIsKeptAsideWhenItIsOpened(t *testing.T) {
	for name, harm := range map[string]func(t *testing.T, path string){
		"its pages":                             func(t *testing.T, path string) { spoil(t, path, 100, 60_000) },
		"its schema":                            func(t *testing.T, path string) { spoil(t, path, 100, 3900) },
		"its header":                            func(t *testing.T, path string) { spoil(t, path, 0, 60) },
		"all of its header":                     func(t *testing.T, path string) { spoil(t, path, 0, 100) },
		"all of it":                             func(t *testing.T, path string) { spoil(t, path, 0, 100_000); touch(t, path+"-wal") },
		"all of it beside the index of its log": func(t *testing.T, path string) { spoil(t, path, 0, 100_000); touch(t, path+"-shm") },
		"half of it ":                           func(t *testing.T, path string) { cut(t, path, 6000) },
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "journal.db")
			full(t, path)
			harm(t, path)
			s, log := logged(t, path)
			if _, err := s.Open(t.Context()); err != nil { // it may be found only now
				t.Log(err)
			}
			works(t, s)
			names := kept(t, filepath.Dir(path))
			if len(names) == 0 || !strings.Contains(log.String(), "level=ERROR") || !strings.Contains(log.String(), filepath.Base(names[0])) {
				t.Errorf("kept %q; log:\n%s", names, log)
			}
		})
	}
}

// A database of something else that is damaged was only named by mistake: it stays where it is, as it is.
func TestADamagedDatabaseOfSomethingElseStays(t *testing.T) {
	for name, from := range map[string]int{"its schema": 100, "its pages": 4096} {
		path := filepath.Join(t.TempDir(), "holiday.db")
		foreign(t, path)
		spoil(t, path, from, 3900)
		before, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if s, err := openPlain(path); err == nil {
			s.Close()
			t.Errorf("%s: it was opened", name)
		}
		if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) || len(kept(t, filepath.Dir(path))) > 0 {
			t.Errorf("%s: it was changed or moved: %v, %q", name, err, kept(t, filepath.Dir(path)))
		}
	}
}

func touch(t *testing.T, path string) {
	t.Helper()
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

func cut(t *testing.T, path string, to int64) {
	t.Helper()
	if err := os.Truncate(path, to); err != nil {
		t.Fatal(err)
	}
}

// A journal that is damaged while it is open is kept with its log; one call fails, and those after it have a new journal. Whoever else has it
// open is told that it is gone, and leaves the new one alone.
func TestADamagedJournalIsKeptAsideWhileItIsOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	full(t, path)
	s, log := logged(t, path)
	other := open(t, path)
	defer other.Close()
	if err := s.Write(t.Context(), one); err != nil {
		t.Fatal(err)
	}
	if err := other.Write(t.Context(), journal.Batch{Lines: []journal.Line{{Key: "b"}}}); err != nil { // so that pages are read anew
		t.Fatal(err)
	}
	spoil(t, path, 4096, 200_000)
	var failed error
	for range 5 {
		if _, failed = s.Open(t.Context()); failed != nil {
			break
		}
	}
	if failed == nil || errors.Is(failed, journal.ErrGone) {
		t.Fatalf("the damage was not met: %v", failed)
	}
	works(t, s)
	if names := kept(t, filepath.Dir(path)); len(names) != 3 {
		t.Errorf("kept %q, want the file with its log and the index of that", names)
	}
	if _, err := other.Open(t.Context()); !errors.Is(err, journal.ErrGone) {
		t.Errorf("the other one reads with error %v", err)
	}
	if err := other.Write(t.Context(), one); !errors.Is(err, journal.ErrGone) {
		t.Errorf("the other one writes with error %v", err)
	}
	if err := other.Close(); err != nil {
		t.Error(err)
	}
	if got, err := s.Open(t.Context()); err != nil || len(got) != 1 {
		t.Errorf("%d records, error %v; want 1", len(got), err)
	}
	if strings.Count(log.String(), "level=ERROR") != 1 {
		t.Errorf("log:\n%s", log)
	}
	for _, name := range opened(t, path) {
		if strings.Contains(name, ".damaged-") {
			t.Errorf("%s is still open", name)
		}
	}
}

// opened are the files that this process has open and whose names begin with path.
func opened(t *testing.T, path string) (names []string) {
	t.Helper()
	const fds = "/dev/fd"
	files, err := os.ReadDir(fds)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if to, _ := os.Readlink(filepath.Join(fds, f.Name())); strings.HasPrefix(to, path) {
			names = append(names, to)
		}
	}
	return names
}

// A value that is none is damage too: otherwise it would be read again for ever.
func TestATimeThatIsNoneIsDamage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	full(t, path)
	s, _ := logged(t, path)
	if _, err := s.db.Exec("UPDATE lease SET at = 'noon'"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Leases(t.Context()); err == nil {
		t.Error("it was read")
	}
	works(t, s)
}

// A call that is broken off closes no file, so it is not taken for one that is gone.
func TestABrokenOffCallIsNoDamage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	full(t, path)
	s, log := logged(t, path)
	for i := range 300 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*10*time.Microsecond)
		_, _ = s.Open(ctx)
		_ = s.Write(ctx, journal.Batch{Lines: []journal.Line{{Key: "a", Text: strings.Repeat("x", 10_000)}}})
		cancel()
	}
	if got, err := s.Open(t.Context()); err != nil || len(got) != 200 || log.Len() > 0 {
		t.Errorf("%d records, error %v; want 200; log:\n%s", len(got), err, log)
	}
}

// The file is for its owner; an older one is taken away from all others, and the directory stays as it is.
func TestTheFileIsPrivate(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "journal.db")
	modes := func(want os.FileMode) {
		t.Helper()
		s := open(t, path)
		defer s.Close()
		if err := s.Write(t.Context(), one); err != nil && !errors.Is(err, journal.ErrConflict) {
			t.Fatal(err)
		}
		for _, side := range sides {
			if info, err := os.Stat(path + side); err != nil || info.Mode().Perm() != want {
				t.Errorf("%s: %v, error %v; want %v", path+side, info.Mode(), err, want)
			}
		}
		if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o755 {
			t.Errorf("the directory: %v, error %v", info.Mode(), err)
		}
	}
	modes(0o600)
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	modes(0o640)
	s := open(t, path) // all of its files are there
	defer s.Close()
	for _, mode := range []os.FileMode{0o641, 0o647} {
		for _, side := range sides {
			if err := os.Chmod(path+side, mode); err != nil {
				t.Fatal(err)
			}
		}
		modes(0o640)
	}
}

// Only who may not use the files is told so: a reader of something else, or of a damaged journal, would look for a user in vain.
func TestAReaderIsToldWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	other, harmed, empty := filepath.Join(dir, "holiday.db"), filepath.Join(dir, "journal.db"), filepath.Join(dir, "empty.db")
	foreign(t, other)
	full(t, harmed)
	spoil(t, harmed, 0, 60)
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{other: "of something else", harmed: "file is not a database", empty: "ebb serve has not written it yet"} {
		s, err := OpenReader(path)
		if err == nil {
			s.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "may not read") {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
}
