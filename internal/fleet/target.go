package fleet

// TargetKind is a kind of thing that leaves.
type TargetKind string

// The kinds of target.
const (
	// Host is an EC2 instance that is a container instance of ECS, with the tasks on it.
	Host TargetKind = "host"
	// OneTask is a task that ECS stops with notice, such as one on Fargate Spot. Its scope is the name of its cluster, its id the ARN.
	OneTask TargetKind = "task"
)

// Target is one thing that leaves: what a drain is about, whatever is known of it by the name.
type Target struct {
	Kind  TargetKind
	Scope string // within which the id is unique, such as a cluster; empty: it is unique by itself
	ID    string
}

// HostTarget is an EC2 instance as a target. Its id is unique in the account and Region.
func HostTarget(id InstanceID) Target { return Target{Kind: Host, ID: string(id)} }

// TaskTarget is a task as a target.
func TaskTarget(cluster string, task ARN) Target {
	return Target{Kind: OneTask, Scope: cluster, ID: string(task)}
}

// Name is what people call the target.
func (t Target) Name() string {
	if t.Kind == OneTask {
		return "task " + ARN(t.ID).Name()
	}
	return t.ID
}
