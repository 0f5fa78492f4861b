package ecs

import (
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// api are the operations of the service.
type api struct{ *ECS }

// Service is ECS as the wire serves it. The limits are those that AWS documents.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/request-throttling.html
func (w *ECS) Service() core.Service {
	return core.Service{
		Name: "ecs", Protocol: core.Protocol{JSON: "1.1", Small: true}, Errors: refusals(), Operations: api{w}.operations(),
		Limits: map[string]core.Limit{
			"ecs.capacity-provider-read":  {Burst: 50, PerSecond: 20},
			"ecs.cluster-read":            {Burst: 50, PerSecond: 20},
			"ecs.cluster-resource-modify": {Burst: 100, PerSecond: 40},
			"ecs.cluster-resource-read":   {Burst: 100, PerSecond: 20},
			"ecs.service-modify":          {Burst: 50, PerSecond: 5},
			"ecs.service-read":            {Burst: 100, PerSecond: 20},
			"ecs.task-definition-read":    {Burst: 50, PerSecond: 20},
			"ecs.task-protection":         {Burst: 200, PerSecond: 80},
			"ecs.tag-modify":              {Burst: 20, PerSecond: 10},
		},
	}
}

func refusals() core.Errors {
	return core.Errors{
		Throttled:  core.Error{Code: "ThrottlingException", Message: "Rate exceeded", Status: 400},
		Internal:   core.Error{Code: "ServerException", Message: "Service Unavailable. Please try again later.", Status: 500},
		StaleToken: core.Error{Code: "InvalidParameterException", Message: "Invalid token.", Status: 400},
		Missing:    missing,
		Invalid:    "InvalidParameterException",
		Denied:     core.Denial{Code: "AccessDeniedException", Status: 400, Star: true},
		Typed:      typed,
	}
}

// typed is the SDK's own type of an error.
func typed(code, message string) error {
	switch code {
	case "ClientException":
		return &types.ClientException{Message: &message}
	case "ClusterNotFoundException":
		return &types.ClusterNotFoundException{Message: &message}
	case "InvalidParameterException":
		return &types.InvalidParameterException{Message: &message}
	case "ServerException":
		return &types.ServerException{Message: &message}
	case "ServiceNotFoundException":
		return &types.ServiceNotFoundException{Message: &message}
	}
	return nil
}

// operations are the rows of all operations. Clusters, and what is in them under the names of their clusters. ListTasks is checked against the
// container instance that it names; without one against nothing, whatever the reference says, and only the key ecs:cluster tells which cluster is
// meant. AWS's own refusals show it:
// https://github.com/cdklabs/construct-hub/pull/1207, https://github.com/fabfuel/ecs-deploy/issues/119
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonelasticcontainerservice.html
//
// The columns: needed members, what IAM checks, what the record says, page token, batch.
func (s api) operations() []core.Operation {
	return slices.Concat(s.clusterOps(), s.instanceOps(), s.attributeOps(), s.taskOps(), s.runOps(), s.protectionOps(), s.serviceOps())
}

func (s api) clusterOps() []core.Operation {
	return []core.Operation{
		core.NewOperation("ListClusters", s.listClusters, "ecs.cluster-read",
			core.NoNeeds, core.NoResource, core.NoSubject,
			func(in *ecs.ListClustersInput) *string { return in.NextToken },
			core.NoBatch,
		),
		core.NewOperation("DescribeClusters", s.describeClusters, "ecs.cluster-read",
			core.NoNeeds,
			func(in *ecs.DescribeClustersInput) []core.Resource {
				if len(in.Clusters) == 0 {
					return []core.Resource{s.clusterResource("")}
				}
				return core.Mapped(in.Clusters, s.clusterResource)
			},
			core.NoSubject, core.NotPaged,
			func(in *ecs.DescribeClustersInput, out *ecs.DescribeClustersOutput) (*[]string, func(item, reason, detail string)) {
				return &in.Clusters, failTo(&out.Failures)
			},
		),
		core.NewOperation("DescribeCapacityProviders", s.describeProviders, "ecs.capacity-provider-read",
			core.NoNeeds,
			func(in *ecs.DescribeCapacityProvidersInput) []core.Resource {
				return s.providerResources(in.CapacityProviders)
			},
			func(in *ecs.DescribeCapacityProvidersInput) core.Entry {
				return core.Entry{Cluster: core.Deref(in.Cluster)}
			},
			func(in *ecs.DescribeCapacityProvidersInput) *string { return in.NextToken },
			core.NoBatch,
		),
	}
}

func (s api) instanceOps() []core.Operation {
	return []core.Operation{
		core.NewOperation("ListContainerInstances", s.listContainerInstances, "ecs.cluster-resource-read",
			core.NoNeeds,
			func(in *ecs.ListContainerInstancesInput) []core.Resource {
				return []core.Resource{s.clusterResource(core.Deref(in.Cluster))}
			},
			func(in *ecs.ListContainerInstancesInput) core.Entry {
				return core.Entry{Cluster: core.Deref(in.Cluster)}
			},
			func(in *ecs.ListContainerInstancesInput) *string { return in.NextToken },
			core.NoBatch,
		),
		core.NewOperation("DescribeContainerInstances", s.describeContainerInstances, "ecs.cluster-resource-read",
			core.NoNeeds,
			func(in *ecs.DescribeContainerInstancesInput) []core.Resource {
				return s.inCluster(in.Cluster, "container-instance", in.ContainerInstances...)
			},
			func(in *ecs.DescribeContainerInstancesInput) core.Entry {
				return core.Entry{Cluster: core.Deref(in.Cluster), ContainerInstance: core.Only(in.ContainerInstances, "")}
			},
			core.NotPaged,
			func(in *ecs.DescribeContainerInstancesInput, out *ecs.DescribeContainerInstancesOutput) (*[]string, func(item, reason, detail string)) {
				return &in.ContainerInstances, failTo(&out.Failures)
			},
		),
		core.NewOperation("UpdateContainerInstancesState", s.updateState, "ecs.cluster-resource-modify",
			core.NoNeeds,
			func(in *ecs.UpdateContainerInstancesStateInput) []core.Resource {
				return s.inCluster(in.Cluster, "container-instance", in.ContainerInstances...)
			},
			func(in *ecs.UpdateContainerInstancesStateInput) core.Entry {
				return core.Entry{Cluster: core.Deref(in.Cluster), ContainerInstance: core.Only(in.ContainerInstances, "")}
			},
			core.NotPaged,
			func(in *ecs.UpdateContainerInstancesStateInput, out *ecs.UpdateContainerInstancesStateOutput) (*[]string, func(item, reason, detail string)) {
				return &in.ContainerInstances, failTo(&out.Failures)
			},
		),
		core.NewOperation("DeregisterContainerInstance", s.deregister, "ecs.cluster-resource-modify",
			func(in *ecs.DeregisterContainerInstanceInput) []core.Member {
				return core.Members("Container instance", in.ContainerInstance)
			},
			func(in *ecs.DeregisterContainerInstanceInput) []core.Resource {
				return []core.Resource{s.clusterResource(core.Deref(in.Cluster))}
			},
			func(in *ecs.DeregisterContainerInstanceInput) core.Entry {
				return core.Entry{Cluster: core.Deref(in.Cluster), ContainerInstance: core.Deref(in.ContainerInstance)}
			},
			core.NotPaged, core.NoBatch,
		),
	}
}

func (s api) attributeOps() []core.Operation {
	return []core.Operation{
		core.NewOperation("PutAttributes", s.putAttributes, "ecs.cluster-resource-modify",
			core.NoNeeds,
			func(in *ecs.PutAttributesInput) []core.Resource {
				return s.inCluster(in.Cluster, "container-instance", core.Mapped(in.Attributes, targetOf)...)
			},
			func(in *ecs.PutAttributesInput) core.Entry { return core.Entry{Cluster: core.Deref(in.Cluster)} },
			core.NotPaged, core.NoBatch,
		),
		core.NewOperation("DeleteAttributes", s.deleteAttributes, "ecs.cluster-resource-modify",
			core.NoNeeds,
			func(in *ecs.DeleteAttributesInput) []core.Resource {
				return s.inCluster(in.Cluster, "container-instance", core.Mapped(in.Attributes, targetOf)...)
			},
			func(in *ecs.DeleteAttributesInput) core.Entry { return core.Entry{Cluster: core.Deref(in.Cluster)} },
			core.NotPaged, core.NoBatch,
		),
		core.NewOperation("ListAttributes", s.listAttributes, "ecs.cluster-resource-read",
			core.NoNeeds,
			func(in *ecs.ListAttributesInput) []core.Resource {
				return []core.Resource{s.clusterResource(core.Deref(in.Cluster))}
			},
			func(in *ecs.ListAttributesInput) core.Entry { return core.Entry{Cluster: core.Deref(in.Cluster)} },
			func(in *ecs.ListAttributesInput) *string { return in.NextToken },
			core.NoBatch,
		),
	}
}

func (s api) taskOps() []core.Operation {
	return []core.Operation{
		core.NewOperation("ListTasks", s.listTasks, "ecs.cluster-resource-read",
			core.NoNeeds,
			func(in *ecs.ListTasksInput) []core.Resource {
				if in.ContainerInstance == nil {
					return s.inCluster(in.Cluster, "*", "")
				}
				return s.inCluster(in.Cluster, "container-instance", *in.ContainerInstance)
			},
			func(in *ecs.ListTasksInput) core.Entry {
				return core.Entry{Cluster: core.Deref(in.Cluster), ContainerInstance: core.Deref(in.ContainerInstance), Service: core.Deref(in.ServiceName)}
			},
			func(in *ecs.ListTasksInput) *string { return in.NextToken },
			core.NoBatch,
		),
		core.NewOperation("DescribeTasks", s.describeTasks, "ecs.cluster-resource-read",
			core.NoNeeds,
			func(in *ecs.DescribeTasksInput) []core.Resource { return s.inCluster(in.Cluster, "task", in.Tasks...) },
			func(in *ecs.DescribeTasksInput) core.Entry {
				return core.Entry{Cluster: core.Deref(in.Cluster), Task: core.Only(in.Tasks, "")}
			},
			core.NotPaged,
			func(in *ecs.DescribeTasksInput, out *ecs.DescribeTasksOutput) (*[]string, func(item, reason, detail string)) {
				return &in.Tasks, failTo(&out.Failures)
			},
		),
		core.NewOperation("DescribeTaskDefinition", s.describeDefinition, "ecs.task-definition-read",
			func(in *ecs.DescribeTaskDefinitionInput) []core.Member {
				return core.Members("Task definition", in.TaskDefinition)
			},
			core.NoResource, core.NoSubject,
			core.NotPaged, core.NoBatch,
		),
	}
}

func (s api) runOps() []core.Operation {
	return []core.Operation{
		core.NewOperation("RunTask", s.runTask, "ecs.cluster-resource-modify",
			func(in *ecs.RunTaskInput) []core.Member { return core.Members("Task definition", in.TaskDefinition) },
			func(in *ecs.RunTaskInput) []core.Resource {
				return s.definitionResource(in.TaskDefinition, in.Cluster)
			},
			core.NoSubject, core.NotPaged, core.NoBatch,
		),
		core.NewOperation("StopTask", s.stopTask, "ecs.cluster-resource-modify",
			func(in *ecs.StopTaskInput) []core.Member { return core.Members("Task", in.Task) },
			s.stopped,
			func(in *ecs.StopTaskInput) core.Entry {
				return core.Entry{Cluster: core.Deref(in.Cluster), Task: core.Deref(in.Task)}
			},
			core.NotPaged, core.NoBatch,
		),
		core.NewOperation("TagResource", s.tagResource, "ecs.tag-modify",
			func(in *ecs.TagResourceInput) []core.Member { return core.Members("Resource ARN", in.ResourceArn) },
			func(in *ecs.TagResourceInput) []core.Resource {
				return []core.Resource{s.tagged(core.Deref(in.ResourceArn))}
			},
			func(in *ecs.TagResourceInput) core.Entry { return core.Entry{Task: core.Deref(in.ResourceArn)} },
			core.NotPaged, core.NoBatch,
		),
	}
}

func (s api) protectionOps() []core.Operation {
	return []core.Operation{
		core.NewOperation("GetTaskProtection", s.getProtection, "ecs.task-protection",
			core.NoNeeds,
			func(in *ecs.GetTaskProtectionInput) []core.Resource {
				return s.inCluster(in.Cluster, "task", in.Tasks...)
			},
			func(in *ecs.GetTaskProtectionInput) core.Entry {
				return core.Entry{Cluster: core.Deref(in.Cluster), Task: core.Only(in.Tasks, "")}
			},
			core.NotPaged,
			func(in *ecs.GetTaskProtectionInput, out *ecs.GetTaskProtectionOutput) (*[]string, func(item, reason, detail string)) {
				return &in.Tasks, failTo(&out.Failures)
			},
		),
		core.NewOperation("UpdateTaskProtection", s.updateProtection, "ecs.task-protection",
			core.NoNeeds,
			func(in *ecs.UpdateTaskProtectionInput) []core.Resource {
				return s.inCluster(in.Cluster, "task", in.Tasks...)
			},
			func(in *ecs.UpdateTaskProtectionInput) core.Entry {
				return core.Entry{Cluster: core.Deref(in.Cluster), Task: core.Only(in.Tasks, "")}
			},
			core.NotPaged,
			func(in *ecs.UpdateTaskProtectionInput, out *ecs.UpdateTaskProtectionOutput) (*[]string, func(item, reason, detail string)) {
				return &in.Tasks, failTo(&out.Failures)
			},
		),
	}
}

func (s api) serviceOps() []core.Operation {
	return []core.Operation{
		core.NewOperation("ListServices", s.listServices, "ecs.service-read",
			core.NoNeeds,
			func(in *ecs.ListServicesInput) []core.Resource { return s.inCluster(in.Cluster, "*", "") },
			core.NoSubject,
			func(in *ecs.ListServicesInput) *string { return in.NextToken },
			core.NoBatch,
		),
		core.NewOperation("DescribeServices", s.describeServices, "ecs.service-read",
			core.NoNeeds,
			func(in *ecs.DescribeServicesInput) []core.Resource {
				return s.inCluster(in.Cluster, "service", in.Services...)
			},
			func(in *ecs.DescribeServicesInput) core.Entry {
				return core.Entry{Cluster: core.Deref(in.Cluster), Service: core.Only(in.Services, "")}
			},
			core.NotPaged,
			func(in *ecs.DescribeServicesInput, out *ecs.DescribeServicesOutput) (*[]string, func(item, reason, detail string)) {
				return &in.Services, failTo(&out.Failures)
			},
		),
		core.NewOperation("DescribeTaskSets", s.describeTaskSets, "ecs.service-read",
			func(in *ecs.DescribeTaskSetsInput) []core.Member {
				return core.Members("Cluster", in.Cluster, "Service", in.Service)
			},
			func(in *ecs.DescribeTaskSetsInput) []core.Resource { return s.setResources(in) },
			func(in *ecs.DescribeTaskSetsInput) core.Entry {
				return core.Entry{Cluster: core.Deref(in.Cluster), Service: core.Deref(in.Service)}
			},
			core.NotPaged,
			func(in *ecs.DescribeTaskSetsInput, out *ecs.DescribeTaskSetsOutput) (*[]string, func(item, reason, detail string)) {
				return &in.TaskSets, failTo(&out.Failures)
			},
		),
		core.NewOperation("DescribeServiceRevisions", s.describeRevisions, "ecs.service-read",
			func(in *ecs.DescribeServiceRevisionsInput) []core.Member {
				return core.Members("Service revision ARNs", in.ServiceRevisionArns)
			},
			func(in *ecs.DescribeServiceRevisionsInput) []core.Resource {
				return s.revisionResources(in.ServiceRevisionArns)
			},
			core.NoSubject, core.NotPaged,
			func(in *ecs.DescribeServiceRevisionsInput, out *ecs.DescribeServiceRevisionsOutput) (*[]string, func(item, reason, detail string)) {
				return &in.ServiceRevisionArns, failTo(&out.Failures)
			},
		),
		core.NewOperation("UpdateService", s.updateService, "ecs.service-modify",
			func(in *ecs.UpdateServiceInput) []core.Member { return core.Members("Service", in.Service) },
			func(in *ecs.UpdateServiceInput) []core.Resource {
				return s.inCluster(in.Cluster, "service", core.Deref(in.Service))
			},
			func(in *ecs.UpdateServiceInput) core.Entry {
				return core.Entry{Cluster: core.Deref(in.Cluster), Service: core.Deref(in.Service)}
			},
			core.NotPaged, core.NoBatch,
		),
	}
}
