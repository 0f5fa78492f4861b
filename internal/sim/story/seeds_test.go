package story

import (
	"bytes"
	"crypto/sha256"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"sort"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

var (
	seedCount = flag.Int("seeds", 1000, "how many random scenarios to run")
	firstSeed = flag.Uint64("first", 1, "the first seed")
	once      = flag.Bool("once", false, "run each seed once only, without comparing two runs byte for byte")
	stop      = flag.Bool("stop", false, "stop at the first seeds that fail and print the lowest of them")
	report    = flag.Bool("report", false, "print the share of seeds that reach each rule and fault")
	dump      = flag.String("dump", "", "write what became of each seed to this file; test/same.py compares two of them")
)

// TestMain gives the garbage collector fewer things to do: the runs are short and small.
func TestMain(m *testing.M) {
	debug.SetGCPercent(1000)
	os.Exit(m.Run())
}

// digest is a run as bytes: what was told, what did not hold, and every call.
func digest(res Result) [32]byte {
	var b bytes.Buffer
	res.Print(&b)
	fmt.Fprintln(&b, res.Violations, res.Calls, len(res.Ended), res.End.UnixNano())
	return sha256.Sum256(b.Bytes())
}

// tally sums up many runs.
type tally struct {
	mu     sync.Mutex
	failed map[uint64][]Violation
	reach  map[string]int // seeds in which a thing was reached at least once
	drains int
	hosts  []int
	dumped map[uint64]string // what became of each seed, with -dump
}

func (t *tally) add(seed uint64, s Scenario, res Result) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(res.Violations) > 0 {
		t.failed[seed] = res.Violations
	}
	for name := range res.Cover {
		t.reach[name]++
	}
	t.drains += len(res.Ended)
	if *dump != "" {
		t.dumped[seed] = fate(s, res)
	}
	n := 0
	for _, g := range s.World.Groups {
		n += g.Desired
	}
	t.hosts = append(t.hosts, n)
}

// fate is one seed as text: digests of its scenario and of the world's own record of the run, and how each drain ended, a line each. The words
// of the transcript are no part of it.
func fate(s Scenario, res Result) string {
	var b bytes.Buffer
	for _, e := range res.Record {
		fmt.Fprintf(&b, "%d %+v\n", e.At.UnixNano(), e)
	}
	fmt.Fprintln(&b, res.Violations, res.Calls, len(res.Ended), res.End.UnixNano())
	scenario, world := sha256.Sum256(Format(s)), sha256.Sum256(b.Bytes())
	lines := []string{fmt.Sprintf("scenario %x world %x", scenario[:6], world[:6])}
	for _, d := range res.Ended {
		lines = append(lines, fmt.Sprintf("%s %s: %s", d.Target.ID, d.Final.Outcome, d.Final.Reason))
	}
	sort.Strings(lines[1:])
	return strings.Join(lines, "\n")
}

// writeDump writes the fate of each seed in the order of the seeds.
func writeDump(t *testing.T, sum *tally) {
	var b bytes.Buffer
	for _, seed := range slices.Sorted(maps.Keys(sum.dumped)) {
		fmt.Fprintf(&b, "seed %d\n%s\n", seed, sum.dumped[seed])
	}
	if err := os.WriteFile(*dump, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// runSeeds runs many seeds on all cores.
func runSeeds(t *testing.T, seeds []uint64) *tally {
	sum := &tally{failed: map[uint64][]Violation{}, reach: map[string]int{}, dumped: map[uint64]string{}}
	work := make(chan uint64)
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for seed := range work {
				s := Random(seed)
				res, err := runAllowed(t, s)
				if err != nil {
					t.Errorf("seed %d: %v", seed, err)
					continue
				}
				if !*once {
					if again, _ := Run(s); digest(again) != digest(res) {
						t.Errorf("seed %d: two runs differ; replay with: go run ./cmd/ebb story --seed %d", seed, seed)
					}
				}
				sum.add(seed, s, res)
			}
		})
	}
	for _, s := range seeds {
		work <- s
	}
	close(work)
	wg.Wait()
	return sum
}

// processor is the processor time that this process has used: wall time says little on a machine that does other things too.
func processor(t *testing.T) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// TestSeeds runs random worlds, stories and faults; nothing that must always hold may break, and the same seed must give the same
// bytes twice.
func TestSeeds(t *testing.T) {
	began := processor(t)
	var seeds []uint64
	for i := range *seedCount {
		seeds = append(seeds, *firstSeed+uint64(i))
	}
	if *stop {
		firstFailure(t, seeds)
		return
	}
	sum := runSeeds(t, seeds)
	runs := 2
	if *once {
		runs = 1
	}
	core := (processor(t) - began).Seconds()
	sort.Ints(sum.hosts)
	t.Logf("%d seeds, %d drains ended, %.0f drains per core-second, hosts median %d, p95 %d", len(seeds), sum.drains,
		float64(runs*sum.drains)/core, sum.hosts[len(sum.hosts)/2], sum.hosts[len(sum.hosts)*95/100])
	if *report || testing.Verbose() {
		t.Log("\n" + shares(sum.reach, len(seeds)))
	}
	if *dump != "" {
		writeDump(t, sum)
	}
	complain(t, sum)
	if len(seeds) >= 1000 {
		reached(t, sum.reach)
	}
}

// firstFailure looks for the lowest seed that fails, a few at a time.
func firstFailure(t *testing.T, seeds []uint64) {
	const few = 20
	for len(seeds) > 0 {
		n := min(few, len(seeds))
		sum := runSeeds(t, seeds[:n])
		for _, seed := range seeds[:n] {
			if v := sum.failed[seed]; len(v) > 0 {
				t.Fatalf("first failure at seed %d: %v", seed, v[0])
			}
		}
		seeds = seeds[n:]
	}
}

// complain names the failing seeds, and for the first prints what is needed to mend it.
func complain(t *testing.T, sum *tally) {
	var bad []uint64
	for s := range sum.failed {
		bad = append(bad, s)
	}
	slices.Sort(bad)
	for i, s := range bad {
		t.Errorf("seed %d: %v\nreplay with: go run ./cmd/ebb story --seed %d", s, sum.failed[s][0], s)
		if i == 9 {
			t.Errorf("and %d more seeds", len(bad)-10)
			break
		}
	}
	if len(bad) == 0 {
		return
	}
	small := Shrink(Random(bad[0]))
	res, err := Run(small)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	res.Print(&b)
	t.Errorf("seed %d, its transcript in the smallest world that still fails:\n%s%v\n\nthat world as a story file (mend it, then keep it "+
		"in testdata/found):\n%s", bad[0], b.String(), res.Violations, Format(small))
}

func shares(reach map[string]int, n int) string {
	names := make([]string, 0, len(reach))
	for name := range reach {
		names = append(names, name)
	}
	sort.Strings(names)
	var b strings.Builder
	for _, name := range names {
		fmt.Fprintf(&b, "%6.1f %%  %s\n", 100*float64(reach[name])/float64(n), name)
	}
	return b.String()
}

// mustReach is what a thousand seeds have to reach, or they prove less than they seem to.
var mustReach = []string{
	"kernel ended drained", "kernel ended forced", "kernel ended host-gone", "kernel ended never-joined", "kernel ended lost", "kernel ended ended-elsewhere",
	"kernel ended observed-incomplete", "line mode", "line would", "line excluded", "pause", "line resumed", "line desired-count",
	"kernel adopted", "kernel duplicate", "kernel foreign", "kernel unknown", "kernel test-notification", "line unreadable", "line failed",
	"any throttle", "any error", "any error-after", "any timeout", "any timeout-after", "any stale", "any drop-page", "any item", "any conflict",
	"lease taken over", "noted", "kernel noted", "hang", "cut-off", "line queued", "fault lease error", "fault lease error-after",
	"fault journal away", "fault journal refuse", "fault journal refuse-line", "fault journal slow", "beat without a journal", "line set-aside",
	"kernel set aside drain",
	"line warned", "line gone", "kernel instance-ends", "kernel instance-state", "kernel rebalance",
	"any stale-token", "kernel listings complete", "kernel listings given up", "kernel listings restarted", "kernel urgent calls paced",
	"crash " + beforeWrite, "crash " + afterWrite, "crash " + afterSettle, "crash " + afterSend,
}

func reached(t *testing.T, reach map[string]int) {
	for _, name := range mustReach {
		if reach[name] == 0 {
			t.Errorf("no seed reached %q", name)
		}
	}
}

// TestFound runs every scenario that ever found something. They are kept as files and not as numbers, because a seed makes another
// world when the maker of worlds changes.
func TestFound(t *testing.T) {
	files, err := filepath.Glob("testdata/found/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no found scenarios: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			res, err := runAllowed(t, read(t, file))
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range res.Violations {
				t.Error(v)
			}
		})
	}
}
