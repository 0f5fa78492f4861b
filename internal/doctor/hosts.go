package doctor

import (
	"slices"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
)

func hostChecks() []Check {
	return []Check{
		{"waiting", "An instance that waits in a terminating hook", waiting},
		{"draining-in-service", "A host that drains although its instance stays", drainingInService},
		{"ghost", "A host whose instance is gone", ghost},
		{"never-joined", "An instance that never joined its cluster", neverJoined},
	}
}

// foreignLimit is how long an instance may wait before it counts as stuck, where Ebb's deadline does not apply.
const foreignLimit = time.Hour

func waiting(in *Input) (found []Finding) {
	for i := range in.Inventory.Groups {
		g := &in.Inventory.Groups[i]
		for _, inst := range g.Instances {
			if inst.State.Waiting() {
				found = append(found, in.waits(g, inst))
			}
		}
	}
	return found
}

// waits judges by how long the termination has been running. AWS shows that in the scaling activity, which begins before the hook.
func (in *Input) waits(g *inventory.Group, inst fleet.GroupInstance) Finding {
	id := string(inst.ID)
	f := Finding{Severity: Info, Subject: "instance " + id, Finding: "the instance is in " + string(inst.State) + " in group " + g.Name,
		Impact: "it is terminated when its hooks have ended", Fix: "see what it waits for: ebb why " + id}
	since := in.terminatingSince(g, inst.ID)
	limit := foreignLimit
	if _, ok := in.managed(g.Name); ok {
		limit = in.deadline(g.Name)
	}
	if since.IsZero() {
		f.Finding += ", since when is not known"
	} else {
		f.Finding += ", under way since " + since.UTC().Format("2006-01-02 15:04:05 UTC") + " (" + span(in.Now.Sub(since)) + ")"
	}
	hooks := terminating(g)
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

// terminatingSince is when the newest termination of an instance began.
func (in *Input) terminatingSince(g *inventory.Group, id fleet.InstanceID) (since time.Time) {
	for _, a := range g.Activities {
		if a.Instance == id && a.Start.After(since) {
			since = a.Start
		}
	}
	return since
}

func drainingInService(in *Input) (found []Finding) {
	for i := range in.Inventory.Groups {
		g := &in.Inventory.Groups[i]
		for _, inst := range g.Instances {
			h, ok := in.home(inst.ID)
			if !ok || h.host.Status != fleet.Draining || inst.State != fleet.InService {
				continue
			}
			found = append(found, Finding{
				Severity: Warn, Subject: "instance " + string(inst.ID),
				Finding: "its container instance in cluster " + h.cluster.Name + " is DRAINING, but the instance is InService in group " + g.Name +
					"; AWS does not show since when",
				Impact: "it takes no tasks but counts as capacity, and DRAINING never ends by itself",
				Fix: "if nobody means to terminate it: aws ecs update-container-instances-state --cluster " + h.cluster.Name +
					" --status ACTIVE --container-instances " + string(h.host.ARN) +
					"; else: aws autoscaling terminate-instance-in-auto-scaling-group --instance-id " + string(inst.ID) + " --no-should-decrement-desired-capacity",
			})
		}
	}
	return found
}

// ghost: nobody deregisters a container instance whose agent was disconnected when its instance ended.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeregisterContainerInstance.html
func ghost(in *Input) (found []Finding) {
	if in.Inventory.Missed("ec2:DescribeInstances", "") {
		return nil
	}
	for i := range in.Inventory.Clusters {
		c := &in.Inventory.Clusters[i]
		for _, h := range c.Hosts {
			if h.Connected || !strings.HasPrefix(string(h.Instance), "i-") || h.Status != fleet.Active && h.Status != fleet.Draining {
				continue
			}
			state := "does not know it any more"
			if m := in.Inventory.Instance(h.Instance); m != nil {
				state = "says that it is " + string(m.State)
				if m.State != fleet.StateStopped && m.State != fleet.StateTerminated {
					continue
				}
			}
			found = append(found, Finding{
				Severity: Warn, Subject: "instance " + string(h.Instance), Finding: "cluster " + c.Name + " still has it as " + h.Status +
					" with a disconnected agent, and EC2 " + state,
				Impact: "it counts as a host of the cluster, and a drain that waits for its tasks never ends",
				Fix:    "aws ecs deregister-container-instance --cluster " + c.Name + " --container-instance " + string(h.ARN) + " --force",
			})
		}
	}
	return found
}

// neverJoined can say that an instance is in no cluster only if all clusters were read.
func neverJoined(in *Input) (found []Finding) {
	s := in.Inventory
	if !in.Everything || !in.providersKnown() || s.Missed("ecs:ListContainerInstances", "") || s.Missed("ecs:DescribeContainerInstances", "") {
		return nil
	}
	for _, g := range in.ecsGroups() {
		for _, inst := range g.Instances {
			m := s.Instance(inst.ID)
			if _, ok := in.home(inst.ID); ok || m == nil || inst.State != fleet.InService || m.State != fleet.StateRunning || m.Launched.IsZero() ||
				in.Now.Sub(m.Launched) < settled {
				continue
			}
			found = append(found, Finding{
				Severity: Warn, Subject: "instance " + string(inst.ID), Finding: "the instance is InService in group " + g.Name + ", launched " +
					span(in.Now.Sub(m.Launched)) + " ago, and is in no cluster, although other instances of the group are, or a capacity provider uses the group",
				Impact: "it is billed and takes no tasks; managed draining may wait for it when it is terminated",
				Fix: "look at ECS_CLUSTER in its user data, its instance profile and /var/log/ecs/ecs-agent.log; or replace it: aws autoscaling " +
					"terminate-instance-in-auto-scaling-group --instance-id " +
					string(inst.ID) + " --no-should-decrement-desired-capacity",
			})
		}
	}
	return found
}

// sortedUnique are the words, each once, sorted.
func sortedUnique(words []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(words)))
}
