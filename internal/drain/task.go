package drain

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

// noticeFor is how long a task on Fargate Spot has from the notice until it is killed, at most: its stop timeout may be shorter.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-capacity-providers.html
const noticeFor = 2 * time.Minute

// TaskPolicy is the policy of tasks that have two minutes, not twenty.
func TaskPolicy() Policy {
	p := Defaults()
	p.Deadline, p.Look, p.LookFast, p.Retry = noticeFor, 5*time.Second, time.Second, 2*time.Second
	return p
}

// taskCourse is how a task leaves that ECS stops with notice: its targets go before it does. Nothing holds it until they have gone.
var taskCourse = course{
	rules: []func(*decider) bool{tooLate},
	steps: []func(*decider) bool{
		leaves,    // ECS says that the task is to stop, or an operator
		outInTime, // its targets are out of their target groups
		stops,     // where it is an operator who says so, it is stopped
		finished,  // and that is told
	},
	end: (*decider).close,
}

// Task is what is remembered of a task that leaves.
type Task struct {
	// First says who took its targets out: Ebb, or ECS had done it before Ebb looked. Empty: nobody has looked yet, or it has no targets.
	First First `json:"first,omitempty"`
	// Accepted is when AWS accepted the deregistration of its targets; zero: it has not, or ECS was first. Not before Zero.
	Accepted time.Time `json:"accepted,omitzero"`
	// Rehearsed: an operator rehearses its interruption, as the event says. Nothing is done before the task itself has his word.
	Rehearsed bool `json:"rehearsed,omitempty"`
	// StopBy is when Ebb stops it at the latest, because an operator wants that; zero: ECS stops it.
	StopBy time.Time `json:"stop_by,omitzero"`
	// On is the EC2 instance of a task on a container instance that an operator replaces; empty: it is on Fargate.
	On fleet.InstanceID `json:"on,omitempty"`
	// Quiet is the first decision that knew that no target drained any more, before Ebb stops the task.
	Quiet time.Time `json:"quiet,omitzero"`
}

// First is who took the targets of a task out of their target groups.
type First string

// Who is first.
const (
	FirstEbb First = "ebb"
	FirstECS First = "ecs"
	// FirstUnseen: Ebb took them out before it could look, so nobody knows.
	FirstUnseen First = "unseen"
)

// lookFor is how long a task with two minutes waits for the look at its targets that says who was first: with many target groups there are too
// few looks.
const lookFor = 2 * time.Second

// own is what is known of the task that leaves.
func own(c *decider) *fleet.Fact[fleet.Task] {
	for _, f := range c.tasks {
		if string(f.Value.ARN) == c.d().Target.ID {
			return f
		}
	}
	return &fleet.Fact[fleet.Task]{}
}

func lookAtTask(c *decider, pace time.Duration) {
	f := own(c)
	c.want(plan.Subject{Kind: plan.Tasks, In: c.d().Cluster, ID: c.d().Target.ID}, f.Is, f.At, pace)
}

// tooLate ends a drain whose task has gone, or whose time is over. Once its network interface is given back, another task may have its
// address: nothing is deregistered then.
func tooLate(c *decider) bool {
	d, f := c.d(), own(c)
	end, over := d.Zero.Add(noticeFor+c.p.Skew), "the two minutes of its notice are over"
	if d.toStop() {
		end, over = stopUntil(c), "its time is over"
	}
	c.wake(end)
	gone := f.Is == fleet.Seen && addressGiven(f.Value.LastStatus)
	if !gone && c.now.Before(end) {
		return false
	}
	named, more, known, read := ownTargets(c)
	known = known && (read || f.Value.Subnet == "") // another target group of the VPC may have it
	switch {
	case f.Is == fleet.Unknown:
		c.close(Elsewhere, over+", and the task could not be looked at"+c.trouble(plan.Tasks), nil)
	case !f.Value.Leaves() && d.toStop():
		notStopped(c)
	case !f.Value.Leaves():
		return false
	case known && allOut(c, slices.Concat(named, more)):
		c.close(Drained, outText(c), nil)
	default:
		why := "ECS stopped it"
		if !gone {
			why = over
		}
		why += " before its targets were seen to leave; requests may have failed" + c.trouble(plan.Services)
		for _, by := range outBy {
			why += c.trouble(by.look) + failed(c.seen.Tried(by.act))
		}
		c.close(Forced, why, []string{name(&f.Value)})
	}
	return true
}

func failed(t Try) string {
	if t.Class == plan.OK {
		return ""
	}
	return ": the deregistration failed: " + t.Message
}

// addressGiven reports whether the network interface of a task may be another's by now.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-lifecycle-explanation.html
func addressGiven(lastStatus string) bool {
	return lastStatus == "DEPROVISIONING" || lastStatus == fleet.Stopped || lastStatus == "DELETED"
}

// leaves verifies what was heard: an event can wake Ebb but not make it act.
func leaves(c *decider) bool {
	f := own(c)
	rehearsed(c, f)
	c.out.Waiting = "to look at the task"
	switch {
	case f.Is == fleet.Absent:
		c.close(NotLeaving, "cluster "+c.d().Cluster+" does not know the task: nothing is to be deregistered", nil)
	case f.Is == fleet.Seen && f.Value.ContainerInstance != "" && c.d().On == "":
		c.close(NotLeaving, "the task is on a container instance, and not on Fargate: it leaves with its host", nil)
	case f.Is == fleet.Seen && (f.Value.Leaves() || c.d().toStop()):
		lookAtTask(c, c.p.Look)
		return c.now.Sub(f.At) <= 2*c.p.Look // of an older look its address may be another's
	case f.Is == fleet.Seen && f.At.Sub(c.d().Heard) > c.p.Settle+c.p.Skew:
		why := "ECS says that the task is to run"
		if c.d().Rehearsed && c.p.Observe {
			why += ", and tasks of its cluster are only observed"
		} else if c.d().Rehearsed {
			why += ", and no operator has said in its tag " + fleet.RehearsalTag + " that its interruption is rehearsed"
		}
		c.close(NotLeaving, why+": nothing is to be deregistered", nil)
	case f.Is == fleet.Seen: // reads lag behind
		c.out.Waiting = "for ECS to say that the task is to stop"
		lookAtTask(c, c.p.LookFast)
	default:
		lookAtTask(c, 0)
		if f.Value.Service() != "" { // as the event says
			c.service(&f.Value)
		}
	}
	return false
}

// ownTargets are the targets of the task that its service names, and whether the service could be read; and those under the net, and whether
// that was read.
func ownTargets(c *decider) (named, more []plan.Subject, known, read bool) {
	t := &own(c).Value
	known = true
	if t.Service() != "" {
		svc := c.service(t)
		named, known = registrations(c.d().On, t, svc.Value), svc.Is != fleet.Unknown
	}
	if known && (len(named) == 0 || !c.d().Accepted.IsZero() || allOut(c, named)) { // the net has time
		more, read = netOf(c, t, named)
	}
	return named, more, known, read
}

// takenOut takes the targets out of where they are registered. The first look at those of load balancers shows whether ECS was first.
func takenOut(c *decider) bool {
	d := c.d()
	named, more, known, read := ownTargets(c)
	if !known {
		c.out.Waiting = "to learn the load balancers of service " + own(c).Value.Service()
		return false
	}
	for _, by := range outBy {
		is := func(s plan.Subject) bool { return s.Kind == by.look }
		if try := c.seen.Tried(by.act); d.Accepted.IsZero() && !try.OK.IsZero() && slices.ContainsFunc(named, is) {
			d.Accepted = Later(try.At, d.Zero)
		}
	}
	balanced := slices.DeleteFunc(slices.Clone(named), func(s plan.Subject) bool { return s.Kind != plan.Targets })
	if d.First == "" && !d.toStop() && len(balanced) > 0 && allSeen(c, balanced) {
		d.First = FirstEbb
		if allOut(c, balanced) && c.seen.Tried(plan.Deregister).Started.IsZero() {
			d.First = FirstECS
		}
	}
	if !c.deregister(slices.Concat(named, more)) {
		if asked := func(a plan.Action) bool { return a.Kind == plan.Deregister }; d.First == "" && slices.ContainsFunc(c.out.Do, asked) && !d.toStop() {
			d.First = FirstUnseen
		}
		return false
	}
	fails := c.trouble(plan.VPCs, plan.TargetGroups, plan.Registered) != "" && c.now.Sub(d.Heard) > outFor
	if read || fails || own(c).Value.Subnet == "" && len(own(c).Value.Addresses) > 0 {
		return true
	}
	c.out.Waiting = "to read the target groups of its VPC"
	return false
}

// waitsNoLonger reports whether a task with two minutes has waited long enough for the first look at its targets.
func waitsNoLonger(c *decider) bool {
	d := c.d()
	if d.Target.Kind != fleet.OneTask || d.toStop() {
		return false
	}
	over := d.Heard.Add(lookFor)
	if c.now.Before(over) {
		c.wake(over)
	}
	return !c.now.Before(over)
}

// finished ends the drain: there is nothing more to be done for the task.
func finished(c *decider) bool {
	if named, more, known, _ := ownTargets(c); c.d().toStop() && !(known && allOut(c, slices.Concat(named, more))) {
		c.close(Forced, "its time is over, and it was stopped before its targets were seen to leave"+
			failed(c.seen.Tried(plan.Deregister)), []string{name(&own(c).Value)})
		return true
	}
	c.close(Drained, outText(c), nil)
	return true
}

func allSeen(c *decider, targets []plan.Subject) bool {
	return !slices.ContainsFunc(targets, func(s plan.Subject) bool { return healthOf(c, s).Is == fleet.Unknown })
}

func allOut(c *decider, targets []plan.Subject) bool {
	return !slices.ContainsFunc(targets, func(s plan.Subject) bool {
		h := healthOf(c, s)
		return h.Is == fleet.Unknown || h.Is == fleet.Seen && h.Value.InUse()
	})
}

// outText says what became of the targets, for the reason of an ending.
func outText(c *decider) string {
	d, t := c.d(), &own(c).Value
	named, more, _, read := ownTargets(c)
	targets := slices.Concat(named, more)
	end := otherWays(c, []*fleet.Task{t})
	if !read {
		end = netUnread(c) + end
	}
	if len(targets) == 0 {
		what := "it belongs to no service"
		if s := t.Service(); s != "" {
			what = "service " + s + " names no target group"
		}
		if read {
			what += ", and it is registered in none of its VPC"
		}
		return what + end
	}
	after := func(at time.Time) string { return fmt.Sprintf("%.1f s", at.Sub(d.Zero).Seconds()) }
	var groups []string
	var ports []plan.Subject // a target group has a task under its address of IPv4 or of IPv6
	for _, s := range targets {
		if port := (plan.Subject{Kind: s.Kind, In: s.In, Port: s.Port}); !slices.Contains(ports, port) {
			ports = append(ports, port)
		}
		if g := placeName(s); !slices.Contains(groups, g) {
			groups = append(groups, g)
		}
	}
	text := fmt.Sprintf("%s out of %s", plural(len(ports), "target"), strings.Join(groups[:min(len(groups), mostNames)], ", "))
	switch {
	case d.First == FirstECS:
		text += fmt.Sprintf("; ECS was first, seen %s after the notice", after(c.now))
	case d.First == FirstUnseen && !d.Accepted.IsZero():
		text += fmt.Sprintf("; accepted %s after the notice, and who was first was not seen", after(d.Accepted))
	case !d.Accepted.IsZero() && !d.toStop():
		text += fmt.Sprintf("; Ebb was first, accepted %s after the notice", after(d.Accepted))
	case !d.Accepted.IsZero():
		text += fmt.Sprintf("; accepted after %s", after(d.Accepted))
	}
	return text + stopText(d) + end
}

// placeName is where a target is, for people: the name in the ARN of a target group, or what else it is, with the id.
func placeName(s plan.Subject) string {
	for _, by := range outBy {
		if by.look == s.Kind && s.Kind != plan.Targets {
			return string(by.place) + " (" + fleet.ARN(s.In).Name() + ")"
		}
	}
	return fleet.TargetGroup{ARN: fleet.ARN(s.In)}.Name()
}

func plural(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}
