package diagnose_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/diagnose"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
)

// lasts spells how long something takes.
func lasts(s diagnose.Seconds) string {
	if s == diagnose.NotKnown {
		return "a time that is not known"
	}
	return time.Duration(s).String()
}

// plan is the whole answer of plan for targets, with spaces between them, in words.
func plan(targets string, only ...string) func(*board) string {
	return func(b *board) string {
		f := diagnose.Plan(b.Inventory, strings.Fields(targets), b.q.Now, only...)
		var w strings.Builder
		fmt.Fprintf(&w, "%s at %s, instances %s, not found %q: %s within %s: %s\n", f.Targets, b.clock(f.At), f.Instances, f.Missing, f.Verdict,
			lasts(f.Longest), f.Headline)
		for _, s := range f.Steps {
			fmt.Fprintf(&w, "%s %s (%s) of service %q on %s %s, to %s, within %s\n", s.Kind, s.Task, s.Definition, s.Service, s.Instance, s.Outcome,
				s.Where, lasts(s.Stop))
			for _, r := range s.Because {
				fmt.Fprintf(&w, "  %s: %s\n", r.Code, r.Message)
			}
		}
		for _, r := range f.Reasons() {
			fmt.Fprintf(&w, "because %s\n", r)
		}
		for _, n := range f.Notes {
			fmt.Fprintf(&w, "note: %s\n", n)
		}
		return w.String()
	}
}

// plans are worlds that are asked what would happen.
func plans() []world {
	return []world{
		{"one task has a place", inService, []change{
			{"no task is there", (*board).empty},
			{"two tasks are there", func(b *board) { b.also("web-0", "web:7", "service:web") }},
			{"its task has stopped", func(b *board) { b.task.LastStatus = fleet.Stopped }},
			{"its task is stopping", ordered("STOPPING", 0)},
			{"its task is on another host", func(b *board) { b.task.ContainerInstance = b.other.ARN }},
			{"its task is on a host that is not there", func(b *board) { b.task.ContainerInstance = "gone" }},
			{"no host has room", full}, {"no host has room, and it may have fewer", func(b *board) { full(b); b.web.MinPercent = 50 }},
			{"it may have fewer", func(b *board) { b.web.MinPercent, b.web.MaxPercent = 50, 100 }},
			{"percents leave no freedom", func(b *board) { b.web.MaxPercent = 100 }},
			{"percents leave no freedom to two", func(b *board) { b.web.MaxPercent = 100; b.also("job-1", "job:1", "family:job") }},
			{"its task is protected", func(b *board) { b.task.Protected = true }},
			{"a job is there", func(b *board) { b.also("job-1", "job:1", "family:job") }},
			{"a job is there alone", func(b *board) { b.empty(); b.also("job-1", "job:1", "family:job") }},
			{"a task is of a service that is not there", func(b *board) { b.task.Group = "service:gone" }},
			{"a daemon's task is there", func(b *board) {
				b.web.Daemon = true
			}},
			{"a daemon's task is there, and the agent is away", func(b *board) { b.web.Daemon, b.host.Connected = true, false }},
			{"its agent is away", func(b *board) { b.host.Connected = false }},
			{"its delay is not known", func(b *board) { b.tg.DelayKnown = false }},
			{"its definition is not known", func(b *board) { b.cluster.TaskDefinitions = nil }},
			{"the agent's time counts and is not known", containers(inventory.Container{Name: "app"})},
			{"the agent's time counts and is not known, for two", func(b *board) {
				containers(inventory.Container{Name: "app"})(b)
				b.also("web-0", "web:7", "service:web")
			}},
			{"the agent's time counts", func(b *board) { containers(inventory.Container{Name: "app"})(b); agent(plainAgent)(b) }},
			{"a second task takes longer", func(b *board) {
				s := *b.web
				s.Name, s.TaskDefinition, s.LoadBalancers, s.Desired = "api", "api:1", nil, 1
				b.cluster.Services = append(b.cluster.Services, &s)
				b.cluster.TaskDefinitions = append(b.cluster.TaskDefinitions, &inventory.TaskDefinition{Name: "api:1", CPU: 10, Memory: 10,
					Containers: []inventory.Container{{Name: "api", StopTimeout: time.Hour}}})
				b.also("api-1", "api:1", "service:api")
			}},
			{"a second task has a time that is not known", func(b *board) {
				b.cluster.Tasks = append([]*inventory.Task{b.also("gone-1", "gone:1", "service:gone")}, b.cluster.Tasks[:2]...)
			}},
			{"it is in two clusters", func(b *board) {
				c, h := b.again("other", fleet.Active)
				c.Tasks = []*inventory.Task{b.running("job-1", "job:1", "family:job", h)}
			}},
			{"a task of another service has the same words", func(b *board) { b.web.MaxPercent = 100; b.also("web-0", "web:7", "service:web") }},
			{"a job is stopping", func(b *board) { b.task.Group = "family:web"; ordered("STOPPING", 0)(b) }},
			{"a third host has room", func(b *board) { b.cluster.Hosts = append(b.cluster.Hosts, host("prod", "i-third", fleet.Active)) }},
			{"it has two reasons", func(b *board) {
				b.task.Protected = true
				deployed(inventory.Deployment{Status: "PRIMARY", Rollout: "FAILED"})(b)
			}},
			{"another cluster comes first, whose tasks could not be read", func(b *board) {
				c := &inventory.Cluster{Name: "empty", Hosts: []*inventory.Host{host("empty", "i-away", fleet.Active)}}
				c.Tasks = []*inventory.Task{b.running("away-1", "job:1", "family:job", c.Hosts[0])}
				b.Clusters = []*inventory.Cluster{c, b.cluster}
				b.miss("ecs:ListTasks of cluster empty")
			}},
			{"it is the second host, and tasks of its second cluster could not be read", func(b *board) {
				b.again("other", fleet.Active)
				b.cluster.Hosts = []*inventory.Host{b.other, b.host}
				b.miss("ecs:ListTasks of cluster prod", "ecs:DescribeServices of cluster prod")
				b.miss("ecs:ListTasks of cluster other", "ecs:DescribeServices of cluster other")
			}},
			{"another cluster comes first, and its tasks could not be read", func(b *board) {
				b.Clusters = []*inventory.Cluster{{Name: "empty", Hosts: []*inventory.Host{host("empty", "i-away", fleet.Active)}}, b.cluster}
				b.miss("ecs:ListTasks of cluster prod")
			}},
			{"it is the second host, and its tasks could not be read", func(b *board) {
				b.cluster.Hosts = []*inventory.Host{b.other, b.host}
				b.miss("ecs:ListTasks of cluster prod")
			}},
			{"it is the second of its group, which is the second, and protected", func(b *board) {
				b.group.Instances = []fleet.GroupInstance{b.group.Instances[1], b.group.Instances[0]}
				b.group.Instances[1].Protected = true
				b.Groups = nil
				b.grouped("more", 1, 1, "i-away")
				b.Groups = append(b.Groups, b.group)
			}},
			{"it is in standby", state(fleet.Standby)}, {"it is protected", func(b *board) { b.member.Protected = true }},
			{"the other one is protected and in standby", func(b *board) {
				b.group.Instances[1].Protected, b.group.Instances[1].State = true, fleet.Standby
			}},
			{"it is of no group", func(b *board) { b.Groups = nil }},
			{"it is in no cluster", func(b *board) { b.Clusters = nil }},
			{"EC2 alone knows it", func(b *board) { b.Clusters, b.Groups = nil, nil }},
			{"its cluster alone knows it", func(b *board) { b.Instances, b.Groups = nil, nil }},
			{"nobody knows it", func(b *board) { b.Clusters, b.Groups, b.Instances = nil, nil, nil }},
			{"tasks could not be read", missed("ecs:ListTasks of cluster prod")},
			{"tasks of another cluster could not be read", missed("ecs:ListTasks of cluster other")},
			{"clusters could not be read", missed("ecs:ListClusters", "ecs:DescribeServices of cluster prod")},
			{"nobody knows it, and clusters could not be read", func(b *board) {
				b.Clusters, b.Groups, b.Instances = nil, nil, nil
				b.miss("ecs:ListClusters")
			}},
		}},
	}
}

func TestWhatWouldBecomeOfTasks(t *testing.T) {
	compare(t, "testdata/plan.txt", plans(), plan("i-target"))
	few := []world{{"both leave", inService, []change{
		{"no task is there", func(b *board) { b.cluster.Tasks = nil }},
		{"one is a job", func(b *board) { b.task.Group = "family:web" }},
		{"one is in no cluster", func(b *board) { b.cluster.Hosts = b.cluster.Hosts[1:] }},
		{"both are protected", func(b *board) { b.group.Instances[0].Protected, b.group.Instances[1].Protected = true, true }},
	}}}
	compare(t, "testdata/plan_group.txt", few, plan("web-asg i-target"))
	compare(t, "testdata/plan_missing.txt", few[:1], plan("i-gone ci-target i-lost"))
	compare(t, "testdata/plan_only.txt", few, plan("web-1 i-other", "prod", "dev"))
}

// A time that is not known is no number.
func TestHowSecondsAreWritten(t *testing.T) {
	long := []diagnose.Seconds{diagnose.NotKnown, 0, diagnose.Seconds(90 * time.Second), diagnose.Seconds(1500 * time.Millisecond)}
	b, err := json.Marshal(long)
	if string(b) != "[null,0,90,1.5]" || err != nil {
		t.Errorf("%s, %v", b, err)
	}
}

// Instance is where an answer looks for what Ebb's journal says.
func TestWhichInstanceIsMeant(t *testing.T) {
	b := newBoard()
	for target, want := range map[string]string{"i-target": "i-target", "ci-other": "i-other", "web-1": "i-target",
		account + "task/prod/web-2": "i-other", "i-gone": "i-gone", "": ""} {
		if got := diagnose.Instance(b.Inventory, target); string(got) != want {
			t.Errorf("%q is %q, want %q", target, got, want)
		}
	}
}
