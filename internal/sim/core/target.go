package core

// Target is the registration of a task with a target group, as ECS sees it.
type Target interface {
	Health() string // initial, healthy, unhealthy, draining
	Deregister()
	Dies() // nothing answers behind it any more
}

// Address is where a task can be reached: by the address of its own, or by its instance.
type Address struct {
	Instance string // id
	HostPort int
	IP, IPv6 string
	Port     int
}

// TargetOwner is the task of a registration, as the load balancer sees it.
type TargetOwner interface {
	About() Entry  // the task and where it is
	Answers() bool // health checks
	TargetChanged()
	Forget(Target) // it is the owner's no longer
}
