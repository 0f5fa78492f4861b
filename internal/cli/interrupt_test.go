package cli

import (
	"bufio"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// Ctrl-C ends any command with 130, and SIGTERM one that works until it is ended with 0.
func TestCtrlCHasACodeOfItsOwn(t *testing.T) {
	for _, c := range []struct {
		args []string
		says string // when it is at work
		by   os.Signal
		code int
	}{
		{[]string{"sim", "--listen", "127.0.0.1:0"}, "stop with Ctrl-C", os.Interrupt, ExitInterrupted},
		{[]string{"sim", "--listen", "127.0.0.1:0"}, "stop with Ctrl-C", syscall.SIGTERM, ExitOK},
		{[]string{"demo"}, "0 of 5", os.Interrupt, ExitInterrupted},
	} {
		cmd := exec.Command("ebb", c.args...)
		out, err := cmd.StdoutPipe()
		must(t, err)
		must(t, cmd.Start())
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if strings.Contains(lines.Text(), c.says) {
				must(t, cmd.Process.Signal(c.by))
				break
			}
		}
		_ = cmd.Wait() // the code says it
		if got := cmd.ProcessState.ExitCode(); got != c.code {
			t.Errorf("%v ends on %s with %d, want %d", c.args, c.by, got, c.code)
		}
	}
}
