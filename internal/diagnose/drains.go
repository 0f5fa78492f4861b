package diagnose

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
	"github.com/ebbhq/ebb/internal/placement"
)

// Managed is what Ebb's configuration says of a group that it drains.
type Managed struct {
	Deadline, Grace time.Duration // Grace is for daemon tasks, after the last other task
	Limit           int           // how many may leave at once; 0: any number
}

// replacing is how long replacements may take until they are healthy: nobody can know it, and a promise leaves at least so much time.
const replacing = 5 * time.Minute

// managedFor is how long ECS's managed draining waits at most.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/managed-instance-draining.html
const managedFor = 48 * time.Hour

// By takes back promises that nobody keeps: plan says what would happen if hosts were drained, and their group may drain them not at all, or let go
// too soon. Ebb says what its configuration has of a group; hook is the name of the hook that Ebb answers.
func (f *Forecast) By(s *inventory.Inventory, hook string, ebb func(group string) (Managed, bool)) {
	var doubts []string
	turns := map[string]int{}
	for _, id := range f.Instances {
		if g, _ := s.Member(fleet.InstanceID(id)); g != nil {
			turns[g.Name]++
		}
	}
	for _, id := range f.Instances {
		g, _ := s.Member(fleet.InstanceID(id))
		if g == nil || !slices.ContainsFunc(f.Steps, func(p Step) bool { return p.Instance == id }) {
			continue
		}
		man, ours := ebb(g.Name)
		ours = ours && slices.ContainsFunc(g.Terminating(), func(h fleet.Hook) bool { return h.Name == hook })
		doubt := f.held(s, g, id)
		if ours {
			doubt = f.byEbb(g, id, hook, man, turns[g.Name])
		}
		if doubt != "" && !slices.Contains(doubts, doubt) {
			doubts = append(doubts, doubt)
		}
	}
	if len(doubts) == 0 || f.Verdict != placement.Moves.String() && f.Verdict != placement.Shrinks.String() {
		f.Notes = append(f.Notes, doubts...)
		return
	}
	f.Verdict = placement.Uncertain.String()
	f.Headline = doubts[0] + "; if the tasks had the time: " + f.Headline
	f.Notes = append(f.Notes, doubts[1:]...)
}

// longest is the longest stop of what a host has of one kind; not known where one is not. Daemon tasks stop after all others.
func (f *Forecast) longest(id string, daemons bool) (longest time.Duration, known bool) {
	known = true
	for _, p := range f.Steps {
		if p.Instance == id && (p.Outcome == StopsLast) == daemons {
			longest, known = max(longest, time.Duration(p.Stop)), known && p.Stop != NotKnown
		}
	}
	return longest, known
}

// byEbb says why Ebb would let go of a host before its tasks have stopped; empty: it would not.
func (f *Forecast) byEbb(g *inventory.Group, id, hook string, man Managed, together int) string {
	stop, known := f.longest(id, false)
	last, lastKnown := f.longest(id, true)
	rounds := 1
	if man.Limit > 0 {
		rounds = (together + man.Limit - 1) / man.Limit
	}
	switch {
	case !known:
		return fmt.Sprintf("how long tasks on %s take to stop is not known, and the deadline of group %s is %s", id, g.Name, inventory.Span(man.Deadline))
	case stop+replacing > man.Deadline:
		return fmt.Sprintf("a task on %s may take %s to stop, once its replacement is healthy, and the deadline of group %s is %s: Ebb would cut it off", id,
			inventory.Span(stop), g.Name, inventory.Span(man.Deadline))
	case !lastKnown || last > man.Grace:
		return fmt.Sprintf("daemon tasks on %s may take %s to stop, and Ebb waits for them for %s after the last other task (daemon_grace)", id,
			inventory.Span(last), inventory.Span(man.Grace))
	}
	for _, h := range g.Terminating() {
		if h.Name == hook && h.Global > 0 && time.Duration(rounds)*(stop+last+replacing) > h.Global {
			return fmt.Sprintf("hook %s of group %s ends after %s, even with heartbeats, and %d instances that leave %d at a time may take longer", hook, g.Name,
				inventory.Span(h.Global), together, man.Limit)
		}
	}
	return ""
}

// held says why a host that Ebb does not drain would be gone before its tasks have stopped; empty: as far as is known it would not.
func (f *Forecast) held(s *inventory.Inventory, g *inventory.Group, id string) string {
	stop, known := f.longest(id, false)
	last, lastKnown := f.longest(id, true)
	need := stop + last + replacing
	known = known && lastKnown
	for _, c := range s.Clusters {
		h := c.Host(fleet.InstanceID(id))
		if h == nil || h.CapacityProvider == "" {
			continue
		}
		if s.Missed("ecs:DescribeCapacityProviders", "cluster "+c.Name) {
			return fmt.Sprintf("whether capacity provider %s drains %s could not be read", h.CapacityProvider, id)
		}
		own := func(p inventory.CapacityProvider) bool { return p.Name == h.CapacityProvider && p.ManagedDraining }
		if slices.ContainsFunc(c.CapacityProviders, own) {
			if known && need <= managedFor {
				return ""
			}
			return fmt.Sprintf("tasks on %s may take longer to stop than the %s for which ECS's managed draining waits", id, inventory.Span(managedFor))
		}
	}
	hooks := g.Terminating()
	switch {
	case s.Missed("autoscaling:DescribeLifecycleHooks", "group "+g.Name):
		return fmt.Sprintf("who drains group %s could not be read", g.Name)
	case len(hooks) == 0:
		return fmt.Sprintf("nobody drains group %s: it has no terminating hook, and no capacity provider with managed draining, so its tasks are killed with their "+
			"host", g.Name)
	}
	longest := slices.MaxFunc(hooks, func(a, b fleet.Hook) int { return int(a.Heartbeat - b.Heartbeat) })
	if !known || need > longest.Heartbeat {
		return fmt.Sprintf("who answers hook %s of group %s is not known (--config says whether Ebb does), and without heartbeats it ends after %s", longest.Name,
			g.Name, inventory.Span(longest.Heartbeat))
	}
	f.note("hook " + strings.Join(names(hooks), " or ") + " of group " + g.Name +
		" is taken to be answered by somebody who drains; --config says whether Ebb does")
	return ""
}

func (f *Forecast) note(text string) {
	if !slices.Contains(f.Notes, text) {
		f.Notes = append(f.Notes, text)
	}
}

func names(hooks []fleet.Hook) (all []string) {
	for _, h := range hooks {
		all = append(all, h.Name)
	}
	return all
}
