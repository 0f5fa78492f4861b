package doctor

import (
	"slices"
	"strconv"

	"github.com/ebbhq/ebb/internal/inventory"
)

func spotChecks() []Check {
	return []Check{
		{"spot-unheard", "Spot hosts that do not drain at an interruption", spotUnheard},
		{"spot-draining-redundant", "Agents and ECS both drain Spot hosts", spotRedundant},
		{"spot-delay", "A deregistration delay longer than Spot's notice", spotDelay},
		{"spot-stop", "Delay and stop timeout longer than Spot's notice", spotStop},
		{"spot-min-healthy", "Spot tasks that may not stop first", spotMinHealthy},
	}
}

const spotDraining = "ECS_ENABLE_SPOT_INSTANCE_DRAINING"

// spotUnheard: with capacity rebalancing the notice starts the termination with its hooks, and managed draining receives it too.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/container-instance-spot.html
func spotUnheard(in *Input) (found []Finding) {
	if !in.providersKnown() {
		return nil
	}
	for _, g := range in.ecsGroups() {
		value, known := agentSetting(g, spotDraining)
		if !in.hasSpot(g) || in.drainsManaged(g) || !known || value == "true" || g.CapacityRebalance && len(terminating(g)) > 0 {
			continue
		}
		found = append(found, Finding{
			Severity: Warn, Subject: "group " + g.Name, Finding: "the group has Spot capacity, but its user data does not set " + spotDraining +
				"=true, and ECS does not drain its instances either",
			Impact: "when EC2 reclaims a Spot instance, its tasks are killed after two minutes without a drain",
			Fix:    "write " + spotDraining + "=true into /etc/ecs/ecs.config in the group's user data; or turn managed draining on for its capacity provider",
		})
	}
	return found
}

func spotRedundant(in *Input) (found []Finding) {
	for _, g := range in.ecsGroups() {
		if value, _ := agentSetting(g, spotDraining); value != "true" || !in.drainsManaged(g) {
			continue
		}
		found = append(found, Finding{
			Severity: Info, Subject: "group " + g.Name, Finding: "the agents drain at a Spot interruption (" + spotDraining + "), and so does managed draining",
			Impact: "nothing breaks; AWS calls the setting redundant", Fix: "take " + spotDraining + " out of the group's user data",
		})
	}
	return found
}

// onSpot reports whether tasks of a service run on Spot capacity, or may.
func (in *Input) onSpot(c *inventory.Cluster, v *inventory.Service) bool {
	if slices.ContainsFunc(strategy(c, v), func(i inventory.StrategyItem) bool { return i.Provider == "FARGATE_SPOT" }) {
		return true
	}
	for i := range in.Inventory.Groups {
		g := &in.Inventory.Groups[i]
		if !in.hasSpot(g) {
			continue
		}
		for _, h := range in.homes(g) {
			if h.cluster == c && slices.ContainsFunc(h.tasks(), func(t *inventory.Task) bool { return t.Service() == v.Name }) {
				return true
			}
		}
	}
	return false
}

// eachOnSpot calls f for every service with replicas on Spot capacity.
func (in *Input) eachOnSpot(f func(*inventory.Cluster, *inventory.Service)) {
	for i := range in.Inventory.Clusters {
		c := &in.Inventory.Clusters[i]
		for j := range c.Services {
			if v := &c.Services[j]; !v.Daemon && v.Desired > 0 && in.onSpot(c, v) {
				f(c, v)
			}
		}
	}
}

func spotDelay(in *Input) (found []Finding) {
	in.eachOnSpot(func(c *inventory.Cluster, v *inventory.Service) {
		d, g := in.delay(v)
		if g == nil || d < spotNotice {
			return
		}
		found = append(found, Finding{
			Severity: Warn, Subject: serviceIn(c, v), Finding: "it runs on Spot capacity, and the deregistration delay of target group " + g.Name +
				" is " + span(d) + ": longer than the two minutes of Spot's notice",
			Impact: "at an interruption the task is killed before it has got its stop signal, or while its target still gets requests",
			Fix:    setAttribute(g, delayKey, "60"),
		})
	})
	return found
}

func spotStop(in *Input) (found []Finding) {
	in.eachOnSpot(func(c *inventory.Cluster, v *inventory.Service) {
		d, _ := in.delay(v)
		def := c.TaskDefinition(v.TaskDefinition)
		if d >= spotNotice || def == nil || d+stop(def) <= spotNotice {
			return
		}
		found = append(found, Finding{
			Severity: Warn, Subject: serviceIn(c, v), Finding: "it runs on Spot capacity, and its tasks may take " + span(d+stop(def)) +
				" to leave (deregistration delay " + span(d) + ", then stopTimeout " + span(stop(def)) +
				" of " + def.Name + "): longer than the two minutes of Spot's notice",
			Impact: "at an interruption containers that use their time are killed",
			Fix: "register a revision of " + def.Name + " with a stopTimeout of at most " + strconv.Itoa(seconds(spotNotice-d)) +
				", and update the service to it: aws ecs update-service --cluster " + c.Name + " --service " + v.Name + " --task-definition FAMILY",
		})
	})
	return found
}

func spotMinHealthy(in *Input) (found []Finding) {
	in.eachOnSpot(func(c *inventory.Cluster, v *inventory.Service) {
		if least, _ := bounds(v); least < v.Desired || !onEC2(c, v) || v.Controller != "ECS" {
			return
		}
		found = append(found, Finding{
			Severity: Info, Subject: serviceIn(c, v), Finding: "it runs on Spot hosts, and its minimumHealthyPercent lets no task stop before a replacement is healthy",
			Impact: "at an interruption two minutes are seldom enough for that: tasks are killed without a drain",
			Fix:    update(c, v, "minimumHealthyPercent=50,maximumPercent=200"),
		})
	})
	return found
}
