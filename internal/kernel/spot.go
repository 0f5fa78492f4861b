package kernel

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

// spotEvery is how often Ebb looks by itself for tasks that ECS stops with notice: an event may be late, or never come. It does so in the
// clusters that have an entry of their own in the configuration.
const spotEvery = time.Minute

// spot is what is known of tasks that may be stopped with notice, beside those of which a drain is open.
type spot struct {
	clusters []string                      // in which to look, sorted
	looked   map[string]time.Time          // by cluster: when they were last listed with success
	known    map[string]map[fleet.ARN]look // by cluster: those listed last
	found    []fleet.Task                  // that stop with notice
}

// look says how far a task that was listed is known.
type look uint8

const (
	unasked look = iota // it is to be described
	lagging             // it was, but not yet as one that stops: with the next list it is again
	settled             // it was
)

func newSpot(cfg *Config) spot {
	s := spot{looked: map[string]time.Time{}, known: map[string]map[fleet.ARN]look{}}
	for _, m := range cfg.Groups {
		if m.Match == "" && !m.OnlyScaled && cfg.mine(m.Scope()) && !slices.Contains(s.clusters, m.Cluster) {
			s.clusters = append(s.clusters, m.Cluster)
		}
	}
	slices.Sort(s.clusters)
	return s
}

func stoppingIn(cluster string) plan.Subject { return plan.Subject{Kind: plan.Stopping, In: cluster} }

// spotLooks asks for the lists that are due, and for what is not known of the tasks on them.
func spotLooks(o *observer, now time.Time) []dueLook {
	var looks []dueLook
	for _, cluster := range o.spot.clusters {
		a, due := o.ask(stoppingIn(cluster)), o.spot.looked[cluster].Add(spotEvery)
		if a.free(now) && !due.After(now) {
			looks = append(looks, dueLook{plan.LookAt(a.s), due})
		}
		var undescribed []dueSubject
		for arn, is := range o.spot.known[cluster] { //ebb:any-order they are sorted
			if s := taskIn(cluster, arn); is == unasked && o.ask(s).free(now) {
				undescribed = append(undescribed, dueSubject{s, o.spot.looked[cluster]})
			}
		}
		slices.SortFunc(undescribed, func(a, b dueSubject) int { return strings.Compare(a.ID, b.ID) })
		if len(undescribed) > 0 {
			looks = append(looks, chunked(undescribed)...)
		}
	}
	return looks
}

// spotDue is when the next of these looks is due; zero: there is none.
func spotDue(o *observer, now time.Time) (at time.Time) {
	sooner := func(a *ask, due time.Time) {
		if due = drain.Later(due, a.again()); !a.flying && (at.IsZero() || due.Before(at)) {
			at = due
		}
	}
	for _, cluster := range o.spot.clusters {
		sooner(o.ask(stoppingIn(cluster)), o.spot.looked[cluster].Add(spotEvery))
		for arn, is := range o.spot.known[cluster] { //ebb:any-order the earliest
			if is == unasked {
				sooner(o.ask(taskIn(cluster, arn)), now)
			}
		}
	}
	return at
}

// sawStopping takes in which tasks are stopping, or have stopped. What was described once need not be described again.
func sawStopping(o *observer, a answer) {
	was, is := o.spot.known[a.In], map[fleet.ARN]look{}
	for _, t := range a.Result.View.Listed {
		if _, open := o.ownerOf[t.Task]; open || was[t.Task] == settled {
			is[t.Task] = settled
		} else {
			is[t.Task] = unasked
		}
	}
	o.spot.looked[a.In], o.spot.known[a.In] = a.Started, is
	if !o.cfg.Sweeps() {
		o.prune(a.Started) // nobody else does
	}
}

// sawStopped takes in what tasks that were listed are: those that are about to stop with notice are kept.
func sawStopped(o *observer, a answer) {
	listed := o.spot.known[a.In]
	for _, s := range a.Subjects {
		if is, asked := listed[fleet.ARN(s.ID)]; asked && is == unasked && !a.failed[s.ID] {
			listed[fleet.ARN(s.ID)] = lagging
		}
	}
	for _, t := range a.Result.View.Tasks {
		if listed[t.ARN] == lagging && t.Leaves() {
			listed[t.ARN] = settled
			if t.Interrupted() && t.Live() {
				o.spot.found = append(o.spot.found, t)
			}
		}
	}
}

// findTasks opens drains for the tasks of which no message told.
func findTasks(k *Kernel, now time.Time) {
	found := k.spot.found
	k.spot.found = nil
	for _, t := range found {
		target := fleet.TaskTarget(t.Cluster, t.ARN)
		if notBegun(k, target) != "" {
			continue
		}
		man, _ := k.cfg.tasksOf(t.Cluster)
		k.Counts["adopted"]++
		how := "ECS stops " + target.Name() + " of cluster " + t.Cluster + " with notice; no message was heard"
		beginTask(k, target, man, t.Service(), cmp.Or(t.StoppingAt, now), now, how)
	}
}
