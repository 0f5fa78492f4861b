package wire

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
)

// The direct face with the methods of the SDK's clients.
type (
	directScaling struct{ *API }
	directECS     struct{ *API }
	directELB     struct{ *API }
)

func (d directScaling) DescribeAutoScalingGroups(ctx context.Context, in *autoscaling.DescribeAutoScalingGroupsInput,
	_ ...func(*autoscaling.Options)) (*autoscaling.DescribeAutoScalingGroupsOutput, error) {
	return Call[autoscaling.DescribeAutoScalingGroupsOutput](ctx, d.API, in)
}

func (d directScaling) DescribeAutoScalingInstances(ctx context.Context, in *autoscaling.DescribeAutoScalingInstancesInput,
	_ ...func(*autoscaling.Options)) (*autoscaling.DescribeAutoScalingInstancesOutput, error) {
	return Call[autoscaling.DescribeAutoScalingInstancesOutput](ctx, d.API, in)
}

func (d directScaling) TerminateInstanceInAutoScalingGroup(ctx context.Context, in *autoscaling.TerminateInstanceInAutoScalingGroupInput,
	_ ...func(*autoscaling.Options)) (*autoscaling.TerminateInstanceInAutoScalingGroupOutput, error) {
	return Call[autoscaling.TerminateInstanceInAutoScalingGroupOutput](ctx, d.API, in)
}

func (d directScaling) CompleteLifecycleAction(ctx context.Context, in *autoscaling.CompleteLifecycleActionInput,
	_ ...func(*autoscaling.Options)) (*autoscaling.CompleteLifecycleActionOutput, error) {
	return Call[autoscaling.CompleteLifecycleActionOutput](ctx, d.API, in)
}

func (d directScaling) PutLifecycleHook(ctx context.Context, in *autoscaling.PutLifecycleHookInput,
	_ ...func(*autoscaling.Options)) (*autoscaling.PutLifecycleHookOutput, error) {
	return Call[autoscaling.PutLifecycleHookOutput](ctx, d.API, in)
}

func (d directScaling) DescribeLifecycleHooks(ctx context.Context, in *autoscaling.DescribeLifecycleHooksInput,
	_ ...func(*autoscaling.Options)) (*autoscaling.DescribeLifecycleHooksOutput, error) {
	return Call[autoscaling.DescribeLifecycleHooksOutput](ctx, d.API, in)
}

func (d directECS) ListContainerInstances(ctx context.Context, in *ecs.ListContainerInstancesInput,
	_ ...func(*ecs.Options)) (*ecs.ListContainerInstancesOutput, error) {
	return Call[ecs.ListContainerInstancesOutput](ctx, d.API, in)
}

func (d directECS) DescribeContainerInstances(ctx context.Context, in *ecs.DescribeContainerInstancesInput,
	_ ...func(*ecs.Options)) (*ecs.DescribeContainerInstancesOutput, error) {
	return Call[ecs.DescribeContainerInstancesOutput](ctx, d.API, in)
}

func (d directECS) UpdateContainerInstancesState(ctx context.Context, in *ecs.UpdateContainerInstancesStateInput,
	_ ...func(*ecs.Options)) (*ecs.UpdateContainerInstancesStateOutput, error) {
	return Call[ecs.UpdateContainerInstancesStateOutput](ctx, d.API, in)
}

func (d directECS) ListTasks(ctx context.Context, in *ecs.ListTasksInput, _ ...func(*ecs.Options)) (*ecs.ListTasksOutput, error) {
	return Call[ecs.ListTasksOutput](ctx, d.API, in)
}

func (d directECS) DescribeTasks(ctx context.Context, in *ecs.DescribeTasksInput, _ ...func(*ecs.Options)) (*ecs.DescribeTasksOutput, error) {
	return Call[ecs.DescribeTasksOutput](ctx, d.API, in)
}

func (d directECS) DescribeServices(ctx context.Context, in *ecs.DescribeServicesInput, _ ...func(*ecs.Options)) (*ecs.DescribeServicesOutput, error) {
	return Call[ecs.DescribeServicesOutput](ctx, d.API, in)
}

func (d directECS) RunTask(ctx context.Context, in *ecs.RunTaskInput, _ ...func(*ecs.Options)) (*ecs.RunTaskOutput, error) {
	return Call[ecs.RunTaskOutput](ctx, d.API, in)
}

func (d directELB) DescribeTargetHealth(ctx context.Context, in *elb.DescribeTargetHealthInput,
	_ ...func(*elb.Options)) (*elb.DescribeTargetHealthOutput, error) {
	return Call[elb.DescribeTargetHealthOutput](ctx, d.API, in)
}

func (d directELB) DescribeTargetGroups(ctx context.Context, in *elb.DescribeTargetGroupsInput,
	_ ...func(*elb.Options)) (*elb.DescribeTargetGroupsOutput, error) {
	return Call[elb.DescribeTargetGroupsOutput](ctx, d.API, in)
}
