package sim

import (
	"time"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// This file and ecs_types.go are the shape of the simulated APIs: one Go type for each AWS resource, in AWS's words. The methods on World of
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
	Type                           string // of the EC2 instance
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
	HealthCheck       string        // EC2, ELB; empty: EC2
	ProtectNew        bool          // new instances are protected from scale-in
	MaxLifetime       time.Duration // 0: none; shown only
	Rebalance         bool          // CapacityRebalance; shown only
	Refreshes         []Refresh     // newest first; shown only

	Launch HostSpec   // what its instances are
	Hosts  []HostSpec // what its first instances are instead, in order of launch; an empty field is as in Launch
}

// Refresh is an instance refresh as it is shown: the simulated cloud runs none.
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_InstanceRefresh.html
type Refresh struct {
	ID               string        `yaml:"-"`
	Status           string        `yaml:"status,omitempty"` // Pending, InProgress, Successful, Failed, Cancelled, ...; empty: InProgress
	Reason           string        `yaml:"reason,omitempty"`
	ScaleInProtected string        `yaml:"scale_in_protected,omitempty"` // Refresh, Ignore, Wait; empty: Wait
	Ago              time.Duration `yaml:"ago,omitempty"`                // how long before the start of the world it started
	Started          time.Time     `yaml:"-"`
}

// HostSpec is what the instances of a group are like and which cluster they join.
type HostSpec struct {
	Cluster string        `yaml:"cluster,omitempty"` // empty: a plain group
	CPU     int           `yaml:"cpu,omitempty"`     // units; 0: 2048
	Memory  int           `yaml:"memory,omitempty"`  // MiB; 0: 7680
	Boot    time.Duration `yaml:"boot,omitempty"`    // from launch to running and, with a cluster, registered; 0: 60 s
	NoAgent bool          `yaml:"no_agent,omitempty"`

	Type         string            `yaml:"type,omitempty"`          // instance type; empty: m7i.large
	GPU          int               `yaml:"gpu,omitempty"`           // devices
	Interfaces   int               `yaml:"interfaces,omitempty"`    // network interfaces of the type, the primary one included; 0: a trunk is attached, and there is no limit
	Attributes   map[string]string `yaml:"attributes,omitempty"`    // custom ones of its container instance
	AgentVersion string            `yaml:"agent_version,omitempty"` // of the ECS agent; empty: 1.105.1
	Spot         bool              `yaml:"spot,omitempty"`          // a Spot Instance
	UserData     string            `yaml:"user_data,omitempty"`     // plain text; of the group's launch configuration
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

// TargetGroup is an ELBv2 target group.
type TargetGroup struct {
	Name, ARN, Type, Protocol string // Type: instance, ip; Protocol HTTP: application, TCP: network load balancer
	Port                      int
	Delay                     time.Duration // deregistration_delay.timeout_seconds; AddTargetGroup: 0: 300 s, negative: none
	Check                     time.Duration // from registration to healthy, and from death to unhealthy; 0: 10 s
	Targets                   []*Target
	ConnectionTermination     bool // deregistration_delay.connection_termination.enabled, of network load balancers; shown only
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

	about core.Entry // what the message is about: group, hook, instance
	again bool       // the latest receive leaves it visible, as a queue that delivers more than once may
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

// Subscription delivers a topic's messages to a queue or a function.
type Subscription struct {
	ARN, Protocol, Endpoint string // Protocol: sqs, lambda
	Raw                     bool
}

// Rule is an EventBridge rule on the default bus.
type Rule struct {
	Name, ARN, Pattern, State, Description string
	Schedule                               string // rate(1 minute); empty: none
	ManagedBy                              string // the AWS service that made it; empty: the user
	Targets                                []RuleTarget
}

// RuleTarget is where a rule sends its events: a queue, a topic or a function.
type RuleTarget struct {
	ID, ARN, Input, InputPath string
}
