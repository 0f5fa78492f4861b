package ecs

import (
	"slices"
	"time"
)

// The ECS part of what api.go begins.

// Cluster is an ECS cluster.
type Cluster struct {
	Name, ARN string
	// DefaultStrategy is what services and tasks take that name neither a launch type nor a strategy.
	DefaultStrategy []StrategyItem
	// Providers are the names of its capacity providers: those of its groups, FARGATE and FARGATE_SPOT.
	Providers []string
}

// CapacityProvider is an ECS capacity provider of an Auto Scaling group.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_AutoScalingGroupProvider.html
type CapacityProvider struct {
	Name                  string `yaml:"name,omitempty"`
	ARN                   string `yaml:"-"`
	Group                 string `yaml:"group,omitempty"`                          // name
	GroupARN              string `yaml:"-"`                                        // empty: AWS's own, such as FARGATE
	ManagedScaling        bool   `yaml:"managed_scaling,omitempty"`                // shown only: the simulated cloud does not scale groups
	TerminationProtection bool   `yaml:"managed_termination_protection,omitempty"` // needs managed_scaling and a group with protect_new
	ManagedDraining       bool   `yaml:"managed_draining,omitempty"`
}

// ContainerInstance is an instance registered in a cluster.
type ContainerInstance struct {
	ARN, Cluster, Instance, Status, Zone string
	Connected                            bool
	CPU, Memory                          int // registered
	FreeCPU, FreeMemory                  int
	Ports, UDP                           []int // host ports in use
	GPUs, FreeGPUs                       []string
	Interfaces                           int    // that the instance can have, the primary one included; 0: no limit
	CapacityProvider                     string // empty: none
	AgentVersion                         string
	RegisteredAt                         time.Time
	InactiveAt                           time.Time
	Attributes                           map[string]string
	Version                              int
	Running, Pending                     int // as AWS counts: by desired status RUNNING
}

// TaskDefinition is what a task is made of; the simulated part of it.
type TaskDefinition struct {
	Family   string        `yaml:"family,omitempty"`
	Revision int           `yaml:"-"`
	CPU      int           `yaml:"cpu,omitempty"`       // units; 0: 256
	Memory   int           `yaml:"memory,omitempty"`    // MiB; 0: 256
	Port     int           `yaml:"port,omitempty"`      // container port; 0: none
	HostPort int           `yaml:"host_port,omitempty"` // 0: dynamic
	Network  string        `yaml:"network,omitempty"`   // bridge (default), host, awsvpc
	Start    time.Duration `yaml:"start,omitempty"`     // from placement to RUNNING; 0: 5 s
	Exit     time.Duration `yaml:"exit,omitempty"`      // from SIGTERM to exit; longer than StopTimeout: killed
	Serves   time.Duration `yaml:"serves,omitempty"`    // how long it takes requests after SIGTERM; 0: until it exits, negative: not at all
	Stop     time.Duration `yaml:"stop_timeout,omitempty"`
	Run      time.Duration `yaml:"run,omitempty"`   // the task ends by itself after this; 0: never
	Fails    bool          `yaml:"fails,omitempty"` // never starts: TaskFailedToStart

	GPU         int          `yaml:"gpu,omitempty"`                   // devices
	Reservation int          `yaml:"memory_reservation,omitempty"`    // MiB; taken from the instance instead of Memory, which is only the limit then
	TaskSize    bool         `yaml:"task_size,omitempty"`             // CPU and memory are the task's own and not its container's
	Ports       []Port       `yaml:"ports,omitempty"`                 // besides Port
	Constraints []Constraint `yaml:"placement_constraints,omitempty"` // memberOf only
	Requires    []string     `yaml:"requires,omitempty"`              // attributes, as name or name=value
	HealthCheck bool         `yaml:"health_check,omitempty"`          // its container has one
	AgentStop   bool         `yaml:"-"`                               // it names no stop timeout, so that the agent's counts

	// Compatible is what it requires: EC2 (default) or FARGATE, from which follow network awsvpc and a size of the task.
	Compatible []string `yaml:"requires_compatibilities,omitempty"`

	DependsOn  []string    `yaml:"depends_on,omitempty"` // more containers, before which its container, named as the family, stops
	Containers []Container `yaml:"containers,omitempty"` // besides that container; its size is the task's then
}

// OwnAddress reports whether its tasks have a network interface of their own.
func (d TaskDefinition) OwnAddress() bool {
	return d.Network == "awsvpc" || d.Network == "" && slices.Contains(d.Compatible, onDemand)
}

// Container is one more container of a task. All are essential.
type Container struct {
	Name      string        `yaml:"name,omitempty"`
	Exit      time.Duration `yaml:"exit,omitempty"`         // from SIGTERM to exit; longer than Stop: killed
	Stop      time.Duration `yaml:"stop_timeout,omitempty"` // 0: the agent's
	DependsOn []string      `yaml:"depends_on,omitempty"`   // it starts after these containers, and stops before them
}

// Port is a port of a container and its place on the host.
type Port struct {
	Port     int  `yaml:"port,omitempty"`      // container port; 0: the host port
	HostPort int  `yaml:"host_port,omitempty"` // 0: dynamic
	UDP      bool `yaml:"udp,omitempty"`

	Container string `yaml:"container,omitempty"` // that has it; empty: that of the family
}

// Constraint is a placement constraint: distinctInstance, or memberOf with an expression of the cluster query language.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-placement-constraints.html
type Constraint struct {
	Type       string `yaml:"type,omitempty"`
	Expression string `yaml:"expression,omitempty"`
}

// PlacementStrategy is one step of a placement strategy: spread by instanceId or attribute:NAME, binpack by cpu or memory, or random.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-placement-strategies.html
type PlacementStrategy struct {
	Type  string `yaml:"type,omitempty"`
	Field string `yaml:"field,omitempty"`
}

// StrategyItem is one part of a capacity provider strategy.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CapacityProviderStrategyItem.html
type StrategyItem struct {
	Provider string `yaml:"provider,omitempty"`
	Base     int    `yaml:"base,omitempty"`
	Weight   int    `yaml:"weight,omitempty"`
}

// Task is an ECS task.
type Task struct {
	ARN, Cluster, ContainerInstance, Instance, Definition, Group, StartedBy string
	LastStatus, DesiredStatus, StopCode, StoppedReason                      string
	Service                                                                 string
	Daemon                                                                  bool
	CPU, Memory, ContainerPort, HostPort                                    int
	IP, IPv6                                                                string // awsvpc only
	CreatedAt, StartedAt, StoppingAt, StoppedAt                             time.Time
	Protected                                                               bool
	ProtectedUntil                                                          time.Time
	Healthy                                                                 bool // counts for minimumHealthyPercent
	Killed                                                                  bool // by SIGKILL at the stop timeout, or with its host
	Version                                                                 int
	Process                                                                 bool            // its containers run, whatever ECS thinks
	SignalledAt                                                             time.Time       // SIGTERM to the first of its containers
	Containers                                                              []TaskContainer // of a task with more than one

	Bindings                                       []Port // on the host; none with awsvpc
	GPUs                                           []string
	LaunchType                                     string // EC2, FARGATE
	Zone, Subnet                                   string // where it is; Subnet: awsvpc only
	CapacityProvider                               string // that its strategy chose; empty: none, it has a launch type
	HealthCheck                                    bool   // its container has one
	Tags                                           map[string]string
	PullStartedAt, PullStoppedAt, ExecutionStopped time.Time
}

// TaskContainer is a container of a task. The times count from the SIGTERM to the first one.
type TaskContainer struct {
	Name         string
	Signal, Ends time.Duration
	Killed       bool // it does not end in time
}

// Service is an ECS service.
type Service struct {
	Name, ARN, Cluster, Definition, Status string
	Daemon                                 bool
	Desired, Running, Pending              int
	Min, Max                               int // percent; AddService: both 0: 100 and 200, for DAEMON 0 and 100
	TargetGroups                           []ServiceTargetGroup
	DistinctInstance                       bool
	CreatedAt                              time.Time
	Events                                 []ServiceEvent // newest first

	Constraints    []Constraint
	Placement      []PlacementStrategy // none: spread over zones
	Providers      []StrategyItem      // capacity provider strategy; none: it has a launch type
	LaunchType     string              // EC2 or FARGATE, whatever the cluster's default strategy is; empty: EC2 where there is no strategy
	Subnets        []string            // of tasks on Fargate; none: one in each zone
	Grace          time.Duration       // healthCheckGracePeriodSeconds; shown only
	ZoneRebalance  bool                // availabilityZoneRebalancing ENABLED; shown only
	Tags           map[string]string
	CircuitBreaker bool         // a deployment whose tasks do not start fails; without rollback
	Deployments    []Deployment // newest first; none with task sets

	Controller  string    // of its deployments: ECS, CODE_DEPLOY, EXTERNAL; empty: ECS
	TaskSets    []TaskSet // with another controller than ECS, the primary one first
	InAlternate bool      // new tasks are registered with the alternate target groups

	VPC     string               // of tasks without a host; empty: core.DefaultVPC
	IPv6    bool                 // its tasks with network interfaces have an address of IPv6 too
	Lattice []ServiceTargetGroup // target groups of VPC Lattice
	Names   []ServiceTargetGroup // services of Cloud Map, by ARN
	Ingress []Ingress            // target groups that ECS manages: its revisions name them, the service does not
	ByHand  []ServiceTargetGroup // target groups in which somebody registers its tasks as soon as they run, and never takes them out
}

// Ingress is a way into a service that ECS manages.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ECSManagedResources.html
type Ingress struct {
	Kind string // gateway: a connection of an ECS gateway; express: the ingress path of an Express service
	ServiceTargetGroup
}

// TaskSet is one of the task sets of a service whose deployments are not controlled by ECS.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_TaskSet.html
type TaskSet struct {
	ID, ARN, Definition, Status string // Status: PRIMARY, ACTIVE
	TargetGroups                []ServiceTargetGroup
	Scale                       int // percent of the desired count of the service
	Desired, Running, Pending   int
	Steady                      bool
	CreatedAt                   time.Time
}

// Deployment is one deployment of a service.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Deployment.html
type Deployment struct {
	ID, Status, Definition            string // Status: PRIMARY, ACTIVE
	Rollout, RolloutReason            string // Rollout: IN_PROGRESS, COMPLETED, FAILED
	Desired, Running, Pending, Failed int
	CreatedAt, UpdatedAt              time.Time
	InAlternate                       bool // its tasks are registered with the alternate target groups
}

// Revision is a service revision: what a service was when a deployment began.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ServiceRevision.html
type Revision struct {
	ARN string
	Of  Service
	Deployment
}

// ServiceTargetGroup is one load balancer entry of a service.
type ServiceTargetGroup struct {
	ARN, Container string
	Port           int
	Alternate      string // ARN of the other target group of blue/green deployments: tasks are in one of the two; empty: none
}

// ServiceEvent is one line of a service's event list.
type ServiceEvent struct {
	At   time.Time
	Text string
}

// Failure is one item that an ECS call could not do although it answered.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Failure.html
type Failure struct {
	ARN, Reason, Detail string // Reason: MISSING, INACTIVE, RESOURCE:CPU, TASK_NOT_VALID, ...
}

// TaskQuery narrows ListTasks. Empty fields do not narrow, but an empty DesiredStatus is RUNNING.
type TaskQuery struct {
	ContainerInstance, Service, Family, DesiredStatus, StartedBy, LaunchType string
}

// TaskRun is what RunTasks is to start.
type TaskRun struct {
	Definition, StartedBy string
	Group                 string // task group; empty: family:NAME
	Count                 int    // 0: 1
	LaunchType            string // EC2 or FARGATE, whatever the default strategy of the cluster is
	Constraints           []Constraint
	Placement             []PlacementStrategy
	Providers             []StrategyItem
	Subnets               []string // of tasks on Fargate; none: one in each zone
}
