// Package ecs is Amazon ECS in a simulated cloud: clusters, container instances, tasks and services. Its scheduler places, replaces and stops tasks
// under minimum and maximum percent; managed draining and managed termination protection are part of it, managed scaling is shown only.
//
// It shares no code with Ebb's placement: each judges the other. It never runs a process: without a Runtime processes are modelled.
package ecs

import (
	"time"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// ECS are the clusters of a world.
type ECS struct {
	*core.Core
	Others
	runtime   Runtime // nil: processes are modelled
	clusters  []*cluster
	providers []*CapacityProvider
	providing map[string]*CapacityProvider // by group
	cluster   map[string]*cluster
	instance  map[string]*containerInstance   // by ARN
	on        map[string][]*containerInstance // by EC2 instance, in order of registration
	tasks     map[string]*task                // by ARN
	families  map[string][]*TaskDefinition    // revisions in order
	networks  int                             // addresses given to awsvpc tasks
	runs      map[string][]string             // tasks by the client token of the RunTask that started them
	lacking   map[string]bool                 // of FARGATE and FARGATE_SPOT: there is no capacity for further tasks
}

// Others are the services that ECS needs.
type Others struct {
	Groups  Groups
	Targets Targets
	Lattice Targets // target groups of VPC Lattice
	Names   Names
	Bus     Bus
	Subnets Subnets
	Work    Work // nil: tasks have none
}

// Work is what tasks have to do.
type Work interface {
	Busy(task string) bool // the task has protected itself from scale-in, because it has work in flight
}

// Subnets are those of the VPCs.
type Subnets interface {
	ZoneOf(subnet string) string // empty: there is no such subnet
}

// Names are the services of Cloud Map.
type Names interface {
	RegisterTask(registry string, about core.Entry, ip string, port int, attributes map[string]string)
	DeregisterTask(registry, task string)
}

// Groups are the Auto Scaling groups of container instances, for capacity providers and managed draining.
type Groups interface {
	Launching(group string) (arn, cluster string, protectNew bool, err error)
	EnsureHook(group, name string, heartbeat time.Duration, result string)
	Waits(group, hook, token string) bool // whether the action of a hook is open
	RecordLifecycleActionHeartbeat(group, hook, token, instance string) error
	CompleteLifecycleAction(group, hook, token, instance, result string) error
	Protect(instance string, on bool)
	IsInService(instance string) bool
}

// Targets are the target groups of services.
type Targets interface {
	RegisterTask(targetGroup string, at core.Address, owner core.TargetOwner) core.Target // nil: there is no such target group
}

// Bus takes the events of ECS, and the rule that it makes.
type Bus interface {
	Wants(source, detailType string) bool
	Emit(about core.Entry, source, detailType string, resources []string, detail any)
	EmitAfter(d time.Duration, about core.Entry, source, detailType string, resources []string, detail any)
	EnsureRule(name, pattern, managedBy string)
}

// New makes ECS without clusters.
func New(c *core.Core, others Others) *ECS {
	return &ECS{
		Core: c, Others: others, providing: map[string]*CapacityProvider{}, cluster: map[string]*cluster{}, instance: map[string]*containerInstance{},
		on: map[string][]*containerInstance{}, tasks: map[string]*task{}, families: map[string][]*TaskDefinition{}, runs: map[string][]string{},
		lacking: map[string]bool{onSpot: c.NoSpotCapacity},
	}
}
