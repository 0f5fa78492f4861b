package storm

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/baseline"
	"github.com/ebbhq/ebb/internal/sim/core"
)

// figures are what the record says of a drainer's work.
type figures struct {
	calls, polls, refused int            // of AWS without DynamoDB; among them those of SQS, and those that failed
	invocations           map[string]int // of the function, by what became of them
	redriven              int            // messages
	cutOff                int            // tasks that were killed with their host
	last                  time.Duration  // until the last hook was answered
}

// measure reads the record of a drainer whose callers are recognised by their names.
func measure(record []core.Entry, start time.Time, by func(name string) bool) figures {
	f := figures{invocations: map[string]int{}}
	killed := map[string]bool{}
	for _, e := range record {
		switch {
		case e.Kind == core.EntryCall && by(e.By):
			f.calls++
			if strings.HasPrefix(e.Text, "sqs.") {
				f.polls++
			}
			if e.To != "ok" {
				f.refused++
			}
		case e.Kind == core.EntryMessage && e.To == "redriven":
			f.redriven++
		case e.Kind == core.EntryInvocation:
			f.invocations[e.To]++
		case e.Kind == core.EntryTask && strings.Contains(e.Text, "killed"):
			killed[e.Task] = true
		case e.Kind == core.EntryHook && e.To == "CONTINUE":
			f.last = e.At.Sub(start)
		}
	}
	f.cutOff = len(killed)
	return f
}

// outcomes counts how the drains of the journal ended.
func (r remains) outcomes() string {
	count := map[string]int{}
	for _, d := range r.ended {
		count[string(d.Final.Outcome)]++
	}
	if len(r.open) > 0 {
		count["open"] = len(r.open)
	}
	var words []string
	for _, what := range slices.Sorted(maps.Keys(count)) {
		words = append(words, fmt.Sprintf("%d %s", count[what], what))
	}
	return fmt.Sprintf("%d hosts left: %s", len(r.leavers), strings.Join(words, ", "))
}

// text is a run in one line.
func (r remains) text() string {
	o := r.o
	f := measure(r.record, r.start, byEbb)
	text := fmt.Sprintf("seed %d: ", o.seed)
	if o.shape == lambdaShape {
		v := f.invocations
		text += fmt.Sprintf("ebb lambda, %d invocations in %d environments, %d killed, %d timed out, %d failed, %d throttled; the last answered "+
			"after %s; per drain: %s calls of AWS, %s requests of DynamoDB, %s invocations",
			v["started"], r.environments, v["killed"], v["timed-out"], v["failed"], v["throttled"], f.last.Round(time.Second),
			o.each(f.calls), o.each(r.requests), o.each(v["started"]))
	} else {
		where := "on one host"
		if o.apart() {
			where = "apart"
		}
		if o.fault != "" {
			text += "fault " + o.fault + ": "
		}
		text += fmt.Sprintf("%d ebb serve %s, %d killed, %d ended, %d paused; %d calls; %d conflicts in the journal",
			o.processes, where, r.kills, r.terms, r.stops, f.calls, r.refusals)
		if o.processes > 1 {
			var slowest time.Duration
			for _, h := range r.handed {
				slowest = max(slowest, h.took)
			}
			text += fmt.Sprintf("; %d hand-overs in at most %.1f s", len(r.handed), slowest.Seconds())
		}
		if o.journal == dynamodbJournal {
			text += fmt.Sprintf("; %d requests of DynamoDB", r.requests)
		}
	}
	return text + fmt.Sprintf("; %s; %d calls refused; %d messages redriven; %s of the world in %s",
		r.outcomes(), f.refused, f.redriven, r.end.Sub(r.start).Round(time.Second), r.real.Round(time.Second))
}

// each is so many for each host that leaves.
func (o options) each(n int) string { return fmt.Sprintf("%.2f", float64(n)/float64(o.hosts)) }

// drainAtHome lets the home-made Lambda, one in each cluster, drain the same hosts in virtual time.
func drainAtHome(o options) (baseline.Drained, error) {
	spec := o.world()
	for _, g := range spec.Groups {
		g.Hooks[0].Target = "hooks-" + g.Launch.Cluster
		spec.Queues = append(spec.Queues, sim.QueueSpec{Name: g.Hooks[0].Target})
	}
	return baseline.DrainAtHome(spec, func(w *sim.World) (int, error) {
		ids, _ := leavers(w, o.hosts, rand.New(rand.NewPCG(o.seed, 1)))
		return len(ids), terminate(w, ids, 0, len(ids))
	})
}

// writeTable measures the function without kills, with them, and the home-made one, and writes the section of docs/cost.md. What did not
// hold is an error.
func (o options) writeTable(ctx context.Context, top, file string) error {
	var text strings.Builder
	fmt.Fprintf(&text, tableHead, o.hosts, len(functionClusters), o.seed)
	row := func(name string, f figures, invocations, calls int, requests, environments string) {
		fmt.Fprintf(&text, "| %s | %s | %s | %s | %s | %d | %d | %s | %d |\n", name, o.each(invocations), o.each(calls), requests, environments,
			f.invocations["throttled"], f.invocations["timed-out"], f.last.Round(time.Second), f.cutOff)
	}
	for _, kills := range []int{0, o.kills} {
		one := o
		one.kills, one.dir = kills, filepath.Join(top, fmt.Sprintf("kills-%d", kills))
		left, good, err := tell(ctx, one)
		if err != nil {
			return fmt.Errorf("%w; its logs are in %s", err, one.dir)
		}
		if !good {
			return fmt.Errorf("what must always hold was broken; logs are in %s", one.dir)
		}
		name := "Ebb"
		if kills > 0 {
			name = fmt.Sprintf("Ebb, %d invocations killed", left.kills)
		}
		f := measure(left.record, left.start, byEbb)
		row(name, f, f.invocations["started"], f.calls, o.each(left.requests), fmt.Sprint(left.environments))
	}
	home, err := drainAtHome(o)
	if err != nil {
		return err
	}
	f := measure(home.Record, home.Start, func(name string) bool { return name == baseline.HomeMade })
	row(baseline.HomeMade, f, home.Invocations, f.calls-f.polls, "0", "-") // Lambda polls for it
	fmt.Print("\n", text.String())
	return os.WriteFile(file, []byte(text.String()), 0o644)
}

const tableHead = `
## As a function

%d hosts in %d clusters leave at the same moment; some messages come twice. Ebb's processes are the real ebb as a Lambda function on
DynamoDB Local, 20 at most at once, in a simulated cloud over HTTP in real time, so that these numbers differ a little from run to run (seed %d).
The home-made one is the Lambda that most people copied, in virtual time: each message starts a chain of invocations, one every 5 s, that it
posts to itself. *Calls* are calls of AWS by the function, failed and throttled ones too, without those of DynamoDB; what Lambda does for a function,
such as receiving messages, is not among them, nor is what the home-made one posts. *Requests* are requests of DynamoDB. Ebb's count until the
schedule has looked for two more minutes. *Last* is when the last hook was answered. *Cut off* are tasks that were killed with their host.

    bash test/dynamodb/run.sh bash test/long.sh storm -shape lambda -o FILE

| drainer | invocations per drain | calls per drain | requests per drain | environments | throttled | timed out | last | cut off |
|---|--:|--:|--:|--:|--:|--:|--:|--:|
`
