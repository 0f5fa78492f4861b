package doctor

import (
	"fmt"
	"slices"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/survey"
)

func serviceChecks() []Check {
	return []Check{
		{"never-drains", "A service that can never drain", neverDrains},
		{"no-place", "A service whose replacement has no place", noPlace},
		{"stops-all", "A service that may stop all its tasks at once", stopsAll},
	}
}

// bounds are the fewest healthy and the most tasks that a service may have while it drains: ECS rounds the one up and the other down.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeploymentConfiguration.html
func bounds(v *survey.Service) (least, most int) {
	return (v.Desired*v.MinPercent + 99) / 100, v.Desired * v.MaxPercent / 100
}

func update(c *survey.Cluster, v *survey.Service, configuration string) string {
	return "aws ecs update-service --cluster " + c.Name + " --service " + v.Name + " --deployment-configuration " + configuration
}

func neverDrains(in *Input) (found []Finding) {
	in.eachService(func(c *survey.Cluster, v *survey.Service) {
		least, most := bounds(v)
		if least < v.Desired || most > v.Desired {
			return
		}
		found = append(found, Finding{
			Severity: Error, Subject: serviceIn(c, v),
			What: fmt.Sprintf("of %d tasks at least %d must be healthy (minimumHealthyPercent %d, rounded up) and at most %d may run (maximumPercent %d, rounded down): ECS may neither stop a task first nor start another",
				v.Desired, least, v.MinPercent, most, v.MaxPercent),
			IfLeft: "no host with a task of it ever drains: Ebb cuts the task off at its deadline, managed draining after 48h", Mend: update(c, v, "minimumHealthyPercent=100,maximumPercent=200"),
		})
	})
	return found
}

// noPlace finds services that have a task on every host that could take one, and that must start the replacement first. It counts
// hosts only; what else may leave no place, ebb plan tells.
func noPlace(in *Input) (found []Finding) {
	in.eachService(func(c *survey.Cluster, v *survey.Service) {
		least, most := bounds(v)
		why := onePerHost(c, v)
		hosts := places(c, v)
		if why == "" || least < v.Desired || most <= v.Desired || hosts == 0 || v.Desired < hosts {
			return
		}
		found = append(found, Finding{
			Severity: Warn, Subject: serviceIn(c, v),
			What: fmt.Sprintf("%s, it has %d tasks for %d active hosts, and its minimumHealthyPercent of %d lets no task stop before its replacement is healthy: the replacement has no place",
				why, v.Desired, hosts, v.MinPercent),
			IfLeft: "a host drains only once another instance has joined; when the group gets smaller it never does",
			Mend:   update(c, v, fmt.Sprintf("minimumHealthyPercent=%d,maximumPercent=%d", (v.Desired-1)*100/v.Desired, v.MaxPercent)) + ", so that one task may stop first; or keep one host more than tasks",
		})
	})
	return found
}

// onePerHost says why a host can have only one task of a service, or nothing.
func onePerHost(c *survey.Cluster, v *survey.Service) string {
	if slices.ContainsFunc(v.Constraints, func(p survey.Constraint) bool { return p.Type == "distinctInstance" }) {
		return "each task needs a host of its own (distinctInstance)"
	}
	if d := c.TaskDefinition(v.TaskDefinition); d != nil && len(d.HostPorts) > 0 {
		return fmt.Sprintf("each task takes port %d of its host", d.HostPorts[0].Number)
	}
	return ""
}

// places are the hosts that could take a task of a service as far as its capacity providers say.
func places(c *survey.Cluster, v *survey.Service) (n int) {
	items := strategy(c, v)
	for _, h := range c.Hosts {
		if h.Status == fleet.Active && (len(items) == 0 || slices.ContainsFunc(items, func(i survey.StrategyItem) bool { return i.Provider == h.CapacityProvider })) {
			n++
		}
	}
	return n
}

// stopsAll speaks only of services behind a load balancer: somebody waits for their answers.
func stopsAll(in *Input) (found []Finding) {
	in.eachService(func(c *survey.Cluster, v *survey.Service) {
		if least, _ := bounds(v); least > 0 || len(v.LoadBalancers) == 0 {
			return
		}
		found = append(found, Finding{
			Severity: Info, Subject: serviceIn(c, v), What: fmt.Sprintf("with a minimumHealthyPercent of %d a drain may stop every task before one replacement answers", v.MinPercent),
			IfLeft: "clients may get errors during a drain", Mend: update(c, v, "minimumHealthyPercent=100,maximumPercent=200"),
		})
	})
	return found
}
