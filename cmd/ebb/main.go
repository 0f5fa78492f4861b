// Command ebb is the whole product: the controller, the simulated cloud, and the tools around them.
//
// It never does anything itself but hand over to package cli.
package main

import (
	"context"
	"os"

	"github.com/ebbhq/ebb/internal/cli"
)

var agent func(args []string) int // nil where ebb-agent does not run

func main() {
	if agent != nil && len(os.Args) > 1 && os.Args[1] == "agent" {
		os.Exit(agent(os.Args[2:]))
	}
	os.Exit(cli.Main(context.Background(), os.Args[1:], cli.Process{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Env: os.Getenv}))
}
