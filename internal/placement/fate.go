package placement

import (
	"fmt"
	"slices"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
)

// fate judges the tasks of one service on the targets.
//
// The last of them stops only while enough others are healthy, so for all to stop, needed replacements must have a place. ECS
// never gets stuck between the bounds as long as replacements find places, if upper is greater than lower: with fewer tasks
// than upper it starts one, and else it has more than lower and stops one.
func (v *view) fate(d *demand) Fate {
	f := v.bare(d)
	room := v.capacity(d)
	if r, stuck := v.arithmetic(d); stuck {
		f.Verdict, f.Reasons = Stuck, []Reason{r}
		if lacking := d.upper - d.staying - d.others - len(d.targets); room < lacking { // already
			f.Reasons = append(f.Reasons, v.whyFull(d, lacking, room)...)
		}
		return f
	}
	doubts, needed := v.doubts(d), d.lower-d.staying-d.others
	if d.running > 0 && room < needed {
		f.Verdict, f.Reasons = Stuck, v.whyFull(d, needed, room)
		doubts = slices.DeleteFunc(doubts, func(r Reason) bool { return r.Code == NotHealthy }) // whatever is healthy, there is no place
		if more := v.hopes(d); len(more)+len(doubts) > 0 {
			f.Verdict, f.Reasons = Uncertain, append(append(more, doubts...), f.Reasons...)
		}
		return f
	}
	if len(doubts) > 0 {
		f.Verdict, f.Reasons = Uncertain, doubts
		return f
	}
	if why := v.mayBeBlocked(d, d.lower-d.healthy); why != nil {
		f.Verdict, f.Reasons = Uncertain, why
		return f
	}
	if why := v.unproven(d); why != nil {
		f.Verdict, f.Reasons = Uncertain, why
		return f
	}
	if why := v.mayBeBlocked(d, d.count); why != nil {
		f.Verdict, f.Reasons = Shrinks, why
		if room < d.count {
			f.Reasons = v.whyFull(d, d.count, room)
		}
	}
	return f
}

// bare is a fate without a verdict.
func (v *view) bare(d *demand) Fate {
	return Fate{
		Kind: Replica, Service: d.name, Tasks: arns(d.targets), Places: v.places(d), Desired: d.s.Desired, Min: d.lower, Max: d.upper,
		Missing: d.count, StopsFirst: d.upper <= d.s.Desired && d.count > 0,
	}
}

// arithmetic proves that minimum and maximum percent leave no freedom: no task may stop, for then fewer than the minimum would be
// healthy, and none may start, for then more than the maximum would be there.
func (v *view) arithmetic(d *demand) (Reason, bool) {
	if d.running == 0 || d.upper > d.lower || d.staying+d.others >= d.lower {
		return Reason{}, false
	}
	for _, t := range d.targets {
		if healthy, known := v.serves(d.s, t); !healthy && known || t.HealthStatus == "UNHEALTHY" { // it counts for nothing, so it may stop
			return Reason{}, false
		}
	}
	return Reason{PercentArithmetic, arithmeticWords(d)}, true
}

func arithmeticWords(d *demand) string {
	least, most := d.s.MinPercent, d.s.MaxPercent
	return fmt.Sprintf("service %s wants %s; minimumHealthyPercent %d asks for at least %d healthy (rounded up), maximumPercent %d allows "+
		"at most %d (rounded down): "+
		"no task may stop before its replacement runs, and no replacement may start before a task has stopped", d.name, tasks(d.s.Desired), least,
		d.lower, most, d.upper)
}

// doubts are what keeps a service from a promise besides its place.
func (v *view) doubts(d *demand) []Reason {
	var doubts []Reason
	say := func(c Code, format string, args ...any) {
		doubts = append(doubts, Reason{c, fmt.Sprintf(format, args...)})
	}
	if d.def == nil && d.s.TaskDefinition == "" {
		say(Unjudged, "service %s has no task definition of its own, and none of its task sets is PRIMARY, so the needs of its tasks are not known", d.name)
	} else if d.def == nil {
		say(Unjudged, "task definition %s of service %s could not be read, so the needs of its tasks are not known", d.s.TaskDefinition, d.name)
	}
	doubts = append(doubts, v.unread(d)...)
	if deploying(d.s) {
		say(Deployment, "a deployment of service %s is under way; whether its tasks become healthy cannot be known", d.name)
	}
	for _, t := range d.targets {
		if t.Protected {
			say(Protected, "task %s of service %s has scale-in protection; AWS does not document whether draining waits for that", t.ARN.Name(), d.name)
		}
		doubts = append(doubts, v.cutOff(t)...)
	}
	needed := d.lower - d.healthy
	if needed > d.count {
		say(NotHealthy, "service %s needs %d healthy tasks; elsewhere %d are healthy, and %d have to be started", d.name, d.lower, d.healthy, d.count)
	}
	switch {
	case needed > 0 && d.upper <= d.lower:
		say(PercentArithmetic, "%s", arithmeticWords(d))
	case d.upper < d.s.Desired:
		say(PercentArithmetic, "service %s wants %s, but while a host drains maximumPercent %d allows at most %d (rounded down), so not every task "+
			"may be replaced", d.name, tasks(d.s.Desired), d.s.MaxPercent, d.upper)
	}
	for _, other := range v.c.Services {
		if n := v.blindly(other); n > 0 && other != d.s {
			say(Unjudged, "service %s has to start %s, but its task definition could not be read; it may take any place", other.Name, tasks(n))
		}
	}
	return doubts
}

// unproven says why replacements that must be healthy may not become so, or not soon: what runs now is not healthy, or stops and counts.
func (v *view) unproven(d *demand) []Reason {
	switch n := v.stops[d.name]; {
	case d.lower > d.healthy && n > 0 && len(v.of[d.name])+n >= d.upper:
		return []Reason{{PercentArithmetic, fmt.Sprintf("service %s may have %s, and what stops counts (%d now): its replacements start only when that has stopped",
			d.name, tasks(d.upper), n)}}
	case d.lower <= d.healthy || d.proven && d.sick == nil || len(v.of[d.name]) == 0:
		return nil
	case !d.proven:
		return []Reason{{NotHealthy, fmt.Sprintf("no task of service %s is healthy now, so whether a replacement becomes healthy cannot be known", d.name)}}
	}
	return []Reason{{NotHealthy, fmt.Sprintf("task %s of service %s runs and is not healthy, so whether a replacement becomes healthy cannot be known",
		d.sick.ARN.Name(), d.name)}}
}

// blindly is how many tasks of unknown needs a service has to start; a daemon has a demand for each of them.
func (v *view) blindly(s *inventory.Service) (n int) {
	for _, d := range v.demands {
		if d.s == s && d.def == nil {
			n += d.count
		}
	}
	return n
}

// hopes are ways in which hosts may be added.
func (v *view) hopes(d *demand) []Reason {
	var hopes []Reason
	for _, name := range v.providers(d.s) {
		if v.s.Missed("ecs:DescribeCapacityProviders", "cluster "+v.c.Name) {
			hopes = append(hopes, Reason{Unjudged, fmt.Sprintf("ecs:DescribeCapacityProviders could not be read, so whether managed scaling of capacity "+
				"provider %s may add hosts is not known", name)})
			continue
		}
		for _, p := range v.c.CapacityProviders {
			g := v.s.Group(p.Group)
			if p.Name == name && p.ManagedScaling && (g == nil || g.Desired < g.Max && !slices.Contains(g.Suspended, "Launch")) {
				hopes = append(hopes, Reason{Scaling, fmt.Sprintf("managed scaling of capacity provider %s may add hosts to group %s", name, p.Group)})
			}
		}
	}
	return hopes
}

// deploying reports whether a service is changing its revision, or fails to bring tasks up. A first deployment is IN_PROGRESS for as
// long as tasks find no place, and that says nothing more.
func deploying(s *inventory.Service) bool {
	for _, d := range s.Deployments {
		switch {
		case d.Status == "PRIMARY" && (d.Rollout == "FAILED" || d.Rollout == "IN_PROGRESS" && d.Failed > 0):
			return true
		case d.Status == "ACTIVE" && d.Desired+d.Running+d.Pending > 0:
			return true
		}
	}
	return false
}

// places are the hosts that have room for one task now.
func (v *view) places(d *demand) []fleet.InstanceID {
	var ids []fleet.InstanceID
	for i := range v.rooms {
		if d.admits[i] == yes && v.rooms[i].tight.fits(load{}, d) {
			ids = append(ids, v.rooms[i].host.Instance)
		}
	}
	return ids
}

// daemons are the fates of daemon tasks on the targets: they stop after the last replica task.
func (v *view) daemons() []Fate {
	var fates []Fate
	for _, s := range v.c.Services {
		if !s.Daemon {
			continue
		}
		f := Fate{Kind: Daemon, Service: s.Name, Desired: s.Desired}
		for _, t := range v.meantToRun() {
			if t.Service() == s.Name {
				f.Tasks, f.Reasons = append(f.Tasks, t.ARN), append(f.Reasons, v.cutOff(t)...)
			}
		}
		if len(f.Reasons) > 0 {
			f.Verdict = Uncertain
		}
		if len(f.Tasks) > 0 {
			fates = append(fates, f)
		}
	}
	return fates
}

// alone are the fates of tasks on the targets that no service in the inventory owns.
func (v *view) alone() []Fate {
	var fates []Fate
	for _, t := range v.meantToRun() {
		name := t.Service()
		switch {
		case name == "":
			fates = append(fates, Fate{Kind: Alone, Tasks: []fleet.ARN{t.ARN}, Verdict: Stuck, Reasons: []Reason{{
				Standalone, fmt.Sprintf("task %s (%s) was started by RunTask or StartTask, so ECS never moves it: the host waits until it ends or "+
					"somebody stops it", t.ARN.Name(), t.Family)}}})
		case v.c.Service(name) == nil:
			fates = append(fates, Fate{Kind: Replica, Service: name, Tasks: []fleet.ARN{t.ARN}, Verdict: Uncertain, Reasons: []Reason{{
				Unjudged, fmt.Sprintf("task %s belongs to service %s, which could not be read", t.ARN.Name(), name)}}})
		}
	}
	return fates
}

// meantToRun are the tasks on the targets that are not stopping already.
func (v *view) meantToRun() []*inventory.Task {
	return slices.DeleteFunc(slices.Clone(v.c.Tasks), func(t *inventory.Task) bool {
		return !t.Live() || !v.target[t.ContainerInstance] || t.DesiredStatus == fleet.Stopped
	})
}

// cutOff says that a task cannot be stopped where its host's agent is not connected.
func (v *view) cutOff(t *inventory.Task) []Reason {
	h := v.c.HostOf(t)
	if h.Connected {
		return nil
	}
	return []Reason{{AgentGone, fmt.Sprintf("the agent on %s is not connected; task %s cannot be stopped before it is connected again",
		h.Instance, t.ARN.Name())}}
}
