package autoscaling

import (
	"slices"
	"time"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// replaceRootVolume is the strategy of an instance refresh that gives instances new root volumes instead of replacing them, and what
// lifecycle actions say that they are for.
const replaceRootVolume = "ReplaceRootVolume"

// ReplaceRootVolume is an instance refresh with the strategy ReplaceRootVolume, of one instance: first the load balancers of the group and
// their delay, then the terminating hooks, then a restart with a new root volume, then the launching hooks. The instance keeps its id. AWS
// does not say how long the parts take. With fails the volume cannot be replaced, and the instance is terminated.
// https://docs.aws.amazon.com/autoscaling/ec2/userguide/replace-root-volume.html
func (w *AutoScaling) ReplaceRootVolume(instance string, fails bool) error {
	m := w.members[instance]
	switch {
	case m == nil || m.State == "Terminated":
		return core.Refuse("ValidationError", "Instance Id not found - No managed instance found for instance ID: %s", instance)
	case m.State != "InService":
		return core.Refuse("ValidationError", "The instance %s is not in InService.", instance)
	}
	m.refresh, m.refreshFails = w.UUID(), fails
	m.g.Refreshes = slices.Insert(m.g.Refreshes, 0, Refresh{
		ID: m.refresh, Status: "InProgress", Strategy: replaceRootVolume, ScaleInProtected: "Wait", Started: w.Now(),
	})
	w.emitRefresh(m, "Started")
	m.activity = w.activity(m.g, m.ID, "Replacing root volume of EC2 instance: "+m.ID)
	m.activity.Cause = "At " + core.ISO(w.Now()) + " an instance was taken out of service in response to an instance refresh."
	w.setLife(m, "ReplacingRootVolume")
	delay := w.deregisterHost(m)
	w.After(delay+time.Second, func() {
		if m.State == "ReplacingRootVolume" && !w.openActions(m, TransitionTerminating, "ReplacingRootVolume:Wait") {
			w.replaceVolume(m)
		}
	})
	return nil
}

// replaceVolume is when no hook holds an instance back any more: it restarts with a new root volume.
func (w *AutoScaling) replaceVolume(m *groupInstance) {
	w.setLife(m, "ReplacingRootVolume:Proceed")
	w.soon(m, w.Between(2*time.Second, 5*time.Second), func() {
		w.Instances.NewRootVolume(m.h)
		w.soon(m, m.h.Host.Boot, func() {
			if m.refreshFails {
				m.Health = "Unhealthy"
				w.replaceUnhealthy(m)
				return
			}
			w.setLife(m, "RootVolumeReplaced")
			w.soon(m, time.Second, func() {
				w.setLife(m, "Pending")
				w.join(m.h)
				if !w.openActions(m, TransitionLaunching, "Pending:Wait") {
					w.inService(m)
				}
			})
		})
	})
}

// soon lets a change happen d from now, unless the instance comes into another state or stops running before.
func (w *AutoScaling) soon(m *groupInstance, d time.Duration, change func()) {
	state := m.State
	w.After(d, func() {
		if m.State == state && m.h.Alive() {
			change()
		}
	})
}

// refreshed ends the instance refresh that an instance is part of, if there is one.
func (w *AutoScaling) refreshed(m *groupInstance, status string) {
	for i := range m.g.Refreshes {
		if r := &m.g.Refreshes[i]; m.refresh != "" && r.ID == m.refresh {
			r.Status, r.Ended = status, w.Now()
			w.emitRefresh(m, map[string]string{"Successful": "Succeeded", "Failed": "Failed"}[status])
		}
	}
	m.refresh = ""
}

// emitRefresh tells EventBridge about the instance refresh that an instance is part of.
// https://docs.aws.amazon.com/autoscaling/ec2/userguide/instance-refresh-eventbridge-events.html
func (w *AutoScaling) emitRefresh(m *groupInstance, what string) {
	detailType := "EC2 Auto Scaling Instance Refresh " + what
	if w.Bus.Wants("aws.autoscaling", detailType) {
		w.Bus.Emit(core.Entry{}, "aws.autoscaling", detailType, []string{m.g.ARN},
			map[string]string{"InstanceRefreshId": m.refresh, "AutoScalingGroupName": m.g.Name})
	}
}
