package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/ebbhq/ebb/internal/plain"
)

// signal sends a signal to the process that a file names, or to all of a name.
type signal struct {
	PIDFile string `yaml:"pid_file"`
	Name    string `yaml:"name"`   // of the program; with pid_file, the process must have it
	Signal  string `yaml:"signal"` // TERM, USR1, ...
	Wait    bool   `yaml:"wait"`   // until they have ended
	number  syscall.Signal
}

func (s *signal) complete() error {
	if s.PIDFile == "" && s.Name == "" {
		return errors.New("write pid_file or name: which process gets the signal")
	}
	if s.Signal == "" {
		s.Signal = "TERM"
	}
	if s.number = unix.SignalNum("SIG" + strings.TrimPrefix(s.Signal, "SIG")); s.number == 0 {
		return fmt.Errorf("there is no signal %s; write one like TERM, HUP, USR1, QUIT", plain.Text(s.Signal, plain.Short))
	}
	return nil
}

// Check looks for the process.
func (s *signal) Check(context.Context, Job) error {
	_, err := s.find()
	return err
}

// named reports whether a process has the name: that which the kernel keeps, 15 bytes of it, or the file name of what it was started as.
func named(pid, name string) bool {
	comm, _ := os.ReadFile("/proc/" + pid + "/comm")
	args, _ := os.ReadFile("/proc/" + pid + "/cmdline")
	first, _, _ := strings.Cut(string(args), "\x00")
	return strings.TrimSuffix(string(comm), "\n") == name[:min(len(name), 15)] || first != "" && filepath.Base(first) == name
}

// find opens the processes, with pidfd: so none becomes another one. What is open runs, and has the name.
func (s *signal) find() (found []*os.Process, err error) {
	var pids []string
	if text, err := os.ReadFile(s.PIDFile); s.PIDFile != "" {
		if err != nil {
			return nil, err
		}
		pids = strings.Fields(string(text))
	} else if pids, err = filepath.Glob("/proc/[1-9]*"); err != nil {
		return nil, err
	}
	for _, pid := range pids {
		pid = filepath.Base(pid)
		n, _ := strconv.Atoi(pid)
		p, err := os.FindProcess(n)
		switch {
		case n < 2 || n == os.Getpid() || err != nil:
		case p.Signal(syscall.Signal(0)) == nil && (s.Name == "" || named(pid, s.Name)):
			found = append(found, p)
		default:
			_ = p.Release()
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("no process runs as %s says", plain.Text(strings.TrimSpace(s.PIDFile+" "+s.Name), plain.Short))
	}
	return found, nil
}

// Run sends the signal. If an earlier attempt has sent it, the process may be gone.
func (s *signal) Run(ctx context.Context, j Job) error {
	found, err := s.find()
	if err != nil && (j.Attempt < 2 || !s.Wait) {
		return err
	}
	for _, p := range found {
		if err := p.Signal(s.number); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return fmt.Errorf("send %s to process %d: %w", s.Signal, p.Pid, err)
		}
		j.say("Process %d got %s.", p.Pid, s.Signal)
	}
	for _, p := range found {
		if s.Wait && !gone(ctx, p) {
			return fmt.Errorf("process %d has not ended: %w", p.Pid, context.Cause(ctx))
		}
	}
	if s.Wait {
		j.say("It has ended.")
	}
	return nil
}

// gone waits until a process has ended, also if nobody takes its exit code, or until ctx ends.
func gone(ctx context.Context, p *os.Process) (over bool) {
	for !over && ctx.Err() == nil {
		err := p.WithHandle(func(h uintptr) {
			n, _ := unix.Poll([]unix.PollFd{{Fd: int32(h), Events: unix.POLLIN}}, 100) //nolint:gosec // a descriptor is small
			over = n > 0
		})
		if err != nil { // Linux before 5.4, or it is gone
			over = errors.Is(p.Signal(syscall.Signal(0)), os.ErrProcessDone) || !sleep(ctx, 100e6)
		}
	}
	return over
}
