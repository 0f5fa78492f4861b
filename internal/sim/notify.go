package sim

import (
	"encoding/json"
	"strings"
	"time"
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
	about := Entry{Group: m.g.Name, Hook: h.Name, Instance: m.ID, Text: a.Token}
	detailType := "EC2 Instance-" + verb + " Lifecycle Action"
	if w.wants("aws.autoscaling", detailType) {
		detail := toJSON(lifecycleDetail{a.Token, m.g.Name, h.Name, m.ID, h.Transition, h.Metadata, origin, destination})
		arn, opened := m.g.ARN, w.now
		w.deliver(about, func() { w.putEvent("aws.autoscaling", detailType, opened, []string{arn}, detail, about) })
	}
	if h.Target == "" {
		return
	}
	body := toJSON(lifecycleMessage{
		Origin: origin, Destination: destination, LifecycleHookName: h.Name, AccountID: w.cfg.Account, RequestID: w.uuid(), LifecycleTransition: h.Transition,
		AutoScalingGroupName: m.g.Name, Service: "AWS Auto Scaling", Time: isoMillis(w.now), EC2InstanceID: m.ID, NotificationMetadata: h.Metadata, LifecycleActionToken: a.Token,
	})
	short := strings.TrimPrefix(h.Transition, "autoscaling:EC2_INSTANCE_")
	subject := "Auto Scaling:  Lifecycle action '" + short + "' for instance " + m.ID + " in progress."
	target := h.Target
	w.deliver(about, func() { w.sendTo(target, subject, body, about) })
}

// notifyTest sends the message by which Auto Scaling tries a target that was just set. It has no token, hook or instance.
func (w *World) notifyTest(g *group, target string) {
	body := toJSON(struct {
		AccountID            string `json:"AccountId"`
		RequestID            string `json:"RequestId"`
		AutoScalingGroupARN  string
		AutoScalingGroupName string
		Service              string
		Event                string
		Time                 string
	}{w.cfg.Account, w.uuid(), g.ARN, g.Name, "AWS Auto Scaling", "autoscaling:TEST_NOTIFICATION", isoMillis(w.now)})
	subject := `Auto Scaling: test notification for group "` + g.Name + `"`
	w.after(time.Second, func() { w.sendTo(target, subject, body, Entry{Group: g.Name}) })
}

// deliver runs a delivery after the usual delay, or as the switches have it: never, late, or twice.
func (w *World) deliver(about Entry, send func()) {
	if w.chance(w.sw.LostPercent) {
		about.Kind, about.To = EntryMessage, "lost"
		w.Log(about)
		return
	}
	times := 1
	if w.chance(w.sw.Duplicate) {
		times = 2
	}
	for range times {
		delay := w.sw.Notify
		if delay == 0 {
			delay = w.between(time.Second, 5*time.Second)
		}
		if w.chance(w.sw.LatePercent) {
			delay += w.between(5*time.Second, 10*time.Minute)
		}
		w.after(delay, send)
	}
}

// sendTo sends to the queue, topic or function of an ARN. What has nowhere to go is lost. A function gets what a queue would get as body:
// for EventBridge that is documented, for the target of a hook AWS does not say.
func (w *World) sendTo(arn, subject, body string, about Entry) {
	if t := w.findTopic(arn); t != nil {
		w.publish(t, subject, body, about)
		return
	}
	if q := w.queue[lastPart(arn)]; q != nil && q.ARN == arn {
		w.send(q, body, nil, q.Delay, about)
		return
	}
	if f := w.findFunction(arn); f != nil {
		w.enqueue(f, []byte(body), about)
		return
	}
	about.Kind, about.To, about.Queue = EntryMessage, "lost", lastPart(arn)
	w.Log(about)
}

func toJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic("sim: a message that cannot be spelled: " + err.Error())
	}
	return string(b)
}
