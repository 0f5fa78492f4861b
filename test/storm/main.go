// Command storm kills ebb serve again and again while hosts drain, and judges what came of it by the simulated cloud's own record and
// by the journal. It runs the built ebb: one ebb sim, and one or more ebb serve on one journal, each a process of its own.
//
// It never speaks to anything but loopback, never trusts what an Ebb says of itself, and never leaves a process behind.
//
//	go run ./test/storm -runs 5 -processes 2
package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
)

// options are how a storm blows.
type options struct {
	ebb       string // the program
	seed      uint64
	hosts     int // that leave
	kills     int // SIGKILLs, over all processes
	processes int
	speed     float64 // of the world against real time
	dir       string  // of logs, journal and world
}

func main() {
	runtime.LockOSThread() // the children die with this thread: see child.go
	if err := storm(); err != nil {
		fmt.Fprintln(os.Stderr, "storm:", err)
		os.Exit(1)
	}
}

func storm() error {
	var o options
	runs := flag.Int("runs", 1, "how many runs, each with the next seed")
	keep := flag.Bool("keep", false, "keep the logs and journals of good runs too")
	flag.StringVar(&o.ebb, "ebb", "", "the ebb program; empty: it is built")
	flag.Uint64Var(&o.seed, "seed", 0, "the first seed; 0: a random one")
	flag.IntVar(&o.hosts, "hosts", 50, "how many hosts leave")
	flag.IntVar(&o.kills, "kills", 40, "how many times an ebb serve is killed in a run")
	flag.IntVar(&o.processes, "processes", 1, "how many ebb serve share the journal")
	flag.Float64Var(&o.speed, "speed", 20, "seconds of the world per second")
	flag.Parse()
	if *runs < 1 || o.hosts < 1 || o.kills < 0 || o.processes < 1 || o.speed <= 0 || flag.NArg() > 0 {
		return fmt.Errorf("-runs, -hosts, -processes and -speed must be positive, -kills not negative, and there are no arguments: %q", flag.Args())
	}
	if o.seed == 0 {
		o.seed = rand.Uint64() % 1e9
	}
	top, err := os.MkdirTemp("", "ebb-storm-")
	if err != nil {
		return fmt.Errorf("make a directory for logs and journals: %w", err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if o.ebb == "" {
		if o.ebb, err = build(ctx, top); err != nil {
			return err
		}
	}
	failed := 0
	for i := range *runs {
		one := o
		one.seed, one.dir = o.seed+uint64(i), filepath.Join(top, fmt.Sprintf("run-%d", i+1))
		good, err := tell(ctx, one)
		if err != nil {
			return fmt.Errorf("run %d, seed %d: %w; its logs are in %s", i+1, one.seed, err, one.dir)
		}
		if !good {
			failed++
		} else if !*keep {
			_ = os.RemoveAll(one.dir) // what is left is in the temporary directory
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d runs broke what must always hold; their logs and journals are in %s", failed, *runs, top)
	}
	fmt.Printf("%d of %d runs held\n", *runs, *runs)
	if *keep {
		fmt.Println("logs and journals are in", top)
		return nil
	}
	return os.RemoveAll(top)
}

// build makes the program in dir.
func build(ctx context.Context, dir string) (string, error) {
	out := filepath.Join(dir, "ebb")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", out, "github.com/ebbhq/ebb/cmd/ebb")
	if text, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build ebb: %w\n%s", err, text)
	}
	return out, nil
}

// tell makes one run, prints what came of it and reports whether all held.
func tell(ctx context.Context, o options) (bool, error) {
	if err := os.Mkdir(o.dir, 0o755); err != nil {
		return false, err
	}
	left, err := run(ctx, o)
	if err != nil {
		return false, err
	}
	s := sum(left)
	fmt.Printf("seed %d: %d ebb serve, %d killed, %d ended, %d paused; %s; %d calls, %d refused; %d messages redriven; %d conflicts in the journal; %s of the world in %s\n",
		o.seed, o.processes, left.kills, left.terms, left.stops, s.outcomes, s.calls, s.refused, s.redriven, s.conflicts, s.world, s.real)
	bad := judge(left)
	for _, v := range bad {
		fmt.Println("  VIOLATION", v)
	}
	if len(bad) > 0 {
		fmt.Printf("  again: go run ./test/storm -seed %d -hosts %d -kills %d -processes %d -speed %g\n", o.seed, o.hosts, o.kills, o.processes, o.speed)
	}
	return len(bad) == 0, nil
}
