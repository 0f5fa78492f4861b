package collector

import (
	"context"
	"errors"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/ebbhq/ebb/internal/cloud"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
	"github.com/ebbhq/ebb/internal/plan"
)

// listClusters lists the ARNs of every cluster of the account and Region.
func (l *look) listClusters(ctx context.Context) []string {
	return read(l, "ecs:ListClusters", func() ([]string, error) { return cloud.ListClusters(ctx, l.try, l.ECS) })
}

// clustersOf are the clusters in which instances are registered: each cluster is asked.
func (l *look) clustersOf(ctx context.Context, ids []string) []string {
	ids = unique(ids)
	if len(ids) == 0 {
		return nil
	}
	return slices.Concat(parallel(l.listClusters(ctx), func(cluster string) []string {
		for chunk := range slices.Chunk(ids, plan.FindContainerInstances.Spec().Batch) {
			if len(l.listHosts(ctx, fleet.ARN(cluster).Name(), chunk)) > 0 {
				return []string{cluster}
			}
		}
		return nil
	})...)
}

// listHosts lists the container instances of a cluster that are not INACTIVE: all, or those on some EC2 instances.
func (l *look) listHosts(ctx context.Context, cluster string, on []string) []string {
	return read(l, "ecs:ListContainerInstances of cluster "+cluster, func() ([]string, error) {
		return cloud.ListContainerInstances(ctx, l.try, l.ECS, cluster, on)
	})
}

// clusters reads clusters by name or ARN. One that does not exist or was deleted is unread.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeClusters.html
func (l *look) clusters(ctx context.Context, ids []string) []*inventory.Cluster {
	raw := inChunks(unique(ids), plan.MaxDescribeECS, func(chunk []string) []ecstypes.Cluster {
		out := ask(ctx, l, "ecs:DescribeClusters", l.ECS.DescribeClusters, &ecs.DescribeClustersInput{Clusters: chunk})
		for _, f := range out.Failures {
			note := l.missed
			if aws.ToString(f.Reason) == "MISSING" {
				note = l.absent
			}
			note("ecs:DescribeClusters of cluster "+fleet.ARN(aws.ToString(f.Arn)).Name(), aws.ToString(f.Reason))
		}
		return out.Clusters
	})
	raw = slices.DeleteFunc(raw, func(c ecstypes.Cluster) bool { return aws.ToString(c.Status) == fleet.Inactive })
	return parallel(raw, func(c ecstypes.Cluster) *inventory.Cluster { return l.cluster(ctx, c) })
}

func (l *look) cluster(ctx context.Context, raw ecstypes.Cluster) *inventory.Cluster {
	c := &inventory.Cluster{
		Name: aws.ToString(raw.ClusterName), ARN: aws.ToString(raw.ClusterArn), DefaultStrategy: strategy(raw.DefaultCapacityProviderStrategy),
	}
	together(
		func() { c.CapacityProviders = l.capacityProviders(ctx, c.Name, raw.CapacityProviders) },
		func() { c.Hosts = l.hosts(ctx, c.Name) },
		func() { c.Tasks = l.tasks(ctx, c.Name) },
		func() { c.Services = l.services(ctx, c.Name) },
	)
	l.protection(ctx, c)
	c.TaskDefinitions = l.definitions(ctx, c)
	return c
}

func strategy(items []ecstypes.CapacityProviderStrategyItem) []inventory.StrategyItem {
	return cloud.Convert(items, func(i ecstypes.CapacityProviderStrategyItem) inventory.StrategyItem {
		return inventory.StrategyItem{Provider: aws.ToString(i.CapacityProvider), Base: int(i.Base), Weight: int(i.Weight)}
	})
}

// capacityProviders describes the named providers. Without names AWS would answer with all.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeCapacityProviders.html
func (l *look) capacityProviders(ctx context.Context, cluster string, names []string) []inventory.CapacityProvider {
	what := "ecs:DescribeCapacityProviders of cluster " + cluster
	return inChunks(names, plan.MaxDescribeECS, func(chunk []string) []inventory.CapacityProvider {
		in := &ecs.DescribeCapacityProvidersInput{CapacityProviders: chunk}
		return list(ctx, l, what, l.ECS.DescribeCapacityProviders, in, &in.NextToken,
			func(out *ecs.DescribeCapacityProvidersOutput) ([]inventory.CapacityProvider, *string) {
				l.failures(what, out.Failures)
				return cloud.Convert(out.CapacityProviders, capacityProvider), out.NextToken
			})
	})
}

func capacityProvider(p ecstypes.CapacityProvider) inventory.CapacityProvider {
	out := inventory.CapacityProvider{Name: aws.ToString(p.Name), Status: string(p.Status)}
	g := p.AutoScalingGroupProvider
	if g == nil {
		return out
	}
	out.Group = fleet.ARN(aws.ToString(g.AutoScalingGroupArn)).Name() // an ARN or a name
	out.ManagedScaling = g.ManagedScaling != nil && g.ManagedScaling.Status == ecstypes.ManagedScalingStatusEnabled
	out.TerminationProtection = g.ManagedTerminationProtection == ecstypes.ManagedTerminationProtectionEnabled
	out.ManagedDraining = g.ManagedDraining == ecstypes.ManagedDrainingEnabled
	return out
}

// failures notes the items that an answer with HTTP 200 could not speak of. MISSING is an answer: the item has gone.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/api_failures_messages.html
func (l *look) failures(what string, failures []ecstypes.Failure) {
	for _, f := range failures {
		if aws.ToString(f.Reason) != "MISSING" {
			l.note(what, errors.New(aws.ToString(f.Arn)+": "+aws.ToString(f.Reason)+" "+aws.ToString(f.Detail)))
		}
	}
}

// hosts reads the container instances of a cluster.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeContainerInstances.html
func (l *look) hosts(ctx context.Context, cluster string) []*inventory.Host {
	what := "ecs:DescribeContainerInstances of cluster " + cluster
	return inChunks(l.listHosts(ctx, cluster, nil), plan.MaxDescribeECS, func(chunk []string) []*inventory.Host {
		in := &ecs.DescribeContainerInstancesInput{Cluster: aws.String(cluster), ContainerInstances: chunk}
		out := ask(ctx, l, what, l.ECS.DescribeContainerInstances, in)
		l.failures(what, out.Failures)
		return cloud.Convert(out.ContainerInstances, func(ci ecstypes.ContainerInstance) *inventory.Host { return host(cluster, ci) })
	})
}

// host reads a container instance. The attributes are those that the agent sets and the user's own.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-placement-constraints.html
func host(cluster string, ci ecstypes.ContainerInstance) *inventory.Host {
	h := &inventory.Host{
		ContainerInstance: cloud.ReadContainerInstance(cluster, ci), CapacityProvider: aws.ToString(ci.CapacityProviderName),
		RegisteredAt: aws.ToTime(ci.RegisteredAt), Attributes: map[string]string{},
	}
	if ci.VersionInfo != nil {
		h.AgentVersion = aws.ToString(ci.VersionInfo.AgentVersion)
	}
	for _, a := range ci.Attributes {
		h.Attributes[aws.ToString(a.Name)] = aws.ToString(a.Value)
	}
	h.Type = h.Attributes["ecs.instance-type"]
	_, h.Trunk = h.Attributes["ecs.awsvpc-trunk-id"]
	registered := resources(ci.RegisteredResources)
	h.CPU, h.Memory, h.GPU = registered.CPU, registered.Memory, registered.GPU
	h.Free = resources(ci.RemainingResources)
	return h
}
