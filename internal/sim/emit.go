package sim

import (
	"strconv"
	"time"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// emitInstance tells EventBridge about a new state of an EC2 instance.
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/monitoring-instance-state-changes.html
func (w *World) emitInstance(h *host) {
	if w.wants("aws.ec2", "EC2 Instance State-change Notification") {
		w.emit("aws.ec2", "EC2 Instance State-change Notification", []string{w.ARN("ec2", "instance/"+h.ID)}, map[string]any{"instance-id": h.ID, "state": h.State})
	}
}

// emitTerminated tells EventBridge that a group has terminated an instance.
// https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-event-reference.html
func (w *World) emitTerminated(m *groupInstance, a *Activity) {
	const detailType = "EC2 Instance Terminate Successful"
	if a == nil || !w.wants("aws.autoscaling", detailType) {
		return
	}
	w.emit("aws.autoscaling", detailType, []string{m.g.ARN, w.ARN("ec2", "instance/"+m.ID)}, map[string]any{
		"StatusCode": "InProgress", "Description": a.Description, "AutoScalingGroupName": m.g.Name, "ActivityId": a.ID, "RequestId": a.ID,
		"Details": map[string]any{"Availability Zone": m.Zone}, "StatusMessage": "", "StartTime": core.ISOMillis(a.Start), "EndTime": core.ISOMillis(a.End),
		"EC2InstanceId": m.ID, "Cause": a.Cause,
	})
}

// emitTask tells EventBridge about a changed task.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_task_events.html
func (w *World) emitTask(t *task) {
	const detailType = "ECS Task State Change"
	if !w.wants("aws.ecs", detailType) {
		return
	}
	detail := map[string]any{
		"clusterArn": t.c.ARN, "containerInstanceArn": t.ContainerInstance, "taskArn": t.ARN, "taskDefinitionArn": w.ARN("ecs", "task-definition/"+t.Definition),
		"lastStatus": t.LastStatus, "desiredStatus": t.DesiredStatus, "group": t.Group, "launchType": "EC2", "cpu": strconv.Itoa(t.CPU), "memory": strconv.Itoa(t.Memory),
		"availabilityZone": t.ci.Zone, "version": t.Version, "createdAt": core.ISOMillis(t.CreatedAt), "updatedAt": core.ISOMillis(w.Now()),
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
	for name, at := range map[string]time.Time{"startedAt": t.StartedAt, "stoppingAt": t.StoppingAt, "stoppedAt": t.StoppedAt} { //ebb:any-order the result is an object
		if !at.IsZero() {
			detail[name] = core.ISOMillis(at)
		}
	}
	w.emit("aws.ecs", detailType, []string{t.ARN}, detail)
}

// emitMachine tells EventBridge about a changed container instance.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_container_instance_events.html
func (w *World) emitMachine(ci *containerInstance) {
	const detailType = "ECS Container Instance State Change"
	if !w.wants("aws.ecs", detailType) {
		return
	}
	w.emit("aws.ecs", detailType, []string{ci.ARN}, map[string]any{
		"agentConnected": ci.Connected, "clusterArn": ci.c.ARN, "containerInstanceArn": ci.ARN, "ec2InstanceId": ci.Instance, "status": ci.Status, "version": ci.Version,
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

// emit puts an event on the bus after the usual delay of notifications, and with their luck.
func (w *World) emit(source, detailType string, resources []string, detail map[string]any) {
	at, text := w.Now(), core.JSON(detail)
	w.Deliver(core.Entry{}, func() { w.putEvent(source, detailType, at, resources, text, core.Entry{}) })
}
