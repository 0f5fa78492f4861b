package main

import (
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/sim/core"
)

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
