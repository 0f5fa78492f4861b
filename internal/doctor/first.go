package doctor

import (
	"fmt"
	"time"

	"github.com/ebbhq/ebb/internal/advice"
	"github.com/ebbhq/ebb/internal/fleet"
)

// First is a service whose traffic leaves first, by Ebb's configuration.
type First struct {
	Cluster, Service string
	Wait             time.Duration
}

// trafficFirst looks at what keeps targets from being taken out before DRAINING. What was not seen is not judged.
func trafficFirst(in *Input, r First) *Finding {
	for _, c := range in.clusters() {
		v := c.Service(r.Service)
		if c.Name != r.Cluster || v == nil {
			continue
		}
		f := &Finding{Severity: Warn, Subject: serviceIn(c, v)}
		f.Impact = "its host is set DRAINING when half of the time until the deadline is over, before its traffic has left"
		for _, m := range in.settings().Groups {
			if (m.Cluster == c.Name || m.Cluster == "") && r.Wait >= m.Deadline/2 {
				f.Finding = fmt.Sprintf("its traffic is to leave %s before DRAINING, and the deadline of %s is %s", span(r.Wait), m.Match, span(m.Deadline))
				f.Advice = advice.Of(advice.Say("write deadline: %s or more for match: %s in Ebb's configuration, or a shorter traffic_first", span(3*r.Wait), m.Match))
				return f
			}
		}
		for _, lb := range v.LoadBalancers {
			g := in.Inventory.TargetGroup(lb.TargetGroup)
			if g == nil || !g.DelayKnown || len(g.Targets) == 0 {
				continue
			}
			if _, may := g.MayLeave(func(fleet.Health) bool { return false }); may == 0 {
				f.Finding = "its traffic is to leave first, and no target of target group " + g.Name + " may leave: with one healthy target fewer its load balancer " +
					"sends requests to all, healthy or not"
				f.Advice = advice.Of(advice.Say("run one task more, or lower target_group_health.unhealthy_state_routing.minimum_healthy_targets and that of dns_failover"))
				return f
			}
		}
		if len(v.LoadBalancers)+len(v.Registries)+len(v.Lattice) == 0 {
			f.Finding = "its traffic is to leave first, and it has no load balancer and is not in Cloud Map"
			f.Impact, f.Severity = "the entry has no effect", Info
			f.Advice = advice.Of(advice.Say("take traffic_first of the service out of Ebb's configuration"))
			return f
		}
	}
	return nil
}
