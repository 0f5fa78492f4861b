package cloud

import (
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/ebbhq/ebb/internal/fleet"
)

// ReadContainerInstance reads a container instance of the cluster that was asked. The answer itself does not name the cluster.
func ReadContainerInstance(cluster string, ci ecstypes.ContainerInstance) fleet.ContainerInstance {
	out := fleet.ContainerInstance{
		ARN: fleet.ARN(aws.ToString(ci.ContainerInstanceArn)), Cluster: fleet.ARN(cluster).Name(),
		Instance: fleet.InstanceID(aws.ToString(ci.Ec2InstanceId)), Status: aws.ToString(ci.Status),
		Connected: ci.AgentConnected, Running: int(ci.RunningTasksCount), Pending: int(ci.PendingTasksCount),
	}
	for _, a := range ci.Attributes {
		if aws.ToString(a.Name) != fleet.WordAttribute {
			continue
		}
		w, err := fleet.ParseWord(aws.ToString(a.Value))
		if out.Word = w; err != nil {
			out.BadWord = err.Error()
		}
	}
	return out
}

// ReadTask reads a task.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Task.html
func ReadTask(t ecstypes.Task) fleet.Task {
	return fleet.Task{
		ARN: fleet.ARN(aws.ToString(t.TaskArn)), Cluster: fleet.ARN(aws.ToString(t.ClusterArn)).Name(),
		ContainerInstance: fleet.ARN(aws.ToString(t.ContainerInstanceArn)),
		Family:            fleet.ARN(aws.ToString(t.TaskDefinitionArn)).Name(), Group: aws.ToString(t.Group),
		LastStatus: aws.ToString(t.LastStatus), DesiredStatus: aws.ToString(t.DesiredStatus),
		StoppedReason: aws.ToString(t.StoppedReason), StopCode: string(t.StopCode), CapacityProvider: aws.ToString(t.CapacityProviderName),
		CreatedAt: aws.ToTime(t.CreatedAt), StoppingAt: aws.ToTime(t.StoppingAt), StoppedAt: aws.ToTime(t.StoppedAt),
		Addresses: addresses(t), Subnet: interfaceDetail(t.Attachments, "subnetId"), RehearsedUntil: rehearsedUntil(t.Tags),
	}
}

// rehearsedUntil reads the tag of an operator. What is no time is none.
func rehearsedUntil(tags []ecstypes.Tag) (until time.Time) {
	for _, t := range tags {
		if aws.ToString(t.Key) == fleet.RehearsalTag {
			until, _ = time.Parse(time.RFC3339, aws.ToString(t.Value))
		}
	}
	return until.UTC()
}

// addresses reads where the containers of a task listen. In bridge and host mode ECS reports each port binding, once for IPv4
// and once for IPv6. In awsvpc mode it reports the address of the network interface and no ports: ContainerPort is then 0.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Container.html
func addresses(t ecstypes.Task) []fleet.Address {
	var out []fleet.Address
	add := func(a fleet.Address) {
		if !slices.Contains(out, a) {
			out = append(out, a)
		}
	}
	own := interfaceDetail(t.Attachments, "privateIPv4Address")
	for _, c := range t.Containers {
		ips := []string{own} // empty: its ports are the host's
		for i, n := range c.NetworkInterfaces {
			both := []string{aws.ToString(n.PrivateIpv4Address), aws.ToString(n.Ipv6Address)} // only here AWS tells of IPv6
			if both = slices.DeleteFunc(both, func(ip string) bool { return ip == "" }); i == 0 && len(both) > 0 {
				ips = both
			}
		}
		name := aws.ToString(c.Name)
		for _, ip := range ips {
			for _, b := range c.NetworkBindings {
				a := fleet.Address{Container: name, ContainerPort: int(aws.ToInt32(b.ContainerPort)), HostPort: int(aws.ToInt32(b.HostPort)), IP: ip}
				if ip != "" {
					a.HostPort = 0
				}
				add(a)
			}
			if len(c.NetworkBindings) == 0 && ip != "" {
				add(fleet.Address{Container: name, IP: ip})
			}
		}
	}
	return out
}

// interfaceDetail is a detail of a task's own network interface, or empty.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Attachment.html
func interfaceDetail(attachments []ecstypes.Attachment, name string) string {
	for _, a := range attachments {
		if aws.ToString(a.Type) != "ElasticNetworkInterface" {
			continue
		}
		for _, d := range a.Details {
			if aws.ToString(d.Name) == name {
				return aws.ToString(d.Value)
			}
		}
	}
	return ""
}

// ReadService reads a service.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Service.html
func ReadService(v ecstypes.Service) fleet.Service {
	out := fleet.Service{
		Name: aws.ToString(v.ServiceName), Cluster: fleet.ARN(aws.ToString(v.ClusterArn)).Name(),
		Daemon:  v.SchedulingStrategy == ecstypes.SchedulingStrategyDaemon,
		Desired: int(v.DesiredCount), Running: int(v.RunningCount), Pending: int(v.PendingCount), Deploying: deploying(v), NoCapacity: noCapacity(v),
	}
	for _, t := range v.Tags {
		out.Excluded = out.Excluded || aws.ToString(t.Key) == fleet.ExcludeTag && aws.ToString(t.Value) == "true"
	}
	if d := v.DeploymentConfiguration; d != nil {
		out.MinPercent, out.MaxPercent = int(aws.ToInt32(d.MinimumHealthyPercent)), int(aws.ToInt32(d.MaximumPercent))
	}
	balancers, registries := v.LoadBalancers, v.ServiceRegistries
	for _, set := range v.TaskSets {
		balancers, registries = slices.Concat(balancers, set.LoadBalancers), slices.Concat(registries, set.ServiceRegistries)
	}
	for _, r := range registries {
		addARN(&out.Registries, r.RegistryArn)
	}
	for _, d := range v.Deployments {
		for _, c := range d.VpcLatticeConfigurations {
			addARN(&out.Lattice, c.TargetGroupArn)
			if c.AdvancedConfiguration != nil {
				addARN(&out.Lattice, c.AdvancedConfiguration.AlternateTargetGroupArn)
			}
		}
	}
	out.LoadBalancers = targetGroups(balancers)
	if slices.ContainsFunc(balancers, func(lb ecstypes.LoadBalancer) bool { return aws.ToString(lb.LoadBalancerName) != "" }) {
		out.OtherWays = append(out.OtherWays, "a Classic Load Balancer")
	}
	if slices.ContainsFunc(v.Deployments, func(d ecstypes.Deployment) bool {
		return d.ServiceConnectConfiguration != nil && d.ServiceConnectConfiguration.Enabled
	}) {
		out.OtherWays = append(out.OtherWays, "Service Connect")
	}
	return out
}

// addARN adds what AWS names, once.
func addARN(to *[]fleet.ARN, arn *string) {
	if a := fleet.ARN(aws.ToString(arn)); a != "" && !slices.Contains(*to, a) {
		*to = append(*to, a)
	}
}

// deploying reports whether a service moves from one revision to another. A deployment that is said to be completed may leave tasks of the
// one before for days. https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Deployment.html
func deploying(v ecstypes.Service) bool {
	return len(v.TaskSets) > 1 || len(v.Deployments) > 1 && slices.ContainsFunc(v.Deployments, func(d ecstypes.Deployment) bool {
		return d.RolloutState == ecstypes.DeploymentRolloutStateInProgress
	})
}

// noCapacity is when the events of a service, newest first, last said that Fargate had no place for a task.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-event-messages-list.html
func noCapacity(v ecstypes.Service) time.Time {
	for _, e := range v.Events {
		if strings.Contains(aws.ToString(e.Message), "Capacity is unavailable at this time") {
			return aws.ToTime(e.CreatedAt)
		}
	}
	return time.Time{}
}

// targetGroups reads in which target groups tasks are registered. A deployment of kind blue/green moves them between two: either may be the
// one in use. https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_AdvancedConfiguration.html
func targetGroups(balancers []ecstypes.LoadBalancer) []fleet.LoadBalancer {
	var all []fleet.LoadBalancer
	for _, lb := range balancers {
		groups := []*string{lb.TargetGroupArn}
		if lb.AdvancedConfiguration != nil {
			groups = append(groups, lb.AdvancedConfiguration.AlternateTargetGroupArn)
		}
		for i, group := range groups {
			one := fleet.LoadBalancer{
				TargetGroup: fleet.ARN(aws.ToString(group)), Container: aws.ToString(lb.ContainerName), ContainerPort: int(aws.ToInt32(lb.ContainerPort)),
			}
			if (i == 0 || one.TargetGroup != "") && !slices.Contains(all, one) {
				all = append(all, one)
			}
		}
	}
	return all
}
