package collector

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/ebbhq/ebb/internal/cloud"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
	"github.com/ebbhq/ebb/internal/plan"
)

// listClusters lists the ARNs of every cluster of the account and Region.
func (l *look) listClusters(ctx context.Context) []string {
	return read(l, "ecs:ListClusters", func() ([]string, error) { return cloud.ListClusters(ctx, l.try, l.ECS) })
}

// clustersOf are the clusters in which instances are registered: each cluster is asked.
func (l *look) clustersOf(ctx context.Context, ids []string) []string {
	ids = unique(ids)
	if len(ids) == 0 {
		return nil
	}
	return slices.Concat(parallel(l.listClusters(ctx), func(cluster string) []string {
		for chunk := range slices.Chunk(ids, plan.FindContainerInstances.Spec().Batch) {
			if len(l.listHosts(ctx, fleet.ARN(cluster).Name(), chunk)) > 0 {
				return []string{cluster}
			}
		}
		return nil
	})...)
}

// listHosts lists the container instances of a cluster that are not INACTIVE: all, or those on some EC2 instances.
func (l *look) listHosts(ctx context.Context, cluster string, on []string) []string {
	return read(l, "ecs:ListContainerInstances of cluster "+cluster, func() ([]string, error) {
		return cloud.ListContainerInstances(ctx, l.try, l.ECS, cluster, on)
	})
}

// clusters reads clusters by name or ARN. One that does not exist or was deleted is unread.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeClusters.html
func (l *look) clusters(ctx context.Context, ids []string, scope Scope) []*inventory.Cluster {
	raw := inChunks(unique(ids), plan.MaxDescribeECS, func(chunk []string) []ecstypes.Cluster {
		out := ask(ctx, l, "ecs:DescribeClusters", l.ECS.DescribeClusters, &ecs.DescribeClustersInput{Clusters: chunk})
		for _, f := range out.Failures {
			note := l.missed
			if aws.ToString(f.Reason) == "MISSING" {
				note = l.absent
			}
			note("ecs:DescribeClusters of cluster "+fleet.ARN(aws.ToString(f.Arn)).Name(), aws.ToString(f.Reason))
		}
		return out.Clusters
	})
	raw = slices.DeleteFunc(raw, func(c ecstypes.Cluster) bool { return aws.ToString(c.Status) == fleet.Inactive })
	if scope.Target != "" && slices.ContainsFunc(raw, large) { // one after the other, so that what is read does not depend on chance
		return cloud.Convert(raw, func(c ecstypes.Cluster) *inventory.Cluster {
			if large(c) {
				return part(ctx, l, c, scope)
			}
			return l.cluster(ctx, c)
		})
	}
	return parallel(raw, func(c ecstypes.Cluster) *inventory.Cluster { return l.cluster(ctx, c) })
}

func (l *look) cluster(ctx context.Context, raw ecstypes.Cluster) *inventory.Cluster {
	c := &inventory.Cluster{
		Name: aws.ToString(raw.ClusterName), ARN: aws.ToString(raw.ClusterArn), DefaultStrategy: strategy(raw.DefaultCapacityProviderStrategy),
	}
	together(
		func() { c.CapacityProviders = l.capacityProviders(ctx, c.Name, raw.CapacityProviders) },
		func() { c.Hosts = l.hosts(ctx, c.Name) },
		func() { c.Tasks = l.tasks(ctx, c.Name) },
		func() { c.Services = l.services(ctx, c.Name) },
	)
	l.protection(ctx, c)
	c.TaskDefinitions = l.definitions(ctx, c)
	return c
}

func strategy(items []ecstypes.CapacityProviderStrategyItem) []inventory.StrategyItem {
	return cloud.Convert(items, func(i ecstypes.CapacityProviderStrategyItem) inventory.StrategyItem {
		return inventory.StrategyItem{Provider: aws.ToString(i.CapacityProvider), Base: int(i.Base), Weight: int(i.Weight)}
	})
}

// capacityProviders describes the named providers. Without names AWS would answer with all.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeCapacityProviders.html
func (l *look) capacityProviders(ctx context.Context, cluster string, names []string) []inventory.CapacityProvider {
	what := "ecs:DescribeCapacityProviders of cluster " + cluster
	return inChunks(names, plan.MaxDescribeECS, func(chunk []string) []inventory.CapacityProvider {
		in := &ecs.DescribeCapacityProvidersInput{CapacityProviders: chunk}
		return list(ctx, l, what, l.ECS.DescribeCapacityProviders, in, &in.NextToken,
			func(out *ecs.DescribeCapacityProvidersOutput) ([]inventory.CapacityProvider, *string) {
				l.failures(what, out.Failures)
				return cloud.Convert(out.CapacityProviders, capacityProvider), out.NextToken
			})
	})
}

func capacityProvider(p ecstypes.CapacityProvider) inventory.CapacityProvider {
	out := inventory.CapacityProvider{Name: aws.ToString(p.Name), Status: string(p.Status)}
	g := p.AutoScalingGroupProvider
	if g == nil {
		return out
	}
	out.Group = aws.ToString(g.AutoScalingGroupArn) // an ARN or a name, and a name may have slashes
	if _, name, ok := strings.Cut(out.Group, ":autoScalingGroupName/"); ok {
		out.Group = name
	}
	out.ManagedScaling = g.ManagedScaling != nil && g.ManagedScaling.Status == ecstypes.ManagedScalingStatusEnabled
	out.TerminationProtection = g.ManagedTerminationProtection == ecstypes.ManagedTerminationProtectionEnabled
	out.ManagedDraining = g.ManagedDraining == ecstypes.ManagedDrainingEnabled
	return out
}

// failures notes the items that an answer with HTTP 200 could not speak of. MISSING is an answer: the item has gone.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/api_failures_messages.html
func (l *look) failures(what string, failures []ecstypes.Failure) {
	for _, f := range failures {
		if aws.ToString(f.Reason) != "MISSING" {
			l.note(what, errors.New(aws.ToString(f.Arn)+": "+aws.ToString(f.Reason)+" "+aws.ToString(f.Detail)))
		}
	}
}

// hosts reads the container instances of a cluster.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeContainerInstances.html
func (l *look) hosts(ctx context.Context, cluster string) []*inventory.Host {
	return describeHosts(ctx, l, cluster, l.listHosts(ctx, cluster, nil))
}

func describeHosts(ctx context.Context, l *look, cluster string, arns []string) []*inventory.Host {
	what := "ecs:DescribeContainerInstances of cluster " + cluster
	return inChunks(arns, plan.MaxDescribeECS, func(chunk []string) []*inventory.Host {
		in := &ecs.DescribeContainerInstancesInput{Cluster: aws.String(cluster), ContainerInstances: chunk}
		out := ask(ctx, l, what, l.ECS.DescribeContainerInstances, in)
		l.failures(what, out.Failures)
		return cloud.Convert(out.ContainerInstances, func(ci ecstypes.ContainerInstance) *inventory.Host { return host(cluster, ci) })
	})
}

// host reads a container instance. The attributes are those that the agent sets and the user's own.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-placement-constraints.html
func host(cluster string, ci ecstypes.ContainerInstance) *inventory.Host {
	h := &inventory.Host{
		ContainerInstance: cloud.ReadContainerInstance(cluster, ci), CapacityProvider: aws.ToString(ci.CapacityProviderName),
		RegisteredAt: aws.ToTime(ci.RegisteredAt), Attributes: map[string]string{},
	}
	if ci.VersionInfo != nil {
		h.AgentVersion = aws.ToString(ci.VersionInfo.AgentVersion)
	}
	for _, a := range ci.Attributes {
		h.Attributes[aws.ToString(a.Name)] = aws.ToString(a.Value)
	}
	h.Type = h.Attributes["ecs.instance-type"]
	_, h.Trunk = h.Attributes["ecs.awsvpc-trunk-id"]
	registered := resources(ci.RegisteredResources)
	h.CPU, h.Memory, h.GPU = registered.CPU, registered.Memory, registered.GPU
	h.Free = resources(ci.RemainingResources)
	return h
}

// services reads the services of a cluster, those that are being deleted included.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListServices.html
func (l *look) services(ctx context.Context, cluster string) []*inventory.Service {
	in := &ecs.ListServicesInput{Cluster: aws.String(cluster), MaxResults: aws.Int32(plan.MaxDescribeECS)}
	arns := list(ctx, l, "ecs:ListServices of cluster "+cluster, l.ECS.ListServices, in, &in.NextToken,
		func(out *ecs.ListServicesOutput) ([]string, *string) { return out.ServiceArns, out.NextToken })
	return describeServices(ctx, l, cluster, arns)
}

func describeServices(ctx context.Context, l *look, cluster string, arns []string) []*inventory.Service {
	what := "ecs:DescribeServices of cluster " + cluster
	return inChunks(arns, plan.MaxDescribeServices, func(chunk []string) []*inventory.Service {
		in := &ecs.DescribeServicesInput{Cluster: aws.String(cluster), Services: chunk}
		out := ask(ctx, l, what, l.ECS.DescribeServices, in)
		l.failures(what, out.Failures)
		active := slices.DeleteFunc(out.Services, func(v ecstypes.Service) bool { return aws.ToString(v.Status) == fleet.Inactive })
		return cloud.Convert(active, readService)
	})
}

func readService(v ecstypes.Service) *inventory.Service {
	out := &inventory.Service{
		Service: cloud.ReadService(v), ARN: aws.ToString(v.ServiceArn), Status: aws.ToString(v.Status), LaunchType: string(v.LaunchType),
		Strategy: strategy(v.CapacityProviderStrategy), Controller: string(ecstypes.DeploymentControllerTypeEcs),
		TaskDefinition:   fleet.ARN(aws.ToString(v.TaskDefinition)).Name(),
		HealthCheckGrace: cloud.Seconds(v.HealthCheckGracePeriodSeconds), Deployments: cloud.Convert(v.Deployments, deployment),
	}
	for _, set := range v.TaskSets { // of an external controller
		if aws.ToString(set.Status) == "PRIMARY" && out.TaskDefinition == "" {
			out.TaskDefinition = fleet.ARN(aws.ToString(set.TaskDefinition)).Name()
		}
	}
	if v.DeploymentController != nil && v.DeploymentController.Type != "" {
		out.Controller = string(v.DeploymentController.Type)
	}
	out.Constraints = cloud.Convert(v.PlacementConstraints, func(c ecstypes.PlacementConstraint) inventory.Constraint {
		return inventory.Constraint{Type: string(c.Type), Expression: aws.ToString(c.Expression)}
	})
	out.Events = cloud.Convert(v.Events, func(e ecstypes.ServiceEvent) inventory.Event {
		return inventory.Event{At: aws.ToTime(e.CreatedAt), Text: aws.ToString(e.Message)}
	})
	return out
}

func deployment(d ecstypes.Deployment) inventory.Deployment {
	return inventory.Deployment{
		ID: aws.ToString(d.Id), Status: aws.ToString(d.Status), TaskDefinition: fleet.ARN(aws.ToString(d.TaskDefinition)).Name(),
		Rollout: string(d.RolloutState), RolloutReason: aws.ToString(d.RolloutStateReason),
		Desired: int(d.DesiredCount), Running: int(d.RunningCount), Pending: int(d.PendingCount), Failed: int(d.FailedTasks),
		CreatedAt: aws.ToTime(d.CreatedAt),
	}
}

// tasks reads the tasks of a cluster of which anything may still run. RUNNING is listed before STOPPED, so that a task whose desired
// status falls between the two requests is listed twice and not left out.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListTasks.html
func (l *look) tasks(ctx context.Context, cluster string) []*inventory.Task {
	return describeTasks(ctx, l, cluster, listTasks(ctx, l, cluster, &ecs.ListTasksInput{}))
}

func listTasks(ctx context.Context, l *look, cluster string, in *ecs.ListTasksInput) (arns []string) {
	for _, desired := range []ecstypes.DesiredStatus{ecstypes.DesiredStatusRunning, ecstypes.DesiredStatusStopped} {
		arns = append(arns, read(l, "ecs:ListTasks of cluster "+cluster, func() ([]string, error) {
			one := *in
			one.Cluster, one.DesiredStatus = aws.String(cluster), desired
			return cloud.ListTasks(ctx, l.try, l.ECS, &one)
		})...)
	}
	return arns
}

func describeTasks(ctx context.Context, l *look, cluster string, arns []string) []*inventory.Task {
	what := "ecs:DescribeTasks of cluster " + cluster
	return inChunks(unique(arns), plan.MaxDescribeECS, func(chunk []string) []*inventory.Task {
		out := ask(ctx, l, what, l.ECS.DescribeTasks, &ecs.DescribeTasksInput{Cluster: aws.String(cluster), Tasks: chunk})
		l.failures(what, out.Failures)
		return slices.DeleteFunc(cloud.Convert(out.Tasks, readTask), func(t *inventory.Task) bool { return !t.Live() })
	})
}

func readTask(t ecstypes.Task) *inventory.Task {
	out := &inventory.Task{
		Task: cloud.ReadTask(t), LaunchType: string(t.LaunchType), StartedBy: aws.ToString(t.StartedBy), StartedAt: aws.ToTime(t.StartedAt),
		PullStartedAt: aws.ToTime(t.PullStartedAt), HealthStatus: string(t.HealthStatus), CPU: number(t.Cpu), Memory: number(t.Memory),
	}
	for _, c := range t.Containers {
		out.GPU += len(c.GpuIds)
	}
	return out
}

// maxProtection is how many tasks one GetTaskProtection names.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_GetTaskProtection.html
const maxProtection = 100

// protection asks which tasks of replica services are protected. Only a task of a service can be, and a daemon's never is.
func (l *look) protection(ctx context.Context, c *inventory.Cluster) {
	tasks := map[string]*inventory.Task{}
	for _, t := range c.Tasks {
		if v := c.Service(t.Service()); v != nil && !v.Daemon && t.LastStatus == "RUNNING" {
			tasks[string(t.ARN)] = t
		}
	}
	what := "ecs:GetTaskProtection of cluster " + c.Name
	protected := inChunks(slices.Sorted(maps.Keys(tasks)), maxProtection, func(chunk []string) []ecstypes.ProtectedTask {
		out := ask(ctx, l, what, l.ECS.GetTaskProtection, &ecs.GetTaskProtectionInput{Cluster: aws.String(c.Name), Tasks: chunk})
		// A task that has just stopped is not valid any more.
		l.failures(what, slices.DeleteFunc(out.Failures, func(f ecstypes.Failure) bool { return aws.ToString(f.Reason) == "TASK_NOT_VALID" }))
		return out.ProtectedTasks
	})
	for _, p := range protected {
		if t := tasks[aws.ToString(p.TaskArn)]; t != nil {
			t.Protected, t.ProtectedUntil = p.ProtectionEnabled, aws.ToTime(p.ExpirationDate)
		}
	}
}

// definitions reads the task definitions of the services and tasks of a cluster. One that was deleted can still run.
func (l *look) definitions(ctx context.Context, c *inventory.Cluster) []*inventory.TaskDefinition {
	var names []string
	for _, v := range c.Services {
		names = append(names, v.TaskDefinition)
		for _, d := range v.Deployments {
			names = append(names, d.TaskDefinition)
		}
	}
	for _, t := range c.Tasks {
		names = append(names, t.Family)
	}
	found := parallel(unique(names), func(name string) *inventory.TaskDefinition {
		in := &ecs.DescribeTaskDefinitionInput{TaskDefinition: aws.String(name)}
		out := ask(ctx, l, "ecs:DescribeTaskDefinition of task definition "+name, l.ECS.DescribeTaskDefinition, in)
		return definition(name, out.TaskDefinition)
	})
	return slices.DeleteFunc(found, func(d *inventory.TaskDefinition) bool { return d == nil })
}

// definition reads a task definition; nil for nil. What the task itself does not reserve, its containers do; of memory and
// memoryReservation the scheduler counts the reservation.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html
func definition(name string, in *ecstypes.TaskDefinition) *inventory.TaskDefinition {
	if in == nil {
		return nil
	}
	d := &inventory.TaskDefinition{Name: name, Network: string(cmp.Or(in.NetworkMode, ecstypes.NetworkModeBridge))} // the default on Linux
	cpu, memory := 0, 0
	for _, c := range in.ContainerDefinitions {
		cpu += int(c.Cpu)
		memory += int(aws.ToInt32(cmp.Or(c.MemoryReservation, c.Memory)))
		for _, r := range c.ResourceRequirements {
			if r.Type == ecstypes.ResourceTypeGpu {
				d.GPU += number(r.Value)
			}
		}
		d.HostPorts = append(d.HostPorts, hostPorts(d.Network, c.PortMappings)...)
		d.Containers = append(d.Containers, inventory.Container{
			Name: aws.ToString(c.Name), StopTimeout: cloud.Seconds(c.StopTimeout), HealthCheck: c.HealthCheck != nil,
			DependsOn: cloud.Convert(c.DependsOn, func(on ecstypes.ContainerDependency) string { return aws.ToString(on.ContainerName) }),
		})
	}
	d.CPU, d.Memory = cmp.Or(number(in.Cpu), cpu), cmp.Or(number(in.Memory), memory)
	d.Constraints = cloud.Convert(in.PlacementConstraints, func(c ecstypes.TaskDefinitionPlacementConstraint) inventory.Constraint {
		return inventory.Constraint{Type: string(c.Type), Expression: aws.ToString(c.Expression)}
	})
	for _, a := range in.RequiresAttributes {
		need := aws.ToString(a.Name)
		if a.Value != nil {
			need += "=" + *a.Value
		}
		d.Requires = append(d.Requires, need)
	}
	return d
}

// hostPorts are the ports of the host that a container takes whatever its host: in host mode the container's own, in bridge mode those
// that are named. In awsvpc mode a task has an address of its own.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_PortMapping.html
func hostPorts(network string, in []ecstypes.PortMapping) (out []inventory.Port) {
	for _, p := range in {
		port := int(aws.ToInt32(p.HostPort))
		if network == string(ecstypes.NetworkModeHost) && port == 0 {
			port = int(aws.ToInt32(p.ContainerPort))
		}
		if port != 0 && network != string(ecstypes.NetworkModeAwsvpc) {
			out = append(out, inventory.Port{Number: port, UDP: p.Protocol == ecstypes.TransportProtocolUdp})
		}
	}
	return out
}

// resources reads the resources of a container instance. PORTS are those in use, also among the remaining resources; GPU lists
// device ids.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Resource.html
func resources(in []ecstypes.Resource) (out inventory.Resources) {
	for _, r := range in {
		switch aws.ToString(r.Name) {
		case "CPU":
			out.CPU = int(r.IntegerValue)
		case "MEMORY":
			out.Memory = int(r.IntegerValue)
		case "GPU":
			out.GPU = max(int(r.IntegerValue), len(r.StringSetValue))
		case "PORTS":
			out.Ports = numbers(r.StringSetValue)
		case "PORTS_UDP":
			out.UDP = numbers(r.StringSetValue)
		}
	}
	return out
}

func numbers(in []string) (out []int) {
	for _, s := range in {
		if n, err := strconv.Atoi(s); err == nil {
			out = append(out, n)
		}
	}
	return out
}

// number reads CPU units or MiB as a task or its definition spell them; what is absent or no number is 0.
func number(s *string) int {
	n, _ := strconv.Atoi(aws.ToString(s))
	return n
}
