package placement_test

import (
	"testing"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
)

// What minimum and maximum percent leave, on both sides of each limit.
func TestNumbersOfTasks(t *testing.T) {
	check(t, map[string]answer{
		"nothing is missing, so nothing stops first": {func(p parts) { p.web.Desired, p.web.MaxPercent = 1, 100 }, `
			moves
			replica web [task/0]: moves, 1 wanted, 1 to 1, 0 to start on [i-1]`},
		"no task may stop and none start, and one has no place already": {func(p parts) {
			p.web.Desired, p.web.MaxPercent, p.rest.Free.CPU = 3, 100, 0
		}, `
			stuck
			replica web [task/0]: stuck, 3 wanted, 3 to 3, 2 to start on [], stops first
			percent-arithmetic: service web wants 3 tasks; minimumHealthyPercent 100 asks for at least 3 healthy (rounded up),
			  maximumPercent 100 allows at most 3 (rounded down): no task may stop before its replacement runs, and no replacement may
			  start before a task has stopped
			no-cpu: a task needs 512 CPU units, and none is free on the only other host (i-1)`},
		"no task may stop and none start, but what lacks has a place": {func(p parts) {
			p.web.Desired, p.web.MaxPercent, p.rest.Free.CPU = 3, 100, 512
		}, `
			stuck
			replica web [task/0]: stuck, 3 wanted, 3 to 3, 2 to start on [i-1], stops first
			percent-arithmetic: service web wants 3 tasks; minimumHealthyPercent 100 asks for at least 3 healthy (rounded up),
			  maximumPercent 100 allows at most 3 (rounded down): no task may stop before its replacement runs, and no replacement may
			  start before a task has stopped`},
		"no task may stop and none start, and one of two that lack has a place": {func(p parts) {
			p.web.Desired, p.web.MaxPercent, p.rest.Free.CPU = 4, 100, 512
		}, `
			stuck
			replica web [task/0]: stuck, 4 wanted, 4 to 4, 3 to start on [i-1], stops first
			percent-arithmetic: service web wants 4 tasks; minimumHealthyPercent 100 asks for at least 4 healthy (rounded up),
			  maximumPercent 100 allows at most 4 (rounded down): no task may stop before its replacement runs, and no replacement may
			  start before a task has stopped
			no-cpu: there is room for 1 of the 2 tasks that it must start; for more: a task needs 512 CPU units, and none is free on the
			  only other host (i-1)`},
		"no task may stop and none start, and one leaves elsewhere": {func(p parts) {
			p.web.Desired, p.web.MaxPercent, p.rest.Free.CPU = 4, 100, 512
			p.runs(p.third(), p.web)
			p.c.Hosts[2].Status = fleet.Draining
		}, `
			stuck
			replica web [task/0]: stuck, 4 wanted, 4 to 4, 3 to start on [i-1], stops first
			percent-arithmetic: service web wants 4 tasks; minimumHealthyPercent 100 asks for at least 4 healthy (rounded up),
			  maximumPercent 100 allows at most 4 (rounded down): no task may stop before its replacement runs, and no replacement may
			  start before a task has stopped`},
		"as many as there must be are on other hosts that leave or stay": {func(p parts) {
			p.web.MaxPercent = 100
			p.runs(p.third(), p.web)
			p.c.Hosts[2].Status = fleet.Draining
		}, `
			uncertain
			replica web [task/0]: uncertain, 2 wanted, 2 to 2, 1 to start on [i-1], stops first
			percent-arithmetic: service web wants 2 tasks; minimumHealthyPercent 100 asks for at least 2 healthy (rounded up),
			  maximumPercent 100 allows at most 2 (rounded down): no task may stop before its replacement runs, and no replacement may
			  start before a task has stopped`},
		"a task that has not started stops at once": {func(p parts) { p.here.LastStatus, p.rest.Free.CPU = "PENDING", 0 }, `
			uncertain
			replica web [task/0]: uncertain, 2 wanted, 2 to 4, 1 to start on []
			order: there may be no place for service web
			no-cpu: a task needs 512 CPU units, and none is free on the only other host (i-1)`},
		"a task that has not started is held by no percent": {func(p parts) {
			p.here.LastStatus, p.web.MaxPercent = "PENDING", 100
		}, `
			uncertain
			replica web [task/0]: uncertain, 2 wanted, 2 to 2, 1 to start on [i-1], stops first
			percent-arithmetic: service web wants 2 tasks; minimumHealthyPercent 100 asks for at least 2 healthy (rounded up),
			  maximumPercent 100 allows at most 2 (rounded down): no task may stop before its replacement runs, and no replacement may
			  start before a task has stopped`},
		"the second of two tasks counts for nothing": {func(p parts) {
			p.web.Desired, p.web.MaxPercent = 3, 100
			p.runs(p.c.Hosts[0], p.web).HealthStatus = "UNHEALTHY"
		}, `
			uncertain
			replica web [task/0 task/2]: uncertain, 3 wanted, 3 to 3, 2 to start on [i-1], stops first
			percent-arithmetic: service web wants 3 tasks; minimumHealthyPercent 100 asks for at least 3 healthy (rounded up),
			  maximumPercent 100 allows at most 3 (rounded down): no task may stop before its replacement runs, and no replacement may
			  start before a task has stopped`},
		"fewer may be there than are wanted": {func(p parts) { p.web.MinPercent, p.web.MaxPercent = 0, 50 }, `
			uncertain
			replica web [task/0]: uncertain, 2 wanted, 0 to 1, 1 to start on [i-1], stops first
			percent-arithmetic: service web wants 2 tasks, but while a host drains maximumPercent 50 allows at most 1 (rounded down), so
			  not every task may be replaced`},
		"what has not started elsewhere is not healthy": {func(p parts) {
			p.away.LastStatus, p.web.MinPercent, p.rest.Free.CPU = "PENDING", 50, 512
			rival(p.s, "db", 512)
		}, `
			uncertain
			replica web [task/0]: uncertain, 2 wanted, 1 to 4, 1 to start on [i-1]
			order: there is room for service web on i-1, but it depends on the order in which ECS places tasks, and on the hosts it
			  chooses; db may be placed first
			no-cpu: a task needs 512 CPU units, and none is free on the only other host (i-1)`},
		"what is not healthy elsewhere may not be counted on": {func(p parts) {
			p.away.HealthStatus, p.web.MinPercent, p.rest.Free.CPU = "UNHEALTHY", 50, 512
			rival(p.s, "db", 512)
		}, `
			uncertain
			replica web [task/0]: uncertain, 2 wanted, 1 to 4, 1 to start on [i-1]
			order: there is room for service web on i-1, but it depends on the order in which ECS places tasks, and on the hosts it
			  chooses; db may be placed first
			no-cpu: a task needs 512 CPU units, and none is free on the only other host (i-1)`},
		"what may stay away, and another service may take the room": {func(p parts) {
			p.web.MinPercent, p.rest.Free.CPU = 50, 512
			rival(p.s, "db", 512)
		}, `
			shrinks
			replica web [task/0]: shrinks, 2 wanted, 1 to 4, 1 to start on [i-1]
			order: there is room for service web on i-1, but it depends on the order in which ECS places tasks, and on the hosts it
			  chooses; db may be placed first
			no-cpu: a task needs 512 CPU units, and none is free on the only other host (i-1)`},
		"what may stay away, and there is room for one of two": {func(p parts) {
			p.web.MinPercent, p.web.Desired, p.rest.Free.CPU = 0, 3, 512
		}, `
			shrinks
			replica web [task/0]: shrinks, 3 wanted, 0 to 6, 2 to start on [i-1]
			no-cpu: there is room for 1 of the 2 tasks that it must start; for more: a task needs 512 CPU units, and none is free on the
			  only other host (i-1)`},
		"all that must start but one have a place": {func(p parts) {
			p.web.Desired, p.rest.Free.CPU = 3, 512
			p.runs(p.c.Hosts[0], p.web)
		}, `
			stuck
			replica web [task/0 task/2]: stuck, 3 wanted, 3 to 6, 2 to start on [i-1]
			no-cpu: there is room for 1 of the 2 tasks that it must start; for more: a task needs 512 CPU units, and none is free on the
			  only other host (i-1)`},
	})
}

// Everything that keeps a service from a promise is told, and nothing that does not.
func TestDoubts(t *testing.T) {
	deployment := func(all ...inventory.Deployment) func(p parts) {
		return func(p parts) { p.web.Deployments = all }
	}
	check(t, map[string]answer{
		"two protected tasks": {func(p parts) {
			p.web.Desired, p.here.Protected = 3, true
			p.runs(p.c.Hosts[0], p.web).Protected = true
		}, `
			uncertain
			replica web [task/0 task/2]: uncertain, 3 wanted, 3 to 6, 2 to start on [i-1]
			protected: task 0 of service web has scale-in protection; AWS does not document whether draining waits for that
			protected: task 2 of service web has scale-in protection; AWS does not document whether draining waits for that`},
		"a protected task, and no room": {func(p parts) { p.here.Protected, p.rest.Free.CPU = true, 0 }, `
			uncertain
			replica web [task/0]: uncertain, 2 wanted, 2 to 4, 1 to start on []
			protected: task 0 of service web has scale-in protection; AWS does not document whether draining waits for that
			no-cpu: a task needs 512 CPU units, and none is free on the only other host (i-1)`},
		"task definitions of services that must start some could not be read": {func(p parts) {
			p.service("db", 1)
			p.service("cache", 2)
			p.c.TaskDefinitions = p.c.TaskDefinitions[:1]
		}, `
			uncertain
			replica web [task/0]: uncertain, 2 wanted, 2 to 4, 1 to start on [i-1]
			unjudged: service db has to start 1 task, but its task definition could not be read; it may take any place
			unjudged: service cache has to start 2 tasks, but its task definition could not be read; it may take any place`},
		"a task definition that could not be read, of a service that starts none": {func(p parts) {
			p.service("db", 0)
			p.c.TaskDefinitions = p.c.TaskDefinitions[:1]
		}, `
			moves
			replica web [task/0]: moves, 2 wanted, 2 to 4, 1 to start on [i-1]`},
		"a task definition that could not be read, of a daemon that two hosts lack": {func(p parts) {
			p.third()
			p.service("agent", 0)
			p.c.Services[1].Daemon, p.c.TaskDefinitions = true, p.c.TaskDefinitions[:1]
		}, `
			uncertain
			replica web [task/0]: uncertain, 2 wanted, 2 to 4, 1 to start on [i-1 i-2]
			unjudged: service agent has to start 2 tasks, but its task definition could not be read; it may take any place`},
		"its own task definition could not be read": {func(p parts) { p.c.TaskDefinitions = nil }, `
			uncertain
			replica web [task/0]: uncertain, 2 wanted, 2 to 4, 1 to start on []
			unjudged: task definition web:1 of service web could not be read, so the needs of its tasks are not known`},
		"an older deployment still has a task": {deployment(inventory.Deployment{Status: "PRIMARY"},
			inventory.Deployment{Status: "ACTIVE", Running: 1}), `
			uncertain
			replica web [task/0]: uncertain, 2 wanted, 2 to 4, 1 to start on [i-1]
			deployment: a deployment of service web is under way; whether its tasks become healthy cannot be known`},
		"an older deployment stops its last task": {deployment(inventory.Deployment{Status: "ACTIVE", Pending: 1}), `
			uncertain
			replica web [task/0]: uncertain, 2 wanted, 2 to 4, 1 to start on [i-1]
			deployment: a deployment of service web is under way; whether its tasks become healthy cannot be known`},
		"an older deployment wants a task": {deployment(inventory.Deployment{Status: "ACTIVE", Desired: 1}), `
			uncertain
			replica web [task/0]: uncertain, 2 wanted, 2 to 4, 1 to start on [i-1]
			deployment: a deployment of service web is under way; whether its tasks become healthy cannot be known`},
		"an older deployment that failed has none": {deployment(inventory.Deployment{Status: "ACTIVE", Rollout: "FAILED"}), `
			moves
			replica web [task/0]: moves, 2 wanted, 2 to 4, 1 to start on [i-1]`},
		"a deployment that is through had a failure": {deployment(inventory.Deployment{Status: "PRIMARY", Rollout: "COMPLETED", Failed: 1}), `
			moves
			replica web [task/0]: moves, 2 wanted, 2 to 4, 1 to start on [i-1]`},
		"a deployment that is inactive": {deployment(inventory.Deployment{Status: "INACTIVE", Running: 1}), `
			moves
			replica web [task/0]: moves, 2 wanted, 2 to 4, 1 to start on [i-1]`},
	})
}

// Where hosts may be added, nothing is proved.
func TestHostsThatMayBeAdded(t *testing.T) {
	scaled := func(p parts) {
		p.rest.Free.CPU, p.rest.CapacityProvider = 0, "web-cp"
		p.c.CapacityProviders = []inventory.CapacityProvider{{Name: "web-cp", Group: "web-asg", ManagedScaling: true}}
		p.web.LaunchType, p.web.Strategy = "", []inventory.StrategyItem{{Provider: "web-cp", Weight: 1}}
	}
	spot := inventory.CapacityProvider{Name: "spot", Group: "spot-asg", ManagedScaling: true}
	group := func(p parts, name string, desired int) {
		p.s.Groups = append(p.s.Groups, &inventory.Group{Group: fleet.Group{Name: name, Desired: desired, Max: 3}})
	}
	check(t, map[string]answer{
		"the group could not be read": {func(p parts) { scaled(p) }, `
			uncertain
			replica web [task/0]: uncertain, 2 wanted, 2 to 4, 1 to start on []
			scaling: managed scaling of capacity provider web-cp may add hosts to group web-asg
			no-cpu: a task needs 512 CPU units, and none is free on the only other host (i-1)`},
		"and a task is protected as well": {func(p parts) {
			scaled(p)
			p.here.Protected = true
		}, `
			uncertain
			replica web [task/0]: uncertain, 2 wanted, 2 to 4, 1 to start on []
			scaling: managed scaling of capacity provider web-cp may add hosts to group web-asg
			protected: task 0 of service web has scale-in protection; AWS does not document whether draining waits for that
			no-cpu: a task needs 512 CPU units, and none is free on the only other host (i-1)`},
		"the provider of another service scales": {func(p parts) {
			scaled(p)
			p.c.CapacityProviders[0].ManagedScaling = false
			p.c.CapacityProviders = append(p.c.CapacityProviders, spot)
		}, `
			stuck
			replica web [task/0]: stuck, 2 wanted, 2 to 4, 1 to start on []
			no-cpu: a task needs 512 CPU units, and none is free on the only other host (i-1)`},
		"the second of two providers scales": {func(p parts) {
			scaled(p)
			group(p, "web-asg", 3)
			group(p, "spot-asg", 2)
			p.c.CapacityProviders = append(p.c.CapacityProviders, spot)
			p.web.Strategy = append(p.web.Strategy, inventory.StrategyItem{Provider: "spot", Weight: 1})
		}, `
			uncertain
			replica web [task/0]: uncertain, 2 wanted, 2 to 4, 1 to start on []
			scaling: managed scaling of capacity provider spot may add hosts to group spot-asg
			no-cpu: a task needs 512 CPU units, and none is free on the only other host (i-1)`},
		"the providers could not be read": {func(p parts) {
			scaled(p)
			p.c.CapacityProviders = nil
			p.web.Strategy = append(p.web.Strategy, inventory.StrategyItem{Provider: "spot", Weight: 1})
			p.s.Unread = []inventory.Unread{{What: "ecs:DescribeCapacityProviders of cluster prod"}}
		}, `
			uncertain
			replica web [task/0]: uncertain, 2 wanted, 2 to 4, 1 to start on []
			unjudged: ecs:DescribeCapacityProviders could not be read, so whether managed scaling of capacity provider web-cp may add
			  hosts is not known
			unjudged: ecs:DescribeCapacityProviders could not be read, so whether managed scaling of capacity provider spot may add hosts
			  is not known
			no-cpu: a task needs 512 CPU units, and none is free on the only other host (i-1)`},
	})
}

// Tasks that no service replaces elsewhere.
func TestDaemonsAndStandaloneTasks(t *testing.T) {
	daemon := func(p parts, name string) *inventory.Service {
		v, d := p.service(name, 2)
		v.Daemon, d.CPU = true, 1
		return v
	}
	check(t, map[string]answer{
		"a daemon on both hosts, and one on the other": {func(p parts) {
			a, b := daemon(p, "agent"), daemon(p, "logs")
			p.runs(p.c.Hosts[0], a)
			p.runs(p.rest, a)
			p.runs(p.rest, b)
		}, `
			moves
			replica web [task/0]: moves, 2 wanted, 2 to 4, 1 to start on [i-1]
			daemon agent [task/2]: moves, 2 wanted, 0 to 0, 0 to start on []`},
		"two standalone tasks here and one there": {func(p parts) {
			runs(p.s, p.c.Hosts[0], "family:a")
			runs(p.s, p.c.Hosts[0], "family:b")
			runs(p.s, p.rest, "family:c")
		}, `
			stuck
			replica web [task/0]: moves, 2 wanted, 2 to 4, 1 to start on [i-1]
			standalone  [task/family:a]: stuck
			standalone: task family:a (web:1) was started by RunTask or StartTask, so ECS never moves it: the host waits until it ends or
			  somebody stops it
			standalone  [task/family:b]: stuck
			standalone: task family:b (web:1) was started by RunTask or StartTask, so ECS never moves it: the host waits until it ends or
			  somebody stops it`},
		"standalone tasks that are over": {func(p parts) {
			runs(p.s, p.c.Hosts[0], "family:a").LastStatus = fleet.Stopped
			runs(p.s, p.c.Hosts[0], "family:b").LastStatus = "DELETED"
			runs(p.s, p.c.Hosts[0], "family:c").DesiredStatus = fleet.Stopped
		}, `
			moves
			replica web [task/0]: moves, 2 wanted, 2 to 4, 1 to start on [i-1]`},
		"a service that could not be read, here and there": {func(p parts) { p.c.Services = nil }, `
			uncertain
			replica web [task/0]: uncertain
			unjudged: task 0 belongs to service web, which could not be read`},
	})
}
