package cloud

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"

	"github.com/ebbhq/ebb/internal/plan"
)

// findContainerInstances looks for the container instances of EC2 instances: in one cluster, or in every cluster when the
// cluster is not known. An instance that was not found is absent only if every cluster answered in full.
func (s *lookup) findContainerInstances(ctx context.Context, l plan.Look) error {
	clusters, ids := []string{l.In}, possible(l.IDs())
	if l.In == "" && len(ids) > 0 {
		var err error
		if clusters, err = s.clusters(ctx); err != nil {
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
		if err != nil && len(clusters) > 1 && Classify(err).Class == plan.Gone {
			continue // deleted since it was listed: nothing is in it
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
	seen := map[string]bool{}
	for _, ci := range s.View.ContainerInstances {
		seen[string(ci.Instance)] = true
	}
	var out []string
	for _, id := range ids {
		if !seen[id] {
			out = append(out, id)
		}
	}
	return out
}

// findIn lists with a filter in the cluster query language, then describes. What is described stays seen even when another
// part fails; what the describe could not speak of is an error, because its instance id is not known.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/cluster-query-language.html
func (s *lookup) findIn(ctx context.Context, cluster string, ids []string) error {
	var arns []string
	filter := "ec2InstanceId in ['" + strings.Join(ids, "','") + "']"
	err := Pages(func(token *string) (*string, error) {
		out, err := ask(ctx, &s.Calls, s.ECS.ListContainerInstances, &ecs.ListContainerInstancesInput{
			Cluster: aws.String(cluster), Filter: aws.String(filter), NextToken: token,
		})
		if err != nil {
			return nil, err
		}
		arns = append(arns, out.ContainerInstanceArns...)
		return out.NextToken, nil
	})
	if err != nil {
		return err
	}
	var failed error
	for len(arns) > 0 {
		chunk := arns[:min(plan.MaxDescribeECS, len(arns))]
		arns = arns[len(chunk):]
		out, err := s.describeContainerInstances(ctx, cluster, chunk)
		if err != nil {
			failed = err
			continue
		}
		for _, ci := range out.ContainerInstances {
			s.View.ContainerInstances = append(s.View.ContainerInstances, ReadContainerInstance(cluster, ci))
		}
		for _, f := range unanswered(chunk, out.Failures) {
			failed = fmt.Errorf("describe container instance %s: %s", f.ID, f.Reason)
		}
	}
	return failed
}

// clusters lists every cluster of the account and Region.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListClusters.html
func (s *lookup) clusters(ctx context.Context) ([]string, error) {
	var found []string
	err := Pages(func(token *string) (*string, error) {
		out, err := ask(ctx, &s.Calls, s.ECS.ListClusters, &ecs.ListClustersInput{NextToken: token})
		if err != nil {
			return nil, err
		}
		found = append(found, out.ClusterArns...)
		return out.NextToken, nil
	})
	return found, err
}
