package doctor

import (
	"slices"
	"time"

	"github.com/ebbhq/ebb/internal/advice"
	"github.com/ebbhq/ebb/internal/inventory"
	"github.com/ebbhq/ebb/internal/plain"
)

func targetChecks() []Check {
	return []Check{
		{"long-delay", "A long deregistration delay", each((*Input).serving, longDelay)},
		{"nlb-delay", "A network load balancer's delay is too short", each((*Input).serving, nlbDelay)},
		{"traffic-first", "A service whose traffic cannot leave first", each(func(in *Input) []First { return in.settings().First }, trafficFirst)},
		{"by-hand", "A target group that no service names", each(byHand, unnamedTargets)},
	}
}

const (
	// defaultTargetDelay is the deregistration delay of a target group unless it is set.
	// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TargetGroupAttribute.html
	defaultTargetDelay = 5 * time.Minute
	// networkDelay is AWS's advice: a Network Load Balancer may send new connections for that long after a deregistration.
	// https://docs.aws.amazon.com/elasticloadbalancing/latest/network/edit-target-group-attributes.html
	networkDelay = 2 * time.Minute
)

// serving is a target group with a service that uses it.
type serving struct {
	*inventory.TargetGroup
	service string
}

// serving are the target groups of the services whose delay is known, each once.
func (in *Input) serving() (out []serving) {
	for _, c := range in.clusters() {
		for _, v := range c.Services {
			for _, lb := range v.LoadBalancers {
				g := in.Inventory.TargetGroup(lb.TargetGroup)
				if g != nil && g.DelayKnown && !slices.ContainsFunc(out, func(s serving) bool { return s.TargetGroup == g }) {
					out = append(out, serving{g, serviceIn(c, v)})
				}
			}
		}
	}
	return out
}

// delay gives a target group another deregistration delay.
func (in *Input) delay(g *inventory.TargetGroup, to int) advice.Fix {
	return in.At.Delay(string(g.ARN), to, seconds(g.Delay)).For("")
}

// isNetwork reports whether a target group belongs to a Network Load Balancer.
func isNetwork(g *inventory.TargetGroup) bool {
	return slices.Contains([]string{"TCP", "TLS", "UDP", "TCP_UDP"}, g.Protocol)
}

func longDelay(in *Input, g serving) *Finding {
	if g.Delay < defaultTargetDelay || isNetwork(g.TargetGroup) {
		return nil
	}
	return &Finding{
		Severity: Info, Subject: "target group " + g.Name, Finding: "the deregistration delay is " + span(g.Delay) + " (" + g.service +
			"); a task gets its stop signal only when that is over, whether requests are open or not",
		Impact: "every drain and every deployment of the service takes at least that long",
		Advice: advice.Of(in.delay(g.TargetGroup, 30)),
	}
}

func nlbDelay(in *Input, g serving) *Finding {
	if !isNetwork(g.TargetGroup) || g.Delay >= networkDelay {
		return nil
	}
	what := "the deregistration delay of this " + g.Protocol + " target group is " + span(g.Delay) + " (" + g.service +
		"), but its load balancer may send new connections for up to two minutes after a target was deregistered"
	if !g.ConnectionTermination {
		what += ", and open connections are not closed at the end of the delay"
	}
	return &Finding{
		Severity: Warn, Subject: "target group " + g.Name, Finding: what, Impact: "connections reach a task that has been stopped, and fail",
		Advice: advice.Of(in.delay(g.TargetGroup, 120)),
	}
}

// handed is a target group in which somebody has registered tasks that ECS does not register there.
type handed struct {
	*inventory.TargetGroup
	whose []string // services, and tasks without one
}

func byHand(in *Input) (out []handed) {
	for _, c := range in.clusters() {
		for _, t := range c.Tasks {
			whose := "task " + t.ARN.Name() + " in cluster " + c.Name
			if v := c.Service(t.Service()); v != nil {
				whose = serviceIn(c, v)
			}
			for _, g := range in.Inventory.ByHand(c, t) {
				i := slices.IndexFunc(out, func(h handed) bool { return h.TargetGroup == g })
				if i < 0 {
					i, out = len(out), append(out, handed{TargetGroup: g})
				}
				if !slices.Contains(out[i].whose, whose) {
					out[i].whose = append(out[i].whose, whose)
				}
			}
		}
	}
	return out
}

// unnamedTargets: ECS takes a task out of the target groups that its service names, and of no other.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-load-balancing.html
func unnamedTargets(in *Input, g handed) *Finding {
	whose := g.whose[0]
	if n := len(g.whose) - 1; n > 0 {
		whose += " and of " + plain.Count(n, "other")
	}
	return &Finding{
		Severity: Warn, Subject: "target group " + g.Name,
		Finding: "tasks of " + whose + " are registered in it, and their service does not name it: somebody else than ECS registers them",
		Impact: "ECS does not take a task out of it before it stops, so requests fail until health checks do; Ebb takes out what it cuts off, " +
			"the tasks of a host that ECS cannot reach, and tasks on Fargate Spot",
		Advice: advice.Of(advice.Say("name it among the load balancers of the service, or let what registers the tasks take them out first")),
	}
}
