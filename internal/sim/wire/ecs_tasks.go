package wire

import (
	"context"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/ebbhq/ebb/internal/sim"
)

// ListTasks answers for the SDK operation of this name.
func (s ECS) ListTasks(ctx context.Context, in *ecs.ListTasksInput, _ ...ecsOptions) (*ecs.ListTasksOutput, error) {
	return call(ctx, s.api, "ecs", "ListTasks", in, s.listTasks)
}

func (s ECS) listTasks(in *ecs.ListTasksInput) (*ecs.ListTasksOutput, error) {
	if err := enum("desiredStatus", in.DesiredStatus); err != nil {
		return nil, err
	}
	var all []string
	if in.LaunchType == "" || in.LaunchType == types.LaunchTypeEc2 { // the simulated cloud has no other tasks
		var err error
		all, err = s.api.World.ListTasks(deref(in.Cluster), sim.TaskQuery{
			ContainerInstance: deref(in.ContainerInstance), Service: deref(in.ServiceName), Family: deref(in.Family),
			DesiredStatus: string(in.DesiredStatus), StartedBy: deref(in.StartedBy),
		})
		if err != nil {
			return nil, err
		}
	}
	slices.Sort(all)
	arns, next, err := s.list("ListTasks", all, in.MaxResults, 100, in.NextToken)
	return &ecs.ListTasksOutput{TaskArns: arns, NextToken: next}, err
}

// DescribeTasks answers for the SDK operation of this name.
func (s ECS) DescribeTasks(ctx context.Context, in *ecs.DescribeTasksInput, _ ...ecsOptions) (*ecs.DescribeTasksOutput, error) {
	return call(ctx, s.api, "ecs", "DescribeTasks", in, s.describeTasks)
}

func (s ECS) describeTasks(in *ecs.DescribeTasksInput) (*ecs.DescribeTasksOutput, error) {
	if err := items("Tasks", in.Tasks, 100); err != nil {
		return nil, err
	}
	tasks, failures, err := s.api.World.DescribeTasks(deref(in.Cluster), in.Tasks)
	if err != nil {
		return nil, err
	}
	return &ecs.DescribeTasksOutput{Tasks: mapped(tasks, s.taskOut), Failures: mapped(failures, failureOut)}, nil
}

// DescribeTaskDefinition answers for the SDK operation of this name.
func (s ECS) DescribeTaskDefinition(ctx context.Context, in *ecs.DescribeTaskDefinitionInput, _ ...ecsOptions) (*ecs.DescribeTaskDefinitionOutput, error) {
	return call(ctx, s.api, "ecs", "DescribeTaskDefinition", in, s.describeDefinition)
}

func (s ECS) describeDefinition(in *ecs.DescribeTaskDefinitionInput) (*ecs.DescribeTaskDefinitionOutput, error) {
	if err := requireECS(member{"Task definition", in.TaskDefinition}); err != nil {
		return nil, err
	}
	d, err := s.api.World.DescribeTaskDefinition(*in.TaskDefinition)
	if err != nil {
		return nil, err
	}
	return &ecs.DescribeTaskDefinitionOutput{TaskDefinition: new(s.definitionOut(d))}, nil
}

// RunTask answers for the SDK operation of this name. A client token starts its tasks once.
func (s ECS) RunTask(ctx context.Context, in *ecs.RunTaskInput, _ ...ecsOptions) (*ecs.RunTaskOutput, error) {
	return call(ctx, s.api, "ecs", "RunTask", in, s.runTask)
}

func (s ECS) runTask(in *ecs.RunTaskInput) (*ecs.RunTaskOutput, error) {
	if err := requireECS(member{"Task definition", in.TaskDefinition}); err != nil {
		return nil, err
	}
	count := int32(1)
	if in.Count != nil {
		count = *in.Count
	}
	if count < 1 || count > 10 {
		return nil, refuse("InvalidParameterException", "Count must be between 1 and 10 (inclusive), not %d.", count)
	}
	if in.LaunchType != "" && len(in.CapacityProviderStrategy) > 0 {
		return nil, refuse("InvalidParameterException", "Specifying both a launch type and capacity provider strategy is not supported. Remove one and try again.")
	}
	if in.LaunchType != "" && in.LaunchType != types.LaunchTypeEc2 {
		return nil, refuse("UnsupportedFeatureException", "The simulated cloud runs tasks on container instances only, not with launch type %s.", in.LaunchType)
	}
	key := deref(in.Cluster) + " " + deref(in.ClientToken)
	if before, ok := s.api.runs[key]; ok && in.ClientToken != nil {
		tasks, failures, err := s.api.World.DescribeTasks(deref(in.Cluster), before)
		return &ecs.RunTaskOutput{Tasks: mapped(tasks, s.taskOut), Failures: mapped(failures, failureOut)}, err
	}
	tasks, failures, err := s.api.World.RunTasks(deref(in.Cluster), sim.TaskRun{
		Definition: *in.TaskDefinition, StartedBy: deref(in.StartedBy), Group: deref(in.Group), Count: int(count), EC2: in.LaunchType != "",
		Constraints: mapped(in.PlacementConstraints, constraintIn), Placement: mapped(in.PlacementStrategy, placementIn),
		Providers: mapped(in.CapacityProviderStrategy, strategyItemIn),
	})
	if err != nil {
		return nil, err
	}
	if in.ClientToken != nil && len(tasks) > 0 {
		s.api.runs[key] = mapped(tasks, func(t sim.Task) string { return t.ARN })
	}
	return &ecs.RunTaskOutput{Tasks: mapped(tasks, s.taskOut), Failures: mapped(failures, failureOut)}, nil
}

// StopTask answers for the SDK operation of this name.
func (s ECS) StopTask(ctx context.Context, in *ecs.StopTaskInput, _ ...ecsOptions) (*ecs.StopTaskOutput, error) {
	return call(ctx, s.api, "ecs", "StopTask", in, s.stopTask)
}

func (s ECS) stopTask(in *ecs.StopTaskInput) (*ecs.StopTaskOutput, error) {
	if err := requireECS(member{"Task", in.Task}); err != nil {
		return nil, err
	}
	t, err := s.api.World.StopTask(deref(in.Cluster), *in.Task, deref(in.Reason))
	if err != nil {
		return nil, err
	}
	return &ecs.StopTaskOutput{Task: new(s.taskOut(t))}, nil
}

// GetTaskProtection answers for the SDK operation of this name.
func (s ECS) GetTaskProtection(ctx context.Context, in *ecs.GetTaskProtectionInput, _ ...ecsOptions) (*ecs.GetTaskProtectionOutput, error) {
	return call(ctx, s.api, "ecs", "GetTaskProtection", in, s.getProtection)
}

func (s ECS) getProtection(in *ecs.GetTaskProtectionInput) (*ecs.GetTaskProtectionOutput, error) {
	if err := items("Tasks", in.Tasks, 100); err != nil {
		return nil, err
	}
	tasks, failures, err := s.api.World.GetTaskProtection(deref(in.Cluster), in.Tasks)
	if err != nil {
		return nil, err
	}
	return &ecs.GetTaskProtectionOutput{ProtectedTasks: mapped(tasks, protectedOut), Failures: mapped(failures, failureOut)}, nil
}

// UpdateTaskProtection answers for the SDK operation of this name.
func (s ECS) UpdateTaskProtection(ctx context.Context, in *ecs.UpdateTaskProtectionInput, _ ...ecsOptions) (*ecs.UpdateTaskProtectionOutput, error) {
	return call(ctx, s.api, "ecs", "UpdateTaskProtection", in, s.updateProtection)
}

func (s ECS) updateProtection(in *ecs.UpdateTaskProtectionInput) (*ecs.UpdateTaskProtectionOutput, error) {
	if err := items("Tasks", in.Tasks, 10); err != nil {
		return nil, err
	}
	expires := 2 * time.Hour
	if in.ExpiresInMinutes != nil {
		if m := *in.ExpiresInMinutes; m < 1 || m > 2880 {
			return nil, refuse("InvalidParameterException", "expiresInMinutes must be between 1 and 2880 (inclusive), not %d.", m)
		}
		expires = time.Duration(*in.ExpiresInMinutes) * time.Minute
	}
	tasks, failures, err := s.api.World.UpdateTaskProtection(deref(in.Cluster), in.Tasks, in.ProtectionEnabled, expires)
	if err != nil {
		return nil, err
	}
	return &ecs.UpdateTaskProtectionOutput{ProtectedTasks: mapped(tasks, protectedOut), Failures: mapped(failures, failureOut)}, nil
}
