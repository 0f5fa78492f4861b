package sim

import (
	"fmt"

	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/ecs"
)

func (b *builder) services(s Spec) error {
	for _, v := range s.Services {
		if err := b.service(v); err != nil {
			return fmt.Errorf("service %q: %w", v.Name, err)
		}
	}
	return nil
}

func (b *builder) service(v ServiceSpec) error {
	def, err := b.w.DescribeTaskDefinition(v.Task)
	if err != nil {
		return fmt.Errorf("there is no task definition %q; add it to task_definitions", v.Task)
	}
	if known, _ := b.w.DescribeClusters([]string{v.Cluster}); len(known) == 0 {
		return fmt.Errorf("there is no cluster %q; add it to clusters, or let a group launch into it", v.Cluster)
	}
	service := ecs.Service{Name: v.Name, Cluster: v.Cluster, Definition: v.Task, Desired: v.Desired, Daemon: v.Daemon, Min: v.Min, Max: v.Max,
		DistinctInstance: v.DistinctInstance,
		Constraints:      v.Constraints, Placement: v.Placement, Providers: v.Providers, Grace: v.Grace, LaunchType: v.LaunchType,
		ZoneRebalance: v.ZoneRebalance, CircuitBreaker: v.CircuitBreaker, Tags: v.Tags, Controller: v.Controller, InAlternate: v.InAlternate,
		VPC: v.VPC, IPv6: v.IPv6}
	for _, zone := range v.Zones {
		service.Subnets = append(service.Subnets, core.SubnetID(v.VPC, zone))
	}
	if v.EC2 {
		service.LaunchType = "EC2"
	}
	if err := b.endpoints(def, v, &service); err != nil {
		return err
	}
	if service.TaskSets, err = b.taskSets(v); err != nil {
		return err
	}
	if err := b.w.CheckService(service); err != nil {
		return err
	}
	b.w.AddService(service)
	return nil
}

// taskSets are those of a service whose deployments ECS does not control.
func (b *builder) taskSets(v ServiceSpec) ([]ecs.TaskSet, error) {
	switch v.Controller {
	case "", "ECS":
		if len(v.TaskSets) > 0 {
			return nil, fmt.Errorf("it has task_sets, but its controller is ECS; it must be CODE_DEPLOY or EXTERNAL")
		}
		return nil, nil
	case "CODE_DEPLOY", "EXTERNAL":
		if v.Daemon || v.blueGreen() {
			return nil, fmt.Errorf("with the controller %s it can neither be a daemon nor have an alternate_target_group", v.Controller)
		}
	default:
		return nil, fmt.Errorf("the controller is %q; it must be ECS, CODE_DEPLOY or EXTERNAL", v.Controller)
	}
	var sets []ecs.TaskSet
	for _, t := range v.TaskSets {
		def, err := b.w.DescribeTaskDefinition(t.Task)
		if err != nil {
			return nil, fmt.Errorf("task set: there is no task definition %q; add it to task_definitions", t.Task)
		}
		groups, err := b.balancers(def, t.balancers())
		if err != nil {
			return nil, fmt.Errorf("task set: %w", err)
		}
		set := ecs.TaskSet{Definition: t.Task, TargetGroups: groups, Scale: 100}
		if t.Scale != nil {
			set.Scale = *t.Scale
		}
		if set.Scale < 0 || set.Scale > 100 {
			return nil, fmt.Errorf("task set: the scale is %d percent; it must be from 0 to 100", set.Scale)
		}
		sets = append(sets, set)
	}
	return sets, nil
}
