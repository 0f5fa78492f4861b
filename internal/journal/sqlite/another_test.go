package sqlite

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// asAnother is the journal where a test runs as another user.
const asAnother = "EBB_TEST_AS_ANOTHER"

// nobody is the user and the group that root becomes.
const nobody = 65534

// another returns a directory that everybody may read, and how to run a test of this program as another user: root becomes one for this;
// for anybody else it is the same user.
func another(t *testing.T) (dir string, as func(test, path string) string) {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "ebb-reader") //nolint:usetesting // those of the test are for root alone
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	program := filepath.Join(dir, "test")
	self, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Chmod(dir, 0o755), os.WriteFile(program, self, 0o755)); err != nil {
		t.Fatal(err)
	}
	return dir, func(test, path string) string {
		cmd := exec.Command(program, "-test.run", "^"+test+"$")
		cmd.Dir, cmd.Env = dir, append(os.Environ(), asAnother+"="+path)
		if os.Getuid() == 0 {
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("run as another user: %v\n%s", err, out)
		}
		return string(out)
	}
}

func chmod(t *testing.T, mode os.FileMode, paths ...string) {
	t.Helper()
	for _, path := range paths {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
}

// A user who may not read a journal is told whose it is, and reads one that it may read. Root becomes another user for this; anybody else
// has no access to the files for a while.
func TestAReaderWhoIsAnotherUser(t *testing.T) {
	if path := os.Getenv(asAnother); path != "" {
		s, err := OpenReader(path)
		if err != nil {
			fmt.Println("error:", err)
			return
		}
		got, err := s.Open(t.Context())
		fmt.Println("read:", len(got), err)
		return
	}
	dir, run := another(t)
	path := filepath.Join(dir, "journal.db")
	as := func() string { return run("TestAReaderWhoIsAnotherUser", path) }
	all := []string{path, path + "-wal", path + "-shm"}
	s := open(t, path)
	if err := s.Write(t.Context(), one); err != nil {
		t.Fatal(err)
	}
	if os.Getuid() != 0 {
		chmod(t, 0, all...)
	}
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	if out := as(); !strings.Contains(out, "for user "+me.Username+" alone") || !strings.Contains(out, "run this as user "+me.Username) {
		t.Errorf("beside the writer: %s", out)
	}
	chmod(t, 0o644, path)
	chmod(t, 0, all[1:]...)
	if out := as(); !strings.Contains(out, "for user "+me.Username+" alone") { // what it could read lacks what is in the log
		t.Errorf("beside the writer, with a log for its owner alone: %s", out)
	}
	chmod(t, 0o644, all...) // as an Ebb from before made it
	if out := as(); !strings.Contains(out, "read: 1 <nil>") {
		t.Errorf("beside the writer, with files for all: %s", out)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if out := as(); !strings.Contains(out, "read: 1 <nil>") {
		t.Errorf("after the writer, with files for all: %s", out)
	}
	touch(t, path+"-wal") // as after a crash
	chmod(t, 0, path+"-wal")
	if out := as(); !strings.Contains(out, "for user "+me.Username+" alone") {
		t.Errorf("after a writer that has left its log: %s", out)
	}
	chmod(t, 0, path)
	if os.Getuid() == 0 {
		if err := os.Chown(path, 54321, 0); err != nil {
			t.Fatal(err)
		}
		if out := as(); !strings.Contains(out, "for the user with number 54321 alone") {
			t.Errorf("of a user without a name: %s", out)
		}
	}
	inside := filepath.Join(dir, "inside")
	if err := errors.Join(os.Mkdir(inside, 0), os.Rename(path, filepath.Join(dir, "inside.db"))); err != nil {
		t.Fatal(err)
	}
	defer chmod(t, 0o700, inside)
	path = filepath.Join(inside, "journal.db")
	if out := as(); !strings.Contains(out, "for the user of ebb serve alone") {
		t.Errorf("in a directory of another user: %s", out)
	}
}

// A writer who has the files by their group cannot take them away from others, and writes all the same.
func TestAWriterWhoHasTheFilesByTheirGroup(t *testing.T) {
	if path := os.Getenv(asAnother); path != "" {
		s, err := openPlain(path)
		if err != nil {
			fmt.Println("error:", err)
			return
		}
		fmt.Println("written:", s.Write(t.Context(), one), s.Close())
		return
	}
	dir, run := another(t)
	inside := filepath.Join(dir, "inside")
	path := filepath.Join(inside, "journal.db")
	if err := os.Mkdir(inside, 0o770); err != nil {
		t.Fatal(err)
	}
	full(t, path)
	chmod(t, 0o664, path)
	if os.Getuid() == 0 {
		if err := errors.Join(os.Chown(inside, 0, nobody), os.Chmod(inside, 0o770), os.Chown(path, 0, nobody)); err != nil {
			t.Fatal(err)
		}
	}
	if out := run("TestAWriterWhoHasTheFilesByTheirGroup", path); !strings.Contains(out, "written: <nil> <nil>") {
		t.Error(out)
	}
}
