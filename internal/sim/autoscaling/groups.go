// Package autoscaling is Amazon EC2 Auto Scaling in a simulated cloud: groups that launch, replace and terminate instances, their lifecycle hooks, and
// whom they tell.
//
// It never scales by itself: somebody sets the desired capacity.
package autoscaling

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// AutoScaling are the groups of a world.
type AutoScaling struct {
	*core.Core
	Others
	groups  []*group
	group   map[string]*group // by name
	members map[string]*groupInstance
}

// Others are the services that Auto Scaling needs.
type Others struct {
	Instances Instances
	Clusters  Clusters
	Targets   Targets
	Bus       Bus
	Post      Post
}

// Instances launches and terminates instances.
type Instances interface {
	Launch(like core.HostSpec, group, zone string) *core.Instance
	Run(*core.Instance)
	ShutDown(*core.Instance)
	NewRootVolume(*core.Instance)
}

// Clusters are what instances join.
type Clusters interface {
	EnsureCluster(name string)
	Register(*core.Instance)
	InService(*core.Instance)                               // it is in service in its group
	HookOpened(i *core.Instance, group, hook, token string) // it waits in a lifecycle hook
}

// Targets are the target groups of groups.
type Targets interface {
	RegisterInstance(targetGroup, id string)
	DeregisterInstance(targetGroup, id string) time.Duration // how long it takes
}

// Bus takes the events of Auto Scaling.
type Bus interface {
	Wants(source, detailType string) bool
	Emit(about core.Entry, source, detailType string, resources []string, detail any)
}

// Post sends to the targets of lifecycle hooks.
type Post interface {
	Send(arn, subject, body string, about core.Entry)
}

// New makes Auto Scaling without groups.
func New(c *core.Core, others Others) *AutoScaling {
	return &AutoScaling{Core: c, Others: others, group: map[string]*group{}, members: map[string]*groupInstance{}}
}

// group is an Auto Scaling group at work.
type group struct {
	Group
	members   []*groupInstance // those that have not left, in order of launch
	left      []*groupInstance // those that have, for lagging reads
	reconcile bool             // a reconciliation is scheduled
}

// groupInstance is an instance in a group.
type groupInstance struct {
	GroupInstance
	g        *group
	h        *core.Instance
	activity *Activity // the one under way
	doomed   bool      // to be terminated when its replacement is in service
	because  string    // why; empty: a health check
	trail    core.Trail

	refresh      string // id of the instance refresh that replaces its root volume; empty: none does
	refreshFails bool
}

// live reports whether the instance counts toward the desired capacity.
func (m *groupInstance) live() bool { return m.serves() && !m.doomed }

// serves reports whether the instance is in service, or will be.
func (m *groupInstance) serves() bool {
	switch m.State {
	case "Pending", "Pending:Wait", "Pending:Proceed", "InService",
		"ReplacingRootVolume", "ReplacingRootVolume:Wait", "ReplacingRootVolume:Proceed", "RootVolumeReplaced":
		return true
	}
	return false
}

// AddGroup makes a group and launches its desired instances, at once in service and registered in the cluster of Launch. Hooks
// that it brings do not hold these first instances. It returns a copy.
func (w *AutoScaling) AddGroup(spec Group) *Group {
	g := &group{Group: spec}
	g.Instances, g.Activities = nil, nil
	g.Hooks = nil
	g.ARN = w.ARN("autoscaling", "autoScalingGroup:"+w.UUID()+":autoScalingGroupName/"+g.Name)
	g.CreatedAt = w.Now()
	g.Launch = g.Launch.WithDefaults()
	g.Max = max(g.Max, g.Desired)
	w.groups = append(w.groups, g)
	w.group[g.Name] = g
	if g.Launch.Cluster != "" {
		w.Clusters.EnsureCluster(g.Launch.Cluster)
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
		if r.Strategy == "" {
			r.Strategy = "Rolling"
		}
	}
	for i := range g.Desired {
		like := g.Launch
		if i < len(g.Hosts) {
			like = g.Hosts[i].Over(g.Launch)
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

// setLife moves an instance to another lifecycle state of its group.
func (w *AutoScaling) setLife(m *groupInstance, state string) {
	w.Log(core.Entry{Kind: core.EntryLifecycle, Group: m.g.Name, Instance: m.ID, Cluster: m.g.Launch.Cluster,
		ContainerInstance: m.h.ContainerInstance, From: m.State, To: state})
	m.State, m.Since = state, w.Now()
	if state == "Terminated" {
		state = ""
	}
	m.trail.Mark(w.Now(), state, "")
}

// reconcileSoon lets the group compare its instances with its desired capacity a second from now.
func (w *AutoScaling) reconcileSoon(g *group) {
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
func (w *AutoScaling) reconcile(g *group) {
	live, serving := 0, 0
	for _, m := range g.members {
		if m.live() {
			live++
		}
		if m.State == "InService" && !m.doomed {
			serving++
		}
	}
	for ; live < g.Desired && !g.suspended("Launch"); live++ {
		m := w.launch(g, g.Launch)
		m.activity.Cause = "At " + core.ISO(w.Now()) + " an instance was started in response to a difference between desired and actual capacity, " +
			"increasing the capacity from " +
			strconv.Itoa(live) + " to " + strconv.Itoa(live+1) + "."
		w.After(g.Launch.Boot, func() { w.booted(m) })
	}
	if g.suspended("Terminate") {
		return
	}
	if live > g.Desired {
		w.scaleIn(g, live)
	}
	if serving < g.Desired {
		return
	}
	for _, m := range slices.Clone(g.members) {
		if m.doomed && m.State == "InService" {
			m.doomed = false
			w.terminateInGroup(m, cmp.Or(m.because, healthCause(w.Now())))
		}
	}
}

// scaleIn terminates instances until the capacity is as desired: unhealthy ones first, then from the zone with the most, then
// the oldest. Protected ones are spared.
// https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-termination-policies.html
func (w *AutoScaling) scaleIn(g *group, live int) {
	for ; live > g.Desired; live-- {
		m := victim(g)
		if m == nil {
			a := w.activity(g, "", "Could not scale to desired capacity because all remaining instances are protected from scale-in.")
			a.Status, a.Progress, a.End = "Cancelled", 100, w.Now()
			a.Cause = "At " + core.ISO(w.Now()) + " a user request explicitly set group desired capacity changing the desired capacity from " +
				strconv.Itoa(live) + " to " + strconv.Itoa(g.Desired) + "."
			return
		}
		w.terminateInGroup(m, "At "+core.ISO(w.Now())+" an instance was taken out of service in response to a difference between desired and actual capacity, "+
			"shrinking the capacity from "+
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
func (w *AutoScaling) launch(g *group, like core.HostSpec) *groupInstance {
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
	h := w.Instances.Launch(like, g.Name, zones[zone])
	m := &groupInstance{GroupInstance: GroupInstance{ID: h.ID, Group: g.Name, Zone: h.Zone, Health: "Healthy", Type: h.Host.Type}, g: g, h: h}
	g.members = append(g.members, m)
	w.members[m.ID] = m
	m.activity = w.activity(g, m.ID, "Launching a new EC2 instance: "+m.ID)
	w.setLife(m, "Pending")
	return m
}

// running is the end of a boot: EC2 says running, and the agent registers with its cluster.
func (w *AutoScaling) running(h *core.Instance) {
	w.Instances.Run(h)
	w.join(h)
}

// join is when the agent of an instance registers it with its cluster.
func (w *AutoScaling) join(h *core.Instance) {
	if h.Host.Cluster != "" && !h.Host.NoAgent {
		w.Clusters.Register(h)
	}
}

// booted continues a launch after the boot: with launch hooks, or straight into service.
func (w *AutoScaling) booted(m *groupInstance) {
	if m.h.State != "pending" {
		return
	}
	w.running(m.h)
	if m.State != "Pending" {
		return
	}
	if w.openActions(m, TransitionLaunching, "Pending:Wait") {
		return
	}
	w.inService(m)
}

// inService puts an instance into service: it is registered with the group's own target groups.
func (w *AutoScaling) inService(m *groupInstance) {
	for _, arn := range m.g.TargetGroups {
		w.Targets.RegisterInstance(arn, m.ID)
	}
	w.setLife(m, "InService")
	w.endActivity(m, "Successful")
	w.refreshed(m, "Successful")
	m.Protected = m.Protected || m.g.ProtectNew
	w.Clusters.InService(m.h)
	w.reconcileSoon(m.g)
}

// activity opens a scaling activity.
func (w *AutoScaling) activity(g *group, instance, description string) *Activity {
	a := &Activity{ID: w.UUID(), Group: g.Name, Instance: instance, Status: "InProgress", Description: description, Start: w.Now()}
	g.Activities = append(g.Activities, a)
	return a
}

func (w *AutoScaling) endActivity(m *groupInstance, status string) {
	if a := m.activity; a != nil {
		a.Status, a.Progress, a.End = status, 100, w.Now()
		m.activity = nil
	}
}

// Settle makes the present state of all instances one that was always there.
func (w *AutoScaling) Settle() {
	for _, g := range w.groups {
		for _, m := range g.members {
			m.trail.Settle()
		}
	}
}
