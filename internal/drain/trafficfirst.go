package drain

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

// Traffic first: the targets of some services are taken out before their host is set DRAINING. ECS itself deregisters a task and sends SIGTERM
// once the deregistration delay is over; a Network Load Balancer may send new connections for two minutes, and clients of Cloud Map know an
// address for as long as the TTL of its record.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/network/edit-target-group-attributes.html

// TrafficFirst is the rule of a service of which traffic leaves first.
type TrafficFirst struct {
	Cluster, Service string
	Wait             time.Duration // from when its targets are out until their host is set DRAINING, at least
	Quiet            string        // URL that says how many connections a target has; empty: nobody is asked
}

// Early is what is remembered of targets that are taken out before DRAINING. A time that has not come is zero; each is no earlier than the
// one before it.
type Early struct {
	Taken      []Taken   `json:"taken,omitempty"`      // what Ebb has asked to leave, or is about to
	Crowded    bool      `json:"crowded,omitempty"`    // a target group had no room for that: the journal says so
	EarlyFrom  time.Time `json:"early_from,omitzero"`  // when that began
	EarlyOut   time.Time `json:"early_out,omitzero"`   // the first decision that knew all of them to be out; none has served since
	QuietSince time.Time `json:"quiet_since,omitzero"` // the first look that found no connection, and none since has found any
	EarlyOver  time.Time `json:"early_over,omitzero"`  // DRAINING need not wait any more
}

// Taken is one target.
type Taken struct {
	In   fleet.ARN `json:"in"`
	ID   string    `json:"id"`
	Port int       `json:"port,omitempty"` // 0: at each port
}

func (e Early) same(o Early) bool {
	type times [4]time.Time
	return e.Crowded == o.Crowded && slices.Equal(e.Taken, o.Taken) &&
		times{e.EarlyFrom, e.EarlyOut, e.QuietSince, e.EarlyOver} == times{o.EarlyFrom, o.EarlyOut, o.QuietSince, o.EarlyOver}
}

const (
	// quietFor is for how long the connection count must be zero.
	quietFor = 20 * time.Second
	// ttlMargin is for how much longer than the TTL clients may know a record of Cloud Map.
	ttlMargin = 5 * time.Second
)

// trafficLeft reports whether DRAINING need not wait for traffic to leave. A wait is never longer than half of the time that is left when it
// begins. There is none once EC2 takes the host back, or while ECS does not reach it.
func trafficLeft(c *decider) bool {
	d := c.d()
	of := slices.DeleteFunc(slices.Clone(c.p.TrafficFirst), func(f TrafficFirst) bool { return f.Cluster != d.Cluster })
	if len(of) == 0 || d.hasMinutes() || d.Observed || !d.UnreachedFrom.IsZero() || !d.EarlyOver.IsZero() || !d.Asked.IsZero() {
		return true
	}
	if d.EarlyFrom.IsZero() {
		d.EarlyFrom = c.now
	}
	out := leaveFirst(c, of)
	end := d.EarlyFrom.Add(Deadline(*d, c.hook, c.p).Sub(d.EarlyFrom) / 2)
	switch {
	case out:
		if len(d.Taken) > 0 {
			c.note("traffic-first", "its targets have been out for %s: DRAINING follows", c.now.Sub(d.EarlyOut).Round(time.Second))
		}
	case !c.now.Before(end):
		c.note("traffic-first", "half of the time until the deadline is over, so DRAINING does not wait any longer %s", c.out.Waiting)
	default:
		c.wake(end)
		return false
	}
	d.EarlyOver = c.now
	return true
}

// leaveFirst takes the targets of services of which traffic leaves first out, and reports whether nothing more has to be waited for.
func leaveFirst(c *decider, of []TrafficFirst) bool {
	d := c.d()
	if !c.listAfter(Later(d.EarlyFrom, c.now.Add(-2*c.p.LookSlow)), plan.ListRunning) || !described(c) {
		c.out.Waiting = "to list the tasks on it, whose traffic may have to leave first"
		return false
	}
	var targets, asked []plan.Subject
	var wait time.Duration
	known := true
	for _, f := range c.tasks { // some may not have been registered yet
		c.want(plan.Subject{Kind: plan.Tasks, In: d.Cluster, ID: string(f.Value.ARN)}, f.Is, f.At, c.p.LookSlow)
	}
	for _, t := range c.liveTasks() {
		i := slices.IndexFunc(of, func(f TrafficFirst) bool { return f.Service == t.Service() })
		if i < 0 || t.Leaves() {
			continue
		}
		svc := c.service(t)
		known = known && svc.Is != fleet.Unknown
		own := len(asked)
		for _, s := range registrations(d.Instance(), t, svc.Value) {
			targets, wait = append(targets, s), max(wait, of[i].Wait)
			if s.Kind == plan.Names {
				ttl := factOf[fleet.Delay](c, plan.Subject{Kind: plan.TTLs, In: s.In})
				c.want(plan.Subject{Kind: plan.TTLs, In: s.In}, ttl.Is, ttl.At, time.Hour)
				known, wait = known && ttl.Is != fleet.Unknown, max(wait, ttl.Value.Delay+ttlMargin)
			} else if again := func(a plan.Subject) bool { return a.Port == s.Port }; of[i].Quiet != "" && !slices.ContainsFunc(asked[own:], again) {
				asked = append(asked, plan.Subject{Kind: plan.Connections, In: of[i].Quiet, ID: s.ID, Port: s.Port})
			}
		}
	}
	if !known {
		c.out.Waiting = "to learn where the tasks are registered whose traffic leaves first" + c.trouble(plan.Services, plan.TTLs)
		return false
	}
	if len(targets) == 0 {
		return true
	}
	return room(c, targets) && outSince(c, targets) && waited(c, targets, wait) && noConnections(c, asked)
}

// outSince takes targets out, and reports whether none of them has served since d.EarlyOut. ECS may register them again, as somebody has seen
// (https://github.com/aws/containers-roadmap/issues/251): then they are taken out again, at best before they are healthy.
func outSince(c *decider, targets []plan.Subject) bool {
	e := &c.d().Early
	var names []string
	taken := slices.Clone(e.Taken)
	for _, s := range targets {
		if t := (Taken{fleet.ARN(s.In), s.ID, s.Port}); !slices.Contains(taken, t) {
			taken, names = append(taken, t), append(names, fmt.Sprintf("%s:%d of %s", s.ID, s.Port, placeName(s)))
		}
		h := healthOf(c, s)
		if h.Is == fleet.Seen && h.Value.InUse() && h.Value.State != "initial" {
			e.EarlyOut, e.QuietSince = time.Time{}, time.Time{}
		}
	}
	if len(names) > 0 {
		c.note("traffic-first", "its traffic leaves first: takes out %s", someNames(names))
		e.Taken = taken
	}
	if c.deregister(targets) && e.EarlyOut.IsZero() {
		e.EarlyOut = c.now
	}
	return !e.EarlyOut.IsZero()
}

func someNames(names []string) string {
	if len(names) > 10 {
		names = append(slices.Clone(names[:10]), fmt.Sprintf("and %d more", len(names)-10))
	}
	return strings.Join(names, ", ")
}

// waited reports whether the stated wait is over, and the TTLs, and the targets were out to the end.
func waited(c *decider, targets []plan.Subject, wait time.Duration) bool {
	by := c.d().EarlyOut.Add(wait + c.p.Skew)
	seen := true
	for _, s := range targets {
		if healthOf(c, s).At.Before(by) {
			c.wantAt(s, Later(c.now, by))
			seen = false
		}
	}
	if seen {
		return true
	}
	c.out.Waiting = "until " + by.UTC().Format("15:04:05 UTC") + ": clients may still open connections to its targets, which are out"
	return false
}

// noConnections reports whether no target has had a connection for a while. A count that cannot be read is not zero.
func noConnections(c *decider, asked []plan.Subject) bool {
	e := &c.d().Early
	open, oldest := 0, c.now
	for _, s := range asked {
		n := factOf[int](c, s)
		c.want(s, n.Is, n.At, c.p.LookFast)
		if n.Is != fleet.Seen || n.At.Before(e.EarlyOut) {
			c.out.Waiting = "to learn how many connections " + s.ID + " has" + c.trouble(plan.Connections)
			return false
		}
		open += n.Value
		if n.At.Before(oldest) {
			oldest = n.At
		}
	}
	if open > 0 {
		e.QuietSince = time.Time{}
		c.out.Waiting = fmt.Sprintf("for %d connections to its targets to end", open)
		return false
	}
	e.QuietSince = since(e.QuietSince, true, oldest)
	c.out.Waiting = "to see no connection to its targets for " + quietFor.String()
	return len(asked) == 0 || oldest.Sub(e.QuietSince) >= quietFor
}

// room reports whether targets may leave without fewer being healthy in a target group than it must have: then its load balancer would send
// requests to all of them. Those that other hosts have taken out count as gone.
func room(c *decider, targets []plan.Subject) bool {
	ok := true
	var groups []string
	for _, s := range targets {
		if s.Kind == plan.Targets && !slices.Contains(groups, s.In) && !slices.Contains(c.d().Taken, Taken{fleet.ARN(s.In), s.ID, s.Port}) {
			groups = append(groups, s.In)
		}
	}
	for _, g := range groups {
		var mine []Taken
		for _, s := range targets {
			if s.In == g {
				mine = append(mine, Taken{fleet.ARN(g), s.ID, s.Port})
			}
		}
		ok = roomIn(c, g, mine) && ok
	}
	return ok
}

func roomIn(c *decider, group string, mine []Taken) bool {
	in := plan.Subject{Kind: plan.Delays, In: group}
	least := factOf[fleet.Delay](c, in)
	c.want(in, least.Is, least.At, time.Hour)
	c.out.Want[len(c.out.Want)-1].Needed = true
	in.Kind = plan.GroupHealth
	all := factOf[[]fleet.Health](c, in)
	c.want(in, all.Is, all.At, c.p.Look)
	name := fleet.TargetGroup{ARN: fleet.ARN(group)}.Name()
	if least.Is == fleet.Unknown || all.Is == fleet.Unknown || c.now.Sub(all.At) > 2*c.p.Look {
		c.out.Waiting = "to see how many targets of " + name + " are healthy, and must be" + c.trouble(plan.Delays, plan.GroupHealth)
		return false
	}
	leaving := slices.Concat(c.seen.Taken(fleet.ARN(group)), mine)
	healthy, there, lost := 0, 0, 0
	for _, h := range all.Value {
		switch is := func(t Taken) bool { return h.Target.Is(fleet.TargetID{ID: t.ID, Port: t.Port}) }; {
		case !h.InUse():
		case slices.ContainsFunc(leaving, is):
			if h.State == "healthy" && slices.ContainsFunc(mine, is) {
				lost++
			}
		default:
			if there++; h.State == "healthy" {
				healthy++
			}
		}
	}
	v := least.Value
	if lost == 0 || !v.Opens(healthy, there) {
		return true
	}
	must := fmt.Sprint(v.LeastHealthy)
	if healthy >= v.LeastHealthy {
		must = fmt.Sprintf("%d%% of %d", v.LeastPercent, there)
	}
	c.out.Waiting = fmt.Sprintf("for room in target group %s: without the targets of this host and of others that leave, %d would be healthy, and %s must be",
		name, healthy, must)
	if e := &c.d().Early; !e.Crowded {
		e.Crowded = true
		c.note("traffic-first", "waits %s", c.out.Waiting)
	}
	return false
}
