package doctor

import (
	"strings"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/advice"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
)

type part = func(in *Input, c *inventory.Cluster, g *inventory.Group)

// What looks like a fault and is none is not complained of, and what hides behind something harmless is.
func TestWhatIsNoFaultAndWhatIs(t *testing.T) {
	refresh := func(status string, protectsNew, protected bool) part {
		return func(_ *Input, _ *inventory.Cluster, g *inventory.Group) {
			g.Refreshes = []inventory.Refresh{{ID: "r", Status: status, ScaleInProtected: "Wait"}}
			g.ProtectsNew, g.Instances[1].Protected = protectsNew, protected
		}
	}
	rebalance := func(hook string) part {
		return func(_ *Input, _ *inventory.Cluster, g *inventory.Group) {
			g.Hooks[0].Name, g.CapacityRebalance, g.Spot = hook, true, true
		}
	}
	network := func(protocol string) part {
		return func(in *Input, _ *inventory.Cluster, _ *inventory.Group) {
			in.Inventory.TargetGroups[0].Protocol = protocol
		}
	}
	sends := func(withRole ...string) part {
		return func(in *Input, _ *inventory.Cluster, _ *inventory.Group) {
			r := rule(terminateActions, true, queueARN)
			r.WithRole = withRole
			in.Inventory.Rules = []inventory.Rule{r}
		}
	}
	empty := func(change func(h *inventory.Host)) part { // the third host has a daemon's task alone, and is protected
		return func(_ *Input, c *inventory.Cluster, g *inventory.Group) {
			g.Instances[2].Protected = true
			change(c.Hosts[2])
		}
	}
	for name, x := range map[string]struct {
		base  func() *Input
		check string
		times int
		do    part
	}{
		"a refresh waits for one that is protected": {clean, "refresh-waits", 1, refresh("Pending", false, true)},
		"a refresh waits for all that come":         {clean, "refresh-waits", 1, refresh("InProgress", true, false)},
		"a refresh with nothing to wait for":        {clean, "refresh-waits", 0, refresh("InProgress", false, false)},
		"a refresh that is over":                    {clean, "refresh-waits", 0, refresh("Successful", true, true)},
		"Ebb's hook with rebalancing":               {clean, "rebalance-hook", 0, rebalance("ebb-drain")},
		"another hook with rebalancing":             {clean, "rebalance-hook", 1, rebalance("flush-logs")},
		"a capacity provider that is being made": {managed, "managed-hook-missing", 0, func(_ *Input, c *inventory.Cluster, g *inventory.Group) {
			c.CapacityProviders[0].Status, g.Hooks = "PROVISIONING", nil
		}},
		"a host that drains because it leaves": {clean, "draining-in-service", 0, func(_ *Input, c *inventory.Cluster, g *inventory.Group) {
			c.Hosts[2].Status, g.Instances[2].State = fleet.Draining, fleet.TerminatingWait
		}},
		"a rule with a role of its own":  {clean, "queue-policy", 0, sends(queueARN)},
		"a rule without one":             {clean, "queue-policy", 1, sends()},
		"a rule with a role for another": {clean, "queue-policy", 1, sends("arn:aws:sqs:eu-west-1:111122223333:other")},
		"an empty host":                  {managed, "protection-stuck", 1, empty(func(*inventory.Host) {})},
		"an empty host that has just come": {managed, "protection-stuck", 0,
			empty(func(h *inventory.Host) { h.RegisteredAt = now.Add(-settled + 1) })},
		"a host since when is not known":  {managed, "protection-stuck", 0, empty(func(h *inventory.Host) { h.RegisteredAt = time.Time{} })},
		"a short delay behind TCP":        {clean, "nlb-delay", 1, network("TCP")},
		"a short delay behind TLS":        {clean, "nlb-delay", 1, network("TLS")},
		"a short delay behind UDP":        {clean, "nlb-delay", 1, network("UDP")},
		"a short delay behind UDP or TCP": {clean, "nlb-delay", 1, network("TCP_UDP")},
		"a short delay behind HTTPS":      {clean, "nlb-delay", 0, network("HTTPS")},
		"a managed rule is nobody's message": {clean, "unheard", 1, func(in *Input, _ *inventory.Cluster, g *inventory.Group) {
			g.Hooks[0].Target, in.Inventory.Rules = "", managed().Inventory.Rules
		}},
		"a topic may lead to Ebb's queue": {clean, "unheard", 0, func(_ *Input, _ *inventory.Cluster, g *inventory.Group) {
			g.Hooks[0].Target = "arn:aws:sns:eu-west-1:111122223333:leaving"
		}},
		"a drainer with a capital letter": {clean, "two-drainers", 1, func(_ *Input, _ *inventory.Cluster, g *inventory.Group) {
			g.Hooks = append(g.Hooks, terminatingHook("MyDrainer"))
		}},
		"a launching hook beside ECS's, edited": {managed, "managed-hook-edited", 1, func(_ *Input, _ *inventory.Cluster, g *inventory.Group) {
			g.Hooks[0].Transition = fleet.Launching
		}},
	} {
		if got := found(x.base, x.check, x.do); len(got) != x.times {
			t.Errorf("%s: %s is found %d times, want %d: %+v", name, x.check, len(got), x.times, got)
		}
	}
}

// A standalone task is work, though no service counts it: without protection the host is scaled in under it.
func TestAStandaloneTaskKeepsAHostProtected(t *testing.T) {
	all := found(managed, "protection-stuck", func(_ *Input, c *inventory.Cluster, g *inventory.Group) {
		g.Instances[2].Protected = true
		addTask(c, c.Hosts[2].ARN, "job:1", "family:job")
	})
	if len(all) > 0 {
		t.Errorf("found %+v", all)
	}
}

// Of two drainers Ebb's is never the one to be ended, whatever its hook is called; and while an instance waits, ending the other one cuts
// off what still runs on it.
func TestWhichDrainerIsEnded(t *testing.T) {
	for _, state := range []fleet.LifecycleState{fleet.InService, fleet.TerminatingWait, fleet.Terminating} {
		all := found(clean, "two-drainers", func(in *Input, _ *inventory.Cluster, g *inventory.Group) {
			in.Ebb.Hook, g.Hooks[0].Name = "team-drain", "team-drain"
			g.Hooks = append(g.Hooks, terminatingHook("old-drain"))
			g.Instances[2].State = state
		})
		if len(all) != 1 {
			t.Fatalf("found %+v", all)
		}
		ended := 0
		for _, f := range all[0].All() {
			line := f.Line()
			if strings.Contains(line, "--lifecycle-hook-name team-drain") {
				t.Errorf("%s: Ebb is ended: %s", state, line)
			}
			if !strings.Contains(line, "delete-lifecycle-hook") {
				continue
			}
			ended++
			if worst := map[bool]advice.Harm{true: advice.Interrupts, false: advice.Destroys}[state == fleet.InService]; f.Harm() != worst {
				t.Errorf("%s: %s is said to be %s", state, line, f.Harm())
			}
		}
		if ended != 1 {
			t.Errorf("%s: %d commands end a drainer: %+v", state, ended, all[0].All())
		}
	}
}

// A policy that somebody wrote is never overwritten.
func TestAPolicyThatIsThereIsKept(t *testing.T) {
	for policy, sets := range map[string]bool{"": true,
		`{"Statement":[{"Effect":"Allow","Principal":{"AWS":"444455556666"},"Action":"sqs:SendMessage"}]}`: false} {
		all := found(clean, "queue-policy", func(in *Input, _ *inventory.Cluster, _ *inventory.Group) {
			in.Inventory.Queues[0].Policy, in.Inventory.Rules = policy, []inventory.Rule{rule(terminateActions, true, queueARN)}
		})
		if len(all) != 1 || strings.Contains(all[0].All()[0].Line(), "set-queue-attributes") != sets {
			t.Errorf("with policy %q: %+v", policy, all)
		}
	}
}

// A service that may have no more than it wants may rule out a second copy on purpose.
func TestWhatMorePercentMayCost(t *testing.T) {
	for most, want := range map[int]advice.Harm{100: advice.Interrupts, 101: advice.Safe} {
		all := found(clean, "never-drains", func(_ *Input, c *inventory.Cluster, _ *inventory.Group) { c.Services[0].MaxPercent = most })
		if len(all) != 1 || all[0].All()[0].Harm() != want {
			t.Errorf("at most %d percent: %+v", most, all)
		}
	}
}

// What is stopped can be started again, and goes on as the container instance that it was, but not once that is deregistered.
func TestAStoppedHostIsNotDeregistered(t *testing.T) {
	for state, deregisters := range map[fleet.InstanceState]bool{fleet.StateStopped: false, fleet.StateTerminated: true, "": true} {
		all := found(clean, "ghost", func(in *Input, c *inventory.Cluster, g *inventory.Group) {
			c.Hosts[2].Connected, in.Inventory.Instances[2].State = false, state
			if state == "" { // EC2 does not know it any more
				in.Inventory.Instances, g.Instances = in.Inventory.Instances[:2], g.Instances[:2]
			}
		})
		if len(all) != 1 {
			t.Fatalf("%q: %+v", state, all)
		}
		if f := all[0].All()[0]; strings.Contains(f.Line(), "deregister-container-instance") != deregisters || f.Harm() != advice.Safe {
			t.Errorf("%q: %s, which is %s", state, f.Line(), f.Harm())
		}
	}
	for _, state := range []fleet.InstanceState{fleet.StateRunning, fleet.StateStopping, fleet.StateShuttingDown} {
		all := found(clean, "ghost", func(in *Input, c *inventory.Cluster, _ *inventory.Group) {
			c.Hosts[2].Connected, in.Inventory.Instances[2].State = false, state
		})
		if len(all) > 0 { // an agent that is away for a while
			t.Errorf("%s: %+v", state, all)
		}
	}
}

// A host that drains is let go without harm only if it is known that no task is left on it.
func TestWhatTheEndOfAHostCosts(t *testing.T) {
	for name, x := range map[string]struct {
		change part
		want   advice.Harm
	}{
		"no task is left": {func(_ *Input, c *inventory.Cluster, _ *inventory.Group) { c.Tasks = nil }, advice.Safe},
		"a task is left":  {func(*Input, *inventory.Cluster, *inventory.Group) {}, advice.Destroys},
		"its tasks could not be read": {func(in *Input, c *inventory.Cluster, _ *inventory.Group) {
			c.Tasks, in.Inventory.Unread = nil, []inventory.Unread{{What: "ecs:ListTasks of cluster prod", Error: "AccessDenied: no"}}
		}, advice.Destroys},
	} {
		all := found(clean, "draining-in-service", func(in *Input, c *inventory.Cluster, g *inventory.Group) {
			c.Hosts[2].Status = fleet.Draining
			x.change(in, c, g)
		})
		if len(all) != 1 {
			t.Fatalf("%s: %+v", name, all)
		}
		ends := 0
		for _, f := range all[0].All() {
			if strings.Contains(f.Line(), "terminate-instance-in-auto-scaling-group") {
				if ends++; f.Harm() != x.want {
					t.Errorf("%s: %s is said to be %s, want %s", name, f.Line(), f.Harm(), x.want)
				}
			}
		}
		if ends != 1 {
			t.Errorf("%s: %d commands end it: %+v", name, ends, all[0].All())
		}
	}
}

// Of the processes that can be suspended three are told; that a default result is ABANDON is worse where abandoned instances are kept.
func TestWhatIsToldOfAGroup(t *testing.T) {
	for process, want := range map[string]string{"Launch": "warn", "Terminate": "warn", "AZRebalance": "info", "AlarmNotification": ""} {
		all := found(clean, "suspended", func(_ *Input, _ *inventory.Cluster, g *inventory.Group) { g.Suspended = []string{process} })
		if (len(all) == 1) != (want != "") || len(all) == 1 && (all[0].Severity.String() != want || !strings.Contains(all[0].Finding, process)) {
			t.Errorf("%s: %+v", process, all)
		}
	}
	for retains, want := range map[bool]string{true: "Terminating:Retained", false: "none today"} {
		all := found(clean, "abandon", func(_ *Input, _ *inventory.Cluster, g *inventory.Group) {
			g.Hooks[0].DefaultResult, g.Retains = "ABANDON", retains
		})
		if len(all) != 1 || !strings.Contains(all[0].Impact, want) {
			t.Errorf("retains %v: %+v", retains, all)
		}
	}
}

// Of many hosts those with the greatest share of CPU or of memory in use are examined.
func TestTheFullestHostsAreExamined(t *testing.T) {
	c := &inventory.Cluster{}
	for i, free := range [][2]int{{900, 900}, {100, 900}, {500, 500}, {900, 50}} {
		c.Hosts = append(c.Hosts, &inventory.Host{
			ContainerInstance: fleet.ContainerInstance{Instance: fleet.InstanceID("abcd"[i : i+1]), Status: fleet.Active, Connected: true},
			CPU:               1000, Memory: 1000, Free: inventory.Resources{CPU: free[0], Memory: free[1]},
		})
	}
	order := ""
	for _, h := range fullest(c) {
		order += string(h.Instance)
	}
	if order != "dbca" {
		t.Errorf("the order is %s", order)
	}
}
