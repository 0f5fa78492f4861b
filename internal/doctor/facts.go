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

// hook is the name of the hook that Ebb answers.
func (in *Input) hook() string {
	if in.Ebb == nil || in.Ebb.Hook == "" {
		return defaultHook
	}
	return in.Ebb.Hook
}

// managed are Ebb's settings for a group, if its configuration includes the group.
func (in *Input) managed(group string) (Managed, bool) {
	if in.Ebb == nil {
		return Managed{}, false
	}
	return fleet.FirstMatch(in.Ebb.Groups, group, func(m Managed) string { return m.Match })
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
	for i := range in.Inventory.Clusters {
		c := &in.Inventory.Clusters[i]
		if h := c.Host(id); h != nil {
			return home{c, h}, true
		}
	}
	return home{}, false
}

// homes are the hosts of a group.
func (in *Input) homes(g *inventory.Group) (out []home) {
	for _, i := range g.Instances {
		if h, ok := in.home(i.ID); ok {
			out = append(out, h)
		}
	}
	return out
}

// provider is the capacity provider of a group, or nil.
func (in *Input) provider(group string) *inventory.CapacityProvider {
	for i := range in.Inventory.Clusters {
		ps := in.Inventory.Clusters[i].CapacityProviders
		for j := range ps {
			if ps[j].Group == group {
				return &ps[j]
			}
		}
	}
	return nil
}

// ecsGroups are the groups whose instances are container instances, or that a capacity provider uses.
func (in *Input) ecsGroups() (out []*inventory.Group) {
	for i := range in.Inventory.Groups {
		if g := &in.Inventory.Groups[i]; len(in.homes(g)) > 0 || in.provider(g.Name) != nil {
			out = append(out, g)
		}
	}
	return out
}

// drainsManaged reports whether ECS drains the instances of a group.
func (in *Input) drainsManaged(g *inventory.Group) bool {
	p := in.provider(g.Name)
	return p != nil && p.ManagedDraining
}

// providersKnown reports whether it is known which groups have a capacity provider.
func (in *Input) providersKnown() bool {
	s := in.Inventory
	return !s.Missed("ecs:DescribeCapacityProviders", "") && !s.Missed("ecs:DescribeClusters", "") && !s.Missed("ecs:ListClusters", "")
}

func (in *Input) hooksKnown(g *inventory.Group) bool {
	return !in.Inventory.Missed("autoscaling:DescribeLifecycleHooks", "group "+g.Name)
}

// terminating are the terminating hooks of a group.
func terminating(g *inventory.Group) (out []fleet.Hook) {
	for _, h := range g.Hooks {
		if h.Transition == fleet.TerminatingTransit {
			out = append(out, h)
		}
	}
	return out
}

// own are the terminating hooks of a group that are not ECS's.
func own(g *inventory.Group) []fleet.Hook {
	return slices.DeleteFunc(terminating(g), func(h fleet.Hook) bool { return h.Name == fleet.ManagedDrainingHook })
}

func names(hooks []fleet.Hook) string {
	var out []string
	for _, h := range hooks {
		out = append(out, h.Name)
	}
	return strings.Join(out, ", ")
}

// tasksOn are the tasks on a host.
func (h home) tasks() (out []*inventory.Task) {
	for i := range h.cluster.Tasks {
		if t := &h.cluster.Tasks[i]; t.ContainerInstance == h.host.ARN {
			out = append(out, t)
		}
	}
	return out
}

// stop is the longest stop timeout of the containers of a task definition.
func stop(d *inventory.TaskDefinition) time.Duration {
	longest := time.Duration(0)
	for _, c := range d.Containers {
		longest = max(longest, cmp.Or(c.StopTimeout, inventory.DefaultStopTimeout))
	}
	return longest
}

// delay is the longest deregistration delay of a service, and the target group that has it.
func (in *Input) delay(v *inventory.Service) (longest time.Duration, of *inventory.TargetGroup) {
	for _, lb := range v.LoadBalancers {
		if g := in.Inventory.TargetGroup(lb.TargetGroup); g != nil && g.DelayKnown && (of == nil || g.Delay > longest) {
			longest, of = g.Delay, g
		}
	}
	return longest, of
}

// need is how long the tasks of a service take to leave at most: ECS sends the stop signal when the deregistration delay is over.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/load-balancer-connection-draining.html
func (in *Input) need(c *inventory.Cluster, v *inventory.Service) time.Duration {
	d, _ := in.delay(v)
	if def := c.TaskDefinition(v.TaskDefinition); def != nil {
		d += stop(def)
	}
	return d
}

// needOf is the longest need of the services with tasks on a group's hosts, and the service.
func (in *Input) needOf(g *inventory.Group) (longest time.Duration, service string) {
	for _, h := range in.homes(g) {
		for _, t := range h.tasks() {
			v := h.cluster.Service(t.Service())
			if v == nil {
				continue
			}
			if d := in.need(h.cluster, v); d > longest {
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
	for _, item := range strategy(c, v) {
		for _, p := range c.CapacityProviders {
			if p.Name == item.Provider && p.Group != "" {
				return true
			}
		}
	}
	return slices.ContainsFunc(c.Tasks, func(t inventory.Task) bool { return t.Service() == v.Name && t.ContainerInstance != "" })
}

// strategy is the capacity provider strategy that a service follows.
func strategy(c *inventory.Cluster, v *inventory.Service) []inventory.StrategyItem {
	if v.LaunchType == "" && len(v.Strategy) == 0 {
		return c.DefaultStrategy
	}
	return v.Strategy
}

// eachService calls f for every service that ECS's own scheduler keeps at a desired count on container instances. For CODE_DEPLOY and
// EXTERNAL ECS takes 100 and 200 percent whatever is set.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeploymentConfiguration.html
func (in *Input) eachService(f func(*inventory.Cluster, *inventory.Service)) {
	for i := range in.Inventory.Clusters {
		c := &in.Inventory.Clusters[i]
		for j := range c.Services {
			if v := &c.Services[j]; !v.Daemon && v.Desired > 0 && v.Controller == "ECS" && v.Status == "ACTIVE" && onEC2(c, v) {
				f(c, v)
			}
		}
	}
}

func serviceIn(c *inventory.Cluster, v *inventory.Service) string {
	return "service " + v.Name + " in cluster " + c.Name
}

func span(d time.Duration) string { return inventory.Span(d) }
