package wire

import (
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/ebbhq/ebb/internal/sim"
)

type ecsOptions = func(*ecs.Options)

// ListClusters answers for the SDK operation of this name.
func (s ECS) ListClusters(ctx context.Context, in *ecs.ListClustersInput, _ ...ecsOptions) (*ecs.ListClustersOutput, error) {
	return call(ctx, s.api, "ecs", "ListClusters", in, s.listClusters)
}

func (s ECS) listClusters(in *ecs.ListClustersInput) (*ecs.ListClustersOutput, error) {
	arns, next, err := s.list("ListClusters", s.api.World.ListClusters(), in.MaxResults, 100, in.NextToken)
	return &ecs.ListClustersOutput{ClusterArns: arns, NextToken: next}, err
}

// list cuts one page out of a list of ARNs, with ECS's own refusals.
func (s ECS) list(operation string, all []string, size *int32, fallback int, token *string) ([]string, *string, error) {
	if size != nil && (*size < 1 || *size > 100) {
		return nil, nil, refuse("InvalidParameterException", "maxResults must be between 1 and 100 (inclusive), not %d.", *size)
	}
	items, next, ok := page(s.api, paging{operation, size, fallback, 100, token}, all, same)
	if !ok {
		return nil, nil, refuse("InvalidParameterException", "Invalid token %s.", deref(token))
	}
	return mapped(items, same), next, nil
}

// DescribeClusters answers for the SDK operation of this name.
func (s ECS) DescribeClusters(ctx context.Context, in *ecs.DescribeClustersInput, _ ...ecsOptions) (*ecs.DescribeClustersOutput, error) {
	return call(ctx, s.api, "ecs", "DescribeClusters", in, s.describeClusters)
}

func (s ECS) describeClusters(in *ecs.DescribeClustersInput) (*ecs.DescribeClustersOutput, error) {
	if len(in.Clusters) > 100 {
		return nil, refuse("InvalidParameterException", "Clusters cannot have more than 100 elements.")
	}
	ids := in.Clusters
	if len(ids) == 0 {
		ids = []string{"default"}
	}
	clusters, failures := s.api.World.DescribeClusters(ids)
	return &ecs.DescribeClustersOutput{Clusters: mapped(clusters, s.clusterOut), Failures: mapped(failures, failureOut)}, nil
}

// ListContainerInstances answers for the SDK operation of this name.
func (s ECS) ListContainerInstances(ctx context.Context, in *ecs.ListContainerInstancesInput, _ ...ecsOptions) (*ecs.ListContainerInstancesOutput, error) {
	return call(ctx, s.api, "ecs", "ListContainerInstances", in, s.listContainerInstances)
}

func (s ECS) listContainerInstances(in *ecs.ListContainerInstancesInput) (*ecs.ListContainerInstancesOutput, error) {
	if err := enum("status", in.Status); err != nil {
		return nil, err
	}
	all, err := s.api.World.ListContainerInstances(deref(in.Cluster), string(in.Status), deref(in.Filter))
	if err != nil {
		return nil, err
	}
	arns, next, err := s.list("ListContainerInstances", all, in.MaxResults, 100, in.NextToken)
	return &ecs.ListContainerInstancesOutput{ContainerInstanceArns: arns, NextToken: next}, err
}

// DescribeContainerInstances answers for the SDK operation of this name.
func (s ECS) DescribeContainerInstances(ctx context.Context, in *ecs.DescribeContainerInstancesInput, _ ...ecsOptions) (*ecs.DescribeContainerInstancesOutput, error) {
	return call(ctx, s.api, "ecs", "DescribeContainerInstances", in, s.describeContainerInstances)
}

func (s ECS) describeContainerInstances(in *ecs.DescribeContainerInstancesInput) (*ecs.DescribeContainerInstancesOutput, error) {
	if err := items("Container instances", in.ContainerInstances, 100); err != nil {
		return nil, err
	}
	found, failures, err := s.api.World.DescribeContainerInstances(deref(in.Cluster), in.ContainerInstances)
	if err != nil {
		return nil, err
	}
	return &ecs.DescribeContainerInstancesOutput{
		ContainerInstances: mapped(found, containerInstanceOut), Failures: mapped(failures, failureOut),
	}, nil
}

// UpdateContainerInstancesState answers for the SDK operation of this name.
func (s ECS) UpdateContainerInstancesState(ctx context.Context, in *ecs.UpdateContainerInstancesStateInput, _ ...ecsOptions) (*ecs.UpdateContainerInstancesStateOutput, error) {
	return call(ctx, s.api, "ecs", "UpdateContainerInstancesState", in, s.updateState)
}

func (s ECS) updateState(in *ecs.UpdateContainerInstancesStateInput) (*ecs.UpdateContainerInstancesStateOutput, error) {
	if err := items("Container instances", in.ContainerInstances, 10); err != nil {
		return nil, err
	}
	if in.Status != types.ContainerInstanceStatusActive && in.Status != types.ContainerInstanceStatusDraining {
		return nil, refuse("InvalidParameterException", "Container instance status must be one of [ACTIVE, DRAINING], not '%s'.", in.Status)
	}
	changed, failures, err := s.api.World.UpdateContainerInstancesState(deref(in.Cluster), in.ContainerInstances, string(in.Status))
	if err != nil {
		return nil, err
	}
	return &ecs.UpdateContainerInstancesStateOutput{
		ContainerInstances: mapped(changed, containerInstanceOut), Failures: mapped(failures, failureOut),
	}, nil
}

// DeregisterContainerInstance answers for the SDK operation of this name.
func (s ECS) DeregisterContainerInstance(ctx context.Context, in *ecs.DeregisterContainerInstanceInput, _ ...ecsOptions) (*ecs.DeregisterContainerInstanceOutput, error) {
	return call(ctx, s.api, "ecs", "DeregisterContainerInstance", in, s.deregister)
}

func (s ECS) deregister(in *ecs.DeregisterContainerInstanceInput) (*ecs.DeregisterContainerInstanceOutput, error) {
	if err := requireECS(member{"Container instance", in.ContainerInstance}); err != nil {
		return nil, err
	}
	gone, err := s.api.World.DeregisterContainerInstance(deref(in.Cluster), *in.ContainerInstance, deref(in.Force))
	if err != nil {
		return nil, err
	}
	return &ecs.DeregisterContainerInstanceOutput{ContainerInstance: new(containerInstanceOut(gone))}, nil
}

// ListServices answers for the SDK operation of this name.
func (s ECS) ListServices(ctx context.Context, in *ecs.ListServicesInput, _ ...ecsOptions) (*ecs.ListServicesOutput, error) {
	return call(ctx, s.api, "ecs", "ListServices", in, s.listServices)
}

func (s ECS) listServices(in *ecs.ListServicesInput) (*ecs.ListServicesOutput, error) {
	all, err := s.api.World.ListServices(deref(in.Cluster))
	if err != nil {
		return nil, err
	}
	// ListServices answers with 10 a page unless asked for more; the other lists with 100.
	arns, next, err := s.list("ListServices", all, in.MaxResults, 10, in.NextToken)
	return &ecs.ListServicesOutput{ServiceArns: arns, NextToken: next}, err
}

// DescribeServices answers for the SDK operation of this name.
func (s ECS) DescribeServices(ctx context.Context, in *ecs.DescribeServicesInput, _ ...ecsOptions) (*ecs.DescribeServicesOutput, error) {
	return call(ctx, s.api, "ecs", "DescribeServices", in, s.describeServices)
}

func (s ECS) describeServices(in *ecs.DescribeServicesInput) (*ecs.DescribeServicesOutput, error) {
	if err := items("Services", in.Services, 10); err != nil {
		return nil, err
	}
	found, failures, err := s.api.World.DescribeServices(deref(in.Cluster), in.Services)
	if err != nil {
		return nil, err
	}
	return &ecs.DescribeServicesOutput{Services: mapped(found, s.serviceOut), Failures: mapped(failures, failureOut)}, nil
}

// UpdateService answers for the SDK operation of this name, as far as desired count, task definition, and minimum and maximum
// percent go.
func (s ECS) UpdateService(ctx context.Context, in *ecs.UpdateServiceInput, _ ...ecsOptions) (*ecs.UpdateServiceOutput, error) {
	return call(ctx, s.api, "ecs", "UpdateService", in, s.updateService)
}

func (s ECS) updateService(in *ecs.UpdateServiceInput) (*ecs.UpdateServiceOutput, error) {
	if err := requireECS(member{"Service", in.Service}); err != nil {
		return nil, err
	}
	if deref(in.DesiredCount) < 0 {
		return nil, refuse("InvalidParameterException", "Desired count cannot be negative.")
	}
	if c := in.DeploymentConfiguration; c != nil {
		if err := s.api.World.SetHealthyPercents(deref(in.Cluster), *in.Service, whole(c.MinimumHealthyPercent), whole(c.MaximumPercent)); err != nil {
			return nil, err
		}
	}
	after, err := s.api.World.UpdateService(deref(in.Cluster), *in.Service, whole(in.DesiredCount), deref(in.TaskDefinition))
	if err != nil {
		return nil, err
	}
	return &ecs.UpdateServiceOutput{Service: new(s.serviceOut(after))}, nil
}

// items checks the list of a batch call.
func items(name string, ids []string, most int) error {
	if len(ids) == 0 {
		return refuse("InvalidParameterException", "%s cannot be empty.", name)
	}
	if len(ids) > most {
		return refuse("InvalidParameterException", "%s cannot have more than %d elements.", name, most)
	}
	return nil
}

// enum checks a value against the SDK's list of allowed values; empty is allowed.
func enum[E interface {
	~string
	Values() []E
}](name string, value E) error {
	if value == "" {
		return nil
	}
	if slices.Contains(value.Values(), value) {
		return nil
	}
	return refuse("InvalidParameterException", "'%s' is not a valid value for %s: it must be one of %v.", value, name, value.Values())
}

func failureOut(f sim.Failure) types.Failure {
	return types.Failure{Arn: &f.ARN, Reason: &f.Reason, Detail: optional(f.Detail)}
}
