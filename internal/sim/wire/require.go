package wire

import (
	"reflect"
	"strings"
	"unicode"

	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// member is one member of a request, by its name in AWS's API.
type member struct {
	name  string
	value any
}

// missing returns the name of the first member that the request lacks, empty if there is none.
func missing(members []member) string {
	for _, m := range members {
		v := reflect.ValueOf(m.value)
		if v.Kind() == reflect.Pointer && !v.IsNil() && v.Elem().Kind() == reflect.String {
			v = v.Elem()
		}
		if v.IsZero() || v.Kind() == reflect.Slice && v.Len() == 0 {
			return m.name
		}
	}
	return ""
}

// requireQuery refuses as the services of the query protocol do.
func requireQuery(members ...member) error {
	name := missing(members)
	if name == "" {
		return nil
	}
	first := string(unicode.ToLower(rune(name[0]))) + name[1:]
	return refuse("ValidationError", "1 validation error detected: Value null at '%s' failed to satisfy constraint: Member must not be null", first)
}

// requireECS refuses as ECS does.
func requireECS(members ...member) error {
	name := missing(members)
	if name == "" {
		return nil
	}
	return refuse("InvalidParameterException", "%s cannot be empty.", strings.ToUpper(name[:1])+name[1:])
}

// requireSQS refuses as SQS does.
func requireSQS(members ...member) error {
	if name := missing(members); name != "" {
		return refuse("MissingParameter", "The request must contain the parameter %s.", name)
	}
	return nil
}

// requireEvents refuses as EventBridge does.
func requireEvents(members ...member) error {
	name := missing(members)
	if name == "" {
		return nil
	}
	first := string(unicode.ToLower(rune(name[0]))) + name[1:]
	return refuse("ValidationException", "1 validation error detected: Value null at '%s' failed to satisfy constraint: Member must not be null", first)
}

// tokenOf is the token of the page that a request asks for.
func tokenOf(in any) string {
	var token *string
	switch in := in.(type) {
	case *autoscaling.DescribeAutoScalingGroupsInput:
		token = in.NextToken
	case *autoscaling.DescribeAutoScalingInstancesInput:
		token = in.NextToken
	case *autoscaling.DescribeScalingActivitiesInput:
		token = in.NextToken
	case *ecs.ListClustersInput:
		token = in.NextToken
	case *ecs.ListContainerInstancesInput:
		token = in.NextToken
	case *ecs.DescribeCapacityProvidersInput:
		token = in.NextToken
	case *ecs.ListAttributesInput:
		token = in.NextToken
	case *autoscaling.DescribeLaunchConfigurationsInput:
		token = in.NextToken
	case *autoscaling.DescribeInstanceRefreshesInput:
		token = in.NextToken
	case *eventbridge.ListRuleNamesByTargetInput:
		token = in.NextToken
	case *describeTypesInput:
		token = in.NextToken
	case *ecs.ListServicesInput:
		token = in.NextToken
	case *ecs.ListTasksInput:
		token = in.NextToken
	case *elasticloadbalancingv2.DescribeTargetGroupsInput:
		token = in.Marker
	case *eventbridge.ListRulesInput:
		token = in.NextToken
	case *eventbridge.ListTargetsByRuleInput:
		token = in.NextToken
	case *sns.ListTopicsInput:
		token = in.NextToken
	case *sns.ListSubscriptionsByTopicInput:
		token = in.NextToken
	case *sqs.ListQueuesInput:
		token = in.NextToken
	case *describeInstancesInput:
		token = in.NextToken
	}
	return deref(token)
}

// subject is what a request is about, for the record of the call.
func subject(in any) core.Entry {
	switch in := in.(type) {
	case *autoscaling.CompleteLifecycleActionInput:
		return core.Entry{Group: deref(in.AutoScalingGroupName), Hook: deref(in.LifecycleHookName), Instance: deref(in.InstanceId)}
	case *autoscaling.RecordLifecycleActionHeartbeatInput:
		return core.Entry{Group: deref(in.AutoScalingGroupName), Hook: deref(in.LifecycleHookName), Instance: deref(in.InstanceId)}
	case *autoscaling.PutLifecycleHookInput:
		return core.Entry{Group: deref(in.AutoScalingGroupName), Hook: deref(in.LifecycleHookName)}
	case *autoscaling.DeleteLifecycleHookInput:
		return core.Entry{Group: deref(in.AutoScalingGroupName), Hook: deref(in.LifecycleHookName)}
	case *autoscaling.TerminateInstanceInAutoScalingGroupInput:
		return core.Entry{Group: deref(in.AutoScalingGroupName), Instance: only(in.InstanceIds, deref(in.InstanceId))}
	case *autoscaling.DescribeAutoScalingInstancesInput:
		return core.Entry{Instance: only(in.InstanceIds, "")}
	case *autoscaling.DescribeAutoScalingGroupsInput:
		return core.Entry{Group: only(in.AutoScalingGroupNames, "")}
	case *autoscaling.DescribeLifecycleHooksInput:
		return core.Entry{Group: deref(in.AutoScalingGroupName), Hook: only(in.LifecycleHookNames, "")}
	case *autoscaling.DescribeInstanceRefreshesInput:
		return core.Entry{Group: deref(in.AutoScalingGroupName)}
	case *autoscaling.SetDesiredCapacityInput:
		return core.Entry{Group: deref(in.AutoScalingGroupName)}
	case *autoscaling.UpdateAutoScalingGroupInput:
		return core.Entry{Group: deref(in.AutoScalingGroupName)}
	case *autoscaling.SetInstanceProtectionInput:
		return core.Entry{Group: deref(in.AutoScalingGroupName), Instance: only(in.InstanceIds, "")}
	case *autoscaling.SetInstanceHealthInput:
		return core.Entry{Instance: deref(in.InstanceId)}
	case *describeInstancesInput:
		return core.Entry{Instance: only(in.InstanceIds, "")}
	case *changeInstancesInput:
		return core.Entry{Instance: only(in.InstanceIds, "")}
	}
	return subjectECS(in)
}

func subjectECS(in any) core.Entry {
	switch in := in.(type) {
	case *ecs.DescribeContainerInstancesInput:
		return core.Entry{Cluster: deref(in.Cluster), ContainerInstance: only(in.ContainerInstances, "")}
	case *ecs.UpdateContainerInstancesStateInput:
		return core.Entry{Cluster: deref(in.Cluster), ContainerInstance: only(in.ContainerInstances, "")}
	case *ecs.DeregisterContainerInstanceInput:
		return core.Entry{Cluster: deref(in.Cluster), ContainerInstance: deref(in.ContainerInstance)}
	case *ecs.DescribeCapacityProvidersInput:
		return core.Entry{Cluster: deref(in.Cluster)}
	case *ecs.PutAttributesInput:
		return core.Entry{Cluster: deref(in.Cluster)}
	case *ecs.DeleteAttributesInput:
		return core.Entry{Cluster: deref(in.Cluster)}
	case *ecs.ListAttributesInput:
		return core.Entry{Cluster: deref(in.Cluster)}
	case *ecs.GetTaskProtectionInput:
		return core.Entry{Cluster: deref(in.Cluster), Task: only(in.Tasks, "")}
	case *ecs.ListContainerInstancesInput:
		return core.Entry{Cluster: deref(in.Cluster)}
	case *ecs.ListTasksInput:
		return core.Entry{Cluster: deref(in.Cluster), ContainerInstance: deref(in.ContainerInstance), Service: deref(in.ServiceName)}
	case *ecs.DescribeTasksInput:
		return core.Entry{Cluster: deref(in.Cluster), Task: only(in.Tasks, "")}
	case *ecs.StopTaskInput:
		return core.Entry{Cluster: deref(in.Cluster), Task: deref(in.Task)}
	case *ecs.UpdateTaskProtectionInput:
		return core.Entry{Cluster: deref(in.Cluster), Task: only(in.Tasks, "")}
	case *ecs.UpdateServiceInput:
		return core.Entry{Cluster: deref(in.Cluster), Service: deref(in.Service)}
	case *ecs.DescribeServicesInput:
		return core.Entry{Cluster: deref(in.Cluster), Service: only(in.Services, "")}
	case *elasticloadbalancingv2.DescribeTargetHealthInput:
		return core.Entry{TargetGroup: deref(in.TargetGroupArn)}
	case *elasticloadbalancingv2.DeregisterTargetsInput:
		return core.Entry{TargetGroup: deref(in.TargetGroupArn)}
	case *elasticloadbalancingv2.RegisterTargetsInput:
		return core.Entry{TargetGroup: deref(in.TargetGroupArn)}
	case *sqs.ReceiveMessageInput:
		return core.Entry{Queue: queueName(in.QueueUrl)}
	case *sqs.DeleteMessageInput:
		return core.Entry{Queue: queueName(in.QueueUrl)}
	case *sqs.DeleteMessageBatchInput:
		return core.Entry{Queue: queueName(in.QueueUrl)}
	case *sqs.SendMessageInput:
		return core.Entry{Queue: queueName(in.QueueUrl)}
	}
	return core.Entry{}
}

// only is the one element of ids, or otherwise other: an entry of the record names one thing.
func only(ids []string, other string) string {
	if len(ids) == 1 {
		return ids[0]
	}
	return other
}

func deref[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

// optional is a pointer to s, or nil if s is empty, for members that AWS leaves out.
func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// mapped applies f to all. The result is never nil: AWS answers with empty lists, not without them.
func mapped[A, B any](all []A, f func(A) B) []B {
	out := make([]B, 0, len(all))
	for _, x := range all {
		out = append(out, f(x))
	}
	return out
}
