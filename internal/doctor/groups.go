package doctor

import (
	"fmt"
	"slices"
	"time"

	"github.com/ebbhq/ebb/internal/advice"
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

func suspended(in *Input, g *inventory.Group, process string) *Finding {
	f := Finding{
		Severity: Warn, Subject: "group " + g.Name, Finding: "process " + process + " is suspended",
		Advice: advice.Of(in.At.Resume(g.Name, process).For("if nobody suspended it on purpose")),
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
func retained(in *Input, g *inventory.Group, i fleet.GroupInstance) *Finding {
	if i.State != fleet.TerminatingRetained {
		return nil
	}
	return &Finding{
		Severity: Warn, Subject: "instance " + string(i.ID), Finding: "the instance is in Terminating:Retained in group " + g.Name +
			": a terminating hook was abandoned, and the group retains such instances",
		Impact: "it is billed, does no work for the group, and stays until somebody terminates it",
		Advice: advice.Of(advice.Say("find out why its hook was abandoned, and terminate it then"), in.At.Terminate(string(i.ID)).Costs(advice.Destroys,
			"the instance, which is kept so that it can be looked at, and what still runs on it", "its loss is understood").For("")),
	}
}

// refreshWaits: a refresh with Wait waits for an hour and fails.
// https://docs.aws.amazon.com/autoscaling/ec2/userguide/understand-instance-refresh-default-values.html
func refreshWaits(in *Input, g *inventory.Group, r inventory.Refresh) *Finding {
	protected := g.ProtectsNew || slices.ContainsFunc(g.Instances, func(i fleet.GroupInstance) bool { return i.Protected })
	if !protected || r.ScaleInProtected != "Wait" || r.Status != "Pending" && r.Status != "InProgress" {
		return nil
	}
	return &Finding{
		Severity: Warn, Subject: "group " + g.Name, Finding: "instance refresh " + r.ID + " is " + r.Status +
			" and waits for instances that are protected from scale-in (ScaleInProtectedInstances=Wait, the default)",
		Impact: "it waits for an hour and then fails",
		Advice: advice.Of(in.At.CancelRefresh(g.Name).For("first cancel it"),
			in.At.StartRefresh(g.Name).For("then start it again with ScaleInProtectedInstances=Refresh")),
	}
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
		Advice: advice.Of(in.heartbeat(g, h, 120)),
	}
}

// hasSpot reports whether a group has or asks for Spot capacity.
func (in *Input) hasSpot(g *inventory.Group) bool {
	spot := map[fleet.InstanceID]bool{}
	for _, m := range in.Inventory.Instances {
		spot[m.ID] = m.Spot
	}
	return g.Spot || slices.ContainsFunc(g.Instances, func(i fleet.GroupInstance) bool { return spot[i.ID] })
}

func protectionChecks() []Check {
	return []Check{
		{"protection-stuck", "Scale-in protection that stays on", eachOf((*Input).ecsGroups, protected, protectionStuck)},
		{"protection-left", "Scale-in protection that nobody removes", eachOf((*Input).ecsGroups, protected, protectionLeft)},
		{"protection-off", "Managed termination protection without protected instances", each((*Input).ecsGroups, protectionOff)},
		{"lifetime-protected", "A maximum lifetime for protected instances", each((*Input).ecsGroups, lifetimeProtected)},
	}
}

// settled is how long an instance must be there before it counts as empty for good: ECS scales in after 15 one-minute data points.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/cluster-auto-scaling.html
const settled = 20 * time.Minute

// protected are the instances in service of a group that are protected from scale-in.
func protected(g *inventory.Group) []fleet.GroupInstance {
	return slices.DeleteFunc(slices.Clone(g.Instances), func(i fleet.GroupInstance) bool { return !i.Protected || i.State != fleet.InService })
}

func protectionStuck(in *Input, g *inventory.Group, i fleet.GroupInstance) *Finding {
	p := in.provider(g.Name)
	h, ok := in.home(i.ID)
	if p == nil || !p.TerminationProtection || !ok || !in.tasksKnown(h.cluster) || h.host.RegisteredAt.IsZero() ||
		in.Now.Sub(h.host.RegisteredAt) < settled || !daemonsOnly(h) {
		return nil
	}
	return &Finding{
		Severity: Warn, Subject: "instance " + string(i.ID),
		Finding: "the instance is protected from scale-in although no task but those of daemon services is on it; ECS should have lifted " +
			"that. AWS does not show since when it has been empty: check again in a quarter of an hour",
		Impact: "it is never scaled in and is billed (aws/containers-roadmap#2814)", Advice: advice.Of(in.At.Unprotect(g.Name, string(i.ID)).For("")),
	}
}

func (in *Input) tasksKnown(c *inventory.Cluster) bool {
	return in.read("cluster "+c.Name, "ecs:ListTasks", "ecs:DescribeTasks", "ecs:ListServices", "ecs:DescribeServices")
}

func daemonsOnly(h home) bool {
	return !slices.ContainsFunc(h.tasks(), func(t *inventory.Task) bool {
		v := h.cluster.Service(t.Service())
		return v == nil || !v.Daemon
	})
}

func protectionLeft(in *Input, g *inventory.Group, i fleet.GroupInstance) *Finding {
	if p := in.provider(g.Name); !in.providersKnown() || g.ProtectsNew || p != nil && p.TerminationProtection {
		return nil
	}
	return &Finding{
		Severity: Info, Subject: "instance " + string(i.ID), Finding: "the instance is protected from scale-in, but neither the group nor a " +
			"capacity provider protects its instances: somebody did it by hand, or a capacity provider that is gone",
		Impact: "it is never scaled in (aws/containers-roadmap#2862)", Advice: advice.Of(in.At.Unprotect(g.Name, string(i.ID)).For("")),
	}
}

// protectionOff: ECS protects only what the group protects at launch.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_AutoScalingGroupProvider.html
func protectionOff(in *Input, g *inventory.Group) *Finding {
	p := in.provider(g.Name)
	if p == nil || !p.TerminationProtection || g.ProtectsNew {
		return nil
	}
	return &Finding{
		Severity: Warn, Subject: "group " + g.Name, Finding: "capacity provider " + p.Name + " has managed termination protection, but the " +
			"group does not protect new instances from scale-in",
		Impact: "instances with running tasks are scaled in", Advice: advice.Of(in.At.ProtectNew(g.Name).For("")),
	}
}

// lifetimeProtected: an instance that is protected is not replaced at the end of its lifetime.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/managed-termination-protection.html
func lifetimeProtected(in *Input, g *inventory.Group) *Finding {
	if g.MaxLifetime == 0 || !g.ProtectsNew {
		return nil
	}
	return &Finding{
		Severity: Warn, Subject: "group " + g.Name, Finding: "the group has a maximum instance lifetime of " + span(g.MaxLifetime) +
			" and protects its instances from scale-in",
		Impact: "a busy instance stays protected and is not replaced at the end of its lifetime, so old images stay in use",
		Advice: advice.Of(in.At.StartRefresh(g.Name).For("replaces instances by a refresh")),
	}
}
