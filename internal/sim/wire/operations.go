package wire

import (
	"context"
	"maps"
	"slices"
	"strings"
)

// operation is one operation as HTTP needs it.
type operation struct {
	service, name string
	input         func() any // a pointer to a new request
	run           func(ctx context.Context, in any) (out any, err error)
}

// op makes an operation of a method. Methods are named one by one, and not found by reflection, so that the linker can still drop
// the methods that nobody calls.
func op[In, Out, Options any](service, name string, method func(context.Context, *In, ...func(*Options)) (*Out, error)) operation {
	return operation{
		service: service, name: name,
		input: func() any { return new(In) },
		run: func(ctx context.Context, in any) (any, error) {
			out, err := method(ctx, in.(*In))
			if err != nil {
				return nil, err
			}
			return out, nil
		},
	}
}

// operations are all that the simulated cloud knows, by "ecs.ListTasks".
func (a *API) operations() map[string]operation {
	all := map[string]operation{}
	for _, o := range slices.Concat(a.scalingOperations(), a.ecsOperations(), a.messageOperations(), a.otherOperations()) {
		all[o.service+"."+o.name] = o
	}
	return all
}

func (a *API) scalingOperations() []operation {
	s := a.AutoScaling()
	return []operation{
		op("autoscaling", "DescribeAutoScalingGroups", s.DescribeAutoScalingGroups),
		op("autoscaling", "DescribeAutoScalingInstances", s.DescribeAutoScalingInstances),
		op("autoscaling", "DescribeLifecycleHooks", s.DescribeLifecycleHooks),
		op("autoscaling", "DescribeLifecycleHookTypes", s.DescribeLifecycleHookTypes),
		op("autoscaling", "DescribeScalingActivities", s.DescribeScalingActivities),
		op("autoscaling", "DescribeLaunchConfigurations", s.DescribeLaunchConfigurations),
		op("autoscaling", "DescribeInstanceRefreshes", s.DescribeInstanceRefreshes),
		op("autoscaling", "PutLifecycleHook", s.PutLifecycleHook),
		op("autoscaling", "DeleteLifecycleHook", s.DeleteLifecycleHook),
		op("autoscaling", "CompleteLifecycleAction", s.CompleteLifecycleAction),
		op("autoscaling", "RecordLifecycleActionHeartbeat", s.RecordLifecycleActionHeartbeat),
		op("autoscaling", "TerminateInstanceInAutoScalingGroup", s.TerminateInstanceInAutoScalingGroup),
		op("autoscaling", "SetDesiredCapacity", s.SetDesiredCapacity),
		op("autoscaling", "UpdateAutoScalingGroup", s.UpdateAutoScalingGroup),
		op("autoscaling", "SetInstanceProtection", s.SetInstanceProtection),
		op("autoscaling", "SetInstanceHealth", s.SetInstanceHealth),
	}
}

func (a *API) ecsOperations() []operation {
	s := a.ECS()
	return []operation{
		op("ecs", "ListClusters", s.ListClusters),
		op("ecs", "DescribeClusters", s.DescribeClusters),
		op("ecs", "ListContainerInstances", s.ListContainerInstances),
		op("ecs", "DescribeContainerInstances", s.DescribeContainerInstances),
		op("ecs", "UpdateContainerInstancesState", s.UpdateContainerInstancesState),
		op("ecs", "DeregisterContainerInstance", s.DeregisterContainerInstance),
		op("ecs", "ListTasks", s.ListTasks),
		op("ecs", "DescribeTasks", s.DescribeTasks),
		op("ecs", "DescribeTaskDefinition", s.DescribeTaskDefinition),
		op("ecs", "DescribeCapacityProviders", s.DescribeCapacityProviders),
		op("ecs", "PutAttributes", s.PutAttributes),
		op("ecs", "DeleteAttributes", s.DeleteAttributes),
		op("ecs", "ListAttributes", s.ListAttributes),
		op("ecs", "ListServices", s.ListServices),
		op("ecs", "DescribeServices", s.DescribeServices),
		op("ecs", "UpdateService", s.UpdateService),
		op("ecs", "RunTask", s.RunTask),
		op("ecs", "StopTask", s.StopTask),
		op("ecs", "GetTaskProtection", s.GetTaskProtection),
		op("ecs", "UpdateTaskProtection", s.UpdateTaskProtection),
	}
}

func (a *API) messageOperations() []operation {
	q, n, e := a.SQS(), a.SNS(), a.Events()
	return []operation{
		op("sqs", "CreateQueue", q.CreateQueue),
		op("sqs", "GetQueueUrl", q.GetQueueUrl),
		op("sqs", "GetQueueAttributes", q.GetQueueAttributes),
		op("sqs", "SetQueueAttributes", q.SetQueueAttributes),
		op("sqs", "ListQueues", q.ListQueues),
		op("sqs", "DeleteQueue", q.DeleteQueue),
		op("sqs", "PurgeQueue", q.PurgeQueue),
		op("sqs", "SendMessage", q.SendMessage),
		op("sqs", "SendMessageBatch", q.SendMessageBatch),
		op("sqs", "ReceiveMessage", q.ReceiveMessage),
		op("sqs", "DeleteMessage", q.DeleteMessage),
		op("sqs", "DeleteMessageBatch", q.DeleteMessageBatch),
		op("sqs", "ChangeMessageVisibility", q.ChangeMessageVisibility),
		op("sqs", "ChangeMessageVisibilityBatch", q.ChangeMessageVisibilityBatch),
		op("sns", "CreateTopic", n.CreateTopic),
		op("sns", "ListTopics", n.ListTopics),
		op("sns", "Subscribe", n.Subscribe),
		op("sns", "ListSubscriptionsByTopic", n.ListSubscriptionsByTopic),
		op("sns", "Publish", n.Publish),
		op("events", "PutRule", e.PutRule),
		op("events", "ListRules", e.ListRules),
		op("events", "DescribeRule", e.DescribeRule),
		op("events", "DeleteRule", e.DeleteRule),
		op("events", "PutTargets", e.PutTargets),
		op("events", "ListTargetsByRule", e.ListTargetsByRule),
		op("events", "ListRuleNamesByTarget", e.ListRuleNamesByTarget),
		op("events", "RemoveTargets", e.RemoveTargets),
		op("events", "PutEvents", e.PutEvents),
	}
}

func (a *API) otherOperations() []operation {
	l, s, c := a.ELB(), a.STS(), a.EC2()
	return []operation{
		op("elasticloadbalancing", "DescribeTargetGroups", l.DescribeTargetGroups),
		op("elasticloadbalancing", "DescribeTargetGroupAttributes", l.DescribeTargetGroupAttributes),
		op("elasticloadbalancing", "ModifyTargetGroupAttributes", l.ModifyTargetGroupAttributes),
		op("elasticloadbalancing", "DescribeTargetHealth", l.DescribeTargetHealth),
		op("elasticloadbalancing", "RegisterTargets", l.RegisterTargets),
		op("elasticloadbalancing", "DeregisterTargets", l.DeregisterTargets),
		op("sts", "GetCallerIdentity", s.GetCallerIdentity),
		op("ec2", "DescribeInstances", c.describeInstances),
		op("ec2", "DescribeInstanceTypes", c.describeTypes),
		op("ec2", "DescribeLaunchTemplateVersions", c.describeTemplate),
		op("ec2", "TerminateInstances", c.terminateInstances),
		op("ec2", "StopInstances", c.stopInstances),
	}
}

// knownIn lists the operations of a service, for the answer to an unknown one.
func knownIn(all map[string]operation, service string) string {
	var names []string
	for _, key := range slices.Sorted(maps.Keys(all)) {
		if all[key].service == service {
			names = append(names, all[key].name)
		}
	}
	return strings.Join(names, ", ")
}
