// Package fleet names what there is: groups, instances, hooks, container instances, tasks, services and
// targets, in AWS's own words, and what one look at them can say: seen, absent or unknown.
//
// It is pure data. It never asks AWS anything, never reads a clock and never decides.
package fleet

import (
	"strings"
	"time"
)

// InstanceID is an EC2 instance id such as i-0a1b2c3d4e5f60718.
type InstanceID string

// ARN is an Amazon resource name, as AWS spells it.
type ARN string

// Name is the last part of an ARN: the id of a task or container instance, the name of a cluster or service, family:revision of a task
// definition.
func (a ARN) Name() string { return string(a[strings.LastIndexByte(string(a), '/')+1:]) }

// TargetID is one registration in a target group: the instance id or IP address, and the port. The same id on two
// ports is two targets (ELB RegisterTargets).
type TargetID struct {
	ID   string
	Port int
}

// Knowledge says how far a look got. The zero value is Unknown, so that what was never looked at is not taken for absent.
type Knowledge uint8

// The three answers a look can give.
const (
	// Unknown: there was no look, it failed, or it was partial.
	Unknown Knowledge = iota
	// Absent: a successful, complete look did not find it.
	Absent
	// Seen: a successful look found it.
	Seen
)

// Fact is one part of a view: what was found, and when the look that found it was started. At is the start and not the
// end of the look because AWS answers with the state at some moment after the request was sent.
type Fact[T any] struct {
	Is     Knowledge
	At     time.Time
	Before time.Time // At of the look before; zero: there was none
	Value  T
}

// When is the start of the look that established the fact.
func (f *Fact[T]) When() time.Time { return f.At }

// Put replaces the fact unless what is known is newer.
func (f *Fact[T]) Put(is Knowledge, at time.Time, v T) {
	if at.Before(f.At) {
		return
	}
	if at.After(f.At) && !f.At.IsZero() {
		f.Before = f.At
	}
	f.Is, f.At, f.Value = is, at, v
}

// LifecycleState is the state of an instance in its Auto Scaling group.
// https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-lifecycle.html
type LifecycleState string

// The lifecycle states that Ebb tells apart; AWS has more, and any other value is carried as it came.
const (
	InService             LifecycleState = "InService"
	Standby               LifecycleState = "Standby"
	Detaching             LifecycleState = "Detaching"
	Detached              LifecycleState = "Detached"
	Terminating           LifecycleState = "Terminating"
	TerminatingWait       LifecycleState = "Terminating:Wait"
	TerminatingProceed    LifecycleState = "Terminating:Proceed"
	TerminatingRetained   LifecycleState = "Terminating:Retained"
	Terminated            LifecycleState = "Terminated"
	PendingWait           LifecycleState = "Pending:Wait"
	WarmedPending         LifecycleState = "Warmed:Pending"
	WarmedPendingWait     LifecycleState = "Warmed:Pending:Wait"
	WarmedTerminating     LifecycleState = "Warmed:Terminating"
	WarmedTerminatingWait LifecycleState = "Warmed:Terminating:Wait"
	// An instance refresh replaces the root volume of the instance, which keeps its id and returns to service.
	// https://docs.aws.amazon.com/autoscaling/ec2/userguide/replace-root-volume.html
	ReplacingRootVolume        LifecycleState = "ReplacingRootVolume"
	ReplacingRootVolumeWait    LifecycleState = "ReplacingRootVolume:Wait"
	ReplacingRootVolumeProceed LifecycleState = "ReplacingRootVolume:Proceed"
	RootVolumeReplaced         LifecycleState = "RootVolumeReplaced"
)

// Waiting reports whether a terminating lifecycle hook may be open in this state. An instance that returns to its warm
// pool waits in Warmed:Pending:Wait.
// https://docs.aws.amazon.com/autoscaling/ec2/userguide/warm-pool-instance-lifecycle.html
func (s LifecycleState) Waiting() bool {
	return s == TerminatingWait || s == WarmedPendingWait || s == WarmedTerminatingWait || s == ReplacingRootVolumeWait
}

// Leaving reports whether the instance is on its way into a terminating hook that is not open yet: the group's own load balancers
// are being drained.
func (s LifecycleState) Leaving() bool {
	return s == Terminating || s == WarmedPending || s == WarmedTerminating || s == ReplacingRootVolume
}

// Over reports whether every terminating hook of the instance has ended: it is being terminated, retained, or back in its warm pool, or its
// root volume is being replaced.
func (s LifecycleState) Over() bool {
	switch s {
	case TerminatingProceed, TerminatingRetained, Terminated, Detaching, Detached, ReplacingRootVolumeProceed, RootVolumeReplaced:
		return true
	}
	return strings.HasPrefix(string(s), "Warmed:") && !s.Waiting() && !s.Leaving()
}

// GroupInstance is an instance as its Auto Scaling group sees it.
type GroupInstance struct {
	ID        InstanceID
	Group     string
	State     LifecycleState
	Healthy   bool
	Protected bool // from scale-in; this does not stop TerminateInstanceInAutoScalingGroup
}

// Group is an Auto Scaling group.
type Group struct {
	Name      string
	ARN       ARN
	Max       int
	Desired   int
	Retains   bool // InstanceLifecyclePolicy TerminateHookAbandon=retain
	Excluded  bool // it has the tag ExcludeTag with the value "true"
	Instances []GroupInstance
}

// ExcludeTag is the tag by which an operator keeps Ebb from draining the instances of a group, or from scaling a service; its value must be "true".
const ExcludeTag = "ebb:exclude"

// ManagedDrainingHook is the hook that ECS puts on the group of a capacity provider with managed draining.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/managed-instance-draining.html
const ManagedDrainingHook = "ecs-managed-draining-termination-hook"

// Hook is a lifecycle hook.
// https://docs.aws.amazon.com/autoscaling/ec2/userguide/lifecycle-hooks.html
type Hook struct {
	Name          string
	Group         string
	Transition    string        // autoscaling:EC2_INSTANCE_TERMINATING or _LAUNCHING
	Heartbeat     time.Duration // HeartbeatTimeout, 30 s to 2 h
	Global        time.Duration // GlobalTimeout, at most 48 h and at most 100 heartbeats
	DefaultResult string        // CONTINUE or ABANDON
	Target        ARN           // where the notification goes besides EventBridge; may be empty
}

// The two transitions of a hook.
const (
	Launching          = "autoscaling:EC2_INSTANCE_LAUNCHING"
	TerminatingTransit = "autoscaling:EC2_INSTANCE_TERMINATING"
)

// Activity is a scaling activity: here the one that terminates an instance.
type Activity struct {
	Instance InstanceID
	Start    time.Time
}

// InstanceState is the state of an instance as EC2 sees it.
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-lifecycle.html
type InstanceState string

// The EC2 instance states that Ebb tells apart.
const (
	StateRunning      InstanceState = "running"
	StateShuttingDown InstanceState = "shutting-down"
	StateTerminated   InstanceState = "terminated"
	StateStopping     InstanceState = "stopping"
	StateStopped      InstanceState = "stopped"
)

// Gone reports whether EC2 says that the instance is not running: nothing on it can be saved any more.
func (s InstanceState) Gone() bool {
	return s == StateShuttingDown || s == StateTerminated || s == StateStopping || s == StateStopped
}

// SpotRequest is the request of a Spot Instance, as EC2 describes it.
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-request-status.html
type SpotRequest struct {
	Code   string    // of its status, such as fulfilled
	Action string    // what EC2 does with the instance when it takes the capacity back: terminate, stop or hibernate
	Since  time.Time // of the status; zero: EC2 does not say
}

// Leaves reports whether EC2 takes the capacity back. Where it terminates the instance for that, the status is final two minutes before the
// instance ends: it is not marked-for-termination.
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instances-request-status-lifecycle.html
func (r SpotRequest) Leaves() bool {
	switch r.Code {
	case "marked-for-termination", "marked-for-stop",
		"instance-terminated-no-capacity", "instance-terminated-by-price", "instance-terminated-launch-group-constraint",
		"instance-stopped-no-capacity", "instance-stopped-by-price":
		return true
	}
	return false
}

// Ends is when EC2 ends the instance, as far as the status says: two minutes after the notice, but hibernation begins at once.
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html
func (r SpotRequest) Ends() time.Time {
	switch {
	case r.Since.IsZero() || !r.Leaves():
		return time.Time{}
	case r.Action == Hibernates:
		return r.Since
	}
	return r.Since.Add(SpotNotice)
}

// SpotNotice is how long before the end EC2 gives notice.
const SpotNotice = 2 * time.Minute

// Hibernates is the action of EC2 that begins with the notice.
const Hibernates = "hibernate"

// ContainerInstance is an EC2 instance in an ECS cluster.
type ContainerInstance struct {
	ARN       ARN
	Cluster   string
	Instance  InstanceID
	Status    string // ACTIVE, DRAINING, INACTIVE, REGISTERING, REGISTRATION_FAILED, DEREGISTERING
	Connected bool   // agentConnected; false several times an hour without meaning
	Running   int    // tasks with desiredStatus RUNNING: not a count of what still runs
	Pending   int
	Others    []Registration // of the same instance, found by the same look; a look at this one alone finds none
	Reached   bool           // ECS reaches the instance by another registration, as far as that look knows
	Word      Word           // an operator's; zero: none stands there
	BadWord   string         // why what stands there is none; empty: it is one, or nothing does
}

// Registration is one registration of an EC2 instance as a container instance. An agent that has lost its state registers again, and leaves
// the old registration behind with its tasks.
type Registration struct {
	Cluster string `json:"cluster"`
	ARN     ARN    `json:"arn"`
}

// Container instance statuses that Ebb tells apart.
const (
	Active   = "ACTIVE"
	Draining = "DRAINING"
	Inactive = "INACTIVE"
	// RegistrationFailed: it never took a task. Only with trunk network interfaces.
	RegistrationFailed = "REGISTRATION_FAILED"
)

// Task is an ECS task.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-lifecycle-explanation.html
type Task struct {
	ARN               ARN
	Cluster           string
	ContainerInstance ARN
	Family            string // family:revision
	Group             string // service:NAME, or family:NAME for a standalone task
	LastStatus        string
	DesiredStatus     string
	StoppedReason     string // why it stopped, in ECS's words: nothing is decided by it
	StopCode          string // such as SpotInterruption; may be empty although it stops (aws/containers-roadmap#1565)
	CapacityProvider  string // such as FARGATE_SPOT; empty: none chose its place
	CreatedAt         time.Time
	StoppingAt        time.Time // when its desired status became STOPPED; zero: it has not
	StoppedAt         time.Time
	Addresses         []Address
	Subnet            string    // of its own network interface; empty: it has none
	RehearsedUntil    time.Time // as its RehearsalTag says; zero: it has none
}

// Stopped is the only lastStatus in which nothing of a task runs any more. Ports in use and targets are released later
// than the counts of a container instance say (aws/aws-cdk#13506).
const Stopped = "STOPPED"

// Deactivating is the lastStatus in which the targets of a task drain.
const Deactivating = "DEACTIVATING"

// Live reports whether anything of the task may still run: any lastStatus but STOPPED (and DELETED).
func (t Task) Live() bool { return t.LastStatus != Stopped && t.LastStatus != "DELETED" }

// Killed reports whether the task stopped because its host was stopped or terminated under it.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html
func (t Task) Killed() bool {
	return !t.Live() && strings.HasPrefix(t.StoppedReason, "Host EC2 (instance ")
}

// Interrupted reports whether Fargate Spot stops the task, or has stopped it. Some have no stop code (aws/containers-roadmap#1565).
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-capacity-providers.html
func (t Task) Interrupted() bool {
	if !t.Leaves() || t.ContainerInstance != "" {
		return false
	}
	switch t.StopCode {
	case "SpotInterruption", "TerminationNotice":
		return true
	case "":
		return t.CapacityProvider == FargateSpot && strings.HasPrefix(t.StoppedReason, "Your Spot Task was interrupted")
	}
	return false
}

// FargateSpot is the capacity provider of Fargate Spot.
const FargateSpot = "FARGATE_SPOT"

// Leaves reports whether ECS wants the task to stop. It never takes that back.
func (t Task) Leaves() bool { return t.DesiredStatus == Stopped }

// Service is the name of the service that owns the task, empty for a standalone task.
func (t Task) Service() string {
	const p = "service:"
	if len(t.Group) > len(p) && t.Group[:len(p)] == p {
		return t.Group[len(p):]
	}
	return ""
}

// Address is one port of one container of a task.
type Address struct {
	Container     string
	ContainerPort int
	HostPort      int    // on the container instance; 0 in awsvpc mode
	IP            string // of the task's network interface, IPv4 or IPv6, each by itself; empty in bridge and host mode
}

// Service is an ECS service.
type Service struct {
	Name          string
	Cluster       string
	Daemon        bool // schedulingStrategy DAEMON
	Desired       int
	Running       int       // tasks that run and are meant to
	Pending       int       // that are to run and do not yet
	Deploying     bool      // it changes to another revision, or has task sets beside one another
	Excluded      bool      // it has the tag ExcludeTag with the value "true"
	NoCapacity    time.Time // when ECS last said that Fargate had no capacity for a task of it; zero: not lately
	MinPercent    int
	MaxPercent    int
	LoadBalancers []LoadBalancer // also those of its task sets, and the other target group of a blue/green deployment
	Registries    []ARN          // services of Cloud Map
	Lattice       []ARN          // target groups of VPC Lattice; AWS does not say with which port
	OtherWays     []string       // by which requests reach its tasks, and which Ebb does not close, such as a Classic Load Balancer
}

// LoadBalancer says which container port of a service is registered in which target group.
type LoadBalancer struct {
	TargetGroup   ARN
	Container     string // empty: AWS does not say with which container and port; ECS manages the target group
	ContainerPort int
}

// Cluster is an ECS cluster, as far as its size matters.
type Cluster struct {
	Name    string
	Running int // tasks
	Pending int
}

// Delay is how long a target group lets a target that was deregistered drain; or for how long clients keep the records of a service of Cloud Map.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-target-group-attributes.html
type Delay struct {
	In    ARN
	Delay time.Duration
	// With fewer healthy targets than LeastHealthy, or fewer percent of all, the load balancer sends requests to every target that is
	// registered, or takes its zone out of DNS. 0: off.
	// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health.html
	LeastHealthy, LeastPercent int
}

// Opens reports whether so many healthy targets, of all that are registered, are too few.
func (d Delay) Opens(healthy, registered int) bool {
	return healthy < d.LeastHealthy || healthy*100 < d.LeastPercent*registered
}

// Health is the state of one target.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html
type Health struct {
	TargetGroup ARN
	Target      TargetID
	State       string // initial, healthy, unhealthy, unhealthy.draining, draining, unused, unavailable
	Reason      string
}

// InUse reports whether the load balancer still counts on the target. A draining target has been taken out; it reads
// "draining" until the whole deregistration delay is over, traffic or not.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-target-group-attributes.html
func (h Health) InUse() bool { return h.State != "unused" && h.State != TargetDraining }

// TargetDraining is the state of a target that has been taken out, until its deregistration delay is over.
const TargetDraining = "draining"
