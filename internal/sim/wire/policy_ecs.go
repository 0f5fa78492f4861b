package wire

import (
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ecs"
)

// ecsResources: clusters, and what is in them under the names of their clusters. ListTasks is checked against the container instance that it names;
// without one against nothing, whatever the reference says, and only the key ecs:cluster tells which cluster is meant. AWS's own refusals show it:
// https://github.com/cdklabs/construct-hub/pull/1207, https://github.com/fabfuel/ecs-deploy/issues/119
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonelasticcontainerservice.html
func (a *API) ecsResources(in any) []resource {
	switch in := in.(type) {
	case *ecs.DescribeClustersInput:
		if len(in.Clusters) == 0 {
			return []resource{a.cluster("")}
		}
		return mapped(in.Clusters, a.cluster)
	case *ecs.ListContainerInstancesInput:
		return []resource{a.cluster(deref(in.Cluster))}
	case *ecs.DeregisterContainerInstanceInput:
		return []resource{a.cluster(deref(in.Cluster))}
	case *ecs.ListAttributesInput:
		return []resource{a.cluster(deref(in.Cluster))}
	case *ecs.ListTasksInput:
		if in.ContainerInstance == nil {
			return a.inCluster(in.Cluster, "*", "")
		}
		return a.inCluster(in.Cluster, "container-instance", *in.ContainerInstance)
	case *ecs.ListServicesInput:
		return a.inCluster(in.Cluster, "*", "")
	case *ecs.DescribeContainerInstancesInput:
		return a.inCluster(in.Cluster, "container-instance", in.ContainerInstances...)
	case *ecs.UpdateContainerInstancesStateInput:
		return a.inCluster(in.Cluster, "container-instance", in.ContainerInstances...)
	case *ecs.PutAttributesInput:
		var hosts []string
		for _, at := range in.Attributes {
			hosts = append(hosts, deref(at.TargetId))
		}
		return a.inCluster(in.Cluster, "container-instance", hosts...)
	case *ecs.DeleteAttributesInput:
		var hosts []string
		for _, at := range in.Attributes {
			hosts = append(hosts, deref(at.TargetId))
		}
		return a.inCluster(in.Cluster, "container-instance", hosts...)
	case *ecs.DescribeTasksInput:
		return a.inCluster(in.Cluster, "task", in.Tasks...)
	case *ecs.StopTaskInput:
		return a.inCluster(in.Cluster, "task", deref(in.Task))
	case *ecs.GetTaskProtectionInput:
		return a.inCluster(in.Cluster, "task", in.Tasks...)
	case *ecs.UpdateTaskProtectionInput:
		return a.inCluster(in.Cluster, "task", in.Tasks...)
	case *ecs.DescribeServicesInput:
		return a.inCluster(in.Cluster, "service", in.Services...)
	case *ecs.UpdateServiceInput:
		return a.inCluster(in.Cluster, "service", deref(in.Service))
	case *ecs.RunTaskInput:
		return []resource{{kind: "task-definition", arn: a.definition(deref(in.TaskDefinition)), keys: a.clusterKeys(deref(in.Cluster))}}
	case *ecs.DescribeCapacityProvidersInput:
		return a.providers(in.CapacityProviders)
	}
	return nothing()
}

// cluster is a cluster by name or ARN. AWS does not give the key ecs:cluster to calls on the cluster itself.
func (a *API) cluster(id string) resource {
	return resource{kind: "cluster", arn: a.orARN(or(id, "default"), "cluster/")}
}

func (a *API) clusterKeys(cluster string) map[string]string {
	return map[string]string{clusterKey: a.cluster(cluster).arn}
}

// inCluster are things of a cluster, or with the kind * the cluster's condition key alone.
func (a *API) inCluster(cluster *string, kind string, ids ...string) []resource {
	keys := a.clusterKeys(deref(cluster))
	if kind == "*" {
		return []resource{{kind: kind, arn: "*", keys: keys}}
	}
	arn := a.cluster(deref(cluster)).arn
	name := arn[strings.LastIndexByte(arn, '/')+1:]
	return mapped(ids, func(id string) resource {
		return resource{kind: kind, arn: a.orARN(id, kind+"/"+name+"/"), keys: keys}
	})
}

// orARN is an ECS resource by id or ARN.
func (a *API) orARN(id, before string) string {
	if strings.HasPrefix(id, "arn:") {
		return id
	}
	return a.arn("ecs", before+id)
}

// definition is a task definition by ARN, family and revision, or family, which means its newest revision.
func (a *API) definition(id string) string {
	if d, err := a.World.DescribeTaskDefinition(id); err == nil {
		return a.arn("ecs", fmt.Sprintf("task-definition/%s:%d", d.Family, d.Revision))
	}
	return a.orARN(id, "task-definition/")
}

// providers are capacity providers; a call without a name is about all of them, which AWS does not say how it checks.
func (a *API) providers(names []string) []resource {
	if len(names) == 0 {
		names = []string{"*"}
	}
	return mapped(names, func(n string) resource {
		return resource{kind: "capacity-provider", arn: a.orARN(n, "capacity-provider/")}
	})
}
