package ecs

import (
	"maps"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/ebbhq/ebb/internal/sim/core"
)

func (s api) listTasks(c *core.Call, in *ecs.ListTasksInput) (*ecs.ListTasksOutput, error) {
	if err := enum("desiredStatus", in.DesiredStatus); err != nil {
		return nil, err
	}
	if err := enum("launchType", in.LaunchType); err != nil {
		return nil, err
	}
	all, err := s.ListTasks(core.Deref(in.Cluster), TaskQuery{
		ContainerInstance: core.Deref(in.ContainerInstance), Service: core.Deref(in.ServiceName), Family: core.Deref(in.Family),
		DesiredStatus: string(in.DesiredStatus), StartedBy: core.Deref(in.StartedBy), LaunchType: string(in.LaunchType),
	})
	if err != nil {
		return nil, err
	}
	slices.Sort(all)
	arns, next, err := s.list(c, "ListTasks", all, in.MaxResults, 100, in.NextToken)
	return &ecs.ListTasksOutput{TaskArns: arns, NextToken: next}, err
}

func (s api) describeTasks(_ *core.Call, in *ecs.DescribeTasksInput) (*ecs.DescribeTasksOutput, error) {
	if err := items("Tasks", in.Tasks, 100); err != nil {
		return nil, err
	}
	tasks, failures, err := s.DescribeTasks(core.Deref(in.Cluster), in.Tasks)
	if err != nil {
		return nil, err
	}
	out := &ecs.DescribeTasksOutput{Tasks: core.Mapped(tasks, s.taskOut), Failures: core.Mapped(failures, failureOut)}
	if slices.Contains(in.Include, types.TaskFieldTags) {
		for i, t := range tasks {
			out.Tasks[i].Tags = tagsOut(t.Tags)
		}
	}
	return out, nil
}

func tagsOut(tags map[string]string) []types.Tag {
	all := []types.Tag{}
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		all = append(all, types.Tag{Key: new(k), Value: new(tags[k])})
	}
	return all
}

// tagResource gives a task tags beside those that it has.
func (s api) tagResource(_ *core.Call, in *ecs.TagResourceInput) (*ecs.TagResourceOutput, error) {
	tags := map[string]string{}
	for _, t := range in.Tags {
		tags[core.Deref(t.Key)] = core.Deref(t.Value)
	}
	return &ecs.TagResourceOutput{}, s.TagTask(*in.ResourceArn, tags)
}

func (s api) describeDefinition(_ *core.Call, in *ecs.DescribeTaskDefinitionInput) (*ecs.DescribeTaskDefinitionOutput, error) {
	d, err := s.DescribeTaskDefinition(*in.TaskDefinition)
	if err != nil {
		return nil, err
	}
	return &ecs.DescribeTaskDefinitionOutput{TaskDefinition: new(s.definitionOut(d))}, nil
}

// runTask starts the tasks of a client token once.
func (s api) runTask(_ *core.Call, in *ecs.RunTaskInput) (*ecs.RunTaskOutput, error) {
	count := int32(1)
	if in.Count != nil {
		count = *in.Count
	}
	if count < 1 || count > 10 {
		return nil, core.Refuse("InvalidParameterException", "Count must be between 1 and 10 (inclusive), not %d.", count)
	}
	if in.LaunchType != "" && len(in.CapacityProviderStrategy) > 0 {
		return nil, core.Refuse("InvalidParameterException",
			"Specifying both a launch type and capacity provider strategy is not supported. Remove one and try again.")
	}
	if in.LaunchType != "" && in.LaunchType != types.LaunchTypeEc2 && in.LaunchType != types.LaunchTypeFargate {
		return nil, core.Refuse("UnsupportedFeatureException", "The simulated cloud has the launch types EC2 and FARGATE, not %s.",
			in.LaunchType)
	}
	if err := s.needsNetwork(in); err != nil {
		return nil, err
	}
	key := core.Deref(in.Cluster) + " " + core.Deref(in.ClientToken)
	if before, ok := s.runs[key]; ok && in.ClientToken != nil {
		tasks, failures, err := s.DescribeTasks(core.Deref(in.Cluster), before)
		return &ecs.RunTaskOutput{Tasks: core.Mapped(tasks, s.taskOut), Failures: core.Mapped(failures, failureOut)}, err
	}
	tasks, failures, err := s.RunTasks(core.Deref(in.Cluster), TaskRun{
		Definition: *in.TaskDefinition, StartedBy: core.Deref(in.StartedBy), Group: core.Deref(in.Group), Count: int(count),
		LaunchType: string(in.LaunchType), Subnets: subnetsIn(in.NetworkConfiguration),
		Constraints: core.Mapped(in.PlacementConstraints, constraintIn), Placement: core.Mapped(in.PlacementStrategy, placementIn),
		Providers: core.Mapped(in.CapacityProviderStrategy, strategyItemIn),
	})
	if err != nil {
		return nil, err
	}
	if in.ClientToken != nil && len(tasks) > 0 {
		s.runs[key] = core.Mapped(tasks, func(t Task) string { return t.ARN })
	}
	return &ecs.RunTaskOutput{Tasks: core.Mapped(tasks, s.taskOut), Failures: core.Mapped(failures, failureOut)}, nil
}

func (s api) stopTask(_ *core.Call, in *ecs.StopTaskInput) (*ecs.StopTaskOutput, error) {
	t, err := s.StopTask(core.Deref(in.Cluster), *in.Task, core.Deref(in.Reason))
	if err != nil {
		return nil, err
	}
	return &ecs.StopTaskOutput{Task: new(s.taskOut(t))}, nil
}

func (s api) getProtection(_ *core.Call, in *ecs.GetTaskProtectionInput) (*ecs.GetTaskProtectionOutput, error) {
	if err := items("Tasks", in.Tasks, 100); err != nil {
		return nil, err
	}
	tasks, failures, err := s.GetTaskProtection(core.Deref(in.Cluster), in.Tasks)
	if err != nil {
		return nil, err
	}
	return &ecs.GetTaskProtectionOutput{ProtectedTasks: core.Mapped(tasks, protectedOut), Failures: core.Mapped(failures, failureOut)}, nil
}

func (s api) updateProtection(_ *core.Call, in *ecs.UpdateTaskProtectionInput) (*ecs.UpdateTaskProtectionOutput, error) {
	if err := items("Tasks", in.Tasks, 10); err != nil {
		return nil, err
	}
	expires := 2 * time.Hour
	if in.ExpiresInMinutes != nil {
		if m := *in.ExpiresInMinutes; m < 1 || m > 2880 {
			return nil, core.Refuse("InvalidParameterException", "expiresInMinutes must be between 1 and 2880 (inclusive), not %d.", m)
		}
		expires = time.Duration(*in.ExpiresInMinutes) * time.Minute
	}
	tasks, failures, err := s.UpdateTaskProtection(core.Deref(in.Cluster), in.Tasks, in.ProtectionEnabled, expires)
	if err != nil {
		return nil, err
	}
	return &ecs.UpdateTaskProtectionOutput{ProtectedTasks: core.Mapped(tasks, protectedOut), Failures: core.Mapped(failures, failureOut)}, nil
}
