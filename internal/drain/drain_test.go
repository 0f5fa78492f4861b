package drain

import (
	"cmp"
	"strings"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

// decideCase is one case: a scene, and what follows from it. Every field is compared, so an empty one says that there is nothing.
type decideCase struct {
	name    string
	set     func(*scene)
	do      string // actions in order
	looks   string // kinds of looks that are due at once
	notes   string // kinds of journal lines
	intent  string // outcome of the answer that was decided on
	ended   string // outcome of the ended drain
	waiting string // part of what people are told
	cut     string // what the decided or final answer cuts off
}

func (tt decideCase) check(t *testing.T, s *scene) {
	t.Helper()
	tt.set(s)
	dec := s.decide()
	do, looks, notes := spell(dec, s.now)
	for _, x := range []struct{ what, got, want string }{
		{"actions", do, tt.do}, {"looks at once", looks, tt.looks}, {"notes", notes, tt.notes},
		{"intent", outcome(dec.Drain.Intent), tt.intent}, {"ended", outcome(dec.Drain.Final), tt.ended},
	} {
		if x.got != x.want {
			t.Errorf("%s: %q, want %q", x.what, x.got, x.want)
		}
	}
	if a := cmp.Or(dec.Drain.Final, dec.Drain.Intent); tt.cut != "" && strings.Join(a.CutOff, ", ") != tt.cut {
		t.Errorf("cut off: %q, want %q", a.CutOff, tt.cut)
	}
	if !strings.Contains(dec.Waiting, tt.waiting) {
		t.Errorf("waiting %q, want %q in it", dec.Waiting, tt.waiting)
	}
	if dec.Drain.Open() == (tt.ended != "") {
		t.Errorf("open is %v", dec.Drain.Open())
	}
}

func run(t *testing.T, cases []decideCase) {
	t.Helper()
	for _, tt := range cases {
		t.Run(tt.name, func(t *testing.T) { tt.check(t, emptyHost()) })
	}
}

func unknown[T any](f *fleet.Fact[T]) { *f = fleet.Fact[T]{} }

func absent[T any](f *fleet.Fact[T]) { var zero T; f.Is, f.Value = fleet.Absent, zero }

func TestHeldAndFound(t *testing.T) {
	run(t, []decideCase{
		{name: "nothing is done before the group has been looked at", set: func(s *scene) { unknown(&s.o.Instance) },
			looks: "group-instances", waiting: "to look at the group"},
		{name: "in Terminating the hook is not open yet", set: func(s *scene) { s.state(fleet.Terminating) }, waiting: "not open yet"},
		{name: "an instance in service is left alone", set: func(s *scene) {
			s.state(fleet.InService)
			s.o.Container.Value.Status = fleet.Active
		}, waiting: "it says that the instance is InService"},
		{name: "an instance that returns to its warm pool is drained too", set: func(s *scene) {
			s.state(fleet.WarmedPendingWait)
			s.o.Container.Value.Status = fleet.Active
		}, do: "set-draining", notes: "draining", waiting: "for ECS to set DRAINING"},
		{name: "a container instance that nobody has found yet is searched for", set: func(s *scene) {
			s.d.ContainerInstance = ""
			unknown(&s.o.Container)
		}, looks: "find-container-instances", waiting: "to find the container instance"},
		{name: "one complete look that does not find it proves nothing", set: func(s *scene) {
			s.d.ContainerInstance = ""
			absent(&s.o.Container)
		}, waiting: "to find the container instance"},
		{name: "two complete looks less than a minute apart prove nothing", set: func(s *scene) {
			s.d.ContainerInstance = ""
			absent(&s.o.Container)
			s.d.AbsentSince = s.o.Container.At.Add(-absentFor + time.Second)
		}, waiting: "to find the container instance"},
		{name: "two complete looks a minute apart prove that it never joined", set: func(s *scene) {
			s.d.ContainerInstance = ""
			absent(&s.o.Container)
			s.d.AbsentSince = s.o.Container.At.Add(-absentFor)
		}, do: "answer", notes: "answer", intent: "never-joined", waiting: "to take the answer"},
		{name: "a failed look an hour after a complete one is no second look", set: func(s *scene) {
			s.d.ContainerInstance = ""
			unknown(&s.o.Container)
			s.d.AbsentSince = t0.Add(-time.Hour)
		}, looks: "find-container-instances", waiting: "to find the container instance"},
		{name: "after a restart the known container instance is looked at first", set: func(s *scene) {
			unknown(&s.o.Container)
		}, looks: "container-instances", waiting: "to look at the container instance"},
	})
}

// A wrong cluster in the configuration is told once, as soon as it is seen, and not at the deadline.
func TestAWrongClusterIsToldAtOnce(t *testing.T) {
	s := emptyHost()
	s.d.ContainerInstance, s.o.Container.Value.Cluster = "", "other"
	dec := s.decide()
	if len(dec.Lines) != 1 || dec.Lines[0].Kind != "wrong-cluster" || !strings.Contains(dec.Lines[0].Text, "in cluster other, but its group is "+
		"configured for cluster prod") || len(dec.Do) != 0 {
		t.Fatalf("lines %+v, does %+v", dec.Lines, dec.Do)
	}
	s.d = dec.Drain
	if again := s.decide(); len(again.Lines) != 0 || !strings.Contains(again.Waiting, "in cluster other") {
		t.Errorf("told again: %+v, %q", again.Lines, again.Waiting)
	}
}

func TestDraining(t *testing.T) {
	active := func(s *scene) { s.o.Container.Value.Status = fleet.Active }
	run(t, []decideCase{
		{name: "an ACTIVE container instance is set DRAINING", set: active, do: "set-draining", notes: "draining", waiting: "for ECS to set DRAINING"},
		{name: "it is not set DRAINING twice at once", set: func(s *scene) {
			active(s)
			s.o.Tried[plan.SetDraining] = Try{Flying: true}
		}, waiting: "for ECS to set DRAINING"},
		{name: "after a failure Ebb looks, and waits for the retry interval", set: func(s *scene) {
			active(s)
			s.tried(plan.SetDraining, plan.Unclear, time.Second)
		}, looks: "container-instances", waiting: "for ECS to set DRAINING"},
		{name: "after throttling Ebb waits and does not look", set: func(s *scene) {
			active(s)
			s.tried(plan.SetDraining, plan.Throttled, time.Second)
		}, waiting: "for ECS to set DRAINING"},
		{name: "a failed one is repeated without a second line in the journal", set: func(s *scene) {
			active(s)
			s.d.Asked = s.now.Add(-time.Minute)
			s.tried(plan.SetDraining, plan.Throttled, time.Minute)
		}, do: "set-draining", waiting: "for ECS to set DRAINING"},
		{name: "one that still registers is waited for", set: func(s *scene) { s.o.Container.Value.Status = "REGISTERING" },
			looks: "", waiting: "to become ACTIVE; it is REGISTERING"},
		{name: "one that is already DRAINING is left as it is", set: func(s *scene) {
			s.d.DrainingSince, s.o.Running, s.o.Stopped = time.Time{}, nil, nil
		}, waiting: "to list the tasks on it"},
		{name: "one that was deregistered is not set DRAINING", set: func(s *scene) {
			s.o.Container.Value.Status, s.o.Running = fleet.Inactive, nil
		}, looks: "list-running-tasks", waiting: "to list the tasks on it"},
	})
}

func TestListed(t *testing.T) {
	run(t, []decideCase{
		{name: "without a list the host is not empty", set: func(s *scene) { s.o.Running = nil }, looks: "list-running-tasks", waiting: "to list the tasks on it"},
		{name: "a list made before reads have settled may miss a task", set: func(s *scene) { s.o.Running = []time.Time{t0.Add(14 * time.Second)} },
			looks: "list-running-tasks", waiting: "to list the tasks on it"},
		{name: "the list of what is desired to run is not enough", set: func(s *scene) { s.o.Stopped = nil }, looks: "list-stopped-tasks", waiting: "once more"},
		{name: "a list of the others too soon after it may miss what changed in between", set: func(s *scene) { s.o.Stopped[0] = t0.Add(26 * time.Second) },
			looks: "list-stopped-tasks", waiting: "once more"},
		{name: "the list of the others is made while the tasks stop", set: func(s *scene) {
			s.task("web", "", "STOPPING", "STOPPED")
			s.o.Stopped = nil
		}, looks: "list-stopped-tasks", notes: "waiting", waiting: "for 1 of 1 tasks to stop"},
		{name: "a task of which no more is known than that it was listed is looked at, and waited for", set: func(s *scene) {
			s.o.Tasks = []fleet.Fact[fleet.Task]{{Value: fleet.Task{ARN: "arn:aws:ecs:eu-west-1:111122223333:task/prod/t1"}}}
		}, looks: "tasks", waiting: "for 1 of 1 tasks to stop"},
		{name: "a count from before the tasks stopped is looked at again", set: func(s *scene) {
			s.o.Container.Value.Running = 1
			s.d.EmptySince = s.o.Container.At.Add(time.Second)
		}, looks: "container-instances", waiting: "for ECS to count no running task"},
		{name: "a task that ECS counts and does not list is listed again", set: func(s *scene) {
			s.o.Container.Value.Pending = 1
			s.o.Container.At = s.now.Add(-s.p.LookFast)
			s.d.EmptySince = s.o.Container.At.Add(-s.p.Settle - time.Second)
		}, looks: "container-instances list-running-tasks", waiting: "for 1 tasks that ECS counts and does not list"},
		{name: "of an instance that is not in the cluster any more ECS counts nothing", set: func(s *scene) {
			s.o.Container.Value.Status, s.o.Container.Value.Running = fleet.Inactive, 1
		}, do: "answer", notes: "answer", intent: "drained", waiting: "to take the answer"},
		{name: "lists from before it was set DRAINING again do not count", set: func(s *scene) { s.d.DrainingSince = t0.Add(20 * time.Second) },
			looks: "list-running-tasks", waiting: "to list the tasks on it"},
	})
}

func TestStopped(t *testing.T) {
	run(t, []decideCase{
		{name: "a running task is waited for", set: func(s *scene) { s.task("web", "web", "RUNNING", "RUNNING") },
			looks: "services", notes: "waiting", waiting: "for 1 of 1 tasks to stop"},
		{name: "a stopping task, which no count shows, is waited for", set: func(s *scene) { s.task("web", "", "DEPROVISIONING", "STOPPED") },
			notes: "waiting", waiting: "for 1 of 1 tasks to stop"},
		{name: "a standalone task is waited for", set: func(s *scene) { s.task("batch", "", "RUNNING", "RUNNING") },
			notes: "waiting", waiting: "for 1 of 1 tasks to stop"},
		{name: "what is left is told once", set: func(s *scene) {
			s.task("batch", "", "RUNNING", "RUNNING")
			s.d.Left = []string{"batch:1/batch RUNNING"}
		}, waiting: "for 1 of 1 tasks to stop"},
		{name: "a task that AWS no longer knows has stopped", set: func(s *scene) { absent(s.task("web", "", "RUNNING", "RUNNING")) },
			do: "answer", notes: "answer", intent: "drained", waiting: "to take the answer"},
		{name: "when the last has stopped the hook is answered", set: func(s *scene) {
			s.task("a", "", "STOPPED", "STOPPED")
			s.task("b", "web", "STOPPED", "STOPPED")
			s.d.Left = []string{"a:1/a STOPPING"}
		}, do: "answer", notes: "empty answer", intent: "drained", waiting: "to take the answer"},
		{name: "a task whose service is not known is waited for like any other", set: func(s *scene) {
			s.daemonLeft("")
			unknownService(s, "agent")
		}, looks: "services", notes: "waiting", waiting: "for 1 of 1 tasks to stop"},
		{name: "a daemon task is waited for, for its grace", set: func(s *scene) {
			s.daemonLeft("")
			s.d.EmptySince = s.now.Add(-s.p.DaemonGrace + time.Second)
		}, notes: "waiting", waiting: "for 1 daemon tasks to stop"},
		{name: "a daemon task counts from the stop of the last other task", set: func(s *scene) {
			s.daemonLeft("")
			s.d.EmptySince = time.Time{}
		}, notes: "waiting", waiting: "for 1 daemon tasks to stop"},
		{name: "after its grace a daemon task is let go", set: func(s *scene) { s.daemonLeft("") },
			do: "answer", notes: "waiting answer", intent: "drained", waiting: "to take the answer"},
		{name: "after its grace a daemon task in a load balancer is taken out first", set: func(s *scene) { s.daemonLeft("healthy") },
			do: "deregister", notes: "waiting", waiting: "to leave its target group"},
		{name: "a daemon task whose target drains is out", set: func(s *scene) { s.daemonLeft("draining") },
			do: "answer", notes: "waiting answer", intent: "drained", waiting: "to take the answer"},
		{name: "a daemon task whose target is not registered is out", set: func(s *scene) {
			s.daemonLeft("healthy")
			id := fleet.TargetID{ID: string(host), Port: 32768}
			s.health[id] = fleet.Fact[fleet.Health]{Is: fleet.Absent, At: s.now}
		}, do: "answer", notes: "waiting answer", intent: "drained", waiting: "to take the answer"},
		{name: "a target that nobody has looked at may be in use", set: func(s *scene) {
			s.daemonLeft("healthy")
			clear(s.health)
		}, looks: "targets", notes: "waiting", waiting: "to leave its target group"},
	})
}

func TestDaemonTasksGetTheirGraceAnewWhenOthersCome(t *testing.T) {
	s := emptyHost()
	s.daemonLeft("")
	s.task("web", "", "RUNNING", "RUNNING")
	if d := s.decide().Drain; !d.EmptySince.IsZero() {
		t.Errorf("empty since %s with a task on it", d.EmptySince)
	}
	s = emptyHost()
	s.daemonLeft("")
	s.o.Container.Value.Status = fleet.Active
	if d := s.decide().Drain; !d.EmptySince.IsZero() || !d.DrainingSince.IsZero() {
		t.Errorf("empty since %s and draining since %s on a host that is ACTIVE", d.EmptySince, d.DrainingSince)
	}
}

func unknownService(s *scene, name string) { delete(s.services, name) }

func TestAnswered(t *testing.T) {
	run(t, []decideCase{
		{name: "an empty host is answered", set: func(*scene) {}, do: "answer", notes: "answer", intent: "drained", waiting: "to take the answer"},
		{name: "an answer on its way is not sent twice", set: func(s *scene) { s.o.Tried[plan.Answer] = Try{Flying: true} },
			notes: "answer", intent: "drained", waiting: "to take the answer"},
		{name: "a refused answer waits for the retry interval", set: func(s *scene) { s.tried(plan.Answer, plan.Throttled, time.Second) },
			notes: "answer", intent: "drained", waiting: "to take the answer"},
		{name: "and is then given again", set: func(s *scene) { s.tried(plan.Answer, plan.Throttled, 10*time.Second) },
			do: "answer", notes: "answer", intent: "drained", waiting: "to take the answer"},
		{name: "after an unclear answer Ebb looks first", set: func(s *scene) {
			s.tried(plan.Answer, plan.Unclear, time.Second)
			s.o.Instance.At = s.now.Add(-3 * time.Second)
		}, looks: "group-instances", notes: "answer", intent: "drained", waiting: "to take the answer"},
		{name: "when the group still says waiting the unclear answer is given again", set: func(s *scene) {
			s.tried(plan.Answer, plan.Unclear, 8*time.Second)
			s.o.Instance.At = s.now.Add(-time.Second)
		}, do: "answer", notes: "answer", intent: "drained", waiting: "to take the answer"},
		{name: "an answer that was taken ends the drain", set: func(s *scene) {
			s.d.Intent = &Answer{At: t0, Outcome: Forced, Reason: "the deadline of 30m0s is over"}
			s.tried(plan.Answer, plan.OK, time.Second)
		}, notes: "cut-off ended", intent: "forced", ended: "forced"},
		{name: "the hook of an instance in Terminating is not answered", set: func(s *scene) {
			s.state(fleet.Terminating)
			s.o.Machine.Value = fleet.StateTerminated
		}, notes: "answer", intent: "host-gone", waiting: "not open yet"},
	})
}

// After a restart the tasks that stop are not known before they are listed again: nobody is told that they have stopped, and what was left
// stays in mind.
func TestNothingIsToldOfTasksThatAreNotListedYet(t *testing.T) {
	s := emptyHost()
	s.d.Left, s.o.Stopped = []string{"app:1/12345678 STOPPING"}, nil
	if dec := s.decide(); len(dec.Lines) > 0 || len(dec.Drain.Left) != 1 {
		t.Errorf("notes %v, left %v", dec.Lines, dec.Drain.Left)
	}
	s.o.Stopped = []time.Time{t0.Add(27 * time.Second)}
	if dec := s.decide(); len(dec.Lines) == 0 || dec.Lines[0].Kind != "empty" || len(dec.Drain.Left) != 0 {
		t.Errorf("notes %v, left %v", dec.Lines, dec.Drain.Left)
	}
}
