package wire

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/ebbhq/ebb/internal/sim"
)

// DescribeCapacityProviders answers for the SDK operation of this name.
func (s ECS) DescribeCapacityProviders(ctx context.Context, in *ecs.DescribeCapacityProvidersInput, _ ...ecsOptions) (*ecs.DescribeCapacityProvidersOutput, error) {
	return call(ctx, s.api, "ecs", "DescribeCapacityProviders", in, s.describeProviders)
}

func (s ECS) describeProviders(in *ecs.DescribeCapacityProvidersInput) (*ecs.DescribeCapacityProvidersOutput, error) {
	if n := in.MaxResults; n != nil && (*n < 1 || *n > 10) {
		return nil, refuse("InvalidParameterException", "maxResults must be between 1 and 10 (inclusive), not %d.", *n)
	}
	all, failures, err := s.api.World.DescribeCapacityProviders(deref(in.Cluster), in.CapacityProviders)
	if err != nil {
		return nil, err
	}
	p := paging{"DescribeCapacityProviders", in.MaxResults, 10, 10, in.NextToken}
	all, next, ok := page(s.api, p, all, func(p sim.CapacityProvider) string { return p.Name })
	if !ok {
		return nil, refuse("InvalidParameterException", "Invalid token %s.", deref(in.NextToken))
	}
	if in.NextToken != nil {
		failures = nil // they came with the first page
	}
	return &ecs.DescribeCapacityProvidersOutput{CapacityProviders: mapped(all, providerOut), Failures: mapped(failures, failureOut), NextToken: next}, nil
}

func providerOut(p sim.CapacityProvider) types.CapacityProvider {
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
		m.TargetCapacity, m.MinimumScalingStepSize, m.MaximumScalingStepSize, m.InstanceWarmupPeriod = new(int32(100)), new(int32(1)), new(int32(10000)), new(int32(300))
	}
	return out
}

func either[T any](is bool, yes, no T) T {
	if is {
		return yes
	}
	return no
}

// PutAttributes answers for the SDK operation of this name.
func (s ECS) PutAttributes(ctx context.Context, in *ecs.PutAttributesInput, _ ...ecsOptions) (*ecs.PutAttributesOutput, error) {
	return call(ctx, s.api, "ecs", "PutAttributes", in, func(in *ecs.PutAttributesInput) (*ecs.PutAttributesOutput, error) {
		return &ecs.PutAttributesOutput{Attributes: in.Attributes}, s.api.World.PutAttributes(deref(in.Cluster), mapped(in.Attributes, attributeIn))
	})
}

// DeleteAttributes answers for the SDK operation of this name.
func (s ECS) DeleteAttributes(ctx context.Context, in *ecs.DeleteAttributesInput, _ ...ecsOptions) (*ecs.DeleteAttributesOutput, error) {
	return call(ctx, s.api, "ecs", "DeleteAttributes", in, func(in *ecs.DeleteAttributesInput) (*ecs.DeleteAttributesOutput, error) {
		return &ecs.DeleteAttributesOutput{Attributes: in.Attributes}, s.api.World.DeleteAttributes(deref(in.Cluster), mapped(in.Attributes, attributeIn))
	})
}

// ListAttributes answers for the SDK operation of this name.
func (s ECS) ListAttributes(ctx context.Context, in *ecs.ListAttributesInput, _ ...ecsOptions) (*ecs.ListAttributesOutput, error) {
	return call(ctx, s.api, "ecs", "ListAttributes", in, s.listAttributes)
}

func (s ECS) listAttributes(in *ecs.ListAttributesInput) (*ecs.ListAttributesOutput, error) {
	if in.TargetType != types.TargetTypeContainerInstance {
		return nil, refuse("InvalidParameterException", "The target type must be container-instance, not '%s'.", in.TargetType)
	}
	if n := in.MaxResults; n != nil && (*n < 1 || *n > 100) {
		return nil, refuse("InvalidParameterException", "maxResults must be between 1 and 100 (inclusive), not %d.", *n)
	}
	if in.AttributeValue != nil && in.AttributeName == nil {
		return nil, refuse("InvalidParameterException", "An attribute value needs an attribute name.")
	}
	all, err := s.api.World.ListAttributes(deref(in.Cluster), deref(in.AttributeName), deref(in.AttributeValue))
	if err != nil {
		return nil, err
	}
	p := paging{"ListAttributes", in.MaxResults, 100, 100, in.NextToken}
	all, next, ok := page(s.api, p, all, func(a sim.Attribute) string { return a.Target + " " + a.Name })
	if !ok {
		return nil, refuse("InvalidParameterException", "Invalid token %s.", deref(in.NextToken))
	}
	return &ecs.ListAttributesOutput{Attributes: mapped(all, attributeOut), NextToken: next}, nil
}

func attributeIn(a types.Attribute) sim.Attribute {
	return sim.Attribute{Name: deref(a.Name), Value: deref(a.Value), Target: deref(a.TargetId)}
}
