package host

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/ebbhq/ebb/internal/plain"
)

// Step is a step that a file in a directory makes.
type Step struct {
	Name string // of the file
	Kind Kind
}

// Directory makes a step of each executable in a directory, in the order of their names. It refuses what others than root, or whom the agent
// runs as, own or can change. Hidden files and what is not executable are left out.
func Directory(path string) ([]Step, error) {
	entries, err := os.ReadDir(path) // sorted by name
	if err == nil {
		err = trusted(path)
	}
	if err != nil {
		return nil, err
	}
	var steps []Step
	for _, e := range entries {
		file := filepath.Join(path, e.Name())
		info, err := os.Stat(file)
		if err != nil {
			return nil, err
		}
		if strings.HasPrefix(e.Name(), ".") || !info.Mode().IsRegular() || info.Mode()&0o111 == 0 {
			continue
		}
		if err := trusted(file); err != nil {
			return nil, err
		}
		steps = append(steps, Step{Name: e.Name(), Kind: guarded{&command{Words: []string{file}, Grace: 10 * time.Second}}})
	}
	return steps, nil
}

// trusted reports an error if anybody but root or ourselves could change a file, or put another one in its place. A directory above it may be
// open to all if it is sticky, like /tmp: there nobody can rename what others own.
func trusted(path string) error {
	at, err := filepath.Abs(path)
	if err == nil {
		at, err = filepath.EvalSymlinks(at)
	}
	for above := false; err == nil; above = true {
		info, err := os.Stat(at)
		if err != nil {
			return err
		}
		owner, shown := info.Sys().(*syscall.Stat_t).Uid, plain.Text(at, plain.Short)
		switch {
		case owner != 0 && int(owner) != os.Geteuid():
			return fmt.Errorf("%s belongs to user %d, and its files would run as root; give it to root", shown, owner)
		case info.Mode()&0o022 != 0 && (!above || info.Mode()&os.ModeSticky == 0):
			return fmt.Errorf("%s can be written by others (%s), and its files would run as root; run chmod go-w on it", shown, info.Mode())
		case at == "/":
			return nil
		}
		at = filepath.Dir(at)
	}
	return err
}
