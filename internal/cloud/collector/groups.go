package collector

import (
	"cmp"
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	astypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"

	"github.com/ebbhq/ebb/internal/cloud"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
)

// scalingPage is AWS's largest page of DescribeScalingActivities and DescribeInstanceRefreshes.
const scalingPage = 100

// groups reads the named groups, or every group. A named group that AWS leaves out does not exist.
func (l *look) groups(ctx context.Context, names []string) []*inventory.Group {
	chunks := [][]string{nil}
	if names = unique(names); len(names) > 0 {
		chunks = slices.Collect(slices.Chunk(names, cloud.MaxGroups))
	}
	raw := slices.Concat(parallel(chunks, func(chunk []string) []astypes.AutoScalingGroup {
		return read(l, "autoscaling:DescribeAutoScalingGroups", func() ([]astypes.AutoScalingGroup, error) {
			found, err := cloud.DescribeGroups(ctx, l.try, l.AutoScaling, chunk)
			if err == nil {
				l.noGroup(chunk, found)
			}
			return found, err
		})
	})...)
	return parallel(raw, func(g astypes.AutoScalingGroup) *inventory.Group { return l.group(ctx, g) })
}

func (l *look) noGroup(names []string, found []astypes.AutoScalingGroup) {
	for _, name := range names {
		if !slices.ContainsFunc(found, func(g astypes.AutoScalingGroup) bool { return aws.ToString(g.AutoScalingGroupName) == name }) {
			l.absent("autoscaling:DescribeAutoScalingGroups of group "+name, "there is no such group in this account and Region")
		}
	}
}

// group reads a group and asks for what its description does not have.
func (l *look) group(ctx context.Context, g astypes.AutoScalingGroup) *inventory.Group {
	out := &inventory.Group{
		Group: cloud.ReadGroup(g), ClassicBalancers: g.LoadBalancerNames, TargetGroups: cloud.Texts[fleet.ARN](g.TargetGroupARNs),
		ProtectsNew: aws.ToBool(g.NewInstancesProtectedFromScaleIn), CapacityRebalance: aws.ToBool(g.CapacityRebalance),
		Spot: asksForSpot(g.MixedInstancesPolicy), MaxLifetime: cloud.Seconds(g.MaxInstanceLifetime),
	}
	for _, p := range g.SuspendedProcesses {
		out.Suspended = append(out.Suspended, aws.ToString(p.ProcessName))
	}
	of := " of group " + out.Name
	together(
		func() {
			out.Hooks = read(l, "autoscaling:DescribeLifecycleHooks"+of, func() ([]fleet.Hook, error) {
				return cloud.DescribeHooks(ctx, l.try, l.AutoScaling, out.Name)
			})
		},
		func() { out.Activities = l.activities(ctx, out.Name) },
		func() { out.Refreshes = l.refreshes(ctx, out.Name) },
	)
	l.launch(ctx, g, out)
	return out
}

// asksForSpot reports whether a mixed instances policy leaves room for Spot capacity. Without a word of it all above the base is
// On-Demand.
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_InstancesDistribution.html
func asksForSpot(p *astypes.MixedInstancesPolicy) bool {
	if p == nil || p.InstancesDistribution == nil || p.InstancesDistribution.OnDemandPercentageAboveBaseCapacity == nil {
		return false
	}
	return *p.InstancesDistribution.OnDemandPercentageAboveBaseCapacity < 100
}

// activities reads the newest page only: what is under way is on it, short of a hundred activities later.
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DescribeScalingActivities.html
func (l *look) activities(ctx context.Context, group string) []fleet.Activity {
	in := &autoscaling.DescribeScalingActivitiesInput{AutoScalingGroupName: aws.String(group), MaxRecords: aws.Int32(scalingPage)}
	out := ask(ctx, l, "autoscaling:DescribeScalingActivities of group "+group, l.AutoScaling.DescribeScalingActivities, in)
	return slices.Concat(cloud.Convert(out.Activities, cloud.ReadTerminations)...)
}

// refreshes reads the newest page only. A refresh whose preferences say nothing waits for protected instances: that is the default.
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_RefreshPreferences.html
func (l *look) refreshes(ctx context.Context, group string) []inventory.Refresh {
	in := &autoscaling.DescribeInstanceRefreshesInput{AutoScalingGroupName: aws.String(group), MaxRecords: aws.Int32(scalingPage)}
	out := ask(ctx, l, "autoscaling:DescribeInstanceRefreshes of group "+group, l.AutoScaling.DescribeInstanceRefreshes, in)
	return cloud.Convert(out.InstanceRefreshes, func(r astypes.InstanceRefresh) inventory.Refresh {
		protected := astypes.ScaleInProtectedInstancesWait
		if r.Preferences != nil {
			protected = cmp.Or(r.Preferences.ScaleInProtectedInstances, protected)
		}
		return inventory.Refresh{ID: aws.ToString(r.InstanceRefreshId), Status: string(r.Status), ScaleInProtected: string(protected)}
	})
}

// launch reads the user data and the market of what a group's instances are launched from.
func (l *look) launch(ctx context.Context, g astypes.AutoScalingGroup, out *inventory.Group) {
	if name := aws.ToString(g.LaunchConfigurationName); name != "" {
		l.note("autoscaling:DescribeLaunchConfigurations of group "+out.Name, l.launchConfiguration(ctx, name, out))
		return
	}
	template := g.LaunchTemplate
	if p := g.MixedInstancesPolicy; p != nil && p.LaunchTemplate != nil {
		template = p.LaunchTemplate.LaunchTemplateSpecification
	}
	if template != nil {
		l.note("ec2:DescribeLaunchTemplateVersions of group "+out.Name, l.launchTemplate(ctx, template, out))
	}
}

func (l *look) launchConfiguration(ctx context.Context, name string, g *inventory.Group) error {
	in := &autoscaling.DescribeLaunchConfigurationsInput{LaunchConfigurationNames: []string{name}}
	out, err := cloud.Ask(ctx, l.try, l.AutoScaling.DescribeLaunchConfigurations, in)
	if err != nil {
		return err
	}
	if len(out.LaunchConfigurations) == 0 {
		return fmt.Errorf("there is no launch configuration %s", name)
	}
	c := out.LaunchConfigurations[0]
	g.Spot = g.Spot || aws.ToString(c.SpotPrice) != ""
	return userData(aws.ToString(c.UserData), g)
}

// userData decodes user data, which AWS shows in base64.
func userData(text string, g *inventory.Group) error {
	b, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
	if err != nil {
		return fmt.Errorf("read the user data: %w", err)
	}
	g.UserData, g.UserDataKnown = string(b), true
	return nil
}

// service is the service in an ARN: arn:aws:sqs:eu-west-1:111122223333:ebb is one of sqs.
func service(arn fleet.ARN) string {
	if parts := strings.SplitN(string(arn), ":", 6); len(parts) == 6 {
		return parts[2]
	}
	return ""
}
