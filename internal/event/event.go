// Package event turns wire bytes into events: what the messages of Auto Scaling, EventBridge and SNS say happened.
//
// It is pure. It never asks AWS whether a message is true, and it never fails on a message: what it cannot understand is
// an event of kind Unknown with the reason.
package event

import (
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
)

// Kind says what a message is about.
type Kind string

// The kinds of event.
const (
	// TerminateAction: an instance waits in a terminating lifecycle hook.
	TerminateAction Kind = "terminate-action"
	// LaunchAction: an instance waits in a launching lifecycle hook.
	LaunchAction Kind = "launch-action"
	// TestNotification: Auto Scaling tests a new notification target; nothing happened.
	TestNotification Kind = "test-notification"
	// ScalingNotification: Auto Scaling reports that a launch or termination has begun or ended; no hook waits.
	ScalingNotification Kind = "scaling-notification"
	// TaskStops: ECS stops a Fargate task to reclaim its Spot capacity, in two minutes at most.
	TaskStops Kind = "task-stops"
	// InstanceEnds: EC2 ends a Spot instance.
	InstanceEnds Kind = "instance-ends"
	// Rebalance: EC2 says that a Spot instance is more likely than others to be ended.
	Rebalance Kind = "rebalance"
	// InstanceState: an EC2 instance has come to another state.
	InstanceState Kind = "instance-state"
	// ScheduledChange: AWS Health says when AWS will work on EC2 instances, or retire Fargate tasks.
	ScheduledChange Kind = "scheduled-change"
	// HostSteps: the agent of a host says what its steps have done.
	HostSteps Kind = "host-steps"
	// AlarmState: the state of a CloudWatch alarm has changed.
	AlarmState Kind = "alarm-state"
	// Ignored: a message that Ebb knows and has no use for.
	Ignored Kind = "ignored"
	// Unknown: a message that Ebb does not understand. Why says why.
	Unknown Kind = "unknown"
)

// Use says what Ebb does with an event.
type Use uint8

// The uses.
const (
	Drains  Use = iota + 1 // it may begin a drain
	Answers                // it shows that messages arrive; nothing follows
	Nothing                // Ebb has no use for it, but another consumer of the queue may
	Wakes                  // Ebb has no use for what it says, but something has changed: a good moment to look
	Tells                  // people are told of it; nothing else follows
	Looks                  // something has changed that Ebb then looks at; nothing follows from what it says
	Unread                 // it cannot be understood
)

// kinds has a row for each kind of event.
//
//exhaustive:enforce
var kinds = map[Kind]Use{
	TerminateAction:     Drains,
	LaunchAction:        Nothing,
	TestNotification:    Answers,
	ScalingNotification: Nothing,
	TaskStops:           Drains,
	InstanceEnds:        Drains,
	Rebalance:           Drains,
	InstanceState:       Drains,
	ScheduledChange:     Tells,
	HostSteps:           Tells,
	AlarmState:          Looks,
	Ignored:             Wakes,
	Unknown:             Unread,
}

// Use is what Ebb does with events of the kind.
func (k Kind) Use() Use { return kinds[k] }

// Event is one message, understood.
type Event struct {
	Kind        Kind
	Account     string
	Group       string
	Hook        string
	Instance    fleet.InstanceID    // of the actions and notifications of Auto Scaling, InstanceEnds, Rebalance and InstanceState
	Token       string              // LifecycleActionToken
	Destination string              // EC2, AutoScalingGroup, WarmPool, or empty: the message does not say
	Task        fleet.ARN           // TaskStops
	Cluster     string              // TaskStops: the name of the task's cluster; of an InstanceEnds that is rehearsed that of the instance
	Rehearsal   bool                // TaskStops, InstanceEnds: an operator rehearses it; ECS has not said so
	Service     string              // TaskStops: the name of the task's service; empty: it has none, or the message does not say
	Action      string              // InstanceEnds: terminate, stop or hibernate; empty: the message does not say
	Ends        time.Time           // InstanceEnds: when EC2 ends the instance; zero: the message has no time
	State       fleet.InstanceState // InstanceState: the new one
	Change      Change              // ScheduledChange
	Time        time.Time           // when AWS says it happened; zero: the message does not say
	Did         Transcript          // HostSteps
	Alarm       string              // AlarmState: the name
	Why         string              // Unknown and Ignored: in words
}

// Change is what AWS Health has scheduled. One that names many resources comes in several messages, with some of them each.
// https://docs.aws.amazon.com/health/latest/ug/pagnation-of-health-events.html
type Change struct {
	Service  string    // of AWS: EC2 or ECS
	Code     string    // eventTypeCode, such as AWS_EC2_INSTANCE_RETIREMENT_SCHEDULED
	Entities []string  // instance ids, task ARNs or CLUSTER|SERVICE; printable ASCII
	Omitted  int       // how many more the message names, which are too many or of no form of AWS's
	Starts   time.Time // zero: the message does not say
}

// Wakes reports whether the message does no more than wake an Ebb that runs as a function, such as that a task has stopped.
func (e Event) Wakes() bool {
	return e.Kind.Use() == Wakes || e.Kind == InstanceState && !e.State.Gone()
}

// ToWarmPool reports whether the instance returns to its warm pool: a terminating hook, but not a termination.
// https://docs.aws.amazon.com/autoscaling/ec2/userguide/warm-pools-eventbridge-events.html
func (e Event) ToWarmPool() bool { return e.Destination == "WarmPool" }

// Message is one message as a source hands it over, not read yet.
type Message struct {
	ID       string // the source's name for it; the same when it comes again
	Body     string
	Sent     time.Time // zero: the source does not say
	Receives int       // how often it has been handed over, this time included
}
