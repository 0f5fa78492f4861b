package doctor

import (
	"cmp"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
)

// plant is one fault in an account: the clean one with Ebb unless base says otherwise.
type plant struct {
	name     string
	base     func() *Input
	do       func(in *Input, c *inventory.Cluster, g *inventory.Group)
	check    string
	severity Severity
	what     string // found in the finding's what
	also     string // another check that the same fault concerns too
}

func hookOf(g *inventory.Group) *fleet.Hook { return &g.Hooks[0] }

func terminatingHook(name string) fleet.Hook {
	return fleet.Hook{Name: name, Group: "web-asg", Transition: fleet.TerminatingTransit, Heartbeat: time.Hour, Global: 48 * time.Hour,
		DefaultResult: "CONTINUE", Target: queueARN}
}

func rule(pattern string, on bool, targets ...string) inventory.Rule {
	return inventory.Rule{Name: "leaving", ARN: "arn:aws:events:eu-west-1:111122223333:rule/leaving", Pattern: pattern, Enabled: on, Targets: targets}
}

const terminateActions = `{"source":["aws.autoscaling"],"detail-type":["EC2 Instance-terminate Lifecycle Action"]}`

func plants() []plant {
	return slices.Concat(hookPlants(), tellPlants(), settingsPlants(), groupPlants(), servicePlants(), spotPlants(), hostPlants(),
		crowdedPlants(), lastingPlants(), drainerPlants(), rulePlants(), otherPlants())
}

func hookPlants() []plant {
	return []plant{
		{name: "no hook", check: "nobody-drains", severity: Error, what: "no terminating hook",
			do: func(_ *Input, _ *inventory.Cluster, g *inventory.Group) {
				g.Hooks = nil
			}},
		{name: "only a launching hook", check: "nobody-drains", severity: Error, do: func(_ *Input, _ *inventory.Cluster, g *inventory.Group) {
			hookOf(g).Transition = fleet.Launching
		}},
		{name: "managed draining off, no hook", base: managed, check: "nobody-drains", severity: Error, do: func(_ *Input, c *inventory.Cluster, g *inventory.Group) {
			c.CapacityProviders[0].ManagedDraining, g.Hooks = false, nil
		}},
		{name: "managed draining lost its hook", base: managed, check: "managed-hook-missing", severity: Error, what: "web-cp",
			do: func(_ *Input, _ *inventory.Cluster, g *inventory.Group) { g.Hooks = nil }},
		{name: "ECS's hook edited", base: managed, check: "managed-hook-edited", severity: Warn, what: "1m",
			do: func(_ *Input, _ *inventory.Cluster, g *inventory.Group) { hookOf(g).Heartbeat = time.Minute }},
		{name: "one ABANDON", check: "abandon", severity: Info, do: func(_ *Input, _ *inventory.Cluster, g *inventory.Group) { hookOf(g).DefaultResult = "ABANDON" }},
		{name: "ABANDON beside another", check: "abandon", severity: Error, what: "ebb-drain, logs", do: func(_ *Input, _ *inventory.Cluster, g *inventory.Group) {
			g.Hooks = append(g.Hooks, terminatingHook("logs"))
			g.Hooks[1].DefaultResult = "ABANDON"
		}},
		{name: "a hook that ends before its drain", check: "hook-runs-out", severity: Error, what: "50m after it opened", also: "deadline-short",
			do: func(_ *Input, c *inventory.Cluster, g *inventory.Group) {
				hookOf(g).Heartbeat, hookOf(g).Global = 30*time.Second, 50*time.Minute
				c.TaskDefinitions[0].Containers[0].StopTimeout = time.Hour
			}},
		{name: "a hook that ends before the deadline", check: "hook-runs-out", severity: Warn, what: "deadline of 2h",
			do: func(in *Input, _ *inventory.Cluster, g *inventory.Group) {
				hookOf(g).Heartbeat, hookOf(g).Global = 30*time.Second, 50*time.Minute
				in.Ebb.Groups[0].Deadline = 2 * time.Hour
			}},
		{name: "a home-made drainer with a short heartbeat", check: "hook-runs-out", severity: Warn, what: "send no heartbeat",
			do: func(in *Input, _ *inventory.Cluster, g *inventory.Group) {
				in.Ebb = nil
				hookOf(g).Name, hookOf(g).Heartbeat, hookOf(g).Global = "lambda", time.Minute, 100*time.Minute
			}},
		{name: "two drainers", check: "two-drainers", severity: Warn, what: "ebb-drain, ecs-managed", do: func(_ *Input, c *inventory.Cluster, g *inventory.Group) {
			m := managed()
			c.CapacityProviders = m.Inventory.Clusters[0].CapacityProviders
			c.CapacityProviders[0].TerminationProtection = false
			g.Hooks = append(g.Hooks, m.Inventory.Groups[0].Hooks...)
		}},
	}
}

func tellPlants() []plant {
	return []plant{
		{name: "nobody is told", check: "unheard", severity: Warn, what: "to Ebb",
			do: func(_ *Input, _ *inventory.Cluster, g *inventory.Group) {
				hookOf(g).Target = ""
			}},
		{name: "another queue is told", check: "unheard", severity: Warn, what: "not the queue that Ebb reads",
			do: func(_ *Input, _ *inventory.Cluster, g *inventory.Group) { hookOf(g).Target = queueARN + "-other" }},
		{name: "the rule is off", check: "unheard", severity: Warn, what: "rule leaving would do so, but it is disabled",
			do: func(in *Input, _ *inventory.Cluster, g *inventory.Group) {
				hookOf(g).Target = ""
				in.Inventory.Rules = []inventory.Rule{rule(terminateActions, false, queueARN)}
			}},
		{name: "the rule has no target", check: "unheard", severity: Warn, what: "has no target", do: func(in *Input, _ *inventory.Cluster, g *inventory.Group) {
			hookOf(g).Target = ""
			in.Inventory.Rules = []inventory.Rule{rule(terminateActions, true)}
		}},
		{name: "a foreign hook tells nobody", check: "unheard", severity: Warn, what: "hook logs", do: func(_ *Input, _ *inventory.Cluster, g *inventory.Group) {
			g.Hooks = append(g.Hooks, terminatingHook("logs"))
			g.Hooks[1].Target = ""
		}},
		{name: "the hook's queue is gone", check: "queue-gone", severity: Error, what: "hook logs", do: func(in *Input, _ *inventory.Cluster, g *inventory.Group) {
			g.Hooks = append(g.Hooks, terminatingHook("logs"))
			g.Hooks[1].Target = queueARN + "-gone"
			in.Inventory.Queues = append(in.Inventory.Queues, inventory.Queue{ARN: queueARN + "-gone", Absent: true})
		}},
		{name: "Ebb's queue is gone", check: "queue-gone", severity: Error, what: "Ebb's configuration names",
			do: func(in *Input, _ *inventory.Cluster, _ *inventory.Group) {
				in.Inventory.Queues[0] = inventory.Queue{URL: queueURL, Absent: true}
			}},
		{name: "the queue refuses the rule", check: "queue-policy", severity: Error, what: "rule leaving",
			do: func(in *Input, _ *inventory.Cluster, g *inventory.Group) {
				in.Inventory.Rules = []inventory.Rule{rule(terminateActions, true, queueARN)}
				in.Inventory.Queues[0].Policy = `{"Statement":{"Effect":"Allow","Principal":{"Service":"sns.amazonaws.com"},"Action":"sqs:SendMessage"}}`
			}},
		{name: "the rule is for another group", check: "rule-matches-nothing", severity: Warn, what: "none of the 1",
			do: func(in *Input, _ *inventory.Cluster, _ *inventory.Group) {
				in.Inventory.Queues[0].Policy = `{"Statement":[{"Effect":"Allow","Principal":"*","Action":["sqs:*"]}]}`
				in.Inventory.Rules = []inventory.Rule{rule(`{"detail-type":["EC2 Instance-terminate Lifecycle Action"],`+
					`"detail":{"AutoScalingGroupName":["old-asg"]}}`, true, queueARN)}
			}},
		{name: "no redrive policy", check: "no-redrive", severity: Warn, do: func(in *Input, _ *inventory.Cluster, _ *inventory.Group) {
			in.Inventory.Queues = in.Inventory.Queues[:1]
			in.Inventory.Queues[0].Redrive = ""
		}},
		{name: "messages are kept for a minute", check: "queue-settings", severity: Warn, what: "1m only",
			do: func(in *Input, _ *inventory.Cluster, _ *inventory.Group) {
				in.Inventory.Queues[0].Retention = time.Minute
			}},
		{name: "one receive and out", check: "queue-settings", severity: Warn, what: "after 1 receives",
			do: func(in *Input, _ *inventory.Cluster, _ *inventory.Group) {
				in.Inventory.Queues[0].MaxReceives = 1
			}},
		{name: "visible at once", check: "queue-settings", severity: Warn, what: "visible again", do: func(in *Input, _ *inventory.Cluster, _ *inventory.Group) {
			in.Ebb, in.Inventory.Queues[0].Visibility = nil, 0
		}},
		{name: "dead letters", check: "dead-letters", severity: Warn, what: "about 3",
			do: func(in *Input, _ *inventory.Cluster, _ *inventory.Group) {
				in.Inventory.Queues[1].Visible = 3
			}},
	}
}

func settingsPlants() []plant {
	return []plant{
		{name: "Ebb without its hook", check: "ebb-hook-missing", severity: Error, what: "only logs",
			do: func(_ *Input, _ *inventory.Cluster, g *inventory.Group) {
				hookOf(g).Name = "logs"
			}},
		{name: "another cluster", check: "wrong-cluster", severity: Error, what: "in cluster prod",
			do: func(in *Input, _ *inventory.Cluster, _ *inventory.Group) {
				in.Ebb.Groups[0].Cluster = "staging"
			}},
		{name: "a hook that a function cannot keep", check: "hook-short", severity: Warn, what: "needs 3m",
			do: func(in *Input, _ *inventory.Cluster, g *inventory.Group) {
				hookOf(g).Heartbeat, hookOf(g).Global, in.Ebb.Shortest = 179*time.Second, 179*100*time.Second, 3*time.Minute
			}},
		{name: "no group", check: "matches-no-group", severity: Warn, what: "api-*", do: func(in *Input, _ *inventory.Cluster, _ *inventory.Group) {
			in.Ebb.Groups = append(in.Ebb.Groups, Managed{Match: "api-*", Deadline: time.Hour})
		}},
		{name: "a short deadline", check: "deadline-short", severity: Warn, what: "deadline is 1m",
			do: func(in *Input, _ *inventory.Cluster, _ *inventory.Group) {
				in.Ebb.Groups[0].Deadline = time.Minute
			}},
		{name: "two scalers", check: "scaling", severity: Warn, what: "Application Auto Scaling", do: scales("two-scalers", "Application Auto Scaling sets it too")},
		{name: "a scaled service that is not there", check: "scaling", severity: Error, what: "not there", do: scales("no-service", "it is not there")},
		{name: "an alarm that is not there", check: "scaling", severity: Warn, what: "does not exist", do: scales("no-alarm", "", "up")},
		{name: "a scaled service of which nothing is known", check: "scaling", severity: Warn, what: "not been read", do: scales("unknown", "it has not been read")},
		{name: "nothing", check: "nothing-seen", severity: Warn, what: "no Auto Scaling group was seen", also: "matches-no-group",
			do: func(in *Input, _ *inventory.Cluster, _ *inventory.Group) {
				*in.Inventory = inventory.Inventory{At: now, Account: "111122223333", Region: "eu-west-1"}
			}},
		{name: "access denied", check: "unread", severity: Warn, what: "AccessDenied", do: func(in *Input, _ *inventory.Cluster, g *inventory.Group) {
			g.Hooks = nil
			in.Inventory.Unread = []inventory.Unread{{What: "autoscaling:DescribeLifecycleHooks of group web-asg", Error: "AccessDenied: no"}}
		}},
	}
}

func groupPlants() []plant {
	return []plant{
		{name: "Launch suspended", check: "suspended", severity: Warn, what: "Launch", do: func(_ *Input, _ *inventory.Cluster, g *inventory.Group) {
			g.Suspended = []string{"Launch", "HealthCheck"}
		}},
		{name: "AZRebalance suspended", check: "suspended", severity: Info,
			do: func(_ *Input, _ *inventory.Cluster, g *inventory.Group) {
				g.Suspended = []string{"AZRebalance"}
			}},
		{name: "retained", check: "retained", severity: Warn, what: "web-asg", do: func(_ *Input, _ *inventory.Cluster, g *inventory.Group) {
			g.Instances[2].State = fleet.TerminatingRetained
		}},
		{name: "a refresh that waits", base: managed, check: "refresh-waits", severity: Warn, what: "r-1",
			do: func(_ *Input, _ *inventory.Cluster, g *inventory.Group) {
				g.Refreshes = []inventory.Refresh{{ID: "r-1", Status: "InProgress", ScaleInProtected: "Wait"}, {ID: "r-0", Status: "Failed", ScaleInProtected: "Wait"}}
			}},
		{name: "a long hook with rebalancing", check: "rebalance-hook", severity: Warn, what: "hook logs may wait 1h",
			do: func(_ *Input, _ *inventory.Cluster, g *inventory.Group) {
				g.CapacityRebalance = true
				g.Hooks = append(g.Hooks, terminatingHook("logs"))
				g.Spot, g.Instances = true, nil
			}},
		{name: "protection stuck", base: managed, check: "protection-stuck", severity: Warn,
			do: func(_ *Input, _ *inventory.Cluster, g *inventory.Group) {
				g.Instances[2].Protected = true
			}},
		{name: "protection left", check: "protection-left", severity: Info,
			do: func(_ *Input, _ *inventory.Cluster, g *inventory.Group) {
				g.Instances[0].Protected = true
			}},
		{name: "protection off", base: managed, check: "protection-off", severity: Warn, what: "web-cp",
			do: func(_ *Input, _ *inventory.Cluster, g *inventory.Group) {
				g.ProtectsNew = false
			}},
		{name: "a lifetime for protected instances", base: managed, check: "lifetime-protected", severity: Warn, what: "24h",
			do: func(_ *Input, _ *inventory.Cluster, g *inventory.Group) { g.MaxLifetime = 24 * time.Hour }},
	}
}

func servicePlants() []plant {
	web := func(do func(*inventory.Service)) func(*Input, *inventory.Cluster, *inventory.Group) {
		return func(_ *Input, c *inventory.Cluster, _ *inventory.Group) { do(c.Service("web")) }
	}
	return []plant{
		{name: "min = max = 100", check: "never-drains", severity: Error, what: "at least 2 must be healthy",
			do: web(func(v *inventory.Service) { v.MaxPercent = 100 })},
		{name: "rounding leaves no freedom", check: "never-drains", severity: Error, what: "minimumHealthyPercent 50",
			do: web(func(v *inventory.Service) { v.Desired, v.MinPercent, v.MaxPercent = 1, 50, 150 })},
		{name: "distinctInstance on every host", check: "no-place", severity: Warn, what: "distinctInstance allows one task of service web on " +
			"a host, and there already is one on all 2 other hosts", do: web(func(v *inventory.Service) {
			v.Desired, v.Constraints = 3, []inventory.Constraint{{Type: "distinctInstance"}}
		})},
		{name: "a fixed port on every host", check: "no-place", severity: Warn, what: "host port 80/tcp",
			do: func(_ *Input, c *inventory.Cluster, _ *inventory.Group) {
				c.TaskDefinitions[0].HostPorts = []inventory.Port{{Number: 80}}
				c.Hosts[0].Free.Ports, c.Hosts[1].Free.Ports = []int{80}, []int{80}
				c.Hosts[2].Status = fleet.Inactive
			}},
		{name: "no room for the fullest host", check: "no-place", severity: Warn, what: "if host i-0b left now, replacements would have no " +
			"place (the same applies to 2 of the 3 hosts examined, the fullest): service web: a task needs 600 CPU units, and at most 500 are free on " +
			"all 2 other hosts", do: func(_ *Input, c *inventory.Cluster, _ *inventory.Group) {
			c.TaskDefinitions[0].CPU = 600
			for i := range c.Hosts {
				c.Hosts[i].CPU, c.Hosts[i].Free.CPU = 1000, 500-i%2
			}
		}},
		{name: "all may stop", check: "stops-all", severity: Info, do: web(func(v *inventory.Service) { v.MinPercent = 0 })},
		{name: "the default delay", check: "long-delay", severity: Info, what: "5m", do: func(in *Input, _ *inventory.Cluster, _ *inventory.Group) {
			in.Inventory.TargetGroups[0].Delay = 5 * time.Minute
		}},
		{name: "a short delay on a network load balancer", check: "nlb-delay", severity: Warn, what: "open connections are not closed",
			do: func(in *Input, _ *inventory.Cluster, _ *inventory.Group) {
				in.Inventory.TargetGroups[0].Protocol = "TCP"
			}},
		{name: "registered by hand", check: "by-hand", severity: Warn,
			what: "tasks of service web in cluster prod are registered in it, and their service does not name it",
			do: func(in *Input, c *inventory.Cluster, _ *inventory.Group) {
				in.Inventory.Instances[0].VPC, c.Tasks[1].Addresses = "vpc-1", []fleet.Address{{Container: "web", ContainerPort: 8080, HostPort: 32768}}
				in.Inventory.TargetGroups = append(in.Inventory.TargetGroups, &inventory.TargetGroup{ARN: webTG + "-hand", Name: "hand-tg", Type: "instance",
					VPC: "vpc-1", Unnamed: true, Targets: []fleet.Health{{Target: fleet.TargetID{ID: "i-0a", Port: 32768}, State: "healthy"}}})
			}},
		{name: "standalone", check: "standalone-tasks", severity: Info, what: "tasks on its hosts that belong to no service: 1 (job:1); the " +
			"oldest runs for 1h", do: func(_ *Input, c *inventory.Cluster, _ *inventory.Group) {
			addTask(c, c.Hosts[0].ARN, "job:1", "family:job")
		}},
		{name: "protected for two days", check: "task-protected", severity: Warn, what: "another 47h", do: func(_ *Input, c *inventory.Cluster, _ *inventory.Group) {
			c.Tasks[1].Protected, c.Tasks[1].ProtectedUntil = true, now.Add(47*time.Hour)
		}},
		{name: "protected though expired", check: "task-protected", severity: Warn, what: "ended 2h ago",
			do: func(_ *Input, c *inventory.Cluster, _ *inventory.Group) {
				c.Tasks[1].Protected, c.Tasks[1].ProtectedUntil = true, now.Add(-2*time.Hour)
			}},
	}
}

// onSpotHosts makes the group one of Spot capacity whose service may stop tasks first.
func onSpotHosts(do func(*Input, *inventory.Cluster, *inventory.Group)) func(*Input, *inventory.Cluster, *inventory.Group) {
	return func(in *Input, c *inventory.Cluster, g *inventory.Group) {
		for i := range in.Inventory.Instances {
			in.Inventory.Instances[i].Spot = true
		}
		c.Service("web").MinPercent = 50
		g.UserData, g.UserDataKnown = "#!/bin/sh\necho ECS_CLUSTER=prod >> /etc/ecs/ecs.config\necho ECS_ENABLE_SPOT_INSTANCE_DRAINING=true "+
			">> /etc/ecs/ecs.config\n", true
		do(in, c, g)
	}
}

// onFargate moves a service to Fargate.
func onFargate(strategy ...inventory.StrategyItem) func(*Input, *inventory.Cluster, *inventory.Group) {
	return func(_ *Input, c *inventory.Cluster, _ *inventory.Group) {
		v := c.Service("web")
		v.LaunchType, v.Strategy = "", strategy
		c.Tasks = slices.DeleteFunc(c.Tasks, func(t *inventory.Task) bool { return t.Service() == "web" })
	}
}

// standingIn lets another service, changed somehow, stand in for one on Fargate Spot.
func standingIn(change func(*inventory.Service)) func(*Input, *inventory.Cluster, *inventory.Group) {
	return func(in *Input, c *inventory.Cluster, g *inventory.Group) {
		onFargate(inventory.StrategyItem{Provider: "FARGATE_SPOT", Weight: 1})(in, c, g)
		other := *c.Service("web")
		other.Name, other.Strategy = "web-od", []inventory.StrategyItem{{Provider: "FARGATE", Weight: 1}}
		change(&other)
		c.Services = append(c.Services, &other)
		in.Ebb.StandIns = []StandIn{{Cluster: c.Name, Spot: "web", OnDemand: "web-od"}}
	}
}

// first lets the traffic of a service leave first.
func first(wait time.Duration, change func(*inventory.Service, *inventory.TargetGroup)) func(*Input, *inventory.Cluster, *inventory.Group) {
	return func(in *Input, c *inventory.Cluster, _ *inventory.Group) {
		v := c.Service("web")
		change(v, in.Inventory.TargetGroup(v.LoadBalancers[0].TargetGroup))
		in.Ebb.First = []First{{Cluster: c.Name, Service: "web", Wait: wait}}
	}
}

func spotPlants() []plant {
	return []plant{
		{name: "Spot without the agent's setting", check: "spot-unheard", severity: Warn, what: "ECS_ENABLE_SPOT_INSTANCE_DRAINING",
			do: onSpotHosts(func(_ *Input, _ *inventory.Cluster, g *inventory.Group) {
				g.UserData = strings.ReplaceAll(g.UserData, "=true", "=false")
			})},
		{name: "agent and ECS both", base: managed, check: "spot-draining-redundant", severity: Info,
			do: onSpotHosts(func(*Input, *inventory.Cluster, *inventory.Group) {})},
		{name: "the default delay on Spot", check: "spot-delay", severity: Warn, what: "5m", also: "long-delay",
			do: onSpotHosts(func(in *Input, _ *inventory.Cluster, _ *inventory.Group) {
				in.Inventory.TargetGroups[0].Delay = 5 * time.Minute
			})},
		{name: "the default delay on Fargate Spot", check: "spot-delay", severity: Warn, also: "long-delay",
			do: func(in *Input, c *inventory.Cluster, _ *inventory.Group) {
				v := c.Service("web")
				v.LaunchType, v.Strategy = "", []inventory.StrategyItem{{Provider: "FARGATE", Base: 1}, {Provider: "FARGATE_SPOT", Weight: 1}}
				c.Tasks = slices.DeleteFunc(c.Tasks, func(t *inventory.Task) bool { return t.Service() == "web" })
				in.Inventory.TargetGroups[0].Delay = 5 * time.Minute
			}},
		{name: "a long stop timeout on Spot", check: "spot-stop", severity: Warn, what: "then stopTimeout 2m",
			do: onSpotHosts(func(_ *Input, c *inventory.Cluster, _ *inventory.Group) {
				c.TaskDefinitions[0].Containers[0].StopTimeout = 2 * time.Minute
			})},
		{name: "nothing but Spot", check: "spot-alone", severity: Info, what: "all its tasks are on FARGATE_SPOT",
			do: onFargate(inventory.StrategyItem{Provider: "FARGATE_SPOT", Weight: 1})},
		{name: "a base on Spot", check: "spot-strategy", severity: Warn, what: "its base, 2 tasks, on FARGATE_SPOT",
			do: onFargate(inventory.StrategyItem{Provider: "FARGATE", Weight: 1}, inventory.StrategyItem{Provider: "FARGATE_SPOT", Base: 2, Weight: 3})},
		{name: "a weight of 0", check: "spot-strategy", severity: Info, what: "weight of 0",
			do: onFargate(inventory.StrategyItem{Provider: "FARGATE", Weight: 1}, inventory.StrategyItem{Provider: "FARGATE_SPOT"})},
		{name: "a launch type beside a default strategy", check: "spot-strategy", severity: Info, what: "launch type FARGATE",
			do: func(in *Input, c *inventory.Cluster, g *inventory.Group) {
				onFargate()(in, c, g)
				c.Service("web").LaunchType = "FARGATE"
				c.DefaultStrategy = []inventory.StrategyItem{{Provider: "FARGATE_SPOT", Weight: 1}}
				for _, v := range c.Services {
					v.LaunchType = cmp.Or(v.LaunchType, "EC2")
				}
			}},
		{name: "another task definition", check: "stand-in", severity: Warn, what: "runs old:1 and not",
			do: standingIn(func(v *inventory.Service) { v.TaskDefinition = "old:1" })},
		{name: "other target groups", check: "stand-in", severity: Warn, what: "other target groups",
			do: standingIn(func(v *inventory.Service) { v.LoadBalancers = nil })},
		{name: "Spot for Spot", check: "stand-in", severity: Warn, what: "runs on FARGATE_SPOT itself", do: standingIn(func(v *inventory.Service) {
			v.Strategy = []inventory.StrategyItem{{Provider: "FARGATE", Base: 1}, {Provider: "FARGATE_SPOT", Weight: 1}}
		})},
		{name: "a wait as long as half of the deadline", check: "traffic-first", severity: Warn, what: "is to leave 15m before DRAINING, and the deadline",
			do: first(15*time.Minute, func(*inventory.Service, *inventory.TargetGroup) {})},
		{name: "no target may leave", check: "traffic-first", severity: Warn, what: "no target of target group",
			do: first(time.Minute, func(_ *inventory.Service, g *inventory.TargetGroup) {
				g.Targets, g.LeastHealthy = []fleet.Health{{State: "healthy"}}, 1
			})},
		{name: "no target at all", check: "traffic-first", severity: Info, what: "has no load balancer",
			do: first(time.Minute, func(v *inventory.Service, _ *inventory.TargetGroup) { v.LoadBalancers = nil })},
		{name: "nothing may stop first on Spot", check: "spot-min-healthy", severity: Info,
			do: onSpotHosts(func(_ *Input, c *inventory.Cluster, _ *inventory.Group) { c.Service("web").MinPercent = 100 })},
	}
}

func hostPlants() []plant {
	wait := func(since time.Duration) func(*Input, *inventory.Cluster, *inventory.Group) {
		return func(_ *Input, _ *inventory.Cluster, g *inventory.Group) {
			g.Instances[2].State = fleet.TerminatingWait
			g.Activities = []fleet.Activity{{Instance: "i-0c", Start: now.Add(-since)}, {Instance: "i-0a", Start: now}}
		}
	}
	return []plant{
		{name: "waits for a minute", check: "waiting", severity: Info, what: "since 2026-11-21 08:59:00 UTC (1m); hooks that may hold it: " +
			"ebb-drain", do: wait(time.Minute)},
		{name: "waits for hours", check: "waiting", severity: Error, what: "(3h)", do: wait(3 * time.Hour)},
		{name: "waits, since when is not known", check: "waiting", severity: Info, what: "since when is not known",
			do: func(_ *Input, _ *inventory.Cluster, g *inventory.Group) {
				g.Instances[2].State = fleet.TerminatingWait
			}},
		{name: "waits for the dead", check: "waiting", severity: Error, what: "EC2 says that it is stopped",
			do: func(in *Input, c *inventory.Cluster, g *inventory.Group) {
				wait(time.Minute)(in, c, g)
				in.Inventory.Instances[2].State = fleet.StateStopped
			}},
		{name: "drains for nothing", check: "draining-in-service", severity: Warn, what: "AWS does not show since when",
			do: func(_ *Input, c *inventory.Cluster, _ *inventory.Group) {
				c.Hosts[2].Status = fleet.Draining
			}},
		{name: "stopped by hand", check: "ghost", severity: Warn, what: "says that it is stopped", do: func(in *Input, c *inventory.Cluster, _ *inventory.Group) {
			c.Hosts[2].Connected, in.Inventory.Instances[2].State = false, fleet.StateStopped
		}},
		{name: "EC2 has forgotten it", check: "ghost", severity: Warn, what: "does not know it any more",
			do: func(in *Input, c *inventory.Cluster, g *inventory.Group) {
				c.Hosts[2].Connected, in.Inventory.Instances, g.Instances = false, in.Inventory.Instances[:2], g.Instances[:2]
			}},
		{name: "never joined", check: "never-joined", severity: Warn, what: "launched 1h ago",
			do: func(_ *Input, c *inventory.Cluster, _ *inventory.Group) {
				c.Hosts = c.Hosts[:2]
			}},
	}
}

func TestNothingIsFoundInCleanAccounts(t *testing.T) {
	for name, in := range map[string]*Input{"with Ebb": clean(), "with managed draining": managed()} {
		if found := Examine(in); len(found) > 0 {
			t.Errorf("%s: %+v", name, found)
		}
	}
}

func TestEachFaultIsFoundByItsName(t *testing.T) {
	for _, p := range plants() {
		t.Run(p.name, func(t *testing.T) {
			in := clean()
			if p.base != nil {
				in = p.base()
			}
			p.do(in, in.Inventory.Clusters[0], in.Inventory.Groups[0])
			hits := 0
			for _, f := range Examine(in) {
				switch {
				case f.Check == p.check:
					hits++
					if f.Severity != p.severity || !strings.Contains(f.Finding, p.what) || f.Subject == "" || f.Impact == "" || len(f.Fix) == 0 {
						t.Errorf("found %+v, want severity %s and %q", f, p.severity, p.what)
					}
				case f.Check != p.also:
					t.Errorf("found also %+v", f)
				}
			}
			if hits != 1 {
				t.Errorf("%s was found %d times, want once", p.check, hits)
			}
		})
	}
}

// scales has Ebb say something of a service that it scales, beside one of which there is nothing to say.
func scales(code, why string, missing ...string) func(*Input, *inventory.Cluster, *inventory.Group) {
	return func(in *Input, _ *inventory.Cluster, _ *inventory.Group) {
		in.Ebb.Scaled = []Scaled{{"prod", "web", code, why, missing}, {"prod", "api", "steady", "nothing asks for another count", nil}}
	}
}

func TestEachCheckHasAFaultAndAnEntryInTheReference(t *testing.T) {
	page, err := os.ReadFile("../../docs/reference/doctor.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\|").FindAllSubmatch(page, -1) {
		documented[string(m[1])] = true
	}
	planted := map[string]bool{}
	for _, p := range plants() {
		planted[p.check] = true
	}
	for _, c := range Checks() {
		if !planted[c.Name] {
			t.Errorf("no fault is planted for %s", c.Name)
		}
		if !documented[c.Name] {
			t.Errorf("docs/reference/doctor.md has no line for `%s`", c.Name)
		}
		if c.Title == "" {
			t.Errorf("%s has no title", c.Name)
		}
		delete(documented, c.Name)
	}
	if len(documented) > 0 {
		t.Errorf("docs/reference/doctor.md has lines for checks that there are not: %v", documented)
	}
}

// A part that could not be read is never taken for absent: only that it is unread is told.
func TestWhatIsUnreadIsNotTakenForAbsent(t *testing.T) {
	type part struct {
		base func() *Input
		hide func(*Input, *inventory.Cluster, *inventory.Group)
	}
	for what, p := range map[string]part{
		"autoscaling:DescribeLifecycleHooks of group web-asg": {clean, func(_ *Input, _ *inventory.Cluster, g *inventory.Group) { g.Hooks = nil }},
		"ecs:DescribeCapacityProviders of cluster prod": {managed, func(_ *Input, c *inventory.Cluster, g *inventory.Group) {
			c.CapacityProviders, g.Hooks = nil, nil
		}},
		"events:ListRules": {clean, func(in *Input, _ *inventory.Cluster, g *inventory.Group) { hookOf(g).Target = "" }},
		"ec2:DescribeInstances": {clean, func(in *Input, c *inventory.Cluster, _ *inventory.Group) {
			in.Inventory.Instances, c.Hosts[0].Connected = nil, false
		}},
		"sqs:GetQueueAttributes of queue " + queueURL: {clean, func(in *Input, _ *inventory.Cluster, _ *inventory.Group) {
			in.Inventory.Queues = []inventory.Queue{{URL: queueURL, ARN: queueARN}}
			in.Inventory.Rules = []inventory.Rule{rule(terminateActions, true, queueARN)}
		}},
		"ecs:DescribeContainerInstances of cluster prod": {clean, func(_ *Input, c *inventory.Cluster, _ *inventory.Group) { c.Hosts = c.Hosts[:1] }},
		"ecs:DescribeTasks of cluster prod":              {managed, func(_ *Input, c *inventory.Cluster, _ *inventory.Group) { c.Tasks = nil }},
		"autoscaling:DescribeAutoScalingGroups":          {clean, func(in *Input, _ *inventory.Cluster, _ *inventory.Group) { in.Inventory.Groups = nil }},
		"elasticloadbalancing:DescribeTargetGroupAttributes of target group " + string(webTG): {clean, func(in *Input, _ *inventory.Cluster, _ *inventory.Group) {
			in.Inventory.TargetGroups[0].Delay, in.Inventory.TargetGroups[0].DelayKnown, in.Inventory.TargetGroups[0].Protocol = 0, false, "TCP"
		}},
	} {
		in := p.base()
		p.hide(in, in.Inventory.Clusters[0], in.Inventory.Groups[0])
		in.Inventory.Unread = []inventory.Unread{{What: what, Error: "AccessDenied: no"}}
		for _, f := range Examine(in) {
			if f.Check != "unread" {
				t.Errorf("without %s: found %+v", what, f)
			}
		}
	}
}

func TestPatternsAreJudged(t *testing.T) {
	in := clean()
	g, h := &inventory.Group{Group: fleet.Group{Name: "web-asg", ARN: "arn"}}, fleet.Hook{Name: "ebb-drain"}
	for pattern, want := range map[string]verdict{
		`{"source":["aws.autoscaling"]}`:                                        yes,
		`{"source":["aws.ec2"]}`:                                                no,
		`{"source":[{"prefix":"aws."}]}`:                                        yes,
		`{"detail-type":[{"suffix":"Lifecycle Action"}]}`:                       yes,
		`{"detail":{"AutoScalingGroupName":["api-asg","web-asg"]}}`:             yes,
		`{"detail":{"AutoScalingGroupName":["api-asg"]}}`:                       no,
		`{"detail":{"AutoScalingGroupName":[{"anything-but":"web-asg"}]}}`:      no,
		`{"detail":{"AutoScalingGroupName":[{"anything-but":["api-asg"]}]}}`:    yes,
		`{"detail":{"LifecycleHookName":[{"equals-ignore-case":"EBB-DRAIN"}]}}`: yes,
		`{"detail":{"LifecycleHookName":[{"exists":false}]}}`:                   no,
		`{"detail":{"AutoScalingGroupName":[{"wildcard":"web-*"}]}}`:            maybe,
		`{"detail":{"NotificationMetadata":["prod"]}}`:                          maybe,
		`{"source":["aws.autoscaling"],"account":["999"]}`:                      no,
		`{"$or":[{"source":["x"]}]}`:                                            maybe,
		`{"source":{"a":["b"]}}`:                                                no,
		`not JSON`:                                                              maybe,
	} {
		if got := in.matches(rule(pattern, true), g, h); got != want {
			t.Errorf("%s: %d, want %d", pattern, got, want)
		}
	}
}
