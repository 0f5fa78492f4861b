package autoscaling

import (
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/autoscaling"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// EnterStandby takes instances of a group out of service: out of the group's target groups and without health checks. They are replaced, or
// the desired capacity falls. No hook holds them.
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_EnterStandby.html
func (w *AutoScaling) EnterStandby(group string, ids []string, decrement bool) ([]Activity, error) {
	g, all, err := w.inState(group, ids, "InService")
	if err != nil {
		return nil, err
	}
	if decrement {
		if g.Desired-len(all) < g.Min {
			return nil, wrongSize(g, "place into standby", len(all))
		}
		g.Desired -= len(all)
	}
	for _, m := range all {
		m.activity = w.activity(g, m.ID, "Moving EC2 instance to Standby: "+m.ID)
		m.activity.Cause = "At " + core.ISO(w.Now()) + " instance " + m.ID + " was moved to standby in response to a user request."
		w.setLife(m, "EnteringStandby")
		w.soon(m, w.deregisterHost(m)+time.Second, func() {
			w.setLife(m, "Standby")
			w.endActivity(m, "Successful")
		})
	}
	w.reconcileSoon(g)
	return core.Mapped(all, func(m *groupInstance) Activity { return *m.activity }), nil
}

// ExitStandby brings instances back into service, and the desired capacity rises. No hook holds them.
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_ExitStandby.html
func (w *AutoScaling) ExitStandby(group string, ids []string) ([]Activity, error) {
	g, all, err := w.inState(group, ids, "Standby")
	if err != nil {
		return nil, err
	}
	if g.Desired+len(all) > g.Max {
		return nil, wrongSize(g, "move out of standby", len(all))
	}
	g.Desired += len(all)
	for _, m := range all {
		m.activity = w.activity(g, m.ID, "Moving EC2 instance out of Standby: "+m.ID)
		m.activity.Cause = "At " + core.ISO(w.Now()) + " instance " + m.ID + " was moved out of standby in response to a user request."
		w.setLife(m, "Pending")
		w.soon(m, time.Second, func() { w.inService(m) })
	}
	return core.Mapped(all, func(m *groupInstance) Activity { return *m.activity }), nil
}

// inState finds instances of a group that are all in one state.
func (w *AutoScaling) inState(group string, ids []string, state string) (*group, []*groupInstance, error) {
	g, err := w.findGroup(group)
	if err != nil {
		return nil, nil, err
	}
	var all []*groupInstance
	for _, id := range ids {
		m := w.members[id]
		if m == nil || m.g != g || m.State == "Terminated" {
			return nil, nil, core.Refuse("ValidationError", "The instance %s is not part of Auto Scaling group %s.", id, group)
		}
		if m.State != state {
			return nil, nil, core.Refuse("ValidationError", "The instance %s is not in %s.", id, state)
		}
		if !slices.Contains(all, m) {
			all = append(all, m)
		}
	}
	return g, all, nil
}

func wrongSize(g *group, what string, n int) error {
	return core.Refuse("ValidationError", "AutoScalingGroup %s has min-size=%d, max-size=%d, and desired-size=%d. To %s %d instance(s), "+
		"please update the AutoScalingGroup sizes appropriately.", g.Name, g.Min, g.Max, g.Desired, what, n)
}

func (s api) enterStandby(_ *core.Call, in *autoscaling.EnterStandbyInput) (*autoscaling.EnterStandbyOutput, error) {
	if err := standbyIDs(in.InstanceIds); err != nil {
		return nil, err
	}
	all, err := s.EnterStandby(*in.AutoScalingGroupName, in.InstanceIds, *in.ShouldDecrementDesiredCapacity)
	return &autoscaling.EnterStandbyOutput{Activities: core.Mapped(all, activityOut)}, err
}

func (s api) exitStandby(_ *core.Call, in *autoscaling.ExitStandbyInput) (*autoscaling.ExitStandbyOutput, error) {
	if err := standbyIDs(in.InstanceIds); err != nil {
		return nil, err
	}
	all, err := s.ExitStandby(*in.AutoScalingGroupName, in.InstanceIds)
	return &autoscaling.ExitStandbyOutput{Activities: core.Mapped(all, activityOut)}, err
}

func standbyIDs(ids []string) error {
	if len(ids) > mostStandby {
		return core.Refuse("ValidationError", "The number of instance ids that may be passed in is limited to %d", mostStandby)
	}
	return nil
}
