package cloud

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"

	"github.com/ebbhq/ebb/internal/plan"
)

// Do has one effect on AWS, and says what came of it.
func (c *Cloud) Do(ctx context.Context, a plan.Action) plan.Outcome {
	var out plan.Outcome
	var err error
	switch a.Kind {
	case plan.SetDraining:
		err = c.setDraining(ctx, a, &out)
	case plan.Beat:
		_, err = ask(ctx, &out.Calls, c.AutoScaling.RecordLifecycleActionHeartbeat, heartbeat(a))
	case plan.Answer:
		_, err = ask(ctx, &out.Calls, c.AutoScaling.CompleteLifecycleAction, completion(a))
	case plan.Deregister:
		_, err = ask(ctx, &out.Calls, c.ELB.DeregisterTargets, &elb.DeregisterTargetsInput{
			TargetGroupArn: aws.String(string(a.TargetGroup)), Targets: descriptions(a.Targets),
		})
	default:
		err = fmt.Errorf("action of unknown kind %q", a.Kind)
	}
	if err != nil {
		out.Err, out.Failed = Classify(err), nil
	}
	return out
}

// setDraining asks for ten container instances at a time and reads the failures of each answer, which come with HTTP 200.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateContainerInstancesState.html
func (c *Cloud) setDraining(ctx context.Context, a plan.Action, out *plan.Outcome) error {
	fail := func(items []plan.ItemFailure) { out.Failed = append(out.Failed, items...) }
	return chunks(texts(a.ContainerInstances), plan.MaxDrainBatch, fail, func(ids []string) error {
		res, err := ask(ctx, &out.Calls, c.ECS.UpdateContainerInstancesState, &ecs.UpdateContainerInstancesStateInput{
			Cluster: aws.String(a.Cluster), ContainerInstances: ids, Status: ecstypes.ContainerInstanceStatusDraining,
		})
		if err != nil {
			return err
		}
		fail(refused(ids, res.Failures))
		return nil
	})
}

// heartbeat names the action by the instance and, where there is one, by its token.
func heartbeat(a plan.Action) *autoscaling.RecordLifecycleActionHeartbeatInput {
	in := &autoscaling.RecordLifecycleActionHeartbeatInput{
		AutoScalingGroupName: aws.String(a.Group), LifecycleHookName: aws.String(a.Hook),
	}
	in.LifecycleActionToken, in.InstanceId = handle(a)
	return in
}

func completion(a plan.Action) *autoscaling.CompleteLifecycleActionInput {
	in := &autoscaling.CompleteLifecycleActionInput{
		AutoScalingGroupName: aws.String(a.Group), LifecycleHookName: aws.String(a.Hook),
		LifecycleActionResult: aws.String(a.Result),
	}
	in.LifecycleActionToken, in.InstanceId = handle(a)
	return in
}

// handle is what names one lifecycle action: the instance id, and the token where there is one. AWS is content with either; the
// instance id beside the token is for those who read the trail of calls.
func handle(a plan.Action) (token, instance *string) {
	if a.Token != "" {
		token = aws.String(a.Token)
	}
	return token, aws.String(string(a.Instance))
}

// missing is AWS's reason for an item that does not exist.
const missing = "MISSING"

// refused are the items that an action did not reach.
func refused(asked []string, failures []ecstypes.Failure) []plan.ItemFailure {
	var out []plan.ItemFailure
	for _, f := range failures {
		class := plan.Unclear
		if aws.ToString(f.Reason) == missing {
			class = plan.Gone
		}
		out = append(out, plan.ItemFailure{ID: askedFor(asked, aws.ToString(f.Arn)), Class: class, Reason: failureText(f)})
	}
	return out
}

func failureText(f ecstypes.Failure) string {
	if d := aws.ToString(f.Detail); d != "" {
		return aws.ToString(f.Reason) + ": " + d
	}
	return aws.ToString(f.Reason)
}
