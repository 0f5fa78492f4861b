package diagnose_test

import (
	"strings"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/diagnose"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
	"github.com/ebbhq/ebb/internal/placement"
	"github.com/ebbhq/ebb/internal/sim"
)

// seen is an inventory with what is looked at in it.
type seen struct {
	*inventory.Inventory
	cluster *inventory.Cluster
	group   *inventory.Group
	member  *fleet.GroupInstance
	host    *inventory.Host
}

func (s *scene) parts() seen {
	s.t.Helper()
	p := seen{Inventory: s.take()}
	p.cluster, p.group = p.Cluster("prod"), p.Group("web-asg")
	p.host = p.cluster.Host(fleet.InstanceID(s.target))
	for i := range p.group.Instances {
		if string(p.group.Instances[i].ID) == s.target {
			p.member = &p.group.Instances[i]
		}
	}
	if p.host == nil || p.member == nil {
		s.t.Fatal("the target is not in its group and cluster")
	}
	return p
}

// What a group, EC2 or a person has done with an instance is the answer before all that its tasks could say.
func TestTheStateOfTheGroupIsReported(t *testing.T) {
	for _, c := range []struct {
		name  string
		edit  func(seen)
		code  diagnose.Code
		words string
		fix   string
	}{
		{"in service", func(seen) {}, diagnose.NotLeaving, "nothing takes TARGET away: it is InService in group web-asg", "ebb plan TARGET"},
		{"protected from scale-in", func(p seen) { p.member.Protected = true }, diagnose.NotLeaving, "scale-in skips it", "ebb plan TARGET"},
		{"standby", func(p seen) { p.member.State = fleet.Standby }, diagnose.GroupState, "Standby in group web-asg",
			"aws autoscaling exit-standby --auto-scaling-group-name web-asg --instance-ids TARGET"},
		{"warm pool", func(p seen) { p.member.State = "Warmed:Stopped" }, diagnose.GroupState, "in the warm pool", ""},
		{"launching", func(p seen) { p.member.State = "Pending:Wait" }, diagnose.GroupState, "being launched", ""},
		{"detached", func(p seen) { p.member.State = fleet.Detached }, diagnose.GroupState, "no longer belongs to the group", ""},
		{"all hooks answered", func(p seen) { p.member.State = fleet.TerminatingProceed }, diagnose.GroupState, "every hook has been answered", ""},
		{"Terminate suspended", func(p seen) { p.group.Suspended = []string{"Terminate"} }, diagnose.GroupState, "the process Terminate of the group is suspended",
			"aws autoscaling resume-processes --auto-scaling-group-name web-asg --scaling-processes Terminate"},
		{"container instance deregistering", func(p seen) { p.member.State, p.host.Status = fleet.TerminatingWait, "DEREGISTERING" },
			diagnose.NotDraining, "cannot be set to DRAINING", ""},
		{"drained, and nobody terminates it", func(p seen) { p.host.Status, p.cluster.Tasks = fleet.Draining, nil }, diagnose.NotLeaving,
			"it is DRAINING in cluster prod, but nothing terminates it",
			"aws autoscaling terminate-instance-in-auto-scaling-group --instance-id TARGET"},
		{"in a hook, and in no cluster", func(p seen) { p.member.State, p.cluster.Hosts, p.cluster.Tasks = fleet.TerminatingWait, nil, nil },
			diagnose.OpenHook, "nothing to drain: group web-asg waits in its hook ebb-drain",
			"aws autoscaling complete-lifecycle-action"},
		{"of no group", func(p seen) { p.Groups = nil }, diagnose.NotLeaving, "its container instance is ACTIVE in cluster prod", "ebb plan TARGET"},
		{"neither group nor cluster", func(p seen) { p.Groups, p.Clusters = nil, nil }, diagnose.NotLeaving, "in no group and no cluster", "ebb plan TARGET"},
		{"left, and EC2 still knows it", func(p seen) {
			p.Groups, p.Clusters = nil, nil
			for i := range p.Instances {
				p.Instances[i].State = fleet.StateTerminated
			}
		}, diagnose.HostGone, "EC2 says that TARGET is terminated, and it is in no group and no cluster any more: it has left", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := stage(t, base())
			p := s.parts()
			c.edit(p)
			r := diagnose.Why(p.Inventory, diagnose.Question{Target: s.target, Now: s.Now()})
			if len(r.Blockers) != 1 || r.Blockers[0].Code != c.code || !r.Blockers[0].Exact {
				t.Fatalf("blockers %+v", r.Blockers)
			}
			if want := strings.ReplaceAll(c.words, "TARGET", s.target); !strings.Contains(r.Headline, want) {
				t.Errorf("the headline does not say %q: %s", want, r.Headline)
			}
			fix, want := commands(r.Blockers[0]), strings.ReplaceAll(c.fix, "TARGET", s.target)
			if !strings.HasPrefix(fix, want) || (want == "") != (fix == "") {
				t.Errorf("fix is %q, want %q", fix, want)
			}
		})
	}
}

func TestReplacementsThatDoNotStayUpAreReportedFromServiceEvents(t *testing.T) {
	spec := base()
	spec.Services[0].Min, spec.Services[0].Max = 100, 100
	s := stage(t, spec)
	s.terminate()
	s.after(time.Minute)
	p := s.parts()
	const said = "(service web) is unable to consistently start tasks successfully."
	p.cluster.Service("web").Events = []inventory.Event{{At: s.Now().Add(-2 * time.Minute), Text: said}}
	r := diagnose.Why(p.Inventory, diagnose.Question{Target: s.target, Now: s.Now()})
	if !told(r, placement.Deployment, said) {
		t.Errorf("a fresh event is not told: %+v", r.Blockers)
	}
	p.cluster.Service("web").Events[0].At = s.Now().Add(-time.Hour)
	if r := diagnose.Why(p.Inventory, diagnose.Question{Target: s.target, Now: s.Now()}); told(r, placement.Deployment, said) {
		t.Errorf("an old event is told as if it were of now: %+v", r.Blockers)
	}
}

func told(r diagnose.Report, code diagnose.Code, words string) bool {
	for _, b := range r.Blockers {
		if b.Code == code && strings.Contains(b.Message, words) {
			return true
		}
	}
	return false
}

func TestAProtectedTaskIsReportedWithTheCommandThatFreesIt(t *testing.T) {
	s := stage(t, base())
	s.terminate()
	p := s.parts()
	for i := range p.cluster.Tasks {
		p.cluster.Tasks[i].Protected = true
	}
	r := diagnose.Why(p.Inventory, diagnose.Question{Target: s.target, Now: s.Now()})
	for _, b := range r.Blockers {
		if b.Code == placement.Protected && len(b.Last) == 1 && len(b.Fix) == 0 && strings.HasPrefix(b.Last[0].Line(),
			"aws ecs update-task-protection --cluster prod --tasks ") && !b.Exact {
			return
		}
	}
	t.Errorf("blockers %+v", r.Blockers)
}

func TestAHookOfManagedDrainingIsNamedAsECSs(t *testing.T) {
	spec := base()
	spec.Groups[0].Hooks = []sim.HookSpec{{Name: fleet.ManagedDrainingHook, Heartbeat: time.Hour, DefaultResult: "CONTINUE"}}
	s := stage(t, spec)
	s.terminate()
	s.after(5 * time.Minute)
	r := diagnose.Why(s.take(), diagnose.Question{Target: s.target, Now: s.Now()})
	if r.Blockers[0].Code != diagnose.OpenHook || !strings.Contains(r.Headline, fleet.ManagedDrainingHook+" (ECS managed draining, heartbeat "+
		"1h, at most 48h, then CONTINUE)") {
		t.Errorf("headline %q", r.Headline)
	}
	if notes := strings.Join(r.Notes, "\n"); !strings.Contains(notes, "ends after at most 48h") || !strings.Contains(notes,
		"ECS managed draining keeps it open until every task has stopped") {
		t.Errorf("notes %q", r.Notes)
	}
}

func TestManyReplacementsOnTheirWayAreOneBlocker(t *testing.T) {
	spec := base()
	spec.TaskDefinitions[0].CPU, spec.TaskDefinitions[0].Memory, spec.TaskDefinitions[0].Start = 64, 64, 10*time.Minute
	spec.Services[0].Desired = 8
	s := stage(t, spec)
	s.after(20 * time.Minute)
	s.terminate()
	s.after(2 * time.Minute)
	r := diagnose.Why(s.take(), diagnose.Question{Target: s.target, Now: s.Now()})
	if len(r.Blockers) != 1 || r.Blockers[0].Code != diagnose.PullingImage || !strings.HasSuffix(r.Headline, "the same applies to 3 tasks more") {
		t.Errorf("blockers %+v", r.Blockers)
	}
}

// What is to be pasted must let as many tasks stop as the host has, and no fewer.
func TestLoweredPercentsLetEveryTaskOnTheHostStop(t *testing.T) {
	spec := base()
	spec.Groups[0].Launch.CPU, spec.Services[0].Desired = 2048, 6 // three on each, and place for one more
	s := stage(t, spec)
	s.terminate()
	s.after(10 * time.Minute)
	r := diagnose.Why(s.take(), diagnose.Question{Target: s.target, Now: s.Now()})
	var lower string
	for _, m := range r.Blockers[0].Fix {
		if strings.Contains(m.Line(), "minimumHealthyPercent") {
			lower = m.Line()
		}
	}
	p := s.parts()
	left := 0
	for _, task := range p.cluster.Tasks {
		if task.ContainerInstance == p.host.ARN && task.Live() {
			left++
		}
	}
	var least, rest int
	for _, field := range strings.FieldsFunc(lower, func(r rune) bool { return r == ' ' || r == ',' }) {
		if text, ok := strings.CutPrefix(field, "minimumHealthyPercent="); ok {
			for _, digit := range text {
				least = 10*least + int(digit-'0')
			}
		}
	}
	if rest = 6 - left; left < 2 || (6*least+99)/100 > rest {
		t.Fatalf("%d tasks are left, and %q lets fewer stop", left, lower)
	}
	if err := s.SetHealthyPercents("prod", "web", &least, nil); err != nil {
		t.Fatal(err)
	}
	s.after(10 * time.Minute)
	if r := diagnose.Why(s.take(), diagnose.Question{Target: s.target, Now: s.Now()}); r.Blockers[0].Code != diagnose.OpenHook {
		t.Errorf("after %q the host still has tasks: %+v", lower, r.Blockers)
	}
}

func TestAGroupThatCouldNotBeReadMayTakeItAway(t *testing.T) {
	s := stage(t, base())
	s.terminate()
	p := s.parts()
	p.Groups, p.host.Status = nil, fleet.Active
	p.Unread = []inventory.Unread{{What: "autoscaling:DescribeAutoScalingInstances", Error: "Throttling: Rate exceeded"}}
	r := diagnose.Why(p.Inventory, diagnose.Question{Target: s.target, Now: s.Now()})
	if len(r.Blockers) != 1 || r.Blockers[0].Exact || !strings.Contains(r.Headline, "its group could not be read and may be terminating it") {
		t.Errorf("blockers %+v", r.Blockers)
	}
}

// What could not be read must not become "no task is left", with the command that completes the hook.
func TestWhatRunsThereIsNotTakenForNothingWhenItCouldNotBeRead(t *testing.T) {
	for missed, hide := range map[string]func(seen){
		"ecs:ListTasks of cluster prod":        func(p seen) { p.cluster.Tasks = nil },
		"ecs:DescribeTasks of cluster prod":    func(p seen) { p.cluster.Tasks = nil },
		"ecs:DescribeServices of cluster prod": func(p seen) { p.cluster.Services = nil },
		"ecs:ListContainerInstances of cluster prod": func(p seen) {
			p.cluster.Hosts = nil
		},
		"ecs:ListClusters": func(p seen) { p.Clusters = nil },
	} {
		t.Run(missed, func(t *testing.T) {
			spec := base()
			spec.Services[0].Min, spec.Services[0].Max = 100, 100
			s := stage(t, spec)
			s.terminate()
			p := s.parts()
			hide(p)
			p.Unread = []inventory.Unread{{What: missed, Error: "ThrottlingException: Rate exceeded"}}
			r := diagnose.Why(p.Inventory, diagnose.Question{Target: s.target, Now: s.Now()})
			if len(r.Blockers) != 1 || r.Blockers[0].Code != placement.Unjudged || r.Blockers[0].Exact || commands(r.Blockers[0]) != "" {
				t.Errorf("blockers %+v", r.Blockers)
			}
			operation, _, _ := strings.Cut(missed, " of ")
			f := diagnose.Plan(p.Inventory, []string{s.target}, s.Now())
			if f.Verdict != "uncertain" || !strings.HasPrefix(f.Headline, operation+" could not be read, so nothing is promised or proved") {
				t.Errorf("plan says %s: %s", f.Verdict, f.Headline)
			}
		})
	}
}
