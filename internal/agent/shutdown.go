package agent

import (
	"context"
	"os/exec"
	"strings"
	"time"
)

// ShuttingDown reports whether systemd stops the whole host, and not only the agent.
// https://www.freedesktop.org/software/systemd/man/latest/systemctl.html#is-system-running
func ShuttingDown() bool {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	out, _ := exec.CommandContext(ctx, "systemctl", "is-system-running").Output() // its exit code is not 0 then
	return strings.TrimSpace(string(out)) == "stopping"
}

// WaitDone returns when nothing is left to be done, or after a time.
func (a *Agent) WaitDone(ctx context.Context, most time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	for ctx.Err() == nil {
		if st := a.State(ctx); st.Result != "" && (st.Opened.IsZero() || !st.Answered.IsZero()) {
			a.Reports.Flush(ctx)
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}
