package autoscaling

import (
	"slices"
	"strconv"
	"time"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// terminateInGroup takes an instance out of its group: first the load balancers of the group and their delay, then the
// terminating hooks, then EC2.
// https://docs.aws.amazon.com/autoscaling/ec2/userguide/gracefully-handle-instance-termination.html
func (w *AutoScaling) terminateInGroup(m *groupInstance, cause string) {
	w.endActivity(m, "Cancelled")
	w.refreshed(m, "Failed")
	m.activity = w.activity(m.g, m.ID, "Terminating EC2 instance: "+m.ID)
	m.activity.Cause = cause
	w.cancelActions(m)
	w.setLife(m, "Terminating")
	delay := w.deregisterHost(m)
	if delay > 0 {
		m.activity.Status = "WaitingForELBConnectionDraining"
	}
	w.After(delay+time.Second, func() {
		if m.State != "Terminating" {
			return
		}
		if !w.openActions(m, TransitionTerminating, "Terminating:Wait") {
			w.proceed(m)
			return
		}
		m.activity.Status = "MidLifecycleAction"
	})
	w.reconcileSoon(m.g)
}

// deregisterHost takes an instance out of the target groups of its group and returns the longest delay.
func (w *AutoScaling) deregisterHost(m *groupInstance) time.Duration {
	var longest time.Duration
	for _, arn := range m.g.TargetGroups {
		longest = max(longest, w.Targets.DeregisterInstance(arn, m.ID))
	}
	return longest
}

// proceed ends the waiting: a few seconds later the instance is terminated in EC2.
func (w *AutoScaling) proceed(m *groupInstance) {
	w.setLife(m, "Terminating:Proceed")
	if m.activity != nil {
		m.activity.Status = "InProgress"
	}
	w.After(w.Between(2*time.Second, 5*time.Second), func() {
		switch m.h.State {
		case "terminated":
			w.leave(m, "Successful")
		case "shutting-down":
		default:
			w.Instances.ShutDown(m.h)
		}
	})
}

// leave is the end of an instance in its group.
func (w *AutoScaling) leave(m *groupInstance, status string) {
	if m.State == "Terminated" {
		return
	}
	w.setLife(m, "Terminated")
	g := m.g
	g.members = slices.DeleteFunc(g.members, func(x *groupInstance) bool { return x == m })
	g.left = slices.DeleteFunc(g.left, func(x *groupInstance) bool { return w.Now().Sub(x.Since) > core.KeepTrail })
	g.left = append(g.left, m)
	a := m.activity
	w.endActivity(m, status)
	w.emitTerminated(m, a)
	w.reconcileSoon(g)
}

// InstanceEnded lets the group of an instance find out, about a minute later, that EC2 no longer runs it.
func (w *AutoScaling) InstanceEnded(h *core.Instance) {
	m := w.members[h.ID]
	if m == nil {
		return
	}
	w.After(w.Between(50*time.Second, 70*time.Second), func() {
		if !m.serves() || h.Alive() || m.g.suspended("HealthCheck") {
			return
		}
		m.Health = "Unhealthy"
		if m.g.suspended("ReplaceUnhealthy", "Terminate") {
			return
		}
		cause := "At " + core.ISO(w.Now()) + " an instance was taken out of service in response to an EC2 health check indicating it has been terminated or stopped."
		if w.Switches.SilentEC2Terminate && (h.State == "shutting-down" || h.State == "terminated") {
			m.activity = w.activity(m.g, m.ID, "Terminating EC2 instance: "+m.ID)
			m.activity.Cause = cause
			w.cancelActions(m)
			w.deregisterHost(m)
			w.leave(m, "Successful")
			return
		}
		w.terminateInGroup(m, cause)
	})
}

// InstanceTerminated lets the instance leave its group, if the group has had it terminated.
func (w *AutoScaling) InstanceTerminated(h *core.Instance) {
	if m := w.members[h.ID]; m != nil && m.State == "Terminating:Proceed" {
		w.leave(m, "Successful")
	}
}

func healthCause(now time.Time) string {
	return "At " + core.ISO(now) + " an instance was taken out of service in response to a user health-check."
}

// replaceUnhealthy takes an unhealthy instance out, through its hooks; with launch before terminate only after its replacement
// is in service.
func (w *AutoScaling) replaceUnhealthy(m *groupInstance) {
	if m.Health != "Unhealthy" || !m.live() || m.g.suspended("ReplaceUnhealthy", "Terminate") {
		return
	}
	if w.Switches.LaunchBeforeTerm && m.State == "InService" {
		m.doomed = true
		w.reconcileSoon(m.g)
		return
	}
	w.terminateInGroup(m, healthCause(w.Now()))
}

// TerminateInstanceInAutoScalingGroup terminates an instance through the hooks, whether or not it is protected, and replaces it
// or lowers the desired capacity. On a retained instance it ends the retention.
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_TerminateInstanceInAutoScalingGroup.html
func (w *AutoScaling) TerminateInstanceInAutoScalingGroup(instance string, decrement bool) (Activity, error) {
	m := w.members[instance]
	if m == nil || m.State == "Terminated" {
		return Activity{}, core.Refuse("ValidationError", "Instance Id not found - No managed instance found for instance ID: %s", instance)
	}
	if m.State == "Terminating:Retained" {
		m.activity = w.activity(m.g, m.ID, "Terminating EC2 instance: "+m.ID)
		w.proceed(m)
		return *m.activity, nil
	}
	if !m.live() && !m.doomed && m.State != "Standby" {
		if m.activity == nil {
			return Activity{}, core.Refuse("ScalingActivityInProgress", "Instance %s is already TransitionTerminating.", instance)
		}
		return *m.activity, nil
	}
	g := m.g
	if decrement && g.Desired-1 < g.Min {
		return Activity{}, core.Refuse("ValidationError",
			"Currently, desiredSize equals minSize (%d). Terminating instance without replacement will violate group's min size constraint. "+
				"Either set shouldDecrementDesiredCapacity flag to false or lower group's min size.", g.Min)
	}
	cause := "At " + core.ISO(w.Now()) + " instance " + m.ID + " was taken out of service in response to a user request."
	if decrement {
		g.Desired--
		cause = "At " + core.ISO(w.Now()) + " instance " + m.ID + " was taken out of service in response to a user request, " +
			"shrinking the capacity from " + strconv.Itoa(g.Desired+1) + " to " + strconv.Itoa(g.Desired) + "."
	}
	m.doomed = false
	w.terminateInGroup(m, cause)
	return *m.activity, nil
}
