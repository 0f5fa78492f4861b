package sim

import (
	"slices"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/sim/ecs"
)

// calls is a runtime that notes what it is told.
type calls struct{ started, terminated, killed []string }

func (c *calls) Start(t ecs.Task) { c.started = append(c.started, t.ARN) }
func (c *calls) Terminate(t ecs.Task, _ ecs.TaskDefinition) {
	c.terminated = append(c.terminated, t.ARN)
}
func (c *calls) Kill(t ecs.Task) { c.killed = append(c.killed, t.ARN) }

// withRuntime is a world of n web tasks on two hosts with real processes.
func withRuntime(t *testing.T, n int, change func(*Spec)) (bench, *calls) {
	t.Helper()
	b := small(t, 2, func(s *Spec) {
		web(n, 100, 200)(s)
		if change != nil {
			change(s)
		}
	})
	rt := &calls{}
	b.UseRuntime(rt)
	if len(rt.started) != n {
		t.Fatalf("%d processes started, want one for each of the %d tasks that run", len(rt.started), n)
	}
	return b, rt
}

func TestRealProcessExitsWhenItSaysSo(t *testing.T) {
	for _, first := range []bool{false, true} {
		b, rt := withRuntime(t, 1, func(s *Spec) { s.Switches.SigtermFirst = first })
		task := b.Tasks("prod")[0]
		_, err := b.StopTask("prod", task.ARN, "")
		b.must(err)
		b.pass(time.Second)
		if got := len(rt.terminated) == 1; got != first {
			t.Errorf("SIGTERM with the deregistration: %v, want %v", got, first)
		}
		b.pass(24 * time.Second) // the deregistration delay is 20 s; the modelled process would have exited 2 s later
		if !slices.Equal(rt.terminated, []string{task.ARN}) || task.LastStatus != "STOPPING" || len(rt.killed) > 0 {
			t.Fatalf("after 25 s: SIGTERM to %v, %s, killed %v; want it to go on until the process says that it has ended", rt.terminated, task.LastStatus, rt.killed)
		}
		b.Exited(task.ARN)
		b.pass(5 * time.Second)
		if task.LastStatus != "STOPPED" || task.Killed || len(rt.killed) > 0 {
			t.Errorf("after the exit: %s, killed %v %v; want STOPPED by itself", task.LastStatus, task.Killed, rt.killed)
		}
		b.pass(time.Minute)
		if len(rt.killed) > 0 || len(rt.started) != 2 {
			t.Errorf("a minute later: killed %v, %d started; want none killed and one replacement", rt.killed, len(rt.started))
		}
	}
}

func TestRealProcessIsKilledAtTheStopTimeout(t *testing.T) {
	b, rt := withRuntime(t, 1, nil)
	task := b.Tasks("prod")[0]
	_, err := b.StopTask("prod", task.ARN, "")
	b.must(err)
	b.pass(55 * time.Second) // 20 s of deregistration, 30 s of stop timeout
	if task.LastStatus != "STOPPED" || !task.Killed || !slices.Equal(rt.killed, []string{task.ARN}) {
		t.Errorf("%s, killed %v, SIGKILL to %v; want it killed 50 s after the stop", task.LastStatus, task.Killed, rt.killed)
	}
	b.Exited(task.ARN) // too late
	b.pass(time.Minute)
	if task.LastStatus != "STOPPED" || task.StopCode == "EssentialContainerExited" {
		t.Errorf("%s %s; want an exit after the end to change nothing", task.LastStatus, task.StopCode)
	}
}

func TestRealProcessesDieWithTheirHost(t *testing.T) {
	b, rt := withRuntime(t, 4, nil)
	onHost := ids(b.on(0))
	b.must(b.TerminateInstances([]string{b.id(0)}))
	if got := slices.Sorted(slices.Values(rt.killed)); len(onHost) == 0 || !slices.Equal(got, onHost) {
		t.Errorf("killed %v, want those on the host: %v", got, onHost)
	}
	b.pass(2 * time.Minute)
	if len(rt.killed) != len(onHost) || len(rt.terminated) > 0 || len(rt.started) != 4+len(onHost) {
		t.Errorf("killed %d, SIGTERM to %d, started %d; want no more than that and replacements", len(rt.killed), len(rt.terminated), len(rt.started))
	}
}

func TestRealProcessThatEndsByItselfEndsItsTask(t *testing.T) {
	b, rt := withRuntime(t, 2, nil)
	task := b.Tasks("prod")[0]
	b.Exited(task.ARN)
	b.Exited("arn:aws:ecs:eu-west-1:111122223333:task/prod/nobody")
	b.pass(time.Minute)
	if task.LastStatus != "STOPPED" || task.StopCode != "EssentialContainerExited" || task.Killed || len(rt.terminated)+len(rt.killed) > 0 ||
		len(rt.started) != 3 {
		t.Errorf("%s %s, killed %v; SIGTERM to %v, SIGKILL to %v, %d started", task.LastStatus, task.StopCode, task.Killed, rt.terminated, rt.killed, len(rt.started))
	}
}
