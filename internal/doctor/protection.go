package doctor

import (
	"slices"
	"time"

	"github.com/ebbhq/ebb/internal/advice"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
)

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
