package plan

import "github.com/ebbhq/ebb/internal/fleet"

// ActionKind is a kind of effect on AWS.
type ActionKind uint8

// The effects. Each says which part of the action counts.
const (
	_ ActionKind = iota
	// SetDraining sets container instances of one cluster DRAINING. State.
	SetDraining
	// Beat sends a heartbeat for a lifecycle action. Hook.
	Beat
	// Answer completes a lifecycle action. Hook.
	Answer
	// Deregister takes targets out of one target group. Targets.
	Deregister
	// LeaveNames takes instances out of one service of Cloud Map. Targets.
	LeaveNames
	// LeaveLattice takes targets out of one target group of VPC Lattice. Targets.
	LeaveLattice
	// Terminate lets the Auto Scaling group of an instance terminate it. End.
	Terminate
	// SetDesired sets the desired count of a service. Count.
	SetDesired
	// StopTask stops a task. Stop.
	StopTask
	// SetCapacity raises the desired capacity of an Auto Scaling group, and never lowers it. Size.
	SetCapacity
	// ActionKinds is one more than the last kind.
	ActionKinds
)

// ActionSpec is what a kind of action is made of.
type ActionSpec struct {
	Name     string // in the journal
	API      string // the operation
	Bucket   Bucket
	Priority Priority // of Beat, when it is not yet Expiring
	Batch    int      // how many items of one place go into one action
}

// actions has a row for each kind of action.
var actions = [ActionKinds]ActionSpec{
	SetDraining: {Name: "set-draining", API: "ecs:UpdateContainerInstancesState", Bucket: ECSModify, Priority: Draining, Batch: MaxDrainBatch},
	Beat:        {Name: "heartbeat", API: "autoscaling:RecordLifecycleActionHeartbeat", Bucket: AutoScaling, Priority: Draining, Batch: 1},
	Answer:      {Name: "answer", API: "autoscaling:CompleteLifecycleAction", Bucket: AutoScaling, Priority: Answering, Batch: 1},
	Terminate:   {Name: "terminate", API: "autoscaling:TerminateInstanceInAutoScalingGroup", Bucket: AutoScaling, Priority: Draining, Batch: 1},
	SetDesired:  {Name: "set-desired-count", API: "ecs:UpdateService", Bucket: ECSServices, Priority: Draining, Batch: 1},
	Deregister:  {Name: "deregister", API: "elasticloadbalancing:DeregisterTargets", Bucket: ELB, Priority: Draining, Batch: MaxDeregister},
	SetCapacity: {Name: "set-desired-capacity", API: "autoscaling:SetDesiredCapacity", Bucket: AutoScaling, Priority: Draining, Batch: 1},
	StopTask:    {Name: "stop-task", API: "ecs:StopTask", Bucket: ECSModify, Priority: Draining, Batch: 1},
	// Each instance takes a call of its own.
	LeaveNames:   {Name: "deregister-cloud-map", API: "servicediscovery:DeregisterInstance", Bucket: CloudMap, Priority: Draining, Batch: 1},
	LeaveLattice: {Name: "deregister-lattice", API: "vpc-lattice:DeregisterTargets", Bucket: Lattice, Priority: Draining, Batch: MaxDeregister},
}

// String is the name of the kind.
func (k ActionKind) String() string { return k.Spec().Name }

// Spec is the row of the kind; that of what is no kind is empty.
func (k ActionKind) Spec() ActionSpec {
	if k < ActionKinds {
		return actions[k]
	}
	return ActionSpec{}
}

// Bucket is an API whose calls AWS limits together.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/request-throttling.html
type Bucket string

// The buckets.
const (
	AutoScaling Bucket = "autoscaling"
	ECSRead     Bucket = "ecs-read"
	ECSModify   Bucket = "ecs-modify"
	ECSServices Bucket = "ecs-service-modify"
	ELB         Bucket = "elb"
	EC2         Bucket = "ec2"
	CloudMap    Bucket = "cloud-map"
	Lattice     Bucket = "vpc-lattice"
	CloudWatch  Bucket = "cloudwatch"
	Queues      Bucket = "sqs"
	AppScaling  Bucket = "application-autoscaling"
	Endpoints   Bucket = "endpoints" // of the user
)

// Priority is the order in which calls get their share, the most urgent first.
type Priority int

// The priorities.
const (
	Urgent    Priority = iota // heartbeats about to be late
	Answering                 // answers, and targets out that leave within two minutes
	Draining                  // other heartbeats, and what takes targets out of service
	Looking                   // everything that only looks
)

// Action is one effect to have. Exactly one of Hook, State, Targets, End, Stop, Count and Size is set; which one, Kind says.
type Action struct {
	Kind    ActionKind
	Drain   string       // the key of the drain that wants it; empty for an action of several
	Target  fleet.Target // what leaves; of an action of several, the first
	Why     string       // for people; the core writes it once
	Soon    bool         // what leaves has two minutes at most, whoever else waits
	Hook    *HookCall
	State   *StateChange
	Targets *TargetChange
	End     *InstanceEnd
	Stop    *TaskStop
	Count   *CountChange
	Size    *GroupSize
}

// GroupSize names an Auto Scaling group and the desired capacity that it is to have at least.
type GroupSize struct {
	Group string
	To    int
}

// TaskStop names a task that is to be stopped.
type TaskStop struct {
	Cluster string
	Task    fleet.ARN
	Reason  string // that ECS shows as its stoppedReason
}

// CountChange names a service of a cluster and the desired count that it is to have.
type CountChange struct {
	Cluster, Service string
	To               int
}

// HookCall names one lifecycle action.
type HookCall struct {
	Group    string
	Hook     string
	Instance fleet.InstanceID
	Token    string // empty: the instance names it
	Result   string // Answer: CONTINUE or ABANDON
	Expiring bool   // Beat: half of the timeout is over, or the last one failed and not for want of calls
}

// StateChange names container instances of one cluster, at most MaxDrainBatch.
type StateChange struct {
	Cluster            string
	ContainerInstances []fleet.ARN
}

// InstanceEnd names an instance that is to be terminated.
type InstanceEnd struct {
	Instance  fleet.InstanceID
	Decrement bool // its group gets smaller, and launches no other
}

// TargetChange names targets of one target group, at most MaxDeregister, or instances of one service of Cloud Map.
type TargetChange struct {
	Group   fleet.ARN // or the service
	Targets []fleet.TargetID
	Of      []fleet.Target // what they belong to, if that has two minutes; none: they belong to the target of the action
}

// Priority is how urgent the action is.
func (a Action) Priority() Priority {
	switch {
	case a.Kind == Beat && a.Hook.Expiring:
		return Urgent
	case a.Soon:
		return Answering
	}
	return a.Kind.Spec().Priority
}

// Batch limits of AWS.
const (
	// MaxDrainBatch is the limit of UpdateContainerInstancesState.
	MaxDrainBatch = 10
	// MaxDeregister is how many targets one DeregisterTargets names. VPC Lattice takes no more; Elastic Load Balancing documents no limit.
	// https://docs.aws.amazon.com/vpc-lattice/latest/APIReference/API_DeregisterTargets.html
	MaxDeregister = 100
	// MaxDescribeECS is the limit of DescribeContainerInstances and DescribeTasks.
	MaxDescribeECS = 100
	// MaxDescribeServices is the limit of DescribeServices.
	MaxDescribeServices = 10
	// MaxGroupInstances is the limit of DescribeAutoScalingInstances.
	MaxGroupInstances = 50
)
