// Spot measures what becomes of requests when Fargate Spot takes tasks back, with Ebb and without: three of ten tasks are interrupted while
// clients send 200 requests a second. Time is virtual and the connections are computed, so that the figures are the same on every machine.
//
// It never speaks to AWS, and opens no connection.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/ecs"
	"github.com/ebbhq/ebb/internal/story"
)

// What is varied.
var (
	propagations = []time.Duration{0, 4 * time.Second, 17 * time.Second, 2 * time.Minute}
	serves       = []time.Duration{0, 10 * time.Second, 20 * time.Second, 30 * time.Second, 2 * time.Minute}
	orders       = []string{core.SpotPromised, core.Spot2025, core.SpotBefore2023}
)

// seeds is how many runs a cell is the mean of: how long AWS's calls take differs.
const seeds = 5

func main() {
	out := flag.String("o", "", "write the table to this file as well")
	flag.Parse()
	text, err := table()
	if err == nil && *out != "" {
		err = os.WriteFile(*out, text, 0o644)
	}
	os.Stdout.Write(text)
	if err != nil {
		fmt.Fprintln(os.Stderr, "spot:", err)
		os.Exit(1)
	}
}

const head = `# What Fargate Spot costs in requests

Three of ten tasks on Fargate Spot are interrupted while clients send 200 requests a second, each of which lasts 100 ms. A cell says how many
requests failed **without Ebb / with Ebb**. Made by ` + "`go run ./test/spot -o docs/spot.md`" + ` in the simulated cloud, in virtual time, with connections
that are computed and not opened; it has not been seen at AWS. A cell is the mean of five runs, in which AWS's calls take as long as they do in
all stories: 0.1 s mostly, and some of them seconds. The event of the interruption takes a second to reach the queue.

*Propagation* is how long a load balancer still sends new requests to a target after its deregistration: users measured 4 to 17 s for an
Application Load Balancer, and two minutes for a Network Load Balancer. *Serves* is how long the application goes on to serve after SIGTERM.
The order is what ECS does: *promised* (since February 2023: targets out, then SIGTERM), *2025* (SIGTERM with the notice, targets out ten
seconds later) and *before 2023* (targets out once the task has stopped).

**Nobody can help from outside where the application stops serving before the load balancer stops sending**: right of SIGTERM, only the
application itself can go on. Let it serve for longer than the propagation of its load balancer, and set ` + "`stopTimeout`" + ` accordingly (120 s is the
most). Behind a Network Load Balancer that takes two minutes that leaves no second to spare.
`

func table() ([]byte, error) {
	var b bytes.Buffer
	b.WriteString(head)
	for _, protocol := range []string{"HTTP", "TCP"} {
		name := map[string]string{"HTTP": "Application Load Balancer", "TCP": "Network Load Balancer"}[protocol]
		for _, order := range orders {
			fmt.Fprintf(&b, "\n## %s, %s\n\n| propagation |", name, order)
			for _, s := range serves {
				fmt.Fprintf(&b, " serves %.0f s |", s.Seconds())
			}
			fmt.Fprintf(&b, "\n|---|---|---|---|---|---|\n")
			for _, p := range propagations {
				fmt.Fprintf(&b, "| %.0f s |", p.Seconds())
				for _, s := range serves {
					var mean [2]float64 // without Ebb, with it
					for seed := range uint64(seeds) {
						for i, ebb := range []bool{false, true} {
							n, err := failed(seed+1, protocol, order, p, s, ebb)
							if err != nil {
								return nil, err
							}
							mean[i] += n / seeds
						}
					}
					fmt.Fprintf(&b, " %.0f / %.0f |", mean[0], mean[1])
				}
				b.WriteByte('\n')
			}
		}
	}
	return b.Bytes(), nil
}

// orNone is a duration as worlds write it, in which zero means the default.
func orNone(d time.Duration) time.Duration {
	if d == 0 {
		return -1
	}
	return d
}

// failed is how many requests fail in one cell.
func failed(seed uint64, protocol, order string, propagation, serve time.Duration, ebb bool) (float64, error) {
	s := story.Scenario{Name: "spot", Seed: seed, Until: 8 * time.Minute}
	s.World = sim.Spec{
		Seed:         seed,
		Clusters:     []sim.ClusterSpec{{Name: "prod", Providers: []string{"FARGATE", "FARGATE_SPOT"}}, {Name: "other"}},
		Queues:       []sim.QueueSpec{{Name: "ebb"}},
		TargetGroups: []sim.TargetGroupSpec{{Name: "web-tg", Protocol: protocol, Delay: time.Minute, Propagation: orNone(propagation)}},
		TaskDefinitions: []ecs.TaskDefinition{{
			Family: "web", Compatible: []string{"FARGATE"}, Port: 8080, Exit: serve + time.Second, Serves: orNone(serve), Stop: 2 * time.Minute,
		}},
		Services: []sim.ServiceSpec{{
			Name: "web", Cluster: "prod", Task: "web", Desired: 10, TargetGroup: "web-tg", Providers: []ecs.StrategyItem{{Provider: "FARGATE_SPOT", Weight: 1}},
		}},
		Rules: []sim.RuleSpec{{Name: "spot", Targets: []string{"ebb"},
			Pattern: `{"source":["aws.ecs"],"detail-type":["ECS Task State Change"],"detail":{"desiredStatus":["STOPPED"],"lastStatus":["RUNNING"]}}`}},
		Traffic: []sim.TrafficSpec{{Service: "web", Rate: 200, Connection: 100 * time.Millisecond}},
	}
	s.World.Switches.SpotOrder, s.World.Switches.Notify = order, time.Second
	s.Ebb.Clusters = []story.Cluster{{Name: "other"}}
	if ebb {
		s.Ebb.Clusters = []story.Cluster{{Name: "prod"}}
	}
	s.At = []story.Step{{At: 90 * time.Second, Do: "interrupt", Cluster: "prod", Service: "web", Count: 3}}
	res, err := story.Run(s)
	if err != nil {
		return 0, err
	}
	for _, v := range res.Violations {
		return 0, fmt.Errorf("%s, %s, propagation %s, serves %s, ebb %t: invariant %d: %s", protocol, order, propagation, serve, ebb, v.Invariant, v.Text)
	}
	return res.Traffic[0].Failed(), nil
}
