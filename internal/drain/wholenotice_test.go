package drain

import (
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

// Changes of a scene, to be put together.

func noticedOnly(kind NoticeKind) func(*scene) {
	return func(s *scene) { notedAs(s, kind); s.p.Skew = 3 * time.Second }
}

// noticedFor makes the notice as old as that.
func noticedFor(d time.Duration) func(*scene) {
	return func(s *scene) { s.d.NoticedAt = s.now.Add(-d) }
}

func ec2Says(code, action string) func(*scene) { return func(s *scene) { says(s, code, action) } }

func noSpot(s *scene) { s.spot = fleet.Fact[fleet.SpotRequest]{Is: fleet.Absent, At: s.now} }

func verified(s *scene) { s.d.Verified = s.now.Add(-time.Second) }

func unnumbered(s *scene) { s.d.ContainerInstance = ""; unknown(&s.o.Container) }

// machineIs makes EC2 say now in which state the instance is; empty: that there is none.
func machineIs(st fleet.InstanceState) func(*scene) {
	return func(s *scene) {
		s.o.Machine = fleet.Fact[fleet.InstanceState]{Is: fleet.Seen, At: s.now, Value: st}
		if st == "" {
			s.o.Machine.Is = fleet.Absent
		}
	}
}

func machineUnknown(s *scene) { unknown(&s.o.Machine) }

// drainingFor makes it DRAINING for so long.
func drainingFor(d time.Duration) func(*scene) {
	return func(s *scene) {
		s.d.DrainingSince, s.o.Container.Value.Status = s.now.Add(-d), fleet.Draining
	}
}

func listedNow(s *scene) { s.o.Running, s.o.Stopped = []time.Time{s.now}, []time.Time{s.now} }

func target(state string) func(*scene) {
	return func(s *scene) {
		s.service("web", false, state)
		for id, h := range s.health {
			h.At = s.now
			s.health[id] = h
		}
	}
}

func addressOfItsOwn(s *scene) { s.o.Tasks[0].Value.Addresses[0].IP = "10.0.0.7" }

// heldToo lets a hook hold the host as well.
func heldToo(s *scene) {
	s.d.Hold, s.noHook = Hold{Group: "web", Hook: "ebb-drain", WaitingSince: s.now}, false
	s.state(fleet.TerminatingWait)
}

func rehearsedHost(s *scene) {
	s.d.Word = fleet.Word{Deadline: s.now.Add(2 * time.Minute), Late: fleet.LateTerminate, End: fleet.EndTerminate, Reason: fleet.RehearsalReason}
	s.o.Container.Value.Word = s.d.Word
}

func troubled(s *scene) {
	s.o.Trouble = func(k plan.LookKind) string { return "denied: " + k.String() }
}

func intended(o Outcome) func(*scene) {
	return func(s *scene) { s.d.Intent = &Answer{At: s.now.Add(-time.Second), Outcome: o, Reason: "so it was"} }
}

// TestWhatFollowsFromANotice: see testdata/notice.txt.
func TestWhatFollowsFromANotice(t *testing.T) {
	spot, rebalance, down := noticedOnly(Interruption), noticedOnly(Rebalance), noticedOnly(Down)
	fulfilled, leaves := ec2Says("fulfilled", "terminate"), ec2Says("instance-terminated-no-capacity", "terminate")
	const moment = time.Nanosecond
	ends := func(d time.Duration) func(*scene) { return func(s *scene) { s.d.Ends = s.now.Add(d) } }
	asked := func(s *scene) { s.d.Asked = s.now.Add(-time.Second) }
	follows(t, "notice.txt", []wholeCase{
		of("it is not confirmed yet", spot),
		of("nor is its host known", spot, unnumbered),
		of("nor is the host of a drain that a hook holds", spot, heldToo, unnumbered),
		of("EC2 says nothing of it, at the last moment", spot, fulfilled, noticedFor(2*time.Minute+3*time.Second)),
		of("EC2 says nothing of it, a moment later", spot, fulfilled, noticedFor(2*time.Minute+3*time.Second+moment)),
		of("it is no Spot Instance, at the last moment", spot, noSpot, noticedFor(13*time.Second)),
		of("it is no Spot Instance, a moment later", spot, noSpot, noticedFor(13*time.Second+moment)),
		of("EC2 cannot be asked, at the last moment", spot, noticedFor(10*time.Minute), troubled),
		of("EC2 cannot be asked, a moment later", spot, noticedFor(10*time.Minute+moment), troubled),
		of("EC2 does not confirm it, and a hook holds the host", spot, fulfilled, heldToo, noticedFor(3*time.Minute)),
		of("EC2 does not confirm it, and an operator lets it leave", spot, fulfilled, rehearsedHost, noticedFor(3*time.Minute)),
		of("confirmed", spot, leaves),
		of("confirmed, a stop without a time", spot, ec2Says("marked-for-stop", "stop"), func(s *scene) { s.spot.Value.Since = time.Time{} }),
		of("confirmed, hibernation at no known time", spot, ec2Says("marked-for-stop", "hibernate"), func(s *scene) {
			s.spot.Value.Since, s.d.Ends = time.Time{}, time.Time{}
		}),
		of("it may be interrupted, just heard", rebalance, fulfilled),
		of("it may be interrupted, and that was known", rebalance, fulfilled, verified, noticedFor(time.Minute)),
		of("it may be interrupted, heard two minutes ago", rebalance, fulfilled, noticedFor(2*time.Minute)),
		of("it may be interrupted, and EC2 cannot be asked any more", rebalance, verified),
		of("it may be interrupted, and EC2 has not been asked", rebalance),
		of("it may be interrupted, and its deadline is over", rebalance, fulfilled, verified, noticedFor(time.Hour), drainingFor(time.Hour), listedNow,
			func(s *scene) { s.d.Zero = s.now.Add(-time.Hour); s.o.Machine.At = s.now }),

		of("it may be interrupted, and a hook holds it", rebalance, fulfilled, heldToo),
		of("its interruption is rehearsed, and a hook holds it", spot, func(s *scene) { s.d.Notice = Notice{} }, rehearsedHost, heldToo),
		of("EC2 ends it, and its target is in use", spot, leaves, verified, drainingFor(time.Minute), listedNow, ends(0), machineIs(fleet.StateRunning)),
		of("DRAINING after the notice, its tasks listed", spot, leaves, verified, drainingFor(4*time.Second), func(s *scene) { s.o.Running = []time.Time{s.now} }),
		of("DRAINING after the notice for longer than reads lag", spot, leaves, verified, drainingFor(14*time.Second), listedNow),
		of("DRAINING after the notice, the targets out", spot, leaves, verified, drainingFor(4*time.Second), listedNow, target("draining")),
		of("DRAINING after the notice, and registered elsewhere", spot, leaves, verified, drainingFor(4*time.Second), listedNow,
			func(s *scene) { s.o.Container.Value.Cluster = "other" }),
		of("DRAINING after the notice, in a moment without a look", spot, leaves, verified, drainingFor(4*time.Second), listedNow,
			func(s *scene) { unknown(&s.o.Container) }),
		of("asked, and not DRAINING yet", spot, leaves, verified, asked, listedNow),
		of("a rehearsal, DRAINING", spot, func(s *scene) { s.d.Notice = Notice{} }, rehearsedHost, drainingFor(4*time.Second), listedNow),
		of("EC2 ends it, which is overdue", spot, leaves, verified, drainingFor(time.Minute), listedNow, ends(0), target("draining"), machineIs(fleet.StateRunning)),
		of("EC2 ends it in a moment", spot, leaves, verified, drainingFor(time.Minute), listedNow, ends(moment), target("draining"), machineIs(fleet.StateRunning)),
		of("no time of its end is known", spot, leaves, verified, drainingFor(time.Minute), listedNow, func(s *scene) { s.d.Ends = time.Time{} }),
		of("the end was told, and EC2 has not confirmed it", spot, ends(-time.Second), heldToo),

		of("ECS reaches it", spot, leaves, verified, machineIs(fleet.StateRunning)),
		of("no notice, ECS reaches it", machineIs(fleet.StateRunning)),
		of("no notice, ECS reached it two minutes ago", machineIs(fleet.StateRunning), func(s *scene) { s.o.Container.At = s.now.Add(-2 * time.Minute) }),
		of("no notice, ECS does not reach it", machineIs(fleet.StateRunning), func(s *scene) {
			s.o.Container.Value.Connected, s.d.UnreachedFrom = false, s.now.Add(-time.Second)
		}),
		of("no notice, it was deregistered", machineIs(fleet.StateRunning), func(s *scene) { s.o.Container.Value.Status = fleet.Inactive }),
		of("no notice, and its container instance is not known", machineIs(fleet.StateRunning), func(s *scene) { unknown(&s.o.Container) }),

		of("it has ended, as is said", down, machineUnknown),
		of("it has ended, and a hook holds it", down, machineUnknown, heldToo),
		of("EC2 says that it runs, at the last moment", down, machineIs(fleet.StateRunning), noticedFor(13*time.Second)),
		of("EC2 says that it runs, a moment later", down, machineIs(fleet.StateRunning), noticedFor(13*time.Second+moment)),
		of("EC2 says that it runs, and a hook holds it", down, machineIs(fleet.StateRunning), noticedFor(13*time.Second+moment), heldToo),
		of("its state cannot be seen, at the last moment", down, machineUnknown, noticedFor(10*time.Minute), troubled),
		of("its state cannot be seen, a moment later", down, machineUnknown, noticedFor(10*time.Minute+moment), troubled),
	})
}

// TestWhatFollowsWhenAHostHasGone: see testdata/gone.txt.
func TestWhatFollowsWhenAHostHasGone(t *testing.T) {
	down, spot := noticedOnly(Down), noticedOnly(Interruption)
	stopped, terminated, gone := machineIs(fleet.StateStopped), machineIs(fleet.StateTerminated), machineIs("")
	late := func(s *scene) { s.d.Cutting = s.now.Add(-outFor) }
	empty := func(s *scene) { s.o.Tasks = nil }
	listed := func(s *scene) { s.o.Running = []time.Time{s.now} }
	over := func(s *scene) { s.state("Terminated") }
	zero := func(d time.Duration) func(*scene) {
		return func(s *scene) { s.d.Zero, s.d.Ends = s.now.Add(-d), time.Time{} }
	}
	inNoGroup := func(s *scene) { absent(&s.o.Instance) }
	follows(t, "gone.txt", []wholeCase{
		of("its container instance is not known", down, stopped, unnumbered),
		of("its container instance is not known, and time is over", down, stopped, unnumbered, late),
		of("it is no container instance", down, stopped, func(s *scene) { s.d.ContainerInstance = ""; absent(&s.o.Container) }),
		of("its container instance is remembered, and was not seen", down, stopped, func(s *scene) { unknown(&s.o.Container) }),
		of("it is in another cluster", down, stopped, listed, func(s *scene) { s.o.Container.Value.Cluster = "other" }),
		of("its tasks are not listed", down, stopped),
		of("its tasks are not listed, and time is over", down, stopped, late, troubled),
		of("its tasks are not listed, its target is out, and time is over", down, stopped, late, target("draining"), troubled),
		of("a hook holds it, and an interruption is not confirmed", spot, stopped, heldToo, listed),
		of("its target is in use", down, stopped, listed),
		of("its target is in use, and time is over", down, stopped, listed, late, troubled),
		of("its target is out", down, stopped, listed, target("draining")),
		of("its target is out, after some time", down, stopped, listed, target("draining"), func(s *scene) { s.d.Cutting = s.now.Add(-5 * time.Second) }),
		of("no task is on it", down, stopped, listed, empty),
		of("a task has an address of its own", down, stopped, listed, addressOfItsOwn),
		of("EC2 knows it no more, and a task has an address of its own", down, gone, listed, addressOfItsOwn),
		of("it is terminated, and a task has an address of its own", down, terminated, listed, addressOfItsOwn),
		of("it is terminated, and its target is under its own name", down, terminated, listed),
		of("that was known before", down, stopped, listed, target("draining"), verified),
		of("a hook holds it", down, stopped, heldToo, listed),
		of("a hook holds it, and it was interrupted", spot, verified, stopped, heldToo, listed),
		of("it was interrupted", spot, verified, stopped, listed, target("draining")),
		of("it ends as was decided", down, stopped, listed, intended(HostGone)),
		of("it ends, and is in no group", down, stopped, listed, intended(HostGone), inNoGroup),
		of("it ends, and the group says so", down, stopped, listed, intended(HostGone), over),
		of("it ends, and the group is not known", down, stopped, listed, intended(HostGone), func(s *scene) { unknown(&s.o.Instance) }),
		of("it ends, and the hook does not come, at the last moment", down, stopped, listed, intended(HostGone), zero(hookFor-time.Nanosecond)),
		of("it ends, and the hook does not come", down, stopped, listed, intended(HostGone), zero(hookFor)),
		of("it comes back: stopped while DRAINING", spot, verified, stopped, listed, empty, drainingFor(time.Second), func(s *scene) { s.d.Action = "stop" }),
		of("it comes back: stopped while ECS was asked", spot, verified, stopped, listed, empty, func(s *scene) {
			s.d.Action, s.d.Asked = "stop", s.now.Add(-time.Second)
		}),
		of("it comes back: stopped, never DRAINING", spot, verified, stopped, listed, empty, func(s *scene) { s.d.Action = "stop" }),
		of("it comes back: only observed", spot, verified, stopped, listed, empty, drainingFor(time.Second), func(s *scene) {
			s.d.Action, s.p.Observe, s.d.Observed = "stop", true, true
		}),
		of("only observed, ECS would have been asked, and its end is over", spot, verified, drainingFor(0), func(s *scene) {
			s.p.Observe, s.d.Observed, s.d.Ends, s.d.Asked, s.d.DrainingSince = true, true, s.now, s.now, time.Time{}
			s.o.Container.Value.Status, s.o.Machine.At = fleet.Active, s.now
		}),
	})
}
