package wire

import (
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/ebbhq/ebb/internal/sim"
)

func (s ECS) serviceOut(v sim.Service) types.Service {
	strategy := types.SchedulingStrategyReplica
	if v.Daemon {
		strategy = types.SchedulingStrategyDaemon
	}
	rebalancing := types.AvailabilityZoneRebalancingDisabled
	if v.ZoneRebalance {
		rebalancing = types.AvailabilityZoneRebalancingEnabled
	}
	out := types.Service{
		ServiceName: &v.Name, ServiceArn: &v.ARN, ClusterArn: s.arn("cluster", v.Cluster), Status: &v.Status, TaskDefinition: s.arn("task-definition", v.Definition),
		DesiredCount: int32(v.Desired), RunningCount: int32(v.Running), PendingCount: int32(v.Pending), LaunchType: launchType(v),
		SchedulingStrategy: strategy, CreatedAt: &v.CreatedAt,
		DeploymentController: &types.DeploymentController{Type: types.DeploymentControllerTypeEcs},
		DeploymentConfiguration: &types.DeploymentConfiguration{
			MinimumHealthyPercent: new(int32(v.Min)), MaximumPercent: new(int32(v.Max)),
			DeploymentCircuitBreaker: &types.DeploymentCircuitBreaker{Enable: v.CircuitBreaker},
		},
		LoadBalancers:               mapped(v.TargetGroups, loadBalancerOut),
		PlacementConstraints:        mapped(v.Constraints, constraintOut),
		PlacementStrategy:           mapped(v.Placement, placementOut),
		CapacityProviderStrategy:    mapped(v.Providers, strategyItemOut),
		AvailabilityZoneRebalancing: rebalancing,
		ServiceRegistries:           []types.ServiceRegistry{},
		Events:                      mapped(v.Events, func(e sim.ServiceEvent) types.ServiceEvent { return s.eventOut(v, e) }),
		Deployments:                 mapped(v.Deployments, func(d sim.Deployment) types.Deployment { return s.deploymentOut(v, d) }),
	}
	if len(v.TargetGroups) > 0 {
		out.HealthCheckGracePeriodSeconds = new(seconds(v.Grace))
	}
	return out
}

// launchType is empty with a capacity provider strategy.
func launchType(v sim.Service) types.LaunchType {
	if len(v.Providers) > 0 {
		return ""
	}
	return types.LaunchTypeEc2
}

func (s ECS) deploymentOut(v sim.Service, d sim.Deployment) types.Deployment {
	return types.Deployment{
		Id: &d.ID, Status: &d.Status, TaskDefinition: s.arn("task-definition", d.Definition), DesiredCount: int32(d.Desired),
		RunningCount: int32(d.Running), PendingCount: int32(d.Pending), FailedTasks: int32(d.Failed), CreatedAt: &d.CreatedAt, UpdatedAt: &d.UpdatedAt,
		RolloutState: types.DeploymentRolloutState(d.Rollout), RolloutStateReason: &d.RolloutReason,
		LaunchType: launchType(v), CapacityProviderStrategy: mapped(v.Providers, strategyItemOut),
	}
}

func (s ECS) eventOut(v sim.Service, e sim.ServiceEvent) types.ServiceEvent {
	return types.ServiceEvent{Id: new(fmt.Sprintf("%s-%d", v.Name, e.At.UnixMilli())), CreatedAt: &e.At, Message: &e.Text}
}

func loadBalancerOut(t sim.ServiceTargetGroup) types.LoadBalancer {
	return types.LoadBalancer{TargetGroupArn: &t.ARN, ContainerName: &t.Container, ContainerPort: new(int32(t.Port))}
}

func constraintOut(c sim.Constraint) types.PlacementConstraint {
	return types.PlacementConstraint{Type: types.PlacementConstraintType(c.Type), Expression: optional(c.Expression)}
}

func constraintIn(c types.PlacementConstraint) sim.Constraint {
	return sim.Constraint{Type: string(c.Type), Expression: deref(c.Expression)}
}

func placementOut(p sim.PlacementStrategy) types.PlacementStrategy {
	return types.PlacementStrategy{Type: types.PlacementStrategyType(p.Type), Field: optional(p.Field)}
}

func placementIn(p types.PlacementStrategy) sim.PlacementStrategy {
	return sim.PlacementStrategy{Type: string(p.Type), Field: deref(p.Field)}
}

func strategyItemOut(i sim.StrategyItem) types.CapacityProviderStrategyItem {
	return types.CapacityProviderStrategyItem{CapacityProvider: &i.Provider, Base: int32(i.Base), Weight: int32(i.Weight)}
}

func strategyItemIn(i types.CapacityProviderStrategyItem) sim.StrategyItem {
	return sim.StrategyItem{Provider: deref(i.CapacityProvider), Base: int(i.Base), Weight: int(i.Weight)}
}
