package ecs

import (
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/ebbhq/ebb/internal/sim/core"
)

func (s api) listClusters(c *core.Call, in *ecs.ListClustersInput) (*ecs.ListClustersOutput, error) {
	arns, next, err := s.list(c, "ListClusters", s.ListClusters(), in.MaxResults, 100, in.NextToken)
	return &ecs.ListClustersOutput{ClusterArns: arns, NextToken: next}, err
}

// list cuts one page out of a list of ARNs, with ECS's own refusals.
func (s api) list(c *core.Call, operation string, all []string, size *int32, fallback int, token *string) ([]string, *string, error) {
	if size != nil && (*size < 1 || *size > 100) {
		return nil, nil, core.Refuse("InvalidParameterException", "maxResults must be between 1 and 100 (inclusive), not %d.", *size)
	}
	items, next, ok := core.Page(c, core.Paging{Operation: operation, Asked: size, Fallback: fallback, Most: 100, Token: token}, all, core.Same)
	if !ok {
		return nil, nil, core.Refuse("InvalidParameterException", "Invalid token %s.", core.Deref(token))
	}
	return core.Mapped(items, core.Same), next, nil
}

func (s api) describeClusters(_ *core.Call, in *ecs.DescribeClustersInput) (*ecs.DescribeClustersOutput, error) {
	if len(in.Clusters) > 100 {
		return nil, core.Refuse("InvalidParameterException", "Clusters cannot have more than 100 elements.")
	}
	ids := in.Clusters
	if len(ids) == 0 {
		ids = []string{"default"}
	}
	clusters, failures := s.DescribeClusters(ids)
	return &ecs.DescribeClustersOutput{Clusters: core.Mapped(clusters, s.clusterOut), Failures: core.Mapped(failures, failureOut)}, nil
}

func (s api) listContainerInstances(c *core.Call, in *ecs.ListContainerInstancesInput) (*ecs.ListContainerInstancesOutput, error) {
	if err := enum("status", in.Status); err != nil {
		return nil, err
	}
	all, err := s.ListContainerInstances(core.Deref(in.Cluster), string(in.Status), core.Deref(in.Filter))
	if err != nil {
		return nil, err
	}
	arns, next, err := s.list(c, "ListContainerInstances", all, in.MaxResults, 100, in.NextToken)
	return &ecs.ListContainerInstancesOutput{ContainerInstanceArns: arns, NextToken: next}, err
}

func (s api) describeContainerInstances(_ *core.Call, in *ecs.DescribeContainerInstancesInput) (*ecs.DescribeContainerInstancesOutput, error) {
	if err := items("Container instances", in.ContainerInstances, 100); err != nil {
		return nil, err
	}
	found, failures, err := s.DescribeContainerInstances(core.Deref(in.Cluster), in.ContainerInstances)
	if err != nil {
		return nil, err
	}
	return &ecs.DescribeContainerInstancesOutput{
		ContainerInstances: core.Mapped(found, containerInstanceOut), Failures: core.Mapped(failures, failureOut),
	}, nil
}

func (s api) updateState(_ *core.Call, in *ecs.UpdateContainerInstancesStateInput) (*ecs.UpdateContainerInstancesStateOutput, error) {
	if err := items("Container instances", in.ContainerInstances, 10); err != nil {
		return nil, err
	}
	if in.Status != types.ContainerInstanceStatusActive && in.Status != types.ContainerInstanceStatusDraining {
		return nil, core.Refuse("InvalidParameterException", "Container instance status must be one of [ACTIVE, DRAINING], not '%s'.", in.Status)
	}
	changed, failures, err := s.UpdateContainerInstancesState(core.Deref(in.Cluster), in.ContainerInstances, string(in.Status))
	if err != nil {
		return nil, err
	}
	return &ecs.UpdateContainerInstancesStateOutput{
		ContainerInstances: core.Mapped(changed, containerInstanceOut), Failures: core.Mapped(failures, failureOut),
	}, nil
}

func (s api) deregister(_ *core.Call, in *ecs.DeregisterContainerInstanceInput) (*ecs.DeregisterContainerInstanceOutput, error) {
	gone, err := s.DeregisterContainerInstance(core.Deref(in.Cluster), *in.ContainerInstance, core.Deref(in.Force))
	if err != nil {
		return nil, err
	}
	return &ecs.DeregisterContainerInstanceOutput{ContainerInstance: new(containerInstanceOut(gone))}, nil
}

func (s api) listServices(c *core.Call, in *ecs.ListServicesInput) (*ecs.ListServicesOutput, error) {
	all, err := s.ListServices(core.Deref(in.Cluster))
	if err != nil {
		return nil, err
	}
	// ListServices answers with 10 a page unless asked for more; the other lists with 100.
	arns, next, err := s.list(c, "ListServices", all, in.MaxResults, 10, in.NextToken)
	return &ecs.ListServicesOutput{ServiceArns: arns, NextToken: next}, err
}

func (s api) describeServices(_ *core.Call, in *ecs.DescribeServicesInput) (*ecs.DescribeServicesOutput, error) {
	if err := items("Services", in.Services, 10); err != nil {
		return nil, err
	}
	found, failures, err := s.DescribeServices(core.Deref(in.Cluster), in.Services)
	if err != nil {
		return nil, err
	}
	out := &ecs.DescribeServicesOutput{Services: core.Mapped(found, s.serviceOut), Failures: core.Mapped(failures, failureOut)}
	if slices.Contains(in.Include, types.ServiceFieldTags) {
		for i, v := range found {
			out.Services[i].Tags = tagsOut(v.Tags)
		}
	}
	return out, nil
}

// updateService changes desired count, task definition, minimum and maximum percent, and the capacity provider strategy, and nothing else.
// It can start a deployment.
func (s api) updateService(_ *core.Call, in *ecs.UpdateServiceInput) (*ecs.UpdateServiceOutput, error) {
	if core.Deref(in.DesiredCount) < 0 {
		return nil, core.Refuse("InvalidParameterException", "Desired count cannot be negative.")
	}
	if d := in.DeploymentConfiguration; d != nil {
		if err := s.SetHealthyPercents(core.Deref(in.Cluster), *in.Service, core.Whole(d.MinimumHealthyPercent), core.Whole(d.MaximumPercent)); err != nil {
			return nil, err
		}
	}
	if in.CapacityProviderStrategy != nil {
		strategy := core.Mapped(in.CapacityProviderStrategy, strategyItemIn)
		if err := s.SetStrategy(core.Deref(in.Cluster), *in.Service, strategy, in.ForceNewDeployment); err != nil {
			return nil, err
		}
	}
	definition := core.Deref(in.TaskDefinition)
	if in.ForceNewDeployment {
		if err := s.ForceNewDeployment(core.Deref(in.Cluster), *in.Service, definition); err != nil {
			return nil, err
		}
		definition = ""
	}
	after, err := s.UpdateService(core.Deref(in.Cluster), *in.Service, core.Whole(in.DesiredCount), definition)
	if err != nil {
		return nil, err
	}
	return &ecs.UpdateServiceOutput{Service: new(s.serviceOut(after))}, nil
}

// items checks the list of a batch call.
func items(name string, ids []string, most int) error {
	if len(ids) == 0 {
		return core.Refuse("InvalidParameterException", "%s cannot be empty.", name)
	}
	if len(ids) > most {
		return core.Refuse("InvalidParameterException", "%s cannot have more than %d elements.", name, most)
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
	return core.Refuse("InvalidParameterException", "'%s' is not a valid value for %s: it must be one of %v.", value, name, value.Values())
}

func failureOut(f Failure) types.Failure {
	return types.Failure{Arn: &f.ARN, Reason: &f.Reason, Detail: core.Optional(f.Detail)}
}

func missing(name string) error {
	return core.Refuse("InvalidParameterException", "%s cannot be empty.", name)
}

// failTo adds an item to the failures of a batch call.
func failTo(failures *[]types.Failure) func(item, reason, detail string) {
	return func(item, reason, detail string) {
		*failures = append(*failures, types.Failure{Arn: &item, Reason: &reason, Detail: &detail})
	}
}
