package story

import (
	"maps"
	"slices"
	"time"

	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/event"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/ecs"
)

// rehearsal is what the judge reads in the world's record of an operator who rehearses the interruption of a task.
const rehearsal = "rehearsal"

// rehearse lets an operator rehearse the interruption of the oldest task on Fargate Spot of a service, as ebb rehearse spot does. With the result
// forged only the message comes, and the task says nothing.
func rehearse(r *run, s Step) error {
	if s.Host != "" {
		return rehearseHost(r, s)
	}
	all, err := r.w.SpotTasks(s.Cluster, s.Service, "")
	if err != nil || len(all) == 0 {
		return err
	}
	now, task := r.w.Now(), all[0]
	if r.cover["rehearsal"]++; s.Result != "forged" {
		r.w.Log(core.Entry{Kind: core.EntryNote, Task: task, Cluster: s.Cluster, To: rehearsal})
		if err := r.w.TagTask(task, map[string]string{fleet.RehearsalTag: now.Add(fleet.SpotNotice).Format(time.RFC3339)}); err != nil {
			return err
		}
	}
	cluster := fleet.ARN(r.w.ARN("ecs", "cluster/"+s.Cluster))
	body := event.RehearseTask("111122223333", "eu-west-1", cluster, fleet.ARN(task), "service:"+s.Service, now)
	return failed(r.w.SendMessage(r.s.Ebb.queue(), body, nil, 0))
}

// rehearseHost lets an operator rehearse that EC2 takes a host back, as ebb rehearse spot --instance does. With the result forged only the message comes.
func rehearseHost(r *run, s Step) error {
	ci, id, now := r.container(s), r.host(s.Host), r.w.Now()
	if r.cover["rehearsal of a host"]++; s.Result != "forged" {
		w := fleet.Word{
			Deadline: now.Add(fleet.SpotNotice).Truncate(time.Second), Late: fleet.LateTerminate, End: fleet.EndTerminate, Reason: fleet.RehearsalReason,
		}
		r.said = now
		r.w.Log(core.Entry{Kind: core.EntryNote, Instance: id, To: wordSaid, Text: w.String()})
		if err := r.w.PutAttributes(clusterOf(ci), []ecs.Attribute{{Name: fleet.WordAttribute, Value: w.String(), Target: ci}}); err != nil {
			return err
		}
	}
	body := event.RehearseInstance("111122223333", "eu-west-1", clusterOf(ci), fleet.InstanceID(id), now)
	return failed(r.w.SendMessage(r.s.Ebb.queue(), body, nil, 0))
}

// rehearsals follows what operators rehearse.
func rehearsals(p *past, e core.Entry) {
	if t := p.tasks[e.Task]; t != nil && e.To == rehearsal {
		t.rehearsal = e.At
	}
}

// rehearsed reports whether Ebb may let a task leave because an operator rehearses that.
func rehearsed(p *past, t *taskPast) bool {
	if i := slices.IndexFunc(p.Ebb.Clusters, func(c Cluster) bool { return c.Name == t.cluster }); i >= 0 {
		return p.Ebb.Clusters[i].AllowRehearsal && !t.rehearsal.IsZero()
	}
	i := slices.IndexFunc(p.Ebb.Groups, func(g Group) bool { return g.Cluster == t.cluster }) // its tasks go with the first group
	return i >= 0 && p.Ebb.Groups[i].AllowRehearsal && !t.rehearsal.IsZero()
}

// mayStop is invariant 22: Ebb stops a task only if an operator rehearses its interruption, and not before it was taken out.
func mayStop(p *past, e core.Entry) {
	if t := p.tasks[e.Task]; t == nil || !rehearsed(p, t) {
		p.blame(22, "Ebb stops task %s, and no operator rehearses that", fleet.ARN(e.Task).Name())
	}
}

// rehearsedToTheEnd is the other part of invariant 22: a task that Ebb has taken out for a rehearsal does not run on without its targets. Ebb tries
// to stop it for five minutes after the two of a notice; after that the journal says that it runs.
func rehearsedToTheEnd(p *past) {
	for _, id := range slices.Sorted(maps.Keys(p.tasks)) {
		t := p.tasks[id]
		from := p.calm(t.rehearsal)
		if !t.touched || !t.noticed.IsZero() || t.status != "RUNNING" || p.End.Sub(from) < 8*time.Minute+p.handOver() {
			continue
		}
		if !slices.ContainsFunc(p.drains, func(d drain.Drain) bool { return d.Target.ID == id && !d.Open() && d.Final.CutsOff() }) {
			p.blame(22, "task %s was taken out for a rehearsal, and runs on", fleet.ARN(id).Name())
		}
	}
}
