package cloud

import (
	"context"
	"slices"
	"sync"

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

// settled keeps which target groups ECS manages for revisions of services whose deployment is completed: of a revision that does not change
// any more. A service is described each minute and more often, and the same revision need not be.
type settled struct {
	mu     sync.Mutex
	groups map[string][]string // by the ARN of the revision
}

// mostSettled is how many revisions are kept; when there are more, all are read again.
const mostSettled = 10_000

func (s *settled) of(revision string) (groups []string, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	groups, known = s.groups[revision]
	return groups, known
}

func (s *settled) keep(revision string, groups []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.groups == nil || len(s.groups) >= mostSettled {
		s.groups = map[string][]string{}
	}
	s.groups[revision] = groups
}

// isSettled reports whether a service has one revision, and its deployment is completed.
func isSettled(v ecstypes.Service) bool {
	return len(v.CurrentServiceRevisions) == 1 && len(v.Deployments) == 1 && v.Deployments[0].RolloutState == ecstypes.DeploymentRolloutStateCompleted
}

// managed finds the target groups that ECS itself manages for services: only the revisions name them, and not with which port a task is
// registered. A service whose revisions could not be read is among the failed: it remains unknown.
func (s *lookup) managed(ctx context.Context, services []ecstypes.Service) (found map[string][]fleet.LoadBalancer, failed map[string]bool) {
	found, failed = map[string][]fleet.LoadBalancer{}, map[string]bool{}
	of, arns := map[string]ecstypes.Service{}, []string{}
	add := func(name string, groups []string) {
		for _, group := range groups {
			lb := fleet.LoadBalancer{TargetGroup: fleet.ARN(group)}
			if !slices.Contains(found[name], lb) {
				found[name] = append(found[name], lb)
			}
		}
	}
	for _, v := range services {
		if !mayBeManaged(v) {
			continue
		}
		for _, r := range v.CurrentServiceRevisions {
			arn := aws.ToString(r.Arn)
			if groups, known := s.settled.of(arn); known && isSettled(v) {
				add(aws.ToString(v.ServiceName), groups)
				continue
			}
			of[arn], arns = v, append(arns, arn)
		}
	}
	for chunk := range slices.Chunk(arns, maxRevisions) {
		out, err := Ask(ctx, count(&s.Calls), s.ECS.DescribeServiceRevisions, &ecs.DescribeServiceRevisionsInput{ServiceRevisionArns: chunk})
		if err != nil {
			why := Classify(err)
			for _, arn := range chunk {
				if name := aws.ToString(of[arn].ServiceName); !failed[name] {
					failed[name] = true
					s.fail([]plan.ItemFailure{{ID: name, Class: why.Class, Reason: why.Message}})
				}
			}
			continue
		}
		for _, r := range out.ServiceRevisions {
			arn, groups := aws.ToString(r.ServiceRevisionArn), managedGroups(r.EcsManagedResources)
			if isSettled(of[arn]) {
				s.settled.keep(arn, groups)
			}
			add(aws.ToString(of[arn].ServiceName), groups)
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
