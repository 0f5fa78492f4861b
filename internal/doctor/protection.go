package doctor

import (
	"slices"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
)

func protectionChecks() []Check {
	return []Check{
		{"protection-stuck", "Scale-in protection that stays on", protectionStuck},
		{"protection-left", "Scale-in protection that nobody removes", protectionLeft},
		{"protection-off", "Managed termination protection without protected instances", protectionOff},
		{"lifetime-protected", "A maximum lifetime for protected instances", lifetimeProtected},
	}
}

// settled is how long an instance must be there before it counts as empty for good: ECS scales in after 15 one-minute data points.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/cluster-auto-scaling.html
const settled = 20 * time.Minute

// protected are the instances in service of a group that are protected from scale-in.
func protected(g *inventory.Group) []fleet.GroupInstance {
	return slices.DeleteFunc(slices.Clone(g.Instances), func(i fleet.GroupInstance) bool { return !i.Protected || i.State != fleet.InService })
}

func unprotect(g *inventory.Group, i fleet.GroupInstance) string {
	return "aws autoscaling set-instance-protection --auto-scaling-group-name " + g.Name + " --instance-ids " + string(i.ID) + " --no-protected-from-scale-in"
}

func protectionStuck(in *Input) (found []Finding) {
	for _, g := range in.ecsGroups() {
		p := in.provider(g.Name)
		if p == nil || !p.TerminationProtection {
			continue
		}
		for _, i := range protected(g) {
			h, ok := in.home(i.ID)
			if !ok || !in.tasksKnown(h.cluster) || h.host.RegisteredAt.IsZero() || in.Now.Sub(h.host.RegisteredAt) < settled || !daemonsOnly(h) {
				continue
			}
			found = append(found, Finding{
				Severity: Warn, Subject: "instance " + string(i.ID),
				Finding: "the instance is protected from scale-in although no task but those of daemon services is on it; ECS should have lifted " +
					"that. AWS does not show since when it has been empty: check again in a quarter of an hour",
				Impact: "it is never scaled in and is billed (aws/containers-roadmap#2814)", Fix: unprotect(g, i),
			})
		}
	}
	return found
}

func (in *Input) tasksKnown(c *inventory.Cluster) bool {
	of := "cluster " + c.Name
	for _, operation := range []string{"ecs:ListTasks", "ecs:DescribeTasks", "ecs:ListServices", "ecs:DescribeServices"} {
		if in.Inventory.Missed(operation, of) {
			return false
		}
	}
	return true
}

func daemonsOnly(h home) bool {
	return !slices.ContainsFunc(h.tasks(), func(t *inventory.Task) bool {
		v := h.cluster.Service(t.Service())
		return v == nil || !v.Daemon
	})
}

func protectionLeft(in *Input) (found []Finding) {
	if !in.providersKnown() {
		return nil
	}
	for _, g := range in.ecsGroups() {
		if p := in.provider(g.Name); g.ProtectsNew || p != nil && p.TerminationProtection {
			continue
		}
		for _, i := range protected(g) {
			found = append(found, Finding{
				Severity: Info, Subject: "instance " + string(i.ID), Finding: "the instance is protected from scale-in, but neither the group nor a " +
					"capacity provider protects its instances: somebody did it by hand, or a capacity provider that is gone",
				Impact: "it is never scaled in (aws/containers-roadmap#2862)", Fix: unprotect(g, i),
			})
		}
	}
	return found
}

// protectionOff: ECS protects only what the group protects at launch.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_AutoScalingGroupProvider.html
func protectionOff(in *Input) (found []Finding) {
	for _, g := range in.ecsGroups() {
		p := in.provider(g.Name)
		if p == nil || !p.TerminationProtection || g.ProtectsNew {
			continue
		}
		found = append(found, Finding{
			Severity: Warn, Subject: "group " + g.Name, Finding: "capacity provider " + p.Name + " has managed termination protection, but the " +
				"group does not protect new instances from scale-in",
			Impact: "instances with running tasks are scaled in", Fix: "aws autoscaling update-auto-scaling-group --auto-scaling-group-name " +
				g.Name + " --new-instances-protected-from-scale-in",
		})
	}
	return found
}

// lifetimeProtected: an instance that is protected is not replaced at the end of its lifetime.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/managed-termination-protection.html
func lifetimeProtected(in *Input) (found []Finding) {
	for _, g := range in.ecsGroups() {
		if g.MaxLifetime == 0 || !g.ProtectsNew {
			continue
		}
		found = append(found, Finding{
			Severity: Warn, Subject: "group " + g.Name, Finding: "the group has a maximum instance lifetime of " + span(g.MaxLifetime) +
				" and protects its instances from scale-in",
			Impact: "a busy instance stays protected and is not replaced at the end of its lifetime, so old images stay in use",
			Fix: "replace instances by a refresh: aws autoscaling start-instance-refresh --auto-scaling-group-name " + g.Name +
				` --preferences '{"ScaleInProtectedInstances":"Refresh"}'`,
		})
	}
	return found
}
