package doctor

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
)

func groupChecks() []Check {
	processes := func(g *inventory.Group) []string { return g.Suspended }
	refreshes := func(g *inventory.Group) []inventory.Refresh { return g.Refreshes }
	return []Check{
		{"suspended", "A suspended scaling process", eachOf((*Input).ecsGroups, processes, suspended)},
		{"retained", "A retained instance", eachOf((*Input).groups, instances, retained)},
		{"refresh-waits", "An instance refresh that waits for protected instances", eachOf((*Input).groups, refreshes, refreshWaits)},
		{"rebalance-hook", "Capacity rebalancing with a long hook", eachOf((*Input).groups, own, rebalanceHook)},
	}
}

func suspended(_ *Input, g *inventory.Group, process string) *Finding {
	f := Finding{
		Severity: Warn, Subject: "group " + g.Name, Finding: "process " + process + " is suspended",
		Fix: "aws autoscaling resume-processes --auto-scaling-group-name " + g.Name + " --scaling-processes " + process,
	}
	switch process {
	case "Launch":
		f.Impact = "no replacement is launched: tasks of a drained host have nowhere to go, and the drain waits"
	case "Terminate":
		f.Impact = "nothing is scaled in, and unhealthy instances stay; capacity that is not needed is billed"
	case "AZRebalance":
		f.Severity, f.Impact = Info, "the zones may stay uneven; many suspend it on purpose, because it terminates instances"
	default:
		return nil
	}
	return &f
}

// retained instances exist until somebody terminates them.
// https://docs.aws.amazon.com/autoscaling/ec2/userguide/instance-lifecycle-policy.html
func retained(_ *Input, g *inventory.Group, i fleet.GroupInstance) *Finding {
	if i.State != fleet.TerminatingRetained {
		return nil
	}
	return &Finding{
		Severity: Warn, Subject: "instance " + string(i.ID), Finding: "the instance is in Terminating:Retained in group " + g.Name +
			": a terminating hook was abandoned, and the group retains such instances",
		Impact: "it is billed, does no work for the group, and stays until somebody terminates it",
		Fix:    "find out why its hook was abandoned, then: " + terminate(i.ID),
	}
}

func terminate(id fleet.InstanceID) string {
	return "aws autoscaling terminate-instance-in-auto-scaling-group --instance-id " + string(id) + " --no-should-decrement-desired-capacity"
}

// refreshWaits: a refresh with Wait waits for an hour and fails.
// https://docs.aws.amazon.com/autoscaling/ec2/userguide/understand-instance-refresh-default-values.html
func refreshWaits(_ *Input, g *inventory.Group, r inventory.Refresh) *Finding {
	protected := g.ProtectsNew || slices.ContainsFunc(g.Instances, func(i fleet.GroupInstance) bool { return i.Protected })
	if !protected || r.ScaleInProtected != "Wait" || r.Status != "Pending" && r.Status != "InProgress" {
		return nil
	}
	return &Finding{
		Severity: Warn, Subject: "group " + g.Name, Finding: "instance refresh " + r.ID + " is " + r.Status +
			" and waits for instances that are protected from scale-in (ScaleInProtectedInstances=Wait, the default)",
		Impact: "it waits for an hour and then fails",
		Fix: "aws autoscaling cancel-instance-refresh --auto-scaling-group-name " + g.Name +
			"; then start it again with ScaleInProtectedInstances=Refresh: " + refresh(g),
	}
}

// refresh replaces instances whether they are protected or not.
func refresh(g *inventory.Group) string {
	return "aws autoscaling start-instance-refresh --auto-scaling-group-name " + g.Name +
		` --preferences '{"ScaleInProtectedInstances":"Refresh"}'`
}

// spotNotice is how long before the end the notice of a Spot interruption comes, at most.
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html
const spotNotice = 2 * time.Minute

// rebalanceHook leaves out ECS's hook and Ebb's: they are answered as soon as the tasks have stopped.
func rebalanceHook(in *Input, g *inventory.Group, h fleet.Hook) *Finding {
	if !g.CapacityRebalance || !in.hasSpot(g) || h.Name == in.hook() || h.Heartbeat <= spotNotice {
		return nil
	}
	return &Finding{
		Severity: Warn, Subject: "group " + g.Name, Finding: fmt.Sprintf("the group rebalances Spot capacity, and hook %s may wait %s: EC2 "+
			"reclaims the instance two minutes after its notice anyway", h.Name, span(h.Heartbeat)),
		Impact: "the instance is reclaimed while the hook still waits, so the work of the hook is not finished",
		Fix:    putHook(g, h.Name, "--heartbeat-timeout 120"),
	}
}

// hasSpot reports whether a group has or asks for Spot capacity.
func (in *Input) hasSpot(g *inventory.Group) bool {
	return g.Spot || slices.ContainsFunc(g.Instances, func(i fleet.GroupInstance) bool {
		m := in.Inventory.Instance(i.ID)
		return m != nil && m.Spot
	})
}

// agentSetting reads a setting of the ECS agent out of a group's user data. Known is false where the user data has no settings of the
// agent: they may be in the image.
func agentSetting(g *inventory.Group, name string) (value string, known bool) {
	known = g.UserDataKnown && strings.Contains(g.UserData, "ECS_CLUSTER")
	for line := range strings.Lines(g.UserData) {
		if _, after, ok := strings.Cut(line, name+"="); ok && !strings.HasPrefix(strings.TrimSpace(line), "#") {
			fields := strings.FieldsFunc(after, func(r rune) bool { return strings.ContainsRune(" \t\r\n\"'>;", r) })
			if len(fields) > 0 {
				value = fields[0]
			}
		}
	}
	return value, known
}
