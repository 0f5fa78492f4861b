package drain

import (
	"slices"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

// Somebody may have registered a task in a target group that its service does not name. Ebb finds that by reading every target group of the
// VPC: this is called the net. It is read when targets are to be taken out, and after those that the service names.

const (
	// netAge is how old what was read may be: drains in one VPC share it.
	netAge = 2 * time.Minute
	// netFor is how long the net is waited for at most: one target group takes one call, of which there are five a second.
	netFor = time.Minute
)

// netOf are the endpoints under which a task is registered although its service does not name them, and whether every target group that could
// have it was read. What is not known is looked at.
func netOf(c *decider, t *fleet.Task, named []plan.Subject) (more []plan.Subject, read bool) {
	host := c.d().Instance()
	var ids []string
	for _, a := range t.Addresses {
		id := a.IP
		if id == "" {
			id = string(host)
		}
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return nil, true // it listens nowhere
	}
	vpc := vpcOf(c, t)
	if vpc.Value == "" {
		return nil, vpc.Is != fleet.Unknown
	}
	read = true
	for _, id := range ids {
		s := plan.Subject{Kind: plan.Registered, In: vpc.Value, ID: id}
		f := factOf[[]fleet.Health](c, s)
		c.want(s, f.Is, f.At, netAge)
		read = read && f.Is != fleet.Unknown && c.now.Sub(f.At) <= netAge
		for _, e := range fleet.Registered(host, t, f.Value) {
			if s := subjectOf(e); !slices.Contains(named, s) && !slices.Contains(named, plan.Subject{Kind: s.Kind, In: s.In, ID: s.ID}) {
				more = append(more, s)
			}
		}
	}
	return more, read
}

// vpcOf is the VPC of a task: that of the subnet of its network interface, or that of its host. Empty: it is not known, or there is none.
func vpcOf(c *decider, t *fleet.Task) fleet.Fact[string] {
	if t.Subnet != "" {
		s := plan.Subject{Kind: plan.VPCs, ID: t.Subnet}
		f := factOf[string](c, s)
		c.want(s, f.Is, f.At, 24*time.Hour)
		return f
	}
	if c.d().Instance() == "" {
		return fleet.Fact[string]{}
	}
	f := factOf[string](c, c.d().subject(plan.VPCs, ""))
	if f.Is == fleet.Unknown {
		c.wantAt(c.d().subject(plan.Instances, ""), c.now)
	}
	return f
}

// netUnread is why the net is not known, as the end of a sentence.
func netUnread(c *decider) string {
	return "; the target groups of its VPC that no service names could not be read" +
		c.trouble(plan.VPCs, plan.TargetGroups, plan.Registered)
}

// netText says of live tasks, as the end of a sentence, that the net was not read.
func netText(c *decider, live []*fleet.Task) string {
	for _, t := range live {
		if _, read := netOf(c, t, nil); !read {
			return netUnread(c)
		}
	}
	return ""
}

// caught reports whether the net need not be waited for any more: it has been read, or there was time enough since some moment. Time counts
// anew for each run of Ebb, as in outBy.
func caught(c *decider, read bool, since time.Time) bool {
	by := Later(since, c.seen.Since()).Add(netFor)
	if last := since.Add(netFor + 2*c.p.Tick); c.p.Tick > 0 && last.Before(by) {
		by = last
	}
	if read || !c.now.Before(by) {
		return true
	}
	c.wake(by)
	c.out.Waiting = "to read the target groups of the VPC"
	return false
}
