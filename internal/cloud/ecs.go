package cloud

import (
	"context"
	"slices"
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
	return slices.DeleteFunc(refused(asked, failures), func(f plan.ItemFailure) bool { return f.Class == plan.Gone })
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
func (s *lookup) containerInstances(ctx context.Context, l plan.Look) error {
	return chunks(l.IDs(), l.Kind.Spec().Batch, s.fail, func(chunk []string) error {
		out, err := s.describeContainerInstances(ctx, l.In, chunk)
		if err != nil {
			return err
		}
		s.see(l.In, out)
		s.fail(unanswered(chunk, out.Failures))
		return nil
	})
}

func (s *lookup) describeContainerInstances(ctx context.Context, cluster string, arns []string) (*ecs.DescribeContainerInstancesOutput, error) {
	return Ask(ctx, count(&s.Calls), s.ECS.DescribeContainerInstances, &ecs.DescribeContainerInstancesInput{
		Cluster: aws.String(cluster), ContainerInstances: arns,
	})
}

func (s *lookup) see(cluster string, out *ecs.DescribeContainerInstancesOutput) {
	read := func(ci ecstypes.ContainerInstance) fleet.ContainerInstance { return ReadContainerInstance(cluster, ci) }
	s.View.ContainerInstances = append(s.View.ContainerInstances, Convert(out.ContainerInstances, read)...)
}

// tasks looks at tasks of one cluster.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeTasks.html
func (s *lookup) tasks(ctx context.Context, l plan.Look) error {
	return chunks(l.IDs(), l.Kind.Spec().Batch, s.fail, func(chunk []string) error {
		in := &ecs.DescribeTasksInput{Cluster: aws.String(l.In), Tasks: chunk, Include: []ecstypes.TaskField{ecstypes.TaskFieldTags}}
		out, err := Ask(ctx, count(&s.Calls), s.ECS.DescribeTasks, in)
		if err != nil {
			return err
		}
		s.View.Tasks = append(s.View.Tasks, Convert(out.Tasks, ReadTask)...)
		s.fail(unanswered(chunk, out.Failures))
		return nil
	})
}

// services looks at services of one cluster. A deleted service stays describable as INACTIVE; that is absence.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeServices.html
func (s *lookup) services(ctx context.Context, l plan.Look) error {
	return chunks(l.IDs(), l.Kind.Spec().Batch, s.fail, func(chunk []string) error {
		out, err := Ask(ctx, count(&s.Calls), s.ECS.DescribeServices, &ecs.DescribeServicesInput{
			Cluster: aws.String(l.In), Services: chunk, Include: []ecstypes.ServiceField{ecstypes.ServiceFieldTags},
		})
		if err != nil {
			return err
		}
		managed, failed := s.managed(ctx, out.Services)
		for _, v := range out.Services {
			if aws.ToString(v.Status) == fleet.Inactive || failed[aws.ToString(v.ServiceName)] {
				continue
			}
			service := ReadService(v)
			service.LoadBalancers = append(service.LoadBalancers, managed[service.Name]...)
			s.View.Services = append(s.View.Services, service)
		}
		s.fail(unanswered(chunk, out.Failures))
		return nil
	})
}

// listTasks lists the tasks of some container instances that have a desired status. What could not be listed in full leaves its container
// instance unknown, and only that.
func listTasks(desired ecstypes.DesiredStatus) func(*lookup, context.Context, plan.Look) error {
	return func(s *lookup, ctx context.Context, l plan.Look) error {
		return chunks(l.IDs(), 1, s.fail, func(chunk []string) error {
			in := &ecs.ListTasksInput{Cluster: aws.String(l.In), ContainerInstance: aws.String(chunk[0]), DesiredStatus: desired}
			arns, err := ListTasks(ctx, count(&s.Calls), s.ECS, in)
			for _, t := range arns {
				s.View.Listed = append(s.View.Listed, plan.Listed{Task: fleet.ARN(t), On: fleet.ARN(chunk[0])})
			}
			return err
		})
	}
}

// stopping lists the tasks on Fargate that have the desired status STOPPED. ECS knows them for an hour at least.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListTasks.html
func (s *lookup) stopping(ctx context.Context, l plan.Look) error {
	in := &ecs.ListTasksInput{
		Cluster: aws.String(l.In), DesiredStatus: ecstypes.DesiredStatusStopped, LaunchType: ecstypes.LaunchTypeFargate,
	}
	arns, err := ListTasks(ctx, count(&s.Calls), s.ECS, in)
	for _, t := range arns {
		s.View.Listed = append(s.View.Listed, plan.Listed{Task: fleet.ARN(t)})
	}
	return err
}

// ListTasks lists tasks, all pages.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListTasks.html
func ListTasks(ctx context.Context, send Send, c ECS, in *ecs.ListTasksInput) ([]string, error) {
	return All(ctx, send, c.ListTasks, in, &in.NextToken,
		func(out *ecs.ListTasksOutput) ([]string, *string) { return out.TaskArns, out.NextToken })
}

// listPages lists some pages of all the tasks of a cluster. A page that fails after others leaves its token as the next.
func (s *lookup) listPages(ctx context.Context, l plan.Look) error {
	in := &ecs.ListTasksInput{Cluster: aws.String(l.In), DesiredStatus: ecstypes.DesiredStatus(strings.Join(l.IDs(), ""))}
	token := l.Token
	for range plan.ListPages {
		if token != "" {
			in.NextToken = aws.String(token)
		}
		out, err := Ask(ctx, count(&s.Calls), s.ECS.ListTasks, in)
		if err != nil && s.Calls > 1 {
			break
		}
		if err != nil {
			return err
		}
		for _, t := range out.TaskArns {
			s.View.Listed = append(s.View.Listed, plan.Listed{Task: fleet.ARN(t)})
		}
		if token = aws.ToString(out.NextToken); token == "" {
			break
		}
	}
	s.View.Next = token
	return nil
}

// clusterSizes looks at how many tasks clusters have.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeClusters.html
func (s *lookup) clusterSizes(ctx context.Context, l plan.Look) error {
	return chunks(l.IDs(), l.Kind.Spec().Batch, s.fail, func(chunk []string) error {
		out, err := Ask(ctx, count(&s.Calls), s.ECS.DescribeClusters, &ecs.DescribeClustersInput{Clusters: chunk})
		if err != nil {
			return err
		}
		for _, c := range out.Clusters {
			s.View.Clusters = append(s.View.Clusters, fleet.Cluster{
				Name: askedFor(chunk, aws.ToString(c.ClusterArn)), Running: int(c.RunningTasksCount), Pending: int(c.PendingTasksCount),
			})
		}
		s.fail(unanswered(chunk, out.Failures))
		return nil
	})
}
