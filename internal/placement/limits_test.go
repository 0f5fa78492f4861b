package placement_test

import (
	"testing"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
	"github.com/ebbhq/ebb/internal/placement"
)

// What the random worlds seldom have: a promise or a proof that rests on one of these alone must not be given.
func TestWhatAVerdictRestsOn(t *testing.T) {
	scaled := func(desired int) func(s *inventory.Inventory) {
		return func(s *inventory.Inventory) {
			c := s.Clusters[0]
			c.Hosts[1].Free.CPU, c.Hosts[1].CapacityProvider = 0, "web-cp"
			c.CapacityProviders = []inventory.CapacityProvider{{Name: "web-cp", Group: "web-asg", ManagedScaling: true}}
			c.Services[0].LaunchType, c.Services[0].Strategy = "", []inventory.StrategyItem{{Provider: "web-cp", Weight: 1}}
			s.Groups = []*inventory.Group{{Group: fleet.Group{Name: "web-asg", Desired: desired, Max: 3}}}
		}
	}
	for name, x := range map[string]struct {
		change  func(s *inventory.Inventory)
		verdict placement.Verdict
		code    placement.Code
	}{
		"the other host is dead": {func(s *inventory.Inventory) {
			s.Instances = []*inventory.Instance{{ID: "i-1", State: fleet.StateTerminated}}
		}, placement.Stuck, placement.NoHost},
		"the other host leaves its group": {func(s *inventory.Inventory) {
			s.Groups = []*inventory.Group{{Group: fleet.Group{Name: "g", Instances: []fleet.GroupInstance{{ID: "i-1", State: fleet.TerminatingWait}}}}}
		}, placement.Stuck, placement.NoHost},
		"a host may be added":        {scaled(2), placement.Uncertain, placement.Scaling},
		"no host may be added":       {scaled(3), placement.Stuck, placement.NoCPU},
		"the deployment has failed":  {func(s *inventory.Inventory) { deployment(s, "PRIMARY", "FAILED", 0) }, placement.Uncertain, placement.Deployment},
		"the first one is under way": {func(s *inventory.Inventory) { deployment(s, "PRIMARY", "IN_PROGRESS", 0) }, placement.Moves, ""},
		"its tasks fail":             {func(s *inventory.Inventory) { deployment(s, "PRIMARY", "IN_PROGRESS", 1) }, placement.Uncertain, placement.Deployment},
		"one that is unhealthy may stop": {func(s *inventory.Inventory) {
			c := s.Clusters[0]
			c.Services[0].MaxPercent, c.Tasks[0].HealthStatus = 100, "UNHEALTHY"
		}, placement.Uncertain, placement.PercentArithmetic},
		"a standalone task that stops": {func(s *inventory.Inventory) {
			runs(s, s.Clusters[0].Hosts[0], "family:job").DesiredStatus = fleet.Stopped
		}, placement.Moves, ""},
		"a daemon whose agent is away": {func(s *inventory.Inventory) {
			c := s.Clusters[0]
			c.Services = append(c.Services, &inventory.Service{Service: fleet.Service{Name: "agent", Daemon: true}, TaskDefinition: "web:1"})
			c.Tasks, c.Hosts[0].Connected = c.Tasks[1:], false
			runs(s, c.Hosts[0], "service:agent")
		}, placement.Uncertain, placement.AgentGone},
		"what else leaves is no healthy task": {func(s *inventory.Inventory) {
			c := s.Clusters[0]
			third := *c.Hosts[1]
			third.ARN, third.Instance, third.Status = "ci/2", "i-2", fleet.Draining
			c.Hosts, c.Hosts[1].Free.CPU = append(c.Hosts, &third), 0
			c.Services[0].Desired, c.Services[0].MinPercent = 3, 50
			runs(s, &third, "service:web")
		}, placement.Uncertain, placement.Order},
		"a service outside of ECS's hosts takes no room": {func(s *inventory.Inventory) {
			rival(s, "far", 1024)
			s.Clusters[0].Services[1].LaunchType = "EXTERNAL"
		}, placement.Moves, ""},
	} {
		s := pair()
		x.change(s)
		r := leave(s)
		code := placement.Code("")
		for _, f := range r.Fates {
			if len(f.Reasons) > 0 && code == "" {
				code = f.Reasons[0].Code
			}
		}
		if r.Verdict != x.verdict || code != x.code {
			t.Errorf("%s: %s by %q, want %s by %q:%s", name, r.Verdict, code, x.verdict, x.code, told(r))
		}
	}
}

func deployment(s *inventory.Inventory, status, rollout string, failed int) {
	s.Clusters[0].Services[0].Deployments = []inventory.Deployment{{Status: status, Rollout: rollout, Failed: failed, Desired: 2}}
}

// Tasks of an old revision are replaced too, and a service that may not have one more than it wants stops one first.
func TestHowManyAreMissingAndWhatComesFirst(t *testing.T) {
	s := pair()
	s.Clusters[0].Tasks[1].Family = "web:0"
	if f := leave(s).Fates[0]; f.Missing != 2 || f.StopsFirst {
		t.Errorf("%d are missing, want both; stops first: %v", f.Missing, f.StopsFirst)
	}
	s = pair()
	s.Clusters[0].Services[0].MinPercent, s.Clusters[0].Services[0].MaxPercent = 50, 100
	if f := leave(s).Fates[0]; f.Missing != 1 || !f.StopsFirst {
		t.Errorf("%d are missing, want one; stops first: %v", f.Missing, f.StopsFirst)
	}
}
