package collector

import (
	"context"
	"time"

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
func (l *look) services(ctx context.Context, cluster string) []inventory.Service {
	arns := l.list("ecs:ListServices of cluster "+cluster, func(token *string) ([]string, *string, error) {
		out, err := ask(ctx, l, l.ECS.ListServices, &ecs.ListServicesInput{
			Cluster: aws.String(cluster), MaxResults: aws.Int32(plan.MaxDescribeECS), NextToken: token,
		})
		if err != nil {
			return nil, nil, err
		}
		return out.ServiceArns, out.NextToken, nil
	})
	what := "ecs:DescribeServices of cluster " + cluster
	return describe(l, what, arns, plan.MaxDescribeServices, func(chunk []string) ([]inventory.Service, error) {
		out, err := ask(ctx, l, l.ECS.DescribeServices, &ecs.DescribeServicesInput{Cluster: aws.String(cluster), Services: chunk})
		if err != nil {
			return nil, err
		}
		var found []inventory.Service
		for _, v := range out.Services {
			if aws.ToString(v.Status) != fleet.Inactive {
				found = append(found, readService(v))
			}
		}
		l.failures(what, out.Failures)
		return found, nil
	})
}

func readService(v ecstypes.Service) inventory.Service {
	out := inventory.Service{
		Service: cloud.ReadService(v), ARN: aws.ToString(v.ServiceArn), Status: aws.ToString(v.Status), LaunchType: string(v.LaunchType),
		Strategy: strategy(v.CapacityProviderStrategy), Controller: string(ecstypes.DeploymentControllerTypeEcs),
		TaskDefinition: fleet.ARN(aws.ToString(v.TaskDefinition)).Name(), Pending: int(v.PendingCount),
		HealthCheckGrace: seconds(v.HealthCheckGracePeriodSeconds), CreatedAt: aws.ToTime(v.CreatedAt),
		ZoneRebalancing: v.AvailabilityZoneRebalancing == ecstypes.AvailabilityZoneRebalancingEnabled,
	}
	if v.DeploymentController != nil && v.DeploymentController.Type != "" {
		out.Controller = string(v.DeploymentController.Type)
	}
	if d := v.DeploymentConfiguration; d != nil && d.DeploymentCircuitBreaker != nil {
		out.CircuitBreaker = d.DeploymentCircuitBreaker.Enable
	}
	for _, c := range v.PlacementConstraints {
		out.Constraints = append(out.Constraints, inventory.Constraint{Type: string(c.Type), Expression: aws.ToString(c.Expression)})
	}
	for _, p := range v.PlacementStrategy {
		out.Placement = append(out.Placement, inventory.PlacementStrategy{Type: string(p.Type), Field: aws.ToString(p.Field)})
	}
	for _, d := range v.Deployments {
		out.Deployments = append(out.Deployments, deployment(d))
	}
	for _, e := range v.Events {
		out.Events = append(out.Events, inventory.Event{At: aws.ToTime(e.CreatedAt), Text: aws.ToString(e.Message)})
	}
	return out
}

func deployment(d ecstypes.Deployment) inventory.Deployment {
	return inventory.Deployment{
		ID: aws.ToString(d.Id), Status: aws.ToString(d.Status), TaskDefinition: fleet.ARN(aws.ToString(d.TaskDefinition)).Name(),
		Rollout: string(d.RolloutState), RolloutReason: aws.ToString(d.RolloutStateReason),
		Desired: int(d.DesiredCount), Running: int(d.RunningCount), Pending: int(d.PendingCount), Failed: int(d.FailedTasks),
		CreatedAt: aws.ToTime(d.CreatedAt), UpdatedAt: aws.ToTime(d.UpdatedAt),
	}
}

func seconds(n *int32) time.Duration { return time.Duration(aws.ToInt32(n)) * time.Second }
