package drain

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

const stale = fleet.ARN("arn:aws:ecs:eu-west-1:111122223333:container-instance/prod/c2")

// twice is a host that an agent without its state has registered a second time.
func twice() *scene {
	s := emptyHost()
	s.o.Container.Value.Others = []fleet.Registration{{Cluster: "prod", ARN: stale}}
	return s
}

// A host is let go when every registration of it is empty: the tasks of an earlier one may run on.
func TestEveryRegistrationIsDrained(t *testing.T) {
	s := twice()
	dec := s.decide()
	d := dec.Drain
	if len(dec.Do) != 0 || d.Intent != nil || d.ContainerInstance != stale || len(d.Others) != 0 || !slices.Equal(d.Emptied, []fleet.ARN{ci}) {
		t.Fatalf("after the first: %+v, does %+v", d, dec.Do)
	}
	if want := (Want{Subject: plan.Subject{Kind: plan.FindContainerInstances, In: "prod", ID: string(host)}, Due: s.now}); !slices.Contains(dec.Want, want) {
		t.Errorf("the other is not looked at: %+v", dec.Want)
	}
	s.d = d
	if again := s.decide(); again.Drain.ContainerInstance != stale || len(again.Do) != 0 {
		t.Errorf("what is known of the first was taken for the second: %+v", again.Drain)
	}
	s.o.Container.Value = fleet.ContainerInstance{ARN: stale, Cluster: "prod", Instance: host, Status: fleet.Active, Connected: true}
	if do, _, _ := spell(s.decide(), s.now); do != "set-draining" {
		t.Errorf("the second does %q", do)
	}
	s.o.Container.Value.Status = fleet.Draining
	s.d.DrainingSince = s.d.Zero
	left := s.task("web", "", "RUNNING", "RUNNING")
	left.Value.ContainerInstance = stale
	if dec := s.decide(); dec.Drain.Intent != nil || !strings.HasPrefix(dec.Waiting, "for 1 of 1 tasks to stop, until 2026-11-21 09:30:00 UTC at the latest") {
		t.Errorf("its task is not waited for: %q", dec.Waiting)
	}
	left.Value.LastStatus, left.Value.DesiredStatus = fleet.Stopped, fleet.Stopped
	if dec := s.decide(); dec.Drain.Intent == nil || dec.Drain.Intent.Outcome != Drained {
		t.Errorf("both are empty: %+v", dec.Drain.Intent)
	}
}

func TestARegistrationThatECSDoesNotReachIsGivenUpAndItsTasksAreNamed(t *testing.T) {
	s := twice()
	s.task("old", "", "RUNNING", "RUNNING").Value.ContainerInstance = ci
	s.unreached()
	s.d = s.decide().Drain
	if s.d.Intent != nil || s.d.ContainerInstance != stale || !slices.Equal(s.d.Lost, []string{"old:1/old RUNNING"}) {
		t.Fatalf("after the first was lost: %+v", s.d)
	}
	s.o.Container.Value = fleet.ContainerInstance{ARN: stale, Cluster: "prod", Instance: host, Status: fleet.Draining, Connected: true}
	s.d.DrainingSince = s.d.Zero
	a := s.decide().Drain.Intent
	if a == nil || a.Outcome != Lost || !slices.Equal(a.CutOff, []string{"old:1/old RUNNING"}) {
		t.Errorf("the second is empty: %+v", a)
	}
}

// While ECS reaches the host by one registration the host is not lost, and the tasks of another that it does not reach may run on.
func TestAHostThatIsReachedIsNotLost(t *testing.T) {
	s := emptyHost()
	s.task("old", "", "RUNNING", "RUNNING")
	s.unreached()
	s.o.Container.Value.Reached = true
	if dec := s.decide(); dec.Drain.Intent != nil || !dec.Drain.UnreachedFrom.IsZero() {
		t.Errorf("lost: %+v", dec.Drain.Intent)
	}
}

// An agent that registers again during a drain leaves a registration behind that ECS does not reach any more.
func TestAnUnreachedRegistrationIsSearchedForAnother(t *testing.T) {
	s := emptyHost()
	s.task("web", "", "RUNNING", "RUNNING")
	s.unreached()
	s.o.Container.Value.Connected = false
	if looks := lookKinds(s.decide()); !slices.Contains(looks, plan.FindContainerInstances) {
		t.Errorf("it looks at %v", looks)
	}
}

func lookKinds(dec Decision) (kinds []plan.LookKind) {
	for _, w := range dec.Want {
		kinds = append(kinds, w.Kind)
	}
	return kinds
}

func TestADeadlineSaysThatRegistrationsWereNotLookedAt(t *testing.T) {
	s := twice()
	s.task("web", "", "RUNNING", "RUNNING").Value.ContainerInstance = ci
	s.deadlineOver()
	a := s.decide().Drain.Intent
	if a == nil || a.Reason != "the deadline of 30m0s is over; the instance is registered more than once, and the tasks of 1 registrations were not looked at" {
		t.Errorf("forced: %+v", a)
	}
}

// At three in the morning one wants to know when it ends, and what stands in its way.
func TestTheWaitSaysUntilWhenAndForWhat(t *testing.T) {
	s := emptyHost()
	s.task("web", "web", "RUNNING", "RUNNING")
	s.service("web", false, "")
	s.d.DrainingSince = t0
	s.at(10 * time.Minute)
	s.fresh()
	if w := s.decide().Waiting; w != "for 1 of 1 tasks to stop, 1 of which ECS has not asked to stop yet, until 2026-11-21 09:30:00 UTC at the latest" {
		t.Errorf("waits %s", w)
	}
}
