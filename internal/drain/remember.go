package drain

import (
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

// remember keeps the facts that cannot be seen again: since when something has been so.
func (c *decider) remember() {
	d, o := c.d(), c.o
	switch o.Container.Is {
	case fleet.Seen:
		ci := o.Container.Value
		d.AbsentSince = time.Time{}
		if d.Cluster == "" {
			d.Cluster = ci.Cluster
		}
		if c.elsewhere() {
			break
		}
		if d.ContainerInstance != ci.ARN {
			d.ContainerInstance, d.DrainingSince = ci.ARN, time.Time{} // lists of an earlier registration prove nothing of this one
		}
		d.DrainingSince = since(d.DrainingSince, ci.Status == fleet.Draining, c.now) // when Ebb learnt it: never too early
		if d.DrainingSince.IsZero() {
			d.EmptySince = time.Time{} // new tasks may have come
		} else {
			d.Asked = time.Time{}
		}
		d.UnreachedFrom = c.unreached(!ci.Connected || ci.Status == fleet.Inactive)
	case fleet.Absent:
		d.AbsentSince = since(d.AbsentSince, true, o.Container.At)
		d.UnreachedFrom = c.unreached(true)
	}
	if o.Instance.Is == fleet.Seen {
		d.StayingSince = since(d.StayingSince, staying(o.Instance.Value.State), o.Instance.At)
		d.WaitingSince = since(d.WaitingSince, o.Instance.Value.State.Waiting(), o.Instance.At)
	}
	c.checkToken()
	c.checkZero()
}

// checkToken gives up a token that AWS does not know: it may be another generation's, and the instance id names the open action. The time
// in the message that brought it may then be another's too.
func (c *decider) checkToken() {
	for _, k := range []plan.ActionKind{plan.Beat, plan.Answer} {
		if refused(c.o.Tried[k]) {
			c.d().ByID, c.d().Doubt = true, true
		}
	}
}

// refused reports whether AWS did not know the token of an attempt.
func refused(t Try) bool { return t.Class == plan.Gone && t.Token != "" && !t.Flying }

// checkZero holds the deadline's zero against the start of the termination activity. A drain that was adopted has nothing better; a
// message that claims to be old, or that is of another time than the drain, is not simply believed.
func (c *decider) checkZero() {
	d, began := c.d(), c.o.Began
	i := c.o.Instance
	waiting := i.Is == fleet.Seen && i.Value.State.Waiting()
	if d.WaitingSince.IsZero() && i.Is == fleet.Seen && !waiting {
		d.Doubt = true // heard before there was anything to hear
	}
	if !waiting || !d.Adopted && !d.Doubt {
		return
	}
	if began.At.Add(c.p.Skew).Before(d.WaitingSince) {
		began.Is = fleet.Unknown // that was before the wait
	}
	c.want(plan.Subject{Kind: plan.Activities, In: d.Group, ID: string(d.Instance)}, began.Is, began.At, 24*time.Hour)
	if began.Is == fleet.Absent && d.Doubt && d.Zero.Before(d.WaitingSince) {
		d.Zero = d.WaitingSince // Auto Scaling does not know better either
	}
	if began.Is != fleet.Seen {
		return
	}
	at := began.Value
	if at.After(c.now) {
		at = c.now // AWS's clock is ahead of ours
	}
	if at.Before(d.NotBefore) {
		at = d.NotBefore // the group's own load balancers come first, and take as long as they are set to
	}
	if d.Adopted && at.Before(d.Zero) || d.Doubt && at.After(d.Zero) {
		d.Zero = at
	}
}

// since keeps the time from which a condition has held without a break.
func since(from time.Time, holds bool, at time.Time) time.Time {
	switch {
	case !holds:
		return time.Time{}
	case from.IsZero():
		return at
	}
	return from
}

// unreached is since when ECS has not reached the instance, as Ebb has seen it: after a gap without looks it begins anew.
func (c *decider) unreached(now bool) time.Time {
	from := since(c.d().UnreachedFrom, now, c.o.Container.At)
	if now && c.o.Container.At.Sub(c.o.Before) > 2*c.p.LookSlow && from.Before(c.o.Container.At) {
		return c.o.Container.At
	}
	return from
}

// elsewhere reports whether the instance was found in another cluster than its group's: that is not Ebb's to touch.
func (c *decider) elsewhere() bool {
	ci := c.o.Container
	return ci.Is == fleet.Seen && c.d().Cluster != "" && ci.Value.Cluster != c.d().Cluster
}

func staying(s fleet.LifecycleState) bool { return !s.Waiting() && !s.Leaving() && !s.Over() }
