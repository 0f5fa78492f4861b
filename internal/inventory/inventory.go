// Package inventory is what one wide, read-only look at clusters and groups shows: the resources and settings that why, plan and
// doctor judge. Everything is in AWS's own words.
//
// It is pure data. It never asks AWS anything, never reads a clock and never judges.
package inventory

import (
	"slices"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
)

// Inventory is one look. A part that could not be read is empty and named in Unread: it must not be taken for absent.
type Inventory struct {
	At       time.Time
	Account  string
	Region   string
	Clusters []*Cluster
	Groups   []*Group
	// Instances are the EC2 instances of the groups and clusters, as far as EC2 knows them.
	Instances    []*Instance
	TargetGroups []*TargetGroup
	// Subnets are the VPCs of the subnets in which tasks have network interfaces.
	Subnets map[string]string
	Queues  []Queue
	Rules   []Rule
	// States are those of hosts whose groups are out of the scope, as these see them.
	States map[fleet.InstanceID]fleet.LifecycleState
	Unread []Unread
}

// Unread is a part that could not be read: access denied, throttled for too long, or deleted in the meantime.
type Unread struct {
	What  string // the operation and what it was to read: "ecs:DescribeServices of cluster prod"
	Error string
	// Absent: AWS says that there is no such thing.
	Absent bool
}

// Cluster is an ECS cluster with all that is in it.
type Cluster struct {
	Name, ARN         string
	Hosts             []*Host
	Tasks             []*Task // not STOPPED
	Services          []*Service
	TaskDefinitions   []*TaskDefinition // those of the services and tasks
	CapacityProviders []CapacityProvider
	// DefaultStrategy is what services and tasks without launch type and strategy of their own take.
	DefaultStrategy []StrategyItem
	// Part says that only what concerns one target was read; nil: all was. What is not in it is not known.
	Part *Part
}

// Part says how much of a cluster there is besides what was read of it.
type Part struct {
	Hosts, Tasks, Services int      // in the cluster, as ECS counts them
	Counted                []string // services of which all tasks were read
}

// Host is a container instance. Resources are CPU units, MiB, and numbers of GPUs.
type Host struct {
	fleet.ContainerInstance
	Type             string // of the EC2 instance; empty: unknown
	CapacityProvider string // empty: none
	AgentVersion     string
	RegisteredAt     time.Time
	CPU, Memory, GPU int // registered
	Free             Resources
	// Attributes as DescribeContainerInstances lists them: built-in and custom.
	Attributes map[string]string
	// Trunk reports that a trunk network interface is attached, so that Interfaces is not the limit.
	Trunk bool
	// Interfaces is how many network interfaces the instance type can have, the primary one included; 0: unknown.
	// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_NetworkInfo.html
	Interfaces int
}

// Resources is what a container instance has left for tasks.
type Resources struct {
	CPU, Memory, GPU int
	Ports, UDP       []int // host ports in use, AWS's own reserved ones included
}

// Task is an ECS task.
type Task struct {
	fleet.Task
	LaunchType     string // EC2, FARGATE, EXTERNAL
	StartedBy      string // ecs-svc/... of its deployment, or the startedBy of RunTask
	StartedAt      time.Time
	PullStartedAt  time.Time
	HealthStatus   string // HEALTHY, UNHEALTHY, UNKNOWN
	CPU, Memory    int    // of the task, when it has them; 0: as its definition says
	GPU            int    // devices assigned to it
	Protected      bool   // task scale-in protection
	ProtectedUntil time.Time
}

// Service is an ECS service.
type Service struct {
	fleet.Service
	ARN              string
	Status           string // ACTIVE, DRAINING, INACTIVE
	LaunchType       string // EC2, FARGATE, EXTERNAL; empty with a capacity provider strategy
	Strategy         []StrategyItem
	Controller       string // ECS, CODE_DEPLOY, EXTERNAL
	TaskDefinition   string // family:revision
	Constraints      []Constraint
	Deployments      []Deployment
	Events           []Event // newest first
	HealthCheckGrace time.Duration
}

// StrategyItem is one part of a capacity provider strategy.
type StrategyItem struct {
	Provider     string
	Base, Weight int
}

// Constraint is a placement constraint: distinctInstance, or memberOf with an expression of the cluster query language.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-placement-constraints.html
type Constraint struct {
	Type       string
	Expression string
}

// Deployment is one deployment of a service.
type Deployment struct {
	ID             string
	Status         string // PRIMARY, ACTIVE, INACTIVE
	TaskDefinition string
	Rollout        string // COMPLETED, FAILED, IN_PROGRESS; empty without the circuit breaker
	RolloutReason  string
	Desired        int
	Running        int
	Pending        int
	Failed         int
	CreatedAt      time.Time
}

// Event is one line of a service's events.
type Event struct {
	At   time.Time
	Text string
}

// TaskDefinition is what a task needs.
type TaskDefinition struct {
	Name             string // family:revision
	Network          string // bridge, host, awsvpc, none
	CPU, Memory, GPU int    // of the whole task: its own, or the sum of its containers' reservations
	HostPorts        []Port // fixed ones; dynamic ports are not in it
	Constraints      []Constraint
	Requires         []string // attributes that an instance must have, as name or name=value
	Containers       []Container
}

// Port is a fixed host port.
type Port struct {
	Number int
	UDP    bool
}

// DefaultStopTimeout is how long a container has between SIGTERM and SIGKILL if neither it nor the agent sets another time.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html#ECS-Type-ContainerDefinition-stopTimeout
const DefaultStopTimeout = 30 * time.Second

// Container is a container of a task definition.
type Container struct {
	Name        string
	StopTimeout time.Duration // 0: the agent's; see DefaultStopTimeout
	DependsOn   []string      // names of containers that start before it and stop after it
	HealthCheck bool
}

// CapacityProvider is a capacity provider.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_AutoScalingGroupProvider.html
type CapacityProvider struct {
	Name                  string
	Group                 string // name of its Auto Scaling group; empty: FARGATE, FARGATE_SPOT, managed instances
	ManagedScaling        bool
	TerminationProtection bool // managedTerminationProtection ENABLED
	ManagedDraining       bool // managedDraining ENABLED
	Status                string
}

// Group is an Auto Scaling group.
type Group struct {
	fleet.Group
	Hooks             []fleet.Hook
	Suspended         []string    // processes
	TargetGroups      []fleet.ARN // attached to the group itself
	ClassicBalancers  []string
	ProtectsNew       bool // NewInstancesProtectedFromScaleIn
	CapacityRebalance bool
	Spot              bool // its launch template or mixed instances policy asks for Spot capacity
	MaxLifetime       time.Duration
	// Activities are the newest scaling activities.
	Activities []fleet.Activity
	Refreshes  []Refresh
	// UserData is the decoded user data of what its instances are launched from.
	UserData      string
	UserDataKnown bool
}

// Refresh is an instance refresh.
type Refresh struct {
	ID, Status       string
	ScaleInProtected string // Refresh, Ignore, Wait
}

// Instance is an EC2 instance.
type Instance struct {
	ID       fleet.InstanceID
	State    fleet.InstanceState
	Launched time.Time
	Spot     bool
	VPC      string
}

// TargetGroup is a target group.
type TargetGroup struct {
	ARN                   fleet.ARN
	Name                  string
	Type                  string        // instance, ip
	Protocol              string        // HTTP, HTTPS: application; TCP, TLS, UDP: network
	Delay                 time.Duration // deregistration_delay.timeout_seconds
	DelayKnown            bool          // its attributes were read: a delay of 0 is one
	ConnectionTermination bool          // deregistration_delay.connection_termination.enabled
	LeastHealthy          int           // with fewer healthy targets, by count or percentage, requests go to every target; 0: off
	LeastPercent          int
	Targets               []fleet.Health
	VPC                   string
	Unnamed               bool // no service and no group names it: only its targets were read
}

// Queue is an SQS queue.
type Queue struct {
	URL, ARN    string // one of them is empty when it could not be found out
	Absent      bool   // AWS says that there is no such queue
	Visibility  time.Duration
	Retention   time.Duration
	Redrive     string // ARN of the dead-letter queue; empty: none
	MaxReceives int
	Visible     int    // about how many messages wait
	Policy      string // JSON
}

// Rule is an EventBridge rule on the default bus.
type Rule struct {
	Name, ARN, Pattern string
	Enabled            bool
	Targets            []string // ARNs
	WithRole           []string // those of Targets that EventBridge reaches by a role of their own
	ManagedBy          string   // the AWS service that made it; empty: the user
}

// Missed reports whether a part could not be read: an operation such as "ecs:DescribeServices", of something such as "cluster prod".
// An operation that failed as a whole has missed everything; with an empty of, any part counts.
func (s *Inventory) Missed(operation, of string) bool {
	for _, u := range s.Unread {
		if u.What == operation || of == "" && strings.HasPrefix(u.What, operation+" of ") || u.What == operation+" of "+of {
			return true
		}
	}
	return false
}

// Cluster returns the cluster of a name or ARN, or nil.
func (s *Inventory) Cluster(id string) *Cluster {
	return find(s.Clusters, func(v *Cluster) bool { return v.Name == id || v.ARN == id })
}

// Group returns the group of a name, or nil.
func (s *Inventory) Group(name string) *Group {
	return find(s.Groups, func(v *Group) bool { return v.Name == name })
}

// Instance returns the EC2 instance of an id, or nil.
func (s *Inventory) Instance(id fleet.InstanceID) *Instance {
	return find(s.Instances, func(v *Instance) bool { return v.ID == id })
}

// TargetGroup returns the target group of an ARN, or nil.
func (s *Inventory) TargetGroup(arn fleet.ARN) *TargetGroup {
	return find(s.TargetGroups, func(v *TargetGroup) bool { return v.ARN == arn })
}

// Member returns the group of an instance, and the instance as its group sees it; nil if no group has it.
func (s *Inventory) Member(id fleet.InstanceID) (*Group, *fleet.GroupInstance) {
	for _, g := range s.Groups {
		for i := range g.Instances {
			if g.Instances[i].ID == id {
				return g, &g.Instances[i]
			}
		}
	}
	return nil, nil
}

// Delay is the longest deregistration delay of a service's target groups, and the target group that has it; nil if none is known.
func (s *Inventory) Delay(v *Service) (longest time.Duration, of *TargetGroup) {
	for _, lb := range v.LoadBalancers {
		if g := s.TargetGroup(lb.TargetGroup); g != nil && g.DelayKnown && (of == nil || g.Delay > longest) {
			longest, of = g.Delay, g
		}
	}
	return longest, of
}

// DelaysKnown reports whether the deregistration delay of every target group of a service was read.
func (s *Inventory) DelaysKnown(v *Service) bool {
	return !slices.ContainsFunc(v.LoadBalancers, func(lb fleet.LoadBalancer) bool {
		g := s.TargetGroup(lb.TargetGroup)
		return lb.TargetGroup != "" && (g == nil || !g.DelayKnown)
	})
}

// Terminating are the terminating hooks of a group.
func (g *Group) Terminating() (out []fleet.Hook) {
	for _, h := range g.Hooks {
		if h.Transition == fleet.TerminatingTransit {
			out = append(out, h)
		}
	}
	return out
}

// TerminatingSince is when the newest scaling activity that terminates an instance began, zero if none is known.
func (g *Group) TerminatingSince(id fleet.InstanceID) (since time.Time) {
	for _, a := range g.Activities {
		if a.Instance == id && a.Start.After(since) {
			since = a.Start
		}
	}
	return since
}

// Host returns the container instance of an EC2 instance, or nil.
func (c *Cluster) Host(id fleet.InstanceID) *Host {
	return find(c.Hosts, func(v *Host) bool { return v.Instance == id })
}

// HostOf returns the container instance that a task is on, or nil.
func (c *Cluster) HostOf(t *Task) *Host {
	return find(c.Hosts, func(v *Host) bool { return v.ARN == t.ContainerInstance })
}

// TasksOn are the tasks on a container instance.
func (c *Cluster) TasksOn(h *Host) (out []*Task) {
	for _, t := range c.Tasks {
		if t.ContainerInstance == h.ARN {
			out = append(out, t)
		}
	}
	return out
}

// StrategyOf is the capacity provider strategy that a service follows.
func (c *Cluster) StrategyOf(v *Service) []StrategyItem {
	if v.LaunchType == "" && len(v.Strategy) == 0 {
		return c.DefaultStrategy
	}
	return v.Strategy
}

// Bounds are the fewest healthy and the most tasks that a service may have while it drains: ECS rounds the one up and the other down.
// For CODE_DEPLOY and EXTERNAL it takes 100 and 200 percent whatever is set.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeploymentConfiguration.html
func (v *Service) Bounds() (least, most int) {
	if v.Controller == "CODE_DEPLOY" || v.Controller == "EXTERNAL" {
		return v.Desired, 2 * v.Desired
	}
	return (v.Desired*v.MinPercent + 99) / 100, v.Desired * v.MaxPercent / 100
}

// Service returns the service of a name, or nil.
func (c *Cluster) Service(name string) *Service {
	return find(c.Services, func(v *Service) bool { return v.Name == name })
}

// TaskDefinition returns the task definition of a family:revision, or nil.
func (c *Cluster) TaskDefinition(name string) *TaskDefinition {
	return find(c.TaskDefinitions, func(v *TaskDefinition) bool { return v.Name == name })
}

func find[T any](items []*T, is func(*T) bool) *T {
	if i := slices.IndexFunc(items, is); i >= 0 {
		return items[i]
	}
	return nil
}
