package wire

import (
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	eb "github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

// resource is what IAM checks an action against: an ARN, or * for an action that AWS knows no resource of, and the condition keys of the call,
// by their names in small letters.
//
// The kinds and keys of each operation are those of the Service Authorization Reference, as it was in September 2026:
// https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
type resource struct {
	kind, arn string
	keys      map[string]string
}

// nothing is what calls are checked against whose resource AWS does not check.
func nothing() []resource { return []resource{{kind: "*", arn: "*"}} }

// pattern is the ARN with a * for what only names one of many.
func (r resource) pattern() string {
	switch r.kind {
	case "container-instance", "task", "targetgroup", "instance":
		return r.arn[:strings.LastIndexByte(r.arn, '/')+1] + "*"
	case "task-definition":
		return r.arn[:strings.LastIndexByte(r.arn, ':')+1] + "*"
	case "autoScalingGroup":
		if parts := strings.Split(r.arn, ":"); len(parts) == 8 {
			parts[6] = "*"
			return strings.Join(parts, ":")
		}
	}
	return r.arn
}

func (a *API) arn(service, resource string) string {
	return "arn:aws:" + service + ":" + a.Region + ":" + a.Account + ":" + resource
}

// resourcesOf are the resources that a request names. An id becomes an ARN as AWS would make it; an ARN is taken as it stands.
func (a *API) resourcesOf(req Request) []resource {
	switch req.Service {
	case "autoscaling":
		return a.scalingResources(req.Input)
	case "ecs":
		return a.ecsResources(req.Input)
	case "elasticloadbalancing":
		return targetGroupResources(req.Input)
	case "ec2":
		return a.ec2Resources(req)
	case "sqs":
		return a.queueResources(req.Input)
	case "sns":
		return a.topicResources(req.Input)
	case "events":
		return a.ruleResources(req.Input)
	}
	return nothing()
}

// scalingResources: what acts on a group is checked against it and its tags; nothing that describes is.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2autoscaling.html
func (a *API) scalingResources(in any) []resource {
	switch in := in.(type) {
	case *autoscaling.CompleteLifecycleActionInput:
		return a.group(in.AutoScalingGroupName)
	case *autoscaling.RecordLifecycleActionHeartbeatInput:
		return a.group(in.AutoScalingGroupName)
	case *autoscaling.PutLifecycleHookInput:
		return a.group(in.AutoScalingGroupName)
	case *autoscaling.DeleteLifecycleHookInput:
		return a.group(in.AutoScalingGroupName)
	case *autoscaling.SetDesiredCapacityInput:
		return a.group(in.AutoScalingGroupName)
	case *autoscaling.UpdateAutoScalingGroupInput:
		return a.group(in.AutoScalingGroupName)
	case *autoscaling.SetInstanceProtectionInput:
		return a.group(in.AutoScalingGroupName)
	case *autoscaling.SetInstanceHealthInput:
		return a.groupOf(deref(in.InstanceId))
	case *autoscaling.TerminateInstanceInAutoScalingGroupInput:
		if in.AutoScalingGroupName != nil {
			return a.group(in.AutoScalingGroupName)
		}
		return a.groupOf(only(in.InstanceIds, deref(in.InstanceId)))
	}
	return nothing()
}

// group is a group by name. The id in the ARN of one that is not there is unknown; AWS's own answer to that is not documented.
func (a *API) group(name *string) []resource {
	found := a.World.DescribeAutoScalingGroups([]string{deref(name)})
	if len(found) == 0 {
		return []resource{{kind: "autoScalingGroup", arn: a.arn("autoscaling", "autoScalingGroup:*:autoScalingGroupName/"+deref(name))}}
	}
	r := resource{kind: "autoScalingGroup", arn: found[0].ARN, keys: map[string]string{}}
	for k, v := range found[0].Tags { //ebb:any-order each has its own place
		r.keys["aws:resourcetag/"+strings.ToLower(k)], r.keys["autoscaling:resourcetag/"+strings.ToLower(k)] = v, v
	}
	return []resource{r}
}

func (a *API) groupOf(instance string) []resource {
	found := a.World.DescribeAutoScalingInstances([]string{instance})
	if len(found) == 0 {
		return a.group(nil)
	}
	return a.group(&found[0].Group)
}

// targetGroupResources: what acts is checked against the target group; nothing that describes is.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_awselasticloadbalancingv2.html
func targetGroupResources(in any) []resource {
	var arn *string
	switch in := in.(type) {
	case *elb.DeregisterTargetsInput:
		arn = in.TargetGroupArn
	case *elb.RegisterTargetsInput:
		arn = in.TargetGroupArn
	case *elb.ModifyTargetGroupAttributesInput:
		arn = in.TargetGroupArn
	default:
		return nothing()
	}
	return []resource{{kind: "targetgroup", arn: deref(arn)}}
}

// ec2Resources: instances are checked one by one; nothing that describes is.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2.html
func (a *API) ec2Resources(req Request) []resource {
	in, ok := req.Input.(*changeInstancesInput)
	if !ok {
		return nothing()
	}
	return mapped(in.InstanceIds, func(id string) resource { return resource{kind: "instance", arn: a.arn("ec2", "instance/"+id)} })
}

// queueResources: all is checked against the queue. AWS's refusal of ListQueues names the ARN of a queue without a name.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsqs.html
func (a *API) queueResources(in any) []resource {
	var name string
	switch in := in.(type) {
	case *sqs.CreateQueueInput:
		name = deref(in.QueueName)
	case *sqs.GetQueueUrlInput:
		name = deref(in.QueueName)
	case *sqs.ListQueuesInput:
		return []resource{{kind: "*", arn: a.arn("sqs", "")}}
	default:
		name = queueName(urlOf(in))
	}
	return []resource{{kind: "queue", arn: a.arn("sqs", name)}}
}

func urlOf(in any) *string {
	switch in := in.(type) {
	case *sqs.GetQueueAttributesInput:
		return in.QueueUrl
	case *sqs.SetQueueAttributesInput:
		return in.QueueUrl
	case *sqs.DeleteQueueInput:
		return in.QueueUrl
	case *sqs.PurgeQueueInput:
		return in.QueueUrl
	case *sqs.SendMessageInput:
		return in.QueueUrl
	case *sqs.SendMessageBatchInput:
		return in.QueueUrl
	case *sqs.ReceiveMessageInput:
		return in.QueueUrl
	case *sqs.DeleteMessageInput:
		return in.QueueUrl
	case *sqs.DeleteMessageBatchInput:
		return in.QueueUrl
	case *sqs.ChangeMessageVisibilityInput:
		return in.QueueUrl
	case *sqs.ChangeMessageVisibilityBatchInput:
		return in.QueueUrl
	}
	return nil
}

// topicResources: all but ListTopics is checked against the topic.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsns.html
func (a *API) topicResources(in any) []resource {
	var arn string
	switch in := in.(type) {
	case *sns.CreateTopicInput:
		arn = a.arn("sns", deref(in.Name))
	case *sns.SubscribeInput:
		arn = deref(in.TopicArn)
	case *sns.ListSubscriptionsByTopicInput:
		arn = deref(in.TopicArn)
	case *sns.PublishInput:
		arn = deref(in.TopicArn)
	default:
		return nothing()
	}
	return []resource{{kind: "topic", arn: arn}}
}

// ruleResources: rules are those of the default bus; what lists rules is not checked against one.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoneventbridge.html
func (a *API) ruleResources(in any) []resource {
	var name *string
	switch in := in.(type) {
	case *eb.PutRuleInput:
		name = in.Name
	case *eb.DescribeRuleInput:
		name = in.Name
	case *eb.DeleteRuleInput:
		name = in.Name
	case *eb.PutTargetsInput:
		name = in.Rule
	case *eb.ListTargetsByRuleInput:
		name = in.Rule
	case *eb.RemoveTargetsInput:
		name = in.Rule
	case *eb.PutEventsInput:
		return []resource{{kind: "event-bus", arn: a.arn("events", "event-bus/default")}}
	default:
		return nothing()
	}
	return []resource{{kind: "rule", arn: a.arn("events", "rule/"+deref(name))}}
}
