package autoscaling

import (
	"time"

	"github.com/ebbhq/ebb/internal/sim/core"
)

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
	Rebalance         bool          // CapacityRebalance
	Refreshes         []Refresh     // newest first; shown only

	Launch core.HostSpec   // what its instances are
	Hosts  []core.HostSpec // what its first instances are instead, in order of launch; an empty field is as in Launch
}

// Refresh is an instance refresh as it is shown: the simulated cloud runs none but that of ReplaceRootVolume.
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_InstanceRefresh.html
type Refresh struct {
	ID               string        `yaml:"-"`
	Status           string        `yaml:"status,omitempty"` // Pending, InProgress, Successful, Failed, Cancelled, ...; empty: InProgress
	Reason           string        `yaml:"reason,omitempty"`
	ScaleInProtected string        `yaml:"scale_in_protected,omitempty"` // Refresh, Ignore, Wait; empty: Wait
	Ago              time.Duration `yaml:"ago,omitempty"`                // how long before the start of the world it started
	Strategy         string        `yaml:"strategy,omitempty"`           // Rolling, ReplaceRootVolume; empty: Rolling
	Started, Ended   time.Time     `yaml:"-"`                            // Ended: zero while it goes on
}

// Activity is a scaling activity.
type Activity struct {
	ID, Group, Instance, Status, Description, Cause, StatusMessage string
	Start, End                                                     time.Time
	Progress                                                       int
}
