package collector

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
)

// maxTargetGroups is how many target groups one request names. AWS publishes no limit; an answer has pages.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeTargetGroups.html
const maxTargetGroups = 20

// targetGroups reads target groups by ARN.
func (l *look) targetGroups(ctx context.Context, arns []string) []inventory.TargetGroup {
	chunks := slices.Collect(slices.Chunk(arns, maxTargetGroups))
	found := make([][]inventory.TargetGroup, len(chunks))
	each(chunks, func(i int, chunk []string) { found[i] = l.describeTargetGroups(ctx, chunk) })
	all := slices.Concat(found...)
	each(all, func(i int, _ inventory.TargetGroup) { l.targetGroup(ctx, &all[i]) })
	return all
}

// describeTargetGroups asks for several at once. Such a request fails as a whole for one group that has gone; then each is asked for alone.
func (l *look) describeTargetGroups(ctx context.Context, arns []string) (found []inventory.TargetGroup) {
	err := pages(func(token *string) (*string, error) {
		out, err := ask(ctx, l, l.ELB.DescribeTargetGroups, &elb.DescribeTargetGroupsInput{TargetGroupArns: arns, Marker: token})
		if err != nil {
			return nil, err
		}
		for _, g := range out.TargetGroups {
			found = append(found, targetGroup(g))
		}
		return out.NextMarker, nil
	})
	gone, _ := errors.AsType[*elbtypes.TargetGroupNotFoundException](err)
	switch {
	case err == nil && len(found) > 0:
		return found
	case err == nil:
		err = errors.New("there is no such target group")
	case gone != nil && len(arns) > 1:
		found = nil
		for i := range arns {
			found = append(found, l.describeTargetGroups(ctx, arns[i:i+1])...)
		}
		return found
	}
	for _, arn := range arns {
		l.miss("elasticloadbalancing:DescribeTargetGroups of target group "+arn, err)
	}
	return nil
}

// targetGroup reads what more there is to a target group.
func (l *look) targetGroup(ctx context.Context, g *inventory.TargetGroup) {
	arn := string(g.ARN)
	of := " of target group " + arn
	together(
		func() {
			l.read("elasticloadbalancing:DescribeTargetGroupAttributes"+of, func() error { return l.targetAttributes(ctx, arn, g) })
		},
		func() {
			l.read("elasticloadbalancing:DescribeTargetHealth"+of, func() error { return l.targetHealth(ctx, arn, g) })
		},
	)
}

func targetGroup(in elbtypes.TargetGroup) inventory.TargetGroup {
	g := inventory.TargetGroup{
		ARN: fleet.ARN(aws.ToString(in.TargetGroupArn)), Name: aws.ToString(in.TargetGroupName), Type: string(in.TargetType), Protocol: string(in.Protocol),
		CheckInterval: seconds(in.HealthCheckIntervalSeconds), HealthyThreshold: int(aws.ToInt32(in.HealthyThresholdCount)),
	}
	for _, arn := range in.LoadBalancerArns {
		g.BalancerARNs = append(g.BalancerARNs, fleet.ARN(arn))
	}
	return g
}

// targetAttributes reads the attributes of a target group.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TargetGroupAttribute.html
func (l *look) targetAttributes(ctx context.Context, arn string, g *inventory.TargetGroup) error {
	out, err := ask(ctx, l, l.ELB.DescribeTargetGroupAttributes, &elb.DescribeTargetGroupAttributesInput{TargetGroupArn: aws.String(arn)})
	if err != nil {
		return err
	}
	for _, a := range out.Attributes {
		switch aws.ToString(a.Key) {
		case "deregistration_delay.timeout_seconds":
			n, err := strconv.Atoi(aws.ToString(a.Value))
			if err != nil {
				return err
			}
			g.Delay, g.DelayKnown = time.Duration(n)*time.Second, true
		case "deregistration_delay.connection_termination.enabled":
			g.ConnectionTermination = aws.ToString(a.Value) == "true"
		}
	}
	return nil
}

func (l *look) targetHealth(ctx context.Context, arn string, g *inventory.TargetGroup) error {
	out, err := ask(ctx, l, l.ELB.DescribeTargetHealth, &elb.DescribeTargetHealthInput{TargetGroupArn: aws.String(arn)})
	if err != nil {
		return err
	}
	for _, d := range out.TargetHealthDescriptions {
		if d.Target == nil || d.TargetHealth == nil {
			continue
		}
		g.Targets = append(g.Targets, fleet.Health{
			TargetGroup: g.ARN, Target: fleet.TargetID{ID: aws.ToString(d.Target.Id), Port: int(aws.ToInt32(d.Target.Port))},
			State: string(d.TargetHealth.State), Reason: string(d.TargetHealth.Reason),
		})
	}
	return nil
}
