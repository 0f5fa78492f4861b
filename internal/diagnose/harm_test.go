package diagnose_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/advice"
	"github.com/ebbhq/ebb/internal/diagnose"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
	"github.com/ebbhq/ebb/internal/placement"
	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/ecs"
)

var europe = advice.At{Region: "eu-west-1", Endpoint: "http://127.0.0.1:4599"}

// atWork is what why --config knows while an Ebb works.
func atWork() *diagnose.Ebb {
	return &diagnose.Ebb{Manages: true, Works: true, Who: "host/1", Open: true, Grace: 2 * time.Minute, Lost: 5 * time.Minute}
}

func (p seen) why(s *scene, e *diagnose.Ebb) diagnose.Report {
	return diagnose.Why(p.Inventory, diagnose.Question{Target: s.target, Hook: "ebb-drain", At: europe, Now: s.Now(), Ebb: e})
}

// harmful are the commands of a report that interrupt or destroy.
func harmful(r diagnose.Report) (all []string) {
	for _, b := range r.Blockers {
		for _, f := range b.All() {
			if f.Harm() > advice.Safe {
				all = append(all, f.Line())
			}
		}
	}
	return all
}

func allCommands(r diagnose.Report) string {
	var all []string
	for _, b := range r.Blockers {
		all = append(all, commands(b))
	}
	return strings.TrimSpace(strings.Join(all, "\n"))
}

// stopping is a scene whose target has one task that is STOPPING and ignores SIGTERM.
func stopping(t *testing.T) (*scene, seen) {
	spec := base()
	spec.TaskDefinitions[0].Exit, spec.TaskDefinitions[0].Stop = 10*time.Hour, 9*time.Hour
	s := stage(t, spec)
	s.terminate()
	s.until("STOPPING")
	s.after(time.Second)
	return s, s.parts()
}

// B1: nothing is killed before the time to stop is known and over; containers that depend on one another stop one after the other; a time of
// the agent's own counts; and what is not known is said.
func TestNothingIsKilledBeforeItsTimeToStopIsKnownAndOver(t *testing.T) {
	const settings = "#!/bin/sh\necho ECS_CLUSTER=prod >> /etc/ecs/ecs.config\n"
	app := func(own time.Duration) []inventory.Container {
		return []inventory.Container{{Name: "app", StopTimeout: own, DependsOn: []string{"envoy"}}, {Name: "envoy", StopTimeout: 2 * time.Minute}}
	}
	for _, c := range []struct {
		name       string
		containers []inventory.Container
		userData   string
		after      time.Duration
		says       string
		until      time.Duration
		last       string
	}{
		{"one second after SIGTERM", []inventory.Container{{Name: "app", StopTimeout: 30 * time.Second}}, "", time.Second,
			"SIGKILL follows at", 30 * time.Second, ""},
		{"dependsOn", app(2 * time.Minute), "", 3 * time.Minute,
			"containers app, envoy stop one after the other (dependsOn) and have 4m together", 4 * time.Minute, ""},
		{"the agent's own time", []inventory.Container{{Name: "app"}}, settings + "echo ECS_CONTAINER_STOP_TIMEOUT=2h >> /etc/ecs/ecs.config\n", 5 * time.Minute,
			"ECS_CONTAINER_STOP_TIMEOUT in the group's user data says 2h", 2 * time.Hour, ""},
		{"dependsOn and the agent's own time", app(0), settings + "echo ECS_CONTAINER_STOP_TIMEOUT=2h >> /etc/ecs/ecs.config\n", time.Hour,
			"have 2h2m together", 2*time.Hour + 2*time.Minute, ""},
		{"the agent's time is not known", []inventory.Container{{Name: "app"}}, "", time.Second,
			"unless the agent has an ECS_CONTAINER_STOP_TIMEOUT, which could not be read",
			30 * time.Second, ""},
		{"not known, and over", []inventory.Container{{Name: "app"}}, "", time.Hour, "so the agent has another, or it does not report", 0, ""},
		{"set in a form that is not understood", []inventory.Container{{Name: "app"}}, settings + "$env:ECS_CONTAINER_STOP_TIMEOUT = '2h'\n", time.Hour,
			"could not be read; that has passed", 0, ""},
		{"known, and just over", []inventory.Container{{Name: "app"}}, settings, 80 * time.Second,
			"SIGKILL follows at", 30 * time.Second, ""},
		{"known, and over", []inventory.Container{{Name: "app"}}, settings, 5 * time.Minute, "which has passed", 0, "docker kill"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, p := stopping(t)
			p.cluster.TaskDefinition("web:1").Containers = c.containers
			p.group.UserData, p.group.UserDataKnown = c.userData, c.userData != ""
			task := p.cluster.TasksOn(p.host)[0]
			s.after(c.after - s.Now().Sub(task.StoppingAt))
			for _, e := range []*diagnose.Ebb{nil, atWork()} {
				b := p.why(s, e).Blockers[0]
				if !strings.Contains(b.Message, c.says) || c.until > 0 && !b.Until.Equal(task.StoppingAt.Add(c.until)) {
					t.Errorf("until %s: %s", b.Until.Sub(task.StoppingAt), b.Message)
				}
				if last := lines(b.Last); !strings.Contains(last, c.last) || (last == "") != (c.last == "") || strings.Contains(lines(b.Fix), "kill") {
					t.Errorf("fix %q, last %q", lines(b.Fix), last)
				}
			}
		})
	}
}

// B1: the time to stop counts from SIGTERM, which comes once the deregistration delay is over, and not from the order to stop.
func TestTheTimeToStopBeginsAfterTheDeregistrationDelay(t *testing.T) {
	spec := base()
	spec.Services[0].TargetGroup = "web-tg"
	spec.TaskDefinitions[0].Exit, spec.TaskDefinitions[0].Stop = 10*time.Hour, 9*time.Hour
	s := stage(t, spec)
	s.terminate()
	s.until("STOPPING")
	p := s.parts()
	p.cluster.TaskDefinition("web:1").Containers = []inventory.Container{{Name: "app", StopTimeout: 30 * time.Second}}
	task := p.cluster.TasksOn(p.host)[0]
	for _, c := range []struct {
		after time.Duration
		kill  bool
	}{{2 * time.Minute, false}, {3 * time.Minute, false}, {4 * time.Minute, true}} {
		s.after(c.after - s.Now().Sub(task.StoppingAt))
		r := p.why(s, nil)
		if b := r.Blockers[0]; strings.Contains(lines(b.Last), "docker kill") != c.kill || !c.kill && !b.Until.Equal(task.StoppingAt.Add(150*time.Second)) {
			t.Errorf("%s after the order to stop: until %s, %s", c.after, b.Until.Sub(task.StoppingAt), allCommands(r))
		}
	}
}

// Where Ebb's configuration names another cluster, nothing goes on by itself until the deadline, and the answer says what to correct.
func TestAWrongClusterInTheConfigurationIsNamed(t *testing.T) {
	s := stage(t, base())
	if _, err := s.TerminateInstanceInAutoScalingGroup(s.target, true); err != nil {
		t.Fatal(err)
	}
	s.after(5 * time.Second)
	e := atWork()
	e.Cluster, e.Deadline = "other", s.Now().Add(time.Hour)
	r := s.parts().why(s, e)
	if r.Wait != "" || allCommands(r) != "" || !strings.Contains(r.Headline, "in cluster other, and the container instance is in cluster prod") ||
		!strings.Contains(fmt.Sprint(r.Blockers[0].Fix), "write cluster: prod") {
		t.Errorf("%q, wait %q, %s", r.Headline, r.Wait, fmt.Sprint(r.Blockers[0].Fix))
	}
	for _, n := range r.Next {
		if n.Event != diagnose.CutOff {
			t.Errorf("next: %+v", n)
		}
	}
	e.Cluster = "prod"
	if r := s.parts().why(s, e); !strings.Contains(r.Wait, "sets it DRAINING") {
		t.Errorf("in the right cluster: %q, %q", r.Headline, r.Wait)
	}
}

// B2: a drain that goes well gets no command, from its first second to its last.
func TestAPerfectDrainGetsNoCommand(t *testing.T) {
	s := stage(t, base())
	if _, err := s.TerminateInstanceInAutoScalingGroup(s.target, true); err != nil {
		t.Fatal(err)
	}
	s.after(5 * time.Second)
	p := s.parts()
	for _, e := range []*diagnose.Ebb{nil, atWork()} {
		r := p.why(s, e)
		if allCommands(r) != "" || strings.Contains(r.Headline, "nobody") || !strings.HasPrefix(r.Wait, "wait until 09:0") {
			t.Errorf("in its first seconds: %q, %q, %s", r.Headline, r.Wait, allCommands(r))
		}
	}
	s.after(3 * time.Minute) // a function looks once a minute, and may be refused once
	p = s.parts()
	r := p.why(s, atWork())
	if allCommands(r) != "" || strings.Contains(r.Headline, "has not set") || r.Wait == "" {
		t.Errorf("after three minutes, with Ebb at work: %q, %q, %s", r.Headline, r.Wait, allCommands(r))
	}
	s.after(20 * time.Minute) // it has waited for its turn, which has just come
	e := atWork()
	e.Open, e.Limit, e.Begun, e.Deadline = true, "1", s.Now().Add(-time.Second), s.Now().Add(time.Hour)
	if r = s.parts().why(s, e); allCommands(r) != "" || r.Wait == "" {
		t.Errorf("its turn has just come: %q, %s", r.Headline, allCommands(r))
	}
	p.group.Activities = nil // and since when it leaves is not known
	if r = p.why(s, atWork()); allCommands(r) != "" {
		t.Errorf("with Ebb at work, since when is not known: %s", allCommands(r))
	}
	s.drain()
	s.after(5 * time.Minute)
	e = atWork()
	e.Empty = s.Now().Add(-20 * time.Second)
	r = s.parts().why(s, e)
	if allCommands(r) != "" || len(r.Next) == 0 || r.Next[0].Event != diagnose.Answered || !strings.Contains(r.Wait, "answers hook ebb-drain") {
		t.Errorf("before Ebb's answer: %q, %+v\n%s", r.Wait, r.Next, allCommands(r))
	}
	e.Empty = s.Now().Add(-10 * time.Minute)
	if r = s.parts().why(s, e); len(harmful(r)) > 0 || !strings.Contains(allCommands(r), "complete-lifecycle-action") || r.Wait != "" {
		t.Errorf("Ebb should have answered: %q\n%s", r.Wait, allCommands(r))
	}
	if err := s.CompleteLifecycleAction("web-asg", "ebb-drain", "", s.target, "CONTINUE"); err != nil {
		t.Fatal(err)
	}
	p = s.parts()
	for _, state := range []fleet.InstanceState{fleet.StateRunning, fleet.StateShuttingDown, fleet.StateTerminated} {
		p.Instance(fleet.InstanceID(s.target)).State = state
		if r := p.why(s, e); allCommands(r) != "" || strings.Contains(r.Headline, "no agent") {
			t.Errorf("it is %s: %s\n%s", state, r.Headline, allCommands(r))
		}
	}
}

// B3: an instance that is registered twice: the tasks of all registrations count, in whatever order ECS lists them.
func TestTheTasksOfEveryRegistrationCount(t *testing.T) {
	for name, first := range map[string]bool{"the stale one first": true, "the stale one last": false} {
		t.Run(name, func(t *testing.T) {
			s := stage(t, base())
			s.terminate()
			p := s.parts()
			stale := *p.host
			stale.ARN, stale.Connected, stale.Running = p.host.ARN+"0", false, 0
			p.cluster.Hosts = append(p.cluster.Hosts, &stale)
			if first {
				slices.Reverse(p.cluster.Hosts)
			}
			r := p.why(s, nil)
			if strings.Contains(allCommands(r), "deregister") || strings.Contains(allCommands(r), "complete-lifecycle-action") ||
				r.Blockers[0].Code == diagnose.OpenHook ||
				r.Blockers[0].Code == placement.AgentGone || !strings.Contains(strings.Join(r.Notes, "\n"), "is registered 2 times") {
				t.Errorf("%s\n%s\n%q", r.Headline, allCommands(r), r.Notes)
			}
			p.host.Connected = false // agents are away for a while, several times an hour
			if r = p.why(s, atWork()); strings.Contains(allCommands(r), "deregister") || strings.Contains(allCommands(r), "complete-lifecycle-action") {
				t.Errorf("both away: %s\n%s", r.Headline, allCommands(r))
			}
			p.host.Connected, p.cluster.Tasks = true, nil
			if r = p.why(s, nil); r.Blockers[0].Code == placement.AgentGone || strings.Contains(allCommands(r), "deregister") {
				t.Errorf("no task is left, and the stale one is away: %s\n%s", r.Headline, allCommands(r))
			}
		})
	}
	t.Run("in two clusters", func(t *testing.T) {
		s := stage(t, base())
		s.terminate()
		p := s.parts()
		stale := *p.host
		stale.ARN, stale.Cluster, stale.Connected = "arn:aws:ecs:eu-west-1:111122223333:container-instance/old/0123", "old", false
		p.Clusters = append(p.Clusters, &inventory.Cluster{Name: "old", Hosts: []*inventory.Host{&stale}})
		if r := p.why(s, nil); r.Cluster != "prod" || strings.Contains(allCommands(r), "deregister") || strings.Contains(allCommands(r), "complete") {
			t.Errorf("%s: %s\n%s", r.Cluster, r.Headline, allCommands(r))
		}
	})
}

// B4: what is stopped can be started again, but not once it is deregistered.
func TestAStoppedHostIsNotDeregistered(t *testing.T) {
	s := stage(t, base())
	if err := s.StopInstances([]string{s.target}); err != nil {
		t.Fatal(err)
	}
	p := s.parts()
	p.Instance(fleet.InstanceID(s.target)).State, p.member.State, p.host.Connected = fleet.StateStopped, fleet.InService, false
	r := p.why(s, nil)
	if allCommands(r) != "" || !strings.Contains(r.Headline, "start it, and it goes on") {
		t.Errorf("%s\n%s", r.Headline, allCommands(r))
	}
	p.Instance(fleet.InstanceID(s.target)).State = fleet.StateTerminated
	if r = p.why(s, nil); len(harmful(r)) > 0 || !strings.Contains(allCommands(r), "deregister-container-instance") {
		t.Errorf("terminated: %s\n%s", r.Headline, allCommands(r))
	}
}

// B5: commands of a shell are for hosts that have one.
func TestNoShellCommandIsAdvisedWhereThereIsNoShell(t *testing.T) {
	for name, c := range map[string]struct {
		edit  func(seen)
		shell bool
	}{
		"Linux":                     {func(seen) {}, true},
		"Windows":                   {func(p seen) { p.host.Attributes["ecs.os-type"] = "windows" }, false},
		"not known":                 {func(p seen) { delete(p.host.Attributes, "ecs.os-type") }, false},
		"Bottlerocket":              {func(p seen) { p.host.Attributes["bottlerocket.variant"] = "aws-ecs-2" }, false},
		"Bottlerocket by user data": {func(p seen) { p.group.UserData = "[settings.ecs]\ncluster = \"prod\"\n" }, false},
	} {
		s := stage(t, base())
		s.terminate()
		p := s.parts()
		p.host.Connected = false
		c.edit(p)
		if r := p.why(s, nil); strings.Contains(allCommands(r), "ssm send-command") != c.shell || len(r.Blockers[0].Fix) == 0 {
			t.Errorf("%s: %s", name, allCommands(r))
		}
		s, p = stopping(t)
		p.cluster.TaskDefinition("web:1").Containers = []inventory.Container{{Name: "app", StopTimeout: 30 * time.Second}}
		s.after(5 * time.Minute)
		c.edit(p)
		if r := p.why(s, nil); strings.Contains(allCommands(r), "docker kill") != c.shell || !strings.Contains(r.Headline, "which has passed") {
			t.Errorf("%s, a task that should have been killed: %s, %s", name, r.Headline, allCommands(r))
		}
	}
}

// B1's kind: a job on a host that leaves is waited for. Its stop is mentioned, apart, only once it has run for long and no Ebb is known to end the wait.
func TestAJobOnAHostThatLeavesIsWaitedFor(t *testing.T) {
	spec := base()
	spec.Groups[0].Hooks[0].Heartbeat = 2 * time.Hour
	spec.TaskDefinitions = append(spec.TaskDefinitions, ecs.TaskDefinition{Family: "job", CPU: 64, Memory: 64})
	spec.Tasks = []sim.TaskSpec{{Cluster: "prod", Task: "job", Host: new(int)}}
	s := stage(t, spec)
	s.terminate()
	s.after(10 * time.Minute)
	e := atWork()
	e.Deadline = s.Now().Add(20 * time.Minute)
	for _, e := range []*diagnose.Ebb{nil, e} {
		r := s.parts().why(s, e)
		if allCommands(r) != "" || r.Blockers[0].Code != placement.Standalone || !next(r, diagnose.TaskEnds) {
			t.Errorf("after ten minutes: %+v\n%s", r.Next, allCommands(r))
		}
		if e != nil && !strings.Contains(r.Wait, "wait until 09:") {
			t.Errorf("it does not say until when: %q", r.Wait)
		}
	}
	s.after(time.Hour)
	if r := s.parts().why(s, nil); !strings.Contains(lines(r.Blockers[0].Last), "ecs stop-task") || lines(r.Blockers[0].Fix) != "" {
		t.Errorf("after an hour: %+v", r.Blockers[0].Advice)
	}
	e.Deadline = s.Now().Add(time.Hour)
	if r := s.parts().why(s, e); allCommands(r) != "" {
		t.Errorf("after an hour, with Ebb at work: %s", allCommands(r))
	}
}

func next(r diagnose.Report, e diagnose.Event) bool {
	return slices.ContainsFunc(r.Next, func(n diagnose.Next) bool { return n.Event == e })
}

// B6 and B7: every value is quoted, and every command says where it goes.
func TestNamesAreQuotedAndCommandsSayWhereTheyGo(t *testing.T) {
	for _, name := range []string{"web$(touch pwned)", "Web Servers (blue)", "team/web", "it's", "`id`", "-x", "a\nb", "\u202egsa"} {
		s := stage(t, base())
		s.terminate()
		p := s.parts()
		p.group.Name, p.member.Group, p.cluster.Hosts, p.cluster.Tasks = name, name, nil, nil
		line := lines(p.why(s, nil).Blockers[0].Fix)
		if strings.ContainsAny(name, "\n\u202e") {
			if line != "" {
				t.Errorf("%q: %s", name, line)
			}
			continue
		}
		argv := strings.Join(words(t, line), "\x00") + "\x00"
		if !strings.Contains(argv, name+"\x00--lifecycle-hook-name\x00") || !strings.HasSuffix(line, " --region eu-west-1 --endpoint-url http://127.0.0.1:4599") {
			t.Errorf("%q: %s", name, line)
		}
	}
}

// B8: why --config knows what status knows: who works, and how many may leave at once.
func TestWhyKnowsWhoseTurnItIsAndWhoWorks(t *testing.T) {
	s := stage(t, base())
	if _, err := s.TerminateInstanceInAutoScalingGroup(s.target, true); err != nil {
		t.Fatal(err)
	}
	s.after(time.Minute)
	e := atWork()
	e.Limit = "1"
	if r := s.parts().why(s, e); len(r.Next) != 1 || r.Next[0].Event != diagnose.SetDraining || !r.Next[0].By.IsZero() || r.Wait == "" {
		t.Errorf("it may be told to wait for its turn yet: %+v, %q", r.Next, r.Wait)
	}
	s.after(9 * time.Minute)
	p := s.parts()
	e.Queued, e.Waiting = true, "for its turn: 1 of group web-asg leave, and no more than 1 may at once"
	if r := p.why(s, e); allCommands(r) != "" ||
		!strings.Contains(r.Headline, "Ebb lets 1 of group web-asg leave at once, and "+s.target+" waits for its turn") || r.Wait == "" {
		t.Errorf("queued: %s\n%s", r.Headline, allCommands(r))
	}
	e.Queued = false
	if r := p.why(s, e); !strings.Contains(allCommands(r), "--status DRAINING") || len(harmful(r)) == 0 {
		t.Errorf("not set DRAINING for long, with a limit: %s\n%s", r.Headline, allCommands(r))
	}
	e.Works, e.Who, e.Seen = false, "host/9", s.Now().Add(-time.Hour)
	if r := p.why(s, e); !strings.Contains(r.Headline, "nobody drains") || !strings.Contains(r.Headline, "host/9, was last seen at") {
		t.Errorf("dead: %s", r.Headline)
	}
	e.Manages = false
	if r := p.why(s, e); !strings.Contains(r.Headline, "Ebb's configuration does not include the group") {
		t.Errorf("not its group: %s", r.Headline)
	}
}

// G: a deployment that goes well is waited for; what fails is rolled back.
func TestAHealthyDeploymentIsNotRolledBack(t *testing.T) {
	spec := base()
	spec.Groups[0].Launch.CPU = 4096
	spec.TaskDefinitions = append(spec.TaskDefinitions, ecs.TaskDefinition{Family: "next", CPU: 64, Memory: 64, Port: 80, Start: 10 * time.Minute})
	s := stage(t, spec)
	if _, err := s.UpdateService("prod", "web", nil, "next"); err != nil {
		t.Fatal(err)
	}
	s.terminate()
	s.after(time.Minute)
	r := s.parts().why(s, nil)
	if !told(r, placement.Deployment, "is under way") || strings.Contains(allCommands(r), "--task-definition") || len(harmful(r)) > 0 {
		t.Errorf("%+v", r.Blockers)
	}
}

// G: what is out of scope was not read.
func TestAClusterThatWasNotReadIsNotTakenForEmpty(t *testing.T) {
	s := stage(t, base())
	s.terminate()
	p := s.parts()
	p.Clusters = []*inventory.Cluster{{Name: "other"}}
	r := diagnose.Why(p.Inventory, diagnose.Question{Target: s.target, Only: []string{"other"}, Now: s.Now()})
	if len(r.Blockers) != 1 || r.Blockers[0].Code != placement.Unjudged || r.Blockers[0].Exact || allCommands(r) != "" {
		t.Errorf("%+v", r.Blockers)
	}
	f := diagnose.Plan(p.Inventory, []string{s.target}, s.Now(), "other")
	if f.Verdict != "uncertain" || !strings.HasPrefix(f.Headline, "only cluster other was read") {
		t.Errorf("plan says %s: %s", f.Verdict, f.Headline)
	}
}

// G: one host more is no advice where one comes anyway, where none can be launched, and where none of that kind has room.
func TestOneHostMoreIsAdvisedOnlyWhereItHelps(t *testing.T) {
	for name, c := range map[string]struct {
		edit  func(seen, *scene)
		wants string
		fix   string
	}{
		"none comes": {func(seen, *scene) {}, "", "set-desired-capacity --auto-scaling-group-name web-asg --desired-capacity 2"},
		"one is pending": {func(p seen, _ *scene) {
			p.group.Instances = append(p.group.Instances, fleet.GroupInstance{ID: "i-0new", Group: "web-asg", State: "Pending"})
		}, "wait: instance i-0new of group web-asg is being launched", ""},
		"one has not joined yet": {func(p seen, s *scene) {
			p.group.Instances = append(p.group.Instances, fleet.GroupInstance{ID: "i-0new", Group: "web-asg", State: fleet.InService})
			p.Instances = append(p.Instances, &inventory.Instance{ID: "i-0new", State: fleet.StateRunning, Launched: s.Now().Add(-time.Minute)})
		}, "has not joined a cluster yet", ""},
		"the group launches one": {func(p seen, _ *scene) { p.group.Desired = 2 }, "launches another host: 1 of the 2 that it wants stay", ""},
		"another group of the cluster launches one": {func(p seen, s *scene) {
			g := &inventory.Group{} // the other host is its
			g.Name, g.Desired = "more-asg", 2
			g.Instances = []fleet.GroupInstance{{ID: fleet.InstanceID(s.other), Group: g.Name, State: fleet.InService}}
			p.group.Instances = slices.DeleteFunc(p.group.Instances, func(i fleet.GroupInstance) bool { return string(i.ID) == s.other })
			p.group.Desired, p.Groups = 0, append(p.Groups, g)
		}, "wait: group more-asg launches another host: 1 of the 2 that it wants stay", ""},
		"Launch is suspended": {func(p seen, _ *scene) { p.group.Suspended = []string{"Launch"} }, "while its process Launch is suspended",
			"resume-processes --auto-scaling-group-name web-asg --scaling-processes Launch"},
		"none of that kind has room": {func(p seen, _ *scene) { p.cluster.TaskDefinition("web:1").CPU = 5000 }, "add hosts of another kind", ""},
	} {
		t.Run(name, func(t *testing.T) {
			spec := base()
			spec.TaskDefinitions[0].CPU = 600
			s := stage(t, spec)
			s.terminate()
			s.after(5 * time.Minute)
			p := s.parts()
			c.edit(p, s)
			b := p.why(s, nil).Blockers[0]
			fix := lines(b.Fix)
			if b.Code != placement.NoCPU || !strings.Contains(b.Fix[0].Note, c.wants) || !strings.Contains(b.Fix[0].Line(), c.fix) ||
				strings.Contains(fix, "desired-capacity") != (name == "none comes") {
				t.Errorf("%s: %s\n%+v", b.Code, fix, b.Fix)
			}
			if name == "none comes" {
				s.onlyItsGroup(t, p)
			}
			if name == "none comes" && !strings.Contains(b.Fix[0].Command.Undo, "--desired-capacity 1 ") {
				t.Errorf("how it is put back: %q", b.Fix[0].Command.Undo)
			}
			if waits := b.Fix[0].Line() == "" && name != "none of that kind has room"; waits && (strings.Contains(fix, "minimumHealthyPercent") || !b.Ends) {
				t.Errorf("a host comes, and yet: %s", fix)
			}
		})
	}
}

// onlyItsGroup asks why once more, where the group of the other host was not read: it may launch a host, so nothing that interrupts is advised.
func (s *scene) onlyItsGroup(t *testing.T, p seen) {
	t.Helper()
	p.group.Instances = slices.DeleteFunc(slices.Clone(p.group.Instances), func(i fleet.GroupInstance) bool { return string(i.ID) == s.other })
	p.group.Desired = 0
	r := diagnose.Why(p.Inventory, diagnose.Question{Target: s.target, Hook: "ebb-drain", At: europe, Now: s.Now(), Alone: true})
	b := r.Blockers[0]
	if len(harmful(r)) > 0 || !strings.HasPrefix(b.Fix[0].Line(), "ebb why "+s.target+" --cluster prod ") || r.Wait != "" || !next(r, diagnose.TaskOrdered) {
		t.Errorf("with its own group only: %+v, %q, %+v", r.Next, r.Wait, b.Advice)
	}
}

// G: "let it stop first" never raises the minimum of a service that may have fewer already.
func TestTheMinimumIsNeverRaised(t *testing.T) {
	spec := base()
	spec.TaskDefinitions[0].CPU, spec.Services[0].Min, spec.Services[0].Max = 600, 50, 200
	spec.Services[0].Desired = 2
	s := stage(t, spec)
	s.terminate()
	s.after(5 * time.Minute)
	p := s.parts()
	p.cluster.Service("web").MinPercent = 20
	if r := p.why(s, nil); strings.Contains(allCommands(r), "minimumHealthyPercent=50") {
		t.Errorf("%s", allCommands(r))
	}
}

// "Nothing blocks it" is no answer once a drain has lasted for more than five minutes.
func TestNothingBlocksItIsNotSaidForLong(t *testing.T) {
	spec := base()
	spec.Groups[0].Launch.CPU = 4096
	s := stage(t, spec)
	s.terminate()
	p := s.parts()
	p.cluster.Tasks = slices.DeleteFunc(p.cluster.Tasks, func(t *inventory.Task) bool { return t.ContainerInstance != p.host.ARN })
	p.cluster.Service("web").Desired = 1
	p.cluster.Service("web").Events = []inventory.Event{{At: s.Now(), Text: "was unable to place a task"}}
	s.after(time.Minute)
	if r := p.why(s, nil); !strings.Contains(r.Headline, "nothing blocks it") {
		t.Errorf("after a minute: %s", r.Headline)
	}
	s.after(10 * time.Minute)
	if r := p.why(s, nil); strings.Contains(r.Headline, "nothing blocks it") || !strings.Contains(r.Headline, "was unable to place a task") {
		t.Errorf("after eleven: %s", r.Headline)
	}
}

// Without Ebb's configuration nobody can tell which of two hooks holds a host. While the one that lasts longest may, no hook is to be answered.
func TestNoHookIsAnsweredWhileAnotherMayHold(t *testing.T) {
	spec := base()
	spec.Groups[0].Hooks[0].Heartbeat = time.Minute
	spec.Groups[0].Hooks = append(spec.Groups[0].Hooks, sim.HookSpec{Name: "flush-logs", Heartbeat: 2 * time.Hour, DefaultResult: "CONTINUE"})
	s := stage(t, spec)
	s.terminate()
	s.after(5 * time.Minute)
	p := s.parts()
	began := p.group.TerminatingSince(fleet.InstanceID(s.target))
	for _, c := range []struct {
		after time.Duration
		last  bool
	}{{8 * time.Minute, false}, {2 * time.Hour, false}, {3 * time.Hour, false}, {5 * time.Hour, true}} {
		r := diagnose.Why(p.Inventory, diagnose.Question{Target: s.target, At: europe, Now: began.Add(c.after)})
		if (len(harmful(r)) > 0) != c.last || (r.Wait == "") != c.last || lines(r.Blockers[0].Fix) != "" {
			t.Errorf("after %s: %q, %s", c.after, r.Wait, allCommands(r))
		}
	}
}

// Another program's hook is waited for, and its end is not Ebb's to command.
func TestAForeignHookIsWaitedFor(t *testing.T) {
	spec := base()
	spec.Groups[0].Hooks = append(spec.Groups[0].Hooks, sim.HookSpec{Name: "flush-logs", Heartbeat: time.Hour, DefaultResult: "CONTINUE"})
	s := stage(t, spec)
	s.terminate()
	s.after(5 * time.Minute)
	q := diagnose.Question{Target: s.target, Hook: "ebb-drain", At: europe, Now: s.Now(), Ebb: atWork(),
		Lines: []diagnose.Line{{At: s.Now(), Kind: "ended", Text: "drained"}}}
	q.Ebb.Open = false
	r := diagnose.Why(s.take(), q)
	if allCommands(r) != "" || len(r.Next) != 1 || r.Next[0].Event != diagnose.HookEnds || !strings.Contains(r.Wait, "hook flush-logs is answered, or times out") {
		t.Errorf("%s, %+v\n%s", r.Wait, r.Next, allCommands(r))
	}
	q.Now = s.parts().group.TerminatingSince(fleet.InstanceID(s.target)).Add(time.Hour + time.Second)
	if r = diagnose.Why(s.take(), q); !next(r, diagnose.HookEnds) || r.Next[0].By.IsZero() {
		t.Errorf("it times out just now: %+v", r.Next)
	}
	q.Now = s.Now()
	at := s.parts()
	at.group.Activities = nil // and since when it waits is not known
	if r = diagnose.Why(at.Inventory, q); len(r.Blockers[0].Fix) == 0 || len(harmful(r)) == 0 || lines(r.Blockers[0].Fix) != "" {
		t.Errorf("without a start: %+v", r.Blockers)
	}
}
