package drain

import (
	"cmp"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

// remember keeps what cannot be seen again: since when something has been so.
func remember(c *decider) {
	d := c.d()
	switch c.container.Is {
	case fleet.Seen:
		ci := c.container.Value
		d.AbsentSince = time.Time{}
		if d.Cluster == "" {
			d.Cluster = ci.Cluster
		}
		if c.elsewhere() {
			break
		}
		c.registered(ci)
		d.DrainingSince = since(d.DrainingSince, ci.Status == fleet.Draining, c.now) // when Ebb learnt it: never too early
		if d.DrainingSince.IsZero() {
			d.EmptySince = time.Time{} // new tasks may have come
		} else {
			d.Asked = time.Time{}
		}
		d.UnreachedFrom = unreached(c, !ci.Reached && (!ci.Connected || ci.Status == fleet.Inactive))
	case fleet.Absent:
		d.AbsentSince = since(d.AbsentSince, true, c.container.At)
		d.UnreachedFrom = unreached(c, true)
	}
	if c.instance.Is == fleet.Seen {
		d.StayingSince = since(d.StayingSince, staying(c.instance.Value.State), c.instance.At)
		d.WaitingSince = since(d.WaitingSince, c.instance.Value.State.Waiting(), c.instance.At)
	}
	if c.instance.Is != fleet.Unknown {
		d.MissingSince = since(d.MissingSince, c.instance.Is == fleet.Absent, c.instance.At)
	}
	heed(c)
	if d.held() && !d.Agent {
		checkToken(c)
		checkZero(c)
	}
}

// checkToken gives up a token that AWS does not know, or refuses as invalid: it may belong to an earlier wait of the instance, and the
// instance id names the open action. The time in the message that brought it may then belong to that wait too.
func checkToken(c *decider) {
	for _, k := range []plan.ActionKind{plan.Beat, plan.Answer} {
		if refused(c.seen.Tried(k)) {
			c.d().ByID, c.d().Doubt = true, true
		}
	}
}

// refused reports whether AWS did not take the token of an attempt.
func refused(t Try) bool {
	return (t.Class == plan.Gone || t.Class == plan.Invalid) && t.Token != "" && !t.Flying
}

// checkZero compares the deadline's zero with the start of the termination activity. A drain that was adopted has nothing better; a
// message that claims to be old, or that belongs to another wait, is not simply believed.
func checkZero(c *decider) {
	d, i := c.d(), c.instance
	waiting := i.Is == fleet.Seen && i.Value.State.Waiting()
	if d.WaitingSince.IsZero() && i.Is == fleet.Seen && !waiting {
		d.Doubt = true // the message came before the wait that it tells of
	}
	if !waiting || !d.Adopted && !d.Doubt {
		return
	}
	began := c.began()
	if began.At.Add(c.p.Skew).Before(d.WaitingSince) {
		began.Is = fleet.Unknown // that was before the wait
	}
	c.want(d.subject(plan.Activities, d.Group), began.Is, began.At, 24*time.Hour)
	if began.Is == fleet.Absent && d.Doubt && d.Zero.Before(d.WaitingSince) {
		d.Zero = d.WaitingSince // Auto Scaling knows nothing better
	}
	if began.Is != fleet.Seen {
		return
	}
	at := began.Value
	if at.After(c.now) {
		at = c.now // AWS's clock is ahead of ours
	}
	at = Later(at, d.NotBefore) // the group's own load balancers come first, and take as long as they are set to
	if d.Adopted && at.Before(d.Zero) || d.Doubt && at.After(d.Zero) {
		d.Zero = at
	}
}

// since keeps the time from which a condition has held without a break.
func since(from time.Time, holds bool, at time.Time) time.Time {
	if !holds {
		return time.Time{}
	}
	return cmp.Or(from, at)
}

// unreached is since when ECS has not reached the instance, as Ebb has seen it: after a gap without looks it begins anew.
func unreached(c *decider, now bool) time.Time {
	from := since(c.d().UnreachedFrom, now, c.container.At)
	if now && c.container.At.Sub(c.container.Before) > 2*c.p.LookSlow && from.Before(c.container.At) {
		return c.container.At
	}
	return from
}

// began is the start of the termination activity.
func (c *decider) began() fleet.Fact[time.Time] {
	return factOf[time.Time](c, c.d().subject(plan.Activities, c.d().Group))
}

// elsewhere reports whether the instance was found in another cluster than its group's: Ebb does not touch it there.
func (c *decider) elsewhere() bool {
	ci := c.container
	return ci.Is == fleet.Seen && c.d().Cluster != "" && ci.Value.Cluster != c.d().Cluster
}

func staying(s fleet.LifecycleState) bool { return !s.Waiting() && !s.Leaving() && !s.Over() }
