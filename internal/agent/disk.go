package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/ebbhq/ebb/internal/steps"
)

// Disk keeps the state in a directory of the host, in a file that is replaced whole.
type Disk struct{ Dir string }

// ballast is kept on the disk so that the state still fits when a step has filled it.
const ballast = 256 << 10 // bytes

func (d Disk) file(name string) string { return filepath.Join(d.Dir, name) }

// Open makes the directory and the ballast.
func (d Disk) Open() error {
	if err := os.MkdirAll(d.Dir, 0o700); err != nil {
		return fmt.Errorf("make the directory of the agent's state: %w", err)
	}
	if info, err := os.Stat(d.file("ballast")); err == nil && info.Size() == ballast {
		return nil
	}
	return os.WriteFile(d.file("ballast"), make([]byte, ballast), 0o600)
}

// Load reads the state. One that cannot be read is put aside as state.bad.
func (d Disk) Load() (steps.State, error) {
	var st steps.State
	data, err := os.ReadFile(d.file("state.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return st, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &st)
	}
	if err != nil {
		_ = os.Rename(d.file("state.json"), d.file("state.bad")) // what matters is that it is begun anew
		return steps.State{}, fmt.Errorf("read what the agent did before from %s (it is kept as state.bad): %w", d.file("state.json"), err)
	}
	return st, nil
}

// Save returns once the state is on the disk. When the disk is full, the ballast makes room.
func (d Disk) Save(st steps.State) error {
	data, err := json.Marshal(st)
	if err == nil {
		err = d.write(data)
	}
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		_ = os.Remove(d.file("ballast"))
		err = d.write(data)
	}
	if err != nil {
		return fmt.Errorf("store what the agent does: %w", err)
	}
	return nil
}

// write replaces the file and makes that durable.
func (d Disk) write(data []byte) error {
	f, err := os.Create(d.file("state.new"))
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(d.file("state.new"), d.file("state.json"))
	}
	dir, openErr := os.Open(d.Dir)
	if openErr != nil {
		return errors.Join(err, openErr)
	}
	return errors.Join(err, dir.Sync(), dir.Close())
}
