package placement_test

import (
	"slices"
	"testing"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
)

// Which hosts count as ones that stay.
func TestHostsThatStay(t *testing.T) {
	ec2 := func(state fleet.InstanceState) func(p parts) {
		return func(p parts) { p.s.Instances = []*inventory.Instance{{ID: "i-1", State: state}} }
	}
	group := func(state fleet.LifecycleState) func(p parts) {
		return func(p parts) { p.s.States = map[fleet.InstanceID]fleet.LifecycleState{"i-1": state} }
	}
	const stays = `
			moves
			replica web [task/0]: moves, 2 wanted, 2 to 4, 1 to start on [i-1]`
	const leaves = `
			stuck
			replica web [task/0]: stuck, 2 wanted, 2 to 4, 2 to start on []
			no-host: no other host of the cluster is ACTIVE with a connected agent`
	check(t, map[string]answer{
		"EC2 says that it runs":        {ec2(fleet.StateRunning), stays},
		"EC2 says that it shuts down":  {ec2(fleet.StateShuttingDown), leaves},
		"its group says that it is in": {group(fleet.InService), stays},
		"it is on its way to a hook":   {group(fleet.Terminating), leaves},
		"it waits at a hook":           {group(fleet.TerminatingWait), leaves},
		"its hooks are over":           {group(fleet.TerminatingProceed), leaves},
		"it registers": {func(p parts) { p.rest.Status = "REGISTERING" }, `
			stuck
			replica web [task/0]: stuck, 2 wanted, 2 to 4, 1 to start on []
			no-host: no other host of the cluster is ACTIVE with a connected agent`},
		"what its group says counts more": {func(p parts) {
			group(fleet.Terminating)(p)
			p.s.Groups = []*inventory.Group{{Group: fleet.Group{Name: "g", Instances: []fleet.GroupInstance{{ID: "i-1", State: fleet.InService}}}}}
		}, stays},
	})
}

// Network interfaces are counted only where tasks need them, and where their number is known.
func TestNetworkInterfaces(t *testing.T) {
	// awsvpc makes the tasks of web use a network interface each, and gives the other host so many, of which it needs one itself.
	awsvpc := func(interfaces int, more func(p parts)) func(p parts) {
		return func(p parts) {
			p.def.Network, p.rest.Trunk, p.rest.Interfaces = "awsvpc", false, interfaces
			more(p)
		}
	}
	check(t, map[string]answer{
		"one is free, and tasks need none": {func(p parts) { p.rest.Trunk, p.rest.Interfaces = false, 1 }, `
			moves
			replica web [task/0]: moves, 2 wanted, 2 to 4, 1 to start on [i-1]`},
		"their number is not known, and tasks need none": {func(p parts) { p.rest.Trunk = false }, `
			moves
			replica web [task/0]: moves, 2 wanted, 2 to 4, 1 to start on [i-1]`},
		"there is only that of the host": {awsvpc(1, func(p parts) { p.away.ContainerInstance = "ci/9" }), `
			stuck
			replica web [task/0]: stuck, 2 wanted, 2 to 4, 1 to start on []
			no-interface: a task needs 1 network interface, and none is free on the only other host (i-1)`},
		"a trunk has enough": {func(p parts) { p.def.Network = "awsvpc" }, `
			moves
			replica web [task/0]: moves, 2 wanted, 2 to 4, 1 to start on [i-1]`},
		"the number of the second host is not known": {awsvpc(9, func(p parts) { p.third().Interfaces = 0 }), `
			uncertain
			replica web [task/0]: uncertain, 2 wanted, 2 to 4, 1 to start on [i-1 i-2]
			unjudged: how many network interfaces host i-2 can have is not known, and each task of service web needs one`},
		"the number of two hosts is not known": {awsvpc(0, func(p parts) { p.third() }), `
			uncertain
			replica web [task/0]: uncertain, 2 wanted, 2 to 4, 1 to start on [i-1 i-2]
			unjudged: how many network interfaces host i-1 can have is not known, and each task of service web needs one`},
		"the number is not known of a host that tasks may not use": {awsvpc(9, func(p parts) {
			h := p.third()
			h.Interfaces, h.Attributes["tier"] = 0, "3"
			member(p.web, "attribute:tier == 2")
		}), `
			moves
			replica web [task/0]: moves, 2 wanted, 2 to 4, 1 to start on [i-1]`},
		"another awsvpc task has the last one": {awsvpc(3, func(p parts) {
			v, _ := p.service("db", 1)
			p.runs(p.rest, v)
			p.c.Tasks = slices.Insert(p.c.Tasks, 0, &inventory.Task{Task: fleet.Task{LastStatus: fleet.Stopped}})
		}), `
			stuck
			replica web [task/0]: stuck, 2 wanted, 2 to 4, 1 to start on []
			no-interface: a task needs 1 network interface, and none is free on the only other host (i-1)`},
		"a task in bridge mode has none": {awsvpc(3, func(p parts) {
			v, d := p.service("db", 1)
			d.Network = "bridge"
			p.runs(p.rest, v)
		}), `
			moves
			replica web [task/0]: moves, 2 wanted, 2 to 4, 1 to start on [i-1]`},
		"a task of which nothing is known may have the last one": {awsvpc(3, func(p parts) {
			v, _ := p.service("db", 1)
			p.runs(p.rest, v).Family = "db:9"
			v.TaskDefinition = "db:9"
		}), `
			uncertain
			replica web [task/0]: uncertain, 2 wanted, 2 to 4, 1 to start on []
			order: there may be no place for service web
			no-interface: a task needs 1 network interface, and none is free on the only other host (i-1)`},
		"one is free beside a task of which nothing is known": {awsvpc(4, func(p parts) {
			v, _ := p.service("db", 1)
			p.runs(p.rest, v).Family = "db:9"
			v.TaskDefinition = "db:9"
		}), `
			moves
			replica web [task/0]: moves, 2 wanted, 2 to 4, 1 to start on [i-1]`},
		"the task that has the last one stops": {awsvpc(2, func(p parts) { p.away.DesiredStatus, p.web.Desired = fleet.Stopped, 1 }), `
			uncertain
			replica web [task/0]: uncertain, 1 wanted, 1 to 2, 1 to start on []
			order: there may be no place for service web
			no-interface: a task needs 1 network interface, and none is free on the only other host (i-1)`},
	})
}

// What tasks on other hosts hold is free for a proof when they may end, and for a promise when they have.
func TestTasksThatMayEnd(t *testing.T) {
	// beside runs a task of another service on the host that stays, which is full with it.
	beside := func(change func(p parts, db *inventory.Service, def *inventory.TaskDefinition, k *inventory.Task)) func(p parts) {
		return func(p parts) {
			v, d := p.service("db", 1)
			p.rest.Free.CPU = 0
			change(p, v, d, p.runs(p.rest, v))
		}
	}
	type (
		S = *inventory.Service
		D = *inventory.TaskDefinition
		K = *inventory.Task
	)
	check(t, map[string]answer{
		"it stays": {beside(func(parts, S, D, K) {}), `
			stuck
			replica web [task/0]: stuck, 2 wanted, 2 to 4, 1 to start on []
			no-cpu: a task needs 512 CPU units, and none is free on the only other host (i-1)`},
		"it stops": {beside(func(_ parts, _ S, _ D, k K) { k.DesiredStatus = fleet.Stopped }), `
			uncertain
			replica web [task/0]: uncertain, 2 wanted, 2 to 4, 1 to start on []
			order: there may be no place for service web
			no-cpu: a task needs 512 CPU units, and none is free on the only other host (i-1)`},
		"it stops, and is too small": {beside(func(_ parts, _ S, d D, k K) { k.DesiredStatus, d.CPU = fleet.Stopped, 100 }), `
			stuck
			replica web [task/0]: stuck, 2 wanted, 2 to 4, 1 to start on []
			no-cpu: a task needs 512 CPU units, and at most 100 are free on the only other host (i-1)`},
		"it is unhealthy": {beside(func(_ parts, _ S, _ D, k K) { k.HealthStatus = "UNHEALTHY" }), `
			uncertain
			replica web [task/0]: uncertain, 2 wanted, 2 to 4, 1 to start on []
			order: there may be no place for service web
			no-cpu: a task needs 512 CPU units, and none is free on the only other host (i-1)`},
		"its service deploys": {beside(func(_ parts, v S, _ D, _ K) {
			v.Deployments = []inventory.Deployment{{Status: "ACTIVE", Running: 1}}
		}), `
			uncertain
			replica web [task/0]: uncertain, 2 wanted, 2 to 4, 1 to start on []
			order: there may be no place for service web
			no-cpu: a task needs 512 CPU units, and none is free on the only other host (i-1)`},
		"it is of an old revision": {beside(func(p parts, _ S, d D, k K) {
			old := *d
			old.Name, k.Family = "db:0", "db:0"
			p.c.TaskDefinitions = append(p.c.TaskDefinitions, &old)
		}), `
			uncertain
			replica web [task/0]: uncertain, 2 wanted, 2 to 4, 1 to start on []
			order: there may be no place for service web
			no-cpu: a task needs 512 CPU units, and none is free on the only other host (i-1)`},
		"its service has one too many": {beside(func(p parts, v S, _ D, _ K) { p.runs(p.rest, v) }), `
			uncertain
			replica web [task/0]: uncertain, 2 wanted, 2 to 4, 1 to start on []
			order: there may be no place for service web
			no-cpu: a task needs 512 CPU units, and none is free on the only other host (i-1)`},
		"one of two stops already": {beside(func(p parts, v S, _ D, _ K) { p.runs(p.c.Hosts[0], v).DesiredStatus = fleet.Stopped }), `
			stuck
			replica web [task/0]: stuck, 2 wanted, 2 to 4, 1 to start on []
			no-cpu: a task needs 512 CPU units, and none is free on the only other host (i-1)`},
		"a daemon has as many as there are hosts": {beside(func(p parts, v S, _ D, _ K) {
			v.Daemon, v.Desired = true, 1
			p.runs(p.c.Hosts[0], v)
		}), `
			stuck
			replica web [task/0]: stuck, 2 wanted, 2 to 4, 1 to start on []
			no-cpu: a task needs 512 CPU units, and none is free on the only other host (i-1)
			daemon db [task/3]: moves, 1 wanted, 0 to 0, 0 to start on []`},
		"it is of no service": {beside(func(_ parts, _ S, _ D, k K) { k.Group = "family:db" }), `
			stuck
			replica web [task/0]: stuck, 2 wanted, 2 to 4, 1 to start on []
			no-cpu: a task needs 512 CPU units, and none is free on the only other host (i-1)`},
		"its service is not known": {beside(func(p parts, _ S, _ D, _ K) { p.c.Services = p.c.Services[:1] }), `
			uncertain
			replica web [task/0]: uncertain, 2 wanted, 2 to 4, 1 to start on []
			order: there may be no place for service web
			no-cpu: a task needs 512 CPU units, and none is free on the only other host (i-1)`},
		"it stops, and nothing is known of it": {beside(func(p parts, _ S, _ D, k K) {
			k.DesiredStatus, p.c.TaskDefinitions = fleet.Stopped, p.c.TaskDefinitions[:1]
			p.c.Services = p.c.Services[:1]
			p.def.HostPorts, p.rest.Free.Ports = []inventory.Port{{Number: 80}}, []int{22, 80}
		}), `
			uncertain
			replica web [task/0]: uncertain, 2 wanted, 2 to 4, 1 to start on []
			order: there may be no place for service web
			no-cpu: a task needs 512 CPU units, and none is free on the only other host (i-1)`},
		"it stops, and gives back memory": {beside(func(p parts, _ S, _ D, k K) {
			k.DesiredStatus, p.rest.Free.CPU, p.rest.Free.Memory = fleet.Stopped, 512, 0
		}), `
			uncertain
			replica web [task/0]: uncertain, 2 wanted, 2 to 4, 1 to start on []
			order: there may be no place for service web
			no-memory: a task needs 512 MiB of memory, and none is free on the only other host (i-1)`},
		"it stops, and gives back a GPU": {beside(func(p parts, _ S, d D, k K) {
			k.DesiredStatus, p.rest.Free.CPU, d.GPU, p.def.GPU = fleet.Stopped, 512, 1, 1
		}), `
			uncertain
			replica web [task/0]: uncertain, 2 wanted, 2 to 4, 1 to start on []
			order: there may be no place for service web
			no-gpu: a task needs 1 GPU, and none is free on the only other host (i-1)`},
		"it stops, and gives back its ports": {beside(func(p parts, _ S, d D, k K) {
			k.DesiredStatus, p.rest.Free.CPU, p.rest.Free.Ports, p.rest.Free.UDP = fleet.Stopped, 512, []int{80}, []int{53, 54}
			d.HostPorts = []inventory.Port{{Number: 80}, {Number: 54, UDP: true}}
			p.def.HostPorts = []inventory.Port{{Number: 54, UDP: true}}
		}), `
			uncertain
			replica web [task/0]: uncertain, 2 wanted, 2 to 4, 1 to start on []
			order: there may be no place for service web
			no-port: a task needs host port 54/udp, which is in use on the only other host (i-1)`},
		"it stops, and another has the port": {beside(func(p parts, _ S, d D, k K) {
			k.DesiredStatus, p.rest.Free.CPU, p.rest.Free.UDP = fleet.Stopped, 512, []int{53, 54}
			d.HostPorts = []inventory.Port{{Number: 53, UDP: true}}
			p.def.HostPorts = []inventory.Port{{Number: 80}, {Number: 54, UDP: true}}
		}), `
			stuck
			replica web [task/0]: stuck, 2 wanted, 2 to 4, 1 to start on []
			no-port: a task needs host port 80/tcp, 54/udp, which is in use on the only other host (i-1)`},
		"it is of the service, which takes each host once, and stops": {func(p parts) {
			p.web.Constraints, p.web.Desired = []inventory.Constraint{{Type: "distinctInstance"}}, 1
			p.away.DesiredStatus = fleet.Stopped
		}, `
			uncertain
			replica web [task/0]: uncertain, 1 wanted, 1 to 2, 1 to start on []
			order: there may be no place for service web
			distinct-instance: distinctInstance allows one task of service web on a host, and there already is one on the only other host`},
		"it was of the service, which takes each host once": {func(p parts) {
			p.web.Constraints = []inventory.Constraint{{Type: "distinctInstance"}}
			p.away.LastStatus = fleet.Stopped
			p.c.Tasks[0], p.c.Tasks[1] = p.away, p.here
		}, `
			stuck
			replica web [task/0]: stuck, 2 wanted, 2 to 4, 2 to start on [i-1]
			distinct-instance: there is room for 1 of the 2 tasks that it must start; for more: distinctInstance allows one task of
			  service web on a host, and there already is one on the only other host`},
	})
}
