package kernel

import (
	"flag"
	"fmt"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/plan"
)

// passes makes passes of twenty seconds, a minute apart, over many hosts of one cluster that are DRAINING, each with some tasks, and says
// how many hosts have been listed after each. What one pass knows the next has from the journal alone.
func passes(t *testing.T, hosts, tasks, times int) []int {
	c := crowd{hosts, tasks}
	var listed []int
	stored := map[string]journal.Record{}
	for n := range times {
		var open []journal.Record
		for i := range hosts {
			if r, ok := stored[fmt.Sprintf("web/i-%04d/token-00", i)]; ok {
				open = append(open, r)
			}
		}
		cfg := budgeted(MaxUnavailable{})
		cfg.Hook, cfg.OnePass, cfg.InFlight, cfg.Skew = "ebb-drain", true, 0, 30*time.Second
		cfg.Groups[0].Policy.Deadline = 10 * time.Hour
		k, err := New(cfg, open, nil)
		if err != nil {
			t.Fatal(err)
		}
		begin := t0.Add(time.Duration(n) * time.Minute)
		if n == 0 {
			for i := range hosts {
				k.Hear(termination(i), begin)
			}
		}
		for now := begin; now.Before(begin.Add(20 * time.Second)); {
			o := k.Next(now)
			for _, r := range o.Batch.Records {
				stored[r.Key] = r
			}
			if len(o.Do) == 0 && o.Wake.Sub(now) > Moment {
				break
			}
			if now = now.Add(100 * time.Millisecond); len(o.Do) == 0 {
				now = o.Wake
			}
			for _, order := range o.Do {
				k.Did(c.answer(order, now), now)
			}
		}
		done := 0
		for _, e := range k.sorted {
			if len(e.running.Starts) > 0 {
				done++
			}
		}
		listed = append(listed, done)
	}
	return listed
}

// crowd answers for many hosts with as many tasks each, all of which run.
type crowd struct{ hosts, tasks int }

const taskARN = "arn:aws:ecs:eu-west-1:111122223333:task/prod/"

func (c crowd) host(id string) fleet.ContainerInstance {
	return fleet.ContainerInstance{ARN: fleet.ARN("arn:aws:ecs:eu-west-1:111122223333:container-instance/prod/" + id), Cluster: "prod",
		Instance: fleet.InstanceID(id), Status: fleet.Draining, Connected: true, Running: c.tasks}
}

func (c crowd) answer(o plan.Request, now time.Time) plan.Done {
	d := cloud{fleet.Draining}.answer(o)
	d.Started = now
	if o.Action != nil {
		return d
	}
	l, v := o.Look, &d.Result.View
	switch l.Kind {
	case plan.FindContainerInstances:
		v.ContainerInstances = nil
		for _, id := range l.IDs() {
			v.ContainerInstances = append(v.ContainerInstances, c.host(id))
		}
	case plan.ContainerInstances:
		for _, id := range l.IDs() {
			v.ContainerInstances = append(v.ContainerInstances, c.host(fleet.ARN(id).Name()))
		}
	case plan.ListRunning:
		d.Result.Err, d.Result.Calls = nil, len(l.Subjects)
		for _, s := range l.Subjects {
			arn := fleet.ARN(s.ID)
			for n := range c.tasks {
				v.Listed = append(v.Listed, plan.Listed{Task: fleet.ARN(fmt.Sprintf("%s%s-%d", taskARN, arn.Name(), n)), On: arn})
			}
		}
	case plan.Clusters:
		v.Clusters = []fleet.Cluster{{Name: "prod", Running: c.hosts * c.tasks}}
	case plan.ListCluster:
		var from int
		_, _ = fmt.Sscan(l.Token, &from)
		to := min(from+plan.ListPages*plan.MaxDescribeECS, c.hosts*c.tasks)
		for n := from; n < to; n++ {
			v.Listed = append(v.Listed, plan.Listed{Task: fleet.ARN(fmt.Sprintf("%si-%04d-%d", taskARN, n/c.tasks, n%c.tasks))})
		}
		if to < c.hosts*c.tasks {
			v.Next = fmt.Sprint(to)
		}
		d.Result.Calls = (to - from + plan.MaxDescribeECS - 1) / plan.MaxDescribeECS
	case plan.Tasks, plan.Homes:
		for _, s := range l.Subjects {
			arn := fleet.ARN(s.ID)
			id := arn.Name()
			v.Tasks = append(v.Tasks, fleet.Task{ARN: arn, Cluster: "prod", ContainerInstance: c.host(id[:len("i-0000")]).ARN, LastStatus: "RUNNING",
				DesiredStatus: "RUNNING"})
		}
	}
	return d
}

var mostHosts = flag.Int("most-hosts", 1000, "how many hosts leave at most in the tests of a pass")

// Passes over more hosts than one can list all the same come to an end: a list of the cluster that can be made in one is made, and what
// takes longer is listed host by host, those first that have waited longest.
func TestPassesOverManyHostsGetOn(t *testing.T) {
	for _, c := range []struct{ hosts, tasks, passes int }{{50, 2, 2}, {1000, 2, 3}, {700, 28, 5}} {
		c.hosts = min(c.hosts, *mostHosts)
		got := passes(t, c.hosts, c.tasks, c.passes)
		if got[len(got)-1] != c.hosts {
			t.Errorf("%d hosts with %d tasks each: %v are listed after each pass, want all in the end", c.hosts, c.tasks, got)
		}
	}
}
