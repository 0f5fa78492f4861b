package elb

import (
	"slices"
	"strconv"
	"strings"

	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/ebbhq/ebb/internal/sim/core"
)

func (s api) describeGroups(c *core.Call, in *elb.DescribeTargetGroupsInput) (*elb.DescribeTargetGroupsOutput, error) {
	if n := in.PageSize; n != nil && (*n < 1 || *n > 400) {
		return nil, core.Refuse("ValidationError", "PageSize must be between 1 and 400 (inclusive), not %d.", *n)
	}
	if in.LoadBalancerArn != nil && len(in.TargetGroupArns)+len(in.Names) > 0 {
		return nil, core.Refuse("ValidationError", "A load balancer ARN and target group ARNs or names cannot be specified at the same time")
	}
	groups, err := s.DescribeTargetGroups(in.TargetGroupArns, in.Names)
	if err != nil {
		return nil, err
	}
	if of := in.LoadBalancerArn; of != nil {
		groups = slices.DeleteFunc(groups, func(g TargetGroup) bool { return balancerARN(g) != *of })
		if len(groups) == 0 {
			return nil, core.Refuse("LoadBalancerNotFound", "Load balancer '%s' not found", *of)
		}
	}
	p := core.Paging{Operation: "DescribeTargetGroups", Asked: in.PageSize, Fallback: 400, Most: 400, Token: in.Marker}
	groups, next, ok := core.Page(c, p, groups, func(g TargetGroup) string { return g.ARN })
	if !ok {
		return nil, core.Refuse("ValidationError", "'%s' is not a valid marker.", core.Deref(in.Marker))
	}
	return &elb.DescribeTargetGroupsOutput{TargetGroups: core.Mapped(groups, targetGroupOut), NextMarker: next}, nil
}

func targetGroupOut(g TargetGroup) types.TargetGroup {
	return types.TargetGroup{
		TargetGroupArn: &g.ARN, TargetGroupName: &g.Name, TargetType: types.TargetTypeEnum(g.Type), Protocol: types.ProtocolEnum(g.Protocol),
		IpAddressType: addressType(g),
		Port:          new(int32(g.Port)), VpcId: &g.VPC, HealthCheckEnabled: new(true), HealthCheckPort: new("traffic-port"),
		HealthyThresholdCount: new(int32(2)), HealthCheckIntervalSeconds: new(core.Seconds(g.Check / 2)),
		UnhealthyThresholdCount: new(int32(2)), HealthCheckTimeoutSeconds: new(int32(5)), LoadBalancerArns: []string{balancerARN(g)},
	}
}

func addressType(g TargetGroup) types.TargetGroupIpAddressTypeEnum {
	if g.IPv6 {
		return types.TargetGroupIpAddressTypeEnumIpv6
	}
	return types.TargetGroupIpAddressTypeEnumIpv4
}

// balancerARN names the load balancer that a target group is attached to: each has one of its own.
func balancerARN(g TargetGroup) string {
	kind := "loadbalancer/app/"
	if g.Network() {
		kind = "loadbalancer/net/"
	}
	return strings.Replace(g.ARN, "targetgroup/", kind, 1)
}

// group finds the one target group that a request names.
func (s api) named(arn *string) (TargetGroup, error) {
	groups, err := s.DescribeTargetGroups([]string{*arn}, nil)
	if err == nil && len(groups) == 0 {
		err = core.Refuse("TargetGroupNotFound", "Target groups '%s' not found", *arn)
	}
	if err != nil {
		return TargetGroup{}, err
	}
	return groups[0], nil
}

func (s api) describeHealth(_ *core.Call, in *elb.DescribeTargetHealthInput) (*elb.DescribeTargetHealthOutput, error) {
	g, err := s.named(in.TargetGroupArn)
	if err != nil {
		return nil, err
	}
	var asked []Target
	if len(in.Targets) > 0 {
		if asked, err = targetsIn(g, in.Targets); err != nil {
			return nil, err
		}
	}
	targets, err := s.DescribeTargetHealth(g.ARN, asked)
	if err != nil {
		return nil, err
	}
	return &elb.DescribeTargetHealthOutput{TargetHealthDescriptions: core.Mapped(targets, healthOut)}, nil
}

func healthOut(t Target) types.TargetHealthDescription {
	return types.TargetHealthDescription{
		Target:          &types.TargetDescription{Id: &t.ID, Port: new(int32(t.Port))},
		HealthCheckPort: new(strconv.Itoa(t.Port)),
		TargetHealth: &types.TargetHealth{
			State: types.TargetHealthStateEnum(t.State), Reason: types.TargetHealthReasonEnum(t.Reason), Description: core.Optional(describe(t)),
		},
	}
}

// describe spells the reasons as ELB does.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html
func describe(t Target) string {
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
func targetsIn(g TargetGroup, in []types.TargetDescription) ([]Target, error) {
	targets := make([]Target, 0, len(in))
	for _, t := range in {
		if core.Deref(t.Id) == "" {
			return nil, missing("Id")
		}
		port := g.Port
		if t.Port != nil {
			port = int(*t.Port)
		}
		targets = append(targets, Target{ID: *t.Id, Port: port})
	}
	return targets, nil
}

func (s api) register(_ *core.Call, in *elb.RegisterTargetsInput) (*elb.RegisterTargetsOutput, error) {
	g, err := s.named(in.TargetGroupArn)
	if err != nil {
		return nil, err
	}
	targets, err := targetsIn(g, in.Targets)
	if err == nil {
		err = s.RegisterTargets(g.ARN, targets)
	}
	return &elb.RegisterTargetsOutput{}, err
}

func (s api) deregister(_ *core.Call, in *elb.DeregisterTargetsInput) (*elb.DeregisterTargetsOutput, error) {
	g, err := s.named(in.TargetGroupArn)
	if err != nil {
		return nil, err
	}
	targets, err := targetsIn(g, in.Targets)
	if err == nil {
		err = s.DeregisterTargets(g.ARN, targets)
	}
	return &elb.DeregisterTargetsOutput{}, err
}

func missing(member string) error { return core.Null("ValidationError", member) }

func targetGroupResource(arn *string) []core.Resource {
	whole := core.Deref(arn)
	return []core.Resource{{Kind: "targetgroup", ARN: whole, Pattern: whole[:strings.LastIndexByte(whole, '/')+1] + "*"}}
}
