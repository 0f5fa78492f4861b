package autoscaling

import "github.com/ebbhq/ebb/internal/sim/core"

// Recommended lets a group with Capacity Rebalancing replace a Spot Instance that is at risk: it is terminated once its replacement is in
// service. A group without it does nothing.
// https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-capacity-rebalancing.html
func (w *AutoScaling) Recommended(h *core.Instance) {
	m := w.members[h.ID]
	if m == nil || !m.g.Rebalance || m.State != "InService" || m.doomed {
		return
	}
	m.doomed = true
	m.because = "At " + core.ISO(w.Now()) + " an instance was taken out of service in response to an EC2 instance rebalance recommendation."
	w.reconcileSoon(m.g)
}

// Warned lets a group with Capacity Rebalancing terminate a Spot Instance, through its hooks, as soon as EC2 gives notice. Without it the
// group finds out when EC2 has ended the instance.
// https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-capacity-rebalancing.html
func (w *AutoScaling) Warned(h *core.Instance) {
	m := w.members[h.ID]
	if m == nil || !m.g.Rebalance || !m.serves() || m.g.suspended("Terminate") {
		return
	}
	m.doomed = false
	w.terminateInGroup(m, "At "+core.ISO(w.Now())+" an instance was taken out of service in response to an EC2 Spot interruption notice.")
}
