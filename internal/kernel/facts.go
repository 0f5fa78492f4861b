package kernel

import (
	"slices"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

// share lets a task have the words that are the same for many in common with them: fifty thousand tasks are told of a call at a time, each
// with words of its own.
func (f *facts) share(t *fleet.Task) {
	one := func(s string) string {
		if w, ok := f.words[s]; ok {
			return w
		}
		f.words[s] = s
		return s
	}
	t.Cluster, t.Family, t.Group = one(t.Cluster), one(t.Family), one(t.Group)
	t.ContainerInstance = fleet.ARN(one(string(t.ContainerInstance)))
	t.LastStatus, t.DesiredStatus, t.StopCode, t.StoppedReason = one(t.LastStatus), one(t.DesiredStatus), one(t.StopCode), one(t.StoppedReason)
}

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
	delays     map[fleet.ARN]fleet.Fact[time.Duration] // by target group
	sizes      map[string]fleet.Fact[fleet.Cluster]    // by cluster; Absent: not to be listed as a whole
	homes      map[fleet.ARN]fleet.Fact[fleet.ARN]     // task to its container instance, of clusters that were listed as a whole
	words      map[string]string                       // of tasks, by themselves
}

func newFacts() facts {
	return facts{
		instances: map[fleet.InstanceID]fleet.Fact[fleet.GroupInstance]{}, hooks: map[string]fleet.Fact[fleet.Hook]{},
		machines: map[fleet.InstanceID]fleet.Fact[fleet.InstanceState]{}, began: map[fleet.InstanceID]fleet.Fact[time.Time]{},
		containers: map[fleet.InstanceID]fleet.Fact[fleet.ContainerInstance]{}, hostOf: map[fleet.ARN]fleet.InstanceID{},
		services: map[string]fleet.Fact[fleet.Service]{},
		health:   map[targetKey]fleet.Fact[fleet.Health]{}, delays: map[fleet.ARN]fleet.Fact[time.Duration]{},
		sizes: map[string]fleet.Fact[fleet.Cluster]{}, homes: map[fleet.ARN]fleet.Fact[fleet.ARN]{}, words: map[string]string{},
	}
}

func (f *facts) hook(group string) fleet.Fact[fleet.Hook] { return f.hooks[group] }

// forget drops what was known for one drain alone.
func (f *facts) forget(e *entry) {
	delete(f.instances, e.d.Instance)
	delete(f.machines, e.d.Instance)
	delete(f.began, e.d.Instance)
	delete(f.hostOf, f.containers[e.d.Instance].Value.ARN) // it may be in another cluster than the drain
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
	return ok && !at.Before(e.since)
}

// answer is what came of a look.
type answer struct {
	plan.Look
	plan.Done
	failed map[string]bool // the ids of which it says nothing
	now    time.Time
}

// saw has a row for each kind of look: what the kernel learns from it. Those of a listing learn from failures too.
var saw = [plan.LookKinds]func(*Kernel, answer){
	plan.Groups:                 (*Kernel).sawGroups,
	plan.Hooks:                  (*Kernel).sawHooks,
	plan.GroupInstances:         (*Kernel).sawGroupInstances,
	plan.Activities:             (*Kernel).sawActivities,
	plan.FindContainerInstances: (*Kernel).sawContainers,
	plan.ContainerInstances:     (*Kernel).sawContainers,
	plan.ListRunning:            (*Kernel).sawLists,
	plan.ListStopped:            (*Kernel).sawLists,
	plan.ListCluster:            (*Kernel).sawListing,
	plan.Homes:                  (*Kernel).sawListing,
	plan.Clusters:               (*Kernel).sawClusters,
	plan.Tasks:                  (*Kernel).sawTasks,
	plan.Services:               (*Kernel).sawServices,
	plan.Targets:                (*Kernel).sawTargets,
	plan.Delays:                 (*Kernel).sawDelays,
	plan.Instances:              (*Kernel).sawInstances,
}

// looked takes in what a look found. What the look was not asked for, or could not say, stays as it was.
func (k *Kernel) looked(l plan.Look, done plan.Done, now time.Time) {
	s := done.Result
	k.budget.settle(l.Kind.Spec().Bucket, plan.Looking, s.Calls-l.Calls(), s.Err, now)
	failed := map[string]bool{}
	for _, f := range s.Failed {
		failed[f.ID] = true
	}
	for _, sub := range asksOf(l) {
		a := k.ask(sub)
		a.flying = false
		if s.Err != nil || failed[sub.ID] {
			a.fails, a.failedAt = a.fails+1, now
		} else {
			a.fails = 0
		}
	}
	k.noteTrouble(l, s, now)
	k.touch(l)
	if s.Err == nil || l.Kind == plan.ListCluster || l.Kind == plan.Homes {
		saw[l.Kind](k, answer{l, done, failed, now})
	}
}

// stubborn is how many looks of a kind fail in a row before it is written down, when it may still pass by itself.
const stubborn = 12

// noteTrouble keeps why looks of a kind fail, and writes it down: at once when it is something that a person must mend.
func (k *Kernel) noteTrouble(l plan.Look, s plan.LookResult, now time.Time) {
	t, class := trouble{}, plan.OK
	switch {
	case s.Err != nil:
		t.why, class = s.Err.Error(), s.Err.Class
	case len(s.Failed) > 0:
		t.why, class = string(s.Failed[0].Class)+": "+s.Failed[0].Reason, s.Failed[0].Class
	}
	was := k.trouble[l.Kind]
	if t.why != "" {
		t.times = was.times + 1
	}
	k.trouble[l.Kind] = t
	mend := class == plan.Denied || class == plan.Invalid || class == plan.Gone
	if mend && was.why != t.why || t.times == stubborn {
		k.line(now, "", "failed", "looking at "+l.Kind.String()+" failed: "+t.why+"; it is tried again")
	}
}

// drainOf finds the open drain to whose target a subject belongs: by instance, or by the ARN of its container instance or task.
func (k *Kernel) drainOf(s plan.Subject) *entry {
	if e := k.open[fleet.InstanceID(s.ID)]; e != nil {
		return e
	}
	return k.open[k.facts.hostOf[fleet.ARN(s.ID)]]
}

// touch marks the drains that a look concerned: they decide again.
func (k *Kernel) touch(l plan.Look) {
	for _, s := range l.Subjects {
		if e := k.drainOf(s); e != nil {
			e.dirty = true
		}
	}
	for _, e := range k.order {
		switch l.Kind {
		case plan.Hooks, plan.Activities:
			e.dirty = e.dirty || e.d.Group == l.In || e.d.Cluster == ""
		case plan.Services:
			e.dirty = e.dirty || e.d.Cluster == l.In
		case plan.Targets, plan.Delays:
			e.dirty = true
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
func (k *Kernel) putTask(e *entry, arn fleet.ARN, is fleet.Knowledge, at time.Time, t fleet.Task) {
	k.facts.share(&t)
	if i, ok := e.task(arn); ok && !at.Before(e.tasks[i].At) {
		e.tasks[i] = fleet.Fact[fleet.Task]{Is: is, At: at, Value: t}
	}
}
