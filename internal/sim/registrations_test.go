package sim

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/ecs"
)

// registrations are the container instances of the i-th host in a cluster, as ECS lists and describes them.
func (b bench) registrations(cluster string, i int) []ecs.ContainerInstance {
	b.t.Helper()
	arns, err := b.ListContainerInstances(cluster, "", "ec2InstanceId == "+b.id(i))
	b.must(err)
	if len(arns) == 0 {
		return nil
	}
	found, failures, err := b.DescribeContainerInstances(cluster, arns)
	if err != nil || len(failures) > 0 {
		b.t.Fatal(err, failures)
	}
	return found
}

// tasksOf are the tasks that ListTasks shows for a registration, by desired status RUNNING.
func (b bench) tasksOf(c ecs.ContainerInstance) []string {
	b.t.Helper()
	arns, err := b.ListTasks(c.Cluster, ecs.TaskQuery{ContainerInstance: c.ARN})
	b.must(err)
	return arns
}

// An agent that has lost its state registers the instance anew: the old registration stays, with its tasks, and nobody speaks for it.
func TestRegisteredAgain(t *testing.T) {
	b := small(t, 1, web(2, 100, 200))
	before := b.host(0)
	b.must(b.RegisterAgain(b.id(0), core.Again{}))
	both := b.registrations("prod", 0)
	if len(both) != 2 || both[0].ARN != before.ARN || both[1].ARN != b.containerInstance(0) || both[0].Instance != both[1].Instance {
		t.Fatalf("registrations %+v, want the old one and a new one", both)
	}
	old, fresh := both[0], both[1]
	if old.Status != "ACTIVE" || old.Connected || old.Running != 2 || old.FreeCPU != before.FreeCPU {
		t.Errorf("the old registration is %+v; want it ACTIVE, disconnected and with its two tasks", old)
	}
	if fresh.Status != "ACTIVE" || !fresh.Connected || fresh.Running != 0 || fresh.FreeCPU != fresh.CPU {
		t.Errorf("the new registration is %+v; want it ACTIVE, connected and empty", fresh)
	}
	if len(b.tasksOf(old)) != 2 || len(b.tasksOf(fresh)) != 0 {
		t.Errorf("tasks %v and %v, want two and none", b.tasksOf(old), b.tasksOf(fresh))
	}
	started, _, err := b.RunTask("prod", "web", "me", 2)
	b.must(err)
	b.pass(10 * time.Second)
	for _, one := range started {
		if one.ContainerInstance != fresh.ARN {
			t.Errorf("a task landed on %s", one.ContainerInstance)
		}
	}
	ports := map[int]bool{}
	for _, one := range b.on(0) {
		if one.LastStatus != "RUNNING" || ports[one.HostPort] {
			t.Errorf("task %s with host port %d, which must be its own", one.LastStatus, one.HostPort)
		}
		ports[one.HostPort] = true
	}
	b.must(b.TerminateInstances([]string{b.id(0)}))
	b.pass(time.Minute)
	if left := b.registrations("prod", 0); len(left) != 1 || left[0].ARN != old.ARN || left[0].Running != 2 {
		t.Errorf("after EC2 has terminated it: %+v; want the old registration as a ghost with its tasks", left)
	}
	b.pass(20 * time.Minute)
	if left := b.registrations("prod", 0); len(left) != 1 || left[0].Status != "ACTIVE" || left[0].Running != 0 {
		t.Errorf("half an hour later: %+v; want the ghost without tasks", left)
	}
}

// What is ordered on a registration that no agent speaks for does not happen: a task that is told to stop leaves its target group, and
// no more.
func TestTaskOfAForgottenRegistrationNeverStops(t *testing.T) {
	b := small(t, 1, web(1, 0, 200))
	task := b.Tasks("prod")[0]
	b.must(b.RegisterAgain(b.id(0), core.Again{}))
	_, _, err := b.UpdateContainerInstancesState("prod", b.Registrations(b.id(0))[:1], "DRAINING")
	b.must(err)
	b.pass(time.Hour)
	if task.LastStatus != "DEACTIVATING" || !task.Process || task.DesiredStatus != "STOPPED" {
		t.Errorf("the task is %s, its process runs: %v; want it to run on", task.LastStatus, task.Process)
	}
	b.wantCourse(core.EntryTarget, isTask(task.ARN), "initial healthy draining unused")
	b.ReconnectAgent(b.Registrations(b.id(0))[0]) // there is none that could come back
	if both := b.registrations("prod", 0); both[0].Connected || both[0].Status != "DRAINING" || both[1].Status != "ACTIVE" || both[1].Running != 1 {
		t.Errorf("registrations %+v; want the replacement on the new one", both)
	}
}

// The same in another cluster, with an agent for each, and without tasks on the old one.
func TestRegisteredAgainOtherwise(t *testing.T) {
	b := small(t, 2, func(s *Spec) {
		web(2, 100, 200)(s)
		s.Clusters = append(s.Clusters, ClusterSpec{Name: "other"})
		s.Switches.NewestFirst = true
	})
	b.must(b.RegisterAgain(b.id(0), core.Again{Cluster: "other", Connected: true}))
	here, there := b.registrations("prod", 0), b.registrations("other", 0)
	if len(here) != 1 || !here[0].Connected || here[0].Running != 1 || len(there) != 1 || !there[0].Connected || there[0].Cluster != "other" {
		t.Errorf("in prod %+v, in other %+v; want one connected registration in each", here, there)
	}
	b.must(b.RegisterAgain(b.id(1), core.Again{Empty: true}))
	if both := b.registrations("prod", 1); len(both) != 2 || !both[0].Connected || both[1].Connected || len(b.tasksOf(both[1])) != 0 {
		t.Errorf("registrations, the newest first: %+v; want the old one without tasks", both)
	}
	b.must(b.TerminateInstances([]string{b.id(0)}))
	b.pass(time.Minute)
	if here, there = b.registrations("prod", 0), b.registrations("other", 0); len(here)+len(there) != 0 {
		t.Errorf("after its termination: %+v and %+v, want neither, because both agents were connected", here, there)
	}
	b.wantError(b.RegisterAgain(b.id(0), core.Again{}), "ClientException", "terminated")
	b.wantError(b.RegisterAgain("i-0feed", core.Again{}), "ClientException", "not registered")
	b.wantError(b.RegisterAgain(b.id(1), core.Again{Cluster: "none"}), "ClusterNotFoundException", "")
}

// Worlds say the same: before the tasks are placed where the old registration is empty, and after that otherwise.
func TestWorldWithSeveralRegistrations(t *testing.T) {
	b := small(t, 3, func(s *Spec) {
		web(6, 100, 200)(s)
		s.Clusters = append(s.Clusters, ClusterSpec{Name: "other"})
		s.Groups[0].Hosts = []core.HostSpec{
			{Again: []core.Again{{}}}, {Again: []core.Again{{Empty: true}}}, {Again: []core.Again{{Empty: true}, {Cluster: "other"}}},
		}
	})
	counts := func(cluster string, i int) (all []int) {
		for _, c := range b.registrations(cluster, i) {
			all = append(all, c.Running)
		}
		return all
	}
	for i, want := range [][]int{{2, 0}, {0, 2}, {0, 2}} {
		if got := counts("prod", i); !slices.Equal(got, want) {
			t.Errorf("host %d has tasks %v, want %v", i, got, want)
		}
	}
	if got := counts("other", 2); !slices.Equal(got, []int{0}) {
		t.Errorf("host 2 in the other cluster: %v, want a registration without tasks", got)
	}
	_, err := Build(Spec{Groups: []GroupSpec{{Name: "g", Desired: 1, Hosts: []core.HostSpec{{Again: []core.Again{{}}}}}}})
	if err == nil || !strings.Contains(err.Error(), `group "g": registers_again: `) {
		t.Errorf("without a cluster: %v", err)
	}
}

// ECS's managed draining takes all registrations of an instance in its cluster, and waits for all their tasks.
func TestManagedDrainingOfSeveralRegistrations(t *testing.T) {
	b := small(t, 1, func(s *Spec) {
		web(1, 100, 200)(s)
		s.Groups[0].Hooks = nil
		s.Providers = []ecs.CapacityProvider{{Name: "cp", Group: "web-asg", ManagedDraining: true}}
	})
	b.must(b.RegisterAgain(b.id(0), core.Again{Connected: true}))
	b.terminate(0)
	b.pass(10 * time.Second)
	for _, c := range b.registrations("prod", 0) {
		if c.Status != "DRAINING" {
			t.Errorf("%+v is not DRAINING", c)
		}
	}
	b.wantState(0, "Terminating:Wait")
}

// An instance that is stopped and started comes back as the container instance that it was, unless that was deregistered.
func TestStopAndStart(t *testing.T) {
	b := small(t, 2, func(s *Spec) {
		web(2, 100, 200)(s)
		s.Groups[0].Suspended = []string{"HealthCheck"}
	})
	b.must(b.StopInstances([]string{b.id(0), b.id(1)}))
	b.wantError(b.StartInstances([]string{b.id(0)}), "IncorrectInstanceState", b.id(0))
	b.pass(5 * time.Minute)
	b.wantState(0, "InService")
	if c := b.host(0); c.Connected || c.Status != "ACTIVE" || c.Running != 0 {
		t.Fatalf("the container instance of a stopped instance is %+v", c)
	}
	_, err := b.DeregisterContainerInstance("prod", b.containerInstance(1), true)
	b.must(err)
	b.must(b.StartInstances([]string{b.id(0), b.id(1)}))
	b.pass(5 * time.Minute)
	if c := b.host(0); !c.Connected || c.Running != 2 || len(b.registrations("prod", 0)) != 1 {
		t.Errorf("started again it is %+v; want the same container instance, with both tasks", c)
	}
	if c := b.host(1); c.Connected || c.Status != "INACTIVE" {
		t.Errorf("the other is %+v; want it unable to register", c)
	}
	b.wantCourse(core.EntryInstance, isInstance(b.id(0)), "pending running stopping stopped pending running")
}
