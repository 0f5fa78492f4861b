//go:build long

package storm

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/ebbhq/ebb/test/rig"
)

var (
	asked options
	runs  = flag.Int("runs", 1, "how many runs, each with the next seed")
	table = flag.String("o", "", "write a table about the function to this file, beside the home-made drainer; -shape lambda only")
)

func init() {
	flag.StringVar(&asked.shape, "shape", "serve", "serve, or lambda")
	flag.StringVar(&asked.journal, "journal", "", "sqlite or dynamodb, which is DynamoDB Local; empty: sqlite for serve, dynamodb for lambda")
	flag.Uint64Var(&asked.seed, "seed", 0, "the first seed; 0: a random one. With -journal dynamodb, serves of an even seed cannot see whether another has died")
	flag.IntVar(&asked.hosts, "hosts", 0, "how many hosts leave; 0: 50, and 150 with -shape lambda")
	flag.IntVar(&asked.kills, "kills", -1, "how many times an Ebb is killed in a run; -1: 40 times, and 20 times on DynamoDB")
	flag.IntVar(&asked.processes, "processes", 0, "how many ebb serve share the journal; 0: 1, and 3 on DynamoDB")
	flag.Float64Var(&asked.speed, "speed", 0, "seconds of the world per second; 0: 20, and less where leases count, which do so in real time")
	flag.StringVar(&asked.fault, "fault", "", "what else goes wrong, while nobody is killed unless -kills says so: "+strings.Join(faults, ", ")+
		"; with -shape serve only")
}

func TestLong(t *testing.T) {
	runtime.LockOSThread() // the children die with this thread: see alone
	t.Chdir("../..")
	o := asked
	if err := o.complete(); err != nil {
		t.Fatal(err)
	}
	if *runs < 1 || *table != "" && o.shape != lambdaShape || flag.NArg() > 0 {
		t.Fatalf("-runs must be positive, -o goes with -shape lambda, and there are no arguments: %q", flag.Args())
	}
	if o.seed == 0 {
		o.seed = rand.Uint64() % 1e9
	}
	top, err := newTop()
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := signal.NotifyContext(t.Context(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if o.ebb, err = rig.Build(ctx, top, nil); err != nil {
		t.Fatal(err)
	}
	o.spaces = canSeparate(o, top)
	if *table != "" {
		if err := o.writeTable(ctx, top, *table); err != nil {
			t.Fatal(err)
		}
		return
	}
	for i := range *runs {
		one := o
		one.seed, one.dir = o.seed+uint64(i), filepath.Join(top, fmt.Sprintf("run-%d", i+1))
		if _, good, err := tell(ctx, one); err != nil {
			t.Fatalf("run %d, seed %d: %v; its logs are in %s", i+1, one.seed, err, one.dir)
		} else if !good {
			t.Errorf("run %d broke what must always hold; its logs and journal are in %s", i+1, one.dir)
		}
	}
	if !t.Failed() {
		_ = os.RemoveAll(top) // in the temporary directory
	}
}

// newTop makes the directory of logs and journals. It stays where something did not hold.
func newTop() (string, error) { return os.MkdirTemp("", "ebb-storm-") }
