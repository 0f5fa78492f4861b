package core

import "time"

// HostSpec is what the instances of a group are like and which cluster they join.
type HostSpec struct {
	Cluster string        `yaml:"cluster,omitempty"` // empty: a plain group
	CPU     int           `yaml:"cpu,omitempty"`     // units; 0: 2048
	Memory  int           `yaml:"memory,omitempty"`  // MiB; 0: 7680
	Boot    time.Duration `yaml:"boot,omitempty"`    // from launch to running and, with a cluster, registered; 0: 60 s
	NoAgent bool          `yaml:"no_agent,omitempty"`

	Type         string            `yaml:"type,omitempty"`          // instance type; empty: m7i.large
	GPU          int               `yaml:"gpu,omitempty"`           // devices
	Interfaces   int               `yaml:"interfaces,omitempty"`    // network interfaces, the primary one included; 0: a trunk, and no limit
	Attributes   map[string]string `yaml:"attributes,omitempty"`    // custom ones of its container instance
	AgentVersion string            `yaml:"agent_version,omitempty"` // of the ECS agent; empty: 1.105.1
	Spot         bool              `yaml:"spot,omitempty"`          // a Spot Instance
	UserData     string            `yaml:"user_data,omitempty"`     // plain text; the ECS agent reads ECS_CONTAINER_STOP_TIMEOUT in it
	VPC          string            `yaml:"vpc,omitempty"`           // where it runs; empty: DefaultVPC

	Again []Again `yaml:"registers_again,omitempty"` // how it was registered once more, in order
}

// Again is a further registration of an instance: its ECS agent has lost its state and registers as if the instance were new.
type Again struct {
	Cluster   string `yaml:"cluster,omitempty"`   // empty: that of the registration before
	Connected bool   `yaml:"connected,omitempty"` // the registration before stays connected, as if it had an agent of its own
	Empty     bool   `yaml:"empty,omitempty"`     // the tasks of the registration before have stopped
}

// Instance is an EC2 instance.
type Instance struct {
	ID, Zone, State, PrivateIP, Group, ContainerInstance string // ContainerInstance: its ARN in ECS, the newest of several; empty: none
	LaunchedAt, Since                                    time.Time
	Host                                                 HostSpec
}

// SpotRequest is the request of a Spot Instance. The names in XML are EC2's.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_SpotInstanceRequest.html
type SpotRequest struct {
	ID       string        `xml:"spotInstanceRequestId"`
	State    string        `xml:"state"` // active, closed or disabled
	Status   RequestStatus `xml:"status"`
	Type     string        `xml:"type"`
	Instance string        `xml:"instanceId"`
	Action   string        `xml:"instanceInterruptionBehavior"` // terminate, stop or hibernate
}

// RequestStatus is the status of a request.
type RequestStatus struct {
	Code    string    `xml:"code"`
	Updated time.Time `xml:"updateTime"`
}

// Alive reports whether processes on the instance run.
func (i *Instance) Alive() bool { return i.State == "pending" || i.State == "running" }

// WithDefaults is a spec with AWS's defaults, or likely values, where it says nothing.
func (s HostSpec) WithDefaults() HostSpec {
	if s.CPU == 0 {
		s.CPU = 2048
	}
	if s.Memory == 0 {
		s.Memory = 7680
	}
	if s.Boot == 0 {
		s.Boot = 60 * time.Second
	}
	if s.Type == "" {
		s.Type = "m7i.large"
	}
	if s.AgentVersion == "" {
		s.AgentVersion = "1.105.1"
	}
	if s.VPC == "" {
		s.VPC = DefaultVPC
	}
	return s
}

// Over is another spec with what this one says instead.
func (s HostSpec) Over(base HostSpec) HostSpec {
	for _, set := range []struct{ to, from *int }{
		{&base.CPU, &s.CPU}, {&base.Memory, &s.Memory}, {&base.GPU, &s.GPU}, {&base.Interfaces, &s.Interfaces},
	} {
		if *set.from != 0 {
			*set.to = *set.from
		}
	}
	for _, set := range []struct{ to, from *string }{
		{&base.Type, &s.Type}, {&base.AgentVersion, &s.AgentVersion}, {&base.UserData, &s.UserData}, {&base.VPC, &s.VPC},
	} {
		if *set.from != "" {
			*set.to = *set.from
		}
	}
	base.NoAgent, base.Spot = base.NoAgent || s.NoAgent, base.Spot || s.Spot
	if s.Attributes != nil {
		base.Attributes = s.Attributes
	}
	if s.Again != nil {
		base.Again = s.Again
	}
	return base
}

// DescribableFor is how long INACTIVE container instances and terminated instances stay describable.
func (c *Core) DescribableFor() time.Duration {
	if c.InactiveFor > 0 {
		return c.InactiveFor
	}
	return time.Hour
}
