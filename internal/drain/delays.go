package drain

import (
	"slices"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

// pace is how soon a live task is looked at again: fast while it stops, but slower while its targets drain, because it is known how long
// that takes.
func (c *decider) pace(t *fleet.Task, at time.Time) time.Duration {
	switch {
	case t.DesiredStatus != fleet.Stopped:
		return c.p.Look
	case t.LastStatus != fleet.Deactivating && t.StoppingAt.IsZero():
		return c.p.LookFast
	case t.LastStatus != fleet.Deactivating: // what has taken long is looked at less often: after ten minutes, and each minute after two hours
		return max(c.p.LookFast, min(at.Sub(t.StoppingAt)/120, c.p.LookSlow))
	}
	delay, known := c.delay(t)
	if !known || t.StoppingAt.IsZero() {
		return c.p.Look
	}
	end := t.StoppingAt.Add(delay + time.Second)
	return max(c.p.LookFast, min(end.Sub(at), c.p.LookSlow))
}

// delay is the longest deregistration delay of a task's target groups.
func (c *decider) delay(t *fleet.Task) (longest time.Duration, known bool) {
	if t.Service() == "" {
		return 0, true
	}
	svc := c.service(t)
	known = svc.Is != fleet.Unknown
	for _, lb := range svc.Value.LoadBalancers {
		if lb.TargetGroup == "" {
			continue // a Classic Load Balancer
		}
		s := plan.Subject{Kind: plan.Delays, In: string(lb.TargetGroup)}
		f := factOf[fleet.Delay](c, s)
		c.want(s, f.Is, f.At, time.Hour)
		c.out.Want[len(c.out.Want)-1].Needed = c.p.Tick > 0 && begins(c) // a pass knows nothing of what the one before has seen
		known = known && f.Is == fleet.Seen
		longest = max(longest, f.Value.Delay)
	}
	return longest, known
}

// begins reports whether DRAINING was seen lately.
func begins(c *decider) bool {
	since := c.d().DrainingSince
	return !since.IsZero() && c.now.Sub(since) <= 2*(time.Minute+c.p.Tick)
}

// tellDelays notes when a drain begins that the deregistration delay of a service is longer than the time until the deadline: ECS sends SIGTERM
// only when the delay is over, requests or not.
func tellDelays(c *decider, waited []*fleet.Task) {
	d := c.d()
	if d.DelayTold || !begins(c) {
		return
	}
	for _, t := range waited {
		from := d.DrainingSince
		first := func(f TrafficFirst) bool { return f.Cluster == d.Cluster && f.Service == t.Service() }
		if slices.ContainsFunc(c.p.TrafficFirst, first) && !d.EarlyOut.IsZero() {
			from = d.EarlyOut
		}
		left := Deadline(*d, c.hook, c.p).Sub(from)
		if delay, known := c.delay(t); known && delay >= left {
			c.note("delay", "the deregistration delay of service %s is %s, and %s are left until the deadline: its tasks get SIGTERM when the delay is over, "+
				"so they are cut off; give its target group a shorter delay, or the group a longer deadline", t.Service(), delay, left.Round(time.Second))
			d.DelayTold = true
			return
		}
	}
}
