package host

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"

	"github.com/ebbhq/ebb/internal/plain"
)

// command runs a program. It gets no standard input, / as its directory, and few variables: those of the agent may be secrets.
type command struct {
	Words   []string          `yaml:"run"`         // the program and its arguments
	Shell   string            `yaml:"shell"`       // or a text for /bin/sh
	Grace   time.Duration     `yaml:"grace"`       // from SIGTERM to SIGKILL
	Environ map[string]string `yaml:"environment"` // with secrets, and with what the environment of the step has
}

func (c *command) complete() error {
	if c.Shell != "" && c.Words == nil {
		c.Words = []string{"/bin/sh", "-c", c.Shell}
	} else if c.Shell != "" || len(c.Words) == 0 || c.Words[0] == "" {
		return errors.New(`write run: ["/usr/bin/consul", leave], the program and its arguments, or shell: with a text for /bin/sh`)
	}
	c.Grace = cmp.Or(c.Grace, 10*time.Second)
	return nil
}

// Check looks for the program, and reads the secrets.
func (c *command) Check(ctx context.Context, j Job) error {
	_, err := exec.LookPath(c.Words[0])
	_, bad := c.environment(ctx, j)
	return errors.Join(err, bad)
}

func (c *command) environment(ctx context.Context, j Job) ([]string, error) {
	var env []string
	for _, name := range []string{"PATH", "HOME", "USER", "LANG", "TZ", "AWS_REGION", "AWS_DEFAULT_REGION"} {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	for name, v := range j.Env {
		env = append(env, name+"="+v)
	}
	var failed error
	for name, text := range c.Environ {
		v, err := j.fill(ctx, text, asIs)
		env, failed = append(env, name+"="+v), errors.Join(failed, err)
	}
	return env, failed
}

// Run runs the program, and afterwards ends whatever it has left behind: SIGTERM, the grace, SIGKILL.
func (c *command) Run(ctx context.Context, j Job) error {
	env, err := c.environment(ctx, j)
	if err != nil {
		return err
	}
	out, in, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("make a pipe for the output: %w", err)
	}
	defer out.Close()
	cmd := exec.Command(c.Words[0], c.Words[1:]...)
	cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = env, "/", in, in
	leader, exited, err := start(cmd)
	in.Close()
	if err != nil {
		return err // it names the program
	}
	ended, drained := make(chan struct{}), make(chan struct{})
	go drain(out, j.Out, ended, drained)
	select {
	case err = <-exited:
		if end(leader, c.Grace) {
			defer j.say("Processes that the command had left behind were ended.")
		}
	case <-ctx.Done():
		end(leader, c.Grace)
		err = fmt.Errorf("it was ended: %w", context.Cause(ctx))
	}
	close(ended)
	_ = out.SetReadDeadline(time.Now().Add(time.Second))
	<-drained
	if err != nil {
		return fmt.Errorf("%s: %w", plain.Text(c.Words[0], plain.Short), err)
	}
	return nil
}

// drain copies an output. Once all have ended that could write, it waits a second for what never comes: who has left the tree may hold the
// pipe for ever.
func drain(from *os.File, to io.Writer, ended <-chan struct{}, drained chan<- struct{}) {
	defer close(drained)
	for some := make([]byte, 32<<10); ; {
		select {
		case <-ended:
			_ = from.SetReadDeadline(time.Now().Add(time.Second)) // anew, for a slow reader
		default:
		}
		n, err := from.Read(some)
		if _, bad := to.Write(some[:n]); err != nil || bad != nil {
			return
		}
	}
}

// start begins a command in a process group of its own, which the kernel kills when the agent dies: what is begun anew must not run twice.
// The thread that begins it has to stay for that as long as the command runs.
func start(cmd *exec.Cmd) (leader proc, exited <-chan error, err error) {
	adopt()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	begun, done := make(chan error), make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		if err == nil {
			leader = procOf(cmd.Process.Pid) // before it is waited for: until then it is there, though it may be dead
		}
		if begun <- err; err == nil {
			done <- cmd.Wait()
		}
	}()
	err = <-begun
	return leader, done, err
}
