package event

import (
	"github.com/ebbhq/ebb/internal/fleet"
)

const testNotification = "autoscaling:TEST_NOTIFICATION"

// parseLifecycle reads a lifecycle action: the body itself, or the detail of an EventBridge event. A missing token is fine,
// because an action can be answered by group, hook and instance.
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_CompleteLifecycleAction.html
func parseLifecycle(f *fields, transition string) Event {
	if transition == testNotification {
		return parseTest(f)
	}
	e := Event{
		Account:     f.str("AccountId"),
		Group:       f.name("AutoScalingGroupName"),
		Hook:        f.name("LifecycleHookName"),
		Instance:    f.instance("EC2InstanceId"),
		Token:       actionToken(f.str("LifecycleActionToken")),
		Destination: f.str("Destination"),
		Time:        f.time("Time"),
	}
	switch transition {
	case fleet.TerminatingTransit:
		e.Kind = TerminateAction
	case fleet.Launching:
		e.Kind = LaunchAction
	default:
		f.problem("the field %q is %s, which is no transition that Ebb knows", f.prefix+"LifecycleTransition", quote(transition))
	}
	return f.or(e)
}

// actionToken is the token of a lifecycle action. AWS's own have 36 characters and it refuses any other, so another one is left out: the
// instance id names the action too.
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_CompleteLifecycleAction.html
func actionToken(s string) string {
	if len(s) != 36 {
		return ""
	}
	return s
}

// parseTest reads the message that Auto Scaling sends when a notification target is set. It has no token, hook or instance.
func parseTest(f *fields) Event {
	return f.or(Event{
		Kind:    TestNotification,
		Account: f.str("AccountId"),
		Group:   f.str("AutoScalingGroupName"),
		Time:    f.time("Time"),
	})
}

// parseNotification reads a message with the field Event: a test, or a scaling notification of PutNotificationConfiguration,
// which people often send to the same topic.
// https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-sns-notifications.html
func parseNotification(f *fields) Event {
	switch name := f.str("Event"); name {
	case testNotification:
		return parseTest(f)
	case "autoscaling:EC2_INSTANCE_LAUNCH", "autoscaling:EC2_INSTANCE_LAUNCH_ERROR",
		"autoscaling:EC2_INSTANCE_TERMINATE", "autoscaling:EC2_INSTANCE_TERMINATE_ERROR":
		e := parseTest(f)
		if e.Kind == TestNotification {
			e.Kind, e.Instance = ScalingNotification, fleet.InstanceID(f.str("EC2InstanceId"))
		}
		return f.or(e)
	default:
		if len(f.problems) == 0 {
			f.problem("the field \"Event\" is %s, which is no notification that Ebb knows", quote(name))
		}
	}
	return f.or(Event{})
}
