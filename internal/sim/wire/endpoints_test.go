package wire

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/google/go-cmp/cmp"

	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/ec2"
	simecs "github.com/ebbhq/ebb/internal/sim/ecs"
)

// reached is a world with a service that is reached in every way that a service revision tells.
func reached(t *testing.T) *API {
	t.Helper()
	world, err := sim.Build(sim.Spec{
		Clusters:        []sim.ClusterSpec{{Name: "prod"}},
		TargetGroups:    []sim.TargetGroupSpec{{Name: "blue", VPC: "vpc-0abc"}, {Name: "green", VPC: "vpc-0abc"}, {Name: "way"}, {Name: "own"}},
		TaskDefinitions: []simecs.TaskDefinition{{Family: "web", Port: 8080, Network: "awsvpc"}, {Family: "next", Port: 8080, Network: "awsvpc"}},
		Groups:          []sim.GroupSpec{{Name: "asg", Desired: 2, Launch: core.HostSpec{Cluster: "prod", VPC: "vpc-0abc"}}},
		Services: []sim.ServiceSpec{{
			Name: "web", Cluster: "prod", Task: "web", Desired: 2, Balancers: []sim.BalancerSpec{{TargetGroup: "blue", Alternate: "green"}},
			Ingress: []sim.IngressSpec{{BalancerSpec: sim.BalancerSpec{TargetGroup: "way"}}, {Kind: "express", BalancerSpec: sim.BalancerSpec{TargetGroup: "own"}}},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return New(Config{World: world, Strict: true})
}

// TestRevisionsOverHTTP: from the service to its revisions, and from there to every target group that AWS names.
func TestRevisionsOverHTTP(t *testing.T) {
	api := reached(t)
	client, balancing := ecs.NewFromConfig(config(api.Handler())), elb.NewFromConfig(config(api.Handler()))
	groups := must[*elb.DescribeTargetGroupsOutput](t)(balancing.DescribeTargetGroups(t.Context(), &elb.DescribeTargetGroupsInput{})).TargetGroups
	arn := map[string]string{}
	for _, g := range groups {
		arn[*g.TargetGroupName] = *g.TargetGroupArn
	}
	if *groups[0].VpcId != "vpc-0abc" || *groups[2].VpcId != "vpc-0ebb5e1f0a1c2d3e4" {
		t.Errorf("VPCs %s and %s", *groups[0].VpcId, *groups[2].VpcId)
	}
	update := must[*ecs.UpdateServiceOutput](t)(client.UpdateService(t.Context(), &ecs.UpdateServiceInput{Cluster: new("prod"), Service: new("web"),
		TaskDefinition: new("next")}))
	service := update.Service
	if len(service.LoadBalancers) != 1 || *service.LoadBalancers[0].AdvancedConfiguration.AlternateTargetGroupArn != arn["green"] ||
		service.ResourceManagementType != "ECS" || len(service.CurrentServiceRevisions) != 2 {
		t.Fatalf("service: %+v", service)
	}
	var arns []string
	for _, r := range service.CurrentServiceRevisions {
		arns = append(arns, *r.Arn)
	}
	if r := service.CurrentServiceRevisions; r[0].RequestedTaskCount != 2 || r[1].RunningTaskCount != 2 {
		t.Errorf("counts: %+v", r)
	}
	out := must[*ecs.DescribeServiceRevisionsOutput](t)(client.DescribeServiceRevisions(t.Context(),
		&ecs.DescribeServiceRevisionsInput{ServiceRevisionArns: append(arns, arns[0]+"0")}))
	if len(out.ServiceRevisions) != 2 || len(out.Failures) != 1 || *out.Failures[0].Reason != "MISSING" {
		t.Fatalf("revisions: %+v", out)
	}
	for i, want := range []struct{ group, definition string }{{"green", "next:1"}, {"blue", "web:1"}} {
		r := out.ServiceRevisions[i]
		if l := r.ResolvedConfiguration.LoadBalancers; len(l) != 1 || *l[0].TargetGroupArn != arn[want.group] || l[0].ProductionListenerRule == nil {
			t.Errorf("revision %s: %+v, want %s", *r.ServiceRevisionArn, l, want.group)
		}
		if core.LastPart(*r.TaskDefinition) != want.definition || *r.ServiceArn != *service.ServiceArn {
			t.Errorf("revision %+v, want %s", r, want.definition)
		}
		if len(r.GatewayConnectors) != 1 || len(r.EcsManagedResources.GatewayConnections) != 1 {
			t.Fatalf("gateways: %+v", r.EcsManagedResources)
		}
		made, ok := r.EcsManagedResources.GatewayConnections[0].Resources.(*ecstypes.GatewayConnectionResourcesMemberHostSharedAlb)
		if !ok || len(made.Value) != 1 || *made.Value[0].TargetGroupArn != arn["way"] || made.Value[0].AlternateTargetGroupArn != nil {
			t.Errorf("gateway: %+v", r.EcsManagedResources.GatewayConnections[0].Resources)
		}
		if paths := r.EcsManagedResources.IngressPaths; len(paths) != 1 || *paths[0].TargetGroups[0].Arn != arn["own"] {
			t.Errorf("ingress paths: %+v", paths)
		}
	}
	_, err := client.DescribeServiceRevisions(t.Context(), &ecs.DescribeServiceRevisionsInput{ServiceRevisionArns: []string{}})
	wantCode(t, err, "InvalidParameterException", "cannot be empty")
	one := must[*elb.DescribeTargetGroupsOutput](t)(balancing.DescribeTargetGroups(t.Context(),
		&elb.DescribeTargetGroupsInput{LoadBalancerArn: &groups[1].LoadBalancerArns[0]}))
	if len(one.TargetGroups) != 1 || *one.TargetGroups[0].TargetGroupName != "green" {
		t.Errorf("of one load balancer: %+v", one.TargetGroups)
	}
	_, err = balancing.DescribeTargetGroups(t.Context(), &elb.DescribeTargetGroupsInput{LoadBalancerArn: new("arn:none")})
	wantCode(t, err, "LoadBalancerNotFound", "arn:none")
}

// TestSubnetsOverHTTP: from the network interface of a task to its VPC.
func TestSubnetsOverHTTP(t *testing.T) {
	api := reached(t)
	h := api.Handler()
	client := ecs.NewFromConfig(config(h))
	list := must[*ecs.ListTasksOutput](t)(client.ListTasks(t.Context(), &ecs.ListTasksInput{Cluster: new("prod")}))
	tasks := must[*ecs.DescribeTasksOutput](t)(client.DescribeTasks(t.Context(), &ecs.DescribeTasksInput{Cluster: new("prod"), Tasks: list.TaskArns})).Tasks
	details := tasks[0].Attachments[0].Details
	if len(details) < 3 || *details[0].Name != "subnetId" {
		t.Fatalf("network interface: %+v", details)
	}
	var out struct{ ec2.DescribeSubnetsOutput }
	read(t, post(h, "ec2", "", "Action=DescribeSubnets&Version=2016-11-15&SubnetId.1="+*details[0].Value).Body, &out)
	if len(out.Subnets) != 1 || out.Subnets[0].VPC != "vpc-0abc" || out.Subnets[0].State != "available" {
		t.Errorf("subnets: %+v", out.Subnets)
	}
	read(t, post(h, "ec2", "", "Action=DescribeSubnets&Version=2016-11-15&Filter.1.Name=vpc-id&Filter.1.Value.1=vpc-0ebb5e1f0a1c2d3e4").Body, &out)
	if len(out.Subnets) != 4 { // the one before, and three
		t.Errorf("subnets of the default VPC: %+v", out.Subnets)
	}
	_, err := Call[ec2.DescribeSubnetsOutput](t.Context(), api, &ec2.DescribeSubnetsInput{SubnetIds: []string{"subnet-9"}})
	wantCode(t, err, "InvalidSubnetID.NotFound", "subnet-9")
	_, err = Call[ec2.DescribeSubnetsOutput](t.Context(), api, &ec2.DescribeSubnetsInput{Filters: []ec2.Filter{{Name: new("state")}}})
	wantCode(t, err, "InvalidParameterValue", "'state'")
	var instances struct{ ec2.DescribeInstancesOutput }
	read(t, post(h, "ec2", "", "Action=DescribeInstances&Version=2016-11-15").Body, &instances)
	if i := instances.Reservations[0].Instances[0]; i.VPC != "vpc-0abc" || i.Subnet == "" {
		t.Errorf("instance: %+v", i)
	}
}

// TestAttributesOverHTTP: the attributes that the simulated cloud obeys are shown and can be changed, those of network load balancers only
// there.
func TestAttributesOverHTTP(t *testing.T) {
	world, err := sim.Build(sim.Spec{TargetGroups: []sim.TargetGroupSpec{
		{Name: "app"},
		{Name: "net", Protocol: "TCP", Delay: 42 * time.Second, LeastPercent: 30, KeepUnhealthy: true, UnhealthyDraining: 7 * time.Second},
	}})
	if err != nil {
		t.Fatal(err)
	}
	client := elb.NewFromConfig(config(New(Config{World: world, Strict: true}).Handler()))
	groups := must[*elb.DescribeTargetGroupsOutput](t)(client.DescribeTargetGroups(t.Context(), &elb.DescribeTargetGroupsInput{})).TargetGroups
	read := func(arn *string) map[string]string {
		all := map[string]string{}
		out := must[*elb.DescribeTargetGroupAttributesOutput](t)(client.DescribeTargetGroupAttributes(t.Context(),
			&elb.DescribeTargetGroupAttributesInput{TargetGroupArn: arn}))
		for _, a := range out.Attributes {
			all[*a.Key] = *a.Value
		}
		return all
	}
	const routing = "target_group_health.unhealthy_state_routing.minimum_healthy_targets."
	app := map[string]string{"deregistration_delay.timeout_seconds": "300", routing + "count": "1", routing + "percentage": "off"}
	net := map[string]string{
		"deregistration_delay.timeout_seconds": "42", "deregistration_delay.connection_termination.enabled": "false", routing + "count": "1",
		"target_health_state.unhealthy.connection_termination.enabled": "false", "target_health_state.unhealthy.draining_interval_seconds": "7",
		routing + "percentage": "30",
	}
	if diff := cmp.Diff(app, read(groups[0].TargetGroupArn)); diff != "" {
		t.Errorf("application (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(net, read(groups[1].TargetGroupArn)); diff != "" {
		t.Errorf("network (-want +got):\n%s", diff)
	}
	change := func(group int, key, value string) error {
		_, err := client.ModifyTargetGroupAttributes(t.Context(), &elb.ModifyTargetGroupAttributesInput{
			TargetGroupArn: groups[group].TargetGroupArn, Attributes: []elbtypes.TargetGroupAttribute{{Key: &key, Value: &value}},
		})
		return err
	}
	for key, value := range map[string]string{
		"deregistration_delay.timeout_seconds": "0", "deregistration_delay.connection_termination.enabled": "true", routing + "count": "3",
		"target_health_state.unhealthy.connection_termination.enabled": "true", "target_health_state.unhealthy.draining_interval_seconds": "0",
		routing + "percentage": "off",
	} {
		if err := change(1, key, value); err != nil {
			t.Error(err)
		}
		net[key] = value
	}
	if diff := cmp.Diff(net, read(groups[1].TargetGroupArn)); diff != "" {
		t.Errorf("network, changed (-want +got):\n%s", diff)
	}
	for _, c := range []struct {
		group            int
		key, value, code string
	}{
		{0, "deregistration_delay.timeout_seconds", "3601", "ValidationError"},
		{0, "deregistration_delay.timeout_seconds", "x", "ValidationError"},
		{0, "deregistration_delay.connection_termination.enabled", "true", "InvalidConfigurationRequest"}, {0, "stickiness.enabled", "true",
			"InvalidConfigurationRequest"},
		{1, "deregistration_delay.connection_termination.enabled", "yes", "ValidationError"}, {0, routing + "count", "off", "ValidationError"},
		{0, routing + "percentage", "101", "ValidationError"}, {0, routing + "count", "0", "ValidationError"},
	} {
		wantCode(t, change(c.group, c.key, c.value), c.code, c.key)
	}
	if diff := cmp.Diff(app, read(groups[0].TargetGroupArn)); diff != "" {
		t.Errorf("application, after refusals (-want +got):\n%s", diff)
	}
}
