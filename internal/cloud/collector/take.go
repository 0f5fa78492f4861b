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
	ids, arns := unique(append(f.instances(), scope.Instance)), f.targetGroups() // only EC2 still knows an instance that has left
	together(
		func() { out.Instances = l.instances(ctx, ids) },
		func() { l.interfaces(ctx, f.clusters) },
		func() { out.TargetGroups = l.targetGroups(ctx, arns) },
		func() { out.Subnets = subnets(ctx, l, f.subnets()) },
		func() {
			if scope.Silent {
				return
			}
			out.Rules = l.rules(ctx, func(pattern string) bool { return scope.all() || concerns(pattern, f.groups) })
			out.Queues = l.queues(ctx, scope.Queues, queueARNs(f.groups, out.Rules))
		},
	)
	out.TargetGroups = append(out.TargetGroups, unnamed(ctx, l, &out)...)
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
	if scope.all() {
		together(
			func() { f.groups = l.groups(ctx, nil) },
			func() { f.clusters = l.clusters(ctx, l.listClusters(ctx)) },
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
	if len(scope.Clusters) > 0 {
		f.clusters = l.clusters(ctx, scope.Clusters)
	} else {
		f.clusters = l.clusters(ctx, l.clustersOf(ctx, append(f.instances(), scope.Instance)))
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
