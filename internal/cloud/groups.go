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

// maxGroups is the largest page of DescribeAutoScalingGroups.
const maxGroups = 100

// groups looks at the named groups, or at every group of the account and Region.
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DescribeAutoScalingGroups.html
func (s *lookup) groups(ctx context.Context, l plan.Look) error {
	names := l.IDs()
	if len(names) == 0 {
		return s.groupPages(ctx, nil)
	}
	return chunks(names, l.Kind.Spec().Batch, s.fail, func(chunk []string) error { return s.groupPages(ctx, chunk) })
}

func (s *lookup) groupPages(ctx context.Context, names []string) error {
	var found []fleet.Group
	err := Pages(func(token *string) (*string, error) {
		out, err := ask(ctx, &s.Calls, s.AutoScaling.DescribeAutoScalingGroups, &autoscaling.DescribeAutoScalingGroupsInput{
			AutoScalingGroupNames: names, MaxRecords: aws.Int32(maxGroups), NextToken: token,
		})
		if err != nil {
			return nil, err
		}
		for _, g := range out.AutoScalingGroups {
			found = append(found, ReadGroup(g))
		}
		return out.NextToken, nil
	})
	if err != nil {
		return err
	}
	s.View.Groups = append(s.View.Groups, found...)
	return nil
}

// ReadGroup reads a group with its instances.
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_AutoScalingGroup.html
func ReadGroup(g astypes.AutoScalingGroup) fleet.Group {
	out := fleet.Group{
		Name: aws.ToString(g.AutoScalingGroupName), ARN: fleet.ARN(aws.ToString(g.AutoScalingGroupARN)),
		Min: int(aws.ToInt32(g.MinSize)), Max: int(aws.ToInt32(g.MaxSize)), Desired: int(aws.ToInt32(g.DesiredCapacity)),
		Retains: retains(g.InstanceLifecyclePolicy),
	}
	for _, i := range g.Instances {
		out.Instances = append(out.Instances, fleet.GroupInstance{
			ID: fleet.InstanceID(aws.ToString(i.InstanceId)), Group: out.Name, State: fleet.LifecycleState(i.LifecycleState),
			Zone: aws.ToString(i.AvailabilityZone), Healthy: healthy(i.HealthStatus), Protected: aws.ToBool(i.ProtectedFromScaleIn),
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

// groupInstances looks at instances as their groups see them. AWS leaves unknown ids out without a word, and takes no ids
// for all.
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DescribeAutoScalingInstances.html
func (s *lookup) groupInstances(ctx context.Context, l plan.Look) error {
	return chunks(possible(l.IDs()), l.Kind.Spec().Batch, s.fail, func(chunk []string) error {
		var found []fleet.GroupInstance
		err := Pages(func(token *string) (*string, error) {
			out, err := ask(ctx, &s.Calls, s.AutoScaling.DescribeAutoScalingInstances, &autoscaling.DescribeAutoScalingInstancesInput{
				InstanceIds: chunk, NextToken: token,
			})
			if err != nil {
				return nil, err
			}
			for _, i := range out.AutoScalingInstances {
				found = append(found, groupInstance(i))
			}
			return out.NextToken, nil
		})
		if err != nil {
			return err
		}
		s.View.GroupInstances = append(s.View.GroupInstances, found...)
		return nil
	})
}

func groupInstance(i astypes.AutoScalingInstanceDetails) fleet.GroupInstance {
	return fleet.GroupInstance{
		ID: fleet.InstanceID(aws.ToString(i.InstanceId)), Group: aws.ToString(i.AutoScalingGroupName),
		State: fleet.LifecycleState(aws.ToString(i.LifecycleState)), Zone: aws.ToString(i.AvailabilityZone),
		Healthy: healthy(i.HealthStatus), Protected: aws.ToBool(i.ProtectedFromScaleIn),
	}
}

// hooks looks at the lifecycle hooks of a group.
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DescribeLifecycleHooks.html
func (s *lookup) hooks(ctx context.Context, l plan.Look) error {
	out, err := ask(ctx, &s.Calls, s.AutoScaling.DescribeLifecycleHooks, &autoscaling.DescribeLifecycleHooksInput{
		AutoScalingGroupName: aws.String(l.In),
	})
	if err != nil {
		return err
	}
	for _, h := range out.LifecycleHooks {
		s.View.Hooks = append(s.View.Hooks, ReadHook(h))
	}
	return nil
}

// ReadHook reads a lifecycle hook.
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_LifecycleHook.html
func ReadHook(h astypes.LifecycleHook) fleet.Hook {
	return fleet.Hook{
		Name: aws.ToString(h.LifecycleHookName), Group: aws.ToString(h.AutoScalingGroupName),
		Transition: aws.ToString(h.LifecycleTransition), DefaultResult: aws.ToString(h.DefaultResult),
		Heartbeat: seconds(h.HeartbeatTimeout), Global: seconds(h.GlobalTimeout),
		Target: fleet.ARN(aws.ToString(h.NotificationTargetARN)),
	}
}

func seconds(n *int32) time.Duration { return time.Duration(aws.ToInt32(n)) * time.Second }

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
		out, err := ask(ctx, &s.Calls, s.AutoScaling.DescribeScalingActivities, &autoscaling.DescribeScalingActivitiesInput{
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
	return []fleet.Activity{{
		Instance: fleet.InstanceID(id), Start: aws.ToTime(a.StartTime), Status: string(a.StatusCode), Cause: aws.ToString(a.Cause),
	}}
}
