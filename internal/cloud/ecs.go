package cloud

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

// unanswered are the asked items that an answer with HTTP 200 could not speak of. MISSING is an answer: the item is absent.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/api_failures_messages.html
func unanswered(asked []string, failures []ecstypes.Failure) []plan.ItemFailure {
	var out []plan.ItemFailure
	for _, f := range failures {
		if aws.ToString(f.Reason) != missing {
			out = append(out, plan.ItemFailure{ID: askedFor(asked, aws.ToString(f.Arn)), Class: plan.Unclear, Reason: failureText(f)})
		}
	}
	return out
}

// askedFor finds the id under which an item was asked for: AWS answers with the ARN, whatever the question named.
func askedFor(asked []string, arn string) string {
	for _, id := range asked {
		if id == arn || strings.HasSuffix(arn, "/"+id) {
			return id
		}
	}
	return arn
}

// containerInstances looks at container instances of one cluster.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeContainerInstances.html
func (s *sight) containerInstances(ctx context.Context, cluster string, arns []string) error {
	return chunks(arns, plan.MaxDescribeECS, s.fail, func(chunk []string) error {
		out, err := s.describeContainerInstances(ctx, cluster, chunk)
		if err != nil {
			return err
		}
		for _, ci := range out.ContainerInstances {
			s.View.ContainerInstances = append(s.View.ContainerInstances, ReadContainerInstance(cluster, ci))
		}
		s.fail(unanswered(chunk, out.Failures))
		return nil
	})
}

func (s *sight) describeContainerInstances(ctx context.Context, cluster string, arns []string) (*ecs.DescribeContainerInstancesOutput, error) {
	return ask(ctx, &s.Calls, s.ECS.DescribeContainerInstances, &ecs.DescribeContainerInstancesInput{
		Cluster: aws.String(cluster), ContainerInstances: arns,
	})
}

// tasks looks at tasks of one cluster.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeTasks.html
func (s *sight) tasks(ctx context.Context, cluster string, arns []string) error {
	return chunks(arns, plan.MaxDescribeECS, s.fail, func(chunk []string) error {
		out, err := ask(ctx, &s.Calls, s.ECS.DescribeTasks, &ecs.DescribeTasksInput{Cluster: aws.String(cluster), Tasks: chunk})
		if err != nil {
			return err
		}
		for _, t := range out.Tasks {
			s.View.Tasks = append(s.View.Tasks, ReadTask(t))
		}
		s.fail(unanswered(chunk, out.Failures))
		return nil
	})
}

// services looks at services of one cluster. A deleted service stays describable as INACTIVE; that is absence.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeServices.html
func (s *sight) services(ctx context.Context, cluster string, names []string) error {
	return chunks(names, plan.MaxDescribeServices, s.fail, func(chunk []string) error {
		out, err := ask(ctx, &s.Calls, s.ECS.DescribeServices, &ecs.DescribeServicesInput{Cluster: aws.String(cluster), Services: chunk})
		if err != nil {
			return err
		}
		for _, v := range out.Services {
			if aws.ToString(v.Status) != fleet.Inactive {
				s.View.Services = append(s.View.Services, ReadService(v))
			}
		}
		s.fail(unanswered(chunk, out.Failures))
		return nil
	})
}

// listTasks looks at every task of some container instances. What could not be listed or described in full leaves its
// container instance unknown, and only that.
func (s *sight) listTasks(ctx context.Context, cluster string, arns []string) error {
	home := map[string]string{} // task to the container instance that it was listed for
	var tasks []string
	err := chunks(arns, 1, s.fail, func(chunk []string) error {
		found, err := s.tasksOn(ctx, cluster, chunk[0])
		for _, t := range found {
			if _, again := home[t]; !again {
				home[t] = chunk[0]
				tasks = append(tasks, t)
			}
		}
		return err
	})
	if err != nil || len(tasks) == 0 {
		return err
	}
	listed := s.Failed
	s.Failed = nil
	if err := s.tasks(ctx, cluster, tasks); err != nil {
		return err
	}
	undescribed := s.Failed
	s.Failed = listed
	known := map[string]bool{}
	for _, f := range listed {
		known[f.ID] = true
	}
	for _, f := range undescribed {
		if ci := home[f.ID]; !known[ci] {
			known[ci] = true
			s.fail([]plan.ItemFailure{{ID: ci, Class: f.Class, Reason: "task " + f.ID + ": " + f.Reason}})
		}
	}
	return nil
}

// tasksOn lists the tasks of one container instance. RUNNING is asked before STOPPED, so that a task whose desired status
// falls between the two requests is listed twice and not left out.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListTasks.html
func (s *sight) tasksOn(ctx context.Context, cluster, arn string) ([]string, error) {
	var found []string
	for _, desired := range []ecstypes.DesiredStatus{ecstypes.DesiredStatusRunning, ecstypes.DesiredStatusStopped} {
		err := Pages(func(token *string) (*string, error) {
			out, err := ask(ctx, &s.Calls, s.ECS.ListTasks, &ecs.ListTasksInput{
				Cluster: aws.String(cluster), ContainerInstance: aws.String(arn), DesiredStatus: desired, NextToken: token,
			})
			if err != nil {
				return nil, err
			}
			found = append(found, out.TaskArns...)
			return out.NextToken, nil
		})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}
