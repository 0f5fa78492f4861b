package doctor

import (
	"fmt"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
)

func hookChecks() []Check {
	return []Check{
		{"nobody-drains", "No terminating hook and no managed draining", nobodyDrains},
		{"managed-hook-missing", "Managed draining without its hook", managedHookMissing},
		{"managed-hook-edited", "The hook of managed draining was changed", managedHookEdited},
		{"abandon", "A terminating hook whose default result is ABANDON", abandon},
		{"hook-runs-out", "A hook ends before a drain can", hookRunsOut},
		{"two-drainers", "Two drainers on one group", twoDrainers},
	}
}

func nobodyDrains(in *Input) (found []Finding) {
	if !in.providersKnown() {
		return nil
	}
	for _, g := range in.ecsGroups() {
		if !in.hooksKnown(g) || in.drainsManaged(g) || len(terminating(g)) > 0 {
			continue
		}
		fix := "put Ebb's hook on it: aws autoscaling put-lifecycle-hook --auto-scaling-group-name " + g.Name + " --lifecycle-hook-name " + in.hook() +
			" --lifecycle-transition autoscaling:EC2_INSTANCE_TERMINATING --heartbeat-timeout 900 --default-result CONTINUE"
		if p := in.provider(g.Name); p != nil {
			fix += "; or let ECS drain: aws ecs update-capacity-provider --name " + p.Name + " --auto-scaling-group-provider managedDraining=ENABLED"
		}
		found = append(found, Finding{
			Severity: Error, Subject: "group " + g.Name, Finding: "the group has no terminating hook, and no capacity provider with managed draining uses it",
			Impact: "Auto Scaling terminates its instances at once: their tasks are killed while they work, and their targets still receive requests",
			Fix:    fix,
		})
	}
	return found
}

func managedHookMissing(in *Input) (found []Finding) {
	for _, g := range in.ecsGroups() {
		if p := in.provider(g.Name); p == nil || !p.ManagedDraining || p.Status != "ACTIVE" || !in.hooksKnown(g) || hookNamed(g, fleet.ManagedDrainingHook) != nil {
			continue
		}
		name := in.provider(g.Name).Name
		found = append(found, Finding{
			Severity: Error, Subject: "group " + g.Name,
			Finding: "capacity provider " + name + " has managed draining, but the group has no hook " + fleet.ManagedDrainingHook,
			Impact:  "ECS does not learn of terminations and drains nothing: instances are terminated with their tasks",
			Fix: "let ECS create the hook again: aws ecs update-capacity-provider --name " + name +
				" --auto-scaling-group-provider managedDraining=DISABLED, then the same with managedDraining=ENABLED; " +
				"AWS does not document that this restores it, so check afterwards: aws autoscaling describe-lifecycle-hooks --auto-scaling-group-name " + g.Name,
		})
	}
	return found
}

func hookNamed(g *inventory.Group, name string) *fleet.Hook {
	for i := range g.Hooks {
		if g.Hooks[i].Name == name {
			return &g.Hooks[i]
		}
	}
	return nil
}

// managedHookEdited compares with the values that ECS gives its hook. They are observed, not documented.
func managedHookEdited(in *Input) (found []Finding) {
	for i := range in.Inventory.Groups {
		g := &in.Inventory.Groups[i]
		h := hookNamed(g, fleet.ManagedDrainingHook)
		if h == nil || h.Heartbeat == time.Hour && h.DefaultResult == "CONTINUE" && h.Transition == fleet.TerminatingTransit {
			continue
		}
		found = append(found, Finding{
			Severity: Warn, Subject: "group " + g.Name,
			Finding: fmt.Sprintf("hook %s belongs to ECS, which creates it with a heartbeat timeout of 1h and CONTINUE; here it has %s and %s",
				h.Name, span(h.Heartbeat), h.DefaultResult),
			Impact: "a longer drain is cut off without a message; AWS does not document whether ECS restores its own values",
			Fix: "give it ECS's values: aws autoscaling put-lifecycle-hook --auto-scaling-group-name " + g.Name + " --lifecycle-hook-name " + fleet.ManagedDrainingHook +
				" --heartbeat-timeout 3600 --default-result CONTINUE; for a deadline of your own turn managed draining off and let Ebb drain",
		})
	}
	return found
}

// abandon: on a terminating hook ABANDON ends the other hooks too. With one hook it has the same effect as CONTINUE, unless the
// group retains instances.
// https://docs.aws.amazon.com/autoscaling/ec2/userguide/lifecycle-hooks.html
func abandon(in *Input) (found []Finding) {
	for i := range in.Inventory.Groups {
		g := &in.Inventory.Groups[i]
		hooks := terminating(g)
		for _, h := range hooks {
			if h.DefaultResult != "ABANDON" {
				continue
			}
			f := Finding{
				Severity: Info, Subject: "group " + g.Name, Finding: "terminating hook " + h.Name + " has the default result ABANDON",
				Impact: "none today, but it would end any second hook of the group early",
				Fix:    "aws autoscaling put-lifecycle-hook --auto-scaling-group-name " + g.Name + " --lifecycle-hook-name " + h.Name + " --default-result CONTINUE",
			}
			switch {
			case len(hooks) > 1:
				f.Severity = Error
				f.Finding += " beside other terminating hooks (" + names(hooks) + ")"
				f.Impact = "when it times out, the instance is terminated at once, although other hooks still wait: a drain is cut off"
			case g.Retains:
				f.Finding += ", and the group retains abandoned instances"
				f.Impact = "when it times out, the instance stays in Terminating:Retained and is billed until somebody terminates it"
			}
			found = append(found, f)
		}
	}
	return found
}

// margin is what a drain takes besides the delay and the stop timeout: two settled looks, and calls.
const margin = time.Minute

func hookRunsOut(in *Input) (found []Finding) {
	for _, g := range in.ecsGroups() {
		need, service := in.needOf(g)
		for _, h := range own(g) {
			if h.Heartbeat == 0 || need == 0 {
				continue
			}
			if f, bad := in.runsOut(g, h, need+margin, service); bad {
				found = append(found, f)
			}
		}
	}
	return found
}

func (in *Input) runsOut(g *inventory.Group, h fleet.Hook, need time.Duration, service string) (Finding, bool) {
	ebbs := h.Name == in.hook()
	if !ebbs && (in.drainsManaged(g) || hookNamed(g, in.hook()) != nil) {
		return Finding{}, false // another drainer is at work, so the purpose of this hook is not known
	}
	f := Finding{
		Subject: "group " + g.Name, Impact: "the instance is terminated in the middle of its drain, with tasks that still answer requests",
		Fix: fmt.Sprintf("aws autoscaling put-lifecycle-hook --auto-scaling-group-name %s --lifecycle-hook-name %s --heartbeat-timeout %d; or "+
			"shorten the deregistration delay and stop timeout of service %s",
			g.Name, h.Name, seconds(max(need, 5*time.Minute)), service),
	}
	needs := fmt.Sprintf("the drain of service %s takes up to %s (deregistration delay, stop timeout and a minute)", service, span(need))
	switch {
	case h.Global < need:
		f.Severity = Error
		f.Finding = fmt.Sprintf("hook %s ends at the latest %s after it opened (100 heartbeat timeouts, at most 48h), but %s", h.Name, span(h.Global), needs)
	case ebbs && h.Global < in.deadline(g.Name):
		f.Severity = Warn
		f.Finding = fmt.Sprintf("hook %s ends at the latest %s after it opened, before Ebb's deadline of %s", h.Name, span(h.Global), span(in.deadline(g.Name)))
		f.Fix = fmt.Sprintf("aws autoscaling put-lifecycle-hook --auto-scaling-group-name %s --lifecycle-hook-name %s --heartbeat-timeout 900", g.Name, h.Name)
	case !ebbs && h.Heartbeat < need:
		f.Severity = Warn
		f.Finding = fmt.Sprintf("hook %s has a heartbeat timeout of %s, but %s, and many home-made drainers, such as AWS's sample of 2017, "+
			"send no heartbeat", h.Name, span(h.Heartbeat), needs)
	default:
		return Finding{}, false
	}
	return f, true
}

func seconds(d time.Duration) int { return int(d.Round(time.Second) / time.Second) }

// twoDrainers counts the managed hook, Ebb's hook, and hooks with "drain" in their names.
func twoDrainers(in *Input) (found []Finding) {
	for _, g := range in.ecsGroups() {
		var drainers []fleet.Hook
		for _, h := range terminating(g) {
			if h.Name == in.hook() || strings.Contains(strings.ToLower(h.Name), "drain") {
				drainers = append(drainers, h)
			}
		}
		if len(drainers) < 2 {
			continue
		}
		fix := "keep one: aws autoscaling delete-lifecycle-hook --auto-scaling-group-name " + g.Name + " --lifecycle-hook-name " + drainers[0].Name
		if p := in.provider(g.Name); p != nil && p.ManagedDraining {
			fix = "keep one: to let Ebb drain, aws ecs update-capacity-provider --name " + p.Name +
				" --auto-scaling-group-provider managedDraining=DISABLED; to let ECS, delete the other hook"
		}
		found = append(found, Finding{
			Severity: Warn, Subject: "group " + g.Name, Finding: "more than one hook drains its instances: " + names(drainers),
			Impact: "both wait for the same tasks, and the instance leaves only when both are done: the deadline of one does not apply to the " +
				"other (managed draining waits up to 48h)",
			Fix: fix,
		})
	}
	return found
}
