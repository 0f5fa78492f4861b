package ecs

import (
	"maps"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// emitTask tells EventBridge about a changed task.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_task_events.html
func (w *ECS) emitTask(t *task) {
	if w.Bus.Wants("aws.ecs", taskChange) {
		w.Bus.Emit(core.Entry{}, "aws.ecs", taskChange, []string{t.ARN}, w.taskDetail(t))
	}
}

const taskChange = "ECS Task State Change"

// emitNotice tells EventBridge of the interruption of a task: late, or never, as the switches have it.
func (w *ECS) emitNotice(t *task) {
	if w.Bus.Wants("aws.ecs", taskChange) && !w.Chance(w.SpotEventLost) {
		w.Bus.EmitAfter(w.SpotEventLate, core.Entry{}, "aws.ecs", taskChange, []string{t.ARN}, w.taskDetail(t))
	}
}

// taskDetail is a task as events have it: as DescribeTasks, with times as text, without its health, and with an older name for its network
// interface.
func (w *ECS) taskDetail(t *task) map[string]any {
	out := api{w}.taskOut(t.Task)
	detail := map[string]any{
		"attachments": core.Mapped(out.Attachments, attachmentDetail), "containers": core.Mapped(out.Containers, containerDetail),
		"attributes":       core.Mapped(out.Attributes, func(a types.Attribute) any { return pair(*a.Name, *a.Value) }),
		"availabilityZone": out.AvailabilityZone, "clusterArn": out.ClusterArn, "taskArn": out.TaskArn,
		"taskDefinitionArn": out.TaskDefinitionArn,
		"lastStatus":        out.LastStatus, "desiredStatus": out.DesiredStatus, "group": out.Group, "launchType": out.LaunchType,
		"cpu": out.Cpu, "memory": out.Memory, "connectivity": out.Connectivity, "enableExecuteCommand": false, "version": out.Version,
		"overrides": map[string]any{"containerOverrides": core.Mapped(out.Containers, overrideDetail)},
		"updatedAt": core.ISOMillis(w.Now()),
	}
	if out.EphemeralStorage != nil {
		detail["ephemeralStorage"] = map[string]any{"sizeInGiB": out.EphemeralStorage.SizeInGiB}
	}
	texts := map[string]string{
		"containerInstanceArn": t.ContainerInstance, "startedBy": t.StartedBy, "stopCode": t.StopCode, "stoppedReason": t.StoppedReason,
		"capacityProviderName": t.CapacityProvider, "platformVersion": core.Deref(out.PlatformVersion),
	}
	if t.interrupted && w.SpotEventNoProvider {
		delete(texts, "capacityProviderName")
	}
	for name, value := range texts { //ebb:any-order the result is an object
		if value != "" {
			detail[name] = value
		}
	}
	times := map[string]*time.Time{
		"createdAt": out.CreatedAt, "connectivityAt": out.ConnectivityAt, "pullStartedAt": out.PullStartedAt,
		"pullStoppedAt": out.PullStoppedAt,
		"startedAt":     out.StartedAt, "stoppingAt": out.StoppingAt, "executionStoppedAt": out.ExecutionStoppedAt, "stoppedAt": out.StoppedAt,
	}
	for name, at := range times { //ebb:any-order the result is an object
		if at != nil {
			detail[name] = core.ISOMillis(*at)
		}
	}
	return detail
}

func overrideDetail(c types.Container) any { return map[string]any{"name": c.Name} }

func pair(name, value string) map[string]any { return map[string]any{"name": name, "value": value} }

func attachmentDetail(a types.Attachment) any {
	return map[string]any{
		"id": a.Id, "type": "eni", "status": a.Status,
		"details": core.Mapped(a.Details, func(d types.KeyValuePair) any { return pair(*d.Name, *d.Value) }),
	}
}

func containerDetail(c types.Container) any {
	detail := map[string]any{
		"containerArn": c.ContainerArn, "lastStatus": c.LastStatus, "name": c.Name, "image": c.Image, "runtimeId": c.RuntimeId,
		"taskArn": c.TaskArn, "cpu": c.Cpu,
		"networkInterfaces": core.Mapped(c.NetworkInterfaces, func(n types.NetworkInterface) any {
			out := map[string]any{"attachmentId": n.AttachmentId, "privateIpv4Address": n.PrivateIpv4Address}
			if n.Ipv6Address != nil {
				out["ipv6Address"] = n.Ipv6Address
			}
			return out
		}),
	}
	if c.ExitCode != nil {
		detail["exitCode"] = *c.ExitCode
	}
	return detail
}

// emitInstance tells EventBridge about a changed container instance.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_container_instance_events.html
func (w *ECS) emitInstance(ci *containerInstance) {
	const detailType = "ECS Container Instance State Change"
	if !w.Bus.Wants("aws.ecs", detailType) {
		return
	}
	w.Bus.Emit(core.Entry{}, "aws.ecs", detailType, []string{ci.ARN}, map[string]any{
		"agentConnected": ci.Connected, "clusterArn": ci.c.ARN, "containerInstanceArn": ci.ARN, "ec2InstanceId": ci.Instance,
		"status": ci.Status, "version": ci.Version,
		"attributes":          []any{map[string]any{"name": "ecs.availability-zone", "value": ci.Zone}},
		"registeredResources": []any{integer("CPU", ci.CPU), integer("MEMORY", ci.Memory)},
		"remainingResources":  []any{integer("CPU", ci.FreeCPU), integer("MEMORY", ci.FreeMemory)},
		"versionInfo":         map[string]any{"agentVersion": ci.AgentVersion, "dockerVersion": "DockerVersion: 25.0.8"},
		"updatedAt":           core.ISOMillis(w.Now()),
	})
}

func integer(name string, value int) map[string]any {
	return map[string]any{"name": name, "type": "INTEGER", "integerValue": value}
}

// emitService tells EventBridge about a service: its events have no version.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_service_events.html
func (w *ECS) emitService(s *service, kind, name string, more map[string]any) {
	const detailType = "ECS Service Action"
	if !w.Bus.Wants("aws.ecs", detailType) {
		return
	}
	detail := map[string]any{"eventType": kind, "eventName": name, "clusterArn": s.c.ARN, "createdAt": core.ISOMillis(w.Now())}
	maps.Copy(detail, more)
	w.Bus.Emit(core.Entry{}, "aws.ecs", detailType, []string{s.ARN}, detail)
}

// unplaced tells that a task of a service has no place.
func (w *ECS) unplaced(s *service, why miss) {
	w.say(s, why.asEvent())
	more := map[string]any{"reason": why.reason}
	switch {
	case why.fargate != "":
		more["reason"] = "RESOURCE:FARGATE"
		more["capacityProviderArns"] = []string{w.ARN("ecs", "capacity-provider/"+why.fargate)}
	case why.ci != nil:
		more["containerInstanceArns"] = []string{why.ci.ARN}
	}
	w.emitService(s, "ERROR", "SERVICE_TASK_PLACEMENT_FAILURE", more)
}
