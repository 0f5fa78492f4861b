package diagnose_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/ebbhq/ebb/internal/diagnose"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
)

// failures let each read fail, as a whole and about what the target is in and what it is not.
func failures(prefixes ...string) (all []change) {
	for _, operation := range []string{
		"autoscaling:DescribeAutoScalingGroups", "autoscaling:DescribeAutoScalingInstances", "autoscaling:DescribeLaunchConfigurations",
		"autoscaling:DescribeLifecycleHooks", "autoscaling:DescribeScalingActivities", "ec2:DescribeInstanceTypes", "ec2:DescribeInstances",
		"ec2:DescribeLaunchTemplateVersions", "ecs:DescribeCapacityProviders", "ecs:DescribeClusters", "ecs:DescribeContainerInstances",
		"ecs:DescribeServices", "ecs:DescribeTaskDefinition", "ecs:DescribeTasks", "ecs:GetTaskProtection", "ecs:ListClusters",
		"ecs:ListContainerInstances", "ecs:ListServices", "ecs:ListTasks", "elasticloadbalancing:DescribeTargetGroupAttributes",
		"elasticloadbalancing:DescribeTargetGroups", "elasticloadbalancing:DescribeTargetHealth",
	} {
		if !slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(operation, p) }) {
			continue
		}
		parts := []string{"", " of something"}
		switch {
		case strings.HasPrefix(operation, "ecs:"):
			parts = []string{"", " of cluster prod", " of cluster other"}
		case operation == "autoscaling:DescribeAutoScalingGroups", operation == "autoscaling:DescribeAutoScalingInstances":
		case strings.HasPrefix(operation, "autoscaling:"), operation == "ec2:DescribeLaunchTemplateVersions":
			parts = []string{"", " of group web-asg", " of group more"}
		}
		for _, part := range parts {
			all = append(all, change{operation + part + " failed", missed(operation + part)})
		}
	}
	return all
}

// unreads are worlds in which a read fails.
func unreads() []world {
	return []world{
		{"it leaves, with tasks in awsvpc mode", func(b *board) { b.def.Network = "awsvpc" }, append(failures(""),
			change{"interfaces are not known, and no task needs any", func(b *board) {
				b.def.Network = "bridge"
				b.miss("ec2:DescribeInstanceTypes")
			}},
			change{"interfaces are not known, and another definition needs one", func(b *board) {
				b.def.Network = "bridge"
				b.cluster.TaskDefinitions = append(b.cluster.TaskDefinitions, &inventory.TaskDefinition{Name: "api:1", Network: "awsvpc"})
				b.miss("ec2:DescribeInstanceTypes")
			}},
			change{"two reads failed", missed("ecs:GetTaskProtection of cluster prod", "elasticloadbalancing:DescribeTargetHealth")},
			change{"Ebb's journal could not be read, and is not its", func(b *board) { *b.ebb() = diagnose.Ebb{Unread: true} }},
		)},
		{"it leaves, without a task", (*board).empty, failures("")},
		{"it leaves, and no group has it", func(b *board) { b.Groups = nil }, failures("autoscaling:", "ec2:")},
		{"it leaves, and no cluster has it", func(b *board) { b.Clusters = nil }, failures("ecs:", "ec2:", "elastic")},
		{"it leaves, its agent is away and no task is on it", func(b *board) {
			b.empty()
			b.host.Connected = false
		}, failures("autoscaling:", "ec2:")},
		{"a task of it gets SIGTERM", ordered("STOPPING", 0), failures("ec2:", "elastic", "ecs:DescribeTaskDefinition")},
		{"its own load balancers are waited for", func(b *board) {
			state(fleet.Terminating)(b)
			b.group.TargetGroups = []fleet.ARN{b.tg.ARN}
			b.since(0)
		}, failures("elastic")},
	}
}

func TestWhatIsNotKnownIsSaid(t *testing.T) {
	compare(t, "testdata/unread.txt", unreads(), (*board).why)
}
