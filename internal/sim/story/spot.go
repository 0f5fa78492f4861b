package story

import (
	"maps"
	"slices"
	"time"

	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/sim/core"
)

// tasksOf reports whether Ebb takes the tasks of a cluster out of their target groups, and whether it looks for them without an event too.
func (e Ebb) tasksOf(cluster string) (takes, looks bool) {
	for _, c := range e.Clusters {
		if c.Name == cluster {
			return c.Mode != "observe", true
		}
	}
	for _, g := range e.Groups {
		if g.Cluster == cluster {
			return !g.observed(), false
		}
	}
	return false, false
}

// noticed takes in that Fargate Spot gives notice to a task.
func noticed(p *past, e core.Entry) {
	if e.Task == "" {
		instanceNoticed(p, e)
		return
	}
	t := p.tasks[e.Task]
	if t == nil || e.To != core.NoticeInterrupted {
		return
	}
	t.noticed, t.out = e.At, map[string]time.Time{}
	nowRuns(p, t)
	for target := range t.inUse { //ebb:any-order a set
		t.out[target] = time.Time{}
	}
}

// takenOut is invariant 16: Ebb takes out no target of a task that does not leave, and none in a cluster that is not its own.
func takenOut(p *past, e core.Entry) {
	if !byEbb(e.By) {
		return
	}
	t := p.tasks[e.Task]
	if t == nil {
		p.blame(16, "Ebb took target %s of %s out, which is no task's", e.Target, e.TargetGroup)
		return
	}
	if takes, _ := p.Ebb.tasksOf(t.cluster); !takes {
		p.blame(4, "Ebb took target %s of %s out, whose cluster %s is not its own", e.Target, e.TargetGroup, t.cluster)
	}
	stops := t.status != "RUNNING" && t.status != "ACTIVATING" && t.status != "PENDING"
	t.touched = t.touched || t.noticed.IsZero() && !stops
	if t.noticed.IsZero() && !stops && !rehearsed(p, t) {
		p.blame(16, "Ebb took target %s of %s out, and its task %s is to run", e.Target, e.TargetGroup, fleet.ARN(t.id).Name())
	}
}

// outInTime is invariant 17: every target of a task that leaves with notice is asked to leave in time, or the journal says why not.
func outInTime(p *past) {
	said := map[string]drain.Drain{}
	for _, d := range p.Ended {
		if d.TaskARN() != "" {
			said[d.Target.ID] = d
		}
	}
	for _, id := range slices.Sorted(maps.Keys(p.tasks)) {
		t := p.tasks[id]
		takes, looks := p.Ebb.tasksOf(t.cluster)
		if h := p.hosts[fleet.ARN(id).Name()]; t.noticed.IsZero() || !takes || h != nil && h.letGo {
			continue
		}
		d, ended := said[id]
		if d.First == drain.FirstECS && t.byEbb {
			p.blame(17, "the journal says that ECS was first to take out the targets of task %s, and it was Ebb", fleet.ARN(id).Name())
		}
		for _, target := range slices.Sorted(maps.Keys(t.out)) {
			at := t.out[target]
			if ended && d.Final.Outcome == drain.Drained && (at.IsZero() || at.After(d.Ended.Add(p.Ebb.Skew))) {
				p.blame(17, "the drain of task %s ended as drained while target %s was in use", fleet.ARN(id).Name(), target)
				continue
			}
			from := p.calm(t.noticed)
			if at.IsZero() {
				if at = p.End; !ended && !t.live && t.stopped.Sub(from) <= p.outWithin() {
					continue // registered by hand: ECS never takes it out
				}
			}
			if looks && at.Sub(from) > p.outWithin() && (!ended || d.Final.Outcome == drain.Drained) {
				p.blame(17, "target %s of task %s was in use for %s after its notice, and the journal does not say why", target, fleet.ARN(id).Name(),
					at.Sub(from).Round(time.Second))
			}
		}
	}
}

// outWithin is how long a target may be in use after the notice of its task where no event comes: a minute until the next list, and reads
// that lag.
func (p *past) outWithin() time.Duration { return 90*time.Second + p.handOver() }
