package sim

import (
	"slices"
	"strings"
)

// preferred chooses among instances that a task fits on, by its placement strategy: spread over zones if there is none and a service
// asks. What the strategy leaves open goes to the instance with the fewest tasks of the service, then with the fewest tasks at all,
// then to the oldest; AWS does not say.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-placement-strategies.html
func (w *World) preferred(fits []*containerInstance, want wanted) *containerInstance {
	keys := w.strategyKeys(want)
	var best *containerInstance
	var rank, least []int
	for _, ci := range fits {
		rank = rank[:0]
		for _, key := range keys {
			rank = append(rank, key(ci))
		}
		if best == nil || slices.Compare(rank, least) < 0 {
			best, least, rank = ci, rank, least
		}
	}
	return best
}

// strategyKeys are the numbers by which instances are compared, the most important first; the least is the best.
func (w *World) strategyKeys(want wanted) []func(*containerInstance) int {
	steps := want.placement
	if len(steps) == 0 && want.s != nil {
		steps = []PlacementStrategy{{Type: "spread", Field: "attribute:ecs.availability-zone"}}
	}
	var keys []func(*containerInstance) int
	onInstance := want.onInstance()
	for _, step := range steps {
		switch {
		case step.Type == "binpack" && step.Field == "memory":
			keys = append(keys, func(ci *containerInstance) int { return ci.FreeMemory })
		case step.Type == "binpack":
			keys = append(keys, func(ci *containerInstance) int { return ci.FreeCPU })
		case step.Type == "random":
			dice := w.roll()
			keys = append(keys, func(ci *containerInstance) int { return int(mix(dice^uint64(ci.number)) >> 1) })
		case step.Field == "instanceId" || step.Field == "host":
			keys = append(keys, onInstance)
		default:
			keys = append(keys, want.spreadKey(step.Field))
		}
	}
	return append(keys, onInstance, func(ci *containerInstance) int { return len(ci.tasks) })
}

// onInstance counts the tasks of the same service, or of the same group for standalone tasks with a strategy.
func (want wanted) onInstance() func(*containerInstance) int {
	var count map[*containerInstance]int
	return func(ci *containerInstance) int {
		if count == nil {
			count = map[*containerInstance]int{}
			for _, t := range want.peers(ci.c) {
				if t.LastStatus != "STOPPED" {
					count[t.ci]++
				}
			}
		}
		return count[ci]
	}
}

// peers are the tasks in a cluster that isPeer holds for.
func (want wanted) peers(c *cluster) []*task {
	if want.s != nil {
		return want.s.tasks
	}
	var peers []*task
	for _, t := range c.tasks {
		if want.isPeer(t) {
			peers = append(peers, t)
		}
	}
	return peers
}

func (want wanted) isPeer(t *task) bool {
	if want.s != nil {
		return t.s == want.s
	}
	return len(want.placement) > 0 && t.s == nil && t.Group == want.group
}

// spreadKey counts the live peers on active instances that have the same value of an attribute. Instances without it count as one
// more value.
func (want wanted) spreadKey(field string) func(*containerInstance) int {
	name := strings.TrimPrefix(field, "attribute:")
	var count map[string]int
	return func(ci *containerInstance) int {
		if count == nil {
			count = map[string]int{}
			for _, t := range want.peers(ci.c) {
				if t.live() && t.ci.Status == "ACTIVE" {
					count[t.ci.Attributes[name]]++
				}
			}
		}
		return count[ci.Attributes[name]]
	}
}
