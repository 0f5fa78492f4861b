package sim

import "time"

// This file is the shape of the simulated APIs: one Go type for each AWS resource, in AWS's words. The methods on World of
// the same names as AWS's operations stand in the file of their service.

// Hook is a lifecycle hook of a group.
type Hook struct {
	Name, Transition, DefaultResult, Target, Role, Metadata string
	Heartbeat                                               time.Duration
}

// HookAction is one open or ended wait of one instance in one hook.
type HookAction struct {
	Hook     string
	Token    string // 36 characters
	Opened   time.Time
	Expires  time.Time // restarted by each heartbeat
	GlobalAt time.Time
	Result   string // empty while open; CONTINUE, ABANDON

	heartbeat time.Duration // of the hook when the action opened
	fallback  string        // DefaultResult of the hook when the action opened
}

// GroupInstance is an instance of a group.
type GroupInstance struct {
	ID, Group, State, Zone, Health string // Health: Healthy, Unhealthy
	Protected                      bool
	Actions                        []*HookAction // of the current wait
	Since                          time.Time     // of State
}

// Group is an Auto Scaling group.
type Group struct {
	Name, ARN         string
	Min, Max, Desired int
	Retain            bool
	TargetGroups      []string // ARNs attached to the group itself
	Tags              map[string]string
	Suspended         []string
	Hooks             []*Hook
	Instances         []*GroupInstance // in order of launch
	Activities        []*Activity      // newest first
	CreatedAt         time.Time

	Launch HostSpec // what its instances are
}

// HostSpec is what the instances of a group are like and which cluster they join.
type HostSpec struct {
	Cluster string        `yaml:"cluster,omitempty"` // empty: a plain group
	CPU     int           `yaml:"cpu,omitempty"`     // units; 0: 2048
	Memory  int           `yaml:"memory,omitempty"`  // MiB; 0: 7680
	Boot    time.Duration `yaml:"boot,omitempty"`    // from launch to running and, with a cluster, registered; 0: 60 s
	NoAgent bool          `yaml:"no_agent,omitempty"`
}

// Activity is a scaling activity.
type Activity struct {
	ID, Group, Instance, Status, Description, Cause, StatusMessage string
	Start, End                                                     time.Time
	Progress                                                       int
}

// Instance is an EC2 instance.
type Instance struct {
	ID, Zone, State, PrivateIP, Group, ContainerInstance string
	LaunchedAt, Since                                    time.Time
	Host                                                 HostSpec
}

// Cluster is an ECS cluster.
type Cluster struct {
	Name, ARN string
}

// ContainerInstance is an instance registered in a cluster.
type ContainerInstance struct {
	ARN, Cluster, Instance, Status, Zone string
	Connected                            bool
	CPU, Memory                          int // registered
	FreeCPU, FreeMemory                  int
	Ports                                []int // host ports in use
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
	Stop     time.Duration `yaml:"stop_timeout,omitempty"`
	Run      time.Duration `yaml:"run,omitempty"`   // the task ends by itself after this; 0: never
	Fails    bool          `yaml:"fails,omitempty"` // never starts: TaskFailedToStart
}

// Task is an ECS task.
type Task struct {
	ARN, Cluster, ContainerInstance, Instance, Definition, Group, StartedBy string
	LastStatus, DesiredStatus, StopCode, StoppedReason                      string
	Service                                                                 string
	Daemon                                                                  bool
	CPU, Memory, ContainerPort, HostPort                                    int
	IP                                                                      string // awsvpc only
	CreatedAt, StartedAt, StoppingAt, StoppedAt                             time.Time
	Protected                                                               bool
	ProtectedUntil                                                          time.Time
	Healthy                                                                 bool // counts for minimumHealthyPercent
	Killed                                                                  bool // by SIGKILL at the stop time-out, or with its host
	Version                                                                 int
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
}

// ServiceTargetGroup is one load balancer entry of a service.
type ServiceTargetGroup struct {
	ARN, Container string
	Port           int
}

// ServiceEvent is one line of a service's event list.
type ServiceEvent struct {
	At   time.Time
	Text string
}

// TargetGroup is an ELBv2 target group.
type TargetGroup struct {
	Name, ARN, Type, Protocol string // Type: instance, ip; Protocol HTTP: application, TCP: network load balancer
	Port                      int
	Delay                     time.Duration // deregistration_delay.timeout_seconds; AddTargetGroup: 0: 300 s, negative: none
	Check                     time.Duration // from registration to healthy, and from death to unhealthy; 0: 10 s
	Targets                   []*Target
}

// Target is one registration.
type Target struct {
	ID            string
	Port          int
	State, Reason string // initial, healthy, unhealthy, draining
	Since         time.Time
	Task          string // ARN, when ECS registered it
	RoutedUntil   time.Time
}

// Queue is a standard SQS queue.
type Queue struct {
	Name, ARN, URL   string
	Visibility       time.Duration
	Retention        time.Duration
	Delay            time.Duration
	WaitTime         time.Duration
	RedriveARN       string // of the dead-letter queue; empty: none
	MaxReceives      int
	Messages         []*Message
	CreatedAt        time.Time
	Policy, KMSKeyID string
}

// Message is a message in a queue.
type Message struct {
	ID, Body      string
	Sent          time.Time
	VisibleAt     time.Time
	FirstReceived time.Time
	LastReceived  time.Time
	Receives      int
	Handle        string // of the latest receive; older handles are stale
	Attributes    map[string]MessageAttribute

	about Entry // what the message is about: group, hook, instance
}

// MessageAttribute is a user attribute of a message.
type MessageAttribute struct {
	Type, Value string
	Binary      []byte
}

// Topic is an SNS topic.
type Topic struct {
	Name, ARN     string
	Subscriptions []*Subscription
}

// Subscription delivers a topic's messages to a queue.
type Subscription struct {
	ARN, Protocol, Endpoint string // Protocol: sqs
	Raw                     bool
}

// Rule is an EventBridge rule on the default bus.
type Rule struct {
	Name, ARN, Pattern, State, Description string
	Targets                                []RuleTarget
}

// RuleTarget is where a rule sends its events: a queue or a topic.
type RuleTarget struct {
	ID, ARN, Input, InputPath string
}

// Failure is one item that an ECS call could not do although it answered.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Failure.html
type Failure struct {
	ARN, Reason, Detail string // Reason: MISSING, INACTIVE, RESOURCE:CPU, TASK_NOT_VALID, ...
}

// TaskQuery narrows ListTasks. Empty fields do not narrow, but an empty DesiredStatus is RUNNING.
type TaskQuery struct {
	ContainerInstance, Service, Family, DesiredStatus, StartedBy string
}
