package cloud

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/google/go-cmp/cmp"

	"github.com/ebbhq/ebb/internal/fleet"
)

func TestTask(t *testing.T) {
	created, stopped := time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC), time.Date(2026, 11, 21, 9, 5, 0, 0, time.UTC)
	got := ReadTask(ecstypes.Task{
		TaskArn: aws.String(arns + "task/prod/1"), ClusterArn: aws.String(arns + "cluster/prod"),
		ContainerInstanceArn: aws.String(arns + "container-instance/prod/2"), TaskDefinitionArn: aws.String(arns + "task-definition/web:3"),
		Group: aws.String("service:web"), LastStatus: aws.String("DEPROVISIONING"), DesiredStatus: aws.String("STOPPED"),
		CreatedAt: &created, StoppingAt: &stopped,
	})
	diff(t, "task", fleet.Task{
		ARN: arns + "task/prod/1", Cluster: "prod", ContainerInstance: arns + "container-instance/prod/2", Family: "web:3",
		Group: "service:web", LastStatus: "DEPROVISIONING", DesiredStatus: "STOPPED", CreatedAt: created, StoppingAt: stopped,
	}, got)
}

func binding(ip string, container, host int32) ecstypes.NetworkBinding {
	return ecstypes.NetworkBinding{BindIP: aws.String(ip), ContainerPort: aws.Int32(container), HostPort: aws.Int32(host)}
}

func TestAddresses(t *testing.T) {
	eni := []ecstypes.Attachment{
		{Type: aws.String("Service Connect"), Details: []ecstypes.KeyValuePair{{Name: aws.String("privateIPv4Address"), Value: aws.String("10.0.9.9")}}},
		{Type: aws.String("ElasticNetworkInterface"), Details: []ecstypes.KeyValuePair{
			{Name: aws.String("subnetId"), Value: aws.String("subnet-1")}, {Name: aws.String("privateIPv4Address"), Value: aws.String("10.0.1.5")},
		}},
	}
	for _, c := range []struct {
		name string
		task ecstypes.Task
		want []fleet.Address
	}{
		{"bridge, IPv4 and IPv6", ecstypes.Task{Containers: []ecstypes.Container{
			{Name: aws.String("app"), NetworkBindings: []ecstypes.NetworkBinding{binding("0.0.0.0", 8080, 32768), binding("::", 8080, 32768),
				binding("0.0.0.0", 9090, 32769)}},
			{Name: aws.String("log")},
		}}, []fleet.Address{{Container: "app", ContainerPort: 8080, HostPort: 32768}, {Container: "app", ContainerPort: 9090, HostPort: 32769}}},
		{"awsvpc by container", ecstypes.Task{Containers: []ecstypes.Container{
			{Name: aws.String("app"), NetworkInterfaces: []ecstypes.NetworkInterface{{PrivateIpv4Address: aws.String("10.0.1.4")}}},
		}}, []fleet.Address{{Container: "app", IP: "10.0.1.4"}}},
		{"awsvpc by attachment", ecstypes.Task{Attachments: eni, Containers: []ecstypes.Container{{Name: aws.String("app")}}},
			[]fleet.Address{{Container: "app", IP: "10.0.1.5"}}},
		{"awsvpc with bindings", ecstypes.Task{Attachments: eni, Containers: []ecstypes.Container{
			{Name: aws.String("app"), NetworkBindings: []ecstypes.NetworkBinding{binding("0.0.0.0", 8080, 8080)}},
		}}, []fleet.Address{{Container: "app", ContainerPort: 8080, IP: "10.0.1.5"}}},
		{"IPv4 and IPv6", ecstypes.Task{Attachments: eni, Containers: []ecstypes.Container{
			{Name: aws.String("app"), NetworkInterfaces: []ecstypes.NetworkInterface{
				{PrivateIpv4Address: aws.String("10.0.1.4"), Ipv6Address: aws.String("fd00::4")}}},
		}}, []fleet.Address{{Container: "app", IP: "10.0.1.4"}, {Container: "app", IP: "fd00::4"}}},
		{"IPv6 alone", ecstypes.Task{Containers: []ecstypes.Container{
			{Name: aws.String("app"), NetworkInterfaces: []ecstypes.NetworkInterface{{Ipv6Address: aws.String("fd00::4")}}},
		}}, []fleet.Address{{Container: "app", IP: "fd00::4"}}},
		{"no network", ecstypes.Task{Containers: []ecstypes.Container{{Name: aws.String("app")}}}, nil},
	} {
		diff(t, c.name, c.want, addresses(c.task))
	}
}

// A task may be a target by its service, by its task set, and in the other group of a blue/green deployment; and requests may come in ways
// that Ebb does not close, which it must not keep to itself.
func TestReadServiceKnowsEveryWayToItsTasks(t *testing.T) {
	lb := func(group, other string) ecstypes.LoadBalancer {
		b := ecstypes.LoadBalancer{TargetGroupArn: aws.String(group), ContainerName: aws.String("app"), ContainerPort: aws.Int32(80)}
		if other != "" {
			b.AdvancedConfiguration = &ecstypes.AdvancedConfiguration{AlternateTargetGroupArn: aws.String(other)}
		}
		return b
	}
	got := ReadService(ecstypes.Service{
		LoadBalancers:     []ecstypes.LoadBalancer{lb("blue", "green"), {LoadBalancerName: aws.String("old"), ContainerName: aws.String("app")}},
		TaskSets:          []ecstypes.TaskSet{{LoadBalancers: []ecstypes.LoadBalancer{lb("set", ""), lb("blue", "")}}},
		ServiceRegistries: []ecstypes.ServiceRegistry{{RegistryArn: aws.String("map")}},
		Deployments: []ecstypes.Deployment{{}, {
			VpcLatticeConfigurations: []ecstypes.VpcLatticeConfiguration{{
				TargetGroupArn: aws.String("lattice"), AdvancedConfiguration: &ecstypes.VpcLatticeAdvancedConfiguration{AlternateTargetGroupArn: aws.String("other")},
			}},
			ServiceConnectConfiguration: &ecstypes.ServiceConnectConfiguration{Enabled: true},
		}},
	})
	var groups []string
	for _, b := range got.LoadBalancers {
		groups = append(groups, string(b.TargetGroup))
	}
	if diff := cmp.Diff([]string{"blue", "green", "", "set"}, groups); diff != "" {
		t.Error(diff)
	}
	diff(t, "services of Cloud Map", []fleet.ARN{"map"}, got.Registries)
	diff(t, "target groups of VPC Lattice", []fleet.ARN{"lattice", "other"}, got.Lattice)
	diff(t, "other ways", []string{"a Classic Load Balancer", "Service Connect"}, got.OtherWays)
	if plain := ReadService(ecstypes.Service{LoadBalancers: []ecstypes.LoadBalancer{lb("blue", "")}}); len(plain.OtherWays) != 0 || len(plain.LoadBalancers) != 1 {
		t.Errorf("a plain service: %+v", plain)
	}
}
