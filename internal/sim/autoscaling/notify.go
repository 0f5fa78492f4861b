package autoscaling

import (
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// lifecycleMessage is what Auto Scaling sends to a queue or topic.
// https://docs.aws.amazon.com/autoscaling/ec2/userguide/prepare-for-lifecycle-notifications.html
type lifecycleMessage struct {
	Origin               string
	Destination          string
	LifecycleHookName    string
	AccountID            string `json:"AccountId"`
	RequestID            string `json:"RequestId"`
	LifecycleTransition  string
	AutoScalingGroupName string
	Service              string
	Time                 string
	EC2InstanceID        string `json:"EC2InstanceId"`
	NotificationMetadata string `json:",omitempty"`
	LifecycleActionToken string
	Action               string `json:",omitempty"` // ReplaceRootVolume: of an instance refresh with that strategy
}

// lifecycleDetail is the detail of the EventBridge event of a lifecycle action.
// https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-event-reference.html
type lifecycleDetail struct {
	LifecycleActionToken string
	AutoScalingGroupName string
	LifecycleHookName    string
	EC2InstanceID        string `json:"EC2InstanceId"`
	LifecycleTransition  string
	NotificationMetadata string `json:",omitempty"`
	Origin               string
	Destination          string
	Action               string `json:",omitempty"`
}

// notify tells about a new action: always through EventBridge, and through the hook's target if it has one. Each way has its
// own delay and its own luck.
func (w *AutoScaling) notify(m *groupInstance, a *HookAction, h *Hook) {
	origin, destination, verb := "AutoScalingGroup", "EC2", "terminate"
	if h.Transition == TransitionLaunching {
		origin, destination, verb = "EC2", "AutoScalingGroup", "launch"
	}
	action := ""
	if m.refresh != "" { // documented for the terminating hook; the launching one after it is taken to say the same
		origin, destination, action = "AutoScalingGroup", "AutoScalingGroup", replaceRootVolume
	}
	about := core.Entry{Group: m.g.Name, Hook: h.Name, Instance: m.ID, Text: a.Token}
	detailType := "EC2 Instance-" + verb + " Lifecycle Action"
	if w.Bus.Wants("aws.autoscaling", detailType) {
		detail := lifecycleDetail{a.Token, m.g.Name, h.Name, m.ID, h.Transition, h.Metadata, origin, destination, action}
		w.Bus.Emit(about, "aws.autoscaling", detailType, []string{m.g.ARN}, detail)
	}
	if h.Target == "" {
		return
	}
	body := core.JSON(lifecycleMessage{
		Origin: origin, Destination: destination, LifecycleHookName: h.Name, AccountID: w.Account, RequestID: w.UUID(), LifecycleTransition: h.Transition,
		AutoScalingGroupName: m.g.Name, Service: "AWS Auto Scaling", Time: core.ISOMillis(w.Now()),
		EC2InstanceID: m.ID, NotificationMetadata: h.Metadata, LifecycleActionToken: a.Token, Action: action,
	})
	short := strings.TrimPrefix(h.Transition, "autoscaling:EC2_INSTANCE_")
	subject := "Auto Scaling:  Lifecycle action '" + short + "' for instance " + m.ID + " in progress."
	target := h.Target
	w.Deliver(about, func() { w.Post.Send(target, subject, body, about) })
}

// notifyTest sends the message by which Auto Scaling tries a target that was just set. It has no token, hook or instance.
func (w *AutoScaling) notifyTest(g *group, target string) {
	body := core.JSON(struct {
		AccountID            string `json:"AccountId"`
		RequestID            string `json:"RequestId"`
		AutoScalingGroupARN  string
		AutoScalingGroupName string
		Service              string
		Event                string
		Time                 string
	}{w.Account, w.UUID(), g.ARN, g.Name, "AWS Auto Scaling", "autoscaling:TEST_NOTIFICATION", core.ISOMillis(w.Now())})
	subject := `Auto Scaling: test notification for group "` + g.Name + `"`
	w.After(time.Second, func() { w.Post.Send(target, subject, body, core.Entry{Group: g.Name}) })
}

// emitTerminated tells EventBridge that a group has terminated an instance.
// https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-event-reference.html
func (w *AutoScaling) emitTerminated(m *groupInstance, a *Activity) {
	const detailType = "EC2 Instance Terminate Successful"
	if a == nil || !w.Bus.Wants("aws.autoscaling", detailType) {
		return
	}
	w.Bus.Emit(core.Entry{}, "aws.autoscaling", detailType, []string{m.g.ARN, w.ARN("ec2", "instance/"+m.ID)}, map[string]any{
		"StatusCode": "InProgress", "Description": a.Description, "AutoScalingGroupName": m.g.Name, "ActivityId": a.ID, "RequestId": a.ID,
		"Details": map[string]any{"Availability Zone": m.Zone}, "StatusMessage": "", "StartTime": core.ISOMillis(a.Start), "EndTime": core.ISOMillis(a.End),
		"EC2InstanceId": m.ID, "Cause": a.Cause,
	})
}
