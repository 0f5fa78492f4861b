package cloud

import (
	"context"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	astypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

// MaxGroups is how many groups one request of DescribeAutoScalingGroups names, and its largest page.
const MaxGroups = 100

// groups looks at the named groups, or at every group of the account and Region.
func (s *lookup) groups(ctx context.Context, l plan.Look) error {
	look := func(names []string) error {
		found, err := DescribeGroups(ctx, count(&s.Calls), s.AutoScaling, names)
		if err == nil { // some pages alone are not what was asked for
			s.View.Groups = append(s.View.Groups, Convert(found, ReadGroup)...)
		}
		return err
	}
	if names := l.IDs(); len(names) > 0 {
		return chunks(names, l.Kind.Spec().Batch, s.fail, look)
	}
	return look(nil)
}

// DescribeGroups reads the groups of at most MaxGroups names, or all.
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DescribeAutoScalingGroups.html
func DescribeGroups(ctx context.Context, send Send, c AutoScaling, names []string) ([]astypes.AutoScalingGroup, error) {
	in := &autoscaling.DescribeAutoScalingGroupsInput{AutoScalingGroupNames: names, MaxRecords: aws.Int32(MaxGroups)}
	return All(ctx, send, c.DescribeAutoScalingGroups, in, &in.NextToken,
		func(out *autoscaling.DescribeAutoScalingGroupsOutput) ([]astypes.AutoScalingGroup, *string) {
			return out.AutoScalingGroups, out.NextToken
		})
}

// ReadGroup reads a group with its instances.
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_AutoScalingGroup.html
func ReadGroup(g astypes.AutoScalingGroup) fleet.Group {
	out := fleet.Group{
		Name: aws.ToString(g.AutoScalingGroupName), ARN: fleet.ARN(aws.ToString(g.AutoScalingGroupARN)),
		Max: int(aws.ToInt32(g.MaxSize)), Desired: int(aws.ToInt32(g.DesiredCapacity)),
		Retains: retains(g.InstanceLifecyclePolicy),
	}
	for _, t := range g.Tags {
		out.Excluded = out.Excluded || aws.ToString(t.Key) == fleet.ExcludeTag && aws.ToString(t.Value) == "true"
	}
	for _, i := range g.Instances {
		out.Instances = append(out.Instances, fleet.GroupInstance{
			ID: fleet.InstanceID(aws.ToString(i.InstanceId)), Group: out.Name, State: fleet.LifecycleState(i.LifecycleState),
			Healthy: healthy(i.HealthStatus), Protected: aws.ToBool(i.ProtectedFromScaleIn),
		})
	}
	return out
}

// retains reports whether an abandoned terminating hook keeps the instance.
// https://docs.aws.amazon.com/autoscaling/ec2/userguide/instance-lifecycle-policy.html
func retains(p *astypes.InstanceLifecyclePolicy) bool {
	return p != nil && p.RetentionTriggers != nil && p.RetentionTriggers.TerminateHookAbandon == astypes.RetentionActionRetain
}

// healthy reads a health status. DescribeAutoScalingInstances shouts what DescribeAutoScalingGroups says, and documents both.
func healthy(status *string) bool { return strings.EqualFold(aws.ToString(status), "Healthy") }

// groupInstances looks at instances as their groups see them.
func (s *lookup) groupInstances(ctx context.Context, l plan.Look) error {
	return chunks(possible(l.IDs()), l.Kind.Spec().Batch, s.fail, func(chunk []string) error {
		found, err := DescribeGroupInstances(ctx, count(&s.Calls), s.AutoScaling, chunk)
		if err == nil {
			s.View.GroupInstances = append(s.View.GroupInstances, Convert(found, groupInstance)...)
		}
		return err
	})
}

// DescribeGroupInstances reads at most plan.MaxGroupInstances instances as their groups see them. AWS leaves unknown ids out without a
// word, and takes no ids for all.
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DescribeAutoScalingInstances.html
func DescribeGroupInstances(ctx context.Context, send Send, c AutoScaling, ids []string) ([]astypes.AutoScalingInstanceDetails, error) {
	in := &autoscaling.DescribeAutoScalingInstancesInput{InstanceIds: ids}
	return All(ctx, send, c.DescribeAutoScalingInstances, in, &in.NextToken,
		func(out *autoscaling.DescribeAutoScalingInstancesOutput) ([]astypes.AutoScalingInstanceDetails, *string) {
			return out.AutoScalingInstances, out.NextToken
		})
}

func groupInstance(i astypes.AutoScalingInstanceDetails) fleet.GroupInstance {
	return fleet.GroupInstance{
		ID: fleet.InstanceID(aws.ToString(i.InstanceId)), Group: aws.ToString(i.AutoScalingGroupName),
		State:   fleet.LifecycleState(aws.ToString(i.LifecycleState)),
		Healthy: healthy(i.HealthStatus), Protected: aws.ToBool(i.ProtectedFromScaleIn),
	}
}

// hooks looks at the lifecycle hooks of a group.
func (s *lookup) hooks(ctx context.Context, l plan.Look) (err error) {
	s.View.Hooks, err = DescribeHooks(ctx, count(&s.Calls), s.AutoScaling, l.In)
	return err
}

// DescribeHooks reads the lifecycle hooks of a group. The answer has no pages.
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DescribeLifecycleHooks.html
func DescribeHooks(ctx context.Context, send Send, c AutoScaling, group string) ([]fleet.Hook, error) {
	in := &autoscaling.DescribeLifecycleHooksInput{AutoScalingGroupName: aws.String(group)}
	out, err := Ask(ctx, send, c.DescribeLifecycleHooks, in)
	if err != nil {
		return nil, err
	}
	return Convert(out.LifecycleHooks, hook), nil
}

// hook reads a lifecycle hook.
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_LifecycleHook.html
func hook(h astypes.LifecycleHook) fleet.Hook {
	return fleet.Hook{
		Name: aws.ToString(h.LifecycleHookName), Group: aws.ToString(h.AutoScalingGroupName),
		Transition: aws.ToString(h.LifecycleTransition), DefaultResult: aws.ToString(h.DefaultResult),
		Heartbeat: Seconds(h.HeartbeatTimeout), Global: Seconds(h.GlobalTimeout),
		Target: fleet.ARN(aws.ToString(h.NotificationTargetARN)),
	}
}

// Seconds reads a number of seconds; none is 0.
func Seconds(n *int32) time.Duration { return time.Duration(aws.ToInt32(n)) * time.Second }

// How many scaling activities a look reads on one page, AWS's largest, and in all.
const (
	activityPage  = 100
	maxActivities = 1000
)

// activities looks at the newest scaling activities of a group, and keeps those that terminate an instance. AWS answers with the
// newest first; no further page is read once all wanted instances are found.
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DescribeScalingActivities.html
func (s *lookup) activities(ctx context.Context, l plan.Look) error {
	var found []fleet.Activity
	read, missing := 0, map[string]bool{}
	for _, id := range l.IDs() {
		missing[id] = true
	}
	err := Pages(func(token *string) (*string, error) {
		out, err := Ask(ctx, count(&s.Calls), s.AutoScaling.DescribeScalingActivities, &autoscaling.DescribeScalingActivitiesInput{
			AutoScalingGroupName: aws.String(l.In), MaxRecords: aws.Int32(activityPage), NextToken: token,
		})
		if err != nil {
			return nil, err
		}
		for _, a := range out.Activities {
			for _, t := range ReadTerminations(a) {
				found = append(found, t)
				delete(missing, string(t.Instance))
			}
		}
		if read += len(out.Activities); read >= maxActivities || len(l.Subjects) > 0 && len(missing) == 0 {
			return nil, nil
		}
		return out.NextToken, nil
	})
	s.View.Activities = found
	return err
}

// ReadTerminations reads an activity. Only its description says what it does and to which instance: "Terminating EC2 instance:
// i-0a1b2c3d4e5f60718". Anything else is left out: taken for a termination, a launch long ago would put a deadline in the past.
func ReadTerminations(a astypes.Activity) []fleet.Activity {
	description := aws.ToString(a.Description)
	id := instanceID.FindString(description)
	if id == "" || !strings.HasPrefix(description, "Terminating ") {
		return nil
	}
	return []fleet.Activity{{Instance: fleet.InstanceID(id), Start: aws.ToTime(a.StartTime)}}
}
