package autoscaling

import (
	"encoding/base64"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// launchConfiguration names what a group launches from: every group of the simulated cloud has one of its own.
func launchConfiguration(g Group) string { return g.Name + "-launch" }

// describeLaunch leaves out names that it does not know.
func (s api) describeLaunch(c *core.Call, in *autoscaling.DescribeLaunchConfigurationsInput) (*autoscaling.DescribeLaunchConfigurationsOutput, error) {
	if err := inRange("MaxRecords", in.MaxRecords, 1, 100); err != nil {
		return nil, err
	}
	groups := slices.DeleteFunc(s.DescribeAutoScalingGroups(nil), func(g Group) bool {
		return len(in.LaunchConfigurationNames) > 0 && !slices.Contains(in.LaunchConfigurationNames, launchConfiguration(g))
	})
	p := core.Paging{Operation: "DescribeLaunchConfigurations", Asked: in.MaxRecords, Fallback: 50, Most: 100, Token: in.NextToken}
	groups, next, ok := core.Page(c, p, groups, func(g Group) string { return g.Name })
	if !ok {
		return nil, badToken(in.NextToken)
	}
	return &autoscaling.DescribeLaunchConfigurationsOutput{LaunchConfigurations: core.Mapped(groups, s.launchOut), NextToken: next}, nil
}

func (s api) launchOut(g Group) types.LaunchConfiguration {
	name := launchConfiguration(g)
	out := types.LaunchConfiguration{
		LaunchConfigurationName: &name, ImageId: new("ami-0ebb"), InstanceType: &g.Launch.Type, CreatedTime: &g.CreatedAt,
		LaunchConfigurationARN: new("arn:aws:autoscaling:" + s.Region + ":" + s.Account + ":launchConfiguration:0ebb:launchConfigurationName/" + name),
		UserData:               new(base64.StdEncoding.EncodeToString([]byte(g.Launch.UserData))),
	}
	if g.Launch.Spot {
		out.SpotPrice = new("0.10")
	}
	return out
}

// describeRefreshes leaves out ids that it does not know.
func (s api) describeRefreshes(c *core.Call, in *autoscaling.DescribeInstanceRefreshesInput) (*autoscaling.DescribeInstanceRefreshesOutput, error) {
	err := inRange("MaxRecords", in.MaxRecords, 1, 100)
	if err != nil {
		return nil, err
	}
	all, err := s.DescribeInstanceRefreshes(*in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(r Refresh) bool {
		return len(in.InstanceRefreshIds) > 0 && !slices.Contains(in.InstanceRefreshIds, r.ID)
	})
	p := core.Paging{Operation: "DescribeInstanceRefreshes", Asked: in.MaxRecords, Fallback: 50, Most: 100, Token: in.NextToken}
	all, next, ok := core.Page(c, p, all, func(r Refresh) string { return r.ID })
	if !ok {
		return nil, badToken(in.NextToken)
	}
	return &autoscaling.DescribeInstanceRefreshesOutput{
		InstanceRefreshes: core.Mapped(all, func(r Refresh) types.InstanceRefresh { return refreshOut(*in.AutoScalingGroupName, r) }), NextToken: next,
	}, nil
}

func refreshOut(group string, r Refresh) types.InstanceRefresh {
	return types.InstanceRefresh{
		AutoScalingGroupName: &group, InstanceRefreshId: &r.ID, Status: types.InstanceRefreshStatus(r.Status),
		StatusReason: core.Optional(r.Reason), StartTime: &r.Started,
		EndTime: core.Instant(r.Ended), Strategy: types.RefreshStrategy(r.Strategy),
		Preferences: &types.RefreshPreferences{ScaleInProtectedInstances: types.ScaleInProtectedInstances(r.ScaleInProtected)},
	}
}
