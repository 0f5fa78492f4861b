package ecs

import (
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/ebbhq/ebb/internal/sim/core"
)

func (s api) serviceOut(v Service) types.Service {
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
		LoadBalancers:               core.Mapped(v.TargetGroups, loadBalancerOut),
		PlacementConstraints:        core.Mapped(v.Constraints, constraintOut),
		PlacementStrategy:           core.Mapped(v.Placement, placementOut),
		CapacityProviderStrategy:    core.Mapped(v.Providers, strategyItemOut),
		AvailabilityZoneRebalancing: rebalancing,
		ServiceRegistries:           []types.ServiceRegistry{},
		Events:                      core.Mapped(v.Events, func(e ServiceEvent) types.ServiceEvent { return s.eventOut(v, e) }),
		Deployments:                 core.Mapped(v.Deployments, func(d Deployment) types.Deployment { return s.deploymentOut(v, d) }),
	}
	if len(v.TargetGroups) > 0 {
		out.HealthCheckGracePeriodSeconds = new(core.Seconds(v.Grace))
	}
	return out
}

// launchType is empty with a capacity provider strategy.
func launchType(v Service) types.LaunchType {
	if len(v.Providers) > 0 {
		return ""
	}
	return types.LaunchTypeEc2
}

func (s api) deploymentOut(v Service, d Deployment) types.Deployment {
	return types.Deployment{
		Id: &d.ID, Status: &d.Status, TaskDefinition: s.arn("task-definition", d.Definition), DesiredCount: int32(d.Desired),
		RunningCount: int32(d.Running), PendingCount: int32(d.Pending), FailedTasks: int32(d.Failed), CreatedAt: &d.CreatedAt, UpdatedAt: &d.UpdatedAt,
		RolloutState: types.DeploymentRolloutState(d.Rollout), RolloutStateReason: &d.RolloutReason,
		LaunchType: launchType(v), CapacityProviderStrategy: core.Mapped(v.Providers, strategyItemOut),
	}
}

func (s api) eventOut(v Service, e ServiceEvent) types.ServiceEvent {
	return types.ServiceEvent{Id: new(fmt.Sprintf("%s-%d", v.Name, e.At.UnixMilli())), CreatedAt: &e.At, Message: &e.Text}
}

func loadBalancerOut(t ServiceTargetGroup) types.LoadBalancer {
	return types.LoadBalancer{TargetGroupArn: &t.ARN, ContainerName: &t.Container, ContainerPort: new(int32(t.Port))}
}

func constraintOut(c Constraint) types.PlacementConstraint {
	return types.PlacementConstraint{Type: types.PlacementConstraintType(c.Type), Expression: core.Optional(c.Expression)}
}

func constraintIn(c types.PlacementConstraint) Constraint {
	return Constraint{Type: string(c.Type), Expression: core.Deref(c.Expression)}
}

func placementOut(p PlacementStrategy) types.PlacementStrategy {
	return types.PlacementStrategy{Type: types.PlacementStrategyType(p.Type), Field: core.Optional(p.Field)}
}

func placementIn(p types.PlacementStrategy) PlacementStrategy {
	return PlacementStrategy{Type: string(p.Type), Field: core.Deref(p.Field)}
}

func strategyItemOut(i StrategyItem) types.CapacityProviderStrategyItem {
	return types.CapacityProviderStrategyItem{CapacityProvider: &i.Provider, Base: int32(i.Base), Weight: int32(i.Weight)}
}

func strategyItemIn(i types.CapacityProviderStrategyItem) StrategyItem {
	return StrategyItem{Provider: core.Deref(i.CapacityProvider), Base: int(i.Base), Weight: int(i.Weight)}
}
