package inventory

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
)

// AgentSetting reads a setting of the ECS agent out of a group's user data. Known is false where the user data has no settings of the
// agent: they may be in the image.
func (g *Group) AgentSetting(name string) (value string, known bool) {
	known = g.UserDataKnown && strings.Contains(g.UserData, "ECS_CLUSTER")
	for line := range strings.Lines(g.UserData) {
		if _, after, ok := strings.Cut(line, name+"="); ok && !strings.HasPrefix(strings.TrimSpace(line), "#") {
			fields := strings.FieldsFunc(after, func(r rune) bool { return strings.ContainsRune(" \t\r\n\"'>;", r) })
			if len(fields) > 0 {
				value = fields[0]
			}
		}
	}
	return value, known
}

// AgentStop is how long the agent on an instance gives a container that has no stop timeout of its own. Known is false where another time
// may be set in a place that was not read: then it is the default.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-agent-config.html
func (s *Inventory) AgentStop(id fleet.InstanceID) (d time.Duration, known bool) {
	const setting = "ECS_CONTAINER_STOP_TIMEOUT"
	g, _ := s.Member(id)
	if g == nil {
		return DefaultStopTimeout, false
	}
	value, known := g.AgentSetting(setting)
	if d, err := time.ParseDuration(value); err == nil && d > 0 {
		return d, true
	}
	return DefaultStopTimeout, known && !strings.Contains(g.UserData, setting)
}

// StopTime is how long the containers of a task may take to stop, from the first SIGTERM to the last SIGKILL, and the containers on which
// that depends: the agent stops a container before those that it depends on, one after the other. Agent is the time for a container that
// has none of its own; ofAgent says that one of these has none.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html#ECS-Type-ContainerDefinition-dependsOn
func (d *TaskDefinition) StopTime(agent time.Duration) (longest time.Duration, containers []string, ofAgent bool) {
	var from func(c Container, above []string) (time.Duration, []string)
	from = func(c Container, above []string) (time.Duration, []string) {
		above = append(slices.Clip(above), c.Name)
		var most time.Duration
		var chain []string
		for _, next := range d.Containers {
			if slices.Contains(c.DependsOn, next.Name) && !slices.Contains(above, next.Name) {
				if t, names := from(next, above); t > most {
					most, chain = t, names
				}
			}
		}
		return cmp.Or(c.StopTimeout, agent) + most, append([]string{c.Name}, chain...)
	}
	for _, c := range d.Containers {
		if t, names := from(c, nil); t > longest {
			longest, containers = t, names
		}
	}
	for _, c := range d.Containers {
		ofAgent = ofAgent || c.StopTimeout == 0 // a longer time of the agent's may make another chain the longest
	}
	return longest, containers, ofAgent
}

// Span spells a duration, to the second, without zero parts: 5m, not 5m0s.
func Span(d time.Duration) string {
	d = d.Round(time.Second)
	text := d.String()
	if d >= time.Minute && d%time.Minute == 0 {
		text = strings.TrimSuffix(text, "0s")
	}
	if d >= time.Hour && d%time.Hour == 0 {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
