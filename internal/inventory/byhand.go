package inventory

import "github.com/ebbhq/ebb/internal/fleet"

// ByHand are the target groups in which a task is registered although no service names them. ECS does not take it out of them. Where a service
// could not be read none is known: it may name them.
func (s *Inventory) ByHand(c *Cluster, t *Task) (groups []*TargetGroup) {
	for _, read := range []string{"ecs:ListServices", "ecs:DescribeServices", "ecs:ListClusters", "ecs:DescribeClusters"} {
		if s.Missed(read, "") {
			return nil
		}
	}
	var host fleet.InstanceID
	vpc := s.Subnets[t.Subnet]
	if h := c.HostOf(t); h != nil {
		host = h.Instance
	}
	if i := s.Instance(host); i != nil && t.Subnet == "" {
		vpc = i.VPC
	}
	for _, g := range s.TargetGroups {
		if g.Unnamed && vpc != "" && g.VPC == vpc && len(fleet.Registered(host, &t.Task, g.Targets)) > 0 {
			groups = append(groups, g)
		}
	}
	return groups
}
