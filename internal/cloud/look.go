package cloud

import (
	"context"
	"fmt"
	"regexp"
	"slices"

	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/ebbhq/ebb/internal/plan"
)

// looks has a row for each kind of look.
var looks = [plan.LookKinds]func(*lookup, context.Context, plan.Look) error{
	plan.Groups:                 (*lookup).groups,
	plan.Hooks:                  (*lookup).hooks,
	plan.GroupInstances:         (*lookup).groupInstances,
	plan.Activities:             (*lookup).activities,
	plan.FindContainerInstances: (*lookup).findContainerInstances,
	plan.Words:                  (*lookup).words,
	plan.ContainerInstances:     (*lookup).containerInstances,
	plan.ListRunning:            listTasks(ecstypes.DesiredStatusRunning),
	plan.ListStopped:            listTasks(ecstypes.DesiredStatusStopped),
	plan.ListCluster:            (*lookup).listPages,
	plan.Stopping:               (*lookup).stopping,
	plan.Homes:                  (*lookup).tasks,
	plan.Clusters:               (*lookup).clusterSizes,
	plan.Tasks:                  (*lookup).tasks,
	plan.Services:               (*lookup).services,
	plan.Targets:                (*lookup).targets,
	plan.Names:                  (*lookup).names,
	plan.LatticeTargets:         (*lookup).latticeTargets,
	plan.VPCs:                   (*lookup).vpcs,
	plan.TargetGroups:           (*lookup).targetGroups,
	plan.Registered:             (*lookup).registered,
	plan.Delays:                 (*lookup).delay,
	plan.TTLs:                   (*lookup).ttl,
	plan.GroupHealth:            (*lookup).groupHealth,
	plan.Connections:            (*lookup).connections,
	plan.Instances:              (*lookup).instances,
	plan.SpotRequests:           (*lookup).spotRequests,
	plan.Alarms:                 (*lookup).alarms,
	plan.Backlogs:               (*lookup).backlogs,
	plan.Metrics:                (*lookup).metrics,
	plan.Scalers:                (*lookup).scalers,
}

// Look asks AWS one question. It splits what is longer than AWS's limits, so the look as a whole takes as many requests as
// Calls says. When nothing at all could be learnt Err is set; when a part could not, that part is in Failed.
func (c *Cloud) Look(ctx context.Context, l plan.Look) plan.LookResult {
	s := &lookup{Cloud: c}
	if l.Kind >= plan.LookKinds || looks[l.Kind] == nil {
		return plan.LookResult{Err: Classify(fmt.Errorf("look of unknown kind %d", l.Kind))}
	}
	if err := looks[l.Kind](s, ctx, l); err != nil {
		return plan.LookResult{Err: Classify(err), Calls: s.Calls}
	}
	return s.LookResult
}

var instanceID = regexp.MustCompile(`\bi-[0-9a-f]+\b`)

// possible leaves out what cannot be an instance id, which is absent without a question. An id may come from a forged message:
// one that closes the quote of a filter would change the question, and one that AWS refuses would spoil those of the others.
func possible(ids []string) []string {
	return slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return id == "" || instanceID.FindString(id) != id })
}
