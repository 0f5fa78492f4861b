package drain

import (
	"cmp"
	"slices"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

// NoticeKind is what EC2 gives notice of.
type NoticeKind string

// The kinds of notice.
const (
	// Interruption: EC2 takes the capacity of a Spot Instance back, and ends the instance whatever is on it.
	Interruption NoticeKind = "interruption"
	// Rebalance: EC2 says that a Spot Instance is more likely than others to be interrupted.
	Rebalance NoticeKind = "rebalance"
	// Down: EC2 has stopped or terminated the instance.
	Down NoticeKind = "down"
)

// Notice is what is remembered of a notice of EC2. The zero Notice is none. One may come before a hook holds the instance, after that, or
// without any hook.
type Notice struct {
	Noticed   NoticeKind `json:"noticed,omitempty"`
	NoticedAt time.Time  `json:"noticed_at,omitzero"` // when Ebb heard it last
	Action    string     `json:"ends_by,omitempty"`   // terminate, stop or hibernate; empty: not known
	Ends      time.Time  `json:"ends,omitzero"`       // when EC2 ends the instance; it counts once it is verified; zero: not known
	// Verified is the first decision that knew from EC2 itself that the notice is true; of Rebalance, that it is a Spot Instance.
	Verified time.Time `json:"verified,omitzero"`
}

// warned reports whether EC2 ends the instance within minutes.
func (d *Drain) warned() bool { return d.Noticed == Interruption && !d.Verified.IsZero() }

// onlyNoticed reports whether nothing but a notice lets the host leave.
func (d *Drain) onlyNoticed() bool { return d.Noticed != "" && !d.held() && d.Word == fleet.Word{} }

// rebalances reports whether the host leaves because it is likely to be interrupted.
func (d *Drain) rebalances() bool { return d.onlyNoticed() && d.Noticed == Rebalance }

// InMinutes reports whether EC2 may end the host within minutes.
func (d *Drain) InMinutes() bool { return d.hasMinutes() || d.Noticed != "" && d.Verified.IsZero() }

// hasMinutes reports whether the host is certain to be ended within minutes: by EC2, or by an operator who rehearses that.
func (d *Drain) hasMinutes() bool { return d.warned() || d.asked() && d.Word.Rehearses() }

// because is why the host is taken out of service.
func (d *Drain) because() string {
	switch {
	case d.asked():
		return "an operator has asked for it"
	case d.warned():
		return "EC2 takes its capacity back"
	case d.rebalances():
		return "EC2 says that it is likely to be interrupted"
	}
	return "Auto Scaling is terminating it"
}

// inMinutes is a policy for a host that has minutes: it is looked at more often.
func inMinutes(p Policy) Policy {
	t := TaskPolicy()
	p.Look, p.LookFast, p.LookSlow, p.Retry = t.Look, t.LookFast, 3*t.Look, t.Retry
	return p
}

// unconfirmedFor is how long Ebb waits for EC2 to confirm a notice of which it says nothing: the instance would have ended by then.
const unconfirmedFor = fleet.SpotNotice

// unseenFor is how long Ebb waits where EC2 cannot be asked.
const unseenFor = 10 * time.Minute

// noticed verifies what an event said: it can wake Ebb but not make it act. Where nothing else lets the host leave, nothing is done before.
func noticed(c *decider) bool {
	d := c.d()
	switch {
	case d.Noticed == "" || d.warned():
		return false
	case d.Noticed == Down:
		return notDown(c)
	}
	s := factOf[fleet.SpotRequest](c, d.subject(plan.SpotRequests, ""))
	if s.Is == fleet.Seen && s.Value.Leaves() {
		warn(c, s.Value)
		return false
	}
	if d.Noticed == Rebalance && (s.Is == fleet.Seen || !d.Verified.IsZero()) {
		d.Verified = cmp.Or(d.Verified, c.now)
		pace := c.p.Look
		if c.now.Sub(d.NoticedAt) < unconfirmedFor {
			pace = c.p.LookFast
		}
		c.want(d.subject(plan.SpotRequests, ""), s.Is, s.At, pace)
		return false
	}
	c.want(d.subject(plan.SpotRequests, ""), s.Is, s.At, c.p.LookFast)
	c.out.Waiting = "to see whether EC2 takes the capacity back"
	known := unconfirmedFor
	if s.Is == fleet.Absent {
		known = c.p.Settle // it is no Spot Instance
	}
	switch {
	case s.Is != fleet.Unknown && s.At.Sub(d.NoticedAt) > known+c.p.Skew:
		return notTrue(c, "EC2 says nothing of it: "+requestText(s))
	case c.now.Sub(d.NoticedAt) > unseenFor:
		return notTrue(c, "whether that is true could not be seen"+c.trouble(plan.SpotRequests))
	}
	if d.onlyNoticed() && d.ContainerInstance == "" { // while EC2 is asked
		c.want(d.subject(plan.FindContainerInstances, d.Cluster), c.container.Is, c.container.At, c.p.Look)
	}
	return d.onlyNoticed()
}

func requestText(s fleet.Fact[fleet.SpotRequest]) string {
	if s.Is == fleet.Seen {
		return "its Spot request is " + s.Value.Code
	}
	return "it is no Spot Instance"
}

// warn takes in that EC2 itself says that it ends the instance.
func warn(c *decider, r fleet.SpotRequest) {
	d := c.d()
	d.Noticed, d.Verified, d.Action = Interruption, c.now, cmp.Or(r.Action, d.Action)
	if ends := r.Ends(); !ends.IsZero() {
		d.Ends = ends
	}
	c.p = inMinutes(c.p)
	c.note("warned", "EC2 takes the capacity of %s back (%s): %s", d.Target.ID, r.Code, endText(d))
}

// endText says how and when EC2 ends the instance.
func endText(d *Drain) string {
	what := map[string]string{"stop": "it stops the instance", fleet.Hibernates: "it hibernates the instance"}[d.Action]
	text := cmp.Or(what, "it terminates the instance")
	if !d.Ends.IsZero() {
		text += " at " + d.Ends.UTC().Format("15:04:05 UTC")
	}
	return text
}

// notDown follows a notice that the instance has gone, as long as EC2 does not say so too.
func notDown(c *decider) bool {
	d, m := c.d(), c.ec2
	c.out.Waiting = "to see whether EC2 has stopped or terminated the instance"
	switch {
	case m.Is == fleet.Seen && m.At.Sub(d.NoticedAt) > c.p.Settle+c.p.Skew:
		return notTrue(c, "EC2 says that it is "+string(m.Value))
	case c.now.Sub(d.NoticedAt) > unseenFor:
		return notTrue(c, "whether that is true could not be seen"+c.trouble(plan.Instances))
	}
	return d.onlyNoticed()
}

// notTrue drops a notice that was not confirmed. If nothing else lets the host leave, its drain ends.
func notTrue(c *decider, why string) bool {
	d := c.d()
	if !d.onlyNoticed() {
		d.Notice = Notice{}
		return false
	}
	c.close(NotLeaving, "an event said that "+d.Notice.Text()+", but "+why+"; nothing is done", nil)
	return true
}

// Text is what the event said, as a part of a sentence.
func (n Notice) Text() string {
	switch n.Noticed {
	case Interruption:
		return "EC2 takes its capacity back"
	case Rebalance:
		return "it is likely to be interrupted"
	case Down:
		return "EC2 has stopped or terminated it"
	}
	return "nothing"
}

// outAtOnce takes the targets on a host that EC2 ends within minutes out of their target groups, beside what the steps do: it waits for no
// list that proves something, and later lists show what the first one missed.
func outAtOnce(c *decider) {
	d := c.d()
	begun := !d.Asked.IsZero() || !d.DrainingSince.IsZero()
	if !d.hasMinutes() || !begun || c.container.Is != fleet.Seen || c.elsewhere() {
		return
	}
	if slices.ContainsFunc(c.out.Do, func(a plan.Action) bool { return a.Kind == plan.Deregister }) {
		return // a rule or a step does so already
	}
	waiting := c.out.Waiting
	for _, kind := range []plan.LookKind{plan.ListRunning, plan.ListStopped} { // ECS asks some to stop as soon as it takes the call
		if len(c.seen.Lists(kind).Starts) == 0 {
			c.wantAt(d.registered(kind), c.now)
		}
	}
	if !d.DrainingSince.IsZero() { // reads lag: for a moment such a task is on neither list
		c.listAfter(d.DrainingSince.Add(c.p.Settle), plan.ListStopped)
	}
	c.targetsOut(c.liveTasks(), Later(d.Verified, d.Heard))
	c.out.Waiting = cmp.Or(waiting, c.out.Waiting)
}

// hostGone: EC2 says that the instance is not running, so there is nothing to wait for.
func hostGone(c *decider) bool {
	m := c.ec2
	switch {
	case c.d().Intent != nil && c.d().Intent.Outcome != HostGone && c.instance.Is == fleet.Unknown:
		return false // after a restart: it may be gone because the hook was answered, which the group says
	case m.Is == fleet.Seen && m.Value.Gone():
		ofDead(c, "EC2 says that the instance is "+string(m.Value)+": nothing on it can be waited for")
		return true
	case m.Is == fleet.Absent:
		ofDead(c, "EC2 does not know the instance any more")
		return true
	}
	lookAtInstance(c)
	return false
}

// lookAtInstance asks EC2 about the instance: seldom while ECS reaches it.
func lookAtInstance(c *decider) {
	d, m, pace := c.d(), c.ec2, c.p.LookSlow
	if reached(c) {
		pace *= 5
	}
	if !d.UnreachedFrom.IsZero() || (c.instance.Is == fleet.Seen && !c.instance.Value.Healthy) {
		pace = c.p.Look
	}
	at := m.At
	switch {
	case d.Noticed == Down || d.rebalances():
		pace = c.p.Look
	case d.warned():
		pace = c.p.LookSlow
		if !c.now.Before(d.Ends) {
			pace = c.p.Look
		}
	case m.Is == fleet.Unknown && d.UnreachedFrom.IsZero():
		at, m.Is = d.Heard, fleet.Seen // no sign of trouble: the first look can wait
	}
	c.want(d.subject(plan.Instances, ""), m.Is, at, pace)
}

// reached reports whether ECS has just reached the instance: a dead one is soon disconnected.
func reached(c *decider) bool {
	ci := c.container
	return ci.Is == fleet.Seen && ci.Value.Connected && ci.Value.Status != fleet.Inactive && c.now.Sub(ci.At) < 2*c.p.LookSlow
}

// ofDead ends the drain of a host that is gone. Where only a notice told of it, the targets on it are taken out first: ECS goes on to say that
// the tasks of a stopped instance run, and nobody else takes them out.
func ofDead(c *decider, reason string) {
	d := c.d()
	if d.Noticed == Down {
		d.Verified = cmp.Or(d.Verified, c.now)
	}
	if d.onlyNoticed() && d.Intent == nil {
		text, done := outOfDead(c)
		if !done {
			c.out.Waiting = "for the targets on it to leave their target groups"
			return
		}
		reason += text
	}
	c.end(c, HostGone, reason, c.cutOff())
}

// outOfDead takes the targets on a host that is gone out of their target groups, and says what came of it once nothing is left to do. Once EC2
// has terminated the instance, the address of a task with a network interface of its own may be another task's.
func outOfDead(c *decider) (text string, done bool) {
	d, live := c.d(), c.liveTasks()
	if d.Cutting.IsZero() {
		d.Cutting = c.now
	}
	over := c.outBy()
	c.wake(over)
	late := !c.now.Before(over)
	switch {
	case (c.ec2.Is == fleet.Absent || c.ec2.Value == fleet.StateTerminated) && slices.ContainsFunc(live, hasAddress):
		return "; the addresses of its tasks may be those of others by now, so their targets were left to ECS", true
	case d.ContainerInstance == "" && c.container.Is == fleet.Unknown:
		c.want(d.subject(plan.FindContainerInstances, d.Cluster), c.container.Is, c.container.At, c.p.LookFast)
		return "; whether it has targets could not be seen" + c.trouble(plan.FindContainerInstances), late
	case d.ContainerInstance == "" || c.elsewhere():
		return "", true
	case len(c.running.Starts) == 0 && !late:
		c.wantAt(d.registered(plan.ListRunning), c.now)
		return "", false
	case c.targetsOut(live, d.Cutting) && len(c.running.Starts) > 0:
		if len(live) > 0 {
			text = "; of its tasks " + outOf(c, live)
		}
		return text, true
	}
	return "; its targets could not be taken out in time" + c.trouble(plan.Services, plan.Targets), late
}

// hasAddress reports whether a task has a network interface of its own.
func hasAddress(t *fleet.Task) bool {
	return slices.ContainsFunc(t.Addresses, func(a fleet.Address) bool { return a.IP != "" })
}

// hookFor is how long Auto Scaling may take until it finds out that EC2 has ended an instance, and opens its hook.
const hookFor = 5 * time.Minute

// goes lets go of a host of which only a notice of EC2 tells, and keeps how that came. It waits for the hook that Auto Scaling opens once it
// finds out, so that notice and hook are one drain.
func goes(c *decider, o Outcome, reason string, cut []string) {
	d, i := c.d(), c.instance
	if d.Intent == nil {
		d.Intent = &Answer{At: c.now, Outcome: o, Reason: reason + comesBack(c), CutOff: cut}
		if !d.Observed {
			c.note("gone", "%s: %s", o, d.Intent.Reason)
		}
	}
	over := Later(d.Zero, d.Ends).Add(hookFor)
	if d.Observed || i.Is == fleet.Absent || i.Is == fleet.Seen && i.Value.State.Over() || !c.now.Before(over) {
		c.close(d.Intent.Outcome, d.Intent.Reason, d.Intent.CutOff)
		return
	}
	c.out.Waiting = "for Auto Scaling to find out that EC2 ends the instance"
	c.lookAtGroup(c.p.LookSlow)
	c.wake(over)
}

// comesBack says of an instance that EC2 starts again some day that it is still out of service then.
func comesBack(c *decider) string {
	d := c.d()
	if d.Observed || d.Asked.IsZero() && d.DrainingSince.IsZero() || d.Action != "stop" && d.Action != fleet.Hibernates {
		return ""
	}
	return "; should EC2 start it again, it is still DRAINING: set it ACTIVE then"
}

// fixedEnd is the earlier of a deadline and the time at which EC2 ends the instance.
func fixedEnd(d *Drain, at time.Time) time.Time {
	if d.warned() && !d.Ends.IsZero() && d.Ends.Before(at) {
		return d.Ends
	}
	return at
}
