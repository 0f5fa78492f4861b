// Package plan holds what is to be done and what came of it, as data: actions, looks, their results, and the classes of
// failure that decisions tell apart.
//
// It never does anything: the cloud package acts and looks, the kernel orders.
package plan

import (
	"fmt"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
)

// Class says what a failure means for the next decision.
type Class string

// The classes of failure.
const (
	// OK is no failure.
	OK Class = ""
	// Gone: what was acted on does not exist (any more), such as "No active Lifecycle Action found".
	Gone Class = "gone"
	// Denied: credentials or rights; repeating it does not help until a person acts.
	Denied Class = "denied"
	// Throttled: AWS asks for fewer calls; nothing happened.
	Throttled Class = "throttled"
	// Conflict: AWS is busy with the same thing (ResourceContention, UpdateInProgress); nothing happened.
	Conflict Class = "conflict"
	// Invalid: AWS refuses the request as it stands; nothing happened.
	Invalid Class = "invalid"
	// Unclear: a time-out, a broken connection or a server error; the request may or may not have had its effect.
	Unclear Class = "unknown"
)

// Failure is why a call failed.
type Failure struct {
	Class   Class
	Code    string // AWS's error code, or empty
	Message string
}

// Error spells the failure in one line.
func (f *Failure) Error() string {
	if f.Code == "" {
		return fmt.Sprintf("%s: %s", f.Class, f.Message)
	}
	return fmt.Sprintf("%s: %s: %s", f.Class, f.Code, f.Message)
}

// ActionKind is a kind of effect on AWS.
type ActionKind string

// The effects.
const (
	// SetDraining is UpdateContainerInstancesState to DRAINING, for up to 10 container instances of one cluster.
	SetDraining ActionKind = "set-draining"
	// Beat is RecordLifecycleActionHeartbeat.
	Beat ActionKind = "heartbeat"
	// Answer is CompleteLifecycleAction.
	Answer ActionKind = "answer"
	// Deregister is DeregisterTargets for targets of one target group.
	Deregister ActionKind = "deregister"
)

// Action is one effect to have. Which fields count depends on Kind.
type Action struct {
	Kind               ActionKind
	Drain              string           // the key of the drain that wants it; empty for an action of several
	Group              string           // Beat, Answer
	Hook               string           // Beat, Answer
	Instance           fleet.InstanceID // Beat, Answer
	Token              string           // Beat, Answer; empty: by instance id
	Result             string           // Answer: CONTINUE or ABANDON
	Expiring           bool             // Beat: half of the time-out is over, or the last one failed and not for want of calls
	Cluster            string           // SetDraining
	ContainerInstances []fleet.ARN      // SetDraining; at most MaxDrainBatch
	TargetGroup        fleet.ARN        // Deregister
	Targets            []fleet.TargetID // Deregister
	Why                string           // for people; the core writes it once
}

// Batch limits of AWS.
const (
	// MaxDrainBatch is the limit of UpdateContainerInstancesState.
	MaxDrainBatch = 10
	// MaxDescribeECS is the limit of DescribeContainerInstances and DescribeTasks.
	MaxDescribeECS = 100
	// MaxDescribeServices is the limit of DescribeServices.
	MaxDescribeServices = 10
	// MaxGroupInstances is the limit of DescribeAutoScalingInstances.
	MaxGroupInstances = 50
)

// ListPages is how many pages of a cluster's tasks one look reads.
const ListPages = 5

// LookKind is a kind of question to AWS.
type LookKind string

// The questions. Each says what it asks for and what the view then holds.
const (
	// Groups: DescribeAutoScalingGroups, all pages; by Names, or every group when Names is empty. View.Groups with their instances.
	Groups LookKind = "groups"
	// Hooks: DescribeLifecycleHooks of Group. View.Hooks.
	Hooks LookKind = "hooks"
	// GroupInstances: DescribeAutoScalingInstances for Instances. View.GroupInstances; the absent are left out by AWS.
	GroupInstances LookKind = "group-instances"
	// Activities: DescribeScalingActivities of Group, the newest 1,000, or fewer once all of Instances are found. View.Activities,
	// newest first.
	Activities LookKind = "activities"
	// FindContainerInstances: ListContainerInstances filtered by Instances, then DescribeContainerInstances; in Cluster, or in
	// every cluster of the account when Cluster is empty. View.ContainerInstances.
	FindContainerInstances LookKind = "find-container-instances"
	// ContainerInstances: DescribeContainerInstances for ARNs in Cluster. View.ContainerInstances.
	ContainerInstances LookKind = "container-instances"
	// ListRunning: for each container instance of ARNs in Cluster, ListTasks with desired status RUNNING, all pages. View.Listed; complete
	// for each ARN that is not in Sight.Failed.
	ListRunning LookKind = "list-running-tasks"
	// ListStopped: the same with desired status STOPPED.
	ListStopped LookKind = "list-stopped-tasks"
	// ListCluster: up to ListPages pages of ListTasks of the whole Cluster with the desired status in Names, from Token on. View.Listed
	// without container instances, and View.Next.
	ListCluster LookKind = "list-cluster"
	// Homes: DescribeTasks for ARNs in Cluster, to learn on which container instances they are. View.Tasks.
	Homes LookKind = "homes"
	// Clusters: DescribeClusters for Names. View.Clusters.
	Clusters LookKind = "clusters"
	// Tasks: DescribeTasks for ARNs in Cluster. View.Tasks.
	Tasks LookKind = "tasks"
	// Services: DescribeServices for Names in Cluster. View.Services.
	Services LookKind = "services"
	// Targets: DescribeTargetHealth of TargetGroup for Targets. View.Health; a target that is not registered reads "unused".
	Targets LookKind = "targets"
	// Delays: DescribeTargetGroupAttributes of TargetGroup. View.Delays.
	Delays LookKind = "deregistration-delays"
	// Instances: DescribeInstances for Instances. View.Instances; an id that EC2 does not know is absent.
	Instances LookKind = "instances"
)

// Look is one question. Which fields count depends on Kind.
type Look struct {
	Kind        LookKind
	Cluster     string
	Group       string
	TargetGroup fleet.ARN
	Names       []string // groups, services or clusters, or one desired status
	Token       string   // ListCluster: where to go on; empty: at the beginning
	ARNs        []fleet.ARN
	Instances   []fleet.InstanceID
	Targets     []fleet.TargetID
}

// InstanceStatus is an instance as EC2 describes it.
type InstanceStatus struct {
	ID    fleet.InstanceID
	State fleet.InstanceState
}

// Listed is a task that was listed, by ARN, and the container instance it was listed for.
type Listed struct {
	Task fleet.ARN
	On   fleet.ARN
}

// View is what a look found.
type View struct {
	Groups             []fleet.Group
	Hooks              []fleet.Hook
	GroupInstances     []fleet.GroupInstance
	Activities         []fleet.Activity
	ContainerInstances []fleet.ContainerInstance
	Listed             []Listed
	Next               string // ListCluster: the token of the next page; empty: this was the last
	Tasks              []fleet.Task
	Services           []fleet.Service
	Health             []fleet.Health
	Delays             []fleet.Delay
	Clusters           []fleet.Cluster
	Instances          []InstanceStatus
}

// ItemFailure is one entry of an AWS "failures" list: the call answered HTTP 200 but not for this item.
type ItemFailure struct {
	ID     string // ARN, or instance id, as it was asked for
	Class  Class
	Reason string // AWS's reason, such as MISSING
}

// LookResult is the result of a look. With Err set the whole look failed and View says nothing. An id that was asked for and is
// neither in View nor in Failed is absent.
type LookResult struct {
	View   View
	Failed []ItemFailure // items that remain unknown
	Err    *Failure
	Calls  int // requests sent, failed ones too
}

// Outcome is the result of an action. With Err nil, the items in Failed were refused and all others done.
type Outcome struct {
	Failed []ItemFailure
	Err    *Failure
	Calls  int
}

// Request is an action or a look with the number under which its result comes back.
type Request struct {
	ID     int
	Action *Action
	Look   *Look
}

// Done is what came of an order.
type Done struct {
	Request Request
	Started time.Time  // when the first request was sent
	Result  LookResult // for a look
	Outcome Outcome    // for an action
}
