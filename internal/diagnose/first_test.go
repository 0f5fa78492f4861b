package diagnose_test

import (
	"strings"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/diagnose"
	"github.com/ebbhq/ebb/internal/placement"
	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/ecs"
)

// TestADaemonHidesNoBlocker: what keeps the tasks for which a daemon waits is the first line, also where it is known by exclusion only; and a group
// that launches no host is no hope.
func TestADaemonHidesNoBlocker(t *testing.T) {
	for _, suspended := range []bool{false, true} {
		spec := sim.Spec{
			Seed: 7, Clusters: []sim.ClusterSpec{{Name: "prod"}}, Queues: []sim.QueueSpec{{Name: "ebb"}},
			TaskDefinitions: []ecs.TaskDefinition{{Family: "web", CPU: 1536, Memory: 1024}, {Family: "logs", CPU: 128, Memory: 128}},
			Groups: []sim.GroupSpec{{Name: "web-asg", Desired: 2, Max: 6, Launch: core.HostSpec{Cluster: "prod"},
				Hooks: []sim.HookSpec{{Name: "ebb-drain", Heartbeat: 15 * time.Minute, Target: "ebb"}}}},
			Providers: []ecs.CapacityProvider{{Name: "cp", Group: "web-asg", ManagedScaling: true}},
			Services: []sim.ServiceSpec{{Name: "logs", Cluster: "prod", Task: "logs", Daemon: true},
				{Name: "web", Cluster: "prod", Task: "web", Desired: 2, Providers: []ecs.StrategyItem{{Provider: "cp", Weight: 1}}}},
		}
		if suspended {
			spec.Groups[0].Suspended = []string{"Launch"}
		}
		s := stage(t, spec)
		s.terminate()
		s.after(2 * time.Minute)
		r := diagnose.Why(s.take(), diagnose.Question{Target: s.target, Hook: "ebb-drain", Now: s.Now()})
		last := r.Blockers[len(r.Blockers)-1]
		if !strings.HasPrefix(r.Headline, "service web keeps 1 task there") || last.Code != diagnose.DaemonLast {
			t.Errorf("Launch suspended %t: %s; last %s", suspended, r.Headline, last.Code)
		}
		hope := false
		for _, b := range r.Blockers {
			hope = hope || b.Code == placement.Scaling
		}
		if hope == suspended || suspended && (r.Blockers[0].Ends || !r.Blockers[0].Exact) {
			t.Errorf("Launch suspended %t: %v, %+v", suspended, codes(r), r.Blockers[0])
		}
	}
}
