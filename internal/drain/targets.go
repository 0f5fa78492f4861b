package drain

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

// targetsOut deregisters the targets of tasks, and reports whether no live task is reachable through a target group.
func (c *decider) targetsOut(tasks []*fleet.Task) bool {
	if c.undescribed() {
		for _, f := range c.tasks {
			if f.Is == fleet.Unknown {
				c.want(plan.Subject{Kind: plan.Tasks, In: c.d().Cluster, ID: string(f.Value.ARN)}, f.Is, f.At, 0)
			}
		}
		c.out.Waiting = "to look at the tasks on it"
		return false
	}
	out := true
	var targets []plan.Subject
	for _, t := range tasks {
		if t.Service() == "" {
			continue
		}
		svc := c.service(t)
		if svc.Is == fleet.Unknown {
			c.out.Waiting = "to learn the load balancers of service " + t.Service()
			out = false
		}
		targets = append(targets, registrations(c.d().Instance(), t, svc.Value)...)
	}
	return c.deregister(targets) && out
}

// leaving is why targets are deregistered, by kind of what leaves.
var leaving = map[fleet.TargetKind]string{
	fleet.Host:    "the host of these targets is being let go",
	fleet.OneTask: "ECS stops the tasks of these targets",
}

// deregister takes targets out of their target groups, all at once, and reports whether none of them is in use. After a deregistration the
// targets are looked at before the call is repeated.
func (c *decider) deregister(targets []plan.Subject) bool {
	var calls []plan.Action
	last, looked := c.seen.Tried(plan.Deregister).OK, true
	for _, s := range targets {
		h := factOf[fleet.Health](c, s)
		if h.At.Before(c.d().Heard) || c.now.Sub(h.At) > 2*c.p.Look {
			h = fleet.Fact[fleet.Health]{} // another task may have used the address and port since
		}
		if h.Is == fleet.Absent || h.Is == fleet.Seen && !h.Value.InUse() {
			c.want(s, h.Is, h.At, c.p.Look) // it does not come back
			continue
		}
		c.want(s, h.Is, h.At, c.p.LookFast)
		unseen := h.Is == fleet.Unknown && last.IsZero() && c.trouble(plan.Targets) != "" // what cannot be looked at is in use
		looked = looked && (unseen || h.Is == fleet.Seen && h.At.After(last))
		n := slices.IndexFunc(calls, func(a plan.Action) bool { return a.Targets.Group == fleet.ARN(s.In) })
		if n < 0 {
			n = len(calls)
			calls = append(calls, plan.Action{
				Kind: plan.Deregister, Why: leaving[c.d().Target.Kind], Targets: &plan.TargetChange{Group: fleet.ARN(s.In)},
				Soon: c.d().Target.Kind == fleet.OneTask || c.d().warned(),
			})
		}
		calls[n].Targets.Targets = append(calls[n].Targets.Targets, fleet.TargetID{ID: s.ID, Port: s.Port})
	}
	if len(calls) == 0 {
		return true
	}
	if c.d().Observed {
		for _, call := range calls {
			would(c, "deregister %d targets from %s", len(call.Targets.Targets), call.Targets.Group)
		}
		return true
	}
	first := calls[0].Targets.Targets[0]
	c.out.Waiting = fmt.Sprintf("for target %s:%d to leave its target group", first.ID, first.Port)
	if looked && c.ready(plan.Deregister) {
		for _, call := range calls {
			c.do(call)
		}
	}
	return false
}

// outOf says of which targets the tasks are out, for the reason of an ending, and by which ways requests may still reach them.
func outOf(c *decider, tasks []*fleet.Task) string {
	text := "none is in a target group, as far as is known"
	for _, t := range tasks {
		if t.Service() != "" && len(registrations(c.d().Instance(), t, c.service(t).Value)) > 0 {
			text = "none is in use in a target group any more"
		}
	}
	return text + otherWays(c, tasks)
}

// otherWays says by which ways requests may still reach tasks, as the end of a sentence.
func otherWays(c *decider, tasks []*fleet.Task) string {
	var ways []string
	for _, t := range tasks {
		if t.Service() == "" {
			continue
		}
		for _, way := range c.service(t).Value.OtherWays {
			if way += " (service " + t.Service() + ")"; !slices.Contains(ways, way) && len(ways) < mostNames {
				ways = append(ways, way)
			}
		}
	}
	if len(ways) == 0 {
		return ""
	}
	return "; Ebb does not take them out of " + strings.Join(ways, ", ")
}

// registrations derives the targets of a task from its service: the instance and host port, or the task's own address and
// container port. https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-load-balancing.html
func registrations(host fleet.InstanceID, t *fleet.Task, s fleet.Service) []plan.Subject {
	var targets []plan.Subject
	for _, lb := range s.LoadBalancers {
		for _, a := range t.Addresses {
			if lb.TargetGroup == "" {
				continue // a Classic Load Balancer
			}
			at := plan.Subject{Kind: plan.Targets, In: string(lb.TargetGroup)}
			switch {
			case lb.Container == "": // at whatever port
				if at.ID = a.IP; at.ID == "" {
					at.ID, at.Port = string(host), a.HostPort
				}
			case a.Container != lb.Container:
				continue
			case a.IP != "": // DescribeTasks names no ports in awsvpc mode
				at.ID, at.Port = a.IP, lb.ContainerPort
			case a.ContainerPort == lb.ContainerPort:
				at.ID, at.Port = string(host), a.HostPort
			default:
				continue
			}
			if !slices.Contains(targets, at) {
				targets = append(targets, at)
			}
		}
	}
	return targets
}
