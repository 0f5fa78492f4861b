package autoscaling

import (
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// api are the operations of the service.
type api struct{ *AutoScaling }

// Service is Auto Scaling as the wire serves it. AWS publishes no limits of calls; these are guessed, unless the switches say otherwise.
func (w *AutoScaling) Service() core.Service {
	limit := core.Limit{Burst: 100, PerSecond: 10}
	if w.AutoScalingBurst > 0 {
		limit.Burst = float64(w.AutoScalingBurst)
	}
	if w.AutoScalingRate > 0 {
		limit.PerSecond = w.AutoScalingRate
	}
	return core.Service{
		Name: "autoscaling", Errors: refusals(), Limits: map[string]core.Limit{"autoscaling": limit}, Operations: api{w}.operations(),
		Protocol: core.Protocol{Namespace: "http://autoscaling.amazonaws.com/doc/2011-01-01/", Names: core.Names{
			Members: map[string]string{"CpuPerformanceFactorRequest.References": "Reference"},
			Items:   map[string]string{"PerformanceFactorReferenceRequest": "item"},
		}},
	}
}

func refusals() core.Errors {
	e := core.Refusals(missing, core.Denial{Code: "AccessDenied", Status: 403})
	e.Typed = func(code, message string) error {
		switch code {
		case "ResourceContention":
			return &types.ResourceContentionFault{Message: &message}
		case "ScalingActivityInProgress":
			return &types.ScalingActivityInProgressFault{Message: &message}
		}
		return nil
	}
	return e
}

// operations are the rows of all operations: what acts on a group is checked against it and its tags; nothing that describes is.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2autoscaling.html
//
// The columns: needed members, what IAM checks, what the record says, page token, batch.
func (s api) operations() []core.Operation {
	return slices.Concat(s.groupOps(), s.sizeOps(), s.instanceOps(), s.standbyOps(), s.hookOps(), s.actionOps())
}

func (s api) groupOps() []core.Operation {
	return []core.Operation{
		core.NewOperation("DescribeAutoScalingGroups", s.describeGroups, "autoscaling",
			core.NoNeeds, core.NoResource,
			func(in *autoscaling.DescribeAutoScalingGroupsInput) core.Entry {
				return core.Entry{Group: core.Only(in.AutoScalingGroupNames, "")}
			},
			func(in *autoscaling.DescribeAutoScalingGroupsInput) *string { return in.NextToken },
			core.NoBatch,
		),
		core.NewOperation("DescribeAutoScalingInstances", s.describeInstances, "autoscaling",
			core.NoNeeds, core.NoResource,
			func(in *autoscaling.DescribeAutoScalingInstancesInput) core.Entry {
				return core.Entry{Instance: core.Only(in.InstanceIds, "")}
			},
			func(in *autoscaling.DescribeAutoScalingInstancesInput) *string { return in.NextToken },
			core.NoBatch,
		),
		core.NewOperation("DescribeScalingActivities", s.describeActivities, "autoscaling",
			core.NoNeeds, core.NoResource, core.NoSubject,
			func(in *autoscaling.DescribeScalingActivitiesInput) *string { return in.NextToken },
			core.NoBatch,
		),
		core.NewOperation("DescribeLaunchConfigurations", s.describeLaunch, "autoscaling",
			core.NoNeeds, core.NoResource, core.NoSubject,
			func(in *autoscaling.DescribeLaunchConfigurationsInput) *string { return in.NextToken },
			core.NoBatch,
		),
		core.NewOperation("DescribeInstanceRefreshes", s.describeRefreshes, "autoscaling",
			func(in *autoscaling.DescribeInstanceRefreshesInput) []core.Member {
				return core.Members("AutoScalingGroupName", in.AutoScalingGroupName)
			},
			core.NoResource,
			func(in *autoscaling.DescribeInstanceRefreshesInput) core.Entry {
				return core.Entry{Group: core.Deref(in.AutoScalingGroupName)}
			},
			func(in *autoscaling.DescribeInstanceRefreshesInput) *string { return in.NextToken },
			core.NoBatch,
		),
	}
}

func (s api) sizeOps() []core.Operation {
	return []core.Operation{
		core.NewOperation("SetDesiredCapacity", s.setDesired, "autoscaling",
			func(in *autoscaling.SetDesiredCapacityInput) []core.Member {
				return core.Members("AutoScalingGroupName", in.AutoScalingGroupName, "DesiredCapacity", in.DesiredCapacity)
			},
			func(in *autoscaling.SetDesiredCapacityInput) []core.Resource {
				return s.groupNamed(in.AutoScalingGroupName)
			},
			func(in *autoscaling.SetDesiredCapacityInput) core.Entry {
				return core.Entry{Group: core.Deref(in.AutoScalingGroupName)}
			},
			core.NotPaged, core.NoBatch,
		),
		core.NewOperation("UpdateAutoScalingGroup", s.update, "autoscaling",
			func(in *autoscaling.UpdateAutoScalingGroupInput) []core.Member {
				return core.Members("AutoScalingGroupName", in.AutoScalingGroupName)
			},
			func(in *autoscaling.UpdateAutoScalingGroupInput) []core.Resource {
				return s.groupNamed(in.AutoScalingGroupName)
			},
			func(in *autoscaling.UpdateAutoScalingGroupInput) core.Entry {
				return core.Entry{Group: core.Deref(in.AutoScalingGroupName)}
			},
			core.NotPaged, core.NoBatch,
		),
	}
}

func (s api) instanceOps() []core.Operation {
	return []core.Operation{
		core.NewOperation("TerminateInstanceInAutoScalingGroup", s.terminate, "autoscaling",
			needsInstance,
			func(in *autoscaling.TerminateInstanceInAutoScalingGroupInput) []core.Resource {
				if in.AutoScalingGroupName != nil {
					return s.groupNamed(in.AutoScalingGroupName)
				}
				return s.groupOfInstance(core.Only(in.InstanceIds, core.Deref(in.InstanceId)))
			},
			func(in *autoscaling.TerminateInstanceInAutoScalingGroupInput) core.Entry {
				return core.Entry{Group: core.Deref(in.AutoScalingGroupName), Instance: core.Only(in.InstanceIds, core.Deref(in.InstanceId))}
			},
			core.NotPaged, core.NoBatch,
		),
		core.NewOperation("SetInstanceProtection", s.protect, "autoscaling",
			func(in *autoscaling.SetInstanceProtectionInput) []core.Member {
				return core.Members("AutoScalingGroupName", in.AutoScalingGroupName, "InstanceIds", in.InstanceIds, "ProtectedFromScaleIn", in.ProtectedFromScaleIn)
			},
			func(in *autoscaling.SetInstanceProtectionInput) []core.Resource {
				return s.groupNamed(in.AutoScalingGroupName)
			},
			func(in *autoscaling.SetInstanceProtectionInput) core.Entry {
				return core.Entry{Group: core.Deref(in.AutoScalingGroupName), Instance: core.Only(in.InstanceIds, "")}
			},
			core.NotPaged, core.NoBatch,
		),
		core.NewOperation("SetInstanceHealth", s.setHealth, "autoscaling",
			func(in *autoscaling.SetInstanceHealthInput) []core.Member {
				return core.Members("InstanceId", in.InstanceId, "HealthStatus", in.HealthStatus)
			},
			func(in *autoscaling.SetInstanceHealthInput) []core.Resource {
				return s.groupOfInstance(core.Deref(in.InstanceId))
			},
			func(in *autoscaling.SetInstanceHealthInput) core.Entry {
				return core.Entry{Instance: core.Deref(in.InstanceId)}
			},
			core.NotPaged, core.NoBatch,
		),
	}
}

func (s api) standbyOps() []core.Operation {
	return []core.Operation{
		core.NewOperation("EnterStandby", s.enterStandby, "autoscaling",
			func(in *autoscaling.EnterStandbyInput) []core.Member {
				return core.Members("AutoScalingGroupName", in.AutoScalingGroupName, "ShouldDecrementDesiredCapacity", in.ShouldDecrementDesiredCapacity)
			},
			func(in *autoscaling.EnterStandbyInput) []core.Resource { return s.groupNamed(in.AutoScalingGroupName) },
			func(in *autoscaling.EnterStandbyInput) core.Entry {
				return core.Entry{Group: core.Deref(in.AutoScalingGroupName), Instance: core.Only(in.InstanceIds, "")}
			},
			core.NotPaged, core.NoBatch,
		),
		core.NewOperation("ExitStandby", s.exitStandby, "autoscaling",
			func(in *autoscaling.ExitStandbyInput) []core.Member {
				return core.Members("AutoScalingGroupName", in.AutoScalingGroupName)
			},
			func(in *autoscaling.ExitStandbyInput) []core.Resource { return s.groupNamed(in.AutoScalingGroupName) },
			func(in *autoscaling.ExitStandbyInput) core.Entry {
				return core.Entry{Group: core.Deref(in.AutoScalingGroupName), Instance: core.Only(in.InstanceIds, "")}
			},
			core.NotPaged, core.NoBatch,
		),
		core.NewOperation("SuspendProcesses", s.suspend, "autoscaling",
			func(in *autoscaling.SuspendProcessesInput) []core.Member {
				return core.Members("AutoScalingGroupName", in.AutoScalingGroupName)
			},
			func(in *autoscaling.SuspendProcessesInput) []core.Resource {
				return s.groupNamed(in.AutoScalingGroupName)
			},
			func(in *autoscaling.SuspendProcessesInput) core.Entry {
				return core.Entry{Group: core.Deref(in.AutoScalingGroupName)}
			},
			core.NotPaged, core.NoBatch,
		),
		core.NewOperation("ResumeProcesses", s.resume, "autoscaling",
			func(in *autoscaling.ResumeProcessesInput) []core.Member {
				return core.Members("AutoScalingGroupName", in.AutoScalingGroupName)
			},
			func(in *autoscaling.ResumeProcessesInput) []core.Resource {
				return s.groupNamed(in.AutoScalingGroupName)
			},
			func(in *autoscaling.ResumeProcessesInput) core.Entry {
				return core.Entry{Group: core.Deref(in.AutoScalingGroupName)}
			},
			core.NotPaged, core.NoBatch,
		),
	}
}

func (s api) hookOps() []core.Operation {
	return []core.Operation{
		core.NewOperation("DescribeLifecycleHooks", s.describeHooks, "autoscaling",
			func(in *autoscaling.DescribeLifecycleHooksInput) []core.Member {
				return core.Members("AutoScalingGroupName", in.AutoScalingGroupName)
			},
			core.NoResource,
			func(in *autoscaling.DescribeLifecycleHooksInput) core.Entry {
				return core.Entry{Group: core.Deref(in.AutoScalingGroupName), Hook: core.Only(in.LifecycleHookNames, "")}
			},
			core.NotPaged, core.NoBatch,
		),
		core.NewOperation("DescribeLifecycleHookTypes", s.describeLifecycleHookTypes, "autoscaling",
			core.NoNeeds, core.NoResource,
			core.NoSubject, core.NotPaged, core.NoBatch,
		),
		core.NewOperation("PutLifecycleHook", s.putHook, "autoscaling",
			func(in *autoscaling.PutLifecycleHookInput) []core.Member {
				return core.Members("AutoScalingGroupName", in.AutoScalingGroupName, "LifecycleHookName", in.LifecycleHookName)
			},
			func(in *autoscaling.PutLifecycleHookInput) []core.Resource {
				return s.groupNamed(in.AutoScalingGroupName)
			},
			func(in *autoscaling.PutLifecycleHookInput) core.Entry {
				return core.Entry{Group: core.Deref(in.AutoScalingGroupName), Hook: core.Deref(in.LifecycleHookName)}
			},
			core.NotPaged, core.NoBatch,
		),
		core.NewOperation("DeleteLifecycleHook", s.deleteHook, "autoscaling",
			func(in *autoscaling.DeleteLifecycleHookInput) []core.Member {
				return core.Members("AutoScalingGroupName", in.AutoScalingGroupName, "LifecycleHookName", in.LifecycleHookName)
			},
			func(in *autoscaling.DeleteLifecycleHookInput) []core.Resource {
				return s.groupNamed(in.AutoScalingGroupName)
			},
			func(in *autoscaling.DeleteLifecycleHookInput) core.Entry {
				return core.Entry{Group: core.Deref(in.AutoScalingGroupName), Hook: core.Deref(in.LifecycleHookName)}
			},
			core.NotPaged, core.NoBatch,
		),
	}
}

func (s api) actionOps() []core.Operation {
	return []core.Operation{
		core.NewOperation("CompleteLifecycleAction", s.complete, "autoscaling",
			func(in *autoscaling.CompleteLifecycleActionInput) []core.Member {
				return core.Members("AutoScalingGroupName", in.AutoScalingGroupName, "LifecycleHookName", in.LifecycleHookName, "LifecycleActionResult",
					in.LifecycleActionResult)
			},
			func(in *autoscaling.CompleteLifecycleActionInput) []core.Resource {
				return s.groupNamed(in.AutoScalingGroupName)
			},
			func(in *autoscaling.CompleteLifecycleActionInput) core.Entry {
				return core.Entry{Group: core.Deref(in.AutoScalingGroupName), Hook: core.Deref(in.LifecycleHookName), Instance: core.Deref(in.InstanceId)}
			},
			core.NotPaged, core.NoBatch,
		),
		core.NewOperation("RecordLifecycleActionHeartbeat", s.heartbeat, "autoscaling",
			func(in *autoscaling.RecordLifecycleActionHeartbeatInput) []core.Member {
				return core.Members("AutoScalingGroupName", in.AutoScalingGroupName, "LifecycleHookName", in.LifecycleHookName)
			},
			func(in *autoscaling.RecordLifecycleActionHeartbeatInput) []core.Resource {
				return s.groupNamed(in.AutoScalingGroupName)
			},
			func(in *autoscaling.RecordLifecycleActionHeartbeatInput) core.Entry {
				return core.Entry{Group: core.Deref(in.AutoScalingGroupName), Hook: core.Deref(in.LifecycleHookName), Instance: core.Deref(in.InstanceId)}
			},
			core.NotPaged, core.NoBatch,
		),
	}
}
