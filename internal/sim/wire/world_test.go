package wire

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	astypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/smithy-go"

	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/core"
	simecs "github.com/ebbhq/ebb/internal/sim/ecs"
)

const (
	demo  = "demo"
	group = "demo-asg"
	hook  = "ebb-drain"
)

// demoAPI is an API over the demo world.
func demoAPI(t *testing.T, change func(*Config)) *API {
	t.Helper()
	world, err := sim.Build(sim.Demo())
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{World: world, Strict: true}
	if change != nil {
		change(&cfg)
	}
	return New(cfg)
}

// face is what a drain by hand needs, as the SDK's clients have it.
type face struct {
	as interface {
		DescribeAutoScalingGroups(context.Context, *autoscaling.DescribeAutoScalingGroupsInput,
			...func(*autoscaling.Options)) (*autoscaling.DescribeAutoScalingGroupsOutput, error)
		DescribeAutoScalingInstances(context.Context, *autoscaling.DescribeAutoScalingInstancesInput,
			...func(*autoscaling.Options)) (*autoscaling.DescribeAutoScalingInstancesOutput, error)
		TerminateInstanceInAutoScalingGroup(context.Context, *autoscaling.TerminateInstanceInAutoScalingGroupInput,
			...func(*autoscaling.Options)) (*autoscaling.TerminateInstanceInAutoScalingGroupOutput, error)
		CompleteLifecycleAction(context.Context, *autoscaling.CompleteLifecycleActionInput,
			...func(*autoscaling.Options)) (*autoscaling.CompleteLifecycleActionOutput, error)
		PutLifecycleHook(context.Context, *autoscaling.PutLifecycleHookInput, ...func(*autoscaling.Options)) (*autoscaling.PutLifecycleHookOutput, error)
		DescribeLifecycleHooks(context.Context, *autoscaling.DescribeLifecycleHooksInput,
			...func(*autoscaling.Options)) (*autoscaling.DescribeLifecycleHooksOutput, error)
	}
	ecs interface {
		ListContainerInstances(context.Context, *ecs.ListContainerInstancesInput, ...func(*ecs.Options)) (*ecs.ListContainerInstancesOutput, error)
		DescribeContainerInstances(context.Context, *ecs.DescribeContainerInstancesInput, ...func(*ecs.Options)) (*ecs.DescribeContainerInstancesOutput, error)
		UpdateContainerInstancesState(context.Context, *ecs.UpdateContainerInstancesStateInput,
			...func(*ecs.Options)) (*ecs.UpdateContainerInstancesStateOutput, error)
		ListTasks(context.Context, *ecs.ListTasksInput, ...func(*ecs.Options)) (*ecs.ListTasksOutput, error)
		DescribeTasks(context.Context, *ecs.DescribeTasksInput, ...func(*ecs.Options)) (*ecs.DescribeTasksOutput, error)
		DescribeServices(context.Context, *ecs.DescribeServicesInput, ...func(*ecs.Options)) (*ecs.DescribeServicesOutput, error)
		RunTask(context.Context, *ecs.RunTaskInput, ...func(*ecs.Options)) (*ecs.RunTaskOutput, error)
	}
	elb interface {
		DescribeTargetHealth(context.Context, *elb.DescribeTargetHealthInput, ...func(*elb.Options)) (*elb.DescribeTargetHealthOutput, error)
		DescribeTargetGroups(context.Context, *elb.DescribeTargetGroupsInput, ...func(*elb.Options)) (*elb.DescribeTargetGroupsOutput, error)
	}
}

// onBothFaces runs a test on the direct face and over HTTP with the SDK's clients.
func onBothFaces(t *testing.T, test func(*testing.T, *API, face)) {
	t.Run("direct", func(t *testing.T) {
		api := demoAPI(t, nil)
		test(t, api, face{directScaling{api}, directECS{api}, directELB{api}})
	})
	t.Run("http", func(t *testing.T) {
		api := demoAPI(t, nil)
		cfg := config(api.Handler())
		test(t, api, face{autoscaling.NewFromConfig(cfg), ecs.NewFromConfig(cfg), elb.NewFromConfig(cfg)})
	})
}

func (f face) groupOf(t *testing.T) astypes.AutoScalingGroup {
	t.Helper()
	out := must[*autoscaling.DescribeAutoScalingGroupsOutput](t)(f.as.DescribeAutoScalingGroups(t.Context(),
		&autoscaling.DescribeAutoScalingGroupsInput{AutoScalingGroupNames: []string{group, "no-such-group"}}))
	if len(out.AutoScalingGroups) != 1 {
		t.Fatalf("%d groups, want 1", len(out.AutoScalingGroups))
	}
	return out.AutoScalingGroups[0]
}

func (f face) stateOf(t *testing.T, id string) string {
	t.Helper()
	out := must[*autoscaling.DescribeAutoScalingInstancesOutput](t)(f.as.DescribeAutoScalingInstances(t.Context(),
		&autoscaling.DescribeAutoScalingInstancesInput{InstanceIds: []string{id}}))
	if len(out.AutoScalingInstances) == 0 {
		return ""
	}
	if health := *out.AutoScalingInstances[0].HealthStatus; health != "HEALTHY" { // in capitals, unlike that of the group's instances
		t.Errorf("%s is %s", id, health)
	}
	return *out.AutoScalingInstances[0].LifecycleState
}

// tasksOn are the tasks of a container instance with one desired status.
func (f face) tasksOn(t *testing.T, arn string, desired ecstypes.DesiredStatus) []ecstypes.Task {
	t.Helper()
	list := must[*ecs.ListTasksOutput](t)(f.ecs.ListTasks(t.Context(), &ecs.ListTasksInput{Cluster: new(demo), ContainerInstance: &arn, DesiredStatus: desired}))
	if len(list.TaskArns) == 0 {
		return nil
	}
	return must[*ecs.DescribeTasksOutput](t)(f.ecs.DescribeTasks(t.Context(), &ecs.DescribeTasksInput{Cluster: new(demo), Tasks: list.TaskArns})).Tasks
}

// advance moves the world in steps of a second until done, for at most five minutes.
func advance(t *testing.T, api *API, what string, done func() bool) {
	t.Helper()
	for range 300 {
		if done() {
			return
		}
		api.World.Advance(api.World.Now().Add(time.Second))
	}
	t.Fatalf("five minutes later still not: %s", what)
}

// TestDrainByHand takes one instance out of service with nothing but API calls.
func TestDrainByHand(t *testing.T) {
	onBothFaces(t, func(t *testing.T, api *API, f face) {
		id := *f.groupOf(t).Instances[0].InstanceId
		complete := &autoscaling.CompleteLifecycleActionInput{
			AutoScalingGroupName: new(group), LifecycleHookName: new(hook), InstanceId: &id, LifecycleActionResult: new("CONTINUE"),
		}
		_, err := f.as.CompleteLifecycleAction(t.Context(), complete)
		wantCode(t, err, "ValidationError", "No active Lifecycle Action found")

		ended := must[*autoscaling.TerminateInstanceInAutoScalingGroupOutput](t)(f.as.TerminateInstanceInAutoScalingGroup(t.Context(),
			&autoscaling.TerminateInstanceInAutoScalingGroupInput{InstanceId: &id, ShouldDecrementDesiredCapacity: new(false)}))
		if core.Deref(ended.Activity.ActivityId) == "" {
			t.Error("the activity has no id")
		}
		advance(t, api, "Terminating:Wait", func() bool { return f.stateOf(t, id) == "Terminating:Wait" })

		found := must[*ecs.ListContainerInstancesOutput](t)(f.ecs.ListContainerInstances(t.Context(),
			&ecs.ListContainerInstancesInput{Cluster: new(demo), Filter: new("ec2InstanceId == " + id)}))
		if len(found.ContainerInstanceArns) != 1 {
			t.Fatalf("%d container instances on %s", len(found.ContainerInstanceArns), id)
		}
		arn := found.ContainerInstanceArns[0]
		drained := must[*ecs.UpdateContainerInstancesStateOutput](t)(f.ecs.UpdateContainerInstancesState(t.Context(),
			&ecs.UpdateContainerInstancesStateInput{Cluster: new(demo), ContainerInstances: []string{arn, "no-such"}, Status: "DRAINING"}))
		if len(drained.ContainerInstances) != 1 || *drained.ContainerInstances[0].Status != "DRAINING" || len(drained.Failures) != 1 ||
			*drained.Failures[0].Reason != "MISSING" {
			t.Errorf("set to DRAINING: %+v, failures %+v", drained.ContainerInstances, drained.Failures)
		}
		advance(t, api, "all tasks STOPPED", func() bool {
			stopped := !slices.ContainsFunc(f.tasksOn(t, arn, "STOPPED"), func(k ecstypes.Task) bool { return *k.LastStatus != "STOPPED" })
			return stopped && len(f.tasksOn(t, arn, "RUNNING")) == 0
		})
		must[*autoscaling.CompleteLifecycleActionOutput](t)(f.as.CompleteLifecycleAction(t.Context(), complete))
		advance(t, api, "out of the group", func() bool { return f.stateOf(t, id) == "" })
		_, err = f.as.CompleteLifecycleAction(t.Context(), complete)
		wantCode(t, err, "ValidationError", "No active Lifecycle Action found")
	})
}

func wantCode(t *testing.T, err error, code, message string) {
	t.Helper()
	var e smithy.APIError
	if !errors.As(err, &e) || e.ErrorCode() != code || !strings.Contains(e.ErrorMessage(), message) {
		t.Errorf("got %v, want %s with %q", err, code, message)
	}
}

// TestTaskShape checks what a controller reads out of tasks, targets and services.
func TestTaskShape(t *testing.T) {
	onBothFaces(t, func(t *testing.T, _ *API, f face) {
		all := must[*ecs.ListTasksOutput](t)(f.ecs.ListTasks(t.Context(), &ecs.ListTasksInput{Cluster: new(demo), ServiceName: new("web")}))
		if len(all.TaskArns) == 0 {
			t.Fatal("service web has no tasks")
		}
		tasks := must[*ecs.DescribeTasksOutput](t)(f.ecs.DescribeTasks(t.Context(), &ecs.DescribeTasksInput{Cluster: new(demo), Tasks: all.TaskArns})).Tasks
		web := must[*ecs.DescribeServicesOutput](t)(f.ecs.DescribeServices(t.Context(), &ecs.DescribeServicesInput{Cluster: new(demo),
			Services: []string{"web"}})).Services[0]
		health := must[*elb.DescribeTargetHealthOutput](t)(f.elb.DescribeTargetHealth(t.Context(),
			&elb.DescribeTargetHealthInput{TargetGroupArn: web.LoadBalancers[0].TargetGroupArn}))
		var ports []int32
		for _, h := range health.TargetHealthDescriptions {
			if h.TargetHealth.State != "healthy" {
				t.Errorf("target %s is %s", *h.Target.Id, h.TargetHealth.State)
			}
			ports = append(ports, *h.Target.Port)
		}
		for _, k := range tasks {
			if *k.Group != "service:web" || *k.LastStatus != "RUNNING" || !strings.Contains(*k.TaskDefinitionArn, ":task-definition/web:") ||
				!strings.HasSuffix(*k.ClusterArn, ":cluster/demo") {
				t.Errorf("task %s: group %s, %s, %s, %s", *k.TaskArn, *k.Group, *k.LastStatus, *k.TaskDefinitionArn, *k.ClusterArn)
			}
			if b := k.Containers[0].NetworkBindings; len(b) != 1 || !slices.Contains(ports, *b[0].HostPort) {
				t.Errorf("task %s is bound to %+v, but its targets have the ports %v", *k.TaskArn, b, ports)
			}
		}
	})
}

// TestHookUpdateKeepsTheRest changes one member of a hook.
func TestHookUpdateKeepsTheRest(t *testing.T) {
	onBothFaces(t, func(t *testing.T, _ *API, f face) {
		ask := &autoscaling.DescribeLifecycleHooksInput{AutoScalingGroupName: new(group), LifecycleHookNames: []string{hook}}
		before := must[*autoscaling.DescribeLifecycleHooksOutput](t)(f.as.DescribeLifecycleHooks(t.Context(), ask)).LifecycleHooks[0]
		put := &autoscaling.PutLifecycleHookInput{AutoScalingGroupName: new(group), LifecycleHookName: new(hook), HeartbeatTimeout: new(int32(60))}
		must[*autoscaling.PutLifecycleHookOutput](t)(f.as.PutLifecycleHook(t.Context(), put))
		after := must[*autoscaling.DescribeLifecycleHooksOutput](t)(f.as.DescribeLifecycleHooks(t.Context(), ask)).LifecycleHooks[0]
		if *after.HeartbeatTimeout != 60 || *after.GlobalTimeout != 6000 {
			t.Errorf("heartbeat %d s, global %d s", *after.HeartbeatTimeout, *after.GlobalTimeout)
		}
		if *after.DefaultResult != *before.DefaultResult || *after.NotificationTargetARN != *before.NotificationTargetARN ||
			*after.LifecycleTransition != *before.LifecycleTransition {
			t.Errorf("the rest of the hook changed: %+v", after)
		}
		put.NotificationTargetARN = new("")
		must[*autoscaling.PutLifecycleHookOutput](t)(f.as.PutLifecycleHook(t.Context(), put))
		if after := must[*autoscaling.DescribeLifecycleHooksOutput](t)(f.as.DescribeLifecycleHooks(t.Context(),
			ask)).LifecycleHooks[0]; after.NotificationTargetARN != nil {
			t.Errorf("an empty string leaves the target %s", *after.NotificationTargetARN)
		}
		put.HeartbeatTimeout = new(int32(29))
		_, err := f.as.PutLifecycleHook(t.Context(), put)
		wantCode(t, err, "ValidationError", "HeartbeatTimeout")
	})
}

func TestRunTaskOnce(t *testing.T) {
	onBothFaces(t, func(t *testing.T, _ *API, f face) {
		run := &ecs.RunTaskInput{Cluster: new(demo), TaskDefinition: new("web"), ClientToken: new("once")}
		first := must[*ecs.RunTaskOutput](t)(f.ecs.RunTask(t.Context(), run))
		again := must[*ecs.RunTaskOutput](t)(f.ecs.RunTask(t.Context(), run))
		run.ClientToken = new("twice")
		other := must[*ecs.RunTaskOutput](t)(f.ecs.RunTask(t.Context(), run))
		if *first.Tasks[0].TaskArn != *again.Tasks[0].TaskArn || *first.Tasks[0].TaskArn == *other.Tasks[0].TaskArn {
			t.Errorf("first %s, again %s, other %s", *first.Tasks[0].TaskArn, *again.Tasks[0].TaskArn, *other.Tasks[0].TaskArn)
		}
	})
}

// TestRefusals checks the refusals that come before the world is asked.
func TestRefusals(t *testing.T) {
	onBothFaces(t, func(t *testing.T, _ *API, f face) {
		eleven := slices.Repeat([]string{"x"}, 11)
		_, err := f.ecs.UpdateContainerInstancesState(t.Context(), &ecs.UpdateContainerInstancesStateInput{Cluster: new(demo),
			ContainerInstances: eleven, Status: "DRAINING"})
		wantCode(t, err, "InvalidParameterException", "more than 10")
		_, err = f.ecs.UpdateContainerInstancesState(t.Context(), &ecs.UpdateContainerInstancesStateInput{Cluster: new(demo),
			ContainerInstances: eleven[:1], Status: "INACTIVE"})
		wantCode(t, err, "InvalidParameterException", "DRAINING")
		_, err = f.ecs.DescribeServices(t.Context(), &ecs.DescribeServicesInput{Cluster: new(demo), Services: eleven})
		wantCode(t, err, "InvalidParameterException", "more than 10")
		_, err = f.ecs.ListTasks(t.Context(), &ecs.ListTasksInput{Cluster: new(demo), MaxResults: new(int32(101))})
		wantCode(t, err, "InvalidParameterException", "maxResults")
		_, err = f.ecs.ListTasks(t.Context(), &ecs.ListTasksInput{Cluster: new(demo), NextToken: new("nonsense")})
		wantCode(t, err, "InvalidParameterException", "nonsense")
		_, err = f.ecs.ListTasks(t.Context(), &ecs.ListTasksInput{Cluster: new("no-such")})
		if _, ok := errors.AsType[*ecstypes.ClusterNotFoundException](err); !ok {
			t.Errorf("unknown cluster: %v", err)
		}
		_, err = f.as.DescribeAutoScalingGroups(t.Context(), &autoscaling.DescribeAutoScalingGroupsInput{NextToken: new("nonsense")})
		wantCode(t, err, "InvalidNextToken", "nonsense")
		_, err = f.as.DescribeAutoScalingInstances(t.Context(), &autoscaling.DescribeAutoScalingInstancesInput{InstanceIds: slices.Repeat([]string{"i-1"}, 51)})
		wantCode(t, err, "ValidationError", "50")
		_, err = f.as.CompleteLifecycleAction(t.Context(), &autoscaling.CompleteLifecycleActionInput{AutoScalingGroupName: new(group),
			LifecycleHookName: new(hook), LifecycleActionResult: new("RETRY"), InstanceId: new("i-1")})
		wantCode(t, err, "ValidationError", "RETRY")
		_, err = f.as.CompleteLifecycleAction(t.Context(), &autoscaling.CompleteLifecycleActionInput{AutoScalingGroupName: new(group),
			LifecycleHookName: new(hook), LifecycleActionResult: new("CONTINUE"), LifecycleActionToken: new("short")})
		wantCode(t, err, "ValidationError", "36")
		_, err = f.as.CompleteLifecycleAction(t.Context(), &autoscaling.CompleteLifecycleActionInput{AutoScalingGroupName: new(group),
			LifecycleHookName: new(hook), LifecycleActionResult: new("CONTINUE")})
		wantCode(t, err, "ValidationError", "instanceId")
	})
}

// TestMissingMembers leaves out what the SDK's clients would not let through.
func TestMissingMembers(t *testing.T) {
	api := demoAPI(t, nil)
	_, err := Call[autoscaling.CompleteLifecycleActionOutput](t.Context(), api, &autoscaling.CompleteLifecycleActionInput{})
	wantCode(t, err, "ValidationError", "'autoScalingGroupName'")
	_, err = Call[ecs.DescribeTasksOutput](t.Context(), api, &ecs.DescribeTasksInput{})
	wantCode(t, err, "InvalidParameterException", "Tasks cannot be empty")
	_, err = Call[elb.DescribeTargetHealthOutput](t.Context(), api, &elb.DescribeTargetHealthInput{})
	wantCode(t, err, "ValidationError", "'targetGroupArn'")
	_, err = Call[sqs.ReceiveMessageOutput](t.Context(), api, &sqs.ReceiveMessageInput{})
	wantCode(t, err, "MissingParameter", "QueueUrl")
}

// TestSDKPaginator walks over pages of two with the SDK's own paginator.
func TestSDKPaginator(t *testing.T) {
	api := demoAPI(t, func(c *Config) { c.PageSize = 2 })
	whole := slices.Sorted(slices.Values(must[[]string](t)(api.World.(*sim.World).ListTasks(demo, simecs.TaskQuery{}))))
	pages := ecs.NewListTasksPaginator(ecs.NewFromConfig(config(api.Handler())), &ecs.ListTasksInput{Cluster: new(demo)})
	var got []string
	for pages.HasMorePages() {
		page := must[*ecs.ListTasksOutput](t)(pages.NextPage(t.Context()))
		if len(page.TaskArns) > 2 {
			t.Errorf("a page of %d", len(page.TaskArns))
		}
		got = append(got, page.TaskArns...)
	}
	if len(whole) < 3 || !slices.Equal(got, whole) {
		t.Errorf("got %v, want %v", got, whole)
	}
}

// TestRecord checks the entries that calls leave in the world's record.
func TestRecord(t *testing.T) {
	api := demoAPI(t, nil)
	before := len(api.World.Record())
	ctx := WithCaller(t.Context(), "ebb")
	_, _ = Call[ecs.ListTasksOutput](ctx, api, &ecs.ListTasksInput{Cluster: new("no-such"), ContainerInstance: new("ci")})
	_, _ = Call[autoscaling.DescribeLifecycleHooksOutput](ctx, api, &autoscaling.DescribeLifecycleHooksInput{AutoScalingGroupName: new(group)})
	var calls []core.Entry
	for _, e := range api.World.Record()[before:] {
		if e.Kind == core.EntryCall {
			calls = append(calls, e)
		}
	}
	at := api.World.Now()
	want := []core.Entry{
		{At: at, Kind: core.EntryCall, By: "ebb", Text: "ecs.ListTasks", To: "ClusterNotFoundException", Cluster: "no-such", ContainerInstance: "ci"},
		{At: at, Kind: core.EntryCall, By: "ebb", Text: "autoscaling.DescribeLifecycleHooks", To: "ok", Group: group},
	}
	if !slices.Equal(calls, want) {
		t.Errorf("got %+v\nwant %+v", calls, want)
	}
}

// TestStale reads through a fault that lags behind.
func TestStale(t *testing.T) {
	lag := false
	api := demoAPI(t, func(c *Config) {
		c.Faults = func(Request) Fault {
			if lag {
				return Fault{Kind: Stale, Lag: time.Minute}
			}
			return Fault{}
		}
	})
	api.World.Advance(api.World.Now().Add(2 * time.Minute))
	arns := must[[]string](t)(api.World.(*sim.World).ListContainerInstances(demo, "", ""))
	must[*ecs.UpdateContainerInstancesStateOutput](t)(Call[ecs.UpdateContainerInstancesStateOutput](t.Context(), api,
		&ecs.UpdateContainerInstancesStateInput{Cluster: new(demo), ContainerInstances: arns[:1], Status: "DRAINING"}))
	api.World.Advance(api.World.Now().Add(time.Second))
	for _, want := range []string{"ACTIVE", "DRAINING"} {
		lag = want == "ACTIVE"
		out := must[*ecs.DescribeContainerInstancesOutput](t)(Call[ecs.DescribeContainerInstancesOutput](t.Context(), api,
			&ecs.DescribeContainerInstancesInput{Cluster: new(demo), ContainerInstances: arns[:1]}))
		if got := *out.ContainerInstances[0].Status; got != want {
			t.Errorf("lag %v: %s, want %s", lag, got, want)
		}
	}
}

// TestCallerOverHTTP takes the caller from the access key.
func TestCallerOverHTTP(t *testing.T) {
	api := demoAPI(t, nil)
	w := post(api.Handler(), "sts", "", "Action=GetCallerIdentity&Version=2011-06-15")
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "<Arn>arn:aws:iam::111122223333:user/operator</Arn>") {
		t.Errorf("status %d: %s", w.Code, w.Body)
	}
	if n := api.CountsBy("operator")["sts.GetCallerIdentity"]; n != 1 {
		t.Errorf("counted %d times", n)
	}
}
