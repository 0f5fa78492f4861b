package cloud

import (
	"context"
	"fmt"
	"slices"
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
func (s *lookup) targets(ctx context.Context, l plan.Look) error {
	if len(l.Subjects) == 0 {
		return nil
	}
	group, ids := fleet.ARN(l.In), make([]fleet.TargetID, len(l.Subjects))
	for i, t := range l.Subjects {
		ids[i] = fleet.TargetID{ID: t.ID, Port: t.Port}
	}
	asked := ids
	if slices.ContainsFunc(ids, atAnyPort) {
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

// atAnyPort reports whether each port is meant at which a target is registered.
func atAnyPort(t fleet.TargetID) bool { return t.Port == 0 }

// named picks the targets that were asked about from all that a group has. Of one at any port it is a registration in use, if there is one.
func named(group fleet.ARN, ids []fleet.TargetID, all []fleet.Health) []fleet.Health {
	var found []fleet.Health
	for _, id := range ids {
		h := fleet.Health{TargetGroup: group, Target: id, State: "unused", Reason: "Target.NotRegistered"}
		for _, x := range all {
			if same := x.Target.ID == id.ID && (x.Target.Port == id.Port || atAnyPort(id)); same && !h.InUse() {
				h.State, h.Reason = x.State, x.Reason
			}
		}
		found = append(found, h)
	}
	return found
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

// delay looks at how long a target group lets deregistered targets drain.
func (s *lookup) delay(ctx context.Context, l plan.Look) error {
	a, err := DescribeTargetGroupAttributes(ctx, count(&s.Calls), s.ELB, fleet.ARN(l.In))
	if a.DelayKnown {
		s.View.Delays = []fleet.Delay{{TargetGroup: fleet.ARN(l.In), Delay: a.Delay}}
	}
	return err
}

// TargetGroupAttributes are what matters of the attributes of a target group.
type TargetGroupAttributes struct {
	Delay                 time.Duration // deregistration_delay.timeout_seconds
	DelayKnown            bool          // a delay of 0 is one
	ConnectionTermination bool          // deregistration_delay.connection_termination.enabled
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
		switch aws.ToString(a.Key) {
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
