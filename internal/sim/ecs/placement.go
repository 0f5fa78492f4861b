package ecs

import (
	"slices"
	"strings"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// wanted is a task that is to start somewhere.
type wanted struct {
	def              *TaskDefinition
	s                *service // nil: standalone
	group, startedBy string
	providers        []string // only on their instances; none: on any
	launchType       string   // without providers: FARGATE, or on instances
	subnets          []string // on Fargate; none: one in each zone
	constraints      []Constraint
	placement        []PlacementStrategy
}

// byService is what a service wants.
func byService(s *service) wanted {
	return wanted{
		def: s.def, s: s, group: "service:" + s.Name, startedBy: s.deployment,
		constraints: slices.Concat(s.def.Constraints, s.Constraints), placement: s.Placement, launchType: s.LaunchType, subnets: s.Subnets,
	}
}

// miss is why a task has no place: what the instance lacks that comes closest, or that there is none.
type miss struct {
	ci      *containerInstance // nil: none
	reason  string
	rank    int    // how many of the conditions hold
	fargate string // FARGATE or FARGATE_SPOT, which has no capacity; empty: it should have been on an instance
}

// place chooses where the next task starts. Without a place it says why.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-placement.html
func (p *placing) place() (*spot, miss) {
	closest := miss{reason: "No Container Instances were found in your cluster", rank: -1}
	if len(p.want.providers) > 0 {
		closest.reason = "No Container Instances were found in your capacity provider"
	}
	for i := range p.spots {
		s := &p.spots[i]
		switch {
		case !p.want.allows(s.ci):
		case s.miss.reason == "":
			return p.preferred(), miss{}
		case s.miss.rank > closest.rank:
			closest = s.miss
		}
	}
	return nil, closest
}

// mayUse reports whether an instance is a candidate at all.
func (want wanted) mayUse(ci *containerInstance) bool {
	return ci.Status == "ACTIVE" && want.allows(ci)
}

// allows reports whether an instance is one of the capacity providers that are wanted.
func (want wanted) allows(ci *containerInstance) bool {
	return len(want.providers) == 0 || slices.Contains(want.providers, ci.CapacityProvider)
}

// binding is a placement constraint that is ready to be asked, and what AWS says when it does not hold.
type binding struct {
	holds  func(*containerInstance) bool
	reason string
}

// bindings makes the constraints of a task ready. AWS documents the words for memberOf; those for distinctInstance are made alike.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/api_failures_messages.html
func (w *ECS) bindings(want wanted) []binding {
	var all []binding
	for _, c := range want.constraints {
		if c.Type == "distinctInstance" {
			all = append(all, binding{func(ci *containerInstance) bool {
				return !slices.ContainsFunc(ci.tasks, func(t *task) bool { return t.Group == want.group })
			}, "DistinctInstance placement constraint unsatisfied."})
			continue
		}
		match, err := parseFilter(c.Expression)
		all = append(all, binding{func(ci *containerInstance) bool {
			seen, _ := w.seeFresh(ci)
			return err == nil && match(&subject{seen, ci})
		}, "MemberOf placement constraint unsatisfied."})
	}
	return all
}

// unfit says why a task cannot start on an instance: the first condition that does not hold, in AWS's words, or no reason.
func (w *ECS) unfit(ci *containerInstance, def *TaskDefinition, bound []binding) miss {
	if !ci.Connected {
		return miss{ci: ci, reason: "AGENT"}
	}
	if m := misfit(ci, def); m.reason != "" {
		return m
	}
	if ci.external() {
		return miss{ci: ci, reason: "ATTRIBUTE", rank: 6}
	}
	for i, b := range bound {
		if !b.holds(ci) {
			return miss{ci: ci, reason: b.reason, rank: 10 + i}
		}
	}
	return miss{}
}

// external reports whether it is an external instance, which takes no tasks of launch type EC2: in a world, a host that has the attribute.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-anywhere.html
func (ci *containerInstance) external() bool {
	_, is := ci.Attributes["ecs.capability.external"]
	return is
}

// misfit says which resource or attribute of an instance a task lacks, in AWS's words, or no reason.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/api_failures_messages.html
func misfit(ci *containerInstance, def *TaskDefinition) miss {
	switch {
	case def.CPU > ci.FreeCPU:
		return miss{ci: ci, reason: "RESOURCE:CPU", rank: 1}
	case def.GPU > len(ci.FreeGPUs):
		return miss{ci: ci, reason: "RESOURCE:GPU", rank: 2}
	case def.memory() > ci.FreeMemory:
		return miss{ci: ci, reason: "RESOURCE:MEMORY", rank: 3}
	case portTaken(ci, def):
		return miss{ci: ci, reason: "RESOURCE:PORTS", rank: 4}
	case def.Network == "awsvpc" && ci.Interfaces > 0 && interfacesUsed(ci) >= ci.Interfaces:
		return miss{ci: ci, reason: "RESOURCE:ENI", rank: 5}
	case !hasAttributes(ci, def.Attributes()):
		return miss{ci: ci, reason: "ATTRIBUTE", rank: 6}
	}
	return miss{}
}

func portTaken(ci *containerInstance, def *TaskDefinition) bool {
	return slices.ContainsFunc(def.hostPorts(), func(p Port) bool {
		return p.HostPort != 0 && slices.Contains(*ci.portsOf(p), p.HostPort)
	})
}

// interfacesUsed counts the primary interface and one for each task in awsvpc mode.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/container-instance-eni.html
func interfacesUsed(ci *containerInstance) int {
	n := 1
	for _, t := range ci.tasks {
		if t.def.Network == "awsvpc" {
			n++
		}
	}
	return n
}

// Attributes are those that an instance must have for the task, as name or name=value: what it requires, and what its network mode does.
func (d *TaskDefinition) Attributes() []string {
	if d.Network == "awsvpc" {
		return slices.Concat(d.Requires, []string{"ecs.capability.task-eni"})
	}
	return d.Requires
}

func hasAttributes(ci *containerInstance, all []string) bool {
	for _, a := range all {
		name, value, valued := strings.Cut(a, "=")
		has, ok := ci.Attributes[name]
		if !ok || valued && has != value {
			return false
		}
	}
	return true
}

// asEvent spells a miss as the events of a service do.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-event-messages-list.html
func (m miss) asEvent() string {
	const text = "was unable to place a task because no container instance met all of its requirements. "
	const more = " For more information, see the Troubleshooting section of the Amazon ECS Developer Guide."
	if m.fargate != "" {
		return "was unable to place a task. Reason: " + m.reason + "." + more
	}
	if m.ci == nil {
		return text + "Reason: " + m.reason + "."
	}
	words := map[string]string{
		"RESOURCE:CPU":    "has insufficient CPU units available.",
		"RESOURCE:MEMORY": "has insufficient memory available.",
		"RESOURCE:PORTS":  "is already using a port required by your task.",
		"ATTRIBUTE":       "is missing an attribute required by your task.",
	}
	closest, ok := words[m.reason]
	if !ok {
		closest = `encountered error "` + m.reason + `".`
	}
	return text + "The closest matching (container-instance " + core.LastPart(m.ci.ARN) + ") " + closest + more
}
