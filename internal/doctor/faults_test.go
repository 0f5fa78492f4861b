package doctor

import (
	"fmt"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
)

// The faults below differ from those of doctor_test.go in what is advised, or in what stands beside them.

// crowded is an account of which each host has 1000 CPU units with 500 free, with more services of one task on the first host. A task
// of theirs needs 600.
func crowded(services int, do part) part {
	return func(in *Input, c *inventory.Cluster, g *inventory.Group) {
		for _, h := range c.Hosts {
			h.CPU, h.Free.CPU = 1000, 500
		}
		for i := range services {
			name := fmt.Sprintf("api-%d", i+1)
			c.Services = append(c.Services, &inventory.Service{
				Service: fleet.Service{Name: name, Cluster: "prod", Desired: 1, Running: 1, MinPercent: 100, MaxPercent: 200},
				Status:  "ACTIVE", LaunchType: "EC2", Controller: "ECS", TaskDefinition: name + ":1",
			})
			c.TaskDefinitions = append(c.TaskDefinitions, &inventory.TaskDefinition{Name: name + ":1", Network: "bridge", CPU: 600})
			addTask(c, c.Hosts[0].ARN, name+":1", "service:"+name)
		}
		if do != nil {
			do(in, c, g)
		}
	}
}

func crowdedPlants() []plant {
	member := func(state fleet.LifecycleState) part {
		return func(_ *Input, _ *inventory.Cluster, g *inventory.Group) {
			g.Instances = append(g.Instances, fleet.GroupInstance{ID: "i-0d", Group: "web-asg", State: state})
		}
	}
	return []plant{
		{name: "no room for three services", check: "no-place", severity: Warn, what: "service api-3", do: crowded(3, nil)},
		{name: "no room for four services", check: "no-place", severity: Warn, what: "; and 1 more service", do: crowded(4, nil)},
		{name: "no room for five services", check: "no-place", severity: Warn, what: "; and 2 more services", do: crowded(5, nil)},
		{name: "no room, and none is launched", check: "no-place", severity: Warn, also: "suspended",
			do: crowded(1, func(_ *Input, _ *inventory.Cluster, g *inventory.Group) {
				g.Suspended = []string{"AZRebalance", "Launch"}
			})},
		{name: "no room, and balancing is suspended", check: "no-place", severity: Warn, also: "suspended",
			do: crowded(1, func(_ *Input, _ *inventory.Cluster, g *inventory.Group) { g.Suspended = []string{"AZRebalance"} })},
		{name: "no room, and a host is launched", check: "no-place", severity: Warn, do: crowded(1, member("Pending:Wait"))},
		{name: "no room beside a host in standby", check: "no-place", severity: Warn, do: crowded(1, member(fleet.Standby))},
		{name: "no room in a group of its greatest size", check: "no-place", severity: Warn,
			do: crowded(1, func(_ *Input, _ *inventory.Cluster, g *inventory.Group) { g.Max = g.Desired })},
		{name: "no room on a host of no group", check: "no-place", severity: Warn, what: "if host i-0a",
			do: crowded(1, func(_ *Input, _ *inventory.Cluster, g *inventory.Group) { g.Instances = g.Instances[1:] })},
		{name: "no room, and the fullest host is away", check: "no-place", severity: Warn, what: "of the 1 hosts examined",
			do: crowded(1, func(_ *Input, c *inventory.Cluster, _ *inventory.Group) {
				c.Hosts[1].Status, c.Hosts[2].Connected = fleet.Inactive, false
			})},
	}
}

// hookOnly replaces the clean account's hook by one of another drainer, without Ebb.
func hookOnly(name string, heartbeat time.Duration) part {
	return func(in *Input, _ *inventory.Cluster, g *inventory.Group) {
		in.Ebb = nil
		g.Hooks = []fleet.Hook{terminatingHook(name)}
		g.Hooks[0].Heartbeat, g.Hooks[0].Global = heartbeat, min(100*heartbeat, 48*time.Hour)
	}
}

func lastingPlants() []plant {
	stops := func(after time.Duration, do part) part {
		return func(in *Input, c *inventory.Cluster, g *inventory.Group) {
			do(in, c, g)
			c.TaskDefinitions[0].Containers[0].StopTimeout = after
		}
	}
	agents := func(text string, do part) part {
		return func(in *Input, c *inventory.Cluster, g *inventory.Group) {
			do(in, c, g)
			g.UserData, g.UserDataKnown = "ECS_CLUSTER=prod\nECS_CONTAINER_STOP_TIMEOUT="+text+"\n", true
		}
	}
	ends := func(heartbeat, deadline time.Duration) part {
		return func(in *Input, _ *inventory.Cluster, g *inventory.Group) {
			hookOf(g).Heartbeat, hookOf(g).Global = heartbeat, min(100*heartbeat, 48*time.Hour)
			in.Ebb.Groups[0].Deadline = deadline
		}
	}
	const check = "hook-runs-out"
	return []plant{
		{name: "a drain longer than five minutes", check: check, severity: Warn, what: "10m",
			do: stops(8*time.Minute+30*time.Second, hookOnly("lambda", time.Minute))},
		{name: "a drain longer than any heartbeat", check: check, severity: Warn, what: "3h1m30s",
			do: stops(3*time.Hour, hookOnly("lambda", 10*time.Minute))},
		{name: "a drain longer than the longest heartbeat", check: check, severity: Warn, what: "3h1m30s",
			do: stops(3*time.Hour, hookOnly("lambda", 2*time.Hour))},
		{name: "a drain longer than any hook", check: check, severity: Error, what: "at the latest 48h", also: "deadline-short",
			do: stops(50*time.Hour, ends(2*time.Hour, 48*time.Hour))},
		{name: "agents that give containers long", check: check, severity: Warn, what: "6m30s",
			do: agents("5m0.3s", hookOnly("lambda", 6*time.Minute))},
		{name: "a deadline of a day and more", check: check, severity: Warn, do: ends(15*time.Minute, 26*time.Hour)},
		{name: "a deadline that is no whole time", check: check, severity: Warn, do: ends(15*time.Minute, 25*time.Hour+150*time.Second)},
		{name: "a deadline as long as the longest hook", check: check, severity: Warn, do: ends(20*time.Minute, 48*time.Hour)},
		{name: "a deadline longer than any hook", check: check, severity: Warn, do: ends(20*time.Minute, 48*time.Hour+time.Second)},
		{name: "a deadline longer than the hook, which is the longest", check: check, severity: Warn, do: ends(2*time.Hour, 49*time.Hour)},
		{name: "Ebb without a configuration", check: check, severity: Warn, what: "before Ebb's deadline of 30m",
			do: func(in *Input, _ *inventory.Cluster, g *inventory.Group) {
				in.Ebb = nil
				hookOf(g).Heartbeat, hookOf(g).Global = 30*time.Second, 30*time.Minute-time.Second
			}},
	}
}

func drainerPlants() []plant {
	return []plant{
		{name: "no hook, and no Ebb", check: "nobody-drains", severity: Error, do: func(in *Input, _ *inventory.Cluster, g *inventory.Group) {
			in.Ebb, g.Hooks = nil, nil
		}},
		{name: "no instance and no hook", base: managed, check: "nobody-drains", severity: Error,
			do: func(_ *Input, c *inventory.Cluster, g *inventory.Group) {
				c.CapacityProviders[0].ManagedDraining, g.Hooks, g.Instances = false, nil, nil
				c.Hosts, c.Tasks = nil, nil
			}},
		{name: "ABANDON that retains", check: "abandon", severity: Info, what: "retains",
			do: func(_ *Input, _ *inventory.Cluster, g *inventory.Group) {
				hookOf(g).DefaultResult, g.Retains = "ABANDON", true
			}},
		{name: "a hook that ECS has left behind", check: "two-drainers", severity: Warn,
			do: func(_ *Input, c *inventory.Cluster, g *inventory.Group) {
				m := managed()
				c.CapacityProviders = m.Inventory.Clusters[0].CapacityProviders
				c.CapacityProviders[0].ManagedDraining, c.CapacityProviders[0].TerminationProtection = false, false
				g.Hooks = append(g.Hooks, m.Inventory.Groups[0].Hooks...)
			}},
		{name: "a drainer beside an Ebb by another name", check: "two-drainers", severity: Warn, what: "ebb, old-drain",
			do: func(in *Input, _ *inventory.Cluster, g *inventory.Group) {
				in.Ebb.Hook, hookOf(g).Name = "ebb", "ebb"
				g.Hooks = append(g.Hooks, terminatingHook("old-drain"))
			}},
		{name: "Terminate suspended", check: "suspended", severity: Warn, do: func(_ *Input, _ *inventory.Cluster, g *inventory.Group) {
			g.Suspended = []string{"Terminate"}
		}},
		{name: "a hook of two minutes and a second with rebalancing", check: "rebalance-hook", severity: Warn, what: "2m1s",
			do: func(_ *Input, _ *inventory.Cluster, g *inventory.Group) {
				g.CapacityRebalance, g.Spot, g.Instances = true, true, nil
				g.Hooks = append(g.Hooks, terminatingHook("logs"))
				g.Hooks[1].Heartbeat = 2*time.Minute + time.Second
			}},
		{name: "protection left by a provider that protects nothing", base: managed, check: "protection-left", severity: Info,
			do: func(_ *Input, c *inventory.Cluster, g *inventory.Group) {
				c.CapacityProviders[0].TerminationProtection, g.ProtectsNew, g.Instances[0].Protected = false, false, false
			}},
	}
}

func ruleItem(name, pattern string, on bool, targets ...string) inventory.Rule {
	r := rule(pattern, on, targets...)
	r.Name = name
	return r
}

func rulePlants() []plant {
	const other = `{"source":["aws.ec2"]}`
	untold := func(rules ...inventory.Rule) part {
		return func(in *Input, _ *inventory.Cluster, g *inventory.Group) {
			hookOf(g).Target, in.Inventory.Rules = "", rules
		}
	}
	logs := func(rules ...inventory.Rule) part {
		return func(in *Input, _ *inventory.Cluster, g *inventory.Group) {
			g.Hooks = append(g.Hooks, terminatingHook("logs"))
			g.Hooks[1].Target, in.Inventory.Rules = "", rules
		}
	}
	ecs := ruleItem("ecs", terminateActions, false)
	ecs.ManagedBy = "ecs.amazonaws.com"
	const check = "unheard"
	return []plant{
		{name: "the right one of three rules is off", check: check, severity: Warn, what: "rule second would do so, but it is disabled",
			do: untold(ruleItem("first", other, false), ecs, ruleItem("second", terminateActions, false, queueARN))},
		{name: "a rule for something else", check: check, severity: Warn, do: untold(ruleItem("first", other, true, queueARN+"-free"))},
		{name: "a rule for something else is off", check: check, severity: Warn, do: untold(ruleItem("first", other, false, queueARN))},
		{name: "ECS's rule is off", check: check, severity: Warn, do: untold(ecs)},
		{name: "a rule for another queue", check: check, severity: Warn, what: "forwards its event to Ebb",
			do: untold(ruleItem("first", terminateActions, true, queueARN+"-free"))},
		{name: "a rule for another queue before one without", check: check, severity: Warn, what: "rule second would do so, but it has no target",
			do: untold(ruleItem("first", terminateActions, true, queueARN+"-free"), ruleItem("second", terminateActions, true))},
		{name: "a rule without target, and Ebb's queue is not known", check: check, severity: Warn, what: "has no target",
			do: func(in *Input, c *inventory.Cluster, g *inventory.Group) {
				untold(ruleItem("first", terminateActions, true))(in, c, g)
				in.Inventory.Queues[0].ARN, in.Inventory.Queues[1].ARN = "", ""
			}},
		{name: "a foreign hook's rule has no target", check: check, severity: Warn, what: "hook logs",
			do: logs(ruleItem("first", terminateActions, true))},
		{name: "a foreign hook's rule is off", check: check, severity: Warn, what: "hook logs",
			do: logs(ruleItem("first", terminateActions, false, queueARN+"-free"))},
		{name: "a queue without a policy", check: "queue-policy", severity: Error, do: func(in *Input, _ *inventory.Cluster, _ *inventory.Group) {
			in.Inventory.Rules = []inventory.Rule{rule(terminateActions, true, queueARN)}
		}},
		{name: "a rule is for neither of two hooks", check: "rule-matches-nothing", severity: Warn, what: "none of the 2",
			do: func(in *Input, _ *inventory.Cluster, g *inventory.Group) {
				g.Hooks = append(g.Hooks, terminatingHook("logs"))
				old := strings.TrimSuffix(terminateActions, "}") + `,"detail":{"LifecycleHookName":["old"]}}`
				in.Inventory.Rules = []inventory.Rule{rule(old, true, queueARN+"-free")}
			}},
		{name: "the second queue keeps messages for a minute", check: "queue-settings", severity: Warn, what: "1m only",
			do: func(in *Input, _ *inventory.Cluster, g *inventory.Group) {
				q := in.Inventory.Queues[0]
				q.ARN, q.URL, q.Retention = q.ARN+"-logs", q.URL+"-logs", time.Minute
				in.Inventory.Queues = append(in.Inventory.Queues, q)
				g.Hooks = append(g.Hooks, terminatingHook("logs"))
				g.Hooks[1].Target = fleet.ARN(q.ARN)
			}},
	}
}

func otherPlants() []plant {
	gone := func(state fleet.InstanceState) part {
		return func(in *Input, _ *inventory.Cluster, g *inventory.Group) {
			g.Hooks = append(g.Hooks, terminatingHook("logs"))
			g.Instances[2].State, in.Inventory.Instances[2].State = fleet.TerminatingWait, state
		}
	}
	strategy := func(group string) part {
		return func(_ *Input, c *inventory.Cluster, _ *inventory.Group) {
			c.CapacityProviders = []inventory.CapacityProvider{{Name: "FARGATE"}, {Name: "fixed", Group: group}}
			v := c.Service("web")
			v.LaunchType, v.Strategy, v.MaxPercent = "", []inventory.StrategyItem{{Provider: "FARGATE"}, {Provider: "fixed", Weight: 1}}, 100
			c.Tasks = nil
		}
	}
	return []plant{
		{name: "waits in two hooks for the dead", check: "waiting", severity: Error, what: "EC2 says that it is terminated",
			do: gone(fleet.StateTerminated)},
		{name: "drains for nothing, and nothing is left on it", check: "draining-in-service", severity: Warn,
			do: func(_ *Input, c *inventory.Cluster, _ *inventory.Group) {
				c.Hosts[2].Status = fleet.Draining
				for _, t := range c.TasksOn(c.Hosts[2]) {
					t.LastStatus, t.DesiredStatus = fleet.Stopped, fleet.Stopped
				}
			}},
		{name: "stopped while it drained", check: "ghost", severity: Warn, what: "as DRAINING",
			do: func(in *Input, c *inventory.Cluster, g *inventory.Group) {
				c.Hosts[2].Connected, c.Hosts[2].Status, in.Inventory.Instances[2].State = false, fleet.Draining, fleet.StateTerminated
				g.Instances = g.Instances[:2]
			}},
		{name: "min = max = 100 by a capacity provider", check: "never-drains", severity: Error, what: "at least 2", do: strategy("web-asg")},
		{name: "a short delay on a network load balancer that closes connections", check: "nlb-delay", severity: Warn,
			what: "after a target was deregistered",
			do: func(in *Input, _ *inventory.Cluster, _ *inventory.Group) {
				in.Inventory.TargetGroups[0].Protocol, in.Inventory.TargetGroups[0].ConnectionTermination = "TCP", true
			}},
		{name: "a long stop on Fargate Spot", check: "spot-stop", severity: Warn, what: "then stopTimeout 30s",
			do: func(in *Input, c *inventory.Cluster, _ *inventory.Group) {
				v := c.Service("web")
				v.LaunchType, v.Strategy = "", []inventory.StrategyItem{{Provider: "FARGATE", Base: 1}, {Provider: "FARGATE_SPOT", Weight: 1}}
				c.Tasks, in.Inventory.TargetGroups[0].Delay = nil, 91*time.Second
			}},
		{name: "agents give containers long on Spot", check: "spot-stop", severity: Warn, what: "then stopTimeout 1m40s",
			do: onSpotHosts(func(in *Input, c *inventory.Cluster, g *inventory.Group) {
				g.UserData += "echo ECS_CONTAINER_STOP_TIMEOUT=100s >> /etc/ecs/ecs.config\n"
			})},
		{name: "Spot without the agent's setting, and rebalancing without a hook", check: "spot-unheard", severity: Warn, also: "nobody-drains",
			do: onSpotHosts(func(_ *Input, _ *inventory.Cluster, g *inventory.Group) {
				g.UserData = strings.ReplaceAll(g.UserData, "=true", "=false")
				g.CapacityRebalance, g.Hooks = true, nil
			})},
		{name: "nothing, and a part is unread", check: "nothing-seen", severity: Warn, what: "1 part could not be read", also: "unread",
			do: func(in *Input, _ *inventory.Cluster, _ *inventory.Group) {
				*in.Inventory = inventory.Inventory{Account: "111122223333", Region: "eu-west-1", Unread: []inventory.Unread{
					{What: "autoscaling:DescribeAutoScalingGroups", Error: "AccessDenied: no"}}}
			}},
		{name: "a name that is not there", check: "unread", severity: Warn, what: "cluster test",
			do: func(in *Input, _ *inventory.Cluster, _ *inventory.Group) {
				in.Inventory.Unread = []inventory.Unread{{What: "cluster test", Error: "there is no such cluster", Absent: true}}
			}},
	}
}
