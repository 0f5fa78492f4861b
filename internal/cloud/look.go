package cloud

import (
	"context"
	"fmt"

	"github.com/ebbhq/ebb/internal/plan"
)

// Look asks AWS one question. It splits what is longer than AWS's limits, so the look as a whole takes as many requests as
// Calls says. When nothing at all could be learnt Err is set; when a part could not, that part is in Failed.
func (c *Cloud) Look(ctx context.Context, l plan.Look) plan.Sight {
	s := &sight{Cloud: c}
	if err := s.look(ctx, l); err != nil {
		return plan.Sight{Err: Classify(err), Calls: s.Calls}
	}
	return s.Sight
}

func (s *sight) look(ctx context.Context, l plan.Look) error {
	switch l.Kind {
	case plan.Groups:
		return s.groups(ctx, l.Names)
	case plan.Hooks:
		return s.hooks(ctx, l.Group)
	case plan.GroupInstances:
		return s.groupInstances(ctx, texts(l.Instances))
	case plan.Activities:
		return s.activities(ctx, l.Group)
	case plan.FindContainerInstances:
		return s.findContainerInstances(ctx, l.Cluster, texts(l.Instances))
	case plan.ContainerInstances:
		return s.containerInstances(ctx, l.Cluster, texts(l.ARNs))
	case plan.ListTasks:
		return s.listTasks(ctx, l.Cluster, texts(l.ARNs))
	case plan.Tasks:
		return s.tasks(ctx, l.Cluster, texts(l.ARNs))
	case plan.Services:
		return s.services(ctx, l.Cluster, l.Names)
	case plan.Targets:
		return s.targets(ctx, l.TargetGroup, l.Targets)
	case plan.Instances:
		return s.instances(ctx, texts(l.Instances))
	}
	return fmt.Errorf("look of unknown kind %q", l.Kind)
}
