package cloud

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

// targets looks at the named targets of a target group. A target that is not registered reads "unused", and so does every
// target of a group that does not exist. No targets take no request: AWS would answer with all.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeTargetHealth.html
func (s *lookup) targets(ctx context.Context, l plan.Look) error {
	if len(l.Subjects) == 0 {
		return nil
	}
	group, ids := fleet.ARN(l.In), make([]fleet.TargetID, len(l.Subjects))
	for i, t := range l.Subjects {
		ids[i] = fleet.TargetID{ID: t.ID, Port: t.Port}
	}
	out, err := ask(ctx, &s.Calls, s.ELB.DescribeTargetHealth, &elb.DescribeTargetHealthInput{
		TargetGroupArn: aws.String(l.In), Targets: descriptions(ids),
	})
	if err != nil && Classify(err).Class == plan.Gone {
		s.View.Health = unregistered(group, ids)
		return nil
	}
	if err != nil {
		return err
	}
	for _, d := range out.TargetHealthDescriptions {
		if d.Target == nil || d.TargetHealth == nil {
			continue
		}
		s.View.Health = append(s.View.Health, fleet.Health{
			TargetGroup: group,
			Target:      fleet.TargetID{ID: aws.ToString(d.Target.Id), Port: int(aws.ToInt32(d.Target.Port))},
			State:       string(d.TargetHealth.State), Reason: string(d.TargetHealth.Reason),
		})
	}
	return nil
}

func unregistered(group fleet.ARN, ids []fleet.TargetID) []fleet.Health {
	var out []fleet.Health
	for _, t := range ids {
		out = append(out, fleet.Health{TargetGroup: group, Target: t, State: "unused", Reason: "TargetGroupNotFound"})
	}
	return out
}

// delay looks at how long a target group lets deregistered targets drain.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeTargetGroupAttributes.html
func (s *lookup) delay(ctx context.Context, l plan.Look) error {
	out, err := ask(ctx, &s.Calls, s.ELB.DescribeTargetGroupAttributes, &elb.DescribeTargetGroupAttributesInput{TargetGroupArn: aws.String(l.In)})
	if err != nil {
		return err
	}
	for _, a := range out.Attributes {
		if aws.ToString(a.Key) != "deregistration_delay.timeout_seconds" {
			continue
		}
		seconds, err := strconv.Atoi(aws.ToString(a.Value))
		if err != nil {
			return fmt.Errorf("the deregistration delay of target group %s is no number: %w", l.In, err)
		}
		s.View.Delays = append(s.View.Delays, fleet.Delay{TargetGroup: fleet.ARN(l.In), Delay: time.Duration(seconds) * time.Second})
	}
	return nil
}

// descriptions names targets. The port is part of the name where the target was registered with one: without it
// DeregisterTargets touches another registration or none.
func descriptions(ids []fleet.TargetID) []elbtypes.TargetDescription {
	var out []elbtypes.TargetDescription
	for _, t := range ids {
		d := elbtypes.TargetDescription{Id: aws.String(t.ID)}
		if t.Port != 0 {
			d.Port = aws.Int32(int32(t.Port))
		}
		out = append(out, d)
	}
	return out
}
