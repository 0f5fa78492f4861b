package event

import (
	"encoding/json"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
)

// rehearses is the member of the detail that marks a notice as one that an operator rehearses: AWS has not said so.
const rehearses = "ebbRehearsal"

// inCluster is the member of the detail of a rehearsed warning about an instance that names the ECS cluster of the instance.
const inCluster = "ebbCluster"

// RehearseTask is the notice of Fargate Spot about a task as EventBridge sends it, marked as a rehearsal.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-capacity-providers.html
func RehearseTask(account, region string, cluster, task fleet.ARN, group string, at time.Time) string {
	return rehearsal("aws.ecs", "ECS Task State Change", account, region, at, task, map[string]any{
		"clusterArn": cluster, "taskArn": task, "group": group, "launchType": "FARGATE", "capacityProviderName": fleet.FargateSpot,
		"lastStatus": "RUNNING", "desiredStatus": fleet.Stopped, "stopCode": "SpotInterruption", "stoppedReason": "Your Spot Task was interrupted.",
	})
}

// RehearseInstance is the warning of EC2 that it interrupts a Spot Instance, as EventBridge sends it, marked as a rehearsal.
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html
func RehearseInstance(account, region, cluster string, id fleet.InstanceID, at time.Time) string {
	about := fleet.ARN("arn:aws:ec2:" + region + ":" + account + ":instance/" + string(id))
	return rehearsal("aws.ec2", "EC2 Spot Instance Interruption Warning", account, region, at, about, map[string]any{
		"instance-id": id, "instance-action": "terminate", inCluster: cluster,
	})
}

func rehearsal(source, kind, account, region string, at time.Time, about fleet.ARN, detail map[string]any) string {
	detail[rehearses] = "true"
	body, err := json.Marshal(map[string]any{
		"version": "0", "id": "ebb-rehearsal", "source": source, "detail-type": kind, "account": account, "region": region,
		"time": at.UTC().Format(time.RFC3339Nano), "resources": []fleet.ARN{about}, "detail": detail,
	})
	if err != nil {
		panic(err) // strings always marshal
	}
	return string(body)
}
