package surveyor

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/survey"
)

// targetGroups surveys target groups by ARN, one by one: a request fails as a whole for one group that has gone.
func (l *look) targetGroups(ctx context.Context, arns []string) []survey.TargetGroup {
	found := make([]*survey.TargetGroup, len(arns))
	each(arns, func(i int, arn string) { found[i] = l.targetGroup(ctx, arn) })
	var out []survey.TargetGroup
	for _, g := range found {
		if g != nil {
			out = append(out, *g)
		}
	}
	return out
}

func (l *look) targetGroup(ctx context.Context, arn string) (g *survey.TargetGroup) {
	of := " of target group " + arn
	l.read("elasticloadbalancing:DescribeTargetGroups"+of, func() error {
		out, err := ask(ctx, l, l.ELB.DescribeTargetGroups, &elb.DescribeTargetGroupsInput{TargetGroupArns: []string{arn}})
		if err != nil {
			return err
		}
		if len(out.TargetGroups) == 0 {
			return errors.New("there is no such target group")
		}
		g = targetGroup(out.TargetGroups[0])
		return nil
	})
	if g == nil {
		return nil
	}
	together(
		func() {
			l.read("elasticloadbalancing:DescribeTargetGroupAttributes"+of, func() error { return l.targetAttributes(ctx, arn, g) })
		},
		func() {
			l.read("elasticloadbalancing:DescribeTargetHealth"+of, func() error { return l.targetHealth(ctx, arn, g) })
		},
	)
	return g
}

func targetGroup(in elbtypes.TargetGroup) *survey.TargetGroup {
	g := &survey.TargetGroup{
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
func (l *look) targetAttributes(ctx context.Context, arn string, g *survey.TargetGroup) error {
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

func (l *look) targetHealth(ctx context.Context, arn string, g *survey.TargetGroup) error {
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
