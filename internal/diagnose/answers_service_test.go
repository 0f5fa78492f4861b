package diagnose_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
)

// event puts an event of the service before the others.
func event(ago time.Duration, text string) func(*board) {
	return func(b *board) {
		b.web.Events = append([]inventory.Event{{At: b.q.Now.Add(-ago), Text: text}}, b.web.Events...)
	}
}

// deployed sets the deployments of the service.
func deployed(all ...inventory.Deployment) func(*board) {
	return func(b *board) {
		b.web.Deployments = nil
		for i, d := range all {
			d.ID, d.CreatedAt = fmt.Sprintf("ecs-svc/%d", i+1), b.q.Now.Add(time.Duration(-5*(i+1))*time.Minute)
			b.web.Deployments = append(b.web.Deployments, d)
		}
	}
}

// primary is a deployment of two tasks of web:7.
func primary(rollout string, running, pending, failed int) inventory.Deployment {
	return inventory.Deployment{Status: "PRIMARY", TaskDefinition: "web:7", Rollout: rollout, Desired: 2, Running: running, Pending: pending,
		Failed: failed}
}

// before is the deployment before that.
func before(definition string, desired, running int) inventory.Deployment {
	return inventory.Deployment{Status: "ACTIVE", TaskDefinition: definition, Desired: desired, Running: running}
}

// asks is a constraint on a host.
func asks(expressions ...string) (all []inventory.Constraint) {
	for _, e := range expressions {
		all = append(all, inventory.Constraint{Type: "memberOf", Expression: e})
	}
	return all
}

// provider gives the service a capacity provider, which the hosts have too.
func provider(name, group string) func(*board) {
	return func(b *board) {
		b.web.LaunchType, b.web.Strategy = "", append(b.web.Strategy, inventory.StrategyItem{Provider: name, Weight: 1})
		b.cluster.CapacityProviders = append(b.cluster.CapacityProviders, inventory.CapacityProvider{Name: name, Group: group})
		b.host.CapacityProvider, b.other.CapacityProvider = name, name
	}
}

// grouped adds a group.
func (b *board) grouped(name string, desired, most int, ids ...fleet.InstanceID) *inventory.Group {
	g := &inventory.Group{Group: fleet.Group{Name: name, Desired: desired, Max: most}}
	for _, id := range ids {
		g.Instances = append(g.Instances, fleet.GroupInstance{ID: id, Group: name, State: fleet.InService})
	}
	b.Groups = append(b.Groups, g)
	return g
}

// launched adds an instance to the group of i-target.
func launched(state fleet.LifecycleState, ago time.Duration) func(*board) {
	return func(b *board) {
		b.group.Instances = append(b.group.Instances, fleet.GroupInstance{ID: "i-new", Group: "web-asg", State: state})
		b.member = &b.group.Instances[0]
		b.Instances = append(b.Instances, &inventory.Instance{ID: "i-new", State: fleet.StateRunning, Launched: b.q.Now.Add(-ago)})
	}
}

// full leaves no CPU on i-other.
func full(b *board) { b.other.Free.CPU = 255 }

// stuck are worlds in which a task has no place, and a host more, fewer tasks or an attribute help.
func stuck() []world {
	joined := func(connected bool) func(*board) {
		return func(b *board) {
			launched(fleet.InService, 5*time.Minute)(b)
			h := host("other", "i-new", fleet.Active)
			h.Connected = connected
			b.Clusters = append(b.Clusters, &inventory.Cluster{Name: "other", Hosts: []*inventory.Host{h}})
		}
	}
	return []world{
		{"no host has CPU for it", full, []change{
			{"it has just enough", func(b *board) { b.other.Free.CPU = 256 }},
			{"it has no memory", func(b *board) { b.other.Free = inventory.Resources{CPU: 2048, Memory: 511} }},
			{"it has no GPU", func(b *board) { b.other.Free.CPU, b.def.GPU = 256, 1 }},
			{"a larger host has room when it is empty", func(b *board) { b.def.CPU = 2048 }},
			{"no host of the group has such CPU", func(b *board) { b.def.CPU = 2049 }},
			{"another host of the group has such CPU", func(b *board) { b.def.CPU, b.host.CPU = 2049, 4096 }},
			{"the other host of the group has such CPU", func(b *board) { b.def.CPU, b.other.CPU = 2049, 4096 }},
			{"a host of another group has such CPU", func(b *board) {
				b.def.CPU, b.other.CPU = 2049, 4096
				b.group.Instances = b.group.Instances[:1]
				b.grouped("more", 1, 3, "i-other")
				b.group.Desired = 0
			}},
			{"no host of the group has such memory", func(b *board) { b.def.Memory = 4097 }},
			{"a larger host has such memory", func(b *board) { b.def.Memory = 4096 }},
			{"no host of the group has such GPUs", func(b *board) { b.def.GPU, b.host.GPU, b.other.GPU = 3, 2, 1 }},
			{"a host of the group has such GPUs", func(b *board) { b.def.GPU, b.host.GPU = 2, 2 }},
			{"Launch is suspended", func(b *board) { b.group.Suspended, b.group.Desired = []string{"Launch"}, 2 }},
			{"another process is suspended, and the group launches a host", func(b *board) {
				b.group.Suspended, b.group.Desired = []string{"Terminate"}, 2
			}},
			{"the group wants as many as stay", func(b *board) { b.group.Desired = 1 }},
			{"the group wants one more than stays", func(b *board) { b.group.Desired = 2 }},
			{"the group has its most hosts", func(b *board) { b.group.Max = 1 }},
			{"a host is Pending", launched("Pending", 0)}, {"a host is Pending:Wait", launched("Pending:Wait", time.Hour)},
			{"a host was launched lately", launched(fleet.InService, 10*time.Minute-time.Second)},
			{"a host was launched ten minutes ago", launched(fleet.InService, 10*time.Minute)},
			{"a host was launched lately, and EC2 does not know it", func(b *board) {
				launched(fleet.InService, 5*time.Minute)(b)
				b.Instances = b.Instances[:2]
			}},
			{"a host was launched lately, and is registered elsewhere", joined(true)},
			{"a host was launched lately, and is registered elsewhere without its agent", joined(false)},
			{"a host is in standby", launched(fleet.Standby, time.Minute)},
			{"a second host leaves", func(b *board) { launched(fleet.TerminatingWait, time.Hour)(b); b.group.Desired = 2 }},
			{"a second host is about to leave", func(b *board) { launched(fleet.Terminating, time.Hour)(b); b.group.Desired = 2 }},
			{"a second host has left", func(b *board) { launched(fleet.TerminatingProceed, time.Hour)(b); b.group.Desired = 2 }},
			{"a second host stays", func(b *board) { launched(fleet.InService, time.Hour)(b); b.group.Desired = 2 }},
			{"its group is not there", func(b *board) { b.Groups = nil }},
			{"its group is not there, and only its own was read", func(b *board) { b.Groups, b.q.Alone = nil, true }},
			{"the other host is of a group that was not read", func(b *board) {
				b.group.Instances, b.group.Desired, b.q.Alone = b.group.Instances[:1], 0, true
			}},
			{"the other host is of no group", func(b *board) { b.group.Instances, b.group.Desired = b.group.Instances[:1], 0 }},
			{"the other host comes first and is of no group, and its own launches a host", func(b *board) {
				b.group.Instances, b.cluster.Hosts = b.group.Instances[:1], []*inventory.Host{b.other, b.host}
			}},
			{"only its group was read, which has both hosts", func(b *board) { b.q.Alone = true }},
			{"the other host is outside of EC2", func(b *board) {
				b.group.Instances, b.group.Desired, b.q.Alone = b.group.Instances[:1], 0, true
				b.other.Instance = "mi-other"
			}},
			{"another group of the cluster launches a host", func(b *board) {
				b.group.Instances, b.group.Desired = b.group.Instances[:1], 0
				b.grouped("more", 2, 2, "i-other")
			}},
			{"another group launches a host", func(b *board) { b.grouped("more", 2, 2, "i-away") }},
			{"groups could not be read", missed("autoscaling:DescribeAutoScalingGroups")},
			{"EC2 could not be asked", missed("ec2:DescribeInstances")},
			{"capacity providers could not be read", missed("ecs:DescribeCapacityProviders of cluster prod")},
			{"capacity providers of another cluster could not be read", missed("ecs:DescribeCapacityProviders of cluster other")},
			{"its service has a capacity provider", provider("cp", "web-asg")},
			{"its service has a capacity provider of another group", func(b *board) { provider("cp", "more")(b); b.grouped("more", 0, 3) }},
			{"its service has one of a group that launches a host", func(b *board) { provider("cp", "more")(b); b.grouped("more", 1, 3) }},
			{"its service has one of two, and the second is there", func(b *board) {
				provider("far", "far")(b)
				provider("cp", "more")(b)
				b.grouped("more", 0, 3)
			}},
			{"its service has one of two, and the group of the second launches a host", func(b *board) {
				provider("far", "far")(b)
				provider("cp", "more")(b)
				b.grouped("more", 1, 3)
			}},
			{"its service has one of a group that was not read", func(b *board) { provider("cp", "more")(b); b.q.Alone = true }},
			{"its service has none, and there are some", func(b *board) {
				b.cluster.CapacityProviders = []inventory.CapacityProvider{{Name: "cp", Group: "more"}}
				b.grouped("more", 1, 3)
			}},
			{"the cluster has a default strategy", func(b *board) {
				provider("cp", "more")(b)
				b.cluster.DefaultStrategy, b.web.Strategy = b.web.Strategy, nil
				b.grouped("more", 0, 3)
			}},
			{"another capacity provider's group launches a host", func(b *board) {
				b.cluster.CapacityProviders = []inventory.CapacityProvider{{Name: "far", Group: "far"}}
				provider("cp", "web-asg")(b)
				b.grouped("far", 1, 3)
			}},
			{"its second capacity provider's group launches a host", func(b *board) {
				b.cluster.CapacityProviders = []inventory.CapacityProvider{{Name: "far", Group: "far"}}
				provider("cp", "more")(b)
				b.grouped("more", 1, 3)
			}},
			{"only its group was read, and a host is Pending", func(b *board) { b.q.Alone = true; launched("Pending", 0)(b) }},
			{"managed scaling may add a host to a group that was not read", func(b *board) {
				provider("cp", "more")(b)
				b.cluster.CapacityProviders[0].ManagedScaling, b.q.Alone = true, true
			}},
			{"managed scaling may add a host", func(b *board) {
				provider("cp", "web-asg")(b)
				b.cluster.CapacityProviders[0].ManagedScaling = true
			}},
			{"three tasks are wanted, and one is elsewhere", func(b *board) { b.web.Desired = 3; b.also("web-0", "web:7", "service:web") }},
			{"two may be there at least", func(b *board) { b.web.MinPercent = 50 }},
			{"a quarter may be there at least", func(b *board) { b.web.Desired, b.web.MinPercent = 2, 51 }},
			{"all may be elsewhere", func(b *board) { b.web.Desired = 1 }},
			{"most are 50 percent", func(b *board) { b.web.MaxPercent, b.web.MinPercent = 50, 51 }},
			{"its task is asked about", asked("web-1")},
			{"a task of another service is asked about", func(b *board) { asked("job-1")(b); b.also("job-1", "web:7", "family:job") }},
			{"the task that is stuck is stopping", ordered("STOPPING", 130*time.Second)},
			{"a second task is stopping", func(b *board) { stop(b, b.also("web-0", "web:7", "service:web"), "STOPPING", 130*time.Second) }},
			{"it is not DRAINING", func(b *board) { b.host.Status = fleet.Active }},
			{"Ebb is at work", func(b *board) { b.ebb().Deadline = b.q.Now.Add(time.Hour) }},
			{"every host has one", func(b *board) {
				b.other.Free.CPU = 1024
				b.web.Constraints = []inventory.Constraint{{Type: "distinctInstance"}}
			}},
			{"every host has one, and its task definition could not be read", func(b *board) {
				b.cluster.TaskDefinitions = nil
				b.web.Constraints = []inventory.Constraint{{Type: "distinctInstance"}}
			}},
			{"three are missing, and three quarters may be", func(b *board) { b.web.Desired, b.web.MinPercent, b.cluster.Tasks = 4, 75, b.cluster.Tasks[:1] }},
			{"three are missing, and half may be", func(b *board) { b.web.Desired, b.web.MinPercent, b.cluster.Tasks = 4, 50, b.cluster.Tasks[:1] }},
			{"no other host is there, and its task definition could not be read", func(b *board) {
				b.cluster.Hosts, b.cluster.Tasks, b.cluster.TaskDefinitions = b.cluster.Hosts[:1], b.cluster.Tasks[:1], nil
			}},
			{"no other host is there", func(b *board) { b.cluster.Hosts, b.cluster.Tasks = b.cluster.Hosts[:1], b.cluster.Tasks[:1] }},
		}},
		{"percents leave no freedom", func(b *board) { b.web.MaxPercent = 100 }, []change{
			{"and no host has room", full},
			{"most are 99 percent", func(b *board) { b.web.MaxPercent = 99 }},
			{"most are 101 percent", func(b *board) { b.web.MaxPercent = 101 }},
			{"most are 149 percent", func(b *board) { b.web.MaxPercent = 149 }},
			{"most are 150 percent", func(b *board) { b.web.MaxPercent = 150 }},
			{"CodeDeploy deploys it", func(b *board) { b.web.Controller = "CODE_DEPLOY" }},
			{"somebody else deploys it", func(b *board) { b.web.Controller = "EXTERNAL" }},
			{"CodeDeploy deploys it, and no host has room", func(b *board) { b.web.Controller = "CODE_DEPLOY"; full(b) }},
			{"three are wanted, and two are there", func(b *board) { b.web.Desired = 3; b.also("web-0", "web:7", "service:web") }},
			{"its task is not healthy", func(b *board) { b.task.HealthStatus = "UNHEALTHY" }},
			{"Ebb is at work", func(b *board) { b.ebb() }},
		}},
		{"hosts lack an attribute", func(b *board) { b.def.Requires = []string{"tier=gold"} }, []change{
			{"it needs only a name", func(b *board) { b.def.Requires = []string{"gold"} }},
			{"it needs two", func(b *board) { b.def.Requires = []string{"ecs.capability.secrets", "tier=gold"} }},
			{"it needs one of AWS's", func(b *board) { b.def.Requires = []string{"com.amazonaws.ecs.capability.x"} }},
			{"the other host has another", func(b *board) { b.other.Attributes["tier"] = "silver" }},
			{"the other host has it, and no CPU", func(b *board) { b.other.Attributes["tier"] = "gold"; full(b) }},
			{"the other host is away", func(b *board) { b.other.Connected = false }},
			{"a third host is there", func(b *board) {
				b.other.Connected = false
				b.cluster.Hosts = append(b.cluster.Hosts, host("prod", "i-third", fleet.Active))
			}},
			{"a third host leaves", func(b *board) {
				b.other.Attributes["tier"] = "gold"
				full(b)
				b.cluster.Hosts = append(b.cluster.Hosts, host("prod", "i-third", fleet.Draining))
			}},
			{"its service asks for it", func(b *board) {
				b.def.Requires, b.web.Constraints = nil, asks("attribute:tier == 'gold'")
			}},
			{"its service asks for it in words", func(b *board) {
				b.def.Requires, b.web.Constraints = nil, asks("attribute:tier equals gold")
			}},
			{"its service asks for two", func(b *board) {
				b.web.Constraints = asks("attribute:rack == 1", "attribute:row == 2")
			}},
			{"its service asks for two, and the other host has one", func(b *board) {
				b.def.Requires, b.web.Constraints = nil, asks("attribute:rack == 1", "attribute:row == 2")
				b.other.Attributes["rack"] = "1"
			}},
			{"its service asks for a host of its own, too", func(b *board) {
				b.def.Requires = nil
				b.web.Constraints = append([]inventory.Constraint{{Type: "distinctInstance"}}, asks("attribute:tier == gold")...)
			}},
			{"its service asks for more of it", func(b *board) { b.def.Requires, b.web.Constraints = nil, asks("attribute:size >= 5") }},
			{"a host that leaves comes first", func(b *board) {
				b.cluster.Hosts = []*inventory.Host{host("prod", "i-third", fleet.Draining), b.host, b.other}
			}},
			{"its service asks for another", func(b *board) {
				b.def.Requires, b.web.Constraints = nil, asks("attribute:tier != gold")
				b.other.Attributes["tier"] = "gold"
			}},
			{"its service asks for more than an attribute", func(b *board) {
				b.def.Requires, b.web.Constraints = nil, asks("attribute:tier == gold and runningTasksCount < 3")
			}},
			{"its service asks for the name of a task group", func(b *board) {
				b.def.Requires, b.web.Constraints = nil, asks("task:group == service:web")
			}},
			{"its task definition asks for it", func(b *board) {
				b.def.Requires, b.def.Constraints = nil, asks("attribute:tier == gold")
			}},
			{"the group launches a host", func(b *board) { b.group.Desired = 2 }},
			{"two may be there at least", func(b *board) { b.web.MinPercent = 50 }},
		}},
		{"its task is protected", func(b *board) { b.task.Protected = true }, []change{
			{"for an hour", func(b *board) { b.task.ProtectedUntil = b.q.Now.Add(time.Hour) }},
			{"until now", func(b *board) { b.task.ProtectedUntil = b.q.Now }},
			{"another task of it is protected", func(b *board) { b.task.Protected, b.twin.Protected = false, true }},
			{"two are", func(b *board) { b.also("web-0", "web:7", "service:web").Protected = true }},
			{"two are, for an hour", func(b *board) {
				t := b.also("web-0", "web:7", "service:web")
				t.Protected, t.ProtectedUntil, b.task.ProtectedUntil = true, b.q.Now.Add(time.Hour), b.q.Now.Add(time.Hour)
			}},
			{"one of two is", func(b *board) { b.also("web-0", "web:7", "service:web") }},
			{"protection could not be read", func(b *board) { b.task.Protected = false; b.miss("ecs:GetTaskProtection of cluster prod") }},
			{"no host has room", full},
		}},
	}
}

// coming are worlds in which a replacement or a deployment is the answer.
func coming() []world {
	last := event(10*time.Minute, "(service web) has reached a steady state.")
	return []world{
		{"nothing blocks it", began(5 * time.Minute), []change{
			{"since longer", began(5*time.Minute + time.Second)},
			{"since longer, and the service has events", func(b *board) {
				b.since(6 * time.Minute)
				last(b)
				event(time.Minute, "(service web) has begun.")(b)
			}},
			{"since when is not known", func(b *board) { b.group.Activities = nil }},
			{"something could not be read", missed("ecs:GetTaskProtection of cluster prod")},
			{"a second task is on it", func(b *board) { b.also("web-0", "web:7", "service:web") }},
			{"more than all are to be healthy", func(b *board) { b.web.MinPercent = 150 }},
			{"it may have fewer, and no host has room", func(b *board) { b.web.MinPercent = 50; full(b) }},
		}},
		{"its replacement pulls its image", func(b *board) {
			b.twin.LastStatus, b.twin.StartedAt, b.twin.PullStartedAt = "PENDING", time.Time{}, b.q.Now.Add(-time.Minute)
		}, []change{
			{"not yet", func(b *board) { b.twin.PullStartedAt = time.Time{} }},
			{"since when is not known", func(b *board) { b.twin.PullStartedAt, b.twin.CreatedAt = time.Time{}, time.Time{} }},
			{"it is to stop", func(b *board) { b.twin.DesiredStatus = fleet.Stopped }},
			{"it has stopped", func(b *board) { b.twin.LastStatus = fleet.Stopped }},
			{"it is of another service", func(b *board) { b.twin.Group = "service:api" }},
			{"it is on the host that leaves", func(b *board) { b.twin.ContainerInstance = b.host.ARN }},
			{"it is on no host that was read", func(b *board) { b.twin.ContainerInstance = "" }},
			{"two do", func(b *board) {
				t := *b.twin
				t.ARN = account + "task/prod/web-3"
				b.cluster.Tasks = append(b.cluster.Tasks, &t)
			}},
			{"three do, and one starts", func(b *board) {
				for i, pull := range []time.Time{b.q.Now.Add(-2 * time.Minute), b.q.Now.Add(-3 * time.Minute), {}} {
					t := *b.twin
					t.ARN, t.PullStartedAt = fleet.ARN(fmt.Sprintf("%stask/prod/web-%d", account, i+3)), pull
					b.cluster.Tasks = append(b.cluster.Tasks, &t)
				}
			}},
		}},
		{"its replacement has no health check", func(b *board) {
			b.twin.StartedAt, b.web.LoadBalancers = b.q.Now.Add(-10*time.Second), nil
		}, []change{
			{"since nearly 40 s", func(b *board) { b.twin.StartedAt = b.q.Now.Add(time.Second - 40*time.Second) }},
			{"since 40 s", func(b *board) { b.twin.StartedAt = b.q.Now.Add(-40 * time.Second) }},
			{"since when is not known", func(b *board) { b.twin.StartedAt = time.Time{} }},
			{"its task definition could not be read", func(b *board) { b.cluster.TaskDefinitions = nil }},
			{"it has one, which says nothing yet", func(b *board) { b.def.Containers[0].HealthCheck = true }},
			{"it has one, which says HEALTHY", func(b *board) { b.def.Containers[0].HealthCheck, b.twin.HealthStatus = true, "HEALTHY" }},
			{"it has one, which says UNHEALTHY", func(b *board) { b.def.Containers[0].HealthCheck, b.twin.HealthStatus = true, "UNHEALTHY" }},
			{"its task says UNHEALTHY", func(b *board) { b.twin.HealthStatus, b.cluster.TaskDefinitions = "UNHEALTHY", nil }},
			{"two say nothing yet, and a third starts", func(b *board) {
				b.def.Containers[0].HealthCheck = true
				for i, status := range []string{"PENDING", "PENDING", "RUNNING"} {
					t := *b.twin
					t.ARN, t.LastStatus = fleet.ARN(fmt.Sprintf("%stask/prod/web-%d", account, i+3)), status
					b.cluster.Tasks = append(b.cluster.Tasks, &t)
				}
			}},
			{"its second container has one", func(b *board) {
				b.def.Containers = append(b.def.Containers, inventory.Container{Name: "proxy", HealthCheck: true})
			}},
		}},
		{"its replacement's target is not healthy", func(b *board) {
			b.twin.StartedAt, b.web.HealthCheckGrace = b.q.Now.Add(-time.Minute), 2*time.Minute
			b.twin.Addresses = []fleet.Address{{Container: "app", ContainerPort: 80, HostPort: 32768}}
			b.tg.Targets = []fleet.Health{{Target: fleet.TargetID{ID: "i-other", Port: 32768}, State: "unhealthy", Reason: "Target.Timeout"}}
		}, []change{
			{"for no known reason", func(b *board) { b.tg.Targets[0].Reason = "" }},
			{"it is", func(b *board) { b.tg.Targets[0].State = "healthy" }},
			{"its grace is over", func(b *board) { b.web.HealthCheckGrace = time.Minute }},
			{"its grace is nearly over", func(b *board) { b.web.HealthCheckGrace = time.Minute + time.Second }},
			{"that target is of another port", func(b *board) { b.tg.Targets[0].Target.Port = 32769 }},
			{"that target is of another host", func(b *board) { b.tg.Targets[0].Target.ID = "i-target" }},
			{"that target is of another container port", func(b *board) { b.twin.Addresses[0].ContainerPort = 81 }},
			{"it has no address", func(b *board) { b.twin.Addresses = nil }},
			{"its target group could not be read", func(b *board) { b.TargetGroups = nil }},
			{"its second address has the port", func(b *board) {
				b.twin.Addresses = append([]fleet.Address{{Container: "app", ContainerPort: 81, HostPort: 1}}, b.twin.Addresses...)
			}},
			{"its second address has it, and its own", func(b *board) {
				b.tg.Type, b.twin.Addresses = "ip", []fleet.Address{{IP: "10.0.0.6"}, {IP: "10.0.0.7"}}
				b.tg.Targets[0].Target = fleet.TargetID{ID: "10.0.0.7", Port: 80}
			}},
			{"a first target is healthy", func(b *board) {
				b.twin.Addresses = append(b.twin.Addresses, fleet.Address{ContainerPort: 80, HostPort: 1})
				b.tg.Targets = append([]fleet.Health{{Target: fleet.TargetID{ID: "i-other", Port: 1}, State: "healthy"}}, b.tg.Targets...)
			}},
			{"a first target is another's", func(b *board) {
				b.tg.Targets = append([]fleet.Health{{Target: fleet.TargetID{ID: "i-away", Port: 1}, State: "initial"}}, b.tg.Targets...)
			}},
			{"a first target group is not there", func(b *board) {
				b.web.LoadBalancers = append([]fleet.LoadBalancer{{TargetGroup: "gone", ContainerPort: 80}}, b.web.LoadBalancers...)
			}},
			{"a second target group has the target that is not healthy", func(b *board) {
				second := *b.tg
				b.tg.Targets = []fleet.Health{{Target: fleet.TargetID{ID: "i-other", Port: 32768}, State: "healthy"}}
				second.ARN, second.Name = "second", "second"
				b.TargetGroups = append(b.TargetGroups, &second)
				b.web.LoadBalancers = append(b.web.LoadBalancers, fleet.LoadBalancer{TargetGroup: "second", ContainerPort: 80})
			}},
			{"its address is its own", func(b *board) {
				b.tg.Type, b.twin.Addresses[0] = "ip", fleet.Address{IP: "10.0.0.7"}
				b.tg.Targets[0].Target = fleet.TargetID{ID: "10.0.0.7", Port: 80}
			}},
			{"its address is its own, and the target is of another port", func(b *board) {
				b.tg.Type, b.twin.Addresses[0] = "ip", fleet.Address{IP: "10.0.0.7"}
				b.tg.Targets[0].Target = fleet.TargetID{ID: "10.0.0.7", Port: 81}
			}},
			{"its address is its own, and the target is another's", func(b *board) {
				b.tg.Type, b.twin.Addresses[0] = "ip", fleet.Address{IP: "10.0.0.7"}
				b.tg.Targets[0].Target = fleet.TargetID{ID: "10.0.0.8", Port: 80}
			}},
			{"too few elsewhere are healthy", func(b *board) { b.twin.HealthStatus = "UNHEALTHY" }},
		}},
		{"its deployment fails", deployed(primary("IN_PROGRESS", 1, 0, 3)), []change{
			{"one task has failed", func(b *board) { b.web.Deployments[0].Failed = 1 }},
			{"no task has failed", func(b *board) { b.web.Deployments[0].Failed = 0 }},
			{"all tasks run", func(b *board) { b.web.Deployments[0].Running = 2 }},
			{"it has failed", func(b *board) {
				b.web.Deployments[0].Rollout, b.web.Deployments[0].RolloutReason = "FAILED", "circuit breaker"
			}},
			{"it has failed for no known reason", func(b *board) { b.web.Deployments[0].Rollout = "FAILED" }},
			{"it is complete", func(b *board) { b.web.Deployments[0].Rollout, b.web.Deployments[0].Failed = "COMPLETED", 0 }},
			{"no task has failed, and there is no circuit breaker", func(b *board) {
				b.web.Deployments[0].Rollout, b.web.Deployments[0].Failed = "", 0
			}},
			{"the revision before still runs", deployed(primary("IN_PROGRESS", 0, 0, 3),
				before("web:6", 2, 2))},
			{"the same revision before still runs", deployed(primary("IN_PROGRESS", 0, 0, 3),
				before("web:7", 2, 2))},
			{"it goes well", deployed(primary("IN_PROGRESS", 1, 1, 0),
				before("web:6", 1, 1))},
			{"the one before goes", deployed(primary("COMPLETED", 2, 0, 0),
				before("web:6", 0, 1))},
			{"the one before is gone", deployed(primary("COMPLETED", 2, 0, 0),
				before("web:6", 0, 0))},
			{"the one before has not stopped yet", deployed(primary("COMPLETED", 2, 0, 0), before("web:6", 1, 0))},
			{"it goes well, and the one before has failed", func(b *board) {
				deployed(primary("IN_PROGRESS", 1, 1, 0), before("web:6", 1, 0))(b)
				b.web.Deployments[1].Rollout, b.web.Deployments[1].RolloutReason = "FAILED", "rolling back"
			}},
			{"it fails, too, after the one before", func(b *board) {
				deployed(primary("IN_PROGRESS", 1, 0, 3), before("web:6", 1, 0))(b)
				b.web.Deployments[1].Rollout = "FAILED"
			}},
			{"it comes second", func(b *board) {
				deployed(before("web:6", 1, 1), primary("IN_PROGRESS", 1, 0, 3))(b)
			}},
			{"the one before has failed tasks", func(b *board) {
				deployed(primary("IN_PROGRESS", 1, 1, 0), before("web:6", 2, 1))(b)
				b.web.Deployments[1].Failed = 3
			}},
			{"the one before is inactive", func(b *board) {
				deployed(primary("IN_PROGRESS", 1, 0, 3), before("web:6", 0, 0))(b)
				b.web.Deployments[1].Status = "INACTIVE"
			}},
			{"its task is protected too", func(b *board) { b.task.Protected = true }},
			{"another one is inactive", deployed(primary("COMPLETED", 2, 0, 0),
				inventory.Deployment{Status: "INACTIVE", TaskDefinition: "web:6", Running: 1, Rollout: "IN_PROGRESS"})},
			{"the service says so", event(time.Minute, "(service web) is unable to consistently start tasks successfully.")},
			{"the service says so alone", func(b *board) {
				b.web.Deployments = nil
				event(time.Minute, "(service web) is unable to consistently start tasks successfully.")(b)
			}},
			{"the service said so 15 minutes ago", func(b *board) {
				b.web.Deployments = nil
				event(15*time.Minute, "(service web) failed to launch a task")(b)
			}},
			{"the service said so longer ago", func(b *board) {
				b.web.Deployments = nil
				event(15*time.Minute+time.Second, "(service web) failed to launch a task")(b)
			}},
			{"the service said so before something else", func(b *board) {
				b.web.Deployments = nil
				event(2*time.Minute, "(service web) failed to launch a task")(b)
				event(time.Minute, "(service web) has started 1 tasks.")(b)
			}},
			{"the service said so, and its newest event is older", func(b *board) {
				b.web.Deployments = nil
				event(time.Minute, "(service web) failed to launch a task")(b)
				event(16*time.Minute, "(service web) has started 1 tasks.")(b)
			}},
			{"a replacement starts too", func(b *board) { b.twin.LastStatus, b.twin.StartedAt = "PENDING", time.Time{} }},
		}},
		{"a service of another cluster has its name", func(b *board) {
			c, h := b.again("old", fleet.Draining)
			s := *b.web
			c.Services, c.Tasks = []*inventory.Service{&s}, []*inventory.Task{b.running("old-1", "web:7", "service:web", h)}
		}, nil},
	}
}

func TestWhyATaskHasNoPlace(t *testing.T) {
	compare(t, "testdata/places.txt", stuck(), (*board).why)
}

func TestWhatReplacesATask(t *testing.T) {
	compare(t, "testdata/services.txt", coming(), (*board).why)
}
