package diagnose_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ebbhq/ebb/internal/advice"
	"github.com/ebbhq/ebb/internal/cloud/collector"
	"github.com/ebbhq/ebb/internal/diagnose"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
	"github.com/ebbhq/ebb/internal/placement"
	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/ecs"
	"github.com/ebbhq/ebb/internal/sim/wire"
)

var everyRequest = flag.Bool("everyrequest", false, "let every single request fail in every way, and random pairs of reads, and not only deny each read")

// denial is one way in which reads fail: the requests that it is about, and what goes wrong with them.
type denial struct {
	name  string
	hits  func(wire.Request) bool
	fault wire.Fault
}

// request names a request: its operation and what it asks for.
func request(r wire.Request) string {
	in, _ := json.Marshal(r.Input) // the SDK's own types
	return r.Name() + " " + string(in)
}

// reads are the names of what a look at the target sends: its requests, and their operations.
func (s *scene) reads() (requests, operations []string) {
	seen := map[string]bool{}
	s.api.Faults = func(r wire.Request) wire.Fault { seen[request(r)] = true; return wire.Fault{} }
	defer func() { s.api.Faults = nil }()
	s.take()
	for _, k := range slices.Sorted(maps.Keys(seen)) {
		operation, _, _ := strings.Cut(k, " ")
		if operation == "sts.GetCallerIdentity" { // without it there is no answer at all
			continue
		}
		if requests = append(requests, k); !slices.Contains(operations, operation) {
			operations = append(operations, operation)
		}
	}
	return requests, operations
}

// denials are the ways in which the reads of a look at the target are made to fail: each is denied, and with -everyrequest, or where there are
// two clusters, each request also fails, is throttled for ever, or says nothing of one of its items, and pairs of reads are denied.
func (s *scene) denials(seed uint64) (all []denial) {
	requests, operations := s.reads()
	deny := func(names ...string) {
		all = append(all, denial{strings.Join(names, " and ") + " denied", func(r wire.Request) bool { return slices.Contains(names, r.Name()) },
			wire.Fault{Kind: wire.Denied}})
	}
	for _, o := range operations {
		deny(o)
	}
	if !*everyRequest && len(s.ListClusters()) == 1 {
		return all
	}
	for _, k := range requests {
		hits := func(r wire.Request) bool { return request(r) == k }
		for name, f := range map[string]wire.Fault{
			"denied": {Kind: wire.Denied}, "fails": {Kind: wire.ErrorBefore}, "throttled": {Kind: wire.Throttle},
			"without an item": {Kind: wire.ItemFailure}, "without the next": {Kind: wire.ItemFailure, Item: 1},
		} {
			all = append(all, denial{k + " " + name, hits, f})
		}
	}
	chance := rand.New(rand.NewPCG(seed, 0))
	for range 30 {
		deny(operations[chance.IntN(len(operations))], operations[chance.IntN(len(operations))])
	}
	return all
}

// under takes an inventory while a denial holds. Time goes by by itself, so that what is throttled for ever is given up at once.
func (s *scene) under(d denial) *inventory.Inventory {
	s.t.Helper()
	s.api.Faults = func(r wire.Request) wire.Fault {
		if d.hits(r) {
			return d.fault
		}
		return wire.Fault{}
	}
	defer func() { s.api.Faults = nil }()
	var seen inventory.Inventory
	var err error
	synctest.Test(s.t, func(t *testing.T) {
		seen, err = s.inventory.Take(t.Context(), collector.Scope{Instance: s.target, Silent: true})
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return &seen
}

// bad are worlds in which something is in the way: those of every cause, and those in which an answer rests on a read that no cause needs.
func bad() []cause {
	const settings = "#!/bin/sh\necho ECS_CLUSTER=prod >> /etc/ecs/ecs.config\n"
	drained := func(d time.Duration) func(*scene) { return func(s *scene) { s.terminate(); s.after(d) } }
	return append(causes(), []cause{
		{name: "protected task", spec: func(s *sim.Spec) { s.Groups[0].Launch.CPU = 4096 }, act: func(s *scene) { s.protect(); s.terminate(); s.after(time.Minute) }},
		{name: "protected task, nothing leaves", spec: func(s *sim.Spec) { s.Groups[0].Launch.CPU = 4096 }, act: (*scene).protect},
		{name: "no network interface", spec: func(s *sim.Spec) {
			s.TaskDefinitions[0].Network, s.Groups[0].Launch.Interfaces = "awsvpc", 2
		}, act: drained(5 * time.Minute)},
		{name: "the other host leaves too", act: func(s *scene) {
			if _, err := s.TerminateInstanceInAutoScalingGroup(s.other, true); err != nil {
				s.t.Fatal(err)
			}
			s.after(5 * time.Second)
		}},
		{name: "the other host shuts down", spec: func(s *sim.Spec) { s.Services[0].Desired = 1 }, act: func(s *scene) {
			if err := s.StopInstances([]string{s.other}); err != nil {
				s.t.Fatal(err)
			}
		}},
		{name: "managed scaling may add a host", spec: func(s *sim.Spec) {
			s.TaskDefinitions[0].CPU = 600
			s.Groups[0].Hooks = nil
			s.Providers = []ecs.CapacityProvider{{Name: "cp", Group: "web-asg", ManagedScaling: true, ManagedDraining: true}}
			s.Services[0].Providers = []ecs.StrategyItem{{Provider: "cp", Weight: 1}}
		}, act: drained(time.Minute)},
		{name: "nobody drains, managed draining", spec: func(s *sim.Spec) {
			s.Providers = []ecs.CapacityProvider{{Name: "cp", Group: "web-asg", ManagedDraining: true}}
		}, act: func(s *scene) {
			if _, err := s.TerminateInstanceInAutoScalingGroup(s.target, true); err != nil {
				s.t.Fatal(err)
			}
			s.after(5 * time.Second)
		}},
		{name: "the agent's own time to stop", spec: func(s *sim.Spec) {
			s.TaskDefinitions[0].Exit, s.Groups[0].Launch.UserData = time.Hour, settings+"echo ECS_CONTAINER_STOP_TIMEOUT=2h >> /etc/ecs/ecs.config\n"
		}, act: func(s *scene) { s.terminate(); s.until("STOPPING"); s.after(5 * time.Minute) }},
		{name: "the agent's own time to stop, just begun", spec: func(s *sim.Spec) {
			s.TaskDefinitions[0].Exit, s.Groups[0].Launch.UserData = time.Hour, settings+"echo ECS_CONTAINER_STOP_TIMEOUT=2h >> /etc/ecs/ecs.config\n"
		}, act: func(s *scene) { s.terminate(); s.until("STOPPING"); s.after(5 * time.Second) }},
		{name: "a long delay, then SIGTERM", spec: func(s *sim.Spec) {
			s.TaskDefinitions[0].Exit, s.TaskDefinitions[0].Stop, s.Groups[0].Launch.UserData = time.Hour, time.Minute, settings
			s.Services[0].TargetGroup, s.TargetGroups[0].Delay = "web-tg", 10*time.Minute
		}, act: func(s *scene) { s.terminate(); s.until("STOPPING"); s.after(5 * time.Second) }},
		{name: "a long delay has just begun", spec: func(s *sim.Spec) {
			s.Services[0].TargetGroup, s.TargetGroups[0].Delay = "web-tg", 10*time.Minute
		}, act: func(s *scene) { s.terminate(); s.until("DEACTIVATING"); s.after(time.Second) }},
		{name: "Bottlerocket by user data, agent gone", spec: func(s *sim.Spec) {
			s.Groups[0].Launch.UserData = "[settings.ecs]\ncluster = \"prod\"\n"
		}, act: func(s *scene) {
			arns, _ := s.ListContainerInstances("prod", "", "ec2InstanceId == "+s.target)
			s.terminate()
			s.DisconnectAgent(arns[0])
			s.after(5 * time.Minute)
		}},
		{name: "a container that is not healthy yet", spec: func(s *sim.Spec) { s.TaskDefinitions[0].HealthCheck = true }, act: drained(20 * time.Second)},
		{name: "a host is being launched", spec: func(s *sim.Spec) { s.TaskDefinitions[0].CPU, s.Groups[0].Launch.Boot = 600, 10*time.Minute }, act: func(s *scene) {
			if err := s.SetDesiredCapacity("web-asg", 3); err != nil {
				s.t.Fatal(err)
			}
			s.terminate()
			s.after(2 * time.Minute)
		}},
		{name: "a task on its other registration", spec: func(s *sim.Spec) {
			s.Clusters = append(s.Clusters, sim.ClusterSpec{Name: "other"})
			s.TaskDefinitions[0].Exit, s.TaskDefinitions[0].Stop = 5*time.Hour, 6*time.Hour
		}, act: func(s *scene) {
			if err := s.RegisterAgain(s.target, core.Again{Cluster: "other", Connected: true}); err != nil {
				s.t.Fatal(err)
			}
			s.terminate()
			s.after(5 * time.Minute)
		}},
		{name: "nothing blocks it for long", spec: func(s *sim.Spec) { s.Services[0].TargetGroup = "web-tg" }, act: func(s *scene) {
			if _, err := s.TerminateInstanceInAutoScalingGroup(s.target, true); err != nil {
				s.t.Fatal(err)
			}
			s.after(20 * time.Minute)
			s.drain()
		}},
		{name: "standby", act: func(s *scene) {
			if _, err := s.EnterStandby("web-asg", []string{s.target}, true); err != nil {
				s.t.Fatal(err)
			}
			s.drain()
			s.after(5 * time.Minute)
		}},
	}...)
}

// protect protects every task of the service from scale-in.
func (s *scene) protect() {
	tasks, err := s.ListTasks("prod", ecs.TaskQuery{Service: "web"})
	if err == nil {
		_, _, err = s.UpdateTaskProtection("prod", tasks, true, 2*time.Hour)
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// questions are what is asked in one world: about the instance and about a task on it, and with what Ebb's configuration and journal may say.
func (s *scene) questions(truth *inventory.Inventory) map[string]diagnose.Question {
	limited, idle := atWork(), atWork()
	limited.Limit, limited.Queued, limited.Waiting = "1", true, "for its turn"
	idle.Works, idle.Who = false, ""
	all := map[string]diagnose.Question{}
	for name, e := range map[string]*diagnose.Ebb{"without Ebb": nil, "with Ebb": atWork(), "that waits for its turn": limited, "without an Ebb at work": idle} {
		all[name] = diagnose.Question{Target: s.target, Hook: "ebb-drain", Now: s.Now(), At: advice.At{Region: "eu-west-1"}, Ebb: e}
	}
	for _, c := range truth.Clusters {
		if h := c.Host(fleet.InstanceID(s.target)); h != nil && len(c.TasksOn(h)) > 0 {
			all["of a task"] = diagnose.Question{Target: string(c.TasksOn(h)[0].ARN), Hook: "ebb-drain", Now: s.Now(), At: advice.At{Region: "eu-west-1"}}
		}
	}
	return all
}

// TestNoAnswerGetsBetterByADenial denies each read in turn in worlds in which the truth is bad.
func TestNoAnswerGetsBetterByADenial(t *testing.T) {
	for i, c := range bad() {
		t.Run(c.name, func(t *testing.T) {
			spec := base()
			if c.spec != nil {
				c.spec(&spec)
			}
			s := stage(t, spec)
			c.act(s)
			truth := s.take()
			for _, d := range s.denials(uint64(i)) {
				seen := s.under(d)
				for name, q := range s.questions(truth) {
					for _, complaint := range better(diagnose.Why(truth, q), diagnose.Why(seen, q), len(seen.Unread) > 0) {
						t.Errorf("%s, why %s: %s", d.name, name, complaint)
					}
				}
				for _, targets := range [][]string{{s.target}, {s.target, s.other}} {
					was, is := diagnose.Plan(truth, targets, s.Now()), diagnose.Plan(seen, targets, s.Now())
					for _, complaint := range promised(was, is) {
						t.Errorf("%s, plan %d: %s", d.name, len(targets), complaint)
					}
				}
			}
		})
	}
}

// goesOn reports whether an answer says that nothing needs anybody.
func goesOn(r diagnose.Report) bool {
	return !slices.ContainsFunc(r.Blockers, func(b diagnose.Blocker) bool { return !b.Ends })
}

// written are the commands of an answer that change something, with the harm that they say they do.
func written(r diagnose.Report) map[string]advice.Harm {
	all := map[string]advice.Harm{}
	for _, b := range r.Blockers {
		for _, f := range b.All() {
			if line := f.Line(); line != "" && !strings.HasPrefix(line, "ebb ") && !reads(strings.Fields(line)) {
				all[line] = f.Harm()
			}
		}
	}
	return all
}

func codes(r diagnose.Report) (all []diagnose.Code) {
	for _, b := range r.Blockers {
		all = append(all, b.Code)
	}
	return all
}

// unknown reports whether an answer says, among its blockers, that something is not known.
func unknown(r diagnose.Report) bool {
	return slices.ContainsFunc(r.Blockers, func(b diagnose.Blocker) bool {
		return b.Code == placement.Unjudged || !b.Exact && strings.Contains(b.Message, "could not be read")
	})
}

// absences are words by which an answer says that something is not there, or is as if nothing were set.
var absences = []string{
	"nothing blocks", "no other terminating hook", "has no terminating hook", "does not manage its draining", "without a health check", "nobody drains",
	"does not include the group", "there is nothing to drain", "waits for 0 hooks", "it has left", "nothing that was read blocks",
}

// better says in what an answer of why is better than the truth.
func better(was, is diagnose.Report, missing bool) (all []string) {
	say := func(format string, args ...any) {
		all = append(all, fmt.Sprintf(format, args...)+fmt.Sprintf("\n   was: %q %s\n   is:  %q %s", codes(was), was.Headline, codes(is), is.Headline))
	}
	if missing && len(is.Notes) == 0 {
		say("what could not be read is not noted")
	}
	if goesOn(is) && !goesOn(was) {
		say("all goes on by itself")
	}
	if is.Wait != "" && was.Wait == "" {
		say("it says %q", is.Wait)
	}
	for _, b := range was.Blockers {
		if !slices.Contains(codes(is), b.Code) && !unknown(is) {
			say("%s is not named, and no blocker says what is not known", b.Code)
		}
	}
	for _, b := range is.Blockers {
		if b.Exact && !slices.Contains(codes(was), b.Code) {
			say("%s is named as exact: %s", b.Code, b.Message)
		}
	}
	for _, b := range is.Blockers {
		for _, o := range was.Blockers {
			if b.Code == o.Code && !b.Until.IsZero() && (o.Until.IsZero() || b.Until.Before(o.Until)) {
				say("%s is to end at %s, not %s", b.Code, b.Until.Format(time.TimeOnly), o.Until.Format(time.TimeOnly))
			}
		}
		for _, claim := range absences {
			said := slices.ContainsFunc(was.Blockers, func(o diagnose.Blocker) bool { return strings.Contains(o.Message, claim) })
			if strings.Contains(b.Message, claim) && !said {
				say("it says %q: %s", claim, b.Message)
			}
		}
	}
	harm := written(was)
	for line, h := range written(is) {
		if before, there := harm[line]; !there || h < before {
			say("there is a new command, or it is called less harmful (%s): %s", h, line)
		}
	}
	for _, n := range is.Next {
		for _, o := range was.Next {
			if n.Event == o.Event && !n.By.IsZero() && (o.By.IsZero() || n.By.Before(o.By)) {
				say("%s is promised for %s, not %s", n.Event, n.By.Format(time.TimeOnly), o.By.Format(time.TimeOnly))
			}
		}
	}
	return all
}

// promised says in what an answer of plan is better than the truth, or claims a proof that there is not.
func promised(was, is diagnose.Forecast) (all []string) {
	say := func(format string, args ...any) {
		all = append(all, fmt.Sprintf(format, args...)+fmt.Sprintf("\n   was: %s %s\n   is:  %s %s", was.Verdict, was.Headline, is.Verdict, is.Headline))
	}
	if is.Verdict != was.Verdict && is.Verdict != "uncertain" && is.Verdict != "unknown" {
		say("the verdict is %s, not %s", is.Verdict, was.Verdict)
	}
	if is.Longest < was.Longest && is.Longest != diagnose.NotKnown {
		say("the longest stop is %s, not %s", time.Duration(is.Longest), time.Duration(was.Longest))
	}
	if len(is.Missing) < len(was.Missing) {
		say("it has found %q", was.Missing)
	}
	for _, step := range is.Steps {
		for _, before := range was.Steps {
			if step.Task != before.Task {
				continue
			}
			if step.Stop < before.Stop && step.Stop != diagnose.NotKnown {
				say("task %s stops within %s, not %s", step.Task, time.Duration(step.Stop), time.Duration(before.Stop))
			}
		}
	}
	return all
}

// TestAHostOfAnotherGroupThatLeavesIsNoPlace: a look at one instance does not read the groups of its neighbours, but it knows which of these leave.
func TestAHostOfAnotherGroupThatLeavesIsNoPlace(t *testing.T) {
	spec := base()
	spec.Groups[0].Desired = 1
	other := spec.Groups[0]
	other.Name = "other-asg"
	spec.Groups = append(spec.Groups, other)
	spec.Services[0].Min, spec.Services[0].Max = 100, 200
	s := stage(t, spec)
	if _, err := s.TerminateInstanceInAutoScalingGroup(s.other, true); err != nil {
		t.Fatal(err)
	}
	s.after(5 * time.Second)
	seen := s.take()
	if f := diagnose.Plan(seen, []string{s.target}, s.Now()); f.Verdict != "stuck" || len(seen.Groups) != 1 {
		t.Errorf("%s with %d groups: %s", f.Verdict, len(seen.Groups), f.Headline)
	}
	for _, d := range s.denials(0) {
		if f := diagnose.Plan(s.under(d), []string{s.target}, s.Now()); f.Verdict != "stuck" && f.Verdict != "uncertain" && f.Verdict != "unknown" {
			t.Errorf("%s: %s: %s", d.name, f.Verdict, f.Headline)
		}
	}
}

// TestAHookIsNotAnsweredForAClusterThatWasNotRead: with --cluster only a part of the instance's tasks may have been read.
func TestAHookIsNotAnsweredForAClusterThatWasNotRead(t *testing.T) {
	for _, c := range bad() {
		if c.name != "a task on its other registration" {
			continue
		}
		spec := base()
		c.spec(&spec)
		s := stage(t, spec)
		c.act(s)
		arns, err := s.ListContainerInstances("other", "", "")
		if err == nil {
			_, _, err = s.UpdateContainerInstancesState("other", arns, "DRAINING")
		}
		if err != nil {
			t.Fatal(err)
		}
		seen, err := s.inventory.Take(t.Context(), collector.Scope{Clusters: []string{"other"}, Silent: true})
		if err != nil {
			t.Fatal(err)
		}
		r := diagnose.Why(&seen, diagnose.Question{Target: s.target, Hook: "ebb-drain", Now: s.Now(), Only: []string{"other"}})
		if len(written(r)) == 0 || r.Cluster != "other" {
			t.Fatalf("%s: %s", r.Cluster, r.Headline)
		}
		for line, harm := range written(r) {
			if harm != advice.Destroys {
				t.Errorf("a task runs in cluster prod, and this is called %s: %s", harm, line)
			}
		}
	}
}
