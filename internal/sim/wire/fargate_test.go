package wire

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/core"
	simecs "github.com/ebbhq/ebb/internal/sim/ecs"
)

// serverless is a cluster "prod" with a service "web" of two tasks on FARGATE_SPOT, and no instance.
func serverless(t *testing.T) (*sim.World, *API, aws.Config) {
	t.Helper()
	world, err := sim.Build(sim.Spec{
		Clusters:        []sim.ClusterSpec{{Name: "prod", Providers: []string{"FARGATE", "FARGATE_SPOT"}}},
		TargetGroups:    []sim.TargetGroupSpec{{Name: "tg", Delay: 30 * time.Second}},
		TaskDefinitions: []simecs.TaskDefinition{{Family: "web", Compatible: []string{"FARGATE"}, Port: 8080, Stop: 2 * time.Minute}},
		Services: []sim.ServiceSpec{{Name: "web", Cluster: "prod", Task: "web", Desired: 2, TargetGroup: "tg",
			Providers: []simecs.StrategyItem{{Provider: "FARGATE_SPOT", Weight: 1}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	api := New(Config{World: world, Strict: true})
	return world, api, config(api.Handler())
}

// asJSON sends a request as the CLI and boto3 do, and reads the answer as they do.
func asJSON(t *testing.T, api *API, operation, body string) map[string]any {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", "AmazonEC2ContainerServiceV20141113."+operation)
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=ebb/20261121/eu-west-1/ecs/aws4_request, SignedHeaders=host, Signature=00")
	w := httptest.NewRecorder()
	api.Handler().ServeHTTP(w, r)
	var out map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil || w.Code != http.StatusOK {
		t.Fatalf("%s: %d %v\n%s", operation, w.Code, err, w.Body)
	}
	return out
}

// TestFargateTaskOnTheWire: DescribeTasks has what AWS shows of a task on Fargate, under AWS's names.
func TestFargateTaskOnTheWire(t *testing.T) {
	world, api, _ := serverless(t)
	arn := world.Tasks("prod")[0].ARN
	id := arn[strings.LastIndex(arn, "/")+1:]
	task := asJSON(t, api, "DescribeTasks", `{"cluster":"prod","tasks":["`+id+`"]}`)["tasks"].([]any)[0].(map[string]any)
	for name, want := range map[string]any{
		"launchType": "FARGATE", "platformVersion": "1.4.0", "platformFamily": "Linux", "capacityProviderName": "FARGATE_SPOT",
		"availabilityZone": "eu-west-1a", "cpu": "256", "memory": "512", "group": "service:web", "lastStatus": "RUNNING",
		"desiredStatus": "RUNNING",
		"connectivity":  "CONNECTED", "containerInstanceArn": nil, "stopCode": nil,
		"taskDefinitionArn": "arn:aws:ecs:eu-west-1:111122223333:task-definition/web:1",
	} {
		if task[name] != want {
			t.Errorf("%s is %v, want %v", name, task[name], want)
		}
	}
	if size := task["ephemeralStorage"].(map[string]any)["sizeInGiB"]; size != 20.0 {
		t.Errorf("ephemeral storage of %v GiB", size)
	}
	got, err := json.Marshal(map[string]any{"attachments": task["attachments"], "attributes": task["attributes"]})
	if err != nil {
		t.Fatal(err)
	}
	attachment := id[:8] + "-" + id[8:12] + "-" + id[12:16] + "-" + id[16:20] + "-" + id[20:]
	mac := "0a:" + id[:2] + ":" + id[2:4] + ":" + id[4:6] + ":" + id[6:8] + ":" + id[8:10]
	want := `{"attachments":[{"details":[{"name":"subnetId","value":"` +
		core.SubnetID("", "eu-west-1a") + `"},{"name":"networkInterfaceId","value":"eni-0` +
		id[:16] + `"},{"name":"macAddress","value":"` + mac + `"},{"name":"privateDnsName","value":"ip-10-1-0-2.eu-west-1.compute.internal"},` +
		`{"name":"privateIPv4Address","value":"10.1.0.2"}],"id":"` + attachment + `","status":"ATTACHED","type":"ElasticNetworkInterface"}],` +
		`"attributes":[{"name":"ecs.cpu-architecture","value":"x86_64"}]}`
	if string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	c := task["containers"].([]any)[0].(map[string]any)
	if n := c["networkInterfaces"].([]any)[0].(map[string]any); n["attachmentId"] != attachment || n["privateIpv4Address"] != "10.1.0.2" ||
		len(c["networkBindings"].([]any)) != 0 || c["cpu"] != "0" {
		t.Errorf("the container is %v", c)
	}
}

// TestFargateInterface: the network interface is made while the task is PROVISIONING, and gone when it has stopped.
func TestFargateInterface(t *testing.T) {
	world, _, cfg := serverless(t)
	client := ecs.NewFromConfig(cfg)
	ran := must[*ecs.RunTaskOutput](t)(client.RunTask(t.Context(), &ecs.RunTaskInput{
		Cluster: new("prod"), TaskDefinition: new("web"), LaunchType: ecstypes.LaunchTypeFargate,
		NetworkConfiguration: &ecstypes.NetworkConfiguration{
			AwsvpcConfiguration: &ecstypes.AwsVpcConfiguration{Subnets: []string{core.SubnetID("", "eu-west-1c")}},
		},
	}))
	first := ran.Tasks[0]
	if a := first.Attachments[0]; *first.LastStatus != "PROVISIONING" || *a.Status != "PRECREATED" || len(a.Details) != 1 ||
		*a.Details[0].Value != core.SubnetID("", "eu-west-1c") || len(first.Containers[0].NetworkInterfaces) != 0 ||
		first.CapacityProviderName != nil {
		t.Errorf("at its start: %+v", first)
	}
	ask := &ecs.DescribeTasksInput{Cluster: new("prod"), Tasks: []string{*first.TaskArn}}
	world.Advance(world.Now().Add(time.Minute))
	a := must[*ecs.DescribeTasksOutput](t)(client.DescribeTasks(t.Context(), ask)).Tasks[0].Attachments[0]
	if *a.Status != "ATTACHED" || len(a.Details) != 5 {
		t.Errorf("running: %+v", a)
	}
	must[*ecs.StopTaskOutput](t)(client.StopTask(t.Context(), &ecs.StopTaskInput{Cluster: new("prod"), Task: first.TaskArn}))
	world.Advance(world.Now().Add(time.Minute))
	if a := must[*ecs.DescribeTasksOutput](t)(client.DescribeTasks(t.Context(), ask)).Tasks[0].Attachments[0]; *a.Status != "DELETED" {
		t.Errorf("stopped: %+v", a)
	}
}

// The tags of a task are shown where they are asked for, and go when it is stopped. A policy can limit StopTask by them.
func TestTagsOfTasks(t *testing.T) {
	world, api, cfg := serverless(t)
	client := ecs.NewFromConfig(cfg)
	task := world.Tasks("prod")[0].ARN
	must[*ecs.TagResourceOutput](t)(client.TagResource(t.Context(), &ecs.TagResourceInput{
		ResourceArn: new(task), Tags: []ecstypes.Tag{{Key: new("Stop"), Value: new("yes")}},
	}))
	tags := func(include ...ecstypes.TaskField) int {
		in := &ecs.DescribeTasksInput{Cluster: new("prod"), Tasks: []string{task}, Include: include}
		return len(must[*ecs.DescribeTasksOutput](t)(client.DescribeTasks(t.Context(), in)).Tasks[0].Tags)
	}
	if tags() != 0 || tags(ecstypes.TaskFieldTags) != 1 {
		t.Errorf("%d tags, and %d where they are asked for", tags(), tags(ecstypes.TaskFieldTags))
	}
	_, err := client.TagResource(t.Context(), &ecs.TagResourceInput{ResourceArn: new(world.ARN("ecs", "service/prod/web")), Tags: []ecstypes.Tag{}})
	if err == nil || !strings.Contains(err.Error(), "tags tasks only") {
		t.Errorf("another resource: %v", err)
	}
	api.Attach("ebb", mustParse(t, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ecs:DescribeTasks","Resource":"*"},{"Effect":"Allow",`+
		`"Action":"ecs:StopTask","Resource":"*","Condition":{"StringLike":{"aws:ResourceTag/stop":"*"}}}]}`))
	stop := func(task string) error {
		_, err := client.StopTask(t.Context(), &ecs.StopTaskInput{Cluster: new("prod"), Task: new(task)})
		return err
	}
	if err := stop(world.Tasks("prod")[1].ARN); err == nil || !strings.Contains(err.Error(), "ecs:StopTask") {
		t.Errorf("a task without the tag: %v", err)
	}
	if err := stop(task); err != nil || tags(ecstypes.TaskFieldTags) != 0 {
		t.Errorf("%v, %d tags", err, tags(ecstypes.TaskFieldTags))
	}
}

func TestFargateRunTaskNeedsSubnets(t *testing.T) {
	_, _, cfg := serverless(t)
	run := &ecs.RunTaskInput{Cluster: new("prod"), TaskDefinition: new("web"), LaunchType: ecstypes.LaunchTypeFargate}
	_, err := ecs.NewFromConfig(cfg).RunTask(t.Context(), run)
	if err == nil || !strings.Contains(err.Error(), "Network Configuration must be provided when networkMode 'awsvpc' is specified.") {
		t.Errorf("got %v", err)
	}
}

// TestFargateReads: lists by launch type, the service, its deployment, its task definition and its cluster.
func TestFargateReads(t *testing.T) {
	world, _, cfg := serverless(t)
	client := ecs.NewFromConfig(cfg)
	for launch, want := range map[ecstypes.LaunchType]int{"": 2, ecstypes.LaunchTypeFargate: 2, ecstypes.LaunchTypeEc2: 0} {
		list := must[*ecs.ListTasksOutput](t)(client.ListTasks(t.Context(), &ecs.ListTasksInput{Cluster: new("prod"), LaunchType: launch}))
		if len(list.TaskArns) != want {
			t.Errorf("%q: %d tasks, want %d", launch, len(list.TaskArns), want)
		}
	}
	ask := &ecs.DescribeServicesInput{Cluster: new("prod"), Services: []string{"web"}}
	v := must[*ecs.DescribeServicesOutput](t)(client.DescribeServices(t.Context(), ask)).Services[0]
	if d := v.Deployments[0]; v.LaunchType != "" || *v.PlatformVersion != "LATEST" || *v.PlatformFamily != "Linux" ||
		*d.PlatformVersion != "1.4.0" ||
		*v.CapacityProviderStrategy[0].CapacityProvider != "FARGATE_SPOT" || len(v.NetworkConfiguration.AwsvpcConfiguration.Subnets) != 3 ||
		len(d.NetworkConfiguration.AwsvpcConfiguration.Subnets) != 3 {
		t.Errorf("service: %+v", v)
	}
	def := must[*ecs.DescribeTaskDefinitionOutput](t)(client.DescribeTaskDefinition(t.Context(),
		&ecs.DescribeTaskDefinitionInput{TaskDefinition: new("web")})).TaskDefinition
	if len(def.RequiresCompatibilities) != 1 || def.RequiresCompatibilities[0] != "FARGATE" || len(def.Compatibilities) != 2 ||
		*def.Cpu != "256" ||
		*def.Memory != "512" || def.NetworkMode != "awsvpc" || *def.ContainerDefinitions[0].StopTimeout != 120 {
		t.Errorf("task definition: %+v", def)
	}
	clusters := &ecs.DescribeClustersInput{Clusters: []string{"prod"}}
	c := must[*ecs.DescribeClustersOutput](t)(client.DescribeClusters(t.Context(), clusters)).Clusters[0]
	if c.RunningTasksCount != 2 || c.RegisteredContainerInstancesCount != 0 || len(c.CapacityProviders) != 2 {
		t.Errorf("cluster: %+v", c)
	}
	update := &ecs.UpdateServiceInput{Cluster: new("prod"), Service: new("web"), ForceNewDeployment: true, DesiredCount: new(int32(1)),
		CapacityProviderStrategy: []ecstypes.CapacityProviderStrategyItem{{CapacityProvider: new("FARGATE"), Weight: 1}}}
	must[*ecs.UpdateServiceOutput](t)(client.UpdateService(t.Context(), update))
	world.Advance(world.Now().Add(5 * time.Minute))
	v = must[*ecs.DescribeServicesOutput](t)(client.DescribeServices(t.Context(), ask)).Services[0]
	if *v.CapacityProviderStrategy[0].CapacityProvider != "FARGATE" || v.RunningCount != 1 || len(v.Deployments) != 1 {
		t.Errorf("after an update: %+v", v)
	}
}
