package drain

import (
	"fmt"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

// targetsOut deregisters the targets of tasks, and reports whether no live task is reachable through a target group.
func (c *decider) targetsOut(tasks []*fleet.Task) bool {
	if c.undescribed() {
		c.out.Waiting = "to look at the tasks on it"
		return false
	}
	out := true
	for _, t := range tasks {
		out = c.taskOut(t) && out
	}
	return out
}

func (c *decider) taskOut(t *fleet.Task) bool {
	if t.Service() == "" {
		return true
	}
	svc := c.service(t)
	if svc.Is == fleet.Unknown {
		c.out.Waiting = "to learn the load balancers of service " + t.Service()
		return false
	}
	out := true
	for _, s := range registrations(c.d().Instance(), t, svc.Value) {
		out = c.targetOut(s) && out
	}
	return out
}

func (c *decider) targetOut(s plan.Subject) bool {
	h := factOf[fleet.Health](c, s)
	if h.At.Before(c.d().Heard) || c.now.Sub(h.At) > 2*c.p.Look {
		h = fleet.Fact[fleet.Health]{} // another task may have used the address and port since
	}
	c.want(s, h.Is, h.At, c.p.LookFast)
	if h.Is != fleet.Unknown && (h.Is == fleet.Absent || !h.Value.InUse()) {
		return true
	}
	c.out.Waiting = fmt.Sprintf("for target %s:%d to leave its target group", s.ID, s.Port)
	// After a deregistration the target is looked at before the call is repeated.
	if h.Is == fleet.Seen && h.At.After(c.seen.Tried(plan.Deregister).OK) && c.ready(plan.Deregister) {
		c.do(plan.Action{
			Kind: plan.Deregister, Why: "its host is being let go and it is still " + h.Value.State,
			Targets: &plan.TargetChange{Group: fleet.ARN(s.In), Targets: []fleet.TargetID{{ID: s.ID, Port: s.Port}}},
		})
	}
	return false
}

// registrations derives the targets of a task from its service: the instance and host port, or the task's own address and
// container port. https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-load-balancing.html
func registrations(host fleet.InstanceID, t *fleet.Task, s fleet.Service) []plan.Subject {
	var targets []plan.Subject
	for _, lb := range s.LoadBalancers {
		for _, a := range t.Addresses {
			at := plan.Subject{Kind: plan.Targets, In: string(lb.TargetGroup)}
			switch {
			case a.Container != lb.Container:
				continue
			case a.IP != "": // DescribeTasks names no ports in awsvpc mode
				at.ID, at.Port = a.IP, lb.ContainerPort
			case a.ContainerPort == lb.ContainerPort:
				at.ID, at.Port = string(host), a.HostPort
			default:
				continue
			}
			targets = append(targets, at)
		}
	}
	return targets
}
