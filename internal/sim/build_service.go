package sim

import (
	"fmt"
	"slices"

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
		Constraints:      v.Constraints, Placement: v.Placement, Providers: v.Providers, Grace: v.Grace,
		LaunchType: v.LaunchType, Subnets: v.Subnets,
		ZoneRebalance: v.ZoneRebalance, CircuitBreaker: v.CircuitBreaker, Controller: v.Controller, InAlternate: v.InAlternate}
	if v.EC2 {
		service.LaunchType = "EC2"
	}
	if service.TargetGroups, err = b.balancers(def, v.TargetGroup, v.Alternate); err != nil {
		return err
	}
	if v.InAlternate && v.Alternate == "" {
		return fmt.Errorf("it is in_alternate, but has no alternate_target_group")
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
		if v.Daemon || v.Alternate != "" {
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
		groups, err := b.balancers(def, t.TargetGroup, "")
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

// balancers are the load balancer entries of a service or task set with a target group, and an alternate one; empty names: none.
func (b *builder) balancers(def ecs.TaskDefinition, name, alternate string) ([]ecs.ServiceTargetGroup, error) {
	if name == "" {
		if alternate != "" {
			return nil, fmt.Errorf("it has an alternate_target_group, but no target_group")
		}
		return nil, nil
	}
	if def.Port == 0 {
		return nil, fmt.Errorf("it has a target group, but its task definition %q has no port; give it one", def.Family)
	}
	entry := ecs.ServiceTargetGroup{Container: def.Family, Port: def.Port}
	var err error
	if entry.ARN, err = b.fitting(def, name); err != nil {
		return nil, err
	}
	if alternate != "" {
		entry.Alternate, err = b.fitting(def, alternate)
	}
	return []ecs.ServiceTargetGroup{entry}, err
}

// fitting is the ARN of a target group for the tasks of a definition.
func (b *builder) fitting(def ecs.TaskDefinition, name string) (string, error) {
	arn, ok := b.targetGroups[name]
	if !ok {
		return "", fmt.Errorf("there is no target group %q; add it to target_groups", name)
	}
	groups, err := b.w.DescribeTargetGroups([]string{arn}, nil)
	if err != nil {
		return "", err
	}
	if ip := groups[0].Type == "ip"; ip != def.OwnAddress() {
		return "", fmt.Errorf("target group %q does not fit: tasks with network awsvpc need type ip, all others type instance", name)
	}
	return arn, nil
}

// usedByAWSVPC reports whether a service or task set with tasks of network awsvpc uses the target group.
func (s Spec) usedByAWSVPC(targetGroup string) bool {
	awsvpc := func(family string) bool {
		return slices.ContainsFunc(s.TaskDefinitions, func(d ecs.TaskDefinition) bool { return d.Family == family && d.OwnAddress() })
	}
	return slices.ContainsFunc(s.Services, func(v ServiceSpec) bool {
		return (v.TargetGroup == targetGroup || v.Alternate == targetGroup) && awsvpc(v.Task) ||
			slices.ContainsFunc(v.TaskSets, func(t TaskSetSpec) bool { return t.TargetGroup == targetGroup && awsvpc(t.Task) })
	})
}
