package placement_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
	"github.com/ebbhq/ebb/internal/placement"
)

// The reasons say how many hosts each is about, the most first, and which host is next to having room.
func TestSentencesAboutHosts(t *testing.T) {
	others := func(change ...func(h *inventory.Host)) func(p parts) {
		return func(p parts) {
			for i, f := range change {
				h := p.rest
				if i > 0 {
					h = p.third()
				}
				h.Free = inventory.Resources{CPU: 1024, Memory: 2048}
				f(h)
			}
		}
	}
	cpu := func(n int) func(h *inventory.Host) { return func(h *inventory.Host) { h.Free.CPU = n } }
	memory := func(n int) func(h *inventory.Host) { return func(h *inventory.Host) { h.Free.Memory = n } }
	tier := func(v string) func(h *inventory.Host) {
		return func(h *inventory.Host) { h.Attributes = map[string]string{"tier": v} }
	}
	check(t, map[string]answer{
		"the second has the most": {others(cpu(100), cpu(200), cpu(150)), `
			stuck
			replica web [task/0]: stuck, 2 wanted, 2 to 4, 1 to start on []
			no-cpu: a task needs 512 CPU units, and at most 200 are free on all 3 other hosts (i-2)`},
		"the first has the most": {others(cpu(200), cpu(100)), `
			stuck
			replica web [task/0]: stuck, 2 wanted, 2 to 4, 1 to start on []
			no-cpu: a task needs 512 CPU units, and at most 200 are free on all 2 other hosts (i-1)`},
		"none has any": {others(cpu(0), cpu(0)), `
			stuck
			replica web [task/0]: stuck, 2 wanted, 2 to 4, 1 to start on []
			no-cpu: a task needs 512 CPU units, and none is free on all 2 other hosts (such as i-1)`},
		"two reasons, the second of the most hosts": {others(memory(1), cpu(1), cpu(0)), `
			stuck
			replica web [task/0]: stuck, 2 wanted, 2 to 4, 1 to start on []
			no-cpu: a task needs 512 CPU units, and at most 1 are free on 2 of 3 other hosts (i-2)
			no-memory: a task needs 512 MiB of memory, and at most 1 are free on 1 of 3 other hosts (i-1)`},
		"two reasons, of as many hosts": {others(memory(1), cpu(1)), `
			stuck
			replica web [task/0]: stuck, 2 wanted, 2 to 4, 1 to start on []
			no-memory: a task needs 512 MiB of memory, and at most 1 are free on 1 of 2 other hosts (i-1)
			no-cpu: a task needs 512 CPU units, and at most 1 are free on 1 of 2 other hosts (i-2)`},
		"two reasons, and room for some": {func(p parts) {
			others(cpu(513), memory(513))(p)
			p.web.Desired = 4
			p.runs(p.c.Hosts[0], p.web)
			p.runs(p.c.Hosts[0], p.web)
		}, `
			stuck
			replica web [task/0 task/2 task/3]: stuck, 4 wanted, 4 to 8, 3 to start on [i-1 i-2]
			no-cpu: there is room for 2 of the 3 tasks that it must start; for more: a task needs 512 CPU units, and at most 1 are free on
			  1 of 2 other hosts (i-1)
			no-memory: there is room for 2 of the 3 tasks that it must start; for more: a task needs 512 MiB of memory, and at most 1 are
			  free on 1 of 2 other hosts (i-2)`},
		"the first that does not suit": {func(p parts) {
			others(tier("3"), tier("4"))(p)
			p.c.Hosts[1].Free.CPU = 0
			member(p.web, "attribute:tier == 2")
		}, `
			stuck
			replica web [task/0]: stuck, 2 wanted, 2 to 4, 1 to start on []
			constraint: the placement constraint attribute:tier == 2 is not met, or cannot be judged, on all 2 other hosts (such as i-1)`},
		"two ports, and both are taken": {func(p parts) {
			p.rest.Free.Ports, p.rest.Free.UDP = []int{80}, []int{53}
			p.def.HostPorts = []inventory.Port{{Number: 80}, {Number: 53, UDP: true}}
		}, `
			stuck
			replica web [task/0]: stuck, 2 wanted, 2 to 4, 1 to start on []
			no-port: a task needs host port 80/tcp, 53/udp, which is in use on the only other host (i-1)`},
	})
}

// Where it depends on the order, the answer names the hosts and who may come first.
func TestSentencesAboutTheOrder(t *testing.T) {
	check(t, map[string]answer{
		"four hosts": {func(p parts) {
			for range 3 {
				p.third()
			}
			v, d := p.service("agent", 4)
			v.Daemon, d.CPU = true, 600
		}, `
			uncertain
			replica web [task/0]: uncertain, 2 wanted, 2 to 4, 1 to start on [i-1 i-2 i-3 i-4]
			order: there is room for service web on i-1, i-2, i-3 and 1 more, but it depends on the order in which ECS places tasks, and
			  on the hosts it chooses; agent may be placed first
			no-cpu: a task needs 512 CPU units, and at most 424 are free on all 4 other hosts (i-1)`},
		"only its own tasks come first": {func(p parts) {
			p.web.Desired, p.rest.Free.CPU = 3, 512
			p.runs(p.c.Hosts[0], p.web)
			v, _ := p.service("db", 0)
			h := p.third()
			h.Free.CPU = 0
			p.runs(h, v).DesiredStatus = fleet.Stopped
		}, `
			uncertain
			replica web [task/0 task/2]: uncertain, 3 wanted, 3 to 6, 2 to start on [i-1]
			order: there is room for service web on i-1, but it depends on the order in which ECS places tasks, and on the hosts it
			  chooses
			no-cpu: a task needs 512 CPU units, and none is free on all 2 other hosts (such as i-1)`},
		"who cannot be placed there does not come first": {func(p parts) {
			rival(p.s, "cache", 600)
			rival(p.s, "db", 600)
			rival(p.s, "big", 1025)
			member(p.c.Services[1], "attribute:tier == 3")
		}, `
			uncertain
			replica web [task/0]: uncertain, 2 wanted, 2 to 4, 1 to start on [i-1]
			order: there is room for service web on i-1, but it depends on the order in which ECS places tasks, and on the hosts it
			  chooses; db may be placed first
			no-cpu: a task needs 512 CPU units, and at most 424 are free on the only other host (i-1)`},
	})
}

// Services of which each fits alone and not all together are stuck, if each needs a place at once and no host may be added.
func TestTogether(t *testing.T) {
	// db adds a service of one task of so many CPU units on the host that leaves.
	db := func(p parts, name string, cpu int) (*inventory.Service, *inventory.Task) {
		v, d := p.service(name, 1)
		d.CPU = cpu
		return v, p.runs(p.c.Hosts[0], v)
	}
	check(t, map[string]answer{
		"two": {func(p parts) { db(p, "db", 600) }, `
			stuck
			replica web [task/0]: stuck, 2 wanted, 2 to 4, 1 to start on [i-1]
			together: each fits alone, but the other hosts have no room for all of them together: 1 task of web (512 CPU units, 512 MiB),
			  1 task of db (600 CPU units, 512 MiB)
			no-cpu: a task needs 512 CPU units, and at most 424 are free on the only other host (i-1)
			replica db [task/2]: stuck, 1 wanted, 1 to 2, 1 to start on [i-1]
			together: each fits alone, but the other hosts have no room for all of them together: 1 task of web (512 CPU units, 512 MiB),
			  1 task of db (600 CPU units, 512 MiB)
			no-cpu: a task needs 600 CPU units, and at most 512 are free on the only other host (i-1)`},
		"two of which one has tasks elsewhere": {func(p parts) {
			p.web.Desired, p.rest.Free.CPU = 4, 1200
			h := p.third()
			h.Status = fleet.Draining
			p.runs(p.c.Hosts[0], p.web)
			p.runs(h, p.web)
			db(p, "db", 600)
		}, `
			stuck
			replica web [task/0 task/2]: stuck, 4 wanted, 4 to 8, 3 to start on [i-1]
			together: each fits alone, but the other hosts have no room for all of them together: 2 tasks of web (512 CPU units, 512 MiB),
			  1 task of db (600 CPU units, 512 MiB)
			no-cpu: a task needs 512 CPU units, and at most 176 are free on the only other host (i-1)
			replica db [task/4]: stuck, 1 wanted, 1 to 2, 1 to start on [i-1]
			together: each fits alone, but the other hosts have no room for all of them together: 2 tasks of web (512 CPU units, 512 MiB),
			  1 task of db (600 CPU units, 512 MiB)
			no-cpu: a task needs 600 CPU units, and at most 176 are free on the only other host (i-1)`},
		"two that have room on two hosts": {func(p parts) {
			p.rest.Free.CPU = 512
			p.third().Free.CPU = 1024
			db(p, "db", 600)
			p.service("cache", 1)
		}, `
			uncertain
			replica web [task/0]: uncertain, 2 wanted, 2 to 4, 1 to start on [i-1 i-2]
			order: there is room for service web on i-1, i-2, but it depends on the order in which ECS places tasks, and on the hosts it
			  chooses; db, cache may be placed first
			no-cpu: a task needs 512 CPU units, and at most 424 are free on all 2 other hosts (i-2)
			replica db [task/2]: uncertain, 1 wanted, 1 to 2, 1 to start on [i-2]
			order: there is room for service db on i-2, but it depends on the order in which ECS places tasks, and on the hosts it
			  chooses; web, cache may be placed first
			no-cpu: a task needs 600 CPU units, and at most 512 are free on all 2 other hosts (i-1)`},
		"one has not started yet": {func(p parts) {
			_, k := db(p, "db", 600)
			k.LastStatus = "PENDING"
		}, `
			uncertain
			replica web [task/0]: uncertain, 2 wanted, 2 to 4, 1 to start on [i-1]
			order: there is room for service web on i-1, but it depends on the order in which ECS places tasks, and on the hosts it
			  chooses; db may be placed first
			no-cpu: a task needs 512 CPU units, and at most 424 are free on the only other host (i-1)
			replica db [task/2]: uncertain, 1 wanted, 1 to 2, 1 to start on [i-1]
			order: there is room for service db on i-1, but it depends on the order in which ECS places tasks, and on the hosts it
			  chooses; web may be placed first
			no-cpu: a task needs 600 CPU units, and at most 512 are free on the only other host (i-1)`},
		"one is protected": {func(p parts) {
			_, k := db(p, "db", 600)
			k.Protected = true
		}, `
			uncertain
			replica web [task/0]: uncertain, 2 wanted, 2 to 4, 1 to start on [i-1]
			order: there is room for service web on i-1, but it depends on the order in which ECS places tasks, and on the hosts it
			  chooses; db may be placed first
			no-cpu: a task needs 512 CPU units, and at most 424 are free on the only other host (i-1)
			replica db [task/2]: uncertain, 1 wanted, 1 to 2, 1 to start on [i-1]
			protected: task 2 of service db has scale-in protection; AWS does not document whether draining waits for that`},
		"hosts may be added for one": {func(p parts) {
			v, _ := db(p, "db", 600)
			p.rest.CapacityProvider = "cp"
			v.LaunchType, v.Strategy = "", []inventory.StrategyItem{{Provider: "cp", Weight: 1}}
			p.c.CapacityProviders = []inventory.CapacityProvider{{Name: "cp", Group: "asg", ManagedScaling: true}}
		}, `
			uncertain
			replica web [task/0]: uncertain, 2 wanted, 2 to 4, 1 to start on [i-1]
			order: there is room for service web on i-1, but it depends on the order in which ECS places tasks, and on the hosts it
			  chooses; db may be placed first
			no-cpu: a task needs 512 CPU units, and at most 424 are free on the only other host (i-1)
			replica db [task/2]: uncertain, 1 wanted, 1 to 2, 1 to start on [i-1]
			order: there is room for service db on i-1, but it depends on the order in which ECS places tasks, and on the hosts it
			  chooses; web may be placed first
			no-cpu: a task needs 600 CPU units, and at most 512 are free on the only other host (i-1)`},
		"two beside one that moves": {func(p parts) {
			db(p, "api", 10)
			slices.Reverse(p.c.Services)
			db(p, "db", 600)
		}, `
			stuck
			replica api [task/2]: moves, 1 wanted, 1 to 2, 1 to start on [i-1]
			replica web [task/0]: stuck, 2 wanted, 2 to 4, 1 to start on [i-1]
			together: each fits alone, but the other hosts have no room for all of them together: 1 task of web (512 CPU units, 512 MiB),
			  1 task of db (600 CPU units, 512 MiB)
			no-cpu: a task needs 512 CPU units, and at most 414 are free on the only other host (i-1)
			replica db [task/3]: stuck, 1 wanted, 1 to 2, 1 to start on [i-1]
			together: each fits alone, but the other hosts have no room for all of them together: 1 task of web (512 CPU units, 512 MiB),
			  1 task of db (600 CPU units, 512 MiB)
			no-cpu: a task needs 600 CPU units, and at most 502 are free on the only other host (i-1)`},
		"two beside one that needs none at once": {func(p parts) {
			db(p, "db", 600)
			v, k := db(p, "cache", 10)
			v.Desired, v.MinPercent, k.Family = 2, 50, "cache:1"
			p.runs(p.rest, v).HealthStatus = "UNHEALTHY"
			p.c.TaskDefinitions[2].HostPorts, p.rest.Free.Ports = []inventory.Port{{Number: 80}}, []int{80}
		}, `
			stuck
			replica web [task/0]: stuck, 2 wanted, 2 to 4, 1 to start on [i-1]
			together: each fits alone, but the other hosts have no room for all of them together: 1 task of web (512 CPU units, 512 MiB),
			  1 task of db (600 CPU units, 512 MiB)
			no-cpu: a task needs 512 CPU units, and at most 424 are free on the only other host (i-1)
			replica db [task/2]: stuck, 1 wanted, 1 to 2, 1 to start on [i-1]
			together: each fits alone, but the other hosts have no room for all of them together: 1 task of web (512 CPU units, 512 MiB),
			  1 task of db (600 CPU units, 512 MiB)
			no-cpu: a task needs 600 CPU units, and at most 512 are free on the only other host (i-1)
			replica cache [task/3]: uncertain, 2 wanted, 1 to 4, 1 to start on []
			order: there may be no place for service cache
			no-port: a task needs host port 80/tcp, which is in use on the only other host (i-1)`},
	})
}

// A proof that takes too long is none: the tasks fit alone and not together, and there are too many ways to place them.
func TestAProofThatTakesTooLongIsNone(t *testing.T) {
	s := pair()
	p := partsOf(s)
	for range 16 {
		p.third()
	}
	db, d := p.service("db", 13)
	d.CPU, p.web.Desired = 600, 13
	for range 12 {
		p.runs(p.c.Hosts[0], p.web)
		p.runs(p.c.Hosts[0], db)
	}
	p.runs(p.c.Hosts[0], db)
	r := leave(s)
	if r.Verdict != placement.Uncertain || fmt.Sprint(r.Fates[0].Verdict, r.Fates[1].Verdict) != "uncertain uncertain" {
		t.Errorf("%s", whole(r))
	}
}
