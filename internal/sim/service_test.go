package sim

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/ecs"
	"github.com/ebbhq/ebb/internal/sim/elb"
)

// web adds a service "web" with n tasks, behind a target group with 20 s of deregistration delay.
func web(n, low, high int) func(*Spec) {
	return func(s *Spec) {
		addBalancer(s, "web-tg", 20*time.Second)
		addService(s, ServiceSpec{Name: "web", Task: "web", Desired: n, Min: low, Max: high, TargetGroup: "web-tg"})
	}
}

func TestStopWaitsForTheLoadBalancer(t *testing.T) {
	b := small(t, 2, web(1, 100, 200))
	task := b.Tasks("prod")[0]
	before := b.Now()
	stopped, err := b.StopTask("prod", task.ARN, "")
	if err != nil || stopped.LastStatus != "DEACTIVATING" || stopped.DesiredStatus != "STOPPED" {
		t.Fatalf("%+v %v", stopped, err)
	}
	b.pass(time.Minute)
	b.wantCourse(core.EntryTask, isTask(task.ARN), "PENDING RUNNING DEACTIVATING STOPPING DEPROVISIONING STOPPED")
	b.wantCourse(core.EntryTarget, isTask(task.ARN), "initial healthy draining unused")
	since := func(to string) time.Duration {
		return b.at(core.EntryTask, func(e core.Entry) bool { return e.Task == task.ARN && e.To == to }).Sub(before)
	}
	if since("STOPPING") != 20*time.Second || since("DEPROVISIONING") != 22*time.Second {
		t.Errorf("SIGTERM after %s, exit after %s; want 20 s and 22 s", since("STOPPING"), since("DEPROVISIONING"))
	}
	if last := since("STOPPED"); last < 23*time.Second || last > 24*time.Second {
		t.Errorf("STOPPED after %s, want 1 to 2 s after the exit", last)
	}
}

func TestSigtermFirst(t *testing.T) {
	b := small(t, 2, func(s *Spec) { web(1, 100, 200)(s); s.Switches.SigtermFirst = true })
	task := b.Tasks("prod")[0]
	_, err := b.StopTask("prod", task.ARN, "")
	b.must(err)
	b.pass(3 * time.Second)
	if task.Process || task.LastStatus != "DEACTIVATING" {
		t.Errorf("process %v, status %s; want it gone while its target drains", task.Process, task.LastStatus)
	}
	b.pass(time.Minute)
	b.wantCourse(core.EntryTask, isTask(task.ARN), "PENDING RUNNING DEACTIVATING STOPPING DEPROVISIONING STOPPED")
}

func TestKilledAtStopTimeout(t *testing.T) {
	b := small(t, 1, func(s *Spec) {
		s.TaskDefinitions = append(s.TaskDefinitions, ecs.TaskDefinition{Family: "slow", Exit: time.Hour}, ecs.TaskDefinition{Family: "slower",
			Exit: time.Hour, Stop: 2 * time.Minute})
		s.Tasks = []TaskSpec{{Cluster: "prod", Task: "slow"}, {Cluster: "prod", Task: "slower"}}
	})
	for i, limit := range []time.Duration{30 * time.Second, 2 * time.Minute} {
		task := b.Tasks("prod")[i]
		stopped := b.Now()
		_, err := b.StopTask("prod", task.ARN, "")
		b.must(err)
		b.pass(3 * time.Minute)
		end := b.at(core.EntryTask, func(e core.Entry) bool { return e.Task == task.ARN && e.To == "DEPROVISIONING" })
		if end.Sub(stopped) != limit || !task.Killed {
			t.Errorf("%s ended after %s, killed %v; want %s and killed", task.Definition, end.Sub(stopped), task.Killed, limit)
		}
		last := b.entries(core.EntryTask, func(e core.Entry) bool { return e.Task == task.ARN && e.To == "STOPPED" })[0]
		if last.Text != "UserInitiated killed" {
			t.Errorf("the record says %q", last.Text)
		}
	}
}

func TestTaskLifeInAwsvpc(t *testing.T) {
	b := small(t, 1, func(s *Spec) {
		s.TaskDefinitions = append(s.TaskDefinitions, ecs.TaskDefinition{Family: "net", Network: "awsvpc", Port: 80, Start: 8 * time.Second})
		s.TargetGroups = []TargetGroupSpec{{Name: "ip-tg", Delay: time.Second}}
		addService(s, ServiceSpec{Name: "net", Task: "net", Desired: 1, TargetGroup: "ip-tg"})
	})
	two := 2
	_, err := b.UpdateService("prod", "net", &two, "")
	b.must(err)
	b.pass(30 * time.Second)
	fresh := b.Tasks("prod")[1]
	b.wantCourse(core.EntryTask, isTask(fresh.ARN), "PROVISIONING PENDING ACTIVATING RUNNING")
	groups, err := b.DescribeTargetGroups(nil, []string{"ip-tg"})
	b.must(err)
	targets, err := b.DescribeTargetHealth(groups[0].ARN, nil)
	b.must(err)
	at := func(t elb.Target) bool { return t.Task == fresh.ARN && t.ID == fresh.IP && t.Port == 80 }
	if fresh.IP == "" || fresh.HostPort != 0 || !slices.ContainsFunc(targets, at) {
		t.Errorf("task %+v with targets %+v, want a target with its address", fresh, targets)
	}
}

func TestTaskEndsByItself(t *testing.T) {
	b := small(t, 1, func(s *Spec) {
		s.TaskDefinitions = append(s.TaskDefinitions, ecs.TaskDefinition{Family: "batch", Run: time.Minute})
		s.Tasks = []TaskSpec{{Cluster: "prod", Task: "batch"}}
	})
	b.pass(2 * time.Minute)
	task := b.Tasks("prod")[0]
	if task.LastStatus != "STOPPED" || task.StopCode != "EssentialContainerExited" || task.Killed {
		t.Errorf("task %+v, want it ended by itself", *task)
	}
}

func TestDrainReplacesFirstAtMinimum100(t *testing.T) {
	b := small(t, 2, web(2, 100, 200))
	old := b.on(0)[0].ARN
	b.drain(0)
	b.pass(14 * time.Second) // 5 s start and 10 s health check are not over
	if now := b.service("web"); now.Running != 3 {
		t.Fatalf("%d tasks run, want the old ones and the replacement", now.Running)
	}
	b.wantCourse(core.EntryTask, isTask(old), "PENDING RUNNING")
	b.pass(2 * time.Second)
	b.wantCourse(core.EntryTask, isTask(old), "PENDING RUNNING DEACTIVATING")
	b.pass(time.Minute)
	if on := b.on(0); len(on) != 0 {
		t.Errorf("still there: %+v", on)
	}
	if now := b.service("web"); now.Running != 2 || now.Pending != 0 {
		t.Errorf("%d running, %d pending, want 2 and 0", now.Running, now.Pending)
	}
}

// Without load balancer a replacement counts only 40 s after RUNNING.
func TestHealthyAfter40s(t *testing.T) {
	b := small(t, 2, func(s *Spec) { addService(s, ServiceSpec{Name: "web", Task: "web", Desired: 2}) })
	old := b.on(0)[0].ARN
	b.drain(0)
	b.pass(44 * time.Second)
	b.wantCourse(core.EntryTask, isTask(old), "PENDING RUNNING")
	b.pass(2 * time.Second)
	b.wantCourse(core.EntryTask, isTask(old), "PENDING RUNNING DEACTIVATING STOPPING")
}

// The bounds: min rounds up, max rounds down, and stopping tasks count against the maximum.
func TestDrainBounds(t *testing.T) {
	for _, c := range []struct {
		name               string
		tasks, low, high   int
		stoppedAt, started int // right after the drain began: stopped tasks, started replacements
	}{
		{"stop first", 4, 50, 100, 2, 0},
		{"stop first, rounded up", 3, 50, 100, 1, 0},
		{"start first", 4, 100, 200, 0, 4},
		{"start first, rounded down", 3, 100, 150, 0, 1},
		{"both", 4, 75, 125, 1, 1},
		{"no freedom", 4, 100, 100, 0, 0},
		{"no freedom by rounding", 3, 90, 130, 0, 0},
		{"all at once", 4, 0, 100, 4, 0},
	} {
		b := small(t, 2, func(s *Spec) {
			web(c.tasks, c.low, c.high)(s)
			s.Groups[0].Launch.Memory = 2000
			s.Groups[0].Desired = 1
		})
		b.must(b.SetDesiredCapacity("web-asg", 2))
		b.pass(time.Minute)
		b.drain(0)
		b.pass(time.Second)
		stopped, started := 0, 0
		for _, task := range b.Tasks("prod") {
			if task.DesiredStatus != "RUNNING" {
				stopped++
			}
			if task.Instance == b.id(1) {
				started++
			}
		}
		if stopped != c.stoppedAt || started != c.started {
			t.Errorf("%s: %d stopped and %d started, want %d and %d", c.name, stopped, started, c.stoppedAt, c.started)
		}
		b.pass(30 * time.Minute)
		stuck := len(b.on(0)) > 0
		if want := c.stoppedAt+c.started == 0; stuck != want {
			t.Errorf("%s: stuck %v, want %v: %+v", c.name, stuck, want, b.on(0))
		}
	}
}

func TestDrainLeavesStandaloneTasks(t *testing.T) {
	b := small(t, 2, func(s *Spec) {
		host := 0
		s.Tasks = []TaskSpec{{Cluster: "prod", Task: "job", Host: &host}}
	})
	b.drain(0)
	b.pass(time.Hour)
	if on := b.on(0); len(on) != 1 || on[0].LastStatus != "RUNNING" {
		t.Errorf("%+v, want the standalone task untouched", on)
	}
	if started, failures, err := b.RunTask("prod", "job", "", 3); err != nil || len(failures) > 0 || len(started) != 3 ||
		b.on(0)[0].Instance == started[0].Instance {
		t.Errorf("%+v %+v %v, want three tasks elsewhere", started, failures, err)
	}
}

func TestDrainStopsPendingAtOnce(t *testing.T) {
	b := small(t, 2, func(s *Spec) {
		s.TaskDefinitions = append(s.TaskDefinitions, ecs.TaskDefinition{Family: "slow", Start: 10 * time.Minute})
		addService(s, ServiceSpec{Name: "slow", Task: "slow", Desired: 2, Min: 100, Max: 100})
	})
	two := 4
	_, err := b.UpdateService("prod", "slow", &two, "")
	b.must(err)
	b.pass(time.Second)
	b.drain(0)
	pending, stopped := 0, 0
	for _, task := range b.on(0) {
		if task.LastStatus != "RUNNING" && task.StartedAt.IsZero() {
			pending++
			if task.DesiredStatus == "STOPPED" {
				stopped++
			}
		}
	}
	if pending != 1 || stopped != 1 {
		t.Errorf("%d of %d pending tasks are stopped, want 1 of 1", stopped, pending)
	}
}

func TestDaemonStopsLast(t *testing.T) {
	b := small(t, 2, func(s *Spec) {
		web(2, 100, 200)(s)
		s.TaskDefinitions = append(s.TaskDefinitions, ecs.TaskDefinition{Family: "agent"})
		addService(s, ServiceSpec{Name: "agent", Task: "agent", Daemon: true})
	})
	if on := b.on(0); len(on) != 2 {
		t.Fatalf("tasks %+v, want a replica and a daemon", on)
	}
	b.drain(0)
	b.pass(5 * time.Minute)
	var replica, daemon time.Time
	for _, e := range b.entries(core.EntryTask, isInstance(b.id(0))) {
		if e.To == "STOPPED" && !e.Daemon {
			replica = e.At
		}
		if e.To == "DEACTIVATING" && e.Daemon {
			daemon = e.At
		}
	}
	if replica.IsZero() || daemon.Before(replica) {
		t.Errorf("the replica stopped at %s, the daemon began to at %s", replica, daemon)
	}
	if on := b.on(0); len(on) != 0 {
		t.Errorf("still there, or started again: %+v", on)
	}
	_, _, err := b.UpdateContainerInstancesState("prod", []string{b.containerInstance(0)}, "ACTIVE")
	b.must(err)
	b.pass(time.Minute)
	if on := b.on(0); len(on) != 1 || !on[0].Daemon {
		t.Errorf("%+v, want the daemon back on the active instance", on)
	}
}

func TestProtectionAndDraining(t *testing.T) {
	for _, honoured := range []bool{false, true} {
		b := small(t, 2, func(s *Spec) { web(2, 0, 100)(s); s.Switches.ProtectionHonoured = honoured })
		_, failures, err := b.UpdateTaskProtection("prod", ids(b.on(0)), true, 10*time.Minute)
		if err != nil || len(failures) > 0 {
			t.Fatal(failures, err)
		}
		b.drain(0)
		b.pass(5 * time.Minute)
		if spared := len(b.on(0)) > 0; spared != honoured {
			t.Errorf("switch %v: the protected task was spared: %v", honoured, spared)
		}
		b.pass(6 * time.Minute)
		if on := b.on(0); len(on) != 0 {
			t.Errorf("switch %v: still there after the protection ended: %+v", honoured, on)
		}
	}
}

func TestTaskProtectionFailures(t *testing.T) {
	b := small(t, 1, func(s *Spec) { s.Tasks = []TaskSpec{{Cluster: "prod", Task: "job"}} })
	_, failures, err := b.UpdateTaskProtection("prod", []string{b.on(0)[0].ARN, "feed"}, true, 0)
	if err != nil || len(failures) != 2 || failures[0].Reason != "TASK_NOT_VALID" || failures[1].Reason != "MISSING" {
		t.Errorf("%+v %v", failures, err)
	}
	_, _, err = b.UpdateTaskProtection("prod", make([]string, 11), true, 0)
	b.wantError(err, "InvalidParameterException", "at most 10")
}

func TestUnplaceableWaitsForCapacity(t *testing.T) {
	b := small(t, 1, func(s *Spec) {
		s.TaskDefinitions = append(s.TaskDefinitions, ecs.TaskDefinition{Family: "big", CPU: 2048})
		addService(s, ServiceSpec{Name: "big", Task: "big", Desired: 2})
	})
	b.pass(10 * time.Minute)
	now := b.service("big")
	if now.Running != 1 || !strings.HasPrefix(now.Events[0].Text, "(service big) was unable to place a task because no container instance "+
		"met all of its requirements.") {
		t.Fatalf("%d running, events %+v", now.Running, now.Events)
	}
	b.must(b.SetDesiredCapacity("web-asg", 2))
	b.pass(30 * time.Second) // 1 s, boot 20 s, 1 s, start 5 s
	if now := b.service("big"); now.Running != 2 {
		t.Errorf("%d running, want 2 as soon as there is room", now.Running)
	}
}

func TestFixedHostPortAndDistinctInstance(t *testing.T) {
	b := small(t, 2, func(s *Spec) {
		s.TaskDefinitions = append(s.TaskDefinitions, ecs.TaskDefinition{Family: "port", Port: 80, HostPort: 80})
		addService(s, ServiceSpec{Name: "port", Task: "port", Desired: 3})
		addService(s, ServiceSpec{Name: "one", Task: "job", Desired: 3, DistinctInstance: true})
	})
	b.pass(time.Minute)
	for _, name := range []string{"port", "one"} {
		if now := b.service(name); now.Running != 2 {
			t.Errorf("%s: %d running, want one on each host", name, now.Running)
		}
	}
}

func TestSpreadOverZones(t *testing.T) {
	b := small(t, 6, func(s *Spec) { // two hosts in each zone; those of b and c have other tasks already
		for _, host := range []int{1, 2, 4, 5} {
			s.Tasks = append(s.Tasks, TaskSpec{Cluster: "prod", Task: "job", Host: &host})
		}
		addService(s, ServiceSpec{Name: "web", Task: "web", Desired: 3})
	})
	zones := map[string]int{}
	for _, task := range b.of("web") {
		zones[b.Find(task.Instance).Zone]++
	}
	if len(zones) != 3 {
		t.Errorf("tasks by zone: %v, want one in each", zones)
	}
}

// A healthy task that must not go yet does not keep one that may, because it does not count.
func TestUnhealthyLeavesFirst(t *testing.T) {
	b := small(t, 2, web(1, 50, 100))
	two := 2
	_, err := b.UpdateService("prod", "web", &two, "")
	b.must(err)
	b.pass(6 * time.Second) // the second runs and is not healthy yet
	b.drain(0)
	b.drain(1)
	b.pass(time.Second)
	if old, young := b.on(0)[0], b.on(1)[0]; old.DesiredStatus != "RUNNING" || young.DesiredStatus != "STOPPED" {
		t.Errorf("the healthy task is meant to be %s and the other %s, want RUNNING and STOPPED", old.DesiredStatus, young.DesiredStatus)
	}
}

func TestFailingTasksBackOff(t *testing.T) {
	b := small(t, 1, func(s *Spec) {
		s.TaskDefinitions = append(s.TaskDefinitions, ecs.TaskDefinition{Family: "bad", Fails: true})
		addService(s, ServiceSpec{Name: "bad", Task: "bad", Desired: 1})
	})
	b.pass(time.Hour)
	n := len(b.Tasks("prod"))
	if n < 8 || n > 25 {
		t.Errorf("%d tasks were tried in an hour, want 8 to 25", n)
	}
	if task := b.Tasks("prod")[0]; task.StopCode != "TaskFailedToStart" || task.LastStatus != "STOPPED" || !task.StartedAt.IsZero() {
		t.Errorf("task %+v", *task)
	}
}

func TestServiceScalesInAndDeploys(t *testing.T) {
	b := small(t, 3, web(6, 100, 200))
	two := 2
	_, err := b.UpdateService("prod", "web", &two, "")
	b.must(err)
	b.pass(time.Minute)
	if now := b.service("web"); now.Running != 2 {
		t.Fatalf("%d running, want 2", now.Running)
	}
	b.AddTaskDefinition(ecs.TaskDefinition{Family: "web", Port: 8080})
	_, err = b.UpdateService("prod", "web", nil, "web")
	b.must(err)
	b.pass(2 * time.Minute)
	now := b.service("web")
	if now.Running != 2 || now.Definition != "web:2" {
		t.Errorf("%+v, want 2 tasks of web:2", now)
	}
	for _, task := range b.of("web") {
		if task.Definition != "web:2" {
			t.Errorf("task of %s still runs", task.Definition)
		}
	}
}

func TestProtectedTasksAreSparedByScaleIn(t *testing.T) {
	b := small(t, 2, web(3, 100, 200))
	newest := b.Tasks("prod")[2].ARN
	_, _, err := b.UpdateTaskProtection("prod", []string{newest}, true, 0)
	b.must(err)
	one := 1
	_, err = b.UpdateService("prod", "web", &one, "")
	b.must(err)
	b.pass(time.Minute)
	if left := b.of("web"); len(left) != 1 || left[0].ARN != newest {
		t.Errorf("%d tasks are left, want the protected one", len(left))
	}
}

func TestDeadTaskIsReplacedByHealth(t *testing.T) {
	b := small(t, 2, web(2, 50, 100))
	b.must(b.StopInstances([]string{b.id(0)}))
	b.pass(2 * time.Minute)
	if now := b.service("web"); now.Running != 2 {
		t.Errorf("%d running, want the lost task replaced", now.Running)
	}
	b.wantCourse(core.EntryTarget, func(e core.Entry) bool { return e.Instance == b.id(0) }, "initial healthy unhealthy draining unused")
}
