package placement

import (
	"fmt"
	"slices"
	"testing"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
)

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

// six are rivals of six services, of the same needs.
func six(total int, needs amounts) (rivals []demand) {
	for i := range 6 {
		rivals = append(rivals, demand{needs: needs, count: (total + i) / 6})
	}
	return rivals
}

// A search with too many ways to try them all is through in time, because it knows how many tasks a host takes at least, and what it has
// tried: if the rivals are one too few, there is no doubt.
func TestALargeSearchIsThroughInTime(t *testing.T) {
	const hosts = 30
	ports := []inventory.Port{{Number: 80}}
	on := func(p []inventory.Port, rivals []demand) []demand {
		for i := range rivals {
			rivals[i].ports = p
		}
		return rivals
	}
	last := slices.Repeat([]answer{no}, hosts) // only on the last host
	last[hosts-1] = yes
	oneEach := func(n int, needs amounts) []demand { return slices.Repeat([]demand{{needs: needs, count: 1}}, n) }
	own := on(nil, six(89, amounts{3, 1}))
	for i := range own {
		own[i].ports = []inventory.Port{{Number: 90 + i}}
	}
	freed := many(hosts, amounts{10, 100}, demand{needs: amounts{2, 2}}, six(89, amounts{3, 1, 1})...)
	for i := range freed.rooms {
		freed.rooms[i].loose.free[gpu] = 100
	}
	web, onPort := demand{needs: amounts{2, 2}, count: 1}, demand{needs: amounts{2, 2}, count: 1, ports: ports}
	for name, c := range map[string]struct {
		v    *view
		n    int
		want bool
	}{
		"three for each host, but one":  {many(hosts, amounts{10, 100}, web, six(89, amounts{3, 1})...), 1, false},
		"three for each host":           {many(hosts, amounts{10, 100}, web, six(90, amounts{3, 1})...), 1, true},
		"five for each host, but one":   {many(hosts, amounts{10, 100}, web, six(149, amounts{2, 1})...), 1, false},
		"each of its own service":       {many(hosts, amounts{10, 100}, web, oneEach(149, amounts{2, 1})...), 1, false},
		"by memory":                     {many(hosts, amounts{100, 10}, web, six(89, amounts{1, 3})...), 1, false},
		"of what the service needs not": {freed, 1, false},
		"with some that have one place": {many(hosts, amounts{10, 100}, web, append(six(86, amounts{3, 1}),
			demand{needs: amounts{9, 1}, count: 1, admits: last})...), 1, false},
		"with some that are too large": {many(hosts, amounts{10, 100}, web, append(six(88, amounts{3, 1}),
			demand{needs: amounts{11, 1}, count: 1})...), 1, false},
		"the small ones help little": {many(hosts, amounts{10, 100}, web, append(six(85, amounts{3, 1}),
			demand{needs: amounts{1, 1}, count: 4})...), 1, false},
		"the small ones do not help": {many(hosts, amounts{10, 100}, web, append(six(145, amounts{2, 1}),
			demand{needs: amounts{1, 1}, count: 4})...), 1, false},
		"its own tasks help little": {many(hosts, amounts{10, 100}, web, six(88, amounts{3, 1})...), 2, false},
		"two sizes, and each host takes one of the small": {many(hosts, amounts{10, 100}, web, demand{needs: amounts{4, 1}, count: 100},
			demand{needs: amounts{1, 1}, count: 30}), 1, true},
		"two sizes, and each host but one takes one of the small": {many(hosts, amounts{10, 100}, web, demand{needs: amounts{4, 1}, count: 100},
			demand{needs: amounts{1, 1}, count: 29}), 1, false},
		"two sizes, in many ways": {many(15, amounts{10, 100}, web, demand{needs: amounts{3, 1}, count: 30},
			demand{needs: amounts{2, 1}, count: 25}), 1, true},
		"two sizes, in many ways that fail": {many(15, amounts{10, 100}, web, demand{needs: amounts{3, 1}, count: 30},
			demand{needs: amounts{2, 1}, count: 19}), 1, false},
		"on the same port, but one": {many(hosts, amounts{100, 100}, onPort, on(ports, six(29, amounts{1, 1}))...), 1, false},
		"on the same port": {many(hosts, amounts{100, 100}, onPort, append(oneEach(1, amounts{1, 1}),
			on(ports, six(30, amounts{1, 1}))...)...), 1, true},
		"on the same port of one host": {many(hosts, amounts{10, 100}, onPort, append(six(86, amounts{3, 1}),
			demand{needs: amounts{1, 1}, ports: ports, count: 1, admits: last})...), 1, false},
		"on other ports": {many(hosts, amounts{10, 100}, onPort, own...), 1, false},
		"one on each host, but one": {many(hosts, amounts{9, 9}, demand{needs: amounts{2, 2}, distinct: true},
			six(2, amounts{1, 1})...), 28, false},
		"one on each host": {many(hosts, amounts{9, 9}, demand{needs: amounts{2, 2}, distinct: true}), 31, true},
		"one on each host, and others are not of it": {many(hosts, amounts{10, 100}, demand{needs: amounts{2, 2}, distinct: true},
			six(89, amounts{3, 1})...), 1, false},
	} {
		if why := c.v.mayBeBlocked(c.v.demands[0], c.n); len(why) > 0 != c.want {
			t.Errorf("%s: %v, want blocked %t", name, why, c.want)
		}
	}
}

// A search that takes too long promises nothing. The rivals are too few of the small ones, but in too many ways.
func TestASearchThatTakesTooLongPromisesNothing(t *testing.T) {
	const hosts = 31
	v := many(hosts, amounts{10, 100}, demand{needs: amounts{2, 2}}, append(six(100, amounts{4, 1}),
		demand{needs: amounts{1, 1}, count: 29})...)
	web := v.demands[0]
	web.def = &inventory.TaskDefinition{Name: "web:1", Requires: []string{"disk"}}
	v.rooms[hosts-1].host.Attributes = map[string]string{"tier": "2"}
	web.admits[hosts-1], web.refused[hosts-1] = no, NoAttribute
	for _, d := range v.demands[1:] {
		d.admits[hosts-1] = no
	}
	want := []Reason{
		{Order, "there is room for service s0 on i-0, i-1, i-2 and 27 more, but it depends on the order in which ECS places tasks, and on the " +
			"hosts it chooses; s1, s2, s3, s4, s5, s6, s7 may be placed first"},
		{NoCPU, "a task needs 2 CPU units, and at most 1 are free on 29 of 31 other hosts (i-0)"},
		{NoAttribute, "task definition web:1 requires attributes that are missing on 1 of 31 other hosts (i-30): disk"},
	}
	if why := v.mayBeBlocked(web, 1); !slices.Equal(why, want) {
		t.Errorf("got %+v", why)
	}
}
