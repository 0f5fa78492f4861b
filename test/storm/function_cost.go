package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/baseline"
	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/client"
	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/wire"
)

// cost is what a drainer as a function took for a world of leaving hosts.
type cost struct {
	hosts                                             int
	calls, requests, invocations                      int // of AWS without DynamoDB, of DynamoDB, of the function
	environments, killed, timedOut, throttled, cutOff int
	last                                              time.Duration // until the last hook was answered
}

// costOf reads what the function took.
func costOf(r remains, s summary) cost {
	c := cost{hosts: len(r.leavers), calls: s.calls, requests: r.requests, invocations: s.invocations["started"], environments: r.environments,
		killed: s.invocations["killed"], timedOut: s.invocations["timed-out"], throttled: s.invocations["throttled"]}
	c.cutOff, c.last = lastly(r.record, r.start)
	return c
}

// lastly counts the tasks that were cut off, and says when the last hook was answered.
func lastly(record []core.Entry, start time.Time) (cutOff int, last time.Duration) {
	killed := map[string]bool{}
	for _, e := range record {
		switch {
		case e.Kind == core.EntryTask && strings.Contains(e.Text, "killed"):
			killed[e.Task] = true
		case e.Kind == core.EntryHook && e.To == "CONTINUE":
			last = e.At.Sub(start)
		}
	}
	return len(killed), last
}

func (c cost) each(n int) string { return fmt.Sprintf("%.2f", float64(n)/float64(c.hosts)) }

// functionText is a run of the function in one line.
func (r remains) functionText(o options, s summary) string {
	c := costOf(r, s)
	return fmt.Sprintf("seed %d: ebb lambda, %d invocations in %d environments, %d killed, %d timed out, %d failed, %d throttled; %s, the "+
		"last answered after %s; "+
		"per drain: %s calls of AWS, %s requests of DynamoDB, %s invocations; %d calls refused; %d messages redriven; %s of the world in %s",
		o.seed, c.invocations, c.environments, c.killed, c.timedOut, s.invocations["failed"], c.throttled, s.outcomes, c.last.Round(time.Second),
		c.each(c.calls), c.each(c.requests), c.each(c.invocations), s.refused, s.redriven, s.world, s.real)
}

// drainAtHome lets the home-made Lambda, one in each cluster, drain the same hosts in virtual time.
func drainAtHome(o options) (cost, error) {
	const (
		caller   = "home-made"
		queues   = "hooks-"
		patience = 2 * time.Hour
	)
	w, err := sim.Build(functionWorld(o.seed, o.hosts, queues))
	if err != nil {
		return cost{}, err
	}
	api := wire.New(wire.Config{World: w, Limits: wire.Limits(w)})
	var all []*baseline.Drainer
	for _, c := range clusters {
		q, err := w.Queue(queues + c)
		if err != nil {
			return cost{}, err
		}
		all = append(all, baseline.New(baseline.Config{ECS: client.ECS(api), AutoScaling: client.AutoScaling(api), SQS: client.SQS(api), Queue: q.URL, Cluster: c}))
	}
	start := w.Now()
	leavers, err := leaveAtOnce(w, o.hosts, rand.New(rand.NewPCG(o.seed, 1)))
	if err != nil {
		return cost{}, err
	}
	ctx := wire.WithCaller(context.Background(), caller)
	for w.Now().Before(start.Add(patience)) && answered(w, leavers) < len(leavers) {
		next := w.Now().Add(time.Second)
		for _, d := range all {
			at, _ := d.Tick(ctx, w.Now()) // throttled calls are errors; they are in the record
			if at.Before(next) {
				next = at
			}
		}
		w.Advance(next)
	}
	if n := answered(w, leavers); n < len(leavers) {
		return cost{}, fmt.Errorf("the home-made drainer let %d of %d hosts go within %s", n, len(leavers), patience)
	}
	w.Advance(w.Now().Add(10 * time.Minute)) // what is killed with its host
	c := cost{hosts: len(leavers)}
	for _, d := range all {
		c.invocations += d.Invocations()
	}
	for _, e := range w.Record() {
		if e.Kind == core.EntryCall && e.By == caller && !strings.HasPrefix(e.Text, "sqs.") { // Lambda listens for it
			c.calls++
		}
	}
	c.cutOff, c.last = lastly(w.Record(), start)
	return c, nil
}

// answered counts the leavers that no hook holds any more.
func answered(w *sim.World, leavers []string) int {
	over := map[string]bool{}
	for _, e := range w.Record() {
		if e.Kind == core.EntryHook && (e.To == "CONTINUE" || e.To == "expired") {
			over[e.Instance] = true
		}
	}
	return len(over)
}

// writeTable measures the function without kills, with them, and the home-made one, and writes the section of docs/cost.md. What did not
// hold is an error.
func (o options) writeTable(ctx context.Context, top, file string) error {
	var text strings.Builder
	fmt.Fprintf(&text, tableHead, o.hosts, len(clusters), o.seed)
	row := func(name string, c cost, requests, environments string) {
		fmt.Fprintf(&text, "| %s | %s | %s | %s | %s | %d | %d | %s | %d |\n", name, c.each(c.invocations), c.each(c.calls), requests,
			environments, c.throttled, c.timedOut,
			c.last.Round(time.Second), c.cutOff)
	}
	for _, kills := range []int{0, o.kills} {
		one := o
		one.kills, one.dir = kills, filepath.Join(top, fmt.Sprintf("kills-%d", kills))
		left, err := blow(ctx, one)
		if err != nil {
			return fmt.Errorf("%w; its logs are in %s", err, one.dir)
		}
		fmt.Println(left.text(one))
		if !blameless(one, left) {
			return fmt.Errorf("what must always hold was broken; logs are in %s", one.dir)
		}
		name := "Ebb"
		if kills > 0 {
			name = fmt.Sprintf("Ebb, %d invocations killed", left.kills)
		}
		c := costOf(left, sum(left))
		row(name, c, c.each(c.requests), fmt.Sprint(c.environments))
	}
	home, err := drainAtHome(o)
	if err != nil {
		return err
	}
	row("home-made", home, "0", "-")
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

    go run ./test/dynamodb -- go run ./test/storm -shape lambda -o FILE

| drainer | invocations per drain | calls per drain | requests per drain | environments | throttled | timed out | last | cut off |
|---|--:|--:|--:|--:|--:|--:|--:|--:|
`
