// Package placement answers about a set of tasks: if hosts of a cluster leave, do the tasks there leave too, and can ECS start
// their replacements elsewhere, all together? If not, it says which and why, in AWS's words and in a person's.
//
// ECS places one task after the other, by strategies that only choose, and in an order that AWS does not promise, and the tasks of
// several services compete. So there are promises and proofs, and what lies between: a task Moves only if it finds a place
// whatever ECS places before it and wherever; it is Stuck only if no order and no choice helps; all else is Uncertain.
// Every answer is about the cluster as it was read: no host is added, no task ends by itself, nobody deploys.
//
// It is pure. It never asks AWS anything and shares no code with the simulated cloud, against whose scheduler it is tested.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-placement.html
package placement

import (
	"slices"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
)

// Verdict says what becomes of tasks whose hosts leave. A greater one is worse.
type Verdict uint8

// The verdicts.
const (
	// Moves: promised. The tasks stop, and as many are started elsewhere as the service wants.
	Moves Verdict = iota
	// Shrinks: promised is only that the tasks stop. The service's minimum percent allows it to go on with fewer, and the
	// replacements may find no place.
	Shrinks
	// Uncertain: the tasks may leave or stay; the reasons say on what it depends.
	Uncertain
	// Stuck: proved. At least one of the tasks stays where it is until something changes.
	Stuck
)

// String spells the verdict: moves, shrinks, uncertain or stuck.
func (v Verdict) String() string { return [...]string{"moves", "shrinks", "uncertain", "stuck"}[v] }

// Kind says who started a task.
type Kind uint8

// The kinds.
const (
	// Replica: a service that keeps a number of tasks.
	Replica Kind = iota
	// Daemon: a service that keeps one task on each host. It stops last and needs no place elsewhere.
	// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_service-options.html
	Daemon
	// Alone: RunTask or StartTask. ECS never moves it.
	Alone
)

// String spells the kind: replica, daemon or standalone.
func (k Kind) String() string { return [...]string{"replica", "daemon", "standalone"}[k] }

// Fate is what happens to the tasks of one service on the hosts that leave, or to one standalone task.
type Fate struct {
	Kind    Kind
	Service string // empty for a standalone task
	Tasks   []fleet.ARN
	// Verdict is about these tasks. With the reason Together, what is proved is that a task of one of the services named there stays.
	Verdict Verdict
	// Reasons why the verdict is not Moves, the decisive one first.
	Reasons []Reason
	// Places are the hosts that have room for one of the tasks as they are now.
	Places []fleet.InstanceID
	// Desired, Min and Max are the numbers of tasks: wanted, healthy at least (rounded up), present at most (rounded down).
	// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeploymentConfiguration.html
	Desired, Min, Max int
	// Missing is how many tasks are to be started elsewhere.
	Missing int
	// StopsFirst reports that a task stops before its replacement starts.
	StopsFirst bool
}

// Result is the answer about a set of hosts.
type Result struct {
	Verdict Verdict // the worst of all
	Fates   []Fate  // in order of the cluster's services, then the standalone tasks
}

// Leave says what would happen if the hosts of these instances left now, together, beside those that are leaving already.
// Instances that are not in the cluster are ignored. The inventory is for what is around the cluster: groups and EC2 instances.
func Leave(s *inventory.Inventory, c *inventory.Cluster, targets []fleet.InstanceID) Result {
	v := look(s, c, targets)
	var r Result
	asked := slices.DeleteFunc(slices.Clone(v.demands), func(d *demand) bool { return len(d.targets) == 0 })
	for _, d := range asked {
		if c.Part != nil {
			r.Fates = append(r.Fates, v.partly(d))
		} else {
			r.Fates = append(r.Fates, v.fate(d))
		}
	}
	v.together(asked, r.Fates)
	r.Fates = append(r.Fates, v.daemons()...)
	r.Fates = append(r.Fates, v.alone()...)
	for i := range r.Fates {
		r.Verdict = max(r.Verdict, r.Fates[i].Verdict)
	}
	return r
}

// Code names a reason.
type Code string

// The reasons. Those of single hosts come first.
const (
	NoCPU            Code = "no-cpu"            // RESOURCE:CPU
	NoMemory         Code = "no-memory"         // RESOURCE:MEMORY
	NoGPU            Code = "no-gpu"            // RESOURCE:GPU
	NoPort           Code = "no-port"           // RESOURCE:PORTS: a fixed host port is taken
	NoInterface      Code = "no-interface"      // RESOURCE:ENI
	NoAttribute      Code = "no-attribute"      // ATTRIBUTE: the task definition requires one that hosts lack
	ConstraintUnmet  Code = "constraint"        // memberOf
	DistinctInstance Code = "distinct-instance" // every host that is left has a task of the service
	NoProviderHost   Code = "no-provider-host"  // the capacity providers of the service have no host left

	NoHost            Code = "no-host"            // no ACTIVE, connected host is left
	Together          Code = "together"           // each service fits, not all of them
	Order             Code = "order"              // it depends on what ECS places first
	PercentArithmetic Code = "percent-arithmetic" // minimum and maximum percent leave no task to stop and none to start
	Deployment        Code = "deployment"         // a deployment is under way, or its tasks fail
	NotHealthy        Code = "not-healthy"        // too few tasks elsewhere are healthy
	Standalone        Code = "standalone"         // ECS never moves it
	Protected         Code = "protected"          // task scale-in protection; no page says what draining does
	AgentGone         Code = "agent-gone"         // the agent of its host is not connected
	Unjudged          Code = "unjudged"           // something could not be read or understood
	Scaling           Code = "scaling"            // managed scaling may add a host
)

// Reason is why tasks do not simply move.
type Reason struct {
	Code    Code   `json:"code"`
	Message string `json:"message"` // for people, with numbers and names
}
