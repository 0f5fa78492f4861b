package ecs

import (
	"maps"
	"slices"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/ebbhq/ebb/internal/sim/core"
)

func containerInstanceOut(c ContainerInstance) types.ContainerInstance {
	out := types.ContainerInstance{
		ContainerInstanceArn: &c.ARN, Ec2InstanceId: &c.Instance, Status: &c.Status, AgentConnected: c.Connected,
		RegisteredAt: &c.RegisteredAt, RunningTasksCount: int32(c.Running), PendingTasksCount: int32(c.Pending), Version: int64(c.Version),
		RegisteredResources:  resources(c.CPU, c.Memory, ReservedPorts(), nil, c.GPUs),
		RemainingResources:   resources(c.FreeCPU, c.FreeMemory, c.Ports, c.UDP, c.FreeGPUs),
		CapacityProviderName: core.Optional(c.CapacityProvider),
		VersionInfo:          &types.VersionInfo{AgentVersion: &c.AgentVersion, AgentHash: new("0ebb0ebb"), DockerVersion: new("DockerVersion: 25.0.8")},
		Attachments:          []types.Attachment{}, Tags: []types.Tag{},
	}
	out.Attributes = core.Mapped(slices.Sorted(maps.Keys(c.Attributes)), func(name string) types.Attribute {
		return types.Attribute{Name: &name, Value: core.Optional(c.Attributes[name])}
	})
	return out
}

// resources spells CPU, memory, host ports in use, and devices. Of the devices that remain, no page of AWS says which they are: here
// those that are free.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerInstance.html
func resources(cpu, memory int, tcp, udp []int, gpus []string) []types.Resource {
	all := []types.Resource{
		{Name: new("CPU"), Type: new("INTEGER"), IntegerValue: int32(cpu)},
		{Name: new("MEMORY"), Type: new("INTEGER"), IntegerValue: int32(memory)},
		{Name: new("PORTS"), Type: new("STRINGSET"), StringSetValue: core.Mapped(tcp, strconv.Itoa)},
		{Name: new("PORTS_UDP"), Type: new("STRINGSET"), StringSetValue: core.Mapped(udp, strconv.Itoa)},
	}
	if gpus != nil {
		all = append(all, types.Resource{Name: new("GPU"), Type: new("STRINGSET"), StringSetValue: gpus})
	}
	return all
}

func attributeOut(a Attribute) types.Attribute {
	return types.Attribute{Name: &a.Name, Value: core.Optional(a.Value), TargetId: &a.Target, TargetType: types.TargetTypeContainerInstance}
}
