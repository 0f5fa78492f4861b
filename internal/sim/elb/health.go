package elb

import (
	"time"
)

// What health checks find, and where requests go.

// answers reports whether something behind the target answers health checks.
func (w *ELB) answers(t *target) bool {
	if t.owner != nil {
		return t.owner.Answers()
	}
	h := w.instances.Find(t.ID)
	return h == nil || h.Alive()
}

// targetDies lets the health checks of a target fail from now on.
func (w *ELB) targetDies(t *target) {
	turn := t.turn
	w.After(t.tg.Check, func() {
		if t.turn == turn && t.State == "healthy" {
			w.sick(t)
		}
	})
}

// propagation is how long a target is still sent new requests that is no longer healthy. AWS names no time. Users measured 4 to 17 s with
// application load balancers, and about two minutes with network load balancers for targets that are deregistered; one that fails its health
// checks is left alone sooner.
// https://github.com/kubernetes-sigs/aws-load-balancer-controller/issues/2366, https://github.com/aws/containers-roadmap/issues/470
func (w *ELB) propagation(tg *targetGroup, state string) time.Duration {
	switch {
	case tg.Propagation != 0:
		return max(tg.Propagation, 0)
	case tg.Network() && state == "draining":
		return 120 * time.Second
	case tg.Network():
		return 0
	case w.Switches.Propagation > 0:
		return w.Switches.Propagation
	}
	return 4 * time.Second
}

// sick lets a target be unhealthy. With a network load balancer it may keep its connections for a while.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/network/edit-target-group-attributes.html
func (w *ELB) sick(t *target) {
	const reason = "Target.FailedHealthChecks"
	if !t.tg.Network() || !t.tg.KeepUnhealthy || t.tg.UnhealthyDraining == 0 {
		w.setTarget(t, "unhealthy", reason)
		return
	}
	w.setTarget(t, "unhealthy.draining", reason)
	turn := t.turn
	w.After(t.tg.UnhealthyDraining, func() {
		if t.turn == turn {
			w.setTarget(t, "unhealthy", reason)
		}
	})
}

// Routes are the targets of a target group as they are, those included that were registered a short while ago, which may still have
// connections; nil if there is no such target group.
func (w *ELB) Routes(arn string) (TargetGroup, []Target) {
	tg := w.balancer[arn]
	if tg == nil {
		return TargetGroup{}, nil
	}
	var all []Target
	for _, t := range tg.targets {
		all = append(all, t.Target)
	}
	for _, t := range tg.left {
		if tg.find(t.ID, t.Port) == nil {
			all = append(all, t.Target)
		}
	}
	return tg.TargetGroup, all
}
