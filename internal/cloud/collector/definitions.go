package collector

import (
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/ebbhq/ebb/internal/cloud"
	"github.com/ebbhq/ebb/internal/inventory"
)

// definitions reads the task definitions of the services and tasks of a cluster. One that was deleted can still run.
func (l *look) definitions(ctx context.Context, c *inventory.Cluster) []inventory.TaskDefinition {
	var names []string
	for _, v := range c.Services {
		names = append(names, v.TaskDefinition)
		for _, d := range v.Deployments {
			names = append(names, d.TaskDefinition)
		}
	}
	for _, t := range c.Tasks {
		names = append(names, t.Family)
	}
	return slices.Concat(parallel(unique(names), func(name string) []inventory.TaskDefinition {
		in := &ecs.DescribeTaskDefinitionInput{TaskDefinition: aws.String(name)}
		out := ask(ctx, l, "ecs:DescribeTaskDefinition of task definition "+name, l.ECS.DescribeTaskDefinition, in)
		if out == nil || out.TaskDefinition == nil {
			return nil
		}
		return []inventory.TaskDefinition{definition(name, *out.TaskDefinition)}
	})...)
}

// definition reads a task definition. What the task itself does not reserve, its containers do; of memory and memoryReservation the
// scheduler counts the reservation.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html
func definition(name string, in ecstypes.TaskDefinition) inventory.TaskDefinition {
	d := inventory.TaskDefinition{Name: name, Network: string(in.NetworkMode)}
	if d.Network == "" {
		d.Network = string(ecstypes.NetworkModeBridge) // the default on Linux
	}
	cpu, memory := 0, 0
	for _, c := range in.ContainerDefinitions {
		cpu += int(c.Cpu)
		memory += reserved(c)
		d.GPU += gpus(c.ResourceRequirements)
		d.HostPorts = append(d.HostPorts, hostPorts(d.Network, c.PortMappings)...)
		d.Containers = append(d.Containers, inventory.Container{
			Name: aws.ToString(c.Name), Essential: c.Essential == nil || *c.Essential, StopTimeout: cloud.Seconds(c.StopTimeout),
			HealthCheck: c.HealthCheck != nil,
		})
	}
	if d.CPU = number(in.Cpu); d.CPU == 0 {
		d.CPU = cpu
	}
	if d.Memory = number(in.Memory); d.Memory == 0 {
		d.Memory = memory
	}
	d.Constraints = cloud.Convert(in.PlacementConstraints, func(c ecstypes.TaskDefinitionPlacementConstraint) inventory.Constraint {
		return inventory.Constraint{Type: string(c.Type), Expression: aws.ToString(c.Expression)}
	})
	for _, a := range in.RequiresAttributes {
		need := aws.ToString(a.Name)
		if a.Value != nil {
			need += "=" + *a.Value
		}
		d.Requires = append(d.Requires, need)
	}
	return d
}

func reserved(c ecstypes.ContainerDefinition) int {
	if c.MemoryReservation != nil {
		return int(*c.MemoryReservation)
	}
	return int(aws.ToInt32(c.Memory))
}

func gpus(needs []ecstypes.ResourceRequirement) (n int) {
	for _, r := range needs {
		if r.Type == ecstypes.ResourceTypeGpu {
			n += number(r.Value)
		}
	}
	return n
}

// hostPorts are the ports of the host that a container takes whatever its host: in host mode the container's own, in bridge mode those
// that are named. In awsvpc mode a task has an address of its own.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_PortMapping.html
func hostPorts(network string, in []ecstypes.PortMapping) (out []inventory.Port) {
	for _, p := range in {
		port := int(aws.ToInt32(p.HostPort))
		if network == string(ecstypes.NetworkModeHost) && port == 0 {
			port = int(aws.ToInt32(p.ContainerPort))
		}
		if port != 0 && network != string(ecstypes.NetworkModeAwsvpc) {
			out = append(out, inventory.Port{Number: port, UDP: p.Protocol == ecstypes.TransportProtocolUdp})
		}
	}
	return out
}
