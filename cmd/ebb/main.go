// Command ebb is the whole product: the controller, the simulated cloud, and the tools around them.
//
// It never does anything itself but hand over to package cli.
package main

import (
	"context"
	"os"

	"github.com/ebbhq/ebb/internal/cli"
)

func main() {
	os.Exit(cli.Main(context.Background(), os.Args[1:], cli.Process{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Env: os.Getenv}))
}
