package sim

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/ecs"
)

// bench is a small world with shortcuts for tests.
type bench struct {
	*World
	t *testing.T
}

// small is one cluster "prod", one group "web-asg" of n hosts with the hook "drain" (60 s, CONTINUE, no target) and nothing else;
// change adds to it.
func small(t *testing.T, n int, change func(*Spec)) bench {
	t.Helper()
	s := Spec{
		Seed:     7,
		Clusters: []ClusterSpec{{Name: "prod"}},
		Queues:   []QueueSpec{{Name: "q"}},
		Groups: []GroupSpec{{
			Name: "web-asg", Max: 2*n + 2, Desired: n, Launch: core.HostSpec{Cluster: "prod", Boot: 20 * time.Second},
			Hooks: []HookSpec{{Name: "drain", Heartbeat: time.Minute, DefaultResult: "CONTINUE"}},
		}},
		TaskDefinitions: []ecs.TaskDefinition{
			{Family: "web", Port: 8080, Exit: 2 * time.Second},
			{Family: "job", Exit: 2 * time.Second},
		},
	}
	if change != nil {
		change(&s)
	}
	w, err := Build(s)
	if err != nil {
		t.Fatal(err)
	}
	return bench{w, t}
}

func (b bench) pass(d time.Duration) { b.Advance(b.Now().Add(d)) }

// id is the i-th host of the first group, in order of launch.
func (b bench) id(i int) string { return b.Instances()[i].ID }

func (b bench) state(i int) string {
	found := b.DescribeAutoScalingInstances([]string{b.id(i)})
	if len(found) == 0 {
		return "gone"
	}
	return found[0].State
}

func (b bench) wantState(i int, want string) {
	b.t.Helper()
	if got := b.state(i); got != want {
		b.t.Fatalf("%s: host %d is %s, want %s", b.Now().Sub(b.Start()), i, got, want)
	}
}

func (b bench) terminate(i int) {
	b.t.Helper()
	if _, err := b.TerminateInstanceInAutoScalingGroup(b.id(i), true); err != nil {
		b.t.Fatal(err)
	}
}

func (b bench) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// wantError checks the code and a part of the message.
func (b bench) wantError(err error, code, part string) {
	b.t.Helper()
	var refusal *core.Error
	if !errors.As(err, &refusal) || refusal.Code != code || !strings.Contains(refusal.Message, part) {
		b.t.Fatalf("got %v, want %s with %q", err, code, part)
	}
}

// containerInstance is the ARN of the container instance on a host.
func (b bench) containerInstance(i int) string { return b.Instances()[i].ContainerInstance }

func (b bench) drain(i int) {
	b.t.Helper()
	_, failures, err := b.UpdateContainerInstancesState("prod", []string{b.containerInstance(i)}, "DRAINING")
	if err != nil || len(failures) > 0 {
		b.t.Fatal(err, failures)
	}
}

// live lists the live tasks on a host whose last status is not STOPPED.
func (b bench) live(i int) []*ecs.Task {
	return slices.DeleteFunc(b.Tasks("prod"), func(t *ecs.Task) bool { return t.Instance != b.id(i) || t.LastStatus == "STOPPED" })
}

// on lists copies of them.
func (b bench) on(i int) []ecs.Task {
	return core.Mapped(b.live(i), func(t *ecs.Task) ecs.Task { return *t })
}

// of lists the live tasks of a service whose last status is not STOPPED.
func (b bench) of(service string) []*ecs.Task {
	return slices.DeleteFunc(b.Tasks("prod"), func(t *ecs.Task) bool { return t.Service != service || t.LastStatus == "STOPPED" })
}

// host describes the container instance of a host.
func (b bench) host(i int) ecs.ContainerInstance {
	b.t.Helper()
	found, failures, err := b.DescribeContainerInstances("prod", []string{b.containerInstance(i)})
	if err != nil || len(failures) > 0 {
		b.t.Fatal(err, failures)
	}
	return found[0]
}

func (b bench) service(name string) ecs.Service {
	b.t.Helper()
	found, failures, err := b.DescribeServices("prod", []string{name})
	if err != nil || len(failures) > 0 {
		b.t.Fatal(err, failures)
	}
	return found[0]
}

// entries lists the record of a kind that the filter wants.
func (b bench) entries(kind core.EntryKind, want func(core.Entry) bool) []core.Entry {
	var found []core.Entry
	for _, e := range b.Record() {
		if e.Kind == kind && (want == nil || want(e)) {
			found = append(found, e)
		}
	}
	return found
}

// course is the sequence of states that the record tells of one thing.
func (b bench) course(kind core.EntryKind, want func(core.Entry) bool) string {
	var states []string
	for _, e := range b.entries(kind, want) {
		states = append(states, e.To)
	}
	return strings.Join(states, " ")
}

func (b bench) wantCourse(kind core.EntryKind, want func(core.Entry) bool, states string) {
	b.t.Helper()
	if got := b.course(kind, want); got != states {
		b.t.Fatalf("the course of %s is\n  %s\nwant\n  %s", kind, got, states)
	}
}

func isInstance(id string) func(core.Entry) bool {
	return func(e core.Entry) bool { return e.Instance == id }
}
func isTask(arn string) func(core.Entry) bool {
	return func(e core.Entry) bool { return e.Task == arn }
}

// at finds when the first such entry was written.
func (b bench) at(kind core.EntryKind, want func(core.Entry) bool) time.Time {
	b.t.Helper()
	found := b.entries(kind, want)
	if len(found) == 0 {
		b.t.Fatalf("no entry of kind %s as wanted", kind)
	}
	return found[0].At
}

func addService(s *Spec, v ServiceSpec) {
	if v.Cluster == "" {
		v.Cluster = "prod"
	}
	s.Services = append(s.Services, v)
}

func addBalancer(s *Spec, name string, delay time.Duration) {
	s.TargetGroups = append(s.TargetGroups, TargetGroupSpec{Name: name, Delay: delay})
}

func ids(tasks []ecs.Task) []string {
	var arns []string
	for _, t := range tasks {
		arns = append(arns, t.ARN)
	}
	slices.Sort(arns)
	return arns
}
