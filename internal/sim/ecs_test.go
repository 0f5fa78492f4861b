package sim

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/ecs"
	"github.com/ebbhq/ebb/internal/sim/elb"
)

// The counts follow the desired status: a task that is stopping counts for nothing, long before it has stopped.
func TestCountsLie(t *testing.T) {
	b := small(t, 1, web(1, 0, 100))
	b.drain(0)
	b.pass(5 * time.Second)
	found, _, err := b.DescribeContainerInstances("prod", []string{b.containerInstance(0)})
	if err != nil || found[0].Running != 0 || found[0].Pending != 0 {
		t.Fatalf("%+v %v, want no running tasks counted", found, err)
	}
	q := ecs.TaskQuery{ContainerInstance: b.containerInstance(0)}
	if listed, err := b.ListTasks("prod", q); err != nil || len(listed) != 0 {
		t.Errorf("listed without desired status: %v %v, want none", listed, err)
	}
	q.DesiredStatus = "STOPPED"
	listed, err := b.ListTasks("prod", q)
	if err != nil || len(listed) != 1 {
		t.Fatalf("listed as STOPPED: %v %v, want the stopping task", listed, err)
	}
	if tasks, _, err := b.DescribeTasks("prod", listed); err != nil || tasks[0].LastStatus != "DEACTIVATING" {
		t.Errorf("%+v %v, want DEACTIVATING", tasks, err)
	}
	b.pass(time.Hour)
	if listed, _ := b.ListTasks("prod", q); len(listed) != 1 {
		t.Errorf("a task that stopped less than an hour ago is not listed")
	}
	b.pass(time.Minute)
	if listed, _ := b.ListTasks("prod", q); len(listed) != 0 {
		t.Errorf("listed more than an hour later: %v", listed)
	}
}

func TestUpdateContainerInstancesStateFailures(t *testing.T) {
	b := small(t, 2, nil)
	_, err := b.DeregisterContainerInstance("prod", b.containerInstance(1), false)
	b.must(err)
	done, failures, err := b.UpdateContainerInstancesState("prod", []string{b.containerInstance(0), b.containerInstance(1), "feed"}, "DRAINING")
	if err != nil || len(done) != 1 || done[0].Status != "DRAINING" || len(failures) != 2 || failures[0].Reason != "INACTIVE" || failures[1].Reason != "MISSING" {
		t.Errorf("%+v %+v %v", done, failures, err)
	}
	_, _, err = b.UpdateContainerInstancesState("prod", make([]string, 11), "DRAINING")
	b.wantError(err, "InvalidParameterException", "at most 10 items")
	_, _, err = b.UpdateContainerInstancesState("prod", []string{"x"}, "INACTIVE")
	b.wantError(err, "InvalidParameterException", "[ACTIVE, DRAINING]")
	_, _, err = b.UpdateContainerInstancesState("nope", []string{"x"}, "DRAINING")
	b.wantError(err, "ClusterNotFoundException", "Cluster not found.")
}

func TestBatchLimits(t *testing.T) {
	b := small(t, 1, nil)
	_, _, err := b.DescribeTasks("prod", make([]string, 101))
	b.wantError(err, "InvalidParameterException", "at most 100")
	_, _, err = b.DescribeContainerInstances("prod", make([]string, 101))
	b.wantError(err, "InvalidParameterException", "at most 100")
	_, _, err = b.DescribeServices("prod", make([]string, 11))
	b.wantError(err, "InvalidParameterException", "at most 10")
	_, _, err = b.DescribeTasks("prod", nil)
	b.wantError(err, "InvalidParameterException", "empty")
	_, err = b.ListTasks("prod", ecs.TaskQuery{DesiredStatus: "SLEEPING"})
	b.wantError(err, "InvalidParameterException", "desiredStatus")
}

func TestUnknownIDsAreFailures(t *testing.T) {
	b := small(t, 1, nil)
	_, failures, err := b.DescribeTasks("prod", []string{"feed"})
	if err != nil || len(failures) != 1 || failures[0] != (ecs.Failure{ARN: "arn:aws:ecs:eu-west-1:111122223333:task/prod/feed", Reason: "MISSING"}) {
		t.Errorf("%+v %v", failures, err)
	}
	_, failures, err = b.DescribeServices("prod", []string{"feed"})
	if err != nil || len(failures) != 1 || failures[0].Reason != "MISSING" {
		t.Errorf("%+v %v", failures, err)
	}
	found, failures := b.DescribeClusters([]string{"prod", "nope"})
	if len(found) != 1 || len(failures) != 1 || failures[0].Reason != "MISSING" {
		t.Errorf("%+v %+v", found, failures)
	}
	if found := b.DescribeAutoScalingInstances([]string{"i-0feed", b.id(0)}); len(found) != 1 {
		t.Errorf("%+v, want the unknown id left out", found)
	}
}

func TestDeregisterByForceOrphansTasks(t *testing.T) {
	b := small(t, 2, web(2, 100, 200))
	_, err := b.DeregisterContainerInstance("prod", b.containerInstance(0), false)
	b.wantError(err, "InvalidParameterException", "running tasks")
	task := b.live(0)[0]
	ci, err := b.DeregisterContainerInstance("prod", b.containerInstance(0), true)
	if err != nil || ci.Status != "INACTIVE" || !task.Process {
		t.Fatalf("%+v %v, process %v; want it to run on", ci, err, task.Process)
	}
	b.pass(time.Minute)
	if now := b.service("web"); now.Running != 2 || !task.Process || task.LastStatus != "STOPPED" {
		t.Errorf("%d running, want the orphan replaced; ECS says %s of it, its process runs: %v", now.Running, task.LastStatus, task.Process)
	}
	b.wantCourse(core.EntryTarget, isTask(task.ARN), "initial healthy draining unused")
	if listed, _ := b.ListContainerInstances("prod", "", ""); len(listed) != 1 {
		t.Errorf("listed %v, want only the active one", listed)
	}
	b.pass(2 * time.Hour)
	if _, failures, _ := b.DescribeContainerInstances("prod", []string{ci.ARN}); len(failures) != 1 {
		t.Errorf("an INACTIVE container instance is described after two hours")
	}
}

// A task whose agent is cut off does not move until the agent is back.
func TestDisconnectedAgentHoldsTasks(t *testing.T) {
	b := small(t, 1, func(s *Spec) { s.Tasks = []TaskSpec{{Cluster: "prod", Task: "job"}} })
	task := b.live(0)[0]
	b.DisconnectAgent(b.containerInstance(0))
	_, err := b.StopTask("prod", task.ARN, "")
	b.must(err)
	b.pass(time.Hour)
	if task.LastStatus != "DEACTIVATING" || !task.Process {
		t.Fatalf("%s, process %v; want DEACTIVATING and alive", task.LastStatus, task.Process)
	}
	b.ReconnectAgent(b.containerInstance(0))
	b.pass(time.Minute)
	if task.LastStatus != "STOPPED" {
		t.Errorf("%s, want STOPPED", task.LastStatus)
	}
	b.wantCourse(core.EntryAgent, nil, "disconnected connected")
}

func TestNothingIsPlacedWithoutAgent(t *testing.T) {
	b := small(t, 1, nil)
	b.DisconnectAgent(b.containerInstance(0))
	if _, failures, err := b.RunTask("prod", "job", "", 1); err != nil || len(failures) != 1 || failures[0].Reason != "AGENT" {
		t.Errorf("%+v %v, want AGENT", failures, err)
	}
}

func TestListTasksNarrows(t *testing.T) {
	b := small(t, 2, web(2, 100, 200))
	if _, _, err := b.RunTask("prod", "job", "me", 1); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		q    ecs.TaskQuery
		want int
	}{
		{ecs.TaskQuery{}, 3},
		{ecs.TaskQuery{Service: "web"}, 2},
		{ecs.TaskQuery{Family: "job"}, 1},
		{ecs.TaskQuery{StartedBy: "me"}, 1},
		{ecs.TaskQuery{DesiredStatus: "PENDING"}, 0},
	} {
		if listed, err := b.ListTasks("prod", c.q); err != nil || len(listed) != c.want {
			t.Errorf("%+v: %d tasks, %v; want %d", c.q, len(listed), err, c.want)
		}
	}
	_, err := b.ListTasks("prod", ecs.TaskQuery{Service: "nope"})
	b.wantError(err, "ServiceNotFoundException", "Service not found.")
}

func TestFilter(t *testing.T) {
	b := small(t, 4, func(s *Spec) {
		host := 3
		s.Tasks = []TaskSpec{{Cluster: "prod", Task: "job", Host: &host}}
	})
	b.DisconnectAgent(b.containerInstance(2))
	a, c := b.id(0), b.id(1)
	for _, v := range []struct {
		filter string
		want   []int
	}{
		{"", []int{0, 1, 2, 3}},
		{"ec2InstanceId == " + a, []int{0}},
		{"ec2InstanceId != '" + a + "'", []int{1, 2, 3}},
		{"ec2InstanceId in ['" + a + "','" + c + "']", []int{0, 1}},
		{"ec2InstanceId in [" + a + ", " + c + "]", []int{0, 1}},
		{"ec2InstanceId !in [" + a + "]", []int{1, 2, 3}},
		{"ec2InstanceId =~ " + a[:6] + ".*", []int{0}},
		{"agentConnected == true", []int{0, 1, 3}},
		{"agentConnected==false", []int{2}},
		{"runningTasksCount > 0", []int{3}},
		{"runningTasksCount == 0 and agentConnected == true", []int{0, 1}},
		{"runningTasksCount == 1 or ec2InstanceId == " + a, []int{0, 3}},
		{"not (agentConnected == true)", []int{2}},
		{"(agentConnected == true and runningTasksCount <= 0) && ec2InstanceId != " + a, []int{1}},
		{"attribute:ecs.availability-zone == eu-west-1a", []int{0, 3}},
		{"attribute:ecs.availability-zone in [eu-west-1b, eu-west-1c]", []int{1, 2}},
		{"attribute:nope exists", nil},
		{"attribute:nope !exists", []int{0, 1, 2, 3}},
		{"task:group == family:job", []int{3}},
	} {
		listed, err := b.ListContainerInstances("prod", "", v.filter)
		if err != nil {
			t.Errorf("%s: %v", v.filter, err)
			continue
		}
		var want []string
		for _, i := range v.want {
			want = append(want, b.containerInstance(i))
		}
		if !slices.Equal(listed, want) {
			t.Errorf("%s: %d instances, want %v", v.filter, len(listed), v.want)
		}
	}
}

func TestFilterRefusals(t *testing.T) {
	b := small(t, 1, nil)
	for _, filter := range []string{
		"nope == 1", "ec2InstanceId", "ec2InstanceId ==", "ec2InstanceId in i-1", "ec2InstanceId in [", "ec2InstanceId in [i-1", "ec2InstanceId == 'i-1",
		"(agentConnected == true", "agentConnected == true true", "attribute: exists", "ec2InstanceId =~ '['", "and", "ec2InstanceId in [i-1 i-2]", "=",
	} {
		_, err := b.ListContainerInstances("prod", "", filter)
		b.wantError(err, "InvalidParameterException", "Invalid filter expression "+strconv.Quote(filter))
	}
	_, err := b.ListContainerInstances("prod", "GONE", "")
	b.wantError(err, "InvalidParameterException", "status")
}

// Reads with a lag answer with the past, and do not know what is too new.
func TestLag(t *testing.T) {
	b := small(t, 2, web(2, 0, 100))
	b.pass(time.Minute)
	task := b.on(0)[0].ARN
	b.terminate(0)
	b.drain(0)
	started, _, err := b.RunTask("prod", "job", "", 1)
	b.must(err)
	b.pass(2 * time.Second)

	see := func() (machine, life, status, desired, health string, young bool) {
		machines, _, _ := b.DescribeContainerInstances("prod", []string{b.containerInstance(0)})
		tasks, _, _ := b.DescribeTasks("prod", []string{task})
		listed, _ := b.ListTasks("prod", ecs.TaskQuery{Family: "job"})
		tg, _ := b.DescribeTargetGroups(nil, []string{"web-tg"})
		targets, _ := b.DescribeTargetHealth(tg[0].ARN, []elb.Target{{ID: b.id(0), Port: tasks[0].HostPort}})
		return machines[0].Status, b.state(0), tasks[0].LastStatus, tasks[0].DesiredStatus, targets[0].State, slices.Contains(listed, started[0].ARN)
	}
	want := func(lag time.Duration, machine, life, status, desired, health string, young bool) {
		t.Helper()
		b.SetLag(lag)
		m, l, s, d, h, y := see()
		if m != machine || l != life || s != status || d != desired || h != health || y != young {
			t.Errorf("lag %s: %s, %s, %s, %s, %s, %v", lag, m, l, s, d, h, y)
		}
		b.SetLag(0)
	}
	want(0, "DRAINING", "Terminating:Wait", "DEACTIVATING", "STOPPED", "draining", true)
	want(1500*time.Millisecond, "DRAINING", "Terminating", "DEACTIVATING", "STOPPED", "draining", true)
	want(3*time.Second, "ACTIVE", "InService", "RUNNING", "RUNNING", "healthy", false)
	b.pass(5 * time.Minute)
	want(0, "INACTIVE", "gone", "STOPPED", "STOPPED", "unused", true)
}

func TestLagShowsWhatHasLeft(t *testing.T) {
	b := small(t, 1, func(s *Spec) { s.Groups[0].Hooks = nil })
	b.pass(time.Minute)
	b.terminate(0)
	b.pass(time.Minute)
	if got := len(b.DescribeAutoScalingGroups(nil)[0].Instances); got != 0 {
		t.Fatalf("%d instances, want none", got)
	}
	b.SetLag(61 * time.Second)
	if got := b.DescribeAutoScalingGroups(nil)[0].Instances; len(got) != 1 || got[0].State != "InService" {
		t.Errorf("with a lag: %+v, want it in service", got)
	}
}

func TestSettledWorldHasAPast(t *testing.T) {
	b := small(t, 1, web(1, 100, 200))
	b.SetLag(time.Minute)
	machines, _ := b.ListContainerInstances("prod", "", "")
	tasks, _ := b.ListTasks("prod", ecs.TaskQuery{})
	tg, _ := b.DescribeTargetGroups(nil, nil)
	targets, _ := b.DescribeTargetHealth(tg[0].ARN, nil)
	if len(machines) != 1 || len(tasks) != 1 || len(targets) != 1 || targets[0].State != "healthy" || b.state(0) != "InService" {
		t.Errorf("a lagging read right at the start sees %d container instances, %d tasks, targets %+v and a host that is %s", len(machines),
			len(tasks), targets, b.state(0))
	}
}
