// Bench measures what a drain costs: calls of AWS's APIs per drain, and how long after the last task's end the hook is answered,
// in the simulated cloud and in virtual time, for Ebb and for the home-made drainer in the same world.
//
// It never speaks to AWS, and its counts are the same on every machine.
package main

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/story"
)

func main() {
	counts := flag.String("at-once", "1,10,150,1000", "how many hosts leave at once")
	delays := flag.String("delays", "60s,300s", "deregistration delays")
	throttle := flag.Int("throttle", 0, "percent of Ebb's calls that are throttled")
	free := flag.Bool("free-autoscaling", false, "Auto Scaling throttles nothing")
	detail := flag.Bool("by-operation", false, "calls by operation")
	flag.Parse()
	if f := os.Getenv("PROF"); f != "" {
		w, _ := os.Create(f)
		_ = pprof.StartCPUProfile(w)
		defer pprof.StopCPUProfile()
	}
	if err := run(*counts, *delays, *throttle, *free, *detail); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(counts, delays string, throttle int, free, detail bool) error {
	for _, d := range strings.Split(delays, ",") {
		delay, err := time.ParseDuration(d)
		if err != nil {
			return err
		}
		for _, c := range strings.Split(counts, ",") {
			n, err := strconv.Atoi(c)
			if err != nil {
				return err
			}
			began := time.Now()
			sc := scenario(n, delay, throttle)
			if free {
				sc.World.Switches.AutoScalingBurst, sc.World.Switches.AutoScalingRate = 100000, 100000
			}
			res, err := story.Run(sc)
			if err != nil {
				return err
			}
			if os.Getenv("TRACE") != "" {
				for _, e := range res.Record {
					if e.Kind == sim.EntryCall && e.By == "ebb" || e.Kind == sim.EntryTask && e.From != "" && e.Instance == os.Getenv("TRACE") || e.Kind == sim.EntryTask && strings.Contains(e.To, "STOP") || e.Kind == sim.EntryContainer && e.To == "DRAINING" {
						fmt.Println(e.At.Sub(res.Record[0].At).Round(time.Millisecond), e.Kind, e.Text, e.Task, e.To)
					}
				}
			}
			m := measure(res.Record)
			fmt.Printf("delay %v n %d: %.2f calls per drain, answer p50 %v p99 %v, draining p99 %v, cut off %d, drains %d, violations %d, virtual %v, took %v\n", delay, n,
				float64(m.calls)/float64(n), pct(m.answer, 50), pct(m.answer, 99), pct(m.draining, 99), m.cut, res.Drains, len(res.Violations), res.End.Sub(res.Record[0].At), time.Since(began).Round(time.Millisecond))
			for i, v := range res.Violations {
				if i < 5 {
					fmt.Println("  ", v)
				}
			}
			if detail {
				var ops []string
				for op := range m.ops {
					ops = append(ops, op)
				}
				slices.Sort(ops)
				for _, op := range ops {
					fmt.Printf("  %-50s %6d\n", op, m.ops[op])
				}
			}
		}
	}
	return nil
}

type figures struct {
	calls            int
	answer, draining []time.Duration
	cut              int
	ops              map[string]int
}

// measure reads the world's record: Ebb's calls from the first termination to the last answer, polls that found nothing apart.
func measure(record []sim.Entry) figures {
	m := figures{ops: map[string]int{}}
	lastStop, heard := map[string]time.Time{}, map[string]time.Time{}
	calls := map[string]int{}
	for _, e := range record {
		switch e.Kind {
		case sim.EntryCall:
			if e.By == "ebb" && len(heard) > 0 || e.Text == "sqs.ReceiveMessage" {
				calls[e.Text]++
			}
			if e.Text == "autoscaling.CompleteLifecycleAction" {
				maps.Copy(m.ops, calls)
			}
		case sim.EntryTask:
			if e.To == "STOPPED" {
				lastStop[e.Instance] = e.At
			}
			if strings.Contains(e.Text, "killed") {
				m.cut++
			}
		case sim.EntryHook:
			if e.To == "CONTINUE" || e.To == "ABANDON" {
				m.answer = append(m.answer, e.At.Sub(lastStop[e.Instance]))
			}
		case sim.EntryMessage:
			if e.To == "received" && heard[e.Instance].IsZero() {
				heard[e.Instance] = e.At
			}
		case sim.EntryContainer:
			if e.To == "DRAINING" {
				m.draining = append(m.draining, e.At.Sub(heard[e.Instance]))
			}
		}
	}
	for _, n := range m.ops {
		m.calls += n
	}
	return m
}

func pct(d []time.Duration, p int) time.Duration {
	if len(d) == 0 {
		return -1
	}
	d = slices.Clone(d)
	slices.Sort(d)
	return d[min(len(d)-1, len(d)*p/100)].Round(10 * time.Millisecond)
}
