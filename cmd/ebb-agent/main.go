// Command ebb-agent runs on a host, and does what is to be done before the host leaves.
//
// It never does anything itself but hand over to package agentcli.
package main

import (
	"context"
	"os"

	"github.com/ebbhq/ebb/internal/agentcli"
)

func main() {
	os.Exit(agentcli.Main(context.Background(), os.Args[1:], agentcli.Process{Stdout: os.Stdout, Stderr: os.Stderr, Env: os.Getenv}))
}
