package drain

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

func TestEnded(t *testing.T) {
	gone := func(s *scene, ago time.Duration) { // AWS finds no active lifecycle action by the instance id
		s.d.ByID = true
		s.tried(plan.Beat, plan.Gone, ago)
	}
	run(t, []decideCase{
		{name: "in Terminating:Proceed the hook is over without Ebb", set: func(s *scene) { s.state(fleet.TerminatingProceed) }, notes: "ended",
			ended: "ended-elsewhere"},
		{name: "in Terminated it is over", set: func(s *scene) { s.state(fleet.Terminated) }, notes: "ended", ended: "ended-elsewhere"},
		{name: "a retained instance is let go", set: func(s *scene) { s.state(fleet.TerminatingRetained) }, notes: "ended", ended: "ended-elsewhere"},
		{name: "one look without it is not the end", set: func(s *scene) { absent(&s.o.Instance) }, waiting: "it says that the instance is not in it"},
		{name: "nor is one less than a minute later", set: func(s *scene) {
			absent(&s.o.Instance)
			s.d.MissingSince = s.o.Instance.At.Add(-absentFor + time.Second)
		}, waiting: "it says that the instance is not in it"},
		{name: "gone from its group for a minute it is over", set: func(s *scene) {
			absent(&s.o.Instance)
			s.d.MissingSince = s.o.Instance.At.Add(-absentFor)
			s.d.Left = []string{"web:1/0a1b2c3d RUNNING"}
		}, notes: "cut-off ended", ended: "ended-elsewhere", cut: "web:1/0a1b2c3d RUNNING"},
		{name: "gone from its group and from EC2 it is over", set: func(s *scene) {
			absent(&s.o.Instance)
			absent(&s.o.Machine)
		}, notes: "ended", ended: "ended-elsewhere"},
		{name: "gone from its group and terminated it is over", set: func(s *scene) {
			absent(&s.o.Instance)
			s.o.Machine.Value = fleet.StateTerminated
		}, notes: "ended", ended: "ended-elsewhere"},
		{name: "when the answer was decided on it was the answer that ended it", set: func(s *scene) {
			absent(&s.o.Instance)
			s.d.Intent = &Answer{At: t0, Outcome: Drained, Reason: "no task was on it"}
		}, notes: "ended", intent: "drained", ended: "drained"},
		{name: "a failed look at the group ends nothing", set: func(s *scene) {
			unknown(&s.o.Instance)
			gone(s, time.Minute)
		}, looks: "group-instances", waiting: "to look at the group"},
		{name: "no active action, and the group has not been looked at since: not now", set: func(s *scene) {
			s.task("web", "", "RUNNING", "RUNNING")
			gone(s, time.Second)
		}, looks: "group-instances", notes: "waiting", waiting: "for 1 of 1 tasks"},
		{name: "no active action between two looks that saw it wait: another hook holds", set: func(s *scene) {
			gone(s, 20*time.Second)
		}, notes: "ended", ended: "ended-elsewhere"},
		{name: "no active action before the group was first seen waiting proves nothing", set: func(s *scene) {
			s.task("web", "", "RUNNING", "RUNNING")
			s.d.WaitingSince = s.o.Instance.At
			gone(s, 20*time.Second)
		}, notes: "waiting", waiting: "for 1 of 1 tasks"},
		{name: "a token that AWS does not take is not the end", set: func(s *scene) {
			s.task("web", "", "RUNNING", "RUNNING")
			s.tried(plan.Beat, plan.Gone, 20*time.Second)
		}, looks: "activities", notes: "waiting", waiting: "for 1 of 1 tasks"}, // the time in the message that brought it may be untrue too
		{name: "two minutes in service: the message was not true", set: func(s *scene) {
			s.state(fleet.InService)
			s.d.StayingSince = s.o.Instance.At.Add(-stayingFor)
		}, notes: "ended", ended: "not-leaving"},
		{name: "less than two minutes in service may be a look that lags behind", set: func(s *scene) {
			s.state(fleet.InService)
			s.d.StayingSince = s.o.Instance.At.Add(-stayingFor + time.Second)
		}, waiting: "it says that the instance is InService"},
	})
}

// After a restart EC2 may say that the instance is terminated before the group has said why: because Ebb has answered.
func TestAnAnsweredHostIsNotTakenForADeadOne(t *testing.T) {
	s := emptyHost()
	s.d.Intent = &Answer{At: t0, Outcome: Drained, Reason: "all 4 tasks have stopped"}
	s.o.Machine.Value = fleet.StateTerminated
	unknown(&s.o.Instance)
	if dec := s.decide(); len(dec.Do) != 0 || dec.Drain.Intent.Outcome != Drained || dueOf(t, dec, plan.GroupInstances) != s.now {
		t.Errorf("before the group was looked at: %+v, intent %+v", dec.Do, dec.Drain.Intent)
	}
	absent(&s.o.Instance)
	s.o.Instance.At = s.now
	if dec := s.decide(); dec.Drain.Final == nil || dec.Drain.Final.Outcome != Drained {
		t.Errorf("the group knows it no more: %+v", dec.Drain.Final)
	}
}

func TestHostGone(t *testing.T) {
	run(t, []decideCase{
		{name: "a stopped host has nothing to wait for", set: func(s *scene) {
			s.task("web", "", "RUNNING", "RUNNING")
			s.o.Machine.Value = fleet.StateStopped
		}, do: "answer", notes: "answer", intent: "host-gone"},
		{name: "nor has one that shuts down", set: func(s *scene) { s.o.Machine.Value = fleet.StateShuttingDown }, do: "answer", notes: "answer",
			intent: "host-gone"},
		{name: "nor one that EC2 does not know", set: func(s *scene) { absent(&s.o.Machine) }, do: "answer", notes: "answer", intent: "host-gone"},
		{name: "tasks that died with their host are lost, though EC2 has not said so yet", set: func(s *scene) {
			s.task("done", "", "STOPPED", "STOPPED")
			dead := s.task("web", "", "STOPPED", "STOPPED")
			dead.Value.StoppedReason, dead.Value.StoppedAt = "Host EC2 (instance i-0a1b2c3d4e5f60718) terminated.", s.now
		}, do: "answer", notes: "answer", intent: "host-gone", cut: "web:1/web died with its host"},
		{name: "but not those of an earlier life of the host", set: func(s *scene) {
			dead := s.task("web", "", "STOPPED", "STOPPED")
			dead.Value.StoppedReason, dead.Value.StoppedAt = "Host EC2 (instance i-0a1b2c3d4e5f60718) stopped.", s.d.Zero.Add(-time.Second)
		}, do: "answer", notes: "answer", intent: "drained"},
		{name: "what nobody could list is named as it was last seen", set: func(s *scene) {
			s.o.Machine.Value = fleet.StateTerminated
			s.o.Stopped = nil
			s.d.Left = []string{"web:1/0a1b2c3d RUNNING", "api:1/1a1b2c3d RUNNING"}
		}, do: "answer", notes: "answer", intent: "host-gone", cut: "web:1/0a1b2c3d RUNNING, api:1/1a1b2c3d RUNNING"},
		{name: "a failed look at EC2 does not make a host dead", set: func(s *scene) {
			s.task("web", "", "RUNNING", "RUNNING")
			unknown(&s.o.Machine)
			s.d.Heard = t0.Add(-time.Hour)
		}, looks: "instances", notes: "waiting", waiting: "for 1 of 1 tasks"},
	})
	s := emptyHost()
	s.task("web", "", "RUNNING", "RUNNING")
	s.o.Machine.Value = fleet.StateTerminated
	if cut := s.decide().Drain.Intent.CutOff; len(cut) != 1 || cut[0] != "web:1/web RUNNING" {
		t.Errorf("cut off %v", cut)
	}
}

func TestDeadline(t *testing.T) {
	run(t, []decideCase{
		{name: "a second before the deadline a task is waited for", set: func(s *scene) {
			s.at(s.p.Deadline - time.Second)
			s.fresh()
			s.task("web", "", "RUNNING", "RUNNING")
		}, looks: "", notes: "waiting", waiting: "for 1 of 1 tasks"},
		{name: "at the deadline what is left is cut off", set: func(s *scene) {
			s.task("web", "", "RUNNING", "RUNNING")
			s.deadlineOver()
		}, do: "answer", notes: "answer", intent: "forced"},
		{name: "its targets are out before that", set: func(s *scene) {
			s.task("web", "web", "RUNNING", "RUNNING")
			s.deadlineOver()
			s.service("web", false, "healthy")
		}, do: "deregister", notes: "waiting", waiting: "for 1 of 1 tasks"},
		{name: "and then it is cut off", set: func(s *scene) {
			s.task("web", "web", "RUNNING", "RUNNING")
			s.deadlineOver()
			s.service("web", false, "draining")
		}, do: "answer", notes: "answer", intent: "forced", cut: "web:1/web RUNNING"},
		{name: "also of a host that ECS does not set DRAINING", set: func(s *scene) {
			s.deadlineOver()
			s.o.Container.Value.Status, s.d.DrainingSince, s.o.Running, s.o.Stopped = fleet.Active, time.Time{}, nil, nil
			s.tried(plan.SetDraining, plan.Unclear, time.Second)
		}, looks: "list-running-tasks", waiting: "for ECS to set DRAINING"},
		{name: "and what it listed then is looked at", set: func(s *scene) {
			s.deadlineOver()
			s.o.Container.Value.Status, s.d.DrainingSince, s.o.Stopped = fleet.Active, time.Time{}, nil
			s.tried(plan.SetDraining, plan.Unclear, time.Second)
			unknown(s.task("web", "web", "", ""))
		}, looks: "tasks", waiting: "for ECS to set DRAINING"},
		{name: "but targets that stay hold it up for a moment only", set: func(s *scene) {
			s.task("web", "web", "RUNNING", "RUNNING")
			s.deadlineOver()
			s.d.Cutting = s.now.Add(-outFor)
			s.service("web", false, "healthy")
		}, do: "answer", notes: "answer", intent: "forced", cut: "web:1/web RUNNING"},
		{name: "an Ebb that started since takes them out all the same", set: func(s *scene) {
			s.task("web", "web", "RUNNING", "RUNNING")
			s.deadlineOver()
			s.d.Cutting, s.since = s.now.Add(-time.Hour), s.now.Add(-time.Second)
			s.service("web", false, "healthy")
		}, do: "deregister", notes: "waiting"},
		{name: "and a pass that begins two minutes after that time answers", set: func(s *scene) {
			s.task("web", "web", "RUNNING", "RUNNING")
			s.deadlineOver()
			s.p.Tick = time.Minute
			s.d.Cutting, s.since = s.now.Add(-outFor-2*time.Minute), s.now.Add(-time.Second)
			s.service("web", false, "healthy")
		}, do: "answer", notes: "answer", intent: "forced", cut: "web:1/web RUNNING"},
		{name: "after a restart the deadline waits for a look at the group", set: func(s *scene) {
			s.deadlineOver()
			unknown(&s.o.Instance)
		}, looks: "group-instances", waiting: "to look at the group"},
		{name: "the deadline lies before the global timeout of the hook", set: func(s *scene) {
			s.task("web", "", "RUNNING", "RUNNING")
			s.o.Hook.Value.Global = 20 * time.Minute
			s.at(19 * time.Minute)
			s.fresh()
		}, do: "answer", notes: "answer", intent: "forced"},
	})
}

// A deadline that was over before the drain had its slot counts from that anew: heartbeats and targets wait for the new one.
func TestADeadlineThatCountsFromASlotIsNotOverBeforeIt(t *testing.T) {
	s := emptyHost()
	s.task("web", "web", "RUNNING", "RUNNING")
	s.deadlineOver()
	s.d.Cutting, s.d.Slot = s.now.Add(-time.Minute), s.now.Add(-time.Minute)
	if dec := s.decide(); !dec.Drain.Cutting.IsZero() || dec.Drain.Intent != nil {
		t.Errorf("cut off since %s, answer %+v", dec.Drain.Cutting, dec.Drain.Intent)
	}
}

func TestAForcedEndingNamesWhatWasCutOffAndWhatCouldNotBeSeen(t *testing.T) {
	for _, tt := range []struct {
		name, reason, cut string
		set               func(*scene)
	}{
		{"the tasks that are seen", "the deadline of 30m0s is over", "web:1/web RUNNING", func(s *scene) { s.task("web", "", "RUNNING", "RUNNING") }},
		{"after a restart those noted last", "the container instance could not be looked at", "old:1/task RUNNING", func(s *scene) {
			s.d.Left = []string{"old:1/task RUNNING"}
			unknown(&s.o.Container)
		}},
		{"and that they could not be listed", "its tasks could not be listed", "", func(s *scene) { s.o.Running = nil }},
		{"or only those that are to run", "its tasks could not be listed", "", func(s *scene) { s.o.Stopped = nil }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := emptyHost()
			tt.set(s)
			s.deadlineOver()
			s.d.Cutting = s.now.Add(-outFor)
			got := s.decide().Drain.Intent
			if !strings.Contains(got.Reason, tt.reason) || strings.Join(got.CutOff, " ") != tt.cut {
				t.Errorf("reason %q, cut off %q", got.Reason, got.CutOff)
			}
		})
	}
}

func TestLost(t *testing.T) {
	run(t, []decideCase{
		{name: "unreachable for five minutes, and nothing in a load balancer: it is lost", set: func(s *scene) {
			s.task("web", "", "RUNNING", "RUNNING")
			s.unreached()
		}, do: "answer", notes: "answer", intent: "lost"},
		{name: "a target in use is taken out first", set: func(s *scene) {
			s.task("web", "web", "RUNNING", "RUNNING")
			s.unreached()
			s.service("web", false, "healthy")
		}, do: "deregister", waiting: "to leave its target group"},
		{name: "a target that was taken out does not hold the answer", set: func(s *scene) {
			s.task("web", "web", "RUNNING", "RUNNING")
			s.unreached()
			s.service("web", false, "draining")
		}, do: "answer", notes: "answer", intent: "lost"},
		{name: "while its service is unknown nobody knows its targets", set: func(s *scene) {
			s.task("web", "web", "RUNNING", "RUNNING")
			s.unreached()
		}, looks: "services", waiting: "to learn the load balancers of service web"},
		{name: "five minutes without a look at the end of them are not five minutes", set: func(s *scene) {
			s.task("web", "", "RUNNING", "RUNNING")
			s.unreached()
			s.o.Container.At = s.d.UnreachedFrom.Add(s.p.LostAfter - time.Second)
		}, looks: "find-container-instances", notes: "waiting", waiting: "for 1 of 1 tasks"},
		{name: "before the answer it is looked at once more", set: func(s *scene) {
			s.task("web", "", "RUNNING", "RUNNING")
			s.unreached()
			s.o.Container.At = s.now.Add(-2*s.p.Look - time.Second)
		}, looks: "find-container-instances", waiting: "to see once more"},
		{name: "without a list of its tasks their targets are not known", set: func(s *scene) {
			s.unreached()
			s.o.Running = nil
		}, looks: "list-running-tasks", waiting: "to list the tasks"},
		{name: "an agent that is back begins anew", set: func(s *scene) {
			s.task("web", "", "RUNNING", "RUNNING")
			s.unreached()
			s.o.Container.Value.Connected = true
		}, notes: "waiting", waiting: "for 1 of 1 tasks"},
	})
}

func TestHeartbeat(t *testing.T) {
	busy := func(sinceT0 time.Duration, set func(*scene)) func(*scene) {
		return func(s *scene) {
			s.task("web", "", "RUNNING", "RUNNING")
			s.d.Left = []string{"web:1/web RUNNING"}
			s.at(sinceT0)
			s.fresh()
			delete(s.o.Tried, plan.Beat)
			set(s)
		}
	}
	run(t, []decideCase{
		{name: "none is due before a third of the timeout, less the jitter", set: busy(3*time.Minute, func(*scene) {})},
		{name: "one is due after a third of the timeout", set: busy(5*time.Minute, func(*scene) {}), do: "heartbeat"},
		{name: "after a success the next is not due", set: busy(6*time.Minute, func(s *scene) { s.tried(plan.Beat, plan.OK, time.Minute) })},
		{name: "a failed one waits for the retry interval only", set: busy(6*time.Minute, func(s *scene) { s.tried(plan.Beat, plan.Throttled, time.Second) })},
		{name: "and is sent again", set: busy(6*time.Minute, func(s *scene) { s.tried(plan.Beat, plan.Throttled, 8*time.Second) }), do: "heartbeat"},
		{name: "a denied one is sent again too", set: busy(6*time.Minute, func(s *scene) { s.tried(plan.Beat, plan.Denied, 8*time.Second) }), do: "heartbeat"},
		{name: "one on its way is not sent twice", set: busy(6*time.Minute, func(s *scene) { s.o.Tried[plan.Beat] = Try{Flying: true} })},
		{name: "while the hook is not known it is taken for the shortest", set: busy(11*time.Second, func(s *scene) { unknown(&s.o.Hook) }),
			do: "heartbeat", looks: "hooks"},
		{name: "before the hook is open there is none", set: busy(6*time.Minute, func(s *scene) { s.state(fleet.Terminating) })},
		{name: "while the group could not be looked at the hook may be open", set: busy(6*time.Minute, func(s *scene) { unknown(&s.o.Instance) }),
			do: "heartbeat", looks: "group-instances"},
	})
	after := emptyHost()
	after.task("web", "", "RUNNING", "RUNNING")
	after.deadlineOver()
	delete(after.o.Tried, plan.Beat)
	if do, _, _ := spell(after.decide(), after.now); do != "answer" {
		t.Errorf("after the deadline %q is done; a heartbeat would keep the host for ever should the answer not get through", do)
	}
}

func TestTheActionIsNamedByItsTokenUntilAWSDoesNotTakeIt(t *testing.T) {
	s := emptyHost()
	if a := s.decide().Do[0].Hook; *a != (plan.HookCall{Group: "web", Hook: "ebb-drain", Instance: host, Token: token, Result: "CONTINUE"}) {
		t.Errorf("answer %+v", a)
	}
	s.tried(plan.Answer, plan.Gone, 10*time.Second)
	dec := s.decide()
	if !dec.Drain.ByID || len(dec.Do) != 1 || dec.Do[0].Hook.Token != "" {
		t.Errorf("after the token was refused: by id %v, %+v", dec.Drain.ByID, dec.Do)
	}
}

// A token that AWS refuses as invalid would be refused for ever.
func TestAnInvalidTokenIsGivenUp(t *testing.T) {
	s := emptyHost()
	s.tried(plan.Answer, plan.Invalid, 10*time.Second)
	dec := s.decide()
	if !dec.Drain.ByID || len(dec.Do) != 1 || dec.Do[0].Hook.Token != "" {
		t.Errorf("by id %v, %+v", dec.Drain.ByID, dec.Do)
	}
}

func TestADrainThatAWSRefusesForEverEnds(t *testing.T) {
	refused := func(k plan.ActionKind, fails int, set func(*scene)) func(*scene) {
		return func(s *scene) {
			s.d.ByID, s.d.Left = true, []string{"web:1/web RUNNING"}
			s.task("web", "", "RUNNING", "RUNNING")
			s.o.Tried[k] = Try{Class: plan.Invalid, Fails: fails, Started: s.now.Add(-time.Minute), At: s.now.Add(-time.Minute), Message: "no such id"}
			set(s)
		}
	}
	run(t, []decideCase{
		{name: "heartbeats refused while the group cannot be looked at", set: refused(plan.Beat, invalidFor, func(s *scene) { unknown(&s.o.Instance) }),
			notes: "cut-off ended", ended: "refused", cut: "web:1/web RUNNING"},
		{name: "not at the first refusals", set: refused(plan.Beat, invalidFor-1, func(s *scene) { unknown(&s.o.Instance) }),
			looks: "group-instances"},
		{name: "not while the group says that it waits", set: refused(plan.Beat, invalidFor, func(*scene) {})},
		{name: "the answer refused", set: refused(plan.Answer, invalidFor, func(s *scene) { s.deadlineOver() }), notes: "cut-off ended",
			ended: "refused", cut: "web:1/web RUNNING"},
	})
}

// Anybody can run tasks, and a record has a limited size.
func TestARecordNamesSoManyTasksAndCountsTheRest(t *testing.T) {
	s := emptyHost()
	for i := range 170 {
		task := s.task("web", "", "RUNNING", "RUNNING")
		task.Value.Family = strings.Repeat("f", 250)
		task.Value.ARN += fleet.ARN(fmt.Sprintf("%03d", i))
	}
	dec := s.decide()
	s.deadlineOver()
	s.d = dec.Drain
	dec = s.decide()
	cut := dec.Drain.Intent.CutOff
	if len(cut) != mostNames+1 || cut[mostNames] != "and 70 more" {
		t.Errorf("%d names, the last is %q", len(cut), cut[len(cut)-1])
	}
	dec.Drain.Final = dec.Drain.Intent
	if body, err := json.Marshal(dec.Drain); err != nil || len(body) > 100<<10 {
		t.Errorf("the record has %d bytes: %v", len(body), err)
	}
}

func TestLooksAreWantedAtTheirPace(t *testing.T) {
	s := emptyHost()
	task := s.task("web", "", "RUNNING", "RUNNING")
	if due := dueOf(t, s.decide(), plan.Tasks); !due.Equal(task.At.Add(s.p.Look)) {
		t.Errorf("a running task is looked at again at %s", due)
	}
	task.Value.DesiredStatus = fleet.Stopped
	dec := s.decide()
	if due := dueOf(t, dec, plan.Tasks); !due.Equal(task.At.Add(s.p.LookFast)) {
		t.Errorf("a stopping task is looked at again at %s", due)
	}
	if due := dueOf(t, dec, plan.GroupInstances); !due.Equal(s.o.Instance.At.Add(s.p.LookSlow + s.p.Look)) {
		t.Errorf("the group is looked at again at %s", due)
	}
	if due := dueOf(t, dec, plan.Instances); !due.Equal(s.o.Machine.At.Add(5 * s.p.LookSlow)) {
		t.Errorf("a host that ECS reaches is looked at again at %s", due)
	}
	s.o.Instance.Value.Healthy = false
	if due := dueOf(t, s.decide(), plan.Instances); !due.Equal(s.o.Machine.At.Add(s.p.Look)) {
		t.Errorf("an unhealthy host is looked at again at %s", due)
	}
	s.o.Running = nil
	s.d.DrainingSince = s.now
	if due := dueOf(t, s.decide(), plan.ListRunning); !due.Equal(s.now.Add(s.p.Settle)) {
		t.Errorf("tasks are listed at %s, %s after DRAINING", due, due.Sub(s.now))
	}
}

// While its targets drain, and it is known for how long, a task is looked at when that is over, and else once a minute.
func TestDeregistrationDelayIsWaitedOut(t *testing.T) {
	s := emptyHost()
	s.service("web", false, "draining")
	task := s.task("web", "web", "DEACTIVATING", "STOPPED")
	task.Value.StoppingAt = s.now.Add(-20 * time.Second)
	for _, c := range []struct {
		is    fleet.Knowledge
		delay time.Duration
		want  time.Time
	}{
		{fleet.Unknown, 0, task.At.Add(s.p.Look)},
		{fleet.Seen, 60 * time.Second, task.Value.StoppingAt.Add(61 * time.Second)},
		{fleet.Seen, 300 * time.Second, task.At.Add(s.p.LookSlow)},
		{fleet.Seen, 10 * time.Second, task.At.Add(s.p.LookFast)},
	} {
		s.delay = fleet.Fact[fleet.Delay]{Is: c.is, At: s.now, Value: fleet.Delay{Delay: c.delay}}
		if due := dueOf(t, s.decide(), plan.Tasks); !due.Equal(c.want) {
			t.Errorf("%v %s: looked at again at %s, want %s", c.is, c.delay, due, c.want)
		}
	}
	if dueOf(t, func() Decision { s.delay.Is = fleet.Unknown; return s.decide() }(), plan.Delays) != s.now {
		t.Error("an unknown delay is not asked for")
	}
}

// A daemon task stops after the others and is looked at along with them, not by itself.
func TestDaemonsAreLookedAtAlong(t *testing.T) {
	s := emptyHost()
	s.service("agent", true, "")
	s.task("agent", "agent", "RUNNING", "RUNNING").At = s.now.Add(-50 * time.Second)
	web := s.task("web", "", "RUNNING", "RUNNING")
	for _, w := range s.decide().Want {
		if w.Kind == plan.Tasks && !w.Due.Equal(web.At.Add(s.p.Look)) {
			t.Errorf("%s is looked at at %s, want with the other at %s", w.ID, w.Due, web.At.Add(s.p.Look))
		}
	}
}

func TestAnAdoptedDrainCountsFromTheTerminationActivity(t *testing.T) {
	s := emptyHost()
	s.d.Adopted = true
	if dueOf(t, s.decide(), plan.Activities) != s.now {
		t.Error("the activity is not looked for at once")
	}
	began := t0.Add(-5 * time.Minute)
	s.o.Began = fleet.Fact[time.Time]{Is: fleet.Seen, At: s.now, Value: began}
	if zero := s.decide().Drain.Zero; !zero.Equal(began) {
		t.Errorf("zero is %s, want the start of the activity", zero)
	}
	s.d.Adopted = false
	if zero := s.decide().Drain.Zero; !zero.Equal(t0) {
		t.Errorf("zero is %s, want the time of the message", zero)
	}
}

func TestAnEndedDrainWantsNothing(t *testing.T) {
	s := emptyHost()
	s.d.Ended = t0
	s.o = observed{}
	if dec := s.decide(); len(dec.Do)+len(dec.Want)+len(dec.Lines) > 0 || !dec.Wake.IsZero() {
		t.Errorf("decided %+v", dec)
	}
}

// Who waits for its turn has no deadline but the hook's own; once it is let go, by Ebb or by somebody else, it has one.
func TestTheDeadlineOfWhoWaitedForItsTurn(t *testing.T) {
	for name, c := range map[string]struct {
		status string
		turn   Slot
		begun  bool
	}{
		"it waits":                    {fleet.Active, Slot{Limited: true, Leave: 2, Limit: 2}, false},
		"its turn has come":           {fleet.Active, Slot{Limited: true, Leave: 1, Limit: 2}, true},
		"there is no budget any more": {fleet.Active, Slot{}, true},
		"set DRAINING by hand":        {fleet.Draining, Slot{Limited: true, Leave: 2, Limit: 2}, true},
		"deregistered by hand":        {fleet.Inactive, Slot{Limited: true, Leave: 2, Limit: 2}, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := emptyHost()
			s.d.Queued, s.d.DrainingSince = t0, time.Time{}
			s.task("app", "", "RUNNING", "RUNNING")
			s.o.Container.Value.Status, s.o.Turn = c.status, c.turn
			dec := s.decide()
			over := s.now.Add(s.p.Deadline)
			if got := Deadline(dec.Drain, s.o.Hook, s.p); got.After(over) == c.begun {
				t.Errorf("the deadline is %s after the zero, and one of %s was to be set: %v", got.Sub(t0), s.p.Deadline, c.begun)
			}
		})
	}
}

// What another Ebb has noted by a clock that is ahead does not make this one look again and again until its own has come so far.
func TestAClockThatIsAheadMakesNobodyLookAgainAndAgain(t *testing.T) {
	ahead := 20 * time.Second
	for name, set := range map[string]func(s *scene){
		"since when it waits": func(s *scene) {
			s.d.Adopted, s.d.WaitingSince = true, s.now.Add(ahead)
			s.o.Began = fleet.Fact[time.Time]{Is: fleet.Seen, At: s.now, Value: t0}
		},
		"since when it is empty": func(s *scene) {
			s.d.EmptySince, s.o.Container.Value.Running = s.now.Add(ahead), 1
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := emptyHost()
			s.p.Skew = 30 * time.Second
			s.d.DrainingSince = t0.Add(-time.Minute)
			s.o.Stopped = []time.Time{s.now}
			s.fresh()
			set(s)
			if _, looks, _ := spell(s.decide(), s.now); looks != "" {
				t.Errorf("it looks at %s at once", looks)
			}
		})
	}
}
