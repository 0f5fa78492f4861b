package diagnose

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
	"github.com/ebbhq/ebb/internal/placement"
)

// fix is what removes a reason for which tasks of a service do not move, the best first.
func (k *known) fix(s *inventory.Service, c Code, f placement.Fate) []Fix {
	switch c {
	case placement.PercentArithmetic:
		switch surge := k.percents(s.Name, s.MinPercent, 200); {
		case s.Controller == "CODE_DEPLOY" || s.Controller == "EXTERNAL":
			return nil
		case len(f.Places) > 0:
			return []Fix{surge, k.lower(s, f)}
		default:
			return []Fix{k.lower(s, f), surge.but("needs a host with room for one more task")}
		}
	case placement.NoCPU, placement.NoMemory, placement.NoGPU, placement.NoInterface, placement.NoPort, placement.DistinctInstance,
		placement.NoHost, placement.NoProviderHost, placement.Together, placement.Order, placement.Scaling:
		return append(k.addHost(k.groupFor(s)), k.lower(s, f))
	case placement.NoAttribute, placement.ConstraintUnmet:
		return slices.Concat(k.giveAttribute(s), k.addHost(k.groupFor(s)), []Fix{k.lower(s, f)}, k.whoMeets(s))
	case placement.Deployment:
		return k.back(s)
	case placement.Protected:
		var commands []Fix
		for _, t := range k.cluster.Tasks {
			if t.Protected && slices.Contains(f.Tasks, t.ARN) {
				commands = append(commands, command("aws ecs update-task-protection --cluster %s --tasks %s --no-protection-enabled",
					k.cluster.Name, t.ARN.Name()))
			}
		}
		return commands
	}
	return nil
}

// lower lets the tasks on the host stop before their replacements run.
func (k *known) lower(s *inventory.Service, f placement.Fate) Fix {
	rest := max(0, f.Desired-len(f.Tasks))
	return k.percents(s.Name, 100*rest/max(1, f.Desired), max(100, s.MaxPercent)).
		but(fmt.Sprintf("it may then run with %d of %s; set it back afterwards", rest, inventory.Count(f.Desired, "task")))
}

// constraints are the attributes that a service asks of a host, as expressions and as name=value.
func (k *known) constraints(s *inventory.Service) (expressions, required []string) {
	lists := [][]inventory.Constraint{s.Constraints}
	if def := k.cluster.TaskDefinition(s.TaskDefinition); def != nil {
		lists, required = append(lists, def.Constraints), def.Requires
	}
	for _, list := range lists {
		for _, c := range list {
			if c.Type == "memberOf" {
				expressions = append(expressions, c.Expression)
			}
		}
	}
	return expressions, required
}

// giveAttribute gives another host the attribute that a service asks for, if that is one of the user's and asked for simply. What AWS
// or the agent sets says what a host is, and is not for the giving.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_PutAttributes.html
func (k *known) giveAttribute(s *inventory.Service) []Fix {
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
			if h.Status == fleet.Active && h.Connected && h.ARN != k.host.ARN && (h.Attributes[name] != value || value == "") {
				return []Fix{command("aws ecs put-attributes --cluster %s --attributes name=%s,value=%s,targetType=container-instance,targetId=%s",
					k.cluster.Name, name, value, h.ARN.Name()).but("if " + string(h.Instance) + " may have it")}
			}
		}
	}
	return nil
}

// whoMeets lists the hosts that meet a constraint.
func (k *known) whoMeets(s *inventory.Service) []Fix {
	expressions, _ := k.constraints(s)
	if len(expressions) == 0 {
		return nil
	}
	return []Fix{command("aws ecs list-container-instances --cluster %s --filter \"%s\"", k.cluster.Name, strings.ReplaceAll(expressions[0],
		`"`, `\"`)).but("lists the hosts that meet it")}
}
