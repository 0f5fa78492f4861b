package cloud

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

// findContainerInstances looks for the container instances of EC2 instances: in one cluster, or in every cluster when the
// cluster is not known. An instance that was not found is absent only if every cluster answered in full.
func (s *lookup) findContainerInstances(ctx context.Context, l plan.Look) error {
	clusters, ids := []string{l.In}, possible(l.IDs())
	if l.In == "" && len(ids) > 0 {
		var err error
		if clusters, err = ListClusters(ctx, count(&s.Calls), s.ECS); err != nil {
			return err
		}
	}
	return chunks(ids, l.Kind.Spec().Batch, s.fail, func(chunk []string) error { return s.find(ctx, clusters, chunk) })
}

// find searches the clusters in turn. It fails only when no cluster answered.
func (s *lookup) find(ctx context.Context, clusters, ids []string) error {
	var last error
	bad := 0
	for _, cluster := range clusters {
		err := s.findIn(ctx, cluster, ids)
		if err != nil && Classify(err).Class == plan.Gone {
			continue // there is no such cluster, or not any more: nothing is in it
		}
		if err != nil {
			bad, last = bad+1, err
		}
	}
	if last == nil || bad == len(clusters) {
		return last
	}
	s.fail(itemFailures(s.notFound(ids), last))
	return nil
}

func (s *lookup) notFound(ids []string) []string {
	return slices.DeleteFunc(slices.Clone(ids), func(id string) bool {
		return slices.ContainsFunc(s.View.ContainerInstances, func(ci fleet.ContainerInstance) bool { return string(ci.Instance) == id })
	})
}

// words looks for the container instances of a cluster on which an operator's word stands.
func (s *lookup) words(ctx context.Context, l plan.Look) error {
	return s.findWith(ctx, l.In, "attribute:"+fleet.WordAttribute+" exists")
}

func (s *lookup) findIn(ctx context.Context, cluster string, ids []string) error {
	return s.findWith(ctx, cluster, on(ids))
}

// findWith lists with a filter, then describes. What is described stays seen even when another
// part fails; what the describe could not speak of is an error, because its instance id is not known.
func (s *lookup) findWith(ctx context.Context, cluster, filter string) error {
	arns, err := listContainerInstances(ctx, count(&s.Calls), s.ECS, cluster, filter)
	if err != nil {
		return err
	}
	var failed error
	for chunk := range slices.Chunk(arns, plan.MaxDescribeECS) {
		out, err := s.describeContainerInstances(ctx, cluster, chunk)
		if err != nil {
			failed = err
			continue
		}
		s.see(cluster, out)
		for _, f := range unanswered(chunk, out.Failures) {
			failed = fmt.Errorf("describe container instance %s: %s", f.ID, f.Reason)
		}
	}
	return failed
}

// NoClusters are those of some clusters that ECS does not know. One that could not be asked for is not among them.
func (c *Cloud) NoClusters(ctx context.Context, clusters []string) (unknown []string) {
	for _, cluster := range clusters {
		_, err := c.ECS.ListContainerInstances(ctx, &ecs.ListContainerInstancesInput{Cluster: aws.String(cluster), MaxResults: aws.Int32(1)})
		if err != nil && Classify(err).Class == plan.Gone {
			unknown = append(unknown, cluster)
		}
	}
	return unknown
}

// ListClusters lists every cluster of the account and Region.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListClusters.html
func ListClusters(ctx context.Context, send Send, c ECS) ([]string, error) {
	in := &ecs.ListClustersInput{}
	return All(ctx, send, c.ListClusters, in, &in.NextToken,
		func(out *ecs.ListClustersOutput) ([]string, *string) { return out.ClusterArns, out.NextToken })
}

// ListContainerInstances lists the container instances of a cluster: all, or those on some EC2 instances.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/cluster-query-language.html
func ListContainerInstances(ctx context.Context, send Send, c ECS, cluster string, ids []string) ([]string, error) {
	return listContainerInstances(ctx, send, c, cluster, on(ids))
}

// on is the filter for those on some EC2 instances; empty: all.
func on(ids []string) string {
	if len(ids) == 0 {
		return ""
	}
	return "ec2InstanceId in ['" + strings.Join(ids, "','") + "']"
}

func listContainerInstances(ctx context.Context, send Send, c ECS, cluster, filter string) ([]string, error) {
	in := &ecs.ListContainerInstancesInput{Cluster: aws.String(cluster)}
	if filter != "" {
		in.Filter = aws.String(filter)
	}
	return All(ctx, send, c.ListContainerInstances, in, &in.NextToken,
		func(out *ecs.ListContainerInstancesOutput) ([]string, *string) {
			return out.ContainerInstanceArns, out.NextToken
		})
}
