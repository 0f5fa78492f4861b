package cloud

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	creds "github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/wire"
)

// handled answers requests with a handler, without a network.
type handled struct{ http.Handler }

func (h handled) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result(), nil
}

// simulated is a Cloud of the SDK's own clients on the demo world, with pages of one item.
func simulated(t *testing.T) (*Cloud, *sim.World) {
	t.Helper()
	world, err := sim.Build(sim.Demo())
	if err != nil {
		t.Fatal(err)
	}
	api := wire.New(wire.Config{World: world, Strict: true, PageSize: 1})
	return FromConfig(aws.Config{
		Region: "eu-west-1", Credentials: creds.NewStaticCredentialsProvider("ebb", "secret", ""), BaseEndpoint: aws.String("http://sim.invalid"),
		HTTPClient: &http.Client{Transport: handled{api.Handler()}}, Retryer: func() aws.Retryer { return aws.NopRetryer{} },
	}), world
}

func look(t *testing.T, c *Cloud, l plan.Look) plan.View {
	t.Helper()
	s := c.Look(t.Context(), l)
	if s.Err != nil || s.Failed != nil || s.Calls == 0 {
		t.Fatalf("%s: error %v, failed %v, %d calls", l.Kind, s.Err, s.Failed, s.Calls)
	}
	return s.View
}

func do(t *testing.T, c *Cloud, a plan.Action) {
	t.Helper()
	if out := c.Do(t.Context(), a); out.Err != nil || out.Failed != nil || out.Calls != 1 {
		t.Fatalf("%s: %+v", a.Kind, out)
	}
}

// tasksOn lists the tasks of a container instance and looks at them.
func tasksOn(t *testing.T, c *Cloud, kind plan.LookKind, on fleet.ARN) []fleet.Task {
	t.Helper()
	var arns []fleet.ARN
	for _, l := range look(t, c, plan.LookFor(kind, "demo", on)).Listed {
		arns = append(arns, l.Task)
	}
	if arns == nil {
		return nil
	}
	return look(t, c, plan.LookFor(plan.Tasks, "demo", arns...)).Tasks
}

// One drain by hand, with the requests and answers of the real protocols.
func TestADrainOnTheSimulatedCloud(t *testing.T) {
	c, world := simulated(t)
	groups := look(t, c, plan.Look{Kind: plan.Groups}).Groups
	if len(groups) != 1 || len(groups[0].Instances) != 4 || groups[0].Name != "demo-asg" {
		t.Fatalf("groups: %+v", groups)
	}
	id := groups[0].Instances[0].ID
	found := look(t, c, plan.LookFor(plan.FindContainerInstances, "", id, "i-0ffffffffffffffff")).ContainerInstances
	if len(found) != 1 || found[0].Instance != id || found[0].Cluster != "demo" || found[0].Status != fleet.Active {
		t.Fatalf("container instances: %+v", found)
	}
	tasks := tasksOn(t, c, plan.ListRunning, found[0].ARN)
	if len(tasks) == 0 || len(tasks) != found[0].Running {
		t.Fatalf("%d tasks, the container instance says %d", len(tasks), found[0].Running)
	}
	target := targetOf(t, c, id, tasks[0])
	if state := healthOf(t, c, target); state != "healthy" {
		t.Errorf("the target of a running task is %s", state)
	}

	if _, err := world.TerminateInstanceInAutoScalingGroup(string(id), false); err != nil {
		t.Fatal(err)
	}
	world.Advance(world.Now().Add(time.Second))
	acts := look(t, c, plan.Look{Kind: plan.Activities, In: "demo-asg"}).Activities
	if len(acts) != 1 || acts[0].Instance != id {
		t.Errorf("activities: %+v", acts)
	}
	do(t, c, plan.Action{Kind: plan.SetDraining, State: &plan.StateChange{Cluster: "demo", ContainerInstances: []fleet.ARN{found[0].ARN}}})
	do(t, c, plan.Action{Kind: plan.Beat, Hook: &plan.HookCall{Group: "demo-asg", Hook: "ebb-drain", Instance: id}})
	world.Advance(world.Now().Add(25 * time.Second))
	do(t, c, plan.Action{Kind: plan.Beat, Hook: &plan.HookCall{Group: "demo-asg", Hook: "ebb-drain", Instance: id}})
	world.Advance(world.Now().Add(25 * time.Second))
	stopped := tasksOn(t, c, plan.ListStopped, found[0].ARN)
	if len(stopped) != len(tasks) || len(tasksOn(t, c, plan.ListRunning, found[0].ARN)) != 0 {
		t.Errorf("%d of %d tasks are listed as stopped", len(stopped), len(tasks))
	}
	for _, task := range stopped {
		if task.Live() || task.StoppingAt.IsZero() {
			t.Errorf("task %s is %s, stopping since %s", task.ARN, task.LastStatus, task.StoppingAt)
		}
	}
	if state := healthOf(t, c, target); state != "unused" {
		t.Errorf("the target of a stopped task is %s", state)
	}
	answer := plan.Action{Kind: plan.Answer, Hook: &plan.HookCall{Group: "demo-asg", Hook: "ebb-drain", Instance: id, Result: "CONTINUE"}}
	do(t, c, answer)
	if out := c.Do(t.Context(), answer); out.Err == nil || out.Err.Class != plan.Gone {
		t.Errorf("the second answer: %+v, want gone", out)
	}
	world.Advance(world.Now().Add(5 * time.Minute))
	instances := look(t, c, plan.LookFor(plan.Instances, "", "i-0ffffffffffffffff", id)).Instances
	diff(t, "instances", []plan.InstanceStatus{{ID: id, State: fleet.StateTerminated, VPC: "vpc-0ebb5e1f0a1c2d3e4"}}, instances)
	if left := look(t, c, plan.LookFor(plan.GroupInstances, "", id)).GroupInstances; left != nil {
		t.Errorf("the group still has %+v", left)
	}
}

// targetOf is the look at the target of a task in bridge mode.
func targetOf(t *testing.T, c *Cloud, id fleet.InstanceID, task fleet.Task) plan.Look {
	t.Helper()
	services := look(t, c, plan.LookFor(plan.Services, "demo", task.Service())).Services
	if len(services) != 1 || len(services[0].LoadBalancers) != 1 || len(task.Addresses) != 1 {
		t.Fatalf("service %+v of task %+v", services, task)
	}
	return plan.LookAt(plan.Subject{
		Kind: plan.Targets, In: string(services[0].LoadBalancers[0].TargetGroup), ID: string(id), Port: task.Addresses[0].HostPort,
	})
}

func healthOf(t *testing.T, c *Cloud, l plan.Look) string {
	t.Helper()
	health := look(t, c, l).Health
	if len(health) != 1 || health[0].Target.ID != l.Subjects[0].ID || health[0].Target.Port != l.Subjects[0].Port {
		t.Fatalf("health: %+v", health)
	}
	return health[0].State
}

func TestWhatTheSimulatedCloudDoesNotHave(t *testing.T) {
	c, _ := simulated(t)
	for _, l := range []plan.Look{
		{Kind: plan.Hooks, In: "none"},
		plan.LookFor(plan.Tasks, "none", "arn:aws:ecs:eu-west-1:111122223333:task/none/1"),
	} {
		if s := c.Look(t.Context(), l); s.Err == nil || s.Err.Class != plan.Gone {
			t.Errorf("%s: error %v, want gone", l.Kind, s.Err)
		}
	}
	s := c.Look(t.Context(), plan.LookFor(plan.Tasks, "demo", "arn:aws:ecs:eu-west-1:111122223333:task/demo/0123456789abcdef0123456789abcdef"))
	if s.Err != nil || s.Failed != nil || s.View.Tasks != nil {
		t.Errorf("a task that is missing: %+v, want it absent", s)
	}
}
