package diagnose

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
	"github.com/ebbhq/ebb/internal/placement"
)

func (w *why) notFound() {
	words := fmt.Sprintf("%s was not found in any group or cluster that could be read, in account %s and Region %s", w.q.Target, w.s.Account, w.s.Region)
	if n := len(w.s.Unread); n > 0 {
		words += fmt.Sprintf("; %s could not be read, so it may be there", inventory.Count(n, "part"))
	}
	w.add(Blocker{Code: NotFound, Message: words, Exact: len(w.s.Unread) == 0, Fix: []Fix{
		{Note: "check the id, the credentials and the Region"},
	}})
}

// groupState says what the group's own state has to do with it.
// https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-lifecycle.html
func (w *why) groupState() {
	if w.member == nil {
		return
	}
	state := w.member.State
	say := func(fix []Fix, format string, args ...any) {
		w.add(Blocker{Code: GroupState, Message: fmt.Sprintf("%s is %s in group %s: ", w.instance, state, w.group.Name) + fmt.Sprintf(format,
			args...), Fix: fix, Exact: true})
	}
	switch {
	case state.Leaving():
		w.leaving()
	case state == fleet.TerminatingRetained:
		say([]Fix{terminate(w.instance)}, "a hook was abandoned, and the group's lifecycle policy keeps such instances, running and billed, "+
			"until somebody terminates them")
	case state == fleet.TerminatingProceed:
		say(nil, "every hook has been answered, and EC2 terminates it")
	case state == fleet.Standby || state == "EnteringStandby":
		say([]Fix{command("aws autoscaling exit-standby --auto-scaling-group-name %s --instance-ids %s", w.group.Name, w.instance)},
			"scale-in and instance refresh skip it, and no hook runs")
	case state == fleet.Detaching || state == fleet.Detached:
		say(nil, "it no longer belongs to the group, and no hook runs")
	case strings.HasPrefix(string(state), "Warmed:") && !state.Waiting():
		say(nil, "it is in the warm pool and takes no tasks")
	case strings.HasPrefix(string(state), "Pending"):
		say(nil, "it is being launched")
	case state == fleet.InService && slices.Contains(w.group.Suspended, "Terminate"):
		say([]Fix{command("aws autoscaling resume-processes --auto-scaling-group-name %s --scaling-processes Terminate", w.group.Name)},
			"the process Terminate of the group is suspended")
	}
}

// leaving is the time before the hook opens: Auto Scaling takes the instance out of the group's own load balancers first.
func (w *why) leaving() {
	parts := []string{fmt.Sprintf("%s is %s in group %s: no hook is open yet", w.instance, w.member.State, w.group.Name)}
	b := Blocker{Code: GroupBalancer, Exact: true}
	var longest time.Duration
	for _, arn := range w.group.TargetGroups {
		tg := w.s.TargetGroup(arn)
		if tg == nil {
			continue
		}
		parts = append(parts, fmt.Sprintf("Auto Scaling first waits for target group %s (deregistration delay %s)", tg.Name, inventory.Span(tg.Delay)))
		if tg.Delay > longest {
			longest, b.Fix = tg.Delay, []Fix{shorterDelay(tg.ARN)}
		}
	}
	if len(w.group.ClassicBalancers) > 0 {
		parts = append(parts, "Auto Scaling first waits for connection draining of "+strings.Join(w.group.ClassicBalancers, ", "))
	}
	if at := w.group.TerminatingSince(w.instance); !at.IsZero() {
		since := fmt.Sprintf("it began at %s, %s ago", w.clock(at), span(at, w.q.Now))
		if longest > 0 {
			b.Until = at.Add(longest)
			since += ", and takes until " + w.clock(b.Until) + " or a little longer"
		}
		parts = append(parts, since)
	}
	b.Message = strings.Join(parts, "; ")
	w.add(b)
}

// gone says whether the host lives; if it does not, nothing on it can stop or report any more.
func (w *why) gone() bool {
	if w.ec2 != nil && w.ec2.State.Gone() {
		words := fmt.Sprintf("EC2 says that %s is %s", w.instance, w.ec2.State)
		var fix []Fix
		if w.host != nil {
			words += "; its container instance is still registered, and ECS waits for tasks that no agent will report as stopped"
			fix = append(fix, w.deregister())
		}
		if w.member != nil && w.member.State.Waiting() {
			words += "; the group waits for " + inventory.Count(len(w.group.Terminating()), "hook")
			fix = append(fix, w.answers()...)
		}
		if w.host == nil && w.member == nil {
			words += ", and it is in no group and no cluster any more: it has left"
		}
		w.add(Blocker{Code: HostGone, Message: words, Fix: fix, Exact: true})
		return true
	}
	if w.host != nil && !w.host.Connected {
		words := fmt.Sprintf("the ECS agent on %s is not connected: ECS cannot stop tasks there, nor learn that they have stopped", w.instance)
		if w.ec2 != nil {
			words += fmt.Sprintf("; EC2 says the instance is %s", w.ec2.State)
		}
		w.add(Blocker{Code: placement.AgentGone, Exact: true, Fix: append([]Fix{
			w.onHost("systemctl restart ecs"), w.deregister().but("only if the host is lost: ECS then gives up its tasks")}, w.answers()...),
			Message: words + ". A break of a minute is normal; AWS does not show when it began"})
	}
	return false
}

func (k *known) answers() []Fix {
	var all []Fix
	if k.member != nil && k.member.State.Waiting() {
		for _, h := range k.group.Terminating() {
			all = append(all, k.complete(h.Name))
		}
	}
	return all
}

// stays reports whether nothing holds the target, because nothing terminates it or because it is past all hooks. It adds the first
// as a blocker.
func (w *why) stays() bool {
	if w.member != nil && w.member.State == fleet.TerminatingProceed {
		return true
	}
	leaves := w.member != nil && strings.HasPrefix(strings.TrimPrefix(string(w.member.State), "Warmed:"), "Terminating")
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
	groups := !w.s.Missed("autoscaling:DescribeAutoScalingGroups", "") && !w.s.Missed("autoscaling:DescribeAutoScalingInstances", "")
	if w.member == nil && !groups {
		parts = append(parts, "but its group could not be read and may be terminating it")
	}
	w.add(Blocker{Code: NotLeaving, Message: "nothing takes " + string(w.instance) + " away: " + strings.Join(parts, "; "),
		Exact: w.member != nil || groups, Fix: []Fix{command("ebb plan %s", w.instance).but("shows what would happen to its tasks")}})
	return true
}

// empty adds a blocker where an instance is fully drained and nothing terminates it.
func (w *why) empty() {
	if w.task != nil || w.member == nil || w.member.State != fleet.InService || len(w.report.Blockers) > 0 {
		return
	}
	w.add(Blocker{Code: NotLeaving, Exact: true, Fix: []Fix{terminate(w.instance), w.setState(fleet.Active).but("if it should stay")}, Message: fmt.Sprintf(
		"no task is left on %s and it is DRAINING in cluster %s, but nothing terminates it: it is InService in group %s", w.instance, w.cluster.Name, w.group.Name)})
}

// draining says whether anybody drains a host that leaves.
func (w *why) draining() {
	switch {
	case w.host == nil || w.host.Status == fleet.Draining || w.task != nil && w.task.DesiredStatus == fleet.Stopped:
		return
	case w.host.Status != fleet.Active:
		w.add(Blocker{Code: NotDraining, Exact: true, Message: fmt.Sprintf("container instance %s is %s, so it cannot be set to DRAINING",
			w.instance, w.host.Status), Fix: []Fix{w.deregister()}})
		return
	}
	w.add(Blocker{Code: NotDraining, Exact: true, Fix: []Fix{w.setState(fleet.Draining)}, Message: fmt.Sprintf(
		"nobody drains %s: group %s terminates it, and its container instance in cluster %s is ACTIVE, so ECS leaves its tasks there and may place more. %s",
		w.instance, w.group.Name, w.cluster.Name, w.drainers())})
}

// drainers says who ought to drain the host.
func (k *known) drainers() string {
	for _, p := range k.cluster.CapacityProviders {
		if p.Name == k.host.CapacityProvider && p.ManagedDraining {
			return fmt.Sprintf("Capacity provider %s has managed draining, so ECS should drain it", p.Name)
		}
	}
	hooks := k.group.Terminating()
	if len(hooks) == 0 {
		return "Its group has no terminating hook, and ECS does not manage its draining"
	}
	names := make([]string, len(hooks))
	for i, h := range hooks {
		names[i] = h.Name
		if h.Target != "" {
			names[i] += " (notifies " + string(h.Target) + ")"
		}
	}
	return "ECS does not manage its draining; it should be drained by the program that answers hook " + strings.Join(names, " or ")
}

// groupFor is the group of a capacity provider of a service, or that of the target.
func (k *known) groupFor(s *inventory.Service) *inventory.Group {
	for _, item := range s.Strategy {
		for _, p := range k.cluster.CapacityProviders {
			if g := k.s.Group(p.Group); p.Name == item.Provider && g != nil {
				return g
			}
		}
	}
	return k.group
}
