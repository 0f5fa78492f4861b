package core

import (
	"fmt"
	"slices"
	"time"
)

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
	PageSize             int           `yaml:"page_size,omitempty"`           // most items on a page of List and Describe answers; 0: AWS's own maximum

	// StoppingFree: what a task has counts as free once it begins to stop, as AWS does since July 2023; a task that is placed there waits PENDING until
	// the other has stopped.
	StoppingFree bool `yaml:"stopping_free,omitempty"`

	// RegistersAgain is how long after somebody else has deregistered the target of a task ECS registers it again; 0: never. An address is
	// registered again only when its deregistration is over. https://github.com/aws/containers-roadmap/issues/251
	RegistersAgain time.Duration `yaml:"registers_again,omitempty"`

	CloudMap time.Duration `yaml:"cloud_map,omitempty"` // how long a deregistration by hand takes in Cloud Map; 0: it is done at once

	MetricLate time.Duration `yaml:"metric_late,omitempty"` // how much later data that are put show in CloudWatch

	// QueueLate is for how long the counts of a queue do not know of a message yet. They need a minute after the last message was sent until they
	// are right: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_GetQueueAttributes.html
	QueueLate time.Duration `yaml:"queue_late,omitempty"`

	// Of Fargate and Fargate Spot.

	NoSpotCapacity      bool          `yaml:"no_spot_capacity,omitempty"`       // FARGATE_SPOT has no capacity from the start on
	StrategyInPlace     bool          `yaml:"strategy_in_place,omitempty"`      // another capacity provider strategy needs no new deployment
	SpotOrder           string        `yaml:"spot_order,omitempty"`             // before-2023, promised, 2025: see below; empty: promised
	SpotDeregister      time.Duration `yaml:"spot_deregister_after,omitempty"`  // until ECS deregisters in the order 2025; 0: 10 s
	SpotStopCode        string        `yaml:"spot_stop_code,omitempty"`         // TerminationNotice, or none; empty: SpotInterruption
	SpotEventNoProvider bool          `yaml:"spot_event_no_provider,omitempty"` // events of interrupted tasks have no capacityProviderName
	SpotEventLate       time.Duration `yaml:"spot_event_late,omitempty"`        // how much later the event of an interruption comes
	SpotEventLost       int           `yaml:"spot_event_lost,omitempty"`        // percent of these events that never come

	// Of EC2 Spot.

	SpotMarked     bool          `yaml:"spot_marked,omitempty"`      // a request reads marked-for-termination first, as where the price rises
	SpotStatusLate time.Duration `yaml:"spot_status_late,omitempty"` // how long after the notice a request still reads fulfilled
}

// The orders in which ECS interrupts a task on Fargate Spot. Before February 2023 it sent SIGTERM, and deregistered targets once the task
// had stopped. Since then it promises to deregister first. In 2025 users saw SIGTERM first again.
// https://aws.amazon.com/about-aws/whats-new/2023/02/amazon-elastic-container-service-accuracy-service-load-balancing/
// https://github.com/aws/containers-roadmap/issues/2673
const (
	SpotBefore2023 = "before-2023"
	SpotPromised   = "promised"
	Spot2025       = "2025"
)

// SpotNoCode is the stop code of interruptions whose events have none.
// https://github.com/aws/containers-roadmap/issues/1565
const SpotNoCode = "none"

// Check says which switch has a value that it cannot have.
func (s Switches) Check() error {
	switch {
	case !slices.Contains([]string{"", SpotBefore2023, SpotPromised, Spot2025}, s.SpotOrder):
		return fmt.Errorf("spot_order is %q; it must be %s, %s or %s", s.SpotOrder, SpotBefore2023, SpotPromised, Spot2025)
	case !slices.Contains([]string{"", "SpotInterruption", "TerminationNotice", SpotNoCode}, s.SpotStopCode):
		return fmt.Errorf("spot_stop_code is %q; it must be SpotInterruption, TerminationNotice or %s", s.SpotStopCode, SpotNoCode)
	}
	return nil
}

// Config starts a world.
type Config struct {
	Seed     uint64
	Start    time.Time // zero: 2026-11-21T09:00:00Z
	Account  string    // empty: 111122223333
	Region   string    // empty: eu-west-1
	Switches Switches
}
