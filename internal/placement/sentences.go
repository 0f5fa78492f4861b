package placement

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
	"github.com/ebbhq/ebb/internal/plain"
)

// tally counts the hosts that refuse a task for one reason.
type tally struct {
	code  Code
	hosts int
	most  int // free, on the best of them
	best  *inventory.Host
	blind bool // whether one of them refuses it could not be judged
}

// whyFull says why a service has only room for some of the tasks that it needs to start.
func (v *view) whyFull(d *demand, needed, room int) []Reason {
	loads := make([]load, len(v.rooms))
	for i := range v.rooms {
		loads[i] = v.rooms[i].filled(d, load{}, d.s.Desired)
	}
	reasons := v.refusals(d, d.admits, loads, false)
	if room > 0 {
		for i := range reasons {
			reasons[i].Message = fmt.Sprintf("there is room for %d of the %s that it must start; for more: %s", room, tasks(needed), reasons[i].Message)
		}
	}
	return reasons
}

// refusals says, for loads already placed, why each room refuses one task more; the reason of the most hosts first.
func (v *view) refusals(d *demand, admits []answer, loads []load, tight bool) []Reason {
	if len(v.rooms) == 0 {
		return []Reason{{NoHost, "no other host of the cluster is ACTIVE with a connected agent"}}
	}
	var tallies []tally
	for i := range v.rooms {
		s := &v.rooms[i].loose
		if tight {
			s = &v.rooms[i].tight
		}
		code, most := s.misfit(loads[i], d)
		switch {
		case d.admits[i] != yes:
			code, most = d.refused[i], 0
		case admits[i] == no:
			code, most = NoProviderHost, 0
		}
		if code == "" {
			continue
		}
		k := slices.IndexFunc(tallies, func(t tally) bool { return t.code == code })
		if k < 0 {
			k = len(tallies)
			tallies = append(tallies, tally{code: code, most: most, best: v.rooms[i].host})
		}
		t := &tallies[k]
		t.hosts++
		t.blind = t.blind || d.admits[i] == unknown
		if most > t.most {
			t.most, t.best = most, v.rooms[i].host
		}
	}
	slices.SortStableFunc(tallies, func(a, b tally) int { return b.hosts - a.hosts })
	reasons := make([]Reason, len(tallies))
	for i, t := range tallies {
		reasons[i] = Reason{t.code, t.words(d, len(v.rooms))}
	}
	return reasons
}

func (t tally) words(d *demand, rooms int) string {
	on := fmt.Sprintf("on %d of %s", t.hosts, hosts(rooms))
	switch {
	case rooms == 1:
		on = "on the only other host"
	case t.hosts == rooms:
		on = "on all " + hosts(rooms)
	}
	such := string(t.best.Instance)
	if t.hosts > 1 {
		such = "such as " + such
	}
	free := func(need string) string {
		if t.most <= 0 {
			return fmt.Sprintf("a task needs %s, and none is free %s (%s)", need, on, such)
		}
		return fmt.Sprintf("a task needs %s, and at most %d are free %s (%s)", need, t.most, on, t.best.Instance)
	}
	switch t.code {
	case NoCPU:
		return free(plain.Count(d.needs[cpu], "CPU unit"))
	case NoMemory:
		return free(fmt.Sprintf("%d MiB of memory", d.needs[memory]))
	case NoGPU:
		return free(plain.Count(d.needs[gpu], "GPU"))
	case NoInterface:
		return free(plain.Count(d.needs[nics], "network interface"))
	case NoPort:
		return fmt.Sprintf("a task needs host port %s, which is in use %s (%s)", portWords(d.ports), on, such)
	case NoAttribute:
		missing := "are missing"
		if t.blind {
			missing += ", or could not be read,"
		}
		return fmt.Sprintf("task definition %s requires attributes that %s %s (%s): %s", d.def.Name, missing, on, such,
			strings.Join(d.lacks(t.best), ", "))
	case ConstraintUnmet:
		return fmt.Sprintf("the placement constraint %s is not met, or cannot be judged, %s (%s)",
			strings.Join(d.expressions(), " and "), on, such)
	case DistinctInstance:
		return fmt.Sprintf("distinctInstance allows one task of service %s on a host, and there already is one %s", d.name, on)
	case NoProviderHost:
		return fmt.Sprintf("service %s takes only hosts of the capacity provider that ECS chooses from its strategy; %d of %s are of others",
			d.name, t.hosts, hosts(rooms))
	}
	return fmt.Sprintf("the needs of a task of service %s are not known", d.name)
}

// words describes a blockade that succeeds: who competes, and what would keep the service out.
func (g *blockade) words(choice []answer) []Reason {
	loads := make([]load, len(g.v.rooms))
	for i, r := range g.rooms {
		loads[r] = g.found[i]
	}
	refusals := g.v.refusals(g.d, choice, loads, true)
	if len(g.rooms) == 0 {
		return append([]Reason{{Order, fmt.Sprintf("there may be no place for service %s", g.d.name)}}, refusals...)
	}
	var rivals []string
	for _, o := range g.others {
		if o != g.d && !slices.Contains(rivals, o.name) {
			rivals = append(rivals, o.name)
		}
	}
	words := fmt.Sprintf("there is room for service %s on %s, but it depends on the order in which ECS places tasks, and on the hosts "+
		"it chooses", g.d.name, g.some())
	if len(rivals) > 0 {
		words += "; " + strings.Join(rivals, ", ") + " may be placed first"
	}
	return append([]Reason{{Order, words}}, refusals...)
}

// some names the first of the hosts that have room.
func (g *blockade) some() string {
	var ids []string
	for _, r := range g.rooms[:min(3, len(g.rooms))] {
		ids = append(ids, string(g.v.rooms[r].host.Instance))
	}
	if more := len(g.rooms) - len(ids); more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(ids, ", "), more)
	}
	return strings.Join(ids, ", ")
}

func togetherWords(p *packing) string {
	parts := make([]string, len(p.demands))
	for i, d := range p.demands {
		parts[i] = fmt.Sprintf("%s of %s (%d CPU units, %d MiB)", tasks(p.needed[i]), d.name, d.needs[cpu], d.needs[memory])
	}
	return "each fits alone, but the other hosts have no room for all of them together: " + strings.Join(parts, ", ")
}

// lacks are the attributes that a task needs and that a host is not known to have.
func (d *demand) lacks(h *inventory.Host) []string {
	return slices.DeleteFunc(slices.Clone(d.def.Requires), func(want string) bool { return requires(h, want) == yes })
}

// expressions are the constraints of the cluster query language on a task's host.
func (d *demand) expressions() (all []string) {
	for _, list := range [][]inventory.Constraint{d.def.Constraints, d.s.Constraints} {
		for _, c := range list {
			if c.Type == "memberOf" {
				all = append(all, c.Expression)
			}
		}
	}
	return all
}

func portWords(ports []inventory.Port) string {
	words := make([]string, len(ports))
	for i, p := range ports {
		words[i] = fmt.Sprintf("%d/tcp", p.Number)
		if p.UDP {
			words[i] = fmt.Sprintf("%d/udp", p.Number)
		}
	}
	return strings.Join(words, ", ")
}

func tasks(n int) string { return plain.Count(n, "task") }
func hosts(n int) string { return plain.Count(n, "other host") }

func arns(ts []*inventory.Task) []fleet.ARN {
	out := make([]fleet.ARN, len(ts))
	for i, t := range ts {
		out[i] = t.ARN
	}
	return out
}
