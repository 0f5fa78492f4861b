package diagnose_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/advice"
	"github.com/ebbhq/ebb/internal/diagnose"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
)

var rewrite = flag.Bool("update", false, "write the answers in testdata anew; read what has changed in them")

// board is a small inventory: group web-asg terminates i-target since ten minutes. It is DRAINING in cluster prod, with one task of
// service web, which is in target group web-tg. The other task of web is on i-other, which stays and has room.
type board struct {
	seen
	other      *inventory.Host
	web        *inventory.Service
	def        *inventory.TaskDefinition
	task, twin *inventory.Task // of web: on i-target and on i-other
	tg         *inventory.TargetGroup
	q          diagnose.Question
}

const account = "arn:aws:ecs:eu-west-1:111122223333:"

// host is a host of a cluster; its container instance has the name of the instance without the "i".
func host(cluster, id, status string) *inventory.Host {
	h := &inventory.Host{Type: "m7i.large", CPU: 2048, Memory: 4096, Free: inventory.Resources{CPU: 1024, Memory: 2048}, Interfaces: 3,
		Attributes: map[string]string{"ecs.os-type": "linux"}}
	arn := fleet.ARN(account + "container-instance/" + cluster + "/ci" + strings.TrimPrefix(id, "i"))
	h.ContainerInstance = fleet.ContainerInstance{ARN: arn, Cluster: cluster, Instance: fleet.InstanceID(id), Status: status, Connected: true}
	return h
}

// running is a task that runs on a host since an hour; group is service:NAME or family:NAME.
func (b *board) running(id, family, group string, on *inventory.Host) *inventory.Task {
	t := &inventory.Task{StartedBy: "ecs-svc/1", StartedAt: b.q.Now.Add(-time.Hour), HealthStatus: "UNKNOWN"}
	arn := fleet.ARN(account + "task/" + on.Cluster + "/" + id)
	t.Task = fleet.Task{ARN: arn, Cluster: on.Cluster, ContainerInstance: on.ARN, Family: family, Group: group,
		LastStatus: "RUNNING", DesiredStatus: "RUNNING", CreatedAt: b.q.Now.Add(-61 * time.Minute)}
	return t
}

func newBoard() *board {
	now := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	b := &board{q: diagnose.Question{Target: "i-target", Hook: "ebb-drain", At: advice.At{Region: "eu-west-1"}, Now: now}}
	b.host, b.other = host("prod", "i-target", fleet.Draining), host("prod", "i-other", fleet.Active)
	b.group = &inventory.Group{Activities: []fleet.Activity{{Instance: "i-target", Start: now.Add(-10 * time.Minute)}},
		Hooks: []fleet.Hook{{Name: "ebb-drain", Transition: fleet.TerminatingTransit, Heartbeat: 15 * time.Minute, Global: 10 * time.Hour,
			DefaultResult: "CONTINUE"}}}
	b.group.Group = fleet.Group{Name: "web-asg", Desired: 1, Max: 4, Instances: []fleet.GroupInstance{
		{ID: "i-target", Group: "web-asg", State: fleet.TerminatingWait, Healthy: true},
		{ID: "i-other", Group: "web-asg", State: fleet.InService, Healthy: true},
	}}
	b.member = &b.group.Instances[0]
	b.def = &inventory.TaskDefinition{Name: "web:7", Network: "bridge", CPU: 256, Memory: 512,
		Containers: []inventory.Container{{Name: "app", StopTimeout: 45 * time.Second}}}
	const arn = "arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup/web-tg"
	b.tg = &inventory.TargetGroup{ARN: arn, Name: "web-tg", Type: "instance", Delay: 2 * time.Minute, DelayKnown: true}
	b.web = &inventory.Service{Status: "ACTIVE", LaunchType: "EC2", Controller: "ECS", TaskDefinition: "web:7"}
	b.web.Service = fleet.Service{Name: "web", Cluster: "prod", Desired: 2, Running: 2, MinPercent: 100, MaxPercent: 200,
		LoadBalancers: []fleet.LoadBalancer{{TargetGroup: b.tg.ARN, Container: "app", ContainerPort: 80}}}
	b.task, b.twin = b.running("web-1", "web:7", "service:web", b.host), b.running("web-2", "web:7", "service:web", b.other)
	b.cluster = &inventory.Cluster{Name: "prod", ARN: account + "cluster/prod", Hosts: []*inventory.Host{b.host, b.other},
		Services: []*inventory.Service{b.web}, Tasks: []*inventory.Task{b.task, b.twin}, TaskDefinitions: []*inventory.TaskDefinition{b.def}}
	b.Inventory = &inventory.Inventory{At: now, Account: "111122223333", Region: "eu-west-1", Clusters: []*inventory.Cluster{b.cluster},
		Groups: []*inventory.Group{b.group}, TargetGroups: []*inventory.TargetGroup{b.tg}, Instances: []*inventory.Instance{
			{ID: "i-target", State: fleet.StateRunning, Launched: now.Add(-24 * time.Hour)},
			{ID: "i-other", State: fleet.StateRunning, Launched: now.Add(-24 * time.Hour)},
		}}
	return b
}

// What changes a board in one way each.

func (b *board) empty() {
	b.cluster.Tasks = slices.DeleteFunc(b.cluster.Tasks, func(t *inventory.Task) bool { return t.ContainerInstance == b.host.ARN })
}

func (b *board) since(d time.Duration) { b.group.Activities[0].Start = b.q.Now.Add(-d) }

func (b *board) miss(what ...string) {
	for _, w := range what {
		b.Unread = append(b.Unread, inventory.Unread{What: w, Error: "AccessDenied: no"})
	}
}

// ec2 sets what EC2 says of i-target; empty: it knows no such instance.
func (b *board) ec2(state fleet.InstanceState) {
	if b.Instances[0].State = state; state == "" {
		b.Instances = b.Instances[1:]
	}
}

// ebb lets an Ebb work for the group, which has an open drain of i-target.
func (b *board) ebb() *diagnose.Ebb {
	if b.q.Ebb == nil {
		b.q.Ebb = atWork()
	}
	return b.q.Ebb
}

// hooked puts another terminating hook on the group.
func (b *board) hooked(name string, heartbeat time.Duration) *fleet.Hook {
	b.group.Hooks = append(b.group.Hooks, fleet.Hook{Name: name, Transition: fleet.TerminatingTransit, Heartbeat: heartbeat,
		Global: 48 * time.Hour, DefaultResult: "ABANDON"})
	return &b.group.Hooks[len(b.group.Hooks)-1]
}

// also puts one task more on i-target.
func (b *board) also(id, family, group string) *inventory.Task {
	t := b.running(id, family, group, b.host)
	b.cluster.Tasks = append(b.cluster.Tasks, t)
	return t
}

// again registers i-target once more, in a cluster of its own.
func (b *board) again(cluster, status string) (*inventory.Cluster, *inventory.Host) {
	h := host(cluster, "i-target", status)
	c := &inventory.Cluster{Name: cluster, Hosts: []*inventory.Host{h}}
	b.Clusters = append(b.Clusters, c)
	return c, h
}

func (b *board) clock(t time.Time) string {
	if t.YearDay() != b.q.Now.YearDay() {
		return t.Format(time.DateTime)
	}
	return t.Format(time.TimeOnly)
}

// why is the whole answer of why in words.
func (b *board) why() string {
	r := diagnose.Why(b.Inventory, b.q)
	var w strings.Builder
	fmt.Fprintf(&w, "%s at %s, instance %s, group %s %s, cluster %s %s, found: %v\n", r.Target, b.clock(r.At), r.Instance, r.Group,
		r.State, r.Cluster, r.Status, r.Found())
	if len(r.Blockers) == 0 || r.Headline != r.Blockers[0].Message {
		fmt.Fprintf(&w, "%s\n", r.Headline)
	}
	for i, c := range r.Blockers {
		fmt.Fprintf(&w, "%d. %s, exact: %v, ends: %v", i+1, c.Code, c.Exact, c.Ends)
		if !c.Until.IsZero() {
			fmt.Fprintf(&w, ", until %s", b.clock(c.Until))
		}
		fmt.Fprintf(&w, ": %s\n%s", c.Message, c.Text("   "))
	}
	if r.Wait != "" {
		fmt.Fprintf(&w, "%s\n", r.Wait)
	}
	for _, n := range r.Next {
		by := "some time"
		if !n.By.IsZero() {
			by = b.clock(n.By)
		}
		fmt.Fprintf(&w, "next, by %s: %s: %s\n", by, n.Event, n.Text)
	}
	for _, n := range r.Notes {
		fmt.Fprintf(&w, "note: %s\n", n)
	}
	return w.String()
}

// world is a board with something done to it, and what changes it further, one at a time.
type world struct {
	name string
	do   func(*board)
	but  []change
}

type change struct {
	name string
	do   func(*board)
}

// compare compares the answers in worlds with those in a file: the whole answer in each, and what is different in it after each change.
func compare(t *testing.T, file string, worlds []world, answer func(*board) string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil && !*rewrite {
		t.Fatal(err)
	}
	want := map[string]string{}
	for part := range strings.SplitSeq("\n"+string(text), "\n== ") {
		name, said, _ := strings.Cut(part, "\n")
		want[name] = strings.TrimSuffix(said, "\n")
	}
	var all strings.Builder
	check := func(name, said string) {
		t.Helper()
		if strings.Contains(all.String(), "== "+name+"\n") {
			t.Errorf("two worlds are called %q", name)
		}
		if fmt.Fprintf(&all, "== %s\n%s", name, said); said != want[name]+"\n" && !*rewrite {
			t.Errorf("%s: the answer has changed; -update writes %s anew: read it then\ngot\n%swant\n%s", name, file, said, want[name])
		}
	}
	for _, w := range worlds {
		b := newBoard()
		w.do(b)
		was := answer(b)
		check(w.name, was)
		for _, c := range w.but {
			b := newBoard()
			w.do(b)
			c.do(b)
			check(w.name+", but "+c.name, difference(was, answer(b)))
		}
	}
	if *rewrite {
		if err := os.WriteFile(file, []byte(all.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// difference is what is in one of two texts only, line by line and in order.
func difference(was, is string) string {
	a, b := slices.Collect(strings.Lines(was)), slices.Collect(strings.Lines(is))
	common := make([][]int, len(a)+1) // of what is left from a line of each
	for i := range common {
		common[i] = make([]int, len(b)+1)
	}
	for i := range slices.Backward(a) {
		for j := range slices.Backward(b) {
			common[i][j] = max(common[i+1][j], common[i][j+1])
			if a[i] == b[j] {
				common[i][j] = common[i+1][j+1] + 1
			}
		}
	}
	var d strings.Builder
	for i, j := 0, 0; i < len(a) || j < len(b); {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			i, j = i+1, j+1
		case j == len(b) || i < len(a) && common[i+1][j] >= common[i][j+1]:
			d.WriteString("- " + a[i][:min(60, len(a[i])-1)] + "\n") // as much as says which line it was
			i++
		default:
			d.WriteString("+ " + b[j])
			j++
		}
	}
	if d.Len() == 0 {
		return "(the same)\n"
	}
	return d.String()
}
