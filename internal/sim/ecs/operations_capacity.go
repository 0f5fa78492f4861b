package ecs

import (
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/ebbhq/ebb/internal/sim/core"
)

func (s api) describeProviders(c *core.Call, in *ecs.DescribeCapacityProvidersInput) (*ecs.DescribeCapacityProvidersOutput, error) {
	if n := in.MaxResults; n != nil && (*n < 1 || *n > 10) {
		return nil, core.Refuse("InvalidParameterException", "maxResults must be between 1 and 10 (inclusive), not %d.", *n)
	}
	all, failures, err := s.DescribeCapacityProviders(core.Deref(in.Cluster), in.CapacityProviders)
	if err != nil {
		return nil, err
	}
	p := core.Paging{Operation: "DescribeCapacityProviders", Asked: in.MaxResults, Fallback: 10, Most: 10, Token: in.NextToken}
	all, next, ok := core.Page(c, p, all, func(p CapacityProvider) string { return p.Name })
	if !ok {
		return nil, core.Refuse("InvalidParameterException", "Invalid token %s.", core.Deref(in.NextToken))
	}
	if in.NextToken != nil {
		failures = nil // they came with the first page
	}
	return &ecs.DescribeCapacityProvidersOutput{CapacityProviders: core.Mapped(all, providerOut), Failures: core.Mapped(failures, failureOut),
		NextToken: next}, nil
}

func providerOut(p CapacityProvider) types.CapacityProvider {
	out := types.CapacityProvider{Name: &p.Name, CapacityProviderArn: &p.ARN, Status: types.CapacityProviderStatusActive, Tags: []types.Tag{}}
	if p.GroupARN == "" {
		return out
	}
	out.AutoScalingGroupProvider = &types.AutoScalingGroupProvider{
		AutoScalingGroupArn:          &p.GroupARN,
		ManagedDraining:              either(p.ManagedDraining, types.ManagedDrainingEnabled, types.ManagedDrainingDisabled),
		ManagedTerminationProtection: either(p.TerminationProtection, types.ManagedTerminationProtectionEnabled, types.ManagedTerminationProtectionDisabled),
		ManagedScaling:               &types.ManagedScaling{Status: either(p.ManagedScaling, types.ManagedScalingStatusEnabled, types.ManagedScalingStatusDisabled)},
	}
	if m := out.AutoScalingGroupProvider.ManagedScaling; p.ManagedScaling {
		m.TargetCapacity, m.InstanceWarmupPeriod = new(int32(100)), new(int32(300))
		m.MinimumScalingStepSize, m.MaximumScalingStepSize = new(int32(1)), new(int32(10000))
	}
	return out
}

func either[T any](is bool, yes, no T) T {
	if is {
		return yes
	}
	return no
}

func (s api) putAttributes(_ *core.Call, in *ecs.PutAttributesInput) (*ecs.PutAttributesOutput, error) {
	return &ecs.PutAttributesOutput{Attributes: in.Attributes}, s.PutAttributes(core.Deref(in.Cluster), core.Mapped(in.Attributes, attributeIn))
}

func (s api) deleteAttributes(_ *core.Call, in *ecs.DeleteAttributesInput) (*ecs.DeleteAttributesOutput, error) {
	return &ecs.DeleteAttributesOutput{Attributes: in.Attributes}, s.DeleteAttributes(core.Deref(in.Cluster), core.Mapped(in.Attributes, attributeIn))
}

func (s api) listAttributes(c *core.Call, in *ecs.ListAttributesInput) (*ecs.ListAttributesOutput, error) {
	if in.TargetType != types.TargetTypeContainerInstance {
		return nil, core.Refuse("InvalidParameterException", "The target type must be container-instance, not '%s'.", in.TargetType)
	}
	if n := in.MaxResults; n != nil && (*n < 1 || *n > 100) {
		return nil, core.Refuse("InvalidParameterException", "maxResults must be between 1 and 100 (inclusive), not %d.", *n)
	}
	if in.AttributeValue != nil && in.AttributeName == nil {
		return nil, core.Refuse("InvalidParameterException", "An attribute value needs an attribute name.")
	}
	all, err := s.ListAttributes(core.Deref(in.Cluster), core.Deref(in.AttributeName), core.Deref(in.AttributeValue))
	if err != nil {
		return nil, err
	}
	p := core.Paging{Operation: "ListAttributes", Asked: in.MaxResults, Fallback: 100, Most: 100, Token: in.NextToken}
	all, next, ok := core.Page(c, p, all, func(a Attribute) string { return a.Target + " " + a.Name })
	if !ok {
		return nil, core.Refuse("InvalidParameterException", "Invalid token %s.", core.Deref(in.NextToken))
	}
	return &ecs.ListAttributesOutput{Attributes: core.Mapped(all, attributeOut), NextToken: next}, nil
}

func attributeIn(a types.Attribute) Attribute {
	return Attribute{Name: core.Deref(a.Name), Value: core.Deref(a.Value), Target: core.Deref(a.TargetId)}
}

func targetOf(a types.Attribute) string { return core.Deref(a.TargetId) }
