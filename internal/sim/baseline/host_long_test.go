//go:build long

package baseline

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/client"
	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/wire"
)

// What is assumed of the hosts of the write-up: cron starts the script once a minute, within three seconds of the minute; an application writes
// 50 lines a second, and Fluentd sends them on once a minute and with SIGUSR1.
const (
	linesPerSecond = 50
	flushes        = time.Minute
	cronSpread     = 3 * time.Second
)

// TestLong prints the home-made rows of docs/agent.md: so many hosts of a group leave at once, in virtual time.
func TestLong(t *testing.T) {
	for _, hosts := range []int{1, 20, 200} {
		w, err := sim.Build(sim.Spec{
			Seed:   1,
			Queues: []sim.QueueSpec{{Name: "shared", Visibility: 30 * time.Second}},
			Groups: []sim.GroupSpec{{Name: "web", Desired: hosts, Max: hosts, Hooks: []sim.HookSpec{
				{Name: "drain", Heartbeat: 15 * time.Minute, DefaultResult: "CONTINUE", Target: "shared"},
			}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		w.Settle()
		api := wire.New(wire.Config{World: w, Limits: wire.Limits(w)})
		q, err := w.Queue("shared")
		if err != nil {
			t.Fatal(err)
		}
		type host struct {
			Script
			cron, flush, served, flushed time.Time
		}
		dice := rand.New(rand.NewPCG(1, 1))
		spread := func(most time.Duration) time.Duration { return time.Duration(dice.Int64N(int64(most))) }
		var all []*host
		start := w.Now()
		for _, in := range w.DescribeAutoScalingInstances(nil) {
			h := &host{cron: start.Add(spread(cronSpread)), flush: start.Add(-spread(flushes))}
			h.Script = Script{SQS: client.SQS(api), AutoScaling: client.AutoScaling(api), Queue: q.URL, Instance: in.ID}
			h.Steps = []func() error{func() error { h.flushed = w.Now(); return nil }}
			all = append(all, h)
		}
		if err := w.SetDesiredCapacity("web", 0); err != nil {
			t.Fatal(err)
		}
		ctx := wire.WithCaller(t.Context(), "script")
		for w.Now().Before(start.Add(25 * time.Minute)) {
			w.Advance(w.Now().Add(100 * time.Millisecond))
			for _, h := range all {
				if in := w.Find(h.Instance); in == nil || !in.Alive() || h.cron.After(w.Now()) {
					continue
				}
				did, err := h.Tick(ctx)
				h.cron = h.cron.Truncate(time.Minute).Add(time.Minute + spread(cronSpread))
				if did && err == nil {
					h.served = w.Now()
				}
			}
		}
		ended := map[string]time.Time{}
		for _, e := range w.Record() {
			if e.Kind == core.EntryInstance && e.To == "shutting-down" {
				ended[e.Instance] = e.At
			}
		}
		served, lost, last := 0, 0, time.Duration(0)
		for _, h := range all {
			end := ended[h.Instance]
			since := h.flush.Add(end.Sub(h.flush).Truncate(flushes)) // the last time that Fluentd sent by itself
			if !h.served.IsZero() {
				served++
			}
			if h.flushed.After(since) {
				since = h.flushed
			}
			lost += int(end.Sub(since).Seconds() * linesPerSecond)
			last = max(last, end.Sub(start))
		}
		fmt.Printf("| cron and one queue | %d | %d | %.1f | %d | %d |\n", hosts, served, last.Minutes(), lost, hosts-served)
	}
}
