package drain

import (
	"strings"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

// notedAs makes the host one of which nothing but a notice tells, in service in its group, ACTIVE and with a task behind a load balancer.
func notedAs(s *scene, kind NoticeKind) {
	s.d.Hold, s.noHook = Hold{Group: "web"}, true
	s.d.Notice = Notice{Noticed: kind, NoticedAt: s.now.Add(-2 * time.Second), Action: "terminate", Ends: s.now.Add(118 * time.Second)}
	s.d.Heard, s.d.Zero = s.d.NoticedAt, s.d.NoticedAt
	s.d.DrainingSince, s.o.Container.Value.Status = time.Time{}, fleet.Active
	s.o.Container.At = s.now
	s.o.Running, s.o.Stopped = nil, nil
	s.task("web", "web", "RUNNING", "RUNNING")
	s.service("web", false, "healthy")
	s.state(fleet.InService)
}

// says makes EC2 say something of the Spot request.
func says(s *scene, code, action string) {
	s.spot = fleet.Fact[fleet.SpotRequest]{Is: fleet.Seen, At: s.now, Value: fleet.SpotRequest{Code: code, Action: action, Since: s.d.NoticedAt}}
}

func TestANoticeOfEC2(t *testing.T) {
	interrupted := func(s *scene) {
		notedAs(s, Interruption)
		says(s, "instance-terminated-no-capacity", "terminate")
	}
	const reads = "list-running-tasks list-stopped-tasks targets"
	run(t, []decideCase{
		{name: "is not acted on before EC2 is asked", set: func(s *scene) { notedAs(s, Interruption) },
			looks: "spot-requests", waiting: "whether EC2 takes the capacity back"},
		{name: "that EC2 does not confirm changes nothing", set: func(s *scene) { notedAs(s, Interruption); says(s, "fulfilled", "terminate") },
			waiting: "whether EC2 takes the capacity back"},
		{name: "ends when EC2 has not confirmed it for two minutes", set: func(s *scene) {
			notedAs(s, Interruption)
			says(s, "fulfilled", "terminate")
			s.d.NoticedAt = s.now.Add(-2*time.Minute - time.Second)
		}, notes: "ended", ended: "not-leaving"},
		{name: "about what is no Spot Instance ends sooner", set: func(s *scene) {
			notedAs(s, Interruption)
			s.spot = fleet.Fact[fleet.SpotRequest]{Is: fleet.Absent, At: s.now}
			s.d.NoticedAt = s.now.Add(-11 * time.Second)
		}, notes: "ended", ended: "not-leaving"},
		{name: "of which EC2 cannot be asked ends after ten minutes", set: func(s *scene) {
			notedAs(s, Interruption)
			s.d.NoticedAt = s.now.Add(-10*time.Minute - time.Second)
		}, looks: "spot-requests", notes: "ended", ended: "not-leaving"},
		{name: "sets DRAINING and takes the targets out at once", set: interrupted,
			do: "set-draining deregister", looks: reads, notes: "warned draining"},
		{name: "waits for no slot", set: func(s *scene) { interrupted(s); s.o.Turn.Limited, s.o.Turn.Leave, s.o.Turn.Limit = true, 1, 1 },
			do: "set-draining deregister", looks: reads, notes: "warned draining"},
		{name: "waits during a pause", set: func(s *scene) {
			interrupted(s)
			s.o.Turn.Paused, s.o.Turn.Until = "somebody has paused it", t0.Add(time.Hour)
		}, notes: "warned queued", waiting: "somebody has paused it"},
		{name: "ends when EC2 ends the instance", set: func(s *scene) {
			interrupted(s)
			s.d.Verified, s.d.Asked, s.d.DrainingSince = s.now, s.now, s.now
			s.o.Container.Value.Status = fleet.Draining
			s.o.Running, s.now = []time.Time{s.now}, s.d.Ends
			s.service("web", false, "draining")
			s.o.Tasks[0].At = s.now
		}, looks: "group-instances instances list-stopped-tasks", notes: "gone", intent: "forced", cut: "web:1/web RUNNING"},
		{name: "ends a held drain no later", set: func(s *scene) {
			interrupted(s)
			s.d.Hold, s.noHook = Hold{Group: "web", Hook: "ebb-drain", WaitingSince: s.now}, false
			s.state(fleet.TerminatingWait)
			s.d.Verified, s.d.Asked, s.d.DrainingSince = s.now, s.now, s.now
			s.o.Container.Value.Status = fleet.Draining
			s.o.Running, s.now = []time.Time{s.now}, s.d.Ends
			s.service("web", false, "draining")
			s.o.Tasks[0].At = s.now
		}, do: "answer", looks: "instances list-stopped-tasks", notes: "answer", intent: "forced", cut: "web:1/web RUNNING"},
		{name: "that is not true leaves a held drain as it is", set: func(s *scene) {
			s.d.Notice = Notice{Noticed: Interruption, NoticedAt: s.now.Add(-3 * time.Minute)}
			says(s, "fulfilled", "terminate")
		}, do: "answer", notes: "answer", intent: "drained"},
		{name: "of a likely interruption waits for a slot", set: func(s *scene) {
			notedAs(s, Rebalance)
			says(s, "fulfilled", "terminate")
			s.o.Turn.Limited, s.o.Turn.Leave, s.o.Turn.Limit = true, 1, 1
		}, notes: "queued", looks: "instances", waiting: "for its turn"},
		{name: "of a likely interruption becomes one", set: func(s *scene) {
			notedAs(s, Rebalance)
			s.d.Verified = s.now
			says(s, "marked-for-stop", "stop")
		}, do: "set-draining deregister", looks: reads, notes: "warned draining"},
		{name: "of an end that EC2 does not confirm changes nothing", set: func(s *scene) {
			notedAs(s, Down)
			s.o.Machine.At = s.d.NoticedAt.Add(11 * time.Second)
			s.now = s.o.Machine.At
		}, notes: "ended", ended: "not-leaving"},
		{name: "of an end takes the targets out, and sets nothing DRAINING", set: func(s *scene) {
			notedAs(s, Down)
			s.o.Machine = fleet.Fact[fleet.InstanceState]{Is: fleet.Seen, At: s.now, Value: fleet.StateStopped}
			s.o.Running = []time.Time{s.now}
		}, do: "deregister", looks: "targets", waiting: "to leave their target groups"},
		{name: "of an end leaves addresses alone that may be others' by now", set: func(s *scene) {
			notedAs(s, Down)
			s.o.Machine = fleet.Fact[fleet.InstanceState]{Is: fleet.Seen, At: s.now, Value: fleet.StateTerminated}
			s.o.Running, s.o.Tasks[0].Value.Addresses[0].IP = []time.Time{s.now}, "10.0.0.7"
		}, notes: "gone", intent: "host-gone", cut: "web:1/web RUNNING"},
	})
}

// TestTheEndThatEC2Sets: two minutes after the notice as EC2 dates it, at once for hibernation, and never later than a hook's deadline.
func TestTheEndThatEC2Sets(t *testing.T) {
	for action, want := range map[string]time.Duration{"terminate": 2 * time.Minute, "stop": 2 * time.Minute, "hibernate": 0} {
		s := emptyHost()
		notedAs(s, Interruption)
		s.d.Ends = s.now.Add(time.Hour) // as a false event says
		says(s, "marked-for-stop", action)
		d := s.decide().Drain
		if got := Deadline(d, s.o.Hook, s.p).Sub(d.NoticedAt); got != want || d.Action != action {
			t.Errorf("%s: %s after the notice (%s), want %s", action, got, d.Action, want)
		}
		s.d = d
		s.p.Deadline = time.Minute
		if got := Deadline(s.d, s.o.Hook, s.p).Sub(d.Zero); got > time.Minute {
			t.Errorf("%s: the deadline of the group is over %s later", action, got)
		}
	}
}

// TestWhatComesBack: an instance that EC2 stops or hibernates is still DRAINING when it starts again, and people are told so.
func TestWhatComesBack(t *testing.T) {
	for action, back := range map[string]bool{"terminate": false, "stop": true, "hibernate": true} {
		s := emptyHost()
		notedAs(s, Interruption)
		says(s, "marked-for-stop", action)
		s.d.Verified, s.d.DrainingSince, s.o.Container.Value.Status = s.now, s.now, fleet.Draining
		s.o.Tasks, s.o.Running = nil, []time.Time{s.now}
		s.o.Machine = fleet.Fact[fleet.InstanceState]{Is: fleet.Seen, At: s.now, Value: fleet.StateStopping}
		s.d.Action = action
		f := s.decide().Drain.Intent
		if f == nil || f.Outcome != HostGone || strings.Contains(f.Reason, "set it ACTIVE then") != back {
			t.Errorf("%s: %+v", action, f)
		}
	}
}

// TestANoticeThatHurries: DRAINING and deregistration of a host that has two minutes go before other calls.
func TestANoticeThatHurries(t *testing.T) {
	s := emptyHost()
	notedAs(s, Interruption)
	says(s, "marked-for-termination", "terminate")
	for _, a := range s.decide().Do {
		if a.Priority() != plan.Answering || a.Why == "" {
			t.Errorf("%s: priority %d, because %q", a.Kind, a.Priority(), a.Why)
		}
	}
}
