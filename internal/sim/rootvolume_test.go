package sim

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/sqs"
)

const newVolume = "Pending InService ReplacingRootVolume ReplacingRootVolume:Wait ReplacingRootVolume:Proceed RootVolumeReplaced Pending"

// A new root volume: the terminating hooks hold the instance, it restarts under its id, and its agent registers it anew.
func TestReplaceRootVolume(t *testing.T) {
	b := small(t, 2, func(s *Spec) {
		s.Tasks = []TaskSpec{{Cluster: "prod", Task: "job", Count: 2}}
		s.Groups[0].Hooks[0].Target = "q"
		s.Queues = append(s.Queues, QueueSpec{Name: "events"})
		s.Rules = []RuleSpec{{Name: "r", Pattern: `{"source":["aws.autoscaling"]}`, Targets: []string{"events"}}}
	})
	task := b.on(0)[0].ARN
	b.must(b.ReplaceRootVolume(b.id(0), false))
	b.wantState(0, "ReplacingRootVolume")
	b.pass(10 * time.Second)
	b.wantState(0, "ReplacingRootVolume:Wait")
	refreshes, err := b.DescribeInstanceRefreshes("web-asg")
	if err != nil || refreshes[0].Status != "InProgress" || refreshes[0].Strategy != "ReplaceRootVolume" {
		t.Errorf("instance refreshes %+v %v", refreshes, err)
	}
	f := fieldsOf(t, b.receive("q", 1)[0].Body)
	told := map[string]map[string]any{}
	for _, m := range b.receive("events", 10) {
		event := fieldsOf(t, m.Body)
		told[event["detail-type"].(string)] = event["detail"].(map[string]any)
	}
	if told["EC2 Auto Scaling Instance Refresh Started"]["AutoScalingGroupName"] != "web-asg" {
		t.Errorf("events %v", told)
	}
	for _, said := range []map[string]any{f, told["EC2 Instance-terminate Lifecycle Action"]} {
		if said["Action"] != "ReplaceRootVolume" || said["LifecycleTransition"] != "autoscaling:EC2_INSTANCE_TERMINATING" ||
			said["Origin"] != "AutoScalingGroup" || said["Destination"] != "AutoScalingGroup" {
			t.Errorf("told %v", said)
		}
	}
	if n := len(b.DescribeAutoScalingGroups(nil)[0].Instances); n != 2 {
		t.Errorf("%d instances, want no replacement", n)
	}
	b.must(b.RecordLifecycleActionHeartbeat("web-asg", "drain", f["LifecycleActionToken"].(string), ""))
	b.must(b.CompleteLifecycleAction("web-asg", "drain", f["LifecycleActionToken"].(string), "", "CONTINUE"))
	b.wantState(0, "ReplacingRootVolume:Proceed")
	b.pass(time.Minute)
	b.wantState(0, "InService")
	b.wantCourse(core.EntryLifecycle, isInstance(b.id(0)), newVolume+" InService")
	b.wantCourse(core.EntryInstance, isInstance(b.id(0)), "pending running")
	both := b.registrations("prod", 0)
	if len(both) != 2 || both[0].Connected || both[0].Running != 1 || !both[1].Connected || both[1].ARN != b.containerInstance(0) {
		t.Errorf("registrations %+v; want the old one, whose task ECS takes for running, and a new one", both)
	}
	if dead, _, err := b.DescribeTasks("prod", []string{task}); err != nil || dead[0].LastStatus != "RUNNING" || dead[0].Process {
		t.Errorf("the task on the old volume is %+v", dead)
	}
	succeeded := func(m sqs.Message) bool {
		return strings.Contains(m.Body, "EC2 Auto Scaling Instance Refresh Succeeded")
	}
	if last := b.receive("events", 10); !slices.ContainsFunc(last, succeeded) {
		t.Errorf("the events are %v", last)
	}
	if refreshes, _ := b.DescribeInstanceRefreshes("web-asg"); refreshes[0].Status != "Successful" || refreshes[0].Ended.IsZero() {
		t.Errorf("instance refresh %+v", refreshes[0])
	}
}

// The launching hooks follow; what cannot be replaced is terminated, through the hooks again.
func TestReplaceRootVolumeEndings(t *testing.T) {
	b := small(t, 3, func(s *Spec) {
		start := HookSpec{Name: "start", Transition: "launching", Heartbeat: time.Minute, DefaultResult: "CONTINUE"}
		s.Groups[0].Hooks = append(s.Groups[0].Hooks, start)
	})
	b.must(b.ReplaceRootVolume(b.id(0), false))
	b.must(b.ReplaceRootVolume(b.id(1), true))
	b.pass(time.Minute)
	b.wantState(0, "ReplacingRootVolume:Wait")
	b.pass(40 * time.Second) // the hook of a minute runs out: CONTINUE
	b.wantState(0, "Pending:Wait")
	b.wantState(1, "Terminating:Wait")
	b.pass(2 * time.Minute)
	b.wantCourse(core.EntryLifecycle, isInstance(b.id(0)), newVolume+" Pending:Wait Pending:Proceed InService")
	b.wantState(1, "gone")
	if refreshes, _ := b.DescribeInstanceRefreshes("web-asg"); refreshes[0].Status != "Failed" || refreshes[1].Status != "Successful" {
		t.Errorf("instance refreshes %+v", refreshes)
	}
	b.wantError(b.ReplaceRootVolume(b.id(1), false), "ValidationError", "No managed instance found")
	b.terminate(2)
	b.wantError(b.ReplaceRootVolume(b.id(2), false), "ValidationError", "is not in InService")
}

// What ABANDON does to the instance AWS does not say.
func TestReplaceRootVolumeAbandoned(t *testing.T) {
	for ends, want := range map[bool]string{false: "ReplacingRootVolume:Proceed", true: "Terminating"} {
		b := small(t, 1, func(s *Spec) { s.Switches.RootVolumeAbandon = ends })
		b.must(b.ReplaceRootVolume(b.id(0), false))
		b.pass(5 * time.Second)
		b.must(b.CompleteLifecycleAction("web-asg", "drain", "", b.id(0), "ABANDON"))
		b.wantState(0, want)
	}
}

// Standby: out of service without hooks, and back.
func TestStandby(t *testing.T) {
	b := small(t, 2, func(s *Spec) {
		addBalancer(s, "tg", 10*time.Second)
		s.Groups[0].TargetGroups = []string{"tg"}
		s.Groups[0].Min, s.Groups[0].Max = 1, 2
	})
	_, err := b.EnterStandby("web-asg", []string{b.id(0)}, true)
	b.must(err)
	b.pass(time.Minute)
	b.wantState(0, "Standby")
	b.must(b.SetInstanceHealth(b.id(0), "Unhealthy"))
	b.pass(time.Minute)
	b.wantState(0, "Standby")
	b.must(b.SetInstanceHealth(b.id(0), "Healthy"))
	_, err = b.EnterStandby("web-asg", []string{b.id(1)}, true)
	b.wantError(err, "ValidationError", "min-size=1, max-size=2, and desired-size=1")
	_, err = b.ExitStandby("web-asg", []string{b.id(1)})
	b.wantError(err, "ValidationError", "is not in Standby")
	activities, err := b.ExitStandby("web-asg", []string{b.id(0)})
	if err != nil || activities[0].Description != "Moving EC2 instance out of Standby: "+b.id(0) {
		t.Errorf("%+v %v", activities, err)
	}
	b.pass(time.Minute)
	b.wantCourse(core.EntryLifecycle, isInstance(b.id(0)), "Pending InService EnteringStandby Standby Pending InService")
	b.wantCourse(core.EntryTarget, isInstance(b.id(0)), "initial healthy draining unused initial healthy")
	if g := b.DescribeAutoScalingGroups(nil)[0]; g.Desired != 2 || len(g.Instances) != 2 {
		t.Errorf("%d desired, %d instances; want the two of before", g.Desired, len(g.Instances))
	}
}

// With Terminate suspended nothing is terminated but by request; resumed, the group does what it has missed.
func TestSuspendedAndResumed(t *testing.T) {
	for _, process := range []string{"Terminate", "ReplaceUnhealthy", "HealthCheck"} {
		b := small(t, 3, nil)
		b.must(b.SuspendProcesses("web-asg", []string{process}))
		b.must(b.StopInstances([]string{b.id(0)}))
		if process != "HealthCheck" {
			b.must(b.SetInstanceHealth(b.id(1), "Unhealthy"))
		}
		b.pass(5 * time.Minute)
		b.wantState(0, "InService")
		b.wantState(1, "InService")
		if _, err := b.TerminateInstanceInAutoScalingGroup(b.id(2), true); err != nil {
			t.Errorf("%s suspended: %v; a request terminates all the same", process, err)
		}
		b.wantState(2, "Terminating")
		b.must(b.ResumeProcesses("web-asg", nil))
		b.pass(3 * time.Minute)
		b.wantState(0, "gone")
		if process != "HealthCheck" {
			b.wantState(1, "gone")
		}
		b.wantError(b.SuspendProcesses("web-asg", []string{"Sleep"}), "ValidationError", "Sleep")
	}
}
