// Command ebb needs no more than a comment.
package main

import (
	_ "github.com/ebbhq/ebb/internal/cli"
	_ "github.com/ebbhq/ebb/internal/engine" // want "cmd/ebb may import internal/cli only"
)

func main() {}
