package placement_test

import (
	"slices"
	"testing"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
)

// What else is to be started takes room, each kind of service where it may.
func TestWhatOthersTake(t *testing.T) {
	daemon := func(p parts, cpu int) *inventory.Service {
		v, d := p.service("agent", 2)
		v.Daemon, d.CPU = true, cpu
		return v
	}
	check(t, map[string]answer{
		"services that run elsewhere, or not any more": {func(p parts) {
			for _, name := range []string{"a", "b", "c"} {
				_, d := p.service(name, 1)
				d.CPU = 1024
			}
			p.c.Services[1].LaunchType, p.c.Services[2].LaunchType, p.c.Services[3].Status = "FARGATE", "EXTERNAL", "INACTIVE"
		}, `
			moves
			replica web [task/0]: moves, 2 wanted, 2 to 4, 1 to start on [i-1]`},
		"a daemon that the other host lacks": {func(p parts) { daemon(p, 600) }, `
			uncertain
			replica web [task/0]: uncertain, 2 wanted, 2 to 4, 1 to start on [i-1]
			order: there is room for service web on i-1, but it depends on the order in which ECS places tasks, and on the hosts it
			  chooses; agent may be placed first
			no-cpu: a task needs 512 CPU units, and at most 424 are free on the only other host (i-1)`},
		"a daemon that the other host has": {func(p parts) { p.runs(p.rest, daemon(p, 600)) }, `
			moves
			replica web [task/0]: moves, 2 wanted, 2 to 4, 1 to start on [i-1]`},
		"a daemon of which one task has room beside the service": {func(p parts) { daemon(p, 300) }, `
			moves
			replica web [task/0]: moves, 2 wanted, 2 to 4, 1 to start on [i-1]`},
		"a daemon that the other host does not suit": {func(p parts) { member(daemon(p, 600), "attribute:tier == 3") }, `
			moves
			replica web [task/0]: moves, 2 wanted, 2 to 4, 1 to start on [i-1]`},
		"a daemon that only the second of the other hosts lacks": {func(p parts) {
			p.third()
			p.runs(p.rest, daemon(p, 600))
			p.rest.Free.CPU = 0
		}, `
			uncertain
			replica web [task/0]: uncertain, 2 wanted, 2 to 4, 1 to start on [i-2]
			order: there is room for service web on i-2, but it depends on the order in which ECS places tasks, and on the hosts it
			  chooses; agent may be placed first
			no-cpu: a task needs 512 CPU units, and at most 424 are free on all 2 other hosts (i-2)`},
		"a daemon that both other hosts lack": {func(p parts) {
			p.third()
			daemon(p, 600)
		}, `
			uncertain
			replica web [task/0]: uncertain, 2 wanted, 2 to 4, 1 to start on [i-1 i-2]
			order: there is room for service web on i-1, i-2, but it depends on the order in which ECS places tasks, and on the hosts it
			  chooses; agent may be placed first
			no-cpu: a task needs 512 CPU units, and at most 424 are free on all 2 other hosts (i-1)`},
		"a daemon on each host for itself": {func(p parts) {
			p.third().Free.CPU = 300
			daemon(p, 300)
		}, `
			moves
			replica web [task/0]: moves, 2 wanted, 2 to 4, 1 to start on [i-1]`},
		"two services that may come first": {func(p parts) {
			rival(p.s, "db", 600)
			rival(p.s, "cache", 600)
			p.third()
		}, `
			uncertain
			replica web [task/0]: uncertain, 2 wanted, 2 to 4, 1 to start on [i-1 i-2]
			order: there is room for service web on i-1, i-2, but it depends on the order in which ECS places tasks, and on the hosts it
			  chooses; db, cache may be placed first
			no-cpu: a task needs 512 CPU units, and at most 424 are free on all 2 other hosts (i-1)`},
		"a service that starts nothing does not come first": {func(p parts) {
			rival(p.s, "cache", 10)
			rival(p.s, "db", 600)
			p.c.Services[1].Desired = 0
		}, `
			uncertain
			replica web [task/0]: uncertain, 2 wanted, 2 to 4, 1 to start on [i-1]
			order: there is room for service web on i-1, but it depends on the order in which ECS places tasks, and on the hosts it
			  chooses; db may be placed first
			no-cpu: a task needs 512 CPU units, and at most 424 are free on the only other host (i-1)`},
		"a task that is over counts for nothing": {func(p parts) { p.away.LastStatus = fleet.Stopped }, `
			moves
			replica web [task/0]: moves, 2 wanted, 2 to 4, 2 to start on [i-1]`},
		"its own tasks may take the place": {func(p parts) {
			p.web.Desired, p.web.MinPercent, p.rest.Free.CPU = 4, 50, 1024
			p.runs(p.c.Hosts[0], p.web)
			p.web.Constraints = []inventory.Constraint{{Type: "distinctInstance"}}
			p.third()
		}, `
			shrinks
			replica web [task/0 task/2]: shrinks, 4 wanted, 2 to 8, 3 to start on [i-2]
			distinct-instance: there is room for 1 of the 3 tasks that it must start; for more: distinctInstance allows one task of
			  service web on a host, and there already is one on all 2 other hosts`},
	})
}

// What of a host keeps tasks out for good, and which of several reasons is told.
func TestWhatTasksAskOfAHost(t *testing.T) {
	check(t, map[string]answer{
		"an attribute that is there": {func(p parts) { p.def.Requires = []string{"ecs.instance-type", "tier=2"} }, `
			moves
			replica web [task/0]: moves, 2 wanted, 2 to 4, 1 to start on [i-1]`},
		"an attribute without a value is missing": {func(p parts) { p.def.Requires = []string{"ecs.instance-type", "gone"} }, `
			stuck
			replica web [task/0]: stuck, 2 wanted, 2 to 4, 1 to start on []
			no-attribute: task definition web:1 requires attributes that are missing on the only other host (i-1): gone`},
		"attributes were not read": {func(p parts) { p.def.Requires, p.rest.Attributes = []string{"ecs.instance-type", "gone"}, nil }, `
			uncertain
			replica web [task/0]: uncertain, 2 wanted, 2 to 4, 1 to start on []
			order: there may be no place for service web
			no-attribute: task definition web:1 requires attributes that are missing, or could not be read, on the only other host (i-1):
			  ecs.instance-type, gone`},
		"attributes of one host were not read": {func(p parts) {
			p.def.Requires = []string{"ecs.instance-type", "gone"}
			p.third().Attributes = nil
		}, `
			uncertain
			replica web [task/0]: uncertain, 2 wanted, 2 to 4, 1 to start on []
			order: there may be no place for service web
			no-attribute: task definition web:1 requires attributes that are missing, or could not be read, on all 2 other hosts (such as
			  i-1): gone`},
		"an attribute is missing, and a constraint is met": {func(p parts) {
			p.def.Requires = []string{"gone"}
			member(p.web, "attribute:tier == 2")
		}, `
			stuck
			replica web [task/0]: stuck, 2 wanted, 2 to 4, 1 to start on []
			no-attribute: task definition web:1 requires attributes that are missing on the only other host (i-1): gone`},
		"an attribute is missing, and a constraint is not met": {func(p parts) {
			p.def.Requires = []string{"gone"}
			member(p.web, "attribute:tier == 3")
		}, `
			stuck
			replica web [task/0]: stuck, 2 wanted, 2 to 4, 1 to start on []
			no-attribute: task definition web:1 requires attributes that are missing on the only other host (i-1): gone`},
		"the second constraint is not met": {func(p parts) {
			member(p.web, "attribute:tier == 2")
			p.web.Constraints = append(p.web.Constraints, inventory.Constraint{Type: "memberOf", Expression: "attribute:tier == 3"})
		}, `
			stuck
			replica web [task/0]: stuck, 2 wanted, 2 to 4, 1 to start on []
			constraint: the placement constraint attribute:tier == 2 and attribute:tier == 3 is not met, or cannot be judged, on the only
			  other host (i-1)`},
		"one host suits and is full": {func(p parts) {
			p.rest.Free.CPU = 0
			p.third().Attributes["tier"] = "3"
			member(p.web, "attribute:tier == 2")
		}, `
			stuck
			replica web [task/0]: stuck, 2 wanted, 2 to 4, 1 to start on []
			no-cpu: a task needs 512 CPU units, and none is free on 1 of 2 other hosts (i-1)
			constraint: the placement constraint attribute:tier == 2 is not met, or cannot be judged, on 1 of 2 other hosts (i-2)`},
		"one host suits": {func(p parts) {
			p.third().Attributes["tier"] = "3"
			member(p.web, "attribute:tier == 3")
		}, `
			moves
			replica web [task/0]: moves, 2 wanted, 2 to 4, 1 to start on [i-2]`},
		"a host of which attributes were not read has room": {func(p parts) {
			p.third().Attributes = nil
			p.rest.Free.CPU = 0
			member(p.web, "attribute:tier == 2")
		}, `
			uncertain
			replica web [task/0]: uncertain, 2 wanted, 2 to 4, 1 to start on []
			order: there may be no place for service web
			no-cpu: a task needs 512 CPU units, and none is free on 1 of 2 other hosts (i-1)
			constraint: the placement constraint attribute:tier == 2 is not met, or cannot be judged, on 1 of 2 other hosts (i-2)`},
	})
}

// Of a strategy with several capacity providers ECS chooses one for each task, and only that one's hosts count.
func TestCapacityProviders(t *testing.T) {
	// Host i-1 is of provider a, i-2 of b, i-3 of none.
	strategy := func(items ...inventory.StrategyItem) func(p parts) {
		return func(p parts) {
			p.rest.CapacityProvider = "a"
			p.third().CapacityProvider = "b"
			p.third().CapacityProvider = ""
			p.web.LaunchType, p.web.Strategy = "", items
		}
	}
	full := func(before func(p parts), hosts ...int) func(p parts) {
		return func(p parts) {
			before(p)
			for i, h := range p.c.Hosts {
				if slices.Contains(hosts, i) {
					h.Free.CPU = 0
				}
			}
		}
	}
	a, b := inventory.StrategyItem{Provider: "a", Weight: 1}, inventory.StrategyItem{Provider: "b", Weight: 1}
	a0, b0 := inventory.StrategyItem{Provider: "a"}, inventory.StrategyItem{Provider: "b"}
	check(t, map[string]answer{
		"both have room": {strategy(a, b), `
			moves
			replica web [task/0]: moves, 2 wanted, 2 to 4, 1 to start on [i-1 i-2]`},
		"the second is full": {full(strategy(a, b), 2), `
			uncertain
			replica web [task/0]: uncertain, 2 wanted, 2 to 4, 1 to start on [i-1]
			order: there may be no place for service web
			no-provider-host: service web takes only hosts of the capacity provider that ECS chooses from its strategy; 2 of 3 other hosts
			  are of others
			no-cpu: a task needs 512 CPU units, and none is free on 1 of 3 other hosts (i-2)`},
		"the first is full": {full(strategy(a, b), 1), `
			uncertain
			replica web [task/0]: uncertain, 2 wanted, 2 to 4, 1 to start on [i-2]
			order: there may be no place for service web
			no-provider-host: service web takes only hosts of the capacity provider that ECS chooses from its strategy; 2 of 3 other hosts
			  are of others
			no-cpu: a task needs 512 CPU units, and none is free on 1 of 3 other hosts (i-1)`},
		"both are full": {full(strategy(a, b), 1, 2), `
			stuck
			replica web [task/0]: stuck, 2 wanted, 2 to 4, 1 to start on []
			no-cpu: a task needs 512 CPU units, and none is free on 2 of 3 other hosts (such as i-1)
			no-provider-host: service web takes only hosts of the capacity provider that ECS chooses from its strategy; 1 of 3 other hosts
			  are of others`},
		"one has the weight 0": {full(strategy(a0, b), 2), `
			stuck
			replica web [task/0]: stuck, 2 wanted, 2 to 4, 1 to start on []
			no-provider-host: service web takes only hosts of the capacity provider that ECS chooses from its strategy; 2 of 3 other hosts
			  are of others
			no-cpu: a task needs 512 CPU units, and none is free on 1 of 3 other hosts (i-2)`},
		"one has a base and the weight 0": {full(strategy(inventory.StrategyItem{Provider: "a", Base: 1}, b), 2), `
			uncertain
			replica web [task/0]: uncertain, 2 wanted, 2 to 4, 1 to start on [i-1]
			order: there may be no place for service web
			no-provider-host: service web takes only hosts of the capacity provider that ECS chooses from its strategy; 2 of 3 other hosts
			  are of others
			no-cpu: a task needs 512 CPU units, and none is free on 1 of 3 other hosts (i-2)`},
		"only one, with the weight 0": {full(strategy(a0), 2), `
			moves
			replica web [task/0]: moves, 2 wanted, 2 to 4, 1 to start on [i-1]`},
		"all have the weight 0": {full(strategy(a0, b0), 1), `
			uncertain
			replica web [task/0]: uncertain, 2 wanted, 2 to 4, 1 to start on [i-2]
			order: there may be no place for service web
			no-provider-host: service web takes only hosts of the capacity provider that ECS chooses from its strategy; 2 of 3 other hosts
			  are of others
			no-cpu: a task needs 512 CPU units, and none is free on 1 of 3 other hosts (i-1)`},
		"the service takes any host": {full(func(p parts) { strategy()(p); p.web.LaunchType = "EC2" }, 1, 2), `
			moves
			replica web [task/0]: moves, 2 wanted, 2 to 4, 1 to start on [i-3]`},
		"the first is full, and has a rival too": {func(p parts) {
			full(strategy(a, b), 1)(p)
			rival(p.s, "db", 600)
		}, `
			uncertain
			replica web [task/0]: uncertain, 2 wanted, 2 to 4, 1 to start on [i-2]
			order: there may be no place for service web
			no-provider-host: service web takes only hosts of the capacity provider that ECS chooses from its strategy; 2 of 3 other hosts
			  are of others
			no-cpu: a task needs 512 CPU units, and none is free on 1 of 3 other hosts (i-1)`},
	})
}
