package inventory

import "github.com/ebbhq/ebb/internal/fleet"

// MayLeave is how many healthy targets of a target group leave, and how many may at once so that enough are healthy. What is not known may leave.
func (g *TargetGroup) MayLeave(leaves func(fleet.Health) bool) (leaving, may int) {
	healthy, there := 0, 0
	for _, h := range g.Targets {
		if !h.InUse() {
			continue
		}
		there++
		if h.State == "healthy" {
			healthy++
			if leaves(h) {
				leaving++
			}
		}
	}
	for may < healthy && !(fleet.Delay{LeastHealthy: g.LeastHealthy, LeastPercent: g.LeastPercent}).Opens(healthy-may-1, there-may-1) {
		may++
	}
	return leaving, may
}
