package ecs

import (
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// DescribeServiceRevisions answers for up to 20 ARNs; unknown ones are failures with the reason MISSING. Each deployment that ECS controls has
// a revision, whose id is that of the deployment: AWS documents both numbers, and not that they are the same.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeServiceRevisions.html
func (w *ECS) DescribeServiceRevisions(arns []string) ([]Revision, []Failure, error) {
	if err := checkBatch("Service revision ARNs", arns, 20); err != nil {
		return nil, nil, err
	}
	var found []Revision
	var failures []Failure
	for _, arn := range arns {
		if r, ok := w.findRevision(arn); ok {
			found = append(found, r)
			continue
		}
		failures = append(failures, Failure{ARN: arn, Reason: "MISSING"})
	}
	return found, failures, nil
}

func (w *ECS) findRevision(arn string) (Revision, bool) {
	for _, c := range w.clusters {
		for _, s := range c.services {
			if len(s.sets) > 0 || !strings.HasPrefix(arn, s.revisions()) {
				continue
			}
			for _, d := range s.deploys {
				if arn == s.revisions()+core.LastPart(d.ID) {
					return Revision{ARN: arn, Of: w.seeService(s), Deployment: *d}, true
				}
			}
		}
	}
	return Revision{}, false
}

// revisions is how the ARNs of the revisions of a service begin.
func (s *Service) revisions() string {
	return strings.Replace(s.ARN, ":service/", ":service-revision/", 1) + "/"
}

func (s api) describeRevisions(_ *core.Call, in *ecs.DescribeServiceRevisionsInput) (*ecs.DescribeServiceRevisionsOutput, error) {
	found, failures, err := s.DescribeServiceRevisions(in.ServiceRevisionArns)
	if err != nil {
		return nil, err
	}
	return &ecs.DescribeServiceRevisionsOutput{
		ServiceRevisions: core.Mapped(found, s.revisionOut), Failures: core.Mapped(failures, failureOut),
	}, nil
}

// currentRevisions are the revisions that have tasks, or are to have them, the newest first.
func currentRevisions(v Service) []types.ServiceCurrentRevisionSummary {
	return core.Mapped(v.Deployments, func(d Deployment) types.ServiceCurrentRevisionSummary {
		return types.ServiceCurrentRevisionSummary{
			Arn: new(v.revisions() + core.LastPart(d.ID)), RequestedTaskCount: int32(d.Desired), RunningTaskCount: int32(d.Running),
			PendingTaskCount: int32(d.Pending),
		}
	})
}

func (s api) revisionOut(r Revision) types.ServiceRevision {
	v := r.Of
	out := types.ServiceRevision{
		ServiceRevisionArn: &r.ARN, ServiceArn: &v.ARN, ClusterArn: s.arn("cluster", v.Cluster), TaskDefinition: s.arn("task-definition", r.Definition),
		CreatedAt: &r.CreatedAt, LaunchType: launchType(v), CapacityProviderStrategy: core.Mapped(v.Providers, strategyItemOut),
		LoadBalancers: core.Mapped(v.TargetGroups, s.loadBalancerOut), ServiceRegistries: core.Mapped(v.Names, registryOut),
		VpcLatticeConfigurations: core.Mapped(v.Lattice, s.latticeOut),
		ResolvedConfiguration: &types.ResolvedConfiguration{
			LoadBalancers: core.Mapped(v.TargetGroups, func(t ServiceTargetGroup) types.ServiceRevisionLoadBalancer {
				return s.resolvedOut(r, t)
			}),
			VpcLatticeConfigurations: core.Mapped(v.Lattice, func(t ServiceTargetGroup) types.ServiceRevisionVpcLatticeConfiguration {
				return types.ServiceRevisionVpcLatticeConfiguration{TargetGroupArn: new(t.groupOf(r.InAlternate))}
			}),
		},
	}
	for _, i := range v.Ingress {
		s.managed(r, i, &out)
	}
	return out
}

// registryOut is a service of Cloud Map. One with a port has records of type SRV.
func registryOut(t ServiceTargetGroup) types.ServiceRegistry {
	out := types.ServiceRegistry{RegistryArn: &t.ARN}
	if t.Port != 0 {
		out.ContainerName, out.ContainerPort = &t.Container, new(int32(t.Port))
	}
	return out
}

func (s api) latticeOut(t ServiceTargetGroup) types.VpcLatticeConfiguration {
	out := types.VpcLatticeConfiguration{
		PortName: new(portName(t.Port)), RoleArn: new("arn:aws:iam::" + s.Account + ":role/ecs-vpc-lattice"), TargetGroupArn: &t.ARN,
	}
	if t.Alternate != "" {
		out.AdvancedConfiguration = &types.VpcLatticeAdvancedConfiguration{
			AlternateTargetGroupArn: &t.Alternate, ProductionListenerRule: s.listenerRule(),
		}
	}
	return out
}

// resolvedOut is where the tasks of a revision are: with blue/green deployments in one of two target groups.
func (s api) resolvedOut(r Revision, t ServiceTargetGroup) types.ServiceRevisionLoadBalancer {
	out := types.ServiceRevisionLoadBalancer{TargetGroupArn: new(t.groupOf(r.InAlternate))}
	if t.Alternate != "" {
		out.ProductionListenerRule = s.listenerRule()
	}
	return out
}

// listenerRule is the rule of production traffic, of which there is one: the simulated cloud has no listeners.
func (s api) listenerRule() *string {
	return new(s.ARN("elasticloadbalancing", "listener-rule/app/ebb/0ebb/0ebb/0ebb"))
}

// managed adds what ECS has made for a service: the target group of a gateway or of an Express service. AWS shows both groups of a gateway, and
// not which one the tasks of a revision are in.
func (s api) managed(r Revision, i Ingress, out *types.ServiceRevision) {
	if out.EcsManagedResources == nil {
		out.EcsManagedResources = &types.ECSManagedResources{}
	}
	if i.Kind == "express" {
		out.EcsManagedResources.IngressPaths = append(out.EcsManagedResources.IngressPaths, types.ManagedIngressPath{
			AccessType: types.AccessTypePrivate, Endpoint: new(r.Of.Name + ".ecs." + s.Region + ".on.aws"),
			TargetGroups: []types.ManagedTargetGroup{{
				Arn: new(i.groupOf(r.InAlternate)), Port: int32(i.Port), HealthCheckPath: new("/ping"), HealthCheckPort: int32(i.Port),
				Status: types.ManagedResourceStatusActive, UpdatedAt: &r.CreatedAt,
			}},
		})
		return
	}
	out.GatewayConnectors = append(out.GatewayConnectors, types.GatewayConnector{PortName: new(portName(i.Port))})
	out.EcsManagedResources.GatewayConnections = append(out.EcsManagedResources.GatewayConnections, types.GatewayConnection{
		AccessType: types.AccessTypePrivate, GatewayArn: s.arn("gateway", "ebb"), GatewayRouteArn: s.arn("gateway-route", "ebb/"+r.Of.Name),
		PortName: new(portName(i.Port)), Status: types.GatewayRouteStatusActive,
		Resources: &types.GatewayConnectionResourcesMemberHostSharedAlb{Value: []types.GatewayConnectionAlbResources{{
			TargetGroupArn: &i.ARN, AlternateTargetGroupArn: core.Optional(i.Alternate), ListenerRuleArn: s.listenerRule(),
		}}},
	})
}
