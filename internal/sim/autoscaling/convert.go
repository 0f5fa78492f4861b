package autoscaling

import (
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"

	"github.com/ebbhq/ebb/internal/sim/core"
)

func groupOut(g Group, details bool) types.AutoScalingGroup {
	health := g.HealthCheck
	if health == "" {
		health = "EC2"
	}
	out := types.AutoScalingGroup{
		AutoScalingGroupName:             &g.Name,
		AutoScalingGroupARN:              &g.ARN,
		MinSize:                          new(int32(g.Min)),
		MaxSize:                          new(int32(g.Max)),
		DesiredCapacity:                  new(int32(g.Desired)),
		DefaultCooldown:                  new(int32(300)),
		CreatedTime:                      &g.CreatedAt,
		HealthCheckType:                  &health,
		HealthCheckGracePeriod:           new(int32(0)),
		NewInstancesProtectedFromScaleIn: &g.ProtectNew,
		CapacityRebalance:                &g.Rebalance,
		LaunchConfigurationName:          new(launchConfiguration(g)),
		LoadBalancerNames:                []string{},
		TargetGroupARNs:                  core.Mapped(g.TargetGroups, core.Same),
		TerminationPolicies:              []string{"Default"},
		AvailabilityZones:                zones(g),
		Instances:                        []types.Instance{},
		SuspendedProcesses:               core.Mapped(g.Suspended, suspendedOut),
		Tags:                             tagsOut(g),
	}
	if details {
		out.Instances = core.Mapped(g.Instances, instanceOut)
	}
	if g.MaxLifetime > 0 {
		out.MaxInstanceLifetime = new(core.Seconds(g.MaxLifetime))
	}
	if g.Retain {
		out.InstanceLifecyclePolicy = &types.InstanceLifecyclePolicy{RetentionTriggers: &types.RetentionTriggers{TerminateHookAbandon: "retain"}}
	}
	return out
}

func zones(g Group) []string {
	all := core.Mapped(g.Instances, func(i *GroupInstance) string { return i.Zone })
	slices.Sort(all)
	return slices.Compact(all)
}

func suspendedOut(process string) types.SuspendedProcess {
	return types.SuspendedProcess{ProcessName: &process, SuspensionReason: new("User suspended")}
}

func tagsOut(g Group) []types.TagDescription {
	return core.Mapped(slices.Sorted(maps.Keys(g.Tags)), func(key string) types.TagDescription {
		return types.TagDescription{
			Key: &key, Value: new(g.Tags[key]), PropagateAtLaunch: new(true), ResourceId: &g.Name, ResourceType: new("auto-scaling-group"),
		}
	})
}

// tagged reports whether a group passes all filters of DescribeAutoScalingGroups.
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_Filter.html
func tagged(g Group, filters []types.Filter) bool {
	for _, f := range filters {
		if !passes(g, core.Deref(f.Name), f.Values) {
			return false
		}
	}
	return true
}

func passes(g Group, name string, values []string) bool {
	if key, ok := strings.CutPrefix(name, "tag:"); ok {
		value, has := g.Tags[key]
		return has && slices.Contains(values, value)
	}
	for key, value := range g.Tags { //ebb:any-order it only asks whether one matches
		if name == "tag-key" && slices.Contains(values, key) || name == "tag-value" && slices.Contains(values, value) {
			return true
		}
	}
	return false
}

func instanceOut(i *GroupInstance) types.Instance {
	return types.Instance{
		InstanceId: &i.ID, AvailabilityZone: &i.Zone, HealthStatus: &i.Health, LifecycleState: types.LifecycleState(i.State),
		ProtectedFromScaleIn: &i.Protected, InstanceType: &i.Type,
	}
}

func instanceDetails(i GroupInstance) types.AutoScalingInstanceDetails {
	return types.AutoScalingInstanceDetails{
		InstanceId: &i.ID, AutoScalingGroupName: &i.Group, AvailabilityZone: &i.Zone, LifecycleState: &i.State,
		HealthStatus:         new(strings.ToUpper(i.Health)), // this call spells it in capitals, DescribeAutoScalingGroups does not
		ProtectedFromScaleIn: &i.Protected, InstanceType: &i.Type,
	}
}

func hookOut(group string, h Hook) types.LifecycleHook {
	return types.LifecycleHook{
		AutoScalingGroupName: &group, LifecycleHookName: &h.Name, LifecycleTransition: &h.Transition, DefaultResult: &h.DefaultResult,
		HeartbeatTimeout: new(core.Seconds(h.Heartbeat)), GlobalTimeout: new(min(172800, 100*core.Seconds(h.Heartbeat))),
		NotificationTargetARN: core.Optional(h.Target), RoleARN: core.Optional(h.Role), NotificationMetadata: core.Optional(h.Metadata),
	}
}

func activityOut(a Activity) types.Activity {
	return types.Activity{
		ActivityId: &a.ID, AutoScalingGroupName: &a.Group, Cause: &a.Cause, Description: &a.Description, Details: new("{}"),
		StartTime: &a.Start, EndTime: core.Instant(a.End), Progress: new(int32(a.Progress)),
		StatusCode: types.ScalingActivityStatusCode(a.Status), StatusMessage: core.Optional(a.StatusMessage),
	}
}
