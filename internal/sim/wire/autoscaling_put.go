package wire

import (
	"context"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/autoscaling"

	"github.com/ebbhq/ebb/internal/sim"
)

const (
	launching   = "autoscaling:EC2_INSTANCE_LAUNCHING"
	terminating = "autoscaling:EC2_INSTANCE_TERMINATING"
)

// PutLifecycleHook answers for the SDK operation of this name.
func (s AutoScaling) PutLifecycleHook(ctx context.Context, in *autoscaling.PutLifecycleHookInput, _ ...asOptions) (*autoscaling.PutLifecycleHookOutput, error) {
	return call(ctx, s.api, "autoscaling", "PutLifecycleHook", in, s.putHook)
}

func (s AutoScaling) putHook(in *autoscaling.PutLifecycleHookInput) (*autoscaling.PutLifecycleHookOutput, error) {
	err := requireQuery(member{"AutoScalingGroupName", in.AutoScalingGroupName}, member{"LifecycleHookName", in.LifecycleHookName})
	if err != nil {
		return nil, err
	}
	known, err := s.api.World.DescribeLifecycleHooks(*in.AutoScalingGroupName, nil)
	if err != nil {
		return nil, err
	}
	hook := sim.Hook{Name: *in.LifecycleHookName, DefaultResult: "ABANDON", Heartbeat: time.Hour}
	if i := slices.IndexFunc(known, func(h sim.Hook) bool { return h.Name == hook.Name }); i >= 0 {
		hook = known[i]
	}
	if hook, err = hookIn(hook, in); err != nil {
		return nil, err
	}
	return &autoscaling.PutLifecycleHookOutput{}, s.api.World.PutLifecycleHook(*in.AutoScalingGroupName, hook)
}

// hookIn changes a hook, new or existing, as the request says. What the request does not name stays.
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_PutLifecycleHook.html
func hookIn(h sim.Hook, in *autoscaling.PutLifecycleHookInput) (sim.Hook, error) {
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
		return h, refuse("ValidationError", "LifecycleTransition is required when you create a lifecycle hook.")
	}
	if err := oneOf("lifecycleTransition", h.Transition, launching, terminating); err != nil {
		return h, err
	}
	return h, oneOf("defaultResult", h.DefaultResult, "CONTINUE", "ABANDON")
}

// DeleteLifecycleHook answers for the SDK operation of this name.
func (s AutoScaling) DeleteLifecycleHook(ctx context.Context, in *autoscaling.DeleteLifecycleHookInput, _ ...asOptions) (*autoscaling.DeleteLifecycleHookOutput, error) {
	return call(ctx, s.api, "autoscaling", "DeleteLifecycleHook", in, s.deleteHook)
}

func (s AutoScaling) deleteHook(in *autoscaling.DeleteLifecycleHookInput) (*autoscaling.DeleteLifecycleHookOutput, error) {
	err := requireQuery(member{"AutoScalingGroupName", in.AutoScalingGroupName}, member{"LifecycleHookName", in.LifecycleHookName})
	if err == nil {
		err = s.api.World.DeleteLifecycleHook(*in.AutoScalingGroupName, *in.LifecycleHookName)
	}
	return &autoscaling.DeleteLifecycleHookOutput{}, err
}

// SetDesiredCapacity answers for the SDK operation of this name.
func (s AutoScaling) SetDesiredCapacity(ctx context.Context, in *autoscaling.SetDesiredCapacityInput, _ ...asOptions) (*autoscaling.SetDesiredCapacityOutput, error) {
	return call(ctx, s.api, "autoscaling", "SetDesiredCapacity", in, s.setDesired)
}

func (s AutoScaling) setDesired(in *autoscaling.SetDesiredCapacityInput) (*autoscaling.SetDesiredCapacityOutput, error) {
	err := requireQuery(member{"AutoScalingGroupName", in.AutoScalingGroupName}, member{"DesiredCapacity", in.DesiredCapacity})
	if err == nil {
		err = s.api.World.SetDesiredCapacity(*in.AutoScalingGroupName, int(*in.DesiredCapacity))
	}
	return &autoscaling.SetDesiredCapacityOutput{}, err
}

// UpdateAutoScalingGroup answers for the SDK operation of this name, as far as sizes go.
func (s AutoScaling) UpdateAutoScalingGroup(ctx context.Context, in *autoscaling.UpdateAutoScalingGroupInput, _ ...asOptions) (*autoscaling.UpdateAutoScalingGroupOutput, error) {
	return call(ctx, s.api, "autoscaling", "UpdateAutoScalingGroup", in, s.update)
}

func (s AutoScaling) update(in *autoscaling.UpdateAutoScalingGroupInput) (*autoscaling.UpdateAutoScalingGroupOutput, error) {
	err := requireQuery(member{"AutoScalingGroupName", in.AutoScalingGroupName})
	if err == nil {
		err = s.api.World.UpdateAutoScalingGroup(*in.AutoScalingGroupName, whole(in.MinSize), whole(in.MaxSize), whole(in.DesiredCapacity))
	}
	return &autoscaling.UpdateAutoScalingGroupOutput{}, err
}

// SetInstanceProtection answers for the SDK operation of this name.
func (s AutoScaling) SetInstanceProtection(ctx context.Context, in *autoscaling.SetInstanceProtectionInput, _ ...asOptions) (*autoscaling.SetInstanceProtectionOutput, error) {
	return call(ctx, s.api, "autoscaling", "SetInstanceProtection", in, s.protect)
}

func (s AutoScaling) protect(in *autoscaling.SetInstanceProtectionInput) (*autoscaling.SetInstanceProtectionOutput, error) {
	err := requireQuery(member{"AutoScalingGroupName", in.AutoScalingGroupName}, member{"InstanceIds", in.InstanceIds},
		member{"ProtectedFromScaleIn", in.ProtectedFromScaleIn})
	if err == nil && len(in.InstanceIds) > 50 {
		err = refuse("ValidationError", "The number of instance ids that may be passed in is limited to 50")
	}
	if err == nil {
		err = s.api.World.SetInstanceProtection(*in.AutoScalingGroupName, in.InstanceIds, *in.ProtectedFromScaleIn)
	}
	return &autoscaling.SetInstanceProtectionOutput{}, err
}

// SetInstanceHealth answers for the SDK operation of this name.
func (s AutoScaling) SetInstanceHealth(ctx context.Context, in *autoscaling.SetInstanceHealthInput, _ ...asOptions) (*autoscaling.SetInstanceHealthOutput, error) {
	return call(ctx, s.api, "autoscaling", "SetInstanceHealth", in, s.setHealth)
}

func (s AutoScaling) setHealth(in *autoscaling.SetInstanceHealthInput) (*autoscaling.SetInstanceHealthOutput, error) {
	err := requireQuery(member{"InstanceId", in.InstanceId}, member{"HealthStatus", in.HealthStatus})
	if err == nil {
		err = oneOf("healthStatus", *in.HealthStatus, "Healthy", "Unhealthy")
	}
	if err == nil {
		err = s.api.World.SetInstanceHealth(*in.InstanceId, *in.HealthStatus)
	}
	return &autoscaling.SetInstanceHealthOutput{}, err
}

// inRange checks a number as Auto Scaling and ELB do.
func inRange(name string, n *int32, low, high int32) error {
	if n == nil || *n >= low && *n <= high {
		return nil
	}
	return refuse("ValidationError", "%s must be between %d and %d (inclusive), not %d.", name, low, high, *n)
}

// oneOf checks an enumeration as Auto Scaling does.
func oneOf(name, value string, allowed ...string) error {
	if slices.Contains(allowed, value) {
		return nil
	}
	return refuse("ValidationError", "1 validation error detected: Value '%s' at '%s' failed to satisfy constraint: Member must satisfy enum value set: %v", value, name, allowed)
}

func badToken(token *string) error {
	return refuse("InvalidNextToken", "The token '%s' is invalid.", deref(token))
}

func whole(n *int32) *int {
	if n == nil {
		return nil
	}
	return new(int(*n))
}
