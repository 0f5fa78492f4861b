package ec2

import (
	"slices"
	"time"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// spotNotice is how long before the end of a Spot Instance EC2 warns. Hibernation begins at once.
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html
const spotNotice = 2 * time.Minute

// What EC2 does with a Spot Instance whose capacity it takes back.
const (
	terminate = "terminate"
	stop      = "stop"
	hibernate = "hibernate"
)

// Interrupt takes the capacity of a Spot Instance back: EC2 warns, and terminates, stops or hibernates it (empty: terminate). No hook and
// no protection holds that. AWS has no such call.
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html
func (w *EC2) Interrupt(id, action string) error {
	h, err := w.spot(id)
	if err != nil {
		return err
	}
	if action == "" {
		action = terminate
	}
	switch {
	case !slices.Contains([]string{terminate, stop, hibernate}, action):
		return core.Refuse("InvalidParameterValue", "The instance action %q is invalid: it must be terminate, stop or hibernate.", action)
	case w.warned[id]:
		return core.Refuse("IncorrectInstanceState", "Instance %s has its interruption notice already.", id)
	}
	w.As("aws", func() { w.warn(h, action) })
	return nil
}

// Recommend tells that a Spot Instance is at an elevated risk of interruption. AWS has no such call.
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/rebalance-recommendations.html
func (w *EC2) Recommend(id string) error {
	h, err := w.spot(id)
	if err == nil {
		w.As("aws", func() { w.recommend(h) })
	}
	return err
}

// spot is a Spot Instance that runs.
func (w *EC2) spot(id string) (*core.Instance, error) {
	hosts, err := w.findHosts([]string{id})
	switch {
	case err != nil:
		return nil, err
	case !hosts[0].Host.Spot:
		return nil, core.Refuse("UnsupportedOperation", "Instance %s is no Spot Instance, so EC2 does not interrupt it.", id)
	case hosts[0].State != "running":
		return nil, core.Refuse("IncorrectInstanceState", "Instance %s is %s, so EC2 does not interrupt it.", id, hosts[0].State)
	}
	return hosts[0], nil
}

func (w *EC2) recommend(h *core.Instance) {
	w.recommended[h.ID] = true
	w.notice(h, core.NoticeRebalance, "")
	w.tell("EC2 Instance Rebalance Recommendation", w.ARN("ec2", "instance/"+h.ID), map[string]any{"instance-id": h.ID})
	w.observer.Recommended(h)
}

// warn is the notice. If there was no recommendation before, it comes with it.
func (w *EC2) warn(h *core.Instance, action string) {
	if !w.recommended[h.ID] {
		w.recommend(h)
	}
	w.warned[h.ID] = true
	w.marks(h, action)
	w.notice(h, core.NoticeInterrupted, action)
	w.tell("EC2 Spot Instance Interruption Warning", "arn:aws:ec2:"+h.Zone+":instance/"+h.ID,
		map[string]any{"instance-id": h.ID, "instance-action": action})
	w.observer.Warned(h)
	in := spotNotice
	if action == hibernate {
		in = 0
	}
	w.After(in, func() { w.reclaim(h, action) })
}

// reclaim is the end of the notice, unless somebody has ended the instance before.
func (w *EC2) reclaim(h *core.Instance, action string) {
	delete(w.warned, h.ID)
	switch {
	case !h.Alive():
	case action == terminate:
		w.ShutDown(h)
		w.observer.Ended(h)
	default:
		w.requests[h.ID] = spotStatus{"instance-stopped-no-capacity", action, w.Now()}
		w.stop(h)
	}
}

func (w *EC2) notice(h *core.Instance, what, text string) {
	w.Log(core.Entry{Kind: core.EntryNotice, Instance: h.ID, Group: h.Group, ContainerInstance: h.ContainerInstance, To: what, Text: text})
}

// tell puts an event about an instance on the bus.
func (w *EC2) tell(detailType, arn string, detail map[string]any) {
	if w.bus.Wants("aws.ec2", detailType) {
		w.bus.Emit(core.Entry{}, "aws.ec2", detailType, []string{arn}, detail)
	}
}
