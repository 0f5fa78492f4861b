package collector

import (
	"context"
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
func (l *look) tasks(ctx context.Context, cluster string) []inventory.Task {
	var arns []string
	for _, desired := range []ecstypes.DesiredStatus{ecstypes.DesiredStatusRunning, ecstypes.DesiredStatusStopped} {
		l.read("ecs:ListTasks of cluster "+cluster, func() error {
			return pages(func(token *string) (*string, error) {
				out, err := ask(ctx, l, l.ECS.ListTasks, &ecs.ListTasksInput{Cluster: aws.String(cluster), DesiredStatus: desired, NextToken: token})
				if err != nil {
					return nil, err
				}
				arns = append(arns, out.TaskArns...)
				return out.NextToken, nil
			})
		})
	}
	chunks := slices.Collect(slices.Chunk(unique(arns), plan.MaxDescribeECS))
	found := make([][]inventory.Task, len(chunks))
	what := "ecs:DescribeTasks of cluster " + cluster
	each(chunks, func(i int, chunk []string) {
		l.read(what, func() error {
			out, err := ask(ctx, l, l.ECS.DescribeTasks, &ecs.DescribeTasksInput{Cluster: aws.String(cluster), Tasks: chunk})
			if err != nil {
				return err
			}
			for _, t := range out.Tasks {
				if task := readTask(t); task.Live() {
					found[i] = append(found[i], task)
				}
			}
			l.failures(what, out.Failures)
			return nil
		})
	})
	return slices.Concat(found...)
}

func readTask(t ecstypes.Task) inventory.Task {
	out := inventory.Task{
		Task: cloud.ReadTask(t), LaunchType: string(t.LaunchType), CapacityProvider: aws.ToString(t.CapacityProviderName),
		StartedBy: aws.ToString(t.StartedBy), StartedAt: aws.ToTime(t.StartedAt), StoppingAt: aws.ToTime(t.StoppingAt),
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
	at := map[string]int{}
	var arns []string
	for i, t := range c.Tasks {
		if v := c.Service(t.Service()); v == nil || v.Daemon || t.LastStatus != "RUNNING" {
			continue
		}
		at[string(t.ARN)] = i
		arns = append(arns, string(t.ARN))
	}
	what := "ecs:GetTaskProtection of cluster " + c.Name
	each(slices.Collect(slices.Chunk(arns, maxProtection)), func(_ int, chunk []string) {
		l.read(what, func() error {
			out, err := ask(ctx, l, l.ECS.GetTaskProtection, &ecs.GetTaskProtectionInput{Cluster: aws.String(c.Name), Tasks: chunk})
			if err != nil {
				return err
			}
			for _, p := range out.ProtectedTasks {
				if i, ok := at[aws.ToString(p.TaskArn)]; ok { // each chunk has tasks of its own
					c.Tasks[i].Protected, c.Tasks[i].ProtectedUntil = p.ProtectionEnabled, aws.ToTime(p.ExpirationDate)
				}
			}
			for _, f := range out.Failures {
				// A task that has just stopped is not valid any more.
				if r := aws.ToString(f.Reason); r != "TASK_NOT_VALID" {
					l.failures(what, []ecstypes.Failure{f})
				}
			}
			return nil
		})
	})
}
