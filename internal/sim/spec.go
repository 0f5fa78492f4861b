package sim

import (
	"time"

	"github.com/ebbhq/ebb/internal/sim/appautoscaling"
	"github.com/ebbhq/ebb/internal/sim/autoscaling"
	"github.com/ebbhq/ebb/internal/sim/cloudwatch"
	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/ecs"
	"github.com/ebbhq/ebb/internal/sim/load"
)

// Spec is a world as text: what there is at the start, in AWS's words. Everything is named by its short name.
type Spec struct {
	Seed            uint64                 `yaml:"seed,omitempty"`
	Start           time.Time              `yaml:"start,omitempty"`
	Switches        core.Switches          `yaml:"switches,omitempty"`
	Clusters        []ClusterSpec          `yaml:"clusters,omitempty"`
	Queues          []QueueSpec            `yaml:"queues,omitempty"`
	Functions       []FunctionSpec         `yaml:"functions,omitempty"`
	Topics          []TopicSpec            `yaml:"topics,omitempty"`
	Rules           []RuleSpec             `yaml:"rules,omitempty"`
	Alarms          []cloudwatch.AlarmSpec `yaml:"alarms,omitempty"`
	TargetGroups    []TargetGroupSpec      `yaml:"target_groups,omitempty"`
	TaskDefinitions []ecs.TaskDefinition   `yaml:"task_definitions,omitempty"`
	Groups          []GroupSpec            `yaml:"groups,omitempty"`
	Providers       []ecs.CapacityProvider `yaml:"capacity_providers,omitempty"`
	Services        []ServiceSpec          `yaml:"services,omitempty"`
	Tasks           []TaskSpec             `yaml:"tasks,omitempty"`
	Parameters      []ParameterSpec        `yaml:"parameters,omitempty"`
	Secrets         []SecretSpec           `yaml:"secrets,omitempty"`
	Registries      []RegistrySpec         `yaml:"registries,omitempty"`
	Lattice         []LatticeSpec          `yaml:"lattice,omitempty"`
	Traffic         []TrafficSpec          `yaml:"traffic,omitempty"` // none: no clients are counted
	Load            []load.Spec            `yaml:"load,omitempty"`    // what services have to work off; none: nothing
	Scaling         []appautoscaling.Spec  `yaml:"scaling,omitempty"` // by Application Auto Scaling; none: it scales nothing
}

// ClusterSpec is a cluster.
type ClusterSpec struct {
	Name            string             `yaml:"name,omitempty"`
	Providers       []string           `yaml:"providers,omitempty"`        // FARGATE, FARGATE_SPOT; those of groups: capacity_providers
	DefaultStrategy []ecs.StrategyItem `yaml:"default_strategy,omitempty"` // of services and tasks that name neither strategy nor launch type
}

// QueueSpec is a queue.
type QueueSpec struct {
	Name        string        `yaml:"name,omitempty"`
	Visibility  time.Duration `yaml:"visibility,omitempty"` // 0: 30 s
	Retention   time.Duration `yaml:"retention,omitempty"`  // 0: 4 days
	Delay       time.Duration `yaml:"delay,omitempty"`
	Redrive     string        `yaml:"redrive,omitempty"`      // the name of another queue; empty: no redrive
	MaxReceives int           `yaml:"max_receives,omitempty"` // 0: 5
	Policy      string        `yaml:"policy,omitempty"`       // JSON, shown and not enforced; empty: what topics and rules that send to it need
}

// FunctionSpec is a Lambda function. Rules and hooks name it function:NAME.
type FunctionSpec struct {
	Name        string            `yaml:"name,omitempty"`
	Timeout     time.Duration     `yaml:"timeout,omitempty"`     // of an invocation, 1s to 15m; 0: 30 s
	Concurrency int               `yaml:"concurrency,omitempty"` // reserved: so many invocations at once; 0: 10
	Command     []string          `yaml:"command,omitempty"`     // of its process, for ebb sim
	Env         map[string]string `yaml:"env,omitempty"`
	Sources     []SourceSpec      `yaml:"event_sources,omitempty"`
}

// SourceSpec is a queue that Lambda polls for a function.
type SourceSpec struct {
	Queue          string        `yaml:"queue,omitempty"`
	Batch          int           `yaml:"batch,omitempty"`                      // most messages of an invocation; 0: 10
	Window         time.Duration `yaml:"window,omitempty"`                     // how long a batch is gathered; a batch over 10 needs 1s
	Report         bool          `yaml:"report_batch_item_failures,omitempty"` // the function names the messages that failed
	MaxConcurrency int           `yaml:"max_concurrency,omitempty"`            // batches at once, 2 to 1000; 0: 5
}

// TopicSpec is a topic and the queues and functions that it delivers to.
type TopicSpec struct {
	Name          string             `yaml:"name,omitempty"`
	Subscriptions []SubscriptionSpec `yaml:"subscriptions,omitempty"`
}

// SubscriptionSpec is one queue or one function of a topic.
type SubscriptionSpec struct {
	Queue    string `yaml:"queue,omitempty"`
	Function string `yaml:"function,omitempty"`
	Raw      bool   `yaml:"raw,omitempty"` // queues only
}

// RuleSpec is an EventBridge rule and its targets.
type RuleSpec struct {
	Name     string   `yaml:"name,omitempty"`
	Pattern  string   `yaml:"pattern,omitempty"`  // JSON
	Schedule string   `yaml:"schedule,omitempty"` // rate(1 minute); instead of a pattern, or with one
	Targets  []string `yaml:"targets,omitempty"`  // names of queues or topics, or function:NAME
}

// ParameterSpec is a parameter of Systems Manager.
type ParameterSpec struct {
	Name  string `yaml:"name,omitempty"`
	Type  string `yaml:"type,omitempty"` // String, StringList; empty: SecureString
	Value string `yaml:"value,omitempty"`
}

// SecretSpec is a secret of Secrets Manager.
type SecretSpec struct {
	Name   string `yaml:"name,omitempty"`
	Value  string `yaml:"value,omitempty"`  // text
	Binary string `yaml:"binary,omitempty"` // bytes in base64, instead of text
}

// TargetGroupSpec is a target group.
type TargetGroupSpec struct {
	Name     string        `yaml:"name,omitempty"`
	Type     string        `yaml:"type,omitempty"`     // instance, ip; empty: as its services need it
	Protocol string        `yaml:"protocol,omitempty"` // HTTP (default), TCP
	Port     int           `yaml:"port,omitempty"`     // 0: 80
	Delay    time.Duration `yaml:"delay,omitempty"`    // deregistration; 0: 300 s, negative: none
	Check    time.Duration `yaml:"check,omitempty"`    // from registration to healthy; 0: 10 s

	VPC  string `yaml:"vpc,omitempty"`  // empty: vpc-0ebb5e1f0a1c2d3e4, where everything is that names no other
	IPv6 bool   `yaml:"ipv6,omitempty"` // its targets have addresses of IPv6; of type ip, for services with ipv6

	// Propagation is how long new requests still go to a target that is not healthy any more; 0: 120 s with protocol TCP, and else what
	// the switch says; negative: none.
	Propagation time.Duration `yaml:"propagation,omitempty"`

	ConnectionTermination bool          `yaml:"connection_termination,omitempty"` // at the end of the delay; of protocol TCP only
	KeepUnhealthy         bool          `yaml:"keep_unhealthy,omitempty"`         // unhealthy targets keep connections; TCP only
	UnhealthyDraining     time.Duration `yaml:"unhealthy_draining,omitempty"`     // for so long; with keep_unhealthy
	LeastHealthy          int           `yaml:"min_healthy_count,omitempty"`      // with fewer, requests go to all registered targets; 0: 1
	LeastPercent          int           `yaml:"min_healthy_percent,omitempty"`    // the same in percent; 0: off
}

// HookSpec is a lifecycle hook.
type HookSpec struct {
	Name          string        `yaml:"name,omitempty"`
	Transition    string        `yaml:"transition,omitempty"`     // terminating (default), launching
	Heartbeat     time.Duration `yaml:"heartbeat,omitempty"`      // 0: 1 h
	DefaultResult string        `yaml:"default_result,omitempty"` // ABANDON (default), CONTINUE
	Target        string        `yaml:"target,omitempty"`         // the name of a queue or topic, or function:NAME; empty: EventBridge only
	Metadata      string        `yaml:"metadata,omitempty"`
}

// GroupSpec is an Auto Scaling group.
type GroupSpec struct {
	Name         string                `yaml:"name,omitempty"`
	Min          int                   `yaml:"min,omitempty"`
	Max          int                   `yaml:"max,omitempty"` // 0: desired and half as many again, at least one more
	Desired      int                   `yaml:"desired,omitempty"`
	Retain       bool                  `yaml:"retain,omitempty"`
	TargetGroups []string              `yaml:"target_groups,omitempty"`
	Tags         map[string]string     `yaml:"tags,omitempty"`
	Suspended    []string              `yaml:"suspended,omitempty"`
	Hooks        []HookSpec            `yaml:"hooks,omitempty"`
	Launch       core.HostSpec         `yaml:"launch,omitempty"`
	Hosts        []core.HostSpec       `yaml:"hosts,omitempty"`              // what its first instances are instead, in order; an empty field is as in launch
	HealthCheck  string                `yaml:"health_check,omitempty"`       // EC2 (default), ELB; shown only
	ProtectNew   bool                  `yaml:"protect_new,omitempty"`        // new instances are protected from scale-in
	MaxLifetime  time.Duration         `yaml:"max_lifetime,omitempty"`       // shown only
	Rebalance    bool                  `yaml:"capacity_rebalance,omitempty"` // Spot Instances are replaced before they are interrupted
	Refreshes    []autoscaling.Refresh `yaml:"refreshes,omitempty"`          // instance refreshes, newest first; shown only
}

// ServiceSpec is a service.
type ServiceSpec struct {
	Name             string `yaml:"name,omitempty"`
	Cluster          string `yaml:"cluster,omitempty"`
	Task             string `yaml:"task,omitempty"` // the family of a task definition
	Desired          int    `yaml:"desired,omitempty"`
	Daemon           bool   `yaml:"daemon,omitempty"`
	Min              int    `yaml:"min,omitempty"` // percent; with max 0: AWS's defaults
	Max              int    `yaml:"max,omitempty"`
	TargetGroup      string `yaml:"target_group,omitempty"` // empty: none
	DistinctInstance bool   `yaml:"distinct_instance,omitempty"`

	Constraints    []ecs.Constraint        `yaml:"placement_constraints,omitempty"`
	Placement      []ecs.PlacementStrategy `yaml:"placement_strategy,omitempty"` // none: spread over zones
	Providers      []ecs.StrategyItem      `yaml:"capacity_providers,omitempty"` // none: the cluster's default strategy
	LaunchType     string                  `yaml:"launch_type,omitempty"`        // EC2 or FARGATE, whatever the cluster's default strategy is
	Zones          []string                `yaml:"zones,omitempty"`              // on Fargate: where its subnets are; none: in each
	EC2            bool                    `yaml:"ec2,omitempty"`                // an older word for launch_type: EC2
	Grace          time.Duration           `yaml:"health_check_grace,omitempty"` // shown only
	ZoneRebalance  bool                    `yaml:"zone_rebalancing,omitempty"`   // shown only
	CircuitBreaker bool                    `yaml:"circuit_breaker,omitempty"`    // without rollback
	Tags           map[string]string       `yaml:"tags,omitempty"`

	Controller  string        `yaml:"controller,omitempty"`             // of deployments: ECS (default), CODE_DEPLOY, EXTERNAL
	TaskSets    []TaskSetSpec `yaml:"task_sets,omitempty"`              // with another controller, the primary one first; none: one of all tasks
	Alternate   string        `yaml:"alternate_target_group,omitempty"` // the other one of blue/green deployments by ECS
	InAlternate bool          `yaml:"in_alternate,omitempty"`           // its tasks are registered there

	VPC       string         `yaml:"vpc,omitempty"`            // where its tasks run that have no host
	IPv6      bool           `yaml:"ipv6,omitempty"`           // its tasks with network interfaces have an address of IPv6 too
	Balancers []BalancerSpec `yaml:"load_balancers,omitempty"` // several target groups, instead of target_group
	Ingress   []IngressSpec  `yaml:"ingress,omitempty"`        // target groups that ECS manages: only its revisions name them
	Names     []NamedSpec    `yaml:"service_registries,omitempty"`
	Lattice   []BalancerSpec `yaml:"lattice,omitempty"` // target groups of VPC Lattice
	ByHand    []BalancerSpec `yaml:"by_hand,omitempty"` // target groups in which somebody registers its tasks: no API of ECS names them
}

// BalancerSpec is one of several target groups of a service or task set.
type BalancerSpec struct {
	TargetGroup string `yaml:"target_group,omitempty"`
	Alternate   string `yaml:"alternate_target_group,omitempty"`
	Container   string `yaml:"container,omitempty"` // empty: that of the family
	Port        int    `yaml:"port,omitempty"`      // of the container; 0: its first one
}

// RegistrySpec is a service of Cloud Map.
type RegistrySpec struct {
	Name      string        `yaml:"name,omitempty"`
	Namespace string        `yaml:"namespace,omitempty"`
	TTL       time.Duration `yaml:"ttl,omitempty"` // of its DNS records; 0: 60 s
	SRV       bool          `yaml:"srv,omitempty"` // they tell the port too
}

// NamedSpec is a service of Cloud Map in which the tasks of a service are registered.
type NamedSpec struct {
	Registry  string `yaml:"registry,omitempty"`
	Container string `yaml:"container,omitempty"` // empty: that of the family
	Port      int    `yaml:"port,omitempty"`      // of the container; 0: none is registered
}

// LatticeSpec is a target group of VPC Lattice.
type LatticeSpec struct {
	Name  string        `yaml:"name,omitempty"`
	Type  string        `yaml:"type,omitempty"` // IP (default), INSTANCE
	VPC   string        `yaml:"vpc,omitempty"`
	Port  int           `yaml:"port,omitempty"`  // 0: 80
	Delay time.Duration `yaml:"delay,omitempty"` // draining; 0: 1 minute, negative: none
	Check time.Duration `yaml:"check,omitempty"` // from registration to healthy; 0: 10 s
}

// IngressSpec is a way into a service that ECS manages.
type IngressSpec struct {
	Kind         string `yaml:"kind,omitempty"` // gateway (default), express
	BalancerSpec `yaml:",inline"`
}

// TaskSetSpec is a task set.
type TaskSetSpec struct {
	Task        string `yaml:"task,omitempty"` // the family of a task definition
	TargetGroup string `yaml:"target_group,omitempty"`
	Scale       *int   `yaml:"scale,omitempty"` // percent of the service's desired count; none: 100

	Balancers []BalancerSpec `yaml:"load_balancers,omitempty"` // instead of target_group
}

// TrafficSpec is the clients of a service.
type TrafficSpec struct {
	Service     string        `yaml:"service,omitempty"`
	TargetGroup string        `yaml:"target_group,omitempty"` // the one that they use; empty: the first of the service, with its alternate
	Registry    string        `yaml:"registry,omitempty"`     // they ask a service of Cloud Map instead
	Rate        float64       `yaml:"rate,omitempty"`         // requests per second, or with network load balancers new connections
	Connection  time.Duration `yaml:"connection,omitempty"`   // how long each lasts; 0: 100 ms, with network load balancers 30 s
}

// TaskSpec is a number of standalone tasks that run at the start.
type TaskSpec struct {
	Cluster   string `yaml:"cluster,omitempty"`
	Task      string `yaml:"task,omitempty"`  // the family of a task definition
	Host      *int   `yaml:"host,omitempty"`  // index of the container instance, from 0; none: where there is place
	Count     int    `yaml:"count,omitempty"` // 0: 1
	StartedBy string `yaml:"started_by,omitempty"`

	Group       string                  `yaml:"group,omitempty"` // task group; empty: family:NAME. Unused with host, as is what follows
	Constraints []ecs.Constraint        `yaml:"placement_constraints,omitempty"`
	Placement   []ecs.PlacementStrategy `yaml:"placement_strategy,omitempty"`
	Providers   []ecs.StrategyItem      `yaml:"capacity_providers,omitempty"`
	LaunchType  string                  `yaml:"launch_type,omitempty"`
	Zones       []string                `yaml:"zones,omitempty"`
}
