package autoscaling

import (
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"

	"github.com/ebbhq/ebb/internal/sim/core"
)

func (s api) describeGroups(c *core.Call, in *autoscaling.DescribeAutoScalingGroupsInput) (*autoscaling.DescribeAutoScalingGroupsOutput, error) {
	if err := inRange("MaxRecords", in.MaxRecords, 1, 100); err != nil {
		return nil, err
	}
	var groups []Group
	for _, g := range s.DescribeAutoScalingGroups(in.AutoScalingGroupNames) {
		if tagged(g, in.Filters) {
			groups = append(groups, g)
		}
	}
	p := core.Paging{Operation: "DescribeAutoScalingGroups", Asked: in.MaxRecords, Fallback: 50, Most: 100, Token: in.NextToken}
	groups, next, ok := core.Page(c, p, groups, func(g Group) string { return g.Name })
	if !ok {
		return nil, badToken(in.NextToken)
	}
	details := in.IncludeInstances == nil || *in.IncludeInstances
	return &autoscaling.DescribeAutoScalingGroupsOutput{
		AutoScalingGroups: core.Mapped(groups, func(g Group) types.AutoScalingGroup { return groupOut(g, details) }),
		NextToken:         next,
	}, nil
}

func (s api) describeInstances(c *core.Call, in *autoscaling.DescribeAutoScalingInstancesInput) (*autoscaling.DescribeAutoScalingInstancesOutput, error) {
	if err := inRange("MaxRecords", in.MaxRecords, 1, 50); err != nil {
		return nil, err
	}
	if len(in.InstanceIds) > 50 {
		return nil, core.Refuse("ValidationError", "The number of instance ids that may be passed in is limited to 50")
	}
	p := core.Paging{Operation: "DescribeAutoScalingInstances", Asked: in.MaxRecords, Fallback: 50, Most: 50, Token: in.NextToken}
	all := s.DescribeAutoScalingInstances(in.InstanceIds)
	instances, next, ok := core.Page(c, p, all, func(i GroupInstance) string { return i.ID })
	if !ok {
		return nil, badToken(in.NextToken)
	}
	return &autoscaling.DescribeAutoScalingInstancesOutput{AutoScalingInstances: core.Mapped(instances, instanceDetails), NextToken: next}, nil
}

func (s api) describeHooks(_ *core.Call, in *autoscaling.DescribeLifecycleHooksInput) (*autoscaling.DescribeLifecycleHooksOutput, error) {
	hooks, err := s.DescribeLifecycleHooks(*in.AutoScalingGroupName, in.LifecycleHookNames)
	if err != nil {
		return nil, err
	}
	group := *in.AutoScalingGroupName
	return &autoscaling.DescribeLifecycleHooksOutput{
		LifecycleHooks: core.Mapped(hooks, func(h Hook) types.LifecycleHook { return hookOut(group, h) }),
	}, nil
}

func (s api) describeLifecycleHookTypes(_ *core.Call, in *autoscaling.DescribeLifecycleHookTypesInput) (*autoscaling.DescribeLifecycleHookTypesOutput, error) {
	return &autoscaling.DescribeLifecycleHookTypesOutput{LifecycleHookTypes: []string{TransitionLaunching, TransitionTerminating}}, nil
}

func (s api) describeActivities(c *core.Call, in *autoscaling.DescribeScalingActivitiesInput) (*autoscaling.DescribeScalingActivitiesOutput, error) {
	if err := inRange("MaxRecords", in.MaxRecords, 1, 100); err != nil {
		return nil, err
	}
	all, err := s.activities(in)
	if err != nil {
		return nil, err
	}
	p := core.Paging{Operation: "DescribeScalingActivities", Asked: in.MaxRecords, Fallback: 100, Most: 100, Token: in.NextToken}
	all, next, ok := core.Page(c, p, all, func(a Activity) string { return a.ID })
	if !ok {
		return nil, badToken(in.NextToken)
	}
	return &autoscaling.DescribeScalingActivitiesOutput{Activities: core.Mapped(all, activityOut), NextToken: next}, nil
}

// activities are those of one group or of all, without those that were not asked for.
func (s api) activities(in *autoscaling.DescribeScalingActivitiesInput) ([]Activity, error) {
	groups := []string{core.Deref(in.AutoScalingGroupName)}
	if groups[0] == "" {
		groups = core.Mapped(s.DescribeAutoScalingGroups(nil), func(g Group) string { return g.Name })
	}
	var all []Activity
	for _, g := range groups {
		some, err := s.DescribeScalingActivities(g)
		if err != nil {
			return nil, err
		}
		for _, activity := range some {
			if len(in.ActivityIds) == 0 || slices.Contains(in.ActivityIds, activity.ID) {
				all = append(all, activity)
			}
		}
	}
	return all, nil
}

func (s api) complete(_ *core.Call, in *autoscaling.CompleteLifecycleActionInput) (*autoscaling.CompleteLifecycleActionOutput, error) {
	err := actionNamed(in.LifecycleActionToken, in.InstanceId)
	if err == nil {
		err = oneOf("lifecycleActionResult", *in.LifecycleActionResult, "CONTINUE", "ABANDON")
	}
	if err == nil {
		err = s.CompleteLifecycleAction(*in.AutoScalingGroupName, *in.LifecycleHookName,
			core.Deref(in.LifecycleActionToken), core.Deref(in.InstanceId), *in.LifecycleActionResult)
	}
	return &autoscaling.CompleteLifecycleActionOutput{}, err
}

func (s api) heartbeat(_ *core.Call, in *autoscaling.RecordLifecycleActionHeartbeatInput) (*autoscaling.RecordLifecycleActionHeartbeatOutput, error) {
	err := actionNamed(in.LifecycleActionToken, in.InstanceId)
	if err == nil {
		err = s.RecordLifecycleActionHeartbeat(*in.AutoScalingGroupName, *in.LifecycleHookName,
			core.Deref(in.LifecycleActionToken), core.Deref(in.InstanceId))
	}
	return &autoscaling.RecordLifecycleActionHeartbeatOutput{}, err
}

func (s api) terminate(_ *core.Call, in *autoscaling.TerminateInstanceInAutoScalingGroupInput) (*autoscaling.TerminateInstanceInAutoScalingGroupOutput, error) {
	if len(in.InstanceIds) > mostTerminate {
		return nil, core.Refuse("ValidationError", "The number of instance ids that may be passed in is limited to %d", mostTerminate)
	}
	if in.InstanceId != nil {
		a, err := s.TerminateInstanceInAutoScalingGroup(*in.InstanceId, *in.ShouldDecrementDesiredCapacity)
		return &autoscaling.TerminateInstanceInAutoScalingGroupOutput{Activity: new(activityOut(a))}, err
	}
	out := &autoscaling.TerminateInstanceInAutoScalingGroupOutput{}
	for _, id := range in.InstanceIds {
		a, err := s.TerminateInstanceInAutoScalingGroup(id, *in.ShouldDecrementDesiredCapacity)
		if err != nil {
			return nil, err
		}
		out.Activities = append(out.Activities, activityOut(a))
	}
	return out, nil
}

func missing(member string) error { return core.Null("ValidationError", member) }

// needsInstance is what a termination must name: an instance, or several of a group.
func needsInstance(in *autoscaling.TerminateInstanceInAutoScalingGroupInput) []core.Member {
	if in.InstanceId != nil {
		return core.Members("ShouldDecrementDesiredCapacity", in.ShouldDecrementDesiredCapacity)
	}
	return core.Members("ShouldDecrementDesiredCapacity", in.ShouldDecrementDesiredCapacity, "InstanceId", in.InstanceIds,
		"AutoScalingGroupName", in.AutoScalingGroupName)
}

// group is a group by name. The id in the ARN of one that is not there is unknown; AWS's own answer to that is not documented.
func (s api) groupNamed(name *string) []core.Resource {
	g, err := s.findGroup(core.Deref(name))
	if err != nil {
		return []core.Resource{{Kind: "autoScalingGroup", ARN: s.ARN("autoscaling", "autoScalingGroup:*:autoScalingGroupName/"+core.Deref(name))}}
	}
	r := core.Resource{Kind: "autoScalingGroup", ARN: g.ARN, Pattern: anyID(g.ARN), Keys: map[string]string{}}
	for k, v := range g.Tags { //ebb:any-order each has its own place
		r.Keys["aws:resourcetag/"+strings.ToLower(k)], r.Keys["autoscaling:resourcetag/"+strings.ToLower(k)] = v, v
	}
	return []core.Resource{r}
}

func (s api) groupOfInstance(instance string) []core.Resource {
	found := s.DescribeAutoScalingInstances([]string{instance})
	if len(found) == 0 {
		return s.groupNamed(nil)
	}
	return s.groupNamed(&found[0].Group)
}

// anyID is the ARN of a group with a * in the place of its id.
func anyID(arn string) string {
	parts := strings.Split(arn, ":")
	if len(parts) == 8 {
		parts[6] = "*"
	}
	return strings.Join(parts, ":")
}
