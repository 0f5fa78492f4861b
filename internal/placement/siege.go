package placement

import (
	"slices"
	"strconv"
)

// patience bounds each search; one that is not through by then has no result.
const patience = 20_000

// siege is the search for a way in which other tasks, placed before, keep a task of one service out of every host. If there is
// none, the task is placed whatever ECS chooses: what is not kept out by everything that may come before it cannot be missed.
//
// Others fill loose space, for that may have become free when they come, and the service must make do with tight space.
type siege struct {
	v      *view
	d      *demand
	others []*demand // that are to be started, the service itself among them
	rooms  []int
	left   []int // of others
	spent  int
	dead   map[string]bool
	found  []load // by place in rooms: a way
}

// besieged says why a service may fail to have n tasks placed; nothing: it cannot fail.
func (v *view) besieged(d *demand, n int) []Reason {
	if n <= 0 {
		return nil
	}
	for _, choice := range d.choices {
		g := siege{v: v, d: d, dead: map[string]bool{}}
		for i := range v.rooms {
			if choice[i] == yes && v.rooms[i].tight.fits(load{}, d) {
				g.rooms = append(g.rooms, i)
			}
		}
		for i := range v.demands {
			if o := &v.demands[i]; o == d && n > 1 || o != d && o.count > 0 {
				g.others = append(g.others, o)
				g.left = append(g.left, o.count)
				if o == d {
					g.left[len(g.left)-1] = n - 1
				}
			}
		}
		g.found = make([]load, len(g.rooms))
		if g.from(0) {
			return g.words(choice)
		}
	}
	return nil
}

// from reports whether rooms i and on can all be closed with what is left. A search that takes too long counts as success.
func (g *siege) from(i int) bool {
	if i == len(g.rooms) {
		return true
	}
	if g.spent++; g.spent > patience {
		return true
	}
	total := 0
	for _, n := range g.left {
		total += n
	}
	for _, r := range g.rooms[i:] {
		if total -= g.price(r, total); total < 0 {
			return false
		}
	}
	key := strconv.Itoa(i)
	for _, n := range g.left {
		key += "," + strconv.Itoa(n)
	}
	if g.dead[key] {
		return false
	}
	if g.fill(i, 0, load{}) {
		return true
	}
	g.dead[key] = true
	return false
}

// fill puts others, from the k-th on, into room i until the service does not fit any more, and goes on with the next room.
func (g *siege) fill(i, k int, l load) bool {
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

// price is the least number of tasks that close a room, more than limit if none of what is left does.
func (g *siege) price(i, limit int) int {
	tight, best := &g.v.rooms[i].tight, limit+1
	sizes := [4][]int{}
	for k, o := range g.others {
		if g.left[k] == 0 || o.admits[i] == no || !g.v.rooms[i].loose.fits(load{}, o) {
			continue
		}
		if o == g.d && g.d.distinct || slices.ContainsFunc(o.ports, func(p port) bool { return slices.Contains(g.d.ports, p) }) {
			return 1
		}
		for range g.left[k] {
			for dim, n := range [4]int{o.cpu, o.memory, o.gpu, o.nics} {
				sizes[dim] = append(sizes[dim], n)
			}
		}
	}
	needs := [4]int{g.d.cpu, g.d.memory, g.d.gpu, g.d.nics}
	for dim, free := range [4]int{tight.cpu, tight.memory, tight.gpu, tight.nics} {
		if needs[dim] == 0 {
			continue
		}
		slices.SortFunc(sizes[dim], func(a, b int) int { return b - a })
		over := free - needs[dim] + 1
		for n, size := range sizes[dim] {
			if over -= size; over <= 0 {
				best = min(best, n+1)
				break
			}
		}
	}
	return best
}
