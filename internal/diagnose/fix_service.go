package diagnose

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ebbhq/ebb/internal/advice"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
	"github.com/ebbhq/ebb/internal/placement"
	"github.com/ebbhq/ebb/internal/plain"
)

// fix is what removes a reason for which tasks of a service do not move, the best first. What interrupts is advised only where it is proved
// that the tasks stay, and nothing comes by itself.
func (k *known) fix(s *inventory.Service, c Code, f placement.Fate) []advice.Fix {
	var fixes []advice.Fix
	proved := f.Verdict == placement.Stuck
	switch c {
	case placement.PercentArithmetic:
		if !proved {
			return nil
		}
		surge := k.surge(s)
		if len(f.Places) == 0 {
			surge.Note += ". It needs a host with room for one task more"
			return append(k.lower(s, f), surge)
		}
		return append([]advice.Fix{surge}, k.lower(s, f)...)
	case placement.NoCPU, placement.NoMemory, placement.NoGPU, placement.NoInterface, placement.NoPort, placement.DistinctInstance,
		placement.NoHost, placement.NoProviderHost, placement.Together, placement.Order, placement.Scaling:
		fixes = k.addHost(s)
	case placement.NoAttribute, placement.ConstraintUnmet:
		fixes = append(k.giveAttribute(s), k.whoMeets(s)...)
		fixes = append(fixes, advice.Say("or add a host that has what is asked for: one more like the others does not help"))
	case placement.Protected:
		return k.protected(f)
	default:
		return nil
	}
	switch coming, known := k.anyComes(s); {
	case proved && !known && k.q.Alone:
		wider := k.q.At.Ebb("why", k.q.Target, "--cluster", k.cluster.Name)
		fixes = append([]advice.Fix{wider.For("reads the groups of all hosts too: where one of them launches a host, wait for that")}, fixes...)
	case proved && known && coming == "":
		fixes = append(fixes, k.lower(s, f)...)
	}
	return fixes
}

// surge lets replacements start first.
func (k *known) surge(s *inventory.Service) advice.Fix {
	c := k.q.At.Percents(k.cluster.Name, s.Name, s.MinPercent, 200, s.MinPercent, s.MaxPercent)
	if s.MaxPercent > 100 {
		return c.For("lets replacements start first")
	}
	return c.Costs(advice.Interrupts, "two copies of a task may run at a time, which a maximum of 100 percent may rule out on purpose",
		"two copies may run at a time").For("lets replacements start first")
}

// lower lets the tasks on the host stop before their replacements run, unless the service may have as few already.
func (k *known) lower(s *inventory.Service, f placement.Fate) []advice.Fix {
	rest := max(0, f.Desired-len(f.Tasks))
	least := 100 * rest / f.Desired // what is stuck is wanted
	if least >= s.MinPercent {
		return nil
	}
	most := max(100, s.MaxPercent)
	return []advice.Fix{k.q.At.Percents(k.cluster.Name, s.Name, least, most, s.MinPercent, s.MaxPercent).
		Costs(advice.Interrupts, fmt.Sprintf("the service may run with %d of %s until replacements have a place", rest, plain.Count(f.Desired, "task")),
			"the others carry the load").For("lets the tasks on the host stop first; set it back afterwards")}
}

// protected is what to do about tasks with scale-in protection: that ends by itself at a time.
func (k *known) protected(f placement.Fate) (fixes []advice.Fix) {
	for _, t := range k.cluster.Tasks {
		if !t.Protected || !slices.Contains(f.Tasks, t.ARN) {
			continue
		}
		if t.ProtectedUntil.After(k.q.Now) {
			fixes = append(fixes, advice.Say("wait: the protection of task %s ends at %s, unless the task asks for more", t.ARN.Name(), k.when(t.ProtectedUntil)))
			continue
		}
		fixes = append(fixes, k.q.At.TaskUnprotected(k.cluster.Name, t.ARN.Name()).For("ends the protection of task "+t.ARN.Name()))
	}
	return fixes
}

// constraints are the attributes that a service asks of a host, as expressions and as name=value.
func (k *known) constraints(s *inventory.Service) (expressions, required []string) {
	def := k.cluster.TaskDefinition(s.TaskDefinition) // known, for else nothing would be said of an attribute
	for _, c := range slices.Concat(s.Constraints, def.Constraints) {
		if c.Type == "memberOf" {
			expressions = append(expressions, c.Expression)
		}
	}
	return expressions, def.Requires
}

// giveAttribute gives another host the attribute that a service asks for, if that is one of the user's and asked for simply. What AWS
// or the agent sets says what a host is, and is not for the giving.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_PutAttributes.html
func (k *known) giveAttribute(s *inventory.Service) []advice.Fix {
	expressions, wanted := k.constraints(s)
	wanted = slices.Clone(wanted)
	for _, e := range expressions {
		if f := strings.Fields(e); len(f) == 3 && strings.HasPrefix(f[0], "attribute:") && (f[1] == "==" || f[1] == "equals") {
			wanted = append(wanted, strings.TrimPrefix(f[0], "attribute:")+"="+strings.Trim(f[2], `'"`))
		}
	}
	for _, pair := range wanted {
		name, value, _ := strings.Cut(pair, "=")
		if strings.HasPrefix(name, "ecs.") || strings.HasPrefix(name, "com.amazonaws.") {
			continue
		}
		for _, h := range k.cluster.Hosts {
			if h.Status == fleet.Active && h.Connected && (h.Attributes[name] != value || value == "") {
				return []advice.Fix{k.q.At.PutAttribute(k.cluster.Name, h.ARN.Name(), name, value).Once(string(h.Instance) + " may have it: tasks that " +
					"ask for it may be placed there then").For("gives " + string(h.Instance) + " the attribute")}
			}
		}
	}
	return nil
}

// whoMeets lists the hosts that meet a constraint.
func (k *known) whoMeets(s *inventory.Service) []advice.Fix {
	expressions, _ := k.constraints(s)
	if len(expressions) == 0 {
		return nil
	}
	return []advice.Fix{k.q.At.HostsThat(k.cluster.Name, expressions[0]).For("lists the hosts that meet it")}
}
