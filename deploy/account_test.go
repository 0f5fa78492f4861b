package deploy_test

import (
	"context"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/wire"
)

// speed is how much faster than the machine's the simulated cloud's clock goes. With it a function's 30 s are 2 s.
const speed = 15

// account is a simulated cloud over HTTP, with neither queue nor hook.
type account struct {
	endpoint string
	mu       sync.Mutex
	world    *sim.World
	api      *wire.API
	leaves   leaving
}

// leaving is what leaves in an account.
type leaving struct {
	begin func(*testing.T, *formation) string // lets one leave, and returns its id
	done  func(*account, string) bool         // Ebb has done its part, as the record of the cloud has it
	heard func(string) string                 // what Ebb writes when a message tells of it
	asked string                              // the action that Ebb needs for it
}

// newAccount has two clusters with a group each, and instances leave.
func newAccount(t *testing.T) *account {
	t.Helper()
	spec := sim.Demo()
	spec.Queues, spec.Groups[0].Hooks = nil, nil
	second := spec.Groups[0]
	second.Name, second.Launch.Cluster, second.Desired, second.Min = "batch-asg", "batch", 1, 0
	spec.Clusters, spec.Groups = append(spec.Clusters, sim.ClusterSpec{Name: "batch"}), append(spec.Groups, second)
	return accountOf(t, spec, leaving{
		func(t *testing.T, f *formation) string { return f.terminateOne(t) }, (*account).answered,
		func(id string) string { return "Auto Scaling terminates " + id },
		"autoscaling:CompleteLifecycleAction",
	})
}

// accountOf has a world that begins now.
func accountOf(t *testing.T, spec sim.Spec, leaves leaving) *account {
	t.Helper()
	spec.Start = time.Now().UTC()
	world, err := sim.Build(spec)
	if err != nil {
		t.Fatal(err)
	}
	a := &account{world: world, leaves: leaves}
	a.api = wire.New(wire.Config{World: world, Lock: &a.mu, Strict: true})
	ctx, stop := context.WithCancel(t.Context())
	var ended sync.WaitGroup
	clock := wire.NewClock(a.api, speed)
	ended.Go(func() { clock.Run(ctx) })
	server := httptest.NewServer(a.api.Handler())
	a.endpoint = server.URL
	t.Cleanup(func() { stop(); server.CloseClientConnections(); server.Close(); ended.Wait() })
	return a
}

// until waits for something to come true. On a machine so busy that an invocation runs out of time, what it held is free again after a minute.
func (a *account) until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); <-ticker.C {
		if holds() {
			return
		}
	}
	t.Fatalf("within two minutes there was not: %s", what)
}

// answered reports whether the cloud's own record has an answer by ebb for an instance.
func (a *account) answered(instance string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.ContainsFunc(a.world.Record(), func(e core.Entry) bool {
		return e.Kind == core.EntryHook && e.Instance == instance && e.To == "CONTINUE" && e.By == "ebb"
	})
}
