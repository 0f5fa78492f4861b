package diagnose

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/advice"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
	"github.com/ebbhq/ebb/internal/placement"
	"github.com/ebbhq/ebb/internal/plain"
)

func (w *why) notFound() {
	words := fmt.Sprintf("%s was not found in any group or cluster that could be read, in account %s and Region %s", w.q.Target, w.s.Account, w.s.Region)
	if n := len(w.s.Unread); n > 0 {
		words += fmt.Sprintf("; %s could not be read, so it may be there", plain.Count(n, "part"))
	}
	w.add(Blocker{Code: NotFound, Message: words, Exact: len(w.s.Unread) == 0,
		Advice: advice.Of(advice.Say("check the id, the credentials and the Region"))})
}

// groupState says what the group's own state has to do with it.
// https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-lifecycle.html
func (w *why) groupState() {
	if w.member == nil {
		return
	}
	state := w.member.State
	say := func(ends bool, fix []advice.Fix, format string, args ...any) {
		w.add(Blocker{Code: GroupState, Message: fmt.Sprintf("%s is %s in group %s: ", w.instance, state, w.group.Name) + fmt.Sprintf(format,
			args...), Advice: advice.Of(fix...), Exact: true, Ends: ends})
	}
	at, id := w.q.At, string(w.instance)
	switch {
	case state.Leaving():
		w.leaving()
	case state == fleet.TerminatingRetained:
		say(false, []advice.Fix{advice.Say("find out why its hook was abandoned"), at.Terminate(id).Costs(advice.Destroys,
			"the instance, which is kept so that it can be looked at, and what still runs on it", "its loss is understood").For("")},
			"a hook was abandoned, and the group's lifecycle policy keeps such instances, running and billed, until somebody terminates them")
	case state == fleet.TerminatingProceed:
		say(true, nil, "every hook has been answered, and EC2 terminates it")
	case state == fleet.Standby || state == "EnteringStandby":
		say(false, []advice.Fix{at.ExitStandby(w.group.Name, id).For("puts it into service again")},
			"scale-in and instance refresh skip it, and no hook runs")
	case state == fleet.Detaching || state == fleet.Detached:
		say(true, nil, "it no longer belongs to the group, and no hook runs")
	case strings.HasPrefix(string(state), "Warmed:") && !state.Waiting():
		say(true, nil, "it is in the warm pool and takes no tasks")
	case strings.HasPrefix(string(state), "Pending"):
		say(true, nil, "it is being launched")
	case state == fleet.InService && slices.Contains(w.group.Suspended, "Terminate"):
		say(false, []advice.Fix{at.Resume(w.group.Name, "Terminate").For("")}, "the process Terminate of the group is suspended")
	}
}

// leaving is the time before the hook opens: Auto Scaling takes the instance out of the group's own load balancers first.
func (w *why) leaving() {
	parts := []string{fmt.Sprintf("%s is %s in group %s: no hook is open yet", w.instance, w.member.State, w.group.Name)}
	b := Blocker{Code: GroupBalancer, Exact: true, Ends: true}
	longest, known := w.ownDelay()
	var unread []string
	for _, arn := range w.group.TargetGroups {
		tg := w.s.TargetGroup(arn)
		if tg == nil || !tg.DelayKnown {
			unread = append(unread, arn.Name())
			continue
		}
		parts = append(parts, fmt.Sprintf("Auto Scaling first waits for target group %s (deregistration delay %s)", tg.Name, inventory.Span(tg.Delay)))
	}
	if len(unread) > 0 {
		parts = append(parts, "how long Auto Scaling waits for target group "+strings.Join(unread, ", ")+" could not be read")
		b.Ends = false
	}
	if len(w.group.ClassicBalancers) > 0 {
		parts = append(parts, "Auto Scaling first waits for connection draining of "+strings.Join(w.group.ClassicBalancers, ", "))
	}
	if at := w.group.TerminatingSince(w.instance); !at.IsZero() {
		since := fmt.Sprintf("it began at %s, %s ago", w.clock(at), span(at, w.q.Now))
		if longest > 0 && known {
			takes := ", and takes until %s or a little longer"
			if b.Until = w.due(at.Add(longest)); b.Until.IsZero() {
				takes = ", and should have taken until %s"
			}
			since += fmt.Sprintf(takes, w.clock(at.Add(longest)))
		}
		parts = append(parts, since)
	}
	b.Message = strings.Join(parts, "; ")
	w.add(b)
}

// gone says whether the host lives; if it does not, nothing on it can stop or report any more.
func (w *why) gone() bool {
	if w.ec2 != nil && w.ec2.State.Gone() {
		w.dead()
		return true
	}
	if w.host == nil || w.host.Connected {
		return false
	}
	words := fmt.Sprintf("the ECS agent on %s is not connected: ECS cannot stop tasks there, nor learn that they have stopped", w.instance)
	if w.ec2 != nil {
		words += fmt.Sprintf("; EC2 says the instance is %s", w.ec2.State)
	}
	b := Blocker{Code: placement.AgentGone, Exact: !gapsOf(&w.known).ec2(), Message: words + ". A break of a minute is normal"}
	fixes := []advice.Fix{w.restartAgent()}
	switch e := w.q.Ebb; {
	case gapsOf(&w.known).ec2():
		b.Message += "; EC2 could not be asked whether it runs"
		fixes = []advice.Fix{advice.Say("allow ec2:DescribeInstances, or look whether the instance runs: if it does, restart its ECS agent")}
	case gapsOf(&w.known).group() || gapsOf(&w.known).journal():
		b.Message += "; AWS does not show when it began"
		fixes = append(fixes, advice.Say("find out first who drains it: its group, its hooks or Ebb's journal could not be read"))
	case w.ours() && !e.Unreached.IsZero():
		b.Message += "; Ebb has seen it " + w.since(e.Unreached)
		b.Ends, b.Until = true, e.Unreached.Add(e.Lost)
	case w.ours():
		b.Ends = true
		b.Message += "; Ebb gives it up when that has lasted for " + inventory.Span(e.Lost)
	default:
		b.Message += "; AWS does not show when it began"
		fixes = append(fixes, w.deregister().For("only if the host is lost"))
		for _, c := range w.answers() {
			fixes = append(fixes, c.For("only if the host is lost"))
		}
	}
	b.Advice = advice.Of(fixes...)
	w.add(b)
	return false
}

// dead says what is left to do about an instance that EC2 says is not running. One that is stopped can be started again, and its container
// instance with it, but not once that is deregistered.
func (w *why) dead() {
	state := w.ec2.State
	b := Blocker{Code: HostGone, Message: fmt.Sprintf("EC2 says that %s is %s", w.instance, state), Exact: true, Ends: true}
	var fixes []advice.Fix
	known := "EC2 says that the instance is " + string(state) + ": nothing on it runs any more"
	if left := len(w.left()); left > 0 {
		b.Message += fmt.Sprintf("; ECS still lists %s on it", plain.Count(left, "task"))
		if state == fleet.StateTerminated {
			b.Message += ", which no agent will report as stopped"
			fixes = append(fixes, w.deregister().Known(known).For("lets ECS give up its tasks at once"))
		}
	}
	waits := w.member != nil && w.member.State.Waiting()
	switch {
	case waits && gapsOf(&w.known).hooks():
		b.Message += "; which hooks the group waits for could not be read"
		b.Ends = false
	case waits && gapsOf(&w.known).journal():
		b.Message += "; Ebb sees that and answers its hook, if it is at work: its journal could not be read"
		b.Ends = false
	case waits && w.ours():
		b.Message += "; Ebb sees that and answers its hook"
	case waits:
		b.Message += "; the group waits for " + plain.Count(len(w.group.Terminating()), "hook")
		b.Ends = false
		for _, c := range w.answers() {
			fixes = append(fixes, c.Known(known).For("lets it go"))
		}
	case w.member == nil && groupsUnread(w.s):
		b.Message += "; whether a group waits for it could not be read"
		b.Ends = false
	case state == fleet.StateStopped && w.host != nil && (w.member == nil || w.member.State == fleet.InService):
		b.Message += ": start it, and it goes on as the same container instance"
		b.Ends = false
		fixes = append(fixes, advice.Say("if it was stopped on purpose, leave its container instance registered: a deregistered one cannot come back. "+
			"If it is to go, terminate it"))
	case w.host == nil && w.member == nil && len(w.q.Only)+len(unseen(w.s, nil)) > 0:
		b.Message += "; whether a cluster has it could not be read"
		b.Ends = false
	case w.host == nil && w.member == nil:
		b.Message += ", and it is in no group and no cluster any more: it has left"
	}
	b.Advice = advice.Of(fixes...)
	w.add(b)
}

// ours reports whether Ebb is at work on the target, as far as its configuration and journal show.
func (k *known) ours() bool {
	e := k.q.Ebb
	return e != nil && e.Manages && e.Works && k.group != nil &&
		slices.ContainsFunc(k.group.Terminating(), func(h fleet.Hook) bool { return h.Name == k.q.Hook })
}

// misplaced reports whether Ebb's configuration has the group in another cluster than the one that has its container instance: Ebb then
// drains nothing on it.
func (w *why) misplaced() bool {
	return w.ours() && w.host != nil && w.q.Ebb.Cluster != "" && w.q.Ebb.Cluster != w.cluster.Name
}

// stays reports whether nothing holds the target, because nothing terminates it or because it is past all hooks. It adds the first
// as a blocker.
func (w *why) stays() bool {
	if w.member != nil && w.member.State == fleet.TerminatingProceed {
		return true
	}
	if gapsOf(&w.known).host() {
		return false
	}
	leaves := w.member != nil && (w.member.State.Waiting() || w.member.State.Leaving() || w.member.State == fleet.TerminatingRetained)
	stops := w.task != nil && w.task.DesiredStatus == fleet.Stopped
	if leaves || stops || w.host != nil && w.host.Status != fleet.Active {
		return false
	}
	if len(w.report.Blockers) > 0 {
		return true // the state of the group says it
	}
	var parts []string
	if w.member != nil {
		parts = append(parts, fmt.Sprintf("it is %s in group %s", w.member.State, w.group.Name))
	}
	if w.host != nil {
		parts = append(parts, fmt.Sprintf("its container instance is ACTIVE in cluster %s, and ECS leaves its tasks where they are", w.cluster.Name))
	}
	if w.member != nil && w.member.Protected {
		parts = append(parts, "it is protected from scale-in, so scale-in skips it")
	}
	if len(parts) == 0 {
		parts = append(parts, "it is in no group and no cluster that could be read")
	}
	groups := !groupsUnread(w.s)
	if w.member == nil && !groups {
		parts = append(parts, "but its group could not be read and may be terminating it")
	}
	w.add(Blocker{Code: NotLeaving, Message: "nothing takes " + string(w.instance) + " away: " + strings.Join(parts, "; "),
		Exact: w.member != nil || groups, Advice: advice.Of(w.q.At.Ebb("plan", string(w.instance)).For("shows what would happen to its tasks"))})
	return true
}

// empty adds a blocker where an instance is fully drained and nothing terminates it.
func (w *why) empty() {
	if w.member == nil || w.member.State != fleet.InService || len(w.report.Blockers) > 0 {
		return
	}
	end := w.q.At.Terminate(string(w.instance))
	if len(w.q.Only) == 0 { // else another cluster may have tasks of it
		end = end.Known("it is to go; no task is left on it")
	}
	back := w.setState(fleet.Active)
	if w.host.Word != (fleet.Word{}) {
		back = w.q.At.Ebb("cancel", string(w.instance))
	}
	w.add(Blocker{Code: NotLeaving, Exact: true, Advice: advice.Of(
		end.For(""), back.For("if it should stay"),
	), Message: fmt.Sprintf("no task is left on %s and it is DRAINING in cluster %s, but nothing terminates it: it is InService in group %s", w.instance,
		w.cluster.Name, w.group.Name)})
}

// soon is how long a drainer may take for what it does at once: messages take their time, and a function looks once a minute.
const soon = 2 * time.Minute

// draining says whether anybody drains a host that leaves.
func (w *why) draining() {
	switch {
	case w.misplaced():
		e := w.q.Ebb
		w.add(Blocker{Code: NotDraining, Exact: true, Message: fmt.Sprintf("Ebb drains nothing on %s: its configuration has group %s in cluster %s, "+
			"and the container instance is in cluster %s", w.instance, w.group.Name, e.Cluster, w.cluster.Name), Advice: advice.Of(
			advice.Say("write cluster: %s for the group in Ebb's configuration, and start Ebb again: it then drains the instance", w.cluster.Name))})
		return
	case w.host == nil || w.host.Status == fleet.Draining || w.task != nil && w.task.DesiredStatus == fleet.Stopped:
		return
	case w.host.Status == fleet.RegistrationFailed:
		w.add(Blocker{Code: NotDraining, Exact: true, Message: fmt.Sprintf("container instance %s is %s, so it cannot be set to DRAINING",
			w.instance, w.host.Status), Advice: advice.Of(w.deregister().Known("it never took a task").For(""))})
		return
	case w.host.Status != fleet.Active:
		w.add(Blocker{Code: NotDraining, Exact: true, Ends: true, Message: fmt.Sprintf("container instance %s is %s, so it cannot be set to DRAINING",
			w.instance, w.host.Status), Advice: advice.Of(advice.Say("wait: this state passes"))})
		return
	case w.member.State.Leaving() && len(w.group.Terminating()) > 0:
		return // it is drained once its hook is open
	}
	b := Blocker{Code: NotDraining, Exact: true}
	state := fmt.Sprintf("group %s terminates %s, and its container instance in cluster %s is ACTIVE", w.group.Name, w.instance, w.cluster.Name)
	since, known := w.leavingFor()
	delay, _ := w.ownDelay()
	open := since - delay // for so long its hooks can have been open
	set := w.setState(fleet.Draining)
	switch e := w.q.Ebb; {
	case w.ours() && e.Queued:
		b.Ends = true
		b.Message = fmt.Sprintf("Ebb lets %s of group %s leave at once, and %s waits %s; its deadline counts from its turn on", e.Limit, w.group.Name,
			w.instance, e.Waiting)
		b.Advice = advice.Of(advice.Say("wait; who sets it DRAINING now lets more leave than the configuration allows"))
	case w.ours() && e.Traffic:
		b.Ends = true
		b.Message = fmt.Sprintf("Ebb lets traffic leave %s before it sets it DRAINING (traffic_first), and waits %s", w.instance, e.Waiting)
		b.Advice = advice.Of(advice.Say("wait: when half of the time until the deadline is over, Ebb sets it DRAINING whatever is left"))
	case gapsOf(&w.known).journal():
		b.Exact = false
		b.Message = state + "; Ebb ought to drain it, and whether it is at work, or lets it wait for its turn, is not known: its journal could not be read"
		b.Advice = advice.Of(advice.Say("see Ebb's log, or ask again where its journal can be read"))
	case gapsOf(&w.known).hooks() || gapsOf(&w.known).begin():
		b.Exact = false
		b.Message = state + "; who ought to drain it, or since when, could not be read"
		b.Advice = advice.Of(advice.Say("allow autoscaling:DescribeLifecycleHooks and autoscaling:DescribeScalingActivities, or try again"))
	case open < soon && len(w.group.Terminating()) > 0 || w.ours() && (!known || min(open, w.q.Now.Sub(e.Begun)) < 2*soon || e.Open && len(w.all) > 1):
		b.Ends = true
		yet := "it is not DRAINING yet"
		if known {
			yet += ", " + inventory.Span(since) + " after the termination began"
		}
		b.Message = fmt.Sprintf("%s; %s. %s", state, yet, w.drainers())
	case w.ours() && e.Limit != "":
		b.Message = fmt.Sprintf("Ebb has not set %s DRAINING, although %s ago its termination began: %s", w.instance, inventory.Span(since), state)
		b.Advice = advice.Of(set.Costs(advice.Interrupts, "Ebb lets no more than "+e.Limit+" of the group leave at once; this one leaves besides",
			"the group can spare it").For("lets ECS move its tasks"), advice.Say("see what Ebb waits for in its log"))
	default:
		b.Message = fmt.Sprintf("nobody drains %s: %s, so ECS leaves its tasks there and may place more. %s%s", w.instance, state, w.drainers(), w.idle())
		b.Advice = advice.Of(set.Once("no drainer lets it wait for its turn on purpose").For("lets ECS move its tasks"))
	}
	w.add(b)
}

// idle says why Ebb does not drain, as far as its configuration and journal show.
func (k *known) idle() string {
	switch e := k.q.Ebb; {
	case e == nil || e.Unread:
		return ""
	case !e.Manages:
		return ". Ebb's configuration does not include the group"
	case !e.Works && e.Who == "":
		return ". Its journal says that no Ebb works for the group"
	case !e.Works:
		return fmt.Sprintf(". The last Ebb that worked for the group, %s, was last seen at %s", e.Who, k.clock(e.Seen))
	}
	return ""
}

// drainers says who ought to drain the host.
func (k *known) drainers() string {
	managed := "ECS does not manage its draining"
	for _, p := range k.cluster.CapacityProviders {
		if p.Name == k.host.CapacityProvider && p.ManagedDraining {
			return fmt.Sprintf("Capacity provider %s has managed draining, so ECS should drain it", p.Name)
		}
	}
	if k.host.CapacityProvider != "" && k.s.Missed("ecs:DescribeCapacityProviders", "cluster "+k.cluster.Name) {
		managed = fmt.Sprintf("Whether capacity provider %s has managed draining could not be read", k.host.CapacityProvider)
	}
	hooks := k.group.Terminating()
	if len(hooks) == 0 {
		return "Its group has no terminating hook. " + managed
	}
	names := make([]string, len(hooks))
	for i, h := range hooks {
		names[i] = h.Name
		if h.Target != "" {
			names[i] += " (notifies " + string(h.Target) + ")"
		}
	}
	return managed + "; it should be drained by the program that answers hook " + strings.Join(names, " or ")
}
