package sim

import (
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/sim/autoscaling"
	"github.com/ebbhq/ebb/internal/sim/core"
)

func twoHooks(s *Spec) {
	s.Groups[0].Hooks = append(s.Groups[0].Hooks, HookSpec{Name: "other", Heartbeat: 2 * time.Minute, DefaultResult: "CONTINUE"})
}

func isHook(name string) func(core.Entry) bool {
	return func(e core.Entry) bool { return e.Hook == name }
}

func TestHookExpires(t *testing.T) {
	for result, course := range map[string]string{
		"CONTINUE": "Pending InService Terminating Terminating:Wait Terminating:Proceed",
		"ABANDON":  "Pending InService Terminating Terminating:Wait Terminating:Proceed",
	} {
		b := small(t, 1, func(s *Spec) { s.Groups[0].Hooks[0].DefaultResult = result })
		b.terminate(0)
		b.pass(60 * time.Second)
		b.wantState(0, "Terminating:Wait")
		b.pass(time.Second)
		b.wantCourse(core.EntryHook, nil, "opened expired")
		b.wantCourse(core.EntryLifecycle, isInstance(b.id(0)), course)
		err := b.CompleteLifecycleAction("web-asg", "drain", "", b.id(0), "CONTINUE")
		b.wantError(err, "ValidationError", "No active Lifecycle Action found with instance ID "+b.id(0))
	}
}

func TestHeartbeatRestartsFromNow(t *testing.T) {
	b := small(t, 1, nil)
	b.terminate(0)
	b.pass(31 * time.Second)
	b.must(b.RecordLifecycleActionHeartbeat("web-asg", "drain", "", b.id(0)))
	b.pass(59 * time.Second)
	b.wantState(0, "Terminating:Wait")
	b.pass(time.Second)
	b.wantState(0, "Terminating:Proceed")
}

func TestGlobalTimeout(t *testing.T) {
	for _, refused := range []bool{false, true} {
		b := small(t, 1, func(s *Spec) {
			s.Switches.LateHeartbeatRefused = refused
			s.Groups[0].Retain = true
		})
		b.terminate(0)
		b.pass(time.Second)
		opened := b.Now()
		var last error
		for b.state(0) == "Terminating:Wait" && b.Now().Sub(opened) < 3*time.Hour {
			b.pass(30 * time.Second)
			last = b.RecordLifecycleActionHeartbeat("web-asg", "drain", "", b.id(0))
		}
		b.wantState(0, "Terminating:Retained") // the global timeout abandons, whatever the default result
		ended := b.at(core.EntryHook, func(e core.Entry) bool { return e.To == "global-timeout" || e.To == "expired" })
		if refused {
			b.wantError(last, "ValidationError", "No active Lifecycle Action found")
		}
		if d := ended.Sub(opened); d != 100*time.Minute {
			t.Errorf("refused=%v: ended after %s, want 100 min", refused, d)
		}
	}
}

func TestLateHeartbeatIsRefused(t *testing.T) {
	b := small(t, 1, func(s *Spec) { s.Switches.LateHeartbeatRefused = true })
	b.terminate(0)
	b.pass(time.Second)
	for range 99 {
		b.pass(time.Minute - time.Second)
		b.must(b.RecordLifecycleActionHeartbeat("web-asg", "drain", "", b.id(0)))
	}
	b.pass(50 * time.Second) // 99 x 59 s + 50 s after it opened, which leaves 109 s
	b.must(b.RecordLifecycleActionHeartbeat("web-asg", "drain", "", b.id(0)))
	b.pass(50 * time.Second)
	b.wantError(b.RecordLifecycleActionHeartbeat("web-asg", "drain", "", b.id(0)), "ValidationError", "global timeout")
}

func TestAllHooksMustContinue(t *testing.T) {
	b := small(t, 1, twoHooks)
	b.terminate(0)
	b.pass(time.Second)
	b.must(b.CompleteLifecycleAction("web-asg", "drain", "", b.id(0), "CONTINUE"))
	b.wantState(0, "Terminating:Wait")
	b.wantError(b.CompleteLifecycleAction("web-asg", "drain", "", b.id(0), "CONTINUE"), "ValidationError", "No active Lifecycle Action found with instance ID")
	b.must(b.CompleteLifecycleAction("web-asg", "other", "", b.id(0), "CONTINUE"))
	b.wantState(0, "Terminating:Proceed")
}

func TestAbandonCancelsTheOthers(t *testing.T) {
	b := small(t, 1, twoHooks)
	b.terminate(0)
	b.pass(time.Second)
	b.SetCaller("operator")
	b.must(b.CompleteLifecycleAction("web-asg", "other", "", b.id(0), "ABANDON"))
	b.wantState(0, "Terminating:Proceed")
	b.wantCourse(core.EntryHook, isHook("drain"), "opened cancelled")
	b.wantCourse(core.EntryHook, isHook("other"), "opened ABANDON")
	if by := b.entries(core.EntryHook, func(e core.Entry) bool { return e.To == "ABANDON" })[0].By; by != "operator" {
		t.Errorf("answered by %q, want operator", by)
	}
}

func TestRetain(t *testing.T) {
	b := small(t, 1, func(s *Spec) {
		s.Groups[0].Retain = true
		s.Groups[0].Hooks[0].DefaultResult = "ABANDON"
	})
	b.terminate(0)
	b.pass(5 * time.Minute)
	b.wantState(0, "Terminating:Retained")
	if state := b.Instances()[0].State; state != "running" {
		t.Errorf("EC2 says %s, want running", state)
	}
	_, err := b.TerminateInstanceInAutoScalingGroup(b.id(0), false)
	b.must(err)
	b.pass(time.Minute)
	b.wantState(0, "gone")
}

func TestAnswerByToken(t *testing.T) {
	b := small(t, 2, nil)
	b.terminate(0)
	b.terminate(1)
	b.pass(time.Second)
	token := b.DescribeAutoScalingInstances([]string{b.id(1)})[0].Actions[0].Token
	if len(token) != 36 {
		t.Errorf("token %q has %d characters, want 36", token, len(token))
	}
	b.must(b.CompleteLifecycleAction("web-asg", "drain", token, "", "CONTINUE"))
	b.wantState(0, "Terminating:Wait")
	b.wantState(1, "Terminating:Proceed")
	b.wantError(b.CompleteLifecycleAction("web-asg", "drain", token, "", "CONTINUE"), "ValidationError", "No active Lifecycle Action found with token "+token)
	b.wantError(b.CompleteLifecycleAction("nope", "drain", token, "", "CONTINUE"), "ValidationError", "AutoScalingGroup name not found - ")
	b.wantError(b.CompleteLifecycleAction("web-asg", "drain", token, "", "MAYBE"), "ValidationError", "MAYBE")
}

func TestTooEarlyThereIsNoAction(t *testing.T) {
	b := small(t, 1, func(s *Spec) {
		addBalancer(s, "tg", 100*time.Second)
		s.Groups[0].TargetGroups = []string{"tg"}
	})
	b.terminate(0)
	b.pass(50 * time.Second)
	b.wantError(b.CompleteLifecycleAction("web-asg", "drain", "", b.id(0), "CONTINUE"), "ValidationError", "No active Lifecycle Action found")
}

func TestDeleteHookContinues(t *testing.T) {
	b := small(t, 1, nil)
	b.terminate(0)
	b.pass(time.Second)
	b.must(b.DeleteLifecycleHook("web-asg", "drain"))
	b.wantState(0, "Terminating:Proceed")
	b.wantError(b.DeleteLifecycleHook("web-asg", "drain"), "ValidationError", "drain")
}

func TestHookEdit(t *testing.T) {
	for _, applies := range []bool{false, true} {
		b := small(t, 1, func(s *Spec) { s.Switches.HookEditApplies = applies })
		b.terminate(0)
		b.pass(time.Second)
		b.must(b.PutLifecycleHook("web-asg", autoscaling.Hook{Name: "drain", Heartbeat: 30 * time.Second}))
		b.pass(31 * time.Second)
		if applied := b.state(0) == "Terminating:Proceed"; applied != applies {
			t.Errorf("switch %v: the edit applied to the action in flight: %v", applies, applied)
		}
		hooks, err := b.DescribeLifecycleHooks("web-asg", nil)
		if err != nil || hooks[0].Heartbeat != 30*time.Second || hooks[0].DefaultResult != "CONTINUE" || hooks[0].GlobalTimeout() != 50*time.Minute {
			t.Errorf("hook %+v, %v", hooks[0], err)
		}
	}
}

func TestPutHookRefusals(t *testing.T) {
	b := small(t, 1, nil)
	b.wantError(b.PutLifecycleHook("web-asg", autoscaling.Hook{Name: "x", Transition: autoscaling.TransitionTerminating,
		Heartbeat: 29 * time.Second}), "ValidationError", "between 30 and 7200")
	b.wantError(b.PutLifecycleHook("web-asg", autoscaling.Hook{Name: "x"}), "ValidationError", "LifecycleTransition")
	b.must(b.PutLifecycleHook("web-asg", autoscaling.Hook{Name: "x", Transition: autoscaling.TransitionTerminating}))
	hooks, err := b.DescribeLifecycleHooks("web-asg", []string{"x"})
	if err != nil || len(hooks) != 1 || hooks[0].Heartbeat != time.Hour || hooks[0].DefaultResult != "ABANDON" || hooks[0].GlobalTimeout() != 48*time.Hour {
		t.Errorf("defaults: %+v, %v", hooks, err)
	}
}
