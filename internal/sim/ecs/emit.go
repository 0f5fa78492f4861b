package ecs

import (
	"strconv"
	"time"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// emitTask tells EventBridge about a changed task.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_task_events.html
func (w *ECS) emitTask(t *task) {
	const detailType = "ECS Task State Change"
	if !w.Bus.Wants("aws.ecs", detailType) {
		return
	}
	detail := map[string]any{
		"clusterArn": t.c.ARN, "containerInstanceArn": t.ContainerInstance, "taskArn": t.ARN, "taskDefinitionArn": w.ARN("ecs", "task-definition/"+t.Definition),
		"lastStatus": t.LastStatus, "desiredStatus": t.DesiredStatus, "group": t.Group, "launchType": "EC2",
		"cpu": strconv.Itoa(t.CPU), "memory": strconv.Itoa(t.Memory),
		"availabilityZone": t.at.zone(), "version": t.Version, "createdAt": core.ISOMillis(t.CreatedAt), "updatedAt": core.ISOMillis(w.Now()),
		"containers": []any{map[string]any{"name": t.def.Family, "lastStatus": t.LastStatus, "taskArn": t.ARN}},
	}
	optional := func(name, value string) {
		if value != "" {
			detail[name] = value
		}
	}
	optional("startedBy", t.StartedBy)
	optional("stopCode", t.StopCode)
	optional("stoppedReason", t.StoppedReason)
	times := map[string]time.Time{"startedAt": t.StartedAt, "stoppingAt": t.StoppingAt, "stoppedAt": t.StoppedAt}
	for name, at := range times { //ebb:any-order the result is an object
		if !at.IsZero() {
			detail[name] = core.ISOMillis(at)
		}
	}
	w.Bus.Emit(core.Entry{}, "aws.ecs", detailType, []string{t.ARN}, detail)
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
