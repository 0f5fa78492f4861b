package cloud

import (
	"context"
	"fmt"
	"regexp"

	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

// Look asks AWS one question. It splits what is longer than AWS's limits, so the look as a whole takes as many requests as
// Calls says. When nothing at all could be learnt Err is set; when a part could not, that part is in Failed.
func (c *Cloud) Look(ctx context.Context, l plan.Look) plan.LookResult {
	s := &sight{Cloud: c}
	if err := s.look(ctx, l); err != nil {
		return plan.LookResult{Err: Classify(err), Calls: s.Calls}
	}
	return s.LookResult
}

func (s *sight) look(ctx context.Context, l plan.Look) error {
	switch l.Kind {
	case plan.Groups:
		return s.groups(ctx, l.Names)
	case plan.Hooks:
		return s.hooks(ctx, l.Group)
	case plan.GroupInstances:
		return s.groupInstances(ctx, possible(l.Instances))
	case plan.Activities:
		return s.activities(ctx, l.Group, l.Instances)
	case plan.FindContainerInstances:
		return s.findContainerInstances(ctx, l.Cluster, possible(l.Instances))
	case plan.ContainerInstances:
		return s.containerInstances(ctx, l.Cluster, texts(l.ARNs))
	case plan.ListRunning:
		return s.listTasks(ctx, l.Cluster, texts(l.ARNs), ecstypes.DesiredStatusRunning)
	case plan.ListStopped:
		return s.listTasks(ctx, l.Cluster, texts(l.ARNs), ecstypes.DesiredStatusStopped)
	case plan.ListCluster:
		return s.listPages(ctx, l.Cluster, l.Names, l.Token)
	case plan.Clusters:
		return s.clusterSizes(ctx, l.Names)
	case plan.Tasks, plan.Homes:
		return s.tasks(ctx, l.Cluster, texts(l.ARNs))
	case plan.Services:
		return s.services(ctx, l.Cluster, l.Names)
	case plan.Targets:
		return s.targets(ctx, l.TargetGroup, l.Targets)
	case plan.Delays:
		return s.delay(ctx, l.TargetGroup)
	case plan.Instances:
		return s.instances(ctx, possible(l.Instances))
	}
	return fmt.Errorf("look of unknown kind %q", l.Kind)
}

var instanceID = regexp.MustCompile(`\bi-[0-9a-f]+\b`)

// possible leaves out what cannot be an instance id, which is absent without a question. An id may come from a forged message:
// one that closes the quote of a filter would change the question, and one that AWS refuses would spoil those of the others.
func possible(ids []fleet.InstanceID) []string {
	var out []string
	for _, id := range ids {
		if id != "" && instanceID.FindString(string(id)) == string(id) {
			out = append(out, string(id))
		}
	}
	return out
}
