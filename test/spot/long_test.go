//go:build long

package spot

import (
	"flag"
	"os"
	"os/signal"
	"testing"
)

var (
	out   = flag.String("o", "", "write the tables to this file as well; with -real, only that one, in place of the old one")
	only  = flag.String("real", "", "play cells over real connections and nothing else: short (three of them) or all")
	speed = flag.Float64("speed", 4, "seconds of the world per second, over real connections")
)

func TestLong(t *testing.T) {
	t.Chdir("../..")
	ctx, stop := signal.NotifyContext(t.Context(), os.Interrupt)
	defer stop()
	if err := run(ctx, *out, *only, *speed); err != nil {
		t.Fatal(err)
	}
}
