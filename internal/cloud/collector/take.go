package collector

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	astypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/ebbhq/ebb/internal/cloud"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
	"github.com/ebbhq/ebb/internal/plan"
)

// Scope says what to read. All empty: every cluster and group of the account and Region that the caller may list.
type Scope struct {
	Clusters []string // names or ARNs; their groups are read too
	Groups   []string // names; the clusters of their instances are read too
	Instance string   // an EC2 instance id: its group and its cluster are read
	Queues   []string // URLs of queues that are of interest besides those that hooks and rules name
	Silent   bool     // leave out what carries messages: rules and queues

	// Target is an instance, container instance or task, by id or ARN, that alone is asked about: a large cluster is then read in part.
	Target string
	// Enough reports whether the hosts that were read of such a cluster have room for what has to leave the target. Nil: never.
	Enough func(*inventory.Cluster) bool
}

// all reports whether the scope is everything.
func (s Scope) all() bool { return len(s.Clusters) == 0 && len(s.Groups) == 0 && s.Instance == "" }

// Take looks at everything in the scope. A part that is refused, throttled for too long, or gone is named in Unread, and the rest
// still comes. The error says what to do when nothing at all can be read.
func (s *Collector) Take(ctx context.Context, scope Scope) (inventory.Inventory, error) {
	l := s.newLook()
	out := inventory.Inventory{At: s.Now(), Region: s.Region}
	who, err := cloud.Ask(ctx, l.try, s.STS.GetCallerIdentity, &sts.GetCallerIdentityInput{})
	if err != nil {
		return out, fmt.Errorf("ask STS whose credentials these are: %w; check that they are valid and that AWS can be reached", err)
	}
	out.Account = aws.ToString(who.Account)
	f := l.resolve(ctx, scope)
	out.Clusters, out.Groups, out.States = f.clusters, f.groups, f.states
	ids, arns := unique(append(f.asked(), scope.Instance)), f.targetGroups() // only EC2 still knows an instance that has left
	together(
		func() { out.Instances = l.instances(ctx, ids) },
		func() { l.interfaces(ctx, f.clusters) },
		func() { out.TargetGroups = l.targetGroups(ctx, arns, f.healthOf) },
		func() { out.Subnets = subnets(ctx, l, f.subnets()) },
		func() {
			if scope.Silent {
				return
			}
			out.Rules = l.rules(ctx, func(pattern string) bool { return scope.all() || concerns(pattern, f.groups) })
			out.Queues = l.queues(ctx, scope.Queues, queueARNs(f.groups, out.Rules))
		},
	)
	if f.inPart() == "" { // which target groups no service names, all services would have to say
		out.TargetGroups = append(out.TargetGroups, unnamed(ctx, l, &out)...)
	}
	slices.SortFunc(l.unread, func(a, b inventory.Unread) int {
		return cmp.Or(cmp.Compare(a.What, b.What), cmp.Compare(a.Error, b.Error))
	})
	out.Unread = slices.Compact(l.unread) // in an order that does not depend on which answer came first
	return out, nil
}

// found are the clusters and groups of a scope.
type found struct {
	clusters []*inventory.Cluster
	groups   []*inventory.Group
	states   map[fleet.InstanceID]fleet.LifecycleState // of hosts of other groups
}

func (l *look) resolve(ctx context.Context, scope Scope) (f found) {
	if scope.all() && scope.Target == "" {
		together(
			func() { f.groups = l.groups(ctx, nil) },
			func() { f.clusters = l.clusters(ctx, l.listClusters(ctx), scope) },
		)
		return f
	}
	names := scope.Groups
	if scope.Instance != "" {
		names = append(slices.Clone(names), l.groupsOf(ctx, []string{scope.Instance})...)
	}
	if len(names) > 0 {
		f.groups = l.groups(ctx, names)
	}
	switch {
	case len(scope.Clusters) > 0:
		f.clusters = l.clusters(ctx, scope.Clusters, scope)
	case scope.all():
		if f.clusters = l.clusters(ctx, l.listClusters(ctx), scope); f.inPart() == "" {
			f.groups = l.groups(ctx, nil)
			return f
		}
	default:
		ids := f.instances()
		if scope.Target != "" && len(ids) > wholeHosts {
			ids = nil // the clusters of the target itself will do
		}
		f.clusters = l.clusters(ctx, l.clustersOf(ctx, append(ids, scope.Instance)), scope)
	}
	if id := f.inPart(); id != "" && scope.Instance == "" {
		scope.Instance = id
		f.groups = l.groups(ctx, l.groupsOf(ctx, []string{id}))
	}
	if scope.Instance != "" {
		f.states = statesOf(ctx, l, f)
	}
	if len(names) == 0 && scope.Instance == "" {
		if names = l.groupsBehind(ctx, f.clusters); len(names) > 0 {
			f.groups = l.groups(ctx, names)
		}
	}
	return f
}

// groupsBehind are the groups of the hosts and capacity providers of clusters.
func (l *look) groupsBehind(ctx context.Context, clusters []*inventory.Cluster) []string {
	names := l.groupsOf(ctx, found{clusters: clusters}.instances())
	for _, c := range clusters {
		for _, p := range c.CapacityProviders {
			names = append(names, p.Group)
		}
	}
	return unique(names)
}

// groupsOf are the groups of instances.
func (l *look) groupsOf(ctx context.Context, ids []string) []string {
	return unique(cloud.Convert(l.members(ctx, ids), func(i astypes.AutoScalingInstanceDetails) string { return aws.ToString(i.AutoScalingGroupName) }))
}

// members are instances as their groups see them.
func (l *look) members(ctx context.Context, ids []string) []astypes.AutoScalingInstanceDetails {
	return inChunks(ids, plan.MaxGroupInstances, func(chunk []string) []astypes.AutoScalingInstanceDetails {
		return read(l, "autoscaling:DescribeAutoScalingInstances", func() ([]astypes.AutoScalingInstanceDetails, error) {
			return cloud.DescribeGroupInstances(ctx, l.try, l.AutoScaling, chunk)
		})
	})
}

// statesOf are the states of the hosts that are in none of the groups that were read: whether they stay matters to what leaves.
func statesOf(ctx context.Context, l *look, f found) map[fleet.InstanceID]fleet.LifecycleState {
	known := found{groups: f.groups}.instances()
	others := slices.DeleteFunc(found{clusters: f.clusters}.instances(), func(id string) bool { return slices.Contains(known, id) })
	states := map[fleet.InstanceID]fleet.LifecycleState{}
	for _, i := range l.members(ctx, others) {
		states[fleet.InstanceID(aws.ToString(i.InstanceId))] = fleet.LifecycleState(aws.ToString(i.LifecycleState))
	}
	return states
}

// instances are the EC2 instances of the groups and hosts. The hosts outside EC2 have ids with mi-.
func (f found) instances() []string {
	var ids []string
	for _, g := range f.groups {
		for _, i := range g.Instances {
			ids = append(ids, string(i.ID))
		}
	}
	for _, c := range f.clusters {
		for _, h := range c.Hosts {
			ids = append(ids, string(h.Instance))
		}
	}
	return slices.DeleteFunc(unique(ids), func(id string) bool { return len(id) < 2 || id[:2] != "i-" })
}

// inPart is the host of a target in a cluster that was read in part; empty: there is none.
func (f found) inPart() string {
	for _, c := range f.clusters {
		if c.Part != nil && len(c.Hosts) > 0 { // the target's own come first
			return string(c.Hosts[0].Instance)
		}
	}
	return ""
}

// asked are the instances that EC2 is asked about: where a cluster was read in part, its hosts only.
func (f found) asked() []string {
	if f.inPart() != "" {
		return found{clusters: f.clusters}.instances()
	}
	return f.instances()
}

// healthOf reports whether the health of a target group's targets is of interest: not where the tasks of its services were not read.
func (f found) healthOf(arn string) bool {
	return !slices.ContainsFunc(f.clusters, func(c *inventory.Cluster) bool {
		return c.Part != nil && !slices.ContainsFunc(c.Services, func(v *inventory.Service) bool {
			return slices.Contains(c.Part.Counted, v.Name) &&
				slices.ContainsFunc(v.LoadBalancers, func(lb fleet.LoadBalancer) bool { return string(lb.TargetGroup) == arn })
		})
	})
}

// subnets are those in which tasks have network interfaces.
func (f found) subnets() []string {
	var ids []string
	for _, c := range f.clusters {
		for _, t := range c.Tasks {
			ids = append(ids, t.Subnet)
		}
	}
	return unique(ids)
}

// targetGroups are those of the services and of the groups themselves.
func (f found) targetGroups() []string {
	var arns []string
	for _, c := range f.clusters {
		for _, v := range c.Services {
			for _, lb := range v.LoadBalancers {
				arns = append(arns, string(lb.TargetGroup))
			}
		}
	}
	for _, g := range f.groups {
		arns = append(arns, cloud.Texts[string](g.TargetGroups)...)
	}
	return unique(arns)
}

// queueARNs are the queues that hooks and rules send to.
func queueARNs(groups []*inventory.Group, rules []inventory.Rule) []string {
	var arns []string
	for _, g := range groups {
		for _, h := range g.Hooks {
			arns = append(arns, string(h.Target))
		}
	}
	for _, r := range rules {
		arns = append(arns, r.Targets...)
	}
	return slices.DeleteFunc(unique(arns), func(arn string) bool { return service(fleet.ARN(arn)) != "sqs" })
}
