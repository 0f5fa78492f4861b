package sim

import "github.com/ebbhq/ebb/internal/sim/core"

// World is a simulated cloud. Its methods are AWS's operations, the building of a world, and the passing of time. It is not
// safe for concurrent use. Lists are answered whole, in a fixed order, and as copies; paging is the wire's.
type World struct {
	*core.Core

	runtime Runtime         // nil: processes are modelled
	invoker FunctionRuntime // nil: functions do not run

	hosts     []*host
	host      map[string]*host // by instance id
	groups    []*group
	group     map[string]*group // by name
	members   map[string]*groupInstance
	clusters  []*cluster
	providers []*CapacityProvider
	cluster   map[string]*cluster
	machine   map[string]*containerInstance // by ARN
	tasks     map[string]*task              // by ARN
	families  map[string][]*TaskDefinition  // revisions in order
	balanced  []*targetGroup
	balancer  map[string]*targetGroup // by ARN
	queues    []*Queue
	queue     map[string]*Queue // by name
	receipts  map[string]receipt
	topics    []*Topic
	rules     []*rule
	networks  int // addresses given to awsvpc tasks

	functions   []*function
	underway    map[int]*running // invocations by number
	invocations int              // how many were begun
}

// New makes an empty world at its start time.
func New(cfg core.Config) *World {
	return &World{
		Core: core.New(cfg),
		host: map[string]*host{}, group: map[string]*group{}, members: map[string]*groupInstance{},
		cluster: map[string]*cluster{}, machine: map[string]*containerInstance{}, tasks: map[string]*task{},
		families: map[string][]*TaskDefinition{}, balancer: map[string]*targetGroup{}, queue: map[string]*Queue{},
		receipts: map[string]receipt{}, underway: map[int]*running{},
	}
}
