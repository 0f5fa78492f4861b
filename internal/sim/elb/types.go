package elb

import "time"

// TargetGroup is an ELBv2 target group.
type TargetGroup struct {
	Name, ARN, Type, Protocol string // Type: instance, ip; Protocol HTTP: application, TCP: network load balancer
	Port                      int
	Delay                     time.Duration // deregistration_delay.timeout_seconds; AddTargetGroup: 0: 300 s, negative: none
	Check                     time.Duration // from registration to healthy, and from death to unhealthy; 0: 10 s
	Targets                   []*Target
	VPC                       string // empty: core.DefaultVPC
	ConnectionTermination     bool   // deregistration_delay.connection_termination.enabled, of network load balancers; shown only
}

// Target is one registration.
type Target struct {
	ID            string
	Port          int
	State, Reason string // initial, healthy, unhealthy, draining
	Since         time.Time
	Task          string // ARN, when ECS registered it
	RoutedUntil   time.Time
}
