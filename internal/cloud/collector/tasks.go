package collector

import (
	"context"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/ebbhq/ebb/internal/cloud"
	"github.com/ebbhq/ebb/internal/inventory"
	"github.com/ebbhq/ebb/internal/plan"
)

// tasks reads the tasks of a cluster of which anything may still run. RUNNING is listed before STOPPED, so that a task whose desired
// status falls between the two requests is listed twice and not left out.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListTasks.html
func (l *look) tasks(ctx context.Context, cluster string) []*inventory.Task {
	var arns []string
	for _, desired := range []ecstypes.DesiredStatus{ecstypes.DesiredStatusRunning, ecstypes.DesiredStatusStopped} {
		arns = append(arns, read(l, "ecs:ListTasks of cluster "+cluster, func() ([]string, error) {
			return cloud.ListTasks(ctx, l.try, l.ECS, &ecs.ListTasksInput{Cluster: aws.String(cluster), DesiredStatus: desired})
		})...)
	}
	what := "ecs:DescribeTasks of cluster " + cluster
	return inChunks(unique(arns), plan.MaxDescribeECS, func(chunk []string) []*inventory.Task {
		out := ask(ctx, l, what, l.ECS.DescribeTasks, &ecs.DescribeTasksInput{Cluster: aws.String(cluster), Tasks: chunk})
		l.failures(what, out.Failures)
		return slices.DeleteFunc(cloud.Convert(out.Tasks, readTask), func(t *inventory.Task) bool { return !t.Live() })
	})
}

func readTask(t ecstypes.Task) *inventory.Task {
	out := &inventory.Task{
		Task: cloud.ReadTask(t), LaunchType: string(t.LaunchType), StartedBy: aws.ToString(t.StartedBy), StartedAt: aws.ToTime(t.StartedAt),
		PullStartedAt: aws.ToTime(t.PullStartedAt), HealthStatus: string(t.HealthStatus), CPU: number(t.Cpu), Memory: number(t.Memory),
	}
	for _, c := range t.Containers {
		out.GPU += len(c.GpuIds)
	}
	return out
}

// maxProtection is how many tasks one GetTaskProtection names.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_GetTaskProtection.html
const maxProtection = 100

// protection asks which tasks of replica services are protected. Only a task of a service can be, and a daemon's never is.
func (l *look) protection(ctx context.Context, c *inventory.Cluster) {
	tasks := map[string]*inventory.Task{}
	for _, t := range c.Tasks {
		if v := c.Service(t.Service()); v != nil && !v.Daemon && t.LastStatus == "RUNNING" {
			tasks[string(t.ARN)] = t
		}
	}
	what := "ecs:GetTaskProtection of cluster " + c.Name
	protected := inChunks(slices.Sorted(maps.Keys(tasks)), maxProtection, func(chunk []string) []ecstypes.ProtectedTask {
		out := ask(ctx, l, what, l.ECS.GetTaskProtection, &ecs.GetTaskProtectionInput{Cluster: aws.String(c.Name), Tasks: chunk})
		// A task that has just stopped is not valid any more.
		l.failures(what, slices.DeleteFunc(out.Failures, func(f ecstypes.Failure) bool { return aws.ToString(f.Reason) == "TASK_NOT_VALID" }))
		return out.ProtectedTasks
	})
	for _, p := range protected {
		if t := tasks[aws.ToString(p.TaskArn)]; t != nil {
			t.Protected, t.ProtectedUntil = p.ProtectionEnabled, aws.ToTime(p.ExpirationDate)
		}
	}
}
