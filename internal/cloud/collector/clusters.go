package collector

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/ebbhq/ebb/internal/cloud"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
	"github.com/ebbhq/ebb/internal/plan"
)

// maxFilter is how many instance ids one filter of ListContainerInstances names. AWS states no limit; this keeps the filter near one
// kilobyte.
const maxFilter = 50

// listClusters lists the ARNs of every cluster of the account and Region.
func (l *look) listClusters(ctx context.Context) (found []string) {
	l.read("ecs:ListClusters", func() error {
		return pages(func(token *string) (*string, error) {
			out, err := ask(ctx, l, l.ECS.ListClusters, &ecs.ListClustersInput{NextToken: token})
			if err != nil {
				return nil, err
			}
			found = append(found, out.ClusterArns...)
			return out.NextToken, nil
		})
	})
	return found
}

// clustersOf are the clusters in which instances are registered: each cluster is asked with a filter.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/cluster-query-language.html
func (l *look) clustersOf(ctx context.Context, ids []string) []string {
	ids = unique(ids)
	if len(ids) == 0 {
		return nil
	}
	all := l.listClusters(ctx)
	holds := make([]bool, len(all))
	each(all, func(i int, cluster string) {
		l.read("ecs:ListContainerInstances of cluster "+fleet.ARN(cluster).Name(), func() error {
			for chunk := range slices.Chunk(ids, maxFilter) {
				out, err := ask(ctx, l, l.ECS.ListContainerInstances, &ecs.ListContainerInstancesInput{
					Cluster: aws.String(cluster), Filter: aws.String("ec2InstanceId in ['" + strings.Join(chunk, "','") + "']"),
				})
				if err != nil {
					return err
				}
				holds[i] = holds[i] || len(out.ContainerInstanceArns) > 0
			}
			return nil
		})
	})
	var found []string
	for i, cluster := range all {
		if holds[i] {
			found = append(found, cluster)
		}
	}
	return found
}

// clusters reads clusters by name or ARN. One that does not exist or was deleted is unread.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeClusters.html
func (l *look) clusters(ctx context.Context, ids []string) []inventory.Cluster {
	var raw []ecstypes.Cluster
	for chunk := range slices.Chunk(unique(ids), plan.MaxDescribeECS) {
		l.read("ecs:DescribeClusters", func() error {
			out, err := ask(ctx, l, l.ECS.DescribeClusters, &ecs.DescribeClustersInput{Clusters: chunk})
			if err != nil {
				return err
			}
			for _, f := range out.Failures {
				l.missed("ecs:DescribeClusters of cluster "+fleet.ARN(aws.ToString(f.Arn)).Name(), aws.ToString(f.Reason))
			}
			raw = append(raw, out.Clusters...)
			return nil
		})
	}
	raw = slices.DeleteFunc(raw, func(c ecstypes.Cluster) bool { return aws.ToString(c.Status) == fleet.Inactive })
	out := make([]inventory.Cluster, len(raw))
	each(raw, func(i int, c ecstypes.Cluster) { out[i] = l.cluster(ctx, c) })
	return out
}

func (l *look) cluster(ctx context.Context, raw ecstypes.Cluster) inventory.Cluster {
	c := inventory.Cluster{
		Name: aws.ToString(raw.ClusterName), ARN: aws.ToString(raw.ClusterArn), DefaultStrategy: strategy(raw.DefaultCapacityProviderStrategy),
	}
	together(
		func() { c.CapacityProviders = l.capacityProviders(ctx, c.Name, raw.CapacityProviders) },
		func() { c.Hosts = l.hosts(ctx, c.Name) },
		func() { c.Tasks = l.tasks(ctx, c.Name) },
		func() { c.Services = l.services(ctx, c.Name) },
	)
	l.protection(ctx, &c)
	c.TaskDefinitions = l.definitions(ctx, &c)
	return c
}

func strategy(items []ecstypes.CapacityProviderStrategyItem) []inventory.StrategyItem {
	var out []inventory.StrategyItem
	for _, i := range items {
		out = append(out, inventory.StrategyItem{Provider: aws.ToString(i.CapacityProvider), Base: int(i.Base), Weight: int(i.Weight)})
	}
	return out
}

// capacityProviders describes the named providers. Without names AWS would answer with all.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeCapacityProviders.html
func (l *look) capacityProviders(ctx context.Context, cluster string, names []string) (found []inventory.CapacityProvider) {
	what := "ecs:DescribeCapacityProviders of cluster " + cluster
	for chunk := range slices.Chunk(names, plan.MaxDescribeECS) {
		l.read(what, func() error {
			return pages(func(token *string) (*string, error) {
				out, err := ask(ctx, l, l.ECS.DescribeCapacityProviders, &ecs.DescribeCapacityProvidersInput{CapacityProviders: chunk, NextToken: token})
				if err != nil {
					return nil, err
				}
				for _, p := range out.CapacityProviders {
					found = append(found, capacityProvider(p))
				}
				l.failures(what, out.Failures)
				return out.NextToken, nil
			})
		})
	}
	return found
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
func (r *requests) failures(what string, failures []ecstypes.Failure) {
	for _, f := range failures {
		if aws.ToString(f.Reason) != "MISSING" {
			r.miss(what, errors.New(aws.ToString(f.Arn)+": "+aws.ToString(f.Reason)+" "+aws.ToString(f.Detail)))
		}
	}
}

// hosts reads the container instances that are not INACTIVE.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListContainerInstances.html
func (l *look) hosts(ctx context.Context, cluster string) []inventory.Host {
	arns := l.list("ecs:ListContainerInstances of cluster "+cluster, func(token *string) ([]string, *string, error) {
		out, err := ask(ctx, l, l.ECS.ListContainerInstances, &ecs.ListContainerInstancesInput{Cluster: aws.String(cluster), NextToken: token})
		if err != nil {
			return nil, nil, err
		}
		return out.ContainerInstanceArns, out.NextToken, nil
	})
	what := "ecs:DescribeContainerInstances of cluster " + cluster
	return describe(l, what, arns, plan.MaxDescribeECS, func(chunk []string) ([]inventory.Host, error) {
		out, err := ask(ctx, l, l.ECS.DescribeContainerInstances, &ecs.DescribeContainerInstancesInput{Cluster: aws.String(cluster), ContainerInstances: chunk})
		if err != nil {
			return nil, err
		}
		var found []inventory.Host
		for _, ci := range out.ContainerInstances {
			found = append(found, host(cluster, ci))
		}
		l.failures(what, out.Failures)
		return found, nil
	})
}

// list reads every page of a list.
func (r *requests) list(what string, page func(token *string) (arns []string, next *string, err error)) []string {
	var all []string
	r.read(what, func() error {
		return pages(func(token *string) (*string, error) {
			arns, next, err := page(token)
			all = append(all, arns...)
			return next, err
		})
	})
	return all
}

// describe asks for chunks of ids at the same time, and keeps their order.
func describe[T any](l *look, what string, ids []string, size int, ask func(chunk []string) ([]T, error)) []T {
	chunks := slices.Collect(slices.Chunk(ids, size))
	found := make([][]T, len(chunks))
	each(chunks, func(i int, chunk []string) {
		l.read(what, func() (err error) {
			found[i], err = ask(chunk)
			return err
		})
	})
	return slices.Concat(found...)
}

// host reads a container instance. The attributes are those that the agent sets and the user's own.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-placement-constraints.html
func host(cluster string, ci ecstypes.ContainerInstance) inventory.Host {
	h := inventory.Host{
		ContainerInstance: cloud.ReadContainerInstance(cluster, ci), CapacityProvider: aws.ToString(ci.CapacityProviderName),
		RegisteredAt: aws.ToTime(ci.RegisteredAt), StatusReason: aws.ToString(ci.StatusReason), Attributes: map[string]string{},
	}
	if ci.VersionInfo != nil {
		h.AgentVersion = aws.ToString(ci.VersionInfo.AgentVersion)
	}
	for _, a := range ci.Attributes {
		h.Attributes[aws.ToString(a.Name)] = aws.ToString(a.Value)
	}
	h.Zone, h.Type = h.Attributes["ecs.availability-zone"], h.Attributes["ecs.instance-type"]
	_, h.Trunk = h.Attributes["ecs.awsvpc-trunk-id"]
	registered := resources(ci.RegisteredResources)
	h.CPU, h.Memory, h.GPU = registered.CPU, registered.Memory, registered.GPU
	h.Free = resources(ci.RemainingResources)
	return h
}
