package collector

import (
	"cmp"
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/ebbhq/ebb/internal/cloud"
	"github.com/ebbhq/ebb/internal/inventory"
)

// definitions reads the task definitions of the services and tasks of a cluster. One that was deleted can still run.
func (l *look) definitions(ctx context.Context, c *inventory.Cluster) []*inventory.TaskDefinition {
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
	found := parallel(unique(names), func(name string) *inventory.TaskDefinition {
		in := &ecs.DescribeTaskDefinitionInput{TaskDefinition: aws.String(name)}
		out := ask(ctx, l, "ecs:DescribeTaskDefinition of task definition "+name, l.ECS.DescribeTaskDefinition, in)
		return definition(name, out.TaskDefinition)
	})
	return slices.DeleteFunc(found, func(d *inventory.TaskDefinition) bool { return d == nil })
}

// definition reads a task definition; nil for nil. What the task itself does not reserve, its containers do; of memory and
// memoryReservation the scheduler counts the reservation.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html
func definition(name string, in *ecstypes.TaskDefinition) *inventory.TaskDefinition {
	if in == nil {
		return nil
	}
	d := &inventory.TaskDefinition{Name: name, Network: string(cmp.Or(in.NetworkMode, ecstypes.NetworkModeBridge))} // the default on Linux
	cpu, memory := 0, 0
	for _, c := range in.ContainerDefinitions {
		cpu += int(c.Cpu)
		memory += int(aws.ToInt32(cmp.Or(c.MemoryReservation, c.Memory)))
		for _, r := range c.ResourceRequirements {
			if r.Type == ecstypes.ResourceTypeGpu {
				d.GPU += number(r.Value)
			}
		}
		d.HostPorts = append(d.HostPorts, hostPorts(d.Network, c.PortMappings)...)
		d.Containers = append(d.Containers, inventory.Container{
			Name: aws.ToString(c.Name), StopTimeout: cloud.Seconds(c.StopTimeout), HealthCheck: c.HealthCheck != nil,
			DependsOn: cloud.Convert(c.DependsOn, func(on ecstypes.ContainerDependency) string { return aws.ToString(on.ContainerName) }),
		})
	}
	d.CPU, d.Memory = cmp.Or(number(in.Cpu), cpu), cmp.Or(number(in.Memory), memory)
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
