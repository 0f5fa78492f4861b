package diagnose

import (
	"fmt"
	"slices"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
)

// opens says for which target groups too few targets would be healthy if all targets on some instances left at once: then the load balancer sends
// requests to every target that is registered, healthy or not, or takes its zone out of DNS.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health.html
func opens(s *inventory.Inventory, ids []fleet.InstanceID) (notes []string) {
	leaving := map[fleet.ARN][]fleet.TargetID{}
	for _, c := range s.Clusters {
		for _, h := range c.Hosts {
			if !slices.Contains(ids, h.Instance) {
				continue
			}
			for _, t := range c.TasksOn(h) {
				v := c.Service(t.Service())
				if v == nil || !t.Live() {
					continue
				}
				for _, e := range fleet.Endpoints(h.Instance, &t.Task, v.Service) {
					if e.Place == fleet.InTargetGroup {
						leaving[e.In] = append(leaving[e.In], e.Target)
					}
				}
			}
		}
	}
	for _, g := range s.TargetGroups {
		gone := func(h fleet.Health) bool { return slices.ContainsFunc(leaving[g.ARN], h.Target.Is) }
		if healthy, may := g.MayLeave(gone); healthy > may {
			notes = append(notes, fmt.Sprintf("%d healthy targets of target group %s are on these instances, and %d may leave at once: with more gone its load "+
				"balancer sends requests to every target, healthy or not; ECS keeps the minimumHealthyPercent of the service, and Ebb takes no more out "+
				"first (traffic_first)", healthy, g.Name, may))
		}
	}
	return notes
}
