package doctor

import (
	"fmt"
	"slices"
	"strings"
	"time"

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

func putHook(g *inventory.Group, hook, settings string) string {
	return "aws autoscaling put-lifecycle-hook --auto-scaling-group-name " + g.Name + " --lifecycle-hook-name " + hook + " " + settings
}

// putOwnHook puts Ebb's hook on a group.
func (in *Input) putOwnHook(g *inventory.Group) string {
	return putHook(g, in.hook(),
		"--lifecycle-transition autoscaling:EC2_INSTANCE_TERMINATING --heartbeat-timeout 900 --default-result CONTINUE")
}

func nobodyDrains(in *Input, g *inventory.Group) *Finding {
	if !in.providersKnown() || !in.hooksKnown(g) || in.drainsManaged(g) || len(g.Terminating()) > 0 {
		return nil
	}
	fix := "put Ebb's hook on it: " + in.putOwnHook(g)
	if p := in.provider(g.Name); p != nil {
		fix += "; or let ECS drain: aws ecs update-capacity-provider --name " + p.Name + " --auto-scaling-group-provider managedDraining=ENABLED"
	}
	return &Finding{
		Severity: Error, Subject: "group " + g.Name, Finding: "the group has no terminating hook, and no capacity provider with managed draining uses it",
		Impact: "Auto Scaling terminates its instances at once: their tasks are killed while they work, and their targets still receive requests",
		Fix:    fix,
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
		Fix: "let ECS create the hook again: aws ecs update-capacity-provider --name " + p.Name +
			" --auto-scaling-group-provider managedDraining=DISABLED, then the same with managedDraining=ENABLED; " +
			"AWS does not document that this restores it, so check afterwards: aws autoscaling describe-lifecycle-hooks --auto-scaling-group-name " + g.Name,
	}
}

func hookNamed(g *inventory.Group, name string) *fleet.Hook {
	if i := slices.IndexFunc(g.Hooks, func(h fleet.Hook) bool { return h.Name == name }); i >= 0 {
		return &g.Hooks[i]
	}
	return nil
}

// managedHookEdited compares with the values that ECS gives its hook. They are observed, not documented.
func managedHookEdited(_ *Input, g *inventory.Group) *Finding {
	h := hookNamed(g, fleet.ManagedDrainingHook)
	if h == nil || h.Heartbeat == time.Hour && h.DefaultResult == "CONTINUE" && h.Transition == fleet.TerminatingTransit {
		return nil
	}
	return &Finding{
		Severity: Warn, Subject: "group " + g.Name,
		Finding: fmt.Sprintf("hook %s belongs to ECS, which creates it with a heartbeat timeout of 1h and CONTINUE; here it has %s and %s",
			h.Name, span(h.Heartbeat), h.DefaultResult),
		Impact: "a longer drain is cut off without a message; AWS does not document whether ECS restores its own values",
		Fix: "give it ECS's values: " + putHook(g, fleet.ManagedDrainingHook, "--heartbeat-timeout 3600 --default-result CONTINUE") +
			"; for a deadline of your own turn managed draining off and let Ebb drain",
	}
}

// abandon: on a terminating hook ABANDON ends the other hooks too. With one hook it has the same effect as CONTINUE, unless the
// group retains instances.
// https://docs.aws.amazon.com/autoscaling/ec2/userguide/lifecycle-hooks.html
func abandon(_ *Input, g *inventory.Group, h fleet.Hook) *Finding {
	if h.DefaultResult != "ABANDON" {
		return nil
	}
	f := &Finding{
		Severity: Info, Subject: "group " + g.Name, Finding: "terminating hook " + h.Name + " has the default result ABANDON",
		Impact: "none today, but it would end any second hook of the group early",
		Fix:    putHook(g, h.Name, "--default-result CONTINUE"),
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
		Fix: putHook(g, h.Name, fmt.Sprintf("--heartbeat-timeout %d; or shorten the deregistration delay and stop timeout of service %s",
			seconds(max(need, 5*time.Minute)), service)),
	}
	needs := fmt.Sprintf("the drain of service %s takes up to %s (deregistration delay, stop timeout and a minute)", service, span(need))
	switch {
	case h.Global < need:
		f.Severity = Error
		f.Finding = fmt.Sprintf("hook %s ends at the latest %s after it opened (100 heartbeat timeouts, at most 48h), but %s", h.Name, span(h.Global), needs)
	case ebbs && h.Global < in.deadline(g.Name):
		f.Finding = fmt.Sprintf("hook %s ends at the latest %s after it opened, before Ebb's deadline of %s", h.Name, span(h.Global), span(in.deadline(g.Name)))
		f.Fix = putHook(g, h.Name, "--heartbeat-timeout 900")
	case !ebbs && h.Heartbeat < need:
		f.Finding = fmt.Sprintf("hook %s has a heartbeat timeout of %s, but %s, and many home-made drainers, such as AWS's sample of 2017, "+
			"send no heartbeat", h.Name, span(h.Heartbeat), needs)
	default:
		return nil
	}
	return f
}

func seconds(d time.Duration) int { return int(d.Round(time.Second) / time.Second) }

// twoDrainers counts the managed hook, Ebb's hook, and hooks with "drain" in their names.
func twoDrainers(in *Input, g *inventory.Group) *Finding {
	drainers := slices.DeleteFunc(g.Terminating(), func(h fleet.Hook) bool {
		return h.Name != in.hook() && !strings.Contains(strings.ToLower(h.Name), "drain")
	})
	if len(drainers) < 2 {
		return nil
	}
	fix := "keep one: aws autoscaling delete-lifecycle-hook --auto-scaling-group-name " + g.Name + " --lifecycle-hook-name " + drainers[0].Name
	if p := in.provider(g.Name); p != nil && p.ManagedDraining {
		fix = "keep one: to let Ebb drain, aws ecs update-capacity-provider --name " + p.Name +
			" --auto-scaling-group-provider managedDraining=DISABLED; to let ECS, delete the other hook"
	}
	return &Finding{
		Severity: Warn, Subject: "group " + g.Name, Finding: "more than one hook drains its instances: " + names(drainers),
		Impact: "both wait for the same tasks, and the instance leaves only when both are done: the deadline of one does not apply to the " +
			"other (managed draining waits up to 48h)",
		Fix: fix,
	}
}
