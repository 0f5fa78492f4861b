package main

import (
	"context"
	"fmt"
	"time"

	"github.com/ebbhq/ebb/internal/baseline"
	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/client"
	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/wire"
)

// homeMade lets the home-made drainer do the same in the same world. What fails, it tries again at its own pace, as its models do.
func homeMade(n int, delay time.Duration) (figures, error) {
	const caller = "home-made"
	world, err := sim.Build(worldW(n, delay))
	if err != nil {
		return figures{}, err
	}
	api := wire.New(wire.Config{World: world, Limits: wire.Limits(world)})
	q, err := world.Queue(queue)
	if err != nil {
		return figures{}, err
	}
	d := baseline.New(baseline.Config{ECS: client.ECS(api), AutoScaling: client.AutoScaling(api), SQS: client.SQS(api), Queue: q.URL, Cluster: cluster})
	start := world.Now()
	world.Advance(start.Add(time.Second))
	for _, i := range world.DescribeAutoScalingGroups([]string{group})[0].Instances[:n] {
		if _, err := world.TerminateInstanceInAutoScalingGroup(i.ID, true); err != nil {
			return figures{}, err
		}
	}
	ctx := wire.WithCaller(context.Background(), caller)
	const patience = 2 * time.Hour
	for world.Now().Before(start.Add(patience)) {
		next, _ := d.Tick(ctx, world.Now()) // throttled calls are errors; they are in the record
		world.Advance(next)
		if f := answered(world); f == n {
			world.Advance(world.Now().Add(10 * time.Minute)) // what is killed with its host
			return measure(world.Record(), caller), nil
		}
	}
	return figures{}, fmt.Errorf("%d of %d hooks were answered within %s", answered(world), n, patience)
}

// answered counts the instances that no hook holds any more.
func answered(w *sim.World) int {
	n := 0
	for _, e := range w.Record() {
		if e.Kind == core.EntryHook && (e.To == "CONTINUE" || e.To == "expired") {
			n++
		}
	}
	return n
}
