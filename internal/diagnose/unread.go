package diagnose

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/advice"
	"github.com/ebbhq/ebb/internal/inventory"
	"github.com/ebbhq/ebb/internal/placement"
	"github.com/ebbhq/ebb/internal/plain"
)

// unread are the parts of an inventory that are missing, in words.
func unread(s *inventory.Inventory) []string {
	var notes []string
	for _, u := range s.Unread {
		notes = append(notes, u.What+" could not be read: "+u.Error)
	}
	for _, c := range s.Clusters {
		if p := c.Part; p != nil {
			notes = append(notes, fmt.Sprintf("cluster %s is large, so only what concerns the target was read: %d of %s, %d of %s, %d of %s; "+
				"target groups that no service of it names were not read", c.Name, len(c.Hosts), plain.Count(p.Hosts, "host"), len(c.Tasks),
				plain.Count(p.Tasks, "task"), len(c.Services), plain.Count(p.Services, "service")))
		}
	}
	return notes
}

// unseen are the failed operations without which it is not known what runs where: in a cluster, or, if that is nil, in any.
func unseen(s *inventory.Inventory, c *inventory.Cluster) []string {
	of, operations := "", []string{"ecs:ListClusters", "ecs:DescribeClusters", "ecs:ListContainerInstances", "ecs:DescribeContainerInstances"}
	if c != nil {
		of = "cluster " + c.Name
		operations = []string{"ecs:ListContainerInstances", "ecs:DescribeContainerInstances", "ecs:ListTasks", "ecs:DescribeTasks",
			"ecs:ListServices", "ecs:DescribeServices"}
	}
	return slices.DeleteFunc(operations, func(operation string) bool { return !s.Missed(operation, of) })
}

// blind reports whether the tasks on the target could not be read. Then a command that completes a hook might cut off work, so
// there is none.
func (w *why) blind() bool {
	unknown := "whether tasks run on " + string(w.instance) + " is not known: "
	if gapsOf(&w.known).host() {
		unknown = "whether the host of task " + w.task.ARN.Name() + " leaves is not known: "
	}
	if w.host == nil && len(w.q.Only) > 0 {
		w.add(Blocker{Code: placement.Unjudged, Message: unknown + "it is not in cluster " + strings.Join(w.q.Only, ", ") + ", and no other was read",
			Advice: advice.Of(advice.Say("ask without --cluster, which looks in all"))})
		return true
	}
	missed := unseen(w.s, w.cluster)
	for _, r := range w.all {
		missed = append(missed, unseen(w.s, r.cluster)...)
	}
	if len(w.left()) == 0 { // it may be registered in another cluster too, with tasks there
		missed = append(missed, unseen(w.s, nil)...)
	}
	if len(missed) == 0 && gapsOf(&w.known).host() { // it has come or gone meanwhile
		missed = []string{"its container instance"}
	}
	if len(missed) == 0 {
		return false
	}
	w.dark = true
	slices.Sort(missed)
	missed = slices.Compact(missed)
	w.add(Blocker{Code: placement.Unjudged, Message: unknown + strings.Join(missed, ", ") + " could not be read", Advice: advice.Of(advice.Say(
		"allow the operations that were refused, or try again; the notes say why they failed"))})
	return true
}

// need is a read that an answer rests on, and what is not known without it.
type need struct {
	operation string
	of        func(*known) string // what of it, such as "cluster prod"; nil: any part counts
	matters   func(*why) bool
	says      string
}

// needs are the reads that an answer about something that leaves rests on, besides those of what runs where (unseen).
func needs() []need {
	group := func(k *known) string { return "group " + k.group.Name }
	cluster := func(k *known) string { return "cluster " + k.cluster.Name }
	noMember := func(w *why) bool { return w.member == nil }
	inGroup := func(w *why) bool { return w.group != nil }
	hosted := func(w *why) bool { return w.host != nil }
	tasked := func(w *why) bool { return w.host != nil && len(w.tasks()) > 0 }
	networked := func(w *why) bool {
		return tasked(w) && slices.ContainsFunc(w.cluster.TaskDefinitions, func(d *inventory.TaskDefinition) bool { return d.Network == "awsvpc" })
	}
	launched := func(w *why) bool { return w.group != nil && (w.host != nil && !w.host.Connected || len(w.left()) > 0) }
	return []need{
		{"autoscaling:DescribeAutoScalingInstances", nil, noMember, "which group it is in"},
		{"autoscaling:DescribeAutoScalingGroups", nil, noMember, "what its group does with it"},
		{"autoscaling:DescribeLifecycleHooks", group, inGroup, "which hooks hold it"},
		{"autoscaling:DescribeScalingActivities", group, inGroup, "since when it has been leaving"},
		{"ec2:DescribeInstances", nil, func(w *why) bool { return w.ec2 == nil || len(w.tasks()) > 0 }, "which hosts still run"},
		{"ec2:DescribeInstanceTypes", nil, networked, "how many network interfaces hosts can have"},
		{"ecs:ListClusters", nil, hosted, "which clusters there are"},
		{"ecs:DescribeClusters", nil, hosted, "whether it is registered in another cluster too, with tasks there"},
		{"ecs:DescribeContainerInstances", nil, hosted, "whether it is registered in another cluster too, with tasks there"},
		{"ecs:ListContainerInstances", nil, hosted, "whether it is registered in another cluster too, with tasks there"},
		{"ecs:DescribeCapacityProviders", cluster, hosted, "whether ECS drains it, and adds hosts"},
		{"ecs:DescribeTaskDefinition", nil, tasked, "what tasks need, and how long they have to stop"},
		{"ecs:GetTaskProtection", cluster, tasked, "which tasks are protected"},
		{"elasticloadbalancing:DescribeTargetGroups", nil, tasked, "how long targets are drained, and which are healthy"},
		{"elasticloadbalancing:DescribeTargetGroupAttributes", nil, tasked, "how long targets are drained"},
		{"elasticloadbalancing:DescribeTargetHealth", nil, tasked, "which targets are healthy"},
		{"ec2:DescribeLaunchTemplateVersions", group, launched, "what its agent is set to"},
		{"autoscaling:DescribeLaunchConfigurations", group, launched, "what its agent is set to"},
	}
}

// unpromise takes back the times that rest on what could not be read: those of tasks, and of the group's own load balancers.
func (w *why) unpromise() {
	for i, n := range w.report.Next {
		if w.dark && slices.Contains([]Event{HookOpens, TaskSigterm, TaskStopped}, n.Event) {
			w.report.Next[i].By = time.Time{}
		}
	}
}

// doubt adds a blocker of what could not be read and that the answer rests on. With it nothing ends by itself as far as is known.
func (w *why) doubt() {
	var parts []string
	for _, n := range needs() {
		if n.matters(w) && gapsOf(&w.known).lacks(n) {
			parts = append(parts, fmt.Sprintf("%s (%s)", n.says, n.operation))
		}
	}
	if gapsOf(&w.known).journal() {
		parts = append(parts, "whether Ebb is at work, and what it waits for (its journal)")
	}
	if len(parts) == 0 {
		return
	}
	w.dark = true
	w.add(Blocker{Code: placement.Unjudged, Message: "not known, because it could not be read: " + strings.Join(parts, "; "), Advice: advice.Of(
		advice.Say("allow the operations that were refused, or try again; the notes say why they failed"))})
}

// gaps says what could not be read of what is around a target.
type gaps struct{ of *known }

func gapsOf(k *known) gaps { return gaps{k} }

// lacks reports whether a need could not be read.
func (g gaps) lacks(n need) bool {
	part := ""
	if n.of != nil {
		part = n.of(g.of)
	}
	return g.of.s.Missed(n.operation, part)
}

// inGroup reports whether something of the target's group could not be read.
func (g gaps) inGroup(operation string) bool {
	return g.of.group != nil && g.of.s.Missed(operation, "group "+g.of.group.Name)
}

// hooks reports whether the hooks of the target's group could not be read, so that none in the inventory does not mean none.
func (g gaps) hooks() bool { return g.inGroup("autoscaling:DescribeLifecycleHooks") }

// begin reports whether it could not be read when the termination of the target began.
func (g gaps) begin() bool { return g.inGroup("autoscaling:DescribeScalingActivities") }

// group reports whether the target's group, or its hooks, could not be read: then it is not known who is at work on it.
func (g gaps) group() bool { return g.hooks() || g.of.group == nil && groupsUnread(g.of.s) }

// journal reports whether Ebb looks after the group by its configuration, and its journal could not be read.
func (g gaps) journal() bool { e := g.of.q.Ebb; return e != nil && e.Unread && e.Manages }

// ec2 reports whether EC2 could not be asked whether the target runs.
func (g gaps) ec2() bool { return g.of.ec2 == nil && g.of.s.Missed("ec2:DescribeInstances", "") }

// coming reports whether it could not be read if another host is being launched.
func (g gaps) coming() bool {
	return groupsUnread(g.of.s) || g.of.s.Missed("ec2:DescribeInstances", "") || g.of.s.Missed("ecs:DescribeCapacityProviders", "cluster "+g.of.cluster.Name)
}

// host reports whether the target is a task whose host could not be read.
func (g gaps) host() bool {
	return g.of.task != nil && g.of.host == nil && g.of.task.ContainerInstance != ""
}

// groupsUnread reports whether an instance that is in no group that was read may be in another.
func groupsUnread(s *inventory.Inventory) bool {
	return s.Missed("autoscaling:DescribeAutoScalingGroups", "") || s.Missed("autoscaling:DescribeAutoScalingInstances", "")
}

// launchUnread reports whether what the instances of a group are launched from could not be read.
func launchUnread(s *inventory.Inventory, g *inventory.Group) bool {
	return g != nil && (s.Missed("ec2:DescribeLaunchTemplateVersions", "group "+g.Name) ||
		s.Missed("autoscaling:DescribeLaunchConfigurations", "group "+g.Name))
}

// delayUnread reports whether the deregistration delay of a task's targets is not known: its service or a target group could not be read.
func delayUnread(s *inventory.Inventory, c *inventory.Cluster, t *inventory.Task) bool {
	v := c.Service(t.Service())
	return v == nil && t.Service() != "" || v != nil && !s.DelaysKnown(v)
}
