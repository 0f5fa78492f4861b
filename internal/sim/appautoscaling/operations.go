package appautoscaling

import (
	"slices"

	aas "github.com/aws/aws-sdk-go-v2/service/applicationautoscaling"
	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling/types"

	"github.com/ebbhq/ebb/internal/sim/core"
)

func badToken() error {
	return core.Refuse("InvalidNextTokenException", "The NextToken value is invalid.")
}

// onlyECS refuses what is not about the desired count of an ECS service.
func onlyECS(namespace types.ServiceNamespace, dimension types.ScalableDimension) error {
	if namespace != types.ServiceNamespaceEcs || dimension != "" && dimension != types.ScalableDimensionECSServiceDesiredCount {
		return invalid("The simulated cloud scales ecs:service:DesiredCount only.")
	}
	return nil
}

func (s api) register(_ *core.Call, in *aas.RegisterScalableTargetInput) (*aas.RegisterScalableTargetOutput, error) {
	if err := onlyECS(in.ServiceNamespace, in.ScalableDimension); err != nil {
		return nil, err
	}
	t, err := s.Register(*in.ResourceId, in.MinCapacity, in.MaxCapacity, in.SuspendedState)
	if err != nil {
		return nil, err
	}
	return &aas.RegisterScalableTargetOutput{ScalableTargetARN: &t.ARN}, nil
}

func (s api) deregister(_ *core.Call, in *aas.DeregisterScalableTargetInput) (*aas.DeregisterScalableTargetOutput, error) {
	return &aas.DeregisterScalableTargetOutput{}, s.Deregister(*in.ResourceId)
}

// most are the items of a page.
const most = 50

func (s api) describeTargets(c *core.Call, in *aas.DescribeScalableTargetsInput) (*aas.DescribeScalableTargetsOutput, error) {
	wanted := slices.DeleteFunc(s.ScalableTargets(), func(t *Target) bool {
		return onlyECS(in.ServiceNamespace, in.ScalableDimension) != nil || len(in.ResourceIds) > 0 && !slices.Contains(in.ResourceIds, t.Resource)
	})
	p := core.Paging{Operation: "DescribeScalableTargets", Asked: in.MaxResults, Fallback: most, Most: most, Token: in.NextToken}
	page, next, ok := core.Page(c, p, wanted, func(t *Target) string { return t.Resource })
	if !ok {
		return nil, badToken()
	}
	return &aas.DescribeScalableTargetsOutput{NextToken: next, ScalableTargets: core.Mapped(page, func(t *Target) types.ScalableTarget {
		return types.ScalableTarget{
			ResourceId: &t.Resource, ServiceNamespace: types.ServiceNamespaceEcs, ScalableDimension: types.ScalableDimensionECSServiceDesiredCount,
			MinCapacity: new(int32(t.Min)), MaxCapacity: new(int32(t.Max)), CreationTime: &t.CreatedAt, ScalableTargetARN: &t.ARN,
			RoleARN: new("arn:aws:iam::" + s.Account + ":role/aws-service-role/ecs.application-autoscaling.amazonaws.com/" +
				"AWSServiceRoleForApplicationAutoScaling_ECSService"),
			SuspendedState: &types.SuspendedState{
				DynamicScalingInSuspended:  new(core.Deref(t.Suspended.DynamicScalingInSuspended)),
				DynamicScalingOutSuspended: new(core.Deref(t.Suspended.DynamicScalingOutSuspended)),
				ScheduledScalingSuspended:  new(core.Deref(t.Suspended.ScheduledScalingSuspended)),
			},
		}
	})}, nil
}

func (s api) putPolicy(_ *core.Call, in *aas.PutScalingPolicyInput) (*aas.PutScalingPolicyOutput, error) {
	if err := onlyECS(in.ServiceNamespace, in.ScalableDimension); err != nil {
		return nil, err
	}
	p, err := s.PutPolicy(*in)
	if err != nil {
		return nil, err
	}
	return &aas.PutScalingPolicyOutput{PolicyARN: &p.ARN, Alarms: append([]types.Alarm{}, p.Alarms...)}, nil
}

func (s api) deletePolicy(_ *core.Call, in *aas.DeleteScalingPolicyInput) (*aas.DeleteScalingPolicyOutput, error) {
	p := s.find(*in.ResourceId, *in.PolicyName)
	if p == nil {
		return nil, notFound("No scaling policy found for service namespace: ecs, resource ID: " + *in.ResourceId + ", policy name: " + *in.PolicyName)
	}
	s.remove(p)
	return &aas.DeleteScalingPolicyOutput{}, nil
}

func (s api) describePolicies(c *core.Call, in *aas.DescribeScalingPoliciesInput) (*aas.DescribeScalingPoliciesOutput, error) {
	wanted := slices.DeleteFunc(s.ScalingPolicies(), func(p *Policy) bool {
		return onlyECS(in.ServiceNamespace, in.ScalableDimension) != nil || in.ResourceId != nil && *in.ResourceId != *p.ResourceId ||
			len(in.PolicyNames) > 0 && !slices.Contains(in.PolicyNames, *p.PolicyName)
	})
	p := core.Paging{Operation: "DescribeScalingPolicies", Asked: in.MaxResults, Fallback: 10, Most: 10, Token: in.NextToken}
	page, next, ok := core.Page(c, p, wanted, func(p *Policy) string { return p.ARN })
	if !ok {
		return nil, badToken()
	}
	return &aas.DescribeScalingPoliciesOutput{NextToken: next, ScalingPolicies: core.Mapped(page, func(p *Policy) types.ScalingPolicy {
		kind := types.PolicyTypeStepScaling
		if p.TargetTrackingScalingPolicyConfiguration != nil {
			kind = types.PolicyTypeTargetTrackingScaling
		}
		return types.ScalingPolicy{
			PolicyARN: &p.ARN, PolicyName: p.PolicyName, ResourceId: p.ResourceId, CreationTime: &p.CreatedAt, PolicyType: kind,
			ServiceNamespace: types.ServiceNamespaceEcs, ScalableDimension: types.ScalableDimensionECSServiceDesiredCount,
			Alarms: append([]types.Alarm{}, p.Alarms...), StepScalingPolicyConfiguration: p.StepScalingPolicyConfiguration,
			TargetTrackingScalingPolicyConfiguration: p.TargetTrackingScalingPolicyConfiguration,
		}
	})}, nil
}

// describeActivities shows the newest first.
func (s api) describeActivities(c *core.Call, in *aas.DescribeScalingActivitiesInput) (*aas.DescribeScalingActivitiesOutput, error) {
	wanted := slices.DeleteFunc(s.ScalingActivities(), func(a types.ScalingActivity) bool {
		return onlyECS(in.ServiceNamespace, in.ScalableDimension) != nil || in.ResourceId != nil && *in.ResourceId != *a.ResourceId ||
			len(a.NotScaledReasons) > 0 && !core.Deref(in.IncludeNotScaledActivities)
	})
	slices.Reverse(wanted)
	p := core.Paging{Operation: "DescribeScalingActivities", Asked: in.MaxResults, Fallback: most, Most: most, Token: in.NextToken}
	page, next, ok := core.Page(c, p, wanted, func(a types.ScalingActivity) string { return *a.ActivityId })
	if !ok {
		return nil, badToken()
	}
	return &aas.DescribeScalingActivitiesOutput{ScalingActivities: page, NextToken: next}, nil
}
