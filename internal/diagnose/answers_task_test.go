package diagnose_test

import (
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/diagnose"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
)

// ordered orders the task of web to stop, some time ago.
func ordered(status string, ago time.Duration) func(*board) {
	return func(b *board) { stop(b, b.task, status, ago) }
}

func stop(b *board, t *inventory.Task, status string, ago time.Duration) {
	t.LastStatus, t.DesiredStatus, t.StoppingAt = status, fleet.Stopped, b.q.Now.Add(-ago)
}

// containers sets those of web's task definition.
func containers(all ...inventory.Container) func(*board) {
	return func(b *board) { b.def.Containers = all }
}

// agent sets the user data of the group.
func agent(data string) func(*board) {
	return func(b *board) { b.group.UserData, b.group.UserDataKnown = data, true }
}

const plainAgent = "#!/bin/sh\necho ECS_CLUSTER=prod >> /etc/ecs/ecs.config\n"

// tasks are worlds in which what a task does is the answer.
func tasks() []world {
	ofAgent := containers(inventory.Container{Name: "app"})
	daemon := func(b *board) *inventory.Task {
		s := &inventory.Service{Status: "ACTIVE", LaunchType: "EC2", Controller: "ECS", TaskDefinition: "logs:1"}
		s.Service = fleet.Service{Name: "logs", Cluster: "prod", Daemon: true, Desired: 2, Running: 2, MaxPercent: 100}
		b.cluster.Services = append(b.cluster.Services, s)
		b.cluster.TaskDefinitions = append(b.cluster.TaskDefinitions, &inventory.TaskDefinition{Name: "logs:1", CPU: 10, Memory: 10})
		return b.also("logs-1", "logs:1", "service:logs")
	}
	job := func(b *board) *inventory.Task { return b.also("job-1", "job:1", "family:job") }
	old := func(b *board, group string) *inventory.Task {
		c, h := b.again("old", fleet.Draining)
		t := b.running("old-1", "web:7", group, h)
		c.Tasks = []*inventory.Task{t}
		return t
	}
	return []world{
		{"its targets drain", ordered("DEACTIVATING", time.Minute), []change{
			{"since when is not known", func(b *board) { b.task.StoppingAt = time.Time{} }},
			{"since just now", ordered("DEACTIVATING", 0)},
			{"AWS's clock is ahead", ordered("DEACTIVATING", -time.Minute)},
			{"the delay is over since fifteen seconds", ordered("DEACTIVATING", 2*time.Minute+15*time.Second)},
			{"the delay is over since sixteen seconds", ordered("DEACTIVATING", 2*time.Minute+16*time.Second)},
			{"the service has no target group", func(b *board) { b.web.LoadBalancers = nil }},
			{"its target group could not be read", func(b *board) { b.TargetGroups = nil; b.miss("elasticloadbalancing:DescribeTargetGroups") }},
			{"its delay could not be read", func(b *board) {
				b.tg.DelayKnown = false
				b.miss("elasticloadbalancing:DescribeTargetGroupAttributes")
			}},
			{"its service is not there", func(b *board) { b.cluster.Services = nil }},
			{"a second task drains since longer", func(b *board) {
				stop(b, b.also("web-0", "web:7", "service:web"), "DEACTIVATING", 90*time.Second)
			}},
			{"a second task drains since less", func(b *board) {
				stop(b, b.also("web-0", "web:7", "service:web"), "DEACTIVATING", 30*time.Second)
			}},
			{"a second task is STOPPING", func(b *board) { stop(b, b.also("web-0", "web:7", "service:web"), "STOPPING", 150*time.Second) }},
			{"a second task is STOPPING, and protection could not be read", func(b *board) {
				stop(b, b.also("web-0", "web:7", "service:web"), "STOPPING", 150*time.Second)
				b.miss("ecs:GetTaskProtection of cluster prod")
			}},
			{"a job is there too", func(b *board) { job(b) }},
			{"it is asked about", asked("web-1")},
		}},
		{"its task has got SIGTERM", ordered("STOPPING", 2*time.Minute+10*time.Second), []change{
			{"since when is not known", func(b *board) { b.task.StoppingAt = time.Time{} }},
			{"its time is just over", ordered("STOPPING", 2*time.Minute+45*time.Second)},
			{"its time is over since a minute", ordered("STOPPING", 3*time.Minute+45*time.Second)},
			{"its time is over since more than a minute", ordered("STOPPING", 3*time.Minute+46*time.Second)},
			{"its time is over since an hour, on Windows", func(b *board) {
				ordered("STOPPING", time.Hour)(b)
				b.host.Attributes["ecs.os-type"] = "windows"
			}},
			{"its time is over since a day", ordered("STOPPING", 24*time.Hour)},
			{"its stopTimeout is 30 s", containers(inventory.Container{Name: "app", StopTimeout: 30 * time.Second})},
			{"its stopTimeout is 31 s", containers(inventory.Container{Name: "app", StopTimeout: 31 * time.Second})},
			{"its stopTimeout is 31 s, and over since long", func(b *board) {
				containers(inventory.Container{Name: "app", StopTimeout: 31 * time.Second})(b)
				ordered("STOPPING", time.Hour)(b)
			}},
			{"the agent's time counts", func(b *board) { ofAgent(b); agent(plainAgent)(b) }},
			{"the agent's time counts, and is set", func(b *board) { ofAgent(b); agent(plainAgent + "ECS_CONTAINER_STOP_TIMEOUT=1m\n")(b) }},
			{"the agent's time counts, and is set to what it is without", func(b *board) {
				ofAgent(b)
				agent(plainAgent + "ECS_CONTAINER_STOP_TIMEOUT=30s\n")(b)
			}},
			{"the agent's time is set and does not count", agent(plainAgent + "ECS_CONTAINER_STOP_TIMEOUT=1m\n")},
			{"the agent's time is not known", ofAgent},
			{"the agent's time is not known, and seems over", func(b *board) { ofAgent(b); ordered("STOPPING", time.Hour)(b) }},
			{"the agent's time counts, and what the group launches could not be read", func(b *board) {
				ofAgent(b)
				b.miss("ec2:DescribeLaunchTemplateVersions of group web-asg")
			}},
			{"the agent's time counts, and its group could not be read", func(b *board) {
				ofAgent(b)
				b.Groups = nil
				b.miss("autoscaling:DescribeAutoScalingGroups")
			}},
			{"the agent's time counts, and another group could not be read", func(b *board) {
				ofAgent(b)
				agent(plainAgent)(b)
				b.miss("autoscaling:DescribeAutoScalingGroups")
			}},
			{"the agent's time counts, and it is of no group", func(b *board) { ofAgent(b); b.Groups = nil }},
			{"two containers depend on each other", containers(
				inventory.Container{Name: "app", DependsOn: []string{"proxy"}, StopTimeout: 20 * time.Second},
				inventory.Container{Name: "proxy", StopTimeout: 5 * time.Second})},
			{"its task definition could not be read", func(b *board) {
				b.cluster.TaskDefinitions = nil
				b.miss("ecs:DescribeTaskDefinition of web:7")
			}},
			{"its task definition has no container", containers()},
			{"its delay could not be read", func(b *board) { b.tg.DelayKnown = false }},
			{"its service is not there", func(b *board) { b.cluster.Services = nil }},
			{"its service is not there, and it was just ordered to stop", func(b *board) {
				b.cluster.Services = nil
				ordered("STOPPING", 10*time.Second)(b)
			}},
			{"the service has no target group", func(b *board) { b.web.LoadBalancers = nil }},
			{"it is of no service", func(b *board) { b.task.Group = "family:web" }},
			{"a second one has got it before", func(b *board) { stop(b, b.also("web-0", "web:7", "service:web"), "STOPPING", 150*time.Second) }},
			{"Ebb has a deadline before that", func(b *board) { b.ebb().Deadline = b.q.Now.Add(20 * time.Second) }},
			{"it is DEPROVISIONING", ordered("DEPROVISIONING", 150*time.Second)},
			{"it is PENDING, and ordered to stop", ordered("PENDING", 10*time.Second)},
			{"it is on another registration", func(b *board) {
				b.empty()
				stop(b, old(b, "service:web"), "STOPPING", time.Hour)
			}},
			{"it is on another registration, with what it needs there", func(b *board) {
				stop(b, old(b, "service:web"), "STOPPING", time.Hour)
				b.Clusters[1].Services, b.Clusters[1].TaskDefinitions = []*inventory.Service{b.web}, []*inventory.TaskDefinition{b.def}
			}},
		}},
		{"a job is left", func(b *board) { b.empty(); job(b); b.since(time.Hour - time.Second) }, []change{
			{"since an hour", began(time.Hour)},
			{"since an hour, and it was started by nobody", func(b *board) { b.since(time.Hour); b.cluster.Tasks[1].StartedBy = "" }},
			{"since an hour, and since when it runs is not known", func(b *board) {
				b.since(time.Hour)
				b.cluster.Tasks[1].StartedAt = time.Time{}
			}},
			{"since an hour, and its group could not be read", func(b *board) {
				b.Groups = nil
				b.miss("autoscaling:DescribeAutoScalingGroups")
			}},
			{"since an hour, and its hooks could not be read", func(b *board) {
				b.since(time.Hour)
				b.group.Hooks = nil
				b.miss("autoscaling:DescribeLifecycleHooks of group web-asg")
			}},
			{"since when could not be read", func(b *board) {
				b.group.Activities = nil
				b.miss("autoscaling:DescribeScalingActivities of group web-asg")
			}},
			{"since when is not known", func(b *board) { b.group.Activities = nil }},
			{"it is of no group", func(b *board) { b.Groups = nil }},
			{"it is of no group, and Ebb is at work", func(b *board) { b.Groups = nil; b.ebb() }},
			{"since an hour, with Ebb at work", func(b *board) { b.since(time.Hour); b.ebb() }},
			{"since an hour, with Ebb at work and its deadline", func(b *board) {
				b.since(time.Hour)
				b.ebb().Deadline = b.q.Now.Add(time.Hour)
			}},
			{"since an hour, with Ebb at work and its deadline just over", func(b *board) {
				b.since(time.Hour)
				b.ebb().Deadline = b.q.Now.Add(-time.Second)
			}},
			{"since an hour, with an Ebb that is not at work", func(b *board) {
				b.since(time.Hour)
				b.ebb().Works, b.ebb().Deadline = false, b.q.Now.Add(time.Hour)
			}},
			{"since an hour, and Ebb's journal could not be read", func(b *board) {
				b.since(time.Hour)
				*b.ebb() = diagnose.Ebb{Manages: true, Unread: true}
			}},
			{"since an hour, and it is on another registration", func(b *board) { b.since(time.Hour); b.empty(); old(b, "family:job") }},
			{"a second one is there", func(b *board) { b.also("job-2", "job:1", "family:job") }},
			{"its service has the name of none", func(b *board) { b.cluster.Tasks[1].Group = "service:" }},
			{"it is of a service that is not there", func(b *board) { b.cluster.Tasks[1].Group = "service:gone" }},
		}},
		{"a daemon's task waits for others", func(b *board) { daemon(b) }, []change{
			{"another daemon's task waits, too", func(b *board) {
				s := *b.cluster.Services[1]
				s.Name = "metrics"
				b.cluster.Services = append(b.cluster.Services, &s)
				b.also("metrics-1", "logs:1", "service:metrics")
			}},
			{"two others are there", func(b *board) { b.also("web-0", "web:7", "service:web") }},
			{"the other one is of no service", func(b *board) { b.task.Group = "family:web" }},
			{"the other one is of a service that is not there", func(b *board) { b.task.Group = "service:gone" }},
			{"the other one is stopping", ordered("STOPPING", 130*time.Second)},
			{"it is stopping itself", func(b *board) { stop(b, b.cluster.Tasks[2], "STOPPING", 10*time.Second) }},
			{"it is alone", func(b *board) { b.cluster.Tasks = b.cluster.Tasks[2:] }},
			{"it is alone, and Ebb is at work", func(b *board) { b.cluster.Tasks = b.cluster.Tasks[2:]; b.ebb() }},
			{"it is alone, and Ebb has seen that", func(b *board) {
				b.cluster.Tasks = b.cluster.Tasks[2:]
				b.ebb().Empty = b.q.Now.Add(-30 * time.Second)
			}},
			{"it is alone, and Ebb should be done", func(b *board) {
				b.cluster.Tasks = b.cluster.Tasks[2:]
				b.ebb().Empty = b.q.Now.Add(-3 * time.Minute)
			}},
			{"it is alone, and Ebb is not at work", func(b *board) {
				b.cluster.Tasks = b.cluster.Tasks[2:]
				b.ebb().Works, b.ebb().Empty = false, b.q.Now.Add(-30*time.Second)
			}},
			{"it is alone, and the host is ACTIVE", func(b *board) { b.cluster.Tasks, b.host.Status = b.cluster.Tasks[2:], fleet.Active }},
			{"it is asked about", asked("logs-1")},
		}},
	}
}

func TestWhatATaskOnAHostThatLeavesDoes(t *testing.T) {
	compare(t, "testdata/tasks.txt", tasks(), (*board).why)
}
