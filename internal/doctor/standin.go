package doctor

import (
	"fmt"
	"slices"

	"github.com/ebbhq/ebb/internal/advice"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
)

// StandIn is a service that stands in for another on Fargate Spot while that has no capacity, by Ebb's configuration.
type StandIn struct{ Cluster, Spot, OnDemand string }

const fargate = "FARGATE"

// item is the item of a strategy with a capacity provider; false: it has none.
func item(strategy []inventory.StrategyItem, provider string) (inventory.StrategyItem, bool) {
	i := slices.IndexFunc(strategy, func(i inventory.StrategyItem) bool { return i.Provider == provider })
	if i < 0 {
		return inventory.StrategyItem{}, false
	}
	return strategy[i], true
}

// spotAlone: ECS never takes other capacity than that of the strategy.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-capacity-providers.html
func spotAlone(in *Input, c *inventory.Cluster, v *inventory.Service) *Finding {
	strategy := c.StrategyOf(v)
	other := slices.ContainsFunc(strategy, func(i inventory.StrategyItem) bool { return i.Provider != fleet.FargateSpot && i.Base+i.Weight > 0 })
	covered := slices.ContainsFunc(in.settings().StandIns, func(s StandIn) bool { return s.Cluster == c.Name && s.Spot == v.Name })
	if _, spot := item(strategy, fleet.FargateSpot); !spot || other || covered {
		return nil
	}
	return &Finding{
		Severity: Info, Subject: serviceIn(c, v), Finding: "all its tasks are on FARGATE_SPOT, and nothing replaces them while Spot has no capacity",
		Impact: "tasks that are interrupted, or end, may be missing for hours",
		Advice: advice.Of(advice.Say("give the strategy an item FARGATE with a base, by a new deployment; or make a second service on FARGATE with the same " +
			"task definition and target groups, and name it as on_demand in Ebb's configuration")),
	}
}

// spotStrategy: a launch type makes the default strategy of the cluster void, a base decides first, and a weight of 0 places nothing.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CapacityProviderStrategyItem.html
func spotStrategy(_ *Input, c *inventory.Cluster, v *inventory.Service) *Finding {
	strategy := c.StrategyOf(v)
	spot, onSpot := item(strategy, fleet.FargateSpot)
	_, both := item(strategy, fargate)
	_, byDefault := item(c.DefaultStrategy, fleet.FargateSpot)
	f := &Finding{Severity: Info, Subject: serviceIn(c, v)}
	switch {
	case v.LaunchType == fargate && byDefault:
		f.Finding = "it has the launch type FARGATE, so the cluster's default strategy, which has FARGATE_SPOT, does not count for it"
		f.Impact = "all its tasks run on demand, at the price of that"
		f.Advice = advice.Of(advice.Say("if it is to run on Spot too, give it a capacity provider strategy, by a new deployment"))
	case onSpot && both && spot.Base > 0:
		f.Severity, f.Finding = Warn, fmt.Sprintf("its strategy has its base, %d tasks, on FARGATE_SPOT, and not on FARGATE", spot.Base)
		f.Impact = "the tasks that are always to run are those that AWS may take back"
		f.Advice = advice.Of(advice.Say("put the base on FARGATE, by a new deployment"))
	case onSpot && both && spot.Base+spot.Weight == 0:
		f.Finding = "its strategy has FARGATE_SPOT with a weight of 0"
		f.Impact = "no task of it runs on Spot"
		f.Advice = advice.Of(advice.Say("give FARGATE_SPOT a weight, or take it out of the strategy, by a new deployment"))
	default:
		return nil
	}
	return f
}

// standsIn looks at the services that Ebb's configuration names as on_demand. One that was not seen may be there.
func standsIn(in *Input, s StandIn) *Finding {
	i := slices.IndexFunc(in.Inventory.Clusters, func(c *inventory.Cluster) bool { return c.Name == s.Cluster })
	if i < 0 {
		return nil
	}
	c := in.Inventory.Clusters[i]
	v, other := c.Service(s.Spot), c.Service(s.OnDemand)
	if v == nil || other == nil {
		return nil
	}
	f := &Finding{Severity: Warn, Subject: serviceIn(c, other), Finding: "it is to stand in for service " + v.Name + " while Spot has no capacity, and "}
	groups := func(v *inventory.Service) (all []fleet.ARN) {
		for _, lb := range v.LoadBalancers {
			all = append(all, lb.TargetGroup)
		}
		slices.Sort(all)
		return all
	}
	_, spot := item(c.StrategyOf(other), fleet.FargateSpot)
	switch {
	case spot:
		f.Finding += "runs on FARGATE_SPOT itself"
	case other.Daemon:
		f.Finding += "is a daemon service, which has no desired count"
	case !slices.Equal(groups(v), groups(other)):
		f.Finding += "is in other target groups"
	case v.TaskDefinition != other.TaskDefinition:
		f.Finding += "runs " + other.TaskDefinition + " and not " + v.TaskDefinition
	default:
		return nil
	}
	f.Impact = "while Spot has no capacity, Ebb raises a service that does not do the same work, or not at all"
	f.Advice = advice.Of(advice.Say("deploy the same task definition with the same target groups to both, the second on FARGATE, each time"))
	return f
}
