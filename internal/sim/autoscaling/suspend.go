package autoscaling

import (
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/autoscaling"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// processes are what can be suspended. The simulated cloud has Launch, Terminate, HealthCheck and ReplaceUnhealthy; the others are
// shown only.
// https://docs.aws.amazon.com/autoscaling/ec2/userguide/as-suspend-resume-processes.html
func processes() []string {
	return []string{"Launch", "Terminate", "AddToLoadBalancer", "AlarmNotification", "AZRebalance", "HealthCheck", "InstanceRefresh",
		"ReplaceUnhealthy", "ScheduledActions"}
}

// suspended reports whether one of the processes of a group is suspended.
func (g *group) suspended(any ...string) bool {
	return slices.ContainsFunc(any, func(process string) bool { return slices.Contains(g.Suspended, process) })
}

// SuspendProcesses suspends processes of a group, or all if none is named. What is under way goes on.
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_SuspendProcesses.html
func (w *AutoScaling) SuspendProcesses(group string, named []string) error {
	g, named, err := w.processesOf(group, named)
	if err != nil {
		return err
	}
	for _, process := range named {
		if !g.suspended(process) {
			g.Suspended = append(slices.Clone(g.Suspended), process)
		}
	}
	return nil
}

// ResumeProcesses resumes processes of a group, or all if none is named. The group soon finds what it has missed.
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_ResumeProcesses.html
func (w *AutoScaling) ResumeProcesses(group string, named []string) error {
	g, named, err := w.processesOf(group, named)
	if err != nil {
		return err
	}
	g.Suspended = slices.DeleteFunc(slices.Clone(g.Suspended), func(process string) bool { return slices.Contains(named, process) })
	w.reconcileSoon(g)
	for _, m := range slices.Clone(g.members) {
		switch {
		case m.Health == "Unhealthy":
			w.After(w.Between(5*time.Second, 15*time.Second), func() { w.replaceUnhealthy(m) })
		case !m.h.Alive():
			w.InstanceEnded(m.h)
		}
	}
	return nil
}

func (w *AutoScaling) processesOf(group string, named []string) (*group, []string, error) {
	g, err := w.findGroup(group)
	if err != nil {
		return nil, nil, err
	}
	if len(named) == 0 {
		return g, processes(), nil
	}
	for _, process := range named {
		if err := oneOf("scalingProcesses", process, processes()...); err != nil {
			return nil, nil, err
		}
	}
	return g, named, nil
}

func (s api) suspend(_ *core.Call, in *autoscaling.SuspendProcessesInput) (*autoscaling.SuspendProcessesOutput, error) {
	return &autoscaling.SuspendProcessesOutput{}, s.SuspendProcesses(*in.AutoScalingGroupName, in.ScalingProcesses)
}

func (s api) resume(_ *core.Call, in *autoscaling.ResumeProcessesInput) (*autoscaling.ResumeProcessesOutput, error) {
	return &autoscaling.ResumeProcessesOutput{}, s.ResumeProcesses(*in.AutoScalingGroupName, in.ScalingProcesses)
}
