package placement

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
)

// small makes a cluster of a few hosts and a few services at random, in which everything is tight.
func small(seed uint64) *view {
	r := rand.New(rand.NewPCG(seed, 7))
	v := &view{}
	ports := []inventory.Port{{Number: 80}, {Number: 80, UDP: true}}
	for i := range 1 + r.IntN(3) {
		tight := space{amounts{r.IntN(6), r.IntN(6), r.IntN(3), r.IntN(4)}, map[inventory.Port]bool{}, map[string]bool{}}
		loose := space{tight.free, map[inventory.Port]bool{}, map[string]bool{}}
		loose.free[cpu] += r.IntN(2)
		loose.free[memory] += r.IntN(2)
		if r.IntN(4) == 0 {
			p := ports[r.IntN(2)]
			tight.taken[p], loose.taken[p] = true, r.IntN(2) == 0
		}
		if r.IntN(4) == 0 {
			name := fmt.Sprint("s", r.IntN(3))
			tight.has[name], loose.has[name] = true, r.IntN(2) == 0
		}
		host := &inventory.Host{ContainerInstance: fleet.ContainerInstance{Instance: fleet.InstanceID(fmt.Sprint("i-", i))}}
		v.rooms = append(v.rooms, room{host: host, tight: tight, loose: loose})
	}
	for i := range 1 + r.IntN(3) {
		d := &demand{name: fmt.Sprint("s", i), s: &inventory.Service{}, def: &inventory.TaskDefinition{}, count: r.IntN(4), distinct: r.IntN(4) == 0}
		d.needs = amounts{1 + r.IntN(3), 1 + r.IntN(3), r.IntN(4) / 3, r.IntN(2)}
		if r.IntN(3) == 0 {
			d.ports = ports[r.IntN(2):][:1]
		}
		d.refused = make([]Code, len(v.rooms))
		for range v.rooms {
			d.admits = append(d.admits, []answer{yes, yes, yes, unknown, no}[r.IntN(5)])
		}
		d.choices = [][]answer{d.admits}
		if r.IntN(4) == 0 { // two capacity providers
			choices := [][]answer{slices.Clone(d.admits), slices.Clone(d.admits)}
			for k := range d.admits {
				choices[k%2][k] = no
			}
			d.choices = choices
		}
		v.demands = append(v.demands, d)
	}
	return v
}

// closed tries everything: whether tasks that come before can keep one of a service out of each of these rooms.
func closed(v *view, d *demand, rooms []int, left []int, l load, from int) bool {
	if len(rooms) == 0 {
		return true
	}
	r := &v.rooms[rooms[0]]
	if !r.tight.fits(l, d) {
		return closed(v, d, rooms[1:], left, load{}, 0)
	}
	for k := from; k < len(left); k++ {
		o := v.demands[k]
		if left[k] == 0 || o.admits[rooms[0]] == no || !r.loose.fits(l, o) {
			continue
		}
		less := slices.Clone(left)
		less[k]--
		if closed(v, d, rooms, less, l.with(o), k) {
			return true
		}
	}
	return false
}

var boards = flag.Uint64("boards", 20_000, "how many random clusters the search is held against one that tries everything")

// The search says the same as one that tries everything.
func TestTheSearchForABlockadeFindsWhatThereIs(t *testing.T) {
	blocked, free := 0, 0
	for seed := range *boards {
		v := small(seed)
		d := v.demands[0]
		for n := range 4 {
			var left []int
			for i := range v.demands {
				left = append(left, v.demands[i].count)
			}
			left[0] = max(0, n-1)
			want := false
			for _, choice := range d.choices {
				var rooms []int
				for i := range v.rooms {
					if choice[i] == yes && v.rooms[i].tight.fits(load{}, d) {
						rooms = append(rooms, i)
					}
				}
				want = want || n > 0 && closed(v, d, rooms, left, load{}, 0)
			}
			why := v.mayBeBlocked(d, n)
			if len(why) > 0 != want || want && why[0].Code != Order {
				t.Fatalf("seed %d, %d tasks: %v, want blocked %t\nrooms %+v\nservices %+v", seed, n, why, want, v.rooms, v.demands)
			}
			if want {
				blocked++
			} else {
				free++
			}
		}
	}
	if blocked < int(*boards)/2 || free < int(*boards)/2 {
		t.Errorf("%d blocked, %d free: too few to show anything", blocked, free)
	}
}

// Two services of one host each: what would keep the first out is told, for the hosts on which it does.
func TestABlockadeNamesWhatKeepsATaskOut(t *testing.T) {
	v := &view{}
	for i := range 5 {
		host := &inventory.Host{ContainerInstance: fleet.ContainerInstance{Instance: fleet.InstanceID(fmt.Sprint("i-", i))}}
		s := space{amounts{4, 8}, map[inventory.Port]bool{}, map[string]bool{}}
		v.rooms = append(v.rooms, room{host: host, tight: s, loose: s})
	}
	all := []answer{yes, yes, yes, yes, yes}
	for i, name := range []string{"web", "db"} {
		d := &demand{name: name, s: &inventory.Service{}, def: &inventory.TaskDefinition{}, needs: amounts{2 + i}, count: 5, admits: all, choices: [][]answer{all},
			refused: make([]Code, 5)}
		v.demands = append(v.demands, d)
	}
	why := v.mayBeBlocked(v.demands[0], 1)
	want := []Reason{
		{Order, "there is room for service web on i-0, i-1, i-2 and 2 more, but it depends on the order in which ECS places tasks, and on the " +
			"hosts it chooses; db may be placed first"},
		{NoCPU, "a task needs 2 CPU units, and at most 1 are free on all 5 other hosts (i-0)"},
	}
	if !slices.Equal(why, want) {
		t.Errorf("got %+v", why)
	}
	v.demands[1].count = 4
	if why := v.mayBeBlocked(v.demands[0], 1); why != nil {
		t.Errorf("one host is left: %+v", why)
	}
}

// Services that fit alone and not together: the packing is as good as trying everything.
func TestThePackingFindsAPlaceForAllIfThereIsOne(t *testing.T) {
	found, none := 0, 0
	for seed := range *boards {
		v := small(seed)
		p := packing{v: v, loads: make([]load, len(v.rooms))}
		for i := range v.demands {
			if v.demands[i].count > 0 {
				p.demands, p.needed = append(p.demands, v.demands[i]), append(p.needed, v.demands[i].count)
			}
		}
		if len(p.demands) == 0 {
			continue
		}
		want := packs(v, slices.Clone(p.loads), p.demands, slices.Clone(p.needed))
		if got := p.place(0, 0, p.needed[0]); got != want {
			t.Fatalf("seed %d: %t, want %t\nrooms %+v\nservices %+v", seed, got, want, v.rooms, v.demands)
		}
		if want {
			found++
		} else {
			none++
		}
	}
	if found < int(*boards)/20 || none < int(*boards)/20 {
		t.Errorf("%d had a place, %d had none: too few to show anything", found, none)
	}
}

// packs tries every room for each task.
func packs(v *view, loads []load, demands []*demand, needed []int) bool {
	for k, d := range demands {
		if needed[k] == 0 {
			continue
		}
		for i := range v.rooms {
			if d.admits[i] == no || !v.rooms[i].loose.fits(loads[i], d) {
				continue
			}
			more, less := slices.Clone(loads), slices.Clone(needed)
			more[i] = loads[i].with(d)
			less[k]--
			if packs(v, more, demands, less) {
				return true
			}
		}
		return false
	}
	return true
}

// many are so many equal hosts, with a service web and rivals of it.
func many(hosts int, free amounts, web demand, rivals ...demand) *view {
	v := &view{}
	for i := range hosts {
		host := &inventory.Host{ContainerInstance: fleet.ContainerInstance{Instance: fleet.InstanceID(fmt.Sprint("i-", i))}}
		s := space{free, map[inventory.Port]bool{}, map[string]bool{}}
		v.rooms = append(v.rooms, room{host: host, tight: s, loose: s})
	}
	for i, d := range append([]demand{web}, rivals...) {
		d.name, d.s, d.def, d.refused = fmt.Sprint("s", i), &inventory.Service{}, &inventory.TaskDefinition{}, make([]Code, hosts)
		if d.admits == nil {
			d.admits = slices.Repeat([]answer{yes}, hosts)
		}
		d.choices = [][]answer{d.admits}
		v.demands = append(v.demands, &d)
	}
	return v
}

// A search with too many ways to try them all is through in time, because it knows how many tasks a host takes at least: if the rivals are
// one too few, there is no doubt.
func TestALargeSearchIsThroughInTime(t *testing.T) {
	const hosts = 30
	never := slices.Repeat([]answer{no}, hosts)
	six := func(total int, needs amounts) (rivals []demand) {
		for i := range 6 {
			rivals = append(rivals, demand{needs: needs, count: (total + i) / 6})
		}
		return rivals
	}
	ports := []inventory.Port{{Number: 80}}
	onPort := func(total int) []demand {
		rivals := six(total, amounts{1, 1})
		for i := range rivals {
			rivals[i].ports = ports
		}
		return rivals
	}
	web := demand{needs: amounts{2, 2}, count: 1}
	for name, c := range map[string]struct {
		v    *view
		n    int
		want bool
	}{
		"three for each host, but one":  {many(hosts, amounts{10, 100}, web, six(89, amounts{3, 1})...), 1, false},
		"three for each host":           {many(hosts, amounts{10, 100}, web, six(90, amounts{3, 1})...), 1, true},
		"by memory":                     {many(hosts, amounts{100, 10}, web, six(89, amounts{1, 3})...), 1, false},
		"of what the service needs not": {many(hosts, amounts{10, 100, 3}, web, six(89, amounts{3, 1, 1})...), 1, false},
		"with some that have no place": {many(hosts, amounts{10, 100}, web, append(six(88, amounts{3, 1}),
			demand{needs: amounts{9, 1}, count: 1, admits: never})...), 1, false},
		"with some that are too large": {many(hosts, amounts{10, 100}, web, append(six(88, amounts{3, 1}),
			demand{needs: amounts{11, 1}, count: 1})...), 1, false},
		"the small ones help little": {many(hosts, amounts{10, 100}, web, append(six(85, amounts{3, 1}),
			demand{needs: amounts{1, 1}, count: 4})...), 1, false},
		"on the same port, but one": {many(hosts, amounts{100, 100}, demand{needs: amounts{2, 2}, count: 1, ports: ports}, onPort(29)...), 1, false},
		"on the same port":          {many(hosts, amounts{100, 100}, demand{needs: amounts{2, 2}, count: 1, ports: ports}, onPort(30)...), 1, true},
		"on another port": {many(hosts, amounts{10, 100}, demand{needs: amounts{2, 2}, count: 1, ports: []inventory.Port{{Number: 81}}},
			onPort(89)...), 1, false},
		"one on each host, but one": {many(hosts, amounts{9, 9}, demand{needs: amounts{2, 2}, distinct: true}, six(2, amounts{1, 1})...), 28, false},
		"one on each host":          {many(hosts, amounts{9, 9}, demand{needs: amounts{2, 2}, distinct: true}), 31, true},
	} {
		if why := c.v.mayBeBlocked(c.v.demands[0], c.n); len(why) > 0 != c.want {
			t.Errorf("%s: %v, want blocked %t", name, why, c.want)
		}
	}
}

// What others have over-booked keeps out only the tasks that need some of it.
func TestAnOverBookedHostTakesTasksThatNeedNoneOfIt(t *testing.T) {
	s := &space{free: amounts{-100, 512, 0, 1}}
	if code, _ := s.misfit(load{}, &demand{needs: amounts{0, 256, 0, 0}}); code != "" {
		t.Errorf("refused for %s", code)
	}
	if code, free := s.misfit(load{}, &demand{needs: amounts{1, 256, 0, 0}}); code != NoCPU || free != -100 {
		t.Errorf("got %s, %d", code, free)
	}
}
