package kernel

import (
	"maps"
	"slices"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

// sawGroups is the sweep: every instance of the managed groups, and who waits in a hook that no message told of.
func (k *Kernel) sawGroups(a answer) {
	at := a.Started
	k.swept = at
	k.Counts["sweeps"]++
	clear(k.groups)
	seen := map[string]map[fleet.InstanceID]bool{}
	for _, g := range a.Result.View.Groups {
		if man, ok := k.managed(g.Name); !ok || !k.mine(man.Scope()) {
			continue
		}
		seen[g.Name] = map[fleet.InstanceID]bool{}
		k.groups[g.Name] = len(g.Instances)
		for _, i := range g.Instances {
			seen[g.Name][i.ID] = true
			k.sweptInstance(i, at)
		}
	}
	for _, e := range k.order {
		id := e.d.Instance
		if in, ok := seen[e.d.Group]; ok && !in[id] && k.concerns(id, at) {
			// Not in the group, or in its warm pool, which is not listed here: it has to be looked at by itself.
			delete(k.facts.instances, id)
			e.dirty = true
		}
	}
	k.prune(at)
}

// prune drops what is of no more use, so that nothing grows for ever: targets and services not looked at lately, hooks of groups
// that are gone, and drains that ended so long ago that no message about them can come.
func (k *Kernel) prune(now time.Time) {
	const late = 48 * time.Hour // no hook waits longer
	maps.DeleteFunc(k.facts.health, func(_ targetKey, f fleet.Fact[fleet.Health]) bool { return now.Sub(f.At) > 10*time.Minute })
	maps.DeleteFunc(k.facts.services, func(_ string, f fleet.Fact[fleet.Service]) bool { return now.Sub(f.At) > time.Hour })
	clear(k.facts.words)
	maps.DeleteFunc(k.facts.delays, func(_ fleet.ARN, f fleet.Fact[time.Duration]) bool { return now.Sub(f.At) > 2*time.Hour })
	maps.DeleteFunc(k.set, func(_ string, at time.Time) bool { return now.Sub(at) > spacing })
	maps.DeleteFunc(k.spaced, func(_ place, at time.Time) bool { return now.Sub(at) > spacing })
	maps.DeleteFunc(k.facts.homes, func(_ fleet.ARN, f fleet.Fact[fleet.ARN]) bool { return now.Sub(f.At) > 2*time.Hour })
	maps.DeleteFunc(k.facts.sizes, func(_ string, f fleet.Fact[fleet.Cluster]) bool { return now.Sub(f.At) > sizeFor })
	maps.DeleteFunc(k.facts.hooks, func(g string, _ fleet.Fact[fleet.Hook]) bool { return !k.exists(g) })
	maps.DeleteFunc(k.recent, func(_ fleet.InstanceID, h *history) bool { return h.forget(now.Add(-late)) })
	maps.DeleteFunc(k.toAdopt, func(_ fleet.InstanceID, g string) bool { return !k.exists(g) })
	maps.DeleteFunc(k.leaving, func(_ fleet.InstanceID, at time.Time) bool { return now.Sub(at) > 2*time.Hour })
	wanted := map[plan.Subject]bool{}
	for _, e := range k.order {
		for _, w := range e.wants {
			wanted[w.a.s] = true
		}
	}
	maps.DeleteFunc(k.asked, func(s plan.Subject, a *ask) bool {
		return s.Kind.Spec().Shared && (s.Kind != plan.Hooks || !k.exists(s.In)) && !a.flying && !wanted[s]
	})
}

// exists reports whether the latest sweep found a managed group.
func (k *Kernel) exists(group string) bool {
	_, ok := k.groups[group]
	return ok
}

func (k *Kernel) sweptInstance(i fleet.GroupInstance, at time.Time) {
	if e, ok := k.open[i.ID]; ok {
		if !k.concerns(i.ID, at) || i.Group != e.d.Group {
			return
		}
		put(k.facts.instances, i.ID, fleet.Seen, at, i)
		e.dirty = true // if for nothing else, it need not look itself
		return
	}
	if !i.State.Waiting() {
		if i.State.Leaving() {
			k.leaving[i.ID] = at
		}
		if h := k.recent[i.ID]; h != nil {
			h.over = true
		}
		return
	}
	if h := k.recent[i.ID]; h != nil && at.Sub(h.newest().ended) > unwatched {
		h.over = true
	}
	if !k.recent[i.ID].holds() {
		k.toAdopt[i.ID] = i.Group
	}
}

// unwatched is how long after its drain an instance that waits is taken for one whose hook was answered, and which another hook holds: after a
// restart, and in a function always, nobody has seen whether it has not waited since. Should it be so all the same, AWS says that nothing is
// active, and the drain ends.
const unwatched = time.Hour

func (k *Kernel) sawHooks(a answer) {
	group, at := a.In, a.Started
	for _, h := range a.Result.View.Hooks {
		if h.Name == k.cfg.Hook && h.Transition == fleet.TerminatingTransit {
			put(k.facts.hooks, group, fleet.Seen, at, h)
			return
		}
	}
	put(k.facts.hooks, group, fleet.Absent, at, fleet.Hook{})
}

func (k *Kernel) sawGroupInstances(a answer) {
	at := a.Started
	seen := map[fleet.InstanceID]bool{}
	for _, i := range a.Result.View.GroupInstances {
		if e := k.open[i.ID]; e != nil && e.d.Group != i.Group {
			continue // the message named another group than the one it is in: absent from that
		}
		seen[i.ID] = true
		if k.concerns(i.ID, at) {
			put(k.facts.instances, i.ID, fleet.Seen, at, i)
		}
	}
	for _, s := range a.Subjects {
		if id := fleet.InstanceID(s.ID); !seen[id] && !a.failed[s.ID] && k.concerns(id, at) {
			put(k.facts.instances, id, fleet.Absent, at, fleet.GroupInstance{})
		}
	}
}

// sawActivities keeps when each open drain's instance began to terminate: the newest activity that names it.
func (k *Kernel) sawActivities(a answer) {
	at, start := a.Started, map[fleet.InstanceID]time.Time{}
	for _, t := range a.Result.View.Activities {
		if _, ok := start[t.Instance]; !ok {
			start[t.Instance] = t.Start
		}
	}
	for _, s := range a.Subjects {
		id := fleet.InstanceID(s.ID)
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

// putContainer replaces what is known of a container instance, and keeps when the look before that was.
func (k *Kernel) putContainer(id fleet.InstanceID, is fleet.Knowledge, at time.Time, ci fleet.ContainerInstance) {
	if old := k.facts.containers[id]; !old.At.IsZero() && at.After(old.At) {
		k.open[id].before = old.At
	}
	put(k.facts.containers, id, is, at, ci)
}

// rank orders registrations of the same instance: an agent that registered anew leaves the old one behind.
func rank(ci fleet.ContainerInstance) int {
	switch {
	case ci.Status == fleet.Inactive:
		return 0
	case !ci.Connected:
		return 1
	}
	return 2
}

func (k *Kernel) sawContainers(a answer) {
	at, found := a.Started, a.Result.View.ContainerInstances
	seen := map[string]bool{}
	best := map[fleet.InstanceID]fleet.ContainerInstance{}
	for _, ci := range found {
		seen[string(ci.ARN)], seen[string(ci.Instance)] = true, true
		if old, ok := best[ci.Instance]; !ok || rank(ci) > rank(old) {
			best[ci.Instance] = ci
		}
	}
	for _, ci := range found {
		if best[ci.Instance].ARN != ci.ARN || !k.concerns(ci.Instance, at) {
			continue
		}
		k.putContainer(ci.Instance, fleet.Seen, at, ci)
		k.facts.hostOf[ci.ARN] = ci.Instance
	}
	for _, s := range a.Subjects {
		id := fleet.InstanceID(s.ID)
		if s.Kind == plan.ContainerInstances {
			id = k.facts.hostOf[fleet.ARN(s.ID)]
		}
		if !seen[s.ID] && !a.failed[s.ID] && k.concerns(id, at) {
			k.putContainer(id, fleet.Absent, at, fleet.ContainerInstance{})
		}
	}
}

func (k *Kernel) sawLists(a answer) {
	for _, t := range a.Result.View.Listed {
		k.listed(t.Task, k.facts.hostOf[t.On])
	}
	for _, s := range a.Subjects {
		arn := fleet.ARN(s.ID)
		if e := k.open[k.facts.hostOf[arn]]; e != nil && !a.failed[s.ID] {
			k.credit(e, arn, a.Kind, a.Started, a.now, false)
		}
	}
}

// credit notes a complete list of a drain's container instance; one of an earlier registration of the same host is none.
func (k *Kernel) credit(e *entry, arn fleet.ARN, kind plan.LookKind, at, now time.Time, paged bool) {
	if arn != e.d.ContainerInstance {
		return
	}
	e.lists[kind] = newest(e.lists[kind], at)
	if kind == plan.ListRunning {
		e.whole, e.paged = now, paged
	}
}

// newest appends a time that is later than all before.
func newest(times []time.Time, at time.Time) []time.Time {
	if n := len(times); n > 0 && !at.After(times[n-1]) {
		return times
	}
	return append(times, at)
}

// listed adds a task to those of the open drain of a host. No more than its ARN is known yet.
func (k *Kernel) listed(task fleet.ARN, host fleet.InstanceID) {
	e := k.open[host]
	if e == nil {
		return
	}
	if i, ok := e.task(task); !ok {
		k.facts.hostOf[task] = host
		e.tasks = slices.Insert(e.tasks, i, fleet.Fact[fleet.Task]{Value: fleet.Task{ARN: task}})
		e.dirty = true
	}
}

// sawClusters keeps how large clusters are.
func (k *Kernel) sawClusters(a answer) {
	at, seen := a.Started, map[string]bool{}
	for _, c := range a.Result.View.Clusters {
		seen[c.Name] = true
		put(k.facts.sizes, c.Name, fleet.Seen, at, c)
	}
	for _, s := range a.Subjects {
		if name := s.ID; !seen[name] && !a.failed[name] {
			put(k.facts.sizes, name, fleet.Absent, at, fleet.Cluster{})
		}
	}
}

func (k *Kernel) sawDelays(a answer) {
	tg, at := fleet.ARN(a.In), a.Started
	put(k.facts.delays, tg, fleet.Absent, at, 0)
	for _, d := range a.Result.View.Delays {
		put(k.facts.delays, tg, fleet.Seen, at, d.Delay)
	}
}

func (k *Kernel) sawTasks(a answer) {
	at, seen := a.Started, map[fleet.ARN]bool{}
	for _, t := range a.Result.View.Tasks {
		seen[t.ARN] = true
		if e := k.open[k.facts.hostOf[t.ARN]]; e != nil {
			k.putTask(e, t.ARN, fleet.Seen, at, t)
		}
	}
	for _, s := range a.Subjects {
		arn := fleet.ARN(s.ID)
		if e := k.open[k.facts.hostOf[arn]]; e != nil && !seen[arn] && !a.failed[s.ID] {
			k.putTask(e, arn, fleet.Absent, at, fleet.Task{ARN: arn})
		}
	}
}

func (k *Kernel) sawServices(a answer) {
	at, seen := a.Started, map[string]bool{}
	for _, s := range a.Result.View.Services {
		seen[s.Name] = true
		put(k.facts.services, a.In+"/"+s.Name, fleet.Seen, at, s)
	}
	for _, s := range a.Subjects {
		if n := s.ID; !seen[n] && !a.failed[n] {
			put(k.facts.services, a.In+"/"+n, fleet.Absent, at, fleet.Service{})
		}
	}
}

func (k *Kernel) sawTargets(a answer) {
	tg, at, seen := fleet.ARN(a.In), a.Started, map[fleet.TargetID]bool{}
	for _, h := range a.Result.View.Health {
		seen[h.Target] = true
		put(k.facts.health, targetKey{tg, h.Target}, fleet.Seen, at, h)
	}
	for _, s := range a.Subjects {
		if t := (fleet.TargetID{ID: s.ID, Port: s.Port}); !seen[t] {
			put(k.facts.health, targetKey{tg, t}, fleet.Absent, at, fleet.Health{})
		}
	}
}

func (k *Kernel) sawInstances(a answer) {
	at, seen := a.Started, map[fleet.InstanceID]bool{}
	for _, m := range a.Result.View.Instances {
		seen[m.ID] = true
		if k.concerns(m.ID, at) {
			put(k.facts.machines, m.ID, fleet.Seen, at, m.State)
		}
	}
	for _, s := range a.Subjects {
		if id := fleet.InstanceID(s.ID); !seen[id] && !a.failed[s.ID] && k.concerns(id, at) {
			put(k.facts.machines, id, fleet.Absent, at, "")
		}
	}
}
