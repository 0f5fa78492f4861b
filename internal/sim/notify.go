package sim

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
}

// notify tells about a new action: always through EventBridge, and through the hook's target if it has one. Each way has its
// own delay and its own luck.
func (w *World) notify(m *groupInstance, a *HookAction, h *Hook) {
	origin, destination, verb := "AutoScalingGroup", "EC2", "terminate"
	if h.Transition == launching {
		origin, destination, verb = "EC2", "AutoScalingGroup", "launch"
	}
	about := core.Entry{Group: m.g.Name, Hook: h.Name, Instance: m.ID, Text: a.Token}
	detailType := "EC2 Instance-" + verb + " Lifecycle Action"
	if w.wants("aws.autoscaling", detailType) {
		detail := core.JSON(lifecycleDetail{a.Token, m.g.Name, h.Name, m.ID, h.Transition, h.Metadata, origin, destination})
		arn, opened := m.g.ARN, w.Now()
		w.Deliver(about, func() { w.putEvent("aws.autoscaling", detailType, opened, []string{arn}, detail, about) })
	}
	if h.Target == "" {
		return
	}
	body := core.JSON(lifecycleMessage{
		Origin: origin, Destination: destination, LifecycleHookName: h.Name, AccountID: w.Account, RequestID: w.UUID(), LifecycleTransition: h.Transition,
		AutoScalingGroupName: m.g.Name, Service: "AWS Auto Scaling", Time: core.ISOMillis(w.Now()), EC2InstanceID: m.ID, NotificationMetadata: h.Metadata, LifecycleActionToken: a.Token,
	})
	short := strings.TrimPrefix(h.Transition, "autoscaling:EC2_INSTANCE_")
	subject := "Auto Scaling:  Lifecycle action '" + short + "' for instance " + m.ID + " in progress."
	target := h.Target
	w.Deliver(about, func() { w.sendTo(target, subject, body, about) })
}

// notifyTest sends the message by which Auto Scaling tries a target that was just set. It has no token, hook or instance.
func (w *World) notifyTest(g *group, target string) {
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
	w.After(time.Second, func() { w.sendTo(target, subject, body, core.Entry{Group: g.Name}) })
}

// sendTo sends to the queue, topic or function of an ARN. What has nowhere to go is lost. A function gets what a queue would get as body:
// for EventBridge that is documented, for the target of a hook AWS does not say.
func (w *World) sendTo(arn, subject, body string, about core.Entry) {
	if t := w.findTopic(arn); t != nil {
		w.publish(t, subject, body, about)
		return
	}
	if q := w.queue[core.LastPart(arn)]; q != nil && q.ARN == arn {
		w.send(q, body, nil, q.Delay, about)
		return
	}
	if f := w.findFunction(arn); f != nil {
		w.enqueue(f, []byte(body), about)
		return
	}
	about.Kind, about.To, about.Queue = core.EntryMessage, "lost", core.LastPart(arn)
	w.Log(about)
}
