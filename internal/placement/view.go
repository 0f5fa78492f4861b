package placement

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
)

// view is a cluster as one question needs it.
type view struct {
	s       *inventory.Inventory
	c       *inventory.Cluster
	on      map[fleet.ARN][]*inventory.Task // live tasks by host
	of      map[string][]*inventory.Task    // live tasks by service that are meant to run
	stops   map[string]int                  // live tasks by service that stop
	states  map[fleet.InstanceID]fleet.LifecycleState
	over    map[fleet.InstanceID]bool // what EC2 says is not running
	hosts   map[fleet.ARN]*inventory.Host
	target  map[fleet.ARN]bool
	leaving map[fleet.ARN]bool // targets, and what leaves already
	rooms   []room
	demands []*demand
}

func look(s *inventory.Inventory, c *inventory.Cluster, targets []fleet.InstanceID) *view {
	v := &view{
		s: s, c: c, on: map[fleet.ARN][]*inventory.Task{}, of: map[string][]*inventory.Task{}, stops: map[string]int{},
		target: map[fleet.ARN]bool{}, leaving: map[fleet.ARN]bool{},
		states: maps.Clone(s.States), over: map[fleet.InstanceID]bool{},
		hosts: map[fleet.ARN]*inventory.Host{},
	}
	if v.states == nil {
		v.states = map[fleet.InstanceID]fleet.LifecycleState{}
	}
	for _, g := range slices.Backward(s.Groups) {
		for _, i := range slices.Backward(g.Instances) {
			v.states[i.ID] = i.State
		}
	}
	for _, m := range s.Instances {
		v.over[m.ID] = m.State.Gone()
	}
	for _, h := range c.Hosts {
		v.hosts[h.ARN] = h
		v.target[h.ARN] = slices.Contains(targets, h.Instance)
		v.leaving[h.ARN] = v.target[h.ARN] || h.Status == fleet.Draining || v.departs(h.Instance)
	}
	for _, t := range c.Tasks {
		if !t.Live() {
			continue
		}
		v.on[t.ContainerInstance] = append(v.on[t.ContainerInstance], t)
		if t.DesiredStatus != fleet.Stopped {
			v.of[t.Service()] = append(v.of[t.Service()], t)
		} else {
			v.stops[t.Service()]++
		}
	}
	for _, h := range c.Hosts {
		if h.Status == fleet.Active && h.Connected && !v.leaving[h.ARN] && !external(h) {
			v.rooms = append(v.rooms, v.room(h))
		}
	}
	for _, s := range c.Services {
		v.demands = append(v.demands, v.demandsOf(s)...)
	}
	return v
}

// external reports whether a host is not EC2's: tasks of launch type EC2 are not placed there, and others are not of interest here.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-anywhere.html
func external(h *inventory.Host) bool {
	_, is := h.Attributes["ecs.capability.external"]
	return is || strings.HasPrefix(string(h.Instance), "mi-")
}

// departs reports whether an instance is on its way out of its group, or is not running.
func (v *view) departs(id fleet.InstanceID) bool {
	state := v.states[id]
	return v.over[id] || state.Waiting() || state.Leaving() || state.Over()
}

// endless is more network interfaces than a host can have: their number is unknown, or not the limit.
const endless = 1 << 30

// amounts are numbers of what a host has and a task needs, in this order.
type amounts [4]int

const (
	cpu = iota // units
	memory
	gpu
	nics
)

// space is what a host has left for tasks.
type space struct {
	free  amounts
	taken map[inventory.Port]bool
	has   map[string]bool // services with a task here
}

// room is a host on which ECS may place tasks.
type room struct {
	host *inventory.Host
	// tight is the space as it is. loose is the space after every task has ended that may: it is stopping, or its service
	// has too many or deploys. A promise rests on tight, a proof on loose.
	tight, loose space
	blind        bool // awsvpc tasks, and it is not known how many interfaces the host can have
}

// load is what the search has placed into a room.
type load struct {
	used     amounts
	ports    []inventory.Port
	services []string
}

func (l load) with(d *demand) load {
	for i, n := range d.needs {
		l.used[i] += n
	}
	l.ports, l.services = append(slices.Clip(l.ports), d.ports...), append(slices.Clip(l.services), d.name)
	return l
}

// misfit says what keeps a task out of a space with a load in it, and how much of it there is; empty: it fits.
func (s *space) misfit(l load, d *demand) (Code, int) {
	for i, code := range [...]Code{NoCPU, NoMemory, NoGPU, NoInterface} {
		if free := s.free[i] - l.used[i]; d.needs[i] > 0 && d.needs[i] > free { // what is over-booked keeps out those that need it
			return code, free
		}
	}
	for _, p := range d.ports {
		if s.taken[p] || slices.Contains(l.ports, p) {
			return NoPort, p.Number
		}
	}
	if d.distinct && (s.has[d.name] || slices.Contains(l.services, d.name)) {
		return DistinctInstance, 0
	}
	return "", 0
}

func (s *space) fits(l load, d *demand) bool {
	code, _ := s.misfit(l, d)
	return code == ""
}

// room makes the room of a host from what ECS says is free and from the tasks on it.
func (v *view) room(h *inventory.Host) room {
	r := room{host: h, blind: h.Interfaces == 0 && !h.Trunk}
	r.tight = space{amounts{h.Free.CPU, h.Free.Memory, h.Free.GPU, endless}, map[inventory.Port]bool{}, map[string]bool{}}
	if h.Interfaces > 0 && !h.Trunk {
		r.tight.free[nics] = h.Interfaces - 1
	}
	for _, n := range h.Free.Ports {
		r.tight.taken[inventory.Port{Number: n}] = true
	}
	for _, n := range h.Free.UDP {
		r.tight.taken[inventory.Port{Number: n, UDP: true}] = true
	}
	v.stillTaken(&r)
	r.loose = space{r.tight.free, maps.Clone(r.tight.taken), map[string]bool{}}
	for _, t := range v.on[h.ARN] {
		v.occupy(&r, t)
	}
	return r
}

// stillTaken takes out of what is free what tasks that stop still have. Since July 2023 ECS counts that as free: it places a task there, which
// waits PENDING until the other has stopped, however long that takes.
func (v *view) stillTaken(r *room) {
	var used amounts
	stopping := false
	for _, t := range v.on[r.host.ARN] {
		def := v.c.TaskDefinition(t.Family)
		if def == nil {
			continue
		}
		used[cpu], used[memory], used[gpu] = used[cpu]+cmp.Or(t.CPU, def.CPU), used[memory]+cmp.Or(t.Memory, def.Memory), used[gpu]+cmp.Or(t.GPU, def.GPU)
		if t.DesiredStatus == fleet.Stopped {
			stopping = true
			for _, p := range def.HostPorts {
				r.tight.taken[p] = true
			}
		}
	}
	if !stopping {
		return
	}
	for i, of := range [...]int{r.host.CPU, r.host.Memory, r.host.GPU} {
		if of > 0 { // known
			r.tight.free[i] = min(r.tight.free[i], of-used[i])
		}
	}
}

// occupy counts a task that is on the host: it uses a network interface, it keeps other tasks of its kind away, and it may end.
func (v *view) occupy(r *room, t *inventory.Task) {
	def := v.c.TaskDefinition(t.Family)
	var own, most int
	switch {
	case def == nil:
		most = 1 // what is not known may use one
	case def.Network == "awsvpc":
		own, most = 1, 1
	}
	r.tight.free[nics] -= most
	r.tight.has[t.Service()] = true
	if !v.mayEnd(t) {
		r.loose.free[nics] -= own
		r.loose.has[t.Service()] = true
		return
	}
	if def == nil { // it is not known what it gives back: all of the host at most
		r.loose.free = amounts{r.host.CPU, r.host.Memory, r.host.GPU, r.loose.free[nics]}
		clear(r.loose.taken)
		return
	}
	r.loose.free[cpu] += cmp.Or(t.CPU, def.CPU)
	r.loose.free[memory] += cmp.Or(t.Memory, def.Memory)
	r.loose.free[gpu] += cmp.Or(t.GPU, def.GPU)
	for _, p := range def.HostPorts {
		delete(r.loose.taken, p)
	}
}

// mayEnd reports whether a task on a host that stays may end without anybody's doing.
func (v *view) mayEnd(t *inventory.Task) bool {
	if t.DesiredStatus == fleet.Stopped || t.HealthStatus == "UNHEALTHY" {
		return true
	}
	if t.Service() == "" {
		return false
	}
	s := v.c.Service(t.Service()) // nil: it is not known what that does
	return s == nil || deploying(s) || s.TaskDefinition != t.Family || !s.Daemon && len(v.of[s.Name]) > s.Desired
}

// unread are what could not be read and keeps tasks of a service from a promise: a promise rests on nothing that is not known.
func (v *view) unread(d *demand) (reasons []Reason) {
	say := func(format string, args ...any) {
		reasons = append(reasons, Reason{Unjudged, fmt.Sprintf(format, args...)})
	}
	if v.s.Missed("ecs:GetTaskProtection", "cluster "+v.c.Name) {
		say("ecs:GetTaskProtection could not be read, so whether tasks of service %s have scale-in protection is not known", d.name)
	}
	if d.blind {
		reasons = append(reasons, Reason{NotHealthy, fmt.Sprintf("which targets of service %s are healthy could not be read", d.name)})
	}
	for i := range v.rooms {
		if operation := v.departsUnread(v.rooms[i].host); operation != "" {
			say("%s could not be read, so whether host %s stays is not known", operation, v.rooms[i].host.Instance)
			break
		}
	}
	for i := range v.rooms {
		if v.rooms[i].blind && d.needs[nics] > 0 && d.admits[i] != no {
			say("how many network interfaces host %s can have is not known, and each task of service %s needs one", v.rooms[i].host.Instance, d.name)
			break
		}
	}
	return reasons
}

// departsUnread is the operation that could not be read and that says whether a host is on its way out; empty: that is known.
func (v *view) departsUnread(h *inventory.Host) string {
	if v.s.Missed("ec2:DescribeInstances", "") && v.s.Instance(h.Instance) == nil {
		return "ec2:DescribeInstances"
	}
	for _, operation := range [...]string{"autoscaling:DescribeAutoScalingGroups", "autoscaling:DescribeAutoScalingInstances"} {
		if !v.s.Missed(operation, "") {
			continue
		}
		if _, in := v.s.Member(h.Instance); in == nil && v.s.States[h.Instance] == "" {
			return operation
		}
	}
	return ""
}
