package placement

import (
	"fmt"
	"slices"

	"github.com/ebbhq/ebb/internal/inventory"
)

// patience bounds each search, in steps that each look at one room or one service; a search that is not through by then has no
// result. It is a few hundredths of a second.
const patience = 1_000_000

// blockade is the search for a way in which other tasks, placed before, keep a task of one service out of every host. If there is
// none, the task is placed whatever ECS chooses: what is not kept out by everything that may come before it cannot be missed.
//
// Others fill loose space, for that may have become free when they come, and the service must make do with tight space.
type blockade struct {
	v      *view
	d      *demand
	others []*demand // that are to be started, the service itself among them
	rooms  []int
	left   []int // of others
	spent  int
	dead   map[string]bool
	found  []load                // by place in rooms: a way
	sorted [len(amounts{})][]int // others by what they need of CPU, memory, GPUs and interfaces, the greediest first
}

// mayBeBlocked says why a service may fail to have n tasks placed; nothing: it cannot fail.
func (v *view) mayBeBlocked(d *demand, n int) []Reason {
	if n <= 0 {
		return nil
	}
	for _, choice := range d.choices {
		g := blockade{v: v, d: d, dead: map[string]bool{}}
		for i := range v.rooms {
			if choice[i] == yes && v.rooms[i].tight.fits(load{}, d) {
				g.rooms = append(g.rooms, i)
			}
		}
		for _, o := range v.demands {
			left := o.count
			if o == d {
				left = n - 1
			}
			if left > 0 && slices.ContainsFunc(g.rooms, func(i int) bool { return g.enters(i, o) }) {
				g.others, g.left = append(g.others, o), append(g.left, left)
			}
		}
		g.found = make([]load, len(g.rooms))
		g.sort()
		if g.from(0) {
			return g.words(choice)
		}
	}
	return nil
}

// from reports whether rooms i and on can all be closed with what is left.
func (g *blockade) from(i int) bool {
	if i == len(g.rooms) {
		return true
	}
	total := 0
	for _, n := range g.left {
		total += n
	}
	for _, r := range g.rooms[i:] {
		g.spent += len(g.others)
		if total -= g.price(r, total); total < 0 {
			return false
		}
	}
	key := fmt.Sprint(i, g.left)
	if g.dead[key] {
		return false
	}
	if g.fill(i, 0, load{}) {
		return true
	}
	g.dead[key] = true
	return false
}

// fill puts others, from the k-th on, into room i until the service does not fit any more, and goes on with the next room. A search that
// takes too long counts as success.
func (g *blockade) fill(i, k int, l load) bool {
	r := &g.v.rooms[g.rooms[i]]
	if !r.tight.fits(l, g.d) {
		g.found[i] = l
		return g.from(i + 1)
	}
	for ; k < len(g.others); k++ {
		if g.left[k] == 0 || g.others[k].admits[g.rooms[i]] == no || !r.loose.fits(l, g.others[k]) {
			continue
		}
		if g.spent++; g.spent > patience {
			return true
		}
		g.left[k]--
		done := g.fill(i, k, l.with(g.others[k]))
		g.left[k]++
		if done {
			return true
		}
	}
	return false
}

func (g *blockade) sort() {
	for dim := range g.sorted {
		for k := range g.others {
			g.sorted[dim] = append(g.sorted[dim], k)
		}
		slices.SortFunc(g.sorted[dim], func(a, b int) int { return g.others[b].needs[dim] - g.others[a].needs[dim] })
	}
}

// price is the least number of tasks that close a room, more than limit if what is left cannot.
func (g *blockade) price(i, limit int) int {
	r := &g.v.rooms[i]
	for k, o := range g.others {
		if g.left[k] > 0 && g.enters(i, o) && (o == g.d && g.d.distinct || slices.ContainsFunc(o.ports,
			func(p inventory.Port) bool { return slices.Contains(g.d.ports, p) })) {
			return 1
		}
	}
	best := limit + 1
	for dim, free := range r.tight.free {
		if g.d.needs[dim] == 0 {
			continue
		}
		over, n := free-g.d.needs[dim]+1, 0
		for _, k := range g.sorted[dim] {
			size := g.others[k].needs[dim]
			if size == 0 || !g.enters(i, g.others[k]) {
				continue
			}
			take := min(g.left[k], (over+size-1)/size)
			if n, over = n+take, over-take*size; over <= 0 {
				best = min(best, n)
				break
			}
		}
	}
	return best
}

// enters reports whether a task may be placed into a room at all.
func (g *blockade) enters(i int, o *demand) bool {
	return o.admits[i] != no && g.v.rooms[i].loose.fits(load{}, o)
}

// capacity is how many tasks of a service alone could have a place at most, as far as that matters: no more than it may have.
func (v *view) capacity(d *demand) int {
	total := 0
	for i := range v.rooms {
		if d.admits[i] != no && total < max(d.upper, d.s.Desired) {
			total += len(v.rooms[i].filled(d, load{}, d.s.Desired).services)
		}
	}
	return total
}

// filled adds tasks of a service to a load until the loose space of a room is full, at most limit of them.
func (r *room) filled(d *demand, l load, limit int) load {
	for n := 0; n < limit && r.loose.fits(l, d); n++ {
		l = l.with(d)
	}
	return l
}

// together looks for places for all tasks that must have one at once, though each service alone could have them. Where there
// is provably no such way, something is stuck, and every service concerned says so.
func (v *view) together(asked []*demand, fates []Fate) {
	var p packing
	var concerned []int
	for i, d := range asked {
		needed := d.lower - d.staying - d.others
		if fates[i].Verdict != Uncertain || d.running == 0 || needed <= 0 || fates[i].Reasons[0].Code != Order || len(v.hopes(d)) > 0 {
			continue
		}
		p.demands, p.needed, concerned = append(p.demands, d), append(p.needed, needed), append(concerned, i)
	}
	if len(concerned) < 2 {
		return
	}
	p.v, p.loads = v, make([]load, len(v.rooms))
	if p.place(0, 0, p.needed[0]) {
		return
	}
	words := togetherWords(&p)
	for _, i := range concerned {
		fates[i].Verdict = Stuck
		fates[i].Reasons = append([]Reason{{Together, words}}, fates[i].Reasons[1:]...)
	}
}

// packing is the search for places for several services together.
type packing struct {
	v       *view
	demands []*demand
	needed  []int
	loads   []load
	spent   int
}

// place puts n more tasks of the k-th service into rooms i and on, then the services after it. It gives up as a success.
func (p *packing) place(k, i, n int) bool {
	if p.spent++; p.spent > patience {
		return true
	}
	if n == 0 {
		if k++; k == len(p.demands) {
			return true
		}
		return p.place(k, 0, p.needed[k])
	}
	if i == len(p.v.rooms) {
		return false
	}
	before := p.loads[i]
	if p.demands[k].admits[i] != no && p.v.rooms[i].loose.fits(before, p.demands[k]) {
		p.loads[i] = before.with(p.demands[k])
		if p.place(k, i, n-1) {
			return true
		}
		p.loads[i] = before
	}
	return p.place(k, i+1, n)
}
