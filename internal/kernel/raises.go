package kernel

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/desired"
	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

// Who raises desired counts: hosts that leave, of groups with ReplaceFirst, and Fargate Spot without capacity.

// raiseGrace is how long a raise lasts after the drain that has asked for it.
const raiseGrace = time.Minute

// emptying reports whether ECS takes the tasks of the host of a drain away, or has been asked to.
func (e *entry) emptying() bool {
	return e.d.Target.Kind == fleet.Host && e.d.ContainerInstance != "" && (!e.d.Asked.IsZero() || !e.d.DrainingSince.IsZero())
}

// replaces reports whether the tasks on the host of a drain are to be replaced before they stop, and it is not known yet which these are.
func (e *entry) replaces() bool {
	return e.man.ReplaceFirst && !e.weighed && !e.man.Policy.Observe && e.emptying() && e.d.Cluster == e.man.Cluster
}

// countWants are the looks that say which tasks are on a host that leaves, at once: the drain itself can wait with its list.
func countWants(k *Kernel, e *entry, now time.Time) (wants []drain.Want) {
	if !e.replaces() {
		return nil
	}
	if len(e.running.Starts) == 0 {
		return []drain.Want{{Subject: plan.Subject{Kind: plan.ListRunning, In: e.d.Cluster, ID: string(e.d.ContainerInstance)}, Due: now}}
	}
	for _, t := range e.tasks {
		if s := serviceIn(e.d.Cluster, t.Value.Service()); t.Is == fleet.Unknown {
			wants = append(wants, drain.Want{Subject: taskIn(e.d.Cluster, t.Value.ARN), Due: now})
		} else if s.ID != "" && now.Sub(known[fleet.Service](k.facts, s).At) > countFresh {
			wants = append(wants, drain.Want{Subject: s, Due: now})
		}
	}
	return wants
}

// onHost is how many tasks of each service are to run on the host of a drain; false: not all of them are known.
func onHost(e *entry) (of map[string]int, all bool) {
	of, all = map[string]int{}, len(e.running.Starts) > 0
	for _, t := range e.tasks {
		switch v := &t.Value; {
		case t.Is == fleet.Unknown:
			all = false
		case t.Is == fleet.Seen && !v.Leaves() && v.Service() != "":
			of[v.Service()]++
		}
	}
	return of, all
}

// raiseForHosts raises the desired counts of services whose tasks are on hosts that leave, and drops what has been raised for hosts.
func raiseForHosts(k *Kernel, now time.Time) {
	if len(k.counts) == 0 && !(k.replaces && slices.ContainsFunc(k.sorted, (*entry).replaces)) {
		return
	}
	leaving, open, blind := map[plan.Subject]int{}, map[string]bool{}, map[string]bool{} // blind: some tasks of a cluster are not known
	for _, e := range k.sorted {
		open[e.d.Key] = true
		if e.emptying() {
			of, all := onHost(e)
			blind[e.d.Cluster] = blind[e.d.Cluster] || !all
			for service, n := range of { //ebb:any-order sums
				leaving[serviceIn(e.d.Cluster, service)] += n
			}
		}
	}
	for _, e := range k.sorted {
		if e.replaces() {
			weigh(k, e, leaving, now)
		}
	}
	for _, c := range k.counts { //ebb:any-order each for itself
		s := serviceIn(c.Cluster, c.Service)
		f := known[fleet.Service](k.facts, s)
		replaced := f.Is == fleet.Seen && !c.Sure.IsZero() && !f.At.Before(c.Sure) && f.Value.Running-leaving[s] >= c.Base && !blind[c.Cluster]
		c.dropRaises(open, f.Value.Deploying, replaced, now)
	}
}

// weigh raises what is to be raised for a host, once it is known.
func weigh(k *Kernel, e *entry, leaving map[plan.Subject]int, now time.Time) {
	of, all := onHost(e)
	for service := range of { //ebb:any-order all of them
		f := known[fleet.Service](k.facts, serviceIn(e.d.Cluster, service))
		all = all && f.Is != fleet.Unknown && now.Sub(f.At) <= countFresh
	}
	if !all {
		return
	}
	e.weighed = true
	for _, service := range slices.Sorted(maps.Keys(of)) {
		s := serviceIn(e.d.Cluster, service)
		f := known[fleet.Service](k.facts, s)
		base, raised, own := f.Value.Desired, 0, 0
		if c := k.counts[countKey(s.In, service)]; c != nil {
			base, raised, own = cmp.Or(c.Base, base), c.Raised(), c.by(e.d.Key)
		}
		by := min(of[service], lacking(f.Value, base, base+raised, leaving[s]))
		if by <= 0 || f.Is != fleet.Seen {
			continue
		}
		if c := countOf(k, s.In, service); c != nil {
			c.Entry = c.Raise(desired.Raise{Who: e.d.Key, By: own + by, Until: now.Add(e.man.Policy.Deadline)})
		}
	}
}

// lacking is by how much more than to want the desired count of a service must be raised so that base tasks run without those that leave. ECS
// itself starts as many before the old tasks stop as maximumPercent allows, rounded down; and while a deployment is under way it starts and
// stops tasks for that.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/container-instance-draining.html
func lacking(s fleet.Service, base, want, leaving int) int {
	if s.Daemon || s.Deploying || s.Desired == 0 || s.MaxPercent == 0 {
		return 0
	}
	there := s.Running + s.Pending
	staying := there - leaving
	starts := max(0, min(want-staying, want*s.MaxPercent/100-there))
	return base - staying - starts
}

// dropRaises drops what was raised for hosts: once as many tasks run as before without those that leave, or a while after the drain has
// ended. A deployment is waited for, but no longer than the raise lasts.
func (c *count) dropRaises(open map[string]bool, deploying, replaced bool, now time.Time) {
	for _, r := range slices.Clone(c.Raises) {
		switch {
		case strings.HasPrefix(r.Who, spotPrefix) || deploying:
		case replaced && !r.In.IsZero() && c.Write.At.IsZero():
			c.Entry = c.Drop(r.Who, now)
		case !open[r.Who]:
			c.Entry = c.Drop(r.Who, now.Add(raiseGrace))
		}
	}
}
