package plan

import (
	"encoding/json"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
)

// LookKind is a kind of question to AWS.
type LookKind uint8

// The questions. Each says what it asks, in which place (Look.In) and about what (Subject.ID), which part of the view then holds the
// answer, and what is known of a subject afterwards.
const (
	_ LookKind = iota
	// Groups: Auto Scaling groups by name, or every group when the look has no subject. View.Groups with their instances.
	Groups
	// Hooks: the lifecycle hooks of the group In. View.Hooks; known: a fleet.Hook, the one that Ebb owns.
	Hooks
	// GroupInstances: instances by id, as their groups see them. View.GroupInstances; AWS leaves out those that are absent. Known:
	// a fleet.GroupInstance.
	GroupInstances
	// Activities: the newest 1,000 scaling activities of the group In, or fewer once all instances asked about are found.
	// View.Activities, newest first; known: a time.Time, the start of the termination.
	Activities
	// FindContainerInstances: the container instances of EC2 instances, in the cluster In, or in every cluster of the account when In is
	// empty. View.ContainerInstances; known: a fleet.ContainerInstance, without In and whichever kind of look found it.
	FindContainerInstances
	// Words: the container instances of the cluster In on which an operator's word stands. View.ContainerInstances; nothing is known of a
	// subject, but those of whose hosts no drain is open begin to leave.
	Words
	// ContainerInstances: container instances of the cluster In, by ARN. View.ContainerInstances; known: see FindContainerInstances.
	ContainerInstances
	// ListRunning: for each container instance of the cluster In, its tasks with desired status RUNNING, all pages. View.Listed;
	// complete for each container instance that is not in LookResult.Failed.
	ListRunning
	// ListStopped: the same with desired status STOPPED.
	ListStopped
	// ListCluster: up to ListPages pages of the tasks of the whole cluster In, from Token on; the only subject is the desired status.
	// View.Listed without container instances, and View.Next.
	ListCluster
	// Homes: tasks of the cluster In by ARN, to learn on which container instances they are. View.Tasks; known: the fleet.ARN of that.
	Homes
	// Stopping: the tasks on Fargate of the cluster In that stop, or have stopped lately. View.Listed without container instances; nothing is
	// known of a subject, but those that ECS stops with notice are found.
	Stopping
	// Clusters: clusters by name. View.Clusters; known: a fleet.Cluster, absent: not to be listed as a whole.
	Clusters
	// Tasks: tasks of the cluster In, by ARN. View.Tasks; known: a fleet.Task.
	Tasks
	// Services: services of the cluster In, by name. View.Services; known: a fleet.Service.
	Services
	// Targets: targets of the target group In, by id and port. View.Health; a target that is not registered reads
	// "unused". Known: a fleet.Health.
	Targets
	// Names: instances of the service of Cloud Map In, by id. View.Health; one that is not registered is absent. Known: a fleet.Health.
	Names
	// LatticeTargets: targets of the target group of VPC Lattice In, by id and port. View.Health, as for Targets; known: a fleet.Health.
	LatticeTargets
	// VPCs: in which VPC subnets are, by id. View.VPCs; known: a string. That of an instance is known after a look at Instances.
	VPCs
	// TargetGroups: all target groups of the Region that are attached to a load balancer. View.TargetGroups; there is no subject.
	TargetGroups
	// Registered: all targets of target groups of the VPC In, by ARN. View.Health. A drain wants to know where in the VPC an address or
	// instance is registered, and the kernel asks about target groups: known of an address is the []fleet.Health that is in use.
	Registered
	// Delays: the deregistration delay of the target group In, and how many of its targets must be healthy. View.Delays; known: a fleet.Delay.
	Delays
	// TTLs: for how long clients keep the records of the service of Cloud Map In. View.Delays; known: a fleet.Delay.
	TTLs
	// GroupHealth: all targets of the target group In. View.Health; known: a []fleet.Health.
	GroupHealth
	// Connections: how many connections targets have, as the user's own endpoint In says, by id and port. View.Connections; known: an int.
	Connections
	// Instances: instances as EC2 sees them, by id. View.Instances; an id that EC2 does not know is absent. Known: a
	// fleet.InstanceState.
	Instances
	// SpotRequests: the requests of Spot Instances, by the ids of the instances. View.SpotRequests; an instance that no request has is absent.
	// Known: a fleet.SpotRequest.
	SpotRequests
	// Alarms: alarms of CloudWatch of any type, by name. View.Alarms; known: a fleet.Alarm.
	Alarms
	// Backlogs: queues of SQS, by URL. View.Backlogs; known: a fleet.Backlog.
	Backlogs
	// Metrics: metrics of CloudWatch, each as MetricID writes it. View.Datapoints, the newest of each that is complete; known: a
	// fleet.Datapoint, absent: there is none that is new.
	Metrics
	// Scalers: services of the cluster In, by name, of which Application Auto Scaling sets the desired count too. View.Scalers; known: a
	// fleet.Scaler, absent: it does not.
	Scalers
	// LookKinds is one more than the last kind.
	LookKinds
)

// LookSpec is what a kind of look is made of.
type LookSpec struct {
	Name   string // in the journal
	API    string // the operation that answers it
	Bucket Bucket // on whose call rate it draws
	Batch  int    // how many subjects of one place go into one look: AWS's limit, or less
	Calls  int    // how many calls a look is likely to take ...
	Each   int    // ... and how many more for each of its subjects
	// Early: it may be made before it is due, to share a call. A list of tasks and a search must not: they prove that something is
	// absent from a certain moment on.
	Early bool
	// Shared: what it finds is of use to several drains, so it is asked about until none wants it; otherwise that ends with its drain.
	Shared bool
	// Spare: it can wait. It comes after all other looks and leaves them half of the calls that may be made at once.
	Spare bool
	Keep  time.Duration // how long what it finds is kept; zero: as long as its drain, or its group
}

// looks has a row for each kind of look.
var looks = [LookKinds]LookSpec{
	Groups: {Name: "groups", API: "autoscaling:DescribeAutoScalingGroups", Bucket: AutoScaling, Batch: 100, Calls: 1},
	// A group is one subject, so its batch is never full: looks at its hooks are a second apart.
	Hooks: {Name: "hooks", API: "autoscaling:DescribeLifecycleHooks", Bucket: AutoScaling, Batch: 100, Calls: 1, Shared: true},
	GroupInstances: {Name: "group-instances", API: "autoscaling:DescribeAutoScalingInstances", Bucket: AutoScaling,
		Batch: MaxGroupInstances, Calls: 1, Early: true},
	Activities: {Name: "activities", API: "autoscaling:DescribeScalingActivities", Bucket: AutoScaling, Batch: 100, Calls: 1},
	// 50 ids bound the filter expression of ListContainerInstances; what it lists is then described.
	FindContainerInstances: {Name: "find-container-instances", API: "ecs:ListContainerInstances", Bucket: ECSRead, Batch: 50, Calls: 2},
	Words:                  {Name: "words", API: "ecs:ListContainerInstances", Bucket: ECSRead, Batch: 1, Calls: 1},
	ContainerInstances: {Name: "container-instances", API: "ecs:DescribeContainerInstances", Bucket: ECSRead,
		Batch: MaxDescribeECS, Calls: 1, Early: true},
	// Each container instance takes a call of its own; five in a look, so that one slow look does not hold up many.
	ListRunning: {Name: "list-running-tasks", API: "ecs:ListTasks", Bucket: ECSRead, Batch: 5, Each: 1},
	ListStopped: {Name: "list-stopped-tasks", API: "ecs:ListTasks", Bucket: ECSRead, Batch: 5, Each: 1},
	ListCluster: {Name: "list-cluster", API: "ecs:ListTasks", Bucket: ECSRead, Batch: 1, Calls: ListPages},
	Stopping:    {Name: "stopping-tasks", API: "ecs:ListTasks", Bucket: ECSRead, Batch: 1, Calls: 1},
	Homes:       {Name: "homes", API: "ecs:DescribeTasks", Bucket: ECSRead, Batch: MaxDescribeECS, Calls: 1, Keep: 2 * time.Hour},
	Clusters:    {Name: "clusters", API: "ecs:DescribeClusters", Bucket: ECSRead, Batch: MaxDescribeECS, Calls: 1, Keep: 10 * time.Minute},
	Tasks:       {Name: "tasks", API: "ecs:DescribeTasks", Bucket: ECSRead, Batch: MaxDescribeECS, Calls: 1, Early: true},
	Services: {Name: "services", API: "ecs:DescribeServices", Bucket: ECSRead, Batch: MaxDescribeServices, Calls: 1,
		Shared: true, Keep: time.Hour},
	Targets: {Name: "targets", API: "elasticloadbalancing:DescribeTargetHealth", Bucket: ELB, Batch: 100, Calls: 1,
		Early: true, Shared: true, Keep: 10 * time.Minute},
	Names: {Name: "cloud-map-instances", API: "servicediscovery:ListInstances", Bucket: CloudMap, Batch: 100, Calls: 1,
		Early: true, Shared: true, Keep: 10 * time.Minute},
	LatticeTargets: {Name: "lattice-targets", API: "vpc-lattice:ListTargets", Bucket: Lattice, Batch: 100, Calls: 1,
		Early: true, Shared: true, Keep: 10 * time.Minute},
	VPCs:         {Name: "subnets", API: "ec2:DescribeSubnets", Bucket: EC2, Batch: 100, Calls: 1, Shared: true, Keep: 24 * time.Hour},
	TargetGroups: {Name: "target-groups", API: "elasticloadbalancing:DescribeTargetGroups", Bucket: ELB, Batch: 1, Calls: 1, Spare: true},
	// Each target group takes a call of its own.
	Registered: {Name: "registered-targets", API: "elasticloadbalancing:DescribeTargetHealth", Bucket: ELB, Batch: 5, Each: 1,
		Spare: true, Keep: 10 * time.Minute},
	Delays: {Name: "deregistration-delays", API: "elasticloadbalancing:DescribeTargetGroupAttributes", Bucket: ELB, Batch: 1, Calls: 1,
		Shared: true, Keep: 2 * time.Hour},
	TTLs: {Name: "cloud-map-ttls", API: "servicediscovery:GetService", Bucket: CloudMap, Batch: 1, Calls: 1, Shared: true, Keep: 2 * time.Hour},
	GroupHealth: {Name: "group-health", API: "elasticloadbalancing:DescribeTargetHealth", Bucket: ELB, Batch: 1, Calls: 1, Shared: true,
		Keep: 10 * time.Minute},
	Connections: {Name: "connections", API: "http:GET", Bucket: Endpoints, Batch: 10, Each: 1, Shared: true, Keep: 10 * time.Minute},
	Instances:   {Name: "instances", API: "ec2:DescribeInstances", Bucket: EC2, Batch: 100, Calls: 1, Early: true},
	// A filter may have 200 values. https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Filtering.html
	SpotRequests: {Name: "spot-requests", API: "ec2:DescribeSpotInstanceRequests", Bucket: EC2, Batch: 100, Calls: 1, Early: true},
	// 100 alarms take a call, and all of them one that says whether a mute rule is active.
	Alarms: {Name: "alarms", API: "cloudwatch:DescribeAlarms", Bucket: CloudWatch, Batch: 500, Calls: 6, Keep: time.Hour},
	// Each queue takes a call of its own.
	Backlogs: {Name: "backlogs", API: "sqs:GetQueueAttributes", Bucket: Queues, Batch: 5, Each: 1, Keep: time.Hour},
	// https://docs.aws.amazon.com/autoscaling/application/APIReference/API_DescribeScalableTargets.html
	Scalers: {Name: "scalable-targets", API: "application-autoscaling:DescribeScalableTargets", Bucket: AppScaling, Batch: 50, Calls: 1, Keep: 3 * time.Hour},
	// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html
	Metrics: {Name: "metrics", API: "cloudwatch:GetMetricData", Bucket: CloudWatch, Batch: 500, Calls: 1, Keep: time.Hour},
}

// String is the name of the kind.
func (k LookKind) String() string { return k.Spec().Name }

// Spec is the row of the kind; that of what is no kind is empty.
func (k LookKind) Spec() LookSpec {
	if k < LookKinds {
		return looks[k]
	}
	return LookSpec{}
}

// ListPages is how many pages of a cluster's tasks one look reads.
const ListPages = 5

// Subject is one thing that can be looked at. It is also the name under which it is known what was found.
type Subject struct {
	Kind LookKind
	In   string // cluster, group, target group, VPC, service of Cloud Map or URL; empty where the kind needs none
	ID   string // instance, ARN, name or target id; empty where In says all
	Port int    // of a target; 0: each port at which it is registered
}

// Look is one question about subjects of one kind in one place.
type Look struct {
	Kind     LookKind
	In       string
	Subjects []Subject
	Token    string    // ListCluster: where to go on; empty: at the beginning
	Until    time.Time // Metrics: datapoints that are complete by then
}

// LookAt is a look at subjects of one kind and place, of which there is at least one.
func LookAt(s ...Subject) Look { return Look{Kind: s[0].Kind, In: s[0].In, Subjects: s} }

// LookFor is a look at ids of one kind in one place. Where the place says all, there are none.
func LookFor[S ~string](k LookKind, in string, ids ...S) Look {
	l := Look{Kind: k, In: in, Subjects: make([]Subject, len(ids))}
	for i, id := range ids {
		l.Subjects[i] = Subject{Kind: k, In: in, ID: string(id)}
	}
	return l
}

// MetricID is the id of a metric as a subject.
func MetricID(m fleet.Metric) string {
	b, _ := json.Marshal(m) // a struct of texts and a number always marshals, and a map in the order of its keys
	return string(b)
}

// IDs are the ids of the subjects.
func (l Look) IDs() []string {
	ids := make([]string, len(l.Subjects))
	for i, s := range l.Subjects {
		ids[i] = s.ID
	}
	return ids
}

// Calls is how many calls the look is likely to take.
func (l Look) Calls() int { return l.Kind.Spec().Calls + l.Kind.Spec().Each*len(l.Subjects) }

// InstanceStatus is an instance as EC2 describes it.
type InstanceStatus struct {
	ID    fleet.InstanceID
	State fleet.InstanceState
	VPC   string // empty: it has gone
}

// SubnetIn says in which VPC a subnet is.
type SubnetIn struct{ Subnet, VPC string }

// SpotStatus is the request of a Spot Instance as EC2 describes it.
type SpotStatus struct {
	Instance fleet.InstanceID
	fleet.SpotRequest
}

// Open is how many connections a target has.
type Open struct {
	Target fleet.TargetID
	Count  int
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
	Connections        []Open
	Clusters           []fleet.Cluster
	Instances          []InstanceStatus
	VPCs               []SubnetIn
	TargetGroups       []fleet.TargetGroup
	SpotRequests       []SpotStatus
	Alarms             []fleet.Alarm
	Backlogs           []fleet.Backlog
	Datapoints         []fleet.Datapoint
	Scalers            []fleet.Scaler
}
