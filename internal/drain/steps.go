package drain

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

// hostCourse is how a container instance leaves.
var hostCourse = course{
	rules: []func(*decider) bool{
		ended,     // the hook does not hold the instance any more
		withdrawn, // an operator has taken back that it is to leave
		watched,   // Ebb only watches, and would have answered
		excluded,  // an operator does not want it drained
		refuse,    // the hook cannot be kept alive
		invalid,   // Auto Scaling takes no call about the hook
		hostGone,  // EC2 says that the instance is not running
		noticed,   // an event is not confirmed by EC2 yet
		deadline,  // what is left is cut off
		lost,      // ECS does not reach the instance any more
	},
	steps: []func(*decider) bool{
		waits,     // the group says that the instance waits in a terminating hook
		found,     // a cluster says which container instance it is
		draining,  // ECS says DRAINING
		listed,    // the tasks that are to run on it are known
		stopped,   // every task that is waited for has stopped
		confirmed, // and there is no other
		alone,     // there is no other registration of the host
		answered,  // the hook is answered
	},
	after: []func(*decider){beat, outAtOnce, admit},
	end:   (*decider).answer,
}

// waits verifies what was heard: a message can wake Ebb but not make it act.
func waits(c *decider) bool {
	i := c.instance
	switch {
	case !c.d().held():
		return true
	case i.Is == fleet.Seen && i.Value.State.Waiting():
		c.lookAtGroup(c.p.LookSlow + c.p.Look) // a sweep mostly comes first
		return true
	case i.Is == fleet.Unknown:
		c.out.Waiting = "to look at the group"
	case i.Is == fleet.Seen && i.Value.State.Leaving():
		c.out.Waiting = "for the group's own load balancers: the hook is not open yet"
	default:
		c.out.Waiting = "for the group to say that the instance is leaving; it says " + stateText(i)
	}
	c.lookAtGroup(c.p.Look)
	return c.d().warned() // EC2 says that it ends it
}

// found learns the container instance. Unknown to every cluster is established by two complete looks a minute apart.
func found(c *decider) bool {
	d, ci := c.d(), c.container
	if c.elsewhere() {
		if d.WrongCluster != ci.Value.Cluster {
			d.WrongCluster = ci.Value.Cluster
			c.note("wrong-cluster", "the instance is in cluster %s, but its group is configured for cluster %s: nothing on it is drained, and it is "+
				"cut off at the deadline; correct the cluster of group %s in Ebb's configuration", ci.Value.Cluster, d.Cluster, d.Group)
		}
		c.want(d.subject(plan.FindContainerInstances, ""), ci.Is, ci.At, c.p.LookSlow)
		c.out.Waiting = "for the deadline: the instance is in cluster " + ci.Value.Cluster + ", but its group is configured for " + d.Cluster
		return false
	}
	if ci.Is == fleet.Seen {
		pace := c.p.LookSlow
		if !ci.Value.Connected {
			pace = c.p.Look
		}
		c.lookAtContainer(pace)
		return true
	}
	if d.ContainerInstance != "" { // seen before a restart, or deregistered since
		c.lookAtContainer(c.p.Look)
		if ci.Is == fleet.Unknown {
			c.out.Waiting = "to look at the container instance"
		}
		return ci.Is == fleet.Absent
	}
	in := d.Cluster
	if !d.AbsentSince.IsZero() {
		in = "" // not in its group's cluster: it may have joined another
	}
	c.want(d.subject(plan.FindContainerInstances, in), ci.Is, ci.At, c.p.Look)
	c.out.Waiting = "to find the container instance"
	if ci.Is == fleet.Absent && ci.At.Sub(d.AbsentSince) >= absentFor+c.p.Skew {
		c.end(c, NeverJoined, "no cluster knows the instance: two complete looks a minute apart did not find it", nil)
	}
	return false
}

// lookAtContainer asks for the state of the known container instance. If ECS does not reach it, the host may have been registered again, and
// is reached by that: so all its registrations are searched for.
func (c *decider) lookAtContainer(pace time.Duration) {
	d, ci := c.d(), c.container
	if !d.UnreachedFrom.IsZero() || ci.Is == fleet.Seen && !ci.Value.Connected || len(d.Emptied) > 0 {
		c.want(d.subject(plan.FindContainerInstances, d.Cluster), ci.Is, ci.At, pace)
		return
	}
	c.want(d.registered(plan.ContainerInstances), ci.Is, ci.At, pace)
}

// draining sets DRAINING. One that is already DRAINING, or deregistered, is left as it is.
func draining(c *decider) bool {
	ci := c.container
	if ci.Is != fleet.Seen || ci.Value.Status == fleet.Inactive || ci.Value.Status == fleet.Draining ||
		ci.Value.Status == fleet.RegistrationFailed {
		if !c.d().Queued.IsZero() {
			c.begun() // somebody else set it DRAINING
		}
		return true
	}
	if ci.Value.Status != fleet.Active {
		c.out.Waiting = "for the container instance to become ACTIVE; it is " + ci.Value.Status
		c.lookAtContainer(c.p.Look)
		return false
	}
	if !hasSlot(c) || !trafficLeft(c) {
		return false
	}
	if c.d().Observed {
		wouldSetDraining(c, ci.Value)
		return false
	}
	c.out.Waiting = "for ECS to set DRAINING"
	if try := c.seen.Tried(plan.SetDraining); try.Fails > 0 && try.Class != plan.Throttled && !ci.At.After(try.Started) {
		c.want(plan.Subject{Kind: plan.ContainerInstances, In: ci.Value.Cluster, ID: string(ci.Value.ARN)}, fleet.Unknown, ci.At, 0)
	}
	if !c.ready(plan.SetDraining) {
		return false
	}
	if c.d().Asked.IsZero() {
		c.d().Asked = c.now
		c.note("draining", "set %s DRAINING in cluster %s", ci.Value.ARN.Name(), ci.Value.Cluster)
	}
	c.do(plan.Action{
		Kind: plan.SetDraining, Why: c.d().because(), Soon: c.d().hasMinutes(),
		State: &plan.StateChange{Cluster: ci.Value.Cluster, ContainerInstances: []fleet.ARN{ci.Value.ARN}},
	})
	return false
}

// begun gives the drain its slot: the deadline counts from now on.
func (c *decider) begun() {
	c.d().Slot = cmp.Or(c.d().Slot, c.now)
}

// hasSlot reports whether the drain has a slot among those of its group that may leave at once, or gets one now. It keeps it to its end.
func hasSlot(c *decider) bool {
	d, t := c.d(), c.seen.Slot()
	switch {
	case t.Paused != "" && !c.seen.Tried(plan.SetDraining).Flying:
		paused(c, t)
		return false
	case !t.Limited && d.Queued.IsZero():
		return true
	case !t.Limited || !d.Slot.IsZero() || d.hasMinutes() || len(d.Taken) > 0 || t.Leave < t.Limit: // what EC2 ends leaves in any case
		c.begun()
		return true
	}
	c.out.Waiting = fmt.Sprintf("for its turn: %d of group %s leave, and no more than %d may at once", t.Leave, d.Group, t.Limit)
	if d.Queued.IsZero() {
		d.Queued = c.now
		queued(c)
	}
	return false
}

// stopped waits until every task has really stopped: lastStatus STOPPED, not merely gone from the running count.
func stopped(c *decider) bool {
	live := c.liveTasks()
	if len(live) > 0 || len(c.stopped.Starts) > 0 { // after a restart the tasks that stop are unknown until they are listed
		tellLeft(c, live)
	}
	var waited, daemons []*fleet.Task
	for _, t := range live {
		if c.isDaemon(t) {
			daemons = append(daemons, t)
		} else {
			waited = append(waited, t)
		}
	}
	watch(c, len(waited) > 0)
	tellDelays(c, waited)
	d := c.d()
	if len(waited) > 0 {
		d.EmptySince = time.Time{}
		c.out.Waiting = fmt.Sprintf("for %d of %d tasks to stop%s", len(live), len(c.tasks), untilWhen(c))
		return false
	}
	d.EmptySince = cmp.Or(d.EmptySince, c.now)
	if len(daemons) == 0 {
		return true
	}
	if over := d.EmptySince.Add(c.p.DaemonGrace + c.p.Skew); c.now.Before(over) {
		c.wake(over)
		c.out.Waiting = fmt.Sprintf("for %d daemon tasks to stop", len(daemons))
		return false
	}
	return c.targetsOut(daemons, d.EmptySince.Add(c.p.DaemonGrace))
}

// watch asks for looks at the live tasks.
func watch(c *decider, waiting bool) {
	var along []plan.Subject
	next := c.now.Add(c.p.LookSlow)
	for _, f := range c.tasks {
		s := plan.Subject{Kind: plan.Tasks, In: c.d().Cluster, ID: string(f.Value.ARN)}
		switch {
		case f.Is == fleet.Unknown:
			c.want(s, f.Is, f.At, 0)
		case f.Is == fleet.Absent || !f.Value.Live():
			continue
		case waiting && c.isDaemon(&f.Value):
			along = append(along, s) // it stops after the others, so it is looked at with them
			continue
		default:
			c.want(s, f.Is, f.At, c.pace(&f.Value, f.At))
		}
		if due := c.out.Want[len(c.out.Want)-1].Due; due.Before(next) {
			next = due
		}
	}
	for _, s := range along {
		c.wantAt(s, next)
	}
}

// tellLeft writes a line with the tasks that are left, whenever they have changed.
func tellLeft(c *decider, live []*fleet.Task) {
	if c.undescribed() {
		return
	}
	left := names(live)
	if slices.Equal(left, c.d().Left) {
		return
	}
	if len(left) == 0 {
		c.note("empty", "every task on it has stopped")
	} else {
		c.note("waiting", "%d of %d tasks left: %s", len(left), len(c.tasks), strings.Join(left, ", "))
	}
	c.d().Left = left
}

// answered lets the host go: everything that is waited for has stopped.
func answered(c *decider) bool {
	outcome, reason, killed := Drained, "no task was on it", len(killed(c))
	switch live := c.liveTasks(); {
	case len(c.d().Lost) > 0:
		outcome, reason = Lost, "ECS did not reach one registration of the instance; every other task has stopped"
	case killed > 0: // EC2 may not have said so yet
		outcome = HostGone
		reason = fmt.Sprintf("every task has stopped, but %d of %d because EC2 stopped or terminated their host", killed, len(c.tasks))
	case len(live) > 0:
		reason = fmt.Sprintf("every task has stopped but %d daemon tasks, which had %s more", len(live), c.p.DaemonGrace)
	case len(c.tasks) == 1:
		reason = "its task has stopped"
	case len(c.tasks) > 1:
		reason = fmt.Sprintf("all %d tasks have stopped", len(c.tasks))
	}
	c.end(c, outcome, reason, c.cutOff())
	return false
}

// service is what is known of the service of a task; it wants a look while nothing is.
func (c *decider) service(t *fleet.Task) fleet.Fact[fleet.Service] {
	s := plan.Subject{Kind: plan.Services, In: c.d().Cluster, ID: t.Service()}
	f := factOf[fleet.Service](c, s)
	if c.now.Sub(f.At) > 15*time.Minute {
		f = fleet.Fact[fleet.Service]{}
	}
	c.want(s, f.Is, f.At, 10*time.Minute)
	return f
}

// isDaemon reports whether the task belongs to a daemon service; a task of an unknown service is waited for like any other.
func (c *decider) isDaemon(t *fleet.Task) bool {
	if t.Service() == "" {
		return false
	}
	f := c.service(t)
	return f.Is == fleet.Seen && f.Value.Daemon
}

// liveTasks are the tasks of which anything may still run. One that AWS no longer knows stopped more than an hour ago.
func (c *decider) liveTasks() []*fleet.Task {
	var live []*fleet.Task
	for _, f := range c.tasks {
		if f.Is != fleet.Absent && f.Value.Live() {
			live = append(live, &f.Value)
		}
	}
	return live
}

// undescribed reports whether some task has been listed but not yet described.
func (c *decider) undescribed() bool {
	return slices.ContainsFunc(c.tasks, func(f *fleet.Fact[fleet.Task]) bool { return f.Is == fleet.Unknown })
}

// cutOff names the tasks that are lost when the host goes now, and those that were lost because it went. While the lists are not complete,
// that may be more by what was left when it was last looked at.
func (c *decider) cutOff() []string {
	lost := append(c.liveTasks(), killed(c)...)
	given := c.d().Lost
	if left := c.d().Left; len(left) > len(lost) && (len(c.tasks) == 0 || len(c.running.Starts) == 0 || len(c.stopped.Starts) == 0) {
		return slices.Concat(given, left)
	}
	return slices.Concat(given, names(lost))
}

// killed are the tasks that died with their host since the drain began.
func killed(c *decider) []*fleet.Task {
	var killed []*fleet.Task
	for _, f := range c.tasks {
		if t := &f.Value; f.Is == fleet.Seen && t.Killed() && !t.StoppedAt.Before(c.d().Zero) {
			killed = append(killed, t)
		}
	}
	return killed
}

// mostNames is how many tasks a record names: a record has a limited size, and anybody can run tasks.
const mostNames = 100

func names(tasks []*fleet.Task) []string {
	var list []string
	for i, t := range tasks {
		if i == mostNames {
			return append(list, fmt.Sprintf("and %d more", len(tasks)-mostNames))
		}
		list = append(list, name(t))
	}
	return list
}

// name is a task for people: its family, the end of its id, and how far it is.
func name(t *fleet.Task) string {
	id := t.ARN.Name()
	id = id[:min(len(id), 8)]
	switch {
	case t.Family == "":
		return "task " + id
	case t.Killed():
		return fmt.Sprintf("%s/%s died with its host", t.Family, id)
	}
	return fmt.Sprintf("%s/%s %s", t.Family, id, t.LastStatus)
}
