package placement

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
