package elb

import (
	"net/netip"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// What is registered by instance id, and by whom ever.

// RegisterInstance registers an instance with a target group, if there is one of that ARN.
func (w *ELB) RegisterInstance(arn, id string) {
	if tg := w.balancer[arn]; tg != nil {
		w.registerTarget(tg, id, tg.Port, nil)
	}
}

// DeregisterInstance starts the deregistration of an instance and returns how long it takes; 0 if it is not registered.
func (w *ELB) DeregisterInstance(arn, id string) time.Duration {
	tg := w.balancer[arn]
	if tg == nil {
		return 0
	}
	t := tg.find(id, tg.Port)
	if t == nil {
		return 0
	}
	w.deregisterTarget(tg, t)
	return tg.Delay
}

// InstanceDown lets the health checks of what was registered by instance id without ECS fail from now on.
func (w *ELB) InstanceDown(h *core.Instance) {
	for _, t := range w.ownerless(h.ID) {
		w.targetDies(t)
	}
}

// InstanceUp lets them succeed again.
func (w *ELB) InstanceUp(h *core.Instance) {
	for _, t := range w.ownerless(h.ID) {
		turn := t.turn
		w.After(t.tg.Check, func() {
			if t.turn == turn && strings.HasPrefix(t.State, "unhealthy") && w.answers(t) {
				w.setTarget(t, "healthy", "")
			}
		})
	}
}

// ownerless are the registrations of an instance that ECS did not make.
func (w *ELB) ownerless(instance string) []*target {
	var all []*target
	for _, tg := range w.balanced {
		for _, t := range tg.targets {
			if tg.Type == "instance" && t.ID == instance && t.owner == nil {
				all = append(all, t)
			}
		}
	}
	return all
}

// checkTargets refuses what cannot be a target of a group.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TargetDescription.html
func (tg *targetGroup) checkTargets(targets []Target) error {
	for _, t := range targets {
		switch ip, err := netip.ParseAddr(t.ID); {
		case tg.Type == "instance" && !core.IsInstanceID(t.ID):
			return core.Refuse("ValidationError", "Instance ID '%s' is not valid", t.ID)
		case tg.Type == "ip" && err != nil:
			return core.Refuse("ValidationError", "The IP address '%s' is not a valid IPv4 address", t.ID)
		case tg.Type == "ip" && ip.Is6() != tg.IPv6: // AWS does not say how it refuses it
			return core.Refuse("ValidationError", "The IP address '%s' is not of the IP address type of the target group", t.ID)
		}
	}
	return nil
}
