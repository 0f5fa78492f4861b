package main

import (
	"context"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/ebbhq/ebb/internal/agentcli"
)

// On Linux this program is also ebb-agent, on the hosts of a demonstration, with which it ends.
func init() {
	agent = func(args []string) int {
		_ = unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(syscall.SIGTERM), 0, 0, 0)
		return agentcli.Main(context.Background(), args, agentcli.Process{Stdout: os.Stdout, Stderr: os.Stderr, Env: os.Getenv})
	}
}
