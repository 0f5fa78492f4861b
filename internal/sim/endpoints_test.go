package sim

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/ecs"
	"github.com/ebbhq/ebb/internal/sim/elb"
)

// edge is a task definition with two ports, the second of its sidecar.
func edge(network string) ecs.TaskDefinition {
	return ecs.TaskDefinition{Family: "edge", Network: network, Port: 8080, Exit: 2 * time.Second, Containers: []ecs.Container{{Name: "envoy"}},
		Ports: []ecs.Port{{Port: 53, UDP: true}, {Port: 9901, Container: "envoy"}}}
}

// targets are the targets of a target group by its name.
func (b bench) targets(name string) []elb.Target {
	b.t.Helper()
	groups, err := b.DescribeTargetGroups(nil, []string{name})
	b.must(err)
	all, err := b.DescribeTargetHealth(groups[0].ARN, nil)
	b.must(err)
	return all
}

// A service can have several target groups, each with a container and a port of its own.
func TestSeveralTargetGroups(t *testing.T) {
	for _, network := range []string{"awsvpc", "bridge", "host"} {
		b := small(t, 1, func(s *Spec) {
			addBalancer(s, "web-tg", 20*time.Second)
			addBalancer(s, "admin-tg", 40*time.Second)
			s.TaskDefinitions = append(s.TaskDefinitions, edge(network))
			addService(s, ServiceSpec{Name: "edge", Task: "edge", Desired: 1, Min: 0, Max: 100, Balancers: []BalancerSpec{
				{TargetGroup: "web-tg"}, {TargetGroup: "admin-tg", Container: "envoy", Port: 9901}}})
		})
		task := b.Tasks("prod")[0]
		for i, want := range []struct {
			group, container string
			port             int
		}{{"web-tg", "edge", 8080}, {"admin-tg", "envoy", 9901}} {
			id, port := task.IP, want.port
			if network != "awsvpc" {
				at := slices.IndexFunc(task.Bindings, func(p ecs.Port) bool { return p.Port == want.port })
				id, port = task.Instance, task.Bindings[at].HostPort
			}
			if got := b.targets(want.group); len(got) != 1 || got[0].ID != id || got[0].Port != port || got[0].Task != task.ARN {
				t.Errorf("%s: %s has %+v, want %s:%d", network, want.group, got, id, port)
			}
			if entry := b.service("edge").TargetGroups[i]; entry.Container != want.container || entry.Port != want.port {
				t.Errorf("%s: entry %+v, want %+v", network, entry, want)
			}
		}
		// The task gets SIGTERM when it is in none of them any more.
		from := b.Now()
		_, err := b.StopTask("prod", task.ARN, "")
		b.must(err)
		b.pass(2 * time.Minute)
		if at := b.at(core.EntryTask, func(e core.Entry) bool { return e.Task == task.ARN && e.To == "STOPPING" }); at.Sub(from) != 40*time.Second {
			t.Errorf("%s: SIGTERM after %s, want 40 s, the longer delay", network, at.Sub(from))
		}
	}
}

func TestTargetGroupsThatCannotBe(t *testing.T) {
	for want, change := range map[string]func(*ServiceSpec){
		"name all target groups in":    func(v *ServiceSpec) { v.TargetGroup, v.Balancers = "tg", []BalancerSpec{{TargetGroup: "tg"}} },
		"which task definition \"edge": func(v *ServiceSpec) { v.Balancers = []BalancerSpec{{TargetGroup: "tg", Port: 9901}} },
		"wants port 8080 of the con": func(v *ServiceSpec) {
			v.Balancers = []BalancerSpec{{TargetGroup: "tg", Port: 8080, Container: "envoy"}}
		},
		"wants port 53 of":            func(v *ServiceSpec) { v.Balancers = []BalancerSpec{{TargetGroup: "tg", Port: 53}} },
		"it must be gateway or expre": func(v *ServiceSpec) { v.Ingress = []IngressSpec{{Kind: "route"}} },
		`ingress: there is no target`: func(v *ServiceSpec) { v.Ingress = []IngressSpec{{BalancerSpec: BalancerSpec{TargetGroup: "x"}}} },
		`by_hand: there is no target`: func(v *ServiceSpec) { v.ByHand = []BalancerSpec{{TargetGroup: "x"}} },
	} {
		v := ServiceSpec{Name: "web", Cluster: "prod", Task: "edge", Desired: 1}
		change(&v)
		_, err := Build(Spec{Clusters: []ClusterSpec{{Name: "prod"}}, TargetGroups: []TargetGroupSpec{{Name: "tg"}},
			TaskDefinitions: []ecs.TaskDefinition{edge("")}, Services: []ServiceSpec{v}})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", v, err, want)
		}
	}
	d := edge("")
	d.Ports[1].Container = "none"
	if err := ecs.CheckDefinition(d); err == nil || !strings.Contains(err.Error(), `the container "none"`) {
		t.Errorf("a port of no container: %v", err)
	}
}

// revisions are the revisions of a service, the newest first, as its description names them.
func (b bench) revisions(service string) []ecs.Revision {
	b.t.Helper()
	var arns []string
	v := b.service(service)
	for _, d := range v.Deployments {
		arns = append(arns, strings.Replace(v.ARN, ":service/", ":service-revision/", 1)+"/"+core.LastPart(d.ID))
	}
	found, failures, err := b.DescribeServiceRevisions(arns)
	if err != nil || len(failures) > 0 {
		b.t.Fatalf("%+v %v", failures, err)
	}
	return found
}

// During a blue/green deployment each revision says in which of the two target groups its tasks are, and the id of the revision is the one
// that its tasks were started by.
func TestRevisionsTellTheGroup(t *testing.T) {
	b := small(t, 4, func(s *Spec) {
		addBalancer(s, "blue", 20*time.Second)
		addBalancer(s, "green", 20*time.Second)
		addBalancer(s, "shared", 20*time.Second)
		s.TaskDefinitions = append(s.TaskDefinitions, ecs.TaskDefinition{Family: "next", Port: 8080})
		addService(s, ServiceSpec{Name: "web", Task: "web", Desired: 4, Min: 100, Max: 150, Balancers: []BalancerSpec{
			{TargetGroup: "blue", Alternate: "green"}, {TargetGroup: "shared"}}})
	})
	_, err := b.UpdateService("prod", "web", nil, "next")
	b.must(err)
	b.pass(20 * time.Second)
	both := b.revisions("web")
	if len(both) != 2 || both[0].InAlternate == both[1].InAlternate || both[0].Definition != "next:1" || both[1].Definition != "web:1" {
		t.Fatalf("revisions %+v", both)
	}
	checked := 0
	for _, task := range b.Tasks("prod") {
		if task.LastStatus != "RUNNING" {
			continue
		}
		group := "blue"
		if task.StartedBy == both[0].ID {
			group = "green"
		}
		here := func(x elb.Target) bool { return x.Task == task.ARN }
		if !slices.ContainsFunc(b.targets(group), here) || !slices.ContainsFunc(b.targets("shared"), here) {
			t.Errorf("a task of %s is not in %s and shared", task.Definition, group)
		}
		checked++
	}
	if checked < 4 {
		t.Errorf("only %d tasks run", checked)
	}
	found, failures, err := b.DescribeServiceRevisions([]string{both[0].ARN + "0", "arn:aws:ecs:eu-west-1:111122223333:service-revision/prod/x/1"})
	if err != nil || len(found) != 0 || len(failures) != 2 || failures[0].Reason != "MISSING" {
		t.Errorf("unknown ones: %+v %+v %v", found, failures, err)
	}
	_, _, err = b.DescribeServiceRevisions(make([]string, 21))
	b.wantError(err, "InvalidParameterException", "at most 20")
}

// What an ECS gateway made, and what somebody registered by hand, has the task behind it; only the first leaves with it.
func TestTargetsThatTheServiceDoesNotName(t *testing.T) {
	b := small(t, 2, func(s *Spec) {
		addBalancer(s, "gateway-tg", 20*time.Second)
		addBalancer(s, "hand-tg", 20*time.Second)
		s.TaskDefinitions = append(s.TaskDefinitions, edge("awsvpc"))
		addService(s, ServiceSpec{Name: "edge", Task: "edge", Desired: 1, Min: 0, Max: 100,
			Ingress: []IngressSpec{{BalancerSpec: BalancerSpec{TargetGroup: "gateway-tg"}}},
			ByHand:  []BalancerSpec{{TargetGroup: "hand-tg", Port: 9901, Container: "envoy"}}})
	})
	if v := b.service("edge"); len(v.TargetGroups) != 0 || len(v.Ingress) != 1 {
		t.Errorf("service %+v, want no target group", v)
	}
	task := b.Tasks("prod")[0]
	for _, group := range []string{"gateway-tg", "hand-tg"} {
		if got := b.targets(group); len(got) != 1 || got[0].ID != task.IP || got[0].State != "healthy" {
			t.Errorf("%s has %+v, want %s", group, got, task.IP)
		}
	}
	by := b.entries(core.EntryTarget, func(e core.Entry) bool { return e.TargetGroup == "hand-tg" })[0]
	if by.By != "operator" || by.Task != task.ARN {
		t.Errorf("registered by %+v, want by an operator", by)
	}
	b.SetCaller("somebody")
	_, err := b.StopTask("prod", task.ARN, "")
	b.must(err)
	b.SetCaller("aws")
	b.pass(time.Minute)
	b.wantCourse(core.EntryTarget, func(e core.Entry) bool { return e.Task == task.ARN && e.TargetGroup == "gateway-tg" }, "initial healthy draining unused")
	b.wantCourse(core.EntryTarget, func(e core.Entry) bool { return e.Task == task.ARN && e.TargetGroup == "hand-tg" }, "initial healthy unhealthy")
	draining := b.entries(core.EntryTarget, func(e core.Entry) bool { return e.Task == task.ARN && e.To == "draining" })
	if len(draining) != 1 || draining[0].By != "ecs" {
		t.Errorf("deregistered: %+v; want by ECS, whoever stopped the task", draining)
	}
	// Somebody else than ECS can take it out.
	groups, err := b.DescribeTargetGroups(nil, []string{"hand-tg"})
	b.must(err)
	b.must(b.DeregisterTargets(groups[0].ARN, []elb.Target{{ID: task.IP, Port: 9901}}))
	b.pass(time.Minute)
	b.wantCourse(core.EntryTarget, func(e core.Entry) bool { return e.Task == task.ARN && e.TargetGroup == "hand-tg" },
		"initial healthy unhealthy draining unused")
}

// The network interface of a task names its subnet, and the subnet the VPC of its host.
func TestSubnets(t *testing.T) {
	b := small(t, 1, func(s *Spec) {
		s.Groups[0].Launch.VPC = "vpc-0123"
		s.TargetGroups = append(s.TargetGroups, TargetGroupSpec{Name: "far", VPC: "vpc-0123"}, TargetGroupSpec{Name: "near"})
		s.TaskDefinitions = append(s.TaskDefinitions, edge("awsvpc"))
		s.Tasks = []TaskSpec{{Cluster: "prod", Task: "edge"}}
	})
	task := b.Tasks("prod")[0]
	found, err := b.DescribeSubnets([]string{task.Subnet})
	if err != nil || len(found) != 1 || found[0].VPC != "vpc-0123" || found[0].Zone != b.Instances()[0].Zone {
		t.Errorf("subnet of the task: %+v %v", found, err)
	}
	groups, err := b.DescribeTargetGroups(nil, []string{"far", "near"})
	if err != nil || groups[0].VPC != "vpc-0123" || groups[1].VPC != core.DefaultVPC {
		t.Errorf("target groups %+v %v", groups, err)
	}
	if all, _ := b.DescribeSubnets(nil); len(all) != 6 {
		t.Errorf("subnets %+v, want three in each of two VPCs", all)
	}
	_, err = b.DescribeSubnets([]string{"subnet-0"})
	b.wantError(err, "InvalidSubnetID.NotFound", "subnet-0")
}
