package collector

import (
	"testing"

	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/ecs"
)

// The name of a group may have slashes. Cut at the last one it is the name of another group or of none, and nobody would seem to drain it.
func TestAGroupWithASlashInItsName(t *testing.T) {
	s, _ := simulated(t, sim.Spec{
		Clusters:  []sim.ClusterSpec{{Name: "prod"}},
		Groups:    []sim.GroupSpec{{Name: "team/web", Desired: 1, Launch: core.HostSpec{Cluster: "prod"}}},
		Providers: []ecs.CapacityProvider{{Name: "cp", Group: "team/web", ManagedDraining: true}},
	})
	for name, scope := range map[string]Scope{"everything": {}, "a cluster": {Clusters: []string{"prod"}}} {
		got := take(t, s, scope)
		if len(got.Unread) > 0 || got.Group("team/web") == nil {
			t.Fatalf("%s: %d groups, unread %+v", name, len(got.Groups), got.Unread)
		}
		if p := got.Cluster("prod").CapacityProviders; len(p) != 1 || p[0].Group != "team/web" {
			t.Errorf("%s: %+v", name, p)
		}
	}
}
