package collector

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/inventory"
	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/autoscaling"
	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/ecs"
	"github.com/ebbhq/ebb/internal/sim/wire"
)

// two is a world of two clusters, each with a group and a service of its own, and a task that no service owns.
func two() sim.Spec {
	spec := sim.Demo()
	spec.Clusters = append(spec.Clusters, sim.ClusterSpec{Name: "other"})
	spec.Groups = append(spec.Groups, sim.GroupSpec{Name: "other-asg", Desired: 2, Launch: core.HostSpec{Cluster: "other"}})
	spec.Services = append(spec.Services, sim.ServiceSpec{Name: "agent", Cluster: "other", Task: "api", Daemon: true})
	spec.Tasks = append(spec.Tasks, sim.TaskSpec{Cluster: "other", Task: "web"})
	spec.Rules = append(spec.Rules,
		sim.RuleSpec{Name: "leaving", Pattern: `{"source":["aws.autoscaling"]}`, Targets: []string{"ebb"}},
		sim.RuleSpec{Name: "orders", Pattern: `{"source":["shop.orders"]}`, Targets: []string{"ebb-dlq"}},
	)
	return spec
}

func TestEverythingIsRead(t *testing.T) {
	s, _ := simulated(t, two())
	got := take(t, s, Scope{})
	if got.Account != "111122223333" || got.Region != "eu-west-1" || got.At.IsZero() {
		t.Errorf("inventory of %q in %q at %v", got.Account, got.Region, got.At)
	}
	if len(got.Unread) > 0 {
		t.Errorf("unread: %+v", got.Unread)
	}
	demo, other := got.Cluster("demo"), got.Cluster("other")
	if demo == nil || other == nil || len(got.Clusters) != 2 || len(got.Groups) != 2 {
		t.Fatalf("%d clusters, %d groups", len(got.Clusters), len(got.Groups))
	}
	if len(demo.Hosts) != 4 || len(demo.Services) != 2 || len(demo.Tasks) != 6 || len(demo.TaskDefinitions) != 2 {
		t.Errorf("demo: %d hosts, %d services, %d tasks, %d definitions", len(demo.Hosts), len(demo.Services), len(demo.Tasks), len(demo.TaskDefinitions))
	}
	host := demo.Hosts[0]
	if host.Type == "" || host.CPU != 2048 || host.Free.CPU >= host.CPU || !slices.Contains(host.Free.Ports, 22) || host.RegisteredAt.IsZero() {
		t.Errorf("host: %+v", host)
	}
	if len(got.Instances) != 6 {
		t.Errorf("%d instances, want all 6", len(got.Instances))
	}
	if m := got.Instance(host.Instance); m == nil || m.State != "running" || m.Launched.IsZero() || m.Spot {
		t.Errorf("instance: %+v", m)
	}
	web := demo.Service("web")
	if web == nil || web.MinPercent != 100 || web.MaxPercent != 200 || web.Controller != "ECS" || web.Status != "ACTIVE" || web.TaskDefinition != "web:1" {
		t.Errorf("web: %+v", web)
	}
	if d := demo.TaskDefinition("web:1"); d == nil || d.CPU != 256 || d.Memory != 512 || d.Network != "bridge" || len(d.Containers) != 1 {
		t.Errorf("definition: %+v", d)
	}
	g := got.Group("demo-asg")
	if len(g.Hooks) != 1 || g.Hooks[0].Heartbeat != 30*time.Second || g.Hooks[0].Global != 50*time.Minute || len(g.Instances) != 4 {
		t.Errorf("group: %+v", g)
	}
	if agent := other.Service("agent"); agent == nil || !agent.Daemon {
		t.Errorf("agent: %+v", agent)
	}
}

func TestWhatIsAroundIsReadToo(t *testing.T) {
	s, _ := simulated(t, two())
	got := take(t, s, Scope{Queues: []string{"http://sim.invalid/111122223333/none"}})
	if len(got.TargetGroups) != 2 {
		t.Fatalf("target groups: %+v", got.TargetGroups)
	}
	g := got.TargetGroup(got.Cluster("demo").Service("web").LoadBalancers[0].TargetGroup)
	if g.Delay != 5*time.Second || !g.DelayKnown || g.Protocol != "HTTP" || g.Type != "instance" || len(g.Targets) != 4 {
		t.Errorf("target group: %+v", g)
	}
	if len(got.Rules) != 1 || got.Rules[0].Name != "leaving" || !got.Rules[0].Enabled || len(got.Rules[0].Targets) != 1 {
		t.Errorf("rules: %+v, want only the one that Auto Scaling's events can match", got.Rules)
	}
	queues := map[string]inventory.Queue{}
	for _, q := range got.Queues {
		queues[q.URL[strings.LastIndexByte(q.URL, '/')+1:]] = q
	}
	if len(queues) != 3 || len(got.Queues) != 3 {
		t.Fatalf("queues: %+v", got.Queues)
	}
	if q := queues["ebb"]; q.Redrive != queues["ebb-dlq"].ARN || q.MaxReceives != 5 || q.Visibility != 30*time.Second || q.Absent {
		t.Errorf("queue: %+v", q)
	}
	if q := queues["none"]; !q.Absent {
		t.Errorf("a queue that is not there: %+v", q)
	}
}

// What only some accounts have: Spot, user data, capacity providers, constraints, reservations, host ports, network interfaces, protection.
func TestTheRestIsRead(t *testing.T) {
	spec := sim.Spec{
		Clusters: []sim.ClusterSpec{{Name: "jobs", DefaultStrategy: []ecs.StrategyItem{{Provider: "jobs-cp", Weight: 1}}}},
		TaskDefinitions: []ecs.TaskDefinition{{
			Family: "job", CPU: 512, Memory: 1024, Reservation: 256, Stop: 90 * time.Second, GPU: 1, HealthCheck: true,
			Ports: []ecs.Port{{Port: 53, HostPort: 53, UDP: true}}, Constraints: []ecs.Constraint{{Type: "memberOf", Expression: "attribute:tier == fast"}},
		}},
		Groups: []sim.GroupSpec{{
			Name: "jobs-asg", Desired: 2, ProtectNew: true, Rebalance: true, MaxLifetime: 168 * time.Hour, Suspended: []string{"AZRebalance"},
			Refreshes: []autoscaling.Refresh{{Status: "InProgress"}},
			Launch: core.HostSpec{
				Cluster: "jobs", Spot: true, UserData: "ECS_CLUSTER=jobs", GPU: 2, Interfaces: 4, Attributes: map[string]string{"tier": "fast"},
			},
		}},
		Providers: []ecs.CapacityProvider{{Name: "jobs-cp", Group: "jobs-asg", ManagedScaling: true, TerminationProtection: true, ManagedDraining: true}},
		Services:  []sim.ServiceSpec{{Name: "job", Cluster: "jobs", Task: "job", Desired: 2, Min: 100, Max: 200}},
	}
	s, api := simulated(t, spec)
	tasks, err := api.World.(*sim.World).ListTasks("jobs", ecs.TaskQuery{})
	if err != nil || len(tasks) != 2 {
		t.Fatalf("tasks %v, error %v", tasks, err)
	}
	if _, _, err := api.World.(*sim.World).UpdateTaskProtection("jobs", tasks[:1], true, time.Hour); err != nil {
		t.Fatal(err)
	}
	got := take(t, s, Scope{})
	if len(got.Unread) > 0 {
		t.Fatalf("unread: %+v", got.Unread)
	}
	c, g := got.Cluster("jobs"), got.Group("jobs-asg")
	if !g.Spot || !g.UserDataKnown || g.UserData != "ECS_CLUSTER=jobs" || !g.ProtectsNew || !g.CapacityRebalance ||
		g.MaxLifetime != 168*time.Hour || !slices.Equal(g.Suspended, []string{"AZRebalance"}) {
		t.Errorf("group: %+v", g)
	}
	if len(g.Refreshes) != 1 || g.Refreshes[0].ScaleInProtected != "Wait" || g.Refreshes[0].Status != "InProgress" {
		t.Errorf("refreshes: %+v", g.Refreshes)
	}
	want := inventory.CapacityProvider{Name: "jobs-cp", Group: "jobs-asg", ManagedScaling: true, TerminationProtection: true,
		ManagedDraining: true, Status: "ACTIVE"}
	if len(c.CapacityProviders) != 1 || c.CapacityProviders[0] != want || len(c.DefaultStrategy) != 1 {
		t.Errorf("capacity providers: %+v, strategy %+v", c.CapacityProviders, c.DefaultStrategy)
	}
	h := c.Hosts[0]
	if h.GPU != 2 || h.Interfaces != 4 || h.Trunk || h.Attributes["tier"] != "fast" || h.CapacityProvider != "jobs-cp" || !slices.Contains(h.Free.UDP, 53) {
		t.Errorf("host: %+v", h)
	}
	d := c.TaskDefinitions[0]
	if d.Memory != 256 || d.GPU != 1 || !slices.Equal(d.HostPorts, []inventory.Port{{Number: 53, UDP: true}}) || len(d.Constraints) != 1 ||
		d.Containers[0].StopTimeout != 90*time.Second || !d.Containers[0].HealthCheck {
		t.Errorf("definition: %+v", d)
	}
	protected := 0
	for _, task := range c.Tasks {
		if task.Protected && task.ProtectedUntil.Equal(got.At.Add(time.Hour)) {
			protected++
		}
	}
	if protected != 1 {
		t.Errorf("%d protected tasks of %+v, want 1", protected, c.Tasks)
	}
}

func TestATaskThatHasStoppedIsNotRead(t *testing.T) {
	s, api := simulated(t, two())
	before := take(t, s, Scope{Clusters: []string{"demo"}})
	if _, err := api.World.(*sim.World).StopTask("demo", string(before.Cluster("demo").Tasks[0].ARN), "by hand"); err != nil {
		t.Fatal(err)
	}
	api.World.Advance(api.World.Now().Add(4 * time.Second)) // the target still drains
	count := func() (all, stopping int) {
		got := take(t, s, Scope{Clusters: []string{"demo"}})
		for _, task := range got.Cluster("demo").Tasks {
			all++
			if task.DesiredStatus == "STOPPED" {
				stopping++
			}
		}
		return all, stopping
	}
	if _, stopping := count(); stopping != 1 {
		t.Errorf("%d tasks are stopping, want the one", stopping)
	}
	api.World.Advance(api.World.Now().Add(time.Minute))
	if all, stopping := count(); stopping != 0 || all != 6 {
		t.Errorf("%d tasks of which %d are stopping, want 6 and none", all, stopping)
	}
}

func TestAScopeTakesWhatBelongsToIt(t *testing.T) {
	s, _ := simulated(t, two())
	all := take(t, s, Scope{})
	id := string(all.Cluster("other").Hosts[0].Instance)
	for name, scope := range map[string]Scope{
		"a cluster":   {Clusters: []string{"other"}},
		"an ARN":      {Clusters: []string{all.Cluster("other").ARN}},
		"a group":     {Groups: []string{"other-asg"}},
		"an instance": {Instance: id},
	} {
		got := take(t, s, scope)
		if len(got.Clusters) != 1 || len(got.Groups) != 1 || got.Cluster("other") == nil || got.Group("other-asg") == nil {
			t.Errorf("%s: %d clusters, %d groups", name, len(got.Clusters), len(got.Groups))
		}
		if len(got.Unread) > 0 {
			t.Errorf("%s: unread: %+v", name, got.Unread)
		}
	}
}

func TestWhatDoesNotExistIsUnread(t *testing.T) {
	s, _ := simulated(t, two())
	got := take(t, s, Scope{Clusters: []string{"demo", "none"}, Groups: []string{"demo-asg", "no-asg"}})
	if len(got.Clusters) != 1 || len(got.Groups) != 1 {
		t.Errorf("%d clusters, %d groups", len(got.Clusters), len(got.Groups))
	}
	if !got.Missed("ecs:DescribeClusters", "cluster none") || !got.Missed("autoscaling:DescribeAutoScalingGroups", "group no-asg") || len(got.Unread) != 2 {
		t.Errorf("unread: %+v", got.Unread)
	}
}

func TestWhatIsRefusedIsUnreadAndTheRestStillComes(t *testing.T) {
	s, _ := simulated(t, two(), "DescribeServices", "DescribeLifecycleHooks")
	got := take(t, s, Scope{})
	if !got.Missed("ecs:DescribeServices", "cluster demo") || !got.Missed("ecs:DescribeServices", "cluster other") ||
		!got.Missed("autoscaling:DescribeLifecycleHooks", "group demo-asg") {
		t.Errorf("unread: %+v", got.Unread)
	}
	if got.Missed("ecs:DescribeTasks", "") || len(got.Cluster("demo").Tasks) != 6 || len(got.Group("demo-asg").Instances) != 4 {
		t.Errorf("the rest did not come: %+v", got.Unread)
	}
	for _, u := range got.Unread {
		if !strings.Contains(u.Error, "AccessDenied") || !strings.Contains(u.Error, "is not authorized") {
			t.Errorf("%s: %s does not say why", u.What, u.Error)
		}
	}
}

func TestNoCredentialsIsAnError(t *testing.T) {
	s, _ := simulated(t, two(), "GetCallerIdentity")
	if _, err := s.Take(t.Context(), Scope{}); err == nil || !strings.Contains(err.Error(), "ask STS whose credentials these are") {
		t.Errorf("error %v", err)
	}
}

func TestAThrottledRequestIsSentAgain(t *testing.T) {
	s, api := simulated(t, two())
	s.pauses = []time.Duration{time.Microsecond}
	throttled := map[string]int{}
	api.Faults = func(r wire.Request) wire.Fault {
		throttled[r.Name()]++
		if throttled[r.Name()] == 1 && r.Service != "sts" {
			return wire.Fault{Kind: wire.Throttle}
		}
		return wire.Fault{}
	}
	if got := take(t, s, Scope{Clusters: []string{"other"}}); len(got.Unread) > 0 || len(got.Groups) != 1 {
		t.Errorf("unread: %+v", got.Unread)
	}
	if throttled["ecs.DescribeClusters"] != 2 {
		t.Errorf("DescribeClusters was sent %d times, want 2", throttled["ecs.DescribeClusters"])
	}
}

func TestABrokenConnectionIsTriedOnceMore(t *testing.T) {
	for broken, unread := range map[int]int{1: 0, 2: 1} {
		s, api := simulated(t, two())
		s.pauses = []time.Duration{time.Microsecond, time.Microsecond, time.Microsecond}
		sent := 0
		api.Faults = func(r wire.Request) wire.Fault {
			if r.Name() == "events.ListRules" {
				if sent++; sent <= broken {
					return wire.Fault{Kind: wire.ErrorBefore}
				}
			}
			return wire.Fault{}
		}
		if got := take(t, s, Scope{Clusters: []string{"other"}}); len(got.Unread) != unread || broken == 2 && sent != 2 {
			t.Errorf("broken %d times: sent %d times, unread %+v", broken, sent, got.Unread)
		}
	}
}

func TestATargetGroupThatHasGoneDoesNotHideTheOthers(t *testing.T) {
	s, _ := simulated(t, two())
	known := take(t, s, Scope{}).TargetGroups
	if len(known) != 2 {
		t.Fatalf("target groups %+v", known)
	}
	gone := string(known[0].ARN) + "-gone"
	l := s.newLook()
	found := l.targetGroups(t.Context(), []string{gone, string(known[1].ARN), string(known[0].ARN)}, func(string) bool { return true })
	if len(found) != 2 || found[0].ARN != known[1].ARN || !found[0].DelayKnown || !found[1].DelayKnown {
		t.Errorf("found %+v", found)
	}
	if len(l.unread) != 1 || l.unread[0].What != "elasticloadbalancing:DescribeTargetGroups of target group "+gone {
		t.Errorf("unread %+v", l.unread)
	}
}

// reads are the names of operations that change nothing.
var reads = regexp.MustCompile(`^(Describe|List|Get)[A-Z]`)

// sources parses the files of this package, tests apart.
func sources(t *testing.T) (files []*ast.File) {
	t.Helper()
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	return files
}

// isClient reports whether an expression is a client of an AWS service, such as l.ECS.
func isClient(e ast.Expr) bool {
	x, ok := e.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	if of, ok := x.X.(*ast.Ident); !ok || of.Name != "l" && of.Name != "s" { // the look and its Collector
		return false
	}
	field, ok := reflect.TypeFor[Collector]().FieldByName(x.Sel.Name)
	return ok && field.Type.Kind() == reflect.Pointer && field.Type.Elem().Name() == "Client"
}

func TestOnlyReadsAreAsked(t *testing.T) {
	called := map[string]bool{}
	for _, file := range sources(t) {
		ast.Inspect(file, func(n ast.Node) bool {
			if x, ok := n.(*ast.SelectorExpr); ok && isClient(x.X) {
				called[x.Sel.Name] = true
			}
			if x, ok := n.(*ast.CallExpr); ok && slices.ContainsFunc(x.Args, isClient) { // a function of cloud reads with the client
				called[x.Fun.(*ast.SelectorExpr).Sel.Name] = true
			}
			return true
		})
	}
	if len(called) < 20 {
		t.Errorf("only %d operations are in the code: %v", len(called), called)
	}
	for name := range called {
		if !reads.MatchString(name) {
			t.Errorf("%s is not a read", name)
		}
	}
	s, api := simulated(t, two())
	take(t, s, Scope{})
	counts := api.Counts()
	if len(counts) < 15 {
		t.Errorf("only %d operations were asked: %v", len(counts), counts)
	}
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		if _, operation, _ := strings.Cut(name, "."); !reads.MatchString(operation) {
			t.Errorf("%s is not a read", name)
		}
	}
}
