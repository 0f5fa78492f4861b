package drain

import (
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

// A list of a whole cluster is read page by page while tasks came and went: what ECS counts must all be on it before the list of what stops
// is begun, and that list is begun only when every read of the first has settled.
func TestAListOfAWholeClusterIsHeldAgainstTheCount(t *testing.T) {
	long := func(s *scene, counted int) {
		s.o.Paged = true
		s.o.Whole, s.o.Stopped = s.now.Add(-15*time.Second), nil
		s.o.Container.At, s.o.Container.Value.Running = s.o.Whole.Add(time.Second), counted
	}
	run(t, []decideCase{
		{name: "it agrees", set: func(s *scene) { long(s, 0) }, looks: "list-stopped-tasks", waiting: "once more"},
		{name: "it agrees with a task that is seen to be desired to run afterwards", set: func(s *scene) {
			s.task("web", "", "RUNNING", "RUNNING")
			long(s, 1)
		}, looks: "list-stopped-tasks", notes: "waiting", waiting: "1 of 1 tasks"},
		{name: "a task that has come to stop since may have been the one that was counted", set: func(s *scene) {
			s.task("web", "", "STOPPED", "STOPPED")
			long(s, 1)
		}, waiting: "once more"},
		{name: "one that was to stop before was not", set: func(s *scene) {
			s.task("web", "", "STOPPED", "STOPPED")
			long(s, 1)
			s.o.Tasks[0].At = s.o.Container.At.Add(-time.Second)
			s.o.Whole = s.o.Container.At.Add(-s.p.Settle - time.Second)
		}, looks: "container-instances list-running-tasks", waiting: "once more"},
		{name: "one that was seen before the count is looked at again", set: func(s *scene) {
			s.task("web", "", "RUNNING", "RUNNING")
			long(s, 1)
			s.o.Tasks[0].At = s.o.Container.At
		}, looks: "tasks", notes: "waiting", waiting: "1 of 1 tasks"},
		{name: "a task is counted that is not on it", set: func(s *scene) {
			long(s, 1)
			s.o.Container.At = s.now
		}, looks: "list-running-tasks", waiting: "once more"},
		{name: "what went before they agreed is only later on the list of the others for sure", set: func(s *scene) {
			long(s, 0)
			s.o.Container.At = s.now
		}, waiting: "once more"},
		{name: "and need not be counted again", set: func(s *scene) {
			long(s, 0)
			s.d.Agreed, s.o.Container.At = s.o.Container.At, s.now
		}, looks: "list-stopped-tasks", waiting: "once more"},
		{name: "that may be a read that lags", set: func(s *scene) {
			long(s, 1)
			s.o.Whole, s.o.Container.At = s.now.Add(-9*time.Second), s.now.Add(-s.p.LookFast)
		}, looks: "container-instances", waiting: "once more"},
		{name: "a count from before it was made says nothing", set: func(s *scene) {
			long(s, 0)
			s.o.Container.At = s.o.Whole.Add(-time.Second)
		}, looks: "container-instances", waiting: "once more"},
		{name: "the list of the others follows its end, not its beginning", set: func(s *scene) {
			long(s, 0)
			s.o.Whole, s.o.Container.At = s.now.Add(-9*time.Second), s.now
			s.o.Stopped = []time.Time{s.now.Add(-5 * time.Second)}
		}, waiting: "once more"},
	})
}

// A new registration of the same host is listed anew: what was listed before are the tasks of another container instance.
func TestANewRegistrationIsListedAnew(t *testing.T) {
	s := emptyHost()
	s.d.ContainerInstance = "arn:aws:ecs:eu-west-1:111122223333:container-instance/prod/c0"
	dec := s.decide()
	if got := dec.Drain.DrainingSince; !got.Equal(s.now) {
		t.Errorf("DRAINING since %s, want from now on", got)
	}
	if do, _, _ := spell(dec, s.now); do != "" {
		t.Errorf("does %q", do)
	}
}

// Daemon tasks that are left do not hide one that is counted and not listed.
func TestACountAboveTheDaemonTasksIsNotPassedOver(t *testing.T) {
	s := emptyHost()
	s.daemonLeft("")
	s.o.Container.At, s.o.Container.Value.Running = s.now, 2
	if do, _, _ := spell(s.decide(), s.now); do != "" {
		t.Errorf("does %q although ECS counts 2 tasks and one is known", do)
	}
	s.o.Container.Value.Running = 1
	if do, _, _ := spell(s.decide(), s.now); do != "answer" {
		t.Errorf("does %q, want the answer: the daemon task had its time", do)
	}
}

// A token that AWS does not know casts doubt on the time of its message; that is looked up even if the deadline has just come.
func TestADeadlineWaitsForTheDoubtThatARefusedTokenCasts(t *testing.T) {
	for _, x := range []struct {
		ago  time.Duration
		want string
	}{{time.Second, ""}, {3 * time.Minute, "answer"}} {
		s := emptyHost()
		s.task("web", "", "RUNNING", "RUNNING")
		s.deadlineOver()
		s.d.WaitingSince = t0
		s.o.Began = fleet.Fact[time.Time]{}
		s.tried(plan.Beat, plan.Gone, x.ago)
		dec := s.decide()
		if do, _, _ := spell(dec, s.now); do != x.want || !dec.Drain.Doubt || !dec.Drain.ByID {
			t.Errorf("%s after the token was refused: does %q, want %q; doubt %v, by id %v", x.ago, do, x.want, dec.Drain.Doubt, dec.Drain.ByID)
		}
	}
}
