package doctor

import (
	"fmt"
	"slices"

	"github.com/ebbhq/ebb/internal/advice"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
)

func settingsChecks() []Check {
	return []Check{
		{"ebb-hook-missing", "A group that Ebb looks after lacks Ebb's hook", each((*Input).groups, ebbHookMissing)},
		{"wrong-cluster", "A group's instances are in another cluster than configured", each((*Input).groups, wrongCluster)},
		{"matches-no-group", "A pattern of Ebb's configuration matches no group", each((*Input).entries, matchesNoGroup)},
		{"hook-short", "A hook that Ebb as a function cannot keep alive", each((*Input).groups, hookShort)},
		{"deadline-short", "Ebb's deadline is shorter than a drain takes", each((*Input).ecsGroups, deadlineShort)},
		{"scaling", "A service that Ebb cannot scale", scaling},
	}
}

// ebbHookMissing leaves groups without any drainer to nobody-drains.
func ebbHookMissing(in *Input, g *inventory.Group) *Finding {
	if _, ok := in.managed(g.Name); !ok || !in.hooksKnown(g) || hookNamed(g, in.hook()) != nil || len(g.Terminating()) == 0 {
		return nil
	}
	return &Finding{
		Severity: Error, Subject: "group " + g.Name, Finding: "Ebb's configuration includes the group, but the group has no hook " + in.hook() +
			", only " + names(g.Terminating()),
		Impact: "Ebb never acts on its instances, because it answers only its own hook",
		Advice: advice.Of(in.getEbb(g), advice.Say("or take the group out of Ebb's configuration")),
	}
}

func wrongCluster(in *Input, g *inventory.Group) *Finding {
	m, _ := in.managed(g.Name)
	homes := in.homes(g)
	at := slices.IndexFunc(homes, func(h home) bool { return h.cluster.Name != m.Cluster })
	if m.Cluster == "" || at < 0 {
		return nil
	}
	cluster := homes[at].cluster.Name
	return &Finding{
		Severity: Error, Subject: "group " + g.Name, Finding: "Ebb's configuration says that the group is in cluster " + m.Cluster +
			", but its instances are in cluster " + cluster,
		Impact: "Ebb treats the instances as hosts that never joined a cluster, and releases them undrained",
		Advice: advice.Of(advice.Say("write cluster: %s for match: %s in Ebb's configuration", cluster, m.Match)),
	}
}

func matchesNoGroup(in *Input, m Managed) *Finding {
	if !in.Everything || !in.read("", "autoscaling:DescribeAutoScalingGroups") ||
		slices.ContainsFunc(in.groups(), func(g *inventory.Group) bool { return fleet.Match(m.Match, g.Name) }) {
		return nil
	}
	return &Finding{
		Severity: Warn, Subject: "Ebb's configuration", Finding: "match: " + m.Match + " matches no Auto Scaling group of this account and Region",
		Impact: "the entry has no effect", Advice: advice.Of(advice.Say("correct the pattern"), in.At.Groups().For("lists the groups")),
	}
}

// hookShort: whether Ebb is a function or a process cannot be seen here, only that it may be one.
func hookShort(in *Input, g *inventory.Group) *Finding {
	h := hookNamed(g, in.hook())
	if _, ok := in.managed(g.Name); !ok || h == nil || h.Transition != fleet.TerminatingTransit || h.Heartbeat == 0 || h.Heartbeat >= in.Ebb.Shortest {
		return nil
	}
	return &Finding{
		Severity: Warn, Subject: "group " + g.Name,
		Finding: fmt.Sprintf("hook %s has a heartbeat timeout of %s, and Ebb as a Lambda function, which looks once a minute, needs %s", h.Name,
			span(h.Heartbeat), span(in.Ebb.Shortest)),
		Impact: "ebb lambda drains none of the group's instances, and ends each drain as refused; ebb serve keeps such a hook alive",
		Advice: advice.Of(in.heartbeat(g, *h, 900)),
	}
}

func deadlineShort(in *Input, g *inventory.Group) *Finding {
	m, ok := in.managed(g.Name)
	need, service := in.needOf(g)
	if !ok || need == 0 || m.Deadline >= need+margin {
		return nil
	}
	return &Finding{
		Severity: Warn, Subject: "group " + g.Name,
		Finding: fmt.Sprintf("Ebb's deadline is %s, but the drain of service %s takes up to %s (deregistration delay, stop timeout and "+
			"a minute)", span(m.Deadline), service, span(need+margin)),
		Impact: "every drain is cut off at the deadline", Advice: advice.Of(advice.Say("write deadline: %s or more for match: %s in Ebb's "+
			"configuration, or shorten the deregistration delay of the service", span(need+margin), m.Match)),
	}
}
