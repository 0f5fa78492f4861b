package main

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// child is a process that this program has started. All are started by the main goroutine, on its locked thread.
type child struct {
	cmd   *exec.Cmd
	log   *os.File
	ended chan error // gets what Wait returned
}

// start runs ebb with arguments, under a name that the simulated cloud writes into its record. What it prints is added to a file. It
// gets an environment of its own, so that no setting and no account of the user reaches it. Apart, it sees no process but its own, as on
// a host of its own.
func start(o options, name, log string, apart bool, env []string, args ...string) (*child, error) {
	f, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	c := &child{cmd: exec.Command(o.ebb, args...), log: f, ended: make(chan error, 1)}
	c.cmd.Stdout, c.cmd.Stderr, c.cmd.SysProcAttr = f, f, alone(apart)
	c.cmd.Env = append([]string{
		"AWS_ACCESS_KEY_ID=" + name, "AWS_SECRET_ACCESS_KEY=none", "AWS_EC2_METADATA_DISABLED=true",
		"AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null",
	}, env...)
	if err := c.cmd.Start(); err != nil {
		f.Close()
		return nil, fmt.Errorf("start ebb %s: %w", args[0], err)
	}
	go func() { c.ended <- c.cmd.Wait() }()
	return c, nil
}

// signal sends a signal to the child's process group.
func (c *child) signal(s syscall.Signal) error { return syscall.Kill(-c.cmd.Process.Pid, s) }

// kill ends the child at once and waits until it is gone. Killing one that is gone already does nothing.
func (c *child) kill() {
	if c.log == nil {
		return
	}
	_ = c.signal(syscall.SIGKILL) // it may have ended by itself
	_ = c.wait()                  // how it ended is known
	c.close()
}

// wait waits until the child has ended and returns how.
func (c *child) wait() error { return <-c.ended }

// close forgets a child that has ended.
func (c *child) close() {
	c.log.Close()
	c.log = nil
}

// end asks the child to end and waits for that. The error says that it did not, or not well.
func (c *child) end() error {
	const patience = 15 * time.Second
	if err := c.signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case err := <-c.ended:
		c.close()
		return err
	case <-time.After(patience):
		c.kill()
		return fmt.Errorf("it did not end within %s of SIGTERM", patience)
	}
}
