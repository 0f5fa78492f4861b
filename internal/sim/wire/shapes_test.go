package wire

import (
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/smithy-go"

	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/ec2"
	simecs "github.com/ebbhq/ebb/internal/sim/ecs"
	"github.com/ebbhq/ebb/internal/sim/model"
)

// clientsOf are the SDK's clients over HTTP of a world that is the demo's, changed.
func clientsOf(t *testing.T, change func(*sim.Spec)) (*API, *autoscaling.Client, *ecs.Client) {
	t.Helper()
	spec := sim.Demo()
	change(&spec)
	world, err := sim.Build(spec)
	if err != nil {
		t.Fatal(err)
	}
	api := New(Config{World: world, Strict: true})
	cfg := config(api.Handler())
	return api, autoscaling.NewFromConfig(cfg), ecs.NewFromConfig(cfg)
}

// TestTokensAndIDsOfActions: a token has exactly 36 characters and an instance id of Auto Scaling 1 to 19; all else is refused before
// anything is looked for, in the words of the API's model.
func TestTokensAndIDsOfActions(t *testing.T) {
	const token = "Value '%' at 'lifecycleActionToken' failed to satisfy constraint: Member must have length "
	const id = "Value '%' at 'instanceId' failed to satisfy constraint: Member must have length "
	long := "i-0123456789abcdef01" // 20 characters
	_, as, _ := clientsOf(t, func(*sim.Spec) {})
	for _, c := range []struct {
		token, id *string
		want      string
	}{
		{new(""), nil, token + "greater than or equal to 36"},
		{new(strings.Repeat("a", 35)), nil, token + "greater than or equal to 36"},
		{new(strings.Repeat("a", 37)), nil, token + "less than or equal to 36"},
		{nil, &long, id + "less than or equal to 19"},
		{nil, new(""), id + "greater than or equal to 1"},
		{new("a"), &long, "2 validation errors detected: " + token + "greater than or equal to 36; " + id + "less than or equal to 19"},
		{new(strings.Repeat("a", 36)), nil, "No active Lifecycle Action found with token " + strings.Repeat("a", 36)},
		{nil, new("i-0123456789abcdef0"), "No active Lifecycle Action found with instance ID i-0123456789abcdef0"},
	} {
		_, beat := as.RecordLifecycleActionHeartbeat(t.Context(), &autoscaling.RecordLifecycleActionHeartbeatInput{
			AutoScalingGroupName: new(group), LifecycleHookName: new(hook), LifecycleActionToken: c.token, InstanceId: c.id})
		_, answer := as.CompleteLifecycleAction(t.Context(), &autoscaling.CompleteLifecycleActionInput{LifecycleActionResult: new("CONTINUE"),
			AutoScalingGroupName: new(group), LifecycleHookName: new(hook), LifecycleActionToken: c.token, InstanceId: c.id})
		want := c.want
		if strings.HasPrefix(want, "Value") {
			want = "1 validation error detected: " + want
		}
		for _, value := range []*string{c.token, c.id} {
			if value != nil {
				want = strings.Replace(want, "%", *value, 1)
			}
		}
		for _, err := range []error{beat, answer} {
			if refusal, ok := errors.AsType[smithy.APIError](err); !ok || refusal.ErrorCode() != "ValidationError" || refusal.ErrorMessage() != want {
				t.Errorf("token %v, id %v: %v, want %s", c.token, c.id, err, want)
			}
		}
	}
}

// TestOneBadIDFailsTheWholeCall: one id that is too long makes a merged call fail, with all that it asks about.
func TestOneBadIDFailsTheWholeCall(t *testing.T) {
	api, as, _ := clientsOf(t, func(*sim.Spec) {})
	good := api.World.(*sim.World).DescribeAutoScalingInstances(nil)[0].ID
	ask := func(ids ...string) (int, error) {
		out, err := as.DescribeAutoScalingInstances(t.Context(), &autoscaling.DescribeAutoScalingInstancesInput{InstanceIds: ids})
		if err != nil {
			return 0, err
		}
		return len(out.AutoScalingInstances), nil
	}
	if n, err := ask(good, "nonsense"); err != nil || n != 1 { // it is short enough, and unknown
		t.Errorf("%d %v, want the one that is there", n, err)
	}
	for _, bad := range []string{"i-0123456789abcdef01", ""} {
		_, err := ask(good, bad)
		wantCode(t, err, "ValidationError", "1 validation error detected: Value '["+good+", "+bad+"]' at 'instanceIds' failed to satisfy "+
			"constraint: Member must satisfy constraint: [Member must have length less than or equal to 19, Member must have length greater than or equal to 1, ")
	}
	const long = "i-0123456789abcdef01"
	_, err := as.SetInstanceHealth(t.Context(), &autoscaling.SetInstanceHealthInput{InstanceId: new(long), HealthStatus: new("Unhealthy")})
	wantCode(t, err, "ValidationError", "at 'instanceId' failed")
	_, err = as.SetInstanceProtection(t.Context(), &autoscaling.SetInstanceProtectionInput{AutoScalingGroupName: new(group),
		InstanceIds: []string{good, long}, ProtectedFromScaleIn: new(true)})
	wantCode(t, err, "ValidationError", "at 'instanceIds' failed")
	_, err = as.TerminateInstanceInAutoScalingGroup(t.Context(), &autoscaling.TerminateInstanceInAutoScalingGroupInput{InstanceId: new(long),
		ShouldDecrementDesiredCapacity: new(false)})
	wantCode(t, err, "ValidationError", "at 'instanceId' failed")
	_, err = as.EnterStandby(t.Context(), &autoscaling.EnterStandbyInput{AutoScalingGroupName: new(group), InstanceIds: []string{long},
		ShouldDecrementDesiredCapacity: new(false)})
	wantCode(t, err, "ValidationError", "at 'instanceIds' failed")
	_, err = as.ExitStandby(t.Context(), &autoscaling.ExitStandbyInput{AutoScalingGroupName: new(group), InstanceIds: []string{good}})
	wantCode(t, err, "ValidationError", "The instance "+good+" is not in Standby.")
}

// TestUserData: DescribeInstanceAttribute has it in base64.
func TestUserData(t *testing.T) {
	api, _, _ := clientsOf(t, func(s *sim.Spec) {
		s.Groups[0].Launch.UserData = "#!/bin/bash\necho hi\n"
		s.Groups[0].Hosts = []core.HostSpec{{UserData: "another"}}
	})
	id := api.World.(*sim.World).Instances()[1].ID
	var got struct {
		ec2.DescribeInstanceAttributeOutput
	}
	w := post(api.Handler(), "ec2", "", "Action=DescribeInstanceAttribute&Version=2016-11-15&Attribute=userData&InstanceId="+id)
	read(t, w.Body, &got)
	data, err := base64.StdEncoding.DecodeString(got.UserData.Value)
	if err != nil || string(data) != "#!/bin/bash\necho hi\n" || got.InstanceID != id {
		t.Errorf("%+v %v", got, err)
	}
	first := api.World.(*sim.World).Instances()[0].ID
	w = post(api.Handler(), "ec2", "", "Action=DescribeInstanceAttribute&Attribute=userData&InstanceId="+first)
	if want := base64.StdEncoding.EncodeToString([]byte("another")); !strings.Contains(w.Body.String(), "<value>"+want+"</value>") {
		t.Errorf("of the first host: %s", w.Body)
	}
	for body, want := range map[string]string{
		"Attribute=userData&InstanceId=i-0123456789abcdef01": "InvalidInstanceID.Malformed",
		"Attribute=userData&InstanceId=i-0123456789abcdef0":  "InvalidInstanceID.NotFound",
		"Attribute=kernel&InstanceId=" + id:                  "InvalidParameterValue",
		"InstanceId=" + id:                                   "MissingParameter",
	} {
		w := post(api.Handler(), "ec2", "", "Action=DescribeInstanceAttribute&"+body)
		if w.Code != 400 || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: %d %s", body, w.Code, w.Body)
		}
	}
	none, _, _ := clientsOf(t, func(*sim.Spec) {})
	id = none.World.(*sim.World).Instances()[0].ID
	w = post(none.Handler(), "ec2", "", "Action=DescribeInstanceAttribute&Attribute=userData&InstanceId="+id)
	if body := w.Body.String(); w.Code != 200 || !strings.Contains(body, "<userData></userData>") {
		t.Errorf("without user data: %d %s", w.Code, body)
	}
}

// TestTaskSetsOverHTTP: what DescribeServices and DescribeTaskSets show of a service whose deployments ECS does not control.
func TestTaskSetsOverHTTP(t *testing.T) {
	for _, controller := range []string{"CODE_DEPLOY", "EXTERNAL"} {
		_, _, client := clientsOf(t, func(s *sim.Spec) { s.Services[0].Controller = controller })
		services, err := client.DescribeServices(t.Context(), &ecs.DescribeServicesInput{Cluster: new(demo), Services: []string{"web"}})
		if err != nil {
			t.Fatal(err)
		}
		v := services.Services[0]
		if string(v.DeploymentController.Type) != controller || len(v.Deployments) != 0 || len(v.TaskSets) != 1 || v.RunningCount != 4 {
			t.Fatalf("%s: %+v", controller, v)
		}
		external := controller == "EXTERNAL" // then definition and load balancers are the task set's only
		if (v.TaskDefinition == nil) != external || (len(v.LoadBalancers) == 0) != external || (v.LaunchType == "") != external {
			t.Errorf("%s: definition %v, load balancers %v, launch type %q", controller, v.TaskDefinition, v.LoadBalancers, v.LaunchType)
		}
		set := v.TaskSets[0]
		want := strings.Replace(*v.ServiceArn, ":service/", ":task-set/", 1) + "/" + *set.Id
		if *set.TaskSetArn != want || *set.Status != "PRIMARY" || len(set.LoadBalancers) != 1 || set.RunningCount != 4 ||
			set.Scale.Value != 100 || set.StabilityStatus != ecstypes.StabilityStatusSteadyState ||
			!strings.HasSuffix(*set.TaskDefinition, "task-definition/web:1") {
			t.Errorf("%s: task set %+v", controller, set)
		}
		sets, err := client.DescribeTaskSets(t.Context(), &ecs.DescribeTaskSetsInput{Cluster: new(demo), Service: new("web"),
			TaskSets: []string{*set.Id, "none"}})
		if err != nil || len(sets.TaskSets) != 1 || *sets.TaskSets[0].TaskSetArn != want || len(sets.Failures) != 1 ||
			*sets.Failures[0].Reason != "MISSING" {
			t.Errorf("%s: %+v %v", controller, sets, err)
		}
		_, err = client.DescribeTaskSets(t.Context(), &ecs.DescribeTaskSetsInput{Cluster: new(demo), Service: new("none")})
		wantCode(t, err, "ServiceNotFoundException", "")
	}
}

// TestAlternateOverHTTP: a blue/green service of ECS names both target groups.
func TestAlternateOverHTTP(t *testing.T) {
	api, _, client := clientsOf(t, func(s *sim.Spec) {
		s.Services[0].Alternate, s.Services[0].InAlternate = "api-tg", true
		s.Services = s.Services[:1]
	})
	out, err := client.DescribeServices(t.Context(), &ecs.DescribeServicesInput{Cluster: new(demo), Services: []string{"web"}})
	if err != nil {
		t.Fatal(err)
	}
	v := out.Services[0]
	more := v.LoadBalancers[0].AdvancedConfiguration
	if v.DeploymentConfiguration.Strategy != ecstypes.DeploymentStrategyBlueGreen || more == nil ||
		!strings.Contains(*v.LoadBalancers[0].TargetGroupArn, "web-tg") || !strings.Contains(*more.AlternateTargetGroupArn, "api-tg") {
		t.Fatalf("service %+v", v)
	}
	if targets, err := api.World.(*sim.World).DescribeTargetHealth(*more.AlternateTargetGroupArn, nil); err != nil || len(targets) != 4 {
		t.Errorf("targets %+v %v", targets, err)
	}
}

// TestContainersOverHTTP: dependsOn and stopTimeout of each container, and how they end one after the other.
func TestContainersOverHTTP(t *testing.T) {
	api, _, client := clientsOf(t, func(s *sim.Spec) {
		d := &s.TaskDefinitions[0]
		d.Exit, d.Stop, d.DependsOn = 30*time.Second, 2*time.Minute, []string{"envoy"}
		d.Containers = []simecs.Container{{Name: "envoy", Exit: time.Hour, Stop: time.Minute}, {Name: "logs", Exit: time.Second}}
	})
	def, err := client.DescribeTaskDefinition(t.Context(), &ecs.DescribeTaskDefinitionInput{TaskDefinition: new("web")})
	if err != nil {
		t.Fatal(err)
	}
	all := def.TaskDefinition.ContainerDefinitions
	if len(all) != 3 || *all[0].Name != "web" || *all[0].StopTimeout != 120 || *all[0].DependsOn[0].ContainerName != "envoy" ||
		*all[1].StopTimeout != 60 || all[1].DependsOn != nil || all[2].StopTimeout != nil || *def.TaskDefinition.Memory != "512" {
		t.Errorf("task definition %+v", def.TaskDefinition)
	}
	world := api.World.(*sim.World)
	task := world.Tasks(demo)[0]
	if _, err := world.StopTask(demo, task.ARN, ""); err != nil {
		t.Fatal(err)
	}
	var seen []string
	for _, after := range []time.Duration{6 * time.Second, 30 * time.Second, 2 * time.Minute} { // the deregistration takes 5 s
		world.Advance(world.Now().Add(after))
		out, err := client.DescribeTasks(t.Context(), &ecs.DescribeTasksInput{Cluster: new(demo), Tasks: []string{task.ARN}})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range out.Tasks[0].Containers {
			code := ""
			if c.ExitCode != nil && *c.ExitCode != 0 {
				code = " killed"
			}
			seen = append(seen, *c.Name+" "+*c.LastStatus+code)
		}
	}
	want := "web STOPPING, envoy STOPPING, logs STOPPED, " + "web STOPPED, envoy STOPPING, logs STOPPED, " +
		"web STOPPED, envoy STOPPED killed, logs STOPPED"
	if got := strings.Join(seen, ", "); got != want {
		t.Errorf("containers\n%s, want\n%s", got, want)
	}
}

// TestRegisteredTwiceOverHTTP: two container instances with one EC2 instance.
func TestRegisteredTwiceOverHTTP(t *testing.T) {
	api, _, client := clientsOf(t, func(s *sim.Spec) { s.Groups[0].Hosts = []core.HostSpec{{Again: []core.Again{{}}}} })
	id := api.World.(*sim.World).Instances()[0].ID
	list, err := client.ListContainerInstances(t.Context(), &ecs.ListContainerInstancesInput{Cluster: new(demo),
		Filter: new("ec2InstanceId in ['" + id + "']")})
	if err != nil || len(list.ContainerInstanceArns) != 2 {
		t.Fatalf("%v %v", list, err)
	}
	out, err := client.DescribeContainerInstances(t.Context(), &ecs.DescribeContainerInstancesInput{Cluster: new(demo),
		ContainerInstances: list.ContainerInstanceArns})
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range out.ContainerInstances {
		tasks, err := client.ListTasks(t.Context(), &ecs.ListTasksInput{Cluster: new(demo), ContainerInstance: c.ContainerInstanceArn})
		if err != nil || *c.Ec2InstanceId != id || *c.Status != "ACTIVE" || c.AgentConnected != (i == 1) ||
			int(c.RunningTasksCount) != len(tasks.TaskArns) || (c.RunningTasksCount == 0) != (i == 1) {
			t.Errorf("registration %d: %+v with %d tasks, %v", i, c, len(tasks.TaskArns), err)
		}
	}
}

// AWS's model knows every operation: one that is new needs test/awsmodel.py to be run.
func TestAWSHasAModelOfEveryOperation(t *testing.T) {
	for _, s := range New(Config{World: sim.New(core.Config{})}).services {
		for name := range s.operations {
			if !model.Has(modelName(s.Name), name) {
				t.Errorf("requests.json has no operation %s of %s; run python3 test/awsmodel.py", name, s.Name)
			}
		}
	}
}

// What a client asks for that is not here is refused, and counted.
func TestOperationsThatAreNotHere(t *testing.T) {
	api := New(Config{World: sim.New(core.Config{})})
	h := api.Handler()
	for _, c := range [][2]string{{"ecs", "AmazonEC2ContainerServiceV20141113.CreateCluster"}, {"ecs", "x.CreateCluster"}, {"s3", "x.\x1b[2JList"}} {
		if w := post(h, c[0], c[1], "{}"); w.Code != 400 {
			t.Errorf("%v is answered with %d %s", c, w.Code, w.Body)
		}
	}
	if got, want := api.Missed(), (map[string]int{"ecs.CreateCluster": 2, "s3.2JList": 1}); !maps.Equal(got, want) {
		t.Errorf("missed are %v, want %v", got, want)
	}
	for i := range mostMissed + 5 {
		post(h, "ecs", fmt.Sprintf("x.Op%d", i), "{}")
	}
	if n := len(api.Missed()); n != mostMissed {
		t.Errorf("%d names are kept", n)
	}
}
