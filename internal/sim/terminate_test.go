package sim

import (
	"slices"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/sim/core"
)

func TestTerminationWithHook(t *testing.T) {
	b := small(t, 2, nil)
	b.terminate(0)
	b.wantState(0, "Terminating")
	b.pass(time.Second)
	b.wantState(0, "Terminating:Wait")
	b.pass(50 * time.Second)
	b.must(b.CompleteLifecycleAction("web-asg", "drain", "", b.id(0), "CONTINUE"))
	b.wantState(0, "Terminating:Proceed")
	proceeded := b.Now()
	b.pass(time.Minute)
	b.wantState(0, "gone")
	down := b.at(core.EntryInstance, func(e core.Entry) bool { return e.Instance == b.id(0) && e.To == "shutting-down" })
	if d := down.Sub(proceeded); d < 2*time.Second || d > 5*time.Second {
		t.Errorf("EC2 was told %s after Terminating:Proceed, want 2 to 5 s", d)
	}
	b.wantCourse(core.EntryLifecycle, isInstance(b.id(0)), "Pending InService Terminating Terminating:Wait Terminating:Proceed Terminated")
	b.wantCourse(core.EntryInstance, isInstance(b.id(0)), "pending running shutting-down terminated")
	b.wantCourse(core.EntryContainer, isInstance(b.id(0)), "ACTIVE INACTIVE")
	activities, err := b.DescribeScalingActivities("web-asg")
	if err != nil || activities[0].Status != "Successful" || activities[0].Instance != b.id(0) || activities[0].Progress != 100 {
		t.Errorf("the newest activity is %+v, %v; want the successful termination", activities[0], err)
	}
}

func TestTerminationWithoutHook(t *testing.T) {
	b := small(t, 1, func(s *Spec) { s.Groups[0].Hooks = nil })
	b.terminate(0)
	b.pass(time.Minute)
	b.wantCourse(core.EntryLifecycle, isInstance(b.id(0)), "Pending InService Terminating Terminating:Proceed Terminated")
}

// The load balancers of the group drain before the hook opens, for the whole delay.
func TestGroupTargetsDrainBeforeTheHook(t *testing.T) {
	b := small(t, 1, func(s *Spec) {
		addBalancer(s, "tg", 100*time.Second)
		s.Groups[0].TargetGroups = []string{"tg"}
	})
	b.terminate(0)
	b.pass(100 * time.Second)
	b.wantState(0, "Terminating")
	b.pass(time.Second)
	b.wantState(0, "Terminating:Wait")
	b.wantCourse(core.EntryTarget, isInstance(b.id(0)), "initial healthy draining unused")
	activities, err := b.DescribeScalingActivities("web-asg")
	if err != nil || activities[0].Status != "MidLifecycleAction" {
		t.Errorf("activity %+v, %v; want MidLifecycleAction", activities[0], err)
	}
}

func TestTerminateRefusals(t *testing.T) {
	b := small(t, 2, func(s *Spec) { s.Groups[0].Min = 2 })
	_, err := b.TerminateInstanceInAutoScalingGroup("i-0123", false)
	b.wantError(err, "ValidationError", "Instance Id not found - No managed instance found for instance ID: i-0123")
	_, err = b.TerminateInstanceInAutoScalingGroup(b.id(0), true)
	b.wantError(err, "ValidationError", "Currently, desiredSize equals minSize (2).")
	b.must(b.SetInstanceProtection("web-asg", []string{b.id(0)}, true))
	_, err = b.TerminateInstanceInAutoScalingGroup(b.id(0), false) // protection is from scale-in only
	b.must(err)
}

func TestReplacementStartsWhileTheOldOneWaits(t *testing.T) {
	b := small(t, 2, nil)
	if _, err := b.TerminateInstanceInAutoScalingGroup(b.id(0), false); err != nil {
		t.Fatal(err)
	}
	b.pass(2 * time.Second)
	b.wantState(0, "Terminating:Wait")
	b.wantState(2, "Pending")
	b.pass(20 * time.Second)
	b.wantState(2, "InService")
	if b.containerInstance(2) == "" || b.Instances()[2].Zone != b.Instances()[0].Zone {
		t.Errorf("the replacement %+v is not registered, or not in the zone of the old one", *b.Instances()[2])
	}
}

func TestScaleInChoosesByZoneThenAgeAndSparesProtected(t *testing.T) {
	b := small(t, 4, nil) // zones a b c a
	b.must(b.SetInstanceProtection("web-asg", []string{b.id(0)}, true))
	b.must(b.SetDesiredCapacity("web-asg", 2))
	b.pass(3 * time.Second)
	var states []string
	for i := range 4 {
		states = append(states, b.state(i))
	}
	if want := []string{"InService", "Terminating:Wait", "InService", "Terminating:Wait"}; !slices.Equal(states, want) {
		t.Errorf("after scale-in: %v, want %v", states, want)
	}
}

func TestScaleInFindsOnlyProtected(t *testing.T) {
	b := small(t, 1, nil)
	b.must(b.SetInstanceProtection("web-asg", []string{b.id(0)}, true))
	b.must(b.SetDesiredCapacity("web-asg", 0))
	b.pass(time.Minute)
	b.wantState(0, "InService")
	activities, _ := b.DescribeScalingActivities("web-asg")
	if activities[0].Status != "Cancelled" {
		t.Errorf("activity %+v, want it cancelled", activities[0])
	}
}

func TestScaleOutWaitsForLaunchHook(t *testing.T) {
	b := small(t, 1, func(s *Spec) {
		s.Groups[0].Hooks = append(s.Groups[0].Hooks, HookSpec{Name: "start", Transition: "launching", Heartbeat: time.Minute})
	})
	b.must(b.SetDesiredCapacity("web-asg", 2))
	b.pass(21 * time.Second)
	b.wantState(1, "Pending:Wait")
	b.must(b.CompleteLifecycleAction("web-asg", "start", "", b.id(1), "CONTINUE"))
	b.wantState(1, "Pending:Proceed")
	b.pass(time.Second)
	b.wantState(1, "InService")

	b.must(b.SetDesiredCapacity("web-asg", 3))
	b.pass(21*time.Second + time.Minute) // nobody answers: ABANDON by default, replaced
	b.wantState(2, "Terminating")
	b.pass(2 * time.Second)
	b.wantState(3, "Pending")
}

func TestSuspendedProcesses(t *testing.T) {
	b := small(t, 2, func(s *Spec) {
		s.Groups[0].Suspended = []string{"Launch", "Terminate", "HealthCheck", "ReplaceUnhealthy"}
	})
	b.must(b.SetDesiredCapacity("web-asg", 1))
	b.must(b.TerminateInstances([]string{b.id(1)}))
	b.must(b.SetInstanceHealth(b.id(0), "Unhealthy"))
	b.pass(5 * time.Minute)
	b.must(b.SetDesiredCapacity("web-asg", 3))
	b.pass(5 * time.Minute)
	b.wantState(0, "InService")
	b.wantState(1, "InService")
	if len(b.Instances()) != 2 {
		t.Errorf("%d instances, want nothing launched", len(b.Instances()))
	}
	b.terminate(0) // goes all the same
	b.wantState(0, "Terminating")
}

func TestCapacityBounds(t *testing.T) {
	b := small(t, 2, func(s *Spec) { s.Groups[0].Min, s.Groups[0].Max = 1, 4 })
	b.wantError(b.SetDesiredCapacity("web-asg", 5), "ValidationError", "above max value 4")
	b.wantError(b.SetDesiredCapacity("web-asg", 0), "ValidationError", "below min value 1")
	b.wantError(b.SetDesiredCapacity("nope", 1), "ValidationError", "AutoScalingGroup name not found")
	three := 3
	b.must(b.UpdateAutoScalingGroup("web-asg", &three, nil, nil))
	if g := b.DescribeAutoScalingGroups(nil)[0]; g.Desired != 3 || g.Min != 3 {
		t.Errorf("desired %d min %d, want both 3", g.Desired, g.Min)
	}
}

func TestUnhealthyIsReplacedThroughItsHook(t *testing.T) {
	b := small(t, 2, nil)
	b.must(b.SetInstanceHealth(b.id(1), "Unhealthy"))
	b.pass(20 * time.Second)
	b.wantState(1, "Terminating:Wait")
	b.wantState(2, "Pending")
}

func TestLaunchBeforeTerminate(t *testing.T) {
	b := small(t, 1, func(s *Spec) { s.Switches.LaunchBeforeTerm = true })
	b.must(b.SetInstanceHealth(b.id(0), "Unhealthy"))
	b.pass(20 * time.Second)
	b.wantState(0, "InService")
	b.wantState(1, "Pending")
	b.pass(20 * time.Second)
	b.wantState(0, "Terminating:Wait")
	b.wantState(1, "InService")
}

// A direct termination in EC2 kills at once; the group notices later and still runs the hook, for an instance that is gone.
func TestDirectTerminate(t *testing.T) {
	b := small(t, 2, func(s *Spec) { addService(s, ServiceSpec{Name: "web", Task: "web", Desired: 2}) })
	doomed := b.on(0)[0].ARN
	b.must(b.TerminateInstances([]string{b.id(0)}))
	killed := b.entries(core.EntryTask, func(e core.Entry) bool { return e.Task == doomed && e.Text == "killed: host gone" })
	if len(killed) != 1 || !killed[0].At.Equal(b.Now()) {
		t.Fatalf("killed: %+v", killed)
	}
	b.wantState(0, "InService")
	b.pass(40 * time.Second)
	b.wantCourse(core.EntryContainer, isInstance(b.id(0)), "ACTIVE INACTIVE")
	b.wantCourse(core.EntryTask, isTask(doomed), "PENDING RUNNING RUNNING STOPPED")
	b.pass(31 * time.Second)
	b.wantState(0, "Terminating:Wait")
	b.must(b.CompleteLifecycleAction("web-asg", "drain", "", b.id(0), "CONTINUE"))
	b.pass(10 * time.Second)
	b.wantState(0, "gone")
}

func TestDirectTerminateSilent(t *testing.T) {
	b := small(t, 2, func(s *Spec) { s.Switches.SilentEC2Terminate = true })
	b.must(b.TerminateInstances([]string{b.id(0)}))
	b.pass(75 * time.Second)
	b.wantState(0, "gone")
	if hooks := b.entries(core.EntryHook, nil); len(hooks) > 0 {
		t.Errorf("hooks ran: %+v", hooks)
	}
	b.wantState(2, "Pending")
}

// A stopped instance stays ACTIVE without its agent; terminated later it leaves a ghost, as does one whose agent was cut off.
func TestGhosts(t *testing.T) {
	b := small(t, 2, func(s *Spec) { s.Groups[0].Hooks = nil })
	b.must(b.StopInstances([]string{b.id(0)}))
	b.DisconnectAgent(b.containerInstance(1))
	b.must(b.TerminateInstances([]string{b.id(1)}))
	b.pass(10 * time.Minute)
	for i := range 2 {
		b.wantState(i, "gone")
		found, _, err := b.DescribeContainerInstances("prod", []string{b.containerInstance(i)})
		if err != nil || len(found) != 1 || found[0].Status != "ACTIVE" || found[0].Connected {
			t.Errorf("host %d: %+v, %v; want an ACTIVE ghost without agent", i, found, err)
		}
	}
}

func TestGhostTasksLastUntilECSGivesUp(t *testing.T) {
	b := small(t, 1, func(s *Spec) {
		s.Tasks = []TaskSpec{{Cluster: "prod", Task: "job"}}
		s.Groups[0].Hooks, s.Groups[0].Suspended = nil, []string{"Launch"}
	})
	b.DisconnectAgent(b.containerInstance(0))
	b.must(b.TerminateInstances([]string{b.id(0)}))
	b.pass(10 * time.Minute)
	if on := b.on(0); len(on) != 1 || on[0].LastStatus != "RUNNING" {
		t.Fatalf("tasks %+v, want one that ECS takes for running", on)
	}
	b.pass(6 * time.Minute)
	if on := b.on(0); len(on) != 0 {
		t.Fatalf("tasks %+v, want none", on)
	}
}

func TestEC2Refusals(t *testing.T) {
	b := small(t, 1, nil)
	_, err := b.DescribeInstances([]string{b.id(0), "i-0000dead"})
	b.wantError(err, "InvalidInstanceID.NotFound", "The instance ID 'i-0000dead' does not exist")
	for _, id := range []string{"x", "i-", "i-0dead", "i-0123456789abcdef01", "i-0123456789ABCDEF0", "mi-0123456789abcdef0"} {
		b.wantError(b.TerminateInstances([]string{b.id(0), id}), "InvalidInstanceID.Malformed", `Invalid id: "`+id+`"`)
	}
	b.must(b.TerminateInstances([]string{b.id(0)}))
	b.wantError(b.StopInstances([]string{b.id(0)}), "IncorrectInstanceState", b.id(0))
	b.pass(30 * time.Minute)
	if found, err := b.DescribeInstances([]string{b.id(0)}); err != nil || found[0].State != "terminated" {
		t.Errorf("%+v %v, want it described as terminated", found, err)
	}
	b.pass(time.Hour)
	_, err = b.DescribeInstances([]string{b.id(0)})
	b.wantError(err, "InvalidInstanceID.NotFound", b.id(0))
}
