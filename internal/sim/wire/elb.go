package wire

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/ebbhq/ebb/internal/sim"
)

type elbOptions = func(*elb.Options)

// delayKey is the one target group attribute that the simulated cloud obeys.
const delayKey = "deregistration_delay.timeout_seconds"

// terminationKey is the attribute of network load balancers that is shown only.
const terminationKey = "deregistration_delay.connection_termination.enabled"

// DescribeTargetGroups answers for the SDK operation of this name.
func (s ELB) DescribeTargetGroups(ctx context.Context, in *elb.DescribeTargetGroupsInput, _ ...elbOptions) (*elb.DescribeTargetGroupsOutput, error) {
	return call(ctx, s.api, "elasticloadbalancing", "DescribeTargetGroups", in, s.describeGroups)
}

func (s ELB) describeGroups(in *elb.DescribeTargetGroupsInput) (*elb.DescribeTargetGroupsOutput, error) {
	if err := inRange("PageSize", in.PageSize, 1, 400); err != nil {
		return nil, err
	}
	groups, err := s.api.World.DescribeTargetGroups(in.TargetGroupArns, in.Names)
	if err != nil {
		return nil, err
	}
	p := paging{"DescribeTargetGroups", in.PageSize, 400, 400, in.Marker}
	groups, next, ok := page(s.api, p, groups, func(g sim.TargetGroup) string { return g.ARN })
	if !ok {
		return nil, refuse("ValidationError", "'%s' is not a valid marker.", deref(in.Marker))
	}
	return &elb.DescribeTargetGroupsOutput{TargetGroups: mapped(groups, targetGroupOut), NextMarker: next}, nil
}

func targetGroupOut(g sim.TargetGroup) types.TargetGroup {
	return types.TargetGroup{
		TargetGroupArn: &g.ARN, TargetGroupName: &g.Name, TargetType: types.TargetTypeEnum(g.Type), Protocol: types.ProtocolEnum(g.Protocol),
		Port: new(int32(g.Port)), VpcId: new("vpc-0ebb"), HealthCheckEnabled: new(true), HealthCheckPort: new("traffic-port"),
		HealthyThresholdCount: new(int32(2)), HealthCheckIntervalSeconds: new(seconds(g.Check / 2)),
		UnhealthyThresholdCount: new(int32(2)), HealthCheckTimeoutSeconds: new(int32(5)), LoadBalancerArns: []string{balancerARN(g)},
	}
}

// balancerARN names the load balancer that a target group is attached to: each has one of its own.
func balancerARN(g sim.TargetGroup) string {
	kind := "loadbalancer/app/"
	if network(g) {
		kind = "loadbalancer/net/"
	}
	return strings.Replace(g.ARN, "targetgroup/", kind, 1)
}

// network reports whether a target group is one of a network load balancer.
func network(g sim.TargetGroup) bool {
	return slices.Contains([]string{"TCP", "TLS", "UDP", "TCP_UDP"}, g.Protocol)
}

// group finds the one target group that a request names.
func (s ELB) group(arn *string) (sim.TargetGroup, error) {
	if err := requireQuery(member{"TargetGroupArn", arn}); err != nil {
		return sim.TargetGroup{}, err
	}
	groups, err := s.api.World.DescribeTargetGroups([]string{*arn}, nil)
	if err == nil && len(groups) == 0 {
		err = refuse("TargetGroupNotFound", "Target groups '%s' not found", *arn)
	}
	if err != nil {
		return sim.TargetGroup{}, err
	}
	return groups[0], nil
}

// DescribeTargetGroupAttributes answers for the SDK operation of this name.
func (s ELB) DescribeTargetGroupAttributes(ctx context.Context, in *elb.DescribeTargetGroupAttributesInput, _ ...elbOptions) (*elb.DescribeTargetGroupAttributesOutput, error) {
	return call(ctx, s.api, "elasticloadbalancing", "DescribeTargetGroupAttributes", in, s.attributes)
}

func (s ELB) attributes(in *elb.DescribeTargetGroupAttributesInput) (*elb.DescribeTargetGroupAttributesOutput, error) {
	g, err := s.group(in.TargetGroupArn)
	return &elb.DescribeTargetGroupAttributesOutput{Attributes: attributesOut(g)}, err
}

func attributesOut(g sim.TargetGroup) []types.TargetGroupAttribute {
	all := []types.TargetGroupAttribute{{Key: new(delayKey), Value: new(strconv.Itoa(int(g.Delay / time.Second)))}}
	if network(g) {
		all = append(all, types.TargetGroupAttribute{Key: new(terminationKey), Value: new(strconv.FormatBool(g.ConnectionTermination))})
	}
	return all
}

// ModifyTargetGroupAttributes answers for the SDK operation of this name. The one attribute it takes is the deregistration delay.
func (s ELB) ModifyTargetGroupAttributes(ctx context.Context, in *elb.ModifyTargetGroupAttributesInput, _ ...elbOptions) (*elb.ModifyTargetGroupAttributesOutput, error) {
	return call(ctx, s.api, "elasticloadbalancing", "ModifyTargetGroupAttributes", in, s.modify)
}

func (s ELB) modify(in *elb.ModifyTargetGroupAttributesInput) (*elb.ModifyTargetGroupAttributesOutput, error) {
	err := requireQuery(member{"TargetGroupArn", in.TargetGroupArn}, member{"Attributes", in.Attributes})
	if err != nil {
		return nil, err
	}
	for _, a := range in.Attributes {
		if deref(a.Key) != delayKey {
			return nil, refuse("InvalidConfigurationRequest", "Target group attribute key '%s' is not recognized: the simulated cloud knows %s only", deref(a.Key), delayKey)
		}
		n, err := strconv.Atoi(deref(a.Value))
		if err != nil || n < 0 || n > 3600 {
			return nil, refuse("ValidationError", "Deregistration delay timeout seconds must be between 0 and 3600, not '%s'", deref(a.Value))
		}
		if err := s.api.World.SetDeregistrationDelay(*in.TargetGroupArn, time.Duration(n)*time.Second); err != nil {
			return nil, err
		}
	}
	g, err := s.group(in.TargetGroupArn)
	return &elb.ModifyTargetGroupAttributesOutput{Attributes: attributesOut(g)}, err
}

// DescribeTargetHealth answers for the SDK operation of this name.
func (s ELB) DescribeTargetHealth(ctx context.Context, in *elb.DescribeTargetHealthInput, _ ...elbOptions) (*elb.DescribeTargetHealthOutput, error) {
	return call(ctx, s.api, "elasticloadbalancing", "DescribeTargetHealth", in, s.describeHealth)
}

func (s ELB) describeHealth(in *elb.DescribeTargetHealthInput) (*elb.DescribeTargetHealthOutput, error) {
	g, err := s.group(in.TargetGroupArn)
	if err != nil {
		return nil, err
	}
	var asked []sim.Target
	if len(in.Targets) > 0 {
		if asked, err = targetsIn(g, in.Targets); err != nil {
			return nil, err
		}
	}
	targets, err := s.api.World.DescribeTargetHealth(g.ARN, asked)
	if err != nil {
		return nil, err
	}
	return &elb.DescribeTargetHealthOutput{TargetHealthDescriptions: mapped(targets, healthOut)}, nil
}

func healthOut(t sim.Target) types.TargetHealthDescription {
	return types.TargetHealthDescription{
		Target:          &types.TargetDescription{Id: &t.ID, Port: new(int32(t.Port))},
		HealthCheckPort: new(strconv.Itoa(t.Port)),
		TargetHealth: &types.TargetHealth{
			State: types.TargetHealthStateEnum(t.State), Reason: types.TargetHealthReasonEnum(t.Reason), Description: optional(describe(t)),
		},
	}
}

// describe spells the reasons as ELB does.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html
func describe(t sim.Target) string {
	switch t.Reason {
	case "Target.DeregistrationInProgress":
		return "Target deregistration is in progress"
	case "Target.NotRegistered":
		return "Target is not registered to the target group"
	case "Elb.RegistrationInProgress":
		return "Target registration is in progress"
	case "Target.FailedHealthChecks":
		return "Health checks failed"
	}
	return ""
}

// targetsIn reads targets; one without a port means the port of its group.
func targetsIn(g sim.TargetGroup, in []types.TargetDescription) ([]sim.Target, error) {
	targets := make([]sim.Target, 0, len(in))
	for _, t := range in {
		if err := requireQuery(member{"Targets", in}, member{"Id", t.Id}); err != nil {
			return nil, err
		}
		port := g.Port
		if t.Port != nil {
			port = int(*t.Port)
		}
		targets = append(targets, sim.Target{ID: *t.Id, Port: port})
	}
	if len(targets) == 0 {
		return nil, requireQuery(member{"Targets", in})
	}
	return targets, nil
}

// RegisterTargets answers for the SDK operation of this name.
func (s ELB) RegisterTargets(ctx context.Context, in *elb.RegisterTargetsInput, _ ...elbOptions) (*elb.RegisterTargetsOutput, error) {
	return call(ctx, s.api, "elasticloadbalancing", "RegisterTargets", in, s.register)
}

func (s ELB) register(in *elb.RegisterTargetsInput) (*elb.RegisterTargetsOutput, error) {
	g, err := s.group(in.TargetGroupArn)
	if err != nil {
		return nil, err
	}
	targets, err := targetsIn(g, in.Targets)
	if err == nil {
		err = s.api.World.RegisterTargets(g.ARN, targets)
	}
	return &elb.RegisterTargetsOutput{}, err
}

// DeregisterTargets answers for the SDK operation of this name.
func (s ELB) DeregisterTargets(ctx context.Context, in *elb.DeregisterTargetsInput, _ ...elbOptions) (*elb.DeregisterTargetsOutput, error) {
	return call(ctx, s.api, "elasticloadbalancing", "DeregisterTargets", in, s.deregister)
}

func (s ELB) deregister(in *elb.DeregisterTargetsInput) (*elb.DeregisterTargetsOutput, error) {
	g, err := s.group(in.TargetGroupArn)
	if err != nil {
		return nil, err
	}
	targets, err := targetsIn(g, in.Targets)
	if err == nil {
		err = s.api.World.DeregisterTargets(g.ARN, targets)
	}
	return &elb.DeregisterTargetsOutput{}, err
}
