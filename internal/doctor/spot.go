package doctor

import (
	"slices"

	"github.com/ebbhq/ebb/internal/advice"
	"github.com/ebbhq/ebb/internal/inventory"
)

func spotChecks() []Check {
	return []Check{
		{"spot-unheard", "Spot hosts that do not drain at an interruption", each((*Input).ecsGroups, spotUnheard)},
		{"spot-draining-redundant", "Agents and ECS both drain Spot hosts", each((*Input).ecsGroups, spotRedundant)},
		{"spot-delay", "A deregistration delay longer than Spot's notice", eachOf((*Input).clusters, replicas, spotDelay)},
		{"spot-stop", "Delay and stop timeout longer than Spot's notice", eachOf((*Input).clusters, replicas, spotStop)},
		{"spot-min-healthy", "Spot tasks that may not stop first", eachOf((*Input).clusters, replicas, spotMinHealthy)},
		{"spot-alone", "Tasks on Fargate Spot that nothing replaces", eachOf((*Input).clusters, replicas, spotAlone)},
		{"spot-strategy", "A launch type or strategy that misses Fargate Spot", eachOf((*Input).clusters, replicas, spotStrategy)},
		{"stand-in", "A service that cannot stand in for another", each(func(in *Input) []StandIn { return in.settings().StandIns }, standsIn)},
	}
}

const spotDraining = "ECS_ENABLE_SPOT_INSTANCE_DRAINING"

// spotUnheard: with capacity rebalancing the notice starts the termination with its hooks, and managed draining receives it too.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/container-instance-spot.html
func spotUnheard(in *Input, g *inventory.Group) *Finding {
	value, known := g.AgentSetting(spotDraining)
	if !in.providersKnown() || !in.hasSpot(g) || in.drainsManaged(g) || !known || value == "true" || ebbHearsSpot(in, g) ||
		g.CapacityRebalance && len(g.Terminating()) > 0 {
		return nil
	}
	f := &Finding{
		Severity: Warn, Subject: "group " + g.Name, Finding: "the group has Spot capacity, but its user data does not set " + spotDraining +
			"=true, and ECS does not drain its instances either",
		Impact: "when EC2 reclaims a Spot instance, its tasks are killed after two minutes without a drain",
		Advice: advice.Of(advice.Say("write " + spotDraining + "=true into the agent's configuration in the group's user data; or turn managed draining on " +
			"for its capacity provider")),
	}
	if _, ok := in.managed(g.Name); ok && in.read("", "events:ListRules", "events:ListTargetsByRule") {
		f.Finding += "; no rule brings EC2's warnings to Ebb"
		f.Advice = advice.Of(in.At.Ebb("init", "--group", g.Name).For("writes what makes the rule that leads to Ebb's queue"))
	}
	return f
}

// ebbHearsSpot reports whether Ebb drains the Spot Instances of a group when EC2 takes them back.
func ebbHearsSpot(in *Input, g *inventory.Group) bool {
	queue := in.queueARN()
	if _, ok := in.managed(g.Name); !ok || queue == "" {
		return false
	}
	return slices.ContainsFunc(in.Inventory.Rules, func(r inventory.Rule) bool {
		return r.Enabled && slices.Contains(r.Targets, queue) &&
			lets(in, r, "aws.ec2", "EC2 Spot Instance Interruption Warning", "", map[string]any{"instance-action": "terminate"}) == yes
	})
}

func spotRedundant(in *Input, g *inventory.Group) *Finding {
	value, _ := g.AgentSetting(spotDraining)
	if value == "true" && !in.drainsManaged(g) && ebbHearsSpot(in, g) {
		return &Finding{
			Severity: Info, Subject: "group " + g.Name, Finding: "the agents drain at a Spot interruption (" + spotDraining + "), and so does Ebb",
			Impact: "nothing is doubled: Ebb finds the host DRAINING and takes its targets out, which the agents do not do",
			Advice: advice.Of(advice.Say("leave it, or take " + spotDraining + " out of the group's user data: then Ebb alone drains")),
		}
	}
	if value != "true" || !in.drainsManaged(g) {
		return nil
	}
	return &Finding{
		Severity: Info, Subject: "group " + g.Name, Finding: "the agents drain at a Spot interruption (" + spotDraining + "), and so does managed draining",
		Impact: "nothing breaks; AWS calls the setting redundant", Advice: advice.Of(advice.Say("take " + spotDraining + " out of the group's user data")),
	}
}

// onSpot reports whether tasks of a service run on Spot capacity, or may.
func (in *Input) onSpot(c *inventory.Cluster, v *inventory.Service) bool {
	if slices.ContainsFunc(c.StrategyOf(v), func(i inventory.StrategyItem) bool { return i.Provider == "FARGATE_SPOT" }) {
		return true
	}
	return slices.ContainsFunc(in.groups(), in.hasSpot) && slices.ContainsFunc(in.hosting(c, v), in.hasSpot)
}

func spotDelay(in *Input, c *inventory.Cluster, v *inventory.Service) *Finding {
	d, g := in.Inventory.Delay(v)
	if d < spotNotice || !in.onSpot(c, v) {
		return nil
	}
	return &Finding{
		Severity: Warn, Subject: serviceIn(c, v), Finding: "it runs on Spot capacity, and the deregistration delay of target group " + g.Name +
			" is " + span(d) + ": as long as the two minutes of Spot's notice, or longer",
		Impact: "at an interruption the task is killed before it has got its stop signal, or while its target still gets requests",
		Advice: advice.Of(in.delay(g, 60)),
	}
}

func spotStop(in *Input, c *inventory.Cluster, v *inventory.Service) *Finding {
	d, _ := in.Inventory.Delay(v)
	def := c.TaskDefinition(v.TaskDefinition)
	if d >= spotNotice || def == nil || !in.Inventory.DelaysKnown(v) || !in.onSpot(c, v) {
		return nil
	}
	stop, _, _ := def.StopTime(in.agentStop(c, v))
	if d+stop <= spotNotice {
		return nil
	}
	return &Finding{
		Severity: Warn, Subject: serviceIn(c, v), Finding: "it runs on Spot capacity, and its tasks may take " + span(d+stop) +
			" to leave (deregistration delay " + span(d) + ", then stopTimeout " + span(stop) +
			" of " + def.Name + "): longer than the two minutes of Spot's notice",
		Impact: "at an interruption containers that use their time are killed",
		Advice: advice.Of(advice.Say("register a revision of %s with a stopTimeout of at most %d, and update the service to it", def.Name, seconds(spotNotice-d))),
	}
}

func spotMinHealthy(in *Input, c *inventory.Cluster, v *inventory.Service) *Finding {
	if least, _ := v.Bounds(); least < v.Desired || !onEC2(c, v) || v.Controller != "ECS" || !in.onSpot(c, v) {
		return nil
	}
	return &Finding{
		Severity: Info, Subject: serviceIn(c, v), Finding: "it runs on Spot hosts, and its minimumHealthyPercent lets no task stop before a replacement is healthy",
		Impact: "at an interruption two minutes are seldom enough for that: tasks are killed without a drain",
		Advice: advice.Of(in.At.Percents(c.Name, v.Name, 50, 200, v.MinPercent, v.MaxPercent).Costs(advice.Interrupts, "the service may run with half of its "+
			"tasks, also during a deployment", "half of them carry the load").For("lets tasks stop first")),
	}
}
