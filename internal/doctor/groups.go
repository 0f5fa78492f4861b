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
	return []Check{
		{"suspended", "A suspended scaling process", suspended},
		{"retained", "A retained instance", retained},
		{"refresh-waits", "An instance refresh that waits for protected instances", refreshWaits},
		{"rebalance-hook", "Capacity rebalancing with a long hook", rebalanceHook},
	}
}

func suspended(in *Input) (found []Finding) {
	worth := map[string]struct {
		severity Severity
		ifLeft   string
	}{
		"Launch":      {Warn, "no replacement is launched: tasks of a drained host have nowhere to go, and the drain waits"},
		"Terminate":   {Warn, "nothing is scaled in, and unhealthy instances stay; capacity that is not needed is billed"},
		"AZRebalance": {Info, "the zones may stay uneven; many suspend it on purpose, because it terminates instances"},
	}
	for _, g := range in.ecsGroups() {
		for _, process := range g.Suspended {
			w, ok := worth[process]
			if !ok {
				continue
			}
			found = append(found, Finding{
				Severity: w.severity, Subject: "group " + g.Name, Finding: "process " + process + " is suspended", Impact: w.ifLeft,
				Fix: "aws autoscaling resume-processes --auto-scaling-group-name " + g.Name + " --scaling-processes " + process,
			})
		}
	}
	return found
}

// retained instances exist until somebody terminates them.
// https://docs.aws.amazon.com/autoscaling/ec2/userguide/instance-lifecycle-policy.html
func retained(in *Input) (found []Finding) {
	for _, g := range in.Inventory.Groups {
		for _, i := range g.Instances {
			if i.State != fleet.TerminatingRetained {
				continue
			}
			found = append(found, Finding{
				Severity: Warn, Subject: "instance " + string(i.ID), Finding: "the instance is in Terminating:Retained in group " + g.Name +
					": a terminating hook was abandoned, and the group retains such instances",
				Impact: "it is billed, does no work for the group, and stays until somebody terminates it",
				Fix: "find out why its hook was abandoned, then: aws autoscaling terminate-instance-in-auto-scaling-group --instance-id " +
					string(i.ID) + " --no-should-decrement-desired-capacity",
			})
		}
	}
	return found
}

// refreshWaits: a refresh with Wait waits for an hour and fails.
// https://docs.aws.amazon.com/autoscaling/ec2/userguide/understand-instance-refresh-default-values.html
func refreshWaits(in *Input) (found []Finding) {
	for _, g := range in.Inventory.Groups {
		protected := g.ProtectsNew || slices.ContainsFunc(g.Instances, func(i fleet.GroupInstance) bool { return i.Protected })
		for _, r := range g.Refreshes {
			if !protected || r.ScaleInProtected != "Wait" || r.Status != "Pending" && r.Status != "InProgress" {
				continue
			}
			found = append(found, Finding{
				Severity: Warn, Subject: "group " + g.Name, Finding: "instance refresh " + r.ID + " is " + r.Status +
					" and waits for instances that are protected from scale-in (ScaleInProtectedInstances=Wait, the default)",
				Impact: "it waits for an hour and then fails",
				Fix: "aws autoscaling cancel-instance-refresh --auto-scaling-group-name " + g.Name +
					"; then start it again with ScaleInProtectedInstances=Refresh: aws autoscaling start-instance-refresh --auto-scaling-group-name " +
					g.Name + ` --preferences '{"ScaleInProtectedInstances":"Refresh"}'`,
			})
		}
	}
	return found
}

// spotNotice is how long before the end the notice of a Spot interruption comes, at most.
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html
const spotNotice = 2 * time.Minute

// rebalanceHook leaves out ECS's hook and Ebb's: they are answered as soon as the tasks have stopped.
func rebalanceHook(in *Input) (found []Finding) {
	for i := range in.Inventory.Groups {
		g := &in.Inventory.Groups[i]
		if !g.CapacityRebalance || !in.hasSpot(g) {
			continue
		}
		for _, h := range own(g) {
			if h.Name == in.hook() || h.Heartbeat <= spotNotice {
				continue
			}
			found = append(found, Finding{
				Severity: Warn, Subject: "group " + g.Name, Finding: fmt.Sprintf("the group rebalances Spot capacity, and hook %s may wait %s: EC2 "+
					"reclaims the instance two minutes after its notice anyway", h.Name, span(h.Heartbeat)),
				Impact: "the instance is reclaimed while the hook still waits, so the work of the hook is not finished",
				Fix:    "aws autoscaling put-lifecycle-hook --auto-scaling-group-name " + g.Name + " --lifecycle-hook-name " + h.Name + " --heartbeat-timeout 120",
			})
		}
	}
	return found
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
