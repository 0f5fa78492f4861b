package traffic

import (
	"slices"
	"time"
)

// clients are clients at work.
type clients struct {
	Clients
	counts Counts
	ids    []string            // of endpoints with connections, in the order of their first one
	open   map[string][]opened // connections that may still be open, by endpoint
}

// opened are connections to one endpoint that were opened evenly over a time.
type opened struct {
	from, to time.Time
	rate     float64 // per second
}

// pass lets time go by in which nothing changes but what the endpoints say will.
func (c *clients) pass(routes []Route, from, to time.Time) {
	var all []Endpoint
	for _, r := range routes {
		all = append(all, r.Endpoints...)
	}
	c.closeGone(all, from)
	for at := from; at.Before(to); {
		next := nextChange(all, at, to)
		c.send(routes, at, next)
		for _, e := range all {
			if e.Ends.Equal(next) {
				c.counts.add(&c.counts.Died, c.close(e.ID, next), next, next)
			}
		}
		at = next
	}
	c.forget(to)
}

// closeGone ends the connections to endpoints whose process has ended, or that the load balancer has closed.
func (c *clients) closeGone(all []Endpoint, at time.Time) {
	for _, e := range all {
		if !e.Closed.IsZero() {
			c.counts.add(&c.counts.Cut, c.close(e.ID, e.Closed), e.Closed, e.Closed)
		}
		if !e.Up {
			c.counts.add(&c.counts.Died, c.close(e.ID, at), at, at)
		}
	}
}

// nextChange is when an endpoint changes next by itself, at most until.
func nextChange(all []Endpoint, at, until time.Time) time.Time {
	for _, e := range all {
		for _, t := range []time.Time{e.RoutedUntil, e.Serves, e.Ends} {
			if t.After(at) && t.Before(until) {
				until = t
			}
		}
	}
	return until
}

// send sends the requests of a time in which nothing changes.
func (c *clients) send(routes []Route, from, to time.Time) {
	sent := c.Rate * to.Sub(from).Seconds()
	c.counts.Requests += sent
	var routed []Endpoint
	for _, r := range inUse(routes) {
		routed = append(routed, r.Routed(from)...)
	}
	if len(routed) == 0 {
		c.counts.add(&c.counts.NoTarget, sent, from, to)
		return
	}
	for _, e := range routed {
		if !e.serves(from) {
			c.counts.add(&c.counts.NotServing, sent/float64(len(routed)), from, to)
			continue
		}
		c.hold(e.ID, opened{from: from, to: to, rate: c.Rate / float64(len(routed))})
	}
}

// inUse are the routes that have a healthy endpoint, or all if none has: of two target groups of a blue/green deployment one is used.
func inUse(routes []Route) []Route {
	used := slices.DeleteFunc(slices.Clone(routes), func(r Route) bool {
		return !slices.ContainsFunc(r.Endpoints, func(e Endpoint) bool { return e.Healthy })
	})
	if len(used) == 0 {
		return routes
	}
	return used
}

// Routed are the endpoints to which requests go at a time: to the healthy ones, to those that the load balancer still takes for healthy,
// and when too few are healthy to all that are registered.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health.html
func (r Route) Routed(at time.Time) []Endpoint {
	healthy, registered := 0, 0
	for _, e := range r.Endpoints {
		if e.Healthy {
			healthy++
		}
		if e.Registered {
			registered++
		}
	}
	open := healthy < max(r.LeastHealthy, 1) || healthy*100 < r.LeastPercent*registered
	return slices.DeleteFunc(slices.Clone(r.Endpoints), func(e Endpoint) bool {
		return !e.Healthy && !(open && e.Registered) && !at.Before(e.RoutedUntil)
	})
}

// serves reports whether an endpoint takes new requests at a time.
func (e Endpoint) serves(at time.Time) bool {
	return e.Up && (e.Serves.IsZero() || at.Before(e.Serves)) && (e.Ends.IsZero() || at.Before(e.Ends))
}

func (c *clients) hold(id string, o opened) {
	all := c.open[id]
	if !slices.Contains(c.ids, id) {
		c.ids = append(c.ids, id)
	}
	if n := len(all); n > 0 && all[n-1].to.Equal(o.from) && all[n-1].rate == o.rate {
		all[n-1].to = o.to
		return
	}
	c.open[id] = append(all, o)
}

// close ends the connections to an endpoint that were opened before a time at which all was counted, and says how many were
// open then.
func (c *clients) close(id string, at time.Time) float64 {
	n := c.opened(id, at)
	c.open[id] = slices.DeleteFunc(c.open[id], func(o opened) bool { return !o.to.After(at) })
	return n
}

// opened is how many connections to an endpoint were opened before a time at which all was counted, and were open then.
func (c *clients) opened(id string, at time.Time) (n float64) {
	for _, o := range c.open[id] {
		if o.to.After(at) {
			continue
		}
		if begin := at.Add(-c.Connection); o.from.Before(begin) {
			o.from = begin
		}
		if o.from.Before(o.to) {
			n += o.rate * o.to.Sub(o.from).Seconds()
		}
	}
	return n
}

// forget drops connections that are over.
func (c *clients) forget(now time.Time) {
	c.ids = slices.DeleteFunc(c.ids, func(id string) bool {
		c.open[id] = slices.DeleteFunc(c.open[id], func(o opened) bool { return now.Sub(o.to) > c.Connection })
		if len(c.open[id]) > 0 {
			return false
		}
		delete(c.open, id)
		return true
	})
}

// add counts what failed.
func (c *Counts) add(to *float64, n float64, from, until time.Time) {
	if n == 0 {
		return
	}
	*to += n
	if c.First.IsZero() {
		c.First = from
	}
	c.Last = until
}
