package ecs

import (
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// arn spells an ECS ARN; a name that is one already stays as it is.
func (s api) arn(kind, name string) *string {
	if name == "" || strings.HasPrefix(name, "arn:") {
		return core.Optional(name)
	}
	return new("arn:aws:ecs:" + s.Region + ":" + s.Account + ":" + kind + "/" + name)
}

func (s api) clusterOut(c Cluster) types.Cluster {
	out := types.Cluster{
		ClusterName: &c.Name, ClusterArn: &c.ARN, Status: new("ACTIVE"),
		CapacityProviders: core.Mapped(c.Providers, core.Same), DefaultCapacityProviderStrategy: core.Mapped(c.DefaultStrategy, strategyItemOut),
	}
	arns, err := s.ListContainerInstances(c.Name, "", "")
	if err != nil {
		return out
	}
	out.RegisteredContainerInstancesCount = int32(len(arns))
	hosts, _, _ := s.DescribeContainerInstances(c.Name, arns)
	for _, h := range hosts {
		out.RunningTasksCount += int32(h.Running)
		out.PendingTasksCount += int32(h.Pending)
	}
	s.countFargate(c.Name, &out)
	services, _ := s.ListServices(c.Name)
	out.ActiveServicesCount = int32(len(services))
	return out
}

func (s api) taskOut(t Task) types.Task {
	family, _, _ := strings.Cut(t.Definition[strings.LastIndex(t.Definition, "/")+1:], ":")
	out := types.Task{
		TaskArn: &t.ARN, ClusterArn: s.arn("cluster", t.Cluster), ContainerInstanceArn: core.Optional(t.ContainerInstance),
		TaskDefinitionArn: s.arn("task-definition", t.Definition), Group: &t.Group, StartedBy: core.Optional(t.StartedBy),
		LastStatus: &t.LastStatus, DesiredStatus: &t.DesiredStatus, StopCode: types.TaskStopCode(t.StopCode), StoppedReason: core.Optional(t.StoppedReason),
		Cpu: new(strconv.Itoa(t.CPU)), Memory: new(strconv.Itoa(t.Memory)), HealthStatus: healthOfTask(t),
		LaunchType: types.LaunchType(t.LaunchType), AvailabilityZone: core.Optional(t.Zone), ConnectivityAt: core.Instant(t.PullStartedAt),
		CreatedAt: core.Instant(t.CreatedAt), StartedAt: core.Instant(t.StartedAt), StoppingAt: core.Instant(t.StoppingAt), StoppedAt: core.Instant(t.StoppedAt),
		PullStartedAt: core.Instant(t.PullStartedAt), PullStoppedAt: core.Instant(t.PullStoppedAt), ExecutionStoppedAt: core.Instant(t.ExecutionStopped),
		CapacityProviderName: core.Optional(t.CapacityProvider), Connectivity: types.ConnectivityConnected, Version: int64(t.Version),
		Attachments: []types.Attachment{}, Tags: []types.Tag{}, Overrides: &types.TaskOverride{},
		Attributes: []types.Attribute{{Name: new("ecs.cpu-architecture"), Value: new("x86_64")}},
	}
	c := types.Container{
		ContainerArn: new(strings.Replace(t.ARN, ":task/", ":container/", 1)), TaskArn: &t.ARN, Name: &family, LastStatus: &t.LastStatus,
		HealthStatus: healthOfTask(t), GpuIds: t.GPUs, NetworkInterfaces: []types.NetworkInterface{}, Image: new("simulated"), Cpu: new("0"),
		RuntimeId: new(core.LastPart(t.ARN) + "-1"),
	}
	s.onPlatform(t, &out)
	if t.IP != "" {
		out.Attachments = append(out.Attachments, s.eni(t))
		if len(out.Attachments[0].Details) > 1 { // it has its address
			c.NetworkInterfaces = []types.NetworkInterface{{AttachmentId: out.Attachments[0].Id, PrivateIpv4Address: &t.IP, Ipv6Address: core.Optional(t.IPv6)}}
		}
	}
	c.NetworkBindings = core.Mapped(portsOf(t.Bindings, family, family), bindingOut)
	if t.LastStatus == "STOPPED" {
		c.ExitCode = new(exitCode(t.Killed))
	}
	out.Containers = []types.Container{c}
	if len(t.Containers) > 0 {
		out.Containers = core.Mapped(t.Containers, func(more TaskContainer) types.Container { return s.containerOf(t, c, more) })
	}
	return out
}

func bindingOut(p Port) types.NetworkBinding {
	return types.NetworkBinding{BindIP: new("0.0.0.0"), ContainerPort: new(int32(p.Port)), HostPort: new(int32(p.HostPort)), Protocol: protocolOut(p)}
}

// containerOf is one of several containers of a task. All have the network interface of the task.
func (s api) containerOf(t Task, first types.Container, c TaskContainer) types.Container {
	out := first
	if c.Name != *first.Name {
		out = types.Container{TaskArn: &t.ARN, Name: &c.Name, LastStatus: &t.LastStatus, HealthStatus: types.HealthStatusUnknown,
			NetworkInterfaces: first.NetworkInterfaces, NetworkBindings: core.Mapped(portsOf(t.Bindings, *first.Name, c.Name), bindingOut),
			Image: new("simulated"), Cpu: new("0"), RuntimeId: new(*first.RuntimeId + "-" + c.Name)}
		out.ContainerArn = new(*first.ContainerArn + "-" + c.Name)
	}
	ended := !t.SignalledAt.IsZero() && !s.Then().Before(t.SignalledAt.Add(c.Ends))
	if t.LastStatus == "STOPPED" || t.LastStatus == "STOPPING" && ended {
		out.LastStatus, out.ExitCode = new("STOPPED"), new(exitCode(c.Killed || !ended))
	}
	return out
}

// healthOfTask is UNKNOWN without a container health check. A check passes in the simulated cloud as long as the task runs.
func healthOfTask(t Task) types.HealthStatus {
	if t.HealthCheck && t.LastStatus == "RUNNING" {
		return types.HealthStatusHealthy
	}
	return types.HealthStatusUnknown
}

func protocolOut(p Port) types.TransportProtocol {
	if p.UDP {
		return types.TransportProtocolUdp
	}
	return types.TransportProtocolTcp
}

// exitCode is 137 for a container that was killed: 128 and the number of SIGKILL.
func exitCode(killed bool) int32 {
	if killed {
		return 137
	}
	return 0
}

func protectedOut(t Task) types.ProtectedTask {
	out := types.ProtectedTask{TaskArn: &t.ARN, ProtectionEnabled: t.Protected}
	if t.Protected {
		out.ExpirationDate = core.Instant(t.ProtectedUntil)
	}
	return out
}
