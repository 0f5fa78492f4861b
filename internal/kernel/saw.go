package kernel

import (
	"maps"
	"slices"
	"time"

	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

// answer is what came of a look.
type answer struct {
	plan.Look
	plan.Done
	failed map[string]bool // the ids of which it says nothing
	now    time.Time
}

// saw has a row for each kind of look: what is learnt from it. Listings learn from failures too.
var saw = [plan.LookKinds]func(*observer, answer){
	plan.Groups:                 sawGroups,
	plan.Hooks:                  sawHooks,
	plan.GroupInstances:         sawGroupInstances,
	plan.Activities:             sawActivities,
	plan.FindContainerInstances: sawContainers,
	plan.Words:                  sawWords,
	plan.ContainerInstances:     sawContainers,
	plan.ListRunning:            sawLists,
	plan.ListStopped:            sawLists,
	plan.ListCluster:            (*observer).sawListing,
	plan.Stopping:               sawStopping,
	plan.Homes:                  (*observer).sawListing,
	plan.Clusters:               sawClusters,
	plan.Tasks:                  sawTasks,
	plan.Services:               sawServices,
	plan.Targets:                sawTargets,
	plan.Names:                  sawTargets,
	plan.LatticeTargets:         sawTargets,
	plan.VPCs:                   sawVPCs,
	plan.TargetGroups:           sawTargetGroups,
	plan.Registered:             sawRegistered,
	plan.Delays:                 sawDelays,
	plan.TTLs:                   sawDelays,
	plan.GroupHealth:            sawGroupHealth,
	plan.Connections:            sawConnections,
	plan.Instances:              sawInstances,
	plan.SpotRequests:           sawSpotRequests,
	plan.Alarms:                 sawAlarms,
	plan.Backlogs:               sawBacklogs,
	plan.Metrics:                sawMetrics,
	plan.Scalers:                sawScalers,
}

// drainOf finds the open drain to whose target a subject belongs: by instance, or by the ARN of its container instance or task.
func (o *observer) drainOf(s plan.Subject) *entry {
	if e := o.open[fleet.HostTarget(fleet.InstanceID(s.ID))]; e != nil {
		return e
	}
	return o.open[o.ownerOf[fleet.ARN(s.ID)]]
}

// touch marks the drains that a look concerned: they decide again.
func (o *observer) touch(l plan.Look) {
	for _, s := range l.Subjects {
		if e := o.drainOf(s); e != nil {
			e.dirty = true
		}
	}
	if l.Kind.Spec().Shared {
		for _, e := range o.sorted {
			e.dirty = true
		}
	}
}

// sawGroups takes in a sweep: every instance of the managed groups, and which wait in a hook although no message was heard.
func sawGroups(o *observer, a answer) {
	at, first := a.Started, o.swept.IsZero()
	o.swept = at
	o.Counts["sweeps"]++
	clear(o.groups)
	clear(o.groupOf)
	clear(o.excluded)
	seen := map[string]map[fleet.Target]bool{}
	for _, g := range a.Result.View.Groups {
		man, ok := o.cfg.managed(g.Name)
		for _, i := range g.Instances {
			if ok {
				o.groupOf[fleet.HostTarget(i.ID)] = g.Name
			}
		}
		if !ok || !o.cfg.mine(man.Scope()) {
			continue
		}
		seen[g.Name] = map[fleet.Target]bool{}
		o.groups[g.Name] = len(g.Instances)
		if g.Excluded {
			o.excluded[g.Name] = true
		}
		for _, i := range g.Instances {
			seen[g.Name][fleet.HostTarget(i.ID)] = true
			o.sweptInstance(i, at)
		}
	}
	for _, e := range o.sorted {
		t := e.d.Target
		e.dirty = e.dirty || first // the tags of its group are known now
		if in, ok := seen[e.d.Group]; ok && !in[t] && o.concerns(t, at) {
			// Not in the group, or in its warm pool, which a sweep does not list: it has to be looked at by itself.
			unknown[fleet.GroupInstance](o.facts, groupInstance(t))
			e.dirty = true
		}
	}
	for i, l := range o.lingering {
		if in, ok := seen[l.pool.group]; ok && !in[l.target] {
			o.lingering[i].until = at
		}
	}
	o.prune(at)
}

// prune drops what is of no more use, so that nothing grows for ever: what has not been looked at for long and is kept with no drain, hooks
// of groups that are gone, and drains that ended so long ago that no message about them can come.
func (o *observer) prune(now time.Time) {
	const late = 48 * time.Hour // no hook waits longer
	maps.DeleteFunc(o.facts, func(s plan.Subject, f interface{ When() time.Time }) bool {
		keep := s.Kind.Spec().Keep
		return keep > 0 && now.Sub(f.When()) > keep || s.Kind == plan.Hooks && !o.exists(s.In)
	})
	maps.DeleteFunc(o.hooked, func(g string, _ bool) bool { return !o.exists(g) })
	clear(o.words)
	maps.DeleteFunc(o.spaced, func(_ place, at time.Time) bool { return now.Sub(at) > spacing })
	maps.DeleteFunc(o.recent, func(_ fleet.Target, h *history) bool { return h.forget(now.Add(-late)) })
	maps.DeleteFunc(o.toAdopt, func(_ fleet.Target, g string) bool { return !o.exists(g) })
	maps.DeleteFunc(o.leaving, func(_ fleet.Target, at time.Time) bool { return now.Sub(at) > 2*time.Hour })
	wanted := map[plan.Subject]bool{}
	for _, e := range o.sorted {
		for _, w := range e.wants {
			wanted[w.a.s] = true
		}
	}
	maps.DeleteFunc(o.asked, func(s plan.Subject, a *ask) bool {
		own := s.Kind == plan.Clusters || s.Kind == plan.Hooks && o.exists(s.In) // no drain need want it
		return !own && !wanted[s] && !a.flying
	})
	maps.DeleteFunc(o.ownerOf, func(_ fleet.ARN, t fleet.Target) bool { return o.open[t] == nil })
}

// exists reports whether the latest sweep found a managed group.
func (o *observer) exists(group string) bool {
	_, ok := o.groups[group]
	return ok
}

func (o *observer) sweptInstance(i fleet.GroupInstance, at time.Time) {
	t := fleet.HostTarget(i.ID)
	if e, ok := o.open[t]; ok {
		if e.d.Hook == "" && i.State.Waiting() && o.concerns(t, at) {
			o.toAdopt[t] = i.Group // a hook holds it now
		}
		if !o.concerns(t, at) || i.Group != e.d.Group {
			return
		}
		put(o.facts, groupInstance(t), fleet.Seen, at, i)
		e.dirty = true // it need not look itself now
		return
	}
	h := o.recent[t]
	if !i.State.Waiting() {
		if i.State.Leaving() {
			o.leaving[t] = at
		}
		if h != nil {
			h.over, h.back = true, h.back || !i.State.Leaving() && !i.State.Over()
		}
		return
	}
	if h != nil && at.Sub(h.newest().ended) > unwatched {
		h.over = true
	}
	o.toAdopt[t] = i.Group
}

// unwatched: for this long after a drain ended, an instance that still waits is assumed to be held by a different hook. A restarted Ebb,
// and a function, cannot know better: nobody has seen whether it has not waited since. If it is wrong, AWS reports no active action and the
// new drain ends at once.
const unwatched = time.Hour

func sawHooks(o *observer, a answer) {
	o.hooked[a.In] = true
	keep(o, a, a.Result.View.Hooks, func(h fleet.Hook) (plan.Subject, fleet.Hook) {
		if h.Name != o.cfg.Hook || h.Transition != fleet.TerminatingTransit {
			return plan.Subject{}, h // not Ebb's
		}
		return hooksOf(a.In), h
	})
}

// keep keeps what a look found of its subjects, and as absent those that it should have found and did not. What goes with one drain must
// concern its target, whose id is the subject's.
func keep[V, T any](o *observer, a answer, found []V, fact func(V) (plan.Subject, T)) {
	left := map[plan.Subject]bool{}
	for _, s := range a.Subjects {
		kind := s.Kind.Spec()
		left[s] = !a.failed[s.ID] &&
			(kind.Shared || kind.Keep > 0 || o.concerns(fleet.HostTarget(fleet.InstanceID(s.ID)), a.Started))
	}
	for _, v := range found {
		if s, is := fact(v); left[s] {
			put(o.facts, s, fleet.Seen, a.Started, is)
			left[s] = false
		}
	}
	for _, s := range a.Subjects {
		if left[s] {
			var none T
			put(o.facts, s, fleet.Absent, a.Started, none)
		}
	}
}

func sawGroupInstances(o *observer, a answer) {
	keep(o, a, a.Result.View.GroupInstances, func(i fleet.GroupInstance) (plan.Subject, fleet.GroupInstance) {
		t := fleet.HostTarget(i.ID)
		if e := o.open[t]; e != nil && e.d.Group != i.Group && e.d.Group != "" {
			return plan.Subject{}, i // the message named another group than the one it is in: absent from that
		}
		return groupInstance(t), i
	})
}

// sawActivities keeps when the instance of each open drain began to terminate: the newest activity that names it.
func sawActivities(o *observer, a answer) {
	keep(o, a, a.Result.View.Activities, func(act fleet.Activity) (plan.Subject, time.Time) {
		return began(fleet.HostTarget(act.Instance), a.In), act.Start
	})
}

func sawInstances(o *observer, a answer) {
	keep(o, a, a.Result.View.Instances, func(i plan.InstanceStatus) (plan.Subject, fleet.InstanceState) {
		return instanceOf(fleet.HostTarget(i.ID)), i.State
	})
	for _, i := range a.Result.View.Instances {
		put(o.facts, plan.Subject{Kind: plan.VPCs, ID: string(i.ID)}, fleet.Seen, a.Started, i.VPC)
	}
}

// sawClusters keeps how large clusters are.
func sawClusters(o *observer, a answer) {
	keep(o, a, a.Result.View.Clusters, func(c fleet.Cluster) (plan.Subject, fleet.Cluster) { return sizeOf(c.Name), c })
}

func sawServices(o *observer, a answer) {
	keep(o, a, a.Result.View.Services, func(s fleet.Service) (plan.Subject, fleet.Service) {
		return plan.Subject{Kind: plan.Services, In: a.In, ID: s.Name}, s
	})
}

func sawVPCs(o *observer, a answer) {
	keep(o, a, a.Result.View.VPCs, func(s plan.SubnetIn) (plan.Subject, string) {
		return plan.Subject{Kind: plan.VPCs, ID: s.Subnet}, s.VPC
	})
}

// rank orders the container instances of one EC2 instance: an agent that registers again leaves the old one behind.
func rank(ci fleet.ContainerInstance) int {
	switch {
	case ci.Status == fleet.Inactive:
		return 0
	case !ci.Connected:
		return 1
	}
	return 2
}

// leading is the registration of a host that is drained now, with the others that are still to be drained: the one that was drained so far,
// while ECS reaches it, or else one that ECS reaches.
func leading(d *drain.Drain, all []fleet.ContainerInstance) (lead fleet.ContainerInstance, ok bool) {
	better := func(ci fleet.ContainerInstance) int {
		n := 2 * rank(ci)
		if ci.ARN == d.ContainerInstance {
			n++
		}
		return n
	}
	var left []fleet.Registration
	reached := 0
	for _, ci := range all {
		if rank(ci) == 2 {
			reached++
		}
		if slices.Contains(d.Emptied, ci.ARN) {
			continue
		}
		if !ok || better(ci) > better(lead) {
			lead, ok = ci, true
		}
		if ci.Status != fleet.Inactive {
			left = append(left, fleet.Registration{Cluster: ci.Cluster, ARN: ci.ARN})
		}
	}
	lead.Reached = reached > 0 && rank(lead) < 2
	lead.Others = slices.DeleteFunc(left, func(r fleet.Registration) bool { return r.ARN == lead.ARN })
	return lead, ok
}

func sawContainers(o *observer, a answer) {
	found, seen := map[fleet.Target][]fleet.ContainerInstance{}, map[string]bool{}
	for _, ci := range a.Result.View.ContainerInstances {
		seen[string(ci.ARN)], seen[string(ci.Instance)] = true, true
		t := fleet.HostTarget(ci.Instance)
		found[t] = append(found[t], ci)
	}
	for t, all := range found { //ebb:any-order each is another target's
		if !o.concerns(t, a.Started) {
			continue
		}
		d := &o.open[t].d
		if ci, ok := leading(d, all); ok {
			put(o.facts, containerOf(t), fleet.Seen, a.Started, ci)
		} else if a.Kind == plan.FindContainerInstances && a.In == d.Cluster && !a.failed[t.ID] { // all that are left have been drained
			put(o.facts, containerOf(t), fleet.Absent, a.Started, fleet.ContainerInstance{})
		}
	}
	for _, s := range a.Subjects {
		t := fleet.HostTarget(fleet.InstanceID(s.ID))
		if s.Kind == plan.ContainerInstances {
			t = o.ownerOf[fleet.ARN(s.ID)]
		}
		if !seen[s.ID] && !a.failed[s.ID] && o.concerns(t, a.Started) {
			put(o.facts, containerOf(t), fleet.Absent, a.Started, fleet.ContainerInstance{})
		}
	}
}

func sawLists(o *observer, a answer) {
	for _, t := range a.Result.View.Listed {
		o.listed(t.Task, o.ownerOf[t.On])
	}
	for _, s := range a.Subjects {
		arn := fleet.ARN(s.ID)
		if e := o.open[o.ownerOf[arn]]; e != nil && !a.failed[s.ID] {
			o.credit(e, arn, a.Kind, a.Started, a.now, false)
		}
	}
}

// credit records a complete list of the tasks of a drain's container instance. Lists of an earlier container instance of the same host do
// not count.
func (o *observer) credit(e *entry, arn fleet.ARN, kind plan.LookKind, at, now time.Time, paged bool) {
	if arn != e.d.ContainerInstance {
		return
	}
	l := e.lists(kind)
	if n := len(l.Starts); n == 0 || at.After(l.Starts[n-1]) {
		l.Starts = append(l.Starts, at)
	}
	l.Whole, l.Paged = now, paged
}

// listed adds a task to those of an open drain. No more than its ARN is known yet.
func (o *observer) listed(task fleet.ARN, of fleet.Target) {
	e := o.open[of]
	if e == nil {
		return
	}
	if i, ok := e.task(task); !ok {
		f := &fleet.Fact[fleet.Task]{Value: fleet.Task{ARN: task}}
		o.ownerOf[task] = of
		e.tasks = slices.Insert(e.tasks, i, f)
		e.dirty = true
	}
}
