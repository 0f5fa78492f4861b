package kernel

import (
	"slices"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

// observer knows what was seen, and what is to be looked at for the drains that are open.
type observer struct {
	*drains
	*log
	cfg      *Config
	facts    facts
	ownerOf  map[fleet.ARN]fleet.Target // container instance or task to the target that it belongs to
	hooked   map[string]bool            // groups whose hooks are among the facts
	words    map[string]string          // interned; see share
	asked    map[plan.Subject]*ask
	trouble  [plan.LookKinds]trouble
	listings map[string]*listing        // by cluster: lists of the whole cluster under way
	spaced   map[place]time.Time        // when a look of this kind and place was last sent
	swept    time.Time                  // start of the latest successful sweep
	groups   map[string]int             // managed groups that the latest sweep found, and how many instances they have
	excluded map[string]bool            // those of them that an operator has excluded
	leaving  map[fleet.Target]time.Time // when a sweep last saw the target leave, its hook not open yet
	toAdopt  map[fleet.Target]string    // waits in the named group, whose hook is not known yet
	groupOf  map[fleet.Target]string    // the managed group of each instance, as the latest sweep saw it
	said     said                       // by operators
	spot     spot
	net      net
	counts   map[string]*count    // desired counts of services, by the key of their record
	alarmed  map[string]time.Time // when a message last told of a change of an alarm, by its name
	began    time.Time            // when this kernel first decided
}

func newObserver(d *drains, l *log, cfg *Config) *observer {
	return &observer{
		drains: d, log: l, cfg: cfg, facts: facts{}, ownerOf: map[fleet.ARN]fleet.Target{}, hooked: map[string]bool{},
		words: map[string]string{}, asked: map[plan.Subject]*ask{}, listings: map[string]*listing{}, spaced: map[place]time.Time{},
		groups: map[string]int{}, excluded: map[string]bool{}, leaving: map[fleet.Target]time.Time{}, toAdopt: map[fleet.Target]string{},
		groupOf: map[fleet.Target]string{}, said: newSaid(cfg), spot: newSpot(cfg),
		net: net{rounds: map[string]*round{}}, counts: map[string]*count{}, alarmed: map[string]time.Time{},
	}
}

// trouble is why looks of a kind fail, and how many have in a row.
type trouble struct {
	why   string
	times int
}

// facts are what this run of Ebb has seen, each a *fleet.Fact, by subject; the type of its value is what plan says of the kind of look. A
// newer look replaces an older one, never the other way round, and a fact is replaced in place.
type facts map[plan.Subject]interface{ When() time.Time }

// known is what is known of a subject; Unknown where nobody has looked.
func known[T any](f facts, s plan.Subject) fleet.Fact[T] {
	if fact, ok := f[s].(*fleet.Fact[T]); ok {
		return *fact
	}
	return fleet.Fact[T]{}
}

// put replaces a fact unless what is known is newer.
func put[T any](f facts, s plan.Subject, is fleet.Knowledge, at time.Time, v T) {
	if fact, ok := f[s].(*fleet.Fact[T]); ok {
		fact.Put(is, at, v)
		return
	}
	f[s] = &fleet.Fact[T]{Is: is, At: at, Value: v}
}

// unknown takes back a fact of an open drain.
func unknown[T any](f facts, s plan.Subject) {
	if fact, ok := f[s].(*fleet.Fact[T]); ok {
		*fact = fleet.Fact[T]{}
	}
}

// The subjects under which the facts of a target stand.

func groupInstance(t fleet.Target) plan.Subject {
	return plan.Subject{Kind: plan.GroupInstances, ID: t.ID}
}
func instanceOf(t fleet.Target) plan.Subject { return plan.Subject{Kind: plan.Instances, ID: t.ID} }
func hooksOf(group string) plan.Subject      { return plan.Subject{Kind: plan.Hooks, In: group} }
func sizeOf(cluster string) plan.Subject     { return plan.Subject{Kind: plan.Clusters, ID: cluster} }

func began(t fleet.Target, group string) plan.Subject {
	return plan.Subject{Kind: plan.Activities, In: group, ID: t.ID}
}

func containerOf(t fleet.Target) plan.Subject {
	return plan.Subject{Kind: plan.FindContainerInstances, ID: t.ID}
}

func taskIn(cluster string, task fleet.ARN) plan.Subject {
	return plan.Subject{Kind: plan.Tasks, In: cluster, ID: string(task)}
}

// container is what is known of the container instance of a target.
func (o *observer) container(t fleet.Target) fleet.Fact[fleet.ContainerInstance] {
	return known[fleet.ContainerInstance](o.facts, containerOf(t))
}

// hook is what is known of the hook of a group that Ebb owns.
func (o *observer) hook(group string) fleet.Fact[fleet.Hook] {
	return known[fleet.Hook](o.facts, hooksOf(group))
}

// forget drops what is known and was asked for one drain alone. The next sweep drops what is left of other registrations of its host.
func (o *observer) forget(e *entry) {
	t, cluster := e.d.Target, e.d.Cluster
	delete(o.ownerOf, e.d.ContainerInstance)
	found := plan.Subject{Kind: plan.FindContainerInstances, In: cluster, ID: t.ID}
	own := []plan.Subject{groupInstance(t), instanceOf(t), spotRequestOf(t), began(t, e.d.Group), containerOf(t), found}
	for _, kind := range []plan.LookKind{plan.ContainerInstances, plan.ListRunning, plan.ListStopped} {
		own = append(own, plan.Subject{Kind: kind, In: cluster, ID: string(e.d.ContainerInstance)})
	}
	for _, f := range e.tasks {
		delete(o.ownerOf, f.Value.ARN)
		own = append(own, taskIn(cluster, f.Value.ARN))
	}
	for _, s := range own {
		delete(o.facts, s)
		delete(o.asked, s)
	}
}

// concerns reports whether a look that was started at a time says something about an open drain of the target: a look that is older than
// the drain may tell of an earlier life of the target.
func (o *observer) concerns(t fleet.Target, at time.Time) bool {
	e, ok := o.open[t]
	return ok && !at.Before(e.since)
}

// looked takes in what a look found. What the look was not asked for, or could not say, stays as it was.
func (o *observer) looked(l plan.Look, done plan.Done, now time.Time) {
	s := done.Result
	failed := map[string]bool{}
	for _, f := range s.Failed {
		failed[f.ID] = true
	}
	for _, sub := range asksOf(l) {
		a := o.ask(sub)
		a.flying = false
		if s.Err != nil || failed[sub.ID] {
			a.fails, a.failedAt = a.fails+1, now
		} else {
			a.fails = 0
		}
	}
	if l.Kind.Spec().Spare && (s.Err != nil || len(s.Failed) > 0) {
		netFails(o, l)
	}
	o.noteTrouble(l, s, now)
	o.touch(l)
	if s.Err == nil || l.Kind == plan.ListCluster || l.Kind == plan.Homes {
		saw[l.Kind](o, answer{l, done, failed, now})
	}
}

// stubborn is how many looks of a kind fail in a row before it is written down, when it may still pass by itself.
const stubborn = 12

// noteTrouble keeps why looks of a kind fail, and writes it down: at once when it is something that a person must mend.
func (o *observer) noteTrouble(l plan.Look, s plan.LookResult, now time.Time) {
	t, class := trouble{}, plan.OK
	switch {
	case s.Err != nil:
		t.why, class = s.Err.Error(), s.Err.Class
	case len(s.Failed) > 0:
		t.why, class = string(s.Failed[0].Class)+": "+s.Failed[0].Reason, s.Failed[0].Class
	}
	was := o.trouble[l.Kind]
	if t.why != "" {
		t.times = was.times + 1
	}
	o.trouble[l.Kind] = t
	mend := class == plan.Denied || class == plan.Invalid || class == plan.Gone
	if mend && was.why != t.why || t.times == stubborn {
		o.line(now, "", "failed", "looking at "+l.Kind.String()+" failed: "+t.why+"; it is tried again")
	}
}

// task finds a listed task, or where it belongs.
func (e *entry) task(arn fleet.ARN) (int, bool) {
	return slices.BinarySearchFunc(e.tasks, arn, func(f *fleet.Fact[fleet.Task], arn fleet.ARN) int {
		return strings.Compare(string(f.Value.ARN), string(arn))
	})
}

// putTask replaces what is known of a listed task unless that is newer.
func (o *observer) putTask(e *entry, arn fleet.ARN, is fleet.Knowledge, at time.Time, t fleet.Task) {
	o.share(&t)
	if i, ok := e.task(arn); ok {
		e.tasks[i].Put(is, at, t)
	}
}

// share interns the strings of a task: DescribeTasks returns a fresh copy of each for up to 50,000 tasks.
func (o *observer) share(t *fleet.Task) {
	intern := func(s string) string {
		if w, ok := o.words[s]; ok {
			return w
		}
		o.words[s] = s
		return s
	}
	t.Cluster, t.Family, t.Group = intern(t.Cluster), intern(t.Family), intern(t.Group)
	t.ContainerInstance = fleet.ARN(intern(string(t.ContainerInstance)))
	t.LastStatus, t.DesiredStatus, t.StoppedReason = intern(t.LastStatus), intern(t.DesiredStatus), intern(t.StoppedReason)
}
