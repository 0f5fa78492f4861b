package placement_test

import (
	"testing"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
)

// What could not be read makes no promise: it is told what, once, for the first host that it is about.
func TestWhatCouldNotBeRead(t *testing.T) {
	const (
		ec2   = "ec2:DescribeInstances"
		group = "autoscaling:DescribeAutoScalingGroups of group web-asg"
		auto  = "autoscaling:DescribeAutoScalingInstances"
	)
	unread := func(what ...string) func(p parts) {
		return func(p parts) {
			for _, w := range what {
				p.s.Unread = append(p.s.Unread, inventory.Unread{What: w})
			}
			p.third()
		}
	}
	ids := []fleet.InstanceID{"i-1", "i-2"}
	runs := func(p parts, n int) {
		for _, id := range ids[:n] {
			p.s.Instances = append(p.s.Instances, &inventory.Instance{ID: id, State: fleet.StateRunning})
		}
	}
	member := func(p parts, n int) {
		g := &inventory.Group{Group: fleet.Group{Name: "g"}}
		for _, id := range ids[:n] {
			g.Instances = append(g.Instances, fleet.GroupInstance{ID: id, State: fleet.InService})
		}
		p.s.Groups = append(p.s.Groups, g)
	}
	check(t, map[string]answer{
		"nothing": {unread(), `
			moves
			replica web [task/0]: moves, 2 wanted, 2 to 4, 1 to start on [i-1 i-2]`},
		"protection": {unread("ecs:GetTaskProtection of cluster prod"), `
			uncertain
			replica web [task/0]: uncertain, 2 wanted, 2 to 4, 1 to start on [i-1 i-2]
			unjudged: ecs:GetTaskProtection could not be read, so whether tasks of service web have scale-in protection is not known`},
		"protection elsewhere": {unread("ecs:GetTaskProtection of cluster test"), `
			moves
			replica web [task/0]: moves, 2 wanted, 2 to 4, 1 to start on [i-1 i-2]`},
		"EC2": {unread(ec2), `
			uncertain
			replica web [task/0]: uncertain, 2 wanted, 2 to 4, 1 to start on [i-1 i-2]
			unjudged: ec2:DescribeInstances could not be read, so whether host i-1 stays is not known`},
		"EC2, of the second host": {func(p parts) { unread(ec2)(p); runs(p, 1) }, `
			uncertain
			replica web [task/0]: uncertain, 2 wanted, 2 to 4, 1 to start on [i-1 i-2]
			unjudged: ec2:DescribeInstances could not be read, so whether host i-2 stays is not known`},
		"EC2, of neither": {func(p parts) { unread(ec2)(p); runs(p, 2) }, `
			moves
			replica web [task/0]: moves, 2 wanted, 2 to 4, 1 to start on [i-1 i-2]`},
		"a group": {unread(group), `
			uncertain
			replica web [task/0]: uncertain, 2 wanted, 2 to 4, 1 to start on [i-1 i-2]
			unjudged: autoscaling:DescribeAutoScalingGroups could not be read, so whether host i-1 stays is not known`},
		"a group of the second": {func(p parts) { unread(group)(p); member(p, 1) }, `
			uncertain
			replica web [task/0]: uncertain, 2 wanted, 2 to 4, 1 to start on [i-1 i-2]
			unjudged: autoscaling:DescribeAutoScalingGroups could not be read, so whether host i-2 stays is not known`},
		"a group of neither": {func(p parts) { unread(group)(p); member(p, 2) }, `
			moves
			replica web [task/0]: moves, 2 wanted, 2 to 4, 1 to start on [i-1 i-2]`},
		"states of instances": {unread(auto), `
			uncertain
			replica web [task/0]: uncertain, 2 wanted, 2 to 4, 1 to start on [i-1 i-2]
			unjudged: autoscaling:DescribeAutoScalingInstances could not be read, so whether host i-1 stays is not known`},
		"the state of the second": {func(p parts) {
			unread(auto)(p)
			p.s.States = map[fleet.InstanceID]fleet.LifecycleState{"i-1": fleet.InService}
		}, `
			uncertain
			replica web [task/0]: uncertain, 2 wanted, 2 to 4, 1 to start on [i-1 i-2]
			unjudged: autoscaling:DescribeAutoScalingInstances could not be read, so whether host i-2 stays is not known`},
		"EC2, and where they are": {unread(ec2, group, auto), `
			uncertain
			replica web [task/0]: uncertain, 2 wanted, 2 to 4, 1 to start on [i-1 i-2]
			unjudged: ec2:DescribeInstances could not be read, so whether host i-1 stays is not known`},
		"a group, and it has room": {func(p parts) { unread(group, auto)(p); member(p, 1); p.rest.Free.CPU = 0 }, `
			uncertain
			replica web [task/0]: uncertain, 2 wanted, 2 to 4, 1 to start on [i-2]
			unjudged: autoscaling:DescribeAutoScalingGroups could not be read, so whether host i-2 stays is not known`},
	})
}
