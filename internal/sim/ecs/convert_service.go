package ecs

import (
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ecs"
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
		LoadBalancers:               core.Mapped(v.TargetGroups, s.loadBalancerOut),
		PlacementConstraints:        core.Mapped(v.Constraints, constraintOut),
		PlacementStrategy:           core.Mapped(v.Placement, placementOut),
		CapacityProviderStrategy:    core.Mapped(v.Providers, strategyItemOut),
		AvailabilityZoneRebalancing: rebalancing,
		ServiceRegistries:           core.Mapped(v.Names, registryOut),
		Events:                      core.Mapped(v.Events, func(e ServiceEvent) types.ServiceEvent { return s.eventOut(v, e) }),
		Deployments:                 core.Mapped(v.Deployments, func(d Deployment) types.Deployment { return s.deploymentOut(v, d) }),
		CurrentServiceRevisions:     currentRevisions(v),
	}
	if slices.ContainsFunc(v.Ingress, func(i Ingress) bool { return i.Kind == "express" }) {
		out.ResourceManagementType = types.ResourceManagementTypeEcs
	}
	if version, family := platformOf(v); version != nil {
		out.PlatformVersion, out.PlatformFamily, out.NetworkConfiguration = new("LATEST"), family, s.network(v)
	}
	if len(v.TargetGroups) > 0 {
		out.HealthCheckGracePeriodSeconds = new(core.Seconds(v.Grace))
	}
	if slices.ContainsFunc(v.TargetGroups, func(t ServiceTargetGroup) bool { return t.Alternate != "" }) {
		out.DeploymentConfiguration.Strategy = types.DeploymentStrategyBlueGreen
	}
	if len(v.TaskSets) > 0 {
		s.controlled(v, &out)
	}
	return out
}

// controlled is what is different with a service whose deployments ECS does not control: it has task sets, and with the controller EXTERNAL
// task definition, launch type and load balancers are theirs only.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-type-external.html
func (s api) controlled(v Service, out *types.Service) {
	out.DeploymentController = &types.DeploymentController{Type: types.DeploymentControllerType(v.Controller)}
	out.TaskSets = core.Mapped(v.TaskSets, func(set TaskSet) types.TaskSet { return s.setOut(v, set) })
	if v.Controller == "EXTERNAL" {
		out.TaskDefinition, out.LaunchType, out.LoadBalancers, out.HealthCheckGracePeriodSeconds = nil, "", []types.LoadBalancer{}, nil
		out.CapacityProviderStrategy = nil
	}
}

func (s api) setOut(v Service, t TaskSet) types.TaskSet {
	stability := types.StabilityStatusStabilizing
	if t.Steady {
		stability = types.StabilityStatusSteadyState
	}
	out := types.TaskSet{
		Id: &t.ID, TaskSetArn: &t.ARN, ServiceArn: &v.ARN, ClusterArn: s.arn("cluster", v.Cluster), Status: &t.Status,
		TaskDefinition: s.arn("task-definition", t.Definition), ComputedDesiredCount: int32(t.Desired), RunningCount: int32(t.Running),
		PendingCount: int32(t.Pending), CreatedAt: &t.CreatedAt, UpdatedAt: &t.CreatedAt, LaunchType: launchType(v),
		CapacityProviderStrategy: core.Mapped(v.Providers, strategyItemOut), LoadBalancers: core.Mapped(t.TargetGroups, s.loadBalancerOut),
		ServiceRegistries: []types.ServiceRegistry{}, Scale: &types.Scale{Unit: types.ScaleUnitPercent, Value: float64(t.Scale)},
		StabilityStatus: stability, StabilityStatusAt: &t.CreatedAt, Tags: []types.Tag{},
	}
	if v.Controller == "CODE_DEPLOY" {
		out.StartedBy, out.ExternalId = new("CODE_DEPLOY"), new("d-0EBB"+strings.ToUpper(t.ID[max(0, len(t.ID)-5):]))
	}
	return out
}

func (s api) describeTaskSets(_ *core.Call, in *ecs.DescribeTaskSetsInput) (*ecs.DescribeTaskSetsOutput, error) {
	of, found, failures, err := s.DescribeTaskSets(*in.Cluster, *in.Service, in.TaskSets)
	if err != nil {
		return nil, err
	}
	return &ecs.DescribeTaskSetsOutput{
		TaskSets: core.Mapped(found, func(set TaskSet) types.TaskSet { return s.setOut(of, set) }), Failures: core.Mapped(failures, failureOut),
	}, nil
}

// launchType is empty with a capacity provider strategy.
func launchType(v Service) types.LaunchType {
	if len(v.Providers) > 0 {
		return ""
	}
	if v.LaunchType != "" {
		return types.LaunchType(v.LaunchType)
	}
	return types.LaunchTypeEc2
}

func (s api) deploymentOut(v Service, d Deployment) types.Deployment {
	version, family := platformOf(v)
	return types.Deployment{
		PlatformVersion: version, PlatformFamily: family, NetworkConfiguration: s.network(v),
		Id: &d.ID, Status: &d.Status, TaskDefinition: s.arn("task-definition", d.Definition), DesiredCount: int32(d.Desired),
		RunningCount: int32(d.Running), PendingCount: int32(d.Pending), FailedTasks: int32(d.Failed), CreatedAt: &d.CreatedAt, UpdatedAt: &d.UpdatedAt,
		RolloutState: types.DeploymentRolloutState(d.Rollout), RolloutStateReason: &d.RolloutReason,
		LaunchType: launchType(v), CapacityProviderStrategy: core.Mapped(v.Providers, strategyItemOut),
		VpcLatticeConfigurations: core.Mapped(v.Lattice, s.latticeOut),
	}
}

func (s api) eventOut(v Service, e ServiceEvent) types.ServiceEvent {
	return types.ServiceEvent{Id: new(fmt.Sprintf("%s-%d", v.Name, e.At.UnixMilli())), CreatedAt: &e.At, Message: &e.Text}
}

func (s api) loadBalancerOut(t ServiceTargetGroup) types.LoadBalancer {
	out := types.LoadBalancer{TargetGroupArn: &t.ARN, ContainerName: &t.Container, ContainerPort: new(int32(t.Port))}
	if t.Alternate != "" {
		out.AdvancedConfiguration = &types.AdvancedConfiguration{
			AlternateTargetGroupArn: &t.Alternate, RoleArn: new("arn:aws:iam::" + s.Account + ":role/ecs-load-balancers"),
			ProductionListenerRule: s.listenerRule(),
		}
	}
	return out
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
