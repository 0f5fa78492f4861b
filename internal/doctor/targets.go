package doctor

import (
	"slices"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
)

func targetChecks() []Check {
	return []Check{
		{"long-delay", "A long deregistration delay", longDelay},
		{"nlb-delay", "A network load balancer's delay is too short", nlbDelay},
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

// serving are the target groups of the services with replicas, each with a service that uses it.
func (in *Input) serving(f func(*inventory.TargetGroup, *inventory.Cluster, *inventory.Service)) {
	seen := map[fleet.ARN]bool{}
	for i := range in.Inventory.Clusters {
		c := &in.Inventory.Clusters[i]
		for j := range c.Services {
			for _, lb := range c.Services[j].LoadBalancers {
				if g := in.Inventory.TargetGroup(lb.TargetGroup); g != nil && g.DelayKnown && !seen[g.ARN] {
					seen[g.ARN] = true
					f(g, c, &c.Services[j])
				}
			}
		}
	}
}

func setAttribute(g *inventory.TargetGroup, key, value string) string {
	return "aws elbv2 modify-target-group-attributes --target-group-arn " + string(g.ARN) + " --attributes Key=" + key + ",Value=" + value
}

const delayKey = "deregistration_delay.timeout_seconds"

// isNetwork reports whether a target group belongs to a Network Load Balancer.
func isNetwork(g *inventory.TargetGroup) bool {
	return slices.Contains([]string{"TCP", "TLS", "UDP", "TCP_UDP"}, g.Protocol)
}

func longDelay(in *Input) (found []Finding) {
	in.serving(func(g *inventory.TargetGroup, c *inventory.Cluster, v *inventory.Service) {
		if g.Delay < defaultTargetDelay || isNetwork(g) {
			return
		}
		found = append(found, Finding{
			Severity: Info, Subject: "target group " + g.Name, Finding: "the deregistration delay is " + span(g.Delay) + " (" + serviceIn(c, v) +
				"); a task gets its stop signal only when that is over, whether requests are open or not",
			Impact: "every drain and every deployment of the service takes at least that long", Fix: "if no request takes that long: " + setAttribute(g, delayKey, "30"),
		})
	})
	return found
}

func nlbDelay(in *Input) (found []Finding) {
	in.serving(func(g *inventory.TargetGroup, c *inventory.Cluster, v *inventory.Service) {
		if !isNetwork(g) || g.Delay >= networkDelay {
			return
		}
		what := "the deregistration delay of this " + g.Protocol + " target group is " + span(g.Delay) + " (" + serviceIn(c, v) +
			"), but its load balancer may send new connections for up to two minutes after a target was deregistered"
		if !g.ConnectionTermination {
			what += ", and open connections are not closed at the end of the delay"
		}
		found = append(found, Finding{
			Severity: Warn, Subject: "target group " + g.Name, Finding: what, Impact: "connections reach a task that has been stopped, and fail",
			Fix: setAttribute(g, delayKey, "120"),
		})
	})
	return found
}
