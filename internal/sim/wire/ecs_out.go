package wire

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/ebbhq/ebb/internal/sim"
)

// arn spells an ECS ARN; a name that is one already stays as it is.
func (s ECS) arn(kind, name string) *string {
	if name == "" || strings.HasPrefix(name, "arn:") {
		return optional(name)
	}
	return new("arn:aws:ecs:" + s.api.Region + ":" + s.api.Account + ":" + kind + "/" + name)
}

func (s ECS) clusterOut(c sim.Cluster) types.Cluster {
	out := types.Cluster{ClusterName: &c.Name, ClusterArn: &c.ARN, Status: new("ACTIVE")}
	arns, err := s.api.World.ListContainerInstances(c.Name, "", "")
	if err != nil {
		return out
	}
	out.RegisteredContainerInstancesCount = int32(len(arns))
	hosts, _, _ := s.api.World.DescribeContainerInstances(c.Name, arns)
	for _, h := range hosts {
		out.RunningTasksCount += int32(h.Running)
		out.PendingTasksCount += int32(h.Pending)
	}
	services, _ := s.api.World.ListServices(c.Name)
	out.ActiveServicesCount = int32(len(services))
	return out
}

func containerInstanceOut(c sim.ContainerInstance) types.ContainerInstance {
	out := types.ContainerInstance{
		ContainerInstanceArn: &c.ARN, Ec2InstanceId: &c.Instance, Status: &c.Status, AgentConnected: c.Connected,
		RegisteredAt: &c.RegisteredAt, RunningTasksCount: int32(c.Running), PendingTasksCount: int32(c.Pending), Version: int64(c.Version),
		RegisteredResources: resources(c.CPU, c.Memory, nil), RemainingResources: resources(c.FreeCPU, c.FreeMemory, c.Ports),
		VersionInfo: &types.VersionInfo{AgentVersion: new("1.99.0")},
		Attachments: []types.Attachment{}, Tags: []types.Tag{},
	}
	out.Attributes = mapped(slices.Sorted(maps.Keys(c.Attributes)), func(name string) types.Attribute {
		return types.Attribute{Name: &name, Value: optional(c.Attributes[name])}
	})
	return out
}

func resources(cpu, memory int, ports []int) []types.Resource {
	used := mapped(ports, strconv.Itoa)
	return []types.Resource{
		{Name: new("CPU"), Type: new("INTEGER"), IntegerValue: int32(cpu)},
		{Name: new("MEMORY"), Type: new("INTEGER"), IntegerValue: int32(memory)},
		{Name: new("PORTS"), Type: new("STRINGSET"), StringSetValue: used},
	}
}

func (s ECS) taskOut(t sim.Task) types.Task {
	family, _, _ := strings.Cut(t.Definition[strings.LastIndex(t.Definition, "/")+1:], ":")
	out := types.Task{
		TaskArn: &t.ARN, ClusterArn: s.arn("cluster", t.Cluster), ContainerInstanceArn: optional(t.ContainerInstance),
		TaskDefinitionArn: s.arn("task-definition", t.Definition), Group: &t.Group, StartedBy: optional(t.StartedBy),
		LastStatus: &t.LastStatus, DesiredStatus: &t.DesiredStatus, StopCode: types.TaskStopCode(t.StopCode), StoppedReason: optional(t.StoppedReason),
		Cpu: new(strconv.Itoa(t.CPU)), Memory: new(strconv.Itoa(t.Memory)), LaunchType: types.LaunchTypeEc2, HealthStatus: types.HealthStatusUnknown,
		CreatedAt: instant(t.CreatedAt), StartedAt: instant(t.StartedAt), StoppingAt: instant(t.StoppingAt), StoppedAt: instant(t.StoppedAt),
		Connectivity: types.ConnectivityConnected, Version: int64(t.Version),
		Attachments: []types.Attachment{}, Attributes: []types.Attribute{}, Tags: []types.Tag{}, Overrides: &types.TaskOverride{},
	}
	c := types.Container{
		ContainerArn: new(strings.Replace(t.ARN, ":task/", ":container/", 1)), TaskArn: &t.ARN, Name: &family, LastStatus: &t.LastStatus,
		HealthStatus: types.HealthStatusUnknown, NetworkBindings: []types.NetworkBinding{}, NetworkInterfaces: []types.NetworkInterface{},
	}
	if t.IP != "" {
		out.Attachments = append(out.Attachments, eni(t))
		c.NetworkInterfaces = append(c.NetworkInterfaces, types.NetworkInterface{AttachmentId: out.Attachments[0].Id, PrivateIpv4Address: &t.IP})
	} else if t.HostPort != 0 {
		c.NetworkBindings = append(c.NetworkBindings, types.NetworkBinding{
			BindIP: new("0.0.0.0"), ContainerPort: new(int32(t.ContainerPort)), HostPort: new(int32(t.HostPort)), Protocol: types.TransportProtocolTcp,
		})
	}
	if t.LastStatus == "STOPPED" {
		c.ExitCode = new(exitCode(t))
	}
	out.Containers = []types.Container{c}
	return out
}

// exitCode is 137 for a container that was killed: 128 and the number of SIGKILL.
func exitCode(t sim.Task) int32 {
	if t.Killed {
		return 137
	}
	return 0
}

// eni is the network interface of a task in awsvpc mode.
func eni(t sim.Task) types.Attachment {
	id := t.ARN[strings.LastIndex(t.ARN, "/")+1:]
	return types.Attachment{
		Id: new("eni-attach-" + id), Type: new("ElasticNetworkInterface"), Status: new("ATTACHED"),
		Details: []types.KeyValuePair{{Name: new("networkInterfaceId"), Value: new("eni-" + id)}, {Name: new("privateIPv4Address"), Value: &t.IP}},
	}
}

func protectedOut(t sim.Task) types.ProtectedTask {
	out := types.ProtectedTask{TaskArn: &t.ARN, ProtectionEnabled: t.Protected}
	if t.Protected {
		out.ExpirationDate = instant(t.ProtectedUntil)
	}
	return out
}

func (s ECS) definitionOut(d sim.TaskDefinition) types.TaskDefinition {
	name := d.Family + ":" + strconv.Itoa(d.Revision)
	c := types.ContainerDefinition{Name: &d.Family, Image: new("simulated"), Essential: new(true), Cpu: int32(d.CPU), Memory: new(int32(d.Memory)), PortMappings: []types.PortMapping{}}
	if d.Port != 0 {
		c.PortMappings = append(c.PortMappings, types.PortMapping{ContainerPort: new(int32(d.Port)), HostPort: new(int32(d.HostPort)), Protocol: types.TransportProtocolTcp})
	}
	if d.Stop > 0 {
		c.StopTimeout = new(seconds(d.Stop))
	}
	network := types.NetworkMode(d.Network)
	if network == "" {
		network = types.NetworkModeBridge
	}
	return types.TaskDefinition{
		TaskDefinitionArn: s.arn("task-definition", name), Family: &d.Family, Revision: int32(d.Revision), Status: types.TaskDefinitionStatusActive,
		NetworkMode: network, ContainerDefinitions: []types.ContainerDefinition{c}, RequiresCompatibilities: []types.Compatibility{types.CompatibilityEc2},
	}
}

func (s ECS) serviceOut(v sim.Service) types.Service {
	strategy := types.SchedulingStrategyReplica
	if v.Daemon {
		strategy = types.SchedulingStrategyDaemon
	}
	definition := s.arn("task-definition", v.Definition)
	return types.Service{
		ServiceName: &v.Name, ServiceArn: &v.ARN, ClusterArn: s.arn("cluster", v.Cluster), Status: &v.Status, TaskDefinition: definition,
		DesiredCount: int32(v.Desired), RunningCount: int32(v.Running), PendingCount: int32(v.Pending), LaunchType: types.LaunchTypeEc2,
		SchedulingStrategy: strategy, CreatedAt: &v.CreatedAt,
		DeploymentConfiguration: &types.DeploymentConfiguration{MinimumHealthyPercent: new(int32(v.Min)), MaximumPercent: new(int32(v.Max))},
		LoadBalancers:           mapped(v.TargetGroups, loadBalancerOut),
		PlacementConstraints:    constraints(v),
		PlacementStrategy:       []types.PlacementStrategy{},
		ServiceRegistries:       []types.ServiceRegistry{},
		Events:                  mapped(v.Events, func(e sim.ServiceEvent) types.ServiceEvent { return s.eventOut(v, e) }),
		Deployments: []types.Deployment{{
			Id: new("ecs-svc/" + v.Name), Status: new("PRIMARY"), TaskDefinition: definition, DesiredCount: int32(v.Desired),
			RunningCount: int32(v.Running), PendingCount: int32(v.Pending), CreatedAt: &v.CreatedAt, LaunchType: types.LaunchTypeEc2,
		}},
	}
}

func (s ECS) eventOut(v sim.Service, e sim.ServiceEvent) types.ServiceEvent {
	return types.ServiceEvent{Id: new(fmt.Sprintf("%s-%d", v.Name, e.At.UnixMilli())), CreatedAt: &e.At, Message: &e.Text}
}

func loadBalancerOut(t sim.ServiceTargetGroup) types.LoadBalancer {
	return types.LoadBalancer{TargetGroupArn: &t.ARN, ContainerName: &t.Container, ContainerPort: new(int32(t.Port))}
}

func constraints(v sim.Service) []types.PlacementConstraint {
	if !v.DistinctInstance {
		return []types.PlacementConstraint{}
	}
	return []types.PlacementConstraint{{Type: types.PlacementConstraintTypeDistinctInstance}}
}
