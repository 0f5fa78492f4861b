package ecs

import (
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// What AWS says of the platform of tasks on Fargate: the latest one.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/platform-fargate.html
const (
	platformVersion = "1.4.0"
	platformFamily  = "Linux"
)

// onPlatform is what a task shows only on Fargate.
func (s api) onPlatform(t Task, out *types.Task) {
	if t.LaunchType != onDemand {
		return
	}
	out.PlatformVersion, out.PlatformFamily = new(platformVersion), new(platformFamily)
	out.EphemeralStorage = &types.EphemeralStorage{SizeInGiB: 20}
}

// eni is the network interface of a task in awsvpc mode. On Fargate it is made while the task is PROVISIONING.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_task_events.html
func (s api) eni(t Task) types.Attachment {
	id := core.LastPart(t.ARN)
	out := types.Attachment{Id: new(attachmentID(t)), Type: new("ElasticNetworkInterface"), Status: new("ATTACHED")}
	out.Details = []types.KeyValuePair{{Name: new("subnetId"), Value: &t.Subnet}}
	switch {
	case t.LaunchType == onDemand && t.LastStatus == "PROVISIONING":
		out.Status = new("PRECREATED")
		return out
	case t.LaunchType == onDemand && t.LastStatus == "STOPPED":
		out.Status = new("DELETED")
	}
	for _, detail := range [][2]string{
		{"networkInterfaceId", "eni-0" + id[:min(16, len(id))]}, {"macAddress", macAddress(id)},
		{"privateDnsName", "ip-" + strings.ReplaceAll(t.IP, ".", "-") + "." + s.Region + ".compute.internal"}, {"privateIPv4Address", t.IP},
	} {
		out.Details = append(out.Details, types.KeyValuePair{Name: &detail[0], Value: &detail[1]})
	}
	return out
}

// attachmentID is the id of a task as a UUID.
func attachmentID(t Task) string {
	id := core.LastPart(t.ARN)
	if len(id) != 32 {
		return id
	}
	return id[:8] + "-" + id[8:12] + "-" + id[12:16] + "-" + id[16:20] + "-" + id[20:]
}

func macAddress(id string) string {
	mac := []string{"0a"}
	for i := 0; i+2 <= min(10, len(id)); i += 2 {
		mac = append(mac, id[i:i+2])
	}
	return strings.Join(mac, ":")
}

// network is the network configuration of what runs on Fargate; nil elsewhere, where tasks are in the subnets of their instances.
func (s api) network(v Service) *types.NetworkConfiguration {
	if !usesFargate(v.Providers, v.LaunchType) {
		return nil
	}
	subnets := v.Subnets
	if len(subnets) == 0 {
		subnets = s.subnets(v.VPC)
	}
	return &types.NetworkConfiguration{AwsvpcConfiguration: &types.AwsVpcConfiguration{
		Subnets: subnets, SecurityGroups: []string{}, AssignPublicIp: types.AssignPublicIpDisabled,
	}}
}

// needsNetwork refuses to run tasks on Fargate without subnets. Tasks on instances have those of their instances here.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RunTask.html
func (s api) needsNetwork(in *ecs.RunTaskInput) error {
	c, err := s.findCluster(core.Deref(in.Cluster))
	if err != nil {
		return err
	}
	strategy, err := s.strategyFor(c, core.Mapped(in.CapacityProviderStrategy, strategyItemIn), string(in.LaunchType))
	if err == nil && usesFargate(strategy, string(in.LaunchType)) && len(subnetsIn(in.NetworkConfiguration)) == 0 {
		return core.Refuse("InvalidParameterException", "Network Configuration must be provided when networkMode 'awsvpc' is specified.")
	}
	return err
}

func subnetsIn(n *types.NetworkConfiguration) []string {
	if n == nil || n.AwsvpcConfiguration == nil {
		return nil
	}
	return n.AwsvpcConfiguration.Subnets
}

// platformOf is what a service shows only on Fargate; empty elsewhere.
func platformOf(v Service) (version, family *string) {
	if !usesFargate(v.Providers, v.LaunchType) {
		return nil, nil
	}
	return new(platformVersion), new(platformFamily)
}

// countFargate adds the tasks that are on no container instance to the counts of a cluster.
func (s api) countFargate(name string, out *types.Cluster) {
	for _, t := range s.cluster[name].tasks {
		if t.LaunchType != onDemand {
			continue
		}
		switch seen, ok := s.seeTask(t); {
		case !ok || seen.DesiredStatus != "RUNNING":
		case seen.LastStatus == "RUNNING":
			out.RunningTasksCount++
		default:
			out.PendingTasksCount++
		}
	}
}
