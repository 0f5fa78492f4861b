// Package spot measures what becomes of requests when Fargate Spot takes tasks back, alone, with the function that people write themselves, and with
// Ebb: three of ten tasks are interrupted while clients send 200 requests a second. In most of it time is virtual and the connections are
// computed, so that the figures are the same on every machine.
//
// It never speaks to AWS.
package spot

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// What is varied.
var (
	propagations = []time.Duration{0, 4 * time.Second, 17 * time.Second, 2 * time.Minute}
	serves       = []time.Duration{0, 10 * time.Second, 20 * time.Second, 30 * time.Second, 2 * time.Minute}
	orders       = []string{core.SpotPromised, core.Spot2025, core.SpotBefore2023}
)

// seeds is how many runs a cell is the mean of: how long AWS's calls take differs.
const seeds = 20

func run(ctx context.Context, out, only string, speed float64) error {
	var b bytes.Buffer
	cells := named()
	switch only {
	case "":
		if err := table(&b); err != nil {
			return err
		}
	case "short":
		cells = cells[:shortForm]
	case "all":
	default:
		return fmt.Errorf("-real is %q; it is short or all", only)
	}
	blames, err := compare(ctx, &b, cells, speed)
	if err != nil {
		return err
	}
	if out != "" {
		err = write(out, b.Bytes(), only != "")
	}
	os.Stdout.Write(b.Bytes())
	if len(blames) > 0 {
		err = errors.Join(err, fmt.Errorf("what was computed and what was counted do not agree:\n%s", strings.Join(blames, "")))
	}
	return err
}

// write writes the tables to a file, or only the last one, which replaces what is there from its heading on.
func write(file string, tables []byte, last bool) error {
	if last {
		before, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		computed, _, _ := bytes.Cut(before, []byte(titleOfReal))
		tables = append(computed, tables...)
	}
	return os.WriteFile(file, tables, 0o644)
}

const head = `# What Fargate Spot costs in requests

Three of ten tasks on Fargate Spot are interrupted while clients send 200 requests a second, each of which lasts 100 ms. A cell says how many
requests failed **alone / with a home-made function / with Ebb**. Made by ` + "`make spot`" + ` in the simulated cloud, in virtual
time, with connections that are computed and not opened; it has not been seen at AWS. A cell is the mean of twenty runs, in which AWS's
calls take as long as they do in all stories: 0.1 s mostly, and some of them seconds. The event of the interruption takes a second to arrive.

*Propagation* is how long a load balancer still sends new requests to a target after its deregistration: users measured 4 to 17 s for an
Application Load Balancer, and two minutes for a Network Load Balancer. *Serves* is how long the application goes on to serve after SIGTERM.
The order is what ECS does: *promised* (since February 2023: targets out, then SIGTERM), *2025* (SIGTERM with the notice, targets out ten
seconds later) and *before 2023* (targets out once the task has stopped). The *home-made function* is what people write themselves: a Lambda
that hears of the interruption from EventBridge and deregisters the task's address; target group, container and port are its environment
variables.

**Nobody can help from outside where the application stops serving before the load balancer stops sending**: right of SIGTERM, only the
application itself can go on. Let it serve for longer than the propagation of its load balancer, and set ` + "`stopTimeout`" + ` accordingly (120 s is the
most). Behind a Network Load Balancer that takes two minutes that leaves no second to spare. And once a process has ended Ebb leaves its targets to
ECS, because another task may have the address by then; the home-made function does not look.
`

const headOfWorse = `
## Where a home-made function does worse

Application Load Balancer, before-2023, propagation 4 s, the application serves for 20 s. One service, set up as it was when the function was
written, is what it does as well as Ebb.

| situation | alone | home-made | Ebb |
|---|---|---|---|
`

func table(b *bytes.Buffer) error {
	var cells []cell
	for _, protocol := range []string{"HTTP", "TCP"} {
		for _, order := range orders {
			for _, p := range propagations {
				for _, s := range serves {
					cells = append(cells, cell{protocol: protocol, order: order, propagation: p, serves: s})
				}
			}
		}
	}
	bad := worse()
	all, err := means(slices.Concat(cells, core.Mapped(bad, func(w situation) cell { return w.cell })))
	if err != nil {
		return err
	}
	b.WriteString(head)
	for i, c := range cells {
		if i%(len(propagations)*len(serves)) == 0 {
			fmt.Fprintf(b, "\n## %s, %s\n\n| propagation |", balancers[c.protocol], c.order)
			for _, s := range serves {
				fmt.Fprintf(b, " serves %.0f s |", s.Seconds())
			}
			fmt.Fprintf(b, "\n|---|---|---|---|---|---|")
		}
		if i%len(serves) == 0 {
			fmt.Fprintf(b, "\n| %.0f s |", c.propagation.Seconds())
		}
		fmt.Fprintf(b, " %.0f / %.0f / %.0f |", all[i][nobody], all[i][homeMade], all[i][ebb])
		if i%(len(propagations)*len(serves)) == len(propagations)*len(serves)-1 {
			b.WriteByte('\n')
		}
	}
	b.WriteString(headOfWorse)
	for i, w := range bad {
		f := all[len(cells)+i]
		fmt.Fprintf(b, "| %s | %.0f | %.0f | %.0f |\n", w.name, f[nobody], f[homeMade], f[ebb])
	}
	return nil
}

// Where a load balancer propagates for four seconds and the application serves for twenty after SIGTERM, nothing fails with Ebb, whatever ECS
// does; without it something does where ECS waits until the task has stopped.
func TestNothingFailsWithEbb(t *testing.T) {
	alone := 0.0
	for _, protocol := range []string{"HTTP", "TCP"} {
		for _, order := range orders {
			c := cell{protocol: protocol, order: order, propagation: 4 * time.Second, serves: 20 * time.Second}
			for _, by := range []who{nobody, ebb} {
				all, err := c.runs(by)
				if err != nil {
					t.Fatal(err)
				}
				if most := all[len(all)-1]; by == ebb && most > 0 {
					t.Errorf("%s: %.0f requests failed", c, most)
				} else if by == nobody {
					alone += most
				}
			}
		}
	}
	if alone == 0 {
		t.Error("without Ebb nothing failed either: the table shows nothing")
	}
}

// Whoever takes targets out, requests are counted to the same end: a run that ended once Ebb has nothing to do would miss those that fail after that.
func TestRequestsAreCountedToTheEnd(t *testing.T) {
	c := cell{protocol: "TCP", order: core.SpotPromised, propagation: 2 * time.Minute, serves: 0}
	for _, by := range []who{nobody, homeMade, ebb} {
		n, err := c.computed(1, by)
		if err != nil {
			t.Fatal(err)
		}
		if want := rate * until.Seconds(); math.Abs(n.Requests-want) > rate || n.Last.IsZero() {
			t.Errorf("%d: %.0f requests, want %.0f", by, n.Requests, want)
		}
	}
}

// In what it was written for the home-made function does as well as Ebb, and elsewhere it does nothing.
func TestWhereTheHomeMadeFunctionDoesWorse(t *testing.T) {
	all, err := means(core.Mapped(worse(), func(w situation) cell { return w.cell }))
	if err != nil {
		t.Fatal(err)
	}
	for i, w := range worse() {
		switch f := all[i]; {
		case f[nobody] == 0:
			t.Errorf("%s: nothing fails alone", w.name)
		case i == 0 && f[homeMade]+f[ebb] > 0:
			t.Errorf("%s: %v", w.name, f)
		case i > 0 && w.name != "the event never comes" && f[ebb] >= f[homeMade]/2:
			t.Errorf("%s: %v, want Ebb to be much better", w.name, f)
		}
	}
}

// A new last table replaces the old one and nothing else.
func TestWriteTheLastTable(t *testing.T) {
	file := filepath.Join(t.TempDir(), "spot.md")
	for _, step := range []struct {
		text string
		last bool
		want string
	}{{"a\n" + titleOfReal + "b", false, "a\n" + titleOfReal + "b"}, {titleOfReal + "c", true, "a\n" + titleOfReal + "c"}} {
		if err := write(file, []byte(step.text), step.last); err != nil {
			t.Fatal(err)
		}
		if got, _ := os.ReadFile(file); string(got) != step.want {
			t.Errorf("%q, want %q", got, step.want)
		}
	}
}

// Figures agree or they do not: a model in which a load balancer obeyed at once, or never, would be seen.
func TestAgree(t *testing.T) {
	for _, c := range []struct {
		computed, seen float64
		want           bool
	}{{0, 0, true}, {0, 40, true}, {0, 60, false}, {300, 260, true}, {300, 0, false}, {300, 400, false}, {4000, 3600, true}, {4000, 3000, false}} {
		if got := agree(c.computed, c.seen); got != c.want {
			t.Errorf("%.0f and %.0f: %v", c.computed, c.seen, got)
		}
	}
}
