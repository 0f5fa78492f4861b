package kernel

import (
	"slices"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

type targetKey struct {
	group  fleet.ARN
	target fleet.TargetID
}

// facts is what this run of Ebb has seen. A newer look replaces an older one, never the other way round.
type facts struct {
	instances  map[fleet.InstanceID]fleet.Fact[fleet.GroupInstance]
	hooks      map[string]fleet.Fact[fleet.Hook] // by group: the hook that Ebb owns
	machines   map[fleet.InstanceID]fleet.Fact[fleet.InstanceState]
	began      map[fleet.InstanceID]fleet.Fact[time.Time]
	containers map[fleet.InstanceID]fleet.Fact[fleet.ContainerInstance]
	hostOf     map[fleet.ARN]fleet.InstanceID       // container instance or task to its host
	services   map[string]fleet.Fact[fleet.Service] // cluster/name
	health     map[targetKey]fleet.Fact[fleet.Health]
}

func newFacts() facts {
	return facts{
		instances: map[fleet.InstanceID]fleet.Fact[fleet.GroupInstance]{}, hooks: map[string]fleet.Fact[fleet.Hook]{},
		machines: map[fleet.InstanceID]fleet.Fact[fleet.InstanceState]{}, began: map[fleet.InstanceID]fleet.Fact[time.Time]{},
		containers: map[fleet.InstanceID]fleet.Fact[fleet.ContainerInstance]{}, hostOf: map[fleet.ARN]fleet.InstanceID{},
		services: map[string]fleet.Fact[fleet.Service]{},
		health:   map[targetKey]fleet.Fact[fleet.Health]{},
	}
}

func (f *facts) hook(group string) fleet.Fact[fleet.Hook] { return f.hooks[group] }

// forget drops what was known for one drain alone.
func (f *facts) forget(e *entry) {
	delete(f.instances, e.d.Instance)
	delete(f.machines, e.d.Instance)
	delete(f.began, e.d.Instance)
	delete(f.containers, e.d.Instance)
	delete(f.hostOf, e.d.ContainerInstance)
	for _, t := range e.tasks {
		delete(f.hostOf, t.Value.ARN)
	}
}

// put replaces a fact unless what is known is newer.
func put[K comparable, V any](m map[K]fleet.Fact[V], key K, is fleet.Knowledge, at time.Time, v V) {
	if old, ok := m[key]; !ok || !at.Before(old.At) {
		m[key] = fleet.Fact[V]{Is: is, At: at, Value: v}
	}
}

// concerns reports whether a look that was started at a time says something about an open drain of the instance: a look that is
// older than the drain may tell of the instance's earlier life.
func (k *Kernel) concerns(id fleet.InstanceID, at time.Time) bool {
	e, ok := k.open[id]
	return ok && !at.Before(e.d.Heard)
}

// looked takes in what a look found. What the look was not asked for, or could not say, stays as it was.
func (k *Kernel) looked(l plan.Look, done plan.Done, now time.Time) {
	s, at := done.Sight, done.Started
	k.budget.settle(lookBucket(l.Kind), estimate(l), s.Calls, s.Err, now)
	failed := map[string]bool{}
	for _, f := range s.Failed {
		failed[f.ID] = true
	}
	for _, sub := range subjects(l) {
		a := k.ask(sub)
		a.flying = false
		if s.Err != nil || failed[sub.id] {
			a.fails, a.failedAt = a.fails+1, now
		} else {
			a.fails = 0
		}
	}
	k.touch(l)
	if s.Err != nil {
		return
	}
	switch l.Kind {
	case plan.Groups:
		k.sawGroups(s.View.Groups, at)
	case plan.Hooks:
		k.sawHooks(l.Group, s.View.Hooks, at)
	case plan.GroupInstances:
		k.sawGroupInstances(l, s.View.GroupInstances, failed, at)
	case plan.Activities:
		k.sawActivities(l, s.View.Activities, at)
	case plan.FindContainerInstances, plan.ContainerInstances:
		k.sawContainers(l, s.View.ContainerInstances, failed, at)
	case plan.ListTasks:
		k.sawLists(l, s.View.Tasks, failed, at)
	case plan.Tasks:
		k.sawTasks(l, s.View.Tasks, failed, at)
	case plan.Services:
		k.sawServices(l, s.View.Services, failed, at)
	case plan.Targets:
		k.sawTargets(l, s.View.Health, at)
	case plan.Instances:
		k.sawMachines(l, s.View.Instances, failed, at)
	}
}

// touch marks the drains that a look concerned: they decide again.
func (k *Kernel) touch(l plan.Look) {
	mark := func(id fleet.InstanceID) {
		if e, ok := k.open[id]; ok {
			e.dirty = true
		}
	}
	for _, id := range l.Instances {
		mark(id)
	}
	for _, arn := range l.ARNs {
		mark(k.facts.hostOf[arn])
	}
	if l.Kind == plan.Hooks || l.Kind == plan.Activities || l.Kind == plan.Services || l.Kind == plan.Targets {
		for _, id := range k.order {
			if e := k.open[id]; e.d.Group == l.Group || e.d.Cluster == l.Cluster || l.Kind == plan.Targets {
				e.dirty = true
			}
		}
	}
}

// sawGroups is the sweep: every instance of the managed groups, and who waits in a hook that no message told of.
func (k *Kernel) sawGroups(groups []fleet.Group, at time.Time) {
	k.swept = at
	k.Counts["sweeps"]++
	seen := map[string]map[fleet.InstanceID]bool{}
	for _, g := range groups {
		if _, ok := k.managed(g.Name); !ok {
			continue
		}
		seen[g.Name] = map[fleet.InstanceID]bool{}
		k.groups[g.Name] = true
		for _, i := range g.Instances {
			seen[g.Name][i.ID] = true
			k.sweptInstance(i, at)
		}
	}
	for _, id := range k.order {
		e := k.open[id]
		if in, ok := seen[e.d.Group]; ok && !in[id] && k.concerns(id, at) {
			put(k.facts.instances, id, fleet.Absent, at, fleet.GroupInstance{})
			e.dirty = true
		}
	}
}

func (k *Kernel) sweptInstance(i fleet.GroupInstance, at time.Time) {
	if e, ok := k.open[i.ID]; ok {
		if !k.concerns(i.ID, at) {
			return
		}
		was := k.facts.instances[i.ID]
		put(k.facts.instances, i.ID, fleet.Seen, at, i)
		e.dirty = e.dirty || was.Is != fleet.Seen || was.Value != i
		return
	}
	if !i.State.Waiting() {
		delete(k.recent, i.ID) // its last wait is over: the next one is a new drain
		return
	}
	if _, ok := k.recent[i.ID]; !ok {
		k.toAdopt[i.ID] = i.Group
	}
}

func (k *Kernel) sawHooks(group string, hooks []fleet.Hook, at time.Time) {
	for _, h := range hooks {
		if h.Name == k.cfg.Hook && h.Transition == fleet.TerminatingTransit {
			put(k.facts.hooks, group, fleet.Seen, at, h)
			return
		}
	}
	put(k.facts.hooks, group, fleet.Absent, at, fleet.Hook{})
}

func (k *Kernel) sawGroupInstances(l plan.Look, found []fleet.GroupInstance, failed map[string]bool, at time.Time) {
	seen := map[fleet.InstanceID]bool{}
	for _, i := range found {
		seen[i.ID] = true
		if k.concerns(i.ID, at) {
			put(k.facts.instances, i.ID, fleet.Seen, at, i)
		}
	}
	for _, id := range l.Instances {
		if !seen[id] && !failed[string(id)] && k.concerns(id, at) {
			put(k.facts.instances, id, fleet.Absent, at, fleet.GroupInstance{})
		}
	}
}

// sawActivities keeps when each open drain's instance began to terminate: the newest activity that names it.
func (k *Kernel) sawActivities(l plan.Look, acts []fleet.Activity, at time.Time) {
	start := map[fleet.InstanceID]time.Time{}
	for _, a := range acts {
		if _, ok := start[a.Instance]; !ok {
			start[a.Instance] = a.Start
		}
	}
	for _, id := range l.Instances {
		if !k.concerns(id, at) {
			continue
		}
		if t, ok := start[id]; ok {
			put(k.facts.began, id, fleet.Seen, at, t)
		} else {
			put(k.facts.began, id, fleet.Absent, at, time.Time{})
		}
	}
}

func (k *Kernel) sawContainers(l plan.Look, found []fleet.ContainerInstance, failed map[string]bool, at time.Time) {
	seen := map[string]bool{}
	for _, ci := range found {
		seen[string(ci.ARN)], seen[string(ci.Instance)] = true, true
		if !k.concerns(ci.Instance, at) {
			continue
		}
		if old := k.facts.containers[ci.Instance]; old.Is == fleet.Seen && old.Value.ARN != ci.ARN && old.At.Equal(at) && old.Value.Status != fleet.Inactive {
			continue // registered twice: the one that is not INACTIVE counts
		}
		put(k.facts.containers, ci.Instance, fleet.Seen, at, ci)
		k.facts.hostOf[ci.ARN] = ci.Instance
	}
	absent := func(id fleet.InstanceID) {
		if k.concerns(id, at) {
			put(k.facts.containers, id, fleet.Absent, at, fleet.ContainerInstance{})
		}
	}
	for _, id := range l.Instances {
		if !seen[string(id)] && !failed[string(id)] {
			absent(id)
		}
	}
	for _, arn := range l.ARNs {
		if host, ok := k.facts.hostOf[arn]; ok && !seen[string(arn)] && !failed[string(arn)] {
			absent(host)
		}
	}
}

func (k *Kernel) sawLists(l plan.Look, found []fleet.Task, failed map[string]bool, at time.Time) {
	for _, t := range found {
		host, ok := k.facts.hostOf[t.ContainerInstance]
		e := k.open[host]
		if !ok || e == nil {
			continue
		}
		k.facts.hostOf[t.ARN] = host
		if i, ok := e.task(t.ARN); !ok {
			e.tasks = slices.Insert(e.tasks, i, fleet.Fact[fleet.Task]{Value: t})
		}
		e.putTask(t.ARN, fleet.Seen, at, t)
	}
	for _, arn := range l.ARNs {
		if e := k.open[k.facts.hostOf[arn]]; e != nil && !failed[string(arn)] && (len(e.lists) == 0 || at.After(e.lists[len(e.lists)-1])) {
			e.lists = append(e.lists, at)
		}
	}
}

func (k *Kernel) sawTasks(l plan.Look, found []fleet.Task, failed map[string]bool, at time.Time) {
	seen := map[fleet.ARN]bool{}
	for _, t := range found {
		seen[t.ARN] = true
		if e := k.open[k.facts.hostOf[t.ARN]]; e != nil {
			e.putTask(t.ARN, fleet.Seen, at, t)
		}
	}
	for _, arn := range l.ARNs {
		if e := k.open[k.facts.hostOf[arn]]; e != nil && !seen[arn] && !failed[string(arn)] {
			e.putTask(arn, fleet.Absent, at, fleet.Task{ARN: arn})
		}
	}
}

// task finds a listed task, or where it belongs.
func (e *entry) task(arn fleet.ARN) (int, bool) {
	return slices.BinarySearchFunc(e.tasks, arn, func(f fleet.Fact[fleet.Task], arn fleet.ARN) int {
		return strings.Compare(string(f.Value.ARN), string(arn))
	})
}

// putTask replaces what is known of a listed task unless that is newer.
func (e *entry) putTask(arn fleet.ARN, is fleet.Knowledge, at time.Time, t fleet.Task) {
	if i, ok := e.task(arn); ok && !at.Before(e.tasks[i].At) {
		e.tasks[i] = fleet.Fact[fleet.Task]{Is: is, At: at, Value: t}
	}
}

func (k *Kernel) sawServices(l plan.Look, found []fleet.Service, failed map[string]bool, at time.Time) {
	seen := map[string]bool{}
	for _, s := range found {
		seen[s.Name] = true
		put(k.facts.services, l.Cluster+"/"+s.Name, fleet.Seen, at, s)
	}
	for _, n := range l.Names {
		if !seen[n] && !failed[n] {
			put(k.facts.services, l.Cluster+"/"+n, fleet.Absent, at, fleet.Service{})
		}
	}
}

func (k *Kernel) sawTargets(l plan.Look, found []fleet.Health, at time.Time) {
	seen := map[fleet.TargetID]bool{}
	for _, h := range found {
		seen[h.Target] = true
		put(k.facts.health, targetKey{l.TargetGroup, h.Target}, fleet.Seen, at, h)
	}
	for _, t := range l.Targets {
		if !seen[t] {
			put(k.facts.health, targetKey{l.TargetGroup, t}, fleet.Absent, at, fleet.Health{})
		}
	}
}

func (k *Kernel) sawMachines(l plan.Look, found []plan.InstanceStatus, failed map[string]bool, at time.Time) {
	seen := map[fleet.InstanceID]bool{}
	for _, m := range found {
		seen[m.ID] = true
		if k.concerns(m.ID, at) {
			put(k.facts.machines, m.ID, fleet.Seen, at, m.State)
		}
	}
	for _, id := range l.Instances {
		if !seen[id] && !failed[string(id)] && k.concerns(id, at) {
			put(k.facts.machines, id, fleet.Absent, at, "")
		}
	}
}
