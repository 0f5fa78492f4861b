package wire

import (
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"

	"github.com/ebbhq/ebb/internal/sim"
)

type asOptions = func(*autoscaling.Options)

// DescribeAutoScalingGroups answers for the SDK operation of this name.
func (s AutoScaling) DescribeAutoScalingGroups(ctx context.Context, in *autoscaling.DescribeAutoScalingGroupsInput, _ ...asOptions) (*autoscaling.DescribeAutoScalingGroupsOutput, error) {
	return call(ctx, s.api, "autoscaling", "DescribeAutoScalingGroups", in, s.describeGroups)
}

func (s AutoScaling) describeGroups(in *autoscaling.DescribeAutoScalingGroupsInput) (*autoscaling.DescribeAutoScalingGroupsOutput, error) {
	if err := inRange("MaxRecords", in.MaxRecords, 1, 100); err != nil {
		return nil, err
	}
	var groups []sim.Group
	for _, g := range s.api.World.DescribeAutoScalingGroups(in.AutoScalingGroupNames) {
		if tagged(g, in.Filters) {
			groups = append(groups, g)
		}
	}
	p := paging{"DescribeAutoScalingGroups", in.MaxRecords, 50, 100, in.NextToken}
	groups, next, ok := page(s.api, p, groups, func(g sim.Group) string { return g.Name })
	if !ok {
		return nil, badToken(in.NextToken)
	}
	details := in.IncludeInstances == nil || *in.IncludeInstances
	return &autoscaling.DescribeAutoScalingGroupsOutput{
		AutoScalingGroups: mapped(groups, func(g sim.Group) types.AutoScalingGroup { return groupOut(g, details) }),
		NextToken:         next,
	}, nil
}

// DescribeAutoScalingInstances answers for the SDK operation of this name.
func (s AutoScaling) DescribeAutoScalingInstances(ctx context.Context, in *autoscaling.DescribeAutoScalingInstancesInput, _ ...asOptions) (*autoscaling.DescribeAutoScalingInstancesOutput, error) {
	return call(ctx, s.api, "autoscaling", "DescribeAutoScalingInstances", in, s.describeInstances)
}

func (s AutoScaling) describeInstances(in *autoscaling.DescribeAutoScalingInstancesInput) (*autoscaling.DescribeAutoScalingInstancesOutput, error) {
	if err := inRange("MaxRecords", in.MaxRecords, 1, 50); err != nil {
		return nil, err
	}
	if len(in.InstanceIds) > 50 {
		return nil, refuse("ValidationError", "The number of instance ids that may be passed in is limited to 50")
	}
	p := paging{"DescribeAutoScalingInstances", in.MaxRecords, 50, 50, in.NextToken}
	all := s.api.World.DescribeAutoScalingInstances(in.InstanceIds)
	instances, next, ok := page(s.api, p, all, func(i sim.GroupInstance) string { return i.ID })
	if !ok {
		return nil, badToken(in.NextToken)
	}
	return &autoscaling.DescribeAutoScalingInstancesOutput{AutoScalingInstances: mapped(instances, instanceDetails), NextToken: next}, nil
}

// DescribeLifecycleHooks answers for the SDK operation of this name.
func (s AutoScaling) DescribeLifecycleHooks(ctx context.Context, in *autoscaling.DescribeLifecycleHooksInput, _ ...asOptions) (*autoscaling.DescribeLifecycleHooksOutput, error) {
	return call(ctx, s.api, "autoscaling", "DescribeLifecycleHooks", in, s.describeHooks)
}

func (s AutoScaling) describeHooks(in *autoscaling.DescribeLifecycleHooksInput) (*autoscaling.DescribeLifecycleHooksOutput, error) {
	if err := requireQuery(member{"AutoScalingGroupName", in.AutoScalingGroupName}); err != nil {
		return nil, err
	}
	hooks, err := s.api.World.DescribeLifecycleHooks(*in.AutoScalingGroupName, in.LifecycleHookNames)
	if err != nil {
		return nil, err
	}
	group := *in.AutoScalingGroupName
	return &autoscaling.DescribeLifecycleHooksOutput{
		LifecycleHooks: mapped(hooks, func(h sim.Hook) types.LifecycleHook { return hookOut(group, h) }),
	}, nil
}

// DescribeLifecycleHookTypes answers for the SDK operation of this name.
func (s AutoScaling) DescribeLifecycleHookTypes(ctx context.Context, in *autoscaling.DescribeLifecycleHookTypesInput, _ ...asOptions) (*autoscaling.DescribeLifecycleHookTypesOutput, error) {
	return call(ctx, s.api, "autoscaling", "DescribeLifecycleHookTypes", in, func(*autoscaling.DescribeLifecycleHookTypesInput) (*autoscaling.DescribeLifecycleHookTypesOutput, error) {
		return &autoscaling.DescribeLifecycleHookTypesOutput{LifecycleHookTypes: []string{launching, terminating}}, nil
	})
}

// DescribeScalingActivities answers for the SDK operation of this name.
func (s AutoScaling) DescribeScalingActivities(ctx context.Context, in *autoscaling.DescribeScalingActivitiesInput, _ ...asOptions) (*autoscaling.DescribeScalingActivitiesOutput, error) {
	return call(ctx, s.api, "autoscaling", "DescribeScalingActivities", in, s.describeActivities)
}

func (s AutoScaling) describeActivities(in *autoscaling.DescribeScalingActivitiesInput) (*autoscaling.DescribeScalingActivitiesOutput, error) {
	if err := inRange("MaxRecords", in.MaxRecords, 1, 100); err != nil {
		return nil, err
	}
	all, err := s.activities(in)
	if err != nil {
		return nil, err
	}
	p := paging{"DescribeScalingActivities", in.MaxRecords, 100, 100, in.NextToken}
	all, next, ok := page(s.api, p, all, func(a sim.Activity) string { return a.ID })
	if !ok {
		return nil, badToken(in.NextToken)
	}
	return &autoscaling.DescribeScalingActivitiesOutput{Activities: mapped(all, activityOut), NextToken: next}, nil
}

// activities are those of one group or of all, without those that were not asked for.
func (s AutoScaling) activities(in *autoscaling.DescribeScalingActivitiesInput) ([]sim.Activity, error) {
	groups := []string{deref(in.AutoScalingGroupName)}
	if groups[0] == "" {
		groups = mapped(s.api.World.DescribeAutoScalingGroups(nil), func(g sim.Group) string { return g.Name })
	}
	var all []sim.Activity
	for _, g := range groups {
		some, err := s.api.World.DescribeScalingActivities(g)
		if err != nil {
			return nil, err
		}
		for _, activity := range some {
			if len(in.ActivityIds) == 0 || slices.Contains(in.ActivityIds, activity.ID) {
				all = append(all, activity)
			}
		}
	}
	return all, nil
}

// CompleteLifecycleAction answers for the SDK operation of this name.
func (s AutoScaling) CompleteLifecycleAction(ctx context.Context, in *autoscaling.CompleteLifecycleActionInput, _ ...asOptions) (*autoscaling.CompleteLifecycleActionOutput, error) {
	return call(ctx, s.api, "autoscaling", "CompleteLifecycleAction", in, s.complete)
}

func (s AutoScaling) complete(in *autoscaling.CompleteLifecycleActionInput) (*autoscaling.CompleteLifecycleActionOutput, error) {
	err := requireQuery(member{"AutoScalingGroupName", in.AutoScalingGroupName}, member{"LifecycleHookName", in.LifecycleHookName},
		member{"LifecycleActionResult", in.LifecycleActionResult})
	if err == nil {
		err = actionNamed(in.LifecycleActionToken, in.InstanceId)
	}
	if err == nil {
		err = oneOf("lifecycleActionResult", *in.LifecycleActionResult, "CONTINUE", "ABANDON")
	}
	if err == nil {
		err = s.api.World.CompleteLifecycleAction(*in.AutoScalingGroupName, *in.LifecycleHookName,
			deref(in.LifecycleActionToken), deref(in.InstanceId), *in.LifecycleActionResult)
	}
	return &autoscaling.CompleteLifecycleActionOutput{}, err
}

// RecordLifecycleActionHeartbeat answers for the SDK operation of this name.
func (s AutoScaling) RecordLifecycleActionHeartbeat(ctx context.Context, in *autoscaling.RecordLifecycleActionHeartbeatInput, _ ...asOptions) (*autoscaling.RecordLifecycleActionHeartbeatOutput, error) {
	return call(ctx, s.api, "autoscaling", "RecordLifecycleActionHeartbeat", in, s.heartbeat)
}

func (s AutoScaling) heartbeat(in *autoscaling.RecordLifecycleActionHeartbeatInput) (*autoscaling.RecordLifecycleActionHeartbeatOutput, error) {
	err := requireQuery(member{"AutoScalingGroupName", in.AutoScalingGroupName}, member{"LifecycleHookName", in.LifecycleHookName})
	if err == nil {
		err = actionNamed(in.LifecycleActionToken, in.InstanceId)
	}
	if err == nil {
		err = s.api.World.RecordLifecycleActionHeartbeat(*in.AutoScalingGroupName, *in.LifecycleHookName,
			deref(in.LifecycleActionToken), deref(in.InstanceId))
	}
	return &autoscaling.RecordLifecycleActionHeartbeatOutput{}, err
}

// actionNamed checks that a request names a lifecycle action by its token, of 36 characters, or by the instance.
func actionNamed(token, instance *string) error {
	switch {
	case token != nil && len(*token) != 36:
		return refuse("ValidationError", "1 validation error detected: Value '%s' at 'lifecycleActionToken' failed to satisfy constraint: Member must have length equal to 36", *token)
	case token == nil && deref(instance) == "":
		return refuse("ValidationError", "Either lifecycleActionToken or instanceId must be specified.")
	}
	return nil
}

// TerminateInstanceInAutoScalingGroup answers for the SDK operation of this name.
func (s AutoScaling) TerminateInstanceInAutoScalingGroup(ctx context.Context, in *autoscaling.TerminateInstanceInAutoScalingGroupInput, _ ...asOptions) (*autoscaling.TerminateInstanceInAutoScalingGroupOutput, error) {
	return call(ctx, s.api, "autoscaling", "TerminateInstanceInAutoScalingGroup", in, s.terminate)
}

func (s AutoScaling) terminate(in *autoscaling.TerminateInstanceInAutoScalingGroupInput) (*autoscaling.TerminateInstanceInAutoScalingGroupOutput, error) {
	if err := requireQuery(member{"ShouldDecrementDesiredCapacity", in.ShouldDecrementDesiredCapacity}); err != nil {
		return nil, err
	}
	if in.InstanceId != nil {
		a, err := s.api.World.TerminateInstanceInAutoScalingGroup(*in.InstanceId, *in.ShouldDecrementDesiredCapacity)
		return &autoscaling.TerminateInstanceInAutoScalingGroupOutput{Activity: new(activityOut(a))}, err
	}
	if err := requireQuery(member{"InstanceId", in.InstanceIds}, member{"AutoScalingGroupName", in.AutoScalingGroupName}); err != nil {
		return nil, err
	}
	out := &autoscaling.TerminateInstanceInAutoScalingGroupOutput{}
	for _, id := range in.InstanceIds {
		a, err := s.api.World.TerminateInstanceInAutoScalingGroup(id, *in.ShouldDecrementDesiredCapacity)
		if err != nil {
			return nil, err
		}
		out.Activities = append(out.Activities, activityOut(a))
	}
	return out, nil
}
