// Package client is clients of a simulated cloud with the methods of the SDK's, without HTTP: the calls that Ebb makes. All others are made
// with wire.Call, or over HTTP.
//
// It never does more than to pass a call on.
package client

import (
	"context"
	"encoding/json"

	aas "github.com/aws/aws-sdk-go-v2/service/applicationautoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/ec2"
	"github.com/ebbhq/ebb/internal/sim/wire"
)

type (
	scaling   struct{ api *wire.API }
	container struct{ api *wire.API }
	balancing struct{ api *wire.API }
	queueing  struct{ api *wire.API }
	watching  struct{ api *wire.API }
	adjusting struct{ api *wire.API }
)

// AutoScaling is a client of Auto Scaling.
func AutoScaling(a *wire.API) scaling { return scaling{a} }

// ECS is a client of ECS.
func ECS(a *wire.API) container { return container{a} }

// ELB is a client of Elastic Load Balancing.
func ELB(a *wire.API) balancing { return balancing{a} }

// SQS is a client of SQS.
func SQS(a *wire.API) queueing { return queueing{a} }

// CloudWatch is a client of CloudWatch.
func CloudWatch(a *wire.API) watching { return watching{a} }

// JSON asks one service in JSON: in and out are what encoding/json makes of the request and the answer.
type JSON struct {
	API     *wire.API
	Service string
}

// Ask makes one call.
func (j JSON) Ask(ctx context.Context, operation string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	answer, err := j.API.AskJSON(ctx, j.Service, operation, body)
	if err != nil {
		return err
	}
	return json.Unmarshal(answer, out)
}

// AppAutoScaling is a client of Application Auto Scaling.
func AppAutoScaling(a *wire.API) adjusting { return adjusting{a} }

// DescribeInstances is that operation of EC2, all pages of it. The SDK's EC2 package is too large to compile for one call.
func DescribeInstances(ctx context.Context, a *wire.API, ids []string) ([]core.Instance, error) {
	in := &ec2.DescribeInstancesInput{InstanceIds: ids}
	var all []core.Instance
	for {
		out, err := wire.Call[ec2.DescribeInstancesOutput](ctx, a, in)
		if err != nil {
			return nil, err
		}
		all = append(all, out.Found...)
		if out.NextToken == nil {
			return all, nil
		}
		in = &ec2.DescribeInstancesInput{InstanceIds: ids, NextToken: out.NextToken}
	}
}

// DescribeSpotInstanceRequests is that operation of EC2, for the requests of instances.
func DescribeSpotInstanceRequests(ctx context.Context, a *wire.API, ids []string) ([]core.SpotRequest, error) {
	name := "instance-id"
	in := &ec2.DescribeSpotInstanceRequestsInput{Filters: []ec2.Filter{{Name: &name, Values: ids}}}
	var all []core.SpotRequest
	for {
		out, err := wire.Call[ec2.DescribeSpotInstanceRequestsOutput](ctx, a, in)
		if err != nil {
			return nil, err
		}
		all = append(all, out.Requests...)
		if out.NextToken == nil {
			return all, nil
		}
		in = &ec2.DescribeSpotInstanceRequestsInput{Filters: in.Filters, NextToken: out.NextToken}
	}
}

// DescribeSubnets is that operation of EC2, for subnets that are known by their ids.
func DescribeSubnets(ctx context.Context, a *wire.API, ids []string) ([]ec2.Subnet, error) {
	out, err := wire.Call[ec2.DescribeSubnetsOutput](ctx, a, &ec2.DescribeSubnetsInput{SubnetIds: ids})
	if err != nil {
		return nil, err
	}
	return out.Found, nil
}

func (c scaling) DescribeAutoScalingGroups(
	ctx context.Context, in *autoscaling.DescribeAutoScalingGroupsInput, _ ...func(*autoscaling.Options),
) (*autoscaling.DescribeAutoScalingGroupsOutput, error) {
	return wire.Call[autoscaling.DescribeAutoScalingGroupsOutput](ctx, c.api, in)
}

func (c scaling) DescribeAutoScalingInstances(
	ctx context.Context, in *autoscaling.DescribeAutoScalingInstancesInput, _ ...func(*autoscaling.Options),
) (*autoscaling.DescribeAutoScalingInstancesOutput, error) {
	return wire.Call[autoscaling.DescribeAutoScalingInstancesOutput](ctx, c.api, in)
}

func (c scaling) DescribeLifecycleHooks(
	ctx context.Context, in *autoscaling.DescribeLifecycleHooksInput, _ ...func(*autoscaling.Options),
) (*autoscaling.DescribeLifecycleHooksOutput, error) {
	return wire.Call[autoscaling.DescribeLifecycleHooksOutput](ctx, c.api, in)
}

func (c scaling) DescribeScalingActivities(
	ctx context.Context, in *autoscaling.DescribeScalingActivitiesInput, _ ...func(*autoscaling.Options),
) (*autoscaling.DescribeScalingActivitiesOutput, error) {
	return wire.Call[autoscaling.DescribeScalingActivitiesOutput](ctx, c.api, in)
}

func (c scaling) RecordLifecycleActionHeartbeat(
	ctx context.Context, in *autoscaling.RecordLifecycleActionHeartbeatInput, _ ...func(*autoscaling.Options),
) (*autoscaling.RecordLifecycleActionHeartbeatOutput, error) {
	return wire.Call[autoscaling.RecordLifecycleActionHeartbeatOutput](ctx, c.api, in)
}

func (c scaling) CompleteLifecycleAction(
	ctx context.Context, in *autoscaling.CompleteLifecycleActionInput, _ ...func(*autoscaling.Options),
) (*autoscaling.CompleteLifecycleActionOutput, error) {
	return wire.Call[autoscaling.CompleteLifecycleActionOutput](ctx, c.api, in)
}

func (c scaling) SetDesiredCapacity(
	ctx context.Context, in *autoscaling.SetDesiredCapacityInput, _ ...func(*autoscaling.Options),
) (*autoscaling.SetDesiredCapacityOutput, error) {
	return wire.Call[autoscaling.SetDesiredCapacityOutput](ctx, c.api, in)
}

func (c scaling) TerminateInstanceInAutoScalingGroup(
	ctx context.Context, in *autoscaling.TerminateInstanceInAutoScalingGroupInput, _ ...func(*autoscaling.Options),
) (*autoscaling.TerminateInstanceInAutoScalingGroupOutput, error) {
	return wire.Call[autoscaling.TerminateInstanceInAutoScalingGroupOutput](ctx, c.api, in)
}

func (c container) PutAttributes(ctx context.Context, in *ecs.PutAttributesInput, _ ...func(*ecs.Options)) (*ecs.PutAttributesOutput, error) {
	return wire.Call[ecs.PutAttributesOutput](ctx, c.api, in)
}

func (c container) DeleteAttributes(ctx context.Context, in *ecs.DeleteAttributesInput, _ ...func(*ecs.Options)) (*ecs.DeleteAttributesOutput, error) {
	return wire.Call[ecs.DeleteAttributesOutput](ctx, c.api, in)
}

func (c container) StopTask(ctx context.Context, in *ecs.StopTaskInput, _ ...func(*ecs.Options)) (*ecs.StopTaskOutput, error) {
	return wire.Call[ecs.StopTaskOutput](ctx, c.api, in)
}

func (c container) TagResource(ctx context.Context, in *ecs.TagResourceInput, _ ...func(*ecs.Options)) (*ecs.TagResourceOutput, error) {
	return wire.Call[ecs.TagResourceOutput](ctx, c.api, in)
}

func (c container) DescribeClusters(ctx context.Context, in *ecs.DescribeClustersInput, _ ...func(*ecs.Options)) (*ecs.DescribeClustersOutput, error) {
	return wire.Call[ecs.DescribeClustersOutput](ctx, c.api, in)
}

func (c container) ListClusters(ctx context.Context, in *ecs.ListClustersInput, _ ...func(*ecs.Options)) (*ecs.ListClustersOutput, error) {
	return wire.Call[ecs.ListClustersOutput](ctx, c.api, in)
}

func (c container) ListContainerInstances(
	ctx context.Context, in *ecs.ListContainerInstancesInput, _ ...func(*ecs.Options),
) (*ecs.ListContainerInstancesOutput, error) {
	return wire.Call[ecs.ListContainerInstancesOutput](ctx, c.api, in)
}

func (c container) DescribeContainerInstances(
	ctx context.Context, in *ecs.DescribeContainerInstancesInput, _ ...func(*ecs.Options),
) (*ecs.DescribeContainerInstancesOutput, error) {
	return wire.Call[ecs.DescribeContainerInstancesOutput](ctx, c.api, in)
}

func (c container) UpdateContainerInstancesState(
	ctx context.Context, in *ecs.UpdateContainerInstancesStateInput, _ ...func(*ecs.Options),
) (*ecs.UpdateContainerInstancesStateOutput, error) {
	return wire.Call[ecs.UpdateContainerInstancesStateOutput](ctx, c.api, in)
}

func (c container) ListTasks(ctx context.Context, in *ecs.ListTasksInput, _ ...func(*ecs.Options)) (*ecs.ListTasksOutput, error) {
	return wire.Call[ecs.ListTasksOutput](ctx, c.api, in)
}

func (c container) DescribeTasks(ctx context.Context, in *ecs.DescribeTasksInput, _ ...func(*ecs.Options)) (*ecs.DescribeTasksOutput, error) {
	return wire.Call[ecs.DescribeTasksOutput](ctx, c.api, in)
}

func (c container) UpdateService(ctx context.Context, in *ecs.UpdateServiceInput, _ ...func(*ecs.Options)) (*ecs.UpdateServiceOutput, error) {
	return wire.Call[ecs.UpdateServiceOutput](ctx, c.api, in)
}
func (c container) DescribeServices(ctx context.Context, in *ecs.DescribeServicesInput, _ ...func(*ecs.Options)) (*ecs.DescribeServicesOutput, error) {
	return wire.Call[ecs.DescribeServicesOutput](ctx, c.api, in)
}

func (c container) DescribeServiceRevisions(
	ctx context.Context, in *ecs.DescribeServiceRevisionsInput, _ ...func(*ecs.Options),
) (*ecs.DescribeServiceRevisionsOutput, error) {
	return wire.Call[ecs.DescribeServiceRevisionsOutput](ctx, c.api, in)
}

func (c balancing) DescribeTargetGroups(
	ctx context.Context, in *elb.DescribeTargetGroupsInput, _ ...func(*elb.Options),
) (*elb.DescribeTargetGroupsOutput, error) {
	return wire.Call[elb.DescribeTargetGroupsOutput](ctx, c.api, in)
}

func (c balancing) DescribeTargetGroupAttributes(
	ctx context.Context, in *elb.DescribeTargetGroupAttributesInput, _ ...func(*elb.Options),
) (*elb.DescribeTargetGroupAttributesOutput, error) {
	return wire.Call[elb.DescribeTargetGroupAttributesOutput](ctx, c.api, in)
}

func (c balancing) DescribeTargetHealth(
	ctx context.Context, in *elb.DescribeTargetHealthInput, _ ...func(*elb.Options),
) (*elb.DescribeTargetHealthOutput, error) {
	return wire.Call[elb.DescribeTargetHealthOutput](ctx, c.api, in)
}

func (c balancing) DeregisterTargets(ctx context.Context, in *elb.DeregisterTargetsInput, _ ...func(*elb.Options)) (*elb.DeregisterTargetsOutput, error) {
	return wire.Call[elb.DeregisterTargetsOutput](ctx, c.api, in)
}

func (c queueing) ReceiveMessage(ctx context.Context, in *sqs.ReceiveMessageInput, _ ...func(*sqs.Options)) (*sqs.ReceiveMessageOutput, error) {
	return wire.Call[sqs.ReceiveMessageOutput](ctx, c.api, in)
}

func (c queueing) DeleteMessage(ctx context.Context, in *sqs.DeleteMessageInput, _ ...func(*sqs.Options)) (*sqs.DeleteMessageOutput, error) {
	return wire.Call[sqs.DeleteMessageOutput](ctx, c.api, in)
}

func (c queueing) DeleteMessageBatch(ctx context.Context, in *sqs.DeleteMessageBatchInput, _ ...func(*sqs.Options)) (*sqs.DeleteMessageBatchOutput, error) {
	return wire.Call[sqs.DeleteMessageBatchOutput](ctx, c.api, in)
}

func (c queueing) ChangeMessageVisibilityBatch(
	ctx context.Context, in *sqs.ChangeMessageVisibilityBatchInput, _ ...func(*sqs.Options),
) (*sqs.ChangeMessageVisibilityBatchOutput, error) {
	return wire.Call[sqs.ChangeMessageVisibilityBatchOutput](ctx, c.api, in)
}

func (c queueing) GetQueueAttributes(ctx context.Context, in *sqs.GetQueueAttributesInput, _ ...func(*sqs.Options)) (*sqs.GetQueueAttributesOutput, error) {
	return wire.Call[sqs.GetQueueAttributesOutput](ctx, c.api, in)
}

func (c watching) DescribeAlarms(
	ctx context.Context, in *cloudwatch.DescribeAlarmsInput, _ ...func(*cloudwatch.Options),
) (*cloudwatch.DescribeAlarmsOutput, error) {
	return wire.Call[cloudwatch.DescribeAlarmsOutput](ctx, c.api, in)
}

func (c watching) GetMetricData(
	ctx context.Context, in *cloudwatch.GetMetricDataInput, _ ...func(*cloudwatch.Options),
) (*cloudwatch.GetMetricDataOutput, error) {
	return wire.Call[cloudwatch.GetMetricDataOutput](ctx, c.api, in)
}

func (c watching) ListAlarmMuteRules(
	ctx context.Context, in *cloudwatch.ListAlarmMuteRulesInput, _ ...func(*cloudwatch.Options),
) (*cloudwatch.ListAlarmMuteRulesOutput, error) {
	return wire.Call[cloudwatch.ListAlarmMuteRulesOutput](ctx, c.api, in)
}

func (c adjusting) DescribeScalableTargets(
	ctx context.Context, in *aas.DescribeScalableTargetsInput, _ ...func(*aas.Options),
) (*aas.DescribeScalableTargetsOutput, error) {
	return wire.Call[aas.DescribeScalableTargetsOutput](ctx, c.api, in)
}

func (c adjusting) DescribeScalingPolicies(
	ctx context.Context, in *aas.DescribeScalingPoliciesInput, _ ...func(*aas.Options),
) (*aas.DescribeScalingPoliciesOutput, error) {
	return wire.Call[aas.DescribeScalingPoliciesOutput](ctx, c.api, in)
}
