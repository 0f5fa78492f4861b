package core

import "time"

// Switches are the facts about AWS that no primary source settles, and the settings that differ between accounts. The zero
// value is the documented or most likely behaviour.
type Switches struct {
	ProtectionHonoured   bool          `yaml:"protection_honoured,omitempty"`    // draining spares tasks with scale-in protection
	SilentEC2Terminate   bool          `yaml:"silent_ec2_terminate"`             // a direct EC2 TerminateInstances runs no hook and sends no notification
	HookEditApplies      bool          `yaml:"hook_edit_applies,omitempty"`      // editing a hook changes the timeout of actions in flight
	LateHeartbeatRefused bool          `yaml:"late_heartbeat_refused,omitempty"` // a heartbeat that the global timeout would cut is refused instead of shortened
	SigtermFirst         bool          `yaml:"sigterm_first,omitempty"`          // tasks get SIGTERM when deregistration starts, not when it is over
	LaunchBeforeTerm     bool          `yaml:"launch_before_terminate,omitempty"`
	RootVolumeAbandon    bool          `yaml:"root_volume_abandon,omitempty"` // ABANDON in ReplacingRootVolume:Wait terminates the instance
	NewestFirst          bool          `yaml:"newest_first,omitempty"`        // ListContainerInstances begins with the latest registration
	Notify               time.Duration `yaml:"notify,omitempty"`              // delay from wait state to notification; 0: 1 to 5 s by hash
	Duplicate            int           `yaml:"duplicate,omitempty"`           // percent of notifications and queue deliveries that come twice
	LostPercent          int           `yaml:"lost,omitempty"`                // percent of notifications that are lost
	LatePercent          int           `yaml:"late,omitempty"`                // percent of notifications that come up to 10 min late, out of order
	Propagation          time.Duration `yaml:"propagation,omitempty"`         // until a load balancer obeys a changed target state; 0: 4 s
	InactiveFor          time.Duration `yaml:"inactive_for,omitempty"`        // how long what has gone stays describable; 0: 1 h
	AutoScalingBurst     int           `yaml:"autoscaling_burst,omitempty"`   // calls at once that Auto Scaling allows; no numbers are published; 0: 100
	AutoScalingRate      float64       `yaml:"autoscaling_rate,omitempty"`    // and per second; 0: 10
	ProtectionStuck      bool          `yaml:"protection_stuck,omitempty"`    // managed termination protection never lifts the protection of an instance
	NoSpotCapacity       bool          `yaml:"no_spot_capacity,omitempty"`    // FARGATE_SPOT has no capacity from the start on
	StrategyInPlace      bool          `yaml:"strategy_in_place,omitempty"`   // UpdateService takes another strategy without a new deployment
	PageSize             int           `yaml:"page_size,omitempty"`           // most items on a page of List and Describe answers; 0: AWS's own maximum
}

// Config starts a world.
type Config struct {
	Seed     uint64
	Start    time.Time // zero: 2026-11-21T09:00:00Z
	Account  string    // empty: 111122223333
	Region   string    // empty: eu-west-1
	Switches Switches
}
