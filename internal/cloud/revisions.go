package cloud

import (
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

// maxRevisions is the limit of DescribeServiceRevisions.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeServiceRevisions.html
const maxRevisions = 20

// mayBeManaged reports whether ECS may manage a target group for a service, of a gateway or of an Express service. DescribeServices tells only
// the latter, so that each service with network interfaces of its own, and without a load balancer, may have the former.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Service.html
func mayBeManaged(v ecstypes.Service) bool {
	return v.ResourceManagementType == ecstypes.ResourceManagementTypeEcs || v.NetworkConfiguration != nil && len(v.LoadBalancers) == 0
}

// managed finds the target groups that ECS itself manages for services: only the revisions name them, and not with which port a task is
// registered. A service whose revisions could not be read is among the failed: it remains unknown.
func (s *lookup) managed(ctx context.Context, services []ecstypes.Service) (found map[string][]fleet.LoadBalancer, failed map[string]bool) {
	found, failed = map[string][]fleet.LoadBalancer{}, map[string]bool{}
	of, arns := map[string]string{}, []string{}
	for _, v := range services {
		if !mayBeManaged(v) {
			continue
		}
		for _, r := range v.CurrentServiceRevisions {
			of[aws.ToString(r.Arn)] = aws.ToString(v.ServiceName)
			arns = append(arns, aws.ToString(r.Arn))
		}
	}
	for chunk := range slices.Chunk(arns, maxRevisions) {
		out, err := Ask(ctx, count(&s.Calls), s.ECS.DescribeServiceRevisions, &ecs.DescribeServiceRevisionsInput{ServiceRevisionArns: chunk})
		if err != nil {
			why := Classify(err)
			for _, arn := range chunk {
				if name := of[arn]; !failed[name] {
					failed[name] = true
					s.fail([]plan.ItemFailure{{ID: name, Class: why.Class, Reason: why.Message}})
				}
			}
			continue
		}
		for _, r := range out.ServiceRevisions {
			name := of[aws.ToString(r.ServiceRevisionArn)]
			for _, group := range managedGroups(r.EcsManagedResources) {
				lb := fleet.LoadBalancer{TargetGroup: fleet.ARN(group)}
				if !slices.Contains(found[name], lb) {
					found[name] = append(found[name], lb)
				}
			}
		}
	}
	return found, failed
}

// managedGroups are the target groups among the resources that ECS manages for a revision. Of two, either may be the one in use.
func managedGroups(r *ecstypes.ECSManagedResources) (groups []string) {
	if r == nil {
		return nil
	}
	add := func(arn *string) {
		if g := aws.ToString(arn); g != "" {
			groups = append(groups, g)
		}
	}
	for _, c := range r.GatewayConnections {
		if albs, ok := c.Resources.(*ecstypes.GatewayConnectionResourcesMemberHostSharedAlb); ok {
			for _, alb := range albs.Value {
				add(alb.TargetGroupArn)
				add(alb.AlternateTargetGroupArn)
			}
		}
	}
	for _, path := range r.IngressPaths {
		for _, g := range path.TargetGroups {
			add(g.Arn)
		}
	}
	return groups
}
