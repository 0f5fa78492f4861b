package wire

import (
	"context"
	"encoding/base64"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"

	"github.com/ebbhq/ebb/internal/sim"
)

// launchConfiguration names what a group launches from: every group of the simulated cloud has one of its own.
func launchConfiguration(g sim.Group) string { return g.Name + "-launch" }

// DescribeLaunchConfigurations answers for the SDK operation of this name; unknown names are left out.
func (s AutoScaling) DescribeLaunchConfigurations(ctx context.Context, in *autoscaling.DescribeLaunchConfigurationsInput, _ ...asOptions) (*autoscaling.DescribeLaunchConfigurationsOutput, error) {
	return call(ctx, s.api, "autoscaling", "DescribeLaunchConfigurations", in, s.describeLaunch)
}

func (s AutoScaling) describeLaunch(in *autoscaling.DescribeLaunchConfigurationsInput) (*autoscaling.DescribeLaunchConfigurationsOutput, error) {
	if err := inRange("MaxRecords", in.MaxRecords, 1, 100); err != nil {
		return nil, err
	}
	groups := slices.DeleteFunc(s.api.World.DescribeAutoScalingGroups(nil), func(g sim.Group) bool {
		return len(in.LaunchConfigurationNames) > 0 && !slices.Contains(in.LaunchConfigurationNames, launchConfiguration(g))
	})
	p := paging{"DescribeLaunchConfigurations", in.MaxRecords, 50, 100, in.NextToken}
	groups, next, ok := page(s.api, p, groups, func(g sim.Group) string { return g.Name })
	if !ok {
		return nil, badToken(in.NextToken)
	}
	return &autoscaling.DescribeLaunchConfigurationsOutput{LaunchConfigurations: mapped(groups, s.launchOut), NextToken: next}, nil
}

func (s AutoScaling) launchOut(g sim.Group) types.LaunchConfiguration {
	name := launchConfiguration(g)
	out := types.LaunchConfiguration{
		LaunchConfigurationName: &name, ImageId: new("ami-0ebb"), InstanceType: &g.Launch.Type, CreatedTime: &g.CreatedAt,
		LaunchConfigurationARN: new("arn:aws:autoscaling:" + s.api.Region + ":" + s.api.Account + ":launchConfiguration:0ebb:launchConfigurationName/" + name),
		UserData:               new(base64.StdEncoding.EncodeToString([]byte(g.Launch.UserData))),
	}
	if g.Launch.Spot {
		out.SpotPrice = new("0.10")
	}
	return out
}

// DescribeInstanceRefreshes answers for the SDK operation of this name; unknown ids are left out.
func (s AutoScaling) DescribeInstanceRefreshes(ctx context.Context, in *autoscaling.DescribeInstanceRefreshesInput, _ ...asOptions) (*autoscaling.DescribeInstanceRefreshesOutput, error) {
	return call(ctx, s.api, "autoscaling", "DescribeInstanceRefreshes", in, s.describeRefreshes)
}

func (s AutoScaling) describeRefreshes(in *autoscaling.DescribeInstanceRefreshesInput) (*autoscaling.DescribeInstanceRefreshesOutput, error) {
	err := requireQuery(member{"AutoScalingGroupName", in.AutoScalingGroupName})
	if err == nil {
		err = inRange("MaxRecords", in.MaxRecords, 1, 100)
	}
	if err != nil {
		return nil, err
	}
	all, err := s.api.World.DescribeInstanceRefreshes(*in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(r sim.Refresh) bool {
		return len(in.InstanceRefreshIds) > 0 && !slices.Contains(in.InstanceRefreshIds, r.ID)
	})
	p := paging{"DescribeInstanceRefreshes", in.MaxRecords, 50, 100, in.NextToken}
	all, next, ok := page(s.api, p, all, func(r sim.Refresh) string { return r.ID })
	if !ok {
		return nil, badToken(in.NextToken)
	}
	return &autoscaling.DescribeInstanceRefreshesOutput{
		InstanceRefreshes: mapped(all, func(r sim.Refresh) types.InstanceRefresh { return refreshOut(*in.AutoScalingGroupName, r) }), NextToken: next,
	}, nil
}

func refreshOut(group string, r sim.Refresh) types.InstanceRefresh {
	return types.InstanceRefresh{
		AutoScalingGroupName: &group, InstanceRefreshId: &r.ID, Status: types.InstanceRefreshStatus(r.Status), StatusReason: optional(r.Reason), StartTime: &r.Started,
		Preferences: &types.RefreshPreferences{ScaleInProtectedInstances: types.ScaleInProtectedInstances(r.ScaleInProtected)},
	}
}
