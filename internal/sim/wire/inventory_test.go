package wire

import (
	"encoding/base64"
	"encoding/xml"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	eb "github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/ebbhq/ebb/internal/sim"
	simautoscaling "github.com/ebbhq/ebb/internal/sim/autoscaling"
	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/ec2"
	simecs "github.com/ebbhq/ebb/internal/sim/ecs"
)

// wide is a world in which everything that a wide look reads has a value of its own.
func wide(t *testing.T) (*API, aws.Config) {
	t.Helper()
	world, err := sim.Build(sim.Spec{
		Clusters:     []sim.ClusterSpec{{Name: "prod", DefaultStrategy: []simecs.StrategyItem{{Provider: "gpu", Base: 1, Weight: 2}}}},
		Queues:       []sim.QueueSpec{{Name: "ebb"}},
		Rules:        []sim.RuleSpec{{Name: "mine", Pattern: `{"source":["aws.ec2"]}`, Targets: []string{"ebb"}}},
		TargetGroups: []sim.TargetGroupSpec{{Name: "tg", Protocol: "TCP", Delay: 42 * time.Second, ConnectionTermination: true}},
		TaskDefinitions: []simecs.TaskDefinition{
			{
				Family: "x", CPU: 512, Memory: 800, Reservation: 300, GPU: 1, Port: 80, HostPort: 8080, Ports: []simecs.Port{{HostPort: 53, UDP: true}}, HealthCheck: true,
				Stop: 77 * time.Second, Requires: []string{"disk=nvme"}, Constraints: []simecs.Constraint{{Type: "memberOf", Expression: "attribute:disk exists"}},
			},
			{Family: "y", Network: "awsvpc", TaskSize: true},
		},
		Groups: []sim.GroupSpec{{
			Name: "asg", Desired: 2, HealthCheck: "ELB", ProtectNew: true, MaxLifetime: 24 * time.Hour, Rebalance: true, Suspended: []string{"AZRebalance"},
			Refreshes: []simautoscaling.Refresh{{Status: "InProgress", Reason: "waiting", Ago: time.Hour}},
			Launch: core.HostSpec{
				Cluster: "prod", Type: "g5.xlarge", GPU: 2, Interfaces: 4, Spot: true, UserData: "#!/bin/sh\necho ebb", AgentVersion: "1.2.3",
				Attributes: map[string]string{"disk": "nvme"},
			},
		}},
		Providers: []simecs.CapacityProvider{{Name: "gpu", Group: "asg", ManagedScaling: true, TerminationProtection: true, ManagedDraining: true}},
		Services: []sim.ServiceSpec{{
			Name: "x", Cluster: "prod", Task: "x", Desired: 1, TargetGroup: "tg", Grace: time.Minute, ZoneRebalance: true, CircuitBreaker: true, DistinctInstance: true,
			Placement: []simecs.PlacementStrategy{{Type: "binpack", Field: "cpu"}},
		}},
		Tasks: []sim.TaskSpec{{Cluster: "prod", Task: "y", Group: "jobs"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	api := New(Config{World: world, Strict: true})
	return api, config(api.Handler())
}

func TestServiceReads(t *testing.T) {
	_, cfg := wide(t)
	client := ecs.NewFromConfig(cfg)
	x := must[*ecs.DescribeServicesOutput](t)(client.DescribeServices(t.Context(), &ecs.DescribeServicesInput{Cluster: new("prod"),
		Services: []string{"x"}})).Services[0]
	if x.LaunchType != "" || len(x.CapacityProviderStrategy) != 1 || *x.CapacityProviderStrategy[0].CapacityProvider != "gpu" ||
		x.CapacityProviderStrategy[0].Base != 1 || x.CapacityProviderStrategy[0].Weight != 2 {
		t.Errorf("launch type %q, strategy %+v", x.LaunchType, x.CapacityProviderStrategy)
	}
	if *x.HealthCheckGracePeriodSeconds != 60 || x.AvailabilityZoneRebalancing != "ENABLED" || x.DeploymentController.Type != "ECS" ||
		!x.DeploymentConfiguration.DeploymentCircuitBreaker.Enable {
		t.Errorf("settings: %+v", x)
	}
	if len(x.PlacementConstraints) != 1 || x.PlacementConstraints[0].Type != "distinctInstance" || len(x.PlacementStrategy) != 1 ||
		*x.PlacementStrategy[0].Field != "cpu" {
		t.Errorf("placement: %+v %+v", x.PlacementConstraints, x.PlacementStrategy)
	}
	list := must[*ecs.ListTasksOutput](t)(client.ListTasks(t.Context(), &ecs.ListTasksInput{Cluster: new("prod")}))
	tasks := must[*ecs.DescribeTasksOutput](t)(client.DescribeTasks(t.Context(), &ecs.DescribeTasksInput{Cluster: new("prod"), Tasks: list.TaskArns})).Tasks
	slices.Reverse(tasks) // those of services start last when a world is built
	d := x.Deployments[0]
	if *d.Id != *tasks[0].StartedBy || d.RolloutState != "COMPLETED" || *d.Status != "PRIMARY" || d.RunningCount != 1 || d.UpdatedAt == nil {
		t.Errorf("deployment %+v; the task was started by %s", d, *tasks[0].StartedBy)
	}
	k := tasks[0]
	if *k.CapacityProviderName != "gpu" || k.HealthStatus != "HEALTHY" || k.PullStartedAt == nil || len(k.Containers[0].GpuIds) != 1 || k.LaunchType != "EC2" {
		t.Errorf("task: %+v", k)
	}
	if b := k.Containers[0].NetworkBindings; len(b) != 2 || *b[0].HostPort != 8080 || *b[1].HostPort != 53 || b[1].Protocol != "udp" {
		t.Errorf("bindings: %+v", b)
	}
	if y := tasks[1]; *y.Group != "jobs" || len(y.Attachments) != 1 || y.HealthStatus != "UNKNOWN" {
		t.Errorf("standalone task: %+v", y)
	}
	protection := must[*ecs.GetTaskProtectionOutput](t)(client.GetTaskProtection(t.Context(), &ecs.GetTaskProtectionInput{Cluster: new("prod"),
		Tasks: list.TaskArns}))
	if len(protection.ProtectedTasks) != 1 || len(protection.Failures) != 1 || *protection.Failures[0].Reason != "TASK_NOT_VALID" {
		t.Errorf("protection: %+v %+v", protection.ProtectedTasks, protection.Failures)
	}
}

func TestDefinitionReads(t *testing.T) {
	_, cfg := wide(t)
	client := ecs.NewFromConfig(cfg)
	x := must[*ecs.DescribeTaskDefinitionOutput](t)(client.DescribeTaskDefinition(t.Context(),
		&ecs.DescribeTaskDefinitionInput{TaskDefinition: new("x")})).TaskDefinition
	c := x.ContainerDefinitions[0]
	if x.Cpu != nil || c.Cpu != 512 || *c.Memory != 800 || *c.MemoryReservation != 300 || *c.StopTimeout != 77 || c.HealthCheck == nil ||
		*c.ResourceRequirements[0].Value != "1" {
		t.Errorf("container: %+v", c)
	}
	if len(c.PortMappings) != 2 || *c.PortMappings[0].HostPort != 8080 || c.PortMappings[1].Protocol != "udp" {
		t.Errorf("ports: %+v", c.PortMappings)
	}
	if a := x.RequiresAttributes; len(a) != 1 || *a[0].Name != "disk" || *a[0].Value != "nvme" ||
		*x.PlacementConstraints[0].Expression != "attribute:disk exists" {
		t.Errorf("requires %+v, constraints %+v", a, x.PlacementConstraints)
	}
	y := must[*ecs.DescribeTaskDefinitionOutput](t)(client.DescribeTaskDefinition(t.Context(),
		&ecs.DescribeTaskDefinitionInput{TaskDefinition: new("y")})).TaskDefinition
	if *y.Cpu != "256" || *y.Memory != "256" || y.ContainerDefinitions[0].Memory != nil || y.ContainerDefinitions[0].StopTimeout != nil ||
		*y.RequiresAttributes[0].Name != "ecs.capability.task-eni" {
		t.Errorf("of task size: %+v", y)
	}
}

func TestHostReads(t *testing.T) {
	api, cfg := wide(t)
	client := ecs.NewFromConfig(cfg)
	list := must[*ecs.ListContainerInstancesOutput](t)(client.ListContainerInstances(t.Context(),
		&ecs.ListContainerInstancesInput{Cluster: new("prod"), Filter: new("task:group == service:x")}))
	h := must[*ecs.DescribeContainerInstancesOutput](t)(client.DescribeContainerInstances(t.Context(),
		&ecs.DescribeContainerInstancesInput{Cluster: new("prod"), ContainerInstances: list.ContainerInstanceArns})).ContainerInstances[0]
	resource := func(all []ecstypes.Resource, name string) ecstypes.Resource {
		return all[slices.IndexFunc(all, func(r ecstypes.Resource) bool { return *r.Name == name })]
	}
	// binpack put both tasks on this host
	if r := h.RemainingResources; resource(r, "CPU").IntegerValue != 2048-512-256 || resource(r, "MEMORY").IntegerValue != 7680-300-256 ||
		len(resource(r, "GPU").StringSetValue) != 1 ||
		!slices.Contains(resource(r, "PORTS").StringSetValue, "8080") || !slices.Contains(resource(r, "PORTS").StringSetValue, "51678") ||
		!slices.Equal(resource(r, "PORTS_UDP").StringSetValue, []string{"53"}) {
		t.Errorf("remaining: %+v", r)
	}
	if r := h.RegisteredResources; len(resource(r, "GPU").StringSetValue) != 2 || slices.Contains(resource(r, "PORTS").StringSetValue, "8080") {
		t.Errorf("registered: %+v", r)
	}
	if *h.CapacityProviderName != "gpu" || *h.VersionInfo.AgentVersion != "1.2.3" {
		t.Errorf("provider %s, version %+v", *h.CapacityProviderName, h.VersionInfo)
	}
	found := map[string]string{}
	for _, a := range h.Attributes {
		found[*a.Name] = core.Deref(a.Value)
	}
	if found["disk"] != "nvme" || found["ecs.instance-type"] != "g5.xlarge" || found["ecs.availability-zone"] == "" || found["ecs.ami-id"] == "" {
		t.Errorf("attributes: %v", found)
	}
	if _, trunk := found["ecs.awsvpc-trunk-id"]; trunk {
		t.Error("an instance with a limit of interfaces has a trunk")
	}
	put := &ecs.PutAttributesInput{Cluster: new("prod"), Attributes: []ecstypes.Attribute{{Name: new("rack"), Value: new("7"), TargetId: h.ContainerInstanceArn}}}
	must[*ecs.PutAttributesOutput](t)(client.PutAttributes(t.Context(), put))
	ask := &ecs.ListAttributesInput{Cluster: new("prod"), TargetType: ecstypes.TargetTypeContainerInstance, AttributeName: new("rack")}
	if out := must[*ecs.ListAttributesOutput](t)(client.ListAttributes(t.Context(), ask)); len(out.Attributes) != 1 || *out.Attributes[0].Value != "7" {
		t.Errorf("listed: %+v", out.Attributes)
	}
	must[*ecs.DeleteAttributesOutput](t)(client.DeleteAttributes(t.Context(), &ecs.DeleteAttributesInput{Cluster: new("prod"), Attributes: put.Attributes}))
	if out := must[*ecs.ListAttributesOutput](t)(client.ListAttributes(t.Context(), ask)); len(out.Attributes) != 0 {
		t.Errorf("deleted, but there: %+v", out.Attributes)
	}

	var page struct {
		XMLName xml.Name
		ec2.DescribeInstancesOutput
	}
	read(t, post(api.Handler(), "ec2", "", "Action=DescribeInstances&InstanceId.1="+*h.Ec2InstanceId).Body, &page)
	if i := page.Reservations[0].Instances[0]; i.Type != "g5.xlarge" || i.Lifecycle != "spot" || i.Zone == "" || i.Launched.IsZero() {
		t.Errorf("instance: %+v", i)
	}
	var kinds struct {
		XMLName xml.Name
		ec2.DescribeInstanceTypesOutput
	}
	read(t, post(api.Handler(), "ec2", "", "Action=DescribeInstanceTypes&Version=2016-11-15&InstanceType.1=g5.xlarge").Body, &kinds)
	if kinds.XMLName.Local != "DescribeInstanceTypesResponse" || len(kinds.Types) != 1 || kinds.Types[0].Network.Interfaces != 4 {
		t.Errorf("types: %+v", kinds)
	}
	_, err := Call[ec2.DescribeInstanceTypesOutput](t.Context(), api, &ec2.DescribeInstanceTypesInput{InstanceTypes: []string{"t0.none"}})
	wantCode(t, err, "InvalidInstanceType", "t0.none")
}

func TestProviderReads(t *testing.T) {
	_, cfg := wide(t)
	client := ecs.NewFromConfig(cfg)
	c := must[*ecs.DescribeClustersOutput](t)(client.DescribeClusters(t.Context(), &ecs.DescribeClustersInput{Clusters: []string{"prod"}})).Clusters[0]
	if !slices.Equal(c.CapacityProviders, []string{"gpu"}) || len(c.DefaultCapacityProviderStrategy) != 1 || c.DefaultCapacityProviderStrategy[0].Weight != 2 {
		t.Errorf("cluster: %+v", c)
	}
	ask := &ecs.DescribeCapacityProvidersInput{MaxResults: new(int32(2))}
	first := must[*ecs.DescribeCapacityProvidersOutput](t)(client.DescribeCapacityProviders(t.Context(), ask))
	ask.NextToken = first.NextToken
	second := must[*ecs.DescribeCapacityProvidersOutput](t)(client.DescribeCapacityProviders(t.Context(), ask))
	if len(first.CapacityProviders) != 2 || first.CapacityProviders[0].AutoScalingGroupProvider != nil || len(second.CapacityProviders) != 1 ||
		second.NextToken != nil {
		t.Fatalf("pages: %+v %+v", first.CapacityProviders, second.CapacityProviders)
	}
	p := second.CapacityProviders[0].AutoScalingGroupProvider
	if p.ManagedDraining != "ENABLED" || p.ManagedTerminationProtection != "ENABLED" || p.ManagedScaling.Status != "ENABLED" ||
		!strings.HasSuffix(*p.AutoScalingGroupArn, "autoScalingGroupName/asg") {
		t.Errorf("provider: %+v", p)
	}
	missing := must[*ecs.DescribeCapacityProvidersOutput](t)(client.DescribeCapacityProviders(t.Context(),
		&ecs.DescribeCapacityProvidersInput{CapacityProviders: []string{"none"}}))
	if len(missing.Failures) != 1 || *missing.Failures[0].Reason != "MISSING" {
		t.Errorf("unknown: %+v", missing.Failures)
	}
}

func TestGroupReads(t *testing.T) {
	_, cfg := wide(t)
	client := autoscaling.NewFromConfig(cfg)
	g := must[*autoscaling.DescribeAutoScalingGroupsOutput](t)(client.DescribeAutoScalingGroups(t.Context(),
		&autoscaling.DescribeAutoScalingGroupsInput{})).AutoScalingGroups[0]
	if *g.HealthCheckType != "ELB" || !*g.NewInstancesProtectedFromScaleIn || *g.MaxInstanceLifetime != 86400 || !*g.CapacityRebalance ||
		*g.SuspendedProcesses[0].ProcessName != "AZRebalance" {
		t.Errorf("group: %+v", g)
	}
	if i := g.Instances[0]; *i.InstanceType != "g5.xlarge" || !*i.ProtectedFromScaleIn {
		t.Errorf("instance: %+v", i)
	}
	l := must[*autoscaling.DescribeLaunchConfigurationsOutput](t)(client.DescribeLaunchConfigurations(t.Context(),
		&autoscaling.DescribeLaunchConfigurationsInput{LaunchConfigurationNames: []string{*g.LaunchConfigurationName, "none"}})).LaunchConfigurations
	if text, err := base64.StdEncoding.DecodeString(*l[0].UserData); len(l) != 1 || err != nil || string(text) != "#!/bin/sh\necho ebb" ||
		l[0].SpotPrice == nil || *l[0].InstanceType != "g5.xlarge" {
		t.Errorf("launch configuration: %+v", l)
	}
	r := must[*autoscaling.DescribeInstanceRefreshesOutput](t)(client.DescribeInstanceRefreshes(t.Context(),
		&autoscaling.DescribeInstanceRefreshesInput{AutoScalingGroupName: new("asg")})).InstanceRefreshes
	if len(r) != 1 || r[0].Status != "InProgress" || *r[0].StatusReason != "waiting" || r[0].Preferences.ScaleInProtectedInstances != "Wait" ||
		!r[0].StartTime.Before(*g.CreatedTime) {
		t.Errorf("refreshes: %+v", r)
	}
	_, err := client.DescribeInstanceRefreshes(t.Context(), &autoscaling.DescribeInstanceRefreshesInput{AutoScalingGroupName: new("none")})
	wantCode(t, err, "ValidationError", "none")
	hooks := must[*autoscaling.DescribeLifecycleHooksOutput](t)(client.DescribeLifecycleHooks(t.Context(),
		&autoscaling.DescribeLifecycleHooksInput{AutoScalingGroupName: new("asg")})).LifecycleHooks
	if len(hooks) != 1 || *hooks[0].LifecycleHookName != "ecs-managed-draining-termination-hook" || *hooks[0].HeartbeatTimeout != 3600 {
		t.Errorf("hooks: %+v", hooks)
	}
}

func TestBalancerQueueAndRuleReads(t *testing.T) {
	_, cfg := wide(t)
	balancers := elb.NewFromConfig(cfg)
	tg := must[*elb.DescribeTargetGroupsOutput](t)(balancers.DescribeTargetGroups(t.Context(), &elb.DescribeTargetGroupsInput{})).TargetGroups[0]
	if len(tg.LoadBalancerArns) != 1 || !strings.Contains(tg.LoadBalancerArns[0], ":loadbalancer/net/tg/") {
		t.Errorf("target group: %+v", tg)
	}
	got := map[string]string{}
	for _, a := range must[*elb.DescribeTargetGroupAttributesOutput](t)(balancers.DescribeTargetGroupAttributes(t.Context(),
		&elb.DescribeTargetGroupAttributesInput{TargetGroupArn: tg.TargetGroupArn})).Attributes {
		got[*a.Key] = *a.Value
	}
	if got["deregistration_delay.timeout_seconds"] != "42" || got["deregistration_delay.connection_termination.enabled"] != "true" {
		t.Errorf("attributes: %v", got)
	}
	queues := sqs.NewFromConfig(cfg)
	url := must[*sqs.ListQueuesOutput](t)(queues.ListQueues(t.Context(), &sqs.ListQueuesInput{})).QueueUrls[0]
	q := must[*sqs.GetQueueAttributesOutput](t)(queues.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{QueueUrl: &url,
		AttributeNames: []sqstypes.QueueAttributeName{"All"}})).Attributes
	if !strings.Contains(q["Policy"], "events.amazonaws.com") || q["ApproximateNumberOfMessages"] != "0" {
		t.Errorf("queue: %v", q)
	}
	events := eb.NewFromConfig(cfg)
	arn := q["QueueArn"]
	if names := must[*eb.ListRuleNamesByTargetOutput](t)(events.ListRuleNamesByTarget(t.Context(),
		&eb.ListRuleNamesByTargetInput{TargetArn: &arn})).RuleNames; !slices.Equal(names, []string{"mine"}) {
		t.Errorf("rules with the queue: %v", names)
	}
	var managed []string
	for _, r := range must[*eb.ListRulesOutput](t)(events.ListRules(t.Context(), &eb.ListRulesInput{NamePrefix: new("ecs-managed-")})).Rules {
		managed = append(managed, *r.ManagedBy)
	}
	if !slices.Equal(managed, []string{"ecs.amazonaws.com"}) {
		t.Errorf("managed rules: %v", managed)
	}
}
