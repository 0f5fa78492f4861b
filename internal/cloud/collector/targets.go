package collector

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/ebbhq/ebb/internal/cloud"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
)

// maxTargetGroups is how many target groups one request names. AWS publishes no limit; an answer has pages.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeTargetGroups.html
const maxTargetGroups = 20

// targetGroups reads target groups by ARN.
func (l *look) targetGroups(ctx context.Context, arns []string, health func(arn string) bool) []*inventory.TargetGroup {
	found := inChunks(arns, maxTargetGroups, func(chunk []string) []elbtypes.TargetGroup { return l.describeTargetGroups(ctx, chunk) })
	return parallel(found, func(g elbtypes.TargetGroup) *inventory.TargetGroup {
		return l.targetGroup(ctx, g, health(aws.ToString(g.TargetGroupArn)))
	})
}

// describeTargetGroups asks for several at once. Such a request fails as a whole for one group that has gone; then each is asked for alone.
func (l *look) describeTargetGroups(ctx context.Context, arns []string) []elbtypes.TargetGroup {
	in := &elb.DescribeTargetGroupsInput{TargetGroupArns: arns}
	found, err := cloud.All(ctx, l.try, l.ELB.DescribeTargetGroups, in, &in.Marker,
		func(out *elb.DescribeTargetGroupsOutput) ([]elbtypes.TargetGroup, *string) {
			return out.TargetGroups, out.NextMarker
		})
	gone, _ := errors.AsType[*elbtypes.TargetGroupNotFoundException](err)
	switch {
	case err == nil && len(found) > 0:
		return found
	case err == nil:
		err = errors.New("there is no such target group")
	case gone != nil && len(arns) > 1:
		return inChunks(arns, 1, func(alone []string) []elbtypes.TargetGroup { return l.describeTargetGroups(ctx, alone) })
	}
	for _, arn := range arns {
		l.note("elasticloadbalancing:DescribeTargetGroups of target group "+arn, err)
	}
	return nil
}

// targetGroup reads what more there is to a target group.
func (l *look) targetGroup(ctx context.Context, in elbtypes.TargetGroup, health bool) *inventory.TargetGroup {
	g := &inventory.TargetGroup{
		ARN: fleet.ARN(aws.ToString(in.TargetGroupArn)), Name: aws.ToString(in.TargetGroupName), Type: string(in.TargetType),
		Protocol: string(in.Protocol), VPC: aws.ToString(in.VpcId),
	}
	of := " of target group " + string(g.ARN)
	together(
		func() {
			a, err := cloud.DescribeTargetGroupAttributes(ctx, l.try, l.ELB, g.ARN)
			l.note("elasticloadbalancing:DescribeTargetGroupAttributes"+of, err)
			g.Delay, g.DelayKnown, g.ConnectionTermination = a.Delay, a.DelayKnown, a.ConnectionTermination
			g.LeastHealthy, g.LeastPercent = a.LeastHealthy, a.LeastPercent
		},
		func() {
			if !health {
				return
			}
			g.Targets = read(l, "elasticloadbalancing:DescribeTargetHealth"+of, func() ([]fleet.Health, error) {
				return cloud.DescribeTargetHealth(ctx, l.try, l.ELB, g.ARN, nil)
			})
		},
	)
	return g
}

// maxUnnamed is how many target groups are read that nobody names: each takes a call.
const maxUnnamed = 100

// unnamed reads the target groups of the VPCs of tasks and hosts that neither a service nor a group names: somebody may have registered tasks
// in them.
func unnamed(ctx context.Context, l *look, s *inventory.Inventory) (found []*inventory.TargetGroup) {
	vpcs := map[string]bool{}
	for _, i := range s.Instances {
		vpcs[i.VPC] = true
	}
	for _, vpc := range s.Subnets { //ebb:any-order a set
		vpcs[vpc] = true
	}
	if delete(vpcs, ""); len(vpcs) == 0 {
		return nil
	}
	all := read(l, "elasticloadbalancing:DescribeTargetGroups of the Region", func() ([]fleet.TargetGroup, error) {
		return cloud.DescribeTargetGroups(ctx, l.try, l.ELB)
	})
	for _, g := range all {
		if vpcs[g.VPC] && g.Holds() && s.TargetGroup(g.ARN) == nil {
			found = append(found, &inventory.TargetGroup{ARN: g.ARN, Name: g.Name(), Type: g.Type, VPC: g.VPC, Unnamed: true})
		}
	}
	if n := len(found); n > maxUnnamed {
		l.missed("the targets of target groups that no service names", fmt.Sprintf("there are %d, and only %d are read", n, maxUnnamed))
		found = found[:maxUnnamed]
	}
	each(found, func(_ int, g *inventory.TargetGroup) {
		g.Targets = read(l, "elasticloadbalancing:DescribeTargetHealth of target group "+string(g.ARN), func() ([]fleet.Health, error) {
			return cloud.DescribeTargetHealth(ctx, l.try, l.ELB, g.ARN, nil)
		})
	})
	return found
}
