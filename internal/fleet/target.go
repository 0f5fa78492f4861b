package fleet

// TargetKind is a kind of thing that leaves.
type TargetKind string

// Host is an EC2 instance that is a container instance of ECS, with the tasks on it.
const Host TargetKind = "host"

// Target is one thing that leaves: what a drain is about, whatever is known of it by the name.
type Target struct {
	Kind  TargetKind
	Scope string // within which the id is unique, such as a cluster; empty: it is unique by itself
	ID    string
}

// HostTarget is an EC2 instance as a target. Its id is unique in the account and Region.
func HostTarget(id InstanceID) Target { return Target{Kind: Host, ID: string(id)} }
