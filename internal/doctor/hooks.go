package doctor

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/advice"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
)

func hookChecks() []Check {
	return []Check{
		{"nobody-drains", "No terminating hook and no managed draining", each((*Input).ecsGroups, nobodyDrains)},
		{"managed-hook-missing", "Managed draining without its hook", each((*Input).ecsGroups, managedHookMissing)},
		{"managed-hook-edited", "The hook of managed draining was changed", each((*Input).groups, managedHookEdited)},
		{"abandon", "A terminating hook whose default result is ABANDON", eachOf((*Input).groups, (*inventory.Group).Terminating, abandon)},
		{"hook-runs-out", "A hook ends before a drain can", eachOf((*Input).ecsGroups, own, hookRunsOut)},
		{"two-drainers", "Two drainers on one group", each((*Input).ecsGroups, twoDrainers)},
	}
}

// heartbeat gives a hook another heartbeat timeout. An instance that waits already keeps the one that it has.
func (in *Input) heartbeat(g *inventory.Group, h fleet.Hook, seconds int) advice.Fix {
	set := func(n int) advice.Command {
		return in.At.PutHook(g.Name, h.Name, "--heartbeat-timeout", strconv.Itoa(n))
	}
	return set(seconds).Undone(set(int(h.Heartbeat / time.Second))).For("")
}

// toContinue gives a hook the default result CONTINUE.
func (in *Input) toContinue(g *inventory.Group, h fleet.Hook) advice.Fix {
	set := func(result string) advice.Command { return in.At.PutHook(g.Name, h.Name, "--default-result", result) }
	return set("CONTINUE").Undone(set(h.DefaultResult)).For("")
}

// getEbb is how a group gets Ebb. A hook alone would make it worse: nobody answers it, and every instance waits until it times out. Where Ebb
// looks after the group already, the hook is all that is missing.
func (in *Input) getEbb(g *inventory.Group) advice.Fix {
	if _, ours := in.managed(g.Name); ours {
		return in.At.PutHook(g.Name, in.hook(), "--lifecycle-transition", fleet.TerminatingTransit, "--heartbeat-timeout", "900", "--default-result",
			"CONTINUE").Undone(in.At.DeleteHook(g.Name, in.hook())).Once("ebb serve or ebb lambda runs").For("puts Ebb's hook on it")
	}
	return in.At.Ebb("init", "--group", g.Name).For("writes the files and prints the commands that deploy Ebb for the group; a hook without Ebb only makes " +
		"every instance wait")
}

func nobodyDrains(in *Input, g *inventory.Group) *Finding {
	if !in.providersKnown() || !in.hooksKnown(g) || in.drainsManaged(g) || len(g.Terminating()) > 0 {
		return nil
	}
	fixes := []advice.Fix{in.getEbb(g)}
	if p := in.provider(g.Name); p != nil {
		fixes = append(fixes, in.At.ManagedDraining(p.Name, true).For("or let ECS drain"))
	}
	return &Finding{
		Severity: Error, Subject: "group " + g.Name, Finding: "the group has no terminating hook, and no capacity provider with managed draining uses it",
		Impact: "Auto Scaling terminates its instances at once: their tasks are killed while they work, and their targets still receive requests",
		Advice: advice.Of(fixes...),
	}
}

func managedHookMissing(in *Input, g *inventory.Group) *Finding {
	p := in.provider(g.Name)
	if p == nil || !p.ManagedDraining || p.Status != "ACTIVE" || !in.hooksKnown(g) || hookNamed(g, fleet.ManagedDrainingHook) != nil {
		return nil
	}
	return &Finding{
		Severity: Error, Subject: "group " + g.Name,
		Finding: "capacity provider " + p.Name + " has managed draining, but the group has no hook " + fleet.ManagedDrainingHook,
		Impact:  "ECS does not learn of terminations and drains nothing: instances are terminated with their tasks",
		Advice: advice.Of(in.At.ManagedDraining(p.Name, false).For("let ECS create the hook again: turn managed draining off"),
			in.At.ManagedDraining(p.Name, true).For("and on again; AWS does not document that this restores the hook"),
			in.At.Hooks(g.Name).For("so check that it is there")),
	}
}

func hookNamed(g *inventory.Group, name string) *fleet.Hook {
	if i := slices.IndexFunc(g.Hooks, func(h fleet.Hook) bool { return h.Name == name }); i >= 0 {
		return &g.Hooks[i]
	}
	return nil
}

// managedHookEdited compares with the values that ECS gives its hook. They are observed, not documented.
func managedHookEdited(in *Input, g *inventory.Group) *Finding {
	h := hookNamed(g, fleet.ManagedDrainingHook)
	if h == nil || h.Heartbeat == time.Hour && h.DefaultResult == "CONTINUE" && h.Transition == fleet.TerminatingTransit {
		return nil
	}
	return &Finding{
		Severity: Warn, Subject: "group " + g.Name,
		Finding: fmt.Sprintf("hook %s belongs to ECS, which creates it with a heartbeat timeout of 1h and CONTINUE; here it has %s and %s",
			h.Name, span(h.Heartbeat), h.DefaultResult),
		Impact: "a longer drain is cut off without a message; AWS does not document whether ECS restores its own values",
		Advice: advice.Of(in.At.PutHook(g.Name, fleet.ManagedDrainingHook, "--heartbeat-timeout", "3600", "--default-result", "CONTINUE").For(
			"gives it ECS's values; for a deadline of your own turn managed draining off and let Ebb drain")),
	}
}

// abandon: on a terminating hook ABANDON ends the other hooks too. With one hook it has the same effect as CONTINUE, unless the
// group retains instances.
// https://docs.aws.amazon.com/autoscaling/ec2/userguide/lifecycle-hooks.html
func abandon(in *Input, g *inventory.Group, h fleet.Hook) *Finding {
	if h.DefaultResult != "ABANDON" {
		return nil
	}
	f := &Finding{
		Severity: Info, Subject: "group " + g.Name, Finding: "terminating hook " + h.Name + " has the default result ABANDON",
		Impact: "none today, but it would end any second hook of the group early",
		Advice: advice.Of(in.toContinue(g, h)),
	}
	switch hooks := g.Terminating(); {
	case len(hooks) > 1:
		f.Severity = Error
		f.Finding += " beside other terminating hooks (" + names(hooks) + ")"
		f.Impact = "when it times out, the instance is terminated at once, although other hooks still wait: a drain is cut off"
	case g.Retains:
		f.Finding += ", and the group retains abandoned instances"
		f.Impact = "when it times out, the instance stays in Terminating:Retained and is billed until somebody terminates it"
	}
	return f
}

// margin is what a drain takes besides the delay and the stop timeout: two settled looks, and calls.
const margin = time.Minute

// longestHeartbeat is the longest heartbeat timeout that a hook can have.
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_PutLifecycleHook.html
const longestHeartbeat = 2 * time.Hour

func hookRunsOut(in *Input, g *inventory.Group, h fleet.Hook) *Finding {
	need, service := in.needOf(g)
	ebbs := h.Name == in.hook()
	if h.Heartbeat == 0 || need == 0 || !ebbs && (in.drainsManaged(g) || hookNamed(g, in.hook()) != nil) {
		return nil // where another drainer is at work, the purpose of this hook is not known
	}
	need += margin
	f := &Finding{
		Severity: Warn, Subject: "group " + g.Name,
		Impact: "the instance is terminated in the middle of its drain, with tasks that still answer requests",
	}
	shorten := "shorten the deregistration delay and stop timeout of service " + service
	f.Advice = advice.Of(advice.Say("%s", shorten))
	if beat := min(max(need, 5*time.Minute), longestHeartbeat); beat > h.Heartbeat {
		f.Advice = advice.Of(in.heartbeat(g, h, seconds(beat)), advice.Say("or %s", shorten))
	}
	needs := fmt.Sprintf("the drain of service %s takes up to %s (deregistration delay, stop timeout and a minute)", service, span(need))
	switch {
	case h.Global < need:
		f.Severity = Error
		f.Finding = fmt.Sprintf("hook %s ends at the latest %s after it opened (100 heartbeat timeouts, at most 48h), but %s", h.Name, span(h.Global), needs)
	case ebbs && h.Global < in.deadline(g.Name):
		f.Finding = fmt.Sprintf("hook %s ends at the latest %s after it opened, before Ebb's deadline of %s", h.Name, span(h.Global), span(in.deadline(g.Name)))
		f.Advice = advice.Of(in.lasting(g, h))
	case !ebbs && h.Heartbeat < need:
		f.Finding = fmt.Sprintf("hook %s has a heartbeat timeout of %s, but %s, and many home-made drainers, such as AWS's sample of 2017, "+
			"send no heartbeat", h.Name, span(h.Heartbeat), needs)
	default:
		return nil
	}
	return f
}

// lasting lets Ebb's hook last for its deadline: 100 heartbeat timeouts, and at most 48 h.
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_PutLifecycleHook.html
func (in *Input) lasting(g *inventory.Group, h fleet.Hook) advice.Fix {
	const longest = 48 * time.Hour
	deadline := in.deadline(g.Name)
	if deadline > longest {
		return advice.Say("write deadline: %s or less for the group in Ebb's configuration: no hook lasts longer", span(longest))
	}
	beat := max(15*time.Minute, deadline/100+time.Minute).Truncate(time.Second)
	return in.heartbeat(g, h, seconds(beat))
}

// seconds spells a time for AWS, which takes whole seconds: no less than it is.
func seconds(d time.Duration) int { return int(math.Ceil(d.Seconds())) }

// twoDrainers counts the managed hook, Ebb's hook, and hooks with "drain" in their names.
func twoDrainers(in *Input, g *inventory.Group) *Finding {
	drainers := slices.DeleteFunc(g.Terminating(), func(h fleet.Hook) bool {
		return h.Name != in.hook() && !strings.Contains(strings.ToLower(h.Name), "drain")
	})
	if len(drainers) < 2 {
		return nil
	}
	return &Finding{
		Severity: Warn, Subject: "group " + g.Name, Finding: "more than one hook drains its instances: " + names(drainers),
		Impact: "both wait for the same tasks, and the instance leaves only when both are done: the deadline of one does not apply to the " +
			"other (managed draining waits up to 48h)",
		Advice: advice.Of(in.keepOne(g, drainers)...),
	}
}

// keepOne ends all drainers of a group but one: Ebb, where it is set up for the group or its hook is there. That hook is never deleted.
// Deleting a hook completes what waits in it, so it is harmless only while nothing waits.
func (in *Input) keepOne(g *inventory.Group, drainers []fleet.Hook) []advice.Fix {
	fixes := []advice.Fix{advice.Say("decide which of them is to drain, and end the others; deleting a hook completes its open actions: an instance " +
		"that waits in it is terminated unless another hook holds it")}
	waits := slices.ContainsFunc(g.Instances, func(i fleet.GroupInstance) bool { return i.State.Waiting() || i.State.Leaving() })
	for _, h := range drainers {
		switch {
		case h.Name == in.hook():
		case h.Name == fleet.ManagedDrainingHook:
			if p := in.provider(g.Name); p != nil && p.ManagedDraining {
				fixes = append(fixes, in.At.ManagedDraining(p.Name, false).For("ends ECS's draining, and its hook"))
			}
		default:
			c := in.At.DeleteHook(g.Name, h.Name)
			c.Undo = "put it again as it is now: note first what aws autoscaling describe-lifecycle-hooks shows of it"
			if !waits {
				c = c.Costs(advice.Interrupts, "what the program behind the hook does", "no instance of the group leaves; none does now")
			}
			fixes = append(fixes, c.For("ends the drainer behind hook "+h.Name))
		}
	}
	return fixes
}
