package story

import (
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/kernel"
	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/ecs"
)

// shortHooks is a function with hooks as short as can be, and one host that takes ten minutes to leave; the nth write of the journal is the
// last thing that an invocation does. The lease of one that was killed is over by the next minute if clocks agree; where they are half a minute
// apart a hook has to last one more.
func shortHooks(seed uint64, nth int) Scenario {
	shortest, skew := drain.ShortestFor(kernel.Tick), time.Duration(0)
	if seed%2 == 1 {
		shortest, skew = shortest+kernel.Tick, 30*time.Second
	}
	return Scenario{
		Seed: seed,
		World: sim.Spec{
			Seed: seed, Clusters: []sim.ClusterSpec{{Name: "prod"}}, Queues: []sim.QueueSpec{{Name: "ebb", Visibility: time.Minute}},
			Groups: []sim.GroupSpec{{
				Name: "web", Desired: 3, Max: 6, Launch: core.HostSpec{Cluster: "prod", CPU: 2048, Memory: 8192, Boot: time.Minute},
				Hooks: []sim.HookSpec{{Name: "ebb-drain", Heartbeat: shortest, DefaultResult: "CONTINUE", Target: "ebb"}},
			}},
			TaskDefinitions: []ecs.TaskDefinition{{Family: "a", CPU: 64, Memory: 64, Exit: 10 * time.Minute, Stop: 10 * time.Minute}},
			Services:        []sim.ServiceSpec{{Name: "a", Cluster: "prod", Task: "a", Desired: 6, Min: 100, Max: 200}},
		},
		Ebb:    Ebb{Groups: []Group{{Match: "web", Cluster: "prod"}}, Function: true, Skew: skew},
		At:     []Step{{At: time.Minute + time.Duration(seed)*7*time.Second, Do: "terminate", Host: "web/0"}},
		Faults: []Fault{{Op: "crash", How: afterWrite, Nth: nth, Times: 1}},
	}
}

// An invocation may be killed at any moment of a drain, and even the shortest hook is kept alive; with no more than a heartbeat or two for
// each minute.
func TestAFunctionKeepsTheShortestHookAlive(t *testing.T) {
	killed := 0
	for seed := range uint64(5) {
		for nth := 4; nth < 50; nth += 2 {
			res, err := Run(shortHooks(seed, nth))
			if err != nil {
				t.Fatal(err)
			}
			killed += res.Cover["crash "+afterWrite]
			beats := 0
			for _, e := range res.Record {
				if e.Kind == core.EntryHook && e.To == "expired" {
					t.Errorf("seed %d, killed at write %d: the hook ran out", seed, nth)
				}
				if e.Kind == core.EntryHook && e.To == "heartbeat" {
					beats++
				}
			}
			if beats < 3 || beats > 25 {
				t.Errorf("seed %d, killed at write %d: %d heartbeats in ten minutes", seed, nth, beats)
			}
			for _, v := range res.Violations {
				t.Errorf("seed %d, killed at write %d: %s", seed, nth, v)
			}
		}
	}
	if killed < 50 {
		t.Errorf("%d invocations were killed, too few for a test of that", killed)
	}
}
