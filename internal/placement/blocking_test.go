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
