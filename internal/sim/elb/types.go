package elb

import "time"

// TargetGroup is an ELBv2 target group.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TargetGroupAttribute.html
type TargetGroup struct {
	Name, ARN, Type, Protocol string // Type: instance, ip; Protocol HTTP: application, TCP: network load balancer
	Port                      int
	Delay                     time.Duration // deregistration_delay.timeout_seconds; AddTargetGroup: 0: 300 s, negative: none
	Check                     time.Duration // from registration to healthy, and from death to unhealthy; 0: 10 s
	Targets                   []*Target
	VPC                       string // empty: core.DefaultVPC
	IPv6                      bool   // its targets have addresses of IPv6

	// Propagation is how long new requests still go to a target that is not healthy any more. AddTargetGroup: 0: 120 s for network load
	// balancers, else as core.Switches.Propagation says; negative: none.
	Propagation time.Duration

	ConnectionTermination bool          // deregistration_delay.connection_termination.enabled, of network load balancers
	KeepUnhealthy         bool          // not target_health_state.unhealthy.connection_termination.enabled, of network load balancers
	UnhealthyDraining     time.Duration // target_health_state.unhealthy.draining_interval_seconds, with KeepUnhealthy

	// LeastHealthy and LeastPercent are how many targets must be healthy, by count (0: 1) and percentage (0: off): with fewer, requests go to
	// all registered targets. target_group_health.unhealthy_state_routing.minimum_healthy_targets
	LeastHealthy, LeastPercent int
}

// Network reports whether a target group is one of a network load balancer.
func (g TargetGroup) Network() bool {
	switch g.Protocol {
	case "TCP", "TLS", "UDP", "TCP_UDP":
		return true
	}
	return false
}

// Target is one registration.
type Target struct {
	ID            string
	Port          int
	State, Reason string // initial, healthy, unhealthy, unhealthy.draining, draining; unused: it is no longer registered
	Since         time.Time
	Task          string // ARN, when it is that of a task
	RoutedUntil   time.Time
}
