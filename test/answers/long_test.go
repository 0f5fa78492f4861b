//go:build long

package answers

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/sim"
)

var (
	sizes = flag.String("hosts", "10,500,3000,10000", "how many hosts the cluster has")
	out   = flag.String("o", "", "write the report to this file as well, once it is complete")
)

const head = `# What an answer costs

Made by ` + "`make answers`" + `; do not edit.

A cluster of hosts with ten tasks each: nine of services of at most 300 tasks behind target groups, and a daemon's. One host has just been set
DRAINING in its hook, and all its tasks are there yet. *why* is ` + "`ebb why`" + ` of that host: the most that one answer needs. *plan* is ` + "`ebb plan`" + ` of a
fifth of the hosts, a hundred at most, which reads the account, and *doctor* ` + "`ebb doctor`" + `.

*Calls* and *reading* are of a simulated cloud in virtual time: each call takes 50 ms, and it throttles as AWS documents it for ECS and Elastic Load
Balancing; for Auto Scaling, of which AWS publishes nothing, it takes 100 calls at once and 10 a second. *Throttled* are calls that it refused.
Reading keeps below half of these limits, because an Ebb that drains lives on the same ones. *Judging* is what this machine needed for the answer
and its JSON, which has *size* bytes: %d processors, %s/%s, %s.

| hosts | answer | calls | throttled | reading | judging | size |
|--:|---|--:|--:|--:|--:|--:|
`

func TestLong(t *testing.T) {
	t.Chdir("../..")
	var text bytes.Buffer
	show := io.MultiWriter(os.Stdout, &text)
	fmt.Fprintf(show, head, runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version())
	for word := range strings.SplitSeq(*sizes, ",") {
		n, err := strconv.Atoi(word)
		if err != nil || n < 5 {
			t.Fatalf("-hosts: %q is no number of hosts; write it like 10,500", word)
		}
		w, target := crowd(t, n)
		for _, c := range []struct {
			name string
			of   func(*sim.World) figures
		}{
			{"why", func(w *sim.World) figures { return why(t, w, target) }},
			{"plan", func(w *sim.World) figures { return plan(t, w, min(100, n/5)) }},
			{"doctor", func(w *sim.World) figures { return examine(t, w) }},
		} {
			f := c.of(w)
			if f.unread > 0 {
				t.Errorf("%s of %d hosts: %d parts could not be read", c.name, n, f.unread)
			}
			fmt.Fprintf(show, "| %d | %s | %d | %d | %.1f s | %.2f s | %d |\n", n, c.name, f.calls, f.throttled, f.read.Seconds(),
				f.judged.Round(10*time.Millisecond).Seconds(), f.size)
		}
	}
	if *out == "" {
		return
	}
	if err := os.WriteFile(*out, text.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}
