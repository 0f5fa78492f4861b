package client

import (
	"strings"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/ecs"
	"github.com/ebbhq/ebb/internal/sim/vpclattice"
	"github.com/ebbhq/ebb/internal/sim/wire"
)

// TestNames takes a task out of Cloud Map and VPC Lattice, by direct calls.
func TestNames(t *testing.T) {
	world, err := sim.Build(sim.Spec{
		Switches: core.Switches{CloudMap: 5 * time.Second},
		Clusters: []sim.ClusterSpec{{Name: "prod"}}, Registries: []sim.RegistrySpec{{Name: "web", TTL: 20 * time.Second}},
		Lattice:         []sim.LatticeSpec{{Name: "mesh"}},
		TaskDefinitions: []ecs.TaskDefinition{{Family: "web", Port: 8080, Network: "awsvpc"}},
		Groups:          []sim.GroupSpec{{Name: "asg", Desired: 1, Launch: core.HostSpec{Cluster: "prod"}}},
		Services: []sim.ServiceSpec{{
			Name: "web", Cluster: "prod", Task: "web", Desired: 1, Names: []sim.NamedSpec{{Registry: "web"}},
			Lattice: []sim.BalancerSpec{{TargetGroup: "mesh"}},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	api, ctx := wire.New(wire.Config{World: world}), t.Context()
	services, _, err := world.DescribeServices("prod", []string{"web"})
	if err != nil {
		t.Fatal(err)
	}
	registry, group, task := services[0].Names[0].ARN, services[0].Lattice[0].ARN, world.Tasks("prod")[0]
	if ttl, err := TTL(ctx, api, registry); err != nil || ttl != 20*time.Second {
		t.Errorf("TTL %s %v", ttl, err)
	}
	id := core.LastPart(task.ARN)
	if err := GetInstance(ctx, api, registry, id); err != nil {
		t.Error(err)
	}
	if err := DeregisterInstance(ctx, api, registry, id); err != nil {
		t.Error(err)
	}
	if err := DeregisterInstance(ctx, api, registry, id); err == nil || !strings.Contains(err.Error(), "DuplicateRequest") {
		t.Errorf("a second time: %v", err)
	}
	if page, err := ListInstances(ctx, api, registry, nil); err != nil || len(page.Instances) != 1 {
		t.Errorf("while the operation is pending: %+v %v", page, err)
	}
	world.Advance(world.Now().Add(6 * time.Second))
	if err := GetInstance(ctx, api, registry, id); err == nil {
		t.Error("the instance is still there")
	}
	mine := []vpclattice.TargetOut{{ID: task.IP, Port: 8080}}
	state := func() string {
		page, err := ListLatticeTargets(ctx, api, group, mine, nil)
		found := page.Items
		if err != nil || len(found) != 1 {
			t.Fatalf("%+v %v", found, err)
		}
		return found[0].Status
	}
	if got := state(); got != "HEALTHY" {
		t.Errorf("the target is %s", got)
	}
	if _, err := DeregisterLatticeTargets(ctx, api, group, mine); err != nil {
		t.Error(err)
	}
	if got := state(); got != "DRAINING" {
		t.Errorf("the target is %s", got)
	}
	if _, err := DeregisterLatticeTargets(ctx, api, "tg-0", mine); err == nil {
		t.Error("a target group that is not there has no error")
	}
}
