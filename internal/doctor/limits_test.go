package doctor

import (
	"slices"
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
	otherAgents := func(in *Input, c *inventory.Cluster, g *inventory.Group) { // a group of its own for the third host
		in.Inventory.Groups = append(in.Inventory.Groups, &inventory.Group{
			Group:    fleet.Group{Name: "jobs-asg", Instances: g.Instances[2:]},
			UserData: "ECS_CLUSTER=prod\nECS_CONTAINER_STOP_TIMEOUT=1h\n", UserDataKnown: true,
		})
		g.Instances = g.Instances[:2]
	}
	provided := func(by string, tasks int) part { // the service has one task at least and at most, by a capacity provider
		return func(_ *Input, c *inventory.Cluster, _ *inventory.Group) {
			c.CapacityProviders = []inventory.CapacityProvider{{Name: "FARGATE"}, {Name: "managed-instances"}, {Name: "hosts", Group: "web-asg"}}
			v := c.Service("web")
			v.LaunchType, v.MaxPercent, v.Strategy = "", 100, []inventory.StrategyItem{{Provider: by, Weight: 1}}
			c.Tasks = nil
			for range tasks {
				addTask(c, "", "web:1", "service:web")
			}
		}
	}
	interrupted := func(spot, rebalance, hook bool) part { // the agent does not drain at an interruption
		return func(_ *Input, _ *inventory.Cluster, g *inventory.Group) {
			g.UserData, g.UserDataKnown, g.Spot, g.CapacityRebalance = "ECS_CLUSTER=prod\n", true, spot, rebalance
			if !hook {
				g.Hooks = nil
			}
		}
	}
	heard := func(agent, on bool, pattern string) part { // a rule brings EC2's warnings to Ebb's queue
		return func(in *Input, c *inventory.Cluster, g *inventory.Group) {
			interrupted(true, false, true)(in, c, g)
			if agent {
				g.UserData += "ECS_ENABLE_SPOT_INSTANCE_DRAINING=true\n"
			}
			in.Inventory.Rules = append(in.Inventory.Rules, rule(pattern, on, in.queueARN()))
		}
	}
	const warnings = `{"source":["aws.ec2"],"detail-type":["EC2 Spot Instance Interruption Warning","EC2 Instance Rebalance Recommendation"]}`
	forHook := func(name string, change func(*inventory.Rule)) part {
		return func(in *Input, _ *inventory.Cluster, g *inventory.Group) {
			g.Hooks = append(g.Hooks, terminatingHook("logs"))
			r := rule(strings.TrimSuffix(terminateActions, "}")+`,"detail":{"LifecycleHookName":["`+name+`"]}}`, true)
			change(&r)
			in.Inventory.Rules = []inventory.Rule{r}
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
		"a hook of two minutes with rebalancing": {clean, "rebalance-hook", 0, func(_ *Input, _ *inventory.Cluster, g *inventory.Group) {
			g.CapacityRebalance, g.Spot, g.Hooks = true, true, append(g.Hooks, terminatingHook("logs"))
			g.Hooks[1].Heartbeat = spotNotice
		}},
		"a short hook where nothing drains": {clean, "hook-runs-out", 0, func(in *Input, c *inventory.Cluster, g *inventory.Group) {
			hookOnly("lambda", 30*time.Second)(in, c, g)
			c.Tasks = nil
		}},
		"agents on other hosts that give containers long": {clean, "hook-runs-out", 0, func(in *Input, c *inventory.Cluster, g *inventory.Group) {
			hookOnly("lambda", 2*time.Minute)(in, c, g) // as long as the drain of web
			otherAgents(in, c, g)
		}},
		"agents on other hosts than those on Spot": {clean, "spot-stop", 0, func(in *Input, c *inventory.Cluster, g *inventory.Group) {
			g.Spot = true
			otherAgents(in, c, g)
		}},
		"a short hook beside ECS's": {managed, "hook-runs-out", 0, func(_ *Input, _ *inventory.Cluster, g *inventory.Group) {
			g.Hooks = append(g.Hooks, terminatingHook("logs"))
			g.Hooks[1].Heartbeat = 30 * time.Second
		}},
		"a foreign hook that ends before Ebb's deadline": {clean, "hook-runs-out", 0, func(in *Input, _ *inventory.Cluster, g *inventory.Group) {
			g.Hooks[0] = terminatingHook("lambda")
			g.Hooks[0].Heartbeat, g.Hooks[0].Global, in.Ebb.Groups[0].Deadline = 5*time.Minute, 500*time.Minute, 10*time.Hour
		}},
		"a deadline where nothing drains": {clean, "deadline-short", 0, func(in *Input, c *inventory.Cluster, _ *inventory.Group) {
			c.Tasks, in.Ebb.Groups[0].Deadline = nil, 30*time.Second
		}},
		"a host that has been empty for long enough": {managed, "protection-stuck", 1,
			empty(func(h *inventory.Host) { h.RegisteredAt = now.Add(-settled) })},
		"min = max = 100 on Fargate":             {clean, "never-drains", 0, provided("FARGATE", 0)},
		"min = max = 100 on Fargate, with tasks": {clean, "never-drains", 0, provided("FARGATE", 2)},
		"min = max = 100 on managed instances":   {clean, "never-drains", 0, provided("managed-instances", 0)},
		"min = max = 100 on hosts of a group":    {clean, "never-drains", 1, provided("hosts", 0)},
		"min = max = 100 on hosts, by its tasks": {clean, "never-drains", 1, func(_ *Input, c *inventory.Cluster, _ *inventory.Group) {
			c.Services[0].LaunchType, c.Services[0].MaxPercent = "", 100
		}},
		"Spot hosts that ECS drains":                     {managed, "spot-unheard", 0, interrupted(true, false, true)},
		"hosts on demand":                                {clean, "spot-unheard", 0, interrupted(false, false, true)},
		"Spot hosts that rebalancing drains":             {clean, "spot-unheard", 0, interrupted(true, true, true)},
		"Spot hosts that rebalancing only replaces":      {clean, "spot-unheard", 1, interrupted(true, true, false)},
		"Spot hosts that are only killed":                {clean, "spot-unheard", 1, interrupted(true, false, true)},
		"Spot hosts whose warnings Ebb hears":            {clean, "spot-unheard", 0, heard(false, true, warnings)},
		"a rule for warnings that is off":                {clean, "spot-unheard", 1, heard(false, false, warnings)},
		"a rule for other events of EC2":                 {clean, "spot-unheard", 1, heard(false, true, `{"source":["aws.ec2"],"detail-type":["x"]}`)},
		"Spot hosts that Ebb and the agents drain":       {clean, "spot-draining-redundant", 1, heard(true, true, warnings)},
		"Spot hosts that the agents drain and Ebb can't": {clean, "spot-draining-redundant", 0, heard(true, false, warnings)},
		"a long stop on Spot, and a delay that is not known": {clean, "spot-stop", 0, func(in *Input, c *inventory.Cluster, g *inventory.Group) {
			g.Spot, in.Inventory.TargetGroups[0].DelayKnown = true, false
			c.TaskDefinitions[0].Containers[0].StopTimeout = 3 * time.Minute
		}},
		"a long delay behind TCP": {clean, "long-delay", 0, func(in *Input, _ *inventory.Cluster, _ *inventory.Group) {
			in.Inventory.TargetGroups[0].Protocol, in.Inventory.TargetGroups[0].Delay = "TCP", time.Hour
		}},
		"a rule for the second hook":       {clean, "rule-matches-nothing", 0, forHook("logs", func(*inventory.Rule) {})},
		"a rule for no hook":               {clean, "rule-matches-nothing", 1, forHook("old", func(*inventory.Rule) {})},
		"a rule for no hook, which is off": {clean, "rule-matches-nothing", 0, forHook("old", func(r *inventory.Rule) { r.Enabled = false })},
		"a rule for no hook, which is ECS's": {clean, "rule-matches-nothing", 0, forHook("old", func(r *inventory.Rule) {
			r.ManagedBy = "ecs.amazonaws.com"
		})},
		"a rule for instances that launch": {clean, "rule-matches-nothing", 0, forHook("old", func(r *inventory.Rule) {
			r.Pattern = strings.ReplaceAll(r.Pattern, "terminate", "launch")
		})},
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

// Of many hosts those with the greatest share of CPU or of memory in use are examined, and of those that are alike the first.
func TestTheFullestHostsAreExamined(t *testing.T) {
	c := &inventory.Cluster{}
	host := func(name string, cpu, freeCPU, memory, freeMemory int) *inventory.Host {
		h := &inventory.Host{
			ContainerInstance: fleet.ContainerInstance{Instance: fleet.InstanceID(name), Status: fleet.Active, Connected: true},
			CPU:               cpu, Memory: memory, Free: inventory.Resources{CPU: freeCPU, Memory: freeMemory},
		}
		c.Hosts = append(c.Hosts, h)
		return h
	}
	host("empty", 1000, 1000, 1000, 1000)
	host("of unknown size", 0, 0, 0, 0)
	host("a tenth of its CPU", 1000, 900, 1000, 900)
	host("nine tenths of its CPU", 1000, 100, 1000, 900)
	host("half", 1000, 500, 1000, 500)
	host("half of a small one", 2, 1, 2, 1)
	host("nearly all of its memory", 1000, 900, 1000, 50)
	host("a little more than half of a large one", 1_000_000, 499_999, 1_000_000, 1_000_000)
	host("full but draining", 1000, 0, 1000, 0).Status = fleet.Draining
	host("full but away", 1000, 0, 1000, 0).Connected = false
	var order []string
	for _, h := range fullest(c) {
		order = append(order, string(h.Instance))
	}
	want := []string{"nearly all of its memory", "nine tenths of its CPU", "a little more than half of a large one", "half",
		"half of a small one", "a tenth of its CPU", "empty", "of unknown size"}
	if !slices.Equal(order, want) {
		t.Errorf("the order is %q, want %q", order, want)
	}
	for range fullestHosts {
		host("more", 1000, 0, 1000, 0)
	}
	if all := fullest(c); len(all) != fullestHosts || all[fullestHosts-1].Instance != "more" {
		t.Errorf("%d hosts are examined, the last is %s", len(all), all[len(all)-1].Instance)
	}
}

// Any group, host, task or service is something to look at, in whichever cluster.
func TestWhatThereIsToLookAt(t *testing.T) {
	empty := &inventory.Cluster{Name: "empty"}
	for name, x := range map[string]struct {
		seen inventory.Inventory
		want bool
	}{
		"nothing":          {inventory.Inventory{}, true},
		"an empty cluster": {inventory.Inventory{Clusters: []*inventory.Cluster{empty}}, true},
		"a group":          {inventory.Inventory{Groups: []*inventory.Group{{}}}, false},
		"a host":           {inventory.Inventory{Clusters: []*inventory.Cluster{empty, {Hosts: []*inventory.Host{{}}}}}, false},
		"a task":           {inventory.Inventory{Clusters: []*inventory.Cluster{empty, {Tasks: []*inventory.Task{{}}}}}, false},
		"a service":        {inventory.Inventory{Clusters: []*inventory.Cluster{empty, {Services: []*inventory.Service{{}}}}}, false},
		"a task and a service": {inventory.Inventory{Clusters: []*inventory.Cluster{
			{Tasks: []*inventory.Task{{}}, Services: []*inventory.Service{{}}}}}, false},
	} {
		if got := NothingSeen(&x.seen); got != x.want {
			t.Errorf("%s: nothing seen: %v", name, got)
		}
	}
}
