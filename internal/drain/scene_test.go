package drain

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

var t0 = time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)

const (
	host  = fleet.InstanceID("i-0a1b2c3d4e5f60718")
	ci    = fleet.ARN("arn:aws:ecs:eu-west-1:111122223333:container-instance/prod/c1")
	group = fleet.ARN("arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup/web/1")
	token = "0b5f1c9e-7a43-4b0e-8c55-3f2f1f9f7e10"
)

// observed is what is known of a host.
type observed struct {
	Instance  fleet.Fact[fleet.GroupInstance]
	Hook      fleet.Fact[fleet.Hook]
	Machine   fleet.Fact[fleet.InstanceState]
	Began     fleet.Fact[time.Time]
	Container fleet.Fact[fleet.ContainerInstance]
	Turn      Slot
	Running   []time.Time
	Whole     time.Time
	Paged     bool
	Stopped   []time.Time
	Tasks     []fleet.Fact[fleet.Task]
	Tried     map[plan.ActionKind]Try
	Trouble   func(plan.LookKind) string
}

// scene is one call of Decide, built by hand.
type scene struct {
	d        Drain
	o        observed
	p        Policy
	now      time.Time
	services map[string]fleet.Fact[fleet.Service]
	health   map[fleet.TargetID]fleet.Fact[fleet.Health]
	delay    fleet.Fact[fleet.Delay]
	net      []fleet.Health // what is in use in the VPC under the net
	vpc      fleet.Fact[string]
	unread   bool // the net has not been read
	spot     fleet.Fact[fleet.SpotRequest]
	taken    []Taken   // by other drains
	noHook   bool      // no group is asked about
	since    time.Time // when this run of Ebb first decided
}

func (s *scene) Fact(of plan.Subject) any {
	at := func(want plan.Subject) {
		if want.Kind = of.Kind; of != want {
			panic(fmt.Sprintf("a fact of %+v, want %+v", of, want))
		}
	}
	switch of.Kind {
	case plan.GroupInstances:
		at(plan.Subject{ID: string(host)})
		return &s.o.Instance
	case plan.Hooks:
		if !s.noHook {
			at(plan.Subject{In: "web"})
		}
		return &s.o.Hook
	case plan.Instances:
		at(plan.Subject{ID: string(host)})
		return &s.o.Machine
	case plan.SpotRequests:
		at(plan.Subject{ID: string(host)})
		return &s.spot
	case plan.Activities:
		at(plan.Subject{In: "web", ID: string(host)})
		return &s.o.Began
	case plan.FindContainerInstances:
		at(plan.Subject{ID: string(host)})
		return &s.o.Container
	case plan.Services:
		at(plan.Subject{In: s.d.Cluster, ID: of.ID})
		f := s.services[of.ID]
		return &f
	case plan.Targets:
		f := s.health[fleet.TargetID{ID: of.ID, Port: of.Port}]
		return &f
	case plan.VPCs:
		return &s.vpc
	case plan.Registered:
		if s.unread {
			return nil
		}
		return &fleet.Fact[[]fleet.Health]{Is: fleet.Seen, At: s.now, Value: s.net}
	case plan.Delays:
		return &s.delay
	}
	panic("a fact of " + of.Kind.String())
}

func (s *scene) Tasks() []*fleet.Fact[fleet.Task] {
	tasks := make([]*fleet.Fact[fleet.Task], len(s.o.Tasks))
	for i := range tasks {
		tasks[i] = &s.o.Tasks[i]
	}
	return tasks
}

func (s *scene) Lists(k plan.LookKind) Lists {
	if k == plan.ListStopped {
		return Lists{Starts: s.o.Stopped}
	}
	return Lists{Starts: s.o.Running, Whole: s.o.Whole, Paged: s.o.Paged}
}

func (s *scene) Tried(k plan.ActionKind) Try { return s.o.Tried[k] }
func (s *scene) Slot() Slot                  { return s.o.Turn }

func (s *scene) Since() time.Time { return s.since }

func (s *scene) Taken(fleet.ARN) []Taken { return s.taken }

func (s *scene) Trouble(k plan.LookKind) string {
	if s.o.Trouble == nil {
		return ""
	}
	return s.o.Trouble(k)
}

// emptyHost is a minute into a drain of which nothing is left to do but the answer: the hook is open, the container instance has
// been DRAINING for long enough, both lists found no task, and ECS counts none.
func emptyHost() *scene {
	now := t0.Add(time.Minute)
	s := &scene{
		d: Drain{
			Key: "web/" + string(host) + "/0b5f1c9e", Target: fleet.HostTarget(host), Heard: t0, Zero: t0,
			Hold: Hold{Group: "web", Hook: "ebb-drain", Token: token, WaitingSince: t0},
			Host: Host{Cluster: "prod", ContainerInstance: ci, DrainingSince: t0.Add(5 * time.Second)},
		},
		vpc: fleet.Fact[string]{Is: fleet.Seen, At: now, Value: "vpc-1"},
		p:   Defaults(), now: now, services: map[string]fleet.Fact[fleet.Service]{}, health: map[fleet.TargetID]fleet.Fact[fleet.Health]{},
	}
	seen := now.Add(-5 * time.Second)
	s.o = observed{
		Instance: fleet.Fact[fleet.GroupInstance]{Is: fleet.Seen, At: seen, Value: fleet.GroupInstance{ID: host, Group: "web",
			State: fleet.TerminatingWait, Healthy: true}},
		Hook: fleet.Fact[fleet.Hook]{Is: fleet.Seen, At: seen, Value: fleet.Hook{Name: "ebb-drain", Group: "web",
			Heartbeat: 15 * time.Minute, Global: 25 * time.Hour}},
		Machine: fleet.Fact[fleet.InstanceState]{Is: fleet.Seen, At: seen, Value: fleet.StateRunning},
		Container: fleet.Fact[fleet.ContainerInstance]{Is: fleet.Seen, At: seen, Before: seen.Add(-30 * time.Second),
			Value: fleet.ContainerInstance{ARN: ci, Cluster: "prod", Instance: host, Status: fleet.Draining, Connected: true}},
		Running: []time.Time{t0.Add(15 * time.Second)},
		Stopped: []time.Time{t0.Add(27 * time.Second)},
		Tried:   map[plan.ActionKind]Try{},
	}
	return s
}

// task puts a task of a service (or a standalone one) on the host, with a port.
func (s *scene) task(id, service, last, desired string) *fleet.Fact[fleet.Task] {
	owner := "family:" + id
	if service != "" {
		owner = "service:" + service
	}
	s.o.Tasks = append(s.o.Tasks, fleet.Fact[fleet.Task]{Is: fleet.Seen, At: s.now.Add(-time.Second), Value: fleet.Task{
		ARN: fleet.ARN("arn:aws:ecs:eu-west-1:111122223333:task/prod/" + id), Cluster: "prod", ContainerInstance: ci, Family: id + ":1", Group: owner,
		LastStatus: last, DesiredStatus: desired, Addresses: []fleet.Address{{Container: "app", ContainerPort: 80, HostPort: 32768 + len(s.o.Tasks)}},
	}})
	return &s.o.Tasks[len(s.o.Tasks)-1]
}

// service makes a service known; with a load balancer, the state of the only target of its task on the host's port is given.
func (s *scene) service(name string, daemon bool, target string) {
	v := fleet.Service{Name: name, Cluster: "prod", Daemon: daemon}
	if target != "" {
		v.LoadBalancers = []fleet.LoadBalancer{{TargetGroup: group, Container: "app", ContainerPort: 80}}
		id := fleet.TargetID{ID: string(host), Port: 32768}
		s.health[id] = fleet.Fact[fleet.Health]{Is: fleet.Seen, At: s.now.Add(-time.Second), Value: fleet.Health{TargetGroup: group, Target: id, State: target}}
	}
	s.services[name] = fleet.Fact[fleet.Service]{Is: fleet.Seen, At: s.now.Add(-time.Second), Value: v}
}

func (s *scene) state(st fleet.LifecycleState) { s.o.Instance.Value.State = st }

func (s *scene) tried(k plan.ActionKind, class plan.Class, ago time.Duration) {
	try := Try{Started: s.now.Add(-ago - time.Second), At: s.now.Add(-ago), Class: class, Fails: 1, Token: s.d.hookCall().Token}
	if class == plan.OK {
		try.Fails, try.OK = 0, try.Started
	}
	s.o.Tried[k] = try
}

// at moves the scene's clock; what is known stays as old as it then is.
func (s *scene) at(sinceT0 time.Duration) { s.now = t0.Add(sinceT0) }

// fresh makes what is known of the host as new as a look can be, and the last heartbeat too.
func (s *scene) fresh() {
	at := s.now.Add(-time.Second)
	s.o.Instance.At, s.o.Container.At, s.o.Machine.At, s.o.Hook.At = at, at, at, at
	s.o.Container.Before = at.Add(-30 * time.Second)
	for i := range s.o.Tasks {
		s.o.Tasks[i].At = at
	}
	s.o.Tried[plan.Beat] = Try{Started: at, At: at, OK: at, Token: s.d.hookCall().Token}
}

// deadlineOver moves to just after the deadline.
func (s *scene) deadlineOver() {
	s.at(s.p.Deadline)
	s.fresh()
}

// unreached is a host that ECS has not reached for long enough, and a look that says so after the whole time.
func (s *scene) unreached() {
	s.at(10 * time.Minute)
	s.fresh()
	s.d.UnreachedFrom = t0.Add(2 * time.Minute)
	s.o.Container.Value.Connected = false
}

// daemonLeft is a host on which only a daemon task has been live for longer than it is waited for.
func (s *scene) daemonLeft(target string) {
	s.at(10 * time.Minute)
	s.fresh()
	s.d.EmptySince = s.now.Add(-s.p.DaemonGrace)
	s.task("agent", "agent", "RUNNING", "RUNNING")
	s.service("agent", true, target)
}

func (s *scene) decide() Decision { return Decide(s.d, s, s.p, s.now) }

// spell is a decision in words that a table can hold: what is done, with heartbeats last, and which looks are due at once.
func spell(dec Decision, now time.Time) (do, looks, notes string) {
	var done, due, told []string
	for _, a := range dec.Do {
		done = append(done, a.Kind.String())
	}
	for _, w := range dec.Want {
		if !w.Due.After(now) && !slices.Contains(due, w.Kind.String()) {
			due = append(due, w.Kind.String())
		}
	}
	slices.Sort(due)
	for _, n := range dec.Lines {
		told = append(told, n.Kind)
	}
	return strings.Join(done, " "), strings.Join(due, " "), strings.Join(told, " ")
}

// dueOf is when the only look of a kind is wanted.
func dueOf(t *testing.T, dec Decision, k plan.LookKind) time.Time {
	t.Helper()
	for _, w := range dec.Want {
		if w.Kind == k {
			return w.Due
		}
	}
	t.Fatalf("no %s look is wanted", k)
	return time.Time{}
}

func outcome(a *Answer) string {
	if a == nil {
		return ""
	}
	return string(a.Outcome)
}

func (s *scene) String() string {
	return fmt.Sprintf("drain %+v\nobserved %+v\nservices %+v\nhealth %+v\nat %s", s.d, s.o, s.services, s.health, s.now)
}
