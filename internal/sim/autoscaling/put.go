package autoscaling

import (
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/autoscaling"

	"github.com/ebbhq/ebb/internal/sim/core"
)

func (s api) putHook(_ *core.Call, in *autoscaling.PutLifecycleHookInput) (*autoscaling.PutLifecycleHookOutput, error) {
	known, err := s.DescribeLifecycleHooks(*in.AutoScalingGroupName, nil)
	if err != nil {
		return nil, err
	}
	hook := Hook{Name: *in.LifecycleHookName, DefaultResult: "ABANDON", Heartbeat: time.Hour}
	if i := slices.IndexFunc(known, func(h Hook) bool { return h.Name == hook.Name }); i >= 0 {
		hook = known[i]
	}
	if hook, err = hookIn(hook, in); err != nil {
		return nil, err
	}
	return &autoscaling.PutLifecycleHookOutput{}, s.PutLifecycleHook(*in.AutoScalingGroupName, hook)
}

// hookIn changes a hook, new or existing, as the request says. What the request does not name stays.
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_PutLifecycleHook.html
func hookIn(h Hook, in *autoscaling.PutLifecycleHookInput) (Hook, error) {
	for _, m := range []struct {
		to   *string
		from *string
	}{
		{&h.Transition, in.LifecycleTransition}, {&h.DefaultResult, in.DefaultResult}, {&h.Target, in.NotificationTargetARN},
		{&h.Role, in.RoleARN}, {&h.Metadata, in.NotificationMetadata},
	} {
		if m.from != nil {
			*m.to = *m.from
		}
	}
	if in.NotificationTargetARN != nil && *in.NotificationTargetARN == "" {
		h.Target = "-" // an empty string takes the target away
	}
	if err := inRange("HeartbeatTimeout", in.HeartbeatTimeout, 30, 7200); err != nil {
		return h, err
	}
	if in.HeartbeatTimeout != nil {
		h.Heartbeat = time.Duration(*in.HeartbeatTimeout) * time.Second
	}
	if h.Transition == "" {
		return h, core.Refuse("ValidationError", "LifecycleTransition is required when you create a lifecycle hook.")
	}
	if err := oneOf("lifecycleTransition", h.Transition, TransitionLaunching, TransitionTerminating); err != nil {
		return h, err
	}
	return h, oneOf("defaultResult", h.DefaultResult, "CONTINUE", "ABANDON")
}

func (s api) deleteHook(_ *core.Call, in *autoscaling.DeleteLifecycleHookInput) (*autoscaling.DeleteLifecycleHookOutput, error) {
	err := s.DeleteLifecycleHook(*in.AutoScalingGroupName, *in.LifecycleHookName)
	return &autoscaling.DeleteLifecycleHookOutput{}, err
}

func (s api) setDesired(_ *core.Call, in *autoscaling.SetDesiredCapacityInput) (*autoscaling.SetDesiredCapacityOutput, error) {
	err := s.SetDesiredCapacity(*in.AutoScalingGroupName, int(*in.DesiredCapacity))
	return &autoscaling.SetDesiredCapacityOutput{}, err
}

// update changes the sizes, and nothing else.
func (s api) update(_ *core.Call, in *autoscaling.UpdateAutoScalingGroupInput) (*autoscaling.UpdateAutoScalingGroupOutput, error) {
	err := s.UpdateAutoScalingGroup(*in.AutoScalingGroupName, core.Whole(in.MinSize), core.Whole(in.MaxSize), core.Whole(in.DesiredCapacity))
	return &autoscaling.UpdateAutoScalingGroupOutput{}, err
}

func (s api) protect(_ *core.Call, in *autoscaling.SetInstanceProtectionInput) (*autoscaling.SetInstanceProtectionOutput, error) {
	if len(in.InstanceIds) > 50 {
		return nil, core.Refuse("ValidationError", "The number of instance ids that may be passed in is limited to 50")
	}
	return &autoscaling.SetInstanceProtectionOutput{}, s.SetInstanceProtection(*in.AutoScalingGroupName, in.InstanceIds, *in.ProtectedFromScaleIn)
}

func (s api) setHealth(_ *core.Call, in *autoscaling.SetInstanceHealthInput) (*autoscaling.SetInstanceHealthOutput, error) {
	err := oneOf("healthStatus", *in.HealthStatus, "Healthy", "Unhealthy")
	if err == nil {
		err = s.SetInstanceHealth(*in.InstanceId, *in.HealthStatus)
	}
	return &autoscaling.SetInstanceHealthOutput{}, err
}
