package collector

import (
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	astypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"

	"github.com/ebbhq/ebb/internal/cloud"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
)

// AWS's largest page of DescribeAutoScalingGroups, DescribeScalingActivities and DescribeInstanceRefreshes, and how many groups one
// request names.
const scalingPage = 100

var pages = cloud.Pages

// groups reads the named groups, or every group. A named group that AWS leaves out does not exist.
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DescribeAutoScalingGroups.html
func (l *look) groups(ctx context.Context, names []string) []inventory.Group {
	names = unique(names)
	chunks := [][]string{nil}
	if len(names) > 0 {
		chunks = slices.Collect(slices.Chunk(names, scalingPage))
	}
	parts := make([][]astypes.AutoScalingGroup, len(chunks))
	each(chunks, func(i int, chunk []string) {
		l.read("autoscaling:DescribeAutoScalingGroups", func() error {
			var err error
			parts[i], err = l.describeGroups(ctx, chunk)
			if err == nil {
				l.noGroup(chunk, parts[i])
			}
			return err
		})
	})
	raw := slices.Concat(parts...)
	out := make([]inventory.Group, len(raw))
	each(raw, func(i int, g astypes.AutoScalingGroup) { out[i] = l.group(ctx, g) })
	return out
}

func (l *look) describeGroups(ctx context.Context, names []string) (found []astypes.AutoScalingGroup, err error) {
	err = pages(func(token *string) (*string, error) {
		out, err := ask(ctx, l, l.AutoScaling.DescribeAutoScalingGroups, &autoscaling.DescribeAutoScalingGroupsInput{
			AutoScalingGroupNames: names, MaxRecords: aws.Int32(scalingPage), NextToken: token,
		})
		if err != nil {
			return nil, err
		}
		found = append(found, out.AutoScalingGroups...)
		return out.NextToken, nil
	})
	return found, err
}

func (l *look) noGroup(names []string, found []astypes.AutoScalingGroup) {
	for _, name := range names {
		if !slices.ContainsFunc(found, func(g astypes.AutoScalingGroup) bool { return aws.ToString(g.AutoScalingGroupName) == name }) {
			l.missed("autoscaling:DescribeAutoScalingGroups of group "+name, "there is no such group in this account and Region")
		}
	}
}

// group reads a group and asks for what its description does not have.
func (l *look) group(ctx context.Context, g astypes.AutoScalingGroup) inventory.Group {
	out := inventory.Group{
		Group: cloud.ReadGroup(g), HealthCheckType: aws.ToString(g.HealthCheckType), ClassicBalancers: g.LoadBalancerNames,
		ProtectsNew: aws.ToBool(g.NewInstancesProtectedFromScaleIn), CapacityRebalance: aws.ToBool(g.CapacityRebalance),
		Spot: asksForSpot(g.MixedInstancesPolicy), MaxLifetime: time.Duration(aws.ToInt32(g.MaxInstanceLifetime)) * time.Second,
		WarmPool: g.WarmPoolConfiguration != nil,
	}
	for _, p := range g.SuspendedProcesses {
		out.Suspended = append(out.Suspended, aws.ToString(p.ProcessName))
	}
	for _, arn := range g.TargetGroupARNs {
		out.TargetGroups = append(out.TargetGroups, fleet.ARN(arn))
	}
	of := " of group " + out.Name
	together(
		func() { l.read("autoscaling:DescribeLifecycleHooks"+of, func() error { return l.hooks(ctx, &out) }) },
		func() {
			l.read("autoscaling:DescribeScalingActivities"+of, func() error { return l.activities(ctx, &out) })
		},
		func() {
			l.read("autoscaling:DescribeInstanceRefreshes"+of, func() error { return l.refreshes(ctx, &out) })
		},
	)
	l.launch(ctx, g, &out)
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

func (l *look) hooks(ctx context.Context, g *inventory.Group) error {
	out, err := ask(ctx, l, l.AutoScaling.DescribeLifecycleHooks, &autoscaling.DescribeLifecycleHooksInput{AutoScalingGroupName: aws.String(g.Name)})
	if err != nil {
		return err
	}
	for _, h := range out.LifecycleHooks {
		g.Hooks = append(g.Hooks, cloud.ReadHook(h))
	}
	return nil
}

// activities reads the newest page only: what is under way is on it, short of a hundred activities later.
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DescribeScalingActivities.html
func (l *look) activities(ctx context.Context, g *inventory.Group) error {
	out, err := ask(ctx, l, l.AutoScaling.DescribeScalingActivities, &autoscaling.DescribeScalingActivitiesInput{
		AutoScalingGroupName: aws.String(g.Name), MaxRecords: aws.Int32(scalingPage),
	})
	if err != nil {
		return err
	}
	for _, a := range out.Activities {
		g.Activities = append(g.Activities, cloud.ReadTerminations(a)...)
	}
	return nil
}

// refreshes reads the newest page only. A refresh whose preferences say nothing waits for protected instances: that is the default.
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_RefreshPreferences.html
func (l *look) refreshes(ctx context.Context, g *inventory.Group) error {
	out, err := ask(ctx, l, l.AutoScaling.DescribeInstanceRefreshes, &autoscaling.DescribeInstanceRefreshesInput{
		AutoScalingGroupName: aws.String(g.Name), MaxRecords: aws.Int32(scalingPage),
	})
	if err != nil {
		return err
	}
	for _, r := range out.InstanceRefreshes {
		refresh := inventory.Refresh{
			ID: aws.ToString(r.InstanceRefreshId), Status: string(r.Status), Reason: aws.ToString(r.StatusReason), Started: aws.ToTime(r.StartTime),
			ScaleInProtected: string(astypes.ScaleInProtectedInstancesWait),
		}
		if p := r.Preferences; p != nil && p.ScaleInProtectedInstances != "" {
			refresh.ScaleInProtected = string(p.ScaleInProtectedInstances)
		}
		g.Refreshes = append(g.Refreshes, refresh)
	}
	return nil
}

// launch reads the user data and the market of what a group's instances are launched from.
func (l *look) launch(ctx context.Context, g astypes.AutoScalingGroup, out *inventory.Group) {
	if name := aws.ToString(g.LaunchConfigurationName); name != "" {
		l.read("autoscaling:DescribeLaunchConfigurations of group "+out.Name, func() error { return l.launchConfiguration(ctx, name, out) })
		return
	}
	template := g.LaunchTemplate
	if p := g.MixedInstancesPolicy; p != nil && p.LaunchTemplate != nil {
		template = p.LaunchTemplate.LaunchTemplateSpecification
	}
	if template != nil {
		l.read("ec2:DescribeLaunchTemplateVersions of group "+out.Name, func() error { return l.launchTemplate(ctx, template, out) })
	}
}

func (l *look) launchConfiguration(ctx context.Context, name string, g *inventory.Group) error {
	out, err := ask(ctx, l, l.AutoScaling.DescribeLaunchConfigurations, &autoscaling.DescribeLaunchConfigurationsInput{LaunchConfigurationNames: []string{name}})
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
