package story

import (
	"strconv"

	"github.com/ebbhq/ebb/internal/kernel"
	"github.com/ebbhq/ebb/internal/notice"
	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/ecs"
)

// whyNoPlace says that tasks of a service that do not run find no place, and which group would have one: also one that may not be made larger, a
// desired capacity that was passed meanwhile, and one above the maximum.
func whyNoPlace(r *run, a kernel.Ask) (is kernel.Answer) {
	tasks, err := r.w.ListTasks(a.Cluster, ecs.TaskQuery{Service: a.Service, DesiredStatus: "RUNNING"})
	if err != nil || len(tasks) >= a.Tasks {
		return is
	}
	r.cover["asked for a place"]++
	is.Blocker = notice.Blocker{Code: "no-memory", Text: "no place for " + strconv.Itoa(a.Tasks-len(tasks)) + " tasks"}
	if all := r.w.DescribeAutoScalingGroups(nil); len(all) > 0 {
		g := all[r.dice.n(len(all))]
		is.Group, is.Capacity = g.Name, max(0, g.Desired-1+r.dice.n(4))
	}
	return is
}

// sized is invariant 25, at the moment the desired capacity of a group is set.
func sized(p *past, e core.Entry) {
	was, _ := strconv.Atoi(e.From)
	to, err := strconv.Atoi(e.To)
	must(err)
	g, managed := p.Ebb.group(e.Group)
	switch {
	case !byEbb(e.By):
	case to < was:
		p.blame(25, "Ebb lowered the desired capacity of %s from %d to %d", e.Group, was, to)
	case !managed || g.observed() || p.Excluded[e.Group] || g.Capacity != "raise":
		p.blame(25, "Ebb set the desired capacity of %s, and is not to", e.Group)
	}
}
