package ecs

import (
	"strings"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// placing places tasks of one kind, one after the other. What it has counted stays true as long as nothing else changes in between.
type placing struct {
	w        *ECS
	c        *cluster
	want     wanted
	strategy []StrategyItem
	has      map[string]int // live tasks by capacity provider
	bound    []binding
	spots    []spot // active instances, in order of registration
	steps    []PlacementStrategy
	subnets  map[string]int // live peers on Fargate by subnet; nil: not counted yet
}

// spot is an instance on which a task may be placed.
type spot struct {
	ci   *containerInstance
	miss miss   // why the task does not fit; without a reason it does
	own  int    // tasks of the same service, or of the same group for standalone tasks with a strategy
	same []*int // by step that spreads over an attribute: live peers on active instances with the same value of it
}

func (w *ECS) placing(c *cluster, want wanted, strategy []StrategyItem) *placing {
	p := &placing{w: w, c: c, want: want, strategy: strategy, has: map[string]int{}, bound: w.bindings(want), steps: want.placement}
	if len(p.steps) == 0 && want.s != nil {
		p.steps = []PlacementStrategy{{Type: "spread", Field: "attribute:ecs.availability-zone"}}
	}
	peers := want.peers(c)
	on := make(map[place]int, len(peers))
	for _, t := range peers {
		if t.LastStatus != "STOPPED" {
			on[t.at]++
		}
	}
	counts := make([]map[string]*int, len(p.steps))
	for i, step := range p.steps {
		if spreads(step) {
			counts[i] = spread(peers, attributeOf(step))
		}
	}
	p.spots = make([]spot, 0, len(c.instances))
	for _, ci := range c.instances {
		if ci.Status != "ACTIVE" {
			continue
		}
		s := spot{ci: ci, miss: w.unfit(ci, want.def, p.bound), own: on[ci], same: make([]*int, len(p.steps))}
		for i, step := range p.steps {
			if spreads(step) {
				s.same[i] = counted(counts[i], ci.Attributes[attributeOf(step)])
			}
		}
		p.spots = append(p.spots, s)
	}
	return p
}

// start places and starts the next task. Without a place it says why.
func (p *placing) start() (*task, miss) {
	p.want.providers = next(p.strategy, p.has)
	if capacity := p.want.fargate(); capacity != "" {
		return p.onFargate(capacity)
	}
	s, why := p.place()
	if s == nil {
		return nil, why
	}
	t := p.w.newTask(s.ci.c, s.ci, p.want)
	p.has[t.CapacityProvider]++
	s.miss = p.w.unfit(s.ci, p.want.def, p.bound)
	if p.want.isPeer(t) {
		s.own++
		for _, n := range s.same {
			if n != nil {
				*n++
			}
		}
	}
	return t, miss{}
}

// preferred chooses among instances that a task fits on, by its placement strategy: spread over zones if there is none and a service
// asks. What the strategy leaves open goes to the instance with the fewest tasks of the service, then with the fewest tasks at all,
// then to the oldest; AWS does not say.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-placement-strategies.html
func (p *placing) preferred() *spot {
	keys := p.keys()
	var best *spot
	for i := range p.spots {
		s := &p.spots[i]
		if s.miss.reason == "" && p.want.allows(s.ci) && (best == nil || less(keys, s, best)) {
			best = s
		}
	}
	return best
}

// less compares by the first key that differs.
func less(keys []func(*spot) int, a, b *spot) bool {
	for _, key := range keys {
		if x, y := key(a), key(b); x != y {
			return x < y
		}
	}
	return false
}

// keys are the numbers by which instances are compared, the most important first; the least is the best.
func (p *placing) keys() []func(*spot) int {
	own := func(s *spot) int { return s.own }
	var keys []func(*spot) int
	for i, step := range p.steps {
		switch {
		case step.Type == "binpack" && step.Field == "memory":
			keys = append(keys, func(s *spot) int { return s.ci.FreeMemory })
		case step.Type == "binpack":
			keys = append(keys, func(s *spot) int { return s.ci.FreeCPU })
		case step.Type == "random":
			dice := p.w.Roll()
			keys = append(keys, func(s *spot) int { return int(core.Mix(dice^uint64(s.ci.number)) >> 1) })
		case spreads(step):
			keys = append(keys, func(s *spot) int { return *s.same[i] })
		default:
			keys = append(keys, own)
		}
	}
	return append(keys, own, func(s *spot) int { return len(s.ci.tasks) })
}

// spreads reports whether a step spreads over an attribute, and not over instances.
func spreads(step PlacementStrategy) bool {
	return step.Type == "spread" && step.Field != "instanceId" && step.Field != "host"
}

func attributeOf(step PlacementStrategy) string { return strings.TrimPrefix(step.Field, "attribute:") }

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

// spread counts the live peers on active instances by the value of an attribute. Instances without it count as one more value.
func spread(peers []*task, attribute string) map[string]*int {
	count := map[string]*int{}
	for _, t := range peers {
		if t.live() && t.at.status() == "ACTIVE" {
			*counted(count, t.at.attribute(attribute))++
		}
	}
	return count
}

// counted is the counter of a value.
func counted(count map[string]*int, value string) *int {
	if count[value] == nil {
		count[value] = new(int)
	}
	return count[value]
}
