package doctor

import (
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
)

func hostChecks() []Check {
	hosts := func(c *inventory.Cluster) []*inventory.Host { return c.Hosts }
	return []Check{
		{"waiting", "An instance that waits in a terminating hook", eachOf((*Input).groups, instances, waiting)},
		{"draining-in-service", "A host that drains although its instance stays", eachOf((*Input).groups, instances, drainingInService)},
		{"ghost", "A host whose instance is gone", eachOf((*Input).clusters, hosts, ghost)},
		{"never-joined", "An instance that never joined its cluster", eachOf((*Input).ecsGroups, instances, neverJoined)},
	}
}

// foreignLimit is how long an instance may wait before it counts as stuck, where Ebb's deadline does not apply.
const foreignLimit = time.Hour

// waiting judges by how long the termination has been running. AWS shows that in the scaling activity, which begins before the hook.
func waiting(in *Input, g *inventory.Group, inst fleet.GroupInstance) *Finding {
	if !inst.State.Waiting() {
		return nil
	}
	id := string(inst.ID)
	f := &Finding{Severity: Info, Subject: "instance " + id, Finding: "the instance is in " + string(inst.State) + " in group " + g.Name,
		Impact: "it is terminated when its hooks have ended", Fix: "see what it waits for: ebb why " + id}
	since := g.TerminatingSince(inst.ID)
	limit := foreignLimit
	if _, ok := in.managed(g.Name); ok {
		limit = in.deadline(g.Name)
	}
	if since.IsZero() {
		f.Finding += ", since when is not known"
	} else {
		f.Finding += ", under way since " + since.UTC().Format("2006-01-02 15:04:05 UTC") + " (" + span(in.Now.Sub(since)) + ")"
	}
	hooks := g.Terminating()
	if len(hooks) == 0 {
		return f
	}
	f.Finding += "; hooks that may hold it: " + names(hooks)
	answer := "aws autoscaling complete-lifecycle-action --auto-scaling-group-name " + g.Name + " --instance-id " + id +
		" --lifecycle-action-result CONTINUE --lifecycle-hook-name " + hooks[0].Name
	m := in.Inventory.Instance(inst.ID)
	switch {
	case m != nil && m.State.Gone():
		f.Severity = Error
		f.Finding += "; EC2 says that it is " + string(m.State)
		f.Impact = "its tasks are lost, and the hook may hold it for up to " + span(hooks[0].Global)
		f.Fix = answer
	case !since.IsZero() && in.Now.Sub(since) > limit+5*time.Minute:
		f.Severity = Error
		f.Impact = "the termination has been running for longer than " + span(limit) + ": the program that should answer the hook probably " +
			"does not, and the hook may last up to " + span(hooks[0].Global)
		f.Fix += "; then let it go: " + answer
	}
	return f
}

func drainingInService(in *Input, g *inventory.Group, inst fleet.GroupInstance) *Finding {
	h, ok := in.home(inst.ID)
	if !ok || h.host.Status != fleet.Draining || inst.State != fleet.InService {
		return nil
	}
	return &Finding{
		Severity: Warn, Subject: "instance " + string(inst.ID),
		Finding: "its container instance in cluster " + h.cluster.Name + " is DRAINING, but the instance is InService in group " + g.Name +
			"; AWS does not show since when",
		Impact: "it takes no tasks but counts as capacity, and DRAINING never ends by itself",
		Fix: "if nobody means to terminate it: aws ecs update-container-instances-state --cluster " + h.cluster.Name +
			" --status ACTIVE --container-instances " + string(h.host.ARN) + "; else: " + terminate(inst.ID),
	}
}

// ghost: nobody deregisters a container instance whose agent was disconnected when its instance ended.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeregisterContainerInstance.html
func ghost(in *Input, c *inventory.Cluster, h *inventory.Host) *Finding {
	if !in.read("", "ec2:DescribeInstances") || h.Connected || !strings.HasPrefix(string(h.Instance), "i-") ||
		h.Status != fleet.Active && h.Status != fleet.Draining {
		return nil
	}
	state := "does not know it any more"
	if m := in.Inventory.Instance(h.Instance); m != nil {
		state = "says that it is " + string(m.State)
		if m.State != fleet.StateStopped && m.State != fleet.StateTerminated {
			return nil
		}
	}
	return &Finding{
		Severity: Warn, Subject: "instance " + string(h.Instance), Finding: "cluster " + c.Name + " still has it as " + h.Status +
			" with a disconnected agent, and EC2 " + state,
		Impact: "it counts as a host of the cluster, and a drain that waits for its tasks never ends",
		Fix:    "aws ecs deregister-container-instance --cluster " + c.Name + " --container-instance " + string(h.ARN) + " --force",
	}
}

// neverJoined can say that an instance is in no cluster only if all clusters were read.
func neverJoined(in *Input, g *inventory.Group, inst fleet.GroupInstance) *Finding {
	if !in.Everything || !in.providersKnown() || !in.read("", "ecs:ListContainerInstances", "ecs:DescribeContainerInstances") {
		return nil
	}
	m := in.Inventory.Instance(inst.ID)
	if _, ok := in.home(inst.ID); ok || m == nil || inst.State != fleet.InService || m.State != fleet.StateRunning || m.Launched.IsZero() ||
		in.Now.Sub(m.Launched) < settled {
		return nil
	}
	return &Finding{
		Severity: Warn, Subject: "instance " + string(inst.ID), Finding: "the instance is InService in group " + g.Name + ", launched " +
			span(in.Now.Sub(m.Launched)) + " ago, and is in no cluster, although other instances of the group are, or a capacity provider uses the group",
		Impact: "it is billed and takes no tasks; managed draining may wait for it when it is terminated",
		Fix:    "look at ECS_CLUSTER in its user data, its instance profile and /var/log/ecs/ecs-agent.log; or replace it: " + terminate(inst.ID),
	}
}
