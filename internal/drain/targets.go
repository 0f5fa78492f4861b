package drain

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

// targetsOut takes tasks out of where they are registered, and reports whether no request is sent to any of them any more. Since is when that
// was due: the net (net.go) is waited for, but not for ever.
func (c *decider) targetsOut(tasks []*fleet.Task, since time.Time) bool {
	if !described(c) {
		c.out.Waiting = "to look at the tasks on it"
		return false
	}
	out, read := true, true
	var targets []plan.Subject
	for _, t := range tasks {
		var named []plan.Subject
		if t.Service() != "" {
			svc := c.service(t)
			if svc.Is == fleet.Unknown {
				c.out.Waiting = "to learn the load balancers of service " + t.Service()
				out = false
			}
			named = registrations(c.d().Instance(), t, svc.Value)
		}
		more, all := netOf(c, t, named)
		targets, read = slices.Concat(targets, named, more), read && all
	}
	return c.deregister(targets) && out && caught(c, read, since)
}

// described reports whether all tasks that were listed have been looked at, and wants the others looked at.
func described(c *decider) bool {
	for _, f := range c.tasks {
		if f.Is == fleet.Unknown {
			c.want(plan.Subject{Kind: plan.Tasks, In: c.d().Cluster, ID: string(f.Value.ARN)}, f.Is, f.At, 0)
		}
	}
	return !c.undescribed()
}

// leaving is why targets are deregistered, by kind of what leaves.
var leaving = map[fleet.TargetKind]string{
	fleet.Host:    "the host of these targets is being let go",
	fleet.OneTask: "ECS stops the tasks of these targets",
}

// outBy is how a task is taken out of where it is registered: by kind of look, what to do. In the order in which it is done.
var outBy = []struct {
	look  plan.LookKind
	act   plan.ActionKind
	place fleet.Place
}{
	{plan.Targets, plan.Deregister, fleet.InTargetGroup},
	{plan.LatticeTargets, plan.LeaveLattice, fleet.InLattice},
	{plan.Names, plan.LeaveNames, fleet.InCloudMap},
}

// subjectOf is an endpoint as something to look at.
func subjectOf(e fleet.Endpoint) plan.Subject {
	s := plan.Subject{In: string(e.In), ID: e.Target.ID, Port: e.Target.Port}
	for _, by := range outBy {
		if by.place == e.Place {
			s.Kind = by.look
		}
	}
	return s
}

// deregister takes targets out of where they are registered, all at once, and reports whether none of them is in use. After a deregistration
// the targets are looked at before the call is repeated.
func (c *decider) deregister(targets []plan.Subject) bool {
	out := true
	for _, by := range outBy {
		of := slices.DeleteFunc(slices.Clone(targets), func(s plan.Subject) bool { return s.Kind != by.look })
		if len(of) > 0 {
			out = deregisterFrom(c, of, by.act) && out
		}
	}
	return out
}

// deregisterFrom does so with targets of one kind.
func deregisterFrom(c *decider, targets []plan.Subject, act plan.ActionKind) bool {
	var calls []plan.Action
	last, looked, kind := c.seen.Tried(act).OK, true, targets[0].Kind
	for _, s := range targets {
		h := healthOf(c, s)
		out := h.Is == fleet.Absent || h.Is == fleet.Seen && !h.Value.InUse()
		switch {
		case !out:
			c.want(s, h.Is, h.At, c.p.LookFast)
		case c.d().Target.Kind != fleet.OneTask: // a task that ECS stops is not registered again
			c.want(s, h.Is, h.At, c.p.Look)
		}
		if out {
			continue
		}
		unseen := h.Is == fleet.Unknown && last.IsZero() && (c.trouble(kind) != "" || waitsNoLonger(c)) // what cannot be looked at is in use
		looked = looked && (unseen || h.Is == fleet.Seen && h.At.After(last))
		n := slices.IndexFunc(calls, func(a plan.Action) bool { return a.Targets.Group == fleet.ARN(s.In) })
		if n < 0 {
			n = len(calls)
			calls = append(calls, plan.Action{
				Kind: act, Why: leaving[c.d().Target.Kind], Soon: c.d().Target.Kind == fleet.OneTask || c.d().hasMinutes(),
				Targets: &plan.TargetChange{Group: fleet.ARN(s.In)},
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
	if c.out.Waiting = fmt.Sprintf("for target %s:%d to leave its target group", first.ID, first.Port); act == plan.LeaveNames {
		c.out.Waiting = "for instance " + first.ID + " to leave Cloud Map"
	}
	if looked && c.ready(act) {
		for _, call := range calls {
			c.do(call)
		}
	}
	return false
}

// healthOf is what is known of a target since the drain began. Of a host's nothing is known for long: another task may have used the address and
// port since.
func healthOf(c *decider, s plan.Subject) fleet.Fact[fleet.Health] {
	h := factOf[fleet.Health](c, s)
	if h.At.Before(c.d().Heard) || c.d().Target.Kind != fleet.OneTask && c.now.Sub(h.At) > 2*c.p.Look {
		return fleet.Fact[fleet.Health]{}
	}
	return h
}

// outOf says of which targets the tasks are out, for the reason of an ending, and by which ways requests may still reach them.
func outOf(c *decider, tasks []*fleet.Task) string {
	var places []string
	for _, t := range tasks {
		var named []plan.Subject
		if t.Service() != "" {
			named = registrations(c.d().Instance(), t, c.service(t).Value)
		}
		more, _ := netOf(c, t, named)
		for _, by := range outBy {
			is := func(s plan.Subject) bool { return s.Kind == by.look }
			if slices.ContainsFunc(slices.Concat(named, more), is) && !slices.Contains(places, string(by.place)) {
				places = append(places, string(by.place))
			}
		}
	}
	text := "none is in a target group, as far as is known"
	if len(places) > 0 {
		text = "none is in use in " + strings.Join(places, " or ") + " any more"
	}
	return text + netText(c, tasks) + otherWays(c, tasks)
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

// registrations are the targets of a task that its service names.
func registrations(host fleet.InstanceID, t *fleet.Task, s fleet.Service) []plan.Subject {
	var targets []plan.Subject
	for _, e := range fleet.Endpoints(host, t, s) {
		targets = append(targets, subjectOf(e))
	}
	return targets
}
