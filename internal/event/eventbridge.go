package event

import (
	"strings"

	"github.com/ebbhq/ebb/internal/fleet"
)

// parseEventBridge reads an EventBridge event. Only AWS can send events whose source begins with "aws.", so the source is
// part of what is recognised.
// https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-event-reference.html
func parseEventBridge(f *fields) Event {
	source, detailType := f.str("source"), f.str("detail-type")
	var e Event
	switch {
	case len(f.problems) > 0:
	case source == "aws.autoscaling":
		e = parseAutoScalingEvent(f, detailType)
	default:
		e = otherEvent(f, source, detailType)
	}
	e.Account, e.Time = f.str("account"), f.time("time")
	if e.Kind == InstanceEnds {
		e.Ends = ends(e)
	}
	e = f.or(e)
	if e.Kind == Unknown {
		return Event{Kind: Unknown, Why: e.Why}
	}
	return e
}

func parseAutoScalingEvent(f *fields, detailType string) Event {
	switch detailType {
	case "EC2 Instance-terminate Lifecycle Action":
		return parseAction(f, fleet.TerminatingTransit)
	case "EC2 Instance-launch Lifecycle Action":
		return parseAction(f, fleet.Launching)
	case "EC2 Instance Launch Successful", "EC2 Instance Launch Unsuccessful",
		"EC2 Instance Terminate Successful", "EC2 Instance Terminate Unsuccessful":
		detail := f.object("detail")
		e := Event{Kind: ScalingNotification, Group: detail.str("AutoScalingGroupName"), Instance: fleet.InstanceID(detail.str("EC2InstanceId"))}
		return detail.or(e)
	}
	if strings.HasPrefix(detailType, "EC2 Auto Scaling Instance Refresh ") {
		return Event{Kind: Ignored, Why: "an instance refresh replaces its instances one by one, and each comes as a lifecycle action of its own"}
	}
	return unknown("Ebb knows no EventBridge detail-type %s of aws.autoscaling", quote(detailType))
}

// parseAction reads the detail of a lifecycle action. The transition is in the detail-type; where the detail names one too,
// it must be the same.
func parseAction(f *fields, transition string) Event {
	detail := f.object("detail")
	if said := detail.str("LifecycleTransition"); said != "" && said != transition {
		detail.problem(`the field "detail.LifecycleTransition" is %s, but the detail-type means %s`, quote(said), transition)
	}
	if len(f.problems) > 0 {
		return Event{}
	}
	return parseLifecycle(detail, transition)
}

// otherEvent reads the notices of other AWS services, and sorts the rest into what Ebb knows but does not need, and what it does not know.
func otherEvent(f *fields, source, detailType string) Event {
	switch source + ": " + detailType {
	case "aws.ecs: ECS Task State Change":
		return parseTaskChange(f)
	case "aws.ecs: ECS Container Instance State Change", "aws.ecs: ECS Service Action", "aws.ecs: ECS Deployment State Change":
		return Event{Kind: Ignored, Why: asksECS}
	case "aws.ec2: EC2 Spot Instance Interruption Warning":
		return parseInstance(f, InstanceEnds)
	case "aws.ec2: EC2 Instance Rebalance Recommendation":
		return parseInstance(f, Rebalance)
	case "aws.ec2: EC2 Instance State-change Notification":
		return parseInstance(f, InstanceState)
	case "aws.health: AWS Health Event":
		return parseHealth(f)
	case "aws.cloudwatch: CloudWatch Alarm State Change", "aws.cloudwatch: CloudWatch Alarm Contributor State Change",
		"aws.cloudwatch: CloudWatch Alarm Configuration Change":
		return parseAlarmEvent(f)
	}
	return unknown("the EventBridge event has source %s and detail-type %s, which Ebb does not know", quote(source), quote(detailType))
}
