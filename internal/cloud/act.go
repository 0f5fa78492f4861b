package cloud

import (
	"context"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"

	"github.com/ebbhq/ebb/internal/plan"
)

// actions has a row for each kind of action.
var actions = [plan.ActionKinds]func(*Cloud, context.Context, plan.Action, *plan.Outcome) error{
	plan.SetDraining:  (*Cloud).setDraining,
	plan.Beat:         (*Cloud).beat,
	plan.Answer:       (*Cloud).complete,
	plan.Deregister:   (*Cloud).deregister,
	plan.LeaveNames:   (*Cloud).leaveNames,
	plan.LeaveLattice: (*Cloud).leaveLattice,
	plan.Terminate:    (*Cloud).terminate,
	plan.SetDesired:   (*Cloud).setDesired,
	plan.StopTask:     (*Cloud).stopTask,
	plan.SetCapacity:  (*Cloud).setCapacity,
}

// Do has one effect on AWS, and says what came of it.
func (c *Cloud) Do(ctx context.Context, a plan.Action) plan.Outcome {
	if a.Kind >= plan.ActionKinds || actions[a.Kind] == nil {
		return plan.Outcome{Err: Classify(fmt.Errorf("action of unknown kind %d", a.Kind))}
	}
	var out plan.Outcome
	if err := actions[a.Kind](c, ctx, a, &out); err != nil {
		out.Err, out.Failed = Classify(err), nil
	}
	return out
}

// setDraining asks for ten container instances at a time and reads the failures of each answer, which come with HTTP 200.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateContainerInstancesState.html
func (c *Cloud) setDraining(ctx context.Context, a plan.Action, out *plan.Outcome) error {
	fail := func(items []plan.ItemFailure) { out.Failed = append(out.Failed, items...) }
	return chunks(Texts[string](a.State.ContainerInstances), a.Kind.Spec().Batch, fail, func(ids []string) error {
		res, err := Ask(ctx, count(&out.Calls), c.ECS.UpdateContainerInstancesState, &ecs.UpdateContainerInstancesStateInput{
			Cluster: aws.String(a.State.Cluster), ContainerInstances: ids, Status: ecstypes.ContainerInstanceStatusDraining,
		})
		if err != nil {
			return err
		}
		fail(refused(ids, res.Failures))
		return nil
	})
}

// beat names the action by the instance and, where there is one, by its token.
func (c *Cloud) beat(ctx context.Context, a plan.Action, out *plan.Outcome) error {
	_, err := Ask(ctx, count(&out.Calls), c.AutoScaling.RecordLifecycleActionHeartbeat, &autoscaling.RecordLifecycleActionHeartbeatInput{
		AutoScalingGroupName: aws.String(a.Hook.Group), LifecycleHookName: aws.String(a.Hook.Hook),
		InstanceId: aws.String(string(a.Hook.Instance)), LifecycleActionToken: token(a.Hook),
	})
	return err
}

func (c *Cloud) complete(ctx context.Context, a plan.Action, out *plan.Outcome) error {
	_, err := Ask(ctx, count(&out.Calls), c.AutoScaling.CompleteLifecycleAction, &autoscaling.CompleteLifecycleActionInput{
		AutoScalingGroupName: aws.String(a.Hook.Group), LifecycleHookName: aws.String(a.Hook.Hook),
		InstanceId: aws.String(string(a.Hook.Instance)), LifecycleActionToken: token(a.Hook), LifecycleActionResult: aws.String(a.Hook.Result),
	})
	return err
}

// deregister takes targets out. Where it is not sure that they are registered as they are named, it looks first at how they are.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TargetDescription.html
func (c *Cloud) deregister(ctx context.Context, a plan.Action, out *plan.Outcome) error {
	targets := a.Targets.Targets
	if slices.ContainsFunc(targets, unsure) {
		all, err := DescribeTargetHealth(ctx, count(&out.Calls), c.ELB, a.Targets.Group, nil)
		if err != nil {
			return err
		}
		if targets = inUse(targets, all); len(targets) == 0 {
			return nil
		}
	}
	_, err := Ask(ctx, count(&out.Calls), c.ELB.DeregisterTargets, &elb.DeregisterTargetsInput{
		TargetGroupArn: aws.String(string(a.Targets.Group)), Targets: descriptions(targets),
	})
	return err
}

// terminate lets Auto Scaling terminate an instance, through all hooks of its group.
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_TerminateInstanceInAutoScalingGroup.html
func (c *Cloud) terminate(ctx context.Context, a plan.Action, out *plan.Outcome) error {
	_, err := Ask(ctx, count(&out.Calls), c.AutoScaling.TerminateInstanceInAutoScalingGroup, &autoscaling.TerminateInstanceInAutoScalingGroupInput{
		InstanceId: aws.String(string(a.End.Instance)), ShouldDecrementDesiredCapacity: aws.Bool(a.End.Decrement),
	})
	return err
}

// stopTask asks ECS to stop a task, which it answers at once.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_StopTask.html
func (c *Cloud) stopTask(ctx context.Context, a plan.Action, out *plan.Outcome) error {
	_, err := Ask(ctx, count(&out.Calls), c.ECS.StopTask, &ecs.StopTaskInput{
		Cluster: aws.String(a.Stop.Cluster), Task: aws.String(string(a.Stop.Task)), Reason: aws.String(a.Stop.Reason),
	})
	return err
}

// setDesired sets the desired count and nothing else: that starts no deployment.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateService.html
func (c *Cloud) setDesired(ctx context.Context, a plan.Action, out *plan.Outcome) error {
	_, err := Ask(ctx, count(&out.Calls), c.ECS.UpdateService, &ecs.UpdateServiceInput{
		Cluster: aws.String(a.Count.Cluster), Service: aws.String(a.Count.Service), DesiredCount: aws.Int32(int32(a.Count.To)),
	})
	return err
}

// setCapacity raises the desired capacity of a group, no further than its maximum. There is no call that only raises it, so it looks first: somebody
// may have set it higher.
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_SetDesiredCapacity.html
func (c *Cloud) setCapacity(ctx context.Context, a plan.Action, out *plan.Outcome) error {
	is, err := Ask(ctx, count(&out.Calls), c.AutoScaling.DescribeAutoScalingGroups, &autoscaling.DescribeAutoScalingGroupsInput{
		AutoScalingGroupNames: []string{a.Size.Group},
	})
	if err != nil || len(is.AutoScalingGroups) == 0 {
		return err
	}
	g := is.AutoScalingGroups[0]
	to := min(int32(a.Size.To), aws.ToInt32(g.MaxSize))
	if to <= aws.ToInt32(g.DesiredCapacity) {
		return nil
	}
	_, err = Ask(ctx, count(&out.Calls), c.AutoScaling.SetDesiredCapacity, &autoscaling.SetDesiredCapacityInput{
		AutoScalingGroupName: aws.String(a.Size.Group), DesiredCapacity: aws.Int32(to),
	})
	return err
}

// token is the token of a lifecycle action, nil where there is none. AWS is content with it or the instance id; the instance id beside it
// is for those who read the trail of calls.
func token(h *plan.HookCall) *string {
	if h.Token == "" {
		return nil
	}
	return aws.String(h.Token)
}

// refused are the items that an action did not reach.
func refused(asked []string, failures []ecstypes.Failure) []plan.ItemFailure {
	var out []plan.ItemFailure
	for _, f := range failures {
		class := plan.Unclear
		if aws.ToString(f.Reason) == "MISSING" { // it does not exist
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
