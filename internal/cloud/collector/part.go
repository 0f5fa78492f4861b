package collector

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/ebbhq/ebb/internal/cloud"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
	"github.com/ebbhq/ebb/internal/plan"
)

// A cluster with more than this is read in part where only one target is asked about.
const (
	wholeHosts    = 100
	wholeTasks    = 500
	wholeServices = 50
)

// partCalls is how many requests one target may cost in a large cluster.
const partCalls = 60

// roomCalls are kept for hosts where replacements may find a place: two pages of them.
const roomCalls = 6

// large reports whether a cluster is read in part. AWS counts what is in it.
func large(c ecstypes.Cluster) bool {
	return c.RegisteredContainerInstancesCount > wholeHosts || c.RunningTasksCount+c.PendingTasksCount > wholeTasks ||
		c.ActiveServicesCount > wholeServices
}

// part reads of a large cluster what concerns one target: its tasks and their services; and where ECS is to move tasks of it, the other tasks
// of these services and other hosts, as far as the requests go.
func part(ctx context.Context, l *look, raw ecstypes.Cluster, scope Scope) *inventory.Cluster {
	c := &inventory.Cluster{
		Name: aws.ToString(raw.ClusterName), ARN: aws.ToString(raw.ClusterArn), DefaultStrategy: strategy(raw.DefaultCapacityProviderStrategy),
		Part: &inventory.Part{Hosts: int(raw.RegisteredContainerInstancesCount), Tasks: int(raw.RunningTasksCount + raw.PendingTasksCount),
			Services: int(raw.ActiveServicesCount)},
	}
	var others []string // pages of hosts
	together(
		func() { c.CapacityProviders = l.capacityProviders(ctx, c.Name, raw.CapacityProviders) },
		func() {
			c.Hosts = describeHosts(ctx, l, c.Name, registrations(ctx, l, c.Name, scope.Target))
			c.Tasks = describeTasks(ctx, l, c.Name, slices.Concat(parallel(c.Hosts, func(h *inventory.Host) []string {
				return listTasks(ctx, l, c.Name, &ecs.ListTasksInput{ContainerInstance: aws.String(string(h.ARN))})
			})...))
		},
	)
	if len(c.Hosts) == 0 {
		return c
	}
	names := map[string]bool{}
	for _, t := range c.Tasks {
		names[t.Service()] = true
	}
	delete(names, "")
	c.Services = describeServices(ctx, l, c.Name, slices.Sorted(maps.Keys(names)))
	together(func() { l.protection(ctx, c) }, func() { c.TaskDefinitions = l.definitions(ctx, c) })
	waiting := moving(c)
	if len(waiting) == 0 {
		return c
	}
	left := func() int { return partCalls - int(l.calls.Load()) - later(c) }
	for _, v := range waiting {
		if cost := 2*(1+(v.Running+v.Pending)/plan.MaxDescribeECS) + len(v.LoadBalancers); cost <= left()-roomCalls {
			in := &ecs.ListTasksInput{ServiceName: aws.String(v.Name)}
			c.Tasks = append(c.Tasks, without(describeTasks(ctx, l, c.Name, listTasks(ctx, l, c.Name, in)), c.Tasks)...)
			c.Part.Counted = append(c.Part.Counted, v.Name)
		}
	}
	in := &ecs.ListContainerInstancesInput{Cluster: aws.String(c.Name), Status: ecstypes.ContainerInstanceStatusActive}
	_ = cloud.Pages(func(token *string) (*string, error) { // what fails is noted
		if left() < 3 || scope.Enough != nil && scope.Enough(c) {
			return nil, nil
		}
		in.NextToken = token
		page := ask(ctx, l, "ecs:ListContainerInstances of cluster "+c.Name, l.ECS.ListContainerInstances, in)
		others = slices.DeleteFunc(page.ContainerInstanceArns, func(arn string) bool {
			return slices.ContainsFunc(c.Hosts, func(h *inventory.Host) bool { return string(h.ARN) == arn })
		})
		c.Hosts = append(c.Hosts, describeHosts(ctx, l, c.Name, others)...)
		return page.NextToken, nil
	})
	return c
}

// later is how many requests there will be at least when the clusters are read: EC2, the target groups, and the states of hosts.
func later(c *inventory.Cluster) int {
	f := found{clusters: []*inventory.Cluster{c}}
	groups := f.targetGroups()
	calls := 4 + (len(groups)+maxTargetGroups-1)/maxTargetGroups + len(groups) + len(c.Hosts)/maxEC2 + (len(c.Hosts)+plan.MaxGroupInstances)/plan.MaxGroupInstances
	for _, v := range c.Services {
		if slices.Contains(c.Part.Counted, v.Name) {
			calls += len(v.LoadBalancers)
		}
	}
	return calls
}

// registrations are the container instances of a cluster that a target is, or that it is a task on.
func registrations(ctx context.Context, l *look, cluster, target string) []string {
	if strings.HasPrefix(target, "i-") {
		return l.listHosts(ctx, cluster, []string{target})
	}
	for _, t := range describeTasks(ctx, l, cluster, []string{target}) {
		return []string{string(t.ContainerInstance)}
	}
	return []string{target}
}

// moving are the services whose tasks ECS is to move from hosts that are DRAINING, those with the fewest tasks first.
func moving(c *inventory.Cluster) (out []*inventory.Service) {
	for _, v := range c.Services {
		if !v.Daemon && slices.ContainsFunc(c.Tasks, func(t *inventory.Task) bool {
			return t.Service() == v.Name && t.DesiredStatus != fleet.Stopped && c.HostOf(t).Status == fleet.Draining
		}) {
			out = append(out, v)
		}
	}
	slices.SortStableFunc(out, func(a, b *inventory.Service) int { return a.Running + a.Pending - b.Running - b.Pending })
	return out
}

// without leaves out the tasks that are known already.
func without(tasks, known []*inventory.Task) []*inventory.Task {
	return slices.DeleteFunc(tasks, func(t *inventory.Task) bool {
		return slices.ContainsFunc(known, func(k *inventory.Task) bool { return k.ARN == t.ARN })
	})
}
