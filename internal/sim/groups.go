package sim

import (
	"slices"
	"strconv"
	"time"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// group is an Auto Scaling group at work.
type group struct {
	Group
	members   []*groupInstance // those that have not left, in order of launch
	left      []*groupInstance // those that have, for lagging reads
	reconcile bool             // a reconciliation is scheduled
	provider  *CapacityProvider
}

// groupInstance is an instance in a group.
type groupInstance struct {
	GroupInstance
	g        *group
	h        *host
	activity *Activity // the one under way
	doomed   bool      // to be terminated when its replacement is in service
	trail    core.Trail
}

// live reports whether the instance counts toward the desired capacity.
func (m *groupInstance) live() bool {
	switch m.State {
	case "Pending", "Pending:Wait", "Pending:Proceed", "InService":
		return !m.doomed
	}
	return false
}

// AddGroup makes a group and launches its desired instances, at once in service and registered in the cluster of Launch. Hooks
// that it brings do not hold these first instances. It returns a copy.
func (w *World) AddGroup(spec Group) *Group {
	g := &group{Group: spec}
	g.Instances, g.Activities = nil, nil
	g.Hooks = nil
	g.ARN = w.ARN("autoscaling", "autoScalingGroup:"+w.UUID()+":autoScalingGroupName/"+g.Name)
	g.CreatedAt = w.Now()
	g.Launch = g.Launch.withDefaults()
	g.Max = max(g.Max, g.Desired)
	w.groups = append(w.groups, g)
	w.group[g.Name] = g
	if g.Launch.Cluster != "" {
		w.AddCluster(g.Launch.Cluster)
	}
	for i := range g.Refreshes {
		r := &g.Refreshes[i]
		r.ID, r.Started = g.Name+"-refresh-"+strconv.Itoa(i), w.Now().Add(-r.Ago)
		if r.Status == "" {
			r.Status = "InProgress"
		}
		if r.ScaleInProtected == "" {
			r.ScaleInProtected = "Wait"
		}
	}
	for i := range g.Desired {
		like := g.Launch
		if i < len(g.Hosts) {
			like = g.Hosts[i].over(g.Launch)
		}
		m := w.launch(g, like)
		w.running(m.h)
		w.inService(m)
		m.trail.Settle()
	}
	for _, h := range spec.Hooks {
		g.Hooks = append(g.Hooks, hookDefaults(*h))
	}
	c := w.copyGroup(g)
	return &c
}

func (s HostSpec) withDefaults() HostSpec {
	if s.CPU == 0 {
		s.CPU = 2048
	}
	if s.Memory == 0 {
		s.Memory = 7680
	}
	if s.Boot == 0 {
		s.Boot = 60 * time.Second
	}
	if s.Type == "" {
		s.Type = "m7i.large"
	}
	if s.AgentVersion == "" {
		s.AgentVersion = "1.105.1"
	}
	return s
}

// over is another spec with what this one says instead.
func (s HostSpec) over(base HostSpec) HostSpec {
	for _, set := range []struct{ to, from *int }{
		{&base.CPU, &s.CPU}, {&base.Memory, &s.Memory}, {&base.GPU, &s.GPU}, {&base.Interfaces, &s.Interfaces},
	} {
		if *set.from != 0 {
			*set.to = *set.from
		}
	}
	for _, set := range []struct{ to, from *string }{{&base.Type, &s.Type}, {&base.AgentVersion, &s.AgentVersion}} {
		if *set.from != "" {
			*set.to = *set.from
		}
	}
	base.NoAgent, base.Spot = base.NoAgent || s.NoAgent, base.Spot || s.Spot
	if s.Attributes != nil {
		base.Attributes = s.Attributes
	}
	return base
}

// setLife moves an instance to another lifecycle state of its group.
func (w *World) setLife(m *groupInstance, state string) {
	w.Log(core.Entry{Kind: core.EntryLifecycle, Group: m.g.Name, Instance: m.ID, Cluster: m.g.Launch.Cluster, ContainerInstance: m.h.ContainerInstance, From: m.State, To: state})
	m.State, m.Since = state, w.Now()
	if state == "Terminated" {
		state = ""
	}
	m.trail.Mark(w.Now(), state, "")
}

// reconcileSoon lets the group compare its instances with its desired capacity a second from now.
func (w *World) reconcileSoon(g *group) {
	if g.reconcile {
		return
	}
	g.reconcile = true
	w.After(time.Second, func() {
		g.reconcile = false
		w.reconcile(g)
	})
}

// reconcile launches what is missing and terminates what is too much. Instances in a terminating state count for nothing, so
// that a replacement starts while the old one waits for its hooks.
func (w *World) reconcile(g *group) {
	live, serving := 0, 0
	for _, m := range g.members {
		if m.live() {
			live++
		}
		if m.State == "InService" && !m.doomed {
			serving++
		}
	}
	for ; live < g.Desired && !slices.Contains(g.Suspended, "Launch"); live++ {
		m := w.launch(g, g.Launch)
		m.activity.Cause = "At " + core.ISO(w.Now()) + " an instance was started in response to a difference between desired and actual capacity, increasing the capacity from " +
			strconv.Itoa(live) + " to " + strconv.Itoa(live+1) + "."
		w.After(g.Launch.Boot, func() { w.booted(m) })
	}
	if live > g.Desired && !slices.Contains(g.Suspended, "Terminate") {
		w.scaleIn(g, live)
	}
	if serving < g.Desired {
		return
	}
	for _, m := range slices.Clone(g.members) {
		if m.doomed && m.State == "InService" {
			m.doomed = false
			w.terminateInGroup(m, healthCause(w.Now()))
		}
	}
}

// scaleIn terminates instances until the capacity is as desired: unhealthy ones first, then from the zone with the most, then
// the oldest. Protected ones are spared.
// https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-termination-policies.html
func (w *World) scaleIn(g *group, live int) {
	for ; live > g.Desired; live-- {
		m := victim(g)
		if m == nil {
			a := w.activity(g, "", "Could not scale to desired capacity because all remaining instances are protected from scale-in.")
			a.Status, a.Progress, a.End = "Cancelled", 100, w.Now()
			a.Cause = "At " + core.ISO(w.Now()) + " a user request explicitly set group desired capacity changing the desired capacity from " + strconv.Itoa(live) + " to " + strconv.Itoa(g.Desired) + "."
			return
		}
		w.terminateInGroup(m, "At "+core.ISO(w.Now())+" an instance was taken out of service in response to a difference between desired and actual capacity, shrinking the capacity from "+
			strconv.Itoa(live)+" to "+strconv.Itoa(live-1)+".  At "+core.ISO(w.Now())+" instance "+m.ID+" was selected for termination.")
	}
}

// victim chooses the instance that a scale-in takes, or nil.
func victim(g *group) *groupInstance {
	inZone := map[string]int{}
	for _, m := range g.members {
		if m.live() {
			inZone[m.Zone]++
		}
	}
	var best *groupInstance
	for _, m := range g.members {
		switch {
		case !m.live() || m.Protected && m.Health == "Healthy":
		case best == nil,
			m.Health != best.Health && m.Health == "Unhealthy",
			m.Health == best.Health && inZone[m.Zone] > inZone[best.Zone]:
			best = m
		}
	}
	return best
}

// launch starts an instance in the zone with the fewest.
func (w *World) launch(g *group, like HostSpec) *groupInstance {
	zones := [...]string{w.Region + "a", w.Region + "b", w.Region + "c"}
	var count [len(zones)]int
	for _, m := range g.members {
		if i := slices.Index(zones[:], m.Zone); i >= 0 && m.live() {
			count[i]++
		}
	}
	zone := 0
	for i := range zones {
		if count[i] < count[zone] {
			zone = i
		}
	}
	h := w.newHost(like, g.Name, zones[zone])
	m := &groupInstance{GroupInstance: GroupInstance{ID: h.ID, Group: g.Name, Zone: h.Zone, Health: "Healthy", Type: h.Host.Type}, g: g, h: h}
	h.member = m
	g.members = append(g.members, m)
	w.members[m.ID] = m
	m.activity = w.activity(g, m.ID, "Launching a new EC2 instance: "+m.ID)
	w.setLife(m, "Pending")
	return m
}

// running is the end of a boot: EC2 says running, and the agent registers with its cluster.
func (w *World) running(h *host) {
	w.setHost(h, "running")
	if h.Host.Cluster != "" && !h.Host.NoAgent {
		w.register(h)
	}
}

// booted continues a launch after the boot: with launch hooks, or straight into service.
func (w *World) booted(m *groupInstance) {
	if m.h.State != "pending" {
		return
	}
	w.running(m.h)
	if m.State != "Pending" {
		return
	}
	if w.openActions(m, launching, "Pending:Wait") {
		return
	}
	w.inService(m)
}

// inService puts an instance into service: it is registered with the group's own target groups.
func (w *World) inService(m *groupInstance) {
	for _, arn := range m.g.TargetGroups {
		if tg := w.balancer[arn]; tg != nil {
			w.registerTarget(tg, m.ID, tg.Port, nil)
		}
	}
	w.setLife(m, "InService")
	w.endActivity(m, "Successful")
	m.Protected = m.Protected || m.g.ProtectNew
	if m.h.ci != nil {
		w.protectSoon(m.h.ci)
	}
	w.reconcileSoon(m.g)
}

// activity opens a scaling activity.
func (w *World) activity(g *group, instance, description string) *Activity {
	a := &Activity{ID: w.UUID(), Group: g.Name, Instance: instance, Status: "InProgress", Description: description, Start: w.Now()}
	g.Activities = append(g.Activities, a)
	return a
}

func (w *World) endActivity(m *groupInstance, status string) {
	if a := m.activity; a != nil {
		a.Status, a.Progress, a.End = status, 100, w.Now()
		m.activity = nil
	}
}
