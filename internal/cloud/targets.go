package cloud

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

// targets looks at the named targets of a target group. A target that is not registered reads "unused", and so does every
// target of a group that does not exist. No targets take no request: AWS would answer with all.
func (s *lookup) targets(ctx context.Context, l plan.Look) error {
	if len(l.Subjects) == 0 {
		return nil
	}
	group, ids := fleet.ARN(l.In), targetsOf(l)
	asked := ids
	if slices.ContainsFunc(ids, unsure) {
		asked = nil // all that the group has
	}
	found, err := DescribeTargetHealth(ctx, count(&s.Calls), s.ELB, group, asked)
	if asked == nil {
		found = named(group, ids, found)
	}
	if err != nil && Classify(err).Class == plan.Gone {
		err = nil
		for _, t := range ids {
			found = append(found, fleet.Health{TargetGroup: group, Target: t, State: "unused", Reason: "TargetGroupNotFound"})
		}
	}
	s.View.Health = found
	return err
}

func targetsOf(l plan.Look) []fleet.TargetID {
	return Convert(l.Subjects, func(t plan.Subject) fleet.TargetID { return fleet.TargetID{ID: t.ID, Port: t.Port} })
}

// unsure reports whether a target may be registered in other ways than it is named: at each port, or not at all because its address is one of
// IPv6 and the group takes those of IPv4, or the other way round. A call that named it so would be refused.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-target-groups.html#target-group-ip-address-type
func unsure(t fleet.TargetID) bool { return t.Port == 0 || strings.Contains(t.ID, ":") }

// named picks the targets that were asked about from all that a group has. Of one at any port it is a registration in use, if there is one.
func named(group fleet.ARN, ids []fleet.TargetID, all []fleet.Health) []fleet.Health {
	var found []fleet.Health
	for _, id := range ids {
		h := fleet.Health{TargetGroup: group, Target: id, State: "unused", Reason: "Target.NotRegistered"}
		for _, x := range all {
			if x.Target.Is(id) && !h.InUse() {
				h.State, h.Reason = x.State, x.Reason
			}
		}
		found = append(found, h)
	}
	return found
}

// inUse are the registrations of targets among all that a group has, as they are registered.
func inUse(targets []fleet.TargetID, all []fleet.Health) (found []fleet.TargetID) {
	for _, h := range all {
		if h.InUse() && slices.ContainsFunc(targets, h.Target.Is) {
			found = append(found, h.Target)
		}
	}
	return found
}

// vpcs looks at in which VPCs subnets are.
func (s *lookup) vpcs(ctx context.Context, l plan.Look) error {
	return chunks(l.IDs(), l.Kind.Spec().Batch, s.fail, func(chunk []string) error {
		return count(&s.Calls)(ctx, func() error {
			found, err := s.EC2.DescribeSubnets(ctx, chunk)
			s.View.VPCs = append(s.View.VPCs, found...)
			return err
		})
	})
}

func (s *lookup) targetGroups(ctx context.Context, _ plan.Look) (err error) {
	s.View.TargetGroups, err = DescribeTargetGroups(ctx, count(&s.Calls), s.ELB)
	return err
}

// DescribeTargetGroups reads all target groups of the Region. To one without a load balancer nobody sends requests.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeTargetGroups.html
func DescribeTargetGroups(ctx context.Context, send Send, c ELB) (found []fleet.TargetGroup, err error) {
	in := &elb.DescribeTargetGroupsInput{}
	all, err := All(ctx, send, c.DescribeTargetGroups, in, &in.Marker,
		func(out *elb.DescribeTargetGroupsOutput) ([]elbtypes.TargetGroup, *string) {
			return out.TargetGroups, out.NextMarker
		})
	for _, g := range all {
		if len(g.LoadBalancerArns) > 0 {
			found = append(found, fleet.TargetGroup{ARN: fleet.ARN(aws.ToString(g.TargetGroupArn)), VPC: aws.ToString(g.VpcId), Type: string(g.TargetType)})
		}
	}
	return found, err
}

// registered looks at all targets of target groups. One that does not exist any more has none.
func (s *lookup) registered(ctx context.Context, l plan.Look) error {
	return chunks(l.IDs(), 1, s.fail, func(chunk []string) error {
		found, err := DescribeTargetHealth(ctx, count(&s.Calls), s.ELB, fleet.ARN(chunk[0]), nil)
		s.View.Health = append(s.View.Health, found...)
		return unlessGone(err)
	})
}

// DescribeTargetHealth reads the health of the named targets of a target group, or of all.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeTargetHealth.html
func DescribeTargetHealth(ctx context.Context, send Send, c ELB, group fleet.ARN, ids []fleet.TargetID) (found []fleet.Health, err error) {
	in := &elb.DescribeTargetHealthInput{TargetGroupArn: aws.String(string(group)), Targets: descriptions(ids)}
	out, err := Ask(ctx, send, c.DescribeTargetHealth, in)
	if err != nil {
		return nil, err
	}
	for _, d := range out.TargetHealthDescriptions {
		if d.Target == nil || d.TargetHealth == nil {
			continue
		}
		found = append(found, fleet.Health{
			TargetGroup: group,
			Target:      fleet.TargetID{ID: aws.ToString(d.Target.Id), Port: int(aws.ToInt32(d.Target.Port))},
			State:       string(d.TargetHealth.State), Reason: string(d.TargetHealth.Reason),
		})
	}
	return found, nil
}

// groupHealth looks at all targets of a target group. One that does not exist any more has none.
func (s *lookup) groupHealth(ctx context.Context, l plan.Look) (err error) {
	s.View.Health, err = DescribeTargetHealth(ctx, count(&s.Calls), s.ELB, fleet.ARN(l.In), nil)
	return unlessGone(err)
}

// delay looks at how long a target group lets deregistered targets drain.
func (s *lookup) delay(ctx context.Context, l plan.Look) error {
	a, err := DescribeTargetGroupAttributes(ctx, count(&s.Calls), s.ELB, fleet.ARN(l.In))
	if a.DelayKnown {
		s.View.Delays = []fleet.Delay{{In: fleet.ARN(l.In), Delay: a.Delay, LeastHealthy: a.LeastHealthy, LeastPercent: a.LeastPercent}}
	}
	return err
}

// TargetGroupAttributes are what matters of the attributes of a target group.
type TargetGroupAttributes struct {
	Delay                 time.Duration // deregistration_delay.timeout_seconds
	DelayKnown            bool          // a delay of 0 is one
	ConnectionTermination bool          // deregistration_delay.connection_termination.enabled
	// LeastHealthy and LeastPercent are the stricter one each of target_group_health.dns_failover and of unhealthy_state_routing; 0: off.
	LeastHealthy, LeastPercent int
}

// DescribeTargetGroupAttributes reads the attributes of a target group.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TargetGroupAttribute.html
func DescribeTargetGroupAttributes(ctx context.Context, send Send, c ELB, group fleet.ARN) (found TargetGroupAttributes, err error) {
	in := &elb.DescribeTargetGroupAttributesInput{TargetGroupArn: aws.String(string(group))}
	out, err := Ask(ctx, send, c.DescribeTargetGroupAttributes, in)
	if err != nil {
		return found, err
	}
	for _, a := range out.Attributes {
		n, _ := strconv.Atoi(aws.ToString(a.Value)) // a threshold may be off
		switch aws.ToString(a.Key) {
		case "target_group_health.dns_failover.minimum_healthy_targets.count",
			"target_group_health.unhealthy_state_routing.minimum_healthy_targets.count":
			found.LeastHealthy = max(found.LeastHealthy, n)
		case "target_group_health.dns_failover.minimum_healthy_targets.percentage",
			"target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage":
			found.LeastPercent = max(found.LeastPercent, n)
		case "deregistration_delay.timeout_seconds":
			seconds, err := strconv.Atoi(aws.ToString(a.Value))
			if err != nil {
				return found, fmt.Errorf("the deregistration delay of target group %s is no number: %w", group, err)
			}
			found.Delay, found.DelayKnown = time.Duration(seconds)*time.Second, true
		case "deregistration_delay.connection_termination.enabled":
			found.ConnectionTermination = aws.ToString(a.Value) == "true"
		}
	}
	return found, nil
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
