package placement

import (
	"slices"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
)

// demand is what one service will ask of the scheduler: count times the same place.
type demand struct {
	s    *inventory.Service
	def  *inventory.TaskDefinition // nil: not in the inventory
	name string

	needs    amounts
	ports    []inventory.Port
	distinct bool
	admits   []answer   // by room: whether attributes, constraints and capacity providers let it in
	refused  []Code     // by room: which of them does not
	choices  [][]answer // admits for each capacity provider alone, of which ECS chooses one; one if there is no choice

	count   int // to be started
	targets []*inventory.Task
	running int             // targets that run
	others  int             // tasks on hosts that leave besides the targets
	staying int             // tasks elsewhere, of any revision
	proven  bool            // one of its tasks is healthy, wherever it is, so that others may become so
	sick    *inventory.Task // one that runs and is not healthy, wherever it is
	blind   bool            // whether the targets of some are healthy is not known
	healthy int             // of these, the healthy ones of the current revision
	lower   int             // that must be healthy
	upper   int             // that may be there
}

// demandsOf is what a service asks for; a daemon asks for one task on each host that lacks it.
func (v *view) demandsOf(s *inventory.Service) []*demand {
	d := v.demandOf(s)
	if d == nil {
		return nil
	}
	v.admit(d)
	if s.Daemon {
		return v.missingDaemons(d)
	}
	v.count(d)
	return []*demand{d}
}

// demandOf is what each task of a service needs; nil: no host.
func (v *view) demandOf(s *inventory.Service) *demand {
	if s.LaunchType == "FARGATE" || s.LaunchType == "EXTERNAL" || s.Status == "INACTIVE" {
		return nil
	}
	d := &demand{s: s, name: s.Name, def: v.c.TaskDefinition(s.TaskDefinition)}
	if d.def != nil {
		d.needs, d.ports = amounts{d.def.CPU, d.def.Memory, d.def.GPU}, d.def.HostPorts
		if d.def.Network == "awsvpc" {
			d.needs[nics] = 1
		}
	}
	d.distinct = slices.ContainsFunc(s.Constraints, func(c inventory.Constraint) bool { return c.Type == "distinctInstance" })
	return d
}

func (v *view) missingDaemons(d *demand) []*demand {
	var missing []*demand
	for i := range v.rooms {
		if v.rooms[i].tight.has[d.name] {
			continue
		}
		one := *d
		one.count, one.admits = 1, slices.Repeat([]answer{no}, len(v.rooms))
		one.admits[i] = d.admits[i]
		missing = append(missing, &one)
	}
	return missing
}

// count counts the tasks of a service.
func (v *view) count(d *demand) {
	current := 0
	for _, t := range v.of[d.name] {
		healthy, known := v.serves(d.s, t)
		healthy = healthy && t.LastStatus == "RUNNING" && t.HealthStatus != "UNHEALTHY"
		d.proven, d.blind = d.proven || healthy, d.blind || !known
		if known && !healthy && t.LastStatus == "RUNNING" && d.sick == nil {
			d.sick = t
		}
		switch {
		case v.target[t.ContainerInstance]:
			d.targets = append(d.targets, t)
			if t.LastStatus == "RUNNING" {
				d.running++
			}
		case v.leaving[t.ContainerInstance]:
			d.others++
		default:
			d.staying++
			if t.Family != d.s.TaskDefinition {
				continue
			}
			current++
			if healthy {
				d.healthy++
			}
		}
	}
	d.count = max(0, d.s.Desired-current)
	d.lower, d.upper = d.s.Bounds()
}

// serves reports whether every target of a task that its service names is healthy, and whether that is known.
func (v *view) serves(s *inventory.Service, t *inventory.Task) (healthy, known bool) {
	h := v.hosts[t.ContainerInstance]
	if h == nil || len(s.LoadBalancers) == 0 {
		return len(s.LoadBalancers) == 0, h != nil
	}
	for _, e := range fleet.Endpoints(h.Instance, &t.Task, s.Service) {
		if e.Place != fleet.InTargetGroup {
			continue
		}
		g := v.s.TargetGroup(e.In)
		if g == nil || v.s.Missed("elasticloadbalancing:DescribeTargetHealth", "target group "+string(e.In)) {
			return false, false
		}
		i := slices.IndexFunc(g.Targets, func(h fleet.Health) bool { return e.Target.Is(h.Target) })
		if i < 0 || g.Targets[i].State != "healthy" {
			return false, true
		}
	}
	return true, true
}

// admit judges what of a host does not change while tasks are placed.
func (v *view) admit(d *demand) {
	d.admits, d.refused = make([]answer, len(v.rooms)), make([]Code, len(v.rooms))
	for i := range v.rooms {
		d.admits[i], d.refused[i] = d.admit(v.rooms[i].host)
	}
	providers := v.providers(d.s)
	if providers == nil {
		for i := range v.rooms {
			if v.managed(v.rooms[i].host) {
				d.admits[i], d.refused[i] = no, NoProviderHost
			}
		}
		d.choices = [][]answer{d.admits}
		return
	}
	for _, name := range providers {
		choice := make([]answer, len(v.rooms))
		for i := range v.rooms {
			choice[i] = no
			if v.rooms[i].host.CapacityProvider == name {
				choice[i] = d.admits[i]
			}
		}
		d.choices = append(d.choices, choice)
	}
	for i := range v.rooms {
		if !slices.Contains(providers, v.rooms[i].host.CapacityProvider) {
			d.admits[i], d.refused[i] = no, NoProviderHost
		}
	}
}

// managed reports whether ECS launches a host itself (Managed Instances): it is for services that name its capacity provider.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ManagedInstances.html
func (v *view) managed(h *inventory.Host) bool {
	return slices.ContainsFunc(v.c.CapacityProviders, func(p inventory.CapacityProvider) bool {
		return p.Name == h.CapacityProvider && p.Name != "" && p.Group == ""
	})
}

// providers are the capacity providers that a service may use, nil if any host will do.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CapacityProviderStrategyItem.html
func (v *view) providers(s *inventory.Service) []string {
	strategy := v.c.StrategyOf(s)
	var names []string
	for _, item := range strategy {
		if item.Weight > 0 || item.Base > 0 {
			names = append(names, item.Provider)
		}
	}
	if len(names) == 0 { // all weights are 0, as of a strategy with one item
		for _, item := range strategy {
			names = append(names, item.Provider)
		}
	}
	return names
}

// admit says whether a host has the attributes that the task needs and meets the constraints, and what it fails.
func (d *demand) admit(h *inventory.Host) (answer, Code) {
	if d.def == nil {
		return unknown, Unjudged
	}
	least, code := yes, Code("")
	note := func(a answer, c Code) {
		if a < least {
			least, code = a, c
		}
	}
	for _, want := range d.def.Requires {
		note(requires(h, want), NoAttribute)
	}
	for _, e := range d.expressions() {
		q, _ := parse(e)
		note(q(h), ConstraintUnmet)
	}
	return least, code
}
