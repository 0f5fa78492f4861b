package placement

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
)

// Growth is the answer about a service that is to have more tasks.
type Growth struct {
	Lacks   int      `json:"lacks"` // so many of its tasks have provably no place
	Reasons []Reason `json:"reasons"`
	// Group is one that may be made larger and whose hosts take such tasks, and Capacity the desired capacity with which it has a place for
	// them, or its maximum if that is lower. Empty: there is none, or instances of it are on their way.
	Group    string `json:"group,omitempty"`
	Capacity int    `json:"capacity,omitempty"`
}

// String is the answer for people, with the decisive reason; empty: nothing is lacking.
func (g Growth) String() string {
	if len(g.Reasons) == 0 {
		return ""
	}
	text := g.Reasons[0].Message
	if g.Lacks > 0 {
		text = "no place for " + tasks(g.Lacks) + ": " + text
	}
	if g.Group != "" {
		text += fmt.Sprintf("; with a desired capacity of %d, group %s has one", g.Capacity, g.Group)
	}
	return text
}

// bootLimit is how long after its launch an instance that has not registered yet is still taken for one that comes.
const bootLimit = 10 * time.Minute

// Grow says for how many tasks of a service there is no place if it is to have n. Hosts that leave, or drain, count as gone. may says which groups
// may be made larger; one that ECS itself scales is not.
func Grow(s *inventory.Inventory, c *inventory.Cluster, service string, n int, may func(group string) bool) (g Growth) {
	for _, operation := range [...]string{"ecs:ListContainerInstances", "ecs:DescribeContainerInstances", "ecs:ListTasks", "ecs:DescribeTasks"} {
		if s.Missed(operation, "cluster "+c.Name) {
			return Growth{Reasons: []Reason{{Unjudged, operation + " could not be read, so whether its tasks find a place is not known"}}}
		}
	}
	of := *c // with the service as it is to be, and the tasks that have a place
	of.Tasks = slices.DeleteFunc(slices.Clone(c.Tasks), func(t *inventory.Task) bool { return t.ContainerInstance == "" })
	of.Services = slices.Clone(c.Services)
	i := slices.IndexFunc(c.Services, func(v *inventory.Service) bool { return v.Name == service })
	if i < 0 {
		return Growth{}
	}
	wanted := *c.Services[i]
	for _, item := range c.StrategyOf(&wanted) { // AWS finds the place
		if !slices.ContainsFunc(c.CapacityProviders, func(p inventory.CapacityProvider) bool { return p.Name == item.Provider && p.Group != "" }) {
			return Growth{}
		}
	}
	wanted.Desired, of.Services[i] = n, &wanted
	v := look(s, &of, nil)
	k := slices.IndexFunc(v.demands, func(d *demand) bool { return d.s == &wanted && !wanted.Daemon && d.def != nil })
	if k < 0 { // on Fargate, or nothing is known of its needs
		return Growth{}
	}
	d := v.demands[k]
	room := v.capacity(d)
	if g.Lacks = max(0, d.count-room); g.Lacks == 0 {
		return g
	}
	g.Reasons = v.whyFull(d, d.count, room)
	for i := range g.Reasons { // no host is meant from which tasks leave
		g.Reasons[i].Message = strings.ReplaceAll(g.Reasons[i].Message, "other host", "host")
	}
	if may != nil && !s.Missed("ecs:DescribeCapacityProviders", "cluster "+c.Name) {
		g.Group, g.Capacity = v.larger(d, g.Lacks, may)
	}
	return g
}

// larger finds a group for n more tasks, and the desired capacity that it needs for them.
func (v *view) larger(d *demand, n int, may func(string) bool) (string, int) {
	for _, g := range v.s.Groups {
		scaled := slices.ContainsFunc(v.c.CapacityProviders, func(p inventory.CapacityProvider) bool { return p.Group == g.Name && p.ManagedScaling })
		each := v.onNew(d, g, n)
		if !may(g.Name) || scaled || each == 0 || g.Desired >= g.Max || slices.Contains(g.Suspended, "Launch") {
			continue
		}
		if more := (n+each-1)/each - v.coming(g); more > 0 {
			return g.Name, min(g.Max, g.Desired+more)
		}
		return "", 0
	}
	return "", 0
}

// onNew is how many of n tasks of a service have a place on a new host of a group, by the largest of those that it has: rather too few hosts
// are added than too many, and it is asked again. If it has none, all have.
func (v *view) onNew(d *demand, g *inventory.Group, n int) (most int) {
	known := false
	for _, in := range g.Instances {
		h := v.c.Host(in.ID)
		if h == nil {
			continue
		}
		known = true
		answer, _ := d.admit(h)
		if names := v.providers(d.s); answer == no || names != nil && !slices.Contains(names, h.CapacityProvider) {
			continue
		}
		empty := *h
		empty.ARN, empty.Free = "", inventory.Resources{CPU: h.CPU, Memory: h.Memory, GPU: h.GPU}
		r, daemons := v.room(&empty), load{}
		for _, s := range v.c.Services {
			if o := v.demandOf(s); s.Daemon && o != nil {
				if answer, _ := o.admit(h); answer != no {
					daemons = daemons.with(o)
				}
			}
		}
		most = max(most, len(r.filled(d, daemons, n).services)-len(daemons.services))
	}
	if !known {
		return n
	}
	return most
}

// coming is how many instances of a group are to be hosts and are not yet.
func (v *view) coming(g *inventory.Group) int {
	n := g.Desired
	for _, in := range g.Instances {
		m := v.s.Instance(in.ID)
		late := m != nil && v.s.At.Sub(m.Launched) > bootLimit
		counts := !in.State.Waiting() && !in.State.Leaving() && !in.State.Over() && in.State != fleet.Standby
		if counts && (late || v.c.Host(in.ID) != nil) {
			n--
		}
	}
	return max(0, n)
}
