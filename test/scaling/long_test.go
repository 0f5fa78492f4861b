//go:build long

package scaling

import (
	"flag"
	"testing"
)

var (
	out   = flag.String("o", "", "write the page to this file as well, and the pictures beside it")
	trace = flag.String("trace", "", "play this CSV of times and requests per second, or messages, instead of the synthetic loads: see docs/reference/story.md")
	quick = flag.Bool("short", false, "play the queue that is filled and empties, the flash crowd and a generated trace only, in a few seconds")
)

func TestLong(t *testing.T) {
	t.Chdir("../..")
	if err := run(*out, *trace, *quick); err != nil {
		t.Fatal(err)
	}
}
