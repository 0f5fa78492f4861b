package diagnose_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/diagnose"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
	"github.com/ebbhq/ebb/internal/placement"
	"github.com/ebbhq/ebb/internal/sim"
)

// The hook opens when the last load balancer of the group has let the instance go, in whatever order they are named.
func TestTheLongestDelayOfTheGroupIsWaitedFor(t *testing.T) {
	s := stage(t, base())
	s.terminate()
	p := s.parts()
	p.member.State = fleet.Terminating
	p.TargetGroups = append(p.TargetGroups, &inventory.TargetGroup{ARN: "long", Name: "long", Delay: 5 * time.Minute, DelayKnown: true},
		&inventory.TargetGroup{ARN: "short", Name: "short", Delay: 10 * time.Second, DelayKnown: true})
	for _, order := range [][]fleet.ARN{{"long", "short"}, {"short", "long"}} {
		p.group.TargetGroups = order
		b := p.why(s, nil).Blockers[0]
		if want := p.group.TerminatingSince(p.member.ID).Add(5 * time.Minute); b.Code != diagnose.GroupBalancer || !b.Until.Equal(want) {
			t.Errorf("%v: until %s, want %s: %s", order, b.Until, want, b.Message)
		}
	}
}

// Ebb gives up a host that ECS does not reach some time after it saw that first, not some time from now.
func TestWhenALostHostIsGivenUp(t *testing.T) {
	s := stage(t, base())
	s.terminate()
	p, e := s.parts(), atWork()
	p.host.Connected, e.Unreached = false, s.Now().Add(-2*time.Minute)
	if b := p.why(s, e).Blockers[0]; b.Code != placement.AgentGone || !b.Until.Equal(s.Now().Add(3*time.Minute)) {
		t.Errorf("until %s, want in three minutes: %s", b.Until, b.Message)
	}
}

// A dead host leaves by itself only where an Ebb answers its hook. Where none does, each terminating hook is to be answered, and no other.
func TestWhoLetsADeadHostGo(t *testing.T) {
	s := stage(t, base())
	s.terminate()
	p := s.parts()
	p.Instance(p.member.ID).State = fleet.StateTerminated
	p.group.Hooks = append(p.group.Hooks, fleet.Hook{Name: "warm-up", Group: "web-asg", Transition: fleet.Launching})
	idle, foreign := atWork(), atWork()
	idle.Works, foreign.Manages = false, false
	for name, c := range map[string]struct {
		ebb     *diagnose.Ebb
		answers bool
	}{"an Ebb works": {atWork(), false}, "none works": {idle, true}, "it does not look after the group": {foreign, true},
		"there is none": {nil, true}} {
		r := p.why(s, c.ebb)
		if all := allCommands(r); strings.Contains(all, "--lifecycle-hook-name ebb-drain") != c.answers || strings.Contains(all, "warm-up") {
			t.Errorf("%s: %s\n%s", name, r.Headline, all)
		}
		if said := strings.Contains(r.Headline, "Ebb sees that and answers its hook"); said == c.answers {
			t.Errorf("%s: %s", name, r.Headline)
		}
	}
}

// An instance that leaves its warm pool leaves.
func TestAnInstanceOfAWarmPoolLeavesToo(t *testing.T) {
	s := stage(t, base())
	p := s.parts()
	p.member.State = fleet.WarmedTerminatingWait
	if r := p.why(s, nil); r.Blockers[0].Code != diagnose.NotDraining {
		t.Errorf("%+v", r.Blockers)
	}
}

// A time of another day is told with its date.
func TestATimeOfAnotherDayHasItsDate(t *testing.T) {
	s := stage(t, base())
	s.terminate()
	p := s.parts()
	p.cluster.Tasks = nil
	for back, want := range map[time.Duration]string{time.Minute: "The termination began at 0",
		26 * time.Hour: "The termination began at 2026-11-2"} {
		p.group.Activities = []fleet.Activity{{Instance: p.member.ID, Start: s.Now().Add(-back)}}
		if r := p.why(s, nil); !told(r, diagnose.OpenHook, want) {
			t.Errorf("%s ago: %s", back, r.Headline)
		}
	}
}

// The newest lines of the journal are quoted, and they alone.
func TestTheNewestLinesOfTheJournalAreQuoted(t *testing.T) {
	s := stage(t, base())
	s.terminate()
	var all []diagnose.Line
	for _, text := range []string{"first", "second", "third", "fourth", "fifth"} {
		all = append(all, diagnose.Line{At: s.Now(), Kind: "told", Text: text})
	}
	notes := strings.Join(diagnose.Why(s.take(), diagnose.Question{Target: s.target, Now: s.Now(), Lines: all}).Notes, "\n")
	for i, l := range all {
		if strings.Contains(notes, l.Text) != (i >= 2) {
			t.Errorf("notes %s", notes)
		}
	}
}

// A plan is about all that it is asked for: what one host outside of what was read would do is not known, and a task that ECS never stops
// has no part in how long it takes.
func TestWhatAPlanPromises(t *testing.T) {
	spec := mixed()
	spec.TaskDefinitions[2].Stop = 10 * time.Hour // job
	spec.Tasks = []sim.TaskSpec{{Cluster: "prod", Task: "job", Host: new(int)}}
	s := stage(t, spec)
	if f := diagnose.Plan(s.take(), []string{s.target}, s.Now()); time.Duration(f.Longest) != time.Hour {
		t.Errorf("it takes up to %s", time.Duration(f.Longest))
	}
	p := s.parts()
	outside := fleet.InstanceID("i-0123456789abcdef0")
	p.group.Instances = append(p.group.Instances, fleet.GroupInstance{ID: outside, Group: "web-asg", State: fleet.InService})
	f := diagnose.Plan(p.Inventory, []string{s.other, string(outside)}, s.Now(), "prod")
	if f.Verdict != "uncertain" || !strings.Contains(f.Headline, string(outside)+" is not in it") {
		t.Errorf("%s: %s", f.Verdict, f.Headline)
	}
	p.Unread = []inventory.Unread{{What: "ecs:ListContainerInstances of cluster other", Error: "AccessDenied: no"}}
	f = diagnose.Plan(p.Inventory, []string{s.other, string(outside)}, s.Now())
	if f.Verdict != "uncertain" || !strings.HasPrefix(f.Headline, "ecs:ListContainerInstances could not be read") {
		t.Errorf("%s: %s", f.Verdict, f.Headline)
	}
}

// The times that a task still has count from when ECS ordered its stop: first the delay of its target group, then what its containers have.
func TestUntilWhenATaskStops(t *testing.T) {
	spec := base()
	spec.Services[0].TargetGroup = "web-tg"
	spec.TaskDefinitions[0].Exit, spec.TaskDefinitions[0].Stop = time.Hour, 30*time.Second
	for status, want := range map[string]time.Duration{"DEACTIVATING": 2 * time.Minute, "STOPPING": 2*time.Minute + 30*time.Second} {
		s := stage(t, spec)
		s.terminate()
		s.until(status)
		s.after(10 * time.Second)
		p := s.parts()
		task, b := p.cluster.TasksOn(p.host)[0], p.why(s, nil).Blockers[0]
		if !b.Until.Equal(task.StoppingAt.Add(want)) || !b.Ends {
			t.Errorf("%s: until %s after the order, want %s: %s", status, b.Until.Sub(task.StoppingAt), want, b.Message)
		}
	}
}

// Ebb waits for the tasks of daemons from when the last other task has stopped, and does not begin anew.
func TestUntilWhenADaemonIsWaitedFor(t *testing.T) {
	s := stage(t, mixed())
	s.terminate()
	p, e := s.parts(), atWork()
	p.cluster.Tasks = slices.DeleteFunc(p.cluster.Tasks, func(t *inventory.Task) bool { return t.Service() != "logs" })
	e.Empty = s.Now().Add(-30 * time.Second)
	if b := p.why(s, e).Blockers[0]; b.Code != diagnose.InProgress || !b.Until.Equal(e.Empty.Add(e.Grace)) {
		t.Errorf("until %s: %s", b.Until, b.Message)
	}
}

// A deployment some of whose tasks have failed and all of whose tasks run has not failed, and each sign of one that does is known.
func TestWhichDeploymentsFail(t *testing.T) {
	spec := base()
	spec.Services[0].Min, spec.Services[0].Max = 100, 100
	s := stage(t, spec)
	s.terminate()
	s.after(time.Minute)
	p := s.parts()
	v := p.cluster.Service("web")
	for running, fails := range map[int]bool{1: true, 2: false} {
		v.Deployments = []inventory.Deployment{{ID: "ecs-svc/1", Status: "PRIMARY", Rollout: "COMPLETED", Desired: 2, Running: running,
			Failed: 3}}
		if got := told(p.why(s, nil), placement.Deployment, "3 tasks failed to start"); got != fails {
			t.Errorf("with %d of 2 running it fails: %v", running, got)
		}
	}
	v.Deployments = nil
	for _, said := range []string{
		"(service web) is unable to consistently start tasks successfully.", "(service web) failed to launch a task with (error ECS was unable",
		"rolling back (circuit breaker)", "deployment failed: tasks failed to start.", "(port 80) is unhealthy in (target-group web-tg) due to",
		"(task 0123) failed container health checks.",
	} {
		v.Events = []inventory.Event{{At: s.Now().Add(-time.Minute), Text: said}}
		if !told(p.why(s, nil), placement.Deployment, said) {
			t.Errorf("%q is not told", said)
		}
	}
}

// One host more comes from the group of the service's own capacity provider, not from the group of the host that leaves.
func TestWhichGroupGetsAHostMore(t *testing.T) {
	spec := base()
	spec.Services[0].Desired = 4 // both hosts are full
	s := stage(t, spec)
	s.terminate()
	s.after(10 * time.Minute)
	p := s.parts()
	p.group.Desired = 1
	v := p.cluster.Service("web")
	v.LaunchType, v.Strategy = "", []inventory.StrategyItem{{Provider: "big", Weight: 1}}
	p.cluster.CapacityProviders = []inventory.CapacityProvider{{Name: "other", Group: "other-asg"}, {Name: "big", Group: "big-asg"}}
	for i := range p.cluster.Hosts {
		p.cluster.Hosts[i].CapacityProvider = "big"
	}
	for _, name := range []string{"other-asg", "big-asg"} {
		p.Groups = append(p.Groups, &inventory.Group{Group: fleet.Group{Name: name, Desired: 0, Max: 5}})
	}
	if all := allCommands(p.why(s, nil)); !strings.Contains(all, "--auto-scaling-group-name big-asg --desired-capacity 1") {
		t.Errorf("%s", all)
	}
}

// An instance that is registered twice is asked about as the container instance that is named, and its tasks are those of both.
func TestARegistrationIsAskedAbout(t *testing.T) {
	s := stage(t, base())
	s.terminate()
	p := s.parts()
	stale := *p.host
	stale.ARN, stale.Connected = "arn:aws:ecs:eu-west-1:111122223333:container-instance/old/0123456789abcdef0123456789abcdef", false
	p.Clusters = append(p.Clusters, &inventory.Cluster{Name: "old", Hosts: []*inventory.Host{&stale}})
	for target, want := range map[string]string{string(stale.ARN): "old", string(p.host.ARN): "prod", s.target: "prod"} {
		if r := diagnose.Why(p.Inventory, diagnose.Question{Target: target, Now: s.Now()}); r.Cluster != want || r.Instance != s.target {
			t.Errorf("%s: %s of cluster %s, want %s", target, r.Instance, r.Cluster, want)
		}
	}
}

// How long a hook can be held counts from the beginning of the termination, and by its global timeout.
func TestHowLongAHookCanBeHeldIsNoted(t *testing.T) {
	s := stage(t, base())
	s.terminate()
	p := s.parts()
	at := p.group.TerminatingSince(p.member.ID).Add(48 * time.Hour).UTC().Format("2006-01-02 15:04:05 UTC")
	notes := strings.Join(p.why(s, nil).Notes, "\n")
	if !strings.Contains(notes, "hook ebb-drain ends after at most 48h, even with heartbeats: about "+at) {
		t.Errorf("notes %s", notes)
	}
}
