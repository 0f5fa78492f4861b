package ecs

import (
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/ebbhq/ebb/internal/sim/core"
)

func (s api) definitionOut(d TaskDefinition) types.TaskDefinition {
	name := d.Family + ":" + strconv.Itoa(d.Revision)
	network := types.NetworkMode(d.Network)
	if network == "" {
		network = types.NetworkModeBridge
	}
	out := types.TaskDefinition{
		TaskDefinitionArn: s.arn("task-definition", name), Family: &d.Family, Revision: int32(d.Revision), Status: types.TaskDefinitionStatusActive,
		NetworkMode: network, RequiresCompatibilities: []types.Compatibility{types.CompatibilityEc2},
		Compatibilities:    []types.Compatibility{types.CompatibilityExternal, types.CompatibilityEc2},
		RequiresAttributes: core.Mapped(d.Attributes(), requiredOut), PlacementConstraints: core.Mapped(d.Constraints, definitionConstraintOut),
	}
	if d.fitsFargate() == nil {
		out.Compatibilities = []types.Compatibility{types.CompatibilityEc2, types.CompatibilityFargate}
	}
	if len(d.Compatible) > 0 {
		out.RequiresCompatibilities = core.Mapped(d.Compatible, func(name string) types.Compatibility { return types.Compatibility(name) })
	}
	c := containerOut(d)
	c.DependsOn = dependenciesOut(d.DependsOn)
	if d.TaskSize {
		out.Cpu, out.Memory = new(strconv.Itoa(d.CPU)), new(strconv.Itoa(d.Memory))
	} else {
		c.Cpu, c.Memory = int32(d.CPU), new(int32(d.Memory))
	}
	more := core.Mapped(d.Containers, func(c Container) types.ContainerDefinition {
		return moreOut(c, portsOf(d.PortMappings(), d.Family, c.Name))
	})
	out.ContainerDefinitions = append([]types.ContainerDefinition{c}, more...)
	return out
}

// moreOut is a container that has no size of its own.
func moreOut(c Container, ports []Port) types.ContainerDefinition {
	out := types.ContainerDefinition{
		Name: &c.Name, Image: new("simulated"), Essential: new(true), PortMappings: core.Mapped(ports, portOut), DependsOn: dependenciesOut(c.DependsOn),
	}
	if c.Stop > 0 {
		out.StopTimeout = new(core.Seconds(c.Stop))
	}
	return out
}

// dependenciesOut leaves the member out where there is none, as AWS does.
func dependenciesOut(names []string) []types.ContainerDependency {
	if len(names) == 0 {
		return nil
	}
	return core.Mapped(names, func(name string) types.ContainerDependency {
		return types.ContainerDependency{ContainerName: &name, Condition: types.ContainerConditionStart}
	})
}

// containerOut is the first container of a task, without its size.
func containerOut(d TaskDefinition) types.ContainerDefinition {
	c := types.ContainerDefinition{
		Name: &d.Family, Image: new("simulated"), Essential: new(true), PortMappings: core.Mapped(portsOf(d.PortMappings(), d.Family, d.Family), portOut),
	}
	if d.Reservation > 0 {
		c.MemoryReservation = new(int32(d.Reservation))
	}
	if !d.AgentStop {
		c.StopTimeout = new(core.Seconds(d.Stop))
	}
	if d.GPU > 0 {
		c.ResourceRequirements = []types.ResourceRequirement{{Type: types.ResourceTypeGpu, Value: new(strconv.Itoa(d.GPU))}}
	}
	if d.HealthCheck {
		c.HealthCheck = &types.HealthCheck{Command: []string{"CMD-SHELL", "exit 0"}, Interval: new(int32(30)), Timeout: new(int32(5)), Retries: new(int32(3))}
	}
	return c
}

func portOut(p Port) types.PortMapping {
	return types.PortMapping{ContainerPort: new(int32(p.Port)), HostPort: new(int32(p.HostPort)), Protocol: protocolOut(p), Name: new(portName(p.Port))}
}

// portName is the name of a port in task definitions, by which gateways and VPC Lattice know it.
func portName(port int) string { return "port-" + strconv.Itoa(port) }

// requiredOut spells an attribute that is written as name or name=value.
func requiredOut(a string) types.Attribute {
	name, value, _ := strings.Cut(a, "=")
	return types.Attribute{Name: &name, Value: core.Optional(value)}
}

func definitionConstraintOut(c Constraint) types.TaskDefinitionPlacementConstraint {
	return types.TaskDefinitionPlacementConstraint{Type: types.TaskDefinitionPlacementConstraintType(c.Type), Expression: &c.Expression}
}
