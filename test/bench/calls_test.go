package bench

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/baseline"
	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/story"
)

// detailed is the case that is shown by operation.
const detailed = 150

// calls is the section about calls and times.
func (o *options) calls(w io.Writer) error {
	fmt.Fprint(w, callsHead)
	for _, delay := range o.delays {
		fmt.Fprintf(w, "\n### Deregistration delay %s\n\n%s", delay, tableHead)
		var byOperation []figures
		for _, n := range o.atOnce {
			for _, c := range cases(n) {
				f, err := c.run(c, n, delay)
				if err != nil {
					return fmt.Errorf("%s, %d at once, delay %s: %w", c.name, n, delay, err)
				}
				fmt.Fprintln(w, f.row(n, c.name))
				if n == detailed && c.throttle == 0 {
					byOperation = append(byOperation, f)
				}
			}
		}
		if len(byOperation) == 2 {
			operations(w, byOperation[0], byOperation[1])
		}
	}
	return nil
}

const callsHead = `
## Calls and times

Hosts of a group of twice as many (10 at least) leave at the same moment. On each are 4 tasks of services of 20 behind target groups and
one daemon task; processes exit 10 s after SIGTERM, replacements are healthy after 20 s. *Calls* are attempts from the first message to
the last answer, failed and throttled ones too; polls of the queue that found nothing do not count. *Answer* is the time from the last
task STOPPED to the answer of the hook; *before* is an answer while tasks still stopped. *DRAINING* is the time from the message to
DRAINING. *Cut off* are tasks that were killed with their host.

The simulated ECS throttles as AWS documents it. What Auto Scaling allows is not published: the simulated one allows 100 calls at once and
10 a second. For 1,000 hosts that end in the same seconds this alone means that the last answer waits for more than a minute, so there is
also a row *free* without that limit.

An ordinary drain looks at target groups only for their deregistration delay. Where a host is lost, cut off, or let go with live daemon tasks,
and for each task on Fargate Spot, Ebb also reads the *net*: one call for the subnets or the instance, one for the list of target groups (a page
has 400), and one for each target group of the VPC; for a task of a service not those that services name. All who leave within two minutes
share it. A notice of Fargate Spot alone, in a VPC without further target groups, costs 7 calls and a minute's list of what stops, 1,000 at once
0.04 calls each, and with 200 further target groups 0.3 each (` + "`" + `go test ./internal/kernel
-run TestTheNetIsReadOnce -v` + "`" + `). A service of Cloud Map
costs a list and a call for each task more, a target group of VPC Lattice three calls.
`

const tableHead = "| at once | drainer | calls per drain | answer p50 | answer p99 | DRAINING p50 | DRAINING p99 | cut off " +
	"|\n|--:|---|--:|--:|--:|--:|--:|--:|\n"

// variant is one way to empty the hosts.
type variant struct {
	name     string
	throttle int  // percent of the calls
	free     bool // without the limit of Auto Scaling
	run      func(v variant, n int, delay time.Duration) (figures, error)
}

func cases(n int) []variant {
	free := variant{name: "Ebb, *free*", free: true, run: ebb}
	if n > 1000 {
		return []variant{free} // the others take hours, of which nothing is to be learnt
	}
	cs := []variant{{name: "Ebb", run: ebb}}
	if n == 1000 {
		cs = append(cs, free)
	}
	if n == detailed {
		cs = append(cs, variant{name: "Ebb, 10 % throttled", throttle: 10, run: ebb})
	}
	return append(cs, variant{name: baseline.HomeMade, run: homeMade})
}

// ebb lets the real kernel drain n hosts.
func ebb(v variant, n int, delay time.Duration) (figures, error) {
	res, err := story.Run(departure(v, n, delay))
	if err != nil {
		return figures{}, err
	}
	for _, bad := range res.Violations {
		if bad.Invariant != late || v.free || n < 1000 {
			return figures{}, fmt.Errorf("the run is not as it must be: %s", bad)
		}
	}
	return measure(res.Record, "ebb"), nil
}

// departure is the story of n hosts that leave at once.
func departure(v variant, n int, delay time.Duration) story.Scenario {
	s := story.Scenario{
		Name: fmt.Sprintf("%d hosts leave at once", n), Seed: 1, World: worldW(n, delay), Until: 4 * time.Hour,
		Ebb: story.Ebb{Groups: []story.Group{{Match: group, Cluster: cluster}}},
	}
	if v.free {
		s.World.Switches.AutoScalingBurst, s.World.Switches.AutoScalingRate = 100_000, 100_000
	}
	for i := range n {
		s.At = append(s.At, story.Step{At: time.Second, Do: "terminate", Host: fmt.Sprintf("%s/%d", group, i), Decrement: true})
	}
	if v.throttle > 0 {
		s.Faults = []story.Fault{{Op: "*.*", How: "throttle", Percent: v.throttle}}
	}
	return s
}

// homeMade lets the home-made drainer do the same in the same world.
func homeMade(_ variant, n int, delay time.Duration) (figures, error) {
	r, err := baseline.DrainAtHome(worldW(n, delay), func(w *sim.World) (int, error) {
		w.Advance(w.Now().Add(time.Second))
		for _, i := range w.DescribeAutoScalingGroups([]string{group})[0].Instances[:n] {
			if _, err := w.TerminateInstanceInAutoScalingGroup(i.ID, true); err != nil {
				return 0, err
			}
		}
		return n, nil
	})
	return measure(r.Record, baseline.HomeMade), err
}

// late is the number of the invariant that nothing hangs. It does not know how long thousands of answers take that Auto Scaling throttles.
const late = 3

// figures are what one run cost.
type figures struct {
	n        int // hooks answered
	ops      map[string]int
	answer   []time.Duration
	draining []time.Duration
	cut      int
}

// measure reads the world's record of a drainer's calls, from the first message to the last answer.
func measure(record []core.Entry, by string) figures {
	f := figures{ops: map[string]int{}}
	lastStop, heard, killed := map[string]time.Time{}, map[string]time.Time{}, map[string]bool{}
	answers := map[string]time.Time{}
	calls, received := map[string]int{}, false
	for _, e := range record {
		switch {
		case e.Kind == core.EntryCall && e.By == by:
			if e.Text != "sqs.ReceiveMessage" || received {
				calls[e.Text]++
			}
			received = false
			if len(heard) == 0 {
				clear(calls)
			}
			if e.Text == "autoscaling.CompleteLifecycleAction" {
				maps.Copy(f.ops, calls)
			}
		case e.Kind == core.EntryTask:
			if e.To == "STOPPED" {
				lastStop[e.Instance] = e.At
			}
			if strings.Contains(e.Text, "killed") {
				killed[e.Task] = true
			}
		case e.Kind == core.EntryHook && e.To == "CONTINUE":
			answers[e.Instance] = e.At
		case e.Kind == core.EntryMessage && e.To == "received":
			received = true
			if heard[e.Instance].IsZero() {
				heard[e.Instance] = e.At
			}
		case e.Kind == core.EntryContainer && e.To == "DRAINING":
			f.draining = append(f.draining, e.At.Sub(heard[e.Instance]))
		}
	}
	for _, instance := range slices.Sorted(maps.Keys(answers)) {
		f.answer = append(f.answer, answers[instance].Sub(lastStop[instance]))
	}
	f.n, f.cut = len(answers), len(killed)
	return f
}

func (f figures) perDrain() float64 {
	sum := 0
	for _, n := range f.ops {
		sum += n
	}
	return float64(sum) / float64(f.n)
}

func (f figures) row(n int, name string) string {
	return fmt.Sprintf("| %d | %s | %.2f | %s | %s | %s | %s | %d |", n, name, f.perDrain(), percentile(f.answer, 50), percentile(f.answer, 99),
		percentile(f.draining, 50), percentile(f.draining, 99), f.cut)
}

// percentile spells the p-th percentile; a negative one is before the event that it counts from.
func percentile(d []time.Duration, p int) string {
	if len(d) == 0 {
		return "-"
	}
	d = slices.Sorted(slices.Values(d))
	v := d[min(len(d)-1, len(d)*p/100)]
	if v < 0 {
		return fmt.Sprintf("%.1f s before", -v.Seconds())
	}
	return fmt.Sprintf("%.1f s", v.Seconds())
}

// operations shows two drainers' calls by operation.
func operations(w io.Writer, a, b figures) {
	all := maps.Clone(a.ops)
	maps.Copy(all, b.ops)
	fmt.Fprintf(w, "\n%d at once, by operation:\n\n| operation | Ebb | home-made |\n|---|--:|--:|\n", detailed)
	for _, op := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprintf(w, "| %s | %d | %d |\n", op, a.ops[op], b.ops[op])
	}
}
