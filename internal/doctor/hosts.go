package doctor

import (
	"slices"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/advice"
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
		Impact: "it is terminated when its hooks have ended", Advice: advice.Of(in.At.Ebb("why", id).For("says what it waits for"))}
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
	m := in.Inventory.Instance(inst.ID)
	switch {
	case m != nil && m.State.Gone():
		f.Severity = Error
		f.Finding += "; EC2 says that it is " + string(m.State)
		f.Impact = "its tasks are lost, and the hook may hold it for up to " + span(hooks[0].Global)
		known := "EC2 says that it is " + string(m.State) + ": nothing on it runs any more"
		var fixes []advice.Fix
		for _, h := range hooks {
			fixes = append(fixes, in.At.CompleteHook(g.Name, h.Name, id).Known(known).For("answers hook "+h.Name))
		}
		f.Advice = advice.Of(fixes...)
	case !since.IsZero() && in.Now.Sub(since) > limit+5*time.Minute:
		f.Severity = Error
		f.Impact = "the termination has been running for longer than " + span(limit) + ": the program that should answer the hook probably " +
			"does not, and the hook may last up to " + span(hooks[0].Global)
		f.Fix = append(f.Fix, advice.Say("do what it advises; hooks that may hold it: %s", names(hooks)))
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
		Advice: advice.Of(in.At.SetState(h.cluster.Name, h.host.ARN.Name(), fleet.Active).Costs(advice.Interrupts, "the drain for which it was set DRAINING",
			"nobody means to terminate it").For("lets it take tasks again"), in.end(h)),
	}
}

// end terminates a host, which costs nothing if no task is left on it.
func (in *Input) end(h home) advice.Fix {
	c := in.At.Terminate(string(h.host.Instance))
	if in.tasksKnown(h.cluster) && !slices.ContainsFunc(h.tasks(), func(t *inventory.Task) bool { return t.Live() }) {
		c = c.Known("it is to go; no task is left on it")
	}
	return c.For("or lets it go")
}

// ghost: nobody deregisters a container instance whose agent was disconnected when its instance ended.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeregisterContainerInstance.html
func ghost(in *Input, c *inventory.Cluster, h *inventory.Host) *Finding {
	if !in.read("", "ec2:DescribeInstances") || h.Connected || !strings.HasPrefix(string(h.Instance), "i-") ||
		h.Status != fleet.Active && h.Status != fleet.Draining {
		return nil
	}
	state := "does not know it any more"
	fix := in.At.Deregister(c.Name, h.ARN.Name()).Known("EC2 " + state + ": nothing on it runs any more").For("lets ECS forget it")
	if m := in.Inventory.Instance(h.Instance); m != nil {
		state = "says that it is " + string(m.State)
		fix = in.At.Deregister(c.Name, h.ARN.Name()).Known("EC2 " + state + ": nothing on it runs any more").For("lets ECS forget it")
		if m.State == fleet.StateStopped {
			fix = advice.Say("start it again, and it goes on as the same container instance; a deregistered one cannot come back. If it is to go, terminate it")
		}
		if m.State != fleet.StateStopped && m.State != fleet.StateTerminated {
			return nil
		}
	}
	return &Finding{
		Severity: Warn, Subject: "instance " + string(h.Instance), Finding: "cluster " + c.Name + " still has it as " + h.Status +
			" with a disconnected agent, and EC2 " + state,
		Impact: "it counts as a host of the cluster, and a drain that waits for its tasks never ends",
		Advice: advice.Of(fix),
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
		Advice: advice.Of(advice.Say("look at ECS_CLUSTER in its user data, its instance profile and the log of its ECS agent; or replace it"),
			in.At.Terminate(string(inst.ID)).Costs(advice.Destroys, "the instance, and what runs on it outside ECS", "it does no other work").For("replaces it")),
	}
}
