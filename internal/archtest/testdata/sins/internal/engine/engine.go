// Package engine may do what a pure package may not, and never more.
package engine

import (
	"os"
	"sync"

	_ "github.com/ebbhq/ebb/internal/kernel"
)

var running sync.WaitGroup

func loop(m map[string]int) {
	for range m {
		go os.Exit(1)
	}
	running.Wait()
}
