package doctor

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
)

// The defaults of Ebb's configuration, for an account that is examined without one.
const (
	defaultHook     = "ebb-drain"
	defaultDeadline = 30 * time.Minute
)

// settings are Ebb's, empty where there are none.
func (in *Input) settings() Settings { return *cmp.Or(in.Ebb, &Settings{}) }

// hook is the name of the hook that Ebb answers.
func (in *Input) hook() string { return cmp.Or(in.settings().Hook, defaultHook) }

// isEbbs reports whether a queue is the one that Ebb reads.
func (in *Input) isEbbs(q inventory.Queue) bool { return q.URL != "" && q.URL == in.settings().Queue }

// entries are the groups of Ebb's configuration.
func (in *Input) entries() []Managed { return in.settings().Groups }

// managed are Ebb's settings for a group, if its configuration includes the group.
func (in *Input) managed(group string) (Managed, bool) {
	return fleet.FirstMatch(in.entries(), group, func(m Managed) string { return m.Match })
}

func (in *Input) deadline(group string) time.Duration {
	if m, ok := in.managed(group); ok {
		return m.Deadline
	}
	return defaultDeadline
}

// home is a host with its cluster.
type home struct {
	cluster *inventory.Cluster
	host    *inventory.Host
}

// home finds the host that an instance is.
func (in *Input) home(id fleet.InstanceID) (home, bool) {
	for _, c := range in.Inventory.Clusters {
		if h := c.Host(id); h != nil {
			return home{c, h}, true
		}
	}
	return home{}, false
}

func (h home) tasks() []*inventory.Task { return h.cluster.TasksOn(h.host) }

// homes are the hosts of a group. There may be thousands, so that nothing is searched for each.
func (in *Input) homes(g *inventory.Group) (out []home) {
	hosts := map[fleet.InstanceID]home{}
	for _, c := range slices.Backward(in.Inventory.Clusters) { // of two clusters that have an instance, the first counts
		for _, h := range slices.Backward(c.Hosts) {
			hosts[h.Instance] = home{c, h}
		}
	}
	for _, i := range g.Instances {
		if h, ok := hosts[i.ID]; ok {
			out = append(out, h)
		}
	}
	return out
}

// provider is the capacity provider of a group, or nil.
func (in *Input) provider(group string) *inventory.CapacityProvider {
	for _, c := range in.Inventory.Clusters {
		at := slices.IndexFunc(c.CapacityProviders, func(p inventory.CapacityProvider) bool { return p.Group == group })
		if at >= 0 {
			return &c.CapacityProviders[at]
		}
	}
	return nil
}

func (in *Input) groups() []*inventory.Group { return in.Inventory.Groups }

func (in *Input) clusters() []*inventory.Cluster { return in.Inventory.Clusters }

func instances(g *inventory.Group) []fleet.GroupInstance { return g.Instances }

func tasks(c *inventory.Cluster) []*inventory.Task { return c.Tasks }

// ecsGroups are the groups whose instances are container instances, or that a capacity provider uses.
func (in *Input) ecsGroups() []*inventory.Group {
	return slices.DeleteFunc(slices.Clone(in.groups()), func(g *inventory.Group) bool {
		return len(in.homes(g)) == 0 && in.provider(g.Name) == nil
	})
}

// drainsManaged reports whether ECS drains the instances of a group.
func (in *Input) drainsManaged(g *inventory.Group) bool {
	p := in.provider(g.Name)
	return p != nil && p.ManagedDraining
}

// providersKnown reports whether it is known which groups have a capacity provider.
func (in *Input) providersKnown() bool {
	return in.read("", "ecs:DescribeCapacityProviders", "ecs:DescribeClusters", "ecs:ListClusters")
}

// read reports whether nothing is missing of what operations show of something such as "cluster prod"; empty: of anything.
func (in *Input) read(of string, operations ...string) bool {
	return !slices.ContainsFunc(operations, func(operation string) bool { return in.Inventory.Missed(operation, of) })
}

func (in *Input) hooksKnown(g *inventory.Group) bool {
	return in.read("group "+g.Name, "autoscaling:DescribeLifecycleHooks")
}

// own are the terminating hooks of a group that are not ECS's.
func own(g *inventory.Group) []fleet.Hook {
	return slices.DeleteFunc(g.Terminating(), func(h fleet.Hook) bool { return h.Name == fleet.ManagedDrainingHook })
}

func names(hooks []fleet.Hook) string {
	var out []string
	for _, h := range hooks {
		out = append(out, h.Name)
	}
	return strings.Join(out, ", ")
}

// hosting are the groups on whose hosts tasks of a service run.
func (in *Input) hosting(c *inventory.Cluster, v *inventory.Service) []*inventory.Group {
	runs := map[fleet.ARN]bool{}
	for _, t := range c.Tasks {
		runs[t.ContainerInstance] = runs[t.ContainerInstance] || t.Service() == v.Name
	}
	on := map[fleet.InstanceID]bool{}
	for _, h := range c.Hosts {
		on[h.Instance] = runs[h.ARN]
	}
	return slices.DeleteFunc(slices.Clone(in.groups()), func(g *inventory.Group) bool {
		return !slices.ContainsFunc(g.Instances, func(i fleet.GroupInstance) bool { return on[i.ID] })
	})
}

// agentStop is the longest time that the agents on the hosts of a service give a container without a time of its own.
func (in *Input) agentStop(c *inventory.Cluster, v *inventory.Service) (longest time.Duration) {
	longest = inventory.DefaultStopTimeout
	for _, g := range in.hosting(c, v) {
		stop, _ := in.Inventory.AgentStop(g.Instances[0].ID)
		longest = max(longest, stop)
	}
	return longest
}

// needOf is the longest time that the tasks of a service on a group's hosts take to leave at most, and the service: ECS sends the stop signal
// when the deregistration delay is over.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/load-balancer-connection-draining.html
func (in *Input) needOf(g *inventory.Group) (longest time.Duration, service string) {
	homes := map[fleet.ARN]bool{}
	for _, h := range in.homes(g) {
		homes[h.host.ARN] = true
	}
	for _, c := range in.Inventory.Clusters {
		on := map[string]bool{}
		for _, t := range c.Tasks {
			on[t.Service()] = on[t.Service()] || homes[t.ContainerInstance]
		}
		for _, v := range c.Services {
			if !on[v.Name] {
				continue
			}
			d, _ := in.Inventory.Delay(v)
			if def := c.TaskDefinition(v.TaskDefinition); def != nil {
				agent, _ := in.Inventory.AgentStop(g.Instances[0].ID)
				stop, _, _ := def.StopTime(agent)
				d += stop
			}
			if d > longest {
				longest, service = d, v.Name
			}
		}
	}
	return longest, service
}

// onEC2 reports whether the tasks of a service run on container instances.
func onEC2(c *inventory.Cluster, v *inventory.Service) bool {
	if v.LaunchType != "" {
		return v.LaunchType == "EC2"
	}
	for _, item := range c.StrategyOf(v) {
		for _, p := range c.CapacityProviders {
			if p.Name == item.Provider && p.Group != "" {
				return true
			}
		}
	}
	return slices.ContainsFunc(c.Tasks, func(t *inventory.Task) bool { return t.Service() == v.Name && t.ContainerInstance != "" })
}

// replicas are the services of a cluster that keep a number of tasks.
func replicas(c *inventory.Cluster) []*inventory.Service {
	return slices.DeleteFunc(slices.Clone(c.Services), func(v *inventory.Service) bool { return v.Daemon || v.Desired == 0 })
}

// kept are those that ECS's own scheduler keeps, on container instances.
func kept(c *inventory.Cluster) []*inventory.Service {
	return slices.DeleteFunc(replicas(c), func(v *inventory.Service) bool {
		return v.Controller != "ECS" || v.Status != "ACTIVE" || !onEC2(c, v)
	})
}

func serviceIn(c *inventory.Cluster, v *inventory.Service) string {
	return "service " + v.Name + " in cluster " + c.Name
}

func span(d time.Duration) string { return inventory.Span(d) }
