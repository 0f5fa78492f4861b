package main

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/ebbhq/ebb/test/rig"
)

// child is a process that this program has started. All are started by the main goroutine, on its locked thread.
type child struct {
	cmd   *exec.Cmd
	ended chan struct{} // closed when it has ended
	err   error         // how, after that
}

// start runs ebb with arguments, under a name that the simulated cloud writes into its record. What it prints is added to a file. It
// gets an environment of its own. Apart, it sees no process but its own, as on a host of its own.
func start(o options, name, log string, apart bool, env []string, args ...string) (*child, error) {
	f, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer f.Close() // the child has it open as well
	c := &child{cmd: exec.Command(o.ebb, args...), ended: make(chan struct{})}
	c.cmd.Stdout, c.cmd.Stderr, c.cmd.SysProcAttr = f, f, alone(apart)
	c.cmd.Env = append(rig.Caller(name), env...)
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start ebb %s: %w", args[0], err)
	}
	go func() {
		c.err = c.cmd.Wait()
		close(c.ended)
	}()
	return c, nil
}

// signal sends a signal to the child's process group.
func (c *child) signal(s syscall.Signal) error { return syscall.Kill(-c.cmd.Process.Pid, s) }

// gone reports whether the child has ended.
func (c *child) gone() bool {
	select {
	case <-c.ended:
		return true
	default:
		return false
	}
}

// kill ends the child at once and waits until it is gone.
func (c *child) kill() {
	if !c.gone() {
		_ = c.signal(syscall.SIGKILL) // it may have ended by itself
		<-c.ended
	}
}

// end asks the child to end and waits for that. The error says that it did not, or not well.
func (c *child) end() error {
	if err := c.signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-c.ended:
		return c.err
	case <-time.After(patience):
		c.kill()
		return fmt.Errorf("it did not end within %s of SIGTERM", patience)
	}
}

// patience is how long a child may take to end on SIGTERM.
const patience = 15 * time.Second
