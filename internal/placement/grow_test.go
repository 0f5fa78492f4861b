package placement_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
	"github.com/ebbhq/ebb/internal/placement"
	"github.com/ebbhq/ebb/internal/sim"
)

// TestGrowAsTheSimulatedScheduler gives services of random clusters more tasks. Of as many as have provably no place none is placed, and when the
// group that is named gets as large as is said, more are.
func TestGrowAsTheSimulatedScheduler(t *testing.T) {
	lacked, raised, helped := 0, 0, 0
	for seed := uint64(1); seed <= 400; seed++ {
		r := rand.New(rand.NewPCG(seed, 12))
		spec := randomSpec(r)
		w, err := sim.Build(spec)
		if err != nil {
			t.Fatal(err)
		}
		w.Advance(w.Now().Add(10 * time.Minute))
		if hosts := allHosts(t, w); r.IntN(2) == 0 { // what drains is no place
			if _, _, err := w.UpdateContainerInstancesState("prod", []string{hosts[r.IntN(len(hosts))].ARN}, "DRAINING"); err != nil {
				t.Fatal(err)
			}
			w.Advance(w.Now().Add(time.Hour))
		}
		s := inventoryOf(t, w)
		c := s.Clusters[0]
		withGroups(w, s)
		v := c.Services[r.IntN(len(c.Services))]
		n := v.Desired + 1 + r.IntN(8)
		if v.Daemon {
			continue
		}
		g := placement.Grow(s, c, v.Name, n, func(string) bool { return true })
		if _, err := w.UpdateService("prod", v.Name, &n, ""); err != nil {
			t.Fatal(err)
		}
		w.Advance(w.Now().Add(30 * time.Minute))
		before := placed(t, w, v.Name)
		if before > n-g.Lacks {
			t.Errorf("seed %d: of %d tasks of %s, %d were said to have no place, and %d have one: %s", seed, n, v.Name, g.Lacks, before, g)
		}
		if g.Lacks > 0 {
			lacked++
		}
		if g.Group == "" || len(spec.Providers) > 0 { // new hosts are not like the others there
			continue
		}
		raised++
		if err := w.SetDesiredCapacity(g.Group, g.Capacity); err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
		w.Advance(w.Now().Add(30 * time.Minute))
		if placed(t, w, v.Name) > before {
			helped++
		}
	}
	t.Logf("of %d services that lacked a place %d could get a larger group, and %d had more tasks then", lacked, raised, helped)
	if lacked < 50 || raised < 30 || helped < raised*9/10 {
		t.Error("that is too few")
	}
}

// placed is how many tasks of a service are on hosts that stay.
func placed(t *testing.T, w *sim.World, service string) (n int) {
	t.Helper()
	stays := map[string]bool{}
	for _, h := range allHosts(t, w) {
		stays[h.ARN] = h.Status == "ACTIVE"
	}
	for _, k := range allTasks(t, w) {
		if k.Group == "service:"+service && stays[k.ContainerInstance] && k.DesiredStatus == "RUNNING" && k.LastStatus != "STOPPED" {
			n++
		}
	}
	return n
}

// withGroups adds the groups of the world, and their capacity providers.
func withGroups(w *sim.World, s *inventory.Inventory) {
	c := s.Clusters[0]
	for _, g := range w.DescribeAutoScalingGroups(nil) {
		is := &inventory.Group{Group: fleet.Group{Name: g.Name, Desired: g.Desired, Max: g.Max}}
		for _, in := range g.Instances {
			is.Instances = append(is.Instances, fleet.GroupInstance{ID: fleet.InstanceID(in.ID), Group: g.Name, State: fleet.LifecycleState(in.State)})
		}
		s.Groups = append(s.Groups, is)
		c.CapacityProviders = append(c.CapacityProviders, inventory.CapacityProvider{Name: "p-" + g.Name, Group: g.Name})
	}
}
