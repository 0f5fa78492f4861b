package collector

import (
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/ebbhq/ebb/internal/cloud"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
	"github.com/ebbhq/ebb/internal/plan"
)

// services reads the services of a cluster, those that are being deleted included.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListServices.html
func (l *look) services(ctx context.Context, cluster string) []*inventory.Service {
	in := &ecs.ListServicesInput{Cluster: aws.String(cluster), MaxResults: aws.Int32(plan.MaxDescribeECS)}
	arns := list(ctx, l, "ecs:ListServices of cluster "+cluster, l.ECS.ListServices, in, &in.NextToken,
		func(out *ecs.ListServicesOutput) ([]string, *string) { return out.ServiceArns, out.NextToken })
	what := "ecs:DescribeServices of cluster " + cluster
	return inChunks(arns, plan.MaxDescribeServices, func(chunk []string) []*inventory.Service {
		in := &ecs.DescribeServicesInput{Cluster: aws.String(cluster), Services: chunk}
		out := ask(ctx, l, what, l.ECS.DescribeServices, in)
		l.failures(what, out.Failures)
		active := slices.DeleteFunc(out.Services, func(v ecstypes.Service) bool { return aws.ToString(v.Status) == fleet.Inactive })
		return cloud.Convert(active, readService)
	})
}

func readService(v ecstypes.Service) *inventory.Service {
	out := &inventory.Service{
		Service: cloud.ReadService(v), ARN: aws.ToString(v.ServiceArn), Status: aws.ToString(v.Status), LaunchType: string(v.LaunchType),
		Strategy: strategy(v.CapacityProviderStrategy), Controller: string(ecstypes.DeploymentControllerTypeEcs),
		TaskDefinition:   fleet.ARN(aws.ToString(v.TaskDefinition)).Name(),
		HealthCheckGrace: cloud.Seconds(v.HealthCheckGracePeriodSeconds), Deployments: cloud.Convert(v.Deployments, deployment),
	}
	if v.DeploymentController != nil && v.DeploymentController.Type != "" {
		out.Controller = string(v.DeploymentController.Type)
	}
	out.Constraints = cloud.Convert(v.PlacementConstraints, func(c ecstypes.PlacementConstraint) inventory.Constraint {
		return inventory.Constraint{Type: string(c.Type), Expression: aws.ToString(c.Expression)}
	})
	out.Events = cloud.Convert(v.Events, func(e ecstypes.ServiceEvent) inventory.Event {
		return inventory.Event{At: aws.ToTime(e.CreatedAt), Text: aws.ToString(e.Message)}
	})
	return out
}

func deployment(d ecstypes.Deployment) inventory.Deployment {
	return inventory.Deployment{
		ID: aws.ToString(d.Id), Status: aws.ToString(d.Status), TaskDefinition: fleet.ARN(aws.ToString(d.TaskDefinition)).Name(),
		Rollout: string(d.RolloutState), RolloutReason: aws.ToString(d.RolloutStateReason),
		Desired: int(d.DesiredCount), Running: int(d.RunningCount), Pending: int(d.PendingCount), Failed: int(d.FailedTasks),
		CreatedAt: aws.ToTime(d.CreatedAt),
	}
}
